/* verb_check_auth.c - smtptrail check-auth: the milter's questions about a sender and a message, asked from the shell. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/auth_report.h"
#include "analysis/message_file.h"
#include "analysis/verb.h"
#include "common/address.h"
#include "common/auth/dkim.h"
#include "common/auth/dmarc.h"
#include "common/auth/dns.h"
#include "common/auth/findings.h"
#include "common/auth/spf.h"

extern const struct verb verb_check_auth;

enum { SERVERS_MAX = 8, FROM_MAX = 16, ENGINES_MAX = 2, SECONDS_MAX = 600, BODY_CHUNK = 65536 };

static const struct engine {
	const char *name;
	void (*check)(const struct spf_request *request, struct spf_outcome *ret_outcome);
} engines[ENGINES_MAX] = {
	{ "builtin", spf_check },
	{ "libspf2", spf_check_libspf2 },
};

struct options {
	struct spf_address client;
	const char *client_text;
	struct text helo, from, receiver;
	struct text header_from[FROM_MAX];
	size_t header_from_count;
	const char *servers[SERVERS_MAX];
	struct dns_config dns;
	const struct engine *engines[ENGINES_MAX];
	size_t engine_count;
	const char *suffix_list;
	const char *message;		/* its file; NULL: there is none */
	bool walks_tree, as_json;
	uint64_t time_us;
};

/* The outcome of a whole run. */
struct run {
	const struct options *options;
	struct auth_report report;
	struct dns *dns;		/* a tracer over the resolver */
	struct dns_job job;
	struct dmarc_suffixes *suffixes;
	struct spf_outcome spf;		/* of MAIL FROM, by the first engine */
	struct message_file message;
	struct dkim_library *dkim_library;
	struct dkim_check *dkim;	/* NULL: there is no message */
	struct address_list from;	/* of the message */
	struct dmarc_outcome dmarc;
	bool has_dmarc, has_findings;
};

static void check_spf(struct run *run, enum spf_identity identity, const struct engine *engine, bool decides)
{
	const struct options *options = run->options;
	struct spf_outcome outcome;
	struct text local, domain;
	struct spf_request request = {
		.dns = run->dns, .job = &run->job, .client = options->client, .identity = identity,
		.mail_from = options->from, .helo = options->helo, .receiver = options->receiver,
		.step = auth_report_spf_step, .context = &run->report,
	};

	spf_identity_split(&request, &local, &domain);
	auth_report_begin(&run->report, "spf %s %.*s, engine %s", spf_identity_name(identity), TEXT_ARGS(domain),
			  engine->name);
	dns_job_init(&run->job, options->time_us, DNS_JOB_QUESTIONS);
	engine->check(&request, &outcome);
	auth_report_spf(&run->report, identity, engine->name, &outcome);
	if (!decides)
		return;
	run->spf = outcome;
	run->has_findings = outcome.result == SPF_FAIL || outcome.result == SPF_SOFTFAIL ||
			    outcome.result == SPF_TEMPERROR || outcome.result == SPF_PERMERROR;
}

/* The milter's limits keep mail from waiting; here someone asks and waits. */
static const struct dkim_limits all_of_it = {
	.signatures = DKIM_CHECKED_MAX, .body_hashes = DKIM_CHECKED_MAX, .body_bytes = UINT64_MAX,
};

/* Blanks may stand before the colon. */
static bool is_from(struct text name)
{
	while (name.length && (name.start[name.length - 1] == ' ' || name.start[name.length - 1] == '\t'))
		name.length--;
	return text_equal_nocase(name, TEXT_LITERAL("from"));
}

static void feed_message(struct run *run)
{
	struct text name, value, body;

	address_list_init(&run->from);
	while (message_file_next_field(&run->message, &name, &value)) {
		if (is_from(name))
			address_list_read(&run->from, value);
		dkim_check_header(run->dkim, name, value);
	}
	dkim_check_end_of_header(run->dkim);
	body = message_file_body(&run->message);
	while (body.length > 0) {
		struct text chunk = { body.start, body.length < BODY_CHUNK ? body.length : BODY_CHUNK };

		dkim_check_body(run->dkim, chunk);
		body.start += chunk.length;
		body.length -= chunk.length;
	}
}

static void check_dkim(struct run *run)
{
	feed_message(run);
	auth_report_begin(&run->report, "dkim, %zu signature%s", dkim_check_found(run->dkim),
			  dkim_check_found(run->dkim) == 1 ? "" : "s");
	dns_job_init(&run->job, run->options->time_us, DNS_JOB_QUESTIONS);
	dkim_check_ask(run->dkim, run->dns, &run->job);
	dkim_check_finish(run->dkim);
	auth_report_dkim(&run->report, run->dkim);
}

/* Those that were given, or the one that the message names; how many, 0 where there is no telling. */
static size_t find_from(const struct run *run, const struct text **ret_domains, struct text *scratch)
{
	*ret_domains = run->options->header_from;
	if (run->options->header_from_count > 0)
		return run->options->header_from_count;
	*scratch = address_list_domain(&run->from);
	*ret_domains = scratch;
	return scratch->length > 0;
}

static void check_dmarc(struct run *run)
{
	const struct options *options = run->options;
	struct dmarc_identifier signatures[DKIM_KEPT_MAX];
	const struct text *domains;
	struct text scratch;
	size_t count = find_from(run, &domains, &scratch);
	const struct dmarc_input input = {
		.dns = run->dns, .job = &run->job, .suffixes = run->suffixes, .walks_tree = options->walks_tree,
		.from_count = count, .from_domains = domains, .spf = finding_of_spf(&run->spf),
		.dkim_count = findings_of_dkim(run->dkim, signatures), .dkim = signatures,
	};

	auth_report_begin(&run->report, "dmarc %.*s, by RFC %s%s", count ? (int)domains[0].length : 0,
			  count ? domains[0].start : "", options->walks_tree ? "9989" : "7489",
			  run->dkim ? "" : ", as for a message without a DKIM signature");
	dns_job_init(&run->job, options->time_us, DNS_JOB_QUESTIONS);
	if (count > 0)
		dmarc_evaluate(&input, &run->dmarc);
	else
		dmarc_refuse(address_list_count(&run->from) > 1, &run->dmarc);
	auth_report_dmarc(&run->report, &input, &run->dmarc);
	run->has_dmarc = true;
	run->has_findings = run->dmarc.result != DMARC_PASS && run->dmarc.result != DMARC_NONE;
}

static void check_all(struct run *run)
{
	const struct options *options = run->options;

	auth_report_input(&run->report, "client", text_of(options->client_text));
	auth_report_input(&run->report, "helo", options->helo);
	auth_report_input(&run->report, "from", options->from);
	for (size_t i = 0; i < options->engine_count; i++) {
		if (options->helo.length > 0)
			check_spf(run, SPF_HELO, options->engines[i], false);
		check_spf(run, SPF_MAILFROM, options->engines[i], i == 0);
	}
	if (run->dkim)
		check_dkim(run);
	if (run->dkim || options->header_from_count > 0)
		check_dmarc(run);
	auth_report_verdict(&run->report, &run->spf, run->dkim, run->has_dmarc ? &run->dmarc : NULL);
}

/* What needs neither the DNS nor an answer. 0, or -errno with words. */
static int open_run(struct run *run, struct problem *problem)
{
	const struct options *options = run->options;
	int error = dmarc_suffixes_open(options->suffix_list, &run->suffixes, problem);

	if (error || !options->message)
		return error;
	error = message_file_open(&run->message, options->message, problem);
	if (error)
		return error;
	run->dkim_library = dkim_library_new(options->dns.trust_anchor_file != NULL);
	run->dkim = run->dkim_library ? dkim_check_new(run->dkim_library, &all_of_it) : NULL;
	return run->dkim ? 0 : -ENOMEM;
}

static void close_run(struct run *run)
{
	dkim_check_free(run->dkim);
	dkim_library_free(run->dkim_library);
	message_file_close(&run->message);
	dmarc_suffixes_close(run->suffixes);
}

static int run_checks(const struct options *options)
{
	struct run run = { .options = options };
	struct problem problem = { "" };
	struct dns *resolver = NULL;
	int status = EXIT_USAGE;

	if (open_run(&run, &problem) || dns_start(&options->dns, &resolver, &problem)) {
		fprintf(stderr, "smtptrail check-auth: %s\n", problem.text[0] ? problem.text : "no memory");
		close_run(&run);
		return status;
	}
	auth_report_init(&run.report, stdout, options->as_json);
	run.dns = dns_tracer_new(resolver, auth_report_dns, &run.report);
	if (run.dns) {
		check_all(&run);
		status = run.has_findings ? EXIT_NOTHING : EXIT_FOUND;
	}
	/* The tracer may still be told what came too late, until the resolver stops. */
	dns_stop(resolver);
	dns_tracer_free(run.dns);
	auth_report_finish(&run.report);
	close_run(&run);
	return status;
}

/* The domain of an address, be it "a@b", "<a@b>", "Name <a@b>" or only "b". */
static struct text address_domain(const char *argument)
{
	const char *open = strrchr(argument, '<'), *start = open ? open + 1 : argument;
	struct text address = { start, strcspn(start, open ? ">" : "") };
	size_t at = address.length;

	while (at > 0 && address.start[at - 1] != '@')
		at--;
	return (struct text){ address.start + at, address.length - at };
}

static struct text without_angles(const char *argument)
{
	size_t length = strlen(argument);

	if (length >= 2 && argument[0] == '<' && argument[length - 1] == '>')
		return (struct text){ argument + 1, length - 2 };
	return text_of(argument);
}

/* "builtin,libspf2". 0, or the exit status. */
static int read_engines(struct options *options, const char *list)
{
	options->engine_count = 0;
	while (*list) {
		struct text name = { list, strcspn(list, ", ") };
		size_t found = 0;

		while (found < ENGINES_MAX && !text_is(name, engines[found].name))
			found++;
		if (found == ENGINES_MAX || options->engine_count == ENGINES_MAX)
			return verb_usage_error(&verb_check_auth,
						"'%.*s' is no engine, or one too many: builtin, libspf2",
						TEXT_ARGS(name));
		options->engines[options->engine_count++] = &engines[found];
		list += name.length;
		list += strspn(list, ", ");
	}
	return 0;
}

static int read_option(struct options *options, int letter, char *value)
{
	char *end;

	switch (letter) {
	case 'c':
		options->client_text = value;
		if (spf_address_parse(value, &options->client))
			return verb_usage_error(&verb_check_auth, "'%s' is no IPv4 or IPv6 address", value);
		break;
	case 'e': options->helo = text_of(value); break;
	case 'f': options->from = without_angles(value); break;
	case 'r': options->receiver = text_of(value); break;
	case 'l': options->suffix_list = value; break;
	case 'a': options->dns.trust_anchor_file = value; break;
	case 'w': options->walks_tree = true; break;
	case 'j': options->as_json = true; break;
	case 's': return read_engines(options, value);
	case 'd':
		if (options->dns.server_count == SERVERS_MAX)
			return verb_usage_error(&verb_check_auth, "more than %d DNS servers", SERVERS_MAX);
		options->servers[options->dns.server_count++] = value;
		break;
	case 'h':
		if (options->header_from_count == FROM_MAX)
			return verb_usage_error(&verb_check_auth, "more than %d addresses in From:", FROM_MAX);
		options->header_from[options->header_from_count++] = address_domain(value);
		break;
	case 't': {
		unsigned long seconds = strtoul(value, &end, 10);

		if (*end || end == value || seconds == 0 || seconds > SECONDS_MAX)
			return verb_usage_error(&verb_check_auth, "'%s' is no number of seconds, 1 to %d", value,
						SECONDS_MAX);
		options->time_us = seconds * 1000000;
		break;
	}
	default: break;
	}
	return 0;
}

static int run_check_auth(int argc, char **argv)
{
	static const struct option known[] = {
		{ "client", required_argument, NULL, 'c' },
		{ "helo", required_argument, NULL, 'e' },
		{ "from", required_argument, NULL, 'f' },
		{ "header-from", required_argument, NULL, 'h' },
		{ "receiver", required_argument, NULL, 'r' },
		{ "dns", required_argument, NULL, 'd' },
		{ "trust-anchor", required_argument, NULL, 'a' },
		{ "spf-engines", required_argument, NULL, 's' },
		{ "tree-walk", no_argument, NULL, 'w' },
		{ "suffix-list", required_argument, NULL, 'l' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = {
		.from = TEXT_LITERAL(""), .helo = TEXT_LITERAL(""), .time_us = DNS_JOB_TIME_US,
		.engines = { &engines[0] }, .engine_count = 1,
	};
	int letter;

	options.dns.servers = options.servers;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (letter == ':')
			return verb_usage_error(&verb_check_auth, "'%s' needs a value", argv[optind - 1]);
		if (letter == '?')
			return verb_usage_error(&verb_check_auth, "unknown option '%s'", argv[optind - 1]);
		int status = read_option(&options, letter, optarg);

		if (status)
			return status;
	}
	if (optind + 1 < argc)
		return verb_usage_error(&verb_check_auth, "takes one message at most, got '%s' too", argv[optind + 1]);
	if (optind < argc)
		options.message = argv[optind];
	if (!options.client_text)
		return verb_usage_error(&verb_check_auth, "--client is missing");
	if (options.helo.length == 0 && options.from.length == 0)
		return verb_usage_error(&verb_check_auth, "--helo or --from is missing");
	if (options.engine_count == 0)
		return verb_usage_error(&verb_check_auth, "--spf-engines is empty");
	return run_checks(&options);
}

const struct verb verb_check_auth = {
	.name = "check-auth",
	.summary = "ask SPF, DKIM and DMARC about a sender and a message, and show every step",
	.arguments = "--client ADDRESS --helo NAME --from ADDRESS [options] [MESSAGE-FILE]",
	.help = "  --client ADDRESS       address of the client, IPv4 or IPv6\n"
		"  --helo NAME            name it gives in HELO\n"
		"  --from ADDRESS         envelope sender; empty or missing: the null sender\n"
		"  --header-from ADDRESS  an address of the header From:, for DMARC, instead of the message's; may be given\n"
		"                         several times\n"
		"  --receiver NAME        name of this host, for explanations of SPF\n"
		"  --spf-engines LIST     builtin, libspf2 or both; the first decides (default: builtin)\n"
		"  --tree-walk            DMARC by RFC 9989, not RFC 7489\n"
		"  --suffix-list FILE     public suffix list, instead of the system's\n"
		"  --dns ADDRESS[@PORT]   DNS server, instead of those of /etc/resolv.conf; may be given several times\n"
		"  --trust-anchor FILE    DNSSEC trust anchor; answers are then checked\n"
		"  --timeout SECONDS      time for each check (default: 10)\n"
		"  --json                 one JSON object\n\n"
		"MESSAGE-FILE is the mail as it was stored, header and body, up to 64 MiB; \"-\" is standard input. Its\n"
		"DKIM signatures are checked and its From: is what DMARC is asked about. Lines may end in LF or CR LF. The\n"
		"milter's limits on hashing (dkim_max_body_hashes, dkim_max_body_bytes) do not count here; that of ten\n"
		"signatures does. Without a message DMARC is answered for --header-from, as for a mail without a signature.\n"
		"Exit status: 0 nothing to object, 1 DMARC fails or, where it is not asked, SPF does,\n"
		"2 the question cannot be asked.\n\n"
		"examples:\n"
		"  smtptrail check-auth --client 192.0.2.1 --helo mail.example.com --from bounce@example.com\n"
		"  smtptrail check-auth --client 192.0.2.1 --helo mail.example.com --from a@example.com \\\n"
		"      --header-from news@example.com --spf-engines builtin,libspf2 --dns 127.0.0.1@5353\n"
		"  smtptrail check-auth --client 192.0.2.1 --helo mail.example.com --from a@example.com mail.eml\n",
	.run = run_check_auth,
};
