#!/usr/bin/python3
"""test_valgrind.py - a short life of the milter under memcheck: dialogues, a load, a reload, an orderly stop.

No error, no block that is definitely lost.
"""
import os
import shutil
import signal

from lab import WAIT_SECONDS, Lab, LabError, Missing, run_test, wait_until
from milter_load import is_sanitized, play, run_load, start_milter

HERE = os.path.dirname(os.path.abspath(__file__))
DIALOGUES = ("postfix_session", "sendmail_session", "any_bytes", "truncated_packets", "wrong_order", "two_helos",
             "quit_in_message", "mime_horrors", "rejected_recipients", "interleaved")
ERRORS = 99
CHECKS = {"auth": "yes", "dns_servers": ["127.0.0.1@9"], "dns_timeout": "100ms"}


def main():
    if not shutil.which("valgrind"):
        raise Missing("valgrind is not installed: apt-get install valgrind")
    with Lab() as lab:
        if is_sanitized(lab):
            raise Missing("a program with a sanitizer cannot run under valgrind")
        lab.start_redis()
        lab.write_config(**CHECKS)
        report = lab.path("memcheck")
        start_milter(lab, ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite",
                           "--show-leak-kinds=definite", "--error-exitcode=%d" % ERRORS, "--num-callers=25",
                           "--suppressions=" + os.path.join(HERE, "valgrind.supp"), "--log-file=" + report])
        for name in DIALOGUES:
            play(lab, os.path.join(HERE, "..", "replay", name, "dialogue"))
        before = lab.status()["config_digest"]
        lab.write_config(body_sha256="yes", header_keep=["from", "to"], **CHECKS)
        lab.children["milter"].send_signal(signal.SIGUSR1)
        wait_until("the configuration is in force", lambda: lab.status()["config_digest"] != before)
        run_load(lab, 20, sessions=40, messages=3, recipients=3, headers=10)
        lab.end("redis")
        run_load(lab, 5, sessions=5, messages=2, first=1000)
        lab.start_redis()
        wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0, 60)
        records = len(lab.records())
        status = lab.end("milter", seconds=WAIT_SECONDS)
        with open(report, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if status != 0:
            raise LabError("the milter under valgrind ended with status %d:\n%s" % (status, text))
        print("%d records; %s" % (records, text.splitlines()[-1].partition("== ")[2]))
    return 0


if __name__ == "__main__":
    run_test(main)
