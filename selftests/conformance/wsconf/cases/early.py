# SPDX-License-Identifier: GPL-2.0
"""Frames that travel with the end of the HTTP handshake.

Section 4 lets a server send as soon as its 101 is complete; a client that
sends in advance takes a risk, but the bytes stand behind the blank line all
the same. None may be lost, wherever the segment ends.
"""

from ..suite import add, case
from ..wire import binary, close, cont, ping, text


def with_handshake(*frames, split=None):
    """The frames in one write with the handshake's end.

    @split: only so many bytes of them (negative: all but so many)
    """
    def run(t):
        data = t.ready(*frames)
        if split is None:
            t.handshake(extra=data)
        else:
            t.handshake(extra=data[:split])
            t.write(data[split:])
        t.settle()
        t.echo(text("and later"))
        t.bye()
    return run


def early(name, *frames, smoke=False, **kw):
    """Register one of them."""
    need = max(len(f.payload) for f in frames)
    add("early", name, with_handshake(*frames, **kw), upgrade=True,
        smoke=smoke, need=need)


early("text", text("at once"), smoke=True)
early("binary", binary(bytes(range(256))))
early("empty-message", text(""))
early("ping", ping(b"at once"), smoke=True)
early("two-messages", text("one"), binary(b"two"))
early("ping-and-message", ping(b"p"), text("m"))
early("fragments", text("a", fin=False), ping(b"p"), cont("b"))
early("first-byte", text("its first byte came early"), split=1, smoke=True)
early("half-a-header", binary(b"x" * 300), split=3)
early("half-a-payload", text("its second half comes later"), split=-11)
early("message-and-header", text("one"), text("two"), split=-3)
early("4000-bytes", binary(b"e" * 4000))
early("60000-bytes", binary(b"e" * 60000))


def bad_with_handshake(data, code):
    """What breaks the protocol is in the handshake's segment."""
    def run(t):
        bad = t.wire(data)
        t.handshake(extra=bad)
        t.totals.n["most_frames"] += 1
        t.totals.n["most_bytes"] += len(bad)
        t.fails(code)
    return run


add("early", "bad-reserved-bit", bad_with_handshake(text("x", rsv=0x40), 1002),
    upgrade=True, smoke=True)
add("early", "bad-utf8", bad_with_handshake(text(b"\xff"), 1007),
    upgrade=True)


@case("early", "close", upgrade=True)
def early_close(t):
    """Nothing but a Close."""
    t.handshake(extra=t.ready(close(1000)))
    t.closes(1000)


@case("early", "message-and-close", upgrade=True)
def message_and_close(t):
    """A whole conversation in one segment."""
    t.handshake(extra=t.ready(text("hello and goodbye"), close(1001)))
    t.settle()
    t.closes(1001)
