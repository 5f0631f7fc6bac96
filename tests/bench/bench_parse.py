#!/usr/bin/env python3
"""bench_parse.py - what reading a log costs, as ratios to LC_ALL=C grep -c status= and wc -l in the same run.

usage: bench_parse.py [--quick] BUILD_FOLDER

Writes a log with tests/genlog (1 GB; --quick: 50 MB) to a temporary folder, and its .gz; reads each once so
that the page cache is warm, then runs each command in turn, round by round. Prints medians, and medians of the
rounds' ratios with 95 % intervals, as Markdown. Fails when the lines read and understood are not those of the generator's truth,
never on a time.
"""
import contextlib, json, os, re, statistics, subprocess, sys, tempfile, time

from pairs import with_interval

ROUNDS, QUICK_ROUNDS = 15, 2


def forget_peak():
    """A child's peak memory begins with that of the process that it is forked from: from now on, what this one has now."""
    with contextlib.suppress(OSError), open('/proc/self/clear_refs', 'w', encoding='ascii') as file:
        file.write('5')


def run(command, good=(0,), **more):
    """Seconds on the wall, CPU seconds, the peak memory in MiB, and what it said on standard error."""
    forget_peak()
    # Not to /dev/null: grep that writes there stops at the first match.
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, **more)
        words = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in good:
        sys.exit('%s: status %d: %s' % (' '.join(command), child.returncode, words))
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, words


def check_counts(words, lines):
    """The summary of parse against the truth: every line read, every line understood."""
    found = re.search(r'(\d+) lines, \d+ bytes; (\d+) understood, 0 not understood', words)
    if not found or int(found[1]) != lines or int(found[2]) != lines:
        sys.exit('expected %d lines, all understood; got: %s' % (lines, words))


def main():
    words = [word for word in sys.argv[1:] if word != '--quick']
    quick = '--quick' in sys.argv
    if len(words) != 1:
        sys.exit(__doc__)
    build = words[0]
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix='smtptrail-bench-') as folder:
        log = os.path.join(folder, 'mail.log')
        run([os.path.join(build, 'tests/genlog/genlog'), '--size', '50M' if quick else '1G', '--out', log,
             '--truth', os.path.join(folder, 'truth.json')])
        run(['gzip', '-k', log])
        with open(os.path.join(folder, 'truth.json')) as truth:
            lines = json.load(truth)['lines']
        parse = [os.path.join(build, 'smtptrail'), 'parse', '--count', '--year', '2026']
        one_core = ['taskset', '-c', str(cores[-1])]
        commands = {
            'wc -l': one_core + ['wc', '-l', log],
            'grep -c status=': one_core + ['grep', '-c', 'status=', log],
            'parse, 1 core': one_core + parse + [log],
            'parse, all cores': parse + [log],
            'zcat, grep -c': ['sh', '-c', 'zcat "$0" | grep -c status=', log + '.gz'],
            'parse .gz': parse + [log + '.gz'],
        }
        environment = dict(os.environ, LC_ALL='C')
        rounds = {name: [] for name in commands}
        for turn in range(1 + (QUICK_ROUNDS if quick else ROUNDS)):
            for name, command in commands.items():
                result = run(command, env=environment)
                if name.startswith('parse'):
                    check_counts(result[3], lines)
                if turn > 0:
                    rounds[name].append(result)

        def median(name, place):
            return statistics.median(result[place] for result in rounds[name])

        def ratio(name, base, place):
            return with_interval([a[place] / b[place] for a, b in zip(rounds[name], rounds[base])], statistics.median, 2)

        print('%d lines, %.0f MB; medians of %d rounds\n' % (lines, os.path.getsize(log) / 1e6, len(rounds['wc -l'])))
        print('| command | wall s | CPU s | peak MiB |\n|---|---:|---:|---:|')
        for name in commands:
            print('| %s | %.3f | %.3f | %.1f |' % (name, median(name, 0), median(name, 1), median(name, 2)))
        print('\n| ratio | wall | CPU | goal |\n|---|---:|---:|---:|')
        for name, base, goal in (('parse, 1 core', 'grep -c status=', '1.7'), ('parse, 1 core', 'wc -l', ''),
                                 ('parse, all cores', 'grep -c status=', '1.1 on two'), ('parse .gz', 'zcat, grep -c', '1.3')):
            print('| %s / %s | %s | %s | %s |' % (name, base, ratio(name, base, 0), ratio(name, base, 1), goal))
        print('\nmemory: %.1f MiB at most; goal: below 32 (a process is counted from this script\'s own size on)' % max(median(name, 2) for name in commands if name.startswith('parse')))


if __name__ == '__main__':
    main()
