/*
 * dns_unbound.c - the resolver: libunbound behind a cache of our own.
 *
 * One context, asked asynchronously (its waiting calls are 30 times slower), and one thread of ours that
 * alone touches it: it takes questions from a list, hands them to libunbound, brings the answers
 * and ends what is over its time. libunbound itself would take 17 s over a server that is silent.
 */
#include "common/auth/dns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <unbound.h>

#include "common/auth/dns_cache.h"
#include "common/auth/domain.h"
#include "common/behind.h"

#define QUESTION_TIME_US 3000000
#define CACHE_ENTRIES 8192
#define ESCAPED_SIZE (4 * DOMAIN_LENGTH_MAX + 8)

struct query {
	struct resolver *resolver;
	struct query *previous, *next;
	enum dns_type type;
	uint64_t deadline_us;
	dns_answered *answered;
	void *context;
	int id;				/* libunbound's */
	size_t length;
	char name[];
};

struct resolver {
	struct dns dns;
	struct ub_ctx *unbound;		/* the thread below only */
	struct dns_cache *cache;
	uint64_t question_time_us;
	int wake_fd;
	pthread_t thread;

	pthread_mutex_t lock;		/* guards the two below */
	struct query *incoming;		/* newest first */
	bool stopping;

	struct query *pending;		/* the thread only */
	uint64_t next_deadline_us;	/* no pending query ends before; the thread only */

	atomic_uint_fast64_t pending_count, questions, timeouts, refused;
	atomic_uint_fast64_t answers[DNS_BOGUS + 1];
};

/* Counts, answers and forgets a query that is in no list. */
static void query_end(struct query *query, const struct dns_answer *answer)
{
	struct resolver *resolver = query->resolver;

	atomic_fetch_add(&resolver->answers[answer->status], 1);
	atomic_fetch_sub(&resolver->pending_count, 1);
	query->answered(query->context, answer);
	free(query);
}

static void query_unlink(struct query *query)
{
	*(query->previous ? &query->previous->next : &query->resolver->pending) = query->next;
	if (query->next)
		query->next->previous = query->previous;
}

/* A name from the wire as text; what is no plain host name shows as \DDD. False: broken. */
static bool read_name(const unsigned char *wire, size_t size, char *ret_name, size_t *ret_length)
{
	size_t length = 0;

	for (size_t i = 0; i < size && wire[i] != 0; i += 1u + wire[i]) {
		if (wire[i] > DOMAIN_LABEL_MAX || i + 1u + wire[i] >= size)
			return false;
		if (length > 0)
			ret_name[length++] = '.';
		for (size_t k = i + 1; k <= i + wire[i]; k++) {
			bool is_plain = wire[k] > ' ' && wire[k] < 0x7f && wire[k] != '.' && wire[k] != '\\';

			if (length + 5 > ESCAPED_SIZE)
				return false;
			if (is_plain)
				ret_name[length++] = (char)wire[k];
			else
				length += (size_t)snprintf(ret_name + length, 5, "\\%03d", wire[k]);
		}
	}
	*ret_length = length;
	return true;
}

/* TXT: the strings joined, as RFC 7208 and 6376 want them. False: broken. */
static bool read_strings(const unsigned char *wire, size_t size, char *ret_text, size_t *ret_length)
{
	size_t length = 0;

	for (size_t i = 0; i < size; i += 1u + wire[i]) {
		if (i + wire[i] >= size)
			return false;
		memcpy(ret_text + length, wire + i + 1, wire[i]);
		length += wire[i];
	}
	*ret_length = length;
	return true;
}

/* Reads one item, its text into scratch (as big as the item, or ESCAPED_SIZE). */
static bool read_item(enum dns_type type, const unsigned char *wire, size_t size, char *scratch,
		      struct dns_item *ret_item)
{
	size_t length = size;
	bool is_good = false;

	*ret_item = (struct dns_item){ 0 };
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		is_good = size == (type == DNS_A ? 4 : 16);
		memcpy(scratch, wire, size);
		break;
	case DNS_TXT:
		is_good = read_strings(wire, size, scratch, &length);
		break;
	case DNS_PTR:
		is_good = read_name(wire, size, scratch, &length);
		break;
	case DNS_MX:
		is_good = size > 2 && read_name(wire + 2, size - 2, scratch, &length);
		ret_item->preference = is_good ? (unsigned)wire[0] << 8 | wire[1] : 0;
		break;
	}
	ret_item->data = (struct text){ scratch, length };
	return is_good;
}

static struct dns_answer *read_data(enum dns_type type, const struct ub_result *result)
{
	struct dns_item items[DNS_ITEMS_MAX];
	size_t count = 0, used = 0, size = 0, all = 0;

	for (; result->data[all]; all++)
		size += (size_t)result->len[all] > ESCAPED_SIZE ? (size_t)result->len[all] : ESCAPED_SIZE;
	if (all > DNS_ITEMS_MAX || (type == DNS_TXT && size > DNS_ANSWER_BYTES_MAX + DNS_ITEMS_MAX * ESCAPED_SIZE))
		return dns_answer_new(DNS_TEMPORARY, type, 0, NULL, dns_answer_fixed(DNS_FIXED_TOO_BIG)->error);
	char *scratch = malloc(size + 1);

	if (!scratch)
		return NULL;
	for (size_t i = 0; i < all; i++)
		if (read_item(type, (const unsigned char *)result->data[i], (size_t)result->len[i], scratch + used,
			      &items[count]))
			used += items[count++].data.length;
	struct dns_answer *answer = used > DNS_ANSWER_BYTES_MAX
		? dns_answer_new(DNS_TEMPORARY, type, 0, NULL, dns_answer_fixed(DNS_FIXED_TOO_BIG)->error)
		: dns_answer_new(count > 0 ? DNS_DATA : DNS_NO_DATA, type, count, items, NULL);

	free(scratch);
	return answer;
}

static const char *rcode_words(int rcode)
{
	switch (rcode) {
	case 1: return "the server answered FORMERR";
	case 2: return "the server answered SERVFAIL, or none answered";
	case 4: return "the server answered NOTIMP";
	case 5: return "the server answered REFUSED";
	default: return "the server answered with an error";
	}
}

static struct dns_answer *read_result(enum dns_type type, int error, const struct ub_result *result)
{
	if (error == UB_SYNTAX)
		return dns_answer_new(DNS_BAD_NAME, type, 0, NULL, ub_strerror(error));
	if (error)
		return dns_answer_new(DNS_TEMPORARY, type, 0, NULL, ub_strerror(error));
	if (result->bogus)
		return dns_answer_new(DNS_BOGUS, type, 0, NULL,
				      result->why_bogus ? result->why_bogus : "DNSSEC validation failed");
	if (result->rcode != 0 && result->rcode != 3)
		return dns_answer_new(DNS_TEMPORARY, type, 0, NULL, rcode_words(result->rcode));
	struct dns_answer *answer = result->nxdomain || result->rcode == 3
		? dns_answer_new(DNS_NO_NAME, type, 0, NULL, NULL)
		: result->havedata ? read_data(type, result) : dns_answer_new(DNS_NO_DATA, type, 0, NULL, NULL);

	if (answer && answer->status != DNS_TEMPORARY) {
		answer->secure = result->secure;
		answer->ttl_seconds = result->ttl > 0 ? (unsigned)result->ttl : 0;
	}
	return answer;
}

/* libunbound's callback, inside ub_process: the resolver's thread. */
static void query_resolved(void *context, int error, struct ub_result *result)
{
	struct query *query = context;
	const struct dns_answer *answer = read_result(query->type, error, result);

	ub_resolve_free(result);
	if (answer)
		dns_cache_put(query->resolver->cache, (struct text){ query->name, query->length }, answer);
	else
		answer = dns_answer_fixed(DNS_FIXED_MEMORY);
	query_unlink(query);
	query_end(query, answer);
}

/* The name as libunbound reads it: every odd byte as \DDD, so that none is an escape or a dot. */
static void escape_name(const struct query *query, char ret_escaped[static ESCAPED_SIZE])
{
	size_t length = 0;

	for (size_t i = 0; i < query->length; i++) {
		unsigned char byte = (unsigned char)query->name[i];
		bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
				(byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';

		if (is_plain)
			ret_escaped[length++] = (char)byte;
		else
			length += (size_t)snprintf(ret_escaped + length, 5, "\\%03d", byte);
	}
	ret_escaped[length] = '\0';
}

/* Hands a query that came in to libunbound. */
static void query_send(struct resolver *resolver, struct query *query)
{
	char escaped[ESCAPED_SIZE];

	query->previous = NULL;
	query->next = resolver->pending;
	if (query->next)
		query->next->previous = query;
	resolver->pending = query;
	if (query->deadline_us < resolver->next_deadline_us)
		resolver->next_deadline_us = query->deadline_us;
	escape_name(query, escaped);
	int error = ub_resolve_async(resolver->unbound, escaped, (int)query->type, 1, query, query_resolved,
				     &query->id);

	if (error) {
		const struct dns_answer *answer = read_result(query->type, error, NULL);

		query_unlink(query);
		query_end(query, answer ? answer : dns_answer_fixed(DNS_FIXED_MEMORY));
	}
}

/* Ends those whose time is over, or all, with a fixed answer. */
static void end_pending(struct resolver *resolver, uint64_t now_us, bool all)
{
	struct query *next;

	resolver->next_deadline_us = UINT64_MAX;
	for (struct query *query = resolver->pending; query; query = next) {
		next = query->next;
		if (!all && query->deadline_us > now_us) {
			if (query->deadline_us < resolver->next_deadline_us)
				resolver->next_deadline_us = query->deadline_us;
			continue;
		}
		ub_cancel(resolver->unbound, query->id);
		query_unlink(query);
		if (!all)
			atomic_fetch_add(&resolver->timeouts, 1);
		query_end(query, dns_answer_fixed(all ? DNS_FIXED_STOPS : DNS_FIXED_DEADLINE));
	}
}

static struct query *take_incoming(struct resolver *resolver, bool *ret_stopping)
{
	pthread_mutex_lock(&resolver->lock);
	struct query *incoming = resolver->incoming;

	resolver->incoming = NULL;
	*ret_stopping = resolver->stopping;
	pthread_mutex_unlock(&resolver->lock);
	return incoming;
}

static int time_to_wait_ms(const struct resolver *resolver)
{
	uint64_t now_us = dns_now_us();

	if (resolver->next_deadline_us == UINT64_MAX)
		return -1;
	if (resolver->next_deadline_us <= now_us)
		return 0;
	uint64_t wait_ms = (resolver->next_deadline_us - now_us) / 1000 + 1;

	return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

static void *resolver_run(void *argument)
{
	struct resolver *resolver = argument;
	struct pollfd ends[] = { { ub_fd(resolver->unbound), POLLIN, 0 }, { resolver->wake_fd, POLLIN, 0 } };
	bool stopping = false;
	uint64_t count;
	sigset_t all;

	/* Signals are the program's business; libunbound's own thread inherits this, and the name. */
	behind_begin("dns");
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!stopping) {
		(void)poll(ends, 2, time_to_wait_ms(resolver));
		if (ends[1].revents && read(resolver->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
			stopping = true;
		(void)ub_process(resolver->unbound);
		struct query *next, *query = take_incoming(resolver, &stopping);

		for (; query; query = next) {
			next = query->next;
			query_send(resolver, query);
		}
		uint64_t now_us = dns_now_us();

		if (stopping || now_us >= resolver->next_deadline_us)
			end_pending(resolver, now_us, stopping);
	}
	return NULL;
}

static void wake(const struct resolver *resolver)
{
	uint64_t one = 1;

	/* It can only fail where the count is at its end, and then the thread is awake. */
	if (write(resolver->wake_fd, &one, sizeof one) < 0)
		return;
}

/* Gives the query to the thread; false where it stops. */
static bool query_hand_over(struct resolver *resolver, struct query *query)
{
	pthread_mutex_lock(&resolver->lock);
	bool was_empty = !resolver->incoming, taken = !resolver->stopping;

	if (taken) {
		query->next = resolver->incoming;
		resolver->incoming = query;
	}
	pthread_mutex_unlock(&resolver->lock);
	if (taken && was_empty)
		wake(resolver);
	return taken;
}

static void resolver_ask(struct dns *dns, const struct dns_question *question)
{
	struct resolver *resolver = (struct resolver *)dns;
	const struct dns_answer *known = dns_cache_find(resolver->cache, question->name, question->type);
	uint64_t latest_us = dns_now_us() + resolver->question_time_us;

	atomic_fetch_add(&resolver->questions, 1);
	if (known) {
		question->answered(question->context, known);
		return;
	}
	if (atomic_fetch_add(&resolver->pending_count, 1) >= DNS_PENDING_MAX) {
		atomic_fetch_sub(&resolver->pending_count, 1);
		atomic_fetch_add(&resolver->refused, 1);
		question->answered(question->context, dns_answer_fixed(DNS_FIXED_IN_FLIGHT));
		return;
	}
	struct query *query = malloc(sizeof *query + question->name.length);

	if (!query) {
		atomic_fetch_sub(&resolver->pending_count, 1);
		question->answered(question->context, dns_answer_fixed(DNS_FIXED_MEMORY));
		return;
	}
	*query = (struct query){
		.resolver = resolver, .type = question->type,
		.deadline_us = question->deadline_us < latest_us ? question->deadline_us : latest_us,
		.answered = question->answered, .context = question->context,
		.length = question->name.length,
	};
	memcpy(query->name, question->name.start, question->name.length);
	if (!query_hand_over(resolver, query))
		query_end(query, dns_answer_fixed(DNS_FIXED_STOPS));
}

static const struct {
	const char *name;
	const char *value;
} options[] = {
	{ "do-not-query-localhost:", "no" },
	/* Each waits longer than the one before. With fewer a server that answers at once from its cache would have no
	 * time, of a question's own, to ask for what is not there. */
	{ "outbound-msg-retry:", "5" },
	/* A server that was away is asked again at once, not in two minutes. */
	{ "infra-host-ttl:", "10" },
	{ "infra-keep-probing:", "yes" },
	{ "cache-max-negative-ttl:", "60" },
	/* The order of items must not change a result from one message to the next. */
	{ "rrset-roundrobin:", "no" },
	/* What the site's own servers say of its own zones counts, reverse zones of private
	 * addresses among them. */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
};

/* Zones that libunbound would answer itself, and that a site may have. */
static const char *const site_zones[] = { "test.", "home.arpa." };

static int set_servers(struct ub_ctx *unbound, const struct dns_config *config, struct problem *problem)
{
	const char *file = config->resolv_conf ? config->resolv_conf : "/etc/resolv.conf";

	for (size_t i = 0; i < config->server_count; i++)
		if (ub_ctx_set_fwd(unbound, config->servers[i])) {
			problem_set(problem, "'%s' is no DNS server: ADDRESS or ADDRESS@PORT is wanted",
				    config->servers[i]);
			return -EINVAL;
		}
	if (config->server_count > 0)
		return 0;
	if (access(file, R_OK) != 0) {
		int error = errno;

		problem_set(problem, "cannot read '%s' for the DNS servers: %s", file, strerror(error));
		return -error;
	}
	if (ub_ctx_resolvconf(unbound, file)) {
		problem_set(problem, "cannot use '%s' for the DNS servers", file);
		return -EINVAL;
	}
	return 0;
}

static int set_trust_anchor(struct ub_ctx *unbound, const char *file, struct problem *problem)
{
	int failed = ub_ctx_set_option(unbound, "module-config:", file ? "validator iterator" : "iterator");

	if (!file)
		return failed ? -EINVAL : 0;
	/* libunbound reads the file at the first question, too late to tell. */
	if (access(file, R_OK) != 0) {
		int error = errno;

		problem_set(problem, "cannot read the trust anchor '%s': %s", file, strerror(error));
		return -error;
	}
	if (failed || ub_ctx_add_ta_file(unbound, file)) {
		problem_set(problem, "cannot use the trust anchor '%s'", file);
		return -EINVAL;
	}
	return 0;
}

/* libunbound forgets what is set after the first question; so everything is set here. */
static int configure(struct ub_ctx *unbound, const struct dns_config *config, struct problem *problem)
{
	ub_ctx_debugout(unbound, NULL);
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		int error = ub_ctx_set_option(unbound, options[i].name, options[i].value);

		if (error) {
			problem_set(problem, "libunbound refuses '%s %s': %s", options[i].name, options[i].value,
				    ub_strerror(error));
			return -EINVAL;
		}
	}
	int error = set_servers(unbound, config, problem);

	if (!error)
		error = set_trust_anchor(unbound, config->trust_anchor_file, problem);
	if (!error && ub_ctx_async(unbound, 1)) {
		problem_set(problem, "libunbound cannot use threads");
		error = -EINVAL;
	}
	/* The first of these ends all setting. */
	for (size_t i = 0; !error && i < sizeof site_zones / sizeof site_zones[0]; i++)
		if (ub_ctx_zone_remove(unbound, site_zones[i])) {
			problem_set(problem, "libunbound refuses its configuration");
			error = -EINVAL;
		}
	return error;
}

int dns_start(const struct dns_config *config, struct dns **ret_dns, struct problem *problem)
{
	static const struct dns_methods methods = { .ask = resolver_ask };
	struct resolver *resolver = calloc(1, sizeof *resolver);
	int error = -ENOMEM;

	if (!resolver)
		return -ENOMEM;
	resolver->dns.methods = &methods;
	resolver->question_time_us = config->question_time_us ? config->question_time_us : QUESTION_TIME_US;
	resolver->next_deadline_us = UINT64_MAX;
	resolver->cache = dns_cache_new(config->cache_entries ? config->cache_entries : CACHE_ENTRIES);
	if (!resolver->cache)
		goto free_resolver;
	resolver->unbound = ub_ctx_create();
	if (!resolver->unbound)
		goto free_cache;
	error = configure(resolver->unbound, config, problem);
	if (error)
		goto delete_unbound;
	resolver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = resolver->wake_fd < 0 ? -errno : 0;
	if (error)
		goto delete_unbound;
	pthread_mutex_init(&resolver->lock, NULL);
	error = -pthread_create(&resolver->thread, NULL, resolver_run, resolver);
	if (error)
		goto close_wake;
	*ret_dns = &resolver->dns;
	return 0;

close_wake:
	pthread_mutex_destroy(&resolver->lock);
	close(resolver->wake_fd);
delete_unbound:
	ub_ctx_delete(resolver->unbound);
free_cache:
	dns_cache_free(resolver->cache);
free_resolver:
	free(resolver);
	return error;
}

void dns_cancel(struct dns *dns)
{
	struct resolver *resolver = (struct resolver *)dns;

	pthread_mutex_lock(&resolver->lock);
	resolver->stopping = true;
	pthread_mutex_unlock(&resolver->lock);
	wake(resolver);
}

void dns_stop(struct dns *dns)
{
	struct resolver *resolver = (struct resolver *)dns;

	if (!dns)
		return;
	dns_cancel(dns);
	pthread_join(resolver->thread, NULL);
	ub_ctx_delete(resolver->unbound);
	close(resolver->wake_fd);
	pthread_mutex_destroy(&resolver->lock);
	dns_cache_free(resolver->cache);
	free(resolver);
}

void dns_statistics(struct dns *dns, struct dns_statistics *ret_statistics)
{
	struct resolver *resolver = (struct resolver *)dns;

	*ret_statistics = (struct dns_statistics){
		.questions = atomic_load(&resolver->questions),
		.timeouts = atomic_load(&resolver->timeouts),
		.refused = atomic_load(&resolver->refused),
		.pending = atomic_load(&resolver->pending_count),
	};
	for (int i = 0; i <= DNS_BOGUS; i++)
		ret_statistics->answers[i] = atomic_load(&resolver->answers[i]);
	dns_cache_statistics(resolver->cache, ret_statistics);
}
