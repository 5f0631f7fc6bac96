/*
 * story.h - all that is known of a message or a session: the message with those that it came from and that it went on as
 * (hops, hosts, aliases, notices), their sessions and their logins; or a session with its messages and those.
 *
 * A query that finds a session for itself (session:, client:, since:) tells of sessions, any other of messages.
 *
 * Threads: one owner at a time.
 * Memory:  copies of what was found, until stories_done; over files 40 bytes a message that is read, and 32 a tie.
 * Limits:  STORY_MESSAGES_MAX messages a story: is_cut says that there are more.
 */
#ifndef SMTPTRAIL_STORY_H
#define SMTPTRAIL_STORY_H

#include "analysis/rows.h"

enum { STORY_MESSAGES_MAX = 1000 };

struct story {
	bool is_of_session;		/* the query found the session */
	bool is_cut;
	transaction_key key;		/* of the first that the query found */
	struct message **messages;	/* in the order of their begin */
	size_t message_count;
	struct session **sessions;
	size_t session_count;
	struct login **logins;
	size_t login_count;
};

struct stories {
	struct pool *pool;
	struct story *list;		/* in the order of their begin */
	size_t count, left_out;		/* left_out: older ones, beyond the limit */
};

void stories_done(struct stories *stories);

/* Reads the files twice: first to find what belongs together. rows: as it is for rows_read_files; the query finds, and what
 * was read is noted there. limit 0: all. 0, -ENOMEM, or -errno of standard input that cannot be kept. */
int stories_from_files(struct stories *ret_stories, struct rows *rows, char **paths, size_t path_count, size_t limit);

/* The same from the store in that directory. 0 or -errno with the problem in words. */
int stories_from_store(struct stories *ret_stories, struct rows *rows, const char *directory, size_t limit, struct problem *problem);

/* Makes room; for whoever fills a story. 0 or -ENOMEM. */
int story_begin(struct stories *stories, struct story **ret_story);
int story_add_message(struct story *story, struct message *message);
int story_add_session(struct story *story, struct session *session);
int story_add_login(struct story *story, struct login *login);
/* Puts its parts, and the stories, into their order, and ties messages to their sessions. */
void stories_sort(struct stories *stories);

#endif
