// The parts of @journeyapps/wa-sqlite that the worker uses; the package types only its promise API.

declare module '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs' {
  /** The C API of SQLite with SQLite3MultipleCiphers, as exported functions over one linear memory. */
  export interface SQLiteModule {
    readonly HEAPU8: Uint8Array; // replaced whenever the memory grows: read it again after every call
    getTempRet0(): number; // high half of the 64-bit result of the call just made
    vfs_register(vfs: object, makeDefault: boolean): number;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _sqlite3_libversion_number(): number;
    _sqlite3mc_vfs_create(name: number, makeDefault: number): number;
    _sqlite3_open_v2(name: number, db: number, flags: number, vfs: number): number;
    _sqlite3_close(db: number): number;
    _sqlite3_extended_result_codes(db: number, on: number): number;
    _sqlite3_extended_errcode(db: number): number;
    _sqlite3_errmsg(db: number): number;
    _sqlite3_errstr(code: number): number;
    _sqlite3_next_stmt(db: number, statement: number): number;
    _sqlite3_prepare_v3(db: number, sql: number, bytes: number, flags: number, statement: number, tail: number): number;
    _sqlite3_step(statement: number): number;
    _sqlite3_reset(statement: number): number;
    _sqlite3_clear_bindings(statement: number): number;
    _sqlite3_finalize(statement: number): number;
    _sqlite3_bind_parameter_count(statement: number): number;
    _sqlite3_bind_null(statement: number, index: number): number;
    _sqlite3_bind_int64(statement: number, index: number, low: number, high: number): number;
    _sqlite3_bind_double(statement: number, index: number, value: number): number;
    _sqlite3_bind_text(statement: number, index: number, text: number, bytes: number, destructor: number): number;
    _sqlite3_bind_blob(statement: number, index: number, blob: number, bytes: number, destructor: number): number;
    _sqlite3_bind_zeroblob(statement: number, index: number, bytes: number): number;
    _sqlite3_column_count(statement: number): number;
    _sqlite3_column_name(statement: number, index: number): number;
    _sqlite3_column_type(statement: number, index: number): number;
    _sqlite3_column_int64(statement: number, index: number): number;
    _sqlite3_column_double(statement: number, index: number): number;
    _sqlite3_column_text(statement: number, index: number): number;
    _sqlite3_column_blob(statement: number, index: number): number;
    _sqlite3_column_bytes(statement: number, index: number): number;
    _sqlite3_get_autocommit(db: number): number;
    _sqlite3_last_insert_rowid(db: number): number;
    _sqlite3_changes64(db: number): number;
  }
  export default function load(options: { locateFile(name: string): string }): Promise<SQLiteModule>;
}

declare module '@journeyapps/wa-sqlite/src/VFS.js' {
  export const SQLITE_OK: number;
  export const SQLITE_CANTOPEN: number;
  export const SQLITE_FULL: number;
  export const SQLITE_IOERR_READ: number;
  export const SQLITE_IOERR_WRITE: number;
  export const SQLITE_IOERR_TRUNCATE: number;
  export const SQLITE_IOERR_FSYNC: number;
  export const SQLITE_IOERR_FSTAT: number;
  export const SQLITE_IOERR_CLOSE: number;
  export const SQLITE_IOERR_DELETE: number;
  export const SQLITE_IOERR_ACCESS: number;
  export const SQLITE_OPEN_MAIN_DB: number;
  export const SQLITE_OPEN_MAIN_JOURNAL: number;
  export const SQLITE_OPEN_SUPER_JOURNAL: number;
  export const SQLITE_OPEN_WAL: number;
}

declare module '@journeyapps/wa-sqlite/src/FacadeVFS.js' {
  import type { SQLiteModule } from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
  /** Turns SQLite's C calls into calls with JavaScript's own types. */
  export class FacadeVFS {
    readonly name: string;
    constructor(name: string, module: SQLiteModule);
    jOpen(path: string | null, file: number, flags: number, outFlags: DataView): number;
    jClose(file: number): number;
    jRead(file: number, into: Uint8Array, offset: number): number;
    jWrite(file: number, from: Uint8Array, offset: number): number;
    jTruncate(file: number, size: number): number;
    jSync(file: number, flags: number): number;
    jFileSize(file: number, outSize: DataView): number;
    jSectorSize(file: number): number;
    jDeviceCharacteristics(file: number): number;
    jAccess(path: string, flags: number, outExists: DataView): number;
    jDelete(path: string, syncDirectory: number): number;
  }
}

declare module '@journeyapps/wa-sqlite/src/examples/AccessHandlePoolVFS.js' {
  import { FacadeVFS } from '@journeyapps/wa-sqlite/src/FacadeVFS.js';
  /** A fixed set of OPFS files, opened ahead so that every later call is synchronous. */
  export class AccessHandlePoolVFS extends FacadeVFS {
    isReady(): Promise<boolean>;
    close(): Promise<void>;
    getSize(): number;
    getCapacity(): number;
    addCapacity(files: number): Promise<number>;
  }
}

declare module '@journeyapps/wa-sqlite/src/examples/MemoryVFS.js' {
  import { FacadeVFS } from '@journeyapps/wa-sqlite/src/FacadeVFS.js';
  export class MemoryVFS extends FacadeVFS {}
}
