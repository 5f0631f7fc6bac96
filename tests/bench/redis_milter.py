#!/usr/bin/python3
"""redis_milter.py - the milter that one would otherwise write: python3-milter, and an XADD in each callback.

usage: redis_milter.py SOCKET REDIS_SOCKET
"""
import sys

import Milter
import redis

connection = redis.Redis(unix_socket_path=sys.argv[2])
STREAM = "redis_milter"


class Recorder(Milter.Base):
    def __init__(self):
        self.id = Milter.uniqueID()

    def record(self, stage, **fields):
        connection.xadd(STREAM, {"session": self.id, "stage": stage, **fields}, maxlen=100000, approximate=True)
        return Milter.CONTINUE

    def connect(self, hostname, _family, address):
        return self.record("connect", client_name=hostname, client_addr=str(address))

    def hello(self, name):
        return self.record("helo", helo=name)

    def envfrom(self, address, *_parameters):
        return self.record("mail", **{"from": address})

    def envrcpt(self, address, *_parameters):
        return self.record("rcpt", to=address)

    def header(self, name, value):
        return self.record("header", name=name, value=value)

    def eoh(self):
        return self.record("eoh")

    def body(self, chunk):
        return self.record("body", size=len(chunk))

    def eom(self):
        return self.record("eom", queue_id=self.getsymval("i") or "")

    def close(self):
        return self.record("close")


Milter.factory = Recorder
Milter.runmilter("redis_milter", sys.argv[1], 240)
