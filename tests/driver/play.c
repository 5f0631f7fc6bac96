/*
 * play.c - plays a dialogue to a milter and checks the milter's replies.
 *
 * Every event is followed by what was negotiated for it, a continue or nothing, unless the next
 * line expects something else. Sessions live side by side; each line goes to the current one.
 */
#include "play.h"

#include <err.h>
#include <errno.h>
#include <libmilter/mfdef.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dialogue.h"
#include "mta.h"

#define WORDS_MAX 64
#define SHOWN_PROBLEMS 10
#define SILENCE_MS 60		/* how long "expect none" and "expect any" listen */
#define HURRY_BYTES (1 << 20)	/* unsent bytes that hurrying bears */
#define CONNECT_TRIES_MS 5000

struct talk {
	struct mta_session mta;
	char *name;
	int socket;
	bool is_closed;			/* by the milter */
	bool is_loose;			/* after expect any: a reply may come late */
	uint64_t replies;
	struct talk *next;
};

struct player {
	struct dialogue dialogue;
	const char *address;
	int timeout_ms;
	const struct dialogue_line *line;
	uint64_t counters[2];
	struct talk *talks, *talk;	/* all, and the current one */
	struct wire_bytes name;		/* of the current one */
	struct wire_bytes pending;	/* text for the next body */
	enum mta_kind kind;
	unsigned sessions;
	uint64_t due_before, got_before;	/* replies, before the last event */
	bool is_hurried;
	bool is_expecting;		/* the next line, or this one, says what to expect */
	unsigned problems;
	uint64_t events, replies;
};

static void note_problem(struct player *player, const char *what, const char *which)
{
	if (player->problems++ < SHOWN_PROBLEMS)
		fprintf(stderr, "%s:%u: session %.*s: %s%s\n", player->dialogue.file, player->line->number,
			TEXT_ARGS(wire_text(&player->name)), what, which);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void take_frame(struct player *player, struct talk *talk, char command, struct text payload)
{
	if (command == SMFIC_OPTNEG) {
		if (wire_terms_read(&talk->mta.terms, payload) < 0)
			note_problem(player, "the answer to the negotiation makes no sense", "");
	} else if (command != SMFIR_CONTINUE) {
		note_problem(player, "a reply that is not continue: ", (char[]){ command, '\0' });
	}
	talk->replies++;
	if (talk->replies > talk->mta.replies_due && !player->is_expecting && !talk->is_loose)
		note_problem(player, "a reply that nobody waits for", "");
}

/* Reads what is there. */
static void take_in(struct player *player, struct talk *talk)
{
	char bytes[65536], command;
	struct text payload;
	size_t size;
	ssize_t length = recv(talk->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
	int found;

	if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
		talk->is_closed = true;
		return;
	}
	if (length < 0)
		return;
	wire_add(&talk->mta.in, bytes, (size_t)length);
	while ((found = wire_frame_peek(&talk->mta.in, &command, &payload, &size)) > 0) {
		take_frame(player, talk, command, payload);
		wire_drop(&talk->mta.in, size);
	}
	if (found < 0) {
		note_problem(player, "the milter sent no frame", "");
		talk->is_closed = true;
	}
}

static void give_out(struct talk *talk)
{
	struct wire_bytes *out = &talk->mta.out;
	ssize_t length = send(talk->socket, out->start, out->length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (length > 0)
		wire_drop(out, (size_t)length);
	else if (length < 0 && errno != EAGAIN && errno != EINTR)
		out->length = 0;	/* the reader finds the end */
}

/* What pump waits for. */
enum goal { GOAL_REPLIES, GOAL_SENT, GOAL_CLOSED, GOAL_SILENCE, GOAL_ANYTHING };

static bool is_reached(const struct player *player, const struct talk *talk, enum goal goal)
{
	switch (goal) {
	case GOAL_REPLIES: return talk->mta.out.length == 0 && talk->replies >= talk->mta.replies_due;
	case GOAL_SENT: return talk->mta.out.length < (player->is_hurried ? HURRY_BYTES : 1);
	case GOAL_ANYTHING: return talk->mta.out.length == 0 && talk->replies > player->got_before;
	case GOAL_CLOSED: case GOAL_SILENCE: return false;
	}
	return false;
}

/* Writes and reads until the goal is reached, the milter closes, or the time is over. */
static void pump(struct player *player, struct talk *talk, enum goal goal, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	while (!talk->is_closed && !is_reached(player, talk, goal)) {
		struct pollfd poll_fd = { .fd = talk->socket, .events = POLLIN };
		int64_t left = end - now_ms();

		if (left <= 0)
			return;
		if (talk->mta.out.length)
			poll_fd.events |= POLLOUT;
		if (poll(&poll_fd, 1, (int)left) < 0 && errno != EINTR)
			err(1, "cannot poll");
		if (poll_fd.revents & POLLOUT)
			give_out(talk);
		if (poll_fd.revents & (POLLIN | POLLHUP | POLLERR))
			take_in(player, talk);
	}
}

static void await_replies(struct player *player, struct talk *talk)
{
	pump(player, talk, GOAL_REPLIES, player->timeout_ms);
	if (talk->replies < talk->mta.replies_due)
		note_problem(player, talk->is_closed ? "the milter closed" : "the milter is silent",
			     " where a reply was expected");
	talk->mta.replies_due = talk->replies;
}

/* After an event: sends it, and waits for what was negotiated unless the next line knows better. */
static void event_done(struct player *player)
{
	struct talk *talk = player->talk;

	if (player->is_expecting)
		pump(player, talk, GOAL_SENT, player->timeout_ms);
	else if (player->is_hurried)
		pump(player, talk, GOAL_SENT, player->timeout_ms);
	else
		await_replies(player, talk);
}

static void event_begins(struct player *player)
{
	player->due_before = player->talk->mta.replies_due;
	player->got_before = player->talk->replies;
	player->events++;
}

static void offer(struct player *player, uint32_t version, uint32_t actions, uint32_t steps)
{
	wire_offer(&player->talk->mta.out, version, actions, steps);
	player->talk->mta.replies_due++;
}

static int open_socket(const char *address)
{
	int64_t end = now_ms() + CONNECT_TRIES_MS;
	int fd;

	while ((fd = wire_connect(address)) == -EAGAIN && now_ms() < end)
		poll(NULL, 0, 1);
	if (fd < 0)
		errx(1, "cannot reach the milter at '%s': %s", address, strerror(-fd));
	return fd;
}

static struct talk *find_talk(struct player *player)
{
	for (struct talk *talk = player->talks; talk; talk = talk->next)
		if (text_is(wire_text(&player->name), talk->name))
			return talk;
	return NULL;
}

/* Makes sure that the current session is there. */
static void need_talk(struct player *player, bool is_negotiated)
{
	struct talk *talk = player->talk ? player->talk : find_talk(player);

	player->talk = talk;
	if (talk)
		return;
	talk = calloc(1, sizeof(*talk));
	if (!talk || !(talk->name = strndup((char *)player->name.start, player->name.length)))
		err(1, "cannot begin a session");
	talk->socket = open_socket(player->address);
	mta_init(&talk->mta, player->kind, ++player->sessions);
	talk->next = player->talks;
	player->talks = player->talk = talk;
	if (is_negotiated) {
		offer(player, WIRE_VERSION, WIRE_ACTIONS, WIRE_STEPS);
		await_replies(player, talk);
	}
}

static void end_talk(struct player *player)
{
	struct talk *talk = player->talk, **link = &player->talks;

	while (*link != talk)
		link = &(*link)->next;
	*link = talk->next;
	player->replies += talk->replies;
	close(talk->socket);
	mta_done(&talk->mta);
	free(talk->name);
	free(talk);
	player->talk = NULL;
}

static unsigned long read_number(struct player *player, struct text word)
{
	char text[32], *end;
	unsigned long number;

	snprintf(text, sizeof(text), "%.*s", TEXT_ARGS(word));
	number = strtoul(text, &end, 0);
	if (*end || !*text)
		errx(2, "%s:%u: '%s' is no number", player->dialogue.file, player->line->number, text);
	return number;
}

static void do_session(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	player->name.length = 0;
	wire_add(&player->name, words[0].start, words[0].length);
	player->talk = NULL;
}

static void do_mta(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	player->kind = text_is(words[0], "postfix") ? MTA_POSTFIX :
		       text_is(words[0], "sendmail") ? MTA_SENDMAIL : MTA_BARE;
}

static void do_negotiate(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	need_talk(player, false);
	event_begins(player);
	offer(player, (uint32_t)read_number(player, words[0]), (uint32_t)read_number(player, words[1]),
	      (uint32_t)read_number(player, words[2]));
	event_done(player);
}

static void do_set(struct player *player, const struct text *words, size_t count)
{
	char name[128];

	snprintf(name, sizeof(name), "%.*s", TEXT_ARGS(words[0]));
	mta_set(&player->talk->mta, name, count > 1 ? words[1] : TEXT_NONE);
}

static void do_connect(struct player *player, const struct text *words, size_t count)
{
	static const char *const defaults[] = { "client.example", "4", "40001", "192.0.2.7" };
	struct text given[4];

	for (size_t i = 0; i < 4; i++)
		given[i] = i < count ? words[i] : text_of(defaults[i]);
	mta_connect(&player->talk->mta, given[0], given[1].length ? given[1].start[0] : '4',
		    (uint16_t)read_number(player, given[2]), given[3]);
}

static void do_helo(struct player *player, const struct text *words, size_t count)
{
	mta_helo(&player->talk->mta, count ? words[0] : TEXT_LITERAL("client.example"));
}

static void do_mail(struct player *player, const struct text *words, size_t count)
{
	mta_mail(&player->talk->mta, words, count);
}

static void do_rcpt(struct player *player, const struct text *words, size_t count)
{
	mta_rcpt(&player->talk->mta, words, count);
}

static void do_rejected(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	mta_rcpt_rejected(&player->talk->mta, words[0], words[1], words[2]);
}

static void do_data(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	mta_plain(&player->talk->mta, SMFIC_DATA, TEXT_LITERAL(""));
}

static void do_header(struct player *player, const struct text *words, size_t count)
{
	mta_header(&player->talk->mta, words[0], count > 1 ? words[1] : TEXT_LITERAL(""));
}

static void do_eoh(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	mta_plain(&player->talk->mta, SMFIC_EOH, TEXT_LITERAL(""));
}

static void do_line(struct player *player, const struct text *words, size_t count)
{
	if (count)
		wire_add(&player->pending, words[0].start, words[0].length);
	wire_add(&player->pending, "\r\n", 2);
}

static void do_body(struct player *player, const struct text *words, size_t count)
{
	mta_body(&player->talk->mta, count ? words[0] : wire_text(&player->pending));
	if (count == 0)
		player->pending.length = 0;
}

static void do_eom(struct player *player, const struct text *words, size_t count)
{
	mta_plain(&player->talk->mta, SMFIC_BODYEOB, count ? words[0] : TEXT_LITERAL(""));
}

static void do_unknown(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	mta_unknown(&player->talk->mta, words[0]);
}

static void do_abort(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	mta_plain(&player->talk->mta, SMFIC_ABORT, TEXT_LITERAL(""));
}

static void do_quit(struct player *player, const struct text *words, size_t count)
{
	struct talk *talk = player->talk;

	(void)words, (void)count;
	mta_plain(&talk->mta, SMFIC_QUIT, TEXT_LITERAL(""));
	pump(player, talk, GOAL_CLOSED, player->timeout_ms);
	if (!talk->is_closed)
		note_problem(player, "the milter keeps the connection open after QUIT", "");
	if (talk->replies < talk->mta.replies_due)
		note_problem(player, "the milter closed where a reply was expected", "");
	end_talk(player);
}

static void do_quit_nc(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	mta_plain(&player->talk->mta, SMFIC_QUIT_NC, TEXT_LITERAL(""));
	player->talk->mta.number = ++player->sessions;
	player->talk->mta.message = 0;
}

static void do_raw(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	wire_add(&player->talk->mta.out, words[0].start, words[0].length);
}

static void do_frame(struct player *player, const struct text *words, size_t count)
{
	wire_frame(&player->talk->mta.out, words[0].start[0], count > 1 ? words[1] : TEXT_LITERAL(""));
}

static void do_lying(struct player *player, const struct text *words, size_t count)
{
	wire_frame_lying(&player->talk->mta.out, (uint32_t)read_number(player, words[0]), words[1].start[0],
			 count > 2 ? words[2] : TEXT_LITERAL(""));
}

static void do_macros(struct player *player, const struct text *words, size_t count)
{
	size_t begin = wire_frame_begin(&player->talk->mta.out, SMFIC_MACRO);

	wire_add(&player->talk->mta.out, words[0].start, 1);
	for (size_t i = 1; i < count; i++)
		wire_add_string(&player->talk->mta.out, words[i]);
	wire_frame_end(&player->talk->mta.out, begin);
}

static void do_drop(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	end_talk(player);
}

static void do_pause(struct player *player, const struct text *words, size_t count)
{
	(void)count;
	poll(NULL, 0, (int)read_number(player, words[0]));
}

static void do_hurry(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	player->is_hurried = true;
}

static void do_settle(struct player *player, const struct text *words, size_t count)
{
	(void)words, (void)count;
	player->is_hurried = false;
	for (struct talk *talk = player->talks; talk; talk = talk->next)
		await_replies(player, talk);
}

/* Now it is known how many replies there should be. */
static void expect_replies(struct player *player, uint64_t count)
{
	struct talk *talk = player->talk;

	talk->mta.replies_due = player->due_before + count;
	if (count == 0)
		pump(player, talk, GOAL_SILENCE, SILENCE_MS);
	if (talk->replies > talk->mta.replies_due && !talk->is_loose)
		note_problem(player, "a reply that nobody waits for", "");
	await_replies(player, talk);
}

static void do_expect(struct player *player, const struct text *words, size_t count)
{
	struct talk *talk = player->talk;

	if (text_is(words[0], "continue")) {
		expect_replies(player, count > 1 ? read_number(player, words[1]) : 1);
	} else if (text_is(words[0], "none")) {
		expect_replies(player, 0);
		if (talk->is_closed)
			note_problem(player, "the milter closed where nothing was expected", "");
	} else if (text_is(words[0], "close")) {
		pump(player, talk, GOAL_CLOSED, player->timeout_ms);
		if (!talk->is_closed)
			note_problem(player, "the milter did not close", "");
		end_talk(player);
	} else if (text_is(words[0], "any")) {
		pump(player, talk, GOAL_ANYTHING, SILENCE_MS);
		talk->mta.replies_due = talk->replies;
		talk->is_loose = true;
	} else {
		errx(2, "%s:%u: expect continue [COUNT], none, close or any", player->dialogue.file,
		     player->line->number);
	}
}

enum verb_kind {
	VERB_PLAIN,		/* needs no session */
	VERB_SESSION,		/* needs one, is no event */
	VERB_EVENT		/* its reply is awaited */
};

static const struct verb {
	const char *name;
	enum verb_kind kind;
	size_t least, most;	/* arguments */
	void (*act)(struct player *player, const struct text *words, size_t count);
} verbs[] = {
	{ "session", VERB_PLAIN, 1, 1, do_session },
	{ "mta", VERB_PLAIN, 1, 1, do_mta },
	{ "negotiate", VERB_PLAIN, 3, 3, do_negotiate },
	{ "pause", VERB_PLAIN, 1, 1, do_pause },
	{ "hurry", VERB_PLAIN, 0, 0, do_hurry },
	{ "settle", VERB_PLAIN, 0, 0, do_settle },
	{ "line", VERB_PLAIN, 0, 1, do_line },
	{ "set", VERB_SESSION, 2, 2, do_set },
	{ "unset", VERB_SESSION, 1, 1, do_set },
	{ "expect", VERB_SESSION, 1, 2, do_expect },
	{ "drop", VERB_SESSION, 0, 0, do_drop },
	{ "quit", VERB_SESSION, 0, 0, do_quit },
	{ "connect", VERB_EVENT, 0, 4, do_connect },
	{ "helo", VERB_EVENT, 0, 1, do_helo },
	{ "mail", VERB_EVENT, 0, WORDS_MAX, do_mail },
	{ "rcpt", VERB_EVENT, 0, WORDS_MAX, do_rcpt },
	{ "rejected", VERB_EVENT, 3, 3, do_rejected },
	{ "data", VERB_EVENT, 0, 0, do_data },
	{ "header", VERB_EVENT, 1, 2, do_header },
	{ "eoh", VERB_EVENT, 0, 0, do_eoh },
	{ "body", VERB_EVENT, 0, 1, do_body },
	{ "eom", VERB_EVENT, 0, 1, do_eom },
	{ "unknown", VERB_EVENT, 1, 1, do_unknown },
	{ "abort", VERB_EVENT, 0, 0, do_abort },
	{ "quit_nc", VERB_EVENT, 0, 0, do_quit_nc },
	{ "macros", VERB_EVENT, 1, WORDS_MAX, do_macros },
	{ "frame", VERB_EVENT, 1, 2, do_frame },
	{ "lying", VERB_EVENT, 2, 3, do_lying },
	{ "raw", VERB_EVENT, 1, 1, do_raw },
};

static const struct verb *find_verb(const struct player *player, struct text name, size_t arguments)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!text_is(name, verbs[i].name))
			continue;
		if (arguments < verbs[i].least || arguments > verbs[i].most)
			errx(2, "%s:%u: %s takes %zu to %zu words", player->dialogue.file,
			     player->line->number, verbs[i].name, verbs[i].least, verbs[i].most);
		return &verbs[i];
	}
	errx(2, "%s:%u: there is no event '%.*s'", player->dialogue.file, player->line->number,
	     TEXT_ARGS(name));
}

static void act_on_line(struct player *player, size_t index)
{
	const struct dialogue_line *line = &player->dialogue.lines[index];
	struct text words[WORDS_MAX];
	struct wire_bytes said = { 0 };
	size_t begins[WORDS_MAX + 1] = { 0 };
	const struct verb *verb;

	player->line = line;
	if (line->count > WORDS_MAX)
		errx(2, "%s:%u: more than %d words", player->dialogue.file, line->number, WORDS_MAX);
	for (size_t i = 0; i < line->count; i++) {
		dialogue_say(&line->words[i], player->counters, &said);
		begins[i + 1] = said.length;
	}
	for (size_t i = 0; i < line->count; i++)
		words[i] = (struct text){ wire_text(&said).start + begins[i], begins[i + 1] - begins[i] };
	player->is_expecting = dialogue_is(&line->words[0], "expect") ||
			       (index + 1 < player->dialogue.count &&
				dialogue_is(&player->dialogue.lines[index + 1].words[0], "expect"));
	verb = find_verb(player, words[0], line->count - 1);
	if (verb->kind != VERB_PLAIN)
		need_talk(player, true);
	if (verb->kind == VERB_EVENT)
		event_begins(player);
	verb->act(player, words + 1, line->count - 1);
	if (verb->kind == VERB_EVENT)
		event_done(player);
	wire_free(&said);
}

static void act_on_lines(struct player *player, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		const struct dialogue_line *line = &player->dialogue.lines[i];
		uint64_t outer = player->counters[1], times;
		struct wire_bytes said = { 0 };

		if (!dialogue_is(&line->words[0], "repeat")) {
			act_on_line(player, i);
			continue;
		}
		player->line = line;
		if (line->count != 2)
			errx(2, "%s:%u: repeat COUNT", player->dialogue.file, line->number);
		dialogue_say(&line->words[1], player->counters, &said);
		times = read_number(player, wire_text(&said));
		wire_free(&said);
		player->counters[1] = player->counters[0];
		for (uint64_t n = 1; n <= times; n++) {
			player->counters[0] = n;
			act_on_lines(player, i + 1, line->end);
		}
		player->counters[0] = player->counters[1];
		player->counters[1] = outer;
		i = line->end;
	}
}

int play(const char *file, const char *socket, int timeout_ms)
{
	struct player player = { .address = socket, .timeout_ms = timeout_ms };

	dialogue_read(&player.dialogue, file);
	do_session(&player, (struct text[]){ TEXT_LITERAL("1") }, 1);
	act_on_lines(&player, 0, player.dialogue.count);
	/* What is still open is dropped, as by an MTA that dies. */
	while (player.talks) {
		player.talk = player.talks;
		end_talk(&player);
	}
	printf("%u sessions, %llu events, %llu replies, %u problems\n", player.sessions,
	       (unsigned long long)player.events, (unsigned long long)player.replies, player.problems);
	wire_free(&player.name);
	wire_free(&player.pending);
	dialogue_free(&player.dialogue);
	return player.problems != 0;
}
