#!/usr/bin/python3
"""test_sendmail.py - every transaction against a real Sendmail: the same records as with Postfix, field by field.

Then what the join of its log and the records says of each recipient: what its client was told. Then a milter that is away, that dies and that hangs: with what conf/sendmail.mc.example says, the mail goes on.
Arguments: names of transactions; without any, all. -v shows the dialogues.
"""
import collections
import signal
import sys
import time

import fates
from lab import LabError, run_test, wait_until
from smtp_client import Client, Message
from test_postfix import test_transactions

AWAY_SECONDS = 2.0
# connect_timeout and the like of the example: one of them passes before Sendmail gives the milter up.
HANG_SECONDS = 7.0


def send(lab, in_between=None):
    """How long a message of a session takes."""
    begun = time.monotonic()
    with Client(lab) as client:
        client.say("EHLO client.example")
        if in_between:
            in_between()
        client.mail("ann@example.com", ["joe@lab.test"], Message("unseen"))
        client.quit()
    return time.monotonic() - begun


def check(what, seconds, limit):
    if seconds > limit:
        raise LabError("%s costs a session %.1f s, more than %.1f" % (what, seconds, limit))
    print("ok     %s costs a session %.1f s, and no mail" % (what, seconds))


def check_fates(lab, said):
    """Addresses without a domain are what aliases became: no client gave them."""
    wanted = collections.Counter(fate for _, dialogue in said for fate in fates.told(dialogue))

    def difference():
        got = collections.Counter(fate for fate in fates.fates_of(fates.joined(lab)))
        return wanted - got, {fate: count for fate, count in (got - wanted).items() if "@" in fate[1] and not is_submitted(fate)}
    try:
        wait_until("each fate is known", lambda: not any(difference()))
    except LabError as error:
        raise LabError("fates that were told, and that the join says: %s; %s" % difference()) from error
    print("ok     what became of %d recipients is what their clients were told" % sum(wanted.values()))


def is_submitted(fate):
    """Of the command sendmail: no client was told."""
    return fate in {("ann@example.com", to, "delivered") for to in ("joe@lab.test", "ann@lab.test")}


def check_the_rest(lab, said):
    check_fates(lab, said)
    check_bad_milters(lab)


def check_bad_milters(lab):
    def stop():
        lab.children["milter"].send_signal(signal.SIGSTOP)
    check("a milter that hangs", send(lab, stop), HANG_SECONDS)
    lab.children["milter"].send_signal(signal.SIGCONT)
    check("a milter that dies", send(lab, lambda: lab.end("milter", signal.SIGKILL)), AWAY_SECONDS)
    check("a milter that is away", send(lab), AWAY_SECONDS)
    lab.start_milter()
    mark = lab.last_id()
    send(lab)
    lab.wait_closes(1, mark)
    print("ok     a milter that came back sees the next session")


def main():
    is_whole = not [word for word in sys.argv[1:] if word != "-v"]
    return test_transactions("sendmail", check_the_rest if is_whole else None)


if __name__ == "__main__":
    run_test(main)
