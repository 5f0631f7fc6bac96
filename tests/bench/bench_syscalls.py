#!/usr/bin/env python3
"""bench_syscalls.py - the system calls of a message: smtptrail-milter beside the empty milter.

    bench_syscalls.py [--quick]

mtadrive sends mail over ten connections to each of them, of which strace counts the calls of all threads. What the
journal's keeper and the shipper call stands apart: it is behind the mail, and less a message the more messages come.
Counted, not timed. Environment: as lab.py.
"""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_mail import THREADS_BEHIND, Bench, BenchLab, wait_shipped  # noqa: E402
from lab import run_test, wait_until  # noqa: E402
from pairs import print_head, print_row  # noqa: E402

CONNECTIONS, MESSAGES = 10, 2000
SHOWN = 12			# the most frequent calls


def threads_behind(pid):
    """Numbers of the threads that do not answer the MTA."""
    found = set()
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, thread), encoding="ascii") as name:
            if name.read().strip() in THREADS_BEHIND:
                found.add(int(thread))
    return found


def count(bench, name, messages):
    """Calls by (is behind the mail, name of the call)."""
    pid = bench.lab.children[name].pid
    behind, path = threads_behind(pid), bench.lab.path(name + ".strace")
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", path, "-p", str(pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bench.lab.adopt("strace", tracer.pid)
    wait_until("strace is attached", lambda: "TracerPid:\t0\n" not in open("/proc/%d/status" % pid, encoding="ascii").read())
    try:
        bench.drive(name, "--connections", CONNECTIONS, "--messages", messages // CONNECTIONS, "--body", 4000)
        if name == "milter":
            wait_shipped(bench.lab)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    calls = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = re.match(r"(\d+) +(?:(\w+)\(|<\.\.\.)", line)
            if found and found[2]:
                key = (int(found[1]) in behind, found[2])
                calls[key] = calls.get(key, 0) + 1
    return calls


def main():
    messages = MESSAGES // (5 if "--quick" in sys.argv else 1)
    with BenchLab() as lab:
        bench = Bench(lab)
        calls = {name: count(bench, name, messages) for name in ("null", "milter")}
    total = {}
    for key, number in calls["milter"].items():
        total[key[1]] = total.get(key[1], 0) + number
    print("\nSystem calls a message of 16 events, %d messages over %d connections\n" % (messages, CONNECTIONS))
    print_head(("call", "null milter", "ours, for the mail", "ours, behind it"))
    names = sorted(total, key=total.get, reverse=True)[:SHOWN]
    for name in names:
        print_row(name, *(calls[milter].get((behind, name), 0) / messages
                          for milter, behind in (("null", False), ("milter", False), ("milter", True))))
    print_row("all", *(sum(number for (behind, _), number in calls[milter].items() if behind == wanted) / messages
                       for milter, wanted in (("null", False), ("milter", False), ("milter", True))))
    return 0


if __name__ == "__main__":
    run_test(main)
