import type { Boot, Opener } from '../bridge'
import type { KeptOpener } from './openers'
import { lateWaiting } from './rescues'
import { refuse, type Sealed } from './rpc'
import { fromHex, hex, own, random, stretch, unwrapUnder, type Wrapped, wrapUnder } from './wrapping'

// The key of an account's store: 32 random bytes, kept only wrapped under keys
// that follow from the password and from the further openers (openers.ts), and
// sealed to the organisation (web/README.md, "Keys"). Whoever copies the
// device's files without the password has to try passwords at 600,000 rounds
// each. It does not protect from someone who knows the password, or who uses
// the device while it is unlocked. Nothing here tells a wrong password from a
// damaged key.

const ROUNDS = 600_000
const KEY_BYTES = 32
const DAY = 24 * 60 * 60_000

/** An account whose store is on this device, as IndexedDB holds it. */
export interface Kept {
  name: string
  store: string
  salt: Uint8Array
  rounds: number
  iv: Uint8Array
  wrapped: ArrayBuffer | null // null: thrown away, because the lease has ended or the server closed the account
  again?: Wrapped // what the password gives, under the store's own key, to wrap that once more when the lease begins anew
  openers?: KeptOpener[] // besides the password
  late?: object // what new records are written with when the lease has ended: the public key they are sealed to, the definitions; no secret that opens anything
  sealed?: string // the key sealed to the organisation, in base64
  device?: string // id that the server gave this device
  lease?: number // ms without contact for which the password alone opens
  heardAt?: number // device clock of the last contact
  seenAt?: number // latest device clock seen, with the time that passed while open: a clock set back gains nothing
  pending: boolean // the sign-in that made this key has not ended yet
  display: string
  unitName: string
  borrowed: boolean
  damaged?: boolean // something of the store could not be read
  unsent: number
  unsentAt?: number // device clock when that was noted
}

/** An account's opened key. `key` is hexadecimal, the form in which Go takes it. */
export interface Opened { name: string; store: string; key: string; isNew: boolean }

const shown = ({ id, kind, label, made, used, salt, credential }: KeptOpener): Opener => ({ id, kind, label, made, used, salt: hex(salt), ...(credential && { credential: hex(credential) }) })

/** The accounts that a person can choose from on this device. */
export async function keptAccounts(): Promise<Boot['accounts']> {
  const all = await read<Kept[]>((accounts) => accounts.getAll())
  const late = await lateWaiting()
  return all
    .filter((a) => !a.pending)
    .map((a) => ({ mayWriteLate: !a.wrapped && a.late !== undefined, late: late.filter((account) => account === a.name).length, name: a.name, display: a.display, unitName: a.unitName, borrowed: a.borrowed, unsent: a.unsent, leasedOut: !a.wrapped, damaged: a.damaged ?? false, openers: (a.openers ?? []).filter((o) => o.wrapped).map(shown) }))
}

/** Has the server open the sealed key of a store: for the right password, on this device, unless it withholds it. */
export type Unseal = (name: string, password: string, device: string, sealed: string) => Promise<Uint8Array>

/**
 * Opens the key of an account that has been here, or makes one for an account
 * that has not. A new key is on disk, wrapped, before its store can exist;
 * keep() completes it, drop() takes it back. A store whose sign-in never ended
 * under another password is given to `forget`. When the password opens nothing
 * here, because it was changed elsewhere or the lease has ended, the server opens
 * the sealed key. `former` is the password that was in force here, for a store
 * that has none sealed.
 */
export async function openOrMake(name: string, password: string, former: string | undefined, forget: (opened: Opened) => Promise<void>, unseal: Unseal): Promise<Opened> {
  const known = await load(name)
  if (known) {
    const key = await unwrap(known, password)
    if (key) return { name, store: known.store, key: hex(key), isNew: known.pending }
    if (known.pending) {
      await forget({ name, store: known.store, key: '', isNew: true })
    } else if (known.sealed && known.device) {
      const again = await unseal(name, password, known.device, known.sealed)
      await save({ ...known, ...(await wrap(again, password)), heardAt: Date.now(), seenAt: Date.now() })
      return { name, store: known.store, key: hex(again), isNew: false }
    } else if (former === undefined) {
      throw refuse('former_password', 'Máy này còn giữ dữ liệu khóa bằng mật khẩu trước đây của bạn.', 'This device still holds data locked with your former password.')
    } else {
      const old = await unwrap(known, former)
      if (!old) throw refuse('former_password', 'Mật khẩu trước đây không đúng.', 'The former password is not right.')
      await save({ ...known, ...(await wrap(old, password)) })
      return { name, store: known.store, key: hex(old), isNew: false }
    }
  }
  const key = random(KEY_BYTES)
  const store = `a-${hex(random(16))}`
  await save({ name, store, ...(await wrap(key, password)), pending: true, display: name, unitName: '', borrowed: false, unsent: 0 })
  return { name, store, key: hex(key), isNew: true }
}

/** Opens the key of an account that has been here, without any network. */
export async function open(name: string, password: string): Promise<Opened> {
  const known = await within(name)
  const key = await unwrap(known, password)
  if (!key) throw refuse('password', 'Mật khẩu không đúng.', 'The password is not right.')
  return { name, store: known.store, key: hex(key), isNew: false }
}

/** Notes that something of an account's store cannot be read, so that the sign-in page offers to begin anew. */
export async function noteDamage(name: string): Promise<void> {
  await change(name, (known) => (known.damaged ? null : { ...known, damaged: true }))
}

/** An account that has been here and whose lease has not ended; refuses any other. */
export async function within(name: string): Promise<Kept> {
  const known = await been(name)
  if (known.wrapped && leaseLeft(known, Date.now()) > 0) return known
  await endLease(name)
  const days = Math.round((known.lease ?? 0) / DAY)
  throw refuse('leased_out', `Đã quá ${days} ngày máy này chưa liên lạc với máy chủ nên dữ liệu đã khóa lại. Hãy đăng nhập qua mạng để đọc tiếp; việc chưa gửi vẫn còn.`,
    `This device has not heard from the server for ${days} days, so its data is locked. Sign in over the network to read on; unsent work is still here.`)
}

/** An account that has been here; refuses any other. */
export async function been(name: string): Promise<Kept> {
  const known = await load(name)
  if (!known || known.pending) throw refuse('no_store', 'Tài khoản này chưa từng đăng nhập trên máy này.', 'This account has not signed in on this device.')
  return known
}

/** Locks a key with another password from now on. */
export async function relock(opened: Opened, password: string): Promise<void> {
  const wrapped = await wrap(fromHex(opened.key), password)
  await change(opened.name, (known) => ({ ...known, ...wrapped }))
}

/** Whether the password opens the account's key. */
export async function opens(name: string, password: string): Promise<boolean> {
  const known = await load(name)
  return !!known && (await unwrap(known, password)) !== null
}

/** Completes a key after its sign-in, and notes what the sign-in page shows. */
export async function keep(name: string, note: { display: string; unitName: string; borrowed: boolean }): Promise<void> {
  await change(name, (known) => ({ ...known, ...note, pending: false }))
}

/** Notes what an account is called and which unit it works for, as the server says by now. */
export async function noteAccount(name: string, { display, unitName }: { display: string; unitName: string }): Promise<void> {
  await change(name, (known) => (known.display !== display || known.unitName !== unitName ? { ...known, display, unitName } : null))
}

/** Notes how much unsent work a store holds, for the sign-in page and for when the store is gone. */
export async function noteUnsent(name: string, unsent: number): Promise<void> {
  await change(name, (known) => (known.unsent !== unsent ? { ...known, unsent, unsentAt: Date.now() } : null))
}

/** The name of an account's store here, or nothing. */
export async function storeOf(name: string): Promise<string | undefined> {
  return (await load(name))?.store
}

/** What was last noted of a store, for when it is gone. */
export async function lastNoted(name: string): Promise<{ unsent: number; at: number } | null> {
  const known = await load(name)
  return known && !known.pending ? { unsent: known.unsent, at: known.unsentAt ?? 0 } : null
}

/**
 * Keeps what a contact with the server brought: the sealed key, and a lease that
 * begins anew, with the ways to the key that its end had thrown away.
 */
export async function renewLease({ name, key }: Opened, granted: { device: string; sealed: string; seconds: number; late?: object }): Promise<void> {
  await heard(name)
  const known = await change(name, (known) => ({ ...known, device: granted.device, sealed: granted.sealed, lease: granted.seconds * 1000, ...(granted.late && { late: granted.late }) }))
  if (!known || (known.wrapped && (known.openers ?? []).every((o) => o.wrapped))) return
  const rewrap = async (again: Wrapped | undefined): Promise<Wrapped | null> => {
    const bits = again && (await unwrapUnder(fromHex(key), again))
    return bits ? wrapUnder(bits, fromHex(key)) : null
  }
  const password = known.wrapped ? null : await rewrap(known.again)
  const openers = new Map<string, Wrapped>()
  for (const { id, wrapped, again } of known.openers ?? []) {
    const anew = wrapped ? null : await rewrap(again)
    if (anew) openers.set(id, anew)
  }
  await change(name, (known) => ({
    ...known,
    ...(password && !known.wrapped && { iv: password.iv, wrapped: password.bytes }),
    ...(known.openers && { openers: known.openers.map((o) => ({ ...o, wrapped: o.wrapped ?? openers.get(o.id) ?? null })) }),
  }))
}

/** Notes that the server has just been heard, and lets this account on. */
export async function heard(name: string): Promise<void> {
  const now = Date.now()
  await change(name, (known) => ({ ...known, heardAt: now, seenAt: now }))
}

/** Notes that time has passed, and returns how much of the lease is left in ms. */
export async function passTime(name: string, elapsed: number): Promise<number> {
  const known = await change(name, (known) => ({ ...known, seenAt: Math.max(Date.now(), (known.seenAt ?? 0) + elapsed) }))
  return known ? leaseLeft(known, Date.now()) : 0
}

/**
 * Throws away every way to the key that needs no server. What is sealed stays,
 * for the server to open, and the PIN's, which is nothing without the server's half.
 */
export async function endLease(name: string): Promise<void> {
  await change(name, (known) =>
    known.sealed ? { ...known, wrapped: null, ...(known.openers && { openers: known.openers.map((o) => (o.kind === 'pin' ? o : { ...o, wrapped: null })) }) } : null,
  )
}

/** Ends the leases that have run out while nobody looked. */
export async function endLeases(): Promise<void> {
  for (const known of await read<Kept[]>((accounts) => accounts.getAll())) {
    if (leaseLeft(known, Date.now()) <= 0) await endLease(known.name)
  }
}

/** Without a sealed key the password is the only way in, and is never thrown away. */
function leaseLeft(known: Kept, now: number): number {
  if (!known.sealed || !known.lease || known.heardAt === undefined) return Infinity
  return known.heardAt + known.lease - Math.max(now, known.seenAt ?? 0)
}

/** Forgets the key. Its store cannot be read by anyone from then on. */
export async function drop(name: string): Promise<void> {
  await write((accounts) => accounts.delete(name))
}

/** Packs an opened key for the way over a reload. */
export async function seal(opened: Opened): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const bytes = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await reloadKey(), new TextEncoder().encode(JSON.stringify(opened)))
  return { iv, bytes }
}

/** Unpacks what seal() packed in this browser; null for anything else. */
export async function unseal(sealed: Sealed): Promise<Opened | null> {
  try {
    const bytes = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: own(sealed.iv) }, await reloadKey(), sealed.bytes)
    return JSON.parse(new TextDecoder().decode(bytes)) as Opened
  } catch {
    return null
  }
}

async function wrap(key: Uint8Array, password: string): Promise<Pick<Kept, 'salt' | 'rounds' | 'iv' | 'again'> & { wrapped: ArrayBuffer }> {
  const salt = random(16)
  const bits = await stretch(password, salt, ROUNDS)
  const { iv, bytes } = await wrapUnder(bits, key)
  return { salt, rounds: ROUNDS, iv, wrapped: bytes, again: await wrapUnder(key, bits) }
}

async function unwrap(kept: Kept, password: string): Promise<Uint8Array | null> {
  if (!kept.wrapped) return null
  return unwrapUnder(await stretch(password, kept.salt, kept.rounds), { iv: kept.iv, bytes: kept.wrapped })
}

/** Makes everything that seal() has packed unreadable, in whichever tab it lies. */
export async function forgetReload(): Promise<void> {
  await write((_, secrets) => secrets.delete('reload'))
}

/** The key that seals an opened key over a reload; usable in this browser only, and never exportable. */
async function reloadKey(): Promise<CryptoKey> {
  const known = await read<CryptoKey | undefined>((_, secrets) => secrets.get('reload'))
  if (known) return known
  const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  await write((_, secrets) => secrets.put(made, 'reload'))
  return made
}

export const load = (name: string) => read<Kept | undefined>((accounts) => accounts.get(name))
const save = (kept: Kept) => write((accounts) => accounts.put(kept))

/** Changes an account in one transaction, for others write beside us. Null from `to` leaves it as it is. */
export async function change(name: string, to: (known: Kept) => Kept | null): Promise<Kept | null> {
  let result: Kept | null = null
  await write((accounts) => {
    const found = accounts.get(name) as IDBRequest<Kept | undefined>
    found.onsuccess = () => {
      const next = found.result && to(found.result)
      result = next ?? found.result ?? null
      if (next) accounts.put(next)
    }
    return found
  })
  return result
}

type Use = (accounts: IDBObjectStore, secrets: IDBObjectStore) => IDBRequest

async function read<T>(use: Use): Promise<T> {
  const db = await database()
  try {
    const tx = db.transaction(['accounts', 'secrets'])
    return (await done(use(tx.objectStore('accounts'), tx.objectStore('secrets')))) as T
  } finally {
    db.close()
  }
}

async function write(use: Use): Promise<void> {
  const db = await database()
  try {
    const tx = db.transaction(['accounts', 'secrets'], 'readwrite', { durability: 'strict' })
    use(tx.objectStore('accounts'), tx.objectStore('secrets'))
    await new Promise<void>((resolve, reject) => {
      tx.oncomplete = () => resolve()
      tx.onerror = tx.onabort = () => reject(tx.error)
    })
  } finally {
    db.close()
  }
}

function database(): Promise<IDBDatabase> {
  const request = indexedDB.open('wardbook-keys', 1)
  request.onupgradeneeded = () => {
    request.result.createObjectStore('accounts', { keyPath: 'name' })
    request.result.createObjectStore('secrets')
  }
  return done(request)
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
