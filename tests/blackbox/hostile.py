"""Rows of bytes that a peer may or may not send, and the two worlds in which a device sends them.

A row is one packet (or a few) of a hostile or odd device. What becomes of it is its *verdict*: what was answered, whether the connection
lives, and the reason code of the goodbye. `rows_*.py` are the rows, `test_hostile_device.py` says what has to hold of each.

    malformed   the bytes break the format: closed, and nothing of it ever reaches the broker behind the proxy
    wrong       well-formed, but not here or not now: closed, whoever notices
    legal       allowed, however odd: the same packets come back through the proxy as without it
"""

import dataclasses
import os
import select

import pytest

import wire
from processes import DEADLINE, Mosquitto, Proxy, Puppet

V31, V311, V5 = (3,), (4,), (5,)
V3 = V31 + V311
ALL = V3 + V5
NAMES = {3: "v31", 4: "v311", 5: "v5"}

# A stand-in that only carries bytes (README.md) can't be stricter than the broker: then both have to say the same.
IS_STRICT = os.environ.get("BLACKBOX_STAND_IN") != "haproxy"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    kind: str
    data: object
    """Bytes, hex, or a function of the version that returns either."""
    versions: tuple
    reason: int
    """The specification's reason code for it, in version 5."""
    stricter: str
    """Why the proxy closes what Mosquitto lets pass, or says more than it: the statement."""
    before: object
    """Legal packets that are sent first, like `data`."""
    end: str
    will: bool
    """Whether the connection has a will, which has to be published."""
    properties: bytes
    """Of the CONNECT that precedes it, in version 5."""

    def bytes_for(self, version: int) -> bytes:
        """What is sent; with a PINGREQ behind it where some broker lives on. A broker that closes with that unread would reset the
        connection, and its last words could be lost."""
        may_live = self.end == "alive" or self.stricter
        return as_bytes(self.data, version) + (wire.PINGREQ if may_live else b"")


def as_bytes(data, version: int) -> bytes:
    if callable(data):
        data = data(version)
    return bytes.fromhex(data) if isinstance(data, str) else data


def row(name, kind, data, reason=0x81, versions=ALL, stricter="", before=b"", end="closed", will=True, properties=b""):
    return Row(name, kind, data, versions, reason, stricter, before, end, will, properties)


def malformed(name, data, reason=0x81, **options) -> Row:
    return row(name, "malformed", data, reason, **options)


def wrong(name, data, reason=0x82, **options) -> Row:
    return row(name, "wrong", data, reason, **options)


def legal(name, data, **options) -> Row:
    return row(name, "legal", data, end=options.pop("end", "alive"), **options)


def cases(rows):
    """pytest's parameters for rows: each with each of its versions. Names are unique, or a row would hide another."""
    found = {}
    for one in rows:
        for version in one.versions:
            name = f"{one.name}-{NAMES[version]}"
            assert name not in found, name
            found[name] = pytest.param(one, version, id=name)
    return {"argnames": "row, version", "argvalues": list(found.values())}


def settled(raw: wire.Raw, answers=()) -> dict:
    """The verdict: everything up to the PINGRESP, or up to the end."""
    verdict = {"answers": list(answers), "goodbye": None, "end": "closed"}
    while (p := raw.receive()) is not None:
        if p == wire.PINGRESP:
            verdict["end"] = "alive"
            return verdict
        if p[0] == 0xE0:
            verdict["goodbye"] = p[2] if len(p) > 2 else 0
        else:
            verdict["answers"].append(p.hex())
    return verdict


class World:
    """A broker, and a route to it, for many rows. Two sessions live in it from the beginning to the end: nothing that others do may harm
    them. One of them sees every will."""

    def __init__(self, route: str):
        self.route = route
        self.broker = Mosquitto()
        self.processes = [self.broker.process]
        self.port = self.broker.port
        self.proxy = None
        if route == "proxied":
            self.proxy = Proxy(self.port)
            self.processes.append(self.proxy.process)
            self.port = self.proxy.port
        self.bystanders = []
        try:
            self.populate()
        except BaseException:
            self.close()
            raise

    def populate(self):
        self.bystanders += [self.bystander(version) for version in (4, 5)]
        self.witness = self.bystanders[0].send(wire.subscribe("will/#"))
        self.witness.expect(0x90)

    def bystander(self, version: int) -> wire.Raw:
        raw = wire.Raw(self.port, DEADLINE)
        raw.send(wire.connect(f"bystander-{version}", version=version, keep_alive=0)).expect(0x20)
        return raw

    def all_is_well(self):
        """The others are alive."""
        for one in self.bystanders:
            assert one.ping(), "a session that did nothing wrong has ended"

    def connect_for(self, row: Row, version: int) -> bytes:
        will = (f"will/{row.name}", "gone") if row.will else None
        return wire.connect(row.name, version=version, will=will, properties=row.properties if version == 5 else b"")

    def verdict_of(self, row: Row, version: int) -> dict:
        """What becomes of a row on a live connection."""
        raw = wire.Raw(self.port, DEADLINE)
        raw.send(self.connect_for(row, version))
        connack = raw.expect(0x20)
        assert connack[3] == 0, connack.hex()
        raw.send(as_bytes(row.before, version) + row.bytes_for(version))
        return self.finish(raw, row, [connack.hex()])

    def verdict_behind_connect(self, row: Row, version: int) -> dict:
        """What becomes of a row that doesn't wait for the CONNACK: everything in one segment."""
        raw = wire.Raw(self.port, DEADLINE)
        raw.send(self.connect_for(row, version) + as_bytes(row.before, version) + row.bytes_for(version))
        return self.finish(raw, row)

    def finish(self, raw: wire.Raw, row: Row, answers=()) -> dict:
        """The verdict; and the will, which is published whatever ended the connection: at the latest this."""
        verdict = settled(raw, answers)
        raw.close()
        if row.will:
            seen = self.witness.expect(0x30)
            assert wire.text(f"will/{row.name}") in seen, seen.hex()
        return verdict

    def verdict_of_opening(self, row: Row, version: int) -> dict:
        """What becomes of a row that comes first."""
        raw = wire.Raw(self.port, DEADLINE)
        raw.send(row.bytes_for(version))
        verdict = settled(raw)
        raw.close()
        return verdict

    def close(self):
        for one in self.bystanders:
            one.close()
        try:
            if self.proxy:
                self.proxy.stop()
        finally:
            self.broker.stop()


class Behind:
    """A puppet broker behind the proxy: what of a row arrives there. With `speaks` it speaks only that version of MQTT."""

    def __init__(self, speaks=None):
        self.route = "puppet"
        self.speaks = speaks
        self.broker = Puppet()
        self.proxy = Proxy(self.broker.port, {None: "", 4: "3.1.1", 5: "5"}[speaks])
        self.processes = [self.proxy.process]

    def pair(self, client_id: str, version: int, properties=b"", **options) -> tuple:
        """A raw device and its other end, connected."""
        device = wire.Raw(self.proxy.port, DEADLINE)
        device.send(wire.connect(client_id, version=version, properties=properties, **options))
        broker = self.broker.accept()
        broker.expect(0x10)
        broker.send("2003000000" if (self.speaks or version) == 5 else "20020000")
        device.expect(0x20)
        return device, broker

    def arrived(self, row: Row, version: int) -> list:
        """What came through of a row on a live connection: everything, or as far as what may come and one packet more."""
        device, broker = self.pair(row.name, version, row.properties if version == 5 else b"")
        before = as_bytes(row.before, version)
        device.send(before + row.bytes_for(version))
        came = []
        while len(came) <= len(wire.frames(bytearray(before))) and (p := broker.receive()) is not None:
            came.append(p)
        if broker.ended:
            assert device.ends(), "the device's connection lives on"
        device.close()
        broker.close()
        return came

    def arrived_of_opening(self, row: Row, version: int) -> list:
        """What came through of a first packet, told by the healthy CONNECT that comes behind it."""
        device = wire.Raw(self.proxy.port, DEADLINE)
        device.send(row.bytes_for(version))
        # Whichever comes first: the end that is due, or somebody who speaks to the broker.
        select.select([device.socket, self.broker.listening], [], [], DEADLINE)
        healthy = wire.connect("healthy", version=4)
        after = wire.Raw(self.proxy.port, DEADLINE).send(healthy)
        came = []
        while True:
            broker = self.broker.accept()
            first = broker.receive()
            broker.close()
            if first == healthy:
                break
            came.append(first)
        if not came:
            assert device.ends(), "the device's connection lives on"
        after.close()
        device.close()
        return came

    def close(self):
        self.broker.stop()
        self.proxy.stop()
