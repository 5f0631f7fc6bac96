/* fuzz_conf.c - any bytes read as a configuration: refused with a line, or read back the same. */
#include <string.h>

#include "fuzz.h"
#include "milter/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct problem problem = { "" };
	struct config *config = NULL;

	if (config_read(&config, fuzz_file(bytes, size), &problem) != 0) {
		FUZZ_MUST(problem.text[0] != '\0');
		FUZZ_MUST(!config);
		return 0;
	}
	FUZZ_MUST(config && strlen(config->digest) == 64);
	config_release(config);
	return 0;
}
