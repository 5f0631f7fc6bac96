#!/usr/bin/python3
"""test_checker.py - the checker of the campaign sees each thing that it is there for, and nothing else.

A row: a sentence, what is done to a stream in which all is as it should be, and what the checker must say of it.
"""
import os
import sys
import tempfile

import checker

SETTLED, UNKNOWN, REFUSED = 20, 7, 3
EPOCH = 1 << checker.EPOCH_SHIFT


def make_truth(path):
    """One thread with numbers 1 to SETTLED, of which one is unknown, and some refusals."""
    truth = checker.Truth(path, 1)
    at = checker.HEAD_WORDS
    for index, value in ((at, SETTLED), (at + 1, SETTLED), (at + 2, SETTLED - 1), (at + 3, REFUSED), (at + 4, 1), (at + 5, UNKNOWN)):
        checker.struct.pack_into("=Q", truth.map, 8 * index, value)
    return truth


def entry(number):
    return ["close", "host", "p", "0", "0", "0", str(number), "-"]


def gap(count, reason="front_full"):
    return ["gap", "host", "p", "0", "0", "-", str(count), reason]


def numbered(entries):
    """With seq as it should be, from a second epoch on in the middle."""
    middle = len(entries) // 2
    for i, each in enumerate(entries):
        each[4] = str(EPOCH + i + 1 if i < middle else 2 * EPOCH + i - middle + 1)
    return entries


def good():
    return numbered([gap(REFUSED)] + [entry(number) for number in range(1, SETTLED + 1)])



CASES = (
    ("all is there", lambda stream: stream, {}),
    ("the unknown one is not there", lambda stream: numbered(stream[:UNKNOWN] + stream[UNKNOWN + 1:]), {}),
    ("the unknown one is there twice", lambda stream: numbered(stream[:UNKNOWN + 1] + [entry(UNKNOWN)] + stream[UNKNOWN + 1:]),
     {"doubled": 1}),
    ("a confirmed one is lost", lambda stream: numbered(stream[:3] + stream[4:]), {"lost": 1}),
    ("a confirmed one and its seq are lost", lambda stream: stream[:3] + stream[4:], {"lost": 1, "holes": 1}),
    ("the last one is lost", lambda stream: stream[:-1], {"lost": 1}),
    ("a batch is doubled", lambda stream: stream + stream[-5:], {"doubled": 5, "out_of_order": 4, "holes": 1}),
    ("two changed places", lambda stream: numbered(stream[:4] + [stream[5], stream[4]] + stream[6:]), {"out_of_order": 1}),
    ("one that nobody made", lambda stream: numbered(stream + [entry(SETTLED + 1)]), {"foreign": 1}),
    ("a gap that is not told", lambda stream: numbered(stream[1:]), {"told": False}),
    ("a gap that is told too small", lambda stream: numbered([gap(REFUSED - 1)] + stream[1:]), {"told": False}),
    ("a gap that is told too large by an append of which nothing is known", lambda stream: numbered([gap(REFUSED + 1)] + stream[1:]), {}),
    ("a gap that is told too large", lambda stream: numbered([gap(REFUSED + 2)] + stream[1:]), {"told": False}),
    ("a gap of a reason that must not be", lambda stream: numbered(stream + [gap(1, "damaged")]), {"told": False}),
    ("nothing is there", lambda stream: [], {"lost": SETTLED - 1, "told": False}),
)
COUNTS = ("lost", "doubled", "out_of_order", "holes", "foreign")


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        truth = make_truth(os.path.join(folder, "truth"))
        for sentence, act, wanted in CASES:
            verdict = checker.check({"host": truth}, [act(good())])
            got = {name: getattr(verdict, name) for name in COUNTS if getattr(verdict, name)}
            if not verdict.is_told():
                got["told"] = False
            if got != wanted or verdict.is_good() != (not wanted) or verdict.confirmed != SETTLED - 1:
                failed += 1
                print("FAILED %s: %s, wanted %s" % (sentence, got, wanted))
            else:
                print("ok     %s" % sentence)
    print("%d passed, %d failed" % (len(CASES) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
