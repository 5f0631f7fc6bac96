/*
 * correlate.h - joins events of logs and records of the milter into transactions.
 *
 * Lines and records come in about the order of their time; what belongs together is tied by keys (join_keys.def),
 * never by time alone, and where two readings are possible it is marked so and none is chosen.
 *
 * What has ended is shown to the sink and forgotten; what is under way stays, up to a limit of memory: then what was
 * touched longest ago is shown with incomplete=evicted.
 *
 * Threads: one owner at a time; another thread may own it later.
 * Memory:  everything is copied in. What a sink is shown is lent for the call.
 * Limits:  correlate_options.memory_bytes of all that is under way.
 * Errors:  -ENOMEM of correlate_new; later a lack of memory evicts, and is counted.
 */
#ifndef SMTPTRAIL_CORRELATE_H
#define SMTPTRAIL_CORRELATE_H

#include "analysis/event.h"
#include "analysis/hosts.h"
#include "analysis/input.h"
#include "analysis/source.h"
#include "analysis/transaction.h"

struct correlate_options {
	const struct hosts *hosts;	/* how names of hosts and instances are tied; NULL: each is its own */
	size_t memory_bytes;
	uint64_t skew_us;		/* how far clocks of the milter and of the log may be apart */
	uint64_t lateness_us;		/* how late a line may come */
	bool keeps_attempts;		/* as tries of their recipient, for whoever tells the whole story, or counts it */
	uint64_t silence_us;		/* after so long a queue identifier that is seen again is another message */
	bool keeps_reasons;		/* classes of replies, which take their time to find */
	bool keeps_ways;		/* of messages, from where their mail came first; those that are restored have none */
	/* For whoever asks for these alone: others may be missing, none has evidence, and keys are numbers that tell nothing.
	 * Not with a store. NULL: all, with their evidence. Borrowed for the call of correlate_new. */
	const struct fact_set *facts;
	bool only_logs;			/* neither records nor the queue will come; asked where facts are chosen */
	bool expects_records;		/* though none came yet */
};

/* What left memory while more of it may come: records whose log was not read, lines whose records were not shipped. */
enum { CORRELATE_REST_NAMES = 4 };
struct correlate_rest {
	transaction_key key;
	uint64_t names[CORRELATE_REST_NAMES];	/* under which it is asked for; 0: none */
	struct text state;			/* all of it, as bytes that only correlate knows */
};
/* Whoever asks for it. What it does not lack need not be read. */
struct correlate_taker {
	bool (*lacks)(void *context, transaction_key key);
	void (*take)(void *context, transaction_key key, struct text state);
	void *context;
};
/* Whether that state has a text of which test says so. True, too, of one that another version kept: nobody will ask for it. */
typedef bool correlate_test(const void *context, struct text value);
bool correlate_rest_has(struct text state, correlate_test *test, const void *context);

void correlate_defaults(struct correlate_options *options);

/* What one is shown; each may be NULL. Where nobody is shown anything, only what is counted is kept. */
struct correlate_sink {
	/* A try to deliver, as it is read; its recipient has it counted already. */
	void (*attempt)(void *context, const struct message *message, const struct recipient *recipient,
			const struct attempt *attempt);
	/* As it is read. A mailbox login whose end comes is shown again, with it: login_key is the same. */
	void (*login)(void *context, const struct login *login);
	/* It leaves memory: ended (is_complete), evicted, or the input is at its end. Its session is still there. */
	void (*message)(void *context, const struct message *message);
	/* After its messages. */
	void (*session)(void *context, const struct session *session);
	/* What was shown as changed before is part of another now. */
	void (*gone)(void *context, enum fact_level level, transaction_key key, transaction_key into);
	/* A recipient that was shown, and its attempts, are another's now. Before its message is gone, if that goes too. */
	void (*moved)(void *context, const struct recipient_name *from, const struct recipient_name *into);
	/* Behind what was shown of it. It is to be kept as long as the other side may be late, and given to the taker (all that have
	 * the name, and that it lacks) whenever wake asks for it, until unrest says that it rests no more. All of them, or none. */
	void (*rest)(void *context, const struct correlate_rest *rest);
	void (*wake)(void *context, uint64_t name, const struct correlate_taker *taker);
	/* The same of those whose keys lie behind the one, up to the other: some of them, the lowest first; the last of these, or 0. */
	transaction_key (*wake_between)(void *context, transaction_key behind, transaction_key until, const struct correlate_taker *taker);
	void (*unrest)(void *context, transaction_key key);
	void *context;
};

/* Counts of lines and records by what they mean; the names are those of `smtptrail report totals`. */
struct correlate_counts {
#define TOTAL(id, name, meaning) uint64_t id;
#include "analysis/totals.def"
#undef TOTAL
	uint64_t joined[JOIN_COUNT];
	uint64_t hops, hop_deliveries;	/* messages that are another's hop; deliveries to them */
	uint64_t open_sessions, open_messages, evicted;
};

struct correlate;

int correlate_new(struct correlate **ret_correlate, const struct correlate_options *options,
		  const struct correlate_sink *sink);
void correlate_free(struct correlate *correlate);

void correlate_event(struct correlate *correlate, const struct event *event, uint16_t source);
/* Several, one after the other. */
void correlate_events(struct correlate *correlate, const struct event *events, size_t count, uint16_t source);
void correlate_record(struct correlate *correlate, const struct input_record *record, uint16_t source);
/* Before that record, which is given next, others of its producer and partition are missing, by their numbers. What they may have
 * been of says incomplete=gap, unless they come yet. */
void correlate_missing(struct correlate *correlate, const struct input_record *record, uint64_t from_seq, uint64_t until_seq);
/* The session that a record is of, with its messages that are under way: lent until the next call. NULL: none is known. */
const struct session *correlate_session_of(const struct correlate *correlate, const struct input_record *record);
/* One message of the queue as postqueue -j tells it; and that these were all that the instance had then. To be given when all
 * lines from before were. */
struct queue_entry;
void correlate_queue_entry(struct correlate *correlate, const struct queue_entry *entry, uint16_t source);
void correlate_queue_end(struct correlate *correlate, struct text host, struct text syslog_name, uint64_t seen_us,
			 uint16_t source);

/* There is no more: all that is under way is shown, as it stands. */
void correlate_finish(struct correlate *correlate);

void correlate_counts(const struct correlate *correlate, struct correlate_counts *ret_counts);

/*
 * For the store. correlate_show_changed shows what is under way and has changed since the last call.
 *
 * A process that is killed goes on where its last commit was, and comes to the same rows as one that was not: so what lies
 * in no fact (marks, hashes, when it is due) is kept too, as bytes that only correlate knows. They are lent until the next
 * call, and begin with a version: what another version wrote is left, and guessed from the facts. Host, queue identifier and
 * times are facts; an identity must not depend on a seed.
 */
void correlate_show_changed(struct correlate *correlate, const struct correlate_sink *sink);
/* Whether records came, now or before it was restored: what has left may come again then. */
bool correlate_has_records(const struct correlate *correlate);
/* All that is under way, changed or not, as it stands; it stays so. */
void correlate_show_open(struct correlate *correlate, const struct correlate_sink *sink);
struct text correlate_session_state(struct correlate *correlate, const struct session *session);
struct text correlate_message_state(struct correlate *correlate, const struct message *message);
/* Of what is no session and no message: clocks of hosts, what was said of messages that have not come, logins that last. */
struct text correlate_state(struct correlate *correlate);
/* Logins of which test says so of a text are under way no more; gives how many. */
unsigned correlate_forget_logins(struct correlate *correlate, correlate_test *test, const void *context);

/* The way back: first the state, then sessions, then messages. */
void correlate_restore(struct correlate *correlate, struct text state);
void correlate_restore_session(struct correlate *correlate, const struct session *session, struct text state);
void correlate_restore_message(struct correlate *correlate, const struct message *message, struct text state);

#endif
