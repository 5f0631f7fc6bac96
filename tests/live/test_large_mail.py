#!/usr/bin/python3
"""test_large_mail.py - a mail of 25 MB with ten signatures, each with another l=, through a real Postfix.

The milter hashes 4 MiB of the body at most, in three ways at most; what that leaves unchecked is recorded as such,
and no other record is missing. How long the replies took is printed, and beside it that of the same mail unsigned.
"""
import base64
import hashlib
import sys
import time

from dns_lab import Nsd, find_program
from lab import Lab, Missing, run_test, wait_until
from smtp_client import Client

try:
    from auth_messages import CLIENT, Messages, Raw, headers
    from dkim_cases import sign
except ImportError as error:
    print("skipped: python3-dkim and python3-nacl are needed: %s" % error)
    sys.exit(77)

DOMAIN = "signed.example.org"
LINE = "0123456789abcdef" * 4 + "\r\n"
BODY = LINE * (25_000_000 // len(LINE))
HASHES, HASHED_BYTES = 3, 4 * 1024 * 1024		# the defaults of dkim_max_body_hashes and dkim_max_body_bytes
PASS = {"result": "pass", "body_hash_match": "yes"}
TOO_MANY = {"result": "policy", "error": "limit: not checked, too many hashes of the body are asked for"}
TOO_LONG = {"result": "policy", "error": "limit: the body is longer than is hashed"}


def message(key, lengths):
    """Each signature is a good one, l= or not."""
    signatures = ""
    for length in lengths:
        digest = hashlib.sha256(BODY[:length].encode()).digest()
        tags = {"d": DOMAIN, "s": "rsa", "c": "relaxed/simple", "bh": base64.b64encode(digest).decode()}
        if length is not None:
            tags["l"] = str(length)
        signatures += sign(key, tags, headers=headers(DOMAIN), body="")
    return Raw(signatures + "".join("%s:%s\r\n" % each for each in headers(DOMAIN)) + "\r\n" + BODY)


def has_all(seen):
    ends = {each["session"] for each in seen if each["stage"] == "close"}
    return any(each["stage"] == "verdict" and each["session"] in ends for each in seen)


def send(lab, mail):
    """The records, and the seconds from the last byte to the reply and of the whole."""
    mark, begun = lab.last_id(), time.monotonic()
    with Client(lab, "ADDR=%s NAME=[UNAVAILABLE]" % CLIENT) as client:
        client.say("EHLO mail.example.net")
        client.say("MAIL FROM:<bounce@plain.example.net>")
        client.say("RCPT TO:<joe@lab.test>")
        client.say("DATA", 354)
        client.send_raw(mail.bytes.replace(b"\r\n.", b"\r\n.."), "message")
        sent = time.monotonic()
        client.send_raw(b".\r\n", "dot")
        client.reply(250)
        done = time.monotonic()
        client.quit()
    records = lab.wait_records("a verdict and the close", has_all, mark, seconds=60)
    session = next(each["session"] for each in records if each["stage"] == "verdict")	# XCLIENT had one of its own
    return [each for each in records if each.get("session") == session], done - sent, done - begun


def compare(records, size, wanted, dkim, dmarc):
    lines = []
    stages = [each["stage"] for each in records]
    for stage, count in (("connect", 1), ("mail", 1), ("rcpt", 1), ("data", 1), ("header", 1), ("eom", 1), ("spf", 2),
                         ("dkim", len(wanted)), ("dmarc", 1), ("verdict", 1), ("close", 1), ("gap", 0)):
        if stages.count(stage) != count:
            lines.append("%d records of stage %s, wanted %d" % (stages.count(stage), stage, count))
    seen = [each for each in records if each["stage"] == "dkim"]
    for number, (want, each) in enumerate(zip(wanted, seen), 1):
        if {name: each.get(name) for name in want} != want:
            lines.append("signature %d is %r, wanted %r" % (number, each, want))
    verdict = [each for each in records if each["stage"] == "verdict"][-1]
    want = {"spf": "none", "dkim": dkim, "dmarc": dmarc, "action": "continue"}
    if wanted:
        want["skipped"] = "limit"
    if {name: verdict.get(name) for name in want} != want:
        lines.append("the verdict is %r, wanted %r" % (verdict, want))
    if int(verdict["size"]) < size:
        lines.append("the size is %s, %d were sent" % (verdict["size"], size))
    return lines


def main():
    if not find_program("nsd"):
        raise Missing("nsd is not installed: apt-get install nsd")
    messages, failed = Messages(), 0
    small, large = range(100_000, 200_000, 10_000), range(20_000_000, 21_000_000, 100_000)
    rows = [
        ("without a signature", [], [], "none", "fail"),
        ("with ten l= within the first 200 kB", small, [PASS] * HASHES + [TOO_MANY] * (10 - HASHES), "pass", "pass"),
        ("with ten l= of more than 20 MB", large, [TOO_LONG] * HASHES + [TOO_MANY] * (10 - HASHES), "policy", "temperror"),
        ("with an l= of all that is hashed, one of a byte more, and none", [HASHED_BYTES, HASHED_BYTES + 1, None],
         [TOO_LONG] * 3, "policy", "temperror"),
    ]
    with Nsd(messages.zone) as nsd, Lab() as lab:
        lab.start_redis()
        lab.start_milter(auth="yes", dns_servers=[nsd.address], auth_deadline="60s")
        lab.start_postfix(message_size_limit=40_000_000)
        for name, lengths, wanted, dkim, dmarc in rows:
            mail = message(messages.rsa, lengths)
            records, reply, whole = send(lab, mail)
            lines = compare(records, len(BODY), wanted, dkim, dmarc)
            print("%s a mail of 25 MB %s: reply after %.0f ms, whole dialogue %.0f ms" % (
                "FAILED" if lines else "ok    ", name, 1000 * reply, 1000 * whole),
                *("    " + line for line in lines), sep="\n", flush=True)
            failed += bool(lines)
        wait_until("the status counts three messages that met a limit", lambda: lab.status()["auth_limit"] == 3)
    return 1 if failed else 0


if __name__ == "__main__":
    run_test(main)
