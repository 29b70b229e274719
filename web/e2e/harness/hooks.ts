// What Go tests may do beside the driver: act as another tab, damage and search the store's files, limit the quota, and
// tell the harness what it waits for.

async function folder(store: string): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return (await root.getDirectoryHandle('wardbook')).getDirectoryHandle(store);
}

async function poolFiles(store: string): Promise<FileSystemFileHandle[]> {
  const files: FileSystemFileHandle[] = [];
  const pool = await (await folder(store)).getDirectoryHandle('pool');
  for await (const entry of pool.values()) if (entry.kind === 'file') files.push(entry as FileSystemFileHandle);
  return files;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

const waiting = new Map<number, (answer: unknown) => void>();
addEventListener('message', (event: MessageEvent<{ asked?: number; answer?: unknown }>) => {
  if (event.data.asked === undefined) return;
  waiting.get(event.data.asked)?.(event.data.answer);
  waiting.delete(event.data.asked);
});
let asked = 0;

export const hooks = {
  __tell(text: string): void {
    postMessage({ told: text });
  },

  /** Opens one file of the pool, as another tab that has just begun or not quite ended; returns what lets go. */
  async __hold(store: string, which: number): Promise<() => void> {
    const handle = await (await poolFiles(store))[which]!.createSyncAccessHandle();
    return () => handle.close();
  },

  async __removeCheck(store: string): Promise<void> {
    await (await folder(store)).removeEntry('key-check');
  },

  /** Turns over the bits of one byte of the database's file. */
  async __damage(store: string, at: number): Promise<void> {
    for (const file of await poolFiles(store)) {
      const handle = await file.createSyncAccessHandle();
      try {
        const head = new Uint8Array(64);
        handle.read(head, { at: 0 });
        if (indexOf(head, new TextEncoder().encode('/store.db\0')) !== 0) continue;
        if (handle.getSize() <= at) throw new Error(`the database has only ${handle.getSize()} bytes`);
        const byte = new Uint8Array(1);
        handle.read(byte, { at });
        byte[0]! ^= 0xff;
        handle.write(byte, { at });
        handle.flush();
        return;
      } finally {
        handle.close();
      }
    }
    throw new Error('no file of the pool is the database');
  },

  /** Looks for a text in every file of the store; returns the files and places, or nothing. */
  async __search(store: string, text: string): Promise<string> {
    const wanted = new TextEncoder().encode(text);
    const found: string[] = [];
    for (const file of await poolFiles(store)) {
      const at = indexOf(new Uint8Array(await (await file.getFile()).arrayBuffer()), wanted);
      if (at >= 0) found.push(`${file.name} at ${at}`);
    }
    return found.join(', ');
  },

  /** Makes a store's mirror believe that the store was born so many seconds ago. */
  async __age(store: string, seconds: number): Promise<void> {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(`wardbook-mirror-${store}`);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const transaction = db.transaction('about', 'readwrite');
    transaction.objectStore('about').put(Date.now() - seconds * 1000, 'born');
    await new Promise((done) => (transaction.oncomplete = done));
    db.close();
  },

  /**
   * Refuses the nth opening of a private file with an error of a name, and lets all others take their time; returns what
   * ends that and says whether it was refused.
   */
  __refuse(n: number, name: string, delay: number): () => boolean {
    const files = FileSystemFileHandle.prototype;
    const whole = files.createSyncAccessHandle;
    let refused = false;
    files.createSyncAccessHandle = async function (this: FileSystemFileHandle) {
      if (--n === 0) {
        refused = true;
        throw new DOMException('as the test asks', name);
      }
      await new Promise((wake) => setTimeout(wake, delay));
      return whole.call(this);
    };
    return () => {
      files.createSyncAccessHandle = whole;
      return refused;
    };
  },

  /** Closes the connection to IndexedDB at the nth transaction, as some browsers do to pages in the background. */
  __disconnect(n: number): () => boolean {
    const databases = IDBDatabase.prototype;
    const whole = databases.transaction;
    databases.transaction = function (this: IDBDatabase, ...args: Parameters<IDBDatabase['transaction']>) {
      if (--n === 0) this.close();
      return whole.apply(this, args);
    };
    return () => {
      databases.transaction = whole;
      return n <= 0;
    };
  },

  __quota(bytes: number): Promise<unknown> {
    const id = asked++;
    return new Promise((answered) => {
      waiting.set(id, answered);
      postMessage({ asked: id, quota: bytes });
    });
  },
};
