/*
 * bench_spf.c - checks a second of an SPF record with 5 terms that ask the DNS.
 *
 *     bench_spf [SECONDS [SERVER DOMAIN]]
 *
 * From a table: both engines, one thread, so that the number is that of a core. With a server, whose DOMAIN has such
 * a record (tests/bench/bench_spf.py starts one): through the resolver and its cache. They take turns; medians of the
 * turns, and what holds 95 % of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/auth/spf.h"
#include "figures.h"
#include "tests/unit/dns_table.h"

static const char zone[] =
	"example.com TXT v=spf1 a mx include:_spf.example.net exists:%{ir}.list.example.net a:out.example.org -all\n"
	"example.com A 192.0.2.10\n"
	"example.com MX 10 mx1.example.com\n"
	"mx1.example.com A 192.0.2.11\n"
	"_spf.example.net TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 ip6:2001:db8::/32 ~all\n"
	"out.example.org A 192.0.2.1\n";

typedef void check_engine(const struct spf_request *request, struct spf_outcome *ret_outcome);

/* Processor time of the whole process: the resolver's threads count. */
static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static enum spf_result check_once(struct dns *dns, const char *sender, check_engine *check)
{
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns, .job = &job, .client = { 4, { 192, 0, 2, 1 } }, .mail_from = text_of(sender),
		.helo = TEXT_LITERAL("mail.example.com"),
	};

	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	check(&request, &outcome);
	return outcome.result;
}

enum { TURNS = 15 };

struct way {
	const char *what;
	struct dns *dns;
	const char *sender;
	check_engine *check;
	double rate[TURNS], core_rate[TURNS];
};

static int measure(struct way *way, int turn, double seconds)
{
	uint64_t begun_us = dns_now_us(), checks = 0;
	double cpu = cpu_seconds();

	while (dns_now_us() - begun_us < (uint64_t)(seconds * 1e6))
		for (int i = 0; i < 100; i++, checks++)
			if (check_once(way->dns, way->sender, way->check) != SPF_PASS) {
				fprintf(stderr, "%s: no pass\n", way->what);
				return 1;
			}
	way->rate[turn] = (double)checks * 1e6 / (double)(dns_now_us() - begun_us);
	way->core_rate[turn] = (double)checks / (cpu_seconds() - cpu);
	return 0;
}

static int measure_all(struct way *ways, size_t count, double seconds)
{
	int status = 0;

	for (int turn = 0; turn < TURNS && !status; turn++)
		for (size_t i = 0; i < count && !status; i++)
			status = measure(&ways[turn % 2 ? count - 1 - i : i], turn, seconds / TURNS);
	if (status)
		return status;
	printf("A record of 5 terms that ask, medians of %d turns; goal, of a core: 20,000 from a table, 5,000 through the resolver's"
	       " cache\n\n| | checks/s | checks/s of a core |\n|---|---:|---:|\n", TURNS);
	for (size_t i = 0; i < count; i++) {
		printf("| %s | %.0f |", ways[i].what, figure_median(ways[i].rate, TURNS));
		figure_print(figure_of(ways[i].core_rate, NULL, TURNS), 0);
		putchar('\n');
	}
	return 0;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	const char *server = argc > 3 ? argv[2] : NULL;
	const struct dns_config config = { .servers = &server, .server_count = 1 };
	struct dns_table *table = dns_table_new(zone);
	struct dns *resolver = NULL;
	struct problem problem = { "" };
	char sender[300];

	if (server && dns_start(&config, &resolver, &problem)) {
		fprintf(stderr, "bench_spf: %s\n", problem.text);
		return 1;
	}
	(void)snprintf(sender, sizeof sender, "ann@%s", server ? argv[3] : "");
	struct way ways[] = {
		{ .what = "builtin, table", .dns = dns_table_source(table), .sender = "ann@example.com", .check = spf_check },
		{ .what = "libspf2, table", .dns = dns_table_source(table), .sender = "ann@example.com", .check = spf_check_libspf2 },
		{ .what = "builtin, resolver's cache", .dns = resolver, .sender = sender, .check = spf_check },
	};
	int status = measure_all(ways, server ? 3 : 2, seconds);

	if (server) {
		struct dns_statistics statistics;

		dns_statistics(resolver, &statistics);
		printf("\n%llu questions, %llu from the cache\n", (unsigned long long)statistics.questions,
		       (unsigned long long)statistics.cache_hits);
		dns_stop(resolver);
	}
	dns_table_free(table);
	return status;
}
