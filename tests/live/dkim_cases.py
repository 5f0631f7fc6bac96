"""Messages signed by python3-dkim, and one change a case; written as a table that test_dkim reads.

Run as a program it writes the stored table, tests/unit/dkim.cases. Keys are made new each time.
"""
import base64
import hashlib
import subprocess
import sys
from unittest import mock

import dkim
import dkim.canonicalization
import dkim.crypto
import nacl.encoding
import nacl.signing

HEADERS = [
    ('Received', ' from client.example.net (client.example.net [192.0.2.1])\r\n\tby mx.example.com; '
                 'Sat, 21 Nov 2026 08:00:00 +0000'),
    ('From', ' Ada <ada@example.com>'),
    ('To', ' bob@example.net'),
    ('Subject', ' a  test\r\n of folding'),
    ('Date', ' Sat, 21 Nov 2026 08:00:00 +0000'),
    ('Message-ID', ' <1@example.com>'),
]
BODY = 'Hello  Bob,\r\n\r\nthis is \t a line with blanks \r\nand the last.\r\n'
SIGNED = ['from', 'to', 'subject', 'date', 'message-id']
CANONICALIZATIONS = ['simple/simple', 'simple/relaxed', 'relaxed/simple', 'relaxed/relaxed']
FAR = 4102444800
SIGNED_AT = 1700000000		# the stored table is read on machines whose clocks differ


def openssl(*arguments, data=None):
    return subprocess.run(('openssl',) + arguments, input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout


class Key:
    """A key pair: pem or seed to sign with, p to publish."""

    def __init__(self, kind):
        self.kind = kind
        if kind == 'ed25519':
            signer = nacl.signing.SigningKey.generate()
            self.private = signer.encode(nacl.encoding.Base64Encoder)
            self.p = signer.verify_key.encode(nacl.encoding.Base64Encoder).decode()
            self.algorithm = 'ed25519-sha256'
            return
        self.private = openssl('genrsa', '-traditional', kind[3:])
        self.p = base64.b64encode(openssl('rsa', '-pubout', '-outform', 'DER', data=self.private)).decode()
        self.pkcs1 = base64.b64encode(openssl('rsa', '-RSAPublicKey_out', '-outform', 'DER',
                                              data=self.private)).decode()
        self.algorithm = 'rsa-sha256'

    def record(self, before='', p=None):
        kind = 'ed25519' if self.kind == 'ed25519' else 'rsa'
        return 'v=DKIM1; k=%s; %sp=%s' % (kind, before, self.p if p is None else p)

    def sign_digest(self, hasher):
        if self.kind == 'ed25519':
            return nacl.signing.SigningKey(self.private, encoder=nacl.encoding.Base64Encoder).sign(
                hasher.digest()).signature
        return dkim.crypto.RSASSA_PKCS1_v1_5_sign(hasher, dkim.crypto.parse_pem_private_key(self.private))


def message_of(headers, body):
    text = ''.join('%s:%s\r\n' % header for header in headers)
    return text.encode('utf-8', 'surrogateescape') + b'\r\n' + body.encode('utf-8', 'surrogateescape')


def sign_by_dkim(key, canonicalization, headers=HEADERS, body=BODY, selector='s', domain='example.com', **more):
    """The message with a signature of python3-dkim's own making in front."""
    header, body_canon = canonicalization.split('/')
    message = message_of(headers, body)
    with mock.patch.object(dkim.time, "time", lambda: SIGNED_AT):
        signature = dkim.sign(message, selector.encode(), domain.encode(), key.private,
                              canonicalize=(header.encode(), body_canon.encode()),
                              include_headers=[name.encode() for name in SIGNED],
                              signature_algorithm=key.algorithm.encode(), **more)
    return signature + message


def sign(key, tags=None, headers=HEADERS, body=BODY, drop=(), signed=None, digest='sha256', name='DKIM-Signature'):
    """A signature with any tags, canonicalized and signed by the parts of python3-dkim."""
    values = {'v': '1', 'a': key.algorithm, 'c': 'relaxed/relaxed', 'd': 'example.com', 's': 's',
              'h': ':'.join(SIGNED if signed is None else signed)}
    values.update(tags or {})
    c = values['c'].replace(' ', '')
    policy = dkim.canonicalization.CanonicalizationPolicy.from_c_value(
        c.encode() if c in CANONICALIZATIONS else b'relaxed/relaxed')
    pairs = [(n.encode('utf-8', 'surrogateescape'), (v + '\r\n').encode('utf-8', 'surrogateescape'))
             for n, v in headers]
    hashed = policy.canonicalize_body(body.encode('utf-8', 'surrogateescape'))
    if 'l' in values and values['l'].strip().isdigit():
        hashed = hashed[:int(values['l'])]
    values.setdefault('bh', base64.b64encode(hashlib.new(digest, hashed).digest()).decode())
    text = ' ' + '; '.join('%s=%s' % item for item in values.items() if item[0] not in drop) + '; b='
    hasher = hashlib.new(digest)
    left = policy.canonicalize_headers(pairs)
    for wanted in values['h'].split(':'):
        for index in range(len(left) - 1, -1, -1):
            if left[index][0].strip().lower() == wanted.strip().lower().encode():
                hasher.update(left[index][0] + b':' + left[index][1])
                del left[index]
                break
    own = policy.canonicalize_headers([(name.encode(), text.encode() + b'\r\n')])[0]
    hasher.update(own[0] + b':' + own[1][:-2])
    signature = base64.b64encode(key.sign_digest(hasher)).decode()
    return '%s:%s%s\r\n' % (name, text, signature)


class Table:
    def __init__(self, out):
        self.out, self.count = out, 0

    def add(self, name, message, dns, want, error=''):
        """want: one "result body" for each signature, joined by commas; body is match, mismatch or unknown."""
        if isinstance(message, str):
            message = message.encode('utf-8', 'surrogateescape')
        self.out.write(b'case %s\n' % name.encode())
        for line in want.split(', '):
            self.out.write(b'want %s\n' % line.encode())
        if error:
            self.out.write(b'error %s\n' % error.encode())
        for line in dns:
            self.out.write(b'dns %s\n' % line.encode('utf-8', 'surrogateescape'))
        self.out.write(b'message %d\n%s\n' % (len(message), message))
        self.count += 1


def at(record, selector='s', domain='example.com'):
    return '%s._domainkey.%s TXT %s' % (selector, domain, record)


def plain(signature, headers=HEADERS, body=BODY):
    return signature.encode() + message_of(headers, body)


def add_signers(table, keys):
    for key in keys.values():
        for canonicalization in CANONICALIZATIONS:
            table.add('%s %s passes' % (key.kind, canonicalization), sign_by_dkim(key, canonicalization),
                      [at(key.record())], 'pass match' if key.kind != 'rsa512' else 'policy match')


def add_changes(table, key):
    dns = [at(key.record())]
    for c in CANONICALIZATIONS:
        header, body = c.split('/')
        message = sign_by_dkim(key, c)
        table.add(c + ' changed body fails', message.replace(b'the last', b'the best'), dns, 'fail mismatch',
                  'the body')
        table.add(c + ' changed subject fails', message.replace(b'a  test', b'a  pest'), dns, 'fail match', 'headers')
        table.add(c + ' refolded subject', message.replace(b'test\r\n of', b'test\r\n\tof'), dns,
                  'pass match' if header == 'relaxed' else 'fail match')
        table.add(c + ' header name in capitals', message.replace(b'\r\nSubject:', b'\r\nSUBJECT:'), dns,
                  'pass match' if header == 'relaxed' else 'fail match')
        table.add(c + ' blank at the end of a line taken away', message.replace(b'blanks \r', b'blanks\r'), dns,
                  'pass match' if body == 'relaxed' else 'fail mismatch')
        table.add(c + ' empty lines at the end', message + b'\r\n\r\n', dns, 'pass match')
        table.add(c + ' no line end at the end', message[:-2], dns, 'pass match')
        table.add(c + ' empty body', sign_by_dkim(key, c, body=''), dns, 'pass match')
        table.add(c + ' empty body for a full one', sign_by_dkim(key, c)[:-len(BODY)], dns, 'fail mismatch')
        table.add(c + ' unsigned header added', b'X-Spam: no\r\n' + message, dns, 'pass match')
        table.add(c + ' dots and bare ends', sign_by_dkim(key, c, body='.\r\n..x\r\n \r\n\t\r\n'), dns, 'pass match')
    message = sign_by_dkim(key, 'relaxed/relaxed')
    table.add('no From at all', message.replace(b'\r\nFrom: Ada <ada@example.com>', b''), dns, 'fail match')


def add_tags(table, key, sha1_key):
    dns = [at(key.record())]
    rows = [
        ('own signer', {}, 'pass match', ''),
        ('q=dns/txt', {'q': 'dns/txt'}, 'pass match', ''),
        ('q= with two methods', {'q': 'http/web:dns/txt'}, 'pass match', ''),
        ('q= with an unknown method', {'q': 'http/web'}, 'neutral unknown', 'q='),
        ('x= in the future', {'t': '1700000000', 'x': str(FAR)}, 'pass match', ''),
        ('x= in the past', {'t': '1600000000', 'x': '1600086400'}, 'neutral unknown', 'expired'),
        ('t= in the future', {'t': str(FAR)}, 'neutral unknown', 'signed in the future'),
        ('x= before t=', {'t': str(FAR), 'x': str(FAR - 1)}, 'neutral unknown', 'it expires before'),
        ('t= is no number', {'t': 'now'}, 'neutral unknown', 't= is no'),
        ('x= is no number', {'x': '1e9'}, 'neutral unknown', 'x= is no'),
        ('v=2', {'v': '2'}, 'neutral unknown', 'v='),
        ('a= unknown', {'a': 'rsa-md5'}, 'neutral unknown', 'unknown algorithm'),
        ('c= unknown', {'c': 'nofws'}, 'neutral unknown', 'unknown canonicalization'),
        ('i= below d=', {'i': 'ada@mail.example.com'}, 'pass match', ''),
        ('i= beside d=', {'i': 'ada@example.net'}, 'neutral unknown', 'i= is outside'),
        ('i= only looks below d=', {'i': 'ada@badexample.com'}, 'neutral unknown', 'i= is outside'),
        ('i= without an address', {'i': 'ada'}, 'neutral unknown', 'i= is no address'),
        ('d= is no domain', {'d': 'example..com'}, 'neutral unknown', 'd='),
        ('d= with letters of others', {'d': 'ex(ample.com'}, 'neutral unknown', 'd='),
        ('h= without from', {'h': 'to:subject'}, 'neutral unknown', 'h='),
        ('h= oversigns', {'h': 'from:from:to:subject:subject'}, 'pass match', ''),
        ('h= with blanks', {'h': 'from : to\r\n : subject'}, 'pass match', ''),
        ('h= with 201 names', {'h': ':'.join(['from'] * 201)}, 'policy unknown', 'limit'),
        ('h= with 200 names', {'h': ':'.join(['from'] * 200)}, 'pass match', ''),
        ('h= of all headers and one more',
         {'h': 'received:from:to:subject:date:message-id:x:y:z'}, 'pass match', ''),
        # Here libopendkim writes behind an array.
        ('h= of all headers, its own, and one more',
         {'h': 'received:from:to:subject:date:message-id:dkim-signature:x'}, 'fail match', ''),
        ('bh= wrong', {'bh': 'A' * 43 + '='}, 'fail mismatch', 'the body'),
        ('bh= is no base64', {'bh': '***'}, 'neutral unknown', 'bh='),
        ('an unknown tag', {'z9': 'nothing'}, 'pass match', ''),
        ('a bad name of a tag', {'9z': 'nothing'}, 'neutral unknown', 'syntax'),
        ('an empty bh=', {'bh': ''}, 'neutral unknown', 'bh= is empty'),
        ('l= of the whole body', {'l': str(len(dkim.canonicalization.CanonicalizationPolicy.from_c_value(
            b'relaxed/relaxed').canonicalize_body(BODY.encode())))}, 'pass match', ''),
        ('l= of a part', {'l': '10'}, 'pass match', ''),
        ('l= with zeros in front', {'l': '0000000000000000000000010'}, 'pass match', ''),
        ('l=0', {'l': '0'}, 'pass match', ''),
        ('l= beyond the body', {'l': '5000'}, 'fail mismatch', 'the body is shorter'),
        ('l= is no number', {'l': '-1'}, 'neutral unknown', 'l='),
        ('l= empty', {'l': ''}, 'neutral unknown', 'l='),
        ('l= at the end of integers', {'l': '18446744073709551615'}, 'neutral unknown', 'l='),
        ('l= one before the end of integers', {'l': '18446744073709551614'}, 'neutral unknown', 'l='),
    ]
    for name, tags, want, error in rows:
        table.add(name, plain(sign(key, tags)), dns, want, error)
    for tag in ('v', 'a', 'bh', 'd', 'h', 's'):
        table.add('no %s=' % tag, plain(sign(key, drop=(tag,))), dns, 'neutral unknown', tag + '= is missing')
    good = sign(key)
    table.add('an l= of a part and more text behind', plain(sign(key, {'l': '10'}), body=BODY + 'more\r\n'), dns,
              'pass match')
    table.add('no b=', plain(good[:good.index('; b=')] + '\r\n'), dns, 'neutral unknown', 'b= is missing')
    table.add('an empty b=', plain(good[:good.index('; b=') + 4] + '\r\n'), dns, 'neutral unknown', 'b= is empty')
    table.add('b= cut by a letter', plain(good[:-4] + '\r\n'), dns, 'fail match')
    table.add('b= with one letter left', plain(good[:good.index('; b=') + 5] + '\r\n'), dns, 'neutral unknown', 'b=')
    table.add('b= with more behind its padding', plain(good[:-2] + 'AAAA\r\n'), dns, 'neutral unknown', 'b= is no')
    table.add('b= with too much padding', plain(good[:-2] + '==\r\n'), dns, 'neutral unknown', 'b= is no')
    table.add('a tag twice', plain(good.replace('v=1;', 'v=1; v=1;')), dns, 'neutral unknown', 'syntax: tag v= twice')
    table.add('a tag without value', plain(good.replace('v=1;', 'v=1; zz;')), dns, 'neutral unknown', 'syntax')
    table.add('an empty tag', plain(good.replace('v=1;', 'v=1;;')), dns, 'neutral unknown', 'syntax')
    table.add('a blank before the = of b', plain(good.replace('; b=', '; b =')), dns, 'neutral unknown', 'a blank')
    table.add('a byte that is not ASCII', plain(good.replace('v=1;', 'v=1; z=\u00e9;')), dns, 'neutral unknown', 'syntax')
    table.add('rsa-sha1', plain(sign(sha1_key, {'a': 'rsa-sha1'}, digest='sha1')), dns, 'policy match', 'rsa-sha1')
    table.add('rsa-sha1 broken', plain(sign(sha1_key, {'a': 'rsa-sha1'}, digest='sha1'), body='other\r\n'), dns,
              'fail mismatch')
    table.add('a second From where it was signed once',
              plain(good, [('From', ' eve@example.net')] + HEADERS), dns, 'pass match')
    table.add('a second From where it was over-signed',
              plain(sign(key, {'h': 'from:from:to'}), [('From', ' eve@example.net')] + HEADERS), dns, 'fail match')
    table.add('a header with a name of 8 bits', b'X-\xe9: x\r\n' + plain(good), dns, 'pass match')
    table.add('an empty name of a header', b': x\r\n' + plain(good), dns, 'pass match')
    table.add('the name in capitals', plain(sign(key, name='DKIM-SIGNATURE')), dns, 'pass match')
    table.add('no signature', message_of(HEADERS, BODY), dns, 'none')


def add_keys(table, keys):
    key, other = keys['rsa2048'], keys['rsa1024']
    ed = keys['ed25519']
    message = plain(sign(key))
    rows = [
        ('no key', [], 'permerror', 'no key: no such name'),
        ('no TXT at its name', ['s._domainkey.example.com A 192.0.2.1'], 'permerror', 'no key: no TXT'),
        ('DNS fails', ['s._domainkey.example.com TEMP x'], 'temperror', 'no answer for the key'),
        ('DNS answers with a forgery', ['s._domainkey.example.com BOGUS x'], 'temperror', 'bogus'),
        ('key revoked', [at(key.record(p=''))], 'permerror', 'key revoked'),
        ('key revoked with blanks', [at('v=DKIM1; p= ; n=x')], 'permerror', 'key revoked'),
        ('record without p=', [at('v=DKIM1; k=rsa')], 'permerror', 'broken key: no p='),
        ('record of SPF', [at('v=spf1 -all')], 'permerror', 'broken key: no p='),
        ('a record of SPF beside the key', [at('v=spf1 -all'), at(key.record())], 'pass', ''),
        ('two keys', [at(key.record()), at(other.record())], 'permerror', 'broken key: several'),
        ('bare PKCS #1 key', [at(key.record(p=key.pkcs1))], 'pass', ''),
        ('bare PKCS #1 key with a tag behind', [at(key.record(p=key.pkcs1) + '; n=note')], 'pass', ''),
        ('a p= with blanks', [at(key.record(p=key.p[:30] + ' ' + key.p[30:]))], 'pass', ''),
        ('p= is no base64', [at(key.record(p='!!!!'))], 'permerror', 'broken key'),
        ('another key', [at(keys['rsa4096'].record())], 'fail', 'headers'),
        ('a record of 1025 bytes', [at(key.record(before='n=%s; ' % ('x' * (1025 - 4 - len(key.record())))))],
         'permerror', 'broken key: its record is longer'),
        ('a record of 1024 bytes', [at(key.record(before='n=%s; ' % ('x' * (1024 - 4 - len(key.record())))))],
         'pass', ''),
        ('a key with no v= and no k=', [at('p=' + key.p)], 'pass', ''),
        ('v=DKIM2', [at('v=DKIM2; p=' + key.p)], 'permerror', 'key not usable'),
        ('h= without sha256', [at(key.record('h=sha1; '))], 'permerror', 'key not usable'),
        ('h= with sha256', [at(key.record('h=sha1:sha256; '))], 'pass', ''),
        ('s= for others', [at(key.record('s=tlsrpt; '))], 'permerror', 'key not usable'),
        ('s=email', [at(key.record('s=email; '))], 'pass', ''),
        ('s=*', [at(key.record('s=*; '))], 'pass', ''),
        ('t=y', [at(key.record('t=y; '))], 'pass', ''),
        ('t=s and no i=', [at(key.record('t=s; '))], 'pass', ''),
        ('k=ed25519 for an RSA signature', [at(ed.record())], 'permerror', 'wrong key'),
        ('a byte in the key that is not printable', [at(key.record() + '\x01')], 'permerror', 'broken key'),
    ]
    for name, dns, result, error in rows:
        body = 'unknown' if result in ('temperror', 'permerror') and not error.startswith('key not usable') else 'match'
        table.add('key: ' + name, message, dns, result + ' ' + body, error)
    table.add('key: t=s and i= below d=', plain(sign(key, {'i': 'a@mail.example.com'})), [at(key.record('t=s; '))],
              'permerror match', 'key not usable')
    table.add('key: k=rsa for an ed25519 signature', plain(sign(ed)), [at('v=DKIM1; p=' + ed.p)],
              'permerror unknown', 'wrong key')
    table.add('key: an ed25519 key of 31 bytes', plain(sign(ed)),
              [at(ed.record(p=base64.b64encode(b'x' * 31).decode()))], 'permerror match', 'key not usable')
    table.add('key: s= and d= make no name', plain(sign(key, {'s': 'a..b'})), [], 'permerror unknown', 'no key: s= and')
    ec = openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-outform', 'PEM')
    p = base64.b64encode(openssl('ec', '-pubout', '-outform', 'DER', data=ec)).decode()
    table.add('key: of an elliptic curve', message, [at('v=DKIM1; p=' + p)], 'permerror unknown', 'broken key: it is no RSA')


def add_many(table, keys):
    key, ed = keys['rsa2048'], keys['ed25519']
    dns = [at(key.record()), at(ed.record(), 'e')]
    good, edd = sign(key), sign(ed, {'s': 'e'})
    table.add('many: two signers', plain(edd + good), dns, 'pass match, pass match')
    table.add('many: one of two is broken', plain(edd.replace('h=from:to', 'h=from') + good), dns,
              'fail match, pass match')
    table.add('many: the same twice', plain(good + good), dns, 'pass match, pass match')
    table.add('many: three with one key, the first has expired',
              plain(sign(key, {'x': '1600000000'}) + good + good + good), dns,
              'neutral unknown, pass match, pass match, pass match')
    table.add('many: eleven', plain(good * 11), dns, ', '.join(['pass match'] * 10 + ['policy unknown']), '')
    table.add('many: four hashes of the body',
              plain(''.join(sign(key, {'l': str(length)}) for length in (1, 2, 3, 4, 1))), dns,
              'pass match, pass match, pass match, policy unknown, pass match')
    table.add('many: broken ones take no place',
              plain(sign(key, {'v': '2'}) * 12 + good), dns, ', '.join(['neutral unknown'] * 12 + ['pass match']))
    table.add('many: one that signs another that is not looked at',
              plain(sign(key, {'h': 'from:dkim-signature'}, headers=[('DKIM-Signature', ' v=2; x')] + HEADERS) +
                    'DKIM-Signature: v=2; x\r\n'), dns, 'neutral match, neutral unknown')
    table.add('many: one that signs another',
              plain(sign(key, {'h': 'from:dkim-signature'},
                         headers=[('DKIM-Signature', good[15:-2])] + HEADERS) + good), dns, 'pass match, pass match')


def add_bytes(table, key):
    """Bodies of bytes that no text has."""
    dns = [at(key.record())]
    for c in ('simple', 'relaxed'):
        for name, body in (('a NUL at the end', 'end\0'), ('a NUL', '\0'), ('a CR at the end', 'end\r'),
                           ('8 bits and a NUL', '\udcff\0\udc80 \udcfe')):
            signature = sign(key, {'c': 'relaxed/' + c}, body=body + '\r\n')
            table.add('bytes: %s, %s' % (c, name), plain(signature, body=body + '\r\n'), dns, 'pass match')
            table.add('bytes: %s, %s, no line end' % (c, name), plain(signature, body=body), dns, 'pass match')


def add_large(table, key):
    dns = [at(key.record())]
    long_line = 'x' * 70000 + '\r\n'
    table.add('large: a line of 70000 bytes, simple',
              plain(sign(key, {'c': 'relaxed/simple'}, body=long_line), body=long_line), dns, 'pass match')
    table.add('large: a line of 70000 bytes, relaxed', plain(sign(key, body=long_line), body=long_line), dns,
              'policy unknown', 'limit: a line')
    line = 'x' * 65000 + '\r\n'
    table.add('large: a line of 65000 bytes, relaxed', plain(sign(key, body=line), body=line), dns, 'pass match')
    table.add('large: a signature of 40000 bytes',
              plain(sign(key, {'z': 'z' * 40000}) + sign(key)), dns, 'policy unknown, pass match', 'limit: not checked, it is')
    for size in (65534, 65535, 65536, 65537, 65538, 131071, 200000):
        body = ('z ' * 37 + '\r\n') * (size // 76)
        body += 'e' * (size - len(body) - 2) + '\r\n'
        table.add('large: a body of %d bytes' % size, plain(sign(key, body=body), body=body), dns, 'pass match')
        table.add('large: a body of %d bytes, its last changed' % size,
                  plain(sign(key, body=body), body=body[:-3] + 'f\r\n'), dns, 'fail mismatch')
        table.add('large: a body of %d bytes, without a line end' % size,
                  plain(sign(key, body=body), body=body[:-2]), dns, 'pass match')
        table.add('large: an l= of all of %d bytes and more' % size,
                  plain(sign(key, {'c': 'relaxed/simple', 'l': str(size)}, body=body), body=body + 'x\r\n'), dns, 'pass match')
    headers = HEADERS + [('X-Large', ' ' + 'y' * 70000)]
    table.add('large: a header of 70000 bytes that is signed',
              plain(sign(key, {'h': 'from:x-large'}, headers=headers), headers), dns, 'pass match')
    table.add('large: a header of 70000 bytes that is not signed', plain(sign(key), headers), dns, 'pass match')


def write_table(out, is_whole=True):
    """The stored table does without what is large."""
    keys = {kind: Key(kind) for kind in ('rsa512', 'rsa1024', 'rsa2048', 'rsa4096', 'ed25519')}
    table = Table(out)
    add_signers(table, keys)
    add_changes(table, keys['rsa1024'])
    if is_whole:
        add_changes(table, keys['ed25519'])
        add_large(table, keys['rsa1024'])
    add_tags(table, keys['rsa1024'], keys['rsa1024'])
    add_keys(table, keys)
    add_many(table, keys)
    add_bytes(table, keys['rsa1024'])
    return table.count


if __name__ == '__main__':
    with open(sys.argv[1], 'wb') as stored:
        print(write_table(stored, False), 'cases')
