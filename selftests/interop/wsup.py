# SPDX-License-Identifier: GPL-2.0
"""libwsup from Python: sockets whose send and recv carry payload."""
import ctypes
import functools
import socket
import struct

SOL_WS = 22355
WS_TX_TYPE = 3
WS_RX_CTRL = 10
WS_PING_INTERVAL = 11
WS_CLOSE = 17
WS_CTRL_PONG = 4
WS_CLOSE_BY_LOCAL, WS_CLOSE_BY_PEER = 1, 2
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

FRAME_SIZE = 16     # struct ws_frame
CLOSE_SIZE = 128    # struct ws_close
CHUNK = 65536
TIMEOUT = 120       # s, ten times what the longest takes

_ALLOW_ORIGIN = 4   # WSUP_ALLOW_ORIGIN


@functools.cache
def _lib():
    """libwsup; only who connects needs it."""
    lib = ctypes.CDLL("build/tools/lib/libwsup.so")
    lib.wsup_strerror.restype = ctypes.c_char_p
    lib.wsup_config_new.restype = ctypes.c_void_p
    return lib


def _check(result):
    if result < 0:
        raise OSError(_lib().wsup_strerror(result).decode())
    return result


class Connection:
    """Messages on an attached socket, whole."""

    def __init__(self, sock):
        self.sock = sock
        self.messages, self.pongs, self.parts = [], [], []
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, limit,
                            struct.pack("ll", TIMEOUT, 0))

    def deliver_pongs(self):
        """From now on pong() works; to be called while nothing is unread."""
        self.sock.setsockopt(SOL_WS, WS_RX_CTRL, WS_CTRL_PONG)

    def send(self, data, opcode=None, flags=0):
        """Send a message, or with MSG_MORE a part of one."""
        control = [(SOL_WS, WS_TX_TYPE, struct.pack("i", opcode))] \
            if opcode else []
        sent = self.sock.sendmsg([data], control, flags)
        assert sent == len(data), f"{sent} of {len(data)} bytes sent"

    def _receive(self):
        data, control, flags, _ = self.sock.recvmsg(
            CHUNK, socket.CMSG_SPACE(FRAME_SIZE))
        end = flags & socket.MSG_EOR
        if not data and not end:
            raise EOFError("the connection ended")
        opcode = control[0][2][0]
        if opcode == PONG:
            self.pongs.append(data)
            return
        self.parts.append(data)
        if end:
            self.messages.append((opcode, b"".join(self.parts)))
            self.parts = []

    def message(self):
        """The next message: (opcode, bytes)."""
        while not self.messages:
            self._receive()
        return self.messages.pop(0)

    def pong(self):
        """The body of the next pong."""
        while not self.pongs:
            self._receive()
        return self.pongs.pop(0)

    def close(self, code, reason):
        """Say Close and wait for the peer's."""
        self.sock.setsockopt(SOL_WS, WS_CLOSE, struct.pack(
            "=HH", code, len(reason)) + reason.encode())
        self.sock.shutdown(socket.SHUT_WR)
        self.expect_end()

    def expect_end(self):
        """Wait for the end of the stream."""
        try:
            while True:
                self._receive()
        except EOFError:
            pass

    def closed(self):
        """How it ended: (code, reason, by whom)."""
        state = self.sock.getsockopt(SOL_WS, WS_CLOSE, CLOSE_SIZE)
        code, length = struct.unpack_from("=HH", state)
        return code, state[4:4 + length].decode(), state[-1]


def connect(url):
    """A connection to a server."""
    return Connection(socket.socket(
        fileno=_check(_lib().wsup_connect(url.encode(), None, None))))


class Listener:
    """Accepts connections, from pages of any origin too."""

    def __init__(self, port):
        self.listener = socket.create_server(("0.0.0.0", port))
        self.config = ctypes.c_void_p(_lib().wsup_config_new())
        _check(_lib().wsup_config_add(self.config, _ALLOW_ORIGIN, b"*"))

    def accept(self):
        """The next connection."""
        sock, _ = self.listener.accept()
        _check(_lib().wsup_accept(sock.fileno(), self.config, None))
        return Connection(sock)
