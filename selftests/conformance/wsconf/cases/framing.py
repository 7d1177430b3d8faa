# SPDX-License-Identifier: GPL-2.0
"""Whole messages in one frame: sizes, contents, types, order."""

from ..suite import add, case
from ..wire import binary, ping, text

ALL_BYTES = bytes(range(256))


def echo_one(frame):
    """Send one message, have it back, close."""
    def run(t):
        t.echo(frame)
        t.bye()
    return run


def sized():
    """The edges of the three length forms."""
    for n in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537):
        add("framing", "text-%d" % n, echo_one(text("*" * n)), sized=True,
            smoke=n in (0, 125, 126, 65536), need=n)
        add("framing", "binary-%d" % n, echo_one(binary(b"\xfe" * n)),
            sized=True, smoke=n in (0, 127, 65535), need=n)


CONTENTS = {
    "binary-all-byte-values": binary(ALL_BYTES * 4),
    "binary-zero-bytes": binary(bytes(64)),
    "binary-all-ones": binary(b"\xff" * 64),
    "binary-not-utf8": binary(b"\xc0\x80\xed\xa0\x80\xf8\xff"),
    "binary-like-a-frame": binary(bytes.fromhex("8105") + b"hello"),
    "binary-like-a-close": binary(bytes.fromhex("880203e8")),
    "binary-like-huge-length": binary(bytes.fromhex("827f") + b"\xff" * 8),
    "binary-like-http": binary(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "text-hello": text("Hello"),
    "text-nul-characters": text("a\0b\0\0c"),
    "text-control-characters": text("".join(map(chr, range(32))) + "\x7f"),
    "text-line-ends": text("one\r\ntwo\nthree\r"),
    "text-byte-order-mark": text("\ufeffmarked"),
    "text-like-http": text("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "text-ascii-in-binary": binary(b"plain ASCII, but binary"),
}


def contents():
    """Nothing in a payload has a meaning."""
    for name, frame in CONTENTS.items():
        add("framing", name, echo_one(frame), need=len(frame.payload),
            smoke=name in ("binary-like-a-close", "text-nul-characters"))


sized()
contents()


@case("framing", "types-alternate")
def types_alternate(t):
    """Each message keeps its own type."""
    for i in range(10):
        t.echo(text("t%d" % i))
        t.echo(binary(b"b%d" % i))
    t.bye()


@case("framing", "types-alternate-back-to-back", smoke=True)
def types_back_to_back(t):
    """The same in one segment: messages are neither joined nor mixed."""
    t.echo(*[f for i in range(10)
             for f in (text("t%d" % i), binary(b"b%d" % i))])
    t.bye()


@case("framing", "empty-messages-between")
def empty_between(t):
    """Empty messages are messages: they come back, in their place."""
    t.echo(text("a"), text(), binary(), text("b"), binary(), binary(b"c"))
    t.bye()


@case("framing", "only-empty-messages")
def only_empty(t):
    """Ten empty messages of both types."""
    t.echo(*[text(), binary()] * 5)
    t.bye()


@case("framing", "identical-messages")
def identical(t):
    """Equal messages back to back are not joined."""
    t.echo(*[text("same")] * 50)
    t.bye()


@case("framing", "header-forms-back-to-back", need=65536)
def forms_back_to_back(t):
    """All three length forms in one write, twice."""
    t.echo(*[binary(b"x" * n) for n in (5, 300, 65536)] * 2)
    t.bye()


@case("framing", "message-and-half-a-header")
def half_a_header(t):
    """A segment that ends inside the next frame's header."""
    data = t.ready(text("first"), binary(b"s" * 200))
    t.write(data, cut=[len(t.wire(text("first"))) + 3])
    t.bye()


@case("framing", "message-and-one-byte")
def one_byte_of_next(t):
    """A segment that ends behind the first byte of a frame."""
    data = t.ready(text("first"), text("second"))
    t.write(data, cut=[len(t.wire(text("first"))) + 1])
    t.bye()


@case("framing", "half-a-payload-and-more")
def half_a_payload(t):
    """A segment with the end of one frame, whole ones, a beginning."""
    data = t.ready(binary(b"1" * 100), text("2"), text("3"),
                   binary(b"4" * 100))
    t.write(data, cut=[50, len(data) - 80])
    t.bye()


@case("framing", "ping-among-messages", smoke=True)
def ping_among(t):
    """A ping in one segment with messages around it."""
    t.echo(text("before"), ping(b"between"), binary(b"after"))
    t.bye()


@case("framing", "no-message-at-all", smoke=True)
def no_message(t):
    """Handshake, Close."""
    t.bye()


@case("framing", "wait-for-each")
def wait_for_each(t):
    """Ping-pong of 50 messages."""
    for i in range(50):
        t.echo(text("message %d" % i))
    t.bye()
