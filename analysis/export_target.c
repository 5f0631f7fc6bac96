/* export_target.c - lines to files and to syslog servers. */
#include "analysis/export_target.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/record.h"

/* Mail, informational. */
enum { PRIORITY = 2 * 8 + 6, HOST_MAX = 256 };

struct export_target {
	char *to;
	FILE *file; /* standard output, the file; of syslog memory for the line at hand */
	char *line; /* of syslog */
	size_t line_size;
	char *server, *port; /* of syslog */
	char host[HOST_MAX]; /* our own */
	int connection;	     /* -1: none */
};

/* ---- the connection ---- */

/* "HOST:PORT", "[::1]:514" */
static int read_address(struct export_target *target, const char *address)
{
	const char *colon = strrchr(address, ':');
	size_t length = colon ? (size_t)(colon - address) : 0;

	if (!length || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
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
	free(target->server);
	free(target->port);
	free(target->to);
	free(target);
}

bool export_target_is_syslog(const struct export_target *target)
{
	return target->server;
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

static int send_message(struct export_target *target, const char *head, size_t head_length, struct text line)
{
	char count[32];
	int error, length = snprintf(count, sizeof count, "%zu ", head_length + line.length);

	error = send_bytes(target, count, (size_t)length);
	if (!error)
		error = send_bytes(target, head, head_length);
	return error ? error : send_bytes(target, line.start, line.length);
}

static int send_line(struct export_target *target, uint64_t time_us, struct text line,
		     struct problem *problem)
{
	char head[HOST_MAX + 100], time[TIME_TEXT_SIZE];
	int length, error = 0;

	time_format(time_us, time);
	length = snprintf(head, sizeof head, "<%d>1 %s %s smtptrail - transaction - ", PRIORITY, time,
			  target->host);
	if (is_closed(target)) {
		drop_connection(target);
		error = make_connection(target, problem);
	}
	if (!error) {
		error = send_message(target, head, (size_t)length, line);
		if (error)
			problem_set(problem, "cannot send to '%s': %s", target->to, strerror(-error));
	}
	if (error)
		drop_connection(target);
	return error;
}

int export_target_send(struct export_target *target, uint64_t time_us, bool keeps_trying,
		       const volatile int *stopped, struct problem *problem)
{
	struct text line;
	int error;

	if (!target->server)
		return ferror(target->file) ? -EIO : 0;
	if (fflush(target->file) != 0)
		return -ENOMEM;
	line = (struct text){ target->line,
			      target->line_size < EXPORT_LINE_MAX ? target->line_size : EXPORT_LINE_MAX };
	/* The count says where it ends. */
	while (line.length && line.start[line.length - 1] == '\n')
		line.length--;
	while ((error = send_line(target, time_us, line, problem)) != 0 && keeps_trying && !*stopped)
		(void)poll(NULL, 0, EXPORT_RETRY_MS);
	(void)fseeko(target->file, 0, SEEK_SET);
	return error;
}

int export_target_flush(struct export_target *target, struct problem *problem)
{
	if (target->server || (fflush(target->file) == 0 && !ferror(target->file)))
		return 0;
	problem_set(problem, "cannot write '%s': %s", target->to, strerror(errno ? errno : EIO));
	return -EIO;
}
