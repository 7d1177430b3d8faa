# SPDX-License-Identifier: GPL-2.0
"""A WebSocket peer in the least that the tests of wsup need."""
import os
import socket
import struct
import subprocess
import threading

from client_test import accept_for
from peer import KEY, LIMIT, contains, expect, output, read_head

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def mask(data, key):
    n = len(data)
    pad = key * (n // 4 + 1)
    return (int.from_bytes(data, 'big') ^
            int.from_bytes(pad[:n], 'big')).to_bytes(n, 'big')


def frame(opcode, data=b'', fin=True, masked=True):
    head = bytes([opcode | (0x80 if fin else 0)])
    bit = 0x80 if masked else 0
    if len(data) < 126:
        head += bytes([bit | len(data)])
    elif len(data) < 65536:
        head += bytes([bit | 126]) + struct.pack('>H', len(data))
    else:
        head += bytes([bit | 127]) + struct.pack('>Q', len(data))
    if not masked:
        return head + data
    key = os.urandom(4)
    return head + key + mask(data, key)


class Peer:
    """One end of a connection, client unless told otherwise."""

    def __init__(self, sock, client=True):
        self.sock = sock
        self.client = client
        self.rest = b''
        sock.settimeout(LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def take(self, n):
        while len(self.rest) < n:
            piece = self.sock.recv(1 << 20)
            if not piece:
                raise EOFError(f'end of stream after {self.rest[:80]!r}')
            self.rest += piece
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def send(self, opcode, data=b'', fin=True):
        self.sock.sendall(frame(opcode, data, fin, self.client))

    def frame(self):
        """(opcode, fin, payload)"""
        a, b = self.take(2)
        expect(bool(b & 0x80), not self.client, 'masked')
        n = b & 0x7f
        if n == 126:
            n, = struct.unpack('>H', self.take(2))
        elif n == 127:
            n, = struct.unpack('>Q', self.take(8))
        key = self.take(4) if b & 0x80 else b''
        data = self.take(n)
        return a & 0x7f, bool(a & 0x80), mask(data, key) if key else data

    def message(self):
        """(opcode, payload), fragments joined; a control frame alone."""
        first, fin, data = self.frame()
        parts = [data]
        while not fin:
            opcode, fin, data = self.frame()
            expect(opcode, 0, 'opcode of a fragment')
            parts.append(data)
        return first, b''.join(parts)

    def close(self, code=1000):
        """Closing handshake, begun here: the code that came back."""
        self.send(CLOSE, struct.pack('>H', code))
        return self.closed()

    def closed(self):
        """The code of the Close that comes; answered if it was the first."""
        opcode, data = self.message()
        expect(opcode, CLOSE, 'opcode')
        return struct.unpack('>H', data[:2])[0] if data else None

    def end(self):
        """Nothing else comes."""
        expect(self.rest + self.sock.recv(4096), b'', 'the end')
        self.sock.close()


def upgrade(port, path='/', *lines, host='127.0.0.1', check=True):
    """A connection to a server at this port."""
    sock = socket.create_connection((host, port), LIMIT)
    name = f'[{host}]' if ':' in host else host
    head = [f'GET {path} HTTP/1.1', f'Host: {name}:{port}',
            'Upgrade: websocket', 'Connection: Upgrade',
            f'Sec-WebSocket-Key: {KEY}', 'Sec-WebSocket-Version: 13', *lines]
    sock.sendall('\r\n'.join(head).encode() + b'\r\n\r\n')
    answer, rest = read_head(sock)
    if check:
        contains(answer, ' 101 ')
    peer = Peer(sock)
    peer.rest = rest
    peer.answer = answer
    return peer


class Wsup:
    """The program; a server tells its port."""

    def __init__(self, *args, env=None, **kwargs):
        self.process = subprocess.Popen(
            ['wsup', *map(str, args)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, **(env or {})},
            **kwargs)

    def listening(self):
        line = self.process.stdout.readline().decode()
        if not line.startswith('listening on '):
            raise AssertionError(self.process.stderr.read().decode())
        return int(line.rsplit(':', 1)[1])

    def stop(self, code=0):
        if self.process.poll() is None:
            self.process.terminate()
        out, err = output(self.process)
        expect(self.process.returncode, code, f'exit code ({err!r})')
        return out, err

    def __enter__(self):
        self.port = self.listening()
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            # what it started may hold the pipes for longer
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()
        else:
            self.stop()


def wsup(*args, stdin=b'', code=0, env=None):
    """Runs it to its end: (stdout, stderr)."""
    process = subprocess.Popen(
        ['wsup', *map(str, args)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})})
    out, err = output(process, stdin)
    expect(process.returncode, code, f'exit code ({err!r})')
    return out, err


class Server:
    """A server in a thread; handler(peer) gets each connection in turn."""

    def __init__(self, handler, *lines):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.listener.settimeout(LIMIT)
        self.port = self.listener.getsockname()[1]
        self.url = f'ws://127.0.0.1:{self.port}/'
        self.handler = handler
        self.lines = lines
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            sock, _ = self.listener.accept()
            sock.settimeout(LIMIT)
            head, rest = read_head(sock)
            sock.sendall('\r\n'.join([
                'HTTP/1.1 101 x', 'Upgrade: websocket', 'Connection: Upgrade',
                f'Sec-WebSocket-Accept: {accept_for(head)}', *self.lines,
                '', '']).encode())
            peer = Peer(sock, client=False)
            peer.rest = rest
            peer.request = head
            self.handler(peer)
        except Exception as error:      # told by join()
            self.error = error

    def join(self):
        self.thread.join()      # each of its steps has a limit
        if self.error:
            raise self.error
