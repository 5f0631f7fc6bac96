/*
 * conf.c - a table of options, filled from a file.
 *
 * libconfuse reads the file's form. What its version 3.3 does badly is kept from it by a scan beforehand: it
 * counts comment lines three times, so it is given none; a string left open spoils the next file it
 * reads; outside quotes + ( ) * vanish; ${NAME} becomes the environment's value; \x and \0 in
 * strings make any byte. What is refused there has its line and reason like everything else.
 */
#include "conf.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_value.h"
#include "near.h"
#include "text.h"

enum { FILE_MAX = 256 * 1024, NAME_MAX_SHOWN = 60 };

#define FORM "a line is NAME = VALUE, or NAME = { VALUE, VALUE }; a value that holds blanks or signs stands in quotes"

struct reader {
	const struct conf_option *options;
	void *values;
	const char *file;
	struct problem *problem;
	int error;
	char *text;		/* the file, terminated */
	unsigned *given_at;	/* for each option its line; 0: not given */
	const cfg_t *section;	/* the last section with a title that had an option, and which of them: libconfuse does not mind */
	unsigned given_within;	/* a bit for each */
};

/* libconfuse's scanner lives in global variables, and its callbacks carry nothing of ours. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *library_reader;

static size_t count_options(const struct conf_option *options)
{
	size_t count = 0;

	while (options[count].name)
		count++;
	return count;
}

/* The first failure is the one that is told. */
__attribute__((format(printf, 3, 4)))
static int fail(struct reader *reader, unsigned line, const char *format, ...)
{
	char words[sizeof reader->problem->text];
	va_list arguments;

	if (reader->error)
		return reader->error;
	va_start(arguments, format);
	(void)vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	problem_set(reader->problem, "%.200s:%u: %s", reader->file, line, words);
	return reader->error = -EINVAL;
}

/* The file's own failures. */
static int fail_file(struct reader *reader, int error, const char *what)
{
	problem_set(reader->problem, "cannot read the configuration '%.200s': %s", reader->file, what);
	return reader->error = error;
}

/* ---- the file ---- */

static int read_all(struct reader *reader, int descriptor)
{
	size_t length = 0;

	while (length <= FILE_MAX) {
		ssize_t got = read(descriptor, reader->text + length, FILE_MAX + 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_file(reader, -errno, strerror(errno));
		if (got == 0)
			break;
		length += (size_t)got;
	}
	if (length > FILE_MAX)
		return fail_file(reader, -EFBIG, "it is larger than 256K");
	reader->text[length] = '\0';
	if (strlen(reader->text) != length) {
		unsigned line = 1;

		for (const char *at = reader->text; *at; at++)
			line += *at == '\n';
		return fail(reader, line, "a NUL byte; allowed: text");
	}
	return 0;
}

static int load(struct reader *reader)
{
	/* Without waiting: the name may be a pipe's that nobody writes to. */
	int descriptor = open(reader->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error;
	struct stat stat;

	if (descriptor < 0)
		return fail_file(reader, -errno, strerror(errno));
	if (fstat(descriptor, &stat) != 0)
		error = fail_file(reader, -errno, strerror(errno));
	else if (!S_ISREG(stat.st_mode))
		error = fail_file(reader, -EINVAL, "it is not a regular file");
	else
		error = read_all(reader, descriptor);
	close(descriptor);
	return error;
}

/* ---- the scan before libconfuse ---- */

struct scan {
	struct reader *reader;
	char *at;
	unsigned line;
	unsigned depth;		/* of braces */
	unsigned section_line;	/* where the last section begins; 0: none */
	struct text word;	/* the last word or string; none after a sign */
	struct text earlier;	/* the one before it */
	bool adds;		/* behind the + of += */
};

/* Overwrites a comment with blanks, so that lines keep their numbers. */
static void blank(struct scan *scan, const char *end)
{
	for (; scan->at < end; scan->at++) {
		scan->line += *scan->at == '\n';
		if (*scan->at != '\n')
			*scan->at = ' ';
	}
}

static int scan_block_comment(struct scan *scan)
{
	const char *end = strstr(scan->at + 2, "*/");

	if (!end)
		return fail(scan->reader, scan->line, "a comment is not closed; allowed: /* ... */");
	blank(scan, end + 2);
	return 0;
}

static int scan_string(struct scan *scan)
{
	char quote = *scan->at;
	const char *start = ++scan->at;

	for (; *scan->at != quote; scan->at++) {
		if ((unsigned char)*scan->at < ' ' || *scan->at == 0x7f)
			return fail(scan->reader, scan->line, *scan->at == '\n' || *scan->at == '\0' ?
				    "a string is not closed on its line; allowed: %c...%c" :
				    "a control character in a string; allowed: text between %c and %c", quote, quote);
		if (*scan->at == '\\' && scan->at[1] != '\\' && scan->at[1] != quote)
			return fail(scan->reader, scan->line, "a backslash before '%.1s' in a string; allowed: \\\\ and \\%c",
				    (unsigned char)scan->at[1] < ' ' ? "" : scan->at + 1, quote);
		if (quote == '"' && scan->at[0] == '$' && scan->at[1] == '{')
			return fail(scan->reader, scan->line,
				    "'${' in a string: the environment is not read; allowed: the value itself, or '...' for these signs");
		scan->at += *scan->at == '\\';
	}
	scan->earlier = scan->word;
	scan->word = (struct text){ start, (size_t)(scan->at - start) };
	scan->at++;
	return 0;
}

/* The option that the section is of which begins here, where it is one that has a title; NULL: none. */
static const struct conf_option *titled_option(const struct scan *scan, struct text name)
{
	for (const struct conf_option *option = scan->reader->options; scan->depth == 0 && option->name; option++)
		if (option->type == CONF_SECTIONS && text_is(name, option->name))
			return option;
	return NULL;
}

/* A title is a name that people type: one that no shell or query would take apart. */
static int scan_title(struct scan *scan, const struct conf_option *option)
{
	struct text title = scan->word;
	size_t plain = 0;

	while (plain < title.length && title.start[plain] &&
	       strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", title.start[plain]))
		plain++;
	if (title.length == 0 || plain < title.length || title.length > CONF_TITLE_MAX)
		return fail(scan->reader, scan->line, "%s '%.*s%s' is no name; allowed: 1 to %d letters, digits, _, - and .",
			    option->name, (int)(title.length > 60 ? 60 : title.length), title.start,
			    title.length > 60 ? "..." : "", CONF_TITLE_MAX);
	if (!scan->reader->given_at[option - scan->reader->options])
		scan->reader->given_at[option - scan->reader->options] = scan->line;
	return 0;
}

/* Remembers that an option, or a section, is given, which libconfuse does not tell; a list that is not added to begins
 * anew. */
static int scan_given(struct scan *scan)
{
	struct reader *reader = scan->reader;

	for (size_t i = 0; scan->depth == 0 && reader->options[i].name; i++) {
		if (!text_is(scan->word, reader->options[i].name))
			continue;
		if (reader->given_at[i])
			return fail(reader, scan->line, "%s is given again, it stands in line %u; allowed: once",
				    reader->options[i].name, reader->given_at[i]);
		reader->given_at[i] = scan->line;
		if (reader->options[i].type == CONF_LIST && !scan->adds)
			conf_value_clear(&reader->options[i], reader->values);
	}
	return 0;
}

static int scan_sign(struct scan *scan)
{
	char sign = *scan->at;
	int error = 0;

	if (sign == '(' && text_is(scan->word, "include"))
		return fail(scan->reader, scan->line, "include() is not known; allowed: all options in one file");
	if (strchr("()*", sign) || (sign == '+' && scan->at[1] != '='))
		return fail(scan->reader, scan->line, "'%c' outside quotes; %s", sign, FORM);
	const struct conf_option *titled = sign == '{' && scan->earlier.start ? titled_option(scan, scan->earlier) : NULL;

	if (titled)
		error = scan_title(scan, titled);
	else if ((titled = titled_option(scan, scan->word)) != NULL)
		error = fail(scan->reader, scan->line, "%s has no name; allowed: %s \"NAME\" { ... }", titled->name, titled->name);
	else if (sign == '=' || (sign == '{' && scan->word.length))
		error = scan_given(scan);
	if (sign == '{' && scan->depth == 0)
		scan->section_line = scan->word.length ? scan->line : 0;
	scan->adds = sign == '+';
	if (sign == '{')
		scan->depth++;
	else if (sign == '}' && scan->depth)
		scan->depth--;
	if (sign != '+')
		scan->word = scan->earlier = TEXT_NONE;
	scan->at++;
	return error;
}

static int scan_word(struct scan *scan)
{
	const char *start = scan->at;
	size_t length = strcspn(start, " #\"'\t\n\r={}()+,*");

	scan->earlier = scan->word;
	scan->word = (struct text){ start, length };
	for (const char *byte = start; byte < start + length; byte++)
		if ((unsigned char)*byte < ' ' || *byte == 0x7f)
			return fail(scan->reader, scan->line, "a control character; allowed: text");
	scan->at += length;
	if (*scan->at == '{' && length && scan->at[-1] == '$')
		return fail(scan->reader, scan->line,
			    "'${': the environment is not read; allowed: the value itself, or '...' for these signs");
	return 0;
}

static int scan_next(struct scan *scan)
{
	switch (*scan->at) {
	case '\n': scan->line++; /* fall through */
	case ' ':
	case '\t':
	case '\r': scan->at++; return 0;
	case '#': blank(scan, scan->at + strcspn(scan->at, "\n")); return 0;
	case '"':
	case '\'': return scan_string(scan);
	default: break;
	}
	if (strchr("={}()+,*", *scan->at))
		return scan_sign(scan);
	if (strncmp(scan->at, "//", 2) == 0) {
		blank(scan, scan->at + strcspn(scan->at, "\n"));
		return 0;
	}
	if (strncmp(scan->at, "/*", 2) == 0)
		return scan_block_comment(scan);
	return scan_word(scan);
}

static int scan_text(struct reader *reader)
{
	struct scan scan = { .reader = reader, .at = reader->text, .line = 1 };
	int error = 0;

	while (*scan.at && !error)
		error = scan_next(&scan);
	/* libconfuse would not mind. */
	if (!error && scan.depth && scan.section_line)
		error = fail(reader, scan.section_line, "a section is not closed; allowed: NAME { NAME = VALUE ... }");
	return error;
}

/* ---- libconfuse ---- */

static const char *nearest_name(const struct conf_option *options, const char *name)
{
	struct near near;

	near_begin(&near, name);
	for (; options->name; options++)
		near_offer(&near, options->name);
	return near.name;
}

static void fail_unknown(struct reader *reader, unsigned line, const char *name)
{
	const char *nearest = nearest_name(reader->options, name);

	if (nearest)
		fail(reader, line, "unknown option '%.60s'; did you mean %s?", name, nearest);
	else
		fail(reader, line, "unknown option '%.60s'; allowed: the options of the manual page", name);
}

static const struct conf_option *find_option(const struct reader *reader, const char *name)
{
	for (const struct conf_option *option = reader->options; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

static void fail_unknown_within(struct reader *reader, const cfg_t *cfg, const char *name)
{
	const struct conf_option *section = find_option(reader, cfg->name);
	char allowed[256] = "";

	for (size_t i = 0, used = 0; section && section->within[i] && used < sizeof allowed; i++)
		used += (size_t)snprintf(allowed + used, sizeof allowed - used, i ? ", %s" : "%s", section->within[i]);
	fail(reader, (unsigned)cfg->line, "unknown option '%.60s' of %s '%s'; allowed: %s", name, cfg->name, cfg->title, allowed);
}

__attribute__((format(printf, 2, 0)))
static void on_error(cfg_t *cfg, const char *format, va_list arguments)
{
	struct reader *reader = library_reader;
	unsigned line = (unsigned)cfg->line;
	char words[160];

	(void)vsnprintf(words, sizeof words, format, arguments);
	static const char unknown[] = "no such option '";
	size_t length = strlen(words);

	if (strncmp(words, unknown, sizeof unknown - 1) == 0 && words[length - 1] == '\'') {
		const struct conf_option *section = find_option(reader, cfg->name);

		/* libconfuse complains of a free name too, before it takes it. */
		if (section && section->type == CONF_PAIRS)
			return;
		words[length - 1] = '\0';
		if (cfg->title)
			fail_unknown_within(reader, cfg, words + sizeof unknown - 1);
		else
			fail_unknown(reader, line, words + sizeof unknown - 1);
	} else if (strncmp(words, "found duplicate title", 21) == 0) {
		fail(reader, line, "a second section of the same name%s; allowed: each name once", words + 21);
	} else {
		fail(reader, line, "%s; %s", words, FORM);
	}
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct reader *reader = library_reader;
	struct problem problem = { "" };

	for (const struct conf_option *option = reader->options; option->name; option++) {
		if (strcmp(option->name, opt->name) != 0)
			continue;
		int error = conf_value_set(option, reader->values, value, &problem);

		if (error == -EINVAL)
			fail(reader, (unsigned)cfg->line, "%s", problem.text);
		else if (error)
			reader->error = error;
	}
	*(const char **)result = value;
	return reader->error != 0;
}

/* An option in a section that has a title. */
static int on_value_within(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct reader *reader = library_reader;
	const struct conf_option *section = find_option(reader, cfg->name);
	struct problem problem = { "" };
	unsigned bit = 1;

	for (size_t i = 0; section->within[i] && strcmp(section->within[i], opt->name) != 0; i++)
		bit <<= 1;
	if (reader->section == cfg && reader->given_within & bit)
		fail(reader, (unsigned)cfg->line, "%s is given again in %s '%s'; allowed: once", opt->name, cfg->name, cfg->title);
	else if (conf_value_check_within(section, cfg->title, opt->name, value, &problem) != 0)
		fail(reader, (unsigned)cfg->line, "%s", problem.text);
	reader->given_within = reader->section == cfg ? reader->given_within | bit : bit;
	reader->section = cfg;
	*(const char **)result = value;
	return reader->error != 0;
}

static cfg_opt_t no_options[] = { CFG_END() };

/* within: room for the options of a section, which libconfuse copies. */
static cfg_opt_t known_option(const struct conf_option *option, cfg_opt_t within[CONF_WITHIN_MAX + 1])
{
	cfg_opt_t scalar = CFG_STR_CB(option->name, NULL, CFGF_NODEFAULT, on_value);
	cfg_opt_t list = CFG_STR_LIST_CB(option->name, NULL, CFGF_NODEFAULT, on_value);
	cfg_opt_t rows = CFG_SEC(option->name, no_options, CFGF_KEYSTRVAL);
	cfg_opt_t sections = CFG_SEC(option->name, within, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);
	size_t count = 0;

	if (option->type != CONF_SECTIONS)
		return option->type == CONF_LIST ? list : option->type == CONF_PAIRS ? rows : scalar;
	for (; option->within[count]; count++) {
		cfg_opt_t one = CFG_STR_CB(option->within[count], NULL, CFGF_NODEFAULT, on_value_within);

		within[count] = one;
	}
	within[count] = (cfg_opt_t)CFG_END();
	return sections;
}

static void read_titled_section(struct reader *reader, const struct conf_option *option, cfg_t *section)
{
	const char *texts[CONF_WITHIN_MAX];

	for (size_t i = 0; option->within[i]; i++)
		texts[i] = cfg_getstr(section, option->within[i]);
	if (!texts[0])
		fail(reader, (unsigned)section->line, "%s '%s' ends without %s; allowed: %s = TEXT in it", option->name,
		     cfg_title(section), option->within[0], option->within[0]);
	else if (conf_value_add_section(option, reader->values, cfg_title(section), texts) != 0)
		reader->error = -ENOMEM;
}

/* The rows of a section, whose names are free. */
static void read_section(struct reader *reader, size_t index, cfg_t *section)
{
	const struct conf_option *option = &reader->options[index];
	struct problem problem = { "" };
	cfg_opt_t *row;

	for (unsigned i = 0; section && !reader->error && (row = cfg_getnopt(section, i)) != NULL; i++) {
		int error = conf_value_add_pair(option, reader->values, cfg_opt_name(row), cfg_opt_getstr(row), &problem);

		if (error == -EINVAL)
			fail(reader, reader->given_at[index], "%s", problem.text);
		else if (error)
			reader->error = error;
	}
}

static int parse_locked(struct reader *reader, cfg_opt_t *known)
{
	cfg_t *cfg = cfg_init(known, CFGF_NONE);

	if (!cfg)
		return reader->error = -ENOMEM;
	cfg_set_error_function(cfg, on_error);
	library_reader = reader;
	if (cfg_parse_buf(cfg, reader->text) != CFG_SUCCESS)
		fail(reader, (unsigned)cfg->line, "not understood; %s", FORM);
	for (size_t i = 0; reader->options[i].name && !reader->error; i++) {
		const struct conf_option *option = &reader->options[i];

		if (option->type == CONF_PAIRS && reader->given_at[i])
			read_section(reader, i, cfg_getsec(cfg, option->name));
		for (unsigned j = 0; option->type == CONF_SECTIONS && j < cfg_size(cfg, option->name) && !reader->error; j++)
			read_titled_section(reader, option, cfg_getnsec(cfg, option->name, j));
	}
	library_reader = NULL;
	cfg_free(cfg);
	return reader->error;
}

static int parse(struct reader *reader)
{
	size_t count = count_options(reader->options);
	/* Behind them the options of their sections. */
	cfg_opt_t *known = calloc(count + 1 + count * (CONF_WITHIN_MAX + 1), sizeof *known);

	if (!known)
		return reader->error = -ENOMEM;
	for (size_t i = 0; i < count; i++)
		known[i] = known_option(&reader->options[i], known + count + 1 + i * (CONF_WITHIN_MAX + 1));
	known[count] = (cfg_opt_t)CFG_END();
	pthread_mutex_lock(&library_lock);
	int error = parse_locked(reader, known);

	pthread_mutex_unlock(&library_lock);
	free(known);
	return error;
}

static int check_counts(struct reader *reader)
{
	for (size_t i = 0; reader->options[i].name && !reader->error; i++) {
		struct problem problem;

		if (conf_value_check_count(&reader->options[i], reader->values, &problem) != 0)
			fail(reader, reader->given_at[i], "%s", problem.text);
	}
	return reader->error;
}

static void note_given(const struct reader *reader)
{
	for (size_t i = 0; reader->options[i].name; i++)
		if (reader->options[i].given_offset && reader->given_at[i])
			*(bool *)((char *)reader->values + reader->options[i].given_offset) = true;
}

static int read_file(struct reader *reader)
{
	int error = -ENOMEM;

	reader->text = malloc(FILE_MAX + 2);
	reader->given_at = calloc(count_options(reader->options) + 1, sizeof *reader->given_at);
	if (reader->text && reader->given_at) {
		error = load(reader);
		if (!error)
			error = scan_text(reader);
		if (!error)
			error = parse(reader);
		if (!error)
			error = check_counts(reader);
		if (!error)
			note_given(reader);
	}
	free(reader->given_at);
	free(reader->text);
	return error;
}

const char *conf_find(const char *asked, const char *usual)
{
	if (asked)
		return asked;
	/* One that is there but cannot be read is a failure, not a reason to go on without. */
	return access(usual, F_OK) == 0 || errno != ENOENT ? usual : NULL;
}

int conf_read(const struct conf_option *options, void *values, const char *file, struct problem *problem)
{
	struct problem own;
	struct reader reader = { .options = options, .values = values, .file = file, .problem = problem ? problem : &own };
	int error = 0;

	reader.problem->text[0] = '\0';
	for (const struct conf_option *option = options; option->name; option++) {
		/* Whatever the caller's memory held. */
		if (option->type == CONF_TEXT || option->type == CONF_PATH || conf_value_is_list(option))
			memset((char *)values + option->offset, 0,
			       conf_value_is_list(option) ? sizeof(struct conf_list) : sizeof(char *));
	}
	for (const struct conf_option *option = options; option->name && !error; option++)
		error = conf_value_set_initial(option, values, problem);
	if (!error && file)
		error = read_file(&reader);
	if (error)
		conf_done(options, values);
	if (error == -ENOMEM)
		problem_set(problem, "cannot read the configuration: no memory");
	return error;
}

void conf_done(const struct conf_option *options, void *values)
{
	for (; options->name; options++)
		conf_value_clear(options, values);
}

int conf_check_key(const char *text, struct problem *problem)
{
	for (const char *byte = text; *byte; byte++)
		if (*byte <= ' ' || *byte > '~' || strchr("{}", *byte)) {
			problem_set(problem, "'%.80s' is no begin of a key; allowed: printable ASCII without braces and blanks",
				    text);
			return -EINVAL;
		}
	return 0;
}

/* ---- two sets of values ---- */

void conf_compare(const struct conf_option *options, const void *before, const void *after,
		  char *ret_names, size_t size)
{
	size_t used = 0;

	if (size)
		ret_names[0] = '\0';
	for (; options->name; options++) {
		if (options->can_reload || conf_value_equal(options, before, after))
			continue;
		int length = snprintf(ret_names + used, size - used, "%s%s", used ? ", " : "", options->name);

		if (length < 0 || (size_t)length >= size - used)
			return;
		used += (size_t)length;
	}
}

static void digest_text(const char *text, size_t length, char ret_hex[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(text, length, digest, NULL, EVP_sha256(), NULL) != 1)
		return;
	for (int i = 0; i < 32; i++)
		(void)snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

void conf_digest(const struct conf_option *options, const void *values, char ret_hex[65])
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	ret_hex[0] = '\0';
	if (!out)
		return;
	for (; options->name; options++) {
		fprintf(out, "%s = ", options->name);
		conf_value_print(options, values, out);
		fputc('\n', out);
	}
	if (fclose(out) == 0)
		digest_text(text, length, ret_hex);
	free(text);
}
