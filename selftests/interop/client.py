# SPDX-License-Identifier: GPL-2.0
"""client.py ADDRESS PORT LARGE: the module as client of a peer's server."""
import socket
import sys

import wsup
from wsup import BINARY, PING, TEXT

PERIOD = bytes(i * 31 >> 3 & 255 for i in range(2048))


def pattern(size):
    """The bytes of a long message."""
    return (PERIOD * (size // len(PERIOD) + 1))[:size]


def expect(ws, data, opcode):
    """This message comes next."""
    assert ws.message() == (opcode, data), "a message came back changed"


def echo(ws, data, opcode):
    """Send a message; it must come back, of the same type."""
    ws.send(data, opcode)
    expect(ws, data, opcode)


def fragmented(ws):
    """In both directions, with a ping in between."""
    ws.send(b"in ", TEXT, socket.MSG_MORE)
    ws.send(b"three ", flags=socket.MSG_MORE)
    ws.send(b"between", PING)
    ws.send(b"fragments")
    expect(ws, b"in three fragments", TEXT)
    assert ws.pong() == b"between", "wrong pong"
    ws.send(b"fragments", TEXT)
    expect(ws, b"one two three", TEXT)


def pings(ws):
    """Of the peer's, of ours, and the kernel's own."""
    ws.send(b"pings", TEXT)
    expect(ws, b"3 pongs", TEXT)
    for data in (b"", b"ping", b"p" * 125):
        ws.send(data, PING)
        assert ws.pong() == data, "wrong pong"
    ws.sock.setsockopt(wsup.SOL_WS, wsup.WS_PING_INTERVAL, 200)
    ws.pong()
    ws.pong()
    ws.sock.setsockopt(wsup.SOL_WS, wsup.WS_PING_INTERVAL, 0)
    echo(ws, b"after the pings", TEXT)


def main():
    """Print what was done, as it is done."""
    address, port, large = sys.argv[1:]
    url = f"ws://{address}:{port}/"

    ws = wsup.connect(url)
    ws.deliver_pongs()
    echo(ws, "grüße, мир, 世界, 🌍".encode(), TEXT)
    print("text", flush=True)
    echo(ws, pattern(70000), BINARY)
    print("binary", flush=True)
    echo(ws, b"", TEXT)
    echo(ws, b"", BINARY)
    print("empty", flush=True)
    echo(ws, pattern(int(large)), BINARY)
    print("large", flush=True)
    fragmented(ws)
    print("fragmented", flush=True)
    pings(ws)
    print("pings", flush=True)
    ws.close(4001, "bye")
    code, _, by = ws.closed()
    assert (code, by) == (4001, wsup.WS_CLOSE_BY_LOCAL), ws.closed()
    print("close", flush=True)

    ws = wsup.connect(url)
    ws.send(b"close 4003 no more", TEXT)
    ws.expect_end()
    assert ws.closed() == (4003, "no more", wsup.WS_CLOSE_BY_PEER), \
        ws.closed()
    print("closed", flush=True)


main()
