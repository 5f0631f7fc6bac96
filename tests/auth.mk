# tests/auth.mk - the tests of common/auth: units in make check, a real DNS server in check-live.
AUTH_TESTS = tests/unit/test_domain tests/unit/test_dns tests/unit/test_spf tests/unit/test_dmarc \
	tests/unit/test_dkim tests/unit/test_auth_jobs
if HAVE_YAML
AUTH_TESTS += tests/unit/test_spf_suite
endif
check_PROGRAMS += $(AUTH_TESTS)
TESTS += $(AUTH_TESTS)

AUTH_TEST_LIBS = $(AUTH_LIBS) $(COMMON_LIBS)
DNS_TABLE = tests/unit/dns_table.c tests/unit/dns_table.h
tests_unit_test_domain_SOURCES = tests/unit/test_domain.c tests/unit/unit.h
tests_unit_test_domain_LDADD = $(AUTH_TEST_LIBS)
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c tests/unit/unit.h $(DNS_TABLE)
tests_unit_test_dns_LDADD = $(AUTH_TEST_LIBS)
tests_unit_test_spf_SOURCES = tests/unit/test_spf.c tests/unit/unit.h $(DNS_TABLE)
tests_unit_test_spf_LDADD = $(AUTH_TEST_LIBS)
tests_unit_test_dmarc_SOURCES = tests/unit/test_dmarc.c tests/unit/unit.h $(DNS_TABLE)
tests_unit_test_dmarc_LDADD = $(AUTH_TEST_LIBS)
tests_unit_test_dkim_SOURCES = tests/unit/test_dkim.c tests/unit/unit.h $(DNS_TABLE)
tests_unit_test_dkim_LDADD = $(AUTH_TEST_LIBS)
tests_unit_test_auth_jobs_SOURCES = tests/unit/test_auth_jobs.c tests/unit/unit.h
tests_unit_test_auth_jobs_LDADD = $(DAEMON_LIBS)
EXTRA_DIST += tests/unit/dkim.cases tests/live/dkim_cases.py
tests_unit_test_spf_suite_SOURCES = tests/unit/test_spf_suite.c $(DNS_TABLE)
tests_unit_test_spf_suite_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS)
tests_unit_test_spf_suite_LDADD = $(AUTH_TEST_LIBS) $(YAML_LIBS)

LIVE_TEST_FILES += tests/live/test_dns.py tests/live/test_auth.py tests/live/test_check_auth.py tests/live/test_large_mail.py tests/live/test_dkim.py tests/live/test_spf_differential.py
EXTRA_DIST += tests/live/dns_lab.py tests/live/auth_messages.py
check_PROGRAMS += tests/live/auth_probe
tests_live_auth_probe_SOURCES = tests/live/auth_probe.c
tests_live_auth_probe_LDADD = $(AUTH_TEST_LIBS)

tests_fuzz_fuzz_spf_SOURCES = tests/fuzz/fuzz_spf.c $(FUZZ_COMMON)
tests_fuzz_fuzz_spf_LDADD = $(AUTH_TEST_LIBS)
tests_fuzz_fuzz_spf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_dkim_SOURCES = tests/fuzz/fuzz_dkim.c $(FUZZ_COMMON)
tests_fuzz_fuzz_dkim_LDADD = $(AUTH_TEST_LIBS)
tests_fuzz_fuzz_dkim_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_dmarc_SOURCES = tests/fuzz/fuzz_dmarc.c $(FUZZ_COMMON)
tests_fuzz_fuzz_dmarc_LDADD = $(AUTH_TEST_LIBS)
tests_fuzz_fuzz_dmarc_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)

check_PROGRAMS += tests/bench/bench_spf
tests_bench_bench_spf_SOURCES = tests/bench/bench_spf.c tests/bench/figures.h $(DNS_TABLE)
tests_bench_bench_spf_LDADD = $(AUTH_TEST_LIBS)
EXTRA_DIST += tests/bench/bench_spf.py
