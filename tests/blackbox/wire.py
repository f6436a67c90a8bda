"""MQTT as bytes: builds packets (legal or not) and reads frames from a socket. No client, no opinion, no state.

Hex in, verdict out: `Raw.verdict()` is what came back until the peer closed the connection.
"""

import socket
import struct
import time

HOST = "127.0.0.1"


class Deadline(AssertionError):
    """Something awaited did not happen in time."""


def frames(buffer: bytearray) -> list:
    """Take every complete packet out of `buffer`."""
    packets = []
    while True:
        length = shift = 0
        at = 1
        while True:
            if at >= len(buffer):
                return packets
            byte = buffer[at]
            length |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if byte < 0x80:
                break
            if at > 4:
                raise ValueError("remaining length too long")
        if len(buffer) < at + length:
            return packets
        packets.append(bytes(buffer[: at + length]))
        del buffer[: at + length]


def remaining_length(n: int) -> bytes:
    out = bytearray()
    while True:
        n, low = n >> 7, n & 0x7F
        out.append(low | (0x80 if n else 0))
        if not n:
            return bytes(out)


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + remaining_length(len(body)) + body


def text(value) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(raw)) + raw


def connect(client_id, version=4, keep_alive=30, clean=True, will=None, properties=b"", flags=0) -> bytes:
    """`will` is (topic, payload); `flags` is or-ed in, to make illegal ones."""
    name = "MQIsdp" if version == 3 else "MQTT"
    flags |= 0x02 if clean else 0
    if will:
        flags |= 0x04
    body = text(name) + bytes([version, flags]) + struct.pack("!H", keep_alive)
    if version == 5:
        body += remaining_length(len(properties)) + properties
    body += text(client_id)
    if will:
        body += (b"\0" if version == 5 else b"") + text(will[0]) + text(will[1])
    return packet(0x10, body)


def connect_of(*fields, version=4, flags=0x02, properties=b"", name=None, level=None) -> bytes:
    """CONNECT with whatever fields behind its variable header: client identifier, will, user name and password are the caller's."""
    name = name or ("MQIsdp" if version == 3 else "MQTT")
    body = text(name) + bytes([version if level is None else level, flags, 0, 30])
    if version == 5:
        body += remaining_length(len(properties)) + properties
    return packet(0x10, body + b"".join(fields))


def publish(topic, payload=b"", qos=0, packet_id=1, retain=False, version=4, properties=b"") -> bytes:
    body = text(topic)
    if qos:
        body += struct.pack("!H", packet_id)
    if version == 5:
        body += remaining_length(len(properties)) + properties
    return packet(0x30 | qos << 1 | retain, body + payload)


def numbered(packet_id: int, version: int, properties=b"") -> bytes:
    """A packet identifier, and the properties of version 5."""
    return struct.pack("!H", packet_id) + (remaining_length(len(properties)) + properties if version == 5 else b"")


def subscribe(*filters, qos=0, packet_id=1, version=4, first=0x82, properties=b"") -> bytes:
    """`qos` may have the other bits of the subscription options in it."""
    body = numbered(packet_id, version, properties)
    return packet(first, body + b"".join(text(f) + bytes([qos]) for f in filters))


def unsubscribe(*filters, packet_id=1, version=4, first=0xA2, properties=b"") -> bytes:
    return packet(first, numbered(packet_id, version, properties) + b"".join(text(f) for f in filters))


PINGREQ = bytes.fromhex("c000")
PINGRESP = bytes.fromhex("d000")
DISCONNECT = bytes.fromhex("e000")


class Raw:
    """A socket that speaks only the bytes it is given."""

    def __init__(self, end, deadline: float):
        """`end` is a port to connect to, or a connected socket."""
        self.deadline = deadline
        self.socket = socket.create_connection((HOST, end), timeout=deadline) if isinstance(end, int) else end
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.ready = []
        self.ended = False

    def send(self, *packets) -> "Raw":
        """Send bytes, or text that is hex. A peer that closed already is not an error here: the verdict says so."""
        for data in packets:
            try:
                self.socket.sendall(bytes.fromhex(data) if isinstance(data, str) else data)
            except (BrokenPipeError, ConnectionResetError):
                self.ended = True
        return self

    def receive(self, deadline=None):
        """The next packet; None if the connection ended."""
        until = time.monotonic() + (deadline or self.deadline)
        while not self.ready:
            left = until - time.monotonic()
            if left <= 0:
                raise Deadline(f"no packet and no close in time; incomplete: {self.buffer.hex()}")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                self.ended = True
                return None
            self.buffer += data
            self.ready = frames(self.buffer)
        return self.ready.pop(0)

    def expect(self, first: int) -> bytes:
        """The next packet, which has to be of the type of `first`."""
        got = self.receive()
        assert got is not None and got[0] & 0xF0 == first & 0xF0, f"wanted type {first:02x}, got {got and got.hex()}"
        return got

    def verdict(self) -> dict:
        """Everything until the connection ends: {"packets": [hex, …], "end": "closed" or "open"}."""
        got = []
        try:
            while (p := self.receive()) is not None:
                got.append(p.hex())
        except Deadline:
            return {"packets": got, "end": "open"}
        return {"packets": got, "end": "closed"}

    def ends(self) -> bool:
        """True when the connection ends, whatever is said before."""
        self.socket.settimeout(self.deadline)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionResetError:
            pass
        return True

    def ping(self) -> bool:
        """True when the connection is alive end to end."""
        self.send(PINGREQ)
        while (p := self.receive()) is not None:
            if p == PINGRESP:
                return True
        return False

    def quiet(self, seconds: float) -> bool:
        """True when nothing comes for so long. For what must wait; the wait is the test."""
        try:
            got = self.receive(seconds)
        except Deadline:
            return True
        raise AssertionError(f"unexpected: {got and got.hex()}")

    def close(self):
        self.socket.close()
