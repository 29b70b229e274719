// Another version of the app, and a server that carries it: the same build with one more file, so that its name, its
// service worker and its page are others. The server is compiled from a copy of the sources, as `make server` does.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Version, writeShell } from '../../build.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const hashed = /^[0-9a-f]{12}$/;

/** Builds it. Returns the server's program, the version's name, and a function that removes both. */
export async function anotherVersion() {
  const folder = await mkdtemp(join(tmpdir(), 'wardbook-version-'));
  try {
    const sources = ['go.mod', 'go.sum', 'conflict', 'sync', 'client-wasm', 'server', 'web/embed.go'];
    for (const name of sources) await cp(join(root, name), join(folder, name), { recursive: true });
    const dist = join(root, 'web/dist');
    const made = (await readdir(dist)).find((name) => hashed.test(name));
    if (!made) throw new Error('web/dist holds no version of the app: run make build');
    const version = new Version();
    for (const name of (await readdir(join(dist, made))).sort()) {
      if (!name.endsWith('.br')) version.add(name.startsWith('guide') ? 'guide' : 'shell', name, await readFile(join(dist, made, name)));
    }
    version.add('shell', 'another.txt', Buffer.from('another version'));
    const to = join(folder, 'web/dist');
    await cp(join(dist, made), join(to, version.name), { recursive: true });
    await writeFile(join(to, version.name, 'another.txt'), 'another version');
    await writeShell(to, version);
    const program = join(folder, 'wardbook');
    await promisify(execFile)('go', ['build', '-trimpath', '-o', program, './server'], { cwd: folder, env: { ...process.env, CGO_ENABLED: '1' } });
    return { program, name: version.name, remove: () => rm(folder, { recursive: true, force: true }) };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
