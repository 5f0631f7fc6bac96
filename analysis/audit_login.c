/*
 * audit_login.c - who guesses passwords, and who may have found one: by address, network, account and method; and accounts
 * whose mail or mailbox traffic is unlike their own.
 *
 * What counts as much is stated here, once, and in the manual page.
 */
#include "analysis/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	GUESSES = 10,			/* failures of one address, or of one account */
	GUESSES_MANY = 100,
	NAMES = 5,			/* accounts that one address tried */
	SOURCES = 5,			/* addresses that tried one account */
	BEFORE_SUCCESS = 3,		/* failures before a success that make it doubtful */
	SLOW_HOURS = 6,			/* spread over so long: slow */
	USUAL_LOGINS = 30,		/* logins of an account before its hours are usual ones */
	ODD_SHARE = 50,			/* an hour of the day with less than one in so many is odd */
	MANY_MESSAGES = 100,		/* in an hour, and MANY_TIMES what is usual for the account */
	MANY_TIMES = 10,
};
static const uint64_t bulk_bytes = 500 * UINT64_C(1000000);	/* read from one mailbox in an hour */

enum { PASSED, FAILED, FIRST_FAILED, LAST_FAILED, FIRST_PASSED, LAST_PASSED, BYTES, NUMBERS };
enum { ACCOUNT, CLIENT, METHOD };

static const struct tally_info tallies[] = {
	{ "login_pairs", 3, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_LEAST, TALLY_MOST, TALLY_SUM } },
	{ "login_hours", 2, 1, { TALLY_SUM } },			/* account, hour of the day */
	{ "login_networks", 2, 2, { TALLY_LEAST, TALLY_SUM } },		/* account, network: since when it passes */
	{ "login_bytes", 2, 1, { TALLY_SUM } },			/* account, hour */
	{ "login_messages", 2, 1, { TALLY_SUM } },		/* account or internal client, hour */
};

static void collect_message(struct tally *tally, const struct report_row *row)
{
	struct text sender = row->session ? facts_text(&row->session->facts, FACT_SESSION_AUTH_AUTHEN) : TEXT_NONE;
	char hour[REPORT_HOUR_SIZE];

	if (row->is_hop || !row->is_accepted)
		return;
	if (!sender.start && row->session && text_is(report_or_unknown(row->origin), "local"))
		sender = facts_text(&row->session->facts, FACT_SESSION_CLIENT_ADDR);
	if (sender.length)
		tally_add_two(tally, sender, report_hour(row->time_us, hour), (uint64_t[]){ row->message->recipient_count ? row->message->recipient_count : 1 });
}

static void collect_passed(struct tally **tally, const struct report_row *row, struct text account, struct text client)
{
	char hour[REPORT_HOUR_SIZE], scratch[AUDIT_NETWORK_SIZE];
	struct text when = report_hour(row->time_us, hour);
	tally_add_two(tally[1], account, (struct text){ when.start + 11, 2 }, (uint64_t[]){ 1 });
	tally_add_two(tally[2], account, audit_network(client, scratch), (uint64_t[]){ row->time_us, 1 });
}

/* What was read is known at the end. */
static void collect_bytes(struct tally *tally, const struct report_row *row)
{
	uint64_t bytes = facts_number(&row->login->facts, FACT_LOGIN_BYTES_OUT, 0);
	char hour[REPORT_HOUR_SIZE];

	if (bytes)
		tally_add_two(tally, report_or_unknown(facts_text(&row->login->facts, FACT_LOGIN_AUTH_AUTHEN)),
			      report_hour(row->time_us, hour), (uint64_t[]){ bytes });
}

static void collect(struct tally **tally, const struct report_row *row)
{
	const struct facts *facts;
	struct text parts[3], outcome;
	uint64_t numbers[NUMBERS] = { [FIRST_FAILED] = UINT64_MAX, [FIRST_PASSED] = UINT64_MAX };

	if (row->moment == REPORT_MESSAGE) {
		collect_message(tally[4], row);
		return;
	}
	if (row->moment == REPORT_LOGOUT) {
		collect_bytes(tally[3], row);
		return;
	}
	facts = &row->login->facts;
	outcome = facts_text(facts, FACT_LOGIN_OUTCOME);
	parts[ACCOUNT] = report_or_unknown(facts_text(facts, FACT_LOGIN_AUTH_AUTHEN));
	parts[CLIENT] = report_or_unknown(facts_text(facts, FACT_LOGIN_CLIENT_ADDR));
	parts[METHOD] = report_or_unknown(facts_text(facts, FACT_LOGIN_AUTH_TYPE));
	if (text_is(outcome, "passed")) {
		numbers[PASSED] = 1;
		numbers[FIRST_PASSED] = numbers[LAST_PASSED] = row->time_us;
		collect_passed(tally, row, parts[ACCOUNT], parts[CLIENT]);
	} else if (text_is(outcome, "failed")) {
		uint64_t tries = facts_number(facts, FACT_LOGIN_ATTEMPTS, 1);

		numbers[FAILED] = tries ? tries : 1;
		numbers[FIRST_FAILED] = numbers[LAST_FAILED] = row->time_us;
	}
	tally_add(tally[0], parts, numbers);
}

/* ---- judging ---- */

/* Sums of one part of the pairs, and how many different ones of another it came with. */
static const struct tally_info sums_info = {
	"sums", 1, 5, { TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_SUM },
};
enum { SUM_FAILED, SUM_PASSED, SUM_FIRST, SUM_LAST, SUM_OTHERS };

static struct tally *sum_by(const struct tally *pairs, unsigned part)
{
	struct tally *sums = tally_new(&sums_info);

	for (size_t i = 0; sums && i < tally_count(pairs); i++) {
		struct tally_row row = tally_row(pairs, i);

		tally_add_one(sums, row.parts[part], (uint64_t[]){ row.numbers[FAILED], row.numbers[PASSED], row.numbers[FIRST_FAILED],
								    row.numbers[LAST_FAILED], row.numbers[FAILED] ? 1 : 0 });
	}
	return sums;
}

static bool is_slow(const struct tally_row *row)
{
	return row->numbers[SUM_LAST] > row->numbers[SUM_FIRST] &&
	       row->numbers[SUM_LAST] - row->numbers[SUM_FIRST] > (uint64_t)SLOW_HOURS * 3600 * 1000000 &&
	       row->numbers[SUM_FAILED] / (1 + (row->numbers[SUM_LAST] - row->numbers[SUM_FIRST]) / (3600 * UINT64_C(1000000))) < GUESSES;
}

static void judge_guesser(struct table *table, const struct tally_row *row)
{
	bool is_many = row->numbers[SUM_OTHERS] >= NAMES;
	char words[80];
	struct audit_finding finding = {
		.severity = row->numbers[SUM_FAILED] >= GUESSES_MANY ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		.what = is_slow(row) ? "guesses passwords, slowly" : is_many ? "guesses the passwords of many accounts" : "guesses passwords",
		.source = row->parts[0], .count = row->numbers[SUM_FAILED],
		.query = "", .source_field = "client",
	};

	if (row->numbers[SUM_FAILED] < GUESSES)
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " accounts, %" PRIu64 " passed", row->numbers[SUM_OTHERS], row->numbers[SUM_PASSED]);
	finding.detail = text_of(words);
	audit_put(table, &finding);
}

static void judge_target(struct table *table, const struct tally_row *row)
{
	bool is_spread = row->numbers[SUM_OTHERS] >= SOURCES;
	char words[60];
	struct audit_finding finding = {
		.severity = is_spread ? SEVERITY_WARNING : SEVERITY_NOTICE,
		.what = is_spread ? "is tried from many addresses" : "is tried again and again", .subject = row->parts[0],
		.count = row->numbers[SUM_FAILED], .query = "", .subject_field = "account",
	};

	if (row->numbers[SUM_FAILED] < GUESSES || text_is(row->parts[0], "unknown"))
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " addresses", row->numbers[SUM_OTHERS]);
	finding.detail = text_of(words);
	audit_put(table, &finding);
}

/* An account and a client; by whatever methods. */
static void judge_success(struct table *table, const struct tally_row *row)
{
	struct audit_finding finding = {
		.severity = SEVERITY_CRITICAL, .what = "logged in after failures: guessed, or a person who remembered", .subject = row->parts[ACCOUNT],
		.source = row->parts[CLIENT], .count = row->numbers[FAILED], .query = "", .subject_field = "account",
		.source_field = "client",
	};

	if (row->numbers[FAILED] < BEFORE_SUCCESS || !row->numbers[PASSED] || row->numbers[LAST_PASSED] < row->numbers[FIRST_FAILED])
		return;
	finding.severity = row->numbers[FAILED] >= GUESSES ? SEVERITY_CRITICAL : SEVERITY_WARNING;
	audit_put(table, &finding);
}

/* The methods of a pair as one: who guesses at one port logs in at another. */
static struct tally *without_methods(const struct tally *pairs)
{
	static const struct tally_info info = {
		"pairs", 2, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_LEAST, TALLY_MOST, TALLY_SUM },
	};
	struct tally *found = tally_new(&info);

	for (size_t i = 0; found && i < tally_count(pairs); i++)
		tally_add(found, tally_row(pairs, i).parts, tally_row(pairs, i).numbers);
	return found;
}

static void judge_pairs(struct table *table, const struct tally *all_pairs)
{
	struct tally *pairs = without_methods(all_pairs), *clients = pairs ? sum_by(pairs, CLIENT) : NULL;
	struct tally *accounts = pairs ? sum_by(pairs, ACCOUNT) : NULL;
	struct tally_row row;

	for (size_t i = 0; clients && i < tally_count(clients); i++) {
		row = tally_row(clients, i);
		judge_guesser(table, &row);
	}
	for (size_t i = 0; accounts && i < tally_count(accounts); i++) {
		row = tally_row(accounts, i);
		judge_target(table, &row);
	}
	for (size_t i = 0; pairs && i < tally_count(pairs); i++) {
		row = tally_row(pairs, i);
		judge_success(table, &row);
	}
	tally_free(pairs);
	tally_free(clients);
	tally_free(accounts);
}

/* The numbers of an account over its hours: their sum. */
static uint64_t sum_of(const struct tally *tally, struct text account)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < tally_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);

		if (text_equal(row.parts[0], account))
			sum += row.numbers[0];
	}
	return sum;
}

static void judge_hours(struct table *table, const struct tally *hours)
{
	struct tally *sums = tally_fold(hours, &(struct tally_info){ "sums", 1, 1, { TALLY_SUM } }, 0, 0);

	for (size_t i = 0; sums && i < tally_count(hours); i++) {
		struct tally_row row = tally_row(hours, i);
		uint64_t all = 0;
		char words[40];
		struct audit_finding finding = {
			.severity = SEVERITY_NOTICE, .what = "logged in at an hour that is odd for it", .subject = row.parts[0], .count = row.numbers[0],
			.query = "", .subject_field = "account",
		};

		if (!tally_find(sums, row.parts, &all) || all < USUAL_LOGINS || row.numbers[0] * ODD_SHARE >= all)
			continue;
		(void)snprintf(words, sizeof words, "between %.*s:00 and %.*s:59 UTC", TEXT_ARGS(row.parts[1]), TEXT_ARGS(row.parts[1]));
		finding.detail = text_of(words);
		finding.all = all;
		audit_put(table, &finding);
	}
	tally_free(sums);
}

/* A network that an account came from for the first time, when it had others before. */
static void judge_networks(struct table *table, const struct tally *networks)
{
	struct tally *first = tally_fold(networks, &(struct tally_info){ "first", 1, 2, { TALLY_LEAST, TALLY_SUM } }, 0, 0);

	for (size_t i = 0; first && i < tally_count(networks); i++) {
		struct tally_row row = tally_row(networks, i);
		uint64_t since[2];
		struct audit_finding finding = {
			.severity = SEVERITY_NOTICE, .what = "logged in from a network that is new for it", .subject = row.parts[0], .source = row.parts[1],
			.count = row.numbers[1], .query = "", .subject_field = "account", .source_field = "client",
		};

		if (!tally_find(first, row.parts, since) || row.numbers[0] == since[0] || since[1] - row.numbers[1] < USUAL_LOGINS)
			continue;
		finding.all = since[1];
		audit_put(table, &finding);
	}
	tally_free(first);
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What is usual: the median of an account's hours. */
static uint64_t median_of(const struct tally *tally, struct text account)
{
	uint64_t *numbers = calloc(tally_count(tally) ? tally_count(tally) : 1, sizeof *numbers), median;
	size_t count = 0;

	for (size_t i = 0; numbers && i < tally_count(tally); i++) {
		struct tally_row row = tally_row(tally, i);

		if (text_equal(row.parts[0], account))
			numbers[count++] = row.numbers[0];
	}
	if (numbers && count)
		qsort(numbers, count, sizeof *numbers, compare_numbers);
	median = numbers && count ? numbers[count / 2] : 0;
	free(numbers);
	return median;
}

static void judge_messages(struct table *table, const struct tally *messages)
{
	for (size_t i = 0; i < tally_count(messages); i++) {
		struct tally_row row = tally_row(messages, i);
		uint64_t usual;
		char words[80];
		struct audit_finding finding = {
			.severity = SEVERITY_CRITICAL, .what = "sends far more than usual: a hacked account or machine?", .subject = row.parts[0],
			.count = row.numbers[0], .query = "",
			.subject_field = memchr(row.parts[0].start, '@', row.parts[0].length) ? "account" : "client",
		};

		if (row.numbers[0] < MANY_MESSAGES)
			continue;
		usual = median_of(messages, row.parts[0]);
		if (sum_of(messages, row.parts[0]) != row.numbers[0] && row.numbers[0] < MANY_TIMES * usual)
			continue;
		(void)snprintf(words, sizeof words, "recipients in the hour from %.*s:00; usual: %" PRIu64, TEXT_ARGS(row.parts[1]), usual);
		audit_put(table, &finding);
	}
}

static void judge_bytes(struct table *table, const struct tally *bytes)
{
	for (size_t i = 0; i < tally_count(bytes); i++) {
		struct tally_row row = tally_row(bytes, i);
		char words[80], size[CELL_WORDS_MAX];
		struct audit_finding finding = {
			.severity = SEVERITY_WARNING, .what = "reads its mailbox in bulk", .subject = row.parts[0], .count = row.numbers[0],
			.query = "", .subject_field = "account",
		};

		if (row.numbers[0] < bulk_bytes)
			continue;
		cell_words(CELL_SIZE, row.numbers[0], size);
		(void)snprintf(words, sizeof words, "%s in the hour from %.*s:00", size, TEXT_ARGS(row.parts[1]));
		finding.detail = text_of(words);
		audit_put(table, &finding);
	}
}

static void show(struct tally *const *tally, const struct report_options *options, report_emit *emit, void *context)
{
	struct table *table = audit_table_new("login", "Logins");

	if (table) {
		judge_pairs(table, tally[0]);
		judge_hours(table, tally[1]);
		judge_networks(table, tally[2]);
		judge_bytes(table, tally[3]);
		judge_messages(table, tally[4]);
	}
	audit_emit(table, options, emit, context);
}

static const enum fact asked_for[] = {
	FACT_LOGIN_ATTEMPTS, FACT_LOGIN_AUTH_AUTHEN, FACT_LOGIN_AUTH_TYPE, FACT_LOGIN_BYTES_OUT, FACT_LOGIN_CLIENT_ADDR,
	FACT_LOGIN_OUTCOME, FACT_MESSAGE_ORIGIN, FACT_SESSION_AUTH_AUTHEN, FACT_SESSION_CLIENT_ADDR, FACT_COUNT,
};

const struct report audit_login = {
	.name = "login", .summary = "who guesses passwords, success after failures, odd hours and networks, accounts that send or read too much",
	.moments = REPORT_LOGIN | REPORT_LOGOUT | REPORT_MESSAGE, .tally_count = 5, .tallies = tallies, .facts = asked_for, .collect = collect, .show = show,
};
