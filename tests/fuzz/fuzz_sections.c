/* fuzz_sections.c - any bytes read as the configuration of the questions: refused with a line, or each saved query is found. */
#include <string.h>

#include "analysis/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct problem problem = { "" };
	struct config config;

	if (config_read(&config, fuzz_file(bytes, size), &problem) != 0) {
		FUZZ_MUST(problem.text[0] != '\0');
		return 0;
	}
	const struct query_saved saved = config_saved_queries(&config);

	FUZZ_MUST(config.queries.count % CONFIG_QUERY_ITEMS == 0);
	for (size_t i = 0; i < config.queries.count; i += CONFIG_QUERY_ITEMS) {
		const char *name = config.queries.items[i + CONFIG_QUERY_NAME];

		FUZZ_MUST(name[0] && strlen(name) <= CONF_TITLE_MAX);
		/* Each name once: what is found is this one. */
		FUZZ_MUST(saved.text_of(saved.context, name) == config.queries.items[i + CONFIG_QUERY_MATCH]);
	}
	config_done(&config);
	return 0;
}
