"""sendmail_lab.py - a private Sendmail for the lab, in a network, file system and host name of its own.

The packages are unpacked, never installed (scripts/lib/packages.sh), since Sendmail and Postfix exclude each other.
Sendmail asks the system for its name, its users and its resolver, and logs to /dev/log: so it runs in namespaces
(unshare) where /etc and /dev are small directories of the lab, whose /dev/log is a socket that we write a file from.
The network there is a loopback of its own that also has the addresses of CLIENTS: a client "from 192.0.2.7" is one.

Environment: SMTPTRAIL_SENDMAIL_ROOT (unpacked packages; default: /var/cache/smtptrail's).
"""
import ctypes
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

from lab import (DOMAIN, HOST_NAME, MESSAGE_SIZE_LIMIT, SASL_PASSWORD, SASL_USER, TRUSTED_ISSUER, USERS, Missing,
                 make_certificate, wait_until, write)

PORT = 25			# of its own network
SERVER_ADDRESS, SERVER_ADDRESS_6 = "192.0.2.1", "2001:db8::1"
# Addresses that clients come from, and the names they resolve to; without one they have none.
CLIENTS = {"192.0.2.7": "ok.example", "198.51.100.9": "stranger.example", "2001:db8::7": ""}
LOG_TAG, SUBMIT_TAG = "sm-mta", "sm-msp"
SUBMIT_ID = 900			# of smmsp, user and group
CLONE_NEWNET = 0x40000000
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# What Sendmail, its resolver and its TLS read there, beside what we write.
SYSTEM_FILES = ("services", "protocols", "ld.so.cache", "localtime", "ssl/openssl.cnf")

# Runs a command where Sendmail lives: first by unshare, later by nsenter.
ENTER = """\
#!/bin/sh -e
hostname {host}
mount --bind {directory}/etc /etc
for device in {devices}; do
	mount --bind /dev/$device {directory}/dev/$device
done
mount --rbind {directory}/dev /dev
ip link set lo up
for address in {addresses}; do
	ip addr add $address dev lo
done
exec "$@"
"""

# The local mailer and that of all other mail: what they take is gone.
DELIVER = "#!/bin/sh\nexec cat >/dev/null\n"

SENDMAIL_MC = """\
divert(0)dnl
VERSIONID(`smtptrail lab')
OSTYPE(`gnu')dnl
define(`confPID_FILE', `{directory}/sendmail.pid')dnl
define(`QUEUE_DIR', `{directory}/queue')dnl
define(`ALIAS_FILE', `{directory}/conf/aliases')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `{directory}/conf/helpfile')dnl
define(`confSERVICE_SWITCH_FILE', `{directory}/conf/service.switch')dnl
define(`confCW_FILE', `-o {directory}/conf/local-host-names')dnl
define(`confDOMAIN_NAME', `{host}')dnl
define(`confTO_IDENT', `0')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,MapInUnsafeDirPath,TrustStickyBit,GroupReadableKeyFile')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confMAX_MESSAGE_SIZE', `{size_limit}')dnl
define(`confMAX_HEADERS_LENGTH', `{size_limit}')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confDELAY_LA', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
define(`confTRY_NULL_MX_LIST', `True')dnl
define(`confCACERT', `{directory}/conf/ca.pem')dnl
define(`confCACERT_PATH', `{directory}/conf')dnl
define(`confSERVER_CERT', `{directory}/conf/cert.pem')dnl
define(`confSERVER_KEY', `{directory}/conf/key.pem')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN CRAM-MD5')dnl
TRUST_AUTH_MECH(`PLAIN LOGIN CRAM-MD5')dnl
define(`confAUTH_REALM', `{host}')dnl
define(`LOCAL_MAILER_PATH', `{directory}/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`access_db', `hash -o -T<TMPF> {directory}/conf/access')dnl
FEATURE(`blocklist_recipients')dnl
DAEMON_OPTIONS(`Name=MTA-v4, Family=inet, Addr=0.0.0.0, Port={port}')dnl
DAEMON_OPTIONS(`Name=MTA-v6, Family=inet6, Addr={address6}, Port={port}')dnl
{defines}
MAILER(`local')dnl
MAILER(`smtp')dnl
MAILER_DEFINITIONS
Mdiscard,	P={directory}/deliver, F=sDFMmu7:|/@, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, T=DNS/RFC822/SMTP, A=deliver $u
LOCAL_CONFIG
Cw{domain}
LOCAL_NET_CONFIG
R$* < @ $* > $*		$#discard $@ $2 $: $1 < @ $2 > $3
"""

# What the command sendmail uses: it hands its mail to the daemon, by SMTP.
SUBMIT_MC = """\
divert(0)dnl
VERSIONID(`smtptrail lab, submission')
OSTYPE(`gnu')dnl
define(`__OSTYPE__', `')dnl
define(`MSP_QUEUE_DIR', `{directory}/client')dnl
define(`confPID_FILE', `{directory}/client.pid')dnl
define(`STATUS_FILE', `')dnl
define(`confSERVICE_SWITCH_FILE', `{directory}/conf/service.switch')dnl
define(`confDOMAIN_NAME', `{host}')dnl
define(`confTO_IDENT', `0')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,TrustStickyBit')dnl
FEATURE(`msp', `[127.0.0.1]', `{port}')dnl
"""

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf", "sendmail.mc.example")

ACCESS = """\
To:rejected@{domain}	ERROR:5.7.1:550 not at this hour
To:later@{domain}	ERROR:4.2.0:450 come back later
"""


def write_script(path, text):
    write(path, text)
    os.chmod(path, 0o755)


def milter_lines(socket_path):
    """What our own example says of the milter, with the lab's socket."""
    with open(EXAMPLE, encoding="utf-8") as file:
        lines = [line for line in file if line.strip() and not line.startswith("dnl")]
    return re.sub(r"S=inet:[^,]+", "S=unix:" + socket_path, "".join(lines))


def find_root():
    """Where the packages were unpacked; None: nowhere."""
    root = os.environ.get("SMTPTRAIL_SENDMAIL_ROOT", "")
    if root:
        return root
    unpacked = sorted(glob.glob("/var/cache/smtptrail/sendmail-*"))
    return unpacked[-1] if unpacked else None


class Sendmail:
    """Started and ended by a lab, of which it uses path, spawn and the address of the milter."""

    def __init__(self, lab):
        self.lab = lab
        self.directory = lab.path("sendmail")
        self.root = find_root()
        self.config = self.path("conf", "sendmail.cf")
        self.pid = None

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def start(self, defines=None, aliases="", mailertable=""):
        """defines: lines of sendmail.mc instead of the milter's ({directory} is ours); aliases: further ones."""
        self._check_possible()
        self._make_directories()
        self._make_system_files()
        self._make_secrets()
        self._make_config(milter_lines(self.lab.milter_socket) if defines is None else defines, aliases, mailertable)
        self.lab.spawn("syslog", [sys.executable, os.path.abspath(__file__), "syslog", self.path("dev", "log"),
                                  self.lab.mail_log, HOST_NAME.partition(".")[0]])
        wait_until("the lab's syslog listens", lambda: os.path.exists(self.path("dev", "log")))
        self.pid = self.lab.spawn("sendmail", self.unshare("-bD", "-q1h"), env=self.environment()).pid
        wait_until("Sendmail listens", lambda: self.lab.check_alive("sendmail") and self._listens())

    def _check_possible(self):
        if not self.root:
            raise Missing("no unpacked Sendmail in /var/cache/smtptrail (scripts/check and scripts/demo unpack one)")
        for program in ("unshare", "nsenter", "ip", "m4", "openssl", "saslpasswd2"):
            if not shutil.which(program):
                raise Missing("%s is not installed" % program)
        done = subprocess.run(["unshare", "-u", "-m", "-n", "true"], stderr=subprocess.PIPE, check=False, timeout=30)
        if done.returncode:
            raise Missing("no namespaces of our own: " + done.stderr.decode("utf-8", "replace").strip())

    def _make_directories(self):
        for name in ("conf", "etc/sasl2", "etc/ssl", "dev", "queue", "client"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path("queue"), 0o700)
        os.chmod(self.path("client"), 0o770)
        os.chown(self.path("client"), SUBMIT_ID, SUBMIT_ID)
        os.makedirs(os.path.dirname(self.lab.mail_log), exist_ok=True)
        addresses = " ".join("%s/%d" % (each, 128 if ":" in each else 32)
                             for each in (SERVER_ADDRESS, SERVER_ADDRESS_6, *CLIENTS))
        write_script(self.path("enter"), ENTER.format(host=HOST_NAME, directory=self.directory, addresses=addresses,
                                               devices=" ".join(DEVICES)))
        write_script(self.path("deliver"), DELIVER)
        for device in DEVICES:
            write(self.path("dev", device), "")

    def _make_system_files(self):
        hosts = {"127.0.0.1": HOST_NAME + " localhost", "::1": HOST_NAME + " localhost",
                 SERVER_ADDRESS: HOST_NAME, SERVER_ADDRESS_6: HOST_NAME, **CLIENTS}
        write(self.path("etc", "hosts"), "".join("%s %s\n" % each for each in hosts.items() if each[1]))
        write(self.path("etc", "nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\nservices: files\n")
        write(self.path("etc", "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        people = "".join("%s:x:%d:100::/:/bin/sh\n" % (name, 2000 + number)
                         for number, name in enumerate(USERS) if name.isalpha())
        write(self.path("etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\nmail:x:8:8::/:/bin/sh\n"
              "smmsp:x:%d:%d::/:/bin/sh\n" % (SUBMIT_ID, SUBMIT_ID) + people)
        write(self.path("etc", "group"), "root:x:0:\nmail:x:8:\nsmmsp:x:%d:\nusers:x:100:\n" % SUBMIT_ID)
        for name in SYSTEM_FILES:
            if os.path.exists("/etc/" + name):
                shutil.copy("/etc/" + name, self.path("etc", name))

    def environment(self):
        multiarch = glob.glob(self.root + "/usr/lib/*-linux-gnu*")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
        if multiarch:
            environment["LD_LIBRARY_PATH"] = ":".join(multiarch)
        return environment

    def _make_secrets(self):
        database = self.path("conf", "sasldb2")
        write(self.path("etc", "sasl2", "Sendmail.conf"),
              "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: %s\nmech_list: PLAIN LOGIN CRAM-MD5\n" % database)
        user, _, realm = SASL_USER.partition("@")
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", database, "-u", realm, user],
                       input=SASL_PASSWORD.encode(), check=True, timeout=30)
        os.chmod(database, 0o600)
        make_certificate(self.path("conf", "cert.pem"), self.path("conf", "key.pem"), "/CN=" + HOST_NAME)
        make_certificate(self.path("conf", "ca.pem"), self.path("conf", "ca-key.pem"), TRUSTED_ISSUER)
        os.chmod(self.path("conf", "key.pem"), 0o600)

    def _make_config(self, defines, aliases, mailertable):
        write(self.path("conf", "helpfile"), "#vers\t2\nsmtp\tno help\n")
        write(self.path("conf", "service.switch"), "hosts files\naliases files\npasswd files\n")
        write(self.path("conf", "aliases"), "postmaster: root\nMAILER-DAEMON: root\n" + "".join(
            "%s: joe\n" % name for name in USERS if not name.isalpha()) + aliases)
        macros = self.root + "/usr/share/sendmail/cf/"
        for name, text in (("sendmail", SENDMAIL_MC), ("submit", SUBMIT_MC)):
            source = self.path("conf", name + ".mc")
            write(source, text.format(directory=self.directory, host=HOST_NAME, domain=DOMAIN, port=PORT,
                                      address6=SERVER_ADDRESS_6, size_limit=MESSAGE_SIZE_LIMIT, defines=defines.replace("{directory}", self.directory)))
            done = subprocess.run(["m4", "-D_CF_DIR_=" + macros, macros + "m4/cf.m4", source], check=True,
                                  stdout=subprocess.PIPE, timeout=30, encoding="utf-8")
            write(self.path("conf", name + ".cf"), done.stdout)
        self._make_map("access", ACCESS.format(domain=DOMAIN))
        self._make_map("mailertable", mailertable)
        subprocess.run(self.unshare("-bi"), check=True, env=self.environment(), stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=30)

    def _make_map(self, name, text):
        subprocess.run(self.program("makemap", "-C", self.config, "hash", self.path("conf", name)), input=text.encode(),
                       env=self.environment(), check=True, stderr=subprocess.DEVNULL, timeout=30)

    def program(self, name, *words):
        return [self.root + "/usr/libexec/sendmail/" + name, *words]

    def command(self, *words):
        return self.program("sendmail", "-C", self.config, "-L", LOG_TAG, *words)

    def unshare(self, *words):
        """sendmail with these words in namespaces that are made for it."""
        return ["unshare", "-u", "-m", "-n", self.path("enter"), *self.command(*words)]

    def submit(self, *words, data=b""):
        """The command sendmail as a user has it."""
        return self._enter(self.program("sendmail", "-C", self.path("conf", "submit.cf"), "-Ac", "-L", SUBMIT_TAG, *words), data)

    def run(self, *words):
        """The daemon's own program with these words: a queue run, its list ..."""
        return self._enter(self.command(*words), b"")

    def _enter(self, command, data):
        """Runs it where the daemon lives; gives its exit status and output."""
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-u", "-m", "-n", *command],
                              env=self.environment(), input=data, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        return done.returncode, done.stdout.decode("utf-8", "backslashreplace")

    def _listens(self):
        """Both its daemons, asked of the kernel: a connection would be a session of the milter."""
        listening = "0A"
        ports = []
        for name in ("tcp", "tcp6"):
            with open("/proc/%d/net/%s" % (self.pid, name), encoding="ascii") as file:
                ports += [row.split()[1].rpartition(":")[2] for row in file if row.split()[3] == listening]
        return ports.count("%04X" % PORT) == 2

    def connect(self, address="127.0.0.1", port=0):
        """A connection from an address of its network: from outside to the server's outer address."""
        to = SERVER_ADDRESS_6 if ":" in address else "127.0.0.1" if address == "127.0.0.1" else SERVER_ADDRESS
        return call_in_network(self.pid, lambda: socket.create_connection((to, PORT), 20, (address, port)))


def call_in_network(pid, function):
    """A thread of its own enters the network of that process, so that only its sockets are there."""
    result = []

    def run():
        try:
            with open("/proc/%d/ns/net" % pid, "rb") as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(function())
        except BaseException as error:		# for the caller, who waits
            result.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def write_syslog(path, log_path, host):
    """What a syslog daemon does: datagrams of /dev/log as lines of a file, with the name of the host."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(path)
    os.chmod(path, 0o666)
    with open(log_path, "ab", buffering=0) as file:
        while True:
            text = re.sub(rb"^<\d+>", b"", server.recv(65536)).rstrip(b"\0\n")
            text = re.sub(rb"[\0-\37]", lambda byte: b"#%03o" % byte[0][0], text)
            file.write(text[:16] + host.encode() + b" " + text[16:] + b"\n")


if __name__ == "__main__" and sys.argv[1:2] == ["syslog"]:
    write_syslog(*sys.argv[2:5])
