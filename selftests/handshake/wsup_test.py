# SPDX-License-Identifier: GPL-2.0
"""The wsup program, in a guest with the module."""
import contextlib
import os
import re
import resource
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time

from frames import (BINARY, CLOSE, PING, PONG, TEXT, Peer, Server, Wsup,
                    frame, upgrade, wsup)
from peer import (END, LIMIT, Patience, case, contains, expect, lacks, main,
                  output, pair, read_all, read_answer, read_head)

resource.setrlimit(resource.RLIMIT_NOFILE,
                   (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def echoes(peer, opcode, data):
    peer.send(opcode, data)
    got, back = peer.message()
    expect(got, opcode, 'type')
    expect(len(back), len(data), 'length')
    expect(back == data, True, 'the same bytes')


def background(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


@case('serve --echo: type and boundaries')
def echo():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        for opcode in (TEXT, BINARY):
            for size in (0, 1, 125, 126, 4096, 65535, 65536):
                echoes(peer, opcode, b'x' * size)
        peer.send(TEXT, b'ab', fin=False)
        peer.send(PING, b'between')
        peer.send(0, b'', fin=False)
        peer.send(0, b'cd')
        expect(peer.message(), (PONG, b'between'))
        expect(peer.message(), (TEXT, b'abcd'))
        peer.send(BINARY, b'', fin=False)
        peer.send(0, b'')
        expect(peer.message(), (BINARY, b''))
        expect(peer.close(), 1000)
        peer.end()


@case('serve --echo: messages that fit no buffer')
def echo_long():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        for size in (65537, 300000, 1 << 20, 16 << 20):
            data = os.urandom(1 << 16) * (size // 65536 + 1)
            data = data[:size]
            thread = background(peer.send, BINARY, data)
            got, back = peer.message()
            expect((got, len(back)), (BINARY, size))
            expect(back == data, True, 'the same bytes')
            thread.join()
        expect(peer.close(), 1000)


@case('serve --echo: many small messages at once, types mixed')
def echo_pipelined():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        messages = [(TEXT if i % 3 else BINARY, b'%d' % i * (i % 7))
                    for i in range(20000)]
        data = b''.join(frame(*m) for m in messages)
        background(peer.sock.sendall, data)
        for message in messages:
            expect(peer.message(), message)
        expect(peer.close(), 1000)


@case('serve --echo: short and long messages in one stream')
def echo_mixed():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        messages = [(TEXT, b'a' * n) for n in
                    (0, 1, 70000, 5, 0, 65528, 65529, 200000, 3, 0)] * 10
        background(peer.sock.sendall, b''.join(frame(*m) for m in messages))
        for message in messages:
            expect(peer.message() == message, True, 'the same message')
        expect(peer.close(), 1000)


def rss(process):
    with open(f'/proc/{process.pid}/status') as file:
        return int(re.search(r'VmRSS:\s*(\d+)', file.read())[1])


@case('serve --echo: who does not read holds up nobody else, and no memory')
def echo_slow_reader():
    with Wsup('serve', '--echo', '-j', 1, '127.0.0.1:0') as server:
        slow = [upgrade(server.port) for _ in range(300)]
        other = upgrade(server.port)
        for peer in slow:
            peer.sock.setblocking(False)
            data = frame(BINARY, b'x' * 1000) * 1000
            while True:
                try:
                    data = data[peer.sock.send(data):] or \
                        frame(BINARY, b'x' * 1000) * 1000
                except BlockingIOError:
                    break
        echoes(other, TEXT, b'still there')
        contains(range(0, 100000), rss(server.process))
        for peer in slow:
            peer.sock.close()
        echoes(other, TEXT, b'and after')
        expect(other.close(), 1000)


@case('serve: a thousand connections in turn, all in one loop')
def many_connections():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peers = [upgrade(server.port) for _ in range(1000)]
        for round_ in range(3):
            for i, peer in enumerate(peers):
                peer.send(TEXT, b'%d' % i)
            for i, peer in enumerate(peers):
                expect(peer.message(), (TEXT, b'%d' % i))
        for peer in peers:
            expect(peer.close(), 1000)


@case('serve: IPv6, and the address that is printed')
def ipv6():
    server = Wsup('serve', '--echo', '[::1]:0')
    line = server.process.stdout.readline().decode()
    contains(line, 'listening on [::1]:')
    peer = upgrade(int(line.rsplit(':', 1)[1]), host='::1')
    echoes(peer, TEXT, b'x')
    expect(peer.close(), 1000)
    server.stop()


@case('serve: an address in use, or not ours')
def bad_address():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        for threads in (1, 4):
            _, err = wsup('serve', '--echo', '-j', threads,
                          f'127.0.0.1:{server.port}', code=1)
            contains(err, b'Address already in use')
    _, err = wsup('serve', '--echo', '192.0.2.1:0', code=1)
    contains(err, b'wsup: serve: 192.0.2.1:0: Cannot assign')


@case('usage errors are 2, help is 0, failures are 1')
def exit_codes():
    for args in ((), ('nonsense',), ('serve',), ('serve', '--echo'),
                 ('serve', '--echo', '--to', 'a:1', '0'), ('connect',),
                 ('connect', 'a', 'b'), ('connect', '-z', 'x'),
                 ('connect', '-H', 'bad', 'ws://a/'),
                 ('connect', '-t', 'x', 'ws://a/'), ('accept',),
                 ('attach', '--fd', 0, 'cat'), ('info', 'x'), ('info', 1, 2),
                 ('serve', '--echo', '-p', 'a b', '0'),
                 ('serve', '--echo', '--takeover', '0')):
        out, err = wsup(*args, code=2)
        expect(out, b'')
        contains(err, b'wsup')
    for command in ('connect', 'serve', 'accept', 'attach', 'stat', 'info',
                    'doctor'):
        out, err = wsup(command, '--help')
        contains(out, b'usage: wsup ' + command.encode())
        expect(err, b'')
    contains(wsup('--help')[0], b'usage: wsup')
    contains(wsup('--version')[0], b'wsup 0.')


@case('values: a bad one is told with what would be right')
def bad_values():
    for args, told in (
            (('connect', '-t', 'x', 'ws://a/'), b'from 1ms to 1h, as 500ms'),
            (('connect', '-t', '2h', 'ws://a/'), b'from 1ms to 1h, as 500ms'),
            (('connect', '-t', '10 s', 'ws://a/'), b'--timeout: not a time'),
            (('connect', '-P', '2d', 'ws://a/'), b'from 0 to 1d'),
            (('connect', '-t', '1..2s', 'ws://a/'), b'--timeout: not a time'),
            (('connect', '-t', '-1s', 'ws://a/'), b'--timeout: not a time'),
            (('connect', '-t', '.', 'ws://a/'), b'--timeout: not a time'),
            (('connect', '-L', '21', 'ws://a/'), b'a number from 0 to 20'),
            (('serve', '--echo', '99999'), b'a number from 0 to 65535'),
            (('serve', '--echo', 'localhost:'), b'a number from 0 to 65535'),
            (('serve', '--echo', '[]:1'), b'not ADDRESS:PORT: []:1')):
        contains(wsup(*args, code=2)[1], told)
    _, err = wsup('connect', '-u', 'secret', 'ws://a/', code=2)
    contains(err, b'--user: not NAME:PASSWORD')
    lacks(err, b'secret')


@case('values: times have units; options may stand behind arguments')
def good_values():
    for value in ('500ms', '10s', '1.5s', '0.5m', '1h', '2min', '700'):
        _, err = wsup('connect', 'ws://127.0.0.1:1/', '-t', value, code=1)
        contains(err, b'Connection refused')
    start = time.monotonic()
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        wsup('connect', f'ws://127.0.0.1:{port}/', '-t', '0.3s', code=1)
    contains(range(0, LIMIT // 3), int(time.monotonic() - start))
    with Wsup('serve', '--echo', ':0', '-t', '1m') as server:
        for host in ('127.0.0.1', '127.0.0.2'):
            expect(upgrade(server.port, host=host).close(), 1000)
    # what follows a command's name is the command's
    _, err = wsup('attach', '--fd', 0, '--role', 'client', 'cat', '--nope',
                  code=1)
    lacks(err, b'unrecognized')


@case('an option that does nothing where it stands is said to')
def foreign_options():
    for args, told in (
            (('--exec', 'true', '-w', '1'), b'--wait does nothing with'),
            (('--exec', 'true', '-1', '-n'), b'--one does nothing with --exec'),
            (('--lines',), b'--lines does nothing without --exec'),
            (('--grace', '1s'), b'--grace does nothing without --exec')):
        _, err = wsup('connect', 'ws://127.0.0.1:1/', *args, code=1)
        contains(err, told)
        contains(err, b'Connection refused')
    server = Wsup('serve', '--echo', '--text', '--lines', '127.0.0.1:0')
    server.listening()
    err = server.stop()[1]
    contains(err, b'--text does nothing with --echo')
    contains(err, b'--lines does nothing without --exec')


@case('help COMMAND is the same as COMMAND --help')
def help_command():
    for command in ('connect', 'serve', 'accept', 'attach', 'stat', 'info',
                    'doctor'):
        expect(wsup('help', command), wsup(command, '--help'))
    contains(wsup('help')[0], b'usage: wsup COMMAND')
    contains(wsup('help', 'nope', code=2)[1], b'no such command: nope')


@case('messages: nothing in a peer\'s words acts on a terminal')
def message_escapes():
    for reason, shown in ((b'\x1b]0;x\x07', rb'\x1b]0;x\x07'),
                          (b'\nwsup: connect: ok', rb'\x0awsup: connect: ok'),
                          ('\x9b2J'.encode(), rb'\xc2\x9b2J'),
                          ('\u202eabc'.encode(), rb'\xe2\x80\xaeabc'),
                          ('über'.encode(), 'über'.encode())):
        def serve(peer, reason=reason):
            peer.send(CLOSE, struct.pack('>H', 1011) + reason)
            peer.message()

        server = Server(serve)
        _, err = wsup('connect', '-v', server.url, stdin=b'', code=1)
        server.join()
        contains(err, shown + b'\n')
        expect(err.count(b'\n'), 2)


@case('connect: lines are text messages, messages are lines')
def connect_lines():
    got = []

    def serve(peer):
        for _ in range(4):
            got.append(peer.message())
        peer.send(TEXT, b'first')
        peer.send(BINARY, b'')
        peer.send(TEXT, b'th', fin=False)
        peer.send(0, b'ird')
        expect(peer.closed(), 1000)
        peer.send(CLOSE, struct.pack('>H', 1000))

    server = Server(serve)
    out, err = wsup('connect', '-v', server.url, stdin=b'one\n\nthree\nlast')
    server.join()
    expect(got, [(TEXT, b'one'), (TEXT, b''), (TEXT, b'three'),
                 (TEXT, b'last')])
    expect(out, b'first\n\nthird\n')
    expect(err, b'wsup: connect: connected\n'
           b'wsup: connect: closed by us: 1000\n')


@case('connect --bytes: streams, binary')
def connect_bytes():
    def serve(peer):
        data = b''
        while len(data) < 1000000:
            opcode, piece = peer.message()
            expect(opcode, BINARY)
            data += piece
        peer.send(BINARY, data[:500000])
        peer.send(BINARY, data[500000:])
        expect(peer.closed(), 1000)
        peer.send(CLOSE, struct.pack('>H', 1000))

    server = Server(serve)
    data = os.urandom(1000000)
    out, _ = wsup('connect', '--bytes', server.url, stdin=data)
    server.join()
    expect(out == data, True, 'the same bytes')


@case('connect: a line of a megabyte goes in fragments')
def connect_long_line():
    def serve(peer):
        opcode, data = peer.message()
        expect((opcode, len(data)), (TEXT, 1 << 20))
        expect(peer.message(), (TEXT, b'next'))
        expect(peer.closed(), 1000)
        peer.send(CLOSE, struct.pack('>H', 1000))

    server = Server(serve)
    wsup('connect', server.url, stdin=b'x' * (1 << 20) + b'\nnext\n')
    server.join()


@case('connect: the exit code and the report tell how it ended')
def connect_close():
    for code, reason, status in ((1000, b'', 0), (1001, b'bye', 0),
                                 (None, b'', 0), (1011, b'oops', 1),
                                 (4000, b'mine', 1)):
        def serve(peer, code=code, reason=reason):
            peer.send(CLOSE, struct.pack('>H', code) + reason if code else b'')
            peer.message()

        server = Server(serve)
        read_end, write_end = os.pipe()
        process = subprocess.run(
            ['wsup', 'connect', '-v', server.url], stdin=read_end,
            capture_output=True, timeout=END, check=False)
        os.close(read_end)
        os.close(write_end)
        server.join()
        expect(process.returncode, status)
        contains(process.stderr, b'closed by the server: %d%s\n' % (
            code or 1005, b' ' + reason if reason else b''))


@case('connect: a server that breaks the protocol, or leaves')
def connect_broken():
    def bad(peer):
        peer.sock.sendall(b'\x83\x00')
        expect(peer.closed(), 1002)

    def gone(peer):
        peer.sock.sendall(b'\x01\x05he')
        peer.sock.close()

    for handler, text in ((bad, b'Protocol error'), (gone, b'reset')):
        server = Server(handler)
        read_end, write_end = os.pipe()
        process = subprocess.run(
            ['wsup', 'connect', '-v', server.url], stdin=read_end,
            capture_output=True, timeout=END, check=False)
        os.close(read_end)
        os.close(write_end)
        expect(process.returncode, 1)
        contains(process.stderr, text)


@case('connect: nobody there, no upgrade, no such name')
def connect_fails():
    _, err = wsup('connect', 'ws://127.0.0.1:1/', code=1)
    expect(err, b'wsup: connect: 127.0.0.1:1: Connection refused\n')
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        sock, _ = listener.accept()
        read_head(sock)
        sock.sendall(b'HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n\r\n')
        read_all(sock)

    background(serve)
    port = listener.getsockname()[1]
    _, err = wsup('connect', f'ws://127.0.0.1:{port}/', code=1)
    contains(err, b'the server answered 404 Not Here')
    _, err = wsup('connect', 'wss://127.0.0.1/', code=1)
    contains(err, b'only ws://')


@case('connect: headers, subprotocol, origin, user, ping')
def connect_options():
    def ping(peer):
        contains(peer.request, 'X-A: b\r\n')
        contains(peer.request, 'Sec-WebSocket-Protocol: p, q\r\n')
        contains(peer.request, 'Origin: http://o.example\r\n')
        opcode, data = peer.message()
        expect(opcode, PING)
        peer.send(PONG, data)
        peer.send(CLOSE, struct.pack('>H', 1000))
        while (opcode := peer.message()[0]) == PING:
            pass        # it was on its way
        expect(opcode, CLOSE)

    server = Server(ping, 'Sec-WebSocket-Protocol: q')
    read_end, write_end = os.pipe()
    process = subprocess.run(
        ['wsup', 'connect', '-v', '-H', 'X-A: b', '-p', 'p', '-p', 'q', '-o',
         'http://o.example', '-P', '50', server.url], stdin=read_end,
        capture_output=True, timeout=END, check=False)
    os.close(read_end)
    os.close(write_end)
    server.join()
    expect(process.returncode, 0)
    contains(process.stderr, b'connected, subprotocol q\n')


@case('connect --exec: a command has the connection')
def connect_exec():
    def serve(peer):
        expect(peer.message(), (BINARY, b'hello\n'))
        peer.send(TEXT, b'world')
        peer.send(CLOSE, struct.pack('>H', 1000))
        peer.closed()

    server = Server(serve)
    _, err = wsup('connect', '-v', '--exec', 'echo hello; cat >&2',
                  server.url)
    server.join()
    contains(err, b'world')
    contains(err, b'closed by the server: 1000')

    def leave(peer):
        expect(peer.closed(), 1011)
        peer.send(CLOSE, struct.pack('>H', 1011))

    server = Server(leave)
    _, err = wsup('connect', '--exec', 'exit 3', server.url, code=1)
    contains(err, b'exit 3: exit code 3')
    server.join()


def inherited(*args, first=b'', env=None, systemd=False):
    """A program that inherits our connection as stdin and stdout."""
    ours, theirs = pair()
    ours.sendall(first)

    if systemd:
        process = subprocess.Popen(
            ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&0 </dev/null',
             'sh', 'wsup', *map(str, args)], stdin=theirs,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    else:
        process = subprocess.Popen(['wsup', *map(str, args)], stdin=theirs,
                                   stdout=theirs, stderr=subprocess.PIPE,
                                   env={**os.environ, **(env or {})})
    theirs.close()
    return ours, process


REQUEST = (b'GET /a%20b/c?d=e HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n'
           b'Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ'
           b'==\r\nSec-WebSocket-Version: 13\r\nX-Thing: x\r\nProxy: evil\r\n'
           b'Authorization: Basic bWU6cHc=\r\n\r\n')


@case('accept: as inetd runs it, with frames right behind the request')
def accept_inetd():
    ours, process = inherited('accept', '--', 'cat',
                              first=REQUEST + frame(TEXT, b'early'))
    contains(read_head(ours)[0], ' 101 ')
    peer = Peer(ours)
    expect(peer.message(), (BINARY, b'early'))
    peer.send(TEXT, b'late')
    expect(peer.message(), (BINARY, b'late'))
    peer.send(CLOSE, struct.pack('>H', 1000))
    expect(peer.closed(), 1000)
    expect(process.wait(END), 0)


@case('accept: as systemd runs it, Accept=yes')
def accept_systemd():
    ours, process = inherited('accept', '--text', 'cat', first=REQUEST,
                              systemd=True)
    contains(read_head(ours)[0], ' 101 ')
    peer = Peer(ours)
    peer.send(BINARY, b'x')
    expect(peer.message(), (TEXT, b'x'))
    expect(peer.close(), 1000)
    output(process)
    expect(process.returncode, 0)


@case('accept: the environment, as for CGI')
def accept_environment():
    ours, process = inherited('accept', '--auth', 'me:pw', 'env', '-0',
                              first=REQUEST, env={'HTTP_X': 'old',
                                                  'KEEP': 'me'})
    _, rest = read_head(ours)
    data = b''
    peer = Peer(ours)
    peer.rest = rest
    while True:
        opcode, piece = peer.message()
        if opcode == CLOSE:
            break
        data += piece
    process.wait(END)
    env = dict(v.split('=', 1) for v in data.decode().split('\0') if v)
    for name, value in (('REQUEST_METHOD', 'GET'), ('PATH_INFO', '/a b/c'),
                        ('REQUEST_URI', '/a%20b/c?d=e'),
                        ('QUERY_STRING', 'd=e'), ('HTTP_X_THING', 'x'),
                        ('HTTP_HOST', 'h'), ('REMOTE_ADDR', '127.0.0.1'),
                        ('REMOTE_USER', 'me'), ('KEEP', 'me'),
                        ('SERVER_PROTOCOL', 'HTTP/1.1')):
        expect(env.get(name), value, name)
    for name in ('HTTP_PROXY', 'HTTP_AUTHORIZATION', 'HTTP_X'):
        expect(name in env, False, name)


@case('accept: what is no handshake gets its answer, and exit code 1')
def accept_refuses():
    ours, process = inherited('accept', 'cat', first=b'GET / HTTP/1.1\r\n'
                              b'Host: h\r\nConnection: close\r\n\r\n')
    contains(read_answer(ours)[0], ' 426 ')
    ours.close()
    expect(process.wait(END), 1)
    contains(process.stderr.read(), b'wsup: accept: answered 426')


@case('attach: after a foreign handshake, with what it had read')
def attach():
    with tempfile.NamedTemporaryFile() as file:
        whole = frame(TEXT, b'hello') + frame(TEXT, b'again')
        file.write(whole[:9])
        file.flush()
        ours, process = inherited('attach', '--fd', 0, '--role', 'server',
                                  '--preload', file.name, 'cat')
        ours.sendall(whole[9:])
        peer = Peer(ours)
        data = b''
        while len(data) < 10:
            data += peer.message()[1]
        expect(data, b'helloagain')
        expect(peer.close(), 1000)
        expect(process.wait(END), 0)
    ours, process = inherited('attach', '--fd', 0, '--role', 'client', 'cat')
    peer = Peer(ours, client=False)
    peer.send(TEXT, b'x')
    expect(peer.message(), (BINARY, b'x'))
    ours.close()
    process.wait(END)
    _, err = wsup('attach', '--fd', 0, '--role', 'server', 'cat', code=1)
    contains(err, b'wsup: attach: ')


@case('serve --exec: a program for each connection, and its environment')
def serve_exec():
    with Wsup('serve', '--exec', 'echo $PATH_INFO; cat', '--text',
              '127.0.0.1:0') as server:
        peers = [upgrade(server.port, f'/{i}') for i in range(20)]
        for i, peer in enumerate(peers):
            expect(peer.message(), (TEXT, b'/%d' % i))
            echoes(peer, TEXT, b'x' * 1000)
            expect(peer.close(), 1000)


@case('serve --exec: when the program ends, so does the connection')
def serve_exec_ends():
    with Wsup('serve', '--exec', 'read -r line; exit 1',
              '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        peer.send(TEXT, b'go\n')
        expect(peer.closed(), 1011)


@case('serve --exec --connections: so many processes and no more')
def serve_exec_limit():
    with Wsup('serve', '--exec', 'echo up; cat', '-n', 2,
              '127.0.0.1:0') as server:
        first, second = upgrade(server.port), upgrade(server.port)
        for peer in (first, second):
            expect(peer.message(), (BINARY, b'up\n'))
        third = socket.create_connection(('127.0.0.1', server.port), LIMIT)
        third.sendall(REQUEST)
        third.settimeout(0.3)
        try:
            raise AssertionError(f'answered: {third.recv(100)!r}')
        except socket.timeout:
            pass
        expect(first.close(), 1000)
        third.settimeout(LIMIT)
        contains(read_head(third)[0], ' 101 ')
        third.close()
        expect(second.close(), 1000)


def tcp_server(handler):
    listener = socket.create_server(('127.0.0.1', 0))
    listener.settimeout(LIMIT)

    def run():
        while True:
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                continue        # a look whether it was closed
            except OSError:
                return
            background(handler, sock)

    background(run)
    return listener, f'127.0.0.1:{listener.getsockname()[1]}'


def tcp_echo(sock):
    while data := sock.recv(1 << 16):
        sock.sendall(data)
    sock.close()


@case('serve --to: bytes go through in both directions')
def relay():
    listener, address = tcp_server(tcp_echo)
    with Wsup('serve', '--to', address, '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        for data in (b'x', b'hello' * 100, os.urandom(1 << 20),
                     os.urandom(1 << 16) * 256):
            thread = background(peer.send, BINARY, data)
            back = b''
            while len(back) < len(data):
                opcode, piece = peer.message()
                expect(opcode, BINARY)
                back += piece
            thread.join()
            expect(back == data, True, 'the same bytes')
        expect(peer.close(), 1000)
    listener.close()


@case('serve --to: many at once')
def relay_many():
    listener, address = tcp_server(tcp_echo)
    with Wsup('serve', '--to', address, '--text', '127.0.0.1:0') as server:
        peers = [upgrade(server.port) for _ in range(200)]
        for _ in range(3):
            for i, peer in enumerate(peers):
                peer.send(TEXT, b'%d' % i)
            for i, peer in enumerate(peers):
                expect(peer.message(), (TEXT, b'%d' % i))
        for peer in peers:
            expect(peer.close(), 1000)
    listener.close()


@case('serve --to: the server behind ends first')
def relay_server_ends():
    def speak(sock):
        sock.sendall(b'x' * 300000)
        sock.shutdown(socket.SHUT_WR)
        expect(sock.recv(100), b'')

    listener, address = tcp_server(speak)
    with Wsup('serve', '--to', address, '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        n = 0
        while True:
            opcode, data = peer.message()
            if opcode == CLOSE:
                break
            n += len(data)
        expect(n, 300000)
        expect(data, struct.pack('>H', 1000))
        peer.send(CLOSE, data)
        peer.end()
    listener.close()


@case('serve --to: the client ends first, nothing of it is lost')
def relay_client_ends():
    got = []
    done = threading.Event()

    def listen(sock):
        sock.sendall(b'unwanted' * 10)
        while piece := sock.recv(1 << 16):
            got.append(len(piece))
        done.set()

    listener, address = tcp_server(listen)
    with Wsup('serve', '--to', address, '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        peer.send(BINARY, b'y' * 400000)
        peer.send(CLOSE, struct.pack('>H', 1000))
        patience = Patience()
        while not done.wait(0.05):
            patience.look(sum(got), 'bytes received')
        expect(sum(got), 400000)
    listener.close()


@case('serve --to: nobody there')
def relay_nobody():
    with Wsup('serve', '--to', '127.0.0.1:1', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        expect(peer.closed(), 1014)


def get(port, target, method='GET', *lines):
    sock = socket.create_connection(('127.0.0.1', port), LIMIT)
    head = [f'{method} {target} HTTP/1.1', 'Host: localhost',
            'Connection: close',
            *lines]
    sock.sendall('\r\n'.join(head).encode() + b'\r\n\r\n')
    head, rest = read_head(sock)
    return head, rest + read_all(sock)


@case('serve --static: files, from the same port')
def static():
    with tempfile.TemporaryDirectory() as where:
        os.mkdir(where + '/root')
        os.mkdir(where + '/root/sub')
        files = {'index.html': b'<p>index', 'sub/index.html': b'<p>sub',
                 'a b.js': b'1', 'big.bin': os.urandom(5 << 20),
                 'empty.txt': b''}
        for name, data in files.items():
            with open(f'{where}/root/{name}', 'wb') as file:
                file.write(data)
        with open(where + '/secret', 'w') as file:
            file.write('secret')
        os.symlink('../secret', where + '/root/link')
        os.mkfifo(where + '/root/fifo')
        with Wsup('serve', '--echo', '--static', where + '/root',
                  '127.0.0.1:0') as server:
            for target, name, kind in (
                    ('/', 'index.html', 'text/html'),
                    ('/?x=y', 'index.html', 'text/html'),
                    ('/index.html', 'index.html', 'text/html'),
                    ('/sub/', 'sub/index.html', 'text/html'),
                    ('/a%20b.js', 'a b.js', 'text/javascript'),
                    ('/big.bin', 'big.bin', 'application/octet-stream'),
                    ('/empty.txt', 'empty.txt', 'text/plain')):
                head, body = get(server.port, target)
                contains(head, 'HTTP/1.1 200 ')
                contains(head, 'Content-Type: ' + kind)
                expect(body == files[name], True, name)
                head, body = get(server.port, target, 'HEAD')
                contains(head, f'Content-Length: {len(files[name])}\r\n')
                expect(body, b'')
            for target in ('/../secret', '/%2e%2e/secret', '/link', '/none',
                           '//etc/passwd', '/sub/../../secret', '/fifo',
                           '/index.html/', '/sub/none', '/.', '/x' * 1500):
                head, body = get(server.port, target)
                contains(('404', '301'), head.split(' ')[1])
                lacks(body, b'secret')
            for target in ('/%', '/%0', '/%00', '/%zz'):
                contains(get(server.port, target)[0], ' 400 ')
            contains(get(server.port, '/sub?x')[0], 'Location: ./sub/?x\r\n')
            contains(get(server.port, '/', 'POST')[0], ' 405 ')
            peer = upgrade(server.port)
            echoes(peer, TEXT, b'here too')
            expect(peer.close(), 1000)


@contextlib.contextmanager
def served(files):
    """A server of these files, and its port."""
    with tempfile.TemporaryDirectory() as where:
        for name, data in files.items():
            os.makedirs(os.path.dirname(f'{where}/{name}'), exist_ok=True)
            with open(f'{where}/{name}', 'wb') as file:
                file.write(data)
        with Wsup('serve', '--echo', '--static', where,
                  '127.0.0.1:0') as server:
            yield where, server.port


@case('serve --static: types by the system\'s list, and by our own')
def static_types():
    kinds = {'a.mjs': 'text/javascript; charset=utf-8',
             'a.HTM': 'text/html; charset=utf-8', 'a.webp': 'image/webp',
             'a.woff2': 'font/woff2', 'a.xhtml': 'application/xhtml+xml',
             'a.b/c': 'application/octet-stream', 'a.wasm': 'application/wasm',
             'a.md': 'text/markdown; charset=utf-8', 'a.map':
             'application/json', 'none': 'application/octet-stream'}
    with served({name: b'x' for name in kinds}) as (_, port):
        for name, kind in kinds.items():
            head, body = get(port, '/' + name)
            contains(head, f'Content-Type: {kind}\r\n')
            contains(head, 'X-Content-Type-Options: nosniff\r\n')
            expect(body, b'x')
    path, before = '/etc/mime.types', None
    if os.path.exists(path):
        with open(path) as file:
            before = file.read()
    with open(path, 'w') as file:
        file.write('# comment html\ntext/x-ours\t\tmd  zz # c\n'
                   'application/none\nbad line\n\nvideo/zz zz.. ZZ2\n')
    try:
        with served({'a.md': b'x', 'a.zz2': b'x', 'a.css': b'x',
                     'a.line': b'x'}) as (_, port):
            for name, kind in (('a.md', 'text/x-ours; charset=utf-8'),
                               ('a.zz2', 'video/zz'),
                               ('a.css', 'text/css; charset=utf-8'),
                               ('a.line', 'application/octet-stream')):
                contains(get(port, '/' + name)[0], f'Content-Type: {kind}\r\n')
    finally:
        os.unlink(path)
        if before is not None:
            with open(path, 'w') as file:
                file.write(before)


@case('serve --static: neither dot files nor what is no regular file')
def static_hidden():
    with served({'.env': b'secret', '.git/config': b'secret',
                 'a/.b/c': b'secret', 'index.html': b'x',
                 '.well-known/x': b'well', '.well-knowns': b'secret'}) as (
                     where, port):
        os.mknod(where + '/null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(where + '/dog', stat.S_IFCHR | 0o666, os.makedev(10, 130))
        os.mkfifo(where + '/fifo')
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(where + '/socket')
        for target in ('/.env', '/.git/config', '/%2egit/config', '/a/.b/c',
                       '/.git', '/.git/', '/a%2F.b%2Fc', '/.well-knowns',
                       '/null', '/dog', '/fifo', '/socket', '/./index.html'):
            head, body = get(port, target)
            contains(head, ' 404 ')
            lacks(body, b'secret')
        expect(get(port, '/.well-known/x')[1], b'well')


@case('serve --static: ranges, and what is known already')
def static_ranges():
    data = bytes(range(256)) * 40
    size = len(data)
    with served({'f.bin': data, 'empty': b''}) as (where, port):
        head, _ = get(port, '/f.bin')
        contains(head, 'Accept-Ranges: bytes\r\n')
        etag = re.search(r'ETag: (".*")\r\n', head)[1]
        for asked, first, last in (
                ('0-0', 0, 0), ('10-19', 10, 19), ('100-', 100, size - 1),
                ('-5', size - 5, size - 1), (f'-{size * 2}', 0, size - 1),
                (f'5-{size * 2}', 5, size - 1),
                ('7-99999999999999999999999', 7, size - 1)):
            head, body = get(port, '/f.bin', 'GET', f'Range: bytes={asked}')
            contains(head, ' 206 ')
            contains(head, f'Content-Range: bytes {first}-{last}/{size}\r\n')
            contains(head, f'Content-Length: {last - first + 1}\r\n')
            expect(body == data[first:last + 1], True, asked)
        for asked in (f'bytes={size}-', 'bytes=-0', 'bytes=99999999999-',
                      'bytes=99999999999999999999-'):
            head, _ = get(port, '/f.bin', 'GET', f'Range: {asked}')
            contains(head, ' 416 ')
            contains(head, f'Content-Range: bytes */{size}\r\n')
        for lines in (['Range: bytes=5-4'], ['Range: bytes=0-1,3-4'],
                      ['Range: lines=1-2'], ['Range: bytes=a-b'],
                      ['Range: bytes=-'], ['Range: bytes=1-2x'],
                      ['Range: bytes=1-2', 'If-Range: "other"']):
            head, body = get(port, '/f.bin', 'GET', *lines)
            contains(head, ' 200 ')
            expect(body == data, True, lines)
        contains(get(port, '/f.bin', 'GET', 'Range: bytes=1-2',
                     f'If-Range: {etag}')[0], ' 206 ')
        contains(get(port, '/f.bin', 'HEAD', 'Range: bytes=1-2')[0], ' 200 ')
        contains(get(port, '/empty', 'GET', 'Range: bytes=0-')[0], ' 416 ')
        for known in (etag, f'"a", W/{etag}', '*'):
            head, body = get(port, '/f.bin', 'GET', f'If-None-Match: {known}')
            contains(head, ' 304 ')
            expect(body, b'')
        with open(where + '/f.bin', 'ab') as file:
            file.write(b'more')
        contains(get(port, '/f.bin', 'GET', f'If-None-Match: {etag}')[0],
                 ' 200 ')


@case('serve --auth: credentials, for files as well')
def serve_auth():
    with tempfile.NamedTemporaryFile('w') as file:
        file.write('# comment\nyou:pw\n\n')
        file.flush()
        with Wsup('serve', '--echo', '--static', '/usr', '--auth', 'me:secret',
                  '--auth-file', file.name, '127.0.0.1:0') as server:
            contains(get(server.port, '/bin/sh')[0], ' 401 ')
            contains(get(server.port, '/bin/env', 'GET',
                         'Authorization: Basic bWU6c2VjcmV0')[0], ' 200 ')
            url = f'ws://127.0.0.1:{server.port}/'
            _, err = wsup('connect', url, code=1)
            contains(err, b'credentials are needed')
            _, err = wsup('connect', '-u', 'me:wrong', url, code=1)
            contains(err, b'credentials are refused')
            for user in ('me:secret', 'you:pw'):
                out, _ = wsup('connect', '-u', user, url, stdin=b'in\n')
                expect(out, b'in\n')


@case('serve: origins, subprotocols, paths')
def serve_who():
    with Wsup('serve', '--echo', '--origin', 'http://good.example', '--path',
              '/chat', '-p', 'a', '-p', 'b', '127.0.0.1:0') as server:
        peer = upgrade(server.port, '/chat', 'Origin: http://good.example',
                       'Sec-WebSocket-Protocol: b, a')
        contains(peer.answer, 'Sec-WebSocket-Protocol: a\r\n')
        expect(peer.close(), 1000)
        for path in ('/chat/', '/chat/room', '/chat?x'):
            expect(upgrade(server.port, path).close(), 1000)
        for path, line, status in (('/chat', 'Origin: http://x.example', 403),
                                   ('/', 'X: y', 404),
                                   ('/chatter', 'X: y', 404)):
            peer = upgrade(server.port, path, line, check=False)
            contains(peer.answer, f' {status} ')


@case('serve --connections: no more than that')
def serve_limit():
    with Wsup('serve', '--echo', '-j', 1, '-n', 3, '127.0.0.1:0') as server:
        peers = [upgrade(server.port) for _ in range(3)]
        waiting = socket.create_connection(('127.0.0.1', server.port), LIMIT)
        waiting.sendall(REQUEST)
        echoes(peers[0], TEXT, b'x')
        waiting.settimeout(0.3)
        try:
            raise AssertionError(f'answered: {waiting.recv(100)!r}')
        except socket.timeout:
            pass
        expect(peers.pop().close(), 1000)
        waiting.settimeout(LIMIT)
        contains(read_head(waiting)[0], ' 101 ')


@case('serve: who is slow with the request is cut off, others are not')
def serve_slowloris():
    # as long as nobody is held up who is not slow
    with Wsup('serve', '--echo', '-t', 5000, '127.0.0.1:0') as server:
        slow = []
        for _ in range(100):
            sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
            sock.sendall(b'GET / HTTP/1.1\r\nX: ')
            slow.append(sock)
        peer = upgrade(server.port)
        for sock in slow:
            contains(read_answer(sock)[0], ' 408 ')
            sock.close()
        echoes(peer, TEXT, b'x')
        expect(peer.close(), 1000)


@case('serve: pings on its own, and gives up who does not answer')
def serve_ping():
    # as long as nobody is held up who answers
    with Wsup('serve', '--echo', '-P', 50, '--ping-timeout', 5000,
              '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        opcode, data = peer.message()
        expect(opcode, PING)
        peer.send(PONG, data)
        expect(peer.message()[0], PING)
        try:
            while peer.message()[0] != CLOSE:
                pass
        except (EOFError, ConnectionResetError):
            pass


@case('serve: SIGTERM answers what came, then closes with 1001')
def serve_drain():
    server = Wsup('serve', '--echo', '127.0.0.1:0')
    port = server.listening()
    peers = [upgrade(port) for _ in range(50)]
    half = socket.create_connection(('127.0.0.1', port), LIMIT)
    half.sendall(b'GET /')
    for peer in peers:
        peer.send(TEXT, b'last')
    server.process.terminate()
    for peer in peers:
        expect(peer.message(), (TEXT, b'last'))
        expect(peer.closed(), 1001)
    expect(read_all(half), b'')
    server.stop()
    _, err = wsup('connect', f'ws://127.0.0.1:{port}/', code=1)
    contains(err, b'refused')


class Load:
    """A client that always has messages under way, and checks them."""

    def __init__(self, port, size):
        self.peer = upgrade(port)
        self.size = size
        self.sent = self.received = 0
        self.stopping = False
        self.error = None
        self.sender = background(self.send)
        self.receiver = background(self.receive)

    def text(self, number):
        return (b'%d ' % number * (self.size // 6 + 1))[:self.size]

    def send(self):
        while not self.stopping:
            if self.sent - self.received > 50:
                time.sleep(0.001)
                continue
            self.peer.send(TEXT, self.text(self.sent))
            self.sent += 1
        self.peer.send(BINARY, b'end')

    def receive(self):
        try:
            while (message := self.peer.message()) != (BINARY, b'end'):
                expect(message == (TEXT, self.text(self.received)), True,
                       f'message {self.received}')
                self.received += 1
        except Exception as error:
            self.error = error

    def finish(self):
        self.stopping = True
        self.sender.join()      # each of their steps has a limit
        self.receiver.join()
        if self.error:
            raise self.error
        expect(self.received, self.sent, 'messages received')
        expect(self.peer.close(), 1000)


def feed(sock, data):
    """Send all of it to somebody who reads later, whenever that is."""
    while data:
        try:
            data = data[sock.send(data):]
        except TimeoutError:
            pass


@case('serve --takeover: under load, no connection and no message is lost')
def takeover():
    with tempfile.TemporaryDirectory() as where:
        control = where + '/control'
        servers = [Wsup('serve', '--echo', '-j', 2, '--control', control,
                        '127.0.0.1:0')]
        port = servers[0].listening()
        loads = [Load(port, size) for size in (10, 10, 1000, 70000, 200000)]
        idle = [upgrade(port) for _ in range(100)]
        stuck = upgrade(port)
        data = frame(TEXT, b's' * 1000) * 10000
        feeder = background(feed, stuck.sock, data)
        for number in range(3):
            before = sum(load.received for load in loads)
            servers.append(Wsup('serve', '--echo', '-j', 2 + number,
                                '--control', control, '--takeover'))
            expect(servers[-1].listening(), port, 'port')
            old = servers[-2]
            out, err = output(old.process)
            expect((old.process.returncode, err), (0, b''))
            for peer in idle:
                echoes(peer, TEXT, b'still here')
            peer = upgrade(port)
            echoes(peer, TEXT, b'new')
            expect(peer.close(), 1000)
            while sum(load.received for load in loads) < before + 50:
                time.sleep(0.01)
                for load in loads:
                    if load.error:
                        raise load.error
        for load in loads:
            load.finish()
        for _ in range(10000):
            expect(stuck.message() == (TEXT, b's' * 1000), True, 'message')
        feeder.join()
        for peer in idle:
            expect(peer.close(), 1000)
        servers[-1].stop()


@case('serve --to --takeover: streams go on')
def takeover_relay():
    listener, address = tcp_server(tcp_echo)
    with tempfile.TemporaryDirectory() as where:
        control = where + '/control'
        servers = [Wsup('serve', '--to', address, '--control', control,
                        '127.0.0.1:0')]
        port = servers[0].listening()
        peers = [upgrade(port) for _ in range(20)]
        data = os.urandom(1 << 20)
        feeders = [background(peer.send, BINARY, data) for peer in peers]
        servers.append(Wsup('serve', '--to', address, '--control', control,
                            '--takeover'))
        expect(servers[1].listening(), port)
        for peer in peers:
            back = b''
            while len(back) < len(data):
                back += peer.message()[1]
            expect(back == data, True, 'the same bytes')
            expect(peer.close(), 1000)
        for feeder in feeders:
            feeder.join()
        out, err = output(servers[0].process)
        expect((servers[0].process.returncode, err), (0, b''))
        servers[1].stop()
    listener.close()


@case('serve: systemd gives the socket, and is told when it is ready')
def socket_activation():
    with tempfile.TemporaryDirectory() as where:
        notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notified.bind(where + '/notify')
        notified.settimeout(LIMIT)
        listener = socket.create_server(('127.0.0.1', 0))
        process = subprocess.Popen(
            ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec wsup serve --echo '
             '3<&0 </dev/null'], stdin=listener, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, 'NOTIFY_SOCKET': where + '/notify'})
        contains(notified.recv(1000), b'READY=1')
        peer = upgrade(listener.getsockname()[1])
        echoes(peer, TEXT, b'x')
        process.terminate()
        contains(notified.recv(1000), b'STOPPING=1')
        expect(peer.closed(), 1001)
        output(process)
        expect(process.returncode, 0)


@case('stat, info, doctor')
def looking():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        peer.send(PING, b'x')
        peer.message()
        echoes(peer, TEXT, b'hello')
        out, _ = wsup('stat', 'WsCurrServer', 'WsFailUtf8')
        contains(out, b'WsCurrServer')
        contains(out, b'WsFailUtf8')
        contains(wsup('stat', '--all')[0], b'WsPongDropped')
        out, _ = wsup('info', server.port)
        contains(out, b'server open')
        contains(out, b'rx 5 bytes 2 frames 1 pings 0 pongs')
        contains(out, b'tx 5 bytes 2 frames 0 pings 1 pongs')
        expect(out.count(b'\trx'), 1)
        _, err = wsup('info', 1, code=1)
        contains(err, b'there is no WebSocket connection at port 1')
        out, err = wsup('stat', 'WsCurrServer', 'WsNope', code=1)
        contains(out, b'WsCurrServer')
        expect(err, b'wsup: stat: no such counter: WsNope\n')
        fds = [fd for fd in os.listdir(f'/proc/{server.process.pid}/fd')
               if os.readlink(f'/proc/{server.process.pid}/fd/{fd}')
               .startswith('socket:')]
        found = 0
        for fd in fds:
            done = subprocess.run(
                ['wsup', 'info', f'{server.process.pid}/{fd}'],
                capture_output=True, check=False)
            found += b'server open' in done.stdout
        expect(found, 1)
        out, _ = wsup('doctor')
        contains(out, b'attach    ok')
        expect(peer.close(), 1000)


@case('the example of the README')
def example():
    path = os.environ.get('EXAMPLES', '/src/build/tools/examples')
    port = 20000
    process = subprocess.Popen([path + '/echo', str(port)],
                               stderr=subprocess.PIPE)
    for _ in range(LIMIT * 100):
        try:
            peer = upgrade(port)
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    peer.send(TEXT, b'hello')
    expect(peer.message(), (BINARY, b'hello'))
    expect(peer.close(), 1000)
    # the answer to the message finds the connection failed, or reset
    for _ in range(10):
        peer = upgrade(port)
        peer.sock.sendall(frame(TEXT, b'x') + b'\x83\x00')
        read_all(peer.sock)
        peer = upgrade(port)
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack('ii', 1, 0))
        peer.sock.sendall(frame(TEXT, b'x' * 65536) * 20)
        peer.sock.close()
    peer = upgrade(port)
    peer.send(TEXT, b'still there')
    expect(peer.message(), (BINARY, b'still there'))
    expect(process.poll(), None)
    process.terminate()
    process.communicate()


if __name__ == '__main__':
    main('wsup')
