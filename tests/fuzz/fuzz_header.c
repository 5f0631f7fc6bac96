/* fuzz_header.c - any lines as the header fields of a message, From: among them. */
#include <string.h>

#include "fuzz.h"
#include "common/address.h"
#include "milter/message.h"

static struct config *configuration(void)
{
	static struct config *config;

	if (!config)
		FUZZ_MUST(config_read(&config, NULL, NULL) == 0);
	return config;
}

static void read_from(struct text value)
{
	struct address_list list;

	address_list_init(&list);
	address_list_read(&list, value);
	struct text domain = address_list_domain(&list);

	if (!domain.start)
		return;
	/* A domain is only ever named where there is one address, and holds what a domain may. */
	FUZZ_MUST(address_list_count(&list) >= 1);
	FUZZ_MUST(domain.length > 0 && domain.length <= ADDRESS_DOMAIN_MAX);
	for (size_t i = 0; i < domain.length; i++)
		FUZZ_MUST((unsigned char)domain.start[i] > ' ' && !strchr("@<>,;\"()", domain.start[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct record record;
	struct message *message = message_new(configuration());
	const char *at = (const char *)bytes, *end = at + size;
	struct record_view view;

	FUZZ_MUST(message);
	read_from((struct text){ at, size });
	/* Lines "name:value", each a field; in the value a \r stands for a fold. */
	while (at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *colon;

		if (!line_end)
			line_end = end;
		colon = memchr(at, ':', (size_t)(line_end - at));
		if (colon)
			message_header(message, (struct text){ at, (size_t)(colon - at) },
				       (struct text){ colon + 1, (size_t)(line_end - colon) - 1 });
		at = line_end < end ? line_end + 1 : end;
	}
	record_init(&record, STAGE_HEADER, 1);
	message_fill_header(message, &record);
	FUZZ_MUST(record_view_open(&view, record_finish(&record)) == 0);
	record_done(&record);
	message_free(message);
	return 0;
}
