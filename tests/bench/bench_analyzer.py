#!/usr/bin/env python3
"""bench_analyzer.py - smtptrail beside what one would otherwise ask a log with, on the same log in the same run.

usage: bench_analyzer.py [--quick] [--sizes=SIZE,SIZE...] BUILD_FOLDER

tests/genlog writes a log of each size (200M, 1G, 4G; --quick: 15M) with its truth. wc, grep and ripgrep read it,
pflogsumm and postfix-logwatch sum it up, and smtptrail parses, joins, reports and ingests it; goaccess, for scale,
an access log as large. Last, unless --quick, a store of 30 days and 5 million recipients is filled and asked. Each
command is run in turn, round by round, with the page cache warm, on one core where nothing else is said; pflogsumm,
postfix-logwatch and goaccess, which take minutes, once. What a line costs in each of the sizes tells how each command
grows. Ratios are of the time on the wall to that of LC_ALL=C grep -c status= in the same round. What the totals of each
say is compared with the truth: ours must be equal, or this fails; theirs are printed. What pflogsumm says otherwise
than smtptrail is explained piece by piece (pflogsumm.py), or this fails. No time fails it.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_parse import run  # noqa: E402
from pairs import print_head, print_row, with_interval  # noqa: E402
import pflogsumm  # noqa: E402

SIZES, QUICK_SIZES = ("200M", "1G", "4G"), ("15M",)
MONTH = ("6200M", "--rate", "1.75")	# 5 million recipients in 30 days
ROUNDS = {"200M": 5, "1G": 3, "4G": 1}
USUAL_ROUNDS = 3
ALL_CORES = ", all cores"
GREP, PFLOGSUMM, ACCESS = "grep -c status=", "pflogsumm", "goaccess, access log"
ENVIRONMENT = dict(os.environ, LC_ALL="C")
LOGWATCH = "/usr/share/logwatch/scripts/services/postfix"
ACCESS_LINE = ('192.0.2.%d - - [%02d/Nov/2026:%02d:%02d:%02d +0000] "GET /page/%d HTTP/1.1" %d %d "-" "Mozilla/5.0 (X11; Linux x86_64)"\n')
QUESTIONS = 20				# of each kind, asked of a store
TOTALS_MIN = 25				# that are compared with the truth


def write_access_log(path, size):
    written = number = 0
    with open(path, "w", encoding="ascii") as file:
        while written < size:
            number += 1
            written += file.write(ACCESS_LINE % (number % 250, 1 + number // 5000000, number // 3600 % 24, number // 60 % 60,
                                                 number % 60, number * 7919 % 20000, 200 if number % 17 else 404,
                                                 number * 31 % 50000))


class Log:
    """A log of that size, what it truly says, and the commands that read it."""

    def __init__(self, build, folder, size, *more):
        self.size, self.folder = size, folder
        self.path, truth = os.path.join(folder, "mail.log"), os.path.join(folder, "truth.json")
        run([os.path.join(build, "tests/genlog/genlog"), "--size", size, "--out", self.path, "--truth", truth, *more])
        self.bytes = os.path.getsize(self.path)
        with open(truth, encoding="ascii") as file:
            self.truth = json.load(file)
        smtptrail = os.path.join(build, "smtptrail")
        read = ["--year", "2026", self.path]
        self.store = os.path.join(folder, "store")
        one_core = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
        totals = [smtptrail, "report", "totals", "--json", *read]
        self.commands = {
            "wc -l": [*one_core, "wc", "-l", self.path],
            GREP: [*one_core, "grep", "-c", "status=", self.path],
            "rg -c status=": [*one_core, "rg", "-c", "status=", self.path],
            PFLOGSUMM: [*one_core, "pflogsumm", self.path],
            "postfix-logwatch": [*one_core, "sh", "-c", "exec %s <%s" % (LOGWATCH, self.path)],
            ACCESS: [*one_core, "goaccess", self.access(), "--log-format=COMBINED", "--no-global-config", "-o",
                                     os.path.join(folder, "access.html")],
            "smtptrail parse": [*one_core, smtptrail, "parse", "--count", *read],
            "parse, and the least that a join does": [*one_core, os.path.join(build, "tests/bench/bench_least"), self.path],
            "smtptrail report totals": [*one_core, *totals],
            "smtptrail report totals" + ALL_CORES: totals,
            "smtptrail report": [*one_core, smtptrail, "report", *read],
            "smtptrail report" + ALL_CORES: [smtptrail, "report", *read],
            "smtptrail ingest" + ALL_CORES: [smtptrail, "ingest", "--store", self.store, "--year", "2026", "--log", self.path],
        }
        self.slow = (PFLOGSUMM, "postfix-logwatch", ACCESS)
        self.rounds = {}

    def access(self):
        return os.path.join(self.folder, "access.log")

    def wanted(self, name, turn):
        """What takes minutes is run once."""
        return turn == 0 or (name != ACCESS and name not in self.slow)

    def measure(self, rounds):
        write_access_log(self.access(), self.bytes)
        run(["cat", self.path])
        for turn in range(rounds):
            for name, command in self.commands.items():
                if not self.wanted(name, turn):
                    continue
                if name.startswith("smtptrail ingest"):
                    shutil.rmtree(self.store, ignore_errors=True)
                self.rounds.setdefault(name, []).append(run(command, env=ENVIRONMENT))

    def median(self, name, place):
        return statistics.median(each[place] for each in self.rounds[name])

    def ratio(self, name):
        """To grep's time, round by round, and what holds 95 % of it; of what ran once, to grep's first."""
        pairs = list(zip(self.rounds[name], self.rounds[GREP]))

        def figure(drawn):
            return statistics.median(ours[0] / theirs[0] for ours, theirs in drawn)
        return with_interval(pairs, figure, 2) if len(pairs) > 1 else "%.2f" % figure(pairs)

    def print_times(self):
        print("\n%s: %d lines, medians of %d rounds\n" % (self.size, self.truth["lines"], len(self.rounds[GREP])))
        print_head(("command", "wall s", "CPU s", "MB/s", "peak MiB", "wall, to grep's", "pflogsumm's wall, to it"))
        reference = self.median(PFLOGSUMM, 0) if PFLOGSUMM in self.rounds else None
        for name in self.rounds:
            ours = name.startswith("smtptrail")
            print_row(name, self.median(name, 0), self.median(name, 1), "%.0f" % (self.bytes / 1e6 / self.median(name, 0)),
                      "%.0f" % self.median(name, 2), self.ratio(name),
                      "%.1f" % (reference / self.median(name, 0)) if ours and reference else "")
        totals = "smtptrail report totals"
        print("\npeak: a process is counted from this script's own size on, that of wc here; mapped files count")
        print("\n%s on all cores: %.2f times faster than on one; goal, of two: 1.6" % (
            totals, self.median(totals, 0) / self.median(totals + ALL_CORES, 0)))

    def output_of(self, name):
        return subprocess.run(self.commands[name], env=ENVIRONMENT, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout


def number_before(text, word):
    found = re.search(r"^\s*([0-9]+)k?\s+%s" % re.escape(word), text, re.MULTILINE)
    return int(found[1]) if found else 0


def numbers_before(text, pattern):
    """The sum of the numbers before such words at a line's begin, each once."""
    found = dict((word, int(number)) for number, word in re.findall(r"^ *([0-9]+) +(%s) " % pattern, text, re.MULTILINE))
    return sum(found.values())


def check_totals(log):
    """Ours must be the truth. Gives the truth, ours, and the names that both have."""
    truth = {**log.truth, **log.truth["lines_by_meaning"]}
    ours = json.loads(log.output_of("smtptrail report totals"))["totals"]
    names = [name for name, value in truth.items() if isinstance(value, int) and name in ours and name not in ("lines", "bytes")]
    wrong = {name: (truth[name], ours[name]) for name in names if ours[name] != truth[name]}
    if wrong or len(names) < TOTALS_MIN:
        sys.exit("the totals are not the truth (truth, ours): %r" % wrong)
    if (ours["logical_messages"], ours["final_deliveries"]) != (truth["logical_messages_built"], final_of(truth)):
        sys.exit("mail that is counted once: %r" % ours)
    return truth, ours, names


def final_of(truth):
    """Deliveries without those to the content filter."""
    return truth["sent"] - truth["sent_by_agent"]["smtp_to_amavis"]


def compare_totals(log, truth, ours, names):
    """With pflogsumm's and postfix-logwatch's own names, and what they stand for there."""
    summed, watched = log.output_of(PFLOGSUMM), log.output_of("postfix-logwatch")
    print("\nTotals beside the truth (smtptrail's are equal in all %d names that both have)\n" % len(names))
    print_head(("", "truth", "smtptrail", "pflogsumm", "postfix-logwatch", "why they differ"))
    for name, value, mine, word, pattern, why in (
            ("received", truth["received"], ours["received"], "received", "Accepted",
             "pflogsumm leaves out bounce notices; both count a content filter's hop as mail of its own"),
            ("mail, each once", truth["logical_messages_built"], ours["logical_messages"], "received", "Accepted",
             "as above: neither joins the hops"),
            ("delivered, finally", final_of(truth), ours["final_deliveries"], "delivered", "Delivered|Sent via SMTP|Sent via LMTP",
             "both count the delivery to the content filter, too"),
            ("bounced", truth["bounced"], ours["bounced"], "bounced", r"Bounced \(local\)|Bounced \(remote\)", ""),
            ("deferred, each try", truth["deferred"], ours["deferred"], None, "Deferrals", "pflogsumm says it in brackets"),
            ("rejected", truth["rejected_total"], ours["rejected_total"], "rejected", "Total 5xx Rejects|Total 4xx Rejects",
             "postfix-logwatch leaves out postscreen's"),
            ("discarded", truth["discard"], ours["discard"], "discarded", "Discarded", "")):
        theirs = number_before(summed, word) if word else None
        others = numbers_before(watched, pattern)
        print_row(name, str(value), str(mine), "" if theirs is None else str(theirs), str(others),
                  why if {theirs or value, others} != {value} else "")


def explain_differences(build, log):
    """All that pflogsumm sums up, and the first of its lists; what differs is counted piece by piece."""
    missing = pflogsumm.is_missing()
    if missing:
        print("\npflogsumm's numbers are not compared: " + missing)
        return
    rows = pflogsumm.compare(os.path.join(build, "smtptrail"), ["--year", "2026"], log.path, ENVIRONMENT)
    print("\npflogsumm's numbers beside smtptrail's, and what each difference is made of\n")
    print_head(("", "smtptrail", "pflogsumm", "from the one to the other"))
    for row in rows:
        print_row(row.name, str(row.ours), str(row.theirs), pflogsumm.explanation(row) or "the same")
    unexplained = [row for row in rows if not pflogsumm.is_explained(row)]
    if unexplained:
        sys.exit("nothing explains these differences: %r" % unexplained)


def print_question(name, commands):
    # 1: nothing was found.
    taken = [run(command, good=(0, 1), env=ENVIRONMENT) for command in commands]
    walls = [each[0] * 1e3 for each in taken]
    print_row(name, statistics.median(walls), max(walls), statistics.median(each[1] * 1e3 for each in taken))


def found_domain(log):
    with open(log.path, encoding="ascii", errors="replace") as file:
        file.seek(log.bytes // 2)
        return re.search(r": from=<[^@>]+@([^>]+)>", file.read(1_000_000))[1]


def ask_widely(log, smtptrail, domain):
    """What no one key answers: the texts of each day are looked through, or its rows."""
    for name, words in (("search by sender, absent", ["from:nobody@nowhere.invalid"]), ("search by client, absent", ["203.0.113.254"]),
                        ("search by client's network, /29", ["client:203.0.113.248/29"]),
                        ("search by domain of the sender", ["from:*@" + domain]),
                        ("search by a piece of the sender, absent", ["from:*nobody-at-all*"]),
                        ("search by a word, absent", ["nobody-at-all"])):
        print_question(name, [[smtptrail, "search", "--store", log.store, *words]] * (1 if name.endswith("word, absent") else 3))


def ask_store(log, build):
    """Size of the store, and what a question of a key takes there."""
    days, recipients = glob.glob(log.store + "/????-??-??.db"), 0
    for path in days:
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as day:
            recipients += day.execute("SELECT count(*) FROM recipients").fetchone()[0]
    sizes = [os.path.getsize(path) for path in days]
    print("\nstore of %s: %d days of %.0f MB, %d recipients: %.0f bytes each; goal: at most 700; %.0f MB of what is under way\n" % (
        log.size, len(days), sum(sizes) / 1e6, recipients, sum(sizes) / recipients,
        os.path.getsize(os.path.join(log.store, "current.db")) / 1e6))
    keys = {"queue id": r" ([0-9A-F]{6,}): from=<", "Message-ID": r"message-id=(<[^>]+>)", "recipient": r"\]: [0-9A-F]{6,}: to=<([^>]+)>",
            "client": r"client=[^\[]*\[([^\]]+)\]"}
    print_head(("question", "median ms", "longest ms", "CPU ms"))
    smtptrail = os.path.join(build, "smtptrail")
    for name, pattern in keys.items():
        with open(log.path, encoding="ascii", errors="replace") as file:
            file.seek(log.bytes // 2)
            found = list(dict.fromkeys(re.findall(pattern, file.read(4_000_000))))[:QUESTIONS]
        for verb in ("trace", "search"):
            print_question(verb + " by " + name, [[smtptrail, verb, "--store", log.store, each.strip("<>")] for each in found])
    ask_widely(log, smtptrail, found_domain(log))
    day = time.strftime("%Y-%m-%d", time.gmtime((log.truth["first_time"] + log.truth["last_time"]) / 2))
    print_question("a day's top lists", [[smtptrail, "report", "senders", "recipients", "clients", "--store", log.store, "on:" + day]] * 5)
    print("\ngoal, in a store of 30 days and 5 million recipients: below 50 ms, and 300 ms for a day's top lists")


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    quick = "--quick" in sys.argv
    sizes = QUICK_SIZES if quick else SIZES
    for word in sys.argv[1:]:
        if word.startswith("--sizes="):
            sizes = word.split("=", 1)[1].split(",")
    if len(words) != 1:
        sys.exit(__doc__)
    logs = []
    for number, size in enumerate(sizes):
        with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as folder:
            log = Log(words[0], folder, size)
            log.measure(1 if quick else ROUNDS.get(size, USUAL_ROUNDS))
            log.print_times()
            totals = check_totals(log)
            if number == 0:
                compare_totals(log, *totals)
                explain_differences(words[0], log)
            ask_store(log, words[0])
            logs.append(log)
    print_growth(logs)
    if not quick:
        ask_month(words[0])


def print_growth(logs):
    print("\nGrowth: CPU ns a line, peak MiB\n")
    print_head(("command", *(log.size for log in logs)))
    for name in logs[0].rounds:
        if name == ACCESS:		# reads other lines
            continue
        print_row(name, *("%.0f, %.0f" % (log.median(name, 1) * 1e9 / log.truth["lines"], log.median(name, 2))
                          if name in log.rounds else "" for log in logs))


def ask_month(build):
    with tempfile.TemporaryDirectory(prefix="smtptrail-bench-") as folder:
        log = Log(build, folder, *MONTH)
        wall, cpu, peak, _ = run(log.commands["smtptrail ingest" + ALL_CORES], env=ENVIRONMENT)
        print("\n%d lines of %.0f days into a store: %.0f s, CPU %.0f s, peak %.0f MiB" % (
            log.truth["lines"], (log.truth["last_time"] - log.truth["first_time"]) / 86400, wall, cpu, peak))
        ask_store(log, build)


if __name__ == "__main__":
    main()
