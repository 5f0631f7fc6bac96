/*
 * bench_kernels.c - the kernels that run in one thread, each in a loop, for whoever counts their instructions.
 *
 *     bench_kernels KERNEL [LOG]
 *
 * tests/check_instructions runs it under valgrind, which counts what happens inside of measured(). Prints how often
 * that was called. parse and join read LOG, which tests/genlog has written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/correlate.h"
#include "analysis/format.h"
#include "analysis/log_reader.h"
#include "common/auth/dmarc.h"
#include "common/auth/spf.h"
#include "sample_session.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/journal_rooms.h"

enum { ROUNDS = 2000, LINES_MAX = 20000, WARM_ROUNDS = 100 };

struct kernel {
	const char *name;
	void (*begin)(const char *log);
	void (*prepare)(uint64_t i);	/* what is not counted of each round, or NULL */
	bool (*once)(uint64_t i);	/* false: there is no more */
	void (*end)(void);
};

static void give_up(const char *what)
{
	fprintf(stderr, "bench_kernels: %s\n", what);
	exit(1);
}

/* Encoding a record of a session, and looking at one. */
static bool encode_once(uint64_t i)
{
	static struct record record;

	return sample_record(&record, i).length > 0;
}

static struct rooms rooms;
static struct journal *journal;
static char payload[300];

static void append_begin(const char *log)
{
	(void)log;
	rooms_init(&rooms);
	rooms.options.segment_bytes = 2 * 1024 * 1024;
	rooms.options.front_bytes = 8 * rooms.options.segment_bytes;
	rooms.options.spool_bytes = 8 * rooms.options.segment_bytes;
	journal = rooms_open(&rooms);
	(void)rooms_payload(payload, 1, sizeof payload);
}

static bool append_once(uint64_t i)
{
	(void)i;
	return journal_append(journal, (struct text){ payload, sizeof payload }) == 0;
}

static void append_end(void)
{
	journal_close(journal);
	rooms_done(&rooms);
}

static struct log_reader *reader;
static struct correlate *correlate;
static struct event event;
static bool has_line;

static void parse_begin(const char *log)
{
	struct log_options options = { .year = 2026 };
	struct problem problem;

	if (!log)
		give_up("parse and join want a log");
	if (format_prepare() || log_reader_new(&reader, &options) || log_reader_open(reader, log, &problem))
		give_up("the log cannot be read");
}

static bool parse_once(uint64_t i)
{
	enum format_result result;

	(void)i;
	return log_reader_next(reader, &event, &result) == 1;
}

static void parse_end(void)
{
	log_reader_free(reader);
}

static void join_begin(const char *log)
{
	struct correlate_options options;

	correlate_defaults(&options);
	parse_begin(log);
	if (correlate_new(&correlate, &options, &(struct correlate_sink){ .context = NULL }))
		give_up("no memory");
}

static void join_prepare(uint64_t i)
{
	has_line = parse_once(i);
}

static bool join_once(uint64_t i)
{
	(void)i;
	if (has_line)
		correlate_event(correlate, &event, 0);
	return has_line;
}

static void join_end(void)
{
	correlate_free(correlate);
	parse_end();
}

static struct dns_table *table;
static struct dns *dns;
static struct dmarc_suffixes *suffixes;

static void names_begin(const char *log)
{
	struct problem problem;

	(void)log;
	table = dns_table_new("example.com TXT v=spf1 a mx include:_spf.example.net exists:%{ir}.list.example.net a:out.example.org -all\n"
			      "example.com A 192.0.2.10\n"
			      "example.com MX 10 mx1.example.com\n"
			      "mx1.example.com A 192.0.2.11\n"
			      "_spf.example.net TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 ip6:2001:db8::/32 ~all\n"
			      "out.example.org A 192.0.2.1\n"
			      "_dmarc.example.com TXT v=DMARC1; p=reject; sp=none; adkim=s; rua=mailto:d@example.com\n");
	dns = dns_table_source(table);
	if (dmarc_suffixes_open(NULL, &suffixes, &problem))
		give_up(problem.text);
}

static bool spf_once(uint64_t i)
{
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns, .job = &job, .client = { 4, { 192, 0, 2, 1 } }, .mail_from = TEXT_LITERAL("ann@example.com"),
		.helo = TEXT_LITERAL("mail.example.com"),
	};

	(void)i;
	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	spf_check(&request, &outcome);
	return outcome.result == SPF_PASS;
}

static bool dmarc_once(uint64_t i)
{
	const struct text from = TEXT_LITERAL("news.example.com");
	const struct dmarc_identifier dkim = { DMARC_CHECK_PASS, TEXT_LITERAL("example.com") };
	struct dns_job job;
	struct dmarc_outcome outcome;
	struct dmarc_input input = {
		.dns = dns, .job = &job, .suffixes = suffixes, .from_count = 1, .from_domains = &from,
		.spf = { DMARC_CHECK_PASS, TEXT_LITERAL("example.net") }, .dkim_count = 1, .dkim = &dkim,
	};

	(void)i;
	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	dmarc_evaluate(&input, &outcome);
	return outcome.result == DMARC_FAIL;
}

static void names_end(void)
{
	dmarc_suffixes_close(suffixes);
	dns_table_free(table);
}

static const struct kernel kernels[] = {
	{ "encode", NULL, NULL, encode_once, NULL },
	{ "append", append_begin, NULL, append_once, append_end },
	{ "parse", parse_begin, NULL, parse_once, parse_end },
	{ "join", join_begin, join_prepare, join_once, join_end },
	{ "spf", names_begin, NULL, spf_once, names_end },
	{ "dmarc", names_begin, NULL, dmarc_once, names_end },
};

static __attribute__((noinline)) bool measured(const struct kernel *kernel, uint64_t i)
{
	return kernel->once(i);
}

static void run(const struct kernel *kernel, const char *log)
{
	bool reads = strcmp(kernel->name, "parse") == 0 || strcmp(kernel->name, "join") == 0;
	uint64_t rounds = reads ? LINES_MAX : ROUNDS, i = 0;

	if (kernel->begin)
		kernel->begin(log);
	/* What the first calls alone do is no part of the figure. */
	for (; i < WARM_ROUNDS; i++) {
		if (kernel->prepare)
			kernel->prepare(i);
		(void)kernel->once(i);
	}
	for (; i < rounds; i++) {
		if (kernel->prepare)
			kernel->prepare(i);
		if (!measured(kernel, i) && !reads)
			give_up("a round went wrong");
	}
	if (kernel->end)
		kernel->end();
	printf("%llu\n", (unsigned long long)(rounds - WARM_ROUNDS));
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof kernels / sizeof kernels[0]; i++)
		if (strcmp(argv[1], kernels[i].name) == 0) {
			run(&kernels[i], argc > 2 ? argv[2] : NULL);
			return 0;
		}
	give_up("usage: bench_kernels encode|append|parse|join|spf|dmarc [LOG]");
	return 2;
}
