"""mqttv5-cli over QUIC: a client and a broker in Rust that are not ours, each on its side of the proxy."""

import os
import pathlib
import shutil
import tempfile

import pytest

import clients
from papers import papers
from processes import HOST, Deadline, Mosquitto, Process, Proxy, free_port

BINARY = pathlib.Path(__file__).parent.parent / "clients" / "mqttv5" / "bin" / "mqttv5"
CONTROL = "control-only"
# With the others its client sends messages on further streams, and with the last two SUBSCRIBE, too: streams in its direction only.
STRATEGIES = (CONTROL, "per-publish", "per-topic", "per-subscription")


def tool(*arguments, **options) -> Process:
    if not os.access(BINARY, os.X_OK):
        raise RuntimeError(f"{BINARY} is not there; tests/run installs it")
    return Process("mqttv5", [str(BINARY), *arguments, "--non-interactive"], {"NO_COLOR": "1"}, **options)


class Mqttv5Broker:
    """`mqttv5 broker`, with QUIC on `port`. It delivers on the stream of CONNECT: towards brokers the proxy knows no other."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="blackbox-")
        # Another process may take a port between the choice and the bind: then choose again.
        for _ in range(20):
            self.port, tcp, tls = free_port(), free_port(), free_port()
            p = papers()
            self.process = tool(
                "broker", "--quic-host", f"{HOST}:{self.port}", "--host", f"{HOST}:{tcp}", "--tls-host", f"{HOST}:{tls}",
                "--tls-cert", str(p.certificate), "--tls-key", str(p.key), "--allow-anonymous", "true",
                "--storage-backend", "memory", "--storage-dir", self.folder, "--quic-delivery-strategy", CONTROL,
            )
            try:
                self.process.await_line("Press Ctrl.C to stop")
                if self.process.await_port(tcp):
                    return
            except Deadline:
                pass
            self.process.stop()
        raise RuntimeError("mqttv5 broker did not start:\n" + self.process.output())

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class World:
    """A broker, a proxy with QUIC on one side, and whoever joins."""

    def __init__(self, server, **transports):
        self.route, self.people = "quic", []
        self.broker = server
        self.proxy = Proxy(server.port, **transports)
        self.processes = [self.proxy.process, server.process]

    def tool(self, command, client_id, strategy, *arguments) -> Process:
        """A client over QUIC. With `quic://` it wouldn't look at the certificate, whatever `--ca-cert` says."""
        process = tool(
            command, "--url", f"quics://localhost:{self.proxy.port}", "--ca-cert", str(papers().ca),
            "--client-id", client_id, "--quic-stream-strategy", strategy, *arguments,
        )
        self.processes.append(process)
        return process

    def client(self, kind, port, client_id) -> clients.Client:
        client = clients.make(kind, port, client_id)
        self.people.append(client)
        return client

    def close(self):
        for person in self.people:
            person.cut()
        for process in self.processes[2:]:
            process.stop()
        try:
            self.proxy.stop()
        finally:
            self.broker.stop()


@pytest.fixture
def world(record_stage):
    """Makes a world; it ends with the test."""
    made = []

    def make(server, **transports):
        made.append(World(server, **transports))
        record_stage(made[-1])
        return made[-1]

    yield make
    for one in made:
        one.close()


def ends_well(process: Process):
    process.popen.wait(clients.DEADLINE)
    process.reader.join(clients.DEADLINE)
    assert process.popen.returncode == 0, process.output()


def publish(world, client_id, topic, message, qos, strategy=CONTROL, *arguments) -> Process:
    return world.tool("pub", client_id, strategy, "-t", topic, "-m", message, "-q", str(qos), *arguments)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_messages_pass(world, strategy):
    """Of each quality of service, from a client over QUIC through Mosquitto to another one, whatever streams they use."""
    world = world(Mosquitto(), device="quic")
    subscriber = world.tool("sub", "reader", strategy, "-t", "up/#", "-q", "2", "-n", "3", "-v")
    subscriber.await_line("Subscribed to 'up/#' .granted QoS ExactlyOnce")
    for qos in (0, 1, 2):
        ends_well(publish(world, f"writer-{qos}", f"up/{qos}", f"message {qos}", qos, strategy))
    ends_well(subscriber)
    assert [line for line in subscriber.lines if line.startswith("up/")] == [f"up/{qos}: message {qos}" for qos in (0, 1, 2)]


# Not paho in version 5, which takes this Maximum Packet Size (2^28) for malformed.
@pytest.mark.parametrize("kind", ["paho-v311", "mqttjs-v5"])
def test_a_broker_over_quic(world, kind):
    """Devices over TCP, with a broker behind the proxy that speaks QUIC: each quality of service, what is retained, a will."""
    world = world(Mqttv5Broker(), broker="quic")
    device, other = [world.client(kind, world.proxy.port, name) for name in ("device", "other")]
    assert device.connect(will={"topic": "up/will", "payload": b"gone", "qos": 1, "retain": False})["code"] == 0
    assert other.connect()["code"] == 0
    assert other.subscribe("up/#", qos=2) == [2]
    for qos in (0, 1, 2):
        device.publish("up/1", b"%d" % qos, qos=qos)
        message = other.next()
        assert (message["payload"], message["qos"]) == (b"%d" % qos, qos)
    large = b"x" * 100_000
    device.publish("kept", large, qos=1, retain=True)
    assert other.subscribe("kept", qos=1) == [1]
    message = other.next()
    assert (message["payload"], message["retain"]) == (clients.digest(large), True)
    device.cut()
    assert other.next()["payload"] == b"gone"
    other.disconnect()
