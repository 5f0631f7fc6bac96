"""kills.py - a process that is killed at any moment, again and again, as often as is wanted."""
import random
import signal
import subprocess


def kill_often(start, how_far, end, ended, kills, seconds, seed):
    """Kills what start() starts at a random moment of so many seconds, that many times. how_far() tells how far it came, as
    what it left says, up to end; ended() is called when one came to its end first. How many kills came, and how many of them
    after the run that was killed had kept something, and before it had kept all."""
    chance, killed, between = random.Random(seed), 0, 0
    while killed < kills:
        before, child = how_far(), start()
        try:
            errors = child.communicate(timeout=chance.uniform(0, seconds))[1]
        except subprocess.TimeoutExpired:
            child.kill()
            errors = child.communicate()[1]
        if child.returncode == -signal.SIGKILL:
            killed += 1
            after = how_far()
            between += before < after < end
            # A machine may be slower by now, or faster.
            seconds *= 1 if after > before else 1.2
        else:
            if child.returncode != 0:
                raise AssertionError("it ended with status %d: %s" % (child.returncode, errors.decode()))
            ended()
            seconds *= 0.6
    return killed, between
