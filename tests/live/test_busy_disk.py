#!/usr/bin/python3
"""test_busy_disk.py - a program that writes and syncs without pause costs no record, and no reply its order.

Two milters, ours and the empty one of the bench, are asked in turns on quiet file systems and on busy
ones: the spool's disk and the front's tmpfs are written and synced as fast as they go. The times of
their replies are printed side by side, for a person: what the busy programs take of the processors
hits the empty milter as well. Beside them stand the times of the callbacks alone (bench_callbacks). The test fails on
what no load of the machine can excuse: a reply or a record that is missing, wrong, twice or out of order, a callback
that waits or meets a page that has to be read, or a writer that did nothing.

Arguments: rounds (3), seconds of each (2).
"""
import collections
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from lab import Lab, LabError, Missing, run_test, wait_until
from milter_load import NO_REDIS, is_sanitized, journal_records, run_load, start_milter
from test_kill import Findings, check_sequence, check_session, read_log

CONNECTIONS = 10
EVENTS_A_SECOND = 2000
CALLBACK_MESSAGES = 2000
FIGURES = ("p50", "p99", "p99.9", "max")

# Writes 256 kB after another into one file and syncs each; says how often it has.
WRITER = """
import os, sys
path, figure = sys.argv[1:]
block, counter = b"x" * 262144, 0
file, count = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), os.open(figure, os.O_WRONLY | os.O_CREAT, 0o600)
while True:
    os.pwrite(file, block, counter % 128 * len(block))
    os.fsync(file)
    counter += 1
    os.pwrite(count, b"%d" % counter, 0)
"""


class Writers:
    """The busy programs, from their begin to their end."""

    def __init__(self, lab, folders):
        self.lab, self.folders, self.names = lab, folders, []

    def syncs(self, name):
        path = self.lab.path(name + ".count")
        if not os.path.exists(path):
            return 0
        with open(path, encoding="ascii") as file:
            return int(file.read() or 0)

    def __enter__(self):
        for number, folder in enumerate(self.folders):
            name = "writer%d" % number
            self.lab.spawn(name, [sys.executable, "-c", WRITER, os.path.join(folder, "busy"),
                                  self.lab.path(name + ".count")])
            self.names.append(name)
        wait_until("the writers write", lambda: all(self.syncs(name) for name in self.names))
        return self

    def __exit__(self, *_):
        for name in self.names:
            self.lab.end(name)

    def rates(self, seconds):
        return ["%.0f" % (self.syncs(name) / seconds) for name in self.names]


def measure(lab, first, seconds, log):
    return run_load(lab, CONNECTIONS, sessions=10 ** 9, messages=3, recipients=2, headers=5, body=2000,
                    pace=EVENTS_A_SECOND, seconds=seconds, first=first, events_log=log)


def check_records(lab, logs):
    """Each event that was replied has its record, once and in its place."""
    records = journal_records(lab, lab.path("milter", "spool"))
    findings = Findings()
    check_sequence(records, findings)
    numbers, sessions = {}, collections.defaultdict(list)
    for record in records:
        if record["stage"] == "connect":
            numbers[record["session"]] = int(record["client_name"][1:].partition(".")[0])
        if "session" in record:
            sessions[numbers[record["session"]]].append(record)
    count = 0
    for log in logs:
        replied, sent, ended, cut = read_log(log)
        if cut or any(sent.values()):
            findings.note("sessions cut", len(cut))
        for session in ended:
            own = sessions.pop(session, [])
            count += len(own)
            check_session(session, own, replied[session], sent[session], findings)
            if [each["cause"] for each in own if each["stage"] == "close"] != ["ended"]:
                findings.note("sessions without a right close", session)
    for session in sessions:
        findings.note("sessions that the driver does not know", session)
    findings.conclude()
    if not count:
        raise LabError("no record to look at")
    print("%d records, every one in its place" % count)


def show(what, reports):
    """A column for each way, a line for each figure: the median of the rounds."""
    print("| %-26s%s" % ("microseconds " + what, "".join("%18s" % name for name in reports)))
    for figure in FIGURES:
        values = [statistics.median(each["replies_all"][figure] for each in of_it) for of_it in reports.values()]
        print("| %-26s%s" % (figure, "".join("%18.1f" % value for value in values)))


def measure_callbacks(lab, spool):
    """Their own times by figure, and how often they waited: only for each other's lock, for a moment."""
    done = subprocess.run([lab.program("tests/bench/bench_callbacks"), str(CALLBACK_MESSAGES), "0"], check=True, text=True,
                          stdout=subprocess.PIPE, env=dict(os.environ, TMPDIR=spool), timeout=120)
    waits, reads = map(int, re.search(r"waits (\d+), pages read (\d+)", done.stdout).groups())
    if waits > CALLBACK_MESSAGES // 100 or reads:
        raise LabError("%d callbacks waited, %d pages had to be read" % (waits, reads))
    values = re.search(r"^\| all \| \d+ \|(.*)\|$", done.stdout, re.M)[1].split("|")
    return {"replies_all": dict(zip(FIGURES, map(float, values)))}


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2
    reports, logs = collections.defaultdict(list), []
    with Lab() as lab:
        if is_sanitized(lab):
            raise Missing("times with a sanitizer tell nothing")
        lab.write_config(redis_address=NO_REDIS, segment_size="256K", front_size="4M", spool_size="256M",
                         sync_interval="50ms")
        shared = tempfile.mkdtemp(prefix="busy-", dir=os.path.dirname(lab.state["front"]))
        try:
            ours = lab.milter_socket
            start_milter(lab)
            empty = lab.path("milter", "empty.sock")
            lab.spawn("empty", [lab.program("tests/bench/null_milter"), "unix:" + empty])
            wait_until("the empty milter listens", lambda: os.path.exists(empty))

            def both(word):
                for name, path in (("empty", empty), ("smtptrail", ours)):
                    log = lab.path("events.%d" % len(logs))
                    lab.milter_socket = path
                    reports["%s, %s" % (name, word)].append(measure(lab, 1 + 10 ** 6 * len(logs), seconds, log))
                    lab.milter_socket = ours
                    logs.append(log)

            callbacks, spool = collections.defaultdict(list), lab.path("milter")
            for _ in range(rounds):
                both("quiet")
                callbacks["quiet"].append(measure_callbacks(lab, spool))
                with Writers(lab, (lab.path("milter"), shared)) as writers:
                    begin = time.monotonic()
                    both("busy")
                    took = time.monotonic() - begin
                    print("| syncs a second on disk and tmpfs: %s" % " and ".join(writers.rates(took)))
                    callbacks["busy"].append(measure_callbacks(lab, spool))
            if lab.end("milter") != 0:
                raise LabError("the milter does not end well")
            show("to the reply", reports)
            show("in a callback", callbacks)
            check_records(lab, [log for number, log in enumerate(logs) if number % 2])
        finally:
            shutil.rmtree(shared, ignore_errors=True)
    return 0


if __name__ == "__main__":
    run_test(main)
