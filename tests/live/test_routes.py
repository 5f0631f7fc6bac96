#!/usr/bin/python3
"""test_routes.py - the milter's records through sentinels and a cluster, while masters fail and slots move.

After each case the stream at the end has every session of the load, no seq twice, none left out, in order.
Arguments: names of cases; without any, all.
"""
import json
import re
import signal
import socket
import subprocess
import threading
import time

from cases import case, run_cases
from expected import sequence_differences
from lab import STREAM_KEY, WAIT_SECONDS, Lab, LabError, RedisError, check, run_test, wait_until, write
from milter_load import load_words, run_load
from redis_sets import Cluster, Sentinels

# For those cases that need a link that is never cut: a machine that stands still for a while is no reason to.
NEVER_CUT = {"redis_connect_timeout": "60s", "redis_command_timeout": "60s"}


class Load:
    """Mail on the lab's milter, in the background or to its end."""

    def __init__(self, lab):
        self.lab, self.sessions = lab, 0

    def some(self, sessions=20, connections=1):
        run_load(self.lab, connections, sessions=sessions, first=self.sessions + 1)
        self.sessions += sessions

    def begin(self, server, pace=300, seconds=None):
        """Mail in the background, so many events a second, until finish(), or for so long; it has begun when records come."""
        before = server.call("XLEN", STREAM_KEY)
        more = {"seconds": seconds} if seconds else {}
        words = load_words(self.lab, 2, sessions=100000, pace=pace, first=self.sessions + 1, **more)
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        wait_until("records come", lambda: server.call("XLEN", STREAM_KEY) > before + 20)
        return process

    def finish(self, process):
        process.send_signal(signal.SIGTERM)	# sessions that have begun come to their end
        output = process.communicate(timeout=WAIT_SECONDS)[0]
        check(process.returncode == 0, "the load's replies were right: " + output)
        self.sessions += int(float(re.search(r"^sessions_begun (\S+)", output, re.M)[1]))


class Reader:
    """smtptrail watch beside it all: it must show each record once, wherever it is moved to."""

    def __init__(self, lab, address, settings=""):
        self.lab, self.output = lab, lab.path("watch.json")
        self.words = [lab.program("smtptrail"), "watch", "--json", "--from-id", "0", "--redis", address,
                      "--config", lab.path("watch.conf")]
        write(lab.path("watch.conf"), settings)
        self._spawn()

    def _spawn(self):
        with open(self.output, "wb") as output, open(self.lab.path("watch.log"), "ab") as log:
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=output, stderr=log,
                                            start_new_session=True)
        self.lab.children["watch"] = self.process
        self.lab.adopt("watch", self.process.pid)

    def seqs(self):
        """Where it cannot begin it ends, as on a machine that stands still just then; so it is begun again."""
        with open(self.output, encoding="utf-8") as file:
            seqs = [json.loads(line)["seq"] for line in file if line.endswith("\n")]
        if self.process.poll() is not None:
            check(not seqs, "the reader goes on: it ended with status %d" % self.process.returncode)
            self._spawn()
        return seqs

    def wait_first(self):
        """Until it has shown the start of the milter."""
        wait_until("the reader has begun", self.seqs)

    def check(self, records):
        """It showed what the stream has, each once. What came twice by a fail-over may be out of order for it."""
        wanted = sorted(int(each["seq"]) for each in records)
        wait_until("the reader has them all", lambda: len(self.seqs()) >= len(wanted))
        check(sorted(self.seqs()) == wanted, "the reader showed each record once")


def start(lab, redis, **options):
    """The milter at this Redis, and a reader that has begun; gives the reader, and the load to come."""
    lab.start_milter(redis_address=redis.address, **options)
    reader = Reader(lab, redis.address)
    reader.wait_first()
    return reader, Load(lab)


def milter_log(lab):
    with open(lab.path("milter.log"), encoding="utf-8", errors="backslashreplace") as file:
        return file.read()


def sessions(records):
    """Those whose last record is there."""
    return [each["session"] for each in records if each["stage"] == "close"]


def closes(server):
    return len(sessions(server.records(STREAM_KEY)))


def wait_taken(lab, load, server):
    """This server has all of what was made, and the milter knows it: what it says of itself is a moment old."""
    wait_until("the master has it", lambda: closes(server) == load.sessions and
               lab.status()["records_shipped"] == server.call("XLEN", STREAM_KEY) and lab.status()["backlog_records"] == 0)


def check_arrived(lab, load, where):
    """where(): the node that has the stream at the end."""
    def is_all_there():
        status = lab.status()
        return status["backlog_records"] == 0 and status["redis_state"] == "shipping"

    def come():
        """The last of it may have gone to a master that was none any longer, and come again."""
        try:
            records = where().records(STREAM_KEY)
        except (LabError, OSError, RedisError):		# the cluster looks for a master
            return None
        return records if len(sessions(records)) >= load.sessions else None

    wait_until("all records are shipped", is_all_there)
    records = wait_until("each session is in the stream", come)
    ended = sessions(records)
    check(len(ended) == len(set(ended)) == load.sessions,
          "%d sessions, and %d closes of %d in the stream" % (load.sessions, len(ended), len(set(ended))))
    lines = sequence_differences(records)
    check(not lines, "the records are without hole or repetition: %s" % lines[:3])
    seqs = [int(each["seq"]) for each in records]
    check(seqs == list(range(seqs[0], seqs[0] + len(seqs))) and seqs[0] & 0xffffffffff == 1,
          "they begin with the first one and leave none out")
    return records


@case
def a_master_that_is_frozen_and_comes_back_keeps_nothing_to_itself():
    with Lab() as lab:
        redis = Sentinels(lab)
        reader, load = start(lab, redis)
        load.some()
        process = load.begin(redis.master, seconds=30)
        redis.master.freeze()
        wait_until("the log says what is wrong, and where", lambda: "no answer in time" in milter_log(lab) and
                   "of " + redis.address in milter_log(lab))
        redis.wait_promoted()
        # It comes back and believes to be the master, until a sentinel tells it that it is none.
        redis.master.thaw()
        wait_until("it is a replica", lambda: redis.master.info("replication", "role") == "slave")
        load.finish(process)
        reader.check(check_arrived(lab, load, lambda: redis.replica))


@case
def a_link_that_is_open_leaves_a_master_that_most_sentinels_left():
    """No cut, no time-out: the old master answers all the while, and one sentinel still names it."""
    with Lab() as lab:
        redis = Sentinels(lab)
        reader, load = start(lab, redis, **NEVER_CUT)
        process = load.begin(redis.master)
        # As behind a cut network: it hears of nobody, and nobody of it, but for the milter. Nor does its sentinel, which
        # would make the other its replica again after a while.
        redis.master.call("CONFIG", "SET", "repl-ping-replica-period", "3600")
        redis.replica.call("REPLICAOF", "NO", "ONE")
        wait_until("it has no replica", lambda: redis.master.info("replication", "connected_slaves") == "0")
        for sentinel, master in zip(redis.sentinels, (redis.master, redis.replica, redis.replica)):
            sentinel.call("SENTINEL", "REMOVE", "trail")
            sentinel.call("SENTINEL", "MONITOR", "trail", "127.0.0.1", master.port, "2")
        redis.hold_still()
        before = redis.replica.call("XLEN", STREAM_KEY)
        wait_until("records come to the other one", lambda: redis.replica.call("XLEN", STREAM_KEY) > before)
        load.finish(process)
        reader.check(check_arrived(lab, load, lambda: redis.replica))
        check("the sentinels name 127.0.0.1:%d as master now, no longer 127.0.0.1:%d" %
              (redis.replica.port, redis.master.port) in milter_log(lab), "the log says why it changed")


@case
def a_frozen_replica_that_is_promoted_gets_again_what_it_had_not():
    with Lab() as lab:
        redis = Sentinels(lab)
        reader, load = start(lab, redis)
        load.some()
        wait_taken(lab, load, redis.master)
        wait_until("the replica has it", lambda: redis.replica.call("XLEN", STREAM_KEY) ==
                   redis.master.call("XLEN", STREAM_KEY))
        redis.replica.freeze()
        # So short a load would fit into the buffers of their connection.
        redis.master.call("CLIENT", "KILL", "TYPE", "replica")
        load.some(200)
        wait_taken(lab, load, redis.master)
        redis.master.kill()
        redis.replica.thaw()
        before = redis.replica.call("XLEN", STREAM_KEY)
        redis.wait_promoted()
        load.some()
        records = check_arrived(lab, load, lambda: redis.replica)
        reader.check(records)
        check(len(records) > before, "the replica had not all")
        status = lab.status()
        check("lost records that it had taken" in milter_log(lab), "the log says that Redis lost some")
        check(status["redis_state"] == "shipping", "it ships again: %s" % status["redis_state"])


@case
def a_frozen_replica_that_is_promoted_leaves_a_gap_of_the_right_size_where_nothing_is_kept():
    with Lab() as lab:
        redis = Sentinels(lab)
        lab.start_milter(redis_address=redis.address, keep_time="0s", keep_size=0, segment_size="256K", front_size="8M")
        load = Load(lab)
        load.some()
        wait_until("the replica has all of it", lambda: closes(redis.replica) == 20)
        redis.replica.freeze()
        redis.master.call("CLIENT", "KILL", "TYPE", "replica")
        load.some(2500, 8)
        wait_taken(lab, load, redis.master)
        wait_until("the journal has only the last of it", lambda: lab.status()["front_bytes"] +
                   lab.status()["spool_bytes"] < 2 << 20)
        made = {int(each["seq"]) for each in redis.master.records(STREAM_KEY)}
        redis.master.kill()
        redis.replica.thaw()
        redis.wait_promoted()

        def told():
            return [each for each in redis.replica.records(STREAM_KEY) if each["stage"] == "gap"]
        wait_until("the gap is told", told)
        load.some()
        wait_until("all that is left is shipped", lambda: lab.status()["backlog_records"] == 0 and closes(redis.replica) >= 40)
        came = [int(each["seq"]) for each in redis.replica.records(STREAM_KEY)]
        missing = made - set(came)
        check(came == sorted(set(came)), "what came is in order and not doubled")
        check(len(missing) > 5000 and max(missing) - min(missing) + 1 == len(missing), "one hole of %d" % len(missing))
        check([each["reason"] for each in told()] == ["not_kept"] and int(told()[0]["count"]) == len(missing),
              "%d are missing, told is %s" % (len(missing), told()))
        wait_until("status and log say it, too", lambda: lab.status()["redis_not_kept"] == 1 and
                   "no longer keeps those that follow" in milter_log(lab))


@case
def sentinels_that_are_down_or_do_not_know_the_name():
    with Lab() as lab:
        redis = Sentinels(lab)
        wrong = redis.address.replace("/trail", "/other")
        lab.start_milter(redis_address=wrong)
        load = Load(lab)
        load.some()
        wait_until("it waits for a person", lambda: lab.status()["redis_state"] == "operator")
        wait_until("it says which", lambda: "knows no master 'other'" in lab.status()["last_error"])
        lab.end("milter")
        lab.start_milter(redis_address=redis.address, **NEVER_CUT)
        wait_until("records come", lambda: lab.status()["redis_state"] == "shipping")
        # Two of three are enough to find the master; none is enough to go on with it.
        redis.sentinels[0].kill()
        load.some()
        for sentinel in redis.sentinels[1:]:
            sentinel.kill()
        before = redis.master.call("XLEN", STREAM_KEY)
        load.some(50)
        wait_until("they are in", lambda: redis.master.call("XLEN", STREAM_KEY) > before and
                   lab.status()["backlog_records"] == 0)
        # Whoever connects anew must ask a sentinel.
        redis.master.call("CLIENT", "KILL", "TYPE", "normal")
        load.some()
        wait_until("it waits", lambda: lab.status()["redis_state"] == "waiting")
        wait_until("it says what", lambda: "cannot reach redis" in lab.status()["last_error"])
        for sentinel in redis.sentinels:
            sentinel.start()
        wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0)
        wait_until("each session is in the stream", lambda: closes(redis.master) >= load.sessions)
        ended = sessions(redis.master.records(STREAM_KEY))
        check(len(ended) == len(set(ended)) == load.sessions, "each session is in the stream once")


def migrate(source, target, *keys):
    source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 10000, "KEYS", *keys)


@case
def a_slot_that_moves_while_records_come():
    with Lab() as lab:
        redis = Cluster(lab, replicas=False)
        reader, load = start(lab, redis)
        source = redis.owner(STREAM_KEY)
        target = next(node for node in redis.masters if node is not source)
        process = load.begin(source)
        slot = source.call("CLUSTER", "KEYSLOT", STREAM_KEY)
        cursor = next(key for key in source.call("CLUSTER", "GETKEYSINSLOT", slot, 10) if key != STREAM_KEY)
        ids = {node: node.call("CLUSTER", "MYID") for node in redis.masters}
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        before = source.call("XLEN", STREAM_KEY)
        wait_until("records come while it is prepared", lambda: source.call("XLEN", STREAM_KEY) > before)
        migrate(source, target, STREAM_KEY)
        # Split: the stream is there, the cursor here. Nothing can be done, and nothing is.
        wait_until("it waits for the other key", lambda: lab.status()["redis_state"] == "waiting")
        wait_until("it says what", lambda: "TRYAGAIN" in lab.status()["last_error"])
        check(target.asking("XLEN", STREAM_KEY) >= before, "the stream moved")
        migrate(source, target, cursor)
        before = target.asking("XLEN", STREAM_KEY)
        wait_until("records come by ASK", lambda: target.asking("XLEN", STREAM_KEY) > before)
        for node in (target, source, *redis.masters):
            node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        load.finish(process)
        reader.check(check_arrived(lab, load, lambda: target))


def owner_or_none(cluster):
    try:
        return cluster.owner(STREAM_KEY)
    except (LabError, OSError, RedisError):
        return None


@case
def a_cluster_whose_master_is_killed():
    with Lab() as lab:
        redis = Cluster(lab)
        reader, load = start(lab, redis)
        first = redis.owner(STREAM_KEY)
        process = load.begin(first, seconds=30)
        first.kill()
        redis.let_fail_over()
        wait_until("another one has it", lambda: owner_or_none(redis) not in (None, first))
        load.finish(process)
        load.some()
        reader.check(check_arrived(lab, load, lambda: redis.owner(STREAM_KEY)))
        check("of cluster:" in milter_log(lab), "the log names the node and the cluster")


class FalseNode(threading.Thread):
    """Says that it is a cluster's only node, and that another one holds whatever it is asked for."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.other, self.asked = self, 0

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        while data := client.recv(65536):
            if b"PING" in data:
                client.sendall(b"+PONG\r\n")
            elif b"SLOTS" in data:
                client.sendall(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % self.port)
            else:
                self.asked += 1
                client.sendall(b"-MOVED 10024 127.0.0.1:%d\r\n" % self.other.port)


@case
def nodes_that_send_each_to_the_other_are_not_followed_for_ever():
    with Lab() as lab:
        one, two = FalseNode(), FalseNode()
        one.other, two.other = two, one
        one.start()
        two.start()
        lab.start_milter(redis_address="cluster:127.0.0.1:%d" % one.port)
        run_load(lab, 1, sessions=3)
        wait_until("it waits", lambda: lab.status()["redis_state"] == "waiting")
        wait_until("it says why", lambda: "MOVED 10024" in lab.status()["last_error"])
        before = one.asked + two.asked
        time.sleep(3)
        check(one.asked + two.asked - before < 500, "it asks with pauses: %d times" % (one.asked + two.asked - before))
        check(lab.status()["backlog_records"] > 0, "the records wait")


@case
def a_reader_of_partitions_on_all_nodes_of_a_cluster():
    partitions, each = 6, 500
    with Lab() as lab:
        redis = Cluster(lab, replicas=False)
        keys = ["{smtptrail:%d}:records" % i for i in range(partitions)]
        owners = [redis.owner(key) for key in keys]
        check(len(set(owners)) == 3, "they lie on all three")
        reader = Reader(lab, redis.address, "partitions = %d\n" % partitions)
        for number in range(1, each + 1):
            for i, (key, owner) in enumerate(zip(keys, owners)):
                owner.call("XADD", key, "*", "stage", "close", "time", "2026-11-21T08:00:00.000000Z", "producer", "p",
                           "partition", i, "seq", number, "session", "s")
        wait_until("the reader has them all", lambda: len(reader.seqs()) >= partitions * each)
        check(sorted(reader.seqs()) == sorted(list(range(1, each + 1)) * partitions), "each once")
        with open(lab.path("watch.log"), encoding="utf-8") as file:
            check("missing" not in file.read(), "and it misses none")
        write(lab.path("doctor.conf"), 'redis_address = "%s"\npartitions = %d\n' % (redis.address, partitions))
        said = subprocess.run([lab.program("smtptrail"), "doctor", "--config", lab.path("doctor.conf")], check=False, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=WAIT_SECONDS).stdout
        check(said.count("holds %d records" % each) == partitions, "doctor finds all of them: " + said)


if __name__ == "__main__":
    run_test(run_cases)
