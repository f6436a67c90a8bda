// mqtt.js behind a JSON line protocol: one command per line on stdin, one answer or event per line on stdout.
// Commands: {seq, op, client, ...}. Answers: {seq, result} or {seq, error}. Events: {client, event, ...}.
// Not a test: it reports what mqtt.js saw, and decides nothing.
import mqtt from "mqtt";
import readline from "node:readline";

const clients = new Map();

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// Buffers travel as {"hex": …}; everything else as it is.
const plain = (value) => {
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) return { hex: Buffer.from(value).toString("hex") };
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
};
const revive = (value) => {
  if (value && typeof value === "object" && typeof value.hex === "string") return Buffer.from(value.hex, "hex");
  if (Array.isArray(value)) return value.map(revive);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
  return value;
};

const operations = {
  connect(name, { port, options }) {
    const client = mqtt.connect({
      host: "127.0.0.1",
      port,
      protocol: "mqtt",
      reconnectPeriod: 0,
      connectTimeout: 20_000,
      resubscribe: false,
      ...revive(options),
    });
    clients.set(name, client);
    client.on("error", (error) => say({ client: name, event: "error", text: String(error) }));
    client.on("close", () => say({ client: name, event: "close" }));
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack" || packet.cmd === "disconnect" || packet.cmd === "suback" || packet.cmd === "unsuback")
        say({ client: name, event: packet.cmd, packet: plain(packet) });
    });
    client.on("message", (topic, payload, packet) =>
      say({
        client: name,
        event: "message",
        topic,
        payload: payload.toString("base64"),
        qos: packet.qos,
        retain: packet.retain,
        dup: packet.dup,
        properties: plain(packet.properties ?? {}),
      }),
    );
    return null;
  },
  subscribe(name, { filters, properties }) {
    return new Promise((resolve) => {
      // The codes are taken from the SUBACK event; an error here only repeats them.
      clients.get(name).subscribe(filters, properties ? { properties } : {}, () => resolve(null));
    });
  },
  unsubscribe(name, { filters }) {
    return new Promise((resolve) => clients.get(name).unsubscribe(filters, () => resolve(null)));
  },
  publish(name, { messages }) {
    const client = clients.get(name);
    return Promise.all(
      messages.map(
        ({ topic, payload, options }) =>
          new Promise((resolve) => {
            client.publish(topic, Buffer.from(payload, "base64"), revive(options), (error, packet) =>
              resolve({ error: error ? String(error) : null, code: error?.code ?? packet?.reasonCode ?? 0 }),
            );
          }),
      ),
    );
  },
  disconnect(name) {
    return new Promise((resolve) => clients.get(name).end(false, {}, () => resolve(null)));
  },
  cut(name) {
    clients.get(name).stream.destroy();
    return null;
  },
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const command = JSON.parse(line);
  try {
    const result = await operations[command.op](command.client, command);
    say({ seq: command.seq, result: result ?? null });
  } catch (error) {
    say({ seq: command.seq, error: String(error?.stack ?? error) });
  }
}).on("close", () => process.exit(0));
say({ event: "ready" });
