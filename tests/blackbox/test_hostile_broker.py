"""Whatever a broker sends, well-formed or not: nothing malformed reaches the device, its session ends, and the others go on."""

import pytest

import rows_broker
import wire
from hostile import IS_STRICT, Behind, as_bytes, cases
from processes import DEADLINE

REFUSAL = {3: "20020003", 4: "20020003", 5: "2003008800"}
# Whatever it was, the device is not to blame.
UNSPECIFIED_ERROR = "e00180"


class Link:
    """A proxy and its puppet broker, for all rows of one test process, and a session that lives through all of them.

    The broker speaks the row's version, the device the same or, `across`, another one.
    """

    def __init__(self, across: dict, speaks=None):
        self.behind = Behind(speaks)
        self.across = across
        self.bystander = self.behind.pair("bystander", 4, keep_alive=0)

    def device_version(self, version: int) -> int:
        return self.across.get(version, version)


@pytest.fixture(scope="session")
def links():
    fives, fours = Link({5: 4}, speaks=5), Link({4: 5}, speaks=4)
    found = {("same", version): link for link in [Link({})] for version in (3, 4, 5)}
    found |= {("across", 5): fives, ("across", 4): fours}
    yield found
    for link in set(found.values()):
        link.behind.close()


def both(rows):
    """pytest's parameters: each row with a device of its version and, where there is one, of another."""
    given = cases(rows)
    values = []
    for one in given["argvalues"]:
        for how in ("same", "across"):
            # What a device of 5 asked for, one of 3.1.1 can't ask for.
            row, version = one.values
            if how == "same" or (version != 3 and not row.properties):
                values.append(pytest.param(how, *one.values, id=f"{how}-{one.id}", marks=one.marks))
    return {"argnames": "how, row, version", "argvalues": values}


def all_is_well(link):
    """The others are alive, end to end."""
    device, broker = link.bystander
    device.send(wire.PINGREQ)
    assert broker.expect(0xC0) == wire.PINGREQ
    broker.send(wire.PINGRESP)
    assert device.expect(0xD0) == wire.PINGRESP


STRICT = pytest.mark.skipif(not IS_STRICT, reason="a stand-in that only carries bytes carries these too")


@STRICT
@pytest.mark.parametrize(**both(rows_broker.IN_PLACE_OF_CONNACK))
def test_in_place_of_connack(links, record_stage, how, row, version):
    """The device is refused as if nobody were there."""
    link = links[how, version]
    record_stage(link.behind)
    own = link.device_version(version)
    device = wire.Raw(link.behind.proxy.port, DEADLINE).send(wire.connect("c", version=own))
    broker = link.behind.broker.accept()
    broker.expect(0x10)
    broker.send(row.bytes_for(version))
    assert device.verdict() == {"packets": [REFUSAL[own]], "end": "closed"}
    assert broker.verdict() == {"packets": [], "end": "closed"}
    all_is_well(link)


def connected(link, row, version):
    """A device that has asked for what the row answers, and its other end."""
    own = link.device_version(version)
    device, broker = link.behind.pair(row.name, own, row.properties if own == 5 else b"")
    if row in rows_broker.FROM_ANYBODY or not row.before:
        return device, broker
    device.send(as_bytes(row.before, own))
    assert broker.receive() == as_bytes(row.before, version)
    return device, broker


@STRICT
@pytest.mark.parametrize(**both(rows_broker.FROM_ANYBODY + rows_broker.AFTER_CONNACK))
def test_of_what_is_wrong_nothing_arrives(links, record_stage, how, row, version):
    """In version 5 the broker is told what it did, and the device that something is wrong; before, both connections close."""
    link = links[how, version]
    record_stage(link.behind)
    device, broker = connected(link, row, version)
    broker.send(as_bytes(row.data, version))
    if link.device_version(version) == 5:
        assert device.receive().hex() == UNSPECIFIED_ERROR
    assert device.receive() is None
    said = [f"e001{row.reason:02x}"] if version == 5 else []
    assert broker.verdict() == {"packets": said, "end": "closed"}
    all_is_well(link)


@pytest.mark.parametrize(**cases(rows_broker.LEGAL + rows_broker.BETWEEN_THE_ENDS))
def test_what_only_the_device_can_judge_arrives(links, record_stage, row, version):
    """Byte for byte, and the session lives."""
    link = links["same", version]
    record_stage(link.behind)
    device, broker = connected(link, row, version)
    sent = as_bytes(row.data, version)
    broker.send(sent)
    got = b""
    while len(got) < len(sent):
        got += device.receive() or b"nothing more" * len(sent)
    assert got == sent
    device.send(wire.PINGREQ)
    assert broker.expect(0xC0) == wire.PINGREQ
    device.close()
    broker.close()
