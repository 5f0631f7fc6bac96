#!/usr/bin/python3
"""test_spf_differential.py - the builtin SPF engine against python3-spf, on generated records over a real DNS server.

Every difference must have one of the explanations in EXPLAINED; their counts are printed, one without is a
failure. How often libspf2 agrees is printed too. Arguments: the seed and the number of records.
"""
import random
import sys

from dns_lab import Nsd, Probe, find_program, txt
from lab import SKIPPED, LabError

HOSTS = """
h1.example.com. A 192.0.2.1
h2.example.com. A 192.0.2.2
h3.example.com. A 198.51.100.3
h6.example.com. AAAA 2001:db8::6
h46.example.com. A 192.0.2.1
h46.example.com. AAAA 2001:db8::1
alias.example.com. CNAME h1.example.com.
mx1.example.com. MX 10 h2.example.com.
mx1.example.com. MX 20 h1.example.com.
mx2.example.com. MX 10 gone1.example.com.
mx2.example.com. MX 20 h1.example.com.
mxnull.example.com. MX 0 .
1.2.0.192.in-addr.arpa. PTR h1.example.com.
1.2.0.192.in-addr.arpa. PTR h3.example.com.
2.2.0.192.in-addr.arpa. PTR gone2.example.com.
1.2.0.192.ex.example.com. A 127.0.0.2
ann.ex.example.com. A 127.0.0.2
loop.example.com. CNAME loop.example.com.
why.example.com. TXT "%{i} is not for %{d}, %{l} of %{o}"
inc1.example.com. TXT "v=spf1 ip4:192.0.2.1 -all"
inc2.example.com. TXT "v=spf1 a:h1.example.com mx:mx1.example.com ~all"
inc3.example.com. TXT "v=spf1 include:inc2.example.com ?all"
inc4.example.com. TXT "v=spf1 foo:bar -all"
inc5.example.com. TXT "v=spf1 redirect=inc1.example.com"
inc6.example.com. TXT "v=spf1 a:loop.example.com -all"
inc7.example.com. TXT "v=spf1 include:inc7.example.com -all"
""" + "mx11.example.com. TXT x\n" + "".join("mx11.example.com. MX %d h%d.example.com.\n" % (i, i) for i in range(11))
CLIENTS = ("192.0.2.1", "192.0.2.2", "198.51.100.3", "203.0.113.9", "2001:db8::1", "2001:db8::6", "::ffff:192.0.2.1")
NAMES = ("h1", "h2", "h3", "h6", "h46", "alias", "gone1", "gone2", "mx1", "mx2", "mx11", "mxnull", "loop", "inc1", "inc2")
LOCAL_PARTS = ("ann", "ann-bob-tag", "x", "")


MACROS = ("%{ir}.ex.example.com", "%{i}.ex.example.com", "%{l}.ex.example.com", "%{l1r-}.ex.example.com", "%{d}", "%{d2}",
          "%{o}", "%{h}", "%{p}.example.com", "%{v}.ex.example.com", "%{D}", "%{dr}.x.example.com", "h%%1.example.com",
          "h1.example.com.", "%{dr/+}", "a_b.example.com", "h1..example.com")
BAD_DOMAINS = ("%{x}.example.com", "%{d0}", "h1", "example.1", "%{c}.example.com", "%", "%{d", "%(d)", "", "a b")
BAD_PREFIXES = ("/33", "/024", "//129", "/", "/-1", "/24/64")
BAD_TERMS = ("foo", "1x=y", "ip4", "a:", "a/", "all.", "all:x", "include", "exists", "redirect=", "ptr/24", "x=%{x}", "a,",
             "=x", "mx;", "include:", "x=%", "exp=", "-x=y")
ODD_TERMS = ("x=y", "x-y_z.1=%{d}", "ALL", "A:H1.example.com", "moo=%{c}", "x=", "aLL", "iP4:192.0.2.1")


def pick(dice, good, bad, badness):
    return dice.choice(bad if dice.random() < badness else good)


def random_domain(dice, badness):
    if dice.random() < 0.7:
        return dice.choice(NAMES) + ".example.com"
    return pick(dice, MACROS, BAD_DOMAINS, badness)


def random_other(dice, badness):
    return pick(dice, ["inc%d.example.com" % dice.randint(1, 8), random_domain(dice, badness)], BAD_DOMAINS, badness)


def random_term(dice, badness):
    qualifier = dice.choice(("", "", "", "+", "-", "~", "?"))
    kind = dice.choice(("all", "a", "a", "mx", "mx", "ptr", "exists", "include", "include", "ip4", "ip4", "ip6", "redirect",
                        "exp", "odd"))
    prefix = pick(dice, ("",) * 6 + ("/24", "/0", "/32", "//64", "/24//64", "//0"), BAD_PREFIXES, badness)
    if kind == "all":
        return qualifier + "all"
    if kind in ("a", "mx"):
        return qualifier + kind + dice.choice(("", ":" + random_domain(dice, badness))) + prefix
    if kind == "ptr":
        return qualifier + kind + dice.choice(("", ":example.com", ":" + random_domain(dice, badness)))
    if kind == "exists":
        return qualifier + kind + ":" + random_domain(dice, badness)
    if kind == "include":
        return qualifier + kind + ":" + random_other(dice, badness)
    if kind == "ip4":
        return qualifier + kind + ":" + pick(dice, ("192.0.2.1", "192.0.2.0/24", "198.51.100.0/25", "0.0.0.0/0"),
                                             ("192.0.2.1/33", "192.0.2.01", "192.0.2", "192.0.2.1/", "192.0.2.1//24"), badness)
    if kind == "ip6":
        return qualifier + kind + ":" + pick(dice, ("2001:db8::/32", "2001:db8::1", "::/0", "::ffff:192.0.2.1"),
                                             ("2001:db8::1/129", "::g", "::1/064", "1:2:3:4:5:6:7:8:9"), badness)
    if kind == "redirect":
        return "redirect=" + random_other(dice, badness)
    if kind == "exp":
        return "exp=" + dice.choice(("why.example.com", random_domain(dice, badness)))
    return pick(dice, ODD_TERMS, BAD_TERMS, badness)


def random_record(dice):
    badness = dice.choice((0, 0, 0, 0.1, 0.3))
    terms = [random_term(dice, badness) for _ in range(dice.choice((1, 2, 2, 3, 3, 4, 5, 8, 14)))]
    if dice.random() < 0.7:
        terms.append(dice.choice(("-all", "~all", "?all", "+all")))
    return dice.choice(("v=spf1 ",) * 12 + ("V=SPF1 ", "v=spf1  ")) + (" " if dice.random() < 0.95 else "  ").join(terms)


# Why the two differ, for (record, ours, pyspf's result): the first that is true counts.
EXPLAINED = (
    ("python3-spf looks at the domain of every term before the first is evaluated, %{p} among them: its void "
     "look-ups count, also of terms that are not reached",
     lambda case, ours, theirs: "%{p}" in case["record"] and theirs == "permerror"),
    ("python3-spf counts redirect= as a look-up although a mechanism matched",
     lambda case, ours, theirs: "redirect=" in case["record"] and theirs == "permerror" and "lookups" in case["words"]),
    ("python3-spf refuses an include of the record's own domain, also where it is not reached",
     lambda case, ours, theirs: "trivial recursion" in case["words"]),
    ("python3-spf refuses every modifier that stands twice, RFC 7208 only redirect= and exp=",
     lambda case, ours, theirs: "MUST appear at most once" in case["words"]),
    ("python3-spf asks for all hosts of an MX before it compares: void look-ups after a match count",
     lambda case, ours, theirs: "mx" in case["record"].lower() and "Void lookup" in case["words"]),
    ("python3-spf asks c, r, t in an unknown modifier to stand in explanations only; the grammar allows them",
     lambda case, ours, theirs: "c,r,t macros" in case["words"]),
    ("python3-spf follows CNAMEs itself and takes a loop for no data; a resolver fails, and so it is a temporary error",
     lambda case, ours, theirs: ours == "temperror" and "loop.example.com" in case["error"]),
    ("python3-spf counts a void look-up twice where a CNAME led to it",
     lambda case, ours, theirs: "alias.example.com" in case["record"] and "Void lookup" in case["words"]),
    ("python3-spf cuts labels off the left of an explanation of more than 253 bytes, as if it were a domain",
     lambda case, ours, theirs: ours == "explanation" and len(case["explanation"]) > 253 and
     case["explanation"].endswith(case["words"])),
    ("python3-spf passes over %{d0}; RFC 7208 7.3: the value MUST be nonzero",
     lambda case, ours, theirs: ours == "permerror" and "keeps 0 parts" in case["error"]),
)


def ask_python_spf(spf, client, sender, helo):
    query = spf.query(i=client, s=sender, h=helo, timeout=3, querytime=20)
    query.set_default_explanation("")
    result, _, words = query.check()
    return result, words


def generate(dice, count):
    cases = []
    for number in range(count):
        domain = "r%d.test%d.example.com" % (number, number % 7)
        local = dice.choice(LOCAL_PARTS)
        cases.append({"record": random_record(dice), "domain": domain, "client": dice.choice(CLIENTS),
                      "sender": local + "@" + domain, "helo": dice.choice(("h1.example.com", "mail.example.com"))})
    return cases


def compare(spf, probe, case):
    ours = probe.spf("builtin", case["client"], case["helo"], case["sender"])
    case["error"], case["explanation"] = ours["error"], ours["explanation"]
    theirs, case["words"] = ask_python_spf(spf, case["client"], case["sender"], case["helo"])
    libspf2 = probe.spf("libspf2", case["client"], case["helo"], case["sender"])["result"]
    same = ours["result"] == theirs
    if same and theirs == "fail" and case["words"] != ours["explanation"]:
        return False, "explanation %r, python3-spf %r" % (ours["explanation"], case["words"]), libspf2 == ours["result"]
    return same, "%s (%s), python3-spf %s (%s)" % (ours["result"], ours["error"], theirs, case["words"]), \
        libspf2 == ours["result"]


def run(spf, seed, count):
    cases = generate(random.Random(seed), count)
    zone = "".join("%s. %s\n" % tuple(line.split(". ", 1)) for line in HOSTS.splitlines() if line)
    zone += "".join("%s. TXT %s\n" % (case["domain"], txt(case["record"])) for case in cases)
    counts, unexplained, results, libspf2_agrees = {}, [], {}, 0
    with Nsd("$TTL 300\n" + zone) as nsd, Probe(nsd.address) as probe:
        spf.DNS.defaults["server"], spf.DNS.defaults["port"] = ["127.0.0.1"], nsd.port
        for case in cases:
            same, difference, agrees = compare(spf, probe, case)
            libspf2_agrees += agrees
            results[difference.split(" ")[0]] = results.get(difference.split(" ")[0], 0) + 1
            if same:
                continue
            ours, theirs = difference.split(" ")[0], difference.split("python3-spf ")[1].split(" ")[0]
            words = next((words for words, holds in EXPLAINED if holds(case, ours, theirs)), None)
            counts[words] = counts.get(words, 0) + 1
            if words is None:
                unexplained.append("%s\n    %s\n    client %s sender %s helo %s" %
                                   (case["record"], difference, case["client"], case["sender"], case["helo"]))
    print("seed %d: %d records; results %s" % (seed, count, ", ".join("%s %d" % each for each in sorted(results.items()))))
    for words, number in counts.items():
        print("%4d differ: %s" % (number, words or "without an explanation"))
    print("libspf2 behind its guards agrees with the builtin engine on %d of %d" % (libspf2_agrees, count))
    for text in unexplained[:20]:
        print(text)
    return 1 if unexplained else 0


def main():
    if not find_program("nsd"):
        print("skipped: nsd is missing (apt-get install nsd)")
        return SKIPPED
    try:
        import DNS
        import spf
    except ImportError:
        print("skipped: python3-spf or python3-dns is missing")
        return SKIPPED
    spf.DNS, spf.DNSLookup = DNS, spf.DNSLookup_pydns
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 7208
    try:
        return run(spf, seed, int(sys.argv[2]) if len(sys.argv) > 2 else 1500)
    except LabError as error:
        print("FAILED", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
