/* test_watch_query.c - a query asked of records as they come. */
#include "analysis/watch_query.h"

#include "records.h"
#include "unit.h"

#define AT "|time=2026-11-20T08:00:00.000000Z|host=mx1|producer=p|session="
#define CONNECT(session, address) "stage=connect" AT session "|client_addr=" address
#define HELO(session, name) "stage=helo" AT session "|helo=" name
#define MAIL(session, msg, from) "stage=mail" AT session "|msg=" msg "|from=" from
#define RCPT(session, msg, to) "stage=rcpt" AT session "|msg=" msg "|outcome=passed|to=" to
#define REFUSED(session, msg, to) "stage=rcpt" AT session "|msg=" msg "|outcome=rejected|dsn=5.1.1|reject_text=550 5.1.1 no|to=" to
#define SPF(session, msg, result) "stage=spf" AT session "|msg=" msg "|result=" result
#define VERDICT(session, msg, dmarc) "stage=verdict" AT session "|msg=" msg "|dmarc=" dmarc
#define ABORT(session, msg) "stage=abort" AT session "|msg=" msg
#define CLOSE(session) "stage=close" AT session "|cause=ended"
#define GAP "stage=gap|time=2026-11-20T08:00:00.000000Z|host=mx1|producer=p|count=3"

/* Each record is known by its place, 0 to 9; those that are shown are the result. */
static const struct row {
	const char *sentence, *query;
	const char *records[10];
	const char *wanted;
} rows[] = {
	{ "a client is known from its connect on, to its close", "client:192.0.2.0/24",
	  { CONNECT("a", "192.0.2.1"), CONNECT("b", "198.51.100.1"), HELO("b", "x"), HELO("a", "x"), MAIL("a", "1", "x"), CLOSE("b"), CLOSE("a") }, "0346" },
	{ "a sender from its MAIL on, of its message alone", "from:x@example.com",
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "X@example.com"), RCPT("a", "1", "y"), ABORT("a", "1"), MAIL("a", "2", "z"), CLOSE("a") }, "123" },
	{ "a recipient's own record, and the message's behind it", "to:y",
	  { MAIL("a", "1", "x"), RCPT("a", "1", "z"), RCPT("a", "1", "y"), RCPT("a", "1", "v"), "stage=data" AT "a|msg=1" }, "24" },
	{ "what was refused", "fate:rejected",
	  { MAIL("a", "1", "x"), RCPT("a", "1", "z"), REFUSED("a", "1", "y"), MAIL("a", "2", "x") }, "2" },
	{ "a check's result with its own record", "result:fail",
	  { MAIL("a", "1", "x"), SPF("a", "1", "fail"), MAIL("b", "1", "x"), SPF("b", "1", "pass") }, "1" },
	{ "a verdict", "dmarc:fail", { MAIL("a", "1", "x"), VERDICT("a", "1", "fail"), VERDICT("b", "1", "pass") }, "1" },
	{ "what has ended was known before", "helo:x", { HELO("a", "x"), MAIL("a", "1", "y"), ABORT("a", "1"), CLOSE("a") }, "0123" },
	{ "a negation holds until it no longer does", "client:192.0.2.1 -from:x",
	  { CONNECT("a", "192.0.2.1"), MAIL("a", "1", "x"), MAIL("a", "2", "y") }, "02" },
	{ "a gap is always shown, what is of no session never", "from:x", { GAP, "stage=start|host=mx1", MAIL("a", "1", "x") }, "02" },
};

static bool show(const struct row *row, char *ret_shown)
{
	struct problem problem = { "" };
	struct watch_query *watch;
	struct query *query;

	if (query_parse(&query, row->query, 0, NULL, &problem) != 0)
		return false;
	if (watch_query_new(&watch, query, 2000000) == 0)
		for (unsigned i = 0; i < 10 && row->records[i]; i++) {
			struct written_record written;

			if (watch_query_wants(watch, record_write(&written, row->records[i])))
				*ret_shown++ = (char)('0' + i);
		}
	*ret_shown = '\0';
	watch_query_free(watch);
	query_free(query);
	return true;
}

TEST(a_query_is_asked_of_what_is_known_by_then)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char shown[11] = "";

		CHECK_SAYING(show(&rows[i], shown), "%s", rows[i].query);
		CHECK_SAYING(strcmp(shown, rows[i].wanted) == 0, "%s: shown %s, wanted %s", rows[i].sentence, shown, rows[i].wanted);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = { UNIT_TEST(a_query_is_asked_of_what_is_known_by_then), { NULL, NULL } };

	return unit_run(tests, argc, argv);
}
