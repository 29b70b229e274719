// The initial memory of a WebAssembly module is a list of segments, each with the address where it goes; what lies
// between them is zero. Go's linker begins a new one behind every eight zeros: a hundred thousand of them, whose
// addresses and lengths pack badly. Fewer and longer ones, zeros and all, make the same memory of fewer bytes on the
// line.

const CUSTOM = 0;
const DATA = 11;
const I32_CONST = 0x41;
const END = 0x0b;

/** Joins segments between which lie at most so many zeros. Fewer than 16 leave addresses, more than 256 gain nothing. */
const GAP = 64;

/** An unsigned LEB128 number at `at` of bytes: the number, and where the next thing begins. */
export function unsigned(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

/** A signed LEB128 number of at most 32 bits, as an address: addresses above 2 GiB are written as negative numbers. */
function address(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [(shift < 28 && byte & 0x40 ? value | (-1 << (shift + 7)) : value) >>> 0, at];
  }
}

export function lebUnsigned(value) {
  const out = [];
  for (; value > 0x7f; value = Math.floor(value / 0x80)) out.push((value % 0x80) | 0x80);
  return Buffer.from([...out, value]);
}

/** The signed LEB128 bytes of a number of 32 bits; also of an address, those above 2 GiB as negative numbers. */
export function lebSigned(value) {
  const out = [];
  for (let rest = value | 0; ; rest >>= 7) {
    const byte = rest & 0x7f;
    const last = (rest >> 7 === 0 && !(byte & 0x40)) || (rest >> 7 === -1 && byte & 0x40);
    out.push(last ? byte : byte | 0x80);
    if (last) return Buffer.from(out);
  }
}

/** The segments of a data section whose content begins at `at`. */
function read(bytes, at) {
  const segments = [];
  let [count, next] = unsigned(bytes, at);
  for (; count > 0; count--) {
    if (bytes[next] !== 0 || bytes[next + 1] !== I32_CONST) throw new Error('a data segment of the module is not one that goes to a fixed address of memory 0');
    const [begin, end] = address(bytes, next + 2);
    if (bytes[end] !== END) throw new Error('the address of a data segment of the module is not a constant');
    const [length, from] = unsigned(bytes, end + 1);
    next = from + length;
    segments.push({ begin, end: begin + length, parts: [{ at: begin, bytes: bytes.subarray(from, next) }] });
  }
  return segments;
}

/** The parts of a segment between which lie more than GAP zeros, each without those at its ends. */
function* dense({ begin, end, parts }) {
  const memory = Buffer.alloc(end - begin);
  for (const part of parts) part.bytes.copy(memory, part.at - begin);
  for (let from = 0, last = -1, at = 0; at <= memory.length; at++) {
    if (at < memory.length && memory[at] === 0) continue;
    if (last >= 0 && (at === memory.length || at - last > GAP)) {
      yield { begin: begin + from, memory: memory.subarray(from, last + 1) };
      last = -1;
    }
    if (last < 0) from = at;
    last = at;
  }
}

const written = ({ begin, memory }) => Buffer.concat([Buffer.from([0, I32_CONST]), lebSigned(begin), Buffer.from([END]), lebUnsigned(memory.length), memory]);

/** The sections of a module: what kind each is, all its bytes, and where among those its content begins. */
export function* sectionsOf(bytes) {
  for (let at = 8; at < bytes.length; ) {
    const [length, content] = unsigned(bytes, at + 1);
    yield { kind: bytes[at], bytes: bytes.subarray(at, content + length), content: content - at };
    at = content + length;
  }
}

/** A section of a kind and content. */
export const section = (kind, content) => Buffer.concat([Buffer.from([kind]), lebUnsigned(content.length), content]);

/** The content of a custom section, or undefined. */
export function customSection(module, name) {
  for (const { kind, bytes, content } of sectionsOf(Buffer.from(module))) {
    if (kind !== CUSTOM) continue;
    const [length, at] = unsigned(bytes, content);
    if (bytes.toString('utf8', at, at + length) === name) return bytes.subarray(at + length);
  }
}

/** Returns the module with what `change` made of its initial memory, which it is given from address 0 to the last byte that is not left zero. */
export function changeMemory(module, change) {
  const bytes = Buffer.from(module);
  const parts = [bytes.subarray(0, 8)];
  for (const part of sectionsOf(bytes)) {
    if (part.kind !== DATA) {
      parts.push(part.bytes);
      continue;
    }
    const segments = read(part.bytes, part.content);
    const memory = Buffer.alloc(Math.max(...segments.map(({ end }) => end)));
    for (const { begin, parts: [{ bytes }] } of segments) bytes.copy(memory, begin);
    change(memory);
    parts.push(section(DATA, Buffer.concat([lebUnsigned(1), written({ begin: 0, memory })])));
  }
  return Buffer.concat(parts);
}

/** Returns the module with the same memory in fewer segments. */
export function joinSegments(module) {
  const bytes = Buffer.from(module);
  const parts = [bytes.subarray(0, 8)];
  for (const part of sectionsOf(bytes)) {
    if (part.kind !== DATA) {
      parts.push(part.bytes);
      continue;
    }
    const joined = [];
    for (const segment of read(part.bytes, part.content).sort((one, other) => one.begin - other.begin)) { // the linker's own order is that of its sections
      const last = joined.at(-1);
      if (last && segment.begin < last.end) throw new Error('data segments of the module lie over each other');
      if (last && segment.begin - last.end <= GAP) {
        last.end = segment.end;
        last.parts.push(...segment.parts);
      } else {
        joined.push(segment);
      }
    }
    const segments = joined.flatMap((segment) => [...dense(segment)]);
    parts.push(section(DATA, Buffer.concat([lebUnsigned(segments.length), ...segments.map(written)])));
  }
  return Buffer.concat(parts);
}
