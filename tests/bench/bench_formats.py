#!/usr/bin/env python3
"""bench_formats.py - what reading each format's log costs, in bytes for a second of CPU.

usage: bench_formats.py [--quick] BUILD_FOLDER

The fixtures of tests/replay/formats, one behind the other until there are 64 MB (--quick: 16 MB), parsed and counted on
one core with the page cache warm; medians of the rounds, 95 % intervals. CPU, not the clock: what else the machine does
counts little. Prints Markdown, and never fails on a figure.
"""
import os, pathlib, statistics, subprocess, sys, tempfile

from pairs import with_interval

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / 'replay' / 'formats'
GOAL_MB = 100
ROUNDS, QUICK_ROUNDS = 15, 1


def cpu_seconds(command):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    if status:
        sys.exit('%s: status %d' % (' '.join(command), status))
    return usage.ru_utime + usage.ru_stime


def main():
    words = [word for word in sys.argv[1:] if word != '--quick']
    if len(words) != 1:
        sys.exit(__doc__)
    size, rounds = (16 << 20, QUICK_ROUNDS) if '--quick' in sys.argv else (64 << 20, ROUNDS)
    core = str(sorted(os.sched_getaffinity(0))[-1])
    print('Each line read and counted, on one core; MB for a second of CPU, medians of %d rounds. The goal is %d.\n' % (rounds, GOAL_MB))
    print('| log | MB/s |\n|---|---:|')
    with tempfile.TemporaryDirectory(prefix='smtptrail-bench-') as folder:
        path = os.path.join(folder, 'log')
        for fixture in sorted(FIXTURES.glob('*.log')):
            lines = fixture.read_bytes()
            count = max(1, size // len(lines))
            with open(path, 'wb') as file:
                file.write(lines * count)
            parse = ['taskset', '-c', core, os.path.join(words[0], 'smtptrail'), 'parse', '--count', '--year', '2026', path]
            rates = [len(lines) * count / 1e6 / cpu_seconds(parse) for _ in range(rounds)]
            print('| %s | %s |' % (fixture.stem, with_interval(rates, statistics.median, 0)), flush=True)


if __name__ == '__main__':
    main()
