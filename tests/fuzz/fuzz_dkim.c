/*
 * fuzz_dkim.c - DKIM signatures, key records and the messages they stand in.
 *
 * An input is a line with the key record, then a message with LF as its line end; a line that begins with a blank
 * belongs to the field before it. libopendkim sees whatever the feeder lets through, and has to live. Whether the
 * body was kept or hashed as it passed must make no difference.
 */
#include "common/auth/dkim.h"
#include "tests/fuzz/fuzz.h"

struct source {
	struct dns dns;
	struct text record;
	unsigned asked;
};

static void source_ask(struct dns *dns, const struct dns_question *question)
{
	struct source *source = (struct source *)dns;
	const struct dns_item items[2] = { { source->record, 0 }, { TEXT_LITERAL("v=spf1 -all"), 0 } };
	size_t count = source->record.length > 0 ? 2 : 0;

	source->asked++;
	question->answered(question->context, dns_answer_new(count ? DNS_DATA : DNS_NO_NAME, DNS_TXT, count, items, NULL));
}

/* A field with its further lines. */
static struct text take_field(struct text *rest)
{
	struct text field = fuzz_line(rest);

	while (rest->length > 0 && (rest->start[0] == ' ' || rest->start[0] == '\t')) {
		struct text more = fuzz_line(rest);

		field.length = (size_t)(more.start + more.length - field.start);
	}
	return field;
}

static void feed(struct dkim_check *check, struct text *rest)
{
	struct text field;

	while ((field = take_field(rest)).length > 0) {
		const char *colon = memchr(field.start, ':', field.length);
		size_t name = colon ? (size_t)(colon - field.start) : field.length;

		dkim_check_header(check, (struct text){ field.start, name },
				  colon ? (struct text){ colon + 1, field.length - name - 1 } : TEXT_LITERAL(""));
	}
	dkim_check_end_of_header(check);
	while (rest->length > 0) {
		struct text line = fuzz_line(rest);

		dkim_check_body(check, line);
		dkim_check_body(check, TEXT_LITERAL("\r\n"));
	}
}

static void look(const struct dkim_check *check, const struct source *source)
{
	FUZZ_MUST(source->asked <= DKIM_CHECKED_MAX);
	FUZZ_MUST(dkim_check_count(check) <= dkim_check_found(check) && dkim_check_count(check) <= DKIM_KEPT_MAX);
	for (size_t i = 0; i < dkim_check_count(check); i++) {
		const struct dkim_signature *signature = dkim_check_signature(check, i);

		FUZZ_MUST(memchr(signature->error, '\0', sizeof signature->error) != NULL);
		FUZZ_MUST((signature->result == DKIM_PASS) == (signature->error[0] == '\0'));
		FUZZ_MUST(signature->result != DKIM_PASS || signature->body == DKIM_BODY_MATCH);
		FUZZ_MUST(signature->result != DKIM_NONE);
		FUZZ_MUST(!signature->is_limited || signature->result == DKIM_POLICY);
	}
}

static struct dkim_check *check_input(struct text rest, size_t body_kept)
{
	static const struct dns_methods methods = { .ask = source_ask };
	static struct dkim_library *library;
	const struct dkim_limits limits = { DKIM_CHECKED_MAX, 3, 1 << 20, body_kept };
	struct source source = { .dns = { &methods } };
	struct dns_job job;

	library = library ? library : dkim_library_new(true);
	struct dkim_check *check = dkim_check_new(library, &limits);

	FUZZ_MUST(check);
	source.record = fuzz_line(&rest);
	feed(check, &rest);
	dns_job_init(&job, 60000000, DNS_JOB_QUESTIONS);
	dkim_check_ask(check, &source.dns, &job);
	dkim_check_finish(check);
	look(check, &source);
	return check;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct text input = { (const char *)data, size };
	struct dkim_check *kept = check_input(input, 1 << 16), *passed = check_input(input, 0);

	FUZZ_MUST(dkim_check_count(kept) == dkim_check_count(passed));
	for (size_t i = 0; i < dkim_check_count(kept); i++)
		FUZZ_MUST(dkim_check_signature(kept, i)->result == dkim_check_signature(passed, i)->result &&
			  dkim_check_signature(kept, i)->body == dkim_check_signature(passed, i)->body);
	dkim_check_free(kept);
	dkim_check_free(passed);
	return 0;
}
