#!/usr/bin/python3
"""sendmail_fixtures.py - makes tests/replay/formats/sendmail.log: the log of a real Sendmail to which much happens.

    tests/live/sendmail_fixtures.py FILE

Refusals by rulesets, by Sendmail itself and by a milter at every stage, a milter that is away; sizes, hops, lost
clients, TLS, SASL; mail that a server takes, refuses or puts off, and what a later run of the queue makes of it; aliases,
lists with an owner, programs, files, notices. A person reviews the events of a new log before both are stored
(tests/replay/formats/run --update prints them).
"""
import base64
import re
import ssl
import sys
import time

from format_fixtures import Dialogue, Milter, Sink
from lab import DOMAIN, SASL_PASSWORD, SASL_USER, Lab, run_test
from sendmail_lab import call_in_network

SINK_PORT = 2525
DEFINES = """\
define(`confLOG_LEVEL', `%d')dnl
define(`confMILTER_LOG_LEVEL', `9')dnl
define(`confMAX_HOP', `5')dnl
define(`confBAD_RCPT_THROTTLE', `3')dnl
define(`confTO_QUEUEWARN', `1s')dnl
define(`confTO_QUEUERETURN', `%s')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`LOCAL_SHELL_PATH', `/bin/sh')dnl
define(`RELAY_MAILER_ARGS', `TCP $h %d')dnl
FEATURE(`mailertable', `hash -o {directory}/conf/mailertable')dnl
INPUT_MAIL_FILTER(`fixture', `S=unix:%s, F=, T=C:2s;S:2s;R:2s;E:5s')dnl
INPUT_MAIL_FILTER(`away', `S=unix:%s, F=, T=C:1s;S:1s;R:1s;E:1s')dnl
"""
ALIASES = """\
two: joe,ann
list: joe,nobody-of-list@sink.test
list-owner: ann
owner-list: list-owner
later: "|exit 75"
broken: "|exit 67"
file: %(directory)s/file
elsewhere: ok@sink.test
"""
MAILERTABLE = "sink.test	relay:[127.0.0.1]\ndead.test	esmtp:[127.0.0.9]\nerror.test	error:5.1.2:550 nobody lives here, stat=Sent\n"


def mail(lab, sender, *recipients, subject="hello", body="text", address="127.0.0.1", headers="", parameters=""):
    each = Dialogue(0, connection=lab.sendmail.connect(address))
    each.say("EHLO client.example.net", "MAIL FROM:<%s>%s" % (sender, parameters), *("RCPT TO:<%s>" % to for to in recipients))
    if each.say("DATA").startswith("354"):
        each.say("%sFrom: <%s>\r\nSubject: %s\r\nMessage-ID: <%s@example.com>\r\n\r\n%s\r\n."
                 % (headers, sender, subject, subject.replace(" ", "-"), body))
    each.end()


def refuse(lab):
    to = "joe@" + DOMAIN
    mail(lab, "a@example.com", "rejected@" + DOMAIN, "later@" + DOMAIN, "nobody@" + DOMAIN, to)
    mail(lab, "a@example.com", "x@elsewhere.example", address="198.51.100.9")
    mail(lab, "a@example.com", '"x> y, stat=Sent"@' + DOMAIN, to)
    mail(lab, '"a, size=1"@example.com', to, subject="m>, proto=X, relay=forged [192.0.2.66]")
    mail(lab, "a@example.com", *("nobody%d@%s" % (number, DOMAIN) for number in range(6)))
    mail(lab, "a@example.com", to, subject="hops", headers="Received: from a by b; Sat, 21 Nov 2026 08:00:00 +0000\r\n" * 8)
    mail(lab, "a@example.com", to, parameters=" SIZE=99999999")
    mail(lab, "a@example.com", to, subject="long", body="x" * 70 + ("\r\n" + "x" * 70) * 5000)
    each = Dialogue(0, connection=lab.sendmail.connect())
    each.say("EHLO c.example.net", "VRFY joe", "EXPN two", "ETRN example.com", "MAIL FROM:<bad address", "DATA", "MAIL FROM:<a@example.com>",
             "DATA", "NONSENSE")
    each.end()
    for stage in ("EHLO c.example.net", "MAIL FROM:<a@example.com>", "RCPT TO:<%s>" % to):
        each = Dialogue(0, connection=lab.sendmail.connect())
        each.say("EHLO c.example.net")
        if stage.startswith("RCPT"):
            each.say("MAIL FROM:<a@example.com>")
        each.say(stage)
        each.end(polite=False)
    each = Dialogue(0, connection=lab.sendmail.connect())
    each.say("EHLO c.example.net", "MAIL FROM:<a@example.com>", "RCPT TO:<%s>" % to, "DATA")
    each.socket.sendall(b"Subject: lost\r\n\r\nhalf a ")
    each.end(polite=False)


def use_tls_and_sasl(lab):
    each = Dialogue(0, connection=lab.sendmail.connect())
    each.say("EHLO c.example.net", "STARTTLS")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    each.socket = context.wrap_socket(each.socket)
    good = base64.b64encode(("\0%s\0%s" % (SASL_USER, SASL_PASSWORD)).encode()).decode()
    bad = base64.b64encode(("\0%s\0wrong" % SASL_USER).encode()).decode()
    each.say("EHLO c.example.net", "AUTH PLAIN " + bad, "AUTH PLAIN " + good, "MAIL FROM:<a@example.com>",
             "RCPT TO:<joe@%s>" % DOMAIN, "DATA", "Subject: authenticated\r\n\r\nx\r\n.")
    each.end()
    each = Dialogue(0, connection=lab.sendmail.connect())
    each.say("EHLO c.example.net", "STARTTLS")
    each.socket.sendall(b"this is no TLS at all\r\n")
    each.end(polite=False)
    each = Dialogue(0, connection=lab.sendmail.connect())
    each.say("EHLO c.example.net", *["AUTH PLAIN " + bad] * 4)
    each.end()


def deliver(lab):
    for to in ("ok", "unknown", "greylisted", "full", "lost"):
        mail(lab, "joe@" + DOMAIN, to + "@sink.test", subject="to " + to)
    mail(lab, "joe@" + DOMAIN, "ok@sink.test", "unknown@sink.test", "greylisted@sink.test", "ann@" + DOMAIN, subject="to many")
    for to in ("a@dead.test", "a@error.test", "two@" + DOMAIN, "list@" + DOMAIN, "later@" + DOMAIN, "broken@" + DOMAIN,
               "file@" + DOMAIN, "elsewhere@" + DOMAIN):
        mail(lab, "joe@" + DOMAIN, to, subject="to " + to)
    mail(lab, "", "unknown@sink.test", subject="a notice that bounces")
    mail(lab, "joe@" + DOMAIN, *("a-recipient-with-a-long-name-%03d@sink.test" % number for number in range(40)), subject="to 40")
    mail(lab, "joe@" + DOMAIN, "greylisted@sink.test", *("r%d@sink.test" % number for number in range(4)), subject="success", parameters=" RET=HDRS")
    lab.sendmail.submit("-f", "joe@" + DOMAIN, "ok@sink.test", data=b"Subject: submitted\n\nx\n")


def play(lab, path, level, silence):
    milter = Milter(lab.path("fixture.sock"))
    milter.start()
    lab.start_sendmail(defines=DEFINES % (level, silence, SINK_PORT, lab.path("fixture.sock"), lab.path("nobody.sock")), aliases=ALIASES
                       % {"directory": lab.path("sendmail")}, mailertable=MAILERTABLE)
    sink = call_in_network(lab.sendmail.pid, lambda: Sink(SINK_PORT))
    sink.start()
    refuse(lab)
    for sender in ("m-mail", "m-rcpt", "m-data", "m-eom", "m-later", "m-discard", "m-hold"):
        mail(lab, sender + "@example.com", "joe@" + DOMAIN, subject=sender)
    use_tls_and_sasl(lab)
    deliver(lab)
    time.sleep(3)
    lab.sendmail.run("-q")
    time.sleep(3)
    lab.sendmail.run("-q")
    time.sleep(2)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    log = b""
    for level, silence in ((10, "30s"), (9, "4s")):
        with Lab() as lab:
            play(lab, None, level, silence)
            with open(lab.mail_log, "rb") as file:
                log += re.sub(rb"/[^ ]*/libexec/sendmail/", b"/usr/sbin/", file.read().replace(lab.directory.encode(), b"/var/lab"))
    with open(sys.argv[1], "wb") as file:
        file.write(log)
    return 0


if __name__ == "__main__":
    run_test(main)
