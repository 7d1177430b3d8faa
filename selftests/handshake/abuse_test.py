# SPDX-License-Identifier: GPL-2.0
"""wsup serve against clients as bad as can be, in each mode: a good one beside
them is served in time, and afterwards everything is back to where it was. In a
guest. ABUSE_ROUNDS=N goes on for longer."""
import os
import random
import resource
import select
import signal
import socket
import struct
import tempfile
import threading
import time

from frames import BINARY, CLOSE, PING, TEXT, Peer, Wsup, frame, upgrade
from peer import LIMIT, case, contains, expect, main, read_head
from serve_test import (REQUEST, children, descriptors, push, reset,
                        wait_for)
from wsup_test import rss, tcp_server

ROUNDS = int(os.environ.get('ABUSE_ROUNDS', '1'))
# Of one echo of the good client, with all of the bad ones on two processors
# that are emulated: seconds. A client that is kept out waits for ever.
WORST = 20

resource.setrlimit(resource.RLIMIT_NOFILE,
                   (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def behind(sock):
    """A server behind that does what the first byte says."""
    try:
        first = sock.recv(1, socket.MSG_PEEK)
        if first == b'R':
            sock.recv(65536)
            reset(sock)
            return
        if first == b'F':
            sock.recv(65536)
            sock.close()
            return
        if first == b'S':       # deaf, until the other end goes
            select.select([sock], [], [], LIMIT)
            time.sleep(1)
            sock.close()
            return
        while data := sock.recv(1 << 16):
            sock.sendall(data)
    except OSError:
        pass
    sock.close()


def threads(pid):
    """Those of its own: io_uring keeps some that have nothing to do."""
    n = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/comm', encoding='ascii') as file:
            n += not file.read().startswith('iou-')
    return n


class Counts:
    """What a server uses."""

    def __init__(self, pid):
        self.pid = pid

    def take(self):
        with open('/proc/net/ws_stat', encoding='ascii') as file:
            stat = dict(line.split() for line in file)
        return {'processes': children(self.pid),
                'threads': threads(self.pid),
                'descriptors': descriptors(self.pid),
                'connections': int(stat['WsCurrServer'])}


class Good(threading.Thread):
    """A client that behaves: connects, echoes, closes, all the time."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.stopping = False
        self.error = None
        self.worst = 0
        self.count = 0
        self.kept = upgrade(port)
        self.start()

    def timed(self, function, *args):
        begun = time.monotonic()
        result = function(*args)
        self.worst = max(self.worst, time.monotonic() - begun)
        self.count += 1
        return result

    def echo(self, peer):
        text = b'good %d\n' % self.count
        peer.send(BINARY, text)
        back = b''
        while len(back) < len(text):
            back += peer.message()[1]
        expect(back, text)

    def run(self):
        try:
            while not self.stopping:
                self.timed(self.echo, self.kept)
                peer = self.timed(upgrade, self.port)
                self.timed(self.echo, peer)
                expect(peer.close(), 1000)
                peer.sock.close()
        except Exception as error:      # told by finish()
            self.error = error

    def finish(self):
        self.stopping = True
        self.join(4 * LIMIT)
        if self.error:
            raise self.error
        expect(self.kept.close(), 1000)
        self.kept.sock.close()
        return self.worst


def connect(port, data=b''):
    sock = socket.create_connection(('127.0.0.1', port), 4 * LIMIT)
    if data:
        sock.sendall(data)
    return sock


def opened(port, small=False):
    """A connection whose handshake is complete; the end of it is ours."""
    sock = socket.socket()
    if small:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.settimeout(4 * LIMIT)
    sock.connect(('127.0.0.1', port))
    sock.sendall(REQUEST)
    contains(read_head(sock)[0], ' 101 ')
    return sock


def end(socks):
    """In every way that TCP has."""
    for number, sock in enumerate(socks):
        try:
            if number % 3 == 1:
                sock.shutdown(socket.SHUT_WR)
            if number % 3 == 2:
                reset(sock)
        except OSError:
            pass
        sock.close()


def half_handshakes(port, chance):
    """By the thousand, ended anywhere."""
    socks = []
    for number in range(1500):
        socks.append(connect(port, REQUEST[:number % len(REQUEST)]))
    end(socks)


def refused_floods(port, chance):
    """Refused, and sending on while the server lingers."""
    junk = b'GET / HTTP/9.9\r\n\r\n' + b'x' * 300000
    socks = []
    for _ in range(60):
        sock = connect(port)
        push(sock, junk)
        socks.append(sock)
    for sock in socks:
        push(sock, junk)
    end(socks)


STAGES = (b'', REQUEST[:30], REQUEST, REQUEST + frame(BINARY, b'x' * 70000)[:9],
          REQUEST + frame(BINARY, b'x' * 70000)[:5000],
          REQUEST + frame(TEXT, b'open', fin=False),
          REQUEST + frame(PING, b'p') * 500,
          REQUEST + frame(CLOSE, struct.pack('>H', 1000)),
          REQUEST + frame(CLOSE, struct.pack('>H', 1000)) + b'x' * 1000,
          REQUEST + b'\x83\x80abcd', REQUEST + frame(TEXT, b'\xff'),
          REQUEST + frame(BINARY, b'R'), REQUEST + frame(BINARY, b'F'),
          REQUEST + frame(BINARY, b'S') * 200)


def ends_everywhere(port, chance):
    """FIN and RST in every state, at once and after a while."""
    socks = []
    for stage in STAGES:
        for _ in range(6):
            sock = connect(port)
            push(sock, stage)
            socks.append(sock)
    chance.shuffle(socks)
    end(socks[::2])
    for sock in socks[1::2]:
        if select.select([sock], [], [], 0)[0]:
            try:
                sock.recv(chance.randrange(1, 500))
            except OSError:
                pass
    end(socks[1::2])


def slow_readers(port, chance):
    """They send, and do not read what comes back."""
    data = frame(BINARY, b'S' + b'x' * 999) * 300
    socks = [opened(port, small=True) for _ in range(40)]
    for sock in socks:
        push(sock, data)
    for sock in socks[::4]:
        try:
            sock.recv(50000)
        except OSError:
            pass
    end(socks)


def slow_writers(port, chance):
    """A byte at a time, of many."""
    data = frame(BINARY, b'slowly')
    socks = [opened(port) for _ in range(40)]
    for i in range(len(data)):
        for sock in socks:
            push(sock, data[i:i + 1])
    end(socks)


def slow_files(port, chance):
    """A file, asked for and not read."""
    socks = []
    for _ in range(40):
        sock = connect(port)
        push(sock, b'GET / HTTP/1.1\r\nHost: h\r\n\r\n' * 20)
        socks.append(sock)
    for sock in socks[::3]:
        sock.recv(10000)
    end(socks)


def crowds(port, chance):
    """More than may be connected, all of them asking at once."""
    socks = [connect(port, REQUEST) for _ in range(150)]
    end(socks)


ABUSES = (half_handshakes, refused_floods, ends_everywhere, slow_readers,
          slow_writers, slow_files, crowds)


def abused(*mode, limit=None):
    chance = random.Random(1)
    with Wsup('serve', *mode, '-t', 4000, '127.0.0.1:0') as server:
        counts = Counts(server.process.pid)
        # what is made at need is there
        for _ in range(2):
            peer = upgrade(server.port)
            expect(peer.close(), 1000)
            peer.sock.close()
        wait_for(lambda: not counts.take()['connections'], 'they end')
        before = counts.take()
        good = Good(server.port)
        grown = []
        for _ in range(ROUNDS):
            for abuse in ABUSES:
                abuse(server.port, chance)
            grown.append(rss(server.process))
        worst = good.finish()
        print(f'# {" ".join(mode)}: {good.count} exchanges beside, the worst '
              f'took {worst:.2f} s, memory {grown} KiB', flush=True)
        contains(range(WORST), int(worst))
        until = time.monotonic() + 3 * LIMIT
        while True:
            after = counts.take()
            if all(after[name] <= before[name] + (16 * 2 * 2 + 8 if
                   name == 'descriptors' and mode[0] == '--to' else 0)
                   for name in before):
                break
            expect(time.monotonic() < until, True,
                   f'back to {before}: {after}')
            time.sleep(0.1)
        contains(range(200000), rss(server.process))


@case('serve --echo: nobody is kept waiting, and nothing stays')
def echo():
    abused('--echo', '-j', '2')


@case('serve --to: nobody is kept waiting, and nothing stays')
def relay():
    listener, address = tcp_server(behind)
    abused('--to', address, '-j', '2')
    listener.close()


@case('serve --exec: nobody is kept waiting, and nothing stays')
def run():
    abused('--exec', 'exec cat', '-n', '60')


@case('serve --static: nobody is kept waiting, and nothing stays')
def static():
    with tempfile.TemporaryDirectory() as where:
        with open(where + '/index.html', 'wb') as file:
            file.write(b'x' * 3000000)
        abused('--echo', '--static', where, '--host', '*', '-j', '1', '-n',
               '100')


if __name__ == '__main__':
    main('abuse')
