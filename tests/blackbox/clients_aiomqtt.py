"""aiomqtt as a client: paho's engine under asyncio, with an interface, a loop and an order of calls of its own."""

import asyncio
import threading

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from clients import Client, Paho, read_paho, set_properties
from processes import DEADLINE
from wire import HOST, Deadline

VERSIONS = {3: aiomqtt.ProtocolVersion.V31, 4: aiomqtt.ProtocolVersion.V311, 5: aiomqtt.ProtocolVersion.V5}


class Aiomqtt(Client):
    """It keeps the codes of acknowledgements to itself: what was published was acknowledged."""

    loop = None

    @classmethod
    def run(cls, coroutine):
        if cls.loop is None:
            cls.loop = asyncio.new_event_loop()
            threading.Thread(target=cls.loop.run_forever, daemon=True).start()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, cls.loop).result(DEADLINE)
        except TimeoutError:
            raise Deadline("aiomqtt: no answer") from None

    def connect(self, **options):
        return self.run(self._connect(**options))

    async def _connect(self, clean=True, keep_alive=30, username=None, password=None, will=None, **properties):
        if will:
            will = dict(will)
            fixed = {key: will.pop(key) for key in ("topic", "payload", "qos", "retain") if key in will}
            will = aiomqtt.Will(**fixed, properties=set_properties(PacketTypes.WILLMESSAGE, will) if will else None)
        options = {"clean_session": clean}
        if self.version == 5:
            options = {"clean_start": clean, "properties": set_properties(PacketTypes.CONNECT, properties)}
        self.client = aiomqtt.Client(
            HOST, self.port, identifier=self.client_id, protocol=VERSIONS[self.version], keepalive=keep_alive, username=username,
            password=password, will=will, timeout=DEADLINE, **options,
        )
        # aiomqtt doesn't tell of the CONNACK more than whether it was one that accepts.
        told, inner = self.client._client.on_connect, self.client._client

        def on_connect(client, userdata, flags, code, properties):
            value = code.value if self.version == 5 else Paho.RETURN_CODES.get(code.value, code.value)
            self.connack.put({"code": value, "session_present": int(flags.session_present), "properties": read_paho(properties)})
            told(client, userdata, flags, code, properties)

        inner.on_connect = on_connect
        try:
            await self.client.__aenter__()
            self.reading = asyncio.ensure_future(self._read())
        except aiomqtt.MqttConnectError:
            pass
        return self._await_connack()

    async def _read(self):
        try:
            async for m in self.client.messages:
                self._arrived(str(m.topic), m.payload, m.qos, m.retain, None, read_paho(m.properties))
        except aiomqtt.MqttError:
            pass
        self.ended.set()

    def subscribe(self, *filters, qos=0):
        async def go():
            if self.version == 5:
                return await self.client.subscribe([(f, SubscribeOptions(qos)) for f in filters])
            return await self.client.subscribe([(f, qos) for f in filters])

        return [code if isinstance(code, int) else code.value for code in self.run(go())]

    def unsubscribe(self, *filters):
        self.run(self.client.unsubscribe(list(filters)))
        return [0] * (len(filters) if self.version == 5 else 0)

    def publish_all(self, messages):
        async def go():
            # All at once: each call waits for its own acknowledgement.
            await asyncio.gather(*[self._publish(m) for m in messages])

        self.run(go())
        return [0 for _ in messages]

    async def _publish(self, m):
        extra = {"properties": set_properties(PacketTypes.PUBLISH, m.get("properties", {}))} if self.version == 5 else {}
        await self.client.publish(m["topic"], m["payload"], m["qos"], m["retain"], **extra)

    def disconnect(self):
        self.run(self.client.__aexit__(None, None, None))
        self.await_end()

    def cut(self):
        """End the TCP connection without a DISCONNECT packet."""

        async def go():
            live = self.client._client.socket()
            if live:
                live.shutdown(2)

        if getattr(self, "client", None):
            self.run(go())
