# tests/bench/local.mk - one program for each promise about speed; none fails on a time.
check_PROGRAMS += tests/bench/null_milter
tests_bench_null_milter_SOURCES = tests/bench/null_milter.c
tests_bench_null_milter_LDADD = $(MILTER_LIBS)
EXTRA_DIST += tests/bench/bench_mail.py tests/bench/bench_postfix.py tests/bench/pairs.py

EXTRA_PROGRAMS += tests/bench/bench_shipper
CLEANFILES += tests/bench/bench_shipper
tests_bench_bench_shipper_SOURCES = tests/bench/bench_shipper.c tests/bench/sample_session.c \
	tests/bench/sample_session.h tests/live/redis_server.c tests/live/redis_server.h \
	tests/unit/journal_rooms.h tests/unit/unit.h
tests_bench_bench_shipper_LDADD = libdaemon.a $(UNIT_LIBS)
EXTRA_PROGRAMS += tests/bench/bench_journal
CLEANFILES += tests/bench/bench_journal
tests_bench_bench_journal_SOURCES = tests/bench/bench_journal.c
tests_bench_bench_journal_LDADD = $(COMMON_LIBS)
EXTRA_PROGRAMS += tests/bench/bench_callbacks
CLEANFILES += tests/bench/bench_callbacks
tests_bench_bench_callbacks_SOURCES = tests/bench/bench_callbacks.c tests/driver/histogram.h \
	tests/unit/journal_rooms.h tests/unit/unit.h
tests_bench_bench_callbacks_LDADD = $(DAEMON_LIBS)
EXTRA_PROGRAMS += tests/bench/bench_dkim
CLEANFILES += tests/bench/bench_dkim
tests_bench_bench_dkim_SOURCES = tests/bench/bench_dkim.c tests/unit/dns_table.c tests/unit/dns_table.h
tests_bench_bench_dkim_LDADD = $(AUTH_LIBS) $(COMMON_LIBS)
