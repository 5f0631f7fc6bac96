"""paced.py - mails sent one by one at a steady pace, each with its time, to several listeners in turn.

Where the cores are never full, what a milter does after its reply costs the mail nothing: so the times tell what
it does before. Each listener gets a block of mails a round, in an order that turns from round to round, and what a
block leaves to be done is waited for before the next begins. A listener that is there twice tells what the
difference between two equal ones is on this machine.
"""
import gc
import socket
import statistics
import time

from bench_postfix import PARTS
from lab import LabError
from pairs import median_cell, median_of, print_head, print_row, with_interval

PACE, BLOCK, QUICK_BLOCK = 40, 40, 10	# messages a second, and of a block
TIMEOUT_SECONDS = 20


class PacedMail:
    """Whole transactions, a connection each, as fast as their replies come."""

    def __init__(self, sender, recipient, message):
        self.steps = [(b"EHLO client.lab.test\r\n", b"250"), (b"MAIL FROM:<%s>\r\n" % sender.encode(), b"250"),
                      (b"RCPT TO:<%s>\r\n" % recipient.encode(), b"250"), (b"DATA\r\n", b"354")]
        self.message = message.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..") + b".\r\n"

    @staticmethod
    def _reply(connection, code):
        reply = b""
        while not reply.endswith(b"\r\n") or reply.rpartition(b"\r\n")[0].rpartition(b"\r\n")[2][3:4] == b"-":
            piece = connection.recv(4096)
            if not piece:
                raise LabError("the server closed the connection")
            reply += piece
        if not reply.startswith(code):
            raise LabError("wanted %r, the server said %r" % (code, reply))

    def send(self, port):
        """Seconds from connecting to the last reply, and from the last byte to it."""
        with socket.socket() as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            begin = time.perf_counter()
            connection.connect(("127.0.0.1", port))
            self._reply(connection, b"220")
            for line, code in self.steps:
                connection.sendall(line)
                self._reply(connection, code)
            connection.sendall(self.message)
            sent = time.perf_counter()
            self._reply(connection, b"250")
            end = time.perf_counter()
            connection.sendall(b"QUIT\r\n")
            self._reply(connection, b"221")
        return end - begin, end - sent


def send_block(mail, port, block):
    """The figures of one block, in us."""
    times = []
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    for number in range(block + 1):
        time.sleep(max(0.0, begin + number / PACE - time.perf_counter()))
        times.append(mail.send(port))
    gc.enable()
    whole, end = ([seconds * 1e6 for seconds in column] for column in zip(*times[1:]))	# the first one wakes everything up
    return {"p50": statistics.median(whole), "p90": statistics.quantiles(whole, n=10)[-1],
            "end": statistics.median(end)}


def bench_paced(bench, mail, arms, rounds, rest_seconds=0.0, block=BLOCK):
    """arms: (listener, words). Rounds of blocks, each followed by a rest; a row of a table each arm. Gives the rounds."""
    print_head(("milter", "time p50", "p90", "end of mail p50", "CPU", *PARTS.values()))
    results = []
    for number in range(-1, rounds):
        figures, turn = {}, number % len(arms)
        for name, _words in arms[turn:] + arms[:turn]:
            figures[name] = bench.observe(name, block + 1, lambda name=name: send_block(mail, bench.ports[name], block))
            time.sleep(rest_seconds)
        if number >= 0:			# the first one warms up
            results.append(figures)
    for name, words in arms:
        print_row(words, median_cell(results, name, "p50"), *("%.0f" % median_of(results, name, key) for key in ("p90", "end")),
                  median_cell(results, name, "cpu"), *("%.0f" % median_of(results, name, key) for key in PARTS))
    return results


def added(rounds, name, reference, key="p50"):
    """The median of what one arm takes more than another in its round, in us: a table's cell."""
    return with_interval(rounds, lambda drawn: statistics.median(each[name][key] - each[reference][key] for each in drawn))
