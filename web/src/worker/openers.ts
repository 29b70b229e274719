import type { Opener } from '../bridge'
import * as keys from './keys'
import { refuse } from './rpc'
import { forUse, fromHex, hex, own, random, stretch, unwrapUnder, type Wrapped, wrapUnder } from './wrapping'

// What opens an account's store on this device besides the password: a PIN
// together with the server's half, and passkeys. web/README.md, "Keys", says
// what each protects from, and what not.

const ROUNDS = 600_000
const SHORTEST = 6
const LONGEST = 12
const MOST_PASSKEYS = 5

/** One opener, as IndexedDB holds it beside the account's other wrappings. */
export interface KeptOpener {
  id: string
  kind: Opener['kind']
  label: string
  made: number // device clock
  used: number // device clock, 0: never
  salt: Uint8Array // of the PIN's stretching; the passkey's input
  handle?: Uint8Array // names the PIN to the server, and proves that this profile is known
  credential?: Uint8Array // the passkey's id
  wrapped: Wrapped | null // the store's key; null: the lease has ended
  again?: Wrapped // what the passkey gives, under the store's key
}

/** Has the server keep a PIN, and returns the server's half. */
export type SetPin = (handle: Uint8Array, proof: Uint8Array) => Promise<Uint8Array>

/** Asks the server for its half; refuses with the server's reason. */
export type AskHalf = (device: string, handle: Uint8Array, proof: Uint8Array) => Promise<Uint8Array>

export async function openersOf(name: string): Promise<Opener[]> {
  return (await keys.keptAccounts()).find((account) => account.name === name)?.openers ?? []
}

/** Sets the device's PIN, in the place of the one before. */
export async function addPin(opened: keys.Opened, pin: string, set: SetPin): Promise<void> {
  if (!new RegExp(`^\\d{${SHORTEST},${LONGEST}}$`).test(pin)) throw refuse('pin_form', `Mã PIN gồm ${SHORTEST} đến ${LONGEST} chữ số.`, `A PIN has ${SHORTEST} to ${LONGEST} digits.`)
  if (easy(pin)) throw refuse('pin_easy', 'Mã PIN này dễ đoán quá. Đừng dùng số lặp lại hay số liền nhau.', 'This PIN is too easy to guess. Avoid repeated and consecutive digits.')
  const salt = random(16)
  const handle = random(32)
  const { proof, mine } = await ofPin(pin, salt)
  const half = await set(handle, proof)
  const wrapped = await wrapUnder(await together(mine, half), fromHex(opened.key))
  await put(opened.name, { id: hex(random(8)), kind: 'pin', label: '', made: Date.now(), used: 0, salt, handle, wrapped })
}

/** Opens an account's key with its PIN; the server counts the attempt. That it answers renews the lease. */
export async function openByPin(name: string, pin: string, ask: AskHalf): Promise<keys.Opened> {
  const known = await keys.been(name)
  const opener = known.openers?.find((o) => o.kind === 'pin')
  if (!opener?.handle || !opener.wrapped || !known.device) throw refuse('pin_gone', 'Máy này không có mã PIN cho tài khoản này. Hãy dùng mật khẩu.', 'This device has no PIN for this account. Use the password.')
  const { proof, mine } = await ofPin(pin, opener.salt)
  let half: Uint8Array
  try {
    half = await ask(known.device, opener.handle, proof)
  } catch (cause) {
    if (codeOf(cause) === 'pin_gone') await remove(name, opener.id) // without its half it is noise
    throw cause
  }
  const key = await unwrapUnder(await together(mine, half), opener.wrapped)
  if (!key) {
    await remove(name, opener.id)
    throw refuse('pin_gone', 'Mã PIN trên máy này không còn dùng được. Hãy mở bằng mật khẩu.', 'The PIN of this device is no longer good. Open with the password.')
  }
  await keys.heard(name)
  await use(name, opener.id)
  return { name, store: known.store, key: hex(key), isNew: false }
}

/** A passkey that the page has made, with what it gave for its salt. */
export interface MadePasskey { credential: string; salt: string; secret: string; label: string }

export async function addPasskey(opened: keys.Opened, made: MadePasskey): Promise<void> {
  const known = await keys.been(opened.name)
  if ((known.openers ?? []).filter((o) => o.kind === 'passkey').length >= MOST_PASSKEYS) throw refuse('passkeys_full', `Mỗi máy giữ nhiều nhất ${MOST_PASSKEYS} khóa truy cập cho một tài khoản.`, `A device keeps at most ${MOST_PASSKEYS} passkeys for an account.`)
  const bits = await ofPasskey(made.secret)
  const key = fromHex(opened.key)
  await put(opened.name, { id: hex(random(8)), kind: 'passkey', label: made.label, made: Date.now(), used: 0, salt: fromHex(made.salt), credential: fromHex(made.credential),
    wrapped: await wrapUnder(bits, key), again: await wrapUnder(key, bits) })
}

/** Opens an account's key with what a passkey gave; needs no network, and a lease that has not ended. */
export async function openByPasskey(name: string, { opener: id, secret }: { opener: string; secret: string }): Promise<keys.Opened> {
  const known = await keys.within(name)
  const opener = known.openers?.find((o) => o.id === id && o.kind === 'passkey')
  const key = opener?.wrapped && (await unwrapUnder(await ofPasskey(secret), opener.wrapped))
  if (!opener || !key) throw refuse('passkey', 'Khóa truy cập này không mở được. Hãy dùng mật khẩu.', 'This passkey does not open. Use the password.')
  await use(name, id)
  return { name, store: known.store, key: hex(key), isNew: false }
}

/** Forgets an opener here; returns its kind. */
export async function remove(name: string, id: string): Promise<Opener['kind'] | null> {
  const kind = (await keys.load(name))?.openers?.find((o) => o.id === id)?.kind ?? null
  await keys.change(name, (known) => ({ ...known, openers: (known.openers ?? []).filter((o) => o.id !== id) }))
  return kind
}

async function put(name: string, opener: KeptOpener): Promise<void> {
  await keys.change(name, (known) => ({ ...known, openers: [...(known.openers ?? []).filter((o) => opener.kind !== 'pin' || o.kind !== 'pin'), opener] }))
}

async function use(name: string, id: string): Promise<void> {
  await keys.change(name, (known) => ({ ...known, openers: (known.openers ?? []).map((o) => (o.id === id ? { ...o, used: Date.now() } : o)) }))
}

async function ofPin(pin: string, salt: Uint8Array): Promise<{ proof: Uint8Array; mine: Uint8Array }> {
  const bits = await stretch(pin, salt, ROUNDS)
  return { proof: await forUse(bits, 'pin proof'), mine: await forUse(bits, 'pin half') }
}

/** The wrapping key of both halves. */
function together(mine: Uint8Array, half: Uint8Array): Promise<Uint8Array> {
  return forUse(own(new Uint8Array([...mine, ...half])), 'pin wrapping')
}

const ofPasskey = (secret: string) => forUse(fromHex(secret), 'passkey wrapping')

/** Whether a PIN is one of the few that everybody tries first: one, two or three digits over and over, or a run. */
export function easy(pin: string): boolean {
  const steps = new Set([...pin].slice(1).map((digit, i) => (Number(digit) - Number(pin[i]) + 10) % 10))
  if (steps.size === 1 && [0, 1, 9].includes([...steps][0]!)) return true
  return [1, 2, 3].some((period) => [...pin].every((digit, i) => digit === pin[i % period]))
}

const codeOf = (cause: unknown): string | undefined => (cause as { failure?: { code: string } } | null)?.failure?.code
