# SPDX-License-Identifier: GPL-2.0
"""
The guest's side: servers on the module, the module's client, and what captures
them.
"""
import base64
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(__file__)
sys.path.insert(0, f"{HERE}/../demo")
# pylint: disable=wrong-import-position
import control  # noqa: E402
import answer  # noqa: E402
import wsup  # noqa: E402
from control import start  # noqa: E402

# A second network, on which the host is the gateway. Which of the two devices
# comes first is a matter of luck.
HOST, MAC = "10.0.3.2", "52:54:00:00:57:53"
ADDRESSES = {False: "10.0.2.15/24", True: "10.0.3.15/24"}
CAPTURE, MARK = "/tmp/capture.pcap", b"this is the end of it"
ANSWER = "8083"
CURRENT = ("WsCurrServer", "WsCurrClient")
ENDED = []              # connections of answer.py: code, reason, by whom
TRACING = pathlib.Path("/sys/kernel/tracing")


def set_addresses():
    """Give each device the address of its network."""
    for device in pathlib.Path("/sys/class/net").glob("e*"):
        second = (device / "address").read_text().strip() == MAC
        for change in (["addr", "flush", "dev", device.name],
                       ["addr", "add", ADDRESSES[second], "dev", device.name],
                       ["link", "set", device.name, "up"]):
            subprocess.run(["ip", *change], check=True)


def client(port, large):
    """The module's client against a server of the host's."""
    command = [sys.executable, f"{HERE}/client.py", HOST, port, large]
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            yield line.rstrip("\n")


def wait_for(condition):
    """Until it holds."""
    end = time.monotonic() + control.SETTLE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {control.SETTLE} s")
        time.sleep(control.LOOK)


def captured():
    """What the capture holds by now."""
    return pathlib.Path(CAPTURE).read_bytes()


def talk():
    """Both roles on the loopback device. Return: by how much counters grew."""
    before = control.stat()
    subprocess.run([sys.executable, f"{HERE}/loopback.py", ANSWER], check=True)
    wait_for(lambda: not any(control.stat()[name] for name in CURRENT))
    return control.growth(before, control.stat())


def capture():
    """What the roles said, as packets and as tcpdump's last words. It has seen
    all when it has seen the mark behind."""
    with subprocess.Popen(
            ["tcpdump", "-i", "lo", "-B", "65536", "-U", "--immediate-mode",
             "-w", CAPTURE, f"port {ANSWER}"],
            stderr=subprocess.PIPE, text=True) as program:
        wait_for(lambda: "listening on" in program.stderr.readline())
        grown = talk()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
            mark.sendto(MARK, ("127.0.0.1", int(ANSWER)))
        wait_for(lambda: MARK in captured())
        program.send_signal(signal.SIGINT)
        said = program.stderr.read()
    return {"said": said, "grown": grown, "port": ANSWER,
            "packets": base64.b64encode(captured()).decode()}


def closes():
    """Since this was asked before: Close frames, (sent, code) each, and how
    connections of the plain program ended."""
    found = re.findall(r"ws_close: .*sent=(\d) code=(\d+)",
                       (TRACING / "trace").read_text())
    (TRACING / "trace").write_text("")
    ended = ENDED[:]
    ENDED.clear()
    return {"traced": found, "ended": ended}


def main():
    """Serve until told to stop."""
    set_addresses()
    servers = [
        start("wsup", "serve", "--echo", "-v", "0.0.0.0:8080"),
        start("wsup", "serve", "--echo", "-v", "--origin", "*",
              "--ping-interval", "300", "0.0.0.0:8081"),
    ]
    threading.Thread(target=answer.serve, daemon=True, args=(
        wsup.Listener(int(ANSWER)), ENDED)).start()
    (TRACING / "events/ws/ws_close/enable").write_text("1")
    control.serve(8082, client=client, capture=capture, closes=closes)
    for server in servers:
        server.terminate()
        server.wait()


main()
