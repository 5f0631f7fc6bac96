/*
 * store_image.h - transactions as bytes, on their way into the store: what a commit keeps, and what is put into rows
 * afterwards, also when a process was killed between the two.
 *
 * Bytes are of this machine, and say of which version: another one reads them by names.
 *
 * Threads: one owner at a time.
 * Memory:  chunks of about STORE_IMAGE_CHUNK bytes. What is read borrows from its chunk, which must be aligned as by
 *          malloc, and lives until the next one is read.
 * Errors:  -ENOMEM; -EBADMSG: damaged.
 */
#ifndef SMTPTRAIL_STORE_IMAGE_H
#define SMTPTRAIL_STORE_IMAGE_H

#include <errno.h>

#include "analysis/transaction.h"

enum { STORE_IMAGE_CHUNK = 1024 * 1024 };

struct store_image_chunk {
	unsigned char *bytes;
	size_t used, size;
};

struct store_image {
	struct store_image_chunk *chunks;
	unsigned count, size;
	size_t bytes;			/* of all */
	bool has_failed;		/* no memory: something is missing */
};

void store_image_done(struct store_image *image);
/* Empties it, and keeps its memory. */
void store_image_clear(struct store_image *image);
bool store_image_is_empty(const struct store_image *image);

/* Of a message those recipients that have changed; all, where none has. They do not fail: has_failed says it. */
void store_image_add_session(struct store_image *image, const struct session *session);
void store_image_add_message(struct store_image *image, const struct message *message);
void store_image_add_attempt(struct store_image *image, const struct attempt_name *name, const struct attempt *attempt);
void store_image_add_login(struct store_image *image, const struct login *login);
/* What was kept before is part of another now. */
void store_image_add_gone(struct store_image *image, enum fact_level level, transaction_key key);
void store_image_add_moved(struct store_image *image, const struct recipient_name *from, const struct recipient_name *into);

enum store_item_kind {
	STORE_ITEM_SESSION = 1, STORE_ITEM_MESSAGE, STORE_ITEM_ATTEMPT, STORE_ITEM_LOGIN, STORE_ITEM_GONE, STORE_ITEM_MOVED,
};

struct store_item {
	enum store_item_kind kind;
	struct session session;
	struct message message;
	struct attempt_name name;
	struct attempt attempt;
	struct login login;
	struct {
		enum fact_level level;
		transaction_key key;
	} gone;
	struct {
		struct recipient_name from, into;
	} moved;
};

/* What whoever takes chunks says of one that the reader called damaged. */
enum { STORE_IMAGE_DAMAGED = -EPROTO };

struct store_image_reader;

/* A reader for chunks, one after the other; NULL: no memory. */
struct store_image_reader *store_image_reader_new(void);
void store_image_reader_free(struct store_image_reader *reader);
int store_image_reader_start(struct store_image_reader *reader, unsigned char *bytes, size_t length);
/* 1: an item; 0: the end; -errno. */
int store_image_reader_next(struct store_image_reader *reader, struct store_item *ret_item);

#endif
