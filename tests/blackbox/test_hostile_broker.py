"""Whatever a broker sends, well-formed or not: nothing malformed reaches the device, its session ends, and the others go on."""

import pytest

import rows_broker
import wire
from hostile import IS_STRICT, Behind, as_bytes, cases
from processes import DEADLINE

REFUSAL = {3: "20020003", 4: "20020003", 5: "2003008800"}
# Whatever it was, the device is not to blame.
UNSPECIFIED_ERROR = "e00180"


@pytest.fixture(scope="session")
def behind():
    """One proxy and its puppet broker, for all rows of one test process, and a session that lives through all of them."""
    one = Behind()
    one.bystander = one.pair("bystander", 4, keep_alive=0)
    yield one
    one.close()


def all_is_well(behind):
    """The others are alive, end to end."""
    device, broker = behind.bystander
    device.send(wire.PINGREQ)
    assert broker.expect(0xC0) == wire.PINGREQ
    broker.send(wire.PINGRESP)
    assert device.expect(0xD0) == wire.PINGRESP


STRICT = pytest.mark.skipif(not IS_STRICT, reason="a stand-in that only carries bytes carries these too")


@STRICT
@pytest.mark.parametrize(**cases(rows_broker.IN_PLACE_OF_CONNACK))
def test_in_place_of_connack(behind, record_stage, row, version):
    """The device is refused as if nobody were there."""
    record_stage(behind)
    device = wire.Raw(behind.proxy.port, DEADLINE).send(wire.connect("c", version=version))
    broker = behind.broker.accept()
    broker.expect(0x10)
    broker.send(row.bytes_for(version))
    assert device.verdict() == {"packets": [REFUSAL[version]], "end": "closed"}
    assert broker.verdict() == {"packets": [], "end": "closed"}
    all_is_well(behind)


def connected(behind, row, version):
    """A device that has asked for what the row answers, and its other end."""
    device, broker = behind.pair(row.name, version, row.properties if version == 5 else b"")
    if row in rows_broker.FROM_ANYBODY or not row.before:
        return device, broker
    asked = as_bytes(row.before, version)
    device.send(asked)
    assert broker.receive() == asked
    return device, broker


@STRICT
@pytest.mark.parametrize(**cases(rows_broker.FROM_ANYBODY + rows_broker.AFTER_CONNACK))
def test_of_what_is_wrong_nothing_arrives(behind, record_stage, row, version):
    """In version 5 the broker is told what it did, and the device that something is wrong; before, both connections close."""
    record_stage(behind)
    device, broker = connected(behind, row, version)
    broker.send(as_bytes(row.data, version))
    if version == 5:
        assert device.receive().hex() == UNSPECIFIED_ERROR
    assert device.receive() is None
    said = [f"e001{row.reason:02x}"] if version == 5 else []
    assert broker.verdict() == {"packets": said, "end": "closed"}
    all_is_well(behind)


@pytest.mark.parametrize(**cases(rows_broker.LEGAL + rows_broker.BETWEEN_THE_ENDS))
def test_what_only_the_device_can_judge_arrives(behind, record_stage, row, version):
    """Byte for byte, and the session lives."""
    record_stage(behind)
    device, broker = connected(behind, row, version)
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
