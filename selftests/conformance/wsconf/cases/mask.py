# SPDX-License-Identifier: GPL-2.0
"""Sections 5.1 and 5.3: who masks, with what, and the phase of the mask."""

from ..suite import add, case
from ..wire import (Frame, binary, close, cont, ping, pong, text, BINARY)
from ..link import Fail

WRONG = {
    "text": text("unwanted"),
    "binary": binary(b"unwanted"),
    "empty": text(""),
    "ping": ping(b"unwanted"),
    "pong": pong(b"unwanted"),
    "close": close(1000),
    "begun": text("unwanted", fin=False),
    "16-bit-length": binary(b"u" * 300),
    "64-bit-length": binary(b"u" * 70000),
}


def wrong_mask(frame, *before):
    """Mask bit that does not fit our role: known from the second byte."""
    def run(t):
        if before:
            t.send(*before)
        if before and before[-1].fin:
            t.settle()
        bad = Frame(frame.op, frame.payload, fin=frame.fin,
                    masked=not t.client)
        t.bad(bad, upto=2)
        t.fails(1002)
    return run


def wrong():
    """Unmasked from a client, masked from a server."""
    for name, frame in WRONG.items():
        add("mask", "wrong-%s" % name, wrong_mask(frame),
            smoke=name in ("text", "ping", "close"))
        if name in ("text", "ping", "64-bit-length"):
            add("mask", "wrong-%s-after-good" % name,
                wrong_mask(frame, text("good"), binary(b"too")))
    add("mask", "wrong-continuation",
        wrong_mask(cont("unwanted"), text("good", fin=False)))
    add("mask", "wrong-ping-between-fragments",
        wrong_mask(ping(b""), binary(b"good", fin=False)))


KEYS = {
    "zero": bytes(4),
    "all-ones": b"\xff" * 4,
    "low-bit": bytes.fromhex("00000001"),
    "high-bit": bytes.fromhex("80000000"),
    "counting": bytes.fromhex("01020304"),
    "one-zero-byte": bytes.fromhex("a500a5a5"),
}


def with_key(key):
    """Every alignment of the payload's end, one key."""
    def run(t):
        for n in range(10):
            t.send(binary(bytes(range(200, 200 + n)), key=key))
        t.echo(text("with this key", key=key))
        t.bye()
    return run


def keys():
    """Keys mean nothing by themselves."""
    for name, key in KEYS.items():
        add("mask", "key-%s" % name, with_key(key), client=False,
            smoke=name == "zero")


wrong()
keys()


@case("mask", "payload-equals-key", client=False)
def payload_equals_key(t):
    """On the wire the payload is all zeros."""
    t.echo(binary(b"\xde\xad\xbe\xef" * 8, key=b"\xde\xad\xbe\xef"))
    t.bye()


@case("mask", "masked-bytes-like-frames", client=False)
def masked_like_frames(t):
    """On the wire the payload looks like Close frames."""
    key = b"\x11\x22\x33\x44"
    clear = bytes(a ^ b for a, b in zip(b"\x88\x02\x03\xe8" * 4, key * 4))
    t.echo(binary(clear, key=key))
    t.bye()


@case("mask", "same-key-twice", client=False)
def same_key(t):
    """A client that repeats its key is careless, not wrong on the wire."""
    t.echo(*[text("again", key=b"abcd")] * 20)
    t.bye()


@case("mask", "phase-starts-with-each-frame", smoke=True)
def phase_per_frame(t):
    """Fragments of 1 to 7 bytes: the mask begins anew with each."""
    t.send(binary(b"", fin=False))
    for n in (1, 2, 3, 5, 6, 7):
        t.send(cont(bytes([n]) * n, fin=False))
    t.echo(cont(b"last"))
    t.bye()


@case("mask", "phase-survives-every-cut")
def phase_and_cuts(t):
    """A payload of 9 bytes cut in two at each place."""
    for at in range(10):
        frame = text("123456789")
        head = len(t.wire(frame)) - 9
        t.echo(frame, cut=[head + at])
    t.bye()


@case("mask", "phase-after-control-frame")
def phase_after_control(t):
    """A ping of odd length between fragments of odd length."""
    t.echo(binary(b"abc", fin=False), ping(b"12345"), cont(b"defgh"))
    t.bye()


@case("mask", "phase-in-one-byte-writes", need=64)
def phase_in_bytes(t):
    """One byte a segment, three times 21 bytes."""
    for _ in range(3):
        t.echo(binary(bytes(range(21))), cut=1)
    t.bye()


@case("mask", "server-never-masks", client=False)
def server_never_masks(t):
    """All kinds of frames that a server sends by itself."""
    t.echo(text("data"), binary(b"more" * 100), ping(b"control"))
    t.echo(text("in", fin=False), cont("pieces"))
    t.bye(1001)


@case("mask", "client-always-masks", server=False)
def client_always_masks(t):
    """All kinds of frames, the empty ones included."""
    t.echo(text(), binary(), ping(), text("data"), ping(b"control"))
    t.bye(1001)
    if len(t.keys) < 6:
        raise Fail("%d frames had a key" % len(t.keys))


@case("mask", "client-keys-are-fresh", server=False, smoke=True)
def keys_are_fresh(t):
    """Section 5.3: a key for each frame, not to be predicted. Of 64 keys
    none repeats, and each of the 32 bits is seen set and clear."""
    for i in range(64):
        t.echo(binary(b"%d" % i))
    t.bye()
    if len(set(t.keys)) != len(t.keys):
        raise Fail("a masking key was used twice")
    values = [int.from_bytes(key, "big") for key in t.keys]
    ones = zeros = 0
    for value in values:
        ones |= value
        zeros |= ~value
    if ones != 0xffffffff or zeros & 0xffffffff != 0xffffffff:
        raise Fail("a bit of the masking key never changes")


@case("mask", "client-hides-the-payload", server=False)
def hides(t):
    """Section 10.3: what looks like HTTP is not on the client's wire."""
    clear = b"GET /evil HTTP/1.1"
    t.echo(Frame(BINARY, clear))
    if clear in t.got:
        raise Fail("payload in clear on the wire")
    t.bye()
