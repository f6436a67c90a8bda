"""SUBSCRIBE and UNSUBSCRIBE: each way in which they can be malformed or odd."""

import wire
from hostile import V3, V5, V31, V311, legal, malformed, wrong
from rows_connect import TEXTS
from wire import text

SHARED = "v5 [MQTT-4.8.2-1], [MQTT-4.8.2-2]: a name of at least one character, and a filter"
AT_QOS_1 = "3.1 sections 3.8 and 3.10: QoS level 1"
NO_LIST = "3.1 sections 3.8 and 3.10: the payload is a list of topics; 3.1.1 [MQTT-3.8.3-3], [MQTT-3.10.3-2]: of one at least"


def subscribe(*filters, **options):
    """A row's data; the QoS has the other options in it."""
    return lambda v: wire.subscribe(*(filters or ["f"]), version=v, **options)


def unsubscribe(*filters, **options):
    return lambda v: wire.unsubscribe(*(filters or ["f"]), version=v, **options)


def body(first, *fields):
    """A row's data: identifier 1, no properties, and whatever fields."""
    return lambda v: wire.packet(first, wire.numbered(1, v) + b"".join(fields))


def of(first, properties, field):
    return lambda v: wire.packet(first, wire.numbered(1, v, bytes.fromhex(properties)) + field)


# Filters with a wildcard or another character where it can't be.
BAD_FILTERS = {
    "hash-in-the-middle": "a/#/b", "hash-behind-a-name": "a#", "hash-before-a-name": "#a", "hash-in-the-last-level": "a/b#",
    "hash-first": "#/a", "two-hashes": "##", "plus-behind-a-name": "a/b+", "plus-before-a-name": "+a", "two-pluses": "a/++", "empty": "",
    "plus-in-a-share": "$share/g+/f", "hash-in-a-share": "$share/#/f", **TEXTS,
}
BAD_SHARES = {"no-filter": "$share/g", "empty-filter": "$share/g/", "empty-name": "$share//f"}
GOOD_FILTERS = {
    "hash": "#", "plus": "+", "pluses": "+/+", "hash-below": "a/#", "plus-hash": "+/#", "slash": "/", "slashes": "//", "dollar": "$SYS/nothing/like/this",
    "shared": "$share/g/f", "shared-hash": "$share/g/#", "space": " ", "any-script": "ü/日本/🌍", "long": "f" * 60000,
}

BOTH = [
    *(malformed(f"subscribe-filter-{name}", subscribe("good", f), reason=0x8F) for name, f in BAD_FILTERS.items()),
    *(malformed(f"unsubscribe-filter-{name}", unsubscribe("good", f), reason=0x8F) for name, f in BAD_FILTERS.items()),
    *(legal(f"subscribe-filter-{name}", subscribe(f, qos=1)) for name, f in GOOD_FILTERS.items()),
    *(legal(f"unsubscribe-filter-{name}", unsubscribe(f)) for name, f in GOOD_FILTERS.items()),
    *(malformed(f"subscribe-share-{name}", subscribe(f), reason=0x8F, versions=V5, stricter=SHARED) for name, f in BAD_SHARES.items()),
    *(malformed(f"unsubscribe-share-{name}", unsubscribe(f), reason=0x8F, versions=V5, stricter=SHARED) for name, f in BAD_SHARES.items()),
    *(legal(f"subscribe-share-{name}-before-5", subscribe(f), versions=V3) for name, f in BAD_SHARES.items()),
]

SUBSCRIBE = [
    *(malformed(f"subscribe-flags-{n}", subscribe(first=0x80 | n), versions=V311 + V5) for n in (0, 1, 3, 4, 6, 10, 15)),
    malformed("subscribe-empty", "8200"),
    malformed("subscribe-of-1-byte", "820100"),
    malformed("subscribe-packet-identifier-0", subscribe(packet_id=0), reason=0x82),
    malformed("subscribe-nothing", body(0x82), reason=0x82, versions=V311 + V5),
    malformed("subscribe-nothing", body(0x82), versions=V31, stricter=NO_LIST),
    legal("subscribe-dup", subscribe(first=0x8A), versions=V31),
    legal("subscribe-unused-flag", subscribe(first=0x83), versions=V31),
    malformed("subscribe-at-qos-0", subscribe(first=0x80), versions=V31, stricter=AT_QOS_1),
    malformed("subscribe-without-properties", "82020001", versions=V5),
    malformed("subscribe-filter-cut", body(0x82, b"\0\5ab")),
    malformed("subscribe-filter-length-cut", body(0x82, b"\0")),
    malformed("subscribe-filter-without-options", body(0x82, text("f"))),
    malformed("subscribe-second-filter-without-options", body(0x82, text("f"), b"\0", text("g"))),
    malformed("subscribe-trailing-byte", body(0x82, text("f"), b"\0", b"\0")),
    malformed("subscribe-qos-3", subscribe(qos=3)),
    malformed("subscribe-reserved-option-4", subscribe(qos=0x04), versions=V3),
    malformed("subscribe-reserved-option-64", subscribe(qos=0x40)),
    malformed("subscribe-reserved-option-128", subscribe(qos=0x80)),
    malformed("subscribe-retain-handling-3", subscribe(qos=0x30), reason=0x82, versions=V5),
    malformed("subscribe-no-local-shared", subscribe("$share/g/f", qos=0x04), reason=0x82, versions=V5, stricter="v5 [MQTT-3.8.3-4]"),
    malformed("subscribe-identifier-0", subscribe(properties=b"\x0b\0"), reason=0x82, versions=V5),
    malformed("subscribe-identifier-twice", subscribe(properties=b"\x0b\1\x0b\2"), reason=0x82, versions=V5),
    malformed("subscribe-identifier-of-5-bytes", subscribe(properties=b"\x0b\x80\x80\x80\x80\x01"), versions=V5),
    malformed("subscribe-identifier-not-minimal", subscribe(properties=b"\x0b\x81\x00"), versions=V5),
    malformed("subscribe-identifier-cut", subscribe(properties=b"\x0b\x81"), versions=V5),
    malformed("subscribe-property-unknown", subscribe(properties=b"\x7f\0"), versions=V5),
    *(
        malformed(f"subscribe-property-of-others-{name}", subscribe(properties=bytes.fromhex(given)), versions=V5)
        for name, given in {"payload-format": "0100", "session-expiry": "1100000001", "reason-string": "1f000161", "topic-alias": "230001"}.items()
    ),
    malformed("subscribe-properties-longer-than-packet", "8203000109", versions=V5),
    malformed("subscribe-user-property-cut", subscribe(properties=bytes.fromhex("2600016100")), versions=V5),
    legal("subscribe-many-at-each-qos", lambda v: body(0x82, *(text(f"f{n}") + bytes([n % 3]) for n in range(100)))(v)),
    legal("subscribe-same-filter-twice", subscribe("f", "f")),
    legal("subscribe-all-options", subscribe(qos=0x2E), versions=V5),
    legal("subscribe-identifier-largest", subscribe(properties=b"\x0b\xff\xff\xff\x7f"), versions=V5),
    legal("subscribe-user-properties", subscribe(properties=bytes.fromhex("26000161000162" * 2)), versions=V5),
    legal("subscribe-same-identifier-twice", lambda v: subscribe()(v) * 2),
    wrong("subscribe-filter-of-many-levels", subscribe("/" * 300)),
    wrong("subscribe-filter-control-character", subscribe("a\x07")),
]

UNSUBSCRIBE = [
    *(malformed(f"unsubscribe-flags-{n}", unsubscribe(first=0xA0 | n), versions=V311 + V5) for n in (0, 1, 3, 4, 6, 10, 15)),
    malformed("unsubscribe-empty", "a200"),
    malformed("unsubscribe-of-1-byte", "a20100"),
    malformed("unsubscribe-packet-identifier-0", unsubscribe(packet_id=0), reason=0x82),
    malformed("unsubscribe-nothing", body(0xA2), reason=0x82, versions=V311 + V5),
    malformed("unsubscribe-nothing", body(0xA2), versions=V31, stricter=NO_LIST),
    legal("unsubscribe-dup", unsubscribe(first=0xAA), versions=V31),
    legal("unsubscribe-unused-flag", unsubscribe(first=0xA3), versions=V31),
    malformed("unsubscribe-at-qos-0", unsubscribe(first=0xA0), versions=V31, stricter=AT_QOS_1),
    malformed("unsubscribe-without-properties", "a2020001", versions=V5),
    malformed("unsubscribe-filter-cut", body(0xA2, b"\0\5ab")),
    malformed("unsubscribe-trailing-byte", body(0xA2, text("f"), b"\0")),
    malformed("unsubscribe-property-unknown", unsubscribe(properties=b"\x7f\0"), versions=V5),
    malformed("unsubscribe-property-subscription-identifier", unsubscribe(properties=b"\x0b\1"), versions=V5),
    malformed("unsubscribe-property-reason-string", unsubscribe(properties=bytes.fromhex("1f000161")), versions=V5),
    malformed("unsubscribe-properties-longer-than-packet", "a203000109", versions=V5),
    legal("unsubscribe-what-is-not-there", unsubscribe("f", "g")),
    legal("unsubscribe-what-is-there", unsubscribe("f", "g"), before=subscribe("f")),
    legal("unsubscribe-user-properties", unsubscribe(properties=bytes.fromhex("26000161000162")), versions=V5),
]

ROWS = [*BOTH, *SUBSCRIBE, *UNSUBSCRIBE]
