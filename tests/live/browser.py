"""browser.py - a headless Chromium of the test's own, driven over the WebDriver protocol with the standard library alone."""
import base64
import http.client
import json
import os
import shutil
import subprocess
import time

from ports import free_ports

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"		# the protocol's own name of a reference to an element
START_SECONDS = 60
KEYS = {"Escape": "\ue00c", "Enter": "\ue007", "Tab": "\ue004", "Left": "\ue012", "Right": "\ue014", "Shift": "\ue008"}


class BrowserError(Exception):
    """What the driver answered instead of a value."""


def missing():
    """What this machine lacks for a browser; empty: nothing."""
    return " and ".join(name for name in ("chromium", "chromedriver") if not shutil.which(name))


class Browser:
    """Ends with its driver; its profile lies in the directory."""

    def __init__(self, directory, *arguments, scripts=True):
        self.port = free_ports(1)[0]
        self.driver = subprocess.Popen(["chromedriver", "--port=%d" % self.port], cwd=directory, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "HOME": directory, "TMPDIR": directory})
        self.session = None
        try:
            self.wait_for_driver()
            self.session = self.new_session(directory, arguments, scripts)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            self.ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait()

    def wait_for_driver(self):
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.call("GET", "/status")["ready"]:
                    return
            except OSError:
                if self.driver.poll() is not None or time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def new_session(self, directory, arguments, scripts):
        # As root Chromium runs without its sandbox only; a small /dev/shm is no reason to fail.
        words = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--user-data-dir=%s/profile" % directory,
                 "--window-size=1280,1000", *arguments]
        options = {"args": words, "perfLoggingPrefs": {"enableNetwork": True}}
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        return self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, None if method == "GET" else json.dumps(body or {}),
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise BrowserError(value["message"].splitlines()[0])
        return value

    def ask(self, method, path, body=None):
        return self.call(method, "/session/%s%s" % (self.session, path), body)

    def open(self, path):
        # What the browser's own first page asks for is not of the page.
        self.ask("POST", "/url", {"url": "about:blank"})
        self.requests()
        self.ask("POST", "/url", {"url": "file://" + os.path.abspath(path)})

    def run(self, script, *arguments):
        """The body of a function in the page; gives what it returns."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_later(self, script, *arguments):
        """The same, ended by a call of its last argument."""
        return self.ask("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def find(self, selector):
        return self.ask("POST", "/element", {"using": "css selector", "value": selector})

    def click(self, selector):
        self.ask("POST", "/element/%s/click" % self.find(selector)[ELEMENT])

    def write(self, selector, text):
        self.ask("POST", "/element/%s/value" % self.find(selector)[ELEMENT], {"text": text})

    def press(self, *names):
        """Keys to where the focus is; the first ones are held while the last is pressed."""
        keys = [KEYS.get(name, name) for name in names]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            *({"type": "keyDown", "value": key} for key in keys), *({"type": "keyUp", "value": key} for key in reversed(keys))]}]})

    def drag(self, selector, begin, end):
        """By the mouse, from one share of an element's width to another."""
        box = self.run("arguments[0].scrollIntoView({block: 'center'}); const box = arguments[0].getBoundingClientRect();"
                       "return [box.left, box.top, box.width, box.height];", self.find(selector))
        row = int(box[1] + box[3] / 3)
        steps = [{"type": "pointerMove", "x": int(box[0] + box[2] * begin), "y": row}, {"type": "pointerDown", "button": 0}]
        steps += [{"type": "pointerMove", "duration": 20, "x": int(box[0] + box[2] * (begin + (end - begin) * i / 5)), "y": row}
                  for i in range(1, 6)]
        self.ask("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                                                   "actions": steps + [{"type": "pointerUp", "button": 0}]}]})

    def emulate(self, **features):
        """prefers_color_scheme="dark", or media="print"."""
        media = features.pop("media", "")
        self.devtools("Emulation.setEmulatedMedia", media=media, features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, path, whole=True):
        """A PNG of the page, or of what is in sight."""
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def computed(self):
        """Seconds of CPU that the page's thread has used."""
        self.devtools("Performance.enable", timeDomain="threadTicks")
        metrics = self.devtools("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    def complaints(self):
        """What the console said since the last call."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def requests(self):
        """The addresses that were asked for since the last call, the page's own among them."""
        messages = [json.loads(entry["message"])["message"] for entry in self.ask("POST", "/se/log", {"type": "performance"})]
        return [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]
