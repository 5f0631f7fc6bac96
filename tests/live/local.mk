# tests/live/local.mk - against a private Postfix, Redis and the milter (lab.py); part of make check-live.
LIVE_TEST_FILES += tests/live/test_lab.py tests/live/test_postfix.py tests/live/test_outage.py \
	tests/live/test_kill.py tests/live/test_callbacks.py tests/live/test_busy_disk.py \
	tests/live/test_memory.py tests/live/test_load.py tests/live/test_valgrind.py tests/replay/run_slow
EXTRA_DIST += tests/live/demo.py tests/live/expected.py tests/live/lab.py tests/live/milter_load.py \
	tests/live/smtp_client.py tests/live/transactions.py tests/live/valgrind.supp

LIVE_TESTS += tests/live/test_shipper
tests_live_test_shipper_SOURCES = tests/live/test_shipper.c tests/live/cutting_proxy.c tests/live/cutting_proxy.h \
	tests/live/redis_server.c tests/live/redis_server.h tests/unit/journal_rooms.h tests/unit/unit.h
tests_live_test_shipper_LDADD = libdaemon.a $(UNIT_LIBS)
LIVE_TESTS += tests/live/test_journal_full
tests_live_test_journal_full_SOURCES = tests/live/test_journal_full.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_live_test_journal_full_LDADD = $(UNIT_LIBS)
