/* socket.c - the address at which the MTA finds the milter. */
#include "socket.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool take_port(struct text text, unsigned *ret_port)
{
	unsigned port = 0;

	if (text.length == 0 || text.length > 5)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] < '0' || text.start[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text.start[i] - '0');
	}
	*ret_port = port;
	return port >= 1 && port <= 65535;
}

static bool take_host(struct text text, char *ret_host, size_t size)
{
	if (text.length > 2 && text.start[0] == '[' && text.start[text.length - 1] == ']') {
		text.start++;
		text.length -= 2;
	}
	if (text.length == 0 || text.length >= size || memchr(text.start, '@', text.length) ||
	    memchr(text.start, '[', text.length))
		return false;
	memcpy(ret_host, text.start, text.length);
	ret_host[text.length] = '\0';
	return true;
}

/* PORT@HOST or HOST:PORT. */
static bool take_endpoint(struct socket_address *address, struct text rest)
{
	const char *at = rest.length ? memchr(rest.start, '@', rest.length) : NULL;
	const char *colon = rest.length ? memrchr(rest.start, ':', rest.length) : NULL;
	const char *middle = at ? at : colon;

	if (!middle)
		return false;
	struct text before = { rest.start, (size_t)(middle - rest.start) };
	struct text behind = { middle + 1, rest.length - before.length - 1 };

	return take_port(at ? before : behind, &address->port) &&
	       take_host(at ? behind : before, address->host, sizeof address->host);
}

int socket_parse(struct socket_address *ret_address, const char *text, struct problem *problem)
{
	const char *colon = strchr(text, ':');
	struct text kind = { text, colon ? (size_t)(colon - text) : 0 };
	struct text rest = text_of(colon ? colon + 1 : "");
	struct socket_address *address = ret_address;

	*address = (struct socket_address){ .is_local = text_is(kind, "unix") || text_is(kind, "local") };
	if (address->is_local && rest.length > 1 && rest.start[0] == '/' && rest.length < sizeof address->path) {
		memcpy(address->path, rest.start, rest.length);
		(void)snprintf(address->libmilter, sizeof address->libmilter, "unix:%s", address->path);
		(void)snprintf(address->postfix, sizeof address->postfix, "unix:%s", address->path);
		return 0;
	}
	if ((text_is(kind, "inet") || text_is(kind, "inet6")) && take_endpoint(address, rest)) {
		bool is_v6 = text_is(kind, "inet6") || strchr(address->host, ':');
		bool brackets = strchr(address->host, ':') != NULL;

		(void)snprintf(address->libmilter, sizeof address->libmilter, "%s:%u@%s", is_v6 ? "inet6" : "inet",
			       address->port, address->host);
		(void)snprintf(address->postfix, sizeof address->postfix, "inet:%s%s%s:%u", brackets ? "[" : "",
			       address->host, brackets ? "]" : "", address->port);
		return 0;
	}
	problem_set(problem, "'%.120s' is no address of a milter; allowed: inet:PORT@HOST, inet6:PORT@HOST, inet:HOST:PORT, or unix:/PATH of at most %zu bytes",
		    text, sizeof address->path - 1);
	return -EINVAL;
}

int socket_check(const char *text, struct problem *problem)
{
	struct socket_address address;

	return socket_parse(&address, text, problem);
}

static bool connects(const struct sockaddr *address, socklen_t length)
{
	int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = descriptor >= 0 && connect(descriptor, address, length) == 0;

	if (descriptor >= 0)
		close(descriptor);
	return answered;
}

bool socket_is_answered(const struct socket_address *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	char port[12];
	bool answered = false;

	if (address->is_local) {
		_Static_assert(sizeof local.sun_path == sizeof address->path, "a path fits");
		memcpy(local.sun_path, address->path, sizeof local.sun_path);
		return connects((const struct sockaddr *)&local, sizeof local);
	}
	(void)snprintf(port, sizeof port, "%u", address->port);
	if (getaddrinfo(address->host, port, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *info = found; info && !answered; info = info->ai_next)
		answered = connects(info->ai_addr, info->ai_addrlen);
	freeaddrinfo(found);
	return answered;
}

bool socket_can_listen(const struct socket_address *address, struct problem *problem)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE }, *found = NULL;
	char port[12];
	int error, yes = 1;

	(void)snprintf(port, sizeof port, "%u", address->port);
	error = getaddrinfo(address->host, port, &hints, &found);
	if (error) {
		problem_set(problem, "host '%s' of the socket is not known: %s", address->host, gai_strerror(error));
		return false;
	}
	int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* As libmilter does, so that connections of an earlier milter are not in the way. */
	if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
	    bind(descriptor, found->ai_addr, found->ai_addrlen) != 0)
		error = errno;
	if (descriptor >= 0)
		close(descriptor);
	freeaddrinfo(found);
	if (error)
		problem_set(problem, "cannot listen on %s port %u: %s; choose an address of this machine and a free port above 1023",
			    address->host, address->port, strerror(error));
	return error == 0;
}
