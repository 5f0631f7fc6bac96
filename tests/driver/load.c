/*
 * load.c - many sessions at once, each the same simple mail; counts, times, and a log of events.
 *
 * A session sends up to the next event that has a reply in one write, as MTAs do, and waits.
 */
#include "load.h"

#include <err.h>
#include <errno.h>
#include <libmilter/mfdef.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "mta.h"

#define NS 1000000000ull
#define RETRY_NS (5 * NS / 1000)
#define EVENTS 256
#define MARKER_SIZE 96

enum load_state { LOAD_CLOSED, LOAD_NEGOTIATING, LOAD_TALKING, LOAD_HOLDING, LOAD_QUITTING };

struct load_session {
	struct mta_session mta;
	enum load_state state;
	int socket;
	uint64_t number;
	unsigned message;
	unsigned step;			/* of the script: the next event to send */
	unsigned burst_begin;		/* first step of what was sent last */
	unsigned burst_message;
	unsigned replies_due;
	uint64_t sent_ns;
	char awaited;			/* command whose reply is awaited last */
	bool is_queued;			/* for the pace */
};

/* The steps of a session: C H, then the rest for each message. */
struct load_step {
	char command;
	unsigned index;			/* number of the recipient or header field */
};
#define SCRIPT_MAIL 2			/* where a message begins */

struct load {
	const struct load_options *options;
	struct load_session *sessions;
	struct load_step *script;
	unsigned script_length;
	int epoll;
	FILE *log;
	char *body;
	uint64_t begin_ns, now_ns, retry_ns, missing_since_ns;
	uint64_t begun, ended, cut, refused, messages, events, replies, wrong, paced;
	unsigned open, queue_count, queue_begin;
	unsigned *queue;		/* ring of sessions that wait for their turn */
	struct histogram all, *by_command[256];
	bool is_over;			/* no new message, no new session */
};

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal_number)
{
	(void)signal_number;
	is_interrupted = 1;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

static void make_script(struct load *load)
{
	const struct load_options *options = load->options;
	struct load_step *step = calloc(options->recipients + options->headers + 8, sizeof(*step));

	if (!step)
		err(1, "cannot make the script");
	load->script = step;
	*step++ = (struct load_step){ SMFIC_CONNECT, 0 };
	*step++ = (struct load_step){ SMFIC_HELO, 0 };
	*step++ = (struct load_step){ SMFIC_MAIL, 0 };
	for (unsigned i = 1; i <= options->recipients; i++)
		*step++ = (struct load_step){ SMFIC_RCPT, i };
	*step++ = (struct load_step){ SMFIC_DATA, 0 };
	for (unsigned i = 1; i <= options->headers; i++)
		*step++ = (struct load_step){ SMFIC_HEADER, i };
	*step++ = (struct load_step){ SMFIC_EOH, 0 };
	if (options->body_bytes)
		*step++ = (struct load_step){ SMFIC_BODY, 0 };
	*step++ = (struct load_step){ SMFIC_BODYEOB, 0 };
	load->script_length = (unsigned)(step - load->script);
}

static void log_step(struct load *load, char sign, const struct load_session *session, unsigned message,
		     const struct load_step *step)
{
	if (load->log)
		fprintf(load->log, "%c %llu %u %c %u\n", sign, (unsigned long long)session->number, message,
			step->command, step->index);
}

static void say_header(struct load_session *session, unsigned index)
{
	static const char *const names[] = { "Received", "From", "To", "Subject", "Date", "Message-ID",
					     "MIME-Version", "Content-Type", "X-Mailer", "X-Load" };
	static const char *const values[] = {
		" from client.load.test (client.load.test [192.0.2.7])\n\tby mx.lab.test (Postfix)",
		" Load <load@load.test>", " Recipient <r@load.test>", " a message of the load test",
		" Sat, 21 Nov 2026 10:00:00 +0000", NULL, " 1.0", " text/plain; charset=utf-8", " mtadrive",
		" a further field"
	};
	unsigned which = (index - 1) % (sizeof(names) / sizeof(names[0]));
	char text[MARKER_SIZE];

	snprintf(text, sizeof(text), " <s%u.m%u@load.test>", session->mta.number, session->message);
	mta_header(&session->mta, text_of(names[which]), text_of(values[which] ? values[which] : text));
}

static void say_step(struct load *load, struct load_session *session, const struct load_step *step)
{
	struct mta_session *mta = &session->mta;
	char text[MARKER_SIZE];
	struct text word;

	switch (step->command) {
	case SMFIC_CONNECT:
	case SMFIC_HELO:
		snprintf(text, sizeof(text), "s%llu.load.test", (unsigned long long)session->number);
		if (step->command == SMFIC_HELO)
			mta_helo(mta, text_of(text));
		else
			mta_connect(mta, text_of(text), '4', (uint16_t)(1024 + session->number % 60000),
				    TEXT_LITERAL("192.0.2.7"));
		break;
	case SMFIC_MAIL:
		snprintf(text, sizeof(text), "<s%llu-m%u@load.test>", (unsigned long long)session->number,
			 session->message);
		word = text_of(text);
		mta_mail(mta, &word, 1);
		break;
	case SMFIC_RCPT:
		snprintf(text, sizeof(text), "<s%llu-m%u-r%u@load.test>", (unsigned long long)session->number,
			 session->message, step->index);
		word = text_of(text);
		mta_rcpt(mta, &word, 1);
		break;
	case SMFIC_HEADER:
		say_header(session, step->index);
		break;
	case SMFIC_BODY:
		mta_body(mta, (struct text){ load->body, load->options->body_bytes });
		break;
	default:
		mta_plain(mta, step->command, TEXT_LITERAL(""));
	}
}

static void watch_socket(struct load *load, struct load_session *session, int operation)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = session };

	if (session->mta.out.length)
		event.events |= EPOLLOUT;
	if (epoll_ctl(load->epoll, operation, session->socket, &event) < 0)
		err(1, "cannot watch a session");
}

static void give_out(struct load *load, struct load_session *session, bool was_blocked)
{
	struct wire_bytes *out = &session->mta.out;
	ssize_t length = send(session->socket, out->start, out->length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (length > 0)
		wire_drop(out, (size_t)length);
	else if (length < 0 && errno != EAGAIN && errno != EINTR)
		out->length = 0;	/* the reader finds the end */
	if (was_blocked || out->length)
		watch_socket(load, session, EPOLL_CTL_MOD);
}

static void quit(struct load *load, struct load_session *session)
{
	session->state = LOAD_QUITTING;
	mta_plain(&session->mta, SMFIC_QUIT, TEXT_LITERAL(""));
	give_out(load, session, false);
}

/* Sends the steps up to the next one that is replied. */
static void send_burst(struct load *load, struct load_session *session)
{
	uint64_t due = session->mta.replies_due, events = session->mta.events;
	const struct load_step *step;

	session->burst_begin = session->step;
	session->burst_message = session->message;
	do {
		step = &load->script[session->step++];
		say_step(load, session, step);
	} while (session->mta.replies_due == due);
	session->replies_due = (unsigned)(session->mta.replies_due - due);
	session->awaited = step->command;
	load->events += session->mta.events - events;
	load->paced += session->mta.events - events;
	session->sent_ns = clock_ns();
	give_out(load, session, false);
}

static void send_or_queue(struct load *load, struct load_session *session)
{
	unsigned size = load->options->connections;

	if (!load->options->pace) {
		send_burst(load, session);
		return;
	}
	session->is_queued = true;
	load->queue[(load->queue_begin + load->queue_count++) % size] = (unsigned)(session - load->sessions);
}

/* What comes after a reply: the next burst, the next message, or the end. */
static void go_on(struct load *load, struct load_session *session)
{
	if (session->step == load->script_length) {
		load->messages++;
		session->step = SCRIPT_MAIL;
	}
	if (session->step == SCRIPT_MAIL) {
		bool is_last = session->message >= load->options->messages;

		if (is_last && load->options->hold_seconds > 0 && !load->is_over) {
			session->state = LOAD_HOLDING;
			return;
		}
		if (is_last || load->is_over) {
			quit(load, session);
			return;
		}
		session->message++;
	}
	send_or_queue(load, session);
}

static void close_session(struct load *load, struct load_session *session)
{
	if (session->is_queued) {
		unsigned size = load->options->connections, kept = 0;

		for (unsigned i = 0; i < load->queue_count; i++) {
			unsigned which = load->queue[(load->queue_begin + i) % size];

			if (which != (unsigned)(session - load->sessions))
				load->queue[(load->queue_begin + kept++) % size] = which;
		}
		load->queue_count = kept;
		session->is_queued = false;
	}
	close(session->socket);
	mta_done(&session->mta);
	session->state = LOAD_CLOSED;
	load->open--;
}

/* The milter closed: after QUIT that is the end, else the session was cut. */
static void session_ends(struct load *load, struct load_session *session)
{
	if (session->state == LOAD_QUITTING) {
		load->ended++;
		if (load->log)
			fprintf(load->log, "q %llu\n", (unsigned long long)session->number);
	} else {
		load->cut++;
		if (load->log)
			fprintf(load->log, "x %llu\n", (unsigned long long)session->number);
	}
	if (session->state == LOAD_TALKING && session->replies_due)
		for (unsigned i = session->burst_begin; i < session->step; i++)
			log_step(load, '?', session, session->burst_message, &load->script[i]);
	close_session(load, session);
}

static void take_reply(struct load *load, struct load_session *session, char command, struct text payload)
{
	uint64_t ns = load->now_ns - session->sent_ns;
	struct histogram **histogram = &load->by_command[(unsigned char)session->awaited];

	if (session->state == LOAD_NEGOTIATING && command == SMFIC_OPTNEG &&
	    wire_terms_read(&session->mta.terms, payload) == 0) {
		session->state = LOAD_TALKING;
		go_on(load, session);
		return;
	}
	if (command != SMFIR_CONTINUE || session->state != LOAD_TALKING || session->replies_due == 0) {
		load->wrong++;
		return;
	}
	load->replies++;
	if (!*histogram && !(*histogram = calloc(1, sizeof(**histogram))))
		err(1, "cannot count");
	histogram_add(*histogram, ns);
	histogram_add(&load->all, ns);
	if (--session->replies_due)
		return;
	for (unsigned i = session->burst_begin; i < session->step; i++)
		log_step(load, '+', session, session->burst_message, &load->script[i]);
	go_on(load, session);
}

static void take_in(struct load *load, struct load_session *session)
{
	char bytes[4096], command;
	struct text payload;
	size_t size;
	ssize_t length = recv(session->socket, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		session_ends(load, session);
		return;
	}
	load->now_ns = clock_ns();
	wire_add(&session->mta.in, bytes, (size_t)length);
	while (wire_frame_peek(&session->mta.in, &command, &payload, &size) > 0) {
		take_reply(load, session, command, payload);
		wire_drop(&session->mta.in, size);
	}
}

/* 0, or why it cannot be opened now. */
static int open_session(struct load *load, struct load_session *session)
{
	int fd = wire_connect(load->options->socket);

	if (fd < 0)
		return fd;
	*session = (struct load_session){ .socket = fd, .state = LOAD_NEGOTIATING,
					  .number = load->options->first_number + load->begun };
	mta_init(&session->mta, MTA_POSTFIX, (unsigned)session->number);
	wire_offer(&session->mta.out, WIRE_VERSION, WIRE_ACTIONS, WIRE_STEPS);
	session->sent_ns = clock_ns();
	load->begun++;
	load->open++;
	watch_socket(load, session, EPOLL_CTL_ADD);
	give_out(load, session, true);
	return 0;
}

/* Opens what is to be open; a milter that is not there is tried again for a while. */
static void open_sessions(struct load *load)
{
	int error = 0;

	if (load->is_over || load->now_ns < load->retry_ns)
		return;
	for (unsigned i = 0; i < load->options->connections && load->begun < load->options->sessions; i++) {
		if (load->sessions[i].state != LOAD_CLOSED)
			continue;
		error = open_session(load, &load->sessions[i]);
		if (error)
			break;
		load->missing_since_ns = 0;
	}
	if (!error)
		return;
	load->retry_ns = load->now_ns + RETRY_NS;
	if (error == -EAGAIN)
		return;
	load->refused++;
	if (!load->missing_since_ns)
		load->missing_since_ns = load->now_ns;
	if ((double)(load->now_ns - load->missing_since_ns) >= load->options->wait_seconds * (double)NS)
		load->is_over = true;
}

/* Lets those go whose turn has come; returns how long until the next one, 0: nobody waits. */
static uint64_t run_queue(struct load *load)
{
	while (load->queue_count) {
		uint64_t due_ns = load->begin_ns + load->paced * NS / load->options->pace;
		struct load_session *session;

		load->now_ns = clock_ns();
		if (due_ns > load->now_ns)
			return due_ns - load->now_ns;
		session = &load->sessions[load->queue[load->queue_begin]];
		load->queue_begin = (load->queue_begin + 1) % load->options->connections;
		load->queue_count--;
		session->is_queued = false;
		send_burst(load, session);
	}
	return 0;
}

static void end_holding(struct load *load)
{
	for (unsigned i = 0; i < load->options->connections; i++)
		if (load->sessions[i].state == LOAD_HOLDING)
			quit(load, &load->sessions[i]);
}

static void run(struct load *load)
{
	const struct load_options *options = load->options;
	struct epoll_event events[EVENTS];

	for (;;) {
		uint64_t wait_ns = run_queue(load);
		struct timespec wait = { .tv_nsec = 5000000 };
		double elapsed;
		int count;

		load->now_ns = clock_ns();
		elapsed = (double)(load->now_ns - load->begin_ns) / (double)NS;
		if (is_interrupted || (options->seconds > 0 && elapsed >= options->seconds))
			load->is_over = true;
		if (load->is_over || (options->hold_seconds > 0 && elapsed >= options->hold_seconds))
			end_holding(load);
		open_sessions(load);
		if (load->open == 0 && (load->is_over || load->begun >= options->sessions))
			return;
		if (wait_ns && wait_ns < (uint64_t)wait.tv_nsec)
			wait.tv_nsec = (long)wait_ns;
		count = epoll_pwait2(load->epoll, events, EVENTS, &wait, NULL);
		if (count < 0 && errno != EINTR)
			err(1, "cannot wait");
		for (int i = 0; i < count; i++) {
			struct load_session *session = events[i].data.ptr;

			if (events[i].events & EPOLLOUT)
				give_out(load, session, true);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				take_in(load, session);
		}
	}
}

static void report_times(const char *name, const struct histogram *histogram)
{
	printf("%s %llu p50 %.1f p99 %.1f p99.9 %.1f max %.1f us\n", name, (unsigned long long)histogram->count,
	       (double)histogram_quantile(histogram, 0.5) / 1e3, (double)histogram_quantile(histogram, 0.99) / 1e3,
	       (double)histogram_quantile(histogram, 0.999) / 1e3, (double)histogram->highest / 1e3);
}

static void report(struct load *load)
{
	double seconds = (double)(clock_ns() - load->begin_ns) / (double)NS;
	const struct { const char *name; uint64_t value; } counts[] = {
		{ "sessions_begun", load->begun }, { "sessions_ended", load->ended },
		{ "sessions_cut", load->cut }, { "connects_refused", load->refused },
		{ "messages", load->messages }, { "events", load->events },
		{ "replies", load->replies }, { "wrong_replies", load->wrong },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		printf("%s %llu\n", counts[i].name, (unsigned long long)counts[i].value);
	printf("seconds %.6f\nevents_per_second %.0f\nmessages_per_second %.0f\n", seconds,
	       (double)load->events / seconds, (double)load->messages / seconds);
	report_times("replies_all", &load->all);
	for (unsigned i = 0; i < 256; i++)
		if (load->by_command[i])
			report_times((char[]){ 'r', 'e', 'p', 'l', 'i', 'e', 's', '_', (char)i, '\0' },
				     load->by_command[i]);
}

static void make_body(struct load *load)
{
	static const char line[] = "The quick brown fox jumps over the lazy dog; 0123456789, and again.\r\n";

	load->body = malloc(load->options->body_bytes + 1u);
	if (!load->body)
		err(1, "cannot make the body");
	for (unsigned i = 0; i < load->options->body_bytes; i++)
		load->body[i] = line[i % (sizeof(line) - 1)];
}

int load(const struct load_options *given)
{
	struct load_options options = *given;
	struct load load = { .options = &options };
	int status;

	if (options.sessions == 0)
		options.sessions = options.connections;
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	load.sessions = calloc(options.connections, sizeof(*load.sessions));
	load.queue = calloc(options.connections, sizeof(*load.queue));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.sessions || !load.queue || load.epoll < 0)
		err(1, "cannot begin");
	if (options.events_log && !(load.log = fopen(options.events_log, "we")))
		err(1, "cannot write '%s'", options.events_log);
	make_script(&load);
	make_body(&load);
	load.begin_ns = load.now_ns = clock_ns();
	run(&load);
	report(&load);
	status = load.wrong ? 1 : load.begun == 0 ? 2 : 0;
	if (load.log && fclose(load.log) != 0)
		err(1, "cannot write '%s'", options.events_log);
	for (unsigned i = 0; i < 256; i++)
		free(load.by_command[i]);
	close(load.epoll);
	free(load.sessions);
	free(load.queue);
	free(load.script);
	free(load.body);
	return status;
}
