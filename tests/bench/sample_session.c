/* sample_session.c - the records of a plain SMTP session with one message. */
#include "sample_session.h"

#include <stdio.h>

static void fill_connect(struct record *record, unsigned session)
{
	char address[40], name[60];

	(void)snprintf(address, sizeof address, "192.0.2.%u", session % 250 + 1);
	(void)snprintf(name, sizeof name, "client%u.example.net", session % 5000);
	record_set_string(record, FIELD_CLIENT_ADDR, address);
	record_set_number(record, FIELD_CLIENT_PORT, 1024 + session % 60000);
	record_set_string(record, FIELD_CLIENT_NAME, name);
	record_set_string(record, FIELD_CLIENT_PTR, name);
	record_set_string(record, FIELD_CLIENT_RESOLVE, "ok");
	record_set_string(record, FIELD_FAMILY, "inet");
	record_set_string(record, FIELD_DAEMON_NAME, "smtpd");
	record_set_string(record, FIELD_MTA_HOST, "mx1.example.com");
	record_set_string(record, FIELD_MTA_VERSION, "Postfix 3.7.11");
}

static void fill_helo(struct record *record, unsigned session)
{
	char name[60];

	(void)snprintf(name, sizeof name, "client%u.example.net", session % 5000);
	record_set_string(record, FIELD_HELO, name);
	record_set_string(record, FIELD_PROTOCOL, "ESMTP");
	record_set_string(record, FIELD_TLS_VERSION, "TLSv1.3");
	record_set_string(record, FIELD_CIPHER, "TLS_AES_256_GCM_SHA384");
	record_set_number(record, FIELD_CIPHER_BITS, 256);
}

static void fill_rcpt(struct record *record, unsigned session, unsigned place)
{
	char to[60];

	(void)snprintf(to, sizeof to, "user%u.%u@example.com", session % 10000, place);
	record_set_string(record, FIELD_TO, to);
	record_set_string(record, FIELD_OUTCOME, "passed");
	record_set_string(record, FIELD_RCPT_MAILER, "local");
	record_set_string(record, FIELD_RCPT_ADDR, to);
}

static void fill_header(struct record *record, unsigned session)
{
	char text[80];

	(void)snprintf(text, sizeof text, "<2026112108.%u.abc@client.example.net>", session);
	record_set_number(record, FIELD_HEADER_COUNT, 12);
	record_set_number(record, FIELD_HEADER_BYTES, 1200);
	record_set_string(record, FIELD_HEADER_FROM, "Some One <someone@example.net>");
	record_set_string(record, FIELD_FROM_DOMAIN, "example.net");
	record_set_number(record, FIELD_FROM_COUNT, 1);
	record_set_string(record, FIELD_MESSAGE_ID, text);
	record_set_string(record, FIELD_SUBJECT, "The figures of last month, and a question");
	record_set_string(record, FIELD_DATE, "Sat, 21 Nov 2026 08:00:00 +0000");
	record_set_number(record, FIELD_RECEIVED_COUNT, 2);
	record_set_number(record, FIELD_DKIM_COUNT, 1);
}

static void fill_eom(struct record *record, unsigned session)
{
	record_set_number(record, FIELD_BODY_BYTES, 4096 + session % 1000);
	record_set_number(record, FIELD_BODY_LINES, 80);
	record_set_string(record, FIELD_CONTENT_TYPE, "text/plain");
	record_set_number(record, FIELD_PARTS, 1);
}

static void fill_close(struct record *record, unsigned session)
{
	record_set_number(record, FIELD_DURATION_US, 200000 + session % 10000);
	record_set_number(record, FIELD_MESSAGES, 1);
	record_set_number(record, FIELD_RECIPIENTS, 2);
	record_set_string(record, FIELD_LAST_STAGE, "eom");
	record_set_string(record, FIELD_CAUSE, "ended");
}

struct text sample_record(struct record *record, uint64_t number)
{
	static const enum stage stages[SAMPLE_SESSION_RECORDS] = {
		STAGE_CONNECT, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_RCPT, STAGE_DATA, STAGE_HEADER, STAGE_EOM,
		STAGE_CLOSE,
	};
	unsigned place = (unsigned)(number % SAMPLE_SESSION_RECORDS);
	unsigned session = (unsigned)(number / SAMPLE_SESSION_RECORDS);
	char id[40];

	record_init(record, stages[place], 1795248000000000 + number * 100);
	(void)snprintf(id, sizeof id, "65f1c%07x", session);
	record_set_string(record, FIELD_SESSION, id);
	if (place >= 2 && place <= 7)
		record_set_number(record, FIELD_MSG, 1);
	if (place >= 4 && place <= 7) {
		(void)snprintf(id, sizeof id, "4fXy%06xz9", session);
		record_set_string(record, FIELD_QUEUE_ID, id);
	}
	switch (place) {
	case 0: fill_connect(record, session); break;
	case 1: fill_helo(record, session); break;
	case 2:
		record_set_string(record, FIELD_FROM, "someone@example.net");
		record_set_number(record, FIELD_SIZE, 5000);
		record_set_string(record, FIELD_BODY, "8BITMIME");
		break;
	case 5:
		record_set_number(record, FIELD_RECIPIENTS, 2);
		record_set_number(record, FIELD_RECIPIENTS_REJECTED, 0);
		break;
	case 6: fill_header(record, session); break;
	case 7: fill_eom(record, session); break;
	case 8: fill_close(record, session); break;
	default: fill_rcpt(record, session, place); break;
	}
	return record_finish(record);
}
