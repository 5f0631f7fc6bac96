/* store_days.c - days and their files. */
#include "analysis/store_days.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const uint64_t day_us = 86400000000;

store_day store_day_of(uint64_t time_us)
{
	return (store_day)(time_us / day_us);
}

uint64_t store_day_begin(store_day day)
{
	return (uint64_t)day * day_us;
}

void store_day_format(store_day day, char ret_name[STORE_DAY_SIZE])
{
	time_t seconds = (time_t)day * 86400;
	struct tm date;

	(void)gmtime_r(&seconds, &date);
	(void)strftime(ret_name, STORE_DAY_SIZE, "%Y-%m-%d", &date);
}

static bool day_parse(const char *name, store_day *ret_day)
{
	struct tm date = { 0 };
	char back[STORE_DAY_SIZE];
	const char *end = strptime(name, "%Y-%m-%d", &date);
	time_t seconds = timegm(&date);

	if (!end || *end != '\0' || seconds < 0)
		return false;
	*ret_day = (store_day)(seconds / 86400);
	/* The 31st of a short month is another day. */
	store_day_format(*ret_day, back);
	return strcmp(back, name) == 0;
}

bool store_path(const char *directory, const char *name, char ret_path[STORE_PATH_SIZE])
{
	return snprintf(ret_path, STORE_PATH_SIZE, "%s/%s", directory, name) < STORE_PATH_SIZE;
}

int store_sync(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		error = -errno;
	(void)close(fd);
	return error;
}

bool store_day_path(const char *directory, store_day day, char ret_path[STORE_PATH_SIZE])
{
	char name[STORE_DAY_SIZE], file[STORE_DAY_SIZE + 3];

	store_day_format(day, name);
	(void)snprintf(file, sizeof file, "%s.db", name);
	return store_path(directory, file, ret_path);
}

static bool is_file_of_day(const char *file, store_day *ret_day)
{
	char name[STORE_DAY_SIZE];

	if (strlen(file) != sizeof name - 1 + 3 || strcmp(file + sizeof name - 1, ".db") != 0)
		return false;
	memcpy(name, file, sizeof name - 1);
	name[sizeof name - 1] = '\0';
	return day_parse(name, ret_day);
}

static int newest_first(const void *a, const void *b)
{
	store_day left = *(const store_day *)a, right = *(const store_day *)b;

	return (left < right) - (left > right);
}

int store_days_list(const char *directory, store_day **ret_days, size_t *ret_count, struct problem *problem)
{
	DIR *folder = opendir(directory);
	const struct dirent *entry;
	store_day *days = NULL, day;
	size_t count = 0, size = 0;

	if (!folder) {
		int error = -errno;

		problem_set(problem, "cannot read the store '%s': %s", directory, strerror(-error));
		return error;
	}
	while ((entry = readdir(folder))) {
		if (!is_file_of_day(entry->d_name, &day))
			continue;
		if (count == size) {
			store_day *larger = reallocarray(days, size = size ? size * 2 : 64, sizeof *days);

			if (!larger) {
				free(days);
				(void)closedir(folder);
				return -ENOMEM;
			}
			days = larger;
		}
		days[count++] = day;
	}
	(void)closedir(folder);
	if (count)
		qsort(days, count, sizeof *days, newest_first);
	*ret_days = days;
	*ret_count = count;
	return 0;
}

void store_days_drop_empty(const char *directory, store_day *days, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		char path[STORE_PATH_SIZE];
		struct stat info;

		if (!store_day_path(directory, days[i], path) || stat(path, &info) != 0 || info.st_size > 0)
			days[kept++] = days[i];
	}
	*count = kept;
}
