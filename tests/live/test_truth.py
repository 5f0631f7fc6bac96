#!/usr/bin/python3
"""test_truth.py - what the store says of scripted mail through a real Postfix is what its clients did and were told.

Eight clients play transactions of many kinds at a time; each has a sender of its own, so that its truth is found
again. Records from Redis and lines of the log become one, while they come. Three times: with client ports in the log; without them,
where the truth of each session and line is a log that has them: no join may be wrong, and each session that was left apart says on
either side that it is ambiguous; and with the milter killed in between, where only sessions
that it missed may be incomplete.

Arguments: transactions (500), seed, cases.
"""
import collections
import datetime
import glob
import os
import random
import re
import signal
import socket
import sqlite3
import sys
import threading
import time

import stored
from lab import DOMAIN, WAIT_SECONDS, Lab, LabError, run_test, wait_until
from smtp_client import Client, Message

THREADS = 8
SHOWN = 8
DELIVERY_SECONDS = 150	# of all that is in the queue, on a busy machine
SETTLE_SECONDS = 12		# a line may come so late, and a little more
LAST = "127.0.0.99"
CLOCK_SKEW = 2
TRANSPORTS = {"sent.test": "sink:", "thrown.test": "discard:", "later.test": "later:", "gone.test": "gone:"}
FATES = {"sent.test": "delivered", "thrown.test": "discarded", "later.test": "deferred", "gone.test": "bounced"}
SERVICES = "".join("%s unix - n n - - pipe flags= user=nobody argv=/bin/sh -c {cat >/dev/null; exit %d}\n" % item
                   for item in (("sink", os.EX_OK), ("later", os.EX_TEMPFAIL), ("gone", os.EX_NOUSER)))

Truth = collections.namedtuple("Truth", "sender port recipients kind began ended")	# recipients: address -> (fate, reply code or None)


class Source:
    """The lab's MTA, as it is reached from an address."""

    mta = "postfix"

    def __init__(self, lab, address):
        self.lab, self.address = lab, address

    def connect(self, _client=None):
        return socket.create_connection(("127.0.0.1", self.lab.port), WAIT_SECONDS, (self.address, 0))


class Player(threading.Thread):
    """One client after the other, from one address."""

    def __init__(self, lab, number, count, seed, addresses):
        super().__init__()
        self.lab, self.number, self.count, self.address, self.may_be_alike = lab, number, count, number % addresses, addresses < THREADS
        self.chance, self.truth, self.failure, self.played = random.Random(seed * 100 + number), [], None, 0

    def run(self):
        try:
            while self.played < self.count:
                self.session()
        except (OSError, LabError) as reason:
            self.failure = reason

    def session(self):
        client = Client(Source(self.lab, "127.0.0.%d" % (self.address + 2)))
        self.began = time.time()
        client.say("EHLO client%d.example" % self.address)
        if self.may_be_alike and self.chance.random() < 0.3:
            # Nothing that tells it from another of that time.
            client.say("QUIT", 221)
            client.close()
            return
        first = len(self.truth)
        alive = True
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            if alive and self.played < self.count:
                alive = self.transaction(client)
        if alive:
            client.say("QUIT", 221)
            client.close()
        for i in range(first, len(self.truth)):
            self.truth[i] = self.truth[i]._replace(ended=time.time())

    def transaction(self, client):
        """False: the connection is gone."""
        self.played += 1
        name = "t%d-%d" % (self.number, self.played)
        sender = name + "@example.com"
        kind = self.chance.choice(("plain", "plain", "several", "mixed", "refused", "reset", "lost", "lost in data", "forbidden", "twice"))
        client.say("MAIL FROM:<%s>" % sender)
        told = {}
        for i in range(1 if kind == "plain" else 3):
            self.recipient(client, kind, "%s.%d" % (name, i), told)
        passed = [address for address, outcome in told.items() if outcome is None]
        alive = self.end(client, kind, name, passed)
        recipients = {}
        for address, outcome in told.items():
            if outcome:
                recipients[address] = ("rejected", outcome)
            elif kind in ("reset", "lost", "lost in data"):
                recipients[address] = ("aborted", None)
            elif kind == "forbidden":
                # The log tells only what a header check says.
                recipients[address] = ("rejected", None)
            else:
                recipients[address] = (FATES[address.partition("@")[2]], None)
        self.truth.append(Truth(sender, client.port, recipients, kind, self.began, 0))
        return alive

    def recipient(self, client, kind, name, told):
        refused = kind == "refused" or (kind in ("mixed", "reset") and self.chance.random() < 0.5)
        address = name + "@" + (DOMAIN if refused else self.chance.choice(list(TRANSPORTS)))
        reply = client.say("RCPT TO:<%s>" % address, (250, 550))
        told[address] = None if reply.startswith("250") else int(reply[:3])
        if kind == "twice" and told[address] is None:
            client.say("RCPT TO:<%s>" % address)

    def end(self, client, kind, name, passed):
        if kind == "reset" or not passed:
            client.say("RSET")
            return True
        if kind == "lost":
            client.lose()
            return False
        message = Message(name, subject="forbidden" if kind == "forbidden" else name)
        if kind == "lost in data":
            client.say("DATA", 354)
            client.send_raw(message.header_bytes, "half a message")
            client.lose()
            return False
        client.data(message, 550 if kind == "forbidden" else 250)
        return True


CLIENT = re.compile(rb"(\[127\.0\.0\.\d+\]):(\d+)")


class Blind(threading.Thread):
    """Copies a log that grows, line by line, without the ports of clients."""

    def __init__(self, log, copy):
        super().__init__(daemon=True)
        self.log, self.copy, self.is_over = log, copy, False
        with open(copy, "wb"):
            pass

    def run(self):
        with open(self.log, "rb") as log, open(self.copy, "ab", buffering=0) as copy:
            rest = b""
            while not self.is_over:
                rest += log.read()
                lines, _, rest = rest.rpartition(b"\n")
                if lines:
                    copy.write(CLIENT.sub(rb"\1", lines + b"\n"))
                time.sleep(0.02)


class Run:
    """A lab, its mail, and the store that was made of it."""

    def __init__(self, lab, count, seed, ports=True):
        """ports: that is read; else a copy of the log that has none, and two clients have the same address at a time."""
        self.has_ports, self.addresses = ports, THREADS if ports else THREADS // 2
        self.lab, self.count, self.seed = lab, count, seed
        checks = lab.path("header_checks")
        with open(checks, "w", encoding="ascii") as file:
            file.write("/^Subject: forbidden/ REJECT not here\n")
        lab.start_redis()
        lab.start_milter()
        lab.start_postfix(more_services=SERVICES, header_checks="regexp:" + checks, smtpd_client_port_logging="yes",
                          transport_maps="inline:{ %s }" % ", ".join("{ %s = %s }" % item for item in TRANSPORTS.items()),
                          relay_domains=" ".join(TRANSPORTS),
                          # The commands of all clients come from one machine.
                          smtpd_client_connection_rate_limit=0, smtpd_error_sleep_time=0, smtpd_junk_command_limit=1000,
                          smtpd_hard_error_limit=1000, in_flow_delay=0)
        self.store, config = lab.path("store"), lab.path("smtptrail.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write('redis_address = "unix:%s"\nstore_keep = 0\ncommit_interval = 100ms\n' % lab.redis_socket)
        wait_until("there is a log", lambda: os.path.exists(lab.mail_log))
        self.log = lab.mail_log if ports else lab.path("portless.log")
        if not ports:
            self.blind = Blind(lab.mail_log, self.log)
            self.blind.start()
        lab.spawn("ingest", [lab.program("smtptrail"), "ingest", "--config", config, "--store", self.store, "--redis", "--follow",
                             "--log", self.log])

    def play(self, meanwhile=None):
        players = [Player(self.lab, number, (self.count + number) // THREADS, self.seed, self.addresses) for number in range(THREADS)]
        for player in players:
            player.start()
        if meanwhile:
            meanwhile(players)
        for player in players:
            player.join()
            if player.failure:
                raise LabError("a client failed: %s" % player.failure)
        self.truth = [each for player in players for each in player.truth]

    def settle(self):
        """Everything has been tried once, has left memory, and is in the store."""
        wait_until("no mail is under way", lambda: not self.active(), DELIVERY_SECONDS)
        # What leaves may find others that it may be meant with: they are told again.
        for name in ("last",) if self.has_ports else ("last", "last-of-all"):
            time.sleep(SETTLE_SECONDS)
            with Client(Source(self.lab, LAST)) as client:
                client.say("EHLO last.example")
                client.mail(name + "@example.com", ["last@sent.test"], Message(name))
                client.say("QUIT", 221)
            wait_until("the last mail is in the store", lambda name=name: self.ask(
                "SELECT 1 FROM messages WHERE [from] = '%s@example.com' AND removed IS NOT NULL" % name))
        self.lab.end("ingest")

    def active(self):
        queue = self.lab.postfix_program("postqueue", "-j")[1].splitlines()
        return [line for line in queue if line.startswith('{') and '"deferred"' not in line]

    def ask(self, sql):
        found = []
        for path in glob.glob(os.path.join(self.store, "????-??-??.db")):
            day = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=WAIT_SECONDS)
            day.row_factory = sqlite3.Row
            found += day.execute(sql).fetchall()
            day.close()
        return found

    def load(self):
        self.messages, self.recipients, self.sessions = collections.defaultdict(list), collections.defaultdict(list), {}
        self.message_rows, self.open_keys = {}, {key for key, _ in stored.rows(self.store)[1]}
        for row in self.ask("SELECT * FROM messages"):
            self.messages[row["from"]].append(row)
            self.message_rows[row["key"]] = row
        for row in self.ask("SELECT * FROM recipients"):
            self.recipients[row["message_key"]].append(row)
        for row in self.ask("SELECT * FROM sessions"):
            self.sessions[row["key"]] = row

    def missed(self, truth):
        """The milter was away in some part of the session."""
        return False


def is_marked(run, row):
    """It says that something of it is not known, or its session does."""
    session = run.sessions.get(row["session_key"])
    return bool(row["incomplete"] or (session and session["incomplete"]))


def wrong_joins(run, truth, rows):
    for row in rows:
        session = run.sessions.get(row["session_key"])
        if session and session["client_port"] not in (None, truth.port):
            yield "joined with port %s, the client had %s" % (session["client_port"], truth.port)


def wrong_fates(truth, found, must_be_one):
    for address, (fate, code) in truth.recipients.items():
        fates = [each["fate"] for each in found[address]]
        if fate not in fates or (must_be_one and len(fates) != 1):
            yield "%s is %s, not %s" % (address, fates, fate)
        codes = [each["reply_code"] for each in found[address] if each["fate"] == fate]
        if code and code not in codes:
            yield "%s was refused with %s, not %s" % (address, codes, code)


def faults_of(run, truth, has_ports):
    """What the store says otherwise of one transaction; sentences."""
    rows = run.messages[truth.sender]
    found = collections.defaultdict(list)
    for row in rows:
        for recipient in run.recipients[row["key"]]:
            found[recipient["to"]].append(recipient)
    yield from wrong_joins(run, truth, rows)
    if run.missed(truth):
        # What the log alone tells may be less, and in parts; what it tells is true.
        for address in found:
            fates = {each["fate"] for each in found[address]} - {"unknown", "aborted"}
            if address not in truth.recipients or not fates <= {truth.recipients[address][0]}:
                yield "%s is %s, not %s" % (address, fates, truth.recipients.get(address))
        # Nothing at all, where only the log was there and names no sender before the message is whole.
        if len(rows) > 1 and not any(is_marked(run, row) for row in rows):
            yield "%d messages, and none says that something is not known" % len(rows)
        return
    if len(rows) != 1:
        # Where the two sides could not be tied, each stands for itself, and says so.
        if has_ports or not rows or not all(is_marked(run, row) for row in rows):
            yield "%d messages, %s" % (len(rows), [row["incomplete"] for row in rows])
            return
    if set(found) != set(truth.recipients):
        yield "recipients %s" % sorted(set(found) ^ set(truth.recipients))
        return
    yield from wrong_fates(truth, found, len(rows) == 1)
    if has_ports and is_marked(run, rows[0]):
        yield "incomplete: %s" % rows[0]["incomplete"]


def judge(run, has_ports):
    run.load()
    wrong = []
    for truth in run.truth:
        faults = list(faults_of(run, truth, has_ports))
        if faults:
            wrong.append((truth, faults))
    for truth, faults in wrong[:SHOWN]:
        print("  %s (%s, port %d): %s" % (truth.sender, truth.kind, truth.port, "; ".join(faults)))
    tied = sum(len(run.messages[truth.sender]) == 1 and run.messages[truth.sender][0]["incomplete"] is None for truth in run.truth)
    print("| %d of %d transactions as their clients know them, %d of them told by both sides" % (len(run.truth) - len(wrong), len(run.truth), tied))
    if wrong:
        raise LabError("%d of %d transactions are told wrong" % (len(wrong), len(run.truth)))
    return tied


def clients_of_lines(log):
    """By the numbers of its lines, whom the log with the ports names: (address, port)."""
    found = {}
    with open(log, "rb") as file:
        for number, line in enumerate(file, 1):
            client = CLIENT.search(line)
            # What a delivery agent connects to is no client.
            if client and b"/smtpd[" in line:
                found[number] = (client.group(1).strip(b"[]").decode(), int(client.group(2)))
    return found


def lines_of_rows(run, level):
    """By key, the lines of the log that anything of the row rests on."""
    found = collections.defaultdict(set)
    for day in stored.rows(run.store)[0].values():
        for row in day:
            if row[0] == level:
                found[row[1]] |= {piece[3] for piece in row if isinstance(piece, tuple) and piece[2] == run.log.encode()}
    return found


def are_apart(one, other):
    """Begin or end is told at times that no clocks explain: 2 s, and the second that a stamp of the log tells."""
    def moment(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    return any(one[name] and other[name] and abs(moment(one[name]) - moment(other[name])) >= CLOCK_SKEW + 1 for name in ("start", "end"))


def judge_sessions(run):
    """Each by the log that has the ports."""
    clients, wrong = clients_of_lines(run.lab.mail_log), []
    sides = collections.defaultdict(dict)		# client -> "records", "log": row
    lines = lines_of_rows(run, "session")
    for key, row in run.sessions.items():
        named = {clients[number] for number in lines[key] if number in clients}
        if len(named) > 1:
            wrong.append("session %x has lines of %s" % (key, sorted(named)))
        if row["session"]:
            own = (row["client_addr"], row["client_port"])
            if named - {own}:
                wrong.append("session %s of %s has lines of %s" % (row["session"], own, sorted(named)))
            sides[own]["records"] = row
        for each in named:
            sides[each]["log"] = row
    for level, of in (("message", run.message_rows), ("recipient", run.message_rows)):
        for key, numbers in lines_of_rows(run, level).items():
            session = run.sessions.get(of[key]["session_key"]) if key in of else None
            for number in numbers & set(clients):
                if session and session["session"] and clients[number] != (session["client_addr"], session["client_port"]):
                    wrong.append("%s %x of %s has line %d of %s" % (level, key, session["client_port"], number, clients[number]))
    apart = under_way = late = 0
    for client, its in sides.items():
        if client[0] == LAST:
            continue
        if len(its) < 2:
            wrong.append("%s is known by its %s alone" % (client, *its))
        elif its["records"]["key"] != its["log"]["key"]:
            apart += 1
            # What was found again by another that left last is under way, and says so when it leaves.
            under_way += any(row["key"] in run.open_keys for row in its.values())
            # On a busy machine the one side may tell of it so much later that it cannot be known for the same.
            if are_apart(its["records"], its["log"]):
                late += 1
                continue
            wrong += ["%s was left apart, and its %s say %s: %s" % (client, side, row["incomplete"], [
                (each["start"], each["end"], each["incomplete"]) for each in its.values()]) for side, row in its.items()
                      if "ambiguous" not in (row["incomplete"] or "").split(", ") and row["key"] not in run.open_keys]
    print("| %d sessions, %d of them left apart, and marked so; %d of these under way, %d told at other times" % (
        len(sides), apart, under_way, late))
    for each in wrong[:SHOWN]:
        print("  " + each)
    if wrong:
        raise LabError("%d of %d sessions are wrong" % (len(wrong), len(sides)))


def with_ports(count, seed):
    with Lab() as lab:
        run = Run(lab, count, seed)
        run.play()
        run.settle()
        judge(run, True)


def without_ports(count, seed):
    with Lab() as lab:
        run = Run(lab, count, seed + 1, ports=False)
        run.play()
        run.settle()
        run.blind.is_over = True
        run.blind.join()
        judge(run, False)
        judge_sessions(run)


def milter_killed(count, seed):
    away = []

    def kill(players):
        for share in (0.3, 0.6):
            wait_until("a part has been played", lambda share=share: sum(each.played for each in players) >= share * count)
            began = time.time()
            lab.end("milter", signal.SIGKILL)
            lab.spawn_milter()
            lab.wait_milter_socket("milter")
            away.append((began, time.time()))

    with Lab() as lab:
        run = Run(lab, count, seed + 2)
        run.missed = lambda truth: any(truth.began <= until + 1 and truth.ended >= began - 1 for began, until in away)
        run.play(kill)
        run.settle()
        judge(run, True)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    cases = (with_ports, without_ports, milter_killed)
    for case in [each for each in cases if each.__name__ in sys.argv[3:]] or cases:
        print("%s:" % case.__name__, flush=True)
        case(count, seed)
    return 0


if __name__ == "__main__":
    run_test(main)
