/*
 * null_milter.c - the empty libmilter program that the benches measure smtptrail-milter against.
 *
 * It negotiates what smtptrail-milter negotiates (latency = live): the same flags, the same macro
 * lists (milter/negotiation.h), the same callbacks, and does nothing in them. What is left is libmilter's own cost.
 *
 * null_milter SOCKET [MICROSECONDS EACH]: SOCKET as libmilter writes it, unix:/path or inet:port@host. With MICROSECONDS
 * one end of message among EACH waits so long, as in a milter that asks a server there which sometimes is slow.
 */
#include <libmilter/mfapi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "milter/negotiation.h"

#define MAX_PACKET (1024 * 1024)
#define BACKLOG 1024

static sfsistat negotiate(SMFICTX *context, unsigned long actions, unsigned long steps, unsigned long unused2,
			  unsigned long unused3, unsigned long *ret_actions, unsigned long *ret_steps,
			  unsigned long *ret_unused2, unsigned long *ret_unused3)
{
	(void)actions, (void)unused2, (void)unused3;
	negotiation_ask_macros(context);
	*ret_actions = 0;
	*ret_steps = steps & NEGOTIATION_ALWAYS;
	*ret_unused2 = *ret_unused3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat take_connect(SMFICTX *context, char *name, _SOCK_ADDR *address)
{
	(void)context, (void)name, (void)address;
	return SMFIS_CONTINUE;
}

static sfsistat take_word(SMFICTX *context, char *word)
{
	(void)context, (void)word;
	return SMFIS_CONTINUE;
}

static sfsistat take_command(SMFICTX *context, const char *command)
{
	(void)context, (void)command;
	return SMFIS_CONTINUE;
}

static sfsistat take_words(SMFICTX *context, char **words)
{
	(void)context, (void)words;
	return SMFIS_CONTINUE;
}

static sfsistat take_step(SMFICTX *context)
{
	(void)context;
	return SMFIS_CONTINUE;
}

static long wait_us, wait_each = 1;
static atomic_ulong messages;

static sfsistat take_end_of_message(SMFICTX *context)
{
	const struct timespec wait = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };

	(void)context;
	if (wait_us > 0 && atomic_fetch_add(&messages, 1) % (unsigned long)wait_each == 0)
		(void)nanosleep(&wait, NULL);
	return SMFIS_CONTINUE;
}

static sfsistat take_header(SMFICTX *context, char *name, char *value)
{
	(void)context, (void)name, (void)value;
	return SMFIS_NOREPLY;
}

static sfsistat take_end_of_headers(SMFICTX *context)
{
	(void)context;
	return SMFIS_NOREPLY;
}

static sfsistat take_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
	(void)context, (void)bytes, (void)length;
	return SMFIS_NOREPLY;
}

int main(int argc, char **argv)
{
	struct smfiDesc description = {
		.xxfi_name = (char[]){ "null_milter" },
		.xxfi_version = SMFI_VERSION,
		.xxfi_connect = take_connect,
		.xxfi_helo = take_word,
		.xxfi_envfrom = take_words,
		.xxfi_envrcpt = take_words,
		.xxfi_header = take_header,
		.xxfi_eoh = take_end_of_headers,
		.xxfi_body = take_body,
		.xxfi_eom = take_end_of_message,
		.xxfi_abort = take_step,
		.xxfi_close = take_step,
		.xxfi_unknown = take_command,
		.xxfi_data = take_step,
		.xxfi_negotiate = negotiate,
	};
	struct rlimit files;

	if (argc == 4) {
		wait_us = strtol(argv[2], NULL, 10);
		wait_each = strtol(argv[3], NULL, 10);
	}
	if ((argc != 2 && argc != 4) || wait_us < 0 || wait_each < 1) {
		fprintf(stderr, "usage: null_milter SOCKET [MICROSECONDS EACH]\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)smfi_setmaxdatasize(MAX_PACKET);
	if (smfi_register(description) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS) {
		fprintf(stderr, "null_milter: cannot listen on '%s'\n", argv[1]);
		return 1;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
