#!/usr/bin/python3
"""test_auth.py - SPF, DKIM, DMARC and the verdict through a real Postfix and Sendmail, with a DNS server of our own.

Also with one that is stopped, slow or lying: then no message waits, and the records say why.
"""
import os
import sys
import tempfile
import time

from dns_lab import BadServer, Nsd, find_program, sign_zone
from lab import Lab, Missing, run_test
from smtp_client import Client

try:
    from auth_messages import CLIENT, Messages, Raw, text
except ImportError as error:
    print("skipped: python3-dkim and python3-nacl are needed: %s" % error)
    sys.exit(77)

BEHIND = {"auth", "dns", "keep", "prepare", "ship", "housekeeping"}
# A bad DNS server is waited for; a dialogue takes some milliseconds, but on a machine that is busy. If it waited for the
# DNS it did so each time.
DNS_SECONDS, SLOWEST_SECONDS, TRIES = 2, 1.5, 5


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


def send(lab, row, login=False, xclient=CLIENT):
    """The message's records, and how long the dialogue took."""
    mark, begun = lab.last_id(), time.monotonic()
    with Client(lab, "ADDR=%s NAME=[UNAVAILABLE]" % xclient if xclient else None) as client:
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


def compare(row, records):
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
    return lines


def check_messages(lab, messages, failures):
    for row in messages.rows + messages.odd_rows:
        failures.tell("%s: %s" % (row.name, row.words), compare(row, send(lab, row)[0]))


def check_origins(lab, messages, failures, local_clients=()):
    row = messages.rows[0]
    for origin, options in [("authenticated", {"login": True, "xclient": None})] + [
            ("local", {"xclient": client}) for client in (None, *local_clients)]:
        records, _seconds = send(lab, row, **options)
        lines = wrong_fields("verdict", {"origin": origin, "skipped": "origin", "from": row.sender},
                             of_stage(records, "verdict")[0])
        lines += ["a record of stage %s" % each["stage"] for each in records if each["stage"] in ("spf", "dkim", "dmarc")]
        failures.tell("%s mail, %s, is marked, and not checked" % (origin, options), lines)


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
    lab.start_milter(auth="yes", dns_servers=[address], dns_timeout="%ds" % DNS_SECONDS, auth_deadline="%ds" % (2 * DNS_SECONDS))


def check_bad_servers(lab, messages, failures):
    """The mail goes on, and the records say temperror."""
    good = messages.rows[0].sender
    row = next(each for each in messages.rows if each.name == "dkim-rsa")
    row.sender = good

    def slow(query, ask):
        time.sleep(2 * DNS_SECONDS)
        return query[:2] + b"\x81\x83" + query[4:]

    def garbage(query, ask):
        return query[:2] + b"\x81\x80" + b"\xff" * 40

    def refused(query, ask):
        return query[:2] + b"\x81\x85" + query[4:]
    with Nsd("") as stopped:
        closed = stopped.address
    for name, answer in (("silent", lambda query, ask: None), ("slow", slow), ("one that sends garbage", garbage), ("one that refuses", refused), ("stopped", None)):
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
    tries = [seconds]
    while tries[-1] > SLOWEST_SECONDS and len(tries) < TRIES:
        tries.append(send(lab, row)[1])
    if tries[-1] > SLOWEST_SECONDS:
        lines.append("the client waited %s s" % ", ".join("%.3f" % each for each in tries))
    return lines


def check_slow_names(lab, nsd, messages, failures):
    """Whoever sends chooses what is asked for, and gains nothing by names whose DNS is slow."""
    due = {}

    def answer(query, ask):
        name = query[12:]
        if b"\x04slow" in name[1:]:
            time.sleep(max(0, due.setdefault(name, time.monotonic() + 0.7) - time.monotonic()))
        return ask(query)
    with BadServer(answer, nsd.port) as server:
        lab.end("milter")
        lab.start_milter(auth="yes", dns_servers=[server.address], dns_timeout="1500ms", auth_deadline="2s")
        for row in messages.slow_rows:
            failures.tell("%s: %s" % (row.name, row.words), compare(row, send(lab, row)[0]))


def check_dnssec(lab, messages, failures):
    """What DNSSEC proves, and what it shows to be forged, is in the record."""
    with tempfile.TemporaryDirectory(prefix="smtptrail-dns-") as directory:
        files = sign_zone(directory, messages.zone)
        if files is None:
            print("not checked: ldns-signzone is missing (apt-get install ldnsutils)")
            return
        with Nsd(zone_file=files[0]) as nsd:
            lab.end("milter")
            lab.start_milter(auth="yes", dns_servers=[nsd.address], dnssec_trust_anchor=files[1])
            row = next(each for each in messages.rows if each.name == "dkim-rsa")
            records, _seconds = send(lab, row)
            lines = wrong_fields("dkim", {"result": "pass", "dnssec": "secure"}, of_stage(records, "dkim")[0])
            row.message = Raw(text("signed.example.org", messages.forged))
            records, _seconds = send(lab, row)
            seen = of_stage(records, "dkim")[0]
            lines += wrong_fields("dkim", {"result": "temperror", "dnssec": "bogus"}, seen)
            if not seen["error"].startswith("bogus"):
                lines.append("the error is %r" % seen["error"])
            failures.tell("a key that DNSSEC proves is recorded as secure, one that is forged as bogus", lines)


def check_threads(lab, failures):
    """Who works behind the mail gives way to who answers it."""
    tasks, lines, seen = "/proc/%d/task/" % lab.children["milter"].pid, [], set()
    for thread in os.listdir(tasks):
        with open(tasks + thread + "/comm", encoding="ascii") as file:
            name = file.read().strip()
        policy = os.sched_getscheduler(int(thread))
        seen.add(name)
        if policy != (os.SCHED_BATCH if name in BEHIND else os.SCHED_OTHER):
            lines.append("thread %s is of policy %d" % (name, policy))
    lines += ["no thread is named %s" % name for name in BEHIND - seen]
    failures.tell("threads behind the mail do not push those off their core that answer it", lines)


def check_status(lab, failures):
    time.sleep(0.5)
    status = lab.status()
    lines = [name for name in ("auth_jobs", "auth_limit", "dns_questions", "dns_cache_hits", "dns_cache_entries") if not status.get(name)]
    lines += [name + " is not zero" for name in ("auth_overload", "auth_waiting", "auth_queue_bytes") if status.get(name) != 0]
    failures.tell("the status counts jobs and questions", lines)


def check_mta(mta, nsd, messages, failures, lab=None):
    """What passes through the MTA is what was signed, and the client is whom it says."""
    if lab is None:
        with Lab() as own:
            check_mta(mta, nsd, messages, failures, own)
        return
    print("with %s:" % mta)
    lab.start_redis()
    lab.start_milter(auth="yes", dns_servers=[nsd.address], spf_engines=["builtin"],
                     local_networks=["198.51.100.64/26", "2001:db8:1::/48"])
    clients = []
    if mta == "sendmail":
        lab.start_sendmail()
    else:
        clients = ["198.51.100.77", "IPV6:2001:db8:1::77"]
        # Of clients that it takes for its own Postfix mends the From:.
        lab.start_postfix(local_header_rewrite_clients="")
    check_messages(lab, messages, failures)
    check_origins(lab, messages, failures, clients)
    check_abort(lab, failures)


def main():
    if not find_program("nsd"):
        raise Missing("nsd is not installed: apt-get install nsd")
    messages, failures = Messages(), Failures()
    with Nsd(messages.zone) as nsd:
        try:
            check_mta("sendmail", nsd, messages, failures)
        except Missing as reason:
            print("| with Sendmail: %s" % reason)
        with Lab() as lab:
            check_mta("postfix", nsd, messages, failures, lab)
            check_status(lab, failures)
            check_threads(lab, failures)
            check_bad_servers(lab, messages, failures)
            check_slow_names(lab, nsd, messages, failures)
            check_dnssec(lab, messages, failures)
    print("%d as expected, %d not" % (failures.passed, failures.count))
    return 1 if failures.count or not failures.passed else 0


if __name__ == "__main__":
    run_test(main)
