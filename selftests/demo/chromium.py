# SPDX-License-Identifier: GPL-2.0
"""Drive headless Chromium by its DevTools protocol."""
import base64
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

from websockets.sync.client import connect

TIMEOUT = 600       # s, for a script


class Quiet(SimpleHTTPRequestHandler):
    """Serves the page; a secure context needs an origin, file: has none."""

    def __init__(self, *args):
        super().__init__(*args, directory=os.path.dirname(__file__))

    def log_message(self, *args):
        pass


class Browser:
    """One page of a headless Chromium."""

    def __init__(self):
        self.server = HTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        self.home = tempfile.mkdtemp()
        self.process = subprocess.Popen(
            ["chromium-headless-shell", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-port=0", "--window-size=900,500",
             "--disable-dev-shm-usage", f"--user-data-dir={self.home}",
             "about:blank"],
            stderr=subprocess.PIPE, text=True, start_new_session=True)
        for line in self.process.stderr:
            found = re.search(r"DevTools listening on (ws://\S+)", line)
            if found:
                break
        else:
            raise RuntimeError("Chromium does not start")
        threading.Thread(target=self.process.stderr.read,
                         daemon=True).start()
        self.ws = connect(found.group(1), max_size=None, compression=None)
        self.count = 0
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]

    def call(self, method, **params):
        """Call a method of the protocol and return its result."""
        self.count += 1
        request = {"id": self.count, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        self.ws.send(json.dumps(request))
        while True:
            answer = json.loads(self.ws.recv(timeout=TIMEOUT))
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["result"]

    def open(self, fragment):
        """Open the page, which connects to the URL in its fragment."""
        port = self.server.server_port
        self.visit(f"http://127.0.0.1:{port}/page.html#{fragment}")

    def visit(self, url):
        """Open any page."""
        self.call("Page.enable")
        self.call("Page.navigate", url=url)

    def text(self, name):
        """What the element of this name says."""
        return self.run(f"document.getElementById('{name}')?.textContent")

    def run(self, script):
        """Run a script in the page; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script,
                           awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["result"].get("description", result))
        return result["result"].get("value")

    def screenshot(self, path):
        """Write what the page looks like."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        """End the browser and all it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.server.shutdown()
