/* verb_explain.c - smtptrail explain: why it ended so, what proves it, how sure that is, and what to do next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/again.h"
#include "analysis/ask.h"
#include "analysis/explain.h"
#include "analysis/explain_row.h"
#include "analysis/newest.h"

extern const struct verb verb_explain;

enum { QUERY_MAX = QUERY_LENGTH_MAX };

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
	struct newest_item item;	/* first */
	char *words;
	size_t length;
	struct again *again;		/* NULL: nothing was, or is, to be found of it */
};

struct telling {
	const struct ask *ask;
	const struct rows *rows;
	struct newest newest;
};

static void drop(void *context, struct newest_item *item)
{
	struct told *told = (struct told *)item;

	(void)context;
	again_free(told->again);
	free(told->words);
	free(told);
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
	struct told *told;

	if (!newest_wants(&telling->newest, row))
		return;
	told = newest_make_room(&telling->newest) ? calloc(1, sizeof *told) : NULL;
	if (!told || !tell(telling, row, told)) {
		free(told);
		telling->newest.is_short = true;
		return;
	}
	told->item = newest_item_of(&telling->newest, row);
	told->again = again_new(row);
	newest_add(&telling->newest, &told->item);
}

static bool is_enough(void *context, uint64_t before_us)
{
	return newest_has_enough(&((struct telling *)context)->newest, before_us);
}

/* What was refused and accepted later, and the way back. */
static void find_again(const struct telling *telling)
{
	const struct newest *newest = &telling->newest;
	struct again **list = calloc(newest->count + 1, sizeof *list);

	for (size_t i = 0; list && i < newest->count; i++)
		list[i] = ((struct told *)newest->items[i])->again;
	if (list)
		again_find(list, newest->count, telling->ask);
	free(list);
}

static void show_told(const struct told *told, bool as_json)
{
	/* One more member stands in front of the end of the object. */
	(void)fwrite(told->words, 1, told->length - as_json, stdout);
	if (told->again && as_json)
		again_json(told->again, stdout);
	else if (told->again)
		again_text(told->again, stdout);
	if (as_json)
		(void)fputc('}', stdout);
}

static void show(const struct telling *telling)
{
	const struct newest *newest = &telling->newest;
	bool as_json = telling->ask->output == &output_json;

	if (as_json)
		printf("{\"verb\":\"explain\",\"version\":%d,\"recipients\":[", OUTPUT_JSON_VERSION);
	for (size_t i = 0; i < newest->count; i++) {
		fputs(i == 0 ? "" : as_json ? ",\n" : "\n", stdout);
		show_told((const struct told *)newest->items[i], as_json);
	}
	if (as_json)
		printf("],\"left_out\":%zu%s}\n", newest->left_out, newest->is_short ? ",\"is_short\":true" : "");
}

static void say_what_is_missing(const struct telling *telling)
{
	(void)fflush(stdout);
	if (telling->newest.is_short)
		fprintf(stderr, "smtptrail explain: memory was short: some are missing\n");
	if (telling->ask->output == &output_json)
		return;
	if (!telling->newest.count)
		fprintf(stderr, "smtptrail explain: nothing of the kind is in what was read\n");
	else if (telling->newest.has_stopped)
		fprintf(stderr, "smtptrail explain: older days were not looked at; --top 0 shows all\n");
	else if (telling->newest.left_out)
		fprintf(stderr, "smtptrail explain: %zu older ones are left out; --top 0 shows all\n", telling->newest.left_out);
}

static int explain_transactions(struct ask *ask)
{
	struct rows rows;
	struct telling telling = { .ask = ask, .rows = &rows, .newest = { .limit = ask->top, .drop = drop } };
	int status;

	ask_rows(ask, &rows);
	rows.moments = REPORT_RECIPIENT | REPORT_MESSAGE | REPORT_SESSION | REPORT_LOGIN;
	rows.keeps_attempts = true;
	rows.take = take;
	rows.is_enough = is_enough;
	rows.context = &telling;
	status = ask_read(ask, &rows);
	if (!status) {
		newest_finish(&telling.newest);
		find_again(&telling);
		show(&telling);
		say_what_is_missing(&telling);
		status = ask_finish(ask, &rows, telling.newest.count != 0);
	}
	newest_done(&telling.newest);
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
		"What was refused for now (greylisting), or for a blocklist, says whether it was accepted later, and after how long: the same\n"
		"sender and recipient, from the same client or its network, within 5 days; and what was accepted, that it was refused before.\n"
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
