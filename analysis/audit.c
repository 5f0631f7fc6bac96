/* audit.c - the family of audits, and what their findings have in common. */
#include "analysis/audit.h"

#include <arpa/inet.h>
#include <stdio.h>

#define AUDIT(name) extern const struct report audit_##name;
#include "analysis/audits.inc"
#undef AUDIT

const struct report *const audit_table[] = {
#define AUDIT(name) &audit_##name,
#include "analysis/audits.inc"
#undef AUDIT
	NULL,
};

const struct audit_limit_info audit_limits[] = {
#define AUDIT_LIMIT(audit, id, number, meaning) { #audit, meaning, number },
#include "analysis/audit_limits.def"
#undef AUDIT_LIMIT
	{ NULL, NULL, 0 },
};

const struct report *audit_by_name(const char *name)
{
	for (const struct report *const *audit = audit_table; *audit; audit++)
		if (strcmp((*audit)->name, name) == 0)
			return *audit;
	return NULL;
}

static const char *const severities[SEVERITY_COUNT] = { "notice", "warning", "critical" };

bool severity_by_name(const char *name, enum severity *ret_severity)
{
	for (int i = 0; i < SEVERITY_COUNT; i++)
		if (strcmp(name, severities[i]) == 0) {
			*ret_severity = (enum severity)i;
			return true;
		}
	return false;
}

/* The rank is for sorting: it is not shown. */
enum { SEVERITY, FINDING, SUBJECT, SOURCE, COUNT, SHARE, DETAIL, COLUMNS };

static const struct table_column columns[COLUMNS] = {
	[SEVERITY] = { "severity", "Severity", CELL_TEXT, true }, [FINDING] = { "finding", "Finding", CELL_TEXT, false },
	[SUBJECT] = { "subject", "Who", CELL_TEXT, false }, [SOURCE] = { "source", "From", CELL_TEXT, false },
	[COUNT] = { "count", "Count", CELL_NUMBER, false }, [SHARE] = { "share", "Share", CELL_SHARE, false },
	[DETAIL] = { "detail", "More", CELL_TEXT, false },
};

struct table *audit_table_new(const char *name, const char *title)
{
	return table_new(name, title, columns, COLUMNS);
}

static void put_term(struct table *table, const struct audit_term *term)
{
	struct text query = table_row(table, table_row_count(table) - 1)->query;

	if (term->value.length)
		report_put_query(table, term->field, term->value);
	else if (term->value.start && query.start)
		table_put_query(table, "%.*s -%s:?*", TEXT_ARGS(query), term->field);
}

void audit_put(struct table *table, const struct audit_finding *finding)
{
	if (!table)
		return;
	table_begin_row(table);
	table_put_text(table, text_of(severities[finding->severity]));
	table_put_text(table, text_of(finding->what));
	table_put_text(table, finding->subject);
	table_put_text(table, finding->source);
	table_put_number(table, finding->count);
	table_put_share(table, finding->count, finding->all);
	table_put_text(table, finding->detail);
	if (!finding->query)
		return;
	table_put_query(table, "%s", finding->query);
	if (finding->subject_field && finding->subject.start)
		report_put_query(table, finding->subject_field, finding->subject);
	if (finding->source_field && finding->source.start)
		report_put_query(table, finding->source_field, finding->source);
	for (unsigned i = 0; i < AUDIT_ASKED_MAX && finding->asked[i].field; i++)
		put_term(table, &finding->asked[i]);
}

static int severity_of(const struct table_row *row)
{
	enum severity severity = SEVERITY_NOTICE;

	for (int i = 0; i < SEVERITY_COUNT; i++)
		if (text_is(row->cells[SEVERITY].text, severities[i]))
			severity = (enum severity)i;
	return (int)severity;
}

static int compare(const struct table_row *a, const struct table_row *b)
{
	int graver = severity_of(b) - severity_of(a);

	if (graver)
		return graver;
	return (a->cells[COUNT].number < b->cells[COUNT].number) - (a->cells[COUNT].number > b->cells[COUNT].number);
}

static bool has_column(const struct table *table, const char *name)
{
	for (unsigned i = 0; i < table_column_count(table); i++)
		if (strcmp(table_columns(table)[i].name, name) == 0)
			return true;
	return false;
}

void audit_emit(struct table *table, const struct report_options *options, report_emit *emit, void *context)
{
	struct report_options all = *options;

	/* The gravest stay, whatever they are then sorted by. */
	if (table)
		table_sort_by(table, compare, options->top);
	all.top = 0;
	if (table && options->by && has_column(table, options->by))
		report_sort(table, &all, options->by);
	emit(context, table);
}

bool audit_gravest(const struct table *table, enum severity *ret_severity)
{
	int gravest = -1;

	for (size_t i = 0; i < table_row_count(table); i++) {
		int severity = severity_of(table_row(table, i));

		gravest = severity > gravest ? severity : gravest;
	}
	if (gravest < 0)
		return false;
	*ret_severity = (enum severity)gravest;
	return true;
}

struct text audit_network(struct text address, char *scratch)
{
	char words[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (!address.start || address.length >= sizeof words)
		return address;
	memcpy(words, address.start, address.length);
	words[address.length] = '\0';
	if (inet_pton(AF_INET, words, bytes) == 1) {
		(void)snprintf(scratch, AUDIT_NETWORK_SIZE, "%u.%u.%u.0/24", bytes[0], bytes[1], bytes[2]);
		return text_of(scratch);
	}
	if (inet_pton(AF_INET6, words, bytes) != 1)
		return address;
	memset(bytes + 6, 0, 10);
	if (!inet_ntop(AF_INET6, bytes, words, sizeof words))
		return address;
	(void)snprintf(scratch, AUDIT_NETWORK_SIZE, "%s/48", words);
	return text_of(scratch);
}

bool audit_is_address(struct text text)
{
	char scratch[AUDIT_NETWORK_SIZE];

	return text.start && audit_network(text, scratch).start == scratch;
}
