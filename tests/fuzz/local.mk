# tests/fuzz/local.mk - one target for each reader of outside bytes. make check replays the stored
# corpora; scripts/fuzz builds the same targets with libFuzzer (--enable-fuzzers) and lets it run.
FUZZ_TARGETS = \
	tests/fuzz/fuzz_conf \
	tests/fuzz/fuzz_dkim \
	tests/fuzz/fuzz_dmarc \
	tests/fuzz/fuzz_formats \
	tests/fuzz/fuzz_frame \
	tests/fuzz/fuzz_header \
	tests/fuzz/fuzz_input \
	tests/fuzz/fuzz_join \
	tests/fuzz/fuzz_join_lines \
	tests/fuzz/fuzz_journal \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_message_file \
	tests/fuzz/fuzz_mime \
	tests/fuzz/fuzz_own_lines \
	tests/fuzz/fuzz_query \
	tests/fuzz/fuzz_queue \
	tests/fuzz/fuzz_record \
	tests/fuzz/fuzz_route \
	tests/fuzz/fuzz_sections \
	tests/fuzz/fuzz_show \
	tests/fuzz/fuzz_spf \
	tests/fuzz/fuzz_status

if FUZZERS
FUZZ_LINK = -fsanitize=fuzzer
FUZZ_COMMON = tests/fuzz/fuzz.h tests/fuzz/fuzz_file.c
else
FUZZ_LINK =
FUZZ_COMMON = tests/fuzz/fuzz.h tests/fuzz/fuzz_file.c tests/fuzz/fuzz_main.c
endif
EXTRA_DIST += tests/fuzz/fuzz_main.c

check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += tests/fuzz/replay
EXTRA_DIST += tests/fuzz/replay tests/fuzz/corpus
AM_TESTS_ENVIRONMENT += FUZZ_TARGETS='$(FUZZ_TARGETS)'; export FUZZ_TARGETS;

.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_TARGETS)

tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c $(FUZZ_COMMON)
tests_fuzz_fuzz_conf_LDADD = $(DAEMON_LIBS)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_header_SOURCES = tests/fuzz/fuzz_header.c $(FUZZ_COMMON)
tests_fuzz_fuzz_header_LDADD = $(DAEMON_LIBS)
tests_fuzz_fuzz_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_join_SOURCES = tests/fuzz/fuzz_join.c tests/unit/records.h $(FUZZ_COMMON)
tests_fuzz_fuzz_join_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_join_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(FUZZ_COMMON)
tests_fuzz_fuzz_journal_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_journal_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_message_file_SOURCES = tests/fuzz/fuzz_message_file.c $(FUZZ_COMMON)
tests_fuzz_fuzz_message_file_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_message_file_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_mime_SOURCES = tests/fuzz/fuzz_mime.c $(FUZZ_COMMON)
tests_fuzz_fuzz_mime_LDADD = $(DAEMON_LIBS)
tests_fuzz_fuzz_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_query_SOURCES = tests/fuzz/fuzz_query.c $(FUZZ_COMMON)
tests_fuzz_fuzz_query_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_query_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_COMMON)
tests_fuzz_fuzz_record_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_record_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_sections_SOURCES = tests/fuzz/fuzz_sections.c $(FUZZ_COMMON)
tests_fuzz_fuzz_sections_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_sections_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_show_SOURCES = tests/fuzz/fuzz_show.c $(FUZZ_COMMON)
tests_fuzz_fuzz_show_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_show_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_status_SOURCES = tests/fuzz/fuzz_status.c $(FUZZ_COMMON)
tests_fuzz_fuzz_status_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_status_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_formats_SOURCES = tests/fuzz/fuzz_formats.c tests/fuzz/shown.h $(FUZZ_COMMON)
tests_fuzz_fuzz_formats_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_formats_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_input_SOURCES = tests/fuzz/fuzz_input.c $(FUZZ_COMMON)
tests_fuzz_fuzz_input_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_input_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_COMMON)
tests_fuzz_fuzz_frame_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_route_SOURCES = tests/fuzz/fuzz_route.c $(FUZZ_COMMON)
tests_fuzz_fuzz_route_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
tests_fuzz_fuzz_route_LDADD = $(COMMON_LIBS)
tests_fuzz_fuzz_route_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_own_lines_SOURCES = tests/fuzz/fuzz_own_lines.c tests/fuzz/shown.h $(FUZZ_COMMON)
tests_fuzz_fuzz_own_lines_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_own_lines_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_queue_SOURCES = tests/fuzz/fuzz_queue.c $(FUZZ_COMMON)
tests_fuzz_fuzz_queue_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_queue_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_queue_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(FUZZ_COMMON)
tests_fuzz_fuzz_json_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_json_LDADD = libanalysis.a $(COMMON_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
tests_fuzz_fuzz_join_lines_SOURCES = tests/fuzz/fuzz_join_lines.c $(FUZZ_COMMON)
tests_fuzz_fuzz_join_lines_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)
tests_fuzz_fuzz_join_lines_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
