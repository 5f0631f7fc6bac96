/* fuzz_status.c - any bytes read as a status file, and printed for a person. */
#include <string.h>

#include "common/status.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static FILE *nowhere;
	struct problem problem = { "" };
	struct status status;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	FUZZ_MUST(nowhere);
	if (status_read(&status, fuzz_file(bytes, size), &problem) != 0) {
		FUZZ_MUST(problem.text[0] != '\0');
		return 0;
	}
	status_print(&status, nowhere);
	status_print_json(&status, nowhere);
	return 0;
}
