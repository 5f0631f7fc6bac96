"""page_data - what stands inside a page of smtptrail report --html, read without its script."""
import json
import re


def read(text):
    """The data of a page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found.group(1)) if found else None


def numbers(digits, text):
    """A column: the least digit first; those of the second half go on."""
    base, found, value, factor = len(digits) // 2, [], 0, 1
    for digit in map(digits.index, text):
        value, factor = value + digit % base * factor, factor * base
        if digit < base:
            found.append(value)
            value, factor = 0, 1
    return found


def transactions(data):
    """The transactions in the page, in its order."""
    tables = {name: text.split("\n") for name, text in data["tables"].items()}
    columns = {name: numbers(data["digits"], text) for name, text in data["columns"].items() if name != "key"}
    signed = lambda number: -(number + 1) // 2 if number % 2 else number // 2
    text = lambda table, column, i: tables[table][columns[column][i]]
    domain = lambda column, i: "@" + tables["domains"][columns[column][i] - 1] if columns[column][i] else ""
    found, time = [], 0
    for i in range(sum(data["kinds"])):
        time += signed(columns["time"][i])
        digest = 0
        for digit in data["columns"]["key"][5 * i:5 * i + 5]:
            digest = digest * len(data["digits"]) + data["digits"].index(digit)
        fate, *words = data["outcome"][columns["outcome"][i]]
        row = dict(zip(("stage", "by", "reason", "reply_code", "dsn", "spf", "dkim", "dmarc"), (tables["words"][word] for word in words)))
        to_domain = domain("to_domain", i)
        row.update(time=time, key="%08x%08x" % (time + signed(columns["key_time"][i]) - data["key_epoch"], digest), fate=data["fates"][fate],
                   delay=columns["delay"][i], size=columns["size"][i], client_addr=text("clients", "client", i),
                   relay=text("relays", "relay", i).replace("\t", to_domain[1:]), to=text("locals", "to_local", i) + to_domain,
                   **{"from": text("locals", "from_local", i) + domain("from_domain", i), "from_domain": domain("domain", i)[1:]})
        found.append(row)
    return found


def as_lines(text):
    """What a page shows without its script, and what its script shows, a line each: the picture, the tables' rows, counts, transactions."""
    body = text[text.index("<body"):]
    found = re.findall(r"<svg.*?</svg>", body[:body.index("<table")].replace("><", ">\n<"), re.S)[:1]
    found += re.findall(r"<caption>.*?</caption>|<tr.*?</tr>", body, re.S)
    data = read(text)
    rows = transactions(data)
    for name in ("digits", "tables", "columns", "outcome"):
        del data[name]
    found += ["%s %s" % (name, json.dumps(value, ensure_ascii=False)) for name, value in data.items()]
    found += ["transaction %s" % json.dumps(row, ensure_ascii=False, sort_keys=True) for row in rows]
    return "".join(line + "\n" for line in found)
