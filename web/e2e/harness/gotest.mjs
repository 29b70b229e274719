// Runs the tests of a Go package as WebAssembly: in a worker of headless Chromium with SQLite ready, or, with -node
// and for packages that need no browser, under node.
//
//   node e2e/harness/gotest.mjs [-node] PACKAGE [TEST FLAG...]
//
// The package is named as from the repository's root; test flags are those of go test (-v, -run=NAME, -bench=.).
// Variables that begin with WARDBOOK_ reach the tests. Exits with the tests' code.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchOn } from './chromium.mjs';
import { compileTest, root, runTest, serveTest } from './program.mjs';

const limit = 10 * 60_000;

async function inBrowser(pkg, flags) {
  const folder = await mkdtemp(join(tmpdir(), 'wardbook-gotest-'));
  let server, context;
  try {
    const wasm = join(folder, 'test.wasm');
    await compileTest(pkg, wasm);
    server = await serveTest(wasm);
    context = await launchOn(join(folder, 'profile')); // without a profile, private files are not on the disk
    const argv = [`-test.timeout=${limit / 1000}s`, ...flags.map((flag) => flag.replace(/^-+(test\.)?/, '-test.'))];
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('WARDBOOK_')));
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('the tests take too long')), limit + 10_000).unref());
    return await Promise.race([runTest(context, server.origin, argv, { env }), late]);
  } finally {
    await context?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function underNode(pkg, flags) {
  const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
  const child = spawn('go', ['test', '-exec', join(goroot, 'lib/wasm/go_js_wasm_exec'), pkg, ...flags], {
    cwd: root, stdio: 'inherit', env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
  });
  return new Promise((resolve, reject) => child.on('error', reject).on('exit', (code) => resolve(code ?? 1)));
}

const args = process.argv.slice(2);
const node = args[0] === '-node';
if (node) args.shift();
const [pkg, ...flags] = args;
if (!pkg || pkg.startsWith('-')) {
  console.error('usage: gotest.mjs [-node] PACKAGE [TEST FLAG...]');
  process.exit(2);
}
try {
  const code = await (node ? underNode(pkg, flags) : inBrowser(pkg, flags));
  if (!node) console.log(code === 0 ? `ok  \t${pkg} in Chromium` : `FAIL\t${pkg} in Chromium (exit ${code})`);
  process.exit(code);
} catch (error) {
  console.error(`gotest: ${pkg}: ${error.stderr || error.message}`);
  process.exit(1);
}
