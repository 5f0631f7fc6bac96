/* test_show.c - a record as a person and as a program reads it. */
#include "analysis/show.h"

#include <stdlib.h>

#include <jansson.h>

#include "records.h"
#include "unit.h"

#define TODAY "2026-11-21"
#define HEAD "time=2026-11-21T08:00:00.123456Z|session=0006439f2a|msg=1|"
#define BEGIN "08:00:00.123  0006439f2a.1  "

static const struct line_row {
	const char *sentence;
	const char *record;
	const char *wanted;	/* without its line end */
} line_rows[] = {
	{ "a rejected recipient is shown with the MTA's words",
	  "stage=rcpt|" HEAD "to=bob@example.com|outcome=rejected|dsn=5.1.1|reject_text=no such user",
	  BEGIN "rcpt     to=<bob@example.com> rejected 5.1.1 no such user" },
	{ "a known empty sender is shown as empty", "stage=mail|" HEAD "from=|size=120", BEGIN "mail     from=<> size=120" },
	{ "an absent field shows nothing of its row", "stage=mail|" HEAD "size=120", BEGIN "mail     size=120" },
	{ "a flag is its label alone", "stage=mail|" HEAD "from=a@b|smtputf8=yes|requiretls=no",
	  BEGIN "mail     from=<a@b> smtputf8" },
	{ "a value that says nothing new is left out",
	  "stage=data|" HEAD "queue_id=4bX|recipients=3|recipients_rejected=0", BEGIN "data     queue=4bX recipients=3" },
	{ "a client is written as the MTA's log does",
	  "stage=connect|" HEAD "client_name=mail.example.com|client_addr=192.0.2.1|client_port=5432|client_resolve=ok",
	  BEGIN "connect  mail.example.com[192.0.2.1]:5432" },
	{ "a duration has a unit that fits", "stage=spf|" HEAD "result=pass|time_us=1500", BEGIN "spf      pass in 1.5 ms" },
	{ "a long duration is in minutes", "stage=close|" HEAD "cause=ended|duration_us=125000000",
	  BEGIN "close    ended in 2 min 5 s" },
	{ "a duration that is no number is shown as it is", "stage=spf|" HEAD "result=pass|time_us=soon",
	  BEGIN "spf      pass in soon" },
	{ "what was cut is said in any line", "stage=rcpt|" HEAD "to=x|cut=to", BEGIN "rcpt     to=<x> cut=to" },
	{ "a gap says how much is missing, and when",
	  "stage=gap|" HEAD "count=7|reason=front_full|from_time=2026-11-21T07:00:00Z|to_time=2026-11-21T07:00:09.5Z",
	  BEGIN "gap      7 records were not recorded: front_full from 07:00:00.000 to 07:00:09.500" },
	{ "a stage of a later version is shown with all its fields", "stage=quux|" HEAD "a=1|b=2",
	  BEGIN "quux     stage=quux time=2026-11-21T08:00:00.123456Z session=0006439f2a msg=1 a=1 b=2" },
	{ "another offset is shown in UTC", "stage=data|time=2026-11-21T09:30:00+01:00|session=0006439f2a|msg=1|recipients=1",
	  "08:30:00.000  0006439f2a.1  data     recipients=1" },
	{ "a new day is said once before its first line",
	  "stage=data|time=2026-11-22T00:00:01Z|session=s|recipients=1",
	  "2026-11-22 (UTC)\n00:00:01.000  s  data     recipients=1" },
	{ "a record without a time, session or msg keeps its columns", "stage=unknown|command=FOO",
	  "                unknown  \"FOO\"" },
	{ "escape sequences are shown, not done", "stage=unknown|" HEAD "command=\x1b[2J\r\n\x07",
	  BEGIN "unknown  \"\\x1b[2J\\x0d\\x0a\\x07\"" },
	{ "what reorders text is shown byte by byte", "stage=unknown|" HEAD "command=a\xe2\x80\xae" "b",
	  BEGIN "unknown  \"a\\xe2\\x80\\xae" "b\"" },
	{ "no UTF-8 is shown byte by byte", "stage=unknown|" HEAD "command=\xff\xc0\x80", BEGIN "unknown  \"\\xff\\xc0\\x80\"" },
	{ "a session and a stage from outside are harmless and bounded",
	  "stage=\x1b[1m0123456789|session=\x1b]0;title\x07|x=y",
	  "              \\x1b]0;title\\x07  \\x1b[1m\xe2\x80\xa6 stage=\\x1b[1m0123456789 session=\\x1b]0;title\\x07 x=y" },
};

TEST(a_line_shows_what_its_table_says)
{
	for (size_t i = 0; i < sizeof line_rows / sizeof line_rows[0]; i++) {
		const struct line_row *row = &line_rows[i];
		struct written_record written;
		struct show show;

		show_init(&show, false, TODAY);
		struct text line = show_line(&show, record_write(&written, row->record));

		CHECK_SAYING(line.length && line.start[line.length - 1] == '\n', "%s: no line end", row->sentence);
		line.length--;
		CHECK_SAYING(text_is(line, row->wanted), "%s: '%.*s', wanted '%s'", row->sentence, TEXT_ARGS(line),
			     row->wanted);
		show_done(&show);
	}
}

static const struct colour_row {
	const char *sentence;
	const char *record;
	const char *stage_code;		/* the colour that the stage's name has */
} colour_rows[] = {
	{ "a rejection is red", "stage=rcpt|to=x|outcome=rejected|dsn=5.1.1", "\x1b[31mrcpt" },
	{ "a rejection for now is yellow", "stage=rcpt|to=x|outcome=rejected|dsn=4.7.1", "\x1b[33mrcpt" },
	{ "a recipient that passed is green", "stage=rcpt|to=x|outcome=passed", "\x1b[32mrcpt" },
	{ "what failed DMARC is red though SPF passed", "stage=verdict|spf=pass|dkim=none|dmarc=fail", "\x1b[31mverdict" },
	{ "what passes DMARC is green though SPF failed", "stage=verdict|spf=fail|dkim=pass|dmarc=pass|disposition=none",
	  "\x1b[32mverdict" },
	{ "a temporary error is yellow", "stage=spf|result=temperror", "\x1b[33mspf" },
	{ "a soft fail is yellow", "stage=spf|result=softfail", "\x1b[33mspf" },
	{ "a gap is red", "stage=gap|count=1", "\x1b[31mgap" },
	{ "a connect is dim", "stage=connect|client_addr=192.0.2.1", "\x1b[2mconnect" },
};

TEST(an_outcome_gives_the_line_its_colour)
{
	for (size_t i = 0; i < sizeof colour_rows / sizeof colour_rows[0]; i++) {
		const struct colour_row *row = &colour_rows[i];
		struct written_record written;
		struct show show;

		show_init(&show, true, TODAY);
		struct text line = show_line(&show, record_write(&written, row->record));

		CHECK_SAYING(memmem(line.start, line.length, row->stage_code, strlen(row->stage_code)), "%s: %.*s",
			     row->sentence, TEXT_ARGS(line));
		show_done(&show);
	}
}

static const struct cut_row {
	const char *sentence;
	size_t limit;
	const char *subject;
	const char *wanted;	/* what follows the opening quote; without the line end */
} cut_rows[] = {
	/* What stands before the value takes 16 + 9 + 9 columns: blanks, stage, subject=" */
	{ "a line as wide as the terminal is whole", 40, "abcde", "abcde\"" },
	{ "a wider one ends in an ellipsis", 40, "abcdef", "abcde\xe2\x80\xa6" },
	{ "a wide character that does not fit is left out", 40, "abcd\xe6\x97\xa5\xe6\x97\xa5", "abcd\xe2\x80\xa6" },
	{ "wide characters take two columns", 41, "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\"" },
	{ "combining characters take none", 40, "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e\xcc\x81",
	  "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e\xcc\x81" "e\xcc\x81\"" },
	{ "a code that shows a byte is never cut in two columns too many", 40, "abcd\x01\x01", "abcd\\\xe2\x80\xa6" },
};

TEST(a_line_is_cut_to_the_width_of_the_terminal)
{
	for (size_t i = 0; i < sizeof cut_rows / sizeof cut_rows[0]; i++) {
		const struct cut_row *row = &cut_rows[i];
		struct written_record written;
		struct show show;
		char record[256], wanted[256];

		(void)snprintf(record, sizeof record, "stage=header|subject=%s", row->subject);
		(void)snprintf(wanted, sizeof wanted, "                header   subject=\"%s\n", row->wanted);
		show_init(&show, false, TODAY);
		show.line.limit = row->limit;
		struct text line = show_line(&show, record_write(&written, record));

		CHECK_SAYING(text_is(line, wanted), "%s: '%.*s', wanted '%s'", row->sentence, TEXT_ARGS(line), wanted);
		show_done(&show);
	}
}

TEST(a_cut_line_ends_its_colour)
{
	struct written_record written;
	struct show show;

	show_init(&show, true, TODAY);
	show.line.limit = 30;
	struct text line = show_line(&show, record_write(&written, "stage=rcpt|to=x|outcome=rejectedrejectedrejected"));
	const char *end = "\xe2\x80\xa6\x1b[0m\n";

	CHECK(line.length > strlen(end) && memcmp(line.start + line.length - strlen(end), end, strlen(end)) == 0);
	show_done(&show);
}

TEST(a_flood_of_combining_characters_is_cut_too)
{
	static char record[100000] = "stage=header|subject=e";
	struct written_record written;
	struct show show;

	for (size_t length = strlen(record); length + 3 < sizeof record; length += 2)
		memcpy(record + length, "\xcc\x81", 3);
	show_init(&show, false, TODAY);
	show.line.limit = 80;
	struct text line = show_line(&show, record_write(&written, record));

	CHECK(line.length < 80 * 20);
	show_done(&show);
}

TEST(columns_stay_aligned_from_line_to_line)
{
	static const char *const records[] = {
		"stage=connect|session=a|client_addr=192.0.2.1",
		"stage=mail|session=abcdefghijkl|msg=1|from=x",
		"stage=close|session=\xe6\x97\xa5\xe6\x97\xa5|cause=ended",
	};
	static const char *const wanted[] = {
		"              a  connect  [192.0.2.1]\n",
		"              abcdefghijkl.1  mail     from=<x>\n",
		"              \xe6\x97\xa5\xe6\x97\xa5            close    ended\n",
	};
	struct show show;

	show_init(&show, false, TODAY);
	for (size_t i = 0; i < 3; i++) {
		struct written_record written;

		CHECK_TEXT(show_line(&show, record_write(&written, records[i])), wanted[i]);
	}
	show_done(&show);
}

static json_t *json_of(struct show *show, const char *record)
{
	struct written_record written;
	struct text line = show_json(show, record_write(&written, record));

	for (size_t i = 0; i + 1 < line.length; i++)
		CHECK((unsigned char)line.start[i] >= ' ' && (unsigned char)line.start[i] < 0x7f);
	return json_loadb(line.start, line.length, 0, NULL);
}

TEST(json_is_typed_by_the_table)
{
	struct show show;

	show_init(&show, false, TODAY);
	json_t *object = json_of(&show, "stage=mail|time=2026-11-21T08:00:00.123456Z|seq=1099511627777|size=many|"
				 "smtputf8=yes|requiretls=maybe|from=\xff\xc3\xbc|later=5|subject=\x7f\x1b|seq=3");

	CHECK_STRING(json_string_value(json_object_get(object, "stream_id")), "1-0");
	CHECK_STRING(json_string_value(json_object_get(object, "time")), "2026-11-21T08:00:00.123456Z");
	CHECK_NUMBER(json_integer_value(json_object_get(object, "seq")), 1099511627777);
	CHECK_STRING(json_string_value(json_object_get(object, "size")), "many");
	CHECK(json_is_true(json_object_get(object, "smtputf8")));
	CHECK_STRING(json_string_value(json_object_get(object, "requiretls")), "maybe");
	CHECK_STRING(json_string_value(json_object_get(object, "from")), "\\xff\xc3\xbc");
	CHECK_STRING(json_string_value(json_object_get(object, "later")), "5");
	CHECK_STRING(json_string_value(json_object_get(object, "subject")), "\x7f\x1b");
	CHECK_NUMBER(json_object_size(object), 10);
	json_decref(object);
	show_done(&show);
}

TEST(every_field_of_the_table_has_its_type_in_json)
{
	static const char *const samples[] = {
		[FIELD_TYPE_TEXT] = "word", [FIELD_TYPE_LIST] = "a, b", [FIELD_TYPE_NUMBER] = "42",
		[FIELD_TYPE_TIME] = "2026-11-21T08:00:00.000000Z", [FIELD_TYPE_FLAG] = "no",
	};
	struct show show;

	show_init(&show, false, TODAY);
	for (const struct field_info *info = field_table; info->name; info++) {
		char record[256];

		(void)snprintf(record, sizeof record, "%s=%s", info->name, samples[info->type]);
		json_t *object = json_of(&show, record), *value = json_object_get(object, info->name);

		if (info->type == FIELD_TYPE_NUMBER)
			CHECK_NUMBER(json_integer_value(value), 42);
		else if (info->type == FIELD_TYPE_FLAG)
			CHECK(json_is_false(value));
		else
			CHECK_STRING(json_string_value(value), samples[info->type]);
		json_decref(object);
	}
	show_done(&show);
}

TEST(every_stage_has_a_line_of_its_own)
{
	for (const struct stage_info *info = stage_table; info->name; info++) {
		struct written_record written;
		struct show show;
		char record[64];

		/* A stage without a row would show all fields, its own name among them. */
		(void)snprintf(record, sizeof record, "stage=%s", info->name);
		show_init(&show, false, TODAY);
		struct text line = show_line(&show, record_write(&written, record));

		CHECK_SAYING(!memmem(line.start, line.length, "stage=", 6), "%s has no row", info->name);
		show_done(&show);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_line_shows_what_its_table_says),
		UNIT_TEST(an_outcome_gives_the_line_its_colour),
		UNIT_TEST(a_line_is_cut_to_the_width_of_the_terminal),
		UNIT_TEST(a_cut_line_ends_its_colour),
		UNIT_TEST(a_flood_of_combining_characters_is_cut_too),
		UNIT_TEST(columns_stay_aligned_from_line_to_line),
		UNIT_TEST(json_is_typed_by_the_table),
		UNIT_TEST(every_field_of_the_table_has_its_type_in_json),
		UNIT_TEST(every_stage_has_a_line_of_its_own),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
