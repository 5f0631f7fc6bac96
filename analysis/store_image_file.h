/*
 * store_image_file.h - images that are too large for a row of current.db: each in a file of the store's directory until what it
 * has is in its days.
 *
 * A database would write such bytes twice, and read them once more to drop them. current.db says which files count: a
 * file is there, whole and on the disk, before the commit that names it, and goes behind the one that drops it.
 *
 * Threads: any; no state.
 * Errors:  -errno with the problem in words; -EBADMSG: damaged.
 */
#ifndef SMTPTRAIL_STORE_IMAGE_FILE_H
#define SMTPTRAIL_STORE_IMAGE_FILE_H

#include "analysis/store_image.h"
#include "common/problem.h"

/* On the disk, mode 0640; one of that number that was there does not count, and is written over. */
int store_image_file_write(const char *directory, uint64_t number, const struct store_image *image, struct problem *problem);
/* Each of its chunks, aligned as by malloc and lent for the call; STORE_IMAGE_DAMAGED: it is of no use. */
typedef int store_image_take(void *context, unsigned char *bytes, size_t length, struct problem *problem);
int store_image_file_read(const char *directory, uint64_t number, store_image_take *take, void *context, struct problem *problem);
/* Deletes all files of images whose number is not from first to last. 0, or the first -errno. */
int store_image_file_sweep(const char *directory, uint64_t first, uint64_t last);

#endif
