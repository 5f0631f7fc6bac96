# tests/bench/local.mk - one program for each promise about speed; none fails on a time.
check_PROGRAMS += tests/bench/null_milter
tests_bench_null_milter_SOURCES = tests/bench/null_milter.c
tests_bench_null_milter_LDADD = $(MILTER_LIBS)

EXTRA_PROGRAMS += tests/bench/bench_journal
CLEANFILES += tests/bench/bench_journal
tests_bench_bench_journal_SOURCES = tests/bench/bench_journal.c
tests_bench_bench_journal_LDADD = $(COMMON_LIBS)
