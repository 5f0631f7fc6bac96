/*
 * test_journal_full.c - a journal on file systems that are really full: a small tmpfs and a small ext4.
 *
 * Needs the right to mount. It mounts in a name space of its own, which goes away with the process,
 * and skips (77) with a word where it may not.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "tests/unit/journal_rooms.h"

static char base[100], front_root[120], spool_root[120], image[120];

static bool make_image(void)
{
	char command[800];

	(void)snprintf(command, sizeof command, "PATH=$PATH:/sbin:/usr/sbin; truncate -s 8M '%s' && "
		       "mkfs.ext4 -q -O ^has_journal -m 0 '%s'", image, image);
	return system(command) == 0;
}

static bool mount_image(void)
{
	char command[800];

	(void)snprintf(command, sizeof command,
		       "PATH=$PATH:/sbin:/usr/sbin; mount -o loop '%s' '%s' 2>/dev/null", image, spool_root);
	return system(command) == 0;
}

static const char *mount_both(void)
{
	(void)snprintf(base, sizeof base, "%s/smtptrail-full.XXXXXX", rooms_disk());
	if (!mkdtemp(base))
		return "no temporary directory";
	(void)snprintf(front_root, sizeof front_root, "%s/front", base);
	(void)snprintf(spool_root, sizeof spool_root, "%s/spool", base);
	(void)snprintf(image, sizeof image, "%s/image", base);
	(void)mkdir(front_root, 0700);
	(void)mkdir(spool_root, 0700);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return "mounting is not permitted (root is needed)";
	if (mount("smtptrail", front_root, "tmpfs", 0, "size=900k,mode=700") != 0)
		return "a tmpfs cannot be mounted";
	if (!make_image())
		return "mkfs.ext4 is missing or fails";
	if (!mount_image())
		return "a loop device cannot be mounted";
	return NULL;
}

static void unmount_both(void)
{
	(void)umount2(front_root, MNT_DETACH);
	(void)umount2(spool_root, MNT_DETACH);
	(void)unlink(image);
	(void)rmdir(front_root);
	(void)rmdir(spool_root);
	(void)rmdir(base);
}

/* Both rooms empty, in the full-able file systems. */
static void full_rooms(struct rooms *rooms)
{
	rooms_init_at(rooms, spool_root);
	(void)rmdir(rooms->front);
	rooms_temporary(rooms->front, sizeof rooms->front, front_root);
	rooms->options.spool_bytes = 1 << 30;
	rooms->options.front_bytes = 6 * 128 * 1024;
}

static void hog_path(char path[300], const char *root)
{
	(void)snprintf(path, 300, "%s/hog", root);
}

/* Takes all the room that is left. */
static void hog(const char *root)
{
	static char block[4096];
	char path[300];

	hog_path(path, root);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	memset(block, 'h', sizeof block);
	for (size_t size = sizeof block; size; size /= 2)
		while (write(fd, block, size) > 0)
			;
	(void)fsync(fd);
	close(fd);
	struct statvfs status;

	CHECK_NUMBER(statvfs(root, &status), 0);
	CHECK_SAYING(status.f_bavail == 0, "%llu blocks left", (unsigned long long)status.f_bavail);
}

static void let_go(const char *root)
{
	char path[300];

	hog_path(path, root);
	CHECK_NUMBER(unlink(path), 0);
}

static uint64_t fill_until_refused(struct journal *journal, uint64_t number)
{
	for (int idle = 0; idle < 3;) {
		uint64_t taken = rooms_fill(journal, number, 50, 300);

		number += taken;
		idle = taken ? 0 : idle + 1;
		(void)journal_keep(journal);
		(void)journal_prepare(journal);
	}
	return number;
}

TEST(a_full_tmpfs_refuses_without_a_sigbus_and_goes_on_when_there_is_room)
{
	struct rooms rooms;
	struct journal_gap gap = { 0 };

	full_rooms(&rooms);
	rooms.options.front_bytes = 64 << 20;	/* more than there is */
	struct journal *journal = rooms_open(&rooms);
	uint64_t number = 1 + rooms_fill(journal, 1, 100, 300);

	hog(front_root);
	/* What was prepared before is used to its last byte. */
	for (uint64_t taken = 1; taken; number += taken)
		taken = rooms_fill(journal, number, 50, 300);
	CHECK(number > 2 * 400);
	CHECK_NUMBER(rooms_append(journal, 1, 300), -ENOSPC);
	CHECK(journal_prepare(journal) != 0);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_STRING(gap.reason, "front_full");
	CHECK_NUMBER(gap.count, rooms_stat(journal).refused);
	let_go(front_root);
	CHECK_NUMBER(journal_prepare(journal), 0);
	CHECK_NUMBER(rooms_append(journal, number, 300), 0);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, number);
	CHECK_NUMBER(read.holes, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_full_disk_fills_the_front_and_loses_nothing_that_was_taken)
{
	struct rooms rooms;
	struct journal_gap gap = { 0 };

	full_rooms(&rooms);
	struct journal *journal = rooms_open(&rooms);
	uint64_t number = 1 + rooms_fill(journal, 1, 100, 300);

	CHECK_NUMBER(journal_keep(journal), 0);
	hog(spool_root);
	for (int round = 0; round < 3; round++) {
		number = fill_until_refused(journal, number);
		CHECK_NUMBER(rooms_stat(journal).keep_error, ENOSPC);
		CHECK_NUMBER(rooms_append(journal, number, 300), -ENOSPC);
		CHECK(journal_gap_take(journal, &gap));
		CHECK_STRING(gap.reason, "spool_full");
		/* Room for a few blocks: part of a segment gets through, the rest later. */
		let_go(spool_root);
		if (round < 2) {
			(void)journal_keep(journal);
			(void)journal_prepare(journal);
			number += rooms_fill(journal, number, 10, 300);
			hog(spool_root);
		}
	}
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(journal_prepare(journal), 0);
	number += rooms_fill(journal, number, 10, 300);
	struct rooms_read read = rooms_drain(journal, true);

	CHECK_NUMBER(read.count, number - 1);
	CHECK_NUMBER(read.holes, 0);
	CHECK_NUMBER(rooms_stat(journal).damaged, 0);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(the_share_that_is_left_to_others_stays_free)
{
	struct rooms rooms;
	struct statvfs status;

	full_rooms(&rooms);
	rooms.options.free_percent = 60;
	struct journal *journal = rooms_open(&rooms);

	(void)fill_until_refused(journal, 1);
	CHECK_NUMBER(rooms_stat(journal).keep_error, ENOSPC);
	CHECK_NUMBER(statvfs(spool_root, &status), 0);
	CHECK(status.f_bavail * 100 >= status.f_blocks * 59);
	CHECK(status.f_bavail * 100 <= status.f_blocks * 70);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_start_on_a_full_disk_counts_until_its_epoch_is_durable)
{
	struct rooms rooms;
	struct journal_gap gap = { 0 };

	full_rooms(&rooms);
	hog(spool_root);
	struct journal *journal = rooms_open(&rooms);

	CHECK_NUMBER(rooms_append(journal, 1, 300), -ENOSPC);
	CHECK_NUMBER(journal_keep(journal), -ENOSPC);
	CHECK_NUMBER(rooms_append(journal, 1, 300), -ENOSPC);
	let_go(spool_root);
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(rooms_append(journal, 1, 300), 0);
	CHECK(journal_gap_take(journal, &gap));
	CHECK_NUMBER(gap.count, 2);
	CHECK_STRING(gap.reason, "no_epoch");
	CHECK_NUMBER(rooms_drain(journal, true).count, 1);
	journal_close(journal);
	rooms_done(&rooms);
}

TEST(a_start_on_a_disk_full_of_what_redis_has_makes_room_for_its_epoch)
{
	struct rooms rooms;

	full_rooms(&rooms);
	rooms.options.keep_us = UINT64_C(3600) * 1000000;
	struct journal *journal = rooms_open(&rooms);
	uint64_t number = 1;

	for (int i = 0; i < 10; i++) {
		number += rooms_fill(journal, number, 400, 300);
		CHECK_NUMBER(journal_keep(journal), 0);
		CHECK_NUMBER(journal_prepare(journal), 0);
	}
	CHECK_NUMBER(rooms_drain(journal, true).count, number - 1);
	journal_close(journal);
	hog(spool_root);
	journal = rooms_open(&rooms);
	CHECK_NUMBER(rooms_append(journal, number, 300), -ENOSPC);
	CHECK_NUMBER(rooms_drain(journal, true).count, number - 1);
	CHECK_NUMBER(journal_keep(journal), 0);
	CHECK_NUMBER(rooms_append(journal, number, 300), 0);
	CHECK_NUMBER(rooms_drain(journal, true).count, 1);
	journal_close(journal);
	let_go(spool_root);
	rooms_done(&rooms);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_full_tmpfs_refuses_without_a_sigbus_and_goes_on_when_there_is_room),
		UNIT_TEST(a_full_disk_fills_the_front_and_loses_nothing_that_was_taken),
		UNIT_TEST(the_share_that_is_left_to_others_stays_free),
		UNIT_TEST(a_start_on_a_full_disk_counts_until_its_epoch_is_durable),
		UNIT_TEST(a_start_on_a_disk_full_of_what_redis_has_makes_room_for_its_epoch),
		{ NULL, NULL },
	};
	const char *why_not = mount_both();
	int status = 77;

	if (why_not)
		printf("skipped: %s\n", why_not);
	else
		status = unit_run(tests, argc, argv);
	unmount_both();
	return status;
}
