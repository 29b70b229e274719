import type { Failure, HandedIn } from '../bridge'

// Rescue files that wait in this browser: a second copy of each account's
// unsent work, made anew as that changes, and files that somebody brought or
// that an ending account left behind. They are sealed to the organisation, so
// they may be handed in without anybody being signed in, and as often as one
// likes: the server takes each changeset once.

/** One file that waits. */
interface Waiting {
  id: string // "of NAME" for an account's second copy; else a random one
  file: Uint8Array
  count: number // changesets in it, 0 if unknown
  at: number // device clock when it was put here
  late?: string // account in whose name it was written after the lease: only that account, signed in on this device, can hand it in
  refused?: Failure // why the server will not have it; it is kept all the same
}

const idOf = (account: string) => `of ${account}`

/** Keeps a file until the server has taken it. */
export async function keepRescue(file: Uint8Array, count: number, account?: string): Promise<void> {
  const id = account === undefined ? crypto.randomUUID() : idOf(account)
  await write((files) => files.put({ id, file, count, at: Date.now() } satisfies Waiting))
}

/** Keeps what was written after the lease of an account, until that account has signed in. */
export async function keepLate(file: Uint8Array, count: number, account: string): Promise<void> {
  await write((files) => files.put({ id: crypto.randomUUID(), file, count, at: Date.now(), late: account } satisfies Waiting))
}

/** The accounts of what was written after their leases, one for each record. */
export async function lateWaiting(): Promise<string[]> {
  return (await all()).flatMap(({ late }) => late ?? [])
}

/** Hands in what was written after the lease of an account that is signed in now. */
export async function handInLate(account: string, hand: (file: string) => Promise<Failure | null>): Promise<void> {
  for (const waiting of await all()) {
    if (waiting.late !== account || waiting.refused) continue
    const refused = await hand(base64(waiting.file))
    if (!refused) await write((files) => files.delete(waiting.id))
    else if (refused.code.startsWith('rescue_') && refused.code !== 'rescue_gap') await write((files) => files.put({ ...waiting, refused }))
    else return // no network, or the server is busy: later
  }
}

/** Forgets an account's second copy: nothing of it is unsent any more. */
export async function dropRescue(account: string): Promise<void> {
  await write((files) => files.delete(idOf(account)))
}

/** The files that wait, for the sign-in page. */
export async function waitingRescues(): Promise<{ count: number; at: number; refused?: Failure }[]> {
  return (await all()).map(({ count, at, refused }) => ({ count, at, ...(refused && { refused }) }))
}

/** An account's second copy. */
export async function copyOf(account: string): Promise<{ file: Uint8Array; count: number } | null> {
  return (await all()).find(({ id }) => id === idOf(account)) ?? null
}

/**
 * Hands in what waits, but not the second copy of an account that is open:
 * that sends by itself. What was written after a lease is handed in by its
 * account, or, when the server has closed that, by anybody: it is kept aside
 * then. Tells `taken` of each account whose copy was taken.
 */
export async function handInWaiting(openAccount: string | undefined, closed: (account: string) => Promise<boolean>, taken: (account: string) => Promise<void>): Promise<void> {
  for (const waiting of await all()) {
    if (waiting.refused || (openAccount !== undefined && waiting.id === idOf(openAccount))) continue
    if (waiting.late !== undefined && !(await closed(waiting.late))) continue
    const answer = await handIn(waiting.file)
    if (answer === null) return // no network: later
    if ('ok' in answer) {
      if (waiting.id.startsWith('of ')) await taken(waiting.id.slice(3))
      await write((files) => files.delete(waiting.id))
    } else if (answer.error.code !== 'rescue_gap' && answer.error.code !== 'late_unvouched') {
      await write((files) => files.put({ ...waiting, refused: answer.error }))
    }
  }
}

/** Hands one file in; null if the server could not be reached, or is busy. */
export async function handIn(file: Uint8Array): Promise<{ ok: HandedIn } | { error: Failure } | null> {
  try {
    const reply = await fetch('/api/v1/rescue', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ file: base64(file) }) })
    const body = (await reply.json()) as Record<string, never> & { error?: { code: string; message_vi: string; message_en: string } }
    if (reply.ok) {
      const { changesets, applied, quarantined, repeated } = body as unknown as HandedIn
      return { ok: { changesets, applied, quarantined, repeated } }
    }
    if (!body.error || reply.status === 429 || reply.status >= 500) return null
    return { error: { code: body.error.code, vi: body.error.message_vi, en: body.error.message_en } }
  } catch {
    return null
  }
}

/** Bytes in base64, as JSON carries them. */
export function base64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(text)
}

/** The bytes of a base64 text; throws if it is none. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
}

const all = async () => {
  const db = await database()
  try {
    return await done(db.transaction('files').objectStore('files').getAll() as IDBRequest<Waiting[]>)
  } finally {
    db.close()
  }
}

async function write(use: (files: IDBObjectStore) => IDBRequest): Promise<void> {
  const db = await database()
  try {
    const tx = db.transaction('files', 'readwrite', { durability: 'strict' })
    use(tx.objectStore('files'))
    await new Promise<void>((resolve, reject) => {
      tx.oncomplete = () => resolve()
      tx.onerror = tx.onabort = () => reject(tx.error)
    })
  } finally {
    db.close()
  }
}

function database(): Promise<IDBDatabase> {
  const request = indexedDB.open('wardbook-rescues', 1)
  request.onupgradeneeded = () => request.result.createObjectStore('files', { keyPath: 'id' })
  return done(request)
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
