#!/usr/bin/env python3
"""write_figures.py - puts what scripts/bench printed into doc/performance.md, in place of what an earlier run said.

    write_figures.py DOCUMENT <OUTPUT

Both are Markdown whose sections begin with "## NAME"; one of the output that the document lacks is added at its end.
"""
import re
import sys


def sections_of(text):
    """What stands before the first one, and each with its heading, in their order."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return parts[0], {part.split("\n", 1)[0]: part.rstrip("\n") + "\n" for part in parts[1:]}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        head, sections = sections_of(file.read())
    came = sections_of(re.sub(r"\n{3,}", "\n\n", sys.stdin.read()))[1]
    if not came:
        sys.exit("write_figures.py: no section in what was printed")
    sections.update(came)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(head + "\n".join(sections.values()))


if __name__ == "__main__":
    main()
