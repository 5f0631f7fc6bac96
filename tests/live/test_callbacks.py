#!/usr/bin/python3
"""test_callbacks.py - no callback of the milter makes a system call that could wait for a disk.

The milter runs under strace while mtadrive talks to it: without the checks beside the mail, then with them
and signed messages. Callbacks run in threads of libmilter: those that the one that accepts, or one of these,
has begun. Such a thread may wait for its socket, read and write it, wake one of ours by an eventfd, take
memory and begin or end a thread: each call is held against that list, and what it is done to (strace -y)
against sockets, pipes and eventfds. What follows the stop is left out: libmilter logs its end.
"""
import collections
import os
import re
import shutil
import signal

from lab import Lab, LabError, Missing, run_test, wait_until
from milter_load import NO_REDIS, is_sanitized, journal_records, play, run_load, start_milter

CALL = re.compile(r"(\d+) +(?:\+\+\+|---|<\.\.\. |(\w+)\((.*))")
DESCRIPTOR = re.compile(r"\d+<([^>]*)>")
BEGUN = re.compile(r"(\d+) +(?:clone3?\(|<\.\.\. clone3? resumed>).*= (\d+)$")

# Messages that a callback has to hash: nobody finds the key.
SIGNED = r'''
repeat 200
connect client.example 4 40001 192.0.2.7
helo
mail <signed{n}@example.org>
rcpt <bob@lab.test>
data
header DKIM-Signature " v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s{n};\r\n\th=from:subject; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
header From " signed@example.org"
header Subject " a message that is signed"
eoh
body "line of a body\r\n"*3000
eom
quit_nc
end
'''

# Done to a descriptor of libmilter's own, or to an eventfd.
ON_DESCRIPTOR = {"read", "write", "writev", "readv", "recvfrom", "sendto", "recvmsg", "sendmsg", "accept", "accept4",
                 "close", "shutdown", "setsockopt", "getsockopt", "getsockname", "getpeername", "fcntl", "ioctl"}
ENDPOINTS = ("socket:", "UNIX", "TCP", "pipe:", "anon_inode:[eventfd]")
# Done to the process itself; none waits for anything but another thread.
ON_NOTHING = {"poll", "ppoll", "select", "pselect6", "futex", "clone", "clone3", "rseq", "set_robust_list", "exit",
              "madvise", "mprotect", "brk", "rt_sigprocmask", "rt_sigaction", "rt_sigtimedwait", "sched_yield", "pipe2",
              "pipe", "socketpair", "getpid", "gettid", "geteuid", "getuid", "tgkill", "clock_gettime", "gettimeofday",
              "restart_syscall", "clock_nanosleep", "nanosleep", "getrandom", "exit_group", "rt_sigreturn"}


def is_allowed(name, arguments, file_maps):
    descriptor = DESCRIPTOR.match(arguments)
    if name in ON_DESCRIPTOR:
        # A descriptor without a name is one that another thread has just closed.
        return not descriptor or descriptor[1].startswith(ENDPOINTS)
    if name == "mmap":
        return "MAP_ANONYMOUS" in arguments
    if name == "munmap":
        return arguments.split(",")[0] not in file_maps
    return name in ON_NOTHING


def read_trace(path, size):
    """Calls of each thread, who began it, and where files are mapped."""
    calls, parents, file_maps, unfinished = collections.defaultdict(list), {}, set(), {}
    with open(path, "rb") as file:
        for line in file.read(size).decode("ascii", "replace").splitlines():
            begun = BEGUN.match(line)
            if begun:
                parents[begun[2]] = begun[1]
            found = CALL.match(line)
            if found and found[2]:
                calls[found[1]].append((found[2], found[3]))
                if found[2] == "mmap" and "MAP_ANONYMOUS" not in found[3]:
                    unfinished[found[1]] = True
            elif "+++" not in line and "---" not in line and "mmap resumed" not in line:
                continue
            thread = line.split(None, 1)[0]
            result = re.search(r"= (0x[0-9a-f]+)$", line.rstrip())
            if result and unfinished.pop(thread, False):
                file_maps.add(result[1])
    return calls, parents, file_maps


def is_below(thread, root, parents):
    while thread and thread != root:
        thread = parents.get(thread)
    return thread == root


def check(path, size):
    calls, parents, file_maps = read_trace(path, size)
    accepting = [thread for thread, of_it in calls.items() if any(name.startswith("accept") for name, _ in of_it)]
    if len(accepting) != 1 or not file_maps:
        raise LabError("the trace is not understood: %d threads accept, %d mapped files" % (len(accepting), len(file_maps)))
    libmilter = {thread: of_it for thread, of_it in calls.items()
                 if is_below(parents.get(thread), accepting[0], parents)}
    counts, bad = collections.Counter(), []
    for thread, of_it in libmilter.items():
        for name, arguments in of_it:
            counts[name] += 1
            if not is_allowed(name, arguments, file_maps):
                bad.append("%s(%s" % (name, arguments.strip()[:120]))
    print("%d threads of libmilter made: %s" % (len(libmilter), ", ".join("%d %s" % (count, name)
                                                                         for name, count in counts.most_common())))
    if bad:
        raise LabError("%d calls that may wait for a disk, such as: %s" % (len(bad), "; ".join(bad[:5])))
    if counts["read"] + counts["recvfrom"] < 1000:
        raise LabError("too few calls to tell anything")
    others = set(calls) - set(libmilter) - set(accepting)
    if not any(name in ("fdatasync", "fsync") for each in others for name, _ in calls[each]):
        raise LabError("nobody syncs: the trace shows too little")


def traced_milter(strace_pid):
    """The process that strace has begun."""
    def child():
        with open("/proc/%d/task/%d/children" % (strace_pid, strace_pid), encoding="ascii") as file:
            pids = file.read().split()
        return int(pids[0]) if pids else None
    return wait_until("strace begins the milter", child)


def trace(lab, load, **options):
    """One life of the milter under strace, with a load."""
    # Segments so small that callbacks change them again and again.
    lab.write_config(redis_address=NO_REDIS, segment_size="256K", front_size="4M", sync_interval="10ms", **options)
    path = lab.path("trace")
    start_milter(lab, ["strace", "-f", "-y", "-s", "0", "-o", path])
    pid = traced_milter(lab.children["milter"].pid)
    lab.adopt("milter under strace", pid)
    load()
    size = os.path.getsize(path)
    # strace passes no signal on; it ends with its program.
    os.kill(pid, signal.SIGTERM)
    if lab.children.pop("milter").wait(60) != 0:
        raise LabError("the milter does not end well")
    check(path, size)
    return journal_records(lab, lab.path("milter", "spool"))


def main():
    if not shutil.which("strace"):
        raise Missing("strace is not installed: apt-get install strace")
    with Lab() as lab:
        if is_sanitized(lab):
            raise Missing("a sanitizer's own system calls would be among the milter's")
        records = trace(lab, lambda: run_load(lab, 20, sessions=200, messages=10, recipients=5, headers=5))
        files = len({record["file"] for record in records})
        if files < 4:
            raise LabError("no callback changed a segment: %d files" % files)
        dialogue = lab.path("signed")
        with open(dialogue, "w", encoding="ascii") as file:
            file.write(SIGNED)
        records = trace(lab, lambda: play(lab, dialogue), auth="yes", dns_servers=["127.0.0.1@9"], dns_timeout="100ms")
        hashed = sum(record["stage"] == "dkim" for record in records)
        print("%d segments changed, %d signatures checked" % (files, hashed))
        if hashed < 100:
            raise LabError("%d signatures were looked at" % hashed)
    return 0


if __name__ == "__main__":
    run_test(main)
