"""The processes of a test: a Mosquitto, and the system under test in front of it.

Everything binds to 127.0.0.1 on ports the system chose, is ready when it answers (never after a sleep), is ended by its own
process id, and keeps its output for the report of a failing test.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from papers import papers
from wire import HOST, Deadline, Raw

# How long anything may take. Reached only by tests that fail.
DEADLINE = float(os.environ.get("BLACKBOX_DEADLINE", "20"))


def find(program: str) -> str:
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise RuntimeError(f"{program} is not installed; tests/run installs it")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A child process with its output as lines that can be awaited."""

    def __init__(self, title: str, command: list, environment=None, inherit=()):
        self.title = title
        self.command = command
        self.lines = []
        self.changed = threading.Condition()
        self.popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            pass_fds=inherit,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            with self.changed:
                self.lines.append(line.decode(errors="replace").rstrip())
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def await_line(self, pattern: str, count: int = 1, deadline: float = None):
        """Wait until `count` lines match; returns the match of the last of them."""
        until = time.monotonic() + (deadline or DEADLINE)
        with self.changed:
            while True:
                matches = [m for m in (re.search(pattern, line) for line in self.lines) if m]
                if len(matches) >= count:
                    return matches[count - 1]
                left = until - time.monotonic()
                if left <= 0 or (self.popen.poll() is not None and not self.reader.is_alive()):
                    raise Deadline(f"{self.title}: {count} line(s) like {pattern!r} awaited, {len(matches)} seen")
                self.changed.wait(min(left, 0.2))

    def await_port(self, port: int):
        until = time.monotonic() + DEADLINE
        while not accepts(port):
            if self.popen.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.01)
        return self.popen.poll() is None

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        return f"$ {' '.join(map(str, self.command))}\n" + "\n".join(self.lines[-400:])

    def stop(self):
        """End the process; returns its exit status, negative for a signal."""
        if self.alive:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
                self.lines.append("(had to be killed)")
        self.reader.join(DEADLINE)
        if not self.reader.is_alive():
            self.popen.stdout.close()
        return self.popen.returncode


class Mosquitto:
    """A broker of one's own: anonymous, forgetful, on a port of the system's choice."""

    DEFAULTS = {
        "allow_anonymous": "true",
        "persistence": "false",
        "max_queued_messages": "0",
        "max_inflight_messages": "20",
        "sys_interval": "1",
        "set_tcp_nodelay": "true",
    }

    def __init__(self, users=None, transport="tcp", **options):
        """`transport`: of a further listener, on the port `carried`."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="blackbox-"))
        self.folder.chmod(0o755)
        settings = {**self.DEFAULTS, **options}
        if users:
            passwords = self.folder / "passwords"
            passwords.write_text("".join(f"{name}:{secret}\n" for name, secret in users.items()))
            subprocess.run(
                [find("mosquitto_passwd"), "-U", str(passwords)], check=True, stdout=subprocess.DEVNULL
            )
            passwords.chmod(0o644)
            settings["password_file"] = passwords
        # Another process may take the port between the choice and the bind: then choose again.
        for _ in range(20):
            self.port = self.carried = free_port()
            config = self.folder / "mosquitto.conf"
            config.write_text(
                f"listener {self.port} {HOST}\nlog_dest stderr\nlog_type all\n"
                + self._further(transport)
                + "".join(f"{key} {value}\n" for key, value in settings.items())
            )
            self.process = Process("mosquitto", [find("mosquitto"), "-c", str(config)])
            # Both: the line, because on a taken port someone else may answer; the answer, because a line is only a line.
            try:
                self.process.await_line(r"mosquitto version \S+ running")
                if self.process.await_port(self.port) and self.process.await_port(self.carried):
                    return
            except Deadline:
                pass
            self.process.stop()
            if not any("in use" in line for line in self.process.lines):
                break
        raise RuntimeError("Mosquitto did not start:\n" + self.process.output())

    def _further(self, transport: str) -> str:
        """The listener behind which what is set stands: settings of a listener are its own."""
        if transport == "tcp":
            return ""
        self.carried = free_port()
        lines = [f"listener {self.carried} {HOST}"]
        if transport in ("ws", "wss"):
            lines.append("protocol websockets")
        if transport in ("tls", "wss"):
            p = papers()
            lines += [f"certfile {p.certificate}", f"keyfile {p.key}"]
        return "\n".join(lines) + "\n"

    def gone(self, client_id: str, count: int = 1):
        """Wait until the broker has seen this client's connection end, in whatever way."""
        self.process.await_line(
            rf"Client {re.escape(client_id)} (disconnected|closed its connection|already connected|has exceeded)"
            rf"|Client {re.escape(client_id)} .*(rror|not authorised|protocol)",
            count,
        )

    def connected_as(self, client_id: str):
        """What the broker noted of the CONNECT: protocol, clean, keep alive, user name."""
        found = self.process.await_line(rf"New client connected from .* as {re.escape(client_id)} \((.*)\)")
        return found.group(1).rstrip(".")

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Puppet:
    """A broker that does what the test says, byte by byte: for what no healthy broker does when asked."""

    def __init__(self):
        self.listening = socket.create_server((HOST, 0))
        self.listening.settimeout(DEADLINE)
        self.port = self.listening.getsockname()[1]

    def accept(self) -> Raw:
        """The next connection."""
        try:
            return Raw(self.listening.accept()[0], DEADLINE)
        except TimeoutError:
            raise Deadline("nobody connected to the broker") from None

    def stop(self):
        self.listening.close()


class Proxy:
    """The system under test between its port and `upstream`.

    The one place that knows how it is started. `INTERLINGUA_BIN` is the binary; `BLACKBOX_STAND_IN` replaces it, to test the tests:
    `haproxy` changes nothing and so has to pass; `faulty:MODE` (faulty.py) breaks one promise, and tests have to fail.
    """

    SCHEMES = {"tcp": "mqtt", "tls": "mqtts", "ws": "ws", "wss": "wss", "quic": "quic"}

    def __init__(self, upstream: int, mqtt: str = "", device="tcp", broker="tcp", tls="", listener="", upstream_lines="", shards="auto"):
        """`mqtt`: the version that the upstream speaks, where it isn't any; `device`, `broker`: the transport on each side; `tls`: the
        listener's certificates, where they aren't the usual ones; `listener`, `upstream_lines`: further keys."""
        self.folder = None
        stand_in = os.environ.get("BLACKBOX_STAND_IN", "")
        if stand_in and (device, broker) != ("tcp", "tcp"):
            pytest.skip("stand-ins know TCP only")
        if stand_in == "haproxy":
            self._haproxy(upstream)
        elif stand_in.startswith("faulty:"):
            script = pathlib.Path(__file__).with_name("faulty.py")
            self._announced([sys.executable, "-u", str(script), stand_in.removeprefix("faulty:"), str(upstream)])
        else:
            binary = os.environ.get("INTERLINGUA_BIN")
            if not binary:
                raise RuntimeError("INTERLINGUA_BIN is not set: the path of the interlingua binary (tests/run sets it)")
            # Without limits of its own the proxy has nothing to announce or to refuse, and can't be told from the broker.
            self.folder = tempfile.mkdtemp(prefix="blackbox-")
            config = pathlib.Path(self.folder) / "interlingua.toml"
            listener_tls, upstream_tls = tls, ""
            if device in ("tls", "wss", "quic") and not tls:
                p = papers()
                listener_tls = f"[listener.tls]\ncertificate = '{p.certificate}'\nkey = '{p.key}'\n"
            if broker in ("tls", "wss", "quic"):
                upstream_tls = f"[upstream.tls]\nca = '{papers().ca}'\n"
            config.write_text(
                f"[proxy]\nshards = {shards!r}\n"
                "[limits]\npacket_size_max = 268435460\nproperties_max = 65536\ntopic_levels_max = 65536\ntopic_bytes_max = 65535\n"
                f"[[listener]]\nname = 'device'\nbind = '{HOST}:0'\ndialect = 'plain'\nupstream = 'broker'\n"
                f"transport = '{device}'\n" + listener + listener_tls
                + f"[[upstream]]\nname = 'broker'\nurl = '{self.SCHEMES[broker]}://{HOST}:{upstream}'\ndialect = 'plain'\n"
                + (f"mqtt = ['{mqtt}']\n" if mqtt else "") + upstream_lines + upstream_tls
            )
            self._announced([binary, "serve", "--config", str(config)])

    def _announced(self, command: list):
        """A program that binds port 0 and says which port that became."""
        self.process = Process("proxy", command, {"NO_COLOR": "1"})
        try:
            self.port = int(self.process.await_line(r"listening.*?127\.0\.0\.1:(\d+)").group(1))
        except Deadline:
            self.process.stop()
            raise RuntimeError("the proxy did not start:\n" + self.process.output()) from None

    def _haproxy(self, upstream: int):
        balancer = Balancer(upstream)
        self.port, self.folder, self.process = balancer.port, balancer.folder, balancer.process

    def stop(self):
        """End it. It has to be alive until now, must not have panicked, and has to obey SIGTERM."""
        alive = self.process.alive
        status = self.process.stop()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        trouble = [line for line in self.process.lines if "panicked" in line or line == "(had to be killed)"]
        assert alive, f"the proxy ended by itself with status {status}"
        assert not trouble, f"the proxy: {trouble}"


class Balancer:
    """HAProxy in TCP mode, which may speak the PROXY protocol: `bind` and `server` are further words of those lines."""

    def __init__(self, upstream: int, bind="", server=""):
        listening = socket.create_server((HOST, 0))
        self.port = listening.getsockname()[1]
        self.folder = tempfile.mkdtemp(prefix="blackbox-")
        config = pathlib.Path(self.folder) / "haproxy.cfg"
        config.write_text(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n"
            f"listen l\n bind fd@{listening.fileno()} {bind}\n server s {HOST}:{upstream} {server}\n"
        )
        self.process = Process("proxy", [find("haproxy"), "-db", "-f", str(config)], inherit=[listening.fileno()])
        listening.close()

    def stop(self):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
