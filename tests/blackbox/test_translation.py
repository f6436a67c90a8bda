"""Translated sessions: devices of one dialect, a real Mosquitto that is spoken to under another dialect's names.

Here there is no direct route to compare with. A device's side is watched by the device, the upstream's side by an observer at the broker.
"""

import os
import re
import socket

import pytest

import clients
import wire
from processes import DEADLINE, HOST, Mosquitto, Process, Puppet, free_port
from test_publish import plain, without_dup

TOKEN = "7ok3n-of-the-account"

THINGSCALE_TO_OMNICORE = (
    ["--from", "thingscale", "--set", f"token={TOKEN}", "--set", "tenant=acme"]
    + ["--to", "omnicore", "--set", "subscription=acme-sub", "--set", "registry=plant", "--identity-prefix", "d"]
)


class Translated:
    """A broker, a proxy that translates in front of it, and clients on either side."""

    def __init__(self, arguments, upstream=None, **environment):
        self.route = "translated"
        self.broker = None if upstream else Mosquitto()
        upstream = upstream or self.broker.port
        self.people = []
        binary = os.environ["INTERLINGUA_BIN"]
        command = [binary, "serve", "--listen", f"tcp://{HOST}:0", "--upstream", f"mqtt://{HOST}:{upstream}", *arguments]
        self.proxy = Process("proxy", command, {"NO_COLOR": "1", **environment})
        self.port = int(self.proxy.await_line(r"listening.*?127\.0\.0\.1:(\d+)").group(1))
        self.processes = [self.proxy] + ([self.broker.process] if self.broker else [])

    def device(self, kind, client_id, **options):
        client = clients.make(kind, self.port, client_id)
        self.people.append(client)
        connack = client.connect(**options)
        assert connack is None or connack["code"] == 0, connack
        return client

    def observer(self, *filters):
        client = clients.make("paho-v5", self.broker.port, "observer")
        self.people.append(client)
        assert client.connect()["code"] == 0
        if filters:
            client.subscribe(*filters, qos=2)
        return client

    def raw(self):
        raw = wire.Raw(self.port, DEADLINE)
        self.people.append(raw)
        return raw

    def close(self):
        for one in self.people:
            one.close() if isinstance(one, wire.Raw) else one.cut()
        killed = self.proxy.popen.poll() == -9
        alive = self.proxy.alive
        self.proxy.stop()
        if self.broker:
            self.broker.stop()
        assert (alive or killed) and "panicked" not in self.proxy.output(), self.proxy.output()


@pytest.fixture
def translated(record_stage):
    open_ones = []

    def start(arguments, **options):
        one = Translated(arguments, **options)
        open_ones.append(one)
        record_stage(one)
        return one

    yield start
    for one in open_ones:
        one.close()


DEVICES = ("paho-v311", "mqttjs-v311", "mosquitto-v311")


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_thingscale_telemetry_reaches_omnicore(translated, kind, qos):
    """The topic is OmniCore's, the payload the same bytes, QoS 2 has become 1, RETAIN 0."""
    stage = translated(THINGSCALE_TO_OMNICORE)
    observer = stage.observer("#")
    device = stage.device(kind, "dev1_a", username="U000001", password=TOKEN)
    device.publish(f"{TOKEN}/json/1085266243/room1", b"23.5", qos=qos)
    device.publish(f"{TOKEN}/binary/1085266243", bytes.fromhex("82a474656d7014a868756d696469747932"), qos=qos)
    got = observer.next(), observer.next()
    assert got == (
        plain("/plant/d1085266243/events/room1", b"23.5", min(qos, 1)),
        plain("/plant/d1085266243/events", bytes.fromhex("82a474656d7014a868756d696469747932"), min(qos, 1)),
    )


@pytest.mark.parametrize("kind", DEVICES)
def test_omnicore_commands_reach_a_thingscale_device(translated, kind):
    """Under the name that the device subscribed to; other devices' commands don't."""
    stage = translated(THINGSCALE_TO_OMNICORE)
    device = stage.device(kind, "1085266243_x")
    device.subscribe(f"{TOKEN}/1085266243/subscribe", qos=1)
    cloud = stage.observer()
    cloud.publish("/plant/d999/commands", b"not for you", qos=1)
    cloud.publish("/plant/d1085266243/commands", b"door=open", qos=1)
    cloud.publish("/plant/d1085266243/commands/relay", b"on", qos=0)
    got = without_dup([device.next(), device.next()])
    assert got == without_dup(
        [plain(f"{TOKEN}/1085266243/subscribe", b"door=open", 1), plain(f"{TOKEN}/1085266243/subscribe", b"on", 0)]
    )


def test_a_client_without_a_name_may_subscribe(translated):
    """mosquitto_sub sends no client identifier and no credentials; the topic carries the secret."""
    stage = translated(THINGSCALE_TO_OMNICORE)
    device = stage.device("paho-v311", "")
    assert device.subscribe(f"{TOKEN}/1085266243/subscribe", qos=0) == [0]
    stage.observer().publish("/plant/d1085266243/commands", b"door=open", qos=0)
    assert device.next()["topic"] == f"{TOKEN}/1085266243/subscribe"


def connect_as(client_id, username, password):
    texts = (client_id, username, password)
    return wire.packet(0x10, wire.text("MQTT") + bytes([4, 0xC2, 0, 30]) + b"".join(wire.text(text) for text in texts))


def test_the_token_stays_on_its_side(translated):
    """Not in the CONNECT, topics or filters of the upstream, and in no log line at any level."""
    puppet = Puppet()
    stage = translated(THINGSCALE_TO_OMNICORE, upstream=puppet.port, RUST_LOG="trace")
    assert stage.raw().send(connect_as(f"a-{TOKEN}", "U000001", TOKEN)).verdict() == {"packets": ["20020002"], "end": "closed"}
    device = stage.raw().send(connect_as("dev1_a", "U000001", TOKEN))
    seen = b""
    broker = puppet.accept()
    seen += broker.expect(0x10)
    broker.send("20020000")
    device.expect(0x20)
    device.send(wire.subscribe(f"{TOKEN}/1085266243/subscribe", version=4))
    seen += broker.expect(0x82)
    device.send(wire.publish(f"{TOKEN}/json/1085266243", b"1", qos=1, packet_id=3, version=4))
    seen += broker.expect(0x32)
    device.send(wire.publish(f"{TOKEN}/nothing/like/this", b"1", version=4))
    device.send(wire.publish(f"wrong-{TOKEN}/json/1", b"1", version=4))
    device.send("e000")
    seen += broker.expect(0xE0)
    broker.close()
    stage.proxy.await_line("session ended")
    puppet.stop()
    assert TOKEN.encode() not in seen and b"U000001" not in seen
    # The first line is the command itself.
    assert TOKEN not in "\n".join(stage.proxy.lines), "the token is in the log"


def test_subscriptions_outside_the_own_tree_are_refused(translated):
    stage = translated(THINGSCALE_TO_OMNICORE)
    device = stage.device("paho-v311", "1085266243_x")
    # A device that unsubscribes, subscribes and publishes as it likes stays where it is.
    for filter in ("#", "+/#", f"{TOKEN}/json/#", "other/1085266243/subscribe", "/plant/d1085266243/commands/#", "$SYS/#"):
        assert device.subscribe(filter, qos=1) == [0x80], filter
    assert device.subscribe(f"{TOKEN}/#", qos=1) == [1]


def test_what_can_not_be_translated_is_acknowledged_and_dropped(translated):
    """At QoS 1 and 2; the session goes on, and nothing is published."""
    stage = translated(THINGSCALE_TO_OMNICORE)
    observer = stage.observer("#")
    device = stage.device("paho-v311", "1085266243_x")
    for qos in (0, 1, 2):
        device.publish(f"{TOKEN}/1085266243/elsewhere", b"no", qos=qos)
    device.publish(f"{TOKEN}/json/1085266243", b"yes", qos=1)
    assert observer.next() == plain("/plant/d1085266243/events", b"yes", 1)


def test_an_emulated_will_is_published_when_the_device_vanishes(translated):
    """OmniCore has no wills: the upstream is sent none, and the proxy publishes it."""
    stage = translated(THINGSCALE_TO_OMNICORE)
    observer = stage.observer("#")
    will = {"topic": f"{TOKEN}/json/1085266243/status", "payload": b'{"up":false}', "qos": 1, "retain": False}
    stage.device("paho-v311", "1085266243_x", will=will).cut()
    assert observer.next() == plain("/plant/d1085266243/events/status", b'{"up":false}', 1)
    device = stage.device("paho-v311", "1085266243_x", will=will)
    device.disconnect()
    observer.publish("sentinel", b"", qos=1)
    assert observer.next()["topic"] == "sentinel", "a good-bye takes the will along"


PAIRS = {
    # name: arguments, kind, client id, (device topic, payload, broker topic), (broker topic, payload, device filter, device topic)
    "smartworks-omnicore": (
        ["--from", "smartworks", "--set", "space=acme", "--to", "omnicore"]
        + ["--set", "subscription=s", "--set", "registry=plant", "--identity-prefix", "t"],
        "paho-v311",
        "01FDSA7KS76MNR32J8W0RAWEFX",
        ("spaces/acme/things/01FDSA7KS76MNR32J8W0RAWEFX/properties", b'{"Temperature":24}', "/plant/t01FDSA7KS76MNR32J8W0RAWEFX/state"),
        None,
    ),
    "smartworks-g1-omnicore": (
        ["--from", "smartworks-g1", "--set", "space=acme", "--set", "collection=plant", "--to", "omnicore"]
        + ["--set", "subscription=s", "--set", "registry=plant", "--identity-prefix", "t"],
        "paho-v311",
        "01FDSA7KS7",
        (
            "set/acme/collections/plant/things/01FDSA7KS7/properties/temp",
            b'{"temp":21.7}',
            "/plant/t01FDSA7KS7/events/temp",
        ),
        None,
    ),
    "mqtt2go-omnicore": (
        ["--from", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1", "--to", "omnicore"]
        + ["--set", "subscription=s", "--set", "registry=plant"],
        "mqttjs-v311",
        "ms1",
        (
            "h1/gw1/ms1/temperature/out",
            b'{"type":"periodic_report","report":{"value":21.8}}',
            "/plant/ms1/events/temperature",
        ),
        None,
    ),
    "omnicore-mqtt2go": (
        ["--from", "omnicore", "--set", "subscription=s", "--set", "registry=plant"]
        + ["--to", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1"],
        "paho-v311",
        "subscriptions/s/registries/plant/devices/lamp1",
        None,
        (
            "h1/gw1/lamp1/switch/in",
            b'{"type":"set","timestamp":1567677926,"value":"on"}',
            "/plant/lamp1/commands/#",
            "/plant/lamp1/commands/switch",
        ),
    ),
    "xyte-legacy-xyte": (
        ["--from", "xyte-legacy", "--to", "xyte"],
        "paho-v5",
        "d8083a34-22c8-4cd8-9acb-191200000001",
        (
            "v1/device/d8083a34-22c8-4cd8-9acb-191200000001/telemetry",
            b'{"status":"online","telemetries":{"t":1}}',
            "v1/device/d8083a34-22c8-4cd8-9acb-191200000001/telemetry",
        ),
        (
            "v1/device/d8083a34-22c8-4cd8-9acb-191200000001/command",
            b'{"id":"6f1c","status":"pending","name":"reboot","parameters":{}}',
            "v1/device/d8083a34-22c8-4cd8-9acb-191200000001/commands",
            "v1/device/d8083a34-22c8-4cd8-9acb-191200000001/commands",
        ),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_names_pass_between_the_dialects(translated, pair):
    """Each dialect's device, through the real broker, byte for byte."""
    arguments, kind, client_id, up, down = PAIRS[pair]
    stage = translated(arguments)
    observer = stage.observer("#")
    device = stage.device(kind, client_id)
    if up:
        topic, payload, there = up
        device.publish(topic, payload, qos=1)
        got = observer.next()
        assert (got["topic"], got["payload"]) == (there, plain(there, payload)["payload"])
    if down:
        topic, payload, filter, here = down
        assert device.subscribe(filter, qos=1) == [1]
        observer.publish(topic, payload, qos=1)
        got = device.next()
        assert (got["topic"], got["payload"]) == (here, plain(here, payload)["payload"])


REWRITTEN = {
    # pair: from, to, client id, version, [(way, topic, payload, [(topic, payload)])]
    "thingscale-smartworks": (
        ["--from", "thingscale", "--set", f"token={TOKEN}", "--to", "smartworks", "--set", "space=acme"],
        "mqttjs-v311", "77_x", f"{TOKEN}/77/subscribe",
        (f"{TOKEN}/json/77/temp", b"23.5", [("spaces/acme/things/77/properties", b'{"temp":23.5}')]),
        (
            "spaces/acme/things/77/actions/OpenDoor",
            b'{"OpenDoor":{"input":{"speed":2},"href":"/a/01E","status":"pending"}}',
            (f"{TOKEN}/77/subscribe", b'{"action":"OpenDoor","input":{"speed":2},"id":"01E"}'),
        ),
    ),
    "thingscale-smartworks-g1": (
        ["--from", "thingscale", "--set", f"token={TOKEN}", "--to", "smartworks-g1", "--set", "space=acme"]
        + ["--set", "collection=plant"],
        "paho-v311", "77_x", None,
        (
            f"{TOKEN}/json/77",
            b'{"temp":20,"humidity":50}',
            [
                ("set/acme/collections/plant/things/77/properties/temp", b'{"temp":20}'),
                ("set/acme/collections/plant/things/77/properties/humidity", b'{"humidity":50}'),
            ],
        ),
        None,
    ),
    "mqtt2go-xyte": (
        ["--from", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1", "--to", "xyte"],
        "paho-v5", "ms1", "h1/gw1/ms1/+/in",
        ("h1/gw1/ms1/t/out", b'{"type":"periodic_report","value":21.8}', [("v1/device/ms1/telemetry", None)]),
        ("v1/device/ms1/command", b'{"id":"6f1c","name":"fan","parameters":{"value":"on"}}', ("h1/gw1/ms1/fan/in", None)),
    ),
    "xyte-mqtt2go": (
        ["--from", "xyte", "--to", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1"],
        "paho-v5", "s7", "v1/device/s7/command",
        (
            "v1/device/s7/telemetry",
            b'{"status":"online","telemetries":{"a":1,"b":2}}',
            [("h1/gw1/s7/a/out", None), ("h1/gw1/s7/b/out", None), ("h1/gw1/s7/status/out", None)],
        ),
        ("h1/gw1/s7/fan/in", b'{"type":"set","timestamp":1,"value":"on"}', ("v1/device/s7/command", None)),
    ),
    "smartworks-mqtt2go": (
        ["--from", "smartworks", "--set", "space=acme", "--to", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1"],
        "mqttjs-v311", "u1", "spaces/acme/things/u1/actions/+",
        ("spaces/acme/things/u1/properties", b'{"t":24}', [("h1/gw1/u1/t/out", None)]),
        ("h1/gw1/u1/fan/in", b'{"type":"set","timestamp":1,"value":"on"}', ("spaces/acme/things/u1/actions/fan", None)),
    ),
    "smartworks-thingscale": (
        ["--from", "smartworks", "--set", "space=acme", "--to", "thingscale", "--set", f"token={TOKEN}", "--set", "account=U1"],
        "paho-v311", "u1", "spaces/acme/things/u1/actions/+",
        ("spaces/acme/things/u1/properties", b'{"t":24}', [(f"{TOKEN}/json/u1", b'{"t":24}')]),
        (f"{TOKEN}/u1/subscribe", b'{"action":"reset","input":{}}', ("spaces/acme/things/u1/actions/reset", None)),
    ),
    "omnicore-smartworks": (
        ["--from", "omnicore", "--set", "subscription=s", "--set", "registry=plant", "--to", "smartworks", "--set", "space=acme"],
        "paho-v311", "subscriptions/s/registries/plant/devices/lamp1", "/plant/lamp1/commands/#",
        ("/plant/lamp1/events/t", b"21.5", [("spaces/acme/things/lamp1/properties", b'{"t":21.5}')]),
        (
            "spaces/acme/things/lamp1/actions/reset",
            b'{"reset":{"input":{"hard":true},"status":"pending"}}',
            ("/plant/lamp1/commands/reset", b'{"hard":true}'),
        ),
    ),
    "omnicore-thingscale": (
        ["--from", "omnicore", "--set", "subscription=s", "--set", "registry=plant", "--to", "thingscale", "--set", f"token={TOKEN}", "--set", "account=U1"],
        "mqttjs-v311", "subscriptions/s/registries/plant/devices/lamp1", "/plant/lamp1/commands/#",
        ("/plant/lamp1/events/t", b"21.5", [(f"{TOKEN}/json/lamp1/t", b"21.5")]),
        (f"{TOKEN}/lamp1/subscribe", b"on", ("/plant/lamp1/commands", b"on")),
    ),
    "mqtt2go-thingscale": (
        ["--from", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1", "--to", "thingscale", "--set", f"token={TOKEN}", "--set", "account=U1"],
        "paho-v311", "ms1", "h1/gw1/ms1/+/in",
        ("h1/gw1/ms1/t/out", b'{"type":"periodic_report","value":21.8}', [(f"{TOKEN}/json/ms1/t", b"21.8")]),
        (f"{TOKEN}/ms1/subscribe", b'{"entity":"fan","type":"set","value":"on"}', ("h1/gw1/ms1/fan/in", None)),
    ),
    "mqtt2go-smartworks": (
        ["--from", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1", "--to", "smartworks", "--set", "space=acme"],
        "paho-v311", "ms1", "h1/gw1/ms1/+/in",
        ("h1/gw1/ms1/t/out", b'{"type":"periodic_report","value":21.8}', [("spaces/acme/things/ms1/properties", b'{"t":21.8}')]),
        ("spaces/acme/things/ms1/actions/fan", b'{"fan":{"input":"on"}}', ("h1/gw1/ms1/fan/in", None)),
    ),
}


@pytest.mark.parametrize("pair", REWRITTEN)
def test_payloads_are_rewritten_live(translated, pair):
    """Both ways through the real broker; where the time of day is in the payload only the topics are compared."""
    arguments, kind, client_id, filter, up, down = REWRITTEN[pair]
    stage = translated(arguments)
    observer = stage.observer("#")
    device = stage.device(kind, client_id)
    topic, payload, expected = up
    device.publish(topic, payload, qos=1)
    for there, wanted in expected:
        got = observer.next()
        assert got["topic"] == there
        assert wanted is None or got["payload"] == wanted
    if down:
        topic, payload, (here, wanted) = down
        assert device.subscribe(filter, qos=1) == [1]
        observer.publish(topic, payload, qos=1)
        got = device.next()
        assert got["topic"] == here
        assert wanted is None or got["payload"] == wanted


def test_a_split_message_is_acknowledged_when_all_of_it_has_arrived(translated):
    """Two properties become two messages; one PUBACK goes back after both of theirs."""
    puppet = Puppet()
    arguments, *_ = REWRITTEN["thingscale-smartworks-g1"]
    stage = translated(arguments, upstream=puppet.port)
    device = stage.raw().send(wire.connect("77_x", version=4))
    broker = puppet.accept()
    broker.expect(0x10)
    broker.send("20020000")
    device.expect(0x20)
    device.send(wire.publish(f"{TOKEN}/json/77", b'{"a":1,"b":2}', qos=1, packet_id=7))
    first, second = broker.expect(0x32), broker.expect(0x32)
    identifiers = [packet[-9:-7] for packet in (first, second)]
    assert identifiers[0] == bytes([0, 7]) and identifiers[1] != identifiers[0]
    broker.send(b"\x40\x02" + identifiers[1])
    device.send("c000")
    broker.expect(0xC0)
    broker.send("d000")
    assert device.expect(0xD0) == bytes.fromhex("d000"), "no PUBACK before the PINGRESP: half of it hasn't arrived"
    broker.send(b"\x40\x02" + identifiers[0])
    assert device.expect(0x40) == bytes.fromhex("40020007")
    puppet.stop()


def test_messagepack_becomes_json_where_it_is_asked_for(translated):
    stage = translated([*THINGSCALE_TO_OMNICORE, "--payload-option", "binary=decode"])
    observer = stage.observer("#")
    device = stage.device("paho-v311", "77_x")
    device.publish(f"{TOKEN}/binary/77", bytes.fromhex("82a474656d7014a868756d696469747932"), qos=1)
    assert observer.next() == plain("/plant/d77/events", b'{"temp":20,"humidity":50}', 1)


def test_an_unreachable_upstream_is_told_before_the_device_is_accepted(translated):
    stage = translated(["--from", "plain", "--to", "plain"], upstream=free_port())
    assert stage.raw().send(wire.connect("raw", version=4)).verdict() == {"packets": ["20020003"], "end": "closed"}
    assert stage.raw().send(wire.connect("raw", version=5)).verdict() == {"packets": ["2003008800"], "end": "closed"}
    stage.proxy.await_line("the upstream can't be reached", 2)


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_a_device_of_version_5_reaches_a_platform_of_3_1_1(translated, qos):
    """OmniCore speaks 3.1.1 only; its answers come back in the device's version."""
    stage = translated(THINGSCALE_TO_OMNICORE)
    observer = stage.observer("#")
    device = stage.device("paho-v5", "1085266243_x")
    device.subscribe(f"{TOKEN}/1085266243/subscribe", qos=1)
    device.publish(f"{TOKEN}/json/1085266243/room1", b"23.5", qos=qos)
    assert observer.next() == plain("/plant/d1085266243/events/room1", b"23.5", min(qos, 1))
    observer.publish("/plant/d1085266243/commands", b"open", qos=1)
    assert device.next() == plain(f"{TOKEN}/1085266243/subscribe", b"open", 1)


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_a_device_of_3_1_1_reaches_a_platform_of_version_5(translated, kind, qos):
    """Xyte speaks 5 only, ThingScale's devices never do."""
    stage = translated(["--from", "thingscale", "--set", f"token={TOKEN}", "--to", "xyte"])
    observer = stage.observer("#")
    device = stage.device(kind, "s7_x")
    device.publish(f"{TOKEN}/json/s7", b'{"t":20}', qos=qos)
    got = observer.next()
    assert got["topic"] == "v1/device/s7/telemetry" and got["qos"] == qos, got


def test_the_own_packet_limit_is_announced_and_held(translated):
    """Version 5 is told; a larger packet ends its session with the reason code, and no other."""
    stage = translated(["--from", "plain", "--to", "plain"])
    bystander = stage.device("paho-v5", "bystander")
    device = stage.raw().send(wire.connect("raw", version=5))
    connack = device.expect(0x20)
    assert bytes.fromhex("2700400000") in connack, connack.hex()
    # A PUBLISH that announces 4 MiB of body and so is larger than that: its header alone is enough to refuse it.
    device.send("3080808002")
    assert device.verdict() == {"packets": ["e00195"], "end": "closed"}
    bystander.subscribe("t", qos=0)
    bystander.publish("t", b"still here")
    assert bystander.next()["payload"] == plain("t", b"still here")["payload"]


def test_one_log_line_says_why_a_session_ended(translated):
    stage = translated(["--from", "plain", "--to", "plain"])
    stage.raw().send("474554202f")
    stage.proxy.await_line(r'session ended.*end="device_protocol".*first packet isn\'t a CONNECT')
    device = stage.raw().send(wire.connect("twice", version=5))
    device.expect(0x20)
    device.send(wire.connect("twice", version=5))
    line = stage.proxy.await_line(r'session ended.*client_identifier="twice".*end="device_protocol".*a second CONNECT')
    assert re.search(r"peer=127\.0\.0\.1:\d+", line.string)


@pytest.mark.parametrize("arguments", (["--from", "plain", "--to", "plain"], THINGSCALE_TO_OMNICORE), ids=("plain", "translated"))
def test_a_killed_proxy_has_acknowledged_nothing(translated, arguments):
    """The broker has the message and hasn't answered; the proxy dies: the device was told nothing, so it sends again."""
    puppet = Puppet()
    stage = translated(arguments, upstream=puppet.port)
    device = stage.raw().send(wire.connect("77_x", version=4))
    broker = puppet.accept()
    broker.expect(0x10)
    broker.send("20020000")
    device.expect(0x20)
    device.send(wire.publish(f"{TOKEN}/json/77", b"1", qos=1, packet_id=7))
    device.send(wire.publish(f"{TOKEN}/json/77", b"2", qos=2, packet_id=8))
    broker.expect(0x32)
    broker.receive()
    stage.proxy.popen.kill()
    assert device.verdict() == {"packets": [], "end": "closed"}
    puppet.stop()


def test_a_killed_upstream_ends_its_sessions_and_no_others(translated):
    """The device's connection closes, the log says why, and the proxy takes the next device."""
    stage = translated(["--from", "plain", "--to", "plain"])
    device = stage.raw().send(wire.connect("77_x", version=4))
    device.expect(0x20)
    stage.broker.process.popen.kill()
    assert device.verdict() == {"packets": [], "end": "closed"}
    stage.proxy.await_line('session ended.*end="upstream_closed"')
    assert stage.raw().send(wire.connect("78_x", version=4)).verdict() == {"packets": ["20020003"], "end": "closed"}


GATEWAY_TO_OMNICORE = (
    ["--from", "mqtt2go", "--set", "home=h1", "--set", "gateway=gw1", "--to", "omnicore"]
    + ["--set", "subscription=acme-sub", "--set", "registry=plant", "--option", "attach"]
)
REPORT = b'{"type":"periodic_report","timestamp":1567677926,"value":21.8}'


@pytest.mark.parametrize("kind", ("paho-v311", "mqttjs-v311"))
def test_a_gateway_attaches_devices_before_they_speak(translated, kind):
    """Each once, and the messages behind wait for it in their order."""
    stage = translated(GATEWAY_TO_OMNICORE)
    observer = stage.observer("#")
    gateway = stage.device(kind, "gw1")
    for device in ("ms1", "ms2", "ms1", "gw1"):
        gateway.publish(f"h1/gw1/{device}/temperature/out", REPORT, qos=1)
    events = [plain(f"/plant/{device}/events/temperature", REPORT, 1) for device in ("ms1", "ms2", "ms1", "gw1")]
    attach = [plain(f"/plant/{device}/attach", b"{}", 1) for device in ("ms1", "ms2")]
    got = [observer.next() for _ in range(6)]
    assert got == [attach[0], events[0], attach[1], *events[1:]]


def test_a_gateway_that_leaves_at_once_is_still_heard(translated):
    """CONNECT, PUBLISH and DISCONNECT in one piece: the message waits for its device's attachment, the rest behind it."""
    stage = translated(GATEWAY_TO_OMNICORE)
    observer = stage.observer("#")
    raw = stage.raw()
    raw.send(
        wire.connect("gw1")
        + wire.publish("h1/gw1/ms1/temperature/out", REPORT)
        + wire.publish("h1/gw1/ms2/temperature/out", REPORT)
        + b"\xe0\x00"
    )
    raw.socket.shutdown(socket.SHUT_WR)
    got = [observer.next() for _ in range(4)]
    assert got == [
        plain("/plant/ms1/attach", b"{}", 1),
        plain("/plant/ms1/events/temperature", REPORT, 0),
        plain("/plant/ms2/attach", b"{}", 1),
        plain("/plant/ms2/events/temperature", REPORT, 0),
    ]
