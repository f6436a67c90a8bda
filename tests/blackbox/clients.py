"""Independent MQTT clients behind one face, so that one scenario runs with each of them.

What they report is normalised to the vocabulary of the specification (`message_expiry_interval`, user properties as a list of pairs,
correlation data as hex), and nothing else is done to it: no retries, no reconnects, no hidden subscriptions.

    message    {"topic", "payload", "qos", "retain", "dup", "properties"}    payload is bytes; see digest()
    connack    {"code", "session_present", "properties"}
    closed     reason code of the server's DISCONNECT, or None where there was none
"""

import asyncio
import base64
import hashlib
import json
import pathlib
import queue
import re
import signal
import socket
import subprocess
import threading
import warnings

import gmqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from papers import papers
from processes import DEADLINE, find
from wire import HOST, Deadline

PROTOCOLS = {"v31": 3, "v311": 4, "v5": 5}


def digest(payload: bytes):
    """A payload in a form that can be compared and printed."""
    if len(payload) <= 64:
        return payload
    return f"{len(payload)} bytes, sha256 {hashlib.sha256(payload).hexdigest()[:16]}"


def show(message: dict) -> dict:
    return {**message, "payload": digest(message["payload"])}


class Client:
    """One connection of one client library. `kind` is `library-version`."""

    # What carries MQTT: paho and mqtt.js know more than TCP.
    transport = "tcp"

    def __init__(self, kind: str, port: int, client_id: str):
        self.library, version = kind.split("-")
        self.version = PROTOCOLS[version]
        self.port = port
        self.client_id = client_id
        self.inbox = queue.Queue()
        self.connack = queue.Queue()
        self.ended = threading.Event()
        self.end_reason = None

    # The library's part: connect, subscribe, unsubscribe, publish_all, disconnect, cut, and calls of the following.

    def publish(self, topic, payload=b"", qos=0, retain=False, **properties):
        """Publish one message and wait for its acknowledgement. Returns the reason code of it."""
        message = {"topic": topic, "payload": payload, "qos": qos, "retain": retain, "properties": properties}
        return self.publish_all([message])[0]

    def _arrived(self, topic, payload, qos, retain, dup, properties):
        message = {"topic": topic, "payload": payload, "qos": int(qos), "retain": bool(retain)}
        if dup is not None:
            message["dup"] = bool(dup)
        message["properties"] = properties
        self.inbox.put(message)

    def _await_connack(self):
        try:
            return self.connack.get(timeout=DEADLINE)
        except queue.Empty:
            raise Deadline(f"{self.library}: no CONNACK") from None

    def next(self) -> dict:
        """The next message."""
        try:
            return show(self.inbox.get(timeout=DEADLINE))
        except queue.Empty:
            raise Deadline(f"{self.library} {self.client_id}: no message") from None

    def take(self, count: int) -> list:
        return [self.next() for _ in range(count)]

    def until(self, payload: bytes) -> list:
        """The messages before the one that has this payload: what came, and what did not."""
        got = []
        while (message := self.next())["payload"] != payload:
            got.append(message)
        return got

    def await_end(self):
        """Wait until the connection has ended. Returns the reason code of the server's DISCONNECT, if there was one."""
        if not self.ended.wait(DEADLINE):
            raise Deadline(f"{self.library} {self.client_id}: the connection is still open")
        return self.end_reason


def set_properties(packet_type, values: dict):
    """paho's spelling of properties given in the specification's words."""
    properties = Properties(packet_type)
    for key, value in values.items():
        name = {
            "user_property": "UserProperty",
            "payload_format_indicator": "PayloadFormatIndicator",
        }.get(key) or "".join(part.capitalize() for part in key.split("_"))
        if key == "subscription_identifier":
            properties.SubscriptionIdentifier = value
        elif key == "user_property":
            properties.UserProperty = [tuple(pair) for pair in value]
        else:
            setattr(properties, name, value)
    return properties


def read_paho(properties) -> dict:
    if properties is None:
        return {}
    values = {}
    for key, value in properties.json().items():
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
        if name == "user_property":
            value = [list(pair) for pair in value]
        if name == "subscription_identifier":
            value = sorted(value) if isinstance(value, list) else [value]
        values[name] = value
    return dict(sorted(values.items()))


class Paho(Client):
    # paho turns the return codes of 3.1.1 into reason codes of 5; the test wants what was on the wire.
    RETURN_CODES = {0x84: 1, 0x85: 2, 0x88: 3, 0x86: 4, 0x87: 5}

    def connect(self, clean=True, keep_alive=30, username=None, password=None, will=None, **properties):
        options = {} if self.version == 5 else {"clean_session": clean}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.paho = paho.Client(
                paho.CallbackAPIVersion.VERSION2,
                client_id=self.client_id,
                protocol=self.version,
                reconnect_on_failure=False,
                transport="websockets" if self.transport in ("ws", "wss") else "tcp",
                **options,
            )
        c = self.paho
        self.acknowledged = queue.Queue()
        self.subacks = queue.Queue()
        c.on_connect = self._on_connect
        c.on_message = self._on_message
        c.on_disconnect = self._on_disconnect
        c.on_publish = lambda c, u, mid, code, props: self.acknowledged.put((mid, code.value))
        c.on_subscribe = lambda c, u, mid, codes, props: self.subacks.put([code.value for code in codes])
        c.on_unsubscribe = lambda c, u, mid, codes, props: self.subacks.put([code.value for code in codes])
        if username is not None:
            c.username_pw_set(username, password)
        if will:
            will = dict(will)
            fixed = {key: will.pop(key) for key in ("topic", "payload", "qos", "retain") if key in will}
            c.will_set(**fixed, properties=set_properties(PacketTypes.WILLMESSAGE, will) if will else None)
        extra = {}
        if self.version == 5:
            extra = {"clean_start": clean, "properties": set_properties(PacketTypes.CONNECT, properties)}
        if self.transport in ("tls", "wss"):
            c.tls_set(ca_certs=papers().ca)
        c.connect(HOST, self.port, keepalive=keep_alive, **extra)
        c.loop_start()
        return self._await_connack()

    def _on_connect(self, client, userdata, flags, code, properties):
        value = code.value if self.version == 5 else self.RETURN_CODES.get(code.value, code.value)
        self.connack.put(
            {"code": value, "session_present": int(flags.session_present), "properties": read_paho(properties)}
        )

    def _on_message(self, client, userdata, m):
        self._arrived(m.topic, m.payload, m.qos, m.retain, m.dup, read_paho(getattr(m, "properties", None)))

    def _on_disconnect(self, client, userdata, flags, code, properties):
        if flags.is_disconnect_packet_from_server:
            self.end_reason = code.value
        self.ended.set()

    def subscribe(self, *filters, qos=0, identifier=None, **options):
        if self.version == 5:
            names = {"no_local": "noLocal", "retain_as_published": "retainAsPublished", "retain_handling": "retainHandling"}
            chosen = {names[key]: value for key, value in options.items()}
            topics = [(f, SubscribeOptions(qos, **chosen)) for f in filters]
            extra = {"subscription_identifier": identifier} if identifier else {}
            self.paho.subscribe(topics, properties=set_properties(PacketTypes.SUBSCRIBE, extra))
        else:
            self.paho.subscribe([(f, qos) for f in filters])
        return self._await(self.subacks)

    def unsubscribe(self, *filters):
        self.paho.unsubscribe(list(filters))
        return self._await(self.subacks)

    def publish_all(self, messages):
        mids = []
        for m in messages:
            extra = {}
            if self.version == 5:
                extra = {"properties": set_properties(PacketTypes.PUBLISH, m.get("properties", {}))}
            info = self.paho.publish(m["topic"], m["payload"], m["qos"], m["retain"], **extra)
            mids.append(info.mid)
        codes = dict(self._await(self.acknowledged) for _ in mids)
        return [codes[mid] for mid in mids]

    @staticmethod
    def _await(what: queue.Queue):
        try:
            return what.get(timeout=DEADLINE)
        except queue.Empty:
            raise Deadline("paho: no acknowledgement") from None

    def disconnect(self):
        self.paho.disconnect()
        self.await_end()

    def cut(self):
        """End the TCP connection without a DISCONNECT packet."""
        c = getattr(self, "paho", None)
        if c is None:
            return
        live = c.socket()
        if live:
            # paho's WebSocket has no call for it.
            live = getattr(live, "_socket", live)
            try:
                live.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        c.loop_stop()
        c._reset_sockets()  # or its socket pair lives until the garbage collector comes by, and select() ends at 1024


class Lines:
    """A process that holds the clients of one library for one test process, and speaks JSON lines."""

    @classmethod
    def get(cls):
        if cls.shared is None or cls.shared.popen.poll() is not None:
            cls.shared = cls()
        return cls.shared

    def __init__(self):
        self.popen = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seq = 0
        self.answers = {}
        self.clients = {}
        self.lock = threading.Lock()
        self.ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        if not self.ready.wait(60):
            raise RuntimeError(f"{self.title} did not start")

    def _read(self):
        for line in self.popen.stdout:
            said = json.loads(line)
            if said.get("event") == "ready":
                self.ready.set()
            elif "seq" in said:
                self.answers[said["seq"]].put(said)
            elif said["client"] in self.clients:
                self.clients[said["client"]].heard(said)

    def ask(self, op, name, **arguments):
        with self.lock:
            self.seq += 1
            seq = self.seq
            answer = self.answers[seq] = queue.Queue()
            self.popen.stdin.write(json.dumps({"seq": seq, "op": op, "client": name, **arguments}) + "\n")
            self.popen.stdin.flush()
        try:
            said = answer.get(timeout=DEADLINE)
        except queue.Empty:
            raise Deadline(f"{self.title}: no answer to {op}") from None
        if "error" in said:
            raise RuntimeError(f"{self.title}: {op}: {said['error']}")
        return said["result"]


class Node(Lines):
    title = "mqtt.js"
    shared = None

    def command(self):
        return [find("node"), str(pathlib.Path(__file__).parent.parent / "clients" / "mqttjs.mjs")]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def to_js(values: dict) -> dict:
    out = {}
    for key, value in values.items():
        if key == "user_property":
            users = {}
            for k, v in value:
                users.setdefault(k, []).append(v)
            out["userProperties"] = users
        elif isinstance(value, bytes):
            out[camel(key)] = {"hex": value.hex()}
        elif key == "payload_format_indicator":
            out[camel(key)] = bool(value)
        else:
            out[camel(key)] = value
    return out


def from_js(values: dict) -> dict:
    out = {}
    for key, value in (values or {}).items():
        name = re.sub(r"(?=[A-Z])", "_", key).lower()
        if name == "user_properties":
            name = "user_property"
            value = [[k, v] for k, vs in value.items() for v in (vs if isinstance(vs, list) else [vs])]
        elif name == "subscription_identifier":
            value = sorted(value) if isinstance(value, list) else [value]
        elif isinstance(value, dict) and "hex" in value:
            value = value["hex"]
        elif isinstance(value, bool):
            value = int(value)
        out[name] = value
    return dict(sorted(out.items()))


class MqttJs(Client):
    count = 0

    def connect(self, clean=True, keep_alive=30, username=None, password=None, will=None, **properties):
        MqttJs.count += 1
        self.name = f"{self.client_id}#{MqttJs.count}"
        self.node = Node.get()
        self.node.clients[self.name] = self
        self.subacks = queue.Queue()
        options = {"clientId": self.client_id, "clean": clean, "keepalive": keep_alive, "protocolVersion": self.version}
        options["protocol"] = {"tcp": "mqtt", "tls": "mqtts"}.get(self.transport, self.transport)
        if self.transport in ("ws", "wss"):
            options["path"] = "/mqtt"
        if self.transport in ("tls", "wss"):
            options["ca"] = {"hex": papers().ca.read_bytes().hex()}
        if username is not None:
            options |= {"username": username, "password": password}
        if properties:
            options["properties"] = to_js(properties)
        if will:
            will = dict(will)
            fixed = {key: will.pop(key) for key in ("topic", "payload", "qos", "retain") if key in will}
            fixed["payload"] = {"hex": fixed["payload"].hex()}
            options["will"] = fixed | ({"properties": to_js(will)} if will else {})
        self.node.ask("connect", self.name, port=self.port, options=options)
        return self._await_connack()

    def heard(self, said):
        event = said["event"]
        packet = said.get("packet", {})
        if event == "connack":
            code = packet["reasonCode"] if self.version == 5 else packet["returnCode"]
            self.connack.put(
                {
                    "code": code,
                    "session_present": int(packet["sessionPresent"]),
                    "properties": from_js(packet.get("properties")),
                }
            )
        elif event in ("suback", "unsuback"):
            granted = packet.get("granted") or []
            self.subacks.put([g.get("qos", g) if isinstance(g, dict) else g for g in granted])
        elif event == "disconnect":
            self.end_reason = packet.get("reasonCode")
        elif event == "message":
            properties = from_js(said["properties"])
            # mqtt.js resolves topic aliases of the server; the alias itself is the server's choice.
            properties.pop("topic_alias", None)
            self._arrived(
                said["topic"], base64.b64decode(said["payload"]), said["qos"], said["retain"], said["dup"], properties
            )
        elif event == "close":
            self.ended.set()

    def subscribe(self, *filters, qos=0, identifier=None, **options):
        names = {"no_local": "nl", "retain_as_published": "rap", "retain_handling": "rh"}
        chosen = {"qos": qos} | {names[key]: value for key, value in options.items()}
        extra = {"properties": {"subscriptionIdentifier": identifier}} if identifier else {}
        self.node.ask("subscribe", self.name, filters={f: chosen for f in filters}, **extra)
        return Paho._await(self.subacks)

    def unsubscribe(self, *filters):
        self.node.ask("unsubscribe", self.name, filters=list(filters))
        return Paho._await(self.subacks) or [0] * (len(filters) if self.version == 5 else 0)

    def publish_all(self, messages):
        lines = [
            {
                "topic": m["topic"],
                "payload": base64.b64encode(m["payload"]).decode(),
                "options": {"qos": m["qos"], "retain": m["retain"]}
                | ({"properties": to_js(m["properties"])} if m.get("properties") else {}),
            }
            for m in messages
        ]
        return [
            said["code"] if said["error"] is None or said["code"] else said["error"]
            for said in self.node.ask("publish", self.name, messages=lines)
        ]

    def disconnect(self):
        self.node.ask("disconnect", self.name)

    def cut(self):
        if hasattr(self, "node"):
            self.node.ask("cut", self.name)


class Gmqtt(Client):
    loop = None

    @classmethod
    def run(cls, coroutine):
        if cls.loop is None:
            cls.loop = asyncio.new_event_loop()
            threading.Thread(target=cls.loop.run_forever, daemon=True).start()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, cls.loop).result(DEADLINE)
        except TimeoutError:
            raise Deadline("gmqtt: no answer") from None

    NAMES = {"payload_format_indicator": "payload_format_id"}
    BACK = {"payload_format_id": "payload_format_indicator", "max_qos": "maximum_qos"}

    def connect(self, clean=True, keep_alive=30, username=None, password=None, will=None, **properties):
        return self.run(self._connect(clean, keep_alive, username, password, will, properties))

    async def _connect(self, clean, keep_alive, username, password, will, properties):
        if will:
            will = dict(will)
            fixed = [will.pop(key) for key in ("topic", "payload", "qos", "retain")]
            will = gmqtt.Message(*fixed, **will)
        c = self.gmqtt = gmqtt.Client(self.client_id, clean_session=clean, will_message=will, **properties)
        c.set_config({"reconnect_retries": 0, "reconnect_delay": 0})
        self.subacks = queue.Queue()

        def on_connect(client, flags, code, props):
            # What gmqtt hands over here is mixed with what it asked for itself; keep the server's part.
            answer = read_gmqtt(client._package_handler._connack_properties)
            self.connack.put({"code": code, "session_present": flags & 1, "properties": answer})

        def on_message(client, topic, payload, qos, props):
            props = dict(props)
            fixed = props.pop("retain", 0), props.pop("dup", None)
            self._arrived(topic, bytes(payload), qos, *fixed, read_gmqtt(props))
            return 0

        def on_disconnect(client, packet, exc=None):
            if packet and len(packet) and packet[0] >= 0x80:
                self.end_reason = packet[0]
            self.ended.set()

        c.on_connect = on_connect
        c.on_message = on_message
        c.on_disconnect = on_disconnect
        c.on_subscribe = lambda client, mid, codes, props: self.subacks.put([int(code) for code in codes])
        if username is not None:
            c.set_auth_credentials(username, password)
        try:
            await c.connect(HOST, self.port, keepalive=keep_alive)
        except gmqtt.mqtt.handler.MQTTConnectError as refused:
            return {"code": refused._code, "session_present": 0, "properties": {}}
        return await asyncio.to_thread(self._await_connack)

    def subscribe(self, *filters, qos=0, identifier=None, **options):
        wanted = [gmqtt.Subscription(f, qos=qos, **options) for f in filters]
        extra = {"subscription_identifier": identifier} if identifier else {}

        async def go():
            self.gmqtt.subscribe(wanted, **extra)

        self.run(go())
        return Paho._await(self.subacks)

    def publish_all(self, messages):
        async def go():
            for m in messages:
                named = {self.NAMES.get(k, k): v for k, v in m.get("properties", {}).items()}
                # gmqtt raises instead of waiting when the broker's receive maximum (20) is used up.
                if len(self.gmqtt._persistent_storage.get_all()) >= 15:
                    await self.gmqtt._persistent_storage.wait_empty()
                self.gmqtt.publish(m["topic"], m["payload"], qos=m["qos"], retain=m["retain"], **named)
            await self.gmqtt._persistent_storage.wait_empty()

        self.run(go())
        # gmqtt does not tell the reason code.
        return [0 for _ in messages]

    def disconnect(self):
        self.run(self.gmqtt.disconnect())

    def cut(self):
        async def go():
            self.gmqtt._is_active = False
            self.gmqtt._connection._transport.abort()

        if getattr(self, "gmqtt", None) and self.gmqtt._connection:
            self.run(go())


def read_gmqtt(values: dict) -> dict:
    out = {}
    for key, value in values.items():
        name = Gmqtt.BACK.get(key, key)
        if name == "user_property":
            value = [list(pair) for pair in value]
        elif name == "subscription_identifier":
            value = sorted(value)
        elif isinstance(value, list):
            value = value[0]
        if isinstance(value, bytes):
            value = value.hex()
        out[name] = value
    return dict(sorted(out.items()))


class CommandLine(Client):
    """mosquitto_pub and mosquitto_sub. Each call is a process; what they can't report (CONNACK, dup) is left out."""

    # A marker, because -d writes to the same place. The payload as hex, because it may be anything.
    FORMAT = "#MESSAGE\t%t\t%x\t%q\t%r\t%E\t%C\t%R\t%D\t%F\t%S\t%P"

    def connect(self, clean=True, keep_alive=30, username=None, password=None, will=None, **properties):
        self.child = None
        self.options = ["-h", HOST, "-p", str(self.port), "-V", "mqttv" + {3: "31", 4: "311", 5: "5"}[self.version]]
        self.options += ["-k", str(keep_alive)]
        if username is not None:
            self.options += ["-u", username, "-P", password]
        if will:
            self.options += ["--will-topic", will["topic"], "--will-payload", will["payload"].decode()]
            self.options += ["--will-qos", str(will["qos"])] + (["--will-retain"] if will["retain"] else [])
        self.persistent = [] if clean else ["-c"]

    def subscribe(self, *filters, qos=0):
        command = [find("mosquitto_sub"), *self.options, *self.persistent, "-d", "-q", str(qos), "-i", self.client_id]
        for f in filters:
            command += ["-t", f]
        shape = self.FORMAT if self.version == 5 else self.FORMAT.split("\t%E")[0]
        self.child = subprocess.Popen(
            ["stdbuf", "-oL", *command, "-F", shape.replace("\t", "\\t")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.subscribed = queue.Queue()
        threading.Thread(target=self._read, args=(self.child,), daemon=True).start()
        return Paho._await(self.subscribed)

    def _read(self, child):
        for raw in child.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            if line.startswith("#MESSAGE\t"):
                topic, payload, qos, retain, *rest = line.split("\t")[1:]
                properties = {}
                if rest:
                    names = ("message_expiry_interval", "content_type", "response_topic", "correlation_data")
                    names += ("payload_format_indicator", "subscription_identifier", "user_property")
                    properties = {k: v for k, v in zip(names, rest) if v}
                    for key in ("message_expiry_interval", "payload_format_indicator"):
                        if key in properties:
                            properties[key] = int(properties[key])
                    if "correlation_data" in properties:
                        properties["correlation_data"] = properties["correlation_data"].encode().hex()
                    if "user_property" in properties:
                        properties["user_property"] = [p.split(":") for p in properties["user_property"].split(" ")]
                    properties = dict(sorted(properties.items()))
                self._arrived(topic, bytes.fromhex(payload), int(qos), retain == "1", None, properties)
            elif found := re.match(r"Subscribed \(mid: \d+\): (.*)", line):
                self.subscribed.put([int(code) for code in found.group(1).split(", ")])
        child.wait()
        self.ended.set()

    def publish_all(self, messages):
        """One mosquitto_pub per run of messages that differ only in their payload."""
        first = messages[0]
        name = self.client_id + ("-pub" if self.child and self.child.poll() is None else "")
        command = [find("mosquitto_pub"), *self.options, "-i", name, "-t", first["topic"], "-q", str(first["qos"])]
        if first["retain"]:
            command.append("-r")
        for key, value in first.get("properties", {}).items():
            pairs = value if key == "user_property" else [[value]]
            for pair in pairs:
                words = [w.decode() if isinstance(w, bytes) else str(w) for w in pair]
                command += ["-D", "publish", key.replace("_", "-"), *words]
        if len(messages) > 1:
            command.append("-l")
            stdin = b"".join(m["payload"] + b"\n" for m in messages)
        elif first["payload"]:
            command.append("-s")
            stdin = first["payload"]
        else:
            command.append("-n")
            stdin = b""
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE)
        self.said = done.stdout.decode(errors="replace").strip()
        return [done.returncode] * len(messages)

    def disconnect(self):
        if self.child:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(DEADLINE)

    def cut(self):
        if getattr(self, "child", None) and self.child.poll() is None:
            self.child.kill()
            self.child.wait()


LIBRARIES = {"paho": Paho, "mqttjs": MqttJs, "gmqtt": Gmqtt, "mosquitto": CommandLine}


def make(kind: str, port: int, client_id: str) -> Client:
    return LIBRARIES[kind.split("-")[0]](kind, port, client_id)
