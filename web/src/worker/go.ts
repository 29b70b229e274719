import 'wasm_exec'; // defines the class Go, as the toolchain that builds the module has it

interface GoRuntime {
  argv: string[];
  env: Record<string, string>;
  exit: (code: number) => void;
  readonly importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

declare global {
  var Go: { new (): GoRuntime } | undefined;
}

/** Runs the module at `url` until it ends, and returns its exit code. */
export async function runGo(url: string, argv: string[] = [], env: Record<string, string> = {}): Promise<number> {
  if (!globalThis.Go) throw new Error('wasm_exec.js is not loaded');
  const go = new globalThis.Go();
  let exit = 0;
  go.argv = ['wardbook', ...argv];
  go.env = env;
  go.exit = (code) => {
    exit = code;
  };
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url), go.importObject);
  await go.run(instance);
  return exit;
}
