/* fuzz_file.c - the input of a fuzz target as a file that lies in memory. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

const char *fuzz_file(const uint8_t *bytes, size_t size)
{
	static int descriptor = -1;
	static char name[64];

	if (descriptor < 0) {
		descriptor = memfd_create("fuzz", MFD_CLOEXEC);
		FUZZ_MUST(descriptor >= 0);
		(void)snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
	}
	FUZZ_MUST(ftruncate(descriptor, 0) == 0);
	FUZZ_MUST(pwrite(descriptor, bytes, size, 0) == (ssize_t)size);
	return name;
}
