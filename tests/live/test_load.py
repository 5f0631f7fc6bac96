#!/usr/bin/python3
"""test_load.py - a hundred connections talk while the configuration is read again and the milter is stopped.

Nothing is killed here: SIGUSR1 again and again with another configuration each time, then SIGTERM in the
middle. The milter ends with 0; each of its sessions has one close, as its last record but for those of the
checks, of the right cause; what was replied before the stop began is recorded; seq has no hole. It is also
what ThreadSanitizer is given (scripts/check tsan-live).
"""
import collections
import signal
import subprocess
import time

from lab import Lab, LabError, run_test, wait_until
from milter_load import load_words, start_milter
from test_kill import read_stream

CONNECTIONS = 100
RELOADS = 10
CHECKED_BESIDE = ("spf", "dkim", "dmarc", "verdict")
EPOCH_SHIFT = 40


def write_config(lab, number):
    """Only what may change while the milter runs differs."""
    lab.write_config(stream_max_length=0, front_size="64M", segment_size="1M", spool_size="1G",
                     body_sha256="yes" if number % 2 else "no", max_headers=5 + number,
                     auth="yes", dns_servers=["127.0.0.1@9"], dns_timeout="100ms",
                     header_keep=["from", "x-number-%d" % number])


def reload_again_and_again(lab):
    digests = {lab.status()["config_digest"]}
    for number in range(1, RELOADS + 1):
        write_config(lab, number)
        lab.children["milter"].send_signal(signal.SIGUSR1)
        digests.add(wait_until("the configuration is in force",
                               lambda: (lab.status()["config_digest"] not in digests) and lab.status()["config_digest"]))
    return len(digests)


def check_session(session, records):
    # The checks go on beside the session, and beyond its close.
    if sum(record["stage"] == "verdict" for record in records) > sum(record["stage"] == "eom" for record in records):
        raise LabError("session %s has more verdicts than messages" % session)
    records = [record for record in records if record["stage"] not in CHECKED_BESIDE]
    stages = [record["stage"] for record in records]
    if stages[0] != "connect" or stages.count("close") != 1 or stages[-1] != "close":
        raise LabError("session %s is not from its connect to its close: %s" % (session, stages))
    if records[-1]["cause"] not in ("ended", "shutdown"):
        raise LabError("session %s was closed by %s" % (session, records[-1]["cause"]))
    return records[-1]["cause"]


def check(records, replied):
    numbers = [int(record["seq"]) & ((1 << EPOCH_SHIFT) - 1) for record in records]
    if numbers != list(range(1, len(records) + 1)):
        raise LabError("the numbers of the records have holes or repetitions")
    if records[0]["stage"] != "start" or records[-1]["stage"] != "stop":
        raise LabError("the records begin with %s and end with %s" % (records[0]["stage"], records[-1]["stage"]))
    sessions = collections.defaultdict(list)
    for record in records:
        if "session" in record:
            sessions[record["session"]].append(record)
    causes = collections.Counter(check_session(*item) for item in sessions.items())
    messages = sum(record["stage"] == "eom" for record in records)
    print("%d records, %d messages; sessions: %s" % (len(records), messages, dict(causes)))
    if causes["shutdown"] == 0:
        raise LabError("no session was open when the milter stopped: the load was too small to tell anything")
    if messages < replied:
        raise LabError("%d messages were replied before the stop, %d recorded" % (replied, messages))


def main():
    with Lab() as lab:
        lab.start_redis()
        write_config(lab, 0)
        start_milter(lab)
        log = lab.path("events.log")
        load = lab.spawn("load", load_words(lab, CONNECTIONS, sessions=10 ** 9, messages=3, recipients=2, headers=8,
                                            body=3000, events_log=log))
        wait_until("the load runs", lambda: lab.status()["messages"] > 100)
        print("%d configurations were in force" % reload_again_and_again(lab))
        time.sleep(0.5)
        replied = lab.status()["messages"] - CONNECTIONS	# begun; the last of each session may be in the middle
        status = lab.end("milter", seconds=60)
        if status != 0:
            lab.show_logs()
            raise LabError("the milter ended with status %d" % status)
        load.send_signal(signal.SIGINT)
        try:
            lab.children.pop("load").wait(60)
        except subprocess.TimeoutExpired:
            raise LabError("the load does not end") from None
        # A short drain at the end may leave a rest to the next start.
        records = read_stream(lab)
        if records[-1]["stage"] != "stop":
            start_milter(lab)
            wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0, 60)
            lab.end("milter")
            records = read_stream(lab)
            del records[[record["stage"] for record in records].index("stop") + 1:]
        check(records, replied)
    return 0


if __name__ == "__main__":
    run_test(main)
