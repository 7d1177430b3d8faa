# SPDX-License-Identifier: GPL-2.0
"""wsup connect and the programs of wsup, in a guest with the module."""
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from frames import (BINARY, CLOSE, TEXT, Peer, Server, Wsup, frame, upgrade,
                    wsup)
from peer import (LIMIT, case, contains, expect, lacks, main, pair, read_all,
                  read_head)
from wsup_test import REQUEST, inherited


def answer_close(peer, code=1000):
    """The client's Close, and ours."""
    expect(peer.closed(), 1000)
    peer.send(CLOSE, struct.pack('>H', code))


def until(condition, what):
    """What happens by itself, some time."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f'it does not happen: {what}')
        time.sleep(0.02)


def running(words):
    """Processes that have these words for arguments."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                if file.read().rstrip(b'\0').split(b'\0') == words:
                    found.append(int(pid))
        except OSError:
            pass
    return found


def upgraded(ours):
    """The connection behind the answer, with what came behind that."""
    head, rest = read_head(ours)
    contains(head, ' 101 ')
    peer = Peer(ours)
    peer.rest = rest
    return peer


def url(server):
    return f'ws://127.0.0.1:{server.port}/'


# How a program ended, to its peer.

ENDS = (('exit 0', 1000, 0), ('exit 3', 1011, 3), ('kill -9 $$', 1011, 137),
        ('exec nosuchprogram', 1011, 127))


@case('serve --exec: Close tells how the program ended')
def ends_serve():
    for command, code, _ in ENDS:
        for text in ([], ['--text']):
            with Wsup('serve', '--exec', f'echo x; {command}', *text,
                      '127.0.0.1:0') as server:
                peer = upgrade(server.port)
                peer.message()
                expect(peer.closed(), code, command)


@case('accept: Close tells how the program ended, and so does the exit code')
def ends_accept():
    for command, code, status in ENDS:
        ours, process = inherited('accept', 'sh', '-c', command,
                                  first=REQUEST)
        expect(upgraded(ours).closed(), code, command)
        expect(process.wait(LIMIT), status, command)
    ours, process = inherited('accept', 'nosuchprogram', first=REQUEST)
    expect(upgraded(ours).closed(), 1011)
    expect(process.wait(LIMIT), 127)
    contains(process.stderr.read(), b'nosuchprogram: No such file')


@case('connect --exec: Close tells how the program ended, and so do we')
def ends_connect():
    for command, code, status in ENDS:
        def serve(peer, code=code):
            expect(peer.closed(), code)
            peer.send(CLOSE, struct.pack('>H', code))

        server = Server(serve)
        _, err = wsup('connect', '--exec', command, server.url,
                      code=int(status != 0))
        server.join()
        if status:
            contains(err, b'exit code %d' % status if status != 137 else
                     b'ended by signal 9')


@case('connect: exit code 1 always says why')
def ends_told():
    def close(code):
        def serve(peer):
            peer.send(CLOSE, struct.pack('>H', code) + b'why')
            peer.message()
        return serve

    def leave(peer):
        peer.message()
        peer.sock.shutdown(socket.SHUT_WR)

    def reset(peer):
        peer.message()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack('ii', 1, 0))
        peer.sock.close()

    for handler, told in ((close(1011), b'by the server: 1011 why'),
                          (close(4000), b'by the server: 4000 why'),
                          (leave, b'without Close'), (reset, b'reset')):
        server = Server(handler)
        _, err = wsup('connect', '-n', server.url, stdin=b'x\n', code=1)
        contains(err, told)


# The end of input is not the end of the conversation.

@case('connect: the answer to the last line is waited for')
def wait_answer():
    def serve(peer):
        for number in range(3):
            expect(peer.message(), (TEXT, b'question'))
            time.sleep(0.3 * number)
            peer.send(TEXT, b'answer')
            answer_close(peer)
            return

    for options in ([], ['-w', '10'], ['--wait', '500ms']):
        server = Server(serve)
        start = time.monotonic()
        out, _ = wsup('connect', *options, server.url, stdin=b'question\n')
        expect(out, b'answer\n')
        if options == ['-w', '10']:
            contains(range(9, LIMIT), int(time.monotonic() - start + 0.5))
        server.join()


@case('connect --wait: as long as answers come, it is not the end')
def wait_stream():
    def serve(peer):
        peer.message()
        for number in range(8):
            time.sleep(0.25)
            peer.send(TEXT, b'%d' % number)
        answer_close(peer)

    server = Server(serve)
    out, _ = wsup('connect', '-w', '1500ms', server.url, stdin=b'go\n')
    expect(out, b''.join(b'%d\n' % n for n in range(8)))
    server.join()


@case('connect --one: the first message, whenever it comes')
def wait_one():
    def serve(peer):
        peer.message()
        time.sleep(2)
        peer.send(TEXT, b'fi', fin=False)
        peer.send(0, b'rst')
        peer.send(TEXT, b'second')
        answer_close(peer)

    server = Server(serve)
    out, _ = wsup('connect', '-1', server.url, stdin=b'go\n')
    expect(out, b'first\n')
    server.join()

    def none(peer):
        peer.message()
        peer.send(CLOSE, struct.pack('>H', 1000))
        peer.message()

    server = Server(none)
    _, err = wsup('connect', '--one', server.url, stdin=b'go\n', code=1)
    contains(err, b'there was no message')


@case('connect --no-close: the server ends it')
def wait_server():
    def serve(peer):
        peer.message()
        time.sleep(2.5)
        peer.send(TEXT, b'late')
        peer.send(CLOSE, struct.pack('>H', 1000))
        peer.message()

    server = Server(serve)
    out, _ = wsup('connect', '-n', server.url, stdin=b'go\n')
    expect(out, b'late\n')
    server.join()


@case('serve --exec: filters answer after the end of their input')
def filters():
    for command, said, answer in (
            ('wc -l', b'a\nb\n', b'2\n'), ('sort', b'b\na\n', b'a\nb\n'),
            ('sha256sum', b'', b'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b'
             b'934ca495991b7852b855  -\n'), ('tac', b'1\n2\n', b'2\n1\n'),
            ('tr a-z A-Z', b'abc\n', b'ABC\n')):
        with Wsup('serve', '--exec', command, '127.0.0.1:0') as server:
            out, _ = wsup('connect', '-b', '-w', '0', url(server), stdin=said)
            expect(out, answer, command)
        with Wsup('serve', '--exec', command, '--text',
                  '127.0.0.1:0') as server:
            out, err = wsup('connect', '-v', '-w', '0', url(server),
                            stdin=said)
            expect(out, answer, command)
            contains(err, b'1000\n')


@case('accept and connect --exec: filters answer after the end of their input')
def filters_elsewhere():
    ours, process = inherited('accept', 'wc', '-c', first=REQUEST +
                              frame(TEXT, b'12345') +
                              frame(CLOSE, struct.pack('>H', 1000)))
    peer = upgraded(ours)
    expect(peer.message(), (BINARY, b'5\n'))
    expect(peer.closed(), 1000)
    expect(process.wait(LIMIT), 0)

    def serve(peer):
        peer.send(TEXT, b'12345')
        expect(peer.message(), (TEXT, b'ready'))
        peer.send(CLOSE, struct.pack('>H', 1000))
        expect(peer.message(), (TEXT, b'6'))
        expect(peer.closed(), 1000)

    server = Server(serve)
    wsup('connect', '--exec', 'echo ready; wc -c', '--text', server.url)
    server.join()


# Waiting has an end, and programs do not outlive their clients.

@case('connect: a server that does not answer Close')
def silent_server():
    done = threading.Event()

    def serve(peer):
        expect(peer.closed(), 1000)
        done.wait(LIMIT)

    server = Server(serve)
    _, err = wsup('connect', '-w', 0, '-t', '1s', server.url, code=1)
    contains(err, b'the server does not answer Close')
    done.set()
    server.join()


@case('connect: a slow answer to Close is waited for while something comes')
def slow_server():
    def serve(peer):
        expect(peer.closed(), 1000)
        for _ in range(6):
            time.sleep(0.5)
            peer.send(TEXT, b'x')
        peer.send(CLOSE, struct.pack('>H', 1000))

    server = Server(serve)
    out, _ = wsup('connect', '-w', 0, '-t', '2s', server.url)
    expect(out, b'x\n' * 6)
    server.join()


def reset(peer):
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack('ii', 1, 0))
    peer.sock.close()


LEAVE = (reset, lambda peer: peer.sock.close(),
         lambda peer: peer.send(CLOSE, struct.pack('>H', 1000)))


@case('serve --exec: a program ends when its client has gone, however')
def program_alone():
    for number, command in enumerate((
            'exec sleep 9876', 'sleep 9876', 'sleep 9876; :',
            'sleep 9876 & sleep 9876; wait',
            'while sleep 0.1; do echo x; done & sleep 9876',
            "trap '' HUP TERM; sleep 9876; :")):
        text = ['--text'] if number % 2 else []
        with Wsup('serve', '--exec', f'echo up; {command}', '-n', 1, *text,
                  '--grace', '300ms', '127.0.0.1:0') as server:
            for leave in LEAVE if number < 2 else LEAVE[number % 3:][:1]:
                peer = upgrade(server.port)
                peer.message()
                until(lambda: running([b'sleep', b'9876']), 'sleep')
                peer.send(BINARY, b'that nobody reads')
                leave(peer)
                until(lambda: not running([b'sleep', b'9876']), command)
            # the place is free
            peer = upgrade(server.port)
            peer.message()
            leave(peer)
            until(lambda: not running([b'sleep', b'9876']), command)


@case('serve --exec: what a program left behind ends with it')
def program_left():
    with Wsup('serve', '--exec', 'sleep 9877 & echo up', '-n', 1,
              '127.0.0.1:0') as server:
        for _ in range(2):
            peer = upgrade(server.port)
            expect(peer.message(), (BINARY, b'up\n'))
            expect(peer.closed(), 1000)
            until(lambda: not running([b'sleep', b'9877']), 'its end')


@case('serve --exec: SIGTERM reaches all processes of a program')
def program_stopped():
    for command in ('sleep 9878 & sleep 9878; :',
                    "trap 'echo bye; exit' TERM; sleep 9878 & wait"):
        server = Wsup('serve', '--exec', 'echo up; ' + command,
                      '127.0.0.1:0')
        peer = upgrade(server.listening())
        expect(peer.message(), (BINARY, b'up\n'))
        until(lambda: running([b'sleep', b'9878']), 'sleep')
        server.process.terminate()
        if 'bye' in command:
            expect(peer.message(), (BINARY, b'bye\n'))
        expect(peer.closed(), 1001)
        until(lambda: not running([b'sleep', b'9878']), command)
        server.stop()


@case('accept: SIGTERM ends the program')
def accept_stopped():
    ours, process = inherited('accept', 'sh', '-c', 'echo up; sleep 9879; :',
                              first=REQUEST)
    peer = upgraded(ours)
    expect(peer.message(), (BINARY, b'up\n'))
    until(lambda: running([b'sleep', b'9879']), 'sleep')
    process.terminate()
    expect(peer.closed(), 1001)
    expect(process.wait(LIMIT), 128 + signal.SIGTERM)
    expect(running([b'sleep', b'9879']), [])


@case('a parent that ignores SIGCHLD does not hide how a program ended')
def sigchld_ignored():
    server = Wsup('serve', '--exec', 'exit 0', '127.0.0.1:0',
                  preexec_fn=lambda: signal.signal(signal.SIGCHLD,
                                                   signal.SIG_IGN))
    with server:
        expect(upgrade(server.port).closed(), 1000)


# Descriptors.

def nonblocking(fd):
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)


@case('connect: stdin and stdout may have O_NONBLOCK')
def nonblocking_ends():
    data = os.urandom(2600000)

    def serve(peer):
        got = b''
        while len(got) < len(data):
            got += peer.message()[1]
            if len(got) < 100000:
                time.sleep(0.05)
        expect(got == data, True, 'the same bytes')
        peer.send(BINARY, data)
        answer_close(peer)

    server = Server(serve)
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    nonblocking(in_read)
    nonblocking(out_write)
    process = subprocess.Popen(['wsup', 'connect', '-b', '-w', '5',
                                server.url], stdin=in_read, stdout=out_write,
                               stderr=subprocess.PIPE)
    os.close(in_read)
    os.close(out_write)

    def feed():
        with os.fdopen(in_write, 'wb') as file:
            file.write(data[:10])
            file.flush()
            time.sleep(0.3)
            file.write(data[10:])

    threading.Thread(target=feed, daemon=True).start()
    got = b''
    with os.fdopen(out_read, 'rb') as file:
        while piece := file.read1(30000):
            got += piece
            if len(got) < 200000:
                time.sleep(0.05)
    expect(got == data, True, 'the same bytes')
    expect(process.wait(LIMIT), 0, process.stderr.read())
    server.join()


@case('programs get no descriptors but their three')
def no_leak():
    listing = 'ls /proc/self/fd | tr "\\n" " "'
    listener = socket.create_server(('127.0.0.1', 0))
    process = subprocess.Popen(
        ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec wsup serve --exec "$0" '
         '3<&0 7</dev/null </dev/null', listing], stdin=listener,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(2):
        peer = upgrade(listener.getsockname()[1])
        # 3 is the directory that ls looks into
        expect(peer.message(), (BINARY, b'0 1 2 3 '))
        expect(peer.closed(), 1000)
    process.terminate()
    process.wait(LIMIT)
    for text in ([], ['--text']):
        ours, process = inherited('accept', *text, 'sh', '-c', listing,
                                  first=REQUEST)
        expect(upgraded(ours).message()[1], b'0 1 2 3 ')
        process.wait(LIMIT)


# Lines and characters.

@case('text: no character is cut between messages')
def characters():
    text = 'aä€𝄞' * 40000
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        with Wsup('serve', '--exec', f'cat {file.name}; printf "\\303"; '
                  'sleep 0.3; printf "\\244"', '--text', '-b',
                  '127.0.0.1:0') as server:
            peer = upgrade(server.port)
            got = ''
            while (message := peer.message())[0] == TEXT:
                got += message[1].decode()
            expect(got == text + 'ä', True, 'the same text')

        def serve(peer):
            got = ''
            while (message := peer.message())[0] == TEXT:
                got += message[1].decode()
            expect(got == text, True, 'the same text')
            peer.send(CLOSE, struct.pack('>H', 1000))

        server = Server(serve)
        wsup('connect', '--bytes', '--text', server.url, stdin=text.encode())
        server.join()


@case('text: what is not UTF-8 is said, and not sent')
def no_characters():
    for data in (b'\xff\n', b'ok\n\xc3\n', b'\xc3', b'\xed\xa0\x80\n'):
        def serve(peer):
            while (message := peer.message())[0] == TEXT:
                message[1].decode()

        server = Server(serve)
        _, err = wsup('connect', server.url, stdin=data, code=1)
        contains(err, b'stdin: not UTF-8')
        server.join()
    server = Wsup('serve', '--exec', 'printf "\\377"; sleep 60', '--text',
                  '127.0.0.1:0')
    expect(upgrade(server.listening()).closed(), 1011)
    contains(server.stop()[1], b'what it writes is not UTF-8')


@case('lines: each a message, and each message a line')
def lines():
    for options, opcode in ((['--text'], TEXT), (['--lines'], BINARY)):
        with Wsup('serve', '--exec', 'while read -r x; do echo "<$x>"; done; '
                  'printf last', *options, '127.0.0.1:0') as server:
            peer = upgrade(server.port)
            for message in (b'one', b'', b'x' * 70000, b'three'):
                peer.send(TEXT, message)
                expect(peer.message(), (opcode, b'<' + message + b'>'))
            peer.send(CLOSE, struct.pack('>H', 1000))
            expect(peer.message(), (opcode, b'last'))
            expect(peer.closed(), 1000)
    ours, process = inherited('accept', '--text', 'cat', first=REQUEST)
    peer = upgraded(ours)
    peer.send(BINARY, b'a')
    peer.send(BINARY, b'b')
    expect((peer.message(), peer.message()), ((TEXT, b'a'), (TEXT, b'b')))
    expect(peer.close(), 1000)
    expect(process.wait(LIMIT), 0)


@case('lines: much in both directions at once, and a program that stops reading')
def lines_much():
    with Wsup('serve', '--exec', 'cat', '--text', '127.0.0.1:0') as server:
        text = b''.join(b'%d' % n * (n % 50) + b'\n' for n in range(20000))
        out, _ = wsup('connect', '-w', 3, url(server), stdin=text)
        expect(out == text, True, 'the same lines')
    with Wsup('serve', '--exec', 'exec 0</dev/null; sleep 0.2; echo done',
              '--text', '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        for _ in range(100):
            peer.send(TEXT, b'x' * 1000)
        expect(peer.message(), (TEXT, b'done'))
        expect(peer.closed(), 1000)


def on_terminal(*args):
    """What the program writes when stdout is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(['wsup', *args], stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    out = b''
    try:
        while piece := os.read(ours, 65536):
            out += piece
    except OSError:     # the other end is closed
        pass
    os.close(ours)
    err = process.stderr.read()
    expect(process.wait(LIMIT), 0, err)
    return out, err


@case('connect: nothing acts on a terminal, unless asked for')
def terminal():
    def serve(peer):
        peer.send(TEXT, b'\x1b[2Jhi\x07 \xc2\x9b\ttab')
        peer.send(BINARY, b'\x1b[31m')
        peer.send(TEXT, 'über'.encode())
        answer_close(peer)

    server = Server(serve)
    out, err = on_terminal('connect', server.url)
    expect(out, b'\\x1b[2Jhi\\x07 \\xc2\\x9b\ttab\r\n' +
           'über\r\n'.encode())
    contains(err, b'5 bytes, binary')
    server.join()
    server = Server(serve)
    out, _ = on_terminal('connect', '-b', server.url)
    contains(out, b'\x1b[31m')
    server.join()


# What a program is told of the request.

def environment(*args, lines=(), target='/a%20b/c?d=e', env=None, first=()):
    head = [f'GET {target} HTTP/1.1', 'Host: name.example:81',
            'Upgrade: websocket', 'Connection: Upgrade',
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
            'Sec-WebSocket-Version: 13', *lines]
    ours, process = inherited('accept', *args, 'env', '-0', env=env,
                              first='\r\n'.join(head).encode() + b'\r\n\r\n')
    answer, rest = read_head(ours)
    if ' 101 ' not in answer:
        ours.close()
        process.wait(LIMIT)
        return answer
    data = b''
    peer = Peer(ours)
    peer.rest = rest
    while (message := peer.message())[0] != CLOSE:
        data += message[1]
    process.wait(LIMIT)
    return dict(v.split('=', 1) for v in data.decode().split('\0') if v)


@case('environment: no header passes for another one')
def environment_names():
    env = environment(lines=[
        'X_Real_IP: 6.6.6.6', 'X-Real-IP: 1.1.1.1', 'X_Only: 6.6.6.6',
        'X.Dot: 6.6.6.6', 'Proxy: evil', 'Proxy-Authorization: Basic eDp5',
        'Authorization: Basic eDp5', 'Proxy-Connection: x',
        'Content-Length: 0', 'X-' + 'long' * 100 + ': z'],
        env={'HTTP_X_OLD': 'old', 'AUTH_TYPE': 'old', 'SCRIPT_NAME': 'old',
             'PATH_TRANSLATED': 'old', 'CONTENT_TYPE': 'old', 'KEEP': 'me'})
    for name, value in (('HTTP_X_REAL_IP', '1.1.1.1'), ('KEEP', 'me'),
                        ('HTTP_X_' + 'LONG' * 100, 'z')):
        expect(env.get(name), value, name)
    for name in ('HTTP_X_ONLY', 'HTTP_X_DOT', 'HTTP_PROXY', 'HTTP_X_OLD',
                 'HTTP_PROXY_AUTHORIZATION', 'HTTP_AUTHORIZATION',
                 'HTTP_PROXY_CONNECTION', 'AUTH_TYPE', 'PATH_TRANSLATED',
                 'CONTENT_TYPE'):
        expect(env.get(name), None, name)
    lacks(''.join(env.values()), '6.6.6.6')


@case('environment: lines that come twice are joined')
def environment_joined():
    env = environment(lines=['X-Forwarded-For: 1.1.1.1', 'Cookie: a=b',
                             'x-forwarded-for: 2.2.2.2', 'cookie: c=d'])
    expect(env['HTTP_X_FORWARDED_FOR'], '1.1.1.1, 2.2.2.2')
    expect(env['HTTP_COOKIE'], 'a=b; c=d')


@case('environment: the variables of RFC 3875')
def environment_full():
    env = environment('--auth', 'me:pw', lines=[
        'Authorization: Basic bWU6cHc='])
    for name, value in (
            ('REQUEST_METHOD', 'GET'), ('REQUEST_URI', '/a%20b/c?d=e'),
            ('PATH_INFO', '/a b/c'), ('QUERY_STRING', 'd=e'),
            ('SCRIPT_NAME', ''), ('SERVER_NAME', 'name.example'),
            ('AUTH_TYPE', 'Basic'), ('REMOTE_USER', 'me'),
            ('GATEWAY_INTERFACE', 'CGI/1.1'), ('SERVER_PROTOCOL', 'HTTP/1.1'),
            ('REMOTE_ADDR', '127.0.0.1'), ('SERVER_ADDR', '127.0.0.1')):
        expect(env.get(name), value, name)
    contains(env['SERVER_SOFTWARE'], 'wsup/')
    for name in ('REMOTE_PORT', 'SERVER_PORT'):
        contains(range(1, 65536), int(env[name]))
    for target, path in (('/%41%zz%', '/A%zz%'), ('/%C3%BC', '/ü'),
                         ('/a%2Fb', '/a/b'), ('/', '/')):
        expect(environment(target=target)['PATH_INFO'], path, target)
    for target in ('/a%00b', '/%00', '/x%00?y'):
        contains(environment(target=target), ' 400 ')
    expect(environment(target='/x?y=%00')['QUERY_STRING'], 'y=%00')


if __name__ == '__main__':
    main('program')
