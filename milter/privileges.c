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

int privileges_find(const struct config *config, struct identity *ret_identity, struct problem *problem)
{
	*ret_identity = (struct identity){ .user = geteuid(), .group = getegid(), .name = config->user };
	if (geteuid() != 0 || config->user[0] == '\0')
		return 0;
	const struct passwd *entry = getpwnam(config->user);

	if (!entry) {
		problem_set(problem, "user '%.64s' is not known here: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin %.64s",
			    config->user, config->user);
		return -ENOENT;
	}
	ret_identity->is_change = entry->pw_uid != 0;
	ret_identity->user = entry->pw_uid;
	ret_identity->group = entry->pw_gid;
	return 0;
}

/* Gives a directory to the user, without following a link that someone put there. */
static int give(const char *path, const struct identity *identity)
{
	int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (descriptor < 0)
		return -errno;
	int error = fchown(descriptor, identity->user, identity->group) == 0 ? 0 : -errno;

	close(descriptor);
	return error;
}

static int make_one(const char *path, mode_t mode, const struct identity *identity)
{
	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? 0 : -errno;
	return identity->is_change ? give(path, identity) : 0;
}

/* Makes path and what is missing above it; what lies above is open to look at. */
static int make_path(const char *path, mode_t mode, const struct identity *identity, struct problem *problem)
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
		error = make_one(part, 0755, identity);
	}
	if (!error)
		error = make_one(path, mode, identity);
	if (error)
		problem_set(problem, "cannot make directory '%.200s': %s; make it and give it to the user of the milter", path,
			    strerror(-error));
	return error;
}

/* A directory of the journal: ours alone, also when it was made beforehand by root. */
static int make_journal(const char *path, const struct identity *identity, struct problem *problem)
{
	struct stat found;
	int error = make_path(path, 0750, identity, problem);

	if (error || !identity->is_change || stat(path, &found) != 0 || found.st_uid != 0)
		return error;
	error = give(path, identity);
	if (error)
		problem_set(problem, "cannot give directory '%.200s' to user '%.64s': %s", path, identity->name,
			    strerror(-error));
	return error;
}

static int make_parent(const char *file, const struct identity *identity, struct problem *problem)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t length = slash ? (size_t)(slash - file) : 0;

	if (length == 0 || length >= sizeof parent)
		return 0;
	memcpy(parent, file, length);
	parent[length] = '\0';
	return make_path(parent, 0755, identity, problem);
}

int privileges_make_directories(const struct config *config, const char *socket_path,
				const struct identity *identity, struct problem *problem)
{
	mode_t before = umask(022);
	int error = make_journal(config->front_directory, identity, problem);

	if (!error)
		error = make_journal(config->spool_directory, identity, problem);
	if (!error)
		error = make_parent(config->status_file, identity, problem);
	if (!error)
		error = make_parent(socket_path, identity, problem);
	(void)umask(before);
	return error;
}

int privileges_drop(const struct identity *identity, struct problem *problem)
{
	if (!identity->is_change)
		return 0;
	if (initgroups(identity->name, identity->group) != 0 || setgid(identity->group) != 0 ||
	    setuid(identity->user) != 0) {
		int error = errno;

		problem_set(problem, "cannot become user '%.64s': %s", identity->name, strerror(error));
		return -error;
	}
	if (setuid(0) == 0 || getuid() != identity->user || geteuid() != identity->user || getgid() != identity->group) {
		problem_set(problem, "user '%.64s' could become root again; not starting so", identity->name);
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
