"""smtp_client.py - an SMTP client that says exactly what it is told to, and remembers the dialogue."""
import base64
import socket
import ssl
import struct

from lab import SASL_PASSWORD, SASL_USER, LabError

TIMEOUT_SECONDS = 60


class Message:
    """A message as its client sends it; the header fields are a list of (name, value)."""

    DATE = "Sat, 21 Nov 2026 08:00:00 +0000"

    def __init__(self, name, body="Hello.\n", headers=None, subject=None, sender="Ann Example <ann@example.com>",
                 has_id=True):
        self.id = "<%s@example.com>" % name
        self.subject = subject if subject is not None else name.replace("-", " ")
        self.headers = [("From", sender), ("To", "joe@lab.test"), ("Subject", self.subject),
                        ("Date", self.DATE)] + [("Message-ID", self.id)] * has_id + (headers or [])
        self.body = to_bytes(body).replace(b"\n", b"\r\n")

    @property
    def header_bytes(self):
        return b"".join(b"%s: %s\r\n" % (to_bytes(name), to_bytes(value).replace(b"\n", b"\r\n"))
                        for name, value in self.headers)

    @property
    def bytes(self):
        return self.header_bytes + b"\r\n" + self.body


def to_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


class Client:
    """One connection. Each say() checks the reply's code, so that a transaction cannot go astray.

    xclient: who the client is said to be. Postfix is told so; to Sendmail it comes from that address.
    """

    def __init__(self, lab, xclient=None):
        self.lab = lab
        self.dialogue = []
        self.said = []			# commands, and replies by their last lines, whole; a lone dot ends a message
        self.socket = lab.connect(xclient)
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.port = self.socket.getsockname()[1]
        self.file = self.socket.makefile("rb")
        self.reply(220)
        if xclient and lab.mta == "postfix":
            self.say("XCLIENT " + xclient, 220)

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        self.close()
        return False

    def close(self):
        self.file.close()
        self.socket.close()

    def lose(self):
        """Goes away without a word: a reset instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.note("C", b"(connection lost)")
        self.close()

    def note(self, who, line):
        text = line if len(line) <= 100 else line[:90] + b"... (%d bytes)" % len(line)
        self.dialogue.append((who, text.decode("utf-8", "backslashreplace")))

    def send(self, line):
        """One line, without waiting for a reply."""
        line = to_bytes(line)
        self.note("C", line)
        self.said.append(("C", line.decode("utf-8", "backslashreplace")))
        self.socket.sendall(line + b"\r\n")

    def send_raw(self, data, as_what, commands=()):
        """commands: those that the data holds."""
        self.note("C", to_bytes("(%s)" % as_what))
        self.said += [("C", command) for command in commands]
        self.socket.sendall(data)

    def reply(self, code):
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(self.file.readline().rstrip(b"\r\n"))
            if not lines[-1]:
                raise LabError("the server closed the connection after: %s" % self.dialogue[-3:])
        self.note("S", lines[-1])
        text = lines[-1].decode("utf-8", "backslashreplace")
        self.said.append(("S", text))
        codes = code if isinstance(code, tuple) else (code,)
        if text[:3] not in map(str, codes):
            raise LabError("expected %s, the server said: %s; dialogue: %s" % (code, text, self.dialogue[-6:]))
        return text

    def say(self, line, code=250):
        """code: the reply's, or each that will do."""
        self.send(line)
        return self.reply(code)

    def start_tls(self, name, certificate=None):
        """certificate: files of one to show, and of its key."""
        self.say("STARTTLS", 220)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(*certificate)
        self.file.close()
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.say("EHLO " + name)
        return self.socket.cipher()

    def authenticate(self, password=SASL_PASSWORD, code=235):
        token = base64.b64encode(("\0%s\0%s" % (SASL_USER, password)).encode()).decode()
        return self.say("AUTH PLAIN " + token, code)

    def data(self, message, code=250):
        """DATA to the final dot."""
        self.say("DATA", 354)
        body = message.bytes.replace(b"\r\n.", b"\r\n..")
        self.send_raw(body + b".\r\n", "message of %d bytes, dot" % len(message.bytes), (".",))
        return self.reply(code)

    def mail(self, sender, recipients, message, parameters="", code=250):
        """A whole message."""
        self.say("MAIL FROM:<%s>%s" % (sender, " " + parameters if parameters else ""))
        for recipient in recipients:
            self.say("RCPT TO:<%s>" % recipient)
        return self.data(message, code)

    def quit(self):
        self.say("QUIT", 221)
