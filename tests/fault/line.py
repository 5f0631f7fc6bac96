"""line.py - the line before a Redis server: it cuts, loses replies, delivers late, and can be held for some.

Three faults, each at a place of the request stream that the seed chooses:
  cut     the request goes on up to a random byte, then both sides are closed
  reply   the request goes on whole; its reply is dropped, and the client cut
  zombie  the client is cut; what it had sent from a random byte on is delivered up to 400 ms later, after it
          has connected again

Producers suffer them; servers talk to each other over the same line (replication, sentinels, the cluster's bus) and
do not: they are told by the address they come from, PRODUCERS or one of their own. hold() is for these: a network
that is cut in two. No byte of those hosts goes either way until let_go(), which ends their connections.

Threads: two for each connection; all end with close(). mean_bytes may be changed at any time; 0: no faults.
"""
import random
import select
import socket
import threading
import time

KINDS = ("cut", "reply", "zombie")
PRODUCERS = "127.0.0.1"
CHUNK = 65536
QUIET_SECONDS = 0.01		# a request is whole when nothing comes for so long
LATE_SECONDS = 0.4
PATIENCE_SECONDS = 20		# for a Redis that is stopped to take late bytes
HELD_SECONDS = 0.02


def unix_listener(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    return listener


def tcp_listener():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((PRODUCERS, 0))
    return listener


class Line:
    """server: where it leads to, a path or a port."""

    def __init__(self, listener, server, seed, mean_bytes):
        self.listener, self.server, self.mean_bytes = listener, server, mean_bytes
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.counts = dict.fromkeys(KINDS, 0)
        self.held = frozenset()
        self.ends = False
        self.threads = []
        listener.listen(64)
        listener.settimeout(0.2)
        self._start(self._accept)

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def hold(self, hosts):
        self.held = frozenset(hosts)

    def let_go(self):
        self.held = frozenset()

    def _start(self, function, *words):
        thread = threading.Thread(target=function, args=words, daemon=True)
        thread.start()
        self.threads = [each for each in self.threads if each.is_alive()] + [thread]

    def close(self):
        self.ends = True
        for each in self.threads:
            each.join(PATIENCE_SECONDS + 5)
        self.listener.close()

    def _accept(self):
        while not self.ends:
            try:
                client, peer = self.listener.accept()
            except socket.timeout:
                continue
            host = peer[0] if isinstance(peer, tuple) else PRODUCERS
            server = socket.socket() if isinstance(self.server, int) else socket.socket(socket.AF_UNIX)
            try:
                server.connect((PRODUCERS, self.server) if isinstance(self.server, int) else self.server)
            except OSError:		# Redis is down
                client.close()
                server.close()
                continue
            self._start(self._carry, host, client, server)

    def _next_fault(self, host):
        """After how many bytes, and which; the bytes are None where there is none for now."""
        with self.lock:
            wanted = self.mean_bytes and host == PRODUCERS
            return self.random.expovariate(1 / self.mean_bytes) if wanted else None, self.random.choice(KINDS)

    def _carry(self, host, client, server):
        try:
            self._carry_until_fault(host, client, server)
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def _was_held(self, host):
        was_held = host in self.held
        while host in self.held and not self.ends:
            time.sleep(HELD_SECONDS)
        return was_held

    def _carry_until_fault(self, host, client, server):
        left, kind = self._next_fault(host)
        while not self.ends:
            ready = select.select([client, server], [], [], 0.2)[0]
            if self._was_held(host):
                return
            if server in ready:
                answer = server.recv(CHUNK)
                if not answer:
                    return
                client.sendall(answer)
            if client in ready:
                request = client.recv(CHUNK)
                if not request:
                    return
                if not self.mean_bytes:
                    left = None
                elif left is None:
                    left, kind = self._next_fault(host)
                if left is not None and len(request) > left:
                    self._fault(kind, int(left), request, client, server)
                    return
                if left is not None:
                    left -= len(request)
                server.sendall(request)

    def _fault(self, kind, place, request, client, server):
        with self.lock:
            self.counts[kind] += 1
            late = self.random.uniform(0, LATE_SECONDS)
        if kind == "cut":
            server.sendall(request[:place])
            return
        server.settimeout(PATIENCE_SECONDS)
        if kind == "zombie":
            server.sendall(request[:place])
            request = request[place:]
        while select.select([client], [], [], QUIET_SECONDS)[0]:
            more = client.recv(CHUNK)
            if not more:
                break
            request += more
        if kind == "zombie":
            client.close()
            time.sleep(late)
        server.sendall(request)
        # It must have been read before the close: a reset would throw it away.
        server.shutdown(socket.SHUT_WR)
        while server.recv(CHUNK):
            pass
