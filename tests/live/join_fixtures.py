#!/usr/bin/python3
"""join_fixtures.py - makes logs and records of tests/replay/joins: what a real Postfix and the milter wrote of the same mail.

    tests/live/join_fixtures.py FOLDER [CASE...]

Each case is a few sessions, and becomes FOLDER/CASE/mx.log and milter.records; "why" says what must be right there. A person
reviews the transactions of new ones before they are stored (tests/replay/joins/run --update prints them).
"""
import json
import os
import re
import signal
import sys
import time

from lab import DOMAIN, Lab, run_test, wait_until
from mail_routes import Door, Routes
from smtp_client import Client, Message

CASES = {}
OK, REFUSED = (250,), (450, 550, 553, 554)


def case(why, **options):
    def keep(function):
        CASES[function.__name__] = (function, why, options)
        return function
    return keep


class Stage:
    """What cases play on."""

    def __init__(self, lab, routes):
        self.lab, self.routes = lab, routes

    def client(self, route="main", address="127.0.0.7"):
        client = Client(Door(self.routes.ports[route], address))
        client.say("EHLO client.example")
        return client

    @staticmethod
    def begin(client, sender, *recipients):
        client.say("MAIL FROM:<%s>" % sender)
        return [client.say("RCPT TO:<%s>" % recipient, OK + REFUSED)[0] == "2" for recipient in recipients]

    def mail(self, client, name, *recipients, message=None):
        sender = name if "@" in name else name + "@example.com"
        if any(self.begin(client, sender, *recipients)):
            client.data(message or Message(sender.split("@")[0]), OK + REFUSED)
        else:
            client.say("RSET")

    def session(self, route, name, *recipients, **more):
        with self.client(route) as client:
            self.mail(client, name, *recipients, **more)
            client.quit()


REJECTED, NOBODY, LATER = "rejected@" + DOMAIN, "nobody@" + DOMAIN, "later@" + DOMAIN


@case("several recipients, some refused; the session is tied by the client's port, the message by its queue identifier")
def several_recipients(stage):
    stage.session("main", "several", "ok@sink.test", REJECTED, "unknown@sink.test", LATER, "later@sink.test")


@case("recipients that the milter saw refused, and that the log tells as NOQUEUE, are one attempt each")
def refused_once(stage):
    with stage.client() as client:
        stage.mail(client, "refused", REJECTED, NOBODY)
        stage.begin(client, "again@example.com", REJECTED)
        client.quit()


@case("several messages in one session, between them one that was given up and one that was refused")
def several_messages(stage):
    with stage.client() as client:
        stage.mail(client, "first", "ok@sink.test")
        stage.begin(client, "given-up@example.com", "ok@sink.test")
        client.say("RSET")
        stage.mail(client, "at-end@late.example", "ok@sink.test", "two@sink.test")
        client.say("RSET")
        stage.mail(client, "last", "ok@sink.test")
        client.quit()


@case("aliases: virtual ones expand in place (orig_to), local ones go on as another message, which is linked; two legs of one "
      "Message-ID stay apart")
def aliases(stage):
    stage.session("main", "aliases", "team@" + DOMAIN, "list@" + DOMAIN, "joe@" + DOMAIN)


@case("an after-queue content filter gives the mail back: a hop, counted once; what it bounces is linked to the second sighting")
def after_queue_filter(stage):
    stage.session("filtered", "filtered", "ok@sink.test", "unknown@sink.test", REJECTED)


@case("a before-queue proxy: the milter in front sees commands only, the one behind calls it again: the second sighting is a hop. "
      "What the one in front refuses at the end, the one behind never had")
def before_queue_proxy(stage):
    with stage.client("proxied") as client:
        stage.mail(client, "proxied", "ok@sink.test", "two@sink.test", REJECTED)
        stage.mail(client, "proxied@late.example", "ok@sink.test")
        client.say("RSET")
        client.quit()


@case("a bounce is linked to the message that it is about, a notice of delay too")
def bounce_and_delay(stage):
    stage.session("main", "bounced", "unknown@sink.test")
    stage.session("main", "delayed", "later@sink.test")
    time.sleep(1.5)
    stage.lab.postfix_program("postqueue", "-f")


@case("two instances on one host: what one hands over, the other queues; each has its own log and its own queue")
def two_instances(stage):
    stage.session("main", "second", "ok@two.test", "ok@sink.test")


@case("what a program of the machine gave to sendmail(1): the milter's session of it is no client in the log")
def pickup(stage):
    for words in (["-f", "joe@" + DOMAIN, "-t"], ["-f", "ann@" + DOMAIN, "-i", "two@sink.test"]):
        stage.lab.postfix_program("sendmail", *words, data=b"To: ok@sink.test, later@sink.test\nSubject: picked up\n\nx\n")


@case("two messages with the same Message-ID, and two to which the client gave none: four messages")
def message_ids(stage):
    for has_id in (True, False):
        with stage.client() as client:
            for name in ("one", "two"):
                stage.mail(client, "%s-%s" % (name, "same" if has_id else "none"), "ok@sink.test", message=Message("same", has_id=has_id))
            client.quit()


@case("postscreen's lines, smtpd's and the milter's are one session")
def postscreen(stage):
    stage.session("screen", "screened", "ok@sink.test", REJECTED)


@case("postscreen's client in smtpd without a port: by its address, where one only came then; by the queue identifier and the "
      "milter's port; and where another of that address came to smtpd at the same time and nothing else tells, none is chosen",
      smtpd_client_port_logging="no")
def postscreen_no_ports(stage):
    with stage.client("screen", "127.0.0.8") as client:
        client.quit()
    for address, has_mail in (("127.0.0.9", True), ("127.0.0.10", False)):
        with stage.client("screen", address) as one, stage.client("main", address) as other:
            if has_mail:
                stage.mail(one, "screened", "ok@sink.test")
                stage.mail(other, "direct", "ok@sink.test")
            one.quit()
            other.quit()


@case("clients that leave: RSET after one recipient (nobody but the log has a queue identifier), QUIT, a lost connection, and one "
      "in the middle of the data")
def aborted(stage):
    with stage.client() as client:
        stage.begin(client, "reset@example.com", "ok@sink.test")
        client.say("RSET")
        client.quit()
    with stage.client() as client:
        stage.begin(client, "quit@example.com", "ok@sink.test", "two@sink.test")
        client.quit()
    with stage.client() as client:
        stage.begin(client, "lost@example.com", "ok@sink.test", REJECTED)
        client.lose()
    with stage.client() as client:
        stage.begin(client, "cut@example.com", "ok@sink.test")
        client.say("DATA", 354)
        client.send_raw(b"Subject: cut\r\n\r\nhalf a ", "half a message")


@case("without clients' ports in the log: by address, time and envelope where one only fits. Two of the same address that did "
      "the same at the same time are ambiguous, marked so, and none is chosen", smtpd_client_port_logging="no")
def no_ports(stage):
    with stage.client(address="127.0.0.8") as client:
        stage.mail(client, "alone", REJECTED, NOBODY)
        client.quit()
    with stage.client(address="127.0.0.9") as client:
        stage.begin(client, "given-up@example.com", "ok@sink.test")
        client.say("RSET")
        client.quit()
    with stage.client() as one, stage.client() as other:
        for each, name in ((one, "one"), (other, "other")):
            stage.begin(each, name + "@example.com", "ok@sink.test")
        for each in (one, other):
            each.say("RSET")
            each.quit()
    with stage.client() as client:
        stage.mail(client, "named", "ok@sink.test")
        client.quit()


@case("the milter is killed in the middle of a session: the log goes on, what is cut says so; the next session is whole")
def killed(stage):
    with stage.client() as client:
        stage.begin(client, "killed@example.com", "ok@sink.test", REJECTED)
        stage.lab.end("milter", signal.SIGKILL)
        client.data(Message("killed"))
        client.quit()
    stage.lab.spawn_milter()
    stage.lab.wait_milter_socket("milter")
    stage.session("main", "whole", "ok@sink.test")


def is_done(lab, mark, position):
    records = lab.records(mark)
    begun, ended = (sum(each["stage"] == stage for each in records) for stage in ("connect", "close"))
    lines = lab.log_lines(position)
    words = [sum("/smtpd[" in line and word in line for line in lines) for word in (": connect from", ": disconnect from")]
    queue = [json.loads(line) for line in lab.postfix_program("postqueue", "-j")[1].splitlines() if line.startswith("{")]
    return begun == ended and words[0] == words[1] and lab.status()["backlog_records"] == 0 and \
        all(each["queue_name"] == "deferred" for each in queue)


def write_log(lab, position, path):
    """Without what the daemons say of their start and of this script's own ways."""
    lines = [line for line in lab.log_lines(position)
             if not re.search(r"/(master|postfix-script|scache|anvil)\[|statistics: |warning: (?!milter)", line)]
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(line.replace(lab.directory, "/var/lab") + "\n" for line in lines)


def make(name, folder):
    function, why, options = CASES[name]
    with Lab() as lab:
        lab.start_redis()
        lab.start_milter(host="mx", instance="mx")
        routes = Routes(lab, delay_warning_time="1s", **options)
        try:
            both = (lab, routes.second_lab)
            positions, mark = [each.log_position() for each in both], lab.last_id()
            function(Stage(lab, routes))
            time.sleep(0.5)
            wait_until("all has ended", lambda: is_done(lab, mark, positions[0]), pause=0.2)
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            write_log(lab, positions[0], os.path.join(folder, name, "mx.log"))
            if routes.second_lab.log_position() > positions[1]:
                write_log(routes.second_lab, positions[1], os.path.join(folder, name, "mx-two.log"))
            with open(os.path.join(folder, name, "milter.records"), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(record).replace(lab.directory, "/var/lab") + "\n" for record in lab.records(mark))
            with open(os.path.join(folder, name, "why"), "w", encoding="utf-8") as file:
                file.write(why[0].upper() + why[1:] + ". A real Postfix and the milter wrote these (tests/live/join_fixtures.py).\n")
        finally:
            routes.close()


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    for name in sys.argv[2:] or CASES:
        make(name, sys.argv[1])
        print(name, flush=True)
    return 0


if __name__ == "__main__":
    run_test(main)
