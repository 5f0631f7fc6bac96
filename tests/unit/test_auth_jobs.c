/* test_auth_jobs.c - checks beside the mail, with a DNS server that takes every question and answers none. */
#include "milter/auth_jobs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

/* The recorder of this test keeps each record as "stage field=value ...". */
enum { KEPT_MAX = 4096 };
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static char *kept[KEPT_MAX];
static size_t kept_count;

bool recorder_put(struct recorder *recorder, struct record *record)
{
	struct record_view view;
	struct record_value value;
	char *text = NULL, scratch[RECORD_VALUE_TEXT_MAX];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)recorder;
	(void)record_view_open(&view, record_finish(record));
	fprintf(out, "%s", stage_name(view.stage));
	while (record_view_next(&view, &value))
		if (value.number != FIELD_TIME_US)
			fprintf(out, " %s=%.*s", value.info->name, TEXT_ARGS(record_value_text(&value, scratch)));
	fputc(' ', out);
	(void)fclose(out);
	record_done(record);
	pthread_mutex_lock(&kept_lock);
	if (kept_count < KEPT_MAX)
		kept[kept_count++] = text;
	else
		free(text);
	pthread_mutex_unlock(&kept_lock);
	return true;
}

/* Records that begin with the stage and hold both texts. */
static size_t count_kept(const char *stage, const char *one, const char *other)
{
	size_t count = 0;

	pthread_mutex_lock(&kept_lock);
	for (size_t i = 0; i < kept_count; i++)
		count += strncmp(kept[i], stage, strlen(stage)) == 0 && strstr(kept[i], one) && strstr(kept[i], other);
	pthread_mutex_unlock(&kept_lock);
	return count;
}

static void forget(void)
{
	pthread_mutex_lock(&kept_lock);
	while (kept_count)
		free(kept[--kept_count]);
	pthread_mutex_unlock(&kept_lock);
}

static uint64_t now_us(void)
{
	return dns_now_us();
}

static void pause_us(long us)
{
	const struct timespec pause = { us / 1000000, us % 1000000 * 1000 };

	(void)nanosleep(&pause, NULL);
}

/* Waits until so many records of the stage are there. */
static bool wait_kept(const char *stage, size_t count)
{
	uint64_t until_us = now_us() + 10000000;

	while (count_kept(stage, "", "") < count) {
		if (now_us() > until_us)
			return false;
		pause_us(2000);
	}
	return true;
}

struct fixture {
	int socket;
	struct config *config;
	struct auth_jobs *jobs;
};

static void set_up(struct fixture *fixture, const char *options)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof address;
	char name[] = "/tmp/test_auth_jobs.XXXXXX";
	struct problem problem = { "" };
	int file = mkstemp(name);

	fixture->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(bind(fixture->socket, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK(getsockname(fixture->socket, (struct sockaddr *)&address, &length) == 0);
	dprintf(file, "dns_servers = { \"127.0.0.1@%u\" }\n%s", ntohs(address.sin_port), options);
	(void)close(file);
	fixture->jobs = NULL;
	CHECK_SAYING(config_read(&fixture->config, name, &problem) == 0, "%s", problem.text);
	(void)unlink(name);
	CHECK_SAYING(auth_jobs_start(&fixture->jobs, fixture->config, NULL, "mx.example", &problem) == 0, "%s", problem.text);
}

static void take_down(struct fixture *fixture)
{
	auth_jobs_free(fixture->jobs);
	config_release(fixture->config);
	(void)close(fixture->socket);
	forget();
}

static struct auth_job *begin_from(struct fixture *fixture, uint64_t message, enum config_origin origin, const char *from)
{
	struct auth_sender sender = {
		.session = "0123.1", .message = message, .origin = origin, .helo = TEXT_LITERAL("mail.example.com"),
		.from = text_of(from),
	};

	(void)spf_address_parse("192.0.2.1", &sender.client);
	return auth_job_new(fixture->jobs, fixture->config, &sender);
}

static struct auth_job *begin(struct fixture *fixture, uint64_t message, enum config_origin origin)
{
	return begin_from(fixture, message, origin, "ann@example.com");
}

static void feed(struct auth_job *job)
{
	auth_job_header(job, text_of("DKIM-Signature"),
			text_of(" v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=AAAA; b=AAAA"));
	auth_job_header(job, text_of("From"), text_of(" ann@example.com"));
	auth_job_end_of_header(job);
	auth_job_body(job, text_of("Hello.\r\n"));
}

static void submit(struct auth_job *job)
{
	const struct auth_end end = {
		.queue_id = "4Q1", .size = 100, .recipients = 2, .from_count = 1, .from_domain = TEXT_LITERAL("example.com"),
	};

	auth_job_submit(job, &end);
}

/* Without a CHECK, since many threads do it at a time: a job that is missing leaves no records. */
static void send_whole(struct fixture *fixture, uint64_t message)
{
	struct auth_job *job = begin(fixture, message, CONFIG_ORIGIN_INBOUND);

	feed(job);
	submit(job);
}

/* A verdict is written before it is counted: waits until so many messages are counted as not checked to the end. */
static struct auth_statistics wait_counted(struct fixture *fixture, uint64_t count)
{
	uint64_t until_us = now_us() + 10000000;
	struct auth_statistics statistics;

	do {
		auth_jobs_statistics(fixture->jobs, &statistics);
		pause_us(1000);
	} while (statistics.overload + statistics.deadline + statistics.shutdown < count && now_us() < until_us);
	return statistics;
}

TEST(a_server_that_never_answers_holds_nobody_up_and_leaves_all_records)
{
	struct fixture fixture;
	struct auth_statistics statistics;
	struct rusage before, after;

	set_up(&fixture, "auth_deadline = 300ms\nspf_engines = { builtin, libspf2 }\n");
	/* Who waits for the DNS gives up the processor by itself; the time alone says nothing on a busy machine. */
	uint64_t begun_us = now_us();

	(void)getrusage(RUSAGE_THREAD, &before);
	send_whole(&fixture, 1);
	(void)getrusage(RUSAGE_THREAD, &after);
	CHECK_SAYING(now_us() - begun_us < 200000 || after.ru_nvcsw == before.ru_nvcsw, "it waited %ld times, %llu us",
		     after.ru_nvcsw - before.ru_nvcsw, (unsigned long long)(now_us() - begun_us));
	CHECK(wait_kept("verdict", 1));
	CHECK_NUMBER(count_kept("spf", "result=temperror", "session=0123.1 msg=1 queue_id=4Q1"), 4);
	CHECK_NUMBER(count_kept("spf", "spf_identity=helo", "domain=mail.example.com"), 2);
	CHECK_NUMBER(count_kept("spf", "engine=builtin", "error="), 2);
	CHECK_NUMBER(count_kept("dkim", "result=temperror", "error=deadline "), 1);
	CHECK_NUMBER(count_kept("dkim", "domain=example.com", "selector=s "), 1);
	CHECK_NUMBER(count_kept("dmarc", "result=temperror", "why=dns_temporary"), 1);
	CHECK_NUMBER(count_kept("verdict", "skipped=deadline", "spf=temperror dkim=temperror dmarc=temperror"), 1);
	CHECK_NUMBER(count_kept("verdict", "origin=inbound from=ann@example.com recipients=2", "size=100"), 1);
	statistics = wait_counted(&fixture, 1);
	CHECK_NUMBER(statistics.jobs, 1);
	CHECK_NUMBER(statistics.deadline, 1);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

/* The names stand in a question as lengths and labels. */
static bool has_label(const char *packet, size_t length, const char *wire)
{
	return memmem(packet, length, wire, strlen(wire)) != NULL;
}

/* With a server that never answers none of these comes behind another one. */
TEST(no_check_begins_before_the_reply_to_the_message_is_out)
{
	struct fixture fixture;
	char question[512];

	set_up(&fixture, "auth_deadline = 300ms\n");
	uint64_t begun_us = now_us();

	send_whole(&fixture, 1);
	CHECK(recv(fixture.socket, question, sizeof question, 0) > 0);
	CHECK_SAYING(now_us() - begun_us >= 3000, "after %llu us", (unsigned long long)(now_us() - begun_us));
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

TEST(what_each_check_asks_first_is_on_its_way_before_any_answer)
{
	static const char *const wanted[] = {
		"\4mail\7example", "\7example\3com", "\6_dmarc\7example", "\1s\12_domainkey\7example",
	};
	enum { WANTED = sizeof wanted / sizeof wanted[0] };
	const struct timeval wait = { 0, 100000 };
	bool seen[WANTED] = { false };
	struct fixture fixture;
	uint64_t until_us = now_us() + 10000000;
	char packet[512];
	size_t count = 0;

	set_up(&fixture, "auth_deadline = 30s\ndns_timeout = 30s\n");
	CHECK(setsockopt(fixture.socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0);
	send_whole(&fixture, 1);
	while (count < WANTED && now_us() < until_us) {
		ssize_t length = recv(fixture.socket, packet, sizeof packet, 0);

		for (size_t i = WANTED; length > 12 && i-- > 0;)
			if (!seen[i] && has_label(packet + 12, (size_t)length - 12, wanted[i]) &&
			    (i != 1 || packet[12] == 7)) {
				seen[i] = true;
				count++;
			}
	}
	for (size_t i = 0; i < WANTED; i++)
		CHECK_SAYING(seen[i], "%s was not asked for", wanted[i]);
	CHECK_NUMBER(count_kept("", "", ""), 0);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

TEST(what_finds_no_room_is_recorded_as_overload_and_counted)
{
	struct fixture fixture;
	struct auth_statistics statistics;
	enum { SENT = 20 };

	set_up(&fixture, "auth_deadline = 400ms\nauth_workers = 1\nauth_queue = 2\n");
	for (uint64_t i = 1; i <= SENT; i++)
		send_whole(&fixture, i);
	CHECK(wait_kept("verdict", SENT));
	statistics = wait_counted(&fixture, SENT);
	CHECK_NUMBER(statistics.jobs, SENT);
	CHECK_SAYING(statistics.overload >= SENT - 3, "%llu", (unsigned long long)statistics.overload);
	CHECK_NUMBER(count_kept("verdict", "skipped=overload", ""), statistics.overload);
	CHECK_NUMBER(count_kept("dkim", "result=temperror", "error=overload"), statistics.overload);
	CHECK_NUMBER(count_kept("spf", "result=temperror", "error=overload"), statistics.overload);
	CHECK_NUMBER(count_kept("verdict", "skipped=deadline", ""), statistics.deadline);
	CHECK_NUMBER(statistics.overload + statistics.deadline, SENT);
	CHECK_NUMBER(count_kept("verdict", "spf=", "skipped=overload"), 0);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

/* A message whose signed header is of 100 kB. */
static void send_large(struct fixture *fixture, uint64_t message)
{
	enum { LARGE = 100000 };
	struct auth_job *job = begin(fixture, message, CONFIG_ORIGIN_INBOUND);
	char *value = malloc(LARGE);

	CHECK(value != NULL);
	memset(value, 'x', LARGE);
	auth_job_header(job, text_of("X-Large"), (struct text){ value, LARGE });
	free(value);
	feed(job);
	submit(job);
}

/* 1 MiB takes at most ten messages of 100 kB, and there is room for them by number. */
TEST(the_queue_is_bounded_by_bytes_too)
{
	struct fixture fixture;
	struct auth_statistics statistics;
	enum { SENT = 40, ROOM = 1024 * 1024 };

	set_up(&fixture, "auth_deadline = 1s\nauth_workers = 1\nauth_queue = 1000\nauth_queue_size = 1M\n");
	for (uint64_t i = 1; i <= SENT; i++) {
		send_large(&fixture, i);
		auth_jobs_statistics(fixture.jobs, &statistics);
		CHECK_SAYING(statistics.waiting_bytes >= statistics.waiting * 100000 && statistics.waiting_bytes <= ROOM,
			     "%llu bytes of %llu", (unsigned long long)statistics.waiting_bytes,
			     (unsigned long long)statistics.waiting);
	}
	CHECK(wait_kept("verdict", SENT));
	statistics = wait_counted(&fixture, SENT);
	CHECK_NUMBER(statistics.jobs, SENT);
	CHECK_SAYING(statistics.overload > 0 && statistics.deadline > 2, "%llu", (unsigned long long)statistics.overload);
	CHECK_NUMBER(count_kept("verdict", "skipped=overload", ""), statistics.overload);
	CHECK_NUMBER(count_kept("dkim", "result=temperror", "error=overload"), statistics.overload);
	CHECK_NUMBER(statistics.overload + statistics.deadline, SENT);
	auth_jobs_stop(fixture.jobs, 0);
	auth_jobs_statistics(fixture.jobs, &statistics);
	CHECK_NUMBER(statistics.waiting_bytes, 0);
	take_down(&fixture);
}

TEST(of_an_aborted_message_spf_alone_is_finished)
{
	struct fixture fixture;
	struct auth_job *job;

	set_up(&fixture, "auth_deadline = 200ms\n");
	job = begin(&fixture, 1, CONFIG_ORIGIN_INBOUND);
	feed(job);
	auth_job_abort(job, "");
	job = begin(&fixture, 2, CONFIG_ORIGIN_LOCAL);
	feed(job);
	auth_job_abort(job, "");
	auth_job_free(begin(&fixture, 3, CONFIG_ORIGIN_INBOUND));
	CHECK(wait_kept("spf", 2));
	auth_jobs_stop(fixture.jobs, 1000000);
	CHECK_NUMBER(count_kept("spf", "msg=1 ", "result=temperror"), 2);
	CHECK_NUMBER(count_kept("", "", ""), 2);
	take_down(&fixture);
}

/* One client could begin and give up messages without end, of domains whose DNS is slow. */
TEST(messages_that_were_aborted_leave_room_and_workers_to_whole_ones)
{
	struct fixture fixture;
	struct auth_statistics statistics;
	enum { SENT = 100, MAY_WAIT = 2 };

	set_up(&fixture, "auth_deadline = 30s\ndns_timeout = 300ms\nauth_workers = 1\nauth_queue = 4\n");
	for (uint64_t i = 1; i <= SENT; i++) {
		auth_job_abort(begin(&fixture, i, CONFIG_ORIGIN_INBOUND), "");
		auth_jobs_statistics(fixture.jobs, &statistics);
		CHECK_SAYING(statistics.waiting <= MAY_WAIT, "%llu", (unsigned long long)statistics.waiting);
	}
	CHECK(statistics.overload > 0);
	size_t before = count_kept("spf", "error=TXT", "");

	send_whole(&fixture, SENT + 1);
	CHECK(wait_kept("verdict", 1));
	CHECK_NUMBER(count_kept("verdict", "skipped=", ""), 0);
	/* Its own two, and those of the one that was in hand. */
	CHECK_SAYING(count_kept("spf", "error=TXT", "") <= before + 4, "%zu, %zu before", count_kept("spf", "error=TXT", ""), before);
	auth_jobs_stop(fixture.jobs, 0);
	auth_jobs_statistics(fixture.jobs, &statistics);
	CHECK_NUMBER(statistics.waiting, 0);
	take_down(&fixture);
}

TEST(of_an_address_too_long_its_domain_is_asked_about)
{
	struct fixture fixture;
	char from[2048];

	memset(from, 'a', sizeof from);
	(void)snprintf(from + 505, sizeof from - 505, "@example.net.%s@example.org", "attacker.example");
	set_up(&fixture, "auth_deadline = 200ms\n");
	submit(begin_from(&fixture, 1, CONFIG_ORIGIN_INBOUND, from));
	CHECK(wait_kept("verdict", 1));
	CHECK_NUMBER(count_kept("spf", "spf_identity=mailfrom", "domain=example.org "), 1);
	CHECK_NUMBER(count_kept("verdict", "from=aaa", "example@example.org "), 1);
	CHECK_NUMBER(count_kept("verdict", "cut", ""), 1);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

TEST(a_stop_gives_a_bounded_time_and_records_the_rest)
{
	struct fixture fixture;
	struct auth_statistics statistics;
	uint64_t begun_us;
	enum { SENT = 12 };

	set_up(&fixture, "auth_deadline = 30s\ndns_timeout = 20s\nauth_workers = 3\n");
	for (uint64_t i = 1; i <= SENT; i++)
		send_whole(&fixture, i);
	begun_us = now_us();
	auth_jobs_stop(fixture.jobs, 100000);
	/* Long before the time of a question. */
	CHECK_SAYING(now_us() - begun_us < 15000000, "%llu us", (unsigned long long)(now_us() - begun_us));
	CHECK_NUMBER(count_kept("verdict", "", ""), SENT);
	CHECK_NUMBER(count_kept("verdict", "skipped=shutdown", ""), SENT);
	CHECK_NUMBER(count_kept("dkim", "result=temperror", ""), SENT);
	send_whole(&fixture, SENT + 1);
	CHECK_NUMBER(count_kept("verdict", "msg=13 ", "skipped=shutdown"), 1);
	auth_jobs_statistics(fixture.jobs, &statistics);
	CHECK_NUMBER(statistics.shutdown, SENT + 1);
	take_down(&fixture);
}

TEST(what_is_checked_is_chosen_by_where_it_comes_from)
{
	struct fixture fixture;
	struct auth_job *job;

	set_up(&fixture, "auth_deadline = 200ms\nspf_origins = { }\ndkim_origins = { inbound, authenticated }\n");
	for (uint64_t i = 0; i <= CONFIG_ORIGIN_LOCAL; i++) {
		job = begin(&fixture, i, (enum config_origin)i);
		feed(job);
		submit(job);
	}
	CHECK(wait_kept("verdict", 3));
	CHECK_NUMBER(count_kept("spf", "", ""), 0);
	CHECK_NUMBER(count_kept("dkim", "", ""), 2);
	CHECK_NUMBER(count_kept("dmarc", "msg=0 ", ""), 1);
	CHECK_NUMBER(count_kept("dmarc", "", ""), 1);
	CHECK_NUMBER(count_kept("verdict", "origin=authenticated", "dkim=temperror"), 1);
	CHECK_NUMBER(count_kept("verdict", "origin=local", "skipped=origin"), 1);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

TEST(a_from_without_one_address_is_a_permanent_error_of_dmarc)
{
	struct fixture fixture;
	struct auth_end end = { .queue_id = "", .from_count = 2 };

	set_up(&fixture, "auth_deadline = 200ms\nspf_origins = { }\n");
	auth_job_submit(begin(&fixture, 1, CONFIG_ORIGIN_INBOUND), &end);
	end.from_count = 0;
	auth_job_submit(begin(&fixture, 2, CONFIG_ORIGIN_INBOUND), &end);
	CHECK(wait_kept("verdict", 2));
	CHECK_NUMBER(count_kept("dmarc", "msg=1 result=permerror", "why=multiple_from"), 1);
	CHECK_NUMBER(count_kept("dmarc", "msg=2 result=permerror", "why=no_from"), 1);
	CHECK_NUMBER(count_kept("verdict", "dkim=none dmarc=permerror", "disposition=none action=continue"), 2);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

static void *send_many(void *context)
{
	for (uint64_t i = 1; i <= 50; i++)
		send_whole(context, i);
	return NULL;
}

TEST(a_from_with_several_addresses_of_one_domain_is_asked_about)
{
	struct fixture fixture;
	const struct auth_end end = { .queue_id = "", .from_count = 2, .from_domain = TEXT_LITERAL("example.com") };

	set_up(&fixture, "auth_deadline = 200ms\nspf_origins = { }\n");
	auth_job_submit(begin(&fixture, 1, CONFIG_ORIGIN_INBOUND), &end);
	CHECK(wait_kept("verdict", 1));
	CHECK_NUMBER(count_kept("dmarc", "from_domain=example.com", "why=dns_temporary"), 1);
	auth_jobs_stop(fixture.jobs, 0);
	take_down(&fixture);
}

TEST(many_sessions_hand_over_while_the_milter_stops)
{
	struct fixture fixture;
	pthread_t threads[4];

	set_up(&fixture, "auth_deadline = 50ms\nauth_workers = 4\nauth_queue = 20\n");
	for (size_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, send_many, &fixture) == 0);
	pause_us(20000);
	auth_jobs_stop(fixture.jobs, 20000);
	for (size_t i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	CHECK_NUMBER(count_kept("verdict", "skipped=", ""), 200);
	take_down(&fixture);
}

TEST(without_jobs_nothing_is_checked)
{
	const struct auth_sender sender = { .session = "1" };
	struct auth_job *job = auth_job_new(NULL, NULL, &sender);

	CHECK(job == NULL);
	feed(job);
	submit(job);
	auth_job_abort(job, "");
	auth_job_free(job);
	auth_jobs_free(NULL);
	CHECK_NUMBER(count_kept("", "", ""), 0);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(a_server_that_never_answers_holds_nobody_up_and_leaves_all_records),
		UNIT_TEST(no_check_begins_before_the_reply_to_the_message_is_out),
		UNIT_TEST(what_each_check_asks_first_is_on_its_way_before_any_answer),
		UNIT_TEST(what_finds_no_room_is_recorded_as_overload_and_counted),
		UNIT_TEST(the_queue_is_bounded_by_bytes_too),
		UNIT_TEST(of_an_aborted_message_spf_alone_is_finished),
		UNIT_TEST(messages_that_were_aborted_leave_room_and_workers_to_whole_ones),
		UNIT_TEST(of_an_address_too_long_its_domain_is_asked_about),
		UNIT_TEST(a_stop_gives_a_bounded_time_and_records_the_rest),
		UNIT_TEST(what_is_checked_is_chosen_by_where_it_comes_from),
		UNIT_TEST(a_from_without_one_address_is_a_permanent_error_of_dmarc),
		UNIT_TEST(a_from_with_several_addresses_of_one_domain_is_asked_about),
		UNIT_TEST(many_sessions_hand_over_while_the_milter_stops),
		UNIT_TEST(without_jobs_nothing_is_checked),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
