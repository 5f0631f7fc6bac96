/* milter_wire.c - the milter protocol from the MTA's side: frames, negotiation, macro lists. */
#include "milter_wire.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfdef.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void wire_add(struct wire_bytes *bytes, const void *start, size_t length)
{
	if (bytes->capacity - bytes->length < length) {
		size_t capacity = bytes->capacity * 2 + length + 256;
		unsigned char *grown = realloc(bytes->start, capacity);

		if (!grown)
			err(1, "cannot take %zu bytes", capacity);
		bytes->start = grown;
		bytes->capacity = capacity;
	}
	if (length)
		memcpy(bytes->start + bytes->length, start, length);
	bytes->length += length;
}

void wire_add_string(struct wire_bytes *bytes, struct text text)
{
	wire_add(bytes, text.start, text.length);
	wire_add(bytes, "", 1);
}

void wire_drop(struct wire_bytes *bytes, size_t length)
{
	if (length >= bytes->length) {
		bytes->length = 0;
		return;
	}
	memmove(bytes->start, bytes->start + length, bytes->length - length);
	bytes->length -= length;
}

void wire_free(struct wire_bytes *bytes)
{
	free(bytes->start);
	*bytes = (struct wire_bytes){ 0 };
}

struct text wire_text(const struct wire_bytes *bytes)
{
	return (struct text){ bytes->start ? (const char *)bytes->start : "", bytes->length };
}

static void add_number(struct wire_bytes *out, uint32_t number)
{
	uint32_t big_endian = htonl(number);

	wire_add(out, &big_endian, sizeof(big_endian));
}

static uint32_t read_number(const void *from)
{
	uint32_t big_endian;

	memcpy(&big_endian, from, sizeof(big_endian));
	return ntohl(big_endian);
}

size_t wire_frame_begin(struct wire_bytes *out, char command)
{
	size_t begin = out->length;

	add_number(out, 0);
	wire_add(out, &command, 1);
	return begin;
}

void wire_frame_end(struct wire_bytes *out, size_t begin)
{
	uint32_t length = htonl((uint32_t)(out->length - begin - sizeof(uint32_t)));

	memcpy(out->start + begin, &length, sizeof(length));
}

void wire_frame(struct wire_bytes *out, char command, struct text payload)
{
	size_t begin = wire_frame_begin(out, command);

	wire_add(out, payload.start, payload.length);
	wire_frame_end(out, begin);
}

void wire_frame_lying(struct wire_bytes *out, uint32_t length, char command, struct text payload)
{
	add_number(out, length);
	wire_add(out, &command, 1);
	wire_add(out, payload.start, payload.length);
}

int wire_frame_peek(const struct wire_bytes *in, char *ret_command, struct text *ret_payload,
		    size_t *ret_size)
{
	uint32_t length;

	if (in->length < sizeof(length))
		return 0;
	length = read_number(in->start);
	if (length == 0 || length > WIRE_REPLY_MAX)
		return -EBADMSG;
	if (in->length - sizeof(length) < length)
		return 0;
	*ret_command = (char)in->start[sizeof(length)];
	*ret_payload = (struct text){ (const char *)in->start + sizeof(length) + 1, length - 1 };
	*ret_size = sizeof(length) + length;
	return 1;
}

static char *macro_names[WIRE_MACROS];
static unsigned macro_count;

unsigned wire_macro(struct text name)
{
	for (unsigned i = 0; i < macro_count; i++)
		if (text_is(name, macro_names[i]))
			return i;
	if (macro_count == WIRE_MACROS)
		errx(1, "more than %d macro names", WIRE_MACROS);
	macro_names[macro_count] = strndup(name.start, name.length);
	if (!macro_names[macro_count])
		err(1, "cannot keep a macro's name");
	return macro_count++;
}

const char *wire_macro_name(unsigned macro)
{
	return macro_names[macro];
}

void wire_list_read(struct wire_list *ret_list, struct text names)
{
	size_t begin = 0;

	ret_list->count = 0;
	for (size_t i = 0; i <= names.length; i++) {
		if (i < names.length && names.start[i] != ' ')
			continue;
		if (i > begin && ret_list->count < WIRE_MACROS)
			ret_list->macros[ret_list->count++] =
				(unsigned char)wire_macro((struct text){ names.start + begin, i - begin });
		begin = i + 1;
	}
}

void wire_offer(struct wire_bytes *out, uint32_t version, uint32_t actions, uint32_t steps)
{
	size_t begin = wire_frame_begin(out, SMFIC_OPTNEG);

	add_number(out, version);
	add_number(out, actions);
	add_number(out, steps);
	wire_frame_end(out, begin);
}

int wire_terms_read(struct wire_terms *ret_terms, struct text payload)
{
	struct wire_terms terms = { 0 };

	if (payload.length < MILTER_OPTLEN)
		return -EBADMSG;
	terms.version = read_number(payload.start);
	terms.actions = read_number(payload.start + 4);
	terms.steps = read_number(payload.start + 8);
	for (size_t at = MILTER_OPTLEN; at < payload.length;) {
		uint32_t place;
		const char *names, *end;

		if (payload.length - at <= sizeof(place))
			return -EBADMSG;
		place = read_number(payload.start + at);
		names = payload.start + at + sizeof(place);
		end = memchr(names, '\0', payload.length - at - sizeof(place));
		if (!end || place >= WIRE_PLACE_NONE)
			return -EBADMSG;
		terms.is_asked[place] = true;
		wire_list_read(&terms.lists[place], (struct text){ names, (size_t)(end - names) });
		at = (size_t)(end + 1 - payload.start);
	}
	*ret_terms = terms;
	return 0;
}

/* The steps that the milter may ask away, by command: the whole event, or only its reply. */
static const struct {
	char command;
	uint32_t not_sent, not_replied;
} step_flags[] = {
	{ SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN },
	{ SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO },
	{ SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL },
	{ SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT },
	{ SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA },
	{ SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR },
	{ SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH },
	{ SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY },
	{ SMFIC_UNKNOWN, SMFIP_NOUNKNOWN, SMFIP_NR_UNKN },
};

bool wire_is_replied(const struct wire_terms *terms, char command)
{
	for (size_t i = 0; i < sizeof(step_flags) / sizeof(step_flags[0]); i++)
		if (step_flags[i].command == command)
			return !(terms->steps & step_flags[i].not_replied);
	return command == SMFIC_BODYEOB || command == SMFIC_OPTNEG;
}

bool wire_is_sent(const struct wire_terms *terms, char command)
{
	for (size_t i = 0; i < sizeof(step_flags) / sizeof(step_flags[0]); i++)
		if (step_flags[i].command == command)
			return !(terms->steps & step_flags[i].not_sent);
	return true;
}

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int connect_inet(const char *port, const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found;
	int fd, error = 0;

	if (getaddrinfo(host, port, &hints, &found))
		return -EADDRNOTAVAIL;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		error = -errno;
	freeaddrinfo(found);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

int wire_connect(const char *address)
{
	const char *at = strchr(address, '@');
	char port[16];

	if (strncmp(address, "unix:", 5) == 0)
		return connect_unix(address + 5);
	if (strncmp(address, "inet:", 5) != 0 || !at || (size_t)(at - address - 5) >= sizeof(port))
		return -EINVAL;
	snprintf(port, sizeof(port), "%.*s", (int)(at - address - 5), address + 5);
	return connect_inet(port, at + 1);
}
