/* config.c - the table of options of smtptrail. */
#include "analysis/config.h"

#include <stddef.h>

#include "common/redis_link.h"
#include "common/stream.h"

enum { MILLISECOND = 1000, MINUTE = 60 * 1000 * MILLISECOND };

/* clang-format off */
#define AT(member) .offset = offsetof(struct config, member)

const struct conf_option config_options[] = {
	{ "redis_address", CONF_TEXT, "tcp:127.0.0.1:6379", 1, 0, NULL, "Redis",
	  "Address of Redis: unix:/PATH or tcp:HOST:PORT, an IPv6 address in brackets.",
	  false, AT(redis_address), redis_address_check },
	{ "redis_user", CONF_TEXT, "", 0, 256, NULL, NULL,
	  "User of Redis' access control; empty: its default user.", false, AT(redis_user), NULL },
	{ "redis_password_file", CONF_PATH, "", 0, 0, NULL, NULL,
	  "File whose first line is the password; empty: none.", false, AT(redis_password_file), NULL },
	{ "redis_connect_timeout", CONF_DURATION, "1s", 10 * MILLISECOND, MINUTE, NULL, NULL,
	  "How long a connect to Redis may take.", false, AT(redis_connect_timeout_us), NULL },
	{ "redis_command_timeout", CONF_DURATION, "2s", 10 * MILLISECOND, MINUTE, NULL, NULL,
	  "How long a reply of Redis may take.", false, AT(redis_command_timeout_us), NULL },
	{ "stream_prefix", CONF_TEXT, "smtptrail", 1, STREAM_PREFIX_MAX, NULL, NULL,
	  "Begin of the keys, as in smtptrail-milter.conf: the records are in the stream {PREFIX:0}:records.",
	  false, AT(stream_prefix), conf_check_key },
	{ "partitions", CONF_NUMBER, "1", 1, 1024, NULL, NULL,
	  "Streams that the records are spread over.", false, AT(partitions), NULL },

	{ "status_file", CONF_PATH, "/run/smtptrail/status.json", 1, 0, NULL, "Output",
	  "The milter's status file, as in smtptrail-milter.conf.", false, AT(status_file), NULL },
	{ "colour", CONF_CHOICE, "auto", 0, 0, "auto always never", NULL,
	  "Whether output is coloured. auto: on a terminal, unless NO_COLOR is set.", false, AT(colour), NULL },
	{ 0 },
};
/* clang-format on */

int config_read(struct config *ret_config, const char *file, struct problem *problem)
{
	return conf_read(config_options, ret_config, conf_find(file, SYSCONFDIR "/smtptrail/smtptrail.conf"), problem);
}

void config_done(struct config *config)
{
	conf_done(config_options, config);
}
