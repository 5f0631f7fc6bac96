/* hosts.c - names looked up in the pairs of the configuration: asked once for each name that is met. */
#include "analysis/hosts.h"

#include <errno.h>

int hosts_check(const char *text, struct problem *problem)
{
	const char *slash = strchr(text, '/');

	if (text[0] != '\0' && text[0] != '/' && (!slash || (slash[1] != '\0' && !strchr(slash + 1, '/'))))
		return 0;
	problem_set(problem, "'%.80s' is no host; allowed: HOST or HOST/INSTANCE", text);
	return -EINVAL;
}

static void split(struct text both, struct text *ret_host, struct text *ret_instance)
{
	const char *slash = memchr(both.start, '/', both.length);

	*ret_host = both;
	*ret_instance = TEXT_NONE;
	if (!slash)
		return;
	ret_host->length = (size_t)(slash - both.start);
	*ret_instance = (struct text){ slash + 1, both.length - ret_host->length - 1 };
}

bool hosts_find(const struct hosts *hosts, struct text name, struct text *ret_host, struct text *ret_instance)
{
	const struct conf_list *pairs = hosts ? hosts->pairs : NULL;

	for (size_t i = 0; pairs && i + 1 < pairs->count; i += 2) {
		if (!text_equal_nocase(text_of(pairs->items[i]), name))
			continue;
		split(text_of(pairs->items[i + 1]), ret_host, ret_instance);
		return true;
	}
	return false;
}

bool hosts_find_instance(const struct hosts *hosts, struct text host, struct text syslog_name, struct text *ret_host,
			 struct text *ret_instance)
{
	const struct conf_list *pairs = hosts ? hosts->pairs : NULL;

	for (size_t i = 0; pairs && i + 1 < pairs->count; i += 2) {
		struct text name, instance;

		split(text_of(pairs->items[i]), &name, &instance);
		if (!instance.start || !text_equal_nocase(name, host) || !text_equal(instance, syslog_name))
			continue;
		split(text_of(pairs->items[i + 1]), ret_host, ret_instance);
		return true;
	}
	return false;
}
