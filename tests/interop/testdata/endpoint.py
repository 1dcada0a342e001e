"""An endpoint made of slixmpp: it logs in, answers pushes with receipts and prints what it sees, one JSON object per line.

usage: endpoint.py direct|starttls ADDRESS PORT JID CA_FILE scram|default
The secret comes on the first line of standard input, then commands, one per line:
ping, info, commands, add JID SECRET (an account, by an ad-hoc command), drop (loses the connection and comes back), quit.
"""
import asyncio
import json
import logging
import os
import secrets
import ssl
import sys
import threading

import slixmpp
import slixmpp.util.sasl.mechanisms
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

LIFETIME = 120  # seconds, whatever happens


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class LongNonce:
    """Stands for the module random where the library makes a nonce of the digits behind the point."""

    @staticmethod
    def random():
        return "0." + str(secrets.randbits(128)).zfill(39)


class Endpoint(slixmpp.ClientXMPP):
    def __init__(self, jid, secret, how, address, port, ca_file, login):
        super().__init__(jid, secret)
        self.use_tls_at_once = how == "direct"
        self.address_of_server = (address, port)
        self.ssl_context = ssl.create_default_context(cafile=ca_file)
        self.auto_reconnect = False
        for plugin in ("xep_0030", "xep_0050", "xep_0184", "xep_0198", "xep_0199"):
            self.register_plugin(plugin)
        self["xep_0199"].enable_keepalive = False
        if login == "scram":
            # This library knows tls-unique alone, which TLS 1.3 does not have: without channel binding it must not claim to support any. Its nonce is a decimal
            # fraction, in one login of thirteen of fewer than the 16 bytes that the server asks for.
            slixmpp.util.sasl.mechanisms.random = LongNonce()
            mechanisms = self["feature_mechanisms"]
            mechanisms.use_mechs = {"SCRAM-SHA-256"}
            default = mechanisms._default_credentials
            mechanisms.sasl_callback = lambda required, optional: {**default(required, optional), "channel_binding": None}
        self.add_event_handler("session_start", self.started)
        self.register_handler(Callback("counts", MatchXPath("{urn:xmpp:sm:3}resumed"), self.resumed))
        self.add_event_handler("sm_enabled", lambda e: say("sm_enabled", id=e["id"]))
        self.add_event_handler("sm_failed", lambda _: say("sm_failed"))
        self.add_event_handler("stanza_acked", lambda s: say("acked", name=s.name))
        self.add_event_handler("failed_auth", lambda f: say("failed_auth", mechanism=self["feature_mechanisms"].mech.name, condition=f["condition"]))
        self.add_event_handler("auth_success", lambda _: say("auth", mechanism=self["feature_mechanisms"].mech.name))
        self.add_event_handler("stream_error", lambda e: say("stream_error", condition=e["condition"]))
        self.add_event_handler("disconnected", lambda _: say("disconnected"))
        self.add_event_handler("connection_failed", lambda e: say("connection_failed", why=str(e)))
        self.register_handler(Callback("push", MatchXPath("{jabber:client}message/{urn:signalbox:push:1}push"), self.pushed))

    async def _pick_dns_answer(self, domain, port=None):
        return (self.boundjid.host, *self.address_of_server)

    def dial(self):
        self.connect((self.boundjid.host, self.address_of_server[1]), use_ssl=self.use_tls_at_once, force_starttls=not self.use_tls_at_once)

    def started(self, _):
        self.send_presence()
        say("online", jid=str(self.boundjid), tls=self.socket.version())

    def resumed(self, answer):
        say("resumed", handled=answer["h"], sent=self["xep_0198"].seq)

    def pushed(self, message):
        push = message.xml.find("{urn:signalbox:push:1}push")
        payload = push.find("{urn:xmpp:json:0}json")
        say("push", id=message["id"], type=push.get("type"), payload=None if payload is None else json.loads(payload.text))

    def add(self, jid, secret):
        def fill(answer, session):
            form = self["xep_0004"].make_form(ftype="submit")
            for field in answer["command"]["form"].get_fields().values():
                values = {"accountjid": jid, "password": secret, "password-verify": secret}
                form.add_field(var=field["var"], value=values.get(field["var"], field["value"]))
            session.update(payload=form, next=tell)
            self["xep_0050"].complete_command(session)

        def tell(answer, _):
            say("command", status=answer["command"]["status"], notes=[text for _, text in answer["command"]["notes"]])

        def refused(answer, _):
            say("refused", condition=answer["error"]["condition"])

        self["xep_0050"].start_command(self.boundjid.host, "http://jabber.org/protocol/admin#add-user", {"next": fill, "error": refused})

    async def run(self, command):
        if command == "ping":
            await self["xep_0199"].send_ping(self.boundjid.host, timeout=20)
            say("pong")
        elif command == "info":
            info = await self["xep_0030"].get_info(jid=self.boundjid.host, timeout=20)
            say("info", features=sorted(info["disco_info"]["features"]))
        elif command == "commands":
            found = await self["xep_0050"].get_commands(self.boundjid.host, timeout=20)
            say("commands", commands=sorted(node for _, node, _ in found["disco_items"]["items"]))
        elif command.startswith("add "):
            self.add(*command.split()[1:])
        elif command == "drop":
            gone = self.disconnected
            self.abort()
            await gone
            self.dial()
        elif command == "quit":
            gone = self.disconnected
            self.disconnect()
            await gone
            self.loop.stop()


def main():
    how, address, port, jid, ca_file, login = sys.argv[1:]
    logging.basicConfig(level=os.environ.get("LEVEL", "CRITICAL"), stream=sys.stderr)
    secret = sys.stdin.readline().strip()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    endpoint = Endpoint(jid, secret, how, address, int(port), ca_file, login)

    async def obey(command):
        try:
            await endpoint.run(command)
        except Exception as e:
            say("error", command=command, why=repr(e))

    def read():
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(obey(line.strip()), loop)
        loop.call_soon_threadsafe(loop.stop)

    threading.Thread(target=read, daemon=True).start()
    loop.call_later(LIFETIME, loop.stop)
    endpoint.dial()
    loop.run_forever()
    say("end")


main()
