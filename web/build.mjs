// Builds the browser's side of Wardbook into web/dist: names that carry a hash of the content, a Brotli copy beside
// each file, and a table of sizes against their budgets.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
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

/** Collects the files of one build. */
class Output {
  rows = [];

  constructor(folder) {
    this.folder = folder;
  }

  /** Writes `bytes` as NAME-HASH.EXT and its Brotli copy; returns the name. */
  async add(part, name, bytes) {
    const { name: stem, ext } = parse(name);
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 10);
    const hashed = `${stem}-${hash}${ext}`;
    const small = brotli(bytes);
    await writeFile(join(this.folder, hashed), bytes);
    await writeFile(join(this.folder, `${hashed}.br`), small);
    this.rows.push({ part, name: hashed, bytes: bytes.length, brotli: small.length });
    return hashed;
  }

  print(budgets) {
    const kilo = (n) => (n / 1000).toFixed(1).padStart(8);
    const sums = new Map();
    console.log(`${'file'.padEnd(34)} ${'KB'.padStart(8)} ${'Brotli'.padStart(8)}`);
    for (const row of this.rows) {
      console.log(`${row.name.padEnd(34)} ${kilo(row.bytes)} ${kilo(row.brotli)}`);
      sums.set(row.part, (sums.get(row.part) ?? 0) + row.brotli);
    }
    for (const [part, sum] of sums) {
      const budget = budgets[part];
      const verdict = budget === undefined ? '' : `  budget ${budget} KB${sum / 1000 > budget ? ', exceeded' : ''}`;
      console.log(`${`${part}, in all`.padEnd(34)} ${''.padStart(8)} ${kilo(sum)}${verdict}`);
    }
  }
}

/** Budgets of the design for the first download, in KB after Brotli. SQLite may take more, but only for encryption. */
const budgets = { module: 1100, SQLite: 420, shell: 80 };

function goModule() {
  const to = join(here, 'dist', '.module.wasm');
  execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', to, './client-wasm'], {
    cwd: root, stdio: 'inherit', env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
  });
  return to;
}

async function main() {
  const dist = join(here, 'dist');
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  const output = new Output(dist);

  const moduleFile = goModule();
  const module = await output.add('module', 'client.wasm', await readFile(moduleFile));
  await rm(moduleFile);
  const sqlite = await output.add('SQLite', 'sqlite.wasm', await readFile(sqliteWasm));
  const worker = await bundle({
    entryPoints: ['src/worker/worker.ts'],
    minify: true,
    define: { SQLITE_URL: JSON.stringify(`/${sqlite}`), MODULE_URL: JSON.stringify(`/${module}`) },
  });
  const name = await output.add('SQLite', 'worker.js', worker.outputFiles[0].contents);

  await writeFile(join(dist, 'manifest.json'), `${JSON.stringify({ worker: `/${name}`, module: `/${module}`, sqlite: `/${sqlite}` }, null, 2)}\n`);
  output.print(budgets);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
