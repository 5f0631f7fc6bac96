"""demo.py - plays the transactions and shows what comes of them; scripts/demo runs it."""
import os
import subprocess
import sys
import time

import transactions
from auth_messages import CLIENT, Messages
from dns_lab import Nsd
from lab import STREAM_KEY, Lab, run_test, wait_until, write
from smtp_client import Client

WATCH_LAG_SECONDS = 0.2


def say(text=""):
    print(text, flush=True)


def run(lab, *words):
    """Runs a command and shows it with its output."""
    say("$ " + " ".join("'%s'" % word if any(byte in "{ $" for byte in word) else word for word in words))
    subprocess.run([lab.program("smtptrail")] + list(words[1:]) if words[0] == "smtptrail" else words,
                   check=False, timeout=60, stdin=subprocess.DEVNULL)
    say()


def start_watch(lab):
    """Follows the stream from its begin, live, on our own output."""
    return subprocess.Popen([lab.program("smtptrail"), "watch", "--config", lab.path("smtptrail.conf"),
                             "--from-id", "0"], stdin=subprocess.DEVNULL)


def play(lab):
    for number, transaction in enumerate(transactions.TRANSACTIONS, 1):
        say("-- %d of %d, %s: %s" % (number, len(transactions.TRANSACTIONS),
                                     transaction.__name__.replace("_", " "), transactions.words(transaction)))
        mark = lab.last_id()
        played = transaction(lab)
        lab.wait_closes(len(played.sessions), mark)
        time.sleep(WATCH_LAG_SECONDS)		# what watch prints belongs below its heading
        say()


def start_dns(lab, zone):
    """A process of the lab, so that --keep keeps it."""
    os.makedirs(lab.path("dns"))
    nsd = Nsd(zone, directory=lab.path("dns"))
    nsd.process = lab.spawn("dns", nsd.command)
    nsd.wait()
    return nsd.address


def send(lab, row):
    mark = lab.last_id()
    with Client(lab, "ADDR=%s NAME=[UNAVAILABLE]" % CLIENT) as client:
        client.say("EHLO " + row.helo)
        client.mail(row.sender, ["joe@lab.test"], row.message)
        client.quit()
    return lab.wait_records("a verdict", lambda seen: any(each["stage"] == "verdict" for each in seen), mark)


def play_authentication(lab, messages):
    """Each message with its verdict: what it is about, and what was found."""
    names = ("spf", "dkim", "dmarc", "why", "disposition", "skipped")
    verdicts = []
    for number, row in enumerate(messages.rows, 1):
        say("-- authentication %d of %d: %s" % (number, len(messages.rows), row.words))
        verdicts += [each for each in send(lab, row) if each["stage"] == "verdict"]
        time.sleep(WATCH_LAG_SECONDS)
        say()
    return ["   %-16s %s" % (row.name, "  ".join("%s=%s" % (name, each[name]) for name in names if name in each))
            for row, each in zip(messages.rows, verdicts)]


def show_state(lab):
    say("-- how the milter is (smtptrail status)")
    wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0)
    time.sleep(0.5)
    run(lab, "smtptrail", "status", "--config", lab.path("smtptrail.conf"))
    say("-- the last record as it stands in Redis; XREAD BLOCK 0 STREAMS ... $ would wait for the next one")
    run(lab, "redis-cli", "-s", lab.redis_socket, "--no-raw", "XREVRANGE", STREAM_KEY, "+", "-", "COUNT", "1")


KEPT = """\
-- it goes on running; to reach it, each line as it stands:
   mail          swaks or any SMTP client to 127.0.0.1 port {port} (users: joe, ann, bob @lab.test)
   live records  {smtptrail} watch --config {conf}
   status        {smtptrail} status --config {conf}
   peek          redis-cli -s {redis} --no-raw XREAD BLOCK 0 STREAMS '{key}' '$'
   mail log      {mail_log}
   milter        {milter_conf}
-- to stop it and remove all of it:
   {demo} --stop {directory}"""

NEXT = """\
-- what to try next:
   {demo} --keep        leaves all this running, so that you can send mail and watch
   {smtptrail} --help   the verbs; "{smtptrail} fields" lists every field of a record
   README.md            how to register the milter in your own Postfix"""


def main():
    keep = "--keep" in sys.argv[1:]
    messages = Messages()
    with Lab(keep=keep) as lab:
        say("demo: starting a private DNS server, Redis, smtptrail-milter and Postfix in %s" % lab.directory)
        lab.start(auth="yes", dns_servers=[start_dns(lab, messages.zone)])
        write(lab.path("smtptrail.conf"), 'redis_address = "unix:%s"\nstatus_file = "%s"\n' % (
            lab.redis_socket, lab.status_file))
        say("demo: Postfix listens on 127.0.0.1:%d; what follows is printed by smtptrail watch, live" % lab.port)
        say()
        watch = start_watch(lab)
        time.sleep(WATCH_LAG_SECONDS)
        say()
        try:
            play(lab)
            verdicts = play_authentication(lab, messages)
        finally:
            watch.terminate()
            watch.wait(10)
        say("-- the verdicts: what a DMARC policy asks for is recorded, never acted upon")
        say("\n".join(verdicts) + "\n")
        show_state(lab)
        say((KEPT if keep else NEXT).format(
            port=lab.port, smtptrail=lab.program("smtptrail"), conf=lab.path("smtptrail.conf"),
            redis=lab.redis_socket, key=STREAM_KEY, mail_log=lab.mail_log, milter_conf=lab.config_file,
            demo=os.environ.get("SMTPTRAIL_DEMO", "scripts/demo"), directory=lab.directory))
    return 0


if __name__ == "__main__":
    run_test(main)
