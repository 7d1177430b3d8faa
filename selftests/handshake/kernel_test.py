# SPDX-License-Identifier: GPL-2.0
"""From the handshake to the kernel's frames, in a guest with the module."""
import socket
import struct

from client_test import accept, good, listen
from frames import BINARY, CLOSE, TEXT, Peer, Wsup, frame
from peer import (DONE, LIMIT, Drive, case, contains, expect, main, pair,
                  read_head)
from server_test import request

WAYS = ('step=0', 'loop=poll', 'loop=epoll', 'loop=uring', 'call=1')
CLOSING = struct.pack('>H', 1000)


def frames(masked):
    """Two messages and a Close, and what is read of them."""
    return (frame(TEXT, b'hello, ', masked=masked) +
            frame(BINARY, b'early', masked=masked) +
            frame(CLOSE, CLOSING, masked=masked)), b'hello, early'


def cut(sock, data, place):
    for part in (data[:place], data[place:]):
        if part:
            sock.sendall(part)


def is_closed(sock, client, rest=b''):
    """The kernel's answer to the Close, and nothing else."""
    peer = Peer(sock, client)
    peer.rest = rest
    expect(peer.frame(), (CLOSE, True, CLOSING))
    # RFC 6455 section 7.1.1: it is the server that closes TCP
    if client:
        peer.end()
    else:
        sock.close()


@case('a server with frames right behind the request, cut anywhere')
def accepting():
    behind, payload = frames(True)
    data = request() + behind
    for place in range(len(data)):
        ours, theirs = pair()
        drive = Drive('attach=1', WAYS[place % len(WAYS)], 'accept',
                      theirs.fileno(), fds=[theirs.fileno()])
        theirs.close()
        cut(ours, data, place)
        head, rest = read_head(ours)
        contains(head, ' 101 ')
        is_closed(ours, True, rest)
        drive.finish()
        expect((drive.result, drive.rest), (DONE, payload), place)


@case('a client with frames right behind the 101, cut anywhere')
def connecting():
    behind, payload = frames(False)
    listener, port = listen()
    place, length = 0, 1
    while place < length:
        drive = Drive('attach=1', WAYS[place % len(WAYS)], 'connect',
                      f'ws://127.0.0.1:{port}/')
        connection = accept(listener)
        head, rest = read_head(connection)
        expect(rest, b'')
        data = good(head) + behind
        length = len(data)
        cut(connection, data, place)
        is_closed(connection, False)
        drive.finish()
        expect((drive.result, drive.rest), (DONE, payload), place)
        place += 1


@case('wsup serve, whose loop is an io_uring: the same')
def serving():
    data = request(Host='127.0.0.1') + frame(TEXT, b'hello') + \
        frame(BINARY, b'')
    with Wsup('serve', '--echo', '127.0.0.1:0') as server:
        for place in range(len(data)):
            sock = socket.create_connection(('127.0.0.1', server.port), LIMIT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            cut(sock, data, place)
            head, rest = read_head(sock)
            contains(head, ' 101 ')
            peer = Peer(sock)
            peer.rest = rest
            expect(peer.message(), (TEXT, b'hello'), place)
            expect(peer.message(), (BINARY, b''), place)
            expect(peer.close(), 1000)
            peer.end()


if __name__ == '__main__':
    main('kernel')
