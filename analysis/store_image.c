/*
 * store_image.c - transactions as bytes.
 *
 * A chunk: words of eight bytes. First the length of the names, and the names by which another version reads it, each with
 * a NUL: facts as "level.name", join keys, fates. Then items: kind and length, then the words and facts of each kind.
 */
#include "analysis/store_image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/room.h"

enum { WORD = sizeof(uint64_t), NAME_MAX_LENGTH = 64, FIRST_BYTES = 64 * 1024 };

static size_t rounded(size_t length)
{
	return (length + WORD - 1) / WORD * WORD;
}

/* ---- names of this version ---- */

static struct {
	unsigned char *bytes;
	size_t length;
} names;

static void make_names(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = names.bytes ? NULL : open_memstream(&text, &size);

	if (!out)
		return;
	for (int i = 0; i < FACT_COUNT; i++)
		fprintf(out, "%s.%s%c", fact_level_name(fact_table[i].level), fact_table[i].name, 0);
	fputc(0, out);
	for (int i = 0; i < JOIN_COUNT; i++)
		fprintf(out, "%s%c", join_key_name((enum join_key)i), 0);
	fputc(0, out);
	for (int i = 0; i < FATE_COUNT; i++)
		fprintf(out, "%s%c", fate_name((enum fate)i), 0);
	fputc(0, out);
	while (ftell(out) % WORD)
		fputc(0, out);
	if (fclose(out) != 0) {
		free(text);
		return;
	}
	names.bytes = (unsigned char *)text;
	names.length = size;
}

/* ---- writing ---- */

void store_image_done(struct store_image *image)
{
	for (unsigned i = 0; i < image->size; i++)
		free(image->chunks[i].bytes);
	free(image->chunks);
	*image = (struct store_image){ .chunks = NULL };
}

void store_image_clear(struct store_image *image)
{
	for (unsigned i = 0; i < image->count; i++)
		image->chunks[i].used = 0;
	image->count = 0;
	image->bytes = 0;
	image->has_failed = false;
}

bool store_image_is_empty(const struct store_image *image)
{
	return image->count == 0;
}

static void put_bytes(struct store_image *image, struct text bytes)
{
	struct store_image_chunk *chunk = &image->chunks[image->count - 1];
	size_t whole = rounded(bytes.length);

	if (image->has_failed || !room_for(&chunk->bytes, &chunk->size, chunk->used + whole, FIRST_BYTES)) {
		image->has_failed = true;
		return;
	}
	if (whole)
		memset(chunk->bytes + chunk->used + whole - WORD, 0, WORD);
	if (bytes.length)
		memcpy(chunk->bytes + chunk->used, bytes.start, bytes.length);
	chunk->used += whole;
	image->bytes += whole;
}

static void put_words(struct store_image *image, const uint64_t *words, size_t count)
{
	put_bytes(image, (struct text){ (const char *)words, count * WORD });
}

static void put_facts(struct store_image *image, const struct facts *facts)
{
	struct text bytes = facts_bytes(facts);
	uint64_t head = bytes.length | (uint64_t)facts->is_cut << 32;

	put_words(image, &head, 1);
	put_bytes(image, bytes);
}

/* A chunk with its names; false: no memory. */
static bool begin_chunk(struct store_image *image)
{
	uint64_t length;

	make_names();
	if (image->count == image->size) {
		unsigned size = image->size ? image->size * 2 : 4;
		struct store_image_chunk *chunks = reallocarray(image->chunks, size, sizeof *chunks);

		if (!chunks)
			return false;
		memset(chunks + image->size, 0, (size - image->size) * sizeof *chunks);
		image->chunks = chunks;
		image->size = size;
	}
	image->count++;
	length = names.length;
	put_words(image, &length, 1);
	put_bytes(image, (struct text){ (const char *)names.bytes, names.length });
	return names.bytes != NULL;
}

/* Begins an item; what it is and how long is written at its end. */
static size_t begin_item(struct store_image *image)
{
	const uint64_t head[2] = { 0, 0 };
	size_t at;

	if (image->count == 0 || image->chunks[image->count - 1].used >= STORE_IMAGE_CHUNK)
		image->has_failed = !begin_chunk(image) || image->has_failed;
	if (image->has_failed)
		return 0;
	at = image->chunks[image->count - 1].used;
	put_words(image, head, 2);
	return at;
}

static void end_item(struct store_image *image, size_t at, enum store_item_kind kind)
{
	struct store_image_chunk *chunk = &image->chunks[image->count - 1];
	uint64_t head[2] = { kind, chunk->used - at };

	if (!image->has_failed)
		memcpy(chunk->bytes + at, head, sizeof head);
}

void store_image_add_session(struct store_image *image, const struct session *session)
{
	const uint64_t words[] = { session->key, session->start_us, session->end_us };
	size_t at = begin_item(image);

	if (image->has_failed)
		return;
	put_words(image, words, 3);
	put_facts(image, &session->facts);
	end_item(image, at, STORE_ITEM_SESSION);
}

static void put_recipient(struct store_image *image, const struct recipient *recipient)
{
	const uint64_t words[] = {
		recipient->number, recipient->first_us, recipient->last_us, recipient->attempts, recipient->fate, recipient->is_hop,
		recipient->next_key,
	};

	put_words(image, words, 7);
	put_facts(image, &recipient->facts);
}

static unsigned count_changed(const struct message *message)
{
	unsigned count = 0;

	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		count += recipient->has_changed;
	return count;
}

static unsigned count_all(const struct message *message)
{
	unsigned count = 0;

	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		count++;
	return count;
}

static unsigned count_checks(const struct message *message)
{
	unsigned count = 0;

	for (const struct check *check = message->checks; check; check = check->next)
		count++;
	return count;
}

void store_image_add_message(struct store_image *image, const struct message *message)
{
	const unsigned changed = count_changed(message), count = changed ? changed : count_all(message);
	const uint64_t words[] = {
		message->key, message->session_key, message->parent_key, message->parent_kind, message->start_us, message->last_us,
		message->is_complete, count, count_checks(message),
	};
	size_t at = begin_item(image);

	if (image->has_failed)
		return;
	put_words(image, words, 9);
	put_facts(image, &message->facts);
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		if (!changed || recipient->has_changed)
			put_recipient(image, recipient);
	for (const struct check *check = message->checks; check; check = check->next) {
		put_words(image, &check->time_us, 1);
		put_facts(image, &check->facts);
	}
	end_item(image, at, STORE_ITEM_MESSAGE);
}

void store_image_add_attempt(struct store_image *image, const struct attempt_name *name, const struct attempt *attempt)
{
	const uint64_t words[] = { name->message_key, name->recipient, name->number, attempt->time_us };
	size_t at = begin_item(image);

	if (image->has_failed)
		return;
	put_words(image, words, 4);
	put_facts(image, &attempt->facts);
	end_item(image, at, STORE_ITEM_ATTEMPT);
}

void store_image_add_login(struct store_image *image, const struct login *login)
{
	const uint64_t words[] = { login->time_us, login->end_us, login->session_key };
	size_t at = begin_item(image);

	if (image->has_failed)
		return;
	put_words(image, words, 3);
	put_facts(image, &login->facts);
	end_item(image, at, STORE_ITEM_LOGIN);
}

static void add_words(struct store_image *image, enum store_item_kind kind, const uint64_t *words, size_t count)
{
	size_t at = begin_item(image);

	if (image->has_failed)
		return;
	put_words(image, words, count);
	end_item(image, at, kind);
}

void store_image_add_gone(struct store_image *image, enum fact_level level, transaction_key key)
{
	const uint64_t words[] = { level == LEVEL_SESSION, key };

	add_words(image, STORE_ITEM_GONE, words, 2);
}

void store_image_add_moved(struct store_image *image, const struct recipient_name *from, const struct recipient_name *into)
{
	const uint64_t words[] = { from->message_key, from->number, into->message_key, into->number };

	add_words(image, STORE_ITEM_MOVED, words, 4);
}

/* ---- reading ---- */

struct store_image_reader {
	unsigned char *at, *end;
	bool is_damaged;
	bool is_of_another_version;
	struct facts_numbers numbers;
	uint8_t fates[256];
	struct recipient *recipients;
	struct check *checks;
	size_t recipients_size, checks_size;
};

struct store_image_reader *store_image_reader_new(void)
{
	make_names();
	return names.bytes ? calloc(1, sizeof(struct store_image_reader)) : NULL;
}

void store_image_reader_free(struct store_image_reader *reader)
{
	if (!reader)
		return;
	free(reader->recipients);
	free(reader->checks);
	free(reader);
}

static unsigned char *take_bytes(struct store_image_reader *reader, size_t length)
{
	unsigned char *at = reader->at;

	if (reader->is_damaged || length > (size_t)(reader->end - at) || rounded(length) > (size_t)(reader->end - at)) {
		reader->is_damaged = true;
		return NULL;
	}
	reader->at += rounded(length);
	return at;
}

static uint64_t take_word(struct store_image_reader *reader)
{
	unsigned char *at = take_bytes(reader, WORD);
	uint64_t word = 0;

	if (at)
		memcpy(&word, at, sizeof word);
	return word;
}

static void take_facts(struct store_image_reader *reader, enum fact_level level, struct facts *ret_facts)
{
	uint64_t head = take_word(reader);
	size_t length = head & UINT32_MAX;
	unsigned char *bytes = take_bytes(reader, length);
	struct facts_walk walk;
	struct fact_value value;

	*ret_facts = (struct facts){ .bytes = NULL };
	if (!bytes)
		return;
	if (!facts_borrow(ret_facts, bytes, length, reader->is_of_another_version ? &reader->numbers : NULL)) {
		reader->is_damaged = true;
		return;
	}
	ret_facts->is_cut = head >> 32;
	facts_walk_start(&walk, ret_facts);
	while (facts_walk_next(&walk, &value))
		if (fact_table[value.fact].level != level)
			reader->is_damaged = true;
}

/* A name of the list at hand; *ret_end: the list has ended. */
static struct text take_name(struct text *rest, bool *ret_end)
{
	const char *nul = rest->length ? memchr(rest->start, '\0', rest->length) : NULL;
	struct text name = { rest->start, nul ? (size_t)(nul - rest->start) : 0 };

	*ret_end = name.length == 0;
	if (nul)
		*rest = (struct text){ nul + 1, rest->length - name.length - 1 };
	return name;
}

static uint8_t fact_of(struct text name)
{
	const char *dot = memchr(name.start, '.', name.length);

	for (int level = 0; dot && level < LEVEL_COUNT; level++)
		if (text_is((struct text){ name.start, (size_t)(dot - name.start) }, fact_level_name((enum fact_level)level))) {
			enum fact fact = fact_by_name((enum fact_level)level,
						      (struct text){ dot + 1, name.length - (size_t)(dot + 1 - name.start) });

			return fact < FACT_COUNT ? (uint8_t)fact : 0xff;
		}
	return 0xff;
}

static uint8_t key_of(struct text name)
{
	for (int key = 0; key < JOIN_COUNT; key++)
		if (text_is(name, join_key_name((enum join_key)key)))
			return (uint8_t)key;
	return 0xff;
}

static uint8_t fate_of(struct text name)
{
	enum fate fate = fate_by_name(name);

	return (uint8_t)(fate < FATE_COUNT ? fate : FATE_UNKNOWN);
}

static void take_numbers(struct text *rest, uint8_t *numbers, size_t size, uint8_t (*number_of)(struct text name))
{
	bool has_ended = false;

	memset(numbers, 0xff, size);
	for (size_t i = 0; !has_ended; i++) {
		struct text name = take_name(rest, &has_ended);

		if (!has_ended && i < size)
			numbers[i] = number_of(name);
	}
}

int store_image_reader_start(struct store_image_reader *reader, unsigned char *bytes, size_t length)
{
	size_t names_length;
	unsigned char *of_chunk;
	struct text rest;

	reader->at = bytes;
	reader->end = bytes + length;
	reader->is_damaged = false;
	names_length = take_word(reader);
	of_chunk = take_bytes(reader, names_length);
	if (!of_chunk)
		return -EBADMSG;
	reader->is_of_another_version = names_length != names.length || memcmp(of_chunk, names.bytes, names_length) != 0;
	if (!reader->is_of_another_version)
		return 0;
	rest = (struct text){ (const char *)of_chunk, names_length };
	take_numbers(&rest, reader->numbers.facts, sizeof reader->numbers.facts, fact_of);
	take_numbers(&rest, reader->numbers.keys, sizeof reader->numbers.keys, key_of);
	take_numbers(&rest, reader->fates, sizeof reader->fates, fate_of);
	return 0;
}

static uint8_t take_fate(struct store_image_reader *reader)
{
	uint64_t fate = take_word(reader);

	if (reader->is_of_another_version && fate < sizeof reader->fates)
		fate = reader->fates[fate];
	return (uint8_t)(fate < FATE_COUNT ? fate : FATE_UNKNOWN);
}

static void take_recipient(struct store_image_reader *reader, struct recipient *recipient)
{
	*recipient = (struct recipient){ .has_changed = true };
	recipient->number = (uint32_t)take_word(reader);
	recipient->first_us = take_word(reader);
	recipient->last_us = take_word(reader);
	recipient->attempts = (uint32_t)take_word(reader);
	recipient->fate = take_fate(reader);
	recipient->is_hop = take_word(reader);
	recipient->next_key = take_word(reader);
	take_facts(reader, LEVEL_RECIPIENT, &recipient->facts);
}

/* Room for so many things, each of at least a word in the chunk. */
static int make_array(struct store_image_reader *reader, void **array, size_t *size, uint64_t count, size_t each)
{
	void *larger;

	if (count > (size_t)(reader->end - reader->at) / WORD)
		return -EBADMSG;
	if (count <= *size)
		return 0;
	larger = reallocarray(*array, count, each);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*size = count;
	return 0;
}

static int take_recipients(struct store_image_reader *reader, struct message *message, uint64_t count)
{
	void *array = reader->recipients;
	int error = make_array(reader, &array, &reader->recipients_size, count, sizeof *reader->recipients);

	reader->recipients = array;
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		take_recipient(reader, &reader->recipients[i]);
		reader->recipients[i].next = i + 1 < count ? &reader->recipients[i + 1] : NULL;
	}
	message->recipients = count ? reader->recipients : NULL;
	message->recipient_count = (uint32_t)count;
	return 0;
}

static int take_checks(struct store_image_reader *reader, struct message *message, uint64_t count)
{
	void *array = reader->checks;
	int error = make_array(reader, &array, &reader->checks_size, count, sizeof *reader->checks);

	reader->checks = array;
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		reader->checks[i] = (struct check){ .next = i + 1 < count ? &reader->checks[i + 1] : NULL };
		reader->checks[i].time_us = take_word(reader);
		take_facts(reader, LEVEL_CHECK, &reader->checks[i].facts);
	}
	message->checks = count ? reader->checks : NULL;
	return 0;
}

static int take_message(struct store_image_reader *reader, struct message *message)
{
	uint64_t kind, recipients, checks;
	int error;

	*message = (struct message){ .key = take_word(reader) };
	message->session_key = take_word(reader);
	message->parent_key = take_word(reader);
	kind = take_word(reader);
	message->parent_kind = (uint8_t)(kind < PARENT_KINDS ? kind : PARENT_NONE);
	message->start_us = take_word(reader);
	message->last_us = take_word(reader);
	message->is_complete = take_word(reader);
	recipients = take_word(reader);
	checks = take_word(reader);
	take_facts(reader, LEVEL_MESSAGE, &message->facts);
	error = take_recipients(reader, message, recipients);
	return error ? error : take_checks(reader, message, checks);
}

static void take_session(struct store_image_reader *reader, struct session *session)
{
	*session = (struct session){ .key = take_word(reader) };
	session->start_us = take_word(reader);
	session->end_us = take_word(reader);
	take_facts(reader, LEVEL_SESSION, &session->facts);
}

static void take_attempt(struct store_image_reader *reader, struct store_item *item)
{
	item->name.message_key = take_word(reader);
	item->name.recipient = (uint32_t)take_word(reader);
	item->name.number = (uint32_t)take_word(reader);
	item->attempt = (struct attempt){ .time_us = take_word(reader) };
	take_facts(reader, LEVEL_ATTEMPT, &item->attempt.facts);
}

static void take_login(struct store_image_reader *reader, struct login *login)
{
	*login = (struct login){ .time_us = take_word(reader) };
	login->end_us = take_word(reader);
	login->session_key = take_word(reader);
	take_facts(reader, LEVEL_LOGIN, &login->facts);
}

static void take_gone(struct store_image_reader *reader, struct store_item *item)
{
	item->gone.level = take_word(reader) ? LEVEL_SESSION : LEVEL_MESSAGE;
	item->gone.key = take_word(reader);
}

static void take_name_of_recipient(struct store_image_reader *reader, struct recipient_name *name)
{
	name->message_key = take_word(reader);
	name->number = (uint32_t)take_word(reader);
}

int store_image_reader_next(struct store_image_reader *reader, struct store_item *ret_item)
{
	unsigned char *begin = reader->at;
	uint64_t kind, length;
	int error = 0;

	if (reader->at == reader->end)
		return reader->is_damaged ? -EBADMSG : 0;
	kind = take_word(reader);
	length = take_word(reader);
	switch (kind) {
	case STORE_ITEM_SESSION:
		take_session(reader, &ret_item->session);
		break;
	case STORE_ITEM_MESSAGE:
		error = take_message(reader, &ret_item->message);
		break;
	case STORE_ITEM_ATTEMPT:
		take_attempt(reader, ret_item);
		break;
	case STORE_ITEM_LOGIN:
		take_login(reader, &ret_item->login);
		break;
	case STORE_ITEM_GONE:
		take_gone(reader, ret_item);
		break;
	case STORE_ITEM_MOVED:
		take_name_of_recipient(reader, &ret_item->moved.from);
		take_name_of_recipient(reader, &ret_item->moved.into);
		break;
	default:
		error = -EBADMSG;
	}
	if (error || reader->is_damaged || (size_t)(reader->at - begin) != length)
		return error ? error : -EBADMSG;
	ret_item->kind = (enum store_item_kind)kind;
	return 1;
}
