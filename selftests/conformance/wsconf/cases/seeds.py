# SPDX-License-Identifier: GPL-2.0
"""Vectors of the "websocket" pluggable transport's specification.

Good ones as printed there, its misprints as printed (they must fail) and
as they were meant.
"""

from ..suite import add, case
from ..wire import Frame, binary, close, cont, text

H = bytes.fromhex

KEYS = {"binary": ("mzo2xSF9N8VUxuefqO0RSw==", "fM0KjD7ixoxkl4PEXU6tNaTveSg="),
        "base64": ("k5Ybhw0XBDeBfmda1J9ooQ==", "LYWpflPUHdal8U1BLPXWR3iqUrI=")}


def accept(key, answer):
    """A printed key gets the printed answer."""
    def run(t):
        t.handshake(key=key.encode(), accept=answer)
        t.echo(text("open"))
        t.bye()
    return run


for which, pair in KEYS.items():
    add("seeds", "accept-key-%s" % which, accept(*pair), upgrade=True,
        client=False, smoke=True)


def exact(data, *frames):
    """Printed bytes: what they unmask to must come back."""
    def run(t):
        t.ready(*frames)
        t.write(data)
        t.settle()
        t.bye()
    return run


@case("seeds", "binary-frame-of-260", client=False, smoke=True)
def binary_260(t):
    """82 fe 01 04, key c9d6dd29: 16 03 03 00 ff 01 and 254 bytes more."""
    frame = Frame(2, H("16030300ff01") + bytes(254), key=H("c9d6dd29"))
    data = t.ready(frame)
    assert data.startswith(H("82fe0104c9d6dd29dfd5de2936d7"))
    t.write(data)
    t.bye()


@case("seeds", "text-frame-of-344", client=False)
def text_344(t):
    """81 fe 01 58, key bd942a31: FgMDAP and 338 characters more."""
    frame = text("FgMDAP" + "8B" * 169, key=H("bd942a31"))
    data = t.ready(frame)
    assert data.startswith(H("81fe0158bd942a31fbf36775fcc4"))
    t.write(data)
    t.bye()


@case("seeds", "server-text-frame-of-1232", server=False)
def text_1232(t):
    """81 7e 04 d0: FgMBADECAA and 1222 characters more."""
    frame = text("FgMBADECAA" + "A" * 1222)
    data = t.ready(frame)
    assert data.startswith(H("817e04d0") + b"FgMBADECAA")
    t.write(data)
    t.bye()


def pieces(*parts):
    """SGVsbG8= in frames."""
    frames = [text(parts[0], fin=len(parts) == 1)]
    frames += [cont(p, fin=i == len(parts)) for i, p in
               enumerate(parts[1:], 2)]

    def run(t):
        t.echo(*frames)
        t.bye()
    return run


add("seeds", "hello-in-one-frame", pieces("SGVsbG8="))
add("seeds", "hello-in-two-frames", pieces("SG", "VsbG8="))
add("seeds", "hello-in-eight-frames", pieces(*"SGVsbG8="))


@case("seeds", "hello-masked", client=False)
def hello_masked(t):
    """The masked example with the length byte that was meant (88)."""
    frame = text("SGVsbG8=", key=H("12345678"))
    data = t.ready(frame)
    assert data == H("8188123456784173000b70736e45")
    t.write(data)
    t.bye()


@case("seeds", "hello-masked-misprint", client=False, smoke=True)
def hello_misprint(t):
    """As printed, 81 18: no mask bit, and a length of 24."""
    t.bad(H("8118123456784173000b70736e45"))
    t.fails(1002)


@case("seeds", "two-frames-misprint", smoke=True)
def two_frames_misprint(t):
    """As printed, 01 02 "SG" 81 06 "sbG8=": a new text inside a message;
    its first byte tells."""
    t.send(text("SG", fin=False))
    t.bad(text("sbG8=", declare=6), b"?", upto=1)
    t.fails(1002)


@case("seeds", "short-second-frame-misprint")
def short_second(t):
    """The second frame with the right opcode and five of its six bytes:
    nothing is wrong, and nothing comes back, until TCP ends."""
    t.send(text("SG", fin=False))
    t.part(cont("sbG8=", declare=6), 5)
    t.cut_off()


@case("seeds", "answer-without-header-misprint", server=False, smoke=True)
def no_header(t):
    """As printed, the server's first bytes are a TLS record without frame
    header: RSV3 and opcode 6 in their first byte."""
    t.bad(H("16030100310200002d03"), upto=1)
    t.fails(1002)


@case("seeds", "answer-with-header", server=False)
def with_header(t):
    """The same record in a frame."""
    t.echo(binary(H("16030100310200002d03")))
    t.bye()


@case("seeds", "block-of-1500")
def block(t):
    """1500 bytes in one message must pass."""
    t.echo(binary(bytes(i * 7 & 255 for i in range(1500))))
    t.bye()


@case("seeds", "block-of-1500-in-base64")
def block_base64(t):
    """The same as 2026 characters of base64 with line feeds."""
    t.echo(text(("A" * 76 + "\n") * 26 + "A" * 22 + "=\n"))
    t.bye()


@case("seeds", "stream-cut-anywhere")
def cut_anywhere(t):
    """A byte stream in messages of all kinds of sizes: what comes back is
    the same stream, and here even the same messages."""
    stream = bytes(i * 31 & 255 for i in range(3000))
    at = 0
    for size in (1, 5, 0, 517, 2, 1000, 125, 126, 1, 1223):
        t.send(binary(stream[at:at + size]))
        at += size
    t.bye()


@case("seeds", "first-data-behind-101", server=False, upgrade=True)
def behind_101(t):
    """The first data rides with the 101."""
    t.handshake(extra=t.ready(binary(H("16030100310200002d03"))))
    t.settle()
    t.bye()


@case("seeds", "over-the-limit", need=0)
def limit_code(t):
    """1009 is a code that a peer may send: it is answered as any other."""
    t.echo(text("fine"))
    t.send(close(1009, "too long"))
    t.closes(1009, "too long")
