import load from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
import type { SQLiteModule } from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
import { Fault, faultOf } from './fault';
import { type Mirror, openMirror, removeMirror } from './mirror';
import { Pool, openFile } from './pool';

/**
 * SQLite for the Go module of the same worker: encrypted, on OPFS, synchronous once opened. Go finds it as
 * `globalThis.__sq`; client-wasm/store/driver is the only caller and its doc.go describes the packed bytes.
 *
 * Every call that returns a number returns the length of its answer, which is in `answer` (or in `large`, if it is
 * longer than `answer`); a negative length marks a packed error. None of them throws.
 */
export interface Sq {
  /** Answers of up to its length. Never replaced. */
  readonly answer: Uint8Array;
  /** The last answer that did not fit into `answer`; valid until the next call. */
  readonly large: Uint8Array | null;
  /**
   * Where the caller puts what it passes to the next call: always the same array up to 64 KiB, for which it need not
   * ask again, and one of its own above.
   */
  input(bytes: number): Uint8Array;

  /** Opens the one connection of a store, creating the store if there is none. Rejects with a Fault. */
  open(store: string, key: Uint8Array, synchronous: 'FULL' | 'NORMAL', waitMs: number): Promise<number>;
  /** Opens the mirror of a store that this worker has opened before. Rejects with a Fault. */
  mirror(store: string, key: Uint8Array): Promise<Mirror>;
  /** Removes every file of a store, and its mirror. Nothing is left to open. Rejects with a Fault. */
  remove(store: string): Promise<void>;
  /** Whether a store of that name is on this device; it need not be readable. */
  exists(store: string): Promise<boolean>;

  close(db: number): number;
  prepare(db: number, bytes: number): number;
  columns(statement: number): number;
  query(statement: number, bytes: number, budget: number): number;
  next(statement: number, budget: number): number;
  exec(statement: number, bytes: number): number;
  reset(statement: number): number;
  finalize(statement: number): number;
  /** Whether no transaction is open: 1 or 0, no answer. */
  autocommit(db: number): number;
}

const OK = 0;
const MISUSE = 21;
const NOTADB = 26;
const ROW = 100;
const DONE = 101;
const INTERNAL = 2;

const OPEN_READWRITE = 0x2;
const OPEN_CREATE = 0x4;
const PREPARE_PERSISTENT = 0x1;
const STATIC = 0;

const INTEGER = 1;
const FLOAT = 2;
const TEXT = 3;
const BLOB = 4;

/** Earlier versions can corrupt a WAL (SQLite, 2026-03-13). */
const OLDEST_VERSION = 3_051_003;

const KEY_BYTES = 32;
const ROOT = 'wardbook';
const DATABASE = '/store.db';
const KEPT_BYTES = 64 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Connection {
  readonly store: string;
  readonly pool: Pool;
}

interface Statement {
  readonly db: number;
  arguments: number; // in SQLite's memory; bound values point into it
  capacity: number;
}

class Shim implements Sq {
  readonly answer = new Uint8Array(128 * 1024);
  large: Uint8Array | null = null;

  private readonly small = new Uint8Array(KEPT_BYTES);
  private given: Uint8Array = this.small;
  private readonly pools = new Map<string, Pool>();
  private readonly connections = new Map<number, Connection>();
  private readonly created = new Set<string>(); // stores just made, of which no mirror knows yet
  private readonly statements = new Map<number, Statement>();
  private readonly out: Writer;
  private broken = '';

  constructor(private readonly c: SQLiteModule) {
    this.out = new Writer(this.answer);
  }

  input(bytes: number): Uint8Array {
    this.given = bytes <= this.small.length ? this.small : new Uint8Array(bytes);
    return this.given;
  }

  async open(store: string, key: Uint8Array, synchronous: 'FULL' | 'NORMAL', waitMs: number): Promise<number> {
    if (!/^[a-z0-9-]{1,40}$/.test(store)) throw new Fault('failed', `store name ${JSON.stringify(store)} is not a-z, 0-9 and -`);
    if (key.length !== KEY_BYTES) throw new Fault('failed', `store key has ${key.length} bytes, want ${KEY_BYTES}`);
    if (this.broken) throw new Fault('failed', this.broken);
    await requireHandles();
    const pool = this.poolOf(store);
    await pool.acquire(`${ROOT}/${store}/pool`, waitMs);
    try {
      const digest = await digestOf(key);
      const known = await readCheck(store, waitMs);
      if (known && !equal(known, digest)) throw new Fault('wrong-key', `open store ${store}: made with another key`);
      const db = this.connect(store, key, synchronous, known !== null);
      try {
        if (!known) {
          await writeCheck(store, digest, waitMs);
          this.created.add(store);
        }
      } catch (cause) {
        this.c._sqlite3_close(db);
        throw cause;
      }
      this.connections.set(db, { store, pool });
      return db;
    } catch (cause) {
      pool.release();
      throw faultOf(cause, `open store ${store}`);
    }
  }

  async mirror(store: string, key: Uint8Array): Promise<Mirror> {
    const mirror = await openMirror(store, key, this.created.has(store));
    this.created.delete(store); // the mirror remembers it now
    return mirror;
  }

  async remove(store: string): Promise<void> {
    for (const [db, connection] of this.connections) {
      if (connection.store === store) this.close(db);
    }
    await removeMirror(store);
    await requireHandles();
    try {
      const root = await navigator.storage.getDirectory();
      const folder = await root.getDirectoryHandle(ROOT, { create: true });
      await folder.removeEntry(store, { recursive: true });
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'NotFoundError') return;
      throw faultOf(cause, `remove store ${store}`);
    }
  }

  async exists(store: string): Promise<boolean> {
    await requireHandles();
    try {
      const root = await navigator.storage.getDirectory();
      const folder = await root.getDirectoryHandle(ROOT);
      await folder.getDirectoryHandle(store);
      return true;
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'NotFoundError') return false;
      throw faultOf(cause, `look for store ${store}`);
    }
  }

  close(db: number): number {
    return this.guard(() => {
      const connection = this.connections.get(db);
      if (!connection) return this.misuse('close: not an open connection');
      for (let s = this.c._sqlite3_next_stmt(db, 0); s; s = this.c._sqlite3_next_stmt(db, 0)) this.drop(s);
      const code = this.c._sqlite3_close(db);
      this.connections.delete(db);
      connection.pool.release();
      return code === OK ? 0 : this.failure(code, this.string(this.c._sqlite3_errstr(code)));
    });
  }

  prepare(db: number, bytes: number): number {
    return this.guard(() => {
      const c = this.c;
      const sql = this.copyIn(bytes);
      const results = c._malloc(8);
      try {
        const code = c._sqlite3_prepare_v3(db, sql, bytes, PREPARE_PERSISTENT, results, results + 4);
        if (code !== OK) return this.dbFailure(db, code);
        const view = this.view();
        const statement = view.getUint32(results, true);
        const tail = view.getUint32(results + 4, true);
        if (statement) this.statements.set(statement, { db, arguments: 0, capacity: 0 });
        const out = this.out.begin();
        out.u32(statement);
        out.u32(tail - sql);
        out.u32(statement ? c._sqlite3_bind_parameter_count(statement) : 0);
        if (statement) this.writeColumns(statement);
        else out.u32(0);
        return this.done();
      } finally {
        c._free(results);
        c._free(sql);
      }
    });
  }

  columns(statement: number): number {
    return this.guard(() => {
      this.out.begin();
      this.writeColumns(statement);
      return this.done();
    });
  }

  query(statement: number, bytes: number, budget: number): number {
    return this.guard(() => {
      const failed = this.bind(statement, bytes);
      return failed === 0 ? this.batch(statement, budget) : failed;
    });
  }

  next(statement: number, budget: number): number {
    return this.guard(() => this.batch(statement, budget));
  }

  exec(statement: number, bytes: number): number {
    return this.guard(() => {
      const c = this.c;
      const failed = this.bind(statement, bytes);
      if (failed !== 0) return failed;
      let code: number;
      do code = c._sqlite3_step(statement);
      while (code === ROW);
      if (code !== DONE) return this.stepFailure(statement, code);
      code = c._sqlite3_reset(statement);
      const { db } = this.statements.get(statement)!;
      if (code !== OK) return this.dbFailure(db, code);
      const out = this.out.begin();
      out.i64(c._sqlite3_last_insert_rowid(db), c.getTempRet0());
      out.i64(c._sqlite3_changes64(db), c.getTempRet0());
      return this.done();
    });
  }

  reset(statement: number): number {
    return this.guard(() => {
      const code = this.c._sqlite3_reset(statement);
      return code === OK ? 0 : this.dbFailure(this.statements.get(statement)!.db, code);
    });
  }

  finalize(statement: number): number {
    return this.guard(() => {
      this.drop(statement); // repeats the error of the last step, which its caller has seen
      return 0;
    });
  }

  autocommit(db: number): number {
    return this.guard(() => this.c._sqlite3_get_autocommit(db));
  }

  private poolOf(store: string): Pool {
    let pool = this.pools.get(store);
    if (!pool) {
      pool = new Pool(store, this.c);
      this.must(this.c.vfs_register(pool, false), 'register file system');
      const name = this.cString(store);
      try {
        this.must(this.c._sqlite3mc_vfs_create(name, 0), 'register encryption');
      } finally {
        this.c._free(name);
      }
      this.pools.set(store, pool);
    }
    return pool;
  }

  /** Opens the database of an acquired pool and asserts all that durability and privacy rest on. */
  private connect(store: string, key: Uint8Array, synchronous: string, keyIsRight: boolean): number {
    const c = this.c;
    const version = c._sqlite3_libversion_number();
    if (version < OLDEST_VERSION) throw new Fault('failed', `SQLite ${version} is older than ${OLDEST_VERSION}`);
    const path = this.cString(DATABASE);
    const vfs = this.cString(`multipleciphers-${store}`);
    const result = c._malloc(4);
    const code = c._sqlite3_open_v2(path, result, OPEN_READWRITE | OPEN_CREATE, vfs);
    const db = this.view().getUint32(result, true);
    for (const each of [path, vfs, result]) c._free(each);
    try {
      if (code !== OK) throw new Fault('failed', `open database: ${this.message(db, code)}`);
      c._sqlite3_extended_result_codes(db, 1);
      this.pragma(db, `PRAGMA cipher = 'chacha20'`);
      this.pragma(db, `PRAGMA key = 'raw:${hex(key)}'`);
      this.pragma(db, 'PRAGMA locking_mode = EXCLUSIVE'); // before anything is read: a WAL would ask for shared memory
      try {
        this.pragma(db, 'SELECT count(*) FROM sqlite_schema');
      } catch (cause) {
        if (!(cause instanceof ResultError) || (cause.code & 0xff) !== NOTADB) throw cause;
        // The check file tells a wrong key from damage; without it the key is the likelier cause.
        throw keyIsRight
          ? new Fault('corrupted', `open store ${store}: the first page cannot be read with the right key`)
          : new Fault('wrong-key', `open store ${store}: not a database under this key`);
      }
      this.pragma(db, 'PRAGMA journal_mode = WAL');
      this.pragma(db, `PRAGMA synchronous = ${synchronous}`);
      this.pragma(db, 'PRAGMA temp_store = MEMORY');
      this.pragma(db, 'PRAGMA secure_delete = ON'); // what was erased is not in free pages either
      this.pragma(db, 'PRAGMA foreign_keys = ON');
      this.pragma(db, 'PRAGMA cache_size = -32768');
      const want: Record<string, string> = {
        cipher: 'chacha20',
        locking_mode: 'exclusive',
        journal_mode: 'wal',
        synchronous: synchronous === 'FULL' ? '2' : '1',
        temp_store: '2',
        secure_delete: '1',
        foreign_keys: '1',
      };
      for (const [name, value] of Object.entries(want)) {
        const got = this.pragma(db, `PRAGMA ${name}`);
        if (got !== value) throw new Fault('failed', `PRAGMA ${name} is ${got}, want ${value}`);
      }
      return db;
    } catch (cause) {
      c._sqlite3_close(db);
      if (cause instanceof ResultError && corrupts(cause.code)) throw new Fault('corrupted', cause.message);
      if (cause instanceof ResultError && (cause.code & 0xff) === 13) throw new Fault('quota', cause.message);
      throw cause;
    }
  }

  /** Runs one statement of ours; returns the first column of its first row as text. */
  private pragma(db: number, sql: string): string {
    const c = this.c;
    const text = this.cString(sql);
    const result = c._malloc(4);
    let code = c._sqlite3_prepare_v3(db, text, -1, 0, result, 0);
    const statement = this.view().getUint32(result, true);
    c.HEAPU8.fill(0, text, text + sql.length); // one of them holds the key
    c._free(text);
    c._free(result);
    const verb = sql.split('=')[0]!.trim();
    if (code !== OK) throw new ResultError(code, `${verb}: ${this.message(db, code)}`);
    try {
      let first = '';
      code = c._sqlite3_step(statement);
      if (code === ROW) first = this.string(c._sqlite3_column_text(statement, 0));
      while (code === ROW) code = c._sqlite3_step(statement);
      if (code !== DONE) throw new ResultError(code, `${verb}: ${this.message(db, code)}`);
      return first;
    } finally {
      c._sqlite3_finalize(statement);
    }
  }

  /** Binds the packed values of the input. They are copied once; the bindings point into that copy. */
  private bind(statement: number, bytes: number): number {
    const c = this.c;
    const state = this.statements.get(statement);
    if (!state) return this.misuse('query: not a statement');
    c._sqlite3_reset(statement); // the outcome of an earlier run was reported then
    const given = this.takeGiven();
    const view = new DataView(given.buffer);
    const count = bytes ? view.getUint32(0, true) : 0;
    const want = c._sqlite3_bind_parameter_count(statement);
    if (count !== want) return this.misuse(`bind: got ${count} arguments, want ${want}`);
    if (count === 0) return 0;
    if (state.capacity < bytes || state.capacity > KEPT_BYTES) {
      c._sqlite3_clear_bindings(statement);
      c._free(state.arguments);
      state.arguments = c._malloc(bytes);
      state.capacity = state.arguments ? bytes : 0;
      if (!state.arguments) return this.failure(7, 'out of memory');
    }
    const base = state.arguments;
    c.HEAPU8.set(given.subarray(0, bytes), base);
    let at = 4;
    for (let i = 1; i <= count; i++) {
      const kind = given[at++];
      let code: number;
      switch (kind) {
        case INTEGER:
          code = c._sqlite3_bind_int64(statement, i, view.getInt32(at, true), view.getInt32(at + 4, true));
          at += 8;
          break;
        case FLOAT:
          code = c._sqlite3_bind_double(statement, i, view.getFloat64(at, true));
          at += 8;
          break;
        case TEXT:
        case BLOB: {
          const length = view.getUint32(at, true);
          at += 4;
          if (kind === TEXT) code = c._sqlite3_bind_text(statement, i, base + at, length, STATIC);
          else if (length) code = c._sqlite3_bind_blob(statement, i, base + at, length, STATIC);
          else code = c._sqlite3_bind_zeroblob(statement, i, 0);
          at += length;
          break;
        }
        default:
          code = c._sqlite3_bind_null(statement, i);
      }
      if (code !== OK) return this.dbFailure(state.db, code);
    }
    return 0;
  }

  /** Steps until a batch holds `budget` bytes or there are no more rows; then the statement is reset. */
  private batch(statement: number, budget: number): number {
    const c = this.c;
    const out = this.out.begin();
    out.u8(1); // whether more may follow
    out.u32(0); // columns, which are known only after the first step
    out.u32(0); // rows
    let columns = 0;
    let rows = 0;
    for (;;) {
      let code = c._sqlite3_step(statement);
      if (columns === 0) columns = c._sqlite3_column_count(statement);
      if (code === ROW) {
        this.writeRow(statement, columns);
        rows++;
        if (out.length < budget) continue;
      } else if (code === DONE) {
        code = c._sqlite3_reset(statement);
        if (code !== OK) return this.dbFailure(this.statements.get(statement)!.db, code);
        out.patchU8(0, 0);
      } else {
        return this.stepFailure(statement, code);
      }
      out.patchU32(1, columns);
      out.patchU32(5, rows);
      return this.done();
    }
  }

  private writeRow(statement: number, columns: number): void {
    const c = this.c;
    const out = this.out;
    for (let i = 0; i < columns; i++) {
      const kind = c._sqlite3_column_type(statement, i);
      switch (kind) {
        case INTEGER:
          out.u8(INTEGER);
          out.i64(c._sqlite3_column_int64(statement, i), c.getTempRet0());
          break;
        case FLOAT:
          out.u8(FLOAT);
          out.f64(c._sqlite3_column_double(statement, i));
          break;
        case TEXT:
        case BLOB: {
          const pointer = kind === TEXT ? c._sqlite3_column_text(statement, i) : c._sqlite3_column_blob(statement, i);
          const length = c._sqlite3_column_bytes(statement, i);
          out.u8(kind);
          out.u32(length);
          out.bytes(c.HEAPU8, pointer, length);
          break;
        }
        default:
          out.u8(0);
      }
    }
  }

  private writeColumns(statement: number): void {
    const c = this.c;
    const count = c._sqlite3_column_count(statement);
    this.out.u32(count);
    for (let i = 0; i < count; i++) this.out.text(this.string(c._sqlite3_column_name(statement, i)));
  }

  private done(): number {
    this.large = this.out.grown;
    return this.out.length;
  }

  /** A trap in SQLite leaves its memory in an unknown state: report it, and use it no more. */
  private guard(call: () => number): number {
    if (this.broken) return this.failure(INTERNAL, this.broken);
    try {
      return call();
    } catch (cause) {
      this.broken = `sqlite stopped: ${cause instanceof Error ? cause.message : String(cause)}`;
      return this.failure(INTERNAL, this.broken);
    }
  }

  private stepFailure(statement: number, code: number): number {
    const { db } = this.statements.get(statement) ?? { db: 0 };
    const length = this.dbFailure(db, code);
    this.c._sqlite3_reset(statement);
    return length;
  }

  private dbFailure(db: number, code: number): number {
    const extended = db ? this.c._sqlite3_extended_errcode(db) : code;
    return this.failure((extended & 0xff) === (code & 0xff) ? extended : code, this.message(db, code));
  }

  private misuse(text: string): number {
    return this.failure(MISUSE, text);
  }

  private failure(code: number, text: string): number {
    const out = this.out.begin();
    out.u32(code);
    out.text(text);
    return -this.done();
  }

  private message(db: number, code: number): string {
    return this.string(db ? this.c._sqlite3_errmsg(db) : this.c._sqlite3_errstr(code));
  }

  private drop(statement: number): void {
    this.c._sqlite3_finalize(statement);
    const state = this.statements.get(statement);
    if (state) this.c._free(state.arguments);
    this.statements.delete(statement);
  }

  private must(code: number, doing: string): void {
    if (code !== OK) throw new Fault('failed', `${doing}: ${this.string(this.c._sqlite3_errstr(code))}`);
  }

  private view(): DataView {
    return new DataView(this.c.HEAPU8.buffer);
  }

  private takeGiven(): Uint8Array {
    const given = this.given;
    this.given = this.small;
    return given;
  }

  /** The input as a zero-terminated copy in SQLite's memory; the caller frees it. */
  private copyIn(bytes: number): number {
    const pointer = this.c._malloc(bytes + 1);
    this.c.HEAPU8.set(this.takeGiven().subarray(0, bytes), pointer);
    this.c.HEAPU8[pointer + bytes] = 0;
    return pointer;
  }

  private cString(text: string): number {
    const bytes = encoder.encode(text);
    const pointer = this.c._malloc(bytes.length + 1);
    this.c.HEAPU8.set(bytes, pointer);
    this.c.HEAPU8[pointer + bytes.length] = 0;
    return pointer;
  }

  private string(pointer: number): string {
    if (!pointer) return '';
    const heap = this.c.HEAPU8;
    return decoder.decode(heap.subarray(pointer, heap.indexOf(0, pointer)));
  }
}

/** A failed statement of ours. */
class ResultError extends Error {
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

/** Writes an answer, little-endian, into the kept array or, when that is too small, into one of its own. */
class Writer {
  length = 0;
  grown: Uint8Array | null = null;
  private buffer: Uint8Array;
  private view: DataView;

  constructor(private readonly kept: Uint8Array) {
    this.buffer = kept;
    this.view = new DataView(kept.buffer);
  }

  begin(): this {
    this.length = 0;
    if (this.grown) {
      this.grown = null;
      this.buffer = this.kept;
      this.view = new DataView(this.kept.buffer);
    }
    return this;
  }

  u8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  i64(low: number, high: number): void {
    this.reserve(8);
    this.view.setInt32(this.length, low, true);
    this.view.setInt32(this.length + 4, high, true);
    this.length += 8;
  }

  f64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  bytes(from: Uint8Array, start: number, count: number): void {
    this.reserve(count);
    if (count < 24) {
      // Cheaper than making a view for each short value.
      for (let i = 0; i < count; i++) this.buffer[this.length + i] = from[start + i]!;
    } else {
      this.buffer.set(from.subarray(start, start + count), this.length);
    }
    this.length += count;
  }

  text(value: string): void {
    const bytes = encoder.encode(value);
    this.u32(bytes.length);
    this.bytes(bytes, 0, bytes.length);
  }

  patchU8(at: number, value: number): void {
    this.buffer[at] = value;
  }

  patchU32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.length + count, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = this.grown = larger;
    this.view = new DataView(larger.buffer);
  }
}

function corrupts(code: number): boolean {
  return (code & 0xff) === 11 || (code & 0xff) === NOTADB;
}

async function requireHandles(): Promise<void> {
  if (typeof navigator.storage?.getDirectory !== 'function') throw new Fault('no-opfs', 'this browser has no private file system');
  if (typeof FileSystemFileHandle === 'undefined' || !('createSyncAccessHandle' in FileSystemFileHandle.prototype)) {
    throw new Fault('no-opfs', 'this browser has no synchronous access handles');
  }
  try {
    await navigator.storage.getDirectory();
  } catch (cause) {
    throw new Fault('no-opfs', `the private file system is refused: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** What is kept beside the pool to tell a wrong key from damage: a digest from which the key cannot be found. */
async function digestOf(key: Uint8Array): Promise<Uint8Array> {
  const label = encoder.encode('wardbook store key check\n');
  const joined = new Uint8Array(label.length + key.length);
  joined.set(label);
  joined.set(key, label.length);
  return new Uint8Array(await crypto.subtle.digest('SHA-256', joined));
}

async function checkFile(store: string, waitMs: number): Promise<FileSystemSyncAccessHandle> {
  const root = await navigator.storage.getDirectory();
  const folder = await (await root.getDirectoryHandle(ROOT)).getDirectoryHandle(store);
  return openFile(await folder.getFileHandle('key-check', { create: true }), waitMs);
}

async function readCheck(store: string, waitMs: number): Promise<Uint8Array | null> {
  const file = await checkFile(store, waitMs);
  try {
    const digest = new Uint8Array(32);
    return file.read(digest, { at: 0 }) === digest.length ? digest : null;
  } finally {
    file.close();
  }
}

async function writeCheck(store: string, digest: Uint8Array, waitMs: number): Promise<void> {
  const file = await checkFile(store, waitMs);
  try {
    file.write(digest, { at: 0 });
    file.flush();
  } finally {
    file.close();
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

declare global {
  var __sq: Sq | undefined;
}

/** Loads SQLite and offers it to Go. `wasm` is the address of mc-wa-sqlite.wasm. */
export async function install(wasm: string): Promise<Sq> {
  const shim = new Shim(await load({ locateFile: () => wasm }));
  globalThis.__sq = shim;
  return shim;
}
