# SPDX-License-Identifier: GPL-2.0
"""
The host's side of the demo: runs each peer, and compares what it sent and got
back with what the guest's kernel counted meanwhile.
"""
import hashlib
import json
import subprocess
import sys
import time

import chromium
from control import Failure, Guest, growth

HERE = "selftests/demo"
TIMEOUT = 300


def report(peer, sent, back, kernel):
    """One line of the demo."""
    print(f"{peer:18} | sent: {sent} | back: {back} | kernel: {kernel}",
          flush=True)


def check_counts(peer, sent, before, after):
    """Frames, pongs and bytes grew by what the peer sent."""
    grown = growth(before, after)
    wanted = {"WsRxMessages": sent["messages"], "WsRxBytes": sent["bytes"],
              "WsTxMessages": sent["messages"], "WsTxBytes": sent["bytes"],
              "WsRxPing": sent["pings"], "WsTxPong": sent["pings"]}
    for name, value in wanted.items():
        if grown[name] != value:
            raise Failure(f"{peer}: {name} grew by {grown[name]}, "
                          f"{value} were sent")
    frames = sent["messages"] + sent["pings"]
    if grown["WsRxFrames"] < frames or grown["WsTxFrames"] < frames:
        raise Failure(f"{peer}: frames: {grown}")
    return (f"{grown['WsRxMessages']} messages, {grown['WsRxFrames']} frames, "
            f"{grown['WsRxBytes']} B in, {grown['WsTxBytes']} B out, "
            f"{grown['WsTxPong']} pongs")


def run_peer(guest, peer, command):
    """A program that prints what it sent as JSON."""
    before = guest.ask("stat")
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False)
    if done.returncode:
        raise Failure(f"{peer}: {done.stderr}")
    sent = json.loads(done.stdout)
    after = guest.until("the end", lambda now: not now["WsCurrServer"])
    kernel = check_counts(peer, sent, before, after)
    report(peer, sent["said"], f"the same, {sent['pings']} pongs", kernel)


def pattern(size):
    """The bytes that page.html sends."""
    data, x = bytearray(size), 1
    for i in range(size):
        x = (x * 69069 + 1) % 4294967296
        data[i] = x >> 16 & 255
    return bytes(data)


def page_messages():
    """What page.html sends, and so what must come back."""
    text = "hello from Chromium: grüße, 世界".encode()
    return [("text", text), ("binary", pattern(1000)),
            ("binary", pattern(1000000))]


def run_chromium(guest, port, out):
    """A page: its DOM has the length and the hash of each echo."""
    before = guest.ask("stat")
    browser = chromium.Browser()
    try:
        browser.open(f"ws://127.0.0.1:{port}/")
        end = time.monotonic() + TIMEOUT
        while browser.run("document.title") not in ("echoed", "failed"):
            if time.monotonic() > end:
                raise Failure("Chromium: the page does not finish")
            time.sleep(0.2)
        rows = browser.run(
            "[...document.querySelectorAll('.echo')].map(r => "
            "[...r.cells].map(c => c.textContent))")
        # it answers the kernel's pings while the page does nothing
        guest.until("pongs", lambda now: now["WsRxPong"] -
                    before["WsRxPong"] >= 3)
        browser.screenshot(f"{out}/chromium.png")
        browser.run("leave()")
        after = guest.until("Close", lambda now: not now["WsCurrServer"])
    finally:
        browser.close()
    wanted = [[kind, str(len(data)), hashlib.sha256(data).hexdigest()]
              for kind, data in page_messages()]
    if rows != wanted:
        raise Failure(f"Chromium: the page shows {rows}, not {wanted}")
    sent = {"messages": len(wanted), "pings": 0,
            "bytes": sum(len(data) for _, data in page_messages())}
    kernel = check_counts("Chromium", sent, before, after)
    pongs = after["WsRxPong"] - before["WsRxPong"]
    pings = after["WsTxPing"] - before["WsTxPing"]
    if pongs > pings:
        raise Failure(f"Chromium: {pings} pings, {pongs} pongs")
    report("Chromium", "text, 1000 B, 1 MB",
           "lengths and SHA-256 in the DOM are those of what was sent",
           f"{kernel}, {pings} pings answered {pongs} times")


def wait_for(what, check):
    """Until the page says so."""
    end = time.monotonic() + TIMEOUT
    while not check():
        if time.monotonic() > end:
            raise Failure(f"the page: no {what}")
        time.sleep(0.2)


def watch(browser, url):
    """Let the page run with small and long messages, then pause it."""
    def count():
        return int(browser.text("count") or 0)

    browser.visit(url)
    wait_for("messages", lambda: count() >= 50)
    browser.run("size.value = 17; size.oninput()")
    long = count() + 5
    wait_for("long messages", lambda: count() >= long)
    browser.run("size.value = 6; size.oninput()")
    short = count() + 30
    wait_for("short messages", lambda: count() >= short)
    browser.run("pause.click()")
    wait_for("pause", lambda: browser.text("state") == "paused")


def run_page(guest, port, out):
    """The page of wsup serve --static, from the port of the echo."""
    before = guest.ask("stat")
    browser = chromium.Browser()
    try:
        watch(browser, f"http://127.0.0.1:{port}/")
        browser.screenshot(f"{out}/page.png")
        sent = {"messages": int(browser.text("count")), "pings": 0,
                "bytes": int(browser.text("total"))}
        if browser.text("wrong") != "0":
            raise Failure(f"the page: {browser.text('wrong')} wrong echoes")
        points = browser.run("line.getAttribute('points').split(' ').length")
        if points != min(sent["messages"], 200):
            raise Failure(f"the page: {points} points in the plot")
        browser.run("socket.close(1000)")
        wait_for("Close", lambda: browser.text("state") == "closed 1000")
    finally:
        browser.close()
    after = guest.until("the end", lambda now: not now["WsCurrServer"])
    report("wsup serve page", f"{sent['messages']} messages, 64 B and 128 KiB",
           "the same, by the DOM; plotted",
           check_counts("the page", sent, before, after))


def run_client(guest):
    """wsup connect in the guest, python3-websockets as its server."""
    found = guest.ask("client")
    grown = found["grown"]
    if (found["status"] or found["server_got"] !=
            ["first line", "second line"] or
            found["got"] != ["FIRST LINE\n", "SECOND LINE\n"]):
        raise Failure(f"wsup connect: {found}")
    if grown["WsTxMessages"] != 2 or grown["WsRxMessages"] != 2 or \
            grown["WsTxBytes"] != 21 or grown["WsRxBytes"] != 21:
        raise Failure(f"wsup connect: {grown}")
    report("wsup connect", "2 lines to a server of python3-websockets",
           "the lines that it answered",
           f"{grown['WsTxFrames']} frames out, {grown['WsRxFrames']} in, "
           f"{grown['WsTxBytes']} B out, {grown['WsRxBytes']} B in")


def run_strace(guest):
    """echo.c under strace: payload and nothing else."""
    found = guest.ask("strace")
    wanted = []
    for message in found["messages"]:
        wanted += [["read", message], ["write", message]]
    calls = [call for call in found["calls"] if call[1]]
    if calls != wanted:
        raise Failure(f"echo.c: strace saw {calls}, not {wanted}")
    if found["grown"]["WsRxMessages"] != len(found["messages"]):
        raise Failure(f"echo.c: {found['grown']}")
    report("echo.c, strace", f"{len(wanted) // 2} texts by python3-websockets",
           f"the same; {len(calls)} reads and writes, payload only",
           f"{found['grown']['WsRxMessages']} messages, "
           f"{found['grown']['WsRxFrames']} frames in")


def main():
    """All peers, one after the other."""
    echo, pinging, control, out = sys.argv[1:]
    url = f"ws://127.0.0.1:{echo}/"
    guest = Guest(control)
    print(f"the guest runs Linux {guest.wait()}", flush=True)
    run_peer(guest, "Node ws", ["node", f"{HERE}/node_ws.js", url])
    run_peer(guest, "python3-websockets",
             ["python3", f"{HERE}/python_client.py", url])
    run_peer(guest, "libcurl", [f"{out}/curl_ws", url])
    run_chromium(guest, pinging, out)
    run_page(guest, echo, out)
    run_client(guest)
    run_strace(guest)
    guest.stop()


try:
    main()
except Failure as failure:
    sys.exit(f"demo: {failure}")
