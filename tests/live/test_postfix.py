#!/usr/bin/python3
"""test_postfix.py - every transaction against a real Postfix: each record, field by field.

Arguments: names of transactions; without any, all. -v shows the dialogues. test_sendmail.py plays them too.
"""
import re
import sys

import transactions
from expected import Queue, choose, differences
from lab import Lab, LabError, run_test, wait_until


# What the client is told: by Postfix, and by Sendmail.
TAKEN = re.compile(r"250 2\.0\.0 (?:Ok: queued as )?([0-9A-Za-z]{10,})(?: Message accepted for delivery)?$")


def play(lab, transaction):
    """What is wrong with this transaction's records, as lines."""
    mark, log_position = lab.last_id(), lab.log_position()
    played = transaction(lab)
    try:
        records = lab.wait_closes(len(played.sessions), mark)
    except LabError as error:
        return played, [str(error)]
    queue_ids = wanted_queue_ids(lab, log_position, played)
    answered = [found[1] for who, text in played.dialogue if who == "S" for found in [TAKEN.match(text)] if found]
    lines = ["the client was told %s, the log says %s" % (each, queue_ids) for each in answered if each not in queue_ids]
    return played, lines + differences(played.sessions, records, queue_ids)


def wanted_queue_ids(lab, log_position, played):
    """The MTA's log may be a moment behind the records."""
    wanted = max([each["queue_id"].number for session in played.sessions for each in session
                  if isinstance(each.get("queue_id"), Queue)] or [0])
    wait_until("%d queue ids in the MTA's log" % wanted, lambda: len(lab.queue_ids(log_position)) >= wanted)
    return lab.queue_ids(log_position)


def test_transactions(mta, then=None):
    """Arguments and exit status of the program; then: what else is to be tried in the same lab."""
    names = [argument for argument in sys.argv[1:] if argument != "-v"]
    chosen = [each for each in transactions.of_mta(mta) if not names or each.__name__ in names]
    choose(mta)
    failed, said = 0, []
    with Lab() as lab:
        lab.start(mta)
        for transaction in chosen:
            played, lines = play(lab, transaction)
            failed += bool(lines)
            said.append((transaction.__name__, played.said))
            print("%s %s: %s" % ("FAILED" if lines else "ok    ", transaction.__name__, transactions.words(transaction)))
            if lines or "-v" in sys.argv:
                shown = played.dialogue if "-v" in sys.argv else played.dialogue[-12:]
                print(*("    %s: %s" % each for each in shown), sep="\n")
            print("".join("    %s\n" % line for line in lines), end="", flush=True)
        if then:
            then(lab, said)
    print("%d transactions as expected, %d not" % (len(chosen) - failed, failed))
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    run_test(lambda: test_transactions("postfix"))
