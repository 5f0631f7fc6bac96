/* message.c - what passes as headers and body of one message. */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "mime.h"

/* Header fields that have a field of their own in the record; the first value of each goes there,
 * or all of them where that is a list. */
static const struct named_header {
	const char *name;
	enum field field;
	bool is_list;
} named_headers[] = {
	{ "from", FIELD_HEADER_FROM, false },
	{ "sender", FIELD_SENDER, false },
	{ "reply-to", FIELD_REPLY_TO, false },
	{ "message-id", FIELD_MESSAGE_ID, false },
	{ "subject", FIELD_SUBJECT, false },
	{ "date", FIELD_DATE, false },
	{ "list-id", FIELD_LIST_ID, false },
	{ "in-reply-to", FIELD_IN_REPLY_TO, false },
	{ "auto-submitted", FIELD_AUTO_SUBMITTED, false },
	{ "authentication-results", FIELD_AUTHENTICATION_RESULTS, true },
};

enum { NAMED_COUNT = sizeof named_headers / sizeof named_headers[0], OTHER_NAME_MAX = 126 };

struct value {
	struct value *next;
	struct text text;
};

struct values {
	struct value *first, *last;
	bool cut;			/* a value was cut, or found no memory */
};

struct message {
	const struct config *config;
	struct arena arena;

	uint64_t header_count, header_bytes, received_count, dkim_count, arc_count;
	bool headers_limited, header_bytes_limited;
	struct address_list from;
	struct values named[NAMED_COUNT];
	struct values other;		/* each as name: value */

	uint64_t body_bytes, body_newlines;
	bool ends_in_newline;
	EVP_MD_CTX *digest;		/* NULL: not asked for, or no memory */
	struct mime mime;		/* last: it is large */
};

static EVP_MD_CTX *new_digest(void)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
		return digest;
	EVP_MD_CTX_free(digest);
	return NULL;
}

struct message *message_new(const struct config *config)
{
	struct message *message = malloc(sizeof *message);

	if (!message)
		return NULL;
	/* The buffers of mime need no clearing. */
	memset(message, 0, offsetof(struct message, mime));
	message->config = config;
	arena_init(&message->arena, MESSAGE_MEMORY_MAX);
	address_list_init(&message->from);
	mime_init(&message->mime, &message->arena, config->max_parts, config->max_attachments);
	if (config->body_sha256)
		message->digest = new_digest();
	return message;
}

void message_free(struct message *message)
{
	if (!message)
		return;
	EVP_MD_CTX_free(message->digest);
	arena_done(&message->arena);
	free(message);
}

/* Copies the value without the line ends of its folds; how long it is then. */
static size_t unfold(struct text value, char *buffer, size_t size, bool *ret_cut)
{
	size_t length = 0;

	if (value.length == 0)
		return 0;
	if (value.length <= size && !memchr(value.start, '\n', value.length) && !memchr(value.start, '\r', value.length)) {
		memcpy(buffer, value.start, value.length);
		return value.length;
	}
	for (size_t i = 0; i < value.length; i++) {
		if (value.start[i] == '\r' || value.start[i] == '\n')
			continue;
		if (length == size) {
			*ret_cut = true;
			break;
		}
		buffer[length++] = value.start[i];
	}
	return length;
}

#define HASH_PREFIX "hmac-sha256:"
#define HASH_TEXT_SIZE (sizeof HASH_PREFIX - 1 + 32)

/* Half of the digest: enough to tell values apart. Empty where it cannot be computed. buffer may be the value's own. */
static struct text hash(const struct config *config, struct text value, char *buffer)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (!HMAC(EVP_sha256(), config->hash_key, (int)config->hash_key_length,
		  (const unsigned char *)value.start, value.length, digest, &length) || length < 16)
		return (struct text){ buffer, 0 };
	memcpy(buffer, HASH_PREFIX, sizeof HASH_PREFIX - 1);
	for (size_t i = 0; i < 16; i++) {
		buffer[sizeof HASH_PREFIX - 1 + 2 * i] = digits[digest[i] >> 4];
		buffer[sizeof HASH_PREFIX - 1 + 2 * i + 1] = digits[digest[i] & 15];
	}
	return (struct text){ buffer, HASH_TEXT_SIZE };
}

enum choice { CHOICE_NONE, CHOICE_HASH, CHOICE_KEEP };

/* Most names differ in their first byte already. */
static bool is_name(struct text name, const char *wanted)
{
	return name.length && ((name.start[0] ^ wanted[0]) & ~0x20) == 0 && text_equal_nocase(name, text_of(wanted));
}

static bool is_in(const struct conf_list *list, struct text name)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_name(name, list->items[i]))
			return true;
	return false;
}

static enum choice choose(const struct config *config, struct text name)
{
	if (is_in(&config->header_drop, name))
		return CHOICE_NONE;
	if (is_in(&config->header_hash, name))
		return CHOICE_HASH;
	return is_in(&config->header_keep, name) ? CHOICE_KEEP : CHOICE_NONE;
}

/* Adds a value, behind the name where that is told too, straight into the memory of the message. */
static void add_value(struct message *message, struct values *values, struct text name, struct text value, bool is_hashed)
{
	size_t max = message->config->max_header_value, head = name.length ? name.length + 2 : 0;
	size_t most = value.length < max ? value.length : max;
	size_t room = is_hashed && most < HASH_TEXT_SIZE ? HASH_TEXT_SIZE : most;
	struct value *row = arena_alloc(&message->arena, sizeof *row);
	char *bytes = arena_alloc(&message->arena, head + room);

	if (!row || !bytes) {
		values->cut = true;
		return;
	}
	if (head) {
		memcpy(bytes, name.start, name.length);
		memcpy(bytes + name.length, ": ", 2);
	}
	struct text kept = { bytes + head, unfold(value, bytes + head, most, &values->cut) };

	if (is_hashed)
		kept = hash(message->config, kept, bytes + head);
	*row = (struct value){ .text = { bytes, head + kept.length } };
	if (values->last)
		values->last->next = row;
	else
		values->first = row;
	values->last = row;
}

static int named_index(struct text name)
{
	for (int i = 0; i < NAMED_COUNT; i++)
		if (is_name(name, named_headers[i].name))
			return i;
	return -1;
}

static void record_value(struct message *message, struct text name, struct text value)
{
	enum choice choice = choose(message->config, name);
	int index = named_index(name);
	struct values *values = index < 0 ? &message->other : &message->named[index];
	bool is_other = index < 0;

	if (choice == CHOICE_NONE || (!is_other && !named_headers[index].is_list && values->first) ||
	    (is_other && name.length > OTHER_NAME_MAX))
		return;
	add_value(message, values, is_other ? name : TEXT_NONE, text_trim(value), choice == CHOICE_HASH);
}

enum { LANES = 16 };
typedef unsigned char lanes __attribute__((vector_size(LANES)));

/* A vector at a time: a body passes here whole. A lane counts to 255 at most. */
static size_t count_newlines(struct text text)
{
	const lanes newline = { '\n', '\n', '\n', '\n', '\n', '\n', '\n', '\n',
				'\n', '\n', '\n', '\n', '\n', '\n', '\n', '\n' };
	size_t count = 0, at = 0;

	while (text.length - at >= LANES) {
		lanes sums = { 0 };

		for (unsigned i = 0; i < 255 && text.length - at >= LANES; i++, at += LANES) {
			lanes bytes;

			memcpy(&bytes, text.start + at, LANES);
			sums -= (lanes)(bytes == newline);
		}
		for (unsigned i = 0; i < LANES; i++)
			count += sums[i];
	}
	for (; at < text.length; at++)
		count += text.start[at] == '\n';
	return count;
}

/* Bytes as they were on the wire: folds come without their CR, and the line end not at all. */
static void count_header(struct message *message, struct text name, struct text value)
{
	size_t bare_folds = 0;

	for (size_t at = 0; at < value.length; at++) {
		const char *newline = memchr(value.start + at, '\n', value.length - at);

		if (!newline)
			break;
		at = (size_t)(newline - value.start);
		bare_folds += at == 0 || newline[-1] != '\r';
	}
	message->header_count++;
	message->header_bytes += name.length + 1 + value.length + bare_folds + 2;
	if (text_equal_nocase(name, TEXT_LITERAL("received")))
		message->received_count++;
	else if (text_equal_nocase(name, TEXT_LITERAL("dkim-signature")))
		message->dkim_count++;
	else if (text_equal_nocase(name, TEXT_LITERAL("arc-seal")))
		message->arc_count++;
}

void message_header(struct message *message, struct text name, struct text value)
{
	bool is_from = text_equal_nocase(name, TEXT_LITERAL("from"));

	count_header(message, name, value);
	message->headers_limited |= message->header_count > message->config->max_headers;
	message->header_bytes_limited |= message->header_bytes > message->config->max_header_bytes;
	if (message->headers_limited || message->header_bytes_limited) {
		if (is_from)
			address_list_doubt(&message->from);
		return;
	}
	if (is_from)
		address_list_read(&message->from, value);
	mime_header(&message->mime, name, value);
	record_value(message, name, value);
}

void message_body(struct message *message, struct text chunk)
{
	if (!chunk.length)
		return;
	message->body_bytes += chunk.length;
	message->body_newlines += count_newlines(chunk);
	message->ends_in_newline = chunk.start[chunk.length - 1] == '\n';
	if (message->digest && EVP_DigestUpdate(message->digest, chunk.start, chunk.length) != 1) {
		EVP_MD_CTX_free(message->digest);
		message->digest = NULL;
	}
	mime_body(&message->mime, chunk);
}

static void fill_values(const struct values *values, struct record *record, enum field field, bool is_list)
{
	for (const struct value *value = values->first; value; value = value->next) {
		if (is_list)
			record_add_item(record, field, value->text);
		else
			record_set_text(record, field, value->text);
	}
	if (values->cut)
		record_note_cut(record, field);
}

void message_fill_header(const struct message *message, struct record *record)
{
	record_set_number(record, FIELD_HEADER_COUNT, message->header_count);
	record_set_number(record, FIELD_HEADER_BYTES, message->header_bytes);
	record_set_number(record, FIELD_FROM_COUNT, address_list_count(&message->from));
	record_set_text(record, FIELD_FROM_DOMAIN, address_list_domain(&message->from));
	record_set_number(record, FIELD_RECEIVED_COUNT, message->received_count);
	record_set_number(record, FIELD_DKIM_COUNT, message->dkim_count);
	record_set_number(record, FIELD_ARC_COUNT, message->arc_count);
	for (size_t i = 0; i < NAMED_COUNT; i++)
		fill_values(&message->named[i], record, named_headers[i].field, named_headers[i].is_list);
	fill_values(&message->other, record, FIELD_HEADERS_OTHER, true);
	if (message->headers_limited)
		record_add_item(record, FIELD_LIMITS, TEXT_LITERAL("max_headers"));
	if (message->header_bytes_limited)
		record_add_item(record, FIELD_LIMITS, TEXT_LITERAL("max_header_bytes"));
}

uint64_t message_size(const struct message *message)
{
	return message->header_bytes + message->body_bytes;
}

const struct address_list *message_from(const struct message *message)
{
	return &message->from;
}

static void fill_digest(struct message *message, struct record *record)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE];
	unsigned int length = 0;

	if (!message->digest || EVP_DigestFinal_ex(message->digest, digest, &length) != 1)
		return;
	for (unsigned int i = 0; i < length; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	record_set_text(record, FIELD_BODY_SHA256, (struct text){ text, 2 * (size_t)length });
}

void message_fill_eom(struct message *message, struct record *record)
{
	struct mime *mime = &message->mime;
	bool partial_line = message->body_bytes && !message->ends_in_newline;

	mime_finish(mime);
	record_set_number(record, FIELD_BODY_BYTES, message->body_bytes);
	record_set_number(record, FIELD_BODY_LINES, message->body_newlines + partial_line);
	record_set_text(record, FIELD_CONTENT_TYPE, mime->type);
	record_set_number(record, FIELD_PARTS, mime->parts);
	for (const struct mime_attachment *at = mime->first; at; at = at->next)
		record_add_item(record, FIELD_ATTACHMENT_NAMES, at->name);
	for (const struct mime_attachment *at = mime->first; at; at = at->next)
		record_add_item(record, FIELD_ATTACHMENT_TYPES, at->type);
	if (mime->names_cut)
		record_note_cut(record, FIELD_ATTACHMENT_NAMES);
	fill_digest(message, record);
	if (mime->parts_limited)
		record_add_item(record, FIELD_LIMITS, TEXT_LITERAL("max_parts"));
	if (mime->attachments_limited)
		record_add_item(record, FIELD_LIMITS, TEXT_LITERAL("max_attachments"));
}

void message_name(struct message *message, struct text message_id, struct record *record)
{
	const struct values *values = &message->named[named_index(TEXT_LITERAL("message-id"))];

	if (!message_id.length || values->first)
		return;
	record_value(message, TEXT_LITERAL("message-id"), message_id);
	fill_values(values, record, FIELD_MESSAGE_ID, false);
}
