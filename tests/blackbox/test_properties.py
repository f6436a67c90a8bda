"""The properties of version 5, end to end."""

from stage import AIOMQTT, RUMQTTC, V5, elapse, scenario

from test_publish import plain, without_dup

ALL_V5 = V5 + ("gmqtt-v5", "mosquitto-v5", AIOMQTT[1], RUMQTTC[1])

PROPERTIES = {
    "content_type": "application/json",
    "correlation_data": b"req-17",
    "payload_format_indicator": 1,
    "response_topic": "answers/17",
    "user_property": [["a", "1"], ["a", "2"], ["b", "x"]],
}
SEEN = {**PROPERTIES, "correlation_data": b"req-17".hex()}


@scenario(*ALL_V5)
def test_properties_up(stage):
    """From the device to the broker: nothing added, dropped or reordered."""
    observer = stage.observer("p")
    device = stage.device()
    device.publish("p", b"{}", qos=1, **PROPERTIES)
    got = observer.next()
    assert got == plain("p", b"{}", 1, **SEEN)
    return got


@scenario(*ALL_V5)
def test_properties_down(stage):
    """From the broker to the device."""
    device = stage.device()
    device.subscribe("p", qos=1)
    stage.observer().publish("p", b"{}", qos=1, **PROPERTIES)
    got = device.next()
    assert without_dup([got]) == without_dup([plain("p", b"{}", 1, **SEEN)])
    return got


@scenario(*V5)
def test_user_properties_of_any_length(stage):
    """Many, empty, long and non-ASCII user properties; property lengths of more than one byte."""
    pairs = [["", ""], ["k", ""], ["", "v"], ["ключ", "värde ☃"], ["long", "x" * 40000]] + [["n", str(n)] for n in range(300)]
    if stage.kind.startswith("mqttjs"):
        pairs = pairs[1:]  # which it drops
    observer = stage.observer("p")
    device = stage.device()
    device.subscribe("q", qos=1)
    device.publish("p", b"1", qos=1, user_property=pairs)
    observer.publish("q", b"1", qos=1, user_property=pairs)
    up, down = observer.next()["properties"], device.next()["properties"]
    # mqtt.js groups equal names, which nobody else does: compare what is left as a bag.
    assert sorted(up["user_property"]) == sorted(pairs)
    assert sorted(down["user_property"]) == sorted(pairs)
    return up, down


@scenario(*V5)
def test_message_expiry(stage):
    """The interval travels, counted down while it is stored; what expired is not delivered."""
    observer = stage.observer("live")
    device = stage.device(clean=False, session_expiry_interval=300)
    device.subscribe("kept", qos=1)
    device.publish("live", b"1", qos=1, message_expiry_interval=100)
    live = observer.next()["properties"]["message_expiry_interval"]
    assert 95 <= live <= 100
    device.disconnect()
    stage.broker.gone("dev")
    observer.publish("kept", b"short", qos=1, message_expiry_interval=1)
    observer.publish("kept", b"long", qos=1, message_expiry_interval=100)
    observer.publish("kept", b"end", qos=1)
    elapse(2.5, "the message expiry interval of `short` has passed")
    again = stage.device(clean=False, session_expiry_interval=300)
    got = again.until(b"end")
    left = [m["properties"].pop("message_expiry_interval") for m in got]
    assert got == [plain("kept", b"long", 1)]
    assert 90 <= left[0] <= 99
    return got


@scenario(*V5)
def test_request_response(stage):
    """A question with a response topic and correlation data, and the answer's way back."""
    asker = stage.device("asker")
    asker.subscribe("answers/asker", qos=1)
    answerer = stage.device("answerer")
    answerer.subscribe("questions", qos=1)
    asker.publish("questions", b"time?", qos=1, response_topic="answers/asker", correlation_data=b"\x00\x01")
    question = answerer.next()
    assert question["properties"] == {"correlation_data": "0001", "response_topic": "answers/asker"}
    answerer.publish(
        question["properties"]["response_topic"],
        b"noon",
        qos=1,
        correlation_data=bytes.fromhex(question["properties"]["correlation_data"]),
    )
    answer = asker.next()
    assert answer == plain("answers/asker", b"noon", 1, correlation_data="0001")
    return question, answer


@scenario("paho-v5", "gmqtt-v5")
def test_topic_alias(stage):
    """A topic named once, then by its alias, then another topic under the same alias."""
    observer = stage.observer("a/#")
    device = stage.device()
    for topic, payload in (("a/one", b"1"), ("", b"2"), ("", b"3"), ("a/two", b"4"), ("", b"5")):
        device.publish(topic, payload, qos=1, topic_alias=3)
    device.publish("a/one", b"end", qos=1)
    got = observer.until(b"end")
    assert [(m["topic"], m["payload"]) for m in got] == [
        ("a/one", b"1"),
        ("a/one", b"2"),
        ("a/one", b"3"),
        ("a/two", b"4"),
        ("a/two", b"5"),
    ]
    assert all(m["properties"] == {} for m in got)
    return got


@scenario(*V5)
def test_receive_maximum(stage):
    """A client that takes one message at a time gets all of them, in order."""
    device = stage.device(receive_maximum=1)
    device.subscribe("w", qos=2)
    observer = stage.observer()
    # One quality of service after the other: between them no order is promised.
    for qos in (1, 2):
        numbers = range(50 * (qos - 1), 50 * qos)
        observer.publish_all([{"topic": "w", "payload": b"%d" % n, "qos": qos, "retain": False} for n in numbers])
    got = [int(m["payload"]) for m in device.take(100)]
    assert got == list(range(100))
    return got


@scenario(*V5)
def test_maximum_packet_size_of_the_client(stage):
    """What is too large for the client is not sent to it, and does not end its connection."""
    device = stage.device(maximum_packet_size=200)
    device.subscribe("m", qos=1)
    observer = stage.observer()
    observer.publish("m", b"x" * 500, qos=1)
    observer.publish("m", b"small", qos=1)
    observer.publish("m", b"end", qos=1)
    got = device.until(b"end")
    assert got == [plain("m", b"small", 1)]
    assert not device.ended.is_set()
    return got


@scenario(*V5, max_packet_size=1000, max_keepalive=20)
def test_connack_properties(stage):
    """The broker's limits and choices reach the device."""
    connack = stage.client().connect(keep_alive=30, session_expiry_interval=60)
    properties = connack["properties"]
    assert connack["code"] == 0
    assert properties["maximum_packet_size"] == 1000
    assert properties["server_keep_alive"] == 20
    return connack


@scenario("paho-v5")
def test_no_matching_subscribers(stage):
    """PUBACK and PUBREC carry the broker's reason code (0x10) to the publisher."""
    device = stage.device()
    codes = [device.publish("nobody", b"1", qos=qos) for qos in (1, 2)]
    stage.observer("nobody")
    codes += [device.publish("nobody", b"1", qos=1)]
    assert codes[0] == 0x10 and codes[2] == 0
    return codes
