/* test_person.c - a person's address is found in all its forms, and another's is not. */
#include "common/person.h"

#include <stdlib.h>

#include "unit.h"

static const struct text logins[] = { { "joe", 3 }, { "joe.user", 8 } };

static const struct {
	const char *address, *delimiters, *text;
	const char *wanted;		/* what is found first; NULL: nothing */
} rows[] = {
	{ "joe@example.com", "+", "joe@example.com", "joe@example.com" },
	{ "joe@example.com", "+", "<Joe@EXAMPLE.Com>: no such user", "Joe@EXAMPLE.Com" },
	{ "joe@example.com", "+", "Joe <joe@example.com>.", "joe@example.com" },
	{ "joe@example.com", "+", "rfc822;joe@example.com.", "joe@example.com" },
	{ "joe@example.com", "+", "mail to joe@example.com. It", "joe@example.com" },
	{ "joe@example.com", "+", "ann@example.com,joe@example.com", "joe@example.com" },
	{ "joe@example.com", "+", "'joe@example.com'", "joe@example.com" },
	{ "joe@example.com", "+", "a@joe@example.com", "joe@example.com" },
	/* tags */
	{ "joe@example.com", "+", "joe+shop@example.com", "joe+shop@example.com" },
	{ "joe@example.com", "+", "<joe+a+b.c=d@example.com>", "joe+a+b.c=d@example.com" },
	{ "joe@example.com", "+", "joe+@example.com", "joe+@example.com" },
	{ "joe@example.com", "+", "joe+joe+x@example.com", "joe+joe+x@example.com" },
	{ "joe@example.com", "+", "joe-shop@example.com", NULL },
	{ "joe@example.com", "+-", "joe-shop@example.com", "joe-shop@example.com" },
	{ "joe@example.com", "", "joe+shop@example.com", NULL },
	{ "joe@example.com", "+", "joe+a b@example.com", NULL },
	{ "joe+shop@example.com", "+", "joe+shop@example.com", "joe+shop@example.com" },
	{ "joe+shop@example.com", "+", "joe+shop+x@example.com", "joe+shop+x@example.com" },
	{ "joe+shop@example.com", "+", "joe@example.com", NULL },
	/* xtext */
	{ "joe@example.com", "+", "rfc822;joe+2Bshop@example.com", "joe+2Bshop@example.com" },
	{ "joe+shop@example.com", "+", "rfc822;joe+2bshop@example.com", "joe+2bshop@example.com" },
	{ "a=b@example.com", "+", "rfc822;a+3Db@example.com", "a+3Db@example.com" },
	/* bounce addresses */
	{ "joe@example.com", "+", "list-bounces+joe=example.com@lists.example", "joe=example.com" },
	{ "joe@example.com", "+", "list-joe+shop=example.com@lists.example", "joe+shop=example.com" },
	{ "joe@example.com", "+", "prvs=1234567890=joe@example.com", "joe@example.com" },
	{ "joe@example.com", "+", "bigjoe=example.com@lists.example", NULL },
	/* others */
	{ "joe@example.com", "+", "bigjoe@example.com", NULL },
	{ "joe@example.com", "+", "big.joe@example.com", NULL },
	{ "joe@example.com", "+", "big-joe@example.com", NULL },
	{ "joe@example.com", "+", "big+joe@example.com", NULL },
	{ "joe@example.com", "+", "bigjoe+shop@example.com", NULL },
	{ "joe@example.com", "+", "joey@example.com", NULL },
	{ "joe@example.com", "+", "joe@example.com.au", NULL },
	{ "joe@example.com", "+", "joe@example.community", NULL },
	{ "joe@example.com", "+", "joe@example.com-x.org", NULL },
	{ "joe@example.com", "+", "joe@mx.example.com", NULL },
	{ "joe@example.com", "+", "joe at example.com", NULL },
	{ "joe@example.com", "+", "bigjoe@example.com joe@example.com", "joe@example.com" },
	{ "joe@example.com", "+", "", NULL },
	{ "joe@example.com", "+", "@example.com", NULL },
	{ "joe@example.com", "+", "+@example.com", NULL },
};

/* A copy that ends where the text does, so that a read beyond it is seen. */
static struct text copy_of(const char *text)
{
	size_t length = strlen(text);
	char *bytes = malloc(length + (length == 0));

	CHECK(bytes != NULL);
	return (struct text){ memcpy(bytes, text, length), length };
}

TEST(an_address_is_found_in_all_its_forms_and_not_inside_anothers)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct person person = { text_of(rows[i].address), text_of(rows[i].delimiters), NULL, 0 };
		struct text text = copy_of(rows[i].text), found = person_find(&person, text);

		CHECK_SAYING(rows[i].wanted ? text_is(found, rows[i].wanted) : !found.start, "row %zu, %s: found '%.*s'", i, rows[i].text,
			     TEXT_ARGS(found));
		CHECK_SAYING(person_is(&person, text) == (rows[i].wanted && strcmp(rows[i].wanted, rows[i].text) == 0), "row %zu, %s", i,
			     rows[i].text);
		free((char *)text.start);
	}
}

TEST(a_login_name_is_the_person_as_a_whole_value_alone)
{
	struct person person = { TEXT_LITERAL("joe@example.com"), TEXT_LITERAL("+"), logins, 2 };

	CHECK(person_is(&person, TEXT_LITERAL("JOE")) && person_is_login(&person, TEXT_LITERAL("joe.user")));
	CHECK(!person_is(&person, TEXT_LITERAL("joey")) && !person_is(&person, TEXT_LITERAL("")));
	CHECK(!person_find(&person, TEXT_LITERAL("joe")).start);
	CHECK(person_has_word(&person, TEXT_LITERAL("login of joe failed")));
	CHECK(person_has_word(&person, TEXT_LITERAL("bigjoe, joe")));
	CHECK(!person_has_word(&person, TEXT_LITERAL("bigjoe, joey")));
	person.login_count = 0;
	CHECK(!person_is(&person, TEXT_LITERAL("joe")) && !person_has_word(&person, TEXT_LITERAL("joe")));
}

TEST(an_address_has_two_parts)
{
	CHECK(person_is_address(TEXT_LITERAL("a@b")) && person_is_address(TEXT_LITERAL("\"a@b\"@c")));
	CHECK(!person_is_address(TEXT_LITERAL("ab")) && !person_is_address(TEXT_LITERAL("@b")) && !person_is_address(TEXT_LITERAL("a@")));
	CHECK(!person_is_address(TEXT_LITERAL("")));
}

TEST(any_bytes_around_it_are_read_within_their_length)
{
	static const char *const pieces[] = { "joe", "@", "=", "+", "example.com", ".", "-", "+2B", "\xff", " ", "x" };
	enum { COUNT = sizeof pieces / sizeof pieces[0] };
	struct person person = { TEXT_LITERAL("joe@example.com"), TEXT_LITERAL("+-"), logins, 2 };

	for (size_t i = 0; i < (size_t)COUNT * COUNT * COUNT * COUNT; i++) {
		char bytes[64];

		(void)snprintf(bytes, sizeof bytes, "%s%s%s%s", pieces[i % COUNT], pieces[i / COUNT % COUNT],
			       pieces[i / COUNT / COUNT % COUNT], pieces[i / COUNT / COUNT / COUNT]);
		struct text text = copy_of(bytes), found = person_find(&person, text);

		CHECK_SAYING(!found.start || (found.start >= text.start && found.start + found.length <= text.start + text.length &&
					      found.length >= person.address.length), "%s", bytes);
		(void)person_has_word(&person, text);
		free((char *)text.start);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(an_address_is_found_in_all_its_forms_and_not_inside_anothers),
		UNIT_TEST(a_login_name_is_the_person_as_a_whole_value_alone),
		UNIT_TEST(an_address_has_two_parts),
		UNIT_TEST(any_bytes_around_it_are_read_within_their_length),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
