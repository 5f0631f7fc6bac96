# tests/bench/local.mk - one program for each promise about speed; none fails on a time. Built by make check, run by scripts/bench.
check_PROGRAMS += tests/bench/null_milter
tests_bench_null_milter_SOURCES = tests/bench/null_milter.c milter/negotiation.h
tests_bench_null_milter_LDADD = $(MILTER_LIBS)
EXTRA_DIST += tests/bench/write_figures.py tests/bench/bench_formats.py tests/bench/bench_syscalls.py tests/bench/bench_analyzer.py tests/bench/bench_consumer.py tests/bench/bench_live.py tests/bench/bench_peers.py tests/bench/redis_milter.py \
	tests/bench/bench_mail.py tests/bench/bench_starved.py tests/bench/bench_postfix.py tests/bench/bench_auth.py tests/bench/paced.py tests/bench/pairs.py

check_PROGRAMS += tests/bench/bench_shipper
tests_bench_bench_shipper_SOURCES = tests/bench/bench_shipper.c tests/bench/sample_session.c \
	tests/bench/sample_session.h tests/bench/figures.h tests/live/redis_server.c tests/live/redis_server.h \
	tests/unit/journal_rooms.h tests/unit/pause.h tests/unit/unit.h
tests_bench_bench_shipper_LDADD = libdaemon.a $(UNIT_LIBS)
check_PROGRAMS += tests/bench/bench_journal
tests_bench_bench_journal_SOURCES = tests/bench/bench_journal.c tests/bench/figures.h tests/unit/journal_rooms.h tests/unit/unit.h
tests_bench_bench_journal_LDADD = $(COMMON_LIBS)
check_PROGRAMS += tests/bench/bench_callbacks
tests_bench_bench_callbacks_SOURCES = tests/bench/bench_callbacks.c tests/bench/figures.h tests/driver/histogram.h \
	tests/unit/journal_rooms.h tests/unit/unit.h
tests_bench_bench_callbacks_LDADD = $(DAEMON_LIBS)
check_PROGRAMS += tests/bench/bench_dkim
tests_bench_bench_dkim_SOURCES = tests/bench/bench_dkim.c tests/bench/figures.h tests/unit/dns_table.c tests/unit/dns_table.h
tests_bench_bench_dkim_LDADD = $(AUTH_LIBS) $(COMMON_LIBS)

# Instructions, counted; of a build by another compiler or with other flags they are skipped.
TESTS += tests/check_instructions tests/check_growth
EXTRA_DIST += tests/check_instructions tests/check_growth tests/bench/instructions
check_PROGRAMS += tests/bench/bench_kernels
tests_bench_bench_kernels_SOURCES = tests/bench/bench_kernels.c tests/bench/sample_session.c tests/bench/sample_session.h \
	tests/unit/dns_table.c tests/unit/dns_table.h tests/unit/journal_rooms.h tests/unit/unit.h
tests_bench_bench_kernels_LDADD = libanalysis.a $(AUTH_LIBS) $(UNIT_LIBS) $(ANALYSIS_LIBS)
check_PROGRAMS += tests/bench/bench_least
tests_bench_bench_least_SOURCES = tests/bench/bench_least.c
tests_bench_bench_least_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
check_PROGRAMS += tests/bench/bench_dmarc
tests_bench_bench_dmarc_SOURCES = tests/bench/bench_dmarc.c tests/bench/figures.h tests/unit/dns_table.c tests/unit/dns_table.h
tests_bench_bench_dmarc_LDADD = $(AUTH_LIBS) $(COMMON_LIBS)
check_PROGRAMS += tests/bench/bench_dns
tests_bench_bench_dns_SOURCES = tests/bench/bench_dns.c tests/bench/figures.h
tests_bench_bench_dns_LDADD = $(AUTH_LIBS) $(COMMON_LIBS)
