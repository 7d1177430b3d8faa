# SPDX-License-Identifier: GPL-2.0
"""
The guest's side of the demo: the servers under test, and the steps that run
here.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

import control
from control import growth, start, stat

SITE = "build/demo/site"
sys.path.insert(0, SITE)
# pylint: disable=wrong-import-position
from websockets.sync.client import connect  # noqa: E402
from websockets.sync.server import serve  # noqa: E402


def as_client():
    """wsup connect against a server of python3-websockets."""
    said = []

    def answer(ws):
        for message in ws:
            said.append(message)
            ws.send(message.upper())

    with serve(answer, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever).start()
        port = server.socket.getsockname()[1]
        before = stat()
        client = subprocess.Popen(
            ["wsup", "connect", f"ws://127.0.0.1:{port}/"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        got = []
        for line in ("first line\n", "second line\n"):
            client.stdin.write(line)
            client.stdin.flush()
            got.append(client.stdout.readline())
        client.stdin.close()    # the end of the input: Close
        status = client.wait(120)
        after = stat()
        server.shutdown()
    return {"status": status, "got": got, "server_got": said,
            "grown": growth(before, after)}


def strace_calls(log):
    """Buffers of read() and write() on the connection, once it is attached."""
    accepted = re.search(r"^accept\(\d+, NULL, NULL\) += (\d+)", log, re.M)
    attached = re.search(r"^setsockopt\(%s, .* = 0$(?![\s\S]*^setsockopt)"
                         % accepted.group(1), log, re.M)
    calls = re.findall(r'^(read|write)\(%s, "((?:\\x[0-9a-f]{2})*)"'
                       % accepted.group(1), log[attached.end():], re.M)
    return [(name, bytes.fromhex(data.replace("\\x", "")).decode())
            for name, data in calls]


def under_strace():
    """tools/examples/echo.c: every buffer holds payload only."""
    port = "8090"
    messages = ["only payload", "crosses the", "system call"]
    with tempfile.NamedTemporaryFile("r") as log:
        server = subprocess.Popen(
            ["strace", "-xx", "-s", "4096", "-o", log.name,
             "build/tools/examples/echo", port])
        before = stat()
        ws = None
        while ws is None:
            try:
                ws = connect(f"ws://127.0.0.1:{port}/", compression=None,
                             open_timeout=60)
            except ConnectionRefusedError:
                if server.poll() is not None:
                    raise
        with ws:
            for message in messages:
                ws.send(message)
                answer = ws.recv()
                if isinstance(answer, bytes):
                    answer = answer.decode()
                assert answer == message, answer
        after = stat()
        # strace ends with the program that it watches
        with open(f"/proc/{server.pid}/task/{server.pid}/children",
                  encoding="ascii") as children:
            os.kill(int(children.read()), signal.SIGTERM)
        server.wait()
        text = log.read()
    return {"messages": messages, "calls": strace_calls(text),
            "grown": growth(before, after)}


def main():
    """Serve until told to stop."""
    servers = [
        start("wsup", "serve", "--echo", "-v", "--static",
              "tools/examples/www", "0.0.0.0:8080"),
        start("wsup", "serve", "--echo", "-v", "--origin", "*",
              "--ping-interval", "300", "0.0.0.0:8081"),
    ]
    control.serve(8082, client=as_client, strace=under_strace)
    for server in servers:
        server.terminate()
        server.wait()


main()
