// Stopping and killing a browser as the kernel or a user would: all of its processes, without asking it.
import { readdir, readFile } from 'node:fs/promises';

/** The processes of the browser that runs on a profile: the one that was given it, and all that descend from it. */
export async function processesOn(profile) {
  const parents = new Map();
  const ours = new Set();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = await readFile(`/proc/${entry}/stat`, 'utf8');
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      const command = await readFile(`/proc/${entry}/cmdline`, 'utf8');
      if (command.split('\0').includes(`--user-data-dir=${profile}`)) ours.add(Number(entry));
    } catch {
      continue; // it has ended meanwhile
    }
  }
  for (let grew = true; grew; ) {
    grew = false;
    for (const [pid, parent] of parents) {
      if (ours.has(parent) && !ours.has(pid)) {
        ours.add(pid);
        grew = true;
      }
    }
  }
  return [...ours];
}

/** Sends a signal to processes, of which some may have ended. */
export function signal(pids, name) {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}
