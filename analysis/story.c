/* story.c - lists of what a story is of. */
#include "analysis/story.h"

#include <errno.h>
#include <stdlib.h>

static void free_lists(struct story *story)
{
	free(story->messages);
	free(story->sessions);
	free(story->logins);
}

void stories_done(struct stories *stories)
{
	for (size_t i = 0; i < stories->count; i++)
		free_lists(&stories->list[i]);
	free(stories->list);
	pool_free(stories->pool);
	*stories = (struct stories){ .pool = NULL };
}

int story_begin(struct stories *stories, struct story **ret_story)
{
	struct story *larger = reallocarray(stories->list, stories->count + 1, sizeof *larger);

	if (!larger)
		return -ENOMEM;
	stories->list = larger;
	*ret_story = &larger[stories->count++];
	**ret_story = (struct story){ .key = 0 };
	return 0;
}

/* A list of pointers that has room for one more, doubled when it is a power of two. */
static void *with_room(void *list, size_t count)
{
	if (count && (count & (count - 1)))
		return list;
	return reallocarray(list, count ? count * 2 : 1, sizeof(void *));
}

int story_add_message(struct story *story, struct message *message)
{
	struct message **larger = with_room(story->messages, story->message_count);

	if (!larger || !message)
		return -ENOMEM;
	story->messages = larger;
	larger[story->message_count++] = message;
	return 0;
}

int story_add_session(struct story *story, struct session *session)
{
	struct session **larger = with_room(story->sessions, story->session_count);

	if (!larger || !session)
		return -ENOMEM;
	story->sessions = larger;
	larger[story->session_count++] = session;
	return 0;
}

int story_add_login(struct story *story, struct login *login)
{
	struct login **larger = with_room(story->logins, story->login_count);

	if (!larger || !login)
		return -ENOMEM;
	story->logins = larger;
	larger[story->login_count++] = login;
	return 0;
}

/* ---- order ---- */

static int by_time(uint64_t left_us, uint64_t right_us, uint64_t left, uint64_t right)
{
	if (left_us != right_us)
		return left_us < right_us ? -1 : 1;
	return (left > right) - (left < right);
}

static int compare_messages(const void *a, const void *b)
{
	const struct message *left = *(struct message *const *)a, *right = *(struct message *const *)b;

	return by_time(left->start_us, right->start_us, left->key, right->key);
}

static int compare_sessions(const void *a, const void *b)
{
	const struct session *left = *(struct session *const *)a, *right = *(struct session *const *)b;

	return by_time(left->start_us, right->start_us, left->key, right->key);
}

static int compare_logins(const void *a, const void *b)
{
	const struct login *left = *(struct login *const *)a, *right = *(struct login *const *)b;

	return by_time(left->time_us, right->time_us, left->session_key, right->session_key);
}

static int compare_stories(const void *a, const void *b)
{
	const struct story *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

static void tie_message(const struct story *story, struct message *message)
{
	for (size_t i = 0; i < story->session_count && message->session_key; i++)
		if (story->sessions[i]->key == message->session_key)
			message->session = story->sessions[i];
}

void stories_sort(struct stories *stories)
{
	for (size_t i = 0; i < stories->count; i++) {
		struct story *story = &stories->list[i];

		if (story->message_count)
			qsort(story->messages, story->message_count, sizeof *story->messages,
			      compare_messages);
		if (story->session_count)
			qsort(story->sessions, story->session_count, sizeof *story->sessions,
			      compare_sessions);
		if (story->login_count)
			qsort(story->logins, story->login_count, sizeof *story->logins, compare_logins);
		for (size_t j = 0; j < story->message_count; j++)
			tie_message(story, story->messages[j]);
	}
	if (stories->count)
		qsort(stories->list, stories->count, sizeof *stories->list, compare_stories);
}
