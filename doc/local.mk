# doc/local.mk - manual pages and pages generated from tables.
EXTRA_DIST += doc/fields.md

# What is printed from the programs' own tables: stored by "make docs", compared by "make check".
.PHONY: docs
docs: smtptrail$(EXEEXT)
	./smtptrail$(EXEEXT) fields > $(srcdir)/doc/fields.md
