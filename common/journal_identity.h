/*
 * journal_identity.h - the file "producer" in a spool: who writes this journal.
 *
 * Text, one "name value ..." a line; replaced as a whole (temporary file, fsync, rename, fsync of
 * the directory). It binds the random producer id to one machine and one directory, so that a copy
 * of the directory does not go on under the same id, and it makes an epoch durable before its first
 * entry. What it says of renamed and fenced entries is the only state that the segments do not hold.
 *
 * Threads: one owner at a time.
 * Memory:  the arrays are the identity's; identity_done frees them.
 */
#ifndef SMTPTRAIL_JOURNAL_IDENTITY_H
#define SMTPTRAIL_JOURNAL_IDENTITY_H

#include "journal.h"

#define IDENTITY_HISTORY 64	/* epochs remembered */

/* An epoch of this producer. */
struct identity_epoch {
	uint32_t epoch;
	char incarnation[JOURNAL_NAME_SIZE];
	uint64_t last_counter;		/* as far as known; 0 for the one that runs */
	uint64_t begun_us;
};
/* Entries of an incarnation, from this counter on, that are shipped under another producer than their
 * segment's head says. Those before it were shipped under the old one and are not read again. */
struct identity_rename {
	char incarnation[JOURNAL_NAME_SIZE];
	uint64_t from_counter;
	char producer[JOURNAL_NAME_SIZE];
};
/* A producer of ours that another holder goes on with: its entries are not read again. */
struct identity_fence {
	char producer[JOURNAL_NAME_SIZE];
};

struct identity {
	char producer[JOURNAL_NAME_SIZE];
	char machine[JOURNAL_NAME_SIZE];
	char *directory;		/* real path */
	uint64_t device, inode, file_system;
	uint32_t epoch;
	char incarnation[JOURNAL_NAME_SIZE];
	struct identity_epoch *epochs;
	struct identity_rename *renames;
	struct identity_fence *fences;
	size_t epoch_count, rename_count, fence_count;
	/* How far Redis had taken the entries when that was written last (regularly, and at the close); empty: not known. Where an older
	 * copy of the journal comes back, it tells what the other holder of the identity need not be asked for. */
	char shipped_incarnation[JOURNAL_NAME_SIZE];
	uint64_t shipped_counter;
};

void identity_done(struct identity *identity);
/* -ENOENT: there is none; -EBADMSG: damaged. */
int identity_load(struct identity *ret_identity, int directory);
int identity_store(const struct identity *identity, int directory);
int identity_copy(struct identity *ret_copy, const struct identity *identity);
/* Fills machine and directory with what is so now. machine_id_file may be missing: the id is then empty. */
int identity_here(struct identity *identity, int directory, const char *path, const char *machine_id_file);
bool identity_is_here(const struct identity *identity, const struct identity *here);
/* A new random id of 32 hexadecimal digits. */
int identity_random(char name[JOURNAL_NAME_SIZE]);

/* Append a row; -ENOMEM. Epochs beyond IDENTITY_HISTORY fall out, the oldest first. */
int identity_add_epoch(struct identity *identity, const struct identity_epoch *epoch);
int identity_add_rename(struct identity *identity, const char *incarnation, uint64_t from_counter,
			const char *producer);
int identity_add_fence(struct identity *identity, const char *producer);

/* The producer under which entries of this origin are read, and the first counter that is; UINT64_MAX: none. */
void identity_apply(const struct identity *identity, struct journal_origin *origin, uint64_t *ret_read_from);

#endif
