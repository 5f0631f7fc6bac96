#!/usr/bin/python3
"""campaign.py - producers, a Redis, and faults at random; at the end what became of each record.

usage: campaign.py [--rounds N] [--seed S] [--over unix|tcp|sentinel|cluster] [--only WORDS] [--naive]

A round is one fault, and the time until all producers have caught up again. The line before each server cuts, loses
replies and delivers late all the while. The last line is the verdict. Exit status: 0 nothing lost, doubled, out of
order or untold; 1 something was; 2 usage; 77 redis-server is missing.
"""
import argparse
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import checker			# noqa: E402 - beside this file
import mounts			# noqa: E402
import targets			# noqa: E402
from lab import Lab, LabError, RedisError, reason_of, run_test, wait_until	# noqa: E402

PATIENCE = 120
CHECKS = 20			# of the stream at the end, two seconds after each other
MEAN_BYTES = 120000		# of requests between two faults of the line
NAIVE_MEAN_BYTES = 20000
CAUGHT_UP = 300			# records: what is on its way at any time
THREADS, PAUSE_US, NAIVE_PAUSE_US = 2, 2000, 10000
MEBIBYTE = 1 << 20
ROOMY, SMALL = (16 * MEBIBYTE, 256 * MEBIBYTE), (MEBIBYTE, 2 * MEBIBYTE)	# front and spool by their own caps
SMALL_TMPFS = (2 * MEBIBYTE, 3 * MEBIBYTE)
COUNTERS = {"errors": checker.ERRORS, "resyncs": checker.RESYNCS, "sent again": checker.WENT_BACK,
            "not kept": checker.NOT_KEPT, "fenced": checker.FENCED}


class Producer:
    def __init__(self, lab, name, address, partitions, front, spool, rooms, naive):
        self.lab, self.name = lab, name
        os.makedirs(front, exist_ok=True)
        os.makedirs(spool, exist_ok=True)
        path = lab.path(name + ".truth")
        self.truth = checker.Truth(path, THREADS)
        self.words = [lab.program("tests/fault/producer"), name, front, spool, path, address, str(THREADS),
                      str(partitions), str(rooms[0]), str(rooms[1]), str(NAIVE_PAUSE_US if naive else PAUSE_US)] + ["naive"] * naive
        self.totals = dict.fromkeys(COUNTERS, 0)
        self.start()

    def start(self):
        beat = self.truth.word(checker.HEARTBEAT)
        self.spawn()
        wait_until("%s runs" % self.name, lambda: self._is_alive() and self.truth.word(checker.HEARTBEAT) > beat, PATIENCE)

    def spawn(self):
        self.process = self.lab.spawn(self.name, self.words)

    def _is_alive(self):
        if self.process.poll() is not None:
            raise LabError("%s ended with status %d" % (self.name, self.process.returncode))
        return True

    def kill(self):
        self.lab.end(self.name, signal.SIGKILL)
        self.note()

    def note(self):
        """The counters of a run begin at 0."""
        for name, index in COUNTERS.items():
            self.totals[name] += self.truth.word(index)

    def beat(self):
        return self.truth.word(checker.HEARTBEAT)

    def has_caught_up(self, most):
        return self._is_alive() and self.truth.word(checker.BACKLOG) <= most

    def is_idle(self):
        return self.truth.word(checker.IDLE) == THREADS


class Campaign:
    def __init__(self, lab, options):
        self.lab, self.random, self.options = lab, random.Random(options.seed), options
        mean = NAIVE_MEAN_BYTES if options.naive else MEAN_BYTES
        self.target = targets.make(lab, options.over, options.seed, mean)
        self.target.caught_up = self.wait_caught_up
        self.fronts = lab.state["front"] = tempfile.mkdtemp(prefix="smtptrail-lab-", dir="/dev/shm")
        self.producers = [self._producer("large1", ROOMY), self._producer("large2", ROOMY)]
        self.has_small = options.over in ("unix", "tcp") and not options.naive
        if self.has_small:
            # Rooms that are really full where a file system of the test's own can be had; else by their caps.
            self.has_tmpfs = all([mounts.tmpfs(path, size) for path, size in zip(self._rooms("small"), SMALL_TMPFS)])
            self.small = self._producer("small", ROOMY if self.has_tmpfs else SMALL)
            self.producers.append(self.small)
        self.faults = {name: fault for name, fault in self._faults().items() if options.only in name}
        if not self.faults:
            raise LabError("no fault over %s has '%s' in its name" % (options.over, options.only))
        self.recoveries, self.done = [], {}

    def _rooms(self, name):
        return os.path.join(self.fronts, name), self.lab.path(name + ".spool")

    def _producer(self, name, sizes):
        return Producer(self.lab, name, self.target.address, self.target.partitions, *self._rooms(name), sizes,
                        self.options.naive)

    def _faults(self):
        faults = {"producer killed": self.kill_producer, "producer stopped": self.stop_producer,
                  "producer killed at its start": self.kill_starting_producer}
        if self.options.naive:
            return faults
        for name, function in list(targets.SERVER_FAULTS.items()) + list(self.target.faults.items()):
            faults[name] = lambda function=function: function(self.target, self.pause, self.random)
        if self.has_small:
            faults["journal full"] = self.fill_journal
            faults["journal full, producer killed"] = lambda: self.fill_journal(True)
        return faults

    def pause(self):
        time.sleep(self.random.uniform(0.05, 0.9))

    def kill_producer(self):
        producer = self.random.choice(self.producers)
        producer.kill()
        time.sleep(self.random.uniform(0, 0.2))
        producer.start()

    def kill_starting_producer(self):
        """Several times: the journal is recovered from what a recovery left."""
        producer = self.random.choice(self.producers)
        producer.kill()
        for _ in range(self.random.randint(1, 4)):
            producer.spawn()
            time.sleep(self.random.uniform(0, 0.05))
            self.lab.end(producer.name, signal.SIGKILL)
        producer.start()

    def stop_producer(self):
        producer = self.random.choice(self.producers)
        producer.process.send_signal(signal.SIGSTOP)
        self.pause()
        producer.process.send_signal(signal.SIGCONT)

    def fill_journal(self, kill=False):
        """Redis hangs, and the small producer makes more than its journal takes; what it then refuses must be told,
        by its next start too."""
        refused = self.small.truth.sum(2)
        server = self.target.server(0)
        server.freeze()
        self.small.truth.control(checker.BURST)
        try:
            wait_until("the small journal is full", lambda: self.small.truth.sum(2) > refused + 10, PATIENCE)
            if kill:
                time.sleep(self.random.uniform(0, 0.3))
                self.small.kill()
        finally:
            self.small.truth.control(checker.RUN)
            server.thaw()
        if kill:
            self.small.start()

    def wait_caught_up(self, most=CAUGHT_UP):
        beats = {each.name: each.beat() for each in self.producers}
        wait_until("all producers have caught up", lambda: all(
            each.has_caught_up(most) and each.beat() > beats[each.name] + 1 for each in self.producers), PATIENCE)

    def round(self, number):
        names = list(self.faults)
        # Each fault comes once before any comes again.
        if not hasattr(self, "order") or not self.order:
            self.order = self.random.sample(names, len(names))
        name = self.order.pop()
        time.sleep(self.random.uniform(0.1, 0.5))
        try:
            self.faults[name]()
            begin = time.monotonic()
            self.wait_caught_up()
        except Exception as error:
            raise LabError("seed %d, round %d, %s: %s" % (self.options.seed, number, name, reason_of(error))) from error
        took = time.monotonic() - begin
        self.recoveries.append(took)
        self.done[name] = self.done.get(name, 0) + 1
        if sys.stderr.isatty() or self.options.verbose:
            print("round %d: %s, caught up in %.2f s" % (number, name, took), file=sys.stderr, flush=True)

    def check(self):
        """Nothing more is made; what Redis lost without a word is noticed and sent again, so it is waited for."""
        for each in self.producers:
            each.truth.control(checker.PAUSE)
        wait_until("the producers pause", lambda: all(each.is_idle() for each in self.producers), PATIENCE)
        self.target.lines.quiet()
        tries = 0
        while True:
            self.wait_caught_up(0)
            tries += 1
            try:
                verdict = checker.check({each.name: each.truth for each in self.producers}, [
                    checker.read_stream(self.target.server(partition).call, targets.key(partition))
                    for partition in range(self.target.partitions)])
            except (OSError, RedisError):	# it became a replica while it was read
                if tries > CHECKS:
                    raise
                time.sleep(2)
                continue
            if verdict.is_good() or self.options.naive or tries > CHECKS:
                return verdict
            # What is still on its way may mend a loss, and nothing else.
            if verdict.doubled or verdict.out_of_order or verdict.holes or verdict.foreign:
                return verdict
            time.sleep(2)

    def run(self):
        for number in range(1, self.options.rounds + 1):
            self.round(number)
        verdict = self.check()
        for each in self.producers:
            each.note()
            each.truth.control(checker.END)
        return verdict

    def report(self, verdict, seconds):
        options = self.options
        rows = [("over", options.over + (", naive" if options.naive else "")), ("seed", options.seed),
                ("rounds", options.rounds), ("seconds", "%.0f" % seconds),
                ("faults", ", ".join("%s %d" % each for each in sorted(self.done.items())))]
        rows.append(("line", ", ".join("%s %d" % each for each in self.target.lines.counts().items())))
        if self.has_small:
            rows.append(("small rooms", "tmpfs of %d and %d bytes" % SMALL_TMPFS if self.has_tmpfs else "by their own caps"))
        rows += [("shippers", ", ".join("%s %d" % (name, sum(each.totals[name] for each in self.producers))
                                        for name in COUNTERS)),
                 ("unknown", "%d (a SIGKILL fell into the append)" % verdict.unknown),
                 ("refused", "%d, announced by gap records: %d" % (verdict.refused, verdict.announced)),
                 ("recovery", "median %.2f s, worst %.2f s" % (statistics.median(self.recoveries), max(self.recoveries)))]
        for name, value in rows:
            print("%-12s %s" % (name, value))
        for kind, what in verdict.examples:
            print("%-12s %s" % (kind, what))
        print("%s: %d confirmed, %d lost, %d doubled, %d out of order, %d holes in seq, %d never made, losses told %s" % (
            "passed" if verdict.is_good() else "FAILED", verdict.confirmed, verdict.lost, verdict.doubled,
            verdict.out_of_order, verdict.holes, verdict.foreign, "exactly" if verdict.is_told() else "WRONGLY"), flush=True)


def positive(text):
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError("'%s' is no number from 1 to 999999" % text)
    return int(text)


def parse(words):
    parser = argparse.ArgumentParser(prog="faults", description="a fault campaign; the last line is the verdict")
    parser.add_argument("--rounds", type=positive, default=20, help="faults, one after the other (20)")
    parser.add_argument("--seed", type=int, help="of all that is chosen (of the machine's random numbers)")
    parser.add_argument("--over", choices=("unix", "tcp", "sentinel", "cluster"), default="unix",
                        help="the way into Redis (unix)")
    parser.add_argument("--only", default="", metavar="WORDS", help="faults that have these words in their name")
    parser.add_argument("--naive", action="store_true", help="a shipper that does not compare: it must fail")
    parser.add_argument("--verbose", action="store_true", help="each round, on standard error")
    options = parser.parse_args(words)
    if options.naive and options.over not in ("unix", "tcp"):
        parser.error("--naive needs the line of --over unix or tcp")
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "big")
    return options


def main():
    options = parse(sys.argv[1:])
    mounts.begin()
    begin = time.monotonic()
    with Lab() as lab:
        try:
            campaign = Campaign(lab, options)
            verdict = campaign.run()
            campaign.target.lines.close()
            campaign.report(verdict, time.monotonic() - begin)
        finally:
            mounts.end()
    return 0 if verdict.is_good() else 1


if __name__ == "__main__":
    run_test(main)
