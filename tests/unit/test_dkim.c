/*
 * test_dkim.c - signatures made by another implementation, and what one change does to each.
 *
 * The cases stand in tests/unit/dkim.cases, which tests/live/dkim_cases.py wrote with python3-dkim. With
 * --probe PIECE KEPT (struct feeding) it reads cases from standard input and prints what it found: for the
 * differential test.
 */
#include "common/auth/dkim.h"

#include <stdlib.h>
#include <time.h>

#include "dns_table.h"
#include "unit.h"

enum { LINE_SIZE = 4096, WANTS_MAX = 32 };

enum { BODY_KEPT = 65536 };

static const struct dkim_limits limits = {
	.signatures = 10, .body_hashes = 3, .body_bytes = 4 << 20, .body_kept = BODY_KEPT,
};

struct test_case {
	char name[LINE_SIZE], error[LINE_SIZE];
	char wants[WANTS_MAX][32];
	size_t want_count;
	struct dns_table *dns;
	char *message;
	size_t length;
};

static void add_dns(struct test_case *row, const char *line)
{
	size_t name = strcspn(line, " "), type = strcspn(line + name + 1, " ");
	const char *data = line + name + 1 + type;

	dns_table_add_record(row->dns, (struct text){ line, name }, (struct text){ line + name + 1, type },
			     text_of(*data == ' ' ? data + 1 : data));
}

/* The next case; false: there is none. */
static bool read_case(FILE *in, struct test_case *row)
{
	char line[LINE_SIZE];

	*row = (struct test_case){ .dns = dns_table_new(NULL) };
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "case ", 5) == 0)
			(void)snprintf(row->name, sizeof row->name, "%s", line + 5);
		else if (strncmp(line, "want ", 5) == 0 && row->want_count < WANTS_MAX)
			(void)snprintf(row->wants[row->want_count++], sizeof row->wants[0], "%.31s", line + 5);
		else if (strncmp(line, "error ", 6) == 0)
			(void)snprintf(row->error, sizeof row->error, "%s", line + 6);
		else if (strncmp(line, "dns ", 4) == 0)
			add_dns(row, line + 4);
		else if (strncmp(line, "message ", 8) == 0)
			break;
	}
	if (feof(in) || ferror(in))
		goto none;
	row->length = strtoul(line + 8, NULL, 10);
	row->message = malloc(row->length + 1);
	if (row->message && fread(row->message, 1, row->length + 1, in) == row->length + 1)
		return true;
none:
	free(row->message);
	dns_table_free(row->dns);
	return false;
}

static void free_case(struct test_case *row)
{
	free(row->message);
	dns_table_free(row->dns);
}

/* As libmilter gives it: the value with its first blank, folded with LF alone. */
static void feed_header(struct dkim_check *check, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	char *value = malloc(length + 1);
	size_t kept = 0;

	if (colon && value) {
		for (const char *at = colon + 1; at < line + length; at++)
			if (*at != '\r' || at + 1 == line + length || at[1] != '\n')
				value[kept++] = *at;
		dkim_check_header(check, (struct text){ line, (size_t)(colon - line) }, (struct text){ value, kept });
	}
	free(value);
}

static size_t feed_headers(struct dkim_check *check, const char *message, size_t length)
{
	size_t start = 0;

	for (size_t at = 0; at + 1 < length; at++) {
		if (message[at] != '\r' || message[at + 1] != '\n')
			continue;
		if (at + 2 < length && (message[at + 2] == ' ' || message[at + 2] == '\t'))
			continue;
		if (at == start)
			return at + 2;
		feed_header(check, message + start, at - start);
		start = at + 2;
	}
	return length;
}

/* How the body comes, in pieces of this size (0: in one), and how much of it is kept. */
struct feeding {
	size_t piece, kept;
};

static struct dkim_check *check_message(struct dkim_library *library, const struct test_case *row, struct feeding feeding)
{
	struct dkim_limits own = limits;

	own.body_kept = feeding.kept;
	struct dkim_check *check = dkim_check_new(library, &own);
	size_t at = feed_headers(check, row->message, row->length), piece = feeding.piece;
	struct dns_job job;

	dkim_check_end_of_header(check);
	while (at < row->length) {
		size_t size = piece && piece < row->length - at ? piece : row->length - at;

		dkim_check_body(check, (struct text){ row->message + at, size });
		at += size;
	}
	dns_job_init(&job, 1000000, 100);
	dkim_check_ask(check, dns_table_source(row->dns), &job);
	dkim_check_finish(check);
	return check;
}

static const char *body_name(enum dkim_body body)
{
	return body == DKIM_BODY_MATCH ? "match" : body == DKIM_BODY_MISMATCH ? "mismatch" : "unknown";
}

static void expect(const struct test_case *row, const struct dkim_check *check, struct feeding feeding)
{
	char got[64];

	if (row->want_count == 1 && strcmp(row->wants[0], "none") == 0) {
		CHECK_SAYING(dkim_check_count(check) == 0, "%s", row->name);
		return;
	}
	CHECK_SAYING(dkim_check_count(check) == row->want_count, "%s: %zu signatures", row->name, dkim_check_count(check));
	for (size_t i = 0; i < row->want_count && i < dkim_check_count(check); i++) {
		const struct dkim_signature *signature = dkim_check_signature(check, i);

		(void)snprintf(got, sizeof got, "%s %s", dkim_result_name(signature->result), body_name(signature->body));
		CHECK_SAYING(strcmp(got, row->wants[i]) == 0, "%s, pieces of %zu, %zu kept: \"%s\" (%s), wanted \"%s\"",
			     row->name, feeding.piece, feeding.kept, got, signature->error, row->wants[i]);
		CHECK_SAYING((signature->result == DKIM_PASS) == (signature->error[0] == '\0'), "%s: error \"%s\"",
			     row->name, signature->error);
		CHECK_SAYING(i || strncmp(signature->error, row->error, strlen(row->error)) == 0, "%s: error \"%s\"",
			     row->name, signature->error);
	}
}

TEST(each_stored_case_has_its_result)
{
	static const struct feeding feedings[] = {
		{ 0, BODY_KEPT }, { 1, BODY_KEPT }, { 0, 0 }, { 1, 0 }, { 7, 0 }, { 1, 20 }, { 7, 40 },
	};
	struct dkim_library *library = dkim_library_new(false);
	const char *folder = getenv("srcdir");
	struct test_case row;
	char file[LINE_SIZE];
	unsigned count = 0;

	(void)snprintf(file, sizeof file, "%s/tests/unit/dkim.cases", folder ? folder : ".");
	FILE *in = fopen(file, "re");

	CHECK_SAYING(in != NULL, "cannot open %s", file);
	while (in && read_case(in, &row)) {
		for (size_t i = 0; i < sizeof feedings / sizeof feedings[0]; i++) {
			struct dkim_check *check = check_message(library, &row, feedings[i]);

			expect(&row, check, feedings[i]);
			dkim_check_free(check);
		}
		count++;
		free_case(&row);
	}
	CHECK_SAYING(count > 100, "%u cases", count);
	if (in)
		(void)fclose(in);
	dkim_library_free(library);
}

#define SIGNATURE " v=1; a=rsa-sha256; c=%s; d=example.com; s=s; h=from; bh=AAAA; b=AAAA%s"

static struct dkim_check *check_with(struct dkim_library *library, const char *canonicalization, unsigned count)
{
	struct dkim_check *check = dkim_check_new(library, &limits);
	char value[256], length[32];

	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(length, sizeof length, "; l=%u", 1000000 + i);
		(void)snprintf(value, sizeof value, SIGNATURE, canonicalization, count > 1 ? length : "");
		dkim_check_header(check, text_of("DKIM-Signature"), text_of(value));
	}
	dkim_check_header(check, text_of("From"), text_of(" a@example.com"));
	dkim_check_end_of_header(check);
	return check;
}

static void finish(struct dkim_check *check, struct dns_table *table)
{
	struct dns_job job;

	dns_job_init(&job, 1000000, 100);
	dkim_check_ask(check, dns_table_source(table), &job);
	dkim_check_finish(check);
}

TEST(a_body_beyond_the_limit_is_not_hashed_and_says_so)
{
	static char chunk[65536];
	struct dkim_library *library = dkim_library_new(false);
	struct dns_table *table = dns_table_new("s._domainkey.example.com TXT p=");
	struct dkim_check *check = check_with(library, "simple/simple", 1);

	memset(chunk, 'x', sizeof chunk);
	for (unsigned i = 0; i < 65; i++)
		dkim_check_body(check, (struct text){ chunk, sizeof chunk });
	finish(check, table);
	CHECK_STRING(dkim_result_name(dkim_check_signature(check, 0)->result), "policy");
	CHECK(dkim_check_signature(check, 0)->is_limited);
	CHECK_STRING(dkim_check_signature(check, 0)->error, "limit: the body is longer than is hashed");
	CHECK_NUMBER(dns_table_asked(table), 0);
	dkim_check_free(check);
	dns_table_free(table);
	dkim_library_free(library);
}

/* libopendkim's handle alone takes more than 20 kB. */
TEST(a_body_with_room_to_be_kept_is_left_to_the_finisher)
{
	static char body[BODY_KEPT + 1];
	struct dkim_library *library = dkim_library_new(false);
	struct dkim_check *check = check_with(library, "relaxed/simple", 3);
	size_t before = dkim_check_bytes(check);

	memset(body, 'x', sizeof body);
	dkim_check_body(check, (struct text){ body, BODY_KEPT - 1 });
	CHECK_NUMBER(dkim_check_bytes(check), before + BODY_KEPT - 1);
	dkim_check_body(check, (struct text){ body, 1 });
	CHECK_NUMBER(dkim_check_bytes(check), before + BODY_KEPT);
	dkim_check_body(check, (struct text){ body, 1 });
	CHECK_SAYING(dkim_check_bytes(check) > before + 10000, "%zu bytes, %zu before the body", dkim_check_bytes(check), before);
	CHECK_SAYING(dkim_check_bytes(check) < BODY_KEPT, "%zu bytes, that of the body among them", dkim_check_bytes(check));
	dkim_check_free(check);
	dkim_library_free(library);
}

static double cpu_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Ten signatures with ten lengths: three are hashed, and of the body no more than the limit. Without
 * limits this takes ten times 25 MB. */
TEST(ten_lengths_and_25_megabytes_cost_no_more_than_the_limit)
{
	static char chunk[65536];
	struct dkim_library *library = dkim_library_new(false);
	struct dns_table *table = dns_table_new("");
	double begin, three_of_4_megabytes, ten_of_25;
	struct dkim_check *check;

	for (size_t i = 0; i < sizeof chunk; i++)
		chunk[i] = i % 76 == 74 ? '\r' : i % 76 == 75 ? '\n' : 'x';
	check = check_with(library, "relaxed/relaxed", 3);
	begin = cpu_seconds();
	for (unsigned i = 0; i < 64; i++)
		dkim_check_body(check, (struct text){ chunk, sizeof chunk });
	three_of_4_megabytes = cpu_seconds() - begin;
	dkim_check_free(check);
	check = check_with(library, "relaxed/relaxed", 10);
	begin = cpu_seconds();
	for (unsigned i = 0; i < 400; i++)
		dkim_check_body(check, (struct text){ chunk, sizeof chunk });
	ten_of_25 = cpu_seconds() - begin;
	CHECK_SAYING(ten_of_25 < 2 * three_of_4_megabytes + 0.01, "%.3f s, of a bound of %.3f s", ten_of_25,
		     three_of_4_megabytes);
	finish(check, table);
	for (size_t i = 3; i < 10; i++)
		CHECK(dkim_check_signature(check, i)->is_limited);
	dkim_check_free(check);
	dns_table_free(table);
	dkim_library_free(library);
}

TEST(a_thousand_signatures_are_counted_and_few_are_kept)
{
	struct dkim_library *library = dkim_library_new(false);
	struct dns_table *table = dns_table_new("");
	struct dkim_check *check = check_with(library, "simple/simple", 1000);

	finish(check, table);
	CHECK_NUMBER(dkim_check_found(check), 1000);
	CHECK_NUMBER(dkim_check_count(check), DKIM_KEPT_MAX);
	CHECK_NUMBER(dns_table_asked(table), 3);
	dkim_check_free(check);
	dns_table_free(table);
	dkim_library_free(library);
}

TEST(headers_beyond_the_limit_leave_the_signature_unchecked)
{
	static char value[200000];
	struct dkim_library *library = dkim_library_new(false);
	struct dns_table *table = dns_table_new("");
	struct dkim_check *check = dkim_check_new(library, &limits);
	char signature[256];

	memset(value, 'x', sizeof value - 1);
	(void)snprintf(signature, sizeof signature, SIGNATURE, "simple/simple", "");
	dkim_check_header(check, text_of("DKIM-Signature"), text_of(signature));
	for (unsigned i = 0; i < 3; i++)
		dkim_check_header(check, text_of("X"), text_of(value));
	dkim_check_end_of_header(check);
	finish(check, table);
	CHECK_STRING(dkim_result_name(dkim_check_signature(check, 0)->result), "policy");
	CHECK(dkim_check_signature(check, 0)->is_limited);
	dkim_check_free(check);
	dns_table_free(table);
	dkim_library_free(library);
}

TEST(what_the_signature_says_is_told_whatever_its_result)
{
	struct dkim_signature signature;

	CHECK(dkim_signature_read(text_of(" v=1; a=ed25519-sha256; c=relaxed; d=Example.COM; s=Sel; i=a@mail.example.com;"
					  " t=1700000000; x=4102444800; l=12; h=From:To;\r\n\tbh=AAAA; b=AA AA;"),
				  1700000001, &signature));
	CHECK_STRING(signature.domain, "example.com");
	CHECK_STRING(signature.selector, "Sel");
	CHECK_STRING(signature.algorithm, "ed25519-sha256");
	CHECK_STRING(signature.canonicalization, "relaxed/simple");
	CHECK_STRING(signature.identity, "a@mail.example.com");
	CHECK_STRING(signature.signed_headers, "From:To");
	CHECK(signature.has_length);
	CHECK_NUMBER(signature.length, 12);
	CHECK_NUMBER(signature.signed_at_s, 1700000000);
	CHECK_NUMBER(signature.expires_s, 4102444800);
	CHECK(!dkim_signature_read(text_of("v=2; a=x; d=example.com; s=s; h=from; bh=AAAA; b=AAAA"), 0, &signature));
	CHECK_STRING(signature.domain, "example.com");
	CHECK_STRING(signature.selector, "s");
}

TEST(a_check_that_is_given_up_leaves_nothing)
{
	struct dkim_library *library = dkim_library_new(false);
	struct dns_table *table = dns_table_new("s._domainkey.example.com TXT p=AAAA");
	struct dkim_check *check = check_with(library, "relaxed/relaxed", 2);
	struct dns_job job;

	dns_job_init(&job, 1000000, 100);
	dkim_check_ask(check, dns_table_source(table), &job);
	CHECK_NUMBER(dns_table_asked(table), 2);
	dkim_check_free(check);
	dkim_check_free(NULL);
	dns_table_free(table);
	dkim_library_free(library);
}

static int probe(struct feeding feeding)
{
	struct dkim_library *library = dkim_library_new(false);
	struct test_case row;

	while (read_case(stdin, &row)) {
		struct dkim_check *check = check_message(library, &row, feeding);

		printf("%s\t%s", row.name, dkim_check_count(check) ? "" : "none");
		for (size_t i = 0; i < dkim_check_count(check); i++) {
			const struct dkim_signature *signature = dkim_check_signature(check, i);

			printf("%s%s %s", i ? ", " : "", dkim_result_name(signature->result), body_name(signature->body));
		}
		printf("\t%s\n", dkim_check_count(check) ? dkim_check_signature(check, 0)->error : "");
		dkim_check_free(check);
		free_case(&row);
	}
	dkim_library_free(library);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(each_stored_case_has_its_result),
		UNIT_TEST(a_body_beyond_the_limit_is_not_hashed_and_says_so),
		UNIT_TEST(a_body_with_room_to_be_kept_is_left_to_the_finisher),
		UNIT_TEST(ten_lengths_and_25_megabytes_cost_no_more_than_the_limit),
		UNIT_TEST(a_thousand_signatures_are_counted_and_few_are_kept),
		UNIT_TEST(headers_beyond_the_limit_leave_the_signature_unchecked),
		UNIT_TEST(what_the_signature_says_is_told_whatever_its_result),
		UNIT_TEST(a_check_that_is_given_up_leaves_nothing),
		{ NULL, NULL },
	};

	if (argc == 4 && strcmp(argv[1], "--probe") == 0)
		return probe((struct feeding){ strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10) });
	return unit_run(tests, argc, argv);
}
