"""What the clients in Python share: the job comes from the environment, each step prints a line of JSON."""
import asyncio
import json
import os

STEP_SECONDS = 15

job = {name: os.environ[name] for name in
       ("TRANSPORT", "MECHANISM", "ADDRESS", "PORT", "CA", "DOMAIN", "JID", "SECRET", "CERT", "KEY", "PARTNER")}
steps = os.environ["STEPS"].split(",")


def say(step, ok, detail):
    print(json.dumps({"step": step, "ok": ok, "detail": str(detail)}), flush=True)


async def walk(client):
    """Takes the steps, each a coroutine method of the client's that returns a detail; without a login there are no others."""
    for name in steps:
        try:
            detail = await asyncio.wait_for(getattr(client, "step_" + name)(), STEP_SECONDS)
            ok = True
        except Exception as e:
            ok, detail = False, str(e) or repr(e)
        say(name, ok, detail)
        if name == "login" and not ok:
            return
