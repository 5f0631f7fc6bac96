/* test_domain.c - names of domains, made comparable. */
#include <errno.h>

#include "common/auth/domain.h"
#include "tests/unit/unit.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

TEST(domain_normalizes_what_the_dns_can_hold_and_refuses_the_rest)
{
	static const struct {
		const char *name;
		int error;
		const char *wanted;
	} rows[] = {
		{ "Example.COM", 0, "example.com" },
		{ "example.com.", 0, "example.com" },
		{ "_dmarc.example.com", 0, "_dmarc.example.com" },
		{ "m\xc3\xbcller.example", 0, "xn--mller-kva.example" },
		{ "M\xc3\x9cLLER.example", 0, "xn--mller-kva.example" },
		{ "xn--mller-kva.example", 0, "xn--mller-kva.example" },
		{ "stra\xc3\x9f" "e.example", 0, "xn--strae-oqa.example" },
		{ "com", 0, "com" },
		{ L63 ".com", 0, L63 ".com" },
		{ L63 "4.com", -EINVAL, NULL },
		{ L63 "." L63 "." L63 "." L63, -ENAMETOOLONG, NULL },
		{ "", -EINVAL, NULL },
		{ ".", -EINVAL, NULL },
		{ "a..b", -EINVAL, NULL },
		{ ".a", -EINVAL, NULL },
		{ "a..", -EINVAL, NULL },
		{ "[192.0.2.1]", -EINVAL, NULL },
		{ "a b.example", -EINVAL, NULL },
		{ "a\tb.example", -EINVAL, NULL },
		{ "a@b.example", -EINVAL, NULL },
		{ "a\x80.example", -EINVAL, NULL },
		{ "a\\046b.example", -EINVAL, NULL },
	};
	char name[DOMAIN_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int error = domain_normalize(text_of(rows[i].name), name);

		CHECK_SAYING(error == rows[i].error, "'%s' gives %d", rows[i].name, error);
		if (!error && rows[i].wanted)
			CHECK_STRING(name, rows[i].wanted);
	}
	CHECK_NUMBER(domain_normalize((struct text){ "a\0b.example", 11 }, name), -EINVAL);
}

TEST(domain_within_is_the_same_or_below_at_a_dot)
{
	static const struct {
		const char *name, *parent;
		bool wanted;
	} rows[] = {
		{ "example.com", "example.com", true },  { "a.example.com", "example.com", true },
		{ "A.EXAMPLE.com", "example.com", true }, { "badexample.com", "example.com", false },
		{ "com", "example.com", false },          { "example.com", "", false },
		{ "", "example.com", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_SAYING(domain_is_within(text_of(rows[i].name), text_of(rows[i].parent)) == rows[i].wanted,
			     "%s in %s", rows[i].name, rows[i].parent);
}

TEST(domain_knows_addresses_from_names)
{
	static const struct {
		const char *name;
		bool wanted;
	} rows[] = {
		{ "1.2.3.4", true },      { "[1.2.3.4]", true },     { "[IPv6:2001:db8::1]", true }, { "1.2.3.4.", true },
		{ "example.com", false }, { "1.example.c4", false }, { "x.1", true },                { "", false },
		{ "4", true },            { "a4", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_SAYING(domain_is_address(text_of(rows[i].name)) == rows[i].wanted, "%s", rows[i].name);
	CHECK_NUMBER(domain_labels(TEXT_LITERAL("a.b.c")), 3);
	CHECK_NUMBER(domain_labels(TEXT_LITERAL("")), 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(domain_normalizes_what_the_dns_can_hold_and_refuses_the_rest),
		UNIT_TEST(domain_within_is_the_same_or_below_at_a_dot),
		UNIT_TEST(domain_knows_addresses_from_names),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
