// Extracts the test vectors of npm's mqtt-packet into vectors.json, for tests/wire_vectors.rs.
//
//   cd "$(mktemp -d)" && npm pack mqtt-packet@9.0.2 && tar xzf mqtt-packet-9.0.2.tgz
//   node …/tests/data/mqtt-packet/extract.mjs package > …/tests/data/mqtt-packet/vectors.json
//
// The package's test.js is run with its own test functions replaced by ones that write their
// arguments down. Nothing of the package is executed but that file.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2]
const vectors = []

// Buffers become {"hex": …}, so that text and bytes stay apart.
function plain (value) {
  if (Buffer.isBuffer(value)) return { hex: value.toString('hex') }
  if (Array.isArray(value)) return value.map(plain)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  }
  return value
}

function note (verdict, name, packet, bytes, options) {
  // The one vector of 256 MiB says nothing that a small one doesn't.
  if (bytes.length > 4096) return
  const version = packet?.cmd === 'connect' ? packet.protocolVersion : options?.protocolVersion
  vectors.push({ verdict, name, version: version ?? 4, packet: plain(packet), bytes: bytes.toString('hex') })
}

const recorders = {
  testParseGenerate: (name, packet, bytes, options) => note('both', name, packet, bytes, options),
  testParseAndGenerate: (name, packet, bytes, options) => note('both', name, packet, bytes, options),
  testParseOnly: (name, packet, bytes, options) => note('decode', name, packet, bytes, options),
  testParseGenerateDefaults: (name, _, bytes, packet, options) => note('both', name, packet, bytes, options),
  testGenerateOnly: (name, packet, bytes, options) => note('encode', name, packet, bytes, options),
  testParseError: (name, bytes, options) => note('refuse', name, null, bytes, options),
  testGenerateError: () => {},
  testGenerateErrorMultipleCmds: () => {},
  testWriteToStreamError: () => {}
}

let source = readFileSync(join(folder, 'test.js'), 'utf8')
for (const name of Object.keys(recorders)) {
  source = source.replace(`function ${name} (`, `function original_${name} (`)
}
const require = name => name === 'tape' ? () => {} : {}
new Function('require', 'Buffer', ...Object.keys(recorders), source)(require, Buffer, ...Object.values(recorders))

const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const lines = vectors.map(vector => JSON.stringify(vector)).join(',\n')
console.log(`{"source": "mqtt-packet ${version}", "vectors": [\n${lines}\n]}`)
