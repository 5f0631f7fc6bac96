/* reply.c - reply codes of RFC 5321, and enhanced status codes from status_codes.def. */
#include "analysis/reply.h"

#include <stddef.h>

static const struct {
	int subject, detail;
	const char *meaning;
} statuses[] = {
#define STATUS(subject, detail, meaning) { subject, detail, meaning },
#include "analysis/status_codes.def"
#undef STATUS
};

static const struct {
	int code;
	const char *meaning;
} codes[] = {
	{ 211, "System status" },
	{ 214, "Help" },
	{ 220, "Service ready" },
	{ 221, "Service closes the connection" },
	{ 235, "Authentication succeeded" },
	{ 250, "Done" },
	{ 251, "Recipient not local; will forward" },
	{ 252, "Cannot verify the recipient, but will take the message" },
	{ 334, "Authentication goes on" },
	{ 354, "Start of the message" },
	{ 421, "Service not available, closes the connection" },
	{ 432, "Password must be changed" },
	{ 450, "Mailbox not available now" },
	{ 451, "Local error in processing" },
	{ 452, "Not enough storage" },
	{ 454, "Temporary authentication failure" },
	{ 455, "Parameters cannot be met now" },
	{ 500, "Syntax error" },
	{ 501, "Syntax error in parameters" },
	{ 502, "Command not implemented" },
	{ 503, "Bad sequence of commands" },
	{ 504, "Parameter not implemented" },
	{ 521, "Host takes no mail" },
	{ 530, "Authentication required" },
	{ 534, "Authentication mechanism is too weak" },
	{ 535, "Authentication credentials invalid" },
	{ 538, "Encryption required for that mechanism" },
	{ 550, "Mailbox not available" },
	{ 551, "Recipient not local" },
	{ 552, "Storage exceeded" },
	{ 553, "Mailbox name not allowed" },
	{ 554, "Transaction failed" },
	{ 555, "Parameters not known" },
	{ 556, "Domain takes no mail" },
};

/* Up to three digits, as RFC 3463 has it; gives how many. */
static size_t read_part(struct text text, size_t at, int *ret_number)
{
	size_t count = 0;
	int number = 0;

	while (count < 4 && at + count < text.length && byte_is_digit(text.start[at + count]))
		number = number * 10 + (text.start[at + count++] - '0');
	*ret_number = number;
	return count > 3 ? 0 : count;
}

/* The length of the code that the text starts with; 0: none. */
static size_t status_length(struct text text, struct status_code *code)
{
	size_t subject, detail;

	if (text.length < 5 || (text.start[0] != '2' && text.start[0] != '4' && text.start[0] != '5') || text.start[1] != '.')
		return 0;
	code->class = text.start[0] - '0';
	subject = read_part(text, 2, &code->subject);
	if (!subject || 2 + subject >= text.length || text.start[2 + subject] != '.')
		return 0;
	detail = read_part(text, 3 + subject, &code->detail);
	if (!detail)
		return 0;
	size_t length = 3 + subject + detail;

	return length == text.length || text.start[length] == ' ' || text.start[length] == ':' || text.start[length] == ';' ? length : 0;
}

bool status_code_read(struct text text, struct status_code *ret_code)
{
	struct status_code code = { 0 };

	if (status_length(text, &code) != text.length || text.length == 0)
		return false;
	*ret_code = code;
	return true;
}

static struct text behind(struct text text, size_t count)
{
	text.start += count;
	text.length -= count;
	while (text.length && text.start[0] == ' ') {
		text.start++;
		text.length--;
	}
	return text;
}

struct text reply_said(struct text text)
{
	static const char said[] = " said: ";
	size_t length = sizeof said - 1;

	if (text.length < 5 || memcmp(text.start, "host ", 5) != 0)
		return text;
	for (size_t i = 0; i + length <= text.length; i++)
		if (memcmp(text.start + i, said, length) == 0)
			return (struct text){ text.start + i + length, text.length - i - length };
	return text;
}

struct reply reply_read(struct text text)
{
	struct reply reply = { .code = 0, .text = text };
	struct status_code status;
	size_t length;

	if (!text.start)
		return reply;
	if (text.length >= 3 && text.start[0] >= '2' && text.start[0] <= '5' && byte_is_digit(text.start[1]) && byte_is_digit(text.start[2]) &&
	    (text.length == 3 || text.start[3] == ' ' || text.start[3] == '-')) {
		reply.code = (text.start[0] - '0') * 100 + (text.start[1] - '0') * 10 + (text.start[2] - '0');
		reply.code_text = (struct text){ text.start, 3 };
		reply.text = behind(text, text.length == 3 ? 3 : 4);
	}
	length = status_length(reply.text, &status);
	if (length) {
		reply.status = status;
		reply.status_text = (struct text){ reply.text.start, length };
		reply.text = behind(reply.text, length);
	}
	return reply;
}

const char *status_code_meaning(const struct status_code *code)
{
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i].subject == code->subject && statuses[i].detail == code->detail)
			return statuses[i].meaning;
	return NULL;
}

const char *reply_code_meaning(int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].meaning;
	return NULL;
}

static const struct {
	const char *stage;
	int code;
	const char *meaning;
} stage_replies[] = {
#define STAGE_REPLY(stage, code, meaning) { stage, code, meaning },
#include "analysis/stage_replies.def"
#undef STAGE_REPLY
};

const char *reply_meaning_at(struct text stage, int code)
{
	for (size_t i = 0; i < sizeof stage_replies / sizeof stage_replies[0]; i++)
		if (stage_replies[i].code == code && text_is(stage, stage_replies[i].stage))
			return stage_replies[i].meaning;
	return code < 300 ? "done" : code < 400 ? "go on" : code < 500 ? "not now: to be tried again" : "refused for good";
}

bool reply_stage_row(unsigned row, const char **ret_stage, int *ret_code, const char **ret_meaning)
{
	if (row >= sizeof stage_replies / sizeof stage_replies[0])
		return false;
	*ret_stage = stage_replies[row].stage;
	*ret_code = stage_replies[row].code;
	*ret_meaning = stage_replies[row].meaning;
	return true;
}
