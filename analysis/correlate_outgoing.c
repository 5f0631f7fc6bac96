/*
 * correlate_outgoing.c - how deliveries were encrypted, where the log tells it in a line of its own.
 *
 * Postfix' smtp(8) tells of TLS once a connection, and of no message: the same process goes on with the deliveries of one
 * message to that server. Further messages of the connection say so (conn_use=2), if the same process has them; another that
 * takes the connection over is not known.
 */
#include "analysis/correlate_internal.h"

#include <stdlib.h>

/* By process: a few of each remainder, of which the oldest goes. */
enum { PROCESSES = 64, WAYS = 8, VALUE_MAX = 64 };

static const struct fact_row rows[] = {
	{ NAME_TLS_VERSION, FACT_ATTEMPT_TLS_VERSION }, { NAME_CIPHER, FACT_ATTEMPT_CIPHER }, { NAME_TLS_TRUST, FACT_ATTEMPT_TLS_TRUST },
};
enum { ROWS = sizeof rows / sizeof rows[0] };

struct outgoing {
	uint64_t process;	/* hash of host, program and process; 0: none */
	uint64_t server;	/* of its address */
	uint64_t message;	/* of the first queue identifier that came after it; 0: none yet */
	uint64_t time_us;
	struct evidence evidence;
	uint8_t lengths[ROWS];
	char values[ROWS][VALUE_MAX];
};

struct outgoing_table {
	struct outgoing ways[PROCESSES][WAYS];
};

static uint64_t process_of(const struct clue *clue)
{
	uint64_t hash = hash_text(clue->correlate->seed + clue->host->number, clue->origin->process);

	return hash_text(hash, clue->event->frame.pid);
}

static uint64_t server_of(const struct clue *clue, enum event_name addr, enum event_name name)
{
	return hash_text(clue->correlate->seed, clue_text(clue, clue_has(clue, addr) ? addr : name));
}

static struct outgoing *find(struct outgoing_table *table, uint64_t process)
{
	struct outgoing *ways = table->ways[process % PROCESSES];

	for (unsigned i = 0; i < WAYS; i++)
		if (ways[i].process == process)
			return &ways[i];
	return NULL;
}

/* That of the process, or a free one, or the oldest. */
static struct outgoing *take(struct outgoing_table *table, uint64_t process)
{
	struct outgoing *ways = table->ways[process % PROCESSES], *oldest = find(table, process);

	for (unsigned i = 0; !oldest && i < WAYS; i++)
		if (!ways[i].process)
			oldest = &ways[i];
	if (oldest)
		return oldest;
	oldest = ways;
	for (unsigned i = 1; i < WAYS; i++)
		if (ways[i].time_us < oldest->time_us)
			oldest = &ways[i];
	return oldest;
}

void outgoing_tls(struct clue *clue)
{
	struct correlate *correlate = clue->correlate;
	struct outgoing *outgoing;

	if (!fact_is_kept(correlate, FACT_ATTEMPT_TLS_VERSION) || !clue->event->frame.pid.length)
		return;
	if (!correlate->outgoing)
		correlate->outgoing = calloc(1, sizeof *correlate->outgoing);
	if (!correlate->outgoing)
		return;
	outgoing = take(correlate->outgoing, process_of(clue));
	memset(outgoing, 0, sizeof *outgoing);
	outgoing->process = process_of(clue);
	outgoing->server = server_of(clue, NAME_SERVER_ADDR, NAME_SERVER_NAME);
	outgoing->time_us = clue->time_us;
	outgoing->evidence = clue->evidence;
	outgoing->evidence.key = JOIN_PROCESS;
	for (unsigned i = 0; i < ROWS; i++) {
		struct text value = clue_text(clue, rows[i].name);

		outgoing->lengths[i] = (uint8_t)(value.length < VALUE_MAX ? value.length : VALUE_MAX);
		if (value.length)
			memcpy(outgoing->values[i], value.start, outgoing->lengths[i]);
	}
}

void outgoing_put_tls(struct clue *clue, struct facts *facts)
{
	struct correlate *correlate = clue->correlate;
	struct outgoing *outgoing = correlate->outgoing && clue->event ? find(correlate->outgoing, process_of(clue)) : NULL;
	uint64_t message;

	if (!outgoing || outgoing->server != server_of(clue, NAME_RELAY_ADDR, NAME_RELAY_NAME))
		return;
	message = hash_text(correlate->seed, clue_text(clue, NAME_QUEUE_ID));
	if (outgoing->message && outgoing->message != message && !clue_has(clue, NAME_CONNECTION_USE))
		return;
	outgoing->message = message;
	if (correlate->keeps_evidence)
		facts_rest_on(facts, correlate->pool, &outgoing->evidence);
	for (unsigned i = 0; i < ROWS; i++)
		if (outgoing->lengths[i])
			fact_put(clue, facts, rows[i].fact, (struct text){ outgoing->values[i], outgoing->lengths[i] });
}

/* ---- kept ---- */

size_t outgoing_size(void)
{
	return sizeof(struct outgoing);
}

const void *outgoing_next(const struct correlate *correlate, unsigned *place)
{
	for (; correlate->outgoing && *place < PROCESSES * WAYS; ++*place) {
		const struct outgoing *outgoing = &correlate->outgoing->ways[*place / WAYS][*place % WAYS];

		if (outgoing->process)
			return outgoing;
	}
	return NULL;
}

void *outgoing_at(struct correlate *correlate, uint64_t place)
{
	if (!correlate->outgoing)
		correlate->outgoing = calloc(1, sizeof *correlate->outgoing);
	return correlate->outgoing && place < PROCESSES * WAYS ? &correlate->outgoing->ways[place / WAYS][place % WAYS] : NULL;
}
