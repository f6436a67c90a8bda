"""The broker's side by hand: when acknowledgements may pass, and what a broker may say that Mosquitto does not."""

import threading

import wire
from stage import PAHO, RAW, scenario

PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK = 0x30, 0x40, 0x50, 0x60, 0x70, 0x90


@scenario(*RAW, puppet=True)
def test_connect_byte_for_byte(stage):
    """The broker receives the CONNECT that the device sent."""
    v = stage.version
    properties = bytes.fromhex("110000012c" "210014" "27000fffff" "2600016100016226000161000163") if v == 5 else b""
    sent = wire.connect("raw-17", version=v, keep_alive=77, clean=False, will=("w/t", "gone"), properties=properties)
    stage.raw().send(sent)
    received = stage.accept().expect(0x10)
    assert received == sent
    return received.hex()


@scenario(*RAW, puppet=True)
def test_puback_waits_for_the_broker(stage):
    """QoS 1 up: no PUBACK before the broker's; then it comes at once."""
    device, broker = stage.pair()
    device.send(wire.publish("t", b"x", 1, 0x1234, version=stage.version))
    publish = broker.expect(PUBLISH)
    device.quiet(0.3)
    broker.send(wire.packet(PUBACK, publish[5:7]))
    puback = device.expect(PUBACK)
    assert puback[2:4] == b"\x12\x34"
    return publish.hex()[:4], puback.hex()


@scenario(*RAW, puppet=True)
def test_qos_2_waits_for_the_broker(stage):
    """QoS 2 up: neither PUBREC nor PUBCOMP before the broker's."""
    device, broker = stage.pair()
    device.send(wire.publish("t", b"x", 2, 0x1234, version=stage.version))
    identifier = broker.expect(PUBLISH)[5:7]
    device.quiet(0.3)
    broker.send(wire.packet(PUBREC, identifier))
    pubrec = device.expect(PUBREC)
    device.send("62021234")
    assert broker.expect(PUBREL)[2:4] == identifier
    device.quiet(0.3)
    broker.send(wire.packet(PUBCOMP, identifier))
    pubcomp = device.expect(PUBCOMP)
    assert pubrec[2:4] == pubcomp[2:4] == b"\x12\x34"
    return pubrec.hex(), pubcomp.hex()


@scenario(*RAW, puppet=True)
def test_delivery_waits_for_the_device(stage):
    """QoS 1 and 2 down: the broker gets no acknowledgement that the device did not send."""
    device, broker = stage.pair()
    broker.send(wire.publish("one", b"x", 1, 11, version=stage.version))
    broker.send(wire.publish("two", b"x", 2, 12, version=stage.version))
    identifiers = [device.expect(PUBLISH)[7:9] for _ in range(2)]
    broker.quiet(0.3)
    device.send(wire.packet(PUBACK, identifiers[0]))
    puback = broker.expect(PUBACK)
    device.send(wire.packet(PUBREC, identifiers[1]))
    pubrec = broker.expect(PUBREC)
    broker.send("6202000c")
    assert device.expect(PUBREL)[2:4] == identifiers[1]
    broker.quiet(0.3)
    device.send(wire.packet(PUBCOMP, identifiers[1]))
    pubcomp = broker.expect(PUBCOMP)
    assert puback[2:4] == b"\0\x0b" and pubrec[2:4] == pubcomp[2:4] == b"\0\x0c"
    return puback.hex(), pubrec.hex(), pubcomp.hex()


@scenario(*RAW, puppet=True)
def test_connack_waits_for_the_broker(stage):
    """The device is not told that it is connected before it is."""
    device = stage.raw().send(wire.connect("raw", version=stage.version))
    broker = stage.accept()
    broker.expect(0x10)
    device.quiet(0.3)
    broker.send("2003010000" if stage.version == 5 else "20020100")
    connack = device.expect(0x20)
    assert connack[2:4] == b"\1\0"
    return connack.hex()


CODES = {4: [1, 2, 3, 4, 5], 5: [0x80, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x9B, 0x9C, 0x9F]}


@scenario(*RAW, puppet=True)
def test_every_refusal(stage):
    """Each code of a CONNACK that refuses reaches the device, and the connection ends."""
    seen = []
    for code in CODES[stage.version]:
        device = stage.raw().send(wire.connect("raw", version=stage.version))
        broker = stage.accept()
        broker.expect(0x10)
        broker.send(bytes([0x20, 3, 0, code, 0]) if stage.version == 5 else bytes([0x20, 2, 0, code])).close()
        seen.append(device.verdict())
    assert [bytes.fromhex(v["packets"][0])[3] for v in seen] == CODES[stage.version]
    assert {v["end"] for v in seen} == {"closed"}
    return seen


@scenario("raw-v5", puppet=True)
def test_every_disconnect_reason(stage):
    """What the broker says as it closes is what the device hears: taken over, shutting down, moved, …"""
    seen = []
    for reason in (0x00, 0x81, 0x82, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x93, 0x95, 0x97, 0x98, 0x9C, 0x9D, 0xA0):
        device, broker = stage.pair()
        broker.send(bytes([0xE0, 1, reason])).close()
        seen.append(device.verdict())
        assert seen[-1]["packets"][0] in (f"e001{reason:02x}", f"e002{reason:02x}00") or reason == 0, seen[-1]
    assert {v["end"] for v in seen} == {"closed"}
    return seen


@scenario("paho-v5", "mqttjs-v5", "gmqtt-v5", puppet=True)
def test_taken_over(stage):
    """The reason as a client library sees it: 0x8E."""
    def be_a_broker():
        broker = stage.accept()
        broker.expect(0x10)
        broker.send("2003000000", "e0018e").close()

    other_side = threading.Thread(target=be_a_broker, daemon=True)
    other_side.start()
    device = stage.client()
    connack = device.connect()
    reason = device.await_end()
    other_side.join()
    assert reason == 0x8E
    return connack, reason


@scenario("raw-v5", puppet=True)
def test_reasons_and_properties_of_acknowledgements(stage):
    """Reason code, reason string and user properties of PUBACK, PUBREC and SUBACK."""
    device, broker = stage.pair()
    told = b"\x1f" + wire.text("because") + b"\x26" + wire.text("k") + wire.text("v")
    tail = bytes([len(told)]) + told
    seen = []
    for qos, kind in ((1, PUBACK), (2, PUBREC)):
        device.send(wire.publish("t", b"x", qos, 5, version=5))
        identifier = broker.expect(PUBLISH)[5:7]
        broker.send(wire.packet(kind, identifier + b"\x97" + tail))
        got = device.expect(kind)
        assert got == wire.packet(kind, b"\0\5\x97" + tail)
        seen.append(got.hex())
    device.send(wire.subscribe("a", "b", "c", packet_id=9, version=5))
    identifier = broker.expect(0x80)[2:4]
    broker.send(wire.packet(SUBACK, identifier + tail + b"\x00\x87\x9e"))
    got = device.expect(SUBACK)
    assert got == wire.packet(SUBACK, b"\0\x09" + tail + b"\x00\x87\x9e")
    return seen, got.hex()


@scenario("raw-v311", puppet=True)
def test_suback_failure(stage):
    """3.1.1: the failure code of one filter among others."""
    device, broker = stage.pair()
    device.send(wire.subscribe("a", "b", packet_id=9))
    identifier = broker.expect(0x80)[2:4]
    broker.send(wire.packet(SUBACK, identifier + b"\x00\x80"))
    got = device.expect(SUBACK)
    assert got == bytes.fromhex("900400090080")
    return got.hex()


@scenario(*PAHO[1:], puppet=True)
def test_topic_alias_of_the_broker(stage):
    """The broker abbreviates its topics, as the device allowed: the device understands."""
    def be_a_broker():
        broker = stage.accept()
        assert b"\x22\x00\x05" in broker.expect(0x10), "topic alias maximum 5 is passed on"
        broker.send("2003000000")
        broker.send(wire.publish("long/topic", b"1", version=5, properties=bytes.fromhex("230002")))
        broker.send(wire.publish("", b"2", version=5, properties=bytes.fromhex("230002")))

    other_side = threading.Thread(target=be_a_broker, daemon=True)
    other_side.start()
    device = stage.client()
    device.connect(topic_alias_maximum=5)
    got = [(m["topic"], m["payload"]) for m in device.take(2)]
    other_side.join()
    # paho does not resolve aliases itself: it shows what was on the wire.
    assert got == [("long/topic", b"1"), ("", b"2")]
    return got


@scenario(*RAW, puppet=True)
def test_device_vanishes(stage):
    """The device's connection ends without DISCONNECT: so does the broker's, and no DISCONNECT is made up."""
    device, broker = stage.pair()
    device.close()
    verdict = broker.verdict()
    assert verdict == {"packets": [], "end": "closed"}
    return verdict


@scenario(*RAW, puppet=True)
def test_device_says_goodbye(stage):
    """The device's DISCONNECT reaches the broker, then the end."""
    device, broker = stage.pair()
    device.send(wire.DISCONNECT).close()
    verdict = broker.verdict()
    assert [p[:2] for p in verdict["packets"]] == ["e0"] and verdict["end"] == "closed"
    return verdict


@scenario(*RAW, puppet=True)
def test_last_words(stage):
    """A device that publishes, disconnects and closes at once: all of it arrives, in order."""
    device, broker = stage.pair()
    device.send(b"".join(wire.publish("t", b"%d" % n, version=stage.version) for n in range(500)) + wire.DISCONNECT).close()
    verdict = broker.verdict()
    assert [p[:2] for p in verdict["packets"]] == ["30"] * 500 + ["e0"]
    return verdict


@scenario(*RAW, puppet=True)
def test_broker_vanishes(stage):
    """The broker's connection ends: the device's too."""
    device, broker = stage.pair()
    broker.close()
    verdict = device.verdict()
    assert verdict["end"] == "closed"
    return "closed"


@scenario(*RAW, puppet=True)
def test_ping_end_to_end(stage):
    """A PINGREQ is the broker's to answer."""
    device, broker = stage.pair()
    device.send(wire.PINGREQ)
    ping = broker.expect(0xC0)
    device.quiet(0.3)
    broker.send(wire.PINGRESP)
    pong = device.receive()
    assert pong == wire.PINGRESP
    return ping.hex(), pong.hex()
