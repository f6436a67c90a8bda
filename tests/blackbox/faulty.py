"""A proxy that breaks one promise on purpose, to prove that tests fail when it is broken. `faulty.py MODE UPSTREAM_PORT`.

It frames MQTT and forwards it, except for what its mode does. `prove.py` runs the suite with each mode.
"""

import asyncio
import os
import sys

from wire import DISCONNECT, HOST, PINGREQ, PINGRESP, frames, packet

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, SUBSCRIBE, SUBACK, UNSUBACK = 0x10, 0x20, 0x30, 0x40, 0x50, 0x80, 0x90, 0xB0


def length_bytes(p: bytes) -> int:
    n = 1
    while p[n] & 0x80:
        n += 1
    return n


class Connection:
    version = 4
    count = 0
    goodbye = False
    seen = False
    spared = False

    def body(self, p):
        return 1 + length_bytes(p)

    def parts(self, p):
        """A PUBLISH in pieces: topic, packet identifier, properties with their length, payload."""
        at = self.body(p)
        topic = at + 2 + int.from_bytes(p[at : at + 2], "big")
        identifier = topic + (2 if p[0] & 0x06 else 0)
        properties = identifier
        if self.version == 5 and len(p) > identifier:
            size = shift = 0
            while True:
                byte = p[properties]
                size |= (byte & 0x7F) << shift
                shift += 7
                properties += 1
                if byte < 0x80:
                    break
            properties += size
        return p[at:topic], p[topic:identifier], p[identifier:properties], p[properties:]

    # Each mode: what becomes of a packet from the device (up) or from the broker (down): a list of (direction, packet).

    def straight(self, direction, p):
        return [(direction, p)]

    def corrupt(self, direction, p):
        """Changes the last byte of each payload."""
        if p[0] & 0xF0 == PUBLISH and self.parts(p)[3]:
            p = p[:-1] + bytes([p[-1] ^ 1])
        return [(direction, p)]

    def lose(self, direction, p):
        """Loses every second PUBLISH, and answers for it."""
        if p[0] & 0xF0 == PUBLISH:
            self.count += 1
            if self.count % 2 == 0:
                back = "down" if direction == "up" else "up"
                return [(back, packet(PUBACK, self.parts(p)[1]))] if p[0] & 0x06 == 2 else []
        return [(direction, p)]

    def twice(self, direction, p):
        """Sends each QoS 0 and 1 PUBLISH twice."""
        return [(direction, p)] * (2 if p[0] & 0xF0 == PUBLISH and not p[0] & 0x04 else 1)

    def unretain(self, direction, p):
        """Forgets the retain flag."""
        return [(direction, bytes([p[0] & 0xFE]) + p[1:] if p[0] & 0xF0 == PUBLISH else p)]

    def strip(self, direction, p):
        """Drops the properties of PUBLISH and CONNACK."""
        if self.version == 5 and p[0] & 0xF0 == PUBLISH:
            topic, identifier, _, payload = self.parts(p)
            p = packet(p[0], topic + identifier + b"\0" + payload)
        if self.version == 5 and p[0] == CONNACK:
            p = packet(CONNACK, p[self.body(p) :][:2] + b"\0")
        return [(direction, p)]

    def eager(self, direction, p):
        """Acknowledges for the broker, and for the device."""
        back = "down" if direction == "up" else "up"
        if p[0] & 0xF0 == PUBLISH and p[0] & 0x06:
            return [(direction, p), (back, packet(PUBACK if p[0] & 0x06 == 2 else PUBREC, self.parts(p)[1]))]
        return [] if p[0] in (PUBACK, PUBREC) else [(direction, p)]

    def welcoming(self, direction, p):
        """Says CONNACK itself, before the broker did."""
        if p[0] == CONNECT:
            return [(direction, p), ("down", bytes.fromhex("2003000000" if self.version == 5 else "20020000"))]
        return [] if p[0] == CONNACK else [(direction, p)]

    def flatten(self, direction, p):
        """Flattens codes: every acknowledgement, refusal and goodbye says the same."""
        if p[0] in (SUBACK, UNSUBACK) or (p[0] in (PUBACK, PUBREC) and len(p) > 4):
            p = p[:-1] + b"\x80"
        if p[0] == CONNACK and p[3]:
            p = p[:3] + (b"\x83" if self.version == 5 else b"\x03") + p[4:]
        if p[0] == 0xE0 and len(p) > 2:
            p = p[:2] + b"\x83" + p[3:]
        return [(direction, p)]

    def harsh(self, direction, p):
        """Closes on the first packet behind CONNECT; bystanders live."""
        self.count += direction == "up" and b"bystander-" not in p and not self.spared
        self.spared |= p[0] == CONNECT and b"bystander-" in p
        return [("end", b"")] if self.count > 1 else [(direction, p)]

    def reset(self, direction, p):
        """Clean start for everyone, and another keep alive."""
        if p[0] == CONNECT:
            flags = p.index(b"\0\x06MQIsdp") + 9 if b"\0\x06MQIsdp" in p else self.body(p) + 7
            p = p[:flags] + bytes([p[flags] | 0x02, 0, 60]) + p[flags + 3 :]
        return [(direction, p)]

    def cling(self, direction, p):
        """Clean start for nobody."""
        if p[0] == CONNECT and self.version == 4:
            flags = self.body(p) + 7
            p = p[:flags] + bytes([p[flags] & 0xFD]) + p[flags + 1 :]
        return [(direction, p)]

    def grant(self, direction, p):
        """Turns a failed subscription into a granted one."""
        return [(direction, p[:-1] + b"\x01" if p[0] == SUBACK else p)]

    def lower(self, direction, p):
        """Subscribes at QoS 0."""
        if p[0] == SUBSCRIBE | 2:
            p = p[:-1] + bytes([p[-1] & 0xFC])
        return [(direction, p)]

    def own_pings(self, direction, p):
        """Answers pings itself."""
        return [("down", PINGRESP)] if p == PINGREQ else [(direction, p)]

    def no_pings(self, direction, p):
        """Forgets pings."""
        return [] if p == PINGREQ else [(direction, p)]

    def hasty(self, direction, p):
        """Ends the session on DISCONNECT without telling the broker."""
        return [("end", b"")] if direction == "up" and p[0] == 0xE0 else [(direction, p)]

    # What these do, they do where connections end.
    polite = deaf = fragile = straight


async def session(mode, upstream, device):
    connection = Connection()
    treat = getattr(connection, mode)
    broker = await asyncio.open_connection(HOST, upstream)
    ends = {"up": broker[1], "down": device[1]}

    async def pump(direction, reader):
        buffer = bytearray()
        framed = True
        try:
            while data := await reader.read(65536):
                buffer += data
                # What is no MQTT is not framed.
                framed = framed and (connection.seen or direction == "down" or buffer[0] == CONNECT)
                if framed:
                    try:
                        for p in frames(buffer):
                            if direction == "up" and p[0] == CONNECT:
                                connection.seen = True
                                name = p[1 + length_bytes(p) :]
                                connection.version = name[2 + name[1]] if len(name) > 8 else 4
                            connection.goodbye |= direction == "up" and p[0] == 0xE0
                            try:
                                out = treat(direction, p)
                            except (IndexError, ValueError):
                                out = [(direction, p)]
                            for towards, q in out:
                                if towards == "end":
                                    return
                                ends[towards].write(q)
                    except ValueError:
                        framed = False
                if not framed:
                    ends[direction].write(bytes(buffer))
                    buffer.clear()
        except ConnectionError:
            pass
        ends[direction].write(bytes(buffer))

    pumps = [asyncio.create_task(pump("up", device[0])), asyncio.create_task(pump("down", broker[0]))]
    if mode == "deaf":
        await pumps[0]
        await pumps[1]
    else:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    if mode == "fragile" and not connection.goodbye:
        os._exit(101)
    if mode == "polite" and pumps[0].done() and not connection.goodbye:
        broker[1].write(DISCONNECT)
    for writer in ends.values():
        writer.close()
    # Whatever is written already still goes out; no more comes in.
    for task in pumps:
        task.cancel()


async def main(mode, upstream):
    async def accepted(reader, writer):
        await session(mode, upstream, (reader, writer))

    server = await asyncio.start_server(accepted, HOST, 0)
    print(f"listening listener=faulty address={HOST}:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
