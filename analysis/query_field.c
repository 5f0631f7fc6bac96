/* query_field.c - the names that a query may ask for. */
#include <stdlib.h>

#include "analysis/query_internal.h"

static const struct {
	const char *name;
	enum query_special special;
	enum fact_type type;
	const char *meaning;
} specials[] = {
#define QUERY_FIELD(id, name, type, meaning) { name, QUERY_##id, FACT_##type, meaning },
#define QUERY_ALIAS(name, full)
#define QUERY_FREE(level, id)
#include "analysis/query_fields.def"
#undef QUERY_FIELD
#undef QUERY_ALIAS
#undef QUERY_FREE
};
enum { SPECIAL_COUNT = sizeof specials / sizeof specials[0] };

static const struct {
	const char *name, *full;
} aliases[] = {
#define QUERY_FIELD(id, name, type, meaning)
#define QUERY_ALIAS(name, full) { name, full },
#define QUERY_FREE(level, id)
#include "analysis/query_fields.def"
#undef QUERY_FIELD
#undef QUERY_ALIAS
#undef QUERY_FREE
};
enum { ALIAS_COUNT = sizeof aliases / sizeof aliases[0] };

static bool find_special(struct text name, struct query_field *ret_field)
{
	for (int i = 0; i < SPECIAL_COUNT; i++) {
		if (!text_is(name, specials[i].name))
			continue;
		*ret_field = (struct query_field){
			.name = specials[i].name, .special = specials[i].special, .type = specials[i].type,
		};
		return true;
	}
	return false;
}

static bool find_facts(struct text name, struct query_field *ret_field)
{
	struct query_field field = { .special = QUERY_FACTS };

	for (int level = 0; level < LEVEL_COUNT; level++) {
		enum fact fact = fact_by_name((enum fact_level)level, name);

		if (fact != FACT_COUNT)
			field.facts[field.fact_count++] = fact;
	}
	if (!field.fact_count)
		return false;
	field.name = fact_table[field.facts[0]].name;
	field.type = fact_table[field.facts[0]].type;
	*ret_field = field;
	return true;
}

/* "attempt.reason": of one level. */
static bool find_of_level(struct text name, struct query_field *ret_field)
{
	const char *dot = memchr(name.start, '.', name.length);
	size_t length = dot ? (size_t)(dot - name.start) : 0;

	for (int level = 0; dot && level < LEVEL_COUNT; level++) {
		enum fact fact;

		if (!text_is((struct text){ name.start, length }, fact_level_name((enum fact_level)level)))
			continue;
		fact = fact_by_name((enum fact_level)level, (struct text){ dot + 1, name.length - length - 1 });
		if (fact == FACT_COUNT)
			return false;
		*ret_field = (struct query_field){
			.name = fact_table[fact].name, .special = QUERY_FACTS, .type = fact_table[fact].type, .fact_count = 1, .facts = { fact },
		};
		return true;
	}
	return false;
}

bool query_field_find(struct text name, struct query_field *ret_field)
{
	for (int i = 0; i < ALIAS_COUNT; i++)
		if (text_is(name, aliases[i].name))
			name = text_of(aliases[i].full);
	return find_special(name, ret_field) || find_facts(name, ret_field) || find_of_level(name, ret_field);
}

bool query_begins(const char *text)
{
	const char *name = text + strspn(text, "-("), *colon = strchr(name, ':');
	struct query_field field;

	return colon && colon[1] && colon[1] != ' ' && query_field_find((struct text){ name, (size_t)(colon - name) }, &field);
}

/* Whether a fact of a lower level has the name already. */
static bool is_again(int fact)
{
	for (int i = 0; i < fact; i++)
		if (strcmp(fact_table[i].name, fact_table[fact].name) == 0)
			return true;
	return false;
}

const struct query_field_info *query_fields(void)
{
	static struct query_field_info fields[SPECIAL_COUNT + FACT_COUNT + ALIAS_COUNT + 1];
	unsigned count = 0;

	if (fields[0].name)
		return fields;
	for (int i = 0; i < SPECIAL_COUNT; i++)
		fields[count++] = (struct query_field_info){ specials[i].name, fact_type_name(specials[i].type), specials[i].meaning };
	for (int i = 0; i < FACT_COUNT; i++)
		if (!is_again(i))
			fields[count++] = (struct query_field_info){ fact_table[i].name, fact_type_name(fact_table[i].type),
								     fact_table[i].meaning };
	for (int i = 0; i < ALIAS_COUNT; i++)
		fields[count++] = (struct query_field_info){ aliases[i].name, "alias", aliases[i].full };
	return fields;
}
