#!/usr/bin/python3
"""test_backlog.py - Redis is down while very many records are made: flat memory, bounded disk, mail as ever; then
every record arrives, once, at its place.

By default a tenth of what an hour at 1,000 messages a minute makes; "--full" makes all of it, "--messages N" so many,
and "--bench" runs the shipper's bench afterwards: what was kept must leave at the rate that it shows, on this machine
and at this time.
"""
import argparse
import os
import re
import subprocess
import time

from lab import DOMAIN, STREAM_KEY, Lab, check, run_test, wait_until
from milter_load import is_sanitized, run_load
from smtp_client import Client, Message
from test_memory import resident

FULL = 66000			# of 10 records each: as many as 60,000 that are checked, too, and have 11
MIB = 1024
CONNECTIONS = 8
SPOOL_BYTES = 1 << 30
GROWTH_LIMIT = 2 * MIB			# of anonymous memory, from a tenth of the backlog to all of it
PAGE = 5000
TICKS = os.sysconf("SC_CLK_TCK")
# The bench ships from memory, and nothing else runs in it; here it is from the disk, and the stream is long.
RATE_LEAST, CPU_MOST = 0.7, 1.3


def fill(lab, messages, first):
    """One session a message; gives the number of the next session."""
    report = run_load(lab, CONNECTIONS, limit_seconds=600, sessions=messages, messages=1, recipients=3, headers=12, body=2000,
                      first=first)
    return first + int(report["sessions_begun"])


def send_mail(lab, name, count=3):
    """Through Postfix, meanwhile; gives the Message-IDs."""
    ids = []
    for number in range(count):
        message = Message("%s-%d" % (name, number))
        with Client(lab) as client:
            client.say("EHLO client.example")
            client.mail("ann@example.com", ["joe@" + DOMAIN], message)
            client.quit()
        ids.append(message.id)
    return ids


def fresh_status(lab):
    written = lab.status()["written"]
    wait_until("the status is of now", lambda: lab.status()["written"] != written, 60)
    return lab.status()


def cpu_us(lab, name):
    with open("/proc/%d/stat" % lab.children[name].pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS


def deliver(lab, made):
    """Redis comes back; gives records a second, and CPU us a record, of milter and Redis."""
    lab.start_redis()
    before, begin = cpu_us(lab, "milter") + cpu_us(lab, "redis"), time.monotonic()
    wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0, 300, pause=0.2)
    took = time.monotonic() - begin
    cpu = (cpu_us(lab, "milter") + cpu_us(lab, "redis") - before) / made
    print("| delivered in %.1f s: %.0f records a second; CPU us a record, milter and Redis: %.2f" % (took, made / took, cpu), flush=True)
    return made / took, cpu


def check_bench(lab, rate, cpu):
    """Redis of the lab writes a file each second, so that row it is."""
    output = subprocess.run([lab.program("tests/bench/bench_shipper"), "60000", "5"], stdin=subprocess.DEVNULL, check=True,
                            stdout=subprocess.PIPE, text=True, timeout=900).stdout
    rows = re.findall(r"^\| journal and shipper, unix \| (\S+) \| \S+ \| \S+ \| (\S+) \|", output, re.M)
    bench_rate, bench_cpu = (float(each) for each in rows[-1])
    print("| the bench: %.0f records a second, %.2f CPU us a record; rate %.2f of it, CPU %.2f" % (
        bench_rate, bench_cpu, rate / bench_rate, cpu / bench_cpu), flush=True)
    check(rate >= RATE_LEAST * bench_rate or cpu <= CPU_MOST * bench_cpu, "what was kept leaves as the bench shows")


def walk_stream(lab):
    """Counters of the records in the order of the stream (they have one epoch), and the Message-IDs of Postfix' mail."""
    counters, ids, last = [], [], "-"
    while True:
        page = lab.redis("XRANGE", STREAM_KEY, last if last == "-" else "(" + last, "+", "COUNT", PAGE)
        if not page:
            return counters, ids
        for _, fields in page:
            record = dict(zip(fields[::2], fields[1::2]))
            counters.append(int(record["seq"]) & (1 << 40) - 1)
            if record["stage"] == "header" and record.get("message_id", "").startswith("<down-"):
                ids.append(record["message_id"])
        last = page[-1][0]


def backlog(lab, messages, with_bench):
    next_session = fill(lab, 100, 1)
    lab.end("redis")
    before = fresh_status(lab)
    ids = send_mail(lab, "down-begin")
    begin = time.monotonic()
    next_session = fill(lab, messages // 10, next_session)
    first = resident(lab)
    next_session = fill(lab, messages - messages // 10, next_session)
    took = time.monotonic() - begin
    ids += send_mail(lab, "down-end")
    last, status = resident(lab), fresh_status(lab)
    made = status["records_made"]
    print("%d records in %.1f s; memory %d KiB, then %d; front %d KiB, spool %d KiB" % (
        made - before["records_made"], took, first["RssAnon"], last["RssAnon"], status["front_bytes"] >> 10,
        status["spool_bytes"] >> 10))
    check(status["backlog_records"] >= messages * 10, "they wait: %s" % status)
    check(status["records_dropped"] == 0, "none is dropped")
    check(is_sanitized(lab) or last["RssAnon"] - first["RssAnon"] < GROWTH_LIMIT, "memory is flat")
    check(status["spool_bytes"] <= SPOOL_BYTES and status["front_bytes"] <= 64 << 20, "disk and front are bounded")
    check(status["spool_bytes"] < 2 * status["backlog_bytes"] + (64 << 20), "the spool is as large as its records")

    rate, cpu = deliver(lab, status["backlog_records"])
    status = fresh_status(lab)
    counters, found = walk_stream(lab)
    check(len(counters) >= made, "%d records are in the stream, %d were made" % (len(counters), made))
    check(counters == list(range(1, len(counters) + 1)), "each once and in order, none is missing")
    check(found == ids, "the mail of meanwhile was delivered and recorded: %s" % found)
    check(status["redis_went_back"] == 0 and status["records_damaged"] == 0, "nothing else happened: %s" % status)
    if with_bench:
        check_bench(lab, rate, cpu)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--messages", type=int, default=FULL // 10)
    parser.add_argument("--bench", action="store_true")
    options = parser.parse_args()
    with Lab() as lab:
        lab.start(auth=False, stream_max_length=0, stream_hard_length=0, front_size="64M", segment_size="1M", spool_size="1G",
                  keep_size="8M", keep_time="0s")
        backlog(lab, FULL if options.full else options.messages, options.bench)
    return 0


if __name__ == "__main__":
    run_test(main)
