#!/usr/bin/python3
"""test_queue.py - what waits in Postfix' queue, since when and why: asked of a real postqueue, reconciled with what the log told.

One mail is deferred by its next hop, one held by a rule, one delivered. Truth is what the server says itself: its own list,
and the time at which the client was told "queued as".
"""
import json
import os
import subprocess
import time

from lab import Lab, LabError, run_test, wait_until
from mail_routes import Sink
from smtp_client import Client, Message

OVERRIDES = {
    "syslog_name": "postfix", "smtpd_milters": "", "non_smtpd_milters": "", "default_transport": "smtp", "smtp_tls_security_level": "none",
    "smtp_address_preference": "ipv4", "smtp_connection_cache_on_demand": "no", "minimal_backoff_time": "3000s",
    "smtpd_recipient_restrictions": "check_recipient_access inline:{ { held@sink.test = HOLD for a look } }",
}


class Moody(Sink):
    """Takes all mail once it is told to."""

    is_open = False

    def answer_to(self, recipient):
        return "250 2.1.5 Ok" if self.is_open else super().answer_to(recipient)


class Queue:
    def __init__(self, lab):
        self.lab, self.failed = lab, []
        self.conf = lab.path("postfix", "conf")
        self.store = lab.path("store")

    def check(self, what, got, wanted):
        if got != wanted:
            self.failed.append(what)
            print("FAILED %s: %r, wanted %r" % (what, got, wanted))
        else:
            print("ok     %s" % what)

    def program(self, *words, status=0, **environment):
        """The queue is that of the instance whose configuration MAIL_CONFIG names."""
        settings = {**self.lab.state["postfix"]["environment"], "MAIL_CONFIG": self.conf, "TZ": "UTC", **environment}
        done = subprocess.run([os.path.join(self.lab.build, "smtptrail"), *words], env=settings, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=60)
        if done.returncode != status:
            raise LabError("%r gave %d: %s" % (words, done.returncode, done.stderr.decode()))
        self.errors = done.stderr.decode()
        return done.stdout.decode()

    def ingest(self, *words, store=None, **environment):
        return json.loads(self.program("ingest", "--json", "--store", store or self.store, *words, **environment))["ingest"]

    def rows(self, query, store=None, status=0):
        said = json.loads(self.program("search", "--json", "--columns", "time,queue_id,to,fate,queue,reply,tries,incomplete", query,
                                       "--store", store or self.store, status=status))
        rows = said["tables"]["transactions"]["rows"]
        found = {row.get("to"): row for row in rows}
        if len(found) != len(rows):
            self.check("each recipient once", rows, list(found.values()))
        return found

    def list(self):
        lines = self.lab.postfix_program("postqueue", "-j")[1].splitlines()
        return {entry["queue_id"]: entry for entry in map(json.loads, (line for line in lines if line.startswith("{")))}

    def is_logged(self, words):
        return any(words in line for line in self.lab.log_lines())


def send(lab, name, recipient):
    with Client(lab) as client:
        client.say("EHLO client.example")
        client.say("MAIL FROM:<ann@example.com>")
        client.say("RCPT TO:<%s>" % recipient)
        told = client.data(Message(name))
        client.quit()
    return told.rpartition(" ")[2]


def host_of(lab):
    """As the log calls it."""
    return lab.log_lines()[0].split()[3]


def look_at_what_waits(queue, ids):
    lab = queue.lab
    listed = queue.list()
    queue.check("the server lists what waits", {each["queue_name"] for each in listed.values()}, {"deferred", "hold"})
    counts = queue.ingest("--log", lab.mail_log, "--queue")
    queue.check("postqueue was run, and its list understood", (counts["queued"], counts["queue_bad"]), (2, 0))
    rows = queue.rows("from:ann@example.com")
    queue.check("fates", {to: row["fate"] for to, row in rows.items()},
                {"later@sink.test": "deferred", "held@sink.test": "held", "ok@sink.test": "delivered"})
    queue.check("queues", {to: row.get("queue") for to, row in rows.items()},
                {"later@sink.test": "deferred", "held@sink.test": "hold", "ok@sink.test": None})
    said = json.loads(queue.program("report", "queue", "--json", "--store", queue.store))["tables"]["queue"]["rows"]
    by_id = {row["queue_id"]: row for row in said}
    queue.check("the report lists the same", set(by_id), set(listed))
    for queue_id, entry in listed.items():
        row = by_id[queue_id]
        since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry["arrival_time"]))
        # The list has whole seconds, the log's own begin may be the one before.
        queue.check("%s since when" % row["to"], abs(seconds_of(row["since"]) - entry["arrival_time"]) <= 1 or (row["since"], since), True)
        queue.check("%s: size" % row["to"], row["size"], entry["message_size"])
    reason = listed[ids["later"]]["recipients"][0]["delay_reason"]
    queue.check("why, in the server's words", by_id[ids["later"]]["reply"], reason)
    story = queue.program("trace", ids["later"], "--store", queue.store)
    queue.check("the story says it waits", "later@sink.test>: deferred" in story and "come back" in story, True)
    story = queue.program("trace", ids["held"], "--store", queue.store)
    queue.check("the story says it is held", "held@sink.test>: held" in story, True)


def seconds_of(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def look_without_a_log(queue, ids):
    """A queue is enough to say what waits."""
    store = queue.lab.path("store-of-the-queue")
    counts = queue.ingest("--queue", store=store)
    queue.check("without a log", (counts["queued"], counts["lines"]), (2, 0))
    rows = queue.rows("queue:*", store=store)
    queue.check("without a log: what waits", {to: (row["queue_id"], row["fate"]) for to, row in rows.items()},
                {"later@sink.test": (ids["later"], "deferred"), "held@sink.test": (ids["held"], "held")})
    queue.check("without a log: why", "come back" in rows["later@sink.test"]["reply"], True)
    # The log that is found later is of the same messages.
    queue.ingest("--log", queue.lab.mail_log, store=store)
    rows = queue.rows("from:ann@example.com", store=store)
    queue.check("the log comes later", {to: (row["queue_id"], row["fate"]) for to, row in rows.items()},
                {"later@sink.test": (ids["later"], "deferred"), "held@sink.test": (ids["held"], "held"),
                 "ok@sink.test": (ids["ok"], "delivered")})


def look_at_an_instance(queue):
    """Lines of one instance have its syslog_name; so says whoever gives its queue."""
    lab, log = queue.lab, queue.lab.path("instance.log")
    with open(log, "w", encoding="utf-8") as file:
        file.write("".join(line.replace(" postfix/", " postfix-out/") + "\n" for line in lab.log_lines()))
    store = lab.path("store-of-the-instance")
    # The directory says which instance it is, whatever MAIL_CONFIG says.
    counts = queue.ingest("--log", log, "--queue=" + queue.conf, "--queue-host", host_of(lab) + "/postfix-out", store=store,
                          MAIL_CONFIG=lab.path("nowhere"))
    rows = queue.rows("from:ann@example.com", store=store)
    queue.check("of an instance", (counts["queued"], sorted((to, row["fate"], row.get("queue")) for to, row in rows.items())),
                (2, [("held@sink.test", "held", "hold"), ("later@sink.test", "deferred", "deferred"), ("ok@sink.test", "delivered", None)]))


def look_at_failures(queue):
    counts = queue.ingest("--queue", store=queue.lab.path("store-of-nothing"), MAIL_CONFIG=queue.lab.path("nowhere"))
    queue.check("a postqueue that fails is counted and said", (counts["queue_bad"], "cannot read the queue" in queue.errors), (1, True))


def deliver(queue, sink, ids):
    lab = queue.lab
    sink.is_open = True
    lab.postfix_program("postsuper", "-H", "ALL")
    lab.postfix_program("postqueue", "-f")
    wait_until("delivery", lambda: not queue.list() and all(queue.is_logged(each + ": removed") for each in ids.values()))
    counts = queue.ingest("--log", lab.mail_log, "--queue")
    queue.check("nothing waits any more", counts["queued"], 0)
    rows = queue.rows("from:ann@example.com")
    queue.check("all are delivered", {to: row["fate"] for to, row in rows.items()},
                dict.fromkeys(("later@sink.test", "held@sink.test", "ok@sink.test"), "delivered"))
    queue.check("by a second try", rows["later@sink.test"]["tries"], 2)
    said = json.loads(queue.program("report", "queue", "--json", "--store", queue.store, status=1))
    queue.check("the report is empty", said["tables"]["queue"]["rows"], [])


def lose(queue, sink):
    """What leaves the queue where no log tells of it: nobody says that it was delivered."""
    lab = queue.lab
    sink.is_open = False
    queue_id = send(lab, "lost", "later2@sink.test")
    wait_until("a deferral", lambda: queue_id in queue.list() and queue.list()[queue_id]["queue_name"] == "deferred" and
               queue.is_logged("later2@sink.test"))
    before = lab.path("queue.json")
    queue.ingest("--log", lab.mail_log, "--queue")
    lab.postfix_program("postsuper", "-d", queue_id)
    with open(before, "w", encoding="utf-8") as file:
        file.write(lab.postfix_program("postqueue", "-j")[1])
    # Of now it might be that the log is behind.
    os.utime(before, (time.time() + 90,) * 2)
    counts = queue.ingest("--queue=" + before)
    row = queue.rows("to:later2@sink.test")["later2@sink.test"]
    queue.check("what left unseen", (counts["queued"], row["fate"], row.get("incomplete")), (0, "deferred", "end"))


def main():
    begin = time.monotonic()
    with Lab() as lab:
        sink = Moody()
        sink.start()
        lab.start_postfix(transport_maps="inline:{ { sink.test = smtp:[127.0.0.1]:%d } }" % sink.port, **OVERRIDES)
        queue = Queue(lab)
        ids = {name: send(lab, name, name + "@sink.test") for name in ("ok", "later", "held")}
        wait_until("one delivery, one deferral, one hold", lambda: queue.is_logged(ids["ok"] + ": removed") and
                   sorted(each["queue_name"] for each in queue.list().values()) == ["deferred", "hold"])
        look_at_what_waits(queue, ids)
        look_without_a_log(queue, ids)
        look_at_an_instance(queue)
        look_at_failures(queue)
        deliver(queue, sink, ids)
        lose(queue, sink)
    print("| %.0f s" % (time.monotonic() - begin))
    return 1 if queue.failed else 0


if __name__ == "__main__":
    run_test(main)
