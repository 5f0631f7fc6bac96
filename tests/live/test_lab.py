#!/usr/bin/python3
"""test_lab.py - a lab leaves nothing behind: no process, no file; however it ends."""
import glob
import os
import signal
import subprocess
import sys
import time

from lab import SKIPPED, Lab, LabError, Missing, process_birth, run_test, wait_until
from smtp_client import Client

SELF = os.path.abspath(__file__)


def live(ways):
    """What the test's child does: brings up a lab, says where, then ends as it is told."""
    with Lab(keep="keep" in ways) as lab:
        lab.start_redis()
        if "sendmail" in ways:
            lab.start_sendmail()
            client = Client(lab)		# a session is a process of its own
            client.say("EHLO client.example")
        else:
            lab.start_postfix()
        print(lab.directory, flush=True)
        sys.stdin.readline()			# until its processes have been seen
        if "wait" in ways:
            # In short pieces: a signal just before one begins is seen by Python only when it is over.
            for _ in range(600):
                time.sleep(0.1)
        if "raise" in ways:
            raise ValueError("on purpose")
    return 0


def begin(way):
    child = subprocess.Popen([sys.executable, SELF, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    directory = child.stdout.readline().strip()
    if not os.path.isdir(directory):		# the words of one that was skipped
        status = child.wait(60)
        raise (Missing if status == SKIPPED else LabError)(directory or "no lab came up, status %d" % status)
    return child, directory, processes_of(directory)


def processes_of(directory):
    """Every process that names the directory in its command line, environment or open files."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        names = []
        for link in glob.glob(path + "/fd/*") + [path + "/cwd"]:
            try:
                names.append(os.readlink(link))
            except OSError:			# a descriptor that was just closed hides no other
                continue
        try:
            with open(path + "/cmdline", encoding="utf-8", errors="replace") as file:
                names.append(file.read())
        except OSError:
            continue
        pid = int(os.path.basename(path))
        if pid != os.getpid() and any(directory in name for name in names) and process_birth(pid):
            found.append(pid)
    return found


def nothing_is_left(directory):
    wait_until("no process of %s is left" % directory, lambda: not processes_of(directory), 15)
    if os.path.exists(directory):
        raise LabError("%s is left" % directory)


def test_end(way, number=None):
    child, directory, processes = begin(way)
    if len(processes) < 2:			# Redis and master; the others come and go
        raise LabError("a lab has more processes than %s" % processes)
    child.stdin.close()
    if number:
        child.send_signal(number)
    status = child.wait(60)
    if "keep" in way:
        if not processes_of(directory):
            raise LabError("a kept lab goes on")
        subprocess.run([sys.executable, os.path.join(os.path.dirname(SELF), "lab.py"), "stop", directory],
                       check=True, stdout=subprocess.DEVNULL, timeout=60)
    nothing_is_left(directory)
    wanted = 1 if "raise" in way else 128 + number if number else 0
    if status != wanted:
        raise LabError("%s ended with status %d, not %d" % (way, status, wanted))


def main():
    if len(sys.argv) > 1:
        return live(sys.argv[1])
    for mta in ("", ",sendmail"):
        for way, number in (("end", None), ("raise", None), ("wait", signal.SIGTERM), ("wait", signal.SIGINT),
                            ("keep", None)):
            try:
                test_end(way + mta, number)
            except Missing as reason:
                if not mta:
                    raise
                print("| with Sendmail: %s" % reason)
                return 0
            print("ok     %s%s" % (way + mta, " until %s" % signal.Signals(number).name if number else ""), flush=True)
    return 0


if __name__ == "__main__":
    run_test(main)
