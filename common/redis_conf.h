/*
 * redis_conf.h - how Redis is reached, as both programs' configurations say it: the same options, defaults and limits.
 *
 * Threads: as conf.h.
 * Memory:  the strings are freed by conf_done, as those of all options.
 */
#ifndef SMTPTRAIL_REDIS_CONF_H
#define SMTPTRAIL_REDIS_CONF_H

#include <stddef.h>

#include "conf.h"
#include "redis_link.h"

/* A part of a struct config. */
struct redis_conf {
	char *address;
	char *user;
	char *password_file;
	char *sentinel_user;
	char *sentinel_password_file;
	char *tls_ca_file;
	char *tls_certificate_file;
	char *tls_key_file;
	uint64_t connect_timeout_us;
	uint64_t command_timeout_us;
};

/* Rows of that struct config's table, where member is a struct redis_conf of it; note: a sentence behind the time limits, or "". */
/* clang-format off */
#define REDIS_CONF_AT(config, member, part) .offset = offsetof(config, member) + offsetof(struct redis_conf, part)
#define REDIS_CONF_ROWS(config, member, note) \
	{ "redis_address", CONF_TEXT, "tcp:127.0.0.1:6379", 1, 0, NULL, "Redis", \
	  "Address of Redis: unix:/PATH or tcp:HOST:PORT, an IPv6 address in brackets; sentinel:HOST:PORT,HOST:PORT.../MASTER:" \
	  " the master that these sentinels name; cluster:HOST:PORT,HOST:PORT...: a cluster, by some of its nodes; tls:HOST:PORT," \
	  " sentinel+tls:..., cluster+tls:...: the same by TLS.", \
	  false, REDIS_CONF_AT(config, member, address), redis_address_check }, \
	{ "redis_user", CONF_TEXT, "", 0, 256, NULL, NULL, \
	  "User of Redis' access control; empty: its default user.", false, REDIS_CONF_AT(config, member, user), NULL }, \
	{ "redis_password_file", CONF_PATH, "", 0, 0, NULL, NULL, \
	  "File whose first line is the password; empty: none. It is read at each connect.", \
	  false, REDIS_CONF_AT(config, member, password_file), NULL }, \
	{ "redis_sentinel_user", CONF_TEXT, "", 0, 256, NULL, NULL, \
	  "User of the sentinels' own access control; empty: their default user.", \
	  false, REDIS_CONF_AT(config, member, sentinel_user), NULL }, \
	{ "redis_sentinel_password_file", CONF_PATH, "", 0, 0, NULL, NULL, \
	  "File whose first line is the sentinels' own password; empty: none.", \
	  false, REDIS_CONF_AT(config, member, sentinel_password_file), NULL }, \
	{ "redis_tls_ca_file", CONF_PATH, "", 0, 0, NULL, NULL, \
	  "Certificates (PEM) that may have signed those of the servers; empty: those that this machine trusts.", \
	  false, REDIS_CONF_AT(config, member, tls_ca_file), NULL }, \
	{ "redis_tls_certificate_file", CONF_PATH, "", 0, 0, NULL, NULL, \
	  "Our own certificate (PEM, with its chain), where Redis asks for one (tls-auth-clients); empty: none.", \
	  false, REDIS_CONF_AT(config, member, tls_certificate_file), NULL }, \
	{ "redis_tls_key_file", CONF_PATH, "", 0, 0, NULL, NULL, \
	  "Its key (PEM); empty: it is in the same file.", false, REDIS_CONF_AT(config, member, tls_key_file), NULL }, \
	{ "redis_connect_timeout", CONF_DURATION, "1s", REDIS_TIMEOUT_MIN_US, REDIS_TIMEOUT_MAX_US, NULL, NULL, \
	  "How long a connect to Redis may take." note, false, REDIS_CONF_AT(config, member, connect_timeout_us), NULL }, \
	{ "redis_command_timeout", CONF_DURATION, "2s", REDIS_TIMEOUT_MIN_US, REDIS_TIMEOUT_MAX_US, NULL, NULL, \
	  "How long a reply of Redis may take." note, false, REDIS_CONF_AT(config, member, command_timeout_us), NULL }
/* clang-format on */

enum { REDIS_TIMEOUT_MIN_US = 10 * 1000, REDIS_TIMEOUT_MAX_US = 60 * 1000 * 1000 };

/* For a link; borrows from the configuration. */
struct redis_options redis_conf_options(const struct redis_conf *conf);

#endif
