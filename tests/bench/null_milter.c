/*
 * null_milter.c - an empty milter with the negotiation of smtptrail-milter: what any milter costs.
 *
 * "null_milter SOCKET" (unix:/path or inet:PORT@HOST) stays in the foreground until SIGTERM.
 * The benchmarks measure against it; the live tests' lab is proven with it.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NULL_MILTER_STEPS (SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)
#define NULL_MILTER_PACKET_MAX (1024 * 1024)

static char connect_macros[] = "j {daemon_name} {daemon_addr} {daemon_port} v _ {client_addr} {client_name} "
	"{client_port} {client_ptr} {client_resolve} {client_connections} {if_name} {if_addr}";
static char helo_macros[] = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify}";
static char mail_macros[] = "i {auth_type} {auth_authen} {auth_author} {auth_ssf} {mail_addr} {mail_host} {mail_mailer}";
static char rcpt_macros[] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}";
static char data_macros[] = "i";
static char end_of_headers_macros[] = "i";
static char end_of_message_macros[] = "i {msg_id}";

/* Whether this MTA lets us leave out the answers to header, end of headers and body. */
static sfsistat answer_of(SMFICTX *context)
{
	return smfi_getpriv(context) ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
			     unsigned long unused_1, unsigned long unused_2,
			     unsigned long *ret_actions, unsigned long *ret_steps,
			     unsigned long *ret_unused_1, unsigned long *ret_unused_2)
{
	(void)actions, (void)unused_1, (void)unused_2;
	const struct { int stage; char *names; } macros[] = {
		{ SMFIM_CONNECT, connect_macros }, { SMFIM_HELO, helo_macros },
		{ SMFIM_ENVFROM, mail_macros }, { SMFIM_ENVRCPT, rcpt_macros },
		{ SMFIM_DATA, data_macros }, { SMFIM_EOH, end_of_headers_macros },
		{ SMFIM_EOM, end_of_message_macros },
	};

	*ret_actions = 0;
	*ret_steps = steps & NULL_MILTER_STEPS;
	*ret_unused_1 = 0;
	*ret_unused_2 = 0;
	if ((*ret_steps & (SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)) == (SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY))
		smfi_setpriv(context, connect_macros);
	else
		*ret_steps &= SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC;
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
		smfi_setsymlist(context, macros[i].stage, macros[i].names);
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *context, char *name, _SOCK_ADDR *address)
{
	(void)context, (void)name, (void)address;
	return SMFIS_CONTINUE;
}

static sfsistat on_text(SMFICTX *context, char *text)
{
	(void)context, (void)text;
	return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *context, const char *command)
{
	(void)context, (void)command;
	return SMFIS_CONTINUE;
}

static sfsistat on_words(SMFICTX *context, char **words)
{
	(void)context, (void)words;
	return SMFIS_CONTINUE;
}

static sfsistat on_event(SMFICTX *context)
{
	(void)context;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
	(void)name, (void)value;
	return answer_of(context);
}

static sfsistat on_end_of_headers(SMFICTX *context)
{
	return answer_of(context);
}

static sfsistat on_body(SMFICTX *context, unsigned char *chunk, size_t size)
{
	(void)chunk, (void)size;
	return answer_of(context);
}

static sfsistat on_close(SMFICTX *context)
{
	smfi_setpriv(context, NULL);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	char name[] = "null_milter";
	struct smfiDesc callbacks = {
		.xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = 0,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_text,
		.xxfi_envfrom = on_words,
		.xxfi_envrcpt = on_words,
		.xxfi_header = on_header,
		.xxfi_eoh = on_end_of_headers,
		.xxfi_body = on_body,
		.xxfi_eom = on_event,
		.xxfi_abort = on_event,
		.xxfi_close = on_close,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_event,
		.xxfi_negotiate = on_negotiate,
	};

	if (argc != 2) {
		fprintf(stderr, "usage: null_milter SOCKET\n");
		return 2;
	}
	umask(0);	/* the MTA runs as another user */
	smfi_setmaxdatasize(NULL_MILTER_PACKET_MAX);
	if (smfi_register(callbacks) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_opensocket(true) != MI_SUCCESS) {
		fprintf(stderr, "null_milter: cannot listen on '%s'\n", argv[1]);
		return 1;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
