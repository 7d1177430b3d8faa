# SPDX-License-Identifier: GPL-2.0
"""wsup serve: what a peer, a file or a limit must not do to it, in a guest."""
import contextlib
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

from frames import BINARY, CLOSE, TEXT, Peer, Wsup, frame, upgrade
from peer import (LIMIT, case, contains, expect, main, read_all, read_answer,
                  read_head)
from wsup_test import REQUEST, background, echoes, tcp_echo, tcp_server

resource.setrlimit(resource.RLIMIT_NOFILE,
                   (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def reset(sock):
    """Ends a connection at once."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, 0))
    sock.close()


def refuses(*args, code=1):
    """What the program says instead of serving."""
    server = Wsup('serve', *args)
    line = server.process.stdout.readline()
    if line:
        server.process.kill()
    _, err = server.process.communicate(timeout=LIMIT)
    expect((line, server.process.returncode), (b'', code), f'result ({err!r})')
    return err


def flood(sock):
    """Writes until the other end has had enough."""
    try:
        while True:
            sock.sendall(b'x' * 65536)
    except OSError:
        pass


def leave_twice(sock):
    """FIN, then RST: what is sent after both fails with EPIPE."""
    sock.shutdown(socket.SHUT_WR)
    reset(sock)


def answer_nothing(sock):
    """Whatever comes: an end, while the client has more to say."""
    sock.recv(65536)
    sock.close()


@case('serve --to: neither a client nor a server behind that vanishes while '
      'bytes are on their way ends the connections of others')
def relay_broken_pipe():
    def behind(sock):
        first = sock.recv(1, socket.MSG_PEEK)
        {b'f': flood, b'e': answer_nothing}.get(first, tcp_echo)(sock)

    listener, address = tcp_server(behind)
    with Wsup('serve', '--to', address, '127.0.0.1:0') as server:
        other = upgrade(server.port)
        for end in reset, socket.socket.close, leave_twice:
            for _ in range(3):
                peer = upgrade(server.port)
                peer.send(BINARY, b'f')
                peer.take(100000)
                end(peer.sock)
                echoes(other, BINARY, b'and the others')
        for _ in range(3):
            peer = upgrade(server.port)
            try:
                for _ in range(50):
                    peer.send(BINARY, b'e' * 1000)
                    echoes(other, BINARY, b'and the others')
            except OSError:
                pass
            peer.sock.close()
        expect(other.close(), 1000)
    listener.close()


@case('serve: messages that nobody reads any more end nothing')
def stderr_closed():
    server = Wsup('serve', '--echo', '-v', '127.0.0.1:0')
    port = server.listening()
    server.process.stderr.close()
    other = upgrade(port)
    for _ in range(3):
        peer = upgrade(port, check=False, path='/ /')
        contains(peer.answer, ' 400 ')
        peer.sock.close()
        echoes(other, TEXT, b'x')
    expect(other.close(), 1000)
    server.process.terminate()
    expect(server.process.wait(LIMIT), 0)


@case('serve --exec: programs are waited for though the parent ignores '
      'SIGCHLD')
def sigchld_ignored():
    with Wsup('serve', '--echo', '127.0.0.1:0',
              preexec_fn=lambda: signal.signal(
                  signal.SIGCHLD, signal.SIG_IGN)) as server, \
            open(f'/proc/{server.process.pid}/status') as file:
        ignored = int(re.search(r'SigIgn:\s*(\w+)', file.read())[1], 16)
        expect(ignored >> (signal.SIGCHLD - 1) & 1, 0, 'ignored')


@case('serve --auth-file: without a user in it nobody is served')
def auth_file_empty():
    with tempfile.TemporaryDirectory() as where:
        name = where + '/users'
        for text in (b'', b'\n', b'# me:pw\n', b'#\n\r\n\n', b'\0me:pw\n'):
            with open(name, 'wb') as file:
                file.write(text)
            err = refuses('--echo', '--auth-file', name, '127.0.0.1:0')
            contains(err, name.encode())
        err = refuses('--echo', '--auth-file', where, '127.0.0.1:0')
        contains(err, b'Is a directory')
        for bad in (where + '/none', ''):
            err = refuses('--echo', '--auth-file', bad, '127.0.0.1:0')
            contains(err, b'No such file')
        # users that other options name are no excuse
        err = refuses('--echo', '--auth', 'me:pw', '--auth-file',
                      name, '127.0.0.1:0')
        contains(err, name.encode())


@case('serve: an option that restricts, and says nothing, is no option')
def restricting_options():
    for option, bad in (('--auth', ''), ('--auth', 'me'), ('--origin', ''),
                        ('--path', ''), ('--path', 'x'),
                        ('--subprotocol', ''), ('--connections', '0'),
                        ('--connections', ''), ('--timeout', '0'),
                        ('--control', ''), ('--ping-interval', ''),
                        ('--threads', '0')):
        err = refuses('--echo', option, bad, '127.0.0.1:0', code=2)
        contains(err, option.encode())
    err = refuses('--exec', '', '127.0.0.1:0', code=2)
    contains(err, b'--exec')


def children(pid):
    """How many processes it has that still run."""
    n = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/children') as file:
            n += len(file.read().split())
    return n


def ask(port):
    """A client that has asked, and does not wait for the answer."""
    sock = socket.create_connection(('127.0.0.1', port), LIMIT)
    sock.sendall(REQUEST)
    return sock


def answered(socks, limit=0):
    """Those that have got something."""
    return select.select(socks, [], [], limit)[0]


def wait_for(condition, what):
    until = time.monotonic() + LIMIT
    while not condition():
        expect(time.monotonic() < until, True, what)
        time.sleep(0.01)


@case('serve --connections: exact at all times, however many come at once and '
      'however many threads there are')
def limit_exact():
    for mode, threads in (('--exec', 1), ('--exec', 3), ('--echo', 2)):
        mode = ('--echo',) if mode == '--echo' else ('--exec', 'cat')
        with Wsup('serve', *mode, '-n', 5, '-j', threads,
                  '127.0.0.1:0') as server:
            socks = [ask(server.port) for _ in range(30)]
            most = left = 0
            while socks:
                ready = answered(socks, LIMIT)
                expect(bool(ready), True, 'somebody is served')
                wait_for(lambda: len(answered(socks)) == min(5, len(socks)),
                         'all that may be are served')
                if mode[0] == '--exec':
                    most = max(most, children(server.process.pid))
                for sock in answered(socks):
                    contains(read_head(sock)[0], ' 101 ')
                    socks.remove(sock)
                    reset(sock)
                    left += 1
            expect(left, 30)
            contains(range(6), most)


@case('serve --exec: without --connections 64 processes and no more')
def exec_default_limit():
    with Wsup('serve', '--exec', 'exec cat', '127.0.0.1:0') as server:
        socks = [ask(server.port) for _ in range(70)]
        wait_for(lambda: len(answered(socks)) == 64, 'those are served')
        # a process begins behind its connection's answer
        wait_for(lambda: children(server.process.pid) == 64, 'processes')
        expect(len(answered(socks, 0.3)), 64, 'connections')
        expect(children(server.process.pid), 64, 'processes')
        for sock in socks:
            reset(sock)
        wait_for(lambda: not children(server.process.pid), 'they end')


@case('serve --connections: who says nothing has no place, nor who only talks '
      'HTTP; half handshakes by the thousand keep nobody out')
def idle_holds_nothing():
    with Wsup('serve', '--echo', '-n', 1, '-t', 3600000, '--static', '/usr',
              '127.0.0.1:0') as server:
        idle = []
        for number in range(4300):
            sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
            if number % 3:
                sock.sendall(REQUEST[:20 * (number % 3)])
            idle.append(sock)
        peer = upgrade(server.port)
        echoes(peer, TEXT, b'x')
        expect(peer.close(), 1000)
        for sock in idle:
            sock.close()


@case('serve --connections: a client that waits is told when it takes too long')
def limit_wait():
    with Wsup('serve', '--echo', '-n', 1, '-t', 1500,
              '127.0.0.1:0') as server:
        peer = upgrade(server.port)
        head, body, _ = read_answer(ask(server.port))
        contains(head, ' 503 ')
        contains(body, b'as many connections')
        gone = ask(server.port)
        gone.close()
        echoes(peer, TEXT, b'x')
        expect(peer.close(), 1000)
        peer = upgrade(server.port)
        echoes(peer, TEXT, b'x')
        expect(peer.close(), 1000)


@case('serve --echo: connections that wait for memory all get it, and none '
      'that is idle keeps it from them')
def echo_starved():
    with Wsup('serve', '--echo', '-j', 1, '--drain', 3600000,
              '127.0.0.1:0') as server:
        peers = [upgrade(server.port) for _ in range(300)]
        os.kill(server.process.pid, signal.SIGSTOP)
        for peer in peers:
            peer.send(BINARY, b'x' * 1000)
        # their reads begin when there is no memory, and nothing for them
        late = [ask(server.port) for _ in range(900)]
        os.kill(server.process.pid, signal.SIGCONT)
        for peer in peers:
            expect(peer.message()[0], BINARY)
        for sock in late:
            contains(read_head(sock)[0], ' 101 ')
        late = [Peer(sock) for sock in late]
        for peer in late:
            peer.send(TEXT, b'late')
        for peer in late:
            expect(peer.message(), (TEXT, b'late'))
        server.process.terminate()
        for peer in peers + late:
            expect(peer.closed(), 1001)
            peer.sock.close()
        expect(server.process.wait(4 * LIMIT), 0, 'exit code')


def unread(port):
    """A connection with an echo that does not fit, and another behind it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.settimeout(LIMIT)
    sock.connect(('127.0.0.1', port))
    sock.sendall(REQUEST)
    head, rest = read_head(sock)
    contains(head, ' 101 ')
    sock.sendall(frame(BINARY, b'x' * 65000) * 2)
    peer = Peer(sock)
    peer.rest = rest
    return peer


@contextlib.contextmanager
def sysctl(name, value):
    """A setting of this network namespace, for a while."""
    path = '/proc/sys/' + name.replace('.', '/')
    with open(path, encoding='ascii') as file:
        before = file.read()
    try:
        with open(path, 'w', encoding='ascii') as file:
            file.write(value)
        yield
    finally:
        with open(path, 'w', encoding='ascii') as file:
            file.write(before)


@case('serve --echo: what is kept for clients that do not read has a limit; '
      'beyond it, those that have not read for the longest time have to go')
def echo_memory():
    # one echo is in the socket then, and the next is not
    with sysctl('net.ipv4.tcp_wmem', '4096 4096 4096'), \
            Wsup('serve', '--echo', '-j', 1, '127.0.0.1:0') as server:
        other = upgrade(server.port)
        before = descriptors(server.process.pid)
        peers = [unread(server.port) for _ in range(500)]
        # 16 MiB are 216 whole messages of them, or twice as many halves
        wait_for(lambda: descriptors(server.process.pid) < before + 450,
                 'some have to go')
        echoes(other, TEXT, b'still there')
        contains(range(before + 200, before + 450),
                 descriptors(server.process.pid))
        while (first := peers[0].frame())[0] != CLOSE:
            pass
        expect(struct.unpack('>H', first[2][:2])[0], 1008)
        expect(peers[-1].message()[0], BINARY)
        for peer in peers:
            reset(peer.sock)
        expect(other.close(), 1000)


class Target:
    """A TCP server behind; each connection is handed out."""

    def __init__(self, host='127.0.0.1'):
        self.listener = socket.create_server((host, 0))
        self.listener.settimeout(LIMIT)
        self.port = self.listener.getsockname()[1]
        self.address = f'127.0.0.1:{self.port}'

    def take(self):
        sock, _ = self.listener.accept()
        sock.settimeout(LIMIT)
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def relayed(target, server):
    """A client, and what it is connected with."""
    return upgrade(server.port), target.take()


def is_reset(sock):
    """How a stream ends, after whatever comes."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


@case('serve --to: a server that breaks off is 1014 for the client, after all '
      'it had said; one that ends in order is 1000')
def relay_server_ends_how():
    with Target() as target, \
            Wsup('serve', '--to', target.address, '127.0.0.1:0') as server:
        for end, code in ((reset, 1014), (socket.socket.close, 1000)):
            for size in (0, 100000):
                peer, sock = relayed(target, server)
                sock.sendall(b'x' * size)
                n = 0
                while n < size:
                    n += len(peer.message()[1])
                end(sock)
                expect(peer.closed(), code)
                peer.send(CLOSE, struct.pack('>H', code))
                peer.end()
        # a write finds out first
        peer, sock = relayed(target, server)
        sock.sendall(b'last words')
        expect(peer.message(), (BINARY, b'last words'))
        reset(sock)
        try:
            peer.send(BINARY, b'x' * 1000)
        except OSError:
            pass
        expect(peer.closed(), 1014)


@case('serve --to: a client that breaks off, or breaks the protocol, is a '
      'reset for the server; Close is an end')
def relay_client_ends_how():
    def cut(peer):
        peer.sock.sendall(frame(BINARY, b'x' * 100)[:50])
        peer.sock.shutdown(socket.SHUT_WR)

    def bad(peer):
        peer.sock.sendall(b'\x83\x80abcd')

    def close_with(code):
        return lambda peer: peer.send(CLOSE, struct.pack('>H', code))

    with Target() as target, \
            Wsup('serve', '--to', target.address, '127.0.0.1:0') as server:
        for end, hard in ((cut, True), (bad, True),
                          (lambda peer: reset(peer.sock), True),
                          (lambda peer: peer.sock.close(), True),
                          (close_with(1011), True), (close_with(1000), False),
                          (close_with(1001), False), (close_with(4000), False),
                          (lambda peer: peer.send(CLOSE), False)):
            peer, sock = relayed(target, server)
            peer.send(BINARY, b'hello')
            expect(sock.recv(100), b'hello')
            end(peer)
            expect(is_reset(sock), hard, 'reset')
            sock.close()
            peer.sock.close()


@case("serve --to: the client's Close is passed on, and answered when the "
      'server has had its say')
def relay_half_close():
    with Target() as target, \
            Wsup('serve', '--to', target.address, '127.0.0.1:0') as server:
        peer, sock = relayed(target, server)
        peer.send(TEXT, b'GET / HTTP/1.0\r\n\r\n')
        peer.send(CLOSE, struct.pack('>H', 4321) + b'done')
        expect(read_all(sock), b'GET / HTTP/1.0\r\n\r\n')
        feeder = background(lambda: (sock.sendall(b'y' * 3000000),
                                     sock.close()))
        n = 0
        while True:
            opcode, data = peer.message()
            if opcode == CLOSE:
                break
            n += len(data)
        feeder.join(LIMIT)
        expect((n, data), (3000000, struct.pack('>H', 4321)))
        peer.end()


@case('serve --to: neither a server that does not end nor a client that does '
      'not answer Close is waited for without an end')
def relay_no_end():
    with Target() as target, Wsup('serve', '--to', target.address, '-n', 1,
                                  '-t', 3600000, '127.0.0.1:0') as server:
        peer, sock = relayed(target, server)
        expect(peer.close(), 1000)
        expect(sock.recv(1), b'')
        peer.end()
        sock.close()
        peer, sock = relayed(target, server)
        sock.close()
        opcode, _ = peer.message()
        expect(opcode, CLOSE)
        another, sock = relayed(target, server)
        sock.close()
        expect(another.closed(), 1000)


def push(sock, data):
    """What is taken of it at once."""
    sock.setblocking(False)
    try:
        while data:
            data = data[sock.send(data):]
    except OSError:
        pass
    sock.settimeout(LIMIT)


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


@case('serve --to: pipes of clients that were slow once do not stay')
def relay_pipes():
    with Target() as target, Wsup('serve', '--to', target.address, '-j', 1,
                                  '127.0.0.1:0') as server:
        pairs = [relayed(target, server) for _ in range(100)]
        before = descriptors(server.process.pid)
        def full():
            for _, sock in pairs:
                push(sock, b'z' * (1 << 18))
            return descriptors(server.process.pid) >= before + 150

        wait_for(full, 'pipes are in use')
        for peer, sock in pairs:
            background(lambda sock=sock: sock.shutdown(socket.SHUT_WR))
            while peer.message()[0] != CLOSE:
                pass
            peer.send(CLOSE, struct.pack('>H', 1000))
            sock.close()
            peer.end()
        wait_for(lambda: descriptors(server.process.pid) < 60,
                 'descriptors are closed')


@case('serve --to: all addresses of a name; ports that are none')
def relay_addresses():
    with Target() as target, Wsup('serve', '--to', f'localhost:{target.port}',
                                  '127.0.0.1:0') as server:
        peer, sock = relayed(target, server)
        sock.sendall(b'x')
        expect(peer.message(), (BINARY, b'x'))
        sock.close()
        expect(peer.closed(), 1000)
    for bad in ('localhost:0', 'localhost:65536', 'localhost:', 'localhost',
                ':80', '::1:80', 'localhost:99999999999', 'localhost:http'):
        contains(refuses('--to', bad, '127.0.0.1:0', code=2), b'--to')


@case('serve --to: the name is looked up again')
def relay_resolved_again():
    with open('/etc/hosts') as file:
        hosts = file.read()
    target = Target('127.0.0.2')
    try:
        with open('/etc/hosts', 'w') as file:
            file.write(hosts + '\n127.0.0.3 moves.test\n')
        with Wsup('serve', '--to', f'moves.test:{target.port}',
                  '127.0.0.1:0') as server:
            expect(upgrade(server.port).closed(), 1014)
            with open('/etc/hosts', 'w') as file:
                file.write(hosts + '\n127.0.0.2 moves.test\n')
            peer, sock = relayed(target, server)
            sock.close()
            expect(peer.closed(), 1000)
    finally:
        with open('/etc/hosts', 'w') as file:
            file.write(hosts)
        target.listener.close()


@case('serve NAME:0 listens at each address of the name, at one port')
def all_addresses():
    for threads in (1, 3):
        server = Wsup('serve', '--echo', '-j', threads, 'localhost:0')
        lines = {server.process.stdout.readline() for _ in range(2)}
        port = int(lines.copy().pop().rsplit(b':', 1)[1])
        expect(lines, {b'listening on [::1]:%d\n' % port,
                       b'listening on 127.0.0.1:%d\n' % port})
        for host in ('127.0.0.1', '::1'):
            for _ in range(10):
                peer = upgrade(port, host=host)
                echoes(peer, TEXT, b'x')
                expect(peer.close(), 1000)
        server.stop()


@case('serve: its descriptors are not those of the programs it runs')
def descriptors_stay():
    listener = socket.create_server(('127.0.0.1', 0))
    with tempfile.TemporaryDirectory() as where:
        process = subprocess.Popen(
            ['sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec wsup serve --exec '
             f'"exec ls /proc/self/fd" --control {where}/c 3<&0 </dev/null'],
            stdin=listener, stdout=subprocess.PIPE)
        process.stdout.readline()
        peer = upgrade(listener.getsockname()[1])
        got = b''
        while (message := peer.message())[0] != CLOSE:
            got += message[1]
        # the fourth is the directory that ls reads
        expect(got.split(), [b'0', b'1', b'2', b'3'])
        process.terminate()
        process.communicate(timeout=LIMIT)


@case('serve says that it listens only when it can serve')
def listening():
    with sysctl('net.ws.enabled', '0'):
        contains(refuses('--echo', '127.0.0.1:0'), b'net.ws.enabled')
    for path in ('/nonexistent/control', '/dev/null', '/'):
        err = refuses('--echo', '--control', path, '127.0.0.1:0')
        contains(err, path.encode())
    with tempfile.TemporaryDirectory() as where:
        path = where + '/control'
        with open(path, 'w') as file:
            file.write('precious')
        contains(refuses('--echo', '--control', path, '127.0.0.1:0'),
                 b'something else is there')
        with open(path) as file:
            expect(file.read(), 'precious')
        os.unlink(path)
        with Wsup('serve', '--echo', '--control', path, '127.0.0.1:0'):
            contains(refuses('--echo', '--control', path, '127.0.0.1:0'),
                     b'a server that runs')
        expect(os.path.exists(path), False)
        server = Wsup('serve', '--echo', '--control', path, '127.0.0.1:0')
        server.listening()
        server.process.kill()
        server.process.wait(LIMIT)
        expect(os.path.exists(path), True)
        with Wsup('serve', '--echo', '--control', path, '127.0.0.1:0'):
            pass


@case('serve -v: each refusal is a line with the address of the client')
def refusals_told():
    with Wsup('serve', '--echo', '-v', '--auth', 'me:pw', '--path', '/chat',
              '127.0.0.1:0') as server:
        who = 'Authorization: Basic bWU6cHc='
        for lines, path, status in (
                ((), '/chat', 401), ((who,), '/none', 404),
                ((who, 'Origin: http://evil.example'), '/chat', 403),
                ((who, 'Sec-WebSocket-Version: 12'), '/chat', 426),
                ((who,), '/ /', 400)):
            peer = upgrade(server.port, path, *lines, check=False)
            contains(peer.answer, f' {status} ')
            ours = '%s:%d' % peer.sock.getsockname()
            line = server.process.stderr.readline().decode()
            contains(line, f'wsup: serve: {ours}: answered {status}')
            peer.sock.close()
        # two on one connection are two lines
        sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
        for line, status in ((who, 404), ('X: y', 401)):
            sock.sendall(f'GET /x HTTP/1.1\r\nHost: localhost\r\n{line}'
                         '\r\n\r\n'.encode())
            contains(read_answer(sock)[0], f' {status} ')
            contains(server.process.stderr.readline().decode(),
                     f'answered {status}')
        sock.close()
        peer = upgrade(server.port, '/chat', who)
        expect(peer.close(), 1000)
        peer.sock.close()
        server.process.terminate()
        expect(server.process.stderr.read(), b'', 'what else it says')


def ended(sock):
    try:
        return not sock.recv(1)
    except ConnectionResetError:
        return True


def limit_memory(process, more):
    """What it may still get."""
    with open(f'/proc/{process.pid}/status', encoding='ascii') as file:
        size = int(re.search(r'VmSize:\s*(\d+)', file.read())[1]) * 1024
    resource.prlimit(process.pid, resource.RLIMIT_AS, (
        size + more, resource.getrlimit(resource.RLIMIT_AS)[1]))


@case('serve: a connection that finds no memory ends, and no other')
def no_memory():
    listener, address = tcp_server(tcp_echo)
    for mode in (('--echo',), ('--to', address)):
        with Wsup('serve', *mode, '-j', 1, '127.0.0.1:0') as server:
            other = upgrade(server.port)
            echoes(other, BINARY, b'x')
            limit_memory(server.process, 1 << 19)
            socks = []
            for number in range(600):
                sock = socket.create_connection(('127.0.0.1', server.port),
                                                LIMIT)
                push(sock, REQUEST[:-2] + b'X: ' + b'y' * 8000 +
                     b'\r\n\r\n' * (number % 2))
                socks.append(sock)
            wait_for(lambda: len(answered(socks)) > 300, 'some are ended')
            echoes(other, BINARY, b'still there')
            contains(range(1, 600), sum(map(ended, answered(socks))))
            for sock in socks:
                sock.close()
            limit_memory(server.process, 1 << 30)
            peer = upgrade(server.port)
            echoes(peer, BINARY, b'and after')
            expect(peer.close(), 1000)
            expect(other.close(), 1000)
            server.process.terminate()
            # it may have said so
            server.process.stderr.read()
    listener.close()


@case('serve: killed, it tells its clients that it goes away')
def killed():
    listener, address = tcp_server(tcp_echo)
    for mode in (('--echo',), ('--to', address)):
        server = Wsup('serve', *mode, '127.0.0.1:0')
        port = server.listening()
        peers = [upgrade(port) for _ in range(20)]
        for peer in peers:
            echoes(peer, BINARY, b'x')
        server.process.kill()
        for peer in peers:
            expect(peer.closed(), 1001)
        server.process.communicate(timeout=LIMIT)
    listener.close()


if __name__ == '__main__':
    main('serve')
