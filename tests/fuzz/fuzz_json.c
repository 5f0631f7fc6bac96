/* fuzz_json.c - an object as JSON: what jansson takes is taken, with the same strings, and nothing else is. */
#include <jansson.h>

#include <string.h>

#include "analysis/json_scan.h"
#include "fuzz.h"

/* Depth is limited otherwise there; long numbers, and names with NUL, are refused. */
static bool is_out_of_range(const json_error_t *error)
{
	enum json_error_code code = json_error_code(error);

	return code == json_error_numeric_overflow || code == json_error_stack_overflow || code == json_error_null_character ||
	       code == json_error_null_byte_in_key;
}

static void must_be_same(const json_t *wanted, const struct json_value *value)
{
	char *buffer;
	size_t length;

	if (json_is_string(wanted)) {
		FUZZ_MUST(value->type == SCAN_STRING);
		buffer = malloc(value->text.length + 1);
		FUZZ_MUST(buffer);
		length = json_scan_unescape(value->text, buffer);
		FUZZ_MUST(length <= value->text.length && length == json_string_length(wanted) &&
			  memcmp(buffer, json_string_value(wanted), length) == 0);
		free(buffer);
	}
	FUZZ_MUST(json_is_object(wanted) == (value->type == SCAN_OBJECT) && json_is_array(wanted) == (value->type == SCAN_ARRAY) &&
		  json_is_number(wanted) == (value->type == SCAN_NUMBER) && json_is_null(wanted) == (value->type == SCAN_NULL));
}

static void compare_members(const json_t *wanted, struct json_scan *scan)
{
	struct json_value value;
	struct text name;
	size_t index = 0;

	while (json_scan_next(scan, &name, &value)) {
		if (json_is_array(wanted))
			must_be_same(json_array_get(wanted, index), &value);
		index++;
	}
	FUZZ_MUST(json_scan_is_whole(scan));
	FUZZ_MUST(!json_is_array(wanted) || index == json_array_size(wanted));
	FUZZ_MUST(!json_is_object(wanted) || index >= json_object_size(wanted));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct json_value value;
	struct json_scan scan;
	struct text name;
	json_error_t error;
	json_t *wanted = json_loadb((const char *)bytes, size, JSON_ALLOW_NUL, &error);
	bool is_taken = json_scan_begin(&scan, (struct text){ (const char *)bytes, size });

	if (wanted) {
		struct json_scan again = scan;

		FUZZ_MUST(is_taken);
		/* Deeper than we go. */
		while (json_scan_next(&again, &name, &value))
			;
		if (!again.is_bad)
			compare_members(wanted, &scan);
	} else if (is_taken) {
		while (json_scan_next(&scan, &name, &value))
			;
		FUZZ_MUST(!json_scan_is_whole(&scan) || is_out_of_range(&error));
	}
	json_decref(wanted);
	return 0;
}
