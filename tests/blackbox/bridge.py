"""The stage of a scenario that is translated: between the names of two platforms, between two versions of MQTT, or both.

A scenario `fn(stage)` runs twice, as those of stage.py do: `direct`, where the device uses the upstream's names and speaks to Mosquitto
itself, and `proxied`, where it uses its own names and the proxy speaks the upstream's version. What is observed is told in neutral words (a
name, a number, the packet's flags) and has to be equal: a device can't tell that it is translated, but for what README.md says is lost.
"""

import dataclasses
import json
import os
import re
import urllib.request

import pytest

import clients
import wire
from processes import DEADLINE, HOST, Mosquitto, Process, Proxy


@dataclasses.dataclass(frozen=True)
class Plain:
    """Topics and payloads of no platform. What each side has: names of what a device says and of what it is told, and their payloads."""

    def up(self, device, name):
        return f"from/{device}/{name}"

    def down(self, device, name):
        return f"to/{device}/{name}"

    def said(self, name, number):
        return str(number).encode()

    told = said

    def read(self, topic, payload):
        """(device, name, number)"""
        return *topic.split("/")[1:], int(payload)


@dataclasses.dataclass(frozen=True)
class Mqtt2go:
    home: str
    gateway: str

    def up(self, device, name):
        return f"{self.home}/{self.gateway}/{device}/{name}/out"

    def down(self, device, name):
        return f"{self.home}/{self.gateway}/{device}/{name}/in"

    def said(self, name, number):
        return b'{"type":"status","timestamp":1567677926,"value":%d}' % number

    def told(self, name, number):
        return b'{"type":"set","timestamp":1567677946,"value":%d}' % number

    def read(self, topic, payload):
        return *topic.split("/")[2:4], json.loads(payload)["value"]


@dataclasses.dataclass(frozen=True)
class SmartWorks:
    space: str

    def up(self, device, name):
        return f"spaces/{self.space}/things/{device}/properties"

    def down(self, device, name):
        return f"spaces/{self.space}/things/{device}/actions/{name}"

    def said(self, name, number):
        return b'{"%s":%d}' % (name.encode(), number)

    def read(self, topic, payload):
        _, _, _, device, _, name = topic.split("/")
        return device, name, json.loads(payload)[name]["input"]


HERE, THERE = Mqtt2go("h1", "gw1"), Mqtt2go("h9", "gw9")
TO_MQTT2GO = ["--to", "mqtt2go", "--to-set", "home=h9", "--to-set", "gateway=gw9"]
PAIRS = {
    "plain": (["--from", "plain", "--to", "plain"], Plain(), Plain()),
    "mqtt2go": (["--from", "mqtt2go", "--from-set", "home=h1", "--from-set", "gateway=gw1", *TO_MQTT2GO], HERE, THERE),
    "smartworks-mqtt2go": (["--from", "smartworks", "--from-set", "space=acme", *TO_MQTT2GO], SmartWorks("acme"), THERE),
}
# The device's client, and the version that the upstream is spoken to in.
LINKS = {
    "5-5": ("paho-v5", "5"),
    "3.1.1-3.1.1": ("paho-v311", "3.1.1"),
    "5-3.1.1": ("paho-v5", "3.1.1"),
    "3.1.1-5": ("paho-v311", "5"),
    "js-5-3.1.1": ("mqttjs-v5", "3.1.1"),
    "js-3.1.1-5": ("mqttjs-v311", "5"),
}
FIVE = ("5-5", "5-3.1.1", "js-5-3.1.1")
# `plain` in one version is what the other tests are about.
WAYS = [(pair, link) for pair in PAIRS for link in LINKS if pair != "plain" or link not in ("5-5", "3.1.1-3.1.1")]


class Bridge:
    def __init__(self, route: str, pair: str, link: str, **broker_options):
        self.route, self.pair, self.link = route, pair, link
        arguments, near, self.far = PAIRS[pair]
        self.kind, upstream_version = LINKS[link]
        self.version = clients.PROTOCOLS[self.kind.split("-")[1]]
        self.upstream_version = {"5": 5, "3.1.1": 4}[upstream_version]
        self.near = self.far if route == "direct" else near
        self.people = []
        self.proxy = None
        self.broker = Mosquitto(**broker_options)
        self.processes = [self.broker.process]
        self.port = self.broker.port
        if route == "proxied":
            self.start_proxy([*arguments, "--upstream-mqtt", upstream_version])

    def start_proxy(self, arguments):
        addresses = ["--listen", f"tcp://{HOST}:0", "--admin", f"{HOST}:0", "--upstream", f"mqtt://{HOST}:{self.broker.port}"]
        self.proxy = Process("proxy", [os.environ["INTERLINGUA_BIN"], "serve", *addresses, *arguments], {"NO_COLOR": "1"})
        self.processes.append(self.proxy)
        self.port = int(self.proxy.await_line(r"listening.*?127\.0\.0\.1:(\d+)").group(1))
        self.fault = None
        if os.environ.get("BLACKBOX_STAND_IN", "").startswith("faulty:"):
            # Nothing can stand in for a translation: the fault is in front of it.
            self.fault = Proxy(self.port)
            self.port = self.fault.port

    def client(self, client_id="lamp1", kind=None) -> clients.Client:
        client = clients.make(kind or self.kind, self.port, client_id)
        self.people.append(client)
        return client

    def device(self, client_id="lamp1", **options) -> clients.Client:
        """A client on the route, connected."""
        client = self.client(client_id)
        connack = client.connect(**options)
        assert connack["code"] == 0, connack
        return client

    def observer(self, client_id="observer", granted=2) -> clients.Client:
        """A client that speaks to the broker itself, and hears everything that devices say."""
        client = clients.make("paho-v5", self.broker.port, client_id)
        self.people.append(client)
        assert client.connect()["code"] == 0
        assert client.subscribe(self.far.up("+", "+"), qos=2) == [granted]
        return client

    def kept(self) -> dict:
        """What CONNECT says so that a session outlives its connection."""
        return {"clean": False, **({"session_expiry_interval": 300} if self.version == 5 else {})}

    # What is said on either side.

    def raw(self) -> wire.Raw:
        return wire.Raw(self.port, DEADLINE)

    def says(self, device, name, number, qos=1, retain=False, **properties):
        return device.publish(self.near.up(device.client_id, name), self.near.said(name, number), qos, retain, **properties)

    def tells(self, observer, device, name, number, qos=1, retain=False, **properties):
        return observer.publish(self.far.down(device, name), self.far.told(name, number), qos, retain, **properties)

    def filter(self, device, name):
        return self.near.down(device.client_id, name)

    def will(self, device, name, number, qos=1, retain=False, **properties) -> dict:
        return {"topic": self.near.up(device, name), "payload": self.near.said(name, number), "qos": qos, "retain": retain, **properties}

    # What is heard, in neutral words.

    def heard(self, client) -> tuple:
        """The next message: (device, name, number, QoS)."""
        return self.heard_whole(client)[0]

    def heard_whole(self, client) -> tuple:
        """The next message, and its flags and properties."""
        side = self.far if client.client_id.startswith("observer") else self.near
        try:
            message = client.inbox.get(timeout=DEADLINE)
        except clients.queue.Empty:
            raise wire.Deadline(f"{client.client_id}: no message") from None
        device, name, number = side.read(message["topic"], message["payload"])
        return (device, name, number, message["qos"]), message["retain"], message["properties"]

    def until(self, client, number) -> list:
        """What is heard before this number."""
        got = []
        while (one := self.heard(client))[2] != number:
            got.append(one)
        return got

    def metric(self, name, **labels) -> int:
        """A counter of the proxy, summed over the labels that aren't given."""
        address = self.proxy.await_line(r"admin interface.*?(127\.0\.0\.1:\d+)|(127\.0\.0\.1:\d+).*admin interface")
        where = address.group(1) or address.group(2)
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=DEADLINE) as answer:
            lines = answer.read().decode().splitlines()
        wanted = [line for line in lines if re.match(rf"{name}(\{{|\s)", line) and all(f'{k}="{v}"' in line for k, v in labels.items())]
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in wanted)

    def close(self):
        for one in self.people:
            one.cut()
        try:
            if self.proxy and self.fault:
                self.fault.stop()
            if self.proxy:
                alive, status = self.proxy.alive, self.proxy.stop()
                assert alive, f"the proxy ended by itself with status {status}"
                assert "panicked" not in self.proxy.output()
        finally:
            self.broker.stop()


def perform(fn, pair, link, record_stage, broker_options):
    seen = {}
    for route in ("direct", "proxied"):
        stage = Bridge(route, pair, link, **broker_options)
        record_stage(stage)
        try:
            seen[route] = fn(stage)
        except BaseException as error:
            error.add_note(f"on the {route} route" + (": not the proxy's fault" if route == "direct" else ""))
            raise
        finally:
            stage.close()
    assert seen["direct"] is not None, "a scenario returns what it observed"
    assert seen["proxied"] == seen["direct"], "the device can tell that it is translated"


def ways_of(pairs=tuple(PAIRS), links=tuple(LINKS)) -> dict:
    """pytest's parameters for pairs and links."""
    chosen = []
    for pair, link in WAYS:
        if pair in pairs and link in links:
            chosen.append(pytest.param(pair, link, id=f"{pair}_{link}"))
    return {"argnames": "pair, link", "argvalues": chosen}


def bridged(pairs=tuple(PAIRS), links=tuple(LINKS), **broker_options):
    """Make a test of a scenario for these pairs and links."""

    def wrap(fn):
        @pytest.mark.parametrize(**ways_of(pairs, links))
        def test(pair, link, record_stage):
            perform(fn, pair, link, record_stage, broker_options)

        test.__name__, test.__doc__ = fn.__name__, fn.__doc__
        return test

    return wrap
