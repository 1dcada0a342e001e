"""aioxmpp as a client: takes the steps that it is told to."""
import asyncio
import logging
import socket

import aiosasl
import aiosasl.channel_binding
import aioxmpp
import aioxmpp.connector
import aioxmpp.dispatcher
import aioxmpp.mdr
import aioxmpp.node
import aioxmpp.ping
import aioxmpp.sasl
import aioxmpp.security_layer as security
import aioxmpp.tracking

from steps import job, walk

PARTNER = aioxmpp.JID.fromstr(job["PARTNER"])


class Password(security.PasswordSASLProvider):
    """The library's own choice, noted."""

    used = None

    async def _execute(self, intf, mechanism, token):
        self.used = token if isinstance(token, str) else token[0]
        return await super()._execute(intf, mechanism, token)


class Chosen(security.SASLProvider):
    """One mechanism and no other; channels are bound by the certificate, the one binding of the library's that TLS 1.3 has."""

    used = job["MECHANISM"]

    async def execute(self, client_jid, features, xmlstream, tls_transport):
        if self.used not in features[security.SASLMechanisms].get_mechanism_list():
            return False

        async def credentials():
            return client_jid.localpart, job["SECRET"]

        if self.used.endswith("-PLUS"):
            connection = tls_transport.get_extra_info("ssl_object")
            mechanism = aiosasl.SCRAMPLUS(credentials, aiosasl.channel_binding.TLSServerEndPoint(connection))
        else:
            mechanism = aiosasl.PLAIN(credentials) if self.used == "PLAIN" else aiosasl.SCRAM(credentials)
        return await self._execute(aioxmpp.sasl.SASLXMPPInterface(xmlstream), mechanism, mechanism.any_supported([self.used]))


class Verifier(security.PKIXCertificateVerifier):
    """The library does not pass on why a certificate is refused."""

    why = []

    def verify_callback(self, conn, x509, errno, errdepth, returncode):
        if not returncode:
            self.why.append(f"certificate at depth {errdepth} refused: error {errno}")
        return super().verify_callback(conn, x509, errno, errdepth, returncode)


async def no_more_addresses(*_args, **_kwargs):
    """The server's address is given; DNS knows nothing of it."""
    return []


def context():
    ctx = security.default_ssl_context()
    ctx.load_verify_locations(job["CA"])
    return ctx


class Client:
    def __init__(self):
        async def password(_jid, attempt):
            return job["SECRET"] if attempt == 0 else None

        self.login = Chosen() if job["MECHANISM"] else Password(password)
        layer = security.SecurityLayer(context, Verifier, True, [self.login])
        connector = aioxmpp.connector.XMPPOverTLSConnector() if job["TRANSPORT"] == "direct" else aioxmpp.connector.STARTTLSConnector()
        self.client = aioxmpp.PresenceManagedClient(
            aioxmpp.JID.fromstr(job["JID"]), layer, override_peer=[(job["ADDRESS"], int(job["PORT"]), connector)], max_initial_attempts=1)
        self.client.backoff_start = self.client.backoff_start / 4
        loop = asyncio.get_running_loop()
        self.online, self.request, self.seen, self.asked, self.receipt, self.suspended, self.resumed = (loop.create_future() for _ in range(7))
        self.client.on_stream_established.connect(lambda: self.done(self.online))
        self.client.on_failure.connect(self.failed)
        self.client.on_stream_suspended.connect(lambda reason: self.done(self.suspended, reason))
        self.client.on_stream_resumed.connect(lambda: self.done(self.resumed))
        self.receipts = self.client.summon(aioxmpp.mdr.DeliveryReceiptsService)
        self.client.summon(aioxmpp.PresenceClient).on_available.connect(self.saw)
        self.roster = self.client.summon(aioxmpp.RosterClient)
        self.roster.on_subscribe.connect(self.approve)
        self.client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher).register_callback(aioxmpp.MessageType.CHAT, None, self.came)

    def done(self, future, result=""):
        if not future.done():
            future.set_result(result)

    def failed(self, error):
        if not self.online.done():
            self.online.set_exception(RuntimeError("; ".join(Verifier.why + [str(error)])))

    def came(self, message):
        if message.from_ == PARTNER and message.xep0184_request_receipt:
            self.client.enqueue(aioxmpp.mdr.compose_receipt(message))
            self.done(self.request, message.id_)

    def approve(self, presence):
        self.roster.approve(presence.from_.bare())
        self.done(self.asked)

    def saw(self, jid, _stanza):
        if jid == PARTNER:
            self.done(self.seen, jid)

    async def step_login(self):
        self.client.presence = aioxmpp.PresenceState(True)
        await self.online
        return self.login.used

    async def step_bind(self):
        return self.client.local_jid

    async def step_ping(self):
        await aioxmpp.ping.ping(self.client, aioxmpp.JID.fromstr(job["DOMAIN"]))

    async def step_receipt(self):
        message = aioxmpp.Message(to=PARTNER, type_=aioxmpp.MessageType.CHAT)
        message.body[None] = "how are you?"
        message.autoset_id()
        tracker = self.receipts.attach_tracker(message)
        tracker.on_state_changed.connect(lambda state, _=None: state == aioxmpp.tracking.MessageState.DELIVERED_TO_RECIPIENT and self.done(self.receipt))
        await self.client.send(message)
        await self.receipt

    async def step_answer(self):
        return await self.request

    async def step_presence(self):
        self.roster.subscribe(PARTNER.bare())
        await self.asked
        return await self.seen

    async def step_sm(self):
        if not self.client.stream.sm_enabled:
            raise RuntimeError("not enabled")
        return self.client.stream.sm_id

    async def step_resume(self):
        self.client.stream._xmlstream.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        await self.suspended
        await self.resumed
        await self.step_ping()


async def main():
    logging.disable()
    aioxmpp.node.discover_connectors = no_more_addresses
    client = Client()
    await walk(client)
    if client.client.running:
        gone = asyncio.get_running_loop().create_future()
        client.client.on_stopped.connect(lambda: client.done(gone))
        client.client.stop()
        await asyncio.wait([gone], timeout=2)


asyncio.run(main())
