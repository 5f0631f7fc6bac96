"""targets.py - the Redis of a campaign: one server, a master with sentinels, or a cluster; a bad line before each server.

Each has: address, partitions, lines, server(partition), and its own faults, a function of (target, pause, random)
each; caught_up() waits until all producers have.

A machine may be busy, or stand still for a while, at any moment. So a set is whole, and changes no master of its own
accord, but while a fault wants it to (redis_sets.py); what Redis gives up after a time is asked for anew until it is done.
"""
import os
import time

import mounts
from lab import LabError, RedisError, free_ports, wait_until
from line import KINDS, Line, tcp_listener, unix_listener
from redis_sets import Cluster, Node, Sentinels

ASK_AGAIN_SECONDS = 6		# a fail-over that was asked for is given up after five
MEBIBYTE = 1 << 20
DISK_BYTES, DISK_LEFT = 4096 * MEBIBYTE, MEBIBYTE // 4	# of the server with a file
LEFT_SECONDS = 1.5		# nothing came for so long
QUESTION_BYTES = 1500		# of questions to a sentinel between two faults of the line
SERVER = ("appendonly yes", "appendfsync everysec", 'save ""', "auto-aof-rewrite-percentage 0",
          "enable-protected-configs yes", "enable-debug-command yes", "loading-process-events-interval-bytes 2048")


def key(partition):
    return "{trail:%d}:records" % partition


class Lines:
    """The line before each server, by the port (path) it leads to."""

    def __init__(self, seed, mean_bytes):
        self.seed, self.mean_bytes, self.lines = seed, mean_bytes, {}

    def add(self, listener, server):
        self.lines[server] = Line(listener, server, self.seed + len(self.lines), self.mean_bytes)
        return self.lines[server]

    def before(self, port):
        return self.add(tcp_listener(), port).port

    def quiet(self):
        for line in self.lines.values():
            line.mean_bytes = 0

    def let_go(self):
        for line in self.lines.values():
            line.let_go()

    def close(self):
        for line in self.lines.values():
            line.ends = True
        for line in self.lines.values():
            line.close()

    def counts(self):
        return {kind: sum(line.counts[kind] for line in self.lines.values()) for kind in KINDS}


class Single:
    """One redis-server with its file."""
    partitions = 1

    def __init__(self, lab, seed, over, mean_bytes):
        port, = free_ports(1)
        self.has_disk = mounts.tmpfs(lab.path("redis-%d" % port), DISK_BYTES)
        self.node = Node(lab, port, *SERVER)
        self.lines = Lines(seed, mean_bytes)
        if over == "unix":
            self.address = "unix:" + lab.path("line")
            self.lines.add(unix_listener(lab.path("line")), self.node.socket)
        else:
            self.address = "tcp:127.0.0.1:%d" % self.lines.add(tcp_listener(), self.node.socket).port
        self.faults = {"redis killed": Single.kill, "redis loading": Single.load_slowly, "redis read-only": Single.read_only}
        if self.has_disk:
            self.faults["redis' disk full"] = Single.fill_disk

    def server(self, _partition=0):
        return self.node

    def kill(self, pause, _random):
        self.node.kill()
        pause()
        self.node.start()

    def load_slowly(self, pause, _random):
        """It answers LOADING for half a second more than it needs: a sleep at each Nth entry, some 10,000 in all."""
        words = self.node.words
        each = max(1, self.node.call("XLEN", key(0)) // 10000)
        self.node.kill()
        self.node.words = words + ["--key-load-delay", str(-each)]
        pause()
        self.node.start()
        self.node.words = words
        self.node.call("CONFIG", "SET", "key-load-delay", "0")

    def read_only(self, pause, _random):
        self.node.call("REPLICAOF", "127.0.0.1", "1")
        pause()
        self.node.call("REPLICAOF", "NO", "ONE")

    def fill_disk(self, pause, random):
        """It goes on for up to a second before it refuses; killed then, it has lost what it took."""
        wait_until("its disk is nearly full", lambda: mounts.resize(
            self.node.directory, mounts.used(self.node.directory) + DISK_LEFT))
        wait_until("its file cannot be written", lambda: self.node.info("persistence", "aof_last_write_status") == "err")
        pause()
        is_killed = random.random() < 0.5
        if is_killed:
            self.node.kill()
        mounts.resize(self.node.directory, DISK_BYTES)
        if is_killed:
            self.node.start()
        wait_until("its file can be written", lambda: self.node.info("persistence", "aof_last_write_status") == "ok")


class Failing:
    """What a master with a replica can suffer; the set says which is which."""

    def cut(self, _pause, _random):
        for node in self.masters():
            node.call("CLIENT", "KILL", "TYPE", "normal")

    def line(self, node):
        return self.lines.lines[node.port]

    def _reunite(self, _master):
        self.caught_up()
        self.lines.let_go()

    def divide(self, inside, outside):
        """A network cut in two; producers reach both sides."""
        for here, there in ((inside, outside), (outside, inside)):
            for node in here:
                for port in {node.port, node.bus_port}:
                    self.lines.lines[port].hold([each.source for each in there])

    def kill_behind(self, master, replica, pause):
        """The replica misses the last of what the master took."""
        self.line(master).hold([replica.source])
        pause()
        master.kill()
        self.lines.let_go()


class WithSentinels(Failing):
    partitions = 1

    def __init__(self, lab, seed, _over, mean_bytes):
        self.lines = Lines(seed, mean_bytes)
        self.set = Sentinels(lab, line=self.lines.before)
        for sentinel in self.set.sentinels:
            self.line(sentinel).mean_bytes = mean_bytes and QUESTION_BYTES
        self.address = self.set.address
        self.faults = {"links cut": Failing.cut, "master killed": WithSentinels.kill, "master frozen": WithSentinels.freeze,
                       "replica behind, master killed": WithSentinels.kill_while_behind,
                       "master cut off": WithSentinels.cut_off}

    def server(self, _partition=0):
        if self.set.named() != self.set.master.announced:
            self._settle()
        return self.set.master

    def masters(self):
        return [self.server()]

    def _settle(self):
        wait_until("the set is whole", self._is_whole, pause=0.1)

    def _is_whole(self):
        """One of both is the master for all, and the other follows it; which one, the sentinels say."""
        port = self.set.named()
        both = [self.set.master, self.set.replica]
        new = next((node for node in both if node.announced == port), None)
        if not new:
            return False
        old = both[1 - both.index(new)]
        try:
            if old.process.poll() is not None:
                old.start()
                old.call("REPLICAOF", "127.0.0.1", new.announced)
            self.set.master, self.set.replica = new, old
            return new.info("replication", "role") == "master" and \
                old.info("replication", "master_port") == str(port) and \
                old.info("replication", "master_link_status") == "up" and self._is_known()
        except (OSError, RedisError):
            return False

    def _is_known(self):
        for sentinel in self.set.sentinels:
            reply = sentinel.call("SENTINEL", "REPLICAS", "trail")
            facts = [dict(zip(each[::2], each[1::2])) for each in reply]
            if not any(each["port"] == str(self.set.replica.announced) and each["flags"] == "slave" and
                       each["master-link-status"] == "ok" for each in facts):
                return False
        return True

    def _replace(self, harm, mend=None):
        """harm(master, replica) makes the sentinels name the other; mend() undoes what is left of it. The set is whole
        before and after: two such faults at one time would be more than any replica is for."""
        self._settle()
        old = self.set.master
        harm(old, self.set.replica)
        self.set.let_fail_over()
        wait_until("the replica is the master", lambda: self.set.named() not in (None, old.announced))
        self.set.hold_still()
        if mend:
            mend(old)
        self._settle()

    def kill(self, _pause, _random):
        self._replace(lambda master, _: master.kill())

    def freeze(self, _pause, _random):
        """The old master comes back and believes for a while that it is the master."""
        self._replace(lambda master, _: master.freeze(), lambda old: old.thaw())

    def kill_while_behind(self, pause, _random):
        self._replace(lambda master, replica: self.kill_behind(master, replica, pause))

    def cut_off(self, _pause, random):
        """The master is cut off, alone or with a sentinel that still names it, and takes what producers will have to
        send again; these must find the new one while the old one still answers."""
        alone = random.sample(self.set.sentinels, random.randrange(2))

        def harm(master, replica):
            self.divide([master, *alone], [replica, *(each for each in self.set.sentinels if each not in alone)])

        self._replace(harm, self._reunite)

    def _reunite(self, old):
        wait_until("the producers left the old master", lambda: self._is_left(old))
        Failing._reunite(self, old)

    @staticmethod
    def _is_left(old):
        length = old.call("XLEN", key(0))
        time.sleep(LEFT_SECONDS)
        return old.call("XLEN", key(0)) == length


class WithCluster(Failing):
    partitions = 2

    def __init__(self, lab, seed, _over, mean_bytes):
        self.lines = Lines(seed, mean_bytes)
        self.set = Cluster(lab, line=self.lines.before)
        self.address = self.set.address
        self.faults = {"links cut": Failing.cut, "master killed": WithCluster.kill, "master frozen": WithCluster.freeze,
                       "fail-over asked for": WithCluster.hand_over, "slot moved": WithCluster.move_slot,
                       "replica behind, master killed": WithCluster.kill_while_behind,
                       "master cut off": WithCluster.cut_off}

    def server(self, partition=0):
        found = []

        def find():
            try:
                found.append(self.set.owner(key(partition)))
            except (LabError, OSError, RedisError):
                return False
            return True

        wait_until("a node holds partition %d" % partition, find, pause=0.1)
        return found[-1]

    def masters(self):
        return list({id(node): node for node in (self.server(0), self.server(1))}.values())

    def _replica_of(self, master):
        return next((node for node in self.set.nodes if node is not master and
                     node.info("replication", "role") == "slave" and
                     node.info("replication", "master_port") == str(master.announced) and
                     node.info("replication", "master_link_status") == "up"), None)

    def _replace(self, random, harm, mend=None, ask=None):
        """harm(master, replica) makes the replica the master, or else ask(replica) does; mend(master) undoes what is left
        of it. The cluster is whole before and after."""
        self.set.hold_still()
        master = random.choice(self.masters())
        replica = wait_until("it has a replica", lambda: self._replica_of(master))
        asked = -ASK_AGAIN_SECONDS

        def is_master():
            nonlocal asked
            if replica.info("replication", "role") == "master":
                return True
            if ask and time.monotonic() - asked >= ASK_AGAIN_SECONDS:
                asked = time.monotonic()
                ask(replica)
            return False

        if harm:
            harm(master, replica)
        self.set.let_fail_over(replica)		# where it is asked for too: votes come no sooner than twice the nodes' patience
        wait_until("the replica is the master", is_master)
        if mend:
            mend(master)
        if master.process.poll() is not None:
            master.start()
        self.set.hold_still()

    def kill(self, _pause, random):
        self._replace(random, lambda master, _: master.kill())

    def freeze(self, _pause, random):
        self._replace(random, lambda master, _: master.freeze(), lambda master: master.thaw())

    def hand_over(self, _pause, random):
        def ask(replica):
            try:
                replica.call("CLUSTER", "FAILOVER")
            except RedisError:		# its link to the master is down just now
                pass

        self._replace(random, None, ask=ask)

    def kill_while_behind(self, pause, random):
        self._replace(random, lambda master, replica: self.kill_behind(master, replica, pause))

    def cut_off(self, _pause, random):
        """No node reaches it, and it reaches none; producers do, and must find the new one while it answers."""
        self._replace(random, lambda master, _: self.divide([master], [node for node in self.set.nodes if node is not master]),
                      self._reunite)

    @staticmethod
    def _tell(node, *words):
        """Each of these may come twice; a cluster that lacks a node for a moment refuses them."""
        def tell():
            try:
                node.call(*words)
            except (OSError, RedisError):
                return False
            return True

        wait_until("%s is done" % " ".join(str(word) for word in words[:4]), tell)

    def _move_keys(self, source, target, slot):
        """A key whose arrival was not told in time is on both sides: the source's counts."""
        while True:
            keys = source.call("CLUSTER", "GETKEYSINSLOT", slot, 1)
            if not keys:
                return
            self._tell(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 10000, "REPLACE", "KEYS", *keys)

    def move_slot(self, _pause, random):
        """Its keys go one by one, the stream and a cursor for each producer; in between, nothing can be appended."""
        self.set.hold_still()
        partition = random.randrange(self.partitions)
        source = self.server(partition)
        others = [node for node in self.set.nodes if node is not source and node.info("replication", "role") == "master"]
        target = random.choice(others)
        slot = source.call("CLUSTER", "KEYSLOT", key(partition))
        ids = {node: node.call("CLUSTER", "MYID") for node in (source, target)}
        self._tell(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        self._tell(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        self._move_keys(source, target, slot)
        for node in (target, source, *(each for each in others if each is not target)):
            self._tell(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        self.set.hold_still()


# Faults of any server.

def stop(target, pause, _random):
    server = target.server(0)
    server.freeze()
    pause()
    server.thaw()


def fill_memory(target, pause, _random):
    server = target.server(0)
    server.call("CONFIG", "SET", "maxmemory", "1")
    pause()
    server.call("CONFIG", "SET", "maxmemory", "0")


# Both may come twice.
SWAP_AWAY = "if redis.call('TYPE', KEYS[1]).ok == 'stream' then redis.call('RENAME', KEYS[1], KEYS[2]) end " \
    "return redis.call('LPUSH', KEYS[1], 'x')"
SWAP_BACK = "if redis.call('TYPE', KEYS[1]).ok == 'list' then redis.call('DEL', KEYS[1]) end " \
    "if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) end return 1"


def tell_master(target, *words):
    def tell():
        try:
            target.server(0).call(*words)
        except (OSError, RedisError):
            return False
        return True

    wait_until("the master takes %s" % words[0], tell)


def wrong_type(target, pause, _random):
    tell_master(target, "EVAL", SWAP_AWAY, 2, key(0), "{trail:0}:aside")
    pause()
    tell_master(target, "EVAL", SWAP_BACK, 2, key(0), "{trail:0}:aside")


def failing_saves(target, pause, _random):
    """The snapshot's name is one of a directory: stop-writes-on-bgsave-error."""
    server = target.server(0)
    os.makedirs(os.path.join(server.directory, "directory"), exist_ok=True)

    def saves(word):
        """A replica may be fed by another child just now."""
        try:
            server.call("BGSAVE")
        except RedisError:
            return False
        wait_until("the save ends", lambda: server.info("persistence", "rdb_bgsave_in_progress") == "0")
        return server.info("persistence", "rdb_last_bgsave_status") == word

    server.call("CONFIG", "SET", "save", "100000 1000000000")
    server.call("CONFIG", "SET", "dbfilename", "directory")
    wait_until("a save fails", lambda: saves("err"))
    pause()
    server.call("CONFIG", "SET", "dbfilename", "dump.rdb")
    wait_until("a save succeeds", lambda: saves("ok"))
    server.call("CONFIG", "SET", "save", "")


SERVER_FAULTS = {"redis stopped": stop, "redis out of memory": fill_memory, "wrong type": wrong_type,
                 "failing saves": failing_saves}
KINDS_OF_REDIS = {"unix": Single, "tcp": Single, "sentinel": WithSentinels, "cluster": WithCluster}


def make(lab, over, seed, mean_bytes):
    return KINDS_OF_REDIS[over](lab, seed, over, mean_bytes)
