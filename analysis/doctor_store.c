/* doctor_store.c - whether there is a store that can be read, how old its newest is, and whether its disk has room. */
#include "analysis/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "analysis/database.h"
#include "analysis/store_days.h"
#include "analysis/store_schema.h"

enum { SECOND = 1000000, SILENCE_SECONDS = 24 * 3600, ROOM_PERCENT = 5 };

static void check_room(struct doctor *doctor)
{
	struct statvfs room;

	if (statvfs(doctor->config->store, &room) != 0 || room.f_blocks == 0)
		return;
	if (room.f_bavail * 100 / room.f_blocks < ROOM_PERCENT)
		doctor_say(doctor, DOCTOR_WARNING, "store", "smtptrail store prune --help, or give it a larger disk",
			   "its file system has %d %% left", (int)(room.f_bavail * 100 / room.f_blocks));
}

static void check_age(struct doctor *doctor, uint64_t seen_us)
{
	uint64_t now_us = (uint64_t)time(NULL) * SECOND, age_s = now_us > seen_us ? (now_us - seen_us) / SECOND : 0;

	if (!seen_us)
		doctor_say(doctor, DOCTOR_WARNING, "store", "systemctl start smtptrail-ingest, or run smtptrail ingest", "'%s' is empty",
			   doctor->config->store);
	else if (age_s > SILENCE_SECONDS)
		doctor_say(doctor, DOCTOR_WARNING, "store", "systemctl status smtptrail-ingest: is it running?",
			   "nothing has come into '%s' for %" PRIu64 " hours", doctor->config->store, age_s / 3600);
	else
		doctor_say(doctor, DOCTOR_OK, "store", "", "'%s': the last came %" PRIu64 " s ago", doctor->config->store, age_s);
}

void doctor_check_store(struct doctor *doctor)
{
	struct problem problem = { "" };
	struct database *current = NULL;
	char path[STORE_PATH_SIZE];
	int64_t seen_us = 0;
	int error;

	if (!store_path(doctor->config->store, "current.db", path) || (access(path, F_OK) != 0 && errno == ENOENT)) {
		doctor_say(doctor, DOCTOR_OK, "store", "", "there is none in '%s'; smtptrail ingest makes it", doctor->config->store);
		return;
	}
	error = database_open(&current, path, DATABASE_READ, &problem);
	if (!error)
		error = store_schema_check(current, STORE_CURRENT, false, &problem);
	if (!error)
		error = database_number(current, "SELECT coalesce(max(seen_us), 0) FROM input", &seen_us, &problem);
	if (error)
		doctor_say(doctor, error == -EACCES ? DOCTOR_WARNING : DOCTOR_ERROR, "store",
			   error == -EACCES ? "ask as root, or as a member of the store's group" : "smtptrail store check says what is not whole", "%s",
			   problem.text);
	else
		check_age(doctor, (uint64_t)seen_us);
	if (current)
		database_close(current);
	check_room(doctor);
}
