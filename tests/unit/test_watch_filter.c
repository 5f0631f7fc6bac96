/* test_watch_filter.c - which records a watch shows. */
#include "analysis/watch_filter.h"

#include "records.h"
#include "unit.h"

#define CONNECT(session, address) "stage=connect|session=" session "|client_addr=" address
#define HELO(session) "stage=helo|session=" session
#define MAIL(session, msg, from) "stage=mail|session=" session "|msg=" msg "|from=" from
#define RCPT(session, msg, to) "stage=rcpt|session=" session "|msg=" msg "|to=" to
#define DATA(session, msg) "stage=data|session=" session "|msg=" msg
#define CLOSE(session) "stage=close|session=" session

/* Each record is known by its place, 0 to 9; the places shown, in the order shown, are the result. */
static const struct row {
	const char *sentence;
	struct watch_filter_options options;
	const char *records[10];
	const char *wanted;
} rows[] = {
	{ "without a filter all is shown", { 0 },
	  { CONNECT("a", "192.0.2.1"), "stage=start", "stage=later", "x=y" }, "0123" },
	{ "stages look at each record alone", { .stages = "rcpt,close" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "x"), RCPT("a", "1", "y"), CLOSE("a"), "stage=later" }, "23" },
	{ "a session by its identifier", { .session = "a" },
	  { CONNECT("a", "192.0.2.1"), CONNECT("b", "192.0.2.1"), MAIL("a", "1", "x"), "stage=start" }, "02" },
	{ "a message of a session, with what belongs to none", { .session = "a.2" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "x"), MAIL("a", "2", "x"), MAIL("b", "2", "x"), CLOSE("a") }, "024" },
	{ "an identifier may hold a dot", { .session = "a.2" },
	  { HELO("a.2"), MAIL("a.2", "1", "x"), HELO("a.3") }, "01" },
	{ "a client selects its whole session", { .client = "192.0.2.0/24" },
	  { CONNECT("a", "192.0.2.1"), CONNECT("b", "198.51.100.1"), HELO("b"), HELO("a"), MAIL("a", "1", "x"),
	    MAIL("b", "1", "x"), CLOSE("b"), CLOSE("a") }, "0347" },
	{ "a session whose connect was not seen is not shown", { .client = "192.0.2.0/24" },
	  { HELO("a"), MAIL("a", "1", "x") }, "" },
	{ "a sender selects its message, and what of the session came before", { .from = "x@example.com" },
	  { CONNECT("a", "192.0.2.1"), HELO("a"), MAIL("a", "1", "X@Example.COM"), RCPT("a", "1", "y"), CLOSE("a") }, "01234" },
	{ "another message of the session is not shown", { .from = "x" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "other"), RCPT("a", "1", "y"), MAIL("a", "2", "x"),
	    RCPT("a", "2", "y"), CLOSE("a") }, "0345" },
	{ "a session without such a message is not shown", { .from = "x" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "other"), CLOSE("a") }, "" },
	{ "the null sender can be asked for", { .from = "<>" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", ""), MAIL("a", "2", "x") }, "01" },
	{ "a recipient among others selects the message from its begin", { .to = "*@example.com" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "x"), RCPT("a", "1", "y@example.net"),
	    RCPT("a", "1", "z@example.com"), RCPT("a", "1", "v@example.net"), DATA("a", "1") }, "012345" },
	{ "a message without it is not shown", { .to = "*@example.com" },
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "x"), RCPT("a", "1", "y@example.net"), DATA("a", "1"), CLOSE("a") }, "" },
	{ "sender and recipient must both hold of one message", { .from = "x", .to = "y" },
	  { MAIL("a", "1", "x"), RCPT("a", "1", "other"), MAIL("a", "2", "other"), RCPT("a", "2", "y"),
	    MAIL("a", "3", "x"), RCPT("a", "3", "y") }, "45" },
	{ "client and sender must both hold", { .client = "192.0.2.1", .from = "x" },
	  { CONNECT("a", "192.0.2.1"), CONNECT("b", "192.0.2.2"), MAIL("b", "1", "x"), MAIL("a", "1", "y"),
	    MAIL("a", "2", "x"), DATA("b", "1") }, "04" },
	{ "results that come after the next message began find their own", { .from = "x" },
	  { MAIL("a", "1", "x"), MAIL("a", "2", "y"), "stage=spf|session=a|msg=1|result=pass",
	    "stage=spf|session=a|msg=2|result=pass" }, "02" },
	{ "a verdict tells the sender where the watch began late", { .from = "x" },
	  { "stage=spf|session=a|msg=1|result=pass", "stage=verdict|session=a|msg=1|from=x" }, "01" },
	{ "one session identifier of two producers is two sessions", { .client = "192.0.2.1" },
	  { CONNECT("a", "192.0.2.1") "|producer=p", HELO("a") "|producer=q", HELO("a") "|producer=p" }, "02" },
	{ "stages and senders: what is held is shown by stage too", { .from = "x", .stages = "connect,rcpt" },
	  { CONNECT("a", "192.0.2.1"), HELO("a"), MAIL("a", "1", "x"), RCPT("a", "1", "y") }, "03" },
	{ "a gap passes what is asked of sessions", { .client = "192.0.2.1" },
	  { "stage=gap|count=1", "stage=start" }, "0" },
	{ "a gap does not pass what is asked of stages", { .stages = "rcpt", .client = "192.0.2.1" },
	  { "stage=gap|count=1" }, "" },
};

struct collected {
	const struct row *row;
	char shown[16];
	size_t count, most;
};

/* Places are told by the text that the fields were borrowed from, which copies keep in content. */
static bool collect(void *context, const struct input_record *record)
{
	struct collected *collected = context;
	char place = '?';

	for (int i = 9; i >= 0; i--) {
		struct written_record written;
		const char *text = collected->row->records[i];
		bool same = text != NULL && !memchr(collected->shown, '0' + i, collected->count);

		if (!same)
			continue;
		const struct input_record *other = record_write(&written, text);

		same = other->count == record->count;
		for (size_t field = 0; same && field < record->count; field++)
			same = text_equal(other->fields[field].name, record->fields[field].name) &&
			       text_equal(other->fields[field].value, record->fields[field].value);
		if (same)
			place = (char)('0' + i);
	}
	collected->shown[collected->count++] = place;
	return collected->count < collected->most;
}

TEST(a_filter_shows_what_its_help_says)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct collected collected = { .row = &rows[i], .most = sizeof collected.shown };
		struct watch_filter *filter = NULL;
		struct problem problem = { "" };

		CHECK(watch_filter_new(&filter, &rows[i].options, &problem) == 0);
		for (int place = 0; place < 10 && rows[i].records[place]; place++) {
			struct written_record written;

			(void)watch_filter_take(filter, record_write(&written, rows[i].records[place]), collect, &collected);
		}
		CHECK_SAYING(strcmp(collected.shown, rows[i].wanted) == 0, "%s: shows %s, wanted %s", rows[i].sentence,
			     collected.shown, rows[i].wanted);
		watch_filter_free(filter);
	}
}

TEST(a_wrong_filter_is_refused_in_words)
{
	static const struct watch_filter_options wrong[] = {
		{ .stages = "rcpt,quux" }, { .stages = "" }, { .client = "192.0.2.0/33" }, { .client = "example.com" },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct watch_filter *filter = NULL;
		struct problem problem = { "" };

		CHECK(watch_filter_new(&filter, &wrong[i], &problem) != 0 && problem.text[0] && !filter);
	}
}

static bool count_one(void *context, const struct input_record *record)
{
	(void)record;
	++*(size_t *)context;
	return true;
}

static void take(struct watch_filter *filter, const char *text, size_t *shown)
{
	struct written_record written;

	CHECK(watch_filter_take(filter, record_write(&written, text), count_one, shown));
}

TEST(of_a_long_undecided_message_the_last_records_and_the_connect_are_kept)
{
	struct watch_filter_options options = { .to = "wanted" };
	struct watch_filter *filter = NULL;
	size_t shown = 0;

	CHECK(watch_filter_new(&filter, &options, NULL) == 0);
	take(filter, CONNECT("a", "192.0.2.1"), &shown);
	take(filter, MAIL("a", "1", "x"), &shown);
	for (int i = 0; i < 500; i++)
		take(filter, RCPT("a", "1", "other"), &shown);
	CHECK_NUMBER(shown, 0);
	CHECK_NUMBER(watch_filter_given_up(filter), 502 - WATCH_HELD_RECORDS);
	take(filter, RCPT("a", "1", "wanted"), &shown);
	CHECK_NUMBER(shown, WATCH_HELD_RECORDS + 1);
	watch_filter_free(filter);
}

TEST(sessions_and_their_bytes_are_bounded)
{
	static char text[70000];
	struct watch_filter_options options = { .to = "wanted" };
	struct watch_filter *filter = NULL;
	size_t shown = 0;
	uint64_t all = 0;

	CHECK(watch_filter_new(&filter, &options, NULL) == 0);
	for (int i = 0; i < 3 * WATCH_SESSIONS; i++, all++) {
		(void)snprintf(text, sizeof text, CONNECT("%d", "192.0.2.1"), i);
		take(filter, text, &shown);
	}
	CHECK_NUMBER(watch_filter_given_up(filter), 2 * WATCH_SESSIONS);
	for (int i = 0; i < 2000; i++, all++) {
		int length = snprintf(text, sizeof text, "stage=mail|session=%d|msg=1|from=", i);

		memset(text + length, 'x', 60000);
		take(filter, text, &shown);
	}
	CHECK(all - watch_filter_given_up(filter) <= WATCH_SESSIONS + WATCH_HELD_ALL / 60000);
	/* The newest is still there. */
	take(filter, RCPT("1999", "1", "wanted"), &shown);
	CHECK_NUMBER(shown, 2);
	watch_filter_free(filter);
}

TEST(a_message_older_than_those_kept_is_not_mistaken_for_another)
{
	struct watch_filter_options options = { .from = "x" };
	struct watch_filter *filter = NULL;
	size_t shown = 0;
	char text[128];

	CHECK(watch_filter_new(&filter, &options, NULL) == 0);
	take(filter, MAIL("a", "1", "x"), &shown);
	for (int i = 2; i < 2 + WATCH_MESSAGES; i++) {
		(void)snprintf(text, sizeof text, "stage=mail|session=a|msg=%d|from=y", i);
		take(filter, text, &shown);
	}
	take(filter, "stage=spf|session=a|msg=33|result=pass", &shown);
	CHECK_NUMBER(shown, 1);
	watch_filter_free(filter);
}

TEST(what_is_held_ends_with_the_filter_that_wants_no_more)
{
	struct collected collected = { .row = &rows[0], .most = 2 };
	struct watch_filter_options options = { .from = "x" };
	struct watch_filter *filter = NULL;
	struct written_record written;

	CHECK(watch_filter_new(&filter, &options, NULL) == 0);
	for (int i = 0; i < 4; i++)
		(void)watch_filter_take(filter, record_write(&written, HELO("a")), collect, &collected);
	CHECK(!watch_filter_take(filter, record_write(&written, MAIL("a", "1", "x")), collect, &collected));
	CHECK_NUMBER(collected.count, 2);
	watch_filter_free(filter);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_filter_shows_what_its_help_says),
		UNIT_TEST(a_wrong_filter_is_refused_in_words),
		UNIT_TEST(of_a_long_undecided_message_the_last_records_and_the_connect_are_kept),
		UNIT_TEST(sessions_and_their_bytes_are_bounded),
		UNIT_TEST(a_message_older_than_those_kept_is_not_mistaken_for_another),
		UNIT_TEST(what_is_held_ends_with_the_filter_that_wants_no_more),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
