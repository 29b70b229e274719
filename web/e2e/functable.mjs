// A module without the parts of its function table that only files and lines of a traceback need does what it did, and
// names the functions that fail.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goFlags, goModule, finished } from '../build.mjs';
import { compareTables, FunctionTable, shownName, trimFunctionTable } from '../functable.mjs';
import { changeMemory } from '../segments.mjs';
import { compileTest, root } from './harness/program.mjs';

const folder = mkdtempSync(join(tmpdir(), 'wardbook-functable-'));
const exec = join(execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim(), 'lib/wasm/wasm_exec_node.js');

/** Runs a module under node, in a folder. */
function run(module, args = [], cwd = folder) {
  const file = join(folder, 'run.wasm');
  writeFileSync(file, module);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--stack-size=8192', exec, file, ...args], { cwd, encoding: 'utf8', env: { PATH: process.env.PATH, GOGC: '20' }, maxBuffer: 1 << 26 });
  return { status, stdout, stderr };
}

/** The table of a module, in a memory of its own. */
function tableOf(module) {
  let table;
  changeMemory(module, (memory) => (table = new FunctionTable(memory)));
  return table;
}

try {
  const file = join(folder, 'strained.wasm');
  execFileSync('go', ['build', ...goFlags, '-o', file, './web/e2e/testdata/strained'], { cwd: root, env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' } });
  const linked = readFileSync(file);
  const trimmed = trimFunctionTable(linked);
  const shipped = finished(linked);

  // It does what it did: stacks grow, garbage is collected, panics are caught.
  const before = run(linked);
  assert.equal(before.status, 0, before.stderr);
  assert.match(before.stdout, /^caught .*index out of range .* at 0 at 1 at 2/m);
  assert.deepEqual(run(trimmed), before, 'trimmed');
  assert.deepEqual(run(shipped), before, 'as it is shipped');

  // It names what fails, and neither files nor lines.
  const failed = run(linked, ['fail']), told = run(shipped, ['fail']);
  assert.equal(told.status, 2);
  assert.match(failed.stderr, /main\.go:\d+/, 'the linker’s own form tells lines');
  assert.doesNotMatch(told.stderr, /main\.go/);
  assert.match(told.stderr, /panic: runtime error: index out of range \[\d+\] with length 0/);
  const functions = (text) => text.split('\n').filter((line) => /^\w.*\(.*\)$/.test(line)).map((line) => line.replace(/\(.*/, ''));
  assert.deepEqual(functions(told.stderr), functions(failed.stderr));
  assert.deepEqual(functions(told.stderr).slice(-2), ['main.fails', 'main.main']);

  // So does the client itself, where it panics because it is in no browser.
  const lost = run(goModule());
  assert.equal(lost.status, 2);
  assert.match(lost.stderr, /^panic: syscall\/js: .* undefined$/m);
  assert.match(functions(lost.stderr).join(' '), /^syscall\/js\.Value\.\w+ .*main\.main$/);
  assert.doesNotMatch(lost.stderr, /runtime\.\(\*x\)/);

  // Of names there is left what is seen of them.
  const names = { 'main.main': 'main.main', 'slices.SortFunc[go.shape.[]int,go.shape.struct { A int "json:\\"a\\"" }].func1': 'slices.SortFunc[...].func1', 'runtime.(*mheap).alloc': 'runtime.(*x).x', 'runtime.mallocgc': 'runtime.(*x).x', 'runtime.GC.func1': 'runtime.(*x).x', 'runtime.GC': 'runtime.GC', 'runtime.(*Func).Name': 'runtime.(*Func).Name', 'runtime.Error.Error': 'runtime.Error.Error', 'runtime.gopanic': 'runtime.gopanic', 'runtime/debug.Stack': 'runtime/debug.Stack', 'reflect.makeFuncStub': 'reflect.makeFuncStub', 'type:.eq.[2]main.node': 'type:.eq', 'type:.hash.main.node': 'type:.hash' };
  for (const [name, shown] of Object.entries(names)) assert.equal(shownName(name), shown);
  const exported = (name) => { // as isExportedRuntime of Go’s runtime/traceback.go has it
    const rest = name.slice('runtime.'.length), dot = rest.lastIndexOf('.'), receiver = rest.slice(0, Math.max(dot, 0)).replace(/^\(\*(.*)\)$/, '$1');
    return /^[A-Z]/.test(rest.slice(dot + 1)) && (dot < 0 || /^[A-Z]/.test(receiver));
  };
  const [long, short] = [tableOf(linked), tableOf(trimmed)];
  let hidden = 0;
  for (let index = 0; index < long.count; index++) {
    const [whole, left] = [long, short].map((table) => table.name(table.u32(table.function(index) + 4)));
    assert.equal(left, shownName(whole));
    assert.equal(shownName(left), left);
    assert.equal(left.startsWith('runtime.'), whole.startsWith('runtime.'), whole); // by which goroutines of the runtime are known
    if (left !== 'runtime.(*x).x') continue;
    assert.ok(!exported(whole), whole);
    hidden++;
  }
  assert.ok(hidden > 1000 && !exported('runtime.(*x).x'));

  // Other versions and layouts are refused.
  const patched = (from, to) => {
    const bytes = Buffer.from(linked);
    for (let at = bytes.indexOf(from, 0, 'latin1'); at >= 0; at = bytes.indexOf(from, at + 1, 'latin1')) bytes.write(to, at, 'latin1');
    return bytes;
  };
  assert.throws(() => trimFunctionTable(patched('go1.26.', 'go1.27.')), /built by go1\.27/);
  assert.throws(() => trimFunctionTable(patched('\xf1\xff\xff\xff\0\0\x01\x08', '\xf0')), /0 headers/);

  // Anything wrong that was dropped is noticed: each byte that the runtime reads, of some functions.
  const whole = tableOf(linked), table = tableOf(trimmed);
  compareTables(whole, table);
  const places = { 'a name': [], 'a stack pointer': [], 'a stack map index': [], 'a stack map': [], 'objects on the stack': [], 'an entry': [], 'a flag': [], 'where defers run': [] };
  for (let index = 3; index < table.count; index += Math.floor(table.count / 40)) {
    const at = table.function(index);
    const { pcdata, funcdata } = table.tables(at);
    places['a name'].push(table.names.at + table.u32(at + 4));
    places['an entry'].push(at);
    places['a flag'].push(at + 41);
    places['where defers run'].push(at + 12);
    if (table.u32(at + 16)) places['a stack pointer'].push(table.pctab.at + table.u32(at + 16));
    if (pcdata[1] && table.u32(pcdata[1])) places['a stack map index'].push(table.pctab.at + table.u32(pcdata[1]));
    if (funcdata[1] && table.u32(funcdata[1]) !== 0xffffffff) places['a stack map'].push(table.funcdata.at + table.u32(funcdata[1]));
    if (funcdata[2] && table.u32(funcdata[2]) !== 0xffffffff) places['objects on the stack'].push(table.funcdata.at + table.u32(funcdata[2]));
  }
  const { memory } = table;
  for (const [what, at] of Object.entries(places)) {
    assert.ok(at.length > 0, what);
    for (const place of at) {
      const byte = memory[place];
      memory[place] = byte === 0 ? 1 : 0;
      assert.throws(() => compareTables(whole, table), Error, `${what} at ${place}`);
      memory[place] = byte;
    }
  }
  for (const place of [table.finder.at + 200 * 20, table.names.at - 1, table.finder.end + 1]) {
    memory[place] ^= 0xff;
    assert.throws(() => compareTables(whole, table), Error, `outside, at ${place}`);
    memory[place] ^= 0xff;
  }
  compareTables(whole, table);

  // The tests of packages pass in that form.
  for (const pkg of ['./conflict', './client-wasm/replica']) {
    const test = join(folder, 'test.wasm');
    await compileTest(pkg, test);
    const { status, stdout, stderr } = run(readFileSync(test), ['-test.short'], join(root, pkg));
    assert.equal(status, 0, `${pkg}: ${stdout}${stderr}`);
    assert.match(stdout, /^PASS$/m);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
