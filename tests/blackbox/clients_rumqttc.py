"""rumqttc as a client: a small Rust program (tests/clients/rumqttc) that speaks JSON lines, as mqtt.js does."""

import os
import pathlib
import queue

from clients import Client, Lines, Paho

BINARY = pathlib.Path(__file__).parent.parent / "clients" / "rumqttc" / "target" / "debug" / "rumqttc-client"


class Program(Lines):
    title = "rumqttc"
    shared = None

    def command(self):
        if not os.access(BINARY, os.X_OK):
            raise RuntimeError(f"{BINARY} is not there; tests/run builds it")
        return [str(BINARY)]


class Rumqttc(Client):
    """Reports neither the code of a PUBREC, nor properties that come with a refusal."""

    count = 0

    def connect(self, clean=True, keep_alive=30, username=None, password=None, will=None, **properties):
        Rumqttc.count += 1
        self.name = f"{self.client_id}#{Rumqttc.count}"
        self.program = Program.get()
        self.program.clients[self.name] = self
        self.subacks, self.published = queue.Queue(), queue.Queue()
        options = {"clientId": self.client_id, "port": self.port, "clean": clean, "keepalive": keep_alive}
        options |= {"protocolVersion": self.version, "properties": properties}
        if username is not None:
            options |= {"username": username, "password": password}
        if will:
            options["will"] = {**will, "payload": will["payload"].hex()}
        self.program.ask("connect", self.name, options=options)
        return self._await_connack()

    def heard(self, said):
        event = said["event"]
        if event == "connack":
            properties = dict(sorted((said.get("properties") or {}).items()))
            self.connack.put({"code": said["code"], "session_present": said["session_present"], "properties": properties})
        elif event == "suback":
            self.subacks.put(said["codes"])
        elif event == "published":
            self.published.put(said["code"])
        elif event == "message":
            payload = bytes.fromhex(said["payload"])
            self._arrived(said["topic"], payload, said["qos"], said["retain"], said["dup"], dict(sorted(said["properties"].items())))
        elif event == "disconnect":
            self.end_reason = said["code"]
        elif event == "close":
            self.ended.set()

    def subscribe(self, *filters, qos=0):
        self.program.ask("subscribe", self.name, filters=list(filters), qos=qos)
        return Paho._await(self.subacks)

    def unsubscribe(self, *filters):
        codes = []
        for f in filters:
            self.program.ask("unsubscribe", self.name, filter=f)
            codes += Paho._await(self.subacks)
        return codes

    def publish_all(self, messages):
        lines = []
        for m in messages:
            given = {k: v.hex() if isinstance(v, bytes) else v for k, v in m.get("properties", {}).items()}
            lines.append({**m, "payload": m["payload"].hex(), "properties": given})
        self.program.ask("publish", self.name, messages=lines)
        return [Paho._await(self.published) for _ in messages]

    def disconnect(self):
        self.program.ask("disconnect", self.name)
        self.await_end()

    def cut(self):
        if hasattr(self, "program") and not self.ended.is_set():
            self.program.ask("cut", self.name)
