/*
 * decompress.h - bytes of a stream that may be compressed: gz, bz2, xz, zst, plain.
 *
 * Several compressed members one behind the other are one stream. Each library is included by decompress.c only.
 *
 * Threads: one owner at a time.
 * Memory:  what the library takes; xz and zst refuse streams that would need more than DECOMPRESS_MEMORY_MAX.
 */
#ifndef SMTPTRAIL_DECOMPRESS_H
#define SMTPTRAIL_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DECOMPRESS_MEMORY_MAX = 72 * 1024 * 1024 };

struct decompress;

/* Reads from fd, which stays the caller's. 0 or -errno. */
int decompress_new(struct decompress **ret, int fd);
void decompress_free(struct decompress *stream);

/* Bytes read, 0 at the end; -EBADMSG: damaged or cut off; -ENOTSUP: not in this build; -errno. */
ssize_t decompress_read(struct decompress *stream, char *buffer, size_t size);

#endif
