# SPDX-License-Identifier: GPL-2.0
"""Print as many free ports of the loopback address as asked for."""
import socket
import sys

sockets = [socket.create_server(("127.0.0.1", 0))
           for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))
