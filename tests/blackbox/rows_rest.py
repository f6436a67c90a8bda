"""PINGREQ, DISCONNECT, AUTH, a second CONNECT, what only servers send, and bytes that are no packet at all, on a live connection."""

import wire
from hostile import V3, V5, V31, V311, legal, malformed, wrong
from rows_publish import FLAGS, MINIMAL

BODY = "3.1.1 and v5 section 3.12, 3.1 section 3.12: neither variable header nor payload"
CODE = "v5 [MQTT-3.14.2-1]: one of the reason codes of its table"
DIRECTION = "table 2-1 of 3.1.1 and v5, 3.1 sections 3.9, 3.11 and 3.13: server to client"
METHOD = "150001" + "41"


def both(first, second):
    """A row's data: two packets at once."""
    return lambda v: first(v) + second(v)


FRAMES = [
    malformed("type-0", "0000"),
    malformed("type-0-with-flags", "0f00"),
    malformed("type-0-with-a-body", "000461626364"),
    *(malformed(f"type-{n}-length-of-5-bytes", bytes([n << 4 | (2 if n in (6, 8, 10) else 0)]) + b"\xff\xff\xff\xff\x01") for n in (4, 6, 8, 10, 12, 14)),
    malformed("ones", "ff" * 16),
]

PINGS = [
    *(malformed(f"pingreq-flags-{n}", bytes([0xC0 | n, 0]), versions=V311 + V5, stricter=FLAGS) for n in (1, 2, 8)),
    *(legal(f"pingreq-unused-flags-{n}", bytes([0xC0 | n, 0]), versions=V31) for n in (1, 2, 8)),
    malformed("pingreq-with-a-body", "c00100", stricter=BODY),
    malformed("pingreq-length-not-minimal", "c08000", stricter=MINIMAL),
    legal("pingreq-thrice", "c000" * 3),
]

DISCONNECTS = [
    *(malformed(f"disconnect-flags-{n}", bytes([0xE0 | n, 0]), versions=V311 + V5) for n in (1, 2, 8)),
    malformed("disconnect-with-a-body", "e00100", versions=V3),
    malformed("disconnect-reason-unknown", "e00101", versions=V5, will=False, stricter=CODE),
    malformed("disconnect-reason-255", "e001ff", versions=V5, will=False, stricter=CODE),
    malformed("disconnect-reason-of-puback", "e00110", versions=V5, will=False, stricter=CODE),
    malformed("disconnect-property-unknown", "e004000" + "27f00", versions=V5),
    malformed("disconnect-property-of-others", "e004000" + "22401", versions=V5),
    malformed("disconnect-session-expiry-twice", "e00c000a" + "1100000001" * 2, reason=0x82, versions=V5),
    malformed("disconnect-reason-string-nul", "e00600" + "04" + "1f000100", versions=V5),
    malformed("disconnect-properties-longer-than-packet", "e0020009", versions=V5),
    malformed("disconnect-trailing-byte", "e003000000", versions=V5),
    wrong("disconnect-session-expiry-out-of-nothing", "e007" + "00" + "05" + "110000000a", versions=V5),
    legal("disconnect", "e000", end="closed", will=False),
    legal("disconnect-at-once", "e000c000e000", end="closed", will=False),
    legal("disconnect-reason-only", "e00100", end="closed", will=False, versions=V5),
    legal("disconnect-with-will", "e00104", end="closed", versions=V5),
    legal("disconnect-and-more", both(lambda v: b"\xe0\0", lambda v: wire.publish("will/late", b"x", version=v)), end="closed", will=False),
]

AUTHS = [
    malformed("auth-before-5", "f000", versions=V3),
    malformed("auth-flags-1", "f100", versions=V5),
    malformed("auth-without-method", "f0021800", reason=0x82, versions=V5),
    # Well-formed (v5 section 3.15.2.1), but for the method that has to be there: the broker notices.
    wrong("auth-empty-and-so-without-method", "f000", versions=V5),
    malformed("auth-reason-unknown", "f0060104" + METHOD, versions=V5),
    malformed("auth-reason-of-others", "f0068704" + METHOD, versions=V5),
    malformed("auth-method-twice", "f00a1808" + METHOD * 2, reason=0x82, versions=V5),
    malformed("auth-data-twice", "f00e180c" + METHOD + "16000100" + "16000100", reason=0x82, versions=V5),
    malformed("auth-property-unknown", "f008180" + "6" + METHOD + "7f00", versions=V5),
    malformed("auth-property-of-others", "f00b1809" + METHOD + "1100000001", versions=V5),
    malformed("auth-method-cut", "f006180415" + "000561", versions=V5),
    malformed("auth-trailing-byte", "f0071804" + METHOD + "00", versions=V5),
    wrong("auth-that-nobody-began", "f0061804" + METHOD, versions=V5),
    wrong("auth-again-that-nobody-began", "f0061904" + METHOD, versions=V5),
    wrong("auth-success", "f0060004" + METHOD, versions=V5),
]

NOT_FROM_DEVICES = [
    wrong("connack", lambda v: "2003000000" if v == 5 else "20020000"),
    wrong("connack-refusal", lambda v: "2003008700" if v == 5 else "20020005"),
    wrong("suback", lambda v: "900400010000" if v == 5 else "9003000100", stricter=DIRECTION),
    wrong("unsuback", lambda v: "b00400010000" if v == 5 else "b0020001", stricter=DIRECTION),
    wrong("pingresp", "d000", stricter=DIRECTION),
    # Mosquitto deletes the will for every reason code but 0x04.
    wrong("disconnect-reason-of-servers", "e0018b", versions=V5, will=False),
    wrong("disconnect-server-reference", "e006" + "9d" + "04" + "1c000161", versions=V5, will=False),
    malformed("connack-malformed", "2001ff", reason=0x82),
    malformed("suback-malformed", "90020000", reason=0x82),
    malformed("unsuback-malformed", "b00100", reason=0x82),
    malformed("pingresp-malformed", "d00100", reason=0x82, stricter=DIRECTION),
    # Mosquitto forgets the will on this occasion, against the specification: not compared.
    wrong("second-connect", lambda v: wire.connect("second-connect", version=v), will=False),
    wrong("second-connect-of-another", lambda v: wire.connect("another", version=v), will=False),
    wrong("second-connect-in-another-version", lambda v: wire.connect("second", version=4 if v == 5 else 5), will=False),
    malformed("second-connect-malformed", "1000", reason=0x82, will=False),
]

ROWS = [*FRAMES, *PINGS, *DISCONNECTS, *AUTHS, *NOT_FROM_DEVICES]
