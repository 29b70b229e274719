// Another version of the app, and a server that carries it: the same build with one more file, so that its name, its
// service worker and its page are others. The server is compiled from a copy of the sources, as `make server` does.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { goModule, Version, writeShell } from '../../build.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const hashed = /^[0-9a-f]{12}$/;
const module = 'client.wasm';

/**
 * Builds it. Returns the server's program, the version's name, and a function that removes both. With `wire` it speaks
 * another wire version and no other, and so does the app that it serves. `change` makes other text of files of the app,
 * by their names.
 */
export async function anotherVersion({ wire, change = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'wardbook-version-'));
  try {
    const sources = ['go.mod', 'go.sum', 'conflict', 'sync', 'client-wasm', 'server', 'web/embed.go'];
    for (const name of sources) await cp(join(root, name), join(folder, name), { recursive: true });
    if (wire) await speak(join(folder, 'sync/protocol/message.go'), wire);
    const dist = join(root, 'web/dist');
    const made = (await readdir(dist)).find((name) => hashed.test(name));
    if (!made) throw new Error('web/dist holds no version of the app: run make build');
    const version = new Version();
    for (const name of (await readdir(join(dist, made))).sort()) {
      if (name.endsWith('.br') || (wire && name === module)) continue;
      const bytes = await readFile(join(dist, made, name));
      version.add(name.startsWith('guide') ? 'guide' : 'shell', name, change[name] ? Buffer.from(change[name](bytes.toString())) : bytes);
    }
    const client = wire && goModule(folder);
    if (client) version.add('shell', module, client);
    version.add('shell', 'another.txt', Buffer.from('another version'));
    const to = join(folder, 'web/dist');
    await cp(join(dist, made), join(to, version.name), { recursive: true });
    await writeFile(join(to, version.name, 'another.txt'), 'another version');
    if (client) {
      await rm(join(to, version.name, `${module}.br`)); // of the other module
      await writeFile(join(to, version.name, module), client);
    }
    for (const name of Object.keys(change)) {
      await rm(join(to, version.name, `${name}.br`), { force: true });
      await writeFile(join(to, version.name, name), version.files.find((file) => file.name === name).bytes);
    }
    await writeShell(to, version);
    const program = join(folder, 'wardbook');
    await promisify(execFile)('go', ['build', '-trimpath', '-o', program, './server'], { cwd: folder, env: { ...process.env, CGO_ENABLED: '1' } });
    return { program, name: version.name, remove: () => rm(folder, { recursive: true, force: true }) };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Has sources speak a wire version and no other. */
async function speak(file, wire) {
  const text = await readFile(file, 'utf8');
  const changed = text.replace(/^const (Version|OldestPush) = \d+$/gm, `const $1 = ${wire}`);
  if (changed.split(` = ${wire}\n`).length !== 3) throw new Error(`${file} does not name the wire versions as expected`);
  await writeFile(file, changed);
}
