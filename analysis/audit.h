/*
 * audit.h - what deserves a look: one file audit_NAME.c that exports one struct report, whose table is of findings.
 *
 * An audit counts as a report does (report.h); its show() judges what was counted. All audits have the same columns, so
 * that one table, one exit status and one page show all of them.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_AUDIT_H
#define SMTPTRAIL_AUDIT_H

#include "analysis/report.h"

enum severity { SEVERITY_NOTICE, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };

/* In the order of their names, NULL last. */
extern const struct report *const audit_table[];

const struct report *audit_by_name(const char *name);

/* From what on an audit finds something. */
enum audit_limit {
#define AUDIT_LIMIT(audit, id, number, meaning) AUDIT_##id = (number),
#include "analysis/audit_limits.def"
#undef AUDIT_LIMIT
};

struct audit_limit_info {
	const char *audit, *meaning;
	unsigned number;
};
extern const struct audit_limit_info audit_limits[];	/* the last has no audit */

bool severity_by_name(const char *name, enum severity *ret_severity);

enum { AUDIT_ASKED_MAX = 4 };

/* A finding: what, about whom, from where, how often, of how many, more of it. */
struct audit_finding {
	enum severity severity;
	const char *what;
	struct text subject, source;	/* absent: it has none */
	uint64_t count, all;		/* all 0: not of a whole */
	struct text detail;
	const char *query;		/* begin of what finds what is behind the count, as many rows where it counts rows; NULL: nothing does */
	const char *subject_field, *source_field;	/* fields of the query; NULL: not asked for */
	/* What is asked for beside, to the first without a field. Absent: it is not; empty: it is not known, or empty. */
	struct audit_term {
		const char *field;
		struct text value;
	} asked[AUDIT_ASKED_MAX];
};

struct table *audit_table_new(const char *name, const char *title);
void audit_put(struct table *table, const struct audit_finding *finding);
/* Sorts by severity and count; leaves the first. */
void audit_emit(struct table *table, const struct report_options *options, report_emit *emit, void *context);
/* The gravest of the rows; false: there is none. */
bool audit_gravest(const struct table *table, enum severity *ret_severity);

/* "192.0.2.0/24", "2001:db8::/48": the network that an address is counted in. The address itself where it is none. */
enum { AUDIT_NETWORK_SIZE = 64 };
struct text audit_network(struct text address, char *scratch);
bool audit_is_address(struct text text);

#endif
