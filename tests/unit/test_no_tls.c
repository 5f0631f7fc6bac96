/* test_no_tls.c - a build without TLS refuses an address of it in words that help. It compiles the two files as such a build does. */
#undef HAVE_REDIS_TLS
/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "common/redis_address.c"
#include "common/redis_tls.c"
/* NOLINTEND(bugprone-suspicious-include) */
#include "unit.h"

TEST(an_address_by_tls_is_refused_and_the_other_ways_are_named)
{
	static const char *const addresses[] = { "tls:host:1", "sentinel+tls:a:1,b:2/m", "cluster+tls:a:1,b:2" };
	struct problem problem;

	CHECK(!redis_tls_is_built_in());
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		problem.text[0] = '\0';
		CHECK_NUMBER(redis_address_check(addresses[i], &problem), -EINVAL);
		CHECK_SAYING(strstr(problem.text, addresses[i]) && strstr(problem.text, "this build has no TLS") &&
			     strstr(problem.text, "unix:/PATH") && strstr(problem.text, "stunnel"), "%s", problem.text);
	}
	CHECK_NUMBER(redis_address_check("tcp:host:1", &problem), 0);
	CHECK_NUMBER(redis_address_check("cluster:a:1,b:2", &problem), 0);
}

TEST(a_connection_by_tls_cannot_be_made)
{
	struct redis_tls *tls = NULL;
	struct problem problem = { "" };

	CHECK_NUMBER(redis_tls_new(&tls, "host", "", "", "", &problem), -EPROTO);
	CHECK_STRING(problem.text, "this build has no TLS");
	redis_tls_free(tls);
}

int main(int argc, char **argv)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(an_address_by_tls_is_refused_and_the_other_ways_are_named),
		UNIT_TEST(a_connection_by_tls_cannot_be_made),
		{ NULL, NULL },
	};
	return unit_run(tests, argc, argv);
}
