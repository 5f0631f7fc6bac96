/*
 * status.h - the status file: written by the daemon, read by the verb.
 *
 * One JSON object (written and read with jansson), replaced as a whole by rename, so that a reader
 * never sees half of it. The table below is the only list of its members.
 *
 * Threads: one writer; readers are other processes.
 * Limits:  a file of 64 KiB; a longer text is cut at STATUS_TEXT_SIZE, a number at 2^63 - 1.
 * Errors:  negative errno; status_read says in words what is wrong with a file. Members that are
 *          missing or not known are no error: reader and writer may be of two versions.
 */
#ifndef SMTPTRAIL_STATUS_H
#define SMTPTRAIL_STATUS_H

#include <stdint.h>
#include <stdio.h>

#include "problem.h"

/*      member            kind    meaning */
#define STATUS_TABLE(ROW) \
	ROW(version,          TEXT,   "version of smtptrail-milter") \
	ROW(pid,              NUMBER, "process identifier") \
	ROW(producer,         TEXT,   "identity that its records carry") \
	ROW(epoch,            NUMBER, "number of this start") \
	ROW(started,          TIME,   "when it began") \
	ROW(written,          TIME,   "when this was written") \
	ROW(interval_us,      NUMBER, "how often it is written") \
	ROW(config_file,      TEXT,   "configuration file") \
	ROW(socket,           TEXT,   "where the MTA finds it, as smtpd_milters of Postfix has it") \
	ROW(config_digest,    TEXT,   "SHA-256 of the configuration in force") \
	ROW(config_loaded,    TIME,   "when the configuration in force was read") \
	ROW(sessions,         NUMBER, "sessions now") \
	ROW(sessions_total,   NUMBER, "sessions since start") \
	ROW(messages,         NUMBER, "messages since start") \
	ROW(records_made,     NUMBER, "records appended to the journal since start") \
	ROW(records_shipped,  NUMBER, "records that Redis took since start") \
	ROW(records_dropped,  NUMBER, "records not made since start: the journal was full, or memory short") \
	ROW(records_damaged,  NUMBER, "records found damaged in the journal since start") \
	ROW(torn_tails,       NUMBER, "entries found at the start that were never finished: nothing confirmed is lost by them") \
	ROW(files_quarantined, NUMBER, "damaged files of the journal set aside since start") \
	ROW(files_mended,     NUMBER, "damaged files of the journal mended, without a record lost") \
	ROW(backlog_records,  NUMBER, "records that wait for Redis") \
	ROW(backlog_bytes,    NUMBER, "bytes of them") \
	ROW(backlog_oldest,   TIME,   "when the oldest of them was made") \
	ROW(front_bytes,      NUMBER, "bytes used in the front") \
	ROW(spool_bytes,      NUMBER, "bytes used in the spool") \
	ROW(journal_error,    TEXT,   "what is wrong with the journal now; empty: nothing") \
	ROW(last_seq,         NUMBER, "seq of the last record made") \
	ROW(shipped_seq,      NUMBER, "seq of the last record that Redis took") \
	ROW(synced_seq,       NUMBER, "seq of the last record that survives a power cut") \
	ROW(redis_address,    TEXT,   "address of Redis") \
	ROW(redis_state,      TEXT,   "connecting, shipping, waiting, operator (a person must mend it) or fenced") \
	ROW(partitions,       NUMBER, "streams that sessions are spread over; producer, epoch and seq are of the first") \
	ROW(partitions_behind, TEXT,  "partitions that do not ship, their state and the records they hold") \
	ROW(redis_since,      TIME,   "when that state began") \
	ROW(redis_resyncs,    NUMBER, "times the cursor in Redis was not the expected one") \
	ROW(redis_went_back,  NUMBER, "records sent again because Redis had lost them") \
	ROW(redis_resent,     NUMBER, "batches sent again since start: their answer was lost, or a refusal") \
	ROW(redis_not_kept,   NUMBER, "times the journal no longer kept what Redis had lost; a gap record says how much") \
	ROW(redis_fenced,     NUMBER, "times it went on under a new identity, another holding the old one too") \
	ROW(redis_errors,     NUMBER, "failed tries since start") \
	ROW(redis_cut,        NUMBER, "of these: no connection, a cut one, no answer in time, or none of a known form") \
	ROW(redis_busy,       NUMBER, "of these: Redis is full, loads, or waits for something itself") \
	ROW(redis_not_master, NUMBER, "of these: it was not, or no longer, the master, or is cut off from its cluster") \
	ROW(redis_denied,     NUMBER, "of these: password, rights, or a key of another type") \
	ROW(stream_records,   NUMBER, "records in the stream; of several, the one with the slowest reader") \
	ROW(stream_hard_length, NUMBER, "records it never exceeds for long; 0: any number") \
	ROW(stream_readers,   NUMBER, "registered readers: consumer groups of the stream") \
	ROW(stream_slowest,   TEXT,   "the slowest of them") \
	ROW(stream_unread,    NUMBER, "records from the first on that it has not done with: so many stay for its sake") \
	ROW(stream_trimmed,   NUMBER, "records trimmed since start") \
	ROW(stream_overtaken, NUMBER, "of these: which a registered reader had not done with") \
	ROW(stream_trim_errors, NUMBER, "failed tries to trim") \
	ROW(auth_jobs,        NUMBER, "messages handed over to be checked since start") \
	ROW(auth_waiting,     NUMBER, "messages that wait for their check") \
	ROW(auth_queue_bytes, NUMBER, "memory of those") \
	ROW(auth_overload,    NUMBER, "messages not checked since too many waited") \
	ROW(auth_deadline,    NUMBER, "messages whose checks reached their deadline") \
	ROW(auth_limit,       NUMBER, "messages with a signature that a limit kept from being checked") \
	ROW(dns_questions,    NUMBER, "questions to the DNS since start") \
	ROW(dns_cache_hits,   NUMBER, "of these: answered from the cache") \
	ROW(dns_cache_entries, NUMBER, "answers in the cache") \
	ROW(dns_cache_bytes,  NUMBER, "memory of them") \
	ROW(dns_timeouts,     NUMBER, "questions that got no answer in time") \
	ROW(last_error,       TEXT,   "the last error, in words") \
	ROW(last_error_time,  TIME,   "when it happened")

#define STATUS_TEXT_SIZE 512
#define STATUS_MEMBER_TEXT(name) char name[STATUS_TEXT_SIZE];
#define STATUS_MEMBER_NUMBER(name) uint64_t name;
#define STATUS_MEMBER_TIME(name) uint64_t name;		/* microseconds since the epoch; 0: none */
#define STATUS_MEMBER(name, kind, meaning) STATUS_MEMBER_##kind(name)

struct status {
	STATUS_TABLE(STATUS_MEMBER)
};

int status_write(const struct status *status, const char *file);
/* -ENOENT, -EBADMSG ... with words in problem. */
int status_read(struct status *ret_status, const char *file, struct problem *problem);
/* For a person, one aligned line a member; or as JSON. */
void status_print(const struct status *status, FILE *out);
void status_print_json(const struct status *status, FILE *out);
/* "3 s", "5 min", "2 h", "9 days". */
#define STATUS_AGE_SIZE 32
void status_age(uint64_t duration_us, char ret_text[STATUS_AGE_SIZE]);

#endif
