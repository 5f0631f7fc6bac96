/* test_frame.c - frames: every way in which time, host and process stand around a message. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "analysis/frame.h"
#include "unit.h"

struct frame_case {
	const char *sentence;
	const char *line;
	const char *wanted;	/* time|host|process|pid|message */
};

static void write_frame(char *buffer, size_t size, const struct frame *frame)
{
	char when[64] = "";
	time_t seconds = (time_t)(frame->time_us / 1000000);
	struct tm utc;

	if (frame->has_time && gmtime_r(&seconds, &utc)) {
		size_t length = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);

		if (frame->time_us % 1000000)
			snprintf(when + length, sizeof when - length, ".%06" PRId64, frame->time_us % 1000000);
	}
	snprintf(buffer, size, "%s|%.*s|%.*s|%.*s|%.*s", when, TEXT_ARGS(frame->host), TEXT_ARGS(frame->process),
		 TEXT_ARGS(frame->pid), TEXT_ARGS(frame->message));
}

#define SMTPD "connect from a[192.0.2.1]"

static const struct frame_case cases[] = {
	{ "RFC 3164", "Jan  2 03:04:05 mx postfix/smtpd[4711]: " SMTPD,
	  "2024-01-02T03:04:05|mx|postfix/smtpd|4711|" SMTPD },
	{ "a priority before it", "<22>Jan  2 03:04:05 mx postfix/smtpd[4711]: " SMTPD,
	  "2024-01-02T03:04:05|mx|postfix/smtpd|4711|" SMTPD },
	{ "one blank before the day", "Jul 2 12:24:48 mx postfix/smtpd[1]: x", "2024-07-02T12:24:48|mx|postfix/smtpd|1|x" },
	{ "29 February", "Feb 29 00:00:01 mx postfix/qmgr[1]: x", "2024-02-29T00:00:01|mx|postfix/qmgr|1|x" },
	{ "fractions in a traditional stamp", "Jan  2 03:04:05.250 mx a: x", "2024-01-02T03:04:05.250000|mx|a||x" },
	{ "year first", "2013 Jun 16 16:05:06.123 mx postfix/smtp[9]: x", "2013-06-16T16:05:06.123000|mx|postfix/smtp|9|x" },
	{ "RFC 3339 with an offset", "2026-11-21T08:00:00.123456+01:00 mx postfix/smtpd[4711]: x",
	  "2026-11-21T07:00:00.123456|mx|postfix/smtpd|4711|x" },
	{ "RFC 3339 with an offset without a colon", "2026-11-21T08:00:00-0530 mx a[1]: x", "2026-11-21T13:30:00|mx|a|1|x" },
	{ "RFC 3339 with milliseconds and Z", "2026-11-21T08:00:00.123Z mx postfix/smtpd[4711]: x",
	  "2026-11-21T08:00:00.123000|mx|postfix/smtpd|4711|x" },
	{ "a blank for the T and a comma for the point", "2026-11-21 08:00:00,5 mx a[1]: x", "2026-11-21T08:00:00.500000|mx|a|1|x" },
	{ "RFC 5424", "<22>1 2026-11-21T08:00:00.123456+01:00 mx postfix/smtpd 4711 - - x",
	  "2026-11-21T07:00:00.123456|mx|postfix/smtpd|4711|x" },
	{ "RFC 5424 with structured data, quotes and brackets in it, and a BOM",
	  "<22>1 2026-11-21T08:00:00Z mx postfix/smtpd 4711 id [a b=\"] \\\" [\"][c] \xef\xbb\xbfx y",
	  "2026-11-21T08:00:00|mx|postfix/smtpd|4711|x y" },
	{ "RFC 5424 without anything known", "<22>1 - - - - - - x", "||||x" },
	{ "no pid", "Jan  2 03:04:05 mx postfix/smtpd: x", "2024-01-02T03:04:05|mx|postfix/smtpd||x" },
	{ "no host", "Jan  2 03:04:05 postfix/smtpd[4711]: x", "2024-01-02T03:04:05||postfix/smtpd|4711|x" },
	{ "a host in brackets", "Jan  2 03:04:05 [192.0.2.9] postfix/smtpd[4711]: x", "2024-01-02T03:04:05|[192.0.2.9]|postfix/smtpd|4711|x" },
	{ "a host with dots and digits", "Jan  2 03:04:05 10.0.0.1 postfix/smtpd[4711]: x", "2024-01-02T03:04:05|10.0.0.1|postfix/smtpd|4711|x" },
	{ "an instance in the tag", "Jan  2 03:04:05 mx postfix-170.55.103.23/smtpd[1]: x", "2024-01-02T03:04:05|mx|postfix-170.55.103.23/smtpd|1|x" },
	{ "no tag", "Jan  2 03:04:05 mx -- MARK --", "2024-01-02T03:04:05|mx|||-- MARK --" },
	{ "no blank behind the pid", "Jan  2 03:04:05 mx a[1]:x", "2024-01-02T03:04:05|mx|a|1|x" },
	{ "many blanks behind the tag", "Jan  2 03:04:05 mx a[1]:    x", "2024-01-02T03:04:05|mx|a|1|x" },
	{ "Solaris ids", "Jan  2 03:04:05 mx postfix/smtpd[8797]: [ID 197553 mail.info] 668B638DC: client=x[1.2.3.4]",
	  "2024-01-02T03:04:05|mx|postfix/smtpd|8797|668B638DC: client=x[1.2.3.4]" },
	{ "syslog in syslog: the time of the outer, the rest of the inner",
	  "Dec 15 04:15:02 outer smtp[40]: Dec 15 05:15:02 inner postfix/qmgr[376]: D912: removed",
	  "2024-12-15T04:15:02|inner|postfix/qmgr|376|D912: removed" },
	{ "compose", "mail  | Aug  7 01:02:03 mx postfix/smtpd[1]: x", "2024-08-07T01:02:03|mx|postfix/smtpd|1|x" },
	{ "compose without a time", "mail-1  | postfix/smtpd[1]: x", "||postfix/smtpd|1|x" },
	{ "docker with its own time", "2026-11-21T08:00:00.123456789Z Aug  7 01:02:03 mx postfix/smtpd[1]: x",
	  "2026-11-21T08:00:00.123456|mx|postfix/smtpd|1|x" },
	{ "Kubernetes", "2026-11-21T08:00:00Z stdout F postfix/smtpd[1]: x", "2026-11-21T08:00:00||postfix/smtpd|1|x" },
	{ "the JSON of docker", "{\"log\":\"Aug  7 01:02:03 mx postfix/smtpd[1]: x\\n\",\"stream\":\"stdout\",\"time\":\"2026-08-07T01:02:03Z\"}",
	  "2024-08-07T01:02:03|mx|postfix/smtpd|1|x" },
	{ "journald", "{\"__REALTIME_TIMESTAMP\":\"1795248000123456\",\"_HOSTNAME\":\"mx\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"_PID\":\"7\",\"MESSAGE\":\"x\"}",
	  "2026-11-21T08:00:00.123456|mx|postfix/smtpd|7|x" },
	{ "a message of bytes from journald", "{\"__REALTIME_TIMESTAMP\":\"1795248000000000\",\"SYSLOG_IDENTIFIER\":\"a\",\"MESSAGE\":[120,255,121]}",
	  "2026-11-21T08:00:00||a||x\xffy" },
	{ "a message only", "connect from a[192.0.2.1]", "||||connect from a[192.0.2.1]" },
	{ "a line end of DOS", "Jan  2 03:04:05 mx a[1]: x\r", "2024-01-02T03:04:05|mx|a|1|x" },
	{ "a stamp that is none", "Jan 42 03:04:05 mx a[1]: x", "||||Jan 42 03:04:05 mx a[1]: x" },
	{ "a message that imitates no frame", "Jan  2 03:04:05 mx postfix/smtpd[1]: Jan 1 is no stamp",
	  "2024-01-02T03:04:05|mx|postfix/smtpd|1|Jan 1 is no stamp" },
};

TEST(frames_of_every_kind_are_taken_off)
{
	char got[512];

	stamp_set_zone("UTC");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct frame_reader reader;
		struct frame frame;

		CHECK_NUMBER(frame_init(&reader), 0);
		frame_start(&reader, 2024, 0);
		CHECK(frame_read(&reader, text_of(cases[i].line), &frame));
		write_frame(got, sizeof got, &frame);
		CHECK_SAYING(strcmp(got, cases[i].wanted) == 0, "%s: got '%s', wanted '%s'", cases[i].sentence, got, cases[i].wanted);
		frame_done(&reader);
	}
}

/* Reads lines one after another; "wanted" are their times. */
static void check_times(int year, int64_t file_us, const char *const lines[], const char *const wanted[])
{
	struct frame_reader reader;
	char got[512];

	CHECK_NUMBER(frame_init(&reader), 0);
	frame_start(&reader, year, file_us);
	for (int i = 0; lines[i]; i++) {
		struct frame frame;
		char line[128];

		snprintf(line, sizeof line, "%s mx a: x", lines[i]);
		CHECK(frame_read(&reader, text_of(line), &frame));
		write_frame(got, sizeof got, &frame);
		CHECK_SAYING(strncmp(got, wanted[i], strlen(wanted[i])) == 0, "%s: got %s, wanted %s", lines[i], got, wanted[i]);
	}
	frame_done(&reader);
}

TEST(a_year_goes_on_across_new_year_also_with_late_lines)
{
	stamp_set_zone("UTC");
	check_times(2023, 0,
		(const char *[]){ "Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:58", "Jan  1 00:00:02", "Feb 29 10:00:00", NULL },
		(const char *[]){ "2023-12-31", "2024-01-01", "2023-12-31", "2024-01-01", "2024-02-29" });
}

TEST(without_a_year_the_file_tells_it)
{
	stamp_set_zone("UTC");
	/* Written on 2026-01-03. */
	check_times(0, INT64_C(1767398400) * 1000000, (const char *[]){ "Dec 30 00:00:00", "Jan  2 00:00:00", NULL },
		    (const char *[]){ "2025-12-30", "2026-01-02" });
	check_times(0, INT64_C(1767398400) * 1000000, (const char *[]){ "Feb 29 00:00:00", NULL }, (const char *[]){ "2024-02-29" });
}

TEST(local_time_becomes_utc_also_in_the_hour_that_occurs_twice)
{
	stamp_set_zone("Europe/Berlin");
	check_times(2026, 0,
		(const char *[]){ "Jul  1 12:00:00", "Oct 25 01:59:59", "Oct 25 02:30:00", "Oct 25 02:59:59", "Oct 25 02:00:10",
				  "Oct 25 02:30:00", "Oct 25 03:00:00", "Dec  1 12:00:00", NULL },
		(const char *[]){ "2026-07-01T10:00:00", "2026-10-24T23:59:59", "2026-10-25T00:30:00", "2026-10-25T00:59:59",
				  "2026-10-25T01:00:10", "2026-10-25T01:30:00", "2026-10-25T02:00:00", "2026-12-01T11:00:00" });
	check_times(2026, 0, (const char *[]){ "Mar 29 01:59:59", "Mar 29 03:00:00", NULL },
		    (const char *[]){ "2026-03-29T00:59:59", "2026-03-29T01:00:00" });
	stamp_set_zone("UTC");
}

TEST(repeated_lines_are_counted_and_carry_what_was_repeated)
{
	struct frame_reader reader;
	struct frame frame;

	CHECK_NUMBER(frame_init(&reader), 0);
	frame_start(&reader, 2024, 0);
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:05 mx last message repeated 9 times"), &frame));
	CHECK_NUMBER(frame.repeated, 9);
	CHECK(!frame.is_message_known);
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:05 mx postfix/smtpd[1]: first"), &frame));
	CHECK_NUMBER(frame.repeated, 0);
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:05 other postfix/smtpd[2]: second"), &frame));
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:06 mx last message repeated 2 times"), &frame));
	CHECK_NUMBER(frame.repeated, 2);
	CHECK_TEXT(frame.message, "first");
	CHECK_TEXT(frame.pid, "1");
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:06 mx postfix/smtpd[3]: message repeated 4 times: [ third]"), &frame));
	CHECK_NUMBER(frame.repeated, 4);
	CHECK_TEXT(frame.message, "third");
	/* A client may say so, too. */
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:06 mx postfix/smtpd[3]: last message repeated 5 times"), &frame));
	CHECK_NUMBER(frame.repeated, 0);
	CHECK(frame_read(&reader, text_of("Jan  2 03:04:06 mx last message repeated 0 times"), &frame));
	CHECK_NUMBER(frame.repeated, 0);
	CHECK_TEXT(frame.message, "last message repeated 0 times");
	frame_done(&reader);
}

TEST(exported_entries_of_journald_are_put_together)
{
	struct frame_reader reader;
	struct frame frame;

	CHECK_NUMBER(frame_init(&reader), 0);
	frame_start(&reader, 2024, 0);
	CHECK(!frame_read(&reader, text_of("__CURSOR=s=1"), &frame));
	CHECK(!frame_read(&reader, text_of("__REALTIME_TIMESTAMP=1795248000123456"), &frame));
	CHECK(!frame_read(&reader, text_of("_HOSTNAME=mx"), &frame));
	CHECK(!frame_read(&reader, text_of("SYSLOG_IDENTIFIER=postfix/smtpd"), &frame));
	CHECK(!frame_read(&reader, text_of("MESSAGE"), &frame));
	/* The size ends in a line end of its own, so that it comes as two lines. */
	CHECK(!frame_read(&reader, TEXT_LITERAL(""), &frame));
	CHECK(!frame_read(&reader, (struct text){ "\0\0\0\0\0\0\0one", 10 }, &frame));
	CHECK(!frame_read(&reader, text_of("two\xff" "xy"), &frame));
	CHECK(!frame_read(&reader, text_of("_PID=42"), &frame));
	CHECK(frame_read(&reader, TEXT_LITERAL(""), &frame));
	CHECK_TEXT(frame.message, "one\ntwo\xffxy");
	CHECK_TEXT(frame.pid, "42");
	CHECK_TEXT(frame.host, "mx");
	CHECK_NUMBER(frame.time_us, 1795248000123456);
	CHECK(!frame_read(&reader, text_of("__CURSOR=s=2"), &frame));
	CHECK(!frame_read(&reader, text_of("MESSAGE=last"), &frame));
	CHECK(frame_finish(&reader, &frame));
	CHECK_TEXT(frame.message, "last");
	CHECK(!frame_finish(&reader, &frame));
	frame_done(&reader);
}

int main(int argc, char **argv)
{
	return unit_run((const struct unit_test[]){
		UNIT_TEST(frames_of_every_kind_are_taken_off),
		UNIT_TEST(a_year_goes_on_across_new_year_also_with_late_lines),
		UNIT_TEST(without_a_year_the_file_tells_it),
		UNIT_TEST(local_time_becomes_utc_also_in_the_hour_that_occurs_twice),
		UNIT_TEST(repeated_lines_are_counted_and_carry_what_was_repeated),
		UNIT_TEST(exported_entries_of_journald_are_put_together),
		{ NULL, NULL },
	}, argc, argv);
}
