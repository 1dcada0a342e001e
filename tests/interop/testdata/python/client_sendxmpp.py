"""go-sendxmpp as a client: it logs in, sends one message and ends."""
import re
import subprocess

from steps import STEP_SECONDS, job, say, steps

command = ["go-sendxmpp", "-d", "-u", job["JID"].split("/")[0], "-p", job["SECRET"], "-j", f"{job['ADDRESS']}:{job['PORT']}", "--timeout", "10"]
if job["TRANSPORT"] == "direct":
    command.append("-t")
done = subprocess.run([*command, job["PARTNER"].split("/")[0]], input="how are you?\n", capture_output=True, text=True, timeout=STEP_SECONDS)
output = done.stdout + done.stderr
ok = done.returncode == 0
bound = re.search(r"<jid>([^<]*)", output)
# It shows what it receives alone; the one mechanism of its own that has no challenge is PLAIN.
mechanism = "" if "<challenge" in output else "PLAIN"
say("login", ok, mechanism if ok else "; ".join(re.findall(r"^\d{4}/\S+ \S+ (.*?)(?:Usage: .*)?$", output, re.M)))
if ok and "bind" in steps:
    say("bind", bound is not None, bound.group(1) if bound else "")
