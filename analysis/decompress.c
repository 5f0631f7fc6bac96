/* decompress.c - one loop over four libraries; a row of a table each. */
#include "analysis/decompress.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

enum { INPUT_SIZE = 64 * 1024, MAGIC_MAX = 6, ZSTD_WINDOW_LOG_MAX = 26 };

/* What one step did. */
enum step { STEP_MORE, STEP_MEMBER_END, STEP_BAD, STEP_NO_MEMORY };

struct method {
	const char *name;
	const char *magic;
	size_t magic_length;
	int (*start)(struct decompress *stream);
	enum step (*step)(struct decompress *stream);
	void (*stop)(struct decompress *stream);
};

struct decompress {
	int fd;
	const struct method *method;
	bool has_ended;			/* nothing more in the file */
	bool in_member;
	unsigned char input[INPUT_SIZE];
	const unsigned char *at;
	size_t left;
	unsigned char *out;
	size_t room;
	z_stream gz;
#ifdef HAVE_BZIP2
	bz_stream bz;
#endif
#ifdef HAVE_LZMA
	lzma_stream xz;
#endif
#ifdef HAVE_ZSTD
	ZSTD_DStream *zstd;
#endif
};

static int start_gz(struct decompress *stream)
{
	memset(&stream->gz, 0, sizeof stream->gz);
	return inflateInit2(&stream->gz, 15 + 16) == Z_OK ? 0 : -ENOMEM;
}

static enum step step_gz(struct decompress *stream)
{
	z_stream *z = &stream->gz;
	int result;

	z->next_in = (z_const Bytef *)(uintptr_t)stream->at;
	z->avail_in = (uInt)stream->left;
	z->next_out = stream->out;
	z->avail_out = (uInt)stream->room;
	result = inflate(z, Z_NO_FLUSH);
	stream->at = z->next_in;
	stream->left = z->avail_in;
	stream->out = z->next_out;
	stream->room = z->avail_out;
	if (result == Z_STREAM_END)
		return STEP_MEMBER_END;
	return result == Z_OK || result == Z_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static void stop_gz(struct decompress *stream)
{
	inflateEnd(&stream->gz);
}

#ifdef HAVE_BZIP2
static int start_bz2(struct decompress *stream)
{
	memset(&stream->bz, 0, sizeof stream->bz);
	return BZ2_bzDecompressInit(&stream->bz, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

static enum step step_bz2(struct decompress *stream)
{
	bz_stream *z = &stream->bz;
	int result;

	z->next_in = (char *)(uintptr_t)stream->at;
	z->avail_in = (unsigned)stream->left;
	z->next_out = (char *)stream->out;
	z->avail_out = (unsigned)stream->room;
	result = BZ2_bzDecompress(z);
	stream->at = (const unsigned char *)z->next_in;
	stream->left = z->avail_in;
	stream->out = (unsigned char *)z->next_out;
	stream->room = z->avail_out;
	if (result == BZ_STREAM_END)
		return STEP_MEMBER_END;
	return result == BZ_OK ? STEP_MORE : STEP_BAD;
}

static void stop_bz2(struct decompress *stream)
{
	BZ2_bzDecompressEnd(&stream->bz);
}
#endif

#ifdef HAVE_LZMA
static int start_xz(struct decompress *stream)
{
	stream->xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&stream->xz, DECOMPRESS_MEMORY_MAX, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static enum step step_xz(struct decompress *stream)
{
	lzma_stream *z = &stream->xz;
	lzma_ret result;

	z->next_in = stream->at;
	z->avail_in = stream->left;
	z->next_out = stream->out;
	z->avail_out = stream->room;
	result = lzma_code(z, LZMA_RUN);
	stream->at = z->next_in;
	stream->left = z->avail_in;
	stream->out = z->next_out;
	stream->room = z->avail_out;
	if (result == LZMA_STREAM_END)
		return STEP_MEMBER_END;
	if (result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR)
		return STEP_NO_MEMORY;
	return result == LZMA_OK || result == LZMA_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static void stop_xz(struct decompress *stream)
{
	lzma_end(&stream->xz);
}
#endif

#ifdef HAVE_ZSTD
static int start_zst(struct decompress *stream)
{
	stream->zstd = ZSTD_createDStream();
	if (!stream->zstd)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(stream->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	return 0;
}

static enum step step_zst(struct decompress *stream)
{
	ZSTD_inBuffer in = { stream->at, stream->left, 0 };
	ZSTD_outBuffer out = { stream->out, stream->room, 0 };
	size_t result = ZSTD_decompressStream(stream->zstd, &out, &in);

	stream->at += in.pos;
	stream->left -= in.pos;
	stream->out += out.pos;
	stream->room -= out.pos;
	if (ZSTD_isError(result))
		return STEP_BAD;
	return result == 0 ? STEP_MEMBER_END : STEP_MORE;
}

static void stop_zst(struct decompress *stream)
{
	ZSTD_freeDStream(stream->zstd);
	stream->zstd = NULL;
}
#endif

/* A method without its functions is known but not in this build. */
static const struct method methods[] = {
	{ "gz", "\x1f\x8b", 2, start_gz, step_gz, stop_gz },
#ifdef HAVE_BZIP2
	{ "bz2", "BZh", 3, start_bz2, step_bz2, stop_bz2 },
#else
	{ .name = "bz2", .magic = "BZh", .magic_length = 3 },
#endif
#ifdef HAVE_LZMA
	{ "xz", "\xfd" "7zXZ\0", 6, start_xz, step_xz, stop_xz },
#else
	{ .name = "xz", .magic = "\xfd" "7zXZ\0", .magic_length = 6 },
#endif
#ifdef HAVE_ZSTD
	{ "zst", "\x28\xb5\x2f\xfd", 4, start_zst, step_zst, stop_zst },
#else
	{ .name = "zst", .magic = "\x28\xb5\x2f\xfd", .magic_length = 4 },
#endif
};

/* Reads on into the input; what is left of it moves to its start. */
static int fill(struct decompress *stream)
{
	ssize_t got;

	memmove(stream->input, stream->at, stream->left);
	stream->at = stream->input;
	do
		got = read(stream->fd, stream->input + stream->left, sizeof stream->input - stream->left);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	stream->has_ended = got == 0;
	stream->left += (size_t)got;
	return 0;
}

static const struct method *method_of(const struct decompress *stream)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (stream->left >= methods[i].magic_length &&
		    memcmp(stream->at, methods[i].magic, methods[i].magic_length) == 0)
			return &methods[i];
	return NULL;
}

int decompress_new(struct decompress **ret, int fd)
{
	struct decompress *stream = calloc(1, sizeof *stream);
	int error = 0;

	if (!stream)
		return -ENOMEM;
	stream->fd = fd;
	stream->at = stream->input;
	while (!error && !stream->has_ended && stream->left < MAGIC_MAX)
		error = fill(stream);
	if (!error) {
		stream->method = method_of(stream);
		if (stream->method && !stream->method->start)
			error = -ENOTSUP;
	}
	if (error) {
		decompress_free(stream);
		return error;
	}
	*ret = stream;
	return 0;
}

void decompress_free(struct decompress *stream)
{
	if (stream && stream->in_member)
		stream->method->stop(stream);
	free(stream);
}

static ssize_t read_plain(struct decompress *stream, char *buffer, size_t size)
{
	ssize_t got;

	if (stream->left) {
		size_t part = stream->left < size ? stream->left : size;

		memcpy(buffer, stream->at, part);
		stream->at += part;
		stream->left -= part;
		return (ssize_t)part;
	}
	do
		got = read(stream->fd, buffer, size);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Starts the next member. 1: started; 0: there is none. What stands behind the last one and is
 * no member (some pad with zeros) is left, as gzip does. */
static int begin_member(struct decompress *stream)
{
	int error = 0;

	while (!error && !stream->has_ended && stream->left < MAGIC_MAX)
		error = fill(stream);
	if (error || method_of(stream) != stream->method)
		return error;
	error = stream->method->start(stream);
	stream->in_member = !error;
	return error ? error : 1;
}

ssize_t decompress_read(struct decompress *stream, char *buffer, size_t size)
{
	if (!stream->method)
		return read_plain(stream, buffer, size);
	stream->out = (unsigned char *)buffer;
	stream->room = size;
	while (stream->room == size) {
		enum step step;
		int error = stream->in_member ? 1 : begin_member(stream);

		if (error <= 0)
			return error;
		if (!stream->left && !stream->has_ended && (error = fill(stream)) < 0)
			return error;
		bool was_empty = stream->left == 0;

		step = stream->method->step(stream);
		if (step == STEP_NO_MEMORY)
			return -ENOMEM;
		if (step == STEP_BAD)
			return -EBADMSG;
		if (step == STEP_MEMBER_END) {
			stream->method->stop(stream);
			stream->in_member = false;
		} else if (was_empty && stream->has_ended && stream->room == size) {
			return -EBADMSG;
		}
	}
	return (ssize_t)(size - stream->room);
}
