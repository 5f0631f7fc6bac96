"""mounts.py - small file systems of a campaign's own: in a name space that ends with its processes.

Without root, or where mounting is refused, there are none, and what needs them is left out.
"""
import os
import shutil
import subprocess
import sys

VARIABLE = "SMTPTRAIL_OWN_MOUNTS"	# "1": we are in such a name space; "0": it was refused
mounted = []


def run(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def begin():
    """Runs this program anew in a name space of its own."""
    if os.geteuid() == 0 and not os.environ.get(VARIABLE) and shutil.which("unshare"):
        can = run("unshare", "-m", "--propagation", "private", "true")
        os.environ[VARIABLE] = "1" if can else "0"
        if can:
            os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable] + sys.argv)


def tmpfs(path, size):
    """Whether the directory is now one of so many bytes."""
    os.makedirs(path, exist_ok=True)
    done = os.environ.get(VARIABLE) == "1" and run("mount", "-t", "tmpfs", "-o", "size=%d,mode=700" % size, "smtptrail", path)
    if done:
        mounted.append(path)
    return done


def resize(path, size):
    """It cannot become smaller than what is in it."""
    return run("mount", "-o", "remount,size=%d" % size, path)


def used(path):
    status = os.statvfs(path)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def end():
    """Else the directories below would stay."""
    while mounted:
        run("umount", "-l", mounted.pop())
