/* test_mime.c - parts and attachments are told alike however the body is cut into chunks. */
#include "milter/mime.h"
#include "milter/mime_field.h"

#include <stdlib.h>

#include "unit.h"

struct mime_case {
	const char *says;
	const char *type;		/* Content-Type of the message, or NULL */
	const char *disposition;	/* Content-Disposition of the message, or NULL */
	const char *body;
	long long parts;
	const char *names;		/* joined by | */
	const char *types;
	const char *content_type;
};

static const struct mime_case cases[] = {
	{ "a message without a type is one part", NULL, NULL, "hello\r\n", 1, "", "", "text/plain" },
	{ "a plain text is one part", "text/plain; charset=utf-8", NULL, "--x\r\n\r\nhello\r\n", 1, "", "",
	  "text/plain" },
	{ "a type is told in lower case", " Text/HTML", NULL, "", 1, "", "", "text/html" },
	{ "a type of no known form is that of plain text", "text", NULL, "", 1, "", "", "text/plain" },
	{ "a message can be an attachment itself", "application/pdf", "attachment; filename=\"a.pdf\"", "x", 1,
	  "a.pdf", "application/pdf", "application/pdf" },
	{ "parts and names of a multipart", "multipart/mixed; boundary=\"b1\"", NULL,
	  "preamble\r\n--b1\r\n\r\ntext\r\n--b1\r\nContent-Type: image/png; name=\"p.png\"\r\n\r\nxx\r\n--b1--\r\nend\r\n", 2,
	  "p.png", "image/png", "multipart/mixed" },
	{ "bare line feeds end lines too", "multipart/mixed; boundary=b1", NULL,
	  "--b1\nContent-Disposition: attachment;\n filename=x.txt\n\ntext\n--b1--\n", 1, "x.txt", "text/plain",
	  "multipart/mixed" },
	{ "Content-Disposition goes before Content-Type", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Disposition: attachment; filename=good.txt\r\nContent-Type: text/plain; name=bad.txt\r\n\r\n--b--\r\n",
	  1, "good.txt", "text/plain", "multipart/mixed" },
	{ "in either order", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: text/plain; name=bad.txt\r\nContent-Disposition: attachment; filename=good.txt\r\n\r\n--b--\r\n",
	  1, "good.txt", "text/plain", "multipart/mixed" },
	{ "the last delimiter may be missing", "multipart/mixed; boundary=b", NULL,
	  "--b\r\n\r\none\r\n--b\r\nContent-Type: text/plain; name=n\r\n\r\ntwo\r\n", 2, "n", "text/plain",
	  "multipart/mixed" },
	{ "a message may end inside of a part's header", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: text/plain; name=n", 1, "n", "text/plain", "multipart/mixed" },
	{ "a part may have no empty line", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: text/plain; name=n\r\n--b\r\n\r\nx\r\n--b--\r\n", 2, "n", "text/plain",
	  "multipart/mixed" },
	{ "one boundary may be the head of another", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\n1\r\n--bb\r\n\r\n2\r\n--bb--\r\n--b\r\n\r\n3\r\n--b--\r\n",
	  3, "", "", "multipart/mixed" },
	{ "a longer inner delimiter does not end the outer part", "multipart/mixed; boundary=bb", NULL,
	  "--bb\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--bb\r\n\r\n2\r\n--bb--\r\n",
	  2, "", "", "multipart/mixed" },
	{ "an outer delimiter ends what is open inside", "multipart/mixed; boundary=out", NULL,
	  "--out\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\n\r\n1\r\n--out\r\n\r\n2\r\n--in\r\n\r\nno part\r\n--out--\r\n",
	  2, "", "", "multipart/mixed" },
	{ "nothing is a part behind the last delimiter", "multipart/mixed; boundary=b", NULL,
	  "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\nno part\r\n", 1, "", "", "multipart/mixed" },
	{ "a delimiter stands at the begin of a line", "multipart/mixed; boundary=b", NULL,
	  " --b\r\nx--b\r\n--b\r\n\r\n-\r\n- --b\r\n---b\r\n--b--\r\n", 1, "", "", "multipart/mixed" },
	{ "blanks may follow a delimiter", "multipart/mixed; boundary=b", NULL, "--b \t\r\n\r\n1\r\n--b-- \r\n--b\r\n", 1,
	  "", "", "multipart/mixed" },
	{ "a multipart without a boundary is one part", "multipart/mixed", NULL, "--b\r\n\r\n--b--\r\n", 1, "", "",
	  "multipart/mixed" },
	{ "a multipart whose boundary never comes has no part", "multipart/mixed; boundary=c", NULL, "--b\r\n\r\n", 0, "",
	  "", "multipart/mixed" },
	{ "a forwarded message counts by its own parts", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: message/rfc822; name=f.eml\r\n\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
	  "--i\r\n\r\n1\r\n--i\r\nContent-Disposition: inline; filename=z.zip\r\nContent-Type: application/zip\r\n\r\n2\r\n--i--\r\n--b--\r\n",
	  2, "f.eml|z.zip", "message/rfc822|application/zip", "multipart/mixed" },
	{ "nothing is seen in an encoded message", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nContent-Type: text/plain; name=n\r\n\r\n--b--\r\n",
	  1, "", "", "multipart/mixed" },
	{ "parts of a digest are messages", "multipart/digest; boundary=b", NULL,
	  "--b\r\n\r\nContent-Type: text/plain; name=n\r\n\r\nx\r\n--b--\r\n", 1, "n", "text/plain", "multipart/digest" },
	{ "continued and percent encoded names", "multipart/mixed; boundary=b", NULL,
	  "--b\r\nContent-Type: a/b\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''na%C3%AFve;\r\n filename*1=\" file\";\r\n filename*2*=%2Etxt\r\n\r\n--b--\r\n",
	  1, "na\xc3\xafve file.txt", "a/b", "multipart/mixed" },
	{ "binary bytes are content", "multipart/mixed; boundary=b", NULL,
	  "--b\r\n\r\n\x01\x80\xff\r\r\r\n--b\x01\r\n--b\r\n\r\n\n\n--b--", 2, "", "", "multipart/mixed" },
	{ "comments stand anywhere", "multipart/mixed (really) ; (x) boundary=b", NULL, "--b\r\n\r\n1\r\n--b--\r\n", 1, "",
	  "", "multipart/mixed" },
	{ "a boundary may hold what has a meaning elsewhere", "multipart/mixed; boundary=\"=_(a;b) c'?\"", NULL,
	  "--=_(a;b) c'?\r\n\r\n1\r\n--=_(a;b) c'?--\r\n", 1, "", "", "multipart/mixed" },
	{ "a folded field is one field", "multipart/mixed;\n\tboundary=b", NULL,
	  "--b\r\nX: y\r\n Content-Type: text/plain; name=no\r\nContent-Type:\r\n\timage/png;\r\n\tname=yes\r\n\r\n--b--\r\n",
	  1, "yes", "image/png", "multipart/mixed" },
};

static void feed(struct mime *mime, struct arena *arena, const struct mime_case *test, struct text body, int cut,
		 unsigned *seed)
{
	arena_init(arena, 65536);
	mime_init(mime, arena, 100, 100);
	if (test->type)
		mime_header(mime, TEXT_LITERAL("Content-Type"), text_of(test->type));
	if (test->disposition)
		mime_header(mime, TEXT_LITERAL("content-disposition"), text_of(test->disposition));
	for (size_t at = 0, length; at < body.length; at += length) {
		length = cut == 0 ? body.length : cut == 1 ? 1 : (size_t)rand_r(seed) % 9;
		if (length > body.length - at)
			length = body.length - at;
		mime_body(mime, (struct text){ body.start + at, length });
	}
	mime_finish(mime);
}

static void join(const struct mime *mime, char *names, char *types)
{
	names[0] = types[0] = 0;
	for (const struct mime_attachment *at = mime->first; at; at = at->next) {
		strncat(names, at->name.start, at->name.length);
		strncat(types, at->type.start, at->type.length);
		if (at->next) {
			strcat(names, "|");
			strcat(types, "|");
		}
	}
}

TEST(parts_and_names_are_told_however_the_body_is_cut)
{
	static struct mime mime;
	char names[1000], types[1000];
	unsigned seed = 7;
	struct arena arena;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (int cut = 0; cut < 20; cut++) {
			feed(&mime, &arena, &cases[i], text_of(cases[i].body), cut, &seed);
			join(&mime, names, types);
			CHECK_SAYING((long long)mime.parts == cases[i].parts, "%s (cut %d): %llu parts", cases[i].says,
				     cut, (unsigned long long)mime.parts);
			CHECK_SAYING(strcmp(names, cases[i].names) == 0, "%s (cut %d): names %s", cases[i].says, cut, names);
			CHECK_SAYING(strcmp(types, cases[i].types) == 0, "%s (cut %d): types %s", cases[i].says, cut, types);
			CHECK_SAYING(text_is(mime.type, cases[i].content_type),
				     "%s (cut %d): type %.*s", cases[i].says, cut, TEXT_ARGS(mime.type));
			CHECK(!mime.parts_limited && !mime.attachments_limited && !mime.names_cut);
			arena_done(&arena);
		}
}

TEST(a_parameter_is_decoded_where_it_is_plain_utf8)
{
	static const struct { const char *value, *wanted; } rows[] = {
		{ "attachment; filename=plain.txt", "plain.txt" },
		{ "attachment; filename=\"with blank.txt\"", "with blank.txt" },
		{ "attachment; filename=with blank (1).txt; size=3", "with blank (1).txt" },
		{ "attachment; filename=\"a\\\"b\\\\c\"", "a\"b\\c" },
		{ "attachment; filename=\"C:\\new.txt\"", "C:\\new.txt" },
		{ "attachment; filename=\"a;b=c\"; x=y", "a;b=c" },
		{ "attachment; filename=\"no end", "no end" },
		{ "attachment; filename=", "" },
		{ "attachment; filename", NULL },
		{ "attachment", NULL },
		{ "attachment; x=1;; ; FileName = a.txt ;", "a.txt" },
		{ "attachment; filename*=UTF-8''%e2%82%ac.txt", "\xe2\x82\xac.txt" },
		{ "attachment; filename*=utf-8'en'a%20b; filename=worse", "a b" },
		{ "attachment; filename*=iso-8859-1''%a3.txt", "iso-8859-1''%a3.txt" },
		{ "attachment; filename*=utf-8''%ff.txt", "utf-8''%ff.txt" },
		{ "attachment; filename*=utf-8''%zz", "utf-8''%zz" },
		{ "attachment; filename*=utf-8''a%00b", "utf-8''a%00b" },
		{ "attachment; filename*1=b; filename*0=a; filename*3=d", "ab" },
		{ "attachment; filename*0*=utf-8''%c3; filename*1*=%a4", "\xc3\xa4" },
		{ "attachment; filename=\"=?utf-8?B?w6Q=?=.txt\"", "\xc3\xa4.txt" },
		{ "attachment; filename=\"=?UTF-8?Q?a_=C3=A4?=\r\n =?utf-8?q?b?=\"", "a \xc3\xa4" "b" },
		{ "attachment; filename=\"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?=\"", "\xc3\xa4" },
		{ "attachment; filename=\"=?koi8-r?B?8NLJ18XU?=\"", "=?koi8-r?B?8NLJ18XU?=" },
		{ "attachment; filename=\"=?utf-8?X?a?=\"", "=?utf-8?X?a?=" },
		{ "attachment; filename=\"=?utf-8?B?!!?=\"", "=?utf-8?B?!!?=" },
		{ "attachment; filename=\"=?utf-8?Q?a\"", "=?utf-8?Q?a" },
		{ "attachment; filename=\"a\r\n b\"", "a b" },
		{ "attachment; filename=\"\xe4.txt\"", "\xe4.txt" },
		{ "(c) attachment (d (e) f) ; (g) filename (h) = (i) \"x\" (j)", "x" },
		{ "attachment (never closed; filename=x", NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mime_field field;
		char buffer[100];
		bool cut = false;

		mime_field_read(&field, text_of(rows[i].value));
		struct text got = mime_field_parameter(&field, "filename", buffer, sizeof buffer, &cut);
		CHECK_SAYING(rows[i].wanted ? got.start && text_is(got, rows[i].wanted) : !got.start, "%s: \"%.*s\"",
			     rows[i].value, TEXT_ARGS(got));
		CHECK(!cut);
	}
}

TEST(parts_beyond_the_limit_are_counted_but_not_looked_into)
{
	static struct mime mime;
	struct arena arena;

	arena_init(&arena, 65536);
	mime_init(&mime, &arena, 3, 2);
	mime_header(&mime, TEXT_LITERAL("Content-Type"), TEXT_LITERAL("multipart/mixed; boundary=b"));
	for (int i = 0; i < 10; i++)
		mime_body(&mime, TEXT_LITERAL("--b\r\nContent-Type: a/b; name=n\r\n\r\n"));
	mime_finish(&mime);
	CHECK_NUMBER(mime.parts, 10);
	CHECK_NUMBER(mime.attachments, 3);
	CHECK(mime.parts_limited && mime.attachments_limited && !mime.names_cut);
	CHECK(mime.first && mime.first->next == mime.last && !mime.last->next);
	arena_done(&arena);
}

TEST(multiparts_nested_too_deep_count_as_one_part)
{
	static struct mime mime;
	struct arena arena;
	char text[200];

	arena_init(&arena, 65536);
	mime_init(&mime, &arena, 1000, 1000);
	mime_header(&mime, TEXT_LITERAL("Content-Type"), TEXT_LITERAL("multipart/mixed; boundary=b0"));
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof text, "--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n", i, i + 1);
		mime_body(&mime, text_of(text));
	}
	mime_finish(&mime);
	CHECK_NUMBER(mime.parts, 1);
	CHECK(mime.parts_limited);
	arena_done(&arena);
}

TEST(names_without_end_are_cut_and_said_to_be)
{
	static struct mime mime;
	struct arena arena;
	char text[700];

	arena_init(&arena, 65536);
	mime_init(&mime, &arena, 1000, 1000);
	mime_header(&mime, TEXT_LITERAL("Content-Type"), TEXT_LITERAL("multipart/mixed; boundary=b"));
	for (int i = 0; i < 20; i++) {
		(void)snprintf(text, sizeof text, "--b\r\nContent-Type: a/b; name=%0400d\r\n\r\n", i);
		mime_body(&mime, text_of(text));
	}
	mime_finish(&mime);
	CHECK_NUMBER(mime.parts, 20);
	CHECK_NUMBER(mime.attachments, 20);
	CHECK(mime.names_cut);
	size_t kept = 0;
	for (const struct mime_attachment *at = mime.first; at; at = at->next)
		kept += at->name.length;
	CHECK_NUMBER(kept, 3600);
	arena_done(&arena);
}

/* Hostile text: whatever it is, chunks cut anywhere give what the whole gives. */
TEST(random_bodies_give_the_same_result_in_any_cut)
{
	static const char *const pieces[] = {
		"--b", "--", "--b--", "\r\n", "\n", "\r", "--c", "Content-Type: ", "multipart/mixed; boundary=c", "; name=x",
		"Content-Disposition: a; filename=y", "message/rfc822", " ", "\t", "-", "b", "boundary=\"", "(", "\"", "\\",
	};
	static const struct mime_case top = { .type = "multipart/mixed; boundary=b" };
	static struct mime whole, cut;
	struct arena whole_arena, cut_arena;
	unsigned seed = 3;
	char body[2000], names[2][4000], types[2][4000];

	for (int round = 0; round < 3000; round++) {
		body[0] = 0;
		for (int i = 0; i < 60; i++)
			strcat(body, pieces[(size_t)rand_r(&seed) % (sizeof pieces / sizeof pieces[0])]);
		feed(&whole, &whole_arena, &top, text_of(body), 0, &seed);
		feed(&cut, &cut_arena, &top, text_of(body), round % 5 ? 2 : 1, &seed);
		join(&whole, names[0], types[0]);
		join(&cut, names[1], types[1]);
		CHECK_SAYING(whole.parts == cut.parts && strcmp(names[0], names[1]) == 0 && strcmp(types[0], types[1]) == 0,
			     "%s", body);
		arena_done(&whole_arena);
		arena_done(&cut_arena);
	}
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(parts_and_names_are_told_however_the_body_is_cut),
		UNIT_TEST(a_parameter_is_decoded_where_it_is_plain_utf8),
		UNIT_TEST(parts_beyond_the_limit_are_counted_but_not_looked_into),
		UNIT_TEST(multiparts_nested_too_deep_count_as_one_part),
		UNIT_TEST(names_without_end_are_cut_and_said_to_be),
		UNIT_TEST(random_bodies_give_the_same_result_in_any_cut),
		{ NULL, NULL },
	};

	return unit_run(tests, argc, argv);
}
