/* fuzz_message_file.c - any bytes as a stored mail: its fields and its body are all of it, with whole line ends. */
#include "analysis/message_file.h"

#include "fuzz.h"

static void must_have_whole_ends(struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		FUZZ_MUST(text.start[i] != '\n' || (i > 0 && text.start[i - 1] == '\r'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct text stored = { (const char *)bytes, size }, name, value;
	struct message_file file;

	FUZZ_MUST(message_file_take(&file, stored) == 0);
	must_have_whole_ends(file.rest);
	while (true) {
		struct text before = file.rest;

		if (!message_file_next_field(&file, &name, &value))
			break;
		FUZZ_MUST(name.length > 0 && name.start == before.start && name.start[name.length] == ':');
		FUZZ_MUST(!memchr(name.start, ':', name.length) && !memchr(name.start, '\n', name.length));
		FUZZ_MUST(value.start == name.start + name.length + 1);
		/* Nothing is lost but the line end at the field's end. */
		size_t used = (size_t)(file.rest.start - before.start), left = used - name.length - 1 - value.length;

		FUZZ_MUST(left == 2 || (left == 0 && file.rest.length == 0));
		FUZZ_MUST(before.length == used + file.rest.length);
		/* What goes on is a fold. */
		for (size_t i = 0; i + 1 < value.length; i++)
			FUZZ_MUST(value.start[i] != '\n' || value.start[i + 1] == ' ' || value.start[i + 1] == '\t');
	}
	struct text body = message_file_body(&file);

	FUZZ_MUST(file.rest.length - body.length == 0 || file.rest.length - body.length == 2);
	message_file_close(&file);
	return 0;
}
