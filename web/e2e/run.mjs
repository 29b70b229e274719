// Runs every browser test after the other, one line each; what a failing one printed follows its line.
//
//   node e2e/run.mjs [WORD...]      only tests whose name holds one of the words
//
// Everything runs in Chromium. The journeys on which most depends run in Firefox as well, where they are named
// firefox-...; BROWSER=firefox node e2e/journey-....mjs runs any other there.
//
// Exits 1 if one failed or if there was none to run.
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const limit = 15 * 60_000;

/** Go packages whose tests run as WebAssembly in the browser too. */
const packages = ['./client-wasm/store/driver', './client-wasm/store'];

/** Journeys that run in Firefox too: working offline and over a restart, two officers, several tabs, the desk. */
const firefox = ['offline', 'officers', 'tabs', 'desk'];

async function all() {
  const scripts = (await readdir(here)).filter((name) => name.endsWith('.mjs') && name !== 'run.mjs').sort();
  return [
    ...packages.map((name) => ({ name, command: ['e2e/harness/gotest.mjs', name] })),
    ...scripts.map((name) => ({ name: name.replace('.mjs', ''), command: [`e2e/${name}`] })),
    ...firefox.map((name) => ({ name: `firefox-${name}`, command: [`e2e/journey-${name}.mjs`], env: { BROWSER: 'firefox' } })),
  ];
}

function run({ command, env }) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { cwd: `${here}..`, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    const late = setTimeout(() => {
      said += `\nstopped after ${limit / 60_000} minutes`;
      child.kill('SIGKILL');
    }, limit);
    child.on('exit', (code, signal) => {
      clearTimeout(late);
      resolve({ passed: code === 0, said: signal ? `${said}\nended by ${signal}` : said });
    });
  });
}

const words = process.argv.slice(2);
const tests = (await all()).filter(({ name }) => !words.length || words.some((word) => name.includes(word)));
let failed = 0;
for (const test of tests) {
  const { name } = test;
  const began = Date.now();
  const { passed, said } = await run(test);
  const skipped = passed && /^(skip|skipped)\b.*/im.exec(said)?.[0];
  console.log(`${passed ? (skipped ? 'skip' : 'ok  ') : 'FAIL'} ${name.padEnd(28)} ${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s${skipped ? `  ${skipped}` : ''}`);
  if (!passed) {
    failed++;
    console.log(said.trimEnd().replace(/^/gm, '     '));
  }
}
if (failed || !tests.length) {
  console.log(tests.length ? `${failed} of ${tests.length} failed` : 'no test to run');
  process.exit(1);
}
