"""stored.py - every row of a store, with its evidence, in words that do not depend on the order in which it was written."""
import contextlib, glob, os, sqlite3


def numbers(blob):
    """The numbers of seven bits a byte."""
    value = shift = 0
    for byte in blob:
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


SHORT = 4			# of the flags: as version 2 of the store writes it


def pieces(blob):
    """The pieces of evidence, and the bytes behind them."""
    reader = iter(blob[1:])
    each = numbers(reader)
    found, before, source = [], 0, 1
    for _ in range(blob[0] & SHORT and blob[0] >> 3 or next(each)):
        word, minor = next(each), 0
        if blob[0] & SHORT:
            source = next(each) if word & 4 else source
            step = next(each)
            minor = next(each) if word & 2 else 0
            unsure, word = word & 1, word >> 3
        else:
            source, step, minor = next(each), next(each), next(each)
            unsure, word = word & 1, word >> 1
        before = (before + ((step >> 1) ^ -(step & 1))) % 2**64
        found.append((word, unsure, source, before, minor))
    return found, list(reader)


def evidence(blob, fact_count, words, sources):
    """Of each fact that the row has: join key, sureness, source, place."""
    found, rest = pieces(blob)
    indexes, last = [], None
    if blob[0] & SHORT and len(found) == 1:
        indexes = [0] * fact_count
    for byte in rest:
        if len(indexes) >= fact_count:
            break
        if byte < 0x80:
            last = byte
            indexes.append(last)
        else:
            indexes += [last] * (byte - 0x7f)
    assert len(indexes) == fact_count
    return tuple((words[found[i][0]], found[i][1], sources[found[i][2]]) + found[i][3:] for i in indexes)


def opened(path):
    """The database, to be read; what a killed writer left half done is taken back, as the next writer would."""
    reading = sqlite3.connect('file:%s?mode=ro' % path, uri=True)
    try:
        reading.execute('SELECT count(*) FROM sqlite_schema')
    except sqlite3.OperationalError as error:
        if 'readonly' not in str(error):
            raise
        with contextlib.closing(sqlite3.connect('file:%s?mode=rw' % path, uri=True)) as writing:
            writing.execute('SELECT count(*) FROM sqlite_schema')
    return reading


FIXED = {'session': 3, 'message': 7, 'recipient': 8, 'attempt': 4, 'check': 3, 'login': 4}


def day_rows(path, called=bytes):
    """Rows of one day's database, sorted; of a source its name, as called makes it."""
    day = opened(path)
    day.text_factory = bytes
    words = dict(day.execute('SELECT id, text FROM word'))
    sources = {number: called(name) for number, name in day.execute('SELECT id, name FROM source')}
    found = []
    for level, fixed in FIXED.items():
        keys = 'key' if level in ('session', 'message', 'login') else \
            'message_key, number' if level != 'attempt' else 'message_key, recipient, number'
        shown = day.execute('SELECT * FROM [%ss] ORDER BY %s' % (level, keys)).fetchall()
        stored = day.execute('SELECT * FROM [%s] ORDER BY %s' % (level, keys)).fetchall()
        assert len(shown) == len(stored), level
        for view, row in zip(shown, stored):
            has = sum(value is not None for value in row[fixed:-1])
            found.append((level,) + view + evidence(row[-1], has, words, sources))
    day.close()
    return sorted(found, key=repr)


def rows(folder, called=bytes):
    """All of them, by the names of their days; and the keys that are under way."""
    current = opened(os.path.join(folder, 'current.db'))
    open_keys = sorted(current.execute('SELECT key, is_session FROM open'))
    current.close()
    days = {os.path.basename(path): day_rows(path, called) for path in sorted(glob.glob(os.path.join(folder, '????-??-??.db')))}
    return days, open_keys


def positions(folder, kind):
    """How far inputs of that kind were read, as the last commit says; of whoever was killed, too."""
    path = os.path.join(folder, 'current.db')
    if not os.path.exists(path):
        return {}
    current = opened(path)
    try:
        return dict(current.execute('SELECT name, state FROM input WHERE kind = ?', (kind,)))
    except sqlite3.OperationalError as error:
        # It was killed before there were any.
        if 'no such table' not in str(error):
            raise
        return {}
    finally:
        current.close()


def difference(one, other):
    """The first differences between two stores, for a person; empty: none."""
    found = []
    if one[1] != other[1]:
        found.append('under way: %d and %d, %s' % (len(one[1]), len(other[1]), sorted(set(one[1]) ^ set(other[1]))[:4]))
    for day in sorted(set(one[0]) | set(other[0])):
        a, b = one[0].get(day, []), other[0].get(day, [])
        if a == b:
            continue
        only_a, only_b = sorted(set(a) - set(b), key=repr), sorted(set(b) - set(a), key=repr)
        found.append('%s: %d and %d rows; %d and %d differ' % (day, len(a), len(b), len(only_a), len(only_b)))
        found += ['  < %r' % (row,) for row in only_a[:3]] + ['  > %r' % (row,) for row in only_b[:3]]
    return '\n'.join(found)
