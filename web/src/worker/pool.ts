import type { SQLiteModule } from '@journeyapps/wa-sqlite/dist/mc-wa-sqlite.mjs';
import { AccessHandlePoolVFS } from '@journeyapps/wa-sqlite/src/examples/AccessHandlePoolVFS.js';
import { MemoryVFS } from '@journeyapps/wa-sqlite/src/examples/MemoryVFS.js';
import { FacadeVFS } from '@journeyapps/wa-sqlite/src/FacadeVFS.js';
import * as VFS from '@journeyapps/wa-sqlite/src/VFS.js';
import { Fault, faultOf } from './fault';

/** Files that must outlive the process. SQLite encrypts these three and no other, so no other reaches the disk. */
const KEPT = VFS.SQLITE_OPEN_MAIN_DB | VFS.SQLITE_OPEN_MAIN_JOURNAL | VFS.SQLITE_OPEN_SUPER_JOURNAL | VFS.SQLITE_OPEN_WAL;

/** Database, WAL and a rollback journal: what one store may need at once. */
const FREE_FILES = 3;

/**
 * The file system of one store: a pool of OPFS access handles for the files that are kept, memory for SQLite's
 * temporary ones. It is registered once for the worker's life, because SQLite's encrypting layer keeps a pointer to
 * it; the pool behind it comes with each `acquire` and goes with each `release`.
 *
 * Nothing thrown by the browser may cross SQLite's stack, which it would leave half unwound: every call answers with
 * a result code.
 */
export class Pool extends FacadeVFS {
  private handles: AccessHandlePoolVFS | null = null;
  private readonly memory: MemoryVFS;
  private readonly inMemory = new Set<number>();

  constructor(name: string, private readonly module: SQLiteModule) {
    super(name, module);
    this.memory = new MemoryVFS(`${name}-temporary`, module);
  }

  get held(): boolean {
    return this.handles !== null;
  }

  /**
   * Opens every file of the folder, creating the pool if there is none. Another tab that has just been closed may
   * still hold them for a moment, so it tries until `waitMs` have passed.
   */
  async acquire(folder: string, waitMs: number): Promise<void> {
    if (this.handles) throw new Fault('held', `${folder} is open in this worker`);
    const until = performance.now() + waitMs;
    const failed: AccessHandlePoolVFS[] = [];
    for (;;) {
      const pool = new AccessHandlePoolVFS(folder, this.module);
      try {
        await pool.isReady();
        const free = pool.getCapacity() - pool.getSize();
        if (free < FREE_FILES) await pool.addCapacity(FREE_FILES - free);
        this.handles = pool;
        return;
      } catch (cause) {
        // One handle was refused; others may still arrive after that, and would block the next try.
        failed.push(pool);
        await new Promise((wake) => setTimeout(wake, 25));
        for (const each of failed) await each.close();
        const fault = refused(cause);
        if (fault.code === 'held' && performance.now() < until) continue;
        // Whatever arrives still later may not be held either.
        for (const ms of [100, 400]) {
          await new Promise((wake) => setTimeout(wake, ms));
          for (const each of failed) await each.close();
        }
        throw fault;
      }
    }
  }

  /** Closes every file. The handles are free for another worker when it returns. */
  release(): void {
    void this.handles?.close(); // synchronous up to its end
    this.handles = null;
  }

  override jOpen(path: string | null, file: number, flags: number, outFlags: DataView): number {
    if (flags & KEPT) return this.guard(VFS.SQLITE_CANTOPEN, (pool) => pool.jOpen(path, file, flags, outFlags));
    this.inMemory.add(file);
    return this.memory.jOpen(path, file, flags, outFlags);
  }

  override jClose(file: number): number {
    if (this.inMemory.delete(file)) return this.memory.jClose(file);
    return this.guard(VFS.SQLITE_IOERR_CLOSE, (pool) => pool.jClose(file));
  }

  override jRead(file: number, into: Uint8Array, offset: number): number {
    if (this.inMemory.has(file)) return this.memory.jRead(file, into, offset);
    return this.guard(VFS.SQLITE_IOERR_READ, (pool) => pool.jRead(file, into, offset));
  }

  override jWrite(file: number, from: Uint8Array, offset: number): number {
    if (this.inMemory.has(file)) return this.memory.jWrite(file, from, offset);
    // The pool's only failure of its own is a short write, which means the same to the user as a quota: no room.
    return this.guard(VFS.SQLITE_IOERR_WRITE, (pool) => (pool.jWrite(file, from, offset) ? VFS.SQLITE_FULL : VFS.SQLITE_OK));
  }

  override jTruncate(file: number, size: number): number {
    if (this.inMemory.has(file)) return this.memory.jTruncate(file, size);
    return this.guard(VFS.SQLITE_IOERR_TRUNCATE, (pool) => pool.jTruncate(file, size));
  }

  override jSync(file: number, flags: number): number {
    if (this.inMemory.has(file)) return VFS.SQLITE_OK;
    return this.guard(VFS.SQLITE_IOERR_FSYNC, (pool) => pool.jSync(file, flags));
  }

  override jFileSize(file: number, outSize: DataView): number {
    if (this.inMemory.has(file)) return this.memory.jFileSize(file, outSize);
    return this.guard(VFS.SQLITE_IOERR_FSTAT, (pool) => pool.jFileSize(file, outSize));
  }

  override jSectorSize(file: number): number {
    return this.handles?.jSectorSize(file) ?? 4096;
  }

  override jDeviceCharacteristics(file: number): number {
    return this.handles?.jDeviceCharacteristics(file) ?? 0;
  }

  override jAccess(path: string, flags: number, outExists: DataView): number {
    return this.guard(VFS.SQLITE_IOERR_ACCESS, (pool) => pool.jAccess(path, flags, outExists));
  }

  override jDelete(path: string, syncDirectory: number): number {
    return this.guard(VFS.SQLITE_IOERR_DELETE, (pool) => pool.jDelete(path, syncDirectory));
  }

  private guard(failure: number, call: (pool: AccessHandlePoolVFS) => number): number {
    if (!this.handles) return failure;
    try {
      return call(this.handles);
    } catch (cause) {
      return faultOf(cause, '').code === 'quota' ? VFS.SQLITE_FULL : failure;
    }
  }
}

/** Opens one file, trying until `waitMs` have passed as `acquire` does. */
export async function openFile(file: FileSystemFileHandle, waitMs: number): Promise<FileSystemSyncAccessHandle> {
  const until = performance.now() + waitMs;
  for (;;) {
    try {
      return await file.createSyncAccessHandle();
    } catch (cause) {
      const fault = refused(cause);
      if (fault.code !== 'held' || performance.now() >= until) throw fault;
      await new Promise((wake) => setTimeout(wake, 25));
    }
  }
}

/** Some engines say that a file is in use elsewhere by an error that otherwise says that it is not in use here. */
function refused(cause: unknown): Fault {
  const fault = faultOf(cause, 'open local files');
  const inUse = cause instanceof DOMException && cause.name === 'InvalidStateError';
  return inUse ? new Fault('held', fault.message) : fault;
}
