# common/auth/local.mk - what the milter's workers and check-auth ask; apart from libcommon.a, so that
# who needs no DNS links none.
noinst_LIBRARIES += libauth.a

libauth_a_SOURCES = \
	common/auth/dmarc.c common/auth/dmarc.h \
	common/auth/dkim.c common/auth/dkim.h common/auth/dkim_key.c common/auth/dkim_signature.c \
	common/auth/dns.c common/auth/dns.h common/auth/dns_unbound.c \
	common/auth/dns_cache.c common/auth/dns_cache.h \
	common/auth/domain.c common/auth/domain.h \
	common/auth/findings.c common/auth/findings.h \
	common/auth/spf.c common/auth/spf.h common/auth/spf_macro.c common/auth/spf_macro.h \
	common/auth/spf_syntax.c common/auth/spf_syntax.h common/auth/spf_libspf2.c
libauth_a_CFLAGS = $(AM_CFLAGS) $(PSL_CFLAGS) $(IDN2_CFLAGS) $(CRYPTO_CFLAGS)

AUTH_LIBS = libauth.a $(UNBOUND_LIBS) $(PSL_LIBS) $(IDN2_LIBS) $(SPF2_LIBS) $(OPENDKIM_LIBS)
