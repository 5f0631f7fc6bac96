"""redis_sets.py - several redis-servers of a lab: a master with replicas and sentinels, or a cluster.

They are processes of the lab and are taken down with it. A node's admin commands go over its unix socket.

line(port) may put something before a port, and gives the port that all others are told of instead; each server
then comes from an address of its own (Node.source), so that it is known there.
"""
import os
import shutil
import signal

from lab import WAIT_SECONDS, LabError, Missing, Redis, RedisError, free_ports, wait_until

SENTINEL_NAME = "trail"
START_SECONDS = 180		# of a server with much to load, on a busy machine


class Node:
    """One redis-server (or sentinel), by its port; known to others by the one that is announced."""

    def __init__(self, lab, port, *words, sentinel=False, announced=None, source=None):
        if not shutil.which("redis-server"):
            raise Missing("redis-server is not installed: apt-get install redis-server")
        self.lab, self.port, self.name = lab, port, "redis-%d" % port
        self.announced, self.source, self.bus_port = announced or port, source, port
        self.directory = lab.path(self.name)
        self.socket = os.path.join(self.directory, "socket")
        self.address = "127.0.0.1:%d" % port
        os.makedirs(self.directory, exist_ok=True)
        config = os.path.join(self.directory, "redis.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write("bind 127.0.0.1\nport %d\nunixsocket %s\ndir %s\n" % (port, self.socket, self.directory))
            file.write("\n".join(words) + "\n")
        self.words = ["redis-server", config] + (["--sentinel"] if sentinel else [])
        self.start()

    def start(self):
        self.process = self.lab.spawn(self.name, self.words)
        wait_until("%s answers" % self.name, self.answers, START_SECONDS)

    def answers(self):
        try:
            self.call("PING")
        except RedisError as error:
            return not str(error).startswith("LOADING")
        except OSError:
            return False
        return True

    def call(self, *words, timeout=WAIT_SECONDS):
        client = Redis(self.socket, timeout)
        try:
            return client.call(*words)
        finally:
            client.close()

    def asking(self, *words):
        client = Redis(self.socket)
        try:
            client.call("ASKING")
            return client.call(*words)
        finally:
            client.close()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.lab.end(self.name, signal.SIGKILL)

    def info(self, section, name):
        for line in self.call("INFO", section).splitlines():
            if line.startswith(name + ":"):
                return line.partition(":")[2]
        return None

    def records(self, key):
        entries = self.call("XRANGE", key, "-", "+")
        return [dict(zip(fields[::2], fields[1::2]), id=id) for id, fields in entries]


NODE = ('save ""', "enable-protected-configs yes", "appendonly no", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1")


class Sentinels:
    """A master, a replica that has all of it, and three sentinels."""

    def __init__(self, lab, down_after_ms=1000, line=None):
        ports = free_ports(5)
        self.line = line
        self.master = self._node(lab, 1, ports[0])
        self.replica = self._node(lab, 2, ports[1], "replicaof 127.0.0.1 %d" % self.master.announced)
        wait_until("the replica follows", lambda: self.replica.info("replication", "master_link_status") == "up")
        self.sentinels = [self._sentinel(lab, number, ports[2 + number], down_after_ms) for number in range(3)]
        self.address = "sentinel:%s/%s" % (",".join("127.0.0.1:%d" % each.announced for each in self.sentinels), SENTINEL_NAME)
        wait_until("the sentinels know each other and the replica", lambda: all(self._knows(each) for each in self.sentinels))

    def _node(self, lab, number, port, *words):
        if not self.line:
            return Node(lab, port, *NODE, *words)
        announced, source = self.line(port), "127.0.1.%d" % number
        return Node(lab, port, *NODE, "bind-source-addr " + source, "replica-announce-ip 127.0.0.1",
                    "replica-announce-port %d" % announced, *words, announced=announced, source=source)

    def _sentinel(self, lab, number, port, down_after_ms):
        words = ["sentinel monitor %s 127.0.0.1 %d 2" % (SENTINEL_NAME, self.master.announced),
                 "sentinel down-after-milliseconds %s %d" % (SENTINEL_NAME, down_after_ms),
                 "sentinel failover-timeout %s 5000" % SENTINEL_NAME]
        if not self.line:
            return Node(lab, port, *words, sentinel=True)
        announced, source = self.line(port), "127.0.1.%d" % (11 + number)
        words += ["bind-source-addr " + source, "sentinel announce-ip 127.0.0.1", "sentinel announce-port %d" % announced]
        return Node(lab, port, *words, sentinel=True, announced=announced, source=source)

    @staticmethod
    def _knows(sentinel):
        reply = sentinel.call("SENTINEL", "MASTER", SENTINEL_NAME)
        facts = dict(zip(reply[::2], reply[1::2]))
        return facts["num-other-sentinels"] == "2" and facts["num-slaves"] == "1"

    def named(self):
        """The port that most sentinels name, or None."""
        ports = [int(each.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SENTINEL_NAME)[1]) for each in self.sentinels]
        return next((port for port in ports if 2 * ports.count(port) > len(ports)), None)

    def wait_promoted(self):
        wait_until("the replica is the master", lambda: self.named() == self.replica.announced and
                   self.replica.info("replication", "role") == "master", 60)


class Cluster:
    """Three masters, each with a third of the slots, and a replica of each."""

    def __init__(self, lab, node_timeout_ms=1500, replicas=True, line=None):
        count = 6 if replicas else 3
        ports = free_ports(2 * count)
        ports, buses = ports[:count], ports[count:]
        self.nodes = [self._node(lab, number + 1, ports[number], buses[number], line,
                                 "cluster-node-timeout %d" % node_timeout_ms) for number in range(count)]
        self.masters = self.nodes[:3]
        for i, node in enumerate(self.masters):
            node.call("CLUSTER", "ADDSLOTSRANGE", i * 16384 // 3, (i + 1) * 16384 // 3 - 1)
        for node in self.nodes[1:]:
            node.call("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].announced, self.nodes[0].bus)
        wait_until("all nodes know each other", lambda: all(
            node.call("CLUSTER", "INFO").count("cluster_known_nodes:%d\r" % len(ports)) for node in self.nodes), 60)
        for master, replica in zip(self.masters, self.nodes[3:]):
            wait_until("it knows its master", lambda r=replica, m=master: self._replicate(r, m), 60)
        wait_until("the cluster is well", lambda: all("cluster_state:ok" in node.call("CLUSTER", "INFO")
                                                      for node in self.nodes), 60)
        for replica in self.nodes[3:]:
            wait_until("the replica follows", lambda r=replica: r.info("replication", "master_link_status") == "up", 60)
        self.address = "cluster:" + ",".join("127.0.0.1:%d" % each.announced for each in self.masters)

    @staticmethod
    def _node(lab, number, port, bus, line, *words):
        words = (*NODE, "cluster-enabled yes", "cluster-port %d" % bus, *words)
        if line:
            announced, source, announced_bus = line(port), "127.0.1.%d" % number, line(bus)
            node = Node(lab, port, *words, "bind-source-addr " + source, "cluster-announce-ip 127.0.0.1",
                        "cluster-announce-port %d" % announced, "cluster-announce-bus-port %d" % announced_bus,
                        announced=announced, source=source)
        else:
            node, announced_bus = Node(lab, port, *words), bus
        node.bus_port, node.bus = bus, announced_bus
        return node

    @staticmethod
    def _replicate(replica, master):
        try:
            replica.call("CLUSTER", "REPLICATE", master.call("CLUSTER", "MYID"))
        except RedisError:
            return False
        return True

    def owner(self, key):
        """The live master that holds the key's slot, by what the nodes themselves say of it."""
        for node in self.nodes:
            if node.process.poll() is not None or node.info("replication", "role") != "master":
                continue
            try:
                node.call("TYPE", key)
                return node
            except RedisError:
                continue
        raise LabError("no node holds %s" % key)
