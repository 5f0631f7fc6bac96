/* story_json.c - a story as one object: its parts with all their facts, and the order in which it happened. */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/show_event.h"
#include "analysis/show_facts.h"
#include "analysis/story_moments.h"
#include "analysis/story_show.h"
#include "common/record.h"

static void put_time(FILE *out, const char *name, uint64_t time_us)
{
	char words[TIME_TEXT_SIZE];

	if (!time_us)
		return;
	time_format(time_us, words);
	fprintf(out, ",\"%s\":\"%s\"", name, words);
}

static void put_key(FILE *out, const char *name, transaction_key key)
{
	if (key)
		fprintf(out, ",\"%s\":\"%016" PRIx64 "\"", name, key);
}

static const struct source_table *evidence_of(const struct story_show *show)
{
	return show->shows_evidence ? show->sources : NULL;
}

static void put_session(const struct story_show *show, const struct session *session)
{
	fprintf(show->out, "{\"key\":\"%016" PRIx64 "\"", session->key);
	put_time(show->out, "start", session->start_us);
	put_time(show->out, "end", session->end_us);
	show_facts_json(&session->facts, evidence_of(show), show->out);
	(void)fputc('}', show->out);
}

static void put_login(const struct story_show *show, const struct login *login)
{
	fprintf(show->out, "{\"key\":\"%016" PRIx64 "\"", login_key(login));
	put_key(show->out, "session_key", login->session_key);
	put_time(show->out, "time", login->time_us);
	put_time(show->out, "end", login->end_us);
	show_facts_json(&login->facts, evidence_of(show), show->out);
	(void)fputc('}', show->out);
}

static void put_recipient(const struct story_show *show, const struct recipient *recipient)
{
	FILE *out = show->out;
	const char *comma = "";

	fprintf(out, "{\"number\":%" PRIu32 ",\"fate\":\"%s\"", recipient->number,
		fate_name((enum fate)recipient->fate));
	put_time(out, "first", recipient->first_us);
	put_time(out, "last", recipient->last_us);
	fprintf(out, ",\"tries\":%" PRIu32 ",\"is_hop\":%s", recipient->attempts,
		recipient->is_hop ? "true" : "false");
	put_key(out, "next_key", recipient->next_key);
	show_facts_json(&recipient->facts, evidence_of(show), out);
	(void)fputs(",\"attempts\":[", out);
	for (const struct attempt *attempt = recipient->tries; attempt;
	     attempt = attempt->next, comma = ",") {
		char words[TIME_TEXT_SIZE];

		time_format(attempt->time_us, words);
		fprintf(out, "%s{\"time\":\"%s\"", comma, words);
		show_facts_json(&attempt->facts, evidence_of(show), out);
		(void)fputc('}', out);
	}
	(void)fputs("]}", out);
}

static void put_checks(const struct story_show *show, const struct message *message)
{
	const char *comma = "";

	(void)fputs(",\"checks\":[", show->out);
	for (const struct check *check = message->checks; check; check = check->next, comma = ",") {
		char words[TIME_TEXT_SIZE];

		time_format(check->time_us, words);
		fprintf(show->out, "%s{\"time\":\"%s\"", comma, words);
		show_facts_json(&check->facts, evidence_of(show), show->out);
		(void)fputc('}', show->out);
	}
	(void)fputc(']', show->out);
}

static void put_message(const struct story_show *show, const struct message *message)
{
	FILE *out = show->out;
	const char *comma = "";

	fprintf(out, "{\"key\":\"%016" PRIx64 "\"", message->key);
	put_key(out, "session_key", message->session_key);
	put_key(out, "parent_key", message->parent_key);
	if (message->parent_kind != PARENT_NONE)
		fprintf(out, ",\"parent\":\"%s\"", parent_kind_name((enum parent_kind)message->parent_kind));
	put_time(out, "start", message->start_us);
	put_time(out, "last", message->last_us);
	fprintf(out, ",\"is_complete\":%s", message->is_complete ? "true" : "false");
	show_facts_json(&message->facts, evidence_of(show), out);
	put_checks(show, message);
	(void)fputs(",\"to\":[", out);
	for (const struct recipient *recipient = message->recipients; recipient;
	     recipient = recipient->next, comma = ",") {
		(void)fputs(comma, out);
		put_recipient(show, recipient);
	}
	(void)fputs("]}", out);
}

/* Which attempt of its recipient it is, from 1. */
static unsigned attempt_number(const struct story_moment *moment)
{
	unsigned number = 1;

	for (const struct attempt *attempt = moment->recipient->tries; attempt != moment->attempt;
	     attempt = attempt->next)
		number++;
	return number;
}

static void put_moment(FILE *out, const struct story_moment *moment, uint64_t begin_us)
{
	fputs("{\"what\":", out);
	show_json_string(out, story_moment_word(moment));
	put_time(out, "time", moment->time_us);
	fprintf(out, ",\"after_us\":%" PRIu64, moment->time_us > begin_us ? moment->time_us - begin_us : 0);
	put_key(out, "session",
		moment->session ? moment->session->key
		: moment->login ? moment->login->session_key
				: 0);
	put_key(out, "message", moment->message ? moment->message->key : 0);
	if (moment->recipient)
		fprintf(out, ",\"recipient\":%" PRIu32, moment->recipient->number);
	if (moment->attempt)
		fprintf(out, ",\"attempt\":%u", attempt_number(moment));
	(void)fputc('}', out);
}

static int put_moments(FILE *out, const struct story *story)
{
	struct story_moment *moments;
	size_t count;
	int error = story_moments(story, &moments, &count);

	if (error)
		return error;
	(void)fputs(",\n\"moments\":[", out);
	for (size_t i = 0; i < count; i++) {
		(void)fputs(i ? ",\n" : "\n", out);
		put_moment(out, &moments[i], moments[0].time_us);
	}
	(void)fputc(']', out);
	free(moments);
	return 0;
}

static void put_raw(const struct story_show *show)
{
	FILE *out = show->out;

	(void)fputs(",\n\"raw\":[", out);
	for (size_t i = 0; i < show->raw->count; i++) {
		const struct raw_piece *piece = &show->raw->pieces[i];

		(void)fputs(i ? ",\n{" : "\n{", out);
		source_print_json(show->sources, &piece->evidence, out);
		fprintf(out, ",\"%s\":", piece->bytes ? "text" : "missing");
		show_json_string(out, piece->bytes ? (struct text){ piece->bytes, piece->length }
						   : text_of(piece->missing));
		(void)fputc('}', out);
	}
	(void)fputc(']', out);
}

int story_show_json(const struct story_show *show, const struct story *story)
{
	FILE *out = show->out;
	int error;

	fprintf(out, "{\"key\":\"%016" PRIx64 "\",\"is_of_session\":%s,\"is_cut\":%s,\n\"sessions\":[",
		story->key, story->is_of_session ? "true" : "false", story->is_cut ? "true" : "false");
	for (size_t i = 0; i < story->session_count; i++) {
		(void)fputs(i ? ",\n" : "", out);
		put_session(show, story->sessions[i]);
	}
	(void)fputs("],\n\"logins\":[", out);
	for (size_t i = 0; i < story->login_count; i++) {
		(void)fputs(i ? ",\n" : "", out);
		put_login(show, story->logins[i]);
	}
	(void)fputs("],\n\"messages\":[", out);
	for (size_t i = 0; i < story->message_count; i++) {
		(void)fputs(i ? ",\n" : "", out);
		put_message(show, story->messages[i]);
	}
	(void)fputc(']', out);
	error = put_moments(out, story);
	if (show->raw)
		put_raw(show);
	(void)fputc('}', out);
	return error;
}
