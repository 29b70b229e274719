/** The lock whose holder is the only writer of an account's store among the tabs of one version. */
export function writerLock(version: string, account: string): string {
  return `wardbook-writer-${version}-${account}`
}

/**
 * Waits for the lock, then leads until `signal` aborts or the worker ends; the
 * browser then gives the lock to the next in line. If `lead` throws, the lock is
 * given back and the promise rejects.
 */
export async function elect(lock: string, signal: AbortSignal, lead: () => Promise<void>): Promise<void> {
  try {
    await navigator.locks.request(lock, { signal }, async () => {
      await lead()
      if (signal.aborted) return
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    })
  } catch (cause) {
    if (signal.aborted) return
    throw cause
  }
}

/** Whether a worker of this version writes for the account, or for any account when none is named. */
export async function someoneLeads(version: string, account = ''): Promise<boolean> {
  const prefix = writerLock(version, account)
  const { held = [] } = await navigator.locks.query()
  return held.some((lock) => (account ? lock.name === prefix : lock.name?.startsWith(prefix)))
}
