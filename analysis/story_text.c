/* story_text.c - a story line by line: when, how long after its begin, of which message, what. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/advice.h"
#include "analysis/show_facts.h"
#include "analysis/story_moments.h"
#include "analysis/story_show.h"
#include "analysis/table.h"
#include "common/escape.h"
#include "common/record.h"

enum { DAY_LENGTH = 10, CLOCK_AT = 11, CLOCK_LENGTH = 12, WORD_WIDTH = 12, SECOND = 1000000 };

static const char evidence_indent[] = "                             . ";

struct telling {
	const struct story_show *show;
	const struct story *story;
	uint64_t begin_us;
	char day[DAY_LENGTH + 1];
	int name_width; /* of the messages' names */
};

/* ---- names ---- */

static void put_padded(struct text text, int width, FILE *out)
{
	char buffer[256];
	size_t columns;

	(void)escape_into(text, buffer, sizeof buffer, &columns);
	fprintf(out, "%s%*s", buffer, (size_t)width > columns ? width - (int)columns : 0, "");
}

static int widest_name(const struct story *story)
{
	size_t widest = 1;
	char scratch[17];

	for (size_t i = 0; i < story->message_count; i++) {
		size_t length = story_message_name(story->messages[i], scratch).length;

		widest = length > widest ? length : widest;
	}
	return widest < 40 ? (int)widest : 40;
}

static const struct message *find_message(const struct story *story, transaction_key key)
{
	for (size_t i = 0; i < story->message_count; i++)
		if (story->messages[i]->key == key)
			return story->messages[i];
	return NULL;
}

/* ---- a moment ---- */

/* Of a stamp that tells no more than the second the rest is left out where finer times stand around it. */
static void put_time(struct telling *telling, const struct story_moment *moment)
{
	enum { SECONDS_LENGTH = 8 };
	uint64_t time_us = moment->time_us;
	int length = moment->order_us != time_us ? SECONDS_LENGTH : CLOCK_LENGTH;
	FILE *out = telling->show->out;
	char words[TIME_TEXT_SIZE], after[CELL_WORDS_MAX];

	time_format(time_us, words);
	if (memcmp(words, telling->day, DAY_LENGTH) != 0) {
		memcpy(telling->day, words, DAY_LENGTH);
		fprintf(out, "%s UTC\n", telling->day);
	}
	cell_words(CELL_DURATION, time_us - telling->begin_us, after);
	fprintf(out, "  %-*.*s  %9s  ", CLOCK_LENGTH, length, words + CLOCK_AT,
		time_us > telling->begin_us ? after : "");
}

static void put_link(const struct telling *telling, const char *words, transaction_key key)
{
	const struct message *other = find_message(telling->story, key);
	FILE *out = telling->show->out;
	char scratch[17];

	if (!key)
		return;
	fprintf(out, "%s", words);
	if (other)
		escape_terminal(story_message_name(other, scratch), out);
	else
		fprintf(out, "%016" PRIx64 " (not in what was read)", key);
}

/* What it has to do with another message of the story. */
static void put_links(const struct telling *telling, const struct story_moment *moment)
{
	const struct message *message = moment->message;
	char words[40];

	if (moment->event == STORY_MESSAGE && message->parent_kind != PARENT_NONE) {
		(void)snprintf(words, sizeof words, " %s of ",
			       parent_kind_name((enum parent_kind)message->parent_kind));
		put_link(telling, words, message->parent_key);
	}
	if (moment->event == STORY_ATTEMPT && !moment->attempt->next)
		put_link(telling, " -> goes on as ", moment->recipient->next_key);
}

/* Whether anything stands behind its word; else there are no blanks either. */
static bool says_more(const struct story_moment *moment, const struct facts *facts, const enum fact *fact)
{
	struct fact_value value;

	if (moment->event == STORY_ATTEMPT)
		return true;
	for (; *fact != FACT_COUNT; fact++)
		if (facts_find(facts, *fact, &value))
			return true;
	return false;
}

static void put_moment(struct telling *telling, const struct story_moment *moment)
{
	FILE *out = telling->show->out;
	const struct facts *facts;
	const enum fact *fact = story_moment_facts(moment, &facts);
	char scratch[17];

	put_time(telling, moment);
	put_padded(moment->message ? story_message_name(moment->message, scratch) : TEXT_NONE,
		   telling->name_width, out);
	(void)fputs("  ", out);
	put_padded(story_moment_word(moment), says_more(moment, facts, fact) ? WORD_WIDTH : 0, out);
	if (moment->event == STORY_ATTEMPT)
		show_fact(&moment->recipient->facts, FACT_RECIPIENT_TO, out);
	for (; *fact != FACT_COUNT; fact++)
		show_fact(facts, *fact, out);
	put_links(telling, moment);
	(void)fputc('\n', out);
	if (telling->show->shows_evidence && moment->event != STORY_QUEUED &&
	    moment->event != STORY_REMOVED && moment->event != STORY_DISCONNECT)
		show_evidence(facts, telling->show->sources, evidence_indent, out);
}

static int put_moments(struct telling *telling)
{
	struct story_moment *moments;
	size_t count;
	int error = story_moments(telling->story, &moments, &count);

	if (error)
		return error;
	telling->begin_us = count ? moments[0].time_us : 0;
	for (size_t i = 0; i < count; i++)
		put_moment(telling, &moments[i]);
	free(moments);
	return 0;
}

/* ---- how it ended ---- */

static void put_missing(const struct telling *telling, struct text name, const struct facts *facts,
			enum fact fact)
{
	FILE *out = telling->show->out;
	struct text list = facts_text(facts, fact);

	while (list.length) {
		const char *comma = memchr(list.start, ',', list.length);
		struct text word = { list.start, comma ? (size_t)(comma - list.start) : list.length };
		const struct advice *advice = advice_find(ADVICE_MISSING, word);
		size_t behind = word.length + 2 < list.length ? word.length + 2 : list.length;

		(void)fputs("  not known of ", out);
		escape_terminal(name, out);
		(void)fputs(": ", out);
		escape_terminal(word, out);
		if (advice)
			fprintf(out, ": %s (%s)", advice->meaning, advice->next);
		(void)fputc('\n', out);
		list = (struct text){ list.start + behind, list.length - behind };
	}
}

/* How long after the begin the last attempt was, as far as its stamp tells. */
static void put_after(const struct message *message, const struct recipient *recipient, char *ret_words)
{
	const struct attempt *last = recipient->tries;
	struct fact_value delay;

	while (last->next)
		last = last->next;
	bool is_stamp = last->time_us % SECOND == 0 && last->time_us / SECOND == message->start_us / SECOND;
	uint64_t after_us = recipient->last_us > message->start_us ? recipient->last_us - message->start_us : 0;

	/* The MTA's own delay is finer. */
	if (is_stamp && !facts_find(&recipient->facts, FACT_RECIPIENT_DELAY, &delay)) {
		strcpy(ret_words, "within a second of");
		return;
	}
	cell_words(CELL_DURATION, is_stamp ? delay.number : after_us, ret_words);
	strcat(ret_words, " after");
}

static void put_end(const struct telling *telling, const struct message *message,
		    const struct recipient *recipient, struct text name)
{
	FILE *out = telling->show->out;
	char words[CELL_WORDS_MAX + 20];

	(void)fputs("  ", out);
	put_padded(name, telling->name_width, out);
	show_fact(&recipient->facts, FACT_RECIPIENT_TO, out);
	show_fact(&recipient->facts, FACT_RECIPIENT_ORIG_TO, out);
	fprintf(out, ": %s", fate_name((enum fate)recipient->fate));
	if (recipient->is_hop)
		(void)fputs(recipient->next_key ? ", and on" : ", and on; where to is not known", out);
	if (recipient->tries) {
		put_after(message, recipient, words);
		fprintf(out, ", %" PRIu32 " attempt%s, %s the message's begin", recipient->attempts,
			recipient->attempts == 1 ? "" : "s", words);
	}
	(void)fputc('\n', out);
	if (telling->show->shows_evidence)
		show_evidence(&recipient->facts, telling->show->sources, evidence_indent, out);
	put_missing(telling, name, &recipient->facts, FACT_RECIPIENT_INCOMPLETE);
}

static void put_ends(const struct telling *telling)
{
	const struct story *story = telling->story;
	char scratch[17];

	(void)fputs("\n", telling->show->out);
	for (size_t i = 0; i < story->message_count; i++) {
		const struct message *message = story->messages[i];
		struct text name = story_message_name(message, scratch);

		for (const struct recipient *recipient = message->recipients; recipient;
		     recipient = recipient->next)
			put_end(telling, message, recipient, name);
		if (!message->is_complete) {
			(void)fputs("  ", telling->show->out);
			put_padded(name, telling->name_width, telling->show->out);
			(void)fputs(" is not over: its end was not seen\n", telling->show->out);
		}
		put_missing(telling, name, &message->facts, FACT_MESSAGE_INCOMPLETE);
		if (!message->session && message->parent_kind == PARENT_NONE && message->session_key)
			(void)fputs("  its session is not in what was read\n", telling->show->out);
	}
	for (size_t i = 0; i < story->session_count; i++)
		put_missing(telling, TEXT_LITERAL("the session"), &story->sessions[i]->facts,
			    FACT_SESSION_INCOMPLETE);
	if (story->is_cut)
		fprintf(telling->show->out, "  more than %d messages belong to it; the others are left out\n",
			STORY_MESSAGES_MAX);
}

/* ---- what it rests on ---- */

static void put_raw(const struct telling *telling)
{
	const struct story_raw *raw = telling->show->raw;
	FILE *out = telling->show->out;

	(void)fputs("\n", out);
	for (size_t i = 0; i < raw->count; i++) {
		const struct raw_piece *piece = &raw->pieces[i];

		(void)fputs("  ", out);
		source_print(telling->show->sources, &piece->evidence, out);
		(void)fputs(piece->bytes ? "  " : "  (", out);
		escape_terminal(piece->bytes ? (struct text){ piece->bytes, piece->length }
					     : text_of(piece->missing),
				out);
		(void)fputs(piece->bytes ? "\n" : ")\n", out);
	}
	if (raw->left_out)
		fprintf(out, "  %zu more are left out\n", raw->left_out);
}

static void put_head(const struct telling *telling)
{
	const struct story *story = telling->story;

	fprintf(telling->show->out, "%s %016" PRIx64, story->is_of_session ? "session" : "message",
		story->key);
	if (story->message_count > 1)
		fprintf(telling->show->out, ": %zu messages", story->message_count);
	(void)fputc('\n', telling->show->out);
}

int story_show_text(const struct story_show *show, const struct story *story)
{
	struct telling telling = { .show = show, .story = story, .name_width = widest_name(story) };
	int error;

	put_head(&telling);
	error = put_moments(&telling);
	put_ends(&telling);
	if (show->raw)
		put_raw(&telling);
	return error;
}
