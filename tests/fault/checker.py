"""checker.py - what became of each record: the stream beside what the producers know.

Truth is the mapped file of each producer (truth.h). A record that was confirmed must be in the stream once, and
the numbers of a thread in ascending order; seq of a (producer, partition) and epoch has no hole. A record whose append
a SIGKILL fell into may be there once, or not. What the journal refused must be told by gap records: as many,
or more by those appends of which a SIGKILL took the note.
"""
import mmap
import os
import struct

THREADS_MAX, UNKNOWN_MAX = 4, 1000
HEAD_WORDS, THREAD_WORDS = 16, 5 + UNKNOWN_MAX
RUN, PAUSE, BURST, END = range(4)
CONTROL, HEARTBEAT, BACKLOG, ERRORS, RESYNCS, WENT_BACK, NOT_KEPT, FENCED, IDLE = range(9)
SIZE = 8 * (HEAD_WORDS + THREADS_MAX * THREAD_WORDS)
EPOCH_SHIFT = 40
SHOWN = 5		# of each kind of wrong record
REFUSING = ("front_full", "spool_full", "no_epoch")	# reasons of gap records of what the journal refused

# Gives what is needed of each entry; XRANGE with all its names and values would cost many times as much here.
READ_SCRIPT = """
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 2000)
local lines, last = {}, ''
for _, entry in ipairs(entries) do
  local got, fields = {}, entry[2]
  for i = 1, #fields, 2 do got[fields[i]] = fields[i + 1] end
  lines[#lines + 1] = table.concat({got.stage, got.host, got.producer, got.partition, got.seq, got.session or '-',
    got.messages or got.count or '0', got.reason or '-'}, ' ')
  last = entry[1]
end
return {last, table.concat(lines, '\\n')}
"""


class Truth:
    """One producer's mapped file."""

    def __init__(self, path, threads):
        with open(path, "wb") as file:
            file.truncate(SIZE)
        descriptor = os.open(path, os.O_RDWR)
        self.map = mmap.mmap(descriptor, SIZE)
        os.close(descriptor)
        self.threads = threads

    def word(self, index):
        return struct.unpack_from("=Q", self.map, 8 * index)[0]

    def control(self, value):
        struct.pack_into("=Q", self.map, 8 * CONTROL, value)

    def thread(self, number):
        """settled, confirmed, refused, unknown numbers"""
        at = HEAD_WORDS + number * THREAD_WORDS
        attempted, settled = self.word(at), self.word(at + 1)
        unknown = {self.word(at + 5 + i) for i in range(self.word(at + 4))}
        if attempted != settled:		# killed, and not started again
            unknown.add(attempted)
            settled = max(settled, attempted)
        return settled, self.word(at + 2), self.word(at + 3), unknown

    def sum(self, index):
        return sum(self.thread(number)[index] for number in range(self.threads))


def read_stream(call, key):
    """Each entry's words; call(word, ...) asks the Redis that has the key."""
    start = "-"
    while True:
        last, text = call("EVAL", READ_SCRIPT, 1, key, start)
        if not last:
            return
        for line in text.split("\n"):
            yield line.split(" ")
        start = "(" + last


class Verdict:
    def __init__(self):
        self.confirmed = self.lost = self.doubled = self.out_of_order = self.holes = 0
        self.refused = self.unknown = self.announced = self.unexpected = self.foreign = 0
        self.examples = []

    def say(self, kind, what):
        if sum(each[0] == kind for each in self.examples) < SHOWN:
            self.examples.append((kind, what))

    def is_told(self):
        """What was refused is announced, and nothing else is."""
        return self.refused <= self.announced <= self.refused + self.unknown and not self.unexpected

    def is_good(self):
        return not (self.lost or self.doubled or self.out_of_order or self.holes or self.foreign) and \
            self.is_told() and self.confirmed > 0


def check_thread(verdict, name, truth, number, got):
    settled, confirmed, _, unknown = truth.thread(number)
    once = set(got)
    verdict.doubled += len(got) - len(once)
    highest = 0
    for each in got:
        if each < highest:
            verdict.out_of_order += 1
            verdict.say("out of order", "%s/%d: %d behind %d" % (name, number, each, highest))
        elif each == highest:
            verdict.say("doubled", "%s/%d: %d" % (name, number, each))
        highest = max(highest, each)
    wanted = set(range(1, settled + 1)) - unknown
    if len(wanted) != confirmed and not unknown:
        verdict.say("truth", "%s/%d: %d settled, %d confirmed" % (name, number, len(wanted), confirmed))
    lost = wanted - once
    verdict.confirmed += len(wanted)
    verdict.unknown += len(unknown)
    verdict.lost += len(lost)
    for each in sorted(lost)[:SHOWN]:
        verdict.say("lost", "%s/%d: %d" % (name, number, each))
    strange = once - wanted - unknown
    verdict.foreign += len(strange)
    for each in sorted(strange)[:SHOWN]:
        verdict.say("never made", "%s/%d: %d" % (name, number, each))


def check(producers, streams):
    """producers: name -> Truth; streams: one iterable of entries for each partition."""
    verdict = Verdict()
    got = {name: [[] for _ in range(truth.threads)] for name, truth in producers.items()}
    for stream in streams:
        last = {}
        for stage, host, producer, partition, seq, session, number, reason in stream:
            seq, before = int(seq), last.get((producer, partition), 0)
            if seq != before + 1 and not (seq >> EPOCH_SHIFT > before >> EPOCH_SHIFT and seq & (1 << EPOCH_SHIFT) - 1 == 1):
                verdict.holes += 1
                verdict.say("seq", "%s/%s: %d behind %d" % (host, partition, seq, before))
            last[producer, partition] = seq
            if stage == "close" and host in got and session.isdigit() and int(session) < len(got[host]):
                got[host][int(session)].append(int(number))
            elif stage == "gap" and reason in REFUSING:
                verdict.announced += int(number)
            else:
                verdict.unexpected += 1
                verdict.say("unexpected", "%s of %s: reason %s, count %s" % (stage, host, reason, number))
    for name, truth in producers.items():
        for number in range(truth.threads):
            check_thread(verdict, name, truth, number, got[name][number])
        verdict.refused += truth.sum(2)
    return verdict
