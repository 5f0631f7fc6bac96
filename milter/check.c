/* check.c - "smtptrail-milter --check": configuration, socket and journal; the rest in check_*.c. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/escape.h"
#include "privileges.h"
#include "socket.h"

static unsigned errors, warnings;

void check_say(enum check_finding finding, const char *subject, const char *format, ...)
{
	static const char *const words[] = { "ok", "warning", "error" };
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	printf("%-8s %-14s ", words[finding], subject);
	escape_terminal(text_of(line), stdout);
	putchar('\n');
	/* Servers may let the next one wait. */
	(void)fflush(stdout);
	errors += finding == CHECK_ERROR;
	warnings += finding == CHECK_WARNING;
}

/* Cuts path to the directory above it; false: there is none. */
static bool to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || slash[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* The nearest directory above path, or path itself, that exists. */
static void find_existing(const char *path, char *ret_existing, size_t size)
{
	struct stat found;

	(void)snprintf(ret_existing, size, "%s", path);
	while (stat(ret_existing, &found) != 0 && to_parent(ret_existing))
		continue;
}

static bool is_usable(const char *directory)
{
	return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Whether every directory above the socket lets others pass: the MTA runs as another user. */
static bool is_passable(const char *path, char *ret_blocked, size_t size)
{
	struct stat found;

	(void)snprintf(ret_blocked, size, "%s", path);
	while (to_parent(ret_blocked))
		if (stat(ret_blocked, &found) == 0 && !(found.st_mode & (S_IXOTH | S_IXGRP)))
			return false;
	return true;
}

static void check_local_socket(const struct config *config, const char *path, bool as_root)
{
	static const char chroot_directory[] = "/var/spool/postfix/";
	char directory[PATH_MAX], existing[PATH_MAX];
	unsigned before = errors + warnings;

	(void)snprintf(directory, sizeof directory, "%s", path);
	(void)to_parent(directory);
	find_existing(directory, existing, sizeof existing);
	if (strcmp(directory, existing) != 0 && !as_root)
		check_say(CHECK_ERROR, "socket", "directory '%s' does not exist: make it, or start as root, which makes it", directory);
	else if (!is_usable(existing) && !as_root)
		check_say(CHECK_ERROR, "socket", "this user cannot write in '%s': give it to the user, or choose another socket", existing);
	if (!is_passable(path, existing, sizeof existing))
		check_say(CHECK_WARNING, "socket", "nobody but its owner can pass '%s': the MTA will not reach the socket; chmod a+x it", existing);
	if (config->socket_group[0] && !getgrnam(config->socket_group))
		check_say(CHECK_ERROR, "socket", "socket_group '%s' is no group of this machine: create it, or name another", config->socket_group);
	if (!config->socket_group[0] && !(config->socket_mode & S_IWOTH))
		check_say(CHECK_WARNING, "socket", "only the milter's own user and group may connect: set socket_group to the MTA's group, such as postfix");
	if (access(chroot_directory, F_OK) == 0 && strncmp(path, chroot_directory, sizeof chroot_directory - 1) != 0)
		check_say(CHECK_WARNING, "socket", "a Postfix whose smtpd is chrooted, as Debian's is, does not see '%s': choose a path below %s, or inet",
			  path, chroot_directory);
	if (errors + warnings == before)
		check_say(CHECK_OK, "socket", "'%s' can be made", path);
}

static void check_socket_part(const struct config *config, bool as_root)
{
	struct socket_address address;
	struct problem problem;

	if (socket_parse(&address, config->socket, &problem) != 0) {
		check_say(CHECK_ERROR, "socket", "%s", problem.text);
		return;
	}
	if (address.is_local)
		check_local_socket(config, address.path, as_root);
	if (socket_is_answered(&address)) {
		check_say(CHECK_OK, "socket", "someone answers at %s: a milter runs; Postfix: smtpd_milters = %s", config->socket,
			  address.postfix);
	} else if (!address.is_local && !socket_can_listen(&address, &problem)) {
		check_say(CHECK_ERROR, "socket", "%s", problem.text);
	} else {
		check_say(CHECK_OK, "socket", "nobody answers there yet; for Postfix: smtpd_milters = %s", address.postfix);
	}
}

/* Bytes that the segments in a directory take already. */
static uint64_t taken_bytes(const char *directory)
{
	DIR *listing = opendir(directory);
	const struct dirent *entry;
	struct stat found;
	uint64_t taken = 0;

	while (listing && (entry = readdir(listing)))
		if (fstatat(dirfd(listing), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode))
			taken += (uint64_t)found.st_blocks * 512;
	if (listing)
		closedir(listing);
	return taken;
}

static void check_room(const char *subject, const char *directory, const char *existing, uint64_t wanted,
		       const char *option)
{
	struct statfs system;

	if (statfs(existing, &system) != 0)
		return;
	uint64_t room = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize + taken_bytes(directory);

	if (room < wanted)
		check_say(CHECK_WARNING, subject, "'%s' has room for %llu MiB, %s asks for %llu: give it more, or make %s smaller", existing,
			  (unsigned long long)(room >> 20), option, (unsigned long long)(wanted >> 20), option);
}

static bool is_memory(const char *path)
{
	struct statfs system;

	return statfs(path, &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

/* Whether the directory is there, or can be made, and the user may write in it. */
static void check_directory(const char *subject, const char *directory, const char *existing, bool as_root)
{
	struct stat found;

	if (strcmp(directory, existing) != 0) {
		if (!as_root && !is_usable(existing))
			check_say(CHECK_ERROR, subject, "'%s' does not exist and this user cannot make it: make it and give it to the user, or start as root",
				  directory);
		return;
	}
	if (stat(directory, &found) != 0 || !S_ISDIR(found.st_mode))
		check_say(CHECK_ERROR, subject, "'%s' is no directory", directory);
	else if (!is_usable(directory) && !(as_root && found.st_uid == 0))
		check_say(CHECK_ERROR, subject, "this user cannot write in '%s': chown it to the user of the milter", directory);
	else if (found.st_mode & (S_IROTH | S_IWOTH | S_IXOTH))
		check_say(CHECK_WARNING, subject, "'%s' is open to everybody, and holds who wrote to whom: chmod o-rwx it", directory);
}

static void check_front(const struct config *config, bool as_root)
{
	const char *directory = config->front_directory;
	char existing[PATH_MAX];
	unsigned before = errors + warnings;

	find_existing(directory, existing, sizeof existing);
	check_directory("front", directory, existing, as_root);
	if (!is_memory(existing))
		check_say(CHECK_WARNING, "front", "'%s' is not on a tmpfs: mail may wait for the disk; choose a directory below /run or /dev/shm",
			  directory);
	check_room("front", directory, existing, config->front_size, "front_size");
	if (errors + warnings == before)
		check_say(CHECK_OK, "front", "'%s' is on a tmpfs, with room", directory);
}

static void check_spool(const struct config *config, bool as_root)
{
	const char *directory = config->spool_directory;
	char existing[PATH_MAX];
	unsigned before = errors + warnings;

	find_existing(directory, existing, sizeof existing);
	check_directory("spool", directory, existing, as_root);
	if (is_memory(existing))
		check_say(CHECK_WARNING, "spool", "'%s' is on a tmpfs: a power cut loses what Redis has not; choose a directory on a disk", directory);
	check_room("spool", directory, existing, config->spool_size, "spool_size");
	if (errors + warnings == before)
		check_say(CHECK_OK, "spool", "'%s' can be written, with room", directory);
}

static void check_status_file(const struct config *config, bool as_root)
{
	char existing[PATH_MAX];

	if (!config->status_file[0])
		return;
	find_existing(config->status_file, existing, sizeof existing);
	if (strcmp(existing, config->status_file) == 0)
		(void)to_parent(existing);
	if (as_root || is_usable(existing))
		check_say(CHECK_OK, "status", "'%s' can be written", config->status_file);
	else
		check_say(CHECK_ERROR, "status", "this user cannot write '%s': give the directory to the user, or change status_file",
			  config->status_file);
}

/* Goes on as the user that the milter will be, for this process only. */
static bool become(const struct account *account)
{
	return !account->is_change ||
	       (initgroups(account->name, account->group) == 0 && setegid(account->group) == 0 &&
		seteuid(account->user) == 0);
}

int check_run(const char *file)
{
	bool as_root = geteuid() == 0;
	struct config *config;
	struct account account;
	struct problem problem;

	if (config_read(&config, file, &problem) != 0) {
		check_say(CHECK_ERROR, "configuration", "%s", problem.text);
		return 2;
	}
	check_say(CHECK_OK, "configuration", "%s", file ? file : "no file: the defaults");
	if (privileges_find(config, &account, &problem) != 0)
		check_say(CHECK_ERROR, "user", "%s", problem.text);
	else if (!become(&account))
		check_say(CHECK_ERROR, "user", "cannot become '%s': %s", config->user, strerror(errno));
	else if (as_root && !account.is_change)
		check_say(CHECK_WARNING, "user", "the milter will stay root: set user");
	check_socket_part(config, as_root);
	check_front(config, as_root);
	check_spool(config, as_root);
	check_status_file(config, as_root);
	check_dns(config);
	check_redis(config);
	if (errors || warnings)
		printf("%u errors, %u warnings\n", errors, warnings);
	config_release(config);
	return errors ? 2 : 0;
}
