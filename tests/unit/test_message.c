/* test_message.c - what is recorded of a message's headers and body, and what is not. */
#include "milter/message.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static struct record record;
static struct record_view view;

static struct config *read_config(void)
{
	struct config *config = NULL;
	struct problem problem;

	CHECK_SAYING(config_read(&config, NULL, &problem) == 0, "%s", problem.text);
	return config;
}

static void header(struct message *message, const char *name, const char *value)
{
	message_header(message, text_of(name), text_of(value));
}

static void body(struct message *message, const char *chunk)
{
	message_body(message, text_of(chunk));
}

/* The record of the case before is done with only now: its view was looked at. */
static void open_header(const struct message *message)
{
	record_done(&record);
	record_init(&record, STAGE_HEADER, 1);
	message_fill_header(message, &record);
	CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
}

static void open_eom(struct message *message)
{
	record_done(&record);
	record_init(&record, STAGE_EOM, 1);
	message_fill_eom(message, &record);
	CHECK_NUMBER(record_view_open(&view, record_finish(&record)), 0);
}

/* wanted NULL: the field is absent. */
static void check_field(enum field field, const char *wanted)
{
	static char scratch[RECORD_VALUE_TEXT_MAX];
	struct record_value value;
	bool found = record_view_find(&view, field, &value);
	struct text text = found ? record_value_text(&value, scratch) : TEXT_NONE;

	CHECK_SAYING(wanted ? found && text_is(text, wanted) : !found, "%s is \"%.*s\", wanted %s",
		     field_info(field)->name, TEXT_ARGS(text), wanted ? wanted : "none");
}

TEST(chosen_headers_are_recorded_without_blanks_and_folds)
{
	struct config *config = read_config();
	struct message *message = message_new(config);

	header(message, "Received", " by a");
	header(message, "Received", " by b;\n\tdate");
	header(message, "FROM", " Ann <ann@Example.com>");
	header(message, "Message-ID", "  <1@example.com>\n ");
	header(message, "Subject", " long\n  subject");
	header(message, "Subject", " second");
	header(message, "X-Other", " not chosen");
	header(message, "DKIM-Signature", " a");
	header(message, "ARC-Seal", " a");
	header(message, "Authentication-Results", " mx; spf=pass");
	header(message, "Authentication-Results", " mx2; dkim=fail, x");
	header(message, "Reply-To", "");
	open_header(message);
	check_field(FIELD_HEADER_COUNT, "12");
	check_field(FIELD_HEADER_FROM, "Ann <ann@Example.com>");
	check_field(FIELD_FROM_DOMAIN, "example.com");
	check_field(FIELD_FROM_COUNT, "1");
	check_field(FIELD_MESSAGE_ID, "<1@example.com>");
	check_field(FIELD_SUBJECT, "long  subject");
	check_field(FIELD_RECEIVED_COUNT, "2");
	check_field(FIELD_DKIM_COUNT, "1");
	check_field(FIELD_ARC_COUNT, "1");
	check_field(FIELD_AUTHENTICATION_RESULTS, "mx; spf=pass, \"mx2; dkim=fail, x\"");
	check_field(FIELD_REPLY_TO, "");
	check_field(FIELD_SENDER, NULL);
	check_field(FIELD_HEADERS_OTHER, NULL);
	check_field(FIELD_LIMITS, NULL);
	check_field(FIELD_CUT, NULL);
	message_free(message);
	config_release(config);
}

TEST(header_bytes_are_those_of_the_wire)
{
	struct config *config = read_config();
	struct message *message = message_new(config);

	header(message, "A", " b");		/* A: b CR LF */
	header(message, "A", " b\n c");		/* A: b CR LF  c CR LF */
	header(message, "A", " b\r\n c");
	open_header(message);
	check_field(FIELD_HEADER_BYTES, "26");
	message_free(message);
	config_release(config);
}

TEST(a_header_is_dropped_before_it_is_hashed_and_hashed_before_it_is_kept)
{
	struct config *config = NULL;
	struct problem problem;
	char name[] = "/tmp/test_message-XXXXXX", key_name[] = "/tmp/test_message-key-XXXXXX";
	int key = mkstemp(key_name);
	FILE *file = fdopen(mkstemp(name), "w");

	CHECK(key >= 0 && write(key, "0123456789abcdef", 16) == 16);
	CHECK(fprintf(file, "header_keep = { subject, x-kept, from, to }\nheader_hash = { Subject, To, x-id }\n"
		      "header_drop = { TO }\nhash_key_file = %s\n", key_name) > 0);
	(void)fclose(file);
	CHECK_SAYING(config_read(&config, name, &problem) == 0, "%s", problem.text);
	struct message *message = message_new(config);

	header(message, "Subject", " secret ");
	header(message, "To", " bob@example.com");
	header(message, "X-Kept", " as it is");
	header(message, "X-Id", " secret");
	open_header(message);
	/* printf secret | openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef */
	check_field(FIELD_SUBJECT, "hmac-sha256:59fa6a4dccc441a2ceb3d563296276a0");
	check_field(FIELD_HEADERS_OTHER, "X-Kept: as it is, X-Id: hmac-sha256:59fa6a4dccc441a2ceb3d563296276a0");
	check_field(FIELD_HEADER_FROM, NULL);
	message_free(message);
	config_release(config);
	close(key);
	unlink(name);
	unlink(key_name);
}

TEST(limits_are_named_where_they_bite_and_counting_goes_on)
{
	struct config *config = read_config();

	config->max_headers = 3;
	config->max_header_value = 16;
	struct message *message = message_new(config);

	header(message, "Subject", " 0123456789abcdefg");
	header(message, "From", " ann@example.com");
	header(message, "Received", " 1");
	open_header(message);
	check_field(FIELD_LIMITS, NULL);
	check_field(FIELD_CUT, "subject");
	check_field(FIELD_SUBJECT, "0123456789abcdef");
	check_field(FIELD_FROM_DOMAIN, "example.com");
	header(message, "Received", " 2");
	header(message, "Date", " today");
	header(message, "From", " bob@example.net");
	open_header(message);
	check_field(FIELD_LIMITS, "max_headers");
	check_field(FIELD_HEADER_COUNT, "6");
	check_field(FIELD_RECEIVED_COUNT, "2");
	check_field(FIELD_DATE, NULL);
	/* A From: field that was not read may have named another. */
	check_field(FIELD_FROM_DOMAIN, NULL);
	message_free(message);
	config_release(config);
}

TEST(header_bytes_have_a_limit_of_their_own)
{
	struct config *config = read_config();

	config->max_header_bytes = 1024;
	struct message *message = message_new(config);
	static char value[2000];

	memset(value, 'x', sizeof value - 1);
	header(message, "Subject", " before");
	header(message, "X", value);
	header(message, "Date", " behind");
	open_header(message);
	check_field(FIELD_LIMITS, "max_header_bytes");
	check_field(FIELD_SUBJECT, "before");
	check_field(FIELD_DATE, NULL);
	check_field(FIELD_HEADER_COUNT, "3");
	message_free(message);
	config_release(config);
}

TEST(a_flood_of_chosen_headers_ends_at_the_memory_of_a_message)
{
	struct config *config = read_config();
	struct message *message = message_new(config);
	static char value[2048];

	memset(value, 'x', sizeof value - 1);
	for (int i = 0; i < 900; i++)
		header(message, "Authentication-Results", value);
	header(message, "Subject", " late");
	open_header(message);
	check_field(FIELD_HEADER_COUNT, "901");
	CHECK(view.bytes.length < RECORD_SIZE_MAX);
	check_field(FIELD_CUT, "authentication_results");
	message_free(message);
	config_release(config);
}

TEST(a_body_is_counted_and_taken_apart)
{
	struct config *config = read_config();
	struct message *message = message_new(config);

	header(message, "Content-Type", " multipart/mixed;\n boundary=b");
	body(message, "--b\r\n\r\ntext\r\n--b\r\nContent-Disposition: attachment; filename=\"a, b.pdf\"\r\n");
	body(message, "Content-Type: application/pdf\r\n\r\nx\r\n--b\r\nContent-Disposition: x; filename=c\r\n\r\n--b--");
	open_eom(message);
	check_field(FIELD_BODY_BYTES, "156");
	check_field(FIELD_BODY_LINES, "12");
	check_field(FIELD_CONTENT_TYPE, "multipart/mixed");
	check_field(FIELD_PARTS, "3");
	check_field(FIELD_ATTACHMENT_NAMES, "\"a, b.pdf\", c");
	check_field(FIELD_ATTACHMENT_TYPES, "application/pdf, text/plain");
	check_field(FIELD_BODY_SHA256, NULL);
	message_free(message);
	config_release(config);
}

TEST(a_message_may_have_no_header_and_no_body)
{
	struct config *config = read_config();
	struct message *message = message_new(config);

	open_header(message);
	check_field(FIELD_HEADER_COUNT, "0");
	check_field(FIELD_FROM_COUNT, "0");
	check_field(FIELD_FROM_DOMAIN, NULL);
	open_eom(message);
	check_field(FIELD_BODY_BYTES, "0");
	check_field(FIELD_BODY_LINES, "0");
	check_field(FIELD_PARTS, "1");
	check_field(FIELD_CONTENT_TYPE, "text/plain");
	message_free(message);
	config_release(config);
}

TEST(the_body_is_hashed_where_that_is_asked_for)
{
	struct config *config = read_config();

	config->body_sha256 = true;
	struct message *message = message_new(config);

	body(message, "a");
	body(message, "bc");
	open_eom(message);
	check_field(FIELD_BODY_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	message_free(message);
	config_release(config);
}

TEST(lines_are_counted_in_chunks_of_any_size)
{
	struct config *config = read_config();
	static char chunk[1000];

	for (size_t length = 1; length < sizeof chunk; length += 37) {
		struct message *message = message_new(config);
		char wanted[32];

		memset(chunk, '\n', length);
		message_body(message, (struct text){ chunk, length });
		open_eom(message);
		(void)snprintf(wanted, sizeof wanted, "%zu", length);
		check_field(FIELD_BODY_LINES, wanted);
		message_free(message);
	}
	config_release(config);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(chosen_headers_are_recorded_without_blanks_and_folds),
		UNIT_TEST(header_bytes_are_those_of_the_wire),
		UNIT_TEST(a_header_is_dropped_before_it_is_hashed_and_hashed_before_it_is_kept),
		UNIT_TEST(limits_are_named_where_they_bite_and_counting_goes_on),
		UNIT_TEST(header_bytes_have_a_limit_of_their_own),
		UNIT_TEST(a_flood_of_chosen_headers_ends_at_the_memory_of_a_message),
		UNIT_TEST(a_body_is_counted_and_taken_apart),
		UNIT_TEST(a_message_may_have_no_header_and_no_body),
		UNIT_TEST(the_body_is_hashed_where_that_is_asked_for),
		UNIT_TEST(lines_are_counted_in_chunks_of_any_size),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
