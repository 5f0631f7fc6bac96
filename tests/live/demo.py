"""demo.py - plays the transactions and shows what comes of them; scripts/demo runs it."""
import os
import subprocess
import sys
import time

import transactions
from auth_messages import CLIENT, Messages
from dns_lab import Nsd
from expected import choose
from lab import STREAM_KEY, Lab, run_test, wait_until, write
from smtp_client import Client

WATCH_LAG_SECONDS = 0.2


def say(text=""):
    print(text, flush=True)


def run(lab, *words):
    """Runs a command and shows it with its output."""
    say("$ " + " ".join("'%s'" % word if any(byte in "{ $<>*" for byte in word) else word for word in words))
    subprocess.run([lab.program("smtptrail")] + list(words[1:]) if words[0] == "smtptrail" else words,
                   check=False, timeout=60, stdin=subprocess.DEVNULL)
    say()


def start_watch(lab):
    """Follows the stream from its begin, live, on our own output."""
    return subprocess.Popen([lab.program("smtptrail"), "watch", "--config", lab.path("smtptrail.conf"),
                             "--from-id", "0"], stdin=subprocess.DEVNULL)


def play(lab):
    chosen = transactions.of_mta(lab.mta)
    for number, transaction in enumerate(chosen, 1):
        say("-- %d of %d, %s: %s" % (number, len(chosen), transaction.__name__.replace("_", " "),
                                     transactions.words(transaction)))
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


def ask_why(lab, row, dns):
    """One of them, asked from the shell."""
    say("-- why: %s" % row.words)
    path = lab.path("message.eml")
    with open(path, "wb") as file:
        file.write(row.message.bytes)
    run(lab, "smtptrail", "check-auth", "--client", CLIENT, "--helo", row.helo, "--from", row.sender, "--dns", dns, path)


def show_state(lab):
    say("-- how the milter is (smtptrail status)")
    wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0)
    time.sleep(0.5)
    run(lab, "smtptrail", "status", "--config", lab.path("smtptrail.conf"))
    say("-- the last record as it stands in Redis; XREAD BLOCK 0 STREAMS ... $ would wait for the next one")
    run(lab, "redis-cli", "-s", lab.redis_socket, "--no-raw", "XREVRANGE", STREAM_KEY, "+", "-", "COUNT", "1")


def ask_after(lab, messages):
    """What became of it all: records and the MTA's log in a store, and the questions that people ask."""
    conf, page = lab.path("smtptrail.conf"), os.environ.get("SMTPTRAIL_DEMO_PAGE") or lab.path("page.html")
    say("-- records and the MTA's log, joined in a store (smtptrail ingest)")
    run(lab, "smtptrail", "ingest", "--config", conf, "--redis", "--log", lab.mail_log)
    say("-- what many of them say together (smtptrail report)")
    run(lab, "smtptrail", "report", "summary", "rejects", "authentication", "--config", conf)
    say("-- what deserves a look (smtptrail audit)")
    run(lab, "smtptrail", "audit", "dmarc", "spf", "dkim", "--config", conf)
    say("-- one of them from connect to its end (smtptrail trace)")
    run(lab, "smtptrail", "trace", "<rejected-beside-good@example.com>", "--config", conf)
    say("-- why it ended so, and what to do next (smtptrail explain)")
    row = next(row for row in messages.rows if row.name == "dkim-unaligned")
    run(lab, "smtptrail", "explain", "from:" + row.sender, "dmarc:fail", "--config", conf)
    say("-- the page, for a browser (smtptrail report --html)")
    run(lab, "smtptrail", "report", "--html", page, "--config", conf)
    say("   %d bytes in %s" % (os.path.getsize(page), page))
    say()


KEPT = """\
-- it goes on running; to reach it, each line as it stands:
   mail          {enter}swaks or any SMTP client to 127.0.0.1 port {port} (users: joe, ann, bob @lab.test)
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
   README.md            how to register the milter in your own MTA"""


def main():
    keep = "--keep" in sys.argv[1:]
    mta = sys.argv[sys.argv.index("--mta") + 1] if "--mta" in sys.argv else "postfix"
    choose(mta)
    messages = Messages()
    with Lab(keep=keep) as lab:
        say("demo: starting a private DNS server, Redis, smtptrail-milter and %s in %s" % (
            mta.capitalize(), lab.directory))
        dns = start_dns(lab, messages.zone)
        lab.start(mta, auth="yes", dns_servers=[dns])
        write(lab.path("smtptrail.conf"), 'redis_address = "unix:%s"\nstatus_file = "%s"\nstore = "%s"\nown_domains = { "lab.test" }\n' % (
            lab.redis_socket, lab.status_file, lab.path("store")))
        say("demo: %s listens on 127.0.0.1:%d%s; what follows is printed by smtptrail watch, live" % (
            mta.capitalize(), lab.port, " of its own network" if lab.sendmail else ""))
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
        ask_why(lab, next(row for row in messages.rows if row.name == "dkim-unaligned"), dns)
        show_state(lab)
        ask_after(lab, messages)
        say((KEPT if keep else NEXT).format(
            port=lab.port, enter="nsenter -t %d -n " % lab.sendmail.pid if lab.sendmail else "", smtptrail=lab.program("smtptrail"), conf=lab.path("smtptrail.conf"),
            redis=lab.redis_socket, key=STREAM_KEY, mail_log=lab.mail_log, milter_conf=lab.config_file,
            demo=os.environ.get("SMTPTRAIL_DEMO", "scripts/demo"), directory=lab.directory))
    return 0


if __name__ == "__main__":
    run_test(main)
