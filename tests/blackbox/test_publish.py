"""Messages: quality of service, retained messages, sizes, order."""

import random

from stage import EVERY, LIBRARIES, PAHO, scenario


def plain(topic, payload, qos=0, retain=False, dup=False, **properties):
    return {"topic": topic, "payload": payload, "qos": qos, "retain": retain, "dup": dup, "properties": properties}


def without_dup(messages):
    """mosquitto_sub can't report the DUP flag."""
    return [{key: value for key, value in m.items() if key != "dup"} for m in messages]


@scenario(*EVERY)
def test_connect(stage):
    """The broker is told what the device said: version, clean start, keep alive."""
    device = stage.client("device-1")
    connack = device.connect(keep_alive=37)
    if connack is None:  # the command line connects when it does something
        device.subscribe("a")
    else:
        assert connack["code"] == 0 and connack["session_present"] == 0
    noted = stage.broker.connected_as("device-1")
    assert noted == f"p{ {3: 1, 4: 2, 5: 5}[stage.version] }, c1, k37"
    return connack, noted


@scenario(*EVERY)
def test_qos_up(stage):
    """From the device: each quality of service arrives as such, acknowledged, once."""
    observer = stage.observer("up/#")
    device = stage.device()
    codes = [device.publish(f"up/{qos}", b"qos %d" % qos, qos=qos) for qos in (0, 1, 2)]
    device.publish("up/end", b"end", qos=2)
    got = observer.until(b"end")
    assert got == [plain(f"up/{qos}", b"qos %d" % qos, qos) for qos in (0, 1, 2)]
    assert codes == [0, 0, 0]
    return codes, got


@scenario(*EVERY)
def test_qos_down(stage):
    """To the device: delivery at the lower of the message's and the subscription's quality of service."""
    observer = stage.observer()
    seen = []
    for granted in (0, 1, 2):
        device = stage.device(f"dev-{granted}")
        codes = device.subscribe(f"down/{granted}/#", qos=granted)
        assert codes == [granted]
        for qos in (0, 1, 2):
            observer.publish(f"down/{granted}/{qos}", bytes([qos]), qos=qos)
        observer.publish(f"down/{granted}/end", b"end", qos=granted)
        got = device.until(b"end")
        expected = [plain(f"down/{granted}/{qos}", bytes([qos]), min(qos, granted)) for qos in (0, 1, 2)]
        assert without_dup(got) == without_dup(expected)
        seen += [codes, got]
    return seen


@scenario(*EVERY)
def test_device_to_device(stage):
    """Both ends on the route."""
    receiver = stage.device("receiver")
    receiver.subscribe("a/b", qos=1)
    sender = stage.device("sender")
    sender.publish("a/b", "grüße ☃".encode(), qos=1)
    sender.publish("a/b", b"", qos=1)
    got = receiver.take(2)
    assert without_dup(got) == without_dup([plain("a/b", "grüße ☃".encode(), 1), plain("a/b", b"", 1)])
    return got


@scenario(*EVERY)
def test_topic_in_any_script(stage):
    """A topic name is UTF-8, up to the last level."""
    topic = "ü/日本/🌍/ a b /" + "x" * 1000
    observer = stage.observer("#")
    device = stage.device()
    device.subscribe(topic, qos=1)
    device.publish(topic, b"1", qos=1)
    got = observer.next(), device.next()
    assert got[0] == plain(topic, b"1", 1)
    assert without_dup(got[1:]) == without_dup([plain(topic, b"1", 1)])
    return got


@scenario(*EVERY)
def test_retained(stage):
    """Kept for later subscribers with the retain flag set; live subscribers see it clear; an empty payload removes it."""
    device = stage.device()
    live = stage.observer("state/#")
    device.publish("state/lamp", b"on", qos=1, retain=True)
    at_once = live.next()
    assert at_once == plain("state/lamp", b"on", 1)

    late = stage.device("late")
    late.subscribe("state/#", qos=1)
    kept = late.next()
    assert without_dup([kept]) == without_dup([plain("state/lamp", b"on", 1, retain=True)])
    late.disconnect()

    device.publish("state/lamp", b"", qos=1, retain=True)
    assert live.next() == plain("state/lamp", b"", 1)
    later = stage.device("later")
    later.subscribe("state/#", qos=1)
    live.publish("state/end", b"end", qos=1)
    removed = later.until(b"end")
    assert removed == []
    return at_once, kept, removed


@scenario(*EVERY)
def test_retained_from_the_other_side(stage):
    """A retained message that was there before the device."""
    observer = stage.observer()
    for n in range(3):
        observer.publish(f"state/{n}", b"%d" % n, qos=n, retain=True)
    device = stage.device()
    device.subscribe("state/+", qos=2)
    got = sorted(device.take(3), key=lambda m: m["topic"])
    expected = [plain(f"state/{n}", b"%d" % n, n, retain=True) for n in range(3)]
    assert without_dup(got) == without_dup(expected)
    return got


def noise(size):
    return random.Random(size).randbytes(size)


def large(stage, size, qos):
    observer = stage.observer("big/up")
    device = stage.device()
    payload = noise(size)
    code = device.publish("big/up", payload, qos=qos)
    device.subscribe("big/down", qos=qos)
    observer.publish("big/down", payload, qos=qos)
    up, down = observer.inbox.get(timeout=20), device.inbox.get(timeout=20)
    assert up["payload"] == payload
    assert down["payload"] == payload
    assert up["qos"] == down["qos"] == qos
    return code, len(up["payload"]), len(down["payload"])


@scenario(*EVERY)
def test_256_kib(stage):
    """Byte-exact both ways."""
    return large(stage, 256 * 1024, 1)


@scenario(*EVERY, message_size_limit=0)
def test_1_mib(stage):
    """Byte-exact both ways."""
    return large(stage, 1024 * 1024, 2)


@scenario(*LIBRARIES)
def test_every_length_of_remaining_length(stage):
    """Sizes around each step of the remaining length field, and around usual buffer sizes."""
    observer = stage.observer("n/#")
    device = stage.device()
    device.subscribe("n/#", qos=1)
    sizes = [0, 1, 115, 119, 120, 121, 122, 123, 124, 125, 127, 128, 1400, 1460, 4095, 4096, 8192, 16370, 16376, 16377]
    sizes += [16378, 16379, 16380, 16383, 16384, 32768, 65529, 65535, 65536, 65537, 131072, 2097145, 2097152]
    device.publish_all([{"topic": "n/t", "payload": noise(n), "qos": 1, "retain": False} for n in sizes])
    there = [observer.inbox.get(timeout=20)["payload"] for _ in sizes]
    back = [device.inbox.get(timeout=20)["payload"] for _ in sizes]
    assert [len(p) for p in there] == sizes
    assert there == [noise(n) for n in sizes]
    assert back == there
    return len(there), len(back)


@scenario(*EVERY)
def test_2000_in_order(stage):
    """Nothing lost, nothing twice, nothing overtaken."""
    numbers = [b"%d" % n for n in range(2000)]
    observer = stage.observer("many/up")
    device = stage.device()
    device.subscribe("many/down", qos=1)
    codes = device.publish_all([{"topic": "many/up", "payload": n, "qos": 1, "retain": False} for n in numbers])
    up = [m["payload"] for m in observer.take(2000)]
    observer.publish_all([{"topic": "many/down", "payload": n, "qos": 1, "retain": False} for n in numbers])
    down = [m["payload"] for m in device.take(2000)]
    assert up == numbers
    assert down == numbers
    device.publish("many/up", b"end", qos=1)
    assert observer.until(b"end") == []
    return len(up), len(down), set(codes)


@scenario(*PAHO)
def test_each_qos_interleaved(stage):
    """300 messages, the quality of service changing with each, more than fit the window: nothing lost, nothing twice.

    Not compared: the order. paho and Mosquitto both let messages of one quality of service pass those of another that wait.
    """
    observer = stage.observer("mix/#")
    device = stage.device()
    messages = [{"topic": f"mix/{n % 3}", "payload": b"%d" % n, "qos": n % 3, "retain": False} for n in range(300)]
    device.publish_all(messages)
    got = sorted(observer.take(300), key=lambda m: int(m["payload"]))
    assert got == [plain(f"mix/{n % 3}", b"%d" % n, n % 3) for n in range(300)]
    return got
