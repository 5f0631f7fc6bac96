/*
 * bench_callbacks.c - a callback's own time: what a session does at each event, its journal append
 * included, without libmilter and without a socket.
 *
 * Tells the sessions of libdaemon.a the mail that mtadrive sends, 16 events a message on one
 * connection, macros from a list that is searched as libmilter searches its own; it has a DKIM signature. The
 * journal is a real one with its keeper, the front in memory and the spool on disk; its records are read and let
 * go between the messages. Time is read before and after each event, which costs some 50 ns that are counted too.
 * Prints a Markdown table, and the p99 of all events in parts of the run: their median, and what holds 95 % of it;
 * unpaced also how often the thread gave up its processor inside of events by itself, to
 * wait for something, and how many pages it met that had to be read.
 * Arguments: messages, events a second (0: unpaced), "checks": SPF, DKIM and DMARC are handed over, to workers
 * with a DNS server that never answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <time.h>

#include "milter/keeper.h"
#include "common/clock.h"
#include "milter/session.h"
#include "figures.h"
#include "tests/driver/histogram.h"
#include "tests/unit/journal_rooms.h"

#define NS UINT64_C(1000000000)
enum { EVENTS = 16, BODY_BYTES = 4000, RUN_PARTS = 15, WARM_MESSAGES = 20 };

enum event { EVENT_MAIL, EVENT_RCPT, EVENT_DATA, EVENT_HEADER, EVENT_END_OF_HEADER, EVENT_BODY, EVENT_EOM };
enum { ROW_ALL = EVENT_EOM + 1, ROWS };

static const char *const row_names[ROWS] = {
	"MAIL", "RCPT", "DATA", "header field", "end of headers", "body chunk", "end of message", "all",
};

static const struct {
	const char *name, *value;
} headers[] = {
	{ "Received", " from client.load.test (client.load.test [192.0.2.7])\n\tby mx.lab.test (Postfix)" },
	{ "From", " Load <load@load.test>" },
	{ "To", " Recipient <r@load.test>" },
	{ "Subject", " a message of the load test" },
	{ "Date", " Sat, 21 Nov 2026 10:00:00 +0000" },
	{ "Message-ID", " <s1.m1@load.test>" },
	{ "MIME-Version", " 1.0" },
	{ "Content-Type", " text/plain; charset=utf-8" },
	{ "X-Mailer", " mtadrive" },
	{ "DKIM-Signature", " v=1; a=rsa-sha256; c=relaxed/relaxed; d=load.test; s=s; t=1700000000;\n\th=from:to:subject:date:"
	  "message-id; bh=7Xgui0yFAxLMluyt5fAkjHbTcBnpjVjsWUS0rXZ0PAc=;\n\tb=LHhGJTOLaUdPvzyLbNTzPIBWKmULQitPqpcIAko1h9al"
	  "LbR9jLyLnFlfGh0jFI+D+pEdJ7qM\n\tXWncOT1OjWGNkw==" },
}, values[] = {
	{ "j", "mx.lab.test" }, { "v", "Postfix 3.7.11" }, { "{daemon_name}", "mx.lab.test" },
	{ "{client_addr}", "192.0.2.7" }, { "{client_name}", "client.load.test" }, { "{client_port}", "1025" },
	{ "{client_ptr}", "client.load.test" }, { "{mail_addr}", "load@load.test" }, { "{mail_host}", "load.test" },
	{ "{mail_mailer}", "smtp" }, { "{rcpt_addr}", "r@load.test" }, { "{rcpt_host}", "load.test" },
	{ "{rcpt_mailer}", "smtp" }, { "i", "4fXy0A1b2Cz9" },
};

struct bench {
	struct rooms rooms;
	struct journal *journal;
	struct keeper *keeper;
	struct recorder recorder;
	struct sessions sessions;
	struct session *session;
	struct config *config;
	int server;			/* the DNS server, where checks are wanted */
	struct histogram times[ROWS], part;
	double parts_p99_us[RUN_PARTS];
	uint64_t begin_ns, events, pace;
	char body[BODY_BYTES];
};

static const char *get_macro(void *context, const char *name)
{
	(void)context;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value;
	return NULL;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* Waits for the turn of the next event. */
static void wait_turn(struct bench *bench)
{
	uint64_t due_ns = bench->pace ? bench->begin_ns + bench->events * NS / bench->pace : 0;
	struct timespec due = { .tv_sec = (time_t)(due_ns / NS), .tv_nsec = (long)(due_ns % NS) };

	if (due_ns)
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	bench->events++;
}

static void run_event(struct bench *bench, enum event event, size_t number)
{
	static const struct macros macros = { get_macro, NULL };
	struct session *session = bench->session;
	char from[] = "<load@load.test>", to[] = "<r@load.test>", *mail[] = { from, NULL }, *rcpt[] = { to, NULL };

	wait_turn(bench);
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), now_us = clock_now_us();

	switch (event) {
	case EVENT_MAIL: session_mail(session, now_us, mail, &macros); break;
	case EVENT_RCPT: session_rcpt(session, now_us, rcpt, &macros); break;
	case EVENT_DATA: session_data(session, now_us, &macros); break;
	case EVENT_HEADER: session_header(session, text_of(headers[number].name), text_of(headers[number].value)); break;
	case EVENT_END_OF_HEADER: session_end_of_header(session, now_us, &macros); break;
	case EVENT_BODY: session_body(session, (struct text){ bench->body, sizeof bench->body }); break;
	case EVENT_EOM: session_eom(session, now_us, &macros); break;
	}
	uint64_t taken_ns = clock_ns(CLOCK_MONOTONIC) - begin_ns;

	histogram_add(&bench->times[event], taken_ns);
	histogram_add(&bench->times[ROW_ALL], taken_ns);
	histogram_add(&bench->part, taken_ns);
}

static void run_message(struct bench *bench)
{
	run_event(bench, EVENT_MAIL, 0);
	run_event(bench, EVENT_RCPT, 0);
	run_event(bench, EVENT_DATA, 0);
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		run_event(bench, EVENT_HEADER, i);
	run_event(bench, EVENT_END_OF_HEADER, 0);
	run_event(bench, EVENT_BODY, 0);
	run_event(bench, EVENT_EOM, 0);
}

static void let_go(struct bench *bench)
{
	static struct journal_batch batch;

	while (journal_read(bench->journal, &batch) == 1)
		journal_shipped(bench->journal, batch.entries[batch.count - 1].seq);
}

/* Messages that are not measured: the program's own text and tables are read before the first that is. */
static void warm_up(struct bench *bench)
{
	for (int i = 0; i < WARM_MESSAGES; i++) {
		run_message(bench);
		let_go(bench);
	}
	memset(bench->times, 0, sizeof bench->times);
	memset(&bench->part, 0, sizeof bench->part);
	bench->events = 0;
}

static void give_up(const char *what, const struct problem *problem)
{
	fprintf(stderr, "cannot begin %s: %s\n", what, problem->text);
	exit(1);
}

/* Checks with a short deadline, so that all of it goes on all the time: hand-over, time-outs, records. */
static void begin_checks(struct bench *bench)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof address;
	struct problem problem = { "" };
	char path[300], text[200];

	bench->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(bench->server, (struct sockaddr *)&address, sizeof address) ||
	    getsockname(bench->server, (struct sockaddr *)&address, &length))
		give_up("a DNS server", &problem);
	(void)snprintf(path, sizeof path, "%s.conf", bench->rooms.spool);
	(void)snprintf(text, sizeof text, "dns_servers = { \"127.0.0.1@%u\" }\ndns_timeout = 50ms\n", ntohs(address.sin_port));
	rooms_write_file(path, text);
	if (config_read(&bench->config, path, &problem) ||
	    auth_jobs_start(&bench->sessions.auth, bench->config, &bench->recorder, "mx.lab.test", &problem))
		give_up("checks", &problem);
	(void)unlink(path);
}

static void begin(struct bench *bench, bool with_checks)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(1025), .sin_addr.s_addr = htonl(0xc0000207) };
	struct problem problem = { "" };

	for (size_t i = 0; i < sizeof bench->body; i++)
		bench->body[i] = i % 70 == 69 ? '\n' : 'x';
	rooms_init_at(&bench->rooms, rooms_disk());
	bench->rooms.options.segment_bytes = 1024 * 1024;
	bench->rooms.options.front_bytes = 16 * bench->rooms.options.segment_bytes;
	bench->rooms.options.spool_bytes = 64 * bench->rooms.options.segment_bytes;
	bench->journal = rooms_open(&bench->rooms);
	if (keeper_start(&bench->keeper, bench->journal, 1000000, ""))
		give_up("the keeper", &problem);
	recorder_init(&bench->recorder, &bench->journal, 1, 1);
	sessions_init(&bench->sessions, &bench->recorder, 1);
	if (with_checks)
		begin_checks(bench);
	else if (config_read(&bench->config, NULL, &problem))
		give_up("the configuration", &problem);
	bench->session = session_new(&bench->sessions, bench->config);
	session_connect(bench->session, clock_now_us(), "client.load.test", (const struct sockaddr *)(const void *)&address,
			&(const struct macros){ get_macro, NULL });
	session_helo(bench->session, clock_now_us(), "client.load.test", &(const struct macros){ get_macro, NULL });
}

static void end(struct bench *bench)
{
	session_close(bench->session, clock_now_us());
	session_free(bench->session);
	if (bench->sessions.auth) {
		auth_jobs_stop(bench->sessions.auth, 0);
		auth_jobs_free(bench->sessions.auth);
		(void)close(bench->server);
	}
	sessions_done(&bench->sessions);
	recorder_done(&bench->recorder);
	config_release(bench->config);
	keeper_stop(bench->keeper);
	journal_close(bench->journal);
	rooms_done(&bench->rooms);
}

static void end_part(struct bench *bench, int part)
{
	bench->parts_p99_us[part] = (double)histogram_quantile(&bench->part, 0.99) / 1e3;
	bench->part = (struct histogram){ .count = 0 };
}

static void report(const struct bench *bench)
{
	printf("| event | count | p50 us | p99 us | p99.9 us | max us |\n|---|---:|---:|---:|---:|---:|\n");
	for (int i = 0; i < ROWS; i++) {
		const struct histogram *times = &bench->times[i];

		printf("| %s | %llu | %.2f | %.2f | %.2f | %.1f |\n", row_names[i], (unsigned long long)times->count,
		       (double)histogram_quantile(times, 0.5) / 1e3, (double)histogram_quantile(times, 0.99) / 1e3,
		       (double)histogram_quantile(times, 0.999) / 1e3, (double)times->highest / 1e3);
	}
	struct figure p99 = figure_of(bench->parts_p99_us, NULL, RUN_PARTS);

	printf("\np99 of all, us, median of %d parts of the run: %.2f (%.2f .. %.2f)\n", RUN_PARTS, p99.value, p99.low, p99.high);
}

struct waits {
	long waits, reads;
};

static void add_waits(struct waits *waits, int sign)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_THREAD, &usage);
	waits->waits += sign * usage.ru_nvcsw;
	waits->reads += sign * usage.ru_majflt;
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct waits waits = { 0, 0 };
	uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000, own_ns = 0;

	bool with_checks = argc > 3 && strcmp(argv[3], "checks") == 0;

	messages = messages < RUN_PARTS ? RUN_PARTS : messages;
	begin(&bench, with_checks);
	warm_up(&bench);
	bench.pace = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000;
	bench.begin_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < messages; i++) {
		add_waits(&waits, -1);
		uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		run_message(&bench);
		own_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
		add_waits(&waits, 1);
		let_go(&bench);
		if ((i + 1) * RUN_PARTS / messages > i * RUN_PARTS / messages)
			end_part(&bench, (int)((i + 1) * RUN_PARTS / messages) - 1);
	}
	printf("\nA callback's own time, one connection, %s; CPU us a message %.1f; ", with_checks ? "checks on" : "checks off",
	       (double)own_ns / 1e3 / (double)messages);
	if (bench.pace)
		printf("%llu events a second; goal: p99 of all below 20 us\n\n", (unsigned long long)bench.pace);
	else
		printf("unpaced; waits %ld, pages read %ld\n\n", waits.waits, waits.reads);
	report(&bench);
	end(&bench);
	return 0;
}
