/** The Go toolchain's support script; see build.mjs. */
declare module 'wasm_exec' {}
