# SPDX-License-Identifier: GPL-2.0
"""answer.py PORT: a server on the module.

It sends back what it gets, each message when it has all of it, until one says
"close CODE REASON". Then it pings, waits for the pongs, and closes like that.
"""
import sys
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
    """One connection."""
    while True:
        opcode, data = ws.message()
        if data.startswith(b"close "):
            close(ws, data)
            return
        ws.send(data, opcode)


def main():
    """Until killed."""
    listener = wsup.Listener(int(sys.argv[1]))
    print("listening on", sys.argv[1], flush=True)
    while True:
        try:
            talk(listener.accept())
        except EOFError:                    # the client has closed
            pass
        except (AssertionError, OSError):   # and here it has failed
            traceback.print_exc()


if __name__ == "__main__":
    main()
