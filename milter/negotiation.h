/*
 * negotiation.h - what is asked of the MTA: the replies that are left out, and the lists of macros.
 *
 * Here, and not in callbacks.c, so that the empty milter of the benches asks for the same.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_MILTER_NEGOTIATION_H
#define SMTPTRAIL_MILTER_NEGOTIATION_H

#include <libmilter/mfapi.h>

/* What is asked for with each latency, and with latency = lowest beside it. */
#define NEGOTIATION_ALWAYS (SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)
#define NEGOTIATION_LOWEST (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN)

/* A list replaces the MTA's default of its stage; that of end-of-headers comes with every header. Not "i" at HELO:
 * Postfix tells that of the message which HELO ends, and it would linger to the next MAIL. */
static inline void negotiation_ask_macros(SMFICTX *context)
{
	static const struct { int stage; const char *names; } lists[] = {
		{ SMFIM_CONNECT, "i j {daemon_name} {daemon_addr} {daemon_port} v _ {client_addr} {client_name} {client_port}"
				 " {client_ptr} {client_resolve} {client_connections} {if_name} {if_addr}" },
		{ SMFIM_HELO, "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {cn_subject} {cn_issuer} {verify}" },
		{ SMFIM_ENVFROM, "i r {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}" },
		{ SMFIM_ENVRCPT, "i {rcpt_addr} {rcpt_host} {rcpt_mailer} {nbadrcpts}" },
		{ SMFIM_DATA, "i {nrcpts} {nbadrcpts}" },
		{ SMFIM_EOH, "i" },
		{ SMFIM_EOM, "i {msg_id}" },
	};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		(void)smfi_setsymlist(context, lists[i].stage, (char *)(size_t)lists[i].names);
}

#endif
