#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Test of the runner itself: TAP on stdout, status 1 if a check failed.

A correct peer (broken_echo.py without a break) must pass every case; a peer
with one break must fail the cases named here, and pass the others named.
"""

import os
import re
import subprocess
import sys
import tempfile
from multiprocessing.pool import ThreadPool

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
import broken_echo                                      # noqa: E402
from wsconf.cases import utf8                           # noqa: E402
from wsconf.suite import GROUPS, catalogue              # noqa: E402

PORTS = iter(range(9800, 10000))        # each run of the runner has its own
AT_A_TIME = 8                           # most of the time they wait
OPTION = {"server": "--connect", "client": "--listen"}

# Break: (roles, cases that must fail, cases that must pass all the same).
S, C, BOTH = ("server",), ("client",), ("server", "client")
EXPECT = {
    "rsv": (BOTH, "rsv.text-rsv1 rsv.close-rsv3 rsv.last-fragment",
            "opcode.3-first-byte"),
    "opcode": (BOTH, "opcode.3-first-byte opcode.15-whole",
               "rsv.text-rsv1"),
    "mask": (BOTH, "mask.wrong-text mask.wrong-ping-between-fragments",
             "framing.text-125"),
    "minimal": (BOTH, "length.text-0-in-16-bits "
                "length.binary-65535-in-64-bits", "length.text-2^63"),
    "top-bit": (BOTH, "length.text-2^63", "length.text-0-in-16-bits"),
    "control-long": (BOTH, "ping.ping-of-126 length.close-126 close.of-126",
                     "ping.125"),
    "control-fragment": (BOTH, "ping.ping-fragmented close.fragmented",
                         "ping.text"),
    "lone": (BOTH, "fragment.continuation-of-nothing-final",
             "fragment.text-two"),
    "within": (BOTH, "fragment.text-within-binary", "fragment.text-two"),
    "late-header": (BOTH, "rsv.text-rsv1 opcode.3-first-byte mask.wrong-text "
                    "length.text-125-in-16-bits fragment.text-within-text",
                    "framing.text-125"),
    "utf8": (BOTH, "utf8.fast-c0-80 utf8.truncated-e1 "
             "utf8.only-byte-of-message", "utf8.valid-greek"),
    "utf8-late": (BOTH, "utf8.fast-c0-80 utf8.fragment-fe large.bad-byte-at-1m",
                  "utf8.only-byte-of-message"),
    "utf8-frame": (BOTH, "utf8.fast-c0-80 large.bad-byte-at-1m",
                   "utf8.fragment-fe"),
    "utf8-surrogate": (BOTH, "utf8.fast-surrogate-d800 "
                       "utf8.fragment-surrogate-dfff", "utf8.fast-c0-80"),
    "utf8-overlong": (BOTH, "utf8.fast-e0-80-80", "utf8.fast-c0-80"),
    "utf8-truncated": (BOTH, "utf8.truncated-c2 utf8.truncated-e1-then-empty",
                       "utf8.fast-c0-80"),
    "utf8-state": (BOTH, "utf8.ping-inside-a-character", "utf8.valid-greek"),
    "phase": (S, "mask.phase-starts-with-each-frame", "framing.text-hello"),
    "phase-cut": (S, "mask.phase-in-one-byte-writes",
                  "framing.binary-like-http"),
    "type": (BOTH, "framing.types-alternate framing.text-0",
             "framing.binary-zero-bytes"),
    "fragments": (BOTH, "fragment.text-two fragment.binary-empty-last",
                  "framing.text-hello"),
    "empty": (BOTH, "framing.text-0 framing.empty-messages-between "
              "fragment.text-all-empty", "fragment.text-empty-last"),
    "lose": (BOTH, "many.text-1000-of-6 many.binary-waited-100-of-4096",
             "framing.text-hello"),
    "twice": (BOTH, "many.text-1000-of-6", "framing.text-hello"),
    "shave": (BOTH, "large.binary-4096k", "large.binary-1024k"),
    "no-pong": (BOTH, "ping.text fragment.text-ping-between",
                "framing.text-hello"),
    "pong-empty": (BOTH, "ping.text ping.125", "ping.empty"),
    "pong-twice": (BOTH, "ping.text ping.empty", "ping.unsolicited-pong-empty"),
    "pong-late": (BOTH, "fragment.text-ping-between", "ping.behind-messages"),
    "pong-unasked": (BOTH, "ping.unsolicited-pong", "ping.text"),
    "close-code": (BOTH, "close.bad-code-1005 close.bad-code-2999",
                   "close.code-1000"),
    "close-one": (BOTH, "close.bad-code-in-one-byte", "close.empty-body"),
    "close-reason": (BOTH, "close.bad-reason-surrogate "
                     "close.bad-reason-truncated-two", "close.reason-greek"),
    "close-1000": (BOTH, "close.code-1001 close.empty-body",
                   "close.code-1000"),
    "close-no-answer": (BOTH, "close.code-1000 framing.no-message-at-all",
                        "rsv.text-rsv1"),
    "close-serves-on": (BOTH, "close.then-text close.then-ping",
                        "rsv.text-rsv1"),
    "close-stays": (S, "close.code-1000 failing.server-ends-tcp-1007",
                    "tcp.reset-after-handshake"),
    "fail-1000": (BOTH, "rsv.text-rsv1 utf8.fast-c0-80", "close.code-1000"),
    "fail-1002": (BOTH, "utf8.fast-c0-80 close.bad-reason-ff",
                  "rsv.text-rsv1"),
    "fail-drop": (BOTH, "rsv.text-rsv1 close.bad-code-0", "close.code-1000"),
    "fail-reason": (BOTH, "rsv.text-rsv1 utf8.fast-c0-80", "close.code-1000"),
    "fail-goes-on": (BOTH, "rsv.whole-frame-then-more failing.frames-behind-it",
                     "close.code-1000"),
    "fail-reset": (BOTH, "rsv.text-rsv1", "close.code-1000"),
    "preload": (S, "early.text early.half-a-header", "framing.text-hello"),
    "unmasked": (C, "framing.text-hello ping.text close.code-1000", ""),
    "key": (C, "mask.client-keys-are-fresh", "framing.text-hello"),
    "key-zero": (C, "mask.client-keys-are-fresh mask.client-hides-the-payload",
                 "framing.text-hello"),
    "accept": (S, "framing.text-hello seeds.accept-key-binary", ""),
    "long-form": (BOTH, "framing.text-hello ping.text", ""),
    "hang-fin": (S, "tcp.fin-in-16-bit-length", "close.code-1000"),
}


class Tap:
    """Numbers the checks."""

    def __init__(self):
        self.number = self.failed = 0
        print("TAP version 13")

    def check(self, good, name, why=""):
        """One check."""
        self.number += 1
        print("%s %d - %s" % ("ok" if good else "not ok", self.number, name))
        if not good:
            self.failed += 1
            print("# " + str(why).replace("\n", "\n# "))
        sys.stdout.flush()


def run(role, options, breaks=()):
    """The runner against our peer.

    Returns (status, {case: passed}, everything that it printed).
    """
    command = [sys.executable, os.path.join(HERE, "broken_echo.py"), role,
               "{host}", "{port}", *breaks]
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "runner"), OPTION[role],
         "127.0.0.1:%d" % next(PORTS), "--strict", "--spawn",
         " ".join(command), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    results = {}
    for good, title in re.findall(r"^(ok|not ok) \d+ - (\S+)$", done.stdout,
                                  re.M):
        results[title] = good == "ok"
    return done.returncode, results, done.stdout


def check_catalogue(tap):
    """The catalogue's own rules."""
    cases = catalogue()
    for role in BOTH:
        count = sum(getattr(case, role) for case in cases)
        tap.check(count >= 300, "%s-cases" % role, count)
    for group in GROUPS[:-1]:
        mine = [case for case in cases if case.group == group]
        sized = sum(case.sized for case in mine)
        tap.check(mine and 2 * sized <= len(mine), "half-of-%s" % group,
                  "%d of %d cases differ by a length only" %
                  (sized, len(mine)))


def well_formed_start(data):
    """May some valid text begin so? By trying all ways to go on."""
    for tail in (b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xbf",
                 b"\xbf\x80", b"\xbf\x80\x80"):
        try:
            (data + tail).decode()
            return True
        except UnicodeDecodeError:
            pass
    return False


def check_utf8(tap):
    """The tables of bad text say where the first bad byte is."""
    for name, (octets, good) in utf8.INVALID.items():
        data = bytes.fromhex(octets)
        tap.check(well_formed_start(data[:good]) and
                  not well_formed_start(data[:good + 1]),
                  "utf8-%s" % name, octets)
    for name, octets in utf8.TRUNCATED.items():
        tap.check(well_formed_start(bytes.fromhex(octets)),
                  "utf8-truncated-%s" % name, octets)


def check_correct(tap):
    """The correct peer, all cases; the totals that are written."""
    with tempfile.NamedTemporaryFile("r") as file:
        for role in BOTH:
            status, results, out = run(role, ["--totals", file.name])
            tap.check(status == 0 and results and all(results.values()),
                      "correct-%s" % role, out)
            file.seek(0)
            totals = dict(line.split() for line in file)
            tap.check(totals["most_connections"] == str(len(results)) and
                      0 < int(totals["sure_frames"]) <=
                      int(totals["most_frames"]) and
                      totals["messages"] >= totals["sure_messages"],
                      "totals-%s" % role, totals)


def check_limits(tap):
    """The correct peer has no limits, so those cases must fail."""
    options = ["--message-max", "3000", "--frame-max", "1000",
               "--fragments-max", "5", "--timeout", "0.5"]
    status, results, out = run("server", options + ["--case", "limits.*-more*"])
    tap.check(status == 1 and len(results) > 5 and not any(results.values()),
              "limits-missed", out)
    status, results, out = run("server", options +
                               ["--case", "limits.*-exact*"])
    tap.check(status == 0 and len(results) > 5, "limits-exact", out)


def check_break(job):
    """One break in one role: (name of the check, passed, output)."""
    name, role = job
    _, fail, good = EXPECT[name]
    options = ["--timeout", "2"]
    for title in (fail + " " + good).split():
        options += ["--case", title]
    status, results, out = run(role, options, [name])
    expected = {title: title in good.split()
                for title in (fail + " " + good).split()}
    return "break-%s-%s" % job, status == 1 and results == expected, out


def check_breaks(tap):
    """All breaks, several at a time."""
    tap.check(set(EXPECT) == set(broken_echo.BREAKS), "every-break-is-tried",
              set(EXPECT) ^ set(broken_echo.BREAKS))
    jobs = [(name, role) for name, (roles, _, _) in EXPECT.items()
            for role in roles]
    with ThreadPool(AT_A_TIME) as pool:
        for name, good, out in pool.imap(check_break, jobs):
            tap.check(good, name, out)


def main():
    """All of it."""
    tap = Tap()
    check_catalogue(tap)
    check_utf8(tap)
    check_correct(tap)
    check_limits(tap)
    check_breaks(tap)
    print("1..%d" % tap.number)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
