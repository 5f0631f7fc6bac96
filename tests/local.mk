# tests/local.mk - make check: no network, no root, no server; seconds.
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; top_builddir='$(top_builddir)'; export srcdir top_builddir;

UNIT_TESTS = tests/unit/test_record
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS) tests/check_layers tests/check_docs
EXTRA_DIST += tests/check_layers tests/check_docs

UNIT_LIBS = $(COMMON_LIBS)
tests_unit_test_record_SOURCES = tests/unit/test_record.c tests/unit/unit.h
tests_unit_test_record_LDADD = $(UNIT_LIBS)

include tests/driver/local.mk
include tests/bench/local.mk
