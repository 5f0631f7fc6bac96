"""transactions.py - what SMTP clients do, and the records that must come of it.

Each function plays one transaction against the lab's MTA and returns Played: the dialogue and,
for each session of the milter, every record with every field that it must have (expected.py). The
first line of its docstring is what the demo says of it.
"""
from expected import (A_NUMBER, AnyValue, Like, Queue, abort, close, connect, data, eom, from_outside, header, helo, is_sendmail, mail, rcpt,
                      record, rejected, rejected_by_rule, whole_message, xclient_session)
from lab import DOMAIN, HOST_NAME, MESSAGE_SIZE_LIMIT, SASL_USER
from smtp_client import Client, Message

TRANSACTIONS = []
JOE, ANN, BOB = ("%s@%s" % (user, DOMAIN) for user in ("joe", "ann", "bob"))
SENDER = "ann@example.com"
UNKNOWN_USER = "Recipient address rejected: User unknown in local recipient table"


class Played:
    """The sessions' records; one that is None is none (what only the other MTA tells)."""

    def __init__(self, client, *sessions):
        self.dialogue = client.dialogue if client else []
        self.said = client.said if client else []
        self.sessions = [[each for each in session if each] for session in sessions]


def transaction(function):
    TRANSACTIONS.append(function)
    return function


def of_mta(mta):
    """The transactions that an MTA can play: some only try what Postfix has."""
    return [each for each in TRANSACTIONS if mta == "postfix" or each.__name__ not in POSTFIX_ONLY]


# Sendmail 8.17 as Debian builds it has neither BDAT nor SMTPUTF8.
POSTFIX_ONLY = ("bdat", "smtputf8")


def words(function):
    """What the demo says of a transaction."""
    return function.__doc__.splitlines()[0]


def one_message(lab, *mail, **options):
    """A client that sends one message, as Client.mail takes it, and leaves."""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.mail(*mail, **options)
        client.quit()
    return client


@transaction
def plain(lab):
    """one message to one recipient"""
    message = Message("plain")
    client = one_message(lab, SENDER, [JOE], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def several_recipients(lab):
    """three recipients: the queue id is there from the second one on"""
    message = Message("several-recipients")
    client = one_message(lab, SENDER, [JOE, ANN, "out@example.net"], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        rcpt(1, ANN, queue_id=Queue(1)), rcpt(1, "out@example.net", queue_id=Queue(1)),
        *whole_message(1, Queue(1), message, 3), close(1, 3)])


@transaction
def several_messages(lab):
    """three messages in one session, each with its own number and queue id"""
    messages = [Message("several-messages-%d" % number) for number in (1, 2, 3)]
    records = []
    with Client(lab) as client:
        client.say("EHLO client.example")
        for number, message in enumerate(messages, 1):
            client.mail(SENDER, [JOE], message)
            records += [mail(number, SENDER), rcpt(number, JOE), *whole_message(number, Queue(number), message)]
        client.quit()
    return Played(client, [connect(client), helo("client.example"), *records, close(3, 3)])


@transaction
def tls(lab):
    """STARTTLS: a second HELO carries version and cipher"""
    message = Message("tls")
    with Client(lab) as client:
        client.say("EHLO client.example")
        name, version, bits = client.start_tls("client.example")
        client.mail(SENDER, [JOE], message)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"),
        helo("client.example", tls_version=version, cipher=name, cipher_bits=bits),
        mail(1, SENDER, "ESMTPS"), rcpt(1, JOE), *whole_message(1, Queue(1), message), close(1, 1)])


def with_certificate(lab, kind):
    """A message of a client that shows a certificate, and what the second HELO says of it."""
    message = Message("certificate-" + kind)
    with Client(lab) as client:
        client.say("EHLO client.example")
        name, version, bits = client.start_tls("client.example", lab.client_certificate(kind))
        client.mail(SENDER, [JOE], message)
        client.quit()
    names = {"cert_subject": "client.example", "cert_issuer": "Lab, trusted"} if kind == "trusted" else {}
    if is_sendmail():
        names["cert_verify"] = "ok" if kind == "trusted" else "fail"
    return Played(client, [
        connect(client), helo("client.example"),
        helo("client.example", tls_version=version, cipher=name, cipher_bits=bits, **names),
        mail(1, SENDER, "ESMTPS"), rcpt(1, JOE), *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def trusted_certificate(lab):
    """a client certificate that the MTA trusts: its names are there"""
    return with_certificate(lab, "trusted")


@transaction
def unknown_certificate(lab):
    """a client certificate of a stranger: no name is"""
    return with_certificate(lab, "unknown")


@transaction
def sasl(lab):
    """a client that logs in; the login name is on MAIL"""
    message = Message("sasl")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.authenticate()
        client.mail(SENDER, ["out@example.net"], message, "AUTH=" + SENDER)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"),
        mail(1, SENDER, "ESMTPA", auth=SENDER, auth_type="PLAIN", auth_authen=SASL_USER, auth_author=SENDER),
        rcpt(1, "out@example.net"), *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def sasl_failed(lab):
    """a wrong password: nothing but the session itself is seen"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.authenticate("wrong", 535)
        client.quit()
    return Played(client, [connect(client), helo("client.example"), close(last_stage="helo")])


@transaction
def xclient_ipv4(lab):
    """a client from 192.0.2.7 whose name the MTA verified"""
    message = Message("xclient-ipv4")
    with Client(lab, "ADDR=192.0.2.7 NAME=ok.example REVERSE_NAME=ptr.example PORT=4321") as client:
        client.say("EHLO ok.example")
        client.mail("x@ok.example", [JOE], message)
        client.quit()
    return Played(client, *xclient_session(client), [
        from_outside(client, "192.0.2.7", 4321, "ok.example", "ptr.example"),
        helo("ok.example"), mail(1, "x@ok.example"), rcpt(1, JOE),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def xclient_ipv6(lab):
    """a client from 2001:db8::7 without a name"""
    message = Message("xclient-ipv6")
    with Client(lab, "ADDR=IPV6:2001:db8::7 NAME=[UNAVAILABLE] PORT=4322") as client:
        client.say("EHLO [IPv6:2001:db8::7]")
        client.mail(SENDER, [JOE], message)
        client.quit()
    return Played(client, *xclient_session(client), [
        from_outside(client, "2001:db8::7", 4322),
        helo("[IPv6:2001:db8::7]"), mail(1, SENDER), rcpt(1, JOE),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def pipelining(lab):
    """MAIL, two RCPT and DATA in one packet"""
    message = Message("pipelining")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.send_raw(b"MAIL FROM:<ann@example.com>\r\nRCPT TO:<joe@lab.test>\r\nRCPT TO:<bob@lab.test>\r\nDATA\r\n",
                        "MAIL, RCPT, RCPT, DATA in one packet",
                        ("MAIL FROM:<ann@example.com>", "RCPT TO:<joe@lab.test>", "RCPT TO:<bob@lab.test>", "DATA"))
        for code in (250, 250, 250, 354):
            client.reply(code)
        client.send_raw(message.bytes + b".\r\nQUIT\r\n", "message, dot and QUIT in one packet", (".", "QUIT"))
        client.reply(250)
        client.reply(221)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), rcpt(1, BOB, queue_id=Queue(1)),
        *whole_message(1, Queue(1), message, 2), close(1, 2)])


@transaction
def bdat(lab):
    """a message in two BDAT chunks: one DATA stage, at the first"""
    message = Message("bdat")
    half = len(message.bytes) // 2
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
        for chunk, last in ((message.bytes[:half], b""), (message.bytes[half:], b" LAST")):
            client.send_raw(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk,
                            "BDAT %d%s" % (len(chunk), last.decode()))
            client.reply(250)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def smtputf8(lab):
    """an internationalized sender, subject and parameter"""
    message = Message("smtputf8", subject="Grüße, 世界", sender="Jörg <jörg@example.com>")
    client = one_message(lab, "jörg@example.com", [JOE], message, "SMTPUTF8 BODY=8BITMIME")
    return Played(client, [
        connect(client), helo("client.example"),
        mail(1, "jörg@example.com", smtputf8="yes", body="8BITMIME"), rcpt(1, JOE),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def eight_bit(lab):
    """BODY=8BITMIME and SIZE= on MAIL"""
    message = Message("eight-bit", body="na\u00efve\n", headers=[
        ("MIME-Version", "1.0"), ("Content-Type", "text/html; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")])
    client = one_message(lab, SENDER, [JOE], message, "BODY=8BITMIME SIZE=1000")
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER, body="8BITMIME", size=1000), rcpt(1, JOE),
        *whole_message(1, Queue(1), message, content_type="text/html"), close(1, 1)])


@transaction
def delivery_status(lab):
    """DSN parameters: RET and ENVID on MAIL, NOTIFY and ORCPT on RCPT"""
    message = Message("delivery-status")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s> RET=HDRS ENVID=QQ314159" % SENDER)
        client.say("RCPT TO:<%s> NOTIFY=FAILURE,DELAY ORCPT=rfc822;joe+2Bnews@lab.test" % JOE)
        client.say("RCPT TO:<%s> NOTIFY=NEVER" % ANN)
        client.data(message)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER, ret="HDRS", envid="QQ314159"),
        rcpt(1, JOE, notify="FAILURE,DELAY", orcpt="rfc822;joe+2Bnews@lab.test"),
        rcpt(1, ANN, notify="NEVER", queue_id=Queue(1)),
        *whole_message(1, Queue(1), message, 2), close(1, 2)])


@transaction
def rejected_beside_good(lab):
    """one good recipient, one that is rejected for good, one for now"""
    message = Message("rejected-beside-good")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
        client.say("RCPT TO:<rejected@lab.test>", 550)
        client.say("RCPT TO:<later@lab.test>", 450)
        client.data(message)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        rejected_by_rule(1, "rejected@lab.test", "5.7.1", "Recipient address rejected: not at this hour", queue_id=Queue(1)),
        rejected_by_rule(1, "later@lab.test", "4.2.0", "Recipient address rejected: come back later", queue_id=Queue(1)),
        data(1, Queue(1), 1, 2), header(1, Queue(1), message), eom(1, Queue(1), message), close(1, 1, 2)])


@transaction
def unknown_user(lab):
    """a recipient that does not exist, and no other: DATA is refused unseen"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<nobody@lab.test>", 550)
        client.say("DATA", (554, 503))
        client.quit()
    reason = {"text": "User unknown", "reject_code": 550} if is_sendmail() else {"text": UNKNOWN_USER}
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rejected(1, "nobody@lab.test", "5.1.1", **reason),
        abort(1, "rcpt", 0, 1), close(1, 0, 1, "abort")])


@transaction
def relaying_denied(lab):
    """a stranger who wants to relay through us"""
    with Client(lab, "ADDR=198.51.100.9 NAME=stranger.example PORT=4323") as client:
        client.say("EHLO stranger.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<victim@example.net>", (554, 550))
        client.quit()
    refusal = rejected_by_rule(1, "victim@example.net", "5.7.1", "Relay access denied")
    count = 1 if refusal else 0
    return Played(client, *xclient_session(client), [
        from_outside(client, "198.51.100.9", 4323, "stranger.example"), helo("stranger.example"), mail(1, SENDER),
        refusal, abort(1, "rcpt" if refusal else "mail", 0, count), close(1, 0, count, "abort")])


@transaction
def reset(lab):
    """RSET in a message, then another message"""
    message = Message("reset")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
        client.say("RCPT TO:<%s>" % ANN)
        client.say("RSET")
        client.mail(SENDER, [BOB], message)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), rcpt(1, ANN, queue_id=Queue(1)),
        abort(1, "rcpt", 2, queue_id=Queue(1)),
        mail(2, SENDER), rcpt(2, BOB), *whole_message(2, Queue(2), message), close(2, 3)])


@transaction
def helo_in_message(lab):
    """HELO in a message: it ends the message, and is the session's own

    Postfix sends HELO first, then the abort; libmilter calls abort before helo.
    """
    message = Message("helo-in-message")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
        client.say("HELO again.example")
        client.mail(SENDER, [BOB], message)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), abort(1, "rcpt", 1),
        helo("again.example"), mail(2, SENDER, "SMTP"), rcpt(2, BOB), *whole_message(2, Queue(2), message), close(2, 2)])


@transaction
def lost_in_data(lab):
    """the client disappears in the middle of its message"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
        client.say("DATA", 354)
        client.send("Subject: I shall not finish")
        client.lose()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), data(1, Queue(1)),
        abort(1, "data", 1, queue_id=Queue(1)), close(1, 1, 0, "abort")])


@transaction
def oversize_announced(lab):
    """SIZE= over the limit: the MTA refuses MAIL and tells the milter nothing"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s> SIZE=%d" % (SENDER, MESSAGE_SIZE_LIMIT * 3), 552)
        client.quit()
    return Played(client, [connect(client), helo("client.example"), close(last_stage="helo")])


@transaction
def oversize_sent(lab):
    """a message that grows over the limit: it ends at DATA"""
    message = Message("oversize-sent", body=("x" * 98 + "\n") * (MESSAGE_SIZE_LIMIT // 100 + 100))
    client = one_message(lab, SENDER, [JOE], message, code=552)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), data(1, Queue(1)),
        abort(1, "data", 1, queue_id=Queue(1)), close(1, 1, 0, "abort")])


@transaction
def unknown_command(lab):
    """a command that the MTA does not know: Postfix tells its verb only, Sendmail the line"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("FROBNICATE the whole thing", 500)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"),
        record("unknown", command="FROBNICATE", argument="the whole thing" if is_sendmail() else None),
        close(last_stage="unknown")])


ATTACHMENTS = """\
This line stands before the first part.
--frontier
Content-Type: text/plain; charset=utf-8

See the two files.
--frontier
Content-Type: application/pdf; name="report.pdf"
Content-Disposition: attachment; filename="report, final.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQK
--frontier
Content-Type: text/csv
Content-Disposition: attachment;
 filename*0*=UTF-8''na%C3%AFve%20;
 filename*1*=plan.csv

a,b
--frontier--
"""


@transaction
def attachments(lab):
    """a multipart message with two attachments, one named as RFC 2231 says"""
    message = Message("attachments", body=ATTACHMENTS, headers=[
        ("MIME-Version", "1.0"), ("Content-Type", 'multipart/mixed;\n boundary="frontier"')])
    client = one_message(lab, SENDER, [JOE], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        *whole_message(1, Queue(1), message, content_type="multipart/mixed", parts=3,
                       attachment_names='"report, final.pdf", naïve plan.csv',
                       attachment_types="application/pdf, text/csv"), close(1, 1)])


def submitted_to_sendmail(lab, message):
    """Its command is a client of its daemon: with TLS, a Received of its own, and recipients in an order of its own."""
    return [
        connect(ForSubmission(lab)), helo(HOST_NAME),
        helo(HOST_NAME, tls_version="TLSv1.3", cipher=AnyValue, cipher_bits=A_NUMBER),
        mail(1, SENDER, "ESMTPS", size=A_NUMBER, auth=SENDER, auth_author=SENDER),
        *(rcpt(1, Like("(?:joe|ann)@" + DOMAIN), rcpt_addr=Like("joe|ann"), rcpt_mailer="local", rcpt_host="") for _ in range(2)),
        data(1, Queue(1), 2),
        header(1, Queue(1), message, header_count=len(message.headers) + 1, header_bytes=A_NUMBER, received_count=1),
        eom(1, Queue(1), message), close(1, 2)]


class ForSubmission:
    """The client that the command is; who knows its port?"""

    def __init__(self, lab):
        self.lab = lab
        self.port = A_NUMBER


@transaction
def sendmail_command(lab):
    """sendmail -t: no network, no HELO of a client, the queue id from the beginning"""
    message = Message("sendmail-command", headers=[("Cc", "ann@lab.test")])
    status, output = lab.submit("-t", "-i", "-f", SENDER, data=message.bytes)
    played = Played(None, submitted_to_sendmail(lab, message) if is_sendmail() else [
        record("connect", queue_id=Queue(1), client_addr="127.0.0.1", client_port=0, client_name="localhost", client_ptr="localhost",
               family="inet", daemon_name=HOST_NAME, daemon_addr="127.0.0.1", daemon_port=0,
               mta_host=HOST_NAME, mta_version=Like(r"Postfix \d.*")),
        helo("localhost"),
        mail(1, SENDER, queue_id=Queue(1), mail_host=None, mail_mailer=None),
        *(rcpt(1, each, queue_id=Queue(1), rcpt_host=None, rcpt_mailer=None) for each in (JOE, ANN)),
        *whole_message(1, Queue(1), message, 2), close(1, 2)])
    played.dialogue = [("C", "sendmail -t -i -f %s" % SENDER),
                       ("S", "exit status %d%s" % (status, ", " + output.strip() if output else ""))]
    return played


@transaction
def without_message_id(lab):
    """a message without a Message-ID: Postfix shows the one it adds as a header, Sendmail tells it at the end"""
    message = Message("without-message-id", has_id=False)
    client = one_message(lab, SENDER, [JOE], message)
    given = Like("<[^>]+@%s>" % HOST_NAME)
    seen = {"message_id": None} if is_sendmail() else {
        "message_id": given, "header_count": len(message.headers) + 1, "header_bytes": A_NUMBER}
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), data(1, Queue(1)),
        header(1, Queue(1), message, **seen),
        eom(1, Queue(1), message, message_id=given if is_sendmail() else None), close(1, 1)])


@transaction
def unknown_command_later(lab):
    """an unknown command behind a message: Sendmail tells a milter only of those before"""
    message = Message("unknown-command-later")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.mail(SENDER, [JOE], message)
        client.say("FROBNICATE", 500)
        client.quit()
    seen = None if is_sendmail() else record("unknown", command="FROBNICATE")
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), *whole_message(1, Queue(1), message),
        seen, close(1, 1, last_stage="unknown" if seen else "eom")])


@transaction
def empty_sender(lab):
    """a bounce: the sender is known to be empty"""
    message = Message("empty-sender", sender="MAILER-DAEMON@example.com",
                      headers=[("Auto-Submitted", "auto-replied")])
    client = one_message(lab, "", [JOE], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, ""), rcpt(1, JOE), data(1, Queue(1)),
        header(1, Queue(1), message, auto_submitted="auto-replied"), eom(1, Queue(1), message), close(1, 1)])


def folded(size):
    """A value of so many bytes, in lines of a hundred."""
    return "\n ".join(["y" * 97] * (size // 99))


@transaction
def long_header(lab):
    """a header of 100 kB, then a second message in the same session: both are recorded"""
    first = Message("long-header-1", headers=[("X-Long", folded(50000)), ("X-Longer", folded(50000))])
    second = Message("long-header-2")
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.mail(SENDER, [JOE], first)
        client.mail(SENDER, [ANN], second)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"),
        mail(1, SENDER), rcpt(1, JOE), *whole_message(1, Queue(1), first),
        mail(2, SENDER), rcpt(2, ANN), *whole_message(2, Queue(2), second), close(2, 2)])


@transaction
def long_header_field(lab):
    """one field of 100 kB: Postfix 3.7 tells a milter its first 60,000 bytes; a long subject is cut, and said so

    Sendmail 8.17 sends no packet beyond 64 kB: it gives up the milter for the rest of the session. (Its default of
    MaxHeadersLength, 32 kB, which the lab has raised, keeps such a message out.)
    """
    value = folded(100000)
    message = Message("long-header-field", subject="z" * 900 + "\n " + "z" * 900 + "\n " + "z" * 900,
                      headers=[("X-Long", value)])
    missing = ("X-Long: " + value)[60000:]
    client = one_message(lab, SENDER, [JOE], message)
    begin = [connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), data(1, Queue(1))]
    if is_sendmail():
        return Played(client, [*begin, abort(1, "data", 1), close(1, 1, 0, "abort")])
    return Played(client, [
        *begin,
        header(1, Queue(1), message, header_bytes=len(message.header_bytes) - len(missing) - missing.count("\n"),
               subject=message.subject.replace("\n", "")[:2048], cut="subject"),
        eom(1, Queue(1), message), close(1, 1)])


@transaction
def odd_bytes(lab):
    """bytes in a header that belong to no character set"""
    message = Message("odd-bytes", subject="caf\udce9 \udcff\udcfe \x01\x7f end")
    client = one_message(lab, SENDER, [JOE], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def two_from_fields(lab):
    """two From: fields: the first is shown, no domain is chosen"""
    message = Message("two-from-fields", headers=[("From", "Eve <eve@example.org>")])
    client = one_message(lab, SENDER, [JOE], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE), data(1, Queue(1)),
        header(1, Queue(1), message, from_count=2, from_domain=None), eom(1, Queue(1), message), close(1, 1)])


@transaction
def mailing_list(lab):
    """list mail: List-Id, Sender, Reply-To, In-Reply-To, two Received and a claimed result"""
    message = Message("mailing-list", headers=[
        ("List-Id", "News <news.example.com>"), ("Sender", "news-bounces@example.com"),
        ("Reply-To", "news@example.com"), ("In-Reply-To", "<before@example.com>"),
        ("Received", "from a.example by b.example; Sat, 21 Nov 2026 07:59:58 +0000"),
        ("Received", "from b.example by c.example; Sat, 21 Nov 2026 07:59:59 +0000"),
        ("Authentication-Results", "c.example; spf=pass smtp.mailfrom=example.com")])
    client = one_message(lab, "news-bounces@example.com", ["list@lab.test"], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, "news-bounces@example.com"), rcpt(1, "list@lab.test"),
        data(1, Queue(1)),
        header(1, Queue(1), message, list_id="News <news.example.com>", sender="news-bounces@example.com",
               reply_to="news@example.com", in_reply_to="<before@example.com>", received_count=2,
               authentication_results="c.example; spf=pass smtp.mailfrom=example.com"),
        eom(1, Queue(1), message), close(1, 1)])


@transaction
def no_mail(lab):
    """VRFY and NOOP only: known commands leave no record"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("VRFY joe", (252, 250))
        client.say("NOOP")
        client.quit()
    return Played(client, [connect(client), helo("client.example"), close(last_stage="helo")])


@transaction
def connect_and_leave(lab):
    """a connection without a word"""
    with Client(lab) as client:
        pass
    return Played(client, [connect(client), close(last_stage="connect")])


@transaction
def quoted_local_parts(lab):
    """addresses with quoted local parts"""
    message = Message("quoted-local-parts")
    recipient = '"quoted local"@lab.test'
    client = one_message(lab, '"odd, sender"@example.com', [recipient], message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, '"odd, sender"@example.com'), rcpt(1, recipient),
        *whole_message(1, Queue(1), message), close(1, 1)])


def completed(stage, name):
    """Postfix gives it its own domain; to Sendmail it is somebody here."""
    return {} if is_sendmail() else {stage + "_addr": name + "@" + HOST_NAME, stage + "_host": HOST_NAME}


@transaction
def address_without_domain(lab):
    """a sender and a recipient without a domain: as they came, and as the MTA completes them"""
    message = Message("address-without-domain")
    client = one_message(lab, "noat", ["joe"], message)
    return Played(client, [
        connect(client), helo("client.example"),
        mail(1, "noat", **completed("mail", "noat")), rcpt(1, "joe", **completed("rcpt", "joe")),
        *whole_message(1, Queue(1), message), close(1, 1)])


@transaction
def quit_in_message(lab):
    """QUIT where a message had begun"""
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
        client.quit()
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, JOE),
        abort(1, "rcpt", 1), close(1, 1, 0, "abort")])


@transaction
def hostile_helo(lab):
    """a HELO name of terminal escapes: kept as it came, harmless where it is shown"""
    name = "\x1b[2J\x1b[31mred\x07.example"
    with Client(lab) as client:
        client.say("HELO " + name, (250, 501))
        client.quit()
    if is_sendmail():		# refuses it
        return Played(client, [connect(client), close(last_stage="connect")])
    return Played(client, [connect(client), helo(name), close(last_stage="helo")])


@transaction
def many_recipients(lab):
    """forty recipients"""
    message = Message("many-recipients")
    recipients = ["r%d@example.net" % number for number in range(40)]
    client = one_message(lab, SENDER, recipients, message)
    return Played(client, [
        connect(client), helo("client.example"), mail(1, SENDER), rcpt(1, recipients[0]),
        *(rcpt(1, each, queue_id=Queue(1)) for each in recipients[1:]),
        *whole_message(1, Queue(1), message, 40), close(1, 40)])
