/* cutting_proxy.c - a process that harms connections by chance; one child for each connection. */
#include "cutting_proxy.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/pause.h"

enum fault { FAULT_CUT, FAULT_REPLY_LOST, FAULT_LATE, FAULTS };
enum { CHUNK = 16384, LATE_MAX_MS = 200, GATHER_MS = 5 };

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = send(fd, bytes, length, MSG_NOSIGNAL);

		if (written <= 0)
			return false;
		bytes += written;
		length -= (size_t)written;
	}
	return true;
}

/* Takes what the client still sends within a moment. */
static size_t gather(int client, char *held, size_t length, size_t size)
{
	struct pollfd wait = { .fd = client, .events = POLLIN };

	while (length < size && poll(&wait, 1, GATHER_MS) > 0) {
		ssize_t more = read(client, held + length, size - length);

		if (more <= 0)
			break;
		length += (size_t)more;
	}
	return length;
}

static void harm(enum fault fault, int client, int server, char *held, size_t length, unsigned *seed)
{
	static char request[1024 * 1024];
	char ignored[CHUNK];

	switch (fault) {
	case FAULT_CUT:
		(void)write_all(server, held, (size_t)rand_r(seed) % (length + 1));
		return;
	case FAULT_REPLY_LOST:
		memcpy(request, held, length);
		length = gather(client, request, length, sizeof request);
		(void)write_all(server, request, length);
		(void)!read(server, ignored, sizeof ignored);
		return;
	case FAULT_LATE:
	case FAULTS:
		memcpy(request, held, length);
		length = gather(client, request, length, sizeof request);
		(void)close(client);
		pause_ms((long)(rand_r(seed) % LATE_MAX_MS));
		(void)write_all(server, request, length);
		(void)!read(server, ignored, sizeof ignored);
		return;
	}
}

static void serve(int client, const char *target, unsigned seed, uint64_t most_bytes)
{
	struct sockaddr_un address = address_of(target);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t left = (uint64_t)rand_r(&seed) % most_bytes;
	enum fault fault = (enum fault)(rand_r(&seed) % FAULTS);
	struct pollfd ends[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
	char bytes[CHUNK];

	if (server < 0 || connect(server, (struct sockaddr *)&address, sizeof address) != 0)
		return;
	while (poll(ends, 2, -1) > 0)
		for (int from = 0; from < 2; from++) {
			ssize_t length = ends[from].revents ? read(ends[from].fd, bytes, sizeof bytes) : 1;

			if (length <= 0)
				return;
			if (!ends[from].revents)
				continue;
			if (from == 0 && (uint64_t)length > left) {
				harm(fault, client, server, bytes, (size_t)length, &seed);
				return;
			}
			left -= from == 0 ? (uint64_t)length : 0;
			if (!write_all(ends[1 - from].fd, bytes, (size_t)length))
				return;
		}
}

static _Noreturn void run(int listener, const char *target, unsigned seed, uint64_t most_bytes)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(listener, NULL, NULL);

		seed = seed * 1103515245 + 12345;
		if (client < 0)
			continue;
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)close(listener);
			serve(client, target, seed >> 8, most_bytes);
			_exit(0);
		}
		(void)close(client);
	}
}

void cutting_proxy_start(struct cutting_proxy *proxy, const char *path, const char *target, unsigned seed,
			 uint64_t most_bytes)
{
	struct sockaddr_un address = address_of(path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unlink(path);
	(void)snprintf(proxy->path, sizeof proxy->path, "%s", path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
		perror(path);
		exit(1);
	}
	(void)fflush(NULL);
	proxy->pid = fork();
	if (proxy->pid == 0)
		run(listener, target, seed, most_bytes);
	(void)close(listener);
}

void cutting_proxy_stop(struct cutting_proxy *proxy)
{
	if (proxy->pid > 0) {
		(void)kill(proxy->pid, SIGKILL);
		(void)waitpid(proxy->pid, NULL, 0);
	}
	proxy->pid = 0;
	(void)unlink(proxy->path);
}
