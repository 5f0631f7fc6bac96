"""fates.py - what a client was told of each recipient, and what the join of log and records says became of it.

The client's own dialogue is the truth: in the lab all that was taken is delivered.
"""
import collections
import json
import os
import re
import subprocess

from lab import LabError


class Transaction:
    """One MAIL to its end."""

    def __init__(self, sender):
        self.sender, self.taken, self.refused = sender, [], []

    def fates(self, end):
        return [(self.sender, to, end) for to in self.taken] + [(self.sender, to, "rejected") for to in self.refused]


def path_of(command):
    """The address between the brackets of MAIL or RCPT; quotes may hold one."""
    return re.match(r'[^<]*<((?:"(?:[^"\\]|\\.)*"|[^>])*)>', command)[1]


def told(said):
    """(sender, recipient, fate) of a dialogue."""
    pending, message, fates = collections.deque(), None, []

    def end(fate):
        nonlocal message
        if message:
            fates.extend(message.fates(fate))
        message = None
    for who, text in said:
        if who == "C":
            pending.append(text)
            continue
        command = pending.popleft() if pending else "(greeting)"
        verb, good = command[:4].upper(), text[:1] == "2"
        if verb == "MAIL" and good:
            message = Transaction(path_of(command))
        elif verb == "RCPT" and message:
            (message.taken if good else message.refused).append(path_of(command))
        elif command == ".":
            end("delivered" if good else "rejected")
        elif verb in ("RSET", "EHLO", "HELO", "QUIT") and good:
            end("aborted")
    end("aborted")
    return fates


def joined(lab):
    """What the join of the log and all records prints."""
    path = lab.path("fates.records")
    with open(path, "w", encoding="utf-8") as file:
        for record in lab.records():
            file.write(json.dumps(record) + "\n")
    program = lab.program("tests/driver/transactions")
    done = subprocess.run([program, lab.mail_log, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    text = done.stdout.decode("utf-8", "backslashreplace")
    if done.returncode:
        raise LabError("%s: %s" % (os.path.basename(program), text))
    return text


def fates_of(text):
    """(sender, recipient, fate) of each recipient in what the program prints."""
    fates, sender, fate = [], None, None
    for line in text.splitlines():
        if not line.startswith(" "):
            sender = fate = None
            continue
        found = re.match(r"    recipient \d+ (\w+)", line)
        fate = found[1] if found else fate
        named = re.search(r' %s="((?:[^"\\]|\\.)*)"' % ("(?:orig_)?to" if fate else "from"), line)
        if named and fate:
            fates.append((sender, named[1].replace('\\"', '"'), fate))
        elif named:
            sender = named[1].replace('\\"', '"')
    return fates
