#!/usr/bin/python3
"""test_campaign.py - a short campaign over each way into Redis must pass; one with a naive shipper must not.

Each fault of a way comes at least once. The naive one shows that the checker sees what it is there for. A campaign
waits more than it works: some run at one time.
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
        output = process.communicate()[0] + "\nstill running after %d seconds" % LIMIT_SECONDS
    return process.returncode, output


def is_as_wanted(name, status, output):
    verdict = (output.splitlines() or [""])[-1]
    if name != "naive":
        return status == 0 and verdict.startswith("passed: ")
    doubled = re.search(r"^FAILED: .* (\d+) doubled", verdict)
    return status == 1 and doubled and int(doubled[1]) > 0


def main():
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONE_TIME) as pool:
        results = dict(zip(CAMPAIGNS, pool.map(run, CAMPAIGNS.values())))
    for name, (status, output) in results.items():
        print(output, flush=True)
        if status == SKIPPED:
            return SKIPPED
        if not is_as_wanted(name, status, output):
            print("FAILED: the campaign '%s' ended with status %d, and not as it must" % (name, status))
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
