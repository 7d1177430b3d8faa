# SPDX-License-Identifier: GPL-2.0
"""A server on the module, a plain program.

It sends back what it gets, each message when it has all of it, until one says
"close CODE REASON". Then it pings, waits for the pongs, and closes like that.
"""
import traceback

import wsup

PINGS = (b"", b"ping", b"p" * 125)


def close(ws, order):
    """Ping, then close as told."""
    _, code, reason = order.decode().split(" ", 2)
    ws.deliver_pongs()
    for data in PINGS:
        ws.send(data, wsup.PING)
        assert ws.pong() == data, "wrong pong"
    ws.close(int(code), reason)


def talk(ws):
    """One connection, to its end."""
    try:
        while True:
            opcode, data = ws.message()
            if data.startswith(b"close "):
                close(ws, data)
                return
            ws.send(data, opcode)
    except EOFError:
        pass


def one(listener):
    """The next connection. Return: how it ended."""
    ws = listener.accept()
    talk(ws)
    return ws.closed()


def serve(listener, ended):
    """Forever. How connections ended is appended to the list."""
    while True:
        try:
            ended.append(one(listener))
        except (AssertionError, OSError):   # the client has failed, too
            traceback.print_exc()
