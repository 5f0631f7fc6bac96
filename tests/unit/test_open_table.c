/* test_open_table.c - what is under way by hashes, whose lines are, and identifiers in replies. */
#include "analysis/open_table.h"

#include "analysis/origin.h"
#include "analysis/remote_id.h"
#include "unit.h"

enum { ITEMS = 1000, HASHES = 40 };

static int items[ITEMS];

/* Many of one hash, beside others that lie in their way. */
static uint64_t hash_of(int item)
{
	return (uint64_t)(item % HASHES) * 3 + 1;
}

static unsigned count_of(const struct open_table *table, uint64_t hash)
{
	unsigned count = 0;

	for (size_t at = SIZE_MAX; open_table_next(table, hash, &at);)
		count++;
	return count;
}

TEST(all_of_one_hash_are_found_whatever_was_removed)
{
	struct open_table table = { .slots = NULL };
	bool found = true;

	CHECK(!open_table_find(&table, 1));
	for (int i = 0; i < ITEMS; i++)
		CHECK(open_table_add(&table, hash_of(i), &items[i]) == 0);
	for (int i = 0; i < ITEMS; i += 2)
		open_table_remove(&table, hash_of(i), &items[i]);
	CHECK_NUMBER(table.count, ITEMS / 2);
	for (int hash = 0; hash < HASHES; hash++)
		found = found && count_of(&table, hash_of(hash)) == (hash % 2 ? ITEMS / HASHES : 0);
	CHECK(found);
	open_table_done(&table);
}

TEST(letters_of_both_cases_have_one_hash_and_nothing_else_has)
{
	for (int a = 0; a < 256; a++) {
		char one[] = "mail.x.example", other[] = "MAIL.x.EXAMPLE";
		bool is_letter = (a >= 'a' && a <= 'z') || (a >= 'A' && a <= 'Z');

		one[5] = (char)a;
		other[5] = (char)(a ^ 0x20);
		CHECK_SAYING((hash_text_nocase(7, text_of(one)) == hash_text_nocase(7, text_of(other))) == is_letter || !a || a == 0x20, "byte %d", a);
	}
}

TEST(a_host_is_found_by_any_of_its_names_and_a_process_by_its_own)
{
	struct origins *origins = origins_new(NULL, 42);
	struct origin_cache *cache = origins_cache(origins);
	char name[200];
	struct text short_name = TEXT_LITERAL("mx1"), full = TEXT_LITERAL("mx1.example.org"), other = TEXT_LITERAL("mx2");
	const struct origin *origin = origin_find(cache, short_name, TEXT_LITERAL("postfix/smtpd"));
	const struct host *host = origin->host;

	CHECK_TEXT(origin->program, "smtpd");
	CHECK(origin_find(cache, full, TEXT_LITERAL("postfix/smtpd"))->host == host);
	CHECK(origin_find(cache, other, TEXT_LITERAL("postfix/smtpd"))->host != host);
	CHECK(origin_find(cache, short_name, TEXT_LITERAL("postfix/qmgr"))->role == ROLE_QUEUE_MANAGER);
	CHECK(origin_find(cache, TEXT_NONE, TEXT_NONE)->host == origin_host_at(origins, 0));
	/* Longer than what is kept of the line before. */
	memset(name, 'h', sizeof name);
	CHECK(origin_find(cache, (struct text){ name, 180 }, TEXT_LITERAL("postfix/smtpd"))->host ==
	      origin_find(cache, (struct text){ name, 180 }, TEXT_LITERAL("postfix/qmgr"))->host);
	CHECK(origin_find(cache, (struct text){ name, 180 }, TEXT_LITERAL("postfix/smtpd"))->host !=
	      origin_find(cache, (struct text){ name, 181 }, TEXT_LITERAL("postfix/smtpd"))->host);
	CHECK(origin_known_host(origins, TEXT_LITERAL("MX1.Example.ORG")) == host);
	CHECK(!origin_known_host(origins, TEXT_LITERAL("mx3")));
	origins_free(origins);
}

TEST(a_reply_tells_the_identifier_at_the_next_hop)
{
	static const struct row {
		const char *reply, *wanted;	/* NULL: none */
	} rows[] = {
		{ "250 2.0.0 Ok: queued as 4F2A11", "4F2A11" }, { "250 queued as 4F2A11 by mx", "4F2A11" },
		{ "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 07BEC21A48", "07BEC21A48" },
		{ "250 OK id=1kXyz0-0004Qp-AB", "1kXyz0-0004Qp-AB" }, { "250 2.0.0 09K8x1aB004711 Message accepted for delivery", "09K8x1aB004711" },
		{ "250 queued as accepted", NULL }, { "delivered to maildir", NULL }, { "250 as id=", NULL }, { "queued as", NULL },
		{ "", NULL }, { "a b c d e f g h i j k l m n o p as", NULL }, { "250 Ok queued as abcdefgh", NULL },
		{ "250 Ok queued as abcdefghijklmnopq1", "abcdefghijklmnopq1" }, { "250 Ok queued as a-b_c", "a-b_c" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text found = remote_id(text_of(rows[i].reply));

		CHECK_SAYING(rows[i].wanted ? text_is(found, rows[i].wanted) : !found.start, "\"%s\": \"%.*s\"", rows[i].reply, TEXT_ARGS(found));
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(all_of_one_hash_are_found_whatever_was_removed),
		UNIT_TEST(letters_of_both_cases_have_one_hash_and_nothing_else_has),
		UNIT_TEST(a_host_is_found_by_any_of_its_names_and_a_process_by_its_own),
		UNIT_TEST(a_reply_tells_the_identifier_at_the_next_hop),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
