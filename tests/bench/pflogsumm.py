"""pflogsumm.py - what pflogsumm prints of a log beside what smtptrail says of it, and why they differ.

A row is a number of ours, what is to be added to it (or taken away) and why, and pflogsumm's number. Each of these pieces is
counted from what smtptrail answers of the same log; what is left over is not explained. The reasons are those of pflogsumm
1.1.5's source.
"""
import collections
import csv
import io
import json
import re
import shutil
import subprocess

VERSION = "1.1.5"
PROGRAM = ["pflogsumm", "--smtpd-stats", "--detail", "1"]
Row = collections.namedtuple("Row", "name ours pieces theirs shown")
Piece = collections.namedtuple("Piece", "amount why")

NOTICES = "it leaves out notices of the MTA, which no client brought"
HOPS = "it counts the delivery to the content filter, and what comes back from there as mail of its own"
REUSED = "of a queue id that came again it keeps the size and the sender of the first message"
REFUSED = "it leaves out those whose mail was refused or discarded, all of it"
NOT_QUEUED = "it leaves out mail that was never active in the queue: discarded, or held"
LOGINS = "it leaves out those that failed to log in to a mailbox, and sent nothing"
CASE = "it takes addresses that differ in the case of letters for several"
NO_HOST = "it names a client by its name without the host's, or by its address where it has none, and not by its address"
IPV6 = "it makes no name, or one of the command counts, of a client with an IPv6 address"
SCREENED = "it leaves out sessions that ended in postscreen"
SECONDS = "it takes each time of the log for the second that it lies in"
HALF = "it rounds"
NO_END = "it counts connections whose end is in the log"
NOT_SENT = "it leaves out those that nothing was delivered to"
TWICE = "it counts each delivery of a message to the same recipient"


def is_missing():
    """Why there is nothing to compare with; None: there is."""
    if not shutil.which(PROGRAM[0]):
        return "pflogsumm is not installed"
    said = subprocess.run([PROGRAM[0], "--version"], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return None if VERSION in said.split() else "this pflogsumm is not %s: %s" % (VERSION, said.strip()[:60])


def shown(number):
    """As it prints a number: in kilobytes from half a megabyte on, cut off."""
    for unit, letter in ((1 << 20, "m"), (1 << 10, "k")):
        if number > unit << 9:
            return "%d%s" % (number / unit, letter)
    return "%d" % number


def client_name(client):
    """Its gimme_domain: name[address] as it is found behind "disconnect from"."""
    found = re.match(r"([^\[]*)\[((?:\d{1,3}\.){3}\d{1,3})\]", client) or re.match(r"([^/]*)/([0-9a-fA-F.:]+)", client) or \
        re.match(r"([^\[(/]*)[\[(/]([^\])]+)[\])]:?\d*$", client)
    if not found:
        return ""
    name, address = found.groups()
    if name in ("", "unknown"):
        return address
    parts = re.match(r"(.*)\.([^.]+)\.([^.]{3}|[^.]{2,3}\.[^.]{2})$", name, re.DOTALL)
    return "%s.%s" % (parts[2].lower(), parts[3]) if parts else name


def lower_domain(address):
    name, at, domain = address.partition("@")
    return name + at + domain.lower()


def domain_of(address):
    return re.sub(r"^[^@]+@", "", address, count=1)


class Ours:
    """What smtptrail says of the log: totals, reports, and their transactions."""

    def __init__(self, smtptrail, words, environment):
        def ask(*more):
            done = subprocess.run([smtptrail, *more, *words], env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")
            if done.returncode not in (0, 1):
                raise RuntimeError("exit %d: %r" % (done.returncode, more))
            return done.stdout

        def search(query, columns):
            return list(csv.DictReader(io.StringIO(ask("search", "--csv", "--limit", "0", "--columns", columns, *query.split()), newline="")))
        self.totals = json.loads(ask("report", "totals", "--json"))["totals"]
        self.tables = {name: table["rows"] for name, table in json.loads(ask(
            "report", "summary", "senders", "recipients", "domains", "clients", "--top", "0", "--json"))["tables"].items()}
        self.summary = {row["name"]: row["count"] for row in self.tables["summary"]}
        columns = "key,time,queue_id,from,size,client_name,client_addr,state"
        self.messages = search("is:message", columns)
        self.accepted = {row["key"] for row in search("is:message accepted:yes", "key")}
        self.logins = search("is:login outcome:failed", "client_addr,service")
        self.notices = {row["key"] for row in search("is:message parent:notice", "key")}
        self.hops = {row["key"] for row in search("is:message parent:hop", "key")}
        self.attempts = search("is:attempt", "key,time,queue_id,to,status,reply,relay_name")
        self.hop_tries = collections.Counter((row["key"], row["to"]) for row in search("is:attempt hop:yes", "key,to"))
        self.to = {row["to"].lower() for row in search("is:recipient", "to")}
        self.sessions = search("is:session", "client_addr,session.process")
        self.connections, self.without_end = read_connections(ask("parse", "--json"))
        for row in self.messages:
            row["size"] = int(row["size"] or 0)
        # Those that it knows the sender of: the queue manager has told it.
        self.queued = sorted((row for row in self.messages if row["size"]), key=lambda row: row["time"])
        self.first_of, self.again = {}, set()
        for row in self.queued:
            if self.first_of.setdefault(row["queue_id"], row) is not row:
                self.again.add(row["key"])
        self.received = [row for row in self.queued if row["key"] not in self.notices and row["key"] not in self.again]
        self.by_key = {row["key"]: row for row in self.messages}
        self.sent = [row for row in self.attempts if row["status"] == "sent" and "forwarded as " not in row["reply"]]

    def is_hop(self, attempt):
        return (attempt["key"], attempt["to"]) in self.hop_tries

    def size_there(self, attempt):
        first = self.first_of.get(attempt["queue_id"])
        return first["size"] if first else 0

    def size_here(self, attempt):
        return self.by_key[attempt["key"]]["size"] if attempt["key"] in self.by_key else 0


Connection = collections.namedtuple("Connection", "client seconds exact_us")


def address_of(connection):
    return connection.client.split("[", 1)[1].split("]")[0]


def read_connections(lines):
    """Connections of smtpd from their two lines, those of one process behind each other; and how many have no end."""
    open_at, found, without_end = {}, [], 0
    for line in lines.splitlines():
        if not line.startswith(('{"kind":"connect"', '{"kind":"disconnect"')):
            continue
        event = json.loads(line)
        if not event["process"].endswith("smtpd"):
            continue
        key, time = (event["host"], event["pid"]), event["time"]
        if event["kind"] == "connect":
            without_end += key in open_at
            open_at[key] = time
        elif key in open_at:
            begin = open_at.pop(key)
            counts = [(name[6:], value) for name, value in event.items() if name.startswith("count_")]
            client = "%s[%s]%s" % (event.get("client_name", ""), event.get("client_addr", ""),
                                   "".join(" %s=%s" % count for count in counts))
            found.append(Connection(client, whole_seconds(time) - whole_seconds(begin), microseconds(time) - microseconds(begin)))
    return found, without_end + len(open_at)


def microseconds(time):
    day, clock = time.rstrip("Z").split("T")
    hours, minutes, seconds = clock.split(":")
    return round(((int(day[-2:]) * 24 + int(hours)) * 60 + int(minutes)) * 60000000 + float(seconds) * 1e6)


def whole_seconds(time):
    return microseconds(time) // 1000000


def read_theirs(text):
    """Its grand totals by name, and of each list the first entry as its fields."""
    totals, firsts, title = {}, {}, ""
    for line in text.splitlines():
        total = re.match(r" *([0-9]+[km]?) +(received|delivered|forwarded|deferred|bounced|rejected|reject warnings|held|discarded|bytes received|"
                         r"bytes delivered|senders|sending hosts/domains|recipients|recipient hosts/domains|connections|hosts/domains|"
                         r"avg\. connect time \(seconds\))(?: |$)", line)
        if total and total[2] not in totals:
            totals[total[2]] = total[1]
        deferrals = re.search(r"\(([0-9]+[km]?) +deferrals\)", line)
        if deferrals:
            totals["deferrals"] = deferrals[1]
        time = re.match(r" *(\d+):(\d\d):(\d\d)  total connect time", line)
        if time:
            totals["total connect time"] = str((int(time[1]) * 60 + int(time[2])) * 60 + int(time[3]))
        longest = re.match(r" .* \d+:\d\d:\d\d +\d+s +(\d+)s$", line)
        if longest:
            totals["max. time"] = str(max(int(longest[1]), int(totals.get("max. time", 0))))
        # Lists stand below a title with a line of dashes.
        if re.match(r"(Host/Domain Summary|top 1 )", line):
            title = line
        elif title and re.match(r" +[0-9]+[km]? ", line):
            firsts.setdefault(title.split(" (")[0].replace("top 1 ", "").lower(), line.split())
            title = ""
    return totals, firsts


def counts_of(rows, name, number):
    counts = collections.Counter()
    for row in rows:
        counts[name(row)] += number(row)
    return counts


def total_rows(ours, theirs):
    """The grand totals."""
    t, notices = ours.totals, sum(row["size"] for row in ours.queued if row["key"] in ours.notices)
    hops = sum(ours.is_hop(row) for row in ours.sent)
    forwarded = sum(row["status"] == "sent" and "forwarded as " in row["reply"] for row in ours.attempts)
    deferred_keys = {row["key"] for row in ours.attempts if row["status"] == "deferred"}
    deferred_ids = {row["queue_id"] for row in ours.attempts if row["status"] == "deferred"}
    again = sum(row["size"] for row in ours.queued if row["key"] in ours.again and row["key"] not in ours.notices)
    sizes = sum(ours.size_there(row) - ours.size_here(row) for row in ours.sent)

    def row(name, number, *pieces, show=shown):
        return Row(name, number, [piece for piece in pieces if piece.amount], theirs.get(name, "0" if name == "deferrals" else None), show)
    yield row("received", t["received"], Piece(-t["received_bounce_notice"], NOTICES))
    yield row("delivered", t["final_deliveries"], Piece(hops, HOPS))
    yield row("forwarded", forwarded)
    yield row("deferred", len(deferred_keys), Piece(len(deferred_ids) - len(deferred_keys), REUSED))
    yield row("deferrals", t["deferred"])
    yield row("bounced", t["bounced"])
    yield row("rejected", t["rejected_total"])
    yield row("reject warnings", t["reject_warning"])
    yield row("held", t["hold"])
    yield row("discarded", t["discard"])
    yield row("bytes received", t["bytes_received"], Piece(-notices, NOTICES), Piece(-again, REUSED))
    yield row("bytes delivered", t["bytes_delivered"], Piece(sizes, REUSED))
    yield from kinds_rows(ours, row)
    yield from connection_rows(ours, row)


def steps(names, *sets):
    """From one set to the next: by how many each is larger. Where ours is not the number of the first, nothing explains that."""
    pieces = []
    for reason, more in sets:
        pieces.append(Piece(len(more) - len(names), reason))
        names = more
    return pieces


def sender_domain(row):
    """A mail without a sender's domain is of its client's, or of the name that pickup gave."""
    if "@" in row["from"]:
        return domain_of(lower_domain(row["from"]))
    client = "%s[%s]" % (row["client_name"], row["client_addr"])
    return client_name(client) if row["client_addr"] else row["from"] or "from=<>"


def kinds_rows(ours, row):
    """How many different ones."""
    queued, known = [each for each in ours.queued if each["key"] not in ours.again], ours.received
    sender = lambda each: each["from"].lower()
    domains = lambda rows: {domain_of(sender(each)) for each in rows if "@" in each["from"]}
    yield row("senders", len(ours.tables["senders"]), *steps(
        set(map(sender, ours.messages)), (REFUSED, set(map(sender, ours.queued))), (REUSED, set(map(sender, queued))), (NOTICES, set(map(sender, known))),
        (CASE, {lower_domain(each["from"]) for each in known})))
    yield row("sending hosts/domains", len(ours.tables["from_domains"]), *steps(
        domains(each for each in ours.messages if each["key"] in ours.accepted), (NOT_QUEUED, domains(ours.queued)), (REUSED, domains(queued)), (NOTICES, domains(known)),
        ("it counts the client of a mail without a sender's domain as one", set(map(sender_domain, known)))))
    to = {each["to"].lower() for each in ours.sent}
    yield row("recipients", len(ours.tables["recipients"]), *steps(ours.to, (NOT_SENT, to), (CASE, {lower_domain(each["to"]) for each in ours.sent})))
    yield row("recipient hosts/domains", len(ours.tables["to_domains"]), *steps(set(map(domain_of, ours.to)), (NOT_SENT, set(map(domain_of, to)))))


def connection_rows(ours, row):
    """Connections of smtpd, and how long they took."""
    screened = [each for each in ours.sessions if each["session.process"].endswith("postscreen")]
    served = [each for each in ours.sessions if not each["session.process"].endswith("postscreen")]
    clients = [{each["client_addr"] for each in those if each["client_addr"]} for those in (ours.sessions + ours.logins, ours.sessions, served)]
    addresses = {each.client: address_of(each) for each in ours.connections}
    old = {address for address in addresses.values() if ":" not in address}
    names, old_names = set(map(client_name, addresses)), {client_name(client) for client, address in addresses.items() if address in old}
    seconds, exact, count = sum(each.seconds for each in ours.connections), sum(each.exact_us for each in ours.connections), len(ours.connections)
    yield row("connections", ours.summary["sessions"], Piece(-len(screened), SCREENED), Piece(-ours.without_end, NO_END))
    yield row("hosts/domains", len(ours.tables["clients"]), *steps(clients[0], (LOGINS, clients[1]), (SCREENED, clients[2])),
              Piece(len(names) - len(old_names) - len(set(addresses.values())) + len(old), IPV6), Piece(len(old_names) - len(old), NO_HOST))
    yield row("total connect time", exact // 1000000, Piece(seconds - exact // 1000000, SECONDS), show=str)
    longest = max((each.exact_us for each in ours.connections), default=0) // 1000000
    yield row("max. time", longest, Piece(max((each.seconds for each in ours.connections), default=0) - longest, SECONDS), show=str)
    average = exact // 1000000 // count if count else 0
    rounded = int(exact / 1000000 / count + .5) if count else 0
    yield row("avg. connect time (seconds)", average, Piece(rounded - average, HALF),
              Piece((int(seconds / count + .5) if count else 0) - rounded, SECONDS), show=str)


def first_rows(ours, theirs):
    """The first entry of each list: its name, and its number here and there."""
    def table(name, key, number):
        values = {each[key].lower(): each.get(number, 0) for each in ours.tables[name]}
        return lambda name: values.get("<>" if name == "from=<>" else name.lower(), 0)

    def row(title, mine, *parts):
        fields = theirs.get(title)
        if not fields:
            return Row("first of " + title, 0, [], "there is none", shown)
        name, pieces = fields[-1], []
        for reason, numbers in parts:
            if numbers[name]:
                pieces.append(Piece(numbers[name], reason))
        return Row("first of %s: %s" % (title, name), mine(name), pieces, fields[0], shown)

    def of_mail(title, name, mine, number):
        hops = [each for each in ours.queued if each["key"] in ours.hops]
        again = [each for each in ours.queued if each["key"] in ours.again]
        accepted = ours.accepted - ours.hops
        never = [each for each in ours.messages if each["key"] in accepted and not each["size"]]
        return row(title, mine, (HOPS, counts_of(hops, name, number)), (REUSED, counts_of(again, name, lambda each: -number(each))),
                   (NOT_QUEUED, counts_of(never, name, lambda each: -number(each))),
                   (NOTICES, counts_of(notices, name, lambda each: -number(each))))

    def of_deliveries(title, name, mine, number):
        seen, hops, twice = set(), [], []
        for each in ours.sent:
            place = each["key"], each["to"]
            if ours.is_hop(each):
                hops.append(each)
            elif place in seen:
                twice.append(each)
            seen.add(place)
        return row(title, mine, (HOPS, counts_of(hops, name, ours.size_here if number else one)),
                   (TWICE, counts_of(twice, name, ours.size_here if number else one)),
                   (REUSED, counts_of(ours.sent, name, lambda each: ours.size_there(each) - ours.size_here(each) if number else 0)))
    def of_connections(title):
        counts = counts_of(ours.connections, lambda each: client_name(each.client), lambda each: 1)
        name = theirs.get(title, [""])[-1]
        those = {address_of(each) for each in ours.connections if client_name(each.client) == name}
        here = [each for each in ours.sessions if each["client_addr"] in those]
        screened = sum(each["session.process"].endswith("postscreen") for each in here)
        others = sum(address_of(each) in those for each in ours.connections) - counts[name]
        return row(title, lambda name: sum(each["sessions"] for each in ours.tables["clients"] if each["client"] in those),
                   (SCREENED, {name: -screened}), (NO_HOST, {name: -others}))
    notices = [each for each in ours.queued if each["key"] in ours.notices and each["key"] not in ours.again]
    one = lambda each: 1
    size = lambda each: each["size"]
    sender = lambda each: lower_domain(each["from"]) or "from=<>"
    to, to_domain = lambda each: lower_domain(each["to"]), lambda each: domain_of(lower_domain(each["to"]))
    yield of_deliveries("host/domain summary: message delivery", to_domain, table("to_domains", "domain", "delivered"), False)
    yield of_mail("host/domain summary: messages received", sender_domain, table("from_domains", "domain", "messages"), one)
    yield of_connections("host/domain summary: smtpd connections")
    yield of_mail("senders by message count", sender, table("senders", "from", "messages"), one)
    yield of_deliveries("recipients by message count", to, table("recipients", "to", "delivered"), False)
    yield of_mail("senders by message size", sender, table("senders", "from", "bytes"), size)
    yield of_deliveries("recipients by message size", to, table("recipients", "to", "bytes"), True)


def compare(smtptrail, words, log, environment):
    """The rows; words: what smtptrail is told about the log."""
    text = subprocess.run([*PROGRAM, log], env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8").stdout
    ours = Ours(smtptrail, [*words, log], environment)
    totals, firsts = read_theirs(text)
    return [*total_rows(ours, totals), *first_rows(ours, firsts)]


def is_explained(row):
    """Whether ours and the pieces give theirs, as it prints that."""
    return row.theirs == row.shown(row.ours + sum(piece.amount for piece in row.pieces))


def explanation(row):
    return "; ".join("%+d: %s" % piece for piece in row.pieces)
