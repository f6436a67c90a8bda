"""First packets of a device: every way in which a CONNECT can be malformed or odd, and everything that is no CONNECT."""

import wire
from hostile import V3, V5, V31, V311, legal, malformed, wrong
from wire import text

NUL, ILL, SURROGATE, OVERLONG = b"a\0b", b"a\xff\xfe", b"a\xed\xa0\x80", b"a\xc0\x80"
TEXTS = {"nul": NUL, "ill-formed-utf-8": ILL, "surrogate": SURROGATE, "overlong-utf-8": OVERLONG}

MINIMAL = "v5 [MQTT-1.5.5-1]; 3.1.1 section 2.2.3 and 3.1 section 2.1: a single byte for up to 127"
STRINGS = "3.1 section 2.5: strings are UTF-8; U+0000 ends a string for half of the world, 3.1.1 [MQTT-1.5.3-2]"
NAMED = "v5 section 3.1.2.1 and 3.1.1 [MQTT-3.1.2-2]: a CONNACK may say that it is another protocol; Mosquitto closes without"

# CONNECT's flags.
CLEAN, WILL, WILL_QOS_1, WILL_QOS_2, WILL_RETAIN, PASSWORD, USER = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80


def connect(*fields, **options):
    """A row's data: `fields` behind the client identifier `c`."""
    return lambda v: wire.connect_of(text("c"), *fields, version=v, **options)


def will_of(topic, properties=b"", flags=0):
    """A row's data: a CONNECT with a will on `topic`."""

    def data(v):
        extra = wire.remaining_length(len(properties)) + properties if v == 5 else b""
        return wire.connect_of(text("c"), extra + text(topic), text("x"), version=v, flags=CLEAN | WILL | flags)

    return data


def cut_to(length):
    """A row's data: a CONNECT of which only the first bytes of the body are there, and whose header says so."""
    return lambda v: wire.packet(0x10, wire.connect("client", version=v, will=("w", "x"))[2:][:length])


def properties(given):
    return connect(properties=bytes.fromhex(given))


FIRST = [
    malformed("zeros", "00" * 64),
    malformed("ones", "ff" * 64),
    malformed("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    malformed("tls", "16030100a5010000a10303" + "5a" * 160),
    wrong("publish-first", lambda v: wire.publish("a", b"x", version=v)),
    wrong("subscribe-first", lambda v: wire.subscribe("a", version=v)),
    wrong("unsubscribe-first", lambda v: wire.unsubscribe("a", version=v)),
    wrong("puback-first", "40020001"),
    wrong("pubrel-first", "62020001"),
    wrong("pingreq-first", wire.PINGREQ),
    wrong("disconnect-first", wire.DISCONNECT),
    wrong("auth-first", "f000", versions=V5),
    wrong("connack-first", "20020000"),
    wrong("suback-first", "9003000100"),
    wrong("pingresp-first", wire.PINGRESP),
]

SHAPE = [
    *(malformed(f"connect-flags-of-the-header-{n}", lambda v, n=n: bytes([0x10 | n]) + connect()(v)[1:], versions=V311 + V5) for n in (1, 2, 8)),
    *(
        legal(f"connect-unused-flags-of-the-header-{n}", lambda v, n=n: bytes([0x10 | n]) + connect()(v)[1:], versions=V31)
        for n in (1, 2, 8)
    ),
    malformed("connect-empty", "1000"),
    *(malformed(f"connect-of-{n}-bytes", cut_to(n)) for n in (1, 5, 6, 7, 8, 9, 10, 11, 12, 15)),
    malformed("connect-cut-in-the-will", lambda v: wire.packet(0x10, wire.connect("c", version=v, will=("w", "x"))[2:-1])),
    malformed("connect-trailing-byte", lambda v: wire.packet(0x10, connect()(v)[2:] + b"\0")),
    malformed("connect-length-of-5-bytes", "10ffffffff01"),
    malformed("connect-length-not-minimal", lambda v: b"\x10" + bytes([0x80 | len(connect()(v)) - 2, 0]) + connect()(v)[2:], stricter=MINIMAL),
    malformed("connect-reserved-flag", connect(flags=CLEAN | 0x01), versions=V311 + V5),
    legal("connect-unused-flag", connect(flags=CLEAN | 0x01), versions=V31),
    malformed("connect-will-qos-3", will_of("w", flags=WILL_QOS_1 | WILL_QOS_2)),
    malformed("connect-will-qos-1-without-will", connect(flags=CLEAN | WILL_QOS_1), versions=V311 + V5),
    legal("connect-will-qos-1-disregarded", connect(flags=CLEAN | WILL_QOS_1), versions=V31),
    malformed("connect-will-qos-2-without-will", connect(flags=CLEAN | WILL_QOS_2), versions=V311 + V5),
    legal("connect-will-qos-2-disregarded", connect(flags=CLEAN | WILL_QOS_2), versions=V31),
    malformed("connect-will-retain-without-will", connect(flags=CLEAN | WILL_RETAIN), versions=V311 + V5),
    legal("connect-will-retain-disregarded", connect(flags=CLEAN | WILL_RETAIN), versions=V31),
    malformed("connect-will-missing", connect(flags=CLEAN | WILL)),
    malformed("connect-will-payload-missing", lambda v: connect((b"\0" if v == 5 else b"") + text("w"), flags=CLEAN | WILL)(v)),
    malformed("connect-user-name-missing", connect(flags=CLEAN | USER), versions=V311 + V5),
    malformed("connect-password-missing", connect(text("u"), flags=CLEAN | USER | PASSWORD), versions=V311 + V5),
    # 3.1 section 3.1: the remaining length takes precedence over these flags.
    legal("connect-user-name-left-out", connect(flags=CLEAN | USER), versions=V31),
    legal("connect-password-left-out", connect(text("u"), flags=CLEAN | USER | PASSWORD), versions=V31),
    malformed("connect-password-cut", connect(text("u"), b"\0\5pw", flags=CLEAN | USER | PASSWORD)),
    malformed("connect-password-without-user-name", connect(text("p"), flags=CLEAN | PASSWORD), versions=V3),
    malformed("connect-user-name-not-announced", connect(text("u"))),
]

NAMES_AND_LEVELS = [
    wrong("connect-other-name", lambda v: wire.connect_of(text("c"), version=v, name="MQTX"), reason=0x84, stricter=NAMED),
    wrong("connect-name-in-small-letters", lambda v: wire.connect_of(text("c"), version=v, name="mqtt"), reason=0x84, stricter=NAMED),
    wrong("connect-no-name", "100900000402001e000163", reason=0x84, stricter=NAMED),
    *(wrong(f"connect-level-{n}", lambda v, n=n: wire.connect_of(text("c"), version=4, level=n), reason=0x84, versions=V311) for n in (0, 3, 6, 255)),
    *(wrong(f"connect-mqisdp-level-{n}", lambda v, n=n: wire.connect_of(text("c"), version=3, level=n), reason=0x84, versions=V31) for n in (0, 4, 5)),
    wrong(
        "connect-as-a-bridge", connect(level=0x84), reason=0x84, versions=V311,
        stricter="3.1.1 section 3.1.2.2: the level of 3.1.1 is 4; Mosquitto's bridges have a level of their own",
    ),
]

IDENTIFIERS = [
    *(malformed(f"client-identifier-{name}", lambda v, t=t: wire.connect_of(text(t), version=v)) for name, t in TEXTS.items()),
    *(malformed(f"user-name-{name}", connect(text(t), flags=CLEAN | USER), versions=V311 + V5) for name, t in TEXTS.items()),
    *(malformed(f"user-name-{name}", connect(text(t), flags=CLEAN | USER), versions=V31, stricter=STRINGS) for name, t in TEXTS.items()),
    *(malformed(f"will-topic-{name}", will_of(t)) for name, t in TEXTS.items()),
    malformed("will-topic-empty", will_of("")),
    malformed("will-topic-plus", will_of("w/+"), reason=0x90),
    malformed("will-topic-hash", will_of("w/#"), reason=0x90),
    wrong("no-client-identifier-kept", lambda v: wire.connect_of(text(""), version=v, flags=0), reason=0x85, versions=V3),
    wrong("no-client-identifier-in-3.1", lambda v: wire.connect_of(text(""), version=v), reason=0x85, versions=V31),
]

PROPERTIES = [
    malformed("connect-property-unknown", properties("7f00"), versions=V5),
    malformed("connect-property-0", properties("0000"), versions=V5),
    malformed("connect-property-of-two-bytes", properties("91000000000a"), versions=V5),
    *(
        malformed(f"connect-property-{name}-twice", properties(given * 2), reason=0x82, versions=V5)
        for name, given in {
            "session-expiry": "1100000001", "receive-maximum": "210001", "maximum-packet-size": "2700010000", "topic-alias-maximum": "220001",
            "request-response-information": "1900", "request-problem-information": "1700", "authentication-method": "150001" + "41",
        }.items()
    ),
    malformed("connect-authentication-data-twice", properties("1500014116000100160001" + "00"), reason=0x82, versions=V5),
    *(
        malformed(f"connect-property-of-others-{name}", properties(given), versions=V5)
        for name, given in {
            "payload-format": "0100", "message-expiry": "0200000001", "content-type": "03000161", "response-topic": "08000161",
            "subscription-identifier": "0b01", "assigned-client-identifier": "12000161", "server-keep-alive": "130001", "will-delay": "1800000001",
            "reason-string": "1f000161", "topic-alias": "230001", "maximum-qos": "2401", "retain-available": "2501", "server-reference": "1c000161",
            "wildcard-available": "2801",
        }.items()
    ),
    malformed("connect-receive-maximum-0", properties("210000"), reason=0x82, versions=V5),
    malformed("connect-maximum-packet-size-0", properties("2700000000"), reason=0x82, versions=V5),
    malformed("connect-request-problem-information-2", properties("1702"), reason=0x82, versions=V5),
    malformed("connect-request-response-information-2", properties("1902"), reason=0x82, versions=V5),
    malformed("connect-authentication-data-alone", properties("16000100"), reason=0x82, versions=V5, stricter="v5 section 3.1.2.11.10: data needs a method"),
    malformed("connect-properties-too-long", lambda v: wire.packet(0x10, text("MQTT") + b"\x05\x02\0\x1e\x7f" + text("c")), versions=V5),
    malformed("connect-properties-of-5-bytes", lambda v: wire.packet(0x10, text("MQTT") + b"\x05\x02\0\x1e\x80\x80\x80\x80\x00" + text("c")), versions=V5),
    malformed("connect-properties-not-minimal", lambda v: wire.packet(0x10, text("MQTT") + b"\x05\x02\0\x1e\x80\x00" + text("c")), versions=V5),
    malformed("connect-property-cut", properties("1100"), versions=V5),
    malformed("connect-user-property-cut", properties("2600016100"), versions=V5),
    malformed("connect-user-property-without-value", properties("26000161"), versions=V5),
    malformed("connect-user-property-ill-formed-utf-8", properties("260001ff000161"), versions=V5),
    malformed("connect-user-property-nul", properties("26000161000100"), versions=V5),
    malformed("will-property-unknown", will_of("w", bytes.fromhex("7f00")), versions=V5),
    malformed("will-property-topic-alias", will_of("w", bytes.fromhex("230001")), reason=0x82, versions=V5),
    malformed("will-property-session-expiry", will_of("w", bytes.fromhex("1100000001")), reason=0x82, versions=V5),
    malformed("will-delay-twice", will_of("w", bytes.fromhex("18000000011800000001")), reason=0x82, versions=V5),
    malformed("will-content-type-twice", will_of("w", bytes.fromhex("0300016103000161")), reason=0x82, versions=V5),
    malformed("will-payload-format-2", will_of("w", bytes.fromhex("0102")), reason=0x82, versions=V5, stricter="v5 section 3.1.3.2.3: 0 or 1"),
    malformed("will-response-topic-plus", will_of("w", bytes.fromhex("0800012b")), reason=0x82, versions=V5, stricter="v5 [MQTT-3.3.2-14]"),
    malformed("will-response-topic-nul", will_of("w", bytes.fromhex("08000100")), versions=V5),
    malformed("will-properties-too-long", connect(b"\x7f" + text("w") + text("x"), flags=CLEAN | WILL), versions=V5),
]

LEGAL = [
    legal("user-name-only", connect(text("u"), flags=CLEAN | USER)),
    legal("user-name-and-password", connect(text("u"), text(b"\0\xff"), flags=CLEAN | USER | PASSWORD)),
    legal("user-name-empty", connect(text(""), flags=CLEAN | USER), versions=V311 + V5),
    legal("password-empty", connect(text("u"), text(""), flags=CLEAN | USER | PASSWORD)),
    legal("password-without-user-name", connect(text("p"), flags=CLEAN | PASSWORD), versions=V5),
    legal("no-client-identifier", lambda v: wire.connect_of(text(""), version=v), versions=V311),
    legal("client-identifier-long", lambda v: wire.connect_of(text("c" * 300), version=v)),
    legal("client-identifier-odd", lambda v: wire.connect_of(text("a/+ #ü🌍\u2028"), version=v)),
    legal("will-empty", lambda v: connect((b"\0" if v == 5 else b"") + text("w"), text(""), flags=CLEAN | WILL)(v)),
    legal("will-qos-2-retained", will_of("w", flags=WILL_QOS_2 | WILL_RETAIN)),
    legal("connect-properties-all", properties("1100000001" "210001" "2700010000" "22000a" "1901" "1700" "260001610001622600016100" "0162"), versions=V5),
    legal("will-properties-all", will_of("w", bytes.fromhex("1800000000" "0101" "0200000009" "03000161" "08000161" "0900020001" "26000161000162")), versions=V5),
    # v5 section 3.1.3.2.3: a server MAY look.
    legal("will-payload-not-as-announced", lambda v: wire.connect_of(text("c"), b"\2\1\1" + text("w"), text(b"\xff"), version=5, flags=6), versions=V5),
    wrong("authentication-method", properties("150001" + "41"), reason=0x8C, versions=V5),
]

ROWS = [*FIRST, *SHAPE, *NAMES_AND_LEVELS, *IDENTIFIERS, *PROPERTIES, *LEGAL]
