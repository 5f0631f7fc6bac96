# analysis/local.mk - smtptrail: one verb a file.
bin_PROGRAMS += smtptrail

smtptrail_SOURCES = analysis/main.c analysis/verb.h \
	analysis/verb_audit.c \
	analysis/verb_check_auth.c \
	analysis/verb_doctor.c \
	analysis/verb_explain.c \
	analysis/verb_export.c \
	analysis/verb_fields.c \
	analysis/verb_ingest.c \
	analysis/verb_journal.c \
	analysis/verb_parse.c \
	analysis/verb_report.c \
	analysis/verb_search.c \
	analysis/verb_status.c \
	analysis/verb_store.c \
	analysis/verb_trace.c \
	analysis/verb_watch.c
nodist_smtptrail_SOURCES = analysis/verbs.inc
ANALYSIS_LIBS = $(CSV_LIBS) $(SQLITE_LIBS) $(PCRE2_LIBS) $(ZLIB_LIBS) $(BZIP2_LIBS) $(LZMA_LIBS) $(ZSTD_LIBS) -lm
smtptrail_LDADD = libanalysis.a $(AUTH_LIBS) $(COMMON_LIBS) $(ANALYSIS_LIBS)

# All but the verbs, for the tests too.
noinst_LIBRARIES += libanalysis.a
libanalysis_a_SOURCES = \
	analysis/address_list.c analysis/address_list.h \
	analysis/advice.c analysis/advice.h analysis/advice.def \
	analysis/again.c analysis/again.h \
	analysis/newest.c analysis/newest.h \
	analysis/ask.c analysis/ask.h \
	analysis/audit.c analysis/audit.h analysis/audit_limits.def \
	analysis/audit_dkim.c \
	analysis/audit_dmarc.c \
	analysis/audit_login.c \
	analysis/audit_sessions.c \
	analysis/audit_spf.c \
	analysis/auth_report.c analysis/auth_report.h \
	analysis/background.c analysis/background.h \
	analysis/columns.c analysis/columns.h \
	analysis/config.c analysis/config.h \
	analysis/correlate.c analysis/correlate.h analysis/correlate_internal.h analysis/totals.def \
	analysis/correlate_check.c analysis/correlate_delivery.c analysis/correlate_facts.c analysis/correlate_files.c analysis/correlate_files.h \
	analysis/correlate_gap.c analysis/correlate_join.c analysis/correlate_links.c analysis/correlate_way.c analysis/correlate_merge.c analysis/correlate_merge.h \
	analysis/correlate_login.c analysis/correlate_message.c analysis/correlate_outgoing.c analysis/correlate_received.c analysis/correlate_queue.c analysis/correlate_record.c \
	analysis/correlate_open.c analysis/correlate_part.c analysis/correlate_recipient.c analysis/correlate_refusal.c analysis/correlate_rest.c analysis/correlate_screen.c analysis/correlate_transcript.c \
	analysis/correlate_session.c analysis/correlate_store.c \
	analysis/database.c analysis/database.h \
	analysis/csv_record.c analysis/csv_record.h \
	analysis/decompress.c analysis/decompress.h \
	analysis/event.c analysis/event.h analysis/event_names.def \
	analysis/event_batch.c analysis/event_batch.h \
	analysis/doctor.c analysis/doctor.h analysis/doctor_config.c analysis/doctor_mta.c analysis/doctor_redis.c analysis/doctor_sendmail.c analysis/doctor_store.c \
	analysis/explain.c analysis/explain.h analysis/explain_row.c analysis/explain_row.h \
	analysis/export.c analysis/export.h analysis/export_ndjson.c \
	analysis/export_target.c analysis/export_target.h \
	analysis/facts.c analysis/facts.h analysis/transaction.def analysis/join_keys.def \
	analysis/follow.c analysis/follow.h \
	analysis/forget_redis.c analysis/forget_redis.h \
	analysis/format.c analysis/format.h \
	analysis/format_barracuda.c analysis/barracuda_codes.def \
	analysis/format_cisco_cef.c \
	analysis/format_cisco_esa.c analysis/cisco_esa.def \
	analysis/format_dovecot.c analysis/dovecot.def \
	analysis/format_exchange_ims.c \
	analysis/format_exchange_smtp.c \
	analysis/format_exchange_tracking.c \
	analysis/format_exim.c analysis/exim.def \
	analysis/format_filters.c analysis/filters.def \
	analysis/format_fortimail.c analysis/fortimail_codes.def \
	analysis/format_google.c \
	analysis/format_icewarp.c \
	analysis/format_iis.c \
	analysis/format_microsoft_trace.c \
	analysis/format_mimecast.c \
	analysis/format_postfix.c analysis/postfix.def \
	analysis/format_proofpoint.c \
	analysis/format_sendmail.c analysis/sendmail.def \
	analysis/postfix_fast.c analysis/postfix_fast.h \
	analysis/message_scan.h \
	analysis/frame.c analysis/frame.h analysis/frame_journald.c \
	analysis/hosts.c analysis/hosts.h \
	analysis/ingest.c analysis/ingest.h \
	analysis/ingest_logs.c analysis/ingest_logs.h \
	analysis/ingest_places.c analysis/ingest_places.h \
	analysis/ingest_queue.c analysis/ingest_queue.h \
	analysis/ingest_redis.c analysis/ingest_redis.h \
	analysis/input.c analysis/input.h \
	analysis/input_file.c analysis/input_file.h \
	analysis/input_journald.c analysis/input_journald.h \
	analysis/input_json.c analysis/input_json.h \
	analysis/input_queue.c analysis/input_queue.h \
	analysis/input_redis.c analysis/input_redis.h \
	analysis/key_graph.c analysis/key_graph.h \
	analysis/key_set.c analysis/key_set.h analysis/stop.c analysis/stop.h \
	analysis/json_line.c analysis/json_line.h \
	analysis/json_scan.c analysis/json_scan.h \
	analysis/line.c analysis/line.h \
	analysis/log_pipeline.c analysis/log_pipeline.h \
	analysis/line_shapes.c analysis/line_shapes.h \
	analysis/log_table.c analysis/log_table.h \
	analysis/log_reader.c analysis/log_reader.h \
	analysis/match.c analysis/match.h \
	analysis/message_file.c analysis/message_file.h \
	analysis/open_table.c analysis/open_table.h \
	analysis/origin.c analysis/origin.h \
	analysis/output.c analysis/output.h analysis/output_csv.c analysis/output_html.c analysis/output_json.c analysis/output_text.c \
	analysis/page.c analysis/page.h analysis/page_internal.h analysis/page_json.c analysis/page_svg.c analysis/page_transactions.c \
	analysis/own_lines.c analysis/own_lines.h \
	analysis/pairs.c analysis/pairs.h \
	analysis/pool.c analysis/pool.h \
	analysis/query.c analysis/query_about.c analysis/query_number.c analysis/query.h analysis/query_internal.h analysis/query_fields.def \
	analysis/query_field.c analysis/query_match.c analysis/query_sql.c analysis/query_sql.h analysis/query_words.c analysis/query_words.def \
	analysis/reason.c analysis/reason.h analysis/reasons.def \
	analysis/remote_id.c analysis/remote_id.h \
	analysis/reply.c analysis/stage_replies.def analysis/reply.h analysis/status_codes.def \
	analysis/report.c analysis/report.h \
	analysis/report_accounts.c \
	analysis/report_authentication.c \
	analysis/report_bounces.c \
	analysis/report_checks.c \
	analysis/report_clients.c \
	analysis/report_delays.c \
	analysis/report_destinations.c \
	analysis/report_domains.c \
	analysis/report_logins.c \
	analysis/report_milter.c \
	analysis/report_queue.c \
	analysis/report_recipients.c \
	analysis/report_rejects.c \
	analysis/report_relays.c \
	analysis/report_senders.c \
	analysis/report_summary.c \
	analysis/report_tls.c \
	analysis/report_traffic.c \
	analysis/report_unknown.c \
	analysis/report_warnings.c \
	analysis/rows.c analysis/rows.h analysis/rows_store.c \
	analysis/room.h analysis/scan.h \
	analysis/search.c analysis/search.h \
	analysis/sequence.c analysis/sequence.h \
	analysis/shapes.c analysis/shapes.h \
	analysis/shell_word.c analysis/shell_word.h \
	analysis/show.c analysis/show.h analysis/show_json.c \
	analysis/show_event.c analysis/show_event.h \
	analysis/show_facts.c analysis/show_facts.h \
	analysis/source.c analysis/source.h \
	analysis/smtp_line.c analysis/smtp_line.h \
	analysis/stamp.c analysis/stamp.h analysis/stamp_pattern.c \
	analysis/store.c analysis/store.h \
	analysis/store_check.c analysis/store_check.h \
	analysis/store_days.c analysis/store_days.h \
	analysis/store_dictionary.c analysis/store_dictionary.h \
	analysis/store_evidence.c analysis/store_evidence.h \
	analysis/store_forget.c analysis/store_forget.h \
	analysis/store_counting.c analysis/store_counting.h \
	analysis/store_image.c analysis/store_image.h \
	analysis/store_image_file.c analysis/store_image_file.h \
	analysis/store_moving.c analysis/store_moving.h \
	analysis/store_rests.c analysis/store_rests.h analysis/store_join.c analysis/store_join.h \
	analysis/follow_state.c analysis/follow_state.h analysis/store_follow.c analysis/store_follow.h \
	analysis/store_read.c analysis/store_read.h \
	analysis/store_rollup.c analysis/store_rollup.h \
	analysis/store_rows.c analysis/store_rows.h \
	analysis/store_schema.c analysis/store_schema.h analysis/store_columns.def \
	analysis/sorted_texts.c analysis/sorted_texts.h analysis/store_texts.c analysis/store_texts.h \
	analysis/story.c analysis/story.h analysis/story_files.c analysis/story_store.c \
	analysis/story_json.c analysis/story_show.h analysis/story_text.c \
	analysis/story_moments.c analysis/story_moments.h \
	analysis/story_raw.c analysis/story_raw.h \
	analysis/stream_id.c analysis/stream_id.h \
	analysis/stream_position.c analysis/stream_position.h \
	analysis/table.c analysis/table.h \
	analysis/spread.c analysis/spread.h \
	analysis/tally.c analysis/tally.h \
	analysis/template.c analysis/template.h \
	analysis/template_tail.c analysis/template_tail.h \
	analysis/transaction.c analysis/transaction.h analysis/fates.def \
	analysis/transaction_copy.c analysis/transaction_copy.h \
	analysis/watch_filter.c analysis/watch_filter.h \
	analysis/watch_query.c analysis/watch_query.h \
	analysis/when.c analysis/when.h \
	analysis/worker.c analysis/worker.h
nodist_libanalysis_a_SOURCES = analysis/audits.inc analysis/formats.inc analysis/reports.inc \
	analysis/page_css.inc analysis/page_js.inc
libanalysis_a_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS) $(JANSSON_CFLAGS) $(ZLIB_CFLAGS) $(LZMA_CFLAGS) $(ZSTD_CFLAGS) \
	$(SQLITE_CFLAGS) $(SYSTEMD_CFLAGS)

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

# And the table of reports: report_NAME.c.
BUILT_SOURCES += analysis/reports.inc
CLEANFILES += analysis/reports.inc
analysis/reports.inc: Makefile
	$(AM_V_GEN)$(MKDIR_P) analysis && for file in $(libanalysis_a_SOURCES); do echo "$$file"; done | \
		$(SED) -n 's,^.*/report_\([a-z_]*\)\.c$$,REPORT(\1),p' > $@.tmp && mv $@.tmp $@

# What the HTML page is made with: files that a person can read, as strings.
BUILT_SOURCES += analysis/page_css.inc analysis/page_js.inc
CLEANFILES += analysis/page_css.inc analysis/page_js.inc
EXTRA_DIST += analysis/page.css analysis/page.js
AS_STRING = $(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/'
analysis/page_css.inc: $(srcdir)/analysis/page.css
	$(AM_V_GEN)$(MKDIR_P) analysis && $(AS_STRING) $(srcdir)/analysis/page.css > $@.tmp && mv $@.tmp $@
analysis/page_js.inc: $(srcdir)/analysis/page.js
	$(AM_V_GEN)$(MKDIR_P) analysis && $(AS_STRING) $(srcdir)/analysis/page.js > $@.tmp && mv $@.tmp $@
analysis/libanalysis_a-output_html.$(OBJEXT): analysis/page_css.inc analysis/page_js.inc

# And the table of audits: audit_NAME.c.
BUILT_SOURCES += analysis/audits.inc
CLEANFILES += analysis/audits.inc
analysis/audits.inc: Makefile
	$(AM_V_GEN)$(MKDIR_P) analysis && for file in $(libanalysis_a_SOURCES); do echo "$$file"; done | \
		$(SED) -n 's,^.*/audit_\([a-z_]*\)\.c$$,AUDIT(\1),p' > $@.tmp && mv $@.tmp $@

analysis/libanalysis_a-audit.$(OBJEXT): analysis/audits.inc
analysis/libanalysis_a-format.$(OBJEXT): analysis/formats.inc
analysis/libanalysis_a-report.$(OBJEXT): analysis/reports.inc
analysis/main.$(OBJEXT): analysis/verbs.inc

EXTRA_DIST += analysis/README.md
