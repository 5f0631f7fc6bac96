# tests/driver/local.mk - mtadrive: the MTA's side of the milter protocol.
check_PROGRAMS += tests/driver/mtadrive
tests_driver_mtadrive_SOURCES = tests/driver/main.c \
	tests/driver/dialogue.c tests/driver/dialogue.h \
	tests/driver/histogram.h \
	tests/driver/load.c tests/driver/load.h \
	tests/driver/milter_wire.c tests/driver/milter_wire.h \
	tests/driver/mta.c tests/driver/mta.h \
	tests/driver/play.c tests/driver/play.h
EXTRA_DIST += tests/driver/README.md

# Logs and records, and the transactions that come of them.
check_PROGRAMS += tests/driver/transactions
tests_driver_transactions_SOURCES = tests/driver/transactions.c tests/driver/host_pairs.h
tests_driver_transactions_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)

# The same into a store, in an order that is given: what comes late, in pieces, and is killed.
check_PROGRAMS += tests/driver/ingest_steps
tests_driver_ingest_steps_SOURCES = tests/driver/ingest_steps.c tests/driver/host_pairs.h
tests_driver_ingest_steps_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
TESTS += tests/check_late tests/check_settled tests/check_holes
EXTRA_DIST += tests/check_late tests/check_settled tests/check_holes
