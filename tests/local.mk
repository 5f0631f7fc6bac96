# tests/local.mk - make check: no network, no root, no server; seconds.
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; top_builddir='$(top_builddir)'; export srcdir top_builddir;

UNIT_TESTS = tests/unit/test_record tests/unit/test_text
UNIT_TESTS += tests/unit/test_address tests/unit/test_mime tests/unit/test_message tests/unit/test_session
UNIT_TESTS += tests/unit/test_escape tests/unit/test_person
UNIT_TESTS += tests/unit/test_journal
UNIT_TESTS += tests/unit/test_redis_link
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS) tests/check_layers tests/check_readmes tests/check_docs tests/check_durability tests/check_failures
EXTRA_DIST += tests/README.md tests/tsan.supp tests/check_layers tests/check_readmes tests/check_docs tests/check_durability tests/check_failures

UNIT_LIBS = $(COMMON_LIBS)
tests_unit_test_record_SOURCES = tests/unit/test_record.c tests/unit/unit.h
tests_unit_test_record_LDADD = $(UNIT_LIBS)
tests_unit_test_text_SOURCES = tests/unit/test_text.c tests/unit/unit.h
tests_unit_test_text_LDADD = $(UNIT_LIBS)

DAEMON_LIBS = libdaemon.a $(AUTH_LIBS) $(COMMON_LIBS)
tests_unit_test_address_SOURCES = tests/unit/test_address.c tests/unit/unit.h
tests_unit_test_address_LDADD = $(DAEMON_LIBS)
tests_unit_test_mime_SOURCES = tests/unit/test_mime.c tests/unit/unit.h
tests_unit_test_mime_LDADD = $(DAEMON_LIBS)
tests_unit_test_escape_SOURCES = tests/unit/test_escape.c tests/unit/unit.h
tests_unit_test_escape_LDADD = $(UNIT_LIBS)
tests_unit_test_person_SOURCES = tests/unit/test_person.c tests/unit/unit.h
tests_unit_test_person_LDADD = $(UNIT_LIBS)
tests_unit_test_journal_SOURCES = tests/unit/test_journal.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_unit_test_journal_LDADD = $(UNIT_LIBS)
tests_unit_test_redis_link_SOURCES = tests/unit/test_redis_link.c tests/unit/pause.h tests/unit/unit.h
tests_unit_test_redis_link_LDADD = $(UNIT_LIBS)

# make check-live: against real servers that the tests start for themselves. A test whose server is
# missing is skipped with a word. Programs are built, scripts lie in the source. Several run at a time, those of
# LIVE_TEST_FILES_ALONE do not: they measure.
LIVE_TESTS = tests/live/test_stream
LIVE_TEST_FILES = tests/live/test_watch.py
LIVE_TEST_FILES_ALONE =
check_PROGRAMS += $(LIVE_TESTS)
EXTRA_DIST += tests/live/run $(LIVE_TEST_FILES) $(LIVE_TEST_FILES_ALONE)

# What runs in several threads, for a sanitizer of these alone.
THREADED_UNITS = tests/unit/test_auth_jobs tests/unit/test_dns tests/unit/test_journal tests/unit/test_keeper \
	tests/unit/test_log tests/unit/test_log_pipeline tests/unit/test_power tests/unit/test_session tests/unit/test_store
THREADED_CHECKS = tests/check_follow tests/check_milter tests/check_parse tests/check_replay tests/check_status
.PHONY: check-threads
check-threads: $(BUILT_SOURCES)
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) $(bin_PROGRAMS) $(sbin_PROGRAMS) $(THREADED_UNITS) tests/driver/mtadrive \
		tests/live/test_shipper tests/genlog/genlog
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(THREADED_UNITS) $(THREADED_CHECKS)'

.PHONY: check-live
check-live: $(check_PROGRAMS) $(bin_PROGRAMS) $(sbin_PROGRAMS)
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/live/run $(LIVE_TESTS) \
		$$(for script in $(LIVE_TEST_FILES); do echo $(srcdir)/$$script; done) --alone \
		$$(for script in $(LIVE_TEST_FILES_ALONE); do echo $(srcdir)/$$script; done)

tests_live_test_stream_SOURCES = tests/live/test_stream.c tests/live/redis_server.c \
	tests/live/redis_server.h tests/unit/pause.h tests/unit/unit.h
tests_live_test_stream_LDADD = $(UNIT_LIBS)

UNIT_TESTS += tests/unit/test_conf tests/unit/test_config
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c tests/unit/unit.h
tests_unit_test_conf_LDADD = $(UNIT_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/unit.h
tests_unit_test_config_LDADD = $(DAEMON_LIBS)
tests_unit_test_message_SOURCES = tests/unit/test_message.c tests/unit/unit.h
tests_unit_test_message_LDADD = $(DAEMON_LIBS)
tests_unit_test_session_SOURCES = tests/unit/test_session.c tests/unit/unit.h
tests_unit_test_session_LDADD = $(DAEMON_LIBS)

UNIT_TESTS += tests/unit/test_no_tls
tests_unit_test_no_tls_SOURCES = tests/unit/test_no_tls.c tests/unit/unit.h
tests_unit_test_no_tls_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_power
tests_unit_test_power_SOURCES = tests/unit/test_power.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_unit_test_power_LDADD = $(UNIT_LIBS)
UNIT_TESTS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/unit.h
tests_unit_test_log_LDADD = $(UNIT_LIBS)

include tests/driver/local.mk
include tests/bench/local.mk
include tests/genlog/local.mk
include tests/live/local.mk
include tests/fault/local.mk
include tests/fuzz/local.mk
include tests/replay/local.mk
UNIT_TESTS += tests/unit/test_status
tests_unit_test_status_SOURCES = tests/unit/test_status.c tests/unit/unit.h
tests_unit_test_status_LDADD = $(UNIT_LIBS)
TESTS += tests/check_status
EXTRA_DIST += tests/check_status

UNIT_TESTS += tests/unit/test_killed
tests_unit_test_killed_SOURCES = tests/unit/test_killed.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_unit_test_killed_LDADD = $(DAEMON_LIBS)
UNIT_TESTS += tests/unit/test_keeper tests/unit/test_verb_journal
tests_unit_test_keeper_SOURCES = tests/unit/test_keeper.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_unit_test_keeper_LDADD = $(DAEMON_LIBS)
tests_unit_test_verb_journal_SOURCES = tests/unit/test_verb_journal.c tests/unit/journal_rooms.h tests/unit/unit.h
tests_unit_test_verb_journal_LDADD = $(UNIT_LIBS)
# What reads: the analyzer's own parts.
UNIT_TESTS += tests/unit/test_show tests/unit/test_watch_filter tests/unit/test_sequence tests/unit/test_match
tests_unit_test_show_SOURCES = tests/unit/test_show.c tests/unit/records.h tests/unit/unit.h
tests_unit_test_show_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
tests_unit_test_watch_filter_SOURCES = tests/unit/test_watch_filter.c tests/unit/records.h tests/unit/unit.h
tests_unit_test_watch_filter_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
tests_unit_test_sequence_SOURCES = tests/unit/test_sequence.c tests/unit/unit.h
tests_unit_test_sequence_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
tests_unit_test_match_SOURCES = tests/unit/test_match.c tests/unit/unit.h
tests_unit_test_match_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)

UNIT_TESTS += tests/unit/test_open_table
tests_unit_test_open_table_SOURCES = tests/unit/test_open_table.c tests/unit/unit.h
tests_unit_test_open_table_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_query
tests_unit_test_query_SOURCES = tests/unit/test_query.c tests/unit/unit.h
tests_unit_test_query_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_output
tests_unit_test_output_SOURCES = tests/unit/test_output.c tests/unit/unit.h
tests_unit_test_output_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_sorted_texts
tests_unit_test_sorted_texts_SOURCES = tests/unit/test_sorted_texts.c tests/unit/unit.h
tests_unit_test_sorted_texts_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_tally
tests_unit_test_tally_SOURCES = tests/unit/test_tally.c tests/unit/unit.h
tests_unit_test_tally_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_explain
tests_unit_test_explain_SOURCES = tests/unit/test_explain.c tests/unit/unit.h
tests_unit_test_explain_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_facts
tests_unit_test_facts_SOURCES = tests/unit/test_facts.c tests/unit/unit.h
tests_unit_test_facts_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)

TESTS += tests/check_milter
EXTRA_DIST += tests/check_milter
# What understands logs. tests/unit/test_formats also reads the logs in SMTPTRAIL_SAMPLE_LOGS.
UNIT_TESTS += tests/unit/test_frame
tests_unit_test_frame_SOURCES = tests/unit/test_frame.c tests/unit/unit.h
tests_unit_test_frame_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_formats
EXTRA_DIST += tests/unit/postfix_kinds.cases
tests_unit_test_formats_SOURCES = tests/unit/test_formats.c tests/unit/unit.h
tests_unit_test_formats_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_shortcuts
tests_unit_test_shortcuts_SOURCES = tests/unit/test_shortcuts.c tests/unit/log_cases.h tests/unit/unit.h
tests_unit_test_shortcuts_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_log_pipeline
tests_unit_test_log_pipeline_SOURCES = tests/unit/test_log_pipeline.c tests/unit/log_cases.h tests/unit/unit.h
tests_unit_test_log_pipeline_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_reply
tests_unit_test_reply_SOURCES = tests/unit/test_reply.c tests/unit/unit.h
tests_unit_test_reply_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
TESTS += tests/check_parse tests/check_follow tests/check_ingest tests/check_store
EXTRA_DIST += tests/check_parse tests/check_follow tests/check_ingest tests/check_store tests/live/kills.py tests/live/stored.py
UNIT_TESTS += tests/unit/test_own_lines
tests_unit_test_own_lines_SOURCES = tests/unit/test_own_lines.c tests/unit/unit.h
tests_unit_test_own_lines_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_csv_record
tests_unit_test_csv_record_SOURCES = tests/unit/test_csv_record.c tests/unit/unit.h
tests_unit_test_csv_record_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_database
tests_unit_test_database_SOURCES = tests/unit/test_database.c tests/unit/unit.h
tests_unit_test_database_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c tests/unit/unit.h
tests_unit_test_store_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_store_rests
tests_unit_test_store_rests_SOURCES = tests/unit/test_store_rests.c tests/unit/unit.h
tests_unit_test_store_rests_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_query_sql
tests_unit_test_query_sql_SOURCES = tests/unit/test_query_sql.c tests/unit/unit.h
tests_unit_test_query_sql_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
UNIT_TESTS += tests/unit/test_watch_query
tests_unit_test_watch_query_SOURCES = tests/unit/test_watch_query.c tests/unit/records.h tests/unit/unit.h
tests_unit_test_watch_query_LDADD = libanalysis.a $(UNIT_LIBS) $(ANALYSIS_LIBS)
