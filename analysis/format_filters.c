/* format_filters.c - what looks at mail beside Postfix: opendkim, opendmarc, policyd-spf, postgrey, amavis, rspamd, spamd. */
#include <errno.h>

#include "analysis/format.h"
#include "analysis/template.h"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/filters.def"
#undef ROW
};

static struct template_set *set;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	return set ? 0 : -ENOMEM;
}

/* "postfix/policyd-spf" and "/usr/bin/amavisd" are known by their last part. */
static struct text program_of(struct text process)
{
	const char *slash = memrchr(process.start, '/', process.length);

	if (slash)
		process = (struct text){ slash + 1, (size_t)(process.start + process.length - slash - 1) };
	if (text_is(process, "amavisd") || text_is(process, "amavisd-new"))
		return TEXT_LITERAL("amavis");
	if (text_is(process, "python-policyd-spf") || text_is(process, "policy-spf"))
		return TEXT_LITERAL("policyd-spf");
	return process;
}

static int program(struct text process)
{
	return template_group(set, program_of(process));
}

static enum format_result read_filters(struct event *event)
{
	if (event->program < 0)
		return FORMAT_NOT_MINE;
	return template_read(set, event->program, event) ? FORMAT_MATCHED : FORMAT_MALFORMED;
}

const struct format format_filters = {
	.name = "filters",
	.summary = "opendkim, opendmarc, policyd-spf, postgrey, amavis, rspamd, spamd",
	.page = {
		.where = "the mail log, beside the MTA's lines",
		.get = "as it lies",
		.joins = "queue identifier, where the program tells it; Message-ID",
		.tells = "results of SPF, DKIM and DMARC, greylisting, verdicts and scores",
		.lacks = "anything of mail that the program does not name",
	},
	.prepare = prepare,
	.program = program,
	.read = read_filters,
};
