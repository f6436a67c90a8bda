"""Translated and bridged sessions: what version 5 adds, and what can't be translated."""

import pytest

import wire
from bridge import FIVE, Bridge, bridged, ways_of

TRANSLATED = ("mqtt2go", "smartworks-mqtt2go")


@bridged(pairs=("mqtt2go",), links=("5-5",))
def test_properties(stage):
    """Of a message whose payload isn't rewritten: all of them, both ways."""
    given = {"content_type": "application/json", "correlation_data": b"\x00\xff", "payload_format_indicator": 1}
    given["user_property"] = [["a", "1"], ["a", "2"]]
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "fan"), qos=1)
    stage.says(device, "t", 1, **given)
    stage.tells(observer, "lamp1", "fan", 2, **given)
    got = stage.heard_whole(observer), stage.heard_whole(device)
    seen = {**given, "correlation_data": "00ff"}
    assert [properties for _, _, properties in got] == [dict(sorted(seen.items()))] * 2
    return got


@bridged(pairs=("mqtt2go", "plain"), links=("5-5",))
def test_message_expiry(stage):
    """The interval travels, counted down while the message is stored."""
    observer, device = stage.observer(), stage.device(**stage.kept())
    device.subscribe(stage.filter(device, "fan"), qos=1)
    device.disconnect()
    stage.broker.gone("lamp1")
    stage.tells(observer, "lamp1", "fan", 1, message_expiry_interval=100)
    again = stage.device(**stage.kept())
    left = stage.heard_whole(again)[2]["message_expiry_interval"]
    stage.says(again, "t", 2, message_expiry_interval=100)
    up = stage.heard_whole(observer)[2]["message_expiry_interval"]
    assert 90 <= left <= 100 and 95 <= up <= 100
    return "both"


@bridged(pairs=("mqtt2go",), links=("5-5",))
def test_request_and_response(stage):
    """The device asks, and the answer finds the name that it gave; the cloud asks, and so does the device's answer."""
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "+"), qos=1)
    stage.says(device, "question", 1, response_topic=stage.near.down("lamp1", "answer"), correlation_data=b"\x01")
    asked = stage.heard_whole(observer)[2]
    assert asked == {"correlation_data": "01", "response_topic": stage.far.down("lamp1", "answer")}
    observer.publish(asked["response_topic"], stage.far.told("answer", 2), 1, correlation_data=b"\x01")
    answered = stage.heard_whole(device)
    stage.tells(observer, "lamp1", "fan", 3, response_topic=stage.far.up("lamp1", "answer"), correlation_data=b"\x02")
    asked = stage.heard_whole(device)[2]
    assert asked == {"correlation_data": "02", "response_topic": stage.near.up("lamp1", "answer")}
    device.publish(asked["response_topic"], stage.near.said("answer", 4), 1, correlation_data=b"\x02")
    back = stage.heard_whole(observer)
    assert (answered[0], back[0]) == (("lamp1", "answer", 2, 1), ("lamp1", "answer", 4, 1))
    return answered, back


@bridged(links=FIVE)
def test_subscription_identifiers(stage):
    """Each matching subscription's identifier comes with the message, or with one delivery of it each."""
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "+"), qos=1, identifier=7)
    device.subscribe(stage.filter(device, "fan"), qos=1, identifier=268435455)
    for number, name in enumerate(("fan", "door", "end")):
        stage.tells(observer, "lamp1", name, number)
    seen = {}
    while (one := stage.heard_whole(device))[0][1] != "end":
        seen.setdefault(one[0][1], []).extend(one[2].get("subscription_identifier", []))
    seen = {name: sorted(identifiers) for name, identifiers in seen.items()}
    assert seen == {"fan": [7, 268435455], "door": [7]}
    return seen


@bridged(pairs=("plain",), links=FIVE)
def test_no_local(stage):
    """What the device publishes does not come back to it; the same from others does."""
    device = stage.device()
    topic = stage.near.up("lamp1", "t")
    device.subscribe(topic, qos=1, no_local=True)
    stage.says(device, "t", 1)
    other = stage.device("lamp2")
    other.publish(topic, stage.near.said("t", 2), qos=1)
    got = stage.heard(device)
    assert got == ("lamp1", "t", 2, 1)
    return got


@bridged(links=FIVE)
def test_retain_handling_of_a_new_subscription(stage):
    """0 and 1: retained messages come; 2: they don't."""
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "end"), qos=1)
    counts = []
    for number, handling in enumerate((0, 1, 2, 1, 0, 2)):
        # Another one each time: what a device has already been told, a translated session doesn't tell it again.
        stage.tells(observer, "lamp1", "fan", number, retain=True)
        device.subscribe(stage.filter(device, "fan"), qos=1, retain_handling=handling)
        stage.tells(observer, "lamp1", "end", 99)
        counts.append((handling, len(stage.until(device, 99))))
        device.unsubscribe(stage.filter(device, "fan"))
    assert counts == [(0, 1), (1, 1), (2, 0), (1, 1), (0, 1), (2, 0)]
    return counts


@bridged(pairs=("plain",), links=FIVE)
def test_retain_handling(stage):
    """0: retained messages always; 1: only for a new subscription; 2: never."""
    observer, device = stage.observer(), stage.device()
    stage.tells(observer, "lamp1", "fan", 1, retain=True)
    device.subscribe(stage.filter(device, "end"), qos=1)
    counts = []
    for handling in (2, 1, 0, 1, 2, 0):
        device.subscribe(stage.filter(device, "fan"), qos=1, retain_handling=handling)
        stage.tells(observer, "lamp1", "end", 99)
        counts.append((handling, len(stage.until(device, 99))))
    device.unsubscribe(stage.filter(device, "fan"))
    device.subscribe(stage.filter(device, "fan"), qos=1, retain_handling=1)
    stage.tells(observer, "lamp1", "end", 99)
    counts.append((1, len(stage.until(device, 99))))
    assert counts == [(2, 0), (1, 0), (0, 1), (1, 0), (2, 0), (0, 1), (1, 1)]
    return counts


@bridged(links=("5-3.1.1", "5-5"), pairs=("plain", "mqtt2go"))
def test_topic_alias(stage):
    """A topic named once, then by its alias, then another topic under the same alias."""
    raw, observer = stage.raw(), stage.observer()
    connack = raw.send(wire.connect("lamp1", version=5)).expect(0x20)
    assert b"\x22\x00" in connack, "aliases are offered"
    for number, name in enumerate(("one", "", "two", "")):
        topic = stage.near.up("lamp1", name) if name else ""
        raw.send(wire.publish(topic, stage.near.said("", number), 1, number + 1, version=5, properties=b"\x23\0\3"))
        raw.expect(0x40)
    got = [stage.heard(observer) for _ in range(4)]
    raw.close()
    assert [one[1] for one in got] == ["one", "one", "two", "two"]
    return got


@pytest.fixture
def bridge(record_stage):
    """Starts a translated stage: what is refused there has no direct route to be compared with."""
    open_ones = []

    def start(pair, link, **broker_options):
        one = Bridge("proxied", pair, link, **broker_options)
        open_ones.append(one)
        record_stage(one)
        return one

    yield start
    for one in open_ones:
        one.close()


REFUSED_UP = {"bad_topic": (0x90, lambda stage: ("no/such/name", b"1")), "payload_not_json": (0x99, lambda stage: (stage.near.up("lamp1", "t"), b"x"))}


@pytest.mark.parametrize("reason", REFUSED_UP)
@pytest.mark.parametrize(**ways_of(TRANSLATED))
def test_what_a_device_says_is_refused(bridge, pair, link, reason):
    """Version 5 hears the reason code in PUBACK and PUBREC, 3.1.1 an acknowledgement; it is counted, and the session goes on."""
    stage = bridge(pair, link)
    code, what = REFUSED_UP[reason]
    topic, payload = what(stage)
    v = stage.version
    raw, observer = stage.raw(), stage.observer()
    raw.send(wire.connect("lamp1", version=v)).expect(0x20)
    for qos in (0, 1, 2):
        raw.send(wire.publish(topic, payload, qos, qos, version=v))
    puback, pubrec = raw.expect(0x40), raw.expect(0x50)
    told = bytes([code]) if v == 5 else b""
    assert (puback[2:5], pubrec[2:5]) == (b"\0\1" + told, b"\0\2" + told)
    if v == 4:
        assert raw.send("62020002").expect(0x70) == bytes.fromhex("70020002")
    raw.send(wire.publish(stage.near.up("lamp1", "t"), stage.near.said("t", 5), 1, 4, version=v)).expect(0x40)
    assert stage.heard(observer) == ("lamp1", "t", 5, 1)
    raw.close()
    assert stage.metric("interlingua_refused_total", direction="up", reason=reason) == 3
    assert stage.metric("interlingua_refused_total") == 3


@pytest.mark.parametrize(**ways_of(TRANSLATED))
def test_what_a_device_is_told_is_refused(bridge, pair, link):
    """The broker's exchanges are finished, at each quality of service; the device sees nothing of them; it is counted."""
    stage = bridge(pair, link, max_inflight_messages=1)
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "fan"), qos=2)
    for qos in (0, 1, 2, 1, 2):
        observer.publish(stage.far.down("lamp1", "fan"), b"no document", qos)
        # The broker has one message under way: this one comes only when it is rid of the other.
        stage.tells(observer, "lamp1", "fan", qos, qos=2)
        assert stage.heard(device) == ("lamp1", "fan", qos, 2)
    assert stage.metric("interlingua_refused_total", direction="down", reason="payload_not_json") == 5


@pytest.mark.parametrize(**ways_of(("smartworks-mqtt2go",), FIVE))
def test_a_message_that_grows_above_what_the_device_takes(bridge, pair, link):
    """A device of 5 that takes small packets isn't sent the large one that a small one became; the broker goes on."""
    stage = bridge(pair, link, max_inflight_messages=1)
    observer, device = stage.observer(), stage.device(maximum_packet_size=120)
    assert device.subscribe(stage.filter(device, "fan"), qos=1) == [1]
    for number in (1, 2):
        stage.tells(observer, "lamp1", "fan", number)
    other = stage.device("lamp2")
    other.subscribe(stage.filter(other, "fan"), qos=1)
    stage.tells(observer, "lamp2", "fan", 3)
    assert stage.heard(other) == ("lamp2", "fan", 3, 1)
    stage.says(device, "t", 4)
    # What comes to the device now comes behind the refused ones.
    device.unsubscribe(stage.filter(device, "fan"))
    assert stage.metric("interlingua_refused_total", direction="down", reason="payload_too_large") == 2
    assert device.inbox.empty() and not device.ended.is_set()


@pytest.mark.parametrize(**ways_of(("smartworks-mqtt2go",), ("5-5", "3.1.1-5", "js-3.1.1-5")))
def test_a_message_that_grows_above_what_the_broker_takes(bridge, pair, link):
    """A broker of 5 that takes small packets isn't sent the large one that a small one became: 0x97 or 0x95, and the session goes on."""
    stage = bridge(pair, link, max_packet_size=80)
    v = stage.version
    raw = stage.raw()
    raw.send(wire.connect("lamp1", version=v)).expect(0x20)
    raw.send(wire.publish(stage.near.up("lamp1", "t"), stage.near.said("t", 1), 1, 7, version=v))
    puback = raw.expect(0x40)
    assert puback[2:4] == b"\0\7"
    if v == 5:
        assert puback[4] in (0x80, 0x83, 0x95, 0x97, 0x99), puback.hex()
    assert raw.ping()
    raw.close()
    assert stage.metric("interlingua_refused_total", direction="up", reason="payload_too_large") == 1


@bridged(links=("5-5", "5-3.1.1"))
def test_unsubscribe_what_is_not_there(stage):
    """0x11: no subscription existed; also where the broker has no code for that."""
    device = stage.device()
    device.subscribe(stage.filter(device, "fan"), qos=1)
    codes = device.unsubscribe(stage.filter(device, "fan"), stage.filter(device, "door"))
    assert codes == [0, 0x11]
    return codes


@bridged(pairs=("plain",), links=("5-3.1.1", "3.1.1-5"))
def test_no_client_identifier(stage):
    """One is assigned, and version 5 is told which."""
    connack = stage.client("").connect(clean=True)
    assert connack["code"] == 0
    assigned = connack["properties"].get("assigned_client_identifier")
    if stage.version == 5:
        stage.broker.connected_as(assigned)
    return bool(assigned)


@pytest.mark.parametrize(**ways_of(links=("3.1.1-5", "js-3.1.1-5")))
def test_a_broker_that_grants_less(bridge, pair, link):
    """A broker of 5 without QoS 2 and retained messages; a device of 3.1.1 can't know. QoS 2 becomes 1, RETAIN 0, and nobody is closed."""
    stage = bridge(pair, link, max_qos=1, retain_available="false")
    observer = stage.observer(granted=1)
    device = stage.device()
    assert [stage.says(device, "t", qos, qos=qos, retain=True) for qos in (0, 1, 2)] == [0, 0, 0]
    got = [stage.heard_whole(observer)[:2] for _ in range(3)]
    assert got == [(("lamp1", "t", qos, min(qos, 1)), False) for qos in (0, 1, 2)]
    assert device.subscribe(stage.filter(device, "fan"), qos=2) == [1]
