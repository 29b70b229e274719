// What the encryption of the store costs in time: the store's benchmarks in Chromium, on OPFS, with it and without it,
// in turn and on fresh profiles; the least time of each counts. The store without encryption exists here alone: one
// line of the worker's SQLite is taken out when it is bundled. Both are checked by what lies on the disk.
//
//   node e2e/measure/cipher.mjs [ROUNDS]               3 rounds take some three minutes
//   node e2e/measure/cipher.mjs -ward N [ROUNDS]       the first synchronisation of a ward of N residents in the app itself
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Browser } from '../harness/app.mjs';
import { launchOn } from '../harness/chromium.mjs';
import { Demo } from '../harness/demo.mjs';
import { Network } from '../harness/network.mjs';
import { compileTest, runTest, serveTest } from '../harness/program.mjs';
import { serve } from '../harness/server.mjs';
import { anotherVersion } from '../harness/version.mjs';

const args = process.argv.slice(2);
const ward = args[0] === '-ward' ? Number(args.splice(0, 2)[1]) : 0;
const rounds = Number(args[0] ?? 3);
const benchmarks = {
  Open10k: 'open a store of 10,000 records and read 50', Save: 'one save, durable', Fill10k: '10,000 records in one transaction',
  ByID10k: 'one record of 10,000 by its id', Like10k: 'a substring in 10,000 records', Scan10k: 'read 10,000 records whole',
};

/** Takes the key from the database: its pages stay as SQLite writes them. */
const plain = {
  name: 'plain',
  setup({ onLoad }) {
    onLoad({ filter: /worker[/\\]sqlite\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const line = "this.pragma(db, `PRAGMA key = 'raw:${hex(key)}'`)";
      if (text.split(line).length !== 2) throw new Error(`${path} does not set the key as this measurement expects`);
      return { contents: text.replace(line, ''), loader: 'ts' };
    });
  },
};

/** Whether a file of the profile holds the first page of an unencrypted database. */
async function holdsPlain(profile) {
  for (const entry of await readdir(profile, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.parentPath.includes('File System')) continue; // private files, in Chromium
    const bytes = await readFile(join(entry.parentPath, entry.name)).catch(() => Buffer.alloc(0)); // gone meanwhile
    if (bytes.includes('SQLite format 3\0')) return true;
  }
  return false;
}

/** How long the browser takes to make the key that a password opens the store's key with, in ms. */
async function derivation() {
  const profile = await mkdtemp(join(tmpdir(), 'wardbook-cipher-'));
  const server = await serve(new Map([['/', '<!doctype html><title>Keys</title>']]));
  const context = await launchOn(profile);
  try {
    const page = await context.newPage();
    await page.goto(server.origin); // a secure context
    return await page.evaluate(async (iterations) => {
      const key = await crypto.subtle.importKey('raw', new Uint8Array(16), 'PBKDF2', false, ['deriveBits']);
      const began = performance.now();
      await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: new Uint8Array(16), iterations }, key, 256);
      return performance.now() - began;
    }, await stretching());
  } finally {
    await context.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  }
}

/** The rounds that the app takes for a password. */
async function stretching() {
  const text = await readFile(new URL('../../src/worker/keys.ts', import.meta.url), 'utf8');
  return Number(/^const ROUNDS = ([\d_]+)/m.exec(text)[1].replaceAll('_', ''));
}

async function measure(wasm, encrypted) {
  const profile = await mkdtemp(join(tmpdir(), 'wardbook-cipher-'));
  const server = await serveTest(wasm, encrypted ? [] : [plain]);
  const context = await launchOn(profile);
  let found = false;
  const looking = setInterval(() => void holdsPlain(profile).then((holds) => (found ||= holds), () => {}), 1000);
  try {
    let said = '';
    const argv = ['-test.run=^$', `-test.bench=^Benchmark(${Object.keys(benchmarks).join('|')})$`, '-test.benchtime=1s', '-test.timeout=600s'];
    const code = await runTest(context, server.origin, argv, { print: (text) => (said += text) });
    if (code !== 0) throw new Error(`the benchmarks end with ${code}:\n${said}`);
    if (found === encrypted) throw new Error(`the store is ${encrypted ? 'not encrypted' : 'encrypted'}: this measures nothing`);
    return Object.fromEntries([...said.matchAll(/^Benchmark(\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns\/op/gm)].map(([, name, ns]) => [name, Number(ns) / 1e6]));
  } finally {
    clearInterval(looking);
    await context.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  }
}

/** ms from the sign-in on a new device until it holds a ward, in the app that the server carries. */
async function firstSync(demo, encrypted) {
  const network = await Network.to(demo);
  const browser = await Browser.make(network);
  try {
    const tab = await browser.tab('/#/register/residents');
    await tab.page.locator('wb-sign-in').waitFor();
    const began = performance.now();
    await tab.signIn('officer.a', demo.passwords['officer.a']);
    await tab.says(/Đã đồng bộ/, 30 * 60_000);
    const took = performance.now() - began;
    await browser.stop(); // the log is copied into the database
    if ((await holdsPlain(browser.profile)) === encrypted) throw new Error(`the store is ${encrypted ? 'not encrypted' : 'encrypted'}: this measures nothing`);
    return took;
  } finally {
    await browser.remove();
    await network.close();
  }
}

/** Compares the first synchronisation of a ward with and without encryption. */
async function wards() {
  const plainly = (text) => {
    const key = /\w+\.pragma\(\w+,`PRAGMA key = 'raw:\$\{\w+\(\w+\)\}'`\),/g;
    if (text.match(key)?.length !== 1) throw new Error('the worker does not set the key as this measurement expects');
    return text.replace(key, '');
  };
  const without = await anotherVersion({ change: { 'worker.js': plainly } });
  const demo = await Demo.start({ residents: ward });
  try {
    const { program } = demo;
    const took = { with: [], without: [] };
    for (let round = 0; round < rounds; round++) {
      for (const encrypted of round % 2 ? [false, true] : [true, false]) {
        await demo.stop();
        demo.program = encrypted ? program : without.program;
        await demo.start();
        took[encrypted ? 'with' : 'without'].push(await firstSync(demo, encrypted));
      }
    }
    const least = Object.fromEntries(Object.entries(took).map(([which, list]) => [which, Math.min(...list) / 1000]));
    const all = (list) => list.map((ms) => (ms / 1000).toFixed(1)).join(', ');
    console.log(`first synchronisation of ${ward} residents: encrypted ${least.with.toFixed(1)} s (${all(took.with)}), not ${least.without.toFixed(1)} s (${all(took.without)}), ${(least.with / least.without).toFixed(2)} x`);
  } finally {
    await demo.remove();
    await without.remove();
  }
}

async function benchmark() {
  const folder = await mkdtemp(join(tmpdir(), 'wardbook-cipher-'));
  try {
    const wasm = join(folder, 'test.wasm');
    await compileTest('./client-wasm/store/driver', wasm);
    const least = { with: {}, without: {} };
    for (let round = 0; round < rounds; round++) {
      for (const encrypted of round % 2 ? [false, true] : [true, false]) {
        const of = least[encrypted ? 'with' : 'without'];
        for (const [name, ms] of Object.entries(await measure(wasm, encrypted))) of[name] = Math.min(of[name] ?? Infinity, ms);
      }
    }
    console.log(`${''.padEnd(46)}${'encrypted'.padStart(12)}${'not'.padStart(12)}${'ratio'.padStart(8)}`);
    for (const [name, what] of Object.entries(benchmarks)) {
      const [a, b] = [least.with[name], least.without[name]];
      if (!a || !b) throw new Error(`${name} was not measured`);
      console.log(`${what.padEnd(46)}${`${a.toFixed(3)} ms`.padStart(12)}${`${b.toFixed(3)} ms`.padStart(12)}${(a / b).toFixed(2).padStart(8)}`);
    }
    console.log(`${'once at each unlock: the password made a key'.padEnd(46)}${`${(await derivation()).toFixed(0)} ms`.padStart(12)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await (ward ? wards() : benchmark());
