"""Subscriptions: wildcards, overlaps, ends, shared ones, the options and identifiers of version 5."""

from stage import COMMAND_LINE, EVERY, LIBRARIES, PAHO, V5, scenario

from test_publish import plain, without_dup


def heard(stage, device, topics, qos=1):
    """Which of these topics reach the device."""
    observer = stage.observer(client_id="teller")
    for topic in topics:
        observer.publish(topic, topic.encode(), qos=qos)
    observer.publish("end", b"end", qos=qos)
    got = [m["topic"] for m in device.until(b"end")]
    observer.disconnect()
    return got


TOPICS = ["a", "a/", "/a", "a/b", "a/b/c", "a/b/c/d", "a//c", "b/b/c", "A/b", "$dev/a"]


def filters(stage, wanted, expected):
    device = stage.device()
    codes = device.subscribe(*wanted, "end", qos=1)
    assert codes == [1] * (len(wanted) + 1)
    got = heard(stage, device, TOPICS)
    assert got == expected
    return codes, got


@scenario(*EVERY)
def test_plus(stage):
    """One level, also an empty one."""
    return filters(stage, ["a/+/c", "+"], ["a", "a/b/c", "a//c"])


@scenario(*EVERY)
def test_hash_below(stage):
    """The level itself and everything below it."""
    return filters(stage, ["a/#"], ["a", "a/", "a/b", "a/b/c", "a/b/c/d", "a//c"])


@scenario(*LIBRARIES)
def test_hash_alone(stage):
    """Everything except what starts with a dollar sign; `$dev/#` brings that."""
    device = stage.device()
    codes = device.subscribe("#", qos=1)
    first = heard(stage, device, TOPICS)
    assert first == TOPICS[:-1]
    device.subscribe("$dev/#", qos=1)
    second = heard(stage, device, TOPICS)
    assert second == TOPICS
    return codes, first, second


@scenario(*EVERY)
def test_system_topics(stage):
    """$SYS is the broker's, also through the proxy."""
    device = stage.device()
    device.subscribe("$SYS/broker/version", qos=0)
    got = device.next()
    assert got["topic"] == "$SYS/broker/version" and got["retain"]
    assert got["payload"].startswith(b"mosquitto version")
    return got


@scenario(*EVERY)
def test_overlapping(stage):
    """Two filters of one client that match: one delivery at the highest quality of service (Mosquitto's default)."""
    device = stage.device()
    device.subscribe("o/#", "o/+", "o/x", qos=1)
    stage.observer().publish("o/x", b"1", qos=2)
    stage.observer(client_id="second").publish("o/x", b"end", qos=2)
    got = device.until(b"end")
    assert all(m["qos"] == 1 and m["payload"] == b"1" for m in got) and got
    return got


@scenario(*LIBRARIES)
def test_unsubscribe(stage):
    """After UNSUBACK nothing more comes; other subscriptions stay."""
    device = stage.device()
    device.subscribe("u/1", qos=1)
    device.subscribe("u/2", "end", qos=1)
    before = heard(stage, device, ["u/1", "u/2"])
    codes = device.unsubscribe("u/1")
    after = heard(stage, device, ["u/1", "u/2"])
    assert before == ["u/1", "u/2"]
    assert after == ["u/2"]
    assert codes == ([0] if stage.version == 5 else [])
    return before, codes, after


@scenario(*V5)
def test_unsubscribe_what_is_not_there(stage):
    """0x11: no subscription existed."""
    device = stage.device()
    device.subscribe("u/1", "end", qos=1)
    codes = device.unsubscribe("u/1", "u/2")
    if stage.kind == "paho-v5":
        assert codes == [0, 0x11]
    assert heard(stage, device, ["u/1"]) == []
    return codes


@scenario(*LIBRARIES)
def test_resubscribe_changes_qos(stage):
    """A second SUBSCRIBE to the same filter replaces the first."""
    device = stage.device()
    observer = stage.observer()
    codes = []
    got = []
    for qos in (2, 0, 1):
        codes += device.subscribe("r", qos=qos)
        observer.publish("r", b"%d" % qos, qos=2)
        got.append(device.next()["qos"])
    assert codes == got == [2, 0, 1]
    return codes, got


@scenario(*EVERY)
def test_shared(stage):
    """Two members of a group: each message goes to exactly one of them; an ordinary subscriber gets all."""
    first, second = stage.device("first"), stage.device("second")
    for member in (first, second):
        assert member.subscribe("$share/g/work", "end", qos=1) == [1, 1]
    observer = stage.observer("work")
    for n in range(40):
        observer.publish("work", b"%d" % n, qos=1)
    observer.publish("end", b"end", qos=1)
    got = [[int(m["payload"]) for m in member.until(b"end")] for member in (first, second)]
    assert sorted(got[0] + got[1]) == list(range(40))
    assert got[0] and got[1], "both are given work"
    assert len(observer.take(40)) == 40
    return sorted(got[0] + got[1])


@scenario(*LIBRARIES)
def test_shared_member_leaves(stage):
    """What is published after a member left goes to the other."""
    first, second = stage.device("first"), stage.device("second")
    for member in (first, second):
        member.subscribe("$share/g/work/#", qos=1)
    first.disconnect()
    stage.broker.gone("first")
    observer = stage.observer()
    for n in range(10):
        observer.publish("work/x", b"%d" % n, qos=1)
    got = [int(m["payload"]) for m in second.take(10)]
    assert got == list(range(10))
    return got


@scenario("paho-v5", "mqttjs-v5", "gmqtt-v5")
def test_subscription_identifiers(stage):
    """The identifier of each matching subscription comes with the message."""
    device = stage.device()
    device.subscribe("s/#", qos=1, identifier=7)
    device.subscribe("s/x", qos=1, identifier=268435455)
    device.subscribe("other", qos=1)
    observer = stage.observer()
    observer.publish("s/x", b"both", qos=1)
    observer.publish("s/y", b"one", qos=1)
    observer.publish("other", b"none", qos=1)
    observer.publish("s/x", b"end", qos=1)
    got = device.until(b"end")
    tagged = {}
    for m in got:
        tagged.setdefault(m["payload"], []).extend(m["properties"].get("subscription_identifier", []))
    assert sorted(tagged[b"both"]) == [7, 268435455]
    assert tagged[b"one"] == [7]
    assert tagged[b"none"] == []
    return got


@scenario("paho-v5", "mqttjs-v5", "gmqtt-v5")
def test_no_local(stage):
    """What the device publishes does not come back to it; the same from others does."""
    device = stage.device()
    device.subscribe("l", qos=1, no_local=True)
    device.publish("l", b"own", qos=1)
    stage.observer().publish("l", b"foreign", qos=1)
    got = device.next()
    assert got == plain("l", b"foreign", 1)
    return got


@scenario(*V5)
def test_retain_as_published(stage):
    """The retain flag of a live message stays set for a subscriber that asks for it."""
    device = stage.device()
    device.subscribe("p/keep", qos=1, retain_as_published=True)
    device.subscribe("p/clear", qos=1)
    observer = stage.observer()
    observer.publish("p/keep", b"1", qos=1, retain=True)
    observer.publish("p/clear", b"1", qos=1, retain=True)
    observer.publish("p/keep", b"2", qos=1)
    got = device.take(3)
    assert got == [plain("p/keep", b"1", 1, retain=True), plain("p/clear", b"1", 1), plain("p/keep", b"2", 1)]
    return got


@scenario(*V5)
def test_retain_handling(stage):
    """0: retained messages always; 1: only for a new subscription; 2: never."""
    observer = stage.observer()
    observer.publish("h", b"kept", qos=1, retain=True)
    device = stage.device()
    device.subscribe("end", qos=1)
    counts = []
    for handling in (2, 1, 0, 1, 2, 0):
        device.subscribe("h", qos=1, retain_handling=handling)
        observer.publish("end", b"end", qos=1)
        counts.append((handling, len(device.until(b"end"))))
    device.unsubscribe("h")
    device.subscribe("h", qos=1, retain_handling=1)
    observer.publish("end", b"end", qos=1)
    counts.append((1, len(device.until(b"end"))))
    assert counts == [(2, 0), (1, 0), (0, 1), (1, 0), (2, 0), (0, 1), (1, 1)]
    return counts


@scenario(*LIBRARIES)
def test_many_filters_in_one_subscribe(stage):
    """200 filters in one packet, one code for each, in their order."""
    device = stage.device()
    codes = device.subscribe(*[f"f/{n}" for n in range(200)], "end", qos=1)
    assert codes == [1] * 201
    got = heard(stage, device, ["f/0", "f/199", "f/200"])
    assert got == ["f/0", "f/199"]
    return codes, got


@scenario(*PAHO, *COMMAND_LINE[1:])
def test_payload_of_another_kind(stage):
    """Bytes that are no text, in both directions."""
    payload = bytes(range(50)) + b"\xff\xfe\x00"
    device = stage.device()
    device.subscribe("bin", qos=1)
    device.publish("bin", payload, qos=1)
    observer = stage.observer("bin2")
    device.publish("bin2", payload[::-1], qos=1)
    got = device.next(), observer.next()
    assert without_dup(got[:1]) == without_dup([plain("bin", payload, 1)])
    assert got[1] == plain("bin2", payload[::-1], 1)
    return got
