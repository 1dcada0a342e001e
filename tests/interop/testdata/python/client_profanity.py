"""profanity as a client: types its commands in a terminal of tmux and reads its log, through a relay that can lose the connection."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from steps import STEP_SECONDS, job, say, steps

FEATURES = "connection_features_received"  # before that it does not know that the server has ping
bare = job["PARTNER"].split("/")[0]


class Relay:
    """Carries one connection after another to the server."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection((job["ADDRESS"], int(job["PORT"])))
            self.ends += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    def copy(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def drop(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.ends = []


class Client:
    def __init__(self, home):
        self.log = home + "/profanity.log"
        self.tmux = ["tmux", "-S", home + "/tmux", "-f", "/dev/null"]
        self.relay = Relay()
        self.mark = 0
        places = {name: home + "/" + name for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        subprocess.run([*self.tmux, "new-session", "-d", "-x", "150", "-y", "40", "profanity", "-l", "DEBUG", "-f", self.log],
                       check=True, env={**os.environ, **places, "HOME": home, "TERM": "screen", "LC_ALL": "C.UTF-8"})

    def type(self, text):
        self.mark = len(self.text())
        subprocess.run([*self.tmux, "send-keys", "-l", text], check=True)
        subprocess.run([*self.tmux, "send-keys", "Enter"], check=True)

    def text(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def screen(self):
        return subprocess.run([*self.tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True).stdout

    def await_log(self, pattern, since=None):
        return self.await_text(pattern, lambda: self.text()[self.mark if since is None else since:])

    def await_text(self, pattern, text):
        late = time.monotonic() + STEP_SECONDS
        while time.monotonic() < late:
            if found := re.search(pattern, text()):
                return found.group(0)
            time.sleep(0.05)
        raise TimeoutError("nothing came in time")

    def step_login(self):
        self.await_text("Type '/help'", self.screen)
        for setting in ("/receipts request on", "/receipts send on", "/reconnect 1", "/autoping set 0", "/splash off"):
            self.type(setting)
        tls = "legacy" if job["TRANSPORT"] == "direct" else "force"
        self.type(f"/connect {job['JID']} server 127.0.0.1 port {self.relay.port} tls {tls}")
        self.await_text("Enter password", self.screen)
        self.type(job["SECRET"])
        ended = r"logged in successfully|<not-authorized|certificate verification failed|Login failed"
        how = self.await_text(ended, lambda: self.text()[self.mark:] + self.screen())
        if "success" not in how:
            raise RuntimeError(how)
        return re.findall(r"SENT: <auth[^>]* mechanism=\"([^\"]*)", self.text())[-1]

    def step_bind(self):
        return self.await_log(re.escape("<jid>" + job["JID"]), since=0)

    def step_ping(self):
        self.await_log(FEATURES, since=0)
        self.type("/ping")
        asked = self.await_log(r"SENT: <iq [^\n]*<ping xmlns=\"urn:xmpp:ping")
        number = re.search(r' id="([^"]*)"', asked).group(1)
        self.await_log(r'RECV: <iq (?=[^>]*\btype="result")(?=[^>]*\bid="' + re.escape(number) + '")')

    def step_receipt(self):
        self.type(f"/msg {job['PARTNER']} how are you?")
        return self.await_log(r"RECV: <message[^\n]*<received [^>]*urn:xmpp:receipts")

    def step_answer(self):
        return self.await_log(r"SENT: <message[^\n]*<received[^\n]*")

    def step_presence(self):
        self.type("/sub request " + bare)
        self.await_log(r"RECV: <presence[^>]*type=\"subscribe\"")
        self.type("/sub allow " + bare)
        self.await_log(r"SENT: <presence[^>]*type=\"subscribed\"")
        return self.await_log(r"RECV: <presence(?=[^>]* from=\"" + re.escape(job["PARTNER"]) + r"\")(?![^>]* type=)", since=0)

    def step_sm(self):
        return self.await_log(r"RECV: <enabled[^>]*", since=0)

    def step_resume(self):
        self.mark = len(self.text())
        self.relay.drop()
        self.await_log("RECV: <resumed")
        self.await_log(FEATURES)
        self.step_ping()

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False, capture_output=True)


def remove(home):
    """Removes the folder, into which profanity may still write its last words."""
    for _ in range(50):
        shutil.rmtree(home, ignore_errors=True)
        if not os.path.exists(home):
            return
        time.sleep(0.1)
    raise RuntimeError("cannot remove " + home)


def main():
    home = tempfile.mkdtemp(prefix="profanity")
    client = Client(home)
    try:
        for name in steps:
            try:
                ok, detail = True, getattr(client, "step_" + name)()
            except Exception as e:
                ok, detail = False, str(e) or repr(e)
            say(name, ok, detail)
            if name == "login" and not ok:
                break
    finally:
        client.close()
        remove(home)


main()
