/*
 * transaction.h - what became of mail: sessions, their messages, recipients and attempts.
 *
 * A session is one connection; a message one MAIL of it to its end, or one that a program of the machine, a content
 * filter or the MTA itself put into the queue; a recipient one address of a message with its fate; an attempt one
 * try to deliver. Facts are those of transaction.def, each with its evidence.
 *
 * One logical message may be several messages here: it was re-injected by a content filter, or sent on by an alias.
 * Each but the first has parent_key, and parent_kind says what tied it.
 *
 * Threads: one owner at a time.
 * Memory:  made by correlate or read from the store, each with a pool; lent to whoever is shown one.
 */
#ifndef SMTPTRAIL_TRANSACTION_H
#define SMTPTRAIL_TRANSACTION_H

#include "analysis/facts.h"

enum fate {
#define FATE(id, name, meaning) FATE_##id,
#include "analysis/fates.def"
#undef FATE
	FATE_COUNT,
};

const char *fate_name(enum fate fate);
const char *fate_meaning(enum fate fate);
/* FATE_COUNT: none of the name. */
enum fate fate_by_name(struct text name);

/* What is behind a message that came from another. */
enum parent_kind {
	PARENT_NONE,
	PARENT_HOP,		/* the same mail, given back by a content filter, or sighted a second time behind a proxy */
	PARENT_NEXT_HOST,	/* the same mail, at the next host of ours */
	PARENT_FORWARD,		/* sent on by an alias or a .forward */
	PARENT_NOTICE,		/* a bounce, delay or success notice about it */
	PARENT_HINT,		/* by its Message-ID the same mail, in the log of another system; counted twice, since it is not certain */
	PARENT_KINDS,
};

const char *parent_kind_name(enum parent_kind kind);	/* "hop"; NULL for PARENT_NONE */

/*
 * A key is the same whenever the same input is read again: 31 bits of the second (since 2001) in which the first
 * evidence lies, then 32 bits of a digest of what identifies it (host and queue id; producer and session; host,
 * process and pid). 0: none. It is the row's number in the store, so rows lie in order of time.
 */
typedef uint64_t transaction_key;

transaction_key transaction_key_of(uint64_t time_us, const struct text *identity, unsigned count);
/* The begin of the second that a key says. */
uint64_t transaction_key_time(transaction_key key);

struct session {
	transaction_key key;
	uint64_t start_us, end_us;	/* end 0: not known, or not yet */
	struct facts facts;
	struct message *messages;	/* in their order, those in memory */
};

struct check {
	struct check *next;
	uint64_t time_us;
	struct facts facts;
};

/* Of all checks of a message the first SPF that asked the same, of another engine, with another result; NULL: there is none. */
const struct check *check_other_engine(const struct check *checks, const struct check *check);

struct recipient {
	struct recipient *next;
	uint64_t first_us, last_us;
	uint32_t number;		/* in its message, from 1; never another's. With attempts it names the last attempt */
	uint32_t attempts;
	uint8_t fate;			/* enum fate */
	bool has_changed;		/* since correlate_show_changed was last called; the store writes no others again */
	/* Given to a content filter or another host of ours: a message with next_key goes on. Or what a proxy before the queue
	 * gave on and the smtpd in front refused: it is counted there. */
	bool is_hop;
	transaction_key next_key;	/* 0: none, or not known */
	struct attempt *tries;		/* in their order, where the maker was asked to keep them */
	struct facts facts;
};

/* Where a mail came from that is at a next host of ours, or was given back by a content filter: the first of its messages. */
struct way {
	uint64_t start_us;		/* of that message */
	struct text client_addr, account;	/* of its session; absent: not known */
};
/* Behind so many more the first is not looked for. */
enum { WAY_MAX = 48 };

struct message {
	transaction_key key, session_key, parent_key;
	uint64_t start_us, last_us;	/* first and last evidence */
	uint8_t parent_kind;		/* enum parent_kind */
	bool is_complete;		/* its end was seen: removed, refused, aborted */
	bool is_accepted;		/* of one that the join shows at its end: as message_is_accepted says, whatever facts are kept */
	uint32_t recipient_count;
	struct session *session;	/* NULL: none is known, or it has left memory */
	const struct way *way;		/* of a PARENT_HOP and PARENT_NEXT_HOST, where whoever shows it was asked for it; NULL: not known */
	struct message *next_in_session;
	struct recipient *recipients;	/* in the order of their first evidence */
	struct check *checks;
	struct facts facts;
};

/* Whether a queue, or a proxy before it, took the message. */
bool message_is_accepted(const struct message *message);

/* One try to deliver to one recipient. */
struct attempt {
	struct attempt *next;
	uint64_t time_us;
	struct facts facts;
};

/* Which recipient it is. */
struct recipient_name {
	transaction_key message_key;
	uint32_t number;
};

/* Which try it is. */
struct attempt_name {
	transaction_key message_key;
	uint32_t recipient;		/* its number in the message */
	uint32_t number;		/* from 1 */
};

struct login {
	uint64_t time_us, end_us;
	transaction_key session_key;	/* 0: none of ours */
	struct facts facts;
};

/* A login has no key of its own before it is kept. */
transaction_key login_key(const struct login *login);

#endif
