/* stream_position.c - where we read in one stream. */
#include "analysis/stream_position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/input.h"

/* What XINFO STREAM says. */
struct state {
	bool exists;
	uint64_t length;
	uint64_t added;			/* 0: this Redis does not say (before 7.0) */
	struct stream_id first, last;	/* first entry; last identifier ever given */
};

void stream_position_init(struct stream_position *position, const char *prefix, unsigned partition)
{
	struct stream_names names;

	memset(position, 0, sizeof *position);
	stream_names(&names, prefix, partition, "");
	memcpy(position->key, names.records, sizeof position->key);
}

void stream_position_advance(struct stream_position *position, struct stream_id id, uint64_t seq)
{
	position->at = (struct stream_entry){ id, seq, true };
	position->passed++;
}

void stream_position_remember(struct stream_position *position)
{
	/* Every second one of the older half goes: the farther back, the fewer. */
	if (position->known_count == STREAM_POSITION_KNOWN) {
		unsigned kept = 0;

		for (unsigned i = 0; i < STREAM_POSITION_KNOWN; i++)
			if (i >= STREAM_POSITION_KNOWN / 2 || i % 2 == 0)
				position->known[kept++] = position->known[i];
		position->known_count = kept;
	}
	if (position->at.was_read)
		position->known[position->known_count++] = position->at;
}

static void read_member(struct state *state, struct text name, struct redis_reply value)
{
	if (text_is(name, "length"))
		state->length = (uint64_t)value.integer;
	else if (text_is(name, "entries-added"))
		state->added = (uint64_t)value.integer;
	else if (text_is(name, "last-generated-id"))
		(void)stream_id_parse(value.text, &state->last);
	else if (text_is(name, "first-entry"))
		(void)stream_id_parse(redis_reply_at(&value, 0).text, &state->first);
}

static enum redis_failure read_state(const char *key, struct redis_link *link, struct state *ret_state,
				     struct problem *problem)
{
	struct text type[] = { TEXT_LITERAL("TYPE"), text_of(key) };
	struct text info[] = { TEXT_LITERAL("XINFO"), TEXT_LITERAL("STREAM"), text_of(key) };
	struct redis_reply reply;
	enum redis_failure failure = redis_link_for(link, key, problem);

	*ret_state = (struct state){ .exists = false };
	/* XINFO of a key that is not there is an error without a word of its own. */
	if (!failure)
		failure = redis_link_command(link, 2, type, &reply, problem);
	if (failure || text_is(reply.text, "none"))
		return failure;
	failure = redis_link_command(link, 3, info, &reply, problem);
	if (failure)
		return failure;
	ret_state->exists = true;
	for (size_t i = 0; i + 1 < reply.count; i += 2)
		read_member(ret_state, redis_reply_at(&reply, i).text, redis_reply_at(&reply, i + 1));
	return REDIS_OK;
}

uint64_t stream_position_seq(const struct redis_reply *entry)
{
	struct redis_reply fields = redis_reply_at(entry, 1);
	const char *wanted = field_info(FIELD_SEQ)->name;
	uint64_t seq = 0;

	for (size_t i = 0; i + 1 < fields.count; i += 2)
		if (text_is(redis_reply_at(&fields, i).text, wanted)) {
			(void)input_number(redis_reply_at(&fields, i + 1).text, &seq);
			break;
		}
	return seq;
}

/* Whether this very entry is still there, and not another under its identifier. */
static enum redis_failure is_there(const char *key, struct redis_link *link, struct stream_entry entry,
				   bool *ret_there, struct problem *problem)
{
	char id_text[STREAM_ID_SIZE];
	struct text id = stream_id_format(entry.id, id_text);
	struct text words[] = { TEXT_LITERAL("XRANGE"), text_of(key), id, id, TEXT_LITERAL("COUNT"),
				TEXT_LITERAL("1") };
	struct redis_reply reply;
	enum redis_failure failure = redis_link_command(link, 6, words, &reply, problem);

	if (failure)
		return failure;
	struct redis_reply found = redis_reply_at(&reply, 0);

	*ret_there = reply.count == 1 && stream_position_seq(&found) == entry.seq;
	return REDIS_OK;
}

/* Moves to the newest known entry below the lost one that is still there. */
static enum redis_failure go_back(struct stream_position *position, struct redis_link *link, struct stream_id lost,
				  struct problem *problem)
{
	for (; position->known_count; position->known_count--) {
		struct stream_entry newest = position->known[position->known_count - 1];
		bool there = false;
		enum redis_failure failure = stream_id_compare(newest.id, lost) < 0 ?
					     is_there(position->key, link, newest, &there, problem) : REDIS_OK;

		if (failure)
			return failure;
		if (there) {
			position->at = newest;
			return REDIS_OK;
		}
	}
	position->at = (struct stream_entry){ { 0, 0 }, 0, false };
	return REDIS_OK;
}

/* Why an entry can be no longer there; NULL: it was trimmed, nothing is lost. */
static const char *why_gone(const struct stream_position *position, struct stream_id id, const struct state *state)
{
	if (!state->exists)
		return "the stream is gone";
	if (stream_id_compare(state->last, id) < 0)
		return "the stream ends before it";
	if (state->length && stream_id_compare(state->first, id) <= 0)
		return "it is gone from the stream";
	if (state->added && (state->added < position->added || state->added == state->length))
		return "the stream was begun anew";
	return NULL;
}

/* *ret_why: NULL where the entry is there, was never read, or was only trimmed. */
static enum redis_failure find_lost(const struct stream_position *position, struct redis_link *link,
				    struct stream_entry entry, const struct state *state, const char **ret_why,
				    struct problem *problem)
{
	bool there = false;
	enum redis_failure failure = REDIS_OK;

	*ret_why = NULL;
	if (!entry.was_read)
		return REDIS_OK;
	if (state->exists)
		failure = is_there(position->key, link, entry, &there, problem);
	if (!failure && !there)
		*ret_why = why_gone(position, entry.id, state);
	return failure;
}

static void say_where(const struct stream_position *position, const char *why, struct stream_id was,
		      struct problem *ret_why)
{
	char was_text[STREAM_ID_SIZE], now_text[STREAM_ID_SIZE];

	(void)stream_id_format(was, was_text);
	(void)stream_id_format(position->at.id, now_text);
	problem_set(ret_why, "Redis lost entries of %s: %s was read, and %s; going back to %s", position->key,
		    was_text, why, position->at.was_read ? now_text : "its begin");
}

/* At the stream's end, and before its begin, Redis knows how many entries were before. */
static void count_passed(struct stream_position *position, const struct state *state)
{
	bool is_at_end = stream_id_compare(position->at.id, state->last) == 0;

	if (!state->exists || !state->added) {
		position->has_passed = false;
	} else if (is_at_end || (state->length && stream_id_compare(position->at.id, state->first) < 0)) {
		position->has_passed = true;
		position->passed = is_at_end ? state->added : state->added - state->length;
	}
}

enum redis_failure stream_position_check(struct stream_position *position, struct redis_link *link,
					 enum stream_check *ret_check, struct problem *ret_why,
					 struct problem *problem)
{
	struct stream_entry lost = position->checked;
	struct state state;
	const char *why = NULL;
	enum redis_failure failure = read_state(position->key, link, &state, problem);

	*ret_check = STREAM_INTACT;
	/* The older one first: after it Redis may have got all again, and that be read already. */
	if (!failure)
		failure = find_lost(position, link, lost, &state, &why, problem);
	if (!failure && !why && stream_id_compare(lost.id, position->at.id) != 0) {
		lost = position->at;
		failure = find_lost(position, link, lost, &state, &why, problem);
	}
	if (!failure && why)
		failure = go_back(position, link, lost.id, problem);
	if (failure)
		return failure;
	if (why) {
		say_where(position, why, lost.id, ret_why);
		*ret_check = STREAM_WENT_BACK;
	}
	position->checked = position->at;
	position->added = state.added;
	count_passed(position, &state);
	return REDIS_OK;
}

enum redis_failure stream_position_was_trimmed(const struct stream_position *position, struct redis_link *link,
					       struct stream_id id, bool *ret_trimmed,
					       struct problem *problem)
{
	struct state state;
	enum redis_failure failure = read_state(position->key, link, &state, problem);

	*ret_trimmed = !failure && state.exists && (!state.length || stream_id_compare(state.first, id) > 0);
	return failure;
}

enum redis_failure stream_position_length(const struct stream_position *position, struct redis_link *link,
					  uint64_t *ret_length, struct problem *problem)
{
	struct state state;
	enum redis_failure failure = read_state(position->key, link, &state, problem);

	*ret_length = failure ? 0 : state.length;
	return failure;
}

static enum redis_failure has_group(const char *key, struct redis_link *link, const char *group, bool *ret_has,
				    struct problem *problem)
{
	struct text info[] = { TEXT_LITERAL("XINFO"), TEXT_LITERAL("GROUPS"), text_of(key) };
	struct redis_reply reply;
	enum redis_failure failure = redis_link_command(link, 3, info, &reply, problem);

	for (size_t i = 0; !failure && i < reply.count; i++) {
		struct redis_reply each = redis_reply_at(&reply, i);

		/* The first member is its name. */
		*ret_has = *ret_has || text_is(redis_reply_at(&each, 1).text, group);
	}
	return failure;
}

enum redis_failure stream_position_acknowledge(struct stream_position *position, struct redis_link *link,
					       const char *group, bool *ret_is_new, struct problem *problem)
{
	char id_text[STREAM_ID_SIZE], passed[24];
	bool has = false;
	struct redis_reply reply;
	struct state state;
	enum redis_failure failure = read_state(position->key, link, &state, problem);

	if (!failure && !position->has_passed)
		count_passed(position, &state);
	if (!failure && state.exists)
		failure = has_group(position->key, link, group, &has, problem);
	if (failure)
		return failure;
	struct text words[8] = { TEXT_LITERAL("XGROUP"), has ? TEXT_LITERAL("SETID") : TEXT_LITERAL("CREATE"), text_of(position->key),
				 text_of(group), stream_id_format(position->at.id, id_text) };
	size_t count = 5;

	if (!has)
		words[count++] = TEXT_LITERAL("MKSTREAM");
	if (position->has_passed) {
		words[count++] = TEXT_LITERAL("ENTRIESREAD");
		words[count++] = (struct text){ passed, (size_t)snprintf(passed, sizeof passed, "%" PRIu64, position->passed) };
	}
	failure = redis_link_command(link, count, words, &reply, problem);
	*ret_is_new = !failure && !has;
	return failure;
}
