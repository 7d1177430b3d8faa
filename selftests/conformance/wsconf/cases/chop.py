# SPDX-License-Identifier: GPL-2.0
"""Any split of the stream gives the same result."""

import random

from ..suite import add, case
from ..wire import Frame, binary, close, cont, ping, pong, text

SEEDS = range(1, 9)


def sample(t):
    """A stream with a bit of everything."""
    return [text("Grüße"), binary(bytes(range(256)) * 2), ping(b"one"),
            text("", fin=False), cont("κόσμε", fin=False), ping(b""),
            cont(" end"), pong(b"unasked"), binary(b""), text("x" * 126),
            binary(b"y" * 700, fin=False), ping(b"p" * 125),
            cont(b"z" * 1500), ping(b"last")]


def in_pieces(size):
    """The sample in writes of one size."""
    def run(t):
        t.echo(*sample(t), cut=size)
        t.bye()
    return run


def at_random(seed, longest):
    """The sample and a Close in writes of 1 to @longest bytes."""
    def run(t):
        rng = random.Random(seed)
        frames = sample(t) * 3
        rng.shuffle(frames)
        frames = [Frame(f.op or 2, f.payload) for f in frames]
        cuts = (rng.randint(1, longest) for _ in iter(int, 1))
        t.echo(*frames, cut=cuts)
        t.bye()
    return run


def header_cut(frame, at):
    """A frame cut in two at one place of its header."""
    def run(t):
        t.echo(frame, cut=[at])
        t.echo(text("next"))
        t.bye()
    return run


def fill():
    """Sizes, seeds, headers of each form cut at each place."""
    for size in (1, 2, 3, 5, 64, 1000):
        add("chop", "sample-by-%d" % size, in_pieces(size),
            sized=size not in (1, 64), smoke=size == 1)
    for seed in SEEDS:
        add("chop", "sample-random-%d" % seed,
            at_random(seed, 10 if seed % 2 else 200), smoke=seed == 1)
    for name, n, head in (("7-bit", 5, 2), ("16-bit", 200, 4),
                          ("64-bit", 66000, 10)):
        for at in range(1, head + 1):
            add("chop", "%s-header-at-%d" % (name, at),
                header_cut(binary(b"n" * n), at), need=n,
                sized=at not in (1, 2, head), smoke=at == 3)
        add("chop", "%s-header-in-key" % name,
            header_cut(binary(b"n" * n), head + 2), need=n, client=False)


fill()


@case("chop", "everything-in-one-write")
def one_write(t):
    """The sample and the Close in one segment."""
    t.send(*sample(t), close(1000))
    t.until(lambda: t.closed, "Close")
    t.pings.clear()
    t.settle()
    t.closes(1000)


@case("chop", "one-write-for-each-frame")
def write_per_frame(t):
    """The usual cut."""
    for frame in sample(t):
        t.send(frame)
    t.bye()


@case("chop", "header-and-payload-apart")
def apart(t):
    """A write for each header, one for each payload."""
    for frame in sample(t):
        data = t.ready(frame)
        t.write(data, cut=[len(data) - len(frame.payload)])
    t.bye()


@case("chop", "end-with-next-header")
def end_with_next(t):
    """The last byte of a payload travels with the next header."""
    frames = sample(t)
    sizes = [len(t.wire(f)) for f in frames]
    cuts = [sizes[0] - 1] + [sizes[i] for i in range(1, len(sizes))]
    t.echo(*frames, cut=cuts)
    t.bye()


@case("chop", "two-bytes-behind-each-frame")
def two_behind(t):
    """Each segment ends with the first two bytes of the next frame."""
    frames = sample(t)
    sizes = [len(t.wire(f)) for f in frames]
    t.echo(*frames, cut=[sizes[0] + 2] + sizes[1:])
    t.bye()


@case("chop", "bad-header-in-bytes", smoke=True)
def bad_in_bytes(t):
    """A frame in bytes, then a bad one in bytes."""
    t.echo(text("good"), cut=1)
    t.bad(text("bad", rsv=0x40), cut=1)
    t.fails(1002)


@case("chop", "bad-text-in-bytes")
def bad_text_in_bytes(t):
    """A bad byte among good ones, in bytes."""
    t.bad(text(b"good \xf0\x9f\x98 bad"), good=8, cut=1)
    t.fails(1007)
