# common/local.mk - the ground floor, linked by both programs and the tests.
noinst_LIBRARIES += libcommon.a

libcommon_a_SOURCES = \
	common/address.c common/address.h \
	common/behind.h common/clock.h \
	common/conf.c common/conf.h common/conf_print.c common/conf_value.c common/conf_value.h \
	common/escape.c common/escape.h \
	common/crc32c.c common/crc32c.h \
	common/journal.c common/journal.h common/journal_internal.h \
	common/journal_identity.c common/journal_identity.h \
	common/journal_keep.c common/journal_open.c common/journal_read.c common/journal_mend.c common/journal_mask.c common/journal_mask.h common/journal_scan.c common/journal_guard.c \
	common/journal_segment.c common/journal_segment.h \
	common/log.c common/log.h \
	common/near.c common/near.h \
	common/person.c common/person.h \
	common/problem.c common/problem.h \
	common/record.c common/record.def common/record.h \
	common/redis_address.c common/redis_address.h \
	common/redis_conf.c common/redis_conf.h \
	common/redis_link.c common/redis_link.h \
	common/redis_route.c common/redis_route.h \
	common/redis_slot.c common/redis_slot.h \
	common/redis_tls.c common/redis_tls.h \
	common/stream.c common/stream.h common/stream_trim.c common/stream_trim.h \
	common/status.c common/status.h \
	common/text.h \
	common/thread.h
libcommon_a_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS) $(CONFUSE_CFLAGS) $(JANSSON_CFLAGS) \
	$(SSL_CFLAGS) $(CRYPTO_CFLAGS) $(SYSTEMD_CFLAGS)

COMMON_LIBS = libcommon.a $(HIREDIS_LIBS) $(CONFUSE_LIBS) $(JANSSON_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS) $(SYSTEMD_LIBS)

EXTRA_DIST += common/README.md
