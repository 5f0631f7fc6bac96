/* address.c - a small reader of RFC 5322 address lists. */
#include "address.h"

enum token {
	TOKEN_END,
	TOKEN_WORD,		/* an atom, or one special byte that means nothing here */
	TOKEN_QUOTED,
	TOKEN_LITERAL,		/* [ ... ] */
	TOKEN_COMMA, TOKEN_COLON, TOKEN_SEMICOLON, TOKEN_LESS, TOKEN_GREATER, TOKEN_AT, TOKEN_DOT,
	TOKEN_BROKEN,		/* a comment, quoted string or literal without its end */
};

struct reader {
	struct text rest;
	enum token token;
	struct text text;	/* of TOKEN_WORD */
	bool in_group;
};

/* The bytes up to and with the closing one, which a backslash can hide; 0: it never closes. */
static size_t enclosed_length(struct text text, char close)
{
	for (size_t i = 1; i < text.length; i++) {
		if (text.start[i] == '\\')
			i++;
		else if (text.start[i] == close)
			return i + 1;
	}
	return 0;
}

static size_t comment_length(struct text text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.length; i++) {
		if (text.start[i] == '\\')
			i++;
		else if (text.start[i] == '(')
			depth++;
		else if (text.start[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static void drop(struct text *text, size_t bytes)
{
	text->start += bytes;
	text->length -= bytes;
}

/* Skips blanks and comments; false: a comment without its end. */
static bool skip_blanks(struct text *text)
{
	while (text->length) {
		if (byte_is_blank(text->start[0])) {
			drop(text, 1);
		} else if (text->start[0] == '(') {
			size_t length = comment_length(*text);

			if (!length)
				return false;
			drop(text, length);
		} else {
			return true;
		}
	}
	return true;
}

static enum token special_token(char byte)
{
	switch (byte) {
	case ',': return TOKEN_COMMA;
	case ':': return TOKEN_COLON;
	case ';': return TOKEN_SEMICOLON;
	case '<': return TOKEN_LESS;
	case '>': return TOKEN_GREATER;
	case '@': return TOKEN_AT;
	case '.': return TOKEN_DOT;
	case '"': return TOKEN_QUOTED;
	case '[': return TOKEN_LITERAL;
	case '(': return TOKEN_BROKEN;
	default: return TOKEN_WORD;
	}
}

static enum token next_token(struct reader *reader)
{
	struct text *rest = &reader->rest;
	size_t length = 1;

	if (!skip_blanks(rest))
		return reader->token = TOKEN_BROKEN;
	if (rest->length == 0)
		return reader->token = TOKEN_END;
	reader->token = special_token(rest->start[0]);
	if (reader->token == TOKEN_QUOTED)
		length = enclosed_length(*rest, '"');
	else if (reader->token == TOKEN_LITERAL)
		length = enclosed_length(*rest, ']');
	else if (reader->token == TOKEN_WORD)
		while (length < rest->length && !byte_is_blank(rest->start[length]) &&
		       special_token(rest->start[length]) == TOKEN_WORD)
			length++;
	if (length == 0)
		return reader->token = TOKEN_BROKEN;
	reader->text = (struct text){ rest->start, length };
	drop(rest, length);
	return reader->token;
}

static bool is_label_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || (unsigned char)byte >= 0x80;
}

static bool is_label(struct text word)
{
	if (word.length == 0 || word.length > 63)
		return false;
	for (size_t i = 0; i < word.length; i++)
		if (!is_label_byte(word.start[i]))
			return false;
	return true;
}

struct domain {
	bool good;
	size_t length;
	char bytes[ADDRESS_DOMAIN_MAX];
};

static bool domain_append(struct domain *domain, struct text word)
{
	if (word.length > sizeof domain->bytes - domain->length)
		return false;
	for (size_t i = 0; i < word.length; i++)
		domain->bytes[domain->length++] = byte_lower(word.start[i]);
	return true;
}

/* Reads what stands after an @, leaving the reader at the first token behind it. A root dot at
 * the end is dropped: it names the same domain. */
static void read_domain(struct reader *reader, struct domain *ret_domain)
{
	bool want_label = true;

	*ret_domain = (struct domain){ .good = true };
	for (;; next_token(reader)) {
		if (reader->token == TOKEN_WORD && want_label) {
			if (!is_label(reader->text) || !domain_append(ret_domain, reader->text))
				ret_domain->good = false;
			want_label = false;
		} else if (reader->token == TOKEN_DOT && !want_label) {
			if (!domain_append(ret_domain, reader->text))
				ret_domain->good = false;
			want_label = true;
		} else {
			break;
		}
	}
	if (want_label && ret_domain->length)
		ret_domain->length--;
	if (ret_domain->length == 0 || reader->token == TOKEN_DOT)
		ret_domain->good = false;
}

static void add_address(struct address_list *list, const struct domain *domain)
{
	list->addresses++;
	if (!domain || !domain->good) {
		list->doubtful = true;
		return;
	}
	if (list->addresses > 1 &&
	    (list->domain_length != domain->length || memcmp(list->domain, domain->bytes, domain->length) != 0))
		list->domains_differ = true;
	memcpy(list->domain, domain->bytes, domain->length);
	list->domain_length = domain->length;
}

/* @one,@two:three@four inside of angle brackets: the route before the colon is passed over. */
static void skip_route(struct reader *reader)
{
	while (reader->token == TOKEN_AT || reader->token == TOKEN_COMMA) {
		struct domain ignored;

		if (next_token(reader) == TOKEN_WORD)
			read_domain(reader, &ignored);
	}
	if (reader->token == TOKEN_COLON)
		next_token(reader);
}

/* From "<" to behind ">". */
static void read_angle(struct reader *reader, struct address_list *list)
{
	struct domain domain = { .good = false };
	bool has_local = false;

	if (next_token(reader) == TOKEN_AT)
		skip_route(reader);
	while (reader->token == TOKEN_WORD || reader->token == TOKEN_QUOTED || reader->token == TOKEN_DOT) {
		has_local = true;
		next_token(reader);
	}
	if (reader->token == TOKEN_AT) {
		next_token(reader);
		read_domain(reader, &domain);
	}
	if (reader->token != TOKEN_GREATER || !has_local)
		domain.good = false;
	add_address(list, &domain);
	while (reader->token != TOKEN_GREATER && reader->token != TOKEN_END && reader->token != TOKEN_BROKEN)
		next_token(reader);
	if (reader->token == TOKEN_GREATER)
		next_token(reader);
}

/* What an item is made of besides angle brackets. */
struct item {
	bool empty, has_at, has_angle;
	bool one_local;			/* a single local part stands before the @ */
	struct domain domain;
};

/* Words, and an @ with its domain, outside of angle brackets. */
static void read_loose(struct reader *reader, struct item *item)
{
	bool after_word = false;

	while (reader->token == TOKEN_WORD || reader->token == TOKEN_QUOTED || reader->token == TOKEN_DOT ||
	       reader->token == TOKEN_LITERAL || reader->token == TOKEN_AT) {
		item->empty = false;
		if (reader->token != TOKEN_AT) {
			bool is_word = reader->token != TOKEN_DOT;

			/* "a b@c", and words behind the domain: which part is the address? */
			if ((is_word && after_word) || item->has_at)
				item->one_local = false;
			after_word = is_word;
			next_token(reader);
			continue;
		}
		if (item->has_at || !after_word)
			item->one_local = false;
		item->has_at = true;
		after_word = false;
		next_token(reader);
		read_domain(reader, &item->domain);
	}
}

static void finish_item(const struct item *item, struct address_list *list)
{
	if (item->has_at) {
		struct domain domain = item->domain;

		domain.good = domain.good && item->one_local;
		add_address(list, &domain);
	} else if (!item->empty && !item->has_angle) {
		list->words++;
	}
}

/* One item of the list: up to a comma, the end of a group, or the end. */
static void read_item(struct reader *reader, struct address_list *list)
{
	struct item item = { .empty = true, .one_local = true };

	for (;;) {
		read_loose(reader, &item);
		if (reader->token == TOKEN_LESS) {
			/* What stood before was a name; what comes behind may be one more address. */
			read_angle(reader, list);
			item = (struct item){ .has_angle = true, .one_local = true };
		} else if (reader->token == TOKEN_COLON && !reader->in_group && !item.has_angle && !item.has_at) {
			reader->in_group = true;
			next_token(reader);
			return;
		} else if (reader->token == TOKEN_COLON || reader->token == TOKEN_GREATER) {
			list->doubtful = true;
			next_token(reader);
		} else {
			break;
		}
	}
	finish_item(&item, list);
}

void address_list_init(struct address_list *list)
{
	list->addresses = 0;
	list->words = 0;
	list->fields = 0;
	list->doubtful = list->domains_differ = false;
	list->domain_length = 0;
}

static void read_items(struct address_list *list, struct text value)
{
	struct reader reader = { .rest = value };

	next_token(&reader);
	while (reader.token != TOKEN_END) {
		if (reader.token == TOKEN_BROKEN) {
			/* Whatever follows cannot be told from what was opened: leave it. */
			list->doubtful = true;
			return;
		}
		if (reader.token == TOKEN_SEMICOLON || reader.token == TOKEN_COMMA) {
			/* Outlook separates addresses by semicolons: it ends an item anywhere. */
			if (reader.token == TOKEN_SEMICOLON)
				reader.in_group = false;
			next_token(&reader);
			continue;
		}
		read_item(&reader, list);
	}
}

void address_list_read(struct address_list *list, struct text value)
{
	uint64_t before = list->addresses;

	read_items(list, value);
	list->fields += list->addresses > before;
}

void address_list_doubt(struct address_list *list)
{
	list->doubtful = true;
}

uint64_t address_list_count(const struct address_list *list)
{
	return list->addresses ? list->addresses : list->words;
}

struct text address_list_domain(const struct address_list *list)
{
	if (list->fields != 1 || list->domains_differ || list->doubtful || list->domain_length == 0)
		return TEXT_NONE;
	return (struct text){ list->domain, list->domain_length };
}
