/* address_list.c - separators, quotes and brackets. */
#include "analysis/address_list.h"

static bool is_separator(char c)
{
	return c == ',' || c == ';' || c == ' ';
}

size_t address_list_length(struct text list)
{
	bool in_quotes = false, in_brackets = false;
	size_t at = 0;

	for (; at < list.length; at++) {
		char c = list.start[at];

		if (c == '\\' && in_quotes)
			at++;
		else if (c == '"')
			in_quotes = !in_quotes;
		else if (!in_quotes && (c == '<' || c == '>'))
			in_brackets = c == '<';
		else if (!in_quotes && !in_brackets && is_separator(c))
			break;
	}
	return at < list.length ? at : list.length;
}

struct text address_without_brackets(struct text address)
{
	if (address.length >= 2 && address.start[0] == '<' && address.start[address.length - 1] == '>')
		return (struct text){ address.start + 1, address.length - 2 };
	return address;
}

struct text address_list_next(struct text *list)
{
	struct text address;

	while (list->length && is_separator(list->start[0])) {
		list->start++;
		list->length--;
	}
	if (!list->length)
		return TEXT_NONE;
	address = (struct text){ list->start, address_list_length(*list) };
	list->start += address.length;
	list->length -= address.length;
	return address_without_brackets(address);
}
