# SPDX-License-Identifier: GPL-2.0
"""Section 5.2, payload length: minimal, 63 bits, judged before the payload.

The rest of the frame is held back: the failure must come from the length
alone, before the masking key behind it.
"""

from ..suite import add, case
from ..wire import (BINARY, CONT, PING, PONG, TEXT, Frame, binary, cont,
                    ping, text)

OPS = {"text": TEXT, "binary": BINARY}


def too_long_form(op, n, form, before=()):
    """A length that a shorter form could hold."""
    def run(t):
        if before:
            t.echo(*before[:-1])
            t.send(before[-1])
        t.bad(Frame(op, bytes(n), form=form), upto=2 + form // 8)
        t.fails(1002)
    return run


def not_minimal():
    """7 bits in 16, 7 and 16 bits in 64."""
    for name, op in OPS.items():
        for n in (0, 1, 125):
            add("length", "%s-%d-in-16-bits" % (name, n),
                too_long_form(op, n, 16), sized=n != 0, smoke=n == 125)
        for n in (0, 125, 126, 65535):
            add("length", "%s-%d-in-64-bits" % (name, n),
                too_long_form(op, n, 64), sized=n not in (0, 126),
                smoke=n == 65535)
    add("length", "continuation-5-in-16-bits",
        too_long_form(CONT, 5, 16, (text("a"), text("b", fin=False))))
    add("length", "continuation-5-in-64-bits",
        too_long_form(CONT, 5, 64, (text("a"), text("b", fin=False))))
    add("length", "second-message-5-in-16-bits",
        too_long_form(TEXT, 5, 16, (text("a"), binary(b"b"))))
    add("length", "second-message-500-in-64-bits",
        too_long_form(BINARY, 500, 64, (text("a"), binary(b"b"))))


def top_bit(op, declare):
    """The most significant bit must be 0."""
    def run(t):
        t.bad(Frame(op, b"x", form=64, declare=declare), upto=10)
        t.fails(1002)
    return run


def top_bits():
    """Different lengths of 2^63 and more: signed, wrapped to a few bytes."""
    for name, op in OPS.items():
        add("length", "%s-2^63" % name, top_bit(op, 1 << 63), smoke=True)
        add("length", "%s-2^64-1" % name, top_bit(op, (1 << 64) - 1),
            sized=True)
        add("length", "%s-2^63+5" % name, top_bit(op, (1 << 63) + 5),
            sized=True)
    add("length", "ping-2^63", control(PING, 1 << 63, 64))


def control(op, declare, form):
    """A control frame has the 7-bit form: the second byte tells."""
    def run(t):
        t.echo(text("before"))
        t.bad(Frame(op, b"", form=form, declare=declare), upto=2)
        t.fails(1002)
    return run


def controls():
    """Control frames in the longer forms, whatever length they hold."""
    for name, op in (("ping", PING), ("pong", PONG), ("close", 8)):
        add("length", "%s-126" % name, control(op, 126, 16))
        add("length", "%s-5-in-16-bits" % name, control(op, 5, 16))
        add("length", "%s-65536" % name, control(op, 65536, 64))


not_minimal()
top_bits()
controls()


def legal_but_huge(op, declare):
    """Length up to 2^63 - 1 is legal: nothing is allocated for it, and the
    connection goes on until TCP ends."""
    def run(t):
        t.echo(text("before"))
        t.part(Frame(op, b"only this", form=64, declare=declare), 9)
        t.cut_off()
    return run


add("length", "binary-2^63-1-begun", legal_but_huge(BINARY, (1 << 63) - 1),
    need=(1 << 63) - 1, smoke=True)
add("length", "text-2^63-1-begun", legal_but_huge(TEXT, (1 << 63) - 1),
    need=(1 << 63) - 1)
add("length", "binary-2^32-begun", legal_but_huge(BINARY, 1 << 32),
    need=1 << 32, sized=True)


@case("length", "huge-sum-of-fragments", need=1 << 63)
def huge_sum(t):
    """A fragment of 2^63-1 bytes behind one of 9: the sum overflows 63
    bits, each length is legal."""
    t.send(binary(b"123456789", fin=False))
    t.part(Frame(CONT, b"more", form=64, declare=(1 << 63) - 1), 4)
    t.cut_off()


@case("length", "minimal-forms-of-fragments", need=66000)
def minimal_forms(t):
    """The smallest and largest lengths of each form, in one message."""
    t.echo(binary(b"a" * 125, fin=False), cont(b"b" * 126, fin=False),
           cont(b"c" * 65535, fin=False), cont(b"d", fin=False), cont(b""))
    t.bye()


@case("length", "control-of-125-between", need=300)
def control_of_125(t):
    """The longest control frame is good, also inside a message."""
    t.echo(text("x" * 126, fin=False), ping(b"p" * 125), cont("y" * 126))
    t.bye()
