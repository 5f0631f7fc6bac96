/*
 * crc32c.h - CRC-32C (Castagnoli), by the processor's own instruction where it has one.
 *
 * Threads: any.  Memory, errors: none.
 */
#ifndef SMTPTRAIL_CRC32C_H
#define SMTPTRAIL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what crc is the checksum of (0: nothing yet), followed by these bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t length);
/* The same by table, on every processor; for tests. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t length);

#endif
