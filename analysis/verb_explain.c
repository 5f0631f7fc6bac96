/* verb_explain.c - smtptrail explain: why it ended so, what proves it, how sure that is, and what to do next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ask.h"
#include "analysis/explain.h"
#include "analysis/show_event.h"
#include "common/escape.h"

extern const struct verb verb_explain;

enum { QUERY_MAX = QUERY_LENGTH_MAX };

/* ---- codes and words ---- */

static int explain_words(const struct ask *ask, const struct explanation *explanation)
{
	if (ask->output == &output_json) {
		printf("{\"verb\":\"explain\",\"version\":%d,\"findings\":", OUTPUT_JSON_VERSION);
		explain_print_json(explanation, stdout);
		printf("}\n");
	} else {
		explain_print(explanation, stdout);
	}
	return EXIT_FOUND;
}

/* ---- transactions ---- */

struct telling {
	const struct ask *ask;
	const struct rows *rows;
	size_t told;
};

static void put_fact(const char *name, struct text value, bool in_brackets)
{
	if (!value.start)
		return;
	printf(" %s=%s", name, in_brackets ? "<" : "");
	escape_terminal(value, stdout);
	printf("%s", in_brackets ? ">" : "");
}

static void put_head(const struct report_row *row)
{
	char words[CELL_WORDS_MAX];

	cell_words(CELL_TIME, row->message->start_us, words);
	printf("%s", words);
	put_fact("queue_id", facts_text(&row->message->facts, FACT_MESSAGE_QUEUE_ID), false);
	put_fact("from", facts_text(&row->message->facts, FACT_MESSAGE_FROM), true);
	put_fact("to", row->to, true);
	printf(": %s\n", fate_name(row->fate));
}

enum { PROOFS_MAX = 200 };

struct proofs {
	struct evidence evidence[PROOFS_MAX];
	size_t count;
};

static void add_proofs(struct proofs *proofs, const struct facts *facts)
{
	struct facts_walk walk;
	struct fact_value value;

	facts_walk_start(&walk, facts);
	while (facts_walk_next(&walk, &value) && proofs->count < PROOFS_MAX)
		proofs->evidence[proofs->count++] = value.evidence;
}

static int by_place(const void *a, const void *b)
{
	const struct evidence *left = a, *right = b;

	if (left->source != right->source)
		return (int)left->source - (int)right->source;
	if (left->major != right->major)
		return left->major < right->major ? -1 : 1;
	return (left->minor > right->minor) - (left->minor < right->minor);
}

/* What it rests on: each line or entry once, in their order, and by what it was tied. */
static void put_proofs(struct proofs *proofs, const struct source_table *sources)
{
	qsort(proofs->evidence, proofs->count, sizeof proofs->evidence[0], by_place);
	for (size_t i = 0; i < proofs->count; i++) {
		const struct evidence *evidence = &proofs->evidence[i];

		if (i && by_place(evidence - 1, evidence) == 0)
			continue;
		printf("%-10s ", "proof");
		source_print(sources, evidence, stdout);
		printf(", by %s%s\n", join_key_name((enum join_key)evidence->key),
		       evidence->is_unsure ? ": not sure, another reading was possible" : "");
	}
}

static void tell(struct telling *telling, const struct report_row *row)
{
	struct explanation explanation;
	struct proofs proofs = { .count = 0 };

	explain_recipient(&explanation, row->session, row->message, row->recipient);
	if (telling->ask->output == &output_json) {
		printf("%s{\"key\":\"%016llx\",\"to\":", telling->told ? ",\n" : "", (unsigned long long)row->message->key);
		show_json_string(stdout, row->to);
		printf(",\"fate\":\"%s\",\"findings\":", fate_name(row->fate));
		explain_print_json(&explanation, stdout);
		printf("}");
	} else {
		printf("%s", telling->told ? "\n" : "");
		put_head(row);
		explain_print(&explanation, stdout);
		add_proofs(&proofs, &row->message->facts);
		add_proofs(&proofs, &row->recipient->facts);
		put_proofs(&proofs, telling->rows->sources);
	}
	telling->told++;
}

static void put_session_head(const struct session *session)
{
	char words[CELL_WORDS_MAX];

	cell_words(CELL_TIME, session->start_us, words);
	printf("%s", words);
	put_fact("session", facts_text(&session->facts, FACT_SESSION_SESSION), false);
	put_fact("client", facts_text(&session->facts, FACT_SESSION_CLIENT_ADDR), false);
	put_fact("server", facts_text(&session->facts, FACT_SESSION_SERVER_ADDR), false);
	printf(": no message\n");
}

/* A dialogue that came to no message. */
static void tell_session(struct telling *telling, const struct report_row *row)
{
	struct explanation explanation;
	struct proofs proofs = { .count = 0 };

	if (!explain_session(&explanation, row->session))
		return;
	telling->told++;
	if (telling->ask->top && telling->told > telling->ask->top)
		return;
	if (telling->ask->output == &output_json) {
		printf("%s{\"key\":\"%016llx\",\"findings\":", telling->told > 1 ? ",\n" : "", (unsigned long long)row->session->key);
		explain_print_json(&explanation, stdout);
		printf("}");
		return;
	}
	printf("%s", telling->told > 1 ? "\n" : "");
	put_session_head(row->session);
	explain_print(&explanation, stdout);
	add_proofs(&proofs, &row->session->facts);
	put_proofs(&proofs, telling->rows->sources);
}

static void take(void *context, const struct report_row *row)
{
	struct telling *telling = context;

	if (row->moment == REPORT_SESSION) {
		tell_session(telling, row);
		return;
	}
	if (!telling->ask->top || telling->told < telling->ask->top)
		tell(telling, row);
	else
		telling->told++;
}

static int explain_transactions(struct ask *ask)
{
	struct rows rows;
	struct telling telling = { .ask = ask, .rows = &rows };
	int status;

	ask_rows(ask, &rows);
	rows.moments = REPORT_RECIPIENT | REPORT_SESSION;
	rows.keeps_attempts = true;
	rows.take = take;
	rows.context = &telling;
	if (ask->output == &output_json)
		printf("{\"verb\":\"explain\",\"version\":%d,\"recipients\":[", OUTPUT_JSON_VERSION);
	status = ask_read(ask, &rows);
	if (ask->output == &output_json)
		printf("]}\n");
	if (!status && ask->top && telling.told > ask->top)
		fprintf(stderr, "smtptrail explain: %zu more recipients; --top 0 shows all\n", telling.told - ask->top);
	if (!status && !telling.told && ask->output != &output_json)
		fprintf(stderr, "smtptrail explain: nothing of the kind is in what was read\n");
	if (!status)
		status = ask_finish(ask, &rows, telling.told != 0);
	rows_done(&rows);
	return status;
}

/* ---- the verb ---- */

/* The words behind the options, one behind the other; they are no query before it is known that they are no reply. */
static void join_words(int argc, char **argv, char *ret_text, size_t size)
{
	size_t length = 0;

	ret_text[0] = '\0';
	for (int i = optind; i < argc && length < size; i++)
		length += (size_t)snprintf(ret_text + length, size - length, "%s%s", i > optind ? " " : "", argv[i]);
}

static int explain(struct ask *ask, int argc, char **argv)
{
	struct explanation explanation;
	char text[QUERY_MAX + 1];
	int status;

	if (optind == argc)
		return verb_usage_error(&verb_explain, "it wants a code, a reply, or what to look for in log files");
	join_words(argc, argv, text, sizeof text);
	if (!query_begins(argv[optind]) && explain_text(&explanation, text_of(text)))
		return explain_words(ask, &explanation);
	status = ask_words(ask, argc, argv, NULL);
	if (status)
		return status;
	return explain_transactions(ask);
}

static int run_explain(int argc, char **argv)
{
	static const struct option words[] = {
		ASK_READ_OPTIONS, { "top", required_argument, NULL, ASK_FIRST_OPTION + 8 }, { NULL, 0, NULL, 0 },
	};
	struct ask ask;
	int option, status = 0;

	ask_init(&ask, &verb_explain, argc, argv);
	ask.keys = ASK_KEYS;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1)
		status = ask_option(&ask, option, optarg);
	if (!status)
		status = explain(&ask, argc, argv);
	ask_done(&ask);
	return status;
}

const struct verb verb_explain = {
	.name = "explain",
	.summary = "why it ended so, what proves it, and what to do next",
	.arguments = "CODE | \"REPLY\" | WORD | KEY|QUERY [FILE... | -]",
	.help = "Explains a reply code (550), an enhanced status code (5.7.1), a whole reply, a word of our own (greylisting, spf_unaligned,\n"
		"bounced), or what became of each recipient of the messages that a key (queue id, Message-ID, address, or key of\n"
		"smtptrail search) or a query finds, in the store or in log files. The advice is a table: analysis/advice.def.\n\n"
		"options:\n"
		ASK_READ_HELP
		"  --top N          of so many recipients at most (default 20; 0: all)\n"
		"  --json           for programs; smtptrail-json(5) says what the members mean\n"
		"\nexit status: 0 explained; 1 nothing was found; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail explain 5.7.26\n"
		"  smtptrail explain \"451 4.7.1 Greylisting in action, please come back later\"\n"
		"  smtptrail explain 4jWqnv1NpDz1bcn1\n"
		"  smtptrail explain to:joe@example.com since:2h /var/log/mail.log\n",
	.run = run_explain,
};
