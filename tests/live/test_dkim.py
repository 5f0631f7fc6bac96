#!/usr/bin/python3
"""test_dkim.py - the whole table of cases, made anew, and thousands of mutations judged by python3-dkim too.

Each disagreement has to be one of those that are explained below. The number of mutations may be an
argument, and a seed behind it.
"""
import io
import logging
import os
import random
import re
import subprocess
import sys

SKIPPED = 77
try:
    import dkim
    import dkim_cases
except ImportError as error:
    print("skipped: python3-dkim and python3-nacl are needed: %s" % error)
    sys.exit(SKIPPED)

# python3-dkim passes what we do not. (name, how to know it, why)
WE_ARE_STRICTER = [
    ("an empty tag", lambda error: error.startswith("syntax: an empty tag"),
     "RFC 6376 3.2 has no empty tag between two semicolons"),
    ("a bad name of a tag", lambda error: error.startswith("syntax: a bad name"),
     "RFC 6376 3.2: a tag begins with a letter"),
    ("a byte that is not printable", lambda error: error.startswith("syntax: a byte"),
     "RFC 6376 3.2: a value is of printable ASCII"),
    ("d= or i= is no domain", lambda error: error.startswith(("d=", "i=")), "RFC 6376 3.5: d= is a domain name"),
    ("more in h= than is looked at", lambda error: error.startswith("limit"), "a limit of ours"),
    ("a blank before the = of b", lambda error: error.startswith("a blank"), "libopendkim cannot cut it out"),
    ("times", lambda error: error.startswith(("expired", "signed in the future", "it expires")),
     "python3-dkim allows ten hours"),
    ("q= with no way that is known", lambda error: error.startswith("q="), "python3-dkim does not look at q="),
    ("the record of the key", lambda error: error.startswith(("broken key", "wrong key", "key not usable")),
     "python3-dkim reads less of the record"),
    ("l= in odd forms", lambda error: error.startswith("l="), "python3-dkim reads it with int()"),
    ("base64 with bytes of other alphabets", lambda error: error.startswith(("b= is no", "bh= is no")),
     "python3-dkim passes over them"),
    ("rsa-sha1", lambda error: error.startswith("rsa-sha1"), "RFC 8301"),
]


def run_probe(table, piece=0, kept=65536):
    """Rows of name, results, error. The body comes in pieces of so many bytes (0: in one); so much of it is kept."""
    program = os.path.join(os.environ.get("top_builddir", "."), "tests/unit/test_dkim")
    output = subprocess.run([program, "--probe", str(piece), str(kept)], input=table, stdout=subprocess.PIPE, check=True,
                            timeout=300).stdout
    return [line.split("\t") for line in output.decode("utf-8", "replace").splitlines()]


def wanted_of(table):
    """name: (results, error) as the table says; walks over messages by their length."""
    wanted, at, name = {}, 0, None
    while at < len(table):
        end = table.index(b"\n", at)
        word, _, rest = table[at:end].partition(b" ")
        at = end + 1
        if word == b"case":
            name, results, error = rest.decode(), [], ""
        elif word == b"want":
            results.append(rest.decode())
        elif word == b"error":
            error = rest.decode()
        elif word == b"message":
            at += int(rest) + 1
            wanted[name] = (", ".join(results), error)
    return wanted


def check_table():
    """The cases of the stored table and the large ones, with keys of today."""
    out = io.BytesIO()
    dkim_cases.write_table(out)
    wanted = wanted_of(out.getvalue())
    bad = 0
    for piece, kept in ((0, 65536), (65535, 65536), (777, 65536), (0, 0), (777, 0)):
        for name, results, error in run_probe(out.getvalue(), piece, kept):
            if wanted[name][0] != results or not error.startswith(wanted[name][1]):
                print("FAILED %s, pieces of %d, %d kept: %s (%s), wanted %s (%s)" % (
                    name, piece, kept, results, error, *wanted[name]))
                bad += 1
    print("%d cases, %d wrong" % (len(wanted), bad))
    return bad


class Mutator:
    """Changes of one or two places in a good message, most of them small."""

    def __init__(self, chance):
        self.chance = chance

    def place(self, data):
        """The signature is worth more changes than its share of the bytes."""
        return self.chance.randrange(len(data) if self.chance.random() < 0.5 else data.index(b"\r\n\r\n"))

    def mutate(self, message):
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            message = getattr(self, self.chance.choice(self.KINDS))(message)
        return message

    KINDS = ["change_byte", "drop_byte", "double_byte", "add_blank", "swap_case", "drop_line", "double_line",
             "swap_lines", "add_end", "cut_end", "fold", "change_tag", "drop_tag", "bare_end"]

    def change_byte(self, data):
        at = self.place(data)
        return data[:at] + bytes([self.chance.choice(b"aZ09+/=;: \t.@-")]) + data[at + 1:]

    def drop_byte(self, data):
        at = self.place(data)
        return data[:at] + data[at + 1:]

    def double_byte(self, data):
        at = self.place(data)
        return data[:at] + data[at:at + 1] + data[at:]

    def add_blank(self, data):
        at = self.place(data)
        return data[:at] + self.chance.choice((b" ", b"\t", b"  ")) + data[at:]

    def swap_case(self, data):
        at = self.place(data)
        return data[:at] + data[at:at + 1].swapcase() + data[at + 1:]

    def _with_lines(self, data, change):
        lines = data.split(b"\r\n")
        change(lines, self.chance.randrange(len(lines)))
        return b"\r\n".join(lines)

    def drop_line(self, data):
        return self._with_lines(data, lambda lines, at: lines.pop(at))

    def double_line(self, data):
        return self._with_lines(data, lambda lines, at: lines.insert(at, lines[at]))

    def swap_lines(self, data):
        def swap(lines, at):
            lines[at - 1], lines[at] = lines[at], lines[at - 1]
        return self._with_lines(data, swap)

    def add_end(self, data):
        return data + self.chance.choice((b"\r\n", b"\r\n\r\n", b" \r\n", b"x\r\n", b"x", b"\t"))

    def cut_end(self, data):
        return data[:-self.chance.randrange(1, 20)]

    def fold(self, data):
        blanks = [at for at, byte in enumerate(data[:data.index(b"\r\n\r\n")]) if byte == 32]
        at = self.chance.choice(blanks)
        return data[:at] + b"\r\n" + data[at:]

    def change_tag(self, data):
        tag, value = self.chance.choice(((b"a=", b"rsa-sha1"), (b"c=", b"simple/relaxed"), (b"l=", b"12"), (b"q=", b"dns/txt"),
                                         (b"v=", b"1"), (b"d=", b"example.net"), (b"i=", b"@a.example.com"), (b"t=", b"12"),
                                         (b"h=", b"from"), (b"x=", b"1")))
        at = data.index(b"v=")
        return data[:at] + tag + value + b"; " + data[at:]

    def drop_tag(self, data):
        tags = data.split(b";", 12)
        return b";".join(tags[:-1][:0] + [each for number, each in enumerate(tags) if number != self.chance.randrange(13)])

    def bare_end(self, data):
        at = data.index(b"\r\n\r\n") + 4
        return data[:at] + data[at:].replace(b"\r\n", self.chance.choice((b"\n", b"\r")), 1)


def good_messages(keys):
    for key in keys:
        for canonicalization in dkim_cases.CANONICALIZATIONS:
            yield key, dkim_cases.sign_by_dkim(key, canonicalization)
        yield key, dkim_cases.sign_by_dkim(key, "relaxed/relaxed", length=True)
        yield key, dkim_cases.plain(dkim_cases.sign(key, {"i": "ada@example.com", "t": "1700000000"}))


def judge_by_python(message, key):
    def answer(name, timeout=5):
        return key.record().encode() if name.rstrip(b".").lower() == b"s._domainkey.example.com" else None
    try:
        return dkim.DKIM(message, logger=QUIET).verify(dnsfunc=answer)
    except Exception:		# it raises whatever it stumbles over: that is no pass
        return False


def bare_body(message):
    body = message.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"")
    return b"\r" in body or b"\n" in body


def odd_padding(message):
    found = re.search(rb"; ?\r?\n? ?b=([^;]*?)\r\n[^ \t]", message)
    base64 = re.sub(rb"\s", b"", found.group(1)) if found else b""
    return b"=" in base64 and len(base64) % 4 != 0


def explain(message, result, error, python_passes):
    """Why it is right that the two disagree; None: there is no reason."""
    if python_passes and result != "pass":
        for name, matches, _why in WE_ARE_STRICTER:
            if matches(error):
                return name
    if bare_body(message):
        return "bare CR or LF: python3-dkim makes each a line's end, on the wire they are bytes of a line"
    head, _, body = message.partition(b"\r\n\r\n")
    if b"\r" in head.replace(b"\r\n", b"") or b"\n" in head.replace(b"\r\n", b""):
        return "bare CR or LF in the header: as in the body"
    if b"\r\n\r\n" not in message:
        return "a message without an end of its headers"
    if any(not line[:1].isspace() and b":" not in line for line in head.split(b"\r\n")):
        return "a line of the header that is none: an MTA ends the header there"
    if result == "pass" and odd_padding(message):
        return "the padding of b=: python3-dkim wants it exact, the grammar of RFC 6376 does not"
    if any(b" " in line.partition(b":")[0].strip() or b"\t" in line.partition(b":")[0].strip()
           for line in head.split(b"\r\n") if not line[:1].isspace()):
        return "a blank inside a field's name: python3-dkim refuses the message, also where the field is not signed"
    if result == "pass" and head.lower().count(b"\r\nfrom:") > 1:
        return "a second From that was not signed: python3-dkim over-signs From by itself; here DMARC refuses it"
    if result == "pass" and body.rpartition(b"\r\n")[2].strip(b" \t") == b"" and not body.endswith(b"\r\n"):
        return "blanks without a line's end at the end: SMTP sends none; python3-dkim keeps them as a line"
    if any(line.partition(b":")[0].endswith((b" ", b"\t")) for line in head.split(b"\r\n") if not line[:1].isspace()):
        return "a blank in front of the colon: obsolete, each reads it its own way"
    return None


QUIET = logging.getLogger("quiet")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


def check_mutations(count, seed):
    chance = random.Random(seed)
    mutator = Mutator(chance)
    keys = [dkim_cases.Key("rsa1024"), dkim_cases.Key("ed25519")]
    good = list(good_messages(keys))
    out = io.BytesIO()
    table = dkim_cases.Table(out)
    cases = []
    while len(cases) < count:
        key, message = chance.choice(good)
        try:
            message = mutator.mutate(message)
        except (ValueError, IndexError):
            continue
        table.add(str(len(cases)), message, [dkim_cases.at(key.record())], "unknown")
        cases.append((key, message))
    explained, unexplained, passed = {}, 0, 0
    rows = run_probe(out.getvalue())
    if run_probe(out.getvalue(), 7, 0) != rows:
        print("FAILED: it makes a difference whether a body is kept or hashed as it passes")
        unexplained += 1
    for (key, message), (name, results, error) in zip(cases, rows):
        result = "pass" if results.startswith("pass") else results.split(" ")[0]
        python_passes = judge_by_python(message, key)
        passed += python_passes
        if python_passes == (result == "pass"):
            continue
        reason = explain(message, result, error, python_passes)
        if reason:
            explained[reason] = explained.get(reason, 0) + 1
        else:
            unexplained += 1
            print("FAILED case %s: %s (%s), python3-dkim says %s:\n%r" % (name, results, error, python_passes, message))
    for reason, number in sorted(explained.items(), key=lambda each: -each[1]):
        print("%5d differ: %s" % (number, reason))
    print("%d mutations with seed %d, %d of them pass; %d differ without a reason" % (count, seed, passed, unexplained))
    return unexplained + (passed == 0) + (passed == count)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 6376
    return 1 if check_table() + check_mutations(count, seed) else 0


if __name__ == "__main__":
    sys.exit(main())
