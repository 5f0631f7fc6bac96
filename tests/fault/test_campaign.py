#!/usr/bin/python3
"""test_campaign.py - a short campaign over each way into Redis must pass; one with a naive shipper must not.

Each fault of a way comes at least once. The naive one shows that the checker sees what it is there for. A campaign
waits more than it works: some run at one time. Of a long output the end is kept: what failed comes last.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

CAMPAIGN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "campaign.py")
LIMIT_SECONDS = 400
AT_ONE_TIME = 3
SKIPPED = 77
# The longest first. Rounds: as many as the way has faults; the naive one's are doubled records enough.
CAMPAIGNS = {"sentinel": ("--over", "sentinel", "--rounds", "12"), "unix": ("--over", "unix", "--rounds", "13"),
             "tcp": ("--over", "tcp", "--rounds", "13"), "cluster": ("--over", "cluster", "--rounds", "14"),
             "naive": ("--over", "tcp", "--rounds", "20", "--naive")}


def run(words):
    process = subprocess.Popen([CAMPAIGN, *words, "--verbose"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        output = process.communicate(timeout=LIMIT_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.terminate()		# it takes its servers down
        output = process.communicate()[0] + "\nFAILED: still running after %d seconds" % LIMIT_SECONDS
    return process.returncode, output


def verdict(output):
    return (output.splitlines() or ["it said nothing"])[-1]


def is_as_wanted(name, status, output):
    if name != "naive":
        return status == 0 and verdict(output).startswith("passed: ")
    doubled = re.search(r"^FAILED: .* (\d+) doubled", verdict(output))
    return status == 1 and doubled and int(doubled[1]) > 0


def main():
    with concurrent.futures.ThreadPoolExecutor(AT_ONE_TIME) as pool:
        results = dict(zip(CAMPAIGNS, pool.map(run, CAMPAIGNS.values())))
    missing = [output for status, output in results.values() if status == SKIPPED]
    if missing:
        print(missing[0])
        return SKIPPED
    failed = {name: result for name, result in results.items() if not is_as_wanted(name, *result)}
    for name, (_, output) in results.items():
        if name not in failed:
            print("ok      %s: %s" % (name, verdict(output)))
    for name, (_, output) in failed.items():
        print("the campaign '%s':\n%s" % (name, output))
    for name, (status, output) in failed.items():
        print("FAILED %s: status %d, %s" % (name, status, verdict(output)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
