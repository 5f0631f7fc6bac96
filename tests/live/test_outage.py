#!/usr/bin/python3
"""test_outage.py - the mail flows whatever happens to Redis and to the milter, and nothing is lost in silence.

Arguments: names of cases; without any, all.
"""
import os
import signal
import statistics
import subprocess
import time

from cases import case, run_cases
from expected import sequence_differences
from lab import DOMAIN, STREAM_KEY, Lab, check, run_test, wait_until, write
from smtp_client import Client, Message

JOE = "joe@" + DOMAIN
SENDER = "ann@example.com"
# A session of one message takes some 20 ms; 2 s is the time-out for the milter in Postfix. A busy machine may
# hold some sessions up, not half of them.
MEDIAN_SESSION_SECONDS = 1.5


def send(lab, prefix, count, recipients=1):
    """One session a message; gives the Message-IDs. Each client must be told 250, most in normal time."""
    ids, times = [], []
    for number in range(count):
        message = Message("%s-%d" % (prefix, number))
        begin = time.monotonic()
        with Client(lab) as client:
            client.say("EHLO client.example")
            client.mail(SENDER, [JOE] + ["r%d@example.net" % each for each in range(1, recipients)], message)
            client.quit()
        times.append(time.monotonic() - begin)
        ids.append(message.id)
    check(count < 3 or statistics.median(times) < MEDIAN_SESSION_SECONDS + 0.01 * recipients,
          "sessions of %s took %s s" % (prefix, " ".join("%.1f" % each for each in times)))
    return ids


def check_arrived(lab, ids, seconds=90):
    """Each of these messages is in the stream once, in the order of sending; no seq twice or left out."""
    def ids_of(records):
        return [each["message_id"] for each in records if each["stage"] == "header"]

    records = lab.wait_records("all %d messages" % len(ids), lambda seen: set(ids) <= set(ids_of(seen)),
                               seconds=seconds)
    sessions = {each["session"] for each in records if each["stage"] == "header"}
    records = lab.wait_records(
        "the close of each session",
        lambda seen: sessions <= {each["session"] for each in seen if each["stage"] == "close"}, seconds=seconds)
    check([each for each in ids_of(records) if each in ids] == ids, "the messages came once and in order")
    lines = sequence_differences(records)
    check(not lines, "the records are without hole or repetition: %s" % lines[:3])
    return records


def log_of(lab):
    with open(lab.path("milter.log"), encoding="utf-8", errors="backslashreplace") as file:
        return file.read().splitlines()


def run_status(lab):
    """Exit status and output of the verb."""
    done = subprocess.run([os.path.join(lab.build, "smtptrail"), "status", "--file", lab.status_file],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def outage(lab, prefix, begin, end, counter, words="", lines=1):
    """Mail before, while and after something is wrong with Redis: the counter of that class of fault goes up, the
    last error says it in these words, and the log has a line for each change of state (at most so many)."""
    ids = send(lab, prefix + "-before", 3)
    check_arrived(lab, ids)
    begin()
    ids += send(lab, prefix + "-while", 10)
    wait_until("status tells of the backlog", lambda: lab.status()["backlog_records"] >= 60)
    check(lab.status()["records_dropped"] == 0, "nothing is dropped")
    wait_until("%s counts" % counter, lambda: lab.status()[counter] > 0)
    wait_until("the last error has '%s'" % words, lambda: words in lab.status()["last_error"])
    status = lab.status()
    check(status["redis_errors"] == sum(status["redis_" + each] for each in ("cut", "busy", "not_master", "denied")),
          "each failed try is of one class: %s" % status)
    check(status["backlog_bytes"] > 0 and "backlog_oldest" in status, "the backlog has bytes and an age")
    end()
    ids += send(lab, prefix + "-after", 3)
    check_arrived(lab, ids)
    wait_until("status says that all is shipped", lambda: lab.status()["backlog_records"] == 0)
    check(lab.status()["redis_state"] == "shipping", "the state is shipping again")
    log = log_of(lab)
    check(1 <= sum(" records in the journal" in line for line in log) <= lines, "the log tells of the fault once: %s" % log)
    check(sum(" takes records again" in line for line in log) == 1, "the log tells of the end once: %s" % log)


@case
def redis_stopped(lab):
    outage(lab, "stopped", lambda: lab.end("redis"), lab.start_redis, "redis_cut")


@case
def redis_killed(lab):
    outage(lab, "killed", lambda: lab.end("redis", signal.SIGKILL), lab.start_redis, "redis_cut")


@case
def redis_hangs(lab):
    redis = lab.children["redis"]
    outage(lab, "hung", lambda: redis.send_signal(signal.SIGSTOP), lambda: redis.send_signal(signal.SIGCONT),
           "redis_cut", "no answer in time")


@case
def redis_out_of_memory(lab):
    outage(lab, "memory", lambda: lab.redis("CONFIG", "SET", "maxmemory", 1),
           lambda: lab.redis("CONFIG", "SET", "maxmemory", 0), "redis_busy", "OOM")


@case
def stream_of_wrong_type(lab):
    def begin():
        lab.redis("EVAL", "redis.call('RENAME', KEYS[1], KEYS[2]) redis.call('SET', KEYS[1], 'mine')",
                  2, STREAM_KEY, "{smtptrail:0}:aside")

    outage(lab, "type", begin, lambda: lab.redis("RENAME", "{smtptrail:0}:aside", STREAM_KEY), "redis_denied",
           "WRONGTYPE")


@case
def redis_asks_for_a_password(lab):
    def begin():
        lab.redis("CONFIG", "SET", "requirepass", "other")
        lab.redis("CLIENT", "KILL", "TYPE", "normal", password="other")

    outage(lab, "password", begin, lambda: lab.redis("CONFIG", "SET", "requirepass", "", password="other"),
           "redis_denied", "NOAUTH", lines=2)	# the cut line, then the refusal


def one_session_of_each_kind(lab):
    """Clients that wait: greeted only, in a message after RCPT, and after DATA."""
    clients = [Client(lab) for _ in range(3)]
    for client in clients:
        client.say("EHLO client.example")
    for client in clients[1:]:
        client.say("MAIL FROM:<%s>" % SENDER)
        client.say("RCPT TO:<%s>" % JOE)
    clients[2].say("DATA", 354)
    return clients


def finish(clients):
    """Those who waited go on as if nothing had happened."""
    clients[0].say("NOOP")
    message = Message("finish")
    clients[1].data(message)
    clients[2].send_raw(message.bytes + b".\r\n", "message and dot")
    clients[2].reply(250)
    for client in clients:
        client.quit()
        client.close()


def check_closes(lab, cause, stages):
    records = lab.wait_records(
        "%d sessions closed by cause %s" % (len(stages), cause),
        lambda seen: sum(each.get("cause") == cause for each in seen) >= len(stages))
    closes = [each for each in records if each.get("cause") == cause]
    check(sorted(each["last_stage"] for each in closes) == sorted(stages),
          "each live session is closed once, after its last stage: %s" % closes)
    begun = {each["session"] for each in records if each["stage"] == "connect"}
    check({each["session"] for each in closes} <= begun, "the sessions closed are those that began")
    check(not sequence_differences(records), "the records are without hole or repetition")
    return records


@case
def milter_hangs(lab):
    """A session waits for it once, for command_timeout; then the mail flows, and is recorded again afterwards."""
    milter = lab.children["milter"]
    ids = send(lab, "milter-before", 1)
    clients = one_session_of_each_kind(lab)
    milter.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    for number in range(3):
        with Client(lab) as client:
            client.say("EHLO client.example")
            client.mail(SENDER, [JOE], Message("milter-while-%d" % number))
            client.quit()
    check(time.monotonic() - begin < 3 * 4, "each session waits once")
    finish(clients)
    milter.send_signal(signal.SIGCONT)
    ids += send(lab, "milter-after", 3)
    check_arrived(lab, ids)


@case
def stop_with_live_sessions(lab):
    clients = one_session_of_each_kind(lab)
    status = lab.end("milter", signal.SIGTERM)
    check(status == 0, "the milter ends with status 0, not %d" % status)
    finish(clients)
    records = check_closes(lab, "shutdown", ["helo", "rcpt", "data"])
    check(records[-1]["stage"] == "stop", "the last record is stop, not %s" % records[-1]["stage"])
    check(records[-1]["reason"] == "signal", "stop says its reason: %s" % records[-1].get("reason"))


@case
def kill_with_live_sessions(lab):
    ids = send(lab, "kill-before", 3)
    clients = one_session_of_each_kind(lab)
    lab.end("milter", signal.SIGKILL)
    finish(clients)
    lab.start_milter()
    ids += send(lab, "kill-after", 3)
    records = check_closes(lab, "killed", ["helo", "rcpt", "data"])
    check_arrived(lab, ids)
    starts = [each for each in records if each["stage"] == "start"]
    check([each["reason"] for each in starts] == ["first", "restart"], "two starts with their reasons")
    check(int(starts[1]["epoch"]) == int(starts[0]["epoch"]) + 1, "the epoch is the next one")
    check(starts[1]["previous_epoch"] == starts[0]["epoch"], "the start names the epoch before it")
    before = [int(each["seq"]) for each in records if int(each["seq"]) >> 40 == int(starts[0]["epoch"])]
    check(int(starts[1]["previous_seq"]) == max(before), "the start names the last seq before it")


@case
def kill_with_redis_stopped(lab):
    """What only the journal has survives both."""
    lab.end("redis")
    ids = send(lab, "both", 20)
    lab.end("milter", signal.SIGKILL)
    lab.start_milter()
    ids += send(lab, "both-after", 5)
    lab.start_redis()
    check_arrived(lab, ids)


@case
def reload_says_what_it_cannot_do(lab):
    send(lab, "reload-before", 1)
    lab.write_config(header_drop=["subject"], front_size="8M")
    lab.children["milter"].send_signal(signal.SIGUSR1)

    def log():
        with open(lab.path("milter.log"), encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    wait_until("the log names the option that needs a restart", lambda: "front_size" in log())
    ids = send(lab, "reload-after", 1)
    records = check_arrived(lab, ids)
    headers = {each["message_id"]: each for each in records if each["stage"] == "header"}
    check("subject" in headers["<reload-before-0@example.com>"], "the subject was recorded before")
    check("subject" not in headers[ids[0]], "the subject is no longer recorded")

    lab.write_config(header_drop=["subject"], max_parts="many")
    lab.children["milter"].send_signal(signal.SIGUSR1)
    wait_until("the log says what is wrong with the new file", lambda: "max_parts" in log())
    check_arrived(lab, send(lab, "reload-wrong", 1))


@case
def reader_is_overtaken(lab):
    """A registered reader that stays away holds trimming back; status warns; then exactly what it missed is told."""
    lab.redis("XGROUP", "CREATE", STREAM_KEY, "reports", "0", "MKSTREAM")
    # As many as are wanted, and no more: what Redis has comes behind what was sent.
    lengths = []
    for number in range(2):
        send(lab, "counted-%d" % number, 1)
        wait_until("all of it is there", lambda: sum(each["stage"] == "close" for each in lab.records()) > len(lengths))
        lengths.append(lab.redis("XLEN", STREAM_KEY))
    send(lab, "held", (310 - lengths[1]) // (lengths[1] - lengths[0]) + 1)
    wait_until("status knows the reader", lambda: lab.status()["stream_unread"] >= 300)
    status = lab.status()
    check(status["stream_trimmed"] == 0, "nothing is trimmed: %s" % status)
    check(status["stream_slowest"] == "reports" and status["stream_readers"] == 1, "the reader is named: %s" % status)
    code, said = run_status(lab)
    check(code == 1 and "reader 'reports' has" in said and "it is overtaken at 400" in said,
          "status warns before the reader is overtaken: %d %s" % (code, said))

    send(lab, "overtaken", 30)
    wait_until("the hard length is reached", lambda: lab.status()["stream_overtaken"] > 0)
    wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0)

    def truth_is_told():
        """The reader was given nothing: it missed what lies before the first record that is left."""
        records = lab.records()
        missed = (int(records[0]["seq"]) & (1 << 40) - 1) - 1
        told = [int(each["count"]) for each in records if each["stage"] == "gap" and each["reason"] == "trimmed"]
        return sum(told) == missed == lab.status()["stream_overtaken"] and missed > 100

    wait_until("the gap records, the status and the stream say the same number", truth_is_told, seconds=60)
    code, said = run_status(lab)
    check(code == 1 and "were trimmed before a registered reader" in said, "status tells: %d %s" % (code, said))

    # The record of the gap came last, and may be there before it is made room for.
    wait_until("the stream has its hard length", lambda: lab.redis("XLEN", STREAM_KEY) <= 400)
    given = lab.redis("XREADGROUP", "GROUP", "reports", "me", "NOACK", "COUNT", 100000, "STREAMS", STREAM_KEY, ">")
    check(len(given[0][1]) <= 400, "the reader is given what is left")
    wait_until("what was read is trimmed to stream_max_length", lambda: lab.status()["stream_records"] < 300, seconds=60)
    count = lab.status()["stream_overtaken"]
    check_arrived(lab, send(lab, "free", 3))
    check(lab.status()["stream_overtaken"] == count, "nothing more is missed")


@case
def ingest_is_a_reader_as_far_behind_as_it_is(lab):
    """Its group moves without being given records: Redis knows how far behind it is all the same."""
    config = lab.path("ingest.conf")
    write(config, 'redis_address = "unix:%s"\n' % lab.redis_socket)

    def ingest():
        subprocess.run([lab.program("smtptrail"), "ingest", "--redis", "--store", lab.path("store"), "--config", config],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60)

    def is_behind():
        status = lab.status()
        return status["stream_slowest"] == "smtptrail-ingest" and status["backlog_records"] == 0 and \
            status["stream_records"] == lab.redis("XLEN", STREAM_KEY) and status["stream_unread"] == lab.redis("XLEN", STREAM_KEY) - read

    def send_all(name, sessions):
        """Until the last record of each session is in Redis."""
        before = closes()
        send(lab, name, sessions)
        wait_until("the last record is there", lambda: closes() == before + sessions)

    def closes():
        return sum("close" in fields for _, fields in lab.redis("XRANGE", STREAM_KEY, "-", "+"))

    send_all("before", 3)
    for name in ("behind", "behind-again"):
        read = lab.redis("XLEN", STREAM_KEY)
        ingest()
        send_all(name, 2)
        wait_until("status knows how far behind it is", is_behind)
    lab.redis("XTRIM", STREAM_KEY, "MAXLEN", 10)	# by other hands, and past it
    send(lab, "trimmed", 2)
    read = 0
    wait_until("all that is left is before it", is_behind)


@case
def full_journal(lab):
    """Everything is full: the mail flows, the drops are counted, and a gap record says the same count."""
    lab.end("redis")
    message = 0
    deadline = time.monotonic() + 120
    while lab.status()["records_dropped"] == 0:
        check(time.monotonic() < deadline, "the journal was full within two minutes")
        send(lab, "full-%d" % message, 1, recipients=100)
        message += 1
    send(lab, "full-dropped", 5)
    wait_until("the log says it", lambda: any("records could not be made" in line for line in log_of(lab)))
    time.sleep(0.5)			# the status file is written five times a second
    dropped = lab.status()["records_dropped"]
    check(dropped >= 35, "five sessions of seven records and more are counted: %d" % dropped)
    lab.start_redis()
    records = lab.wait_records("a gap record", lambda seen: any(each["stage"] == "gap" for each in seen), seconds=90)
    ids = send(lab, "full-after", 3)
    records = check_arrived(lab, ids)
    gaps = [each for each in records if each["stage"] == "gap"]
    check(sum(int(each["count"]) for each in gaps) == lab.status()["records_dropped"] == dropped,
          "the gap records count what was dropped, %d: %s" % (dropped, gaps))
    for gap in gaps:
        check(gap["from_time"] <= gap["to_time"] <= gap["time"], "the gap has its times: %s" % gap)
        check(gap["reason"] in ("front_full", "spool_full"), "the gap has its reason: %s" % gap)
    check(sum("records could not be made" in line for line in log_of(lab)) == 1, "the log says it once")


@case
def damaged_journal(lab):
    """Bytes of the spool and a whole head are turned while the milter is down: it starts, says so, and goes on."""
    lab.end("redis")
    ids = send(lab, "damaged", 3)

    def is_on_disk():
        status = lab.status()			# one, since the next may tell of records that this one does not
        return status["synced_seq"] == status["last_seq"] and status["backlog_records"] >= 20
    wait_until("all is on the disk", is_on_disk)
    lab.end("milter", signal.SIGKILL)
    front = lab.state["front"]
    for name in os.listdir(front):		# what is not there comes from the spool
        os.unlink(os.path.join(front, name))
    spool = lab.path("milter", "spool")
    first = os.path.join(spool, sorted(each for each in os.listdir(spool) if each.startswith("segment-"))[0])
    with open(first, "r+b") as file:
        data = bytearray(file.read())
        place = data.index(b"<damaged-1@")
        file.seek(place)
        file.write(b"?")
    with open(os.path.join(spool, "segment-0000009999"), "wb") as file:
        file.write(b"nonsense" * 1000)
    lab.start_milter()
    ids = ids[:1] + ids[2:] + send(lab, "damaged-after", 2)
    lab.start_redis()
    records = lab.wait_records("all but the damaged one", lambda seen: set(ids) <= {each.get("message_id") for each in seen} and
                               any(each["stage"] == "gap" for each in seen))
    gaps = [each for each in records if each["stage"] == "gap"]
    check([(each["reason"], each["count"]) for each in gaps] == [("damaged", "1")], "a gap record tells readers: %s" % gaps)
    status = lab.status()
    check(status["files_quarantined"] == 1 and status["records_damaged"] == 1, "both are counted: %s" % status)
    for words in ("1 damaged files of the journal are set aside", "1 records of the journal are damaged"):
        check(sum(words in line for line in log_of(lab)) == 1, "the log says once '%s'" % words)
    code, said = run_status(lab)
    check(code == 1 and "were set aside" in said and "found damaged" in said, "status says both: %s" % said)


# What cases need beside what all have.
OPTIONS = {
    full_journal: {"front_size": "1M", "spool_size": "1M", "keep_size": "0", "keep_time": "0s"},
    reader_is_overtaken: {"stream_max_length": 100, "stream_hard_length": 400},
}


def run_case(function):
    with Lab() as lab:
        lab.start(redis_command_timeout="500ms", **OPTIONS.get(function, {}))
        function(lab)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    run_test(lambda: run_cases(run_case))
