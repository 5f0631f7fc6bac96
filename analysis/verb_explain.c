/* verb_explain.c - smtptrail explain: why it ended so, what proves it, how sure that is, and what to do next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/ask.h"
#include "analysis/columns.h"
#include "analysis/explain.h"
#include "analysis/explain_row.h"
#include "analysis/key_set.h"

extern const struct verb verb_explain;

/* How many more than are asked for are kept before the oldest go. */
enum { QUERY_MAX = QUERY_LENGTH_MAX, SLACK = 1024 };

/* ---- codes and words ---- */

static int explain_words(const struct ask *ask, const struct explanation *explanation)
{
	if (ask->output == &output_json) {
		printf("{\"verb\":\"explain\",\"version\":%d,\"findings\":", OUTPUT_JSON_VERSION);
		explain_print_json(explanation, NULL, stdout);
		printf("}\n");
	} else {
		explain_print(explanation, stdout);
	}
	return EXIT_FOUND;
}

/* ---- transactions ---- */

/* A row that was explained: it is lent for the call alone, so its words are kept. */
struct told {
	uint64_t time_us;
	transaction_key key;
	uint32_t number;		/* of the recipient; 0: there is none */
	bool is_session;
	char *words;
	size_t length;
};

struct telling {
	const struct ask *ask;
	const struct rows *rows;
	struct told *list;
	size_t count, size, left_out;
	struct key_set sessions;	/* that a message was found of: it tells of them */
	bool has_stopped;		/* before all that was older had been looked at */
	bool is_short;
};

static int oldest_first(const void *a, const void *b)
{
	const struct told *left = a, *right = b;

	if (left->time_us != right->time_us)
		return left->time_us < right->time_us ? -1 : 1;
	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}

/* A session's message may have come behind it. */
static void drop_sessions(struct telling *telling)
{
	size_t kept = 0;

	for (size_t i = 0; i < telling->count; i++)
		if (telling->list[i].is_session && key_set_has(&telling->sessions, telling->list[i].key))
			free(telling->list[i].words);
		else
			telling->list[kept++] = telling->list[i];
	telling->count = kept;
}

static void drop_oldest(struct telling *telling)
{
	size_t top = telling->ask->top, beyond;

	drop_sessions(telling);
	beyond = top && telling->count > top ? telling->count - top : 0;
	if (telling->count)
		qsort(telling->list, telling->count, sizeof *telling->list, oldest_first);
	for (size_t i = 0; i < beyond; i++)
		free(telling->list[i].words);
	telling->count -= beyond;
	telling->left_out += beyond;
	if (beyond)
		memmove(telling->list, telling->list + beyond, telling->count * sizeof *telling->list);
}

static bool make_room(struct telling *telling)
{
	struct told *larger;

	if (telling->ask->top && telling->count >= telling->ask->top * 2 + SLACK)
		drop_oldest(telling);
	if (telling->count < telling->size)
		return true;
	larger = reallocarray(telling->list, telling->size ? telling->size * 2 : SLACK, sizeof *larger);
	if (!larger)
		return false;
	telling->list = larger;
	telling->size = telling->size ? telling->size * 2 : SLACK;
	return true;
}

static bool tell(const struct telling *telling, const struct report_row *row, struct told *told)
{
	FILE *out = open_memstream(&told->words, &told->length);

	if (!out)
		return false;
	if (telling->ask->output == &output_json)
		explain_row_json(row, telling->rows->sources, out);
	else
		explain_row_text(row, telling->rows->sources, out);
	if (fclose(out) == 0)
		return true;
	free(told->words);
	return false;
}

static void take(void *context, const struct report_row *row)
{
	struct telling *telling = context;
	struct told told = {
		.time_us = row->time_us, .key = columns_key(row), .number = row->recipient ? row->recipient->number : 0,
		.is_session = row->moment == REPORT_SESSION,
	};

	/* A message is told by its recipients, a session by its messages, where there are any. */
	if (told.is_session && key_set_has(&telling->sessions, told.key))
		return;
	if (row->moment == REPORT_MESSAGE) {
		if (row->message->session_key && key_set_add(&telling->sessions, row->message->session_key) < 0)
			telling->is_short = true;
		if (row->message->recipients)
			return;
	}
	if (make_room(telling) && tell(telling, row, &told))
		telling->list[telling->count++] = told;
	else
		telling->is_short = true;
}

static bool is_enough(void *context, uint64_t before_us)
{
	struct telling *telling = context;

	if (!telling->ask->top || telling->count < telling->ask->top)
		return false;
	drop_oldest(telling);
	telling->has_stopped = telling->count >= telling->ask->top && telling->list[0].time_us >= before_us;
	return telling->has_stopped;
}

static void show(const struct telling *telling)
{
	bool as_json = telling->ask->output == &output_json;

	if (as_json)
		printf("{\"verb\":\"explain\",\"version\":%d,\"recipients\":[", OUTPUT_JSON_VERSION);
	for (size_t i = 0; i < telling->count; i++) {
		fputs(i == 0 ? "" : as_json ? ",\n" : "\n", stdout);
		(void)fwrite(telling->list[i].words, 1, telling->list[i].length, stdout);
	}
	if (as_json)
		printf("],\"left_out\":%zu%s}\n", telling->left_out, telling->is_short ? ",\"is_short\":true" : "");
}

static void say_what_is_missing(const struct telling *telling)
{
	(void)fflush(stdout);
	if (telling->is_short)
		fprintf(stderr, "smtptrail explain: memory was short: some are missing\n");
	if (telling->ask->output == &output_json)
		return;
	if (!telling->count)
		fprintf(stderr, "smtptrail explain: nothing of the kind is in what was read\n");
	else if (telling->has_stopped)
		fprintf(stderr, "smtptrail explain: older days were not looked at; --top 0 shows all\n");
	else if (telling->left_out)
		fprintf(stderr, "smtptrail explain: %zu older ones are left out; --top 0 shows all\n", telling->left_out);
}

static void telling_done(struct telling *telling)
{
	for (size_t i = 0; i < telling->count; i++)
		free(telling->list[i].words);
	free(telling->list);
	key_set_done(&telling->sessions);
}

static int explain_transactions(struct ask *ask)
{
	struct rows rows;
	struct telling telling = { .ask = ask, .rows = &rows };
	int status;

	ask_rows(ask, &rows);
	rows.moments = REPORT_RECIPIENT | REPORT_MESSAGE | REPORT_SESSION | REPORT_LOGIN;
	rows.keeps_attempts = true;
	rows.take = take;
	rows.is_enough = is_enough;
	rows.context = &telling;
	status = ask_read(ask, &rows);
	if (!status) {
		drop_oldest(&telling);
		show(&telling);
		say_what_is_missing(&telling);
		status = ask_finish(ask, &rows, telling.count != 0);
	}
	telling_done(&telling);
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

/* A reply has no files behind it, whatever words their names remind of. */
static bool names_files(int argc, char **argv)
{
	for (int i = optind + 1; i < argc; i++)
		if (argv[i][0] == '/' || access(argv[i], F_OK) == 0 || (i + 1 == argc && strcmp(argv[i], "-") == 0))
			return true;
	return false;
}

static int explain(struct ask *ask, int argc, char **argv)
{
	struct explanation explanation;
	char text[QUERY_MAX + 1];
	int status;

	if (optind == argc)
		return verb_usage_error(&verb_explain, "it wants a code, a reply, or what to look for in log files");
	join_words(argc, argv, text, sizeof text);
	if (!query_begins(argv[optind]) && !names_files(argc, argv) && explain_text(&explanation, text_of(text)))
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
		"bounced), or what became of each recipient that a key (queue id, Message-ID, address, or key of smtptrail search) or a\n"
		"query finds, in the store or in log files; of messages without recipients, sessions without messages, and logins, too.\n"
		"Below stands what proves it, and whether that is sure. The advice is a table: analysis/advice.def.\n\n"
		"options:\n"
		ASK_READ_HELP
		"  --top N          the newest (default 20; 0: all)\n"
		"  --json           for programs; smtptrail-json(5) says what the members mean\n"
		"\nexit status: 0 explained; 1 nothing was found; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail explain 5.7.26\n"
		"  smtptrail explain \"451 4.7.1 Greylisting in action, please come back later\"\n"
		"  smtptrail explain 4jWqnv1NpDz1bcn1\n"
		"  smtptrail explain outcome:failed since:1d\n"
		"  smtptrail explain to:joe@example.com since:2h /var/log/mail.log\n",
	.run = run_explain,
};
