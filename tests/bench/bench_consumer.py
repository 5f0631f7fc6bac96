#!/usr/bin/env python3
"""bench_consumer.py - what records take in Redis, and how fast they are read again.

    bench_consumer.py [--quick] [--rounds N]

mtadrive sends mail to smtptrail-milter, which ships into a private Redis. Of the stream: bytes a record, by Redis' own
words, with its default size of nodes and the advised one, beside those of the records themselves. Then readers take all of it: smtptrail watch as text and as JSON, and
smtptrail ingest into a new store. Medians over the rounds, 95 % intervals, Markdown. No run fails on a time; a record that a reader
misses fails it.

Environment: as lab.py.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_mail import Bench, BenchLab, wait_shipped  # noqa: E402
from lab import STREAM_KEY, LabError, run_test  # noqa: E402
from pairs import cpu_seconds, print_head, print_row, read_arguments, with_interval  # noqa: E402

MESSAGES, QUICK_MESSAGES = 30000, 3000
ROUNDS, QUICK_ROUNDS = 15, 1
NODE_BYTES = "16384"		# as conf/redis.conf.example advises


def take(lab, words, redis):
    """Wall seconds, the reader's CPU seconds, Redis' CPU seconds and the reader's output."""
    before, begin = cpu_seconds(redis), time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([lab.program("smtptrail"), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        if status:
            raise LabError("smtptrail %s: status %d: %s" % (words[0], status, said.decode()))
        return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, cpu_seconds(redis) - before


def fill(lab, messages, node_bytes=None):
    """Records of that many messages in the stream: how many they are, and what each takes in Redis."""
    bench = Bench(lab, stream_max_length=0)
    if node_bytes:
        lab.redis("CONFIG", "SET", "stream-node-max-bytes", node_bytes)
    empty = int(lab.redis("MEMORY", "USAGE", STREAM_KEY, "SAMPLES", 0) or 0)
    bench.drive("milter", "--connections", 10, "--messages", messages // 10, "--body", 4000)
    wait_shipped(lab)
    records = int(lab.redis("XLEN", STREAM_KEY))
    return records, (int(lab.redis("MEMORY", "USAGE", STREAM_KEY, "SAMPLES", 0)) - empty) / records


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS)
    with BenchLab() as lab:
        _, advised = fill(lab, QUICK_MESSAGES, NODE_BYTES)
    with BenchLab() as lab:
        records, each = fill(lab, QUICK_MESSAGES if arguments.quick else MESSAGES)
        sample = lab.redis("XRANGE", STREAM_KEY, "-", "+", "COUNT", 2000)
        plain = statistics.mean(sum(len(word) for word in fields) for _, fields in sample)
        print("\n%d records of mail with one recipient; in Redis %.0f bytes each (%.0f with stream-node-max-bytes %s), their"
              " names and values alone %.0f" % (records, each, advised, NODE_BYTES, plain))
        redis = lab.children["redis"].pid
        address = "unix:" + lab.redis_socket
        watch = ["watch", "--redis", address, "--prefix", STREAM_KEY.split("{")[1].split(":")[0], "--from-id", "0", "--count",
                 str(records)]
        figures = {"watch": [], "watch --json": [], "ingest --redis": []}
        for number in range(arguments.rounds):
            figures["watch"].append(take(lab, watch, redis))
            figures["watch --json"].append(take(lab, [*watch, "--json"], redis))
            with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as folder:
                configuration = os.path.join(folder, "conf")
                with open(configuration, "w", encoding="ascii") as file:
                    file.write('redis_address = "%s"\nconsumer_group = "bench%d"\n' % (address, number))
                figures["ingest --redis"].append(take(lab, ["ingest", "--config", configuration, "--redis", "--store",
                                                            os.path.join(folder, "store")], redis))
        print("medians of %d rounds" % arguments.rounds)
        print_head(("reader", "records/s", "CPU us a record", "Redis' CPU us a record"))
        for name, taken in figures.items():
            columns = [[seconds * 1e6 / records for seconds in column] for column in list(zip(*taken))[:3]]
            print_row(name, "%.0f" % (1e6 / statistics.median(columns[0])),
                      *(with_interval(column, statistics.median, 2) for column in columns[1:]))
    return 0


if __name__ == "__main__":
    run_test(main)
