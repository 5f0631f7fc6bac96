/* check_dns.c - the part of the check that asks each DNS server, and opens what the checks of mail read. */
#include "check.h"

#include "common/auth/dmarc.h"
#include "common/auth/dns.h"

static const char subject[] = "dns";
/* There is such a name; on a network of one's own "no such name" is an answer too. */
static const char asked_name[] = "example.com";

enum { TIME_MAX_US = 3000000 };

/* One server, or (name NULL) all of resolv.conf, while it is asked. */
struct probe {
	const char *name;
	struct dns *dns;
	struct dns_job job;
	struct dns_future *future;
	uint64_t begun_us;
};

static uint64_t time_for_answers(const struct config *config)
{
	return config->dns_timeout_us < TIME_MAX_US ? config->dns_timeout_us : TIME_MAX_US;
}

/* False: it cannot be asked, and that is told. */
static bool begin(struct probe *probe, const char *server, const struct config *config)
{
	const struct dns_config dns = {
		.servers = &server, .server_count = server != NULL, .question_time_us = time_for_answers(config),
		.trust_anchor_file = config->dnssec_trust_anchor[0] ? config->dnssec_trust_anchor : NULL,
	};
	struct problem problem = { "" };

	*probe = (struct probe){ .name = server };
	if (dns_start(&dns, &probe->dns, &problem)) {
		check_say(CHECK_ERROR, subject, "%s", problem.text[0] ? problem.text : "no memory for the resolver");
		return false;
	}
	dns_job_init(&probe->job, time_for_answers(config), 1);
	probe->begun_us = dns_now_us();
	probe->future = dns_begin(probe->dns, &probe->job, text_of(asked_name), DNS_A);
	return true;
}

static void finish(struct probe *probe)
{
	const struct dns_answer *answer = dns_await(probe->future);
	const char *name = probe->name ? probe->name : "of /etc/resolv.conf";
	unsigned long long ms = (unsigned long long)(dns_now_us() - probe->begun_us) / 1000;

	if (answer->status == DNS_BOGUS)
		check_say(CHECK_WARNING, subject, "server %s answers, but not what DNSSEC accepts (%s): mend dnssec_trust_anchor, or ask a server that passes DNSSEC on",
			  name, answer->error ? answer->error : "bogus");
	else if (answer->status == DNS_TEMPORARY)
		check_say(CHECK_WARNING, subject, "server %s does not answer (%s, %llu ms): mail goes on, and its checks will say temperror; set dns_servers",
			  name, answer->error ? answer->error : "temporary failure", ms);
	else
		check_say(CHECK_OK, subject, "server %s answers%s, %llu ms", name, answer->secure ? ", proved by DNSSEC" : "", ms);
	dns_answer_free(answer);
	dns_stop(probe->dns);
}

/* All at a time, so that it takes no longer than the slowest. */
static void check_servers(const struct config *config)
{
	struct probe probes[CONFIG_DNS_SERVERS_MAX];
	size_t count = 0;

	if (config->dns_servers.count == 0)
		count += begin(&probes[0], NULL, config);
	for (size_t i = 0; i < config->dns_servers.count && i < CONFIG_DNS_SERVERS_MAX; i++)
		count += begin(&probes[count], config->dns_servers.items[i], config);
	for (size_t i = 0; i < count; i++)
		finish(&probes[i]);
}

static void check_suffixes(const struct config *config)
{
	const char *file = config->public_suffix_list[0] ? config->public_suffix_list : NULL;
	struct dmarc_suffixes *suffixes = NULL;
	struct problem problem = { "" };

	if (dmarc_suffixes_open(file, &suffixes, &problem))
		check_say(CHECK_ERROR, "dmarc", "%s", problem.text);
	else
		check_say(CHECK_OK, "dmarc", "the public suffix list is there");
	dmarc_suffixes_close(suffixes);
}

void check_dns(const struct config *config)
{
	if (!config->auth) {
		check_say(CHECK_OK, subject, "auth = no: messages are not checked, and nobody is asked");
		return;
	}
	check_servers(config);
	check_suffixes(config);
}
