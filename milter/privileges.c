/* privileges.c - what only root may do at the start, and how to stop being root. */
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int privileges_find(const struct config *config, struct account *ret_account, struct problem *problem)
{
	*ret_account = (struct account){ .user = geteuid(), .group = getegid(), .name = config->user };
	if (geteuid() != 0 || config->user[0] == '\0')
		return 0;
	const struct passwd *entry = getpwnam(config->user);

	if (!entry) {
		problem_set(problem, "user '%.64s' is not known here: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin %.64s",
			    config->user, config->user);
		return -ENOENT;
	}
	ret_account->is_change = entry->pw_uid != 0;
	ret_account->user = entry->pw_uid;
	ret_account->group = entry->pw_gid;
	return 0;
}

/* Gives a directory to the user, without following a link that someone put there. */
static int give(const char *path, const struct account *account)
{
	int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (descriptor < 0)
		return -errno;
	int error = fchown(descriptor, account->user, account->group) == 0 ? 0 : -errno;

	close(descriptor);
	return error;
}

static int make_one(const char *path, mode_t mode, const struct account *account)
{
	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? 0 : -errno;
	return account->is_change ? give(path, account) : 0;
}

/* Makes path and what is missing above it; what lies above is open to look at. */
static int make_path(const char *path, mode_t mode, const struct account *account, struct problem *problem)
{
	char part[PATH_MAX];
	int error = 0;

	if (strlen(path) >= sizeof part)
		return -ENAMETOOLONG;
	for (size_t length = 1; path[length] && !error; length++) {
		if (path[length] != '/' || path[length - 1] == '/')
			continue;
		memcpy(part, path, length);
		part[length] = '\0';
		error = make_one(part, 0755, account);
	}
	if (!error)
		error = make_one(path, mode, account);
	if (error)
		problem_set(problem, "cannot make directory '%.200s': %s; make it and give it to the user of the milter", path,
			    strerror(-error));
	return error;
}

/* A directory of the journal: ours alone, also when it was made beforehand by root. */
static int make_journal(const char *path, const struct account *account, struct problem *problem)
{
	struct stat found;
	int error = make_path(path, 0750, account, problem);

	if (error || !account->is_change || stat(path, &found) != 0 || found.st_uid != 0)
		return error;
	error = give(path, account);
	if (error)
		problem_set(problem, "cannot give directory '%.200s' to user '%.64s': %s", path, account->name,
			    strerror(-error));
	return error;
}

static int make_parent(const char *file, const struct account *account, struct problem *problem)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t length = slash ? (size_t)(slash - file) : 0;

	if (length == 0 || length >= sizeof parent)
		return 0;
	memcpy(parent, file, length);
	parent[length] = '\0';
	return make_path(parent, 0755, account, problem);
}

int privileges_make_directories(const struct config *config, const char *socket_path,
				const struct account *account, struct problem *problem)
{
	mode_t before = umask(022);
	int error = make_journal(config->front_directory, account, problem);

	if (!error)
		error = make_journal(config->spool_directory, account, problem);
	if (!error)
		error = make_parent(config->status_file, account, problem);
	if (!error)
		error = make_parent(socket_path, account, problem);
	(void)umask(before);
	return error;
}

int privileges_drop(const struct account *account, struct problem *problem)
{
	if (!account->is_change)
		return 0;
	if (initgroups(account->name, account->group) != 0 || setgid(account->group) != 0 ||
	    setuid(account->user) != 0) {
		int error = errno;

		problem_set(problem, "cannot become user '%.64s': %s", account->name, strerror(error));
		return -error;
	}
	if (setuid(0) == 0 || getuid() != account->user || geteuid() != account->user || getgid() != account->group) {
		problem_set(problem, "user '%.64s' could become root again; not starting so", account->name);
		return -EPERM;
	}
	return 0;
}

void privileges_raise_files(unsigned long wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_max < wanted && geteuid() == 0)
		limit.rlim_max = wanted;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return;
	/* Not even root gets more than the kernel's own limit. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}
