// A CPU slowed as a cheap phone's is, workers included. Chromium's own throttling (Emulation.setCPUThrottlingRate)
// reaches the page's thread alone, while SQLite and the Go module run in a worker. So the kernel slows the whole
// renderer: a control group gives it a part of one CPU's time in each 10 ms. It also goes before whatever else runs on
// the machine, so that the figures are the program's and not its neighbours'. That takes root and the cpu controller.
import { readFile, rmdir, mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { processesOn } from './processes.mjs';

const PERIOD = 10_000; // µs

export class Brake {
  #folder;
  #limit;

  constructor(folder, limit) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** A brake, or null where this machine has none to offer. */
  static async make() {
    for (const [root, limit] of [
      ['/sys/fs/cgroup/cpu', async (folder, share) => {
        await writeFile(`${folder}/cpu.shares`, String(1024 * 64));
        await writeFile(`${folder}/cpu.cfs_period_us`, String(PERIOD));
        await writeFile(`${folder}/cpu.cfs_quota_us`, share < 1 ? String(PERIOD * share) : '-1');
      }],
      ['/sys/fs/cgroup', async (folder, share) => {
        await writeFile(`${folder}/cpu.weight`, '10000');
        await writeFile(`${folder}/cpu.max`, `${share < 1 ? PERIOD * share : 'max'} ${PERIOD}`);
      }],
    ]) {
      const folder = `${root}/wardbook-measure-${process.pid}`;
      try {
        await mkdir(folder);
        await limit(folder, 1);
        return new Brake(folder, limit);
      } catch {
        await rmdir(folder).catch(() => {});
      }
    }
    return null;
  }

  /** Gives the renderers of a browser that share of one CPU; 1 is no limit. */
  async hold(profile, share) {
    for (const pid of await processesOn(profile)) {
      if (isRenderer(pid)) await writeFile(`${this.#folder}/cgroup.procs`, String(pid)).catch(() => {}); // it may have ended
    }
    await this.#limit(this.#folder, share);
  }

  /** Ends it; no process may be left in it. */
  async remove() {
    for (const pid of (await readFile(`${this.#folder}/cgroup.procs`, 'utf8')).split('\n').filter(Boolean)) {
      await writeFile(`${this.#folder}/../cgroup.procs`, pid).catch(() => {});
    }
    await rmdir(this.#folder);
  }
}

export function isRenderer(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer');
  } catch {
    return false;
  }
}
