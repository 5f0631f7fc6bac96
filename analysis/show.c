/* show.c - a record as a person reads it. */
#include "analysis/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum form {
	AS_IS,
	AS_OUTCOME,		/* coloured by its word */
	AS_DURATION,		/* microseconds */
	AS_CLOCK,		/* a time, without its day */
	AS_FLAG,		/* the label alone, where it is yes */
};

struct item {
	enum field field;
	enum form form;
	const char *before, *after;
	const char *unless;	/* a value that is not worth showing; else NULL */
};

struct row {
	enum stage stage;
	enum line_colour colour;	/* of the stage's name; an outcome on the line overrules it */
	const struct item *items;
};

/* clang-format off */
#define ITEMS(...) (const struct item[]){ __VA_ARGS__, { 0, AS_IS, NULL, NULL, NULL } }

/* What a line shows, in this order. An absent field shows nothing of its row. */
static const struct row rows[] = {
	{ STAGE_START, LINE_DIM, ITEMS(
		{ FIELD_VERSION,      AS_IS,       "smtptrail-milter ", "", NULL },
		{ FIELD_HOST,         AS_IS,       " on ",          "",  NULL },
		{ FIELD_INSTANCE,     AS_IS,       " instance=",    "",  NULL },
		{ FIELD_REASON,       AS_IS,       " reason=",      "",  NULL },
		{ FIELD_EPOCH,        AS_IS,       " epoch=",       "",  NULL },
		{ FIELD_ACTION,       AS_IS,       " action=",      "",  NULL }) },
	{ STAGE_STOP, LINE_DIM, ITEMS(
		{ FIELD_VERSION,      AS_IS,       "smtptrail-milter ", "", NULL },
		{ FIELD_HOST,         AS_IS,       " on ",          "",  NULL },
		{ FIELD_INSTANCE,     AS_IS,       " instance=",    "",  NULL },
		{ FIELD_REASON,       AS_IS,       " reason=",      "",  NULL }) },
	{ STAGE_CONNECT, LINE_DIM, ITEMS(
		{ FIELD_CLIENT_NAME,  AS_IS,       "",              "",  NULL },
		{ FIELD_CLIENT_ADDR,  AS_IS,       "[",             "]", NULL },
		{ FIELD_CLIENT_PORT,  AS_IS,       ":",             "",  NULL },
		{ FIELD_CLIENT_RESOLVE, AS_IS,     " resolve=",     "",  "ok" },
		{ FIELD_MTA_HOST,     AS_IS,       " to ",          "",  NULL },
		{ FIELD_DAEMON_PORT,  AS_IS,       ":",             "",  NULL }) },
	{ STAGE_HELO, LINE_PLAIN, ITEMS(
		{ FIELD_HELO,         AS_IS,       "",              "",  NULL },
		{ FIELD_TLS_VERSION,  AS_IS,       " ",             "",  NULL },
		{ FIELD_CIPHER,       AS_IS,       " ",             "",  NULL },
		{ FIELD_CERT_SUBJECT, AS_IS,       " cert=\"",      "\"", NULL },
		{ FIELD_CERT_VERIFY,  AS_IS,       " certificate=", "",  "no" }) },
	{ STAGE_MAIL, LINE_PLAIN, ITEMS(
		{ FIELD_FROM,         AS_IS,       "from=<",        ">", NULL },
		{ FIELD_PROTOCOL,     AS_IS,       " by ",          "",  "ESMTP" },
		{ FIELD_SIZE,         AS_IS,       " size=",        "",  NULL },
		{ FIELD_BODY,         AS_IS,       " body=",        "",  NULL },
		{ FIELD_SMTPUTF8,     AS_FLAG,     " smtputf8",     "",  NULL },
		{ FIELD_REQUIRETLS,   AS_FLAG,     " requiretls",   "",  NULL },
		{ FIELD_RET,          AS_IS,       " ret=",         "",  NULL },
		{ FIELD_ENVID,        AS_IS,       " envid=",       "",  NULL },
		{ FIELD_MAIL_PARAMS,  AS_IS,       " ",             "",  NULL },
		{ FIELD_AUTH_AUTHEN,  AS_IS,       " login=",       "",  NULL },
		{ FIELD_AUTH_TYPE,    AS_IS,       " (",            ")", NULL }) },
	{ STAGE_RCPT, LINE_PLAIN, ITEMS(
		{ FIELD_TO,           AS_IS,       "to=<",          ">", NULL },
		{ FIELD_ORCPT,        AS_IS,       " orcpt=",       "",  NULL },
		{ FIELD_NOTIFY,       AS_IS,       " notify=",      "",  NULL },
		{ FIELD_OUTCOME,      AS_OUTCOME,  " ",             "",  NULL },
		{ FIELD_REJECT_CODE,  AS_OUTCOME,  " ",             "",  NULL },
		{ FIELD_DSN,          AS_OUTCOME,  " ",             "",  NULL },
		{ FIELD_REJECT_TEXT,  AS_IS,       " ",             "",  NULL },
		{ FIELD_RCPT_MAILER,  AS_IS,       " via=",         "",  "error" }) },
	{ STAGE_DATA, LINE_PLAIN, ITEMS(
		{ FIELD_QUEUE_ID,     AS_IS,       "queue=",        "",  NULL },
		{ FIELD_RECIPIENTS,   AS_IS,       " recipients=",  "",  NULL },
		{ FIELD_RECIPIENTS_REJECTED, AS_IS, " rejected=",   "",  "0" }) },
	{ STAGE_HEADER, LINE_PLAIN, ITEMS(
		{ FIELD_MESSAGE_ID,   AS_IS,       "message-id=",   "",  NULL },
		{ FIELD_HEADER_FROM,  AS_IS,       " from=\"",      "\"", NULL },
		{ FIELD_SUBJECT,      AS_IS,       " subject=\"",   "\"", NULL },
		{ FIELD_LIST_ID,      AS_IS,       " list=",        "",  NULL },
		{ FIELD_HEADER_COUNT, AS_IS,       " headers=",     "",  NULL },
		{ FIELD_DKIM_COUNT,   AS_IS,       " signatures=",  "",  "0" }) },
	{ STAGE_EOM, LINE_PLAIN, ITEMS(
		{ FIELD_QUEUE_ID,     AS_IS,       "queue=",        "",  NULL },
		{ FIELD_BODY_BYTES,   AS_IS,       " body=",        "",  NULL },
		{ FIELD_CONTENT_TYPE, AS_IS,       " ",             "",  NULL },
		{ FIELD_PARTS,        AS_IS,       " parts=",       "",  "1" },
		{ FIELD_ATTACHMENT_NAMES, AS_IS,   " attachments=", "",  NULL },
		{ FIELD_MESSAGE_ID,   AS_IS,       " message-id=",  "",  NULL }) },
	{ STAGE_SPF, LINE_PLAIN, ITEMS(
		{ FIELD_RESULT,       AS_OUTCOME,  "",              "",  NULL },
		{ FIELD_SPF_IDENTITY, AS_IS,       " ",             "",  NULL },
		{ FIELD_DOMAIN,       AS_IS,       "=",             "",  NULL },
		{ FIELD_TERM,         AS_IS,       " by ",          "",  NULL },
		{ FIELD_ENGINE,       AS_IS,       " engine=",      "",  "builtin" },
		{ FIELD_ERROR,        AS_IS,       " (",            ")", NULL },
		{ FIELD_TIME_US,      AS_DURATION, " in ",          "",  NULL }) },
	{ STAGE_DKIM, LINE_PLAIN, ITEMS(
		{ FIELD_RESULT,       AS_OUTCOME,  "",              "",  NULL },
		{ FIELD_DOMAIN,       AS_IS,       " d=",           "",  NULL },
		{ FIELD_SELECTOR,     AS_IS,       " s=",           "",  NULL },
		{ FIELD_ALGORITHM,    AS_IS,       " a=",           "",  NULL },
		{ FIELD_KEY_BITS,     AS_IS,       " bits=",        "",  NULL },
		{ FIELD_ERROR,        AS_IS,       " (",            ")", NULL },
		{ FIELD_TIME_US,      AS_DURATION, " in ",          "",  NULL }) },
	{ STAGE_DMARC, LINE_PLAIN, ITEMS(
		{ FIELD_RESULT,       AS_OUTCOME,  "",              "",  NULL },
		{ FIELD_FROM_DOMAIN,  AS_IS,       " from=",        "",  NULL },
		{ FIELD_P,            AS_IS,       " p=",           "",  NULL },
		{ FIELD_DISPOSITION,  AS_OUTCOME,  " disposition=", "",  NULL },
		{ FIELD_WHY,          AS_IS,       " why=",         "",  NULL },
		{ FIELD_ERROR,        AS_IS,       " (",            ")", NULL },
		{ FIELD_TIME_US,      AS_DURATION, " in ",          "",  NULL }) },
	{ STAGE_VERDICT, LINE_PLAIN, ITEMS(
		{ FIELD_QUEUE_ID,     AS_IS,       "queue=",        "",  NULL },
		{ FIELD_ORIGIN,       AS_IS,       " ",             "",  NULL },
		{ FIELD_FROM,         AS_IS,       " from=<",       ">", NULL },
		{ FIELD_RECIPIENTS,   AS_IS,       " recipients=",  "",  NULL },
		{ FIELD_SIZE,         AS_IS,       " size=",        "",  NULL },
		{ FIELD_SPF,          AS_OUTCOME,  " spf=",         "",  NULL },
		{ FIELD_DKIM,         AS_OUTCOME,  " dkim=",        "",  NULL },
		{ FIELD_DMARC,        AS_OUTCOME,  " dmarc=",       "",  NULL },
		{ FIELD_DISPOSITION,  AS_OUTCOME,  " disposition=", "",  NULL },
		{ FIELD_WHY,          AS_IS,       " why=",         "",  NULL },
		{ FIELD_SKIPPED,      AS_IS,       " skipped=",     "",  NULL }) },
	{ STAGE_UNKNOWN, LINE_YELLOW, ITEMS(
		{ FIELD_COMMAND,      AS_IS,       "\"",            "\"", NULL },
		{ FIELD_ARGUMENT,     AS_IS,       " ",             "",  NULL }) },
	{ STAGE_ABORT, LINE_YELLOW, ITEMS(
		{ FIELD_QUEUE_ID,     AS_IS,       "queue=",        "",  NULL },
		{ FIELD_AFTER_STAGE,  AS_IS,       " after ",       "",  NULL },
		{ FIELD_RECIPIENTS,   AS_IS,       " recipients=",  "",  NULL },
		{ FIELD_RECIPIENTS_REJECTED, AS_IS, " rejected=",   "",  "0" }) },
	{ STAGE_CLOSE, LINE_DIM, ITEMS(
		{ FIELD_CAUSE,        AS_IS,       "",              "",  NULL },
		{ FIELD_LAST_STAGE,   AS_IS,       " after ",       "",  NULL },
		{ FIELD_MESSAGES,     AS_IS,       " messages=",    "",  NULL },
		{ FIELD_RECIPIENTS,   AS_IS,       " recipients=",  "",  NULL },
		{ FIELD_RECIPIENTS_REJECTED, AS_IS, " rejected=",   "",  "0" },
		{ FIELD_DURATION_US,  AS_DURATION, " in ",          "",  NULL }) },
	{ STAGE_GAP, LINE_RED, ITEMS(
		{ FIELD_COUNT,        AS_IS,       "",              " records were not recorded", NULL },
		{ FIELD_HOST,         AS_IS,       " on ",          "",  NULL },
		{ FIELD_REASON,       AS_IS,       ": ",            "",  NULL },
		{ FIELD_FROM_TIME,    AS_CLOCK,    " from ",        "",  NULL },
		{ FIELD_TO_TIME,      AS_CLOCK,    " to ",          "",  NULL }) },
};

/* Shown at the end of any line. */
static const struct item last_items[] = {
	{ FIELD_CUT,    AS_IS, " cut=", "", NULL },
	{ FIELD_LIMITS, AS_IS, " limits=", "", NULL },
	{ 0, AS_IS, NULL, NULL, NULL },
};

/* What an outcome's word begins with, and its colour. A word that is not here has none. */
static const struct { const char *begin; enum line_colour colour; } outcome_colours[] = {
	{ "passed", LINE_GREEN },
	{ "pass", LINE_GREEN },
	{ "rejected", LINE_RED },
	{ "reject", LINE_RED },
	{ "fail", LINE_RED },
	{ "permerror", LINE_RED },
	{ "5.", LINE_RED },
	{ "4.", LINE_YELLOW },
	{ "softfail", LINE_YELLOW },
	{ "temp", LINE_YELLOW },
	{ "deferred", LINE_YELLOW },
	{ "quarantine", LINE_YELLOW },
	{ "policy", LINE_YELLOW },
};
/* clang-format on */

void show_init(struct show *show, bool coloured, const char *today)
{
	memset(show, 0, sizeof *show);
	show->line.coloured = coloured;
	(void)snprintf(show->day, sizeof show->day, "%s", today);
}

void show_done(struct show *show)
{
	line_done(&show->line);
}

static enum line_colour outcome_colour(struct text value)
{
	for (size_t i = 0; i < sizeof outcome_colours / sizeof outcome_colours[0]; i++) {
		struct text begin = text_of(outcome_colours[i].begin);

		if (value.length >= begin.length && memcmp(value.start, begin.start, begin.length) == 0)
			return outcome_colours[i].colour;
	}
	return LINE_PLAIN;
}

static const struct row *find_row(const struct input_record *record)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (input_record_is(record, rows[i].stage))
			return &rows[i];
	return NULL;
}

/* The last outcome that has a colour decides: the one that weighs most stands last in its row. */
static enum line_colour stage_colour(const struct row *row, const struct input_record *record)
{
	enum line_colour colour = row->colour;

	for (const struct item *item = row->items; item->before; item++) {
		enum line_colour own = item->form == AS_OUTCOME ?
				       outcome_colour(input_record_text(record, item->field)) : LINE_PLAIN;

		if (own != LINE_PLAIN)
			colour = own;
	}
	return colour;
}

static void put_duration(struct line *line, struct text value)
{
	char words[48];
	uint64_t us;

	if (!input_number(value, &us)) {
		line_put(line, value);
		return;
	}
	if (us < 1000)
		(void)snprintf(words, sizeof words, "%" PRIu64 " us", us);
	else if (us < 1000000)
		(void)snprintf(words, sizeof words, "%.1f ms", (double)us / 1e3);
	else if (us < 60 * UINT64_C(1000000))
		(void)snprintf(words, sizeof words, "%.2f s", (double)us / 1e6);
	else
		(void)snprintf(words, sizeof words, "%" PRIu64 " min %" PRIu64 " s", us / 60000000, us / 1000000 % 60);
	line_put_words(line, words);
}

/* "2026-11-21T08:00:00.123456Z" as "08:00:00.123". */
static void put_clock(struct line *line, struct text value)
{
	char normal[TIME_TEXT_SIZE];
	uint64_t us;

	if (time_parse(value, &us)) {
		line_put_cut(line, value, 12);
		return;
	}
	time_format(us, normal);
	normal[23] = '\0';
	line_put_words(line, normal + 11);
}

static void put_value(struct line *line, enum form form, struct text value)
{
	switch (form) {
	case AS_IS:
		line_put(line, value);
		break;
	case AS_OUTCOME: {
		enum line_colour colour = outcome_colour(value);

		if (colour != LINE_PLAIN)
			line_set_colour(line, colour);
		line_put(line, value);
		if (colour != LINE_PLAIN)
			line_set_colour(line, LINE_PLAIN);
		break;
	}
	case AS_DURATION:
		put_duration(line, value);
		break;
	case AS_CLOCK:
		put_clock(line, value);
		break;
	case AS_FLAG:
		break;
	}
}

static void put_items(struct line *line, const struct item *items, const struct input_record *record, size_t begin)
{
	for (const struct item *item = items; item->before; item++) {
		struct text value = input_record_text(record, item->field);
		const char *before = item->before;

		if (!value.start || (item->unless && text_is(value, item->unless)) ||
		    (item->form == AS_FLAG && !text_is(value, "yes")))
			continue;
		if (*before == ' ' && line->columns == begin)
			before++;
		line_put_words(line, before);
		put_value(line, item->form, value);
		line_put_words(line, item->after);
	}
}

/* A record of a stage that this version does not know: all that it holds. */
static void put_all(struct line *line, const struct input_record *record)
{
	const char *separator = "";

	for (size_t i = 0; i < record->count; i++) {
		line_put_words(line, separator);
		line_put(line, record->fields[i].name);
		line_put_words(line, "=");
		line_put(line, record->fields[i].value);
		separator = " ";
	}
}

static void put_session(struct show *show, const struct input_record *record)
{
	struct line *line = &show->line;
	size_t begin = line->columns;
	struct text msg = input_record_text(record, FIELD_MSG);

	line_put_cut(line, input_record_text(record, FIELD_SESSION), SHOW_SESSION_COLUMNS - 8);
	if (msg.length) {
		line_put_words(line, ".");
		line_put_cut(line, msg, 7);
	}
	if (line->columns - begin > show->session_columns)
		show->session_columns = line->columns - begin;
	line_pad(line, begin + show->session_columns);
}

/* A new day is said once, so that the lines themselves stay short. */
static void put_day(struct show *show, struct text time)
{
	char normal[TIME_TEXT_SIZE];
	uint64_t us;

	if (time_parse(time, &us))
		return;
	time_format(us, normal);
	if (memcmp(normal, show->day, sizeof show->day - 1) == 0)
		return;
	memcpy(show->day, normal, sizeof show->day - 1);
	line_set_colour(&show->line, LINE_DIM);
	line_put_words(&show->line, show->day);
	line_put_words(&show->line, " (UTC)");
	line_set_colour(&show->line, LINE_PLAIN);
	line_put_raw(&show->line, "\n", 1);
	show->line.columns = 0;
}

struct text show_line(struct show *show, const struct input_record *record)
{
	struct line *line = &show->line;
	struct text time = input_record_text(record, FIELD_TIME);
	const struct row *row = find_row(record);
	enum line_colour colour = row ? stage_colour(row, record) : LINE_YELLOW;

	line_start(line);
	put_day(show, time);
	line_set_colour(line, LINE_DIM);
	put_clock(line, time);
	line_pad(line, 14);
	put_session(show, record);
	line_set_colour(line, LINE_PLAIN);
	line_put_words(line, "  ");
	size_t begin = line->columns;

	line_set_colour(line, colour);
	line_put_cut(line, input_record_text(record, FIELD_STAGE), 8);
	line_set_colour(line, LINE_PLAIN);
	line_pad(line, begin + 9);
	begin = line->columns;
	if (row)
		put_items(line, row->items, record, begin);
	else
		put_all(line, record);
	put_items(line, last_items, record, begin);
	return line_finish(line);
}
