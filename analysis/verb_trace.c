/* verb_trace.c - smtptrail trace: the whole story of a message or a session, in the order of time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/again.h"
#include "analysis/ask.h"
#include "analysis/story_show.h"
#include "common/redis_link.h"

extern const struct verb verb_trace;

enum { OPTION_EVIDENCE = 256, OPTION_RAW, OPTION_LIMIT, USUAL_LIMIT = 20 };

struct options {
	struct ask ask;
	bool shows_evidence, shows_raw;
	size_t limit;
};

static int show_story(const struct options *options, const struct rows *rows, const struct story *story)
{
	struct story_show show = { .out = stdout, .sources = rows->sources, .shows_evidence = options->shows_evidence };
	struct redis_options redis;
	struct story_raw raw = { .count = 0 };
	int error = 0;

	if (options->shows_raw) {
		redis = redis_conf_options(&options->ask.config.redis);
		error = story_raw_read(&raw, story, rows->sources, &redis);
		show.raw = &raw;
	}
	if (!error)
		error = options->ask.output == &output_json ? story_show_json(&show, story) : story_show_text(&show, story);
	story_raw_done(&raw);
	return error;
}

/* ---- what was refused for now and accepted later ---- */

/* Of each recipient of each story, in their order. */
struct agains {
	struct again **list;
	size_t count, shown, made;
	bool is_short;			/* older ones were not made */
};

static const struct session *session_of(const struct story *story, const struct message *message)
{
	for (size_t i = 0; i < story->session_count; i++)
		if (message->session_key && story->sessions[i]->key == message->session_key)
			return story->sessions[i];
	return NULL;
}

static size_t recipients_of(const struct message *message)
{
	size_t count = 0;

	for (const struct recipient *each = message->recipients; each; each = each->next)
		count++;
	return count;
}

static size_t recipients_in(const struct story *story)
{
	size_t count = 0;

	for (size_t i = 0; i < story->message_count; i++)
		count += recipients_of(story->messages[i]);
	return count;
}

static void make(struct agains *agains, size_t at, const struct story *story, const struct message *message)
{
	for (const struct recipient *each = message->recipients; each; each = each->next, at++) {
		const struct report_row row = {
			.moment = REPORT_RECIPIENT, .message = message, .session = session_of(story, message),
			.recipient = each, .fate = (enum fate)each->fate, .is_accepted = message_is_accepted(message),
		};

		if (agains->made < AGAIN_MAX)
			agains->list[at] = again_new(&row);
		else
			agains->is_short = true;
		agains->made += agains->list[at] != NULL;
	}
}

/* The newest are made first. Without memory there are none. */
static void agains_find(struct agains *agains, const struct stories *stories, const struct ask *ask)
{
	size_t count = 0, at;

	for (size_t i = 0; i < stories->count; i++)
		count += recipients_in(&stories->list[i]);
	*agains = (struct agains){ .list = calloc(count + 1, sizeof *agains->list) };
	if (!agains->list)
		return;
	agains->count = at = count;
	for (size_t i = stories->count; i--;)
		for (size_t m = stories->list[i].message_count; m--;) {
			at -= recipients_of(stories->list[i].messages[m]);
			make(agains, at, &stories->list[i], stories->list[i].messages[m]);
		}
	again_find(agains->list, agains->count, ask);
}

static void agains_show(struct agains *agains, const struct story *story)
{
	for (size_t left = recipients_in(story); left && agains->shown < agains->count; left--, agains->shown++)
		if (agains->list[agains->shown])
			again_text(agains->list[agains->shown], stdout);
}

static void agains_done(struct agains *agains)
{
	for (size_t i = 0; i < agains->count; i++)
		again_free(agains->list[i]);
	free(agains->list);
}

static int show(const struct options *options, const struct rows *rows, const struct stories *stories)
{
	struct agains agains = { .count = 0 };
	bool as_json = options->ask.output == &output_json;
	int error = 0;

	if (!as_json)
		agains_find(&agains, stories, &options->ask);
	if (as_json)
		printf("{\"verb\":\"trace\",\"version\":%d,\"stories\":[", OUTPUT_JSON_VERSION);
	for (size_t i = 0; i < stories->count && !error; i++) {
		printf("%s", i == 0 ? "" : as_json ? ",\n" : "\n");
		error = show_story(options, rows, &stories->list[i]);
		if (!error)
			agains_show(&agains, &stories->list[i]);
	}
	if (agains.is_short)
		printf("\nwhether they were refused, or accepted, at another time was looked for of the newest %d recipients alone\n", AGAIN_MAX);
	agains_done(&agains);
	if (as_json)
		printf("],\"left_out\":%zu}\n", stories->left_out);
	else if (stories->left_out)
		fprintf(stderr, "smtptrail trace: %zu older ones are left out; --limit 0 shows all\n", stories->left_out);
	return error;
}

/* What the indexes of a store find quickly is looked for first. */
static int find_in_store(const struct ask *ask, struct stories *stories, struct rows *rows, size_t limit, struct problem *problem)
{
	int error;

	if (ask->quick) {
		rows->query = ask->quick;
		error = stories_from_store(stories, rows, ask_store(ask), limit, problem);
		if (error || stories->count)
			return error;
		stories_done(stories);
		rows_done(rows);
	}
	rows->query = ask->query;
	return stories_from_store(stories, rows, ask_store(ask), limit, problem);
}

static int trace(const struct options *options)
{
	const struct ask *ask = &options->ask;
	struct problem problem = { "" };
	struct stories stories;
	struct rows rows;
	int status = EXIT_USAGE, error;

	ask_rows(ask, &rows);
	if (ask_reads_store(ask))
		error = find_in_store(ask, &stories, &rows, options->limit, &problem);
	else
		error = stories_from_files(&stories, &rows, ask->files, ask->file_count, options->limit);
	if (!error)
		error = show(options, &rows, &stories);
	if (error)
		status = ask_problem(ask, error, &problem);
	else
		status = ask_finish(ask, &rows, stories.count != 0);
	if (!error && !stories.count)
		fprintf(stderr, "smtptrail trace: nothing of the kind is in what was read\n");
	stories_done(&stories);
	rows_done(&rows);
	return status;
}

static int read_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPTION_EVIDENCE: options->shows_evidence = true; return 0;
	case OPTION_RAW: options->shows_raw = true; return 0;
	case OPTION_LIMIT: return ask_number(&options->ask, "--limit", value, &options->limit);
	default: return ask_option(&options->ask, option, value);
	}
}

static int run_trace(int argc, char **argv)
{
	static const struct option words[] = {
		{ "evidence", no_argument, NULL, OPTION_EVIDENCE }, { "raw", no_argument, NULL, OPTION_RAW },
		{ "limit", required_argument, NULL, OPTION_LIMIT }, ASK_READ_OPTIONS, { NULL, 0, NULL, 0 },
	};
	struct options options = { .limit = USUAL_LIMIT };
	int option, status = 0;

	ask_init(&options.ask, &verb_trace, argc, argv);
	options.ask.keys = ASK_KEYS;
	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "", words, NULL)) != -1)
		status = read_option(&options, option, optarg);
	if (!status)
		status = ask_words(&options.ask, argc, argv, NULL);
	if (!status && !options.ask.query)
		status = verb_usage_error(&verb_trace, "it wants a key or a query: whose story is to be told");
	if (!status)
		status = trace(&options);
	ask_done(&options.ask);
	return status;
}

const struct verb verb_trace = {
	.name = "trace",
	.summary = "the whole story of a message or a session, from connect to the last attempt",
	.arguments = "KEY|QUERY [options] [FILE... | -]",
	.help = "KEY is a queue id, a Message-ID, a mail address, the address of a client, the milter's name of a session, or a key of\n"
		"smtptrail search; a QUERY (smtptrail-query(7)) may find several. With a message come those that it came from and that\n"
		"it went on as: through a content filter, to another host of ours, by an alias, as a bounce. A query that finds a\n"
		"session for itself, as client: does, tells of all its messages. What is not known is said, and why. In text, what was\n"
		"refused for now and accepted later stands below a story, and the way back: as smtptrail explain finds it.\n\n"
		"Without a FILE the store is asked. Log files may be compressed; rotated ones are read oldest first; - is standard input.\n\n"
		"options:\n"
		"  --evidence       below each line what it rests on: file and line or stream id, and by what it was joined\n"
		"  --raw            at the end the lines and records themselves\n"
		"  --limit N        stories, the newest (default 20; 0: all)\n"
		ASK_READ_HELP
		"  --json           for programs; smtptrail-json(5) says what the members mean\n"
		"\nexit status: 0 found; 1 nothing was found; 2 a file could not be read, or usage\n\n"
		"examples:\n"
		"  smtptrail trace 4jWqnv1NpDz1bcn1\n"
		"  smtptrail trace '<20261121.4711@example.com>' --evidence /var/log/mail.log*\n"
		"  smtptrail trace from:joe@example.com to:ann@example.org since:2h --raw /var/log/mail.log\n"
		"  smtptrail trace 192.0.2.7 --json /var/log/mail.log | jq '.stories[].moments[]'\n",
	.run = run_trace,
};
