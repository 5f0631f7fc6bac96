/* doctor_redis.c - whether Redis answers, has the records' streams, and is of the same time. */
#include "analysis/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analysis/input.h"
#include "analysis/stream_position.h"
#include "common/redis_link.h"

enum { SECOND = 1000000, SKEW_SECONDS = 2 };

static void check_time(struct doctor *doctor, struct redis_link *link)
{
	const struct text words[] = { TEXT_LITERAL("TIME") };
	struct problem problem;
	struct redis_reply reply;
	uint64_t theirs, ours = (uint64_t)time(NULL), apart;

	if (redis_link_command(link, 1, words, &reply, &problem) != REDIS_OK || !input_number(redis_reply_at(&reply, 0).text, &theirs))
		return;
	apart = theirs > ours ? theirs - ours : ours - theirs;
	if (apart > SKEW_SECONDS)
		doctor_say(doctor, DOCTOR_WARNING, "clock", "synchronize the clocks of both machines", "Redis' clock is %" PRIu64 " s apart from this one",
			   apart);
}

static void check_stream(struct doctor *doctor, struct redis_link *link, unsigned partition)
{
	struct stream_position position;
	struct problem problem = { "" };
	uint64_t length = 0;

	stream_position_init(&position, doctor->config->stream_prefix, partition);
	if (stream_position_length(&position, link, &length, &problem) != REDIS_OK)
		doctor_say(doctor, DOCTOR_ERROR, "redis", "see conf/redis-acl.example for the rights that a reader needs", "%s: %s", position.key,
			   problem.text);
	else if (length == 0)
		doctor_say(doctor, DOCTOR_WARNING, "redis", "send a mail; smtptrail status says whether the milter ships, and stream_prefix must be that of the milter",
			   "%s holds no records", position.key);
	else
		doctor_say(doctor, DOCTOR_OK, "redis", "", "%s holds %" PRIu64 " records", position.key, length);
}

void doctor_check_redis(struct doctor *doctor)
{
	const struct config *config = doctor->config;
	struct redis_options options;
	struct redis_link *link;
	struct problem problem = { "" };

	options = redis_conf_options(&config->redis);
	link = redis_link_new(&options);
	if (!link)
		return;
	if (redis_link_open(link, &problem) != REDIS_OK) {
		doctor_say(doctor, DOCTOR_ERROR, "redis", "is it running, and do redis_address, user and password lead to it?", "%s", problem.text);
	} else {
		check_time(doctor, link);
		for (unsigned i = 0; i < config->partitions; i++)
			check_stream(doctor, link, i);
	}
	redis_link_free(link);
}
