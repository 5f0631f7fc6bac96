#!/usr/bin/python3
"""dns_lab.py - a private DNS server (nsd) with a root zone of the test's own, and servers that misbehave.

Everything lives in a temporary directory and on loopback, on ports that were free, and is taken down by
process id when its block ends.
"""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from lab import LabError, check
from ports import free_ports

SOA = ". 300 IN SOA ns.lab. hostmaster.lab. 1 3600 900 86400 30\n. 300 IN NS ns.lab.\nns.lab. 300 IN A 127.0.0.1\n"


def find_program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def txt(text):
    """Bytes or a string as TXT data of a zone file, in strings of at most 255 bytes."""
    data = text if isinstance(text, bytes) else text.encode()
    pieces = [data[i:i + 255] for i in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\;' else "\\%03d" % c for c in piece) + '"'
                    for piece in pieces)


class Nsd:
    """nsd with one zone, the root, so that any name can be answered."""

    def __init__(self, zone=None, zone_file=None, directory=None, port=None):
        self.directory = directory or tempfile.mkdtemp(prefix="smtptrail-dns-")
        self.port = port or free_ports(1)[0]
        self.process = None
        if zone_file is None:
            zone_file = os.path.join(self.directory, "root.zone")
            with open(zone_file, "w", encoding="ascii") as file:
                file.write(SOA + zone)
        with open(os.path.join(self.directory, "nsd.conf"), "w", encoding="ascii") as file:
            file.write("server:\n  ip-address: 127.0.0.1@%d\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n"
                       "  rrl-ratelimit: 0\n  zonesdir: \"%s\"\n  pidfile: \"%s/nsd.pid\"\n  xfrdfile: \"%s/xfrd\"\n"
                       "  zonelistfile: \"%s/zones\"\n  server-count: 1\nremote-control:\n  control-enable: no\n"
                       "zone:\n  name: \".\"\n  zonefile: \"%s\"\n"
                       % (self.port, self.directory, self.directory, self.directory, self.directory, zone_file))

    @property
    def address(self):
        return "127.0.0.1@%d" % self.port

    @property
    def command(self):
        return [find_program("nsd"), "-d", "-c", self.directory + "/nsd.conf"]

    def start(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait()

    def wait(self):
        query = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"
        for _ in range(100):
            with socket.socket(type=socket.SOCK_DGRAM) as asking:
                asking.settimeout(0.1)
                asking.sendto(query, ("127.0.0.1", self.port))
                try:
                    if asking.recv(512)[3] & 15 == 0:
                        return
                except OSError:
                    time.sleep(0.05)
            if self.process.poll() is not None:
                break
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as log:
            raise LabError("nsd does not answer:\n" + log.read())

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def sign_zone(directory, zone):
    """A root zone, signed, in which "original" is then made "forgeries"; the trust anchor. None: ldns is missing."""
    if not find_program("ldns-signzone"):
        return None
    plain, signed = os.path.join(directory, "root.zone"), os.path.join(directory, "signed.zone")
    with open(plain, "w", encoding="ascii") as file:
        file.write(SOA + zone)
    key = subprocess.run([find_program("ldns-keygen"), "-k", "-a", "ECDSAP256SHA256", "."], cwd=directory, check=True,
                         capture_output=True, text=True).stdout.strip()
    subprocess.run([find_program("ldns-signzone"), "-o", ".", "-f", signed, plain, key], cwd=directory, check=True,
                   capture_output=True)
    with open(signed, encoding="ascii") as file:
        text = file.read()
    check("original" in text, "the signed zone holds the record")
    with open(signed, "w", encoding="ascii") as file:
        file.write(text.replace("original", "forgeries"))
    return signed, os.path.join(directory, key + ".key")


class BadServer:
    """A UDP server that calls answer(query, ask), each in a thread, for what it sends back (None: nothing); ask(query)
    asks a good one."""

    def __init__(self, answer, good_port=None):
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.address = "127.0.0.1@%d" % self.socket.getsockname()[1]
        self.answer, self.good_port, self.stopping, self.answering = answer, good_port, False, []
        self.thread = threading.Thread(target=self._run)

    def _ask(self, query):
        with socket.socket(type=socket.SOCK_DGRAM) as asking:
            asking.settimeout(2)
            asking.sendto(query, ("127.0.0.1", self.good_port))
            return asking.recv(4096)

    def _run(self):
        while not self.stopping:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                continue
            answering = threading.Thread(target=self._reply, args=(query, client))
            self.answering = [each for each in self.answering if each.is_alive()] + [answering]
            answering.start()

    def _reply(self, query, client):
        reply = self.answer(query, self._ask)
        if reply is not None:
            self.socket.sendto(reply, client)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for each in [self.thread] + self.answering:
            each.join()
        self.socket.close()


class Probe:
    """tests/live/auth_probe, asked line by line."""

    def __init__(self, *arguments):
        program = os.path.join(os.environ.get("top_builddir", "."), "tests/live/auth_probe")
        self.process = subprocess.Popen([program] + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _ask(self, *fields):
        self.process.stdin.write("\t".join(fields).encode("utf-8", "surrogateescape") + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line.endswith(b"\n"):
            raise LabError("auth_probe died on " + repr(fields))
        return line.decode("utf-8", "surrogateescape")[:-1].split("\t")

    def dns(self, kind, name):
        """status, seconds, items, the whole answer"""
        answer = self._ask("dns", kind, name)
        return answer[0], int(answer[3]) / 1e6, answer[5:], answer

    def spf(self, engine, client, helo, sender):
        names = ("result", "term", "lookups", "void_lookups", "explanation", "error", "time_us")
        return dict(zip(names, self._ask("spf", engine, client, helo, sender)))

    def statistics(self):
        names = ("questions", "cache_hits", "cache_entries", "timeouts", "pending")
        return dict(zip(names, map(int, self._ask("statistics"))))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process.stdout.close()
        check(status == 0, "auth_probe ended well, not with %d" % status)
