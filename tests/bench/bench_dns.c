/*
 * bench_dns.c - what a question to the DNS costs: from our cache, past it, and by libunbound alone.
 *
 *     bench_dns SECONDS SERVER DOMAIN
 *
 * SERVER is near and warm, and answers for any name below DOMAIN (tests/bench/bench_spf.py starts one). Each is asked for
 * one name again and again, which is then in the cache, and for names that nobody has asked for. Nanoseconds a question:
 * on the wall, and CPU of this process with the resolver's thread, without the server. They take turns; medians of the
 * turns, and what holds 95 % of them. Fails when a hit was none, or a miss.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unbound.h>

#include "common/auth/dns.h"
#include "figures.h"

enum { TURNS = 15, BATCH = 50, NAME_SIZE = 300 };

static struct dns *resolver;
static struct ub_ctx *unbound;
static const char *domain;

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void ask_resolver(const char *name)
{
	struct dns_job job;

	dns_job_init(&job, DNS_JOB_TIME_US, DNS_JOB_QUESTIONS);
	const struct dns_answer *answer = dns_lookup(resolver, &job, text_of(name), DNS_A);

	if (answer->status != DNS_DATA) {
		fprintf(stderr, "bench_dns: %s: %s\n", name, dns_status_name(answer->status));
		exit(EXIT_FAILURE);
	}
	dns_answer_free(answer);
}

static void take_answer(void *context, int error, struct ub_result *result)
{
	*(bool *)context = !error && result->havedata;
	ub_resolve_free(result);
}

/* As ours asks it: by its own thread. A call that waits would begin one for each question. */
static void ask_unbound(const char *name)
{
	bool has_data = false;
	int error = ub_resolve_async(unbound, name, DNS_A, 1, &has_data, take_answer, NULL);

	if (!error)
		error = ub_wait(unbound);
	if (error || !has_data) {
		fprintf(stderr, "bench_dns: %s: %s\n", name, error ? ub_strerror(error) : "no data");
		exit(EXIT_FAILURE);
	}
}

struct way {
	const char *what;
	void (*ask)(const char *name);
	char prefix;
	bool is_new;		/* each name was never asked for */
	unsigned long long questions;
	double wall[TURNS], cpu[TURNS];
};

static void measure(struct way *way, int turn, double seconds)
{
	double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	unsigned long long before = way->questions;
	char name[NAME_SIZE];

	while (seconds_of(CLOCK_MONOTONIC) - wall < seconds)
		for (int i = 0; i < BATCH; i++) {
			(void)snprintf(name, sizeof name, "%c%llu.%s", way->prefix, way->is_new ? way->questions : 0, domain);
			way->ask(name);
			way->questions++;
		}
	way->wall[turn] = (seconds_of(CLOCK_MONOTONIC) - wall) * 1e9 / (double)(way->questions - before);
	way->cpu[turn] = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e9 / (double)(way->questions - before);
}

static int measure_all(double seconds)
{
	struct way ways[] = {
		{ .what = "from our cache", .ask = ask_resolver, .prefix = 'a' },
		{ .what = "past it: libunbound asks the server", .ask = ask_resolver, .prefix = 'b', .is_new = true },
		{ .what = "libunbound alone, from its cache", .ask = ask_unbound, .prefix = 'c' },
		{ .what = "libunbound alone, asks the server", .ask = ask_unbound, .prefix = 'd', .is_new = true },
	};
	const size_t count = sizeof ways / sizeof ways[0];
	struct dns_statistics statistics;

	for (int turn = 0; turn < TURNS; turn++)
		for (size_t i = 0; i < count; i++)
			measure(&ways[turn % 2 ? count - 1 - i : i], turn, seconds / TURNS);
	printf("\nA question to the DNS, a server that is near and warm, medians of %d turns\n\n"
	       "| | questions | ns on the wall | CPU ns, without the server's |\n|---|---:|---:|---:|\n", TURNS);
	for (size_t i = 0; i < count; i++) {
		printf("| %s | %llu |", ways[i].what, ways[i].questions);
		figure_print(figure_of(ways[i].wall, NULL, TURNS), 0);
		figure_print(figure_of(ways[i].cpu, NULL, TURNS), 0);
		putchar('\n');
	}
	dns_statistics(resolver, &statistics);
	unsigned long long hits = statistics.cache_hits, misses = statistics.questions - hits;

	printf("\nOur cache: %llu hits, %llu misses; %llu entries, %llu bytes each, %llu thrown out for want of room\n", hits, misses,
	       (unsigned long long)statistics.cache_entries,
	       (unsigned long long)(statistics.cache_bytes / statistics.cache_entries),
	       (unsigned long long)statistics.cache_evicted);
	/* The first question of all was no hit. */
	if (hits != ways[0].questions - 1 || misses != ways[1].questions + 1) {
		fprintf(stderr, "bench_dns: not the hits that were wanted\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: bench_dns SECONDS SERVER DOMAIN\n");
		return 2;
	}
	const char *server = argv[2];
	const struct dns_config config = { .servers = &server, .server_count = 1 };
	struct problem problem = { "" };
	int status = EXIT_FAILURE;

	domain = argv[3];
	if (dns_start(&config, &resolver, &problem)) {
		fprintf(stderr, "bench_dns: %s\n", problem.text);
		return EXIT_FAILURE;
	}
	unbound = ub_ctx_create();
	if (!unbound || ub_ctx_set_option(unbound, "do-not-query-localhost:", "no") || ub_ctx_set_fwd(unbound, server) ||
	    ub_ctx_async(unbound, 1))
		fprintf(stderr, "bench_dns: libunbound does not start\n");
	else
		status = measure_all(strtod(argv[1], NULL) / 4);
	ub_ctx_delete(unbound);
	dns_stop(resolver);
	return status;
}
