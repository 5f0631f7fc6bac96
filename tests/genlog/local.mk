# tests/genlog/local.mk - genlog: a large mail log and its ground truth, for benches.
check_PROGRAMS += tests/genlog/genlog
tests_genlog_genlog_SOURCES = tests/genlog/genlog.c
tests_genlog_genlog_CFLAGS = $(AM_CFLAGS) -Wno-conversion -Wno-sign-conversion -Wno-shadow -Wno-switch-enum -Wno-format-nonliteral
tests_genlog_genlog_LDADD = -lm
TESTS += tests/check_genlog tests/check_log_totals tests/check_totals tests/check_pflogsumm
EXTRA_DIST += tests/bench/bench_parse.py tests/bench/pflogsumm.py tests/check_pflogsumm tests/check_genlog tests/check_log_totals tests/check_totals tests/page_data.py
