/* again.c - refusals and later acceptances of the same mail, by client, sender and recipient. */
#include "analysis/again.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/match.h"
#include "analysis/show_event.h"
#include "analysis/show_facts.h"
#include "common/escape.h"
#include "common/record.h"

enum { TEXT_MAX = 512, SENDERS_MAX = 60, NETWORKS_MAX = 8, NETWORK_WORDS_SIZE = NETWORK_ADDRESS_SIZE + 8 };

/* Whether it was looked for, or why not. */
enum asked { NOT_ASKED, ASKED, READ_ONCE, TOO_MANY, FAILED };

struct seen {
	uint64_t time_us;
	transaction_key key;
	bool is_same_client, has_evidence;
	struct evidence evidence;
	char *about;			/* queue identifier, or reason; NULL: it is not known */
};

struct again {
	bool is_refusal;		/* else an acceptance */
	enum asked asked;
	uint64_t time_us;
	transaction_key key;
	uint64_t hash;			/* of sender and recipient */
	char *from, *to, *client;	/* one piece of memory, which is from */
	struct network network;
	/* Of a refusal the first acceptance; of an acceptance the newest refusals, in no order. */
	struct seen *seen;
	unsigned count;
	uint64_t settled_us;		/* when an earlier mail was accepted: refusals until then are its own */
	uint64_t left_us;		/* the newest refusal that was not kept; 0: all were */
	struct seen *first;		/* NULL: there is none */
	char *proof, *proof_json;	/* of the first */
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

static uint64_t time_of(const struct report_row *row)
{
	return is_refusal(row) ? row->recipient->first_us : row->message->start_us;
}

/* What a content filter gave back was accepted before. */
static bool is_acceptance(const struct report_row *row)
{
	return row->is_accepted && row->fate != FATE_REJECTED && row->message->parent_kind != PARENT_HOP &&
	       row->message->parent_kind != PARENT_NEXT_HOST;
}

static bool is_kept(struct text text)
{
	return text.start && text.length < TEXT_MAX && !(text.length && memchr(text.start, '\0', text.length));
}

static char *put_text(char *at, struct text text)
{
	if (text.length)
		memcpy(at, text.start, text.length);
	at[text.length] = '\0';
	return at + text.length + 1;
}

static char *copy_text(struct text text)
{
	char *copy = is_kept(text) ? malloc(text.length + 1) : NULL;

	if (copy)
		(void)put_text(copy, text);
	return copy;
}

static bool keep_names(struct again *again, struct text from, struct text to, const char *client)
{
	again->from = malloc(from.length + to.length + strlen(client) + 3);
	if (!again->from)
		return false;
	again->to = put_text(again->from, from);
	again->client = put_text(again->to, to);
	(void)put_text(again->client, text_of(client));
	return true;
}

/* As greylisting counts them. */
static void network_words(const struct again *again, char ret_words[NETWORK_WORDS_SIZE])
{
	(void)snprintf(ret_words, NETWORK_WORDS_SIZE, "%s/%d", again->client, strchr(again->client, ':') ? 64 : 24);
}

struct again *again_new(const struct report_row *row)
{
	char client[NETWORK_ADDRESS_SIZE], words[NETWORK_WORDS_SIZE];
	struct text from, to;
	struct again *again;

	if (!row->recipient || (!is_refusal(row) && !is_acceptance(row)) || !client_of(row).start || !network_address(client_of(row), client))
		return NULL;
	from = facts_text(&row->message->facts, FACT_MESSAGE_FROM);
	to = recipient_of(row);
	if (!is_kept(from) || !is_kept(to) || !to.length)
		return NULL;
	again = calloc(1, sizeof *again);
	if (!again)
		return NULL;
	again->is_refusal = is_refusal(row);
	again->time_us = time_of(row);
	again->key = row->message->key;
	again->hash = hash_of(from, to);
	if (keep_names(again, from, to, client)) {
		network_words(again, words);
		if (network_parse(words, &again->network))
			return again;
	}
	again_free(again);
	return NULL;
}

static void drop_seen(struct again *again)
{
	for (unsigned i = 0; i < again->count; i++)
		free(again->seen[i].about);
	free(again->seen);
	free(again->proof);
	free(again->proof_json);
	again->seen = again->first = NULL;
	again->proof = again->proof_json = NULL;
	again->count = 0;
}

void again_free(struct again *again)
{
	if (!again)
		return;
	drop_seen(again);
	free(again->from);
	free(again);
}

/* Refusals that are not settled, beyond those that are kept. */
static bool has_more(const struct again *again)
{
	return again->left_us > again->settled_us;
}

/* Of one that is not looked for it is still to be said why. */
static void leave_out(struct again *again, enum asked asked)
{
	drop_seen(again);
	free(again->from);
	again->from = again->to = again->client = NULL;
	again->asked = asked;
}

/* ---- looking ---- */

struct looking {
	struct again *list[AGAIN_MAX];
	size_t count;
};

/* As words, since the table of sources goes with the reading. */
static void keep_proof(struct again *again, const struct source_table *sources, const struct evidence *evidence)
{
	size_t size;
	FILE *out = open_memstream(&again->proof, &size);

	if (out) {
		show_proof(evidence, sources, out);
		(void)fclose(out);
	}
	out = open_memstream(&again->proof_json, &size);
	if (out) {
		show_proof_json(evidence, sources, out);
		(void)fclose(out);
	}
}

static bool is_of(const struct again *again, const struct report_row *row, uint64_t hash, uint64_t time_us)
{
	struct text from = facts_text(&row->message->facts, FACT_MESSAGE_FROM);

	if (again->hash != hash || !from.start || (again->is_refusal && is_refusal(row)) ||
	    (again->is_refusal ? time_us < again->time_us || time_us > again->time_us + AGAIN_SPAN_US
			       : time_us > again->time_us || time_us + AGAIN_SPAN_US < again->time_us))
		return false;
	return text_equal_nocase(text_of(again->to), recipient_of(row)) && text_equal_nocase(text_of(again->from), from) &&
	       network_has(&again->network, client_of(row));
}

/* Where the next is put: of a refusal the first acceptance is kept, of an acceptance the newest refusals. NULL: it is not wanted. */
static struct seen *place_of(struct again *again, uint64_t time_us)
{
	unsigned most = again->is_refusal ? 1 : AGAIN_REFUSALS_MAX;
	struct seen *place;
	uint64_t left_us;

	if (!again->seen)
		again->seen = calloc(most, sizeof *again->seen);
	if (!again->seen)
		return NULL;
	if (again->count < most)
		return &again->seen[again->count++];
	place = again->seen;
	for (unsigned i = 1; i < again->count; i++)
		if (again->seen[i].time_us < place->time_us)
			place = &again->seen[i];
	if (again->is_refusal)
		return time_us < place->time_us ? place : NULL;
	left_us = time_us > place->time_us ? place->time_us : time_us;
	again->left_us = left_us > again->left_us ? left_us : again->left_us;
	return time_us > place->time_us ? place : NULL;
}

static void keep_seen(struct again *again, const struct report_row *row, uint64_t time_us)
{
	const struct facts *recipient = &row->recipient->facts, *message = &row->message->facts;
	struct seen *seen = place_of(again, time_us);
	char client[NETWORK_ADDRESS_SIZE];
	struct fact_value value;

	if (!seen)
		return;
	free(seen->about);
	*seen = (struct seen){
		.time_us = time_us, .key = row->message->key,
		.is_same_client = network_address(client_of(row), client) && strcmp(client, again->client) == 0,
		.about = copy_text(again->is_refusal ? facts_text(message, FACT_MESSAGE_QUEUE_ID) : facts_text(recipient, FACT_RECIPIENT_REASON)),
	};
	if (again->is_refusal)
		seen->has_evidence = facts_find(message, FACT_MESSAGE_QUEUE_ID, &value);
	else
		seen->has_evidence = facts_find(recipient, FACT_RECIPIENT_REPLY, &value);
	if (seen->has_evidence)
		seen->evidence = value.evidence;
}

static void take(void *context, const struct report_row *row)
{
	struct looking *looking = context;
	uint64_t hash, time_us;

	if ((!is_refusal(row) && !is_acceptance(row)) || !client_of(row).start)
		return;
	time_us = time_of(row);
	hash = hash_of(facts_text(&row->message->facts, FACT_MESSAGE_FROM), recipient_of(row));
	for (size_t i = 0; i < looking->count; i++) {
		struct again *again = looking->list[i];

		if (!is_of(again, row, hash, time_us))
			continue;
		if (again->is_refusal || is_refusal(row))
			keep_seen(again, row, time_us);
		else if (row->message->key != again->key && time_us > again->settled_us)
			again->settled_us = time_us;
	}
}

/* All was read: what an earlier mail settled is not told of. */
static void decide(struct again *again, const struct source_table *sources)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < again->count; i++) {
		if (!again->is_refusal && again->seen[i].time_us <= again->settled_us)
			free(again->seen[i].about);
		else
			again->seen[kept++] = again->seen[i];
	}
	again->count = kept;
	for (unsigned i = 0; i < again->count; i++)
		if (!again->first || again->seen[i].time_us < again->first->time_us)
			again->first = &again->seen[i];
	if (again->first && again->first->has_evidence)
		keep_proof(again, sources, &again->first->evidence);
}

/* No query need be made of an address that is hard to write. */
static bool is_plain(const char *address)
{
	for (; *address; address++)
		if ((unsigned char)*address <= ' ' || *address == '"' || *address == '\\' || (unsigned char)*address >= 0x7f)
			return false;
	return true;
}

/* Each address of a network is looked up in each day, which costs more than it spares where senders are many; an IPv6 one has
 * too many for that. A null sender is everybody's. */
static bool names_network(const struct again *again, bool with_networks)
{
	return !*again->from || (with_networks && !strchr(again->client, ':'));
}

static bool is_same_group(const struct again *one, const struct again *other, bool with_networks)
{
	return text_equal_nocase(text_of(one->from), text_of(other->from)) &&
	       (!names_network(one, with_networks) ||
		(one->network.bits == other->network.bits && network_has(&one->network, text_of(other->client))));
}

static bool is_in_group(const struct looking *looking, size_t at, bool with_networks)
{
	for (size_t i = 0; i < at; i++)
		if (is_same_group(looking->list[i], looking->list[at], with_networks))
			return true;
	return false;
}

/* Of each sender, and network, once, since recipients have other names behind an alias. False: they are too many, or hard to write. */
static bool put_groups(const struct looking *looking, bool with_networks, FILE *out)
{
	char network[NETWORK_WORDS_SIZE];
	unsigned count = 0;

	for (size_t i = 0; i < looking->count; i++) {
		const struct again *again = looking->list[i];

		if (is_in_group(looking, i, with_networks))
			continue;
		if (!is_plain(again->from) || count == (with_networks ? NETWORKS_MAX : SENDERS_MAX))
			return false;
		fprintf(out, "%s(from:\"%s\"", count++ ? " OR " : " (", again->from);
		network_words(again, network);
		if (names_network(again, with_networks))
			fprintf(out, " client_addr:\"%s\"", network);
		(void)fputc(')', out);
	}
	(void)fputc(')', out);
	return true;
}

static void put_span(const struct looking *looking, FILE *out)
{
	uint64_t from_us = UINT64_MAX, until_us = 0;
	char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];

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
	fprintf(out, "is:recipient since:\"%s\" until:\"%s\"", since, until);
}

enum naming { NETWORKS, SENDERS, NO_NAMES };

/* NULL: no memory, or it is no query. */
static struct query *parse_words(const struct looking *looking, enum naming naming, uint64_t now_us)
{
	struct query *query = NULL;
	struct problem ignored;
	bool is_good = true;
	char *words = NULL;
	size_t size;
	FILE *out = open_memstream(&words, &size);

	if (!out)
		return NULL;
	put_span(looking, out);
	if (naming != NO_NAMES)
		is_good = put_groups(looking, naming == NETWORKS, out);
	if (fclose(out) != 0 || !is_good || size > QUERY_LENGTH_MAX || query_parse(&query, words, now_us, NULL, &ignored) != 0)
		query = NULL;
	free(words);
	return query;
}

/* It narrows what is read; to the span of time alone, where more cannot be said. */
static struct query *query_of(const struct looking *looking, uint64_t now_us)
{
	struct query *query = parse_words(looking, NETWORKS, now_us);

	if (!query)
		query = parse_words(looking, SENDERS, now_us);
	return query ? query : parse_words(looking, NO_NAMES, now_us);
}

/* Standard input and pipes, also those that a shell names as a file. */
static bool is_read_once(const struct ask *ask)
{
	struct stat about;

	for (size_t i = 0; i < ask->file_count; i++)
		if (strcmp(ask->files[i], "-") == 0 || (stat(ask->files[i], &about) == 0 && !S_ISREG(about.st_mode)))
			return true;
	return false;
}

static int look(struct looking *looking, const struct ask *ask)
{
	struct query *query = query_of(looking, ask->now_us);
	struct problem ignored;
	struct rows rows;
	int error = -ENOMEM;

	ask_rows(ask, &rows);
	rows.query = query;
	rows.moments = REPORT_RECIPIENT;
	rows.take = take;
	rows.context = looking;
	rows.is_again = true;
	if (query && ask_reads_store(ask))
		error = rows_read_store(&rows, ask_store(ask), &ignored);
	else if (query)
		error = rows_read_files(&rows, ask->files, ask->file_count);
	for (size_t i = 0; i < looking->count && !error; i++)
		decide(looking->list[i], rows.sources);
	rows_done(&rows);
	query_free(query);
	return error;
}

void again_find(struct again *const *list, size_t count, const struct ask *ask)
{
	struct looking looking = { .count = 0 };
	enum asked asked = is_read_once(ask) ? READ_ONCE : ASKED;

	/* The newest stand last. */
	while (count--) {
		if (!list[count])
			continue;
		if (asked == READ_ONCE || looking.count == AGAIN_MAX)
			leave_out(list[count], asked == READ_ONCE ? READ_ONCE : TOO_MANY);
		else
			looking.list[looking.count++] = list[count];
	}
	if (looking.count && look(&looking, ask) != 0)
		asked = FAILED;
	for (size_t i = 0; i < looking.count; i++)
		looking.list[i]->asked = asked;
}

/* ---- showing ---- */

static uint64_t wait_of(const struct again *again)
{
	return again->is_refusal ? again->first->time_us - again->time_us : again->time_us - again->first->time_us;
}

static void put_whose(const struct again *again, FILE *out)
{
	(void)fputs(again->first->is_same_client ? ": from the same client and sender to <" : ": from a client of the same network and the same sender to <", out);
	escape_terminal(text_of(again->to), out);
	(void)fputs(">\n", out);
}

static void put_why_not(const struct again *again, FILE *out)
{
	(void)fputs("later      not looked for, whether it was accepted: ", out);
	if (again->asked == READ_ONCE)
		(void)fputs("standard input and pipes are read once\n", out);
	else if (again->asked == TOO_MANY)
		fprintf(out, "it is not among the newest %d, which alone are\n", AGAIN_MAX);
	else
		(void)fputs("what was read could not be read once more\n", out);
}

static void put_first(const struct again *again, FILE *out)
{
	char when[CELL_WORDS_MAX], wait[CELL_WORDS_MAX];

	cell_words(CELL_TIME, again->first->time_us, when);
	cell_words(CELL_DURATION, wait_of(again), wait);
	if (again->is_refusal)
		fprintf(out, "later      accepted %s, after %s", when, wait);
	else if (has_more(again))
		fprintf(out, "before     refused more than %u times, the first of the newest %u %s, %s earlier", again->count, again->count, when, wait);
	else
		fprintf(out, "before     refused %u time%s, first %s, %s earlier", again->count, again->count == 1 ? "" : "s", when, wait);
	if (again->first->about && again->first->about[0]) {
		(void)fputs(again->is_refusal ? ", as " : ", for ", out);
		escape_terminal(text_of(again->first->about), out);
	}
	put_whose(again, out);
	fprintf(out, "           -> smtptrail trace %016" PRIx64 "\n", again->first->key);
	if (again->proof)
		fprintf(out, "proof      %s\n", again->proof);
}

void again_text(const struct again *again, FILE *out)
{
	if (again->asked != ASKED && again->is_refusal)
		put_why_not(again, out);
	if (again->asked != ASKED || (!again->first && !again->is_refusal))
		return;
	if (again->first) {
		put_first(again, out);
		return;
	}
	(void)fputs("later      no acceptance is known within 5 days, from the same network and sender to <", out);
	escape_terminal(text_of(again->to), out);
	(void)fputs(">\n", out);
}

void again_json(const struct again *again, FILE *out)
{
	char when[TIME_TEXT_SIZE];

	if (again->asked != ASKED || (!again->first && !again->is_refusal))
		return;
	if (!again->first) {
		(void)fputs(",\"later\":{\"accepted\":false}", out);
		return;
	}
	time_format(again->first->time_us, when);
	if (again->is_refusal)
		(void)fputs(",\"later\":{\"accepted\":true", out);
	else
		fprintf(out, ",\"before\":{\"refused\":%u%s", again->count, has_more(again) ? ",\"is_more\":true" : "");
	fprintf(out, ",\"time\":\"%s\",\"wait_us\":%" PRIu64 ",\"key\":\"%016" PRIx64 "\",\"client\":\"%s\"", when, wait_of(again),
		again->first->key, again->first->is_same_client ? "same" : "network");
	if (again->first->about && again->first->about[0]) {
		(void)fputs(again->is_refusal ? ",\"queue_id\":" : ",\"reason\":", out);
		show_json_string(out, text_of(again->first->about));
	}
	if (again->proof_json)
		fprintf(out, ",\"proof\":%s", again->proof_json);
	(void)fputc('}', out);
}
