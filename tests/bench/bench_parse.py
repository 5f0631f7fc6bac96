#!/usr/bin/env python3
"""bench_parse.py - what reading a log costs, as ratios to LC_ALL=C grep -c status= and wc -l in the same run.

usage: bench_parse.py [--quick] BUILD_FOLDER

Writes a log with tests/genlog (1 GB; --quick: 200 MB) to a temporary folder, reads it once so that
the page cache is warm, then runs each in turn and takes the best. Prints, never fails on a time.
"""
import os, subprocess, sys, tempfile, time


def run(command, **more):
    """Seconds on the wall, and the peak memory in MiB."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    if status:
        sys.exit('%s: status %d' % (' '.join(command), status))
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    words = [word for word in sys.argv[1:] if word != '--quick']
    quick = '--quick' in sys.argv
    if len(words) != 1:
        sys.exit(__doc__)
    build = words[0]
    with tempfile.TemporaryDirectory(prefix='smtptrail-bench-') as folder:
        log = os.path.join(folder, 'mail.log')
        run([os.path.join(build, 'tests/genlog/genlog'), '--size', '200M' if quick else '1G', '--out', log,
             '--truth', os.path.join(folder, 'truth.json')])
        program = os.path.join(build, 'smtptrail')
        commands = {
            'wc -l': ['wc', '-l', log],
            'grep -c status=': ['grep', '-c', 'status=', log],
            'parse --count': ['taskset', '-c', '1' if os.cpu_count() > 1 else '0', program, 'parse', '--count', '--year', '2026', log],
        }
        environment = dict(os.environ, LC_ALL='C')
        for command in commands.values():
            run(command, env=environment)
        wall, cpu, memory = {}, {}, {}
        for _ in range(5 if quick else 7):
            for name, command in commands.items():
                seconds, busy, size = run(command, env=environment)
                wall[name] = min(wall.get(name, seconds), seconds)
                cpu[name] = min(cpu.get(name, busy), busy)
                memory[name] = size
        size = os.path.getsize(log)
        for name in commands:
            print('%-16s %6.3f s wall, %6.3f s cpu, %6.0f MB/s, %5.1f MiB' %
                  (name, wall[name], cpu[name], size / wall[name] / 1e6, memory[name]))
        print('parse / grep: %.2f wall, %.2f cpu (wanted: at most 1.70)' %
              (wall['parse --count'] / wall['grep -c status='], cpu['parse --count'] / cpu['grep -c status=']))
        print('parse / wc: %.2f wall' % (wall['parse --count'] / wall['wc -l']))
        print('memory: %.1f MiB (wanted: below 32)' % memory['parse --count'])


if __name__ == '__main__':
    main()
