/*
 * auth_probe.c - questions from standard input, put to the resolver and the engines; for live tests.
 *
 *     auth_probe [-t QUESTION_MS] [-j JOB_MS] [-a TRUST_ANCHOR] SERVER...
 *
 * A line is fields separated by tabs, and so is its answer:
 *     dns TYPE NAME                       status secure count time_us error item...
 *     spf ENGINE CLIENT HELO FROM         result term lookups void_lookups explanation error time_us
 *     statistics                          questions cache_hits cache_entries timeouts pending
 * Bytes that are not printable are shown as \xNN.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/auth/dns.h"
#include "common/auth/spf.h"

enum { FIELDS_MAX = 8 };

static uint64_t job_time_us = DNS_JOB_TIME_US;

static void print_text(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.start[i] >= ' ' && text.start[i] <= '~' && text.start[i] != '\\')
			putchar(text.start[i]);
		else
			printf("\\x%02x", (unsigned char)text.start[i]);
}

static void ask_dns(struct dns *dns, char **fields)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };
	enum dns_type type = DNS_A;
	struct dns_job job;
	uint64_t begun_us = dns_now_us();

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(fields[1], dns_type_name(types[i])) == 0)
			type = types[i];
	dns_job_init(&job, job_time_us, DNS_JOB_QUESTIONS);
	const struct dns_answer *answer = dns_lookup(dns, &job, text_of(fields[2]), type);

	printf("%s\t%s\t%zu\t%" PRIu64 "\t%s", dns_status_name(answer->status), answer->secure ? "secure" : "insecure",
	       answer->count, dns_now_us() - begun_us, answer->error ? answer->error : "");
	for (size_t i = 0; i < answer->count; i++) {
		putchar('\t');
		if (type == DNS_MX)
			printf("%u ", answer->items[i].preference);
		print_text(answer->items[i].data);
	}
	putchar('\n');
	dns_answer_free(answer);
}

static void ask_spf(struct dns *dns, char **fields)
{
	struct dns_job job;
	struct spf_outcome outcome;
	struct spf_request request = {
		.dns = dns, .job = &job, .helo = text_of(fields[3]), .mail_from = text_of(fields[4]),
	};

	if (spf_address_parse(fields[2], &request.client)) {
		puts("no address");
		return;
	}
	dns_job_init(&job, job_time_us, DNS_JOB_QUESTIONS);
	(strcmp(fields[1], "libspf2") == 0 ? spf_check_libspf2 : spf_check)(&request, &outcome);
	printf("%s\t", spf_result_name(outcome.result));
	print_text(text_of(outcome.term));
	printf("\t%u\t%u\t%s\t", outcome.lookups, outcome.void_lookups, outcome.explanation);
	print_text(text_of(outcome.error));
	printf("\t%" PRIu64 "\n", outcome.time_us);
}

static void print_statistics(struct dns *dns)
{
	struct dns_statistics now;

	dns_statistics(dns, &now);
	printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", now.questions, now.cache_hits,
	       now.cache_entries, now.timeouts, now.pending);
}

static void answer_line(struct dns *dns, char *line)
{
	char *fields[FIELDS_MAX] = { NULL };
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *field = line; field && count < FIELDS_MAX;)
		fields[count++] = strsep(&field, "\t");
	if (count == 3 && strcmp(fields[0], "dns") == 0)
		ask_dns(dns, fields);
	else if (count == 5 && strcmp(fields[0], "spf") == 0)
		ask_spf(dns, fields);
	else if (count == 1 && strcmp(fields[0], "statistics") == 0)
		print_statistics(dns);
	else
		puts("what?");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct dns_config config = { 0 };
	struct problem problem = { "" };
	struct dns *dns;
	char *line = NULL;
	size_t size = 0;
	int letter;

	while ((letter = getopt(argc, argv, "t:j:a:")) != -1)
		switch (letter) {
		case 't': config.question_time_us = strtoull(optarg, NULL, 10) * 1000; break;
		case 'j': job_time_us = strtoull(optarg, NULL, 10) * 1000; break;
		case 'a': config.trust_anchor_file = optarg; break;
		default: return 2;
		}
	config.servers = (const char *const *)argv + optind;
	config.server_count = (size_t)(argc - optind);
	if (dns_start(&config, &dns, &problem)) {
		fprintf(stderr, "auth_probe: %s\n", problem.text);
		return 1;
	}
	while (getline(&line, &size, stdin) >= 0)
		answer_line(dns, line);
	free(line);
	dns_stop(dns);
	return 0;
}
