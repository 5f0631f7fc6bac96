# milter/local.mk - smtptrail-milter: the daemon at the MTA's side.
sbin_PROGRAMS += smtptrail-milter

smtptrail_milter_SOURCES = milter/main.c
smtptrail_milter_LDADD = $(COMMON_LIBS) $(MILTER_LIBS)

EXTRA_DIST += milter/README.md
