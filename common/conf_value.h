/*
 * conf_value.h - one option's value: from text, to text, and what is allowed. For conf*.c alone.
 *
 * Threads, memory: as conf.h.
 * Errors:  -EINVAL and "NAME = 'TEXT' is ...; allowed: ..." in problem; -ENOMEM.
 */
#ifndef SMTPTRAIL_CONF_VALUE_H
#define SMTPTRAIL_CONF_VALUE_H

#include "conf.h"

#define CONF_ALLOWED_SIZE 256

/* Replaces the value; adds an item to a list. On failure the value is as it was. */
int conf_value_set(const struct conf_option *option, void *values, const char *text, struct problem *problem);
int conf_value_add_pair(const struct conf_option *option, void *values, const char *name, const char *text,
			struct problem *problem);
/* Whether the text may be the value of the option's section, whose own option is named; -EINVAL. */
int conf_value_check_within(const struct conf_option *option, const char *title, const char *name, const char *text,
			    struct problem *problem);
/* As conf_value_check_within has passed them, in the order of option->within; NULL: not given. */
int conf_value_add_section(const struct conf_option *option, void *values, const char *title, const char *const *texts);
/* Whether it is a struct conf_list. */
bool conf_value_is_list(const struct conf_option *option);
/* Sets the default, where there is none yet or it was cleared. */
int conf_value_set_initial(const struct conf_option *option, void *values, struct problem *problem);
/* Frees a string or list, and leaves none. */
void conf_value_clear(const struct conf_option *option, void *values);
/* Of a list: whether it has as many items as it may have. */
int conf_value_check_count(const struct conf_option *option, const void *values, struct problem *problem);
/* As it would be written in the file. */
void conf_value_print(const struct conf_option *option, const void *values, FILE *out);
bool conf_value_equal(const struct conf_option *option, const void *a, const void *b);
/* What may stand there, such as "a size from 64K to 16M". */
void conf_value_allowed(const struct conf_option *option, char ret_text[CONF_ALLOWED_SIZE]);

#endif
