"""The same scenarios over every transport, on either side of the proxy: what carries MQTT changes nothing of it.

The direct route stays what it is, TCP to the broker, so whatever a transport adds or loses shows in the comparison.
"""

import hashlib
import shutil
import signal
import socket
import ssl

import pytest

import test_properties
import test_publish
import test_raw
import test_session
import test_subscribe
from papers import papers
from clients import make
from processes import DEADLINE, Balancer, Mosquitto, Proxy
from stage import perform

# Devices' side, broker's side, and the clients that know it. No client of these tests and no Mosquitto knows QUIC: there it is what two
# proxies speak with each other, so both of its sides are seen. Clients and a broker that know it are in test_quic.py and test_mqttv5.py.
TRANSPORTS = [("tls", "tcp"), ("tcp", "tls"), ("ws", "tcp"), ("tcp", "ws"), ("wss", "wss"), ("tcp", "quic", "tcp")]
# Mosquitto 2.0.11 never delivers a message of 1 MiB over its own WebSocket listener, whoever the client is, with or without a proxy. Such
# messages over WebSocket in both directions are in tests/transport_websocket.rs.
TOO_LARGE_FOR_MOSQUITTO = ("test_1_mib", "test_every_length_of_remaining_length")
KINDS = ("paho-v5", "paho-v311", "mqttjs-v5", "mqttjs-v311")


# No client of these tests knows QUIC but the one that speaks bytes, and these need another beside it.
NEED_A_CLIENT = ("test_oversized", "test_half_a_packet", "test_silent_connection")


def rows():
    """Each scenario with each pair of transports, each time with one of the clients: which one, its name decides."""
    for module in (test_properties, test_publish, test_session, test_subscribe):
        for name, test in vars(module).items():
            played = getattr(test, "scenario", None)
            kinds = [kind for kind in KINDS if played and kind in played.kinds]
            if not kinds or "puppet" in played.broker_options:
                continue
            for number, transports in enumerate(TRANSPORTS):
                if transports[-1] in ("ws", "wss") and name in TOO_LARGE_FOR_MOSQUITTO:
                    continue
                start = int(hashlib.sha256(name.encode()).hexdigest(), 16)
                kind = kinds[(start + number) % len(kinds)]
                for case in played.cases or [None]:
                    label = "-".join([name.removeprefix("test_"), *([case] if case else []), *transports, kind])
                    yield pytest.param(played, case, kind, transports, id=label)
    for name, test in vars(test_raw).items():
        played = getattr(test, "scenario", None)
        for kind in played.kinds if played and name not in NEED_A_CLIENT else ():
            label = "-".join([name.removeprefix("test_"), "quic-tcp", kind])
            yield pytest.param(played, None, kind, ("quic", "tcp"), id=label)


@pytest.mark.parametrize(("played", "case", "kind", "transports"), list(rows()))
def test_scenario(played, case, kind, transports, record_stage):
    """Nobody can tell from what is carried how it is carried."""

    def fn(stage):
        return played.fn(stage, played.cases[case]) if case else played.fn(stage)

    perform(fn, kind, record_stage, played.broker_options, transports)


class Renewing:
    """A proxy over TLS whose certificate lies in a folder of its own."""

    def __init__(self, tmp_path):
        self.broker = Mosquitto()
        self.certificate, self.key = tmp_path / "proxy.pem", tmp_path / "proxy.key"
        self.lay(papers().certificate, papers().key)
        listener = f"[listener.tls]\ncertificate = '{self.certificate}'\nkey = '{self.key}'\n"
        self.proxy = Proxy(self.broker.port, device="tls", tls=listener)

    def lay(self, certificate, key):
        shutil.copy(certificate, self.certificate)
        shutil.copy(key, self.key)

    def shown(self):
        context = ssl.create_default_context(cafile=papers().ca)
        with socket.create_connection(("127.0.0.1", self.proxy.port), timeout=DEADLINE) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True))

    def stop(self):
        try:
            self.proxy.stop()
        finally:
            self.broker.stop()


def test_certificates_are_read_again_at_sighup(tmp_path):
    """A bad pair is told and not taken over; a good one is shown at once."""
    stage = Renewing(tmp_path)
    try:
        old, other = papers().certificate.read_text(), papers().device
        new = papers().vouch("renewed", "server", "subjectAltName=DNS:localhost")
        assert stage.shown() in old
        stage.lay(papers().certificate, other[1])
        stage.proxy.process.popen.send_signal(signal.SIGHUP)
        stage.proxy.process.await_line(r"ERROR.*certificates of listener device were not taken over.*doesn't belong")
        assert stage.shown() in old
        stage.lay(*new)
        stage.proxy.process.popen.send_signal(signal.SIGHUP)
        stage.proxy.process.await_line("certificates of listener device were read again")
        assert stage.shown() in new[0].read_text()
    finally:
        stage.stop()


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("transport", ["tcp", "tls", "wss"])
def test_haproxy_says_and_is_told_whose_connection_it_is(version, transport):
    """HAProxy on both sides: what it writes is read, what it reads is written, and the log has the device's own address."""
    broker = Mosquitto()
    stages = [broker]
    try:
        behind = Balancer(broker.port, bind="accept-proxy")
        stages.append(behind)
        upstream = f"proxy_protocol = '{version}'\n"
        proxy = Proxy(behind.port, device=transport, listener="proxy_protocol = 'require'\n", upstream_lines=upstream)
        stages.append(proxy)
        front = Balancer(proxy.port, server="send-proxy" if version == "v1" else "send-proxy-v2")
        stages.append(front)
        device = make("paho-v5", front.port, "dev")
        device.transport = transport
        assert device.connect()["code"] == 0
        live = device.paho.socket()
        address = getattr(live, "_socket", live).getsockname()
        assert device.subscribe("a", qos=1) == [1]
        device.publish("a", b"there and back", qos=1)
        assert device.next()["payload"] == b"there and back"
        device.disconnect()
        proxy.process.await_line(rf"session ended .*peer={address[0]}:{address[1]} ")
    finally:
        for one in reversed(stages):
            one.stop()
