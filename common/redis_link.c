/*
 * redis_link.c - one connection to Redis.
 *
 * hiredis 0.14 connects and takes replies apart. Its own writing and reading are not used: they
 * raise SIGPIPE, and their time limit is one for each system call, so that a server which
 * trickles would hold its caller for ever. Here one deadline covers a command and its reply.
 */
#include "redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "clock.h"
#include "redis_route.h"
#include "redis_tls.h"

/* Far above what the programs ask for; a server out of its mind must not take all memory. */
#define REPLY_BYTES_MAX (256u * 1024 * 1024)
#define REPLY_ELEMENTS_MAX (1024 * 1024)
#define INPUT_SIZE 65536
#define PASSWORD_MAX 1024
/* "*2" or "$11" and a line end, with the largest number. */
#define LENGTH_LINE_MAX 24
/* A node of a cluster names another; more often in a row means that they do not agree. */
#define REDIRECTS_MAX 4
/* Connections to other nodes of a cluster that are kept. */
#define PARKED_MAX 16
#define NAME_SIZE 512

struct parked {
	redisContext *context;		/* NULL: none */
	struct redis_tls *tls;
	struct redis_endpoint at;
};

struct redis_link {
	struct redis_options options;	/* its strings are the link's own */
	uint64_t extra_us;
	struct redis_address address;
	bool address_is_good;
	struct redis_route *route;	/* sentinel or cluster; else NULL */
	char name[NAME_SIZE];		/* for a person: address, and whom we talk to */
	redisContext *context;		/* NULL: closed */
	struct redis_tls *tls;		/* of it; NULL: none */
	struct redis_endpoint at;	/* whom we talk to, unless it is a socket */
	struct parked parked[PARKED_MAX];
	unsigned next_parked;		/* the next one to give up where all places are taken */
	redisReplyObjectFunctions functions, bounded;	/* hiredis' own; ours over them */
	redisReply *reply;
	int elements;			/* of all arrays of the reply that comes in */
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
	{ "TRYAGAIN ", REDIS_WAIT },
	{ "READONLY ", REDIS_ELSEWHERE },
	{ "MASTERDOWN ", REDIS_ELSEWHERE },
	/* It may be this node alone that is cut off from the others. */
	{ "CLUSTERDOWN ", REDIS_ELSEWHERE },
	{ "MOVED ", REDIS_ELSEWHERE },
	{ "ASK ", REDIS_ELSEWHERE },
	{ "NOAUTH ", REDIS_OPERATOR },
	{ "WRONGPASS ", REDIS_OPERATOR },
	{ "NOPERM ", REDIS_OPERATOR },
	{ "WRONGTYPE ", REDIS_OPERATOR },
	{ "CROSSSLOT ", REDIS_OPERATOR },
	{ "DENIED ", REDIS_OPERATOR },			/* protected mode */
	{ "ERR This instance has cluster support disabled", REDIS_OPERATOR },
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

enum { OPTIONAL_TEXTS = 7 };

/* The options' texts that may be left out; the link's own copies are never NULL. */
static const char **optional_text(struct redis_options *options, size_t i)
{
	const char **const texts[OPTIONAL_TEXTS] = {
		&options->user, &options->password_file, &options->sentinel_user, &options->sentinel_password_file,
		&options->tls_ca_file, &options->tls_certificate_file, &options->tls_key_file,
	};

	return texts[i];
}

static bool copy_text(const char **text)
{
	*text = strdup(*text ? *text : "");
	return *text != NULL;
}

/* False: no memory. An address that is none is said at each open. */
static bool find_route(struct redis_link *link)
{
	(void)snprintf(link->name, sizeof link->name, "%s", link->options.address);
	link->address_is_good = redis_address_parse(&link->address, link->options.address, NULL) == 0;
	if (!link->address_is_good || link->address.kind == REDIS_SINGLE)
		return true;
	link->route = redis_route_new(&link->options, &link->address);
	return link->route != NULL;
}

struct redis_link *redis_link_new(const struct redis_options *options)
{
	struct redis_link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->options = *options;
	link->options.address = strdup(options->address);
	bool copied = link->options.address != NULL;

	for (size_t i = 0; i < OPTIONAL_TEXTS; i++)
		copied = copy_text(optional_text(&link->options, i)) && copied;
	if (!copied || !find_route(link)) {
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
	redis_tls_free(link->tls);
	link->tls = NULL;
}

static void forget_parked(struct parked *parked)
{
	if (parked->context)
		redisFree(parked->context);
	redis_tls_free(parked->tls);
	*parked = (struct parked){ .context = NULL };
}

void redis_link_close(struct redis_link *link)
{
	if (!link)
		return;
	free_reply(link);
	disconnect(link);
	for (unsigned i = 0; i < PARKED_MAX; i++)
		forget_parked(&link->parked[i]);
}

void redis_link_free(struct redis_link *link)
{
	if (!link)
		return;
	redis_link_close(link);
	free((char *)link->options.address);
	for (size_t i = 0; i < OPTIONAL_TEXTS; i++)
		free((char *)*optional_text(&link->options, i));
	redis_route_free(link->route);
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
	problem_set(problem, "redis '%s': %s", link->name, why);
	disconnect(link);
	if (link->route)
		redis_route_forget(link->route);
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
	struct redis_link *link = task->privdata;

	/* Of all arrays of a reply: a small line makes each of them. */
	if (elements < 0 || elements > REPLY_ELEMENTS_MAX - link->elements)
		return NULL;
	link->elements += elements;
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
		uint64_t now = clock_steady_us();
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

/* Who ends a connection of TLS says why before: what it said has come, though nothing can be sent any more. */
static enum redis_failure lost_sending(struct redis_link *link, int error, struct problem *problem)
{
	ssize_t length = link->tls ? recv(link->context->fd, link->input, sizeof link->input, MSG_DONTWAIT) : 0;
	struct problem why;
	size_t plain;

	if (length > 0 && (redis_tls_came(link->tls, link->input, (size_t)length, &why) ||
			   redis_tls_read(link->tls, link->input, sizeof link->input, &plain, &why)))
		return lost(link, why.text, problem);
	return lost(link, strerror(error), problem);
}

static enum redis_failure send_plain(struct redis_link *link, const char *bytes, size_t length, uint64_t deadline_us,
				     struct problem *problem)
{
	size_t sent = 0;

	while (sent < length) {
		ssize_t more = send(link->context->fd, bytes + sent, length - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (more >= 0) {
			sent += (size_t)more;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			enum redis_failure failure = wait_ready(link, POLLOUT, deadline_us, problem);

			if (failure)
				return failure;
		} else if (errno != EINTR) {
			return lost_sending(link, errno, problem);
		}
	}
	return REDIS_OK;
}

/* Sends what TLS wants to be sent. */
static enum redis_failure flush_tls(struct redis_link *link, uint64_t deadline_us, struct problem *problem)
{
	const char *bytes;
	size_t length = redis_tls_to_send(link->tls, &bytes);
	enum redis_failure failure = length ? send_plain(link, bytes, length, deadline_us, problem) : REDIS_OK;

	if (!failure && length)
		redis_tls_sent(link->tls, length);
	return failure;
}

static enum redis_failure send_bytes(struct redis_link *link, const char *bytes, size_t length, uint64_t deadline_us,
				     struct problem *problem)
{
	struct problem why;

	if (!link->tls)
		return send_plain(link, bytes, length, deadline_us, problem);
	if (redis_tls_write(link->tls, bytes, length, &why))
		return lost(link, why.text, problem);
	return flush_tls(link, deadline_us, problem);
}

static enum redis_failure send_request(struct redis_link *link, uint64_t deadline_us, struct problem *problem)
{
	char head[LENGTH_LINE_MAX];
	size_t head_length = (size_t)(put_length(head, '*', link->request_words) - head);
	size_t begin = LENGTH_LINE_MAX - head_length;

	memcpy(link->request + begin, head, head_length);
	return send_bytes(link, link->request + begin, link->request_length - begin, deadline_us, problem);
}

/* *ret_length 0: nothing after all. */
static enum redis_failure receive_plain(struct redis_link *link, uint64_t deadline_us, size_t *ret_length,
					struct problem *problem)
{
	enum redis_failure failure = wait_ready(link, POLLIN, deadline_us, problem);

	*ret_length = 0;
	if (failure)
		return failure;
	ssize_t length = recv(link->context->fd, link->input, sizeof link->input, MSG_DONTWAIT);

	if (length == 0)
		return lost(link, "the server closed the connection", problem);
	if (length < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ?
		       REDIS_OK : lost(link, strerror(errno), problem);
	*ret_length = (size_t)length;
	return REDIS_OK;
}

/* Feeds what is in link->input to the reader. */
static enum redis_failure feed(struct redis_link *link, size_t length, size_t *total, struct problem *problem)
{
	*total += length;
	if (*total > REPLY_BYTES_MAX)
		return lost(link, "a reply beyond all measure", problem);
	if (redisReaderFeed(link->context->reader, link->input, length) != 0)
		return lost(link, link->context->reader->errstr, problem);
	return REDIS_OK;
}

static enum redis_failure feed_tls(struct redis_link *link, size_t length, size_t *total, struct problem *problem)
{
	struct problem why;

	if (redis_tls_came(link->tls, link->input, length, &why))
		return lost(link, why.text, problem);
	/* No more comes out than went in. */
	for (;;) {
		size_t plain = 0;

		if (redis_tls_read(link->tls, link->input, sizeof link->input, &plain, &why))
			return lost(link, why.text, problem);
		enum redis_failure failure = plain ? feed(link, plain, total, problem) : REDIS_OK;
		if (failure || !plain)
			return failure;
	}
}

static enum redis_failure receive_some(struct redis_link *link, uint64_t deadline_us, size_t *total,
				       struct problem *problem)
{
	size_t length;
	enum redis_failure failure = receive_plain(link, deadline_us, &length, problem);

	if (failure || !length)
		return failure;
	if (!link->tls)
		return feed(link, length, total, problem);
	failure = feed_tls(link, length, total, problem);
	return failure ? failure : flush_tls(link, deadline_us, problem);
}

static enum redis_failure receive_reply(struct redis_link *link, uint64_t deadline_us, struct problem *problem)
{
	size_t total = 0;

	link->elements = 0;
	for (;;) {
		void *reply = NULL;

		/* A server that never stops is never waited for. */
		if (total && clock_steady_us() >= deadline_us)
			return lost(link, "no answer in time", problem);

		if (redisReaderGetReply(link->context->reader, &reply) != 0)
			return lost(link, link->context->reader->errstr, problem);
		if (reply) {
			/* There may be one of the exchange before: a redirection, or of a greeting. */
			free_reply(link);
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

	problem_set(problem, "redis '%s' answers: %.*s", link->name, TEXT_ARGS(error));
	/* A new connection reads the password anew, and a new address may lead to another server. */
	if (failure == REDIS_RECONNECT || failure == REDIS_ELSEWHERE || failure == REDIS_OPERATOR)
		disconnect(link);
	if (link->route && !link->context)
		redis_route_forget(link->route);
	return failure;
}

static enum redis_failure greet(struct redis_link *link, struct redis_endpoint at, struct problem *problem);

/* Sends the command and takes its reply, which may be an error's. */
static enum redis_failure exchange(struct redis_link *link, struct redis_reply *ret_reply, struct problem *problem)
{
	uint64_t deadline_us = clock_steady_us() + link->options.command_timeout_us + link->extra_us;

	/* Bytes that no one asked for would be taken for the answer to this. */
	if (link->context->reader->len > link->context->reader->pos)
		return lost(link, "more than one answer to a command", problem);
	if (link->request_failed)
		return lost(link, strerror(ENOMEM), problem);

	enum redis_failure failure = send_request(link, deadline_us, problem);

	if (!failure)
		failure = receive_reply(link, deadline_us, problem);
	if (!failure)
		*ret_reply = reply_of(link->reply);
	return failure;
}

/* Keeps the connection for later. */
static void park(struct redis_link *link)
{
	struct parked *place = NULL;

	for (unsigned i = 0; i < PARKED_MAX && !place; i++)
		if (!link->parked[i].context)
			place = &link->parked[i];
	if (!place) {
		place = &link->parked[link->next_parked++ % PARKED_MAX];
		forget_parked(place);
	}
	*place = (struct parked){ link->context, link->tls, link->at };
	link->context = NULL;
	link->tls = NULL;
}

static void name_connection(struct redis_link *link)
{
	(void)snprintf(link->name, sizeof link->name, "%s:%d of %s", link->at.host, link->at.port, link->options.address);
}

static bool unpark(struct redis_link *link, const struct redis_endpoint *at)
{
	for (unsigned i = 0; i < PARKED_MAX; i++) {
		struct parked *place = &link->parked[i];

		if (!place->context || !redis_endpoint_equal(&place->at, at))
			continue;
		link->context = place->context;
		link->tls = place->tls;
		link->at = place->at;
		*place = (struct parked){ .context = NULL };
		name_connection(link);
		return true;
	}
	return false;
}

/* Talks to that one from now on. What is being said must not be lost to the words of the greeting. */
static enum redis_failure change_to(struct redis_link *link, struct redis_endpoint at, struct problem *problem)
{
	char *request = link->request;
	size_t size = link->request_size, length = link->request_length, words = link->request_words;
	bool request_failed = link->request_failed;

	if (link->context)
		park(link);
	if (unpark(link, &at))
		return REDIS_OK;
	link->request = NULL;
	link->request_size = 0;
	enum redis_failure failure = greet(link, at, problem);

	free(link->request);
	link->request = request;
	link->request_size = size;
	link->request_length = length;
	link->request_words = words;
	link->request_failed = request_failed;
	return failure;
}

static enum redis_failure say_asking(struct redis_link *link, struct problem *problem)
{
	static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
	struct redis_reply reply;
	uint64_t deadline_us = clock_steady_us() + link->options.command_timeout_us;
	enum redis_failure failure = send_bytes(link, asking, sizeof asking - 1, deadline_us, problem);

	if (!failure)
		failure = receive_reply(link, deadline_us, problem);
	if (failure)
		return failure;
	reply = reply_of(link->reply);
	return reply.type == REDIS_ERROR ? failed(link, reply.text, problem) : REDIS_OK;
}

/* Says the command where a node of a cluster sends us. It did nothing itself, so nothing is done twice. */
static enum redis_failure follow_redirections(struct redis_link *link, struct redis_reply *reply,
					      struct problem *problem)
{
	struct redis_endpoint home = link->at, to;
	enum redis_failure failure = REDIS_OK;
	bool asking = false;

	for (unsigned i = 0; i < REDIRECTS_MAX && !failure && reply->type == REDIS_ERROR &&
			     redis_route_redirected(link->route, reply->text, &link->at, &to, &asking); i++) {
		*reply = (struct redis_reply){ .type = REDIS_NIL };
		failure = change_to(link, to, problem);
		if (!failure && asking)
			failure = say_asking(link, problem);
		free_reply(link);
		if (!failure)
			failure = exchange(link, reply, problem);
		/* ASK is about this one command. */
		if (!asking)
			home = to;
	}
	if (failure)
		return failure;
	if (reply->type == REDIS_ERROR)
		failure = failed(link, reply->text, problem);
	if (link->context && !redis_endpoint_equal(&home, &link->at)) {
		park(link);
		(void)unpark(link, &home);
	}
	return failure;
}

enum redis_failure redis_link_run(struct redis_link *link, struct redis_reply *ret_reply, struct problem *problem)
{
	enum redis_failure failure = REDIS_OK;

	free_reply(link);
	if (!link->context) {
		problem_set(problem, "redis '%s': not connected", link->options.address);
		return REDIS_RECONNECT;
	}
	if (link->route)
		failure = redis_route_check(link->route, &link->at, problem);
	if (failure) {
		*ret_reply = (struct redis_reply){ .type = REDIS_NIL };
		disconnect(link);
		return failure;
	}
	failure = exchange(link, ret_reply, problem);
	if (failure || ret_reply->type != REDIS_ERROR)
		return failure;
	return link->route ? follow_redirections(link, ret_reply, problem) : failed(link, ret_reply->text, problem);
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

static enum redis_failure begin_tls(struct redis_link *link, struct problem *problem)
{
	uint64_t deadline_us = clock_steady_us() + link->options.connect_timeout_us;
	enum redis_failure failure = REDIS_OK;
	struct problem why;
	bool done = false;

	if (redis_tls_new(&link->tls, link->at.host, link->options.tls_ca_file, link->options.tls_certificate_file,
			  link->options.tls_key_file, &why)) {
		(void)lost(link, why.text, problem);
		return REDIS_OPERATOR;
	}
	while (!failure && !done) {
		size_t length = 0;
		int error = redis_tls_shake(link->tls, &done, &why);

		/* The server is to know why, too. */
		failure = flush_tls(link, deadline_us, problem);
		if (error && link->context)
			(void)lost(link, why.text, problem);
		if (error)
			return REDIS_OPERATOR;
		if (!failure && !done)
			failure = receive_plain(link, deadline_us, &length, problem);
		if (!failure && length && redis_tls_came(link->tls, link->input, length, &why))
			failure = lost(link, why.text, problem);
	}
	return failure;
}

static enum redis_failure connect_to(struct redis_link *link, struct problem *problem)
{
	struct timeval timeout = {
		.tv_sec = (time_t)(link->options.connect_timeout_us / 1000000),
		.tv_usec = (suseconds_t)(link->options.connect_timeout_us % 1000000),
	};

	link->context = link->address.path ? redisConnectUnixWithTimeout(link->address.path, timeout) :
			redisConnectWithTimeout(link->at.host, link->at.port, timeout);
	if (!link->context || link->context->err) {
		problem_set(problem, "cannot reach redis '%s': %s", link->name,
			    link->context ? link->context->errstr : strerror(ENOMEM));
		disconnect(link);
		return REDIS_RECONNECT;
	}
	(void)fcntl(link->context->fd, F_SETFD, FD_CLOEXEC);
	bound_replies(link);
	return link->address.tls ? begin_tls(link, problem) : REDIS_OK;
}

/* A sentinel may name a server before it is the master, and after it was. */
static enum redis_failure look_at_role(struct redis_link *link, struct problem *problem)
{
	struct text word = TEXT_LITERAL("ROLE");
	struct redis_reply reply;
	enum redis_failure failure = redis_link_command(link, 1, &word, &reply, problem);

	if (failure || text_is(redis_reply_at(&reply, 0).text, "master"))
		return failure;
	problem_set(problem, "redis '%s': the sentinels name it as master, and it says that it is none", link->name);
	disconnect(link);
	return REDIS_ELSEWHERE;
}

/* Connects, authenticates and sees that it answers. */
static enum redis_failure greet(struct redis_link *link, struct redis_endpoint at, struct problem *problem)
{
	link->at = at;
	if (link->route)
		name_connection(link);
	enum redis_failure failure = connect_to(link, problem);

	if (!failure)
		failure = authenticate(link, problem);
	if (!failure)
		failure = ping(link, problem);
	if (!failure && link->address.kind == REDIS_SENTINEL)
		failure = look_at_role(link, problem);
	if (failure) {
		disconnect(link);
		if (link->route)
			redis_route_forget(link->route);
	}
	return failure;
}

enum redis_failure redis_link_open(struct redis_link *link, struct problem *problem)
{
	struct redis_endpoint at = link->address.endpoints[0];
	enum redis_failure failure = REDIS_OK;

	if (link->context)
		return REDIS_OK;
	if (!link->address_is_good) {
		(void)redis_address_check(link->options.address, problem);
		return REDIS_OPERATOR;
	}
	if (link->route)
		failure = redis_route_find(link->route, &at, problem);
	if (failure)
		return failure;
	return link->route && unpark(link, &at) ? REDIS_OK : greet(link, at, problem);
}

enum redis_failure redis_link_for(struct redis_link *link, const char *key, struct problem *problem)
{
	struct redis_endpoint at;

	if (!redis_link_is_spread(link))
		return REDIS_OK;
	redis_route_for(link->route, text_of(key));
	if (!link->context)
		return REDIS_OK;
	enum redis_failure failure = redis_route_known(link->route, &at) ? REDIS_OK :
				     redis_route_find(link->route, &at, problem);

	if (failure || redis_endpoint_equal(&at, &link->at))
		return failure;
	free_reply(link);
	return change_to(link, at, problem);
}

bool redis_link_is_spread(const struct redis_link *link)
{
	return link->route && link->address.kind == REDIS_CLUSTER;
}
