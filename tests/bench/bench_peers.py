#!/usr/bin/python3
"""bench_peers.py - what a mail that goes through Postfix pays for a milter: ours beside those that one would pick.

    bench_peers.py [--quick] [--rounds N]

A signed mail of 4 kB, and one of 100 kB, goes through a private Postfix (queue on tmpfs, discard transport), from ten
sessions at a time and from one, each in a connection of its own, and from ten that are kept: without a milter, with
the empty one, with smtptrail-milter (recording alone, with all checks, and with a Redis that is down), opendkim in
verify mode, opendmarc with its own SPF, rspamd with the configuration that it is shipped with (RSPAMD), and a milter of
python3-milter that writes to Redis in each callback. Their order turns round by round. An nsd of the bench's own
answers all of them. That each really does its work is asserted: of the peers from the header fields that they add at
a listener that no measured mail comes through, or from what is in Redis; of ours from the verdict of each message.
CPU time is that of all processes but smtp-source, and memory what a milter and its children have of their own, with their share
of what they share with others (PSS), right after a run. Medians over the rounds, 95 % intervals, Markdown. No run fails on a time.

Environment: as lab.py.
"""
import os
import shutil
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from bench_auth import BODY, CHECKS, DEAD, HEADERS, AuthBench, live_port, of_new_sessions, start_opendkim  # noqa: E402
from bench_mail import BenchLab, start_milters, start_other  # noqa: E402
from bench_postfix import PARTS, sum_of_family  # noqa: E402
from dkim_cases import Key, sign  # noqa: E402
from dns_lab import Nsd, find_program, txt  # noqa: E402
from lab import LabError, Missing, run_test, wait_until, write  # noqa: E402
from pairs import median_cell, median_of, print_head, print_row, ratio_cell, read_arguments, value_in  # noqa: E402

ROUNDS, QUICK_ROUNDS = 15, 1
LARGE, QUICK_SIZES = 100_000, ("4 kB",)
NAMES = (("none", "no milter"), ("null", "null milter"), ("recording", "smtptrail, recording alone"), ("milter", "smtptrail, all checks"),
         ("dead", "smtptrail, all checks, DNS is dead"), ("down", "smtptrail, Redis is down"), ("opendkim", "opendkim"),
         ("opendmarc", "opendmarc"), ("rspamd", "rspamd"), ("python", "python3-milter and XADD"))
# Name, messages of a run, sessions at a time, whether connections are kept.
LOADS = (("ten new sessions", 300, 10, False), ("one new session", 100, 1, False), ("ten that are kept", 300, 10, True),
         ("one that is kept", 100, 1, True))
TELLING = """127.0.0.1:%d inet n - n - - smtpd -o { smtpd_milters = { unix:%s, default_action=tempfail } }
  -o cleanup_service_name=telling
"""
CLEANUP = "telling unix n - n - 0 cleanup -o milter_header_checks=regexp:%s\n"
OPENDMARC = """Socket local:%(socket)s
UMask 0000
Syslog false
PidFile %(directory)s/opendmarc.pid
AuthservID bench
SPFIgnoreResults true
SPFSelfValidate true
IgnoreHosts %(directory)s/ignored
"""
# opendmarc asks whom resolv.conf names, at port 53: in a network and with a resolv.conf of its own.
# nsd must be no child of its, since those are measured with it.
ENTER = ("ip link set lo up && mount --bind %(directory)s/resolv.conf /etc/resolv.conf && (%(nsd)s & echo $! >%(directory)s/nsd) &&"
         " sleep 0.5 && exec %(program)s")
RSPAMD = """rspamd has the configuration that it is shipped with, but for where it listens, whom it asks, that mail of
this machine is checked too, and that it adds what it found. That configuration names no Redis: greylisting, which needs one, is
off in it."""
PYTHON_STREAM = "redis_milter"
PYTHON_RECORDS = 5			# at least, of a message: mail, rcpt, eoh, body, eom


class Mail:
    def __init__(self, directory):
        key = Key("rsa2048")
        self.zone = "".join("%s. 300 IN TXT %s\n" % (name, txt(text)) for name, text in (
            ("load.example.org", "v=spf1 ip4:127.0.0.1 -all"), ("client.lab.test", "v=spf1 ip4:127.0.0.1 -all"),
            ("_dmarc.load.example.org", "v=DMARC1; p=reject"), ("rsa._domainkey.load.example.org", key.record())))
        self.contents = {}
        for name, body in (("4 kB", BODY), ("100 kB", BODY * (LARGE // len(BODY) + 1))):
            path = os.path.join(directory, "mail" + name.replace(" ", ""))
            text = sign(key, {"d": "load.example.org", "s": "rsa"}, headers=HEADERS, body=body)
            text += "".join("%s:%s\r\n" % each for each in HEADERS) + "\r\n" + body
            write(path, text.replace("\r\n", "\n"))
            self.contents[name] = ("-F", path)


def pss_mib(pid):
    return int(value_in("/proc/%d/smaps_rollup" % pid, "Pss:").split()[0]) / 1024


class PeerBench(AuthBench):
    """Ours with Redis down is not waited for: nothing of it is shipped."""

    kept = False

    def send(self, name, sessions, messages, timeout=120):
        content, self.content = self.content, (*self.content, *(("-d",) if self.kept else ()))
        try:
            return super().send(name, sessions, messages, timeout)
        finally:
            self.content = content

    def written_by_python(self):
        if not self.lab.redis("EXISTS", PYTHON_STREAM):
            return 0
        flat = self.lab.redis("XINFO", "STREAM", PYTHON_STREAM)
        return dict(zip(flat[::2], flat[1::2]))["entries-added"]

    def run(self, name, sessions, messages):
        before = self.written_by_python()
        figures = super().run(name, sessions, messages)
        if name == "python" and self.written_by_python() - before < PYTHON_RECORDS * messages:
            raise LabError("the milter in Python wrote %d records of %d messages" % (self.written_by_python() - before, messages))
        if name in self.children:
            figures["pss"] = sum_of_family(self.lab.children[self.children[name]].pid, pss_mib)
        return figures

    def check(self, mark, messages):
        """Kept connections have as many sessions as there are connections: then only the verdicts are counted."""
        if not self.kept:
            super().check(mark, messages)
            return
        self.lab.wait_records("%d verdicts" % messages, lambda seen: sum(
            each["stage"] == "verdict" and each.get("dkim") == "pass" for each in of_new_sessions(seen)) >= messages, mark, 120)


def need(program):
    found = find_program(program)
    if not found:
        raise Missing("%s is not installed: apt-get install %s" % (program, program))
    return found


def wait_socket(lab, name, path):
    wait_until(name + " listens", lambda: lab.check_alive(name) and os.path.exists(path), 120)
    return path


def start_opendmarc(lab, zone):
    """Its socket, and the process of its DNS server."""
    directory = lab.path("opendmarc")
    os.mkdir(directory)
    path = os.path.join(directory, "socket")
    nsd = Nsd(zone, directory=directory, port=53)
    write(os.path.join(directory, "resolv.conf"), "nameserver 127.0.0.1\n")
    write(os.path.join(directory, "ignored"), "192.0.2.254\n")		# not loopback, as it would be
    write(os.path.join(directory, "conf"), OPENDMARC % {"socket": path, "directory": directory})
    words = ENTER % {"directory": directory, "nsd": " ".join(nsd.command),
                     "program": "%s -f -c %s/conf" % (need("opendmarc"), directory)}
    lab.spawn("opendmarc", ["unshare", "-n", "-m", "--propagation", "private", "sh", "-c", words])
    wait_socket(lab, "opendmarc", path)
    with open(os.path.join(directory, "nsd"), encoding="ascii") as file:
        return path, int(file.read())


def start_rspamd(lab, nsd):
    directory = lab.path("rspamd")
    shutil.copytree("/etc/rspamd", directory)
    path, ports = os.path.join(directory, "socket"), (live_port(), live_port())
    own = {
        "override.d/options.inc": 'check_local = true;\ndns { nameserver = ["%s"]; }\n' % nsd.address.replace("@", ":"),
        "override.d/worker-proxy.inc": 'bind_socket = "%s mode=0666";\nupstream "local" { default = yes; self_scan = yes; }\n' % path,
        "override.d/worker-normal.inc": 'bind_socket = "127.0.0.1:%d";\n' % ports[0],
        "override.d/worker-controller.inc": 'bind_socket = "127.0.0.1:%d";\n' % ports[1],
        "local.d/milter_headers.conf": 'use = ["authentication-results"];\nskip_local = false;\n',
    }
    for name, text in own.items():
        write(os.path.join(directory, name), text)
    lab.spawn("rspamd", [need("rspamd"), "-f", "-i", "-u", "root", "-g", "root", "-c", directory + "/rspamd.conf",
                         *("--var=%s=%s" % each for each in (("CONFDIR", directory), ("LOCAL_CONFDIR", directory),
                                                             ("DBDIR", directory), ("RUNDIR", directory), ("LOGDIR", directory)))])
    return wait_socket(lab, "rspamd", path)


def start_python(lab):
    path = lab.path("python.sock")
    lab.spawn("python", ["/usr/bin/python3", os.path.join(os.path.dirname(os.path.abspath(__file__)), "redis_milter.py"), path,
                         lab.redis_socket])
    wait_socket(lab, "python", path)
    os.chmod(path, 0o666)
    return path


def assert_tells(lab, bench, name, port, words):
    """At its telling listener the peer adds a field with each of these words."""
    position = lab.log_position()
    bench.ports["telling"] = port
    if bench.send("telling", 1, 1, 30) is None:
        raise LabError("%s took no mail" % name)
    del bench.ports["telling"]
    wait_until("%s says %s" % (name, " ".join(words)), lambda: any(
        "Authentication-Results:" in line and all(word in line for word in words) for line in lab.log_lines(position)), 30)


def assert_all_tell(lab, bench, telling):
    for name, word in (("opendkim", "dkim=pass"), ("opendmarc", "dmarc=pass"), ("rspamd", "dkim=pass")):
        assert_tells(lab, bench, name, telling[name], [word])


def measure(bench, load, size, arguments):
    title, messages, sessions, bench.kept = load
    messages //= 3 if arguments.quick else 1
    bench.round(0, sessions, max(sessions, messages // 5))			# warm up
    results = [bench.round(number, sessions, messages) for number in range(arguments.rounds)]
    print("\n%s, %s; medians of %d rounds; CPU and time in us a message" % (size, title, arguments.rounds))
    print_head(("milter", "CPU", *PARTS.values(), "messages/s", "added time", "MiB (PSS)", "CPU, to the null milter's", "rate, to it"))
    for name, words in NAMES:
        print_row(words, median_cell(results, name, "cpu"), *("%.0f" % median_of(results, name, key) for key in PARTS),
                  "%.0f" % median_of(results, name, "rate"),
                  "%.0f" % (median_of(results, name, "time") - median_of(results, "none", "time")),
                  "%.1f" % median_of(results, name, "pss") if name in bench.children else "",
                  *(ratio_cell(results, key, name, "null") for key in ("cpu", "rate")))


def bench_all(spool, arguments):
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as directory, BenchLab() as lab, \
            socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        mail = Mail(directory)
        with Nsd(mail.zone) as nsd:
            null_socket = start_milters(lab, spool_directory=os.path.join(spool, "on"), dns_servers=[nsd.address], **CHECKS)
            os.chmod(null_socket, 0o666)
            recording, status_file = start_other(lab, os.path.join(spool, "off"), "off", auth="no")
            down, _ = start_other(lab, os.path.join(spool, "down"), "down", auth="no", redis_address="unix:/nonexistent/redis.sock")
            dead, dead_status = start_other(lab, os.path.join(spool, "dead"), "dead", **DEAD,
                                            dns_servers=["127.0.0.1@%d" % silent.getsockname()[1]])
            opendmarc, opendmarc_nsd = start_opendmarc(lab, mail.zone)
            milters = {
                "null": ("null", null_socket), "recording": ("off", recording), "milter": ("milter", lab.milter_socket),
                "dead": ("dead", dead), "down": ("down", down), "opendkim": ("opendkim", start_opendkim(lab, nsd)),
                "opendmarc": ("opendmarc", opendmarc), "rspamd": ("rspamd", start_rspamd(lab, nsd)),
                "python": ("python", start_python(lab)),
            }
            checks, telling = lab.path("header_checks"), {}
            write(checks, "/^Authentication-Results:/ WARN\n")
            services = CLEANUP % checks
            for name in ("opendkim", "opendmarc", "rspamd"):
                telling[name] = live_port()
                services += TELLING % (telling[name], milters[name][1])
            bench = PeerBench(lab, milters, {"milter": lab.status_file, "recording": status_file, "dead": dead_status},
                              mail.contents["4 kB"], services)
            bench.dns_servers = {**dict.fromkeys(bench.ports, nsd.process.pid), "opendmarc": opendmarc_nsd}
            bench.wanted = {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
            assert_all_tell(lab, bench, telling)
            print("\nCPU: of all processes of a mail but smtp-source. MiB: of the milter and its children after a run; what several"
                  "\nshare counts for each in part (PSS). " + RSPAMD)
            sizes, loads = (QUICK_SIZES, LOADS[:1]) if arguments.quick else (mail.contents, LOADS)
            for size in sizes:
                bench.content = mail.contents[size]
                for load in loads:
                    measure(bench, load, size, arguments)
                assert_all_tell(lab, bench, telling)		# still


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS)
    disk = tempfile.gettempdir()
    tempfile.tempdir = "/dev/shm"			# the lab with Postfix' queue
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-", dir=disk) as spool:
        os.mkdir(os.path.join(spool, "on"))
        bench_all(spool, arguments)
    return 0


if __name__ == "__main__":
    run_test(main)
