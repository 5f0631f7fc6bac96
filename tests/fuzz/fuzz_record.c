/* fuzz_record.c - any bytes read as an encoded record, and written again. */
#include <string.h>

#include "common/record.h"
#include "fuzz.h"

/* What can be read as a known field can be written, and comes back the same. */
static void write_again(const struct record_view *view)
{
	static struct record record;
	struct record_view walk = *view, again;
	struct record_value value, copy;
	char scratch[RECORD_VALUE_TEXT_MAX], copy_scratch[RECORD_VALUE_TEXT_MAX];

	if (!stage_info(view->stage))
		return;
	while (record_view_next(&walk, &value)) {
		if (!value.info || !field_is_at(value.info, view->stage))
			continue;
		struct text text = record_value_text(&value, scratch);
		bool is_flag = value.info->type == FIELD_TYPE_FLAG;

		record_init(&record, view->stage, view->time_us);
		FUZZ_MUST(record_set_from_text(&record, (enum field)value.number, text) == 0);
		FUZZ_MUST(record_view_open(&again, record_finish(&record)) == 0);
		FUZZ_MUST(record_view_find(&again, (enum field)value.number, &copy));
		if (text.length <= RECORD_TEXT_MAX && (!is_flag || value.integer <= 1))
			FUZZ_MUST(text_equal(record_value_text(&copy, copy_scratch), text));
		record_done(&record);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct record_view view;
	struct record_value value;
	char scratch[RECORD_VALUE_TEXT_MAX];
	uint64_t time_us = 0;
	size_t seen = 0;

	(void)time_parse((struct text){ (const char *)bytes, size }, &time_us);
	if (record_view_open(&view, (struct text){ (const char *)bytes, size }) != 0)
		return 0;
	write_again(&view);
	while (record_view_next(&view, &value)) {
		struct text text = record_value_text(&value, scratch);

		FUZZ_MUST(value.text.start >= (const char *)bytes && value.text.start + value.text.length <= (const char *)bytes + size);
		FUZZ_MUST(text.length == 0 || text.start);
		seen += 4 + value.text.length;
	}
	FUZZ_MUST(seen + 9 == size);
	return 0;
}
