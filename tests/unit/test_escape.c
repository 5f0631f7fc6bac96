/* test_escape.c - nothing from outside reaches a terminal that could move, hide or forge text there. */
#include "common/escape.h"

#include <stdlib.h>

#include "unit.h"

#define ROW(input, shown) { { (input), sizeof(input) - 1 }, (shown) }

static const struct { struct text input; const char *shown; } cases[] = {
	ROW("plain <user@example.com>", "plain <user@example.com>"),
	ROW("", ""),
	ROW("a\0b", "a\\x00b"),
	ROW("\x1b[2J\r\n\t\x7f", "\\x1b[2J\\x0d\\x0a\\x09\\x7f"),
	ROW("C:\\x41 \"q\"", "C:\\\\x41 \"q\""),
	ROW("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac"),
	ROW("\xc2\x9b" "31m", "\\xc2\\x9b31m"),				/* C1 control sequence introducer */
	ROW("a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb"),			/* right-to-left override */
	ROW("a\xe2\x81\xa6" "b", "a\\xe2\\x81\\xa6b"),			/* isolate */
	ROW("a\xe2\x80\x8b" "b", "a\\xe2\\x80\\x8bb"),			/* zero width space */
	ROW("\xef\xbb\xbf", "\\xef\\xbb\\xbf"),				/* byte order mark */
	ROW("\xc0\xaf \xe0\x80\xaf", "\\xc0\\xaf \\xe0\\x80\\xaf"),	/* overlong */
	ROW("\xed\xa0\x80", "\\xed\\xa0\\x80"),				/* surrogate */
	ROW("\xf4\x90\x80\x80 \xff", "\\xf4\\x90\\x80\\x80 \\xff"),	/* beyond Unicode */
	ROW("\xe2\x82", "\\xe2\\x82"),					/* cut short */
	ROW("\xe2\x82" "a", "\\xe2\\x82" "a"),
};

/* What a function writes into a stream, as a string of ours to free. */
static char *written(void (*escape)(struct text, FILE *), struct text text)
{
	char *memory = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&memory, &size);

	escape(text, out);
	(void)fclose(out);
	return memory;
}

TEST(only_harmless_bytes_reach_a_terminal)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *shown = written(escape_terminal, cases[i].input), buffer[100];

		CHECK_STRING(shown, cases[i].shown);
		CHECK_NUMBER(escape_into(cases[i].input, buffer, sizeof buffer, NULL), strlen(cases[i].shown));
		CHECK_STRING(buffer, cases[i].shown);
		free(shown);
	}
}

TEST(a_sentence_is_masked_where_it_stands)
{
	char text[] = "a\\b \x1b[2J\xc2\x9b" "31m gr\xc3\xbc\xc3\x9f \xe2\x80\xae" "b\xff \xe2\x82";

	escape_mask(text);
	CHECK_STRING(text, "a\\b ?[2J??31m gr\xc3\xbc\xc3\x9f ???b? ??");
}

TEST(what_hides_text_is_told_with_its_length)
{
	unsigned code = 0;

	CHECK_NUMBER(escape_harmful_length(TEXT_LITERAL("\xe2\x80\xae" "b"), &code), 3);
	CHECK_NUMBER(code, 0x202e);
	CHECK_NUMBER(escape_harmful_length(TEXT_LITERAL("\xf3\xa0\x80\x81"), &code), 4);
	CHECK_NUMBER(code, 0xe0001);
	CHECK_NUMBER(escape_harmful_length(TEXT_LITERAL("\xc3\xbc"), &code), 0);
	CHECK_NUMBER(escape_harmful_length(TEXT_LITERAL("\xff"), &code), 0);
	CHECK_NUMBER(escape_harmful_length(TEXT_NONE, &code), 0);
}

TEST(a_quoted_text_cannot_end_its_quotes)
{
	char *shown = written(escape_quoted, TEXT_LITERAL("a\" b=\"\\"));

	CHECK_STRING(shown, "\"a\\\" b=\\\"\\\\\"");
	free(shown);
}

TEST(a_short_buffer_is_filled_with_whole_pieces)
{
	char buffer[8];
	size_t columns = 0;

	CHECK_NUMBER(escape_into(TEXT_LITERAL("abcde\x01"), buffer, sizeof buffer, &columns), 5);
	CHECK_STRING(buffer, "abcde");
	CHECK_NUMBER(columns, 5);
	CHECK_NUMBER(escape_into(TEXT_LITERAL("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), buffer, sizeof buffer,
				 &columns), 6);
	CHECK_NUMBER(columns, 2);
	CHECK_NUMBER(escape_into(TEXT_LITERAL("a"), buffer, 1, NULL), 0);
	CHECK_STRING(buffer, "");
}

TEST(text_for_json_is_always_valid_utf8)
{
	size_t length = 0;
	char *copy = escape_utf8_new((struct text){ "\x01 \\ \xc3\xbc \xff \xe2\x82", 11 }, &length);

	CHECK_STRING(copy, "\x01 \\ \xc3\xbc \\xff \\xe2\\x82");
	CHECK_NUMBER(length, strlen(copy));
	free(copy);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(only_harmless_bytes_reach_a_terminal),
		UNIT_TEST(a_sentence_is_masked_where_it_stands),
		UNIT_TEST(what_hides_text_is_told_with_its_length),
		UNIT_TEST(a_quoted_text_cannot_end_its_quotes),
		UNIT_TEST(a_short_buffer_is_filled_with_whole_pieces),
		UNIT_TEST(text_for_json_is_always_valid_utf8),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
