# SPDX-License-Identifier: GPL-2.0
"""loopback.py PORT: the module on both sides of a connection, for a capture.

The client of answer.py. decode.py knows what it says.
"""
import socket
import sys

import wsup
from answer import PINGS
from wsup import BINARY, PING, TEXT

MESSAGES = [(TEXT, "grüße, мир, 世界, 🌍".encode()), (TEXT, b""),
            (BINARY, b""), (BINARY, bytes(range(256)) * 274),
            (BINARY, bytes(range(255, -1, -1)) * 800)]
FRAGMENTS = [b"in ", b"three ", b"fragments"]
CLOSE = (4001, "bye")
ORDER = (4003, "no more")
ORDERED = b"close 4003 no more"


def talk(ws):
    """All that comes back, and then Close."""
    ws.deliver_pongs()
    for opcode, data in MESSAGES:
        ws.send(data, opcode)
        assert ws.message() == (opcode, data), "a message came back changed"
    ws.send(FRAGMENTS[0], TEXT, socket.MSG_MORE)
    for data in PINGS:
        ws.send(data, PING)
        assert ws.pong() == data, "wrong pong"
    ws.send(FRAGMENTS[1], flags=socket.MSG_MORE)
    ws.send(FRAGMENTS[2])
    assert ws.message() == (TEXT, b"".join(FRAGMENTS)), "changed"
    ws.close(*CLOSE)


def main():
    """Nothing is printed unless something is wrong."""
    url = f"ws://127.0.0.1:{sys.argv[1]}/"
    talk(wsup.connect(url))
    ws = wsup.connect(url)
    ws.send(ORDERED, TEXT)
    ws.expect_end()
    assert ws.closed() == (*ORDER, wsup.WS_CLOSE_BY_PEER), ws.closed()


if __name__ == "__main__":
    main()
