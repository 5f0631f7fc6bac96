#!/usr/bin/python3
"""bench_starved.py - what the pool of libmilter does to one session, when others are greedy or a callback waits.

    bench_starved.py [--quick] [--rounds N]

A session pauses after each reply, so that it gives its thread back, and says many recipients; others beside it talk
without pause. It has the empty milter alone and beside them; one that waits in its end of message, as one does that
asks a slow DNS server there; smtptrail-milter, recording; and the same with all checks and a DNS server that never
answers. Told are the times to the replies to RCPT, where none of them waits itself. Medians over the rounds, whose
order is turned round in each second one, 95 % intervals, Markdown. No run fails on a time.

Environment: as lab.py.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_auth import CHECKS, DEAD, start_other  # noqa: E402
from bench_mail import REPLIES, Bench, BenchLab, start_null  # noqa: E402
from lab import run_test  # noqa: E402
from pairs import median_cell, median_of, print_head, print_row, read_arguments  # noqa: E402

ROUNDS, QUICK_ROUNDS = 15, 1
PACE = 400			# events a second: after 1 ms libmilter takes a session's thread away
MESSAGES, QUICK_MESSAGES, RECIPIENTS = 25, 5, 40
GREEDY, GREEDY_SECONDS = 50, 600	# at most so long
BEGIN_SECONDS = 0.3
WAIT_MS = 100
ARMS = {			# milter, are there others
    "null milter, alone": ("null", False),
    "null milter": ("null", True),
    "null milter that waits %d ms at each end of message" % WAIT_MS: ("waits", True),
    "smtptrail-milter, alone": ("milter", False),
    "smtptrail-milter": ("milter", True),
    "smtptrail-milter, all checks, a DNS server that never answers": ("dead", True),
}


def paced(bench, name, messages):
    return bench.drive(name, "--messages", messages, "--recipients", RECIPIENTS, "--pace", PACE, "--body", 4000)["replies_R"]


def beside_greedy(bench, name, messages):
    """The replies, and the messages a second of the others."""
    greedy = subprocess.Popen(bench.words(name, "--connections", GREEDY, "--messages", 10 ** 9, "--seconds", GREEDY_SECONDS,
                                          "--first", 1000, "--body", 4000),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(BEGIN_SECONDS)
        replies = paced(bench, name, messages)
        greedy.terminate()
        report = dict(line.split()[:2] for line in greedy.communicate(timeout=60)[0].splitlines())
    finally:
        greedy.kill()
        greedy.wait()
    return {**replies, "rate": float(report["messages_per_second"])}


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS)
    messages = QUICK_MESSAGES if arguments.quick else MESSAGES
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as directory, BenchLab() as lab, \
            socket.socket(type=socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        bench = Bench(lab)
        bench.sockets["waits"] = start_null(lab, "waits", str(WAIT_MS * 1000))
        bench.sockets["dead"], _ = start_other(lab, directory, "dead", dns_servers=["127.0.0.1@%d" % dead.getsockname()[1]],
                                               **CHECKS, **DEAD)
        rounds = []
        for number in range(arguments.rounds):
            rounds.append({words: beside_greedy(bench, name, messages) if is_beside else paced(bench, name, messages)
                           for words, (name, is_beside) in (ARMS.items() if number % 2 == 0 else reversed(ARMS.items()))})
    print("\nmtadrive, one connection, %d events a second, beside %d that leave no pause: us to a reply to RCPT, medians of %d"
          " rounds; max: the longest of all" % (PACE, GREEDY, arguments.rounds))
    print_head(("milter", *REPLIES, "messages/s of the others"))
    for words, (_, is_beside) in ARMS.items():
        print_row(words, *(median_cell(rounds, words, each) for each in REPLIES[:-1]), "%.0f" % max(each[words]["max"] for each in rounds),
                  "%.0f" % median_of(rounds, words, "rate") if is_beside else "")
    return 0


if __name__ == "__main__":
    run_test(main)
