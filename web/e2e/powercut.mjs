// Cuts the power under the browser and counts what is left.
//
// The browser's profile is on a file system of its own, in an image file. When the last save is acknowledged, every
// process of the browser is stopped and the image copied: what the kernel had not been made to write is not in the
// copy, as after a real cut. The copy is mounted, its journal replayed, and the store opened from it.
//
//   FULL, store a while old                every acknowledged save must be there
//   NORMAL, store a while old              must lose saves, or this test would not notice a missing flush
//   FULL, store just made                  must lose saves: why the mirror exists
//   FULL, store just made, with the mirror every acknowledged save must be there
//
//   node e2e/powercut.mjs [RUNS]           RUNS of each, 1 if not given
//
// Needs root and loop devices; without them it says so and exits 0.
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launchOn } from './harness/chromium.mjs';
import { processesOn, signal } from './harness/processes.mjs';
import { compileTest, runTest, serveTest } from './harness/program.mjs';

const run = promisify(execFile);
const saves = 120;
const imageBytes = 512 * 1024 * 1024;

const cases = [
  { name: 'FULL, store a while old', synchronous: 'FULL', aged: true, keeps: true },
  { name: 'NORMAL, store a while old', synchronous: 'NORMAL', aged: true, keeps: false },
  { name: 'FULL, store just made', synchronous: 'FULL', aged: false, keeps: false },
  { name: 'FULL, store just made, with the mirror', synchronous: 'FULL', aged: false, mirror: true, keeps: true },
];

/** Why the power cannot be cut here, or nothing. */
async function obstacle() {
  if (process.getuid() !== 0) return 'mounting a loop device needs root';
  const folder = await mkdtemp(join(tmpdir(), 'wardbook-loop-'));
  try {
    const disk = await Disk.make(folder, 8 * 1024 * 1024);
    await disk.unmount();
    return null;
  } catch (error) {
    return `an ext4 image cannot be mounted here: ${(error.stderr || error.message).trim()}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A file system in an image file, mounted beside it. */
class Disk {
  constructor(image, at) {
    this.image = image;
    this.at = at;
  }

  static async make(folder, bytes) {
    const image = join(folder, 'disk.img');
    const file = await open(image, 'w');
    await file.truncate(bytes);
    await file.close();
    await run('mkfs.ext4', ['-q', '-F', image]);
    return Disk.mount(image, join(folder, 'disk'));
  }

  static async mount(image, at) {
    await mkdir(at, { recursive: true });
    await run('mount', ['-o', 'loop', image, at]);
    return new Disk(image, at);
  }

  /** Writes everything back, as the kernel does by itself within a minute. */
  settle() {
    return run('sync', ['-f', this.at]);
  }

  /** What a power cut would leave, as an image of its own. */
  async cut(image) {
    await copyFile(this.image, image, constants.COPYFILE_FICLONE);
  }

  async unmount() {
    for (let tries = 0; ; tries++) {
      try {
        await run('umount', [this.at]);
        return;
      } catch (error) {
        if (tries === 50) throw error; // the last processes of the browser are still going
        await new Promise((wake) => setTimeout(wake, 100));
      }
    }
  }
}

/** Runs one half of the test on a profile to its end, and returns what it told. */
async function part(server, profile, name, env) {
  const context = await launchOn(profile);
  const told = [];
  let printed = '';
  try {
    const code = await runTest(context, server.origin, [`-test.run=^TestPowercut${name}$`, '-test.timeout=300s'], {
      env: { WARDBOOK_POWERCUT: name.toLowerCase(), ...env },
      print: (text) => (printed += text),
      told: (text) => told.push(text),
    });
    if (code !== 0) throw new Error(`${name}: exit ${code}\n${printed}`);
    return told;
  } finally {
    await context.close();
  }
}

/** Saves until all are acknowledged, stops the browser at once, and returns the number and the stopped processes. */
async function saveAndStop(server, profile, env) {
  const context = await launchOn(profile);
  const pids = await processesOn(profile);
  if (pids.length === 0) throw new Error('the browser that uses the profile is not found');
  let printed = '';
  return new Promise((resolve, reject) => {
    runTest(context, server.origin, ['-test.run=^TestPowercutWrite$', '-test.timeout=300s'], {
      env: { WARDBOOK_POWERCUT: 'write', WARDBOOK_POWERCUT_SAVES: String(saves), ...env },
      print: (text) => (printed += text),
      told: async (text) => {
        if (text !== `saved ${saves}`) return;
        signal(pids, 'SIGSTOP');
        const all = await processesOn(profile);
        signal(all, 'SIGSTOP'); // those that were started after the list was made
        resolve({ acknowledged: saves, pids: all });
      },
    }).then((code) => reject(new Error(`Write: exit ${code}\n${printed}`)), reject);
  }).catch(async (error) => {
    await context.close();
    throw error;
  });
}

async function cutOnce(server, each) {
  const folder = await mkdtemp(join(tmpdir(), 'wardbook-powercut-'));
  const env = { WARDBOOK_POWERCUT_SYNCHRONOUS: each.synchronous, ...(each.mirror && { WARDBOOK_POWERCUT_MIRROR: '1' }) };
  let disk, left, stopped;
  try {
    disk = await Disk.make(folder, imageBytes);
    const profile = join(disk.at, 'profile');
    if (each.aged) await part(server, profile, 'Prepare', env);
    // A store just made is made in a profile that is not: the browser has been in use before.
    else await (await launchOn(profile)).close();
    await disk.settle();
    const begun = performance.now();
    stopped = await saveAndStop(server, profile, env);
    await disk.cut(join(folder, 'left.img'));
    const seconds = (performance.now() - begun) / 1000;
    signal(stopped.pids, 'SIGKILL');
    await disk.unmount();
    disk = undefined;
    left = await Disk.mount(join(folder, 'left.img'), join(folder, 'left'));
    const [told] = await part(server, join(left.at, 'profile'), 'Count', env);
    const [, stored, total] = /^stored (\d+), with the mirror (\d+)$/.exec(told);
    return { acknowledged: stopped.acknowledged, stored: Number(stored), total: Number(total), seconds };
  } finally {
    if (stopped) signal(stopped.pids, 'SIGKILL');
    await disk?.unmount();
    await left?.unmount();
    await rm(folder, { recursive: true, force: true });
  }
}

const reason = await obstacle();
if (reason) {
  console.log(`SKIP: power-cut test: ${reason}`);
  process.exit(0);
}
const runs = Number(process.argv[2] ?? 1);
const folder = await mkdtemp(join(tmpdir(), 'wardbook-powercut-test-'));
const wasm = join(folder, 'test.wasm');
let server;
let failed = false;
try {
  await compileTest('./client-wasm/store/driver', wasm);
  server = await serveTest(wasm);
  console.log(`${'power cut at the last acknowledgement'.padEnd(42)} acknowledged  in the store  after the mirror  verdict`);
  for (const each of cases) {
    for (let i = 0; i < runs; i++) {
      let outcome = await cutOnce(server, each);
      // Within half a minute the kernel begins to write back by itself, and a control that was slow proves nothing.
      for (let tries = 1; !each.keeps && outcome.seconds > 20 && tries < 3; tries++) outcome = await cutOnce(server, each);
      const { acknowledged, stored, total, seconds } = outcome;
      const kept = total >= acknowledged;
      failed ||= kept !== each.keeps;
      const verdict = kept === each.keeps ? (kept ? 'ok, all kept' : 'ok, loses as it must') : kept ? 'FAIL: should have lost' : 'FAIL: lost';
      console.log(`${each.name.padEnd(42)} ${String(acknowledged).padStart(12)} ${String(stored).padStart(13)} ${String(total).padStart(17)}  ${verdict} (${seconds.toFixed(1)} s)`);
    }
  }
} finally {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
