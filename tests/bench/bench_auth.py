#!/usr/bin/python3
"""bench_auth.py - what checking SPF, DKIM and DMARC costs a signed mail that goes through Postfix.

    bench_auth.py [--quick] [--rounds N] [--sessions N,N...]

A mail of 4 kB with an RSA signature, a connection each, goes through a private Postfix (queue on tmpfs, discard
transport), in rounds whose order turns: as many as smtp-source can send, and one by one at a steady pace
(paced.py). First with an nsd of the bench's own behind both resolvers: no milter, opendkim in verify mode,
smtptrail-milter with all checks. Then with a DNS server that never answers: checks off, checks on, checks off
again. That each milter really verified is asserted: of opendkim from its Authentication-Results, of ours from the
verdict of each message. Medians over the rounds, 95 % intervals, Markdown. No run fails on a time.

Environment: as lab.py.
"""
import os
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_mail import BenchLab, resident_mib, start_milters, start_other  # noqa: E402
from bench_postfix import HEAD, Bench, added_ratio, bench_sessions  # noqa: E402
from dkim_cases import Key, sign  # noqa: E402
from dns_lab import Nsd, find_program, txt  # noqa: E402
from lab import LabError, Missing, run_test, wait_until, write  # noqa: E402
from paced import BLOCK, PACE, QUICK_BLOCK, PacedMail, added, bench_paced  # noqa: E402
from pairs import print_head, print_row, ratio_cell, read_arguments, value_in, with_interval  # noqa: E402

MESSAGES = {10: 600, 1: 250}		# of one run, by sessions at a time; the queue of jobs holds 1,000
ROUNDS, QUICK_ROUNDS = 15, 1
BODY = "".join("This is line %d of a message that was signed.\r\n" % number for number in range(75))
HEADERS = [("From", " Ann <ann@load.example.org>"), ("To", " joe@lab.test"), ("Subject", " signed"),
           ("Date", " Sat, 21 Nov 2026 08:00:00 +0000"), ("Message-ID", " <1@load.example.org>")]
ALL = ["inbound", "authenticated", "local"]
CHECKS = {"auth": "yes", "spf_origins": ALL, "dkim_origins": ALL, "dmarc_origins": ALL, "log_level": "error"}
DEAD = {"dns_timeout": "300ms", "auth_deadline": "2s"}	# a round's jobs end soon
REST_SECONDS = 1		# libunbound goes on asking after that for a while
OPENDKIM = """Mode v
Socket local:%(socket)s
UMask 0000
Syslog no
Background no
UserID root
InternalHosts 192.0.2.254
Nameservers %(server)s
PidFile %(directory)s/opendkim.pid
"""
# ResolverConfiguration would name a file that opendkim reads for each connection, in threads, and dies of it.
# A listener of its own tells what opendkim found, so that no measured mail pays for the telling.
TELLING = """127.0.0.1:%d inet n - n - - smtpd -o { smtpd_milters = { unix:%s, default_action=tempfail } }
  -o cleanup_service_name=telling
telling unix n - n - 0 cleanup -o milter_header_checks=regexp:%s
"""


class Mail:
    def __init__(self, directory):
        key = Key("rsa2048")
        self.zone = "".join("%s. 300 IN TXT %s\n" % (name, txt(text)) for name, text in (
            ("load.example.org", "v=spf1 ip4:127.0.0.1 -all"), ("client.lab.test", "v=spf1 ip4:127.0.0.1 -all"),
            ("_dmarc.load.example.org", "v=DMARC1; p=reject"), ("rsa._domainkey.load.example.org", key.record())))
        self.file = os.path.join(directory, "mail")
        text = sign(key, {"d": "load.example.org", "s": "rsa"}, headers=HEADERS, body=BODY)
        text += "".join("%s:%s\r\n" % each for each in HEADERS) + "\r\n" + BODY
        write(self.file, text.replace("\r\n", "\n"))
        self.content = ("-F", self.file)
        self.paced = PacedMail(AuthBench.sender, "joe@lab.test", text.replace("\r\n", "\n").encode())


def peak_mib(pid):
    return int(value_in("/proc/%d/status" % pid, "VmHWM").split()[0]) / 1024


def of_new_sessions(records):
    """Without those of an earlier run's jobs, and of the other milter."""
    new = {each["session"] for each in records if each["stage"] == "connect" and each["instance"] == "lab"}
    return [each for each in records if each.get("session") in new]


class AuthBench(Bench):
    """Counts the verdicts of each run, of whatever result it has to be."""

    sender = "ann@load.example.org"
    wanted = {}

    def __init__(self, lab, milters, status_files, content, more_services=""):
        super().__init__(lab, milters, status_files, content, more_services)
        self.skipped = {}		# verdicts by the reason for which a check was left out

    def wait_recorded(self, name):
        """Of each that ships: all is shipped, and no job waits."""
        def is_done():
            status = self.lab.status_of(self.shipping[name])
            return status["backlog_records"] == status["sessions"] == status["auth_waiting"] == 0
        time.sleep(0.15)		# one interval of the status file
        wait_until("all is shipped", is_done, 120)

    def observe(self, name, messages, send):
        mark = self.lab.last_id()
        figures = super().observe(name, messages, send)
        if name == "milter":
            self.check(mark, messages)
            figures["rss"] = peak_mib(self.lab.children["milter"].pid)
        return figures

    def check(self, mark, messages):
        """What was recorded since the mark: each stage of each message, and the verdict that is wanted."""
        records = of_new_sessions(self.lab.wait_records(
            "a verdict for each of %d messages" % messages,
            lambda seen: all(sum(each["stage"] == stage for each in of_new_sessions(seen)) >= messages
                             for stage in ("verdict", "close")), mark, 120))
        counts = {}
        for each in records:
            counts[each["stage"]] = counts.get(each["stage"], 0) + 1
            if each["stage"] == "verdict" and "skipped" in each:
                self.skipped[each["skipped"]] = self.skipped.get(each["skipped"], 0) + 1
            elif each["stage"] == "verdict" and any(each.get(key) != value for key, value in self.wanted.items()):
                raise LabError("not the verdict that was wanted, %r: %r" % (self.wanted, each))
        for stage in ("connect", "mail", "rcpt", "eom", "verdict", "close"):
            if counts.get(stage) != messages:
                raise LabError("%s records of stage %s for %d messages" % (counts.get(stage, 0), stage, messages))


def start_opendkim(lab, nsd):
    program = find_program("opendkim")
    if not program:
        raise Missing("opendkim is not installed: apt-get install opendkim")
    path = {name: lab.path("opendkim." + name) for name in ("socket", "conf")}
    write(path["conf"], OPENDKIM % {**path, "server": nsd.address, "directory": lab.directory})
    lab.spawn("opendkim", [program, "-f", "-x", path["conf"]])
    wait_until("opendkim listens", lambda: lab.check_alive("opendkim") and os.path.exists(path["socket"]))
    return path["socket"]


def assert_opendkim_verifies(lab, bench, port):
    position = lab.log_position()
    bench.ports["telling"] = port
    if bench.send("telling", 1, 1, 30) is None:
        raise LabError("opendkim took no mail")
    del bench.ports["telling"]
    wait_until("opendkim says dkim=pass", lambda: any(
        "Authentication-Results:" in line and "dkim=pass" in line for line in lab.log_lines(position)))


def bench_against_opendkim(spool, arguments):
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as directory, BenchLab() as lab:
        mail = Mail(directory)
        with Nsd(mail.zone) as nsd:
            start_milters(lab, spool_directory=spool, dns_servers=[nsd.address], **CHECKS)
            opendkim = start_opendkim(lab, nsd)
            telling, checks = live_port(), lab.path("header_checks")
            write(checks, "/^Authentication-Results:/ WARN\n")
            bench = AuthBench(lab, {"opendkim": ("opendkim", opendkim), "milter": ("milter", lab.milter_socket)},
                              {"milter": lab.status_file}, mail.content, TELLING % (telling, opendkim, checks))
            bench.dns_servers = dict.fromkeys(bench.ports, nsd.process.pid)
            bench.wanted = {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
            assert_opendkim_verifies(lab, bench, telling)
            print("\nA signed mail, resolver warm: opendkim in verify mode (DKIM alone), smtptrail-milter with SPF, DKIM"
                  " and DMARC;\nmedians of %d rounds; CPU and time in us a message" % arguments.rounds)
            print_head(HEAD)
            names = (("none", "no milter"), ("opendkim", "opendkim"), ("milter", "smtptrail-milter"))
            results = {sessions: bench_sessions(bench, sessions, arguments, names, MESSAGES)
                       for sessions in arguments.sessions}
            print("\nThe same mail, one by one, %d a second: us a message" % PACE)
            paced = bench_paced(bench, mail.paced, names, arguments.rounds, block=arguments.block)
    print("\nAdded to a mail without milter, us a message; goal: ours at most opendkim's")
    print_head(("", "opendkim", "smtptrail-milter", "ours less opendkim's"))
    for key, words in (("p50", "whole dialogue"), ("end", "end of mail")):
        print_row(words, *(added(paced, name, other, key) for name, other in (
            ("opendkim", "none"), ("milter", "none"), ("milter", "opendkim"))))
    print("\nRatios, ours to opendkim's; goal: rate at least 1, added time at most 1")
    print_head(("sessions", "CPU", "rate", "added time"))
    for sessions, rounds in results.items():
        print_row(str(sessions), ratio_cell(rounds, "cpu", "milter", "opendkim"),
                  ratio_cell(rounds, "rate", "milter", "opendkim"),
                  with_interval(rounds, lambda drawn: added_ratio(drawn, "opendkim")))


def live_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


def bench_dead_dns(spool, arguments):
    os.makedirs(os.path.join(spool, "on"))
    off = tempfile.mkdtemp(prefix="smtptrail-bench-")
    try:
        with BenchLab() as lab, socket.socket(type=socket.SOCK_DGRAM) as dead:
            dead.bind(("127.0.0.1", 0))
            mail = Mail(lab.directory)
            start_milters(lab, spool_directory=os.path.join(spool, "on"),
                          dns_servers=["127.0.0.1@%d" % dead.getsockname()[1]], **CHECKS, **DEAD)
            before = resident_mib(lab.children["milter"].pid)
            unchecked, status_file = start_other(lab, off, "off", auth="no")
            bench = AuthBench(lab, {"off": ("off", unchecked), "again": ("off", unchecked), "milter": ("milter", lab.milter_socket)},
                              {"off": status_file, "again": status_file, "milter": lab.status_file}, mail.content)
            bench.wanted = {"spf": "temperror", "dkim": "temperror"}
            print("\nA DNS server that never answers (dns_timeout 300 ms, auth_deadline 2 s): checks on beside checks"
                  " off;\nmail one by one, %d a second; medians of %d rounds, us a message" % (PACE, arguments.rounds))
            paced = bench_paced(bench, mail.paced, (("off", "checks off"), ("milter", "checks on"), ("again", "checks off, again")),
                                arguments.rounds, arguments.rest, arguments.block)
            print("\nAdded by the checks, us a message; goal: the interval of what they add holds 0")
            print_head(("", "checks on less off", "off again less off"))
            for key, words in (("p50", "whole dialogue"), ("end", "end of mail")):
                print_row(words, added(paced, "milter", "off", key), added(paced, "again", "off", key))
            del bench.ports["again"]
            print("\nThe same with as many mails as the cores take, whose work after the reply then is no longer free")
            print_head(HEAD)
            names = (("none", "no milter"), ("off", "checks off"), ("milter", "checks on"))
            sessions = max(arguments.sessions)
            rounds = bench_sessions(bench, sessions, arguments, names, MESSAGES)
            skipped = ", ".join("%s %d" % item for item in sorted(bench.skipped.items())) or "none"
    finally:
        shutil.rmtree(off, ignore_errors=True)
    print("\nAdded by the checks, us a message")
    print_head(("sessions", "checks on less checks off", "rate, on / off", "MiB resident: before", "at most"))
    print_row(str(sessions), added(rounds, "milter", "off", "time"), ratio_cell(rounds, "rate", "milter", "off"), before,
              max(each["milter"]["rss"] for each in rounds))
    print("\nEach run had a record of stages connect, mail, rcpt, eom, verdict and close for each message. Verdicts that"
          " name a check as\nskipped, all runs: %s; the others say dkim=temperror." % skipped)


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS, MESSAGES)
    arguments.block, arguments.rest = (QUICK_BLOCK, 0) if arguments.quick else (BLOCK, REST_SECONDS)
    disk = tempfile.gettempdir()
    tempfile.tempdir = "/dev/shm"			# the lab with Postfix' queue
    for bench in (bench_against_opendkim, bench_dead_dns):
        with tempfile.TemporaryDirectory(prefix="smtptrail-bench-", dir=disk) as spool:
            bench(spool, arguments)
    return 0


if __name__ == "__main__":
    run_test(main)
