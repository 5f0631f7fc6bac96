# tests/bench/local.mk - one program for each promise about speed; none fails on a time.
check_PROGRAMS += tests/bench/null_milter
tests_bench_null_milter_SOURCES = tests/bench/null_milter.c
tests_bench_null_milter_LDADD = $(MILTER_LIBS)
