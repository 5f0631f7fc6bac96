/*
 * story_show.h - stories as a person reads them, and as JSON.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_STORY_SHOW_H
#define SMTPTRAIL_STORY_SHOW_H

#include "analysis/story_raw.h"

struct story_show {
	FILE *out;
	const struct source_table *sources;
	bool shows_evidence;
	const struct story_raw *raw;	/* NULL: it is not asked for */
};

/* 0 or -ENOMEM. */
int story_show_text(const struct story_show *show, const struct story *story);
/* One object. */
int story_show_json(const struct story_show *show, const struct story *story);

#endif
