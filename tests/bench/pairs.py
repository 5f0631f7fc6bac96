"""pairs.py - what the benches share: runs in pairs, their medians and intervals, Markdown tables."""
import argparse
import os
import random
import statistics
import subprocess
import sys
import time

DRAWS = 4000
BUSY_SECONDS = 2		# what others do is looked at so long before
BUSY_MUCH = 0.1			# of the cores: then figures say little


def read_arguments(usage, rounds, quick_rounds, sessions=()):
    """--quick, --rounds and, where there are any to choose of, --sessions; rounds is set in any case."""
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    if sessions:
        parser.add_argument("--sessions", type=lambda text: [int(word) for word in text.split(",")], default=list(sessions))
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (quick_rounds if arguments.quick else rounds)
    return arguments


def median_of(pairs, name, key):
    return statistics.median(pair[name][key] for pair in pairs)


def ratio(pairs, key, over, under):
    return median_of(pairs, over, key) / median_of(pairs, under, key)


def with_interval(pairs, figure, digits=3):
    """figure(pairs), and what holds 95 % of it when the pairs are drawn again (bootstrap): a table's cell."""
    draw = random.Random(1)
    drawn = sorted(figure(draw.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
    values = figure(pairs), drawn[int(DRAWS * 0.025)], drawn[int(DRAWS * 0.975)]
    return "{0:.{3}f} ({1:.{3}f} .. {2:.{3}f})".format(*values, digits)


def median_cell(pairs, name, key, digits=0):
    return with_interval(pairs, lambda drawn: median_of(drawn, name, key), digits)


def ratio_cell(pairs, key, over, under):
    return with_interval(pairs, lambda drawn: ratio(drawn, key, over, under))


def print_head(columns):
    print("\n| " + " | ".join(columns) + " |\n|---" + "|---:" * (len(columns) - 1) + "|", flush=True)


def print_row(*cells):
    print("| " + " | ".join(cell if isinstance(cell, str) else "%.2f" % cell for cell in cells) + " |", flush=True)


def cpu_seconds(pid):
    """CPU time of a process with all its threads, those that have ended too, by its own clock."""
    return time.clock_gettime((~pid << 3) | 2)


def value_in(path, name):
    with open(path, encoding="utf-8", errors="replace") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith(name)), "unknown")


def busy_share(seconds):
    """How much of the processors' time went to anything in the next seconds, while nothing is measured."""
    def times():
        with open("/proc/stat", encoding="ascii") as file:
            numbers = [int(word) for word in file.readline().split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]		# all; idle and waiting for a disk
    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / (all_after - all_before)


def print_machine(packages):
    """A paragraph about what was measured on, when, and with which versions of those that are installed."""
    memory = int(value_in("/proc/meminfo", "MemTotal").split()[0]) / 1048576
    busy = busy_share(BUSY_SECONDS)
    versions = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.split("\n")
    print("%s: %d cores (%s), %.0f GiB, Linux %s; %s.\nIn the %d s before the begin other work took %.0f %% of the cores%s." % (
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), os.cpu_count(), value_in("/proc/cpuinfo", "model name"),
        memory, os.uname().release, ", ".join(filter(None, versions)), BUSY_SECONDS, 100 * busy,
        ", so that rates and times say little" if busy > BUSY_MUCH else ""))


if __name__ == "__main__":
    print_machine(sys.argv[1:])
