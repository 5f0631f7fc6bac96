#!/usr/bin/env python3
"""bench_mail.py - what recording costs: smtptrail-milter beside an empty milter of the same flags.

    bench_mail.py [--quick] [--pairs N] [--connections N,N...]

mtadrive sends the same mail to both, 16 events a message (MAIL RCPT DATA, 10 header fields, end of
headers, one chunk, end of message), one run after the other in pairs, the order turned round in each
second one. A run's CPU time is that of the milter's whole process until its journal is empty. Of it,
"callbacks" is what libmilter's threads took, and "behind" those that keep and ship the records; with Redis'
it is the CPU time of all. Ratios are events a CPU second, ours to the null milter's. Medians over the pairs, 95 %
intervals, Markdown. No run fails on a time.

Environment: SMTPTRAIL_BUILD or top_builddir, where the programs are.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from lab import Lab, LabError, config_text, run_test, wait_until, write  # noqa: E402
from milter_load import NO_REDIS, run_load, start_milter  # noqa: E402
from pairs import cpu_seconds, median_of, print_head, print_row, ratio_cell, with_interval  # noqa: E402

EVENTS_PER_MESSAGE = 16
CONNECTIONS, QUICK_CONNECTIONS = (1, 10, 100, 1000, 5000), (1, 10, 100)
REPLIES = ("p50", "p99", "p99.9", "max")
MESSAGES = 12000			# of one run, over all connections
PAIRS, QUICK_PAIRS, QUICK_MESSAGES = 15, 1, 2000
PACE, PACED_MESSAGES = 2000, 500	# events a second
IDLE_SESSIONS, IDLE_SECONDS = 1000, 60	# at most
THREADS_BEHIND = ("prepare", "keep", "ship", "housekeeping")
GOAL_RATIO, GOAL_IDLE_MIB = 0.85, 16
MIB = 1 << 20
FRONT_MIB, SPOOL_MIB, QUICK_SPOOL_MIB = 8, 128, 16	# of the milter whose Redis is down


class BenchLab(Lab):
    """A lab whose servers have nothing more to do at its end: they are killed, not stopped."""

    def close(self):
        for child in self.children.values():
            child.kill()
        super().close()


def behind_seconds(pid):
    """CPU time of those threads that do not answer the MTA."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        directory = "/proc/%d/task/%s/" % (pid, thread)
        try:
            with open(directory + "comm", encoding="ascii") as name, open(directory + "schedstat", encoding="ascii") as file:
                if name.read().strip() in THREADS_BEHIND:
                    total += int(file.read().split()[0]) / 1e9
        except OSError:
            pass			# one of libmilter's, gone meanwhile
    return total


def resident_mib(pid, name="VmRSS"):
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":")) / 1024


def start_null(lab, name="null", *words):
    """A null milter: its socket."""
    socket = lab.path("milter", name + ".sock")
    lab.spawn(name, [lab.program("tests/bench/null_milter"), "unix:" + socket, *words])
    wait_until("the null milter listens", lambda: os.path.exists(socket))
    return socket


def start_milters(lab, **options):
    """Redis, smtptrail-milter and the null milter, whose socket it returns."""
    values = {"segment_size": "4M", "front_size": "256M", "spool_size": "2G", "status_interval": "100ms",
              "log_level": "warning"}
    lab.start_redis("--appendonly", "no")
    lab.start_milter(**{**values, **options})
    return start_null(lab)


def start_other(lab, directory, name, **options):
    """Another milter beside the lab's: its socket and its status file."""
    own = {"socket": "unix:" + lab.path("milter", name + ".sock"), "front_directory": os.path.join(directory, "front"),
           "spool_directory": os.path.join(directory, "spool"), "status_file": lab.path("milter", name + ".json"),
           "instance": name, **options}
    for each in ("front", "spool"):
        os.makedirs(os.path.join(directory, each))
    with open(lab.config_file, encoding="utf-8") as file:
        lines = [line for line in file if line.split(" = ")[0] not in own]
    write(lab.path("milter", name + ".conf"), "".join(lines) + config_text(own))
    lab.spawn(name, [lab.program("smtptrail-milter"), "-c", lab.path("milter", name + ".conf")])
    path = lab.path("milter", name + ".sock")
    wait_until("the milter %s listens" % name, lambda: lab.check_alive(name) and os.path.exists(path))
    return path, own["status_file"]


def wait_shipped(lab):
    def is_shipped():
        status = lab.status()
        return status["backlog_records"] == 0 and status["sessions"] == 0
    time.sleep(0.15)		# one interval of the status file
    wait_until("all is shipped", is_shipped, 120)


class Bench:
    """The two milters, up all the time; one works while the other is idle."""

    def __init__(self, lab, **options):
        self.lab = lab
        self.sockets = {"null": start_milters(lab, **options), "milter": lab.milter_socket}

    def words(self, name, *words):
        return [self.lab.program("tests/driver/mtadrive"), "load", *map(str, words), "unix:" + self.sockets[name]]

    def drive(self, name, *words):
        """Runs mtadrive and gives its report: figures by name, and of replies a dict of quantiles."""
        output = subprocess.run(self.words(name, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                                timeout=600, text=True).stdout
        report = {}
        for line in output.splitlines():
            key, value, *more = line.split()
            report[key] = dict(zip(more[0::2], map(float, more[1:-1:2]))) if more else float(value)
        if report["sessions_cut"] or report["connects_refused"] or report["wrong_replies"]:
            raise LabError("%s: %d sessions cut, %d connects refused, %d replies wrong" % (name, *(
                report[key] for key in ("sessions_cut", "connects_refused", "wrong_replies"))))
        return report

    def run(self, name, connections, messages):
        pid, redis = self.lab.children[name].pid, self.lab.children["redis"].pid
        before, behind_before, redis_before = cpu_seconds(pid), behind_seconds(pid), cpu_seconds(redis)
        report = self.drive(name, "--connections", connections, "--messages", max(1, messages // connections),
                            "--body", 4000)
        if name == "milter":
            wait_shipped(self.lab)
        events = report["messages"] * EVENTS_PER_MESSAGE
        cpu = (cpu_seconds(pid) - before) * 1e6 / events
        behind = (behind_seconds(pid) - behind_before) * 1e6 / events
        redis = (cpu_seconds(redis) - redis_before) * 1e6 / events
        return {"cpu": cpu, "behind": behind, "callbacks": cpu - behind, "redis": redis, "all": cpu + redis,
                "rate": events / report["seconds"], **{each: report["replies_all"][each] for each in REPLIES}}

    def pair(self, number, connections, messages):
        names = ("null", "milter") if number % 2 == 0 else ("milter", "null")
        return {name: self.run(name, connections, messages) for name in names}


def bench_load(bench, arguments):
    print("\nmtadrive, CPU us an event, medians of %d pairs; goal: ratio of the whole process at least %.2f" % (
        arguments.pairs, GOAL_RATIO))
    print_head(("connections", "null", "ours", "= callbacks", "+ behind", "Redis", "ours and Redis", "null / ours", "null / callbacks",
                "null events/s", "ours events/s", "us to a reply, null: " + " / ".join(REPLIES), "ours"))
    for connections in arguments.connections:
        bench.pair(0, connections, arguments.messages // 4)		# warm up
        pairs = [bench.pair(number, connections, arguments.messages) for number in range(arguments.pairs)]
        null, ours = ({key: median_of(pairs, name, key) for key in pairs[0][name]} for name in ("null", "milter"))
        callbacks = [{"null": {"cpu": pair["null"]["cpu"]}, "milter": {"cpu": pair["milter"]["callbacks"]}} for pair in pairs]
        print_row(str(connections), null["cpu"], ours["cpu"], ours["callbacks"], ours["behind"], ours["redis"],
                  median_of(pairs, "milter", "all"), ratio_cell(pairs, "cpu", "null", "milter"), ratio_cell(callbacks, "cpu", "null", "milter"),
                  "%.0f" % null["rate"], "%.0f" % ours["rate"], *(" / ".join("%.0f" % figures[each] for each in REPLIES)
                                                                        for figures in (null, ours)))


def bench_paced(bench, arguments):
    """What a callback adds to a reply, where nothing else waits."""
    print("\nmtadrive, one connection, %d events a second: us to a reply, medians of %d pairs" % (PACE, arguments.pairs))
    print_head(("reply to", "null p50", "ours p50", "ours less null", "null p99", "ours p99", "ours less null"))
    pairs = []
    for number in range(arguments.pairs):
        names = ("null", "milter") if number % 2 == 0 else ("milter", "null")
        pairs.append({name: bench.drive(name, "--messages", arguments.paced_messages, "--pace", PACE, "--body", 4000)
                      for name in names})
    for key, meaning in (("replies_M", "MAIL"), ("replies_R", "RCPT"), ("replies_T", "DATA"),
                         ("replies_E", "end of message, with all since DATA"), ("replies_all", "all")):
        cells = []
        for quantile in ("p50", "p99"):
            cells += ["%.1f" % statistics.median(pair[name][key][quantile] for pair in pairs) for name in ("null", "milter")]
            cells.append(with_interval(pairs, lambda drawn, key=key, quantile=quantile: statistics.median(
                pair["milter"][key][quantile] - pair["null"][key][quantile] for pair in drawn), 1))
        print_row(meaning, *cells)


def bench_idle(bench):
    print("\n%d idle sessions, resident MiB; goal: below %d with them" % (IDLE_SESSIONS, GOAL_IDLE_MIB))
    print_head(("milter", "before", "with them"))
    for name in ("null", "milter"):
        pid = bench.lab.children[name].pid
        before, files = resident_mib(pid), len(os.listdir("/proc/%d/fd" % pid))
        load = subprocess.Popen(bench.words(name, "--connections", IDLE_SESSIONS, "--messages", 0, "--hold", IDLE_SECONDS), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_until("all sessions are there", lambda pid=pid, files=files: len(os.listdir("/proc/%d/fd" % pid)) >=
                       files + IDLE_SESSIONS, IDLE_SECONDS / 2)
            time.sleep(2)		# for what each says at its begin
            print_row(name, before, resident_mib(pid))
        finally:
            load.terminate()
            load.wait()


def bench_redis_down(lab, arguments):
    """Mail until the journal is full, and beyond."""
    spool = QUICK_SPOOL_MIB if arguments.quick else SPOOL_MIB
    lab.write_config(redis_address=NO_REDIS, segment_size=None, front_size="%dM" % FRONT_MIB, spool_size="%dM" % spool,
                     keep_size=0, log_level="error")
    start_milter(lab)
    pid, number, quarters, full = lab.children["milter"].pid, 1, 0, 0
    print("\nRedis down, a front of %d MiB and a spool of %d MiB: MiB resident; goal: anonymous memory stays as it is while the"
          " journal fills" % (FRONT_MIB, spool))
    print_head(("MiB in the journal", "records refused", "resident", "= anonymous", "+ files and front"))
    while full < (1 if arguments.quick else 3):		# looks after it was full
        number += int(run_load(lab, 20, messages=50, sessions=20 * spool // QUICK_SPOOL_MIB, recipients=5, headers=20, body=2000,
                               first=number)["sessions_begun"])
        written = lab.status()["written"]
        wait_until("the status is of now", lambda written=written: lab.status()["written"] != written)
        status = lab.status()
        kept, refused = status["backlog_bytes"] / MIB, status["records_dropped"]
        full += refused > 0
        if refused or kept >= quarters * spool / 4:
            quarters = int(kept * 4 / spool) + 1
            resident, anonymous = resident_mib(pid), resident_mib(pid, "RssAnon")
            print_row("%.0f" % kept, str(refused), resident, anonymous, resident - anonymous)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--connections", type=lambda text: [int(word) for word in text.split(",")])
    arguments = parser.parse_args()
    arguments.pairs = arguments.pairs or (QUICK_PAIRS if arguments.quick else PAIRS)
    arguments.connections = arguments.connections or (QUICK_CONNECTIONS if arguments.quick else CONNECTIONS)
    arguments.messages = QUICK_MESSAGES if arguments.quick else MESSAGES
    arguments.paced_messages = PACED_MESSAGES // 5 if arguments.quick else PACED_MESSAGES
    with BenchLab() as lab:
        bench = Bench(lab)
        bench_load(bench, arguments)
        bench_paced(bench, arguments)
    with BenchLab() as lab:				# milters that had no work yet
        bench_idle(Bench(lab, segment_size=None, front_size=None, spool_size=None))
    with BenchLab() as lab:
        bench_redis_down(lab, arguments)
    return 0


if __name__ == "__main__":
    run_test(main)
