# SPDX-License-Identifier: GPL-2.0
"""
How the host asks a guest: HTTP on a forwarded port. GET runs a step there and
returns what it found, a line of JSON for each thing; POST ends the guest.
"""
import inspect
import json
import os
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

TIMEOUT = 600       # s, for a step; ten times what the longest takes
SETTLE = 60         # s, for frames that are under way
LOOK = 0.05         # s between two looks


class Failure(Exception):
    """Something did not do what it should."""


# The guest's side

def stat():
    """The counters of /proc/net/ws_stat."""
    with open("/proc/net/ws_stat", encoding="ascii") as file:
        return {name: int(value) for name, value in map(str.split, file)}


def growth(before, after):
    """By how much each counter grew."""
    return {name: after[name] - before[name] for name in after}


def start(*command):
    """Start a server and wait until it says where it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if "listening on" not in process.stdout.readline():
        raise RuntimeError(f"{command} does not listen")
    return process


class Control(BaseHTTPRequestHandler):
    """Runs steps; the server has them in an attribute of that name."""

    def do_GET(self):  # pylint: disable=invalid-name
        """Run one step."""
        self.send_response(200)
        self.end_headers()
        url = urllib.parse.urlsplit(self.path)
        try:
            step = self.server.steps[url.path[1:]]
            found = step(**dict(urllib.parse.parse_qsl(url.query)))
            for item in found if inspect.isgenerator(found) else [found]:
                self.say({"found": item})
        except Exception as error:  # pylint: disable=broad-except
            self.say({"error": repr(error)})

    def say(self, item):
        """One line of the answer."""
        self.wfile.write(json.dumps(item).encode() + b"\n")

    def do_POST(self):  # pylint: disable=invalid-name
        """It is over."""
        self.send_response(204)
        self.end_headers()
        threading.Thread(target=self.server.shutdown).start()

    def log_message(self, *args):
        pass


def serve(port, **steps):
    """Run what the host asks for until it says that it is over."""
    with HTTPServer(("0.0.0.0", port), Control) as server:
        server.steps = {"stat": stat, "uname": lambda: os.uname().release,
                        **steps}
        server.serve_forever()


# The host's side

class Guest:
    """What the guest serves at its control port."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def follow(self, step, **arguments):
        """Run a step in the guest, yield what it finds as it finds it."""
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self.url}/{step}?{query}",
                                    timeout=TIMEOUT) as answer:
            for line in answer:
                item = json.loads(line)
                if "error" in item:
                    raise Failure(f"{step}: {item['error']}")
                yield item["found"]

    def ask(self, step, **arguments):
        """Run a step in the guest that finds one thing."""
        found, = self.follow(step, **arguments)
        return found

    def wait(self):
        """Until it has booted: the emulator accepts before the guest does."""
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.ask("uname")
            except (OSError, ValueError) as error:
                if time.monotonic() > end:
                    raise Failure("the guest does not answer") from error
                time.sleep(LOOK)

    def stop(self):
        """Let the guest end."""
        request = urllib.request.Request(self.url, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            pass

    def until(self, what, check):
        """Counters that satisfy check; the last frames may be under way."""
        end = time.monotonic() + SETTLE
        while True:
            now = self.ask("stat")
            if check(now):
                return now
            if time.monotonic() > end:
                raise Failure(f"the kernel did not count {what}: {now}")
            time.sleep(LOOK)
