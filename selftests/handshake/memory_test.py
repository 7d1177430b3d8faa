# SPDX-License-Identifier: GPL-2.0
"""Each call that may fail for want of memory or of a descriptor fails in turn.

The handshake has to end with an error of its own, or to go on without; what it
had taken is given back (AddressSanitizer and `drive` itself look for leaks).
"""
import socket

from auth_test import basic, challenges, credentials
from client_test import accept, good, listen, plain
from peer import (DONE, EHTTP, Drive, case, expect, main, pair, read_answer,
                  read_head)
from proxy_test import ESTABLISHED, GRANTED, NAMED, SERVER, exactly
from server_test import request

ENOMEM, EIO, EMFILE, EAGAIN, ENOSYS = -12, -5, -24, -11, -38
WANT = (ENOMEM, EIO, EMFILE, EAGAIN, ENOSYS)


def each_failure(role, script, *options, least, good_results=(DONE,)):
    """The Nth call fails, until there are not so many. How many there are."""
    seen = set()
    for nth in range(1, 2000):
        drive = role(script, f'fail={nth}', *options)
        if not drive.reached:
            expect(drive.result in good_results, True,
                   f'result {drive.result} without a failure')
            break
        result = drive.option if drive.result is None else drive.result
        seen.add(result)
        # nothing at all is there when there is no configuration
        if result not in (None, *WANT, *good_results):
            raise AssertionError(f'call {nth} fails: {result}, {drive.error}')
        if drive.result is not None and drive.result < 0:
            expect(bool(drive.error) or nth < 20, True, 'a sentence')
    else:
        raise AssertionError('there is no end of calls')
    if nth <= least or ENOMEM not in seen:
        raise AssertionError(f'{nth - 1} calls, {seen}')
    print(f'# {nth - 1} calls', flush=True)


def follow(script, sock):
    """The peer's part, as far as it comes."""
    try:
        script(sock)
    except (AssertionError, OSError, IndexError, KeyError):
        pass
    sock.close()


def server(script, *options):
    ours, theirs = pair()
    drive = Drive(*options, 'accept', theirs.fileno(), fds=[theirs.fileno()])
    theirs.close()
    follow(script, ours)
    return drive.finish()


def client(script, *options, host='127.0.0.1', proxy=None):
    listener, port = listen()
    url = f'ws://{SERVER}/' if proxy else f'ws://{host}:{port}/'
    if proxy:
        options += ('proxy=' + proxy.format(port),)
    drive = Drive(*options, 'connect', url)
    # it may never come: drive's end is the end of waiting
    listener.settimeout(0.02)
    while drive.process.poll() is None:
        try:
            connection, _ = listener.accept()
        except (socket.timeout, BlockingIOError):
            continue
        connection.settimeout(30)
        follow(script, connection)
    listener.close()
    return drive.finish()


@case('a server: all headers of a handshake')
def accepting():
    def script(sock):
        sock.sendall(request('Sec-WebSocket-Protocol: a, b', 'Cookie: c',
                             'Sec-WebSocket-Extensions: x; y="z"',
                             Origin='http://example.org') + b'behind')
        read_head(sock)
    each_failure(server, script, 'subprotocol=b', 'header=X: y',
                 'allow_origin=http://other', 'host=example.org', 'path=/',
                 least=20)


@case('a server: refusals, and the application that answers')
def answering():
    def script(sock):
        rest = b''
        for data in (request(Upgrade=None), request(method='POST'),
                     request(Origin='http://evil'), request(Host='a b')):
            sock.sendall(data)
            _, _, rest = read_answer(sock, rest)
    each_failure(server, script, least=15, good_results=(EHTTP,))
    for ask in ('page', 'file'):
        each_failure(server, script, f'ask={ask}', least=15,
                     good_results=(EHTTP,))


@case('a server: Basic and Digest')
def authorising():
    def script(sock):
        sock.sendall(request())
        offers = challenges(read_answer(sock)[0])
        sock.sendall(request(basic('me:x')))
        read_answer(sock)
        sock.sendall(request(credentials(offers[0])) + b'behind')
        read_head(sock)
    each_failure(server, script, 'user=me:secret', least=100,
                 good_results=(DONE, EHTTP))


@case('a client: subprotocol, cookies, an answer with all headers')
def connecting():
    def script(sock):
        head, _ = read_head(sock)
        sock.sendall(b'HTTP/1.1 103 x\r\nA: b\r\n\r\n' +
                     good(head, 'Sec-WebSocket-Protocol: b', 'X: y'))
    options = ('subprotocol=a', 'subprotocol=b', 'header=Cookie: c=d',
               'origin=http://x')
    each_failure(client, script, *options, least=20)
    each_failure(lambda *a: client(*a, host='localhost'), script, *options,
                 least=20)


@case('a client: 401 with Basic and Digest, and a redirect')
def trying_again():
    for offer in ('Basic realm="x"', 'Digest realm="x", nonce="n", qop=auth, '
                  'algorithm=SHA-256-sess, opaque="o"'):
        def script(sock, offer=offer):
            head, _ = read_head(sock)
            if 'GET /to' not in head:
                sock.sendall(plain('302 x', b'body', 'Location: to'))
                return
            sock.sendall(plain('401 x', b'who?',
                               'WWW-Authenticate: ' + offer))
            sock.sendall(good(read_head(sock)[0]))
        each_failure(client, script, 'user=me:secret', 'redirects_max=2',
                     least=30)


@case('a client: proxies of HTTP, with 407, and SOCKS5')
def proxied():
    def http(sock):
        head, _ = read_head(sock)
        if 'Proxy-' not in head:
            sock.sendall(plain('407 x', b'', 'Proxy-Authenticate: Digest '
                               'realm="x", nonce="n", qop="auth"'))
            read_head(sock)
        sock.sendall(ESTABLISHED)
        sock.sendall(good(read_head(sock)[0]))

    def socks(sock):
        exactly(sock, 4)
        sock.sendall(b'\x05\x02')
        exactly(sock, 7)
        sock.sendall(b'\x01\0')
        exactly(sock, len(NAMED))
        sock.sendall(GRANTED)
        sock.sendall(good(read_head(sock)[0]))
    each_failure(lambda *a: client(*a, proxy='http://me:pw@127.0.0.1:{}'),
                 http, least=30)
    each_failure(lambda *a: client(*a, proxy='socks5://me:pw@127.0.0.1:{}'),
                 socks, least=25)


if __name__ == '__main__':
    main('memory')
