/* main.c - smtptrail-milter: process life. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "callbacks.h"
#include "check.h"
#include "common/clock.h"
#include "common/escape.h"
#include "common/log.h"
#include "housekeeping.h"
#include "partitions.h"
#include "privileges.h"

enum { EXIT_USAGE = 2, FILES_WANTED = 65536, CALLBACKS_TIMEOUT_MS = 2000 };
#define DRAIN_TIMEOUT_US UINT64_C(5000000)

/* What runs, in the order of its start. */
struct daemon {
	const struct config *config;	/* of the start */
	struct socket_address address;
	char host[JOURNAL_NAME_SIZE];
	uint64_t started_us;
	struct partitions partitions;
	struct sessions sessions;
	struct auth_jobs *auth;		/* NULL: nothing is checked */
	struct housekeeping *housekeeping;
};

static void print_help(FILE *out)
{
	fputs("usage: smtptrail-milter [-c FILE] [--check]\n"
	      "Records every SMTP transaction that the MTA tells it of, and ships the records into Redis.\n"
	      "Stays in the foreground; SIGTERM stops it, SIGUSR1 reads the configuration again.\n\n"
	      "  -c, --config FILE   configuration (default: " CONFIG_FILE ", where it exists)\n"
	      "      --check         say what is wrong with configuration, socket, journal, DNS and Redis, and how to\n"
	      "                      mend it; exit 0, or 2 where there is an error\n"
	      "      --version       print the version\n"
	      "      --help          print this\n", out);
}

static int usage_error(const char *what, const char *word)
{
	fputs("smtptrail-milter: '", stderr);
	escape_terminal(text_of(word), stderr);
	fprintf(stderr, "' %s; see smtptrail-milter --help\n", what);
	return EXIT_USAGE;
}

/* What getopt did not like: a long option as it stands there, a letter among letters alone. */
static const char *wrong_option(char **argv)
{
	static char letter[] = "-?";

	letter[1] = (char)optopt;
	return strncmp(argv[optind - 1], "--", 2) == 0 ? argv[optind - 1] : letter;
}

/* The signals that end or reload: taken by libmilter's thread and by ours, in no other. */
static void block_signals(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t signals;

	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigaddset(&signals, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	journal_guard();
}

/* Left to itself, glibc counts the processors by reading /sys when a thread first finds all heaps in use: in
 * a callback. This is its own default, counted beforehand. */
static void settle_heaps(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	(void)mallopt(M_ARENA_MAX, (int)(8 * (processors > 0 ? processors : 1)));
}

static int prepare(struct daemon *daemon, struct problem *problem)
{
	const struct config *config = daemon->config;
	struct socket_address *address = &daemon->address;
	struct account account;
	int error = socket_parse(address, config->socket, problem);

	if (!error)
		error = privileges_find(config, &account, problem);
	if (!error)
		error = privileges_make_directories(config, address->path, &account, problem);
	if (!error)
		error = callbacks_open(config, address, account.user, problem);
	if (!error)
		error = privileges_drop(&account, problem);
	/* What the milter makes from here on is for its user and group. */
	(void)umask(027);
	return error;
}

static int open_partitions(struct daemon *daemon, struct problem *problem)
{
	const struct config *config = daemon->config;

	if (config->host[0])
		(void)snprintf(daemon->host, sizeof daemon->host, "%s", config->host);
	else if (gethostname(daemon->host, sizeof daemon->host) != 0)
		daemon->host[0] = '\0';
	daemon->host[sizeof daemon->host - 1] = '\0';
	return partitions_open(&daemon->partitions, config, daemon->host, problem);
}

static int start_auth(struct daemon *daemon, struct problem *problem)
{
	const struct config *config = daemon->config;
	int error = config->auth ? auth_jobs_start(&daemon->auth, config, &daemon->partitions.recorder, daemon->host, problem) : 0;

	daemon->sessions.auth = daemon->auth;
	return error;
}

static int start_threads(struct daemon *daemon, struct problem *problem)
{
	const struct config *config = daemon->config;
	struct housekeeping_parts parts = {
		.partitions = &daemon->partitions, .sessions = &daemon->sessions,
		.auth = daemon->auth, .boot_config = config, .started_us = daemon->started_us,
	};
	int error = partitions_start(&daemon->partitions, problem);

	if (error)
		return error;
	error = housekeeping_start(&daemon->housekeeping, &parts);
	if (error)
		problem_set(problem, "cannot start a thread: %s", strerror(-error));
	return error;
}

/* In the reverse order. What libmilter's threads still do goes into no record. */
static void stop(struct daemon *daemon, const char *reason)
{
	bool is_quiet = callbacks_stop(CALLBACKS_TIMEOUT_MS);

	(void)sd_notify(0, "STOPPING=1");
	housekeeping_stop(daemon->housekeeping);
	sessions_shutdown(&daemon->sessions, clock_now_us());
	if (daemon->auth)
		auth_jobs_stop(daemon->auth, daemon->config->auth_stop_time_us);
	recorder_write_gaps(&daemon->partitions.recorder, clock_now_us());
	recorder_put_stop(&daemon->partitions.recorder, clock_now_us(), reason);
	partitions_stop(&daemon->partitions, DRAIN_TIMEOUT_US);
	if (!is_quiet) {
		/* Its memory must stay; what it appended is in the front, and the next start finds it there. */
		log_error("a callback did not end; leaving without waiting for it");
		return;
	}
	auth_jobs_free(daemon->auth);
	partitions_close(&daemon->partitions);
	sessions_done(&daemon->sessions);
}

/* Serves until it is told to stop; the exit status. */
static int serve(struct config *config)
{
	struct daemon daemon = { .config = config, .started_us = clock_now_us() };
	struct problem problem = { .text = "" };
	int error = prepare(&daemon, &problem);
	uint32_t epoch;

	if (!error)
		error = open_partitions(&daemon, &problem);
	if (error) {
		log_error("%s; not starting", problem.text[0] ? problem.text : strerror(-error));
		return EXIT_FAILURE;
	}
	epoch = journal_birth(daemon.partitions.journals[0]).epoch;
	sessions_init(&daemon.sessions, &daemon.partitions.recorder, epoch);
	for (unsigned place = 0; place < daemon.partitions.count; place++)
		recorder_put_start(&daemon.partitions.recorder, place, daemon.started_us, config->digest);
	error = start_auth(&daemon, &problem);
	if (!error)
		error = start_threads(&daemon, &problem);
	if (!error) {
		log_info("smtptrail-milter " PACKAGE_VERSION " records at %s; epoch %u, records go to %s", config->socket,
			 epoch, config->redis.address);
		(void)sd_notify(0, "READY=1");
		error = callbacks_run(&daemon.sessions, &daemon.address);
		if (error)
			problem_set(&problem, "libmilter failed; its own words are in the system's mail log");
	}
	if (error)
		log_error("%s; stopping", problem.text);
	stop(&daemon, error ? "error" : "signal");
	log_info("stopped");
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const char *file)
{
	struct config *config;
	struct problem problem;
	int status;

	if (config_read(&config, file, &problem) != 0) {
		fprintf(stderr, "smtptrail-milter: %s\n", problem.text);
		return EXIT_USAGE;
	}
	log_open("smtptrail-milter", (enum log_target)config->log, (enum log_level)config->log_level);
	privileges_raise_files(FILES_WANTED);
	block_signals();
	settle_heaps();
	config_set_current(config_take(config));
	status = serve(config);
	config_set_current(NULL);
	config_release(config);
	log_close();
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *asked = NULL;
	bool only_check = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
		switch (option) {
		case 'c': asked = optarg; break;
		case 'k': only_check = true; break;
		case 'v': printf("smtptrail-milter " PACKAGE_VERSION "\n"); return EXIT_SUCCESS;
		case 'h': print_help(stdout); return EXIT_SUCCESS;
		case ':': return usage_error("wants a value", argv[optind - 1]);
		default: return usage_error("is no option, or takes no value", wrong_option(argv));
		}
	}
	if (optind < argc)
		return usage_error("is one argument too many", argv[optind]);
	return only_check ? check_run(conf_find(asked, CONFIG_FILE)) : run(conf_find(asked, CONFIG_FILE));
}
