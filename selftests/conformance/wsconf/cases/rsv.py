# SPDX-License-Identifier: GPL-2.0
"""Section 5.2: RSV1 to RSV3 are 0 unless an extension was negotiated.

The first byte of a frame tells, so the second is held back.
"""

from ..suite import add, case
from ..wire import Frame, binary, close, cont, ping, pong, text

BITS = {"1": 0x40, "2": 0x20, "3": 0x10, "12": 0x60, "13": 0x50, "23": 0x30,
        "123": 0x70}
KINDS = {"text": text("x" * 10), "binary": binary(b"x" * 10),
         "ping": ping(b"x"), "pong": pong(b"x"), "close": close(1000)}


def first_byte(frame, rsv, *before):
    """Only the first byte of the bad frame is sent."""
    def run(t):
        if before:
            t.send(*before)
        if before and before[-1].fin:
            t.settle()
        t.bad(Frame(frame.op, frame.payload, fin=frame.fin, rsv=rsv), upto=1)
        t.fails(1002)
    return run


def everywhere():
    """All combinations on data, each bit on control frames."""
    for bits, rsv in BITS.items():
        for kind, frame in KINDS.items():
            if len(bits) == 1 or kind in ("text", "binary"):
                add("rsv", "%s-rsv%s" % (kind, bits), first_byte(frame, rsv),
                    smoke=kind == "text" and len(bits) == 1)
    for bits in ("1", "2", "3"):
        rsv = BITS[bits]
        add("rsv", "continuation-rsv%s" % bits,
            first_byte(cont("x"), rsv, text("begun", fin=False)))
        add("rsv", "second-message-rsv%s" % bits,
            first_byte(text("x"), rsv, text("good"), binary(b"as well")))
        add("rsv", "begun-message-rsv%s" % bits,
            first_byte(text("x", fin=False), rsv))
        add("rsv", "ping-between-fragments-rsv%s" % bits,
            first_byte(ping(b"x"), rsv, binary(b"begun", fin=False)))


everywhere()


@case("rsv", "whole-frame-then-more", smoke=True)
def whole_frame(t):
    """The bad frame is complete and others follow in the same segment: no
    echo of it, no pong for what stands behind it."""
    t.echo(text("good"))
    t.bad(text("compressed?", rsv=0x40), ping(b"never"), text("never"))
    t.fails(1002)


@case("rsv", "good-and-bad-in-one-segment", smoke=True)
def one_segment(t):
    """What stood before the bad frame is good."""
    t.bad(t.ready(text("good"), binary(b"good")), binary(b"bad", rsv=0x20))
    t.fails(1002)


@case("rsv", "empty-frame")
def empty_frame(t):
    """A bad header without payload."""
    t.bad(binary(b"", rsv=0x10))
    t.fails(1002)


@case("rsv", "last-fragment")
def last_fragment(t):
    """All of a message is good but for a bit in its last header."""
    t.send(text("one", fin=False), cont("two", fin=False))
    t.bad(cont("three", rsv=0x40), good=0)
    t.fails(1002)


@case("rsv", "deflated-without-negotiation")
def deflated(t):
    """permessage-deflate's bit and data, though it was not agreed on."""
    t.bad(text(bytes.fromhex("f248cdc9c907 00"), rsv=0x40))
    t.fails(1002)
