/*
 * store_days.h - names of the store's files: current.db, and YYYY-MM-DD.db for each day in UTC.
 *
 * Threads: any; no state.
 */
#ifndef SMTPTRAIL_STORE_DAYS_H
#define SMTPTRAIL_STORE_DAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/problem.h"

#define STORE_CURRENT_NAME "current.db"

enum { STORE_DAY_SIZE = 11, STORE_PATH_SIZE = 4096 };

/* Days since 1970-01-01. */
typedef int32_t store_day;

store_day store_day_of(uint64_t time_us);
uint64_t store_day_begin(store_day day);			/* its first microsecond */
void store_day_format(store_day day, char ret_name[STORE_DAY_SIZE]);	/* "2026-11-21" */

/* "DIRECTORY/2026-11-21.db"; false: too long. */
bool store_day_path(const char *directory, store_day day, char ret_path[STORE_PATH_SIZE]);
bool store_path(const char *directory, const char *name, char ret_path[STORE_PATH_SIZE]);
/* So that a file that was made is there after a power cut. 0 or -errno. */
int store_sync(const char *directory);

/* The days that the directory has a file of, the newest first; to free. 0 or -errno. */
int store_days_list(const char *directory, store_day **ret_days, size_t *ret_count, struct problem *problem);

/* Drops those whose file has no byte: made, but the disk was full, or a kill came, before anything was in it. */
void store_days_drop_empty(const char *directory, store_day *days, size_t *count);

#endif
