/* export_target.c - lines to files and to syslog servers. */
#include "analysis/export_target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/record.h"

/* Mail, informational. */
enum { PRIORITY = 2 * 8 + 6, HOST_MAX = 256, HEAD_MAX = HOST_MAX + 132, TAIL_MAX = 4096, LOOK_MS = 5, GRACE_MS = 2000 };

struct export_target {
	char *to;
	FILE *file; /* standard output, the file; of syslog memory for the line at hand */
	char *line; /* of syslog */
	size_t line_size;
	char *server, *port; /* of syslog */
	char host[HOST_MAX]; /* our own */
	int connection;	     /* -1: none */
	bool is_lost;	     /* and that was told */
	export_target_tell *tell;
	const void *context; /* of tell */
	char *window;	     /* of syslog: messages that the server's system may not have taken yet */
	size_t window_length, window_size;
};

/* ---- the connection ---- */

/* "HOST:PORT", "[::1]:514" */
static int read_address(struct export_target *target, const char *address)
{
	const char *colon = strrchr(address, ':');
	size_t length = colon ? (size_t)(colon - address) : 0;

	/* A number that is too large would be taken for another port. */
	if (!length || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strtoul(colon + 1, NULL, 10) - 1 >= UINT16_MAX)
		return -EINVAL;
	if (*address == '[' && address[length - 1] == ']') {
		address++;
		length -= 2;
	}
	target->server = strndup(address, length);
	target->port = strdup(colon + 1);
	return target->server && target->port ? 0 : -ENOMEM;
}

static int connect_one(const struct addrinfo *info)
{
	const struct timeval timeout = { .tv_sec = EXPORT_TIMEOUT_S };
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol), error;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (connect(fd, info->ai_addr, info->ai_addrlen) == 0)
		return fd;
	error = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
	(void)close(fd);
	return error;
}

static int make_connection(struct export_target *target, struct problem *problem)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int code = getaddrinfo(target->server, target->port, &hints, &found), fd = -EHOSTUNREACH;

	if (code != 0) {
		problem_set(problem, "cannot find '%s': %s", target->to, gai_strerror(code));
		return -EHOSTUNREACH;
	}
	for (const struct addrinfo *each = found; each && fd < 0; each = each->ai_next)
		fd = connect_one(each);
	freeaddrinfo(found);
	if (fd < 0) {
		problem_set(problem, "cannot reach '%s': %s", target->to, strerror(-fd));
		return fd;
	}
	target->connection = fd;
	return 0;
}

static void tell_lost(struct export_target *target, const char *why)
{
	struct problem words = { "" };

	if (!target->tell || target->is_lost)
		return;
	target->is_lost = true;
	problem_set(&words, "%s; it is tried again until it takes what is left", why);
	target->tell(target->context, words.text);
}

static void tell_back(struct export_target *target)
{
	struct problem words = { "" };

	if (!target->is_lost)
		return;
	target->is_lost = false;
	problem_set(&words, "'%s' is back", target->to);
	target->tell(target->context, words.text);
}

static void drop_connection(struct export_target *target)
{
	if (target->connection >= 0)
		(void)close(target->connection);
	target->connection = -1;
}

/* ---- opening ---- */

static int open_syslog(struct export_target *target, const char *address, struct problem *problem)
{
	int error = read_address(target, address);

	if (error == -EINVAL)
		problem_set(problem, "'%s' is not tcp:HOST:PORT", target->to);
	if (error)
		return error;
	if (gethostname(target->host, sizeof target->host - 1) != 0 || !target->host[0])
		(void)snprintf(target->host, sizeof target->host, "-");
	target->file = open_memstream(&target->line, &target->line_size);
	return target->file ? make_connection(target, problem) : -ENOMEM;
}

static int open_file(struct export_target *target, struct problem *problem)
{
	int error;

	if (strcmp(target->to, "-") == 0) {
		target->file = stdout;
		return 0;
	}
	target->file = fopen(target->to, "ae");
	if (target->file)
		return 0;
	error = -errno;
	problem_set(problem, "cannot write '%s': %s", target->to, strerror(-error));
	return error;
}

int export_target_open(struct export_target **ret_target, const char *to, struct problem *problem)
{
	struct export_target *target = calloc(1, sizeof *target);
	int error = -ENOMEM;

	if (!target)
		return error;
	target->connection = -1;
	target->to = strdup(to);
	if (target->to)
		error = strncmp(to, "tcp:", 4) == 0 ? open_syslog(target, to + 4, problem)
						    : open_file(target, problem);
	if (error)
		export_target_close(target);
	else
		*ret_target = target;
	return error;
}

void export_target_close(struct export_target *target)
{
	if (!target)
		return;
	drop_connection(target);
	if (target->file && target->file != stdout)
		(void)fclose(target->file);
	free(target->line);
	free(target->window);
	free(target->server);
	free(target->port);
	free(target->to);
	free(target);
}

bool export_target_is_syslog(const struct export_target *target)
{
	return target->server;
}

void export_target_tell_by(struct export_target *target, export_target_tell *tell, const void *context)
{
	target->tell = tell;
	target->context = context;
}

FILE *export_target_file(struct export_target *target)
{
	return target->file;
}

/* ---- a line ---- */

static int send_bytes(struct export_target *target, const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent = send(target->connection, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		bytes += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* Whether the other side has closed: a write would only tell at the next. */
static bool is_closed(const struct export_target *target)
{
	char byte;

	return target->connection < 0 || recv(target->connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* The message at hand is the window's last. */
static int keep_message(struct export_target *target, uint64_t time_us, struct text line)
{
	char head[HEAD_MAX], count[32], time[TIME_TEXT_SIZE];
	size_t head_length, count_length, wanted;

	time_format(time_us, time);
	head_length = (size_t)snprintf(head, sizeof head, "<%d>1 %s %s smtptrail - transaction - ", PRIORITY, time, target->host);
	count_length = (size_t)snprintf(count, sizeof count, "%zu ", head_length + line.length);
	wanted = target->window_length + count_length + head_length + line.length;
	if (wanted > target->window_size) {
		char *larger = realloc(target->window, wanted * 2);

		if (!larger)
			return -ENOMEM;
		target->window = larger;
		target->window_size = wanted * 2;
	}
	memcpy(target->window + target->window_length, count, count_length);
	memcpy(target->window + target->window_length + count_length, head, head_length);
	if (line.length)
		memcpy(target->window + wanted - line.length, line.start, line.length);
	target->window_length = wanted;
	return 0;
}

/* From there on; all of the window, where the connection is another by then. */
static int send_window(struct export_target *target, size_t from, struct problem *problem)
{
	int error = 0;

	if (is_closed(target)) {
		struct problem why = { "" };

		problem_set(&why, "'%s' has closed the connection", target->to);
		tell_lost(target, why.text);
		drop_connection(target);
		from = 0;
		error = make_connection(target, problem);
	}
	if (!error) {
		error = send_bytes(target, target->window + from, target->window_length - from);
		if (error)
			problem_set(problem, "cannot send to '%s': %s", target->to, strerror(-error));
	}
	if (error) {
		tell_lost(target, problem->text);
		drop_connection(target);
	} else
		tell_back(target);
	return error;
}

/* Bytes that the other side has not taken; what cannot be asked has been. */
static int untaken(const struct export_target *target)
{
	int bytes = 0;

	return ioctl(target->connection, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

/* Waits until all is taken. -EPIPE: the connection broke before; -EINTR: it has not after a while, and we are to stop. */
static int await_taken(struct export_target *target, const volatile int *stopped, struct problem *problem)
{
	for (int waited_ms = 0, stopped_ms = 0; target->connection >= 0; waited_ms += LOOK_MS) {
		int bytes = untaken(target), error = 0;
		socklen_t size = sizeof error;

		(void)getsockopt(target->connection, SOL_SOCKET, SO_ERROR, &error, &size);
		if (!error && bytes == 0)
			return 0;
		if (error || is_closed(target) || waited_ms >= EXPORT_TIMEOUT_S * 1000)
			break;
		stopped_ms += *stopped ? LOOK_MS : 0;
		if (stopped_ms > GRACE_MS) {
			problem_set(problem, "'%s' does not take what was sent", target->to);
			return -EINTR;
		}
		(void)poll(NULL, 0, LOOK_MS);
	}
	problem_set(problem, "'%s' went away before it had taken all", target->to);
	tell_lost(target, problem->text);
	drop_connection(target);
	return -EPIPE;
}

/* All of the window is with the server's system. */
static int confirm(struct export_target *target, bool keeps_trying, const volatile int *stopped, struct problem *problem)
{
	int error;

	if (!target->window_length)
		return 0;
	while ((error = await_taken(target, stopped, problem)) != 0 && keeps_trying && !*stopped) {
		(void)poll(NULL, 0, EXPORT_RETRY_MS);
		(void)send_window(target, 0, problem);
	}
	if (!error)
		target->window_length = 0;
	return error;
}

int export_target_send(struct export_target *target, uint64_t time_us, bool keeps_trying,
		       const volatile int *stopped, struct problem *problem)
{
	struct text line;
	size_t from;
	int error = 0;

	if (!target->server)
		return ferror(target->file) ? export_target_flush(target, false, stopped, problem) : 0;
	if (fflush(target->file) != 0)
		return -ENOMEM;
	line = (struct text){ target->line,
			      target->line_size < EXPORT_LINE_MAX ? target->line_size : EXPORT_LINE_MAX };
	/* The count says where it ends. */
	while (line.length && line.start[line.length - 1] == '\n')
		line.length--;
	if (target->window_length > EXPORT_WINDOW)
		error = confirm(target, keeps_trying, stopped, problem);
	from = target->window_length;
	if (!error)
		error = keep_message(target, time_us, line);
	(void)fseeko(target->file, 0, SEEK_SET);
	if (error)
		return error;
	while ((error = send_window(target, from, problem)) != 0 && keeps_trying && !*stopped) {
		from = 0;
		(void)poll(NULL, 0, EXPORT_RETRY_MS);
	}
	return error;
}

int export_target_flush(struct export_target *target, bool keeps_trying, const volatile int *stopped, struct problem *problem)
{
	if (target->server)
		return confirm(target, keeps_trying, stopped, problem);
	errno = 0;
	if (fflush(target->file) == 0 && !ferror(target->file))
		return 0;
	problem_set(problem, "cannot write '%s': %s", strcmp(target->to, "-") == 0 ? "standard output" : target->to,
		    strerror(errno ? errno : EIO));
	return -EIO;
}

/* ---- how far a file is written ---- */

static bool is_regular(const struct export_target *target, struct stat *ret_info)
{
	return !target->server && target->file != stdout && fstat(fileno(target->file), ret_info) == 0 && S_ISREG(ret_info->st_mode);
}

/* Of the bytes in front of that place; 0 where they cannot be read. */
static uint64_t sum_before(const struct export_target *target, uint64_t inode, uint64_t size)
{
	char tail[TAIL_MAX];
	size_t length = size < sizeof tail ? (size_t)size : sizeof tail;
	int fd = open(target->to, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat info;
	uint64_t sum = 0;

	if (fd >= 0 && fstat(fd, &info) == 0 && (uint64_t)info.st_ino == inode &&
	    pread(fd, tail, length, (off_t)(size - length)) == (ssize_t)length)
		sum = UINT64_C(1) << 32 | crc32c(0, tail, length);
	if (fd >= 0)
		(void)close(fd);
	return sum;
}

int export_target_place(struct export_target *target, struct export_place *ret_place, struct problem *problem)
{
	struct stat info;

	*ret_place = (struct export_place){ .inode = 0 };
	if (!is_regular(target, &info))
		return 0;
	if (fsync(fileno(target->file)) != 0) {
		int error = -errno;

		problem_set(problem, "cannot write '%s': %s", target->to, strerror(-error));
		return error;
	}
	*ret_place = (struct export_place){ (uint64_t)info.st_dev, (uint64_t)info.st_ino, (uint64_t)info.st_size,
					    sum_before(target, (uint64_t)info.st_ino, (uint64_t)info.st_size) };
	return 0;
}

int export_target_resume(struct export_target *target, const struct export_place *place, struct problem *problem)
{
	struct stat info;
	int error;

	if (!place->inode || !is_regular(target, &info) || (uint64_t)info.st_dev != place->device ||
	    (uint64_t)info.st_ino != place->inode || (uint64_t)info.st_size <= place->size)
		return 0;
	if (!place->sum || sum_before(target, place->inode, place->size) != place->sum)
		return 0;
	if (ftruncate(fileno(target->file), (off_t)place->size) == 0)
		return 0;
	error = -errno;
	problem_set(problem, "cannot cut '%s' back to where it was kept: %s", target->to, strerror(-error));
	return error;
}

bool export_target_is_empty(const struct export_target *target)
{
	struct stat info;

	return !is_regular(target, &info) || info.st_size == 0;
}
