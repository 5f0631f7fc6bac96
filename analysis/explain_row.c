/* explain_row.c - rows explained, for persons and programs. */
#include "analysis/explain_row.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analysis/explain.h"
#include "analysis/show_event.h"
#include "analysis/show_facts.h"
#include "common/escape.h"
#include "common/record.h"

static void explain(struct explanation *explanation, const struct report_row *row)
{
	if (row->recipient)
		explain_recipient(explanation, row->session, row->message, row->recipient);
	else if (row->message)
		explain_message(explanation, row->session, row->message);
	else if (row->session)
		explain_session(explanation, row->session);
	else
		explain_login(explanation, row->login);
}

/* ---- what it rests on ---- */

enum { PROOFS_MAX = FACT_COUNT + EXPLAIN_FINDINGS_MAX };

struct proofs {
	struct evidence evidence[PROOFS_MAX];
	size_t count;
};

static void add_proof(struct proofs *proofs, const struct evidence *evidence)
{
	if (proofs->count < PROOFS_MAX)
		proofs->evidence[proofs->count++] = *evidence;
}

static void add_proofs(struct proofs *proofs, const struct facts *facts)
{
	struct facts_walk walk;
	struct fact_value value;

	facts_walk_start(&walk, facts);
	while (facts_walk_next(&walk, &value))
		add_proof(proofs, &value.evidence);
}

static int compare_places(const struct evidence *a, const struct evidence *b)
{
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	return (a->minor > b->minor) - (a->minor < b->minor);
}

/* Of one place what is not sure comes first: it is so of the whole. */
static int by_place(const void *a, const void *b)
{
	const struct evidence *left = a, *right = b;
	int order = compare_places(left, right);

	if (order)
		return order;
	if (left->is_unsure != right->is_unsure)
		return left->is_unsure ? -1 : 1;
	return (int)left->key - (int)right->key;
}

/* Each line or entry once, in their order. */
static void collect(struct proofs *proofs, const struct explanation *explanation, const struct report_row *row)
{
	size_t kept = 0;

	proofs->count = 0;
	if (row->message)
		add_proofs(proofs, &row->message->facts);
	if (row->recipient)
		add_proofs(proofs, &row->recipient->facts);
	if (row->session && !row->message)
		add_proofs(proofs, &row->session->facts);
	if (row->login)
		add_proofs(proofs, &row->login->facts);
	for (unsigned i = 0; i < explanation->count; i++)
		if (explanation->findings[i].has_evidence)
			add_proof(proofs, &explanation->findings[i].evidence);
	if (proofs->count)
		qsort(proofs->evidence, proofs->count, sizeof proofs->evidence[0], by_place);
	for (size_t i = 0; i < proofs->count; i++)
		if (i == 0 || compare_places(&proofs->evidence[i], &proofs->evidence[kept - 1]) != 0)
			proofs->evidence[kept++] = proofs->evidence[i];
	proofs->count = kept;
}

/* ---- who ---- */

/* What a row is known by; the fact behind the last is FACT_COUNT. */
static const enum fact message_names[] = { FACT_MESSAGE_QUEUE_ID, FACT_MESSAGE_FROM, FACT_COUNT };
static const enum fact recipient_names[] = { FACT_RECIPIENT_TO, FACT_RECIPIENT_ORIG_TO, FACT_COUNT };
static const enum fact session_names[] = { FACT_SESSION_SESSION, FACT_SESSION_CLIENT_ADDR, FACT_SESSION_SERVER_ADDR, FACT_COUNT };
static const enum fact login_names[] = { FACT_LOGIN_SERVICE, FACT_LOGIN_CLIENT_ADDR, FACT_LOGIN_AUTH_AUTHEN, FACT_LOGIN_AUTH_TYPE, FACT_COUNT };

typedef void show_name(const struct facts *facts, enum fact fact, FILE *out);

static void each_name(const struct facts *facts, const enum fact *names, show_name *show, FILE *out)
{
	for (; *names != FACT_COUNT; names++)
		show(facts, *names, out);
}

static void put_names(const struct report_row *row, show_name *show, FILE *out)
{
	if (row->message)
		each_name(&row->message->facts, message_names, show, out);
	else if (row->session)
		each_name(&row->session->facts, session_names, show, out);
	else
		each_name(&row->login->facts, login_names, show, out);
	if (row->recipient)
		each_name(&row->recipient->facts, recipient_names, show, out);
}

/* ---- for a person ---- */

static void put_session_end(const struct session *session, FILE *out)
{
	uint64_t messages = facts_number(&session->facts, FACT_SESSION_MESSAGES, 0);

	if (messages)
		fprintf(out, "%" PRIu64 " message%s", messages, messages == 1 ? "" : "s");
	else
		(void)fputs("no message", out);
}

static void put_end(const struct report_row *row, FILE *out)
{
	struct text state = row->message ? facts_text(&row->message->facts, FACT_MESSAGE_STATE) : TEXT_NONE;

	if (row->recipient) {
		(void)fputs(fate_name(row->fate), out);
	} else if (row->message) {
		escape_terminal(state.start ? state : TEXT_LITERAL("unknown"), out);
	} else if (row->session) {
		put_session_end(row->session, out);
	} else {
		(void)fputs("login ", out);
		escape_terminal(facts_text(&row->login->facts, FACT_LOGIN_OUTCOME), out);
	}
}

static void put_head(const struct report_row *row, FILE *out)
{
	char words[CELL_WORDS_MAX];

	cell_words(CELL_TIME, row->time_us, words);
	(void)fputs(words, out);
	put_names(row, show_fact, out);
	(void)fputs(": ", out);
	put_end(row, out);
	(void)fputc('\n', out);
}

void explain_row_text(const struct report_row *row, const struct source_table *sources, FILE *out)
{
	struct explanation explanation;
	struct proofs proofs;

	explain(&explanation, row);
	collect(&proofs, &explanation, row);
	put_head(row, out);
	explain_print(&explanation, out);
	for (size_t i = 0; i < proofs.count; i++) {
		fprintf(out, "%-10s ", "proof");
		show_proof(&proofs.evidence[i], sources, out);
		(void)fputc('\n', out);
	}
}

/* ---- for a program ---- */

static void put_member(const struct facts *facts, enum fact fact, FILE *out)
{
	struct text value = facts_text(facts, fact);

	if (!value.start)
		return;
	fprintf(out, ",\"%s\":", fact_table[fact].name);
	show_json_string(out, value);
}

static void put_identity(const struct report_row *row, FILE *out)
{
	const char *is = row->recipient ? "recipient" : row->message ? "message" : row->session ? "session" : "login";
	transaction_key key = row->message ? row->message->key : row->session ? row->session->key : row->login->session_key;
	char words[TIME_TEXT_SIZE];

	fprintf(out, "{\"is\":\"%s\"", is);
	if (key)
		fprintf(out, ",\"key\":\"%016" PRIx64 "\"", key);
	time_format(row->time_us, words);
	fprintf(out, ",\"time\":\"%s\"", words);
	put_names(row, put_member, out);
	if (row->recipient)
		fprintf(out, ",\"fate\":\"%s\"", fate_name(row->fate));
}

void explain_row_json(const struct report_row *row, const struct source_table *sources, FILE *out)
{
	struct explanation explanation;
	struct proofs proofs;

	explain(&explanation, row);
	collect(&proofs, &explanation, row);
	put_identity(row, out);
	(void)fputs(",\"findings\":", out);
	explain_print_json(&explanation, sources, out);
	(void)fputs(",\n\"proof\":[", out);
	for (size_t i = 0; i < proofs.count; i++) {
		(void)fputs(i ? "," : "", out);
		show_proof_json(&proofs.evidence[i], sources, out);
	}
	(void)fputs("]}", out);
}
