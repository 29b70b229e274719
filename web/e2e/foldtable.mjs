// A module whose function table is folded unfolds it to the same bytes when it is instantiated, or is refused.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { goFlags } from '../build.mjs';
import { foldFunctionTable } from '../foldtable.mjs';
import { FunctionTable, trimFunctionTable } from '../functable.mjs';
import { changeMemory, joinSegments } from '../segments.mjs';
import { root } from './harness/program.mjs';

const folder = mkdtempSync(join(tmpdir(), 'wardbook-foldtable-'));

/** The memory of a module that has been instantiated, and nothing called. */
function memoryOf(module) {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(module));
  const gojs = Object.fromEntries(imports.map(({ name }) => [name, () => assert.fail(`${name} is called`)]));
  return Buffer.from(new WebAssembly.Instance(new WebAssembly.Module(module), { gojs }).exports.mem.buffer);
}

/** A module with something else in its initial memory. */
const changed = (module, change) => changeMemory(module, (memory) => change(memory, new FunctionTable(memory)));
const small = (module) => brotliCompressSync(module, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length;

try {
  const file = join(folder, 'strained.wasm');
  execFileSync('go', ['build', ...goFlags, '-o', file, './web/e2e/testdata/strained'], { cwd: root, env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' } });
  const trimmed = trimFunctionTable(readFileSync(file));
  const folded = foldFunctionTable(trimmed);

  // Instantiated, both are the same; on the line, the folded one has none of the records, and is smaller. (That it runs
  // as it did, functable.mjs tries.)
  const before = memoryOf(trimmed);
  assert.ok(before.equals(memoryOf(folded)));
  assert.ok(before.equals(memoryOf(joinSegments(folded))), 'as it is shipped');
  let table;
  changed(trimmed, (_, one) => (table = one));
  changeMemory(folded, (memory) => {
    for (const [what, from, to] of [['index', table.functions.at, table.functions.at + 8 * table.count], ['records', table.function(0), table.functions.end]]) {
      assert.ok(memory.subarray(from, to).every((byte) => byte === 0), what);
    }
  });
  assert.ok(small(joinSegments(folded)) < 0.98 * small(joinSegments(trimmed)));

  // What it could not write again is refused: a table that names each function, numbers anywhere between, a start of its own.
  assert.throws(() => foldFunctionTable(readFileSync(file)), /does not unfold/);
  for (const [what, at] of [['behind a record', table.function(1) - 4], ['the table that finds functions', table.finder.at + 20 * 16 * 9], ['within it', table.finder.at + 205]]) {
    assert.throws(() => foldFunctionTable(changed(trimmed, (memory) => (memory[at] ^= 1))), /does not unfold/, what);
  }
  assert.throws(() => foldFunctionTable(folded), Error);

  // Every number of a record comes back, whatever it is: also offsets in another order, none at all, and the last first.
  const odd = changed(trimmed, (memory, table) => {
    const places = (index) => {
      const at = table.function(index), { pcdata, funcdata } = table.tables(at);
      return [at + 4, at + 16, pcdata[1], pcdata[2], funcdata[0], funcdata[1], funcdata[2]];
    };
    for (let index = 0; index < table.count; index += 3) {
      const other = places(index % 2 ? (index * 7919) % table.count : table.count - 1 - index);
      places(index).forEach((place, i) => place && other[i] && memory.writeUInt32LE(memory.readUInt32LE(other[i]), place));
    }
    for (let index = 0; index < table.count; index += 7) {
      const at = table.function(index), { pcdata, funcdata } = table.tables(at);
      [pcdata[2], funcdata[0], funcdata[1], funcdata[2]].forEach((place, i) => place && memory.writeUInt32LE(i === 0 ? 0 : 0xffffffff, place));
      [at + 8, at + 12, pcdata[0], ...funcdata.slice(3)].forEach((place, i) => place && memory.writeUInt32LE([0xffffffff, 0xdeadbeef, 0x80000000, 127, 128, 0, 1, 2][i], place));
    }
  });
  assert.ok(!memoryOf(odd).equals(before));
  assert.ok(memoryOf(odd).equals(memoryOf(foldFunctionTable(odd))));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
