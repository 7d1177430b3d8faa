# SPDX-License-Identifier: GPL-2.0
"""Scripted peers of one handshake, and TAP.

A case is a function that speaks exact bytes with the program `drive`, which
runs the library. Time limits are ten times what they have to be, and each is
one of a step, not of the whole: a busy machine makes a test long, and never
fails it. Nothing here waits for time to pass, but for bytes, lines and ends of
streams.
"""
import os
import select
import socket
import subprocess
import sys
import time
import traceback

DRIVE = os.environ.get('DRIVE')
LIMIT = 30
END = 4 * LIMIT     # for a program that has nothing more to say

ESYNTAX, ELIMIT, EEOF, EHTTP, ESTATUS, EUPGRADE, EACCEPT, ESUBPROTOCOL, \
    EEXTENSION, EAUTH, EREDIRECT, EPROXY, ERESOLVE, EURL = range(-10001,
                                                                -10015, -1)
DONE = 1
KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

cases = []


def case(clause):
    """Registers a test, named for its function, with what it shows."""
    def register(function):
        cases.append((function.__name__, clause, function))
        return function
    return register


def expect(got, want, what='it'):
    if got != want:
        raise AssertionError(f'{what} is {got!r}, not {want!r}')


def contains(text, part):
    if part not in text:
        raise AssertionError(f'no {part!r} in {text!r}')


def lacks(text, part):
    if part in text:
        raise AssertionError(f'{part!r} in {text!r}')


class Skip(Exception):
    """This cannot be shown here."""


def send_all(sock, data, flags=0):
    """sendall() with a limit for each step: its own is one of all of them."""
    data = memoryview(data)
    while data:
        data = data[sock.send(data, flags):]


socket.socket.sendall = send_all


class Patience:
    """Waiting for what is no event: the limit starts again with each change of
    what is looked at."""

    def __init__(self):
        self.seen = self.until = None

    def look(self, now, what='it'):
        if self.until is None or now != self.seen:
            self.seen, self.until = now, time.monotonic() + LIMIT
        elif time.monotonic() > self.until:
            raise AssertionError(f'{what} stays at {now}')


def output(process, stdin=None):
    """What a program prints until it ends: (stdout, stderr). As long as more
    comes, it may take its time."""
    seen = None
    while True:
        try:
            return process.communicate(stdin, timeout=END)
        except subprocess.TimeoutExpired as late:
            now = len(late.output or b''), len(late.stderr or b'')
            if now == seen:
                process.kill()
                raise
            seen, stdin = now, None     # what it was given it still gets


# What other libraries leave behind, each with its reason
SUPPRESSIONS = os.path.join(os.path.dirname(__file__), 'leaks')
LEAKS = {'LSAN_OPTIONS': f'suppressions={SUPPRESSIONS}:print_suppressions=0'}


class Drive:
    """One run of `drive`; what it printed becomes attributes."""

    def __init__(self, *args, fds=(), env=None):
        self.process = subprocess.Popen(
            [DRIVE, *map(str, args)], stdout=subprocess.PIPE,
            pass_fds=fds, env={**os.environ, **LEAKS, **(env or {})})
        self.printed = b''
        self.requests = []
        self.decided = []
        self.names = []
        self.values = []
        self.result = self.status = self.rest = self.option = None
        self.nonblock = self.reached = self.unable = None
        self.interrupted = self.digests = self.most = None
        self.error = self.reason = self.subprotocol = self.user = None
        self.body = b''

    def says(self, limit):
        """Is there a line, or the end, within this time?"""
        while b'\n' not in self.printed:
            out = self.process.stdout.fileno()
            if not select.select([out], [], [], limit)[0]:
                return False
            piece = os.read(out, 65536)
            if not piece:
                break
            self.printed += piece
        return True

    def line(self):
        """One line more, split; None at the end."""
        if not self.says(LIMIT):
            self.process.kill()
            raise AssertionError('drive: nothing happens')
        line, _, self.printed = self.printed.partition(b'\n')
        return line.decode().split(maxsplit=1) if line else None

    def take(self, word, value=''):
        if word in ('result', 'status', 'option', 'nonblock', 'reached',
                    'unable', 'interrupted', 'digests', 'most'):
            setattr(self, word, int(value))
        elif word in ('body', 'rest'):
            setattr(self, word, bytes.fromhex(value))
        elif word in ('name', 'value'):
            getattr(self, word + 's').append(
                bytes.fromhex(value).decode('latin-1'))
        elif word in ('request', 'decided'):
            self.requests.append(value) if word == 'request' \
                else self.decided.append(int(value))
        elif word != 'again':
            setattr(self, word, bytes.fromhex(value).decode('latin-1'))

    def wait_again(self):
        """Until it waits; False if it came to an end instead."""
        while (line := self.line()) is not None:
            self.take(*line)
            if line[0] == 'again':
                return True
            if line[0] == 'result':
                return False
        return False

    def finish(self):
        while (line := self.line()) is not None:
            self.take(*line)
        self.process.stdout.close()
        expect(self.process.wait(LIMIT), 0,
               'exit code of drive (1: descriptors are left open)')
        return self

    def headers(self):
        return list(zip(self.names, self.values))


def pair(family=socket.AF_INET):
    """A connection over loopback: (ours, the program's)."""
    listener = socket.create_server(
        ('127.0.0.1' if family == socket.AF_INET else '::1', 0),
        family=family)
    ours = socket.create_connection(listener.getsockname()[:2], LIMIT)
    theirs, _ = listener.accept()
    listener.close()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


def read_head(sock, data=b''):
    """Up to the blank line: (head, what came behind it)."""
    while b'\r\n\r\n' not in data:
        piece = sock.recv(65536)
        if not piece:
            raise AssertionError(f'end of stream after {data!r}')
        data += piece
    head, rest = data.split(b'\r\n\r\n', 1)
    return head.decode('latin-1') + '\r\n', rest


def read_all(sock):
    data = b''
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def read_answer(sock, data=b''):
    """A response with Content-Length: (head, body, what came behind it)."""
    head, data = read_head(sock, data)
    length = 0
    for line in head.split('\r\n')[1:]:
        name, _, value = line.partition(':')
        if name.lower() == 'content-length':
            length = int(value)
    while len(data) < length:
        piece = sock.recv(65536)
        if not piece:
            raise AssertionError('end of stream in a body')
        data += piece
    return head, data[:length], data[length:]


def main(suite):
    wanted = sys.argv[1:]
    failed = 0
    # scripts import from each other, cases and all
    chosen = [c for c in cases if c[2].__module__ == '__main__' and
              (not wanted or c[0] in wanted)]
    print('TAP version 13')
    for number, (name, clause, function) in enumerate(chosen, 1):
        reason = ''
        try:
            function()
            verdict = 'ok'
        except Skip as skip:
            verdict, reason = 'ok', f' # SKIP {skip}'
        except Exception:
            verdict = 'not ok'
            failed += 1
            for line in traceback.format_exc().splitlines():
                print('# ' + line)
        print(f'{verdict} {number} - {suite}.{name} ({clause}){reason}',
              flush=True)
    print(f'1..{len(chosen)}')
    sys.exit(1 if failed or not chosen else 0)
