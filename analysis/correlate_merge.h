/*
 * correlate_merge.h - the part of correlate_files.h that reads several inputs side by side. For correlate_files.c alone.
 */
#ifndef SMTPTRAIL_CORRELATE_MERGE_H
#define SMTPTRAIL_CORRELATE_MERGE_H

#include "analysis/correlate_files.h"

/* Whether a file is one of records: its first line tells. */
bool correlate_merge_is_records(const char *path);
/* The files, sorted already. 0 or -ENOMEM. */
int correlate_merge_read(struct correlate_files *files, char **paths, size_t path_count);

/* A line to whoever looks at it, and to the join. */
void correlate_files_line(struct correlate_files *files, const struct event *event, enum format_result result, uint16_t source);
/* Says that a file could not be read, and counts it. */
void correlate_files_unreadable(struct correlate_files *files, const char *words);

#endif
