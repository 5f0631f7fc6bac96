/* test_config.c - the options of smtptrail-milter: their defaults, what fits together, snapshots. */
#include "milter/config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static char file_name[] = "/tmp/test_config.XXXXXX";

static int read_text(const char *text, struct config **ret_config, struct problem *problem)
{
	FILE *file = fopen(file_name, "w");

	if (!file)
		return -EIO;
	(void)fputs(text, file);
	(void)fclose(file);
	return config_read(ret_config, file_name, problem);
}

TEST(the_defaults_are_read_without_a_file)
{
	struct config *config;
	struct problem problem;

	CHECK_NUMBER(config_read(&config, NULL, &problem), 0);
	CHECK_STRING(problem.text, "");
	CHECK_STRING(config->socket, "inet:8891@127.0.0.1");
	CHECK_NUMBER(config->socket_mode, 0660);
	CHECK_NUMBER(config->idle_timeout_us, 7210000000);
	CHECK_NUMBER(config->front_size, 64 << 20);
	CHECK_NUMBER(config->header_keep.count, 10);
	CHECK_NUMBER(config->latency, CONFIG_LATENCY_LIVE);
	CHECK(config->file == NULL);
	CHECK_NUMBER(strlen(config->digest), 64);
	config_release(config_take(config));
	CHECK_STRING(config->instance, "milter");
	config_release(config);
	config_release(NULL);
}

TEST(the_options_of_the_checks_have_their_forms)
{
	struct config *config;
	struct problem problem;

	CHECK_NUMBER(config_read(&config, NULL, &problem), 0);
	CHECK(config->auth);
	CHECK(config_has_origin(&config->spf_origins, CONFIG_ORIGIN_INBOUND));
	CHECK(!config_has_origin(&config->spf_origins, CONFIG_ORIGIN_LOCAL));
	CHECK_NUMBER(config->dns_servers.count, 0);
	config_release(config);
	CHECK_NUMBER(read_text("dns_servers = { 192.0.2.1, \"2001:db8::1@5353\" }\nspf_engines = { libspf2, builtin }\n"
			       "dkim_origins = { inbound, local }\ndmarc_origins = { }\n", &config, &problem), 0);
	CHECK_NUMBER(config->dns_servers.count, 2);
	CHECK_STRING(config->spf_engines.items[0], "libspf2");
	CHECK(config_has_origin(&config->dkim_origins, CONFIG_ORIGIN_LOCAL));
	CHECK(!config_has_origin(&config->dmarc_origins, CONFIG_ORIGIN_INBOUND));
	config_release(config);
	CHECK_NUMBER(read_text("dns_servers = { dns.example }\n", &config, &problem), -EINVAL);
	CHECK_NUMBER(read_text("dns_servers = { \"192.0.2.1@70000\" }\n", &config, &problem), -EINVAL);
	CHECK_NUMBER(read_text("dns_servers = { \"192.0.2.1@\" }\n", &config, &problem), -EINVAL);
	CHECK_NUMBER(read_text("spf_engines = { }\n", &config, &problem), -EINVAL);
	CHECK_NUMBER(read_text("spf_origins = { outbound }\n", &config, &problem), -EINVAL);
}

TEST(a_network_has_the_addresses_that_begin_as_it_does)
{
	static const struct {
		const char *text;
		unsigned char bytes[16];
		unsigned family;
		bool wanted;
	} rows[] = {
		{ "192.0.2.0/24", { 192, 0, 2, 255 }, 4, true }, { "192.0.2.0/24", { 192, 0, 3, 0 }, 4, false },
		{ "192.0.2.8/29", { 192, 0, 2, 15 }, 4, true },  { "192.0.2.8/29", { 192, 0, 2, 16 }, 4, false },
		{ "192.0.2.1", { 192, 0, 2, 1 }, 4, true },	 { "192.0.2.1", { 192, 0, 2, 2 }, 4, false },
		{ "0.0.0.0/0", { 10, 1, 2, 3 }, 4, true },	 { "::/0", { 10, 1, 2, 3 }, 4, false },
		{ "2001:db8::/33", { 0x20, 1, 0xd, 0xb8, 0x7f }, 6, true },
		{ "2001:db8::/33", { 0x20, 1, 0xd, 0xb8, 0x80 }, 6, false },
		{ "fe80::1", { 0xfe, 0x80, [15] = 1 }, 6, true },	 { "fe80::1", { 0xfe, 0x80, [15] = 3 }, 6, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct spf_address address = { .family = rows[i].family };
		struct config *config;
		struct problem problem;
		char text[100];

		memcpy(address.bytes, rows[i].bytes, sizeof address.bytes);
		(void)snprintf(text, sizeof text, "local_networks = { '198.51.100.7', '%s' }", rows[i].text);
		CHECK_SAYING(read_text(text, &config, &problem) == 0, "%s", problem.text);
		CHECK_SAYING(config_is_local(config, &address) == rows[i].wanted, "row %zu, %s", i, rows[i].text);
		config_release(config);
	}
}

/* The sample, with every option's line made live, says nothing but the defaults. */
TEST(the_sample_file_reads_back_as_the_defaults)
{
	struct config *defaults, *sample;
	struct problem problem;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	conf_print_sample(config_options, out);
	(void)fclose(out);
	for (char *line = text; line; line = strchr(line + 1, '\n'))
		if (line[0] == '\n' && line[1] == '#' && line[2] >= 'a' && line[2] <= 'z')
			line[1] = ' ';
	CHECK_NUMBER(config_read(&defaults, NULL, &problem), 0);
	CHECK_SAYING(read_text(text, &sample, &problem) == 0, "%s", problem.text);
	CHECK_STRING(sample->digest, defaults->digest);
	CHECK_STRING(sample->file, file_name);
	config_release(sample);
	config_release(defaults);
	/* Each of them was live: a second one is one too many. */
	for (const struct conf_option *option = config_options; option->name; option++) {
		char *twice = NULL;

		CHECK(asprintf(&twice, "%s\n%s = x\n", text, option->name) > 0);
		CHECK_NUMBER(read_text(twice, &sample, &problem), -EINVAL);
		CHECK_SAYING(strstr(problem.text, "given again"), "%s: %s", option->name, problem.text);
		free(twice);
	}
	free(text);
}

static const struct {
	const char *text;
	const char *wanted;
} bad_files[] = {
	{ "socket = tcp:8891", "1: socket: 'tcp:8891' is no address of a milter; allowed: " },
	{ "socket = inet:0@localhost", "is no address of a milter" },
	{ "socket = inet:99999@localhost", "is no address of a milter" },
	{ "socket = inet:8891@", "is no address of a milter" },
	{ "socket = inet:8891", "is no address of a milter" },
	{ "socket = unix:relative", "is no address of a milter" },
	{ "redis_address = localhost", "1: redis_address: redis address 'localhost': wanted unix:/PATH or tcp:HOST:PORT" },
	{ "stream_prefix = 'a{b}'", "1: stream_prefix: 'a{b}' is no begin of a key; allowed: " },
	{ "header_keep = { 'a b' }", "1: header_keep: 'a b' is no name of a header field; allowed: " },
	{ "header_drop = { 'a:' }", "1: header_drop: 'a:' is no name of a header field; allowed: " },
	{ "local_networks = { '192.0.2.1/24' }", "1: local_networks: '192.0.2.1/24' is no network; allowed: ADDRESS or ADDRESS/PREFIX" },
	{ "local_networks = { '192.0.2.0/33' }", "'192.0.2.0/33' is no network" },
	{ "local_networks = { '192.0.2.0/' }", "'192.0.2.0/' is no network" },
	{ "local_networks = { '192.0.2.0/ 24' }", "'192.0.2.0/ 24' is no network" },
	{ "local_networks = { '192.0.2.0/24/8' }", "'192.0.2.0/24/8' is no network" },
	{ "local_networks = { '2001:db8::/129' }", "'2001:db8::/129' is no network" },
	{ "local_networks = { '::ffff:192.0.2.0/120' }", "'::ffff:192.0.2.0/120' is no network" },
	{ "local_networks = { lan.example }", "'lan.example' is no network" },
	{ "front_size = 1M", " front_size is too small for 4 segments; allowed: at least 2048K, 4 times segment_size" },
	{ "spool_size = 1M keep_size = 0", " spool_size is too small for 4 segments; allowed: at least 2048K, 4 times segment_size" },
	{ "partitions = 33", " front_size is too small for 4 segments of each partition; allowed: at least 67584K, 132 times segment_size" },
	{ "keep_size = 2G", " keep_size is larger than the spool; allowed: at most 1048576K, the spool_size" },
	{ "front_directory = /var/lib/smtptrail/", "front_directory and spool_directory are both" },
	{ "front_directory = /var/lib/smtptrail", "front_directory and spool_directory are both '/var/lib/smtptrail'; allowed: two directories" },
	{ "header_hash = { subject }", " header_hash names fields, but hash_key_file is empty; allowed: the path of a file with a key" },
	{ "header_hash = { subject } hash_key_file = /nowhere/key", " hash_key_file '/nowhere/key' cannot be opened; allowed: " },
	{ "header_hash = { subject } hash_key_file = /dev/null", " hash_key_file '/dev/null' is too short or too long; allowed: " },
	{ "max_packet = 32K", "1: max_packet = '32K' is too small; allowed: a size from 64K to 16M" },
	{ "max_header_value = 9K", "1: max_header_value = '9K' is too large; allowed: a size from 16 to 8K" },
};

TEST(what_does_not_fit_is_refused_with_the_file_and_the_reason)
{
	for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
		struct config *config;
		struct problem problem;
		int error = read_text(bad_files[i].text, &config, &problem);

		CHECK_SAYING(error == -EINVAL, "%s: gave %d", bad_files[i].text, error);
		CHECK_SAYING(strstr(problem.text, bad_files[i].wanted), "%s: said %s", bad_files[i].text, problem.text);
		CHECK_SAYING(strncmp(problem.text, file_name, strlen(file_name)) == 0, "%s", problem.text);
		if (!error)
			config_release(config);
	}
}

TEST(what_does_fit_is_taken)
{
	static const char *const files[] = {
		"socket = unix:/run/x.sock", "socket = local:/run/x.sock", "socket = inet6:8891@::1", "socket = inet:1@host",
		"socket = inet:localhost:8891", "socket = inet:[::1]:8891",
		"redis_address = unix:/run/redis/redis.sock", "redis_address = tcp:[::1]:6379", "user = ''",
		"front_size = 1M segment_size = 256K", "status_file = ''",
	};

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct config *config;
		struct problem problem;
		int error = read_text(files[i], &config, &problem);

		CHECK_SAYING(error == 0, "%s: %s", files[i], problem.text);
		if (!error)
			config_release(config);
	}
}

TEST(the_hard_length_is_twice_the_usual_one_unless_it_is_given)
{
	static const struct { const char *text; uint64_t hard; } cases[] = {
		{ "", 2000000 },
		{ "stream_max_length = 3000000\n", 6000000 },
		{ "stream_max_length = 100\n", 200 },
		{ "stream_max_length = 0\n", 2000000 },
		{ "stream_max_length = 18446744073709551615\n", UINT64_MAX },
		{ "stream_max_length = 1500000\nstream_hard_length = 2000000\n", 2000000 },
		{ "stream_max_length = 3000000\nstream_hard_length = 0\n", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *config;
		struct problem problem = { "" };
		int error = read_text(cases[i].text, &config, &problem);

		CHECK_SAYING(error == 0, "%s%s", cases[i].text, problem.text);
		if (error)
			continue;
		CHECK_NUMBER(config->stream_hard_length, cases[i].hard);
		config_release(config);
	}
}

TEST(the_key_is_the_bytes_of_its_file)
{
	char text[200], name[] = "/tmp/test_config-key-XXXXXX";
	int descriptor = mkstemp(name);
	struct config *config;
	struct problem problem;

	CHECK(descriptor >= 0 && write(descriptor, "sixteen bytes ..", 16) == 16);
	(void)snprintf(text, sizeof text, "header_hash = { subject } hash_key_file = %s", name);
	CHECK_SAYING(read_text(text, &config, &problem) == 0, "%s", problem.text);
	CHECK_TEXT(((struct text){ (const char *)config->hash_key, config->hash_key_length }), "sixteen bytes ..");
	config_release(config);
	close(descriptor);
	unlink(name);
}

static const struct unit_test tests[] = {
	UNIT_TEST(the_defaults_are_read_without_a_file),
	UNIT_TEST(the_sample_file_reads_back_as_the_defaults),
	UNIT_TEST(what_does_not_fit_is_refused_with_the_file_and_the_reason),
	UNIT_TEST(what_does_fit_is_taken),
	UNIT_TEST(the_options_of_the_checks_have_their_forms),
	UNIT_TEST(a_network_has_the_addresses_that_begin_as_it_does),
	UNIT_TEST(the_hard_length_is_twice_the_usual_one_unless_it_is_given),
	UNIT_TEST(the_key_is_the_bytes_of_its_file),
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	int descriptor = mkstemp(file_name);

	if (descriptor < 0)
		return 99;
	close(descriptor);
	int status = unit_run(tests, argc, argv);

	unlink(file_name);
	return status;
}
