# SPDX-License-Identifier: GPL-2.0
"""Section 10.4: limits, judged on the header; only for peers that have
some, and then with messages around the limit."""

from ..suite import Case
from ..wire import binary, close, cont, ping, text


def cases(limits):
    """The cases for these limits (class Limits)."""
    out = []
    if limits.message:
        out += message_cases(limits.message)
    if limits.frame:
        out += frame_cases(limits.frame)
    if limits.fragments:
        out += fragment_cases(limits.fragments)
    return out


def make(name, smoke=False, sized=False):
    """Decorator: a function into a Case of this group."""
    return lambda run: Case("limits", name, run, smoke=smoke, sized=sized)


def header_of(t, frame):
    """Bytes of its header up to the end of the length."""
    size = len(t.wire(frame)) - len(frame.payload)
    return size - (4 if t.client else 0)


def over(size, *before, last=False, text_too=False):
    """A frame of that size is one too many: its length alone tells."""
    def run(t):
        t.echo(ping(b"before"))
        if before:
            t.send(*before)
        frame = (cont if last else text if text_too else binary)(b"o" * size)
        t.bad(frame, upto=header_of(t, frame))
        t.fails(1009)
    return run


def fits(*frames):
    """Within the limit, twice: it is a limit for each message."""
    def run(t):
        t.echo(*frames, *frames)
        t.bye()
    return run


def message_cases(limit):
    """WS_RX_MESSAGE_MAX or the like."""
    half = limit // 2
    first = binary(b"f" * half, fin=False)
    exact = [first, cont(b"s" * (limit - half))]
    return [
        make("message-exact", smoke=True)(fits(binary(b"m" * limit))),
        make("message-exact-text")(fits(text("m" * limit))),
        make("message-exact-in-fragments")(fits(*exact)),
        make("message-exact-and-empty-last")(
            fits(binary(b"m" * limit, fin=False), ping(b"p"), cont(b""))),
        make("message-one-more", smoke=True)(over(limit + 1)),
        make("message-one-more-text")(over(limit + 1, text_too=True)),
        make("message-one-more-in-fragments", smoke=True)(
            over(limit - half + 1, first, last=True)),
        make("message-one-byte-behind-full")(
            over(1, binary(b"m" * limit, fin=False), last=True)),
        make("message-double", sized=True)(over(2 * limit)),
        make("message-2^32-more")(huge(limit, (1 << 32) + 1)),
        make("message-2^63-1", smoke=True)(huge(limit, (1 << 63) - 1)),
        make("message-sum-2^63")(huge_sum(limit)),
        make("message-over-then-more")(over_then_more(limit)),
    ]


def huge(_limit, declare):
    """A length that wraps in 32 bits, or nearly in 64."""
    def run(t):
        frame = binary(b"", form=64, declare=declare)
        t.bad(frame, upto=10)
        t.fails(1009)
    return run


def huge_sum(_limit):
    """A fragment, and one whose length wraps the sum."""
    def run(t):
        t.send(binary(b"123", fin=False))
        t.bad(cont(b"", form=64, declare=(1 << 63) - 1), upto=10)
        t.fails(1009)
    return run


def over_then_more(limit):
    """The whole of the oversized message and others behind it."""
    def run(t):
        t.echo(text("before"))
        t.bad(binary(b"o" * (limit + 1)), text("never"), close(1000))
        t.fails(1009)
    return run


def frame_cases(limit):
    """WS_RX_FRAME_MAX or the like."""
    return [
        make("frame-exact", smoke=True)(fits(binary(b"f" * limit))),
        make("frame-exact-fragments")(
            fits(binary(b"f" * limit, fin=False), cont(b"g" * limit))),
        make("frame-one-more", smoke=True)(over(limit + 1)),
        make("frame-one-more-in-fragments")(
            over(limit + 1, text("small", fin=False), last=True)),
        make("frame-2^63-1")(huge(limit, (1 << 63) - 1)),
    ]


def fragment_cases(limit):
    """WS_RX_FRAGMENTS_MAX or the like."""
    def exact(*tail):
        return [binary(b"1", fin=False),
                *[cont(b"2", fin=False)] * (limit - 1 - len(tail)), *tail]

    def one_more(t):
        t.send(*exact())
        bad = cont(b"", fin=True)
        t.bad(bad, upto=2)
        t.fails(1009)

    def empties(t):
        t.send(text("", fin=False), *[cont(b"", fin=False)] * (limit - 1))
        t.bad(cont(b"", fin=False), upto=2)
        t.fails(1009)

    def controls(t):
        frames = exact(cont(b"3"))
        t.echo(*[f for frame in frames for f in (ping(b"p"), frame)])
        t.bye()

    return [
        make("fragments-exact", smoke=True)(fits(*exact(cont(b"3")))),
        make("fragments-one-more", smoke=True)(one_more),
        make("fragments-one-more-empty")(empties),
        make("fragments-controls-do-not-count")(controls),
    ]
