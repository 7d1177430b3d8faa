# SPDX-License-Identifier: GPL-2.0
"""Back pressure: our end has a small receive buffer and reads as little as
it can, so the peer's buffers fill in both directions."""

from ..suite import case
from ..wire import binary, cont, ping, text
from .large import letters, noise

K, M = 1024, 1024 * 1024
SMALL = {"rcvbuf": 4096}


def reluctant(t, chunk=1000):
    """Read only when nothing can be written, and then little."""
    t.reluctant, t.chunk = True, chunk


@case("pressure", "one-large-message", need=4 * M, **SMALL)
def one_large(t):
    """4 MiB in one frame."""
    reluctant(t, 4000)
    t.echo(binary(noise(4 * M)))
    t.bye()


@case("pressure", "messages-of-1000", smoke=True, **SMALL)
def of_1000(t):
    """1000 messages before the first echo is read."""
    reluctant(t)
    for i in range(1000):
        t.send(text("%04d" % i * 250))
    t.bye()


@case("pressure", "messages-of-60000", need=60000, **SMALL)
def of_60000(t):
    """40 messages of about the largest frame."""
    reluctant(t)
    for i in range(40):
        t.send(binary(b"%02d" % i * 30000))
    t.bye()


@case("pressure", "small-messages", **SMALL)
def small(t):
    """20 000 small messages."""
    reluctant(t, 500)
    for at in range(0, 20000, 200):
        t.send(*[binary(b"%d" % i) for i in range(at, at + 200)])
    t.bye()


@case("pressure", "fragments", need=2 * M, **SMALL)
def fragments(t):
    """2 MiB of text in frames of 10 000 bytes."""
    reluctant(t)
    data = letters(2 * M)
    t.send(text(b"", fin=False))
    for at in range(0, len(data), 10000):
        t.send(cont(data[at:at + 10000], fin=False))
    t.send(cont(b""))
    t.bye()


@case("pressure", "pings-while-blocked", smoke=True, **SMALL)
def pings_blocked(t):
    """Pings among messages that cannot be echoed yet: the newest is
    answered at last, no message is lost."""
    reluctant(t)
    for i in range(600):
        t.send(binary(b"%04d" % i * 250), ping(b"%d" % i))
    t.settle()
    t.bye()


@case("pressure", "close-while-blocked", need=M, **SMALL)
def close_blocked(t):
    """Close behind what cannot be echoed yet: all echoes, then Close."""
    reluctant(t)
    for i in range(300):
        t.send(binary(b"%04d" % i * 1000))
    t.bye()


@case("pressure", "failure-while-blocked", **SMALL)
def failure_blocked(t):
    """A bad frame behind what cannot be echoed yet: Close comes through,
    echoes before it are whole and in order."""
    reluctant(t)
    for i in range(300):
        t.send(binary(b"%04d" % i * 250))
    t.bad(text("bad", rsv=0x40))
    t.fails(1002)


@case("pressure", "large-and-small", need=M, **SMALL)
def large_and_small(t):
    """1 MiB, then small ones, then pings."""
    reluctant(t)
    t.send(binary(noise(M)))
    for i in range(100):
        t.send(text("small %d" % i))
    t.echo(ping(b"end"))
    t.bye()
