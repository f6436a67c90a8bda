"""One client identifier, two devices, a broker that speaks 3.1.1 only: the proxy tells devices of 5 what the broker has no word for.

Each runs with one shard and with several, where the two sessions mostly live on different ones."""

import os
import struct

import pytest

import wire
from processes import HOST, Mosquitto, Process
from test_translation import Translated

SHARDS = (1, 4)
TAKEN_OVER = 0x8E


def configuration(folder, shards, upstream):
    path = folder / "interlingua.toml"
    path.write_text(
        f"[proxy]\nshards = {shards}\n"
        f"[[listener]]\nname = 'device'\nbind = '{HOST}:0'\ndialect = 'plain'\nupstream = 'broker'\n"
        f"[[upstream]]\nname = 'broker'\nurl = 'mqtt://{HOST}:{upstream}'\ndialect = 'plain'\nmqtt = ['3.1.1']\n"
    )
    return path


@pytest.fixture
def bridged(record_stage, tmp_path):
    open_ones = []

    def start(shards):
        one = Bridged(shards, tmp_path)
        open_ones.append(one)
        record_stage(one)
        return one

    yield start
    for one in open_ones:
        one.close()


class Bridged(Translated):
    """A proxy with so many shards that speaks 3.1.1 to its broker."""

    def __init__(self, shards, folder):
        self.route, self.people, self.broker = "bridged", [], Mosquitto()
        command = [os.environ["INTERLINGUA_BIN"], "serve", "--config", str(configuration(folder, shards, self.broker.port))]
        self.proxy = Process("proxy", command, {"NO_COLOR": "1"})
        self.port = int(self.proxy.await_line(r"listening.*?127\.0\.0\.1:(\d+)").group(1))
        self.processes = [self.proxy, self.broker.process]

    def connected(self, will_delay=None):
        """A device of version 5 whose session is kept for an hour, with a will if it has a delay."""
        flags = 0 if will_delay is None else 0x04
        properties = b"\x11" + struct.pack("!I", 3600)
        body = wire.text("MQTT") + bytes([5, flags, 0, 30, len(properties)]) + properties + wire.text("dev")
        if will_delay is not None:
            body += b"\x05\x18" + struct.pack("!I", will_delay) + wire.text("gone/dev") + wire.text(b"lost")
        raw = self.raw().send(wire.packet(0x10, body))
        assert raw.expect(0x20)[3] == 0
        return raw


@pytest.mark.parametrize("shards", SHARDS)
def test_a_device_that_is_taken_over_is_told(bridged, shards):
    stage = bridged(shards)
    for _ in range(8):
        first = stage.connected()
        stage.connected()
        assert first.verdict() == {"packets": [f"e001{TAKEN_OVER:02x}"], "end": "closed"}


@pytest.mark.parametrize("shards", SHARDS)
def test_a_device_that_comes_back_in_time_has_no_will(bridged, shards):
    """The will waits for an hour; the device comes back, says good-bye, and nothing was ever published."""
    stage = bridged(shards)
    observer = stage.observer("#")
    for _ in range(8):
        stage.connected(will_delay=3600).close()
        again = stage.connected(will_delay=3600).send(wire.DISCONNECT)
        assert again.verdict()["end"] == "closed"
    observer.publish("end", b"end")
    assert observer.next()["topic"] == "end"


def test_a_will_that_waits_is_published_in_the_end(bridged):
    stage = bridged(1)
    observer = stage.observer("#")
    stage.connected(will_delay=1).close()
    assert observer.next()["topic"] == "gone/dev"
