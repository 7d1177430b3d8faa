# SPDX-License-Identifier: GPL-2.0
"""Proxies of HTTP and SOCKS5, as scripted peers."""
import base64
import select
import socket

from auth_test import digest, end, parameters
from client_test import LENGTHS, accept, good, listen, plain
from peer import (DONE, EAUTH, EEOF, ELIMIT, EPROXY, ESYNTAX, EURL, LIMIT,
                  Drive, case, contains, expect, lacks, main, read_all, read_head)

EPROTONOSUPPORT, ECONNREFUSED = -93, -111
SERVER = 'server.invalid:81'
URL = f'ws://{SERVER}/path'


def through(proxy='http://127.0.0.1:{}', *options, url=URL, env=None):
    """The library, and the connection that it made to the proxy."""
    listener, port = listen()
    if proxy:
        options += ('proxy=' + proxy.format(port),)
    env = {name: value.format(port) for name, value in (env or {}).items()}
    drive = Drive(*options, 'connect', url, env=env)
    connection = accept(listener)
    return drive, connection, listener


def upgrade(drive, connection, behind=b'behind'):
    """The server at the other end of the tunnel."""
    head, rest = read_head(connection)
    expect(rest, b'')
    contains(head, 'GET /path HTTP/1.1\r\n')
    contains(head, f'\r\nHost: {SERVER}\r\n')
    lacks(head, 'Proxy-')
    connection.sendall(good(head) + behind)
    connection.close()
    drive.finish()
    expect(drive.result, DONE, drive.error)
    expect(drive.rest, behind)


ESTABLISHED = b'HTTP/1.1 200 Connection established\r\n\r\n'


@case('RFC 9110 9.3.6: CONNECT, then the handshake through the tunnel')
def http_connect():
    drive, connection, _ = through()
    head, rest = read_head(connection)
    expect(head, f'CONNECT {SERVER} HTTP/1.1\r\nHost: {SERVER}\r\n')
    expect(rest, b'', 'nothing before the answer')
    connection.sendall(ESTABLISHED)
    upgrade(drive, connection)


@case('RFC 9110 9.3.6: any 2xx, any headers, 1xx before it')
def http_answers():
    for answer in (b'HTTP/1.1 204 x\r\n\r\n', b'HTTP/1.0 200 OK\r\n\r\n',
                   b'HTTP/1.1 100 \r\n\r\nHTTP/1.1 200\r\n\r\n',
                   b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
                   b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
                   b'HTTP/1.1 200 OK\r\nProxy-Agent: x\r\nX: y\r\n\r\n',
                   *('\r\n'.join(['HTTP/1.1 200 x', *lines, '', '']).encode()
                     for lines in LENGTHS)):
        drive, connection, _ = through()
        read_head(connection)
        connection.sendall(answer)
        upgrade(drive, connection)


@case('default ports and IPv6 stand in CONNECT as well')
def http_authority():
    for url, authority in (('ws://h/', 'h:80'), ('ws://[::1]/', '[::1]:80'),
                           ('ws://[fe80::1%25eth0]/', '[fe80::1]:80'),
                           ('ws://1.2.3.4:8/', '1.2.3.4:8')):
        drive, connection, _ = through(url=url)
        contains(read_head(connection)[0], f'CONNECT {authority} HTTP/1.1')
        connection.close()
        expect(drive.finish().result, EEOF)


@case('seed 004: refusals of the proxy are typed failures')
def http_refused():
    for status in ('403 Forbidden', '404 x', '500 x', '502 Bad Gateway',
                   '301 x', '101 Switching Protocols'):
        drive, connection, _ = through()
        read_head(connection)
        connection.sendall(plain(status, b'' if status[0] == '1' else b'no',
                                 'Location: ws://127.0.0.1:1/'))
        connection.close()
        drive.finish()
        expect((drive.result, drive.status), (EPROXY, int(status[:3])))
        contains(drive.error, 'the proxy answered ' + status)
    drive, connection, _ = through()
    read_head(connection)
    connection.sendall(b'SSH-2.0-x\r\n')
    connection.close()
    expect(drive.finish().result, ESYNTAX)


@case('RFC 9110 11.7: 407, Basic, on the same connection')
def http_basic():
    drive, connection, _ = through('http://me:p%20w@127.0.0.1:{}',
                                   'user=other:x')
    lacks(read_head(connection)[0], 'Authorization')
    connection.sendall(plain('407 x', b'who?',
                             'Proxy-Authenticate: Basic realm="x"'))
    head, _ = read_head(connection)
    contains(head, 'Proxy-Authorization: Basic ' +
             base64.b64encode(b'me:p w').decode())
    connection.sendall(ESTABLISHED)
    upgrade(drive, connection)


@case('RFC 9110 11.7.2: what a caller has for the proxy goes to it alone')
def http_own_credentials():
    line = 'Proxy-Authorization: Bearer x'
    drive, connection, _ = through('http://127.0.0.1:{}', 'header=' + line,
                                   'header=X-Plain: y')
    head, _ = read_head(connection)
    contains(head, line + '\r\n')
    lacks(head, 'X-Plain')
    connection.sendall(ESTABLISHED)
    upgrade(drive, connection)
    # an answer to a challenge says more
    drive, connection, _ = through('http://a:b@127.0.0.1:{}', 'header=' + line)
    contains(read_head(connection)[0], line)
    connection.sendall(plain('407 x', b'',
                             'Proxy-Authenticate: Basic realm="x"'))
    head, _ = read_head(connection)
    expect(head.count('Proxy-Authorization'), 1)
    contains(head, 'Proxy-Authorization: Basic ')
    connection.sendall(ESTABLISHED)
    upgrade(drive, connection)
    drive, connection, _ = through('socks5://127.0.0.1:{}', 'header=' + line)
    exactly(connection, 3)
    connection.sendall(b'\x05\0')
    exactly(connection, len(NAMED))
    connection.sendall(GRANTED)
    upgrade(drive, connection)


@case('RFC 7616: 407, Digest')
def http_digest():
    drive, connection, _ = through('http://me:pw@127.0.0.1:{}')
    read_head(connection)
    connection.sendall(plain('407 x', b'', 'Proxy-Authenticate: Digest '
                             'realm="r", nonce="n", qop="auth"'))
    head, _ = read_head(connection)
    p = parameters(head.split('Proxy-Authorization: ')[1].split('\r\n')[0])
    expect(p['uri'], SERVER)
    expect(p['response'], digest('me', 'pw', 'r', 'n', 'CONNECT', SERVER,
                                 cnonce=p['cnonce']))
    connection.sendall(ESTABLISHED)
    upgrade(drive, connection)


@case('407 on a connection that ends: another one')
def http_reconnect():
    drive, connection, listener = through('http://me:pw@127.0.0.1:{}')
    read_head(connection)
    connection.sendall(b'HTTP/1.0 407 x\r\n'
                       b'Proxy-Authenticate: Basic realm="x"\r\n\r\nwho?')
    connection.close()
    connection = accept(listener)
    contains(read_head(connection)[0], 'Proxy-Authorization: Basic ')
    connection.sendall(ESTABLISHED)
    upgrade(drive, connection)


@case('407 on a connection that is kept, and ends: another one')
def http_kept_and_closed():
    for cut in ('FIN', 'RST'):
        drive, connection, listener = through('http://me:pw@127.0.0.1:{}')
        read_head(connection)
        connection.sendall(plain('407 x', b'',
                                 'Proxy-Authenticate: Basic realm="x"'))
        end(connection, cut)
        connection = accept(listener)
        contains(read_head(connection)[0], 'Proxy-Authorization: Basic ')
        connection.sendall(ESTABLISHED)
        upgrade(drive, connection)


@case('407 without credentials, or again')
def http_auth_fails():
    drive, connection, _ = through()
    read_head(connection)
    refusal = plain('407 x', b'', 'Proxy-Authenticate: Basic realm="x"')
    connection.sendall(refusal)
    expect(read_all(connection), b'')
    drive.finish()
    expect((drive.result, drive.status), (EAUTH, 407))
    drive, connection, _ = through('http://a:b@127.0.0.1:{}')
    for _ in range(2):
        read_head(connection)
        connection.sendall(refusal)
    expect(read_all(connection), b'')
    expect(drive.finish().result, EAUTH)


@case('401 behind the proxy: credentials do not get mixed up')
def two_doors():
    drive, connection, _ = through('http://p:pp@127.0.0.1:{}', 'user=s:ss')
    read_head(connection)
    connection.sendall(plain('407 x', b'',
                             'Proxy-Authenticate: Basic realm="x"'))
    head, _ = read_head(connection)
    contains(head, base64.b64encode(b'p:pp').decode())
    connection.sendall(ESTABLISHED)
    lacks(read_head(connection)[0], 'Authorization')
    connection.sendall(plain('401 x', b'',
                             'WWW-Authenticate: Basic realm="x"'))
    head, _ = read_head(connection)
    contains(head, '\r\nAuthorization: Basic ' +
             base64.b64encode(b's:ss').decode())
    lacks(head, 'Proxy-')
    connection.sendall(good(head))
    connection.close()
    expect(drive.finish().result, DONE)


@case('RFC 7616 3.4: another tunnel, another answer to the proxy')
def http_tunnel_again():
    drive, connection, listener = through('http://p:pp@127.0.0.1:{}',
                                          'user=s:ss')
    for nonce in ('n1', 'n2'):
        lacks(read_head(connection)[0], 'Proxy-Authorization')
        connection.sendall(plain('407 x', b'', 'Proxy-Authenticate: Digest '
                                 f'realm="r", nonce="{nonce}", qop="auth"'))
        contains(read_head(connection)[0], f'nonce="{nonce}"')
        connection.sendall(ESTABLISHED)
        if nonce == 'n1':
            lacks(read_head(connection)[0], 'Authorization')
            connection.sendall(plain('401 x', b'', 'Connection: close',
                                     'WWW-Authenticate: Basic realm="x"'))
            connection.close()
            connection = accept(listener)
    upgrade(drive, connection)


@case('the server behind the proxy says nothing: the 200 was not its own')
def http_silence():
    drive, connection, _ = through()
    read_head(connection)
    connection.sendall(ESTABLISHED)
    read_head(connection)
    connection.close()
    drive.finish()
    expect((drive.result, drive.status), (EEOF, 0))


@case('401 behind the proxy on connections that end: not for ever')
def two_doors_closing():
    drive, connection, listener = through('http://127.0.0.1:{}', 'user=s:ss')
    for more in (True, False):
        read_head(connection)
        connection.sendall(ESTABLISHED)
        read_head(connection)
        connection.sendall(plain('401 x', b'', 'Connection: close',
                                 'WWW-Authenticate: Basic realm="x"'))
        connection.close()
        if more:
            connection = accept(listener)
    expect(drive.finish().result, EAUTH)


def exactly(connection, size):
    data = b''
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise AssertionError('end of stream')
        data += piece
    return data


NAMED = b'\x05\x01\0\x03\x0eserver.invalid\0\x51'
GRANTED = b'\x05\0\0\x01\x7f\0\0\x01\x12\x34'


@case('RFC 1928: a name is resolved by the proxy')
def socks_name():
    for scheme in ('socks5', 'socks5h', 'socks'):
        drive, connection, _ = through(scheme + '://127.0.0.1:{}')
        expect(exactly(connection, 3), b'\x05\x01\0')
        connection.sendall(b'\x05\0')
        expect(exactly(connection, len(NAMED)), NAMED)
        connection.sendall(GRANTED)
        upgrade(drive, connection)


@case('RFC 1928 4: addresses of both kinds')
def socks_address():
    for url, want in (('ws://1.2.3.4/', b'\x01\1\2\3\4\0\x50'),
                      ('ws://[::1]:8/', b'\x04' + bytes(15) + b'\1\0\x08'),
                      ('ws://[::1%251]:8/',
                       b'\x04' + bytes(15) + b'\1\0\x08')):
        drive, connection, _ = through('socks5://127.0.0.1:{}', url=url)
        exactly(connection, 3)
        connection.sendall(b'\x05\0')
        expect(exactly(connection, 3 + len(want)), b'\x05\x01\0' + want)
        connection.close()
        expect(drive.finish().result, EEOF)


@case('RFC 1928 6: answers of all kinds, in any cut, data right behind')
def socks_answers():
    for bound in (b'\x01\0\0\0\0\0\0', b'\x04' + bytes(18),
                  b'\x03\x04name\x12\x34', b'\x03\0\0\0',
                  b'\x03\xff' + b'x' * 255 + b'\0\0'):
        drive, connection, _ = through('socks5://127.0.0.1:{}', 'step=1')
        exactly(connection, 3)
        for byte in b'\x05\0':
            drive.wait_again()
            connection.sendall(bytes([byte]))
        exactly(connection, len(NAMED))
        for byte in b'\x05\0\0' + bound:
            drive.wait_again()
            connection.sendall(bytes([byte]))
        upgrade(drive, connection)


@case('RFC 1929: name and password')
def socks_password():
    drive, connection, _ = through('socks5://me:p%3Aw@127.0.0.1:{}')
    expect(exactly(connection, 4), b'\x05\x02\0\x02')
    connection.sendall(b'\x05\x02')
    expect(exactly(connection, 8), b'\x01\x02me\x03p:w')
    connection.sendall(b'\x01\0')
    expect(exactly(connection, len(NAMED)), NAMED)
    connection.sendall(GRANTED)
    upgrade(drive, connection)


@case('RFC 1929: the proxy does not want to know')
def socks_no_password():
    drive, connection, _ = through('socks5://me:pw@127.0.0.1:{}')
    exactly(connection, 4)
    connection.sendall(b'\x05\0')
    exactly(connection, len(NAMED))
    connection.sendall(GRANTED)
    upgrade(drive, connection)


@case('SOCKS: refusals are typed failures')
def socks_refused():
    for answer, result in ((b'\x05\xff', EAUTH), (b'\x05\x02', EAUTH),
                           (b'\x04\0', EPROXY), (b'HTTP', EPROXY),
                           (b'\x05', EEOF)):
        drive, connection, _ = through('socks5://127.0.0.1:{}')
        exactly(connection, 3)
        connection.sendall(answer)
        connection.close()
        expect(drive.finish().result, result, answer)
    sentences = set()
    for code in (1, 2, 3, 4, 5, 6, 7, 8, 9, 255):
        drive, connection, _ = through('socks5://127.0.0.1:{}')
        exactly(connection, 3)
        connection.sendall(b'\x05\0')
        exactly(connection, len(NAMED))
        connection.sendall(GRANTED[:1] + bytes([code]) + GRANTED[2:])
        expect(drive.finish().result, EPROXY)
        contains(drive.error, '127.0.0.1:')
        sentences.add(drive.error.split(': ')[1])
    # 9 and 255 mean nothing that is known
    expect(len(sentences), 9)
    for reply in (b'\x04\0\0\x01', b'\x05\0\0\x02'):
        drive, connection, _ = through('socks5://127.0.0.1:{}')
        exactly(connection, 3)
        connection.sendall(b'\x05\0')
        exactly(connection, len(NAMED))
        connection.sendall(reply + bytes(6))
        expect(drive.finish().result, EPROXY)


@case('RFC 1929: the password is refused, or does not fit')
def socks_password_refused():
    drive, connection, _ = through('socks5://me:pw@127.0.0.1:{}')
    exactly(connection, 4)
    connection.sendall(b'\x05\x02')
    exactly(connection, 7)
    connection.sendall(b'\x01\x01')
    expect(drive.finish().result, EAUTH)
    for user in ('x' * 256 + ':y', 'x:' + 'y' * 256, 'x:'):
        drive, connection, _ = through(f'socks5://{user}@127.0.0.1:{{}}')
        exactly(connection, 4)
        connection.sendall(b'\x05\x02')
        expect(drive.finish().result, EPROXY)


@case('SOCKS: a name that is too long for it')
def socks_long_name():
    drive, connection, _ = through('socks5://127.0.0.1:{}',
                                   url='ws://' + 'a' * 256 + '/')
    exactly(connection, 3)
    connection.sendall(b'\x05\0')
    expect(drive.finish().result, EPROXY)


@case('the proxy from the environment, when asked to look there')
def environment():
    ours = 'http://127.0.0.1:{}'
    for env in ({'ws_proxy': ours}, {'WS_PROXY': ours}, {'http_proxy': ours},
                {'all_proxy': ours}, {'ALL_PROXY': ours},
                {'http_proxy': '127.0.0.1:{}'},
                {'ws_proxy': ours, 'http_proxy': 'http://127.0.0.1:1'},
                {'ws_proxy': '', 'http_proxy': ours},
                {'http_proxy': ours, 'no_proxy': 'other.invalid, rver.invalid'
                 ' ,,x.server.invalid'}):
        drive, connection, _ = through(None, 'proxy_env=1', env=env)
        contains(read_head(connection)[0], 'CONNECT ')
        connection.sendall(ESTABLISHED)
        upgrade(drive, connection)


@case('no proxy: not asked for, excluded, switched off, or HTTP_PROXY')
def no_proxy():
    listener, port = listen()
    dead = 'http://127.0.0.1:1'
    for options, env in (((), {'http_proxy': dead}),
                         (('proxy_env=1',), {'HTTP_PROXY': dead}),
                         (('proxy_env=1', 'proxy='), {'http_proxy': dead}),
                         *((('proxy_env=1',), {'http_proxy': dead,
                                               name: value})
                           for name, value in (
                               ('no_proxy', '*'), ('NO_PROXY', 'LOCALHOST'),
                               ('no_proxy', 'x, localhost'),
                               ('no_proxy', '.localhost'),
                               ('no_proxy', '*.localhost')))):
        drive = Drive(*options, 'connect', f'ws://localhost:{port}/', env=env)
        with accept(listener) as connection:
            head, _ = read_head(connection)
            contains(head, 'GET / ')
            connection.sendall(good(head))
        expect(drive.finish().result, DONE)


@case('no_proxy: names, addresses and networks, with ports')
def no_proxy_forms():
    listener, port = listen()
    six = socket.create_server(('::1', port), family=socket.AF_INET6)
    six.settimeout(LIMIT)
    proxy, other = listen()
    for host, value, direct in (
            ('127.0.0.1', '127.0.0.0/8', True),
            ('127.0.0.1', '127.0.0.1/32', True),
            ('127.0.0.1', '126.0.0.0/7', True),
            ('127.0.0.1', '10.0.0.0/8,127.0.0.1', True),
            ('127.0.0.1', '0.0.0.0/0', True), ('127.0.0.1', '*', True),
            ('127.0.0.1', f'127.0.0.1:{port}', True),
            ('127.0.0.1', f'*:{port}', True), ('127.0.0.1', '*:1', False),
            ('127.0.0.1', '127.0.0.1:1', False),
            ('127.0.0.1', '128.0.0.0/8', False),
            ('127.0.0.1', '127.0.0.0/33', False),
            ('127.0.0.1', '127.0.0.0/', False),
            ('127.0.0.1', '127.0.0.0/x', False),
            ('127.0.0.1', '127.0.0.0/-1', False),
            ('127.0.0.1', '0.0.1', False), ('127.0.0.1', '::/0', False),
            ('127.0.0.1', '1', False), ('127.0.0.1', '127.0.0.2/31', False),
            ('localhost', 'localhost.', True), ('localhost', 'LocalHost', True),
            ('many.test.', 'many.test', True),
            ('many.test.', '.test.', True),
            ('localhost', f'localhost:{port}', True),
            ('localhost', 'localhost:81', False), ('localhost', 'host', False),
            ('localhost', '127.0.0.1', False),
            ('[::1]', '[::1]', True), ('[::1]', '::1', True),
            ('[::1]', f'[::1]:{port}', True), ('[::1]', '[::1]:1', False),
            ('[::1]', '0:0::1', True), ('[::1]', '::/127', True),
            ('[::1]', '[::]/127', True), ('[::1%251]', '::1', True),
            ('[::1]', '::2/127', False), ('[::1]', 'fd00::/8', False),
            ('[::1]', '0.0.0.0/0', False)):
        drive = Drive('proxy_env=1', 'addresses=127.0.0.1', 'connect',
                      f'ws://{host}:{port}/',
                      env={'http_proxy': f'http://127.0.0.1:{other}',
                           'no_proxy': value})
        ready = select.select([proxy, six, listener], [], [], LIMIT)[0]
        expect(len(ready), 1, value)
        with accept(ready[0]) as connection:
            head, _ = read_head(connection)
            expect(head.split()[0], 'GET' if direct else 'CONNECT',
                   f'{host} with {value}')
        expect(drive.finish().result, EEOF)


@case('a proxy that is none, or not there')
def bad_proxy():
    for proxy, result in (('https://a/', EPROTONOSUPPORT),
                          ('ws://a/', EPROTONOSUPPORT), ('://', EURL),
                          ('ftp://a/', EURL), ('http://', EURL)):
        expect(Drive('proxy=' + proxy, 'connect', URL).finish().result,
               result, proxy)
    expect(Drive('proxy=https://a/', 'connect', URL).finish().error,
           'https://a/: https:// proxies are not supported yet')
    for proxy, part in (('socks4://a', 'socks5:// is'), ('ws://a', 'http://'),
                        ('socks4a://a', 'socks5:// is'), ('a:99999', '65535'),
                        ('http://b\xfccher', 'xn--')):
        drive = Drive('proxy=' + proxy, 'connect', URL).finish()
        expect(drive.result < 0, True)
        contains(drive.error, part)
    drive = Drive('proxy=http://127.0.0.1:1', 'connect', URL).finish()
    expect(drive.result, ECONNREFUSED)
    contains(drive.error, '127.0.0.1:1: ')


@case('time and size limits hold for proxies too')
def proxy_limits():
    drive, connection, _ = through('http://127.0.0.1:{}', 'timeout=3000')
    read_head(connection)
    expect(drive.finish().result, -110)
    drive, connection, _ = through('socks5://127.0.0.1:{}', 'timeout=3000')
    exactly(connection, 3)
    expect(drive.finish().result, -110)
    drive, connection, _ = through('http://127.0.0.1:{}', 'head_max=300')
    read_head(connection)
    connection.sendall(b'HTTP/1.1 200 ' + b'x' * 400)
    expect(drive.finish().result, ELIMIT)


if __name__ == '__main__':
    main('proxy')
