# SPDX-License-Identifier: GPL-2.0
"""websockets_client.py PORT CLOSING_PORT LARGE: README's script on
python3-websockets. Its asyncio side, because the other one does not receive
while it sends."""
import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def pattern(size):
    """The bytes of a long message; they repeat."""
    period = bytes(i * 31 >> 3 & 255 for i in range(2048))
    return (period * (size // 2048 + 1))[:size]


def dial(port):
    """A connection to the server."""
    return connect(f"ws://127.0.0.1:{port}/", compression=None, max_size=None,
                   max_queue=None, ping_interval=None, open_timeout=60,
                   close_timeout=60, proxy=None)


async def echo(ws, message, wanted=None):
    """Send a message; it must come back, of the same type."""
    await ws.send(message)
    answer = await ws.recv()
    assert answer == (message if wanted is None else wanted), "changed"


async def fragments(ws, pongs):
    """A message in three, with a ping in between."""
    yield "in "
    yield "three "
    pongs.append(await ws.ping("between"))
    yield "fragments"


async def fragmented(ws):
    """The ping is answered, the message comes back."""
    pongs = []
    await echo(ws, fragments(ws, pongs), "in three fragments")
    await pongs[0]


async def pings(ws):
    """Pings of all lengths; the library compares the pongs."""
    for data in ("", "ping", "p" * 125):
        await (await ws.ping(data))
    await echo(ws, "after the pings")


async def main():
    """Print what was done, as it is done."""
    port, closing_port, large = map(int, sys.argv[1:])
    ws = await dial(port)
    await echo(ws, "grüße, мир, 世界, 🌍")
    print("text", flush=True)
    await echo(ws, pattern(70000))
    print("binary", flush=True)
    await echo(ws, "")
    await echo(ws, b"")
    print("empty", flush=True)
    await echo(ws, pattern(large))
    print("large", flush=True)
    await fragmented(ws)
    print("fragmented", flush=True)
    await pings(ws)
    print("pings", flush=True)
    await ws.close(4001, "bye")
    assert ws.close_code == 4001, ws.close_code
    print("close", flush=True)

    ws = await dial(closing_port)
    await ws.send("close 4003 no more")
    try:
        await ws.recv()
    except ConnectionClosed as closed:
        got = closed.rcvd
    assert (got.code, got.reason) == (4003, "no more"), got
    print("closed", flush=True)


asyncio.run(main())
