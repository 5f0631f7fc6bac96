"""milter_load.py - a load of mtadrive on a lab's milter, and what it says afterwards.

A lab that is only asked what the milter does needs no Redis: lab.write_config(redis_address=NO_REDIS)
leaves all records in the journal.
"""
import json
import subprocess

from lab import LabError, wait_until

NO_REDIS = "unix:/nonexistent/redis.sock"


def load_words(lab, connections, **options):
    """The command line of a load; options as mtadrive names them."""
    words = [lab.program("tests/driver/mtadrive"), "load", "--connections", str(connections)]
    for name, value in options.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return words + ["unix:" + lab.milter_socket]


def report_of(text):
    """The lines "name value" as numbers; of "replies_..." a dict with count, p50, p99, p99.9, max."""
    report = {}
    for line in text.splitlines():
        words = line.split()
        if words[0].startswith("replies_"):
            report[words[0]] = dict(zip(["count"] + words[2:-1:2], map(float, [words[1]] + words[3:-1:2])))
        else:
            report[words[0]] = float(words[1])
    return report


def run_load(lab, connections, limit_seconds=300, **options):
    """Runs a load to its end and gives its report; every reply must have come, and be right."""
    done = subprocess.run(load_words(lab, connections, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=limit_seconds)
    if done.returncode != 0:
        raise LabError("the load ended with status %d: %s" % (done.returncode, done.stdout))
    report = report_of(done.stdout)
    if report["sessions_cut"] or report["wrong_replies"] or report["sessions_ended"] != report["sessions_begun"]:
        raise LabError("not every session had its replies: %s" % done.stdout)
    return report


def play(lab, dialogue):
    """Plays a file of tests/driver/README.md; each reply must be the expected one."""
    done = subprocess.run([lab.program("tests/driver/mtadrive"), "play", "--timeout", "60000", dialogue,
                           "unix:" + lab.milter_socket], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise LabError("%s: %s" % (dialogue, done.stdout))


def journal_records(lab, directory):
    """The records in a journal's directory, in their order."""
    done = subprocess.run([lab.program("smtptrail"), "journal", "dump", "--json", directory], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    if done.returncode != 0:
        raise LabError("journal dump: " + done.stderr.decode("utf-8", "backslashreplace"))
    return [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]


def start_milter(lab, prefix=()):
    """As the lab's own, but without a connection to see whether it listens: that would be a session."""
    accepting = 0x10000

    def listens():
        if lab.children["milter"].poll() is not None:
            lab.show_logs()
            raise LabError("the milter ended at its start")
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            rows = [line.split() for line in file if line.rstrip().endswith(lab.milter_socket)]
        return any(int(row[3], 16) & accepting for row in rows)

    lab.spawn_milter(prefix)
    wait_until("the milter listens", listens, 60)
    lab.wait_status()


def is_sanitized(lab):
    """Whether the milter carries a sanitizer, whose memory and system calls are its own."""
    with open(lab.program("smtptrail-milter"), "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program
