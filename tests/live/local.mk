# tests/live/local.mk - against a private Postfix, Redis and the milter (lab.py); part of make check-live.
LIVE_TEST_FILES += tests/live/test_lab.py tests/live/test_postfix.py tests/live/test_sendmail.py \
	tests/live/test_outage.py tests/live/test_ingest.py tests/live/test_joins.py tests/live/test_queue.py tests/live/test_truth.py \
	tests/live/test_kill.py tests/live/test_callbacks.py \
	tests/live/test_memory.py tests/live/test_load.py tests/live/test_partitions.py tests/live/test_routes.py \
	tests/live/test_redis_access.py tests/live/test_doctor.py tests/live/test_valgrind.py \
	tests/live/test_backlog.py tests/live/test_page.py tests/replay/run_slow
LIVE_TEST_FILES_ALONE += tests/live/test_busy_disk.py
EXTRA_DIST += tests/live/browser.py tests/live/cases.py tests/live/demo.py tests/live/expected.py tests/live/format_fixtures.py \
	tests/live/join_fixtures.py tests/live/joined.py tests/live/lab.py tests/live/mail_routes.py tests/live/milter_load.py tests/live/ports.py tests/live/redis_sets.py \
	tests/live/sendmail_lab.py \
	tests/live/fates.py tests/live/sendmail_fixtures.py tests/live/smtp_client.py tests/live/transactions.py tests/live/valgrind.supp

LIVE_TESTS += tests/live/test_shipper
tests_live_test_shipper_SOURCES = tests/live/test_shipper.c tests/live/cutting_proxy.c tests/live/cutting_proxy.h \
	tests/live/redis_server.c tests/live/redis_server.h tests/unit/journal_rooms.h tests/unit/pause.h \
	tests/unit/unit.h
tests_live_test_shipper_LDADD = libdaemon.a $(UNIT_LIBS)
LIVE_TESTS += tests/live/test_journal_full
tests_live_test_journal_full_SOURCES = tests/live/test_journal_full.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_live_test_journal_full_LDADD = $(UNIT_LIBS)
