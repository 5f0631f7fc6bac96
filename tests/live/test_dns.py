#!/usr/bin/python3
"""test_dns.py - the resolver and check-auth against a real DNS server, and against servers that misbehave.

Arguments: names of cases; without any, all.
"""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

from cases import case, run_cases
from dns_lab import BadServer, Nsd, Probe, find_program, sign_zone, txt
from lab import SKIPPED, Missing, check

ZONE = """
a.example.com. 300 IN A 192.0.2.1
a.example.com. 300 IN AAAA 2001:db8::1
short.example.com. 1 IN A 192.0.2.1
alias.example.com. 300 IN CNAME a.example.com.
loop.example.com. 300 IN CNAME loop.example.com.
mx.example.com. 300 IN MX 20 b.example.com.
mx.example.com. 300 IN MX 10 a.example.com.
nullmx.example.com. 300 IN MX 0 .
1.2.0.192.in-addr.arpa. 300 IN PTR a.example.com.
7.0.0.10.in-addr.arpa. 300 IN PTR intern.example.com.
mail.corp.test. 300 IN A 10.0.0.7
odd\\046name.example.com. 300 IN A 192.0.2.9
""" + "nul.example.com. 300 IN TXT %s\n" % txt(b"a\0b") + \
    'parts.example.com. 300 IN TXT "v=spf1 " "-all"\n' + \
    "long.example.com. 300 IN TXT %s\n" % txt("x" * 3000) + \
    "many.example.com. 300 IN TXT a\nmany.example.com. 300 IN TXT b\n" + \
    "pass.example.com. 300 IN TXT %s\n" % txt("v=spf1 ip4:192.0.2.1 -all") + \
    "fail.example.com. 300 IN TXT %s\n" % txt("v=spf1 exp=why.example.com -all") + \
    "why.example.com. 300 IN TXT %s\n" % txt("no mail from %{i}") + \
    "_dmarc.fail.example.com. 300 IN TXT %s\n" % txt("v=DMARC1; p=reject") + \
    "_dmarc.pass.example.com. 300 IN TXT %s\n" % txt("v=DMARC1; p=quarantine")


def expect(probe, kind, name, status, items=None):
    got = probe.dns(kind, name)
    check(got[0] == status, "%s %s is '%s', got %r" % (kind, name, status, got[3]))
    if items is not None:
        check(got[2] == items, "%s %s has %r, got %r" % (kind, name, items, got[2]))
    return got


@case
def tells_the_kinds_of_answers_apart():
    with Nsd(ZONE) as nsd, Probe(nsd.address) as probe:
        expect(probe, "A", "a.example.com", "data", ["\\xc0\\x00\\x02\\x01"])
        expect(probe, "A", "A.Example.COM.", "data")
        expect(probe, "TXT", "a.example.com", "no data")
        expect(probe, "A", "gone.example.com", "no such name")
        expect(probe, "A", "alias.example.com", "data", ["\\xc0\\x00\\x02\\x01"])
        expect(probe, "A", "loop.example.com", "temporary failure")
        expect(probe, "A", "a..example.com", "bad name")
        expect(probe, "A", "x" * 64 + ".example.com", "bad name")
        expect(probe, "A", ".".join(["x" * 60] * 5), "bad name")


@case
def keeps_what_records_hold():
    with Nsd(ZONE) as nsd, Probe(nsd.address) as probe:
        expect(probe, "TXT", "nul.example.com", "data", ["a\\x00b"])
        expect(probe, "TXT", "parts.example.com", "data", ["v=spf1 -all"])
        expect(probe, "TXT", "long.example.com", "data", ["x" * 3000])
        check(sorted(expect(probe, "TXT", "many.example.com", "data")[2]) == ["a", "b"], "both TXT records came")
        check(sorted(expect(probe, "MX", "mx.example.com", "data")[2]) == ["10 a.example.com", "20 b.example.com"],
              "both MX records came with their preferences")
        expect(probe, "MX", "nullmx.example.com", "data", ["0 "])
        expect(probe, "PTR", "1.2.0.192.in-addr.arpa", "data", ["a.example.com"])


@case
def asks_for_private_and_test_names_and_takes_no_byte_for_an_escape():
    with Nsd(ZONE) as nsd, Probe(nsd.address) as probe:
        expect(probe, "PTR", "7.0.0.10.in-addr.arpa", "data", ["intern.example.com"])
        expect(probe, "A", "mail.corp.test", "data")
        expect(probe, "A", "odd\\046name.example.com", "no such name")
        expect(probe, "A", "a\\.example.com", "no such name")


@case
def answers_again_from_its_cache_and_tells_so():
    with Nsd(ZONE) as nsd, Probe(nsd.address) as probe:
        expect(probe, "A", "a.example.com", "data")
        expect(probe, "A", "gone.example.com", "no such name")
        nsd.stop()
        expect(probe, "A", "a.example.com", "data")
        expect(probe, "A", "gone.example.com", "no such name")
        figures = probe.statistics()
        check(figures["cache_hits"] == 2 and figures["cache_entries"] == 2 and figures["questions"] == 4,
              "the cache is counted: %r" % figures)


@case
def a_silent_server_costs_no_more_than_the_time_of_a_question():
    with BadServer(lambda query, ask: None) as silent, Probe("-t", "400", silent.address) as probe:
        _, seconds, _, answer = expect(probe, "A", "a.example.com", "temporary failure")
        check(0.35 < seconds < 5, "it took %.2f s" % seconds)
        check(answer[4] == "no answer in time", "the words are '%s'" % answer[4])
        check(probe.statistics()["timeouts"] == 1, "the time-out is counted")


@case
def a_job_ends_at_its_deadline_with_a_silent_server():
    with BadServer(lambda query, ask: None) as silent, Probe("-t", "5000", "-j", "300", silent.address) as probe:
        begin = time.monotonic()
        outcome = probe.spf("builtin", "192.0.2.1", "mail.example.com", "a@example.com")
        check(outcome["result"] == "temperror", "SPF is a temporary error, not %r" % outcome)
        check(time.monotonic() - begin < 4.5, "it took %.2f s" % (time.monotonic() - begin))


@case
def a_slow_server_is_waited_for():
    def slow(query, ask):
        time.sleep(0.3)
        return ask(query)
    with Nsd(ZONE) as nsd, BadServer(slow, nsd.port) as server, Probe(server.address) as probe:
        _, seconds, _, _ = expect(probe, "A", "a.example.com", "data")
        check(0.25 < seconds < 30, "it took %.2f s" % seconds)


@case
def what_a_fast_server_has_to_look_for_is_waited_for():
    """As of a resolver: what is in its cache comes at once, another name after a while, and is there from then on."""
    due = {}
    def cold(query, ask):
        name = query[12:]
        if b"cold" in name:
            time.sleep(max(0, due.setdefault(name, time.monotonic() + seconds) - time.monotonic()))
        return ask(query)
    with Nsd(ZONE + "*.any.example.com. 300 IN A 192.0.2.1\n") as nsd, BadServer(cold, nsd.port) as server, \
            Probe(server.address) as probe:
        for seconds in (0.5, 1.0, 2.0):
            for number in range(6):
                expect(probe, "A", "warm%d-%g.any.example.com" % (number, seconds), "data")
            _, took, _, _ = expect(probe, "A", "cold-%g.any.example.com" % seconds, "data")
            check(took >= 0.9 * seconds, "it was cold: %g s" % took)


@case
def lies_and_garbage_are_no_answers():
    def other_id(query, ask):
        reply = bytearray(ask(query))
        reply[0] ^= 255
        return bytes(reply)
    def other_name(query, ask):
        return ask(query).replace(b"\x01a\x07example", b"\x01b\x07example")
    with Nsd(ZONE) as nsd:
        for lie in (other_id, other_name, lambda query, ask: b"", lambda query, ask: query[:2] + os.urandom(40),
                    lambda query, ask: ask(query)[:20]):
            with BadServer(lie, nsd.port) as server, Probe("-t", "700", server.address) as probe:
                expect(probe, "A", "a.example.com", "temporary failure")


@case
def a_server_that_comes_back_is_asked_again():
    with Nsd(ZONE) as nsd, Probe("-t", "400", nsd.address) as probe:
        expect(probe, "A", "a.example.com", "data")
        nsd.stop()
        for number in range(8):
            expect(probe, "A", "n%d.example.com" % number, "temporary failure")
        nsd.start()
        begin = time.monotonic()
        while probe.dns("A", "mx%d.example.com" % int(time.monotonic() * 1000))[0] != "no such name":
            check(time.monotonic() - begin < 15, "it is asked again within 15 s")
            time.sleep(0.1)
        print("asked again after %.1f s" % (time.monotonic() - begin))


@case
def a_second_server_answers_where_the_first_is_silent():
    with Nsd(ZONE) as nsd, BadServer(lambda query, ask: None) as silent:
        with Probe("-t", "4000", silent.address, nsd.address) as probe:
            for number in range(6):
                expect(probe, "A", "n%d.example.com" % number, "no such name")


# In a network and with an /etc/resolv.conf of its own: nsd there, and a question until it answers.
PRIVATE = """
ip link set lo up && mount --bind "$1/resolv.conf" /etc/resolv.conf || exit 99
"$2" -d -c "$1/nsd.conf" &
for try in 1 2 3 4 5 6 7 8 9 10; do
    "$3" check-auth --client 192.0.2.1 --helo "" --from a@pass.example.com --timeout 2 >"$1/out" 2>&1
    grep -q "= pass" "$1/out" && break
    sleep 0.2
done
kill $!
wait
cat "$1/out"
"""


@case
def the_servers_of_resolv_conf_are_asked():
    with tempfile.TemporaryDirectory(prefix="smtptrail-dns-") as directory:
        Nsd(ZONE, directory=directory, port=53)
        with open(os.path.join(directory, "resolv.conf"), "w", encoding="ascii") as file:
            file.write("search example.org\nnameserver 127.0.0.1\noptions timeout:1\n")
        program = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "smtptrail"))
        words = ["unshare", "-n", "-m", "--propagation", "private"]
        if subprocess.run(words + ["true"], stderr=subprocess.DEVNULL, check=False).returncode:
            print("not checked: there are no namespaces here")
            return
        run = subprocess.run(words + ["sh", "-c", PRIVATE, "sh", directory, find_program("nsd"), program], capture_output=True,
                             text=True, timeout=60, check=False)
        check("= pass, by ip4:192.0.2.1" in run.stdout, "it answers: %r" % run)


def sign(directory):
    files = sign_zone(directory, ZONE + "forged.example.com. 300 IN TXT original\n")
    if files is None:
        raise Missing("ldns-signzone is not installed: apt-get install ldnsutils")
    return files


@case
def dnssec_tells_secure_from_bogus():
    with tempfile.TemporaryDirectory(prefix="smtptrail-dns-") as directory:
        files = sign(directory)
        with Nsd(zone_file=files[0]) as nsd:
            with Probe("-a", files[1], nsd.address) as probe:
                check(expect(probe, "A", "a.example.com", "data")[3][1] == "secure", "data are proved")
                check(expect(probe, "A", "gone.example.com", "no such name")[3][1] == "secure", "absence is proved")
                forged = expect(probe, "TXT", "forged.example.com", "bogus")
                check(forged[3][4] != "", "there are words for it: %r" % forged[3])
                check(probe.spf("builtin", "192.0.2.1", "", "a@forged.example.com")["result"] == "temperror",
                      "a bogus record is a temporary error")
            with Probe(nsd.address) as probe:
                check(expect(probe, "A", "a.example.com", "data")[3][1] == "insecure", "nothing is proved unasked")
                expect(probe, "TXT", "forged.example.com", "data")


def check_auth(nsd, *arguments):
    program = os.path.join(os.environ.get("top_builddir", "."), "smtptrail")
    return subprocess.run([program, "check-auth", "--dns", nsd.address] + list(arguments), capture_output=True, text=True,
                          timeout=60, check=False)


@case
def check_auth_shows_each_step_and_tells_by_its_exit_status():
    with Nsd(ZONE) as nsd:
        run = check_auth(nsd, "--client", "192.0.2.1", "--helo", "mail.example.com", "--from", "a@pass.example.com",
                         "--header-from", "News <a@pass.example.com>")
        check(run.returncode == 0, "exit status 0, not %d: %s" % (run.returncode, run.stderr))
        for words in ('dns TXT pass.example.com: "v=spf1 ip4:192.0.2.1 -all"', 'term "ip4:192.0.2.1": match: pass',
                      "= pass, by ip4:192.0.2.1 of pass.example.com", "policy of pass.example.com: v=DMARC1; p=quarantine",
                      "= pass, disposition none"):
            check(words in run.stdout, "%r is in\n%s" % (words, run.stdout))
        run = check_auth(nsd, "--client", "192.0.2.1", "--helo", "mail.example.com", "--from", "a@fail.example.com",
                         "--header-from", "a@fail.example.com", "--spf-engines", "builtin,libspf2")
        check(run.returncode == 1, "exit status 1, not %d" % run.returncode)
        check("no mail from 192.0.2.1" in run.stdout, "the explanation is shown")
        check("disposition reject by p" in run.stdout, "the disposition is shown: " + run.stdout)
        check(run.stdout.count("engine libspf2") == 2, "libspf2 was asked for both identities")


@case
def check_auth_gives_json():
    with Nsd(ZONE) as nsd:
        run = check_auth(nsd, "--json", "--client", "192.0.2.1", "--helo", "mail.example.com", "--from",
                         "a@fail.example.com", "--header-from", "a@fail.example.com")
        found = json.loads(run.stdout)
        check([each["spf_identity"] for each in found["spf"]] == ["helo", "mailfrom"], "both identities")
        spf = found["spf"][1]
        check(spf["result"] == "fail" and spf["term"] == "-all" and spf["explanation"] == "no mail from 192.0.2.1",
              "the outcome: %r" % spf)
        check({"dns", "record", "term", "explanation"} == {each["step"] for each in spf["steps"]}, "all kinds of steps")
        check(found["dmarc"][0]["why"] == ["spf_fail", "dkim_none"], "why: %r" % found["dmarc"])


@case
def check_auth_says_what_it_cannot_ask():
    with Nsd(ZONE) as nsd:
        for arguments in (["--client", "x", "--helo", "a"], ["--client", "192.0.2.1"], ["--helo", "a"],
                          ["--client", "192.0.2.1", "--helo", "a", "--spf-engines", "other"],
                          ["--client", "192.0.2.1", "--helo", "a", "--timeout", "0"],
                          ["--client", "192.0.2.1", "--helo", "a", "--trust-anchor", "/nonexistent"],
                          ["--client", "192.0.2.1", "--helo", "a", "--dns", "nowhere"]):
            run = check_auth(nsd, *arguments)
            check(run.returncode == 2 and run.stderr.startswith("smtptrail check-auth: "), "%r: %r" % (arguments, run))


def check_milter(directory, *servers, more=""):
    """What --check says of the DNS, and how long it took."""
    path = os.path.join(directory, "milter.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("dns_servers = { %s }\n%s" % (", ".join('"%s"' % each for each in servers), more))
    program = os.path.join(os.environ.get("top_builddir", "."), "smtptrail-milter")
    begun = time.monotonic()
    run = subprocess.run([program, "-c", path, "--check"], capture_output=True, text=True, timeout=60, check=False)
    seconds = time.monotonic() - begun
    lines = [line.split(None, 2) for line in run.stdout.splitlines() if line.split(None, 2)[1] in ("dns", "dmarc")]
    return [(line[0], line[2]) for line in lines if line[1] == "dns"], [line[0] for line in lines if line[1] == "dmarc"], seconds


@case
def the_milters_check_asks_each_server():
    def refuses(query, ask):
        return query[:2] + b"\x81\x85" + query[4:]
    silent = [BadServer(lambda query, ask: None) for _ in range(4)]
    with Nsd(ZONE) as nsd, tempfile.TemporaryDirectory(prefix="smtptrail-dns-") as directory, contextlib.ExitStack() as stack:
        for server in silent:
            stack.enter_context(server)
        refusing = stack.enter_context(BadServer(refuses))
        words, suffixes, seconds = check_milter(directory, nsd.address, refusing.address, *(each.address for each in silent))
        check([each[0] for each in words] == ["ok"] + ["warning"] * 5, "one answers, five do not: %r" % words)
        check(words[0][1].startswith("server %s answers, " % nsd.address), "it is named: %r" % words)
        for server, (_, line) in zip([refusing] + silent, words[1:]):
            check(line.startswith("server %s does not answer (" % server.address), "it is named: %r" % line)
        check(suffixes == ["ok"], "the public suffix list is there")
        print("six servers were asked in %.1f s" % seconds)
        words, suffixes, _ = check_milter(directory, nsd.address, more='public_suffix_list = "/nonexistent"\n')
        check(words[0][0] == "ok" and suffixes == ["error"], "a list that is missing is an error: %r" % suffixes)
        words, suffixes, _ = check_milter(directory, nsd.address, more='dnssec_trust_anchor = "/nonexistent"\n')
        check(words[0] == ("error", "cannot read the trust anchor '/nonexistent': No such file or directory"), repr(words))
        words, suffixes, _ = check_milter(directory, silent[0].address, more="auth = no\n")
        check(len(words) == 1 and words[0][0] == "ok" and not suffixes, "nobody is asked where nothing is checked: %r" % words)


@case
def the_milters_check_tells_of_dnssec():
    with tempfile.TemporaryDirectory(prefix="smtptrail-dns-") as directory:
        files = sign(directory)
        with Nsd(zone_file=files[0]) as nsd:
            words, _, _ = check_milter(directory, nsd.address, more='dnssec_trust_anchor = "%s"\n' % files[1])
            check(words[0][0] == "ok" and "proved by DNSSEC" in words[0][1], "the answer is proved: %r" % words)
        with Nsd(ZONE) as nsd:
            words, _, _ = check_milter(directory, nsd.address, more='dnssec_trust_anchor = "%s"\n' % files[1])
            check(words[0][0] == "warning" and "not what DNSSEC accepts" in words[0][1], "an unsigned zone: %r" % words)


def main():
    if not find_program("nsd"):
        print("skipped: nsd is missing (apt-get install nsd)")
        return SKIPPED
    return run_cases()


if __name__ == "__main__":
    sys.exit(main())
