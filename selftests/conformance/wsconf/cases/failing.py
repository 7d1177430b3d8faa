# SPDX-License-Identifier: GPL-2.0
"""Section 7.1.7: what happens around a failure, whatever its cause."""

from ..suite import add, case
from ..wire import Frame, binary, close, cont, ping, text

RSV = text("rsv", rsv=0x10)
NOT_UTF8 = text(b"\xffbad")
LONE = cont("lone")


def first_counts(first, second, code, or_code=None):
    """Two violations in one segment: the first one's code. But a peer may
    look at headers ahead of payload, to answer pings behind unread data; so
    behind bad text a bad header may be found first, a ping be answered."""
    def run(t):
        t.echo(text("before"))
        t.bad(first, second, payload=first is NOT_UTF8)
        t.fails(code, or_code)
    return run


add("failing", "rsv-then-utf8", first_counts(RSV, NOT_UTF8, 1002), smoke=True)
add("failing", "utf8-then-rsv", first_counts(NOT_UTF8, RSV, 1007, 1002),
    smoke=True)
add("failing", "utf8-then-continuation",
    first_counts(NOT_UTF8, LONE, 1007, 1002))
add("failing", "continuation-then-utf8", first_counts(LONE, NOT_UTF8, 1002))
add("failing", "rsv-and-utf8-in-one-frame",
    first_counts(text(b"\xff", rsv=0x40), text("x"), 1002))
add("failing", "rsv-then-close", first_counts(RSV, close(1000), 1002))
add("failing", "utf8-then-close", first_counts(NOT_UTF8, close(1000), 1007))
add("failing", "utf8-then-ping", first_counts(NOT_UTF8, ping(b"n"), 1007))
add("failing", "rsv-then-ping", first_counts(RSV, ping(b"n"), 1002))


def silent(bad, code):
    """We say nothing more, but end our direction of TCP."""
    def run(t):
        t.bad(bad)
        t.fails(code, reply=False)
    return run


add("failing", "then-fin-only-1002", silent(RSV, 1002))
add("failing", "then-fin-only-1007", silent(NOT_UTF8, 1007))


def answered(bad, code):
    """A whole frame was bad; our Close answers, our direction of TCP stays
    open: the server ends TCP by itself (section 7.1.1)."""
    def run(t):
        t.bad(bad)
        t.fails(code, fin=False)
    return run


add("failing", "server-ends-tcp-1007", answered(NOT_UTF8, 1007),
    client=False, smoke=True)
add("failing", "server-ends-tcp-1002", answered(RSV, 1002), client=False)
add("failing", "server-ends-tcp-after-continuation", answered(LONE, 1002),
    client=False)
add("failing", "server-ends-tcp-after-long-ping",
    answered(ping(b"p" * 126), 1002), client=False)


@case("failing", "server-ends-tcp-after-bad-close", client=False)
def ends_after_bad_close(t):
    """A Close that breaks the rules is still the peer's last word."""
    t.bad(close(1005))
    t.fails(1002, reply=False, fin=False)


@case("failing", "good-ones-first", smoke=True)
def good_first(t):
    """What was good and settled stays good."""
    t.echo(text("one"), binary(b"two"), ping(b"three"))
    t.bad(RSV)
    t.fails(1002)


@case("failing", "good-ones-in-same-segment")
def good_same_segment(t):
    """Good messages in front of the bad one: a correct part of their
    echoes, in order, may come before Close."""
    t.bad(t.ready(*[text("good %d" % i) for i in range(20)]), RSV)
    t.fails(1002)


@case("failing", "much-behind-it", need=100000)
def much_behind(t):
    """100 000 bytes behind the bad header: Close arrives nevertheless, not
    lost in a reset."""
    t.bad(Frame(3, bytes(100000)))
    t.fails(1002)


@case("failing", "much-text-behind-it", need=100000)
def much_text_behind(t):
    """The same behind a bad byte of text."""
    t.bad(text(b"\xff" + b"a" * 100000))
    t.fails(1007)


@case("failing", "frames-behind-it")
def frames_behind(t):
    """Two hundred good frames behind it are not served."""
    t.bad(RSV, *[ping(b"%d" % i) for i in range(100)],
          *[binary(b"%d" % i) for i in range(100)])
    t.fails(1002)


@case("failing", "in-the-middle-of-a-message")
def middle(t):
    """Fragments that were good, then a bad header."""
    t.send(text("good", fin=False), cont("good", fin=False))
    t.echo(ping(b"settled"))
    t.bad(Frame(0, b"bad", rsv=0x20), upto=1)
    t.fails(1002)


@case("failing", "next-connection-is-fresh")
def fresh(t):
    """Nothing is left of earlier failures."""
    t.echo(text("clean"), binary(b"slate"), ping(b""))
    t.bye()
