"""A whole fleet at once, in front of a real broker."""

import socket
import struct

import pytest

import wire
from stage import Stage
from wire import HOST

DEVICES = 1000
# Closing with this resets the connection: nobody says good-bye, and nothing waits in it.
CUT = struct.pack("ii", 1, 0)


@pytest.fixture
def stage(record_stage):
    stage = Stage("proxied", "raw-v311")
    record_stage(stage)
    yield stage
    stage.close()


def received(device, length):
    """That many bytes, whole."""
    got = b""
    while len(got) < length:
        piece = device.recv(length - len(got))
        assert piece, f"closed after {got.hex()}"
        got += piece
    return got


def test_a_thousand_devices_that_are_cut_at_once_have_their_wills(stage):
    """Each exactly once, though all of their connections to the broker break within a moment; and the next device is served."""
    observer = stage.observer("gone/#", qos=1)
    fleet = [socket.create_connection((HOST, stage.port), timeout=20) for _ in range(DEVICES)]
    for number, device in enumerate(fleet):
        device.sendall(wire.connect(f"dev{number}", will=(f"gone/{number}", b"lost"), flags=0x08))
    for device in fleet:
        assert received(device, 4).hex() == "20020000"
    for device in fleet:
        device.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT)
        device.close()
    wills = [observer.next()["topic"] for _ in range(DEVICES)]
    assert sorted(wills) == sorted(f"gone/{number}" for number in range(DEVICES))
    stage.device("after", kind="paho-v311")
    observer.publish("gone/end", b"end")
    assert observer.next()["topic"] == "gone/end", "nobody's will came twice"
