/* callbacks.c - libmilter's side: what is negotiated and what is answered. */
#include "callbacks.h"

#include <errno.h>
#include <grp.h>
#include <libmilter/mfapi.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "negotiation.h"

enum { STOP_PAUSES_MAX = 250 };	/* five seconds */
/* A callback needs a tenth of it; ThreadSanitizer keeps more than that on each stack. */
#ifdef __SANITIZE_THREAD__
enum { STACK_SIZE = 2 * 1024 * 1024 };
#else
enum { STACK_SIZE = 256 * 1024 };
#endif

static struct sessions *all_sessions;
static atomic_bool stopping;
static atomic_uint running;
/* What every negotiation so far had in common: for a callback that must not look at its session. */
static atomic_ulong common_no_reply = ~0ul;

/* One callback, from its begin to its end. */
struct call {
	SMFICTX *context;
	bool is_entered;
	struct session *session;	/* NULL: there is none, or we are stopping */
	uint64_t now_us;
	struct macros macros;
};

static const char *get_macro(void *context, const char *name)
{
	return smfi_getsymval(context, (char *)name);
}

static void call_enter(struct call *call, SMFICTX *context)
{
	*call = (struct call){ .context = context, .macros = { get_macro, context } };
	atomic_fetch_add(&running, 1);
	if (atomic_load(&stopping)) {
		atomic_fetch_sub(&running, 1);
		return;
	}
	call->is_entered = true;
	call->session = smfi_getpriv(context);
	if (call->session)
		atomic_store_explicit(&call->session->is_busy, true, memory_order_release);
}

/* Of a stage whose record carries the time. */
static void call_enter_timed(struct call *call, SMFICTX *context)
{
	call_enter(call, context);
	call->now_us = clock_now_us();
}

/* The reply of a stage whose no-reply bit is this one; 0: a stage that is always answered. */
static sfsistat call_leave(struct call *call, unsigned long no_reply_bit)
{
	unsigned long no_reply = call->session ? call->session->no_reply : atomic_load(&common_no_reply);

	if (call->session)
		atomic_store_explicit(&call->session->is_busy, false, memory_order_release);
	if (call->is_entered)
		atomic_fetch_sub(&running, 1);
	return no_reply & no_reply_bit ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* A stage whose session could not be made for want of memory. */
static void call_lost(const struct call *call)
{
	if (call->is_entered)
		recorder_lost(all_sessions->recorder, call->now_us);
}

static void begin_session(struct call *call, unsigned long no_reply)
{
	struct config *config = config_take_current();

	call->session = config ? session_new(all_sessions, config) : NULL;
	if (call->session) {
		call->session->no_reply = no_reply;
		atomic_store(&call->session->is_busy, true);
		(void)smfi_setpriv(call->context, call->session);
	}
	config_release(config);
}

/*
 * The event of a session that may not be there yet: after "quit, but a new connection follows" nothing
 * is negotiated again, and a peer that is no MTA may leave out the connect.
 */
static void call_enter_event(struct call *call, SMFICTX *context)
{
	call_enter_timed(call, context);
	if (call->is_entered && !call->session)
		begin_session(call, atomic_load(&common_no_reply));
}

static void end_session(struct call *call)
{
	(void)smfi_setpriv(call->context, NULL);
	session_free(call->session);
	call->session = NULL;
}

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long protocol, unsigned long unused2,
			     unsigned long unused3, unsigned long *ret_actions, unsigned long *ret_protocol,
			     unsigned long *ret_unused2, unsigned long *ret_unused3)
{
	struct config *config = config_take_current();
	bool lowest = config && config->latency == CONFIG_LATENCY_LOWEST;
	unsigned long flags = protocol & (NEGOTIATION_ALWAYS | (lowest ? NEGOTIATION_LOWEST : 0));
	struct call call;

	(void)unused2;
	(void)unused3;
	config_release(config);
	if (actions & SMFIF_SETSYMLIST)
		negotiation_ask_macros(context);
	*ret_actions = 0;
	*ret_protocol = flags;
	*ret_unused2 = *ret_unused3 = 0;
	atomic_fetch_and(&common_no_reply, flags);
	call_enter(&call, context);
	if (call.is_entered && !call.session)
		begin_session(&call, flags);
	(void)call_leave(&call, 0);
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *context, char *name, _SOCK_ADDR *address)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_connect(call.session, call.now_us, name, address, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *context, char *helo)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_helo(call.session, call.now_us, helo, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_HELO);
}

static sfsistat on_mail(SMFICTX *context, char **arguments)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_mail(call.session, call.now_us, arguments, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_MAIL);
}

static sfsistat on_rcpt(SMFICTX *context, char **arguments)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_rcpt(call.session, call.now_us, arguments, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_RCPT);
}

static sfsistat on_data(SMFICTX *context)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_data(call.session, call.now_us, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_DATA);
}

static sfsistat on_unknown(SMFICTX *context, const char *command)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_unknown(call.session, call.now_us, command);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_UNKN);
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
	struct call call;

	call_enter(&call, context);
	if (call.session)
		session_header(call.session, text_of(name), text_of(value));
	return call_leave(&call, SMFIP_NR_HDR);
}

static sfsistat on_end_of_header(SMFICTX *context)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_end_of_header(call.session, call.now_us, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *context, unsigned char *chunk, size_t length)
{
	struct call call;

	call_enter(&call, context);
	if (call.session)
		session_body(call.session, (struct text){ (const char *)chunk, length });
	return call_leave(&call, SMFIP_NR_BODY);
}

static sfsistat on_eom(SMFICTX *context)
{
	struct call call;

	call_enter_event(&call, context);
	if (call.session)
		session_eom(call.session, call.now_us, &call.macros);
	else
		call_lost(&call);
	return call_leave(&call, 0);
}

static sfsistat on_abort(SMFICTX *context)
{
	struct call call;

	call_enter_timed(&call, context);
	if (call.session)
		session_abort(call.session, call.now_us);
	else
		call_lost(&call);
	return call_leave(&call, 0);
}

static sfsistat on_close(SMFICTX *context)
{
	struct call call;

	call_enter_timed(&call, context);
	if (call.session) {
		session_close(call.session, call.now_us);
		end_session(&call);
	}
	return call_leave(&call, 0);
}

static int set_owner(const struct config *config, const char *path, uid_t owner, struct problem *problem)
{
	const struct group *group = config->socket_group[0] ? getgrnam(config->socket_group) : NULL;

	if (config->socket_group[0] && !group) {
		problem_set(problem, "socket_group '%.64s' is no group of this machine: create it, or name another",
			    config->socket_group);
		return -EINVAL;
	}
	if (lchown(path, owner, group ? group->gr_gid : (gid_t)-1) != 0) {
		int error = errno;

		problem_set(problem, "cannot give socket '%s' to user %u and group '%.64s': %s; start as root, or be a member of it",
			    path, (unsigned)owner, config->socket_group, strerror(error));
		return -error;
	}
	/* After chown, which may take bits away. */
	return chmod(path, (mode_t)config->socket_mode) == 0 ? 0 : -errno;
}

static int register_callbacks(void)
{
	struct smfiDesc callbacks = {
		.xxfi_name = (char *)"smtptrail-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_negotiate = on_negotiate,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_data = on_data,
		.xxfi_unknown = on_unknown,
		.xxfi_header = on_header,
		.xxfi_eoh = on_end_of_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
	};

	return smfi_register(callbacks) == MI_SUCCESS ? 0 : -ENOMEM;
}

int callbacks_open(const struct config *config, const struct socket_address *address, uid_t owner,
		   struct problem *problem)
{
	int error;

	/* libmilter would take the socket of a running milter away from it. */
	if (socket_is_answered(address)) {
		problem_set(problem, "socket '%s' is in use: another milter answers there; stop it, or choose another socket",
			    config->socket);
		return -EADDRINUSE;
	}
	(void)smfi_setmaxdatasize(config->max_packet);
	(void)smfi_settimeout((int)(config->idle_timeout_us / 1000000));
	if (register_callbacks() || smfi_setconn((char *)address->libmilter) != MI_SUCCESS) {
		problem_set(problem, "libmilter does not take the socket '%s'", address->libmilter);
		return -EINVAL;
	}
	mode_t before = umask((mode_t)(0777 & ~config->socket_mode));

	errno = 0;
	error = smfi_opensocket(1) == MI_SUCCESS ? 0 : errno ? -errno : -EIO;
	(void)umask(before);
	if (error) {
		problem_set(problem, "cannot listen on socket '%s': %s; does its directory exist, and may we write there? is the address ours?",
			    config->socket, strerror(-error));
		return error;
	}
	return address->is_local ? set_owner(config, address->path, owner, problem) : 0;
}

struct service {
	pthread_t waiter;
	atomic_bool has_ended;
	int result;
};

static void *serve(void *context)
{
	struct service *service = context;

	service->result = smfi_main();
	atomic_store(&service->has_ended, true);
	/* Whoever took the signal, the waiter goes on. */
	(void)pthread_kill(service->waiter, SIGTERM);
	return NULL;
}

/* Hands the signal on to libmilter's thread, whose business it is. Its listener looks for the stop only
 * every five seconds, or when somebody connects: so somebody does. */
static bool end_service(struct service *service, const struct socket_address *address)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	(void)kill(getpid(), SIGTERM);
	for (unsigned pauses = 0; !atomic_load(&service->has_ended) && pauses < STOP_PAUSES_MAX; pauses++) {
		(void)socket_is_answered(address);
		(void)nanosleep(&pause, NULL);
	}
	return atomic_load(&service->has_ended);
}

/* libmilter begins and ends threads all the time, and takes the process' default for their stacks. glibc keeps 40 MiB of
 * stacks for the next threads: five of the usual 8 MiB, 160 of these; all others are mapped and faulted in anew. */
static void settle_stacks(void)
{
	pthread_attr_t attributes;

	if (pthread_attr_init(&attributes) != 0)
		return;
	if (pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0)
		(void)pthread_setattr_default_np(&attributes);
	(void)pthread_attr_destroy(&attributes);
}

/* smfi_main has a thread of its own, so that this one takes the signal: the kernel prefers the main
 * thread to libmilter's. */
int callbacks_run(struct sessions *sessions, const struct socket_address *address)
{
	/* Static, since libmilter's thread may outlive this function where it does not end. */
	static struct service service;
	pthread_t thread;
	sigset_t signals;
	int signal;

	all_sessions = sessions;
	service.waiter = pthread_self();
	settle_stacks();
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	if (pthread_create(&thread, NULL, serve, &service) != 0)
		return -EAGAIN;
	(void)sigwait(&signals, &signal);
	bool was_told = !atomic_load(&service.has_ended);

	atomic_store(&stopping, true);
	/* libmilter 8.17 that is stopped under load may call its end a failure (the listener finds its socket
	 * closed), or not end at all: the pool destroys a mutex that its workers wait for. Nothing of ours waits
	 * for either: from here on callbacks do nothing. */
	if (end_service(&service, address))
		(void)pthread_join(thread, NULL);
	return was_told || service.result == MI_SUCCESS ? 0 : -EIO;
}

bool callbacks_stop(unsigned timeout_ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	atomic_store(&stopping, true);
	for (unsigned waited = 0; atomic_load(&running) != 0; waited++) {
		if (waited >= timeout_ms)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}
