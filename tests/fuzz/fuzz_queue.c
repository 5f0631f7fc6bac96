/* fuzz_queue.c - a list of the queue, joined with what is under way: whatever it says, nothing is shown that nobody knows. */
#include "analysis/correlate.h"
#include "analysis/input_queue.h"
#include "fuzz.h"

static void take_message(void *context, const struct message *message)
{
	unsigned count = 0;

	(void)context;
	for (const struct recipient *recipient = message->recipients; recipient; recipient = recipient->next, count++)
		FUZZ_MUST(recipient->fate == FATE_HELD || recipient->fate == FATE_DEFERRED || recipient->fate == FATE_UNKNOWN);
	FUZZ_MUST(count == message->recipient_count);
}

static void give(struct correlate *correlate, const char *path)
{
	struct input_queue *queue;
	struct queue_entry entry;

	FUZZ_MUST(input_queue_open(&queue, path, NULL) == 0);
	while (input_queue_next(queue, &entry) > 0) {
		FUZZ_MUST(entry.queue_id.length && entry.arrival_us);
		entry.host = TEXT_LITERAL("mx");
		correlate_queue_entry(correlate, &entry, 0);
	}
	FUZZ_MUST(input_queue_close(queue) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct correlate_sink sink = { .message = take_message };
	struct correlate_options options;
	struct correlate *correlate;
	const char *path = fuzz_file(bytes, size);

	correlate_defaults(&options);
	FUZZ_MUST(correlate_new(&correlate, &options, &sink) == 0);
	give(correlate, path);
	give(correlate, path);
	correlate_queue_end(correlate, TEXT_LITERAL("mx"), TEXT_NONE, UINT64_C(1) << 60, 0);
	correlate_finish(correlate);
	correlate_free(correlate);
	return 0;
}
