# SPDX-License-Identifier: GPL-2.0
"""Many messages: none lost, none doubled, none out of order."""

import random

from ..suite import add, case
from ..wire import binary, cont, ping, pong, text

MAKE = {"text": text, "binary": binary}


def pipelined(make, count, size):
    """All messages without waiting, numbered."""
    def run(t):
        pad = b"." * size
        for at in range(0, count, 100):
            t.send(*[make((b"%d" % i + pad)[:max(size, 6)])
                     for i in range(at, min(at + 100, count))])
        t.bye()
    return run


def waited(make, count, size):
    """Each message is waited for."""
    def run(t):
        for i in range(count):
            t.echo(make((b"%d" % i).ljust(size, b".")))
        t.bye()
    return run


def fill():
    """Sizes and types."""
    for name, make in MAKE.items():
        for size in (6, 125, 1000):
            add("many", "%s-1000-of-%d" % (name, size),
                pipelined(make, 1000, size), sized=size != 6, need=size,
                smoke=size == 6 and name == "text")
        add("many", "%s-waited-200-of-20" % name, waited(make, 200, 20))
        add("many", "%s-waited-100-of-4096" % name, waited(make, 100, 4096),
            sized=True, need=4096)


fill()


@case("many", "empty-1000", smoke=True)
def empties(t):
    """A thousand empty messages, types alternating."""
    t.echo(*[text(), binary()] * 500)
    t.bye()


@case("many", "one-byte-1000")
def one_byte(t):
    """A thousand messages of one byte."""
    t.echo(*[binary(bytes([i & 255])) for i in range(1000)])
    t.bye()


@case("many", "pings-1000-among-messages")
def pings_among(t):
    """A ping before each message: a pong may be replaced by a newer one,
    a message never."""
    for at in range(0, 1000, 50):
        t.send(*[f for i in range(at, at + 50)
                 for f in (ping(b"%d" % i), text("%d" % i))])
    t.echo(ping(b"the last"))
    t.bye()


@case("many", "pongs-among-messages")
def pongs_among(t):
    """Unsolicited pongs between messages."""
    t.echo(*[f for i in range(300) for f in (pong(b"x"), binary(b"%d" % i))])
    t.bye()


@case("many", "fragments-2000-of-one-message", need=6000)
def many_fragments(t):
    """One message of 2000 frames."""
    t.send(text("begin ", fin=False))
    for _ in range(20):
        t.send(*[cont("%02d," % (i % 100), fin=False) for i in range(100)])
    t.echo(cont("end"))
    t.bye()


@case("many", "empty-fragments-2000", need=16)
def many_empty_fragments(t):
    """One short message with 2000 empty frames in it."""
    t.send(binary(b"be", fin=False))
    for _ in range(20):
        t.send(*[cont("", fin=False)] * 100)
    t.echo(cont(b"gin"))
    t.bye()


@case("many", "fragmented-messages-300", need=100)
def fragmented_messages(t):
    """300 messages of three frames."""
    for i in range(300):
        t.send(text("%d" % i, fin=False), cont("", fin=False), cont("."))
    t.bye()


@case("many", "sizes-at-random", need=70000)
def random_sizes(t):
    """200 messages of 0 to 70 000 bytes, small ones more often."""
    rng = random.Random(6455)
    for _ in range(200):
        size = int(70000 * rng.random() ** 6)
        t.send(rng.choice((text, binary))(b"r" * size))
    t.bye()


@case("many", "cuts-at-random", need=2000)
def random_cuts(t):
    """300 messages in writes that end anywhere."""
    rng = random.Random(5546)
    frames = [rng.choice((text, binary))(b"c" * rng.randint(0, 2000))
              for _ in range(300)]
    t.echo(*frames, cut=(rng.randint(1, 4000) for _ in iter(int, 1)))
    t.bye()
