"""cases.py - a live test that has cases: functions, run one after the other, each told with its time.

The test's arguments are names of cases; without any, all are run. Where the server of a case is missing, the others are
run, and the test is told as skipped (77) with the reasons: what did not run must not be taken for what passed.
"""
import subprocess
import sys
import time
import traceback

from lab import SKIPPED, LabError, Missing

CASES = []


def case(function):
    CASES.append(function)
    return function


def run_cases(call=lambda function: function()):
    """Gives the test's exit status. call: how a case is run; by itself where nothing is said."""
    counts, reasons = {"ok": 0, "skipped": 0, "FAILED": 0}, []
    for function in CASES:
        if len(sys.argv) > 1 and function.__name__ not in sys.argv[1:]:
            continue
        begin, word, reason = time.monotonic(), "ok", ""
        try:
            call(function)
        except Missing as error:
            word, reason = "skipped", ": %s" % error
            reasons.append("%s: %s" % (function.__name__, error))
        except (LabError, OSError, subprocess.SubprocessError) as error:
            word, reason = "FAILED", ": %s" % error
            traceback.print_exc(file=sys.stdout)
        counts[word] += 1
        print("%-7s %s (%.1f s)%s" % (word, function.__name__, time.monotonic() - begin, reason), flush=True)
    if counts["FAILED"] or not any(counts.values()):
        return 1
    if reasons:
        print("skipped: %d of %d cases; %s" % (len(reasons), sum(counts.values()), "; ".join(reasons)))
    return SKIPPED if reasons else 0
