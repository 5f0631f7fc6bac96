#!/usr/bin/python3
"""test_postfix.py - every transaction against a real Postfix: each record, field by field.

Arguments: names of transactions; without any, all. -v shows the dialogues.
"""
import sys

import transactions
from expected import differences
from lab import Lab, LabError, run_test, wait_until


def play(lab, transaction):
    """What is wrong with this transaction's records, as lines."""
    mark, log_position = lab.last_id(), lab.log_position()
    played = transaction(lab)
    try:
        records = lab.wait_closes(len(played.sessions), mark)
    except LabError as error:
        return played, [str(error)]
    queue_ids = wanted_queue_ids(lab, log_position, played)
    answered = [text.rpartition(" ")[2] for who, text in played.dialogue if who == "S" and "queued as" in text]
    lines = ["the client was told %s, Postfix logged %s" % (each, queue_ids)
             for each in answered if each not in queue_ids]
    return played, lines + differences(played.sessions, records, queue_ids)


def wanted_queue_ids(lab, log_position, played):
    """Postfix' log may be a moment behind the records."""
    wanted = max([each["queue_id"].number for session in played.sessions for each in session
                  if "queue_id" in each] or [0])
    wait_until("%d queue ids in Postfix' log" % wanted, lambda: len(lab.queue_ids(log_position)) >= wanted)
    return lab.queue_ids(log_position)


def main():
    names = [argument for argument in sys.argv[1:] if argument != "-v"]
    chosen = [each for each in transactions.TRANSACTIONS if not names or each.__name__ in names]
    failed = 0
    with Lab() as lab:
        lab.start()
        for transaction in chosen:
            played, lines = play(lab, transaction)
            failed += bool(lines)
            print("%s %s: %s" % ("FAILED" if lines else "ok    ", transaction.__name__, transactions.words(transaction)))
            if lines or "-v" in sys.argv:
                shown = played.dialogue if "-v" in sys.argv else played.dialogue[-12:]
                print(*("    %s: %s" % each for each in shown), sep="\n")
            print("".join("    %s\n" % line for line in lines), end="", flush=True)
    print("%d transactions as expected, %d not" % (len(chosen) - failed, failed))
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    run_test(main)
