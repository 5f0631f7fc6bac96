"""mail_routes.py - a Postfix to which all happens that mail can meet, for the tests of the join.

The lab's smtpd, with the milter; beside it: one behind postscreen, one with an after-queue content filter that gives the
mail back, one with a before-queue proxy filter, another instance on the same host, virtual and local aliases, and a
server to deliver to, whose answer stands in the address: ok, later and unknown.
"""
import os
import socket
import threading

from lab import DOMAIN, Lab, free_ports, write

SCREEN_SECONDS = 1
MASTER = """\
127.0.0.1:{screen} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
127.0.0.1:{filtered} inet n - n - - smtpd
  -o content_filter=give:[127.0.0.1]:{filter}
127.0.0.1:{back} inet n - n - - smtpd
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o receive_override_options=no_unknown_recipient_checks,no_milters
127.0.0.1:{proxied} inet n - n - - smtpd
  -o smtpd_proxy_filter=127.0.0.1:{proxy}
127.0.0.1:{behind} inet n - n - - smtpd
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
give unix - - n - 10 smtp
  -o smtp_send_xforward_command=yes
"""
OVERRIDES = {
    "transport_maps": "inline:{{ {{ sink.test = smtp:[127.0.0.1]:{sink} }}, {{ two.test = smtp:[127.0.0.1]:{second} }}, "
                      "{{ dead.test = smtp:[127.0.0.1]:{dead} }} }}",
    "virtual_alias_maps": "inline:{{ {{ team@" + DOMAIN + " = ok1@sink.test, ok2@sink.test }}, {{ boss@" + DOMAIN +
                          " = ok@sink.test }} }}",
    "alias_maps": "texthash:{conf}/aliases",
    "local_transport": "local", "default_transport": "smtp",
    "smtp_address_preference": "ipv4", "smtp_connection_cache_on_demand": "no", "smtp_tls_security_level": "none",
    "postscreen_access_list": "", "postscreen_greet_action": "ignore",
    "postscreen_cache_map": "", "postscreen_greet_wait": "%ds" % SCREEN_SECONDS,
    "smtpd_end_of_data_restrictions": "check_sender_access inline:{{ {{ late.example = 550 5.7.1 not at the end }} }}",
    "smtpd_data_restrictions": "check_sender_access inline:{{ {{ data.example = 554 5.7.1 not at DATA }} }}",
    "smtpd_sender_restrictions": "check_sender_access inline:{{ {{ bad.example = 553 5.1.8 no such sender }} }}",
    "minimal_backoff_time": "300s", "default_process_limit": "40", "delay_warning_time": "0h",
    "syslog_name": "postfix-lab", "smtpd_error_sleep_time": "0",
}


class Server(threading.Thread):
    """Serves each connection in a thread of its own."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.server.getsockname()[1]

    def run(self):
        while True:
            connection, _ = self.server.accept()
            threading.Thread(target=self.guard, args=(connection,), daemon=True).start()

    def guard(self, connection):
        with connection:
            try:
                self.serve(connection)
            except OSError:
                pass

    def serve(self, connection):
        raise NotImplementedError


class Receiver(Server):
    """The server's side of SMTP: taken() gives the answer to a whole message."""

    def answer_to(self, recipient):
        raise NotImplementedError

    def taken(self, sender, recipients, data):
        raise NotImplementedError

    def serve(self, connection):
        sender, recipients = "", []
        with connection.makefile("rb") as file:
            def say(text):
                connection.sendall(text.encode() + b"\r\n")
            say("220 receiver.lab.test ESMTP")
            for line in file:
                text = line.decode("latin-1").strip()
                word = text.upper()
                if word.startswith("EHLO"):
                    say("250-receiver.lab.test\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
                elif word.startswith("MAIL"):
                    sender, recipients = text[text.index("<") + 1:text.index(">")], []
                    say("250 2.1.0 Ok")
                elif word.startswith("RCPT"):
                    answer = self.answer_to(text[text.index("<") + 1:text.index(">")])
                    if answer[0] == "2":
                        recipients.append(text[text.index("<") + 1:text.index(">")])
                    say(answer)
                elif word == "DATA":
                    say("354 go on")
                    data = b"".join(iter(file.readline, b".\r\n"))
                    say(self.taken(sender, recipients, data + b".\r\n"))
                elif word == "QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 2.0.0 Ok")


class Sink(Receiver):
    """Where mail is delivered to."""

    def answer_to(self, recipient):
        if recipient.startswith("unknown"):
            return "550 5.1.1 <%s>: no such user" % recipient
        return "450 4.2.0 come back" if recipient.startswith("later") else "250 2.1.5 Ok"

    def taken(self, sender, recipients, data):
        return "250 2.0.0 Ok"


class Filter(Receiver):
    """Gives all it gets to the smtpd behind it, and says its answer."""

    back = 0

    def answer_to(self, recipient):
        return "250 2.1.5 Ok"

    def taken(self, sender, recipients, data):
        with socket.create_connection(("127.0.0.1", self.back), 20) as connection, connection.makefile("rb") as file:
            def ask(data):
                connection.sendall(data)
                while True:
                    line = file.readline()
                    if line[3:4] != b"-":
                        return line.decode("latin-1").strip()
            ask(b"")
            ask(b"EHLO filter.lab.test\r\n")
            ask(b"MAIL FROM:<%s>\r\n" % sender.encode())
            for recipient in recipients:
                ask(b"RCPT TO:<%s>\r\n" % recipient.encode())
            ask(b"DATA\r\n")
            answer = ask(b"Received: by the filter\r\n" + data)
            ask(b"QUIT\r\n")
            return "250 2.0.0 from MTA(smtp:[127.0.0.1]:%d): %s" % (self.back, answer)


class Proxy(Server):
    """Hands on all bytes, both ways, to the smtpd behind it."""

    behind = 0

    def serve(self, connection):
        with socket.create_connection(("127.0.0.1", self.behind), 20) as other:
            thread = threading.Thread(target=self.hand_on, args=(connection, other), daemon=True)
            thread.start()
            self.hand_on(other, connection)
            thread.join()

    @staticmethod
    def hand_on(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Door:
    """Where a client connects to, as the class Client wants its lab."""

    mta = "postfix"

    def __init__(self, port, address):
        self.port, self.address = port, address

    def connect(self, _client=None):
        return socket.create_connection(("127.0.0.1", self.port), 30, (self.address, 0))


class Routes:
    """Of a lab whose milter runs: its ports are members."""

    def __init__(self, lab, **overrides):
        self.lab, self.second_lab = lab, None
        servers = {"sink": Sink(), "filter": Filter(), "proxy": Proxy()}
        names = ("screen", "filtered", "back", "proxied", "behind", "dead")
        self.ports = dict(zip(names, free_ports(len(names))), **{name: each.port for name, each in servers.items()})
        servers["filter"].back, servers["proxy"].behind = self.ports["back"], self.ports["behind"]
        for each in servers.values():
            each.start()
        self.start_second()
        conf = lab.path("postfix", "conf")
        os.makedirs(conf, exist_ok=True)
        write(os.path.join(conf, "aliases"), "joe ok@sink.test\nlist one@sink.test, two@sink.test\n")
        values = dict({name: value.format(conf=conf, **self.ports) for name, value in OVERRIDES.items()}, **overrides)
        lab.start_postfix(MASTER.format(**self.ports), **values)
        self.ports["main"] = lab.port

    def start_second(self):
        """Another instance: it has a queue, a log and a name of its own, and no milter."""
        self.second_lab = Lab()
        self.second_lab.start_postfix(syslog_name="postfix-two", mydestination="two.test", smtpd_milters="", default_transport="smtp",
                                      transport_maps="inline:{ { two.test = smtp:[127.0.0.1]:%d } }" % self.ports["sink"],
                                      local_recipient_maps="", smtp_tls_security_level="none", smtpd_recipient_restrictions="",
                                      smtp_address_preference="ipv4")
        self.ports["second"] = self.second_lab.port

    def close(self):
        if self.second_lab:
            self.second_lab.close()
            self.second_lab = None
