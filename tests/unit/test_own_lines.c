/* test_own_lines.c - files whose lines have a form of their own: whose they are, and what of public logs is understood. */
#include "analysis/own_lines.h"

#include <stdlib.h>

#include "analysis/log_reader.h"
#include "unit.h"

static const char *name_of(struct own_lines *own, const char *line)
{
	return own_lines_claim(own, text_of(line)) ? own->format->name : "none";
}

TEST(a_line_is_claimed_by_its_format_alone)
{
	static const struct { const char *line, *wanted; } rows[] = {
		{ "2026-11-21 08:00:00 1tE0aB-0001Xy-2e Completed", "exim" },
		{ "2026-11-21 08:00:00.123 +0100 [4711] 1tE0aB-000000001Xy-2eFg <= a@b H=x [192.0.2.1]", "exim" },
		{ "2026-11-21 08:00:00 H=(x) [192.0.2.1] F=<a@b> rejected RCPT <c@d>: no", "exim" },
		{ "2026-11-21 08:00:00 Start queue run: pid=4711", "exim" },
		{ "2026-11-21 08:00:00 192.0.2.1 EHLO - 250", "none" },
		{ "2026-11-21T08:00:00.123456+01:00 mx postfix/qmgr[1]: 3A5F2C01E2: removed", "none" },
		{ "2026-11-21 08:00:00,123 mx postfix/qmgr[1]: 3A5F2C01E2: removed", "none" },
		{ "Nov 21 08:00:00 mx postfix/qmgr[1]: 3A5F2C01E2: removed", "none" },
		{ "Nov 21 08:00:00 mx exim[1]: 2026-11-21 08:00:00 1tE0aB-0001Xy-2e Completed", "none" },
		{ "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context", "exchange_smtp" },
		{ "#Fields: data,event,session-id,date-time", "exchange_smtp" },
		{ "#Fields: date-time,client-ip,source,event-id,internal-message-id,message-id,recipient-address", "exchange_tracking" },
		{ "date_time_utc,client_ip,source,event_id,internal_message_id,message_id", "exchange_tracking" },
		{ "4/2/01 11:44:31 AM : >>> 250 OK", "exchange_ims" },
		{ "#Fields: date time c-ip cs-username s-ip cs-method cs-uri-query sc-status", "iis" },
		{ "192.0.2.1, x, 11/21/2026, 8:00:00, SMTPSVC1, SRV01, 10.0.0.5, 0, 19, 318, 250, 0, EHLO, -, +x,", "iis" },
		{ "192.0.2.1 - x [21/Nov/2026:18:00:04 +0100] \"EHLO -?+x SMTP\" 250 318", "iis" },
		{ "192.0.2.1 - - [21/Nov/2026:18:00:04 +0100] \"GET / HTTP/1.1\" 200 318", "none" },
		{ "192.0.2.1 [00000A1C] Thu, 22 Apr 2004 22:01:42 +0200 Connected", "icewarp" },
		{ "192.0.2.1       [15C0] 00:02:10 <<< EHLO x", "icewarp" },
		{ "origin_timestamp_utc,sender_address,recipient_status,message_subject", "microsoft_trace" },
		{ "\"Received\",\"SenderAddress\",\"RecipientAddress\",\"Status\",\"MessageTraceId\"", "microsoft_trace" },
		{ "[{\"MessageTraceId\":\"x\",\"RecipientAddress\":\"a@b\"}]", "microsoft_trace" },
		{ "    \"MessageId\":  \"<x>\",", "microsoft_trace" },
		{ "Message ID,Start date,End date,Sender,Event target,Event date,Event status", "google" },
		{ "[2026-03-18 07:52:29.487175 -0500] rprt s=4c mod=session cmd=connect ip=192.0.2.1", "proofpoint" },
		{ "{\"ts\":\"2026-03-18T07:52:31.1-0500\",\"guid\":\"x\",\"envelope\":{}}", "proofpoint" },
		{ "datetime=2017-05-26T16:47:41+0100|aCode=7O7I7MvGP1mj8plHRDuHEA|Act=Acc", "mimecast" },
		{ "{\"aCode\":\"x\",\"datetime\":\"2021-10-18T09:02:43+0100\"}", "mimecast" },
		{ "{\"aggregateId\":\"x\",\"processingId\":\"y\"}", "mimecast" },
		{ "date=2013-02-25 time=07:01:34 device_id=FE1 log_id=0200025843 type=statistics", "fortimail" },
		{ "<189>date=2013-02-25 time=07:01:34 log_id=0200025843 type=virus", "fortimail" },
		{ "Mon Apr 17 19:56:22 2003 Info: New SMTP ICID 5 interface Management (10.1.1.1) address 192.0.2.1", "cisco_esa" },
		{ "Mon Apr 17 19:56:22 2003 Info: Begin Logfile", "cisco_esa" },
		{ "Mon Apr 17 19:56:22 2003 Info: anything else", "none" },
		{ "CEF:0|Cisco|C100V|14.0|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|ESAMID=1", "cisco_cef" },
		{ "CEF:0|Other|X|1|2|3|5|a=b", "none" },
		{ "#Fields: date-time,event-id", "none" },
		{ "date,time,what", "none" },
		{ "{\"a\":1}", "none" },
		{ "any words", "none" },
		{ "", "none" },
	};
	struct own_lines *own;

	CHECK_NUMBER(format_prepare(), 0);
	CHECK_NUMBER(own_lines_new(&own, NULL), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		own_lines_start(own, TEXT_NONE, 2026, 0);
		CHECK_SAYING(strcmp(name_of(own, rows[i].line), rows[i].wanted) == 0, "%s: %s", rows[i].line,
			     name_of(own, rows[i].line));
	}
	own_lines_free(own);
}

/* The separators of the test suite that some of these logs are of are no line of Exim. */
static bool is_separator(const struct event *event)
{
	return event->frame.message.length >= 8 && memcmp(event->frame.message.start, "********", 8) == 0;
}

struct share {
	unsigned long lines, understood, notes;
};

static void count_file(struct log_reader *reader, const char *path, struct share *share)
{
	enum format_result result;
	struct event event;

	if (log_reader_open(reader, path, NULL) != 0)
		return;
	while (log_reader_next(reader, &event, &result) > 0) {
		bool is_note = event.kind && strcmp(event.kind, "note") == 0;

		share->lines += !is_separator(&event);
		share->understood += result == FORMAT_MATCHED;
		share->notes += is_note;
	}
}

/* Reads the samples that SMTPTRAIL_SAMPLE_LOGS names; prints the share, which must not fall. */
TEST(lines_of_exim_in_the_sample_logs_are_understood)
{
	const char *folder = getenv("SMTPTRAIL_SAMPLE_LOGS");
	struct log_options options = { .year = 2026 };
	struct log_reader *reader = NULL;
	struct share share = { 0 };
	char command[1024], path[1024];
	FILE *names;

	CHECK_NUMBER(log_reader_new(&reader, &options), 0);
	if (!folder || snprintf(command, sizeof command, "find '%s/exim' -type f 2>&1", folder) < 0)
		goto done;
	names = popen(command, "r");
	CHECK(names != NULL);
	while (names && fgets(path, sizeof path, names)) {
		path[strcspn(path, "\n")] = '\0';
		count_file(reader, path, &share);
	}
	if (names)
		(void)pclose(names);
	printf("sample logs: %lu of %lu lines of Exim understood (%.2f %%), %lu of them as an administrator's note\n",
	       share.understood, share.lines, share.lines ? 100.0 * (double)share.understood / (double)share.lines : 0.0, share.notes);
	CHECK(share.lines > 0 && share.understood * 100 >= share.lines * 97);
done:
	log_reader_free(reader);
}

int main(int argc, char **argv)
{
	return unit_run((const struct unit_test[]){
		UNIT_TEST(a_line_is_claimed_by_its_format_alone),
		UNIT_TEST(lines_of_exim_in_the_sample_logs_are_understood),
		{ NULL, NULL },
	}, argc, argv);
}
