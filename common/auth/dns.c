/* dns.c - questions and answers: what is common to everything that answers. */
#include "common/auth/dns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/auth/domain.h"
#include "common/clock.h"

/* How long dns_await goes on after the deadline before it believes that no answer comes. */
#define AWAIT_GRACE_US 1000000

struct answer_box {
	atomic_uint holders;		/* 0: one of the fixed answers */
	size_t bytes;
	struct dns_answer answer;	/* and behind it the items and their bytes */
};

#define FIXED(reason, words) [DNS_FIXED_##reason] = { .answer = { .status = DNS_TEMPORARY, .error = (words) } }
static struct answer_box fixed_answers[] = {
	[DNS_FIXED_BAD_NAME] = { .answer = { .status = DNS_BAD_NAME, .error = "no name that can be asked for" } },
	FIXED(DEADLINE, "no answer in time"),
	FIXED(STOPS, "the resolver stops"),
	FIXED(IN_FLIGHT, "too many questions in flight"),
	FIXED(QUESTIONS, "too many questions for one message"),
	FIXED(TOO_BIG, "answer too big"),
	FIXED(MEMORY, "no memory"),
};

uint64_t dns_now_us(void)
{
	return clock_steady_us();
}

const char *dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_PTR: return "PTR";
	case DNS_MX: return "MX";
	case DNS_TXT: return "TXT";
	case DNS_AAAA: return "AAAA";
	}
	return "?";
}

const char *dns_status_name(enum dns_status status)
{
	switch (status) {
	case DNS_DATA: return "data";
	case DNS_NO_DATA: return "no data";
	case DNS_NO_NAME: return "no such name";
	case DNS_BAD_NAME: return "bad name";
	case DNS_TEMPORARY: return "temporary failure";
	case DNS_BOGUS: return "bogus";
	}
	return "?";
}

void dns_job_init(struct dns_job *job, uint64_t time_us, unsigned questions)
{
	*job = (struct dns_job){ .deadline_us = dns_now_us() + time_us, .questions_left = questions };
}

static struct answer_box *box_of(const struct dns_answer *answer)
{
	return (struct answer_box *)((char *)(uintptr_t)answer - offsetof(struct answer_box, answer));
}

struct dns_answer *dns_answer_new(enum dns_status status, enum dns_type type, size_t count,
				  const struct dns_item *items, const char *error)
{
	size_t error_size = error ? strlen(error) + 1 : 0;
	size_t bytes = sizeof(struct answer_box) + count * sizeof items[0] + error_size;

	for (size_t i = 0; i < count; i++)
		bytes += items[i].data.length;
	struct answer_box *box = calloc(1, bytes);

	if (!box)
		return NULL;
	struct dns_item *copies = (struct dns_item *)(box + 1);
	char *end = (char *)(copies + count);

	for (size_t i = 0; i < count; i++) {
		copies[i] = items[i];
		copies[i].data.start = end;
		if (items[i].data.length > 0)
			memcpy(end, items[i].data.start, items[i].data.length);
		end += items[i].data.length;
	}
	if (error)
		memcpy(end, error, error_size);
	atomic_init(&box->holders, 1);
	box->bytes = bytes;
	box->answer = (struct dns_answer){
		.status = status, .type = type, .error = error ? end : NULL, .count = count, .items = copies,
	};
	return &box->answer;
}

const struct dns_answer *dns_answer_fixed(enum dns_fixed which)
{
	return &fixed_answers[which].answer;
}

const struct dns_answer *dns_answer_share(const struct dns_answer *answer)
{
	struct answer_box *box = box_of(answer);

	if (box->bytes > 0)
		atomic_fetch_add_explicit(&box->holders, 1, memory_order_relaxed);
	return answer;
}

void dns_answer_free(const struct dns_answer *answer)
{
	if (!answer)
		return;
	struct answer_box *box = box_of(answer);

	if (box->bytes > 0 && atomic_fetch_sub_explicit(&box->holders, 1, memory_order_acq_rel) == 1)
		free(box);
}

size_t dns_answer_bytes(const struct dns_answer *answer)
{
	return box_of(answer)->bytes;
}

void dns_ask(struct dns *dns, const struct dns_question *question)
{
	if (domain_is_askable(question->name))
		dns->methods->ask(dns, question);
	else
		question->answered(question->context, dns_answer_fixed(DNS_FIXED_BAD_NAME));
}

/* Held by the one who awaits and by the one who answers; the last of them frees it. */
struct dns_future {
	uint64_t deadline_us;
	pthread_mutex_t lock;		/* guards the three below */
	pthread_cond_t answered;
	unsigned holders;
	const struct dns_answer *answer;
};

/* Stands for a future that there was no memory for. */
static struct dns_future no_future;

static struct dns_future *future_new(uint64_t deadline_us)
{
	struct dns_future *future = calloc(1, sizeof *future);
	pthread_condattr_t attributes;

	if (!future)
		return &no_future;
	pthread_mutex_init(&future->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&future->answered, &attributes);
	pthread_condattr_destroy(&attributes);
	future->deadline_us = deadline_us;
	future->holders = 2;
	return future;
}

/* Gives up one hold; the lock is held on entry and not on return. */
static void future_let_go(struct dns_future *future)
{
	bool is_last = --future->holders == 0;

	pthread_mutex_unlock(&future->lock);
	if (!is_last)
		return;
	dns_answer_free(future->answer);
	pthread_cond_destroy(&future->answered);
	pthread_mutex_destroy(&future->lock);
	free(future);
}

static void future_answered(void *context, const struct dns_answer *answer)
{
	struct dns_future *future = context;

	pthread_mutex_lock(&future->lock);
	future->answer = answer;
	pthread_cond_signal(&future->answered);
	future_let_go(future);
}

static struct dns_future *ask_for(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type)
{
	struct dns_future *future = future_new(job->deadline_us);

	if (future == &no_future)
		return future;
	if (job->questions_left == 0) {
		future_answered(future, dns_answer_fixed(DNS_FIXED_QUESTIONS));
	} else if (dns_now_us() >= job->deadline_us) {
		future_answered(future, dns_answer_fixed(DNS_FIXED_DEADLINE));
	} else {
		job->questions_left--;
		job->questions++;
		dns_ask(dns, &(struct dns_question){ name, type, job->deadline_us, future_answered, future });
	}
	return future;
}

/* NULL: it was not asked in advance, or has been taken. */
static struct dns_advance *find_advance(struct dns_job *job, struct text name, enum dns_type type)
{
	for (unsigned i = 0; i < job->advance_count; i++) {
		struct dns_advance *advance = &job->advances[i];

		if (advance->future && advance->type == type && text_equal_nocase(text_of(advance->name), name))
			return advance;
	}
	return NULL;
}

void dns_advance(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type)
{
	struct dns_advance *advance = &job->advances[job->advance_count];

	if (job->advance_count == DNS_ADVANCES_MAX || name.length >= sizeof advance->name ||
	    find_advance(job, name, type))
		return;
	job->advance_count++;
	*advance = (struct dns_advance){ .future = ask_for(dns, job, name, type), .type = type };
	memcpy(advance->name, name.start, name.length);
}

struct dns_future *dns_begin(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type)
{
	struct dns_advance *advance = find_advance(job, name, type);

	if (!advance)
		return ask_for(dns, job, name, type);
	struct dns_future *future = advance->future;

	advance->future = NULL;
	return future;
}

static void future_forget(struct dns_future *future)
{
	if (future == &no_future)
		return;
	pthread_mutex_lock(&future->lock);
	future_let_go(future);
}

void dns_job_done(struct dns_job *job)
{
	for (unsigned i = 0; i < job->advance_count; i++)
		if (job->advances[i].future)
			future_forget(job->advances[i].future);
	job->advance_count = 0;
}

const struct dns_answer *dns_await(struct dns_future *future)
{
	if (future == &no_future)
		return dns_answer_fixed(DNS_FIXED_MEMORY);
	uint64_t until_us = future->deadline_us + AWAIT_GRACE_US;
	struct timespec until = { (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };
	int error = 0;

	pthread_mutex_lock(&future->lock);
	while (!future->answer && !error)
		error = pthread_cond_timedwait(&future->answered, &future->lock, &until);
	const struct dns_answer *answer = future->answer ? future->answer : dns_answer_fixed(DNS_FIXED_DEADLINE);

	future->answer = future->answer ? NULL : future->answer;
	future_let_go(future);
	return answer;
}

const struct dns_answer *dns_lookup(struct dns *dns, struct dns_job *job, struct text name, enum dns_type type)
{
	return dns_await(dns_begin(dns, job, name, type));
}

struct tracer {
	struct dns dns;
	struct dns *traced;
	dns_tell *tell;
	void *context;
};

struct traced_question {
	struct tracer *tracer;
	struct dns_question question;	/* its name is the one below */
	uint64_t asked_us;
	char name[];
};

static void tracer_answered(void *context, const struct dns_answer *answer)
{
	struct traced_question *traced = context;
	const struct tracer *tracer = traced->tracer;
	const struct dns_question *question = &traced->question;

	tracer->tell(tracer->context, question, answer, dns_now_us() - traced->asked_us);
	question->answered(question->context, answer);
	free(traced);
}

static void tracer_ask(struct dns *dns, const struct dns_question *question)
{
	struct tracer *tracer = (struct tracer *)dns;
	struct traced_question *traced = malloc(sizeof *traced + question->name.length);

	if (!traced) {
		question->answered(question->context, dns_answer_fixed(DNS_FIXED_MEMORY));
		return;
	}
	*traced = (struct traced_question){ tracer, *question, dns_now_us() };
	memcpy(traced->name, question->name.start, question->name.length);
	traced->question.name.start = traced->name;

	struct dns_question asked = traced->question;

	asked.answered = tracer_answered;
	asked.context = traced;
	dns_ask(tracer->traced, &asked);
}

struct dns *dns_tracer_new(struct dns *traced, dns_tell *tell, void *context)
{
	static const struct dns_methods methods = { .ask = tracer_ask };
	struct tracer *tracer = malloc(sizeof *tracer);

	if (!tracer)
		return NULL;
	*tracer = (struct tracer){ { &methods }, traced, tell, context };
	return &tracer->dns;
}

void dns_tracer_free(struct dns *tracer)
{
	free(tracer);
}
