/* test_match.c - networks, addresses, points in time and identifiers that a person asks for. */
#include "analysis/match.h"

#include "analysis/stream_id.h"
#include "analysis/when.h"
#include "common/record.h"
#include "unit.h"

TEST(a_network_has_its_addresses_and_no_others)
{
	static const struct { const char *network, *address; bool wanted; } rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.77/24", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "0.0.0.0/0", "198.51.100.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "::ffff:192.0.2.0/120", "192.0.3.9", false },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::1", "IPv6:2001:db8::1", true },
		{ "2001:db8::1", "[2001:DB8::1]", true },
		{ "fe80::/10", "fe80::1%eth0", true },
		{ "0.0.0.0/0", "", false },
		{ "0.0.0.0/0", "unknown", false },
		{ "0.0.0.0/0", "local socket that has a very long name indeed, longer than an address", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct network network;

		CHECK_SAYING(network_parse(rows[i].network, &network) &&
			     network_has(&network, text_of(rows[i].address)) == rows[i].wanted,
			     "%s and %s", rows[i].network, rows[i].address);
	}
}

TEST(all_forms_of_an_address_stand_for_one_text)
{
	static const struct { const char *form, *wanted; } rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "[192.0.2.1]", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::FFFF:c000:201", "192.0.2.1" },
		{ "IPv6:::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001:0DB8:0:0:0:0:0:0001", "2001:db8::1" },
		{ "[ipv6:2001:DB8::1]", "2001:db8::1" },
		{ "fe80::1%eth0", "fe80::1" },
		{ "FE80:0::1", "fe80::1" },
		{ "::192.0.2.1", "::192.0.2.1" },
		{ "192.0.2", NULL },
		{ "192.0.2.01x", NULL },
		{ "unknown", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[NETWORK_ADDRESS_SIZE];
		bool is_address = network_address(text_of(rows[i].form), text);

		CHECK_SAYING(is_address == !!rows[i].wanted, "%s", rows[i].form);
		if (is_address && rows[i].wanted)
			CHECK_STRING(text, rows[i].wanted);
	}
}

TEST(addresses_of_a_network_are_counted_from_its_first)
{
	static const struct { const char *network; unsigned number; const char *wanted; } rows[] = {
		{ "192.0.2.77/24", 0, "192.0.2.0" },
		{ "192.0.2.77/24", 255, "192.0.2.255" },
		{ "192.0.2.0/23", 256, "192.0.3.0" },
		{ "192.0.2.9", 0, "192.0.2.9" },
		{ "192.0.2.9/31", 1, "192.0.2.9" },
		{ "2001:db8::ff/119", 511, "2001:db8::1ff" },
		{ "2001:db8::7", 0, "2001:db8::7" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[NETWORK_ADDRESS_SIZE];
		struct network network;

		CHECK(network_parse(rows[i].network, &network));
		network_nth(&network, rows[i].number, text);
		CHECK_STRING(text, rows[i].wanted);
		CHECK_SAYING(network_has(&network, text_of(text)), "%s", text);
	}
}

TEST(what_is_no_network_is_refused)
{
	static const char *const wrong[] = {
		"", "/", "/8", "192.0.2", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/8x", "2001:db8::/129",
		"192.0.2.0/99999999999999999999", "example.com", "*",
	};
	struct network network;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK_SAYING(!network_parse(wrong[i], &network), "'%s'", wrong[i]);
}

TEST(an_address_matches_its_pattern)
{
	static const struct { const char *pattern, *address; bool wanted; } rows[] = {
		{ "bob@example.com", "Bob@EXAMPLE.com", true },
		{ "bob@example.com", "bob@example.com.net", false },
		{ "<bob@example.com>", "bob@example.com", true },
		{ "bob@example.com", "<bob@example.com>", true },
		{ "*@example.com", "bob@example.com", true },
		{ "*@example.com", "bob@sub.example.com", false },
		{ "*example.com", "bob@sub.example.com", true },
		{ "bob*", "bob", true },
		{ "b*b@*.com", "bobby-bob@example.com", true },
		{ "b*b@*.com", "bobby@example.com", false },
		{ "*", "", true },
		{ "", "", true },
		{ "<>", "", true },
		{ "<>", "bob", false },
		{ "a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK_SAYING(address_matches(rows[i].pattern, text_of(rows[i].address)) == rows[i].wanted, "'%s' and '%s'",
			     rows[i].pattern, rows[i].address);
	CHECK(!address_matches("*", TEXT_NONE));
}

TEST(a_time_is_read_as_a_person_writes_it)
{
	static const struct { const char *text; uint64_t ago_us; const char *at; } rows[] = {
		{ "90s", 90000000, NULL },
		{ "10m", 600000000, NULL },
		{ "15min", 900000000, NULL },
		{ "2h", UINT64_C(7200000000), NULL },
		{ "7d", UINT64_C(604800000000), NULL },
		{ "today", 0, "2026-11-21T00:00:00.000000Z" },
		{ "yesterday", 0, "2026-11-20T00:00:00.000000Z" },
		{ "08:15", 0, "2026-11-21T08:15:00.000000Z" },
		{ "08:15:30", 0, "2026-11-21T08:15:30.000000Z" },
		{ "2026-11-01", 0, "2026-11-01T00:00:00.000000Z" },
		{ "2026-11-01 08:15", 0, "2026-11-01T08:15:00.000000Z" },
		{ "2026-11-01 08:15:30.5", 0, "2026-11-01T08:15:30.500000Z" },
		{ "2026-11-01T08:15:30Z", 0, "2026-11-01T08:15:30.000000Z" },
		{ "2026-11-01T08:15:30+02:00", 0, "2026-11-01T06:15:30.000000Z" },
		{ "2026-11-01 08:15-05:00", 0, "2026-11-01T13:15:00.000000Z" },
	};
	uint64_t now_us = 0;

	CHECK(time_parse(TEXT_LITERAL("2026-11-21T12:34:56.789Z"), &now_us) == 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct when when = { false, 0 };
		char at[TIME_TEXT_SIZE];

		CHECK_SAYING(when_parse(rows[i].text, now_us, &when) == 0, "'%s'", rows[i].text);
		time_format(when.us, at);
		CHECK_SAYING(when.is_ago == !rows[i].at && (when.is_ago ? when.us == rows[i].ago_us : strcmp(at, rows[i].at) == 0),
			     "'%s' is %s", rows[i].text, at);
	}
}

TEST(what_is_no_time_is_refused)
{
	static const char *const wrong[] = {
		"", "m", "10", "10x", "-10m", "99999999999999999999d", "200000000000d", "tomorrow", "8:15", "08:15x",
		"2026-11-01x", "2026-13-01", "2026-11-31", "2026-11-01 25:00", "2026-11-01 08:15:30.5.5", "2026-11-01 +02:00",
		"2026-11-01T08:15:30Zand much more than that which is longer than any time",
	};
	struct when when;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK_SAYING(when_parse(wrong[i], 0, &when) != 0, "'%s'", wrong[i]);
}

TEST(an_identifier_round_trips_and_has_one_before)
{
	static const struct { const char *text, *full, *before; } rows[] = {
		{ "0", "0-0", "0-0" },
		{ "5", "5-0", "4-18446744073709551615" },
		{ "5-7", "5-7", "5-6" },
		{ "18446744073709551615-18446744073709551615", "18446744073709551615-18446744073709551615",
		  "18446744073709551615-18446744073709551614" },
	};
	static const char *const wrong[] = { "", "-", "5-", "-5", "5-x", "$", "+", "18446744073709551616", "5-7-9" };
	char text[STREAM_ID_SIZE];
	struct stream_id id;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CHECK(stream_id_parse(text_of(rows[i].text), &id));
		CHECK_TEXT(stream_id_format(id, text), rows[i].full);
		CHECK_TEXT(stream_id_format(stream_id_before(id), text), rows[i].before);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CHECK_SAYING(!stream_id_parse(text_of(wrong[i]), &id), "'%s'", wrong[i]);
	CHECK(stream_id_compare((struct stream_id){ 1, 9 }, (struct stream_id){ 2, 0 }) < 0);
	CHECK(stream_id_compare((struct stream_id){ 2, 1 }, (struct stream_id){ 2, 0 }) > 0);
	CHECK(stream_id_compare((struct stream_id){ 2, 1 }, (struct stream_id){ 2, 1 }) == 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_network_has_its_addresses_and_no_others),
		UNIT_TEST(all_forms_of_an_address_stand_for_one_text),
		UNIT_TEST(addresses_of_a_network_are_counted_from_its_first),
		UNIT_TEST(what_is_no_network_is_refused),
		UNIT_TEST(an_address_matches_its_pattern),
		UNIT_TEST(a_time_is_read_as_a_person_writes_it),
		UNIT_TEST(what_is_no_time_is_refused),
		UNIT_TEST(an_identifier_round_trips_and_has_one_before),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
