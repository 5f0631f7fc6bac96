#!/usr/bin/env python3
"""bench_live.py - what it costs to follow records and log lines as mail comes.

    bench_live.py [--quick] [--rounds N]

Mail goes through a private Postfix with smtptrail-milter, while smtptrail ingest --follow reads the records from Redis and the
log beside them into a store. Its CPU time from the first mail until it has ended with all of it in the store, a record; the
share of a core says what 5,000 records a second with their lines take at that. Medians over the rounds, 95 % intervals, Markdown. No run
fails on a time; a record, a line or a mail that is not in the store, or that is there in part, fails it.

Environment: as lab.py.
"""
import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_mail import BenchLab, start_milters  # noqa: E402
from bench_postfix import MESSAGE_BYTES, Bench, wait_end  # noqa: E402
from lab import STREAM_KEY, LabError, run_test, wait_until, write  # noqa: E402
from pairs import cpu_seconds, print_head, print_row, read_arguments, with_interval  # noqa: E402

MESSAGES, QUICK_MESSAGES, SESSIONS = 5000, 500, 10
ROUNDS, QUICK_ROUNDS = 15, 1
GOAL_RECORDS, GOAL_CORE = 5000, 0.5
END_SECONDS = 120


def follow(lab, folder, number):
    configuration = os.path.join(folder, "conf")
    write(configuration, 'redis_address = "unix:%s"\nconsumer_group = "live%d"\n' % (lab.redis_socket, number))
    return subprocess.Popen([lab.program("smtptrail"), "ingest", "--config", configuration, "--store", os.path.join(folder, "store"),
                             "--redis", "--log", lab.mail_log, "--follow", "--json"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def is_read(lab, number):
    """The group follows what is in the store: Redis' last record is, and by then Postfix had written all of its lines."""
    groups = [dict(zip(each[0::2], each[1::2])) for each in lab.redis("XINFO", "GROUPS", STREAM_KEY)]
    last = lab.redis("XREVRANGE", STREAM_KEY, "+", "-", "COUNT", 1)[0][0]
    return any(each["name"] == "live%d" % number and each["last-delivered-id"] == last for each in groups)


def rows_of(store, table):
    total = 0
    for name in os.listdir(store):
        if name.endswith(".db") and name != "current.db":
            with contextlib.closing(sqlite3.connect(os.path.join(store, name))) as day:
                total += day.execute("SELECT count(*) FROM " + table).fetchone()[0]
    return total


def end_and_check(child, lab, store):
    """Its CPU seconds, with what it put at its end. Each delivery of the log is one message of the store, which its
    records belong to: had they not been joined, there would be two."""
    child.terminate()
    if not wait_end(child, END_SECONDS):
        raise LabError("ingest did not end")
    output, said = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise LabError("ingest: status %d: %s" % (child.returncode, said.decode(errors="replace")))
    counts = json.loads(output)["ingest"]
    lines = lab.log_lines()
    counts.update((table, rows_of(store, table)) for table in ("messages", "attempts"))
    sent = sum(" status=sent " in line for line in lines)
    wanted = {"lines": len(lines), "records": int(lab.redis("XLEN", STREAM_KEY)), "missing": 0, "doubled": 0,
              "messages": sent, "attempts": sent}
    different = {name: (counts[name], value) for name, value in wanted.items() if counts[name] != value}
    if different or counts["joined"]["ambiguous"]:
        raise LabError("ingest counted, and was wanted: %r; %d ambiguous" % (different, counts["joined"]["ambiguous"]))
    return usage.ru_utime + usage.ru_stime


def follow_mail(lab, bench, number, messages):
    """CPU us a record, records and lines of a mail, and records a second as they came."""
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as folder:
        child = follow(lab, folder, number)
        try:
            # What is there already is read before the figures begin.
            wait_until("ingest has read what was there", lambda: child.poll() is not None or is_read(lab, number), END_SECONDS)
            before, position, begin = int(lab.redis("XLEN", STREAM_KEY)), lab.log_position(), cpu_seconds(child.pid)
            seconds = bench.send("milter", SESSIONS, messages)
            if seconds is None:
                raise LabError("smtp-source failed")
            wait_until("all is delivered", bench.is_delivered)
            bench.wait_recorded("milter")
            wait_until("ingest has read all of it", lambda: child.poll() is not None or is_read(lab, number), END_SECONDS)
            records, lines = int(lab.redis("XLEN", STREAM_KEY)) - before, len(lab.log_lines(position))
            cpu = end_and_check(child, lab, os.path.join(folder, "store")) - begin
        finally:
            child.kill()
            child.wait()
    return cpu * 1e6 / records, records / messages, lines / messages, records / seconds


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS)
    messages = QUICK_MESSAGES if arguments.quick else MESSAGES
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as spool, BenchLab() as lab:
        os.chmod(start_milters(lab, spool_directory=spool, stream_max_length=0), 0o666)
        bench = Bench(lab, {"milter": ("milter", lab.milter_socket)})
        taken = [follow_mail(lab, bench, number, messages) for number in range(arguments.rounds)]
    cpu, *others = zip(*taken)
    records, lines, rate = map(statistics.median, others)
    print("\nsmtptrail ingest --follow while mail of %d bytes comes, %d a round, medians of %d rounds; goal: %d records/s with their"
          " lines on less than %.2f of a core" % (MESSAGE_BYTES, messages, arguments.rounds, GOAL_RECORDS, GOAL_CORE))
    print_head(("records a mail", "lines a mail", "records/s that came", "CPU us a record with its lines",
                "of a core at %d records/s" % GOAL_RECORDS))
    print_row("%.1f" % records, "%.1f" % lines, "%.0f" % rate, with_interval(cpu, statistics.median, 2),
              statistics.median(cpu) * GOAL_RECORDS / 1e6)
    return 0


if __name__ == "__main__":
    run_test(main)
