"""slixmpp as a client: takes the steps that it is told to."""
import asyncio
import logging
import secrets
import ssl

import slixmpp
import slixmpp.util.sasl.mechanisms
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from steps import job, steps, walk


class LongNonce:
    """Stands for the module random where the library makes a nonce of the digits behind the point, which now and then are fewer than a nonce needs."""

    @staticmethod
    def random():
        return "0." + str(secrets.randbits(128)).zfill(39)


class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(job["JID"], job["SECRET"])
        self.ssl_context = ssl.create_default_context(cafile=job["CA"])
        self.auto_reconnect = False
        slixmpp.util.sasl.mechanisms.random = LongNonce()
        for plugin in ("xep_0030", "xep_0184", "xep_0198", "xep_0199"):
            self.register_plugin(plugin)
        self["xep_0199"].enable_keepalive = False
        if job["MECHANISM"]:
            self.choose(job["MECHANISM"])
        loop = asyncio.get_running_loop()
        self.online, self.receipt, self.request, self.seen, self.asked, self.managed, self.resumed = (loop.create_future() for _ in range(7))
        self.why = []
        self.add_event_handler("session_start", lambda _: self.done(self.online))
        self.add_event_handler("failed_auth", lambda f: self.why.append(f["condition"]))
        self.add_event_handler("ssl_invalid_chain", lambda e: self.why.append(str(e)))
        self.add_event_handler("connection_failed", lambda e: self.fail(str(e)))
        self.add_event_handler("disconnected", lambda e: self.fail(str(e)))
        self.add_event_handler("receipt_received", lambda m: self.done(self.receipt, m["receipt"]))
        self.add_event_handler("message", self.came)
        self.add_event_handler("presence_available", self.saw)
        self.add_event_handler("presence_subscribe", lambda _: self.done(self.asked))  # the library approves
        self.add_event_handler("sm_enabled", lambda e: self.done(self.managed, e["id"]))
        self.register_handler(Callback("resumed", MatchXPath("{urn:xmpp:sm:3}resumed"), lambda r: self.done(self.resumed, "h=" + str(r["h"]))))

    def choose(self, mechanism):
        """The library knows tls-unique alone; without channel binding it must not claim that the server has none."""
        mechanisms = self["feature_mechanisms"]
        mechanisms.use_mechs = {mechanism}
        if mechanism == "EXTERNAL":
            self.certfile, self.keyfile = job["CERT"], job["KEY"]
        if not mechanism.endswith("-PLUS"):
            default = mechanisms._default_credentials
            mechanisms.sasl_callback = lambda required, optional: {**default(required, optional), **({"channel_binding": None} if "SCRAM" in mechanism else {})}

    async def _pick_dns_answer(self, domain, port=None):
        return (self.boundjid.host, job["ADDRESS"], int(job["PORT"]))

    def dial(self):
        direct = job["TRANSPORT"] == "direct"
        self.connect((self.boundjid.host, int(job["PORT"])), use_ssl=direct, force_starttls=not direct)

    def done(self, future, result=""):
        if not future.done():
            future.set_result(result)

    def fail(self, why):
        self.why.append(why)
        if not self.online.done():
            self.online.set_exception(RuntimeError("; ".join(self.why)))

    def came(self, message):
        if message["request_receipt"] and message["from"] == job["PARTNER"]:
            self.done(self.request, message["id"])

    def saw(self, presence):
        if presence["from"] == job["PARTNER"]:
            self.done(self.seen, str(presence["from"]))

    async def step_login(self):
        self.dial()
        await self.online
        self.send_presence()
        return self["feature_mechanisms"].mech.name

    async def step_bind(self):
        return self.boundjid.full

    async def step_ping(self):
        return await self["xep_0199"].send_ping(job["DOMAIN"])

    async def step_receipt(self):
        message = self.make_message(job["PARTNER"], "how are you?")
        message["request_receipt"] = True
        message.send()
        if await self.receipt != message["id"]:
            raise RuntimeError("receipt for " + self.receipt.result())

    async def step_answer(self):
        return await self.request  # the plugin answers

    async def step_presence(self):
        self.send_presence_subscription(slixmpp.JID(job["PARTNER"]).bare)
        await self.asked
        return await self.seen

    async def step_sm(self):
        return await self.managed

    async def step_resume(self):
        gone = self.disconnected
        self.abort()
        await gone
        self.dial()
        await self.resumed
        await self.step_ping()
        return self.resumed.result()


async def main():
    logging.disable()
    client = Client()
    await walk(client)
    if client.is_connected():
        client.disconnect(wait=1)
        await client.disconnected


asyncio.run(main())
