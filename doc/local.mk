# doc/local.mk - manual pages and pages generated from tables.
dist_man_MANS += doc/smtptrail-milter.8 doc/smtptrail-milter.conf.5 doc/smtptrail.1 doc/smtptrail.conf.5 \
	doc/smtptrail-query.7 doc/smtptrail-json.5 doc/smtptrail-formats.5
EXTRA_DIST += doc/README.md doc/performance.md doc/tuning.md doc/durability.md doc/fields.md doc/store.md doc/transactions.md doc/print_verbs doc/smtptrail-query.7.in doc/smtptrail-formats.5.in doc/smtptrail-json.5.in \
	doc/smtptrail.1.in \
	doc/smtptrail-milter.conf.5.in doc/smtptrail.conf.5.in

# Installed, a page names the directories that configure was given.
install-data-hook: install-hook-manuals
.PHONY: install-hook-manuals
install-hook-manuals:
	for page in man8/smtptrail-milter.8 man5/smtptrail-milter.conf.5 man1/smtptrail.1 man5/smtptrail.conf.5; do \
		file=$(DESTDIR)$(mandir)/$$page; \
		$(SED) -e 's|SYSCONFDIR/|$(sysconfdir)/|g' -e 's|PREFIX/share/|$(datadir)/|g' $$file > $$file.new && \
		mv $$file.new $$file || exit 1; \
	done

# The options of each program, printed from its own table.
DOC_PRINTERS = doc/print_milter_docs doc/print_analysis_docs
check_PROGRAMS += $(DOC_PRINTERS)
doc_print_milter_docs_SOURCES = doc/print_docs.c
doc_print_milter_docs_LDADD = libdaemon.a $(AUTH_LIBS) $(COMMON_LIBS)
doc_print_analysis_docs_SOURCES = doc/print_docs.c
doc_print_analysis_docs_LDADD = libanalysis.a $(COMMON_LIBS) $(ANALYSIS_LIBS)

# What is printed from the programs' own tables: stored by "make docs", compared by "make check".
.PHONY: docs
docs: smtptrail$(EXEEXT) $(DOC_PRINTERS)
	./smtptrail$(EXEEXT) fields > $(srcdir)/doc/fields.md
	./smtptrail$(EXEEXT) fields --transaction > $(srcdir)/doc/transactions.md
	doc/print_milter_docs sample > $(srcdir)/conf/smtptrail-milter.conf.sample
	doc/print_analysis_docs sample > $(srcdir)/conf/smtptrail.conf.sample
	doc/print_milter_docs manual < $(srcdir)/doc/smtptrail-milter.conf.5.in > $(srcdir)/doc/smtptrail-milter.conf.5
	doc/print_analysis_docs manual < $(srcdir)/doc/smtptrail.conf.5.in > $(srcdir)/doc/smtptrail.conf.5
	$(srcdir)/doc/print_verbs ./smtptrail$(EXEEXT) < $(srcdir)/doc/smtptrail.1.in > $(srcdir)/doc/smtptrail.1
	$(srcdir)/doc/print_verbs ./smtptrail$(EXEEXT) < $(srcdir)/doc/smtptrail-query.7.in > $(srcdir)/doc/smtptrail-query.7
	$(srcdir)/doc/print_verbs ./smtptrail$(EXEEXT) < $(srcdir)/doc/smtptrail-formats.5.in > $(srcdir)/doc/smtptrail-formats.5
	$(srcdir)/doc/print_verbs ./smtptrail$(EXEEXT) < $(srcdir)/doc/smtptrail-json.5.in > $(srcdir)/doc/smtptrail-json.5
