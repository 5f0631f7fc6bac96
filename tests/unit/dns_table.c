/* dns_table.c - a struct dns that answers from lines of text. */
#include "tests/unit/dns_table.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CNAME 5
#define FAILS 0
#define BOGUS 1000
#define EXISTS 1001
#define HOPS_MAX 10

struct row {
	char *name;
	int type;
	struct dns_item item;
};

struct dns_table {
	struct dns dns;
	size_t count;
	struct row *rows;
	atomic_uint asked;
};

static struct text without_final_dot(struct text name)
{
	if (name.length > 0 && name.start[name.length - 1] == '.')
		name.length--;
	return name;
}

static const struct dns_answer *answer_of(enum dns_status status, enum dns_type type, size_t count,
					  const struct dns_item *items)
{
	bool failed = status == DNS_TEMPORARY || status == DNS_BOGUS;
	struct dns_answer *answer = dns_answer_new(status, type, count, items, failed ? "the table says so" : NULL);

	if (!answer)
		abort();
	answer->ttl_seconds = 300;
	return answer;
}

static const struct dns_answer *find(const struct dns_table *table, struct text name, enum dns_type type, int hops)
{
	struct dns_item items[DNS_ITEMS_MAX];
	size_t count = 0;
	bool exists = false;

	name = without_final_dot(name);
	for (size_t i = 0; i < table->count; i++) {
		const struct row *row = &table->rows[i];

		if (!text_equal_nocase(without_final_dot(text_of(row->name)), name))
			continue;
		exists = true;
		if (row->type == (int)type && count < DNS_ITEMS_MAX)
			items[count++] = row->item;
		else if (row->type == CNAME && hops < HOPS_MAX)
			return find(table, row->item.data, type, hops + 1);
		else if (count == 0 && (row->type == FAILS || row->type == BOGUS || row->type == CNAME))
			return answer_of(row->type == BOGUS ? DNS_BOGUS : DNS_TEMPORARY, type, 0, NULL);
	}
	return answer_of(count > 0 ? DNS_DATA : exists ? DNS_NO_DATA : DNS_NO_NAME, type, count, items);
}

static void table_ask(struct dns *dns, const struct dns_question *question)
{
	struct dns_table *table = (struct dns_table *)dns;

	atomic_fetch_add(&table->asked, 1);
	question->answered(question->context, find(table, question->name, question->type, 0));
}

static void add_row(struct dns_table *table, struct text name, int type, unsigned preference, struct text data)
{
	char *copy = malloc(data.length + 1);

	table->rows = realloc(table->rows, (table->count + 1) * sizeof table->rows[0]);
	if (!table->rows || !copy)
		abort();
	if (data.length > 0)
		memcpy(copy, data.start, data.length);
	table->rows[table->count++] = (struct row){
		strndup(name.start, name.length), type, { { copy, data.length }, preference }
	};
}

/* A word off the front, up to the next blank. */
static struct text take_word(struct text *rest)
{
	size_t length = 0;

	while (length < rest->length && rest->start[length] != ' ')
		length++;
	struct text word = { rest->start, length };

	length += length < rest->length;
	*rest = (struct text){ rest->start + length, rest->length - length };
	return word;
}

void dns_table_add_record(struct dns_table *table, struct text name, struct text type, struct text data)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {
		{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX }, { "PTR", DNS_PTR }, { "TXT", DNS_TXT },
		{ "CNAME", CNAME }, { "TEMP", FAILS }, { "BOGUS", BOGUS }, { "ANY", EXISTS },
	};
	unsigned char address[16];
	unsigned preference = 0;
	int number = -1;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (text_is(type, types[i].name))
			number = types[i].type;
	if (number < 0) {
		fprintf(stderr, "no type of a DNS table: %.*s\n", TEXT_ARGS(type));
		abort();
	}
	if (number == DNS_MX)
		preference = (unsigned)atoi(take_word(&data).start);
	if (number == DNS_A || number == DNS_AAAA) {
		char *string = strndup(data.start, data.length);

		if (inet_pton(number == DNS_A ? AF_INET : AF_INET6, string, address) != 1)
			abort();
		free(string);
		data = (struct text){ (char *)address, number == DNS_A ? 4 : 16 };
	} else if (number != DNS_TXT) {
		data = without_final_dot(data);
	}
	add_row(table, name, number, preference, data);
}

static void add_line(struct dns_table *table, struct text line)
{
	struct text name = take_word(&line), type = take_word(&line);

	dns_table_add_record(table, name, type, line);
}

struct dns_table *dns_table_new(const char *lines)
{
	static const struct dns_methods methods = { .ask = table_ask };
	struct dns_table *table = calloc(1, sizeof *table);

	if (!table)
		abort();
	table->dns.methods = &methods;
	for (; lines && *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n')
		add_line(table, (struct text){ lines, strcspn(lines, "\n") });
	return table;
}

void dns_table_free(struct dns_table *table)
{
	for (size_t i = 0; table && i < table->count; i++) {
		free(table->rows[i].name);
		free((char *)(uintptr_t)table->rows[i].item.data.start);
	}
	if (table)
		free(table->rows);
	free(table);
}

struct dns *dns_table_source(struct dns_table *table)
{
	return &table->dns;
}

unsigned dns_table_asked(const struct dns_table *table)
{
	return atomic_load(&table->asked);
}
