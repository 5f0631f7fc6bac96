#!/usr/bin/python3
"""test_memory.py - the milter stays small: with many idle sessions, and with Redis down until nothing fits.

Resident are: anonymous memory (what the program itself takes), files (its text), and what it maps on
tmpfs (the front of the journal, bounded by front_size).
"""
import subprocess

from lab import LabError, Lab, run_test, wait_until
from milter_load import NO_REDIS, is_sanitized, load_words, run_load, start_milter

MIB = 1024
IDLE_SESSIONS, AT_ONCE = 1000, 50
IDLE_LIMIT = 16 * MIB
GROWTH_LIMIT = 2 * MIB			# of anonymous memory, from a tenth of the journal to its end and beyond
FRONT, SPOOL = 4 * MIB, 32 * MIB


def resident(lab):
    """VmRSS and its parts, in KiB."""
    with open("/proc/%d/status" % lab.children["milter"].pid, encoding="ascii") as file:
        rows = dict(line.split(":", 1) for line in file)
    return {name: int(rows[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssFile", "RssShmem")}


def said(memory):
    return ", ".join("%s %.1f MiB" % (name, value / MIB) for name, value in memory.items())


def idle_sessions(lab):
    lab.write_config(redis_address=NO_REDIS, segment_size=None, front_size=None, spool_size=None, auth=None)
    start_milter(lab)
    empty = resident(lab)
    loads = []
    try:
        # Some at a time: of those that come at once on a busy machine libmilter gives many a thread, which have stacks.
        for wanted in range(AT_ONCE, IDLE_SESSIONS + 1, AT_ONCE):
            loads.append(subprocess.Popen(load_words(lab, AT_ONCE, messages=0, hold=600), stdin=subprocess.DEVNULL,
                                          stdout=subprocess.DEVNULL))
            lab.adopt("load", loads[-1].pid)
            wait_until("%d sessions are open" % wanted, lambda wanted=wanted: lab.status()["sessions"] >= wanted, 60)
        full = resident(lab)
    finally:
        for load in loads:
            load.terminate()
        for load in loads:
            load.wait(60)
    print("no session: %s" % said(empty))
    print("%d idle sessions: %s" % (IDLE_SESSIONS, said(full)))
    if not is_sanitized(lab) and full["VmRSS"] >= IDLE_LIMIT:
        raise LabError("%d idle sessions take %d KiB, not less than %d" % (IDLE_SESSIONS, full["VmRSS"], IDLE_LIMIT))
    lab.end("milter")


def redis_down(lab):
    """Loads without end: while the journal fills, when it is full, and when all is refused."""
    lab.write_config(redis_address=NO_REDIS, segment_size="256K", front_size="%dK" % FRONT, spool_size="%dK" % SPOOL,
                     keep_size=0)
    start_milter(lab)
    first, seen, number = None, [], 1
    while len(seen) < 3:			# three looks after the journal was full
        report = run_load(lab, 20, messages=50, sessions=20, recipients=5, headers=20, first=number)
        number += int(report["sessions_begun"])
        written = lab.status()["written"]
        wait_until("the status is of now", lambda: lab.status()["written"] != written)
        status, memory = lab.status(), resident(lab)
        if first is None and status["backlog_bytes"] > SPOOL * 1024 / 10:
            first = memory
            print("%6.1f MiB in the journal: %s" % (status["backlog_bytes"] / MIB / 1024, said(memory)))
        if status["records_dropped"]:
            seen.append(memory)
            print("%6.1f MiB in the journal, %d records refused: %s"
                  % (status["backlog_bytes"] / MIB / 1024, status["records_dropped"], said(memory)))
    growth = max(each["RssAnon"] for each in seen) - first["RssAnon"]
    print("anonymous memory grew by %d KiB" % growth)
    if not is_sanitized(lab) and growth > GROWTH_LIMIT:
        raise LabError("memory grows with the journal: %d KiB" % growth)
    if max(each["RssShmem"] for each in seen) > FRONT + MIB:
        raise LabError("more of the front is mapped than front_size")
    lab.end("milter")


def main():
    with Lab() as lab:
        idle_sessions(lab)
        redis_down(lab)
    return 0


if __name__ == "__main__":
    run_test(main)
