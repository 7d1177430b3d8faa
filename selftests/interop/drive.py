# SPDX-License-Identifier: GPL-2.0
"""drive.py ECHO PINGING CONTROL ANSWER OUT [PEER...]: the host's side.

Runs the peers, their clients against servers on the module and their servers
against the module's client, and compares what was said with what the guest's
kernel counted meanwhile. README has the script. Output: TAP and a table. Exit
status 1 if anything failed, 2 if the guest did not answer.
"""
import os
import queue
import subprocess
import sys
import threading

HERE = os.path.dirname(__file__)
sys.path.insert(0, f"{HERE}/../demo")
# pylint: disable=wrong-import-position
import chromium  # noqa: E402
import decode  # noqa: E402
from control import Failure, Guest, growth  # noqa: E402

LIMIT = 120                     # s: ten times what the longest takes
LARGE = 16 << 20
FRAME = 65536                   # WS_TX_FRAME_MAX
CASES = ["text", "binary", "empty", "large", "fragmented", "pings", "close",
         "closed"]
ECHOED = [len("grüße, мир, 世界, 🌍".encode()), 70000, 0, 0, LARGE,
          len("in three fragments"), len("after the pings")]
NO_API = ("fragmented", "pings")    # a page has none: what Chromium does itself
PONGS = 3                       # of the server's pings

# Peer: commands of its client and of its server
PEERS = {
    "node": (["node", f"{HERE}/peers/node_client.js"],
             ["node", f"{HERE}/peers/node_server.js"]),
    "websockets": (["python3", f"{HERE}/peers/websockets_client.py"],
                   ["python3", f"{HERE}/peers/websockets_server.py"]),
    "lws": (["{out}/lws", "client"], ["{out}/lws", "server"]),
    "beast": (["{out}/beast", "client"], ["{out}/beast", "server"]),
    "curl": (["{out}/curl_client"], None),
    "chromium": (None, None),
    "tshark": (None, None),
}
# A message in fragments ends with an empty one there
EMPTY_LAST = ("websockets",)

# The servers on the module
SERVERS = ("wsup serve", "a program")

# Close frames of two connections, sent and received, as the module traced them
LOCAL, PEER = 1, 2              # WS_CLOSE_BY_
CLOSES = [[str(sent), code] for sent in (0, 1) for code in ("4001", "4003")]

TABLE = {"frames in": "WsRxFrames", "out": "WsTxFrames",
         "pings in": "WsRxPing", "pongs out": "WsTxPong",
         "pongs in": "WsRxPong", "bytes in": "WsRxBytes",
         "bytes out": "WsTxBytes"}


class Tap:
    """The results, and the table of them."""

    def __init__(self):
        self.count = self.failed = 0
        self.begun = (0, 0)
        self.rows = []

    def result(self, good, name, note=""):
        """One result, with why it is bad."""
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}",
              flush=True)
        if not good and note:
            print("# " + note.replace("\n", "\n# "), flush=True)

    def cases(self, name, lines, cases):
        """A result a case as its name comes; other lines tell what failed."""
        left = list(cases)
        try:
            for line in lines:
                if left and line == left[0]:
                    self.result(True, f"{name}: {left.pop(0)}")
                else:
                    print("# " + line, flush=True)
        except (Failure, OSError, RuntimeError) as error:
            print(f"# {error}", flush=True)
        for case in left:
            self.result(False, f"{name}: {case}")

    def growth(self, name, grown, wanted):
        """Each counter grew by so much, or, where it is a range, in it."""
        wrong = [f"{counter} grew by {grown[counter]}, not {value}"
                 for counter, value in wanted.items()
                 if grown[counter] not in (value if isinstance(value, range)
                                           else [value])]
        self.result(not wrong, f"{name}: counters", "\n".join(wrong))

    def row(self, name, grown):
        """A line of the table: the results since the one before it."""
        count = self.count - self.begun[0]
        failed = self.failed - self.begun[1]
        self.begun = (self.count, self.failed)
        self.rows.append([name, f"{count - failed}/{count}"] +
                         [str(grown[counter]) for counter in TABLE.values()])

    def table(self):
        """By peer and role."""
        rows = [["", "passed", *TABLE], *self.rows]
        width = [max(map(len, column)) for column in zip(*rows)]
        for row in rows:
            print("#", row[0].ljust(width[0]), *(
                cell.rjust(n) for cell, n in zip(row[1:], width[1:])))

    def end(self):
        """Return: exit status."""
        print(f"1..{self.count}")
        self.table()
        print(f"{self.count - self.failed} passed, {self.failed} failed, "
              "0 skipped", flush=True)
        return 1 if self.failed else 0


def at_least(number):
    """A range without an end."""
    return range(number, sys.maxsize)


def fragments(size):
    """Frames of the module's for a message that it has whole."""
    return max(1, -(-size // FRAME))


def quiet(wanted):
    """What else has to hold of two connections that nothing happened to."""
    return {"WsAttach": 2, "WsRxClose": 2, "WsTxClose": 2, "WsPongDropped": 0,
            "WsFailProtocol": 0, "WsFailUtf8": 0, "WsFailTooBig": 0,
            "WsFailTimeout": 0, "WsAborted": 0, **wanted}


def lines_of(command):
    """What a program prints, its errors as well."""
    with subprocess.Popen(["timeout", str(LIMIT), *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        for line in process.stdout:
            yield line.rstrip("\n")
    if process.returncode:
        yield f"exit status {process.returncode}"


class Server:
    """A peer's server: where it listens, and what it prints later."""

    def __init__(self, command):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        text=True)
        listening = self.process.stdout.readline()
        if not listening.startswith("listening on "):
            raise Failure(f"{command}: {listening!r}")
        self.port = int(listening.split()[-1])
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        """Until it ends."""
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self):
        """The next line, or what stands for none."""
        try:
            return self.lines.get(timeout=LIMIT)
        except queue.Empty:
            return "nothing"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Interop:
    """All peers, one after the other."""

    def __init__(self, arguments):
        self.echo, self.pinging, control, self.answer = map(int, arguments[:4])
        self.out = arguments[4]
        self.guest = Guest(control)
        self.tap = Tap()

    def command(self, words, *more):
        """A command of the table."""
        return [word.format(out=self.out) for word in words] + \
            [str(word) for word in more]

    def begin(self):
        """Return: the counters."""
        self.guest.ask("closes")
        return self.guest.ask("stat")

    def end(self, name, before, wanted, ended=()):
        """Once all connections are gone: codes, counters, a line."""
        grown = growth(before, self.guest.until(
            "the end", lambda now: not now["WsCurrServer"] +
            now["WsCurrClient"]))
        closes = self.guest.ask("closes")
        good = sorted(closes["traced"]) == CLOSES and \
            [(code, by, reason if by == PEER else "")
             for code, reason, by in closes["ended"]] == list(ended)
        self.tap.result(good, f"{name}: codes", str(closes))
        self.tap.growth(name, grown, quiet(wanted(grown)))
        self.tap.row(name, grown)

    def as_server(self, peer, words, which):
        """The module as server of a peer's client.

        The plain program sends a message when it has all of it; how wsup serve
        divides a long one is a matter of time.
        """
        plain = which == "a program"
        port = self.answer if plain else self.echo
        ended = [(4001, PEER, "bye")] if plain else []
        order = len("close 4003 no more")
        sent = sum(map(fragments, ECHOED)) + 4 + PONGS + 2
        name = f"{peer} to {which}"
        before = self.begin()
        self.tap.cases(name, lines_of(self.command(
            words, port, self.answer, LARGE)), CASES)
        self.end(name, before, lambda grown: {
            "WsRxMessages": len(ECHOED) + 1, "WsTxMessages": len(ECHOED),
            "WsRxBytes": sum(ECHOED) + order, "WsTxBytes": sum(ECHOED),
            "WsRxPing": 4, "WsTxPong": 4, "WsTxPing": 0, "WsRxPong": PONGS,
            "WsRxFrames": len(ECHOED) + 1 + 2 + (peer in EMPTY_LAST) + 4 +
            PONGS + 2,
            "WsTxFrames": sent if plain else at_least(sent)},
            ended + [(4003, LOCAL, "")])

    def as_client(self, peer, words):
        """The module as client of a peer's server."""
        orders = ["fragments", "pings", "close 4003 no more"]
        answers = ["one two three", "3 pongs"]
        sent = sum(map(fragments, ECHOED)) + 2 + len(orders) + 4
        received = len(ECHOED) + len(answers) + 2 + (peer in EMPTY_LAST) + 4
        name = f"client to {peer}"
        before = self.begin()
        with Server(self.command(words)) as server:
            self.tap.cases(name, self.guest.follow(
                "client", port=server.port, large=LARGE), CASES)
            line = server.line()
            self.tap.result(line == "closed 4001 bye", f"{name}: reason",
                            f"the peer tells: {line}")
            self.end(name, before, lambda grown: {
                "WsTxMessages": len(ECHOED) + len(orders),
                "WsRxMessages": len(ECHOED) + len(answers),
                "WsTxBytes": sum(ECHOED) + sum(map(len, orders)),
                "WsRxBytes": sum(ECHOED) + sum(map(len, answers)),
                "WsRxPing": 4, "WsTxPong": 4, "WsTxPing": at_least(2),
                "WsRxPong": 4 + grown["WsTxPing"],
                "WsTxFrames": sent + 4 + grown["WsTxPing"] + 2,
                "WsRxFrames": received + 4 + grown["WsTxPing"] + 2})

    def page(self, before):
        """The cases as a page in Chromium does them."""
        browser = chromium.Browser()
        try:
            with open(f"{HERE}/peers/chromium.js", encoding="utf-8") as file:
                browser.run(file.read())
            browser.run(f"interop.open({self.pinging})")
            for case in CASES:
                if case not in NO_API:
                    number = {"large": LARGE, "closed": self.answer}
                    browser.run(f"interop.{case}({number.get(case, '')})")
                elif case == "fragmented":
                    now = growth(before, self.guest.ask("stat"))
                    if now["WsRxFrames"] - now["WsRxPong"] <= \
                            now["WsRxMessages"]:
                        raise Failure(f"no fragments: {now}")
                else:
                    self.guest.until("pongs", lambda now: now["WsRxPong"] >=
                                     before["WsRxPong"] + PONGS)
                yield case
        finally:
            browser.close()

    def as_server_of_page(self):
        """The module as server of Chromium.

        It divides long messages as it likes, and a page cannot ping; the last
        of the server's pings may come too late for an answer.
        """
        name = "chromium to wsup serve"
        before = self.begin()
        self.tap.cases(name, self.page(before), CASES)
        echoed = ECHOED[:5]
        order = len("close 4003 no more")
        sent = sum(map(fragments, echoed))
        self.end(name, before, lambda grown: {
            "WsRxMessages": len(echoed) + 1, "WsTxMessages": len(echoed),
            "WsRxBytes": sum(echoed) + order, "WsTxBytes": sum(echoed),
            "WsRxPing": 0, "WsTxPong": 0, "WsTxPing": at_least(PONGS),
            "WsRxPong": range(PONGS + grown["WsTxPing"] - 1,
                              PONGS + grown["WsTxPing"] + 1),
            "WsRxFrames": at_least(len(echoed) + 1 + 1 + grown["WsRxPong"] +
                                   2),
            "WsTxFrames": at_least(sent + PONGS + grown["WsTxPing"] + 2)},
            [(4003, LOCAL, "")])

    def captured(self):
        """What tshark makes of both roles."""
        name = "tshark"
        found = self.guest.ask("capture")
        self.tap.result("\n0 packets dropped by kernel" in found["said"],
                        f"{name}: complete", found["said"])
        for what, wrong in decode.judge(
                found["packets"], f"{self.out}/capture.pcap",
                found["port"], found["grown"]):
            self.tap.result(not wrong, f"{name}: {what}", wrong)
        self.tap.row(name, found["grown"])

    def peer(self, peer):
        """A peer, in the roles that it has."""
        client, server = PEERS[peer]
        if peer == "chromium":
            self.as_server_of_page()
        elif peer == "tshark":
            self.captured()
        for server_of_ours in SERVERS if client else ():
            self.as_server(peer, client, server_of_ours)
        if server:
            self.as_client(peer, server)

    def run(self, peers):
        """Return: exit status."""
        print("TAP version 13")
        print(f"# Linux {self.guest.wait()}", flush=True)
        for peer in peers or PEERS:
            try:
                self.peer(peer)
            except (Failure, OSError, subprocess.SubprocessError) as error:
                self.tap.result(False, f"{peer}: all of it", str(error))
        self.guest.stop()
        return self.tap.end()


def main():
    """Exit status 2 if the guest may still be there."""
    try:
        sys.exit(Interop(sys.argv[1:]).run(sys.argv[6:]))
    except (Failure, OSError) as error:
        print(f"# {error}")
        sys.exit(2)


if __name__ == "__main__":
    main()
