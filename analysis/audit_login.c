/*
 * audit_login.c - who guesses passwords, and who may have found one: by address, network, account and method; and accounts
 * whose mail or mailbox traffic is unlike their own.
 *
 * What counts as much is in audit_limits.def.
 */
#include "analysis/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A line that tells of a failure may tell of several tries: it is one login that failed, and what is judged by are the tries. */
enum { PASSED, FAILED, TRIES, FIRST_FAILED, LAST_FAILED, FIRST_PASSED, LAST_PASSED, NUMBERS };
enum { ACCOUNT, CLIENT, METHOD };

static const struct tally_info tallies[] = {
	{ "login_pairs", 3, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_LEAST, TALLY_MOST } },
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
	/* Of a message whose recipients no line told there is nobody to count. */
	if (sender.length && row->message->recipient_count)
		tally_add_two(tally, sender, report_hour(row->time_us, hour), (uint64_t[]){ row->message->recipient_count });
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

		numbers[FAILED] = 1;
		numbers[TRIES] = tries ? tries : 1;
		numbers[FIRST_FAILED] = numbers[LAST_FAILED] = row->time_us;
	}
	tally_add(tally[0], parts, numbers);
}

/* ---- judging ---- */

/* Sums of one part of the pairs, and how many different ones of another it failed with. Those of networks have more. */
static const struct tally_info sums_info = {
	"sums", 1, 6, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_SUM },
};
static const struct tally_info networks_info = {
	"networks", 1, 9, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_SUM, TALLY_SUM, TALLY_MOST, TALLY_SUM },
};
enum {
	SUM_FAILED, SUM_TRIES, SUM_PASSED, SUM_FIRST, SUM_LAST, SUM_OTHERS,
	SUM_ADDRESSES,			/* that failed */
	SUM_BUSIEST,			/* tries of the one with most of them */
	SUM_STRANGERS,			/* tries for accounts that never passed from there */
};

/* The pairs by two of their parts, whatever the third is: who guesses by one method logs in by another. Of what was beyond
 * the limit of the tally nothing can be said. */
static struct tally *fold_pairs(const struct tally *pairs, unsigned first, unsigned second)
{
	static const struct tally_info info = {
		"pairs", 2, NUMBERS, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_LEAST, TALLY_MOST },
	};
	struct tally *found = tally_new(&info);

	for (size_t i = 0; found && i < tally_count(pairs); i++) {
		struct tally_row row = tally_row(pairs, i);

		if (!text_is(row.parts[ACCOUNT], TALLY_OTHERS))
			tally_add_two(found, row.parts[first], row.parts[second], row.numbers);
	}
	return found;
}

static struct tally *sum_by(const struct tally *pairs, unsigned part)
{
	struct tally *sums = tally_new(&sums_info);

	for (size_t i = 0; sums && i < tally_count(pairs); i++) {
		struct tally_row row = tally_row(pairs, i);

		tally_add_one(sums, row.parts[part], (uint64_t[]){ row.numbers[FAILED], row.numbers[TRIES], row.numbers[PASSED],
								    row.numbers[FIRST_FAILED], row.numbers[LAST_FAILED],
								    row.numbers[FAILED] ? 1 : 0 });
	}
	return sums;
}

static bool is_slow(const struct tally_row *row)
{
	return row->numbers[SUM_LAST] > row->numbers[SUM_FIRST] &&
	       row->numbers[SUM_LAST] - row->numbers[SUM_FIRST] > (uint64_t)AUDIT_SLOW_HOURS * 3600 * 1000000 &&
	       row->numbers[SUM_TRIES] / (1 + (row->numbers[SUM_LAST] - row->numbers[SUM_FIRST]) / (3600 * UINT64_C(1000000))) < AUDIT_GUESSES;
}

static const char *accounts_word(uint64_t count)
{
	return count == 1 ? "account" : "accounts";
}

static const char *addresses_word(uint64_t count)
{
	return count == 1 ? "address" : "addresses";
}

#define FAILED_LOGINS "is:login outcome:failed"
enum { WORDS_SIZE = 160 };

/* Behind what the detail says, where they are more than the logins that are counted. */
static struct text detail_of(char words[WORDS_SIZE], uint64_t failed, uint64_t tries)
{
	size_t length = strlen(words);

	if (tries > failed)
		(void)snprintf(words + length, WORDS_SIZE - length, "%s%" PRIu64 " tries", length ? ", " : "", tries);
	return *words ? text_of(words) : TEXT_NONE;
}

static void judge_guesser(struct table *table, const struct tally_row *row)
{
	bool is_many = row->numbers[SUM_OTHERS] >= AUDIT_NAMES;
	char words[WORDS_SIZE];
	struct audit_finding finding = {
		.severity = row->numbers[SUM_TRIES] >= AUDIT_GUESSES_MANY ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		.what = is_slow(row) ? "guesses passwords, slowly" : is_many ? "guesses the passwords of many accounts" : "guesses passwords",
		.source = row->parts[0], .count = row->numbers[SUM_FAILED],
		.query = FAILED_LOGINS, .source_field = "client",
	};

	if (row->numbers[SUM_TRIES] < AUDIT_GUESSES)
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " %s, %" PRIu64 " passed", row->numbers[SUM_OTHERS], accounts_word(row->numbers[SUM_OTHERS]),
		       row->numbers[SUM_PASSED]);
	finding.detail = detail_of(words, row->numbers[SUM_FAILED], row->numbers[SUM_TRIES]);
	audit_put(table, &finding);
}

static void judge_target(struct table *table, const struct tally_row *row)
{
	bool is_spread = row->numbers[SUM_OTHERS] >= AUDIT_SOURCES;
	char words[WORDS_SIZE];
	struct audit_finding finding = {
		.severity = is_spread ? SEVERITY_WARNING : SEVERITY_NOTICE,
		.what = is_spread ? "is tried from many addresses" : "is tried again and again", .subject = row->parts[0],
		.count = row->numbers[SUM_FAILED], .query = FAILED_LOGINS, .subject_field = "account",
	};

	if (row->numbers[SUM_TRIES] < AUDIT_GUESSES || text_is(row->parts[0], REPORT_UNKNOWN))
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " %s", row->numbers[SUM_OTHERS], addresses_word(row->numbers[SUM_OTHERS]));
	finding.detail = detail_of(words, row->numbers[SUM_FAILED], row->numbers[SUM_TRIES]);
	audit_put(table, &finding);
}

static bool is_doubtful(uint64_t tries, uint64_t first_failed, uint64_t passed, uint64_t last_passed, uint64_t enough)
{
	return tries >= enough && passed && last_passed >= first_failed;
}

/* Of an account and a client. */
static bool is_doubtful_pair(const struct tally_row *row)
{
	return is_doubtful(row->numbers[TRIES], row->numbers[FIRST_FAILED], row->numbers[PASSED], row->numbers[LAST_PASSED], AUDIT_BEFORE_SUCCESS);
}

static void judge_success(struct table *table, const struct tally_row *row)
{
	char words[WORDS_SIZE] = "";
	struct audit_finding finding = {
		.severity = row->numbers[TRIES] >= AUDIT_GUESSES ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		.what = "logged in after failures: guessed, or a person who remembered", .subject = row->parts[ACCOUNT],
		.source = row->parts[CLIENT], .count = row->numbers[FAILED], .query = FAILED_LOGINS, .subject_field = "account",
		.source_field = "client", .detail = detail_of(words, row->numbers[FAILED], row->numbers[TRIES]),
	};

	if (is_doubtful_pair(row))
		audit_put(table, &finding);
}

/* ---- networks ---- */

/* An account, and the network of its clients. */
static const struct tally_info places_info = {
	"places", 2, 8, { TALLY_SUM, TALLY_SUM, TALLY_SUM, TALLY_LEAST, TALLY_MOST, TALLY_MOST, TALLY_SUM, TALLY_MOST },
};
enum { PLACE_FAILED, PLACE_TRIES, PLACE_PASSED, PLACE_FIRST_FAILED, PLACE_LAST_FAILED, PLACE_LAST_PASSED, PLACE_ADDRESSES, PLACE_IS_FOUND };
enum { PLACE_ACCOUNT, PLACE_NETWORK };

static struct tally *sum_places(const struct tally *pairs)
{
	struct tally *places = tally_new(&places_info);
	char scratch[AUDIT_NETWORK_SIZE];

	for (size_t i = 0; places && i < tally_count(pairs); i++) {
		struct tally_row row = tally_row(pairs, i);
		const uint64_t *numbers = row.numbers;

		if (audit_is_address(row.parts[CLIENT]))
			tally_add_two(places, row.parts[ACCOUNT], audit_network(row.parts[CLIENT], scratch),
				      (uint64_t[]){ numbers[FAILED], numbers[TRIES], numbers[PASSED], numbers[FIRST_FAILED], numbers[LAST_FAILED],
						    numbers[LAST_PASSED], numbers[FAILED] ? 1 : 0, is_doubtful_pair(&row) });
	}
	return places;
}

static struct tally *sum_networks(const struct tally *places, const struct tally *clients)
{
	struct tally *networks = tally_new(&networks_info);
	char scratch[AUDIT_NETWORK_SIZE];
	struct tally_row row;

	for (size_t i = 0; networks && i < tally_count(places); i++) {
		row = tally_row(places, i);
		tally_add_one(networks, row.parts[PLACE_NETWORK],
			      (uint64_t[]){ row.numbers[PLACE_FAILED], row.numbers[PLACE_TRIES], row.numbers[PLACE_PASSED],
					    row.numbers[PLACE_FIRST_FAILED], row.numbers[PLACE_LAST_FAILED], row.numbers[PLACE_FAILED] ? 1 : 0, 0, 0,
					    row.numbers[PLACE_PASSED] ? 0 : row.numbers[PLACE_TRIES] });
	}
	for (size_t i = 0; networks && i < tally_count(clients); i++) {
		row = tally_row(clients, i);
		if (audit_is_address(row.parts[0]))
			tally_add_one(networks, audit_network(row.parts[0], scratch),
				      (uint64_t[]){ 0, 0, 0, UINT64_MAX, 0, 0, row.numbers[SUM_FAILED] ? 1 : 0, row.numbers[SUM_TRIES], 0 });
	}
	return networks;
}

/* Neither one address of it alone, nor people who mistype their own passwords. */
static bool is_guessing(const uint64_t *network)
{
	return network[SUM_ADDRESSES] >= AUDIT_SOURCES && network[SUM_STRANGERS] >= AUDIT_GUESSES &&
	       network[SUM_TRIES] - network[SUM_BUSIEST] >= AUDIT_GUESSES;
}

static void judge_network(struct table *table, const struct tally_row *row)
{
	char words[WORDS_SIZE];
	struct audit_finding finding = {
		.severity = row->numbers[SUM_TRIES] >= AUDIT_GUESSES_MANY ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		.what = is_slow(row) ? "guesses passwords from many addresses of a network, slowly" : "guesses passwords from many addresses of a network",
		.source = row->parts[0], .count = row->numbers[SUM_FAILED], .query = FAILED_LOGINS, .source_field = "client",
	};

	if (!is_guessing(row->numbers))
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " %s, %" PRIu64 " %s, %" PRIu64 " passed", row->numbers[SUM_ADDRESSES],
		       addresses_word(row->numbers[SUM_ADDRESSES]), row->numbers[SUM_OTHERS], accounts_word(row->numbers[SUM_OTHERS]), row->numbers[SUM_PASSED]);
	finding.detail = detail_of(words, row->numbers[SUM_FAILED], row->numbers[SUM_TRIES]);
	audit_put(table, &finding);
}

/* Where no address of it is found alone: failures spread over several, or a success where others are being guessed. */
static void judge_place(struct table *table, const struct tally_row *row, bool is_of_guesser)
{
	const uint64_t *numbers = row->numbers;
	char words[WORDS_SIZE];
	struct audit_finding finding = {
		.severity = is_of_guesser || numbers[PLACE_TRIES] >= AUDIT_GUESSES ? SEVERITY_CRITICAL : SEVERITY_WARNING,
		.what = is_of_guesser ? "logged in after failures, from a network that guesses passwords"
				      : "logged in after failures from several addresses of a network: guessed, or a person who remembered",
		.subject = row->parts[PLACE_ACCOUNT], .source = row->parts[PLACE_NETWORK], .count = numbers[PLACE_FAILED],
		.query = FAILED_LOGINS, .subject_field = "account", .source_field = "client",
	};

	if (numbers[PLACE_IS_FOUND] || (!is_of_guesser && numbers[PLACE_ADDRESSES] < 2) ||
	    !is_doubtful(numbers[PLACE_TRIES], numbers[PLACE_FIRST_FAILED], numbers[PLACE_PASSED], numbers[PLACE_LAST_PASSED],
			 is_of_guesser ? 1U : AUDIT_BEFORE_SUCCESS))
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " %s failed", numbers[PLACE_ADDRESSES], addresses_word(numbers[PLACE_ADDRESSES]));
	finding.detail = detail_of(words, numbers[PLACE_FAILED], numbers[PLACE_TRIES]);
	audit_put(table, &finding);
}

static void judge_places(struct table *table, const struct tally *pairs, const struct tally *clients)
{
	struct tally *places = sum_places(pairs), *networks = places ? sum_networks(places, clients) : NULL;
	struct tally_row row;
	uint64_t network[TALLY_NUMBERS_MAX];

	for (size_t i = 0; networks && i < tally_count(networks); i++) {
		row = tally_row(networks, i);
		judge_network(table, &row);
	}
	for (size_t i = 0; networks && i < tally_count(places); i++) {
		row = tally_row(places, i);
		judge_place(table, &row, tally_find(networks, &row.parts[PLACE_NETWORK], network) && is_guessing(network));
	}
	tally_free(places);
	tally_free(networks);
}

/* ---- methods ---- */

/* What comes from everywhere, for any account, is seen here alone. */
static void judge_method(struct table *table, const struct tally_row *row, uint64_t accounts)
{
	char words[WORDS_SIZE];
	struct audit_finding finding = {
		.severity = row->numbers[SUM_TRIES] >= AUDIT_GUESSES_MANY ? SEVERITY_WARNING : SEVERITY_NOTICE,
		.what = row->numbers[SUM_PASSED] ? "is the method of more failures than logins" : "is a method of failures alone: nobody logs in by it",
		.subject = row->parts[0], .count = row->numbers[SUM_FAILED], .all = row->numbers[SUM_FAILED] + row->numbers[SUM_PASSED],
		.query = FAILED_LOGINS, .subject_field = "login.auth_type",
	};

	if (row->numbers[SUM_TRIES] < AUDIT_GUESSES || row->numbers[SUM_FAILED] <= row->numbers[SUM_PASSED])
		return;
	(void)snprintf(words, sizeof words, "%" PRIu64 " %s, %" PRIu64 " %s, %" PRIu64 " passed", row->numbers[SUM_OTHERS],
		       addresses_word(row->numbers[SUM_OTHERS]), accounts, accounts_word(accounts), row->numbers[SUM_PASSED]);
	finding.detail = detail_of(words, row->numbers[SUM_FAILED], row->numbers[SUM_TRIES]);
	audit_put(table, &finding);
}

static void judge_methods(struct table *table, const struct tally *pairs)
{
	struct tally *by_client = fold_pairs(pairs, METHOD, CLIENT), *by_account = fold_pairs(pairs, METHOD, ACCOUNT);
	struct tally *methods = by_client ? sum_by(by_client, 0) : NULL, *accounts = by_account ? sum_by(by_account, 0) : NULL;
	uint64_t found[TALLY_NUMBERS_MAX] = { 0 };

	for (size_t i = 0; methods && accounts && i < tally_count(methods); i++) {
		struct tally_row row = tally_row(methods, i);

		if (tally_find(accounts, row.parts, found))
			judge_method(table, &row, found[SUM_OTHERS]);
	}
	tally_free(by_client);
	tally_free(by_account);
	tally_free(methods);
	tally_free(accounts);
}

static void judge_pairs(struct table *table, const struct tally *all_pairs)
{
	struct tally *pairs = fold_pairs(all_pairs, ACCOUNT, CLIENT), *clients = pairs ? sum_by(pairs, CLIENT) : NULL;
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
	if (clients)
		judge_places(table, pairs, clients);
	judge_methods(table, all_pairs);
	tally_free(pairs);
	tally_free(clients);
	tally_free(accounts);
}

/* ---- what is usual ---- */

static void judge_hours(struct table *table, const struct tally *hours)
{
	struct tally *sums = tally_fold(hours, &(struct tally_info){ "sums", 1, 1, { TALLY_SUM } }, 0, 0);

	for (size_t i = 0; sums && i < tally_count(hours); i++) {
		struct tally_row row = tally_row(hours, i);
		uint64_t all = 0;
		char words[40];
		struct audit_finding finding = {
			.severity = SEVERITY_NOTICE, .what = "logged in at an hour that is odd for it", .subject = row.parts[0], .count = row.numbers[0],
			.query = "is:login outcome:passed", .subject_field = "account",
		};

		if (!tally_find(sums, row.parts, &all) || all < AUDIT_USUAL_LOGINS || row.numbers[0] * AUDIT_ODD_SHARE >= all)
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
			.count = row.numbers[1], .query = "is:login outcome:passed", .subject_field = "account", .source_field = "client",
		};

		if (!tally_find(first, row.parts, since) || row.numbers[0] == since[0] || since[1] - row.numbers[1] < AUDIT_USUAL_LOGINS)
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

/* Of numbers in their order, one of them left out. */
static uint64_t median_of_others(const uint64_t *numbers, size_t count, uint64_t left_out)
{
	size_t others = count - 1, out = 0, lower = (others - 1) / 2, upper = others / 2;

	while (numbers[out] != left_out)
		out++;
	lower += lower >= out;
	upper += upper >= out;
	return numbers[lower] + (numbers[upper] - numbers[lower]) / 2;
}

/* An hour of an account or a machine; numbers: of all its hours, in their order. */
static void judge_hour(struct table *table, const struct tally_row *row, const uint64_t *numbers, size_t count)
{
	bool is_machine = audit_is_address(row->parts[0]);
	uint64_t usual = count > 1 ? median_of_others(numbers, count, row->numbers[0]) : 0;
	char words[100];
	struct audit_finding finding = {
		.severity = SEVERITY_CRITICAL, .what = "sends far more than usual: a hacked account or machine?", .subject = row->parts[0],
		.count = row->numbers[0],
		.query = is_machine ? "is:recipient -parent:hop -parent:next_host accepted:yes origin:local"
				    : "is:recipient -parent:hop -parent:next_host accepted:yes",
		.subject_field = is_machine ? "client" : "account", .asked = { { REPORT_FIELD_HOUR, row->parts[1] } },
	};

	if (row->numbers[0] < AUDIT_MANY_MESSAGES || row->numbers[0] / AUDIT_MANY_TIMES < usual)
		return;
	if (count > 1)
		(void)snprintf(words, sizeof words, "recipients in the hour from %.*s:00; usual: %" PRIu64, TEXT_ARGS(row->parts[1]), usual);
	else
		(void)snprintf(words, sizeof words, "recipients in the hour from %.*s:00, its only one", TEXT_ARGS(row->parts[1]));
	finding.detail = text_of(words);
	audit_put(table, &finding);
}

static void judge_messages(struct table *table, const struct tally *messages)
{
	size_t count = tally_count(messages), end, *order = tally_order(messages);
	uint64_t *numbers = calloc(count + 1, sizeof *numbers);

	/* The hours of one stand together. */
	for (size_t begin = 0; order && numbers && begin < count; begin = end) {
		struct text who = tally_row(messages, order[begin]).parts[0];

		for (end = begin; end < count && text_equal_nocase(tally_row(messages, order[end]).parts[0], who); end++)
			numbers[end - begin] = tally_number(messages, order[end], 0);
		if (text_is(who, TALLY_OTHERS))
			continue;
		qsort(numbers, end - begin, sizeof *numbers, compare_numbers);
		for (size_t i = begin; i < end; i++) {
			struct tally_row row = tally_row(messages, order[i]);

			judge_hour(table, &row, numbers, end - begin);
		}
	}
	free(order);
	free(numbers);
}

static void judge_bytes(struct table *table, const struct tally *bytes)
{
	for (size_t i = 0; i < tally_count(bytes); i++) {
		struct tally_row row = tally_row(bytes, i);
		char words[80], size[CELL_WORDS_MAX];
		struct audit_finding finding = {
			.severity = SEVERITY_WARNING, .what = "reads its mailbox in bulk", .subject = row.parts[0], .count = row.numbers[0],
			.query = "is:login outcome:passed", .subject_field = "account", .asked = { { REPORT_FIELD_HOUR, row.parts[1] } },
		};

		if (row.numbers[0] < AUDIT_BULK_BYTES)
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
		if (tally_others(tally[0]))
			table_put_note(table, "more than %d different accounts with their clients: the rest is not judged", TALLY_KEYS_MAX);
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
