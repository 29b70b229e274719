// Builds a Go test binary for the browser with everything that it runs in, and serves it.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundle, finished, goFlags, sqliteWasm } from '../../build.mjs';
import { serve } from './server.mjs';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));

/** The root of the repository, where Go packages are named from. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Compiles the tests of a package for the browser into the file `to`, as the module itself is built. */
export async function compileTest(pkg, to) {
  const env = { ...process.env, GOOS: 'js', GOARCH: 'wasm' };
  await run('go', ['test', '-c', ...goFlags, '-o', to, pkg], { cwd: root, env, maxBuffer: 1 << 26 });
  await writeFile(to, finished(await readFile(to)));
}

/** Serves a compiled test; see server.mjs for what it returns. `plugins` are esbuild's, for what it runs in. */
export async function serveTest(wasm, plugins = []) {
  const script = async (name) => (await bundle({ entryPoints: [join(here, name)], plugins })).outputFiles[0].contents;
  return serve(new Map([
    ['/', '<!doctype html><meta charset="utf-8"><title>Go test</title><script type="module" src="/page.js"></script>'],
    ['/page.js', await script('page.ts')],
    ['/worker.js', await script('worker.ts')],
    ['/sqlite.wasm', await readFile(sqliteWasm)],
    ['/test.wasm', await readFile(wasm)],
  ]));
}

/** Limits what the browser stores for an origin, in bytes; below zero, as the browser itself would. */
async function setQuota(context, page, origin, bytes) {
  const session = await context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', bytes < 0 ? { origin } : { origin, quotaSize: bytes });
  if (bytes < 0) await session.detach(); // the limit lasts as long as the session that set it
}

/**
 * Runs a served test in a page of a browser context. `told` receives what the test tells by __tell.
 * Returns the test's exit code; what it prints goes to `print`.
 */
export async function runTest(context, origin, argv, { env = {}, print = (text) => process.stdout.write(text), told = () => {} } = {}) {
  const page = await context.newPage();
  try {
    return await new Promise((resolve, reject) => {
      page.on('crash', () => reject(new Error('the page crashed')));
      page.on('close', () => reject(new Error('the page was closed')));
      page.exposeFunction('report', async (message) => {
        if (message.asked !== undefined) return setQuota(context, page, origin, message.quota);
        if (message.out !== undefined) print(message.out);
        if (message.told !== undefined) told(message.told);
        if (message.error !== undefined) reject(new Error(message.error));
        if (message.exit !== undefined) resolve(message.exit);
      }).then(() => page.goto(`${origin}/#${encodeURIComponent(JSON.stringify({ argv, env }))}`)).catch(reject);
    });
  } finally {
    await page.close().catch(() => {}); // gone with its browser, if it was killed
  }
}
