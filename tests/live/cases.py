"""cases.py - a live test that has cases: functions, run one after the other, each told with its time.

The test's arguments are names of cases; without any, all are run. Where the server of a case is missing, the others are
run, and the test is told as skipped (77) with the reasons: what did not run must not be taken for what passed. Which
failed, and why, is told once more at the end: of a long output that is what is kept.
"""
import sys
import time
import traceback

from lab import SKIPPED, Missing, reason_of

CASES = []


def case(function):
    CASES.append(function)
    return function


def run_cases(call=lambda function: function()):
    """Gives the test's exit status. call: how a case is run; by itself where nothing is said."""
    counts, skipped, failed = {"ok": 0, "skipped": 0, "FAILED": 0}, [], []
    for function in CASES:
        if len(sys.argv) > 1 and function.__name__ not in sys.argv[1:]:
            continue
        begin, word, reason = time.monotonic(), "ok", ""
        try:
            call(function)
        except Missing as error:
            word, reason = "skipped", ": %s" % error
            skipped.append(function.__name__ + reason)
        except Exception as error:		# whatever it is: the other cases are run
            word, reason = "FAILED", ": " + reason_of(error)
            failed.append(function.__name__ + reason)
            traceback.print_exc(file=sys.stdout)
        except SystemExit:			# whoever runs the test has waited enough
            print("FAILED %s: not at its end after %.1f s" % (function.__name__, time.monotonic() - begin), flush=True)
            raise
        counts[word] += 1
        print("%-7s %s (%.1f s)%s" % (word, function.__name__, time.monotonic() - begin, reason), flush=True)
    for each in failed:
        print("FAILED %s" % each)
    if failed or not any(counts.values()):
        return 1
    if skipped:
        print("skipped: %d of %d cases; %s" % (len(skipped), sum(counts.values()), "; ".join(skipped)))
    return SKIPPED if skipped else 0
