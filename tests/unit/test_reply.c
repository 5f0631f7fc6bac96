/* test_reply.c - replies taken apart, and the class of their reason. */
#include "analysis/reason.h"
#include "analysis/reply.h"
#include "unit.h"

TEST(replies_give_code_status_and_text)
{
	static const struct {
		const char *reply, *code, *status, *text;
	} cases[] = {
		{ "550 5.1.1 <x>: unknown", "550", "5.1.1", "<x>: unknown" },
		{ "550-5.1.1 first line", "550", "5.1.1", "first line" },
		{ "250 ok", "250", "", "ok" },
		{ "5.7.1 text", "", "5.7.1", "text" },
		{ "421", "421", "", "" },
		{ "text alone", "", "", "text alone" },
		{ "1234 5.1.1 x", "", "", "1234 5.1.1 x" },
		{ "550 5.1.1234 x", "550", "", "5.1.1234 x" },
		{ "550 3.1.1 x", "550", "", "3.1.1 x" },
		{ "550 5.1", "550", "", "5.1" },
		{ "", "", "", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct reply reply = reply_read(text_of(cases[i].reply));

		CHECK_TEXT(reply.code_text, cases[i].code);
		CHECK_TEXT(reply.status_text, cases[i].status);
		CHECK_TEXT(reply.text, cases[i].text);
	}
}

TEST(status_codes_have_a_meaning)
{
	struct status_code code;

	CHECK(status_code_read(TEXT_LITERAL("4.2.2"), &code));
	CHECK_NUMBER(code.class, 4);
	CHECK_STRING(status_code_meaning(&code), "Mailbox is full (quota or storage)");
	CHECK(status_code_read(TEXT_LITERAL("5.999.999"), &code));
	CHECK(status_code_meaning(&code) == NULL);
	CHECK(!status_code_read(TEXT_LITERAL("4.2.2 "), &code));
	CHECK(!status_code_read(TEXT_LITERAL("4.2"), &code));
	CHECK_STRING(reply_code_meaning(354), "Start of the message");
	CHECK(reply_code_meaning(999) == NULL);
}

TEST(reasons_have_a_class)
{
	static const struct {
		const char *reply, *class;
	} cases[] = {
		{ "550 5.1.1 <b@example.com>: Recipient address rejected: User unknown", "userunknown" },
		{ "450 4.2.0 <b@example.com>: Recipient address rejected: Greylisted, see http://x", "greylisting" },
		{ "552 5.2.2 Over quota", "mailboxfull" },
		{ "552 5.3.4 Message size exceeds fixed limit", "mesgtoobig" },
		{ "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "blocked" },
		{ "554 5.7.1 Spam message rejected", "spamdetected" },
		{ "554 5.7.1 virus found", "virusdetected" },
		{ "554 5.7.1 <b@example.com>: Relay access denied", "norelaying" },
		{ "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "requireptr" },
		{ "421 4.7.0 too many connections from your host", "ratelimited" },
		{ "connect to mx.example.com[192.0.2.2]:25: Connection timed out", "networkerror" },
		{ "Host or domain name not found. Name service error for name=x type=A: Host not found", "hostunknown" },
		{ "4.4.3 Host or domain name not found. Name service error for name=x type=MX: Host not found, try again", "dnserror" },
		{ "4.4.3 Host or domain name not found. Name service error for name=x type=MX: Malformed or unexpected name server reply", "dnserror" },
		{ "4.4.3 unable to look up host x: Temporary failure in name resolution", "dnserror" },
		{ "451 4.1.8 Domain of sender address a@x does not resolve", "dnserror" },
		{ "553 5.1.8 Domain of sender address a@x does not exist", "hostunknown" },
		{ "450 4.1.8 <a@x>: Sender address rejected: Domain not found", "hostunknown" },
		{ "535 5.7.8 Error: authentication failed", "securityerror" },
		{ "454 4.7.0 TLS not available due to local problem", "failedstarttls" },
		{ "550 5.7.26 Unauthenticated email from x is not accepted due to domain's DMARC policy", "authfailure" },
		{ "451 4.3.0 something", "systemerror" },
		{ "550 5.4.6 something", "routing" },
		{ "550 5.7.1 something", "policyviolation" },
		{ "550 something", NULL },
		{ "250 2.0.0 Ok: virus", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct reply reply = reply_read(text_of(cases[i].reply));
		const char *class = reason_of(&reply);

		CHECK_SAYING((class == NULL) == (cases[i].class == NULL) && (!class || strcmp(class, cases[i].class) == 0),
			     "%s: got %s, wanted %s", cases[i].reply, class ? class : "none", cases[i].class ? cases[i].class : "none");
	}
}

int main(int argc, char **argv)
{
	return unit_run((const struct unit_test[]){
		UNIT_TEST(replies_give_code_status_and_text),
		UNIT_TEST(status_codes_have_a_meaning),
		UNIT_TEST(reasons_have_a_class),
		{ NULL, NULL },
	}, argc, argv);
}
