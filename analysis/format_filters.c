/* format_filters.c - what looks at mail beside Postfix: opendkim, opendmarc, policyd-spf, postgrey, amavis, rspamd, spamd. */
#include <errno.h>
#include <string.h>

#include "analysis/format.h"
#include "analysis/message_scan.h"
#include "analysis/template.h"

static const struct template_row rows[] = {
#define ROW(kind, programs, pattern) { kind, programs, pattern },
#include "analysis/filters.def"
#undef ROW
};

static struct template_set *set;
/* Those whose commonest lines are taken apart by hand. */
static int opendkim, opendmarc, amavis;
static const char *external_kind;

static int prepare(void)
{
	if (!set)
		set = template_set_new(rows, sizeof rows / sizeof rows[0]);
	if (!set)
		return -ENOMEM;
	opendkim = template_group(set, TEXT_LITERAL("opendkim"));
	opendmarc = template_group(set, TEXT_LITERAL("opendmarc"));
	amavis = template_group(set, TEXT_LITERAL("amavis"));
	external_kind = event_kind_intern("dkim_external");
	return 0;
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

/* ---- by hand: a seventh of a log, each exactly as its row gives it; any other is the table's ---- */

static bool read_opendkim(struct scan *scan)
{
	if (TAKE(scan, "DKIM verification "))
		return scan_keep_to(scan, EVENT_NAME(RESULT), scan->end) && IS_KIND(scan, DKIM_VERIFIED);
	if (TAKE(scan, "DKIM-Signature field added (s="))
		return KEEP(scan, WORD, SELECTOR) && TAKE(scan, ", d=") && KEEP(scan, WORD, DOMAIN) && TAKE(scan, ")") &&
		       scan_is_at_end(scan) && IS_KIND(scan, DKIM_SIGNED);
	/* A bracket begins a name of another row. */
	return !TAKE(scan, "[") && KEEP(scan, TOKEN, CLIENT_NAME) && TAKE(scan, " [") && KEEP(scan, IP, CLIENT_ADDR) &&
	       TAKE(scan, "] not internal") && scan_is_at_end(scan) && scan_is_kind(scan, external_kind);
}

static bool read_opendmarc(struct scan *scan)
{
	return !TAKE(scan, "SPF(") && KEEP(scan, TOKEN, FROM_DOMAIN) && TAKE(scan, " ") && KEEP(scan, TOKEN, RESULT) &&
	       scan_is_at_end(scan) && IS_KIND(scan, DMARC);
}

/* "{RelayedInbound},": one action. */
static bool keep_action(struct scan *scan)
{
	const char *start = scan->at, *end = scan_value_end(scan, SCAN_WORD);

	scan->at = end;
	if (end - start < 2 || end[-1] != '}')
		return false;
	scan_keep_text(scan, "actions", start, end - 1);
	return TAKE(scan, ",");
}

/* To its bracket, which may be its first byte. With a blank in it, it may be the place of a policy's name. */
SCAN_INLINE bool keep_bare_address(struct scan *scan, const char *name)
{
	const char *close = scan_value_end(scan, SCAN_BARE_ADDRESS);

	scan_keep_text(scan, name, scan->at, close);
	scan->at = close;
	return TAKE(scan, ">");
}

/* Behind the recipient of a mail that passed. */
static bool read_amavis_parts(struct scan *scan)
{
	return TAKE(scan, ", Queue-ID: ") && KEEP(scan, WORD, QUEUE_ID) &&
	       TAKE(scan, ", Message-ID: <") && keep_bare_address(scan, EVENT_NAME(MESSAGE_ID)) &&
	       TAKE(scan, ", mail_id: ") && scan_keep(scan, SCAN_WORD, "mail_id") &&
	       TAKE(scan, ", Hits: ") && KEEP(scan, WORD, SCORE) && TAKE(scan, ", size: ") && KEEP(scan, NUMBER, SIZE) &&
	       TAKE(scan, ", queued_as: ") && KEEP(scan, WORD, QUEUED_AS) &&
	       TAKE(scan, ", ") && scan_keep(scan, SCAN_NUMBER, "milliseconds") && TAKE(scan, " ms") && scan_is_at_end(scan) &&
	       IS_KIND(scan, SCANNED);
}

/* Mail for one recipient that passed, and is known by all it has. */
static bool read_amavis(struct scan *scan)
{
	const char *outcome;

	if (!TAKE(scan, "(") || !scan_keep(scan, SCAN_WORD, "amavis_id") || !TAKE(scan, ") "))
		return false;
	outcome = scan->at;
	if (!TAKE(scan, "Passed "))
		return false;
	scan_keep_text(scan, EVENT_NAME(OUTCOME), outcome, scan->at - 1);
	return scan_keep(scan, SCAN_TOKEN, "category") && TAKE(scan, " {") && keep_action(scan) &&
	       TAKE(scan, " [") && KEEP(scan, IP, CLIENT_ADDR) && TAKE(scan, "]:") && KEEP(scan, NUMBER, CLIENT_PORT) &&
	       TAKE(scan, " [") && scan_keep(scan, SCAN_IP, "origin_addr") && TAKE(scan, "] <") &&
	       keep_bare_address(scan, EVENT_NAME(FROM)) && TAKE(scan, " -> <") && keep_bare_address(scan, EVENT_NAME(TO)) &&
	       read_amavis_parts(scan);
}

/* Behind the queue identifier that its lines begin with. */
static bool read_milter(struct scan *scan, bool is_dkim)
{
	size_t id = scan_id_length(scan);

	if (!id)
		return false;
	scan_take_id(scan, id);
	return is_dkim ? read_opendkim(scan) : read_opendmarc(scan);
}

/* False: left to the table, with no field added. */
static __attribute__((flatten)) bool read_by_hand(struct event *event)
{
	struct text message = event->frame.message;
	struct scan scan = { message.start, message.start + message.length, event->fields, event };
	bool is_dkim = event->program == opendkim, is_amavis = event->program == amavis;

	if ((!is_dkim && !is_amavis && event->program != opendmarc) || message.length < SCAN_VECTOR || scan.end[-1] == ' ')
		return false;
	if (!(is_amavis ? read_amavis(&scan) : read_milter(&scan, is_dkim)))
		return false;
	scan_settle(&scan);
	return true;
}

/* amavis writes names of banned files as their sender chose them: where the list of them may end in several places, it may be
 * that none of what follows is true. */
static bool is_forgeable(const struct event *event)
{
	static const char end[] = ") {";
	struct text message = event->frame.message;
	const char *first = event->program == amavis && message.length ? memmem(message.start, message.length, end, strlen(end)) : NULL;

	return first && memmem(first + 1, (size_t)(message.start + message.length - first - 1), end, strlen(end));
}

static enum format_result read_filters(struct event *event)
{
	if (event->program < 0)
		return FORMAT_NOT_MINE;
	if (!format_only_tables && read_by_hand(event))
		return FORMAT_MATCHED;
	return !is_forgeable(event) && template_read(set, event->program, event) ? FORMAT_MATCHED : FORMAT_MALFORMED;
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
