# SPDX-License-Identifier: GPL-2.0
"""wsup serve --takeover: up to the point of commitment the server that runs
goes on, whatever its successor is; in a guest."""
import array
import os
import pwd
import resource
import signal
import socket
import struct
import tempfile
import time

from frames import BINARY, TEXT, Wsup, frame, upgrade
from peer import LIMIT, case, contains, expect, main
from serve_test import Target, descriptors, refuses, relayed, wait_for
from wsup_test import background, echoes

HELLO, ERROR, LISTENER, GO, COMMIT, CONN, END = range(1, 8)
VERSION = 2


def hello(mode=b'echo', version=VERSION, connections=0, room=1 << 20,
          listeners=0):
    return struct.pack('=11s16s1xIIII', b'wsup serve', mode, version,
                       connections, room, listeners)


class Other:
    """The other server of a takeover, as bad as it likes."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(LIMIT)

    @classmethod
    def dial(cls, path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(path)
        return cls(sock)

    def say(self, kind, data=b'', fds=()):
        self.sock.sendmsg([struct.pack('=I', kind), data], [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))]
            if fds else [])

    def hear(self):
        """(kind, data, descriptors); nothing at the end."""
        data, fds, _, _ = socket.recv_fds(self.sock, 1 << 18, 8)
        if not data:
            return None
        return struct.unpack('=I', data[:4])[0], data[4:], fds

    def greet(self, **kwargs):
        """HELLO both ways, and the listening sockets."""
        self.say(HELLO, hello(**kwargs))
        kind, data, _ = self.hear()
        expect(kind, HELLO, 'kind')
        n, = struct.unpack('=I', data[-4:])
        fds = []
        for _ in range(n):
            kind, data, more = self.hear()
            expect((kind, data, len(more)), (LISTENER, b'', 1))
            fds += more
        return fds

    def close(self):
        self.sock.close()


class Running:
    """A server that can be taken over, and a client that it keeps."""

    def __init__(self, *args, mode=('--echo',), **kwargs):
        self.where = tempfile.TemporaryDirectory()
        self.control = self.where.name + '/control'
        self.server = Wsup('serve', *mode, '-j', 2, '--control', self.control,
                           *args, '127.0.0.1:0', **kwargs)
        self.pid = self.server.process.pid

    def __enter__(self):
        self.port = self.server.listening()
        self.peer = upgrade(self.port)
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.server.process.kill()
            self.server.process.communicate()
        self.where.cleanup()

    def still(self, text=b'still there'):
        """The connection is kept, and others are accepted."""
        echoes(self.peer, TEXT, text)
        peer = upgrade(self.port)
        echoes(peer, TEXT, b'new')
        expect(peer.close(), 1000)

    def successor(self, *args, mode=('--echo',), **kwargs):
        return Wsup('serve', *mode, '-j', 2, '--control', self.control,
                    '--takeover', *args, **kwargs)

    def replaced(self, said=b''):
        """A good successor takes it over."""
        after = self.successor()
        expect(after.listening(), self.port, 'port')
        _, err = self.server.process.communicate(timeout=LIMIT)
        expect(self.server.process.returncode, 0, f'exit code ({err!r})')
        expect(all(said in line and said for line in err.splitlines()), True,
               f'said {err!r}')
        self.still(b'and after')
        expect(self.peer.close(), 1000)
        after.stop()

    def stopped(self):
        expect(self.peer.close(), 1000)
        self.peer.sock.close()
        return self.server.stop()


@case('a successor that goes before it is ready, or talks nonsense, is as if '
      'it had never been')
def bad_successors():
    before = descriptors(os.getpid())
    with Running() as running:
        fds = descriptors(running.pid)
        for what in (b'', b'x', hello()[:-1], hello() + b'x', hello(mode=b''),
                     hello(version=1), b'\0' * 200000):
            for kind in (HELLO, GO, COMMIT, CONN, 0, 1 << 31):
                other = Other.dial(running.control)
                try:
                    other.say(kind, what)
                    if what != hello():
                        while other.hear():
                            pass
                except ConnectionError:
                    pass
                other.close()
        for part in range(4):
            other = Other.dial(running.control)
            if part:
                for fd in other.greet():
                    os.close(fd)
            if part == 2:
                other.say(HELLO, hello())
            if part == 3:
                other.say(LISTENER, b'', [0, 1, 2])
            if part > 1:
                expect(other.hear()[0], ERROR)
            other.close()
        running.still()
        wait_for(lambda: descriptors(running.pid) <= fds, 'nothing stays')
        running.stopped()
    expect(descriptors(os.getpid()), before, 'descriptors')


@case('a successor of another mode, version or limit is refused with the '
      'reason, and nothing changes')
def refused():
    with Running() as running:
        extra = [upgrade(running.port) for _ in range(40)]
        for args, text in (
                ({'mode': ('--to', '127.0.0.1:1')}, b'another mode'),
                ({'mode': ('--exec', 'cat')}, b'another mode'),
                ({'preexec_fn': lambda: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (40, 40))}, b'descriptors')):
            after = running.successor(**args)
            _, err = after.process.communicate(timeout=LIMIT)
            expect(after.process.returncode, 1, f'exit code ({err!r})')
            contains(err, text)
            running.still()
        after = running.successor('-n', 40)
        _, err = after.process.communicate(timeout=LIMIT)
        expect(after.process.returncode, 1, f'exit code ({err!r})')
        contains(err, b'more connections')
        running.still()
        for peer in extra:
            expect(peer.close(), 1000)
        running.replaced(b'no takeover: ')


@case('a successor that cannot have the place at --control dies before, not '
      'after')
def no_control():
    with Running() as running:
        os.mkdir(running.control + '.new')
        after = running.successor()
        _, err = after.process.communicate(timeout=LIMIT)
        expect(after.process.returncode, 1)
        contains(err, b'.new')
        running.still()
        os.rmdir(running.control + '.new')
        running.replaced()
        expect(os.listdir(running.where.name), [])


@case('a server out of descriptors waits for a successor as for clients')
def no_descriptors():
    with Running(preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (40, 40))) as running:
        socks = [socket.create_connection(('127.0.0.1', running.port), LIMIT)
                 for _ in range(60)]
        other = Other.dial(running.control)
        for sock in socks:
            sock.close()
        for fd in other.greet():
            os.close(fd)
        other.close()
        running.still()
        running.stopped()


@case('whoever only connects to --control is not waited for')
def strays():
    with Running() as running:
        stray = [Other.dial(running.control) for _ in range(3)]
        running.still()
        for other in stray:
            other.close()
        running.replaced()


@case('a successor that does not read is no reason to ignore SIGTERM, before '
      'the commitment and after')
def deaf():
    for committed in (False, True):
        with Running() as running:
            peers = [upgrade(running.port) for _ in range(1500)]
            other = Other.dial(running.control)
            fds = other.greet()
            if committed:
                other.say(GO)
                wait_for(lambda: len(os.listdir(
                    f'/proc/{running.pid}/task')) == 1, 'threads end')
            running.server.process.send_signal(signal.SIGTERM)
            expect(running.server.process.wait(LIMIT), int(committed))
            other.close()
            for fd in fds:
                os.close(fd)
            # those on their way are the successor's, whose end is none of a
            # process here: 1001 is for what the server still had
            codes = [peer.closed() for peer in peers]
            expect(set(codes) <= {1001, *([1000] if committed else [])}, True,
                   f'codes {set(codes)}')
            contains(codes, 1001)
            running.server.process.communicate()


@case('a successor that goes in the middle takes only what it had')
def vanishes():
    with Running() as running:
        peers = [upgrade(running.port) for _ in range(1500)]
        other = Other.dial(running.control)
        other.greet()
        other.say(GO)
        expect(other.hear()[0], COMMIT)
        kind, _, fds = other.hear()
        expect(kind, CONN, 'kind')
        os.close(fds[0])
        other.close()
        for peer in peers:
            contains((1000, 1001), peer.closed())
        _, err = running.server.process.communicate(timeout=LIMIT)
        contains(err, b'the successor is gone')


@case('--connections holds for both servers together')
def limit():
    with Running('-n', 8) as running:
        peers = [upgrade(running.port) for _ in range(7)]
        after = running.successor('-n', 8)
        expect(after.listening(), running.port, 'port')
        running.server.process.communicate(timeout=LIMIT)
        waiting = socket.create_connection(('127.0.0.1', running.port), LIMIT)
        waiting.sendall(b'GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n'
                        b'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                        b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
        for peer in peers:
            echoes(peer, TEXT, b'x')
        waiting.settimeout(0.3)
        try:
            raise AssertionError(f'answered: {waiting.recv(100)!r}')
        except socket.timeout:
            pass
        expect(peers.pop().close(), 1000)
        waiting.settimeout(LIMIT)
        contains(waiting.recv(1000), b' 101 ')
        waiting.close()
        for peer in peers:
            expect(peer.close(), 1000)
        echoes(running.peer, TEXT, b'x')
        expect(running.peer.close(), 1000)
        after.stop()


def as_nobody(function):
    """Its result as another user, in a process of its own."""
    nobody = pwd.getpwnam('nobody')
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            status = 0 if function() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@case('neither end of another user is trusted, whatever the rights of the path')
def foreign():
    with Running() as running:
        os.chmod(running.where.name, 0o755)
        os.chmod(running.control, 0o666)

        def take():
            other = Other.dial(running.control)
            try:
                other.say(HELLO, hello())
                return other.hear()
            except ConnectionError:
                return None

        expect(as_nobody(take), 2, 'served')
        running.still()
        _, err = running.stopped()
        contains(err, b"another user's")
    with tempfile.TemporaryDirectory() as where:
        os.chmod(where, 0o777)
        path = where + '/control'
        ready, begun = os.pipe()

        def wait():
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.bind(path)
            sock.listen()
            os.write(begun, b'x')
            other = Other(sock.accept()[0])
            other.say(HELLO, hello(listeners=1))
            other.hear()
            return True

        thread = background(as_nobody, wait)
        os.read(ready, 1)
        err = refuses('--echo', '--control', path, '--takeover')
        contains(err, b"another user's")
        thread.join(LIMIT)


class Predecessor:
    """A server that hands over what it likes."""

    def __init__(self, where, mode=b'echo'):
        self.path = where + '/control'
        self.mode = mode
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.bind(self.path)
        self.control.listen()

    def give(self, *packets):
        """A whole takeover, with these in the end."""
        other = Other(self.control.accept()[0])
        expect(other.hear()[0], HELLO)
        other.say(HELLO, hello(mode=self.mode, listeners=1))
        other.say(LISTENER, b'', [self.listener.fileno()])
        expect(other.hear()[0], GO)
        other.say(COMMIT, struct.pack('=I', 0))
        for packet in packets:
            other.say(*packet)
        other.close()


@case('a successor believes no length that it is told')
def lengths():
    rec = struct.Struct('=IBBH')
    with tempfile.TemporaryDirectory() as where:
        for number, (mode, bad) in enumerate((
                ('echo', [struct.pack('=II', 0, 60000)]),
                ('echo', [struct.pack('=II', 0, 0xffffffff) + b'x' * 64]),
                ('echo', [b'', b'x' * 7, b'x' * 8]),
                ('echo', [struct.pack('=II', 0, 16) +
                          rec.pack(60000, BINARY, 1, 0) + b'x' * 8,
                          struct.pack('=II', 0, 16) +
                          rec.pack(0xfffffff8, BINARY, 1, 0) + b'x' * 8,
                          struct.pack('=II', 0, 12) +
                          rec.pack(4, BINARY, 1, 0) + b'x' * 4,
                          struct.pack('=II', 0, 4) + b'x' * 4]),
                ('relay', [b'x', b'x' * 16,
                           struct.pack('=IBBBBIBBBB', 65536, 0, 0, 0, 0,
                                       0, 0, 0, 0, 0)]))):
            path = f'{where}/{number}'
            os.mkdir(path)
            before = Predecessor(path, mode.encode())
            after = Wsup('serve', *(('--echo',) if mode == 'echo' else
                                    ('--to', '127.0.0.1:1')),
                         '--control', before.path, '--takeover')
            pairs = []
            for _ in bad:
                ours = socket.create_connection(
                    before.listener.getsockname(), LIMIT)
                pairs.append((ours, before.listener.accept()[0]))
            before.give(*((CONN, data, [pair[1].fileno()])
                          for data, pair in zip(bad, pairs)),
                        (END, struct.pack('=I', 0)))
            port = after.listening()
            for ours, theirs in pairs:
                theirs.close()
                ours.settimeout(LIMIT)
                try:
                    expect(ours.recv(100), b'')
                except ConnectionResetError:
                    pass
            if mode == 'echo':
                peer = upgrade(port)
                echoes(peer, TEXT, b'x')
                expect(peer.close(), 1000)
            after.stop()


@case('--to: what a pipe holds, and a side that has ended, go over')
def relay_state():
    with Target() as target, \
            Running(mode=('--to', target.address)) as running:
        sock = target.take()
        pairs = [relayed(target, running) for _ in range(4)]
        data = os.urandom(4 << 20)
        for peer, behind in pairs[:2]:
            background(behind.sendall, data)
        pairs[2][1].shutdown(socket.SHUT_WR)
        expect(pairs[2][0].message(), (8, struct.pack('>H', 1000)))
        time.sleep(0.2)     # let buffers fill; nothing depends on it
        after = running.successor(mode=('--to', target.address))
        expect(after.listening(), running.port)
        running.server.process.communicate(timeout=LIMIT)
        for peer, behind in pairs[:2]:
            back = b''
            while len(back) < len(data):
                back += peer.message()[1]
            expect(back == data, True, 'the same bytes')
            behind.close()
            expect(peer.closed(), 1000)
        peer, behind = pairs[2]
        peer.send(BINARY, b'and the other way')
        expect(behind.recv(100), b'and the other way')
        peer.send(8, struct.pack('>H', 1000))
        expect(behind.recv(100), b'')
        sock.close()
        expect(running.peer.closed(), 1000)
        peer, behind = pairs[3]
        behind.sendall(b'x')
        expect(peer.message(), (BINARY, b'x'))
        behind.close()
        after.stop()


if __name__ == '__main__':
    main('takeover')
