// The worker of a Go test: SQLite first, as in the app, then the test binary. What it prints goes to the page.
import { runGo } from '../../src/worker/go';
import { install } from '../../src/worker/sqlite';
import { hooks } from './hooks';

const decoder = new TextDecoder();

/** What Go's support script takes for a file system. There is none here: every file is missing. */
interface FileSystem {
  constants: Record<string, number>;
  writeSync(descriptor: number, bytes: Uint8Array): number;
  open(path: string, flags: number, mode: number, done: (error: Error) => void): void;
}

addEventListener('securitypolicyviolation', (event) => {
  const { violatedDirective, blockedURI } = event as unknown as { violatedDirective: string; blockedURI: string };
  postMessage({ error: `content security policy: ${violatedDirective} blocked ${blockedURI}` });
});

addEventListener('message', async (event: MessageEvent<{ argv?: string[]; env?: Record<string, string> }>) => {
  const { argv, env } = event.data;
  if (!argv) return;
  const { fs } = globalThis as unknown as { fs: FileSystem };
  fs.writeSync = (_descriptor, bytes) => {
    postMessage({ out: decoder.decode(bytes, { stream: true }) });
    return bytes.length;
  };
  fs.constants = { O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_TRUNC: 512, O_APPEND: 1024, O_EXCL: 128, O_DIRECTORY: 65536 };
  fs.open = (path, _flags, _mode, done) => done(Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' }));
  Object.assign(globalThis, hooks);
  try {
    await install('/sqlite.wasm');
    postMessage({ exit: await runGo('/test.wasm', argv, env) });
  } catch (cause) {
    postMessage({ error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) });
  }
});
