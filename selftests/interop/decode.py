# SPDX-License-Identifier: GPL-2.0
"""What tshark makes of a capture of loopback.py."""
import base64
import collections
import subprocess
import xml.etree.ElementTree

import loopback
from answer import PINGS
from wsup import CLOSE, PING, PONG, TEXT

SERVER, CLIENT = "server", "client"

# What each side sends: messages, and control frames. An answer to Close repeats
# the code only.
WHOLE = loopback.MESSAGES + [(TEXT, b"".join(loopback.FRAGMENTS))]
MESSAGES = {CLIENT: WHOLE + [(TEXT, loopback.ORDERED)], SERVER: WHOLE}
CONTROL = {
    CLIENT: [(PING, data) for data in PINGS] + [(CLOSE, loopback.CLOSE)] +
            [(PONG, data) for data in PINGS] +
            [(CLOSE, (loopback.ORDER[0], ""))],
    SERVER: [(PONG, data) for data in PINGS] +
            [(CLOSE, (loopback.CLOSE[0], ""))] +
            [(PING, data) for data in PINGS] + [(CLOSE, loopback.ORDER)],
}

Frame = collections.namedtuple(
    "Frame", "role fin rsv opcode masked key length payload")


def dissect(packets, path, port):
    """What tshark tells about each packet that has frames."""
    with open(path, "wb") as file:
        file.write(base64.b64decode(packets))
    done = subprocess.run(
        ["tshark", "-r", path, "-d", f"tcp.port=={port},http", "-Y",
         "websocket or _ws.malformed", "-T", "pdml"],
        check=True, capture_output=True)
    return xml.etree.ElementTree.fromstring(done.stdout).findall("packet")


def field(tree, *names):
    """The first field there is of these names, or None."""
    for name in names:
        found = tree.find(f".//field[@name='{name}']")
        if found is not None:
            return found
    return None


def show(tree, *names):
    """What tshark displays for it."""
    found = field(tree, *names)
    return None if found is None else found.get("show")


def body(tree):
    """The payload; that of a last fragment is the message's."""
    code = show(tree, "websocket.payload.close.status_code")
    if code:
        return int(code), show(tree, "websocket.payload.close.reason") or ""
    found = field(tree, "data.data", "websocket.payload.text",
                  "websocket.payload.ping", "websocket.payload.pong")
    return b"" if found is None else bytes.fromhex(found.get("value"))


def frames(packets, port):
    """All frames of the packets."""
    for packet in packets:
        role = SERVER if show(packet, "tcp.srcport") == str(port) else CLIENT
        trees = []
        for tree in packet:     # a payload follows its frame
            if tree.get("name") == "websocket":
                trees.append(xml.etree.ElementTree.Element("frame"))
            if trees:
                trees[-1].append(tree)
        for tree in trees:
            yield Frame(
                role, show(tree, "websocket.fin") == "True",
                int(show(tree, "websocket.rsv"), 16),
                int(show(tree, "websocket.opcode")),
                show(tree, "websocket.mask") == "True",
                show(tree, "websocket.masking_key"),
                int(show(tree, "websocket.payload_length_ext_64",
                         "websocket.payload_length_ext_16",
                         "websocket.payload_length")), body(tree))


def messages(sent):
    """The messages that data frames make: (opcode, bytes) each."""
    opcode = None
    for frame in sent:
        if frame.opcode >= CLOSE:
            continue
        opcode = frame.opcode or opcode
        if frame.fin:
            yield opcode, frame.payload


def masks(role, sent):
    """What is wrong with the masks: none, or each frame its own key."""
    keys = {frame.key for frame in sent if frame.key}
    masked = [frame.masked for frame in sent]
    if role == SERVER:
        return "masked frames" if any(masked) else ""
    if not all(masked):
        return "frames without mask"
    return "" if len(keys) == len(sent) else "a key came twice"


def tell(found, wanted):
    """How two lists differ, shortly."""
    return "" if found == wanted else \
        "\n".join(f"{name}: {[(a, b[:20], len(b)) for a, b in items]}"
                  for name, items in (("found", found), ("sent", wanted)))


def compare(counters, grown):
    """The capture's own count."""
    return "\n".join(f"{name} grew by {grown[name]}, captured: {number}"
                     for name, number in counters.items()
                     if grown[name] != number)


def judge(packets, path, port, grown):
    """What was looked at, and what is wrong with it: (name, text) each."""
    found = dissect(packets, path, port)
    every = list(frames(found, port))
    for role in (CLIENT, SERVER):
        sent = [frame for frame in every if frame.role == role]
        yield f"{role}: mask", masks(role, sent)
        yield f"{role}: payload", tell(list(messages(sent)), MESSAGES[role])
        yield f"{role}: control", tell(
            [(frame.opcode, frame.payload) for frame in sent
             if frame.opcode >= CLOSE], CONTROL[role])
    yield "well formed", "" if not any(frame.rsv for frame in every) and \
        not any(tree.get("name") == "_ws.malformed" for packet in found
                for tree in packet.iter()) else "a malformed frame"
    size = sum(frame.length for frame in every if frame.opcode < CLOSE)
    pongs = sum(frame.opcode == PONG for frame in every)
    yield "counters", compare(
        {"WsTxFrames": len(every), "WsRxFrames": len(every),
         "WsTxBytes": size, "WsRxBytes": size,
         "WsTxPong": pongs, "WsRxPong": pongs}, grown)
