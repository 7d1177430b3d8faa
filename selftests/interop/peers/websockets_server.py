# SPDX-License-Identifier: GPL-2.0
"""websockets_server.py: README's server on python3-websockets."""
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

TIMEOUT = 600


def fragments(ws):
    """A message in three, with a ping in between."""
    yield "one "
    yield "two "
    ws.ping("between")
    yield "three"


def command(ws, text):
    """Echo a message, or do what it says."""
    if text == "fragments":
        ws.send(fragments(ws))
    elif text == "pings":
        for data in ("", "ping", "p" * 125):
            assert ws.ping(data).wait(TIMEOUT), "no pong"
        ws.send("3 pongs")
    elif text.startswith("close "):
        _, code, reason = text.split(" ", 2)
        ws.close(int(code), reason)
    else:
        ws.send(text)


def talk(ws):
    """One connection."""
    try:
        while True:
            message = ws.recv()
            if isinstance(message, bytes):
                ws.send(message)
            else:
                command(ws, message)
    except ConnectionClosed as closed:
        got = closed.rcvd
    if got:
        print("closed", got.code, got.reason, flush=True)
    else:
        print("closed 1006 ", flush=True)


def main():
    """Until killed."""
    with serve(talk, "127.0.0.1", 0, compression=None, max_size=None,
               ping_interval=None, open_timeout=None,
               close_timeout=60) as server:
        print("listening on", server.socket.getsockname()[1], flush=True)
        server.serve_forever()


main()
