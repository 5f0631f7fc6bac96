#!/usr/bin/env python3
"""test_watch.py - smtptrail watch against a private Redis: what it shows, what it says, what it survives.

WATCH_BURST=N sets the records of the burst (1,000,000), WATCH_RATE their number a second (50,000).
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

PROGRAM = os.path.join(os.path.abspath(os.environ.get("top_builddir", ".")), "smtptrail")
BURST = int(os.environ.get("WATCH_BURST", "1000000"))
RATE = int(os.environ.get("WATCH_RATE", "50000"))
STREAM = "{smtptrail:0}:records"
EPOCH = 1 << 40
PATIENCE = 60
STARTED = []        # what ends them all, the last first; also where a test is broken off


def as_bytes(word):
    return word if isinstance(word, bytes) else str(word).encode()


def command(*words):
    words = [as_bytes(word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Connection:
    """Redis' protocol, as far as these tests need it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        return rest

    def ask(self, *words):
        self.socket.sendall(command(*words))
        return self.reply()


class Server:
    """A redis-server of the test's own, in its own directory, reached by a socket there."""

    def __init__(self, *options):
        self.directory = tempfile.mkdtemp(prefix="watch-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.path = os.path.join(self.directory, "redis.sock")
        self.config = os.path.join(self.directory, "smtptrail.conf")
        self.configure("")
        self.options = options
        self.process = None
        self.connection = None

    def configure(self, text):
        """What the watch reads beside its command line."""
        with open(self.config, "w", encoding="ascii") as file:
            file.write(text)

    def watch_words(self, *arguments):
        return [PROGRAM, "watch", "--config", self.config, "--redis", "unix:" + self.path, *arguments]

    def start(self, *more, wait=True):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.directory, "--save", "",
             *self.options, *more], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if wait:
            self.wait()

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.connection = Connection(self.path)
                self.connection.ask("PING")
                return
            except (OSError, RuntimeError) as error:
                if str(error).startswith("NOAUTH"):
                    return
                if self.connection:
                    self.connection.close()
                    self.connection = None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def questions(self, name):
        """How often it was asked this."""
        found = re.search(rb"^cmdstat_%s:calls=(\d+)," % re.escape(name.encode()), self.ask("INFO", "commandstats"), re.M)
        return int(found[1]) if found else 0

    def stop(self, how=signal.SIGKILL):
        if self.connection:
            self.connection.close()
            self.connection = None
        if self.process:
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def done(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, *words):
        return self.connection.ask(*words)

    def add(self, seq, *, stream=STREAM, entry="*", producer="p1", stage="data", options=(), **fields):
        """One record; seq without an epoch is of epoch 1."""
        words = ["stage", stage, "time", "2026-11-21T08:00:00.000000Z", "host", "mx1", "producer", producer]
        if seq is not None:
            words += ["seq", seq if seq >= EPOCH else EPOCH + seq]
        for name, value in fields.items():
            words += [name.rstrip("_"), value]
        return self.ask("XADD", stream, *options, entry, *words).decode()


class Watch:
    """The program under test; what it prints is collected as it comes."""

    def __init__(self, server, *arguments, environment=None, terminal=None):
        words = server.watch_words(*arguments)
        self.server = server
        self.output, self.errors = bytearray(), bytearray()
        self.line_count = 0             # of the output
        master = None
        if terminal:
            master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, terminal, 0, 0))
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **(environment or {})}
        environment.update({name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")})
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=slave if terminal else subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment)
        if terminal:
            os.close(slave)
        source = master if terminal else self.process.stdout.fileno()
        self.threads = [threading.Thread(target=self.collect, args=(source, self.output)),
                        threading.Thread(target=self.collect, args=(self.process.stderr.fileno(), self.errors))]
        self.master = master
        for thread in self.threads:
            thread.start()

    def collect(self, source, into):
        while True:
            try:
                some = os.read(source, 1 << 20)
            except OSError:         # a terminal whose other end is closed
                return
            if not some:
                return
            into += some
            if into is self.output:
                self.line_count += some.count(b"\n")

    def following(self):
        """Waits until it waits for records."""
        until(lambda: b"cmd=xread" in self.server.ask("CLIENT", "LIST"), "the watch reads", self)
        return self

    def end(self, how=signal.SIGINT):
        if how and self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(PATIENCE)
        finally:
            self.kill()
        return self

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self.threads:
            thread.join()
        if self.master is not None:
            os.close(self.master)
            self.master = None
        for file in (self.process.stdout, self.process.stderr):
            if file:
                file.close()

    def text(self):
        return self.output.decode()

    def lines(self):
        return self.text().splitlines()

    def objects(self):
        return [json.loads(line) for line in bytes(self.output).splitlines()]

    def counters(self):
        return [row["seq"] % EPOCH for row in self.objects()]

    def said(self):
        return self.errors.decode()

    def summary(self):
        """The numbers of the last line: seen, shown, doubled, missing, times it went back."""
        last = self.said().splitlines()[-1]
        found = re.match(r"smtptrail watch: (\d+) records seen, (\d+) shown, (\d+) doubled, (\d+) missing, "
                         r"went back (\d+) times$", last)
        if not found:
            raise AssertionError("no summary: " + self.said())
        return tuple(int(number) for number in found.groups())


def until(condition, what, watch=None, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain until %s: %s" % (what, watch.said() if watch else ""))
        time.sleep(0.01)


class WatchTest(unittest.TestCase):
    maxDiff = None

    def server(self, *options):
        server = Server(*options)
        STARTED.append(server.done)
        self.addCleanup(server.done)
        return server

    def serve(self, *options):
        server = self.server(*options)
        server.start()
        return server

    def watch(self, server, *arguments, **more):
        watch = Watch(server, *arguments, **more)
        STARTED.append(watch.kill)
        self.addCleanup(watch.kill)
        return watch

    def until_lines(self, watch, count):
        until(lambda: watch.line_count >= count, "%d lines are shown" % count, watch)


class Following(WatchTest):
    def test_a_burst_loses_no_record(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        words = ["XADD", STREAM, "*", "stage", "rcpt", "time", "2026-11-21T08:00:00.000000Z", "host", "mx1",
                 "instance", "main", "producer", "0123456789abcdef0123456789abcdef", "partition", "0", "seq",
                 "@@@@@@@@@@@@@", "session", "0006439f2a", "msg", "1", "schema", "1", "to", "bob@example.com",
                 "outcome", "rejected", "dsn", "5.1.1", "reject_text", "User unknown in local recipient table"]
        template = command(*words).replace(b"%", b"%%").replace(b"@@@@@@@@@@@@@", b"%d")
        begin, late = time.monotonic(), 0
        for first in range(1, BURST + 1, 1000):
            count = min(1000, BURST + 1 - first)
            server.connection.socket.sendall(
                b"".join([template % (EPOCH + seq) for seq in range(first, first + count)]))
            for _ in range(count):
                server.connection.reply()
            ahead = begin + (first + count - 1) / RATE - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            else:
                late = -ahead
        written = time.monotonic() - begin
        while watch.line_count < BURST:		# however slow the machine is
            seen = watch.line_count
            until(lambda: watch.line_count > seen, "more is shown than %d records" % seen, watch, 60)
        shown = time.monotonic() - begin
        watch.end()
        numbers = re.findall(rb'"seq":(\d+)', watch.output)
        self.assertEqual(len(numbers), BURST)
        self.assertTrue(all(int(number) == EPOCH + 1 + i for i, number in enumerate(numbers)))
        self.assertEqual(watch.summary(), (BURST, BURST, 0, 0, 0))
        print("  %d records at %.0f a second (%.1f s late at the end); shown after %.1f s more"
              % (BURST, BURST / written, late, shown - written))

    def test_a_record_that_comes_twice_is_shown_once(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in (1, 2, 3, 2, 3, 4, 1, 5):
            server.add(seq)
        server.add(2, producer="p1")
        # The last one is shown: then all before it has been read.
        server.add(1, producer="p2")
        self.until_lines(watch, 6)
        watch.end()
        self.assertEqual(watch.counters(), [1, 2, 3, 4, 5, 1])
        self.assertEqual(watch.summary(), (10, 6, 4, 0, 0))

    def test_holes_are_said_exactly(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in (10, 11, 15, 16, 18):
            server.add(seq)
        server.add(2 * EPOCH + 1, stage="start", previous_epoch=1, previous_seq=EPOCH + 20)
        server.add(2 * EPOCH + 2)
        server.add(17)
        self.until_lines(watch, 8)
        watch.end()
        self.assertEqual(watch.summary(), (8, 8, 0, 5, 0))
        for count, first, last in ((3, 12, 14), (1, 17, 17), (2, 19, 20)):
            bounds = "seq %d to %d" % (EPOCH + first, EPOCH + last) if count > 1 else "seq %d" % (EPOCH + first)
            self.assertRegex(watch.said(), r"%d records? of producer p1 (is|are) missing: partition 0, %s\n"
                             % (count, bounds))
        self.assertEqual(watch.said().count("missing:"), 3)

    def test_a_hole_right_after_the_begin_is_known_from_what_came_before(self):
        server = self.serve()
        server.add(1)
        watch = self.watch(server, "--json").following()
        server.add(4)
        self.until_lines(watch, 1)
        self.assertEqual(watch.end().summary(), (1, 1, 0, 2, 0))

    def test_records_trimmed_before_they_were_read_are_counted(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        server.add(1)
        self.until_lines(watch, 1)
        os.kill(watch.process.pid, signal.SIGSTOP)
        for seq in range(2, 5001):
            server.add(seq, options=("MAXLEN", "100"))
        left = [EPOCH + seq for seq in range(4901, 5001)]
        os.kill(watch.process.pid, signal.SIGCONT)
        # What waited in the link before it stopped may still be read: the reply to its XREAD.
        until(lambda: watch.output.endswith(b"}\n") and watch.objects()[-1]["seq"] == left[-1], "the last", watch)
        watch.end()
        seen = [row["seq"] for row in watch.objects()]
        missing = 5000 - len(seen)
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(missing, 4000)
        self.assertEqual(watch.summary()[3], missing)
        self.assertIn("%d records of producer p1 were trimmed before they were read" % missing, watch.said())
        self.assertEqual(watch.summary()[4], 0)

    def test_several_partitions_are_followed(self):
        server = self.serve()
        server.configure("partitions = 3\n")
        watch = self.watch(server, "--json").following()
        for seq in range(1, 4):
            for partition in range(3):
                server.add(seq, stream="{smtptrail:%d}:records" % partition, partition=partition)
        self.until_lines(watch, 9)
        watch.end()
        self.assertEqual(sorted((row["partition"], row["seq"] % EPOCH) for row in watch.objects()),
                         [(partition, seq) for partition in range(3) for seq in range(1, 4)])
        self.assertEqual(watch.summary(), (9, 9, 0, 0, 0))

    def test_what_names_no_producer_is_shown_and_counted(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        server.add(None)
        server.ask("XADD", STREAM, "*", "foo", "bar")
        self.until_lines(watch, 2)
        watch.end()
        self.assertEqual(watch.objects()[1]["foo"], "bar")
        self.assertIn("2 records seen, 2 shown, 0 doubled, 0 missing, went back 0 times, 2 without producer",
                      watch.said())


class Beginning(WatchTest):
    def test_the_begin_is_now_or_a_time_or_an_entry(self):
        server = self.serve()
        now_ms = int(server.ask("TIME")[0]) * 1000
        ids = [server.add(seq, entry="%d-0" % (now_ms - age * 1000)) for seq, age in
               ((1, 7200), (2, 3000), (3, 1200), (4, 60))]
        cases = (([], []), (["--since", "2m"], [4]), (["--since", "1h"], [2, 3, 4]), (["--from-id", "0"], [1, 2, 3, 4]),
                 (["--from-id", ids[1]], [2, 3, 4]), (["--from-id", ids[3]], [4]),
                 (["--since", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms / 1000 - 1500))], [3, 4]))
        for number, (arguments, wanted) in enumerate(cases):
            with self.subTest(arguments=arguments):
                watch = self.watch(server, "--json", *arguments).following()
                server.add(5 + number)
                self.until_lines(watch, len(wanted) + 1 + (number if wanted else 0))
                watch.end()
                self.assertEqual(watch.counters(), wanted + list(range(5, 6 + number))[0 if wanted else number:])

    def test_it_ends_after_as_many_as_asked_for(self):
        server = self.serve()
        for seq in range(1, 3000):
            server.add(seq)
        watch = self.watch(server, "--json", "--from-id", "0", "--count", "1500").end(None)
        self.assertEqual(watch.process.returncode, 0)
        self.assertEqual(watch.counters(), list(range(1, 1501)))


class GoingBack(WatchTest):
    def check(self, watch, wanted, doubled):
        self.until_lines(watch, len(wanted))
        until(lambda: b"Redis lost entries" in watch.errors, "it is said", watch)
        time.sleep(0.3)
        watch.end()
        self.assertEqual(watch.counters(), wanted)
        seen, shown, had, missing, times = watch.summary()
        self.assertEqual((shown, missing, times), (len(wanted), 0, 1))
        self.assertEqual(seen - shown, had)
        self.assertGreaterEqual(had, doubled)
        self.assertEqual(watch.said().count("Redis lost entries"), 1)

    def test_an_emptied_redis_is_noticed_when_all_is_sent_again(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in range(1, 51):
            server.add(seq)
        self.until_lines(watch, 50)
        # It looks after its place once a second; it has done so once it begins to do so again.
        before = server.questions("xinfo|stream")
        until(lambda: server.questions("xinfo|stream") >= before + 2, "it has looked after its place", watch)
        server.ask("FLUSHALL")
        for seq in range(1, 61):
            server.add(seq)
        self.check(watch, list(range(1, 61)), 50)

    def test_an_emptied_redis_is_noticed_before_anything_comes(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in range(1, 51):
            server.add(seq)
        self.until_lines(watch, 50)
        server.ask("FLUSHALL")
        until(lambda: b"the stream is gone" in watch.errors, "it is said", watch)
        for seq in range(41, 61):
            server.add(seq)
        self.check(watch, list(range(1, 61)), 10)

    def test_entries_under_lower_identifiers_are_found(self):
        """A fail-over to a machine whose clock is late."""
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in range(1, 51):
            server.add(seq)
        self.until_lines(watch, 50)
        server.ask("MULTI")
        server.ask("FLUSHALL")
        for seq in range(1, 61):
            server.ask("XADD", STREAM, "1000-%d" % seq, "producer", "p1", "seq", EPOCH + seq, "stage", "data")
        server.ask("EXEC")
        self.check(watch, list(range(1, 61)), 50)

    def test_a_restart_without_its_file(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in range(1, 51):
            server.add(seq)
        self.until_lines(watch, 50)
        server.stop()
        server.start()
        for seq in range(1, 61):
            server.add(seq)
        self.check(watch, list(range(1, 61)), 50)
        self.assertIn("; trying again", watch.said())
        self.assertIn("Redis answers again", watch.said())

    def test_a_restart_with_an_older_file(self):
        server = self.serve("--appendonly", "yes", "--appendfsync", "always")
        watch = self.watch(server, "--json").following()
        files, older = os.path.join(server.directory, "appendonlydir"), os.path.join(server.directory, "older")
        for seq in range(1, 31):
            server.add(seq)
        self.until_lines(watch, 30)
        shutil.copytree(files, older)
        for seq in range(31, 51):
            server.add(seq)
        self.until_lines(watch, 50)
        server.stop()
        shutil.rmtree(files)
        shutil.copytree(older, files)
        server.start()
        self.assertEqual(server.ask("XLEN", STREAM), 30)
        for seq in range(31, 61):
            server.add(seq)
        self.check(watch, list(range(1, 61)), 20)


class Trouble(WatchTest):
    def test_a_restart_that_keeps_all_is_survived(self):
        server = self.serve("--appendonly", "yes", "--appendfsync", "always")
        watch = self.watch(server, "--json").following()
        for round_ in range(3):
            for seq in range(1, 11):
                server.add(10 * round_ + seq)
            server.stop()
            time.sleep(0.3)
            server.start()
        server.add(31)
        self.until_lines(watch, 31)
        watch.end()
        self.assertEqual(watch.counters(), list(range(1, 32)))
        self.assertEqual(watch.summary(), (31, 31, 0, 0, 0))

    def test_a_cut_link_is_opened_again(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        for seq in range(1, 21):
            server.add(seq)
            server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.until_lines(watch, 20)
        watch.end()
        self.assertEqual(watch.counters(), list(range(1, 21)))
        self.assertEqual(watch.summary(), (20, 20, 0, 0, 0))

    def test_a_server_that_hangs_is_survived(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            until(lambda: b"no answer in time" in watch.errors, "it is said", watch)
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        server.add(1)
        self.until_lines(watch, 1)
        self.assertEqual(watch.end().counters(), [1])

    def test_a_server_that_still_loads_is_waited_for(self):
        server = self.serve("--loading-process-events-interval-bytes", "1024")
        for number in range(40):
            server.ask("SET", "key%d" % number, "x" * 4096)
        server.ask("SAVE")
        server.stop()
        server.start("--key-load-delay", "50000", wait=False)
        until(lambda: os.path.exists(server.path), "the socket is there")
        time.sleep(0.3)
        watch = self.watch(server, "--json")
        until(lambda: b"LOADING" in watch.errors, "it is said", watch)
        server.wait()
        watch.following()
        server.add(1)
        self.until_lines(watch, 1)
        self.assertEqual(watch.end().process.returncode, 0)
        self.assertIn("Redis answers again", watch.said())

    def test_a_redis_that_is_not_there_ends_it_at_the_start(self):
        server = self.server()
        watch = self.watch(server).end(None)
        self.assertEqual(watch.process.returncode, 2)
        self.assertRegex(watch.said(), r"^smtptrail watch: cannot reach redis 'unix:[^\n]*\n$")

    def test_a_wrong_password_is_said_at_the_start_and_later(self):
        server = self.serve("--requirepass", "right")
        password = os.path.join(server.directory, "password")

        def write(text):
            with open(password, "w", encoding="ascii") as file:
                file.write(text)
        watch = self.watch(server).end(None)
        self.assertEqual(watch.process.returncode, 2)
        self.assertIn("NOAUTH", watch.said())

        server.configure('redis_password_file = "%s"\n' % password)
        write("wrong\n")
        watch = self.watch(server).end(None)
        self.assertEqual(watch.process.returncode, 2)
        self.assertIn("WRONGPASS", watch.said())
        self.assertEqual(watch.said().count("\n"), 1)

        server.ask("AUTH", "right")
        write("right\n")
        watch = self.watch(server, "--json").following()
        server.ask("CONFIG", "SET", "requirepass", "changed")
        server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        until(lambda: b"WRONGPASS" in watch.errors, "it is said", watch)
        server.add(1)
        write("changed\n")
        self.until_lines(watch, 1)
        self.assertEqual(watch.end().counters(), [1])

    def test_a_user_with_few_rights_may_watch(self):
        server = self.serve()
        server.ask("ACL", "SETUSER", "reader", "on", ">secret", "~{smtptrail:*}:records", "-@all",
                   *"+ping +time +type +xinfo|stream +xread +xrange +xrevrange".split())
        password = os.path.join(server.directory, "password")
        with open(password, "w", encoding="ascii") as file:
            file.write("secret\n")
        server.configure('redis_user = "reader"\nredis_password_file = "%s"\n' % password)
        watch = self.watch(server, "--json", "--since", "1m").following()
        server.add(1)
        self.until_lines(watch, 1)
        server.ask("FLUSHALL")
        until(lambda: b"Redis lost entries" in watch.errors, "it is said", watch)
        server.add(3)
        self.until_lines(watch, 2)
        self.assertEqual(watch.end().summary(), (2, 2, 0, 1, 1))

    def test_a_key_that_is_no_stream_ends_it_at_the_start(self):
        server = self.serve()
        server.ask("SET", STREAM, "x")
        watch = self.watch(server).end(None)
        self.assertEqual(watch.process.returncode, 2)
        self.assertIn("WRONGTYPE", watch.said())


class Ending(WatchTest):
    def test_signals_end_it_with_a_summary_at_once(self):
        server = self.serve()
        times = []
        for number, code in ((signal.SIGINT, 1), (signal.SIGTERM, 1)) * 2:
            watch = self.watch(server).following()
            begin = time.monotonic()
            watch.end(number)
            times.append(time.monotonic() - begin)
            self.assertEqual(watch.process.returncode, code)
            self.assertEqual(watch.summary(), (0, 0, 0, 0, 0))
            self.assertEqual(watch.said().count("\n"), 1)
        self.assertLess(min(times), 2)		# a busy machine may hold one of them up
        watch = self.watch(server).following()
        server.add(1)
        self.until_lines(watch, 1)
        self.assertEqual(watch.end().process.returncode, 0)
        self.assertEqual(watch.summary(), (1, 1, 0, 0, 0))

    def test_a_reader_that_goes_away_ends_it(self):
        server = self.serve()
        for writes in (False, True):
            reading, writing = os.pipe()
            process = subprocess.Popen(server.watch_words(), stdin=subprocess.DEVNULL, stdout=writing,
                                       stderr=subprocess.PIPE)
            STARTED.append(process.kill)
            self.addCleanup(process.kill)
            os.close(writing)
            until(lambda: b"cmd=xread" in server.ask("CLIENT", "LIST"), "the watch reads")
            os.close(reading)
            if writes:
                server.add(1)
            errors = process.communicate(timeout=PATIENCE)[1].decode()
            self.assertIn(process.returncode, (0, 1))
            self.assertRegex(errors, r"^smtptrail watch: \d records seen, [^\n]*\n$")

    def test_a_reader_that_reads_nothing_does_not_hold_it(self):
        server = self.serve()
        for seq in range(1, 2001):
            server.add(seq, to="x" * 500)
        reading, writing = os.pipe()
        process = subprocess.Popen(server.watch_words("--from-id", "0"), stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE)
        STARTED.append(process.kill)
        self.addCleanup(process.kill)
        os.close(writing)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=PATIENCE)[1].decode()
        os.close(reading)
        self.assertIn("records seen", errors)

    def test_a_full_disk_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        server = self.serve()
        server.add(1)
        with open("/dev/full", "wb") as full:
            done = subprocess.run(server.watch_words("--from-id", "0"), stdout=full, stderr=subprocess.PIPE,
                                  timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"cannot write", done.stderr)

    def test_wrong_usage_is_said(self):
        server = self.serve()
        for arguments in (["--since", "soon"], ["--from-id", "$"], ["--stage", "nonsense"], ["--client", "example.com"],
                          ["--count", "0"], ["--color", "blue"], ["--nonsense"], ["nofield:x"], ["--since"],
                          ["--prefix", "{x}"], ["--redis", "nonsense"]):
            with self.subTest(arguments=arguments):
                watch = self.watch(server, *arguments).end(None)
                self.assertEqual(watch.process.returncode, 2)
                self.assertRegex(watch.said(), r"^smtptrail watch: [^\n]*; see smtptrail watch --help\n$")
                self.assertEqual(watch.output, b"")


def text_fields():
    """Of each stage, as common/record.def has them."""
    fields = {}
    text = (pathlib.Path(__file__).resolve().parents[2] / "common/record.def").read_text(encoding="utf-8")
    for name, stages in re.findall(r'^FIELD\(\d+,\s*\w+,\s*"(\w+)",\s*(?:TEXT|LIST),\s*([^"]*),', text, re.MULTILINE):
        for stage in re.findall(r"AT\((\w+)\)", stages):
            fields.setdefault(stage.lower(), []).append(name)
    return fields


class Showing(WatchTest):
    HOSTILE = (b"\x1b[2J\x1b]0;title\x07", b"\r\nforged line\r\n", b"\xe2\x80\xaegnp.exe", b"\xff\xfe\xc0\x80\xed\xa0\x80",
               b"\xc2\x9b31m", b"\x00\x01\x7f", b"\xe2\x81\xa6\xef\xbb\xbf\xe2\x80\xa8", b"tab\tbackslash\\ quote\"",
               b"x" * 60000 + b"\x1b", "日本語 e\u0301 \U0001f600".encode())

    def test_hostile_bytes_never_come_out_raw(self):
        server = self.serve()
        for mode in ([], ["--json"], ["--color", "always"]):
            with self.subTest(mode=mode):
                server.ask("DEL", STREAM)
                watch = self.watch(server, *mode).following()
                for seq, value in enumerate(self.HOSTILE, 1):
                    server.ask("XADD", STREAM, "*", "stage", "rcpt", "time", value, "producer", "p", "seq", EPOCH + seq,
                               "session", value, "msg", value, "to", value, value, value, "outcome", value)
                    server.ask("XADD", STREAM, "*", "stage", value, "producer", value[:60], "seq", value, value, value)
                # And each text field of each stage.
                lines = 2 * len(self.HOSTILE)
                for stage, names in sorted(text_fields().items()):
                    value, lines = b"=\x1b[2J\x07\r\n\xe2\x80\xae<b>\xff", lines + 1
                    server.ask("XADD", STREAM, "*", "stage", stage, *(word for name in names for word in (name, value)),
                               "time", value, "producer", "q", "seq", EPOCH + lines)
                self.until_lines(watch, lines)
                watch.end()
                self.assertEqual(watch.output.count(b"\n"), lines)
                text = watch.output.decode()        # valid UTF-8 throughout
                if "always" in mode:
                    text = re.sub("\x1b\\[(0|2|31|32|33)m", "", text)
                for character in text:
                    self.assertTrue(character == "\n" or ord(character) >= 0x20 and not 0x7f <= ord(character) < 0xa0,
                                    repr(character))
                    self.assertNotIn(character, "\u202e\u2066\ufeff\u2028")
                if "--json" in mode:
                    self.assertTrue(text.isascii())

    def test_trouble_quotes_nothing_raw(self):
        server = self.serve()
        server.ask("SET", STREAM, "x")
        watch = self.watch(server, "--prefix", "a\x1b[2J").following()
        server.add(1, stream="{a\x1b[2J:0}:records")
        server.add(3, stream="{a\x1b[2J:0}:records", producer="p\x1b[2J")
        server.add(5, stream="{a\x1b[2J:0}:records", producer="p\x1b[2J")
        server.ask("DEL", "{a\x1b[2J:0}:records")
        until(lambda: b"Redis lost" in watch.errors, "it is said", watch)
        watch.end()
        self.assertNotIn("\x1b", watch.said())

    def test_json_is_what_was_written(self):
        server = self.serve()
        watch = self.watch(server, "--json").following()
        fields = {"stage": "mail", "time": "2026-11-21T08:00:00.123456Z", "host": "mx1", "instance": "main",
                  "producer": "0123", "partition": 0, "seq": EPOCH + 1, "session": "0006439f2a", "msg": 1, "schema": 1,
                  "from": "J\u00fcrgen \"quoted\" \\ \u65e5\u672c\u8a9e\U0001f600\u202e\t\n\x01\x7f@example.com", "size": 1234,
                  "smtputf8": True, "requiretls": False, "body": "", "cut": "a, b, \"c, d\"", "later": "5",
                  "mail_params": "x" * 60000}
        words = []
        for name, value in fields.items():
            words += [name, {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value]
        entry = server.ask("XADD", STREAM, "*", *words).decode()
        self.until_lines(watch, 1)
        watch.end()
        self.assertEqual(watch.objects(), [{"stream_id": entry, **fields}])
        self.assertEqual(list(watch.objects()[0]), ["stream_id", *fields])

    def test_a_line_is_aligned_and_for_people(self):
        server = self.serve()
        watch = self.watch(server).following()
        server.ask("XADD", STREAM, "*", "stage", "rcpt", "time", time.strftime("%Y-%m-%dT08:00:00.123456Z", time.gmtime()),
                   "session", "0006439f2a", "msg", 1, "to", "bob@example.com", "outcome", "rejected", "dsn", "5.1.1",
                   "reject_text", "no such user")
        self.until_lines(watch, 1)
        self.assertEqual(watch.end().text(),
                         "08:00:00.123  0006439f2a.1        rcpt     to=<bob@example.com> rejected 5.1.1 no such user\n")

    def test_colour_is_for_terminals_that_want_it(self):
        server = self.serve()
        for seq in (1, 2):
            server.add(seq, stage="rcpt", to="x" * 500, outcome="rejected", dsn="5.1.1")
        always, never = ["--color", "always"], ["--no-color"]
        for terminal, arguments, environment, wanted in (
                (None, [], {}, False), (80, [], {}, True), (80, [], {"NO_COLOR": "1"}, False),
                (80, [], {"NO_COLOR": ""}, True), (80, [], {"TERM": "dumb"}, False), (80, never, {}, False),
                (None, always, {}, True), (None, always, {"NO_COLOR": "1"}, True), (80, ["--json"], {}, False)):
            with self.subTest(terminal=terminal, arguments=arguments, environment=environment):
                watch = self.watch(server, "--from-id", "0", "--count", "2", *arguments, terminal=terminal,
                                   environment=environment).end(None)
                self.assertEqual("\x1b[31m" in watch.text(), wanted)

    def test_a_line_is_cut_to_the_terminal_and_only_there(self):
        server = self.serve()
        server.add(1, stage="rcpt", to="日" * 300)
        server.add(2, stage="rcpt", to="short")
        for width in (60, 61, 120):
            watch = self.watch(server, "--from-id", "0", "--count", "2", "--no-color", terminal=width).end(None)
            long, short = watch.lines()[-2:]
            columns = sum(2 if character == "日" else 1 for character in long)
            self.assertTrue(long.endswith("…"), long)
            self.assertIn(columns, (width, width - 1))
            self.assertTrue(short.endswith("to=<short>"))
        watch = self.watch(server, "--from-id", "0", "--count", "2").end(None)
        self.assertIn("日" * 300, watch.text())

    def test_filters_show_what_was_asked_for(self):
        server = self.serve()
        seq = 0
        for session, client, sender, recipients in (
                ("s1", "192.0.2.1", "alice@example.com", ("bob@example.net",)),
                ("s2", "2001:db8::5", "", ("carol@example.org", "bob@example.net")),
                ("s3", "::ffff:192.0.2.9", "alice@example.com", ("carol@example.org",))):
            for stage, fields in (("connect", {"client_addr": client}), ("mail", {"msg": 1, "from_": sender}),
                                  *(("rcpt", {"msg": 1, "to": recipient}) for recipient in recipients),
                                  ("close", {"cause": "ended"})):
                seq += 1
                server.add(seq, stage=stage, session=session, **fields)
        server.add(seq + 1, stage="gap", count=1)
        for arguments, wanted in (
                (["--client", "192.0.2.0/24"], {"s1": 4, "s3": 4, "": 1}),
                (["--client", "2001:db8::/32"], {"s2": 5, "": 1}),
                (["--from", "ALICE@*"], {"s1": 4, "s3": 4, "": 1}),
                (["--from", "<>"], {"s2": 5, "": 1}),
                (["--to", "carol@example.org"], {"s2": 5, "s3": 4, "": 1}),
                (["--from", "alice@*", "--to", "carol@*"], {"s3": 4, "": 1}),
                (["--session", "s2"], {"s2": 5, "": 1}),
                (["--stage", "connect,close", "--from", "<>"], {"s2": 2}),
                (["--to", "nobody"], {"": 1}),
                (["client:192.0.2.0/24"], {"s1": 4, "s3": 4, "": 1}),
                (["to:bob@*", "-from:<>"], {"s1": 1, "": 1}),
                (["from:alice@*"], {"s1": 2, "s3": 2, "": 1})):
            with self.subTest(arguments=arguments):
                total = sum(wanted.values())
                watch = self.watch(server, "--json", "--from-id", "0", "--count", str(total), *arguments).end(None)
                shown = {}
                for row in watch.objects():
                    shown[row.get("session", "")] = shown.get(row.get("session", ""), 0) + 1
                self.assertEqual(shown, wanted)


if __name__ == "__main__":
    if not shutil.which("redis-server"):
        print("redis-server is missing")
        sys.exit(77)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        unittest.main(verbosity=2)
    finally:
        for end in reversed(STARTED):
            end()
