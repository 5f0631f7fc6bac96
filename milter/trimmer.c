/* trimmer.c - when the stream is trimmed, and what is said about it. */
#include "trimmer.h"

#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"

enum {
	RECORDS_BETWEEN = 4096,
	BUSY_US = 1000000,
	IDLE_US = 5000000,
	FAILED_US = 60000000,
};

static bool is_due(const struct trimmer *trimmer, uint64_t now_us)
{
	uint64_t passed_us = now_us - trimmer->trimmed_us;

	if (trimmer->is_failing)
		return passed_us >= FAILED_US;
	return trimmer->trimmed_us == 0 || trimmer->appended >= RECORDS_BETWEEN ||
	       passed_us >= (trimmer->appended ? BUSY_US : IDLE_US);
}

static void say_overtaking(struct trimmer *trimmer)
{
	bool is_overtaking = trimmer->last.overtaken > 0;

	if (is_overtaking && !trimmer->is_overtaking)
		log_error("%sthe stream is at its stream_hard_length of %" PRIu64 ": %" PRIu64 " records went that reader '%s' has not"
			  " done with, and more will; a gap record says how many", trimmer->name, trimmer->rule.hard_length,
			  trimmer->last.overtaken, trimmer->last.slowest);
	/* Over only once it is below by so much that the next trim does not begin it again. */
	if (!is_overtaking && trimmer->is_overtaking &&
	    trimmer->last.length >= trimmer->rule.hard_length - trimmer->rule.hard_length / 16)
		return;
	if (!is_overtaking && trimmer->is_overtaking)
		log_info("%sthe stream is below its stream_hard_length again; no reader is overtaken", trimmer->name);
	trimmer->is_overtaking = is_overtaking;
}

static void say_uncounted(struct trimmer *trimmer)
{
	bool is_uncounted = trimmer->last.uncounted.text[0] != '\0';

	if (is_uncounted && !trimmer->is_uncounted)
		log_warning("%sredis cannot count what was trimmed before it was read: %s; the gap records say it all the same",
			    trimmer->name, trimmer->last.uncounted.text);
	if (trimmer->last.overtaken)
		trimmer->is_uncounted = is_uncounted;
}

bool trimmer_turn(struct trimmer *trimmer, struct redis_link *link, const struct stream_names *names, uint64_t count)
{
	uint64_t now_us = clock_steady_us();
	struct problem problem = { "" };

	trimmer->appended += count;
	if (!is_due(trimmer, now_us))
		return false;
	trimmer->trimmed_us = now_us;
	trimmer->appended = 0;
	if (stream_trim(link, names, &trimmer->rule, &trimmer->last, &problem) != REDIS_OK) {
		trimmer->failed++;
		if (!trimmer->is_failing)
			log_warning("%scannot trim the stream: %s; records go in all the same, tried again each minute", trimmer->name,
				    problem.text);
		trimmer->is_failing = true;
		return false;
	}
	if (trimmer->is_failing)
		log_info("%sthe stream can be trimmed again", trimmer->name);
	trimmer->is_failing = false;
	trimmer->trimmed += trimmer->last.trimmed;
	trimmer->overtaken += trimmer->last.overtaken;
	/* There may be more than one call takes. */
	if (trimmer->last.trimmed >= STREAM_TRIM_MAX / 2)
		trimmer->appended = RECORDS_BETWEEN;
	say_overtaking(trimmer);
	say_uncounted(trimmer);
	return true;
}
