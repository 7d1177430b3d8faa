# SPDX-License-Identifier: GPL-2.0
"""Frames of RFC 6455 section 5.2: what the runner writes, what it reads.

Written for this suite alone, so that a mistake in the code under test cannot
hide behind the same mistake here. The writing half can produce everything
that the RFC forbids; the reading half accepts nothing that it forbids.
"""

import os
import struct

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
CONTROL = 8                             # this bit marks a control opcode
NAMES = {CONT: "continuation", TEXT: "text", BINARY: "binary",
         CLOSE: "Close", PING: "ping", PONG: "pong"}

RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10


class Violation(Exception):
    """The peer wrote what RFC 6455 forbids."""


def xor(data, key):
    """Mask or unmask: section 5.3, octet i with octet i mod 4 of the key."""
    n = len(data)
    pad = (key * (n // 4 + 1))[:n]
    both = int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")
    return both.to_bytes(n, "little")


def length_field(n, form=None):
    """Return (the seven bits, the extended length's bytes).

    @form: None for the shortest encoding, else 7, 16 or 64 bits
    """
    if form is None:
        form = 7 if n < 126 else 16 if n < 65536 else 64
    if form == 7:
        return n, b""
    if form == 16:
        return 126, struct.pack("!H", n)
    return 127, struct.pack("!Q", n)


class Frame:
    """One frame, good or bad, as the runner will write it.

    @masked: None: by role, as the RFC wants it
    @form: see length_field()
    @declare: the length that the header claims; None: the real one
    """

    def __init__(self, op, payload=b"", fin=True, rsv=0, key=None,
                 masked=None, form=None, declare=None):
        self.op, self.payload, self.fin = op, bytes(payload), fin
        self.rsv, self.key, self.masked = rsv, key, masked
        self.form, self.declare = form, declare

    def header_and_body(self, client):
        """The two halves of the frame on the wire."""
        masked = client if self.masked is None else self.masked
        n = len(self.payload) if self.declare is None else self.declare
        seven, extended = length_field(n, self.form)
        head = bytes([(0x80 if self.fin else 0) | self.rsv | self.op,
                      (0x80 if masked else 0) | seven]) + extended
        if not masked:
            return head, self.payload
        key = os.urandom(4) if self.key is None else self.key
        return head + key, xor(self.payload, key)


def text(payload=b"", **kw):
    """A text frame; str is encoded."""
    if isinstance(payload, str):
        payload = payload.encode()
    return Frame(TEXT, payload, **kw)


def binary(payload=b"", **kw):
    """A binary frame."""
    return Frame(BINARY, payload, **kw)


def cont(payload=b"", **kw):
    """A continuation frame, the last one unless fin=False."""
    if isinstance(payload, str):
        payload = payload.encode()
    return Frame(CONT, payload, **kw)


def ping(payload=b"", **kw):
    """A ping."""
    return Frame(PING, payload, **kw)


def pong(payload=b"", **kw):
    """A pong."""
    return Frame(PONG, payload, **kw)


def close(code=None, reason=b"", **kw):
    """A Close with a code and a reason, or with an empty body."""
    if isinstance(reason, str):
        reason = reason.encode()
    head = b"" if code is None else struct.pack("!H", code)
    return Frame(CLOSE, head + reason, **kw)


class Reader:
    """Takes the peer's bytes in any cut, gives its frames, strictly.

    @masked: the peer is a client, so its frames must be masked
    """

    def __init__(self, masked):
        self.masked = masked
        self.buf = bytearray()
        self.open = False               # inside a fragmented message

    def feed(self, data):
        """Append bytes; return a list of (op, fin, payload, key)."""
        self.buf += data
        frames = []
        while True:
            frame = self._next()
            if frame is None:
                return frames
            frames.append(frame)

    def _next(self):
        size = self._header_size()
        if size is None:
            return None
        start, length = size
        if len(self.buf) < start + length:
            return None
        key = bytes(self.buf[start - 4:start]) if self.masked else None
        payload = bytes(self.buf[start:start + length])
        if self.masked:
            payload = xor(payload, key)
        op, fin = self.buf[0] & 15, bool(self.buf[0] & 0x80)
        del self.buf[:start + length]
        self._sequence(op, fin)
        return op, fin, payload, key

    def _header_size(self):
        """(bytes of header, bytes of payload), None if bytes are missing."""
        if len(self.buf) < 2:
            return None
        first, second = self.buf[0], self.buf[1]
        self._check_first(first)
        if bool(second & 0x80) != self.masked:
            raise Violation("frame %s masked" %
                            ("not" if self.masked else "is"))
        seven = second & 127
        extra = {126: 2, 127: 8}.get(seven, 0)
        start = 2 + extra + (4 if self.masked else 0)
        if len(self.buf) < start:
            return None
        length = seven
        if extra:
            length = int.from_bytes(self.buf[2:2 + extra], "big")
        self._check_length(first & 15, length, extra)
        return start, length

    @staticmethod
    def _check_first(first):
        if first & 0x70:
            raise Violation("reserved bit set, first byte %02x" % first)
        if first & 15 not in NAMES:
            raise Violation("reserved opcode, first byte %02x" % first)
        if first & CONTROL and not first & 0x80:
            raise Violation("fragmented control frame")

    @staticmethod
    def _check_length(op, length, extra):
        if extra == 2 and length < 126 or extra == 8 and length < 65536:
            raise Violation("length %d not in its shortest form" % length)
        if length >> 63:
            raise Violation("length with its top bit set")
        if op & CONTROL and length > 125:
            raise Violation("control frame of %d bytes" % length)

    def _sequence(self, op, fin):
        if op & CONTROL:
            return
        if self.open != (op == CONT):
            raise Violation("%s frame %s a message" %
                            (NAMES[op], "inside" if self.open else "outside"))
        self.open = not fin
