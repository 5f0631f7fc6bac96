/* redis_slot.c - which slot of a cluster a key lies in. */
#include "redis_slot.h"

/* CRC-16/XMODEM: x^16 + x^12 + x^5 + 1, not reflected, from 0. Keys are short and this runs once a batch. */
static unsigned crc16(struct text text)
{
	unsigned crc = 0;

	for (size_t i = 0; i < text.length; i++) {
		crc ^= (unsigned)(unsigned char)text.start[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	return crc;
}

unsigned redis_slot(struct text key)
{
	const char *open = key.length ? memchr(key.start, '{', key.length) : NULL;
	size_t rest = open ? key.length - (size_t)(open + 1 - key.start) : 0;
	const char *close = rest ? memchr(open + 1, '}', rest) : NULL;

	/* Empty braces are part of the key as any other bytes. */
	if (close && close > open + 1)
		key = (struct text){ open + 1, (size_t)(close - open - 1) };
	return crc16(key) % REDIS_SLOTS;
}
