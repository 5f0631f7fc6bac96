#!/usr/bin/python3
"""test_auth.py - SPF, DKIM, DMARC and the verdict through a real Postfix, with a DNS server of our own.

Also with one that is stopped, slow or lying: then no message waits, and the records say why.
"""
import sys
import time

from dns_lab import BadServer, Nsd, find_program
from lab import Lab, Missing, run_test
from smtp_client import Client

try:
    from auth_messages import CLIENT, Messages
except ImportError as error:
    print("skipped: python3-dkim and python3-nacl are needed: %s" % error)
    sys.exit(77)

SLOWEST_SECONDS = 1.0		# for a dialogue that takes some milliseconds; the DNS is waited for longer


class Failures:
    def __init__(self):
        self.count = self.passed = 0

    def tell(self, name, lines):
        print("%s %s" % ("FAILED" if lines else "ok    ", name), *("    " + line for line in lines), sep="\n", flush=True)
        self.count += bool(lines)
        self.passed += not lines


def wrong_fields(what, wanted, seen):
    return ["%s: %s is %r, wanted %r; in %r" % (what, name, seen.get(name), value, seen)
            for name, value in wanted.items() if seen.get(name) != value]


def send(lab, row, login=False, xclient=True):
    """The message's records, and how long the dialogue took."""
    mark, begun = lab.last_id(), time.monotonic()
    with Client(lab, "ADDR=%s NAME=[UNAVAILABLE]" % CLIENT if xclient else None) as client:
        client.say("EHLO " + row.helo)
        if login:
            client.authenticate()
        client.mail(row.sender, ["joe@lab.test"], row.message)
        client.quit()
    seconds = time.monotonic() - begun
    records = lab.wait_records("a verdict", lambda seen: any(each["stage"] == "verdict" for each in seen), mark)
    return records, seconds


def of_stage(records, stage, **fields):
    return [each for each in records if each["stage"] == stage and
            all(each.get(name) == value for name, value in fields.items())]


def compare(row, records, seconds):
    lines = []
    verdicts = of_stage(records, "verdict")
    if len(verdicts) != 1:
        lines.append("%d verdicts" % len(verdicts))
    lines += wrong_fields("verdict", row.verdict, verdicts[0])
    if "skipped" not in row.verdict and "skipped" in verdicts[0]:
        lines.append("verdict: skipped=%s" % verdicts[0]["skipped"])
    for each in of_stage(records, "spf", spf_identity="mailfrom"):
        lines += wrong_fields("spf", row.spf, each)
    signatures = of_stage(records, "dkim")
    if len(signatures) != len(row.dkim):
        lines.append("%d signatures, wanted %d" % (len(signatures), len(row.dkim)))
    for wanted, seen in zip(row.dkim, signatures):
        lines += wrong_fields("dkim", wanted, seen)
    end = of_stage(records, "eom")[0]
    for each in records:
        if each["stage"] in ("spf", "dkim", "dmarc", "verdict"):
            lines += wrong_fields(each["stage"], {name: end[name] for name in ("session", "msg", "queue_id")}, each)
    if seconds > SLOWEST_SECONDS:
        lines.append("the client waited %.3f s" % seconds)
    return lines


def check_messages(lab, messages, failures):
    for row in messages.rows:
        failures.tell("%s: %s" % (row.name, row.words), compare(row, *send(lab, row)))


def check_origins(lab, messages, failures):
    row = messages.rows[0]
    for origin, options in (("authenticated", {"login": True}), ("local", {})):
        records, _seconds = send(lab, row, xclient=False, **options)
        lines = wrong_fields("verdict", {"origin": origin, "skipped": "origin", "from": row.sender},
                             of_stage(records, "verdict")[0])
        lines += ["a record of stage %s" % each["stage"] for each in records if each["stage"] in ("spf", "dkim", "dmarc")]
        failures.tell("%s mail is marked, and not checked" % origin, lines)


def check_abort(lab, failures):
    mark = lab.last_id()
    with Client(lab, "ADDR=%s NAME=[UNAVAILABLE]" % CLIENT) as client:
        client.say("EHLO mail.example.net")
        client.say("MAIL FROM:<ann@fail.example.org>")
        client.say("RCPT TO:<joe@lab.test>")
        client.say("RSET")
        client.quit()
    records = lab.wait_records("two SPF records", lambda seen: len(of_stage(seen, "spf")) == 2, mark)
    time.sleep(0.3)
    records = lab.records(mark)
    lines = wrong_fields("spf", {"result": "fail", "msg": "1"}, of_stage(records, "spf", spf_identity="mailfrom")[0])
    lines += ["a record of stage %s" % each["stage"] for each in records if each["stage"] in ("dkim", "dmarc", "verdict")]
    failures.tell("of an aborted message SPF is recorded, and nothing else", lines)


def restart(lab, address):
    lab.end("milter")
    lab.start_milter(auth="yes", dns_servers=[address], dns_timeout="300ms", auth_deadline="1s")


def check_bad_servers(lab, messages, failures):
    """The mail goes on, and the records say temperror."""
    good = messages.rows[0].sender
    row = next(each for each in messages.rows if each.name == "dkim-rsa")
    row.sender = good

    def slow(query, ask):
        time.sleep(0.4)
        return None

    def garbage(query, ask):
        return query[:2] + b"\x81\x80" + b"\xff" * 40

    def refused(query, ask):
        return query[:2] + b"\x81\x85" + query[4:]
    with Nsd("") as stopped:
        closed = stopped.address
    for name, answer in (("slow", slow), ("one that sends garbage", garbage), ("one that refuses", refused), ("stopped", None)):
        if answer:
            with BadServer(answer) as server:
                lines = check_bad_server(lab, row, server.address)
        else:
            lines = check_bad_server(lab, row, closed)
        failures.tell("a DNS server that is bad (%s) holds no message up, and is told" % name, lines)


def check_bad_server(lab, row, address):
    restart(lab, address)
    records, seconds = send(lab, row)
    verdict = of_stage(records, "verdict")[0]
    lines = wrong_fields("verdict", {"spf": "temperror", "dkim": "temperror", "dmarc": "temperror",
                                     "why": "dns_temporary", "disposition": "none"}, verdict)
    lines += wrong_fields("dkim", {"result": "temperror", "domain": "signed.example.org"}, of_stage(records, "dkim")[0])
    if seconds > SLOWEST_SECONDS:
        lines.append("the client waited %.3f s" % seconds)
    return lines


def check_status(lab, failures):
    time.sleep(0.5)
    status = lab.status()
    lines = [name for name in ("auth_jobs", "dns_questions", "dns_cache_hits", "dns_cache_entries") if not status.get(name)]
    lines += [name + " is not zero" for name in ("auth_overload", "auth_waiting") if status.get(name) != 0]
    failures.tell("the status counts jobs and questions", lines)


def main():
    if not find_program("nsd"):
        raise Missing("nsd is not installed: apt-get install nsd")
    messages, failures = Messages(), Failures()
    with Nsd(messages.zone) as nsd, Lab() as lab:
        lab.start(auth="yes", dns_servers=[nsd.address], spf_engines=["builtin"])
        check_messages(lab, messages, failures)
        check_origins(lab, messages, failures)
        check_abort(lab, failures)
        check_status(lab, failures)
        check_bad_servers(lab, messages, failures)
    print("%d as expected, %d not" % (failures.passed, failures.count))
    return 1 if failures.count or not failures.passed else 0


if __name__ == "__main__":
    run_test(main)
