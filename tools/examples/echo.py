#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A WebSocket echo server: after wsup_accept() there is only recv and send."""
import ctypes
import socket
import sys
import threading

wsup = ctypes.CDLL('libwsup.so.0')
wsup.wsup_strerror.restype = ctypes.c_char_p


def serve(connection):
    with connection:
        error = wsup.wsup_accept(connection.fileno(), None, None)
        if error:
            print(wsup.wsup_strerror(error).decode(), file=sys.stderr)
        while not error and (data := connection.recv(65536)):
            connection.sendall(data)


listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
