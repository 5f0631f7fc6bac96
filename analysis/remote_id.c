/* remote_id.c - the words with which MTAs tell the identifier that they gave. */
#include "analysis/remote_id.h"

#include "analysis/scan.h"

enum { ID_MIN = 5, ID_MAX = 64 };

static bool is_id_letter(char letter)
{
	return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') ||
	       letter == '-' || letter == '_';
}

/* An identifier has a digit or a capital: words have not. */
static struct text read_id(const char *at, const char *end)
{
	struct text id = { at, 0 };
	bool is_word = true;

	while (at < end && *at >= 'a' && *at <= 'z')
		at++;
	for (; at < end && is_id_letter(*at); at = scan_alnum_end(at + 1, end))
		is_word = false;
	id.length = (size_t)(at - id.start);
	return id.length >= ID_MIN && id.length <= ID_MAX && !is_word ? id : TEXT_NONE;
}

/* Behind the last of these words. */
static struct text id_behind(struct text reply, struct text words)
{
	const char *found = NULL, *end = reply.start + reply.length, *at = reply.start, *next;

	while ((next = memmem(at, (size_t)(end - at), words.start, words.length))) {
		found = next + words.length;
		at = found;
	}
	return found ? read_id(found, end) : TEXT_NONE;
}

/* Sendmail: "250 2.0.0 09K8x1aB004711 Message accepted for delivery". */
static struct text id_before(struct text reply, struct text words)
{
	const char *found = memmem(reply.start, reply.length, words.start, words.length), *start = found;

	if (!found)
		return TEXT_NONE;
	while (start > reply.start && is_id_letter(start[-1]))
		start--;
	return read_id(start, found);
}

/* Whether one of the words below may begin with this blank. */
static bool may_begin(const char *blank, const char *end)
{
	if (end - blank < 4)
		return false;
	return memcmp(blank, " as ", 4) == 0 || memcmp(blank, " id=", 4) == 0 || memcmp(blank, " Mes", 4) == 0;
}

/* Most replies have none of the words. */
static bool may_tell(struct text reply)
{
	const char *at = reply.start, *end = reply.start + reply.length;

	while ((at = scan_find(at, end, ' ', ' ', ' ', ' ')) < end) {
		if (may_begin(at, end))
			return true;
		at++;
	}
	return false;
}

struct text remote_id(struct text reply)
{
	const struct text queued_as = TEXT_LITERAL("queued as ");
	const char *last = reply.length ? memrchr(reply.start, ' ', reply.length) : NULL;
	struct text id;

	if (!reply.length)
		return TEXT_NONE;
	/* Most often it is the last word, and a content filter's reply ends with that of the MTA behind it. */
	if (last && (size_t)(last + 1 - reply.start) >= queued_as.length &&
	    memcmp(last + 1 - queued_as.length, queued_as.start, queued_as.length) == 0)
		return read_id(last + 1, reply.start + reply.length);
	if (!may_tell(reply))
		return TEXT_NONE;
	id = id_behind(reply, queued_as);
	if (!id.start)
		id = id_behind(reply, TEXT_LITERAL(" id="));
	if (!id.start)
		id = id_before(reply, TEXT_LITERAL(" Message accepted for delivery"));
	return id;
}

struct text forward_id(struct text reply)
{
	const struct text forwarded_as = TEXT_LITERAL("forwarded as ");

	if (reply.length < forwarded_as.length || memcmp(reply.start, forwarded_as.start, forwarded_as.length) != 0)
		return TEXT_NONE;
	return read_id(reply.start + forwarded_as.length, reply.start + reply.length);
}
