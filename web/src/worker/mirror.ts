import { Fault, faultOf } from './fault';

/**
 * The second copy of acknowledged changesets in the first minutes of a store's life.
 *
 * Chromium does not flush the names of young private files: a power cut within about 45 seconds of their making takes
 * the whole file, however often its content was flushed. IndexedDB with strict durability does survive that. So a save
 * is acknowledged only after it is here too, until the store is old enough; at the next opening the caller applies
 * what the store has lost. Entries are sealed under a key derived from the store's.
 */
export interface Mirror {
  /** Keeps bytes under a key, replacing what it held; resolves when they are on the disk. Does nothing once the store is old. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Everything kept, in the order of the keys. */
  all(): Promise<[string, Uint8Array][]>;
  /** Empties the mirror if the store is old enough to do without it, and says whether it is. */
  trim(): Promise<boolean>;
  close(): void;
}

/** Six times what a kernel takes by default to write such names back of its own accord. */
const young = 5 * 60_000;

const entries = 'entries';
const about = 'about';
const born = 'born';

const encoder = new TextEncoder();

/**
 * Opens the mirror of a store; `created` says that the store has just been made, or made again after its loss, and is
 * young whatever the mirror remembers.
 */
export async function openMirror(store: string, key: Uint8Array, created: boolean): Promise<Mirror> {
  try {
    const sealer = await sealerOf(store, key);
    const db = await openDatabase(nameOf(store));
    try {
      let birth = await read<number>(db, about, born);
      if (created || birth === undefined) {
        birth = Date.now();
        await write(db, about, (table) => table.put(birth, born));
      }
      return new IndexedMirror(store, db, sealer, birth);
    } catch (cause) {
      db.close();
      throw cause;
    }
  } catch (cause) {
    throw faultOf(cause, `open mirror of ${store}`);
  }
}

/** Deletes the mirror of a store. */
export async function removeMirror(store: string): Promise<void> {
  const request = indexedDB.deleteDatabase(nameOf(store)); // others close theirs when asked: see openDatabase
  await settled(request).catch((cause) => {
    throw faultOf(cause, `remove mirror of ${store}`);
  });
}

class IndexedMirror implements Mirror {
  private gone = false;

  constructor(
    private readonly store: string,
    private db: IDBDatabase,
    private readonly sealer: Sealer,
    private readonly birth: number,
  ) {}

  async put(key: string, bytes: Uint8Array): Promise<void> {
    if (this.old()) return;
    try {
      const sealed = await this.sealer.seal(key, bytes);
      await this.connected((db) => write(db, entries, (table) => table.put(sealed, key)));
    } catch (cause) {
      throw faultOf(cause, 'mirror a save');
    }
  }

  async all(): Promise<[string, Uint8Array][]> {
    try {
      const [keys, values] = await this.connected((db) => {
        const table = db.transaction(entries).objectStore(entries);
        return Promise.all([settled(table.getAllKeys()), settled(table.getAll())]);
      });
      return await Promise.all(
        keys.map(async (key, i): Promise<[string, Uint8Array]> => {
          const name = String(key);
          return [name, await this.sealer.open(name, values[i] as Uint8Array<ArrayBuffer>)];
        }),
      );
    } catch (cause) {
      throw faultOf(cause, 'read the mirror');
    }
  }

  async trim(): Promise<boolean> {
    if (!this.old()) return false;
    try {
      await this.connected((db) => write(db, entries, (table) => table.clear()));
      return true;
    } catch (cause) {
      throw faultOf(cause, 'trim the mirror');
    }
  }

  close(): void {
    this.gone = true;
    this.db.close();
  }

  /**
   * Does something on the connection. Browsers close connections of pages in the background, and say so only to whoever
   * uses them next: then it is done again on a new one. Not if the mirror is to be deleted.
   */
  private async connected<T>(use: (db: IDBDatabase) => Promise<T>): Promise<T> {
    try {
      return await use(this.db);
    } catch (cause) {
      const lost = cause instanceof DOMException && ['InvalidStateError', 'AbortError', 'UnknownError'].includes(cause.name);
      if (!lost || this.gone || deleted.has(this.db)) throw cause;
      this.db.close();
      this.db = await openDatabase(nameOf(this.store));
      return use(this.db);
    }
  }

  /** A clock that was set back makes a store young for longer, which costs only time. */
  private old(): boolean {
    return Date.now() - this.birth >= young;
  }
}

const nonceBytes = 12;

/** AES-GCM under a key of the mirror's own; the entry's key is bound to its bytes. */
class Sealer {
  constructor(private readonly key: CryptoKey) {}

  async seal(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
    const sealed = await crypto.subtle.encrypt(this.algorithm(name, nonce), this.key, bytes as Uint8Array<ArrayBuffer>);
    const joined = new Uint8Array(nonceBytes + sealed.byteLength);
    joined.set(nonce);
    joined.set(new Uint8Array(sealed), nonceBytes);
    return joined;
  }

  async open(name: string, joined: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    try {
      const algorithm = this.algorithm(name, joined.subarray(0, nonceBytes));
      return new Uint8Array(await crypto.subtle.decrypt(algorithm, this.key, joined.subarray(nonceBytes)));
    } catch {
      throw new Fault('wrong-key', `mirrored entry ${name} does not open under this key`);
    }
  }

  private algorithm(name: string, iv: Uint8Array<ArrayBuffer>): AesGcmParams {
    return { name: 'AES-GCM', iv, additionalData: encoder.encode(name) };
  }
}

async function sealerOf(store: string, key: Uint8Array): Promise<Sealer> {
  const secret = await crypto.subtle.importKey('raw', key as Uint8Array<ArrayBuffer>, 'HKDF', false, ['deriveKey']);
  const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode(`wardbook mirror of ${store}`) };
  return new Sealer(await crypto.subtle.deriveKey(derivation, secret, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']));
}

function nameOf(store: string): string {
  return `wardbook-mirror-${store}`;
}

/** Connections that ended because their database was to be deleted. */
const deleted = new WeakSet<IDBDatabase>();

async function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(entries);
    request.result.createObjectStore(about);
  };
  const db = await settled(request);
  db.onversionchange = () => {
    deleted.add(db);
    db.close();
  };
  return db;
}

function read<T>(db: IDBDatabase, table: string, key: string): Promise<T | undefined> {
  return settled(db.transaction(table).objectStore(table).get(key)) as Promise<T | undefined>;
}

/** Makes one change; resolves when it is on the disk. Without `strict`, browsers answer before. */
function write(db: IDBDatabase, table: string, change: (table: IDBObjectStore) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(table, 'readwrite', { durability: 'strict' });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('the change was aborted'));
    change(transaction.objectStore(table));
  });
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the request failed'));
  });
}
