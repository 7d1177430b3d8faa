# SPDX-License-Identifier: GPL-2.0
"""Large messages: whole, in frames, in writes; bad at their end."""

import random

from ..suite import add, case
from ..wire import binary, close, cont, ping, text

K, M = 1024, 1024 * 1024
MAKE = {"text": text, "binary": binary}


def noise(size, seed=1):
    """Bytes that differ everywhere, so that a shift cannot hide."""
    return random.Random(seed).randbytes(size)


def letters(size):
    """ASCII with a period of 9973 bytes."""
    line = bytes(33 + i * i % 94 for i in range(9973))
    return (line * (size // len(line) + 1))[:size]


DATA = {"text": letters, "binary": noise}


def whole(name, size):
    """One frame."""
    def run(t):
        t.echo(MAKE[name](DATA[name](size)))
        t.bye()
    return run


def frames_of(frame, size):
    """The message of a frame, in frames of one size."""
    data = frame.payload
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    out = [frame.__class__(frame.op, parts[0], fin=len(parts) == 1)]
    for i, part in enumerate(parts[1:], 2):
        out.append(cont(part, fin=i == len(parts)))
    return out


def in_frames(name, total, size, pings=False):
    """One message in many frames, perhaps with a ping before each."""
    def run(t):
        for i, frame in enumerate(frames_of(MAKE[name](DATA[name](total)),
                                            size)):
            t.send(*([ping(b"%d" % i)] if pings else []), frame)
        t.bye()
    return run


def in_writes(name, total, size):
    """One frame in writes of one size."""
    def run(t):
        t.echo(MAKE[name](DATA[name](total)), cut=size)
        t.bye()
    return run


def fill():
    """Sizes, and ways to cut."""
    for name in MAKE:
        for size in (256 * K, M, 4 * M, 16 * M):
            add("large", "%s-%dk" % (name, size // K), whole(name, size),
                sized=size != M, need=size)
        for size in (1000, 16 * K):
            add("large", "%s-1m-in-frames-of-%d" % (name, size),
                in_frames(name, M, size), sized=size != 1000, need=M)
        add("large", "%s-1m-in-writes-of-1400" % name,
            in_writes(name, M, 1400), need=M)
        add("large", "%s-256k-in-frames-and-pings" % name,
            in_frames(name, 256 * K, 4000, pings=True), need=256 * K)


fill()

SCRIPTS = {"two-byte": "\u0444\u044b\u0432", "three-byte": "\u6c34\u706b\u98a8",
           "four-byte": "\U0001f600\U0001f9ea",
           "mixed": "a\u00a2\u20ac\U00010348z"}


def characters(string):
    """About 512 KiB of text; then the same in frames that cut characters."""
    def run(t):
        data = string * (512 * K // len(string.encode()))
        t.echo(text(data))
        for frame in frames_of(text(data), 4093):
            t.send(frame)
        t.bye()
    return run


for script, characters_of in SCRIPTS.items():
    add("large", "text-512k-%s" % script, characters(characters_of),
        need=512 * K)


@case("large", "bad-byte-at-1m", need=M + 8)
def bad_at_1m(t):
    """The last byte but three of 1 MiB of text is bad."""
    frame = text(letters(M) + b"\xf5end")
    t.bad(frame, good=M, upto=-3, payload=True)
    t.fails(1007)


@case("large", "truncated-at-1m", need=M + 8)
def truncated_at_1m(t):
    """1 MiB of text that ends inside a character."""
    frame = text(letters(M) + b"\xe2\x82")
    t.bad(frame, good=M + 2)
    t.fails(1007)


@case("large", "bad-header-behind-1m", need=M)
def bad_header_behind(t):
    """A good large message, then a bad header."""
    t.echo(binary(noise(M)))
    t.bad(text("x", rsv=0x40), upto=1)
    t.fails(1002)


@case("large", "close-behind-1m", need=M)
def close_behind(t):
    """A Close right behind it: the echo comes whole, then Close."""
    t.send(binary(noise(M)), close(1000))
    t.settle()
    t.closes(1000)


@case("large", "ping-behind-1m", need=M)
def ping_behind(t):
    """A ping right behind it."""
    t.echo(binary(noise(M)), ping(b"behind"))
    t.bye()


@case("large", "small-ones-around", need=M)
def small_around(t):
    """Small messages before and behind, without waiting."""
    t.echo(text("small"), binary(noise(M)), text("small"), text(letters(M)),
           binary(b""))
    t.bye()


@case("large", "writes-at-random", need=M)
def random_writes(t):
    """1 MiB in writes of 1 to 5000 bytes."""
    rng = random.Random(9)
    t.echo(binary(noise(M)),
           cut=(rng.randint(1, 5000) for _ in iter(int, 1)))
    t.bye()


@case("large", "frames-and-writes-at-random", need=M)
def random_both(t):
    """1 MiB in frames of 0 to 20 000 bytes, in writes that end anywhere."""
    rng = random.Random(10)
    data, frames = noise(M), []
    while data:
        size = rng.randint(0, 20000)
        frames.append(binary(data[:size], fin=False) if not frames
                      else cont(data[:size], fin=False))
        data = data[size:]
    t.echo(*frames, cont(b""),
           cut=(rng.randint(1, 9000) for _ in iter(int, 1)))
    t.bye()


@case("large", "key-of-zero", need=M, client=False)
def zero_key(t):
    """Masked with zeros: the payload in clear."""
    t.echo(binary(noise(M), key=bytes(4)))
    t.bye()
