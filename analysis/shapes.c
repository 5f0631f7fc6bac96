/* shapes.c - a table of masked lines. */
#include "analysis/shapes.h"

#include <stdlib.h>

#include "analysis/show_event.h"
#include "common/escape.h"

enum { SLOTS = 4096, PROGRAM_MAX = 48, PATH_SHOWN_MAX = 200 };

struct shape {
	uint64_t count;
	char program[PROGRAM_MAX];
	size_t program_length;
	char mask[SHAPES_TEXT_MAX];
	size_t mask_length;
	char sample[SHAPES_TEXT_MAX];
	size_t sample_length;
	char file[PATH_SHOWN_MAX];
	uint64_t line;
};

struct shapes {
	size_t count;
	uint64_t others;
	unsigned short slots[SLOTS];	/* number of a shape, from 1 */
	struct shape shapes[SHAPES_MAX];
};

struct shapes *shapes_new(void)
{
	return calloc(1, sizeof(struct shapes));
}

void shapes_free(struct shapes *shapes)
{
	free(shapes);
}

/* "mx.example.com", "joe@example.com": words, with a letter somewhere, that dots or an @ tie. 0: it is none. */
static size_t name_length(const char *start, size_t length)
{
	size_t i = 0, ties = 0, letters = 0;

	for (; i < length && (byte_is_alnum(start[i]) || (i && memchr(".@-_", start[i], 4))); i++) {
		ties += (start[i] == '.' || start[i] == '@') && i + 1 < length && byte_is_alnum(start[i + 1]);
		letters += byte_is_alnum(start[i]) && !byte_is_digit(start[i]);
	}
	while (i && !byte_is_alnum(start[i - 1]))
		i--;
	return ties && letters ? i : 0;
}

/* A word with a digit in it: an id, an address, a number. */
static size_t mask_word(const char *start, size_t length, char *mask, size_t room)
{
	bool has_digit = false, has_letter = false;
	const char *name;
	size_t count;

	for (size_t i = 0; i < length; i++) {
		has_digit = has_digit || byte_is_digit(start[i]);
		has_letter = has_letter || !byte_is_digit(start[i]);
	}
	name = !has_digit ? start : has_letter ? "ID" : "N";
	count = !has_digit ? length : strlen(name);
	if (count > room)
		count = room;
	memcpy(mask, name, count);
	return count;
}

size_t shape_mask(struct text text, char *mask, size_t size)
{
	size_t length = 0, i = 0;

	while (i < text.length && length < size) {
		size_t word = 0, name = name_length(text.start + i, text.length - i);

		if (name) {
			length += mask_word("NAME", 4, mask + length, size - length);
			i += name;
			continue;
		}
		while (i + word < text.length && byte_is_alnum(text.start[i + word]))
			word++;
		if (word) {
			length += mask_word(text.start + i, word, mask + length, size - length);
			i += word;
			continue;
		}
		const char *close = text.start[i] == '<' ? memchr(text.start + i, '>', text.length - i) : NULL;

		mask[length++] = text.start[i++];
		if (close)
			i = (size_t)(close - text.start);
	}
	return length;
}

static unsigned hash_of(const struct shape *shape)
{
	unsigned hash = 5381;

	for (size_t i = 0; i < shape->program_length; i++)
		hash = hash * 33 + (unsigned char)shape->program[i];
	for (size_t i = 0; i < shape->mask_length; i++)
		hash = hash * 33 + (unsigned char)shape->mask[i];
	return hash % SLOTS;
}

static bool is_same(const struct shape *a, const struct shape *b)
{
	return a->program_length == b->program_length && a->mask_length == b->mask_length &&
	       memcmp(a->program, b->program, a->program_length) == 0 && memcmp(a->mask, b->mask, a->mask_length) == 0;
}

static size_t copy_text(char *buffer, size_t size, struct text text)
{
	size_t length = text.length < size ? text.length : size;

	if (length)
		memcpy(buffer, text.start, length);
	return length;
}

void shapes_add(struct shapes *shapes, const struct event *event)
{
	struct shape *shape;
	struct shape looked_for = { .count = 1, .line = event->line };
	unsigned slot;

	looked_for.program_length = copy_text(looked_for.program, PROGRAM_MAX, event->frame.process);
	looked_for.mask_length = shape_mask(event->frame.message, looked_for.mask, SHAPES_TEXT_MAX);
	slot = hash_of(&looked_for);
	for (; shapes->slots[slot]; slot = (slot + 1) % SLOTS) {
		shape = &shapes->shapes[shapes->slots[slot] - 1];
		if (is_same(shape, &looked_for)) {
			shape->count++;
			return;
		}
	}
	if (shapes->count == SHAPES_MAX) {
		shapes->others++;
		return;
	}
	looked_for.sample_length = copy_text(looked_for.sample, SHAPES_TEXT_MAX, event->frame.message);
	(void)snprintf(looked_for.file, sizeof looked_for.file, "%s", event->file);
	shapes->shapes[shapes->count++] = looked_for;
	shapes->slots[slot] = (unsigned short)shapes->count;
}

static int compare_shapes(const void *a, const void *b)
{
	const struct shape *first = a, *second = b;

	return (first->count < second->count) - (first->count > second->count);
}

/* The slots no longer fit after this: nothing is added any more. */
static void sort_shapes(struct shapes *shapes)
{
	qsort(shapes->shapes, shapes->count, sizeof shapes->shapes[0], compare_shapes);
}

void shapes_print(struct shapes *shapes, FILE *out)
{
	sort_shapes(shapes);
	for (size_t i = 0; i < shapes->count; i++) {
		const struct shape *shape = &shapes->shapes[i];

		fprintf(out, "%8llu  ", (unsigned long long)shape->count);
		escape_terminal((struct text){ shape->program, shape->program_length }, out);
		fputs(shape->program_length ? ": " : "(no process): ", out);
		escape_terminal((struct text){ shape->mask, shape->mask_length }, out);
		fputs("\n          ", out);
		escape_terminal(text_of(shape->file), out);
		fprintf(out, ":%llu: ", (unsigned long long)shape->line);
		escape_terminal((struct text){ shape->sample, shape->sample_length }, out);
		fputc('\n', out);
	}
	if (shapes->others)
		fprintf(out, "%8llu  other shapes\n", (unsigned long long)shapes->others);
}

static void put_text(FILE *out, const char *name, const char *start, size_t length)
{
	fprintf(out, ",\"%s\":", name);
	show_json_string(out, (struct text){ start, length });
}

void shapes_print_json(struct shapes *shapes, FILE *out)
{
	sort_shapes(shapes);
	for (size_t i = 0; i < shapes->count; i++) {
		const struct shape *shape = &shapes->shapes[i];

		fprintf(out, "{\"count\":%llu", (unsigned long long)shape->count);
		if (shape->program_length)
			put_text(out, "process", shape->program, shape->program_length);
		put_text(out, "shape", shape->mask, shape->mask_length);
		put_text(out, "text", shape->sample, shape->sample_length);
		put_text(out, "file", shape->file, strlen(shape->file));
		fprintf(out, ",\"line\":%llu}\n", (unsigned long long)shape->line);
	}
	if (shapes->others)
		fprintf(out, "{\"count\":%llu,\"others\":true}\n", (unsigned long long)shapes->others);
}
