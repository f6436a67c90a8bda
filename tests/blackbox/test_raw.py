"""Bytes that no client library sends: illegal packets cost their own session, and nothing else.

How a broker says goodbye to an illegal packet is its own affair (Mosquitto: sometimes a DISCONNECT, sometimes nothing). What is compared
is what counts: closed or not, what was answered before, what others saw.
"""

import wire
from stage import RAW, scenario

CONNACK, SUBACK, PUBACK = 0x20, 0x90, 0x40


def bystander(stage):
    """Another session on the same route. It has to be alive and well afterwards: call what this returns."""
    other = stage.device("bystander", kind="paho-v311" if stage.version == 4 else "paho-v5")
    other.subscribe("bystander", qos=1)

    def well():
        assert not other.ended.is_set()
        other.publish("bystander", b"well", qos=1)
        return other.next()["payload"]

    return well


def open_session(stage, client_id="raw", **options):
    raw = stage.raw()
    raw.send(wire.connect(client_id, version=stage.version, **options))
    connack = raw.expect(CONNACK)
    assert connack[3] == 0, connack.hex()
    return raw, connack.hex()


def types(verdict):
    """The packets before the end, without what is only a goodbye."""
    return [p for p in verdict["packets"] if not p.startswith("e0")]


@scenario(*RAW)
def test_ping(stage):
    """PINGREQ, PINGRESP, and a clean DISCONNECT that closes."""
    raw, connack = open_session(stage)
    assert raw.ping()
    verdict = raw.send(wire.DISCONNECT).verdict()
    assert verdict == {"packets": [], "end": "closed"}
    return connack, verdict


@scenario(*RAW)
def test_one_byte_at_a_time(stage):
    """Where TCP cuts the stream is nobody's business."""
    observer = stage.observer("drip")
    raw = stage.raw()
    stream = wire.connect("raw", version=stage.version) + wire.publish("drip", b"drop", 1, version=stage.version)
    stream += wire.PINGREQ
    for at in range(len(stream)):
        raw.send(stream[at : at + 1])
    got = [raw.receive().hex() for _ in range(3)]
    assert got[0].startswith("20") and got[1].startswith("40") and got[2] == "d000"
    message = observer.next()
    assert message["payload"] == b"drop"
    return got, message


@scenario(*RAW)
def test_all_at_once(stage):
    """CONNECT, SUBSCRIBE and PUBLISH in one segment, before any answer."""
    v = stage.version
    raw = stage.raw()
    raw.send(
        wire.connect("raw", version=v)
        + wire.subscribe("self", qos=1, packet_id=7, version=v)
        + wire.publish("self", b"one", 1, 8, version=v)
        + wire.publish("self", b"two", 1, 9, version=v)
        + wire.PINGREQ
    )
    got = [raw.receive().hex() for _ in range(7)]
    # CONNACK, SUBACK 7, two PUBACK, two PUBLISH, PINGRESP: the last three kinds in the broker's order.
    assert got[0].startswith("20") and got[1][4:8] == "0007"
    assert sorted(p[:2] for p in got) == ["20", "32", "32", "40", "40", "90", "d0"]
    return sorted(got)


@scenario(*RAW)
def test_qos_2_by_hand(stage):
    """Each of the four steps, and the packet identifier of the sender in the answers to it."""
    observer = stage.observer("q2")
    raw, _ = open_session(stage)
    raw.send(wire.publish("q2", b"x", 2, 0xABCD, version=stage.version))
    pubrec = raw.expect(0x50)
    # The same again, as a sender does that did not see the PUBREC: not a second message.
    again = bytearray(wire.publish("q2", b"x", 2, 0xABCD, version=stage.version))
    again[0] |= 0x08
    raw.send(bytes(again))
    second = raw.expect(0x50)
    raw.send("6202abcd")
    pubcomp = raw.expect(0x70)
    raw.send(wire.publish("q2", b"end", 2, 1, version=stage.version) + bytes.fromhex("62020001"))
    got = observer.until(b"end")
    assert [m["payload"] for m in got] == [b"x"]
    assert pubrec[2:4] == second[2:4] == pubcomp[2:4] == b"\xab\xcd"
    return pubrec.hex(), second.hex(), pubcomp.hex(), got


@scenario(*RAW)
def test_unacknowledged_comes_again(stage):
    """A QoS 1 delivery without PUBACK comes again in the next connection of the session, with DUP."""
    v = stage.version
    keep = {"properties": bytes.fromhex("110000012c")} if v == 5 else {}
    raw, _ = open_session(stage, clean=False, **keep)
    raw.send(wire.subscribe("again", qos=1, version=v))
    raw.expect(SUBACK)
    stage.observer().publish("again", b"x", qos=1)
    first = raw.expect(0x30)
    raw.close()
    stage.broker.gone("raw")
    raw, connack = open_session(stage, clean=False, **keep)
    second = raw.expect(0x30)
    assert connack[4:6] == "01"
    assert first[0] == 0x32 and second[0] == 0x3A
    assert second[1:] == first[1:]
    return connack, first.hex(), second.hex()


@scenario(*RAW)
def test_no_ack_before_the_broker_has_it(stage):
    """The PUBACK is the broker's: when it is there, the message is in the broker."""
    observer = stage.observer()
    raw, _ = open_session(stage)
    seen = []
    for n in range(50):
        raw.send(wire.publish("durable", b"%d" % n, 1, n + 1, retain=True, version=stage.version))
        seen.append(raw.expect(PUBACK).hex())
        late = stage.observer("durable", client_id=f"late-{n}") if n % 10 == 0 else None
        if late:
            assert late.next()["payload"] == b"%d" % n
            late.disconnect()
            stage.broker.gone(f"late-{n}")
    assert observer
    return seen


@scenario(*RAW)
def test_publish_to_system_topics(stage):
    """Mosquitto closes the session of a device that publishes below $SYS: after a PUBACK, where one is due."""
    observer = stage.observer("$SYS/mine", "end")
    verdicts = []
    for qos in (0, 1):
        raw, _ = open_session(stage, f"raw-{qos}")
        verdicts.append(raw.send(wire.publish("$SYS/mine", b"x", qos, 1, version=stage.version)).verdict())
    observer.publish("end", b"end", qos=1)
    got = observer.until(b"end")
    assert got == []
    return verdicts, got


@scenario(*RAW, users={"alice": "right"}, allow_anonymous="false")
def test_refusal_in_bytes(stage):
    """CONNACK with the broker's code, then the end."""
    verdict = stage.raw().send(wire.connect("raw", version=stage.version)).verdict()
    assert verdict["end"] == "closed"
    assert verdict["packets"][0][4:8] == ("0087" if stage.version == 5 else "0005")
    return verdict


@scenario(*RAW, max_packet_size=2000)
def test_oversized(stage):
    """A packet above the broker's limit ends the session, and does not reach anyone."""
    well = bystander(stage)
    observer = stage.observer("#")
    raw, _ = open_session(stage, will=("raw/will", "gone"))
    raw.send(wire.publish("fits", b"x" * 1900, 1, 1, version=stage.version))
    puback = raw.expect(PUBACK).hex()
    verdict = raw.send(wire.publish("large", b"x" * 3000, 1, 2, version=stage.version)).verdict()
    assert verdict["end"] == "closed"
    got = [observer.next()["topic"], observer.next()["topic"]]
    assert got == ["fits", "raw/will"]
    return puback, types(verdict), got, well()


@scenario(*RAW)
def test_half_a_packet(stage):
    """A connection that ends in the middle of a packet: nothing of it is delivered, the will is."""
    well = bystander(stage)
    observer = stage.observer("#")
    raw, _ = open_session(stage, will=("raw/will", "gone"))
    raw.send(wire.publish("half", b"x" * 100, version=stage.version)[:50])
    raw.close()
    got = observer.next()["topic"]
    assert got == "raw/will"
    return got, well()


@scenario(*RAW)
def test_silent_connection(stage):
    """A connection that says nothing, or half a CONNECT, costs nobody else anything."""
    well = bystander(stage)
    silent, half = stage.raw(), stage.raw()
    half.send(wire.connect("half", version=stage.version)[:9])
    raw, connack = open_session(stage)
    alive = raw.ping()
    half.send(wire.connect("half", version=stage.version)[9:])
    late = half.expect(CONNACK).hex()
    assert alive and silent
    return connack, late, well()


@scenario(*RAW)
def test_keep_alive_runs_out(stage):
    """A client that neither speaks nor pings is dropped after one and a half times its keep alive, with its will."""
    observer = stage.observer("raw/will")
    raw, _ = open_session(stage, keep_alive=1, will=("raw/will", "gone"))
    verdict = raw.verdict()
    assert verdict["end"] == "closed"
    got = observer.next()["topic"]
    return types(verdict), got


@scenario("raw-v5")
def test_disconnect_with_will(stage):
    """DISCONNECT with reason 0x04 asks for the will to be published."""
    observer = stage.observer("raw/will")
    raw, _ = open_session(stage, will=("raw/will", "gone"))
    verdict = raw.send("e00104").verdict()
    assert verdict == {"packets": [], "end": "closed"}
    got = observer.next()
    assert got["payload"] == b"gone"
    return verdict, got


@scenario("raw-v5")
def test_session_expiry_changed_by_disconnect(stage):
    """DISCONNECT may shorten the life of the session: to nothing, here."""
    raw, _ = open_session(stage, clean=False, properties=bytes.fromhex("110000012c"))
    verdict = raw.send("e007" + "00" + "05" + "1100000000").verdict()
    stage.broker.gone("raw")
    raw, connack = open_session(stage, clean=False, properties=bytes.fromhex("110000012c"))
    assert connack[4:6] == "00"
    return verdict, connack


@scenario(*RAW)
def test_said_and_gone(stage):
    """All of a short life in one segment, and the connection closed: the message arrives, and the will doesn't."""
    observer = stage.observer("t/#")
    life = wire.connect("raw", version=stage.version, will=("t/will", "lost"))
    life += wire.publish("t/1", b"said", version=stage.version) + bytes.fromhex("e000")
    raw = stage.raw().send(life)
    raw.close()
    got = observer.next()
    stage.broker.gone("raw")
    observer.publish("t/sentinel", b"")
    after = observer.next()
    assert (got["topic"], after["topic"]) == ("t/1", "t/sentinel")
    return got, after
