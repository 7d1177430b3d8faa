# SPDX-License-Identifier: GPL-2.0
"""Section 7.1.5 and below: TCP ends without a closing handshake.

The peer ends its direction too, having echoed what was whole; nobody may
hang, and the cases behind these show that it still serves.
"""

from ..suite import add, case
from ..wire import binary, close, cont, ping, text


def cut_in(frame, upto, *before):
    """FIN behind so many bytes of a frame."""
    def run(t):
        if before:
            t.send(*before)
        if before and before[-1].fin:
            t.settle()
        t.stump(frame, upto)
        t.cut_off()
    return run


add("tcp", "fin-in-first-byte", cut_in(text("never"), 1), smoke=True)
add("tcp", "fin-in-16-bit-length", cut_in(binary(b"n" * 300), 3))
add("tcp", "fin-in-64-bit-length", cut_in(binary(b"n" * 70000), 7),
    need=70000)
add("tcp", "fin-in-key", cut_in(text("never"), 4), client=False)
add("tcp", "fin-before-payload", cut_in(ping(b"never"), -5), smoke=True)
add("tcp", "fin-in-ping", cut_in(ping(b"never"), -2))
add("tcp", "fin-in-close", cut_in(close(1000), -1))
add("tcp", "fin-in-header-of-continuation",
    cut_in(cont("never"), 1, text("begun", fin=False)))
add("tcp", "fin-in-header-after-messages",
    cut_in(text("never"), 1, text("one"), binary(b"two")))


@case("tcp", "fin-after-handshake", smoke=True)
def at_once(t):
    """Not one frame."""
    t.cut_off()


@case("tcp", "fin-after-message", smoke=True)
def after_message(t):
    """Between messages."""
    t.echo(text("one"))
    t.cut_off()


@case("tcp", "fin-behind-messages")
def behind_messages(t):
    """Messages and FIN at once: their echoes come, then the end."""
    t.send(*[text("message %d" % i) for i in range(20)])
    t.half_close()
    t.settle()
    t.cut_off()


@case("tcp", "fin-between-fragments")
def between_fragments(t):
    """In the middle of a message, between its frames."""
    t.send(text("begun, ", fin=False), cont("goes on", fin=False))
    t.echo(ping(b"there?"))
    t.cut_off()


@case("tcp", "fin-in-payload")
def in_payload(t):
    """A part of the payload, which may be echoed, then the end."""
    t.part(binary(b"only half of this"), 9)
    t.cut_off()


@case("tcp", "fin-in-character")
def in_character(t):
    """The text ends in the middle of a character and of a frame."""
    t.part(text("€uro"), 2)
    t.cut_off()


@case("tcp", "reset-after-handshake")
def reset_at_once(t):
    """A reset at once."""
    t.reset()


@case("tcp", "reset-in-header", smoke=True)
def reset_in_header(t):
    """A reset in the middle of a header."""
    t.echo(text("one"))
    t.stump(text("never"), 1)
    t.reset()


@case("tcp", "reset-between-messages")
def reset_between(t):
    """A reset between messages."""
    t.echo(text("one"), binary(b"two"))
    t.reset()


@case("tcp", "serves-after-those")
def serves(t):
    """The peer is well."""
    t.echo(text("still there?"), ping(b"?"))
    t.bye()
