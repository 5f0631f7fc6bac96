#!/usr/bin/python3
"""test_ingest.py - smtptrail ingest from Redis: each record once, holes said, acknowledged behind the commit, whatever is killed or lost."""
import glob
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

import kills
import stored
from lab import STREAM_KEY, WAIT_SECONDS, Lab, Missing, wait_until

EPOCH = 1 << 40
JOINS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "replay", "joins")
GROUP = "smtptrail-ingest"
LAB = None


def stamp(microseconds):
    return "2026-11-01T%02d:%02d:%02d.%06dZ" % (microseconds // 3600000000, microseconds // 60000000 % 60,
                                               microseconds // 1000000 % 60, microseconds % 1000000)


def session_records(number, at):
    """What a milter writes of one session with one message."""
    session, queue_id = "lab-%06d" % number, "%010X" % number
    client, sender, recipient = "192.0.2.%d" % (number % 250 + 1), "s%d@example.com" % number, "r%d@example.net" % (number % 7)
    stages = [
        ("connect", ("client_addr", client, "client_port", 1000 + number, "client_name", "client.example", "daemon_port", 25,
                     "mta_host", "mx.example.org")),
        ("helo", ("helo", "client.example", "protocol", "ESMTP")),
        ("mail", ("msg", 1, "from", sender)),
        ("rcpt", ("msg", 1, "to", recipient, "outcome", "passed")),
        ("data", ("msg", 1, "queue_id", queue_id)),
        ("header", ("msg", 1, "queue_id", queue_id, "message_id", "<m%d@example.com>" % number, "subject", "number %d" % number)),
        ("eom", ("msg", 1, "queue_id", queue_id, "body_bytes", 100)),
        ("close", ("cause", "ended", "messages", 1)),
    ]
    return [("stage", stage, "time", stamp(at + 1000 * i), "host", "mx.example.org", "instance", "in", "producer", "p1",
             "session", session) + fields for i, (stage, fields) in enumerate(stages)]


def log_lines(number, at):
    """What Postfix logs of the same."""
    queue_id, client = "%010X" % number, "client.example[192.0.2.%d]:%d" % (number % 250 + 1, 1000 + number)
    return [
        (at - 500, "postfix/smtpd[%d]: connect from %s" % (number, client)),
        (at + 3500, "postfix/smtpd[%d]: %s: client=%s" % (number, queue_id, client)),
        (at + 5500, "postfix/cleanup[7]: %s: message-id=<m%d@example.com>" % (queue_id, number)),
        (at + 6500, "postfix/qmgr[8]: %s: from=<s%d@example.com>, size=321, nrcpt=1 (queue active)" % (queue_id, number)),
        (at + 7500, "postfix/smtpd[%d]: disconnect from %s ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5" % (number, client)),
        (at + 9500, "postfix/smtp[9]: %s: to=<r%d@example.net>, relay=mail.example.net[198.51.100.1]:25, delay=0.1, "
                    "delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ABC%d)" % (queue_id, number % 7, number)),
        (at + 9600, "postfix/qmgr[8]: %s: removed" % queue_id),
    ]


def id_of(text):
    """The identifier of an entry, to be compared."""
    return tuple(map(int, text.split("-")))


def in_time(case, log):
    """Records, and lines of the log, in the order in which ingest hands them on."""
    with open(case, encoding="ascii") as file:
        records = [json.loads(line) for line in file]
    with open(log, "rb") as file:
        lines = file.read().splitlines(True)
    parsed = subprocess.run([os.path.join(LAB.build, "smtptrail"), "parse", "--json", "--year", "2026", log], check=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.splitlines()
    times = [json.loads(event)["time"].rstrip("Z") for event in parsed]
    assert len(times) == len(lines), log
    while lines or records:
        if lines and (not records or times[0] <= records[0]["time"].rstrip("Z")):
            times.pop(0)
            yield lines.pop(0)
        else:
            yield records.pop(0)


class Ingest(unittest.TestCase):
    def setUp(self):
        LAB.redis("FLUSHALL")
        self.folder = tempfile.mkdtemp(prefix="smtptrail-ingest-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.store, self.log = self.path("store"), self.path("mail.log")
        self.sent = 0
        self.configure()

    def path(self, name):
        return os.path.join(self.folder, name)

    def configure(self, interval="10ms", group=GROUP, partitions=1):
        with open(self.path("conf"), "w", encoding="utf-8") as file:
            file.write('redis_address = "unix:%s"\nstore_keep = 0\ncommit_interval = %s\nconsumer_group = "%s"\npartitions = %d\n'
                       % (LAB.redis_socket, interval, group, partitions))

    def send(self, records, skip=0):
        """Into the stream, each with the next seq; skip: so many numbers are left out before."""
        self.sent += skip
        for record in records:
            self.sent += 1
            LAB.redis("XADD", STREAM_KEY, "*", *record, "seq", EPOCH + self.sent)

    def send_sessions(self, first, count, with_log=False):
        records, lines = [], []
        for number in range(first, first + count):
            at = number * 3000
            records += session_records(number, at)
            lines += log_lines(number, at)
        self.send(sorted(records, key=lambda record: record[3]))
        if with_log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.writelines("%s mx.example.org %s\n" % (stamp(max(at, 0)), text) for at, text in sorted(lines))

    def start(self, *more, store=None):
        return subprocess.Popen([os.path.join(LAB.build, "smtptrail"), "ingest", "--json", "--config", self.path("conf"), "--store",
                                 store or self.store, "--redis", *more],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, child):
        child.send_signal(signal.SIGTERM)
        return self.outcome(child)

    def outcome(self, child):
        out, errors = child.communicate(timeout=WAIT_SECONDS)
        self.said = errors.decode()
        self.assertEqual(child.returncode, 0, self.said)
        return json.loads(out)["ingest"]

    def ingest(self, *more, store=None):
        return self.outcome(self.start(*more, store=store))

    def count(self, what):
        total = 0
        for name in os.listdir(self.store):
            if len(name) == len("2026-11-01.db"):
                day = sqlite3.connect(self.path("store/" + name))
                total += day.execute("SELECT count(*) FROM %s" % what).fetchone()[0]
                day.close()
        return total

    def group(self):
        """How far the consumer group is; None: there is none."""
        for flat in LAB.redis("XINFO", "GROUPS", STREAM_KEY):
            group = dict(zip(flat[::2], flat[1::2]))
            if group["name"] == GROUP:
                return group["last-delivered-id"]
        return None

    def records_kept(self):
        """The last entry of the stream that the store's commits have."""
        return max((id_of(state.split()[1]) for state in stored.positions(self.store, "stream").values()), default=(0, 0))

    def ask(self, verb, *words):
        done = subprocess.run([os.path.join(LAB.build, "smtptrail"), verb, "--config", self.path("conf"), "--store", self.store, "--json",
                               *words], check=False, capture_output=True, timeout=WAIT_SECONDS)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)

    def test_a_story_shows_the_records_and_lines_that_it_rests_on(self):
        self.send_sessions(0, 3, with_log=True)
        self.ingest("--log", self.log)
        story, = self.ask("trace", "%010X" % 1, "--raw", "--evidence")["stories"]
        self.assertEqual([moment["what"] for moment in story["moments"]],
                         ["connect", "message", "recipient", "queued", "disconnect", "sent", "removed"])
        self.assertEqual({piece["source"] for piece in story["raw"]}, {STREAM_KEY, self.log})
        self.assertTrue(all("text" in piece for piece in story["raw"]), story["raw"])
        subject, = [piece["text"] for piece in story["raw"] if "stage=header" in piece.get("text", "")]
        self.assertIn("subject=number 1", subject)
        self.assertEqual({fact for piece in story["messages"][0]["evidence"] if piece["source"] == STREAM_KEY for fact in piece["facts"]}
                         & {"subject", "removed"}, {"subject"})
        # What is no longer there is said.
        LAB.redis("XTRIM", STREAM_KEY, "MAXLEN", 0)
        os.rename(self.log, self.log + ".1")
        with open(self.log, "w", encoding="utf-8") as file:
            file.writelines("2026-11-02T00:00:00.000000Z mx.example.org postfix/qmgr[8]: %010X: removed\n" % number for number in range(90, 120))
        story, = self.ask("trace", "%010X" % 1, "--raw")["stories"]
        self.assertEqual({piece["source"] for piece in story["raw"] if "text" in piece}, {self.log})
        os.unlink(self.log + ".1")
        story, = self.ask("trace", "%010X" % 1, "--raw")["stories"]
        self.assertEqual({piece["source"]: piece["missing"].split(":")[0] for piece in story["raw"]},
                         {STREAM_KEY: "the stream no longer has it", self.log: "another line stands there by now"})

    def test_a_store_is_read_beside_its_ingest(self):
        self.send_sessions(0, 1)
        self.ingest()
        child, seen = self.start("--follow"), 0
        self.addCleanup(child.wait)
        self.addCleanup(child.terminate)
        for batch in range(1, 20):
            self.send_sessions(batch * 10, 10)
            found = len(self.ask("search", "--limit", "0")["tables"]["transactions"]["rows"])
            self.assertGreaterEqual(found, seen)
            seen = found
        wait_until("all are found", lambda: len(self.ask("search", "--limit", "0")["tables"]["transactions"]["rows"]) == 191)
        self.end(child)
        self.assertEqual(len(self.ask("search", "--limit", "0", "subject:number*")["tables"]["transactions"]["rows"]), 191)

    def test_times_of_stages_and_checks_are_in_the_store_as_records_tell_them(self):
        records = os.path.join(JOINS, "..", "reports", "logs", "slow.records")
        with open(records, encoding="ascii") as file:
            for record in map(json.loads, file):
                LAB.redis("XADD", STREAM_KEY, "*", *(word for field in record.items() for word in field))
        self.ingest()
        wanted = subprocess.run([os.path.join(LAB.build, "smtptrail"), "report", "milter", "checks", "--json", records], check=True,
                                capture_output=True, timeout=WAIT_SECONDS).stdout
        wanted = json.loads(wanted)["tables"]
        self.assertEqual([row["count"] for row in wanted["milter"]["rows"]], [6] * 5)
        # Of days that are over what was counted of them is added up; a query looks at each transaction.
        self.assertEqual(self.ask("report", "milter", "checks")["tables"], wanted)
        self.assertEqual(self.ask("report", "milter", "checks", "from:*")["tables"], wanted)

    def test_records_and_lines_become_one_and_the_group_follows(self):
        self.send_sessions(0, 20, with_log=True)
        said = self.ingest("--log", self.log)
        self.assertEqual((said["records"], said["lines"], said["missing"]), (160, 140, 0))
        self.assertEqual((self.count("session"), self.count("message"), self.count("attempt")), (20, 20, 20))
        self.assertEqual(self.count("messages WHERE queue_id IS NOT NULL AND subject IS NOT NULL AND removed IS NOT NULL"), 20)
        self.assertEqual(self.group(), LAB.last_id())
        before = stored.rows(self.store)
        said = self.ingest("--log", self.log)
        self.assertEqual((said["records"], said["lines"]), (0, 0))
        self.assertEqual(stored.rows(self.store), before)

    def test_killed_at_any_moment_the_store_is_that_of_an_undisturbed_run(self):
        whole = self.path("whole")
        self.send_sessions(0, 1000, with_log=True)
        self.configure(group="other")
        begun = time.monotonic()
        self.ingest("--log", self.log, store=whole)
        seconds, wanted = time.monotonic() - begun, stored.rows(whole)
        self.configure()

        def compare():
            self.assertEqual(stored.difference(wanted, stored.rows(self.store)), "")
            self.assertEqual(self.group(), LAB.last_id())

        def compare_and_begin_anew():
            compare()
            shutil.rmtree(self.store)
            LAB.redis("XGROUP", "DESTROY", STREAM_KEY, GROUP)

        def how_far():
            """And nothing is acknowledged that the store has not."""
            kept, group = self.records_kept(), self.group()
            if group:
                self.assertLessEqual(id_of(group), kept)
            return kept
        killed, between = kills.kill_often(lambda: self.start("--log", self.log), how_far, id_of(LAB.last_id()), compare_and_begin_anew,
                                           seconds, 5)
        self.assertGreaterEqual(killed, kills.KILLS)
        self.assertGreaterEqual(between, kills.BETWEEN)
        self.ingest("--log", self.log)
        compare()

    def test_stopped_anywhere_each_join_of_records_and_lines_comes_to_the_same(self):
        for number, case in enumerate(sorted(glob.glob(os.path.join(JOINS, "*", "milter.records")))):
            logs = glob.glob(os.path.join(os.path.dirname(case), "*.log"))
            if len(logs) == 1 and not os.path.exists(os.path.join(os.path.dirname(case), "options")):
                self.step_through(number, case, logs[0])

    def step_through(self, number, case, log):
        LAB.redis("FLUSHALL")
        grown, stepped, whole = (self.path("%s%d" % (name, number)) for name in ("grown.log", "stepped", "whole"))
        self.configure()
        for i, item in enumerate(in_time(case, log)):
            if isinstance(item, bytes):
                with open(grown, "ab") as file:
                    file.write(item)
            else:
                LAB.redis("XADD", STREAM_KEY, "*", *[word for pair in item.items() if pair[0] not in ("id", "partition") for word in pair])
            if (i + number) % 3 == 0 and os.path.exists(grown):
                self.ingest("--year", "2026", "--log", grown, store=stepped)
        self.ingest("--year", "2026", "--log", grown, store=stepped)
        self.configure(group="whole")
        self.ingest("--year", "2026", "--log", grown, store=whole)
        found = stored.difference(stored.rows(whole), stored.rows(stepped))
        self.assertFalse(found, case + "\n" + found)

    def test_a_record_that_comes_twice_is_dropped_and_a_hole_is_said(self):
        self.send_sessions(0, 5)
        self.ingest()
        before = stored.rows(self.store)
        self.sent = 0
        self.send_sessions(0, 5)
        said = self.ingest()
        self.assertEqual((said["records"], said["doubled"], said["missing"]), (0, 40, 0))
        self.assertEqual(stored.rows(self.store), before)
        self.send(session_records(6, 18000), skip=3)
        said = self.ingest()
        self.assertEqual((said["records"], said["missing"]), (8, 3))
        self.assertIn("3 records of producer p1 are missing: partition 0, seq %d to %d" % (EPOCH + 41, EPOCH + 43), self.said)

    def says_gap(self):
        """Sessions and messages that do, by number."""
        found = set()
        for path in glob.glob(self.path("store/20*.db")):
            day = sqlite3.connect(path)
            for kind, name in (("session", "pid"), ("message", "queue_id")):
                found |= {(kind, int(str(name), 16)) for name, in day.execute(
                    "SELECT [%s] FROM [%ss] WHERE ', ' || incomplete || ',' LIKE '%%, gap,%%'" % (name, kind))}
            day.close()
        return found

    def test_what_lost_records_in_redis_says_so_until_they_come(self):
        lines, at = [], {}
        for number in range(1, 6):
            at[number] = 1000000 * number if number < 5 else 60000000
            self.send(session_records(number, at[number]))
            lines += log_lines(number, at[number])
        with open(self.log, "w", encoding="utf-8") as file:
            file.writelines("%s mx.example.org %s\n" % (stamp(time), text) for time, text in sorted(lines))
        # Inside the message of the second session; all of the third; of the fourth what is behind its message.
        stream = LAB.redis("XRANGE", STREAM_KEY, "-", "+")
        lost = {2: stream[8 + 3:8 + 5], 3: stream[16:24], 4: stream[24 + 7:24 + 8]}
        for number in lost:
            LAB.redis("XDEL", STREAM_KEY, *(entry for entry, _ in lost[number]))
        said = self.ingest("--log", self.log)
        self.assertEqual((said["records"], said["missing"]), (40 - 11, 11))
        self.assertIn("8 records of producer p1 are missing", self.said)
        self.assertEqual(self.says_gap(), {("session", 2), ("message", 2), ("session", 3), ("message", 3), ("session", 4)})
        story, = self.ask("trace", "%010X" % 2)["stories"]
        self.assertIn("gap", str(story))
        self.assertIn("records are missing", str(self.ask("explain", "%010X" % 3)))
        self.assertNotIn("records are missing", str(self.ask("explain", "%010X" % 1)))
        # They come after all: first the one, and what else was lost still says so.
        for number, left in ((3, {("session", 2), ("message", 2), ("session", 4)}), (2, {("session", 4)}), (4, set())):
            for _, fields in lost[number]:
                LAB.redis("XADD", STREAM_KEY, "*", *fields)
            self.send(session_records(5 + number, 100000000 + 20000000 * (5 - number)))
            said = self.ingest("--log", self.log)
            self.assertEqual((said["records"], said["doubled"]), (8 + len(lost[number]), 0))
            self.send(session_records(15 + number, 200000000 + 50000000 * (5 - number)))
            self.ingest("--log", self.log)
            self.assertEqual(self.says_gap(), left, number)
        self.assertNotIn("records are missing", str(self.ask("explain", "%010X" % 3)))
        story, = self.ask("trace", "%010X" % 2)["stories"]
        self.assertNotIn("gap", str(story))

    PARTITIONS = 3

    def send_parted(self, sessions, with_log=True):
        """Each session in its partition, each of which has numbers of its own; all at the same time."""
        records, lines = [], []
        for number in sessions:
            at = number * 700
            records += [(record, number % self.PARTITIONS) for record in session_records(number, at)]
            lines += log_lines(number, at)
        for record, partition in sorted(records, key=lambda each: each[0][3]):
            self.parted[partition] += 1
            LAB.redis("XADD", "{smtptrail:%d}:records" % partition, "*", *record, "partition", partition, "seq", EPOCH + self.parted[partition])
        if with_log:
            with open(self.log, "a", encoding="utf-8") as file:
                file.writelines("%s mx.example.org %s\n" % (stamp(max(at, 0)), text) for at, text in sorted(lines))

    def all_said(self, store=None):
        """All that rows say, but for where it stands."""
        found = []
        for path in glob.glob(os.path.join(store or self.store, "20*.db")):
            day = sqlite3.connect(path)
            for kind in ("session", "message", "recipient", "attempt"):
                found += [(kind,) + row for row in day.execute("SELECT * FROM [%ss]" % kind)]
            day.close()
        return sorted(found, key=repr)

    def test_several_partitions_are_one_to_those_who_ask(self):
        self.parted, count = [0] * self.PARTITIONS, 90
        # All of them in one partition.
        records, lines = [], []
        for number in range(count):
            records += session_records(number, number * 700)
            lines += log_lines(number, number * 700)
        self.send(sorted(records, key=lambda record: record[3]))
        with open(self.log, "w", encoding="utf-8") as file:
            file.writelines("%s mx.example.org %s\n" % (stamp(max(at, 0)), text) for at, text in sorted(lines))
        one = self.path("one")
        self.ingest("--log", self.log, store=one)
        wanted = self.all_said(one)
        self.assertEqual(sum(row[0] == "session" for row in wanted), count)
        LAB.redis("FLUSHALL")
        self.configure(partitions=self.PARTITIONS)
        self.send_parted(range(count), with_log=False)
        said = self.ingest("--log", self.log)
        self.assertEqual((said["records"], said["lines"], said["missing"], said["doubled"]), (8 * count, 7 * count, 0, 0))
        self.assertEqual(self.all_said(), wanted)
        # Each has its position, and its group behind it.
        kept = stored.positions(self.store, "stream")
        self.assertEqual(set(kept), {"{smtptrail:%d}:records" % partition for partition in range(self.PARTITIONS)})
        for key, state in kept.items():
            groups = [dict(zip(flat[::2], flat[1::2])) for flat in LAB.redis("XINFO", "GROUPS", key)]
            self.assertEqual([group["last-delivered-id"] for group in groups], [state.split()[1]], key)
        again = self.ingest("--log", self.log)
        self.assertEqual((again["records"], again["lines"]), (0, 0))
        # Killed at any commit.
        for turn in range(8):
            store = self.path("killed")
            shutil.rmtree(store, ignore_errors=True)
            for key in kept:
                LAB.redis("XGROUP", "DESTROY", key, GROUP)
            child = self.start("--log", self.log, store=store)
            time.sleep(0.01 * turn)
            child.kill()
            child.communicate()
            self.ingest("--log", self.log, store=store)
            self.assertEqual(self.all_said(store), wanted, turn)

    def test_a_hole_and_a_record_that_comes_twice_are_of_their_partition_alone(self):
        self.configure(partitions=self.PARTITIONS)
        self.parted = [0] * self.PARTITIONS
        self.send_parted(range(9))
        # Sessions 4 and 7 lose a record each, whose numbers the other partitions have, too.
        entries = LAB.redis("XRANGE", "{smtptrail:1}:records", "-", "+")
        lost = [each for each in entries if dict(zip(each[1][::2], each[1][1::2]))["session"] in ("lab-000004", "lab-000007") and "data" in each[1]]
        self.assertEqual(len(lost), 2)
        LAB.redis("XDEL", "{smtptrail:1}:records", *(entry for entry, _ in lost))
        twice = LAB.redis("XRANGE", "{smtptrail:2}:records", "-", "+")[5]
        LAB.redis("XADD", "{smtptrail:2}:records", "*", *twice[1])
        self.send_parted((100000, 100001, 100002))
        said = self.ingest("--log", self.log)
        self.assertEqual((said["records"], said["missing"], said["doubled"]), (12 * 8 - 2, 2, 1))
        for entry, _ in lost:
            self.assertIn("1 record of producer p1 is missing: partition 1, ", self.said)
        # What the one partition told late has waited for as long as lines may be late.
        self.send_parted((150000, 150001, 150002))
        self.ingest("--log", self.log)
        marked = self.says_gap()
        self.assertTrue({("session", 4), ("message", 4), ("session", 7), ("message", 7)} <= marked, marked)
        self.assertEqual({number % self.PARTITIONS for _, number in marked}, {1}, marked)
        for _, fields in reversed(lost):
            LAB.redis("XADD", "{smtptrail:1}:records", "*", *fields)
        self.send_parted((200000, 200001, 200002))
        self.assertEqual(self.ingest("--log", self.log)["doubled"], 0)
        self.send_parted((300000, 300001, 300002))
        self.ingest("--log", self.log)
        self.assertEqual(self.says_gap(), set())

    def on_a_terminal(self, *more):
        """What a person sees who runs it: what is shown on the way, each time in the place of the last, and the line at the end."""
        ours, its = pty.openpty()
        child = subprocess.Popen([os.path.join(LAB.build, "smtptrail"), "ingest", "--config", self.path("conf"), "--store", self.store, *more],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=its)
        os.close(its)
        seen = b""
        with open(ours, "rb", buffering=0) as terminal:
            while True:
                try:
                    piece = terminal.read(4096)
                except OSError:		# the other side is closed
                    break
                if not piece:
                    break
                seen += piece
        self.assertEqual((child.wait(timeout=WAIT_SECONDS), child.stdout.read()), (0, b""), seen)
        child.stdout.close()
        before, _, end = seen.decode().removesuffix("\r\n").replace("\r\x1b[K", "\n").replace("\r\n", "\n").rpartition("\n")
        return before.split("\n"), end

    def test_on_a_terminal_it_shows_how_far_it_is_and_counts_all_at_the_end(self):
        self.configure(interval="1min")	# one commit, at the end
        self.send_sessions(1, 3, with_log=True)
        self.send([("stage", "gap", "time", stamp(20000000), "host", "mx.example.org", "instance", "in", "producer", "p1", "count", 7,
                    "reason", "front_full", "from_time", stamp(18000000), "to_time", stamp(19000000))])
        last = LAB.redis("XREVRANGE", STREAM_KEY, "+", "-", "COUNT", 1)[0][1]
        LAB.redis("XADD", STREAM_KEY, "*", *last)
        self.send(session_records(4, 30000000), skip=3)
        with open(self.log, "a", encoding="utf-8") as file:
            file.write("%s mx.example.org postfix/smtpd[9]: what nobody has ever written\n" % stamp(10000))
            file.write("%s mx.example.org sshd[9]: Connection closed\n" % stamp(10000))
            file.write("%s mx.example.org postfix/pickup[5]: 00000000FF: uid=0 from=<root>\n" % stamp(31000000))
            file.write("%s mx.example.org postfix/qmgr[8]: 00000000FF: from=<root@example.org>, size=9, nrcpt=1 (queue active)\n" % stamp(31000000))
        shown, said = self.on_a_terminal("--redis", "--log", self.log)
        self.assertTrue(shown)
        for number, words in enumerate(shown):
            self.assertRegex(words, r"^(|smtptrail ingest: .*missing.*|\d+ lines, \d+ records, \d+ messages in the store, \d+ under way)$", number)
        self.assertTrue([words for words in shown if words.endswith("under way")], shown)
        counts, _, joined = said.partition("; joined by ")
        self.assertEqual(counts.removeprefix("smtptrail ingest: ").split(", "), [
            "25 lines", "1 not understood", "1 of other programs", "33 records", "1 records dropped: the store has them", "3 records missing",
            "1 gaps that the milter tells of", "4 sessions put", "5 messages put", "4 recipients put", "3 attempts put",
            "3 sessions and messages under way", "2 commits"])
        self.assertEqual(dict(each.rsplit(" ", 1) for each in joined.split(", ")),
                         {"session": "26", "queue_id": "17", "process": "6", "client_port": "3"})
        # Where nobody looks on there is no such thing.
        self.send_sessions(40, 1)
        self.outcome(self.start())
        self.assertNotIn("\r", self.said)
        self.assertNotIn("under way\x1b", self.said)

    def test_it_is_acknowledged_once_the_commit_is_made(self):
        self.configure(interval="1min")
        self.send_sessions(0, 3)
        child = self.start("--follow")
        self.addCleanup(child.wait)
        self.addCleanup(lambda: child.poll() is None and child.kill())
        # It waits for what is behind the last entry: Redis has sent it all of the stream.
        wait_until("it has read", lambda: any("cmd=xread" in client and "flags=b" in client
                                              for client in LAB.redis("CLIENT", "LIST").splitlines()))
        # Nothing is committed before the minute is over.
        self.assertIsNone(self.group())
        child.kill()
        child.communicate()
        self.assertEqual(child.returncode, -signal.SIGKILL)
        self.assertIsNone(self.group())
        self.assertEqual(self.records_kept(), (0, 0))
        self.assertEqual(self.ingest()["records"], 24)
        self.assertEqual(self.group(), LAB.last_id())
        self.assertEqual(self.records_kept(), id_of(LAB.last_id()))
        self.assertEqual(self.count("session"), 3)

    def test_a_group_that_redis_lost_is_made_again(self):
        self.send_sessions(0, 2)
        self.ingest()
        LAB.redis("XGROUP", "DESTROY", STREAM_KEY, GROUP)
        self.send_sessions(2, 2)
        self.assertEqual(self.ingest()["records"], 16)
        self.assertIn("had lost the consumer group", self.said)
        self.assertEqual(self.group(), LAB.last_id())

    def test_a_stream_that_was_lost_and_sent_again_doubles_nothing(self):
        self.send_sessions(0, 5)
        self.ingest()
        LAB.redis("FLUSHALL")
        self.sent = 16
        self.send([record for number in range(2, 8) for record in session_records(number, number * 3000)])
        said = self.ingest()
        self.assertEqual((said["went_back"], said["doubled"], said["records"], said["missing"]), (1, 24, 24, 0))
        self.assertEqual(self.count("session"), 8)
        self.assertEqual(self.group(), LAB.last_id())

    def test_a_person_is_forgotten_in_the_streams_and_ingest_goes_on(self):
        self.send_sessions(0, 4)
        self.ingest()
        self.send_sessions(4, 1)
        words = [os.path.join(LAB.build, "smtptrail"), "store", "forget", "--json", "--redis", "--config", self.path("conf"),
                 "--store", self.store]
        done = subprocess.run(words + ["r3@EXAMPLE.net"], stdout=subprocess.PIPE, check=True)
        said = json.loads(done.stdout)
        self.assertEqual((said["values"], said["deleted_in_redis"], said["left_in_redis"]), (1, 1, 0))
        # What the store has not read yet stays, and that is said.
        done = subprocess.run(words + ["s4@example.com"], stdout=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["left_in_redis"]), (1, 1))
        # The very entry that the position is at.
        LAB.redis("XADD", STREAM_KEY, "*", *session_records(6, 0)[2], "seq", EPOCH + 41)
        self.ingest()
        done = subprocess.run(words + ["s6@example.com"], stdout=subprocess.PIPE, check=True)
        self.assertEqual(json.loads(done.stdout)["deleted_in_redis"], 1)
        said = self.ingest()
        self.assertEqual((said["records"], said["went_back"], said["doubled"]), (0, 0, 0))
        self.assertNotIn("s6@example.com", str(LAB.redis("XRANGE", STREAM_KEY, "-", "+")))

    def test_a_person_is_forgotten_with_tags_and_by_a_login_name(self):
        forms = ("s9+shop@EXAMPLE.com", "list+s9=example.com@lists.example", "bigs9@example.com", "s9")
        for number, sender in enumerate(forms):
            records = session_records(number, number * 3000)
            self.send([record[:-1] + (sender,) if "from" in record else record for record in records])
        # The same words where no person stands.
        self.send([("stage", "helo", "time", stamp(20000), "host", "mx.example.org", "instance", "in", "producer", "p1",
                    "session", "lab-000009", "helo", "s9")])
        self.ingest()
        words = [os.path.join(LAB.build, "smtptrail"), "store", "forget", "--json", "--redis", "--config", self.path("conf"),
                 "--store", self.store, "s9@example.com"]
        said = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
        self.assertEqual((said["values"], said["deleted_in_redis"]), (2, 2))
        said = json.loads(subprocess.run(words + ["--login", "S9"], stdout=subprocess.PIPE, check=True).stdout)
        self.assertEqual((said["values"], said["deleted_in_redis"]), (1, 1))
        left = str(LAB.redis("XRANGE", STREAM_KEY, "-", "+"))
        self.assertIn("bigs9@example.com", left)
        self.assertNotIn("s9+shop", left)
        self.assertNotIn("s9=example.com", left)
        self.assertEqual(self.ingest()["went_back"], 0)

    def test_logs_wait_for_a_redis_that_does_not_answer(self):
        with open(self.log, "w", encoding="utf-8") as file:
            file.write("%s mx.example.org postfix/qmgr[8]: 0000000001: removed\n" % stamp(5))
        os.rename(LAB.redis_socket, LAB.redis_socket + ".away")
        try:
            child = self.start("--log", self.log)
            out, errors = child.communicate(timeout=WAIT_SECONDS)
        finally:
            os.rename(LAB.redis_socket + ".away", LAB.redis_socket)
        self.assertEqual(child.returncode, 2)
        self.assertEqual(json.loads(out)["ingest"]["lines"], 0)
        self.assertIn(b"cannot reach redis", errors)
        self.assertEqual(self.ingest("--log", self.log)["lines"], 1)


if __name__ == "__main__":
    try:
        with Lab() as LAB:
            LAB.start_redis()
            result = unittest.main(exit=False).result
            sys.exit(not result.wasSuccessful())
    except Missing as reason:
        print("skipped: %s" % reason)
        sys.exit(77)
