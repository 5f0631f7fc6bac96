/* store_read.c - day by day: keys by SQL, and what stands under them. */
#include "analysis/store_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/query_sql.h"
#include "analysis/store_rows.h"

#define SECOND UINT64_C(1000000)
#define HOUR (3600 * SECOND)
/* A key tells when the first evidence came, which is not always that of the begin. */
#define KEY_SLACK (6 * HOUR)
/* A login of a session lies between its begin and its end, but for what clocks are apart: clock_skew allows ten seconds. */
#define LOGIN_SLACK (60 * SECOND)

enum { CACHE_KB = 256, SCAN_CACHE_KB = 16 * 1024, POOL_MAX = 256 * 1024, AT_ONCE = 256, FEW_AT_ONCE = 64, WALK_AT_ONCE = 2048 };
enum { OTHERS_MAX = 2000 };
/* The days of a way, of two sessions and the one that is walked stay open. */
_Static_assert(WAY_MAX + 1 + 2 + 1 <= STORE_READ_OPEN, "steps on so many days leave the walked one in its place");

/* What is asked of a day again and again, by one number; of logins between two keys. */
enum question { QUESTION_CHILDREN, QUESTION_OF_SESSION, QUESTION_LOGINS, QUESTION_COUNT };

static const char *const questions[QUESTION_COUNT] = {
	"SELECT key FROM message WHERE parent_key = ?1",
	"SELECT key FROM message WHERE session_key = ?1",
	/* A login's key tells its time: few are looked at. */
	"SELECT key FROM login WHERE session_key = ?1 AND key BETWEEN ?2 AND ?3",
};

struct open_day {
	store_day day;
	struct store_rows *rows;	/* NULL: the place is free */
	struct statement *questions[QUESTION_COUNT];	/* NULL: not asked yet */
	struct statement *step;		/* the same */
	uint64_t used;			/* when last, in turns */
};

struct store_read {
	char *directory;
	struct source_table *sources;
	store_day *days; /* the oldest first */
	size_t day_count;
	struct open_day open[STORE_READ_OPEN];
	uint64_t turn;
	bool has_choice; /* store_read_choose */
	struct fact_set facts;
};

/* ---- opening ---- */

static int no_store(const char *directory, struct problem *problem)
{
	problem_set(problem,
		    "there is no store in '%s': smtptrail ingest makes one; or name log files, - being standard input",
		    directory);
	return -ENOENT;
}

static void reverse(store_day *days, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		store_day day = days[i];

		days[i] = days[count - 1 - i];
		days[count - 1 - i] = day;
	}
}

int store_read_open(struct store_read **ret_read, const char *directory, struct source_table *sources,
		    struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	struct store_read *read;
	int error;

	if (!store_path(directory, STORE_CURRENT_NAME, path) || (access(path, F_OK) != 0 && errno != EACCES))
		return no_store(directory, problem);
	read = calloc(1, sizeof *read);
	if (!read)
		return -ENOMEM;
	read->sources = sources;
	read->directory = strdup(directory);
	error = read->directory ? store_days_list(directory, &read->days, &read->day_count, problem)
				: -ENOMEM;
	if (error) {
		store_read_close(read);
		return error;
	}
	store_days_drop_empty(directory, read->days, &read->day_count);
	reverse(read->days, read->day_count);
	*ret_read = read;
	return 0;
}

void store_read_choose(struct store_read *read, const struct fact_set *facts)
{
	read->has_choice = facts;
	if (facts)
		read->facts = *facts;
}

void store_read_close(struct store_read *read)
{
	if (!read)
		return;
	for (unsigned i = 0; i < STORE_READ_OPEN; i++)
		store_rows_close(read->open[i].rows);
	free(read->days);
	free(read->directory);
	free(read);
}

const store_day *store_read_days(const struct store_read *read, size_t *ret_count)
{
	*ret_count = read->day_count;
	return read->days;
}

static bool has_day(const struct store_read *read, store_day day)
{
	size_t low = 0, high = read->day_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (read->days[middle] < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low < read->day_count && read->days[low] == day;
}

/* The place of a day, open or free; the one that was not asked for longest makes room. */
static struct open_day *place_of(struct store_read *read, store_day day)
{
	struct open_day *found = &read->open[0];

	for (unsigned i = 0; i < STORE_READ_OPEN; i++) {
		struct open_day *each = &read->open[i];

		if (each->rows && each->day == day)
			return each;
		if (found->rows && (!each->rows || each->used < found->used))
			found = each;
	}
	store_rows_close(found->rows);
	*found = (struct open_day){ .day = day };
	return found;
}

/* 1; 0: the store has no such day, or no longer; -errno. */
static int open_day(struct store_read *read, store_day day, struct open_day **ret_place, struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	struct open_day *place;
	int error;

	if (!has_day(read, day))
		return 0;
	place = place_of(read, day);
	place->used = ++read->turn;
	if (!place->rows) {
		if (!store_day_path(read->directory, day, path))
			return 0;
		error = store_rows_open(&place->rows, path, DATABASE_READ, read->sources,
					read->has_choice ? &read->facts : NULL, problem);
		/* Its time to be kept was over. */
		if (error && access(path, F_OK) != 0)
			return 0;
		if (error)
			return error;
		database_set_cache(store_rows_database(place->rows), CACHE_KB);
	}
	*ret_place = place;
	return 1;
}

static store_day day_of(transaction_key key)
{
	return store_day_of(transaction_key_time(key));
}

static int find_day(struct store_read *read, store_day day, struct store_rows **ret_rows, struct problem *problem)
{
	struct open_day *place;
	int found = open_day(read, day, &place, problem);

	if (found > 0)
		*ret_rows = place->rows;
	return found;
}

static int find_day_of(struct store_read *read, transaction_key key, struct store_rows **ret_rows,
		       struct problem *problem)
{
	return find_day(read, store_day_of(transaction_key_time(key)), ret_rows, problem);
}

/* ---- one by its key ---- */

static int get_message(struct store_rows *rows, transaction_key key, bool with_attempts, struct pool *pool,
		       struct message *ret_message, struct problem *problem)
{
	int found = store_get_message(rows, key, with_attempts, pool, ret_message);

	if (found < 0)
		store_rows_explain(rows, found, problem);
	return found;
}

int store_read_message(struct store_read *read, transaction_key key, bool with_attempts, struct pool *pool,
		       struct message *ret_message, struct problem *problem)
{
	struct store_rows *rows;
	int found = find_day_of(read, key, &rows, problem);

	return found > 0 ? get_message(rows, key, with_attempts, pool, ret_message, problem) : found;
}

int store_read_session(struct store_read *read, transaction_key key, struct pool *pool,
		       struct session *ret_session, struct problem *problem)
{
	struct store_rows *rows;
	int found = find_day_of(read, key, &rows, problem);

	if (found <= 0)
		return found;
	found = store_get_session(rows, key, pool, ret_session);
	if (found < 0)
		store_rows_explain(rows, found, problem);
	return found;
}

/* ---- a scan ---- */

struct key_list {
	transaction_key *keys;
	size_t count;
	bool lacks_memory;
};

static void keep_key(void *context, transaction_key key)
{
	struct key_list *list = context;

	/* Room doubles whenever it is a power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		transaction_key *larger =
			reallocarray(list->keys, list->count ? list->count * 2 : 1, sizeof *larger);

		if (!larger) {
			list->lacks_memory = true;
			return;
		}
		list->keys = larger;
	}
	list->keys[list->count++] = key;
}

/* What a scan has at hand. */
struct scanning {
	struct store_read *read;
	const struct store_scan *scan;
	struct query_sql *sql;	    /* of the day */
	uint64_t from_us, until_us; /* [from, until) */
	bool has_older_days;	    /* which are looked at where this one is not enough */
	struct pool *pool;
	struct session session; /* of the message before; key 0: none */
	struct way way;		/* of the message that is shown */
	struct session first;	/* of its first; key 0: none */
	struct problem *problem;
};

static int renew_pool(struct scanning *scanning)
{
	if (scanning->pool && pool_used(scanning->pool) < POOL_MAX)
		return 0;
	pool_free(scanning->pool);
	scanning->session.key = scanning->first.key = 0;
	scanning->pool = pool_new();
	return scanning->pool ? 0 : -ENOMEM;
}

/* Of the message before it is often the same. */
static int find_session(struct scanning *scanning, struct message *message)
{
	int found = 1;

	if (!message->session_key)
		return 0;
	if (message->session_key != scanning->session.key)
		found = store_read_session(scanning->read, message->session_key, scanning->pool, &scanning->session,
					   scanning->problem);
	if (found <= 0)
		scanning->session.key = 0;
	else
		message->session = &scanning->session;
	return found < 0 ? found : 0;
}

/* What a message says of the way to it. */
struct step {
	transaction_key session_key, parent_key;
	uint64_t start_us;
	bool goes_on;		/* its parent is the same mail */
};

/* 1; 0: the store has it not. */
static int read_step(struct store_read *read, transaction_key key, struct step *ret_step, struct problem *problem)
{
	struct open_day *place;
	char sql[200];
	int found = open_day(read, day_of(key), &place, problem);

	if (found <= 0)
		return found;
	if (!place->step) {
		(void)snprintf(sql, sizeof sql, "SELECT session_key, parent_key, start_us, parent_kind IN (SELECT id FROM word WHERE text"
			       " IN ('%s', '%s')) FROM message WHERE key = ?1", parent_kind_name(PARENT_HOP), parent_kind_name(PARENT_NEXT_HOST));
		found = statement_new(&place->step, store_rows_database(place->rows), sql, problem);
	}
	if (found < 0)
		return found;
	statement_bind_number(place->step, 1, key);
	found = statement_step(place->step);
	if (found > 0)
		*ret_step = (struct step){ statement_number(place->step, 0), statement_number(place->step, 1), statement_number(place->step, 2),
					   statement_number(place->step, 3) };
	if (found < 0)
		store_rows_explain(place->rows, found, problem);
	statement_reset(place->step);
	return found;
}

/* Where its mail came from; not known where the store lacks the begin of the way, as way_first says it. */
static int find_way(struct scanning *scanning, struct message *message)
{
	struct step first = {
		.parent_key = message->parent_key,
		.goes_on = message->parent_kind == PARENT_HOP || message->parent_kind == PARENT_NEXT_HOST,
	};
	int found = 1;

	message->way = NULL;
	if (!scanning->scan->with_ways || !message->parent_key || !first.goes_on)
		return 0;
	for (unsigned i = 0; i <= WAY_MAX && found > 0 && first.parent_key && first.goes_on; i++)
		found = read_step(scanning->read, first.parent_key, &first, scanning->problem);
	if (found <= 0)
		return found;
	if (first.session_key && first.session_key != scanning->first.key)
		found = store_read_session(scanning->read, first.session_key, scanning->pool, &scanning->first, scanning->problem);
	if (!first.session_key || found <= 0)
		scanning->first = (struct session){ .key = 0 };
	scanning->way = (struct way){ first.start_us, facts_text(&scanning->first.facts, FACT_SESSION_CLIENT_ADDR),
				      facts_text(&scanning->first.facts, FACT_SESSION_AUTH_AUTHEN) };
	message->way = &scanning->way;
	return found < 0 ? found : 0;
}

static int show_message(struct scanning *scanning, struct store_rows *rows, transaction_key key)
{
	struct message message;
	int found = get_message(rows, key, scanning->scan->with_attempts, scanning->pool, &message,
				scanning->problem);

	if (found <= 0)
		return found;
	found = find_session(scanning, &message);
	if (found >= 0)
		found = find_way(scanning, &message);
	if (found < 0)
		return found;
	scanning->scan->message(scanning->scan->context, &message, message.session);
	return 0;
}

static int show_session(struct scanning *scanning, struct store_rows *rows, transaction_key key)
{
	struct session session;
	int found = store_get_session(rows, key, scanning->pool, &session);

	if (found > 0)
		scanning->scan->session(scanning->scan->context, &session);
	if (found < 0)
		store_rows_explain(rows, found, scanning->problem);
	return found < 0 ? found : 0;
}

static int show_login(struct scanning *scanning, struct store_rows *rows, transaction_key key)
{
	struct login login;
	int found = store_get_login(rows, key, scanning->pool, &login);

	if (found > 0)
		scanning->scan->login(scanning->scan->context, &login);
	if (found < 0)
		store_rows_explain(rows, found, scanning->problem);
	return found < 0 ? found : 0;
}

/* Below it are the keys of days before. */
static transaction_key begin_key(store_day day)
{
	return transaction_key_of(store_day_begin(day), NULL, 0) & ~(transaction_key)UINT32_MAX;
}

static transaction_key first_key(uint64_t time_us)
{
	return time_us > KEY_SLACK
		       ? transaction_key_of(time_us - KEY_SLACK, NULL, 0) & ~(transaction_key)UINT32_MAX
		       : 0;
}

static transaction_key last_key(uint64_t time_us)
{
	return time_us < UINT64_MAX - KEY_SLACK
		       ? transaction_key_of(time_us + KEY_SLACK, NULL, 0) | UINT32_MAX
		       : INT64_MAX;
}

/* A day that was written before a fact was known has no column for it: then all rows are looked at. */
static int prepare(struct scanning *scanning, struct database *database, enum query_sql_of of,
		   struct statement **ret_statement, bool *ret_is_exact)
{
	static const char *const all[QUERY_SQL_COUNT] = {
		"SELECT key FROM message WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
		"SELECT key FROM session WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
		"SELECT key FROM login WHERE key BETWEEN ?1 AND ?2 ORDER BY key",
	};
	struct problem ignored;
	int error = statement_new(ret_statement, database, query_sql_select(scanning->sql, of), &ignored);

	*ret_is_exact = !error && query_sql_is_exact(scanning->sql, of);
	return error == -EINVAL ? statement_new(ret_statement, database, all[of], scanning->problem) : error;
}

/* All keys of a kind at once, so that a writer need not wait until the last of them is shown. *ret_is_exact: all of them match. */
static int find_keys(struct scanning *scanning, struct database *database, enum query_sql_of of,
		     struct key_list *ret_keys, bool *ret_is_exact)
{
	struct statement *keys;
	int error = prepare(scanning, database, of, &keys, ret_is_exact), more;

	if (error)
		return error;
	statement_bind_number(keys, 1, first_key(scanning->from_us));
	statement_bind_number(keys, 2, last_key(scanning->until_us));
	while ((more = statement_step(keys)) > 0)
		keep_key(ret_keys, statement_number(keys, 0));
	if (more < 0)
		database_explain(database, more, scanning->problem);
	statement_free(keys);
	return more < 0 ? more : ret_keys->lacks_memory ? -ENOMEM : 0;
}

/* A few rows in one transaction: each of its own costs as much as what it reads, and a long one lets writers wait. */
static int show_some(struct scanning *scanning, store_day day, enum query_sql_of of,
		     const transaction_key *keys, size_t count)
{
	static int (*const show[QUERY_SQL_COUNT])(struct scanning *, struct store_rows *, transaction_key) = {
		show_message,
		show_session,
		show_login,
	};
	struct store_rows *rows;
	int found = find_day(scanning->read, day, &rows, scanning->problem), error;

	if (found <= 0)
		return found;
	error = database_run(store_rows_database(rows), "BEGIN", scanning->problem);
	for (size_t i = 0; i < count && !error; i++) {
		error = renew_pool(scanning);
		if (!error)
			error = show[of](scanning, rows, keys[i]);
		/* It stays open among the days of sessions. */
		if (!error && find_day(scanning->read, day, &rows, scanning->problem) <= 0)
			error = -EIO;
	}
	database_rollback(store_rows_database(rows));
	return error;
}

/* The newest first, until those that are left would not be wanted any more. */
static int show_newest(struct scanning *scanning, store_day day, enum query_sql_of of, const struct key_list *keys)
{
	const struct store_scan *scan = scanning->scan;
	size_t left = keys->count;
	int error = 0;

	while (left && !error) {
		size_t count = left < FEW_AT_ONCE ? left : FEW_AT_ONCE;

		left -= count;
		error = show_some(scanning, day, of, keys->keys + left, count);
		if (!error && left && scan->is_enough(scan->context, transaction_key_time(keys->keys[left - 1]) + SECOND + KEY_SLACK))
			break;
	}
	return error;
}

/* ---- sessions of other days ---- */

/* Of messages of a day, in the order of their keys. */
struct other_sessions {
	struct scanning *scanning;
	struct store_rows *rows;
	store_day day;
	bool is_listed;
	struct key_list keys;
};

static int list_other_sessions(struct other_sessions *others)
{
	struct database *database = store_rows_database(others->rows);
	struct statement *keys;
	int more, error = statement_new(&keys, database, "SELECT DISTINCT session_key FROM message WHERE session_key < ?1 UNION"
					" SELECT DISTINCT session_key FROM message WHERE session_key >= ?2 ORDER BY 1", NULL);

	if (error)
		return error;
	statement_bind_number(keys, 1, begin_key(others->day));
	statement_bind_number(keys, 2, begin_key(others->day + 1));
	while ((more = statement_step(keys)) > 0)
		keep_key(&others->keys, statement_number(keys, 0));
	statement_free(keys);
	others->is_listed = true;
	return more < 0 ? more : others->keys.lacks_memory ? -ENOMEM : 0;
}

/* Those from first on that are of one day; how many there are. */
static size_t print_keys_of_day(const struct key_list *keys, size_t first, FILE *out)
{
	size_t i = first;

	for (; i < keys->count && day_of(keys->keys[i]) == day_of(keys->keys[first]); i++)
		fprintf(out, "%s%" PRIu64, i > first ? "," : "", keys->keys[i]);
	return i - first;
}

static int find_others_of_day(struct other_sessions *others, const struct query_term *term, enum fact fact, size_t *first, FILE *out,
			      size_t *count)
{
	struct query_sql_keys wanted = { .first = others->keys.keys[*first] };
	char *keys = NULL;
	size_t size;
	FILE *list = open_memstream(&keys, &size);
	struct store_rows *rows;
	int found;

	if (!list)
		return -ENOMEM;
	*first += print_keys_of_day(&others->keys, *first, list);
	wanted.last = others->keys.keys[*first - 1];
	found = fclose(list) == 0 ? find_day_of(others->scanning->read, wanted.first, &rows, others->scanning->problem) : -ENOMEM;
	wanted.list = keys;
	if (found > 0)
		found = query_sql_find_sessions(term, fact, store_rows_database(rows), &wanted, out, count);
	free(keys);
	return found;
}

static int find_others(void *context, const struct query_term *term, enum fact fact, char **ret_keys)
{
	struct other_sessions *others = context;
	size_t size, count = 0;
	int error = others->is_listed ? 0 : list_other_sessions(others);
	FILE *out;

	if (error || others->keys.count > OTHERS_MAX)
		return error;
	out = open_memstream(ret_keys, &size);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < others->keys.count && !error;)
		error = find_others_of_day(others, term, fact, &i, out, &count);
	return fclose(out) == 0 ? error : -ENOMEM;
}

/* ---- all rows of a day ---- */

/* The next of them; *ret_next: the first key behind it. */
static int walk_message(struct scanning *scanning, struct store_rows *rows, transaction_key *ret_next)
{
	struct message message;
	int found = store_walk_message(rows, scanning->scan->with_attempts, scanning->pool, &message), error;

	if (found <= 0)
		return found;
	error = find_session(scanning, &message);
	if (!error)
		error = find_way(scanning, &message);
	if (!error)
		scanning->scan->message(scanning->scan->context, &message, message.session);
	*ret_next = message.key + 1;
	return error ? error : found;
}

static int walk_session(struct scanning *scanning, struct store_rows *rows, transaction_key *ret_next)
{
	struct session session;
	int found = store_walk_session(rows, scanning->pool, &session);

	if (found <= 0)
		return found;
	scanning->scan->session(scanning->scan->context, &session);
	*ret_next = session.key + 1;
	return found;
}

static int walk_login(struct scanning *scanning, struct store_rows *rows, transaction_key *ret_next)
{
	struct login login;
	transaction_key key;
	int found = store_walk_login(rows, scanning->pool, &login, &key);

	if (found <= 0)
		return found;
	scanning->scan->login(scanning->scan->context, &login);
	*ret_next = key + 1;
	return found;
}

static const struct {
	enum fact_level level;
	int (*next)(struct scanning *scanning, struct store_rows *rows, transaction_key *ret_next);
} walks[QUERY_SQL_COUNT] = {
	{ LEVEL_MESSAGE, walk_message },
	{ LEVEL_SESSION, walk_session },
	{ LEVEL_LOGIN, walk_login },
};

/* Some of them from a key on, in one transaction. 1: there may be more; 0: there are none. */
static int walk_some(struct scanning *scanning, store_day day, enum query_sql_of of, transaction_key *first)
{
	struct open_day *place;
	struct store_rows *rows;
	int found = find_day(scanning->read, day, &rows, scanning->problem), error;

	if (found <= 0)
		return found;
	place = place_of(scanning->read, day);
	store_rows_expect_all(rows);
	error = database_run(store_rows_database(rows), "BEGIN", scanning->problem);
	if (!error)
		error = store_walk_start(rows, walks[of].level, *first, last_key(scanning->until_us),
					 scanning->problem);
	for (unsigned i = 0; i < WALK_AT_ONCE && found > 0 && !error; i++) {
		error = renew_pool(scanning);
		/* Sessions of other days do not take its place. */
		place->used = ++scanning->read->turn;
		if (!error)
			found = walks[of].next(scanning, rows, first);
	}
	if (found < 0)
		store_rows_explain(rows, found, scanning->problem);
	store_walk_end(rows);
	database_rollback(store_rows_database(rows));
	return error ? error : found;
}

/* A look at one row after the other is quicker than one by its key, and nothing sorts out any. */
static int walk_day(struct scanning *scanning, store_day day)
{
	const bool wanted[QUERY_SQL_COUNT] = { scanning->scan->message, scanning->scan->session, scanning->scan->login };
	int more = 0;

	for (int of = 0; of < QUERY_SQL_COUNT && more >= 0; of++) {
		transaction_key first = first_key(scanning->from_us);

		if (wanted[of])
			do
				more = walk_some(scanning, day, (enum query_sql_of)of, &first);
			while (more > 0);
	}
	return more;
}

/* ---- day by day ---- */

static bool wants_all(const struct scanning *scanning, store_day day)
{
	const struct store_scan *scan = scanning->scan;

	if (scan->is_enough || scan->message_key || scan->session_key)
		return false;
	if (!scan->query)
		return true;
	return query_is_span(scan->query) && scanning->from_us <= store_day_begin(day) && scanning->until_us >= store_day_begin(day + 1);
}

/* What a day has of each kind. */
struct day_keys {
	struct key_list keys[QUERY_SQL_COUNT];
	bool is_exact[QUERY_SQL_COUNT];
};

static int show_all(struct scanning *scanning, store_day day, enum query_sql_of of, const struct day_keys *found)
{
	store_read_key *const take[QUERY_SQL_COUNT] = { scanning->scan->message_key, scanning->scan->session_key, NULL };
	const struct key_list *keys = &found->keys[of];
	int error = 0;

	if (found->is_exact[of] && take[of])
		for (size_t i = 0; i < keys->count; i++)
			take[of](scanning->scan->context, keys->keys[i]);
	else if (scanning->has_older_days)
		error = show_newest(scanning, day, of, keys);
	else
		for (size_t i = 0; i < keys->count && !error; i += AT_ONCE)
			error = show_some(scanning, day, of, keys->keys + i,
					  keys->count - i < AT_ONCE ? keys->count - i : AT_ONCE);
	return error;
}

/* The dictionaries and the rows are those of one moment. */
static int find_in_day(struct scanning *scanning, struct store_rows *rows, store_day day, struct day_keys *found)
{
	struct other_sessions others = { .scanning = scanning, .rows = rows, .day = day };
	const bool wanted[QUERY_SQL_COUNT] = { scanning->scan->message, scanning->scan->session, scanning->scan->login };
	struct database *database = store_rows_database(rows);
	int error = database_run(database, "BEGIN", scanning->problem);

	if (error)
		return error;
	error = query_sql_new(&scanning->sql, scanning->scan->query, scanning->scan->attempts_apart,
			      &(struct query_sql_day){ database, find_others, &others });
	free(others.keys.keys);
	if (error) {
		store_rows_explain(rows, error, scanning->problem);
		database_rollback(database);
		return error;
	}
	error = query_sql_add_tests(scanning->sql, database);
	for (int of = 0; of < QUERY_SQL_COUNT && !error; of++)
		if (wanted[of] && query_sql_select(scanning->sql, (enum query_sql_of)of))
			error = find_keys(scanning, database, (enum query_sql_of)of, &found->keys[of], &found->is_exact[of]);
	query_sql_free(scanning->sql);
	database_rollback(database);
	return error;
}

/* Where nothing was found, the room that its schema takes is that of the next day's. */
static void leave_day(struct scanning *scanning, store_day day, bool has_found)
{
	struct open_day *place = place_of(scanning->read, day);

	if (has_found || scanning->scan->asks_again) {
		database_set_cache(store_rows_database(place->rows), CACHE_KB);
		return;
	}
	store_rows_close(place->rows);
	*place = (struct open_day){ .rows = NULL };
}

static int scan_day(struct scanning *scanning, store_day day)
{
	bool has_found = false;
	struct day_keys keys = { .is_exact = { false } };
	struct store_rows *rows;
	int found = find_day(scanning->read, day, &rows, scanning->problem), error;

	if (found <= 0)
		return found;
	database_set_cache(store_rows_database(rows), SCAN_CACHE_KB);
	if (wants_all(scanning, day))
		error = walk_day(scanning, day);
	else
		error = find_in_day(scanning, rows, day, &keys);
	for (int of = 0; of < QUERY_SQL_COUNT && !error; of++) {
		has_found = has_found || keys.keys[of].count;
		if (keys.keys[of].count)
			error = show_all(scanning, day, (enum query_sql_of)of, &keys);
	}
	/* Days of sessions may have taken its place. */
	if (!error && find_day(scanning->read, day, &rows, scanning->problem) > 0)
		leave_day(scanning, day, has_found);
	for (int of = 0; of < QUERY_SQL_COUNT; of++)
		free(keys.keys[of].keys);
	return error;
}

static bool is_of_span(const struct scanning *scanning, store_day day)
{
	const struct store_scan *scan = scanning->scan;
	uint64_t begin = store_day_begin(day), end = store_day_begin(day + 1);

	if (scan->skips_day && scan->skips_day(scan->skip_context, day))
		return false;
	return end + KEY_SLACK > scanning->from_us &&
	       (begin < KEY_SLACK || begin - KEY_SLACK < scanning->until_us);
}

int store_read_scan(struct store_read *read, const struct store_scan *scan, struct problem *problem)
{
	struct scanning scanning = { .read = read, .scan = scan, .until_us = UINT64_MAX, .problem = problem };
	int error = 0;

	if (scan->query)
		query_span(scan->query, &scanning.from_us, &scanning.until_us);
	if (scanning.from_us < scan->from_us)
		scanning.from_us = scan->from_us;
	for (size_t i = 0; i < read->day_count && !error; i++) {
		store_day day = read->days[scan->is_enough ? read->day_count - 1 - i : i];

		scanning.has_older_days = scan->is_enough && i + 1 < read->day_count && is_of_span(&scanning, day - 1) && has_day(read, day - 1);
		if (is_of_span(&scanning, day))
			error = scan_day(&scanning, day);
		/* What lies on a day before may have begun a little later than its key says. */
		if (scan->is_enough && !error && i + 1 < read->day_count &&
		    scan->is_enough(scan->context, store_day_begin(day) + KEY_SLACK))
			break;
	}
	pool_free(scanning.pool);
	return error;
}

/* ---- what belongs to another ---- */

static int take_keys(struct statement *keys, uint64_t number, store_read_key *take, void *context)
{
	int more;

	statement_bind_number(keys, 1, number);
	while ((more = statement_step(keys)) > 0)
		take(context, statement_number(keys, 0));
	return more;
}

struct asked {
	uint64_t number;
	transaction_key first, last;	/* of logins */
};

/* Keys that it gives of a day. */
static int ask_day(struct store_read *read, store_day day, enum question question, const struct asked *asked, store_read_key *take,
		   void *context, struct problem *problem)
{
	struct open_day *place;
	int found = open_day(read, day, &place, problem), error = 0;

	if (found <= 0)
		return found;
	if (!place->questions[question])
		error = statement_new(&place->questions[question], store_rows_database(place->rows), questions[question], problem);
	if (error)
		return error;
	if (question == QUESTION_LOGINS) {
		statement_bind_number(place->questions[question], 2, asked->first);
		statement_bind_number(place->questions[question], 3, asked->last);
	}
	error = take_keys(place->questions[question], asked->number, take, context);
	if (error)
		store_rows_explain(place->rows, error, problem);
	return error;
}

static int ask_days(struct store_read *read, store_day first, store_day last, enum question question, const struct asked *asked,
		    store_read_key *take, void *context, struct problem *problem)
{
	int error = 0;

	for (size_t i = 0; i < read->day_count && !error; i++)
		if (read->days[i] >= first && read->days[i] <= last)
			error = ask_day(read, read->days[i], question, asked, take, context, problem);
	return error;
}

/* The same by a statement that is not asked again. */
static int keys_of_day(struct store_read *read, store_day day, const char *sql, uint64_t number, store_read_key *take,
		       void *context, struct problem *problem)
{
	struct store_rows *rows;
	struct statement *keys;
	int found = find_day(read, day, &rows, problem), error;

	if (found <= 0)
		return found;
	error = statement_new(&keys, store_rows_database(rows), sql, problem);
	if (error)
		return error;
	error = take_keys(keys, number, take, context);
	if (error)
		store_rows_explain(rows, error, problem);
	statement_free(keys);
	return error;
}

/* A notice comes when the queue gives up, which may be days later. */
int store_read_children(struct store_read *read, transaction_key parent, store_read_key *take, void *context,
			struct problem *problem)
{
	store_day day = store_day_of(transaction_key_time(parent));

	return ask_days(read, day - 1, INT32_MAX, QUESTION_CHILDREN, &(struct asked){ .number = parent }, take, context, problem);
}

int store_read_of_session(struct store_read *read, const struct session *session, store_read_key *take,
			  void *context, struct problem *problem)
{
	store_day first = store_day_of(transaction_key_time(session->key));
	store_day last = session->end_us ? store_day_of(session->end_us) : first + 1;

	return ask_days(read, first - 1, last + 1, QUESTION_OF_SESSION, &(struct asked){ .number = session->key }, take, context, problem);
}

int store_read_other_sessions(struct store_read *read, store_day day, store_read_key *take, void *context,
			      struct problem *problem)
{
	char sql[200];

	(void)snprintf(
		sql, sizeof sql,
		"SELECT DISTINCT session_key FROM message WHERE session_key < ?1 OR session_key >= %" PRIu64,
		begin_key(day + 1));
	return keys_of_day(read, day, sql, begin_key(day), take, context, problem);
}

int store_read_logins(struct store_read *read, const struct session *session,
		      void (*take)(void *context, const struct login *login), void *context,
		      struct problem *problem)
{
	uint64_t first_us = session->start_us > LOGIN_SLACK ? session->start_us - LOGIN_SLACK : 0;
	uint64_t last_us = (session->end_us > session->start_us ? session->end_us : session->start_us + HOUR) + LOGIN_SLACK;
	const struct asked asked = { session->key, transaction_key_of(first_us, NULL, 0) & ~(transaction_key)UINT32_MAX,
				     transaction_key_of(last_us, NULL, 0) | UINT32_MAX };
	struct key_list found = { .count = 0 };
	struct pool *pool = pool_new();
	int error = pool ? 0 : -ENOMEM;

	if (!error)
		error = ask_days(read, store_day_of(first_us), store_day_of(last_us), QUESTION_LOGINS, &asked, keep_key, &found, problem);
	for (size_t i = 0; i < found.count && !error; i++) {
		struct store_rows *rows;
		struct login login;
		int more = find_day_of(read, found.keys[i], &rows, problem);

		if (more > 0)
			more = store_get_login(rows, found.keys[i], pool, &login);
		if (more > 0)
			take(context, &login);
		error = more < 0 ? more : 0;
	}
	pool_free(pool);
	free(found.keys);
	return error ? error : found.lacks_memory ? -ENOMEM : 0;
}

/* ---- from when to when ---- */

static int number_of_day(struct store_read *read, store_day day, const char *sql, uint64_t *ret_number,
			 struct problem *problem)
{
	struct store_rows *rows;
	int64_t number = 0;
	int found = find_day(read, day, &rows, problem);

	if (found > 0)
		found = database_number(store_rows_database(rows), sql, &number, problem);
	*ret_number = (uint64_t)number;
	return found < 0 ? found : 0;
}

int store_read_span(struct store_read *read, uint64_t *ret_from_us, uint64_t *ret_until_us,
		    struct problem *problem)
{
	/* Keys lie in the order of time. */
	static const char first_sql[] =
		"SELECT min(t) FROM (SELECT * FROM (SELECT start_us AS t FROM message ORDER BY key LIMIT 1)"
		" UNION ALL SELECT * FROM (SELECT start_us AS t FROM session ORDER BY key LIMIT 1))";
	static const char last_sql[] = "SELECT " STORE_LAST;
	int error = 0;

	*ret_from_us = *ret_until_us = 0;
	for (size_t i = 0; i < read->day_count && !*ret_from_us && !error; i++)
		error = number_of_day(read, read->days[i], first_sql, ret_from_us, problem);
	for (size_t i = read->day_count; i-- > 0 && !*ret_until_us && !error;)
		error = number_of_day(read, read->days[i], last_sql, ret_until_us, problem);
	return error;
}

int store_read_last(struct store_read *read, store_day day, uint64_t *ret_last_us, struct problem *problem)
{
	static const char sql[] = "SELECT max(ifnull((SELECT max(last_us) FROM message), 0), ifnull((SELECT "
				  "max(start_us) FROM session), 0),"
				  " ifnull((SELECT max(at_us) FROM login), 0))";

	return number_of_day(read, day, sql, ret_last_us, problem);
}
