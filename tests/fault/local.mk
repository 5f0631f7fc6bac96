# tests/fault/local.mk - the campaign: faults at random, and what became of each record. Built by make check, run by scripts/faults.
check_PROGRAMS += tests/fault/producer
tests_fault_producer_SOURCES = tests/fault/producer.c tests/fault/naive.c tests/fault/naive.h tests/fault/truth.h tests/unit/pause.h
tests_fault_producer_LDADD = libdaemon.a $(COMMON_LIBS)
tests_fault_producer_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
EXTRA_DIST += tests/fault/README.md tests/fault/campaign.py tests/fault/checker.py tests/fault/line.py \
	tests/fault/mounts.py tests/fault/targets.py tests/fault/test_campaign.py tests/fault/test_checker.py

# A short campaign over each way into Redis, and one that must fail; about two minutes.
.PHONY: check-faults
check-faults: tests/fault/producer
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/live/run $(srcdir)/tests/fault/test_checker.py \
		$(srcdir)/tests/fault/test_campaign.py
