/* test_address.c - From: fields name the domain that every reader agrees on, or none. */
#include "common/address.h"

#include <stdlib.h>

#include "unit.h"

static void check_fields(const char *first, const char *second, long long count, const char *domain)
{
	struct address_list list;

	address_list_init(&list);
	address_list_read(&list, text_of(first));
	if (second)
		address_list_read(&list, text_of(second));
	CHECK_SAYING((long long)address_list_count(&list) == count, "%s: count %llu, wanted %lld", first,
		     (unsigned long long)address_list_count(&list), count);
	struct text got = address_list_domain(&list);

	CHECK_SAYING(domain ? got.start && text_is(got, domain) : !got.start, "%s: domain \"%.*s\", wanted %s",
		     first, TEXT_ARGS(got), domain ? domain : "none");
}

TEST(one_address_has_a_domain_however_it_is_written)
{
	static const struct { const char *value, *domain; } rows[] = {
		{ "ann@example.com", "example.com" },
		{ " Ann <ann@Example.COM>", "example.com" },
		{ "<ann@example.com>", "example.com" },
		{ "\"Smith, Ann\" <ann@example.com>", "example.com" },
		{ "Smith, Ann <ann@example.com>", "example.com" },
		{ "\"<x@evil.test>\" <ann@example.com>", "example.com" },
		{ "x@evil.test <ann@example.com>", "example.com" },
		{ "x@evil.test via List <ann@example.com>", "example.com" },
		{ "(x@evil.test) ann@example.com (y@evil.test)", "example.com" },
		{ "ann@example.com (a (nested) comment)", "example.com" },
		{ "ann @ example . com", "example.com" },
		{ "ann@example(comment).com", "example.com" },
		{ "ann@\r\n example.com", "example.com" },
		{ "Ann\n\t<ann@example.com>", "example.com" },
		{ "\"ann@x\"@example.com", "example.com" },
		{ "\"a\\\"@evil.test\"@example.com", "example.com" },
		{ "<@route.test,@other.test:ann@example.com>", "example.com" },
		{ "<@route.test:ann@example.com>", "example.com" },
		{ "=?utf-8?Q?x=40evil.test?= <ann@example.com>", "example.com" },
		{ "=?utf-8?B?w4TDtg==?= <ann@example.com>", "example.com" },
		{ "Group: ann@example.com;", "example.com" },
		{ "ann@example.com.", "example.com" },
		{ "ann@example.com,", "example.com" },
		{ ",, ann@example.com", "example.com" },
		{ "ann@example.com;", "example.com" },
		{ "A. N. Other <ann@example.com>", "example.com" },
		{ "j\xc3\xb6rg@ex\xc3\xa4mple.de", "ex\xc3\xa4mple.de" },
		{ "ann@sub_domain.xn--exmple-cua.de", "sub_domain.xn--exmple-cua.de" },
		{ "DOMAIN\\ann <ann@example.com>", "example.com" },
		{ "ann.smith+tag@example.com", "example.com" },
		{ "<ann@example.com> Ann", "example.com" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_fields(rows[i].value, NULL, 1, rows[i].domain);
}

TEST(more_or_less_than_one_address_is_counted_without_a_domain)
{
	static const struct { const char *value; long long count; } rows[] = {
		{ "", 0 },
		{ "undisclosed-recipients:;", 0 },
		{ "ann@example.com, bob@example.net", 2 },
		{ "Group: ann@example.com, bob@example.net;", 2 },
		{ "One: a@example.com; Two: b@example.net;", 2 },
		{ "ann@example.com, bob@mail.example.com", 2 },
		{ "a@example.com, b@example.net, c@example.com", 3 },
		{ "ann@example.com, bob@[192.0.2.1]", 2 },
		{ "bob@[192.0.2.1], ann@example.com", 2 },
		{ "ann@example.com; bob@example.net", 2 },
		{ "<ann@example.com> <bob@example.net>", 2 },
		{ "<ann@example.com> bob@example.net", 2 },
		{ "ann, bob", 2 },
		{ "root", 1 },
		{ "Root <root>", 1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_fields(rows[i].value, NULL, rows[i].count, NULL);
}

/* RFC 7489 6.6.1: each domain is looked at, and here there is one. */
TEST(several_addresses_of_one_domain_name_it)
{
	static const struct { const char *value; long long count; } rows[] = {
		{ "ann@example.com, bob@example.com", 2 },
		{ "Ann <ann@Example.com>, \"Bob\" <bob@EXAMPLE.COM.>", 2 },
		{ "Group: ann@example.com, bob@example.com;", 2 },
		{ "One: a@example.com; Two: b@example.com;", 2 },
		{ "a@example.com, b@example.com, c@example.com", 3 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_fields(rows[i].value, NULL, rows[i].count, "example.com");
}

TEST(a_doubtful_form_names_no_domain)
{
	static const struct { const char *value; long long count; } rows[] = {
		{ "ann@evil.test@example.com", 1 },
		{ "ann@[192.0.2.1]", 1 },
		{ "<ann@[IPv6:2001:db8::1]>", 1 },
		{ "ann@example..com", 1 },
		{ "ann@.example.com", 1 },
		{ "ann@", 1 },
		{ "@example.com", 1 },
		{ "<@example.com>", 1 },
		{ "<ann@example.com", 1 },
		{ "<ann@example.com bob>", 1 },
		{ "ann smith@example.com", 1 },
		{ "ann@example.com smith", 1 },
		{ "ann@exa mple.com", 1 },
		{ "ann@exam/ple.com", 1 },
		{ "ann@\"example.com\"", 1 },
		{ "ann@=?utf-8?Q?example.com?=", 1 },
		{ "=?utf-8?Q?ann=40example.com?=", 1 },
		{ "\"Ann <ann@example.com>", 0 },
		{ "(Ann <ann@example.com>", 0 },
		{ "Ann <ann@example.com> (", 1 },
		{ "a: b: ann@example.com;", 1 },
		{ "ann@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com", 1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_fields(rows[i].value, NULL, rows[i].count, NULL);
}

TEST(several_from_fields_add_up)
{
	check_fields("ann@example.com", "bob@example.net", 2, NULL);
	check_fields("ann@example.com", "ann@example.com", 2, NULL);
	check_fields("ann@example.com", "", 1, "example.com");
	check_fields("ann@example.com", "\"", 1, NULL);
}

TEST(a_domain_longer_than_dns_allows_is_none)
{
	char value[600] = "a@";

	for (size_t i = 0; i < 130; i++)
		strcat(value, "a.");
	strcat(value, "com");
	check_fields(value, NULL, 1, NULL);
}

TEST(a_field_that_was_not_read_takes_the_domain_away)
{
	struct address_list list;

	address_list_init(&list);
	address_list_read(&list, TEXT_LITERAL("ann@example.com"));
	CHECK(address_list_domain(&list).start);
	address_list_doubt(&list);
	CHECK(!address_list_domain(&list).start);
}

/* Whatever the bytes are, reading ends, stays in bounds (a sanitizer would say) and any
 * domain it names stands in the field. */
TEST(random_bytes_never_name_a_domain_that_is_not_there)
{
	static const char alphabet[] = "ab@@.<>\"\\(),;:[] \n=?";
	unsigned seed = 1;

	for (int round = 0; round < 200000; round++) {
		char *value = malloc(24);
		size_t length = (size_t)rand_r(&seed) % 24;
		struct address_list list;

		for (size_t i = 0; i < length; i++)
			value[i] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
		address_list_init(&list);
		address_list_read(&list, (struct text){ value, length });
		struct text domain = address_list_domain(&list);
		if (domain.start)
			CHECK(memchr(value, domain.start[0], length) && memchr(value, '@', length));
		free(value);
	}
	CHECK(true);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(one_address_has_a_domain_however_it_is_written),
		UNIT_TEST(more_or_less_than_one_address_is_counted_without_a_domain),
		UNIT_TEST(several_addresses_of_one_domain_name_it),
		UNIT_TEST(a_doubtful_form_names_no_domain),
		UNIT_TEST(several_from_fields_add_up),
		UNIT_TEST(a_domain_longer_than_dns_allows_is_none),
		UNIT_TEST(a_field_that_was_not_read_takes_the_domain_away),
		UNIT_TEST(random_bytes_never_name_a_domain_that_is_not_there),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
