#!/usr/bin/python3
"""test_page.py - the page of smtptrail report --html in a real Chromium: gestures, keys, colours, hostile text.

Prints how long each gesture took, from its event until it was painted, and what of it the page's own thread computed (the
rest is waiting, on a loaded machine most of it): figures, no verdict. SMTPTRAIL_PAGE_SIZE is the size
of the log (default 12M), SMTPTRAIL_PAGE_PICTURES a folder that gets pictures of the page.
"""
import datetime
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile

from browser import Browser, missing
from lab import SKIPPED

BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
PROGRAM = os.path.join(BUILD, "smtptrail")
PICTURES = os.environ.get("SMTPTRAIL_PAGE_PICTURES")
SIZE_MAX = 1024 * 1024
HOSTILE = ["<script>window.hacked = 1</script>", "<img/src=x/onerror=window.hacked=1>", "\"'&lt;/script&gt;", "</script><b>bold",
           "\x1b[2J\x1b[31mred\x07", "\u202egpj.exe", "=cmd|'/c'!A1", "x" * 3000, "\udcff\udcfe"]

# Runs a gesture; gives the milliseconds until what came of it was painted.
TIMED = """
const [act, done] = [new Function(arguments[0]), arguments[arguments.length - 1]], begin = performance.now();
act();
requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => done(performance.now() - begin); channel.port2.postMessage(0); });
"""
FRAME = "const done = arguments[0]; requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => done(0); channel.port2.postMessage(0); })"
READY = "const done = arguments[0], look = () => 'ready' in document.documentElement.dataset ? done(0) : setTimeout(look, 5); look();"
# Copies a row's command; gives its query and what was copied.
COPY = """
const [number, done] = arguments, each = document.querySelectorAll('.rowtools button[aria-label]')[number];
const look = () => each.classList.contains('done') ? navigator.clipboard.readText().then(text => done([each.closest('tr').dataset.query, text])) : setTimeout(look, 5);
each.click();
look();
"""
# All words of the page, those that are not in sight too.
TEXT = "return [...document.querySelectorAll('body > :not(script)')].map(each => each.textContent).join('\\n')"
PANEL = "document.getElementById('panel-%s').parentNode"
OUTCOMES, DELAYS, FUNNEL, WEEK, MATRIX, TRANSACTIONS = ("outcomes-by-hour", "delay-of-deliveries", "from-connection-to-delivery",
                                                        "hours-of-the-week-utc-", "spf-dkim-and-dmarc-by-domain-of-from-", "transactions")


def make_page(directory, log, *words):
    page = os.path.join(directory, os.path.basename(log) + ".html")
    subprocess.run([PROGRAM, "report", "--html", page, *words, log], check=True, timeout=280, stderr=subprocess.DEVNULL)
    return page


def make_log(directory):
    log = os.path.join(directory, "mail.log")
    subprocess.run([os.path.join(BUILD, "tests/genlog/genlog"), "--size", os.environ.get("SMTPTRAIL_PAGE_SIZE", "12M"), "--rate", "1.6",
                    "--iso", "--out", log], check=True, timeout=120)
    return log


def make_hostile_log(directory):
    """Each value as sender, recipient, HELO, reply and rule of a refusal, and as an account that fails to log in."""
    log = os.path.join(directory, "hostile.log")
    with open(log, "w", encoding="utf-8", errors="surrogateescape") as file:
        for number, value in enumerate(HOSTILE):
            stamp = "2026-11-20T10:%02d:00.000000+00:00 mx" % number
            file.write("%s postfix/smtpd[%d]: connect from %s[192.0.2.7]\n" % (stamp, number + 1, value))
            file.write("%s postfix/smtpd[%d]: NOQUEUE: reject: RCPT from %s[192.0.2.7]: 554 5.7.1 <%s>: Recipient address rejected: %s; "
                       "from=<%s> to=<%s> proto=ESMTP helo=<%s>\n" % (stamp, number + 1, value, value, value, value, value, value))
            file.write("%s postfix/smtpd[%d]: warning: %s[192.0.2.7]: SASL LOGIN authentication failed: %s, sasl_username=%s\n" %
                       (stamp, number + 1, value, value, value))
            file.write("%s postfix/smtpd[%d]: disconnect from %s[192.0.2.7] ehlo=1 mail=1 rcpt=0/1 commands=2/3\n" % (stamp, number + 1, value))
    return log


class Tester:
    def __init__(self, directory, browser, page):
        self.directory, self.browser, self.page = directory, browser, page
        self.failed = self.passed = 0
        self.times = {}
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))

    def check(self, name, is_right, seen=""):
        is_right = bool(is_right)
        print("%s %s%s" % ("ok    " if is_right else "FAILED", name, "" if is_right else ": %s" % (seen,)), flush=True)
        self.failed += not is_right
        self.passed += is_right

    def equal(self, name, seen, wanted):
        self.check(name, seen == wanted, "%r, wanted %r" % (seen, wanted))

    def run(self, script, *arguments):
        return self.browser.run(script, *arguments)

    def open(self, page):
        """And waits until what is made behind the first picture is there."""
        self.browser.open(page)
        self.browser.run_later(READY)

    def time_opening(self):
        """What the page computes until it is painted, and each piece of what it leaves for later: that is held back here."""
        held = self.browser.devtools("Page.addScriptToEvaluateOnNewDocument",
                                     source="window.held = []; window.requestIdleCallback = work => window.held.push(work);")["identifier"]
        opened, pieces = [], []
        for _ in range(5):
            self.browser.open(self.page)
            self.browser.run_later(FRAME)
            opened.append(self.browser.computed() * 1000)
            while self.run("return window.held.length"):
                before = self.browser.computed()
                self.run("window.held.shift()()")
                self.browser.run_later(FRAME)
                pieces.append((self.browser.computed() - before) * 1000)
        self.browser.open(self.page)
        self.clear()
        self.equal("a gesture before that finds all transactions", self.found(), sum(self.data["kinds"]))
        self.run("document.querySelector('table.report').scrollIntoView()")
        self.browser.run_later("const done = arguments[0], look = () => document.querySelector('table.report .rowtools') ? done(0) : setTimeout(look, 5); look();")
        self.check("a table that comes into sight has its buttons", self.run("return window.held.length"))
        self.browser.devtools("Page.removeScriptToEvaluateOnNewDocument", identifier=held)
        print("| page: opening, median ms computed until it is painted: %.0f; pieces behind that: %d, the longest %.0f" % (
            statistics.median(opened), len(pieces) / 5, max(pieces)))
        self.check("the page leaves work for later", pieces)

    def timed(self, name, script):
        before = self.browser.computed()
        wall = self.browser.run_later(TIMED, script)
        self.times.setdefault(name, []).append((wall, (self.browser.computed() - before) * 1000))

    def picture(self, name):
        if PICTURES:
            self.browser.picture(os.path.join(PICTURES, name + ".png"), whole=False)

    # ---- what the page says ----

    def cells(self, panel):
        """The rows of a panel's last table, those that are folded too."""
        return self.run("const all = " + PANEL % panel + ".querySelectorAll('table'); return all.length ? [...all[all.length - 1].tBodies[0].rows]"
                        ".map(row => [...row.cells].map(cell => cell.textContent)) : [];")

    def transactions(self):
        return self.cells(TRANSACTIONS)

    def found(self):
        words = self.run("return " + PANEL % TRANSACTIONS + ".querySelector('[role=status]').textContent")
        return int(words.split()[0].replace(",", ""))

    def command(self):
        return self.run("return " + PANEL % TRANSACTIONS + ".querySelector('code.command').textContent")

    def click(self, panel, selector, words):
        """The first element of a panel that has the words."""
        self.run("[..." + PANEL % panel + ".querySelectorAll(arguments[0])].find(each => (each.getAttribute('aria-label') || each.textContent)"
                 ".includes(arguments[1])).dispatchEvent(new MouseEvent('click', {bubbles: true}))", selector, words)

    def clear(self):
        self.click(TRANSACTIONS, "button", "clear the filter")

    # ---- what it should say ----

    def sums(self, member, names, slots, at=1, count=2):
        found = {}
        for cell in self.data[member]:
            if slots is None or slots[0] <= cell[0] <= slots[1]:
                found[names[cell[at]]] = found.get(names[cell[at]], 0) + cell[count]
        return {name: number for name, number in found.items() if number}

    def check_panels(self, what, slots):
        def numbers(panel, column=1):
            return {row[0]: int(row[column].replace(",", "")) for row in self.cells(panel) if row[column] not in ("", "0")}
        self.equal(what + ": outcomes", numbers(OUTCOMES), self.sums("outcomes", self.data["fates"], slots))
        self.equal(what + ": funnel", numbers(FUNNEL), self.sums("funnel", self.data["stages"], slots))
        self.equal(what + ": deliveries by delay", sum(numbers(DELAYS).values()),
                   sum(cell[2] for cell in self.data["delays"] if slots is None or slots[0] <= cell[0] <= slots[1]))
        week = sum(int(cell.replace(",", "")) for row in self.cells(WEEK) for cell in row[1:])
        self.equal(what + ": hours of the week", week, sum(self.sums("outcomes", self.data["fates"], slots).values()))
        matrix = self.cells(MATRIX)
        domains = {domain for domain, count in self.sums("auth", self.data["domains"], slots, 1, 4).items() if count}
        self.check(what + ": authentication", {row[0] for row in matrix} <= domains and len(matrix) == min(15, len(domains)), (matrix, domains))

    def slot_begin(self, slot):
        return datetime.datetime.strptime(self.data["slots"][slot], "%Y-%m-%d %H")

    # ---- tests ----

    def test_opens(self):
        self.open(self.page)
        self.equal("it asks for nothing else", self.browser.requests(), ["file://" + self.page])
        self.equal("the console says nothing", self.browser.complaints(), [])
        self.run("for (const each of document.querySelectorAll('details')) each.open = true;")
        size = os.path.getsize(self.page)
        print("| page: %d kB, %d transactions in it" % (size / 1000, sum(self.data["kinds"])))
        self.check("it is below 1 MiB", size < SIZE_MAX, size)
        self.check_panels("everything", None)
        self.equal("all transactions are found", self.found(), sum(self.data["kinds"]))
        self.picture("light")
        ranks = [{"rejected": 2, "aborted": 2, "delivered": 3}.get(row[3], 0) for row in self.transactions()]
        self.equal("problems come first", ranks, sorted(ranks))

    def test_brush(self):
        count = len(self.data["slots"])
        slots = [count // 4, count // 2]
        self.browser.drag(".brush", (slots[0] + 0.5) / count, (slots[1] + 0.5) / count)
        self.check_panels("the brush", slots)
        begin, end = self.slot_begin(slots[0]), self.slot_begin(slots[1]) + datetime.timedelta(hours=1)
        times = [datetime.datetime.strptime(row[0], "%Y-%m-%d %H:%M:%S") for row in self.transactions()]
        self.check("the brush: transactions", times and all(begin <= time < end for time in times), times[:3])
        self.equal("the brush: the command", self.command(), "smtptrail search 'since:\"%s\" until:\"%s\"' %s" % (begin, end, self.page[:-5]))
        self.picture("brushed")
        self.clear()
        self.check_panels("no brush", None)

    def test_bars(self):
        fate, slot = "rejected", len(self.data["slots"]) // 2
        self.click(OUTCOMES, ".hit", "%s:00 %s: " % (self.data["slots"][slot], fate))
        rows = self.transactions()
        self.check("a bar leads to its transactions", rows and all(row[3] == fate and row[0].startswith(self.data["slots"][slot]) for row in rows),
                   rows[:2])
        self.check("a bar's command", "fate:" + fate in self.command() and "since:" in self.command(), self.command())
        self.clear()
        self.click(DELAYS, ".hit", "1 s to 3 s")
        delays = {row[7].split()[1] for row in self.transactions()}
        self.equal("a bar of delays leads to its transactions", delays, {"s"})
        self.clear()
        # A heat map's hour may be several hours of the log: the command says each of them.
        self.run(PANEL % WEEK + ".querySelector('.hit').dispatchEvent(new MouseEvent('click'))")
        self.check("an hour of the week leads to its transactions", 0 < self.found() < sum(self.data["kinds"]) and "since:" in self.command(), self.command())
        self.clear()
        domain, result = self.run("const cell = " + PANEL % MATRIX + ".querySelector('td.fail button, td.pass button'); cell.click();"
                                  "return [cell.closest('tr').cells[0].textContent, cell.closest('td').classList[1]]")
        rows = self.transactions()
        self.check("a cell of the matrix leads to its transactions", all(row[3] and domain.split()[0] in self.command() for row in rows) and
                   ":" + result in self.command(), (domain, result, self.command(), rows[:2]))
        self.clear()

    def test_tables(self):
        title = "Senders"
        pick = "[...document.querySelectorAll('table.report')].find(each => each.caption.textContent === '%s')" % title
        count = "[...%s.tHead.rows[0].cells].findIndex(cell => cell.textContent === 'Messages')" % pick
        column = "[...%s.tBodies[0].rows].filter(row => !row.classList.contains('hidden')).map(row => +row.cells[%s].dataset.value)" % (pick, count)
        before = self.run("return " + column)
        self.timed("sort a table", "%s.tHead.rows[0].cells[%s].firstChild.click()" % (pick, count))
        self.equal("a table sorts, the greatest first", self.run("return " + column), sorted(before, reverse=True))
        self.run("%s.tHead.rows[0].cells[%s].firstChild.click()" % (pick, count))
        self.equal("a table sorts, the least first", self.run("return " + column), sorted(before))
        first = self.run("return %s.tBodies[0].rows[0].cells[0].firstChild.textContent" % pick)
        self.timed("search in a table", "const find = %s.previousSibling.firstChild; find.value = '%s'; find.dispatchEvent(new Event('input'))" % (pick, first))
        shown = self.run("return [...%s.tBodies[0].rows].filter(row => !row.classList.contains('hidden')).map(row => row.textContent)" % pick)
        self.check("a table is searched", shown and all(first in row for row in shown) and len(shown) < len(before), shown)
        self.timed("show a row's transactions", "%s.tBodies[0].querySelector('.rowtools button').click()" % pick)
        rows = self.transactions()
        self.check("a row leads to its transactions", rows and all(row[1] == first for row in rows) or "from:" + first in self.command(), (first, rows[:2]))
        self.clear()
        self.run("%s.tBodies[0].querySelector('.rowtools button').click()" % pick.replace(title, "Refused, by reason"))
        rows = self.transactions()
        self.check("a row of refusals leads to them", rows and all(row[3] == "rejected" for row in rows) and "recipient.reason:" in self.command(), rows[:2])
        self.clear()

    def test_transactions(self):
        self.timed("sort transactions", "[..." + PANEL % TRANSACTIONS + ".querySelectorAll('th button')].find(each => each.textContent === 'Size').click()")
        self.equal("transactions sort", self.run("return " + PANEL % TRANSACTIONS + ".querySelector('[aria-sort]').getAttribute('aria-sort')"), "descending")
        wanted = self.transactions()[0][2]
        self.clear()
        self.browser.write("input[aria-label='find in transactions']", wanted)
        self.check("transactions are searched as one types", all(wanted in row[1:3] for row in self.transactions()) and self.found(), self.transactions()[:2])
        self.check("the field keeps the focus", self.run("return document.activeElement.type") == "search")
        self.clear()

    def test_copy(self):
        self.browser.devtools("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        self.click(OUTCOMES, ".tiles button", "rejected")
        self.browser.click("section:has(.transactions) .tools button:nth-of-type(2)")
        self.equal("the command is copied", self.copied(), "smtptrail search fate:rejected " + self.page[:-5])
        self.browser.click(".transactions tbody td button")
        copied = self.copied()
        self.check("a trace is copied", re.fullmatch(r"smtptrail trace key:[0-9a-f]{16} .*", copied), copied)
        self.clear()

    def test_colours(self):
        def background():
            return int(re.findall(r"\d+", self.run("return getComputedStyle(document.body).backgroundColor"))[0])
        self.browser.emulate(prefers_color_scheme="dark")
        self.check("dark where that is preferred", background() < 64, background())
        self.picture("dark")
        self.run("document.querySelector('header button').click()")
        self.check("light by the button", background() > 192, background())
        self.run("document.querySelector('header button').click()")
        self.browser.emulate(media="print")
        self.check("printed on white, without tools", background() == 255 and self.run("return getComputedStyle(document.querySelector('.tools')).display") == "none")
        pages = self.browser.devtools("Page.printToPDF", printBackground=True)["data"]
        self.check("it prints", len(pages) > 10000)
        self.browser.emulate(prefers_color_scheme="light")
        self.run("document.documentElement.removeAttribute('data-theme')")

    def test_keys(self):
        focus = "return document.activeElement.getAttribute('aria-valuetext') || document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
        self.run("document.querySelector('header button').focus()")
        self.browser.press("Tab")
        self.equal("the brush is the first stop", self.run(focus), "all")
        self.browser.press("Right")
        self.browser.press("Shift", "Right")
        self.browser.press("Right")
        wanted = "%s:00 to %s:00" % (self.data["slots"][1], self.data["slots"][2])
        self.equal("arrows choose, lengthen and move the span, and the focus stays", self.run(focus), wanted)
        self.check_panels("the span of the keys", [1, 2])
        self.browser.press("Escape")
        self.equal("escape chooses everything", self.run(focus), "all")
        tiles = self.run("return document.querySelectorAll('.tiles button').length")
        for _ in range(tiles + 1):
            self.browser.press("Tab")
        first = self.run(focus)
        self.browser.press("Right")
        second = self.run(focus)
        self.check("arrows go from bar to bar", first != second and first.startswith(self.data["slots"][0]), (first, second))
        self.browser.press("Enter")
        self.check("enter chooses a bar", "fate:" in self.command(), self.command())
        self.clear()

    def test_speech(self):
        nodes = self.browser.devtools("Accessibility.getFullAXTree")["nodes"]
        nameless = [node["role"]["value"] for node in nodes if not node.get("ignored") and node.get("role", {}).get("value") in
                    ("button", "slider", "searchbox", "textbox", "table", "region", "group", "img") and not node.get("name", {}).get("value")
                    and node["role"]["value"] not in ("table", "group")]
        self.equal("what a screen reader comes upon has a name", nameless, [])
        self.equal("one heading of the first level", self.run("return document.querySelectorAll('h1').length"), 1)

    def test_narrow(self):
        self.browser.devtools("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=False)
        self.open(self.page)
        small = self.run("return Math.min(...[...document.querySelectorAll('.panels svg text')].map(each => each.getBoundingClientRect().height))")
        self.check("on a telephone the words of pictures can be read", small > 8, small)
        self.check("on a telephone the page is no wider than its window", self.run("return document.documentElement.scrollWidth <= innerWidth"))
        self.picture("narrow")
        self.browser.devtools("Emulation.clearDeviceMetricsOverride")
        self.open(self.page)

    def test_times(self):
        self.run("for (const each of document.querySelectorAll('details')) each.open = false;")
        brush = "document.querySelector('.brush').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'%s}))"
        find = "const find = document.querySelector('input[aria-label=\"find in transactions\"]'); find.value = '%s'; find.dispatchEvent(new Event('input'))"
        for _ in range(5):
            self.timed("brush", brush % "")
            self.timed("lengthen the brush", brush % ", shiftKey: true")
            self.timed("clear", "[...document.querySelectorAll('.tools button')].find(each => each.textContent === 'clear the filter').click()")
            self.timed("choose a bar", PANEL % OUTCOMES + ".querySelector('.hit').dispatchEvent(new MouseEvent('click'))")
            self.clear()
            self.timed("search transactions", find % "anna")
            self.clear()
            self.timed("light / dark", "document.querySelector('header button').click()")
        print("| page: gestures, median ms (of which computed): " + ", ".join(
            "%s %.0f (%.0f)" % (name, *(statistics.median(each) for each in zip(*times))) for name, times in self.times.items()))

    def test_no_gesture_throws(self):
        """What a click throws stands in the console alone."""
        self.equal("after all gestures the console has said nothing", self.browser.complaints(), [])

    def copied(self):
        return str(self.browser.run_later("navigator.clipboard.readText().then(arguments[0], arguments[0])"))

    def test_hostile_gestures(self):
        """Rows, bars, heads of tables and the search field; a query is one word of the command that is copied, whatever is in it."""
        self.run("for (const each of document.querySelectorAll('details')) each.open = true;")
        self.run("for (const each of document.querySelectorAll('th button, .hit, .tiles button')) each.dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        self.clear()
        # What has a blank is no address.
        for value in HOSTILE[1:4]:
            self.run("const find = document.querySelector('input[aria-label=\"find in transactions\"]'); find.value = arguments[0]; find.dispatchEvent(new Event('input'))", value)
            self.check("hostile: found by %r" % value, self.found() > 0, self.found())
        self.clear()
        shown = self.run("const all = [...document.querySelectorAll('.rowtools button:not([aria-label])')]; for (const each of all) each.click(); return all.length")
        self.check("hostile: rows lead to their transactions", shown > 0, shown)
        self.clear()
        count = self.run("return document.querySelectorAll('.rowtools button[aria-label]').length")
        for number in range(count):
            asked, copied = self.browser.run_later(COPY, number)
            words = shlex.split(copied)
            if words[:2] != ["smtptrail", "search"] or asked not in words[2:4] or len(words) > 5:
                self.check("hostile: a copied command", False, (asked, words))
        self.check("hostile: %d commands are copied" % count, count > len(HOSTILE), count)
        self.equal("hostile: no gesture runs it", self.run("return window.hacked || document.querySelectorAll('img, b:not(.tiles b), iframe').length"), 0)
        self.equal("hostile: no gesture makes the console complain", self.browser.complaints(), [])

    def test_hostile(self, page):
        self.open(page)
        self.equal("hostile: nothing was run", self.run("return window.hacked || document.querySelectorAll('img, b:not(.tiles b), iframe').length"), 0)
        self.equal("hostile: the console says nothing", self.browser.complaints(), [])
        self.equal("hostile: nothing is asked for", self.browser.requests(), ["file://" + page])
        text = self.run(TEXT)
        self.check("hostile: markup is text", "<script>window.hacked = 1</script>" in text and "<img/src=x/onerror=window.hacked=1>" in text)
        bad = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text)
        self.equal("hostile: no control goes through", bad, [])
        self.check("hostile: a control is shown", "\\x1b[31mred" in text and "\\xe2\\x80\\xaegpj.exe" in text)
        self.check("hostile: the page is no wider than its window", self.run("return document.documentElement.scrollWidth <= innerWidth"))
        self.picture("hostile")
        self.test_hostile_gestures()


def test_without_scripts(tester, directory):
    folder = os.path.join(directory, "plain")
    os.mkdir(folder)
    with Browser(folder, scripts=False) as browser:
        browser.open(tester.page)
        # The driver's own scripts run; the page's must not have.
        text = browser.run(TEXT)
        tester.check("without scripts: its tables and its picture", "Senders" in text and browser.run("return document.querySelectorAll('#static rect').length") > 10)
        tester.check("without scripts: no panels", browser.run("return document.querySelectorAll('.panels').length") == 0)
        tester.check("without scripts: outcomes in words", re.search(r"delivered [\d,]+", text), text[:200])
        if PICTURES:
            browser.picture(os.path.join(PICTURES, "plain.png"), whole=False)


def main():
    lacks = missing()
    if lacks:
        print("skipped: needs " + lacks)
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="smtptrail-page-") as directory:
        page = make_page(directory, make_log(directory))
        hostile = make_page(directory, make_hostile_log(directory))
        folder = os.path.join(directory, "browser")
        os.mkdir(folder)
        with Browser(folder) as browser:
            tester = Tester(directory, browser, page)
            for test in (tester.test_opens, tester.test_brush, tester.test_bars, tester.test_tables, tester.test_transactions, tester.test_copy,
                         tester.test_colours, tester.test_keys, tester.test_speech, tester.test_narrow, tester.test_times, tester.test_no_gesture_throws):
                test()
            tester.time_opening()
            tester.test_hostile(hostile)
        test_without_scripts(tester, directory)
    print("%d passed, %d failed" % (tester.passed, tester.failed))
    return 1 if tester.failed else 0


if __name__ == "__main__":
    sys.exit(main())
