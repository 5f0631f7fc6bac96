/* store_dictionary.c - numbers for texts, with a small memory of those that were met last. */
#include "analysis/store_dictionary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/match.h"
#include "analysis/sorted_texts.h"
#include "analysis/store_texts.h"

/* Who writes, and who reads much, meets the same texts again and again; who looks up a key reads few, in many databases. */
enum { BY_TEXT = 32 * 1024, BY_NUMBER = 16 * 1024, SLOTS_FIRST = 256, SLOTS_GROWTH = 8, CACHED_MAX = 256 };
/* So many texts of one digest are told apart; what comes beyond has none of its own. */
enum { PROBES_MAX = 1000 };
/* After so many that were looked up all are read, up to so many bytes of texts. */
enum { LOOKED_UP_MAX = 16 * 1024, ALL_MAX = 32 * 1024 * 1024 };
/* So many bytes of texts are held of all dictionaries; where there are more, the database is asked as usual. */
enum { HELD_MAX = 96 * 1024 * 1024 };

struct slot {
	uint64_t number;		/* 0: empty */
	uint32_t hash, length;
	char *text;
};

struct slots {
	struct slot *slots;		/* NULL: not needed yet */
	size_t count, remembered;	/* since there are so many */
};

struct dictionary {
	bool is_counted;		/* else by digest */
	struct statement *find, *add, *read;	/* NULL: not needed yet; find: of what is counted */
	struct slots by_text, by_number;
	unsigned looked_up;		/* by number, where all are expected */
	struct sorted_texts read_all;	/* then */
	struct store_texts all;
	/* Held: all are in memory, with those that wait to be put, under their digest or right behind it. Of what is counted each text
	 * is behind its number. */
	bool is_held;
	uint32_t last_number;		/* of what is counted */
	uint32_t *waiting;		/* where they are held */
	size_t waiting_count, waiting_size;
	struct statement *put;
};

struct store_dictionaries {
	struct database *database;
	bool expects_all;
	bool may_add;
	char *lent;
	size_t lent_size;
	struct dictionary each[DICTIONARY_COUNT];
};

int store_dictionary_new(struct store_dictionaries **ret_dictionaries, struct database *database, bool may_add)
{
	struct store_dictionaries *dictionaries = calloc(1, sizeof *dictionaries);

	if (!dictionaries)
		return -ENOMEM;
	dictionaries->database = database;
	dictionaries->may_add = may_add;
	for (int i = 0; i < DICTIONARY_COUNT; i++)
		dictionaries->each[i].is_counted = store_dictionary_is_counted((enum store_dictionary)i);
	*ret_dictionaries = dictionaries;
	return 0;
}

/* A statement of which the dictionary's name is missing. */
static int need(struct store_dictionaries *dictionaries, const struct dictionary *dictionary, struct statement **statement,
		const char *before, const char *behind)
{
	enum store_dictionary which = (enum store_dictionary)(dictionary - dictionaries->each);
	char sql[128];

	if (*statement)
		return 0;
	(void)snprintf(sql, sizeof sql, "%s %s%s", before, store_dictionary_name(which), behind);
	return statement_new(statement, dictionaries->database, sql, NULL);
}

static int need_read(struct store_dictionaries *dictionaries, struct dictionary *dictionary)
{
	return need(dictionaries, dictionary, &dictionary->read, "SELECT text FROM", " WHERE id=?1");
}

static int need_add(struct store_dictionaries *dictionaries, struct dictionary *dictionary)
{
	return need(dictionaries, dictionary, &dictionary->add, "INSERT OR IGNORE INTO", "(text, id) VALUES(?1, ?2)");
}

static void empty(struct slots *slots)
{
	for (size_t i = 0; i < slots->count; i++)
		free(slots->slots[i].text);
	free(slots->slots);
	*slots = (struct slots){ .slots = NULL };
}

static void let_go(struct dictionary *dictionary)
{
	store_texts_done(&dictionary->all);
	free(dictionary->waiting);
	dictionary->waiting = NULL;
	dictionary->waiting_count = dictionary->waiting_size = 0;
	dictionary->is_held = false;
}

void store_dictionary_forget(struct store_dictionaries *dictionaries)
{
	for (int i = 0; i < DICTIONARY_COUNT; i++) {
		empty(&dictionaries->each[i].by_text);
		empty(&dictionaries->each[i].by_number);
		let_go(&dictionaries->each[i]);
		sorted_texts_done(&dictionaries->each[i].read_all);
	}
}

void store_dictionary_expect_all(struct store_dictionaries *dictionaries)
{
	dictionaries->expects_all = true;
}

void store_dictionary_free(struct store_dictionaries *dictionaries)
{
	if (!dictionaries)
		return;
	store_dictionary_forget(dictionaries);
	free(dictionaries->lent);
	free(dictionaries);
}

/* FNV-1a, its upper bits folded in: the slot is taken from the lower ones. */
static uint32_t hash_of(struct text text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.length; i++)
		hash = (hash ^ (unsigned char)text.start[i]) * 0x100000001b3;
	return (uint32_t)(hash ^ hash >> 32);
}

/* The same of texts that differ in the case of their letters only. */
static uint64_t digest_of(struct text text)
{
	uint64_t hash = 0xcbf29ce484222325;
	uint32_t digest;

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.start[i];

		hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 0x100000001b3;
	}
	/* Four bytes of a row, without a sign. */
	digest = (uint32_t)(hash ^ hash >> 32) & INT32_MAX;
	return digest ? digest : 1;
}

/* The usual form, in which nearly all come: it stands for itself. */
static bool is_of_digits(struct text text)
{
	size_t i = 0;

	while (i < text.length && ((unsigned char)(text.start[i] - '0') < 10 || text.start[i] == '.'))
		i++;
	return i == text.length;
}

uint64_t store_dictionary_first(enum store_dictionary which, struct text text)
{
	char form[NETWORK_ADDRESS_SIZE];

	if (which == DICTIONARY_IP && !is_of_digits(text) && network_address(text, form))
		text = text_of(form);
	return digest_of(text);
}



static struct slot *slot_at(struct slots *slots, uint64_t place)
{
	return slots->count ? &slots->slots[place % slots->count] : NULL;
}

/* More of them, where those that there are have come to be used. What they held is met again. */
static void make_room(struct slots *slots, size_t count_max)
{
	size_t count = slots->count ? slots->count * SLOTS_GROWTH : SLOTS_FIRST;

	if (slots->count && (slots->remembered < slots->count || slots->count >= count_max))
		return;
	empty(slots);
	slots->count = count < count_max ? count : count_max;
	slots->slots = calloc(slots->count, sizeof *slots->slots);
	if (!slots->slots)
		slots->count = 0;
}

/* Without memory it is asked for again the next time. */
static void remember(struct slots *slots, size_t count_max, uint64_t place, uint64_t number, uint32_t hash, struct text text)
{
	struct slot *slot;
	char *copy;

	if (text.length > CACHED_MAX)
		return;
	make_room(slots, count_max);
	slot = slot_at(slots, place);
	copy = slot ? malloc(text.length + 1) : NULL;
	if (!copy)
		return;
	if (text.length)
		memcpy(copy, text.start, text.length);
	free(slot->text);
	*slot = (struct slot){ number, hash, (uint32_t)text.length, copy };
	slots->remembered++;
}

static int find_counted(struct store_dictionaries *dictionaries, struct dictionary *dictionary, struct text text,
			uint64_t *ret_number)
{
	int more = need(dictionaries, dictionary, &dictionary->find, "SELECT id FROM", " WHERE text=?1");

	if (more)
		return more;
	statement_bind_text(dictionary->find, 1, text);
	more = statement_step(dictionary->find);
	if (more <= 0)
		return more;
	*ret_number = statement_number(dictionary->find, 0);
	statement_reset(dictionary->find);
	return 0;
}

static int add_counted(struct store_dictionaries *dictionaries, struct dictionary *dictionary, struct text text,
		       uint64_t *ret_number)
{
	int error = find_counted(dictionaries, dictionary, text, ret_number);

	if (error || *ret_number || !dictionaries->may_add)
		return error;
	error = need_add(dictionaries, dictionary);
	if (error)
		return error;
	statement_clear(dictionary->add);
	statement_bind_text(dictionary->add, 1, text);
	error = statement_run(dictionary->add);
	if (!error)
		*ret_number = (uint64_t)database_last_row(dictionaries->database);
	return error;
}

/* 1: it stands under the number; 0: another does; -ENOENT: none does. */
static int is_under(struct store_dictionaries *dictionaries, struct dictionary *dictionary, uint64_t number, struct text text)
{
	int more = need_read(dictionaries, dictionary);

	if (more)
		return more;
	statement_bind_number(dictionary->read, 1, number);
	more = statement_step(dictionary->read);
	if (more <= 0)
		return more ? more : -ENOENT;
	more = text_equal(statement_text(dictionary->read, 0), text);
	statement_reset(dictionary->read);
	return more;
}

/* 1: it was not there, and is now; 0: there is one under the number. */
static int add_under(struct store_dictionaries *dictionaries, struct dictionary *dictionary, uint64_t number, struct text text)
{
	int error;

	if (!dictionaries->may_add)
		return 0;
	error = need_add(dictionaries, dictionary);
	if (error)
		return error;
	statement_bind_text(dictionary->add, 1, text);
	statement_bind_number(dictionary->add, 2, number);
	error = statement_run(dictionary->add);
	return error ? error : database_changes(dictionaries->database) == 1;
}

static int add_by_digest(struct store_dictionaries *dictionaries, struct dictionary *dictionary, struct text text,
			 uint64_t *ret_number)
{
	uint64_t number = store_dictionary_first((enum store_dictionary)(dictionary - dictionaries->each), text);

	for (unsigned i = 0; i < PROBES_MAX; i++, number++) {
		int found = add_under(dictionaries, dictionary, number, text);

		if (found == 0)
			found = is_under(dictionaries, dictionary, number, text);
		if (found > 0)
			*ret_number = number;
		if (found)
			return found > 0 || found == -ENOENT ? 0 : found;
	}
	*ret_number = number - 1;
	return 0;
}

/* ---- held until they are put ---- */

int store_dictionary_hold(struct store_dictionaries *dictionaries, bool *ret_all)
{
	*ret_all = true;
	for (int i = 0; i < DICTIONARY_COUNT; i++) {
		char sql[128];
		int64_t is_used;
		int error;

		(void)snprintf(sql, sizeof sql, "SELECT EXISTS(SELECT 1 FROM %s)", store_dictionary_name((enum store_dictionary)i));
		error = database_number(dictionaries->database, sql, &is_used, NULL);
		if (error)
			return error;
		dictionaries->each[i].is_held = !is_used;
		*ret_all = *ret_all && !is_used;
	}
	return 0;
}

/* The text that is held there, and its number; absent: none is. */
static struct text held_at(const struct dictionary *dictionary, uint64_t place, uint64_t *ret_number)
{
	struct text held = store_texts_find(&dictionary->all, place);
	uint32_t number;

	*ret_number = place;
	if (!dictionary->is_counted || !held.start)
		return held;
	memcpy(&number, held.start, sizeof number);
	*ret_number = number;
	return (struct text){ held.start + sizeof number, held.length - sizeof number };
}

static int by_height(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

/* In the order of their numbers, so that they go from page to page. */
static int put_waiting(struct store_dictionaries *dictionaries, struct dictionary *dictionary)
{
	int error = need(dictionaries, dictionary, &dictionary->put, "INSERT INTO", "(text, id) VALUES(?1, ?2)");

	if (error)
		return error;
	statement_run_behind(dictionary->put);
	if (!dictionary->is_counted && dictionary->waiting_count)
		qsort(dictionary->waiting, dictionary->waiting_count, sizeof *dictionary->waiting, by_height);
	for (size_t i = 0; i < dictionary->waiting_count && !error; i++) {
		uint64_t number;

		statement_bind_text(dictionary->put, 1, held_at(dictionary, dictionary->waiting[i], &number));
		statement_bind_number(dictionary->put, 2, number);
		error = statement_run(dictionary->put);
	}
	dictionary->waiting_count = 0;
	return error;
}

int store_dictionary_put(struct store_dictionaries *dictionaries)
{
	int error = 0;

	for (int i = 0; i < DICTIONARY_COUNT && !error; i++)
		if (dictionaries->each[i].is_held)
			error = put_waiting(dictionaries, &dictionaries->each[i]);
	return error;
}

static bool make_waiting(struct dictionary *dictionary)
{
	size_t size = dictionary->waiting_size ? dictionary->waiting_size * 2 : 1024;
	uint32_t *larger;

	if (dictionary->waiting_count < dictionary->waiting_size)
		return true;
	larger = reallocarray(dictionary->waiting, size, sizeof *larger);
	if (!larger)
		return false;
	dictionary->waiting = larger;
	dictionary->waiting_size = size;
	return true;
}

/* How many bytes of one there may be beside the others. */
static size_t room_beside(const struct store_dictionaries *dictionaries, const struct dictionary *dictionary)
{
	size_t others = 0;

	for (int i = 0; i < DICTIONARY_COUNT; i++)
		if (&dictionaries->each[i] != dictionary)
			others += dictionaries->each[i].all.size;
	return others < HELD_MAX ? HELD_MAX - others : 0;
}

static bool keep_counted(struct dictionary *dictionary, uint64_t place, struct text text, size_t bytes_max)
{
	uint32_t number = dictionary->last_number + 1;
	char bytes[sizeof number + FACT_TEXT_MAX];

	if (text.length > FACT_TEXT_MAX)
		return false;
	memcpy(bytes, &number, sizeof number);
	if (text.length)
		memcpy(bytes + sizeof number, text.start, text.length);
	if (!store_texts_keep(&dictionary->all, place, (struct text){ bytes, sizeof number + text.length }, bytes_max))
		return false;
	dictionary->last_number = number;
	return true;
}

/* Its number; 0: there is no room for it. */
static uint64_t hold(const struct store_dictionaries *dictionaries, struct dictionary *dictionary, uint64_t place, struct text text)
{
	size_t bytes_max = room_beside(dictionaries, dictionary);

	if (!make_waiting(dictionary) || !(dictionary->is_counted ? keep_counted(dictionary, place, text, bytes_max) :
								     store_texts_keep(&dictionary->all, place, text, bytes_max)))
		return 0;
	dictionary->waiting[dictionary->waiting_count++] = (uint32_t)place;
	return dictionary->is_counted ? dictionary->last_number : place;
}

/* As add_counted and add_by_digest do it. 0: there is no room to hold it. */
static uint64_t number_held(struct store_dictionaries *dictionaries, enum store_dictionary which, struct text text)
{
	struct dictionary *dictionary = &dictionaries->each[which];
	uint64_t place = store_dictionary_first(which, text), number;

	for (unsigned i = 0; i < PROBES_MAX; i++, place++) {
		struct text there = held_at(dictionary, place, &number);

		if (!there.start)
			return hold(dictionaries, dictionary, place, text);
		if (text_equal(there, text))
			return number;
	}
	return dictionary->is_counted ? 0 : place - 1;
}

/* From now on as where nothing was held. */
static int stop_holding(struct store_dictionaries *dictionaries, struct dictionary *dictionary)
{
	int error = put_waiting(dictionaries, dictionary);

	let_go(dictionary);
	return error;
}

int store_dictionary_number(struct store_dictionaries *dictionaries, enum store_dictionary which, struct text text,
			    uint64_t *ret_number)
{
	struct dictionary *dictionary = &dictionaries->each[which];
	uint32_t hash;
	struct slot *slot;
	int error;

	if (dictionary->is_held) {
		*ret_number = number_held(dictionaries, which, text);
		error = *ret_number ? 0 : stop_holding(dictionaries, dictionary);
		if (error || *ret_number)
			return error;
	}
	hash = hash_of(text);
	slot = slot_at(&dictionary->by_text, hash);
	if (slot && slot->number && slot->hash == hash && text_equal(text, (struct text){ slot->text, slot->length })) {
		*ret_number = slot->number;
		return 0;
	}
	*ret_number = 0;
	error = dictionary->is_counted ? add_counted(dictionaries, dictionary, text, ret_number) :
					 add_by_digest(dictionaries, dictionary, text, ret_number);
	if (!error && *ret_number)
		remember(&dictionary->by_text, BY_TEXT, hash, *ret_number, hash, text);
	return error;
}

/* Copies what a row lends, so that the row can go. */
static int lend(struct store_dictionaries *dictionaries, struct text text, struct text *ret_text)
{
	if (text.length > dictionaries->lent_size || !dictionaries->lent) {
		char *larger = realloc(dictionaries->lent, text.length + 1);

		if (!larger)
			return -ENOMEM;
		dictionaries->lent = larger;
		dictionaries->lent_size = text.length;
	}
	if (text.length)
		memcpy(dictionaries->lent, text.start, text.length);
	*ret_text = (struct text){ dictionaries->lent, text.length };
	return 0;
}

/* ---- all of them ---- */

static int read_all(struct store_dictionaries *dictionaries, enum store_dictionary which)
{
	struct dictionary *dictionary = &dictionaries->each[which];
	struct statement *row;
	char sql[128];
	int more, error;

	(void)snprintf(sql, sizeof sql, "SELECT id, text FROM %s ORDER BY id", store_dictionary_name(which));
	error = statement_new(&row, dictionaries->database, sql, NULL);
	if (error)
		return error;
	while ((more = statement_step(row)) > 0)
		if (!sorted_texts_add(&dictionary->read_all, statement_number(row, 0), statement_text(row, 1), ALL_MAX))
			break;
	statement_free(row);
	/* Without memory they are looked up as before. */
	(void)sorted_texts_index(&dictionary->read_all);
	empty(&dictionary->by_number);
	return more < 0 ? more : 0;
}

void store_dictionary_fetch(const struct store_dictionaries *dictionaries, enum store_dictionary which, uint64_t number)
{
	sorted_texts_fetch(&dictionaries->each[which].read_all, number);
}

int store_dictionary_text(struct store_dictionaries *dictionaries, enum store_dictionary which, uint64_t number,
			  struct text *ret_text)
{
	struct dictionary *dictionary = &dictionaries->each[which];
	const struct slot *slot;
	int more, error;

	*ret_text = sorted_texts_find(&dictionary->read_all, number);
	if (ret_text->start)
		return 0;
	if (dictionary->is_held) {
		/* Where it is held is not told by the number of what is counted. */
		error = dictionary->is_counted ? put_waiting(dictionaries, dictionary) : 0;
		*ret_text = dictionary->is_counted ? TEXT_NONE : store_texts_find(&dictionary->all, number);
		if (error || ret_text->start)
			return error;
	}
	slot = slot_at(&dictionary->by_number, number);
	if (slot && number && slot->number == number) {
		*ret_text = (struct text){ slot->text, slot->length };
		return 0;
	}
	if (dictionaries->expects_all && dictionary->looked_up <= LOOKED_UP_MAX && ++dictionary->looked_up > LOOKED_UP_MAX) {
		error = read_all(dictionaries, which);
		*ret_text = sorted_texts_find(&dictionary->read_all, number);
		if (error || ret_text->start)
			return error;
	}
	error = need_read(dictionaries, dictionary);
	if (error)
		return error;
	statement_bind_number(dictionary->read, 1, number);
	more = statement_step(dictionary->read);
	if (more <= 0)
		return more;
	error = lend(dictionaries, statement_text(dictionary->read, 0), ret_text);
	statement_reset(dictionary->read);
	if (!error)
		remember(&dictionary->by_number, BY_NUMBER, number, number, 0, *ret_text);
	return error;
}

/* ---- before version 3 ---- */

bool store_dictionary_joins_forms(struct database *database)
{
	int64_t version = 0;

	return database_number(database, "PRAGMA user_version", &version, NULL) == 0 && version >= STORE_FORMS_VERSION;
}

static int note_move(struct store_dictionaries *dictionaries, struct statement *note, uint64_t id, struct text text)
{
	uint64_t number;
	int error;

	if (store_dictionary_first(DICTIONARY_IP, text) == digest_of(text))
		return 0;
	error = store_dictionary_number(dictionaries, DICTIONARY_IP, text, &number);
	if (error)
		return error;
	statement_bind_number(note, 1, id);
	statement_bind_number(note, 2, number);
	return statement_run(note);
}

/* Into temp.moved: each text whose number is not where store_dictionary_first looks for it, and the number that it gets. The
 * old number stays taken, since those behind it are found only where there is no gap. All texts are read before the first
 * new number is given. */
static int note_moves(struct database *database, struct problem *problem)
{
	struct store_dictionaries *dictionaries = NULL;
	struct statement *texts = NULL, *note = NULL;
	int error = store_dictionary_new(&dictionaries, database, true), more = 0;

	if (!error)
		error = statement_new(&texts, database, "SELECT id, text FROM temp.forms", problem);
	if (!error)
		error = statement_new(&note, database, "INSERT INTO temp.moved(id, new) VALUES(?1, ?2)", problem);
	while (!error && (more = statement_step(texts)) > 0)
		error = note_move(dictionaries, note, statement_number(texts, 0), statement_text(texts, 1));
	if (!error)
		error = more;
	if (error)
		database_explain(database, error, problem);
	statement_free(texts);
	statement_free(note);
	store_dictionary_free(dictionaries);
	return error;
}

static int move_column(struct database *database, enum fact fact, struct problem *problem)
{
	const char *level = fact_level_name(fact_table[fact].level), *name = fact_table[fact].name;
	char sql[400];

	(void)snprintf(sql, sizeof sql, "UPDATE main.[%s] AS row SET [%s]=(SELECT new FROM temp.moved WHERE moved.id=row.[%s])"
		       " WHERE [%s] IN (SELECT id FROM temp.moved)", level, name, name, name);
	return database_run(database, sql, problem);
}

int store_dictionary_join_forms(struct database *database, struct problem *problem)
{
	int64_t count = 0;
	int error = database_run(database, "CREATE TEMP TABLE forms AS SELECT id, text FROM main.ip WHERE text GLOB '*[^0-9.]*';"
				 "CREATE TEMP TABLE moved(id INTEGER PRIMARY KEY, new INTEGER NOT NULL)", problem);

	if (!error)
		error = note_moves(database, problem);
	if (!error)
		error = database_number(database, "SELECT count(*) FROM temp.moved", &count, problem);
	for (int fact = 0; fact < FACT_COUNT && !error && count; fact++)
		if (fact_table[fact].type == FACT_IP)
			error = move_column(database, (enum fact)fact, problem);
	return error ? error : database_run(database, "DROP TABLE temp.forms; DROP TABLE temp.moved", problem);
}
