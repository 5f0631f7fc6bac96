/* story_files.c - stories from log files: first which transactions belong together, then those that were found, whole. */
#include "analysis/story.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/key_graph.h"
#include "analysis/transaction_copy.h"

/* A transaction of a story; a session may be of several. */
struct place {
	transaction_key key;
	size_t story;
};

struct search {
	const struct query *query;
	struct key_graph links;	 /* messages with messages */
	struct key_tie *members; /* from messages to their sessions */
	size_t member_count, member_size;
	struct key_set messages, sessions; /* that the query found */
	struct stories *stories;
	struct place *places;
	size_t place_count, place_size;
	int error;
};

static void note(struct search *search, int error)
{
	if (error < 0)
		search->error = error;
}

/* ---- first: what belongs together ---- */

static int add_member(struct search *search, transaction_key message, transaction_key session)
{
	if (!session)
		return 0;
	if (search->member_count == search->member_size) {
		size_t size = search->member_size ? search->member_size * 2 : 1024;
		struct key_tie *larger = reallocarray(search->members, size, sizeof *larger);

		if (!larger)
			return -ENOMEM;
		search->members = larger;
		search->member_size = size;
	}
	search->members[search->member_count++] = (struct key_tie){ message, session };
	return 0;
}

static void look_at_message(struct search *search, const struct message *message,
			    const struct session *session)
{
	note(search, add_member(search, message->key, message->session_key));
	note(search, key_graph_add(&search->links, message->key, message->parent_key));
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next)
		note(search, key_graph_add(&search->links, message->key, recipient->next_key));
	if (rows_find_message(search->query, message, session))
		note(search, key_set_add(&search->messages, message->key));
}

static void look(void *context, const struct report_row *row)
{
	struct search *search = context;

	if (row->moment == REPORT_MESSAGE)
		look_at_message(search, row->message, row->session);
	else if (rows_find_session(search->query, row->session))
		note(search, key_set_add(&search->sessions, row->session->key));
}

/* Of a session that was found all messages are told. */
static void tie_members(struct search *search)
{
	for (size_t i = 0; i < search->member_count; i++)
		if (key_set_has(&search->sessions, search->members[i].to))
			note(search,
			     key_graph_add(&search->links, search->members[i].from, search->members[i].to));
}

/* All that were found, the newest first; to free. */
static transaction_key *found_keys(const struct search *search, size_t *ret_count)
{
	const struct key_set *sets[] = { &search->messages, &search->sessions };

	return key_set_highest_first(sets, 2, ret_count);
}

static int add_place(struct search *search, transaction_key key, size_t story)
{
	if (search->place_count == search->place_size) {
		size_t size = search->place_size ? search->place_size * 2 : 64;
		struct place *larger = reallocarray(search->places, size, sizeof *larger);

		if (!larger)
			return -ENOMEM;
		search->places = larger;
		search->place_size = size;
	}
	search->places[search->place_count++] = (struct place){ key, story };
	return 0;
}

static int begin_story(struct search *search, const transaction_key *keys, size_t count)
{
	size_t number = search->stories->count;
	struct story *story;
	int error = story_begin(search->stories, &story);

	if (error)
		return error;
	story->is_cut = count > STORY_MESSAGES_MAX;
	count -= story->is_cut;
	story->key = keys[0];
	for (size_t i = 0; i < count && !error; i++) {
		bool is_found =
			key_set_has(&search->messages, keys[i]) || key_set_has(&search->sessions, keys[i]);

		story->is_of_session = story->is_of_session || key_set_has(&search->sessions, keys[i]);
		if (is_found && keys[i] < story->key)
			story->key = keys[i];
		error = add_place(search, keys[i], number);
	}
	return error;
}

/* The newest, so many; what is beyond is counted. */
static int begin_stories(struct search *search, size_t limit)
{
	static transaction_key reached[STORY_MESSAGES_MAX + 1];
	struct key_set seen = { .slots = NULL };
	size_t count;
	transaction_key *keys = found_keys(search, &count);
	int error = keys ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !error; i++) {
		long reach = key_graph_reach(&search->links, keys[i], &seen, reached, STORY_MESSAGES_MAX + 1);

		if (reach < 0)
			error = (int)reach;
		else if (reach && limit && search->stories->count == limit)
			search->stories->left_out++;
		else if (reach)
			error = begin_story(search, reached, (size_t)reach);
	}
	key_set_done(&seen);
	free(keys);
	return error;
}

static int by_key(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->key != right->key)
		return left->key < right->key ? -1 : 1;
	return (left->story > right->story) - (left->story < right->story);
}

/* The first place of a key; the count: it has none. */
static size_t first_place(const struct search *search, transaction_key key, size_t count)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (search->places[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Sessions that were not found, but that a message of a story came in. */
static int add_sessions(struct search *search)
{
	size_t messages = search->place_count, kept = 0;
	int error = 0;

	if (messages)
		qsort(search->places, messages, sizeof *search->places, by_key);
	for (size_t i = 0; i < search->member_count && !error; i++)
		for (size_t at = first_place(search, search->members[i].from, messages);
		     at < messages && search->places[at].key == search->members[i].from && !error; at++)
			error = add_place(search, search->members[i].to, search->places[at].story);
	if (search->place_count)
		qsort(search->places, search->place_count, sizeof *search->places, by_key);
	for (size_t i = 0; i < search->place_count; i++)
		if (i == 0 || by_key(&search->places[i], &search->places[kept - 1]) != 0)
			search->places[kept++] = search->places[i];
	search->place_count = kept;
	return error;
}

/* ---- then: those that were found ---- */

static void keep_message(struct search *search, const struct message *message)
{
	size_t at = first_place(search, message->key, search->place_count);

	if (at < search->place_count && search->places[at].key == message->key)
		note(search, story_add_message(&search->stories->list[search->places[at].story],
					       message_copy(search->stories->pool, message)));
}

static void keep_of_session(struct search *search, transaction_key key, const struct session *session,
			    const struct login *login)
{
	for (size_t at = first_place(search, key, search->place_count);
	     key && at < search->place_count && search->places[at].key == key; at++) {
		struct story *story = &search->stories->list[search->places[at].story];

		if (session)
			note(search, story_add_session(story, session_copy(search->stories->pool, session)));
		else
			note(search, story_add_login(story, login_copy(search->stories->pool, login)));
	}
}

static void keep(void *context, const struct report_row *row)
{
	struct search *search = context;

	if (row->moment == REPORT_MESSAGE)
		keep_message(search, row->message);
	else if (row->moment == REPORT_SESSION)
		keep_of_session(search, row->session->key, row->session, NULL);
	else
		keep_of_session(search, row->login->session_key, NULL, row->login);
}

/* ---- standard input, which can be read once ---- */

static bool reads_standard_input(char **paths, size_t path_count)
{
	for (size_t i = 0; i < path_count; i++)
		if (strcmp(paths[i], "-") == 0)
			return true;
	return path_count == 0;
}

static int copy_standard_input(int to)
{
	static char buffer[64 * 1024];
	ssize_t got;

	while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
		for (ssize_t done = 0, put; done < got; done += put) {
			put = write(to, buffer + done, (size_t)(got - done));
			if (put < 0)
				return -errno;
		}
	return got < 0 ? -errno : 0;
}

/* In a file without a name, that takes its place. */
static int keep_standard_input(void)
{
	FILE *file;
	int error;

	if (lseek(STDIN_FILENO, 0, SEEK_CUR) >= 0)
		return 0;
	file = tmpfile();
	if (!file)
		return -errno;
	error = copy_standard_input(fileno(file));
	if (!error && (dup2(fileno(file), STDIN_FILENO) < 0 || lseek(STDIN_FILENO, 0, SEEK_SET) < 0))
		error = -errno;
	(void)fclose(file);
	return error;
}

/* ---- both ---- */

static int read_twice(struct search *search, struct rows *rows, char **paths, size_t path_count, size_t limit)
{
	struct rows first = *rows;
	off_t start = lseek(STDIN_FILENO, 0, SEEK_CUR);
	int error;

	first.moments = REPORT_MESSAGE | REPORT_SESSION;
	first.keeps_attempts = search->query && query_asks(search->query, LEVEL_ATTEMPT);
	first.take = look;
	error = rows_read_files(&first, paths, path_count);
	rows_done(&first);
	rows->lines = first.lines;
	rows->unknown = first.unknown;
	rows->unreadable = first.unreadable;
	tie_members(search);
	if (!error)
		error = search->error;
	if (!error)
		error = begin_stories(search, limit);
	if (!error)
		error = add_sessions(search);
	if (error || !search->stories->count)
		return error;
	if (start >= 0)
		(void)lseek(STDIN_FILENO, start, SEEK_SET);
	rows->lines = rows->unknown = rows->unreadable = 0;
	rows->moments = REPORT_MESSAGE | REPORT_SESSION | REPORT_LOGIN;
	rows->keeps_attempts = rows->is_again = true;
	rows->take = keep;
	error = rows_read_files(rows, paths, path_count);
	return error ? error : search->error;
}

int stories_from_files(struct stories *ret_stories, struct rows *rows, char **paths, size_t path_count,
		       size_t limit)
{
	struct search search = { .query = rows->query, .stories = ret_stories };
	int error = reads_standard_input(paths, path_count) ? keep_standard_input() : 0;

	*ret_stories = (struct stories){ .pool = pool_new() };
	/* What is found is more than its own row: all is looked at here. */
	rows->query = NULL;
	rows->context = &search;
	if (!error)
		error = ret_stories->pool ? read_twice(&search, rows, paths, path_count, limit) : -ENOMEM;
	stories_sort(ret_stories);
	key_graph_done(&search.links);
	key_set_done(&search.messages);
	key_set_done(&search.sessions);
	free(search.members);
	free(search.places);
	return error;
}
