/* dialogue.c - reads a dialogue: lines, words, quotes, repetition. */
#include "dialogue.h"

#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 8

struct reader {
	const char *file;
	unsigned line;
	const char *at;		/* NUL-terminated line */
};

#define fail(reader, ...) do { \
	fprintf(stderr, "%s:%u: ", (reader)->file, (reader)->line); \
	fprintf(stderr, __VA_ARGS__); \
	fputc('\n', stderr); \
	exit(2); \
} while (0)

/* Makes room for one more. */
static void *grow(void *start, size_t count, size_t size)
{
	void *grown;

	if (count & (count - 1))	/* only at 0 and the powers of two */
		return start;
	grown = realloc(start, (count ? count * 2 : 1) * size);
	if (!grown)
		err(1, "cannot keep the dialogue");
	return grown;
}

static int hex_digit(char digit)
{
	const char *digits = "0123456789abcdef", *found = strchr(digits, tolower((unsigned char)digit));

	return found && digit ? (int)(found - digits) : -1;
}

static char read_escape(struct reader *reader)
{
	static const char from[] = "nrt0\\\"#", to[] = "\n\r\t\0\\\"#";
	char letter = *reader->at;
	const char *found = letter ? strchr(from, letter) : NULL;

	reader->at++;
	if (found)
		return to[found - from];
	if (letter != 'x' || hex_digit(reader->at[0]) < 0 || hex_digit(reader->at[1]) < 0)
		fail(reader, "wrong escape; allowed are \\xNN \\n \\r \\t \\0 \\\\ \\\" \\#");
	reader->at += 2;
	return (char)(hex_digit(reader->at[-2]) * 16 + hex_digit(reader->at[-1]));
}

static struct dialogue_piece *add_piece(struct dialogue_group *group, unsigned counter)
{
	group->pieces = grow(group->pieces, group->count, sizeof(*group->pieces));
	group->pieces[group->count] = (struct dialogue_piece){ .counter = counter };
	return &group->pieces[group->count++];
}

/* One counter or byte. */
static void read_piece(struct reader *reader, struct dialogue_group *group)
{
	struct dialogue_piece *piece = group->count ? &group->pieces[group->count - 1] : NULL;
	char byte = *reader->at;

	if (strncmp(reader->at, "{n}", 3) == 0 || strncmp(reader->at, "{m}", 3) == 0) {
		add_piece(group, reader->at[1] == 'n' ? 1 : 2);
		reader->at += 3;
		return;
	}
	if (!piece || piece->counter)
		piece = add_piece(group, 0);
	reader->at++;
	if (byte == '\\')
		byte = read_escape(reader);
	piece->bytes = grow(piece->bytes, piece->length, 1);
	piece->bytes[piece->length++] = byte;
}

static struct dialogue_group *add_group(struct dialogue_word *word)
{
	word->groups = grow(word->groups, word->count, sizeof(*word->groups));
	word->groups[word->count] = (struct dialogue_group){ .times = 1 };
	return &word->groups[word->count++];
}

static bool is_end(char byte)
{
	return byte == '\0' || byte == ' ' || byte == '\t' || byte == '#';
}

static void read_quoted(struct reader *reader, struct dialogue_word *word)
{
	for (;;) {
		struct dialogue_group *group = add_group(word);

		if (*reader->at != '"')
			fail(reader, "a quote is missing after +");
		for (reader->at++; *reader->at != '"'; ) {
			if (!*reader->at)
				fail(reader, "a quote is not closed");
			read_piece(reader, group);
		}
		reader->at++;
		if (*reader->at == '*')
			group->times = strtoull(reader->at + 1, (char **)(size_t)&reader->at, 10);
		if (is_end(*reader->at))
			return;
		if (*reader->at++ != '+')
			fail(reader, "after a quote comes a blank, * and a number, or + and a quote");
	}
}

static void read_line(struct reader *reader, struct dialogue_line *line)
{
	for (;;) {
		struct dialogue_word *word;

		while (*reader->at == ' ' || *reader->at == '\t')
			reader->at++;
		if (is_end(*reader->at))
			return;
		line->words = grow(line->words, line->count, sizeof(*line->words));
		word = &line->words[line->count++];
		*word = (struct dialogue_word){ 0 };
		if (*reader->at == '"') {
			read_quoted(reader, word);
			continue;
		}
		for (struct dialogue_group *group = add_group(word); !is_end(*reader->at); )
			read_piece(reader, group);
	}
}

bool dialogue_is(const struct dialogue_word *word, const char *text)
{
	const struct dialogue_group *group = word->groups;

	return word->count == 1 && group->count == 1 && group->times == 1 && !group->pieces[0].counter &&
	       text_is((struct text){ group->pieces[0].bytes, group->pieces[0].length }, text);
}

/* Ties each repeat to its end. */
static void match_repeats(struct dialogue *dialogue, struct reader *reader)
{
	size_t open[NESTING_MAX], depth = 0;

	for (size_t i = 0; i < dialogue->count; i++) {
		reader->line = dialogue->lines[i].number;
		if (dialogue_is(&dialogue->lines[i].words[0], "repeat")) {
			if (depth == NESTING_MAX)
				fail(reader, "repeats are nested too deep");
			open[depth++] = i;
		} else if (dialogue_is(&dialogue->lines[i].words[0], "end")) {
			if (depth == 0)
				fail(reader, "an end without its repeat");
			dialogue->lines[open[--depth]].end = i;
		}
	}
	if (depth) {
		reader->line = dialogue->lines[open[depth - 1]].number;
		fail(reader, "a repeat without its end");
	}
}

void dialogue_read(struct dialogue *ret_dialogue, const char *file)
{
	struct reader reader = { .file = file };
	FILE *stream = fopen(file, "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t length;

	*ret_dialogue = (struct dialogue){ .file = file };
	if (!stream)
		err(2, "cannot read the dialogue '%s'", file);
	while ((length = getline(&text, &size, stream)) >= 0) {
		struct dialogue_line line = { .number = ++reader.line };

		if (length && text[length - 1] == '\n')
			text[length - 1] = '\0';
		reader.at = text;
		read_line(&reader, &line);
		if (line.count == 0)
			continue;
		ret_dialogue->lines = grow(ret_dialogue->lines, ret_dialogue->count, sizeof(line));
		ret_dialogue->lines[ret_dialogue->count++] = line;
	}
	free(text);
	fclose(stream);
	match_repeats(ret_dialogue, &reader);
}

static void free_word(struct dialogue_word *word)
{
	for (size_t i = 0; i < word->count; i++) {
		for (size_t j = 0; j < word->groups[i].count; j++)
			free(word->groups[i].pieces[j].bytes);
		free(word->groups[i].pieces);
	}
	free(word->groups);
}

void dialogue_free(struct dialogue *dialogue)
{
	for (size_t i = 0; i < dialogue->count; i++) {
		for (size_t j = 0; j < dialogue->lines[i].count; j++)
			free_word(&dialogue->lines[i].words[j]);
		free(dialogue->lines[i].words);
	}
	free(dialogue->lines);
}

static void say_piece(const struct dialogue_piece *piece, const uint64_t counters[2], struct wire_bytes *out)
{
	char number[24];

	if (!piece->counter) {
		wire_add(out, piece->bytes, piece->length);
		return;
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)counters[piece->counter - 1]);
	wire_add(out, number, strlen(number));
}

void dialogue_say(const struct dialogue_word *word, const uint64_t counters[2], struct wire_bytes *out)
{
	for (size_t i = 0; i < word->count; i++)
		for (uint64_t times = 0; times < word->groups[i].times; times++)
			for (size_t j = 0; j < word->groups[i].count; j++)
				say_piece(&word->groups[i].pieces[j], counters, out);
}
