/* store_join.c - what the join shows as changed, with what it knows beside, and back. */
#include "analysis/store_join.h"

/* ---- to the store ---- */

struct keeping {
	struct store *store;
	struct correlate *correlate;
	struct correlate_sink sink;	/* the store's */
	struct problem *problem;
	int error;			/* the first */
};

static void keep_state(struct keeping *keeping, bool is_session, transaction_key key, struct text state)
{
	if (!keeping->error)
		keeping->error = store_keep_state(keeping->store, is_session, key, state, keeping->problem);
}

static void keep_session(void *context, const struct session *session)
{
	struct keeping *keeping = context;

	keeping->sink.session(keeping->sink.context, session);
	keep_state(keeping, true, session->key, correlate_session_state(keeping->correlate, session));
}

static void keep_message(void *context, const struct message *message)
{
	struct keeping *keeping = context;

	keeping->sink.message(keeping->sink.context, message);
	keep_state(keeping, false, message->key, correlate_message_state(keeping->correlate, message));
}

int store_join_commit(struct store *store, struct correlate *correlate, struct problem *problem)
{
	struct keeping keeping = { .store = store, .correlate = correlate, .problem = problem };
	const struct correlate_sink sink = { .session = keep_session, .message = keep_message, .context = &keeping };

	store_changed_sink(store, &keeping.sink);
	correlate_show_changed(correlate, &sink);
	if (!keeping.error)
		keeping.error = store_keep_join_state(store, correlate_state(correlate), problem);
	return keeping.error ? keeping.error : store_commit(store, problem);
}

/* ---- and back ---- */

static void take_state(void *context, struct text state)
{
	correlate_restore(context, state);
}

static void take_session(void *context, const struct session *session, struct text state)
{
	correlate_restore_session(context, session, state);
}

static void take_message(void *context, const struct message *message, struct text state)
{
	correlate_restore_message(context, message, state);
}

int store_join_restore(struct store *store, struct correlate *correlate, struct problem *problem)
{
	const struct store_restorer restorer = {
		.join = take_state, .session = take_session, .message = take_message, .context = correlate,
	};

	return store_restore(store, &restorer, problem);
}

int store_join_forget_logins(struct store *store, correlate_test *test, const void *context, struct problem *problem)
{
	const struct correlate_sink nobody = { .login = NULL };
	struct correlate_options options;
	struct store_restorer restorer = { .join = take_state };
	struct correlate *correlate;
	int error;

	correlate_defaults(&options);
	error = correlate_new(&correlate, &options, &nobody);
	if (error)
		return error;
	restorer.context = correlate;
	error = store_restore(store, &restorer, problem);
	if (!error && correlate_forget_logins(correlate, test, context))
		error = store_keep_join_state(store, correlate_state(correlate), problem);
	correlate_free(correlate);
	return error;
}
