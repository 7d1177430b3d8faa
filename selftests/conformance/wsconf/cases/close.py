# SPDX-License-Identifier: GPL-2.0
"""Sections 5.5.1, 7.1 and 7.4: the closing handshake, codes, reasons."""

from ..suite import add, case
from ..wire import Frame, binary, close, cont, ping, pong, text

GOOD = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
        1014, 3000, 3999, 4000, 4999)
BAD = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
       0x8000, 65535)

REASONS = {
    "empty": "",
    "ascii": "going away",
    "greek": "κόσμε",
    "four-byte-characters": "\U0001f44b" * 30,
    "nul": "a\0b",
    "longest": "r" * 123,
    "longest-two-byte": "é" * 61 + "x",
}

# Reasons that are not UTF-8.
BAD_REASONS = {
    "lone-continuation": "80",
    "overlong": "c0 af",
    "surrogate": "ed a0 80",
    "above-10ffff": "f4 90 80 80",
    "truncated-two": "61 c2",
    "truncated-four": "61 f0 9f 98",
    "ff": "ff",
    "good-then-bad": "ce ba ff ce bc",
}


def with_code(code, reason="", cut=None):
    """We close first; the code comes back."""
    def run(t):
        t.bye(code, reason, cut=cut)
    return run


def refused(frame, fail=1002):
    """A Close that is not one."""
    def run(t):
        t.echo(text("before"))
        t.bad(frame)
        t.fails(fail, reply=False)
    return run


def tables():
    """Codes and reasons."""
    for code in GOOD:
        add("close", "code-%d" % code, with_code(code),
            smoke=code in (1000, 1001, 3000, 4999))
    for code in BAD:
        add("close", "bad-code-%d" % code, refused(close(code)),
            smoke=code in (0, 1005, 1006, 2999))
    for name, reason in REASONS.items():
        add("close", "reason-%s" % name, with_code(1000, reason),
            smoke=name == "longest")
    for name, octets in BAD_REASONS.items():
        add("close", "bad-reason-%s" % name,
            refused(close(1000, bytes.fromhex(octets)), 1007),
            smoke=name == "truncated-two")
    add("close", "bad-code-with-reason", refused(close(1005, "reason")))
    add("close", "bad-code-in-one-byte", refused(Frame(8, b"\x03")),
        smoke=True)


tables()


@case("close", "empty-body", smoke=True)
def empty_body(t):
    """A Close without code is answered by one without code."""
    t.bye(None)


@case("close", "after-messages")
def after_messages(t):
    """Messages and Close in one segment: the echoes come first."""
    t.send(text("one"), binary(b"two"), text("three"), close(1000))
    t.settle()
    t.closes(1000)


@case("close", "after-many-messages", need=1000)
def after_many(t):
    """A hundred messages and a Close in one write."""
    t.send(*[binary(b"%03d" % i * 300) for i in range(100)], close(1001))
    t.settle()
    t.closes(1001)


@case("close", "after-ping-waited-for")
def after_ping(t):
    """Ping, pong, Close, Close."""
    t.echo(ping(b"still there?"))
    t.bye(1000)


@case("close", "after-pong")
def after_pong(t):
    """An unsolicited pong in the same segment."""
    t.send(pong(b"x"), close(1000))
    t.closes(1000)


@case("close", "in-one-byte-writes", smoke=True)
def in_bytes(t):
    """Header, key, code and reason a byte at a time."""
    t.bye(1001, "slowly", cut=1)


@case("close", "code-cut-in-two")
def code_cut(t):
    """The two bytes of the code in two segments."""
    frame = close(4321)
    t.settle()
    t.send(frame, cut=[len(t.wire(frame)) - 1])
    t.closes(4321)


def and_then(*items):
    """Close, and something behind it that must stay unanswered."""
    def run(t):
        t.echo(text("before"))
        t.send(close(1000), ignored=items)
        t.closes(1000)
    return run


add("close", "then-text", and_then(text("never")), smoke=True)
add("close", "then-ping", and_then(ping(b"never")), smoke=True)
add("close", "then-close", and_then(close(1001)))
add("close", "then-bad-close", and_then(close(1005)))
add("close", "then-half-a-frame", and_then(b"\x82"))
add("close", "then-reserved-bits", and_then(text("never", rsv=0x70)))
add("close", "then-bad-utf8", and_then(text(b"\xff\xfe")))
add("close", "then-junk", and_then(b"GET / HTTP/1.1\r\n\r\n"))
add("close", "then-much", and_then(binary(bytes(50000))), need=50000)


@case("close", "then-fin")
def then_fin(t):
    """TCP's FIN right behind our Close: it is answered all the same."""
    t.echo(text("before"))
    t.send(close(1000))
    t.half_close()
    t.closes(1000)


@case("close", "fragmented")
def fragmented(t):
    """FIN clear: the first byte tells."""
    t.bad(Frame(8, b"\x03\xe8", fin=False), upto=1)
    t.fails(1002)


@case("close", "of-126", smoke=True)
def of_126(t):
    """A reason that makes the frame too long: the second byte tells."""
    t.bad(close(1000, "r" * 124), upto=2)
    t.fails(1002)


@case("close", "within-open-message")
def within_open(t):
    """A message that will never end."""
    t.send(text("begun, ", fin=False), cont("goes on", fin=False))
    t.bye(1000)


@case("close", "begun-and-nothing-more")
def begun(t):
    """Half a Close, then TCP's end: that is no Close."""
    t.echo(text("before"))
    t.stump(close(1000), 3)
    t.cut_off()


@case("close", "bad-code-in-one-byte-writes")
def bad_code_in_bytes(t):
    """A reserved code, its bytes one by one."""
    t.bad(close(1006), cut=1)
    t.fails(1002, reply=False)


@case("close", "bad-reason-in-one-byte-writes")
def bad_reason_in_bytes(t):
    """A reason that breaks in its last character."""
    t.bad(close(1000, b"bad \xe2\x82"), cut=1)
    t.fails(1007, reply=False)


@case("close", "bad-code-between-fragments")
def bad_code_between(t):
    """A reserved code in the middle of a message."""
    t.send(binary(b"begun", fin=False))
    t.bad(close(1015))
    t.fails(1002, reply=False)


@case("close", "first-frame-of-all")
def first_of_all(t):
    """Nothing was said before."""
    t.send(close(1000, "wrong number"))
    t.closes(1000, "wrong number")
