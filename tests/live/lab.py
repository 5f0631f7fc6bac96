#!/usr/bin/python3
"""lab.py - a private Redis, Postfix or Sendmail, and smtptrail-milter in a temporary directory.

Live tests and the demo use it as "with Lab() as lab:"; everything it started is taken down, by
process id, when the block ends, by an exception, SIGINT or SIGTERM too. Only loopback and ports
that were free; no file or service of the system's own Postfix or Redis is touched. Every wait is
bounded: it raises LabError with what was waited for.

"lab.py stop DIRECTORY" takes down a lab that was left running (scripts/demo --keep).

Environment: SMTPTRAIL_BUILD or top_builddir (where the programs are; default: here),
SMTPTRAIL_POSTFIX_ROOT (an unpacked Postfix; default: the system's, then /var/cache/smtptrail's);
sendmail_lab.py has more.
"""
import glob
import grp
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from ports import free_ports

SKIPPED = 77			# exit status of a test whose server is missing
WAIT_SECONDS = 120		# for anything that normally takes far less than one: a machine may be very busy
STREAM_KEY = "{smtptrail:0}:records"
HOST_NAME = "mx.lab.test"
DOMAIN = "lab.test"		# recipients here: those of USERS, and two that the access map rejects
USERS = ("joe", "ann", "bob", "list", '"quoted local"')
SASL_USER, SASL_PASSWORD = "joe@" + HOST_NAME, "secret"
MESSAGE_SIZE_LIMIT = 300000


def config_text(options):
    """Options as a configuration file has them; those that are None are left out."""
    return "".join("%s = %s\n" % (name, "{ %s }" % ", ".join('"%s"' % item for item in value)
                                  if isinstance(value, (list, tuple)) else '"%s"' % value)
                   for name, value in options.items() if value is not None)


class LabError(Exception):
    """Something did not come up, or did not happen in time."""


class Missing(LabError):
    """A server or program that the lab needs is not installed."""


def check(condition, what):
    if not condition:
        raise LabError("not so: " + what)


def reason_of(error, width=400):
    """An exception in one line."""
    text = " ".join(str(error).split())
    return (text if isinstance(error, LabError) else "%s: %s" % (type(error).__name__, text))[:width]


def wait_until(what, condition, seconds=WAIT_SECONDS, pause=0.02):
    """Asks condition() until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise LabError("waited %g s in vain: %s" % (seconds, what))
        time.sleep(pause)


def open_folder():
    """A folder for temporary directories that Postfix' other users can reach, too."""
    folder = os.path.abspath(tempfile.gettempdir())
    parents = [folder[:end] or "/" for end in range(len(folder) + 1) if folder[end:end + 1] in ("/", "")]
    return folder if all(os.stat(each).st_mode & 0o001 for each in parents) else "/tmp"


def process_fields(pid):
    """/proc/PID/stat from the state on; None: the process is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields


def process_birth(pid):
    """When a live process began, in the kernel's ticks; None: gone. A reused number differs."""
    fields = process_fields(pid)
    return int(fields[19]) if fields else None


def session_members(leader):
    """The live processes that a process of the lab began, each with its birth; itself too, if it lives."""
    members = []
    for path in glob.glob("/proc/[0-9]*"):
        pid = int(os.path.basename(path))
        fields = process_fields(pid)
        if fields and int(fields[3]) == leader:
            members.append((pid, int(fields[19])))
    return members


class RedisError(Exception):
    """An error reply."""


class Redis:
    """A tiny RESP client: call(word, ...) gives str, int, None or list."""

    def __init__(self, path, timeout=WAIT_SECONDS):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def call(self, *words):
        encoded = [str(word).encode("utf-8", "surrogateescape") for word in words]
        self.socket.sendall(b"*%d\r\n" % len(encoded) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, text = line[:1], line[1:-2].decode("utf-8", "surrogateescape")
        if kind == b"+":
            return text
        if kind == b"-":
            raise RedisError(text)
        if kind == b":":
            return int(text)
        length = int(text)
        if length < 0:
            return None
        if kind == b"*":
            return [self._reply() for _ in range(length)]
        return self.file.read(length + 2)[:-2].decode("utf-8", "surrogateescape")


class PostfixFiles:
    """Where Postfix' programs are, and whom its processes run as."""

    def __init__(self):
        self.root = os.environ.get("SMTPTRAIL_POSTFIX_ROOT", "")
        if not self.root and not os.path.exists("/usr/lib/postfix/sbin/master"):
            unpacked = sorted(glob.glob("/var/cache/smtptrail/postfix-*"))
            if not unpacked:
                raise Missing("Postfix is not installed: apt-get install postfix")
            self.root = unpacked[-1]
        self.commands = self.root + "/usr/sbin"
        self.daemons = self.root + "/usr/lib/postfix/sbin"
        self.libraries = self.root + "/usr/lib/postfix"
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
        if self.root:
            multiarch = glob.glob(self.root + "/usr/lib/*-linux-gnu*")
            self.environment["LD_LIBRARY_PATH"] = ":".join([self.libraries] + multiarch)
        self.owner, self.group = self._accounts()

    def _accounts(self):
        """Without the package there is neither postfix nor postdrop: any two system accounts that
        share no number with another one serve as well in a private instance."""
        owners = [user.pw_name for user in pwd.getpwall()]
        groups = [group.gr_name for group in grp.getgrall()]
        if not self.root or ("postfix" in owners and "postdrop" in groups):
            return "postfix", "postdrop"
        owner = next((name for name in ("uucp", "news", "lp", "games") if name in owners), None)
        group = next((name for name in ("irc", "list", "man", "src") if name in groups), None)
        if not owner or not group:
            raise Missing("no system account to run the unpacked Postfix as")
        return owner, group


MAIN_CF = """\
compatibility_level = 3.6
config_directory = {conf}
queue_directory = {spool}
data_directory = {data}
command_directory = {files.commands}
daemon_directory = {files.daemons}
meta_directory = {conf}
shlib_directory = {files.libraries}
sendmail_path = {files.commands}/sendmail
mailq_path = {files.commands}/sendmail
newaliases_path = {files.commands}/sendmail
html_directory = no
manpage_directory = /usr/share/man
sample_directory = {conf}
readme_directory = no
mail_owner = {files.owner}
setgid_group = {files.group}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH
export_environment = TZ MAIL_CONFIG LANG LD_LIBRARY_PATH
maillog_file = {log}
maillog_file_prefixes = {directory}
syslog_name = postfix-lab
multi_instance_enable = no
myhostname = {host}
mydestination = {domain}
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = all
disable_dns_lookups = yes
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_recipient_maps = inline:{{ {users} }}
local_transport = discard:
default_transport = discard:
relay_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{ rejected@{domain} = 550 5.7.1 not at this hour }},
    {{ later@{domain} = 450 4.2.0 come back later }} }}
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_client_port_logging = yes
enable_long_queue_ids = yes
message_size_limit = {size_limit}
smtpd_delay_reject = yes
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = {conf}/cert.pem
smtpd_tls_key_file = {conf}/key.pem
smtpd_tls_session_cache_database =
smtpd_tls_CAfile = {conf}/ca.pem
smtpd_tls_ask_ccert = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
cyrus_sasl_config_path = {conf}/sasl
smtpd_sasl_local_domain = {host}
smtpd_milters = {{ unix:{milter_socket}, default_action=accept, connect_timeout=2s, command_timeout=2s, content_timeout=5s }}
non_smtpd_milters = $smtpd_milters
milter_default_action = accept
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# What "postfix start" makes in its queue directory; the package's own list also names files of the system.
QUEUE_DIRECTORIES = "$queue_directory:d:root:-:755:uc\n" + "".join(
    "$queue_directory/%s:d:$mail_owner:%s:uc\n" % entry for entry in (
        ("active", "-:700"), ("bounce", "-:700"), ("corrupt", "-:700"), ("defer", "-:700"), ("deferred", "-:700"),
        ("flush", "-:700"), ("hold", "-:700"), ("incoming", "-:700"), ("private", "-:700"), ("saved", "-:700"),
        ("trace", "-:700"), ("maildrop", "$setgid_group:730"), ("public", "$setgid_group:710"))
) + "$queue_directory/pid:d:root:-:755:uc\n"

# A message begins: smtpd or pickup of Postfix; Sendmail's from=, at its end.
QUEUE_ID_LINES = {
    "postfix": r"postfix-lab/(?:smtpd|pickup)\[\d+\]: ([0-9A-Za-z]+): (?:client|uid)=",
    "sendmail": r"sm-mta\[\d+\]: ([0-9A-Za-z]+): from=",
}

SASL_CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {conf}/sasldb2
mech_list: PLAIN LOGIN CRAM-MD5
"""


class Lab:
    """See the head of this file. start() brings up all three; each can also be had alone."""

    def __init__(self, keep=False):
        self.directory = tempfile.mkdtemp(prefix="smtptrail-lab-", dir=open_folder())
        self.keep = keep
        self.build = os.path.abspath(os.environ.get("SMTPTRAIL_BUILD") or
                                     os.environ.get("top_builddir") or ".")
        self.state = {"processes": [], "front": None, "postfix": None}
        self.children = {}
        self.mta = None				# "postfix" or "sendmail", once it was started
        self.sendmail = None
        self.port = None
        self.redis_socket = self.path("redis", "redis.sock")
        self.milter_socket = self.path("milter", "milter.sock")
        self.status_file = self.path("milter", "status.json")
        self.config_file = self.path("milter", "smtptrail-milter.conf")
        self.mail_log = self.path("postfix", "log", "maillog")
        self.previous_handlers = {}
        os.chmod(self.directory, 0o755)		# Postfix' processes are other users
        self._save()

    def path(self, *names):
        return os.path.join(self.directory, *names)

    # Life of the whole.

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.previous_handlers[number] = signal.signal(number, self._interrupted)
        return self

    @staticmethod
    def _interrupted(number, _frame):
        signal.signal(number, signal.SIG_IGN)	# the second one must not cut the taking down short
        raise SystemExit(128 + number)

    def __exit__(self, kind, _value, _trace):
        if not self.keep or kind:
            for number in self.previous_handlers:
                signal.signal(number, signal.SIG_IGN)
            try:
                if kind and not issubclass(kind, (SystemExit, Missing)):
                    self.show_logs()
            except OSError:
                pass			# whoever reads it is gone
            finally:
                self.close()
        for number, handler in self.previous_handlers.items():
            signal.signal(number, handler)
        return False

    def close(self):
        take_down(self.directory, self.state)
        for child in self.children.values():
            child.wait()

    def show_logs(self, lines=25):
        """What the servers said last, for whoever reads of a failure."""
        for path in sorted(glob.glob(self.path("*.log")) + [self.mail_log]):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="backslashreplace") as file:
                    tail = file.readlines()[-lines:]
                print("--- %s" % path, *(line.rstrip() for line in tail), sep="\n", file=sys.stderr)

    def _save(self):
        with open(self.path("lab.json"), "w", encoding="utf-8") as file:
            json.dump(self.state, file)

    def start(self, mta="postfix", **options):
        self.start_redis()
        self.start_milter(**options)
        if mta == "postfix":
            self.start_postfix()
        else:
            self.start_sendmail()
        return self

    # Processes.

    def spawn(self, name, words, **keywords):
        """Starts a process of the lab in the foreground; its output goes to NAME.log."""
        with open(self.path(name + ".log"), "ab") as log:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True, **keywords)
        self.children[name] = child
        self.adopt(name, child.pid)
        return child

    def adopt(self, name, pid):
        """A process that is to be taken down with the lab."""
        self.state["processes"].append({"name": name, "pid": pid, "birth": process_birth(pid)})
        self._save()

    def end(self, name, number=signal.SIGTERM, seconds=WAIT_SECONDS):
        """Ends a process of the lab and returns its exit status."""
        child = self.children.pop(name)
        if child.poll() is None:
            child.send_signal(number)
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise LabError("%s did not end within %g s of signal %d" % (name, seconds, number)) from None
        self.state["processes"] = [each for each in self.state["processes"] if each["pid"] != child.pid]
        self._save()
        return status

    def check_alive(self, name):
        if self.children[name].poll() is not None:
            self.show_logs()
            raise LabError("%s ended with status %d at its start" % (name, self.children[name].returncode))
        return True

    # Redis.

    def start_redis(self, *more):
        if not shutil.which("redis-server"):
            raise Missing("redis-server is not installed: apt-get install redis-server")
        os.makedirs(self.path("redis"), exist_ok=True)
        self.spawn("redis", ["redis-server", "--port", "0", "--unixsocket", self.redis_socket,
                             "--unixsocketperm", "777", "--dir", self.path("redis"), "--save", "",
                             "--appendonly", "yes", *more])
        wait_until("Redis answers", lambda: self.check_alive("redis") and self._redis_answers())

    def _redis_answers(self):
        try:
            self.redis("PING")
        except RedisError as error:		# NOAUTH and LOADING tell two things
            return not str(error).startswith("LOADING")
        except OSError:
            return False
        return True

    def redis(self, *words, password=None):
        client = Redis(self.redis_socket)
        try:
            if password:
                client.call("AUTH", password)
            return client.call(*words)
        finally:
            client.close()

    def records(self, after="-", key=STREAM_KEY):
        """The entries of the stream behind an id, as dicts; "id" is the entry's."""
        start = after if after == "-" else "(" + after
        entries = self.redis("XRANGE", key, start, "+")
        return [dict(zip(fields[::2], fields[1::2]), id=id) for id, fields in entries]

    def last_id(self):
        entries = self.redis("XREVRANGE", STREAM_KEY, "+", "-", "COUNT", 1)
        return entries[0][0] if entries else "-"

    def wait_records(self, what, condition, after="-", seconds=WAIT_SECONDS):
        """Waits until condition(records) is true and returns those records."""
        seen = []

        def look():
            seen[:] = self.records(after)
            return condition(seen)
        try:
            wait_until(what, look, seconds)
        except LabError as error:
            stages = " ".join("%s/%s" % (each["stage"], each.get("session", "")[-6:]) for each in seen[-40:])
            raise LabError("%s; the stream has: %s" % (error, stages or "nothing")) from None
        return list(seen)

    def wait_closes(self, count, after="-", seconds=WAIT_SECONDS):
        return self.wait_records(
            "%d sessions closed" % count,
            lambda records: sum(each["stage"] == "close" for each in records) >= count, after, seconds)

    # The milter.

    def program(self, name):
        path = os.path.join(self.build, name)
        if not os.access(path, os.X_OK):
            raise LabError("%s is not built (SMTPTRAIL_BUILD=%s)" % (name, self.build))
        return path

    def write_config(self, **options):
        """The milter's configuration: the lab's paths, then what the test wants (None: left out)."""
        if not self.state["front"]:
            self.state["front"] = tempfile.mkdtemp(prefix="smtptrail-lab-", dir="/dev/shm")
            self._save()
        for name in ("milter", "milter/spool"):
            os.makedirs(self.path(name), exist_ok=True)
        values = {"socket": "unix:" + self.milter_socket, "socket_mode": "0666", "user": "",
                  "instance": "lab", "redis_address": "unix:" + self.redis_socket,
                  "front_directory": self.state["front"], "spool_directory": self.path("milter", "spool"),
                  "segment_size": "256K", "front_size": "4M", "spool_size": "64M",
                  "spool_free_percent": 0, "status_file": self.status_file, "status_interval": "200ms",
                  "log": "stderr", "auth": "no"}
        values.update(options)
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write(config_text(values))

    def start_milter(self, **options):
        self.write_config(**options)
        self.spawn_milter()
        self.wait_milter_socket("milter")
        self.wait_status()

    def spawn_milter(self, prefix=()):
        """What an earlier one said of itself must not be read as of this one."""
        if os.path.exists(self.status_file):
            os.unlink(self.status_file)
        self.spawn("milter", [*prefix, self.program("smtptrail-milter"), "-c", self.config_file])

    def wait_status(self):
        wait_until("the milter says how it is", lambda: os.path.exists(self.status_file))

    def wait_milter_socket(self, name):
        def listens():
            self.check_alive(name)
            with socket.socket(socket.AF_UNIX) as each:
                return each.connect_ex(self.milter_socket) == 0
        wait_until("the milter listens", listens)

    def status(self):
        """What "smtptrail status --json" says."""
        return self.status_of(self.status_file)

    def status_of(self, file):
        output = subprocess.run([self.program("smtptrail"), "status", "--json", "--file", file],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                                timeout=WAIT_SECONDS).stdout
        return json.loads(output)

    # Whichever MTA.

    def connect(self, client=None):
        """A connection to the MTA. client: "ADDR=... PORT=...", as XCLIENT has it, for one that fakes it (Sendmail)."""
        if self.mta == "postfix":
            return socket.create_connection(("127.0.0.1", self.port), WAIT_SECONDS)
        wanted = dict(word.split("=", 1) for word in (client or "").split())
        return self.sendmail.connect(wanted.get("ADDR", "127.0.0.1").removeprefix("IPV6:"), int(wanted.get("PORT", 0)))

    def client_certificate(self, kind):
        """Files of a client's certificate and key: "trusted", by an issuer that the MTA knows, or "unknown"."""
        conf = self.path(self.mta, "conf")
        files = conf + "/client-%s.pem" % kind, conf + "/client-%s-key.pem" % kind
        issuer = (conf + "/ca.pem", conf + "/ca-key.pem") if kind == "trusted" else None
        make_certificate(*files, "/O=Client/CN=client.example", issuer)
        return files

    def submit(self, *words, data=b""):
        """The MTA's command sendmail; gives its exit status and output."""
        return self.sendmail.submit(*words, data=data) if self.sendmail else self.postfix_program("sendmail", *words, data=data)

    def queue_ids(self, position=0):
        """Queue ids in the order in which the MTA logged their begin."""
        pattern = re.compile(QUEUE_ID_LINES[self.mta])
        return [found[1] for found in map(pattern.search, self.log_lines(position)) if found]

    def log_position(self):
        return os.path.getsize(self.mail_log)

    def log_lines(self, position=0):
        with open(self.mail_log, "rb") as file:
            file.seek(position)
            return file.read().decode("utf-8", "backslashreplace").splitlines()

    # Sendmail.

    def start_sendmail(self, **options):
        """options: those of Sendmail.start."""
        from sendmail_lab import PORT, Sendmail		# which itself uses this file
        self.mta, self.port = "sendmail", PORT
        self.mail_log = self.path("sendmail", "maillog")
        self.sendmail = Sendmail(self)
        self.sendmail.start(**options)

    # Postfix.

    def start_postfix(self, more_services="", **overrides):
        """Overrides replace or add parameters of main.cf; more_services are further lines of master.cf."""
        if os.geteuid() != 0:
            raise Missing("a private Postfix needs root")
        self.mta = "postfix"
        for program in ("openssl", "saslpasswd2"):
            if not shutil.which(program):
                raise Missing("%s is not installed" % program)
        files = PostfixFiles()
        conf = self._postfix_directories(files)
        settings = MAIN_CF.format(files=files, conf=conf, spool=self.path("postfix", "spool"),
                                  data=self.path("postfix", "data"), log=self.mail_log,
                                  directory=self.directory, host=HOST_NAME, domain=DOMAIN,
                                  users=", ".join("{ %s@%s = ok }" % (user, DOMAIN) for user in USERS),
                                  size_limit=MESSAGE_SIZE_LIMIT, milter_socket=self.milter_socket)
        write(os.path.join(conf, "main.cf"), with_overrides(settings, overrides))
        self._postfix_secrets(files, conf)
        self.state["postfix"] = {"command": [files.commands + "/postfix", "-c", conf],
                                 "environment": files.environment}
        self._save()
        for _ in range(3):			# another program may take the port before Postfix does
            self.port, = free_ports(1)
            write(os.path.join(conf, "master.cf"), MASTER_CF.format(port=self.port) + more_services)
            if self._postfix("start").returncode == 0:	# it listens, too
                return
        self.show_logs()
        raise LabError("Postfix does not start: " + self._postfix("start").stdout)

    def _postfix_directories(self, files):
        for name in ("conf/sasl", "spool", "data", "log"):
            os.makedirs(self.path("postfix", name), exist_ok=True)
        shutil.chown(self.path("postfix", "data"), files.owner)
        os.chmod(self.path("postfix", "data"), 0o700)
        conf = self.path("postfix", "conf")
        write(os.path.join(conf, "postfix-files"), QUEUE_DIRECTORIES)
        write(os.path.join(conf, "dynamicmaps.cf"), "")
        return conf

    @staticmethod
    def _postfix_secrets(files, conf):
        write(os.path.join(conf, "sasl", "smtpd.conf"), SASL_CONF.format(conf=conf))
        database = os.path.join(conf, "sasldb2")
        user, _, realm = SASL_USER.partition("@")
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", database, "-u", realm, user],
                       input=SASL_PASSWORD.encode(), check=True, timeout=WAIT_SECONDS)
        os.chown(database, 0, pwd.getpwnam(files.owner).pw_gid)
        os.chmod(database, 0o640)
        make_certificate(conf + "/cert.pem", conf + "/key.pem", "/CN=" + HOST_NAME)
        make_certificate(conf + "/ca.pem", conf + "/ca-key.pem", TRUSTED_ISSUER)

    def _postfix(self, verb):
        state = self.state["postfix"]
        return subprocess.run([*state["command"], verb], env=state["environment"], text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=WAIT_SECONDS)

    def postfix_program(self, name, *words, data=b""):
        """Runs sendmail, postqueue ... of the private Postfix; gives its exit status and output."""
        command, _, conf = self.state["postfix"]["command"]
        option = "-C" if name == "sendmail" else "-c"
        done = subprocess.run([os.path.join(os.path.dirname(command), name), option, conf, *words],
                              env=self.state["postfix"]["environment"], input=data, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_SECONDS)
        return done.returncode, done.stdout.decode("utf-8", "backslashreplace")


def with_overrides(settings, overrides):
    """main.cf with other values; of one that is set twice each daemon would complain."""
    lines = re.findall(r"^\S.*(?:\n[ \t].*)*", settings, re.M)
    kept = [line for line in lines if line.split(" =", 1)[0] not in overrides]
    return "\n".join(kept + ["%s = %s" % item for item in overrides.items()]) + "\n"


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


TRUSTED_ISSUER = "/O=Lab/CN=Lab, trusted"


def make_certificate(file, key, subject, issuer=None):
    """issuer: its certificate and key; None: it signs itself."""
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", subject]

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, stderr=subprocess.DEVNULL, timeout=WAIT_SECONDS)
    if issuer is None:
        openssl("req", "-x509", *new_key, "-days", "2", "-out", file)
        return
    openssl("req", *new_key, "-out", file + ".request")
    openssl("x509", "-req", "-in", file + ".request", "-CA", issuer[0], "-CAkey", issuer[1], "-set_serial", "1",
            "-days", "2", "-out", file)


# Taking down works from what is written in lab.json, so that another process can do it.

def end_process(pid, birth, seconds=10):
    """SIGTERM, then SIGKILL; True once it is gone. A process of another birth is not ours."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if birth is None or process_birth(pid) != birth:
            return True
        try:
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + seconds
        while process_birth(pid) == birth and time.monotonic() < deadline:
            time.sleep(0.02)
    return process_birth(pid) != birth


def stop_postfix(postfix):
    """"postfix stop" knows by a lock whether its master lives, and kills it after five seconds."""
    try:
        subprocess.run([*postfix["command"], "stop"], env=postfix["environment"], check=False, timeout=30,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        print("postfix stop: %s" % error, file=sys.stderr)


def end_with_children(pid, birth):
    """A process that spawn() began leads a session: what is left of that is ours too."""
    is_ours = process_birth(pid) in (birth, None)
    ended = end_process(pid, birth)
    return all([end_process(*each) for each in session_members(pid)] if is_ours else []) and ended


def take_down(directory, state):
    """Ends what lab.json names, the MTA first and Redis last, and removes the lab's files."""
    if state["postfix"]:
        stop_postfix(state["postfix"])
    left = [each for each in reversed(state["processes"]) if not end_with_children(each["pid"], each["birth"])]
    if left:
        raise LabError("could not end " + ", ".join("%s (%d)" % (each["name"], each["pid"]) for each in left))
    if state["front"]:
        shutil.rmtree(state["front"], ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def run_test(main):
    """Ends the program with main()'s status; with 77 and the reason where a server is missing."""
    try:
        sys.exit(main())
    except Missing as reason:
        print("skipped: %s" % reason)
        sys.exit(SKIPPED)
    except Exception as error:		# the last line says what was wrong
        if not isinstance(error, LabError):
            traceback.print_exc()
        print("FAILED %s" % reason_of(error))
        sys.exit(1)


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "stop":
        print("usage: lab.py stop DIRECTORY", file=sys.stderr)
        return 2
    directory = os.path.abspath(sys.argv[2])
    try:
        with open(os.path.join(directory, "lab.json"), encoding="utf-8") as file:
            state = json.load(file)
    except (OSError, ValueError) as error:
        print("%s is no lab: %s" % (directory, error), file=sys.stderr)
        return 1
    take_down(directory, state)
    print("stopped, and removed %s" % directory)
    return 0


if __name__ == "__main__":
    run_test(main)
