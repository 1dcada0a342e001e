"""A component (XEP-0114) on slixmpp. It prints what happens to it, one JSON object a line, and echoes messages until its input ends.

component.py HOST PORT NAME SECRET
"""

import asyncio
import json
import sys

from slixmpp.componentxmpp import ComponentXMPP


def say(event, **what):
    print(json.dumps({"event": event, **what}), flush=True)


class Echo(ComponentXMPP):
    def __init__(self, host, port, name, secret):
        super().__init__(name, secret, host, int(port))
        self.name = name
        for plugin in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(plugin)
        self["xep_0030"].add_identity(category="client", itype="bot", name="Echo")
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("message", self.echo)
        self.add_event_handler("stream_error", lambda e: say("stream_error", condition=e["condition"]))
        self.add_event_handler("disconnected", lambda _: say("disconnected"))

    async def started(self, _):
        say("online", jid=self.name)
        domain = self.name.partition(".")[2]
        await self["xep_0199"].send_ping(domain, ifrom=self.name)
        info = await self["xep_0030"].get_info(jid=domain, ifrom=self.name)
        say("info", features=sorted(info["disco_info"]["features"]))

    def echo(self, message):
        say("message", jid=str(message["from"]), why=message["body"])
        message.reply(message["body"].upper()).send()


async def main():
    component = Echo(*sys.argv[1:])
    component.connect()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    component.disconnect(wait=0.1)
    say("end")


asyncio.get_event_loop().run_until_complete(main())
