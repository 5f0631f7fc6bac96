/* record.c - a record, written and read; its tables, made from record.def. */
#include "record.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ALL 0xffffffffu
#define AT(id) (1u << STAGE_##id)

enum { HEAD_SIZE = 9, FIELD_HEAD_SIZE = 4 };
/* Kept free for the list of what was cut. */
enum { CUT_RESERVE = FIELD_HEAD_SIZE + 16 * 32 };

_Static_assert(RECORD_SIZE_MAX <= UINT16_MAX, "offsets in a record are 16 bits");
_Static_assert(RECORD_SMALL_SIZE > HEAD_SIZE + CUT_RESERVE, "what was cut can always be said");
_Static_assert(RECORD_TEXT_MAX + FIELD_HEAD_SIZE + HEAD_SIZE + CUT_RESERVE < RECORD_SIZE_MAX,
	       "one text fits");

const struct stage_info stage_table[] = {
#define STAGE(number, id, name, meaning) { number, #id, name, meaning },
#define FIELD(number, id, name, type, stages, meaning)
#include "record.def"
#undef STAGE
#undef FIELD
	{ 0, NULL, NULL, NULL },
};

const struct field_info field_table[] = {
#define STAGE(number, id, name, meaning)
#define FIELD(number, id, name, type, stages, meaning) \
	{ number, #id, name, FIELD_TYPE_##type, stages, meaning, sizeof(name) - 1 },
#include "record.def"
#undef STAGE
#undef FIELD
	{ 0, NULL, NULL, FIELD_TYPE_TEXT, 0, NULL, 0 },
};

/* Where a number stands in its table; a number given twice does not compile. */
static int stage_index(unsigned number)
{
	enum {
#define STAGE(number, id, name, meaning) INDEX_##id,
#define FIELD(number, id, name, type, stages, meaning)
#include "record.def"
#undef STAGE
#undef FIELD
	};
	switch (number) {
#define STAGE(number, id, name, meaning) case number: return INDEX_##id;
#define FIELD(number, id, name, type, stages, meaning)
#include "record.def"
#undef STAGE
#undef FIELD
	default:
		return -1;
	}
}

static int field_index(unsigned number)
{
	enum {
#define STAGE(number, id, name, meaning)
#define FIELD(number, id, name, type, stages, meaning) INDEX_##id,
#include "record.def"
#undef STAGE
#undef FIELD
	};
	switch (number) {
#define STAGE(number, id, name, meaning)
#define FIELD(number, id, name, type, stages, meaning) case number: return INDEX_##id;
#include "record.def"
#undef STAGE
#undef FIELD
	default:
		return -1;
	}
}

const struct stage_info *stage_info(unsigned number)
{
	int index = stage_index(number);

	return index < 0 ? NULL : &stage_table[index];
}

const struct stage_info *stage_by_name(struct text name)
{
	for (const struct stage_info *info = stage_table; info->name; info++)
		if (text_is(name, info->name))
			return info;
	return NULL;
}

const char *stage_name(enum stage stage)
{
	const struct stage_info *info = stage_info(stage);

	return info ? info->name : NULL;
}

const struct field_info *field_info(unsigned number)
{
	int index = field_index(number);

	return index < 0 ? NULL : &field_table[index];
}

const struct field_info *field_by_name(struct text name)
{
	for (const struct field_info *info = field_table; info->name; info++)
		if (text_is(name, info->name))
			return info;
	return NULL;
}

const char *field_type_name(enum field_type type)
{
	switch (type) {
	case FIELD_TYPE_TEXT: return "text";
	case FIELD_TYPE_LIST: return "list";
	case FIELD_TYPE_NUMBER: return "number";
	case FIELD_TYPE_TIME: return "time";
	case FIELD_TYPE_FLAG: return "flag";
	}
	return NULL;
}

bool field_is_at(const struct field_info *info, enum stage stage)
{
	return (info->stages >> stage & 1u) != 0;
}

static void put_16(unsigned char *at, size_t value)
{
	uint16_t little = htole16((uint16_t)value);

	memcpy(at, &little, sizeof little);
}

static void put_64(unsigned char *at, uint64_t value)
{
	uint64_t little = htole64(value);

	memcpy(at, &little, sizeof little);
}

static unsigned get_16(const char *at)
{
	uint16_t little;

	memcpy(&little, at, sizeof little);
	return le16toh(little);
}

static uint64_t get_64(const char *at)
{
	uint64_t little;

	memcpy(&little, at, sizeof little);
	return le64toh(little);
}

static size_t room_of(const struct record *record)
{
	size_t used = (size_t)record->size + FIELD_HEAD_SIZE + CUT_RESERVE;

	return used < record->room ? record->room - used : 0;
}

static void move_to_heap(struct record *record)
{
	unsigned char *bytes = malloc(RECORD_SIZE_MAX);

	if (!bytes)
		return;
	memcpy(bytes, record->small, record->size);
	record->bytes = bytes;
	record->room = RECORD_SIZE_MAX;
}

/* Room for a further value: as much as is wanted, or what there can be. */
static size_t make_room(struct record *record, size_t wanted)
{
	if (room_of(record) < wanted && record->bytes == record->small)
		move_to_heap(record);
	return room_of(record);
}

static enum stage stage_of(const struct record *record)
{
	return (enum stage)record->bytes[0];
}

static void check_field(const struct record *record, enum field field, enum field_type type)
{
	const struct field_info *info = field_info(field);

	assert(info && info->type == type && field_is_at(info, stage_of(record)));
	(void)info;
	(void)type;
	(void)record;
}

void record_init(struct record *record, enum stage stage, uint64_t time_us)
{
	record->bytes = record->small;
	record->room = sizeof record->small;
	record->bytes[0] = (unsigned char)stage;
	put_64(record->bytes + 1, time_us);
	record->size = HEAD_SIZE;
	record->last = 0;
	record->cut_count = 0;
}

void record_done(struct record *record)
{
	if (record->bytes != record->small)
		free(record->bytes);
	record->bytes = record->small;
}

static unsigned char *add_field(struct record *record, enum field field, size_t length)
{
	unsigned char *at = record->bytes + record->size;

	put_16(at, field);
	put_16(at + 2, length);
	record->last = record->size;
	record->size = (uint16_t)(record->size + FIELD_HEAD_SIZE + length);
	return at + FIELD_HEAD_SIZE;
}

void record_note_cut(struct record *record, enum field field)
{
	for (uint16_t i = 0; i < record->cut_count; i++)
		if (record->cut[i] == field)
			return;
	if (record->cut_count < sizeof record->cut / sizeof record->cut[0])
		record->cut[record->cut_count++] = (uint16_t)field;
}

static void add_text(struct record *record, enum field field, struct text text, size_t max)
{
	size_t most = max < RECORD_TEXT_MAX ? max : RECORD_TEXT_MAX, length = text.length < most ? text.length : most;
	size_t free_bytes = make_room(record, length + 1);

	if (length > free_bytes)
		length = free_bytes;
	if (length < text.length || free_bytes == 0)
		record_note_cut(record, field);
	if (free_bytes == 0)
		return;
	unsigned char *at = add_field(record, field, length);

	if (length)
		memcpy(at, text.start, length);
}

void record_set_text_max(struct record *record, enum field field, struct text text, size_t max)
{
	const struct field_info *info = field_info(field);

	assert(info && (info->type == FIELD_TYPE_TEXT || info->type == FIELD_TYPE_LIST) &&
	       field_is_at(info, stage_of(record)));
	(void)info;
	if (text.start)
		add_text(record, field, text, max);
}

void record_set_text(struct record *record, enum field field, struct text text)
{
	record_set_text_max(record, field, text, RECORD_TEXT_MAX);
}

void record_set_string(struct record *record, enum field field, const char *string)
{
	record_set_text(record, field, text_of(string));
}

static void set_integer(struct record *record, enum field field, enum field_type type, uint64_t value)
{
	check_field(record, field, type);
	if (make_room(record, 8) < 8) {
		record_note_cut(record, field);
		return;
	}
	put_64(add_field(record, field, 8), value);
}

void record_set_number(struct record *record, enum field field, uint64_t number)
{
	set_integer(record, field, FIELD_TYPE_NUMBER, number);
}

void record_set_time(struct record *record, enum field field, uint64_t time_us)
{
	set_integer(record, field, FIELD_TYPE_TIME, time_us);
}

void record_set_flag(struct record *record, enum field field, bool flag)
{
	set_integer(record, field, FIELD_TYPE_FLAG, flag);
}

static bool needs_quotes(struct text item)
{
	if (item.length == 0 || item.start[0] == ' ' || item.start[item.length - 1] == ' ')
		return true;
	return memchr(item.start, ',', item.length) || memchr(item.start, '"', item.length) ||
	       memchr(item.start, '\\', item.length);
}

/* Whether the item may follow in the field that was written last. */
static bool continues_list(const struct record *record, enum field field)
{
	const char *at = (const char *)record->bytes + record->last;

	return record->last != 0 && get_16(at) == (unsigned)field;
}

void record_add_item(struct record *record, enum field field, struct text item)
{
	check_field(record, field, FIELD_TYPE_LIST);
	if (!item.start)
		return;
	if (!continues_list(record, field)) {
		if (make_room(record, 1) == 0) {
			record_note_cut(record, field);
			return;
		}
		(void)add_field(record, field, 0);
	}
	size_t length = get_16((const char *)record->bytes + record->last + 2);
	bool quoted = needs_quotes(item);
	size_t worst = item.length * (quoted ? 2 : 1) + 4;

	/* A list is never cut inside an item: a half name would be a wrong name. */
	if (length + worst > RECORD_TEXT_MAX || worst > make_room(record, worst)) {
		record_note_cut(record, field);
		return;
	}
	unsigned char *head = record->bytes + record->last, *at = record->bytes + record->size;
	if (length > 0) {
		*at++ = ',';
		*at++ = ' ';
	}
	if (quoted)
		*at++ = '"';
	for (size_t i = 0; i < item.length; i++) {
		if (quoted && (item.start[i] == '"' || item.start[i] == '\\'))
			*at++ = '\\';
		*at++ = (unsigned char)item.start[i];
	}
	if (quoted)
		*at++ = '"';
	record->size = (uint16_t)(at - record->bytes);
	put_16(head + 2, (size_t)(at - head) - FIELD_HEAD_SIZE);
}

struct text record_finish(struct record *record)
{
	if (record->cut_count) {
		/* Names hold no comma or quote, so they can be joined plainly, in the room reserved. */
		unsigned char *start = record->bytes + record->size + FIELD_HEAD_SIZE, *at = start;
		size_t limit = CUT_RESERVE - FIELD_HEAD_SIZE;

		for (uint16_t i = 0; i < record->cut_count; i++) {
			struct text name = text_of(field_info(record->cut[i])->name);

			if ((size_t)(at - start) + name.length + 2 > limit)
				break;
			if (at != start) {
				*at++ = ',';
				*at++ = ' ';
			}
			memcpy(at, name.start, name.length);
			at += name.length;
		}
		(void)add_field(record, FIELD_CUT, (size_t)(at - start));
		record->cut_count = 0;
	}
	return (struct text){ (const char *)record->bytes, record->size };
}

int record_view_open(struct record_view *view, struct text bytes)
{
	if (bytes.length < HEAD_SIZE || bytes.length > RECORD_SIZE_MAX)
		return -EBADMSG;
	for (size_t offset = HEAD_SIZE; offset < bytes.length;) {
		if (bytes.length - offset < FIELD_HEAD_SIZE)
			return -EBADMSG;
		const struct field_info *info = field_info(get_16(bytes.start + offset));
		size_t length = get_16(bytes.start + offset + 2);
		bool is_integer = info && info->type != FIELD_TYPE_TEXT && info->type != FIELD_TYPE_LIST;

		offset += FIELD_HEAD_SIZE;
		if (bytes.length - offset < length || (is_integer && length != 8))
			return -EBADMSG;
		offset += length;
	}
	view->bytes = bytes;
	view->offset = HEAD_SIZE;
	view->stage = (enum stage)(unsigned char)bytes.start[0];
	view->time_us = get_64(bytes.start + 1);
	return 0;
}

bool record_view_next(struct record_view *view, struct record_value *ret_value)
{
	if (view->offset >= view->bytes.length)
		return false;
	const char *at = view->bytes.start + view->offset;
	size_t length = get_16(at + 2);

	ret_value->number = get_16(at);
	ret_value->info = field_info(ret_value->number);
	ret_value->text = (struct text){ at + FIELD_HEAD_SIZE, length };
	ret_value->integer = length == 8 ? get_64(at + FIELD_HEAD_SIZE) : 0;
	view->offset += FIELD_HEAD_SIZE + length;
	return true;
}

bool record_view_find(const struct record_view *view, enum field field, struct record_value *ret_value)
{
	struct record_view walk = *view;

	walk.offset = HEAD_SIZE;
	while (record_view_next(&walk, ret_value))
		if (ret_value->number == (unsigned)field)
			return true;
	return false;
}

struct text record_value_text(const struct record_value *value, char *scratch)
{
	if (!value->info)
		return value->text;
	switch (value->info->type) {
	case FIELD_TYPE_TEXT:
	case FIELD_TYPE_LIST:
		return value->text;
	case FIELD_TYPE_NUMBER: {
		/* Many numbers a record: worth more than printf. */
		char *end = scratch + RECORD_VALUE_TEXT_MAX, *at = end;
		uint64_t number = value->integer;

		do {
			*--at = (char)('0' + number % 10);
			number /= 10;
		} while (number);
		return (struct text){ at, (size_t)(end - at) };
	}
	case FIELD_TYPE_TIME:
		time_format(value->integer, scratch);
		return (struct text){ scratch, TIME_TEXT_SIZE - 1 };
	case FIELD_TYPE_FLAG:
		return value->integer ? TEXT_LITERAL("yes") : TEXT_LITERAL("no");
	}
	return TEXT_NONE;
}

static int parse_number(struct text text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.length == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.length; i++) {
		unsigned digit = (unsigned)(unsigned char)text.start[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, digit, &number))
			return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

int record_set_from_text(struct record *record, enum field field, struct text text)
{
	const struct field_info *info = field_info(field);
	uint64_t integer = 0;

	if (!info || !text.start)
		return -EINVAL;
	switch (info->type) {
	case FIELD_TYPE_TEXT:
	case FIELD_TYPE_LIST:
		record_set_text(record, field, text);
		return 0;
	case FIELD_TYPE_NUMBER:
		if (parse_number(text, &integer))
			return -EINVAL;
		break;
	case FIELD_TYPE_TIME:
		if (time_parse(text, &integer))
			return -EINVAL;
		break;
	case FIELD_TYPE_FLAG:
		if (!text_is(text, "yes") && !text_is(text, "no"))
			return -EINVAL;
		integer = text_is(text, "yes");
		break;
	}
	set_integer(record, field, info->type, integer);
	return 0;
}

static void put_digits(char *at, unsigned value, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* The last microsecond of the year 9999: beyond it the form has no room. */
#define TIME_MAX_US UINT64_C(253402300799999999)

enum { DAYS_TO_1970 = 719468 };		/* from 0000-03-01 */
enum { DAYS_4_YEARS = 1461, DAYS_100_YEARS = 36524, DAYS_400_YEARS = 146097 };

/* In years that begin in March, so that a leap day is the last of its year. gmtime_r takes a lock of the whole process
 * and ten times as long. */
static void put_date(char *at, unsigned days_since_1970)
{
	unsigned days = days_since_1970 + DAYS_TO_1970, era = days / DAYS_400_YEARS;

	days %= DAYS_400_YEARS;
	unsigned year = (days - days / (DAYS_4_YEARS - 1) + days / DAYS_100_YEARS - days / (DAYS_400_YEARS - 1)) / 365;

	days -= 365 * year + year / 4 - year / 100;
	/* March to July have 153 days, and so have the next five. */
	unsigned month = (5 * days + 2) / 153, is_next_year = month >= 10;

	put_digits(at, 400 * era + year + is_next_year, 4);
	put_digits(at + 5, is_next_year ? month - 9 : month + 3, 2);
	put_digits(at + 8, days - (153 * month + 2) / 5 + 1, 2);
}

void time_format(uint64_t time_us, char *ret_text)
{
	if (time_us > TIME_MAX_US)
		time_us = TIME_MAX_US;
	unsigned second = (unsigned)(time_us / 1000000 % 86400);

	memcpy(ret_text, "0000-00-00T00:00:00.000000Z", TIME_TEXT_SIZE);
	put_date(ret_text, (unsigned)(time_us / 1000000 / 86400));
	put_digits(ret_text + 11, second / 3600, 2);
	put_digits(ret_text + 14, second / 60 % 60, 2);
	put_digits(ret_text + 17, second % 60, 2);
	put_digits(ret_text + 20, (unsigned)(time_us % 1000000), 6);
}

static bool take_digits(struct text *text, size_t digits, int *ret_value)
{
	if (text->length < digits)
		return false;
	*ret_value = 0;
	for (size_t i = 0; i < digits; i++) {
		if (text->start[i] < '0' || text->start[i] > '9')
			return false;
		*ret_value = *ret_value * 10 + (text->start[i] - '0');
	}
	text->start += digits;
	text->length -= digits;
	return true;
}

static bool take(struct text *text, char byte)
{
	if (text->length == 0 || text->start[0] != byte)
		return false;
	text->start++;
	text->length--;
	return true;
}

static bool take_fraction(struct text *text, int *ret_microseconds)
{
	int scale = 100000, digit = 0, digits = 0;

	*ret_microseconds = 0;
	if (!take(text, '.'))
		return true;
	while (digits < 6 && take_digits(text, 1, &digit)) {
		*ret_microseconds += digit * scale;
		scale /= 10;
		digits++;
	}
	return digits > 0;
}

static bool take_offset(struct text *text, int *ret_minutes)
{
	int hours = 0, minutes = 0;

	*ret_minutes = 0;
	if (take(text, 'Z'))
		return true;
	bool minus = text->length && text->start[0] == '-';
	if (!take(text, minus ? '-' : '+') || !take_digits(text, 2, &hours) || !take(text, ':') ||
	    !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = (minus ? -1 : 1) * (hours * 60 + minutes);
	return true;
}

int time_parse(struct text text, uint64_t *ret_time_us)
{
	struct tm parts = { 0 };
	int microseconds = 0, offset_minutes = 0;

	if (!take_digits(&text, 4, &parts.tm_year) || !take(&text, '-') ||
	    !take_digits(&text, 2, &parts.tm_mon) || !take(&text, '-') ||
	    !take_digits(&text, 2, &parts.tm_mday) || !take(&text, 'T') ||
	    !take_digits(&text, 2, &parts.tm_hour) || !take(&text, ':') ||
	    !take_digits(&text, 2, &parts.tm_min) || !take(&text, ':') ||
	    !take_digits(&text, 2, &parts.tm_sec) || !take_fraction(&text, &microseconds) ||
	    !take_offset(&text, &offset_minutes) || text.length)
		return -EINVAL;
	if (parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 || parts.tm_mday > 31 ||
	    parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60)
		return -EINVAL;
	int day = parts.tm_mday;
	bool leap_second = parts.tm_sec == 60;

	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	time_t seconds = timegm(&parts);
	/* timegm turns 30 February into 1 March: that is no date. Only a leap second may move the day. */
	if (parts.tm_mday != day && !leap_second)
		return -EINVAL;
	seconds -= (time_t)offset_minutes * 60;
	if (seconds < 0)
		return -EINVAL;
	*ret_time_us = (uint64_t)seconds * 1000000 + (uint64_t)microseconds;
	return 0;
}
