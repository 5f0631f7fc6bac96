/* format_postfix.c - Postfix, every daemon: which rows of postfix.def a line is held against. */
#include <errno.h>

#include "analysis/format.h"
#include "analysis/postfix_fast.h"
#include "analysis/template.h"

/* What many rows have in them. */
#define CLIENT "{client_name:host}[{client_addr:ip}]{?:{client_port:number}?}"
#define SERVER "{server_name:host}[{server_addr:ip}]{?:{server_port:number}?}"
#define SERVER_ANY "{server_name:host}{?[{server_addr:ip}]?}{?:{server_port:number}?}"
#define SCREENED "[{client_addr:ip}]:{client_port:number}"
#define DELIVERED "relay={relay_name:host}{?[{relay_addr:ip}]?}{?:{relay_port:number}?}" \
	"{?, conn_use={connection_use:number}?}, delay={delay:decimal}" \
	"{?, delays={delay_before:decimal}/{delay_queue:decimal}/{delay_connection:decimal}/{delay_transfer:decimal}?}" \
	"{?, tls={tls_level:word}?}{?, dsn={dsn:word}?}, status={status:word} ({reply:tail}"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/postfix.def"
#undef ROW
};

static struct template_set *set;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	return set ? 0 : -ENOMEM;
}

/* "postfix-out/submission/smtpd": the daemon is the last part. */
static struct text daemon_of(struct text process)
{
	const char *slash = memrchr(process.start, '/', process.length);

	if (!slash)
		return process;
	return (struct text){ slash + 1, (size_t)(process.start + process.length - slash - 1) };
}

static bool is_postfix(struct text process)
{
	return process.length >= 7 && memcmp(process.start, "postfix", 7) == 0;
}

/* The rows and the daemon of a process, in one number. */
enum { DAEMON_SHIFT = 8, GROUP_MASK = 0xff };

static int program(struct text process)
{
	struct text daemon = daemon_of(process);
	bool is_ours = is_postfix(process);
	int group;

	if (daemon.start == process.start && !is_ours)
		return -1;
	group = template_group(set, daemon);
	if (group < 0 && !is_ours)
		return -1;
	/* A daemon that has no rows of its own may be any. */
	if (group < 0)
		return template_group_any(set) | POSTFIX_OTHER << DAEMON_SHIFT;
	return group | (int)postfix_fast_daemon(daemon) << DAEMON_SHIFT;
}

static enum format_result read_postfix(struct event *event)
{
	bool has_process = event->frame.process.length;

	if (has_process && event->program < 0)
		return FORMAT_NOT_MINE;
	if (has_process && !format_only_tables && postfix_fast_read((enum postfix_daemon)(event->program >> DAEMON_SHIFT), event))
		return FORMAT_MATCHED;
	return template_read(set, has_process ? event->program & GROUP_MASK : template_group_any(set), event) ? FORMAT_MATCHED :
														FORMAT_MALFORMED;
}

const struct format format_postfix = {
	.name = "postfix",
	.summary = "Postfix 2.3 to 3.10, every daemon",
	.page = {
		.where = "/var/log/mail.log, /var/log/maillog or the journal; maillog_file (postlogd) where main.cf names it",
		.get = "as it lies; journalctl -o json or -o export, or --journald; docker logs",
		.joins = "queue identifier; process of smtpd; client address and port (smtpd_client_port_logging); the identifier that the next hop tells",
		.tells = "every session, message, recipient, attempt and refusal with its reply, delays in four parts, milters, checks of headers, postscreen",
		.lacks = "headers and subjects (unless checked), sizes of refused mail, who reads what; short queue identifiers are given again (enable_long_queue_ids)",
	},
	.prepare = prepare,
	.program = program,
	.read = read_postfix,
};
