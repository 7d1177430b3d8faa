# SPDX-License-Identifier: GPL-2.0
"""wsup serve with many clients, bad clients and successors, in a guest."""
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from frames import (BINARY, CLOSE, TEXT, Peer, Wsup, frame, upgrade)
from peer import (KEY, LIMIT, Patience, case, contains, expect, main, output,
                  read_answer, read_head)

MANY = 10000
resource.setrlimit(resource.RLIMIT_NOFILE, (4 * MANY, 4 * MANY))

REQUEST = ('GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n'
           f'Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n'
           'Sec-WebSocket-Version: 13\r\n\r\n').encode()


def note(text):
    print('# ' + text, flush=True)


def stat():
    with open('/proc/net/ws_stat', encoding='ascii') as file:
        return {name: int(value) for name, value in map(str.split, file)}


def until_gone():
    """The counters when the server has no connection left."""
    patience = Patience()
    while (now := stat())['WsCurrServer']:
        patience.look(now['WsCurrServer'], 'WsCurrServer')
        time.sleep(0.05)
    return now


class Stream:
    """A connection with numbered messages under way."""

    WINDOW = 8

    def __init__(self, port, number):
        self.peer = upgrade(port)
        self.number = number
        self.sent = self.received = self.bytes = 0

    def text(self, count):
        """Of its own for each message, between 20 and some 300 bytes."""
        text = b'connection %05d message %08d ' % (self.number, count)
        return text * (1 + (self.number + count) % 8)

    def fill(self):
        """As many messages as may be under way, in one write."""
        data = b''
        while self.sent < self.received + self.WINDOW:
            text = self.text(self.sent)
            data += frame(TEXT, text)
            self.bytes += len(text)
            self.sent += 1
        if data:
            self.peer.sock.sendall(data)

    def whole(self):
        """Is a whole message in what has been read?"""
        rest = self.peer.rest
        if len(rest) < 2:
            return False
        n, head = rest[1], 2
        if n == 126:
            if len(rest) < 4:
                return False
            n, head = struct.unpack('>H', rest[2:4])[0], 4
        return len(rest) >= head + n

    def read(self):
        """Takes what is there; each message has to be the next one."""
        piece = self.peer.sock.recv(1 << 16)
        if not piece:
            raise EOFError(f'connection {self.number} ends')
        self.peer.rest += piece
        while self.whole():
            expect(self.peer.message(), (TEXT, self.text(self.received)),
                   f'connection {self.number}, message {self.received}')
            self.received += 1


class Load:
    """Many streams, driven by one thread until told to stop."""

    def __init__(self, port, count):
        self.streams = [Stream(port, i) for i in range(count)]
        self.stopping = False
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            self.drive()
        except Exception as error:      # told by check()
            self.error = error

    def drive(self):
        poll = select.epoll()
        by_fd = {s.peer.sock.fileno(): s for s in self.streams}
        for fd, stream in by_fd.items():
            stream.fill()
            poll.register(fd, select.EPOLLIN)
        while not self.stopping or any(s.received < s.sent
                                       for s in self.streams):
            events = poll.poll(LIMIT)
            if not events:
                raise AssertionError('no message comes')
            for fd, _ in events:
                by_fd[fd].read()
                if not self.stopping:
                    by_fd[fd].fill()

    def check(self):
        if self.error:
            raise self.error

    def advance(self, count):
        """Until each stream has had so many messages more."""
        goals = [s.received + count for s in self.streams]
        patience = Patience()
        while any(s.received < goal
                  for s, goal in zip(self.streams, goals)):
            self.check()
            patience.look([s.received for s in self.streams], 'the load')
            time.sleep(0.01)

    def finish(self):
        """All that was sent has come back, and the connections close."""
        self.stopping = True
        self.thread.join()      # each of its steps has a limit
        self.check()
        for stream in self.streams:
            expect(stream.received, stream.sent, 'messages')
            expect(stream.peer.close(), 1000)
            stream.peer.end()
        return (sum(s.sent for s in self.streams),
                sum(s.bytes for s in self.streams))


def grown(before, messages, size):
    """The kernel has counted what was sent, and the same back."""
    after = until_gone()
    for name, want in (('WsRxMessages', messages), ('WsTxMessages', messages),
                       ('WsRxBytes', size), ('WsTxBytes', size)):
        expect(after[name] - before[name], want, name)


@case('serve --takeover: replaced twice, a hundred streams in order, each '
      'echo once, two in the middle of a message; the kernel has counted')
def takeover_load():
    before = stat()
    with tempfile.TemporaryDirectory() as where:
        control = where + '/control'
        server = Wsup('serve', '--echo', '-j', 2, '--control', control,
                      '127.0.0.1:0')
        port = server.listening()
        load = Load(port, 100)
        half, open_one = upgrade(port), upgrade(port)
        cut = frame(TEXT, b'cut in the middle')
        half.sock.sendall(cut[:12])
        open_one.send(TEXT, b'open ', fin=False)
        load.advance(20)
        for _ in range(2):
            old = server
            server = Wsup('serve', '--echo', '-j', 2, '--control', control,
                          '--takeover')
            expect(server.listening(), port, 'port')
            out, err = output(old.process)
            expect((old.process.returncode, err), (0, b''), out)
            load.advance(20)
        half.sock.sendall(cut[12:])
        expect(half.message(), (TEXT, b'cut in the middle'))
        open_one.send(0, b'closed')
        expect(open_one.message(), (TEXT, b'open closed'))
        for peer in half, open_one:
            expect(peer.close(), 1000)
            peer.end()
        sent = load.finish()
        server.stop()
    grown(before, sent[0] + 2, sent[1] + 17 + 11)
    note(f'takeover_load: {sent[0]} messages on 100 connections, 0 lost')


@case('serve: ten thousand connections at once')
def ten_thousand():
    before = stat()
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        peers = []
        for _ in range(MANY):
            sock = socket.create_connection(('127.0.0.1', server.port),
                                            LIMIT * 4)
            sock.sendall(REQUEST + frame(TEXT, b'%d' % len(peers)))
            peers.append(Peer(sock))
        for number, peer in enumerate(peers):
            answer, peer.rest = read_head(peer.sock)
            contains(answer, ' 101 ')
            expect(peer.message(), (TEXT, b'%d' % number))
        expect(stat()['WsCurrServer'], MANY, 'connections')
        for peer in peers:
            peer.send(CLOSE, struct.pack('>H', 1000))
        for peer in peers:
            expect(peer.closed(), 1000)
            peer.sock.close()
    grown(before, MANY, sum(len('%d' % i) for i in range(MANY)))


def send_some(sock, data):
    """What the buffers hold of it, now."""
    sock.setblocking(False)
    try:
        while data:
            data = data[sock.send(data):]
    except BlockingIOError:
        pass
    sock.settimeout(LIMIT)


def attached(count):
    """Until so many sockets have been."""
    patience = Patience()
    while (now := stat()['WsAttach']) < count:
        patience.look(now, 'WsAttach')
        time.sleep(0.001)
    expect(now, count, 'attached')


def leave(sock, hard):
    """By a reset, or as the kernel sees fit."""
    if hard:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack('ii', 1, 0))
    sock.close()


@case('serve: clients that leave in the middle, and a server that goes on')
def clients_gone():
    long = frame(BINARY, b'x' * 100000)
    # within the head, behind it, within a frame's head, its payload, a
    # message, and with an echo that is on the way
    early = b'', REQUEST[:40]
    whole = (REQUEST, REQUEST + long[:1], REQUEST + long[:9],
             REQUEST + long[:50000],
             REQUEST + frame(TEXT, b'half', fin=False), REQUEST + long * 20)
    count = stat()['WsAttach']
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        def some(data):
            sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
            send_some(sock, data)
            return sock

        for data in whole:
            for hard in (False, True):
                peer = Peer(some(data))
                answer, peer.rest = read_head(peer.sock)
                contains(answer, ' 101 ')
                count += 1
                attached(count)
                if data == whole[-1]:
                    peer.take(1000)
                leave(peer.sock, hard)
        # the same with no answer: who is gone by then may not be attached
        for data in early + whole:
            for hard in (False, True):
                leave(some(data), hard)
        peer = upgrade(server.port)
        peer.send(TEXT, b'and the next one')
        expect(peer.message(), (TEXT, b'and the next one'))
        expect(peer.close(), 1000)
        peer.end()
        contains(range(1, 2 * len(whole) + 2),
                 until_gone()['WsAttach'] - count)


def ticks(pid):
    """Processor time of a process so far, in s."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@case('serve: out of descriptors it serves whom it has, waits without '
      'spinning, and takes the next when one has left')
def no_descriptors():
    few = 64
    with Wsup('serve', '--echo', '-j', 1, '127.0.0.1:0',
              preexec_fn=lambda: resource.setrlimit(
                  resource.RLIMIT_NOFILE, (few, few))) as server:
        peers = []
        for _ in range(2 * few):
            sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
            # at once: a connection that says nothing has to go for others
            sock.sendall(REQUEST + frame(TEXT, b'x'))
            peers.append(Peer(sock))
        contains(read_head(peers[0].sock)[0], ' 101 ')
        # still busy with others, or held up when it was, and then it waits
        for _ in range(20):
            spent, begun = ticks(server.process.pid), time.monotonic()
            time.sleep(1)   # not for an event: what is measured is nothing
            spent = ticks(server.process.pid) - spent
            if spent < (time.monotonic() - begun) / 10:
                break
        else:
            raise AssertionError(f'{spent} s busy')
        peers[0].sock.close()
        for peer in peers[1:]:
            contains(read_head(peer.sock)[0], ' 101 ')
            peer.sock.close()
        upgrade(server.port).sock.close()


def settled(pid, ended, most):
    """How many descriptors the server has, once it has no child left: not more
    than so many, if it is given time for the last."""
    patience = Patience()
    while True:
        with open(f'/proc/{pid}/task/{pid}/children',
                  encoding='ascii') as file:
            children = file.read()
        fds = len(os.listdir(f'/proc/{pid}/fd'))
        if not children and ended() and fds <= most:
            return fds
        patience.look((fds, children), 'descriptors, children')
        time.sleep(0.05)


@case('serve --exec: a client that vanishes; the program sees the end, and '
      'nothing of it stays')
def exec_client_gone():
    with tempfile.TemporaryDirectory() as where, \
            Wsup('serve', '--exec', f'cat; echo ended >>{where}/done',
                 '127.0.0.1:0') as server:
        most = sys.maxsize
        for number in range(4):
            peer = upgrade(server.port)
            peer.send(TEXT, b'there')
            expect(peer.message()[1], b'there')
            if number % 2:
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack('ii', 1, 0))
            peer.sock.close()
            until_gone()
            most = settled(server.process.pid, lambda n=number: (
                os.path.exists(where + '/done') and
                os.path.getsize(where + '/done') == 6 * (n + 1)), most)


def drown(sock, data):
    try:
        sock.sendall(data)
    except OSError:
        pass        # as it should be


@case('serve: a header of a megabyte is refused, others go on')
def megabyte():
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        other = upgrade(server.port)
        sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
        thread = threading.Thread(target=drown, args=(
            sock, b'GET / HTTP/1.1\r\nHost: h\r\nX: ' + b'x' * (1 << 20)))
        thread.start()
        contains(read_answer(sock)[0], ' 431 ')
        sock.close()
        thread.join()
        other.send(TEXT, b'x')
        expect(other.message(), (TEXT, b'x'))
        expect(other.close(), 1000)


@case('the Python server of twenty lines')
def python_server():
    where = os.environ['EXAMPLES']
    script = os.environ['SOURCES'] + '/echo.py'
    with open(script, encoding='ascii') as file:
        contains(range(30), len(file.readlines()))
    with socket.create_server(('127.0.0.1', 0)) as probe:
        port = probe.getsockname()[1]
    before = stat()
    process = subprocess.Popen(
        [sys.executable, script, str(port)],
        env={**os.environ, 'LD_LIBRARY_PATH': where + '/../lib'})
    until = time.monotonic() + LIMIT
    peer = None
    while not peer:
        expect((process.poll(), time.monotonic() < until), (None, True))
        try:
            peer = upgrade(port)
        except ConnectionRefusedError:
            time.sleep(0.01)
    for data in (b'hello', b'x' * 60000):
        peer.send(BINARY, data)
        back = b''
        while len(back) < len(data):
            back += peer.message()[1]
        expect(back == data, True, 'the same bytes')
    expect(peer.close(), 1000)
    peer.end()
    expect(until_gone()['WsRxBytes'] - before['WsRxBytes'], 60005, 'bytes')
    process.terminate()
    process.wait(LIMIT)


if __name__ == '__main__':
    main('load')
