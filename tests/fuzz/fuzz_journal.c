/*
 * fuzz_journal.c - any bytes as a segment of the journal: scanned from outside, and recovered at a start.
 *
 * The first byte chooses. Bit 0: the bytes are the whole file; else a good head goes before them.
 * Bit 1: the checksum of each entry is made right, so that what lies behind it is reached. Bit 2:
 * the file lies in the front, else in the spool.
 */
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/journal.h"
#include "common/journal_segment.h"
#include "fuzz.h"

enum { WHOLE_FILE = 1, RIGHT_CHECKSUMS = 2, IN_FRONT = 4, FILE_MAX = 64 * 1024 };

static char folder[64], front[96], spool[96];
static unsigned char file_bytes[SEGMENT_HEAD_SIZE + FILE_MAX];

static int remove_one(const char *name, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat;
	(void)kind;
	(void)walk;
	return remove(name);
}

static void remove_folder(void)
{
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_folders(void)
{
	if (!folder[0]) {
		(void)snprintf(folder, sizeof folder, "%s/fuzz-journal-%d",
			       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
		(void)snprintf(front, sizeof front, "%s/front", folder);
		(void)snprintf(spool, sizeof spool, "%s/spool", folder);
		FUZZ_MUST(atexit(remove_folder) == 0);
	}
	remove_folder();
	FUZZ_MUST(mkdir(folder, 0700) == 0 && mkdir(front, 0700) == 0 && mkdir(spool, 0700) == 0);
}

static void make_checksums_right(unsigned char *at, size_t size, uint32_t head_crc)
{
	while (size >= SEGMENT_ENTRY_HEAD_SIZE) {
		struct segment_entry_head head;

		memcpy(&head, at, sizeof head);
		if (head.length == 0 || head.length > size - SEGMENT_ENTRY_HEAD_SIZE)
			return;
		head.crc = segment_entry_crc(crc32c(0, at + SEGMENT_ENTRY_HEAD_SIZE, head.length), head_crc,
					     head.length, head.seq);
		memcpy(at, &head, sizeof head);
		uint64_t taken = segment_entry_size(head.length);

		if (taken > size)
			return;
		at += taken;
		size -= taken;
	}
}

static size_t make_file(unsigned choice, const uint8_t *bytes, size_t size)
{
	struct journal_origin origin = { .epoch = 1 };
	struct segment_head head;
	size_t start = choice & WHOLE_FILE ? 0 : SEGMENT_HEAD_SIZE;

	memset(&head, 0, sizeof head);
	memset(origin.producer, 'a', 32);
	memset(origin.incarnation, 'b', 16);
	segment_head_fill(&head, &origin, 1, SEGMENT_SIZE_MIN, 1, 1795248000000000);
	if (start)
		memcpy(file_bytes, &head, sizeof head);
	memcpy(file_bytes + start, bytes, size);
	if (choice & RIGHT_CHECKSUMS)
		make_checksums_right(file_bytes + start, size, head.crc);
	return start + size;
}

static void put_file(const char *directory, size_t size)
{
	char name[160];
	int fd;

	(void)snprintf(name, sizeof name, "%s/segment-0000000001", directory);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FUZZ_MUST(fd >= 0 && write(fd, file_bytes, size) == (ssize_t)size);
	close(fd);
}

static uint64_t scan(const char *directory)
{
	struct journal_scan *journal_scan = NULL;
	struct journal_scan_entry entry;
	struct journal_scan_total total;
	uint64_t last_seq = 0, entries = 0;

	FUZZ_MUST(journal_scan_open(&journal_scan, directory, NULL) == 0);
	while (journal_scan_next(journal_scan, &entry) == 1) {
		FUZZ_MUST(entry.payload.length <= JOURNAL_ENTRY_MAX);
		FUZZ_MUST(entry.seq > last_seq);
		last_seq = entry.seq;
		entries++;
	}
	journal_scan_total(journal_scan, &total);
	FUZZ_MUST(total.entries == entries);
	journal_scan_close(journal_scan);
	return entries;
}

/* Whatever lies there, the journal opens, takes a record and gives it back. */
static void recover(void)
{
	struct journal_options options = { .front_directory = front, .spool_directory = spool, .host = "h",
		.instance = "i", .segment_bytes = SEGMENT_SIZE_MIN, .front_bytes = 4 * SEGMENT_SIZE_MIN,
		.spool_bytes = 16 * SEGMENT_SIZE_MIN, .sync = JOURNAL_SYNC_NONE };
	static struct journal_batch batch;
	struct problem problem = { "" };
	struct journal *journal = NULL;
	bool found = false;

	if (journal_open(&journal, &options, &problem) != 0) {
		fprintf(stderr, "the journal did not open: %s\n", problem.text);
		abort();
	}
	FUZZ_MUST(journal_append(journal, TEXT_LITERAL("\x03stage and time, as it were")) == 0);
	(void)journal_keep(journal);
	for (int round = 0; round < 1000 && !found && journal_read(journal, &batch) == 1; round++)
		for (size_t i = 0; i < batch.count; i++)
			found = found || text_is(batch.entries[i].payload, "\x03stage and time, as it were");
	FUZZ_MUST(found);
	journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0 || size > FILE_MAX)
		return 0;
	unsigned choice = bytes[0];
	const char *directory = choice & IN_FRONT ? front : spool;

	make_folders();
	put_file(directory, make_file(choice, bytes + 1, size - 1));
	(void)scan(directory);
	recover();
	return 0;
}
