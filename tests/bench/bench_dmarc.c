/*
 * bench_dmarc.c - policies evaluated a second of one core, records from a table.
 *
 *     bench_dmarc [SECONDS]
 *
 * A message whose From: domain has its policy at its organizational domain: by the public suffix list (RFC 7489), and
 * by the tree walk (RFC 9989).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/auth/dmarc.h"
#include "figures.h"
#include "tests/unit/dns_table.h"

enum { TURNS = 15, TURN_CHECKS = 100 };

static struct dmarc_suffixes *suffixes;

static double cpu_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check_once(struct dns *dns, bool walks_tree)
{
	const struct text from = TEXT_LITERAL("news.mail.example.com");
	const struct dmarc_identifier dkim = { DMARC_CHECK_PASS, TEXT_LITERAL("example.com") };
	struct dns_job job;
	struct dmarc_outcome outcome;
	const struct dmarc_input input = {
		.dns = dns, .job = &job, .suffixes = suffixes, .walks_tree = walks_tree, .from_count = 1, .from_domains = &from,
		.spf = { DMARC_CHECK_PASS, TEXT_LITERAL("example.net") }, .dkim_count = 1, .dkim = &dkim,
	};

	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	dmarc_evaluate(&input, &outcome);
	if (outcome.result != DMARC_PASS) {
		fprintf(stderr, "bench_dmarc: no pass: %s\n", outcome.error);
		exit(EXIT_FAILURE);
	}
}

static void measure(const char *what, struct dns *dns, bool walks_tree, double seconds)
{
	double rates[TURNS];

	for (int turn = 0; turn < TURNS; turn++) {
		double begun = cpu_seconds();
		unsigned checks = 0;

		for (; checks == 0 || cpu_seconds() - begun < seconds / TURNS; checks += TURN_CHECKS)
			for (int i = 0; i < TURN_CHECKS; i++)
				check_once(dns, walks_tree);
		rates[turn] = checks / (cpu_seconds() - begun);
	}
	printf("| %s |", what);
	figure_print(figure_of(rates, NULL, TURNS), 0);
	putchar('\n');
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	struct dns_table *table = dns_table_new("_dmarc.example.com TXT v=DMARC1; p=reject; sp=none; rua=mailto:d@example.com\n");
	struct problem problem = { "" };

	if (dmarc_suffixes_open(NULL, &suffixes, &problem)) {
		fprintf(stderr, "bench_dmarc: %s\n", problem.text);
		return EXIT_FAILURE;
	}
	printf("\nDMARC from a table, medians of %d turns\n\n| | evaluations/s of a core |\n|---|---:|\n", TURNS);
	measure("public suffix list", dns_table_source(table), false, seconds / 2);
	measure("tree walk", dns_table_source(table), true, seconds / 2);
	dmarc_suffixes_close(suffixes);
	dns_table_free(table);
	return EXIT_SUCCESS;
}
