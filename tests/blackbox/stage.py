"""The stage of a scenario: a broker, a route to it, and clients.

A scenario is a function `fn(stage)` that drives clients, asserts what MQTT promises, and returns what was observed as plain data. It runs
twice, on a fresh stage each: `direct` (client to Mosquitto) and `proxied` (client to the proxy to Mosquitto). Both have to hold, and what
they return has to be equal: the proxy can't be told from the broker.
"""

import contextlib
import itertools
import time
import typing

import pytest

import clients
import quic
import wire
from clients_aiomqtt import Aiomqtt
from clients_rumqttc import Rumqttc
from processes import DEADLINE, Mosquitto, Proxy, Puppet

PAHO = ("paho-v311", "paho-v5")
LIBRARIES = PAHO + ("mqttjs-v311", "mqttjs-v5")
V5 = ("paho-v5", "mqttjs-v5")
COMMAND_LINE = ("mosquitto-v31", "mosquitto-v311", "mosquitto-v5")
RUMQTTC = ("rumqttc-v311", "rumqttc-v5")
AIOMQTT = ("aiomqtt-v311", "aiomqtt-v5")
EVERY = LIBRARIES + ("gmqtt-v5",) + RUMQTTC + AIOMQTT + COMMAND_LINE
clients.LIBRARIES |= {"rumqttc": Rumqttc, "aiomqtt": Aiomqtt}
RAW = ("raw-v311", "raw-v5")


class Stage:
    def __init__(self, route: str, kind: str, transports=("tcp", "tcp"), **broker_options):
        """`transports`: the devices' and the broker's, on the proxied route; what stands between them is spoken by one proxy with the next.
        Without the proxy it is always TCP."""
        self.route = route
        self.kind = kind
        self.version = clients.PROTOCOLS[kind.split("-")[1]]
        self.processes = []
        self.people = []
        self.proxies = []
        hops = transports if route == "proxied" else ("tcp", "tcp")
        self.transport, broker = hops[0], hops[-1]
        if broker_options.pop("puppet", False):
            self.broker = Puppet()
        else:
            self.broker = Mosquitto(transport=broker, **broker_options)
            self.processes.append(self.broker.process)
        self.port = self.broker.port
        if route == "proxied":
            behind = self.broker.port if broker == "tcp" else self.broker.carried
            # The one next to the broker first: each has to know the port of the one behind it.
            for device, broker in reversed(list(itertools.pairwise(hops))):
                proxy = Proxy(behind, device=device, broker=broker)
                self.proxies.append(proxy)
                self.processes.append(proxy.process)
                self.port = behind = proxy.port

    def client(self, client_id="dev", kind=None) -> clients.Client:
        """A client on the route, not yet connected."""
        client = self._add(clients.make(kind or self.kind, self.port, client_id))
        client.transport = self.transport
        return client

    def device(self, client_id="dev", kind=None, **options) -> clients.Client:
        """A client on the route, connected."""
        client = self.client(client_id, kind)
        connack = client.connect(**options)
        assert connack is None or connack["code"] == 0, connack
        return client

    def observer(self, *filters, qos=2, client_id="observer", **options) -> clients.Client:
        """A client that always speaks to the broker itself: paho, version 5."""
        client = self._add(clients.make("paho-v5", self.broker.port, client_id))
        assert client.connect()["code"] == 0
        if filters:
            codes = client.subscribe(*filters, qos=qos, **options)
            assert codes == [qos] * len(filters), codes
        return client

    def raw(self) -> wire.Raw:
        return self._add(quic.raw(self.port) if self.transport == "quic" else wire.Raw(self.port, DEADLINE))

    def accept(self) -> wire.Raw:
        """The broker's end of the next connection, at a puppet broker."""
        return self._add(self.broker.accept())

    def pair(self, *arguments, connack=None, **options):
        """A raw device and its other end at a puppet broker, connected: (device, broker)."""
        device = self.raw().send(wire.connect(*(arguments or ["raw"]), version=self.version, **options))
        broker = self.accept()
        broker.expect(0x10)
        broker.send(connack or ("2003000000" if self.version == 5 else "20020000"))
        device.expect(0x20)
        return device, broker

    def _add(self, one):
        self.people.append(one)
        return one

    def close(self):
        for one in self.people:
            try:
                one.close() if isinstance(one, wire.Raw) else one.cut()
            except Exception:  # It may be gone already; what matters was asserted.
                pass
        with contextlib.ExitStack() as last:
            last.callback(self.broker.stop)
            for proxy in self.proxies:
                last.callback(proxy.stop)


def elapse(seconds: float, until: str):
    """Let the protocol's own time pass, where time is what is tested (an expiry, a delay). Never used to wait for an event."""
    assert until
    time.sleep(seconds)


def perform(fn, kind, record_stage, broker_options, transports=("tcp", "tcp")):
    """Run a scenario on both routes and compare what was observed."""
    seen = {}
    for route in ("direct", "proxied"):
        stage = Stage(route, kind, transports, **broker_options)
        record_stage(stage)
        try:
            seen[route] = fn(stage)
        except BaseException as error:
            error.add_note(f"on the {route} route" + (": not the proxy's fault" if route == "direct" else ""))
            raise
        finally:
            stage.close()
    assert seen["direct"] is not None, "a scenario returns what it observed"
    assert seen["proxied"] == seen["direct"], "the proxy can be told from the broker"


class Scenario(typing.NamedTuple):
    """What a test was made of, for those who make more tests of it."""

    fn: typing.Callable
    kinds: tuple
    cases: dict | None
    broker_options: dict


def scenario(*kinds, cases=None, **broker_options):
    """Make a test of a scenario, for each kind of client, and for each of the named `cases`, which the scenario gets as an argument."""

    def wrap(fn):
        # Not functools.wraps: pytest would look through it for fixtures.
        if cases:

            @pytest.mark.parametrize("kind", kinds)
            @pytest.mark.parametrize("case", cases)
            def test(case, kind, record_stage):
                perform(lambda stage: fn(stage, cases[case]), kind, record_stage, broker_options)

        else:

            @pytest.mark.parametrize("kind", kinds)
            def test(kind, record_stage):
                perform(fn, kind, record_stage, broker_options)

        test.__name__ = fn.__name__
        test.__doc__ = fn.__doc__
        test.scenario = Scenario(fn, kinds, cases, broker_options)
        return test

    return wrap
