// Builds the browser's side of Wardbook into web/dist, a Brotli copy beside each file, and prints a table of sizes
// against their budgets.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..');
const require = createRequire(import.meta.url);

/** SQLite with encryption, as its package ships it. */
export const sqliteWasm = require.resolve('@journeyapps/wa-sqlite/dist/mc-wa-sqlite.wasm');

/** The support script of the Go toolchain at hand: a module runs only with that of the toolchain that built it. */
function wasmExec() {
  return join(execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim(), 'lib/wasm/wasm_exec.js');
}

/** Bundles scripts for the browser, without writing them. */
export function bundle(options) {
  return build({
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'error',
    // What a script built for a classic worker cannot know: its own address. The worker passes every address itself.
    logOverride: { 'empty-import-meta': 'silent' },
    absWorkingDir: here,
    alias: { wasm_exec: wasmExec() },
    ...options,
  });
}

function brotli(bytes) {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 22, // the largest window that every browser decodes
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/**
 * Collects the files of one version. They go into one folder named by a hash of all their content, so that a page, its
 * worker and its modules always belong together and may be cached for ever.
 */
class Version {
  files = [];

  /** `part` is the row of the budget that the file counts against. */
  add(part, name, bytes) {
    this.files.push({ part, name, bytes: Buffer.from(bytes) });
  }

  get name() {
    const hash = createHash('sha256');
    for (const { name, bytes } of this.files) hash.update(`${name}\n${bytes.length}\n`).update(bytes);
    return hash.digest('hex').slice(0, 12);
  }

  /** Writes each file and its Brotli copy. */
  async write(dist) {
    const folder = join(dist, this.name);
    await mkdir(folder, { recursive: true });
    for (const file of this.files) {
      const small = brotli(file.bytes);
      file.brotli = small.length;
      await writeFile(join(folder, file.name), file.bytes);
      await writeFile(join(folder, `${file.name}.br`), small);
    }
  }

  print() {
    const kilo = (n) => (n / 1000).toFixed(1).padStart(8);
    const line = (name, ...columns) => console.log(name.padEnd(24), ...columns);
    line(`version ${this.name}`, 'KB'.padStart(8), 'Brotli'.padStart(8));
    for (const file of this.files) line(file.name, kilo(file.bytes.length), kilo(file.brotli));
    for (const [part, budget] of Object.entries(budgets)) {
      const sum = this.files.filter((file) => file.part === part).reduce((sum, file) => sum + file.brotli, 0);
      if (sum) line(`${part}, in all`, ''.padStart(8), kilo(sum), ` budget ${budget} KB${sum > budget * 1000 ? ', exceeded' : ''}`);
    }
  }
}

/** Budgets of the design for the first download, in KB after Brotli. SQLite may take more, but only for encryption. */
const budgets = { module: 1100, SQLite: 420, shell: 80 };

/** Builds the client as a browser module. */
function goModule() {
  const folder = mkdtempSync(join(tmpdir(), 'wardbook-build-'));
  try {
    const to = join(folder, 'client.wasm');
    execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', to, './client-wasm'], {
      cwd: root, stdio: 'inherit', env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
    });
    return readFileSync(to);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main() {
  const dist = join(here, 'dist');
  const version = new Version();
  version.add('module', 'client.wasm', goModule());
  version.add('SQLite', 'mc-wa-sqlite.wasm', readFileSync(sqliteWasm));
  version.add('SQLite', 'worker.js', (await bundle({ entryPoints: ['src/worker/worker.ts'], format: 'iife', minify: true })).outputFiles[0].contents);

  for (const entry of await readdir(dist)) if (entry !== '.gitkeep') await rm(join(dist, entry), { recursive: true });
  await version.write(dist);
  version.print();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
