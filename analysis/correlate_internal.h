/*
 * correlate_internal.h - what the files correlate*.c share: what is under way, and the clue that is being followed.
 */
#ifndef SMTPTRAIL_CORRELATE_INTERNAL_H
#define SMTPTRAIL_CORRELATE_INTERNAL_H

#include "analysis/correlate.h"
#include "analysis/format.h"
#include "analysis/open_table.h"
#include "analysis/origin.h"
#include "analysis/reason.h"

enum open_kind { OPEN_SESSION, OPEN_MESSAGE };

/* What sessions and messages have in common while they are in memory: their place in the list of all that is under way,
 * or in that of what has ended on their host. */
struct open_item {
	struct open_item *before, *next;
	struct host *host;
	uint64_t touched_us;		/* the newest clue */
	uint64_t due_us;		/* of what has ended: when it leaves */
	uint8_t kind;			/* enum open_kind */
	uint8_t waits;			/* how often it was due, and waited on */
	bool is_ending;
	bool was_touched;		/* since eviction last looked at it */
	bool is_changed;		/* since correlate_show_changed */
	bool was_shown;			/* by it */
	bool is_woken : 1;		/* it rested with the store: others there may name it */
	bool rests : 1;			/* it still does, as it was shown: till something is told of it */
	bool is_in_gap : 1;		/* when it came to rest: records of it may have been missing */
};

/* A queue identifier: with its length the words are the text, up to 16 bytes. */
struct queue_name {
	uint64_t words[2];
	size_t length;
};

enum { REFUSALS_MAX = (1 << 30) - 1 };

struct open_recipient {
	struct recipient recipient;	/* first: what others are shown */
	uint64_t next_hash;		/* of the message that goes on, which is not known yet; 0: none */
	uint64_t to, given;		/* hashes of where it was delivered to (0: not known), and of what the client gave */
	uint64_t told_us;		/* of the newest line that says what became of it: clocks of records are finer */
	uint64_t records_us;		/* when the first of its records came; 0: none */
	uint32_t refused_by_log : 30;	/* how often each told a refusal */
	bool is_given : 1;		/* a client gave it, as its RCPT or a record says */
	bool awaits_reply : 1;		/* of a transcript: the reply to its RCPT has not come */
	uint32_t refused_by_records : 31;
	bool is_blocked : 1;		/* a content filter says that it lets this one not have it */
};

/* Millions may be under way. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct open_recipient) <= 128, "a recipient takes at most 128 bytes, and its facts");

/* What has become of a message, as far as it is known. */
enum message_state {
	STATE_NONE, STATE_REMOVED, STATE_REFUSED, STATE_DISCARDED, STATE_HELD, STATE_PROXIED, STATE_ABORTED, STATE_QUEUED, STATE_UNKNOWN,
	STATES,
};

struct open_message {
	struct message message;		/* first */
	struct open_item item;
	struct instance *instance;	/* NULL: not known */
	struct open_recipient *last_recipient;
	struct check *last_check;
	struct open_way *way_before;	/* of the message that it came from: a hop; NULL: not known */
	struct open_way *own_way;	/* of itself, for those that come from it; NULL: none did yet */
	bool is_in_ids;			/* in that table */
	uint8_t state;			/* enum message_state: as a rule said, or in the end */

	/* From here on plain values, which correlate_store.c keeps as they are. */
	struct queue_name name;
	uint64_t name_hash;		/* 0: it has no queue identifier */
	uint64_t size;
	uint64_t removed_us;
	uint64_t id_hash;		/* of the Message-ID; 0: not known */
	uint64_t from;			/* of a refused one: hash of its sender */
	uint64_t front_hash;		/* of the client and port that the proxy before the queue told; 0: none */
	uint64_t waits_hash;		/* of a record's: it waits for the log's lines, in that table; 0: it does not */
	uint64_t named_us;		/* when a record named its queue identifier first */
	uint64_t known_us;		/* the host's clock when it came into memory first */
	uint64_t records_us;		/* when the first of its records came; 0: none */
	uint64_t stamp_us;		/* while it is shown with a finer begin */
	uint64_t stage_us;		/* of records: when it reached its stage; 0: none yet */
	uint64_t first_seq, last_seq;	/* of its records; 0: they have no numbers */
	uint32_t turn;			/* among the messages of its session */
	uint32_t generation;
	uint32_t msg;			/* the milter's number; 0: none of its records */
	uint32_t expected;		/* recipients, as the line says that told it whole; 0: it does not */
	uint32_t unsized;		/* deliveries of which the bytes are not counted: the line with the size has not come */
	uint8_t format;			/* number of the format that told of it first; 0: records did */
	bool is_unmapped;		/* of a log that does not say which address became which */
	bool is_transcript, is_over;	/* of a dialogue; nothing more is said of it there */
	bool is_told;			/* a line told it whole */
	bool is_trace;			/* of a log that tells what became of recipients, and neither begin nor end of messages */
	bool is_expanded;		/* its log told which address became which, and names the latter alone from then on */
	bool has_begin;			/* who brought it is known */
	bool is_received;		/* it was counted as one that came */
	bool is_filtered;		/* of some recipient a content filter says that it lets it not have it */
	bool is_queued, is_removed, is_refused, is_aborted, is_held, is_discarded;
	bool is_proxied;		/* a proxy before the queue took it; it is another's message that a queue has */
	bool is_behind_proxy;		/* that one */
	bool by_log, by_records;
	bool has_mail, has_eom, has_verdict;	/* of its records */
	uint8_t stage;			/* that number, of MAIL, DATA, HEADER, EOM and VERDICT */
};
_Static_assert(sizeof(void *) != 8 || sizeof(struct open_message) <= 512, "a message takes at most 512 bytes, and its facts");

/* What one process of a host serves, or what else the log names sessions by. */
struct process {
	uint64_t hash;
	struct open_session *oldest, *newest;	/* as they came into memory */
	unsigned running;		/* that have not ended */
	bool lacks_begin;		/* of one the begin was not seen when it came */
};

/* Commands of a dialogue whose replies have not come. */
enum { PENDING_MAX = 32 };

struct open_session {
	struct session session;		/* first */
	struct open_item item;
	struct open_message *last_message;
	struct open_message *refused;	/* of the log: where refusals without a queue identifier go, until the next message */
	struct host *mta_host;		/* of records: what the MTA calls itself; NULL: not known */
	struct process *process;	/* NULL: not known */
	struct open_session *older, *newer;	/* of its process */

	/* From here on plain values, which correlate_store.c keeps as they are. */
	uint64_t process_hash;		/* 0: not known */
	uint64_t milter_hash;
	uint64_t client_hash, port_hash;	/* in the tables of clients and of ports */
	uint64_t client;		/* hash of the client's address; 0: not known */
	uint64_t passed_us;		/* when postscreen let it pass */
	uint64_t connect_us;		/* when smtpd, or the milter, saw it come */
	uint64_t stage_us;		/* of records: when it came, until its first greeting; 0: not known, or greeted */
	uint64_t records_us, closed_us;	/* of records: when the first and the last came */
	uint64_t known_us;		/* the host's clock when it came into memory first */
	uint64_t stamp_us, stamp_end_us;	/* while it is shown with finer times */
	uint64_t first_seq, last_seq;	/* of its records; 0: they have no numbers */
	uint32_t numbers;		/* which those are: gap_numbers */
	uint32_t client_port;		/* 0: not known */
	uint32_t mails, passed, refused_count;	/* of records: messages, recipients that passed, and that did not */
	uint32_t refusals;		/* messages without a queue identifier */
	uint32_t turns;			/* given to its messages */
	uint32_t begun, queued;		/* messages of the log that began in it; of which a queue had */
	uint32_t accepted;		/* messages that the MTA says it took, once it has said so; else UINT32_MAX */
	bool has_begin, has_ended;
	bool is_closed;			/* the log told its end */
	bool has_fault;			/* and why before */
	bool is_cut_in_data;
	bool by_log, by_records;
	bool has_first_record, has_last_record;
	bool are_records_cut;		/* the milter was not there to its end */
	bool has_logged_in;
	bool is_screen;			/* postscreen told of it */
	bool has_passed;		/* and let it pass */
	bool is_tacit;			/* of a log that does not tell when sessions end */

	/* Of a dialogue. */
	bool is_transcript, is_outgoing, has_quit;
	uint8_t pending[PENDING_MAX], pending_count, last_spoken;
	uint32_t answers, commands, commands_good, mail_commands, mail_good, rcpt_commands, rcpt_good, data_commands, auth_commands, auth_good;
	bool is_local;			/* of records: a program of the machine, which is no client in the log */
	bool was_asked;			/* for its other side, at its end */
	bool was_matched;		/* postscreen's: with smtpd's of the same address; smtpd's: one of postscreen's may be its */
	bool is_ambiguous;		/* several sessions of the other side fit */
	bool lacks_records;		/* the MTA said that it did without its milter */
	bool is_by_port;		/* both sides, since the client's address and port are the same */
	bool is_proven;			/* and they tell of the same message */
	bool shares_port;		/* another session of that time has the same */
	uint64_t resting_us;		/* messages of it rest, and the newest was told of then; 0: none does */
};

/* A mailbox login whose end may come. */
struct open_login {
	struct login login;
	struct open_login *next;	/* the one that came after it */
	uint64_t hash;			/* 0: it has ended */
};

/* Of more than these the oldest are not waited for. */
enum { OPEN_LOGINS_MAX = 4096 };

/* Where names are in events whose fields come in one order: lines of a kind have few of them. */
struct places {
	unsigned count;
	const char *names[EVENT_FIELDS_MAX];	/* of the fields */
	bool has_lists;				/* several recipients, or lists of them */
	uint8_t at[NAME_OTHER + 1];		/* for each name: its field's index + 1; 0: absent */
};

/* Of a clue that is no event. */
extern const uint8_t no_places[NAME_OTHER + 1];

enum { PLACES_BITS = 8, PLACES = 1 << PLACES_BITS };

/* Hashes of an IPv6 address: as it was written, and as it is. */
struct known_client {
	uint64_t written, client;
};

enum { KNOWN_CLIENTS = 256 };

/* Records that are missing: the milter says so itself, with times, or it follows from their numbers. */
struct record_gap {
	const struct host *host;
	uint64_t from_us, until_us;
	uint64_t missing;		/* numbers; 0: the milter says so */
	uint64_t from_seq, until_seq;	/* they lie in these, and between them */
	uint32_t numbers;		/* of which producer and partition: gap_numbers; 0: not told */
	uint32_t tells_unnumbered;	/* it is of records that had no numbers: nothing else tells of them */
};

enum { RECORD_GAPS_MAX = 256 };

/* How far the records of one producer have come, in one partition. */
struct record_clock {
	uint64_t hash;
	const struct host *host, *mta;	/* mta NULL: not known */
	uint64_t time_us;
};

enum { RECORD_CLOCKS_MAX = 64 };

/* What is known of a message that goes on as another, whether it is still in memory or not. */
enum link_origin { LINK_ORIGIN_UNKNOWN, LINK_ORIGIN_INBOUND, LINK_ORIGIN_AUTHENTICATED, LINK_ORIGIN_LOCAL, LINK_ORIGINS };

struct link_parent {
	transaction_key key;
	uint64_t start_us;
	uint64_t id_hash;
	struct open_way *way;		/* of a note; NULL: not known */
	bool is_proxied;
	uint8_t origin;			/* enum link_origin */
	uint8_t queue_id_length;	/* 0: it is not kept */
	char queue_id[30];
};

/* The MTA said that a message goes on as another, whose lines have not come. */
struct link_note {
	uint64_t hash;			/* of the name; 0: the note is free */
	struct queue_name name;
	const struct host *host;	/* whose name that is; NULL: not told */
	const struct host *parent_host;
	struct link_parent parent;
	uint64_t time_us;
	uint32_t deliveries;
	enum parent_kind kind;
};

enum { LINK_NOTES_MAX = 16384 };

/* A milter said what is to become of a message, and the line that says what the MTA made of it has not come. */
struct milter_note {
	uint64_t hash;			/* of the message's name; 0: the note is free */
	char name[56];			/* the milter's */
};

enum { MILTER_NOTES_MAX = 64 };

struct correlate {
	struct correlate_options options;
	struct correlate_sink sink;
	struct correlate_counts counts;
	uint64_t seed;
	struct pool *pool;
	struct origins *origins;
	struct origin_cache *origin_cache;
	bool keeps_facts, keeps_evidence, keeps_checks, keeps_replies;
	struct fact_set facts;		/* that are kept: those that are asked for, and those that the join asks for itself */
	uint64_t swept_us;		/* when silence was last looked for, */
	uint64_t sweep_pause_us;	/* and how often it is; */
	uint64_t oldest_us;		/* nothing that is under way was silent for longer than since then, */
	bool may_go_quiet;		/* nor tells its end by a shorter silence */
	struct places places[PLACES];

	struct open_list open;		/* what is under way, from the oldest on */
	size_t open_sessions, open_messages;
	/* Times of the recipients of the message that is shown with finer ones. */
	struct stamps { uint64_t first_us, last_us; } *stamps;
	size_t stamp_count, stamps_size;
	char *state;			/* of the last that was asked for */
	size_t state_size;
	struct open_login *first_login, *last_login;
	struct outgoing_table *outgoing;	/* NULL: no agent told of TLS yet */
	size_t open_logins;
	struct open_table keys;		/* sessions and messages by their keys, which are digests of their own */
	bool shows_keys;		/* else they are numbers, */
	transaction_key last_key;	/* of which this is the last */
	struct open_table messages;	/* by host and queue identifier */
	struct open_table processes;	/* of the log, by host and pid */
	struct open_table milter;	/* sessions of the milter, by producer and name */
	struct open_table clients;	/* sessions by the client's address, */
	struct open_table ports;	/* and by that and its port: many, where clients of postscreen wait */
	struct open_table logins;	/* by the name of their session */
	struct open_table ids;		/* messages by their Message-ID, */
	bool finds_ids;			/* once two formats tell of messages */
	uint32_t formats;		/* a bit for each of those */
	const struct format *last_format;	/* and the last one's number */
	uint8_t last_format_number;
	struct open_table waiting;	/* messages of records, by queue identifier, until the log has it */
	bool has_records, has_verdicts;
	struct known_client known_clients[KNOWN_CLIENTS];
	bool finds_clients;		/* sessions are in those tables: there are records, or postscreen lets clients pass */
	unsigned clock_count;		/* more than there are: not all are known */
	struct record_clock clocks[RECORD_CLOCKS_MAX];
	uint64_t rested_us;		/* nothing rests that was heard of later */
	bool rests_without_ports;	/* sessions of which the log tells no port */
	unsigned gap_count;
	struct record_gap gaps[RECORD_GAPS_MAX];	/* in the order in which they were noted */
	uint64_t gap_forgotten_us;	/* the newest of those that were too many; 0: none were */
	uint64_t review_from_us, review_until_us;	/* what rests of that time is looked at again; until 0: nothing is */
	struct open_table children;	/* messages by the key of their parent */
	struct open_table notes;	/* by name */
	struct link_note *note_ring;	/* LINK_NOTES_MAX; NULL: none was needed yet */
	unsigned note_turn;
	struct milter_note milter_notes[MILTER_NOTES_MAX];
	unsigned milter_turn;
	struct open_table recipients;	/* of messages that have many, by the address that the client gave */
};

/* One line or record, for as long as it is looked at. */
struct clue {
	struct correlate *correlate;
	const struct event *event;	/* NULL: it is a record */
	const struct input_record *record;
	const struct origin *origin;	/* of an event */
	struct host *host;
	struct host *mta_host;		/* of a record that names it */
	uint64_t seq;			/* of a record; 0: it has none */
	uint32_t numbers;
	uint64_t time_us;
	struct evidence evidence;
	bool is_counted;		/* by the key that tied it */
	bool has_lists;			/* it may name several recipients */
	bool shares_port;		/* several sessions of the other side have its client and port: set by join_by_port */
	bool is_behind_end;		/* a record of a session whose last one has come before */
	const uint8_t *at;		/* for each name: its field's index + 1; 0: absent */
};

static inline bool clue_has(const struct clue *clue, enum event_name name)
{
	return clue->at[name] != 0;
}

static inline struct text clue_text(const struct clue *clue, enum event_name name)
{
	return clue->at[name] ? clue->event->fields[clue->at[name] - 1].value : TEXT_NONE;
}

/* Whether its log tells whole messages in a line, and no end of sessions. */
static inline bool clue_is_tacit(const struct clue *clue)
{
	return clue->event && clue->event->format && clue->event->format->is_tacit;
}

/* A stamp of syslog tells no more than the second. */
enum { STAMP_STEP_US = 1000000 };

/* When it was, which a record told too (0: none did): of a stamp's whole second the record tells the rest. */
static inline uint64_t time_told_finer(uint64_t time_us, uint64_t record_us)
{
	return record_us > time_us && time_us % STAMP_STEP_US == 0 && record_us - time_us < STAMP_STEP_US ? record_us : time_us;
}

/* ---- correlate_open.c: what comes into memory, stays and leaves ---- */

/* The identity is what the key is made of. NULL: no memory. */
struct open_session *session_open(struct clue *clue, const struct text *identity, unsigned count);
struct open_message *message_open(struct clue *clue, const struct text *identity, unsigned count);
struct open_recipient *recipient_add(struct clue *clue, struct open_message *message);
struct attempt *attempt_add(struct clue *clue, struct open_recipient *recipient);
struct check *check_add(struct clue *clue, struct open_message *message);
void recipient_free(struct correlate *correlate, struct open_recipient *recipient);
void tries_move(struct open_recipient *into, struct open_recipient *from);
void check_move(struct open_message *into, struct open_message *from);
/* A recipient of the one message was number, and is one of the other now. */
void recipient_moved(struct correlate *correlate, const struct open_message *from, uint32_t number,
		     const struct open_message *into, const struct open_recipient *recipient);
void session_take_all(struct open_session *into, struct open_session *from);
/* It is part of another now: nobody is shown it. */
void message_vanish(struct correlate *correlate, struct open_message *message, const struct open_message *into);
void session_vanish(struct correlate *correlate, struct open_session *session, const struct open_session *into);
/* It lies on the host of the other, and ends no later than it. */
void item_follow(struct correlate *correlate, struct open_item *item, const struct open_item *other);
void item_set_host(struct correlate *correlate, struct open_item *item, struct host *host);
/* The message is none of its session's any more. */
void session_lose(struct open_message *message);
/* The message is one of the session's, unless it has one. */
void session_take(struct open_session *session, struct open_message *message);
/* The same for one that comes back, to where it was. */
void session_take_back(struct open_session *session, struct open_message *message);
/* Its end was seen: it leaves when no late line of it can come any more. */
void session_end(struct clue *clue, struct open_session *session);
void message_end(struct clue *clue, struct open_message *message);
/* It was no end. */
void message_resume(struct correlate *correlate, struct open_message *message);
void session_resume(struct correlate *correlate, struct open_session *session);
void open_touch(struct clue *clue, struct open_item *item);
/* The clock of a host goes on; what is due leaves. */
void open_go_back(struct correlate *correlate, struct host *host, uint64_t time_us);
void open_release(struct correlate *correlate, struct host *host);
static inline void open_advance(struct correlate *correlate, struct host *host, uint64_t time_us)
{
	if (time_us >= host->now_us) {
		host->now_us = time_us;
		host->behind = 0;
	} else {
		open_go_back(correlate, host, time_us);
	}
	if (host->ending.first && host->ending.first->due_us <= host->now_us)
		open_release(correlate, host);
}

/* It leaves, if it does not wait for more. */
void open_release_one(struct correlate *correlate, struct open_item *item);
void open_limit(struct correlate *correlate);
void open_sweep(struct correlate *correlate);
void open_finish(struct correlate *correlate);
struct open_session *open_session_of(struct open_item *item);
struct open_message *open_message_of(struct open_item *item);
/* By its key; NULL: it is not in memory, or no session. */
struct open_session *session_by_key(const struct correlate *correlate, transaction_key key);
struct open_message *message_by_key(const struct correlate *correlate, transaction_key key);
/* Of the store: into memory, as it was there. NULL: no memory. */
struct open_session *session_restore(struct correlate *correlate, const struct session *session, struct host *host);
struct open_message *message_restore(struct correlate *correlate, const struct message *message, struct host *host);
struct open_recipient *recipient_restore(struct correlate *correlate, const struct recipient *recipient);
void item_restore(struct correlate *correlate, struct open_item *item, bool is_ending);
void facts_copy(struct correlate *correlate, struct facts *into, const struct facts *from);

/* It is back, and leaves when nothing more is heard of it for as long as lines may be late. */
void item_wake(struct correlate *correlate, struct open_item *item);
/* Each has the other's key. */
void message_swap_keys(struct correlate *correlate, struct open_message *a, struct open_message *b);
void session_swap_keys(struct correlate *correlate, struct open_session *a, struct open_session *b);

/* ---- correlate_store.c: states as bytes, which lie in correlate->state from 0 to *used ---- */

void state_put(struct correlate *correlate, size_t *used, const void *bytes, size_t size);
void state_put_number(struct correlate *correlate, size_t *used, uint64_t number);
void state_put_text(struct correlate *correlate, size_t *used, struct text text);
/* False, once there is no more: the rest is zero. */
bool state_get(struct text *state, void *bytes, size_t size);
uint64_t state_get_number(struct text *state);
struct text state_get_text(struct text *state);
/* What all layouts depend on. */
uint64_t state_layout(size_t size);
/* By its number; NULL: there is none. */
struct host *state_host(const struct correlate *correlate, uint64_t number);

/* ---- correlate_rest.c: what left memory, and may be asked for by what comes late ---- */

/* It is about to leave, and not settled yet. */
void rest_session(struct correlate *correlate, struct open_session *session);
void rest_message(struct correlate *correlate, struct open_message *message);
/* Whether one of the texts is such. */
bool facts_have(const struct facts *facts, correlate_test *test, const void *context);
/* Something was told of it: it does not rest any more, and is to be shown whole. */
void rest_end(struct correlate *correlate, struct open_item *item);
/* A record came of that producer. */
void rest_note_clock(struct clue *clue);
/* Whether something rests that a clue of that time may be of. */
static inline bool rest_may_have(const struct correlate *correlate, uint64_t time_us)
{
	return correlate->rested_us && time_us <= correlate->rested_us;
}
/* Whether a clue of that time may be of what rests of the session: what comes in time is not. */
static inline bool rest_may_be_of(const struct correlate *correlate, const struct open_session *session, uint64_t time_us)
{
	return session->resting_us && time_us < session->resting_us + correlate->options.lateness_us / 2;
}
/* What rests under these is in memory again. False: nothing does. */
bool rest_wake_milter(struct correlate *correlate, uint64_t milter_hash);
bool rest_wake_port(struct correlate *correlate, uint64_t client, uint32_t port, uint64_t connect_us);
bool rest_wake_client(struct correlate *correlate, uint64_t client, uint64_t connect_us);
bool rest_wake_process(struct correlate *correlate, uint64_t process_hash);
void rest_wake_messages(struct correlate *correlate, struct open_session *session);
/* It rests, and its session stays. */
void rest_note_resting(struct open_session *session, const struct open_message *message);
bool rest_wake_queue_name(struct correlate *correlate, const struct queue_name *name);
/* How far the records of that producer and partition have come; 0: not known. */
uint64_t rest_clock(const struct correlate *correlate, const struct input_record *record);
/* A gap of that time has come, or goes: with the next commit what rests is shown as it is now. */
void rest_review(struct correlate *correlate, uint64_t from_us, uint64_t until_us);
void rest_show_reviewed(struct correlate *correlate);
void rest_put(struct correlate *correlate, size_t *used);
void rest_get(struct correlate *correlate, struct text *state);

/* ---- correlate_facts.c: a clue's words as facts ---- */

void fact_rest_on(struct clue *clue, struct facts *facts, enum join_key key);
/* What is set from now on in these facts rests on the clue, which was tied by key. False: facts are not kept. */
static inline bool fact_begin(struct clue *clue, struct facts *facts, enum join_key key)
{
	if (!clue->is_counted) {
		clue->is_counted = true;
		clue->correlate->counts.joined[key]++;
	}
	if (!clue->correlate->keeps_facts)
		return false;
	if (clue->correlate->keeps_evidence)
		fact_rest_on(clue, facts, key);
	else
		facts->is_bare = true;
	return true;
}

static inline bool fact_is_kept(const struct correlate *correlate, enum fact fact)
{
	return fact_set_has(&correlate->facts, fact);
}

/* By the fact's type; an absent value sets nothing. */
void fact_put_kept(struct clue *clue, struct facts *facts, enum fact fact, struct text value);
static inline void fact_put(struct clue *clue, struct facts *facts, enum fact fact, struct text value)
{
	if (value.start && fact_is_kept(clue->correlate, fact))
		fact_put_kept(clue, facts, fact, value);
}
void fact_put_number(struct clue *clue, struct facts *facts, enum fact fact, uint64_t number);

struct fact_row {
	enum event_name name;
	enum fact fact;
};

/* The same, where it is known that the fact is not there yet. */
void fact_add(struct clue *clue, struct facts *facts, enum fact fact, struct text text);
void fact_add_number(struct clue *clue, struct facts *facts, enum fact fact, uint64_t number);

/* The fields of the clue that have a row, as facts. */
void fact_copy(struct clue *clue, struct facts *facts, const struct fact_row *rows, size_t count);
#define FACT_COPY(clue, facts, rows) fact_copy((clue), (facts), (rows), sizeof(rows) / sizeof((rows)[0]))

/* Decides which facts are kept, and whether evidence is. */
void fact_choose(struct correlate *correlate);

/* The digits a text begins with; too large: UINT64_MAX. */
uint64_t fact_number(struct text text);

/* ---- correlate_session.c ---- */

/* The session that a line is of; a new one where its begin was not seen. NULL: the line names none. */
struct open_session *session_of(struct clue *clue);
enum join_key session_key(const struct clue *clue);
/* The dialogue of that name, on the clue's host or on one that its lines do not tell; NULL: none is in memory. */
struct open_session *session_called(struct clue *clue, struct text name);
/* Of one message that the log names no session for: whole by its line. */
struct open_session *session_of_one(struct clue *clue, struct text name);
/* What names the session in its host's log: the log's own name of it, else the process. */
struct text session_name(const struct clue *clue);
uint64_t client_hash(struct correlate *correlate, struct text address);
/* It is one of that process, or no more. */
void session_enter_process(struct correlate *correlate, struct open_session *session, uint64_t hash);
void session_leave_process(struct correlate *correlate, struct open_session *session);
static inline void session_set_ended(struct open_session *session, bool has_ended)
{
	if (session->process && session->has_ended != has_ended)
		session->process->running += has_ended ? -1u : 1u;
	session->has_ended = has_ended;
}

/* The records have told its end, and that of its messages; its lines come only now. */
void session_go_on(struct correlate *correlate, struct open_session *session);
/* Its end is known by the dialogue: the next of that name is another. */
void transcript_over(struct clue *clue, struct open_session *session);
/* What both a stamp and a record tell is shown with the finer time; lines are found by that of the stamp, which comes back. */
void session_tell_finer(struct open_session *session);
void session_tell_stamp(struct open_session *session);
/* Before it is shown: what follows from all that is known. */
void session_settle(struct correlate *correlate, struct open_session *session);
/* Postscreen's and smtpd's lines of one connection were looked for, from either. */
void session_match(struct open_session *session);
/* Several sessions of the other side fit it. */
void session_doubt(struct open_session *session);
/* Something of it is not known. */
void session_miss(struct correlate *correlate, struct open_session *session, const char *what);

/* ---- correlate_message.c ---- */

/* The message that a line is of; a new one where its begin was not seen. NULL: the line names none. */
struct open_message *message_of(struct clue *clue);
/* The same for what a line names otherwise; NULL: it is not known. */
struct open_message *message_named(struct clue *clue, const struct queue_name *name);
/* Its begin: of a message whose first lines came before, or of a new one. */
struct open_message *message_begin(struct clue *clue, struct text queue_id);
struct queue_name queue_name_of(struct text text);
bool queue_name_is(const struct queue_name *a, const struct queue_name *b);
uint64_t queue_name_hash(const struct correlate *correlate, const struct host *host, const struct queue_name *name);
void message_touch(struct clue *clue, struct open_message *message);
/* A message of a dialogue is in the queue under this name. */
void transcript_name(struct clue *clue, struct open_message *message, struct text queue_id);
/* It came before, as another: once behind a content filter is once. */
bool message_is_hop(const struct open_message *message);
/* It is one of those that came, and counted among them. */
void message_received(struct clue *clue, struct open_message *message);
/* Where nobody said it: a client that logged in, this machine, or somebody else. */
void message_put_origin(struct clue *clue, struct open_message *message, const struct open_session *session, enum join_key key);
/* Some logs leave the brackets away. */
uint64_t message_id_hash(const struct correlate *correlate, struct text id);
void message_enter_ids(struct correlate *correlate, struct open_message *message);
void message_know_id(struct correlate *correlate, struct open_message *message, uint64_t id_hash);
/* Its session has ended: whether nothing more is to come of it. */
bool message_ends_with_session(const struct open_message *message);
/* The same, with its recipients. */
void message_tell_finer(struct correlate *correlate, struct open_message *message);
void message_tell_stamp(struct correlate *correlate, struct open_message *message);
void message_settle(struct correlate *correlate, struct open_message *message);
bool message_all_refused(const struct open_message *message);
extern const char *const message_state_words[STATES];
void message_miss(struct correlate *correlate, struct open_message *message, const char *what);

/* ---- correlate_received.c ---- */

/* What a line of a trace says of a message that it names first. */
void message_begin_trace(struct clue *clue, struct open_message *message);
/* Nothing is left of it, though its log may not say so. */
bool message_is_done(const struct open_message *message);
void message_settle_expanded(struct correlate *correlate, struct open_message *message);
/* The MTA refused it at its end (FATE_REJECTED), or its client left it (FATE_ABORTED). */
/* A whole message was refused: so were those of its recipients that the line does not name. */
void message_settle_refused(struct correlate *correlate, struct open_message *message);
void correlate_refused_late(struct clue *clue, struct open_message *message, enum fate fate, const struct reply *reply);

/* ---- correlate_transcript.c ---- */

/* Its end was told: what its commands came to. */
void transcript_end(struct clue *clue, struct open_session *session);

/* ---- correlate_recipient.c ---- */

/* The recipients that a line names, one after the other. */
struct recipient_walk {
	unsigned at;
	struct text more;
};
bool recipient_next(const struct clue *clue, struct recipient_walk *walk, struct text *ret_to);

/* A recipient by where it is delivered to, and by what the client gave (absent: the same); new where none is known. */
struct open_recipient *recipient_of(struct clue *clue, struct open_message *message, struct text to, struct text orig_to,
				    enum join_key key);
/* What the client gave, wherever it is delivered to. */
struct open_recipient *recipient_given(struct clue *clue, struct open_message *message, struct text address, enum join_key key);
/* to 0: any of that given address. NULL: there is none. */
struct open_recipient *recipient_find(const struct correlate *correlate, const struct open_message *message, uint64_t to,
				      uint64_t given);
uint64_t recipient_hash(const struct correlate *correlate, struct text address);
/* A content filter has it, or will be given it, and lets it go no further. */
void recipient_block(struct open_recipient *recipient);
void recipient_enter(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient);
void recipient_leave(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient);
void recipient_leave_table(struct correlate *correlate, struct open_message *message, struct open_recipient *recipient);
/* Their numbers are behind so many others. */
void recipients_number_behind(struct correlate *correlate, struct open_message *message, uint32_t count);
/* By their numbers: so they come back from the store. */
void recipients_sort(struct open_message *message);
bool fate_is_final(enum fate fate);
/* Of the first and the last evidence, in whatever order they come. */
static inline void recipient_seen(struct recipient *recipient, uint64_t time_us)
{
	if (time_us < recipient->first_us)
		recipient->first_us = time_us;
	else if (time_us > recipient->last_us)
		recipient->last_us = time_us;
	else
		return;
	recipient->has_changed = true;
}
/* All that are not done with have this fate; an absent by says nothing. */
void recipients_give_up(struct clue *clue, struct open_message *message, enum fate fate, struct text by);

/* ---- correlate_links.c: what one message has to do with another ---- */

/* Soon it is asked whether somebody waits for a message of that name, or who else does. */
void link_expect(const struct correlate *correlate, const struct queue_name *name);
/* The next hop has it under this identifier. */
void link_queued_as(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id);
/* An alias sends it on under this one. */
void link_forwarded_as(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id);
/* A content filter gives back what was under this one. */
void link_original(struct clue *clue, struct open_message *child, struct text id);
/* A proxy before the queue took it, and gave it to whoever has this identifier. */
void link_proxied(struct clue *clue, struct open_message *message, struct open_recipient *recipient, struct text id);
/* The smtpd behind a proxy says whose client it is; what it never had whole was refused in front. */
void link_note_front(struct clue *clue, struct open_message *message);
void link_settle_behind(struct correlate *correlate, struct open_message *message);
/* In front nobody saw the whole message: how long it is, and how it calls itself. */
void link_take_from_behind(struct correlate *correlate, struct open_message *front, const struct open_message *behind);
void link_settle_proxied(struct correlate *correlate, struct open_message *message);
/* The message has a parent, is about to be another, or to leave. */
void link_enter(struct correlate *correlate, struct open_message *child);
void link_take_over(struct correlate *correlate, struct open_message *into, struct open_message *from);
void link_leave(struct correlate *correlate, struct open_message *child);
void link_enter_front(struct correlate *correlate, struct open_message *behind);
struct link_note *link_note_at(struct correlate *correlate, unsigned place);
/* A format tells of messages. */
void link_know_format(struct correlate *correlate, unsigned format);
/* Its Message-ID and sender are known: the same mail in the log of another system, where one alone fits. A hint. */
void link_by_message_id(struct clue *clue, struct open_message *message);
/* Its name and Message-ID are known: whoever waits for it. */
void link_find_parent(struct clue *clue, struct open_message *child);

/* ---- correlate_way.c: where a mail came from that goes through several messages ---- */

/* What the message says of itself, to be given back; NULL: no memory. Only where ways are kept. */
struct open_way *way_take(struct correlate *correlate, struct open_message *message);
void way_drop(struct correlate *correlate, struct open_way *way);
static inline void way_give(struct correlate *correlate, struct open_way *way)
{
	if (way)
		way_drop(correlate, way);
}
/* The child came from there. */
void way_set(struct open_message *child, struct open_way *way);
/* That of the first; NULL: it is one, or not known. */
const struct way *way_first(const struct open_message *message);
/* It is about to be shown. */
static inline void way_tell(struct open_message *message)
{
	if (message->way_before)
		message->message.way = way_first(message);
}
/* The message is part of the other now. */
void way_take_over(struct open_message *into, struct open_message *from);

/* ---- correlate_outgoing.c: TLS of deliveries, told in lines of their own ---- */

/* An agent told of it. */
void outgoing_tls(struct clue *clue);
/* Of the attempt that the line tells of, where it is known. */
void outgoing_put_tls(struct clue *clue, struct facts *facts);
/* What is kept: from a place on the first, of that size; NULL: there is no more. */
size_t outgoing_size(void);
const void *outgoing_next(const struct correlate *correlate, unsigned *place);
/* To be filled with what was kept; NULL: no memory, or no such place. */
void *outgoing_at(struct correlate *correlate, uint64_t place);

/* ---- correlate_part.c ---- */

/* Whether nothing but the client's port says that both sides of it are one. */
static inline bool session_may_part(const struct open_session *session)
{
	return session->is_by_port && !session->is_proven && session->by_log && session->by_records && session->process &&
	       !session->is_screen && !session->is_transcript;
}

/* They are two: the session keeps the records. Gives what the log told; NULL: no memory, and they are one still. */
struct open_session *session_part(struct correlate *correlate, struct open_session *session);

/* ---- correlate_record.c ---- */

void session_known_by_records(struct clue *clue, struct open_session *session, uint64_t hash);

/* ---- correlate_join.c: the milter's records and the log's lines of the same session become one ---- */

/* The first record has come: from now on sessions are found by their clients. */
void join_begin_records(struct correlate *correlate);
void join_find_clients(struct correlate *correlate);
void session_forget_client(struct correlate *correlate, struct open_session *session);
/* Where those are in the table of clients that postscreen has not let pass, by their address alone. */
uint64_t client_waiting_hash(uint64_t client);
/* Whether records have come or not; again when postscreen has let it pass. */
void session_enter_clients(struct correlate *correlate, struct open_session *session);
void session_know_client(struct correlate *correlate, struct open_session *session, uint64_t client, uint32_t port);
/* A session of the other side that the same client and port began at that time; NULL: there is none. */
struct open_session *join_by_port(struct clue *clue, uint64_t client, uint32_t port, bool is_record);
/* Its connect comes behind others of its records: what the log told was another session until now. */
void join_late_connect(struct clue *clue, struct open_session *session, uint64_t client, uint32_t port);
/* Postscreen let it pass: its records came before its lines. */
void join_passed(struct clue *clue, struct open_session *screen);
/* Both sides have told more: true when they are two by what is known now, where the client's port alone made them one. */
bool join_reconsider(struct correlate *correlate, struct open_session *session);
/* A record names the queue identifier of its message. Gives the message, with the log's lines where they were there. */
struct open_message *join_by_queue_id(struct clue *clue, struct open_message *record, struct text queue_id);
/* The log names one: gives the message, with the records where they were there. */
struct open_message *join_waiting(struct clue *clue, struct open_message *log);
/* The milter's message that a refusal of the log is of; NULL: there is none, or it was told already. */
struct open_message *join_refused(const struct correlate *correlate, const struct open_session *session, uint64_t from, uint64_t given);
/* What the log told of a message before it had a queue identifier is part of it. */
void join_begun(struct correlate *correlate, struct open_message *message, struct open_message *begun);
/* A message of a dialogue is another that its host's log told of. */
void join_transcript(struct clue *clue, struct open_message *log, struct open_message *transcript);
/* The line of a message names the dialogue in which it was sent on: what was said there of it is part of it. */
void join_dialogue(struct clue *clue, struct open_message *message);
/* It is about to leave with one side alone, in a session that has both. True: it is part of another now. */
bool join_rest(struct correlate *correlate, struct open_message *message);
void pair_refusals(struct correlate *correlate, struct open_session *session);
/* It, or a message of it, is about to leave: the other side where only one fits. True: they are one now. */
bool join_at_end(struct correlate *correlate, struct open_session *session);
/* What the one knows and the other does not, with its evidence. */
void facts_add_missing(struct correlate *correlate, struct facts *into, struct facts *from);

/* ---- correlate_gap.c: records that are missing ---- */

/* The numbers of a record are those of its producer and partition. */
uint32_t gap_numbers(const struct correlate *correlate, const struct input_record *record);
/* The milter tells of one; numbers are missing before the record; a record may have one that was missing. */
void gap_note(struct clue *clue);
void gap_note_hole(struct clue *clue, uint64_t from_seq, uint64_t until_seq);
void gap_fill(struct clue *clue);
/* Whether records of it may be missing; and whether they may come yet. */
bool gap_has(const struct correlate *correlate, const struct open_item *item);
bool gap_may_close(const struct correlate *correlate, const struct open_item *item);
void gap_put(struct correlate *correlate, size_t *used);
void gap_get(struct correlate *correlate, struct text *state);

/* ---- correlate_screen.c ---- */

/* The session that postscreen tells of; NULL: the line names none. */
struct open_session *screen_of(struct clue *clue);
/* Whether the client that passed may have come to smtpd, or its milter, at that time. */
bool screen_may_go_on(const struct open_session *screen, uint64_t connect_us);
/* The one that postscreen has just let pass to smtpd; NULL: none, or it is not told which. */
struct open_session *screen_passed(struct clue *clue, uint64_t client, uint32_t port);
/* It is about to leave, and its client went on to smtpd: the session there, where one only fits; NULL. */
struct open_session *screen_join(struct correlate *correlate, struct open_session *screen);

/* Postscreen has not let it pass yet. */
static inline bool session_waits_at_screen(const struct open_session *session)
{
	return session->is_screen && !session->has_passed && !session->by_records && !session->process_hash;
}

/* Of postscreen's lines: those of smtpd are missing. */
static inline bool session_is_screen_alone(const struct open_session *session)
{
	return session->is_screen && session->has_passed && !session->process_hash;
}

/* Whether the log has told what was done in it. */
static inline bool session_has_lines(const struct open_session *session)
{
	return session->by_log && !session_is_screen_alone(session);
}

/* ---- correlate_login.c ---- */

/* A login that waits for its end. NULL: no memory. */
struct open_login *login_open(struct correlate *correlate, uint64_t time_us, uint64_t hash);
/* A client of that session has proved who it is. */
void login_passed(struct clue *clue, struct open_session *session);

/* ---- correlate.c ---- */

void correlate_sweep(struct correlate *correlate, const struct host *host);
/* After each line and record: what is too old or too much leaves. */
static inline void correlate_keep_limits(struct correlate *correlate, const struct host *host)
{
	if (pool_used(correlate->pool) > correlate->options.memory_bytes)
		open_limit(correlate);
	/* Further away, in either direction. */
	if (host->now_us - correlate->swept_us + correlate->sweep_pause_us > 2 * correlate->sweep_pause_us)
		correlate_sweep(correlate, host);
}

/* ---- what is done for each kind of line ---- */

void correlate_connect(struct clue *clue);
void correlate_disconnect(struct clue *clue);
void correlate_lost_connection(struct clue *clue);
void correlate_timeout(struct clue *clue);
void correlate_too_many_errors(struct clue *clue);
void correlate_helo(struct clue *clue);
void correlate_tls(struct clue *clue);
void correlate_tls_error(struct clue *clue);
void correlate_client(struct clue *clue);
void correlate_pickup(struct clue *clue);
void correlate_message_id(struct clue *clue);
void correlate_queued(struct clue *clue);
void correlate_removed(struct clue *clue);
void correlate_received(struct clue *clue);
void correlate_abandoned(struct clue *clue);
void correlate_command(struct clue *clue);
void correlate_reply(struct clue *clue);
void correlate_given(struct clue *clue);
void correlate_discarded(struct clue *clue);
void correlate_transfer(struct clue *clue);
void correlate_expanded(struct clue *clue);
void correlate_forwarded(struct clue *clue);
void correlate_delivery(struct clue *clue);
void correlate_expired(struct clue *clue);
void correlate_notice(struct clue *clue);
void correlate_refusal(struct clue *clue);
void correlate_proxy_accept(struct clue *clue);
void correlate_reject_warning(struct clue *clue);
void correlate_too_large(struct clue *clue);
void correlate_held(struct clue *clue);
void correlate_released(struct clue *clue);
void correlate_milter_failed(struct clue *clue);
void correlate_milter_action(struct clue *clue);
void correlate_scanned(struct clue *clue);
void correlate_spf(struct clue *clue);
void correlate_dkim_verified(struct clue *clue);
void correlate_dkim_bad(struct clue *clue);
void correlate_dmarc(struct clue *clue);
void correlate_auth_ok(struct clue *clue);
void correlate_auth_failed(struct clue *clue);
void correlate_auth_aborted(struct clue *clue);
void correlate_login(struct clue *clue);
void correlate_login_failed(struct clue *clue);
void correlate_session_end(struct clue *clue);
void correlate_screen_connect(struct clue *clue);
void correlate_screen_pass(struct clue *clue);
void correlate_screen_pregreet(struct clue *clue);
void correlate_screen_hangup(struct clue *clue);
void correlate_screen_violation(struct clue *clue);
void correlate_screen_dnsbl(struct clue *clue);
void correlate_screen_disconnect(struct clue *clue);
void correlate_dnsbl_hit(struct clue *clue);

#endif
