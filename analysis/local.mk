# analysis/local.mk - smtptrail: one verb a file.
bin_PROGRAMS += smtptrail

smtptrail_SOURCES = analysis/main.c analysis/verb.h \
	analysis/config.c analysis/config.h \
	analysis/verb_fields.c
nodist_smtptrail_SOURCES = analysis/verbs.inc
smtptrail_LDADD = $(COMMON_LIBS)

# The table of verbs is made from the list above: a new verb is its file and its name there.
BUILT_SOURCES += analysis/verbs.inc
CLEANFILES += analysis/verbs.inc
analysis/verbs.inc: Makefile
	$(AM_V_GEN)$(MKDIR_P) analysis && for file in $(smtptrail_SOURCES); do echo "$$file"; done | \
		$(SED) -n 's,^.*/verb_\([a-z_]*\)\.c$$,VERB(\1),p' > $@.tmp && mv $@.tmp $@

analysis/main.$(OBJEXT): analysis/verbs.inc

EXTRA_DIST += analysis/README.md
