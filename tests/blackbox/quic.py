"""QUIC by aioquic, which knows nothing of sockets and clocks: here it gets both, in the test's own thread.

So a test decides what is sent, from which port, and what is heard. A stream looks like a socket, and `wire.Raw` speaks MQTT on it.
"""

import select
import socket
import time

from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

import wire
from papers import papers
from processes import DEADLINE

# Of version 1: the two bits of a long header, the bit that is always set, and the type in the next two (RFC 9000, section 17.2).
LONG, INITIAL, RETRY = 0xF0, 0xC0, 0xF0


def udp() -> socket.socket:
    """A socket on a port of its own."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((wire.HOST, 0))
    return one


class Quic:
    """A connection to a port."""

    def __init__(self, port: int, alpn=("mqtt",), ticket=None, token=b""):
        self.address = (wire.HOST, port)
        self.tickets, self.tokens = [], []
        configuration = QuicConfiguration(
            alpn_protocols=list(alpn) or None, server_name="localhost", cafile=str(papers().ca), session_ticket=ticket, token=token
        )
        self.aioquic = QuicConnection(
            configuration=configuration, session_ticket_handler=self.tickets.append, token_handler=self.tokens.append
        )
        self.socket = udp()
        self.streams = {}
        # The datagrams that came; what the handshake brought; how the connection ended.
        self.heard, self.handshake, self.end = [], None, None
        self.aioquic.connect(self.address, time.monotonic())

    def connect(self) -> "Quic":
        self.pump(lambda: self.handshake or self.end)
        if self.handshake is None:
            raise ConnectionError(f"no connection: error {self.end.error_code:#x} {self.end.reason_phrase}")
        return self

    def outgoing(self) -> list:
        """What is to be sent by now."""
        return [data for data, _ in self.aioquic.datagrams_to_send(time.monotonic())]

    def send(self, datagrams, sender=None):
        """Send what `outgoing` gave; from another socket, where one is named."""
        for data in datagrams:
            (sender or self.socket).sendto(data, self.address)

    def transmit(self):
        self.send(self.outgoing())

    def hear(self, seconds: float) -> bool:
        """Wait for one datagram; whether one came."""
        if not select.select([self.socket], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = self.socket.recv(65536)
        except ConnectionRefusedError:
            return False
        self.heard.append(data)
        self.aioquic.receive_datagram(data, self.address, time.monotonic())
        self._events()
        return True

    def pump(self, until, seconds=None) -> bool:
        """Send and hear until the condition holds; whether it does in time. Without `seconds` it has to."""
        last = time.monotonic() + (DEADLINE if seconds is None else seconds)
        while not until():
            self.transmit()
            now = time.monotonic()
            timer = self.aioquic.get_timer()
            if not self.hear(min(last - now, timer - now if timer else DEADLINE)):
                now = time.monotonic()
                if timer and now >= timer and self.end is None:
                    self.aioquic.handle_timer(now)
                    self._events()
                if now >= last and not until():
                    if seconds is None:
                        raise wire.Deadline("QUIC: what was awaited didn't come")
                    return False
        self.transmit()
        return True

    def _events(self):
        while (event := self.aioquic.next_event()) is not None:
            match event:
                case events.HandshakeCompleted():
                    self.handshake = event
                case events.StreamDataReceived():
                    stream = self.streams[event.stream_id]
                    stream.arrived += event.data
                    stream.finished |= event.end_stream
                case events.StreamReset():
                    self.streams[event.stream_id].finished = True
                case events.ConnectionTerminated():
                    self.end = event

    def open(self, one_way=False) -> "Stream":
        number = self.aioquic.get_next_available_stream_id(is_unidirectional=one_way)
        # The number is taken by what is sent first.
        self.aioquic.send_stream_data(number, b"")
        self.streams[number] = Stream(self, number)
        return self.streams[number]

    def lane(self) -> wire.Raw:
        """A further stream, to speak MQTT on."""
        return wire.Raw(self.open(), DEADLINE)

    def move(self):
        """Another port, as a network gives that has forgotten the old one."""
        self.socket.close()
        self.socket = udp()

    def close(self):
        """End the connection, and tell the peer."""
        self.aioquic.close()
        self.transmit()


class Stream:
    """As much of a socket as `wire.Raw` needs."""

    def __init__(self, quic: Quic, number: int):
        self.quic, self.number = quic, number
        self.arrived = bytearray()
        self.finished = False
        self.seconds = DEADLINE

    def setsockopt(self, *_):
        pass

    def settimeout(self, seconds: float):
        self.seconds = seconds

    def sendall(self, data: bytes):
        if self.quic.end:
            raise BrokenPipeError
        self.quic.aioquic.send_stream_data(self.number, data)
        self.quic.transmit()

    def recv(self, _size: int) -> bytes:
        if not self.quic.pump(lambda: self.arrived or self.finished or self.quic.end, self.seconds):
            raise TimeoutError
        data, self.arrived = bytes(self.arrived), bytearray()
        return data

    def finish(self):
        """Nothing more will be sent."""
        if not self.quic.end:
            self.quic.aioquic.send_stream_data(self.number, b"", end_stream=True)
            self.quic.transmit()

    def close(self):
        """The end of a session: what was sent before still arrives, which the end of a connection doesn't promise."""
        self.finish()
        self.quic.pump(lambda: self.quic.end)


def raw(port: int, **options) -> wire.Raw:
    """A device: a connection and its first stream."""
    return wire.Raw(Quic(port, **options).connect().open(), DEADLINE)
