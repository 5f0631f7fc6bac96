/* story_store.c - stories from the store: from what the query finds to all that is tied to it, key by key. */
#include "analysis/story.h"

#include <errno.h>
#include <stdlib.h>

#include "analysis/key_set.h"
#include "analysis/store_read.h"
#include "analysis/transaction_copy.h"

struct search {
	const struct query *query;
	struct store_read *read;
	struct stories *stories;
	struct key_set messages, sessions; /* that the query found */
	struct key_set seen;		   /* in a story */
	transaction_key todo[STORY_MESSAGES_MAX + 1];
	size_t todo_count;
	struct story *story;
	struct problem *problem;
	int error;
};

static void note(struct search *search, int error)
{
	if (error < 0)
		search->error = error;
}

/* ---- what the query finds ---- */

static void look_at_message(void *context, const struct message *message, const struct session *session)
{
	struct search *search = context;

	if (rows_find_message(search->query, message, session))
		note(search, key_set_add(&search->messages, message->key));
}

static void look_at_session(void *context, const struct session *session)
{
	struct search *search = context;

	if (rows_find_session(search->query, session))
		note(search, key_set_add(&search->sessions, session->key));
}

static void take_message(void *context, transaction_key key)
{
	struct search *search = context;

	note(search, key_set_add(&search->messages, key));
}

static void take_session(void *context, transaction_key key)
{
	struct search *search = context;

	note(search, key_set_add(&search->sessions, key));
}

static int find(struct search *search)
{
	const struct store_scan scan = {
		.query = search->query,
		.asks_again = true,
		.with_attempts = search->query && query_asks(search->query, LEVEL_ATTEMPT),
		.message = look_at_message,
		.session = look_at_session,
		.message_key = take_message,
		.session_key = take_session,
		.context = search,
	};
	int error = store_read_scan(search->read, &scan, search->problem);

	return error ? error : search->error;
}

/* All that were found, the newest first; to free. */
static transaction_key *found_keys(const struct search *search, size_t *ret_count)
{
	const struct key_set *sets[] = { &search->messages, &search->sessions };

	return key_set_highest_first(sets, 2, ret_count);
}

/* ---- what belongs to it ---- */

static void add_to_do(void *context, transaction_key key)
{
	struct search *search = context;
	int is_new;

	if (!key || search->error)
		return;
	if (search->todo_count > STORY_MESSAGES_MAX) {
		search->story->is_cut = true;
		return;
	}
	is_new = key_set_add(&search->seen, key);
	note(search, is_new);
	if (is_new > 0)
		search->todo[search->todo_count++] = key;
}

static void *place_for(struct pool *pool, size_t size)
{
	return pool_take(pool, &size);
}

static int add_message(struct search *search, transaction_key key)
{
	struct message *message = place_for(search->stories->pool, sizeof *message);
	int found = message ? store_read_message(search->read, key, true, search->stories->pool, message,
						 search->problem)
			    : -ENOMEM;

	if (found <= 0)
		return found;
	found = story_add_message(search->story, message);
	add_to_do(search, message->parent_key);
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		add_to_do(search, recipient->next_key);
	if (key_set_has(&search->sessions, message->session_key))
		add_to_do(search, message->session_key);
	return found ? found : store_read_children(search->read, key, add_to_do, search, search->problem);
}

static bool has_session(const struct story *story, transaction_key key)
{
	for (size_t i = 0; i < story->session_count; i++)
		if (story->sessions[i]->key == key)
			return true;
	return false;
}

static void take_login(void *context, const struct login *login)
{
	struct search *search = context;

	note(search, story_add_login(search->story, login_copy(search->stories->pool, login)));
}

static int add_session(struct search *search, transaction_key key, bool with_messages)
{
	struct session *session;
	int found;

	if (!key || has_session(search->story, key))
		return 0;
	session = place_for(search->stories->pool, sizeof *session);
	found = session ? store_read_session(search->read, key, search->stories->pool, session,
					     search->problem)
			: -ENOMEM;
	if (found <= 0)
		return found;
	found = story_add_session(search->story, session);
	if (!found)
		found = store_read_logins(search->read, session, take_login, search, search->problem);
	if (!found && with_messages)
		found = store_read_of_session(search->read, session, add_to_do, search, search->problem);
	return found;
}

static int tell(struct search *search, transaction_key key)
{
	int error = story_begin(search->stories, &search->story);

	if (error)
		return error;
	search->story->key = key;
	search->todo_count = 0;
	add_to_do(search, key);
	for (size_t i = 0; i < search->todo_count && !error; i++) {
		key = search->todo[i];
		if (key_set_has(&search->sessions, key)) {
			search->story->is_of_session = true;
			error = add_session(search, key, true);
		} else {
			error = add_message(search, key);
		}
		/* Those that were found are older or newer than each other. */
		if ((key_set_has(&search->sessions, key) || key_set_has(&search->messages, key)) &&
		    key < search->story->key)
			search->story->key = key;
	}
	for (size_t i = 0; i < search->story->message_count && !error; i++)
		error = add_session(search, search->story->messages[i]->session_key, false);
	return error ? error : search->error;
}

static int tell_all(struct search *search, size_t limit)
{
	size_t count;
	transaction_key *keys = found_keys(search, &count);
	int error = keys ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !error; i++) {
		if (key_set_has(&search->seen, keys[i]))
			continue;
		if (limit && search->stories->count == limit)
			search->stories->left_out++;
		else
			error = tell(search, keys[i]);
	}
	free(keys);
	return error;
}

int stories_from_store(struct stories *ret_stories, struct rows *rows, const char *directory, size_t limit,
		       struct problem *problem)
{
	struct search *search = calloc(1, sizeof *search);
	int error = search ? 0 : -ENOMEM;

	*ret_stories = (struct stories){ .pool = pool_new() };
	rows->sources = source_table_new();
	if (!error && (!ret_stories->pool || !rows->sources))
		error = -ENOMEM;
	if (!error) {
		search->query = rows->query;
		search->stories = ret_stories;
		search->problem = problem;
		error = store_read_open(&search->read, directory, rows->sources, problem);
	}
	if (!error)
		error = find(search);
	if (!error)
		error = tell_all(search, limit);
	if (search) {
		store_read_close(search->read);
		key_set_done(&search->messages);
		key_set_done(&search->sessions);
		key_set_done(&search->seen);
	}
	free(search);
	stories_sort(ret_stories);
	return error;
}
