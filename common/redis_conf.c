/* redis_conf.c - from the configuration's words to those of a link. */
#include "redis_conf.h"

struct redis_options redis_conf_options(const struct redis_conf *conf)
{
	return (struct redis_options){
		.address = conf->address,
		.user = conf->user,
		.password_file = conf->password_file,
		.sentinel_user = conf->sentinel_user,
		.sentinel_password_file = conf->sentinel_password_file,
		.tls_ca_file = conf->tls_ca_file,
		.tls_certificate_file = conf->tls_certificate_file,
		.tls_key_file = conf->tls_key_file,
		.connect_timeout_us = conf->connect_timeout_us,
		.command_timeout_us = conf->command_timeout_us,
	};
}
