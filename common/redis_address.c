/* redis_address.c - where Redis is, as the configuration says it. */
#include "redis_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "redis_tls.h"

/* The forms of one host and port, and how each is shown. */
static const struct form {
	const char *begin;
	enum redis_kind kind;
	bool tls;
	const char *wanted;
} forms[] = {
	{ "tcp:", REDIS_SINGLE, false, "tcp:HOST:PORT, as tcp:127.0.0.1:6379 or tcp:[::1]:6379" },
	{ "tls:", REDIS_SINGLE, true, "tls:HOST:PORT, as tls:redis.example.com:6379" },
	{ "sentinel:", REDIS_SENTINEL, false, "sentinel:HOST:PORT,HOST:PORT.../MASTER, as sentinel:10.0.0.1:26379,10.0.0.2:26379/mymaster" },
	{ "sentinel+tls:", REDIS_SENTINEL, true, "sentinel+tls:HOST:PORT,HOST:PORT.../MASTER" },
	{ "cluster:", REDIS_CLUSTER, false, "cluster:HOST:PORT,HOST:PORT..., as cluster:10.0.0.1:6379,10.0.0.2:6379" },
	{ "cluster+tls:", REDIS_CLUSTER, true, "cluster+tls:HOST:PORT,HOST:PORT..." },
};

bool redis_endpoint_equal(const struct redis_endpoint *a, const struct redis_endpoint *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

int redis_endpoint_set(struct redis_endpoint *ret_endpoint, struct text host, long long port)
{
	if (host.length == 0 || host.length >= REDIS_HOST_SIZE || port < 1 || port > 65535)
		return -EINVAL;
	for (size_t i = 0; i < host.length; i++)
		if (host.start[i] <= ' ' || host.start[i] >= 0x7f)
			return -EINVAL;
	memcpy(ret_endpoint->host, host.start, host.length);
	ret_endpoint->host[host.length] = '\0';
	ret_endpoint->port = (int)port;
	return 0;
}

static int parse_port(struct text text)
{
	int port = 0;

	for (size_t i = 0; i < text.length && port <= 65535; i++) {
		if (text.start[i] < '0' || text.start[i] > '9')
			return -EINVAL;
		port = port * 10 + (text.start[i] - '0');
	}
	return port >= 1 && port <= 65535 ? port : -EINVAL;
}

static bool is_ipv6(const char *host)
{
	struct in6_addr ignored;
	char plain[REDIS_HOST_SIZE];

	/* A link-local address may name its interface: fe80::1%eth0. */
	(void)snprintf(plain, sizeof plain, "%.*s", (int)strcspn(host, "%"), host);
	return inet_pton(AF_INET6, plain, &ignored) == 1;
}

/* HOST:PORT, which ends where text does. */
static int parse_endpoint(struct redis_endpoint *ret_endpoint, struct text text, const struct form *form,
			  const char *whole, struct problem *problem)
{
	bool bracketed = text.length > 0 && text.start[0] == '[';
	const char *start = text.start + bracketed, *end = text.start + text.length;
	const char *stop = memchr(start, bracketed ? ']' : ':', (size_t)(end - start));
	size_t length = stop ? (size_t)(stop - start) : 0;
	const char *colon = stop ? stop + bracketed : end;

	if (!bracketed && stop && memchr(stop + 1, ':', (size_t)(end - stop - 1))) {
		problem_set(problem, "redis address '%s': an IPv6 address stands in brackets: tcp:[::1]:6379", whole);
		return -EINVAL;
	}
	if (colon >= end || *colon != ':' || redis_endpoint_set(ret_endpoint, (struct text){ start, length }, 1)) {
		problem_set(problem, "redis address '%s': wanted %s", whole, form->wanted);
		return -EINVAL;
	}
	if (bracketed && !is_ipv6(ret_endpoint->host)) {
		problem_set(problem, "redis address '%s': '%s' is no IPv6 address", whole, ret_endpoint->host);
		return -EINVAL;
	}
	ret_endpoint->port = parse_port((struct text){ colon + 1, (size_t)(end - colon - 1) });
	if (ret_endpoint->port < 0) {
		problem_set(problem, "redis address '%s': the port is a number from 1 to 65535", whole);
		return -EINVAL;
	}
	return 0;
}

/* What follows the slash; list is left with what stands before it. */
static int parse_master(struct redis_address *ret_address, struct text *list, const struct form *form,
			const char *whole, struct problem *problem)
{
	const char *slash = memchr(list->start, '/', list->length);
	size_t length = slash ? strlen(slash + 1) : 0;

	if (length == 0 || length >= REDIS_MASTER_SIZE || slash[1 + strcspn(slash + 1, " \t/,")] != '\0') {
		problem_set(problem, "redis address '%s': wanted %s", whole, form->wanted);
		return -EINVAL;
	}
	memcpy(ret_address->master, slash + 1, length + 1);
	list->length = (size_t)(slash - list->start);
	return 0;
}

static int parse_form(struct redis_address *ret_address, const struct form *form, const char *whole,
		      struct problem *problem)
{
	struct text list = text_of(whole + strlen(form->begin));
	bool more = true;
	int error = form->kind == REDIS_SENTINEL ? parse_master(ret_address, &list, form, whole, problem) : 0;

	if (form->tls && !redis_tls_is_built_in()) {
		problem_set(problem, "redis address '%s': this build has no TLS; use unix:/PATH, or tcp:HOST:PORT to a stunnel",
			    whole);
		return -EINVAL;
	}
	ret_address->kind = form->kind;
	ret_address->tls = form->tls;
	while (!error && more) {
		const char *comma = form->kind == REDIS_SINGLE || list.length == 0 ? NULL :
				    memchr(list.start, ',', list.length);
		struct text one = { list.start, comma ? (size_t)(comma - list.start) : list.length };

		if (ret_address->count == REDIS_ENDPOINTS_MAX) {
			problem_set(problem, "redis address '%s': names more than %d hosts", whole, REDIS_ENDPOINTS_MAX);
			return -EINVAL;
		}
		error = parse_endpoint(&ret_address->endpoints[ret_address->count], one, form, whole, problem);
		ret_address->count += !error;
		more = comma != NULL;
		list.start += one.length + more;
		list.length -= one.length + more;
	}
	return error;
}

static int parse_path(struct redis_address *ret_address, const char *address, struct problem *problem)
{
	size_t most = sizeof ((struct sockaddr_un *)NULL)->sun_path - 1;

	if (address[5] != '/') {
		problem_set(problem, "redis address '%s': wanted unix:/PATH, as unix:/run/redis/redis.sock", address);
		return -EINVAL;
	}
	if (strlen(address + 5) > most) {
		problem_set(problem, "redis address '%s': a socket's path has at most %zu bytes", address, most);
		return -EINVAL;
	}
	ret_address->path = address + 5;
	return 0;
}

int redis_address_parse(struct redis_address *ret_address, const char *address, struct problem *problem)
{
	*ret_address = (struct redis_address){ .kind = REDIS_SINGLE };
	if (strncmp(address, "unix:", 5) == 0)
		return parse_path(ret_address, address, problem);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strncmp(address, forms[i].begin, strlen(forms[i].begin)) == 0)
			return parse_form(ret_address, &forms[i], address, problem);
	problem_set(problem, "redis address '%s': wanted unix:/PATH or tcp:HOST:PORT, or tls:HOST:PORT, "
		    "sentinel:HOST:PORT,.../MASTER, cluster:HOST:PORT,...", address);
	return -EINVAL;
}

int redis_address_check(const char *address, struct problem *problem)
{
	struct redis_address ignored;

	return redis_address_parse(&ignored, address, problem);
}
