#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write the seed corpora of the fuzz targets: seeds.py DIRECTORY

One directory a target, one file a seed. Inputs begin with the bytes that the
target takes for itself; see its first comment.
"""

import os
import sys

FIN, RSV1 = 0x80, 0x40
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = bytes.fromhex("37fa213d")

# Options of the stream target.
SERVER, NO_UTF8, SMALL_FRAMES, SMALL_MESSAGES = 1, 2, 4, 8
FEW_FRAGMENTS, WITH_EXT = 16, 32


def header(b0, length, key, ext=None):
    """A frame header; ext forces the bytes of length that follow."""
    if ext is None:
        ext = 0 if length < 126 else 2 if length < 65536 else 8
    b1 = {0: length, 2: 126, 8: 127}[ext] | (0x80 if key else 0)
    return bytes((b0, b1 & 0xff)) + length.to_bytes(8, "big")[8 - ext:] + key


def frame(b0, payload, server, ext=None):
    """A frame as the peer of a server or of a client sends it."""
    key = KEY if server else b""
    if server:
        payload = bytes(c ^ key[i % 4] for i, c in enumerate(payload))
    return header(b0, len(payload), key, ext) + payload


STREAMS = [
    (0, [(FIN | TEXT, b"Hello")]),
    (0, [(TEXT, b"Hel"), (FIN | PING, b"?"), (FIN | CONT, b"lo")]),
    (0, [(FIN | BINARY, bytes(range(126)))]),
    (0, [(FIN | BINARY, bytes(300)), (FIN | TEXT, b"")]),
    (0, [(FIN | TEXT, "\u043c\u0438\u0440 \u20ac \U0001f600".encode())]),
    (0, [(TEXT, b"\xe2\x82"), (FIN | CONT, b"\xac")]),
    (0, [(FIN | TEXT, b"\xed\xa0\x80")]),
    (0, [(TEXT, b"\xf4"), (FIN | CONT, b"\x90")]),
    (0, [(TEXT, b"cut \xe2"), (FIN | CONT, b"")]),
    (0, [(FIN | CLOSE, b"\x03\xe8bye"), (FIN | TEXT, b"late")]),
    (0, [(FIN | CLOSE, b"")]),
    (0, [(FIN | CLOSE, b"\x03")]),
    (0, [(FIN | CLOSE, b"\x03\xed")]),
    (0, [(FIN | CLOSE, b"\x03\xe8\xff")]),
    (0, [(FIN | PING, bytes(125)), (FIN | PONG, b"")]),
    (0, [(FIN | CONT, b"nothing open")]),
    (0, [(TEXT, b"a"), (FIN | TEXT, b"b")]),
    (0, [(FIN | RSV1 | TEXT, b"bit")]),
    (0, [(FIN | 3, b"reserved")]),
    (0, [(PING, b"part")]),
    (SMALL_FRAMES, [(FIN | TEXT, b"x" * 41)]),
    (SMALL_MESSAGES, [(TEXT, b"x" * 100), (FIN | CONT, b"x" * 31)]),
    (FEW_FRAGMENTS, [(TEXT, b""), (CONT, b""), (CONT, b""), (CONT, b"")]),
    (WITH_EXT, [(RSV1 | TEXT, b"\xff"), (FIN | CONT, b"\xff")]),
    (WITH_EXT, [(3, b"a"), (FIN | 11, b"b"), (FIN | CONT, b"c")]),
    (NO_UTF8, [(FIN | TEXT, b"\xff\xfe")]),
    # base64 text in two frames: as it must be, and with the second frame
    # wrongly begun as a message of its own, which is 1002
    (0, [(TEXT, b"SG"), (FIN | CONT, b"VsbG8=")]),
    (0, [(TEXT, b"SG"), (FIN | TEXT, b"VsbG8=")]),
]

RAW_STREAMS = [
    # "SGVsbG8=" masked, and the same without the mask bit: 1002
    bytes.fromhex("818812345678 4173000b70736e45"),
    bytes.fromhex("811812345678 4173000b70736e45"),
    bytes.fromhex("82fe0104c9d6dd29dfd5de2936d7") + bytes(254),
    bytes.fromhex("81fe0158bd942a31fbf36775fcc4") + bytes(338),
    # lengths: not the shortest, with the top bit, as long as can be
    header(FIN | TEXT, 5, b"", 2) + b"Hello",
    header(FIN | TEXT, 5, b"", 8) + b"Hello",
    header(FIN | BINARY, 1 << 63, KEY, 8),
    header(FIN | BINARY, (1 << 63) - 1, KEY, 8),
    header(FIN | PING, 126, KEY) + bytes(126),
]


def stream_seeds():
    """Each stream in both roles, with two ways of cutting it."""
    for options, frames in STREAMS:
        for role in (0, SERVER):
            stream = b"".join(frame(b0, p, role) for b0, p in frames)
            for cuts in (0, 0xa5):
                yield bytes((options | role, cuts)) + stream
    for stream in RAW_STREAMS:
        for role in (0, SERVER):
            yield bytes((role, 0xa5)) + stream


def frame_seeds():
    """Headers alone: every length class, masked or not."""
    for length in (0, 125, 126, 65535, 65536, (1 << 63) - 1, 1 << 63):
        for key in (b"", KEY):
            for b0 in (FIN | TEXT, CONT, FIN | PING):
                yield header(b0, length, key)
    for stream in RAW_STREAMS:
        yield stream[:14]


def mask_seeds():
    """Key, alignment and turn, cuts, payload."""
    for length in (0, 1, 3, 7, 8, 31, 32, 33, 64, 300):
        for place in (0x00, 0x13, 0x3f):
            yield KEY + bytes((place, 0xa5)) + bytes(length)


def utf8_seeds():
    """Cuts, text."""
    texts = [
        b"plain ascii that is longer than a block of sixteen",
        "\u0441\u044a\u0435\u0448\u044c \u20ac5 \U0001f600".encode(),
        b"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xc2\x80\xe0\xa0\x80",
        b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80", b"\xf5", b"ok \xe2\x82", b"\x80", b"\xc3(",
    ]
    for text in texts:
        for cuts in (0, 1, 0xa5):
            yield bytes((cuts,)) + text
        yield b"\xa5" + b"a" * 15 + text + b"b" * 16


TARGETS = {
    "stream": stream_seeds,
    "frame": frame_seeds,
    "mask": mask_seeds,
    "utf8": utf8_seeds,
}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: seeds.py DIRECTORY")
    for target, seeds in TARGETS.items():
        directory = os.path.join(sys.argv[1], target)
        os.makedirs(directory, exist_ok=True)
        for i, seed in enumerate(seeds()):
            with open(os.path.join(directory, f"{i:03}"), "wb") as f:
                f.write(seed)


if __name__ == "__main__":
    main()
