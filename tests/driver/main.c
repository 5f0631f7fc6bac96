/* main.c - mtadrive: speaks the milter protocol as an MTA does, to test milters with. */
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load.h"
#include "play.h"

#define PLAY_TIMEOUT_MS 30000

static const char usage[] =
	"usage: mtadrive play [--timeout MS] FILE SOCKET\n"
	"       mtadrive load [OPTION...] SOCKET\n"
	"SOCKET is unix:PATH or inet:PORT@HOST. FILE is a dialogue (tests/driver/README.md).\n"
	"Options of load:\n"
	"  --connections N    sessions open at once (1)\n"
	"  --sessions N       sessions in all (as many as connections)\n"
	"  --messages N       messages a session (1); 0: idle sessions\n"
	"  --recipients N     recipients a message (1)\n"
	"  --headers N        header fields a message (10)\n"
	"  --body BYTES       bytes of a message's body (1000)\n"
	"  --pace N           events a second over all sessions (as fast as it goes)\n"
	"  --seconds S        begin no message after that time\n"
	"  --hold S           keep sessions open until that time\n"
	"  --wait S           try again for so long where the milter is not there (0)\n"
	"  --first N          number of the first session (1)\n"
	"  --events-log FILE  one line an event: SIGN SESSION MESSAGE COMMAND INDEX; SIGN is + (replied,\n"
	"                     or before one that was), ? (sent, the milter was gone before its reply);\n"
	"                     and a line \"q SESSION\" (ended by QUIT) or \"x SESSION\" (cut)\n";

static int usage_error(void)
{
	fputs(usage, stderr);
	return 2;
}

static double number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (*end || end == text || value < 0)
		errx(2, "'%s' is no number", text);
	return value;
}

static int main_play(int argc, char **argv)
{
	static const struct option long_options[] = { { "timeout", required_argument, NULL, 't' }, { 0 } };
	int letter, timeout_ms = PLAY_TIMEOUT_MS;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		if (letter != 't')
			return usage_error();
		timeout_ms = (int)number(optarg);
	}
	if (argc - optind != 2)
		return usage_error();
	return play(argv[optind], argv[optind + 1], timeout_ms);
}

static int main_load(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "connections", required_argument, NULL, 'c' }, { "sessions", required_argument, NULL, 's' },
		{ "messages", required_argument, NULL, 'm' }, { "recipients", required_argument, NULL, 'r' },
		{ "headers", required_argument, NULL, 'h' }, { "body", required_argument, NULL, 'b' },
		{ "pace", required_argument, NULL, 'p' }, { "seconds", required_argument, NULL, 't' },
		{ "hold", required_argument, NULL, 'o' }, { "wait", required_argument, NULL, 'w' },
		{ "first", required_argument, NULL, 'f' }, { "events-log", required_argument, NULL, 'l' },
		{ 0 }
	};
	struct load_options options = { .connections = 1, .messages = 1, .recipients = 1, .headers = 10,
					.body_bytes = 1000, .first_number = 1 };
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (letter) {
		case 'c': options.connections = (unsigned)number(optarg); break;
		case 's': options.sessions = (uint64_t)number(optarg); break;
		case 'm': options.messages = (uint64_t)number(optarg); break;
		case 'r': options.recipients = (unsigned)number(optarg); break;
		case 'h': options.headers = (unsigned)number(optarg); break;
		case 'b': options.body_bytes = (unsigned)number(optarg); break;
		case 'p': options.pace = (uint64_t)number(optarg); break;
		case 't': options.seconds = number(optarg); break;
		case 'o': options.hold_seconds = number(optarg); break;
		case 'w': options.wait_seconds = number(optarg); break;
		case 'f': options.first_number = (uint64_t)number(optarg); break;
		case 'l': options.events_log = optarg; break;
		default: return usage_error();
		}
	}
	if (argc - optind != 1 || options.connections == 0)
		return usage_error();
	options.socket = argv[optind];
	return load(&options);
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc >= 2 && strcmp(argv[1], "play") == 0)
		return main_play(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "load") == 0)
		return main_load(argc - 1, argv + 1);
	return usage_error();
}
