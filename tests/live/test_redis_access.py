#!/usr/bin/python3
"""test_redis_access.py - Redis by TLS, through stunnel, and by users with the least rights (conf/*.example).

Arguments: names of cases; without any, all.
"""
import os
import shutil
import subprocess
import time

from cases import case, run_cases
from lab import STREAM_KEY, Lab, Missing, RedisError, check, free_ports, run_test, wait_until, write
from milter_load import run_load
from redis_sets import NODE, Cluster, Node, Sentinels

PATIENCE = 60
CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf")


def openssl(*words):
    if not shutil.which("openssl"):
        raise Missing("openssl is not installed")
    subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=PATIENCE)


def make_certificates(lab, name):
    """A CA, and a certificate of it for this name: NAME.crt, NAME.key beside ca.crt."""
    folder = lab.path("tls")
    os.makedirs(folder, exist_ok=True)
    path = folder + "/%s"
    if not os.path.exists(path % "ca.crt"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab CA",
                "-keyout", path % "ca.key", "-out", path % "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab", "-keyout", path % (name + ".key"),
            "-out", path % (name + ".csr"))
    kind = "IP" if name[0].isdigit() else "DNS"
    write(path % (name + ".ext"), "subjectAltName = %s:%s\n" % (kind, name))
    openssl("x509", "-req", "-in", path % (name + ".csr"), "-CA", path % "ca.crt", "-CAkey", path % "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", path % (name + ".ext"), "-out", path % (name + ".crt"))
    return path


def tls_words(path, name, port, clients):
    return (*NODE, "tls-port %d" % port, "tls-cert-file " + path % (name + ".crt"),
            "tls-key-file " + path % (name + ".key"), "tls-ca-cert-file " + path % "ca.crt", "tls-auth-clients " + clients)


def wait_state(lab, state):
    wait_until("the shipper is in state " + state, lambda: lab.status()["redis_state"] == state, PATIENCE)


def wait_shipped(lab):
    wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0 and
               lab.status()["redis_state"] == "shipping", PATIENCE)


def closes(node):
    return sum(each["stage"] == "close" for each in node.records(STREAM_KEY))


def has_tls(lab):
    done = subprocess.run([lab.program("smtptrail-milter"), "-c", lab.config_file, "--check"], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    return "this build can speak TLS" in done.stdout


@case
def redis_by_tls():
    with Lab() as lab:
        path = make_certificates(lab, "127.0.0.1")
        make_certificates(lab, "other.example")
        port, tls_port = free_ports(2)
        address = "tls:127.0.0.1:%d" % tls_port
        node = Node(lab, port, *tls_words(path, "127.0.0.1", tls_port, "yes"))
        lab.write_config(redis_address="tcp:127.0.0.1:%d" % port)
        if not has_tls(lab):
            raise Missing("built without TLS")
        own = {"redis_tls_certificate_file": path % "other.example.crt", "redis_tls_key_file": path % "other.example.key"}
        lab.start_milter(redis_address=address, redis_tls_ca_file=path % "ca.crt", **own)
        run_load(lab, 4, sessions=400, messages=2)
        wait_until("all come", lambda: closes(node) == 400, PATIENCE)
        lab.end("milter")
        for what, words, options in (
                ("a certificate of nobody known", "is not good", own),
                ("no certificate of our own", "certificate required", {"redis_tls_ca_file": path % "ca.crt"}),
                ("a CA file that is not there", "cannot use the CA file", {"redis_tls_ca_file": "/nonexistent", **own})):
            lab.start_milter(redis_address=address, **options)
            wait_until(what + " is said", lambda: words in lab.status()["last_error"], PATIENCE)
            lab.end("milter")
        # The server may have ended the connection before all of a slow machine's handshake was sent.
        write(lab.path("slow.conf"), 'redis_address = "%s"\nredis_tls_ca_file = "%s"\n' % (address, path % "ca.crt"))
        no_leaks = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}	# that is done by ptrace, too
        said = subprocess.run(["strace", "-f", "-o", lab.path("strace"), "-e", "inject=sendto:delay_enter=200000",
                               lab.program("smtptrail"), "doctor", "--config", lab.path("slow.conf")], check=False, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=no_leaks,
                              timeout=PATIENCE).stdout
        check("certificate required" in said, "what the server said before it ended is told: " + said)
        node.kill()
        node = Node(lab, port, *tls_words(path, "other.example", tls_port, "no"))
        lab.start_milter(redis_address=address, redis_tls_ca_file=path % "ca.crt")
        wait_state(lab, "operator")
        check("the certificate of '127.0.0.1' is not good: IP address mismatch" in lab.status()["last_error"],
              "the wrong name is said: " + lab.status()["last_error"])
        lab.end("milter")
        lab.start_milter(redis_address=address.replace("127.0.0.1", "localhost"), redis_tls_ca_file=path % "ca.crt")
        wait_state(lab, "operator")
        check("hostname mismatch" in lab.status()["last_error"], "as it is of a name: " + lab.status()["last_error"])
        lab.end("milter")
        # To a port without TLS, and to one that says nothing.
        lab.start_milter(redis_address="tls:127.0.0.1:%d" % port, redis_tls_ca_file=path % "ca.crt")
        wait_until("it fails", lambda: lab.status()["redis_state"] in ("waiting", "operator"), PATIENCE)


@case
def a_cluster_by_tls():
    with Lab() as lab:
        path = make_certificates(lab, "127.0.0.1")
        port, tls_port, bus = free_ports(3)
        node = Node(lab, port, *tls_words(path, "127.0.0.1", tls_port, "no"), "cluster-enabled yes", "tls-cluster yes",
                    "cluster-port %d" % bus)
        node.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until("the cluster is well", lambda: "cluster_state:ok" in node.call("CLUSTER", "INFO"), PATIENCE)
        lab.write_config()
        if not has_tls(lab):
            raise Missing("built without TLS")
        lab.start_milter(redis_address="cluster+tls:127.0.0.1:%d" % tls_port, redis_tls_ca_file=path % "ca.crt")
        run_load(lab, 1, sessions=20)
        wait_until("all come", lambda: closes(node) == 20, PATIENCE)


@case
def redis_through_stunnel():
    with Lab() as lab:
        if not shutil.which("stunnel"):
            raise Missing("stunnel is not installed: apt-get install stunnel4")
        path = make_certificates(lab, "localhost")
        port, tls_port, accept = free_ports(3)
        node = Node(lab, port, *tls_words(path, "localhost", tls_port, "no"))
        with open(os.path.join(CONF, "stunnel-redis.conf.example"), encoding="utf-8") as file:
            text = file.read()
        for old, new in (("127.0.0.1:6380", "127.0.0.1:%d" % accept), ("redis.example.com:6379", "127.0.0.1:%d" % tls_port),
                         ("redis.example.com", "localhost"), ("/etc/ssl/certs/ca-certificates.crt", path % "ca.crt")):
            check(old in text, "the example has " + old)
            text = text.replace(old, new)
        write(lab.path("stunnel.conf"), text)
        lab.spawn("stunnel", ["stunnel", lab.path("stunnel.conf")])
        lab.start_milter(redis_address="tcp:127.0.0.1:%d" % accept)
        run_load(lab, 1, sessions=20)
        wait_until("records come through it", lambda: closes(node) == 20, PATIENCE)
        # stunnel accepts all the same.
        node.kill()
        run_load(lab, 1, sessions=20, first=21)
        wait_state(lab, "waiting")
        check(lab.status()["backlog_records"] > 0, "what is not taken waits")
        node.start()
        wait_until("all came again", lambda: closes(node) == 40, PATIENCE)


def users():
    """The rights of each user in the example."""
    with open(os.path.join(CONF, "redis-acl.example"), encoding="utf-8") as file:
        lines = [line.split() for line in file if line.startswith("user ")]
    return {words[1]: {"password": next(word[1:] for word in words if word[0] == ">"),
                       "rights": [word[1:] for word in words if word[0] == "+"]} for words in lines}


def start_with_users(lab, *more):
    port, = free_ports(1)
    with open(os.path.join(CONF, "redis-acl.example"), encoding="utf-8") as file:
        return Node(lab, port, *NODE, *more, *file.read().splitlines())


def write_options(path, options):
    write(path, "".join('%s = "%s"\n' % item for item in options.items()))


def login(lab, name):
    write(lab.path(name + ".password"), users()[name]["password"] + "\n")
    return {"redis_user": name, "redis_password_file": lab.path(name + ".password")}


def deny(node, user, right):
    node.call("ACL", "SETUSER", user, "-" + right)
    node.call("SCRIPT", "FLUSH")
    node.call("CLIENT", "KILL", "USER", user)


ALONE = {"ping", "get", "set", "type", "xadd", "eval", "evalsha"}
TRIM = {"time", "xlen", "xtrim", "xrange", "xinfo", "xpending", "incrby"}	# without them no record is stopped
ROUTES = {"role", "cluster|slots", "asking"}	# sentinels, cluster


@case
def each_right_of_the_milter_is_needed_and_no_more():
    with Lab() as lab:
        node = start_with_users(lab)
        lab.start_milter(redis_address="unix:" + node.socket, **login(lab, "smtptrail"))
        sessions = 0
        check(set(users()["smtptrail"]["rights"]) == ALONE | TRIM | ROUTES, "the rights are known")
        for right in sorted(ALONE) + [None]:
            if right:
                deny(node, "smtptrail", right)
            run_load(lab, 1, sessions=3, first=sessions + 1)
            sessions += 3
            if right:
                wait_state(lab, "operator")
                said = lab.status()["last_error"]
                check("'%s'" % right in said or "can't run this command" in said, "without %s: %s" % (right, said))
                node.call("ACL", "SETUSER", "smtptrail", "+" + right)
            wait_until("each session came, after %s" % right, lambda: closes(node) >= sessions, PATIENCE)
            wait_shipped(lab)
            check(closes(node) == sessions, "each session came once, after %s" % right)
        for words in (("DEL", STREAM_KEY), ("FLUSHALL",), ("CONFIG", "GET", "*"),
                      ("SET", "other", "x"), ("XTRIM", "other", "MAXLEN", 0), ("KEYS", "*")):
            check_refused(node, "smtptrail", words)


def milter_log(lab):
    with open(lab.path("milter.log"), encoding="utf-8", errors="backslashreplace") as file:
        return file.read()


@case
def without_a_right_to_trim_records_go_in_all_the_same_and_the_log_says_why():
    with Lab() as lab:
        node = start_with_users(lab)
        options = {"redis_address": "unix:" + node.socket, "stream_max_length": 100, "stream_max_age": "1h", **login(lab, "smtptrail")}
        lab.start_milter(**options)
        sessions = 20
        run_load(lab, 1, sessions=sessions)
        wait_until("they are in", lambda: closes(node) == sessions, PATIENCE)
        # A reader that holds all of it, with one record given out.
        node.call("XGROUP", "CREATE", STREAM_KEY, "slow", "0")
        node.call("XREADGROUP", "GROUP", "slow", "me", "COUNT", 1, "STREAMS", STREAM_KEY, ">")
        lab.end("milter")
        for right in sorted(TRIM - {"incrby"}) + ["incrby"]:
            deny(node, "smtptrail", right)
            before = milter_log(lab).count("cannot trim the stream") + milter_log(lab).count("cannot count what was trimmed")
            lab.start_milter(**options, stream_hard_length=120 if right == "incrby" else 100000)
            run_load(lab, 1, sessions=3, first=sessions + 1)
            sessions += 3
            words = "redis cannot count what was trimmed" if right == "incrby" else "cannot trim the stream"
            wait_until("without %s it says '%s'" % (right, words), lambda: milter_log(lab).count("cannot trim the stream") +
                       milter_log(lab).count("cannot count what was trimmed") > before, PATIENCE)
            said = next(line for line in reversed(milter_log(lab).splitlines()) if words in line)
            check("'%s'" % right in said or "can't run this command" in said, "without %s: %s" % (right, said))
            if right != "incrby":		# with that the hard length trims some of them away
                wait_until("each session came, without %s" % right, lambda: closes(node) >= sessions, PATIENCE)
                check(closes(node) == sessions, "each session came once, without %s" % right)
            node.call("ACL", "SETUSER", "smtptrail", "+" + right)
            lab.end("milter")
        lab.start_milter(**options)
        wait_until("with all of them it trims", lambda: lab.status()["stream_readers"] == 1 and
                   lab.status()["stream_trim_errors"] == 0, PATIENCE)


def check_refused(node, user, words):
    try:
        reply = node.call("ACL", "DRYRUN", user, *words)
    except RedisError as error:
        reply = str(error)
    check(reply != "OK", "%s may not %s" % (user, " ".join(map(str, words))))


def start_with_records(lab):
    """A server that has the users, and the records of three sessions."""
    node = start_with_users(lab)
    lab.start_milter(redis_address="unix:" + node.socket, **login(lab, "smtptrail"))
    run_load(lab, 1, sessions=3)
    wait_until("they are in", lambda: closes(node) == 3, PATIENCE)
    return node


@case
def each_right_of_a_reader_is_needed_and_no_more():
    with Lab() as lab:
        node = start_with_records(lab)
        config = lab.path("watch.conf")
        write_options(config, login(lab, "watcher"))
        rights = ("ping", "time", "type", "xread", "xrange", "xrevrange", "xinfo|stream")
        check(set(users()["watcher"]["rights"]) == set(rights) | ROUTES, "the rights are known")
        for right in (None, *rights):
            if right:
                deny(node, "watcher", right)
            output = lab.path("watch.out")
            with open(output, "wb") as file:
                process = subprocess.Popen([lab.program("smtptrail"), "watch", "--config", config, "--since", "1h", "--redis",
                                            "unix:" + node.socket], stdin=subprocess.DEVNULL, stdout=file, stderr=file)

            def said():
                with open(output, encoding="utf-8", errors="replace") as file:
                    return file.read()
            try:
                wait_until("without %s it says so" % right, lambda: ("NOPERM" in said() and "'%s'" % right in said())
                           if right else said().count(" close ") == 3, PATIENCE)
                # It looks after its place once a second: nothing may be refused there, either.
                if not right:
                    time.sleep(2.5)
                    check("NOPERM" not in said(), "with all of them it is content: " + said())
            finally:
                process.kill()
                process.wait()
            if right:
                node.call("ACL", "SETUSER", "watcher", "+" + right)
        for user in ("watcher", "ingest", "reader"):
            for words in (("XADD", STREAM_KEY, "*", "a", "b"), ("DEL", STREAM_KEY), ("XTRIM", STREAM_KEY, "MAXLEN", 0),
                          ("SET", "{smtptrail:0}:cursor:x", "y"), ("XDEL", STREAM_KEY, "1-1"), ("EVAL", "return 1", 0)):
                check_refused(node, user, words)
        for words in (("XGROUP", "CREATE", STREAM_KEY, "g", "0"), ("XREADGROUP", "GROUP", "g", "c", "STREAMS", STREAM_KEY, ">"),
                      ("XACK", STREAM_KEY, "g", "1-1"), ("XAUTOCLAIM", STREAM_KEY, "g", "c", "0", "0"),
                      ("XINFO", "GROUPS", STREAM_KEY), ("XPENDING", STREAM_KEY, "g")):
            check(node.call("ACL", "DRYRUN", "reader", *words) == "OK", "a reader may " + words[0])
        check_refused(node, "ingest", ("XREADGROUP", "GROUP", "g", "c", "STREAMS", STREAM_KEY, ">"))


def run_verb(lab, config, *words):
    done = subprocess.run([lab.program("smtptrail"), *words, "--config", config], stdin=subprocess.DEVNULL, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
    return done.stdout


@case
def each_right_of_ingest_is_needed_and_no_more():
    with Lab() as lab:
        node = start_with_records(lab)
        config, store = lab.path("ingest.conf"), lab.path("store")
        write_options(config, {"redis_address": "unix:" + node.socket, **login(lab, "ingest")})
        rights = ("ping", "type", "xread", "xrange", "xrevrange", "xinfo|stream", "xinfo|groups", "xgroup|create", "xgroup|setid")
        check(set(users()["ingest"]["rights"]) == set(rights) | ROUTES | {"time"}, "the rights are known")
        said = run_verb(lab, config, "ingest", "--redis", "--store", store)
        check("NOPERM" not in said, "with all of them it is content: " + said)
        for right in rights:
            deny(node, "ingest", right)
            if right == "xrevrange":			# what it begins with
                store = lab.path("another-store")
            elif right == "xgroup|create":
                node.call("XGROUP", "DESTROY", STREAM_KEY, "smtptrail-ingest")
            had = closes(node)
            run_load(lab, 1, sessions=1, first=10)
            wait_until("there is something new to read", lambda: closes(node) > had, PATIENCE)
            said = run_verb(lab, config, "ingest", "--redis", "--store", store)
            check("NOPERM" in said and "'%s'" % right in said, "without %s: %s" % (right, said))
            node.call("ACL", "SETUSER", "ingest", "+" + right)
            said = run_verb(lab, config, "ingest", "--redis", "--store", store)
            check("NOPERM" not in said, "with %s again: %s" % (right, said))


@case
def doctor_needs_no_more_than_a_reader():
    with Lab() as lab:
        node = start_with_records(lab)
        config = lab.path("doctor.conf")
        for user in ("watcher", "ingest", "reader"):
            write_options(config, {"redis_address": "unix:" + node.socket, **login(lab, user)})
            said = run_verb(lab, config, "doctor")
            check("NOPERM" not in said and STREAM_KEY + " holds" in said, "as %s: %s" % (user, said))


def add_users(*nodes):
    with open(os.path.join(CONF, "redis-acl.example"), encoding="utf-8") as file:
        rows = [line.split()[1:] for line in file if line.startswith("user ")]
    for node in nodes:
        for row in rows:
            node.call("ACL", "SETUSER", *row)


def watch_says(lab, address, words):
    """What smtptrail watch says as its user, until it has these words."""
    write_options(lab.path("watch.conf"), login(lab, "watcher"))
    output = lab.path("watch.out")
    with open(output, "wb") as file:
        process = subprocess.Popen([lab.program("smtptrail"), "watch", "--config", lab.path("watch.conf"), "--since", "1h", "--redis",
                                    address], stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def said():
        with open(output, encoding="utf-8", errors="replace") as file:
            return file.read()
    try:
        wait_until("watch says '%s'" % words, lambda: words in said(), PATIENCE)
    finally:
        process.kill()
        process.wait()


@case
def sentinels_need_one_right_more():
    with Lab() as lab:
        redis = Sentinels(lab)
        add_users(redis.master, redis.replica)
        deny(redis.master, "smtptrail", "role")
        lab.start_milter(redis_address=redis.address, **login(lab, "smtptrail"))
        run_load(lab, 1, sessions=3)
        wait_state(lab, "operator")
        check("'role'" in lab.status()["last_error"], "it is said: " + lab.status()["last_error"])
        redis.master.call("ACL", "SETUSER", "smtptrail", "+role")
        wait_until("then all come", lambda: closes(redis.master) == 3, PATIENCE)
        deny(redis.master, "watcher", "role")
        watch_says(lab, redis.address, "'role'")
        redis.master.call("ACL", "SETUSER", "watcher", "+role")
        watch_says(lab, redis.address, " close ")


@case
def a_cluster_needs_two_rights_more():
    with Lab() as lab:
        redis = Cluster(lab, replicas=False)
        add_users(*redis.nodes)
        for node in redis.nodes:
            deny(node, "smtptrail", "cluster|slots")
            deny(node, "watcher", "cluster|slots")
        lab.start_milter(redis_address=redis.address, **login(lab, "smtptrail"))
        run_load(lab, 1, sessions=3)
        wait_state(lab, "operator")
        check("cluster|slots" in lab.status()["last_error"], "it is said: " + lab.status()["last_error"])
        watch_says(lab, redis.address, "cluster|slots")
        for node in redis.nodes:
            node.call("ACL", "SETUSER", "smtptrail", "+cluster|slots", "-asking")
            node.call("ACL", "SETUSER", "watcher", "+cluster|slots", "-asking")
        source = redis.owner(STREAM_KEY)
        wait_until("then all come", lambda: closes(source) == 3, PATIENCE)
        target = next(node for node in redis.nodes if node is not source)
        slot = source.call("CLUSTER", "KEYSLOT", STREAM_KEY)
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.call("CLUSTER", "MYID"))
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target.call("CLUSTER", "MYID"))
        wait_shipped(lab)
        for each in source.call("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.call("MIGRATE", "127.0.0.1", target.port, each, 0, 10000)
        run_load(lab, 1, sessions=3, first=4)
        wait_state(lab, "operator")
        check("'asking'" in lab.status()["last_error"], "it is said: " + lab.status()["last_error"])
        watch_says(lab, redis.address, "'asking'")
        for user in ("smtptrail", "watcher"):
            target.call("ACL", "SETUSER", user, "+asking")

        def all_came():
            entries = target.asking("XRANGE", STREAM_KEY, "-", "+")
            return sum(fields[1] == "close" for _, fields in entries) == 6
        wait_until("all came", all_came, PATIENCE)
        watch_says(lab, redis.address, " close ")


if __name__ == "__main__":
    run_test(run_cases)
