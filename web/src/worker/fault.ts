/**
 * Why the local store cannot be used, by names that the driver (client-wasm/store/driver) turns into
 * errors of its own and the page into what the user can do about it.
 *
 * - `no-opfs`: this browser, or this mode of it, has no private file system with access handles.
 * - `held`: another tab or worker has the store open.
 * - `quota`: the browser or the disk has no room left.
 * - `wrong-key`: the store was made with another key; nothing was read or changed.
 * - `corrupted`: the key is right and the content is damaged.
 * - `failed`: anything else; the message says what.
 */
export type FaultCode = 'no-opfs' | 'held' | 'quota' | 'wrong-key' | 'corrupted' | 'failed';

/** An error with a stable code. */
export class Fault extends Error {
  constructor(readonly code: FaultCode, message: string) {
    super(message);
    this.name = 'Fault';
  }
}

/** Names what the browser's storage threw. */
export function faultOf(cause: unknown, doing: string): Fault {
  if (cause instanceof Fault) return cause;
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : '';
  const text = `${doing}: ${cause instanceof Error ? cause.message || name : String(cause)}`;
  switch (name) {
    case 'QuotaExceededError':
      return new Fault('quota', text);
    case 'NoModificationAllowedError':
      return new Fault('held', text);
    case 'SecurityError':
    case 'NotSupportedError':
      return new Fault('no-opfs', text);
  }
  return new Fault('failed', text);
}
