#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""websockets_server.py HOST PORT: echo server on python3-websockets."""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def echo(connection):
    """One connection."""
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass


async def main():
    """For ever."""
    async with serve(echo, sys.argv[1], int(sys.argv[2]), max_size=None,
                     ping_interval=None, compression=None) as server:
        await server.serve_forever()

asyncio.run(main())
