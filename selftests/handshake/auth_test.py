# SPDX-License-Identifier: GPL-2.0
"""Basic and Digest, as a server demands them and as a client answers them."""
import base64
import hashlib
import os
import re
import signal
import socket
import struct
import tempfile

from client_test import accept, good, listen, plain
from peer import (DONE, EAUTH, EEOF, EHTTP, ELIMIT, Drive, case, contains, expect,
                  lacks, main, read_answer, read_head)
from server_test import request, whole

HASHES = {'MD5': hashlib.md5, 'SHA-256': hashlib.sha256,
          'SHA-512-256': lambda data: hashlib.new('sha512_256', data)}


def digest(user, password, realm, nonce, method, uri, algorithm='MD5',
           qop='auth', nc='00000001', cnonce='0a4f113b'):
    """The response of RFC 7616 section 3.4.1."""
    def h(*parts):
        return HASHES[algorithm.removesuffix('-sess')](
            ':'.join(parts).encode()).hexdigest()
    a1 = h(user, realm, password)
    if algorithm.endswith('-sess'):
        a1 = h(a1, nonce, cnonce)
    middle = [nonce, nc, cnonce, qop] if qop else [nonce]
    return h(a1, *middle, h(method, uri))


def parameters(text):
    """name=value pairs of a challenge or of credentials."""
    return {name.lower(): re.sub(r'\\(.)', r'\1', quoted) or token
            for name, quoted, token in re.findall(
                r'([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', text)}


def basic(text):
    return 'Authorization: Basic ' + base64.b64encode(text.encode()).decode()


def challenges(head):
    return [line.split(': ', 1)[1] for line in head.split('\r\n')
            if line.startswith('WWW-Authenticate: ')]


def credentials(challenge, method='GET', target='/', user='me',
                password='secret', **change):
    """An Authorization header for one of our challenges."""
    p = parameters(challenge)
    fields = {'username': user, 'realm': p['realm'], 'nonce': p['nonce'],
              'uri': target, 'algorithm': p['algorithm'], 'qop': 'auth',
              'nc': '00000001', 'cnonce': '0a4f113b'}
    fields.update(change)
    if 'response' not in fields:
        fields['response'] = digest(
            user, password, fields['realm'], fields['nonce'], method,
            fields['uri'], p['algorithm'], fields['qop'], fields['nc'],
            fields['cnonce'])
    bare = ('algorithm', 'qop', 'nc')
    return 'Authorization: Digest ' + ', '.join(
        f'{n}={v}' if n in bare else f'{n}="{v}"'
        for n, v in fields.items() if v is not None)


def asked(*options):
    """A server that demands credentials, and its 401."""
    ours, drive = whole(request(), ['user=me:secret', 'user=you:a:b',
                                    *options])
    head, _, rest = read_answer(ours)
    contains(head, 'HTTP/1.1 401 ')
    lacks(head, 'close')
    expect(rest, b'')
    return ours, drive, challenges(head)


def tried(ours, *lines, **changes):
    ours.sendall(request(*lines, **changes))
    return read_answer(ours)[0]


@case('RFC 7235: a server that wants to know who comes')
def demanded():
    ours, drive, offers = asked()
    expect([o.split()[0] for o in offers], ['Digest', 'Digest', 'Basic'])
    expect([parameters(o).get('algorithm') for o in offers],
           ['SHA-256', 'MD5', None])
    for offer in offers:
        expect(parameters(offer)['realm'], 'websocket')
    ours.close()
    expect(drive.finish().result, EHTTP)
    contains(drive.error, '401')


@case('RFC 7617: Basic')
def basic_accepted():
    for text, name in (('me:secret', 'me'), ('you:a:b', 'you')):
        ours, drive, _ = asked()
        contains(tried(ours, basic(text)), ' 101 ')
        ours.close()
        drive.finish()
        expect((drive.result, drive.user), (DONE, name))


@case('RFC 7617: Basic that is wrong')
def basic_refused():
    ours, drive, _ = asked()
    good_line = basic('me:secret')
    for line in (basic('me:Secret'), basic('me:secret '), basic('me:'),
                 basic('me'), basic(':secret'), basic('you:secret'),
                 basic('m:secret'), basic('me:secret\0'), basic('me:secret:'),
                 'Authorization: Basic', 'Authorization: Basic !!!!',
                 'Authorization: Basic bWU6c2VjcmV0=',
                 'Authorization: Basic ' + 'A' * 4000,
                 'Authorization: Bearer x', 'Authorization: ',
                 good_line + '\r\n' + good_line, 'X: y'):
        head = tried(ours, line)
        contains(head, ' 401 ')
        expect(len(challenges(head)), 3)
    contains(tried(ours, good_line), ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)


@case('RFC 7616 3.4: Digest with SHA-256 and MD5')
def digest_accepted():
    for i in (0, 1):
        ours, drive, offers = asked()
        contains(tried(ours, credentials(offers[i], target='/a?b'),
                       target='/a?b'), ' 101 ')
        ours.close()
        drive.finish()
        expect((drive.result, drive.user), (DONE, 'me'))


@case('RFC 7616 3.4: the target in either of its forms')
def digest_absolute():
    target = 'http://example.org/a?b'
    for uri, status in ((target, 101), ('/a?b', 101), ('/a', 401),
                        ('http://example.org/', 401)):
        ours, drive, offers = asked()
        contains(tried(ours, credentials(offers[0], target=uri), target=target),
                 f' {status} ')
        ours.close()
        drive.finish()


@case('RFC 7616 3.4: Digest that is wrong')
def digest_refused():
    ours, drive, offers = asked()
    for offer in offers[:2]:
        for change in ({'password': 'x'}, {'user': 'you'}, {'user': 'he'},
                       {'realm': 'x'}, {'target': '/x'},
                       {'response': ''}, {'response': '0' * 64},
                       {'method': 'POST'}, {'qop': ''}, {'qop': 'auth-int'},
                       {'nc': '1'}, {'nc': 'x' * 8}, {'cnonce': ''},
                       {'username': None}, {'cnonce': 'x' * 1100},
                       {'algorithm': 'SHA-256-sess'},
                       {'algorithm': 'SHA-1'}):
            head = tried(ours, credentials(offer, **change))
            contains(head, ' 401 ')
            lacks(head, 'stale')
        for more in ('username="me"', 'realm="websocket"', 'qop=auth',
                     'uri="/"', 'response=""'):
            head = tried(ours, credentials(offer) + ', ' + more)
            contains(head, ' 401 ')
    contains(tried(ours, credentials(offers[0])), ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)


def state(ours, line):
    """What becomes of these credentials: a status, and whether stale."""
    head = tried(ours, line, Upgrade=None)
    return int(head.split()[1]), 'stale=true' in head


@case('RFC 7616 3.3: a nonce that is not ours, but who knew the password')
def digest_stale():
    ours, drive, offers = asked()
    for offer in offers[:2]:
        nonce = parameters(offer)['nonce']
        for bad in ('x', nonce[:-1] + 'x', '0' * 16 + nonce[16:],
                    nonce.upper()[:63] + ' ', nonce + '0', '9' * 64):
            expect(state(ours, credentials(offer, nonce=bad)), (401, True),
                   bad)
            expect(state(ours, credentials(offer, nonce=bad, password='x')),
                   (401, False), bad)
    head = tried(ours, credentials(offers[0], nonce='x'))
    contains(tried(ours, credentials(challenges(head)[0])), ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)


@case('RFC 7616 3.3: a nonce that is too old')
def digest_old():
    ours, drive, offers = asked()
    expect(state(ours, credentials(offers[0])), (426, False))
    drive.process.send_signal(signal.SIGUSR1)
    line = credentials(offers[0], nc='00000002')
    expect(state(ours, line), (401, True))
    head = tried(ours, line)
    contains(tried(ours, credentials(challenges(head)[0])), ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)


@case('RFC 7616 3.4: an answer is good once, by the count')
def digest_replay():
    ours, drive, offers = asked('requests_max=100')
    for offer in offers[:2]:
        for nc, want in (('00000001', (426, False)), ('00000001', (401, True)),
                         ('0000000a', (426, False)), ('0000000A', (401, True)),
                         ('00000009', (401, True)), ('00000000', (401, True)),
                         ('0000000b', (426, False)),
                         ('ffffffff', (426, False)),
                         ('ffffffff', (401, True))):
            expect(state(ours, credentials(offer, nc=nc)), want, nc)
    ours.close()
    drive.finish()


@case('RFC 7616 3.4: nor is it good when the server has forgotten it')
def digest_forgotten():
    ours, drive, offers = asked('requests_max=100000')
    first = credentials(offers[0])
    expect(state(ours, first), (426, False))
    refusals = rest = b''
    for _ in range(30):
        ours.sendall(request(Upgrade=None) * 100)
        refusals = []
        for _ in range(100):
            head, _, rest = read_answer(ours, rest)
            refusals.append(head)
        ours.sendall(b''.join(request(credentials(challenges(head)[0]),
                                      Upgrade=None) for head in refusals))
        for _ in refusals:
            head, _, rest = read_answer(ours, rest)
            contains(head, ' 426 ')
    expect(state(ours, first), (401, True))
    ours.close()
    drive.finish()


NAME, WORD = 'J\xe4s\xf8n Doe', 'p\xe4ss'


@case('RFC 7616 4, RFC 7617 2.1: names and passwords in UTF-8')
def charset():
    for way in ('Basic', 'plain', 'extended'):
        ours, drive = whole(request(), [f'user={NAME}:{WORD}'])
        offers = challenges(read_answer(ours)[0])
        expect(parameters(offers[0])['charset'], 'UTF-8')
        expect(parameters(offers[2])['charset'], 'UTF-8')
        line = basic(f'{NAME}:{WORD}')
        if way != 'Basic':
            # request() writes Latin-1
            plain_line = credentials(offers[0], user=NAME, password=WORD)
            line = plain_line.encode().decode('latin-1')
        if way == 'extended':
            for bad in ("UTF-8''%", "UTF-8''%zz", "ISO-8859-1''x", 'x', "''"):
                contains(tried(ours, line.replace(
                    line.split('"')[1], bad).replace('username=', 'username*='
                                                     )), ' 401 ')
            value = "utf-8''J%c3%A4s%C3%B8n%20Doe"
            contains(tried(ours, line + f', username*={value}'), ' 401 ')
            line = line.replace(f'username="{line.split(chr(34))[1]}"',
                                f'username*={value}')
        contains(tried(ours, line), ' 101 ')
        ours.close()
        expect(drive.finish().user.encode('latin-1').decode(), NAME)
    for offer in ('Basic realm="x", charset="UTF-8"',
                  'Digest realm="x", nonce="n", qop="auth", charset=UTF-8'):
        drive, heads = session(unauthorized(offer), good,
                               options=(f'user={NAME}:{WORD}',))
        expect(drive.result, DONE)
        if offer[0] == 'B':
            expect(answer_of(heads[1]),
                   basic(f'{NAME}:{WORD}').split(': ')[1])
        else:
            p = parameters(answer_of(heads[1]))
            expect(p['username'].encode('latin-1').decode(), NAME)
            expect(p['response'], digest(NAME, WORD, 'x', 'n', 'GET', '/x?y',
                                         cnonce=p['cnonce']))


def nobody_gets_in(*options):
    ours, drive = whole(request(), options)
    for line in ('X: y', basic('me:secret'), basic(':'), basic('a:')):
        head, body, _ = read_answer(ours)
        contains(head, ' 401 ')
        contains(body, b'there is no user')
        ours.sendall(request(line))
    for user, password in (('me', 'secret'), ('', ''),
                           ('stranger', 'password')):
        if len(challenges(head)) == 3:
            line = credentials(challenges(head)[0], user=user,
                               password=password)
            contains(tried(ours, line), ' 401 ')
    ours.close()
    contains(drive.finish().error, 'no user')


@case('users that are none: nobody gets in, rather than everybody')
def no_users():
    nobody_gets_in('users_only=1')
    with tempfile.TemporaryDirectory() as where:
        for name, text, error in (('empty', '', -61), ('blank', '\n\r\n', -61),
                                  ('comments', '# me:secret\n#', -61),
                                  ('wrong', 'a:b\nsecret\nme:secret\n', -22),
                                  ('control', 'me:sec\x01ret\n', -22),
                                  ('', None, -21), ('missing', None, -2)):
            path = os.path.join(where, name)
            if text is not None:
                with open(path, 'w', encoding='ascii') as file:
                    file.write(text)
            drive = Drive('user=@' + path, 'accept', 9).finish()
            expect(drive.option, error, name)
            expect(len(drive.error) > 7, True)
            lacks(drive.error, 'secret')
            if name != 'wrong':
                nobody_gets_in('careless=1', 'user=@' + path)
        path = os.path.join(where, 'good')
        with open(path, 'w', encoding='ascii') as file:
            file.write('# who\n\nme:secret\r\nyou:a:b')
        for line in (basic('me:secret'), basic('you:a:b')):
            ours, drive = whole(request(line), ['user=@' + path])
            contains(read_head(ours)[0], ' 101 ')
            ours.close()
            expect(drive.finish().result, DONE)
    nobody_gets_in('careless=1', 'user=me')


@case('RFC 7616 5.1: how long a refusal takes does not tell which names exist')
def same_time():
    for i, kind in ((0, 'SHA-256'), (1, 'MD5'), (2, 'Basic')):
        taken = set()
        for user in ('me', 'you', 'stranger', 'm', '', 'x' * 500):
            ours, drive, offers = asked()
            line = basic(user + ':password') if kind == 'Basic' else \
                credentials(offers[i], user=user, password='password')
            contains(tried(ours, line), ' 401 ')
            ours.close()
            taken.add(drive.finish().digests)
        expect(len(taken), 1, f'{kind}: hashes, {taken}:')
        expect(min(taken) > 0, True)


@case('RFC 7617 2: names with a colon are nobody here; servers may have some')
def colon():
    # the name "you:a" would be taken for "you", whose password begins so
    for i in (0, 1):
        ours, drive, offers = asked()
        for user, password in (('you:a', 'b'), ('you:', 'a:b'), ('you:a', 'a:b'),
                               (':you', 'a:b'), ('you:a:b', '')):
            line = credentials(offers[i], user=user, password=password)
            contains(tried(ours, line), ' 401 ')
            p = parameters(line)
            line = credentials(offers[i], user=user, response=digest(
                'you', 'a:b', p['realm'], p['nonce'], 'GET', '/',
                p['algorithm']))
            contains(tried(ours, line), ' 401 ')
        ours.close()
        expect(drive.finish().user, None)
    # a client can have one for another server, in a URL
    for user, name, password in (('y%3Aou:a:b', 'y:ou', 'a:b'),
                                 ('y%3Aou', 'y:ou', ''), ('%3a:x', ':', 'x')):
        listener, port = listen()
        drive = Drive('connect', f'ws://{user}@127.0.0.1:{port}/')
        with accept(listener) as connection:
            read_head(connection)
            offer = 'Digest realm="x", nonce="n", qop="auth"'
            connection.sendall(unauthorized(offer)(''))
            head, _ = read_head(connection)
            answered(head, offer, user=name, password=password, uri='/')
            connection.sendall(good(head))
        expect(drive.finish().result, DONE)


@case('WSUP_AUTH: only what is allowed is offered and taken')
def schemes():
    ours, drive, offers = asked('auth=1')
    expect([o.split()[0] for o in offers], ['Basic'])
    ours.close()
    drive.finish()
    ours, drive, offers = asked('auth=2')
    expect([o.split()[0] for o in offers], ['Digest', 'Digest'])
    contains(tried(ours, basic('me:secret')), ' 401 ')
    contains(tried(ours, credentials(offers[1])), ' 101 ')
    ours.close()
    expect(drive.finish().user, 'me')


@case('nothing else is told to somebody unknown')
def before_all():
    for changes in ({'target': '/nowhere'}, {'method': 'POST'},
                    {'Origin': 'http://evil.org'}, {'Upgrade': None},
                    {'Sec_WebSocket_Key': 'x'}):
        ours, drive = whole(request(**changes),
                            ['user=a:b', 'path=/', 'realm=the zoo'])
        head, _, _ = read_answer(ours)
        contains(head, ' 401 ')
        contains(head, 'realm="the zoo"')
        ours.close()
        drive.finish()


# The client


def session(*steps, options=('user=me:secret',), keep=True):
    """Requests that get these answers in turn, on one connection or several."""
    listener, port = listen()
    drive = Drive(*options, 'connect', f'ws://127.0.0.1:{port}/x?y')
    heads = []
    connection = accept(listener)
    for step in steps:
        if not keep and heads:
            connection.close()
            connection = accept(listener)
        head, _ = read_head(connection)
        heads.append(head)
        connection.sendall(step(head))
    connection.close()
    drive.finish()
    listener.close()
    return drive, heads


def answer_of(head):
    lines = [line for line in head.split('\r\n')
             if line.startswith('Authorization: ')]
    expect(len(lines), 1, 'number of Authorization headers')
    return lines[0].split(': ', 1)[1]


def unauthorized(*offers, body=b'who?'):
    lines = ['WWW-Authenticate: ' + offer for offer in offers]
    return lambda head: plain('401 x', body, *lines)


def answered(head, offer, user='me', password='secret', method='GET',
             uri='/x?y'):
    """Is the answer to a Digest challenge right?"""
    p, o = parameters(answer_of(head)), parameters(offer)
    expect(p['username'], user)
    expect(p['realm'], o.get('realm', ''))
    expect(p['nonce'], o['nonce'])
    expect(p['uri'], uri)
    expect(p.get('opaque'), o.get('opaque'))
    expect(p.get('algorithm'), o.get('algorithm'))
    expect(p['response'], digest(
        user, password, o['realm'], o['nonce'], method, uri,
        o.get('algorithm', 'MD5'), p.get('qop', ''), p.get('nc'),
        p.get('cnonce')))
    return p


@case('seed 001: 401 is tried again on the same connection, Basic')
def retried_basic():
    drive, heads = session(unauthorized('Basic realm="x"'), good)
    expect(drive.result, DONE, drive.error)
    lacks(heads[0], 'Authorization')
    expect(answer_of(heads[1]), basic('me:secret').split(': ')[1])


@case('RFC 7616: 401 is tried again, Digest in all its kinds')
def retried_digest():
    for offer in ('Digest realm="a b", nonce="n1", qop="auth"',
                  'Digest realm="x", nonce="n1"',
                  'digest nonce="n", REALM="x",qop="auth-int , auth",'
                  ' opaque="o p"',
                  'Digest realm="x", nonce="n", opaque="", qop="auth"',
                  'Digest realm="x", nonce="n", algorithm=MD5, qop=auth',
                  'Digest realm="x", nonce="n", algorithm=SHA-256, qop="auth"',
                  'Digest realm="x", nonce="n", algorithm=SHA-512-256,'
                  ' qop="auth"',
                  'Digest realm="x", nonce="n", algorithm=MD5-sess,'
                  ' qop="auth"',
                  'Digest realm="x", nonce="n", algorithm=SHA-512-256-sess,'
                  ' qop="auth"',
                  'Digest realm = "x" , nonce = "n" , algorithm=SHA-256-sess'
                  ' , qop="auth"'):
        drive, heads = session(unauthorized(offer), good)
        expect(drive.result, DONE, drive.error)
        plain_offer = re.sub(r'\s*=\s*', '=', offer)
        p = answered(heads[1], plain_offer)
        if 'qop' in offer:
            expect((p['qop'], p['nc']), ('auth', '00000001'))


@case('RFC 7616 3.7: the best of several challenges, in one line or many')
def best_of_many():
    md5 = 'Digest realm="x", nonce="m", qop="auth", algorithm=MD5'
    sha = 'Digest realm="x", nonce="s", qop="auth", algorithm=SHA-256'
    odd = 'Digest realm="x", nonce="o", qop="auth", algorithm=SHA-1'
    other = 'Digest realm="x", nonce="i", qop="auth-int", algorithm=SHA-256'
    for offers in ([md5, sha, 'Basic realm="x"'], [sha, md5],
                   [f'Basic realm="a, b", {md5}, Negotiate, {sha}'],
                   ['Negotiate', 'NTLM TlRMTVNTUAAC==', sha], [odd, other,
                                                               sha]):
        drive, heads = session(unauthorized(*offers), good)
        expect(drive.result, DONE, drive.error)
        answered(heads[1], sha)
    drive, heads = session(unauthorized(odd, other, 'Basic realm="x"'), good)
    expect(answer_of(heads[1]), basic('me:secret').split(': ')[1])


@case('RFC 9110 5.6.4: quoted strings in both directions')
def quoting():
    drive, heads = session(
        unauthorized(r'Digest realm="a \"b\" \\c", nonce="n", qop="auth"'),
        good, options=('user=m"e:s',))
    expect(drive.result, DONE)
    contains(heads[1], r'username="m\"e"')
    contains(heads[1], r'realm="a \"b\" \\c"')
    got = parameters(answer_of(heads[1]))
    expect(got['response'], digest('m"e', 's', 'a "b" \\c', 'n', 'GET',
                                   '/x?y', cnonce=got['cnonce']))


@case('RFC 9112 9.6: on a new connection where the old one ends')
def reconnects():
    def closing(head):
        return plain('401 x', b'', 'Connection: close',
                     'WWW-Authenticate: Basic realm="x"')
    drive, heads = session(closing, good, keep=False)
    expect(drive.result, DONE, drive.error)
    contains(heads[1], 'Authorization: Basic ')


@case('an Authorization header of the caller, until the library knows better')
def own_authorization():
    drive, heads = session(unauthorized('Basic realm="x"'), good,
                           options=('header=Authorization: Bearer z',
                                    'user=me:secret'))
    expect(drive.result, DONE)
    expect(answer_of(heads[0]), 'Bearer z')
    expect(answer_of(heads[1]), basic('me:secret').split(': ')[1])


@case('RFC 9110 11.2: a challenge with a parameter twice is none')
def ambiguous_challenge():
    drive, _ = session(unauthorized('Digest realm="x", nonce="a", nonce="b"'))
    expect((drive.result, drive.status), (EAUTH, 401))


@case('credentials that are refused are not repeated')
def refused_twice():
    for offer in ('Basic realm="x"', 'Digest realm="x", nonce="n"'):
        drive, heads = session(unauthorized(offer), unauthorized(offer))
        expect((drive.result, drive.status), (EAUTH, 401))
        expect(len(heads), 2)
        expect(drive.body, b'who?')
        contains(drive.error, 'refused')


def end(connection, how):
    """The connection ends, now or when the next request comes."""
    if how == 'RST':
        # it has to be read before it is known
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack('ii', 1, 0))
        read_head(connection)
    if how == 'late':
        read_head(connection)
    connection.close()


@case('RFC 9112 9.3.1: a connection that is kept, and ends: another one')
def kept_and_closed():
    for offer in ('Basic realm="x"', 'Digest realm="x", nonce="n", qop=auth'):
        for how in ('FIN', 'late', 'RST'):
            listener, port = listen()
            drive = Drive('user=me:secret', 'connect',
                          f'ws://127.0.0.1:{port}/x?y')
            connection = accept(listener)
            read_head(connection)
            connection.sendall(unauthorized(offer, body=b'')(''))
            end(connection, how)
            with accept(listener) as connection:
                head, _ = read_head(connection)
                answer_of(head)
                connection.sendall(good(head))
            expect(drive.finish().result, DONE, drive.error)
            listener.close()
    # not for ever, and not after a part of an answer
    for answers, result in (((b'', b''), EEOF), ((b'HTTP',), EEOF)):
        listener, port = listen()
        drive = Drive('user=me:secret', 'connect', f'ws://127.0.0.1:{port}/')
        connection = accept(listener)
        read_head(connection)
        connection.sendall(unauthorized('Basic realm="x"', body=b'')(''))
        for i, answer in enumerate(answers):
            if i:
                connection = accept(listener)
            read_head(connection)
            connection.sendall(answer)
            connection.close()
        expect(drive.finish().result, result)
        listener.close()


@case('RFC 7616 3.3: a stale nonce deserves another try, not a hundred')
def stale():
    first = 'Digest realm="x", nonce="n1"'
    second = 'Digest realm="x", nonce="n2", stale=TRUE'
    drive, heads = session(unauthorized(first), unauthorized(second), good)
    expect(drive.result, DONE, drive.error)
    answered(heads[2], second)
    drive, heads = session(unauthorized(first), *[unauthorized(second)] * 3)
    expect(drive.result, EAUTH)


@case('401 without credentials, or of a kind that we do not know')
def not_possible():
    drive, _ = session(unauthorized('Basic realm="x"'), options=())
    expect((drive.result, drive.status), (EAUTH, 401))
    for offers in ([], ['Negotiate'], ['Digest realm="x"'],
                   ['Digest realm="x", nonce="n", algorithm=SHA-1'],
                   ['Digest realm="x", nonce="' + 'n' * 1100 + '"']):
        drive, _ = session(unauthorized(*offers))
        expect((drive.result, drive.status), (EAUTH, 401), offers)
        contains(drive.error, 'unknown kind')


@case('RFC 3986 3.2.1: name and password in the URL')
def in_the_url():
    for user, plain_text in (('a:b', 'a:b'), ('a', 'a:'), ('a%3Ab:c', 'a:b:c'),
                             ('%C3%A9:%40:', '\xe9:@:'), ('a:%25', 'a:%')):
        listener, port = listen()
        drive = Drive('connect', f'ws://{user}@127.0.0.1:{port}/')
        with accept(listener) as connection:
            lacks(read_head(connection)[0], 'Authorization')
            connection.sendall(unauthorized('Basic realm="x"')(''))
            head, _ = read_head(connection)
            expect(base64.b64decode(answer_of(head).split()[1]).decode(),
                   plain_text)
            connection.sendall(good(head))
        expect(drive.finish().result, DONE)


@case('limits: a target that no parameter of Digest holds')
def long_target():
    for length, want, status in ((1023, DONE, 101), (1024, ELIMIT, 401)):
        listener, port = listen()
        target = '/' + 'x' * (length - 1)
        drive = Drive('user=me:secret', 'connect',
                      f'ws://127.0.0.1:{port}{target}')
        with accept(listener) as connection:
            read_head(connection)
            connection.sendall(unauthorized('Digest realm="x", nonce="n"')(''))
            if want == DONE:
                connection.sendall(good(read_head(connection)[0]))
        expect((drive.finish().result, drive.status), (want, status))
        ours, drive, offers = asked()
        contains(tried(ours, credentials(offers[0], target=target),
                       target=target), f' {status} ')
        ours.close()
        drive.finish()


@case('both ends of the library agree')
def both_ends():
    for auth in (1, 2, 3):
        listener, port = listen()
        client = Drive('user=me:p w', 'connect', f'ws://127.0.0.1:{port}/a?b')
        connection = accept(listener)
        server = Drive('user=me:p w', f'auth={auth}', 'accept',
                       connection.fileno(), fds=[connection.fileno()])
        connection.close()
        while client.result is None:
            client.take(*client.line())
        expect(client.result, DONE, client.error)
        client.process.kill()
        client.process.wait()
        server.finish()
        expect((server.result, server.user), (DONE, 'me'))


if __name__ == '__main__':
    main('auth')
