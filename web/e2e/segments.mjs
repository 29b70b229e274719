// Joined segments of a module make the same memory.
import assert from 'node:assert/strict';
import { joinSegments } from '../segments.mjs';

const leb = (n) => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...leb(n >>> 7)]);
const signed = (n) => ((n >> 6 === 0 && n >= 0) || n >> 6 === -1 ? [n & 0x7f] : [(n & 0x7f) | 0x80, ...signed(n >> 7)]);
const section = (id, content) => [id, ...leb(content.length), ...content];

/** A module of so many pages whose exported memory "m" begins with these segments. */
function moduleOf(pages, segments) {
  const data = segments.flatMap(([at, bytes]) => [0, 0x41, ...signed(at), 0x0b, ...leb(bytes.length), ...bytes]);
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(5, [1, 0, ...leb(pages)]), ...section(7, [1, 1, 0x6d, 2, 0]), ...section(11, [...leb(segments.length), ...data])]);
}

const memoryOf = async (module) => new Uint8Array((await WebAssembly.instantiate(module)).instance.exports.m.buffer);
async function check(name, pages, segments) {
  const before = moduleOf(pages, segments);
  const after = joinSegments(before);
  assert.deepEqual(Buffer.from(await memoryOf(after)), Buffer.from(await memoryOf(before)), name);
  return { before: before.length, after: after.length };
}

let seed = 7;
const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
for (let run = 0; run < 200; run++) {
  const segments = [];
  for (let at = random(100), i = 0; i < 1 + random(40); i++) {
    const bytes = Array.from({ length: random(200) }, () => random(256));
    segments.push([at, bytes]);
    at += bytes.length + [0, 1, 8, 63, 64, 65, 500, 5000][random(8)];
    if (at > 0x1ff00) break;
  }
  await check(`run ${run}`, 3, segments);
}

const near = await check('near each other', 1, Array.from({ length: 1000 }, (_, i) => [i * 17, [1, 2, 3, 4, 5, 6, 7, 8, 9]]));
assert.ok(near.after < near.before + 8000 && near.after > 16_000, 'one segment, with its zeros');
await check('in another order', 1, [[2000, [1]], [1000, [2, 3]], [1010, [4]], [900, [5]]]);
assert.throws(() => joinSegments(moduleOf(1, [[20, [1, 2, 3]], [10, [4, 5]], [22, [6]]])), /over each other/, 'which of them stays depends on their order');
await check('high addresses', 40_000, [[0x80000000 | 0, [1, 2, 3]], [(0x80000000 | 0) + 20, [4]], [(0x9c3fff00 | 0), [5, 6]]]);
assert.throws(() => joinSegments(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(11, [1, 1, 1, 7])])), /fixed address/);
