#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""websockets_client.py HOST PORT: echo client on python3-websockets, which
connects until it is turned away."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake


async def main():
    """One connection after the other."""
    url = "ws://%s:%s/" % (sys.argv[1], sys.argv[2])
    while True:
        try:
            async with connect(url, max_size=None, ping_interval=None,
                               compression=None, proxy=None) as connection:
                async for message in connection:
                    await connection.send(message)
        except ConnectionClosed:
            pass
        except (InvalidHandshake, OSError):
            return

asyncio.run(main())
