#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""An echo peer for testing the runner: correct, or broken on request.

    broken_echo.py server HOST PORT [BREAK]...
    broken_echo.py client HOST PORT [BREAK]...

Without a break it passes every case. Each break takes one rule out, and
test_runner.py knows which cases must notice. Shares no code with the runner.
"""

import base64
import hashlib
import os
import socket
import struct
import sys
import threading

BREAKS = {
    "rsv": "reserved bits are not looked at",
    "opcode": "reserved opcodes are ignored frames",
    "mask": "either side may mask or not",
    "minimal": "lengths need not be minimal",
    "top-bit": "a length may have its top bit set",
    "control-long": "control frames of any length",
    "control-fragment": "control frames without FIN",
    "lone": "a continuation may begin a message",
    "within": "a message may begin inside another",
    "late-header": "headers are judged with the whole frame",
    "utf8": "text is not checked",
    "utf8-late": "text is checked at the end of the message",
    "utf8-frame": "text is checked at the end of the frame",
    "utf8-surrogate": "surrogates pass",
    "utf8-overlong": "overlong forms of three bytes pass",
    "utf8-truncated": "a message may end inside a character",
    "utf8-state": "a control frame resets the check of text",
    "phase": "the mask's phase goes on from frame to frame",
    "phase-cut": "the mask begins anew with each segment",
    "type": "everything comes back binary",
    "fragments": "each frame comes back as a message",
    "empty": "empty messages are lost",
    "lose": "each hundredth message is lost",
    "twice": "each hundredth message comes twice",
    "shave": "frames of 2 MB and more lose their last byte",
    "no-pong": "pings are not answered",
    "pong-empty": "pongs are empty",
    "pong-twice": "two pongs for a ping",
    "pong-late": "pongs wait for the end of the message",
    "pong-unasked": "pongs are answered with pongs",
    "close-code": "any code is taken in a Close",
    "close-one": "a Close may have one byte",
    "close-reason": "the reason is not checked",
    "close-1000": "the answer to Close is always 1000",
    "close-no-answer": "TCP ends without an answer to Close",
    "close-serves-on": "frames behind Close are served",
    "close-stays": "TCP is never closed by us",
    "fail-1000": "failures send 1000",
    "fail-1002": "all failures send 1002",
    "fail-drop": "failures end TCP without Close",
    "fail-reason": "failures have a reason",
    "fail-goes-on": "after a failure it serves on",
    "fail-reset": "failures end in a reset",
    "preload": "bytes behind the handshake are lost",
    "unmasked": "the client does not mask",
    "key": "the client always uses the same key",
    "key-zero": "the client uses zero as its key",
    "accept": "a wrong Sec-WebSocket-Accept",
    "long-form": "replies have lengths of 64 bits",
    "hang-fin": "the end of TCP inside a frame is not noticed",
}

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Failed(Exception):
    """The peer broke the protocol; args: code, reason."""


class Gone(Exception):
    """TCP has ended."""


class Utf8:
    """One byte after the other."""

    def __init__(self, breaks):
        self.breaks = breaks
        self.left, self.low, self.high = 0, 0x80, 0xbf

    def check(self, data):
        """True while all is well."""
        return all(map(self._byte, data))

    def _byte(self, byte):
        if self.left:
            good = self.low <= byte <= self.high
            self.left -= 1
            self.low, self.high = 0x80, 0xbf
            return good
        if byte < 0x80:
            return True
        if 0xc2 <= byte <= 0xdf:
            self.left = 1
        elif 0xe0 <= byte <= 0xef:
            self.left = 2
        elif 0xf0 <= byte <= 0xf4:
            self.left = 3
        else:
            return False
        if byte == 0xe0 and "utf8-overlong" not in self.breaks:
            self.low = 0xa0
        elif byte == 0xed and "utf8-surrogate" not in self.breaks:
            self.high = 0x9f
        elif byte == 0xf0:
            self.low = 0x90
        elif byte == 0xf4:
            self.high = 0x8f
        return True


class Peer:
    """One connection."""

    def __init__(self, sock, client, breaks):
        self.sock, self.client, self.breaks = sock, client, breaks
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        self.op, self.message = None, bytearray()
        self.utf8 = None
        self.offset = self.count = 0
        self.pongs = []

    # bytes

    def byte(self):
        """One byte."""
        return self.exactly(1)[0]

    def some(self, most):
        """At least one byte, at most so many."""
        if not self.buf:
            self.buf = self.sock.recv(65536)
            if not self.buf:
                raise Gone()
        out, self.buf = self.buf[:most], self.buf[most:]
        return out

    def exactly(self, size):
        """So many bytes."""
        out = b""
        while len(out) < size:
            out += self.some(size - len(out))
        return out

    def frame(self, op, payload):
        """Send a frame."""
        n = len(payload)
        bit = 0x80 if self.client and "unmasked" not in self.breaks else 0
        head = bytes([0x80 | op])
        if n < 126 and "long-form" not in self.breaks:
            head += bytes([bit | n])
        elif n < 65536 and "long-form" not in self.breaks:
            head += struct.pack("!BH", bit | 126, n)
        else:
            head += struct.pack("!BQ", bit | 127, n)
        if bit:
            key = os.urandom(4)
            if "key" in self.breaks:
                key = b"same"
            if "key-zero" in self.breaks:
                key = bytes(4)
            head += key
            payload = mask(payload, key, 0)
        self.sock.sendall(head + payload)

    # rules

    def check_first(self, first):
        """The first byte."""
        op = first & 15
        if first & 0x70 and "rsv" not in self.breaks:
            raise Failed(1002, b"reserved bit")
        if op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            if "opcode" not in self.breaks:
                raise Failed(1002, b"opcode")
        if op >= 8:
            if not first & 0x80 and "control-fragment" not in self.breaks:
                raise Failed(1002, b"fragmented control frame")
        elif op and self.op is not None and "within" not in self.breaks:
            raise Failed(1002, b"message in message")
        elif not op and self.op is None and "lone" not in self.breaks:
            raise Failed(1002, b"continuation of nothing")

    def check_second(self, op, second):
        """The second byte."""
        if bool(second & 0x80) == self.client and "mask" not in self.breaks:
            raise Failed(1002, b"mask")
        if op >= 8 and second & 127 > 125 and \
                "control-long" not in self.breaks:
            raise Failed(1002, b"long control frame")

    def length(self, seven):
        """The whole length."""
        if seven < 126:
            return seven
        size = 2 if seven == 126 else 8
        n = int.from_bytes(self.exactly(size), "big")
        if n < (126 if size == 2 else 65536) and "minimal" not in self.breaks:
            raise Failed(1002, b"length not minimal")
        if n >> 63 and "top-bit" not in self.breaks:
            raise Failed(1002, b"top bit")
        return n

    def one_frame(self):
        """Read and serve a frame. False after Close."""
        if "late-header" in self.breaks:
            return self.late_frame()
        first = self.byte()
        self.check_first(first)
        second = self.byte()
        self.check_second(first & 15, second)
        n = self.length(second & 127)
        key = self.exactly(4) if second & 0x80 else bytes(4)
        return self.body(first, n, key)

    def late_frame(self):
        """The same, judged at the end of the frame."""
        first, second = self.byte(), self.byte()
        error = None
        try:
            self.check_first(first)
            self.check_second(first & 15, second)
            n = self.length(second & 127)
        except Failed as err:
            n, error = second & 127, err
        key = self.exactly(4) if second & 0x80 else bytes(4)
        if error:
            self.exactly(n)
            raise error
        return self.body(first, n, key)

    def body(self, first, n, key):
        """The payload of a frame whose header is known."""
        op = first & 15
        if op in (8, 9, 10):
            return self.control(op, mask(self.exactly(n), key, 0))
        if op > 2:
            self.exactly(n)
            return True
        if op and self.op is None or self.op is None:
            self.op, self.message = op or 2, bytearray()
            self.utf8 = Utf8(self.breaks) if op == 1 else None
        self.payload(n, key)
        if first & 0x80 or "fragments" in self.breaks:
            self.whole(first & 0x80)
        return True

    def payload(self, n, key):
        """Payload as it comes."""
        start = len(self.message)
        left = n
        if "phase" not in self.breaks:
            self.offset = 0
        while left:
            data = self.some(left)
            if "phase-cut" in self.breaks:
                self.offset = 0
            left -= len(data)
            data = mask(data, key, self.offset)
            self.offset = (self.offset + len(data)) % 4
            self.message += data
            if not {"utf8-late", "utf8-frame"} & self.breaks:
                self.check_text(data)
        if "utf8-frame" in self.breaks:
            self.check_text(self.message[start:])
        if n > 2000000 and "shave" in self.breaks:
            del self.message[-1:]

    def check_text(self, data):
        """Text so far."""
        if self.utf8 and "utf8" not in self.breaks and \
                not self.utf8.check(data):
            raise Failed(1007, b"not UTF-8")

    def whole(self, last):
        """A message is complete."""
        if "utf8-late" in self.breaks:
            self.check_text(self.message)
        if self.utf8 and self.utf8.left and last and \
                not {"utf8", "utf8-truncated"} & self.breaks:
            raise Failed(1007, b"truncated character")
        op, data = self.op, bytes(self.message)
        self.message = bytearray()
        if last:
            self.op = None
        self.count += 1
        if not data and "empty" in self.breaks:
            return
        if self.count % 100 or "lose" not in self.breaks:
            self.frame(2 if "type" in self.breaks else op, data)
        if not self.count % 100 and "twice" in self.breaks:
            self.frame(op, data)
        for data in self.pongs:
            self.frame(10, data)
        self.pongs = []

    def control(self, op, data):
        """A control frame. False after Close."""
        if "utf8-state" in self.breaks and self.utf8:
            self.utf8 = Utf8(self.breaks)
        if op == 8:
            self.close(data)
            return "close-serves-on" in self.breaks
        if op == 10 and "pong-unasked" not in self.breaks:
            return True
        if "pong-empty" in self.breaks:
            data = b""
        if "pong-late" in self.breaks and self.op is not None:
            self.pongs.append(data)
        elif "no-pong" not in self.breaks:
            self.frame(10, data)
            if "pong-twice" in self.breaks:
                self.frame(10, data)
        return True

    def close(self, data):
        """Their Close."""
        if len(data) == 1 and "close-one" not in self.breaks:
            raise Failed(1002, b"Close of one byte")
        code = int.from_bytes(data[:2], "big")
        if len(data) > 1 and "close-code" not in self.breaks and \
                not (1000 <= code <= 1003 or 1007 <= code <= 1014 or
                     3000 <= code <= 4999):
            raise Failed(1002, b"Close code")
        check = Utf8(set())
        if not (check.check(data[2:]) and not check.left) and \
                "close-reason" not in self.breaks:
            raise Failed(1007, b"Close reason")
        if "close-1000" in self.breaks:
            data = struct.pack("!H", 1000)
        if "close-no-answer" not in self.breaks:
            self.frame(8, data[:2] if len(data) > 1 else b"")

    # life

    def serve(self):
        """Until the end."""
        try:
            self.frames()
            self.end()
        except Gone:
            if "hang-fin" in self.breaks and (self.buf or self.count == 0):
                threading.Event().wait()
        except OSError:
            pass
        finally:
            self.sock.close()

    def frames(self):
        """All frames up to Close or a failure."""
        while True:
            try:
                if not self.one_frame():
                    return
            except Failed as err:
                self.failed(*err.args)
                if "fail-goes-on" not in self.breaks:
                    return

    def failed(self, code, reason):
        """Fail the connection."""
        if "fail-1000" in self.breaks:
            code = 1000
        if "fail-1002" in self.breaks:
            code = 1002
        if "fail-drop" in self.breaks:
            return
        if "fail-reason" not in self.breaks:
            reason = b""
        self.frame(8, struct.pack("!H", code) + reason)
        if "fail-reset" in self.breaks:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.sock.close()

    def end(self):
        """Both directions: the server first."""
        if "close-stays" in self.breaks:
            threading.Event().wait()
        if not self.client:
            self.sock.shutdown(socket.SHUT_WR)
        self.buf = b""
        while self.sock.recv(65536):
            pass

    def http(self):
        """The other side's head; what follows it stays in buf."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.sock.recv(65536)
            if not more:
                raise Gone()
            head += more
        head, self.buf = head.split(b"\r\n\r\n", 1)
        if "preload" in self.breaks:
            self.buf = b""
        return head


def mask(data, key, offset):
    """XOR with the key, which is in use since @offset bytes."""
    out = bytearray(data)
    for i in range(4):
        k = key[(i + offset) % 4]
        out[i::4] = out[i::4].translate(bytes(b ^ k for b in range(256)))
    return bytes(out)


def answer(peer):
    """Our half of the handshake as server."""
    for line in peer.http().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            if "accept" in peer.breaks:
                value = b"wrong"
            digest = hashlib.sha1(value.strip() + GUID).digest()
            peer.sock.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
                              b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                              + base64.b64encode(digest) + b"\r\n\r\n")


def serve_one(sock, breaks):
    """A connection to the server."""
    peer = Peer(sock, False, breaks)
    try:
        answer(peer)
    except (Gone, OSError):
        sock.close()
        return
    peer.serve()


def server(addr, breaks):
    """Serve for ever."""
    listener = socket.create_server(addr, backlog=64)
    while True:
        sock = listener.accept()[0]
        threading.Thread(target=serve_one, args=(sock, breaks),
                         daemon=True).start()


def client(addr, breaks):
    """Connect until refused or turned away."""
    while True:
        try:
            sock = socket.create_connection(addr)
            peer = Peer(sock, True, breaks)
            key = base64.b64encode(os.urandom(16))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                         b"Connection: Upgrade\r\nSec-WebSocket-Version: 13"
                         b"\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
            status = peer.http().split(b"\r\n")[0]
        except (OSError, Gone):
            return
        if b" 101 " not in status:
            return
        if "hang-fin" in breaks or "close-stays" in breaks:
            threading.Thread(target=peer.serve, daemon=True).start()
        else:
            peer.serve()


def main():
    """See the module's text."""
    role, host, port, *breaks = sys.argv[1:]
    unknown = set(breaks) - set(BREAKS)
    if unknown:
        sys.exit("broken_echo.py: no such break: %s" % " ".join(unknown))
    run = {"server": server, "client": client}[role]
    run((host, int(port)), frozenset(breaks))


if __name__ == "__main__":
    main()
