# SPDX-License-Identifier: GPL-2.0
"""Section 5.2: opcodes 3 to 7 and 11 to 15 are reserved."""

from ..suite import add, case
from ..wire import Frame, binary, close, cont, ping, text

RESERVED = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)


def first_byte(op, fin=True, before=()):
    """Only the first byte is sent."""
    def run(t):
        if before:
            t.send(*before)
        if before and before[-1].fin:
            t.settle()
        t.bad(Frame(op, b"payload", fin=fin), upto=1)
        t.fails(1002)
    return run


def whole(op, payload):
    """A complete frame, and a ping that is never answered."""
    def run(t):
        t.echo(text("before"))
        t.bad(Frame(op, payload), ping(b"never"))
        t.fails(1002)
    return run


def reserved():
    """Each opcode as a first byte and as a frame; some elsewhere."""
    for op in RESERVED:
        add("opcode", "%d-first-byte" % op, first_byte(op),
            smoke=op in (3, 11, 15))
        add("opcode", "%d-whole" % op, whole(op, b"payload"))
    for op in (3, 7, 11, 15):
        add("opcode", "%d-empty" % op, whole(op, b""))
        add("opcode", "%d-without-fin" % op, first_byte(op, fin=False))
        add("opcode", "%d-between-fragments" % op,
            first_byte(op, before=(text("begun", fin=False),)))
        add("opcode", "%d-after-messages" % op,
            first_byte(op, before=(text("one"), binary(b"two"))))


reserved()


@case("opcode", "good-and-bad-in-one-segment", smoke=True)
def one_segment(t):
    """What stood before the bad frame is good."""
    t.bad(t.ready(text("good"), binary(b"good")), Frame(5, b"bad"))
    t.fails(1002)


@case("opcode", "control-like-with-long-payload")
def long_control(t):
    """Two rules broken in the first two bytes: the first byte counts."""
    t.bad(Frame(13, b"x" * 200), upto=1)
    t.fails(1002)


@case("opcode", "after-ping")
def after_ping(t):
    """A pong first, then the failure."""
    t.echo(ping(b"good"))
    t.bad(Frame(12, b""))
    t.fails(1002)


@case("opcode", "behind-close", smoke=True)
def behind_close(t):
    """Behind a Close nothing is looked at."""
    t.send(close(1000), ignored=[Frame(3, b"junk"), Frame(12, b"junk")])
    t.closes(1000)


@case("opcode", "all-good-ones")
def all_good(t):
    """The six that exist, in one connection."""
    t.echo(text("1", fin=False), cont("0"), binary(b"2"), ping(b"9"))
    t.send(Frame(10, b"10"))
    t.bye()
