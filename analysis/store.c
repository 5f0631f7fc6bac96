/* store.c - a directory of databases: one commit after the other, each of them whole. */
#include "analysis/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "analysis/background.h"
#include "analysis/key_set.h"
#include "analysis/store_counting.h"
#include "analysis/store_image.h"
#include "analysis/store_image_file.h"
#include "analysis/store_moving.h"
#include "analysis/store_rests.h"
#include "analysis/store_rollup.h"
#include "analysis/store_rows.h"
#include "common/clock.h"

/* In bulk the addresses of a day, which come in the order of their digests, are to stay in memory. */
enum { CURRENT_CACHE_KB = 2048, BULK_CURRENT_CACHE_KB = 20 * 1024, DAY_CACHE_KB = 16 * 1024, BULK_CACHE_KB = 64 * 1024 };

/* In bulk so many commits go into their days before those are committed: addresses lie all over a day, and each of their pages
 * is written once for all of them. */
enum { BULK_COMMITS = 8 };

struct day {
	store_day day;
	struct store_rows *rows;	/* NULL: the place is free */
	uint64_t used;			/* when last, in turns */
	bool is_begun;			/* a transaction */
	uint64_t last_us;		/* the last that it puts was seen; 0: it puts nothing */
};

/* What is under way, and how that changed since the last commit. */
struct open_keys {
	struct key_set all, added, removed;
	bool is_session;
};

struct store {
	char *directory;
	struct store_options options;
	int lock;
	struct database *current;
	/* Of what moves, until it was waited for: days, turn, unfinished, begun_count, reader, item, put. */
	struct store_moving *moving;
	struct statement *add_moving, *drop_moving, *add_open, *drop_open, *keep_state, *find_state, *keep_join_state, *add_source, *add_unfinished, *drop_unfinished, *set_input;
	struct day days[STORE_DAYS_OPEN];
	uint64_t turn;
	struct key_set unfinished, newly_unfinished;	/* days since 1970, and one more */
	struct open_keys messages, sessions;
	struct store_rests *rests;
	struct store_counting *counting;	/* NULL: days are not counted */
	struct store_image image;	/* what comes */
	unsigned begun_count;		/* commits that went into days since those were committed */
	bool has_files;			/* of images: in the directory, or perhaps */
	uint64_t moving_number;		/* of the last piece that current.db has of what commits changed */
	uint64_t started_number;	/* of the last one that was on its way */
	uint64_t dropped_number;	/* up to it current.db need not have them */
	uint64_t cleared_number;	/* and up to it, it has not */
	struct store_image_reader *reader;
	struct store_item item;		/* at hand */
	struct store_counts put;	/* of the image at hand */
	pthread_mutex_t guard;		/* of moved */
	struct {
		uint64_t number;	/* up to it they are in their days, and committed there */
		struct key_set found;	/* days that are unfinished since */
		struct store_counts counts;
	} moved;
	size_t kept_sources;		/* of the table, that current.db knows */
	bool is_out_of_memory;
	struct store_counts counts;
};

/* ---- the directory ---- */

static int make_directory(const char *directory, struct problem *problem)
{
	struct stat info;

	if (mkdir(directory, 0750) != 0 && errno != EEXIST) {
		int error = -errno;

		problem_set(problem, "cannot make the store '%s': %s", directory, strerror(-error));
		return error;
	}
	if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode)) {
		problem_set(problem, "the store '%s' is no directory", directory);
		return -ENOTDIR;
	}
	if (info.st_mode & S_IWOTH) {
		problem_set(problem, "the store '%s' can be written by everyone; make it mode 0750", directory);
		return -EPERM;
	}
	return 0;
}

static int take_lock(struct store *store, struct problem *problem)
{
	char path[STORE_PATH_SIZE], holder[32] = "";
	ssize_t length;

	if (!store_path(store->directory, "lock", path))
		return -ENAMETOOLONG;
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (store->lock < 0) {
		int error = -errno;

		problem_set(problem, "cannot write into the store '%s': %s", store->directory, strerror(-error));
		return error;
	}
	if (flock(store->lock, LOCK_EX | LOCK_NB) != 0) {
		length = pread(store->lock, holder, sizeof holder - 1, 0);
		problem_set(problem, "the store '%s' is written by another process%s%.*s", store->directory,
			    length > 0 ? ": " : "", length > 0 ? (int)strcspn(holder, "\n") : 0, holder);
		return -EBUSY;
	}
	length = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
	/* Only for whoever is refused: that it fails does no harm. */
	if (ftruncate(store->lock, 0) == 0 && pwrite(store->lock, holder, (size_t)length, 0) != length)
		return 0;
	return 0;
}

/* Readers may look in beside us; what is committed is on the disk. */
static int set_up_writing(struct database *database, unsigned cache_kb, struct problem *problem)
{
	database_set_cache(database, cache_kb);
	return database_run(database, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;",
			    problem);
}

/* One file again, that a reader opens who may not write beside it. Where one reads it just now it stays as it is. */
static void set_down_writing(struct database *database)
{
	(void)database_run(database, "PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE;", NULL);
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- current.db ---- */

static int check_current(struct store *store, struct problem *problem)
{
	int64_t tables = 0;
	int error = database_number(store->current, "SELECT count(*) FROM sqlite_schema", &tables, problem);

	if (error)
		return error;
	return tables ? store_schema_check(store->current, STORE_CURRENT, true, problem) :
			store_schema_make(store->current, STORE_CURRENT, problem);
}

static int prepare(struct store *store, struct problem *problem)
{
	struct database *current = store->current;
	int error = statement_new(&store->add_moving, current, "INSERT INTO moving(transactions, number) VALUES(?1, ?2)", problem);

	if (!error)
		error = statement_new(&store->drop_moving, current, "DELETE FROM moving WHERE number<=?1", problem);
	if (!error)
		error = statement_new(&store->add_open, current, "INSERT OR IGNORE INTO open(key, is_session) VALUES(?1, ?2)", problem);
	if (!error)
		error = statement_new(&store->keep_state, current,
				      "REPLACE INTO open(key, is_session, state) VALUES(?1, ?2, ?3)", problem);
	if (!error)
		error = statement_new(&store->keep_join_state, current, "REPLACE INTO meta(name, value) VALUES('join', ?1)", problem);
	if (!error)
		error = statement_new(&store->find_state, current, "SELECT state FROM open WHERE key=?1", problem);
	if (!error)
		error = statement_new(&store->drop_open, current, "DELETE FROM open WHERE key=?1", problem);
	if (!error)
		error = statement_new(&store->add_source, current,
				      "REPLACE INTO evidence_source(number, kind, name) VALUES(?1, ?2, ?3)", problem);
	if (!error)
		error = statement_new(&store->add_unfinished, current, "REPLACE INTO unfinished(day) VALUES(?1)", problem);
	if (!error)
		error = statement_new(&store->drop_unfinished, current, "DELETE FROM unfinished WHERE day=?1", problem);
	if (!error)
		error = statement_new(&store->set_input, current,
				      "REPLACE INTO input(kind, name, state, seen_us) VALUES(?1, ?2, ?3, ?4)", problem);
	return error;
}

static int open_current(struct store *store, struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	bool is_new;
	int error;

	if (!store_path(store->directory, STORE_CURRENT_NAME, path))
		return -ENAMETOOLONG;
	is_new = !is_there(path);
	error = database_open(&store->current, path, DATABASE_CREATE, problem);
	if (!error)
		error = check_current(store, problem);
	if (!error)
		error = set_up_writing(store->current, store->options.is_bulk ? BULK_CURRENT_CACHE_KB : CURRENT_CACHE_KB, problem);
	/* What was moved is written over by what is moved next, not with zeros before. */
	if (!error && store->options.is_bulk)
		error = database_run(store->current, "PRAGMA secure_delete=FAST", problem);
	if (!error && is_new)
		error = store_sync(store->directory);
	return error ? error : prepare(store, problem);
}

static int load_open(struct store *store, struct problem *problem)
{
	struct statement *row;
	int more, error = statement_new(&row, store->current, "SELECT key, is_session FROM open", problem);

	if (error)
		return error;
	while ((more = statement_step(row)) > 0) {
		struct open_keys *keys = statement_number(row, 1) ? &store->sessions : &store->messages;

		if (key_set_add(&keys->all, statement_number(row, 0)) < 0)
			error = -ENOMEM;
	}
	if (more < 0)
		database_explain(store->current, more, problem);
	return error ? error : more;
}

static int load_unfinished(struct store *store, struct problem *problem)
{
	struct statement *row;
	int more, error = statement_new(&row, store->current, "SELECT day FROM unfinished", problem);

	if (error)
		return error;
	while ((more = statement_step(row)) > 0)
		if (key_set_add(&store->unfinished, statement_number(row, 0) + 1) < 0)
			error = -ENOMEM;
	if (more < 0)
		database_explain(store->current, more, problem);
	return error ? error : more;
}

/* ---- days ---- */

static void close_day(struct day *day)
{
	if (!day->rows)
		return;
	set_down_writing(store_rows_database(day->rows));
	store_rows_close(day->rows);
	day->rows = NULL;
	day->is_begun = false;
}

static int open_day(struct store *store, struct day *day, store_day number, struct problem *problem)
{
	char path[STORE_PATH_SIZE];
	bool is_new;
	int error;

	if (!store_day_path(store->directory, number, path))
		return -ENAMETOOLONG;
	is_new = !is_there(path);
	error = store_rows_open(&day->rows, path, DATABASE_CREATE, store->options.sources, NULL, problem);
	if (error)
		return error;
	day->day = number;
	error = set_up_writing(store_rows_database(day->rows), store->options.is_bulk ? BULK_CACHE_KB : DAY_CACHE_KB, problem);
	if (!error && is_new && !store->options.is_bulk)
		error = store_schema_index(store_rows_database(day->rows), problem);
	if (!error && store->options.is_bulk)
		error = store_rows_hold(day->rows);
	if (!error && is_new)
		error = store_sync(store->directory);
	if (error)
		close_day(day);
	return error;
}

static int commit_day(struct day *day, struct problem *problem)
{
	char sql[sizeof STORE_LAST_KEEP + 24];
	int error = 0;

	if (!day->is_begun)
		return 0;
	if (day->last_us) {
		(void)snprintf(sql, sizeof sql, STORE_LAST_KEEP, day->last_us);
		error = database_run(store_rows_database(day->rows), sql, problem);
	}
	day->last_us = 0;
	day->is_begun = error;
	return error ? error : store_rows_commit(day->rows, problem);
}

/* The open place of a day; the day that was not asked for longest makes room. */
static int find_day(struct store *store, store_day number, struct day **ret_day, struct problem *problem)
{
	struct day *found = &store->days[0];
	int error = 0;

	for (unsigned i = 0; i < STORE_DAYS_OPEN; i++) {
		struct day *day = &store->days[i];

		if (day->rows && day->day == number) {
			found = day;
			break;
		}
		if (found->rows && (!day->rows || day->used < found->used))
			found = day;
	}
	if (!found->rows || found->day != number) {
		error = commit_day(found, problem);
		close_day(found);
		if (!error)
			error = open_day(store, found, number, problem);
		if (error)
			return error;
	}
	found->used = ++store->turn;
	*ret_day = found;
	return 0;
}

static bool note_unfinished(struct store *store, store_day number)
{
	int is_new;

	pthread_mutex_lock(&store->guard);
	is_new = key_set_add(&store->moved.found, (uint64_t)number + 1);
	pthread_mutex_unlock(&store->guard);
	return is_new >= 0;
}

/* The same, to be written. */
static int find_day_to_write(struct store *store, transaction_key key, struct store_rows **ret_rows, struct problem *problem)
{
	const store_day number = store_day_of(transaction_key_time(key));
	struct day *day;
	int is_new, error = find_day(store, number, &day, problem);

	if (error)
		return error;
	*ret_rows = day->rows;
	if (day->is_begun)
		return 0;
	is_new = key_set_add(&store->unfinished, (uint64_t)number + 1);
	if (is_new < 0 || (is_new && !note_unfinished(store, number)))
		return -ENOMEM;
	error = database_begin(store_rows_database(day->rows), problem);
	/* What was counted of the day is so no longer. */
	if (!error)
		error = database_run(store_rows_database(day->rows), STORE_ROLLUP_DROP, problem);
	day->is_begun = !error;
	return error;
}

/* ---- from the image into rows ---- */

static transaction_key key_of(const struct store_item *item)
{
	switch (item->kind) {
	case STORE_ITEM_SESSION:
		return item->session.key;
	case STORE_ITEM_MESSAGE:
		return item->message.key;
	case STORE_ITEM_ATTEMPT:
		return item->name.message_key;
	case STORE_ITEM_LOGIN:
		return login_key(&item->login);
	case STORE_ITEM_GONE:
		return item->gone.key;
	case STORE_ITEM_MOVED:
		return item->moved.from.message_key;
	}
	return 0;
}

/* Their days may be two. */
static int move_attempts(struct store *store, struct store_rows *rows, const struct store_item *item, struct problem *problem)
{
	struct store_rows *into;
	int error = find_day_to_write(store, item->moved.into.message_key, &into, problem);

	return error ? error : store_move_attempts(rows, &item->moved.from, into, &item->moved.into);
}

static void note_last(struct store *store, const struct store_rows *rows, uint64_t last_us)
{
	for (unsigned i = 0; i < STORE_DAYS_OPEN; i++)
		if (store->days[i].rows == rows && store->days[i].last_us < last_us)
			store->days[i].last_us = last_us;
}

static int put_item(struct store *store, struct store_rows *rows, const struct store_item *item, struct problem *problem)
{
	switch (item->kind) {
	case STORE_ITEM_SESSION:
		store->put.sessions++;
		note_last(store, rows, item->session.end_us);
		return store_put_session(rows, &item->session);
	case STORE_ITEM_MESSAGE:
		store->put.messages++;
		note_last(store, rows, item->message.last_us);
		store->put.recipients += item->message.recipient_count;
		return store_put_message(rows, &item->message);
	case STORE_ITEM_ATTEMPT:
		store->put.attempts++;
		return store_put_attempt(rows, &item->name, &item->attempt);
	case STORE_ITEM_LOGIN:
		store->put.logins++;
		return store_put_login(rows, &item->login);
	case STORE_ITEM_GONE:
		return store_drop(rows, item->gone.level, item->gone.key);
	case STORE_ITEM_MOVED:
		return move_attempts(store, rows, item, problem);
	}
	return -EINVAL;
}

/* The reader's -EBADMSG is of the image, and that of a day's database is not. */
static int damaged_image(int error)
{
	return error == -EBADMSG ? STORE_IMAGE_DAMAGED : error;
}

static int move_chunk(void *context, unsigned char *bytes, size_t length, struct problem *problem)
{
	struct store *store = context;
	int more, error = store_image_reader_start(store->reader, bytes, length);

	if (error)
		return damaged_image(error);
	while ((more = store_image_reader_next(store->reader, &store->item)) > 0) {
		struct store_rows *rows;

		error = find_day_to_write(store, key_of(&store->item), &rows, problem);
		if (error)
			return error;
		error = put_item(store, rows, &store->item, problem);
		if (error) {
			store_rows_explain(rows, error, problem);
			return error;
		}
	}
	return damaged_image(more);
}

static int commit_days(struct store *store, struct problem *problem)
{
	int error = 0;

	for (unsigned i = 0; i < STORE_DAYS_OPEN && !error; i++)
		error = commit_day(&store->days[i], problem);
	return error;
}

static void add_counts(struct store_counts *to, const struct store_counts *from)
{
	to->sessions += from->sessions;
	to->messages += from->messages;
	to->recipients += from->recipients;
	to->attempts += from->attempts;
	to->logins += from->logins;
}

/* Days are committed behind some of them. */
static int move_image(void *context, const struct store_image *image, uint64_t number, struct problem *problem)
{
	struct store *store = context;
	const bool ends_days = ++store->begun_count == BULK_COMMITS || !store->options.is_bulk;
	int error = 0;

	store->put = (struct store_counts){ .commits = 0 };
	for (unsigned i = 0; i < image->count && !error; i++)
		error = move_chunk(store, image->chunks[i].bytes, image->chunks[i].used, problem);
	if (!error && ends_days)
		error = commit_days(store, problem);
	if (ends_days)
		store->begun_count = 0;
	if (error)
		return error;
	pthread_mutex_lock(&store->guard);
	add_counts(&store->moved.counts, &store->put);
	if (ends_days)
		store->moved.number = number;
	pthread_mutex_unlock(&store->guard);
	return 0;
}

/* What was moved meanwhile. Days that were found for it are kept by the next commit, which drops it. */
static void note_moved(struct store *store)
{
	uint64_t day;

	pthread_mutex_lock(&store->guard);
	for (size_t at = 0; (day = key_set_next(&store->moved.found, &at)) != 0;)
		if (key_set_add(&store->newly_unfinished, day) < 0)
			store->is_out_of_memory = true;
	key_set_clear(&store->moved.found);
	store->dropped_number = store->moved.number;
	add_counts(&store->counts, &store->moved.counts);
	store->moved.counts = (struct store_counts){ .commits = 0 };
	pthread_mutex_unlock(&store->guard);
}

/* What commits changed is in its days, which may have to be committed yet. */
static int wait_for_moving(struct store *store, struct problem *problem)
{
	int error = store_moving_wait(store->moving, problem);

	note_moved(store);
	return error;
}

static void roll_back(struct store *store)
{
	(void)wait_for_moving(store, NULL);
	database_rollback(store->current);
	for (unsigned i = 0; i < STORE_DAYS_OPEN; i++)
		if (store->days[i].rows) {
			store_rows_rollback(store->days[i].rows);
			store->days[i].is_begun = false;
		}
}

/* And is committed there. */
static int settle_days(struct store *store, struct problem *problem)
{
	int error = wait_for_moving(store, problem);

	if (!error)
		error = commit_days(store, problem);
	if (error)
		roll_back(store);
	else
		store->moved.number = store->dropped_number = store->started_number;
	return error;
}

/* A row lends its bytes, and not aligned: they are copied. */
static int move_row(struct store *store, struct text row, struct problem *problem)
{
	unsigned char *bytes;
	int error;

	if (!row.length)
		return store_image_file_read(store->directory, store->moving_number, move_chunk, store, problem);
	bytes = malloc(row.length + 1);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, row.start, row.length);
	error = move_chunk(store, bytes, row.length, problem);
	free(bytes);
	if (error != STORE_IMAGE_DAMAGED)
		return error;
	problem_set(problem, "'%s' holds what the last commit changed, and it is damaged", database_path(store->current));
	return -EBADMSG;
}

/* Evidence in what is moved again, and in states, has the numbers of the process that wrote it. */
static int load_sources(struct store *store, struct problem *problem)
{
	struct statement *row;
	int more, error = statement_new(&row, store->current, "SELECT number, kind, name FROM evidence_source ORDER BY number", problem);

	if (error)
		return error;
	while ((more = statement_step(row)) > 0) {
		if (source_number(store->options.sources, (enum source_kind)statement_number(row, 1), statement_text(row, 2)) !=
		    statement_number(row, 0))
			error = -EINVAL;
		store->kept_sources++;
	}
	if (more < 0)
		database_explain(store->current, more, problem);
	return error ? error : more;
}

/* Those that no commit names any more, or none came to name. */
static int sweep_images(struct store *store, struct problem *problem)
{
	int64_t first = 1, last = 0;
	int error = database_number(store->current, "SELECT coalesce(min(number), 1) FROM moving", &first, problem);

	if (!error)
		error = database_number(store->current, "SELECT coalesce(max(number), 0) FROM moving", &last, problem);
	/* What cannot be deleted now is tried again. */
	if (!error)
		(void)store_image_file_sweep(store->directory, (uint64_t)first, (uint64_t)last);
	return error;
}

/* What a process that was killed had committed, and perhaps not put into its days. */
static int move_again(struct store *store, struct problem *problem)
{
	struct statement *row;
	int more, error = sweep_images(store, problem);

	if (!error)
		error = statement_new(&row, store->current, "SELECT transactions, number FROM moving ORDER BY number", problem);
	if (error)
		return error;
	while ((more = statement_step(row)) > 0) {
		store->moving_number = store->started_number = statement_number(row, 1);
		error = move_row(store, statement_text(row, 0), problem);
		if (error) {
			statement_reset(row);
			return error;
		}
	}
	if (more < 0)
		database_explain(store->current, more, problem);
	error = more ? more : commit_days(store, problem);
	store->has_files = true;
	if (!error)
		store->moved.number = store->started_number;
	add_counts(&store->moved.counts, &store->put);
	note_moved(store);
	return error;
}

/* ---- opening and closing ---- */

int store_open(struct store **ret_store, const struct store_options *options, struct problem *problem)
{
	struct store *store = calloc(1, sizeof *store);
	int error = store ? 0 : -ENOMEM;

	if (error)
		return error;
	store->lock = -1;
	store->options = *options;
	store->sessions.is_session = true;
	store->directory = strdup(options->directory);
	store->reader = store_image_reader_new();
	pthread_mutex_init(&store->guard, NULL);
	store->moving = store_moving_new(move_image, store);
	if (options->counts_days)
		store->counting = store_counting_new(options->directory);
	if (!store->directory || !store->reader || !store->moving)
		error = -ENOMEM;
	if (!error)
		error = make_directory(store->directory, problem);
	if (!error)
		error = take_lock(store, problem);
	if (!error)
		error = open_current(store, problem);
	if (!error)
		error = load_open(store, problem);
	if (!error)
		error = store_rests_new(&store->rests, store->current, problem);
	if (!error)
		error = load_unfinished(store, problem);
	if (!error)
		error = load_sources(store, problem);
	if (!error)
		error = move_again(store, problem);
	if (error) {
		store_close(store);
		return error;
	}
	*ret_store = store;
	return 0;
}

static void open_keys_done(struct open_keys *keys)
{
	key_set_done(&keys->all);
	key_set_done(&keys->added);
	key_set_done(&keys->removed);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->moving)
		(void)settle_days(store, NULL);
	store_moving_free(store->moving);
	for (unsigned i = 0; i < STORE_DAYS_OPEN; i++)
		close_day(&store->days[i]);
	store_rests_free(store->rests);
	store_counting_free(store->counting);
	if (store->current) {
		database_rollback(store->current);
		set_down_writing(store->current);
	}
	database_close(store->current);
	open_keys_done(&store->messages);
	open_keys_done(&store->sessions);
	key_set_done(&store->unfinished);
	key_set_done(&store->newly_unfinished);
	key_set_done(&store->moved.found);
	pthread_mutex_destroy(&store->guard);
	store_image_done(&store->image);
	store_image_reader_free(store->reader);
	if (store->lock >= 0)
		(void)close(store->lock);
	free(store->directory);
	free(store);
}

static int begin(struct store *store, struct problem *problem)
{
	return database_is_in_transaction(store->current) ? 0 : database_begin(store->current, problem);
}

/* ---- what comes ---- */

static void note_open(struct store *store, struct open_keys *keys, transaction_key key)
{
	int is_new = key_set_add(&keys->all, key);

	if (is_new < 0 || (is_new && key_set_add(&keys->added, key) < 0))
		store->is_out_of_memory = true;
	(void)key_set_remove(&keys->removed, key);
}

static void note_ended(struct store *store, struct open_keys *keys, transaction_key key)
{
	if (key_set_remove(&keys->all, key) && key_set_add(&keys->removed, key) < 0)
		store->is_out_of_memory = true;
	(void)key_set_remove(&keys->added, key);
}

static void expect(struct store *store, transaction_key key)
{
	if (store->counting)
		store_counting_expect(store->counting, key);
}

static void take_attempt(void *context, const struct message *message, const struct recipient *recipient,
			 const struct attempt *attempt)
{
	struct store *store = context;
	const struct attempt_name name = { message->key, recipient->number, recipient->attempts };

	expect(store, message->key);
	store_image_add_attempt(&store->image, &name, attempt);
}

static void take_login(void *context, const struct login *login)
{
	struct store *store = context;

	if (store->counting)
		store_counting_login(store->counting, login);
	store_image_add_login(&store->image, login);
}

static void take_ended_message(void *context, const struct message *message)
{
	struct store *store = context;

	if (store->counting)
		store_counting_message(store->counting, message);
	store_image_add_message(&store->image, message);
	note_ended(store, &store->messages, message->key);
}

static void take_ended_session(void *context, const struct session *session)
{
	struct store *store = context;

	if (store->counting)
		store_counting_session(store->counting, session);
	store_image_add_session(&store->image, session);
	note_ended(store, &store->sessions, session->key);
}

static void take_changed_message(void *context, const struct message *message)
{
	struct store *store = context;

	expect(store, message->key);
	store_image_add_message(&store->image, message);
	note_open(store, &store->messages, message->key);
}

static void take_changed_session(void *context, const struct session *session)
{
	struct store *store = context;

	expect(store, session->key);
	store_image_add_session(&store->image, session);
	note_open(store, &store->sessions, session->key);
}

static void take_gone(void *context, enum fact_level level, transaction_key key, transaction_key into)
{
	struct store *store = context;

	(void)into;
	store_image_add_gone(&store->image, level, key);
	note_ended(store, level == LEVEL_SESSION ? &store->sessions : &store->messages, key);
}

static void take_moved(void *context, const struct recipient_name *from, const struct recipient_name *into)
{
	store_image_add_moved(&((struct store *)context)->image, from, into);
}

static void take_rest(void *context, const struct correlate_rest *rest)
{
	store_rests_add(((struct store *)context)->rests, rest);
}

static void give_rest(void *context, uint64_t name, const struct correlate_taker *taker)
{
	store_rests_find(((struct store *)context)->rests, name, taker);
}

static transaction_key give_rests_between(void *context, transaction_key behind, transaction_key until, const struct correlate_taker *taker)
{
	return store_rests_find_between(((struct store *)context)->rests, behind, until, taker);
}

static void drop_rest(void *context, transaction_key key)
{
	store_rests_drop(((struct store *)context)->rests, key);
}

void store_ended_sink(struct store *store, struct correlate_sink *ret_sink)
{
	*ret_sink = (struct correlate_sink){
		.attempt = take_attempt, .login = take_login, .message = take_ended_message, .session = take_ended_session,
		.gone = take_gone, .moved = take_moved, .rest = take_rest, .wake = give_rest, .wake_between = give_rests_between, .unrest = drop_rest,
		.context = store,
	};
}

void store_changed_sink(struct store *store, struct correlate_sink *ret_sink)
{
	*ret_sink = (struct correlate_sink){
		.message = take_changed_message, .session = take_changed_session, .context = store,
	};
}

static void count_message(void *context, const struct message *message)
{
	store_counting_message(context, message);
}

static void count_session(void *context, const struct session *session)
{
	store_counting_session(context, session);
}

void store_counting_sink(struct store *store, struct correlate_sink *ret_sink)
{
	*ret_sink = (struct correlate_sink){ .context = store->counting };
	if (!store->counting)
		return;
	ret_sink->message = count_message;
	ret_sink->session = count_session;
}

struct store_rollup *store_take_counted(struct store *store, store_day day)
{
	return store->counting ? store_counting_take(store->counting, day) : NULL;
}

static int run_in_current(struct store *store, struct statement *statement, struct problem *problem)
{
	int error = begin(store, problem);

	if (error)
		return error;
	error = statement_run(statement);
	if (error)
		database_explain(store->current, error, problem);
	return error;
}

int store_keep_state(struct store *store, bool is_session, transaction_key key, struct text state, struct problem *problem)
{
	statement_bind_number(store->keep_state, 1, key);
	statement_bind_number(store->keep_state, 2, is_session);
	statement_bind_bytes(store->keep_state, 3, state);
	return run_in_current(store, store->keep_state, problem);
}

int store_keep_join_state(struct store *store, struct text state, struct problem *problem)
{
	statement_bind_bytes(store->keep_join_state, 1, state);
	return run_in_current(store, store->keep_join_state, problem);
}

size_t store_pending(const struct store *store)
{
	return store->image.bytes + store_rests_pending(store->rests);
}

/* ---- inputs ---- */

int store_set_input(struct store *store, const char *kind, struct text name, struct text state, struct problem *problem)
{
	statement_bind_text(store->set_input, 1, text_of(kind));
	statement_bind_text(store->set_input, 2, name);
	statement_bind_text(store->set_input, 3, state);
	statement_bind_number(store->set_input, 4, clock_now_us());
	return run_in_current(store, store->set_input, problem);
}

int store_each_input(struct store *store, const char *kind, void (*take)(void *context, struct text name, struct text state),
		     void *context, struct problem *problem)
{
	struct statement *row;
	int more, error = statement_new(&row, store->current, "SELECT name, state FROM input WHERE kind=?1 ORDER BY name", problem);

	if (error)
		return error;
	statement_bind_text(row, 1, text_of(kind));
	while ((more = statement_step(row)) > 0)
		take(context, statement_text(row, 0), statement_text(row, 1));
	if (more < 0)
		database_explain(store->current, more, problem);
	return more;
}

/* ---- commits ---- */

static bool is_large(const struct store_image *image)
{
	return image->bytes > STORE_IMAGE_CHUNK;
}

/* A large one is in its file before current.db names it. */
static int write_image(struct store *store, struct problem *problem)
{
	if (!is_large(&store->image))
		return 0;
	store->has_files = true;
	return store_image_file_write(store->directory, store->moving_number + 1, &store->image, problem);
}

static int keep_piece(struct store *store, struct text bytes)
{
	statement_bind_bytes(store->add_moving, 1, bytes);
	statement_bind_number(store->add_moving, 2, ++store->moving_number);
	return statement_run(store->add_moving);
}

/* In place of the bytes that are in a file there are none. */
static int keep_image(struct store *store)
{
	int error = 0;

	if (is_large(&store->image))
		return keep_piece(store, TEXT_LITERAL(""));
	for (unsigned i = 0; i < store->image.count && !error; i++)
		error = keep_piece(store, (struct text){ (const char *)store->image.chunks[i].bytes, store->image.chunks[i].used });
	return error;
}

static int keep_sources(struct store *store)
{
	size_t number, count = source_count(store->options.sources);
	int error = 0;

	for (number = store->kept_sources; number < count && !error; number++) {
		statement_bind_number(store->add_source, 1, number);
		statement_bind_number(store->add_source, 2, source_kind(store->options.sources, (uint16_t)number));
		statement_bind_text(store->add_source, 3, source_name(store->options.sources, (uint16_t)number));
		error = statement_run(store->add_source);
	}
	if (!error)
		store->kept_sources = number;
	return error;
}

static int keep_open_keys(struct store *store, const struct open_keys *keys)
{
	transaction_key key;
	size_t at = 0;
	int error = 0;

	while (!error && (key = key_set_next(&keys->added, &at))) {
		statement_bind_number(store->add_open, 1, key);
		statement_bind_number(store->add_open, 2, keys->is_session);
		error = statement_run(store->add_open);
	}
	at = 0;
	while (!error && (key = key_set_next(&keys->removed, &at))) {
		statement_bind_number(store->drop_open, 1, key);
		error = statement_run(store->drop_open);
	}
	return error;
}

static int keep_unfinished(struct store *store)
{
	uint64_t day;
	size_t at = 0;
	int error = 0;

	while (!error && (day = key_set_next(&store->newly_unfinished, &at))) {
		statement_bind_number(store->add_unfinished, 1, day - 1);
		error = statement_run(store->add_unfinished);
	}
	return error;
}

static void forget_changes(struct open_keys *keys)
{
	key_set_clear(&keys->added);
	key_set_clear(&keys->removed);
}

static int drop_moved(struct store *store)
{
	statement_bind_number(store->drop_moving, 1, store->dropped_number);
	return statement_run(store->drop_moving);
}

/* All that changed, in one transaction; what the commit before changed may be on its way. */
static int commit_current(struct store *store, struct problem *problem)
{
	int error = begin(store, problem);

	if (error)
		return error;
	error = drop_moved(store);
	if (!error)
		error = keep_image(store);
	if (!error)
		error = keep_sources(store);
	if (!error)
		error = keep_open_keys(store, &store->messages);
	if (!error)
		error = keep_open_keys(store, &store->sessions);
	if (!error)
		error = keep_unfinished(store);
	if (!error)
		error = store_rests_keep(store->rests);
	if (error)
		database_explain(store->current, error, problem);
	return error ? error : database_commit(store->current, problem);
}

static bool has_changes(const struct store *store)
{
	return !store_image_is_empty(&store->image) || database_is_in_transaction(store->current) || store->messages.added.count ||
	       store->messages.removed.count || store->sessions.added.count || store->sessions.removed.count ||
	       store->newly_unfinished.count || store->dropped_number > store->cleared_number || store_rests_has_changes(store->rests);
}

static int commit_changes(struct store *store, struct problem *problem)
{
	int error = write_image(store, problem);

	if (!error)
		error = commit_current(store, problem);
	/* What moving adds is kept by the next commit, and found by moving again before it. */
	key_set_clear(&store->newly_unfinished);
	if (error)
		return error;
	store_rests_kept(store->rests);
	store->cleared_number = store->dropped_number;
	/* What cannot be deleted now is tried again. */
	if (store->has_files)
		(void)store_image_file_sweep(store->directory, store->dropped_number + 1, store->moving_number);
	store->started_number = store->moving_number;
	error = store_moving_add(store->moving, &store->image, store->moving_number, problem);
	if (!error && !store->options.is_bulk)
		error = wait_for_moving(store, problem);
	store->counts.commits += !error;
	return error;
}

int store_commit(struct store *store, struct problem *problem)
{
	int error = 0;

	if (store->image.has_failed || store->is_out_of_memory) {
		problem_set(problem, "no memory for what goes into the store '%s'", store->directory);
		error = -ENOMEM;
	}
	if (!error)
		note_moved(store);
	if (!error && has_changes(store))
		error = commit_changes(store, problem);
	if (error) {
		roll_back(store);
		return error;
	}
	forget_changes(&store->messages);
	forget_changes(&store->sessions);
	return 0;
}

/* ---- what was under way ---- */

/* Lent until the next call. */
static struct text state_of(struct store *store, transaction_key key)
{
	statement_reset(store->find_state);
	statement_bind_number(store->find_state, 1, key);
	return statement_step(store->find_state) > 0 ? statement_text(store->find_state, 0) : TEXT_NONE;
}

static int restore_session(struct store *store, const struct store_restorer *restorer, struct store_rows *rows, transaction_key key)
{
	struct pool *pool = pool_new();
	struct session session;
	int found = pool ? store_get_session(rows, key, pool, &session) : -ENOMEM;

	if (found > 0 && restorer->session)
		restorer->session(restorer->context, &session, state_of(store, key));
	if (found == 0)
		note_ended(store, &store->sessions, key);
	pool_free(pool);
	return found < 0 ? found : 0;
}

static int restore_message(struct store *store, const struct store_restorer *restorer, struct store_rows *rows, transaction_key key)
{
	struct pool *pool = pool_new();
	struct message message;
	int found = pool ? store_get_message(rows, key, false, pool, &message) : -ENOMEM;

	if (found > 0 && restorer->message)
		restorer->message(restorer->context, &message, state_of(store, key));
	if (found == 0)
		note_ended(store, &store->messages, key);
	pool_free(pool);
	return found < 0 ? found : 0;
}

static int compare_keys(const void *a, const void *b)
{
	transaction_key left = *(const transaction_key *)a, right = *(const transaction_key *)b;

	return (left > right) - (left < right);
}

/* In their order, so that one day after the other is opened. */
static transaction_key *sorted_keys(const struct key_set *set)
{
	transaction_key *keys = malloc((set->count + 1) * sizeof *keys), key;
	size_t at = 0, count = 0;

	while (keys && (key = key_set_next(set, &at)))
		keys[count++] = key;
	if (count)
		qsort(keys, count, sizeof *keys, compare_keys);
	return keys;
}

/* Its file may have been deleted. */
static bool has_day(const struct store *store, store_day number)
{
	char path[STORE_PATH_SIZE];

	return store_day_path(store->directory, number, path) && is_there(path);
}

static int restore_all(struct store *store, const struct open_keys *open, const struct store_restorer *restorer,
		       struct problem *problem)
{
	size_t count = open->all.count;
	transaction_key *keys = sorted_keys(&open->all);
	int error = keys ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !error; i++) {
		struct day *day;

		if (!has_day(store, store_day_of(transaction_key_time(keys[i])))) {
			note_ended(store, open->is_session ? &store->sessions : &store->messages, keys[i]);
			continue;
		}
		error = find_day(store, store_day_of(transaction_key_time(keys[i])), &day, problem);
		if (error)
			break;
		error = open->is_session ? restore_session(store, restorer, day->rows, keys[i]) :
					   restore_message(store, restorer, day->rows, keys[i]);
		if (error)
			store_rows_explain(day->rows, error, problem);
	}
	free(keys);
	return error;
}

static int restore_join(struct store *store, const struct store_restorer *restorer, struct problem *problem)
{
	struct statement *row;
	int more, error = statement_new(&row, store->current, "SELECT value FROM meta WHERE name='join'", problem);

	if (error)
		return error;
	more = statement_step(row);
	if (more > 0)
		restorer->join(restorer->context, statement_text(row, 0));
	else if (more < 0)
		database_explain(store->current, more, problem);
	statement_free(row);
	return more < 0 ? more : 0;
}

int store_restore(struct store *store, const struct store_restorer *restorer, struct problem *problem)
{
	int error = wait_for_moving(store, problem);

	if (!error && restorer->join)
		error = restore_join(store, restorer, problem);
	if (!error)
		error = restore_all(store, &store->sessions, restorer, problem);
	if (!error)
		error = restore_all(store, &store->messages, restorer, problem);
	statement_reset(store->find_state);
	return error;
}

/* ---- the end of days ---- */

static int index_day(void *context, struct problem *problem)
{
	struct database *database = store_rows_database(((struct day *)context)->rows);

	return store_schema_is_indexed(database) ? 0 : store_schema_index(database, problem);
}

static int drop_unfinished(struct store *store, store_day number, struct problem *problem)
{
	int error;

	statement_bind_number(store->drop_unfinished, 1, (uint64_t)number);
	error = statement_run(store->drop_unfinished);
	if (error)
		database_explain(store->current, error, problem);
	return error;
}

/* Two at a time: a day's database is of one thread. */
static int finish_days(struct store *store, const store_day *numbers, size_t count, struct problem *problem)
{
	struct background background = { .work = NULL };
	struct problem other = { "" };
	struct day *day;
	int error = 0, failed;

	for (size_t i = 0; i < count && !error; i++) {
		error = find_day(store, numbers[i], &day, problem);
		if (!error && i + 1 < count)
			background_start(&background, index_day, day);
		else if (!error)
			error = index_day(day, problem);
	}
	failed = background_wait(&background, &other);
	if (!error && failed)
		*problem = other;
	error = error ? error : failed;
	for (size_t i = 0; i < count && !error; i++)
		error = drop_unfinished(store, numbers[i], problem);
	return error;
}

int store_settle(struct store *store, struct problem *problem)
{
	int error = store_commit(store, problem);

	if (!error)
		error = settle_days(store, problem);
	/* Nothing more is put into it soon. */
	for (unsigned i = 0; i < STORE_DAYS_OPEN; i++)
		if (!error && store->days[i].rows)
			store_rows_relax(store->days[i].rows, DAY_CACHE_KB);
	return error;
}

/* After a bulk most of current.db is room for what was on its way. A store would do with that. */
static void give_room_back(struct store *store)
{
	int64_t free_pages = 0, pages = 0;

	if (database_number(store->current, "PRAGMA freelist_count", &free_pages, NULL) == 0 &&
	    database_number(store->current, "PRAGMA page_count", &pages, NULL) == 0 && free_pages > pages / 2)
		(void)database_run(store->current, "VACUUM", NULL);
}

int store_finish(struct store *store, struct problem *problem)
{
	size_t count;
	uint64_t *days = NULL;
	int error = store_settle(store, problem);

	count = store->unfinished.count;
	if (!error && !(days = sorted_keys(&store->unfinished)))
		error = -ENOMEM;
	for (size_t i = 0; i < count && !error; i += 2) {
		const store_day pair[] = { (store_day)(days[i] - 1), i + 1 < count ? (store_day)(days[i + 1] - 1) : 0 };

		error = finish_days(store, pair, i + 1 < count ? 2 : 1, problem);
	}
	free(days);
	/* All that was committed is in its days. */
	if (!error)
		error = database_run(store->current, "DELETE FROM moving", problem);
	store->cleared_number = error ? store->cleared_number : store->moving_number;
	if (!error && store->has_files)
		store->has_files = store_image_file_sweep(store->directory, store->moving_number + 1, UINT64_MAX) != 0;
	if (!error && store->options.is_bulk)
		give_room_back(store);
	if (!error) {
		key_set_clear(&store->unfinished);
		key_set_clear(&store->newly_unfinished);
	}
	return error;
}

int store_put_to_rest(struct store *store, struct problem *problem)
{
	int error = store_finish(store, problem);

	if (!error && store->has_files) {
		problem_set(problem, "files image-* in '%s' cannot be deleted", store->directory);
		error = -EIO;
	}
	for (unsigned i = 0; i < STORE_DAYS_OPEN && !error; i++)
		close_day(&store->days[i]);
	return error ? error : database_run(store->current, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", problem);
}

int store_forget_rests(struct store *store, bool (*test)(const void *context, struct text bytes), const void *context,
		       struct problem *problem)
{
	int error = store_commit(store, problem);

	if (error)
		return error;
	error = store_rests_forget(store->rests, test, context);
	if (error)
		database_explain(store->current, error, problem);
	return error;
}

/* ---- what is too old or too much ---- */

static uint64_t size_of(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

static void forget_day(struct store *store, struct open_keys *keys, store_day number)
{
	transaction_key key, *all = sorted_keys(&keys->all);
	size_t count = keys->all.count;

	if (!all)
		store->is_out_of_memory = true;
	for (size_t i = 0; all && i < count; i++) {
		key = all[i];
		if (store_day_of(transaction_key_time(key)) == number)
			note_ended(store, keys, key);
	}
	free(all);
}

static int delete_day(struct store *store, store_day number, struct problem *problem)
{
	static const char *const suffixes[] = { "-wal", "-shm", "" };
	char path[STORE_PATH_SIZE], file[STORE_PATH_SIZE + 8];
	int error;

	for (unsigned i = 0; i < STORE_DAYS_OPEN; i++)
		if (store->days[i].rows && store->days[i].day == number)
			close_day(&store->days[i]);
	forget_day(store, &store->sessions, number);
	forget_day(store, &store->messages, number);
	(void)key_set_remove(&store->unfinished, (uint64_t)number + 1);
	(void)key_set_remove(&store->newly_unfinished, (uint64_t)number + 1);
	error = drop_unfinished(store, number, problem);
	if (!error && !store_day_path(store->directory, number, path))
		error = -ENAMETOOLONG;
	if (error)
		return error;
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		(void)snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
		if (unlink(file) != 0 && errno != ENOENT) {
			error = -errno;
			problem_set(problem, "cannot delete '%s': %s", file, strerror(-error));
			return error;
		}
	}
	return 0;
}

static bool is_over(store_day day, const struct store_retention *retention, uint64_t now_us)
{
	uint64_t end_us = store_day_begin(day + 1);

	return retention->keep_us && end_us < now_us && now_us - end_us > retention->keep_us;
}

int store_prune(struct store *store, const struct store_retention *retention, uint64_t now_us, unsigned *ret_days,
		struct problem *problem)
{
	store_day *days = NULL;
	size_t count = 0;
	uint64_t size = 0;
	/* What the last commit changed is in its days, so that none is made again by moving it. */
	int error = store_commit(store, problem);

	if (!error)
		error = settle_days(store, problem);
	/* And no image of theirs is left, which the next opening would put into days again. */
	if (!error)
		error = store_commit(store, problem);
	if (!error)
		error = settle_days(store, problem);
	*ret_days = 0;
	if (!error)
		error = store_days_list(store->directory, &days, &count, problem);
	/* The newest come first. */
	for (size_t i = 0; i < count && !error; i++) {
		char path[STORE_PATH_SIZE];

		size += store_day_path(store->directory, days[i], path) ? size_of(path) : 0;
		if (!is_over(days[i], retention, now_us) && (i == 0 || !retention->size || size <= retention->size))
			continue;
		error = delete_day(store, days[i], problem);
		*ret_days += !error;
	}
	free(days);
	if (!error && *ret_days)
		error = store_sync(store->directory);
	return error ? error : store_commit(store, problem);
}

void store_counts(const struct store *store, struct store_counts *ret_counts)
{
	*ret_counts = store->counts;
	ret_counts->open = store->messages.all.count + store->sessions.all.count;
}
