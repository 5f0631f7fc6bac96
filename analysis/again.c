/* again.c - refusals and later acceptances of the same mail, by client, sender and recipient. */
#include "analysis/again.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analysis/match.h"
#include "analysis/show_event.h"
#include "analysis/show_facts.h"
#include "common/escape.h"
#include "common/record.h"

enum { TEXT_MAX = 512, PROOF_MAX = 1024, QUERY_ADDRESSES_MAX = 60 };

struct again {
	bool is_refusal;		/* else an acceptance */
	bool was_looked_for;
	uint64_t time_us;
	uint64_t hash;			/* of sender and recipient */
	char from[TEXT_MAX], to[TEXT_MAX];
	char client[NETWORK_ADDRESS_SIZE];
	struct network network;
	/* The first acceptance, or the first refusal. */
	unsigned found;			/* how many refusals there were */
	uint64_t found_us;
	transaction_key found_key;
	bool is_same_client;
	char about[TEXT_MAX];		/* queue identifier, or reason */
	char *proof, *proof_json;
};

static unsigned char lower(char byte)
{
	return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static uint64_t hash_of(struct text from, struct text to)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < from.length; i++)
		hash = (hash ^ lower(from.start[i])) * 0x100000001b3;
	hash = (hash ^ 0x100) * 0x100000001b3;
	for (size_t i = 0; i < to.length; i++)
		hash = (hash ^ lower(to.start[i])) * 0x100000001b3;
	return hash;
}

/* ---- what a row is ---- */

static struct text client_of(const struct report_row *row)
{
	return row->session ? facts_text(&row->session->facts, FACT_SESSION_CLIENT_ADDR) : TEXT_NONE;
}

/* As the client gave it. */
static struct text recipient_of(const struct report_row *row)
{
	struct text given = facts_text(&row->recipient->facts, FACT_RECIPIENT_ORIG_TO);

	return given.start ? given : facts_text(&row->recipient->facts, FACT_RECIPIENT_TO);
}

static bool is_refusal(const struct report_row *row)
{
	uint64_t code = facts_number(&row->recipient->facts, FACT_RECIPIENT_REPLY_CODE, 0);
	struct text reason = facts_text(&row->recipient->facts, FACT_RECIPIENT_REASON);

	return row->fate == FATE_REJECTED && ((code >= 400 && code < 500) || text_is(reason, "greylisting") || text_is(reason, "blocked"));
}

/* What a content filter gave back was accepted before. */
static bool is_acceptance(const struct report_row *row)
{
	return row->is_accepted && row->fate != FATE_REJECTED && row->message->parent_kind != PARENT_HOP &&
	       row->message->parent_kind != PARENT_NEXT_HOST;
}

static bool keep_text(char *kept, struct text text)
{
	if (!text.start || text.length >= TEXT_MAX || (text.length && memchr(text.start, '\0', text.length)))
		return false;
	if (text.length)
		memcpy(kept, text.start, text.length);
	kept[text.length] = '\0';
	return true;
}

struct again *again_new(const struct report_row *row)
{
	char words[NETWORK_ADDRESS_SIZE + 8];
	struct again *again;

	if (!row->recipient || (!is_refusal(row) && !is_acceptance(row)))
		return NULL;
	again = calloc(1, sizeof *again);
	if (!again)
		return NULL;
	again->is_refusal = is_refusal(row);
	again->time_us = again->is_refusal ? row->recipient->first_us : row->message->start_us;
	if (keep_text(again->from, facts_text(&row->message->facts, FACT_MESSAGE_FROM)) && keep_text(again->to, recipient_of(row)) &&
	    *again->to && client_of(row).start && network_address(client_of(row), again->client)) {
		again->hash = hash_of(text_of(again->from), text_of(again->to));
		(void)snprintf(words, sizeof words, "%s/%d", again->client, strchr(again->client, ':') ? 64 : 24);
		if (network_parse(words, &again->network))
			return again;
	}
	again_free(again);
	return NULL;
}

void again_free(struct again *again)
{
	if (!again)
		return;
	free(again->proof);
	free(again->proof_json);
	free(again);
}

/* ---- looking ---- */

struct looking {
	struct again *list[AGAIN_MAX];
	size_t count;
	const struct rows *rows;
};

/* As words, since the table of sources goes with the reading. */
static void keep_proof(struct again *again, const struct source_table *sources, const struct evidence *evidence)
{
	size_t size;
	FILE *out;

	free(again->proof);
	free(again->proof_json);
	again->proof = again->proof_json = NULL;
	out = open_memstream(&again->proof, &size);
	if (out) {
		source_print(sources, evidence, out);
		(void)fclose(out);
	}
	out = open_memstream(&again->proof_json, &size);
	if (out) {
		show_proof_json(evidence, sources, out);
		(void)fclose(out);
	}
}

static void keep_found(struct again *again, const struct report_row *row, const struct source_table *sources, uint64_t time_us, bool is_same)
{
	const struct facts *facts = again->is_refusal ? &row->message->facts : &row->recipient->facts;
	struct fact_value value;

	again->found_us = time_us;
	again->found_key = row->message->key;
	again->is_same_client = is_same;
	again->about[0] = '\0';
	if (!again->is_refusal && facts_find(facts, FACT_RECIPIENT_REASON, &value))
		(void)keep_text(again->about, value.text);
	if (facts_find(facts, again->is_refusal ? FACT_MESSAGE_QUEUE_ID : FACT_RECIPIENT_REPLY, &value)) {
		if (again->is_refusal)
			(void)keep_text(again->about, value.text);
		keep_proof(again, sources, &value.evidence);
	}
}

static bool is_of(const struct again *again, const struct report_row *row, uint64_t hash, uint64_t time_us)
{
	if (again->hash != hash || is_refusal(row) == again->is_refusal ||
	    (again->is_refusal ? time_us < again->time_us || time_us > again->time_us + AGAIN_SPAN_US
			       : time_us > again->time_us || time_us + AGAIN_SPAN_US < again->time_us))
		return false;
	return text_equal_nocase(text_of(again->to), recipient_of(row)) &&
	       text_equal_nocase(text_of(again->from), facts_text(&row->message->facts, FACT_MESSAGE_FROM)) &&
	       network_has(&again->network, client_of(row));
}

static void take(void *context, const struct report_row *row)
{
	struct looking *looking = context;
	bool refused = is_refusal(row);
	uint64_t hash, time_us = refused ? row->recipient->first_us : row->message->start_us;

	if ((!refused && !is_acceptance(row)) || !client_of(row).start)
		return;
	hash = hash_of(facts_text(&row->message->facts, FACT_MESSAGE_FROM), recipient_of(row));
	for (size_t i = 0; i < looking->count; i++) {
		struct again *again = looking->list[i];
		char client[NETWORK_ADDRESS_SIZE];
		bool is_same;

		if (!is_of(again, row, hash, time_us))
			continue;
		is_same = network_address(client_of(row), client) && strcmp(client, again->client) == 0;
		if (!again->found++ || time_us < again->found_us)
			keep_found(again, row, looking->rows->sources, time_us, is_same);
	}
}

/* No query need be made of an address that is hard to write. */
static bool is_plain(const char *address)
{
	for (; *address; address++)
		if ((unsigned char)*address <= ' ' || *address == '"' || *address == '\\' || (unsigned char)*address >= 0x7f)
			return false;
	return true;
}

static void put_addresses(const struct looking *looking, FILE *out)
{
	for (size_t i = 0; i < looking->count; i++)
		if (!is_plain(looking->list[i]->to) || !is_plain(looking->list[i]->from))
			return;
	for (size_t i = 0; i < looking->count && looking->count <= QUERY_ADDRESSES_MAX; i++)
		fprintf(out, "%s(from:\"%s\" to:\"%s\")%s", i ? " OR " : " (", looking->list[i]->from, looking->list[i]->to,
			i + 1 == looking->count ? ")" : "");
}

/* It narrows what is read; NULL: no memory. */
static struct query *query_of(const struct looking *looking, uint64_t now_us)
{
	uint64_t from_us = UINT64_MAX, until_us = 0;
	char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE], *words = NULL;
	struct query *query = NULL;
	struct problem ignored;
	size_t size;
	FILE *out;

	for (size_t i = 0; i < looking->count; i++) {
		const struct again *again = looking->list[i];
		uint64_t first = again->is_refusal || again->time_us < AGAIN_SPAN_US ? again->time_us : again->time_us - AGAIN_SPAN_US;
		uint64_t last = again->is_refusal ? again->time_us + AGAIN_SPAN_US : again->time_us;

		from_us = first < from_us ? first : from_us;
		until_us = last > until_us ? last : until_us;
	}
	/* A message may begin before its recipient is refused. */
	time_format(from_us > UINT64_C(3600000000) ? from_us - UINT64_C(3600000000) : 0, since);
	time_format(until_us + 1000000, until);
	out = open_memstream(&words, &size);
	if (!out)
		return NULL;
	fprintf(out, "is:recipient since:\"%s\" until:\"%s\"", since, until);
	put_addresses(looking, out);
	if (fclose(out) == 0 && size <= QUERY_LENGTH_MAX && query_parse(&query, words, now_us, NULL, &ignored) != 0)
		query = NULL;
	free(words);
	return query;
}

static bool has_standard_input(const struct ask *ask)
{
	for (size_t i = 0; i < ask->file_count; i++)
		if (strcmp(ask->files[i], "-") == 0)
			return true;
	return false;
}

void again_find(struct again *const *list, size_t count, const struct ask *ask)
{
	struct looking looking = { .count = 0 };
	struct problem ignored;
	struct query *query;
	struct rows rows;
	int error;

	/* The newest stand last. */
	while (count-- && looking.count < AGAIN_MAX)
		if (list[count])
			looking.list[looking.count++] = list[count];
	if (!looking.count || has_standard_input(ask))
		return;
	query = query_of(&looking, ask->now_us);
	ask_rows(ask, &rows);
	rows.query = query;
	rows.moments = REPORT_RECIPIENT;
	rows.take = take;
	rows.context = &looking;
	rows.is_again = true;
	looking.rows = &rows;
	if (!query)
		error = -1;
	else if (ask_reads_store(ask))
		error = rows_read_store(&rows, ask_store(ask), &ignored);
	else
		error = rows_read_files(&rows, ask->files, ask->file_count);
	for (size_t i = 0; i < looking.count; i++)
		looking.list[i]->was_looked_for = !error;
	rows_done(&rows);
	query_free(query);
}

/* ---- showing ---- */

static uint64_t wait_of(const struct again *again)
{
	return again->is_refusal ? again->found_us - again->time_us : again->time_us - again->found_us;
}

static void put_whose(const struct again *again, FILE *out)
{
	(void)fputs(again->is_same_client ? ": from the same client and sender to <" : ": from a client of the same network and the same sender to <", out);
	escape_terminal(text_of(again->to), out);
	(void)fputs(">\n", out);
}

void again_text(const struct again *again, FILE *out)
{
	char when[CELL_WORDS_MAX], wait[CELL_WORDS_MAX];

	if (!again->was_looked_for && again->is_refusal)
		(void)fputs("later      not looked for, whether it was accepted: standard input is read once, and of many the newest alone\n", out);
	if (!again->was_looked_for || (!again->found && !again->is_refusal))
		return;
	if (!again->found) {
		(void)fputs("later      no acceptance is known within 5 days, from the same network and sender to <", out);
		escape_terminal(text_of(again->to), out);
		(void)fputs(">\n", out);
		return;
	}
	cell_words(CELL_TIME, again->found_us, when);
	cell_words(CELL_DURATION, wait_of(again), wait);
	if (again->is_refusal) {
		fprintf(out, "later      accepted %s, after %s", when, wait);
	} else {
		fprintf(out, "before     refused %u time%s, first %s, %s earlier", again->found, again->found == 1 ? "" : "s", when, wait);
	}
	if (again->about[0]) {
		(void)fputs(again->is_refusal ? ", as " : ", for ", out);
		escape_terminal(text_of(again->about), out);
	}
	put_whose(again, out);
	fprintf(out, "           -> smtptrail trace %016" PRIx64 "\n", again->found_key);
	if (again->proof)
		fprintf(out, "proof      %s\n", again->proof);
}

void again_json(const struct again *again, FILE *out)
{
	char when[TIME_TEXT_SIZE];

	if (!again->was_looked_for || (!again->found && !again->is_refusal))
		return;
	if (!again->found) {
		(void)fputs(",\"later\":{\"accepted\":false}", out);
		return;
	}
	time_format(again->found_us, when);
	if (again->is_refusal)
		(void)fputs(",\"later\":{\"accepted\":true", out);
	else
		fprintf(out, ",\"before\":{\"refused\":%u", again->found);
	fprintf(out, ",\"time\":\"%s\",\"wait_us\":%" PRIu64 ",\"key\":\"%016" PRIx64 "\",\"client\":\"%s\"", when, wait_of(again), again->found_key,
		again->is_same_client ? "same" : "network");
	if (again->about[0]) {
		(void)fputs(again->is_refusal ? ",\"queue_id\":" : ",\"reason\":", out);
		show_json_string(out, text_of(again->about));
	}
	if (again->proof_json)
		fprintf(out, ",\"proof\":%s", again->proof_json);
	(void)fputc('}', out);
}
