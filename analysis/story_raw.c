/* story_raw.c - evidence, read again where it lies. */
#include "analysis/story_raw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/follow.h"
#include "analysis/input_file.h"

/* Texts that tell of whom a line speaks; shorter ones stand in any line. */
enum { NAMES_MAX = 64, NAME_LENGTH_MIN = 4 };

struct reading {
	struct story_raw *raw;
	const struct source_table *sources;
	struct text names[NAMES_MAX];
	unsigned name_count;
	bool lacks_memory;
};

/* ---- what is to be read ---- */

static void add_piece(struct reading *reading, const struct evidence *evidence)
{
	struct story_raw *raw = reading->raw;

	/* Room doubles whenever it is a power of two. */
	if ((raw->count & (raw->count - 1)) == 0) {
		struct raw_piece *larger =
			reallocarray(raw->pieces, raw->count ? raw->count * 2 : 1, sizeof *larger);

		if (!larger) {
			reading->lacks_memory = true;
			return;
		}
		raw->pieces = larger;
	}
	raw->pieces[raw->count++] = (struct raw_piece){ .evidence = *evidence };
}

static bool is_name(enum fact fact)
{
	static const enum fact names[] = {
		FACT_SESSION_CLIENT_ADDR, FACT_SESSION_CLIENT_NAME, FACT_SESSION_SESSION,
		FACT_MESSAGE_QUEUE_ID,	  FACT_MESSAGE_MESSAGE_ID,  FACT_MESSAGE_FROM,
		FACT_RECIPIENT_TO,	  FACT_RECIPIENT_ORIG_TO,   FACT_LOGIN_CLIENT_ADDR,
		FACT_LOGIN_AUTH_AUTHEN,	  FACT_LOGIN_SESSION,
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i] == fact)
			return true;
	return false;
}

static void add_facts(struct reading *reading, const struct facts *facts)
{
	struct facts_walk walk;
	struct fact_value value;
	struct evidence last = { .major = UINT64_MAX };

	facts_walk_start(&walk, facts);
	while (facts_walk_next(&walk, &value)) {
		if (is_name(value.fact) && value.text.length >= NAME_LENGTH_MIN &&
		    reading->name_count < NAMES_MAX)
			reading->names[reading->name_count++] = value.text;
		if (value.evidence.source != last.source || value.evidence.major != last.major ||
		    value.evidence.minor != last.minor)
			add_piece(reading, &value.evidence);
		last = value.evidence;
	}
}

static void add_message(struct reading *reading, const struct message *message)
{
	add_facts(reading, &message->facts);
	for (const struct check *check = message->checks; check; check = check->next)
		add_facts(reading, &check->facts);
	for (const struct recipient *recipient = message->recipients; recipient;
	     recipient = recipient->next) {
		add_facts(reading, &recipient->facts);
		for (const struct attempt *attempt = recipient->tries; attempt; attempt = attempt->next)
			add_facts(reading, &attempt->facts);
	}
}

static int compare_places(const void *a, const void *b)
{
	const struct evidence *left = &((const struct raw_piece *)a)->evidence,
			      *right = &((const struct raw_piece *)b)->evidence;

	if (left->source != right->source)
		return left->source < right->source ? -1 : 1;
	if (left->major != right->major)
		return left->major < right->major ? -1 : 1;
	return (left->minor > right->minor) - (left->minor < right->minor);
}

static void collect(struct reading *reading, const struct story *story)
{
	struct story_raw *raw = reading->raw;
	size_t kept = 0;

	for (size_t i = 0; i < story->session_count; i++)
		add_facts(reading, &story->sessions[i]->facts);
	for (size_t i = 0; i < story->login_count; i++)
		add_facts(reading, &story->logins[i]->facts);
	for (size_t i = 0; i < story->message_count; i++)
		add_message(reading, story->messages[i]);
	if (raw->count)
		qsort(raw->pieces, raw->count, sizeof *raw->pieces, compare_places);
	for (size_t i = 0; i < raw->count; i++)
		if (i == 0 || compare_places(&raw->pieces[i], &raw->pieces[kept - 1]) != 0)
			raw->pieces[kept++] = raw->pieces[i];
	raw->left_out = kept > STORY_RAW_MAX ? kept - STORY_RAW_MAX : 0;
	raw->count = kept - raw->left_out;
}

/* ---- pieces ---- */

static void set_bytes(struct reading *reading, struct raw_piece *piece, struct text bytes)
{
	piece->bytes = malloc(bytes.length + 1);
	if (!piece->bytes) {
		reading->lacks_memory = true;
		return;
	}
	if (bytes.length)
		memcpy(piece->bytes, bytes.start, bytes.length);
	piece->length = bytes.length;
	free(piece->missing);
	piece->missing = NULL;
}

__attribute__((format(printf, 3, 4)))
static void set_missing(struct reading *reading, struct raw_piece *piece, const char *format, ...)
{
	va_list arguments;

	if (piece->bytes || piece->missing)
		return;
	va_start(arguments, format);
	if (vasprintf(&piece->missing, format, arguments) < 0) {
		piece->missing = NULL;
		reading->lacks_memory = true;
	}
	va_end(arguments);
}

/* ---- files ---- */

static bool names_the_story(const struct reading *reading, struct text line)
{
	for (unsigned i = 0; i < reading->name_count; i++)
		if (memmem(line.start, line.length, reading->names[i].start, reading->names[i].length))
			return true;
	return !reading->name_count;
}

static void take_line(struct reading *reading, struct raw_piece *piece, struct text line)
{
	if (piece->bytes)
		return;
	if (names_the_story(reading, line))
		set_bytes(reading, piece, line);
	else
		set_missing(reading, piece,
			    "another line stands there by now: the file was rotated or written anew since it "
			    "was read");
}

/* Of a record that was kept with its stream's identifier, the line that names it. */
static void find_record(struct reading *reading, struct raw_piece *pieces, size_t count, struct text line)
{
	char words[64];

	for (size_t i = 0; i < count; i++) {
		int length = snprintf(words, sizeof words, "\"stream_id\":\"%" PRIu64 "-%" PRIu32 "\"",
				      pieces[i].evidence.major, pieces[i].evidence.minor);

		if (!pieces[i].bytes && memmem(line.start, line.length, words, (size_t)length))
			set_bytes(reading, &pieces[i], line);
	}
}

static void read_lines(struct reading *reading, struct input_file *file, struct raw_piece *pieces,
		       size_t count)
{
	struct text line;
	bool is_cut;
	size_t next = 0;

	while (next < count && input_file_line(file, &line, &is_cut) > 0) {
		uint64_t number = input_file_line_number(file);

		while (next < count && pieces[next].evidence.major < number)
			next++;
		for (; next < count && pieces[next].evidence.major == number; next++)
			if (!pieces[next].evidence.minor)
				take_line(reading, &pieces[next], line);
		if (memmem(line.start, line.length, "\"stream_id\"", 11))
			find_record(reading, pieces, count, line);
	}
}

static int read_file(struct reading *reading, const char *path, struct raw_piece *pieces, size_t count, struct problem *problem)
{
	struct input_file *file;
	int error = input_file_open(&file, path, problem);

	if (error)
		return error;
	read_lines(reading, file, pieces, count);
	input_file_close(file);
	return 0;
}

static bool has_all(const struct raw_piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!pieces[i].bytes)
			return false;
	return true;
}

/* A line keeps its number in the file that was rotated away, whatever that is called by now. */
static void read_rotated(struct reading *reading, const char *path, struct raw_piece *pieces, size_t count)
{
	char *stem = strndup(path, input_file_stem(path));
	struct problem ignored;
	glob_t rotated;

	if (!stem) {
		reading->lacks_memory = true;
		return;
	}
	follow_list_rotated(stem, &rotated);
	free(stem);
	for (size_t i = rotated.gl_pathc; i-- > 0 && !has_all(pieces, count);)
		(void)read_file(reading, rotated.gl_pathv[i], pieces, count, &ignored);
	globfree(&rotated);
}

static void read_log(struct reading *reading, const char *path, struct raw_piece *pieces, size_t count)
{
	struct problem problem = { "" };
	bool is_stdin = strcmp(path, "-") == 0;

	if (is_stdin)
		(void)lseek(STDIN_FILENO, 0, SEEK_SET);
	(void)read_file(reading, path, pieces, count, &problem);
	if (!is_stdin)
		read_rotated(reading, path, pieces, count);
	for (size_t i = 0; i < count; i++)
		set_missing(reading, &pieces[i], "%s",
			    problem.text[0] ? problem.text : "the file is shorter by now");
}

/* ---- streams ---- */

/* "name=value name=value", as it stands in the entry. */
static void take_entry(struct reading *reading, struct raw_piece *piece, const struct redis_reply *entry)
{
	struct redis_reply fields = redis_reply_at(entry, 1);
	char *bytes = NULL;
	size_t length;
	FILE *out = open_memstream(&bytes, &length);

	if (!out) {
		reading->lacks_memory = true;
		return;
	}
	for (size_t i = 0; i + 1 < fields.count; i += 2) {
		struct text name = redis_reply_at(&fields, i).text,
			    value = redis_reply_at(&fields, i + 1).text;

		(void)fputs(i ? " " : "", out);
		(void)fwrite(name.start, 1, name.length, out);
		(void)fputc('=', out);
		(void)fwrite(value.start, 1, value.length, out);
	}
	if (fclose(out) == 0)
		set_bytes(reading, piece, (struct text){ bytes, length });
	free(bytes);
}

static void ask_for_entry(struct reading *reading, struct redis_link *link, struct raw_piece *piece)
{
	char id[48];
	struct text words[] = { TEXT_LITERAL("XRANGE"),
				source_name(reading->sources, piece->evidence.source),
				{ id, 0 },
				{ id, 0 } };
	struct redis_reply reply, entry;
	struct problem problem = { "" };

	words[2].length = words[3].length = (size_t)snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu32,
							     piece->evidence.major, piece->evidence.minor);
	if (redis_link_command(link, 4, words, &reply, &problem) != REDIS_OK) {
		set_missing(reading, piece, "%s", problem.text);
		return;
	}
	entry = redis_reply_at(&reply, 0);
	if (reply.count)
		take_entry(reading, piece, &entry);
	set_missing(reading, piece, "the stream no longer has it: it was trimmed");
}

/* One time out is enough. */
static void read_stream(struct reading *reading, const struct redis_options *redis, struct raw_piece *pieces,
			size_t count)
{
	struct redis_link *link = redis_link_new(redis);
	struct text name = source_name(reading->sources, pieces[0].evidence.source);
	char *key = strndup(name.start, name.length);
	struct problem problem = { "" };

	if (!link || !key)
		reading->lacks_memory = true;
	else if (redis_link_open(link, &problem) == REDIS_OK &&
		 redis_link_for(link, key, &problem) == REDIS_OK)
		for (size_t i = 0; i < count && redis_link_is_open(link); i++)
			ask_for_entry(reading, link, &pieces[i]);
	for (size_t i = 0; i < count; i++)
		set_missing(reading, &pieces[i], "%s", problem.text[0] ? problem.text : "redis was lost");
	free(key);
	redis_link_free(link);
}

/* ---- all ---- */

static void read_source(struct reading *reading, const struct redis_options *redis, struct raw_piece *pieces,
			size_t count)
{
	uint16_t source = pieces[0].evidence.source;
	struct text name = source_name(reading->sources, source);
	char *path;

	switch (source_kind(reading->sources, source)) {
	case SOURCE_STREAM: read_stream(reading, redis, pieces, count); return;
	case SOURCE_FILE:
		path = strndup(name.start, name.length);
		if (path)
			read_log(reading, path, pieces, count);
		reading->lacks_memory = reading->lacks_memory || !path;
		free(path);
		return;
	case SOURCE_JOURNALD:
		for (size_t i = 0; i < count; i++)
			set_missing(reading, &pieces[i],
				    "journalctl _SOURCE_REALTIME_TIMESTAMP=%" PRIu64 " shows it",
				    pieces[i].evidence.major);
		return;
	case SOURCE_QUEUE:
		for (size_t i = 0; i < count; i++)
			set_missing(reading, &pieces[i], "the queue as it was then is not kept");
		return;
	}
}

int story_raw_read(struct story_raw *ret_raw, const struct story *story, const struct source_table *sources,
		   const struct redis_options *redis)
{
	struct reading reading = { .raw = ret_raw, .sources = sources };
	size_t end;

	*ret_raw = (struct story_raw){ .count = 0 };
	collect(&reading, story);
	for (size_t i = 0; i < ret_raw->count; i = end) {
		for (end = i + 1; end < ret_raw->count &&
				  ret_raw->pieces[end].evidence.source == ret_raw->pieces[i].evidence.source;
		     end++)
			;
		read_source(&reading, redis, ret_raw->pieces + i, end - i);
	}
	return reading.lacks_memory ? -ENOMEM : 0;
}

void story_raw_done(struct story_raw *raw)
{
	/* Those beyond the limit have nothing. */
	for (size_t i = 0; i < raw->count; i++) {
		free(raw->pieces[i].bytes);
		free(raw->pieces[i].missing);
	}
	free(raw->pieces);
	*raw = (struct story_raw){ .pieces = NULL };
}
