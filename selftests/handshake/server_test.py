# SPDX-License-Identifier: GPL-2.0
"""The server's side: what clients send, byte by byte, and what they get."""
import resource
import socket
import struct
import tempfile
import time

from peer import (ACCEPT, DONE, EEOF, EHTTP, ELIMIT, ESYNTAX, KEY, Drive,
                  case, contains, expect, lacks, main, pair, read_all,
                  read_answer, read_head)

ETIMEDOUT = -110


def request(*lines, method='GET', target='/', version='HTTP/1.1', drop=(),
            **fields):
    """A good request, changed: fields by name, None takes one away."""
    usual = {'Host': 'example.org', 'Upgrade': 'websocket',
             'Connection': 'Upgrade', 'Sec-WebSocket-Key': KEY,
             'Sec-WebSocket-Version': '13'}
    for name, value in fields.items():
        usual[name.replace('_', '-')] = value
    head = [f'{method} {target} {version}']
    head += [f'{n}: {v}' for n, v in usual.items() if v is not None]
    head += lines
    return ('\r\n'.join(head) + '\r\n\r\n').encode('latin-1')


def whole(data, options):
    ours, theirs = pair()
    drive = Drive(*options, 'accept', theirs.fileno(), fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(data)
    return ours, drive


def bytewise(data, options):
    """Each byte alone, the next when the library waits for it."""
    ours, theirs = pair()
    drive = Drive('step=1', *options, 'accept', theirs.fileno(),
                  fds=[theirs.fileno()])
    theirs.close()
    for i in range(len(data)):
        if not drive.wait_again():
            break
        ours.sendall(data[i:i + 1])
    return ours, drive


def accepted(data, *options, behind=b'\x81\x00'):
    """Runs it in both ways; what the last one said."""
    for way in (bytewise, whole):
        ours, drive = way(data, options)
        head, rest = read_head(ours)
        contains(head, 'HTTP/1.1 101 Switching Protocols\r\n')
        contains(head, f'Sec-WebSocket-Accept: {ACCEPT}\r\n')
        contains(head, 'Upgrade: websocket\r\n')
        contains(head, 'Connection: Upgrade\r\n')
        lacks(head, 'Sec-WebSocket-Extensions')
        expect(rest, b'', 'data behind the answer')
        ours.sendall(behind)
        ours.shutdown(socket.SHUT_WR)
        drive.finish()
        expect(drive.result, DONE, 'result')
        expect(drive.status, 101, 'status')
        expect(drive.rest, behind, 'the rest')
        ours.close()
    return head, drive


def refused(data, status, *options, result=EHTTP, close=None):
    """Answered with another status; close: is the connection to end?"""
    for way in (bytewise, whole):
        ours, drive = way(data, options)
        head, body, rest = read_answer(ours)
        contains(head, f'HTTP/1.1 {status} ')
        contains(head, 'Date: ')
        expect(rest, b'', 'data behind the answer')
        if close is not None:
            expect('close' in head.partition('Connection: ')[2]
                   .partition('\r\n')[0], close, 'Connection: close')
        ours.shutdown(socket.SHUT_WR)
        expect(read_all(ours), b'', 'the end')
        drive.finish()
        expect(drive.result, result, 'result')
        expect(drive.status, status, 'status')
        contains(drive.error, str(status))
    return head, body


@case('RFC 6455 1.3: the example')
def example():
    head, drive = accepted(request(
        'Sec-WebSocket-Protocol: chat, superchat',
        Host='server.example.com', Origin='http://server.example.com',
        target='/chat'), 'subprotocol=chat', 'host=server.example.com')
    contains(head, 'Sec-WebSocket-Protocol: chat\r\n')
    expect(drive.subprotocol, 'chat')


@case('RFC 9110 5.1: names in any case and order')
def field_case():
    accepted(b'GET / HTTP/1.1\r\nSEC-WEBSOCKET-VERSION:13\r\n'
             b'sec-websocket-key:\t' + KEY.encode() + b' \t\r\n'
             b'cOnNeCtIoN: uPgRaDe\r\nhost: a\r\nUPGRADE: WebSocket\r\n\r\n')


@case('RFC 6455 4.2.1: token lists in Connection and Upgrade')
def token_lists():
    accepted(request(Connection='keep-alive, Upgrade',
                     Upgrade='h2c, websocket,'))
    accepted(request('Connection: upgrade', 'Upgrade: websocket',
                     Connection='keep-alive', Upgrade='foo'))


@case('seed 001: unknown headers are kept for the caller')
def unknown_headers():
    _, drive = accepted(request('SomeHeader: \xe9t\xe9', 'Empty:',
                                'Cookie: a=1', 'Cookie: b=2'))
    for field in (('SomeHeader', '\xe9t\xe9'), ('Empty', ''),
                  ('Cookie', 'a=1'), ('Cookie', 'b=2')):
        contains(drive.headers(), field)


@case('RFC 9112 2.2: an empty line before the request')
def empty_line_before():
    accepted(b'\r\n' + request())


@case('RFC 9112 3.2.2: absolute form of the target')
def absolute_target():
    for target, path, name in (
            ('http://example.org/x?y', '/x?y', 'example.org'),
            ('http://other.org/', '/', 'other.org'),
            ('http://example.org.evil:81/a//b', '/a//b', 'example.org.evil:81'),
            ('https://[::1]:8080', '/', '[::1]:8080'),
            ('HTTP://EXAMPLE.ORG?a=/b', '/?a=/b', 'EXAMPLE.ORG'),
            ('ws://a/http://b/?http://c', '/http://b/?http://c', 'a'),
            ('/http://b/', '/http://b/', 'example.org')):
        for method in ('GET', 'POST'):
            ours, drive = whole(request(target=target, method=method,
                                        Upgrade=None), ['ask=page'])
            read_answer(ours)
            ours.close()
            drive.finish()
            expect(drive.requests, [f'0 {method} {path}'])
        _, drive = accepted(request(target=target),
                            'path=' + path.partition('?')[0])
        expect([v for n, v in drive.headers() if n == 'Host'], [name])
        refused(request(target=target), 404, 'path=/other')
    for bad in ('ftp://example.org/', 'http://', 'http:///x', 'http://u@a/',
                'http://a:99999/', 'http://a/#b', 'http://?x', 'http://[::1/'):
        refused(request(target=bad), 400, close=True)
    for bad in ('http:/a', 'a', 'a/b'):
        refused(request(target=bad), 400, result=ESYNTAX, close=True)
    # there is still to be a Host, and one
    refused(request(target='http://a/', Host=None), 400)
    refused(request('Host: a', target='http://a/', Host='a'), 400)


@case('RFC 9112 3.2.2: the authority of the target is the name, not Host')
def absolute_authority():
    page = {'Origin': 'http://evil.org'}
    refused(request(target='http://evil.org/', Host='127.0.0.1', **page), 403)
    refused(request(target='http://127.0.0.1/', Host='evil.org', **page), 403)
    refused(request(target='http://evil.org/', Host='example.org'), 403,
            'host=example.org')
    accepted(request(target='http://127.0.0.1/', Host='evil.org',
                     Origin='http://127.0.0.1'))


@case('contract: no byte behind the blank line is lost')
def nothing_lost():
    early = b'\x81\x85abcd' + bytes(range(256)) * 300
    for step in ('step=0', 'step=1'):
        ours, drive = whole(request() + early, [step])
        read_head(ours)
        ours.shutdown(socket.SHUT_WR)
        drive.finish()
        expect(drive.rest, early, 'the rest')


@case('RFC 6455 4.2.1: IPv6 works as IPv4 does')
def ipv6():
    ours, theirs = pair(socket.AF_INET6)
    drive = Drive('accept', theirs.fileno(), fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(request(Host='[::1]:8080', Origin='http://[::1]:8080'))
    contains(read_head(ours)[0], ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)


@case('RFC 6455 4.2.1, 1: only GET')
def methods():
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'):
        for fields in ({}, {'Upgrade': None}):
            head, _ = refused(request(method=method, **fields), 405,
                              close=False)
            contains(head, 'Allow: GET, HEAD\r\n')
    refused(request(method='CONNECT', target='example.org:80'), 400)


@case('RFC 9110 9.3.7: OPTIONS about the server as such')
def options():
    head, _ = refused(request(method='OPTIONS', target='*', Upgrade=None), 405,
                      close=False)
    contains(head, 'Allow: GET, HEAD\r\n')
    refused(request(target='*'), 400)
    # it has no page of this name
    for ask in ('page', 'file', 'refuse'):
        ours, drive = whole(request(method='OPTIONS', target='*',
                                    Upgrade=None), ['ask=' + ask])
        contains(read_answer(ours)[0], ' 405 ')
        ours.close()
        expect(drive.finish().requests, [])


@case('RFC 9110 9.3.2: HEAD is GET without the body, and no upgrade')
def head_has_no_body():
    for options, status in (((), 426), (('path=/x',), 404)):
        ours, drive = whole(request(method='HEAD'), options)
        head, rest = read_head(ours)
        contains(head, f'HTTP/1.1 {status} ')
        lacks(head, 'Content-Length: 0')
        ours.shutdown(socket.SHUT_WR)
        expect(rest + read_all(ours), b'', 'the body')
        expect(drive.finish().result, EHTTP)


@case('RFC 6455 4.2.1, 1: HTTP/1.1 or higher')
def versions():
    head, _ = refused(request(version='HTTP/1.0'), 426, close=True)
    lacks(head, '101')
    refused(request(version='HTTP/2.0'), 505, close=True)


@case('RFC 9112 3.2, 9.3: HTTP/1.0 has no Host, and no next request')
def http_1_0():
    refused(b'GET / HTTP/1.0\r\n\r\n', 426, close=True)
    refused(b'OPTIONS / HTTP/1.0\r\n\r\n', 405, close=True)
    refused(b'GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', 404,
            'path=/', close=True)
    refused(b'GET http://a/ HTTP/1.0\r\n\r\n', 426, close=True)
    refused(b'GET http://a/ HTTP/1.0\r\n\r\n', 403, 'host=b', close=True)
    refused(request('Host: b', version='HTTP/1.0'), 400, close=True)
    ours, drive = whole(b'HEAD / HTTP/1.0\r\n\r\n', ['ask=page'])
    expect(read_head(ours)[1], b'')
    ours.close()
    expect(drive.finish().requests, ['0 HEAD /'])


@case('RFC 9113 3.4: the preface of HTTP/2 is refused')
def http_2():
    ours, drive = whole(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(20), [])
    head, _, _ = read_answer(ours)
    contains(head, 'HTTP/1.1 400 ')
    contains(head, 'close')
    ours.close()
    expect(drive.finish().result, ESYNTAX)


@case('RFC 9110 7.2: one Host')
def host():
    refused(request(Host=None), 400, close=True)
    refused(request('Host: example.org'), 400)
    for bad in ('', 'a b', 'a/b', 'u@h', 'a:b', '[::1', 'a:65536'):
        refused(request(Host=bad), 400)


@case('RFC 9110 7.8: what is no upgrade is told so')
def no_upgrade():
    for fields in ({'Upgrade': None}, {'Connection': None},
                   {'Upgrade': 'h2c'}, {'Connection': 'keep-alive'},
                   {'Upgrade': 'websocket2'}, {'Connection': 'xUpgrade'}):
        head, body = refused(request(**fields), 426, close=False)
        contains(head, 'Upgrade: websocket\r\n')
        contains(head, 'Connection: Upgrade\r\n')
        contains(head, 'Sec-WebSocket-Version: 13\r\n')


@case('a 426 tells which of its reasons it has')
def why_no_upgrade():
    told = set()
    for change, part in (({'Upgrade': None}, b'no Upgrade header'),
                         ({'Upgrade': 'h2c'}, b'not websocket'),
                         ({'Connection': 'keep-alive'}, b'Connection does not'),
                         ({'Connection': None}, b'Connection does not'),
                         ({'version': 'HTTP/1.0'}, b'HTTP/1.1'),
                         ({'Sec_WebSocket_Version': '8'}, b'has to be 13')):
        _, body = refused(request(**change), 426)
        contains(body, part)
        told.add(body)
    expect(len(told), 5)


@case('RFC 6455 4.4: another version is told ours')
def websocket_version():
    for version in (None, '', '8', '12', '14', '013', '13, 8', '13a'):
        head, _ = refused(request(Sec_WebSocket_Version=version), 426,
                          close=False)
        contains(head, 'Sec-WebSocket-Version: 13\r\n')
    refused(request('Sec-WebSocket-Version: 13'), 426)


@case('RFC 6455 4.2.1, 5: the key is 16 bytes in base64')
def key():
    for bad in (None, '', KEY[:-1], KEY[:-2] + 'A=', 'A' + KEY, KEY + '=',
                KEY[:-4] + 'QQ=A', '*' + KEY[1:], 'AAAA', KEY[:10] + ' ' +
                KEY[11:], KEY[:-2] + '-='):
        refused(request(Sec_WebSocket_Key=bad), 400, close=False)
    refused(request('Sec-WebSocket-Key: ' + KEY), 400)


@case('RFC 6455 4.2.2, 4: origins')
def origin():
    ours = 'host=example.org'
    for bad in ('http://evil.org', 'null', '', 'http://example.org:81',
                'http://example.org.evil', 'http://example.org/x',
                'http://example.org/', 'http://u@example.org',
                'http://example.org http://example.org', 'example.org',
                'file://', 'foo://example.org'):
        refused(request(Origin=bad), 403, ours)
    refused(request(Origin='http://example.org', Host='example.org:8080'),
            403, ours)
    refused(request(Origin='http://[::1]:81', Host='[::1]'), 403)
    refused(request('Origin: http://example.org',
                    Origin='http://example.org'), 403, ours)
    for good in ('http://example.org', 'https://EXAMPLE.org',
                 'http://example.org:80'):
        accepted(request(Origin=good), ours)
    accepted(request(Origin='http://example.org:81', Host='example.org:81'),
             ours)
    accepted(request(Origin='https://example.org:443', Host='EXAMPLE.org'),
             ours)
    accepted(request(Origin='http://example.org', Host='example.org:80'), ours)
    accepted(request())


@case('DNS rebinding: a name of a page, that was given to this server')
def rebinding():
    for name in ('evil.org', 'evil.org:8080', 'localhost.evil.org', 'xlocalhost',
                 '127.0.0.1.evil.org', '1.2.3', '127.0.0.1x', 'evil.org.'):
        page = {'Host': name, 'Origin': 'http://' + name}
        _, body = refused(request(**page), 403, close=False)
        contains(body, b'not told that its name is ' + name.encode())
        for options in ((), ('ask=page',), ('ask=file',)):
            refused(request(Upgrade=None, **page), 403, *options, close=False)
            refused(request(method='POST', **page), 403, *options)
        refused(request('Content-Length: 5', **page) + b'hello', 403,
                close=True)
        refused(request(**page), 403, 'host=other.org', 'ask=refuse',
                'allow_origin=http://other.org')
    refused(b'GET / HTTP/1.0\r\nOrigin: http://a\r\n\r\n', 403)
    for name in ('127.0.0.1', '127.0.0.1:8080', '10.1.2.3', '[::1]',
                 '[fe80::1]:81', 'localhost', 'LOCALHOST:81', 'localhost.',
                 'app.localhost', 'a.b.localhost:81'):
        accepted(request(Host=name, Origin='http://' + name))
        accepted(request(Host=name, Origin='http://' + name), 'host=other.org')


@case('WSUP_HOST: the names of this server')
def host_names():
    for name in ('example.org', 'EXAMPLE.ORG', 'example.org.'):
        for ours in ('other.org', name), (name, 'other.org'), ('*',):
            ours = ['host=' + one for one in ours]
            page = {'Host': 'Example.org:81', 'Origin': 'http://example.org:81'}
            accepted(request(**page), *ours)
            accepted(request(Host='example.org.:81'), *ours)
    # then it holds for those who are no page as well: files have no Origin
    for other in ('a.example.org', 'example.or', 'example.orgx', 'evil.org:80'):
        refused(request(Host=other), 403, 'host=example.org')
        refused(request(Host=other, Upgrade=None), 403, 'host=example.org',
                'ask=page')
    # a page that is allowed may use any name
    accepted(request(Host='evil.org', Origin='https://app.example'),
             'host=example.org', 'allow_origin=https://app.example')
    refused(request(Origin='http://evil.org'), 403, 'host=*')
    for bad in ('', 'a:80', 'a:', '[::1]:80', 'http://a', 'a/', 'u@a', 'a b',
                '*.a', '::1', '[::1', 'a?'):
        expect(Drive('host=' + bad, 'accept', 9).finish().option, -22, bad)


@case('RFC 6455 10.2: origins that are allowed beside our own')
def origin_allowed():
    options = ('allow_origin=https://app.example', 'allow_origin=null')
    accepted(request(Origin='https://app.example'), *options)
    accepted(request(Origin='null'), *options)
    accepted(request(Origin='http://example.org'), 'host=example.org',
             *options)
    refused(request(Origin='http://app.example'), 403, *options)
    accepted(request(Origin='http://evil.org'), 'allow_origin=*')
    for ours, theirs in (('https://a.example:443', 'https://A.example'),
                         ('HTTPS://a.example', 'https://a.example:443'),
                         ('http://a.example:8080', 'http://a.example:8080'),
                         ('moz-extension://6d-1', 'moz-extension://6d-1'),
                         ('http://[::1]', 'http://[::1]:80'),
                         ('file://', 'file://')):
        accepted(request(Origin=theirs), 'allow_origin=' + ours)
    for theirs in ('https://a.example:444', 'http://a.example:443',
                   'https://b.a.example', 'https://a.example.b', 'null',
                   'https://a.example/'):
        refused(request(Origin=theirs), 403, 'allow_origin=https://a.example')
    for bad in ('a.example', 'https://', 'https://a/', '', 'https://a?b',
                'https://u@a', '://a', '**', 'NULL', 'https://a\r\nb'):
        expect(Drive('allow_origin=' + bad, 'accept', 9).finish().option, -22,
               bad)


@case('RFC 6455 4.2.2, 5: exactly one subprotocol, one that was offered')
def subprotocol():
    options = ('subprotocol=b', 'subprotocol=a')
    for lines, want in ((['Sec-WebSocket-Protocol: a, b'], 'b'),
                        (['Sec-WebSocket-Protocol: a',
                          'Sec-WebSocket-Protocol: c,b'], 'b'),
                        (['Sec-WebSocket-Protocol: a'], 'a')):
        head, drive = accepted(request(*lines), *options)
        contains(head, f'Sec-WebSocket-Protocol: {want}\r\n')
        expect(head.count('Sec-WebSocket-Protocol'), 1)
        expect(drive.subprotocol, want)
    for lines in (['Sec-WebSocket-Protocol: A'], [],
                  ['Sec-WebSocket-Protocol: ab']):
        head, drive = accepted(request(*lines), *options)
        lacks(head, 'Sec-WebSocket-Protocol')
        expect(drive.subprotocol, None)


@case('RFC 6455 4.1, 10: an offer is a list of tokens, each there once')
def subprotocol_offer():
    name = 'Sec-WebSocket-Protocol: '
    for lines in ([name + 'a, a'], [name + 'a', name + 'b,a'], [name],
                  [name + ','], [name + 'a b'], [name + '"a"'],
                  [name + 'a/b'], [name + 'a;q=1'], [name + 'a, \xe9'],
                  [name + ','.join(str(i) for i in range(101))]):
        refused(request(*lines), 400, 'subprotocol=a', close=False)
    for lines in ([name + 'a,, b ,'], [name + 'A, a'], [name, name + 'a'],
                  [name + ','.join(str(i) for i in range(99)) + ',a']):
        head, _ = accepted(request(*lines), 'subprotocol=a')
        contains(head, name + 'a\r\n')


@case('RFC 6455 9.1: extensions are declined')
def extensions():
    name = 'Sec-WebSocket-Extensions: '
    for lines in ([name + 'permessage-deflate; client_max_window_bits'],
                  [name + 'foo, bar; baz=2', name + 'x;a="b";c = d ; e,'],
                  [name + 'a;b="c\\d"', name + ',x']):
        head, drive = accepted(request(*lines))
        contains(drive.headers(), tuple(lines[0].split(': ', 1)))


@case('RFC 6455 9.1: a malformed offer of extensions is refused')
def extension_offer():
    for bad in ('', ',', 'a b', 'a;', 'a;;b', ';a', 'a=b', 'a;b=', 'a;b=c d',
                'a;b="c d"', 'a;b=""', 'a;b="c', 'a;b="c"d', '"a"',
                'a, b;"c"', 'a;b=c=d', 'a/b', 'a;b="c,d"', 'a;b="\\"'):
        refused(request('Sec-WebSocket-Extensions: ' + bad), 400, close=False)


@case('seed 000: an ordinary server for what is not served')
def paths():
    accepted(request(target='/a?b=/c'), 'path=/a', 'path=/b')
    accepted(request(target='/b'), 'path=/a', 'path=/b')
    for target in ('/', '/a/', '/ab', '/?/a', '/c'):
        refused(request(target=target), 404, 'path=/a', 'path=/b',
                close=False)
    refused(request(target='/a#b'), 400, 'path=/a')
    for target in ('/a/', '/a/b', '/a/b/c?d', '/x'):
        accepted(request(target=target), 'path=/a/*', 'path=/x')
    for target in ('/', '/a', '/ab', '/b/a/', '/x/', '/?/a/b'):
        refused(request(target=target), 404, 'path=/a/*', 'path=/x',
                close=False)
    accepted(request(target='/any'), 'path=/*')
    for target in ('/a%00b', '/%00'):
        refused(request(target=target), 400)


@case('a restriction that is wrong is none that lets pass')
def restrictions():
    for option, status in (('path=x', 404), ('path=@/nowhere', 404),
                           ('host=a:b', 403), ('host=@/dev/null', 403),
                           ('user=@/dev/null', 401)):
        refused(request(), status, 'careless=1', option)
    page = {'Origin': 'http://evil.org', 'Host': '127.0.0.1'}
    refused(request(**page), 403, 'careless=1', 'allow_origin=evil.org')


@case('what is wrong with a value is told, and not the value')
def sentences():
    for option, part in (('timeout=0', 'from 1 to 3600000'),
                         ('fields_max=3', 'from 8 to 10000'),
                         ('header=X', "'Name: value'"),
                         ('header=Upgrade: x', 'belongs to the handshake'),
                         ('subprotocol=a b', 'token'),
                         ('path=x', 'begin with a slash'),
                         ('user=secret', 'NAME:PASSWORD'),
                         ('realm=a"b', 'quotes'),
                         ('allow_origin=a.example', 'SCHEME://HOST'),
                         ('allow_origin=https://*.a.example', 'name each'),
                         ('allow_origin=https://a:99999', '65535'),
                         ('allow_origin=http://b\xfccher.example', 'xn--'),
                         ('allow_origin=wss://a.example', 'http://'),
                         ('allow_origin=http://a_b!', 'name, or an address'),
                         ('path=/a b', '%20'), ('path=/\xe9', '%20'),
                         ('path=/%zz', '%20'), ('path=/?a', 'no query'),
                         ('host=secret:80', 'without a port'),
                         ('proxy=http://\x01', 'control characters'),
                         ('user=@/etc/passwd/x', 'directory'),
                         ('user=@/dev/null', 'no line')):
        drive = Drive(option, 'accept', 9).finish()
        expect(drive.option < 0, True, option)
        contains(drive.error, part)
        lacks(drive.error, 'secret')
    drive = Drive('subprotocol=a', 'subprotocol=a', 'accept', 9).finish()
    contains(drive.error, 'already')


@case('RFC 9112 6: a request with a body is answered, and the last one')
def body():
    refused(request('Content-Length: 5') + b'hello', 400, close=True)
    refused(request('Transfer-Encoding: chunked') + b'0\r\n\r\n', 400)
    accepted(request('Content-Length: 0'))
    for lines, data in ((['Content-Length: 5'], b'hello'),
                        (['Expect: 100-continue', 'Content-Length: 5'], b''),
                        (['Transfer-Encoding: chunked'],
                         b'5\r\nhello\r\n0\r\n\r\n'),
                        (['Content-Length: 1000000'], bytes(1000000))):
        ours, drive = whole(request(*lines, method='POST', Upgrade=None),
                            ['ask=page'])
        try:
            ours.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        head, _, rest = read_answer(ours)
        contains(head, 'HTTP/1.1 405 ')
        contains(head, 'close')
        ours.shutdown(socket.SHUT_WR)
        expect(rest + read_all(ours), b'')
        drive.finish()
        expect((drive.result, drive.requests), (EHTTP, []))
    refused(request('Content-Length: 5') + b'hello', 401, 'user=a:b',
            close=True)
    for lines in (['Content-Length: 5', 'Transfer-Encoding: chunked'],
                  ['Content-Length: 5', 'Content-Length: 6'],
                  ['Content-Length: x'], ['Content-Length: -1'],
                  ['Content-Length: 99999999999999999999']):
        refused(request(*lines), 400, result=ESYNTAX, close=True)


@case('RFC 9112: what is not HTTP ends with 400')
def syntax():
    good = request()
    for bad in (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
                b'SSH-2.0-OpenSSH_9.2\r\n',
                good.replace(b'GET', b'get'),
                good.replace(b'GET /', b'GET  /'),
                good.replace(b' HTTP/1.1', b'  HTTP/1.1'),
                good.replace(b' HTTP/1.1', b''),
                good.replace(b'HTTP/1.1', b'HTTP/11'),
                good.replace(b'HTTP/1.1', b'HTTP/1.1 '),
                good.replace(b'Host:', b'Host :'),
                good.replace(b'Host:', b'Ho st:'),
                good.replace(b'Host:', b' Host:'),
                good.replace(b'Host: example.org', b'Host'),
                good.replace(b'Host:', b':'),
                good.replace(b'example.org', b'exa\0mple.org'),
                good.replace(b'Upgrade: w', b'X: a\r\n b\r\nUpgrade: w'),
                good.replace(b'Upgrade: w', b'X: a\rb\r\nUpgrade: w'),
                good.replace(b'\r\n', b'\n'),
                good.replace(b'GET /', b'GET /\x7f'),
                b'GET\r\n\r\n'):
        refused(bad, 400, result=ESYNTAX, close=True)


@case('limits: head, header lines')
def limits():
    accepted(request('X: ' + 'x' * 15000))
    refused(request('X: ' + 'x' * 17000), 431, result=ELIMIT, close=True)
    refused(request('X: ' + 'x' * 900), 431, 'head_max=1000', result=ELIMIT)
    refused(request(target='/' + 'x' * 17000), 431, result=ELIMIT)
    many = ['X: y'] * 95
    accepted(request(*many))
    refused(request(*many, 'X: z'), 431, result=ELIMIT)
    refused(request(*many), 431, 'fields_max=99', result=ELIMIT)


def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@case('limits: the time that header lines take grows with their number alone')
def many_lines():
    before = cpu_time()
    for name in ('Host', 'Upgrade', 'Connection', 'Transfer-Encoding',
                 'Authorization', 'Sec-WebSocket-Extensions', 'Origin',
                 'Sec-WebSocket-Protocol'):
        ours, drive = whole(request(*[f'{name}: a'] * 9900),
                            ['fields_max=10000', 'head_max=1000000'])
        read_head(ours)
        ours.close()
        drive.finish()
    # going through all lines for each of them takes a minute
    taken = cpu_time() - before
    expect(taken < 4, True, f'{taken:.1f} s of CPU time:')


@case('limits: the head ends exactly at the limit')
def limit_exact():
    data = request('X: ' + 'x' * 400)
    accepted(data, f'head_max={len(data)}')
    refused(data, 431, f'head_max={len(data) - 1}', result=ELIMIT)


@case('a megabyte of headers gets its answer and no reset')
def megabyte():
    ours, drive = whole(request()[:-2], [])
    line = b'X: ' + b'x' * 1000 + b'\r\n'
    try:
        for _ in range(1000):
            ours.sendall(line)
    except (BrokenPipeError, ConnectionResetError):
        pass
    contains(read_answer(ours)[0], 'HTTP/1.1 431 ')
    ours.close()
    expect(drive.finish().result, ELIMIT)


@case('time: who is slow with the head gets 408')
def slow_head():
    for step in ('step=0', 'step=1'):
        ours, drive = whole(request()[:-1], ['timeout=200', step])
        head, _, _ = read_answer(ours)
        contains(head, 'HTTP/1.1 408 ')
        contains(head, 'Connection: close')
        ours.shutdown(socket.SHUT_WR)
        expect(read_all(ours), b'')
        expect(drive.finish().result, ETIMEDOUT)


@case('time: more bytes do not extend it')
def slowloris():
    ours, theirs = pair()
    drive = Drive('step=1', 'timeout=500', 'accept', theirs.fileno(),
                  fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(b'GET / HTTP/1.1\r\nX: ')
    sent = 0
    ours.settimeout(0.005)
    data = b''
    while b'\r\n\r\n' not in data and sent < 10000:
        try:
            data += ours.recv(4096)
        except socket.timeout:
            ours.sendall(b'x')
            sent += 1
    contains(data, b'HTTP/1.1 408 ')
    ours.close()
    expect(drive.finish().result, ETIMEDOUT)


@case('time: who is refused and goes on is left')
def linger():
    ours, drive = whole(b'junk\r\n\r\n', ['timeout=2000'])
    contains(read_answer(ours)[0], ' 400 ')
    expect(read_all(ours), b'', 'the end of the answer')
    ours.sendall(b'more')
    expect(drive.finish().result, ESYNTAX)


@case('time: however fast a peer sends, a step is short and the limit holds')
def endless_peer():
    for data, options, result in ((b'junk\r\n\r\n', (), ESYNTAX),
                                  (request(method='POST', Content_Length='9'),
                                   (), EHTTP), (b'', (), ESYNTAX),
                                  (request('X: '), ('head_max=1000000',),
                                   ELIMIT)):
        data = data[:-4] if 'head_max' in str(options) else data
        ours, drive = whole(data, ['timeout=500', 'step=1', 'flood=1',
                                   *options])
        expect(read_answer(ours)[0][:10], 'HTTP/1.1 4')
        drive.finish()
        expect(drive.result, result)
        expect(drive.most < 100, True, f'{drive.most} calls in one step:')
        ours.close()


@case('time: many requests at once, and one file, in many steps')
def long_work():
    data = request(Upgrade=None)
    for ask, number, size in (('page', 1000, 7), ('bigfile', 1, 16 << 20)):
        ours, drive = whole(data * number, [f'ask={ask}', 'step=1',
                                            'requests_max=10000'])
        rest = b''
        for _ in range(number):
            _, body, rest = read_answer(ours, rest)
            expect(len(body), size)
        ours.close()
        drive.finish()
        expect((drive.result, len(drive.requests)), (EHTTP, number))
        expect(drive.most < 100, True, f'{drive.most} calls in one step:')


@case('time: an answer is given up when its reader takes nothing, not before')
def slow_reader():
    # the buffer is so large that it is writable again less often than that
    ours, drive = whole(request(Upgrade=None), ['ask=bigfile', 'timeout=200'])
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    _, rest = read_head(ours)
    left = (16 << 20) - len(rest)
    while left and (piece := ours.recv(min(left, 32768))):
        left -= len(piece)
        time.sleep(0.01)
    expect(left, 0, 'what was cut off')
    ours.close()
    expect(drive.finish().result, EHTTP)
    ours, drive = whole(request(Upgrade=None), ['ask=bigfile', 'timeout=200'])
    expect(drive.finish().result, ETIMEDOUT)
    ours.close()


@case('numbers: what is out of range is not taken')
def numbers():
    for name, low, high in (('timeout', 1, 3600000), ('head_max', 256, 1 << 20),
                            ('fields_max', 8, 10000), ('body_max', 0, 1 << 20),
                            ('requests_max', 1, 1000000), ('attach', 0, 1),
                            ('redirects_max', 0, 20), ('nonblock', 0, 1),
                            ('proxy_env', 0, 1), ('auth', 1, 3),
                            ('users_only', 0, 1)):
        for value, want in ((low - 1, -22), (low, None), (high, None),
                            (high + 1, -22)):
            drive = Drive(f'{name}={value}', 'connect', 'wss://a/').finish()
            expect(drive.option, want, f'{name}={value}')


@case('time: who says nothing is left')
def silent():
    ours, drive = whole(b'', ['timeout=100'])
    drive.finish()
    expect(drive.result, ETIMEDOUT)
    expect(read_all(ours), b'')


@case('the client leaves: before, within and after the head')
def leaves():
    ours, drive = whole(request(Upgrade=None), [])
    read_answer(ours)
    ours.sendall(b'GET')
    ours.close()
    drive.finish()
    expect((drive.result, drive.status), (EEOF, 426))
    lacks(drive.error, '426')
    for data in (b'', request()[:50]):
        ours, drive = whole(data, [])
        ours.close()
        expect(drive.finish().result, EEOF)
    ours, drive = whole(request()[:50], [])
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, 0))
    ours.close()
    drive.finish()
    if drive.result not in (EEOF, -104):
        raise AssertionError(f'result is {drive.result}')


@case('RFC 9112 9.3: the connection stays open for another try')
def keep_alive():
    ours, drive = whole(request(Upgrade=None), [])
    contains(read_answer(ours)[0], 'HTTP/1.1 426 ')
    ours.sendall(request(Sec_WebSocket_Version='8'))
    contains(read_answer(ours)[0], 'HTTP/1.1 426 ')
    ours.sendall(request() + b'behind')
    contains(read_head(ours)[0], 'HTTP/1.1 101 ')
    ours.shutdown(socket.SHUT_WR)
    drive.finish()
    expect(drive.result, DONE)
    expect(drive.rest, b'behind')


@case('RFC 9112 9.3.2: requests in a pipeline')
def pipeline():
    ours, drive = whole(request(Upgrade=None) + request(method='POST') +
                        request() + b'behind', [])
    head, _, rest = read_answer(ours)
    contains(head, 'HTTP/1.1 426 ')
    head, _, rest = read_answer(ours, rest)
    contains(head, 'HTTP/1.1 405 ')
    contains(read_head(ours, rest)[0], 'HTTP/1.1 101 ')
    ours.shutdown(socket.SHUT_WR)
    expect(drive.finish().rest, b'behind')


@case('RFC 9112 9.3: Connection: close, and the limit of requests')
def not_kept():
    refused(request(Connection='close'), 426, close=True)
    refused(request(Upgrade=None), 426, 'requests_max=1', close=True)
    ours, drive = whole(request(Upgrade=None) * 3, ['requests_max=2'])
    head, _, rest = read_answer(ours)
    lacks(head, 'close')
    head, _, rest = read_answer(ours, rest)
    contains(head, 'close')
    ours.shutdown(socket.SHUT_WR)
    expect(rest + read_all(ours), b'')
    expect(drive.finish().result, EHTTP)


@case('headers of the caller go with every answer')
def own_headers():
    head, _ = accepted(request(), 'header=Server: me', 'header=X: y')
    contains(head, 'Server: me\r\nX: y\r\n')
    head, _ = refused(request(Upgrade=None), 426, 'header=Server: me')
    contains(head, 'Server: me\r\n')


@case('headers that would break the handshake are not taken')
def bad_headers():
    for header in ('X: a\r\nY: b', 'X: a\nb', 'No colon', ': x', 'A b: c',
                   'Connection: close', 'upgrade: h2c', 'CONTENT-LENGTH: 1',
                   'Transfer-Encoding: x', 'Sec-WebSocket-Accept: x',
                   'Sec-WebSocket-Key: x', 'Sec-WebSocket-Protocol: x',
                   'Sec-WebSocket-Extensions: x', 'Sec-WebSocket-Version: 1'):
        expect(Drive('header=' + header, 'accept', 9).finish().option, -22,
               header)


@case('RFC 9110 5.5: no text of the caller can start another line')
def injection():
    for name, good in (('header', 'X: y'), ('subprotocol', 'a'),
                       ('origin', 'http://a'), ('path', '/a'),
                       ('allow_origin', 'http://a'), ('user', 'a:b'),
                       ('realm', 'a'), ('proxy', 'http://a'), ('host', 'a')):
        drive = Drive(f'{name}={good}', 'connect', 'wss://not.yet/').finish()
        expect(drive.option, None, name)
        for end in ('\r', '\n', '\r\nX: y', '\r\n\r\n', '\x7f', '\x01'):
            expect(Drive(f'{name}={good}{end}', 'accept', 9).finish().option,
                   -22, f'{name}, {end!r}')
    for header in ('X: a\r\nY: b', 'X: a\nb', 'Connection: close', 'X'):
        head, drive = accepted(request(), 'ask=header:' + header)
        expect(drive.decided, [-22])
        lacks(head, 'X: a')


@case('RFC 9110 7.6.1: an upgrade that is to close, too')
def close_and_upgrade():
    accepted(request(Connection='close, Upgrade'))


@case('WSUP_ASK: the application answers what is no upgrade')
def ask_page():
    for step in ('step=0', 'step=1'):
        ours, drive = whole(request(Upgrade=None, target='/page?x'),
                            ['ask=page', step])
        head, body, _ = read_answer(ours)
        contains(head, 'HTTP/1.1 200 OK\r\n')
        contains(head, 'Content-Type: text/html\r\n')
        expect(body, b'<p>page')
        ours.sendall(request(target='/ws'))
        contains(read_head(ours)[0], 'HTTP/1.1 101 ')
        ours.close()
        drive.finish()
        expect(drive.requests, ['0 GET /page?x', '1 GET /ws'])
        expect(drive.decided, [0, 0])
        expect(drive.result, DONE)


@case('WSUP_ASK: a file, a HEAD for it, and the connection goes on')
def ask_file():
    ours, drive = whole(request(Upgrade=None), ['ask=file', 'step=1'])
    head, body, _ = read_answer(ours)
    contains(head, 'Content-Length: 100000\r\n')
    expect(body[:4], b'\x7fELF')
    expect(len(body), 100000)
    ours.sendall(request(Upgrade=None, method='HEAD'))
    head, rest = read_head(ours)
    contains(head, 'Content-Length: 100000\r\n')
    expect(rest, b'')
    ours.sendall(request())
    contains(read_head(ours)[0], 'HTTP/1.1 101 ')
    ours.close()
    expect(drive.finish().decided, [0, 0, 0])


@case('WSUP_ASK: a file that ends too early, and one that nobody takes')
def ask_bad_file():
    ours, drive = whole(request(Upgrade=None), ['ask=nofile'])
    head, rest = read_head(ours)
    contains(head, 'Content-Length: 1000000\r\n')
    expect(len(rest + read_all(ours)) < 1000000, True, 'cut short')
    drive.finish()
    expect((drive.result, drive.decided), (-5, [-22]))


@case('a file is not cut as long as its reader takes something, if slowly')
def ask_slow_reader():
    size = 8 << 20
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(size)
        for end in ({'Connection': 'close'}, {'Connection': 'x'}):
            listener = socket.create_server(('127.0.0.1', 0))
            ours = socket.socket()
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            ours.connect(listener.getsockname())
            theirs, _ = listener.accept()
            drive = Drive('ask=file:' + file.name, 'timeout=400', 'accept',
                          theirs.fileno(), fds=[theirs.fileno()])
            theirs.close()
            ours.sendall(request(Upgrade=None, **end))
            head, rest = read_head(ours)
            contains(head, f'Content-Length: {size}\r\n')
            got = len(rest)
            while got < size and (piece := ours.recv(65536)):
                got += len(piece)
                time.sleep(0.02)
            expect(got, size, 'bytes')
            ours.close()
            expect(drive.finish().result, EHTTP)


@case('a file is cut when its reader takes nothing')
def ask_no_reader():
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(32 << 20)
        ours, drive = whole(request(Upgrade=None),
                            ['ask=file:' + file.name, 'timeout=300'])
        expect(drive.finish().result, ETIMEDOUT)
        ours.close()


@case('WSUP_ASK: the application refuses')
def ask_refuse():
    _, body = refused(request(), 403, 'ask=refuse')
    expect(body, b'no')


@case('RFC 6455 4.2.2, 3: the application redirects')
def ask_redirect():
    head, _ = refused(request(), 302, 'ask=redirect', close=False)
    contains(head, 'Location: ws://elsewhere/\r\n')


@case('RFC 9110 6.4.1: answers that have no body have none')
def ask_no_body():
    for status in (204, 304):
        for method in ('GET', 'HEAD'):
            ours, drive = whole(request(Upgrade=None, method=method) * 2 +
                                request(), [f'ask=status:{status}'])
            rest = b''
            for _ in range(2):
                head, rest = read_head(ours, rest)
                contains(head, f'HTTP/1.1 {status} ')
                lacks(head, 'Content-Length')
            ours.close()
            drive.finish()
    for status, decided in ((199, -22), (200, 0), (599, 0), (600, -22),
                            (101, -22), (0, -22)):
        ours, drive = whole(request(Upgrade=None), [f'ask=status:{status}'])
        read_answer(ours)
        ours.close()
        expect(drive.finish().decided, [decided])


@case('WSUP_ASK: the application selects, but only what was offered')
def ask_select():
    head, drive = accepted(request('Sec-WebSocket-Protocol: a, b'),
                           'ask=select:b')
    contains(head, 'Sec-WebSocket-Protocol: b\r\n')
    contains(head, 'X-Added: yes\r\n')
    head, drive = accepted(request('Sec-WebSocket-Protocol: a, b'),
                           'ask=select:c')
    lacks(head, 'Sec-WebSocket-Protocol')
    expect(drive.decided, [-22])
    head, drive = accepted(request('Sec-WebSocket-Protocol: a, b'),
                           'ask=select:', 'subprotocol=b')
    lacks(head, 'Sec-WebSocket-Protocol')
    # what was chosen for a request that is refused then is not agreed upon
    ours, drive = whole(request('Sec-WebSocket-Protocol: a'),
                        ['ask=refuse', 'subprotocol=a'])
    contains(read_answer(ours)[0], ' 403 ')
    ours.close()
    expect(drive.finish().subprotocol, None)


@case('contract: who cannot attach does not promise it')
def no_kernel():
    # no kernel frames on these
    ours, theirs = socket.socketpair()
    drive = Drive('attach=1', 'accept', theirs.fileno(),
                  fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(request())
    head, _, _ = read_answer(ours)
    contains(head, 'HTTP/1.1 503 ')
    contains(head, 'close')
    ours.close()
    drive.finish()
    expect((drive.result, drive.status), (-95, 503))
    contains(drive.error, 'not a socket of a kind')


@case('ten thousand requests on one connection leak nothing')
def many_requests():
    ours, drive = whole(b'', ['requests_max=20000'])
    data = request(Upgrade=None)
    rest = b''
    for _ in range(100):
        ours.sendall(data * 100)
        for _ in range(100):
            head, _, rest = read_answer(ours, rest)
            contains(head, 'HTTP/1.1 426 ')
    ours.close()
    expect(drive.finish().result, EHTTP)


if __name__ == '__main__':
    main('server')
