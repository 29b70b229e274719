// The few things that openers of a key are made of: AES-GCM under 32 bytes,
// PBKDF2 for what a person types, HKDF for what is random already.

/** Bytes under AES-GCM. */
export interface Wrapped { iv: Uint8Array; bytes: ArrayBuffer }

/** Encrypts under 32 bytes of key. */
export async function wrapUnder(bits: Uint8Array, plain: Uint8Array): Promise<Wrapped> {
  const iv = random(12)
  const key = await crypto.subtle.importKey('raw', own(bits), 'AES-GCM', false, ['encrypt'])
  return { iv, bytes: await crypto.subtle.encrypt({ name: 'AES-GCM', iv: own(iv) }, key, own(plain)) }
}

/** Decrypts what wrapUnder() made; null for another key, and for damage. */
export async function unwrapUnder(bits: Uint8Array, wrapped: Wrapped): Promise<Uint8Array | null> {
  const key = await crypto.subtle.importKey('raw', own(bits), 'AES-GCM', false, ['decrypt'])
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: own(wrapped.iv) }, key, wrapped.bytes))
  } catch {
    return null
  }
}

/** 32 bytes from what a person types, by PBKDF2-SHA256. */
export async function stretch(typed: string, salt: Uint8Array, rounds: number): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(typed.normalize('NFC')), 'PBKDF2', false, ['deriveBits'])
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt: own(salt), iterations: rounds }, key, 256))
}

/** 32 bytes for one purpose from secret bytes, by HKDF-SHA256. */
export async function forUse(secret: Uint8Array, use: string): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey('raw', own(secret), 'HKDF', false, ['deriveBits'])
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: new TextEncoder().encode(`wardbook ${use}`) }, key, 256))
}

export const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16))
}

/** The same bytes in a buffer of their own, as WebCrypto's types want them. */
export function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}
