/*
 * hosts.h - under which names one host is known: the section hosts of the configuration.
 *
 * A log calls a host by its short name, the MTA by myhostname, the milter by its option host; an instance of the MTA is
 * known by its syslog_name, and by the milter's option instance. A row NAME = HOST, or NAME = HOST/INSTANCE, ties a name
 * to a host; where NAME is itself HOST/SYSLOG_NAME, it ties the lines of that instance alone.
 *
 * Threads: constant once it is made.
 * Memory:  lends from the list of pairs it was made of.
 */
#ifndef SMTPTRAIL_HOSTS_H
#define SMTPTRAIL_HOSTS_H

#include "common/conf.h"
#include "common/text.h"

enum { HOSTS_MAX = 1000 };

struct hosts {
	const struct conf_list *pairs;	/* of config.hosts; NULL: none */
};

/* A check of a row's value, for the table of options. */
int hosts_check(const char *text, struct problem *problem);

/* What a name is tied to, whatever its case; false: nothing. ret_instance is absent where the row names none. */
bool hosts_find(const struct hosts *hosts, struct text name, struct text *ret_host, struct text *ret_instance);
/* The same for the lines of one instance. */
bool hosts_find_instance(const struct hosts *hosts, struct text host, struct text syslog_name, struct text *ret_host,
			 struct text *ret_instance);

#endif
