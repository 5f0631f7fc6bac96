/* fuzz_main.c - a fuzz target without a fuzzer: replays files given as arguments, and what lies in folders. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_SIZE_MAX = 1 << 20 };

static int replay_file(const char *path)
{
	static char buffer[INPUT_SIZE_MAX];
	FILE *file = fopen(path, "rb");

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	size_t size = fread(buffer, 1, sizeof buffer, file);

	fclose(file);
	/* Memory of exactly that size, so that a sanitizer sees each byte beyond. */
	uint8_t *input = malloc(size > 0 ? size : 1);

	if (!input)
		return -1;
	memcpy(input, buffer, size);
	(void)LLVMFuzzerTestOneInput(input, size);
	free(input);
	return 1;
}

static int replay(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0;

	if (!folder)
		return replay_file(path);
	for (struct dirent *entry = readdir(folder); entry && count >= 0; entry = readdir(folder)) {
		char inside[4096];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
		int replayed = replay_file(inside);

		count = replayed < 0 ? replayed : count + replayed;
	}
	closedir(folder);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		int replayed = replay(argv[i]);

		if (replayed < 0)
			return 1;
		count += replayed;
	}
	printf("%d inputs replayed\n", count);
	return count > 0 ? 0 : 1;
}
