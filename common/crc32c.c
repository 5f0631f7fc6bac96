/* crc32c.c - CRC-32C by instruction or table. */
#include "crc32c.h"

#include <string.h>
#ifdef __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#define POLYNOMIAL UINT32_C(0x82f63b78)		/* bits reversed */

static uint32_t table[256];
static uint32_t (*chosen)(uint32_t crc, const void *bytes, size_t length) = crc32c_by_table;

uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	crc = ~crc;
	while (length--)
		crc = crc >> 8 ^ table[(crc ^ *byte++) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static uint32_t by_instruction(uint32_t crc, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;
	uint64_t wide = (uint32_t)~crc;

	for (; length >= 8; length -= 8, byte += 8) {
		uint64_t word;

		memcpy(&word, byte, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	while (length--)
		crc = __builtin_ia32_crc32qi(crc, *byte++);
	return ~crc;
}

static int has_instruction(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
static uint32_t by_instruction(uint32_t crc, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	crc = ~crc;
	for (; length >= 8; length -= 8, byte += 8) {
		uint64_t word;

		memcpy(&word, byte, 8);
		__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
	}
	while (length--) {
		uint32_t value = *byte++;

		__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(value));
	}
	return ~crc;
}

static int has_instruction(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#else
#define by_instruction crc32c_by_table
static int has_instruction(void)
{
	return 0;
}
#endif

/* Before main, so that no thread ever sees it half done. */
__attribute__((constructor))
static void choose(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
	if (has_instruction())
		chosen = by_instruction;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length)
{
	return chosen(crc, bytes, length);
}
