# SPDX-License-Identifier: GPL-2.0
"""One connection to the peer under test, which echoes messages.

A Link knows what it sent and hence what may come back: each message once, in
order, with its type; a pong for the newest ping at least. How the echo is
cut into frames is the peer's business. Everything is judged as it arrives,
so a case only says what it sends and how the connection must end.
"""

import base64
import errno
import hashlib
import os
import select
import socket
import struct
import time

from . import wire

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_MAX = 16384
SHOWN = 48                              # bytes of hex in a failure's reason


class Fail(Exception):
    """The peer did not do what the case demands."""


def show(data):
    """Bytes in hex, the middle left out when they are many."""
    data = bytes(data)
    if len(data) <= SHOWN:
        return data.hex(" ") or "(none)"
    half = SHOWN // 2
    return "%s .. %s (%d bytes)" % (data[:half].hex(" "),
                                    data[-half:].hex(" "), len(data))


def code_on_wire(code):
    """May this code stand in a Close? Section 7.4 and IANA's registry."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or \
        3000 <= code <= 4999


class Totals:
    """What the peers must have counted, summed over the connections.

    Frames that the peer has read for certain are "sure"; "most" adds those
    that stood in, or behind, what broke the protocol.
    """

    NAMES = ("sure_connections", "most_connections", "sure_frames",
             "most_frames", "sure_messages", "sure_bytes", "most_bytes",
             "sure_pings", "most_pings", "frames", "messages", "bytes",
             "pongs", "closes", "failed_1002", "failed_1007", "failed_1009")

    def __init__(self):
        self.n = dict.fromkeys(self.NAMES, 0)

    def add(self, other):
        """Sum up another connection's totals."""
        for name, value in other.n.items():
            self.n[name] += value


class Link:
    """See the module's text.

    @client: we are the client, so we mask
    @limit: seconds without one byte moving after which a wait fails
    @strict: the peer's Close holds no more than the code, TCP ends by FIN
    @late: "text": give the peer the rest of bad text as well, so that it may
        judge whole messages; "all": the rest of whatever is bad
    @host: for the Host field
    """

    def __init__(self, sock, client, limit, strict=False, late=None,
                 host="localhost"):
        self.sock, self.client, self.host = sock, client, host
        self.limit, self.strict, self.late = limit, strict, late
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.poll = select.poll()
        self.reader = wire.Reader(masked=not client)
        self.raw = None                 # bytes of the HTTP handshake
        self.sent, self.got = bytearray(), bytearray()
        self.totals = Totals()
        self.want, self.seen = [], 0    # messages to come back, came back
        self.ours = None                # message being sent: [op, bytes]
        self.theirs = None              # message being received
        self.pings = []                 # payloads not answered yet
        self.keys = []                  # masking keys that the peer used
        self.closed = None              # the peer's Close: (code, reason)
        self.end = None                 # "FIN" or "RST", once TCP ended
        self.held = b""                 # rest of what bad() or part() began
        self.rest_of = None             # frame that part() began
        self.chunk = 262144             # bytes of one recv()
        self.reluctant = False          # read only when nothing can be sent

    # -- bytes

    def _remember(self, log, data):
        log += data
        if len(log) > 4 * SHOWN:
            log[SHOWN:-SHOWN * 2] = b""

    def _wait(self, events, what):
        self.poll.register(self.sock, events)
        ready = self.poll.poll(self.limit * 1000)
        if not ready:
            raise Fail("nothing moved for %g s, waiting for %s" %
                       (self.limit, what))
        return ready[0][1]

    def _read(self):
        """Take what is there, judge it. False when nothing was."""
        if self.end:
            return False
        try:
            data = self.sock.recv(self.chunk)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            self.end = "RST"
            return True
        if not data:
            self.end = "FIN"
            return True
        self._remember(self.got, data)
        if self.raw is not None:
            self.raw += data
        else:
            self._judge(data)
        return True

    def _write(self, data, force=False):
        """Write everything, reading meanwhile.

        @force: the peer may be gone already
        """
        view = memoryview(data)
        self._remember(self.sent, data)
        try:
            while view:
                view = view[self._write_some(view):]
        except OSError as err:
            gone = err.errno in (errno.EPIPE, errno.ECONNRESET)
            if not gone or not (force or self.closed or self.end):
                raise Fail("send: %s" % err.strerror) from err

    def _write_some(self, view):
        if not self.reluctant and not self.end:
            self._read()
        try:
            return self.sock.send(view)
        except BlockingIOError:
            pass
        events = select.POLLOUT | (0 if self.end else select.POLLIN)
        if self._wait(events, "room to send into") & select.POLLIN:
            self._read()
        return 0

    def until(self, done, what):
        """Read until done() holds or TCP has ended."""
        while not done() and not self.end:
            if not self._read():
                self._wait(select.POLLIN, what)

    # -- what arrives

    def _judge(self, data):
        try:
            for frame in self.reader.feed(data):
                self._frame(*frame)
        except wire.Violation as err:
            raise Fail("peer broke RFC 6455: %s" % err) from err

    def _frame(self, op, fin, payload, key):
        if self.closed is not None:
            raise Fail("%s frame after Close" % wire.NAMES[op])
        self.totals.n["frames"] += 1
        if key is not None:
            self.keys.append(key)
        if op == wire.PONG:
            self._pong(payload)
        elif op == wire.PING:
            raise Fail("ping %s, though keepalive is off" % show(payload))
        elif op == wire.CLOSE:
            self._close(payload)
        else:
            self._data(op, fin, payload)

    def _pong(self, payload):
        self.totals.n["pongs"] += 1
        if payload not in self.pings:
            raise Fail("pong %s answers no ping; outstanding: %s" %
                       (show(payload), [show(p) for p in self.pings]))
        del self.pings[:self.pings.index(payload) + 1]

    def _close(self, payload):
        if not payload:
            self.closed = (None, b"")
        elif len(payload) == 1:
            raise Fail("Close with a body of one byte")
        else:
            self.closed = (struct.unpack("!H", payload[:2])[0], payload[2:])
        code, reason = self.closed
        self.totals.n["closes"] += 1
        if code is not None and not code_on_wire(code):
            raise Fail("Close with code %d" % code)
        try:
            reason.decode()
        except UnicodeDecodeError as err:
            raise Fail("reason is not UTF-8: %s" % show(reason)) from err
        if self.reader.buf:
            raise Fail("bytes after Close: %s" % show(self.reader.buf))

    def _data(self, op, fin, payload):
        self.totals.n["bytes"] += len(payload)
        if op != wire.CONT:
            self.theirs = [op, bytearray()]
        self.theirs[1] += payload
        if not fin:
            return
        op, whole = self.theirs
        self.theirs = None
        self.totals.n["messages"] += 1
        if self.seen == len(self.want):
            raise Fail("%s message that was not sent: %s" %
                       (wire.NAMES[op], show(whole)))
        self._same(self.want[self.seen], op, whole)
        self.seen += 1

    def _same(self, want, op, whole):
        if want[0] != op:
            raise Fail("message %d: %s sent, %s came back" %
                       (self.seen, wire.NAMES[want[0]], wire.NAMES[op]))
        if want[1] != whole:
            at = len(os.path.commonprefix([want[1], bytes(whole)]))
            raise Fail("message %d: %d bytes sent, %d came back, from byte %d "
                       "on %s in place of %s" %
                       (self.seen, len(want[1]), len(whole), at,
                        show(whole[at:]), show(want[1][at:])))

    # -- what we send

    def _note(self, frame):
        """A good frame is about to leave: expect its echo or its pong."""
        n = self.totals.n
        n["sure_frames"] += 1
        n["most_frames"] += 1
        if frame.op == wire.PING:
            self.pings.append(frame.payload)
            n["sure_pings"] += 1
            n["most_pings"] += 1
        if frame.op & wire.CONTROL:
            return
        n["sure_bytes"] += len(frame.payload)
        n["most_bytes"] += len(frame.payload)
        self._grow(frame, frame.payload)
        if frame.fin:
            self._whole()

    def _grow(self, frame, good):
        """Bytes of a data frame that may come back from now on."""
        if frame.op != wire.CONT:
            self.ours = [frame.op, bytearray()]
        self.ours[1] += good

    def _whole(self):
        """The message has its last byte: it must come back."""
        self.want.append((self.ours[0], bytes(self.ours[1])))
        self.ours = None
        self.totals.n["sure_messages"] += 1

    def wire(self, *frames):
        """The bytes of frames in our role."""
        return b"".join(b"".join(f.header_and_body(self.client))
                        for f in frames)

    def _alive(self):
        """Fail if the peer ended the connection: we have more to say."""
        self._read()
        if self.closed is not None:
            raise Fail("Close %s came before anything was wrong" %
                       (self.closed[0],))
        if self.end:
            raise Fail("TCP ended (%s) before anything was wrong" % self.end)

    def write(self, data, cut=None):
        """Write bytes in pieces.

        @cut: None: one piece; an int: pieces of that size; else their sizes
        """
        if cut is None:
            self._write(data)
            return
        sizes = iter(cut) if not isinstance(cut, int) else None
        at = 0
        while at < len(data):
            size = cut if sizes is None else next(sizes, len(data) - at)
            self._write(data[at:at + size])
            at += size

    def ready(self, *frames):
        """Expect the answers to good frames; return their bytes."""
        for frame in frames:
            self._note(frame)
        return self.wire(*frames)

    def send(self, *frames, ignored=(), cut=None):
        """Send good frames, back to back, in pieces as write() has them.

        @ignored: frames or bytes to write behind them, of which the peer
            must take no notice
        """
        self._alive()
        data = self.ready(*frames)
        for item in ignored:
            data += item if isinstance(item, bytes) else self.wire(item)
            self._note_bad(item)
        self.write(data, cut)

    def part(self, frame, size):
        """Send a good frame's header and @size bytes of its payload."""
        self._alive()
        head, body = frame.header_and_body(self.client)
        self._grow(frame, frame.payload[:size])
        self.rest_of, self.held = (frame, size), body[size:]
        self.totals.n["most_frames"] += 1
        self.totals.n["most_bytes"] += len(frame.payload)
        self.write(head + body[:size])

    def rest(self, cut=None):
        """Send the rest of what part() began."""
        self._alive()
        held, self.held = self.held, b""
        (frame, size), self.rest_of = self.rest_of, None
        self.ours[1] += frame.payload[size:]
        self.totals.n["sure_frames"] += 1
        self.totals.n["sure_bytes"] += len(frame.payload)
        if frame.fin:
            self._whole()
        self.write(held, cut)

    def bad(self, *items, good=0, upto=None, cut=None, payload=False):
        """Send what breaks the protocol: frames or plain bytes.

        @good: so many payload bytes of the last item, a frame, are still
            good, so they may be echoed
        @upto: write so many bytes, hold back the others: the failure must
            come from what was written, and not before the last of it.
            Negative: counted from the end.
        @payload: it is a payload that is bad, so the peer may have looked at
            frames behind it first: their pings may be answered
        """
        self._alive()
        data = b""
        for item in items:
            data += item if isinstance(item, bytes) else self.wire(item)
            self._note_bad(item)
            if payload and item.op == wire.PING:
                self.pings.append(item.payload)
        if good:
            self._grow(items[-1], items[-1].payload[:good])
        if upto is None or self.late == "all" or self.late and payload:
            self.write(data, cut)
            return
        data, self.held = data[:upto], data[upto:]
        self.write(data[:-1], cut)
        self._alive()
        self.write(data[-1:])

    def stump(self, frame, size):
        """Send only so many bytes of a good frame (negative: all but so
        many); the rest will never come."""
        self._alive()
        self._note_bad(frame)
        self.write(self.wire(frame)[:size])

    def _note_bad(self, item):
        n = self.totals.n
        if isinstance(item, bytes):
            n["most_frames"] += len(item) // 2 + 1
            n["most_bytes"] += len(item)
            n["most_pings"] += len(item) // 2 + 1
            return
        n["most_frames"] += 1
        n["most_bytes"] += len(item.payload)
        n["most_pings"] += item.op == wire.PING

    # -- how it goes on, and ends

    def settle(self):
        """Everything that was sent has come back, pings are answered."""
        self.until(lambda: self.closed is not None or
                   self.seen == len(self.want) and not self.pings,
                   "%d more messages, %d pongs" %
                   (len(self.want) - self.seen, len(self.pings)))
        if self.seen == len(self.want) and not self.pings:
            return
        how = "Close %s" % (self.closed[0],) if self.closed else \
            "end of TCP (%s)" % self.end
        raise Fail("%s in place of %d messages and %d pongs" %
                   (how, len(self.want) - self.seen, len(self.pings)))

    def echo(self, *frames, cut=None):
        """send() and settle()."""
        self.send(*frames, cut=cut)
        self.settle()

    def bye(self, code=1000, reason=b"", cut=None):
        """Settle, then the closing handshake, begun by us, and TCP's end."""
        self.settle()
        self.send(wire.close(code, reason), cut=cut)
        self.closes(code, reason)

    def closes(self, code, reason=b""):
        """Our Close has left: the peer's answer, then the end of TCP."""
        self._await_close("Close %s" % code)
        if isinstance(reason, str):
            reason = reason.encode()
        bodies = [(code, b"")] if self.strict else [(code, b""),
                                                    (code, reason)]
        if self.closed not in bodies:
            raise Fail("sent Close %s %s, came back %s %s" %
                       (code, show(reason), self.closed[0],
                        show(self.closed[1])))
        if not self.client:
            self._shut()
        self._await_end()

    def fails(self, code, or_code=None, reply=True, fin=True):
        """The peer fails the connection with this code.

        Whole or partial echoes of what was good may stand before its Close.

        @or_code: another code that is right
        @reply: send what was held back, and a Close, afterwards
        @fin: end our direction of TCP before the peer's end is awaited
        """
        self._await_close("Close %d" % code)
        if self.closed[0] not in (code, or_code or code):
            raise Fail("Close %s in place of %d" % (self.closed[0], code))
        self.totals.n["failed_%d" % self.closed[0]] += 1
        if self.strict and self.closed[1]:
            raise Fail("Close %d with a reason: %s" %
                       (code, show(self.closed[1])))
        self._echoed_only_good()
        if reply:
            self._note_bad(self.held + bytes(2))
            self._write(self.held + self.wire(wire.close(code)), force=True)
        if fin or not self.client:
            self._shut()
        self._await_end()

    def half_close(self):
        """End our direction of TCP."""
        self._shut()

    def cut_off(self):
        """Our direction ends without Close; so does the peer's, maybe with
        one. What was whole has been echoed."""
        self.settle()
        self._shut()
        self.until(lambda: False, "the end of TCP")
        self._echoed_only_good()

    def reset(self):
        """Reset TCP, perhaps before the peer has seen the handshake's end:
        nothing can come back."""
        self.totals.n["sure_connections"] = 0
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def _await_close(self, what):
        self.until(lambda: self.closed is not None, what)
        if self.closed is None:
            raise Fail("TCP ended (%s) without %s" % (self.end, what))

    def _echoed_only_good(self):
        if self.theirs is None:
            return
        if self.seen < len(self.want):
            source = self.want[self.seen]
        else:
            source = self.ours or (None, b"")
        op, data = self.theirs
        if source[0] != op or bytes(source[1][:len(data)]) != data:
            raise Fail("echo of what was not good: %s %s" %
                       (wire.NAMES[op], show(data)))

    def _shut(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass                        # the peer's reset was first

    def _await_end(self):
        self.until(lambda: False, "the end of TCP")
        if self.strict and self.end != "FIN":
            raise Fail("TCP ended by a reset, not by FIN")

    def trace(self):
        """The last bytes of both directions, for a failure's reason."""
        return "sent %s; received %s" % (show(self.sent), show(self.got))

    # -- HTTP

    def handshake(self, extra=b"", key=None, accept=None):
        """Upgrade the connection in our role.

        @extra: bytes to write in one piece with the end of our half
        @key: Sec-WebSocket-Key to ask with; None: a random one
        @accept: the answer to it; None: computed
        """
        if self.client:
            behind = self._ask(extra, key, accept)
        else:
            behind = self._answer(extra)
        self.totals.n["sure_connections"] = 1
        self.totals.n["most_connections"] = 1
        self.sent, self.got = bytearray(extra), bytearray(behind)
        self._judge(behind)

    def _http_head(self, what):
        self.raw = bytearray()
        self.until(lambda: b"\r\n\r\n" in self.raw or
                   len(self.raw) > HEAD_MAX, what)
        head, mark, behind = bytes(self.raw).partition(b"\r\n\r\n")
        self.raw = None
        if not mark:
            raise Fail("no %s: %s" % (what, show(head)))
        lines = head.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        return lines[0], fields, behind

    def _ask(self, extra, key, accept):
        if key is None:
            key = base64.b64encode(os.urandom(16))
        self._write(b"GET / HTTP/1.1\r\nHost: " + self.host.encode() +
                    b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Key: " + key +
                    b"\r\nSec-WebSocket-Version: 13\r\n\r\n" + extra)
        status, fields, behind = self._http_head("HTTP response")
        if not status.startswith("HTTP/1.1 101 "):
            raise Fail("handshake refused: %s" % status)
        if fields.get("sec-websocket-accept") != (accept or accept_of(key)):
            raise Fail("wrong Sec-WebSocket-Accept")
        return behind

    def _answer(self, extra):
        status, fields, behind = self._http_head("HTTP request")
        key = fields.get("sec-websocket-key", "")
        if not status.startswith("GET ") or not key:
            raise Fail("not an upgrade: %s" % status)
        self._write(b"HTTP/1.1 101 Switching Protocols\r\n"
                    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " +
                    accept_of(key.encode()).encode() + b"\r\n\r\n" + extra)
        return behind


def accept_of(key):
    """Sec-WebSocket-Accept for a key, section 4.2.2."""
    return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()


def refuse(sock, limit):
    """Answer a client's request with 410: there are no more cases."""
    sock.settimeout(limit)
    try:
        data = b""
        while b"\r\n\r\n" not in data and len(data) < HEAD_MAX:
            more = sock.recv(4096)
            if not more:
                break
            data += more
        sock.sendall(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n"
                     b"Connection: close\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + limit
        while sock.recv(4096) and time.monotonic() < deadline:
            pass
    except OSError:
        pass
    finally:
        sock.close()
