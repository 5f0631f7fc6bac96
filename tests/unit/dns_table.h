/*
 * dns_table.h - a struct dns that answers from lines of text, for tests, fuzzing and benches.
 *
 * A line is NAME TYPE DATA:  example.com MX 10 mail.example.com
 * TYPE is A, AAAA, MX, PTR, TXT (the rest of the line, as it is) or CNAME; TEMP or BOGUS make every
 * question for the name end so, ANY only makes the name exist.
 *
 * Threads: filling: one; asking: any.  Answers come inside dns_ask.
 */
#ifndef SMTPTRAIL_TESTS_DNS_TABLE_H
#define SMTPTRAIL_TESTS_DNS_TABLE_H

#include "common/auth/dns.h"

struct dns_table;

struct dns_table *dns_table_new(const char *lines);	/* NULL lines: empty */
void dns_table_free(struct dns_table *table);
/* The same as a line, for names with blanks and data with line ends. */
void dns_table_add_record(struct dns_table *table, struct text name, struct text type, struct text data);
struct dns *dns_table_source(struct dns_table *table);
unsigned dns_table_asked(const struct dns_table *table);

#endif
