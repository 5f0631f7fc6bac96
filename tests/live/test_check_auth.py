#!/usr/bin/python3
"""test_check_auth.py - smtptrail check-auth with whole messages: those of the demo, against the truth written there.

The same messages, keys and DNS that test_auth.py sends through Postfix and the milter.
"""
import json
import os
import subprocess
import sys
import tempfile

from dns_lab import Nsd, find_program
from lab import SKIPPED

try:
    from auth_messages import CLIENT, Messages, text
    from dkim_cases import sign
except ImportError as error:
    print("skipped: python3-dkim and python3-nacl are needed: %s" % error)
    sys.exit(SKIPPED)

PROGRAM = os.path.join(os.environ.get("top_builddir", "."), "smtptrail")
SIZE_MAX = 64 * 1024 * 1024


class Tester:
    def __init__(self, nsd, directory):
        self.nsd, self.directory = nsd, directory
        self.passed = self.failed = 0

    def tell(self, name, lines):
        print("%s %s" % ("FAILED" if lines else "ok    ", name), *("    " + line for line in lines), sep="\n", flush=True)
        self.failed += bool(lines)
        self.passed += not lines

    def store(self, data):
        path = os.path.join(self.directory, "message.eml")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def ask(self, sender, data, *options, helo="mail.example.net", stdin=False):
        arguments = ["-" if stdin else self.store(data)]
        return subprocess.run([PROGRAM, "check-auth", "--client", CLIENT, "--helo", helo, "--from", sender, "--dns",
                               self.nsd.address, *options, *arguments], input=data if stdin else b"",
                              capture_output=True, timeout=60, check=False)

    def ask_json(self, *arguments, **options):
        run = self.ask(*arguments, "--json", **options)
        return run, json.loads(run.stdout)


def as_record(value):
    """A JSON value in the words of a record."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value)


def differences(what, wanted, seen):
    return ["%s: %s is %r, wanted %r; in %r" % (what, name, seen.get(name), value, seen)
            for name, value in wanted.items() if as_record(seen.get(name, "")) != value]


def compare(row, run, found):
    wanted = {name: row.verdict[name] for name in ("spf", "dkim", "dmarc", "why", "disposition") if name in row.verdict}
    lines = differences("verdict", wanted, found["verdict"])
    for name in ("term", "explanation", "record_domain"):
        if name in row.spf:
            lines += differences("spf", {name: row.spf[name]}, found["spf"][1])
    signatures = found["dkim"][0]["signatures"]
    if len(signatures) != len(row.dkim) or found["dkim"][0]["found"] != len(row.dkim):
        lines.append("%d signatures, wanted %d" % (len(signatures), len(row.dkim)))
    for want, seen in zip(row.dkim, signatures):
        lines += differences("dkim", {name: value.replace(".000000Z", "Z") for name, value in want.items()}, seen)
    asked = {step["name"] for step in found["dkim"][0]["steps"]}
    keys = {"%s._domainkey.%s" % (each["selector"], each["domain"]) for each in signatures
            if each["result"] not in ("neutral", "policy")}
    if asked != keys:
        lines.append("keys asked for: %r, wanted %r" % (asked, keys))
    status = 0 if row.verdict["dmarc"] in ("pass", "none") else 1
    if run.returncode != status:
        lines.append("exit status %d, wanted %d: %r" % (run.returncode, status, run.stderr))
    return lines


def check_messages(tester, messages):
    for row in messages.rows + messages.odd_rows:
        run, found = tester.ask_json(row.sender, row.message.bytes, helo=row.helo)
        tester.tell("%s: %s" % (row.name, row.words), compare(row, run, found))


def expect_words(tester, name, run, status, *words):
    output = (run.stdout + run.stderr).decode("utf-8", "replace")
    lines = ["%r is missing in\n%s" % (each, output) for each in words if each not in output]
    if run.returncode != status:
        lines.append("exit status %d, wanted %d:\n%s" % (run.returncode, status, output))
    tester.tell(name, lines)


def check_steps(tester, messages):
    """In words: each step, then what follows."""
    rows = {row.name: row for row in messages.rows}
    row = rows["dkim-unaligned"]
    expect_words(tester, "all steps of a list's mail stand there", tester.ask(row.sender, row.message.bytes), 1,
                 "dkim, 1 signature\n", '    dns TXT rsa._domainkey.list.example.net: "v=DKIM1;',
                 "    signature 1 d=list.example.net s=rsa a=rsa-sha256\n", "      canonicalization relaxed/relaxed\n",
                 "      signs from:to:subject:date:message-id\n", "      key of 2048 bits\n", "      body hash: match\n      = pass\n",
                 "dmarc signed.example.org, by RFC 7489\n", '    dns TXT _dmarc.signed.example.org: "v=DMARC1; p=quarantine; adkim=s"',
                 "    spf list.example.net: pass, not aligned (relaxed)\n",
                 "    dkim list.example.net: pass, not aligned (strict)\n",
                 "\nverdict spf=pass dkim=pass dmarc=fail (spf_unaligned, dkim_unaligned) disposition=quarantine\n")
    row = rows["dkim-body"]
    expect_words(tester, "a changed body is told", tester.ask(row.sender, row.message.bytes), 1,
                 "      body hash: mismatch\n      = fail (the body is not as it was signed)\n")
    row = rows["dkim-no-key"]
    expect_words(tester, "a missing key is told", tester.ask(row.sender, row.message.bytes), 1,
                 "dns TXT gone._domainkey.signed.example.org: no such name", "body hash: not compared")


def check_forms(tester, messages):
    """However it was stored, it is the message that was signed."""
    row = next(each for each in messages.rows if each.name == "dkim-both")
    stored = row.message.bytes
    forms = [
        ("LF at line ends", stored.replace(b"\r\n", b"\n")), ("no line end at the end", stored[:-2]),
        ("LF, and none at the end", stored.replace(b"\r\n", b"\n")[:-1]),
        ("an mbox's line in front", b"From ann@signed.example.org Sat Nov 21 08:00:00 2026\n" + stored.replace(b"\r\n", b"\n")),
        ("empty lines at the end", stored + b"\r\n\r\n"),
        ("a mixture of both line ends", stored.replace(b"\r\n", b"\n", 3)),
    ]
    for name, data in forms:
        for stdin in (False, True):
            _run, found = tester.ask_json(row.sender, data, stdin=stdin)
            results = [each["result"] for each in found["dkim"][0]["signatures"]]
            tester.tell("stored with %s, %s" % (name, "from standard input" if stdin else "from a file"),
                        [] if results == ["pass", "pass"] and found["verdict"]["dmarc"] == "pass" else [repr(found)])
    _run, found = tester.ask_json(row.sender, stored.replace(b"\r\n\r\nHello", b"\r\n\r\n\r\nHello"))
    tester.tell("an empty line more in front of the body is no longer what was signed",
                [] if found["verdict"]["dkim"] == "fail" else [repr(found)])


def check_from(tester, messages):
    """Whose policy is asked for."""
    body = b"\r\nHello.\r\n"
    rows = [
        ("no From:", b"To: joe@lab.test\r\n" + body, "permerror", ["no_from"], None),
        ("an empty message", b"", "permerror", ["no_from"], None),
        ("only a header", b"From: ann@good.example.org", "pass", [], "good.example.org"),
        ("two addresses of one domain", b"From: ann@good.example.org, bob@GOOD.example.org\r\n" + body, "pass", [],
         "good.example.org"),
        ("two addresses of two domains", b"From: ann@good.example.org, bob@fail.example.org\r\n" + body, "permerror",
         ["multiple_from"], None),
        ("two From: fields", b"From: ann@good.example.org\r\nFrom: bob@good.example.org\r\n" + body, "permerror",
         ["multiple_from"], None),
        ("a From: below the first empty line", b"To: a@b\r\n\r\nFrom: ann@good.example.org\r\n", "permerror", ["no_from"], None),
        ("a From: below a line that is no field", b"To: a@b\r\nno field\r\nFrom: ann@good.example.org\r\n", "permerror",
         ["no_from"], None),
        ("a folded From: with a blank at its colon", b"FROM :\r\n ann@good.example.org\r\n" + body, "pass", [], "good.example.org"),
        ("bytes that mean nothing", bytes(range(256)) * 40, "permerror", ["no_from"], None),
    ]
    for name, data, dmarc, why, domain in rows:
        _run, found = tester.ask_json("ann@good.example.org", data)
        seen = (found["verdict"]["dmarc"], found["verdict"]["why"], found["dmarc"][0].get("from_domain"))
        tester.tell("DMARC of " + name, [] if seen == (dmarc, why, domain) else ["%r, wanted %r" % (seen, (dmarc, why, domain))])
    run, found = tester.ask_json("ann@good.example.org", text("good.example.org").encode(), "--header-from", "x@plain.example.net")
    tester.tell("--header-from goes before the message's", [] if found["dmarc"][0]["from_domain"] == "plain.example.net" and
                found["verdict"]["why"] == ["no_record"] and run.returncode == 0 else [repr(found)])


def check_large(tester, messages):
    """A body of 8 MiB, more than the milter hashes, and ten hashes of it."""
    body = "0123456789abcdef" * 4 + "\r\n"
    body *= 8 * 1024 * 1024 // len(body)
    tags = {"d": "signed.example.org", "s": "rsa"}
    headers = [tuple(line.split(":", 1)) for line in text("signed.example.org").split("\r\n\r\n")[0].split("\r\n")]
    signatures = "".join(sign(messages.rsa, {**tags, "l": str(1000000 + number)}, headers=headers, body=body)
                         for number in range(10))
    _run, found = tester.ask_json("ann@good.example.org", text("signed.example.org", signatures, body).encode())
    results = [each["result"] for each in found["dkim"][0]["signatures"]]
    tester.tell("a large body is hashed in ten ways", [] if results == ["pass"] * 10 else [repr(results)])


def check_errors(tester):
    base = [PROGRAM, "check-auth", "--client", CLIENT, "--helo", "a", "--dns", tester.nsd.address]
    large = os.path.join(tester.directory, "large")
    with open(large, "wb") as file:
        file.truncate(SIZE_MAX + 1)
    for name, arguments, words in (
            ("a file that is missing", ["/nonexistent/mail"], "cannot read the message in '/nonexistent/mail': No such file"),
            ("a directory", [tester.directory], "Is a directory"),
            ("two messages", ["-", "other"], "takes one message at most, got 'other' too"),
            ("a message that is too large", [large], "is larger than 64 MiB")):
        run = subprocess.run(base + arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        expect_words(tester, "%s is an error" % name, run, 2, "smtptrail check-auth: ", words)


def main():
    if not find_program("nsd"):
        print("skipped: nsd is missing (apt-get install nsd)")
        return SKIPPED
    messages = Messages()
    with Nsd(messages.zone) as nsd, tempfile.TemporaryDirectory(prefix="smtptrail-check-auth-") as directory:
        tester = Tester(nsd, directory)
        check_messages(tester, messages)
        check_steps(tester, messages)
        check_forms(tester, messages)
        check_from(tester, messages)
        check_large(tester, messages)
        check_errors(tester)
    print("%d as expected, %d not" % (tester.passed, tester.failed))
    return 1 if tester.failed or not tester.passed else 0


if __name__ == "__main__":
    sys.exit(main())
