#!/usr/bin/python3
"""test_joins.py - 500 transactions and more of clients that know what they did and were told, against what the join makes of it.

A real Postfix with the milter, a content filter, a proxy before the queue, postscreen, aliases and a second instance: every
recipient's fate, stage and code, every session's records and lines. First with clients' ports in the log, where nothing may
be left open; then with the milter killed in between; then without ports, where nothing may be joined wrongly. Each time over all
routes and to all fates, which is counted.

SMTPTRAIL_TEST_EVIDENCE names a folder that keeps the logs and records of what failed, and the store.
"""
import collections
import contextlib
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time

from joined import Joined
from lab import DOMAIN, HOST_NAME, Lab, LabError, run_test, wait_until, write
from mail_routes import Door, Routes
from smtp_client import Client, Message

WORKERS = 8
LATENESS_SECONDS = 10		# correlate_defaults
EXPIRY_SECONDS = 180		# Postfix gives up what it next looks at, and a busy machine looks late
ADDRESSES = ["127.0.0.%d" % number for number in range(2, 42)]
OK, REFUSED = (250,), (450, 550, 553, 554)
TRANSACTIONS = 500		# of each run, at least
ROUTES = ("main", "filtered", "proxied", "screen", "pickup", "second instance", "virtual alias", "local alias")
FATES = ("delivered", "deferred", "bounced", "expired", "rejected", "aborted")


class Wanted:
    """One MAIL: what its client did and was told. ends: (recipient, fate, stage, code), as often as it is so."""

    def __init__(self, sender, session, route):
        self.sender, self.session, self.route = sender, session, route
        self.queue_id = None
        self.ends, self.taken = [], []

    def end(self, recipient, fate, stage=None, code=None):
        self.ends.append((recipient, fate, stage, code))


class Session:
    """One connection: port and address are what the join is measured by."""

    def __init__(self, route, port, address):
        self.route, self.port, self.address = route, port, address
        self.wanted = []
        self.may_be_cut = False


class Script:
    """Plays sessions, and keeps what must come of them."""

    def __init__(self, lab, routes, seed):
        self.lab, self.routes, self.random = lab, routes, random.Random(seed)
        self.lock = threading.Lock()
        self.sessions, self.count, self.picked, self.seed = [], 0, [], seed

    def name(self):
        with self.lock:
            self.count += 1
            return "t%d-%d" % (self.seed, self.count)

    def open(self, route):
        with self.lock:
            address = self.random.choice(ADDRESSES)
        client = Client(Door(self.routes.ports[route], address))
        session = Session(route, str(client.port), address)
        with self.lock:
            self.sessions.append(session)
        client.say("EHLO client.example")
        return client, session

    def begin(self, client, session, recipients, domain="example.com"):
        """MAIL and RCPT; what is refused is known already."""
        wanted = Wanted("%s@%s" % (self.name(), domain), session, session.route)
        session.wanted.append(wanted)
        client.say("MAIL FROM:<%s>" % wanted.sender)
        for recipient in recipients:
            code = int(client.say("RCPT TO:<%s>" % recipient, OK + REFUSED)[:3])
            if code in OK:
                wanted.taken.append(recipient)
            else:
                wanted.end(recipient, "rejected", "RCPT", str(code))
        return wanted

    def finish(self, client, wanted, message=None):
        """DATA to its end, or to where it is refused."""
        if not wanted.taken:
            client.say("RSET")
            return
        answer = client.say("DATA", (354, 554))
        stage = "DATA"
        if answer.startswith("354"):
            message = message or Message(wanted.sender.split("@")[0])
            client.send_raw(message.bytes.replace(b"\r\n.", b"\r\n..") + b".\r\n", "message", (".",))
            answer = client.reply(OK + REFUSED)
            stage = "END-OF-MESSAGE"
        if answer.startswith("250"):
            wanted.queue_id = answer.rpartition(" ")[2]
            for recipient in wanted.taken:
                self.delivered(wanted, recipient)
        else:
            for recipient in wanted.taken:
                wanted.end(recipient, "rejected", stage, answer[:3])
            client.say("RSET")

    @staticmethod
    def delivered(wanted, recipient):
        """Where it goes to says what becomes of it."""
        name = recipient.split("@")[0]
        if recipient.endswith("@dead.test"):
            wanted.end(recipient, "deferred")
        elif name.startswith("later"):
            wanted.end(recipient, "expired" if wanted.sender.endswith("expire.example") else "deferred", None, "450")
        elif name.startswith("unknown"):
            wanted.end(recipient, "bounced", None, "550")
        else:
            for _ in range(2 if name in ("team", "list") else 1):
                wanted.end(recipient, "delivered")

    def abort(self, wanted):
        for recipient in wanted.taken:
            wanted.end(recipient, "aborted")

    # Sessions.

    def mail(self, route, *messages, domain="example.com"):
        """A session of so many messages, each a list of recipients."""
        client, session = self.open(route)
        with client:
            for recipients in messages:
                self.finish(client, self.begin(client, session, recipients, domain))
            client.quit()

    def same_id(self, has_id):
        """Two messages with one Message-ID, or with none that the client gave."""
        client, session = self.open("main")
        message = Message(self.name(), has_id=has_id)
        with client:
            for _ in range(2):
                self.finish(client, self.begin(client, session, ["ok@sink.test"]), message)
            client.quit()

    def leave(self, route, how):
        client, session = self.open(route)
        with client:
            if how == "before":
                self.finish(client, self.begin(client, session, ["ok@sink.test"]))
            wanted = self.begin(client, session, ["ok@sink.test", "rejected@" + DOMAIN, "two@sink.test"][:1 if how == "one" else 3])
            self.abort(wanted)
            if how in ("one", "reset", "before"):
                client.say("RSET")
                client.quit()
            elif how == "quit":
                client.quit()
            elif how == "lost":
                client.lose()
            else:
                client.say("DATA", 354)
                client.send_raw(b"Subject: cut\r\n\r\nhalf a ", "half a message")

    def nothing(self):
        client, _ = self.open("main")
        with client:
            client.quit()

    def pick_up(self):
        name = self.name()
        wanted = Wanted(name + "@example.com", None, "pickup")
        self.picked.append(wanted)
        status, said = self.lab.postfix_program("sendmail", "-f", wanted.sender, "-t",
                                                data=b"From: <%s>\nTo: ok@sink.test\nSubject: picked up\n\nx\n" % wanted.sender.encode())
        if status:
            raise LabError("sendmail: " + said)
        wanted.end("ok@sink.test", "delivered")

    def plan(self, share):
        """Functions, in any order; share: how many of each kind."""
        local = ["rejected@" + DOMAIN, "nobody@" + DOMAIN, "later@" + DOMAIN]
        ok, later, unknown = "ok@sink.test", "later@sink.test", "unknown@sink.test"
        kinds = [
            (8, lambda: self.mail("main", [ok])),
            (4, lambda: self.mail("main", [ok, "two@sink.test", later, unknown, local[0]])),
            (4, lambda: self.mail("main", local)),
            (2, lambda: self.mail("main", local[:2], [local[0], ok], local[:1])),
            (3, lambda: self.mail("main", [ok], [unknown], [later, ok])),
            (2, lambda: self.mail("main", ["x@dead.test", ok])),
            (2, lambda: self.mail("main", [later], domain="expire.example")),
            (2, lambda: self.mail("main", [ok, "two@sink.test"], domain="bad.example")),
            (2, lambda: self.mail("main", [ok, "two@sink.test", local[1]], domain="late.example")),
            (2, lambda: self.mail("main", [ok], domain="data.example")),
            (2, lambda: self.mail("main", ["team@" + DOMAIN, "boss@" + DOMAIN])),
            (2, lambda: self.mail("main", ["joe@" + DOMAIN, "list@" + DOMAIN])),
            (3, lambda: self.mail("main", ["ok@two.test", ok])),
            (3, lambda: self.mail("filtered", [ok, unknown, local[0]])),
            (1, lambda: self.mail("filtered", [ok], [later])),
            (3, lambda: self.mail("proxied", [ok, "two@sink.test", local[0]])),
            (1, lambda: self.mail("proxied", [ok], local[:1], [unknown])),
            (1, lambda: self.mail("proxied", [ok], domain="late.example")),
            (1, lambda: self.mail("screen", [ok, local[0]])),
            (1, lambda: self.same_id(True)), (1, lambda: self.same_id(False)),
            (1, lambda: self.leave("main", "one")), (1, lambda: self.leave("main", "reset")), (1, lambda: self.leave("main", "before")),
            (1, lambda: self.leave("main", "quit")), (1, lambda: self.leave("main", "lost")), (1, lambda: self.leave("main", "cut")),
            (1, self.nothing), (1, self.pick_up),
        ]
        steps = [step for count, step in kinds for _ in range(round(count * share))]
        self.random.shuffle(steps)
        return steps

    def play(self, steps):
        errors, left = [], collections.deque(steps)

        def work():
            while left and not errors:
                try:
                    left.pop()()
                except IndexError:
                    return
                except (OSError, LabError) as error:
                    errors.append(error)
        threads = [threading.Thread(target=work) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise LabError("a client: %s" % errors[0])

    def wanted(self):
        return [each for session in self.sessions for each in session.wanted] + self.picked

    def tally(self):
        """Transactions by the ways that they went, and recipients by their fates."""
        routes, fates = collections.Counter(), collections.Counter()
        for wanted in self.wanted():
            routes[wanted.route] += 1
            for way, taken in (("second instance", ("ok@two.test",)), ("virtual alias", ("team@" + DOMAIN, "boss@" + DOMAIN)),
                               ("local alias", ("joe@" + DOMAIN, "list@" + DOMAIN))):
                routes[way] += any(each in taken for each in wanted.taken)
            fates.update(fate for _, fate, _, _ in wanted.ends)
        return routes, fates

    def is_complete(self):
        """Whether it went all ways, to all fates, often enough."""
        routes, fates = self.tally()
        for names, found in ((ROUTES, routes), (FATES, fates)):
            print("| %s" % ", ".join("%s %d" % (name, found[name]) for name in names))
        missed = [name for names, found in ((ROUTES, routes), (FATES, fates)) for name in names if not found[name]]
        if missed or len(self.wanted()) < TRANSACTIONS:
            print("FAILED the script: %d transactions, none of %s" % (len(self.wanted()), ", ".join(missed) or "nothing"))
        return not missed and len(self.wanted()) >= TRANSACTIONS


class Evidence:
    """What was written since: the logs of both instances, and the records."""

    def __init__(self, lab, routes):
        self.lab, self.routes, self.folder = lab, routes, lab.path("evidence")
        self.mark, self.positions = lab.last_id(), [each.log_position() for each in (lab, routes.second_lab)]

    def records(self):
        return self.lab.records(self.mark)

    def is_whole(self, script):
        """Both sides have told the end of every session, and nothing is on its way."""
        stages = collections.Counter(record["stage"] for record in self.records())
        lines = self.lab.log_lines(self.positions[0])
        begun, ended = (sum("/smtpd[" in line and word in line for line in lines) for word in (": connect from", ": disconnect from"))
        # One for each session that the milter sees, the proxy's other side, and what was picked up.
        return stages["connect"] == stages["close"] >= len(script.sessions) + len(script.picked) and begun == ended >= len(script.sessions) \
            and self.lab.status()["backlog_records"] == 0 and self.is_at_rest(self.lab) and self.is_at_rest(self.routes.second_lab)

    @staticmethod
    def is_at_rest(lab):
        entries = lab.postfix_program("postqueue", "-j")[1].splitlines()
        return all(json.loads(entry)["queue_name"] == "deferred" for entry in entries if entry.startswith("{"))

    def write(self):
        """Files for the join."""
        os.makedirs(self.folder, exist_ok=True)
        paths = [os.path.join(self.folder, name) for name in ("one.log", "two.log", "all.records")]
        for path, lab, position in zip(paths, (self.lab, self.routes.second_lab), self.positions):
            with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.writelines(line + "\n" for line in lab.log_lines(position))
        with open(paths[2], "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in self.records())
        return paths


class Judge:
    """Compares what was joined with what was wanted."""

    def __init__(self, joined, script, log, records):
        self.joined, self.script, self.log, self.records = joined, script, log, records
        self.by_sender = collections.defaultdict(list)
        self.wrong, self.ambiguous = [], 0
        for message in joined.messages.values():
            if (not message.parent or message.parent[0] == "notice") and not self.is_behind(message):
                self.by_sender[message.facts.get("from")].append(message)

    def is_behind(self, message):
        """Of the smtpd behind the proxy, and given up there since the one in front refused it."""
        session = self.joined.session_of(message)
        return session and session.facts.get("helo") == HOST_NAME and message.facts.get("state") == "aborted"

    def say(self, wanted, what):
        self.wrong.append("%s by %s: %s" % (wanted.sender, wanted.route, what))

    def ends(self, message):
        found = []
        for recipient in message.recipients:
            for end in self.joined.finals(recipient):
                facts = end.facts
                found.append((recipient.given, end.fate, facts.get("stage"), facts.get("reply_code")))
        return sorted(found, key=str)

    def is_joined(self, session):
        return session and self.log in session.files and self.records in session.files

    def check_session(self, wanted, session):
        """True: of both sides. One that was cut may be without its records, and says so."""
        if not self.is_joined(session):
            return False
        if wanted.session:
            truth = (wanted.session.address, wanted.session.port)
            if (session.facts.get("client_addr"), session.facts.get("client_port")) != truth:
                self.say(wanted, "joined with another session: %s, not %s" % (session.facts, truth))
            for each in session.messages:
                if each.facts.get("from") not in [one.sender for one in wanted.session.wanted]:
                    self.say(wanted, "its session has a message of %s" % each.facts.get("from"))
        return True

    def check_message(self, wanted, message):
        session = self.joined.session_of(message)
        if wanted.route == "pickup":
            if self.records not in message.files or self.log not in message.files:
                self.say(wanted, "a side is missing")
        elif not self.check_session(wanted, session):
            self.say(wanted, "its session has one side only: %s" % (session and session.facts))
        if self.ends(message) != sorted(wanted.ends, key=str):
            self.say(wanted, "is %s, not %s" % (self.ends(message), sorted(wanted.ends, key=str)))
        last = message
        if wanted.route == "proxied" and wanted.queue_id:
            keys = {each.links.get("next") for each in message.recipients if each.fate == "delivered"}
            last = self.joined.messages.get(keys.pop()) if len(keys) == 1 else None
        if wanted.queue_id and (not last or last.facts.get("queue_id") != wanted.queue_id):
            self.say(wanted, "the client was told %s" % wanted.queue_id)

    def check_sessions(self):
        """Each connection is there, of both sides, and only one that was cut lacks something, and says so."""
        by_client = {(each.facts.get("client_addr"), each.facts.get("client_port")): each for each in self.joined.sessions.values()}
        for session in self.script.sessions:
            found = by_client.get((session.address, session.port))
            if not self.is_joined(found):
                self.wrong.append("the session from %s:%s by %s has one side only" % (session.address, session.port, session.route))
            elif found.incomplete not in ([{"cut"}, {"cut", "no_records"}] if session.may_be_cut else [set()]):
                self.wrong.append("the session from %s:%s is incomplete: %s" % (session.address, session.port, found.incomplete))

    def check(self, may_be_ambiguous=False):
        if not may_be_ambiguous:
            self.check_sessions()
        for wanted in self.script.wanted():
            messages = self.by_sender[wanted.sender]
            sessions = [self.joined.session_of(message) for message in messages]
            if len(messages) == 1 and (wanted.route == "pickup" or self.is_joined(sessions[0]) or not may_be_ambiguous):
                self.check_message(wanted, messages[0])
            elif may_be_ambiguous and messages and all(each and (self.is_joined(each) or "ambiguous" in each.incomplete) for each in sessions):
                self.ambiguous += 1
                for each in sessions:
                    self.check_session(wanted, each)
            else:
                self.say(wanted, "%d messages, in sessions %s" % (len(messages), [each and each.facts for each in sessions]))
        return self.wrong


def expire(lab):
    """What has a sender of that domain has waited long enough."""
    def entries():
        found = [json.loads(line) for line in lab.postfix_program("postqueue", "-j")[1].splitlines() if line.startswith("{")]
        return [entry for entry in found if entry["sender"].endswith("@expire.example")]
    # What was never tried would be given up without the reply that is wanted.
    wait_until("mail that will expire was tried", lambda: all(entry["queue_name"] == "deferred" for entry in entries()), EXPIRY_SECONDS)
    for entry in entries():
        lab.postfix_program("postsuper", "-e", entry["queue_id"])
        lab.postfix_program("postqueue", "-i", entry["queue_id"])
    # A notice to its sender may stay for long: where nobody answers for that domain, a resolver may say so late.
    wait_until("expired mail is given up", lambda: not entries(), EXPIRY_SECONDS)


def keep(folder, name):
    if "SMTPTRAIL_TEST_EVIDENCE" in os.environ:
        shutil.copytree(folder, os.path.join(os.environ["SMTPTRAIL_TEST_EVIDENCE"], "%d-%s" % (os.getpid(), name)))


def judge(name, lab, routes, evidence, script, **options):
    expire(lab)
    wait_until("all has ended", lambda: evidence.is_whole(script), 60, 0.2)
    files = evidence.write()
    joined = Joined(lab.program("tests/driver/transactions"), files)
    judged = Judge(joined, script, files[0], files[2])
    wrong = judged.check(**options)
    if wrong:
        keep(evidence.folder, str(script.seed))
    count = len(script.wanted())
    print("%s %s: %d of %d transactions as their clients know them, %d ambiguous and marked so"
          % ("FAILED" if wrong else "ok    ", name, count - len(wrong) - judged.ambiguous, count, judged.ambiguous), flush=True)
    for line in wrong[:8]:
        print("    " + line)
    for each in (lab, routes.second_lab):
        each.postfix_program("postsuper", "-d", "ALL")
    return bool(wrong) or not script.is_complete()


def play(name, lab, routes, seed, share, **options):
    evidence, script = Evidence(lab, routes), Script(lab, routes, seed)
    script.play(script.plan(share))
    return judge(name, lab, routes, evidence, script, **options)


def play_with_kill(lab, routes, seed, share):
    """The milter is killed while some sessions are in the middle of a message. What it answered, it has recorded."""
    evidence, script = Evidence(lab, routes), Script(lab, routes, seed)
    script.play(script.plan(share))
    held = []
    for number in range(8):
        client, session = script.open("main")
        if number % 2:
            script.finish(client, script.begin(client, session, ["ok@sink.test"]))
        held.append((client, script.begin(client, session, ["ok@sink.test", "rejected@" + DOMAIN, "later@sink.test"])))
        session.may_be_cut = True
    lab.end("milter", signal.SIGKILL)
    for client, wanted in held:
        with client:
            script.finish(client, wanted)
            client.quit()
    lab.spawn_milter()
    lab.wait_milter_socket("milter")
    lab.wait_status()
    script.play(script.plan(share))
    return judge("the milter killed in between", lab, routes, evidence, script)


class Stored:
    """smtptrail ingest beside it all: what it has stored in the end is what the join makes of the files."""

    SQL = "SELECT m.[from], r.[to], r.orig_to, r.fate, m.parent_kind FROM recipients r JOIN messages m ON m.key = r.message_key"

    def __init__(self, lab, routes):
        self.lab, self.evidence, self.store = lab, Evidence(lab, routes), lab.path("store")
        write(lab.path("ingest.conf"), 'redis_address = "unix:%s"\nstore = "%s"\n' % (lab.redis_socket, self.store))
        lab.spawn("ingest", [lab.program("smtptrail"), "ingest", "--follow", "--config", lab.path("ingest.conf"), "--redis",
                             "--log", lab.mail_log, routes.second_lab.mail_log])

    def rows(self, prefix):
        found = collections.Counter()
        for path in glob.glob(self.store + "/????-??-??.db"):
            with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as day:
                found.update(row for row in day.execute(self.SQL) if (row[0] or "").startswith(prefix))
        return found

    def check(self, prefix):
        joined = Joined(self.lab.program("tests/driver/transactions"), self.evidence.write())
        wanted = collections.Counter(
            (message.facts["from"], each.facts.get("to"), each.facts.get("orig_to"), each.fate, message.parent and message.parent[0])
            for message in joined.messages.values() if message.facts.get("from", "").startswith(prefix) for each in message.recipients)
        try:
            wait_until("the store has it all", lambda: self.rows(prefix) == wanted, pause=0.5)
        except LabError:
            stored = self.rows(prefix)
            keep(self.evidence.folder, "files")
            keep(self.store, "store")
            print("FAILED the store: %d recipients only joined, %d only stored" % ((wanted - stored).total(), (stored - wanted).total()))
            for name, rows in (("joined", wanted - stored), ("stored", stored - wanted)):
                print("".join("    only %s: %s\n" % (name, row) for row in list(rows)[:6]), end="")
            return True
        print("ok     the store has the same %d recipients" % wanted.total())
        return self.lab.end("ingest") != 0


def main():
    begin = time.monotonic()
    with Lab() as lab:
        lab.start_redis()
        lab.start_milter()
        routes = Routes(lab)
        try:
            stored = Stored(lab, routes)
            failed = play("clients' ports in the log", lab, routes, 1, 7)
            first_ended = time.monotonic()
            failed |= play_with_kill(lab, routes, 2, 3.5)
            lab.postfix_program("postconf", "-e", "smtpd_client_port_logging=no")
            lab.postfix_program("postfix", "reload")
            # What ended longer ago than lines may be late is settled by the lines that follow.
            time.sleep(max(0, first_ended + LATENESS_SECONDS + 2 - time.monotonic()))
            failed |= play("no ports in the log", lab, routes, 3, 7, may_be_ambiguous=True)
            failed |= stored.check("t1-")
        finally:
            routes.close()
    print("| %.0f s" % (time.monotonic() - begin))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_test(main))
