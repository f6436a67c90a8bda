"""PUBLISH and what is said about it: each way in which PUBLISH, PUBACK, PUBREC, PUBREL and PUBCOMP can be malformed, out of place or odd."""

import wire
from hostile import V3, V5, V31, V311, legal, malformed, wrong
from rows_connect import TEXTS
from wire import text

MINIMAL = "v5 [MQTT-1.5.5-1]; 3.1.1 section 2.2.3 and 3.1 section 2.1: a single byte for up to 127"
FLAGS = "3.1.1 [MQTT-2.2.2-2], v5 [MQTT-2.1.3-1]: reserved flags"
NOT_FROM_CLIENTS = "v5 [MQTT-3.3.4-6]"
NO_WILDCARDS = "v5 [MQTT-3.3.2-14]"
VALUE = "v5 section 3.3.2.3.2: 0 or 1"


def publish(topic="t", payload=b"x", qos=0, packet_id=1, first=None, properties=b""):
    """A row's data. `first` replaces the first byte."""

    def data(v):
        made = wire.publish(topic, payload, qos, packet_id, version=v, properties=properties)
        return made if first is None else bytes([first]) + made[1:]

    return data


def with_properties(given, topic="t"):
    return publish(topic, properties=bytes.fromhex(given))


def cut(qos, length):
    """A row's data: a PUBLISH on `topic` of which `length` bytes of the body are there."""
    return lambda v: wire.packet(0x30 | qos << 1, wire.publish("topic", b"", qos, version=v)[2:][:length])


def padded(v):
    made = publish()(v)
    return made[:1] + bytes([0x80 | made[1], 0]) + made[2:]


MESSAGES = [
    malformed("publish-qos-3", publish(qos=1, first=0x36)),
    malformed("publish-dup-at-qos-0", publish(first=0x38), stricter="3.1.1 and v5 [MQTT-3.3.1-2]; 3.1 section 2.1: only where an acknowledgement is required"),
    malformed("publish-packet-identifier-0-at-qos-1", publish(qos=1, packet_id=0), reason=0x82),
    malformed("publish-packet-identifier-0-at-qos-2", publish(qos=2, packet_id=0), reason=0x82),
    malformed("publish-empty", "3000"),
    *(malformed(f"publish-of-{n}-bytes", cut(0, n)) for n in (1, 2, 6)),
    malformed("publish-without-packet-identifier", cut(1, 7)),
    malformed("publish-with-half-a-packet-identifier", cut(1, 8)),
    malformed("publish-without-properties", cut(0, 7), versions=V5),
    malformed("publish-without-properties-at-qos-1", cut(1, 9), versions=V5),
    malformed("publish-topic-longer-than-packet", lambda v: wire.packet(0x30, b"\xff\xffab")),
    malformed("publish-length-of-5-bytes", "30ffffffff01"),
    malformed("publish-length-of-5-bytes-of-zero", "308080808000"),
    malformed("publish-length-not-minimal", padded, stricter=MINIMAL),
    malformed("publish-topic-empty", publish(""), versions=V3),
    malformed("publish-topic-plus", publish("a/+/b"), reason=0x90),
    malformed("publish-topic-plus-in-a-level", publish("a/b+"), reason=0x90),
    malformed("publish-topic-hash", publish("a/#"), reason=0x90),
    malformed("publish-topic-hash-alone", publish("#"), reason=0x90),
    *(malformed(f"publish-topic-{name}", publish(t)) for name, t in TEXTS.items()),
    malformed("publish-topic-5-byte-utf-8", publish(b"a\xf8\x88\x80\x80\x80")),
    malformed("publish-topic-above-unicode", publish(b"a\xf4\x90\x80\x80")),
    malformed("publish-topic-cut-utf-8", publish(b"a\xe2\x98")),
    malformed("publish-topic-bare-continuation", publish(b"a\x80")),
]

PROPERTIES = [
    malformed("publish-property-unknown", with_properties("7f00"), versions=V5),
    malformed("publish-property-0", with_properties("0000"), versions=V5),
    *(
        malformed(f"publish-{name}-twice", with_properties(given * 2), reason=0x82, versions=V5)
        for name, given in {
            "payload-format": "0101", "message-expiry": "0200000009", "content-type": "03000161", "response-topic": "08000161",
            "correlation-data": "09000161", "topic-alias": "230001",
        }.items()
    ),
    *(
        malformed(f"publish-property-of-others-{name}", with_properties(given), versions=V5)
        for name, given in {
            "session-expiry": "1100000001", "assigned-client-identifier": "12000161", "server-keep-alive": "130001",
            "authentication-method": "15000161", "authentication-data": "16000161", "request-problem-information": "1701",
            "will-delay": "1800000001", "reason-string": "1f000161", "receive-maximum": "210001", "topic-alias-maximum": "220001",
            "maximum-qos": "2401", "maximum-packet-size": "2700010000",
        }.items()
    ),
    malformed("publish-subscription-identifier", with_properties("0b01"), reason=0x82, versions=V5, stricter=NOT_FROM_CLIENTS),
    malformed("publish-subscription-identifier-0", with_properties("0b00"), reason=0x82, versions=V5, stricter=NOT_FROM_CLIENTS),
    malformed("publish-payload-format-2", with_properties("0102"), reason=0x82, versions=V5, stricter=VALUE),
    malformed("publish-response-topic-plus", with_properties("0800012b"), reason=0x90, versions=V5, stricter=NO_WILDCARDS),
    malformed("publish-response-topic-hash", with_properties("08000123"), reason=0x90, versions=V5, stricter=NO_WILDCARDS),
    malformed("publish-response-topic-nul", with_properties("08000100"), versions=V5),
    malformed("publish-response-topic-ill-formed-utf-8", with_properties("080001ff"), versions=V5),
    malformed("publish-content-type-ill-formed-utf-8", with_properties("030001ff"), versions=V5),
    malformed("publish-content-type-nul", with_properties("03000100"), versions=V5),
    malformed("publish-user-property-cut", with_properties("2600016100"), versions=V5),
    malformed("publish-user-property-without-value", with_properties("26000161"), versions=V5),
    malformed("publish-user-property-ill-formed-utf-8", with_properties("26000161" "0001ff"), versions=V5),
    malformed("publish-user-property-surrogate", with_properties("26000161" "0003eda080"), versions=V5),
    malformed("publish-message-expiry-cut", with_properties("020000"), versions=V5),
    malformed("publish-correlation-data-cut", with_properties("09ffff00"), versions=V5),
    malformed("publish-properties-longer-than-packet", lambda v: wire.packet(0x30, text("t") + b"\x7f"), versions=V5),
    malformed("publish-properties-of-5-bytes", lambda v: wire.packet(0x30, text("t") + b"\x80\x80\x80\x80\x00"), versions=V5),
    malformed("publish-properties-not-minimal", lambda v: wire.packet(0x30, text("t") + b"\x80\x00x"), versions=V5),
    malformed("publish-topic-alias-0", with_properties("230000"), reason=0x94, versions=V5),
    malformed("publish-no-topic-and-no-alias", publish(""), reason=0x82, versions=V5),
    wrong("publish-topic-alias-unknown", with_properties("230005", topic=""), versions=V5),
    wrong("publish-topic-alias-above-the-maximum", with_properties("23000b"), reason=0x94, versions=V5),
    wrong("publish-topic-alias-above-the-maximum-without-topic", with_properties("23ffff", topic=""), reason=0x94, versions=V5),
    wrong(
        "publish-above-the-receive-maximum", lambda v: b"".join(wire.publish("t", b"x", 2, n, version=v) for n in range(1, 22)),
        reason=0x93, versions=V5,
    ),
]

LEGAL_MESSAGES = [
    legal("publish-no-payload", publish(payload=b"")),
    legal("publish-qos-1", publish(qos=1, packet_id=65535)),
    legal("publish-qos-2", publish(qos=2, packet_id=65535)),
    legal("publish-dup", publish(qos=1, first=0x3A)),
    legal("publish-retained", publish(qos=1, first=0x33)),
    legal("publish-same-identifier-twice-at-qos-1", lambda v: publish(qos=1)(v) * 2),
    legal("publish-same-identifier-twice-at-qos-2", lambda v: publish(qos=2)(v) + publish(qos=2, first=0x3C)(v)),
    legal("publish-topic-of-slashes", publish("/" * 100)),
    legal("publish-topic-space", publish(" ")),
    legal("publish-topic-dollar", publish("$other/a")),
    legal("publish-topic-outside-the-plane", publish("🌍/\U0010fffd")),
    legal("publish-topic-byte-order-mark", publish("\ufefft")),
    wrong("publish-topic-of-many-levels", publish("/" * 300)),
    wrong("publish-topic-control-character", publish("a\x07")),
    wrong("publish-topic-delete-character", publish("a\x7f")),
    wrong("publish-topic-noncharacter", publish("a\ufdd0")),
    wrong("publish-below-sys", publish("$SYS/mine")),
    legal("publish-21-at-qos-1", lambda v: b"".join(wire.publish("t", b"x", 1, n, version=v) for n in range(1, 22))),
    legal("publish-properties-all", with_properties("0101" "0200000009" "03000161" "08000161" "09000161" "230001" "26000161000162" "26000161000162"), versions=V5),
    legal("publish-not-as-announced", publish(payload=b"\xff", properties=bytes.fromhex("0101")), versions=V5),
    legal("publish-message-expiry-0", with_properties("0200000000"), versions=V5),
    legal("publish-topic-alias", lambda v: with_properties("23000a")(v) + with_properties("23000a", topic="")(v), versions=V5),
    legal("publish-topic-alias-moved", lambda v: with_properties("23000a")(v) + with_properties("23000a", topic="u")(v), versions=V5),
    legal("publish-empty-user-property", with_properties("2600000000"), versions=V5),
]

# Type and flags of each acknowledgement.
ACKNOWLEDGEMENTS = {"puback": 0x40, "pubrec": 0x50, "pubrel": 0x62, "pubcomp": 0x70}


def acknowledged(name, first):
    """Rows that all four have in common."""
    wrong_flags, flags_say = ([0x1, 0x6, 0xA, 0x0], "") if first == 0x62 else ([1, 2, 8], FLAGS)
    section = {0x40: "3.4", 0x50: "3.5", 0x62: "3.6", 0x70: "3.7"}[first]
    code = f"v5 [MQTT-{section}.2-1]: one of the reason codes of its table"
    payload = f"3.1.1 and v5 section {section}.3, 3.1 section {section}: no payload"
    return [
        *(malformed(f"{name}-flags-{n}", bytes([first & 0xF0 | n, 2, 0, 1]), versions=V311 + V5, stricter=flags_say) for n in wrong_flags),
        *(legal(f"{name}-unused-flags-{n}", bytes([first & 0xF0 | n, 2, 0, 1]), versions=V31) for n in wrong_flags if first != 0x62),
        # 3.1 section 2.1: a PUBREL that is sent again has DUP.
        *(legal(f"{name}-dup", "6a020001", versions=V31) for _ in range(first == 0x62)),
        malformed(f"{name}-empty", bytes([first, 0])),
        malformed(f"{name}-of-1-byte", bytes([first, 1, 0])),
        malformed(f"{name}-packet-identifier-0", bytes([first, 2, 0, 0]), reason=0x82),
        malformed(f"{name}-with-a-reason-code", bytes([first, 3, 0, 1, 0]), versions=V3, stricter=payload),
        malformed(f"{name}-reason-code-unknown", bytes([first, 3, 0, 1, 0x01]), versions=V5, stricter=code),
        malformed(f"{name}-reason-code-of-others", bytes([first, 3, 0, 1, 0x8D]), versions=V5, stricter=code),
        malformed(f"{name}-property-of-others", bytes([first, 9, 0, 1, 0, 5, 0x11, 0, 0, 0, 1]), versions=V5),
        malformed(f"{name}-property-unknown", bytes([first, 6, 0, 1, 0, 2, 0x7F, 0]), versions=V5),
        malformed(f"{name}-reason-string-twice", bytes([first, 10, 0, 1, 0, 6]) + b"\x1f\0\0" * 2, reason=0x82, versions=V5),
        malformed(f"{name}-reason-string-nul", bytes([first, 8, 0, 1, 0, 4]) + b"\x1f\0\1\0", versions=V5),
        malformed(f"{name}-properties-longer-than-packet", bytes([first, 4, 0, 1, 0, 9]), versions=V5),
        malformed(f"{name}-trailing-byte", bytes([first, 5, 0, 1, 0, 0, 0]), versions=V5, stricter=payload),
        legal(f"{name}-of-nobody", bytes([first, 2, 0x77, 0x77])),
        legal(f"{name}-of-nobody-with-a-reason-code", bytes([first, 3, 0x77, 0x77, 0]), versions=V5),
        legal(f"{name}-of-nobody-with-properties", bytes([first, 11, 0x77, 0x77, 0, 7]) + bytes.fromhex("26000161000162"), versions=V5),
    ]


HALF = {"before": publish(qos=2, packet_id=9)}

FLOWS = [
    legal("pubrel-of-a-message", "62020009", **HALF),
    legal("pubrel-twice", "62020009" * 2, **HALF),
    legal("pubrel-not-found", "6203000992", versions=V5, **HALF),
    legal("puback-of-nobody-refused", "4003777797", versions=V5),
    legal("pubrec-of-nobody-refused", "5003777797", versions=V5),
    legal("pubcomp-not-found", "7003777792", versions=V5),
    legal("puback-for-a-qos-2-message", "40020009", **HALF),
]

ROWS = [*MESSAGES, *PROPERTIES, *LEGAL_MESSAGES, *FLOWS]
for kind, byte in ACKNOWLEDGEMENTS.items():
    ROWS += acknowledged(kind, byte)
