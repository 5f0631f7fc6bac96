# analysis/local.mk - smtptrail: one verb a file.
bin_PROGRAMS += smtptrail

smtptrail_SOURCES = analysis/main.c analysis/verb.h \
	analysis/verb_check_auth.c \
	analysis/verb_fields.c \
	analysis/verb_journal.c \
	analysis/verb_parse.c \
	analysis/verb_status.c \
	analysis/verb_watch.c
nodist_smtptrail_SOURCES = analysis/verbs.inc
COMPRESSION_LIBS = $(ZLIB_LIBS) $(BZIP2_LIBS) $(LZMA_LIBS) $(ZSTD_LIBS)
smtptrail_LDADD = libanalysis.a $(AUTH_LIBS) $(COMMON_LIBS) $(COMPRESSION_LIBS)

# All but the verbs, for the tests too.
noinst_LIBRARIES += libanalysis.a
libanalysis_a_SOURCES = \
	analysis/auth_report.c analysis/auth_report.h \
	analysis/config.c analysis/config.h \
	analysis/decompress.c analysis/decompress.h \
	analysis/event.h \
	analysis/format.c analysis/format.h \
	analysis/format_dovecot.c analysis/dovecot.def \
	analysis/format_filters.c analysis/filters.def \
	analysis/format_postfix.c analysis/postfix.def \
	analysis/frame.c analysis/frame.h analysis/frame_journald.c \
	analysis/input.c analysis/input.h \
	analysis/input_file.c analysis/input_file.h \
	analysis/input_redis.c analysis/input_redis.h \
	analysis/line.c analysis/line.h \
	analysis/log_reader.c analysis/log_reader.h \
	analysis/match.c analysis/match.h \
	analysis/reason.c analysis/reason.h analysis/reasons.def \
	analysis/reply.c analysis/reply.h analysis/status_codes.def \
	analysis/sequence.c analysis/sequence.h \
	analysis/shapes.c analysis/shapes.h \
	analysis/show.c analysis/show.h analysis/show_json.c \
	analysis/show_event.c analysis/show_event.h \
	analysis/stamp.c analysis/stamp.h \
	analysis/stream_id.c analysis/stream_id.h \
	analysis/stream_position.c analysis/stream_position.h \
	analysis/template.c analysis/template.h \
	analysis/template_tail.c analysis/template_tail.h \
	analysis/watch_filter.c analysis/watch_filter.h \
	analysis/when.c analysis/when.h
nodist_libanalysis_a_SOURCES = analysis/formats.inc
libanalysis_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS) $(LZMA_CFLAGS) $(ZSTD_CFLAGS)

# The table of verbs is made from the list above: a new verb is its file and its name there.
BUILT_SOURCES += analysis/verbs.inc
CLEANFILES += analysis/verbs.inc
analysis/verbs.inc: Makefile
	$(AM_V_GEN)$(MKDIR_P) analysis && for file in $(smtptrail_SOURCES); do echo "$$file"; done | \
		$(SED) -n 's,^.*/verb_\([a-z_]*\)\.c$$,VERB(\1),p' > $@.tmp && mv $@.tmp $@

# So is the table of log formats: a new format is its file format_NAME.c and its name above.
BUILT_SOURCES += analysis/formats.inc
CLEANFILES += analysis/formats.inc
analysis/formats.inc: Makefile
	$(AM_V_GEN)$(MKDIR_P) analysis && for file in $(libanalysis_a_SOURCES); do echo "$$file"; done | \
		$(SED) -n 's,^.*/format_\([a-z_]*\)\.c$$,FORMAT(\1),p' > $@.tmp && mv $@.tmp $@

analysis/libanalysis_a-format.$(OBJEXT): analysis/formats.inc
analysis/main.$(OBJEXT): analysis/verbs.inc

EXTRA_DIST += analysis/README.md
