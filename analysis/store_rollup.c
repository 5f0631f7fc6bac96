/* store_rollup.c - tallies as bytes, compressed; made by a look at all transactions of a day. */
#include "analysis/store_rollup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "analysis/audit.h"
#include "analysis/room.h"
#include "analysis/rows.h"
#include "analysis/store_read.h"

enum { REPORTS_MAX = 64, NAME_MAX_BYTES = 100, NUMBER_MAX_BYTES = 10, RAW_FIRST = 4096, RAW_MAX = 512 * 1024 * 1024, PACKED_WELL = 5 };

/* Where the tables of a report change, so does its name here; where what it counts does, this number. */
enum { ROLLUP_VERSION = 6 };

/* ---- names ---- */

/* "senders.senders.2.3 1 0.1.0": report, tally, texts and numbers of a key, this form, the program. */
static void name_of(const struct report *report, unsigned tally, char ret_name[NAME_MAX_BYTES])
{
	const struct tally_info *info = &report->tallies[tally];

	(void)snprintf(ret_name, NAME_MAX_BYTES, "%s.%s.%u.%u %d %s", report->name, info->name, info->parts,
		       info->numbers, ROLLUP_VERSION, PACKAGE_VERSION);
}

/* A line of a log is no row of the store. */
static bool is_kept(const struct report *report)
{
	return !(report->moments & REPORT_LINE);
}

static unsigned add_kept(const struct report *const *table, const struct report **ret_reports, unsigned count)
{
	for (; *table && count < REPORTS_MAX; table++)
		if (is_kept(*table))
			ret_reports[count++] = *table;
	return count;
}

static unsigned kept_reports(const struct report **ret_reports)
{
	return add_kept(audit_table, ret_reports, add_kept(report_table, ret_reports, 0));
}

/* Stands for a day that has been looked at: another set of reports is another name. */
static void name_mark(char ret_name[NAME_MAX_BYTES])
{
	const struct report *reports[REPORTS_MAX];
	unsigned count = kept_reports(reports);
	uint64_t digest = 0xcbf29ce484222325;

	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < reports[i]->tally_count; j++) {
			name_of(reports[i], j, ret_name);
			for (const char *at = ret_name; *at; at++)
				digest = (digest ^ (unsigned char)*at) * 0x100000001b3;
		}
	(void)snprintf(ret_name, NAME_MAX_BYTES, "made %016" PRIx64, digest);
}

/* ---- bytes ---- */

struct raw {
	unsigned char *bytes;
	size_t length, room;
	bool lacks_memory;	/* something is left out */
};

static unsigned char *more_raw(struct raw *raw, size_t length)
{
	raw->lacks_memory = raw->lacks_memory || !room_for(&raw->bytes, &raw->room, raw->length + length, RAW_FIRST);
	return raw->lacks_memory ? NULL : raw->bytes + raw->length;
}

static void put_number(struct raw *raw, uint64_t number)
{
	unsigned char *at = more_raw(raw, NUMBER_MAX_BYTES), *begin = at;

	if (!at)
		return;
	for (; number >= 0x80; number >>= 7)
		*at++ = (unsigned char)(number | 0x80);
	*at++ = (unsigned char)number;
	raw->length += (size_t)(at - begin);
}

static void put_text(struct raw *raw, struct text text)
{
	unsigned char *at;

	put_number(raw, text.length);
	at = more_raw(raw, text.length);
	if (!at || !text.length)
		return;
	memcpy(at, text.start, text.length);
	raw->length += text.length;
}

static bool take_number(struct text *rest, uint64_t *ret_number)
{
	*ret_number = 0;
	for (unsigned shift = 0; rest->length && shift < 64; shift += 7) {
		unsigned char byte = (unsigned char)*rest->start++;

		rest->length--;
		*ret_number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* The steps of a distribution that came: how many of them; of each how far it is from the last, and its count. */
static void put_steps(const struct tally *tally, size_t row, unsigned number, struct raw *raw)
{
	uint64_t counts[TALLY_STEPS] = { 0 };
	unsigned last = 0, came = 0;

	tally_sum_steps(tally, row, number, counts);
	for (unsigned step = 0; step < TALLY_STEPS; step++)
		came += counts[step] != 0;
	put_number(raw, came);
	for (unsigned step = 0; step < TALLY_STEPS; step++) {
		if (!counts[step])
			continue;
		put_number(raw, step - last);
		put_number(raw, counts[step]);
		last = step;
	}
}

/* Rows in the order of their keys: whichever transaction came first, the bytes are the same but for a key's letters; and they are
 * fewer, since neighbours begin alike. */
static void put_tally(const struct tally *tally, struct raw *raw)
{
	const struct tally_info *info = tally_info(tally);
	size_t *order = tally_order(tally);

	put_number(raw, tally_others(tally));
	put_number(raw, tally_count(tally));
	raw->lacks_memory = raw->lacks_memory || !order;
	for (size_t i = 0; i < tally_count(tally) && order; i++) {
		struct tally_row row = tally_row(tally, order[i]);

		for (unsigned j = 0; j < info->parts; j++)
			put_text(raw, row.parts[j]);
		for (unsigned j = 0; j < info->numbers; j++)
			if (info->rules[j] == TALLY_SPREAD)
				put_steps(tally, order[i], j, raw);
			else
				put_number(raw, row.numbers[j]);
	}
	free(order);
}

static bool take_steps(struct text *rest, uint64_t *counts)
{
	uint64_t came, gap, count, step = 0;

	memset(counts, 0, sizeof *counts * TALLY_STEPS);
	if (!take_number(rest, &came))
		return false;
	for (; came; came--) {
		if (!take_number(rest, &gap) || !take_number(rest, &count) || gap >= TALLY_STEPS || (step += gap) >= TALLY_STEPS)
			return false;
		counts[step] = count;
	}
	return true;
}

/* Numbers of a row: those of its distributions follow when the row is there. */
static bool take_numbers(const struct tally_info *info, struct text *rest, uint64_t *ret_numbers, uint64_t (*ret_steps)[TALLY_STEPS])
{
	for (unsigned i = 0; i < info->numbers; i++) {
		bool is_spread = info->rules[i] == TALLY_SPREAD;

		if (is_spread)
			ret_numbers[i] = TALLY_NONE;
		if (is_spread ? !take_steps(rest, ret_steps[i]) : !take_number(rest, &ret_numbers[i]))
			return false;
	}
	return true;
}

static void add_steps(struct tally *tally, size_t row, uint64_t (*steps)[TALLY_STEPS])
{
	const struct tally_info *info = tally_info(tally);

	for (unsigned i = 0; i < info->numbers; i++)
		for (unsigned step = 0; info->rules[i] == TALLY_SPREAD && step < TALLY_STEPS; step++)
			if (steps[i][step])
				tally_add_steps(tally, row, i, step, steps[i][step]);
}

/* Adds what stands there; false: it is damaged. */
static bool take_tally(struct tally *tally, struct text bytes)
{
	const struct tally_info *info = tally_info(tally);
	uint64_t others, count, number, numbers[TALLY_NUMBERS_MAX], steps[TALLY_NUMBERS_MAX][TALLY_STEPS];
	struct text parts[TALLY_PARTS_MAX];

	if (!take_number(&bytes, &others) || !take_number(&bytes, &count))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		for (unsigned j = 0; j < info->parts; j++) {
			if (!take_number(&bytes, &number) || number > bytes.length)
				return false;
			parts[j] = (struct text){ bytes.start, (size_t)number };
			bytes = (struct text){ bytes.start + number, bytes.length - (size_t)number };
		}
		if (!take_numbers(info, &bytes, numbers, steps))
			return false;
		add_steps(tally, tally_add_now(tally, parts, numbers), steps);
	}
	tally_set_others(tally, others);
	return !bytes.length;
}

/* A tally as it is kept. */
struct packed {
	char *bytes;
	size_t length, raw_length;
};

static int pack(const struct tally *tally, struct packed *ret_packed)
{
	struct raw raw = { .bytes = NULL };
	uLongf length;
	int error = -ENOMEM;

	put_tally(tally, &raw);
	length = compressBound(raw.length);
	if (!raw.lacks_memory)
		ret_packed->bytes = malloc(length);
	if (ret_packed->bytes && compress2((Bytef *)ret_packed->bytes, &length, raw.bytes, raw.length, PACKED_WELL) == Z_OK)
		error = 0;
	free(raw.bytes);
	ret_packed->length = length;
	ret_packed->raw_length = raw.length;
	return error;
}

static bool unpack_into(struct tally *tally, struct text bytes, uint64_t raw_length)
{
	uLongf length = raw_length;
	char *raw = raw_length && raw_length <= RAW_MAX ? malloc(raw_length) : NULL;
	bool is_good = raw &&
		       uncompress((Bytef *)raw, &length, (const Bytef *)bytes.start, bytes.length) == Z_OK &&
		       length == raw_length && take_tally(tally, (struct text){ raw, raw_length });

	free(raw);
	return is_good;
}

/* ---- making ---- */

struct store_rollup {
	char path[STORE_PATH_SIZE]; /* of the day's database */
	struct rows rows;
	struct report_run *run;
	uint64_t begin_us, end_us; /* the day */
	bool has_strays;	   /* a row of it began on another day */
	uint64_t messages, sessions, logins; /* that were added */
	struct packed *packed;	   /* all tallies, report by report; NULL: not yet */
	size_t packed_count;
};

static void take_row(void *context, const struct report_row *row)
{
	report_run_add(((struct store_rollup *)context)->run, row);
}

static void look_at_time(struct store_rollup *rollup, uint64_t time_us)
{
	rollup->has_strays = rollup->has_strays || time_us < rollup->begin_us || time_us >= rollup->end_us;
}

void store_rollup_add_message(struct store_rollup *rollup, const struct message *message, const struct session *session)
{
	rollup->messages++;
	look_at_time(rollup, message->start_us);
	(void)rows_give_message(&rollup->rows, message, session);
}

void store_rollup_add_session(struct store_rollup *rollup, const struct session *session)
{
	rollup->sessions++;
	look_at_time(rollup, session->start_us);
	rows_give_session(&rollup->rows, session);
}

void store_rollup_add_login(struct store_rollup *rollup, const struct login *login)
{
	rollup->logins++;
	look_at_time(rollup, login->time_us);
	rows_give_login(&rollup->rows, login);
}

void store_rollup_add_logout(struct store_rollup *rollup, const struct login *login)
{
	rows_give_logout(&rollup->rows, login);
}

static void take_message(void *context, const struct message *message, const struct session *session)
{
	store_rollup_add_message(context, message, session);
}

static void take_session(void *context, const struct session *session)
{
	store_rollup_add_session(context, session);
}

static void take_login(void *context, const struct login *login)
{
	store_rollup_add_login(context, login);
}

static bool is_other_day(const void *context, store_day day)
{
	return day != *(const store_day *)context;
}

/* Counts all rows of a day. */
static int count_day(struct store_rollup *rollup, const char *directory, store_day day, struct problem *problem)
{
	struct source_table *sources = source_table_new();
	const struct store_scan scan = {
		.with_attempts = true,
		.with_ways = true,
		.skips_day = is_other_day,
		.skip_context = &day,
		.message = take_message,
		.session = take_session,
		.login = take_login,
		.context = rollup,
	};
	struct store_read *read = NULL;
	struct fact_set facts;
	int error = sources ? store_read_open(&read, directory, sources, problem) : -ENOMEM;

	if (!error)
		store_read_choose(read, rows_facts(&rollup->rows, &facts));
	if (!error)
		error = store_read_scan(read, &scan, problem);
	store_read_close(read);
	source_table_free(sources);
	return error;
}

static void drop_packed(struct store_rollup *rollup)
{
	for (size_t i = 0; rollup->packed && i < rollup->packed_count; i++)
		free(rollup->packed[i].bytes);
	free(rollup->packed);
	rollup->packed = NULL;
}

static size_t count_tallies(const struct report_run *run)
{
	size_t count = 0;

	for (unsigned i = 0; report_run_report(run, i); i++)
		count += report_run_report(run, i)->tally_count;
	return count;
}

int store_rollup_pack(struct store_rollup *rollup)
{
	struct packed *next;
	int error = 0;

	if (rollup->packed || rollup->has_strays)
		return 0;
	rollup->packed_count = count_tallies(rollup->run);
	rollup->packed = next = calloc(rollup->packed_count + 1, sizeof *rollup->packed);
	if (!next)
		return -ENOMEM;
	for (unsigned i = 0; report_run_report(rollup->run, i); i++)
		for (unsigned j = 0; j < report_run_report(rollup->run, i)->tally_count && !error; j++)
			error = pack(report_run_tallies(rollup->run, i)[j], next++);
	if (error)
		drop_packed(rollup);
	return error;
}

static int put_rollup(struct statement *put, const struct report *report, unsigned number, const struct packed *packed)
{
	char name[NAME_MAX_BYTES];

	name_of(report, number, name);
	statement_bind_text(put, 1, text_of(name));
	statement_bind_number(put, 2, packed->raw_length);
	statement_bind_bytes(put, 3, (struct text){ packed->bytes, packed->length });
	return statement_run(put);
}

static int put_all(struct database *database, const struct store_rollup *rollup, struct problem *problem)
{
	struct statement *put;
	const struct packed *next = rollup->packed;
	int error = statement_new(&put, database, "INSERT INTO rollup(name, size, rows) VALUES(?1, ?2, ?3)",
				  problem);

	for (unsigned i = 0; !error && report_run_report(rollup->run, i); i++) {
		const struct report *report = report_run_report(rollup->run, i);

		for (unsigned j = 0; j < report->tally_count && !error; j++)
			error = put_rollup(put, report, j, next++);
		if (error)
			database_explain(database, error, problem);
	}
	return error;
}

/* Whatever came of the look. */
static int put_mark(struct database *database, bool has_strays, struct problem *problem)
{
	char name[NAME_MAX_BYTES], sql[200];

	name_mark(name);
	(void)snprintf(sql, sizeof sql, "INSERT INTO rollup(name, size) VALUES('%s', %d)", name, has_strays);
	return database_run(database, sql, problem);
}

/* What came twice under one key is one row, and what was counted of a file that was deleted is none. */
static int compare_with_rows(const struct store_rollup *rollup, struct database *database, struct problem *problem)
{
	int64_t messages = 0, sessions = 0, logins = 0;
	int error = database_number(database, "SELECT count(*) FROM message", &messages, problem);

	if (!error)
		error = database_number(database, "SELECT count(*) FROM session", &sessions, problem);
	if (!error)
		error = database_number(database, "SELECT count(*) FROM login", &logins, problem);
	if (error)
		return error;
	return (uint64_t)messages == rollup->messages && (uint64_t)sessions == rollup->sessions && (uint64_t)logins == rollup->logins ?
		       0 : -ESTALE;
}

int store_rollup_keep(struct store_rollup *rollup, struct problem *problem)
{
	struct database *database;
	int error = store_rollup_pack(rollup);

	if (!error)
		error = database_open(&database, rollup->path, DATABASE_WRITE, problem);
	if (error)
		return error;
	error = database_begin(database, problem);
	if (!error)
		error = compare_with_rows(rollup, database, problem);
	if (!error)
		error = database_run(database, STORE_ROLLUP_DROP, problem);
	if (!error && !rollup->has_strays)
		error = put_all(database, rollup, problem);
	if (!error)
		error = put_mark(database, rollup->has_strays, problem);
	if (!error)
		error = database_commit(database, problem);
	database_rollback(database);
	/* Where its writer closed it while it was being counted, it is not yet one file again. */
	(void)database_run(database, "PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE", NULL);
	database_close(database);
	return error;
}

int store_rollup_new(struct store_rollup **ret_rollup, const char *directory, store_day day)
{
	const struct report *reports[REPORTS_MAX];
	struct store_rollup *rollup = calloc(1, sizeof *rollup);
	int error;

	if (!rollup)
		return -ENOMEM;
	rollup->run = report_run_new(reports, kept_reports(reports));
	error = !rollup->run ? -ENOMEM : store_day_path(directory, day, rollup->path) ? 0 : -ENAMETOOLONG;
	if (error) {
		store_rollup_free(rollup);
		return error;
	}
	rollup->begin_us = store_day_begin(day);
	rollup->end_us = store_day_begin(day + 1);
	rollup->rows = (struct rows){ .moments = report_run_moments(rollup->run),
				      .facts = report_run_facts(rollup->run),
				      .take = take_row,
				      .context = rollup };
	*ret_rollup = rollup;
	return 0;
}

int store_rollup_count(struct store_rollup **ret_rollup, const char *directory, store_day day, struct problem *problem)
{
	int error = store_rollup_new(ret_rollup, directory, day);

	if (error)
		return error;
	error = count_day(*ret_rollup, directory, day, problem);
	if (error) {
		store_rollup_free(*ret_rollup);
		*ret_rollup = NULL;
	}
	return error;
}

void store_rollup_free(struct store_rollup *rollup)
{
	if (!rollup)
		return;
	drop_packed(rollup);
	report_run_free(rollup->run);
	free(rollup);
}

int store_rollup_make(const char *directory, store_day day, struct problem *problem)
{
	struct store_rollup *rollup = NULL;
	int error = store_rollup_count(&rollup, directory, day, problem);

	if (!error)
		error = store_rollup_keep(rollup, problem);
	store_rollup_free(rollup);
	return error;
}

/* ---- reading ---- */

/* 1: it is good for all spans; 0: it is not, or none was made. */
static int read_mark(struct database *database, bool *ret_is_made)
{
	struct problem ignored;
	struct statement *mark;
	int more, error = statement_new(&mark, database, "SELECT size FROM rollup WHERE name=?1", &ignored),
		  is_good = 0;
	char name[NAME_MAX_BYTES];

	*ret_is_made = false;
	if (error)
		return 0;
	name_mark(name);
	statement_bind_text(mark, 1, text_of(name));
	more = statement_step(mark);
	if (more > 0) {
		*ret_is_made = true;
		is_good = statement_number(mark, 0) == 0;
	}
	statement_free(mark);
	return more < 0 ? 0 : is_good;
}

bool store_rollup_is_made(const char *directory, store_day day)
{
	char path[STORE_PATH_SIZE];
	struct problem ignored;
	struct database *database;
	bool is_made = false;

	if (!store_day_path(directory, day, path) ||
	    database_open(&database, path, DATABASE_READ, &ignored) != 0)
		return false;
	(void)read_mark(database, &is_made);
	database_close(database);
	return is_made;
}

/* 1; 0: there is none, or it is damaged. */
static int read_tally(struct statement *get, const struct report *report, unsigned number,
		      struct tally *tally)
{
	char name[NAME_MAX_BYTES];
	int more;

	name_of(report, number, name);
	statement_bind_text(get, 1, text_of(name));
	more = statement_step(get);
	if (more > 0)
		more = unpack_into(tally, statement_text(get, 1), statement_number(get, 0));
	statement_reset(get);
	return more;
}

/* All of them, or none is of use. */
static int read_all(struct database *database, struct report_run *into, struct problem *problem)
{
	struct statement *get;
	int found = 1,
	    error = statement_new(&get, database, "SELECT size, rows FROM rollup WHERE name=?1", problem);

	for (unsigned i = 0; !error && found > 0 && report_run_report(into, i); i++) {
		const struct report *report = report_run_report(into, i);

		for (unsigned j = 0; j < report->tally_count && found > 0; j++)
			/* The others have nothing of the store. */
			found = is_kept(report) ? read_tally(get, report, j, report_run_tallies(into, i)[j])
						: 1;
	}
	return error ? error : found;
}

static void add_tally(struct tally *to, const struct tally *from)
{
	for (size_t i = 0; i < tally_count(from); i++)
		tally_add_row(to, from, i);
	tally_set_others(to, tally_others(to) + tally_others(from));
}

/* from may have another's tallies afterwards. */
static void add_run(struct report_run *to, struct report_run *from)
{
	for (unsigned i = 0; report_run_report(to, i); i++) {
		struct tally **into = report_run_tallies(to, i), **day = report_run_tallies(from, i), *empty;

		for (unsigned j = 0; j < report_run_report(to, i)->tally_count; j++) {
			if (tally_count(into[j])) {
				add_tally(into[j], day[j]);
				continue;
			}
			/* Of the first day as it is. */
			empty = into[j];
			into[j] = day[j];
			day[j] = empty;
		}
	}
}

int store_rollup_add(const char *directory, store_day day, struct report_run *run, struct problem *problem)
{
	const struct report *reports[REPORTS_MAX];
	struct report_run *day_run;
	struct database *database = NULL;
	char path[STORE_PATH_SIZE];
	unsigned count = 0;
	bool is_made;
	int found = -ENOMEM;

	while (count < REPORTS_MAX && report_run_report(run, count)) {
		reports[count] = report_run_report(run, count);
		count++;
	}
	if (!store_day_path(directory, day, path) ||
	    database_open(&database, path, DATABASE_READ, problem) != 0)
		return 0;
	if (!read_mark(database, &is_made)) {
		database_close(database);
		return 0;
	}
	day_run = report_run_new(reports, count);
	if (day_run)
		found = read_all(database, day_run, problem);
	if (found > 0)
		add_run(run, day_run);
	report_run_free(day_run);
	database_close(database);
	return found;
}
