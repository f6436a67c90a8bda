"""Translated and bridged sessions: everything that MQTT promises, under other names and in another version."""

import wire
from bridge import FIVE, LINKS, bridged
from stage import elapse

# What waits for time to pass runs with one library.
PAHO = tuple(link for link in LINKS if not link.startswith("js"))



@bridged()
def test_qos_up(stage):
    """Each quality of service arrives as such, once, acknowledged."""
    observer, device = stage.observer(), stage.device()
    codes = [stage.says(device, "t", qos, qos=qos) for qos in (0, 1, 2)]
    assert codes == [0, 0, 0]
    got = [stage.heard(observer) for _ in range(3)]
    assert got == [("lamp1", "t", qos, qos) for qos in (0, 1, 2)]
    return got


@bridged()
def test_qos_down(stage):
    """Delivered at the lower of the message's and the subscription's quality of service."""
    observer = stage.observer()
    seen = []
    for granted in (0, 1, 2):
        device = stage.device()
        assert device.subscribe(stage.filter(device, "fan"), qos=granted) == [granted]
        for qos in (0, 1, 2):
            stage.tells(observer, "lamp1", "fan", qos, qos=qos)
        seen.append([stage.heard(device) for _ in range(3)])
        assert sorted(seen[-1]) == [("lamp1", "fan", qos, min(qos, granted)) for qos in (0, 1, 2)]
        device.disconnect()
        stage.broker.gone("lamp1", granted + 1)
    return [sorted(one) for one in seen]


@bridged()
def test_500_in_order(stage):
    """Nothing lost, nothing twice, nothing overtaken, both ways."""
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "fan"), qos=1)
    topic = stage.near.up("lamp1", "t")
    device.publish_all([{"topic": topic, "payload": stage.near.said("t", n), "qos": 1, "retain": False} for n in range(500)])
    up = [stage.heard(observer)[2] for _ in range(500)]
    topic = stage.far.down("lamp1", "fan")
    observer.publish_all([{"topic": topic, "payload": stage.far.told("fan", n), "qos": 1, "retain": False} for n in range(500)])
    down = [stage.heard(device)[2] for _ in range(500)]
    assert up == down == list(range(500))
    return len(up)


@bridged()
def test_wildcards_and_other_devices(stage):
    """A wildcard in the place of a name; what is told to another device doesn't come."""
    observer, device = stage.observer(), stage.device()
    assert device.subscribe(stage.filter(device, "+"), qos=1) == [1]
    stage.tells(observer, "lamp2", "fan", 1)
    stage.tells(observer, "lamp1", "fan", 2)
    stage.tells(observer, "lamp1", "door", 3)
    got = [stage.heard(device) for _ in range(2)]
    assert got == [("lamp1", "fan", 2, 1), ("lamp1", "door", 3, 1)]
    return got


@bridged()
def test_overlapping_filters(stage):
    """Two filters that match: each message comes. How often is the broker's affair (v5 section 3.3.4), which
    Mosquitto decides by the version."""
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "+"), stage.filter(device, "fan"), qos=1)
    stage.tells(observer, "lamp1", "fan", 1)
    stage.tells(observer, "lamp1", "door", 2)
    stage.tells(observer, "lamp1", "fan", 99)
    got = sorted(set(stage.until(device, 99)))
    assert got == [("lamp1", "door", 2, 1), ("lamp1", "fan", 1, 1)]
    return got


@bridged()
def test_unsubscribe(stage):
    """After UNSUBACK nothing more comes; another filter that covers it goes on."""
    observer, device = stage.observer(), stage.device()
    device.subscribe(stage.filter(device, "fan"), stage.filter(device, "door"), qos=1)
    stage.tells(observer, "lamp1", "fan", 1)
    before = stage.heard(device)
    device.unsubscribe(stage.filter(device, "fan"))
    stage.tells(observer, "lamp1", "fan", 2)
    stage.tells(observer, "lamp1", "door", 3)
    after = stage.heard(device)
    assert (before[2], after[2]) == (1, 3)
    return before, after


@bridged(pairs=("plain", "mqtt2go"))
def test_retained_up(stage):
    """What a device retains is there for who comes later, with the flag."""
    observer, device = stage.observer(), stage.device()
    stage.says(device, "lamp", 1, retain=True)
    live = stage.heard_whole(observer)[:2]
    late = stage.heard_whole(stage.observer("observer-late"))[:2]
    assert live == (("lamp1", "lamp", 1, 1), False) and late == (("lamp1", "lamp", 1, 1), True)
    return live, late


@bridged(pairs=("plain",))
def test_retained_down(stage):
    """A retained message that was there before the device: for each subscription anew."""
    observer = stage.observer()
    stage.tells(observer, "lamp1", "fan", 1, retain=True)
    device = stage.device()
    got = []
    for _ in range(2):
        device.subscribe(stage.filter(device, "fan"), qos=1)
        got.append(stage.heard_whole(device)[:2])
    assert got == [(("lamp1", "fan", 1, 1), True)] * 2
    return got


@bridged()
def test_will_when_cut(stage):
    """The connection ends without DISCONNECT."""
    observer = stage.observer()
    stage.device(will=stage.will("lamp1", "gone", 7)).cut()
    got = stage.heard(observer)
    assert got == ("lamp1", "gone", 7, 1)
    return got


@bridged()
def test_no_will_after_disconnect(stage):
    """DISCONNECT removes it."""
    observer = stage.observer()
    stage.device(will=stage.will("lamp1", "gone", 7)).disconnect()
    stage.broker.gone("lamp1")
    other = stage.device("lamp2")
    stage.says(other, "end", 99)
    got = stage.until(observer, 99)
    assert got == []
    return got


@bridged()
def test_will_when_taken_over(stage):
    """The older connection of a client identifier didn't say goodbye; the newer one works."""
    observer = stage.observer()
    first = stage.device(will=stage.will("lamp1", "gone", 7))
    second = stage.device()
    first.await_end()
    assert stage.heard(observer) == ("lamp1", "gone", 7, 1)
    second.subscribe(stage.filter(second, "fan"), qos=1)
    stage.tells(observer, "lamp1", "fan", 1)
    stage.says(second, "t", 2)
    got = stage.heard(second), stage.heard(observer)
    assert got == (("lamp1", "fan", 1, 1), ("lamp1", "t", 2, 1))
    return got


def raw_with_will(stage, keep_alive=30):
    topic, payload = stage.near.up("lamp1", "gone"), stage.near.said("gone", 7)
    raw = stage.raw().send(wire.connect("lamp1", version=stage.version, keep_alive=keep_alive, will=(topic, payload)))
    raw.expect(0x20)
    return raw


@bridged(links=PAHO)
def test_will_when_silent(stage):
    """The keep alive runs out: closed, with the reason code in 5 where there was one, and the will is published."""
    observer = stage.observer()
    verdict = raw_with_will(stage, keep_alive=1).verdict()
    assert verdict["end"] == "closed"
    got = stage.heard(observer)
    assert got == ("lamp1", "gone", 7, 0)
    return got


@bridged()
def test_will_after_a_violation(stage):
    """A malformed packet ends the session, and the will is published."""
    observer = stage.observer()
    verdict = raw_with_will(stage).send("30ffffffff01").verdict()
    assert verdict["end"] == "closed"
    got = stage.heard(observer)
    assert got == ("lamp1", "gone", 7, 0)
    return got


@bridged(links=FIVE)
def test_will_that_is_asked_for(stage):
    """DISCONNECT with reason 0x04; the connection closes without a word."""
    observer = stage.observer()
    verdict = raw_with_will(stage).send("e00104").verdict()
    assert verdict == {"packets": [], "end": "closed"}
    got = stage.heard(observer)
    assert got == ("lamp1", "gone", 7, 0)
    return got


@bridged()
def test_half_a_packet(stage):
    """A connection that ends in the middle of a packet: nothing of it is delivered, the will is."""
    observer = stage.observer()
    raw = raw_with_will(stage)
    packet = wire.publish(stage.near.up("lamp1", "t"), stage.near.said("t", 1), version=stage.version)
    raw.send(packet[:-1]).close()
    got = stage.heard(observer)
    assert got == ("lamp1", "gone", 7, 0)
    return got


@bridged(links=FIVE[:2])
def test_will_delay(stage):
    """With a session that outlives the connection the will waits; a return in time calls it off."""
    observer = stage.observer()
    late = stage.device("lamp1", will=stage.will("lamp1", "gone", 1, will_delay_interval=2), **stage.kept())
    back = stage.device("lamp2", will=stage.will("lamp2", "gone", 2, will_delay_interval=2), **stage.kept())
    late.cut()
    back.cut()
    if stage.upstream_version == 5 or stage.route == "direct":
        stage.broker.gone("lamp1")
        stage.broker.gone("lamp2")
    assert stage.client("lamp2").connect(**stage.kept())["session_present"] == 1
    elapse(0.5, "a will that doesn't wait has been published")
    stage.says(stage.device("lamp3"), "now", 3)
    got = [stage.heard(observer) for _ in range(2)]
    assert got == [("lamp3", "now", 3, 1), ("lamp1", "gone", 1, 1)]
    elapse(2, "the will that was called off would have been published")
    stage.says(stage.device("lamp4"), "end", 99)
    rest = stage.until(observer, 99)
    assert rest == []
    return got, rest


@bridged()
def test_offline(stage):
    """Session present, and what came meanwhile is delivered in order; a clean start ends it."""
    observer = stage.observer()
    device = stage.device(**stage.kept())
    device.subscribe(stage.filter(device, "+"), qos=1)
    device.disconnect()
    stage.broker.gone("lamp1")
    for n in range(30):
        stage.tells(observer, "lamp1", "fan", n)
    again = stage.client()
    present = [again.connect(**stage.kept())["session_present"]]
    got = [stage.heard(again) for _ in range(30)]
    assert got == [("lamp1", "fan", n, 1) for n in range(30)]
    again.disconnect()
    stage.broker.gone("lamp1", 2)
    stage.tells(observer, "lamp1", "fan", 98)
    clean = stage.client()
    present.append(clean.connect(clean=True)["session_present"])
    clean.subscribe(stage.filter(clean, "door"), qos=1)
    stage.tells(observer, "lamp1", "fan", 98)
    stage.tells(observer, "lamp1", "door", 99)
    assert stage.until(clean, 99) == [] and present == [1, 0]
    return present, got


@bridged()
def test_offline_after_a_cut(stage):
    """A session is kept also when the connection was cut."""
    observer = stage.observer()
    device = stage.device(**stage.kept())
    device.subscribe(stage.filter(device, "+"), qos=2)
    device.cut()
    stage.broker.gone("lamp1")
    stage.tells(observer, "lamp1", "fan", 1, qos=2)
    again = stage.client()
    present = again.connect(**stage.kept())["session_present"]
    got = stage.heard(again)
    assert present == 1 and got == ("lamp1", "fan", 1, 2)
    return present, got


def comes_back(stage, **options):
    device = stage.device(clean=False, **options)
    device.subscribe(stage.filter(device, "fan"), qos=1)
    device.disconnect()
    stage.broker.gone("lamp1")
    return stage.client().connect(clean=False, **options)["session_present"]


@bridged(links=FIVE)
def test_session_that_was_asked_for(stage):
    """A session outlives its connection where that was asked for."""
    present = comes_back(stage, session_expiry_interval=300)
    assert present == 1
    return present


@bridged(links=FIVE)
def test_session_that_was_not_asked_for(stage):
    """Without an expiry interval it ends with its connection, clean or not; or the device is told that it doesn't end (3.1.1 knows no
    other sessions than these)."""
    first = stage.client()
    told = first.connect(clean=False)["properties"].get("session_expiry_interval", 0)
    first.subscribe(stage.filter(first, "fan"), qos=1)
    first.disconnect()
    stage.broker.gone("lamp1")
    present = stage.client().connect(clean=False)["session_present"]
    assert (present, told) in ((0, 0), (1, 0xFFFFFFFF))
    return "as the device was told"


@bridged(links=PAHO)
def test_keep_alive(stage):
    """A silent client stays connected by its pings."""
    device = stage.device(keep_alive=1)
    device.subscribe(stage.filter(device, "fan"), qos=1)
    elapse(3.5, "a client that does not ping has been dropped")
    stage.tells(stage.observer(), "lamp1", "fan", 1)
    got = stage.heard(device)
    assert got == ("lamp1", "fan", 1, 1) and not device.ended.is_set()
    return got
