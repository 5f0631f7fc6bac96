/*
 * export_ndjson.c - a line of JSON for each row, in the Elastic Common Schema (8.11): what it has no field for stands below
 * "smtptrail", by the names of transaction.def.
 *
 * event.id is the same whenever the same row is exported again: who stores it by that has it once.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/export.h"
#include "analysis/match.h"
#include "analysis/show_event.h"
#include "analysis/show_facts.h"
#include "common/record.h"

struct json {
	FILE *out;
	bool needs_comma;
};

static void put_name(struct json *json, const char *name)
{
	fprintf(json->out, "%s\"%s\":", json->needs_comma ? "," : "", name);
	json->needs_comma = true;
}

static void begin_object(struct json *json, const char *name)
{
	put_name(json, name);
	(void)fputc('{', json->out);
	json->needs_comma = false;
}

static void end_object(struct json *json)
{
	(void)fputc('}', json->out);
	json->needs_comma = true;
}

static void put_text(struct json *json, const char *name, struct text value)
{
	if (!value.start)
		return;
	put_name(json, name);
	show_json_string(json->out, value);
}

/* Where the schema has a list. */
static void put_list(struct json *json, const char *name, struct text value)
{
	if (!value.start)
		return;
	put_name(json, name);
	(void)fputc('[', json->out);
	show_json_string(json->out, value);
	(void)fputc(']', json->out);
}

static void put_number(struct json *json, const char *name, uint64_t value)
{
	put_name(json, name);
	fprintf(json->out, "%" PRIu64, value);
}

static void put_time(struct json *json, const char *name, uint64_t time_us)
{
	char words[TIME_TEXT_SIZE];

	time_format(time_us, words);
	put_text(json, name, text_of(words));
}

static struct text of(const struct facts *facts, enum fact fact)
{
	return facts ? facts_text(facts, fact) : TEXT_NONE;
}

static void put_fact_number(struct json *json, const char *name, const struct facts *facts, enum fact fact)
{
	struct fact_value value;

	if (facts && facts_find(facts, fact, &value))
		put_number(json, name, value.number);
}

/* A field of the schema's type "ip" takes nothing else. */
static void put_ip(struct json *json, const char *name, struct text address)
{
	struct network network;
	char words[64];

	if (!address.length || address.length >= sizeof words || memchr(address.start, '/', address.length))
		return;
	memcpy(words, address.start, address.length);
	words[address.length] = '\0';
	if (network_parse(words, &network))
		put_text(json, name, address);
}

/* ---- parts of the schema ---- */

static const char *outcome_of(const struct report_row *row)
{
	if (row->login)
		return text_is(facts_text(&row->login->facts, FACT_LOGIN_OUTCOME), "passed") ? "success"
											     : "failure";
	if (!row->recipient)
		return "unknown";
	switch (row->fate) {
	case FATE_DELIVERED: return "success";
	case FATE_BOUNCED:
	case FATE_EXPIRED:
	case FATE_REJECTED:
	case FATE_ABORTED: return "failure";
	case FATE_UNKNOWN:
	case FATE_DEFERRED:
	case FATE_DISCARDED:
	case FATE_HELD:
	case FATE_QUARANTINED:
	case FATE_FILTERED:
	case FATE_COUNT: break;
	}
	return "unknown";
}

static void put_event(struct json *json, const struct report_row *row)
{
	transaction_key key = row->login ? login_key(row->login) : columns_key(row);
	bool is_denied = row->recipient && row->fate == FATE_REJECTED;
	char id[40];

	(void)snprintf(id, sizeof id, "%016" PRIx64 "-%" PRIu32, key,
		       row->recipient ? row->recipient->number : 0);
	begin_object(json, "event");
	put_text(json, "kind", TEXT_LITERAL("event"));
	put_list(json, "category",
		 row->login	? TEXT_LITERAL("authentication")
		 : row->message ? TEXT_LITERAL("email")
				: TEXT_LITERAL("network"));
	put_list(json, "type",
		 row->login  ? TEXT_LITERAL("start")
		 : is_denied ? TEXT_LITERAL("denied")
			     : TEXT_LITERAL("info"));
	put_text(json, "action",
		 row->login	  ? TEXT_LITERAL("login")
		 : row->recipient ? text_of(fate_name(row->fate))
		 : row->message	  ? TEXT_LITERAL("message")
				  : TEXT_LITERAL("session"));
	put_text(json, "outcome", text_of(outcome_of(row)));
	put_text(json, "module", TEXT_LITERAL("smtptrail"));
	put_text(json, "dataset",
		 row->login	? TEXT_LITERAL("smtptrail.login")
		 : row->message ? TEXT_LITERAL("smtptrail.message")
				: TEXT_LITERAL("smtptrail.session"));
	put_text(json, "id", text_of(id));
	put_time(json, "start", row->time_us);
	if (row->recipient && row->recipient->last_us >= row->time_us) {
		put_time(json, "end", row->recipient->last_us);
		if (row->recipient->last_us - row->time_us < UINT64_MAX / 1000)
			put_number(json, "duration", (row->recipient->last_us - row->time_us) * 1000);
	}
	put_text(json, "reason",
		 row->login ? facts_text(&row->login->facts, FACT_LOGIN_REASON)
			    : of(row->recipient ? &row->recipient->facts : NULL, FACT_RECIPIENT_REPLY));
	end_object(json);
}

static void put_address(struct json *json, const char *name, struct text address)
{
	if (!address.start)
		return;
	begin_object(json, name);
	put_list(json, "address", address);
	end_object(json);
}

static void put_email(struct json *json, const struct report_row *row)
{
	const struct facts *facts = row->message ? &row->message->facts : NULL;
	struct text sender = of(facts, FACT_MESSAGE_FROM);

	if (!facts)
		return;
	begin_object(json, "email");
	put_address(json, "from", of(facts, FACT_MESSAGE_HEADER_FROM));
	put_address(json, "to", row->to);
	if (sender.start) {
		begin_object(json, "sender");
		put_text(json, "address", sender);
		end_object(json);
	}
	put_text(json, "message_id", of(facts, FACT_MESSAGE_MESSAGE_ID));
	put_text(json, "subject", of(facts, FACT_MESSAGE_SUBJECT));
	put_text(json, "local_id", of(facts, FACT_MESSAGE_QUEUE_ID));
	put_text(json, "content_type", of(facts, FACT_MESSAGE_CONTENT_TYPE));
	if (row->origin.start)
		put_text(json, "direction",
			 text_is(row->origin, "inbound") ? TEXT_LITERAL("inbound")
							 : TEXT_LITERAL("outbound"));
	end_object(json);
}

static void put_source(struct json *json, const struct report_row *row)
{
	const struct facts *session = row->session ? &row->session->facts : NULL;
	struct text address = row->login ? facts_text(&row->login->facts, FACT_LOGIN_CLIENT_ADDR)
					 : of(session, FACT_SESSION_CLIENT_ADDR);
	struct text name = of(session, FACT_SESSION_CLIENT_NAME);

	if (!address.start && !name.start)
		return;
	begin_object(json, "source");
	put_text(json, "address", address.start ? address : name);
	put_ip(json, "ip", address);
	put_fact_number(json, "port", session, FACT_SESSION_CLIENT_PORT);
	if (name.start && !text_is(name, "unknown"))
		put_text(json, "domain", name);
	end_object(json);
}

static void put_destination(struct json *json, const struct report_row *row)
{
	const struct attempt *last = NULL;

	for (const struct attempt *each = row->recipient ? row->recipient->tries : NULL; each;
	     each = each->next)
		last = each;
	if (!last || !facts_text(&last->facts, FACT_ATTEMPT_RELAY_NAME).start)
		return;
	begin_object(json, "destination");
	put_text(json, "address", facts_text(&last->facts, FACT_ATTEMPT_RELAY_NAME));
	put_ip(json, "ip", facts_text(&last->facts, FACT_ATTEMPT_RELAY_ADDR));
	put_fact_number(json, "port", &last->facts, FACT_ATTEMPT_RELAY_PORT);
	end_object(json);
}

/* "TLSv1.3" is "1.3" of "tls" there. */
static void put_tls(struct json *json, const struct facts *session)
{
	struct text version = of(session, FACT_SESSION_TLS_VERSION);

	if (!version.length)
		return;
	begin_object(json, "tls");
	if (version.length > 4 && memcmp(version.start, "TLSv", 4) == 0) {
		put_text(json, "version", (struct text){ version.start + 4, version.length - 4 });
		put_text(json, "version_protocol", TEXT_LITERAL("tls"));
	}
	put_text(json, "cipher", of(session, FACT_SESSION_CIPHER));
	end_object(json);
}

static void put_where(struct json *json, const struct report_row *row)
{
	const struct facts *session = row->session ? &row->session->facts : NULL;
	struct text host = row->login	  ? facts_text(&row->login->facts, FACT_LOGIN_HOST)
			   : row->message ? facts_text(&row->message->facts, FACT_MESSAGE_HOST)
					  : TEXT_NONE;
	struct text user = row->login ? facts_text(&row->login->facts, FACT_LOGIN_AUTH_AUTHEN)
				      : of(session, FACT_SESSION_AUTH_AUTHEN);

	if (!host.start)
		host = of(session, FACT_SESSION_HOST);
	if (host.start) {
		begin_object(json, "host");
		put_text(json, "name", host);
		end_object(json);
	}
	if (user.start) {
		begin_object(json, "user");
		put_text(json, "name", user);
		end_object(json);
	}
	put_tls(json, session);
	begin_object(json, "network");
	put_text(json, "transport", TEXT_LITERAL("tcp"));
	put_text(json, "protocol",
		 row->login ? facts_text(&row->login->facts, FACT_LOGIN_SERVICE) : TEXT_LITERAL("smtp"));
	end_object(json);
}

/* ---- all that is known ---- */

/* An object that begins with a member of ours, so that the facts follow it. */
static void put_level(struct json *json, const char *name, const char *member, uint64_t number, bool is_key,
		      const struct facts *facts)
{
	begin_object(json, name);
	put_name(json, member);
	fprintf(json->out, is_key ? "\"%016" PRIx64 "\"" : "%" PRIu64, number);
	show_facts_json(facts, NULL, json->out);
	end_object(json);
}

static void put_own(struct json *json, const struct report_row *row)
{
	begin_object(json, "smtptrail");
	if (row->recipient) {
		put_text(json, "fate", text_of(fate_name(row->fate)));
		put_number(json, "tries", row->recipient->attempts);
		put_name(json, "is_hop");
		(void)fputs(row->is_hop ? "true" : "false", json->out);
	}
	if (row->message && row->message->parent_kind != PARENT_NONE)
		put_text(json, "parent",
			 text_of(parent_kind_name((enum parent_kind)row->message->parent_kind)));
	if (row->session)
		put_level(json, "session", "key", row->session->key, true, &row->session->facts);
	if (row->message)
		put_level(json, "message", "key", row->message->key, true, &row->message->facts);
	if (row->recipient)
		put_level(json, "recipient", "number", row->recipient->number, false, &row->recipient->facts);
	if (row->login)
		put_level(json, "login", "key", login_key(row->login), true, &row->login->facts);
	end_object(json);
}

static void put_row(const struct columns *columns, const struct report_row *row, FILE *out)
{
	struct json json = { .out = out };

	(void)columns;
	(void)fputc('{', out);
	put_time(&json, "@timestamp", row->time_us);
	begin_object(&json, "ecs");
	put_text(&json, "version", TEXT_LITERAL("8.11.0"));
	end_object(&json);
	put_event(&json, row);
	put_email(&json, row);
	put_source(&json, row);
	put_destination(&json, row);
	put_where(&json, row);
	put_own(&json, row);
	(void)fputs("}\n", out);
}

const struct export_form export_ndjson = { .name = "ndjson", .row = put_row };
