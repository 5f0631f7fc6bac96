#!/usr/bin/python3
"""test_doctor.py - smtptrail doctor beside a real Postfix, milter and Redis: well, and with each part amiss."""
import contextlib
import json
import os
import sqlite3
import subprocess

from lab import WAIT_SECONDS, Lab, LabError, run_test
from smtp_client import Client


def ask(lab, config, *words):
    """The findings as (state, what, finding, remedy), and the exit status."""
    environment = dict(os.environ, PATH=lab.build + ":" + os.environ["PATH"])
    done = subprocess.run([lab.program("smtptrail"), "doctor", "--json", "--config", config, "--postfix-config",
                           lab.path("postfix", "conf"), "--milter-config", lab.config_file, "--log", lab.mail_log, *words], stdout=subprocess.PIPE,
                          check=False, timeout=WAIT_SECONDS, env=environment)
    rows = json.loads(done.stdout)["tables"]["doctor"]["rows"]
    return [(row["state"], row["what"], row["finding"], row.get("remedy", "")) for row in rows], done.returncode


def expect(rows, state, what, words):
    for row in rows:
        if row[:2] == (state, what) and words in row[2]:
            if state != "ok" and not row[3]:
                raise LabError("no remedy: %s" % (row,))
            return
    raise LabError("no %s of %s with '%s' among:\n%s" % (state, what, words, "\n".join(map(str, rows))))


def write_config(lab, **options):
    path = lab.path("smtptrail.conf")
    with open(path, "w", encoding="utf-8") as file:
        for name, value in dict({"redis_address": "unix:" + lab.redis_socket, "status_file": lab.status_file}, **options).items():
            file.write('%s = "%s"\n' % (name, value))
    return path


def send(lab):
    with Client(lab) as client:
        client.say("EHLO client.example", 250)
        client.say("QUIT", 221)


SENDMAIL_CF = """\
DZ8.17.1
O LogLevel=%d
O MaxHeadersLength=%d
Xother, S=unix:/run/other.sock, T=R:10m
Xsmtptrail, S=%s%s
O InputMailFilters=%s
O DaemonPortOptions=Name=MTA, InputMailFilters=other;%s
"""


def check_sendmail(lab, config):
    """No Sendmail is needed: its configuration is what is read."""
    path, ours = lab.path("sendmail.cf"), "unix:" + lab.milter_socket

    def ask_with(*settings, daemon="smtptrail"):
        with open(path, "w", encoding="ascii") as file:
            file.write(SENDMAIL_CF % (*settings, daemon))
        return ask(lab, config, "--sendmail-config", path)[0]
    rows = ask_with(10, 32768, ours, ", F=, T=C:2s;S:2s;R:2s;E:5s", "smtptrail,other")
    expect(rows, "ok", "sendmail", "version 8.17.1; the filter 'smtptrail' is the milter")
    if [row for row in rows if row[1] == "sendmail" and row[0] != "ok"]:
        raise LabError("warnings of what is right: %s" % rows)
    rows = ask_with(9, 70000, ours, ", F=T", "other, smtptrail")
    for words in ("not the first filter", "F=T: mail is refused", "no time limits", "no line for a connection", "header field"):
        expect(rows, "warning", "sendmail", words)
    expect(ask_with(10, 0, ours, "", "other", daemon="third"), "error", "sendmail", "'smtptrail' is not among InputMailFilters")
    expect(ask_with(10, 0, "unix:/run/x.sock", "", "smtptrail"), "error", "sendmail", "no filter")
    expect(ask_with(10, 0, ours, "", "other"), "ok", "sendmail", "the filter 'smtptrail' is the milter")
    rows = ask_with(10, 0, ours, ", F=, T=R:5s", "smtptrail\nO DaemonPortOptions=Port=587, Name=MSA, M=Ea, I=other")
    expect(rows, "warning", "sendmail", "the daemon 'MSA' calls other filters (other)")
    if any("'MTA'" in row[2] for row in rows):
        raise LabError("a warning of a daemon that calls it: %s" % rows)
    os.remove(path)
    expect(ask(lab, config, "--sendmail-config", path)[0], "ok", "sendmail", "no Sendmail here")


def check_config(lab, config):
    """What is wrong with either configuration is a finding, and the other checks go on."""
    bad, milters = lab.path("bad.conf"), lab.path("bad-milter.conf")
    for path, words in ((bad, "store_keep = 90 parsecs\n"), (milters, "front_size = many\n")):
        with open(path, "w", encoding="ascii") as file:
            file.write("# amiss\n" + words)
    rows, status = ask(lab, bad)
    expect(rows, "error", "configuration", bad + ":2: ")
    for what in ("programs", "milter", "postfix", "redis", "store", "log", "clock"):
        if what not in (row[1] for row in rows):
            raise LabError("a bad configuration ends it before '%s': %s" % (what, rows))
    if status != 1:
        raise LabError("exit status %d with a bad configuration" % status)
    expect(ask(lab, lab.path("no.conf"))[0], "error", "configuration", "no.conf': No such file or directory")
    rows, _ = ask(lab, config, "--milter-config", milters)
    expect(rows, "ok", "configuration", config)
    expect(rows, "error", "configuration", milters + ":2: ")
    expect(rows, "ok", "milter", "version")
    reasons = lab.path("reasons")
    with open(reasons, "w", encoding="ascii") as file:
        file.write("no-pattern\n")
    expect(ask(lab, write_config(lab, reasons=reasons))[0], "error", "configuration", reasons)
    write_config(lab)


def check_store(lab):
    """None yet, one of now, one that is no longer fed, one that is no database."""
    store = lab.path("store")
    config = write_config(lab, store=store)
    expect(ask(lab, config)[0], "ok", "store", "there is none")
    subprocess.run([lab.program("smtptrail"), "ingest", "--config", config, "--log", lab.mail_log], check=True,
                   stderr=subprocess.DEVNULL, timeout=WAIT_SECONDS)
    expect(ask(lab, config)[0], "ok", "store", "the last came")
    current = os.path.join(store, "current.db")
    with contextlib.closing(sqlite3.connect(current)) as database, database:
        database.execute("UPDATE input SET seen_us = seen_us - 49 * 3600 * 1000000")
    expect(ask(lab, config)[0], "warning", "store", "nothing has come into")
    with open(current, "wb") as file:
        file.write(b"no database" * 1000)
    expect(ask(lab, config)[0], "error", "store", current)


def main():
    with Lab() as lab:
        lab.start()
        config = write_config(lab)
        rows, status = ask(lab, config)
        expect(rows, "ok", "programs", "both are of version")
        expect(rows, "ok", "configuration", config)
        expect(rows, "ok", "configuration", "of the milter: " + lab.config_file)
        expect(rows, "ok", "milter", "version")
        expect(rows, "ok", "journal", "records wait")
        expect(rows, "ok", "postfix", "smtpd_milters names the milter")
        if status != 1:
            raise LabError("exit status %d with a warning" % status)
        send(lab)
        lab.wait_closes(1)
        rows, _ = ask(lab, config)
        expect(rows, "ok", "redis", "records")
        expect(rows, "ok", "log", "lines understood")

        check_store(lab)
        check_config(lab, write_config(lab))

        # Each part amiss is named.
        rows, _ = ask(lab, write_config(lab, stream_prefix="another"))
        expect(rows, "warning", "redis", "{another:0}:records holds no records")
        rows, _ = ask(lab, write_config(lab, redis_address="unix:" + lab.path("nowhere.sock")))
        expect(rows, "error", "redis", "cannot reach")
        rows, _ = ask(lab, config, "--log", lab.path("no.log"))
        expect(rows, "warning", "log", "no.log")
        rows, _ = ask(lab, config, "--postfix-config", lab.path("no-postfix"))
        expect(rows, "warning", "postfix", "open %s: No such file or directory" % lab.path("no-postfix", "main.cf"))
        lab.postfix_program("postconf", "-e", "smtpd_milters=", "non_smtpd_milters=", "enable_long_queue_ids=no",
                            "smtpd_client_port_logging=no")
        rows, status = ask(lab, write_config(lab))
        expect(rows, "error", "postfix", "smtpd_milters does not name the milter")
        expect(rows, "warning", "postfix", "non_smtpd_milters does not name it")
        expect(rows, "warning", "postfix", "identifiers are short")
        expect(rows, "warning", "postfix", "no client ports")
        check_sendmail(lab, config)
        lab.end("milter")
        rows, status = ask(lab, config)
        expect(rows, "error", "milter", "not running")
        if status != 1:
            raise LabError("exit status %d with errors" % status)
    print("doctor names what is amiss, and how to mend it")
    return 0


if __name__ == "__main__":
    run_test(main)
