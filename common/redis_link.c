/*
 * redis_link.c - one connection to Redis.
 *
 * hiredis 0.14 connects and takes replies apart. Its own writing and reading are not used: they
 * raise SIGPIPE, and their time limit is one for each system call, so that a server which
 * trickles would hold its caller for ever. Here one deadline covers a command and its reply.
 */
#include "redis_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

/* Far above what the programs ask for; a server out of its mind must not take all memory. */
#define REPLY_BYTES_MAX (256u * 1024 * 1024)
#define REPLY_ELEMENTS_MAX (1024 * 1024)
#define INPUT_SIZE 65536
#define PASSWORD_MAX 1024
#define HOST_MAX 256
/* "*2" or "$11" and a line end, with the largest number. */
#define LENGTH_LINE_MAX 24

struct redis_link {
	struct redis_options options;	/* its strings are the link's own */
	uint64_t extra_us;
	redisContext *context;		/* NULL: closed */
	redisReplyObjectFunctions functions, bounded;	/* hiredis' own; ours over them */
	redisReply *reply;
	char *request;			/* the command in Redis' protocol; grows to the largest one */
	size_t request_size, request_length, request_words;
	size_t word;			/* where the word being put together begins */
	bool request_failed;		/* no memory for it */
	char input[INPUT_SIZE];
};

/* What an error reply means, by how it begins. The first row that fits decides. */
static const struct { const char *begin; enum redis_failure failure; } error_table[] = {
	{ "NOSCRIPT ", REDIS_NO_SCRIPT },
	{ "OOM ", REDIS_WAIT },
	{ "MISCONF ", REDIS_WAIT },
	{ "NOREPLICAS ", REDIS_WAIT },
	{ "LOADING ", REDIS_WAIT },
	{ "BUSY ", REDIS_WAIT },
	{ "MASTERDOWN ", REDIS_WAIT },
	{ "TRYAGAIN ", REDIS_WAIT },
	{ "CLUSTERDOWN ", REDIS_WAIT },
	{ "READONLY ", REDIS_ELSEWHERE },
	{ "MOVED ", REDIS_ELSEWHERE },
	{ "ASK ", REDIS_ELSEWHERE },
	{ "NOAUTH ", REDIS_OPERATOR },
	{ "WRONGPASS ", REDIS_OPERATOR },
	{ "NOPERM ", REDIS_OPERATOR },
	{ "WRONGTYPE ", REDIS_OPERATOR },
	{ "CROSSSLOT ", REDIS_OPERATOR },
	{ "DENIED ", REDIS_OPERATOR },			/* protected mode */
	{ "ERR The user executing the script", REDIS_OPERATOR },	/* NOPERM, in a script */
	{ "ERR AUTH ", REDIS_OPERATOR },		/* a password where Redis wants none */
	{ "ERR unknown command", REDIS_OPERATOR },	/* renamed away, or no Redis */
	{ "ERR The stream has exhausted", REDIS_OPERATOR },
};

enum redis_failure redis_error_meaning(struct text error)
{
	for (size_t i = 0; i < sizeof error_table / sizeof error_table[0]; i++) {
		struct text begin = text_of(error_table[i].begin);

		if (error.length >= begin.length && memcmp(error.start, begin.start, begin.length) == 0)
			return error_table[i].failure;
	}
	return REDIS_RECONNECT;
}

/* An address taken apart. */
struct address {
	const char *path;		/* unix:, borrowed; else NULL */
	char host[HOST_MAX];
	int port;
};

static int parse_port(const char *text)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	unsigned long port = strtoul(text, &end, 10);
	return *end == '\0' && port >= 1 && port <= 65535 ? (int)port : -EINVAL;
}

static bool is_ipv6(const char *host)
{
	struct in6_addr ignored;
	char plain[HOST_MAX];

	/* A link-local address may name its interface: fe80::1%eth0. */
	(void)snprintf(plain, sizeof plain, "%.*s", (int)strcspn(host, "%"), host);
	return inet_pton(AF_INET6, plain, &ignored) == 1;
}

static int parse_tcp(struct address *ret_address, const char *rest, const char *whole, struct problem *problem)
{
	bool bracketed = *rest == '[';
	const char *start = rest + bracketed;
	size_t length = bracketed ? strcspn(start, "]") : strcspn(start, ":");
	const char *after = start + length + (bracketed && start[length] == ']');

	if (!bracketed && strchr(start, ':') != strrchr(start, ':')) {
		problem_set(problem, "redis address '%s': an IPv6 address stands in brackets: tcp:[::1]:6379",
			    whole);
		return -EINVAL;
	}
	if (length == 0 || length >= HOST_MAX || *after != ':' || start[strcspn(start, " \t")] != '\0') {
		problem_set(problem, "redis address '%s': wanted tcp:HOST:PORT, as tcp:127.0.0.1:6379 or "
			    "tcp:[::1]:6379", whole);
		return -EINVAL;
	}
	memcpy(ret_address->host, start, length);
	ret_address->host[length] = '\0';
	if (bracketed && !is_ipv6(ret_address->host)) {
		problem_set(problem, "redis address '%s': '%s' is no IPv6 address", whole, ret_address->host);
		return -EINVAL;
	}
	ret_address->port = parse_port(after + 1);
	if (ret_address->port < 0) {
		problem_set(problem, "redis address '%s': the port is a number from 1 to 65535", whole);
		return -EINVAL;
	}
	return 0;
}

static int parse_address(struct address *ret_address, const char *address, struct problem *problem)
{
	ret_address->path = NULL;
	if (strncmp(address, "unix:", 5) == 0) {
		size_t most = sizeof ((struct sockaddr_un *)NULL)->sun_path - 1;

		if (address[5] != '/') {
			problem_set(problem, "redis address '%s': wanted unix:/PATH, as unix:/run/redis/redis.sock",
				    address);
			return -EINVAL;
		}
		if (strlen(address + 5) > most) {
			problem_set(problem, "redis address '%s': a socket's path has at most %zu bytes", address,
				    most);
			return -EINVAL;
		}
		ret_address->path = address + 5;
		return 0;
	}
	if (strncmp(address, "tcp:", 4) == 0)
		return parse_tcp(ret_address, address + 4, address, problem);
	if (strncmp(address, "tls:", 4) == 0)
		problem_set(problem, "redis address '%s': this hiredis has no TLS; use unix:, or tcp: to a stunnel",
			    address);
	else
		problem_set(problem, "redis address '%s': wanted unix:/PATH or tcp:HOST:PORT", address);
	return -EINVAL;
}

int redis_address_check(const char *address, struct problem *problem)
{
	struct address ignored;

	return parse_address(&ignored, address, problem);
}

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct redis_link *redis_link_new(const struct redis_options *options)
{
	struct redis_link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->options = *options;
	link->options.address = strdup(options->address);
	link->options.user = strdup(options->user ? options->user : "");
	link->options.password_file = strdup(options->password_file ? options->password_file : "");
	if (!link->options.address || !link->options.user || !link->options.password_file) {
		redis_link_free(link);
		return NULL;
	}
	return link;
}

static void free_reply(struct redis_link *link)
{
	if (link->reply)
		freeReplyObject(link->reply);
	link->reply = NULL;
}

/* The reply stays: its words may still be wanted. */
static void disconnect(struct redis_link *link)
{
	if (link->context)
		redisFree(link->context);
	link->context = NULL;
}

void redis_link_close(struct redis_link *link)
{
	if (!link)
		return;
	free_reply(link);
	disconnect(link);
}

void redis_link_free(struct redis_link *link)
{
	if (!link)
		return;
	redis_link_close(link);
	free((char *)link->options.address);
	free((char *)link->options.user);
	free((char *)link->options.password_file);
	free(link->request);
	free(link);
}

bool redis_link_is_open(const struct redis_link *link)
{
	return link->context != NULL;
}

void redis_link_extra_wait(struct redis_link *link, uint64_t extra_us)
{
	link->extra_us = extra_us;
}

static enum redis_failure lost(struct redis_link *link, const char *why, struct problem *problem)
{
	problem_set(problem, "redis '%s': %s", link->options.address, why);
	disconnect(link);
	return REDIS_RECONNECT;
}

static struct redis_reply reply_of(const redisReply *reply)
{
	struct redis_reply small = { .type = REDIS_NIL };

	if (!reply)
		return small;
	switch (reply->type) {
	case REDIS_REPLY_STRING: small.type = REDIS_TEXT; break;
	case REDIS_REPLY_STATUS: small.type = REDIS_STATUS; break;
	case REDIS_REPLY_ERROR: small.type = REDIS_ERROR; break;
	case REDIS_REPLY_INTEGER:
		small.type = REDIS_INTEGER;
		small.integer = reply->integer;
		return small;
	case REDIS_REPLY_ARRAY:
		small.type = REDIS_ARRAY;
		small.count = reply->elements;
		small.elements = reply->element;
		return small;
	default:
		return small;
	}
	small.text = (struct text){ reply->str, reply->len };
	return small;
}

struct redis_reply redis_reply_at(const struct redis_reply *array, size_t i)
{
	redisReply *const *elements = array->elements;

	return reply_of(array->type == REDIS_ARRAY && i < array->count ? elements[i] : NULL);
}

/* hiredis allocates an array when its head comes in, whatever it says. */
static void *create_bounded_array(const redisReadTask *task, int elements)
{
	const struct redis_link *link = task->privdata;

	if (elements < 0 || elements > REPLY_ELEMENTS_MAX)
		return NULL;
	return link->functions.createArray(task, elements);
}

static void bound_replies(struct redis_link *link)
{
	redisReader *reader = link->context->reader;

	link->functions = *reader->fn;
	link->bounded = link->functions;
	link->bounded.createArray = create_bounded_array;
	reader->fn = &link->bounded;
	reader->privdata = link;
}

/* Makes room for more bytes of the request; what does not fit is noticed when it is sent. */
static char *reserve(struct redis_link *link, size_t more)
{
	size_t wanted = link->request_length + more;

	if (wanted <= link->request_size)
		return link->request + link->request_length;
	char *larger = realloc(link->request, wanted + wanted / 2);

	if (!larger) {
		link->request_failed = true;
		return NULL;
	}
	link->request = larger;
	link->request_size = wanted + wanted / 2;
	return link->request + link->request_length;
}

static char *put_length(char *at, char kind, size_t number)
{
	char digits[LENGTH_LINE_MAX], *digit = digits + sizeof digits;

	do {
		*--digit = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	*at++ = kind;
	while (digit < digits + sizeof digits)
		*at++ = *digit++;
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

void redis_link_begin(struct redis_link *link)
{
	/* The number of words stands in front of them and is known last. */
	link->request_length = link->request_words = 0;
	link->request_failed = false;
	if (reserve(link, LENGTH_LINE_MAX))
		link->request_length = LENGTH_LINE_MAX;
}

void redis_link_add(struct redis_link *link, struct text word)
{
	redis_link_word_begin(link);
	redis_link_word_put(link, word.start, word.length);
	redis_link_word_end(link);
}

void redis_link_word_begin(struct redis_link *link)
{
	link->word = link->request_length;
	if (reserve(link, LENGTH_LINE_MAX))
		link->request_length += LENGTH_LINE_MAX;
}

char *redis_link_word_room(struct redis_link *link, size_t size)
{
	return reserve(link, size + 2);
}

void redis_link_word_wrote(struct redis_link *link, const char *end)
{
	link->request_length = (size_t)(end - link->request);
}

void redis_link_word_put(struct redis_link *link, const char *bytes, size_t length)
{
	char *at = reserve(link, length + 2);

	if (at && length) {
		memcpy(at, bytes, length);
		link->request_length += length;
	}
}

void redis_link_word_end(struct redis_link *link)
{
	char *at = reserve(link, 2);

	if (!at || link->request_failed)
		return;
	/* The length stands in front of the word and is known now. */
	char *begin = link->request + link->word, *bytes = begin + LENGTH_LINE_MAX;
	size_t length = (size_t)(at - bytes);
	char *place = put_length(begin, '$', length);

	memmove(place, bytes, length);
	memcpy(place + length, "\r\n", 2);
	link->request_length = (size_t)(place + length + 2 - link->request);
	link->request_words++;
}

static enum redis_failure wait_ready(struct redis_link *link, short events, uint64_t deadline_us,
				     struct problem *problem)
{
	struct pollfd wanted = { .fd = link->context->fd, .events = events };

	for (;;) {
		uint64_t now = now_us();
		uint64_t left_ms = now < deadline_us ? (deadline_us - now + 999) / 1000 : 0;
		int ready = poll(&wanted, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);

		if (ready > 0)
			return REDIS_OK;
		if (ready == 0)
			return lost(link, "no answer in time", problem);
		if (errno != EINTR)
			return lost(link, strerror(errno), problem);
	}
}

static enum redis_failure send_request(struct redis_link *link, uint64_t deadline_us, struct problem *problem)
{
	char head[LENGTH_LINE_MAX];
	size_t head_length = (size_t)(put_length(head, '*', link->request_words) - head);
	size_t sent = LENGTH_LINE_MAX - head_length;

	memcpy(link->request + sent, head, head_length);
	while (sent < link->request_length) {
		ssize_t length = send(link->context->fd, link->request + sent, link->request_length - sent,
				      MSG_DONTWAIT | MSG_NOSIGNAL);

		if (length >= 0) {
			sent += (size_t)length;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			enum redis_failure failure = wait_ready(link, POLLOUT, deadline_us, problem);

			if (failure)
				return failure;
		} else if (errno != EINTR) {
			return lost(link, strerror(errno), problem);
		}
	}
	return REDIS_OK;
}

/* Feeds what has come to the reader. */
static enum redis_failure receive_some(struct redis_link *link, uint64_t deadline_us, size_t *total,
				       struct problem *problem)
{
	enum redis_failure failure = wait_ready(link, POLLIN, deadline_us, problem);

	if (failure)
		return failure;
	ssize_t length = recv(link->context->fd, link->input, sizeof link->input, MSG_DONTWAIT);

	if (length == 0)
		return lost(link, "the server closed the connection", problem);
	if (length < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ?
		       REDIS_OK : lost(link, strerror(errno), problem);
	*total += (size_t)length;
	if (*total > REPLY_BYTES_MAX)
		return lost(link, "a reply beyond all measure", problem);
	if (redisReaderFeed(link->context->reader, link->input, (size_t)length) != 0)
		return lost(link, link->context->reader->errstr, problem);
	return REDIS_OK;
}

static enum redis_failure receive_reply(struct redis_link *link, uint64_t deadline_us, struct problem *problem)
{
	size_t total = 0;

	for (;;) {
		void *reply = NULL;

		if (redisReaderGetReply(link->context->reader, &reply) != 0)
			return lost(link, link->context->reader->errstr, problem);
		if (reply) {
			link->reply = reply;
			return REDIS_OK;
		}
		enum redis_failure failure = receive_some(link, deadline_us, &total, problem);
		if (failure)
			return failure;
	}
}

/* The words of an error reply, and what follows from it for the connection. */
static enum redis_failure failed(struct redis_link *link, struct text error, struct problem *problem)
{
	enum redis_failure failure = redis_error_meaning(error);

	problem_set(problem, "redis '%s' answers: %.*s", link->options.address, TEXT_ARGS(error));
	/* A new connection reads the password anew, and a new address may lead to another server. */
	if (failure == REDIS_RECONNECT || failure == REDIS_ELSEWHERE || failure == REDIS_OPERATOR)
		disconnect(link);
	return failure;
}

enum redis_failure redis_link_run(struct redis_link *link, struct redis_reply *ret_reply, struct problem *problem)
{
	uint64_t deadline_us = now_us() + link->options.command_timeout_us + link->extra_us;

	free_reply(link);
	if (!link->context) {
		problem_set(problem, "redis '%s': not connected", link->options.address);
		return REDIS_RECONNECT;
	}
	/* Bytes that no one asked for would be taken for the answer to this. */
	if (link->context->reader->len > link->context->reader->pos)
		return lost(link, "more than one answer to a command", problem);
	if (link->request_failed)
		return lost(link, strerror(ENOMEM), problem);

	enum redis_failure failure = send_request(link, deadline_us, problem);

	if (!failure)
		failure = receive_reply(link, deadline_us, problem);
	if (failure)
		return failure;
	*ret_reply = reply_of(link->reply);
	return ret_reply->type == REDIS_ERROR ? failed(link, ret_reply->text, problem) : REDIS_OK;
}

enum redis_failure redis_link_command(struct redis_link *link, size_t count, const struct text *words,
				      struct redis_reply *ret_reply, struct problem *problem)
{
	redis_link_begin(link);
	for (size_t i = 0; i < count; i++)
		redis_link_add(link, words[i]);
	return redis_link_run(link, ret_reply, problem);
}

static int read_password(const struct redis_link *link, char *ret_password, struct problem *problem)
{
	const char *path = link->options.password_file;
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t length = file < 0 ? -1 : read(file, ret_password, PASSWORD_MAX);
	int error = length < 0 ? errno : 0;

	if (file >= 0)
		(void)close(file);
	if (error) {
		problem_set(problem, "cannot read the password file '%s': %s", path, strerror(error));
		return -error;
	}
	for (ssize_t i = 0; i < length; i++)
		if (ret_password[i] == '\n' || ret_password[i] == '\r' || ret_password[i] == '\0')
			length = i;
	if (length == 0 || length == PASSWORD_MAX) {
		problem_set(problem, "password file '%s': its first line holds the password, 1 to %d bytes", path,
			    PASSWORD_MAX - 1);
		return -EINVAL;
	}
	ret_password[length] = '\0';
	return 0;
}

static enum redis_failure authenticate(struct redis_link *link, struct problem *problem)
{
	char password[PASSWORD_MAX] = "";
	struct text words[3] = { TEXT_LITERAL("AUTH") };
	struct redis_reply reply;
	size_t count = 1;

	if (!link->options.user[0] && !link->options.password_file[0])
		return REDIS_OK;
	if (link->options.password_file[0] && read_password(link, password, problem)) {
		disconnect(link);
		return REDIS_OPERATOR;
	}
	if (link->options.user[0])
		words[count++] = text_of(link->options.user);
	words[count++] = text_of(password);
	enum redis_failure failure = redis_link_command(link, count, words, &reply, problem);

	explicit_bzero(password, sizeof password);
	explicit_bzero(link->request, link->request_size);
	return failure;
}

static enum redis_failure ping(struct redis_link *link, struct problem *problem)
{
	struct text word = TEXT_LITERAL("PING");
	struct redis_reply reply;
	enum redis_failure failure = redis_link_command(link, 1, &word, &reply, problem);

	if (!failure && (reply.type != REDIS_STATUS || !text_is(reply.text, "PONG")))
		return lost(link, "no answer to PING that Redis would give", problem);
	return failure;
}

static enum redis_failure connect_to(struct redis_link *link, struct problem *problem)
{
	struct timeval timeout = {
		.tv_sec = (time_t)(link->options.connect_timeout_us / 1000000),
		.tv_usec = (suseconds_t)(link->options.connect_timeout_us % 1000000),
	};
	struct address address;

	if (parse_address(&address, link->options.address, problem))
		return REDIS_OPERATOR;
	link->context = address.path ? redisConnectUnixWithTimeout(address.path, timeout) :
			redisConnectWithTimeout(address.host, address.port, timeout);
	if (!link->context || link->context->err) {
		problem_set(problem, "cannot reach redis '%s': %s", link->options.address,
			    link->context ? link->context->errstr : strerror(ENOMEM));
		disconnect(link);
		return REDIS_RECONNECT;
	}
	(void)fcntl(link->context->fd, F_SETFD, FD_CLOEXEC);
	bound_replies(link);
	return REDIS_OK;
}

enum redis_failure redis_link_open(struct redis_link *link, struct problem *problem)
{
	if (link->context)
		return REDIS_OK;
	enum redis_failure failure = connect_to(link, problem);

	if (!failure)
		failure = authenticate(link, problem);
	if (!failure)
		failure = ping(link, problem);
	if (failure)
		disconnect(link);
	return failure;
}
