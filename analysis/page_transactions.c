/*
 * page_transactions.c - the transactions of the page, each in a few bytes.
 *
 * Each column is one string of numbers, each table one string of texts, one a line; a text stands once in its table and is a
 * number in its columns. A number is written in digits of PAGE_DIGITS: the first half of them end it, the others say that it
 * goes on; the least comes first. What goes with the outcome of a transaction (its stage, reply code, checks) comes in few
 * combinations, and is one number.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/page_internal.h"

/* Printable, but for what JSON or HTML would write longer. */
#define PAGE_DIGITS "!#$%()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
enum { DIGITS = sizeof PAGE_DIGITS - 1, BASE = DIGITS / 2, DIGEST_DIGITS = 5 };

_Static_assert(DIGITS == 88 && UINT64_C(88) * 88 * 88 * 88 * 88 > UINT32_MAX, "the digest of a key fits its digits");

enum column { TIME, KEY_TIME, KEY, DELAY, SIZE, OUTCOME, FROM_LOCAL, FROM_DOMAIN, TO_LOCAL, TO_DOMAIN, RELAY, CLIENT, DOMAIN, COLUMNS };

static const char *const column_names[COLUMNS] = {
	"time", "key_time", "key", "delay", "size", "outcome", "from_local", "from_domain", "to_local", "to_domain", "relay", "client", "domain",
};

enum table_id { LOCALS, DOMAINS, RELAYS, CLIENTS, WORDS, TABLES };

static const char *const table_names[TABLES] = { "locals", "domains", "relays", "clients", "words" };

/* With the fate before them, one of these is what OUTCOME names. */
static const enum page_text outcome_texts[] = { PAGE_STAGE, PAGE_BY, PAGE_REASON, PAGE_CODE, PAGE_DSN, PAGE_SPF, PAGE_DKIM, PAGE_DMARC };
enum { OUTCOME_TEXTS = sizeof outcome_texts / sizeof outcome_texts[0], OUTCOME_SIZE = (OUTCOME_TEXTS + 1) * 8 };

/* ---- strings in memory ---- */

struct sink {
	FILE *out;
	char *bytes;
	size_t size;
};

struct writer {
	struct sink columns[COLUMNS], tables[TABLES], outcomes;
	struct tally *numbers[TABLES], *outcome_numbers;
	uint64_t last_second;
	size_t count, written;		/* entries; bytes of all */
};

/* Text, and what stands in the place of the domain in it. */
static const struct tally_info texts_info = { "texts", 2, 1, { TALLY_MOST } };
static const struct tally_info outcomes_info = { "outcomes", 1, 1, { TALLY_MOST } };

static bool sink_open(struct sink *sink)
{
	sink->out = open_memstream(&sink->bytes, &sink->size);
	return sink->out;
}

static void sink_close(struct sink *sink)
{
	if (sink->out)
		(void)fclose(sink->out);
	sink->out = NULL;
}

static bool writer_open(struct writer *writer)
{
	bool is_open;

	*writer = (struct writer){ .outcome_numbers = tally_new(&outcomes_info) };
	is_open = sink_open(&writer->outcomes) && writer->outcome_numbers;
	for (int i = 0; i < COLUMNS; i++)
		is_open = sink_open(&writer->columns[i]) && is_open;
	for (int i = 0; i < TABLES; i++) {
		writer->numbers[i] = tally_new(&texts_info);
		is_open = sink_open(&writer->tables[i]) && writer->numbers[i] && is_open;
	}
	return is_open;
}

/* What was written stands in memory, whole. */
static void writer_close(struct writer *writer)
{
	sink_close(&writer->outcomes);
	for (int i = 0; i < COLUMNS; i++)
		sink_close(&writer->columns[i]);
	for (int i = 0; i < TABLES; i++)
		sink_close(&writer->tables[i]);
}

static void writer_done(struct writer *writer)
{
	free(writer->outcomes.bytes);
	tally_free(writer->outcome_numbers);
	for (int i = 0; i < COLUMNS; i++)
		free(writer->columns[i].bytes);
	for (int i = 0; i < TABLES; i++) {
		free(writer->tables[i].bytes);
		tally_free(writer->numbers[i]);
	}
}

/* ---- texts ---- */

/* At the place of the domain in a text of a table. No text has one: it would be written as \x09. */
static const char DOMAIN_HERE[] = "\\t";

static uint64_t add_text(struct writer *writer, enum table_id table, struct text before, bool has_domain, struct text after)
{
	struct text parts[] = { before, has_domain ? after : TEXT_NONE };
	uint64_t next = tally_count(writer->numbers[table]), number;
	FILE *out = writer->tables[table].out;

	if (tally_find(writer->numbers[table], parts, &number))
		return number;
	(void)tally_add(writer->numbers[table], parts, &next);
	if (next)
		writer->written += (size_t)fprintf(out, "\\n");
	writer->written += page_put_text(out, before);
	if (has_domain)
		writer->written += (size_t)fprintf(out, "%s", DOMAIN_HERE) + page_put_text(out, after);
	return next;
}

static uint64_t text_number(struct writer *writer, enum table_id table, struct text text)
{
	return add_text(writer, table, text, false, TEXT_NONE);
}

/* 0: there is none. */
static uint64_t domain_number(struct writer *writer, struct text domain)
{
	return domain.start ? text_number(writer, DOMAINS, domain) + 1 : 0;
}

/* Most relays have a name in the recipient's domain. */
static uint64_t relay_number(struct writer *writer, struct text relay, struct text domain)
{
	const char *at = relay.length && domain.length ? memmem(relay.start, relay.length, domain.start, domain.length) : NULL;
	size_t before = at ? (size_t)(at - relay.start) : 0, behind = before + domain.length;

	/* Without a text behind it, it would be one that has no domain in it. */
	if (!at || behind == relay.length)
		return text_number(writer, RELAYS, relay);
	return add_text(writer, RELAYS, (struct text){ relay.start, before }, true, (struct text){ at + domain.length, relay.length - behind });
}

/* ---- numbers ---- */

static void put_number(struct writer *writer, enum column column, uint64_t number)
{
	FILE *out = writer->columns[column].out;

	for (; number >= BASE; number /= BASE, writer->written++)
		(void)fputc(PAGE_DIGITS[BASE + number % BASE], out);
	(void)fputc(PAGE_DIGITS[number], out);
	writer->written++;
}

/* 0, -1, 1, -2, 2 ... */
static void put_difference(struct writer *writer, enum column column, uint64_t to, uint64_t from)
{
	put_number(writer, column, to >= from ? (to - from) * 2 : (from - to) * 2 - 1);
}

/* The half of a key that has no order. */
static void put_digest(struct writer *writer, uint32_t digest)
{
	char digits[DIGEST_DIGITS];

	for (int i = DIGEST_DIGITS; i--; digest /= DIGITS)
		digits[i] = PAGE_DIGITS[digest % DIGITS];
	writer->written += fwrite(digits, 1, sizeof digits, writer->columns[KEY].out);
}

static uint64_t outcome_number(struct writer *writer, uint8_t fate, const struct text *texts)
{
	char words[OUTCOME_SIZE * 3];
	int length = snprintf(words, sizeof words, "%u", fate);
	uint64_t next = tally_count(writer->outcome_numbers);

	for (int i = 0; i < OUTCOME_TEXTS; i++)
		length += snprintf(words + length, sizeof words - (size_t)length, ",%" PRIu64, text_number(writer, WORDS, texts[outcome_texts[i]]));
	struct text key = { words, (size_t)length };
	uint64_t number;

	if (tally_find(writer->outcome_numbers, &key, &number))
		return number;
	(void)tally_add(writer->outcome_numbers, &key, &next);
	writer->written += (size_t)fprintf(writer->outcomes.out, "%s[%s]", next ? "," : "", words);
	return next;
}

/* ---- transactions ---- */

static void find_texts(const struct page_entry *entry, struct text *ret_texts)
{
	size_t at = 0;

	for (int i = 0; i < PAGE_TEXTS; i++) {
		ret_texts[i] = entry->bytes ? (struct text){ entry->bytes + at, entry->lengths[i] } : TEXT_LITERAL("");
		at += entry->lengths[i];
	}
}

/* Absent: the address has none. */
static struct text domain_of(struct text at)
{
	return at.length ? (struct text){ at.start + 1, at.length - 1 } : TEXT_NONE;
}

static void put_entry(struct writer *writer, const struct page_entry *entry)
{
	uint64_t second = entry->time_us / 1000000;
	struct text texts[PAGE_TEXTS], to_domain;

	find_texts(entry, texts);
	to_domain = domain_of(texts[PAGE_TO_AT]);
	put_difference(writer, TIME, second, writer->last_second);
	put_difference(writer, KEY_TIME, transaction_key_time(entry->key) / 1000000, second);
	put_digest(writer, (uint32_t)entry->key);
	put_number(writer, DELAY, entry->delay_us / 1000);
	put_number(writer, SIZE, entry->size);
	put_number(writer, OUTCOME, outcome_number(writer, entry->fate, texts));
	put_number(writer, FROM_LOCAL, text_number(writer, LOCALS, texts[PAGE_FROM_LOCAL]));
	put_number(writer, FROM_DOMAIN, domain_number(writer, domain_of(texts[PAGE_FROM_AT])));
	put_number(writer, TO_LOCAL, text_number(writer, LOCALS, texts[PAGE_TO_LOCAL]));
	put_number(writer, TO_DOMAIN, domain_number(writer, to_domain));
	put_number(writer, RELAY, relay_number(writer, texts[PAGE_RELAY], to_domain));
	put_number(writer, CLIENT, text_number(writer, CLIENTS, texts[PAGE_CLIENT]));
	put_number(writer, DOMAIN, domain_number(writer, texts[PAGE_DOMAIN].length ? texts[PAGE_DOMAIN] : TEXT_NONE));
	writer->last_second = second;
	writer->count++;
}

/* From the newest on, as long as there is room. */
static void put_ring(struct writer *writer, const struct page_ring *ring, size_t count_max, size_t bytes_max)
{
	for (size_t i = 0; i < ring->count && writer->count < count_max && writer->written < bytes_max; i++)
		put_entry(writer, &ring->entries[(ring->next + ring->count - 1 - i) % ring->count]);
}

/* Gives how many samples there are of the kinds behind it: those have their place in any case. */
static size_t put_samples(struct writer *writer, const struct page *page, int kind)
{
	size_t later = 0;

	for (size_t i = 0; i < page->sample_count; i++) {
		if (page->samples[i].kind == kind)
			put_entry(writer, &page->samples[i]);
		later += page->samples[i].kind > kind;
	}
	return later;
}

static void put_sinks(FILE *out, const char *member, const struct sink *sinks, const char *const *names, int count)
{
	fprintf(out, ",\"%s\":{", member);
	for (int i = 0; i < count; i++)
		fprintf(out, "%s\"%s\":\"%s\"", i ? "," : "", names[i], sinks[i].bytes);
	(void)fputc('}', out);
}

static void put_written(FILE *out, const struct writer *writer)
{
	fprintf(out, ",\"digits\":\"%s\",\"key_epoch\":%" PRIu64 ",\"outcome\":[%s]", PAGE_DIGITS, transaction_key_time(0) / 1000000,
		writer->outcomes.bytes);
	put_sinks(out, "tables", writer->tables, table_names, TABLES);
	put_sinks(out, "columns", writer->columns, column_names, COLUMNS);
}

void page_put_transactions(const struct page *page, FILE *out, size_t room)
{
	struct writer writer;
	bool is_open = writer_open(&writer);
	uint64_t all = 0;

	(void)fputs("\"kinds\":[", out);
	for (int kind = 0; kind < PAGE_KINDS; kind++) {
		size_t before = writer.count, later = is_open ? put_samples(&writer, page, kind) : 0;

		if (is_open)
			put_ring(&writer, &page->rings[kind], PAGE_TRANSACTIONS_MAX - later,
				 room > later * PAGE_ENTRY_SIZE ? room - later * PAGE_ENTRY_SIZE : 0);
		all += page->rings[kind].seen;
		fprintf(out, "%s%zu", kind ? "," : "", writer.count - before);
	}
	writer_close(&writer);
	fprintf(out, "],\"all\":%" PRIu64, all);
	if (is_open)
		put_written(out, &writer);
	writer_done(&writer);
}
