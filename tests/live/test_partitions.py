#!/usr/bin/python3
"""test_partitions.py - each session in one partition, in order; each partition's sequence whole, whatever one of
them meets; fewer partitions after a restart; two milters of one identity; a journal that went back.

The truth is mtadrive's: how many sessions and messages it played, and that each was answered to its end.
Arguments: names of cases; without any, all.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from cases import case, run_cases
from lab import Lab, check, run_test, wait_until
from milter_load import journal_records, run_load

EPOCH_SHIFT = 40


def key(partition):
    return "{smtptrail:%d}:records" % partition


def streams(lab, count):
    return [lab.records(key=key(partition)) for partition in range(count)]


def sequences(records):
    """The seqs of each producer, in the order of the stream."""
    found = {}
    for record in records:
        found.setdefault(record["producer"], []).append(int(record["seq"]))
    return found


def check_sequences(partitions, first_start=True):
    """Each sequence begins with its start record and has no hole and no repetition."""
    for number, records in enumerate(partitions):
        check(all(int(record["partition"]) == number for record in records), "partition %d has its own" % number)
        for producer, seqs in sequences(records).items():
            wrong = [seq for before, seq in zip(seqs, seqs[1:])
                     if seq != before + 1 and (seq >> EPOCH_SHIFT == before >> EPOCH_SHIFT or seq < before or
                                               seq % (1 << EPOCH_SHIFT) != 1)]
            check(not wrong, "partition %d of %s is contiguous: %s" % (number, producer, wrong[:3]))
            starts = {int(each["seq"]) for each in records if each["stage"] == "start" and each["producer"] == producer}
            firsts = {seq for seq in seqs if seq % (1 << EPOCH_SHIFT) == 1}
            check(not first_start or firsts <= starts, "an epoch of partition %d begins with start" % number)


def check_sessions(partitions, sessions, messages):
    """Each session in one partition, from connect to close, its messages in order. A session's id is unique for its
    producer only: two milters may begin one in the same microsecond. One that came twice shows in the count."""
    where, messages_seen = {}, 0
    for number, records in enumerate(partitions):
        of_sessions = {}
        for record in records:
            if "session" in record:
                of_sessions.setdefault((record["producer"], record["session"]), []).append(record)
        for session, its in of_sessions.items():
            check(where.setdefault(session, number) == number, "session %s of %s is in one partition" % session[::-1])
            stages = [each["stage"] for each in its]
            check(stages[0] == "connect" and stages[-1] == "close" and stages.count("connect") == 1 and
                  stages.count("close") == 1, "session %s is whole: %s" % (session[1], " ".join(stages)))
            numbers = [int(each["msg"]) for each in its if each["stage"] == "mail"]
            check(numbers == list(range(1, len(numbers) + 1)), "its messages are in order: %s" % numbers)
            messages_seen += stages.count("eom")
    check(len(where) == sessions, "%d sessions were played, %d are there" % (sessions, len(where)))
    check(messages_seen == messages, "%d messages were played, %d are there" % (messages, messages_seen))
    return where


def stop(lab, name):
    status = lab.end(name, seconds=60)
    check(status == 0, "%s ended with status 0: %s" % (name, status))


def wait_shipped(lab):
    wait_until("all is shipped", lambda: lab.status()["backlog_records"] == 0 and
               lab.status()["redis_state"] == "shipping", seconds=90)


def check_watch(lab, partitions):
    """One watch shows all that is in all streams, each once, each partition in order, and misses nothing."""
    wanted = sum(len(records) for records in partitions)
    with open(lab.path("watch.conf"), "w", encoding="utf-8") as file:
        file.write("partitions = %d\n" % len(partitions))
    done = subprocess.run([lab.program("smtptrail"), "watch", "--config", lab.path("watch.conf"), "--redis",
                           "unix:" + lab.redis_socket, "--from-id", "0", "--json", "--count", str(wanted)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=60)
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    for number, records in enumerate(partitions):
        check([str(each["seq"]) for each in shown if int(each["partition"]) == number] ==
              [each["seq"] for each in records], "watch shows partition %d as it is: %s" % (number, done.stderr[-500:]))
    check(len(shown) == wanted and "missing:" not in done.stderr, "watch misses nothing: %s" % done.stderr[-500:])


@case
def sessions_are_spread_and_stay_in_order(lab):
    lab.start_redis()
    lab.start_milter(partitions=4)
    run_load(lab, 20, sessions=400, messages=3, recipients=2, body=300)
    wait_until("status tells of them", lambda: lab.status()["partitions"] == 4 and
               lab.status()["partitions_behind"] == "")
    stop(lab, "milter")
    partitions = streams(lab, 5)
    check(not partitions.pop(), "there is no fifth partition")
    check_sequences(partitions)
    check(set(check_sessions(partitions, 400, 1200).values()) == {0, 1, 2, 3}, "each partition has sessions")
    for records in partitions:
        check([records[0]["stage"], records[0]["partitions"], records[-1]["stage"]] == ["start", "4", "stop"],
              "each has its start and its stop")
    check_watch(lab, partitions)


@case
def a_partition_that_fails_holds_up_no_other(lab):
    lab.start_redis()
    lab.start_milter(partitions=4)
    wait_until("the starts are there", lambda: all(streams(lab, 4)))
    lab.redis("EVAL", "redis.call('RENAME', KEYS[1], KEYS[2]) redis.call('SET', KEYS[1], 'mine')", 2, key(2),
              "{smtptrail:2}:aside")
    run_load(lab, 20, sessions=200, body=300)

    def closes():
        return sum(each["stage"] == "close" for number in (0, 1, 3) for each in lab.records(key=key(number)))
    wait_until("the others ship on", lambda: lab.status()["partitions_behind"].startswith("2 operator ") and
               closes() > 0 and "," not in lab.status()["partitions_behind"])
    with open(lab.path("milter.log"), encoding="utf-8") as file:
        told = [line for line in file if "until it is mended" in line]
    check(told and all(" partition 2: redis '" in line for line in told), "the log names the partition: %s" % told)
    def is_alone():
        status = lab.status()
        behind = status["partitions_behind"].split()
        return len(behind) > 2 and status["backlog_records"] == int(behind[2]) > 0
    wait_until("only that one holds records", is_alone)
    lab.redis("RENAME", "{smtptrail:2}:aside", key(2))
    wait_shipped(lab)
    stop(lab, "milter")
    partitions = streams(lab, 4)
    check_sequences(partitions)
    check_sessions(partitions, 200, 200)


@case
def a_person_is_forgotten_in_every_partition(lab):
    """In the streams, the store and the journals of each; what is left is whole, and the milter goes on with it."""
    person, other = "load@load.test", "r@load.test"
    lab.start_redis()
    lab.start_milter(partitions=4)
    run_load(lab, 20, sessions=100, messages=2, body=300)
    wait_shipped(lab)
    stop(lab, "milter")
    spool, front = lab.path("milter", "spool"), lab.state["front"]

    def kept():
        """What the spool has, by partitions: that of the first has those of the others below it."""
        records = journal_records(lab, spool)
        return [[record for record in records if int(record["partition"]) == number] for number in range(4)]

    def having(records, word):
        return [sum(any(word in str(value) for value in record.values()) for record in each) for each in records]
    before, journals = streams(lab, 4), kept()
    check(min(having(before, person)) > 0 and having(journals, person) == having(before, person),
          "each partition names the person: %s, %s" % (having(before, person), having(journals, person)))
    with open(lab.path("forget.conf"), "w", encoding="utf-8") as file:
        file.write('partitions = 4\nredis_address = "unix:%s"\nstore = "%s"\nstore_keep = 0\n' % (lab.redis_socket, lab.path("store")))

    def ask(*words, status=0):
        done = subprocess.run([lab.program("smtptrail"), *words, "--config", lab.path("forget.conf")], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        check(done.returncode == status, "%s ends with %d: %s" % (words, status, done.stderr))
        return done.stdout
    ask("ingest", "--redis")
    check(person in ask("search", "--limit", "0", "--json", "--columns", "header_from"), "the store names the person")
    said = json.loads(ask("store", "forget", person, "--redis", "--json", "--journal", spool, "--journal", front))
    check(said["masked_in_journal"] >= sum(having(journals, person)) and said["left_in_journal"] == 0, "all of the journals is masked: %s" % said)
    check(said["deleted_in_redis"] == sum(having(before, person)) and said["left_in_redis"] == 0, "all of the streams is gone: %s" % said)
    for directory in (spool, front, lab.path("store")):
        for folder, _, names in os.walk(directory):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    check(person.encode() not in file.read(), "%s/%s names the person no more" % (folder, name))
    after = kept()
    check([len(each) for each in after] == [len(each) for each in journals], "no record left the journals")
    check(having(after, other) == having(journals, other), "others are named as before")
    done = subprocess.run([lab.program("smtptrail"), "journal", "verify", spool], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    check(done.returncode == 0, "the spool is whole: %s" % done.stdout)
    check(not any(having(streams(lab, 4), person)), "no stream names the person")
    lab.start_milter(partitions=4)
    run_load(lab, 20, sessions=40, body=300)
    wait_shipped(lab)
    stop(lab, "milter")
    new = [[record for record in each if int(record["seq"]) >> EPOCH_SHIFT == int(each[-1]["seq"]) >> EPOCH_SHIFT] for each in streams(lab, 4)]
    check_sequences(new)
    check_sessions(new, 40, 40)


@case
def fewer_partitions_lose_nothing(lab):
    lab.start_redis()
    lab.start_milter(partitions=4)
    wait_until("the starts are there", lambda: all(streams(lab, 4)))
    lab.end("redis", signal.SIGKILL)
    run_load(lab, 20, sessions=200, body=300)
    load = lab.spawn("load", [lab.program("tests/driver/mtadrive"), "load", "--connections", "12", "--messages", "0",
                              "--hold", "60", "unix:" + lab.milter_socket])
    wait_until("sessions are open", lambda: lab.status()["sessions"] == 12)
    lab.end("milter", signal.SIGKILL)
    load.kill()
    load.wait()
    held = journal_records(lab, lab.state["front"])
    check({int(each["partition"]) for each in held} == {0, 1, 2, 3} and
          sum(each["stage"] == "connect" for each in held) == 212, "the verb journal reads all partitions")
    lab.start_milter(partitions=2)
    run_load(lab, 20, sessions=100, body=300)
    lab.start_redis()
    wait_shipped(lab)
    stop(lab, "milter")
    partitions = streams(lab, 4)
    check_sequences(partitions, first_start=False)	# Redis came back empty: what is kept came again
    # Those of before in four partitions, closed where they were; those of after in two.
    where = check_sessions(partitions, 312, 300)
    check(set(where.values()) == {0, 1, 2, 3}, "what lay in those left over came")
    killed = [number for number, records in enumerate(partitions) for each in records if each.get("cause") == "killed"]
    check(len(killed) == 12, "12 sessions were closed as killed, not %d" % len(killed))
    last = [records[-1]["stage"] for records in partitions]
    check(last == ["stop"] * 4, "those left over stand alone too: %s" % last)


def run_second(lab, name, front, spool):
    """A second milter, of another front and spool, on the same Redis."""
    lab.state["front"], before = front, lab.state["front"]
    lab.write_config(spool_directory=spool, status_file=lab.path("milter", name + ".json"),
                     socket="unix:" + lab.path(name + ".sock"), redis_address="unix:" + lab.redis_socket)
    lab.state["front"] = before
    os.rename(lab.config_file, lab.path(name + ".conf"))
    lab.spawn(name, [lab.program("smtptrail-milter"), "-c", lab.path(name + ".conf")])


@case
def a_copied_spool_is_another_producer(lab):
    """Both run at one time: the directory is another, so that the copy begins as a producer of its own."""
    lab.start_redis()
    lab.start_milter()
    run_load(lab, 10, sessions=50, body=300)
    wait_shipped(lab)
    front, spool = tempfile.mkdtemp(prefix="smtptrail-lab-", dir="/dev/shm"), lab.path("milter", "copy")
    try:
        shutil.copytree(lab.path("milter", "spool"), spool)
        shutil.copytree(lab.state["front"], front, dirs_exist_ok=True)
        run_second(lab, "second", front, spool)
        wait_until("the second one has begun", lambda: any(
            each["stage"] == "start" and each["reason"] == "moved" for each in lab.records()))
        run_load(lab, 10, sessions=50, body=300)
        wait_shipped(lab)
        stop(lab, "second")
        stop(lab, "milter")
    finally:
        shutil.rmtree(front, ignore_errors=True)
    records = lab.records()
    check_sequences([records])
    check_sessions([records], 100, 100)
    starts = [each for each in records if each["stage"] == "start"]
    check([each["reason"] for each in starts] == ["first", "moved"], "two starts: %s" % starts)
    check(starts[0]["producer"] != starts[1]["producer"] == starts[1]["producer"] and
          starts[1].get("previous_producer") == starts[0]["producer"], "the second names the first")


@case
def a_journal_that_went_back_loses_no_new_record(lab):
    """An older copy under a running cursor: what is made after it arrives under a number nobody has."""
    lab.start_redis()
    lab.start_milter()
    run_load(lab, 10, sessions=30, body=300)
    wait_shipped(lab)
    stop(lab, "milter")
    copies = [(each, each + ".old") for each in (lab.path("milter", "spool"), lab.state["front"])]
    try:
        for directory, copy in copies:
            shutil.copytree(directory, copy)
        lab.start_milter()
        run_load(lab, 10, sessions=30, body=300)
        wait_shipped(lab)
        stop(lab, "milter")
        for directory, copy in copies:		# in place: the directory itself stays
            for name in os.listdir(directory):
                os.unlink(os.path.join(directory, name))
            shutil.copytree(copy, directory, dirs_exist_ok=True)
        lab.start_milter()
        run_load(lab, 10, sessions=30, body=300)
        wait_shipped(lab)
        stop(lab, "milter")
    finally:
        for _, copy in copies:
            shutil.rmtree(copy, ignore_errors=True)
    records = lab.records()
    check_sessions([records], 90, 90)
    pairs = [(each["producer"], each["seq"]) for each in records]
    check(len(pairs) == len(set(pairs)), "no number is there twice")
    starts = [each for each in records if each["stage"] == "start"]
    check([each["reason"] for each in starts][:2] == ["first", "restart"], "it began and went on")
    check(starts[-1]["reason"] == "fenced" and starts[-1]["previous_producer"] == starts[0]["producer"] and
          starts[-1]["producer"] != starts[0]["producer"], "it goes on under another name and says so: %s" % starts[2:])


def rebind(spool):
    """Makes the identity of a copied spool that of its new place, as on a machine that was copied whole."""
    status, path = os.stat(spool), os.path.join(spool, "producer")
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("directory "):
            lines[number] = "directory %d %d %s %s" % (status.st_dev, status.st_ino, line.split()[3],
                                                       os.path.realpath(spool))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def load_both(lab, second_socket, sessions):
    """The same load on both milters at one time."""
    loads = [lab.spawn("load%d" % number, [
        lab.program("tests/driver/mtadrive"), "load", "--connections", "10", "--sessions", str(sessions),
        "--body", "300", "unix:" + path]) for number, path in enumerate((lab.milter_socket, second_socket))]
    for load in loads:
        check(load.wait(timeout=120) == 0, "the load ran to its end")


@case
def two_of_one_identity_part_by_themselves(lab):
    """A machine copied whole: both go on at one time, with one id, into one Redis."""
    lab.start_redis()
    lab.start_milter()
    run_load(lab, 10, sessions=50, body=300)
    wait_shipped(lab)
    stop(lab, "milter")
    front, spool = tempfile.mkdtemp(prefix="smtptrail-lab-", dir="/dev/shm"), lab.path("milter", "clone")
    try:
        shutil.copytree(lab.path("milter", "spool"), spool)
        shutil.copytree(lab.state["front"], front, dirs_exist_ok=True)
        rebind(spool)
        run_second(lab, "second", front, spool)
        lab.start_milter()
        wait_until("one of them was fenced", lambda: any(
            each["stage"] == "start" and each["reason"] == "fenced" for each in lab.records()))
        load_both(lab, lab.path("second.sock"), 100)
        wait_shipped(lab)
        wait_until("status counts it", lambda: lab.status()["redis_fenced"] + lab.status_of(
            lab.path("milter", "second.json"))["redis_fenced"] == 1)
        stop(lab, "second")
        stop(lab, "milter")
    finally:
        shutil.rmtree(front, ignore_errors=True)
    records = lab.records()
    check_sessions([records], 250, 250)
    pairs = [(each["producer"], each["seq"]) for each in records]
    check(len(pairs) == len(set(pairs)), "no number is there twice")
    fenced = [each for each in records if each["stage"] == "start" and each["reason"] == "fenced"]
    check(len(fenced) == 1 and fenced[0]["previous_producer"] == records[0]["producer"] != fenced[0]["producer"],
          "one was fenced, once: %s" % fenced)
    stops = {each["producer"] for each in records if each["stage"] == "stop"}
    check(stops == {records[0]["producer"], fenced[0]["producer"]}, "each went on to its stop")


@case
def a_redis_that_lost_more_than_is_kept_has_a_gap_of_that_size(lab):
    lab.start_redis()
    lab.start_milter(partitions=2, keep_time="0s", keep_size="0")
    run_load(lab, 20, sessions=1500, body=300)
    wait_shipped(lab)
    before = streams(lab, 2)
    seqs = [{int(each["seq"]) for each in records} for records in before]
    wait_until("segments went", lambda: lab.status()["spool_bytes"] + lab.status()["front_bytes"] < 3 << 20)
    lab.redis("FLUSHALL")

    def gaps(number):
        return [each for each in lab.records(key=key(number)) if each["stage"] == "gap"]
    wait_until("a gap is told in each", lambda: gaps(0) and gaps(1), seconds=90)
    wait_until("status counts it", lambda: lab.status()["redis_not_kept"] == 2)
    stop(lab, "milter")
    for number, records in enumerate(streams(lab, 2)):
        came = [int(each["seq"]) for each in records]
        missing = seqs[number] - set(came)
        told = [each for each in records if each["stage"] == "gap"]
        check(missing and sum(int(each["count"]) for each in told) == len(missing),
              "partition %d misses %d, told are %s" % (number, len(missing), told))
        check([each["reason"] for each in told] == ["not_kept"], "and why: %s" % told)
        check(came == list(range(came[0], came[0] + len(came))), "what is kept came again, once and in order")


def run_case(function):
    with Lab() as lab:
        function(lab)


if __name__ == "__main__":
    run_test(lambda: run_cases(run_case))
