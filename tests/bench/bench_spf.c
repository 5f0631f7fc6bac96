/*
 * bench_spf.c - checks a second of an SPF record with 5 terms that ask the DNS.
 *
 *     bench_spf [SECONDS [SERVER DOMAIN]]
 *
 * From a table: both engines, one thread, so that the number is that of a core. With a server, whose DOMAIN has such
 * a record (tests/bench/bench_spf.py starts one): through the resolver and its cache.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/auth/spf.h"
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

static int measure(const char *what, struct dns *dns, const char *sender, check_engine *check, double seconds)
{
	uint64_t begun_us = dns_now_us(), checks = 0;
	double cpu = cpu_seconds();

	while (dns_now_us() - begun_us < (uint64_t)(seconds * 1e6))
		for (int i = 0; i < 100; i++, checks++)
			if (check_once(dns, sender, check) != SPF_PASS) {
				fprintf(stderr, "%s: no pass\n", what);
				return 1;
			}
	double elapsed = (double)(dns_now_us() - begun_us) / 1e6;

	printf("%-30s %9.0f checks/s %9.0f checks/s of a core\n", what, (double)checks / elapsed,
	       (double)checks / (cpu_seconds() - cpu));
	return 0;
}

static int measure_resolver(const char *server, const char *domain, double seconds)
{
	struct dns_config config = { .servers = &server, .server_count = 1 };
	struct problem problem = { "" };
	struct dns_statistics statistics;
	char sender[300];
	struct dns *dns;

	if (dns_start(&config, &dns, &problem)) {
		fprintf(stderr, "bench_spf: %s\n", problem.text);
		return 1;
	}
	(void)snprintf(sender, sizeof sender, "ann@%s", domain);
	int status = measure("builtin, resolver's cache", dns, sender, spf_check, seconds);

	dns_statistics(dns, &statistics);
	printf("%llu questions, %llu from the cache\n", (unsigned long long)statistics.questions,
	       (unsigned long long)statistics.cache_hits);
	dns_stop(dns);
	return status;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	struct dns_table *table = dns_table_new(zone);
	struct dns *dns = dns_table_source(table);
	int status = measure("builtin, table", dns, "ann@example.com", spf_check, seconds) |
		     measure("libspf2, table", dns, "ann@example.com", spf_check_libspf2, seconds);

	dns_table_free(table);
	if (argc > 3)
		status |= measure_resolver(argv[2], argv[3], seconds);
	return status;
}
