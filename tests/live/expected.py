"""expected.py - the records that a session must leave, and how they are compared.

An expected record is a dict of every field that the record must have, and no other: what is not
named must not be there. Left out are the fields of every record, which compare() checks by itself
(COMMON). A value is a text, Like(regular expression), AnyValue or Queue(n), the n-th queue id that the MTA
logged in this transaction.

The same transaction leaves the same records with both MTAs, but for what each of them tells: its names and
routes, and what only one has words for. That is said here once, by the MTA that choose() named.
"""
import re

from lab import DOMAIN, HOST_NAME
from sendmail_lab import SERVER_ADDRESS, SERVER_ADDRESS_6

COMMON = ("id", "time", "host", "instance", "producer", "partition", "seq", "schema", "session")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Like:
    def __init__(self, pattern):
        self.pattern = re.compile(pattern, re.DOTALL)

    def matches(self, value, _queue_ids):
        return bool(self.pattern.fullmatch(value))

    def __repr__(self):
        return "Like(%r)" % self.pattern.pattern


class Queue:
    """The n-th queue id (from 1) that the MTA logged while the transaction was played."""

    def __init__(self, number):
        self.number = number

    def matches(self, value, queue_ids):
        return len(queue_ids) >= self.number and value == queue_ids[self.number - 1]

    def __repr__(self):
        return "Queue(%d)" % self.number


AnyValue = Like(".*")
A_NUMBER = Like(r"\d+")
A_QUEUE_ID = Like(r"[0-9A-Za-z]{14,}")

IN_MESSAGE = ("mail", "rcpt", "data", "header", "eom", "abort", "unknown")
chosen = {"mta": "postfix"}


def choose(mta):
    chosen["mta"] = mta


def is_sendmail():
    return chosen["mta"] == "sendmail"


def record(stage, **fields):
    """None leaves a field out; numbers become text; "sender" stands for the field "from"."""
    if "sender" in fields and stage == "mail":
        fields["from"] = fields.pop("sender")
    # Sendmail has a message's queue id from its beginning, and logs each message that began.
    if is_sendmail() and stage in IN_MESSAGE and "msg" in fields:
        fields["queue_id"] = Queue(fields["msg"])
    return {"stage": stage, **{name: str(value) if isinstance(value, int) else value
                               for name, value in fields.items() if value is not None}}


def domain_of(address):
    return address.rpartition("@")[2]


def connect(client, **changes):
    if is_sendmail():
        fields = {"queue_id": A_QUEUE_ID, "client_name": HOST_NAME, "client_ptr": HOST_NAME, "client_resolve": "ok",
                  "daemon_name": "MTA-v4", "daemon_addr": "0.0.0.0", "if_name": HOST_NAME,
                  "mta_version": Like(r"Sendmail 8\..*"), "client_connections": A_NUMBER}
    else:
        fields = {"client_resolve": "fail", "daemon_name": HOST_NAME, "daemon_addr": "127.0.0.1",
                  "mta_version": Like(r"Postfix \d.*"), "client_connections": 0}
    fields.update({"client_addr": "127.0.0.1", "client_port": client.port, "family": "inet",
                   "daemon_port": client.lab.port, "mta_host": HOST_NAME}, **changes)
    return record("connect", **fields)


def from_outside(client, address, port, name=None, pointer=None):
    """Another client than this machine. pointer: a name that only XCLIENT can tell."""
    fields = {"client_addr": address, "client_port": port, "client_resolve": "ok" if name else "fail",
              "client_name": name, "client_ptr": name if is_sendmail() else pointer or name}
    if ":" in address:
        fields["family"] = "inet6"
    if is_sendmail():
        fields["daemon_addr"] = SERVER_ADDRESS_6 if ":" in address else SERVER_ADDRESS
        fields["daemon_name"] = "MTA-v6" if ":" in address else "MTA-v4"
    return connect(client, **fields)


def xclient_session(client):
    """Postfix ends the milter's session when XCLIENT changes the client: this one had nothing else."""
    return [] if is_sendmail() else [[connect(client), close(last_stage="connect")]]


def helo(name, **fields):
    if is_sendmail() and "cipher" in fields:
        fields.setdefault("cert_verify", "no")
    return record("helo", helo=name, **fields)


def mail(msg, sender, protocol="ESMTP", **changes):
    """protocol: which Sendmail tells."""
    fields = {"msg": msg, "sender": sender, "mail_addr": sender, "mail_mailer": "discard",
              "mail_host": domain_of(sender) or HOST_NAME}
    if is_sendmail():
        fields.update(route("mail", sender), protocol=protocol)
    fields.update(changes)
    return record("mail", **fields)


def route(stage, address):
    """Where Sendmail would send it: who is at home there has no host."""
    if not isinstance(address, str):
        return {}
    is_local = domain_of(address) in (DOMAIN, HOST_NAME, address)
    return {stage + "_mailer": "local" if is_local else "discard", stage + "_host": "" if is_local else domain_of(address),
            stage + "_addr": address.rpartition("@")[0] or address if is_local else address}


def rcpt(msg, to, **changes):
    fields = {"msg": msg, "to": to, "outcome": "passed", "rcpt_mailer": "discard"}
    if is_sendmail():
        fields.update(route("rcpt", to))
    else:
        fields.update(rcpt_addr=to, rcpt_host=domain_of(to))
    fields.update(changes)
    return record("rcpt", **fields)


def rejected(msg, to, dsn, text, **fields):
    """What the MTA says of a rejected recipient comes in the macros of its route: there is no route."""
    return record("rcpt", msg=msg, to=to, outcome="rejected", dsn=dsn, reject_text=text, **fields)


def rejected_by_rule(msg, to, dsn, text, **fields):
    """Sendmail's rulesets refuse a recipient before a milter hears of it; None: no record."""
    return None if is_sendmail() else rejected(msg, to, dsn, text, **fields)


def data(msg, queue, recipients=1, recipients_rejected=0):
    return record("data", msg=msg, queue_id=queue, recipients=recipients, recipients_rejected=recipients_rejected)


def header(msg, queue, message, **changes):
    values = {name.lower(): value for name, value in reversed(message.headers)}
    fields = {"msg": msg, "queue_id": queue, "header_count": len(message.headers),
              "header_bytes": len(message.header_bytes), "header_from": values["from"],
              "from_domain": "example.com", "from_count": 1, "message_id": message.id,
              "subject": message.subject, "date": message.DATE, "received_count": 0, "dkim_count": 0, "arc_count": 0}
    fields.update(changes)
    return record("header", **fields)


def eom(msg, queue, message, **changes):
    """A message that does not say its content type is text/plain, as RFC 2045 has it."""
    fields = {"msg": msg, "queue_id": queue, "body_bytes": len(message.body),
              "body_lines": message.body.count(b"\n"), "content_type": "text/plain", "parts": 1}
    fields.update(changes)
    return record("eom", **fields)


def whole_message(msg, queue, message, recipients=1, **changes):
    """From DATA to the end."""
    return [data(msg, queue, recipients), header(msg, queue, message), eom(msg, queue, message, **changes)]


def abort(msg, after_stage, recipients=0, recipients_rejected=0, **fields):
    return record("abort", msg=msg, after_stage=after_stage, recipients=recipients,
                  recipients_rejected=recipients_rejected, **fields)


def close(messages=0, recipients=0, recipients_rejected=0, last_stage="eom", **changes):
    fields = {"duration_us": A_NUMBER, "messages": messages, "recipients": recipients,
              "recipients_rejected": recipients_rejected, "last_stage": last_stage, "cause": "ended"}
    fields.update(changes)
    return record("close", **fields)


def by_session(records):
    """The records of each session, sessions in the order of their first record."""
    sessions = {}
    for each in records:
        if "session" in each:
            sessions.setdefault(each["session"], []).append(each)
    return list(sessions.values())


def differences(expected, records, queue_ids):
    """What is not as expected, as lines for a person; empty: all is."""
    sessions = by_session(records)
    lines = first_id_differences(sessions) if is_sendmail() else []
    if len(sessions) != len(expected):
        lines.append("%d sessions expected, %d seen" % (len(expected), len(sessions)))
    for number, (wanted, seen) in enumerate(zip(expected, sessions), 1):
        wanted_stages = [each["stage"] for each in wanted]
        seen_stages = [each["stage"] for each in seen]
        if wanted_stages != seen_stages:
            lines.append("session %d: stages expected: %s" % (number, " ".join(wanted_stages)))
            lines.append("session %d: stages seen:     %s" % (number, " ".join(seen_stages)))
            continue
        for place, (one, other) in enumerate(zip(wanted, seen), 1):
            where = "session %d, record %d (%s)" % (number, place, one["stage"])
            lines += ["%s: %s" % (where, line) for line in record_differences(one, other, queue_ids)]
    return lines + sequence_differences(records)


def record_differences(wanted, seen, queue_ids):
    lines = []
    for name in COMMON:
        if not seen.get(name):
            lines.append("%s is missing" % name)
    if not TIME.fullmatch(seen.get("time", "")):
        lines.append("time is no time: %r" % seen.get("time"))
    for name, value in wanted.items():
        got = seen.get(name)
        if got is None:
            lines.append("%s is missing, expected %r" % (name, value))
        elif not (got == value if isinstance(value, str) else value.matches(got, queue_ids)):
            lines.append("%s is %r, expected %r%s" % (
                name, got, value, " of %s" % queue_ids if isinstance(value, Queue) else ""))
    lines += ["%s must not be there, is %r" % (name, value) for name, value in seen.items()
              if name not in wanted and name not in COMMON]
    return lines


def first_id_differences(sessions):
    """Sendmail's queue ids of a session are its first one's time and process: the first message has that very one,
    unless STARTTLS began the session anew."""
    lines = []
    for session in sessions:
        ids = [each["queue_id"] for each in session if each["stage"] in ("connect", "mail") and "queue_id" in each]
        has_tls = any("cipher" in each for each in session)
        lines += ["the session began with %s, a message is %s" % (ids[0], each) for number, each in enumerate(ids[1:])
                  if each[:6] + each[8:] != ids[0][:6] + ids[0][8:] or (number == 0 and not has_tls and each != ids[0])]
    return lines


def sequence_differences(records):
    """Each record once, in order, without a hole: across sessions, as they stand in the stream."""
    lines = []
    for before, after in zip(records, records[1:]):
        if before["producer"] == after["producer"] and int(after["seq"]) != int(before["seq"]) + 1 and \
           int(after["seq"]) >> 40 == int(before["seq"]) >> 40:
            lines.append("seq %s is followed by %s" % (before["seq"], after["seq"]))
    return lines
