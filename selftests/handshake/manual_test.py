# SPDX-License-Identifier: GPL-2.0
"""The examples of the manual pages do what the pages say.

All examples of all pages are taken from them: one that is not known here is a
failure, and so is one that is known and in no page any more. Those that are
whole functions are compiled by `make lint`.
"""
import atexit
import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from client_test import accept_for
from frames import BINARY, CLOSE, TEXT, Peer, frame, upgrade, wsup
from peer import LIMIT, case, contains, expect, main, pair, read_all, read_head
from wsup_test import REQUEST

TOP = os.path.dirname(os.path.abspath(__file__)) + '/../..'
PAGES = [*glob.glob(TOP + '/tools/man/*.[1-9]'), TOP + '/Documentation/ws.7']


def examples(path):
    """What stands in a page as an example."""
    found, block = [], None
    with open(path, encoding='utf-8') as file:
        for line in file.read().replace('\\e', '\\').splitlines():
            if line.startswith('.Bd -literal'):
                block = []
            elif line == '.Ed':
                found.append('\n'.join(block))
                block = None
            elif block is not None:
                block.append(line)
            elif line.startswith('.Dl '):
                found.append(line[4:])
    return found


EXAMPLES = {}       # what stands there: the function that shows it


def example(text):
    def register(function):
        EXAMPLES[text] = function
        return function
    return register


@case('each example of each page is tried, and none that is in no page')
def all_known():
    found = {text for path in PAGES for text in examples(path)
             if not re.search(r'^\{$', text, re.MULTILINE)}
    expect(found - set(EXAMPLES), set(), 'an example without a test')
    expect(set(EXAMPLES) - found, set(), 'a test without an example')


def commands(text):
    """Lines behind a prompt, as a script."""
    lines = text.splitlines()
    for line in lines:
        expect(line[:2], '$ ')
    return '\n'.join(line[2:] for line in lines)


@contextlib.contextmanager
def shell(text, **kwargs):
    """Runs what is to be typed; all of it ends in the end."""
    process = subprocess.Popen(['bash', '-c', commands(text)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True, **kwargs)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=LIMIT)


def listens(port):
    """Waits until somebody does."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            socket.create_connection(('127.0.0.1', port), LIMIT).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def serve_once(handler):
    """A WebSocket server at port 8080, for one connection."""
    listener = socket.create_server(('127.0.0.1', 8080))
    error = []

    def run():
        try:
            sock, _ = listener.accept()
            head, rest = read_head(sock)
            sock.sendall((
                'HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade'
                f'\r\nSec-WebSocket-Accept: {accept_for(head)}\r\n\r\n'
                ).encode())
            peer = Peer(sock, client=False)
            peer.rest = rest
            handler(peer)
        except Exception as e:      # told by the caller
            error.append(e)
        listener.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join():
        thread.join(LIMIT)
        if error:
            raise error[0]

    return join


def once_echo(peer):
    opcode, data = peer.message()
    expect((opcode, data), (TEXT, b'hello'))
    time.sleep(0.2)
    peer.send(opcode, data)
    expect(peer.closed(), 1000)
    peer.send(CLOSE, struct.pack('>H', 1000))


@example('$ echo hello | wsup connect ws://127.0.0.1:8080/')
@example('$ echo hello | wsup connect --one ws://127.0.0.1:8080/')
def connect_echo(text):
    join = serve_once(once_echo)
    with shell(text) as process:
        expect(process.stdout.read(), b'hello\n')
        expect(process.wait(LIMIT), 0)
    join()


@example("$ wsup connect --exec 'exec bash -i' ws://127.0.0.1:8080/")
def connect_shell(text):
    got = []

    def handler(peer):
        peer.send(BINARY, b'echo $((6 * 7))\nexit 0\n')
        while (message := peer.message())[0] == BINARY:
            got.append(message[1])
        expect(message, (CLOSE, struct.pack('>H', 1000)))
        peer.send(CLOSE, struct.pack('>H', 1000))

    join = serve_once(handler)
    with shell(text, stdin=subprocess.DEVNULL) as process:
        expect(process.wait(LIMIT), 0, process.stderr)
    join()
    expect(b''.join(got), b'42\n')


@example("$ wsup serve --exec 'exec bc -lq' --text 8080")
def serve_bc(text):
    with shell(text):
        listens(8080)
        for said, answer in ((b'2+3\n', b'5\n'), (b'x=7\nx*6\n2^10\n',
                                                b'42\n1024\n')):
            out, _ = wsup('connect', 'ws://127.0.0.1:8080/', stdin=said)
            expect(out, answer)
        peer = upgrade(8080)
        for number in range(5):
            peer.send(TEXT, b'%d*2' % number)
            expect(peer.message(), (TEXT, b'%d' % (number * 2)))
        expect(peer.close(), 1000)


@example('$ wsup serve --to 127.0.0.1:5900 --static novnc 8080')
def serve_vnc(text):
    vnc = socket.create_server(('127.0.0.1', 5900))

    def speak():
        sock, _ = vnc.accept()
        sock.sendall(b'RFB 003.008\n')
        sock.sendall(sock.recv(100))
        read_all(sock)
        sock.close()

    threading.Thread(target=speak, daemon=True).start()
    with tempfile.TemporaryDirectory() as where:
        os.mkdir(where + '/novnc')
        with open(where + '/novnc/vnc.html', 'w') as file:
            file.write('<p>vnc')
        with shell(text, cwd=where):
            listens(8080)
            sock = socket.create_connection(('127.0.0.1', 8080), LIMIT)
            sock.sendall(b'GET /vnc.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n'
                         b'Connection: close\r\n\r\n')
            head, rest = read_head(sock)
            contains(head, 'Content-Type: text/html')
            expect(rest + read_all(sock), b'<p>vnc')
            peer = upgrade(8080)
            expect(peer.message(), (BINARY, b'RFB 003.008\n'))
            peer.send(BINARY, b'RFB 003.003\n')
            expect(peer.message(), (BINARY, b'RFB 003.003\n'))
            expect(peer.close(), 1000)
    vnc.close()


TAKEOVER = '''$ wsup serve --echo --control /run/echo.sock 8080 &
$ wsup serve --echo --control /run/echo.sock --takeover'''


@example(TAKEOVER)
def serve_takeover(text):
    first, second = text.splitlines()
    with shell(first[:-2]) as old:
        listens(8080)
        peer = upgrade(8080)
        with shell(second):
            expect(old.wait(LIMIT), 0)
            peer.send(TEXT, b'still here')
            expect(peer.message(), (TEXT, b'still here'))
            expect(peer.close(), 1000)
            expect(upgrade(8080).close(), 1000)


@example('8080 stream tcp nowait nobody /usr/bin/wsup wsup accept cat')
def accept_inetd(text):
    _, kind, _, wait, user, path, *argv = text.split()
    expect((kind, wait), ('stream', 'nowait'))
    if not os.path.exists(path):
        os.symlink(os.path.abspath(TOP + '/build/tools/bin/wsup'), path)
    ours, theirs = pair()
    process = subprocess.Popen(argv, executable=path, user=user, stdin=theirs,
                               stdout=theirs, stderr=theirs)
    theirs.close()
    ours.sendall(REQUEST)
    contains(read_head(ours)[0], ' 101 ')
    peer = Peer(ours)
    peer.send(BINARY, b'hello')
    expect(peer.message(), (BINARY, b'hello'))
    expect(peer.close(), 1000)
    expect(process.wait(LIMIT), 0)


PROGRAM = '''
#include <linux/ws.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wsup.h>

int main(int argc, char **argv)
{
	int fd = argc > 1 ? atoi(argv[1]) : 0;
	char buf[65536];
	ssize_t n;

	%s
	(void)buf;
	(void)n;
	return 0;
}
'''
installed = None


def library():
    """Where the library is installed, once."""
    global installed
    if not installed:
        where = tempfile.TemporaryDirectory()
        atexit.register(where.cleanup)
        subprocess.run(['make', '-s', '-C', TOP + '/tools',
                        'DESTDIR=' + where.name, 'install'],
                       check=True, stdout=subprocess.DEVNULL)
        # of another package
        os.makedirs(where.name + '/usr/local/include/linux')
        shutil.copy(TOP + '/ws_ulp/include/uapi/linux/ws.h',
                    where.name + '/usr/local/include/linux')
        installed = where.name + '/usr/local'
    return installed


COMPILE = '$ cc program.c $(pkg-config --cflags --libs libwsup)'


def compiled(code, where):
    """The program around it, made as the page says."""
    with open(where + '/program.c', 'w') as file:
        file.write(PROGRAM % code)
    root = library()
    subprocess.run(['sh', '-c', commands(COMPILE)], cwd=where, check=True,
                   env={**os.environ, 'PKG_CONFIG_PATH':
                        root + '/lib/pkgconfig', 'PKG_CONFIG_SYSROOT_DIR':
                        root.removesuffix('/usr/local')})
    return where + '/a.out'


@example(COMPILE)
def library_compile(text):
    with tempfile.TemporaryDirectory() as where:
        program = compiled('return wsup_strerror(-1) ? 42 : 0;', where)
        done = subprocess.run(
            [program], check=False,
            env={**os.environ, 'LD_LIBRARY_PATH': library() + '/lib'})
        expect(done.returncode, 42)


@contextlib.contextmanager
def program(code):
    """A connection to it whose request, and more, is sent."""
    with tempfile.TemporaryDirectory() as where:
        path = compiled(code, where)
        ours, theirs = pair()
        process = subprocess.Popen(
            [path], stdin=theirs,
            env={**os.environ, 'LD_LIBRARY_PATH': library() + '/lib'})
        theirs.close()
        ours.settimeout(LIMIT)
        yield ours
        expect(process.wait(LIMIT), 0)


@example('''if (wsup_accept(fd, NULL, NULL) == 0)
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) < 0)
			break;
close(fd);''')
def library_echo(text):
    with program(text) as ours:
        ours.sendall(REQUEST)
        contains(read_head(ours)[0], ' 101 ')
        peer = Peer(ours)
        peer.send(TEXT, b'hello')
        expect(peer.message(), (BINARY, b'hello'))
        expect(peer.close(), 1000)
    with program(text) as ours:
        ours.sendall(REQUEST + frame(TEXT, b'x') + b'\x83\x00')
        read_all(ours)


@example('''if (wsup_attach_dormant(fd) == 0)
	setsockopt(fd, SOL_WS, WS_RX_MODE,
		   &(int){WS_RX_MESSAGE}, sizeof(int));
if (wsup_accept(fd, NULL, NULL) == 0)
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) < 0)
			break;
close(fd);''')
def library_mode(text):
    with program(text) as ours:
        # a message in fragments, of which the first come with the request
        ours.sendall(REQUEST + frame(TEXT, b'one ', fin=False) +
                     frame(0, b'two ', fin=False))
        contains(read_head(ours)[0], ' 101 ')
        peer = Peer(ours)
        peer.send(0, b'three')
        expect(peer.message(), (BINARY, b'one two three'))
        expect(peer.close(), 1000)


@example('''setsockopt(fd, IPPROTO_TCP, TCP_ULP, "ws", sizeof("ws"));
setsockopt(fd, SOL_WS, WS_ROLE, &(int){WS_SERVER}, sizeof(int));''')
def module_synopsis(text):
    with program(text + '\nif ((n = read(fd, buf, sizeof(buf))) > 0)\n'
                 'write(fd, buf, n);') as ours:
        peer = Peer(ours)
        peer.send(TEXT, b'hello')
        expect(peer.message(), (BINARY, b'hello'))
        peer.closed()


def show(text, function):
    """A case for each of them."""
    def run():
        function(text)
    run.__name__ = f'{function.__name__}_{list(EXAMPLES).index(text)}'
    case(' '.join(text.split())[:60])(run)


for known, shown in list(EXAMPLES.items()):
    show(known, shown)

if __name__ == '__main__':
    main('manual')
