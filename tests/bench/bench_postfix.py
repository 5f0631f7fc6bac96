#!/usr/bin/env python3
"""bench_postfix.py - what recording costs a mail that goes through Postfix.

    bench_postfix.py [--quick] [--rounds N] [--sessions N,N...]

smtp-source sends mails of 4 kB, a connection each, through a private Postfix (queue on tmpfs, discard
transport, in_flow_delay = 0): to a listener without a milter, to one with the empty milter of the same
flags, to another with the same, which shows what two equal ones differ by, to one with smtptrail-milter,
whose spool is on disk, and to one whose Redis is down, so that only callbacks and journal are left. Their
order is turned round in each second round. CPU time is that of all processes but smtp-source until the
milter's journal is empty, and beside it its parts: all of Postfix', the milter's with its children, Redis',
the DNS server's. "Added" is the time a message that a milter adds to a mail without. Medians over the rounds, 95 % intervals, Markdown. No run fails on a time.

Environment: as lab.py.
"""
import os
import select
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import lab as live  # noqa: E402
from bench_mail import BenchLab, start_milters, start_other, wait_shipped  # noqa: E402
from lab import run_test, wait_until  # noqa: E402
from milter_load import NO_REDIS  # noqa: E402
from pairs import cpu_seconds, median_cell, median_of, print_head, print_row, ratio_cell, read_arguments, with_interval  # noqa: E402

MESSAGES = {10: 1500, 1: 500}		# of one run, by sessions at a time
ROUNDS, QUICK_ROUNDS = 15, 1
MESSAGE_BYTES = 4000
GOAL_RATE, GOAL_ADDED = 0.95, 1.15
# What the CPU time of a mail is the sum of, and its column.
PARTS = {"postfix": "= Postfix", "milter": "+ milter", "redis": "+ Redis", "dns": "+ DNS server"}
HEAD = ("sessions", "milter", "CPU", *PARTS.values(), "messages/s", "time", "added")
NAMES = (("none", "no milter"), ("null", "null milter"), ("again", "null milter, again"), ("milter", "smtptrail-milter"),
         ("down", "smtptrail-milter, Redis is down"))
LISTENER = "127.0.0.1:%d inet n - n - 200 smtpd -o { smtpd_milters = { unix:%s, default_action=accept } }\n"
LONG_LIVED = {"in_flow_delay": "0", "max_use": "1000000", "max_idle": "1h", "smtpd_milters": "", "non_smtpd_milters": ""}


def numbers_of(pid):
    """The fields of a process' /proc/PID/stat behind its name: 1 is the parent, 13 and 14 the dead children's time."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def sum_of_family(pid, figure):
    """figure(pid) of a process and all that are below it."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            children.setdefault(int(numbers_of(int(name))[1]), []).append(int(name))
        except OSError:
            pass			# gone meanwhile
    total, family = figure(pid), list(children.get(pid, ()))
    for each in family:
        family += children.get(each, ())
        try:
            total += figure(each)
        except OSError:
            pass
    return total


def seconds_with_dead(pid):
    dead = numbers_of(pid)
    return cpu_seconds(pid) + (int(dead[13]) + int(dead[14])) / os.sysconf("SC_CLK_TCK")


def family_seconds(pid):
    """CPU time of a process and all below it, those that have ended too."""
    return sum_of_family(pid, seconds_with_dead)


def wait_end(child, seconds):
    """Whether the child ended in time. Popen.wait(timeout) looks each 50 ms, which would be in every time measured."""
    descriptor = os.pidfd_open(child.pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


class Bench:
    """A listener of Postfix for each milter; "none" is the one without.

    milters: name: its process in the lab and its socket. shipping: those that write records; names, or a dict by name.
    content: smtp-source's options for what it sends. dns_servers: by name, the process of the one that is asked.
    """

    sender = "sender@load.test"

    def __init__(self, lab, milters, shipping=("milter",), content=("-l", str(MESSAGE_BYTES)), more_services=""):
        self.lab, self.shipping, self.content = lab, shipping, content
        self.children = {name: child for name, (child, _socket) in milters.items()}
        self.dns_servers = {}
        ports = dict(zip(milters, live.free_ports(len(milters))))
        lab.start_postfix("".join(LISTENER % (ports[name], socket) for name, (_child, socket) in milters.items()) +
                          more_services, **LONG_LIVED)
        self.ports = {"none": lab.port, **ports}
        with open(lab.path("postfix", "spool", "pid", "master.pid"), encoding="ascii") as file:
            self.master = int(file.read())
        for name in self.ports:
            wait_until("Postfix takes mail at the listener " + name, lambda name=name: self.send(name, 1, 1, 5) is not None)

    def seconds_of_parts(self, name):
        pids = {"postfix": self.master, "redis": self.lab.children["redis"].pid}
        if name in self.children:
            pids["milter"] = self.lab.children[self.children[name]].pid
        if name in self.dns_servers:
            pids["dns"] = self.dns_servers[name]
        return {part: family_seconds(pids[part]) if part in pids else 0.0 for part in PARTS}

    def send(self, name, sessions, messages, timeout=120):
        """Seconds that smtp-source took; None: it failed."""
        state = self.lab.state["postfix"]
        begin = time.monotonic()
        words = [os.path.join(os.path.dirname(state["command"][0]), "smtp-source"), "-s", str(sessions), "-m", str(messages),
                 *self.content, "-M", "client.lab.test", "-f", self.sender, "-t", "joe@" + live.DOMAIN,
                 "127.0.0.1:%d" % self.ports[name]]
        with subprocess.Popen(words, env=state["environment"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as child:
            ended = wait_end(child, timeout)
            seconds = time.monotonic() - begin
            if not ended:
                child.kill()
        return seconds if ended and child.returncode == 0 else None

    def is_delivered(self):
        spool = self.lab.path("postfix", "spool")
        return not any(os.listdir(os.path.join(spool, queue)) for queue in ("incoming", "active"))

    def check_log(self, position):
        """Of a milter that fails Postfix takes no more notice than a warning, and the mail is cheap."""
        complaints = [line for line in self.lab.log_lines(position) if "warning: milter " in line or "Milter service" in line]
        if complaints:
            raise live.LabError(complaints[0])

    def wait_recorded(self, _name):
        wait_shipped(self.lab)

    def observe(self, name, messages, send):
        """The figures of send(), and the CPU time until all is recorded: us a message, all and its parts."""
        before, position = self.seconds_of_parts(name), self.lab.log_position()
        figures = send()
        wait_until("all is delivered", self.is_delivered)
        if name in self.shipping:
            self.wait_recorded(name)
        took = {part: (seconds - before[part]) * 1e6 / messages for part, seconds in self.seconds_of_parts(name).items()}
        self.check_log(position)
        return {**figures, **took, "cpu": sum(took.values())}

    def run(self, name, sessions, messages):
        def send():
            seconds = self.send(name, sessions, messages)
            if seconds is None:
                raise live.LabError("smtp-source failed at the listener " + name)
            return {"rate": messages / seconds, "time": seconds * 1e6 / messages}
        return self.observe(name, messages, send)

    def round(self, number, sessions, messages):
        names = list(self.ports)
        return {name: self.run(name, sessions, messages) for name in (names if number % 2 == 0 else reversed(names))}


def added_ratio(rounds, reference="null", name="milter"):
    without = median_of(rounds, "none", "time")
    added = median_of(rounds, reference, "time") - without
    return (median_of(rounds, name, "time") - without) / added if added else 0.0


def bench_sessions(bench, sessions, arguments, names=NAMES, messages_of=MESSAGES):
    messages = messages_of.get(sessions, 500) // (4 if arguments.quick else 1)
    bench.round(0, sessions, max(sessions, messages // 4))		# warm up
    rounds = [bench.round(number, sessions, messages) for number in range(arguments.rounds)]
    for name, words in names:
        figures = {key: median_of(rounds, name, key) for key in rounds[0][name]}
        print_row(str(sessions), words, median_cell(rounds, name, "cpu"), *("%.0f" % figures[key] for key in PARTS),
                  "%.1f" % figures["rate"], "%.0f" % figures["time"],
                  "%.0f" % (figures["time"] - median_of(rounds, "none", "time")))
    return rounds


def main():
    arguments = read_arguments(__doc__, ROUNDS, QUICK_ROUNDS, MESSAGES)
    disk = tempfile.gettempdir()
    tempfile.tempdir = "/dev/shm"			# the lab with Postfix' queue
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-", dir=disk) as spool, BenchLab() as lab:
        for name in ("own", "down"):
            os.mkdir(os.path.join(spool, name))
        null_socket = start_milters(lab, spool_directory=os.path.join(spool, "own"))
        os.chmod(null_socket, 0o666)
        down, _ = start_other(lab, os.path.join(spool, "down"), "down", redis_address=NO_REDIS)
        bench = Bench(lab, {"null": ("null", null_socket), "again": ("null", null_socket), "milter": ("milter", lab.milter_socket),
                            "down": ("down", down)})
        print("\nsmtp-source through Postfix, %d bytes, medians of %d rounds; CPU and time in us a message" % (
            MESSAGE_BYTES, arguments.rounds))
        print_head(HEAD)
        results = {sessions: bench_sessions(bench, sessions, arguments) for sessions in arguments.sessions}
    print("\nRatios to the null milter's; goal of smtptrail-milter: rate at least %.2f, added time at most %.2f" % (
        GOAL_RATE, GOAL_ADDED))
    print_head(("sessions", "milter", "CPU", "rate", "added time"))
    for sessions, rounds in results.items():
        for name, words in NAMES[2:]:
            print_row(str(sessions), words, ratio_cell(rounds, "cpu", name, "null"), ratio_cell(rounds, "rate", name, "null"),
                      with_interval(rounds, lambda drawn, name=name: added_ratio(drawn, name=name)))
    return 0


if __name__ == "__main__":
    run_test(main)
