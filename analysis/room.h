/*
 * room.h - bytes that grow by doubling.
 *
 * Errors: false: no memory, and they are as they were.
 */
#ifndef SMTPTRAIL_ROOM_H
#define SMTPTRAIL_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* Room for so many; *size: how many there is room for, 0 at first; first, not 0: how many then, or more. */
static inline bool room_for(unsigned char **bytes, size_t *size, size_t wanted, size_t first)
{
	size_t larger_size = *size ? *size : first;
	unsigned char *larger;

	if (wanted <= *size)
		return true;
	while (larger_size < wanted)
		larger_size *= 2;
	larger = realloc(*bytes, larger_size);
	if (!larger)
		return false;
	*bytes = larger;
	*size = larger_size;
	return true;
}

#endif
