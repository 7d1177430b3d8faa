# SPDX-License-Identifier: GPL-2.0
"""The client's side: what servers answer, byte by byte, and what comes of it."""
import base64
import hashlib
import socket
import struct

from peer import (DONE, EACCEPT, EEOF, EEXTENSION, ELIMIT, EREDIRECT,
                  ERESOLVE, ESTATUS, ESUBPROTOCOL, ESYNTAX, EUPGRADE, EURL,
                  LIMIT, Drive, case, contains, expect, lacks, main, pair,
                  read_all, read_head)

ETIMEDOUT, ECONNREFUSED, EPROTONOSUPPORT, EINVAL = -110, -111, -93, -22
GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'


def listen(host='127.0.0.1'):
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    listener.settimeout(LIMIT)
    return listener, listener.getsockname()[1]


def accept(listener):
    connection, _ = listener.accept()
    connection.settimeout(LIMIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def fields_of(head):
    lines = head.split('\r\n')[1:-1]
    return {name.lower(): value for name, value in
            (line.split(': ', 1) for line in lines)}


def accept_for(request):
    key = fields_of(request)['sec-websocket-key']
    digest = hashlib.sha1((key + GUID).encode()).digest()
    return base64.b64encode(digest).decode()


def good(request, *lines, status='101 Switching Protocols',
         version='HTTP/1.1', **fields):
    """A good answer, changed: fields by name, None takes one away."""
    usual = {'Upgrade': 'websocket', 'Connection': 'Upgrade',
             'Sec-WebSocket-Accept': accept_for(request)}
    for name, value in fields.items():
        usual[name.replace('_', '-')] = value
    head = [f'{version} {status}'.rstrip(' ') if not status else
            f'{version} {status}']
    head += [f'{n}: {v}' for n, v in usual.items() if v is not None]
    head += lines
    return ('\r\n'.join(head) + '\r\n\r\n').encode('latin-1')


def run(answer, *options, bytewise=False, behind=b''):
    """One connection: answer(request) is sent. What the library said."""
    listener, port = listen()
    drive = Drive(*(['step=1'] if bytewise else []), *options, 'connect',
                  f'ws://127.0.0.1:{port}/')
    with accept(listener) as connection:
        request, rest = read_head(connection)
        expect(rest, b'', 'data behind the request')
        data = answer(request) + behind
        for i in range(len(data)) if bytewise else [0]:
            if bytewise and not drive.wait_again():
                break
            try:
                connection.sendall(data[i:i + 1] if bytewise else data)
            except OSError:
                break
        if bytewise and drive.result == DONE:
            connection.sendall(data[i:])
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass                # the library has left already
        drive.finish()
    listener.close()
    drive.request = request
    return drive


def upgraded(answer, *options):
    behind = b'\x81\x05hello' + bytes(256)
    for bytewise in (True, False):
        drive = run(answer, *options, bytewise=bytewise, behind=behind)
        expect(drive.result, DONE, f'result ({drive.error})')
        expect(drive.status, 101, 'status')
        expect(drive.rest, behind, 'the rest')
    return drive


def failed(answer, result, *options, status=None):
    for bytewise in (True, False):
        drive = run(answer, *options, bytewise=bytewise)
        expect(drive.result, result, f'result ({drive.error})')
        if status is not None:
            expect(drive.status, status, 'status')
        contains(drive.error, '127.0.0.1:')
    return drive


def plain(status, body=b'', *lines):
    head = [f'HTTP/1.1 {status}', f'Content-Length: {len(body)}', *lines]
    return ('\r\n'.join(head) + '\r\n\r\n').encode('latin-1') + body


@case('RFC 6455 4.1: the request')
def the_request():
    listener, port = listen()
    drive = Drive('subprotocol=chat', 'subprotocol=superchat',
                  'origin=http://example.com', 'header=Cookie: a=b',
                  'connect', f'ws://127.0.0.1:{port}/chat?x=%20y')
    with accept(listener) as connection:
        head, _ = read_head(connection)
        connection.sendall(good(head, 'Sec-WebSocket-Protocol: chat'))
    expect(head.split('\r\n')[0], 'GET /chat?x=%20y HTTP/1.1')
    fields = fields_of(head)
    expect(fields.pop('host'), f'127.0.0.1:{port}')
    expect(len(base64.b64decode(fields.pop('sec-websocket-key'))), 16)
    expect(fields, {
        'upgrade': 'websocket', 'connection': 'Upgrade',
        'sec-websocket-version': '13', 'origin': 'http://example.com',
        'sec-websocket-protocol': 'chat, superchat', 'cookie': 'a=b'})
    expect(drive.finish().subprotocol, 'chat')


@case('RFC 6455 4.1: a fresh key for each connection')
def fresh_keys():
    keys = {fields_of(run(good).request)['sec-websocket-key']
            for _ in range(8)}
    expect(len(keys), 8)


@case('seed 001: 101 with any reason phrase')
def reason_phrases():
    for phrase in ('101 Protocoles de commutation', '101 ', '101',
                   '101 \xdcberlegt: \x80\xff', '101 404 Not Found'):
        drive = upgraded(lambda r: good(r, status=phrase))
        expect(drive.reason, phrase[4:], 'reason')


@case('RFC 9110 5.1: names in any case and order, blanks around values')
def field_case():
    upgraded(lambda r: ('HTTP/1.1 101 x\r\n'
                        f'SEC-WEBSOCKET-ACCEPT:\t{accept_for(r)} \r\n'
                        'connection:uPGRADE\r\nupgrade:\t WebSocket\r\n\r\n'
                        ).encode())


@case('RFC 9110 5.6.1: token lists in Connection and Upgrade')
def token_lists():
    upgraded(lambda r: good(r, Connection='keep-alive, upgrade',
                            Upgrade='websocket,'))
    upgraded(lambda r: good(r, 'Connection: Upgrade',
                            Connection='keep-alive'))
    upgraded(lambda r: good(r, 'Upgrade: WEBSOCKET', Connection=',Upgrade,,',
                            Upgrade=', websocket ,'))


@case('seed 001: unknown headers are ignored and handed on')
def unknown_headers():
    drive = upgraded(lambda r: good(
        r, 'Server: WonderfulMagicServer/4.2 (WonderOS)',
        'Authenticate-Info: xxxx', 'SomeHeader: \xe9', 'Set-Cookie: a=1',
        'Set-Cookie: b=2', 'Empty:'))
    for field in (('Authenticate-Info', 'xxxx'), ('SomeHeader', '\xe9'),
                  ('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'),
                  ('Empty', '')):
        contains(drive.headers(), field)


@case('RFC 9110 15.2: other 1xx are skipped')
def interim():
    upgraded(lambda r: b'HTTP/1.1 100 Continue\r\n\r\n'
             b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
             b'HTTP/1.1 199 What\r\n\r\n' + good(r))


@case('limits: 1xx without end')
def interim_flood():
    failed(lambda r: b'HTTP/1.1 100 Continue\r\nX: ' + b'x' * 1000 +
           b'\r\n\r\n' + b'HTTP/1.1 100 \r\n\r\n' * 1000, ELIMIT,
           'head_max=2000')


@case('RFC 6455 4.1: Accept has to be right, and there once')
def accept_header():
    for change in ({'Sec_WebSocket_Accept': None},
                   {'Sec_WebSocket_Accept': ''},
                   {'Sec_WebSocket_Accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='}):
        failed(lambda r: good(r, **change), EACCEPT, status=101)
    failed(lambda r: good(r, Sec_WebSocket_Accept=accept_for(r).lower()),
           EACCEPT)
    failed(lambda r: good(r, 'Sec-WebSocket-Accept: ' + accept_for(r)),
           EACCEPT)


@case('RFC 6455 4.1: Upgrade and Connection have to be right')
def upgrade_header():
    for change in ({'Upgrade': None}, {'Upgrade': 'h2c'},
                   {'Upgrade': 'websockets'}, {'Upgrade': 'websocket/13'},
                   {'Upgrade': 'websocket, foo'}, {'Upgrade': ''},
                   {'Upgrade': 'foo, websocket'}, {'Connection': ''},
                   {'Upgrade': 'web socket'}, {'Upgrade': '"websocket"'},
                   {'Connection': None}, {'Connection': 'close'},
                   {'Connection': 'Upgraded'}):
        failed(lambda r: good(r, **change), EUPGRADE, status=101)


# What has to be ignored where there is no body, however wrong it is
LENGTHS = (['Content-Length: 5', 'Transfer-Encoding: chunked'],
           ['Transfer-Encoding: chunked', 'Content-Length: 5'],
           ['Content-Length: 5'], ['Transfer-Encoding: chunked'],
           ['Content-Length: 5', 'Content-Length: 6'],
           ['Content-Length: x'], ['Content-Length: 99999999999999999999'],
           ['Transfer-Encoding: chunked, gzip'], ['TRANSFER-ENCODING: what'],
           ['Content-Length:'])


@case('RFC 9110 15.2: a 101 has no body, whatever its headers say')
def no_body_in_101():
    upgraded(lambda r: good(r, 'Content-Length: 5'))
    upgraded(lambda r: good(r, 'Transfer-Encoding: chunked'))
    for lines in LENGTHS:
        upgraded(lambda r: good(r, *lines))
        upgraded(lambda r: ('HTTP/1.1 103 x\r\n' + '\r\n'.join(lines) +
                            '\r\n\r\n').encode() + good(r))


@case('RFC 9112 6.3: nor have 204 and 304, on a connection that stays')
def no_body_at_all():
    for status in (204, 304):
        for lines in ((), *LENGTHS):
            listener, port = listen()
            drive = Drive('connect', f'ws://127.0.0.1:{port}/')
            with accept(listener) as connection:
                read_head(connection)
                connection.sendall('\r\n'.join(
                    [f'HTTP/1.1 {status} x', *lines, '', '']).encode())
                drive.finish()
            expect((drive.result, drive.status), (ESTATUS, status))
            listener.close()


@case('RFC 9112 2.5: 101 does not exist before HTTP/1.1')
def old_version():
    failed(lambda r: good(r, version='HTTP/1.0'), EUPGRADE)


@case('RFC 6455 4.1: a subprotocol that was offered, exactly one')
def subprotocol():
    options = ('subprotocol=a', 'subprotocol=b')
    name = 'Sec-WebSocket-Protocol: '
    drive = upgraded(lambda r: good(r, name + 'b'), *options)
    expect(drive.subprotocol, 'b')
    expect(upgraded(good, *options).subprotocol, None)
    for lines in ([name + 'c'], [name + 'B'], [name + 'a, b'], [name],
                  [name + 'a', name + 'b'], [name + 'a', name + 'a']):
        failed(lambda r: good(r, *lines), ESUBPROTOCOL, *options)
    failed(lambda r: good(r, name + 'a'), ESUBPROTOCOL)


@case('RFC 6455 4.1: an extension that was not offered')
def extensions():
    failed(lambda r: good(r, 'Sec-WebSocket-Extensions: permessage-deflate'),
           EEXTENSION)
    upgraded(lambda r: good(r, 'Sec-WebSocket-Extensions:'))


@case('seed 001: any other status is a typed failure with all of it')
def statuses():
    for status in ('200 OK', '204 No Content', '400 Bad Request',
                   '403 Forbidden', '404 Not Found', '426 Upgrade Required',
                   '500 Oops', '503 Busy', '599 \xff'):
        body = b'' if status[:3] == '204' else b'<p>no'
        drive = failed(lambda r: plain(status, body, 'X-Why: y')
                       if body else b'HTTP/1.1 204 No Content\r\n'
                       b'X-Why: y\r\n\r\n', ESTATUS, status=int(status[:3]))
        expect(drive.body, body)
        expect(drive.reason, status[4:])
        contains(drive.headers(), ('X-Why', 'y'))
        contains(drive.error, f'answered {status}')


@case('RFC 6455 4.4: the versions of a server that does not have ours')
def other_versions():
    drive = failed(lambda r: plain('426 x', b'', 'Sec-WebSocket-Version: 25',
                                   'Sec-WebSocket-Version: 8, 7'),
                   ESTATUS, status=426)
    expect([v for n, v in drive.headers() if n == 'Sec-WebSocket-Version'],
           ['25', '8, 7'])


@case('RFC 9110 11.7: a 407 is a matter of proxies, not of servers')
def no_proxy_here():
    drive = failed(lambda r: plain('407 x', b'',
                                   'Proxy-Authenticate: Basic realm="x"'),
                   ESTATUS, 'user=me:secret', status=407)
    lacks(drive.request, 'Authorization')


def crowded(*options):
    """A client with a request larger than its connection has room for."""
    ours, theirs = pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    drive = Drive(*options, *['header=Cookie: ' + 'x' * 100000] * 15,
                  f'over={theirs.fileno()}', 'connect', 'ws://a/',
                  fds=[theirs.fileno()])
    theirs.close()
    return drive, ours


@case('RFC 9112 9.5: an answer before the request was read')
def early_answer():
    drive, ours = crowded()
    ours.recv(1000)
    ours.sendall(plain('431 Too much', b'no'))
    # with unread bytes this is a reset
    ours.close()
    drive.finish()
    expect((drive.result, drive.status, drive.body), (ESTATUS, 431, b'no'))


@case('seed 001: a 200 with all headers of an upgrade is none')
def not_fooled():
    failed(lambda r: good(r, status='200 OK'), ESTATUS, status=200)
    failed(lambda r: good(r, status='102 Processing'), EEOF)


@case('RFC 9112 6: bodies in chunks, up to the end, with trailers')
def bodies():
    drive = failed(lambda r: b'HTTP/1.1 404 x\r\nTransfer-Encoding: chunked'
                   b'\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nT: z\r\n\r\n',
                   ESTATUS)
    expect(drive.body, b'abcde')
    lacks(drive.names, 'T')
    drive = failed(lambda r: b'HTTP/1.1 404 x\r\n\r\nuntil the end', ESTATUS)
    expect(drive.body, b'until the end')
    drive = failed(lambda r: b'HTTP/1.1 404 x\r\nContent-Length: 100\r\n\r\n'
                   b'cut short', ESTATUS)
    expect(drive.body, b'cut short')


@case('limits: of a body a part is kept, and it does not go on for ever')
def body_limit():
    body = bytes(range(256)) * 200
    drive = run(lambda r: plain('404 x', body))
    expect((drive.result, drive.body), (ESTATUS, body[:16384]))
    drive = run(lambda r: plain('404 x', body), 'body_max=10')
    expect(drive.body, body[:10])
    drive = run(lambda r: plain('404 x', body), 'body_max=0')
    expect(drive.body, b'')
    drive = run(lambda r: plain('404 x', body * 100))
    expect((drive.result, drive.body), (ESTATUS, body[:16384]))


@case('RFC 9112: what is not HTTP fails, without skipping a byte')
def syntax():
    for change in (lambda d: b'\r\n' + d, lambda d: b' ' + d,
                   lambda d: b'junk\r\n' + d, lambda d: b'\0' + d,
                   lambda d: d.replace(b'HTTP/1.1', b'http/1.1'),
                   lambda d: d.replace(b'HTTP/1.1', b'HTTP/1.1.1'),
                   lambda d: d.replace(b'HTTP/1.1 ', b'HTTP/1.1  '),
                   lambda d: d.replace(b' 101', b' 1010'),
                   lambda d: d.replace(b' 101', b' 11'),
                   lambda d: d.replace(b' 101', b' x01'),
                   lambda d: d.replace(b'Upgrade:', b'Upgrade :', 1),
                   lambda d: d.replace(b'Upgrade:', b' Upgrade:', 1),
                   lambda d: d.replace(b'Upgrade:', b'X: a\r\n b\r\nUpgrade:',
                                       1),
                   lambda d: d.replace(b'Upgrade:', b'X: \0\r\nUpgrade:', 1),
                   lambda d: d.replace(b'Upgrade:', b'X\r\nUpgrade:', 1),
                   lambda d: d.replace(b'\r\n', b'\n'),
                   lambda d: b'SSH-2.0-OpenSSH\r\n', lambda d: b'HTTP/2 101'
                   b'\r\n\r\n', lambda d: b'ICY 200 OK\r\n\r\n'):
        failed(lambda r: change(good(r)), ESYNTAX)


@case('limits: head and header lines')
def limits():
    upgraded(lambda r: good(r, 'X: ' + 'x' * 1500))
    failed(lambda r: good(r, 'X: ' + 'x' * 1100), ELIMIT, 'head_max=1000')
    failed(lambda r: good(r, *['X: y'] * 30), ELIMIT, 'fields_max=20')
    failed(lambda r: good(r, status='101 ' + 'x' * 1000), ELIMIT,
           'head_max=1000')


@case('the server leaves: before, within and after its head')
def leaves():
    for data in (b'', b'HTTP/1.1 101 Swi'):
        failed(lambda r: data, EEOF)
    failed(lambda r: good(r)[:-2], EEOF)


@case('the server resets')
def resets():
    listener, port = listen()
    drive = Drive('connect', f'ws://127.0.0.1:{port}/')
    connection = accept(listener)
    read_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack('ii', 1, 0))
    connection.close()
    expect(drive.finish().result, -104)


@case('time: a server that says nothing, or never ends')
def slow():
    # all at once: as long as our own part in it is never late
    late = []
    for data in (b'', b'HTTP/1.1 101 x\r\n'):
        for step in ('step=0', 'step=1'):
            listener, port = listen()
            drive = Drive('timeout=3000', step, 'connect',
                          f'ws://127.0.0.1:{port}/')
            connection = accept(listener)
            read_head(connection)
            connection.sendall(data)
            late.append((drive, connection))
    for drive, connection in late:
        expect(drive.finish().result, ETIMEDOUT)
        connection.close()


@case('time: a body that never ends tells the status all the same')
def slow_body():
    listener, port = listen()
    drive = Drive('timeout=3000', 'connect', f'ws://127.0.0.1:{port}/')
    connection = accept(listener)
    read_head(connection)
    connection.sendall(b'HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nabc')
    drive.finish()
    expect((drive.result, drive.status, drive.body), (ESTATUS, 500, b'abc'))


@case('contract: no byte behind the blank line is lost')
def nothing_lost():
    behind = bytes(range(256)) * 1000
    for step in ('step=0', 'step=1'):
        drive = run(good, step, behind=behind)
        expect(drive.result, DONE)
        expect(drive.rest == behind, True, 'the rest is complete')


@case('contract: who cannot attach does not ask')
def no_kernel():
    ours, theirs = socket.socketpair()
    drive = Drive('attach=1', f'over={theirs.fileno()}', 'connect', 'ws://a/',
                  fds=[theirs.fileno()])
    theirs.close()
    expect(read_all(ours), b'')
    drive.finish()
    expect(drive.result, -95)
    contains(drive.error, 'not a socket of a kind')


@case('nobody listens; a name that does not exist')
def no_server():
    listener, port = listen()
    listener.close()
    drive = Drive('connect', f'ws://127.0.0.1:{port}/').finish()
    expect(drive.result, ECONNREFUSED)
    expect(drive.error, f'127.0.0.1:{port}: Connection refused')
    for step in ('step=0', 'step=1'):
        drive = Drive(step, 'connect', 'ws://no.such.name.invalid/').finish()
        expect(drive.result, ERESOLVE)
        contains(drive.error, 'no.such.name.invalid:80: ')


@case('RFC 6455 4.1, 2: two connections at once are up to the caller')
def two_at_once():
    listener, port = listen()
    drives = [Drive('connect', f'ws://127.0.0.1:{port}/') for _ in range(2)]
    connections = [accept(listener) for _ in drives]
    heads = [read_head(connection)[0] for connection in connections]
    for connection, head in zip(connections, heads):
        connection.sendall(good(head))
        connection.close()
    expect([drive.finish().result for drive in drives], [DONE, DONE])


@case('time: an address that does not answer, one that cannot be')
def no_answer():
    # whose queue is full answers nobody
    listener = socket.create_server(('127.0.0.1', 0), backlog=0)
    others = []
    for _ in range(4):
        others.append(socket.socket())
        others[-1].setblocking(False)
        others[-1].connect_ex(listener.getsockname())
    for step in ('step=0', 'step=1'):
        drive = Drive('timeout=200', step, 'connect',
                      f'ws://127.0.0.1:{listener.getsockname()[1]}/').finish()
        expect(drive.result, ETIMEDOUT)
    drive = Drive('connect', 'ws://255.255.255.255/').finish()
    expect(drive.result in (-13, -101), True, 'EACCES or ENETUNREACH')


@case('a name with addresses of both kinds; the second one answers')
def next_address():
    listener, port = listen('127.0.0.1')
    drive = Drive('connect', f'ws://localhost:{port}/')
    with accept(listener) as connection:
        head, _ = read_head(connection)
        expect(fields_of(head)['host'], f'localhost:{port}')
        connection.sendall(good(head))
    expect(drive.finish().result, DONE)


class Hole:
    """Addresses with one port that swallow what asks for a connection."""

    def __init__(self, *hosts, port=0):
        self.sockets = []
        for host in hosts:
            listener = socket.create_server((host, port), backlog=0)
            port = listener.getsockname()[1]
            self.sockets.append(listener)
            for _ in range(4):
                self.sockets.append(socket.socket())
                self.sockets[-1].setblocking(False)
                self.sockets[-1].connect_ex((host, port))
        self.port = port

    def close(self):
        for sock in self.sockets:
            sock.close()


def beside(*holes, at, first, options):
    """A server whose name has other addresses before its own."""
    listener, port = listen(at)
    hole = Hole(*holes, port=port)
    names = ','.join([*first, *holes, at])
    drive = Drive('addresses=' + names, *options, 'connect',
                  f'ws://many.test:{port}/x')
    return drive, listener, hole


@case('RFC 8305: an address that swallows all is joined by the next one')
def happy_eyeballs():
    many = [f'127.0.1.{i}' for i in range(1, 11)]
    for holes, at, first in ((['127.0.0.2'], '127.0.0.1', ()),
                             (['127.0.0.2'], '::1', ()),
                             (['127.0.0.2', '127.0.0.3'], '127.0.0.1', ()),
                             (['127.0.0.2'], '127.0.0.1', ['127.0.0.9'] * 20),
                             (many, '127.0.0.1', ())):
        for loop in ('poll', 'epoll', 'uring') if len(holes) == 1 else ['poll']:
            drive, listener, hole = beside(
                *holes, at=at, first=first,
                options=['timeout=20000', 'loop=' + loop])
            with accept(listener) as connection:
                connection.sendall(good(read_head(connection)[0]))
            expect(drive.finish().result, DONE, drive.error)
            hole.close()
            listener.close()


@case('RFC 8305 4: kinds of addresses take turns')
def families_in_turn():
    unused, port = listen('127.0.0.3')
    hole = Hole('127.0.0.2', port=port)
    listener = socket.create_server(('::1', port), family=socket.AF_INET6)
    listener.settimeout(LIMIT)
    drive = Drive('addresses=127.0.0.2,127.0.0.3,::1', 'connect',
                  f'ws://many.test:{port}/')
    with accept(listener) as connection:
        connection.sendall(good(read_head(connection)[0]))
    expect(drive.finish().result, DONE)
    unused.setblocking(False)
    try:
        unused.accept()
        raise AssertionError('the other one of the same kind came first')
    except BlockingIOError:
        pass
    hole.close()


@case('RFC 8305: so it is with the addresses of a proxy, and of a redirect')
def happy_detours():
    listener, port = listen()
    hole = Hole('127.0.0.2', port=port)
    drive = Drive('addresses=127.0.0.2,127.0.0.1', 'redirects_max=1',
                  f'proxy=http://many.test:{port}', 'connect', 'ws://h/')
    with accept(listener) as connection:
        contains(read_head(connection)[0], 'CONNECT h:80')
        connection.sendall(b'HTTP/1.1 200 x\r\n\r\n')
        connection.sendall(good(read_head(connection)[0]))
    expect(drive.finish().result, DONE)
    drive = Drive('addresses=127.0.0.2,127.0.0.1', 'redirects_max=1', 'connect',
                  f'ws://127.0.0.1:{port}/')
    with accept(listener) as connection:
        read_head(connection)
        connection.sendall(plain('302 x', b'', 'Location: '
                                 f'ws://many.test:{port}/y'))
    with accept(listener) as connection:
        connection.sendall(good(read_head(connection)[0]))
    expect(drive.finish().result, DONE)
    hole.close()
    listener.close()


@case('RFC 6455 4.1, 4: no address of several answers')
def none_of_many():
    hole = Hole('127.0.0.2', '127.0.0.3')
    for addresses, error in (('127.0.0.2,127.0.0.3', ETIMEDOUT),
                             ('127.0.0.4,127.0.0.5', ECONNREFUSED),
                             ('127.0.0.2,127.0.0.5', ETIMEDOUT)):
        for step in ('step=0', 'step=1'):
            drive = Drive('addresses=' + addresses, 'timeout=1500', step,
                          'connect', f'ws://many.test:{hole.port}/').finish()
            expect(drive.result, error)
            contains(drive.error, f'many.test:{hole.port}: ')
    drive = Drive('addresses=127.0.0.2,127.0.0.3', 'step=1', 'give_up=2',
                  'connect', f'ws://many.test:{hole.port}/').finish()
    expect(drive.result, 0)
    hole.close()


@case('RFC 3986 3.2.2: IPv6 literals')
def ipv6():
    listener, port = listen('::1')
    drive = Drive('connect', f'ws://[::1]:{port}/')
    with accept(listener) as connection:
        head, _ = read_head(connection)
        expect(fields_of(head)['host'], f'[::1]:{port}')
        connection.sendall(good(head))
    expect(drive.finish().result, DONE)


@case('RFC 6874: the zone of an address, for this machine alone')
def zones():
    listener, port = listen('::1')
    for zone in ('%251', '%1'):
        drive = Drive('connect', f'ws://[::1{zone}]:{port}/')
        with accept(listener) as connection:
            head, _ = read_head(connection)
            expect(fields_of(head)['host'], f'[::1]:{port}')
            connection.sendall(good(head))
        expect(drive.finish().result, DONE, drive.error)
    listener.close()
    drive = Drive('connect', f'ws://[::1]:{port}/').finish()
    contains(drive.error, f'[::1]:{port}: Connection refused')


@case('RFC 6455 3: URLs that are none')
def bad_urls():
    for url in ('', 'ws:', 'ws:/', 'ws://', 'ws:///x', 'example.org',
                'ws://:80/', 'ws://a:0/', 'ws://a:65536/', 'ws://a:x/',
                'ws://a:-1/', 'ws://a b/', 'ws://a/b c', 'ws://a/#f',
                'ws://a/\x7f', 'ws://\xe9/', 'ws://[::1', 'ws://[::1]x/',
                'ws://[]/', 'ws://[::g]/', 'ws://u%zz@h/', 'ws://u%00@h/',
                'ws://u%0a@h/', 'ws://a/\r\nX:', 'foo://a/', 'ws://a@b@/',
                'ws://h%41/'):
        drive = Drive('connect', url).finish()
        expect(drive.result, EURL, url)
    for url, part in (('a.example', 'ws://HOST'), ('ws://a:99999/', '65535'),
                      ('ws://a:0/', 'from 1 to'), ('ws://a/#b', '%23'),
                      ('ws://b\xfccher.example/', 'xn--'),
                      ('ws://a/b c', '%20'), ('ws://a/"b"', '%20'),
                      ('ws://a/?q={1}', '%20'), ('ws://a/b|c', '%20'),
                      ('ws://a/b^', '%20'), ('ws://a/\xe9', '%20'),
                      ('ws://a/%zz', 'two hexadecimal'),
                      ('ws://a/100%', 'two hexadecimal'),
                      ('ws://a_b!/', 'name, or an address'),
                      ('ws://::1/', '[::1] if'), ('ws://[fe80::1%]/', '[::1]'),
                      ('ws://u%4@h/', 'two hexadecimal')):
        drive = Drive('connect', url).finish()
        expect(drive.result, EURL, url)
        contains(drive.error, part)
    for url in ('wss://a/', 'http://a/', 'https://a/', 'socks5://a/'):
        expect(Drive('connect', url).finish().result, EPROTONOSUPPORT, url)
    expect(Drive('connect', 'WSS://a/').finish().error,
           'WSS://a/: wss:// is not supported yet, only ws:// is')


@case('RFC 3986 7.5: no sentence tells a password')
def no_password_told():
    for url in ('ws://me:pw1@a b/', 'wss://me:pw1@a/', 'me:pw1@a',
                'ws://me:p@w1@a b/', 'ws://me:pw1/@a:b/', 'http://me:pw1@a/'):
        drive = Drive('connect', url).finish()
        contains((EURL, EPROTONOSUPPORT), drive.result)
        lacks(drive.error, 'w1')
        contains(drive.error, 'a')
    for location in ('wss://me:pw1@a/', 'ws://me:pw1@a b/', 'me:pw1@a',
                     '//me:p@w1@a:x/', 'foo://me:pw1@a/'):
        for options in ((), ('redirects_max=1',)):
            drive = run(lambda r: plain('302 x', b'', 'Location: ' + location),
                        *options)
            contains((ESTATUS, EREDIRECT), drive.result)
            lacks(drive.error, 'w1')
            contains(drive.error, 'a')
    for proxy in ('https://me:pw1@a/', 'foo://me:pw1@a/', 'me:pw1@a b'):
        drive = Drive('proxy=' + proxy, 'connect', 'ws://h/').finish()
        lacks(drive.error, 'w1')


@case('no sentence has what acts on a terminal, or begins another line')
def harmless_sentences():
    for sent, told in (('\x1b[2J', '?[2J'), ('a\x9b2Jb', 'a?2Jb'),
                       ('a\tb', 'a?b'), ('\x9d0;x\x07', '?0;x?'),
                       ('\x7f', '?'), ('\x80\x9f\xa0', '??\xa0'),
                       ('\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80', None),
                       ('a\xc2\x9b2J', 'a?2J'), ('\xc2\x85x', '?x'),
                       ('\xe2\x80\xa8wsup', '?wsup'), ('\xe2\x80\xaex', '?x'),
                       ('\xe2\x81\xa7', '?'), ('\xe2\x9bx', '\xe2?x'),
                       ('\xf4\x90\x80\x80', '\xf4???'), ('\xe4\xf6', None),
                       ('\xed\xa0\x80', '\xed\xa0?'), ('\xc0\x9b', '\xc0?'),
                       ('\xe0\x80\x9b', '\xe0??')):
        told = sent if told is None else told
        if '\t' not in sent:
            drive = run(lambda r: plain('404 ' + sent))
            expect(drive.error.partition('404 ')[2], told)
            expect(drive.reason, sent)
        if '\x1b' not in sent and '\x7f' not in sent and '\x07' not in sent:
            drive = run(lambda r: plain('302 x', b'', 'Location: ' + sent))
            expect(drive.error.partition('redirects to ')[2], told)


@case('RFC 3986: URLs of all forms')
def good_urls():
    for form, line in (('ws://127.0.0.1:{}', 'GET / '),
                       ('WS://127.0.0.1:{}/', 'GET / '),
                       ('ws://127.0.0.1:{}?a=b', 'GET /?a=b '),
                       ('ws://127.0.0.1:{}/a//b?c/d?e', 'GET /a//b?c/d?e '),
                       ('ws://u:p@127.0.0.1:{}/@x:y', 'GET /@x:y '),
                       ("ws://127.0.0.1:{}/a%20b;c=d,e!$&'()*+~?f[]=%7b:/",
                        "GET /a%20b;c=d,e!$&'()*+~?f[]=%7b:/ ")):
        listener, port = listen()
        drive = Drive('connect', form.format(port))
        with accept(listener) as connection:
            head, _ = read_head(connection)
            contains(head, line)
            lacks(head, 'Authorization')
            connection.sendall(good(head))
        expect(drive.finish().result, DONE)


@case('a Host of the caller replaces ours; headers that would do harm do not')
def own_host():
    drive = run(good, 'header=Host: other.example', 'header=X-A: 1')
    contains(drive.request, '\r\nHost: other.example\r\n')
    expect(drive.request.count('Host:'), 1)
    expect(Drive('header=Connection: x', 'connect', 'ws://a/').finish().option,
           EINVAL)
    for name in ('Host', 'Origin', 'Authorization', 'Proxy-Authorization'):
        expect(Drive(f'header={name}: a', f'header={name.upper()}: b',
                     'connect', 'ws://a/').finish().option, EINVAL)
    drive = run(good, 'header=ORIGIN: http://a', 'origin=http://b')
    contains(drive.request, 'Origin: http://b\r\n')
    lacks(drive.request, 'ORIGIN')
    contains(run(good, 'header=Origin: http://a').request,
             'Origin: http://a\r\n')


@case('RFC 6455 4.1, 10: no subprotocol is offered twice')
def offered_twice():
    expect(Drive('subprotocol=a', 'subprotocol=b', 'subprotocol=a', 'connect',
                 'ws://a/').finish().option, EINVAL)
    for bad in ('', 'a b', 'a,b', '"a"', '\xe9', 'a\t'):
        expect(Drive('subprotocol=' + bad, 'connect', 'ws://a/').finish()
               .option, EINVAL, bad)
    contains(run(good, 'subprotocol=a', 'subprotocol=A').request,
             'Sec-WebSocket-Protocol: a, A\r\n')


@case('redirects are reported')
def redirect_reported():
    for status in ('301 x', '302 x', '303 x', '307 x', '308 x'):
        drive = failed(lambda r: plain(status, b'', 'Location: ws://b/c'),
                       ESTATUS, status=int(status[:3]))
        contains(drive.error, 'ws://b/c')
        contains(drive.headers(), ('Location', 'ws://b/c'))
    failed(lambda r: plain('304 x'), ESTATUS)


@case('RFC 9110 15.4: what leaves the choice to others is not followed')
def redirect_choice():
    for status in ('300 x', '304 x', '305 x', '306 x', '399 x', '201 x'):
        drive = failed(lambda r: (plain(status, b'', 'Location: /x')
                                  if status != '304 x' else
                                  b'HTTP/1.1 304 x\r\nLocation: /x\r\n\r\n'),
                       ESTATUS, 'redirects_max=5', status=int(status[:3]))
        contains(drive.headers(), ('Location', '/x'))
    failed(lambda r: plain('302 x'), ESTATUS, 'redirects_max=5')


@case('redirects are followed on request, whatever form they have')
def redirect_followed():
    listener, port = listen()
    here = f'127.0.0.1:{port}'
    for location, want in ((f'ws://{here}/x', '/x'),
                           (f'http://{here}/x?y#z', '/x?y'),
                           (f'//{here}/x', '/x'), ('/x', '/x'),
                           ('x', '/a/x'), ('?x', '/a/b?x'),
                           ('../x', '/a/../x'), ('./x:y', '/a/./x:y'),
                           ('/x?{"a|b"}\xe9', '/x?%7B%22a%7Cb%22%7D%E9')):
        drive = Drive('redirects_max=1', 'connect', f'ws://{here}/a/b?q=/r')
        with accept(listener) as connection:
            read_head(connection)
            connection.sendall(plain('302 x', b'hi', 'Location: ' + location))
            with accept(listener) as second:
                head, _ = read_head(second)
                expect(head.split(' ')[1], want)
                second.sendall(good(head))
        expect(drive.finish().result, DONE)


@case('redirects: not too many, not to nowhere')
def redirect_limits():
    listener, port = listen()
    drive = Drive('redirects_max=2', 'connect', f'ws://127.0.0.1:{port}/')
    for _ in range(3):
        with accept(listener) as connection:
            read_head(connection)
            connection.sendall(plain('302 x', b'', 'Location: /'))
    expect(drive.finish().result, EREDIRECT)
    for location in ('wss://a/', 'https://a/', 'ftp://a/', 'ws://', 'x:y',
                     'ws://a b/', 'ws://:x/'):
        failed(lambda r: plain('302 x', b'', 'Location: ' + location),
               EREDIRECT, 'redirects_max=5')


@case('redirects: secrets do not go to another host')
def redirect_secrets():
    first, port = listen()
    second, other = listen()
    drive = Drive('redirects_max=1', 'user=me:secret', 'header=Cookie: c=d',
                  'header=X-Plain: y', 'header=Authorization: Bearer z',
                  'header=Proxy-Authorization: Bearer p',
                  'connect', f'ws://127.0.0.1:{port}/')
    with accept(first) as connection:
        head, _ = read_head(connection)
        contains(head, 'Cookie: c=d')
        contains(head, '\r\nAuthorization: Bearer z')
        contains(head, 'Proxy-Authorization: Bearer p')
        connection.sendall(plain('302 x', b'',
                                 f'Location: ws://127.0.0.1:{other}/'))
    with accept(second) as connection:
        head, _ = read_head(connection)
        lacks(head, 'Cookie')
        lacks(head, 'Authorization')
        contains(head, 'X-Plain: y')
        connection.sendall(plain('401 x', b'',
                                 'WWW-Authenticate: Basic realm="x"'))
        expect(read_all(connection), b'')
    expect(drive.finish().status, 401)


def redirected(location, *options, user=''):
    """Request of whoever was sent elsewhere, after a 401 there."""
    first, port = listen()
    second, other = listen()
    drive = Drive('redirects_max=2', *options, 'connect',
                  f'ws://{user}127.0.0.1:{port}/')
    with accept(first) as connection:
        read_head(connection)
        connection.sendall(plain('307 x', b'', 'Location: ' +
                                 location.format(port=port, other=other)))
    with accept(second if '{other}' in location else first) as connection:
        head, _ = read_head(connection)
        connection.sendall(plain('401 x', b'',
                                 'WWW-Authenticate: Basic realm="x"'))
        try:
            again, _ = read_head(connection)
            connection.sendall(good(again))
        except AssertionError:
            again = None
    drive.finish()
    return head, again


@case('redirects: on the same server credentials are the same')
def redirect_same():
    for location in ('/x', 'ws://127.0.0.1:{port}/x'):
        for options, user in (((), 'me:pw@'), (('user=me:pw',), '')):
            head, again = redirected(location, 'header=Host: h', *options,
                                     user=user)
            contains(head, '\r\nHost: h\r\n')
            contains(again, 'Authorization: Basic bWU6cHc=\r\n')


@case('redirects: to another port is to another server, with its own name')
def redirect_other():
    head, again = redirected('ws://127.0.0.1:{other}/x', 'header=Host: h',
                             user='me:pw@')
    lacks(head, 'Host: h')
    expect(again, None)
    _, again = redirected('ws://you:pw@127.0.0.1:{other}/x', 'user=me:pw')
    contains(again, 'Authorization: Basic eW91OnB3\r\n')


if __name__ == '__main__':
    main('client')
