# SPDX-License-Identifier: GPL-2.0
"""Who waits, and how: event loops, blocking descriptors and others, signals."""
import signal
import socket
import time

from client_test import accept, crowded, good, listen, plain
from peer import (ACCEPT, DONE, EEOF, ESTATUS, EURL, Drive, Skip, case, contains,
                  expect, main, pair, read_answer, read_head)
from server_test import request

LOOPS = ('poll', 'epoll', 'uring')
BEHIND = b'\x81\x05hello' + bytes(300)


def serve(*options, blocking=True, data=request()):
    """A server that gets data in three parts, each when it waits."""
    ours, theirs = pair()
    theirs.setblocking(blocking)
    drive = Drive(*options, 'accept', theirs.fileno(), fds=[theirs.fileno()])
    for part in (data[:7], data[7:-1], data[-1:] + BEHIND):
        if 'step=0' not in options:
            drive.wait_again()
        ours.sendall(part)
    if drive.unable is None:
        contains(read_head(ours)[0], f'Sec-WebSocket-Accept: {ACCEPT}\r\n')
    ours.shutdown(socket.SHUT_WR)
    drive.finish()
    # the mode belongs to the descriptor's file, which is ours as well
    expect(theirs.getblocking(), blocking, 'blocking afterwards')
    theirs.close()
    return drive


def connect(*options, answer=good):
    """A client whose answer comes in three parts, each when it waits."""
    listener, port = listen()
    drive = Drive(*options, 'connect', f'ws://localhost:{port}/')
    with accept(listener) as connection:
        data = answer(read_head(connection)[0])
        for part in (data[:7], data[7:-1], data[-1:] + BEHIND):
            if 'step=0' not in options:
                drive.wait_again()
            connection.sendall(part)
    listener.close()
    return drive.finish()


def both_roles(*options):
    for drive in (serve(*options), serve(*options, blocking=False),
                  connect(*options), connect(*options, 'nonblock=1')):
        if drive.unable in (1, 38):     # EPERM, ENOSYS
            raise Skip('this kernel has no io_uring for us')
        expect(drive.result, DONE, drive.error)
        expect(drive.rest, BEHIND)


@case('wsup_run(): blocking and nonblocking descriptors')
def run():
    both_roles('step=0')


@case('wsup_accept() and wsup_connect(): all of it in one call')
def call():
    for way in ('call=1', 'call=2'):
        for blocking in (True, False):
            drive = serve('step=0', way, blocking=blocking)
            expect((drive.result, drive.rest), (DONE, BEHIND))
            expect(drive.status, 101 if way == 'call=1' else None)
        drive = connect('step=0', way)
        expect((drive.result, drive.rest), (DONE, BEHIND))
        drive = connect('step=0', way, answer=lambda r: plain('404 x'))
        expect(drive.result, ESTATUS)
        expect(drive.status, 404 if way == 'call=1' else None)
        drive = Drive(way, 'connect', 'no url').finish()
        expect(drive.result, EURL)
    # an application that is not there is not asked
    drive = serve('step=0', 'call=1', 'ask=refuse')
    expect((drive.result, drive.requests), (DONE, []))


@case('wsup_step() with poll')
def poll():
    both_roles('loop=poll')


@case('wsup_step() with epoll')
def epoll():
    both_roles('loop=epoll')


@case('wsup_step() with io_uring, IORING_OP_POLL_ADD')
def uring():
    both_roles('loop=uring')


@case('a peer that reads slowly: waits for room, in both roles')
def full():
    for way in ('step=0', 'loop=poll', 'loop=epoll'):
        ours, theirs = pair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        drive = Drive(way, 'ask=file', 'accept', theirs.fileno(),
                      fds=[theirs.fileno()])
        theirs.close()
        ours.sendall(request(Upgrade=None) + request())
        _, body, rest = read_answer(ours)
        expect(len(body), 100000)
        contains(read_head(ours, rest)[0], ' 101 ')
        ours.close()
        expect(drive.finish().result, DONE)
        drive, ours = crowded(way)
        head, _ = read_head(ours)
        expect(head.count('Cookie'), 15)
        ours.sendall(good(head) + BEHIND)
        ours.close()
        drive.finish()
        expect((drive.result, drive.rest), (DONE, BEHIND))


@case('WSUP_NONBLOCK: the mode that a new socket has afterwards')
def mode():
    for nonblock in (0, 1):
        drive = connect('step=0', f'nonblock={nonblock}')
        expect((drive.result, drive.nonblock), (DONE, nonblock))


@case('a loop that waits before its first step is told not to')
def first_wait():
    ours, theirs = pair()
    drive = Drive('eager=1', 'loop=epoll', 'accept', theirs.fileno(),
                  fds=[theirs.fileno()])
    theirs.close()
    ours.sendall(request())
    contains(read_head(ours)[0], ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)
    listener, port = listen()
    drive = Drive('eager=1', 'loop=epoll', 'connect',
                  f'ws://127.0.0.1:{port}/')
    with accept(listener) as connection:
        connection.sendall(good(read_head(connection)[0]))
    expect(drive.finish().result, DONE)


@case('time: a loop that only waits is told when to give up')
def timeout():
    for loop in LOOPS[:2]:
        ours, theirs = pair()
        start = time.monotonic()
        drive = Drive('timeout=200', f'loop={loop}', 'accept',
                      theirs.fileno(), fds=[theirs.fileno()])
        theirs.close()
        expect(drive.finish().result, -110)
        expect(time.monotonic() - start >= 0.2, True, 'after the limit')
        ours.close()


@case('signals: wsup_run() tells, and goes on when it is called again')
def interrupted():
    ours, theirs = pair()
    drive = Drive('step=0', 'signals=1', 'accept', theirs.fileno(),
                  fds=[theirs.fileno()])
    theirs.close()
    data = request()
    for part in (data[:20], data[20:]):
        drive.wait_again()
        # the first ones may come before it waits
        while not drive.interrupted:
            drive.process.send_signal(signal.SIGUSR1)
            if drive.says(0.01):
                drive.take(*drive.line())
        drive.interrupted = None
        ours.sendall(part)
    contains(read_head(ours)[0], ' 101 ')
    ours.close()
    expect(drive.finish().result, DONE)


@case('after the end the result stays what it was')
def repeated():
    for drive in (serve('step=1', 'repeat=1'), connect('step=1', 'repeat=1')):
        expect((drive.result, drive.rest), (DONE, BEHIND))
        expect(drive.unable, None)
    drive = connect('step=1', 'repeat=1', answer=lambda r: plain('404 x'))
    expect((drive.result, drive.unable), (ESTATUS, None))


@case('given up: wsup_free() at each wait, with nothing left behind')
def abandoned():
    data = request()
    for give_up in range(1, 6):
        ours, theirs = pair()
        drive = Drive('step=1', f'give_up={give_up}', 'accept',
                      theirs.fileno(), fds=[theirs.fileno()])
        theirs.close()
        for i in range(give_up - 1):
            drive.wait_again()
            ours.sendall(data[i:i + 1])
        expect(drive.finish().result, 0)
        ours.close()
        listener, port = listen()
        listener.settimeout(0.01)
        drive = Drive('step=1', f'give_up={give_up}', 'connect',
                      f'ws://localhost:{port}/')
        connection = None
        for byte in b'HTTP/1.1 101 ':
            if not drive.wait_again():
                break
            while not connection and drive.process.poll() is None:
                try:
                    connection = listener.accept()[0]
                except socket.timeout:
                    pass
            try:
                connection.sendall(bytes([byte]))
            except (AttributeError, OSError):
                break           # it has left
        expect(drive.finish().result, 0)
        listener.close()


@case('a descriptor that is given: over it, and it stays the one')
def given():
    for step in ('step=0', 'step=1'):
        ours, theirs = pair()
        drive = Drive(step, f'over={theirs.fileno()}', 'connect',
                      'ws://example.org:81/x', fds=[theirs.fileno()])
        theirs.close()
        head, _ = read_head(ours)
        contains(head, 'GET /x HTTP/1.1\r\n')
        contains(head, 'Host: example.org:81\r\n')
        ours.sendall(good(head) + BEHIND)
        ours.close()
        drive.finish()
        expect((drive.result, drive.rest), (DONE, BEHIND))


@case('a descriptor that is given: 401 on it, but no other connection')
def given_again():
    for close in (False, True):
        ours, theirs = pair()
        drive = Drive('user=a:b', f'over={theirs.fileno()}', 'connect',
                      'ws://example.org/', fds=[theirs.fileno()])
        theirs.close()
        read_head(ours)
        ours.sendall(plain('401 x', b'', 'WWW-Authenticate: Basic realm="x"',
                           *(['Connection: close'] if close else [])))
        if not close:
            head, _ = read_head(ours)
            contains(head, 'Authorization: Basic ')
            ours.sendall(good(head))
        ours.close()
        drive.finish()
        expect(drive.result, EEOF if close else DONE, drive.error)
        ours, theirs = pair()
        drive = Drive('redirects_max=3', f'over={theirs.fileno()}', 'connect',
                      'ws://example.org/', fds=[theirs.fileno()])
        theirs.close()
        read_head(ours)
        ours.sendall(plain('302 x', b'', 'Location: /y'))
        ours.close()
        expect(drive.finish().result, -10011)


if __name__ == '__main__':
    main('loop')
