# milter/local.mk - smtptrail-milter: the daemon at the MTA's side.
sbin_PROGRAMS += smtptrail-milter

smtptrail_milter_SOURCES = milter/main.c \
	milter/config.c milter/config.h
smtptrail_milter_LDADD = $(COMMON_LIBS) $(MILTER_LIBS)

EXTRA_DIST += milter/README.md
