"""joined.py - what tests/driver/transactions prints, as sessions and messages with their facts."""
import re
import subprocess

FACT = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')
LINKS = ("hop", "next_host", "forward", "notice")


def facts_of(text):
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value for name, value in FACT.findall(text)}


class Thing:
    """A session, message or recipient: its head line, its facts, and the files that they rest on."""

    def __init__(self, head):
        words = head.split()
        self.key = words[1] if words[0] in ("session", "message") else None
        self.links = facts_of(head)
        self.words = words
        self.facts, self.files, self.joined_by = {}, set(), set()
        self.recipients, self.checks, self.messages = [], [], []

    def add(self, line):
        place, _, rest = line.strip().partition(": ")
        where, _, key = place.rpartition(" ")
        self.files.add(where.rpartition(":")[0])
        self.joined_by.add(key)
        self.facts.update(facts_of(rest))

    @property
    def fate(self):
        return self.words[2]

    @property
    def parent(self):
        """(kind, key) of where it came from; None: from a client."""
        return next(((kind, self.links[kind]) for kind in LINKS if kind in self.links), None)

    @property
    def incomplete(self):
        return set(self.facts.get("incomplete", "").replace(",", " ").split())

    @property
    def given(self):
        return self.facts.get("orig_to") or self.facts.get("to")


class Joined:
    """All of it: sessions and messages by their keys."""

    def __init__(self, program, files, *options):
        done = subprocess.run([program, *options, *files], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=120, check=True)
        self.text = done.stdout.decode("utf-8", "backslashreplace")
        self.sessions, self.messages = {}, {}
        top = thing = None
        for line in self.text.splitlines():
            if not line.startswith(" "):
                top = thing = Thing(line)
                if top.key:
                    (self.sessions if line.startswith("session") else self.messages)[top.key] = top
            elif re.match(r"    recipient \d", line):
                thing = Thing(line)
                top.recipients.append(thing)
            elif re.match(r"    check\b", line):
                thing = Thing(line)
                top.checks.append(thing)
            elif re.match(r"      attempt\b", line):
                thing = None
            elif not thing:		# an attempt's facts
                continue
            elif line.startswith("      ") or thing is top:
                thing.add(line)
        for message in self.messages.values():
            session = self.session_of(message)
            if session:
                session.messages.append(message)

    def session_of(self, message):
        return self.sessions.get(message.links.get("session"))

    def finals(self, recipient):
        """What became of it in the end, behind filters, aliases and hosts of ours: recipients."""
        child = self.messages.get(recipient.links.get("next"))
        if not child:
            return [recipient]
        ends = []
        for each in child.recipients:
            if child.parent[0] == "forward" or recipient.facts.get("to") in (each.given, each.facts.get("to")):
                ends += self.finals(each)
        return ends
