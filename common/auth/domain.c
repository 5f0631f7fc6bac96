/* domain.c - names of domains, made comparable. */
#include "common/auth/domain.h"

#include <errno.h>
#include <stdlib.h>

#include <idn2.h>

static bool is_ascii(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.start[i] >= 0x80)
			return false;
	return true;
}

static struct text without_final_dot(struct text name)
{
	if (name.length > 0 && name.start[name.length - 1] == '.')
		name.length--;
	return name;
}

bool domain_is_askable(struct text name)
{
	size_t label = 0;

	name = without_final_dot(name);
	if (name.length == 0 || name.length > DOMAIN_LENGTH_MAX)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		label = name.start[i] == '.' ? 0 : label + 1;
		if (label > DOMAIN_LABEL_MAX || (label == 0 && (i == 0 || name.start[i - 1] == '.')))
			return false;
	}
	return label > 0;
}

/* IDNA2008 with the mapping of UTS 46, as a browser or an MTA would ask the DNS. */
static int to_a_labels(struct text name, char ret_name[static DOMAIN_SIZE])
{
	char unicode[4 * DOMAIN_SIZE];
	char *ascii = NULL;

	if (name.length >= sizeof unicode)
		return -ENAMETOOLONG;
	if (memchr(name.start, '\0', name.length))
		return -EINVAL;
	memcpy(unicode, name.start, name.length);
	unicode[name.length] = '\0';
	if (idn2_to_ascii_8z(unicode, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -EINVAL;
	size_t length = strlen(ascii);
	int error = length > DOMAIN_LENGTH_MAX ? -ENAMETOOLONG : 0;

	if (!error)
		memcpy(ret_name, ascii, length + 1);
	idn2_free(ascii);
	return error;
}

int domain_normalize(struct text name, char ret_name[static DOMAIN_SIZE])
{
	char ascii[DOMAIN_SIZE];

	if (!is_ascii(name)) {
		int error = to_a_labels(name, ascii);

		if (error)
			return error;
		name = text_of(ascii);
	}
	if (without_final_dot(name).length > DOMAIN_LENGTH_MAX)
		return -ENAMETOOLONG;
	if (!domain_is_askable(name))
		return -EINVAL;
	name = without_final_dot(name);
	for (size_t i = 0; i < name.length; i++) {
		char byte = name.start[i];

		if (byte <= ' ' || byte == 0x7f || strchr("@[]()<>,;:\\\"", byte))
			return -EINVAL;
		ret_name[i] = byte_lower(byte);
	}
	ret_name[name.length] = '\0';
	return 0;
}

bool domain_is_within(struct text name, struct text parent)
{
	if (parent.length == 0 || name.length < parent.length)
		return false;
	struct text end = { name.start + name.length - parent.length, parent.length };

	return text_equal_nocase(end, parent) &&
	       (name.length == parent.length || end.start[-1] == '.');
}

bool domain_is_address(struct text name)
{
	if (name.length > 0 && name.start[0] == '[')
		return true;
	name = without_final_dot(name);
	size_t i = name.length;

	while (i > 0 && name.start[i - 1] >= '0' && name.start[i - 1] <= '9')
		i--;
	return i < name.length && (i == 0 || name.start[i - 1] == '.');
}

size_t domain_labels(struct text name)
{
	size_t count = name.length > 0;

	for (size_t i = 0; i < name.length; i++)
		count += name.start[i] == '.';
	return count;
}
