/*
 * again.h - what was refused for now, or for a blocklist, and accepted later: the same sender and recipient, and the same client
 * or its network (as greylisting counts them: IPv4 /24, IPv6 /64), within AGAIN_SPAN_US. Looked for in what was read, once more,
 * when the answer is known: from the refusal to the acceptance, and back. Refusals that another mail had settled, accepted
 * before the one that is asked about, are told of that one alone.
 *
 * Threads: one owner at a time.
 * Memory:  about 200 bytes and its addresses for each that was made, as long as it is; of an acceptance that was refused before,
 *          AGAIN_REFUSALS_MAX times 80 bytes and their reasons. The addresses of those that are not looked for are freed.
 * Limits:  AGAIN_MAX of them are looked for, the newest; whoever has more need make no others. Texts of up to 511 bytes.
 * Errors:  what was not looked for says why in its words; without memory nothing is said.
 */
#ifndef SMTPTRAIL_AGAIN_H
#define SMTPTRAIL_AGAIN_H

#include "analysis/ask.h"
#include "analysis/rows.h"

#define AGAIN_SPAN_US (UINT64_C(5) * 86400 * 1000000)
enum { AGAIN_MAX = 200, AGAIN_REFUSALS_MAX = 32 };

struct again;

/* Of a recipient; NULL: it is neither such a refusal nor an acceptance, or too little is known of it. */
struct again *again_new(const struct report_row *row);
void again_free(struct again *again);
/* Looks for all of them, which may be NULL: from the same files or store, or not at all where that was standard input. */
void again_find(struct again *const *list, size_t count, const struct ask *ask);
/* Lines, each with its end; nothing where there is nothing to say. */
void again_text(const struct again *again, FILE *out);
/* ,"later":{...} or ,"before":{...} */
void again_json(const struct again *again, FILE *out);

#endif
