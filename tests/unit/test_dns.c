/* test_dns.c - questions, answers, the cache and the resolver without a server. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/auth/dns.h"
#include "common/auth/dns_cache.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/unit.h"

static const struct dns_answer *lookup(struct dns *dns, struct text name, enum dns_type type)
{
	struct dns_job job;

	dns_job_init(&job, 1000000, 10);
	return dns_lookup(dns, &job, name, type);
}

TEST(dns_tells_data_no_data_no_name_and_failures_apart)
{
	struct dns_table *table = dns_table_new("a.example A 192.0.2.1\nb.example TEMP\nc.example BOGUS\n"
						"d.example CNAME a.example\n");
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_status wanted;
	} rows[] = {
		{ "a.example", DNS_A, DNS_DATA },      { "A.Example.", DNS_A, DNS_DATA },   { "a.example", DNS_TXT, DNS_NO_DATA },
		{ "x.example", DNS_A, DNS_NO_NAME },   { "b.example", DNS_A, DNS_TEMPORARY }, { "c.example", DNS_MX, DNS_BOGUS },
		{ "d.example", DNS_A, DNS_DATA },      { "a..example", DNS_A, DNS_BAD_NAME }, { "", DNS_A, DNS_BAD_NAME },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct dns_answer *answer = lookup(dns_table_source(table), text_of(rows[i].name), rows[i].type);

		CHECK_SAYING(answer->status == rows[i].wanted, "'%s' is %s", rows[i].name, dns_status_name(answer->status));
		CHECK((answer->error != NULL) == (rows[i].wanted >= DNS_BAD_NAME));
		dns_answer_free(answer);
	}
	dns_table_free(table);
}

static enum dns_status status_of(const struct dns_answer *answer)
{
	enum dns_status status = answer->status;

	dns_answer_free(answer);
	return status;
}

TEST(dns_finds_what_was_asked_in_advance_and_asks_for_it_once)
{
	struct dns_table *table = dns_table_new("a.example A 192.0.2.1\nb.example A 192.0.2.2\n");
	struct dns *dns = dns_table_source(table);
	struct dns_job job;
	char long_name[DOMAIN_SIZE + 1];

	memset(long_name, 'x', sizeof long_name);
	dns_job_init(&job, 1000000, 10);
	dns_advance(dns, &job, text_of("a.example"), DNS_A);
	dns_advance(dns, &job, text_of("A.example"), DNS_A);
	dns_advance(dns, &job, text_of("gone.example"), DNS_A);
	dns_advance(dns, &job, (struct text){ long_name, sizeof long_name }, DNS_A);
	CHECK_NUMBER(dns_table_asked(table), 2);
	CHECK_NUMBER(status_of(dns_lookup(dns, &job, text_of("A.EXAMPLE"), DNS_A)), DNS_DATA);
	CHECK_NUMBER(status_of(dns_lookup(dns, &job, text_of("gone.example"), DNS_A)), DNS_NO_NAME);
	CHECK_NUMBER(dns_table_asked(table), 2);
	/* It was taken; and of another type it never was. */
	CHECK_NUMBER(status_of(dns_lookup(dns, &job, text_of("a.example"), DNS_A)), DNS_DATA);
	CHECK_NUMBER(status_of(dns_lookup(dns, &job, text_of("gone.example"), DNS_TXT)), DNS_NO_NAME);
	CHECK_NUMBER(dns_table_asked(table), 4);
	for (int i = 0; i < DNS_ADVANCES_MAX + 3; i++)
		dns_advance(dns, &job, text_of(i % 2 ? "a.example" : "b.example"), i % 4 < 2 ? DNS_A : DNS_TXT);
	CHECK_NUMBER(job.advance_count, DNS_ADVANCES_MAX);
	dns_job_done(&job);
	CHECK_NUMBER(job.questions, 6);
	dns_table_free(table);
}

TEST(dns_answers_keep_their_lengths)
{
	struct dns_item items[] = { { { "a\0b", 3 }, 0 }, { { "", 0 }, 0 } };
	struct dns_answer *answer = dns_answer_new(DNS_DATA, DNS_TXT, 2, items, NULL);
	const struct dns_answer *shared = dns_answer_share(answer);

	dns_answer_free(answer);
	CHECK_NUMBER(shared->items[0].data.length, 3);
	CHECK(memcmp(shared->items[0].data.start, "a\0b", 3) == 0);
	CHECK_NUMBER(shared->items[1].data.length, 0);
	dns_answer_free(shared);
	dns_answer_free(dns_answer_fixed(DNS_FIXED_MEMORY));
	dns_answer_free(NULL);
	CHECK_STRING(dns_answer_fixed(DNS_FIXED_MEMORY)->error, "no memory");
}

TEST(dns_names_longer_than_253_octets_are_not_asked)
{
	struct dns_table *table = dns_table_new(NULL);
	char name[300];

	memset(name, 'a', sizeof name);
	for (size_t i = 50; i < sizeof name; i += 50)
		name[i] = '.';
	const struct dns_answer *answer = lookup(dns_table_source(table), (struct text){ name, 253 }, DNS_A);

	CHECK_NUMBER(answer->status, DNS_NO_NAME);
	dns_answer_free(answer);
	answer = lookup(dns_table_source(table), (struct text){ name, 254 }, DNS_A);
	CHECK_NUMBER(answer->status, DNS_BAD_NAME);
	dns_answer_free(answer);
	CHECK_NUMBER(dns_table_asked(table), 1);
	dns_table_free(table);
}

static const struct dns_answer *answer_for(unsigned ttl, enum dns_status status)
{
	struct dns_item item = { TEXT_LITERAL("text"), 0 };
	struct dns_answer *answer = dns_answer_new(status, DNS_TXT, status == DNS_DATA, &item, NULL);

	answer->ttl_seconds = ttl;
	return answer;
}

static void put(struct dns_cache *cache, const char *name, unsigned ttl, enum dns_status status)
{
	const struct dns_answer *answer = answer_for(ttl, status);

	dns_cache_put(cache, text_of(name), answer);
	dns_answer_free(answer);
}

static bool knows(struct dns_cache *cache, const char *name)
{
	const struct dns_answer *answer = dns_cache_find(cache, text_of(name), DNS_TXT);

	dns_answer_free(answer);
	return answer != NULL;
}

TEST(dns_cache_keeps_answers_for_their_time_and_the_latest_used_for_its_room)
{
	struct dns_cache *cache = dns_cache_new(3);
	struct dns_statistics statistics = { 0 };

	put(cache, "a.example", 2, DNS_DATA);
	put(cache, "b.example", 100, DNS_NO_NAME);
	put(cache, "none.example", 0, DNS_DATA);
	put(cache, "failed.example", 100, DNS_TEMPORARY);
	CHECK(knows(cache, "A.EXAMPLE.") && knows(cache, "b.example"));
	CHECK(!knows(cache, "none.example") && !knows(cache, "failed.example") && !knows(cache, "x.example"));
	put(cache, "c.example", 100, DNS_DATA);
	CHECK(knows(cache, "a.example"));
	put(cache, "d.example", 100, DNS_DATA);
	CHECK(knows(cache, "a.example") && !knows(cache, "b.example") && knows(cache, "d.example"));
	dns_cache_statistics(cache, &statistics);
	CHECK_NUMBER(statistics.cache_entries, 3);
	CHECK_NUMBER(statistics.cache_evicted, 1);
	CHECK_NUMBER(statistics.cache_hits, 5);
	CHECK(statistics.cache_bytes > 3 * sizeof(struct dns_answer));
	usleep(2100000);
	CHECK(!knows(cache, "a.example") && knows(cache, "d.example"));
	for (int i = 0; i < 20000; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "%d.example", i);
		put(cache, name, 100, DNS_DATA);
	}
	CHECK(knows(cache, "19999.example") && !knows(cache, "1.example"));
	dns_cache_statistics(cache, &statistics);
	CHECK_NUMBER(statistics.cache_entries, 3);
	dns_cache_free(cache);
	dns_cache_free(NULL);
}

TEST(dns_start_says_what_is_wrong_with_its_configuration)
{
	static const char *const bad[] = { "not an address" };
	static const struct {
		struct dns_config config;
		int error;
		const char *words;
	} rows[] = {
		{ { .servers = bad, .server_count = 1 }, -EINVAL, "'not an address'" },
		{ { .resolv_conf = "/nonexistent/resolv.conf" }, -ENOENT, "/nonexistent/resolv.conf" },
		{ { .resolv_conf = "/dev/null", .trust_anchor_file = "/nonexistent/anchor" }, -ENOENT, "/nonexistent/anchor" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct problem problem = { "" };
		struct dns *dns = NULL;

		CHECK_NUMBER(dns_start(&rows[i].config, &dns, &problem), rows[i].error);
		CHECK_SAYING(strstr(problem.text, rows[i].words), "'%s'", problem.text);
	}
	dns_stop(NULL);
}

/* A UDP socket on loopback that never answers. */
static int silent_server(char *ret_server, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
	      getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	(void)snprintf(ret_server, size, "127.0.0.1@%u", ntohs(address.sin_port));
	return fd;
}

static struct dns *start_silent(int *ret_fd, uint64_t question_time_us)
{
	static char server[64];
	static const char *const servers[] = { server };
	struct dns_config config = { .servers = servers, .server_count = 1, .question_time_us = question_time_us };
	struct problem problem = { "" };
	struct dns *dns = NULL;

	*ret_fd = silent_server(server, sizeof server);
	CHECK_SAYING(dns_start(&config, &dns, &problem) == 0, "%s", problem.text);
	return dns;
}

TEST(dns_forgets_what_was_asked_in_advance_and_never_answered)
{
	struct dns_job job;
	int fd;
	struct dns *dns = start_silent(&fd, 100000);

	dns_job_init(&job, 5000000, 100);
	dns_advance(dns, &job, text_of("a.example.com"), DNS_TXT);
	dns_advance(dns, &job, text_of("b.example.com"), DNS_TXT);
	dns_job_done(&job);
	dns_job_done(&job);
	dns_advance(dns, &job, text_of("c.example.com"), DNS_TXT);
	CHECK_NUMBER(status_of(dns_lookup(dns, &job, text_of("c.example.com"), DNS_TXT)), DNS_TEMPORARY);
	dns_job_done(&job);
	dns_stop(dns);
	(void)close(fd);
}

TEST(dns_ends_questions_at_their_time_when_the_server_is_silent)
{
	struct dns_statistics statistics;
	struct dns_job job;
	int fd;
	struct dns *dns = start_silent(&fd, 200000);
	uint64_t begun_us = dns_now_us();
	struct dns_future *futures[20];

	dns_job_init(&job, 5000000, 100);
	for (int i = 0; i < 20; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "n%d.example.com", i);
		futures[i] = dns_begin(dns, &job, text_of(name), DNS_TXT);
	}
	for (int i = 0; i < 20; i++) {
		const struct dns_answer *answer = dns_await(futures[i]);

		CHECK_NUMBER(answer->status, DNS_TEMPORARY);
		CHECK_STRING(answer->error, "no answer in time");
		dns_answer_free(answer);
	}
	uint64_t took_us = dns_now_us() - begun_us;

	/* Together, not one after the other. */
	CHECK_SAYING(took_us >= 200000 && took_us < 20 * 200000, "took %llu us", (unsigned long long)took_us);
	dns_statistics(dns, &statistics);
	CHECK_NUMBER(statistics.timeouts, 20);
	CHECK_NUMBER(statistics.pending, 0);
	dns_stop(dns);
	close(fd);
}

TEST(dns_ends_a_question_at_the_deadline_of_its_job)
{
	struct dns_statistics statistics;
	struct dns_job job;
	int fd;
	struct dns *dns = start_silent(&fd, 20000000);
	uint64_t begun_us = dns_now_us();

	dns_job_init(&job, 100000, 100);
	dns_answer_free(dns_lookup(dns, &job, TEXT_LITERAL("late.example.com"), DNS_A));
	uint64_t took_us = dns_now_us() - begun_us;

	CHECK_SAYING(took_us >= 100000 && took_us < 10000000, "took %llu us", (unsigned long long)took_us);
	dns_statistics(dns, &statistics);
	CHECK_NUMBER(statistics.timeouts, 1);
	CHECK_NUMBER(statistics.pending, 0);
	dns_stop(dns);
	close(fd);
}

static void *await(void *future)
{
	return (void *)(uintptr_t)dns_await(future);
}

TEST(dns_cancel_answers_those_who_wait)
{
	struct dns_job job;
	pthread_t thread;
	void *result;
	int fd;
	struct dns *dns = start_silent(&fd, 0);
	uint64_t begun_us = dns_now_us();

	dns_job_init(&job, 5000000, 100);
	pthread_create(&thread, NULL, await, dns_begin(dns, &job, TEXT_LITERAL("a.example.com"), DNS_A));
	struct dns_future *held = dns_begin(dns, &job, TEXT_LITERAL("b.example.com"), DNS_A);

	usleep(50000);
	dns_cancel(dns);
	pthread_join(thread, &result);
	CHECK_STRING(((const struct dns_answer *)result)->error, "the resolver stops");
	const struct dns_answer *late = dns_lookup(dns, &job, TEXT_LITERAL("c.example.com"), DNS_A);

	CHECK_STRING(late->error, "the resolver stops");
	dns_stop(dns);
	const struct dns_answer *answer = dns_await(held);

	CHECK_STRING(answer->error, "the resolver stops");
	CHECK(dns_now_us() - begun_us < 5000000);	/* before the job's deadline */
	close(fd);
}

static void count_answer(void *context, const struct dns_answer *answer)
{
	__atomic_fetch_add((unsigned *)context, 1, __ATOMIC_RELAXED);
	dns_answer_free(answer);
}

TEST(dns_refuses_more_than_it_can_have_in_flight)
{
	enum { EXTRA = 50 };
	struct dns_statistics statistics;
	unsigned answers = 0;
	int fd;
	struct dns *dns = start_silent(&fd, 60000000);

	for (int i = 0; i < DNS_PENDING_MAX + EXTRA; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "n%d.example.com", i);
		dns_ask(dns, &(struct dns_question){ text_of(name), DNS_A, dns_now_us() + 60000000, count_answer, &answers });
	}
	dns_statistics(dns, &statistics);
	CHECK_SAYING(statistics.refused >= 1 && statistics.refused <= EXTRA, "%llu refused",
		     (unsigned long long)statistics.refused);
	CHECK(statistics.pending <= DNS_PENDING_MAX);
	dns_stop(dns);
	CHECK_NUMBER(__atomic_load_n(&answers, __ATOMIC_RELAXED), DNS_PENDING_MAX + EXTRA);
	close(fd);
}

struct asker {
	struct dns *dns;
	unsigned number, answers;
};

static void *ask_often(void *argument)
{
	struct asker *asker = argument;

	for (unsigned i = 0; i < 30; i++) {
		struct dns_job job;
		char name[48];

		(void)snprintf(name, sizeof name, "n%u.example.com", i % 3 ? i : asker->number * 100 + i);
		dns_job_init(&job, 1000 + 3000 * (i % 5), 10);
		struct dns_future *first = dns_begin(asker->dns, &job, text_of(name), DNS_TXT);
		const struct dns_answer *answer = dns_lookup(asker->dns, &job, text_of(name), DNS_A);

		asker->answers += answer->status == DNS_TEMPORARY;
		dns_answer_free(answer);
		answer = dns_await(first);
		asker->answers += answer->status == DNS_TEMPORARY;
		dns_answer_free(answer);
	}
	return NULL;
}

TEST(dns_serves_many_threads_at_once)
{
	enum { ASKERS = 8 };
	struct asker askers[ASKERS];
	pthread_t threads[ASKERS];
	struct dns_statistics statistics;
	int fd;
	struct dns *dns = start_silent(&fd, 5000);

	for (unsigned i = 0; i < ASKERS; i++) {
		askers[i] = (struct asker){ dns, i, 0 };
		pthread_create(&threads[i], NULL, ask_often, &askers[i]);
	}
	for (unsigned i = 0; i < ASKERS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_NUMBER(askers[i].answers, 60);
	}
	dns_statistics(dns, &statistics);
	CHECK_NUMBER(statistics.pending, 0);
	dns_stop(dns);
	close(fd);
}

static void note_told(void *context, const struct dns_question *question, const struct dns_answer *answer,
		      uint64_t time_us)
{
	char *told = context;

	CHECK(time_us < 1000000);
	(void)snprintf(told, 100, "%s %.*s %s", dns_type_name(question->type), TEXT_ARGS(question->name),
		       dns_status_name(answer->status));
}

TEST(dns_tracer_tells_each_answer)
{
	struct dns_table *table = dns_table_new("a.example A 192.0.2.1\n");
	char told[100] = "";
	struct dns *tracer = dns_tracer_new(dns_table_source(table), note_told, told);
	const struct dns_answer *answer = lookup(tracer, TEXT_LITERAL("a.example"), DNS_A);

	CHECK_NUMBER(answer->status, DNS_DATA);
	CHECK_STRING(told, "A a.example data");
	dns_answer_free(answer);
	dns_tracer_free(tracer);
	dns_table_free(table);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(dns_tells_data_no_data_no_name_and_failures_apart),
		UNIT_TEST(dns_finds_what_was_asked_in_advance_and_asks_for_it_once),
		UNIT_TEST(dns_answers_keep_their_lengths),
		UNIT_TEST(dns_names_longer_than_253_octets_are_not_asked),
		UNIT_TEST(dns_cache_keeps_answers_for_their_time_and_the_latest_used_for_its_room),
		UNIT_TEST(dns_start_says_what_is_wrong_with_its_configuration),
		UNIT_TEST(dns_forgets_what_was_asked_in_advance_and_never_answered),
		UNIT_TEST(dns_ends_questions_at_their_time_when_the_server_is_silent),
		UNIT_TEST(dns_ends_a_question_at_the_deadline_of_its_job),
		UNIT_TEST(dns_cancel_answers_those_who_wait),
		UNIT_TEST(dns_refuses_more_than_it_can_have_in_flight),
		UNIT_TEST(dns_serves_many_threads_at_once),
		UNIT_TEST(dns_tracer_tells_each_answer),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
