/* mime.c - what a message is made of. */
#include "mime.h"

#include "mime_field.h"

static void clear_entity(struct mime_entity *entity)
{
	entity->is_encoded = entity->has_name = entity->name_is_final = false;
	entity->type_length = entity->boundary_length = entity->name_length = 0;
}

void mime_init(struct mime *mime, struct arena *arena, uint64_t max_parts, uint64_t max_attachments)
{
	/* The buffers need no clearing. */
	memset(mime, 0, offsetof(struct mime, levels));
	clear_entity(&mime->entity);
	mime->line_length = mime->field_length = 0;
	mime->line_is_long = false;
	mime->arena = arena;
	mime->max_parts = max_parts;
	mime->max_attachments = max_attachments;
}

static bool is_token_byte(char byte)
{
	return byte > ' ' && byte < 0x7f && !memchr("()<>@,;:\\\"[]?=", byte, 14);
}

/* A type of the form a/b goes in lower case into the entity; another form is none. */
static void set_type(struct mime_entity *entity, struct text type)
{
	const char *slash = type.length ? memchr(type.start, '/', type.length) : NULL;

	entity->type_length = 0;
	if (!slash || slash == type.start || slash == type.start + type.length - 1 ||
	    type.length > sizeof entity->type)
		return;
	for (size_t i = 0; i < type.length; i++) {
		char byte = type.start[i];

		if (!is_token_byte(byte))
			return;
		entity->type[i] = byte_lower(byte);
	}
	entity->type_length = type.length;
}

static void set_boundary(struct mime *mime, const struct mime_field *field)
{
	char buffer[MIME_BOUNDARY_MAX];
	bool cut = false;
	struct text boundary = mime_field_parameter(field, "boundary", buffer, sizeof buffer, &cut);
	/* A line cannot end in a blank and still be told from its padding. */
	while (boundary.length && boundary.start[boundary.length - 1] == ' ')
		boundary.length--;
	mime->entity.boundary_length = cut ? 0 : boundary.length;
	if (boundary.length)
		memcpy(mime->entity.boundary, boundary.start, boundary.length);
}

static void set_name(struct mime *mime, const struct mime_field *field, const char *parameter, bool is_final)
{
	struct mime_entity *entity = &mime->entity;
	char buffer[MIME_NAME_MAX];
	struct text name;

	if (entity->name_is_final)
		return;
	name = mime_field_parameter(field, parameter, buffer, sizeof buffer, &mime->names_cut);
	if (!name.start)
		return;
	memcpy(entity->name, name.start, name.length);
	entity->name_length = name.length;
	entity->has_name = true;
	entity->name_is_final = is_final;
}

static void read_field(struct mime *mime, struct text name, struct text value)
{
	struct mime_field field;

	if (text_equal_nocase(name, TEXT_LITERAL("content-type"))) {
		/* The first one counts, as it does for most readers. */
		if (mime->entity.type_length)
			return;
		mime_field_read(&field, value);
		set_type(&mime->entity, field.type);
		if (text_starts((struct text){ mime->entity.type, mime->entity.type_length }, "multipart/"))
			set_boundary(mime, &field);
		set_name(mime, &field, "name", false);
	} else if (text_equal_nocase(name, TEXT_LITERAL("content-disposition"))) {
		mime_field_read(&field, value);
		set_name(mime, &field, "filename", true);
	} else if (text_equal_nocase(name, TEXT_LITERAL("content-transfer-encoding"))) {
		mime_field_read(&field, value);
		mime->entity.is_encoded = text_equal_nocase(field.type, TEXT_LITERAL("base64")) ||
					  text_equal_nocase(field.type, TEXT_LITERAL("quoted-printable"));
	}
}

void mime_header(struct mime *mime, struct text name, struct text value)
{
	if (name.length < 8 || strncasecmp(name.start, "content-", 8) != 0)
		return;
	if (value.length > MIME_FIELD_MAX) {
		value.length = MIME_FIELD_MAX;
		mime->names_cut = true;
	}
	read_field(mime, name, value);
}

/* The type that a part says it has; else, or where it says nonsense, what RFC 2045 takes it for. */
static struct text entity_type(const struct mime *mime)
{
	if (mime->entity.type_length)
		return (struct text){ mime->entity.type, mime->entity.type_length };
	return mime->default_is_message ? TEXT_LITERAL("message/rfc822") : TEXT_LITERAL("text/plain");
}

static void note_attachment(struct mime *mime)
{
	const struct mime_entity *entity = &mime->entity;

	if (!entity->has_name)
		return;
	if (mime->attachments++ >= mime->max_attachments) {
		mime->attachments_limited = true;
		return;
	}
	/* Both lists end at the same attachment. */
	mime->names_bytes += entity->name_length + 4;
	mime->types_bytes += entity_type(mime).length + 4;
	if (mime->names_bytes > MIME_NAMES_BYTES || mime->types_bytes > MIME_NAMES_BYTES) {
		mime->names_cut = true;
		return;
	}
	struct mime_attachment *attachment = arena_alloc(mime->arena, sizeof *attachment);
	struct text name = arena_copy(mime->arena, (struct text){ entity->name, entity->name_length });
	struct text type = arena_copy(mime->arena, entity_type(mime));

	if (!attachment || !name.start || !type.start) {
		mime->names_cut = true;
		return;
	}
	*attachment = (struct mime_attachment){ .name = name, .type = type };
	if (mime->last)
		mime->last->next = attachment;
	else
		mime->first = attachment;
	mime->last = attachment;
}

static bool is_message(const struct mime *mime)
{
	struct text type = entity_type(mime);

	if (mime->entity.is_encoded)
		return false;
	return text_is(type, "message/rfc822") || text_is(type, "message/global");
}

static void push_level(struct mime *mime)
{
	struct mime_level *level = &mime->levels[mime->depth++];

	level->is_digest = text_is(entity_type(mime), "multipart/digest");
	level->length = mime->entity.boundary_length;
	memcpy(level->boundary, mime->entity.boundary, level->length);
}

static void end_of_header(struct mime *mime)
{
	note_attachment(mime);
	mime->in_header = false;
	if (text_starts(entity_type(mime), "multipart/") && mime->entity.boundary_length) {
		if (mime->depth < MIME_DEPTH_MAX) {
			push_level(mime);
			clear_entity(&mime->entity);
			return;
		}
		mime->parts_limited = true;
	} else if (is_message(mime)) {
		/* Its header follows at once. */
		mime->in_header = true;
		mime->default_is_message = false;
		clear_entity(&mime->entity);
		return;
	}
	mime->parts++;
	clear_entity(&mime->entity);
}

/* The field that was collected is complete. */
static void flush_field(struct mime *mime)
{
	struct text value = { mime->field, mime->field_length };
	const char *colon = value.length ? memchr(value.start, ':', value.length) : NULL;

	mime->field_length = 0;
	if (!colon)
		return;
	struct text name = { value.start, (size_t)(colon - value.start) };

	while (name.length && (name.start[name.length - 1] == ' ' || name.start[name.length - 1] == '\t'))
		name.length--;
	value.start = colon + 1;
	value.length = value.length - (size_t)(colon + 1 - mime->field);
	read_field(mime, name, value);
}

static void append_field(struct mime *mime, struct text line)
{
	size_t room = MIME_FIELD_MAX - mime->field_length;

	if (line.length > room) {
		line.length = room;
		mime->names_cut = true;
	}
	memcpy(mime->field + mime->field_length, line.start, line.length);
	mime->field_length += line.length;
}

static void header_line(struct mime *mime, struct text line)
{
	if (line.length == 0) {
		flush_field(mime);
		end_of_header(mime);
		return;
	}
	if (line.start[0] == ' ' || line.start[0] == '\t') {
		if (mime->field_length)
			append_field(mime, line);
		return;
	}
	flush_field(mime);
	if (line.length >= 8 && strncasecmp(line.start, "content-", 8) == 0) {
		if (mime->line_is_long)
			mime->names_cut = true;
		append_field(mime, line);
	}
}

/* Whether line is the delimiter of a level: 0 no, 1 a part begins, 2 the last part ended. Behind
 * the boundary only blanks may stand, so that one boundary can be the head of another. */
static int delimiter(const struct mime_level *level, struct text line)
{
	if (line.length < level->length + 2 || memcmp(line.start + 2, level->boundary, level->length) != 0)
		return 0;
	size_t at = level->length + 2;
	bool is_last = line.length >= at + 2 && line.start[at] == '-' && line.start[at + 1] == '-';

	if (is_last)
		at += 2;
	while (at < line.length && (line.start[at] == ' ' || line.start[at] == '\t'))
		at++;
	return at < line.length ? 0 : is_last ? 2 : 1;
}

static void begin_part(struct mime *mime)
{
	if (mime->parts >= mime->max_parts) {
		/* Counted, not looked into. */
		mime->parts_limited = true;
		mime->parts++;
		return;
	}
	mime->in_header = true;
	mime->default_is_message = mime->levels[mime->depth - 1].is_digest;
}

/* A line that starts with "--": ends the parts inside of the level whose delimiter it is. */
static bool boundary_line(struct mime *mime, struct text line)
{
	if (mime->line_is_long || line.length < 2 || line.start[0] != '-' || line.start[1] != '-')
		return false;
	for (size_t depth = mime->depth; depth > 0; depth--) {
		int found = delimiter(&mime->levels[depth - 1], line);

		if (!found)
			continue;
		if (mime->in_header) {
			flush_field(mime);
			/* A part without an empty line: what it says of itself still counts, but
			 * nothing can follow inside of it. */
			mime->entity.boundary_length = 0;
			mime->entity.is_encoded = true;
			end_of_header(mime);
		}
		mime->depth = found == 2 ? depth - 1 : depth;
		if (found == 1)
			begin_part(mime);
		return true;
	}
	return false;
}

static void take_line(struct mime *mime)
{
	struct text line = { mime->line, mime->line_length };

	if (line.length && !mime->line_is_long && line.start[line.length - 1] == '\r')
		line.length--;
	if (!boundary_line(mime, line) && mime->in_header)
		header_line(mime, line);
	mime->line_length = 0;
	mime->line_is_long = false;
}

static void append_line(struct mime *mime, struct text piece)
{
	size_t room = MIME_LINE_MAX - mime->line_length;

	if (piece.length > room) {
		piece.length = room;
		mime->line_is_long = true;
	}
	memcpy(mime->line + mime->line_length, piece.start, piece.length);
	mime->line_length += piece.length;
}

static void begin_body(struct mime *mime)
{
	mime->body_begun = true;
	mime->type = arena_copy(mime->arena, entity_type(mime));
	end_of_header(mime);
}

void mime_body(struct mime *mime, struct text chunk)
{
	if (!mime->body_begun)
		begin_body(mime);
	while (chunk.length && (mime->depth || mime->in_header)) {
		const char *newline = memchr(chunk.start, '\n', chunk.length);
		size_t length = newline ? (size_t)(newline - chunk.start) : chunk.length;

		/* Content: only a line that starts like a delimiter is worth a look. */
		if (!mime->in_header && !mime->line_length && length && chunk.start[0] != '-')
			mime->is_skipping = true;
		if (!mime->is_skipping)
			append_line(mime, (struct text){ chunk.start, length });
		if (newline) {
			if (!mime->is_skipping)
				take_line(mime);
			mime->is_skipping = false;
			length++;
		}
		chunk.start += length;
		chunk.length -= length;
	}
}

void mime_finish(struct mime *mime)
{
	if (!mime->body_begun)
		begin_body(mime);
	if (mime->line_length && !mime->is_skipping)
		take_line(mime);
	if (mime->in_header) {
		flush_field(mime);
		mime->entity.boundary_length = 0;
		mime->entity.is_encoded = true;
		end_of_header(mime);
	}
}
