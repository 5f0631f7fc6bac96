#!/usr/bin/python3
"""bench_spf.py - runs bench_spf and bench_dns with an nsd of their own behind the resolver. Argument: seconds for each number."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
from dns_lab import Nsd, find_program, txt
from lab import SKIPPED

ZONE = """
example.com. 300 IN A 192.0.2.10
example.com. 300 IN MX 10 mx1.example.com.
mx1.example.com. 300 IN A 192.0.2.11
out.example.org. 300 IN A 192.0.2.1
*.names.example.net. 300 IN A 192.0.2.2
""" + "example.com. 300 IN TXT %s\n" % txt("v=spf1 a mx include:_spf.example.net exists:%{ir}.list.example.net a:out.example.org -all") + \
    "_spf.example.net. 300 IN TXT %s\n" % txt("v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/25 ip6:2001:db8::/32 ~all")


def main():
    if not find_program("nsd"):
        print("skipped: nsd is missing (apt-get install nsd)")
        return SKIPPED
    folder = os.path.join(os.environ.get("top_builddir", "."), "tests/bench")
    seconds = sys.argv[1] if len(sys.argv) > 1 else "2"
    with Nsd(ZONE) as nsd:
        for program, domain in (("bench_spf", "example.com"), ("bench_dns", "names.example.net")):
            status = subprocess.run([os.path.join(folder, program), seconds, nsd.address, domain], check=False).returncode
            if status:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
