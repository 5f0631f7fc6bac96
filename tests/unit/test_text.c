/* test_text.c - comparisons of borrowed text: absent, empty, cut anywhere, of any bytes. */
#include "common/text.h"

#include "unit.h"

TEST(a_text_begins_with_what_stands_at_its_start)
{
	const struct { struct text text; const char *prefix; bool starts, starts_nocase; } rows[] = {
		{ TEXT_LITERAL("Deferred: later"), "Deferred", true, true },
		{ TEXT_LITERAL("DEFERRED: later"), "Deferred", false, true },
		{ TEXT_LITERAL("Deferred"), "Deferred", true, true },
		{ TEXT_LITERAL("Deferre"), "Deferred", false, false },
		{ TEXT_LITERAL("x"), "", true, true },
		{ TEXT_LITERAL(""), "", true, true },
		{ TEXT_LITERAL(""), "x", false, false },
		{ TEXT_NONE, "", true, true },
		{ TEXT_NONE, "x", false, false },
		/* strncasecmp ends at a NUL, which only the text can have. */
		{ TEXT_LITERAL("ab\0c"), "ab", true, true },
		{ TEXT_LITERAL("a\0bc"), "a", true, true },
		{ TEXT_LITERAL("a\0bc"), "abc", false, false },
		{ TEXT_LITERAL("\xc3\xa4"), "\xc3\x84", false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CHECK_SAYING(text_starts(rows[i].text, rows[i].prefix) == rows[i].starts, "row %zu", i);
		CHECK_SAYING(text_starts_nocase(rows[i].text, rows[i].prefix) == rows[i].starts_nocase, "row %zu", i);
	}
}

TEST(a_text_has_what_stands_anywhere_in_it)
{
	const struct { struct text text; const char *wanted; bool has, has_nocase; } rows[] = {
		{ TEXT_LITERAL("user unknown"), "unknown", true, true },
		{ TEXT_LITERAL("User Unknown"), "unknown", false, true },
		{ TEXT_LITERAL("user unknow"), "unknown", false, false },
		{ TEXT_LITERAL("unknown"), "unknown", true, true },
		{ TEXT_LITERAL("nknown"), "unknown", false, false },
		{ TEXT_LITERAL("user\0unknown"), "unknown", true, true },
		{ TEXT_LITERAL("unk\0own"), "unknown", false, false },
		{ TEXT_LITERAL("x"), "", true, true },
		{ TEXT_LITERAL(""), "", true, true },
		{ TEXT_LITERAL(""), "x", false, false },
		{ TEXT_NONE, "", false, false },
		{ TEXT_NONE, "x", false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CHECK_SAYING(text_has(rows[i].text, rows[i].wanted) == rows[i].has, "row %zu", i);
		CHECK_SAYING(text_has_nocase(rows[i].text, rows[i].wanted) == rows[i].has_nocase, "row %zu", i);
	}
	CHECK(text_find_nocase(TEXT_NONE, TEXT_NONE) == NULL);
}

/* Of every length, since the comparison goes by words. */
TEST(a_single_other_byte_makes_two_texts_differ)
{
	char a[80], b[80];

	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (char)(i * 37);
	for (size_t length = 0; length <= sizeof a; length++) {
		CHECK_SAYING(text_same_bytes(a, b, length), "%zu bytes", length);
		for (size_t i = 0; i < length; i++) {
			b[i] = (char)(b[i] ^ 0x80);
			CHECK_SAYING(!text_same_bytes(a, b, length), "byte %zu of %zu", i, length);
			b[i] = a[i];
		}
	}
	CHECK(text_equal(TEXT_NONE, TEXT_LITERAL("")));
	CHECK(text_equal_nocase(TEXT_NONE, TEXT_LITERAL("")));
	CHECK(!text_equal(TEXT_NONE, TEXT_LITERAL("x")));
}

TEST(eight_bytes_have_their_capitals_lowered_and_nothing_else_changed)
{
	for (unsigned byte = 0; byte < 256; byte++)
		for (unsigned at = 0; at < 8; at++) {
			uint64_t beside = UINT64_C(0xff5b40007f80617a), lowered = byte >= 'A' && byte <= 'Z' ? byte + 0x20 : byte;
			uint64_t mask = ~(UINT64_C(0xff) << at * 8);

			CHECK_SAYING(text_lower_word((beside & mask) | (uint64_t)byte << at * 8) ==
				     ((beside & mask) | lowered << at * 8), "byte %u at %u", byte, at);
		}
}

TEST(blanks_around_a_text_are_taken_off)
{
	const struct { struct text text; const char *trimmed; } rows[] = {
		{ TEXT_LITERAL(" \t\r\n a b \t\r\n"), "a b" },
		{ TEXT_LITERAL("a"), "a" },
		{ TEXT_LITERAL(" \v "), "\v" },
		{ TEXT_LITERAL(" \xa0 "), "\xa0" },
		{ TEXT_LITERAL("\r\n "), "" },
		{ TEXT_LITERAL(""), "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct text trimmed = text_trim(rows[i].text);

		CHECK_TEXT(trimmed, rows[i].trimmed);
		CHECK(trimmed.start);
		CHECK_NUMBER(text_is_blank(rows[i].text), !rows[i].trimmed[0]);
	}
	CHECK(!text_trim(TEXT_NONE).start);
	CHECK(text_is_blank(TEXT_NONE));
}

TEST(kinds_of_bytes_are_those_of_ascii)
{
	unsigned digits = 0, alnums = 0, blanks = 0, lowered = 0;

	for (int byte = -128; byte < 128; byte++) {
		digits += byte_is_digit((char)byte);
		alnums += byte_is_alnum((char)byte);
		blanks += byte_is_blank((char)byte);
		lowered += byte_lower((char)byte) != byte;
		CHECK(byte_lower((char)byte) == byte || byte_lower((char)byte) == byte + 32);
	}
	CHECK_NUMBER(digits, 10);
	CHECK_NUMBER(alnums, 62);
	CHECK_NUMBER(blanks, 4);
	CHECK_NUMBER(lowered, 26);
	CHECK(byte_is_alnum('0') && byte_is_alnum('9') && byte_is_alnum('A') && byte_is_alnum('Z') && byte_is_alnum('a') && byte_is_alnum('z'));
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_text_begins_with_what_stands_at_its_start),
		UNIT_TEST(a_text_has_what_stands_anywhere_in_it),
		UNIT_TEST(a_single_other_byte_makes_two_texts_differ),
		UNIT_TEST(eight_bytes_have_their_capitals_lowered_and_nothing_else_changed),
		UNIT_TEST(blanks_around_a_text_are_taken_off),
		UNIT_TEST(kinds_of_bytes_are_those_of_ascii),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
