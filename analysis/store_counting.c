/* store_counting.c - a few days at a time, since logs go from day to day. */
#include "analysis/store_counting.h"

#include <stdlib.h>
#include <unistd.h>

#include "analysis/store_rollup.h"

struct counted {
	store_day day;
	bool is_used;
	struct store_rollup *rollup;	/* NULL: it is not counted */
};

struct store_counting {
	char directory[STORE_PATH_SIZE];
	struct counted days[STORE_COUNTING_DAYS];
	struct counted *last;		/* that was asked for; NULL: none yet */
	store_day dropped;		/* up to it none is begun any more */
};

struct store_counting *store_counting_new(const char *directory)
{
	struct store_counting *counting = calloc(1, sizeof *counting);

	if (counting)
		(void)snprintf(counting->directory, sizeof counting->directory, "%s", directory);
	return counting;
}

static void drop(struct store_counting *counting, struct counted *counted)
{
	store_rollup_free(counted->rollup);
	counted->rollup = NULL;
	if (counting->dropped < counted->day)
		counting->dropped = counted->day;
}

void store_counting_free(struct store_counting *counting)
{
	if (!counting)
		return;
	for (unsigned i = 0; i < STORE_COUNTING_DAYS; i++)
		store_rollup_free(counting->days[i].rollup);
	free(counting);
}

static bool is_new(const struct store_counting *counting, store_day day)
{
	char path[STORE_PATH_SIZE];

	return store_day_path(counting->directory, day, path) && access(path, F_OK) != 0;
}

/* NULL: the day has no place. */
static struct counted *find(struct store_counting *counting, store_day day)
{
	for (unsigned i = 0; i < STORE_COUNTING_DAYS; i++)
		if (counting->days[i].is_used && counting->days[i].day == day)
			return &counting->days[i];
	return NULL;
}

/* A free place, or that of the oldest day, which is to leave it. */
static struct counted *place_for(struct store_counting *counting)
{
	struct counted *oldest = &counting->days[0];

	for (unsigned i = 0; i < STORE_COUNTING_DAYS; i++) {
		if (!counting->days[i].is_used)
			return &counting->days[i];
		if (counting->days[i].day < oldest->day)
			oldest = &counting->days[i];
	}
	return oldest;
}

static struct counted *begin(struct store_counting *counting, store_day day)
{
	struct counted *counted = place_for(counting);

	/* It is older than all that are counted, and comes late. */
	if (counted->is_used && day < counted->day && counting->dropped < day)
		counting->dropped = day;
	if (day <= counting->dropped)
		return NULL;
	if (counted->is_used)
		drop(counting, counted);
	*counted = (struct counted){ .day = day, .is_used = true };
	if (is_new(counting, day))
		(void)store_rollup_new(&counted->rollup, counting->directory, day);
	return counted;
}

static struct store_rollup *rollup_of(struct store_counting *counting, transaction_key key)
{
	store_day day = store_day_of(transaction_key_time(key));

	if (!counting->last || !counting->last->is_used || counting->last->day != day) {
		counting->last = find(counting, day);
		if (!counting->last)
			counting->last = begin(counting, day);
	}
	return counting->last ? counting->last->rollup : NULL;
}

void store_counting_expect(struct store_counting *counting, transaction_key key)
{
	(void)rollup_of(counting, key);
}

/* What it came from had left when the process began. */
static bool lacks_way(const struct message *message)
{
	return !message->way && (message->parent_kind == PARENT_HOP || message->parent_kind == PARENT_NEXT_HOST);
}

/* The day that was asked for last is counted no more: its rows tell all. */
static void forget(struct store_counting *counting)
{
	store_rollup_free(counting->last->rollup);
	counting->last->rollup = NULL;
}

void store_counting_message(struct store_counting *counting, const struct message *message)
{
	struct store_rollup *rollup = rollup_of(counting, message->key);

	if (rollup && lacks_way(message))
		forget(counting);
	else if (rollup)
		store_rollup_add_message(rollup, message, message->session);
}

void store_counting_session(struct store_counting *counting, const struct session *session)
{
	struct store_rollup *rollup = rollup_of(counting, session->key);

	if (rollup)
		store_rollup_add_session(rollup, session);
}

void store_counting_login(struct store_counting *counting, const struct login *login)
{
	struct store_rollup *rollup = rollup_of(counting, login_key(login));

	if (rollup && !login->end_us)
		store_rollup_add_login(rollup, login);
	else if (rollup)
		store_rollup_add_logout(rollup, login);
}

struct store_rollup *store_counting_take(struct store_counting *counting, store_day day)
{
	struct counted *counted = find(counting, day);
	struct store_rollup *rollup = counted ? counted->rollup : NULL;

	if (counted)
		counted->rollup = NULL;
	return rollup;
}
