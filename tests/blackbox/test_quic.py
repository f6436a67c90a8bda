"""Devices over QUIC that are not ours: aioquic carries the bytes of wire.py, to the proxy and through it to Mosquitto.

Where a test has to see what reaches the broker before the broker answers, a puppet stands in its place.
"""

import os
import pathlib
import re
import select
import socket
import time

import pytest

import clients
import wire
from processes import DEADLINE, Mosquitto, Proxy, Puppet
from quic import INITIAL, LONG, RETRY, Quic, raw, udp

# The codes of RFC 9000, section 20.1.
STREAM_LIMIT_ERROR, NO_APPLICATION_PROTOCOL = 0x04, 0x100 + 120


class World:
    """A broker, and a proxy whose listener speaks QUIC."""

    def __init__(self, record_stage, broker=Mosquitto, quic="", shards="auto"):
        self.route, self.people = "quic", []
        self.broker = broker()
        self.proxy = Proxy(self.broker.port, device="quic", listener=f"[listener.quic]\n{quic}\n", shards=shards)
        self.port = self.proxy.port
        self.processes = [one.process for one in (self.proxy, self.broker) if hasattr(one, "process")]
        record_stage(self)

    def observer(self, *filters):
        """A client that speaks to the broker itself."""
        observer = clients.make("paho-v5", self.broker.port, "observer")
        self.people.append(observer)
        assert observer.connect()["code"] == 0
        if filters:
            assert observer.subscribe(*filters, qos=2) == [2] * len(filters)
        return observer

    def join(self, client_id="dev", version=4, **options) -> wire.Raw:
        """A device whose session is open, on its first stream."""
        device = raw(self.port)
        device.send(wire.connect(client_id, version=version, **options))
        connack = device.expect(0x20)
        assert connack[3] == 0, connack.hex()
        return device

    def memory(self) -> int:
        """What the proxy holds, in bytes."""
        status = pathlib.Path(f"/proc/{self.proxy.process.popen.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def close(self):
        for person in self.people:
            person.cut()
        try:
            self.proxy.stop()
        finally:
            self.broker.stop()


@pytest.fixture
def world(record_stage):
    """Makes a world; it ends with the test."""
    made = []

    def make(**options):
        made.append(World(record_stage, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def connection(device: wire.Raw) -> Quic:
    return device.socket.quic


def says(device: wire.Raw, packet_id: int):
    """A message of QoS 1 there, and its answer back."""
    device.send(wire.publish("said", b"%d" % packet_id, 1, packet_id))
    assert device.expect(0x40) == bytes.fromhex("4002") + packet_id.to_bytes(2, "big")


def test_all_packets_of_a_life(world):
    """Each quality of service in both directions, PING, and good-bye, which ends the connection without an error."""
    world = world()
    observer = world.observer("up")
    device = world.join(will=("up", "not this one"))
    device.send(wire.subscribe("down", qos=2, packet_id=7))
    assert device.expect(0x90) == bytes.fromhex("9003000702")
    device.send(wire.publish("up", b"0"), wire.publish("up", b"1", 1, 8), wire.publish("up", b"2", 2, 9))
    assert sorted([device.receive().hex(), device.receive().hex()]) == ["40020008", "50020009"]
    device.send("62020009")
    assert device.expect(0x70) == bytes.fromhex("70020009")
    assert [observer.next()["payload"] for _ in range(3)] == [b"0", b"1", b"2"]
    for qos in (0, 1, 2):
        observer.publish("down", b"%d" % qos, qos=qos)
    got = [device.expect(0x30) for _ in range(3)]
    assert [(p[0], p[-1:]) for p in got] == [(0x30, b"0"), (0x32, b"1"), (0x34, b"2")]
    first, second = got[1][8:10].hex(), got[2][8:10].hex()
    device.send(f"4002{first}", f"5002{second}")
    assert device.expect(0x60).hex() == f"6202{second}"
    device.send(f"7002{second}")
    assert device.ping()
    assert device.send(wire.DISCONNECT).verdict() == {"packets": [], "end": "closed"}
    world.broker.gone("dev")
    observer.publish("up", b"end", qos=1)
    assert observer.next()["payload"] == b"end", "its will"


@pytest.mark.parametrize("end", ["closed", "gone"])
def test_a_will_is_published(world, end):
    """When a device ends its connection without DISCONNECT, and when it is silent for too long."""
    world = world()
    observer = world.observer("will")
    device = world.join(keep_alive=1, will=("will", "gone"))
    if end == "closed":
        connection(device).close()
    assert observer.next()["payload"] == b"gone"


def test_a_client_identifier_is_taken_over(world):
    """The older connection ends; the newer one goes on."""
    world = world()
    older, newer = world.join("same"), world.join("same")
    assert older.verdict() == {"packets": [], "end": "closed"}
    assert newer.ping()


@pytest.mark.parametrize("alpn", [(), ("h3",), ("mqttv3.1", "MQTT")])
def test_only_mqtt_is_spoken(world, alpn):
    world = world()
    with pytest.raises(ConnectionError, match=f"{NO_APPLICATION_PROTOCOL:#x}"):
        Quic(world.port, alpn=alpn).connect()
    assert world.join().ping()


def test_an_address_is_shown_first(world):
    """By default: the first answer is a Retry, and the handshake goes on with what is in it."""
    world = world()
    quic = Quic(world.port)
    first = quic.outgoing()
    quic.send(first)
    assert quic.hear(DEADLINE)
    assert quic.heard[0][0] & LONG == RETRY
    assert len(quic.heard[0]) < len(first[0])
    quic.connect()


def test_attack_9_a_token_is_good_for_its_address_only(world):
    """What a device answers to a Retry, sent from elsewhere, isn't the beginning of a connection. From its own place it is."""
    world = world()
    quic = Quic(world.port)
    quic.transmit()
    assert quic.hear(DEADLINE) and quic.heard[0][0] & LONG == RETRY
    answer = quic.outgoing()
    with udp() as thief:
        quic.send(answer, thief)
        assert select.select([thief], [], [], DEADLINE)[0]
        refusal = thief.recv(65536)
        # An Initial that closes. A handshake's beginning is filled up to 1200 bytes (RFC 9000, section 14.1).
        assert refusal[0] & LONG == INITIAL and len(refusal) < 100
        assert not select.select([thief], [], [], 0.5)[0]
    quic.send(answer)
    assert quic.hear(DEADLINE) and len(quic.heard[1]) >= 1200
    quic.connect()


def test_a_token_of_its_own_making_helps_nobody(world):
    """A device that shows a token that isn't ours is asked as if it had none."""
    world = world()
    quic = Quic(world.port, token=os.urandom(80)).connect()
    assert quic.heard[0][0] & LONG == RETRY


def ticket(world):
    """Of a connection that was there and has gone."""
    device = world.join("first")
    quic = connection(device)
    quic.pump(lambda: quic.tickets)
    device.send(wire.DISCONNECT)
    assert device.ends()
    return quic.tickets[-1]


def test_early_data_is_off(world):
    """A device that comes back needs no certificates, but what it says before the handshake's end counts only if it says it again."""
    world = world()
    quic = Quic(world.port, ticket=ticket(world))
    device = wire.Raw(quic.open(), DEADLINE).send(wire.connect("second"))
    assert device.expect(0x20)[3] == 0
    assert (quic.handshake.session_resumed, quic.handshake.early_data_accepted) == (True, False)


def early(world, validation):
    """A world that takes early data, a puppet in it, and a ticket of it."""
    world = world(broker=Puppet, quic=f"early_data = 'connect'\naddress_validation = '{validation}'")
    device = raw(world.port).send(wire.connect("first"))
    broker = world.broker.accept()
    broker.expect(0x10)
    broker.send("20020000")
    device.expect(0x20)
    quic = connection(device)
    quic.pump(lambda: quic.tickets)
    device.send(wire.DISCONNECT)
    assert device.ends()
    return world, quic.tickets[-1]


def say_early(quic: Quic) -> tuple:
    """The device, and the datagrams with its CONNECT and a PUBLISH of QoS 1 before there is a handshake. They aren't sent."""
    device = wire.Raw(quic.open(), DEADLINE)
    said = wire.connect("early") + wire.publish("t", b"waits", 1, 2)
    quic.aioquic.send_stream_data(device.socket.number, said)
    return device, quic.outgoing()


@pytest.mark.parametrize("validation", ["always", "under_load"])
def test_attack_9_a_message_behind_an_early_connect_waits_for_the_end_of_the_handshake(world, validation):
    """The CONNECT of a device that comes back is taken at once; what could be a repetition goes no further than that."""
    world, ticket = early(world, validation)
    quic = Quic(world.port, ticket=ticket)
    if validation == "always":
        # A Retry comes before. aioquic 1.7.2 loses for good what it has said before a Retry, so the device speaks behind it.
        quic.transmit()
        assert quic.hear(DEADLINE) and quic.heard[0][0] & LONG == RETRY
    device, datagrams = say_early(quic)
    quic.send(datagrams)
    # It hears nothing for now, and so can't finish the handshake.
    broker = world.broker.accept()
    assert broker.expect(0x10) == wire.connect("early")
    broker.send("20020000")
    assert broker.quiet(1)
    assert quic.handshake is None
    assert device.expect(0x20)[3] == 0
    assert quic.handshake.early_data_accepted
    assert broker.expect(0x30) == wire.publish("t", b"waits", 1, 2)
    broker.send("40020002")
    assert device.expect(0x40) == bytes.fromhex("40020002")


def test_attack_9_what_was_sent_early_counts_once(world):
    """Somebody has seen a device's first datagrams and sends them again, from elsewhere. Without Retry, which he couldn't answer."""
    world, ticket = early(world, "under_load")
    quic = Quic(world.port, ticket=ticket)
    device, datagrams = say_early(quic)
    quic.send(datagrams)
    broker = world.broker.accept()
    assert broker.expect(0x10) == wire.connect("early"), "the first time it counts"
    broker.send("20020000")
    device.expect(0x20)
    assert broker.expect(0x30) == wire.publish("t", b"waits", 1, 2)
    device.send(wire.DISCONNECT)
    assert device.ends()
    with udp() as liar:
        # While the proxy still knows the connection, what belongs to it is nothing new. Then it is a connection of the liar.
        until = time.monotonic() + DEADLINE
        answered = False
        while not answered and time.monotonic() < until:
            quic.send(datagrams, liar)
            answered = any(select.select([liar], [], [], 0.3)[0])
        assert answered, "nobody has looked at it"
        world.broker.listening.settimeout(1)
        with pytest.raises(wire.Deadline):
            world.broker.accept()


def test_answers_come_on_the_stream_of_what_they_answer(world):
    """CONNECT on one stream, SUBSCRIBE on another, PUBLISH on two more: answers and messages where they belong."""
    world = world()
    observer = world.observer("up/#")
    control = world.join()
    quic = connection(control)
    subscriptions, first, second = quic.lane(), quic.lane(), quic.lane()
    subscriptions.send(wire.subscribe("down/#", qos=2, packet_id=1))
    assert subscriptions.expect(0x90) == bytes.fromhex("9003000102")
    first.send(wire.publish("up/1", b"x", 1, 2))
    second.send(wire.publish("up/2", b"y", 2, 3))
    assert first.receive() == bytes.fromhex("40020002")
    assert second.receive() == bytes.fromhex("50020003")
    second.send("62020003")
    assert second.receive() == bytes.fromhex("70020003")
    assert sorted(observer.next()["payload"] for _ in range(2)) == [b"x", b"y"]
    observer.publish("down/1", b"z", qos=2)
    message = subscriptions.expect(0x30)
    number = message[-3:-1].hex()
    subscriptions.send(f"5002{number}")
    assert subscriptions.receive().hex() == f"6202{number}"
    subscriptions.send(f"7002{number}")
    assert control.ping()
    # What a stream has said before its end is heard, and answered.
    last = quic.lane().send(wire.publish("up/3", b"last", 1, 4))
    last.socket.finish()
    assert last.verdict() == {"packets": ["40020004"], "end": "closed"}
    assert control.ping()


@pytest.mark.parametrize("identifier", ["the same", "another"])
def test_a_session_outlives_the_ports_of_its_device(world, identifier):
    """A network on the way gives each device other ports, again and again; the device knows of it, or not. Of four shards, each is met."""
    world = world(shards=4)
    devices = [world.join(f"dev-{n}") for n in range(8)]
    for n in range(1, 4):
        for device in devices:
            connection(device).move()
            if identifier == "another":
                connection(device).aioquic.change_connection_id()
            says(device, n)
    assert all(device.ping() for device in devices)


def test_attack_9_a_flood_of_migrations_ends_one_connection_at_most(world):
    """Each packet from a port of its own, 200 times."""
    world = world(shards=4)
    bystander, device = world.join("bystander"), world.join("restless")
    quic = connection(device)
    before = world.memory()
    for n in range(1, 201):
        quic.move()
        device.send(wire.publish("said", b"x", 1, n))
        # What comes to an old port is lost; nobody waits for it.
        quic.pump(lambda: False, 0.005)
    alive = device.ping() if quic.end is None else False
    assert bystander.ping()
    says(bystander, 1)
    assert world.memory() - before < 8 << 20
    assert alive, "it goes on, as it does now; if that changes, only this session may end"


@pytest.mark.parametrize("one_way", [True, False])
@pytest.mark.parametrize("manners", ["polite", "rude"])
def test_attack_9_more_streams_than_allowed_have_no_room(world, one_way, manners):
    """Of either kind, in both directions or in the device's: who keeps to the limit waits, who doesn't ends his own session."""
    world = world(quic="streams_max = 2")
    bystander, device = world.join("bystander"), world.join("greedy")
    quic = connection(device)
    for n in (1, 2):
        says(quic.lane(), n)
    further = [quic.open(one_way) for _ in range(50)]
    if manners == "rude":
        quic.aioquic._remote_max_streams_bidi = quic.aioquic._remote_max_streams_uni = 1000
        for stream in further:
            held = quic.aioquic._streams[stream.number]
            held.is_blocked, held.max_stream_data_remote = False, 1000
        quic.aioquic._streams_blocked_bidi.clear()
        quic.aioquic._streams_blocked_uni.clear()
    for n, stream in enumerate(further):
        stream.sendall(wire.publish("said", b"%d" % n))
    if manners == "rude":
        quic.pump(lambda: quic.end)
        assert quic.end.error_code == STREAM_LIMIT_ERROR
    else:
        assert device.ping()
        # Those in both directions are there already.
        room = 2 if one_way else 0
        assert [quic.aioquic._streams[stream.number].is_blocked for stream in further] == [False] * room + [True] * (50 - room)
    assert bystander.ping()


def initial(token=b"", length=1200, version=1) -> bytes:
    """What looks like the first packet of a connection, and is none inside."""
    head = bytes([INITIAL | 3]) + version.to_bytes(4, "big") + b"\x08" + os.urandom(8) + b"\x08" + os.urandom(8)
    head += (0x4000 | len(token)).to_bytes(2, "big") + token
    rest = length - len(head) - 2
    return head + (0x4000 | rest).to_bytes(2, "big") + os.urandom(rest)


# 200 of each are sent.
GARBAGE = {
    "random bytes": lambda n: os.urandom(1 + 7 * n % 1400),
    "empty": lambda n: b"",
    "short headers": lambda n: b"\x40" + os.urandom(20 + 7 * n % 1300),
    "initials": lambda n: initial(),
    "cut initials": lambda n: initial()[: 1 + 5 * n % 1199],
    "small initials": lambda n: initial(length=200),
    "endless lengths": lambda n: bytes([INITIAL]) + b"\0\0\0\1" + b"\xff" * 1195,
    "other tokens": lambda n: initial(token=os.urandom(60 + n)),
    "other versions": lambda n: initial(version=0x1A2A3A4A),
    "version negotiation": lambda n: b"\x80\0\0\0\0" + b"\x08" + os.urandom(8) + b"\x08" + os.urandom(8) + b"\0\0\0\1" * 20,
    "retries": lambda n: b"\xf0" + initial()[1:120],
    "early data": lambda n: b"\xd0" + initial()[1:],
    "handshakes": lambda n: b"\xe0" + initial()[1:],
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_attack_9_garbage_disturbs_nobody(world, kind):
    """Datagrams that are nothing, from 50 ports: no session notices, nothing is kept of them, and nobody gets more than he has sent."""
    world = world(shards=2)
    device = world.join()
    before, sent, got = world.memory(), 0, 0
    senders = [udp() for _ in range(50)]
    try:
        for n in range(200):
            data = GARBAGE[kind](n)
            sent += senders[n % 50].sendto(data, ("127.0.0.1", world.port))
        for n in range(1, 21):
            says(device, n)
        # The proxy's sockets are read in order: by now it has seen all of it that this shard gets.
        world.join("newcomer").close()
        for sender in senders:
            while select.select([sender], [], [], 0)[0]:
                got += len(sender.recv(65536))
    finally:
        for sender in senders:
            sender.close()
    assert device.ping()
    assert got <= sent, f"{got} bytes for {sent}"
    assert world.memory() - before < 4 << 20


def test_attack_9_garbage_in_the_name_of_a_session_disturbs_it_not(world):
    """Somebody who has seen a session's identifiers sends datagrams with them, from elsewhere, and again what it has sent."""
    world = world(shards=4)
    device = world.join()
    quic = connection(device)
    identifier = quic.aioquic._peer_cid.cid
    with udp() as liar:
        for n in range(1, 101):
            device.send(wire.publish("said", b"%d" % n, 1, n)) if n % 2 else None
            liar.sendto(bytes([0x40 | n & 0x3F]) + identifier + os.urandom(10 + 10 * n), quic.address)
            liar.sendto(b"\xe0\0\0\0\1" + bytes([len(identifier)]) + identifier + b"\x08" + os.urandom(40), quic.address)
            if n % 2:
                assert device.expect(0x40)[2:] == n.to_bytes(2, "big")
    assert device.ping()


def test_attack_9_connections_that_nobody_goes_on_with_are_forgotten(world):
    """Real first packets of 500 devices from 500 ports, and silence: with a Retry nothing is kept; a device gets in beside them."""
    world = world()
    device = world.join()
    before = world.memory()
    for n in range(500):
        with udp() as sender:
            quic = Quic(world.port)
            quic.socket.close()
            quic.send(quic.outgoing(), sender)
            if n % 50 == 0:
                assert select.select([sender], [], [], DEADLINE)[0]
                assert sender.recv(65536)[0] & LONG == RETRY
    assert device.ping()
    assert world.join("newcomer").ping()
    assert world.memory() - before < 4 << 20
