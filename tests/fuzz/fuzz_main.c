/* fuzz_main.c - replays stored inputs through a fuzz target: for builds without libFuzzer. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 20 };

static int replay(const char *file)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *in = fopen(file, "rb");

	if (!in) {
		perror(file);
		return -1;
	}
	size_t size = fread(bytes, 1, sizeof bytes, in);

	fclose(in);
	/* In a block of its size, so that a sanitizer sees the first byte read beyond it. */
	uint8_t *input = malloc(size ? size : 1);

	FUZZ_MUST(input);
	memcpy(input, bytes, size);
	(void)LLVMFuzzerTestOneInput(input, size);
	free(input);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **entries = NULL;
	int count = argc == 2 ? scandir(argv[1], &entries, NULL, alphasort) : -1, replayed = 0, failed = 0;

	if (count < 0) {
		fprintf(stderr, "usage: %s FOLDER; every file in it is an input\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < count; i++) {
		char file[4096];

		if (entries[i]->d_name[0] != '.' &&
		    snprintf(file, sizeof file, "%s/%s", argv[1], entries[i]->d_name) < (int)sizeof file) {
			failed += replay(file) != 0;
			replayed++;
		}
		free(entries[i]);
	}
	free(entries);
	printf("%d inputs replayed\n", replayed);
	return failed || replayed == 0;
}
