# SPDX-License-Identifier: GPL-2.0
"""python3-websockets as client: messages, fragments, pings, Close."""
import json
import os
import sys

from websockets.sync.client import connect


def main():
    sent = {"messages": 0, "bytes": 0, "pings": 0}
    with connect(sys.argv[1], compression=None, max_size=None) as ws:
        for message in ("hello from Python", "žluťoučký kůň", b"",
                        os.urandom(70000), os.urandom(1 << 20)):
            ws.send(message)
            assert ws.recv() == message, "a message came back changed"
            data = message.encode() if isinstance(message, str) else message
            sent["messages"] += 1
            sent["bytes"] += len(data)
        ws.send(["one ", "message ", "in pieces"])
        assert ws.recv() == "one message in pieces"
        sent["messages"] += 1
        sent["bytes"] += len("one message in pieces")
        for _ in range(3):
            assert ws.ping().wait(30), "no pong"
            sent["pings"] += 1
        ws.close(4001, "done")
    assert ws.protocol.close_code == 4001, ws.protocol.close_code
    sent["said"] = "2 texts, empty, 70000 B, 1 MiB, fragments, 3 pings, Close"
    print(json.dumps(sent))


main()
