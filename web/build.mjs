// Builds the browser's side of Wardbook into web/dist, a Brotli copy beside each file, and prints a table of sizes
// against their budgets.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build } from 'esbuild';
import { rewriteCode } from './code.mjs';
import { foldFunctionTable } from './foldtable.mjs';
import { trimFunctionTable } from './functable.mjs';
import { png, svg } from './icons.mjs';
import { joinSegments } from './segments.mjs';

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
export class Version {
  files = [];

  /** `part` is the row of the budget that the file counts against. */
  add(part, name, bytes) {
    this.files.push({ part, name, bytes: Buffer.from(bytes) });
  }

  get name() {
    const hash = createHash('sha256');
    for (const source of ['src/index.html', 'src/sw/sw.ts']) hash.update(readFileSync(join(here, source))); // they name the version, so they cannot be among its files
    for (const { name, bytes } of this.files) hash.update(`${name}\n${bytes.length}\n`).update(bytes);
    return hash.digest('hex').slice(0, 12);
  }

  /** Writes each file and its Brotli copy. */
  async write(dist) {
    const folder = join(dist, this.name);
    await mkdir(folder, { recursive: true });
    for (const file of this.files) {
      await writeFile(join(folder, file.name), file.bytes);
      file.brotli = file.bytes.length;
      if (file.name.endsWith('.webp')) continue; // gains nothing
      const small = brotli(file.bytes);
      file.brotli = small.length;
      await writeFile(join(folder, `${file.name}.br`), small);
    }
  }

  /** Prints the sizes, and returns the parts that are over their budgets. */
  print() {
    const exceeded = [];
    const kilo = (n) => (n / 1000).toFixed(1).padStart(8);
    const line = (name, ...columns) => console.log(name.padEnd(24), ...columns);
    line(`version ${this.name}`, 'KB'.padStart(8), 'Brotli'.padStart(8));
    for (const file of this.files) line(file.name, kilo(file.bytes.length), kilo(file.brotli));
    for (const [part, budget] of Object.entries(budgets)) {
      const sum = this.files.filter((file) => file.part === part).reduce((sum, file) => sum + file.brotli, 0);
      if (sum > budget * 1000) exceeded.push(part);
      if (sum) line(`${part}, in all`, ''.padStart(8), kilo(sum), ` budget ${budget} KB${sum > budget * 1000 ? ', exceeded' : ''}`);
    }
    return exceeded;
  }
}

/**
 * Budgets of the design for the first download, in KB after Brotli. SQLite's are 420, and 133 that its encryption takes. The
 * reader of QR codes is no part of the shell: it is fetched with the rest of a version and loaded when it is needed, and
 * so is the office, the screens of supervisors and administrators; erasing by law took it from 19 KB beyond 20. The guide and its pictures are fetched once the app is there, and what draws charts not before a supervisor looks at one.
 */
const budgets = { module: 1100, SQLite: 553, shell: 80, office: 24, reader: 40, guide: 600, charts: 30 };

/**
 * Without inlining the module is a tenth smaller after Brotli. Packages that do the same thing a thousand times for one
 * page of records keep it.
 */
const lean = ['all=-l', ...['wardbook/conflict', 'wardbook/sync/record', 'wardbook/sync/protocol', 'compress/flate', 'wardbook/client-wasm/store/driver'].map((hot) => `${hot}=`)]
  .map((flags) => `-gcflags=${flags}`);

/** How Go compiles and links what runs in the browser. */
export const goFlags = ['-trimpath', '-ldflags=-s -w', ...lean];

/** A module of the linker as it is shipped: less on the line, and the same to run. */
export const finished = (module) => joinSegments(foldFunctionTable(rewriteCode(trimFunctionTable(module))));

/** Builds the client of the sources in `from` as a browser module. */
export function goModule(from = root) {
  const folder = mkdtempSync(join(tmpdir(), 'wardbook-build-'));
  try {
    const to = join(folder, 'client.wasm');
    execFileSync('go', ['build', ...goFlags, '-o', to, './client-wasm'], {
      cwd: from, stdio: 'inherit', env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
    });
    return finished(readFileSync(to));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hashOf = (bytes) => createHash('sha256').update(bytes).digest('base64url').slice(0, 16);

/** The page's style sheet and scripts: its own, the office's, and what both need. `alias` may put other modules in the place of ours. */
export async function addPage(version, alias = {}) {
  const options = { minify: true, tsconfig: 'tsconfig.json', plugins: [replaced(alias)] };
  const scripts = { entryPoints: [{ in: 'src/main.ts', out: 'page' }, { in: 'src/office.ts', out: 'office' }], splitting: true, chunkNames: 'common', outdir: here };
  const { outputFiles } = await bundle({ ...options, ...scripts });
  for (const { path, contents } of outputFiles) version.add(basename(path) === 'office.js' ? 'office' : 'shell', basename(path), contents);
  version.add('shell', 'page.css', (await bundle({ ...options, entryPoints: ['src/style/app.css'] })).outputFiles[0].contents);
}

/** The user's guide: a script with its words, and the pictures that journey-guide made. */
async function addGuide(version) {
  version.add('guide', 'guide.js', (await bundle({ entryPoints: ['src/guide/guide.ts'], minify: true, tsconfig: 'tsconfig.json' })).outputFiles[0].contents);
  const folder = join(here, 'src/guide/pictures');
  for (const name of (await readdir(folder)).filter((name) => name.endsWith('.webp')).sort()) version.add('guide', `guide-${name}`, readFileSync(join(folder, name)));
}

/** Resolves the modules whose path ends as the keys of `alias` do to its values. */
function replaced(alias) {
  return {
    name: 'replaced',
    setup({ onResolve }) {
      onResolve({ filter: /./ }, ({ path }) => {
        const end = Object.keys(alias).find((end) => path.endsWith(end));
        return end ? { path: alias[end] } : undefined;
      });
    },
  };
}

/**
 * What has one address for ever: the page, the service worker that keeps the version, and what makes the app
 * installable. The service worker is built last, because it names every other file with a hash of its content.
 */
export async function writeShell(dist, version) {
  const page = readFileSync(join(here, 'src/index.html'), 'utf8').replaceAll('VERSION', version.name);
  const manifest = {
    id: '/', start_url: '/', scope: '/', name: 'Wardbook', short_name: 'Wardbook', lang: 'vi', display: 'standalone',
    description: 'Sổ dữ liệu phường, xã', background_color: '#f2f4f6', theme_color: '#ffffff',
    icons: [
      { src: '/icon.svg', sizes: 'any', type: 'image/svg+xml' },
      { src: '/icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: '/icon-512.png', sizes: '512x512', type: 'image/png' },
      { src: '/icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  };
  const fixed = {
    'manifest.webmanifest': Buffer.from(JSON.stringify(manifest)),
    'icon.svg': Buffer.from(svg()),
    'icon-192.png': png(192),
    'icon-512.png': png(512),
    'icon-maskable-512.png': png(512, 0.16),
  };
  const listed = (later) => version.files.filter(({ part }) => part !== 'charts' && (part === 'guide') === later).map((file) => [`/${version.name}/${file.name}`, hashOf(file.bytes)]);
  const shell = Object.fromEntries([
    ...listed(false),
    ...Object.entries(fixed).map(([name, bytes]) => [`/${name}`, hashOf(bytes)]),
  ]);
  const worker = await bundle({
    entryPoints: ['src/sw/sw.ts'], format: 'iife', minify: true,
    define: { VERSION: JSON.stringify(version.name), SHELL: JSON.stringify(shell), LATER: JSON.stringify(Object.fromEntries(listed(true))) },
  });
  const files = { ...fixed, 'index.html': Buffer.from(page), 'sw.js': Buffer.from(worker.outputFiles[0].contents) };
  for (const [name, bytes] of Object.entries(files)) {
    await writeFile(join(dist, name), bytes);
    if (!name.endsWith('.png')) await writeFile(join(dist, `${name}.br`), brotli(bytes));
  }
}

async function main() {
  const dist = join(here, 'dist');
  const version = new Version();
  version.add('module', 'client.wasm', goModule());
  version.add('SQLite', 'mc-wa-sqlite.wasm', readFileSync(sqliteWasm));
  const [client, sqlite] = version.files.map(({ bytes }) => bytes.length);
  version.add('SQLite', 'worker.js', (await bundle({ entryPoints: ['src/worker/worker.ts'], format: 'iife', minify: true, define: { SIZES: JSON.stringify({ client, sqlite }) } })).outputFiles[0].contents);
  version.add('reader', 'qr.js', (await bundle({ entryPoints: ['src/qr/qr.ts'], minify: true, tsconfig: 'tsconfig.json' })).outputFiles[0].contents);
  version.add('charts', 'chart.js', (await bundle({ entryPoints: ['src/chart/chart.ts'], minify: true, tsconfig: 'tsconfig.json' })).outputFiles[0].contents);
  await addPage(version);
  await addGuide(version);

  for (const entry of await readdir(dist)) if (entry !== '.gitkeep') await rm(join(dist, entry), { recursive: true });
  await version.write(dist);
  await writeShell(dist, version);
  if (version.print().includes('module')) {
    console.error('the browser module is over its budget; sync/bench/README.md, at its end, says what takes how much of it');
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
