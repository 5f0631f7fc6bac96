/*
 * export.h - transactions for other programs: one file export_NAME.c for each form, which exports one struct export_form.
 *
 * A row is a recipient with its message and session, a message without recipients, a session without messages, or a
 * login. What came from outside is harmless in each form: quoted, escaped, and valid UTF-8.
 *
 * Threads: one owner at a time.
 */
#ifndef SMTPTRAIL_EXPORT_H
#define SMTPTRAIL_EXPORT_H

#include <stdio.h>

#include "analysis/columns.h"

#define EXPORT_COLUMNS COLUMNS_USUAL ",number,host,queue_id,message_id,header_from,subject,client_addr,client_name,helo,auth_authen," \
	"tls_version,relay,dsn,reply,rule,reason,delay,tries"
enum { EXPORT_MOMENTS = REPORT_MESSAGE | REPORT_RECIPIENT | REPORT_SESSION | REPORT_LOGIN };

struct export_form {
	const char *name;
	bool has_columns;		/* that may be chosen */
	/* Before the first row; may be NULL. */
	void (*begin)(const struct columns *columns, FILE *out);
	void (*row)(const struct columns *columns, const struct report_row *row, FILE *out);
};

extern const struct export_form export_ndjson, export_csv, export_sql;

/* NULL: there is none of the name. */
const struct export_form *export_form_by_name(const char *name);

#endif
