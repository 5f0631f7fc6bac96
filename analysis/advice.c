/* advice.c - looking up the table of advice. */
#include "analysis/advice.h"

#include <stdio.h>

const struct advice advice_table[] = {
#define ADVICE(kind, key, meaning, next) { ADVICE_##kind, key, meaning, next },
#include "analysis/advice.def"
#undef ADVICE
	{ ADVICE_KIND_COUNT, NULL, NULL, NULL },
};

const struct advice *advice_find(enum advice_kind kind, struct text key)
{
	for (const struct advice *advice = advice_table; advice->key; advice++)
		if (advice->kind == kind && text_is(key, advice->key))
			return advice;
	return NULL;
}

const struct advice *advice_of_status(const struct status_code *code)
{
	const struct advice *advice;
	char key[24];

	(void)snprintf(key, sizeof key, "%d.%d", code->subject, code->detail);
	advice = advice_find(ADVICE_STATUS, text_of(key));
	if (advice)
		return advice;
	(void)snprintf(key, sizeof key, "%d", code->subject);
	advice = advice_find(ADVICE_STATUS, text_of(key));
	return advice ? advice : advice_find(ADVICE_STATUS, TEXT_LITERAL("0"));	/* of no subject that is known: its class alone */
}

const struct advice *advice_of_code(int code)
{
	const struct advice *advice;
	char key[16];

	(void)snprintf(key, sizeof key, "%d", code);
	advice = advice_find(ADVICE_CODE, text_of(key));
	if (advice)
		return advice;
	key[1] = '\0';
	return advice_find(ADVICE_CODE, text_of(key));
}

const char *advice_kind_name(enum advice_kind kind)
{
	static const char *const names[ADVICE_KIND_COUNT] = {
		"reason", "status", "code", "fate", "why", "check", "story", "state", "ended", "outcome", "missing",
	};

	return names[kind];
}
