# SPDX-License-Identifier: GPL-2.0
"""Sections 5.5.2 and 5.5.3: pings and pongs."""

from ..link import Fail
from ..suite import add, case
from ..wire import Frame, binary, cont, ping, pong, text

PAYLOADS = {
    "empty": b"",
    "text": b"Hello",
    "not-utf8": b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
    "zero-byte": b"\x00",
    "like-a-close": bytes.fromhex("880203e8"),
    "124": b"\xfe" * 124,
    "125": b"\xfe" * 125,
}


def answered(payload, cut=None):
    """The pong has the ping's payload."""
    def run(t):
        t.echo(ping(payload), cut=cut)
        t.bye()
    return run


def payloads():
    """Pings of all kinds, whole and a byte at a time."""
    for name, payload in PAYLOADS.items():
        add("ping", name, answered(payload), sized=name == "124",
            smoke=name in ("empty", "text", "125"))
        if name != "124":
            add("ping", "%s-in-bytes" % name, answered(payload, cut=1),
                smoke=name == "125")


payloads()


def too_long(make, declare, form):
    """More than 125 bytes: the second byte tells."""
    def run(t):
        t.echo(text("before"))
        frame = make(b"x" * declare)
        frame.form = form
        t.bad(frame, upto=2)
        t.fails(1002)
    return run


def not_final(make, payload, before=()):
    """Control frames are not fragmented: the first byte tells."""
    def run(t):
        if before:
            t.send(*before)
        t.bad(make(payload, fin=False), upto=1)
        t.fails(1002)
    return run


def bad():
    """Too long, fragmented."""
    for name, make in (("ping", ping), ("pong", pong)):
        add("ping", "%s-of-126" % name, too_long(make, 126, 16), smoke=True)
        add("ping", "%s-of-126-in-64-bits" % name, too_long(make, 126, 64))
        add("ping", "%s-fragmented" % name, not_final(make, b"part"),
            smoke=name == "ping")
        add("ping", "%s-fragmented-empty" % name, not_final(make, b""))
        add("ping", "%s-fragmented-between" % name,
            not_final(make, b"part", (text("begun", fin=False),)))


bad()


@case("ping", "bad-one-whole-and-more")
def bad_whole(t):
    """A ping of 126 bytes, complete, and a good one behind it."""
    t.bad(ping(b"x" * 126), ping(b"never"))
    t.fails(1002)


@case("ping", "fragmented-and-continued")
def fragmented_and_continued(t):
    """Both halves of a fragmented ping at once."""
    t.bad(ping(b"one", fin=False), cont("two"))
    t.fails(1002)


@case("ping", "unsolicited-pong")
def unsolicited(t):
    """It is not answered, and the connection goes on."""
    t.send(pong(b"nobody asked"))
    t.echo(ping(b"now you"))
    t.bye()


@case("ping", "unsolicited-pong-empty")
def unsolicited_empty(t):
    """The same with nothing in it."""
    t.send(pong())
    t.echo(text("still there"))
    t.bye()


@case("ping", "unsolicited-pong-of-125", smoke=True)
def unsolicited_125(t):
    """The longest pong, in bytes."""
    t.send(pong(b"\xaa" * 125), cut=1)
    t.echo(ping(b"now you"), text("and you"))
    t.bye()


@case("ping", "pongs-before-and-behind")
def pongs_around(t):
    """Pong, ping, pong in one segment: one answer."""
    t.echo(pong(b"a"), ping(b"b"), pong(b"b"))
    t.bye()


@case("ping", "hundred-unsolicited-pongs")
def hundred_pongs(t):
    """None of them is answered."""
    t.send(*[pong(b"%d" % i) for i in range(100)])
    t.echo(ping(b"now you"))
    t.bye()


@case("ping", "ten-waited-for", smoke=True)
def ten_waited(t):
    """Each has its own pong when we wait for it."""
    for i in range(10):
        t.echo(ping(b"ping %d" % i))
    t.bye()


@case("ping", "ten-at-once")
def ten_at_once(t):
    """Pongs may be left out, but not the newest, and never out of order."""
    t.echo(*[ping(b"ping %d" % i) for i in range(10)])
    t.bye()


@case("ping", "ten-at-once-in-bytes")
def ten_in_bytes(t):
    """The same a byte at a time."""
    t.echo(*[ping(b"ping %d" % i) for i in range(10)], cut=1)
    t.bye()


@case("ping", "same-payload-twice")
def same_twice(t):
    """Equal pings, waited for."""
    t.echo(ping(b"same"))
    t.echo(ping(b"same"))
    t.bye()


@case("ping", "in-front-of-message")
def in_front(t):
    """Ping and message in one segment."""
    t.echo(ping(b"first"), text("second"))
    t.bye()


@case("ping", "behind-messages")
def behind(t):
    """A ping behind data that the application has yet to read."""
    t.echo(*[binary(b"d" * 1000)] * 20, ping(b"behind"))
    t.bye()


@case("ping", "during-a-frame-is-payload", smoke=True)
def during_a_frame(t):
    """Bytes of a ping inside a frame are payload: no pong."""
    t.echo(binary(t.wire(ping(b"not a ping", masked=False))))
    t.bye()


@case("ping", "answered-while-frame-is-open", need=2000)
def while_frame_open(t):
    """A ping, then a frame that waits for its end: the pong comes before
    the frame is whole."""
    t.send(ping(b"now"))
    t.part(binary(b"x" * 2000), 1000)
    t.until(lambda: not t.pings, "pong")
    if t.pings:
        raise Fail("no pong while a frame is unfinished")
    t.rest()
    t.bye()


@case("ping", "header-then-payload")
def header_then_payload(t):
    """The payload comes in a later segment than the header."""
    frame = ping(b"later")
    t.echo(frame, cut=[len(t.wire(frame)) - 5])
    t.bye()


@case("ping", "at-once-behind-handshake-and-close")
def before_close(t):
    """A ping waited for, and the Close behind it."""
    t.send(Frame(9, b"last words"))
    t.bye(1000)
