# SPDX-License-Identifier: GPL-2.0
"""Section 8.1 and RFC 3629: text is UTF-8, judged at the first bad byte.

"fast" cases send a frame up to its first bad byte, and Close 1007 must come
while the rest is held back; "fragment" cases have a frame for each byte.
"""

from ..suite import add, case
from ..wire import binary, cont, ping, text

PREFIX = "κόσμε "

# Name: text. Edges of each length, non-characters (valid: section 8.1 asks
# for UTF-8, not for assigned characters), scripts.
VALID = {
    "nul": "\0",
    "u+007f": "\x7f",
    "u+0080": "\x80",
    "u+07ff": "\u07ff",
    "u+0800": "\u0800",
    "u+0fff": "\u0fff",
    "u+1000": "\u1000",
    "u+d7ff": "\ud7ff",
    "u+e000": "\ue000",
    "u+fdd0": "\ufdd0",
    "u+feff": "\ufeff",
    "u+fffd": "\ufffd",
    "u+fffe": "\ufffe",
    "u+ffff": "\uffff",
    "u+10000": "\U00010000",
    "u+1ffff": "\U0001ffff",
    "u+3ffff": "\U0003ffff",
    "u+40000": "\U00040000",
    "u+fffff": "\U000fffff",
    "u+100000": "\U00100000",
    "u+10ffff": "\U0010ffff",
    "greek": "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία",
    "german": "Größe, Äpfel, Öl und Übermut",
    "russian": "Съешь ещё этих мягких французских булок",
    "chinese": "天地玄黄宇宙洪荒",
    "japanese": "いろはにほへと ちりぬるを",
    "thai": "เป็นมนุษย์สุดประเสริฐ",
    "arabic": "مرحبا بالعالم",
    "combining": "e\u0301a\u0308o\u0302\u0303",
    "emoji": "\U0001f469\u200d\U0001f4bb \U0001f3f4\U000e0067\U000e007f",
    "all-lengths": "a\u00a2\u20ac\U00010348" * 5,
}

# Shapes beyond the whole frame, for these.
SPLIT = ("u+0080", "u+0800", "u+10000", "u+10ffff", "greek", "chinese",
         "emoji", "all-lengths")

# Bytes, index of the first that cannot stand there (RFC 3629 section 4).
INVALID = {
    "lone-80": ("80", 0),
    "lone-bf": ("bf", 0),
    "lone-80-twice": ("80 bf", 0),
    "c0-80": ("c0 80", 0),
    "c0-af": ("c0 af", 0),
    "c1-bf": ("c1 bf", 0),
    "e0-80-80": ("e0 80 80", 1),
    "e0-80-af": ("e0 80 af", 1),
    "e0-9f-bf": ("e0 9f bf", 1),
    "f0-80-80-80": ("f0 80 80 80", 1),
    "f0-80-80-af": ("f0 80 80 af", 1),
    "f0-8f-bf-bf": ("f0 8f bf bf", 1),
    "f8-five-bytes": ("f8 88 80 80 80", 0),
    "f8-overlong": ("f8 80 80 80 af", 0),
    "fc-six-bytes": ("fc 84 80 80 80 80", 0),
    "fe": ("fe", 0),
    "ff": ("ff", 0),
    "fe-fe-ff-ff": ("fe fe ff ff", 0),
    "surrogate-d800": ("ed a0 80", 1),
    "surrogate-dbff": ("ed af bf", 1),
    "surrogate-dc00": ("ed b0 80", 1),
    "surrogate-dfff": ("ed bf bf", 1),
    "surrogate-pair": ("ed a1 8c ed be b4", 1),
    "above-f4-90": ("f4 90 80 80", 1),
    "above-f4-bf": ("f4 bf bf bf", 1),
    "above-f5": ("f5 80 80 80", 0),
    "above-f7": ("f7 bf bf bf", 0),
    "c2-then-ascii": ("c2 41", 1),
    "df-then-ascii": ("df 7f", 1),
    "c2-then-c2": ("c2 c2 80", 1),
    "e1-then-ascii": ("e1 41", 1),
    "e1-80-then-ascii": ("e1 80 41", 2),
    "e1-80-then-lead": ("e1 80 e1 80 80", 2),
    "e1-then-c0": ("e1 c0 80", 1),
    "ed-9f-then-ascii": ("ed 9f 41", 2),
    "f1-then-ascii": ("f1 41", 1),
    "f1-80-then-ascii": ("f1 80 41", 2),
    "f1-80-80-then-ascii": ("f1 80 80 41", 3),
    "f1-80-80-then-ff": ("f1 80 80 ff", 3),
    "f4-8f-bf-then-lead": ("f4 8f bf c2 80", 3),
    "good-then-lone-bf": ("c2 80 bf", 2),
    "three-then-fourth": ("e2 82 ac 80", 3),
    "four-then-fifth": ("f0 90 8d 88 80", 4),
}

# Nothing is wrong until the message ends.
TRUNCATED = {"c2": "c2", "df": "df", "e0-a0": "e0 a0", "e1": "e1",
             "ef-bf": "ef bf", "f0": "f0", "f0-90": "f0 90",
             "f0-90-80": "f0 90 80", "f4-8f-bf": "f4 8f bf"}


def whole(string):
    """One frame, one write."""
    def run(t):
        t.echo(text(string))
        t.bye()
    return run


def one_byte_frames(data):
    """A text message of one frame for each byte, the last one FIN."""
    frames = [text(data[:1], fin=len(data) == 1)]
    for i in range(1, len(data)):
        frames.append(cont(data[i:i + 1], fin=i == len(data) - 1))
    return frames


def fragmented(string):
    """A frame for each byte."""
    def run(t):
        for frame in one_byte_frames(string.encode()):
            t.send(frame)
        t.bye()
    return run


def chopped(string):
    """One frame, a write for each byte."""
    def run(t):
        t.echo(text(string), cut=1)
        t.bye()
    return run


def fast(data, good):
    """One frame with a good text in front; the rest is held back."""
    prefix = PREFIX.encode()

    def run(t):
        frame = text(prefix + data + b" and more")
        head = len(t.wire(frame)) - len(frame.payload)
        good_here = len(prefix) + good
        t.bad(frame, good=good_here, upto=head + good_here + 1, payload=True)
        t.fails(1007)
    return run


def fast_fragment(data, good):
    """A frame for each byte; those behind the bad byte are held back."""
    def run(t):
        frames = one_byte_frames(PREFIX.encode() + data + b"!")
        bad = len(PREFIX.encode()) + good
        for frame in frames[:bad]:
            t.send(frame)
        t.bad(*frames[bad:], upto=len(t.wire(frames[bad])), payload=True)
        t.fails(1007)
    return run


def truncated(data):
    """A final frame that ends inside a character."""
    def run(t):
        frame = text(PREFIX.encode() + data)
        t.bad(frame, good=len(frame.payload))
        t.fails(1007)
    return run


def truncated_by_empty(data):
    """The bytes are fine for a fragment; the empty last frame is not."""
    def run(t):
        t.send(text(PREFIX.encode() + data, fin=False))
        t.echo(ping(b"good so far?"))
        t.bad(cont(b""))
        t.fails(1007)
    return run


def fill():
    """Tables into cases."""
    for name, string in VALID.items():
        add("utf8", "valid-%s" % name, whole(string),
            smoke=name in ("greek", "u+10ffff"))
        if name in SPLIT:
            add("utf8", "valid-%s-fragments" % name, fragmented(string),
                smoke=name == "all-lengths")
            add("utf8", "valid-%s-writes" % name, chopped(string))
    for name, (octets, good) in INVALID.items():
        data = bytes.fromhex(octets)
        add("utf8", "fast-%s" % name, fast(data, good),
            smoke=name in ("c0-80", "surrogate-d800", "above-f4-90",
                           "f1-80-80-then-ascii"))
        add("utf8", "fragment-%s" % name, fast_fragment(data, good),
            smoke=name == "e1-80-then-lead")
    for name, octets in TRUNCATED.items():
        data = bytes.fromhex(octets)
        add("utf8", "truncated-%s" % name, truncated(data),
            smoke=name == "f0-90-80")
        add("utf8", "truncated-%s-then-empty" % name,
            truncated_by_empty(data))
    for n in (1, 3, 7, 8, 15, 16, 31, 64, 1000):
        add("utf8", "fast-behind-%d-ascii" % n, bad_at(b"a" * n), sized=True)


def bad_at(good):
    """A bad byte behind so much ASCII, more of it held back."""
    def run(t):
        frame = text(good + b"\xff" + good)
        t.bad(frame, good=len(good), upto=-len(good), payload=True)
        t.fails(1007)
    return run


fill()


@case("utf8", "first-byte-of-message", smoke=True)
def first_byte(t):
    """The bad byte is the first of the payload."""
    t.bad(text(b"\xffrest"), upto=-4, payload=True)
    t.fails(1007)


@case("utf8", "only-byte-of-message")
def only_byte(t):
    """A message of one bad byte."""
    t.bad(text(b"\x80"))
    t.fails(1007)


@case("utf8", "state-ends-with-message")
def state_ends(t):
    """A character does not go on in the next message."""
    t.echo(text("ends well"))
    t.bad(text(b"\x80starts badly"), upto=-12, payload=True)
    t.fails(1007)


@case("utf8", "third-message-bad")
def third_bad(t):
    """Two good ones first, and echoed."""
    t.echo(text("good €"), binary(b"\xff\xff"))
    t.bad(text(b"bad \xe2\x28\xa1"), good=5, upto=-1, payload=True)
    t.fails(1007)


@case("utf8", "binary-is-not-checked")
def binary_not_checked(t):
    """Neither in one frame nor in fragments."""
    t.echo(binary(b"\xc0\x80\xff"), binary(b"\xed", fin=False),
           cont(b"\xa0\x80"))
    t.bye()


@case("utf8", "binary-leaves-no-state")
def binary_no_state(t):
    """A binary message's odd end does not touch the text behind it."""
    t.echo(binary(b"\xe2\x82"), text("\u20ac"))
    t.bye()


@case("utf8", "ping-inside-a-character", smoke=True)
def ping_inside(t):
    """Control frames, with bytes that are not UTF-8, between the bytes of
    a character."""
    data = "\U0001f600".encode()
    t.send(text(data[:1], fin=False))
    for i in (1, 2):
        t.echo(ping(b"\xff\xc0\x80"))
        t.send(cont(data[i:i + 1], fin=False))
    t.echo(ping(b"\x9f"), cont(data[3:]))
    t.bye()


@case("utf8", "empty-fragments-inside-a-character")
def empties_inside(t):
    """Empty frames between the bytes of a character."""
    data = "\u20ac".encode()
    t.echo(text(data[:1], fin=False), cont("", fin=False),
           cont(data[1:2], fin=False), cont("", fin=False), cont(data[2:]))
    t.bye()


@case("utf8", "empty-then-bad")
def empty_then_bad(t):
    """Empty frames in front of the bad byte."""
    t.send(text("", fin=False), cont("", fin=False))
    rest = cont("rest")
    t.bad(cont(b"\xc1", fin=False), rest, upto=-len(t.wire(rest)), payload=True)
    t.fails(1007)


@case("utf8", "bad-behind-fragment-boundary")
def bad_behind_boundary(t):
    """A character begun in one frame, broken in the next."""
    t.send(text(b"\xf0\x9f", fin=False))
    t.bad(cont(b"\x98\x41rest"), good=1, upto=-4, payload=True)
    t.fails(1007)


@case("utf8", "in-last-fragment")
def in_last_fragment(t):
    """All good but for a byte of the final frame."""
    t.send(text("good, ", fin=False), cont("good, ", fin=False))
    t.bad(cont(b"and \xbf bad"), good=4, upto=-4, payload=True)
    t.fails(1007)


@case("utf8", "bad-then-ping-behind")
def bad_then_ping(t):
    """Of what follows in the same segment only the ping may be served."""
    t.bad(text(b"\xfe"), ping(b"perhaps"), text("never"), payload=True)
    t.fails(1007)


@case("utf8", "64k-good-then-bad", need=70000)
def long_then_bad(t):
    """A bad byte behind 65536 bytes of mixed text."""
    good = ("a\u00a2\u20ac\U00010348" * 6554)[:26214].encode()
    frame = text(good + b"\xc2\x20" + good)
    t.bad(frame, good=len(good) + 1, upto=-len(good), payload=True)
    t.fails(1007)


@case("utf8", "all-code-points", need=150000)
def all_code_points(t):
    """Every code point once, in messages of up to 131072 bytes."""
    points = list(range(0xd800)) + list(range(0xe000, 0x110000))
    for at in range(0, len(points), 32768):
        t.echo(text("".join(map(chr, points[at:at + 32768]))))
    t.bye()
