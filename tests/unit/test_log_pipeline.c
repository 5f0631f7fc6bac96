/*
 * test_log_pipeline.c - files read by several threads: the events of log_reader_next, byte by byte and in the same order,
 * whatever the files hold; what they say when a file is damaged, or when the consumer has had enough.
 */
#include <errno.h>
#include <glob.h>
#include <zlib.h>

#include "analysis/log_pipeline.h"
#include "log_cases.h"

static unsigned long lines_compared;
static int differences;

/* The one-thread way, which goes on for each event that the pipeline gives. */
struct other_way {
	struct log_reader *reader;
	int more;
};

static int compare_events(void *context, const struct event *events, size_t count)
{
	struct other_way *other = context;
	static struct event event;
	enum format_result result;

	for (size_t i = 0; i < count; i++) {
		other->more = log_reader_next(other->reader, &event, &result);
		lines_compared++;
		if (other->more == 1 && result == format_result_of(&events[i]) && same_event(&event, &events[i]))
			continue;
		if (differences++ < DIFFERENCES_SHOWN) {
			show_event("pipeline", &events[i]);
			show_event("alone   ", &event);
		}
	}
	return 0;
}

/* Both ways are used again and again: what one file leaves behind must not be seen in the next. */
struct pair {
	struct log_pipeline *pipeline;
	struct other_way other;
};

static struct pair pairs[LOG_PIPELINE_THREADS_MAX + 1];

static struct pair *pair_of(unsigned threads)
{
	struct log_options options = { .year = 2020 };
	struct pair *pair = &pairs[threads];

	if (!pair->pipeline) {
		CHECK_NUMBER(log_reader_new(&pair->other.reader, &options), 0);
		CHECK_NUMBER(log_pipeline_new(&pair->pipeline, &options, threads), 0);
	}
	return pair;
}

static void free_pairs(void)
{
	for (unsigned threads = 0; threads <= LOG_PIPELINE_THREADS_MAX; threads++) {
		log_pipeline_free(pairs[threads].pipeline);
		log_reader_free(pairs[threads].other.reader);
	}
}

static void compare_by(unsigned threads, const char *path)
{
	struct pair *pair = pair_of(threads);
	struct log_consumer consumer = { compare_events, &pair->other };
	struct problem problem = { "" };
	enum format_result result;
	struct event event;
	int error = log_reader_open(pair->other.reader, path, &problem);

	CHECK_SAYING(error == 0, "%s", problem.text);
	if (error)
		return;
	error = log_pipeline_read(pair->pipeline, path, &consumer, &problem);
	/* And it ends as the other does. */
	CHECK_NUMBER(log_reader_next(pair->other.reader, &event, &result), error);
	CHECK(!error == !problem.text[0]);
	CHECK_NUMBER(log_pipeline_bytes(pair->pipeline), log_reader_bytes(pair->other.reader));
}

static void compare_paths(const char *const *paths)
{
	for (; *paths; paths++)
		for (unsigned threads = 1; threads <= LOG_PIPELINE_THREADS_MAX; threads *= 2)
			compare_by(threads, *paths);
}

static void compare_file(const char *path)
{
	compare_paths((const char *const[]){ path, NULL });
}

static void tell(void)
{
	printf("%lu lines, %d differences\n", lines_compared, differences);
	CHECK_NUMBER(differences, 0);
	CHECK(lines_compared > 0);
	lines_compared = 0;
	differences = 0;
}

TEST(large_logs_and_damaged_ones_give_the_same_events)
{
	static const char *const options[] = { "--size 1M --hosts 4", "--size 1M --iso --long-ids" };

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct place log = generate_log(options[i]), damaged = new_file();

		write_damaged(log.path, damaged.out);
		CHECK_NUMBER(fclose(damaged.out), 0);
		/* Several files one after the other, and one twice. */
		compare_paths((const char *const[]){ log.path, damaged.path, log.path, NULL });
		(void)unlink(log.path);
		(void)unlink(damaged.path);
	}
	tell();
}

/* ---- what lines may do to each other ---- */

static void write_times(FILE *out, const char *bytes, unsigned times)
{
	while (times--)
		fputs(bytes, out);
}

static void write_notices(FILE *out)
{
	/* Of a long message, so that what is repeated fills the room for it. */
	fputs("Jan  2 03:04:05 mx1 postfix/smtpd[4711]: warning: ", out);
	write_times(out, "0123456789", 900);
	fputc('\n', out);
	for (unsigned i = 0; i < 200; i++)
		fprintf(out, "Jan  2 03:04:%02u mx%u last message repeated %u times\n", i % 60, 1 + i % 3, i);
	write_times(out, "Jan  2 03:05:05 mx1 postfix/qmgr[1]: 3A5F2C01E2: removed\nJan  2 03:05:05 mx1 last message repeated 2 times\n", 3000);
}

/* An entry of journald whose message has line ends in it, and is longer than it may be now and then. */
static void write_entry(FILE *out, unsigned size)
{
	fputs("__CURSOR=x\n__REALTIME_TIMESTAMP=1767323045000000\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER=postfix/smtpd\nMESSAGE\n", out);
	for (unsigned i = 0; i < 8; i++)
		fputc(i < 4 ? (int)(size >> (8 * i) & 0xff) : 0, out);
	for (unsigned i = 0; i < size; i++)
		fputc(i % 50 == 49 ? '\n' : 'a', out);
	fputs("\n_PID=4711\n\n", out);
}

static void write_json(FILE *out, unsigned size)
{
	fputs("{\"__REALTIME_TIMESTAMP\":\"1767323045000000\",\"_HOSTNAME\":\"mx\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"MESSAGE\":\"", out);
	write_times(out, "connect from a[192.0.2.1] \\u00e9 ", size);
	fputs("\"}\n", out);
}

static void write_noise(FILE *out, unsigned lines)
{
	for (unsigned i = 0; i < lines; i++) {
		for (unsigned length = random_below(200); length; length--)
			fputc((int)random_below(256), out);
		fputc('\n', out);
	}
}

static void write_hostile(FILE *out)
{
	static const char *const lines[] = {
		"Jan  2 03:04:05 mx1 postfix/smtpd[4711]: connect from a[192.0.2.1]\n",
		"Dec 31 23:59:59 mx1 postfix/smtpd[4711]: connect from a[192.0.2.1]\r\n",
		"2026-11-21T08:00:00.123456+01:00 mx2 postfix/qmgr[1]: 3A5F2C01E2: removed\n",
		"<22>1 2026-11-21T08:00:00Z mx postfix/smtpd 4711 - - disconnect from a[192.0.2.1]\n",
		"mail  | Aug  7 01:02:03 mx1 opendkim[7]: 3A5F2C01E2: no signature data\n",
		"postfix/qmgr[1]: 3A5F2C01E2: removed\n", "3A5F2C01E2: removed\n", "\n", "x\n", "\r\n",
		"Jan  2 03:04:05 mx1 last message repeated 2 times\n",
		"Jan  2 03:04:05 srv mailu-smtp[99]: Dec 15 05:15:02 in postfix/qmgr[376]: D912210E50D7: removed\n",
		"Jan  2 03:04:05 mx1 dovecot: imap(a)<1><s>: Logged out in=82 out=894\n",
		/* Of a format's own, among those in frames. */
		"2026-11-21 08:00:00 1uABCD-0001Xy-2e => a@example.com R=r T=t\n", "#Software: Microsoft Exchange Server\n",
		"#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context\n",
		"2026-11-21T08:00:00.000Z,EX\\In,08D,0,192.0.2.1:25,192.0.2.2:4711,<,\"EHLO\n",
	};
	/* Most lines are of the first kinds: the others come in between. */
	const size_t count = sizeof lines / sizeof lines[0];

	for (unsigned i = 0; i < 20000; i++)
		fputs(lines[random_below(random_below(8) ? 2 : (unsigned)count)], out);
	write_notices(out);
	for (unsigned i = 0; i < 40; i++) {
		write_entry(out, random_below(i % 8 ? 3000 : 90000));
		write_json(out, random_below(i % 8 ? 90 : 2500));
		write_noise(out, 20);
		fputs(lines[random_below(4)], out);
	}
	/* Lines longer than they may be, than any buffer, and of nothing. */
	for (unsigned i = 0; i < 6; i++) {
		write_times(out, "Jan  2 03:04:05 mx1 postfix/smtpd[4711]: ", 1 + 1000 * i);
		fputc('\n', out);
		write_times(out, "y", 65530 + i * 3);
		fputs("\nJan  2 03:04:05 mx1 postfix/qmgr[1]: 3A5F2C01E2: removed\n", out);
	}
	write_times(out, "\n", 50000);
	write_times(out, "z\n", 20000);
	/* The file ends in an entry, in mid-line. */
	write_entry(out, 100);
	fputs("__CURSOR=x\nMESSAGE=connect from a[192.0.2.1]\n_PID=1", out);
}

TEST(hostile_lines_give_the_same_events)
{
	struct place log = new_file(), after = generate_log("--size 1M");

	if (!log.out)
		return;
	write_hostile(log.out);
	CHECK_NUMBER(fclose(log.out), 0);
	compare_paths((const char *const[]){ log.path, after.path, NULL });
	(void)unlink(log.path);
	(void)unlink(after.path);
	tell();
}

TEST(fixtures_give_the_same_events)
{
	char pattern[1024];
	glob_t found;

	(void)snprintf(pattern, sizeof pattern, "%s/tests/replay/formats/*.log", folder_of("srcdir"));
	CHECK_NUMBER(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		compare_file(found.gl_pathv[i]);
	globfree(&found);
	tell();
}

TEST(sample_logs_give_the_same_events)
{
	if (for_each_sample(compare_file))
		tell();
	else
		CHECK(!getenv("SMTPTRAIL_SAMPLE_LOGS"));
}

/* ---- other files ---- */

/* A .gz of the log; cut: only its first part. */
static struct place pack(const char *path, bool is_cut)
{
	struct place packed = new_file();
	FILE *in = fopen(path, "re");
	gzFile out = gzopen(packed.path, "wb1");
	static char bytes[1 << 16];
	size_t count;

	CHECK(in && out);
	while (in && out && (count = fread(bytes, 1, sizeof bytes, in)) > 0)
		CHECK_NUMBER(gzwrite(out, bytes, (unsigned)count), count);
	if (in)
		(void)fclose(in);
	CHECK_NUMBER(gzclose(out), Z_OK);
	if (is_cut)
		CHECK_NUMBER(truncate(packed.path, 100000), 0);
	(void)fclose(packed.out);
	return packed;
}

TEST(compressed_and_damaged_files_give_the_same_events)
{
	struct place log = generate_log("--size 1M"), packed = pack(log.path, false), damaged = pack(log.path, true);

	compare_paths((const char *const[]){ packed.path, damaged.path, log.path, NULL });
	(void)unlink(log.path);
	(void)unlink(packed.path);
	(void)unlink(damaged.path);
	tell();
}

struct greed {
	unsigned long lines, enough;
};

static int take_some(void *context, const struct event *events, size_t count)
{
	struct greed *greed = context;

	(void)events;
	greed->lines += count;
	return greed->lines >= greed->enough ? 7 : 0;
}

TEST(a_consumer_that_has_had_enough_ends_the_file_and_not_the_next)
{
	struct place log = generate_log("--size 1M");

	for (unsigned threads = 1; threads <= LOG_PIPELINE_THREADS_MAX; threads++) {
		struct log_options options = { .year = 2020 };
		struct log_pipeline *pipeline = NULL;
		struct greed greed = { 0, 3000 };
		struct log_consumer consumer = { take_some, &greed };

		CHECK_NUMBER(log_pipeline_new(&pipeline, &options, threads), 0);
		CHECK_NUMBER(log_pipeline_read(pipeline, log.path, &consumer, NULL), 7);
		CHECK(greed.lines >= 3000 && greed.lines < 5000);
		greed = (struct greed){ 0, 1000000000 };
		CHECK_NUMBER(log_pipeline_read(pipeline, log.path, &consumer, NULL), 0);
		CHECK(greed.lines > 5000);
		CHECK_NUMBER(log_pipeline_read(pipeline, "/nowhere", &consumer, NULL), -ENOENT);
		log_pipeline_free(pipeline);
	}
	(void)unlink(log.path);
}

static int note_last_time(void *context, const struct event *events, size_t count)
{
	if (count)
		*(int64_t *)context = events[count - 1].frame.time_us;
	return 0;
}

TEST(the_year_goes_on_from_one_file_of_a_rotated_set_to_the_next)
{
	static const char *const lines[] = { "Dec 31 23:59:58 mx a[1]: x\n", "Jan  1 00:00:02 mx a[1]: x\n", "Feb  1 00:00:02 mx a[1]: x\n" };
	struct log_options options = { .year = 2020 };
	struct log_pipeline *pipeline = NULL;
	struct place base = new_file();
	int64_t last = 0;
	struct log_consumer consumer = { note_last_time, &last };

	CHECK_NUMBER(log_pipeline_new(&pipeline, &options, 2), 0);
	for (unsigned i = 0; i < 3; i++) {
		char path[80];
		FILE *out;

		(void)snprintf(path, sizeof path, "%s.%u", base.path, 3 - i);
		out = fopen(path, "we");
		CHECK(out && fputs(lines[i], out) >= 0 && fclose(out) == 0);
		CHECK_NUMBER(log_pipeline_read(pipeline, path, &consumer, NULL), 0);
		(void)unlink(path);
	}
	/* 2021-02-01T00:00:02Z, in Berlin. */
	CHECK_NUMBER(last / 1000000, INT64_C(1612137602) - 3600);
	log_pipeline_free(pipeline);
	(void)fclose(base.out);
	(void)unlink(base.path);
}

int main(int argc, char **argv)
{
	start_random();
	stamp_set_zone("Europe/Berlin");
	if (format_prepare() != 0)
		return 1;
	int status = unit_run((const struct unit_test[]){
		UNIT_TEST(fixtures_give_the_same_events),
		UNIT_TEST(large_logs_and_damaged_ones_give_the_same_events),
		UNIT_TEST(hostile_lines_give_the_same_events),
		UNIT_TEST(sample_logs_give_the_same_events),
		UNIT_TEST(compressed_and_damaged_files_give_the_same_events),
		UNIT_TEST(a_consumer_that_has_had_enough_ends_the_file_and_not_the_next),
		UNIT_TEST(the_year_goes_on_from_one_file_of_a_rotated_set_to_the_next),
		{ NULL, NULL },
	}, argc, argv);

	free_pairs();
	return status;
}
