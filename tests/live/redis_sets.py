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
READING, CUTS_MAX = ("INFO", "XLEN", "XRANGE"), 5
START_SECONDS = 180		# of a server with much to load, on a busy machine


class Node:
    """One redis-server (or sentinel), by its port; known to others by the one that is announced."""

    def __init__(self, lab, port, *words, sentinel=False, announced=None, source=None):
        if not shutil.which("redis-server"):
            raise Missing("redis-server is not installed: apt-get install redis-server")
        self.lab, self.port, self.name = lab, port, "redis-%d" % port
        self.announced, self.source, self.bus_port = announced or port, source, port
        self.is_frozen = False
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
        self.is_frozen = False
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
        """What only reads is asked again where the connection was cut: a sentinel that changes a role cuts them all."""
        for _ in range(CUTS_MAX if words[0] in READING else 0):
            try:
                return self._ask(words, timeout)
            except ConnectionRefusedError:
                raise
            except ConnectionError:
                pass
        return self._ask(words, timeout)

    def _ask(self, words, timeout):
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
        self.is_frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def is_running(self):
        return self.process.poll() is None and not self.is_frozen

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
# For whom nobody is dead, and for whom one is who says nothing for so long. A machine that stands still for a while must
# bring no fail-over, so the first holds but for the time of one that is wanted.
NEVER_MS, SOON_MS = 600000, 1500


class Sentinels:
    """A master, a replica that has all of it, and three sentinels. They take nobody for dead, but between let_fail_over()
    and hold_still()."""

    def __init__(self, lab, line=None):
        ports = free_ports(5)
        self.line = line
        self.master = self._node(lab, 1, ports[0])
        self.replica = self._node(lab, 2, ports[1], "replicaof 127.0.0.1 %d" % self.master.announced)
        wait_until("the replica follows", lambda: self.replica.info("replication", "master_link_status") == "up")
        self.sentinels = [self._sentinel(lab, number, ports[2 + number]) for number in range(3)]
        self.address = "sentinel:%s/%s" % (",".join("127.0.0.1:%d" % each.announced for each in self.sentinels), SENTINEL_NAME)
        wait_until("the sentinels know each other and the replica", lambda: all(self._knows(each) for each in self.sentinels))

    def _node(self, lab, number, port, *words):
        if not self.line:
            return Node(lab, port, *NODE, *words)
        announced, source = self.line(port), "127.0.1.%d" % number
        return Node(lab, port, *NODE, "bind-source-addr " + source, "replica-announce-ip 127.0.0.1",
                    "replica-announce-port %d" % announced, *words, announced=announced, source=source)

    def _sentinel(self, lab, number, port):
        words = ["sentinel monitor %s 127.0.0.1 %d 2" % (SENTINEL_NAME, self.master.announced),
                 "sentinel down-after-milliseconds %s %d" % (SENTINEL_NAME, NEVER_MS),
                 "sentinel failover-timeout %s 5000" % SENTINEL_NAME]
        if not self.line:
            return self._calm(Node(lab, port, *words, sentinel=True))
        announced, source = self.line(port), "127.0.1.%d" % (11 + number)
        words += ["bind-source-addr " + source, "sentinel announce-ip 127.0.0.1", "sentinel announce-port %d" % announced]
        return self._calm(Node(lab, port, *words, sentinel=True, announced=announced, source=source))

    @staticmethod
    def _calm(sentinel):
        """One that stood still for two seconds would do nothing for half a minute ("tilt"), and longer where that comes
        again. Before Redis 7.0 nobody could tell it not to."""
        try:
            sentinel.call("SENTINEL", "DEBUG", "tilt-trigger", NEVER_MS)
        except RedisError:
            pass
        return sentinel

    @staticmethod
    def _knows(sentinel):
        reply = sentinel.call("SENTINEL", "MASTER", SENTINEL_NAME)
        facts = dict(zip(reply[::2], reply[1::2]))
        return facts["num-other-sentinels"] == "2" and facts["num-slaves"] == "1"

    def down_after(self, milliseconds):
        """From now on they take for dead who says nothing for so long."""
        for sentinel in self.sentinels:
            sentinel.call("SENTINEL", "SET", SENTINEL_NAME, "down-after-milliseconds", milliseconds)

    def named(self):
        """The port that most sentinels name, or None."""
        ports = [int(each.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SENTINEL_NAME)[1]) for each in self.sentinels]
        return next((port for port in ports if 2 * ports.count(port) > len(ports)), None)

    def let_fail_over(self):
        """The master is dead: the sentinels may notice. They take no replica that lost it long before they did, as one
        does that was frozen, or a machine that stood still just then; told anew whom it follows, it knows of no such time."""
        for port in (1, self.master.announced):
            self.replica.call("REPLICAOF", "127.0.0.1", port)
        self.down_after(SOON_MS)

    def hold_still(self):
        self.down_after(NEVER_MS)

    def wait_promoted(self):
        """The master says nothing any more."""
        self.let_fail_over()
        wait_until("the replica is the master", lambda: self.named() == self.replica.announced and
                   self.replica.info("replication", "role") == "master")
        self.hold_still()


BAD_FLAGS = {"fail", "fail?", "handshake", "noaddr"}


class View:
    """A cluster as one of its nodes sees it."""

    def __init__(self, node):
        self.rows = [line.split(" ") for line in node.call("CLUSTER", "NODES").splitlines()]
        self.is_ok = "cluster_state:ok" in node.call("CLUSTER", "INFO")

    def knows(self, node):
        return any(row[1].partition("@")[0].endswith(":%d" % node.announced) and "handshake" not in row[2] for row in self.rows)

    def roles(self):
        """All that nodes must agree on: the masters with their slots, and who follows whom."""
        return sorted((row[0], row[3], *(row[8:] if row[3] == "-" else ())) for row in self.rows)

    def is_well(self, count):
        """Each of so many is known, lives and is linked to it; and no slot is on its way."""
        return self.is_ok and len(self.rows) == count and \
            all(row[7] == "connected" and not BAD_FLAGS & set(row[2].split(",")) for row in self.rows) and \
            not any(slots.startswith("[") for row in self.rows for slots in row[8:])


class Cluster:
    """Three masters, each with a third of the slots, and a replica of each. Nodes take nobody for dead, and no replica
    takes a master's place by itself, but between let_fail_over() and hold_still()."""

    def __init__(self, lab, replicas=True, line=None):
        count = 6 if replicas else 3
        ports = free_ports(2 * count)
        ports, buses = ports[:count], ports[count:]
        self.nodes = [self._node(lab, number + 1, ports[number], buses[number], line) for number in range(count)]
        self.masters = self.nodes[:3]
        for i, node in enumerate(self.masters):
            node.call("CLUSTER", "ADDSLOTSRANGE", i * 16384 // 3, (i + 1) * 16384 // 3 - 1)
        wait_until("all nodes know each other", self._meet, pause=0.2)
        for master, replica in zip(self.masters, self.nodes[3:]):
            wait_until("it knows its master", lambda r=replica, m=master: self._replicate(r, m), pause=0.1)
        self.hold_still()
        self.address = "cluster:" + ",".join("127.0.0.1:%d" % each.announced for each in self.masters)

    @staticmethod
    def _node(lab, number, port, bus, line):
        words = (*NODE, "cluster-enabled yes", "cluster-port %d" % bus, "cluster-node-timeout %d" % SOON_MS,
                 "cluster-replica-validity-factor 0", "cluster-replica-no-failover yes")
        if line:
            announced, source, announced_bus = line(port), "127.0.1.%d" % number, line(bus)
            node = Node(lab, port, *words, "bind-source-addr " + source, "cluster-announce-ip 127.0.0.1",
                        "cluster-announce-port %d" % announced, "cluster-announce-bus-port %d" % announced_bus,
                        announced=announced, source=source)
        else:
            node, announced_bus = Node(lab, port, *words), bus
        node.bus_port, node.bus = bus, announced_bus
        return node

    def _meet(self):
        """A greeting that is not answered in time is forgotten: whoever does not know the first node, or is not known to
        it, greets it again. Of the others they hear from it."""
        first = self.nodes[0]
        views = [View(node) for node in self.nodes]
        for node, view in zip(self.nodes[1:], views[1:]):
            if not (view.knows(first) and views[0].knows(node)):
                node.call("CLUSTER", "MEET", "127.0.0.1", first.announced, first.bus)
        return all(view.knows(node) for view in views for node in self.nodes)

    @staticmethod
    def _replicate(replica, master):
        try:
            replica.call("CLUSTER", "REPLICATE", master.call("CLUSTER", "MYID"))
        except RedisError:
            return False
        return True

    def is_whole(self):
        """All nodes see the same, nobody is missed by any, and each replica follows its master."""
        try:
            views = [View(node) for node in self.nodes]
            return all(view.is_well(len(self.nodes)) and view.roles() == views[0].roles() for view in views) and \
                all(node.info("replication", "role") == "master" or node.info("replication", "master_link_status") == "up"
                    for node in self.nodes)
        except (OSError, RedisError):
            return False

    def _set(self, **settings):
        for node in self.nodes:
            for name, value in settings.items():
                if node.is_running():
                    node.call("CONFIG", "SET", "cluster-" + name.replace("_", "-"), value)

    def let_fail_over(self, replica=None):
        """From now on nodes notice who says nothing, and the replica, or any, takes its dead master's place, however old
        its data is: on a slow machine the votes for it may come late."""
        self._set(node_timeout=SOON_MS)
        for node in [replica] if replica else self.nodes:
            if node.is_running():
                node.call("CONFIG", "SET", "cluster-replica-no-failover", "no")

    def _is_still(self):
        """Whom one took for dead just before would be dead for long."""
        if not self.is_whole():
            return False
        self._set(replica_no_failover="yes", node_timeout=NEVER_MS)
        if self.is_whole():
            return True
        self._set(node_timeout=SOON_MS)
        return False

    def hold_still(self):
        wait_until("the cluster is whole", self._is_still, pause=0.1)

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
