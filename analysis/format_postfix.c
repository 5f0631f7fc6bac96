/* format_postfix.c - Postfix, every daemon: which rows of postfix.def a line is held against. */
#include <errno.h>

#include "analysis/format.h"
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

static enum format_result read_postfix(struct event *event)
{
	struct text process = event->frame.process;
	struct text daemon;
	int group = template_group_any(set);

	if (process.length) {
		daemon = daemon_of(process);
		if (daemon.start == process.start && !is_postfix(process))
			return FORMAT_NOT_MINE;
		group = template_group(set, daemon);
		if (group < 0 && !is_postfix(process))
			return FORMAT_NOT_MINE;
		if (group < 0)
			group = template_group_any(set);
	}
	return template_read(set, group, event) ? FORMAT_MATCHED : FORMAT_MALFORMED;
}

const struct format format_postfix = {
	.name = "postfix",
	.summary = "Postfix 2.3 to 3.10, every daemon",
	.prepare = prepare,
	.read = read_postfix,
};
