#!/usr/bin/python3
"""format_fixtures.py - makes tests/replay/formats/postfix.log: the log of a real Postfix to which much happens.

    tests/live/format_fixtures.py FILE

Rejections at every stage, a milter that rejects, holds and discards, checks of headers and bodies, expiry, probes of
addresses, BDAT, TLS, SASL, two instances, postscreen. A person reviews the events of a new log before both
are stored (tests/replay/formats/run --update prints them).
"""
import base64
import os
import socket
import ssl
import struct
import sys
import threading
import time

from lab import DOMAIN, SASL_PASSWORD, SASL_USER, Lab, free_ports, run_test, wait_until, write

HEADER_CHECKS = """\
/^Subject: hc-reject/ REJECT 5.7.9 not this subject
/^Subject: hc-warn/ WARN seen
/^Subject: hc-info/ INFO noted
/^Subject: hc-hold/ HOLD wait
/^Subject: hc-discard/ DISCARD gone
/^Subject: hc-prepend/ PREPEND X-Mark: yes
/^Subject: hc-replace/ REPLACE Subject: other; from=<forged@example.org> to=<x>
/^Subject: hc-redirect/ REDIRECT bob@lab.test
/^Subject: hc-bcc/ BCC ann@lab.test
/^Subject: hc-filter/ FILTER discard:nowhere
/^Subject: hc-strip/ STRIP not wanted
"""
BODY_CHECKS = "/^buy this/ REJECT no shop\n"
CLIENT_ACCESS = "inline:{ { 198.51.100.66 = 554 5.7.1 this client not }, { 198.51.100.67 = 450 4.7.1 not now } }"


class Milter(threading.Thread):
    """The wire of libmilter, as far as it takes to refuse: the sender's local part says where."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        os.chmod(path, 0o666)
        self.server.listen(64)

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        wanted = ""
        with connection, connection.makefile("rb") as file:
            def answer(command, data=b""):
                connection.sendall(struct.pack(">I", 1 + len(data)) + command + data)
            while True:
                size = file.read(4)
                if len(size) < 4:
                    return
                packet = file.read(struct.unpack(">I", size)[0])
                command, data = packet[:1], packet[1:]
                if command == b"O":
                    answer(b"O", struct.pack(">III", 6, 0x1ff, 0))
                elif command == b"D":
                    continue
                elif command == b"Q":
                    return
                else:
                    if command == b"M":
                        wanted = data.split(b"@")[0].strip(b"<").decode("ascii", "replace")
                    if command == b"H" and data.startswith(b"milter-"):
                        answer(b"y", b"550 5.7.1 milter does not like the name\0")
                    elif command == b"H":
                        wanted = ""
                        answer(b"c")
                    elif wanted == "m-mail" and command == b"M" or wanted == "m-rcpt" and command == b"R" or \
                            wanted == "m-data" and command == b"T" or wanted == "m-eom" and command == b"E":
                        answer(b"y", b"554 5.7.1 refused; from=<not@example.org> to=<this> status=sent\0")
                    elif wanted == "m-later" and command == b"E":
                        answer(b"t")
                    elif wanted == "m-discard" and command == b"E":
                        answer(b"d")
                    elif wanted == "m-hold" and command == b"E":
                        answer(b"q", b"suspicious\0")
                        answer(b"c")
                    elif command not in (b"A", b"K"):
                        answer(b"c")


class Sink(threading.Thread):
    """A server that mail is delivered to: what it answers stands in the recipient."""

    def __init__(self, port=0):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]

    def run(self):
        while True:
            connection, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def serve(connection):
        with connection, connection.makefile("rb") as file:
            say = lambda text: connection.sendall(text.encode() + b"\r\n")
            say("220 sink.lab.test ESMTP")
            while True:
                line = file.readline().decode("latin-1").strip()
                word = line.upper()
                if not line:
                    return
                if "unknown@" in line:
                    say("550-5.1.1 <%s>: no such user" % "unknown")
                    say("550 5.1.1 status=sent (250 ok), relay=forged[192.0.2.66]:25")
                elif "greylisted@" in line:
                    say("450 4.2.0 Greylisted, come back (in 5 minutes)")
                elif "full@" in line:
                    say("552 5.2.2 mailbox full")
                elif "lost@" in line:
                    return
                elif word.startswith("EHLO"):
                    say("250-sink.lab.test")
                    say("250-8BITMIME")
                    say("250 ENHANCEDSTATUSCODES")
                elif word == "DATA":
                    say("354 go on")
                    while file.readline() not in (b".\r\n", b""):
                        pass
                    say("250 2.0.0 Ok: queued as 4B6A3D12F3 (to=<x@example.org>, status=bounced)")
                elif word == "QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 2.0.0 Ok")


class Dialogue:
    """A client that sends lines, and takes any answer."""

    def __init__(self, port, wait_for_greeting=True, connection=None):
        self.socket = connection or socket.create_connection(("127.0.0.1", port), 20)
        if wait_for_greeting:
            self.read()

    def read(self):
        text = b""
        while True:
            got = self.socket.recv(4096)
            text += got
            lines = text.split(b"\r\n")
            if not got or (text.endswith(b"\r\n") and lines[-2][3:4] == b" "):
                return text.decode("latin-1")

    def say(self, *lines):
        text = ""
        for line in lines:
            self.socket.sendall(line.encode("latin-1") + b"\r\n")
            text = self.read()
        return text

    def end(self, polite=True):
        try:
            if polite:
                self.say("QUIT")
        except OSError:
            pass
        self.socket.close()


def mail(port, sender, *recipients, subject="hello", body="text", helo="client.example.net", xclient=None):
    each = Dialogue(port)
    if xclient:
        each.say("XCLIENT " + xclient)
    each.say("EHLO " + helo, "MAIL FROM:<%s>" % sender, *("RCPT TO:<%s>" % to for to in recipients))
    if each.say("DATA").startswith("354"):
        each.say("From: <%s>\r\nSubject: %s\r\nMessage-ID: <%s@example.com>\r\n\r\n%s\r\n."
                 % (sender, subject, subject.replace(" ", "-"), body))
    each.end()


def refuse(lab):
    port, to = lab.port, "joe@" + DOMAIN
    for xclient in ("NAME=bad.example.net ADDR=198.51.100.66", "NAME=later.example.net ADDR=198.51.100.67",
                    "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::66"):
        mail(port, "a@example.com", to, xclient=xclient)
    mail(port, "a@example.com", "rejected@" + DOMAIN, "later@" + DOMAIN, "nobody@" + DOMAIN, to)
    mail(port, "a@example.com", "x@elsewhere.example", xclient="NAME=c.example.net ADDR=198.51.100.9")
    mail(port, "a@badsender.example", to)
    mail(port, "a@example.com", to, helo="bad.helo.example")
    mail(port, "a@example.com", to, helo="x> proto=ESMTP helo=<forged.example")
    mail(port, "a@example.com", '"x> y, status=sent"@' + DOMAIN, to)
    each = Dialogue(port)
    each.say("EHLO c.example.net", "VRFY joe", "ETRN example.com", "MAIL FROM:<a@example.com> SIZE=99999999",
             "MAIL FROM:<bad address", "DATA", "MAIL FROM:<a@example.com>", "DATA", "NONSENSE")
    each.end()
    each = Dialogue(port)
    each.say("EHLO c.example.net")
    each.say("GET / HTTP/1.0")
    each.end(polite=False)
    for stage in ("EHLO c.example.net", "MAIL FROM:<a@example.com>", "RCPT TO:<%s>" % to):
        each = Dialogue(port)
        each.say("EHLO c.example.net")
        if stage.startswith("RCPT"):
            each.say("MAIL FROM:<a@example.com>")
        each.say(stage)
        each.end(polite=False)
    each = Dialogue(port)
    each.say("EHLO c.example.net", "MAIL FROM:<a@example.com>", "RCPT TO:<%s>" % to, "DATA")
    each.socket.sendall(b"Subject: lost\r\n\r\nhalf a ")
    each.end(polite=False)


def use_bdat_tls_and_sasl(lab):
    port, to = lab.port, "joe@" + DOMAIN
    each = Dialogue(port)
    each.say("EHLO c.example.net", "MAIL FROM:<a@example.com>", "RCPT TO:<%s>" % to)
    each.socket.sendall(b"BDAT 20\r\nSubject: bdat\r\n\r\nx\r\n\r\n"[:9 + 20])
    each.read()
    each.say("BDAT 0 LAST")
    each.end()
    each = Dialogue(port)
    each.say("EHLO c.example.net", "BDAT 5 LAST\r\nabcde")
    each.end(polite=False)
    each = Dialogue(port)
    each.say("EHLO c.example.net", "STARTTLS")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    each.socket = context.wrap_socket(each.socket)
    good = base64.b64encode(("\0%s\0%s" % (SASL_USER, SASL_PASSWORD)).encode()).decode()
    bad = base64.b64encode(("\0%s\0wrong" % SASL_USER).encode()).decode()
    each.say("EHLO c.example.net", "AUTH PLAIN " + bad, "AUTH PLAIN " + good, "MAIL FROM:<a@example.com>",
             "RCPT TO:<%s>" % to, "DATA", "Subject: authenticated\r\n\r\nx\r\n.")
    each.end()
    each = Dialogue(port)
    each.say("EHLO c.example.net", "STARTTLS")
    each.socket.sendall(b"this is no TLS at all\r\n")
    each.end(polite=False)


def screen(port):
    each = Dialogue(port, wait_for_greeting=False)
    each.socket.sendall(b"EHLO early.example\r\n")
    each.read()
    each.end(polite=False)
    each = Dialogue(port)
    time.sleep(3)
    each.say("EHLO c.example.net")
    each.socket.sendall(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<joe@lab.test>\r\n")
    time.sleep(1)
    each.end(polite=False)
    each = Dialogue(port)
    time.sleep(3)
    each.say("GET / HTTP/1.0")
    each.end(polite=False)
    # Last: one that passed is not looked at again.
    each = Dialogue(port)
    time.sleep(3)
    each.say("EHLO c.example.net", "MAIL FROM:<a@example.com>", "RCPT TO:<joe@%s>" % DOMAIN)
    each.end()


def without_repeats(log):
    """Each daemon complains of what this script overrides in main.cf: once is enough."""
    seen = set()
    for line in log:
        _, found, setting = line.partition(b": overriding earlier entry: ")
        if not found or setting not in seen:
            yield line
        seen.add(setting)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with Lab() as lab:
        milter, sink = Milter(lab.path("fixture.sock")), Sink()
        milter.start()
        sink.start()
        write(lab.path("header_checks"), HEADER_CHECKS)
        write(lab.path("body_checks"), BODY_CHECKS)
        os.chmod(lab.directory, 0o755)
        screen_port, submission_port, dead_port = free_ports(3)
        services = "\n".join((
            "127.0.0.1:%d inet n - n - 1 postscreen" % screen_port, "smtpd pass - - n - - smtpd",
            "dnsblog unix - - n - 0 dnsblog", "tlsproxy unix - - n - 0 tlsproxy",
            "127.0.0.1:%d inet n - n - - smtpd" % submission_port, "  -o syslog_name=postfix-lab/submission", ""))
        lab.start_postfix(services, **{
            "smtpd_milters": "unix:" + lab.path("fixture.sock"), "non_smtpd_milters": "",
            "header_checks": "regexp:" + lab.path("header_checks"), "body_checks": "regexp:" + lab.path("body_checks"),
            "smtpd_client_restrictions": "check_client_access " + CLIENT_ACCESS,
            "smtpd_helo_restrictions": "check_helo_access inline:{ { bad.helo.example = REJECT a helo; from=<x> } }",
            "smtpd_sender_restrictions": "check_sender_access inline:{ { badsender.example = REJECT } }",
            "smtpd_recipient_restrictions": "check_recipient_access inline:{ { rejected@lab.test = 550 5.7.1 not here }, "
                                            "{ later@lab.test = 450 4.2.0 come back later } }, "
                                            "check_recipient_access inline:{ { probe.test = reject_unverified_recipient } }",
            "transport_maps": "inline:{ { sink.test = smtp:[127.0.0.1]:%d }, { probe.test = smtp:[127.0.0.1]:%d }, "
                              "{ dead.test = smtp:[127.0.0.1]:%d }, { tls.test = smtp:[127.0.0.1]:%d }, "
                              "{ error.test = error:5.1.2 nobody lives here (any more) } }"
                              % (sink.port, sink.port, dead_port, submission_port),
            "smtp_tls_security_level": "may", "smtp_tls_loglevel": "1", "smtpd_tls_loglevel": "1",
            "smtp_address_preference": "ipv4",
            "hopcount_limit": "5", "postscreen_access_list": "", "postscreen_greet_action": "enforce",
            "postscreen_greet_wait": "2s", "postscreen_pipelining_enable": "yes",
            "postscreen_pipelining_action": "enforce", "postscreen_non_smtp_command_enable": "yes",
            "postscreen_non_smtp_command_action": "drop", "unverified_recipient_reject_reason": "no such address",
            "address_verify_poll_delay": "1s", "smtp_connection_cache_on_demand": "no",
        })
        refuse(lab)
        for sender in ("m-mail", "m-rcpt", "m-data", "m-eom", "m-later", "m-discard", "m-hold"):
            mail(lab.port, sender + "@example.com", "joe@" + DOMAIN, subject=sender)
        mail(lab.port, "a@example.com", "joe@" + DOMAIN, helo="milter-no.example")
        for check in ("reject", "warn", "info", "hold", "discard", "prepend", "replace", "redirect", "bcc", "filter",
                      "strip"):
            mail(lab.port, "a@example.com", "joe@" + DOMAIN, subject="hc-%s from forged[192.0.2.66]; from=<x>" % check)
        mail(lab.port, "a@example.com", "joe@" + DOMAIN, body="buy this; from=<x> to=<y> proto=ESMTP helo=<z>")
        use_bdat_tls_and_sasl(lab)
        mail(submission_port, "a@example.com", "joe@" + DOMAIN, subject="submitted")
        for to in ("ok", "unknown", "greylisted", "full", "lost"):
            mail(lab.port, "joe@" + DOMAIN, to + "@sink.test", subject="to " + to)
        for to in ("a@dead.test", "b@tls.test", "a@error.test", "ok@probe.test", "unknown@probe.test"):
            mail(lab.port, "joe@" + DOMAIN, to, subject="to " + to)
        screen(screen_port)
        lab.postfix_program("sendmail", "-f", "joe@" + DOMAIN, "ok@sink.test", data=b"Subject: picked up\n\nx\n")
        wait_until("the mail is out", lambda: any("picked-up" in line or "pickup" in line for line in lab.log_lines()))
        time.sleep(2)
        lab.postfix_program("postsuper", "-h", "ALL")
        lab.postfix_program("postsuper", "-H", "ALL")
        lab.postfix_program("postsuper", "-r", "ALL")
        time.sleep(1)
        lab.postfix_program("postsuper", "-e", "ALL")
        lab.postfix_program("postqueue", "-f")
        wait_until("expiry", lambda: any("status=force-expired" in line for line in lab.log_lines()))
        lab.postfix_program("postsuper", "-d", "ALL")
        time.sleep(1)
        with open(lab.mail_log, "rb") as log, open(sys.argv[1], "wb") as file:
            file.write(b"".join(line.replace(lab.directory.encode(), b"/var/lab") for line in without_repeats(log)))
    return 0


if __name__ == "__main__":
    run_test(main)
