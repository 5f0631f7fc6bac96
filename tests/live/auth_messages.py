"""auth_messages.py - messages that pass and fail SPF, DKIM and DMARC in each way, and the DNS they need.

Each row tells who sends what, and what must be found. Signed with python3-dkim's parts (dkim_cases.py).
"""
from dkim_cases import Key, sign

BODY = "Hello,\r\n\r\nthis was signed.\r\n"
CLIENT = "192.0.2.7"

ZONE = """\
good.example.org. TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.good.example.org. TXT "v=DMARC1; p=reject; rua=mailto:r@good.example.org"
soft.example.org. TXT "v=spf1 ~all"
fail.example.org. TXT "v=spf1 -all exp=why.fail.example.org"
why.fail.example.org. TXT "%{i} may not send for %{d}"
_dmarc.fail.example.org. TXT "v=DMARC1; p=reject"
broken.example.org. TXT "v=spf1 nonsense:x -all"
many.example.org. TXT "v=spf1 a a a a a a a a a a a -all"
many.example.org. A 198.51.100.1
loop.example.org. TXT "v=spf1 include:loop.example.org -all"
signed.example.org. A 198.51.100.2
_dmarc.signed.example.org. TXT "v=DMARC1; p=quarantine; adkim=s"
revoked._domainkey.signed.example.org. TXT "v=DKIM1; p="
forged._domainkey.signed.example.org. TXT "v=DKIM1; n=original; p="
list.example.net. TXT "v=spf1 ip4:192.0.2.7 -all"
plain.example.net. A 198.51.100.3
slow.example.net. TXT "v=spf1 a:1.%{l}.slow.example.net a:2.%{l}.slow.example.net a:3.%{l}.slow.example.net -all"
*.slow.example.net. A 198.51.100.4
_dmarc.example.com. TXT "v=DMARC1; p=reject"
"""


class Raw:
    """Message bytes as a client sends them."""

    def __init__(self, data):
        self.bytes = data if isinstance(data, bytes) else data.encode("utf-8", "surrogateescape")


class Row:
    def __init__(self, name, words, sender, message, verdict, dkim=(), spf=None, dmarc=None, helo="mail.example.net"):
        self.name, self.words, self.sender, self.message, self.helo = name, words, sender, Raw(message), helo
        self.verdict, self.dkim, self.spf, self.dmarc = verdict, list(dkim), spf or {}, dmarc or {}


def headers(domain):
    return [("From", " Ann <ann@%s>" % domain), ("To", " joe@lab.test"), ("Subject", " signed or not"),
            ("Date", " Sat, 21 Nov 2026 08:00:00 +0000"), ("Message-ID", " <1@%s>" % domain)]


def text(domain, signatures="", body=BODY):
    return signatures + "".join("%s:%s\r\n" % each for each in headers(domain)) + "\r\n" + body


class Messages:
    """zone: for nsd. rows: in the order of the demo."""

    def __init__(self):
        self.rsa, self.ed = Key("rsa2048"), Key("ed25519")
        self.zone = ZONE
        for selector, key in (("rsa", self.rsa), ("ed", self.ed)):
            record = key.record("t=y; " if key is self.ed else "")
            for domain in ("signed.example.org", "list.example.net"):
                self.zone += "%s._domainkey.%s. TXT %s\n" % (
                        selector, domain, " ".join('"%s"' % record[at:at + 200] for at in range(0, len(record), 200)))
        self.rows = self.spf_rows() + self.dkim_rows()
        self.odd_rows = self.from_rows()		# for tests; the demo has enough
        self.slow_rows = self.rows_of_slow_names()
        self.forged = self.signature(selector="forged")

    def signature(self, key=None, domain="signed.example.org", selector=None, **tags):
        key = key or self.rsa
        tags.update(d=domain, s=selector or ("ed" if key is self.ed else "rsa"))
        return sign(key, tags, headers=headers("signed.example.org"), body=BODY)

    @staticmethod
    def spf_rows():
        def row(name, words, spf, dmarc, domain=None, **fields):
            verdict = {"origin": "inbound", "spf": spf, "dkim": "none", "dmarc": dmarc, "action": "continue"}
            verdict.update(fields.pop("verdict", {}))
            domain = domain or name + ".example.org"
            return Row("spf-" + name, words, "ann@" + domain, text(domain), verdict,
                       spf={"result": spf, "domain": domain, **fields})
        return [
            row("good", "SPF passes, and DMARC by it", "pass", "pass", term="ip4:192.0.2.0/24",
                record_domain="good.example.org", verdict={"disposition": "none"}),
            row("soft", "SPF softfail, no DMARC policy", "softfail", "none", term="~all",
                verdict={"why": "no_record"}),
            row("fail", "SPF fails, with the owner's explanation; DMARC asks to reject", "fail", "fail", term="-all",
                explanation="192.0.2.7 may not send for fail.example.org",
                verdict={"why": "spf_fail, dkim_none", "disposition": "reject"}),
            row("broken", "an SPF record that cannot be read", "permerror", "none"),
            row("many", "an SPF record with too many lookups", "permerror", "none"),
            row("loop", "an SPF record that includes itself", "permerror", "none"),
            row("plain", "a domain without any record", "none", "none", "plain.example.net"),
        ]

    @staticmethod
    def from_rows():
        """Whose policy is asked for: SPF passes for each of them."""
        def row(name, words, lines, dmarc, **verdict):
            rest = text("good.example.org").partition("\r\n")[2]
            return Row("from-" + name, words, "ann@good.example.org", "".join(line + "\r\n" for line in lines) + rest,
                       {"spf": "pass", "dkim": "none", "dmarc": dmarc, "disposition": "none", **verdict})
        good, other = "From: Ann <ann@good.example.org>", "From: bob@fail.example.org"
        return [
            row("none", "no From:", [], "permerror", why="no_from"),
            row("empty", "a From: without an address", ["From: Ann"], "permerror", why="no_from"),
            row("two-fields", "two From: fields of two domains", [good, other], "permerror", why="multiple_from"),
            row("two-addresses", "one From: with addresses of two domains", [good + ", bob@fail.example.org"], "permerror",
                why="multiple_from"),
            row("same-domain", "two addresses of one domain", [good + ", bob@GOOD.example.org"], "pass"),
            row("literal", "an address literal in From:", ["From: ann@[192.0.2.7]"], "permerror", why="no_from"),
            row("u-label", "a From: with an U-label", ["From: ann@m\xfcller.example.org"], "none", why="no_record"),
        ]

    @staticmethod
    def rows_of_slow_names():
        """Names below slow.example.net are answered so late that a message's time is over after a few."""
        verdict = {"dkim": "none", "skipped": "deadline"}
        return [
            Row("slow-helo", "a HELO whose DNS is slow takes nothing from the other checks", "ann@good.example.org",
                text("good.example.org"), {**verdict, "spf": "pass", "dmarc": "pass"},
                spf={"result": "pass"}, helo="slow.example.net"),
            Row("slow-sender", "a sender whose DNS is slow leaves DMARC its time", "ann@slow.example.net",
                text("sub.example.com"), {**verdict, "spf": "temperror", "dmarc": "fail", "disposition": "reject"},
                spf={"result": "temperror"}, helo="slow.example.net"),
        ]

    def dkim_rows(self):
        def row(name, words, signatures, dkim, result, dmarc, sender="bounce@plain.example.net", body=BODY, **verdict):
            wanted = {"origin": "inbound", "dkim": result, "dmarc": dmarc, **verdict}
            return Row("dkim-" + name, words, sender, text("signed.example.org", signatures, body), wanted, dkim)
        ok = {"result": "pass", "body_hash_match": "yes", "domain": "signed.example.org"}
        return [
            row("rsa", "a good RSA signature: DMARC passes by DKIM", self.signature(),
                [{**ok, "selector": "rsa", "algorithm": "rsa-sha256", "key_bits": "2048", "testing": "no",
                  "canonicalization": "relaxed/relaxed", "signed_headers": "from:to:subject:date:message-id"}],
                "pass", "pass"),
            row("ed25519", "a good ed25519 signature of a part of the body, by a key that is being tested",
                self.signature(self.ed, c="simple/relaxed", i="ann@news.signed.example.org", l="7", t="1700000000"),
                [{**ok, "algorithm": "ed25519-sha256", "key_bits": "256", "testing": "yes", "length": "7",
                  "canonicalization": "simple/relaxed", "dkim_identity": "ann@news.signed.example.org",
                  "signed_at": "2023-11-14T22:13:20.000000Z"}], "pass", "pass"),
            row("both", "two good signatures", self.signature(self.ed) + self.signature(),
                [ok, ok], "pass", "pass"),
            row("body", "the body was changed on its way: DMARC asks for quarantine", self.signature(),
                [{"result": "fail", "body_hash_match": "no"}], "fail", "fail", body=BODY.replace("was", "is"),
                disposition="quarantine"),
            row("no-key", "the key is missing", self.signature(selector="gone"),
                [{"result": "permerror", "error": "no key: no such name"}], "permerror", "fail"),
            row("revoked", "the key is revoked", self.signature(selector="revoked"),
                [{"result": "permerror", "error": "key revoked"}], "permerror", "fail"),
            row("expired", "the signature has expired", self.signature(t="1600000000", x="1600086400"),
                [{"result": "neutral", "expires": "2020-09-14T12:26:40.000000Z"}], "neutral", "fail"),
            row("unaligned", "a list's mail: SPF and DKIM pass for the list, not for the author",
                self.signature(domain="list.example.net"), [{"result": "pass", "domain": "list.example.net"}],
                "pass", "fail", sender="bounce@list.example.net", spf="pass", why="spf_unaligned, dkim_unaligned"),
            row("eleven", "eleven signatures: ten are checked", self.signature() * 11,
                [ok] * 10 + [{"result": "policy"}], "pass", "pass", skipped="limit"),
        ]
