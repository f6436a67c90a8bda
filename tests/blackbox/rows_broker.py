"""What a hostile broker sends in place of CONNACK, and afterwards. What any peer may get wrong in a PUBLISH or in what acknowledges it is
taken from rows_publish.py.

    malformed   the bytes break the format: nothing of it reaches the device
    wrong       well-formed, but not from a broker, or not now: nothing of it reaches the device either
    legal       allowed, however odd: the device gets the same bytes

Some are wrong only for those who remember what was asked: with `plain` the proxy remembers nothing, and the device gets them as it would
without the proxy (BETWEEN_THE_ENDS).
"""

import rows_publish
import wire
from hostile import V3, V5, V31, V311, legal, malformed, wrong


def connack(flags=0, code=0, properties=""):
    """A row's data."""
    given = bytes.fromhex(properties)
    return lambda v: wire.packet(0x20, bytes([flags, code]) + (wire.remaining_length(len(given)) + given if v == 5 else b""))


ONE_BYTE = {"maximum-qos": "24", "retain-available": "25", "wildcard-available": "28", "identifiers-available": "29", "shared-available": "2a"}
OTHERS = {
    "session-expiry": "1100000001", "receive-maximum": "210001", "maximum-packet-size": "2700010000", "assigned-client-identifier": "12000161",
    "topic-alias-maximum": "220001", "reason-string": "1f000161", "server-keep-alive": "130001", "response-information": "1a000161",
    "server-reference": "1c000161",
}

IN_PLACE_OF_CONNACK = [
    *(malformed(f"connack-flags-{n}", connack(flags=n), versions=V311 + V5) for n in (0x02, 0x80, 0xFF)),
    *(malformed(f"connack-flags-of-the-header-{n}", lambda v, n=n: bytes([0x20 | n]) + connack()(v)[1:], versions=V311 + V5) for n in (1, 2, 8)),
    malformed("connack-empty", "2000"),
    malformed("connack-of-1-byte", "200100"),
    malformed("connack-trailing-byte", lambda v: wire.packet(0x20, connack()(v)[2:] + b"\0")),
    malformed("connack-without-properties", "20020000", versions=V5),
    malformed("connack-with-properties", "2003000000", versions=V3),
    malformed("connack-length-of-5-bytes", "20ffffffff01"),
    *(malformed(f"connack-return-code-{n}", connack(code=n), versions=V3) for n in (6, 0x80, 0xFF)),
    *(malformed(f"connack-reason-code-{n}", connack(code=n), versions=V5) for n in (1, 5, 0x10, 0x8B, 0x8E, 0xFF)),
    malformed("connack-refusal-with-a-session", connack(flags=1, code=5), versions=V311),
    malformed("connack-refusal-with-a-session", connack(flags=1, code=0x87), versions=V5),
    malformed("connack-property-unknown", connack(properties="7f00"), versions=V5),
    *(
        malformed(f"connack-property-of-others-{name}", connack(properties=given), versions=V5)
        for name, given in {"payload-format": "0100", "subscription-identifier": "0b01", "request-problem-information": "1700", "topic-alias": "230001",
                            "will-delay": "1800000001"}.items()
    ),
    *(malformed(f"connack-{name}-twice", connack(properties=(p + "01") * 2), versions=V5) for name, p in ONE_BYTE.items()),
    *(malformed(f"connack-{name}-2", connack(properties=p + "02"), versions=V5) for name, p in ONE_BYTE.items()),
    *(malformed(f"connack-{name}-twice", connack(properties=p * 2), versions=V5) for name, p in OTHERS.items()),
    malformed("connack-receive-maximum-0", connack(properties="210000"), versions=V5),
    malformed("connack-maximum-packet-size-0", connack(properties="2700000000"), versions=V5),
    malformed("connack-reason-string-nul", connack(properties="1f000100"), versions=V5),
    malformed("connack-authentication-data-alone", connack(properties="16000161"), versions=V5),
    malformed("connack-properties-longer-than-packet", "200300007f", versions=V5),
    wrong("publish-before-connack", lambda v: wire.publish("t", b"x", version=v)),
    wrong("suback-before-connack", lambda v: "900400010000" if v == 5 else "9003000100"),
    wrong("pingresp-before-connack", "d000"),
    wrong("disconnect-before-connack", "e00187", versions=V5),
    wrong("disconnect-before-connack", "e000", versions=V3),
    wrong("connect-before-connack", lambda v: wire.connect("c", version=v)),
    wrong("pubrel-before-connack", "62020001"),
    malformed("zeros-before-connack", "00" * 16),
    malformed("http-before-connack", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
]

# Not malformed in this direction.
ALLOWED_DOWN = {"publish-subscription-identifier"}
FROM_ANYBODY = [
    row for row in rows_publish.ROWS if row.kind == "malformed" and row.name not in ALLOWED_DOWN
]

AFTER_CONNACK = [
    malformed("type-0", "0000"),
    malformed("ones", "ff" * 8),
    malformed("suback-empty", "9000"),
    malformed("suback-without-codes", lambda v: "9003000100" if v == 5 else "90020001", reason=0x82),
    malformed("suback-packet-identifier-0", lambda v: "900400000000" if v == 5 else "9003000000", reason=0x82),
    malformed("suback-flags-1", lambda v: "910400010000" if v == 5 else "9103000100", versions=V311 + V5),
    malformed("suback-code-3", lambda v: "900400010003" if v == 5 else "9003000103"),
    malformed("suback-code-0x7f", lambda v: "90040001007f" if v == 5 else "900300017f"),
    malformed("suback-code-of-unsuback", "900400010011", versions=V5),
    malformed("suback-failure-in-3.1", "9003000180", versions=V31),
    malformed("suback-property-of-others", "9006000102" + "2401" + "00", versions=V5),
    malformed("unsuback-empty", "b000"),
    malformed("unsuback-packet-identifier-0", lambda v: "b00400000000" if v == 5 else "b0020000", reason=0x82),
    malformed("unsuback-with-codes", "b003000100", versions=V3),
    malformed("unsuback-without-codes", "b003000100", versions=V5, reason=0x82),
    malformed("unsuback-code-1", "b00400010001", versions=V5),
    malformed("unsuback-flags-1", lambda v: "b10400010000" if v == 5 else "b1020001", versions=V311 + V5),
    malformed("pingresp-with-a-body", "d00100"),
    malformed("pingresp-flags-1", "d100", versions=V311 + V5),
    malformed("disconnect-flags-1", "e100", versions=V5),
    malformed("disconnect-reason-unknown", "e00101", versions=V5),
    malformed("disconnect-property-of-others", "e0048b02" + "2401", versions=V5),
    malformed("disconnect-reason-string-twice", "e0088b06" + "1f0000" * 2, versions=V5, reason=0x82),
    malformed("disconnect-trailing-byte", "e0038b0000", versions=V5),
    malformed("auth-without-method", "f0021800", versions=V5, reason=0x82),
    malformed("auth-reason-unknown", "f006010415000141", versions=V5),
    malformed("auth-before-5", "f000", versions=V3),
    wrong("second-connack", connack()),
    wrong("second-connack-that-refuses", lambda v: connack(code=0x87 if v == 5 else 5)(v)),
    wrong("connect", lambda v: wire.connect("c", version=v)),
    wrong("subscribe", lambda v: wire.subscribe("f", version=v)),
    wrong("unsubscribe", lambda v: wire.unsubscribe("f", version=v)),
    wrong("pingreq", "c000"),
    wrong("pingresp-that-nobody-asked-for", "d000"),
    wrong("disconnect", "e000", versions=V3),
    wrong("disconnect-with-will", "e00104", versions=V5),
    wrong("disconnect-session-expiry", "e0078b05" + "1100000001", versions=V5),
    wrong("auth-again", "f006190415000141", versions=V5),
    wrong("auth-that-nobody-began", "f006180415000141", versions=V5),
    wrong("topic-alias-that-was-not-allowed", lambda v: wire.publish("t", b"x", version=v, properties=b"\x23\0\1"), versions=V5, reason=0x94,
          properties=b"\x22\0\0"),
    wrong("topic-alias-unknown", lambda v: wire.publish("", b"x", version=v, properties=b"\x23\0\1"), versions=V5, properties=b"\x22\0\2"),
    wrong("topic-alias-above-the-maximum", lambda v: wire.publish("t", b"x", version=v, properties=b"\x23\0\3"), versions=V5, properties=b"\x22\0\2", reason=0x94),
    wrong("above-the-maximum-packet-size", lambda v: wire.publish("t", b"x" * 100, version=v), versions=V5, properties=b"\x27\0\0\0\x40", reason=0x95),
]

# Each answers nothing that was asked, or ignores what the device said in its CONNECT.
BETWEEN_THE_ENDS = [
    legal("suback-that-nobody-asked-for", lambda v: "900477770000" if v == 5 else "9003777700"),
    legal("unsuback-that-nobody-asked-for", lambda v: "b00477770000" if v == 5 else "b0027777"),
    legal("suback-with-another-identifier", lambda v: "900477770000" if v == 5 else "9003777700", before=lambda v: wire.subscribe("f", version=v)),
    legal("suback-with-too-many-codes", lambda v: "90050001000000" if v == 5 else "900400010000", before=lambda v: wire.subscribe("f", version=v)),
    legal("suback-with-too-few-codes", lambda v: "900400010000" if v == 5 else "9003000100", before=lambda v: wire.subscribe("f", "g", version=v)),
    legal("suback-for-an-unsubscribe", lambda v: "900400010000" if v == 5 else "9003000100", before=lambda v: wire.unsubscribe("f", version=v)),
    legal("unsuback-for-a-subscribe", lambda v: "b00400010000" if v == 5 else "b0020001", before=lambda v: wire.subscribe("f", version=v)),
    legal("unsuback-with-too-many-codes", "b005000100" + "0000", before=lambda v: wire.unsubscribe("f", version=v), versions=V5),
    legal("puback-that-nobody-asked-for", "40027777"),
    legal("pubrec-that-nobody-asked-for", "50027777"),
    legal("pubcomp-that-nobody-asked-for", "70027777"),
    legal("pubrel-that-nobody-asked-for", "62027777"),
    legal("puback-for-a-qos-2-message", "40020001", before=lambda v: wire.publish("t", b"x", 2, 1, version=v)),
    legal("pubrec-for-a-qos-1-message", "50020001", before=lambda v: wire.publish("t", b"x", 1, 1, version=v)),
    legal("above-the-receive-maximum", lambda v: wire.publish("t", b"x", 1, 1, version=v) + wire.publish("t", b"x", 1, 2, version=v), versions=V5, properties=b"\x21\0\1"),
]

LEGAL = [
    *(row for row in rows_publish.LEGAL_MESSAGES if row.kind == "legal" and not row.name.startswith("publish-topic-alias") and row.name != "publish-properties-all"),
    legal("publish-subscription-identifiers", lambda v: wire.publish("t", b"x", version=v, properties=b"\x0b\1\x0b\2\x0b\xff\xff\xff\x7f"), versions=V5),
    legal("publish-control-character", lambda v: wire.publish("a\x07", b"x", version=v)),
    legal("publish-many-levels", lambda v: wire.publish("/" * 300, b"x", version=v)),
    legal("topic-alias", lambda v: wire.publish("t", b"x", version=v, properties=b"\x23\0\2") + wire.publish("", b"x", version=v, properties=b"\x23\0\2"),
          versions=V5, properties=b"\x22\0\2"),
]
