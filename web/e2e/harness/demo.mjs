// The real server with its demonstration data, in a folder and at a port of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The program under test; WARDBOOK names another. `make build` makes it. */
const program = process.env.WARDBOOK ?? fileURLToPath(new URL('../../../bin/wardbook', import.meta.url));

/** A server that is running. It can be killed and started again on the same data at the same port. */
export class Demo {
  #child = null;
  #said = '';

  constructor(folder, residents, waiting) {
    this.folder = folder;
    this.residents = residents;
    this.waiting = waiting;
    this.port = 0;
    /** What the next start runs. */
    this.program = program;
    /** Passwords by account name. */
    this.passwords = {};
  }

  /** Makes a folder with demonstration data and serves it; `residents` are those of the first unit, if not as many as usual, `waiting` how many more changes wait on its desk. */
  static async start({ residents, waiting } = {}) {
    const demo = new Demo(await mkdtemp(join(tmpdir(), 'wardbook-demo-')), residents, waiting);
    try {
      await demo.start();
      return demo;
    } catch (error) {
      await demo.remove();
      throw error;
    }
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid() {
    return this.#child?.pid;
  }

  async start() {
    const child = spawn(this.program, ['serve', '-listen', `127.0.0.1:${this.port}`, '-data', join(this.folder, 'data'), '-demo', ...(this.residents ? ['-residents', String(this.residents)] : []), ...(this.waiting ? ['-waiting', String(this.waiting)] : [])], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.stderr.on('data', (text) => (this.#said += text));
    const listening = (async () => {
      for await (const line of createInterface({ input: child.stdout })) {
        const [word, name, password] = line.split(' ');
        if (word === 'account') this.passwords[name] = password;
        if (line.startsWith('listening on ')) return Number(new URL(line.slice('listening on '.length)).port);
      }
      throw new Error(`the server ended: ${this.#said}`);
    })();
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`the server does not start: ${this.#said}`)), this.residents ? 10 * 60_000 : 120_000).unref());
    this.port = await Promise.race([listening, late]);
    child.stdout.resume();
  }

  /** What it wrote to stderr. */
  get said() {
    return this.#said;
  }

  /** Ends it: SIGTERM asks it to finish, SIGKILL does not. */
  async stop(signal = 'SIGTERM') {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Ends it and removes its data. */
  async remove() {
    await this.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }
}
