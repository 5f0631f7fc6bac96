# milter/local.mk - smtptrail-milter: the daemon at the MTA's side.
sbin_PROGRAMS += smtptrail-milter

# All but main.c, so that tests can link it.
noinst_LIBRARIES += libdaemon.a
libdaemon_a_SOURCES = \
	milter/arena.c milter/arena.h \
	milter/auth_check.c milter/auth_job.h milter/auth_jobs.c milter/auth_jobs.h \
	milter/config.c milter/config.h \
	milter/keeper.c milter/keeper.h \
	milter/killed.c milter/killed.h \
	milter/losses.c milter/losses.h \
	milter/macros.c milter/macros.h \
	milter/message.c milter/message.h \
	milter/mime.c milter/mime.h \
	milter/mime_field.c milter/mime_field.h \
	milter/network.c milter/network.h \
	milter/shipper.c milter/shipper.h milter/trimmer.c milter/trimmer.h \
	milter/recorder.c milter/recorder.h \
	milter/partitions.c milter/partitions.h \
	milter/session.c milter/session.h \
	milter/socket.c milter/socket.h
libdaemon_a_CFLAGS = $(libcommon_a_CFLAGS)

smtptrail_milter_SOURCES = milter/main.c \
	milter/callbacks.c milter/callbacks.h milter/negotiation.h \
	milter/check.c milter/check.h milter/check_dns.c milter/check_redis.c \
	milter/housekeeping.c milter/housekeeping.h \
	milter/privileges.c milter/privileges.h
smtptrail_milter_CFLAGS = $(libcommon_a_CFLAGS)
smtptrail_milter_LDADD = libdaemon.a $(AUTH_LIBS) $(COMMON_LIBS) $(MILTER_LIBS)

EXTRA_DIST += milter/README.md
