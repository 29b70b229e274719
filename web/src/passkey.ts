import type { Opener } from './bridge'
import { fromHex, hex, own, random } from './worker/wrapping'

// Passkeys as openers. A passkey is asked for one thing: the 32 bytes that its
// PRF extension gives for a salt, always the same for the same passkey, and only
// after its owner has shown themselves to the device. They wrap the store's key.
// Nobody is signed in to anything by it, so no server looks at the signature.

interface Capable { getClientCapabilities?(): Promise<Record<string, boolean>> }
interface Given { prf?: { enabled?: boolean; results?: { first?: BufferSource } } }
interface Evaluated { prf: { eval: { first: Uint8Array } } | { evalByCredential: Record<string, { first: Uint8Array }> } }

/** Whether this browser can make passkeys that give secret bytes. */
export async function passkeysWork(): Promise<boolean> {
  try {
    const can = await (PublicKeyCredential as unknown as Capable).getClientCapabilities?.()
    return can?.['extension:prf'] === true
  } catch {
    return false
  }
}

/** Why a passkey cannot be used as an opener. */
export class NoPasskey extends Error {
  constructor(readonly why: 'cancelled' | 'unable') {
    super(why)
  }
}

/** Makes a passkey of this account; throws NoPasskey when that was given up, or when it gives no secret bytes. */
export async function makePasskey(account: { name: string; display: string }): Promise<{ credential: string; salt: string; secret: string }> {
  const salt = random(32)
  const made = await asked(() =>
    navigator.credentials.create({
      publicKey: {
        rp: { name: 'Wardbook' },
        user: { id: own(random(16)), name: account.name, displayName: account.display },
        challenge: own(random(32)),
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }, { type: 'public-key', alg: -257 }],
        authenticatorSelection: { userVerification: 'required', residentKey: 'preferred' },
        extensions: { prf: { eval: { first: salt } } } satisfies Evaluated as AuthenticationExtensionsClientInputs,
      },
    }),
  )
  const { prf } = made.getClientExtensionResults() as Given
  const credential = hex(new Uint8Array(made.rawId))
  if (prf?.results?.first) return { credential, salt: hex(salt), secret: bytesOf(prf.results.first) }
  if (!prf?.enabled) throw new NoPasskey('unable')
  // Some say at making only that they can.
  return { credential, salt: hex(salt), secret: (await secretOf([{ id: '', credential, salt: hex(salt) }])).secret }
}

/** Asks for one of the passkeys that open an account here. */
export function usePasskey(openers: Opener[]): Promise<{ opener: string; secret: string }> {
  return secretOf(openers.flatMap(({ id, credential, salt }) => (credential ? [{ id, credential, salt }] : [])))
}

async function secretOf(among: { id: string; credential: string; salt: string }[]): Promise<{ opener: string; secret: string }> {
  const got = await asked(() =>
    navigator.credentials.get({
      publicKey: {
        challenge: own(random(32)),
        allowCredentials: among.map(({ credential }) => ({ type: 'public-key', id: own(fromHex(credential)) })),
        userVerification: 'required',
        extensions: { prf: { evalByCredential: Object.fromEntries(among.map(({ credential, salt }) => [base64url(fromHex(credential)), { first: fromHex(salt) }])) } } satisfies Evaluated as AuthenticationExtensionsClientInputs,
      },
    }),
  )
  const { prf } = got.getClientExtensionResults() as Given
  const used = among.find(({ credential }) => credential === hex(new Uint8Array(got.rawId)))
  if (!used || !prf?.results?.first) throw new NoPasskey('unable')
  return { opener: used.id, secret: bytesOf(prf.results.first) }
}

async function asked(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const answer = await ask()
    if (answer) return answer as PublicKeyCredential
  } catch (cause) {
    // The browser does not tell giving up from being refused.
    if (!(cause instanceof DOMException)) throw cause
    if (cause.name !== 'NotAllowedError' && cause.name !== 'AbortError') throw new NoPasskey('unable')
  }
  throw new NoPasskey('cancelled')
}

const bytesOf = (given: BufferSource): string => hex(given instanceof ArrayBuffer ? new Uint8Array(given) : new Uint8Array(given.buffer, given.byteOffset, given.byteLength))

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
