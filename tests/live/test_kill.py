#!/usr/bin/python3
"""test_kill.py - SIGKILL of the milter in mid-load loses no record and doubles none.

mtadrive talks in many sessions and writes down each event and whether it was replied. The milter is
killed and started again ten times; in a part of them Redis is down, too. Afterwards each replied event
is in the stream, once, and in order within its session; an event whose reply never came may be
there, once; each session that was cut has a close with cause=killed; seq has no hole in any epoch.

Arguments: kills (10), events a second (20000; 0: as many as go), seed of the pauses.
"""
import collections
import os
import random
import signal
import subprocess
import sys
import time

from lab import STREAM_KEY, Lab, LabError, Redis, run_test, wait_until

CONNECTIONS = 40
MESSAGES = 3
RECIPIENTS = 2
REDIS_STOPS, REDIS_BEGINS = 0.3, 0.6		# of the rounds
EPOCH_SHIFT = 40
SHOWN = 5

# Events that make a record, in the order of a message, and the stage of that record.
STAGE_COMMANDS = {"connect": "C", "helo": "H", "mail": "M", "rcpt": "R", "data": "T", "header": "N", "eom": "E"}
ORDER = "CHMRTNE"

Event = collections.namedtuple("Event", "message command index")


def event_place(event):
    return event.message, ORDER.index(event.command), event.index


def read_log(path):
    """What the driver knows: events replied and events only sent, of each session; ended ones, cut ones."""
    replied, sent = collections.defaultdict(set), collections.defaultdict(set)
    ended, cut = set(), set()
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            session = int(words[1])
            if words[0] in "qx":
                (ended if words[0] == "q" else cut).add(session)
                continue
            event = Event(int(words[2]), words[3], int(words[4]) if words[3] == "R" else 0)
            if event.command in ORDER:
                (replied if words[0] == "+" else sent)[session].add(event)
    return replied, sent, ended, cut


def read_stream(lab):
    """All entries as dicts, page by page."""
    client, after, records = Redis(lab.redis_socket), "-", []
    while True:
        page = client.call("XRANGE", STREAM_KEY, after, "+", "COUNT", 5000)
        if not page:
            client.close()
            return records
        records += [dict(zip(fields[::2], fields[1::2])) for _, fields in page]
        after = "(" + page[-1][0]


def event_of(record, session):
    """The event that a record tells of; says where the record does not fit its session."""
    command = STAGE_COMMANDS[record["stage"]]
    message = int(record.get("msg", 0))
    index = 0
    marker = "s%d-m%d" % (session, message)
    if command == "M" and record["from"] != marker + "@load.test":
        raise LabError("a mail of session %d: %s" % (session, record))
    if command == "R":
        if not record["to"].startswith(marker + "-r"):
            raise LabError("a recipient of session %d: %s" % (session, record))
        index = int(record["to"].rpartition("-r")[2].partition("@")[0])
    if command == "H" and record["helo"] != "s%d.load.test" % session:
        raise LabError("a helo of session %d: %s" % (session, record))
    return Event(message, command, index)


class Findings:
    """What is wrong, by kind; some of each are shown."""

    def __init__(self):
        self.kinds = collections.defaultdict(list)

    def note(self, kind, what):
        self.kinds[kind].append(what)

    def conclude(self):
        for kind, all_of_it in self.kinds.items():
            print("%d %s, such as:" % (len(all_of_it), kind), *("    %s" % (each,) for each in all_of_it[:SHOWN]),
                  sep="\n")
        if self.kinds:
            raise LabError("records are not as the driver's replies want them")


def check_sequence(records, findings):
    """In each epoch of a producer 1, 2, 3 ... in this order."""
    last = {}
    for record in records:
        seq = int(record["seq"])
        epoch = (record["producer"], seq >> EPOCH_SHIFT)
        counter = seq & ((1 << EPOCH_SHIFT) - 1)
        if counter != last.get(epoch, 0) + 1:
            findings.note("steps of seq that are not one", (epoch, last.get(epoch, 0), counter))
        last[epoch] = counter
    return last


def check_close(session, closes, is_cut, findings):
    causes = [record["cause"] for record in closes]
    # A QUIT that the kill overtook looks like an orderly end from outside.
    allowed = (["killed"],) if is_cut else (["ended"], ["killed"])
    if causes not in allowed:
        findings.note("sessions %s with another close than one of the right cause" % ("cut" if is_cut else "ended"),
                      (session, causes))


def check_session(session, records, replied, sent, findings):
    events = [event_of(record, session) for record in records if record["stage"] in STAGE_COMMANDS]
    twice = [event for event, count in collections.Counter(events).items() if count > 1]
    for kind, bad in (("replied events missing", replied - set(events)),
                      ("events twice", twice),
                      ("events that were never sent", set(events) - replied - sent)):
        for event in bad:
            findings.note(kind, (session, *event))
    if events != sorted(events, key=event_place):
        findings.note("sessions out of order", (session, events))
    stages = [record["stage"] for record in records]
    if "close" in stages and stages.index("close") != len(stages) - 1:
        findings.note("records after the close", (session, stages))


def check(records, log, kills):
    replied, sent, ended, cut = log
    findings = Findings()
    epochs = check_sequence(records, findings)
    numbers, sessions, strangers = {}, collections.defaultdict(list), collections.Counter()
    for record in records:
        if record["stage"] == "connect":
            if not record["client_name"].endswith(".load.test"):	# the lab asks whether the milter listens
                strangers[record["session"]] += 1
                continue
            numbers[record["session"]] = int(record["client_name"][1:].partition(".")[0])
        if record["stage"] not in ("start", "stop") and record.get("session") in numbers:
            sessions[numbers[record["session"]]].append(record)
        elif record["stage"] not in ("start", "stop"):
            strangers[record["stage"]] += 1
    for session in ended | cut:
        own = sessions.pop(session, [])
        check_session(session, own, replied[session], sent[session], findings)
        if own:
            check_close(session, [each for each in own if each["stage"] == "close"], session in cut, findings)
    for session in sessions:
        findings.note("sessions that the driver does not know", session)
    for stage, count in strangers.items():
        findings.note("records of no session", (stage, count))
    starts = [record["reason"] for record in records if record["stage"] == "start"]
    # One that was killed before it had begun says nothing; each second one had, and the last.
    if starts != ["first"] + ["restart"] * (len(epochs) - 1) or not kills / 2 < len(epochs) <= kills + 1:
        findings.note("starts", (starts, len(epochs)))
    findings.conclude()
    counts = collections.Counter(record["stage"] for record in records)
    print("%d records, %d of replied events, %d sessions ended, %d cut; stages: %s"
          % (len(records), sum(map(len, replied.values())), len(ended), len(cut), dict(counts)))
    if not cut or not any(sent.values()):
        raise LabError("no session was cut: the load was too small to tell anything")


def start_load(lab, pace, seconds):
    log = lab.path("events.log")
    lab.spawn("load", [lab.program("tests/driver/mtadrive"), "load", "--connections", str(CONNECTIONS),
                       "--sessions", "100000000", "--messages", str(MESSAGES), "--recipients", str(RECIPIENTS),
                       "--headers", "5", "--body", "2000", "--pace", str(pace), "--seconds", str(seconds),
                       "--wait", "20", "--events-log", log, "unix:" + lab.milter_socket])
    return log


def start_milter(lab):
    """As start_milter of the lab, but without a connection of its own to see whether it listens."""
    lab.spawn("milter", [lab.program("smtptrail-milter"), "-c", lab.config_file])


def begun(lab):
    """How many of the milters had made their first record."""
    with open(lab.path("milter.log"), encoding="utf-8") as file:
        return sum(" records at " in line for line in file)


def kill_again_and_again(lab, kills, pauses):
    """Each second one is killed once it has begun, the others when it comes: perhaps in their start."""
    had_begun = 0
    for number in range(kills):
        if number % 2 == 0:
            wait_until("the milter has begun", lambda: begun(lab) > had_begun)
        time.sleep(pauses.uniform(0.2, 0.9))
        if number == int(kills * REDIS_STOPS):
            lab.end("redis")
        lab.end("milter", signal.SIGKILL)
        time.sleep(pauses.choice((0, 0.05, 0.3)))
        had_begun = begun(lab)
        start_milter(lab)
        if number == int(kills * REDIS_BEGINS):
            lab.start_redis()
    time.sleep(0.5)


def main():
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    pace = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    print("kills %d, pace %d, seed %d" % (kills, pace, seed))
    with Lab() as lab:
        lab.start_redis()
        lab.write_config(stream_max_length=0, front_size="64M", segment_size="1M", spool_size="1G")
        start_milter(lab)
        log = start_load(lab, pace, 600)
        wait_until("the load runs", lambda: os.path.exists(log) and os.path.getsize(log) > 0)
        kill_again_and_again(lab, kills, random.Random(seed))
        lab.children["load"].send_signal(signal.SIGINT)
        try:
            status = lab.children.pop("load").wait(60)
        except subprocess.TimeoutExpired:
            raise LabError("the load does not end") from None
        if status:
            raise LabError("the load ended with status %d" % status)
        wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0, 60)
        if lab.end("milter") != 0:
            raise LabError("the milter does not end well")
        check(read_stream(lab), read_log(log), kills)
    return 0


if __name__ == "__main__":
    run_test(main)
