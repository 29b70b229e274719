// Code that was written with fewer numbers does what it did, and any other difference would be noticed.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goFlags } from '../build.mjs';
import { compareBodies, functionsOf, rewriteCode } from '../code.mjs';
import { root } from './harness/program.mjs';

const folder = mkdtempSync(join(tmpdir(), 'wardbook-code-'));
const exec = join(execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim(), 'lib/wasm/wasm_exec_node.js');
const file = join(folder, 'strained.wasm');

/** Runs a module under node. Little stack is left to it, and much garbage collected. */
function run(module, ...args) {
  writeFileSync(file, module);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--stack-size=8192', exec, file, ...args], { encoding: 'utf8', env: { PATH: process.env.PATH, GOGC: '20' } });
  return { status, stdout, stderr };
}

try {
  execFileSync('go', ['build', ...goFlags, '-o', file, './web/e2e/testdata/strained'], { cwd: root, env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' } });
  const linked = readFileSync(file);
  const rewritten = rewriteCode(linked);
  const told = run(linked);
  assert.equal(told.status, 0, told.stderr);
  assert.deepEqual(run(rewritten), told);
  // The addresses of functions, and so their lines, are what they were.
  const lines = (text) => text.split('\n').filter((line) => /main\.go:\d+/.test(line));
  const failed = run(linked, 'fail');
  assert.equal(lines(failed.stderr).length, 2, failed.stderr);
  assert.deepEqual(lines(run(rewritten, 'fail').stderr), lines(failed.stderr));

  // Every step is taken, and none of the numbers that it is about is left where it could have been.
  const [one, other] = [linked, rewritten].map((module) => functionsOf(module).functions);
  assert.equal(one.length, other.length);
  const changed = one.map((_, i) => i).filter((i) => !one[i].body.equals(other[i].body));
  assert.ok(changed.length > 0.8 * one.length, `${changed.length} of ${one.length} functions are written otherwise`);
  assert.throws(() => compareBodies(one[changed[0]], other[changed[1]].body), /does not do what it did/);

  // Any byte of the new code that is another is noticed: of functions from everywhere, a thousand bytes.
  let seed = 11;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let time = 0; time < 1000; time++) {
    const i = changed[random(changed.length)];
    compareBodies(one[i], other[i].body);
    const wrong = Buffer.from(other[i].body);
    const at = random(wrong.length);
    wrong[at] ^= 1 << random(7);
    assert.throws(() => compareBodies(one[i], wrong), Error, `byte ${at} of function ${i}`);
  }
  assert.throws(() => rewriteCode(Buffer.concat([linked.subarray(0, 8), Buffer.from([1, 5, 1, 0x60, 1, 0x7f, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0xfd, 0, 0x0b])])), /instruction 253/);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
