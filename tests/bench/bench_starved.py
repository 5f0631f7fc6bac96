#!/usr/bin/python3
"""bench_starved.py - what the pool of libmilter does to sessions, when others are greedy or a callback waits.

    bench_starved.py [--quick] [--rounds N]

First one session that pauses after each reply, so that it gives its thread back, alone and beside others that leave no pause.
Then sessions that all begin at once, so that many are ready together: those that the pool gives to a thread whose callback
waits, wait for it. Beside the empty milter is one that waits in some ends of message, as one does that asks a slow DNS server
there; smtptrail-milter, recording; and the same with all checks and a DNS server that never answers. Told are the times to
replies that come of no waiting callback: to RCPT, and to MAIL, RCPT and DATA. Medians over the rounds, whose order is turned
round in each second one, 95 % intervals, Markdown. No run fails on a time.

Environment: as lab.py.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_auth import CHECKS, DEAD  # noqa: E402
from bench_mail import REPLIES, Bench, BenchLab, start_null, start_other  # noqa: E402
from lab import run_test  # noqa: E402
from pairs import median_cell, median_of, print_head, print_row, read_arguments  # noqa: E402

ROUNDS, QUICK_ROUNDS = 15, 1
PACE = 400			# events a second: after 1 ms libmilter takes a session's thread away
MESSAGES, QUICK_MESSAGES, RECIPIENTS = 25, 5, 40
GREEDY, GREEDY_SECONDS = 50, 600	# at most so long
BEGIN_SECONDS = 0.3
AT_ONCE, MESSAGES_AT_ONCE = 60, 2	# sessions, messages of each
WAIT_MS, WAIT_EACH = 1000, 3
NULL, OURS, DEAD_DNS = "null milter", "smtptrail-milter", "smtptrail-milter, all checks, a DNS server that never answers"
ONE = {"%s, alone" % NULL: ("null", False), NULL: ("null", True), "%s, alone" % OURS: ("milter", False), OURS: ("milter", True),
       DEAD_DNS: ("dead", True)}
ALL = {NULL: "null", "null milter that waits %d ms at one end of message in %d" % (WAIT_MS, WAIT_EACH): "waits", OURS: "milter",
       DEAD_DNS: "dead"}


def one(bench, name, is_beside, messages):
    """The replies to the one, and the messages a second of the greedy ones."""
    def paced():
        return bench.drive(name, "--messages", messages, "--recipients", RECIPIENTS, "--pace", PACE, "--body", 4000)["replies_R"]

    if not is_beside:
        return {**paced(), "rate": 0.0}
    greedy = subprocess.Popen(bench.words(name, "--connections", GREEDY, "--messages", 10 ** 9, "--seconds", GREEDY_SECONDS,
                                          "--first", 1000, "--body", 4000),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(BEGIN_SECONDS)
        replies = paced()
        greedy.terminate()
        report = dict(line.split()[:2] for line in greedy.communicate(timeout=60)[0].splitlines())
    finally:
        greedy.kill()
        greedy.wait()
    return {**replies, "rate": float(report["messages_per_second"])}


def at_once(bench, name):
    """Of each figure the longest: of the replies to MAIL, RCPT or DATA."""
    report = bench.drive(name, "--connections", AT_ONCE, "--messages", MESSAGES_AT_ONCE, "--body", 4000)
    return {each: max(report["replies_" + letter][each] for letter in "MRT") for each in REPLIES}


def rounds_of(rounds, arms, measure):
    """measure(what arms has) of each arm, by its name, in each round."""
    return [{words: measure(arms[words]) for words in (arms if number % 2 == 0 else reversed(arms))} for number in range(rounds)]


def cells(results, words):
    return (*(median_cell(results, words, each) for each in REPLIES[:-1]), "%.0f" % max(each[words]["max"] for each in results))


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS)
    messages = QUICK_MESSAGES if arguments.quick else MESSAGES
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as directory, BenchLab() as lab, \
            socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        bench = Bench(lab)
        bench.sockets["waits"] = start_null(lab, "waits", str(WAIT_MS * 1000), str(WAIT_EACH))
        bench.sockets["dead"], _ = start_other(lab, directory, "dead", dns_servers=["127.0.0.1@%d" % silent.getsockname()[1]],
                                               **CHECKS, **DEAD)
        alone = rounds_of(arguments.rounds, ONE, lambda arm: one(bench, *arm, messages))
        together = rounds_of(arguments.rounds, ALL, lambda name: at_once(bench, name))
    print("\nmtadrive, one connection, %d events a second, beside %d that leave no pause: us to a reply to RCPT, medians of %d"
          " rounds; max: the longest of all" % (PACE, GREEDY, arguments.rounds))
    print_head(("milter", *REPLIES, "messages/s of the others"))
    for words, (_, is_beside) in ONE.items():
        print_row(words, *cells(alone, words), "%.0f" % median_of(alone, words, "rate") if is_beside else "")
    print("\nmtadrive, %d sessions that begin at once, %d messages each: us to the replies to MAIL, RCPT and DATA, of those the slowest"
          " kind, medians of %d rounds; max: the longest of all" % (AT_ONCE, MESSAGES_AT_ONCE, arguments.rounds))
    print_head(("milter", *REPLIES, "rounds with a reply of %d ms" % (WAIT_MS / 2)))
    for words in ALL:
        print_row(words, *cells(together, words), "%d" % sum(each[words]["max"] >= WAIT_MS * 500 for each in together))
    return 0


if __name__ == "__main__":
    run_test(main)
