# SPDX-License-Identifier: GPL-2.0
"""Section 5.4: fragmentation, and control frames between fragments."""

from ..suite import add, case
from ..wire import binary, close, cont, ping, pong, text

MAKE = {"text": text, "binary": binary}


def pieces(make, *parts):
    """One message, a frame for each part."""
    frames = [make(parts[0].encode(), fin=len(parts) == 1)]
    for i, part in enumerate(parts[1:], 2):
        frames.append(cont(part, fin=i == len(parts)))
    return frames


def one_write(*frames):
    """All frames in one segment."""
    def run(t):
        t.echo(*frames)
        t.bye()
    return run


def write_each(*frames):
    """A write for each frame."""
    def run(t):
        for frame in frames:
            t.send(frame)
        t.bye()
    return run


def good():
    """Messages in two and more frames."""
    for name, make in MAKE.items():
        add("fragment", "%s-two" % name,
            one_write(*pieces(make, "one ", "two")), smoke=True)
        add("fragment", "%s-two-writes" % name,
            write_each(*pieces(make, "one ", "two")))
        add("fragment", "%s-five" % name,
            write_each(*pieces(make, "1", "22", "333", "4444", "55555")))
        add("fragment", "%s-empty-first" % name,
            one_write(*pieces(make, "", "rest")))
        add("fragment", "%s-empty-middle" % name,
            one_write(*pieces(make, "one", "", "", "two")))
        add("fragment", "%s-empty-last" % name,
            write_each(*pieces(make, "all", "")), smoke=True)
        add("fragment", "%s-all-empty" % name,
            one_write(*pieces(make, "", "", "")))
        add("fragment", "%s-one-byte-each" % name,
            one_write(*pieces(make, *"one byte in each frame")))
        add("fragment", "%s-ping-between" % name, ping_between(make),
            smoke=name == "text")
        add("fragment", "%s-ping-between-each" % name,
            ping_between_each(make))
        add("fragment", "%s-pong-between" % name, pong_between(make))
        add("fragment", "%s-after-fragmented" % name,
            one_write(*pieces(make, "a", "b"), *pieces(make, "c", "d"),
                      make(b"e"), *pieces(make, "f", "g", "")))


def ping_between(make):
    """The pong comes before the message ends."""
    def run(t):
        t.send(make(b"one ", fin=False))
        t.echo(ping(b"between"))
        t.echo(cont("two"))
        t.bye()
    return run


def ping_between_each(make):
    """Three pings, waited for one by one."""
    def run(t):
        t.send(make(b"one ", fin=False))
        for i in range(3):
            t.echo(ping(b"between %d" % i))
            t.send(cont("more ", fin=False))
        t.echo(ping(b""))
        t.echo(cont("end"))
        t.bye()
    return run


def pong_between(make):
    """An unsolicited pong changes nothing."""
    def run(t):
        t.echo(make(b"one ", fin=False), pong(b"hi"), cont("two"))
        t.bye()
    return run


def first_byte(frame, *before):
    """The first byte of the frame is out of place."""
    def run(t):
        for good_frame in before:
            t.send(good_frame)
        if before and before[-1].fin:
            t.settle()
        t.bad(frame, upto=1)
        t.fails(1002)
    return run


def bad():
    """Continuations of nothing, messages within messages."""
    nothing = {"final": cont("x"), "not-final": cont("x", fin=False),
               "empty": cont("")}
    for name, frame in nothing.items():
        add("fragment", "continuation-of-nothing-%s" % name,
            first_byte(frame), smoke=name == "final")
        add("fragment", "continuation-after-message-%s" % name,
            first_byte(frame, text("whole")))
        add("fragment", "continuation-after-fragmented-%s" % name,
            first_byte(frame, text("a", fin=False), cont("b")))
    add("fragment", "continuation-after-ping", first_byte(cont("x"), ping()))
    for name, make in MAKE.items():
        begun = make(b"begun", fin=False)
        add("fragment", "text-within-%s" % name,
            first_byte(text("x"), begun), smoke=name == "binary")
        add("fragment", "binary-within-%s" % name,
            first_byte(binary(b"x"), begun))
        add("fragment", "begin-within-%s" % name,
            first_byte(make(b"x", fin=False), begun))
        add("fragment", "text-within-%s-after-ping" % name,
            first_byte(text("x"), begun, ping(b"between")))
    add("fragment", "text-within-third-fragment",
        first_byte(text("x"), text("1", fin=False), cont("2", fin=False),
                   cont("3", fin=False)))


good()
bad()


@case("fragment", "bad-in-one-segment")
def bad_in_one_segment(t):
    """A good message, a bad continuation and more, at once."""
    t.bad(t.ready(text("good"), text("also ", fin=False), cont("good")),
          cont("bad"), text("never"))
    t.fails(1002)


@case("fragment", "several-controls-between")
def several_controls(t):
    """Pings, pongs, an empty ping: all in one segment with fragments."""
    t.echo(text("a", fin=False), ping(b"1"), pong(b"x"), cont("b", fin=False),
           ping(b"2"), ping(b""), cont("c"))
    t.bye()


@case("fragment", "close-between", smoke=True)
def close_between(t):
    """Close ends the connection in the middle of a message."""
    t.send(text("never finished", fin=False), close(1000))
    t.closes(1000)


@case("fragment", "close-between-after-pong")
def close_between_after_pong(t):
    """The same, the first fragment surely taken."""
    t.send(binary(b"never finished", fin=False))
    t.echo(ping(b"there?"))
    t.send(close(1001, "going"))
    t.closes(1001, "going")


@case("fragment", "kinds-of-cuts", need=8000)
def kinds_of_cuts(t):
    """The same 6000 bytes in frames of 1, 7, 125, 126, 1000, 6000 bytes."""
    data = bytes(i % 251 for i in range(6000))
    for size in (1, 7, 125, 126, 1000, 6000):
        parts = [data[i:i + size] for i in range(0, len(data), size)]
        frames = [binary(parts[0], fin=len(parts) == 1)]
        frames += [cont(part, fin=False) for part in parts[1:-1]]
        frames += [cont(part) for part in parts[1:][-1:]]
        t.echo(*frames)
    t.bye()
