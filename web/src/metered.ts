import { bridge } from './link'

// Whether the line is paid by the byte. Some browsers know; where none is told,
// the officer says so.

interface Connection extends EventTarget { type?: string; saveData?: boolean }
const connection = (navigator as { connection?: Connection }).connection

/** What the browser knows: null when it does not. */
export function knownLine(): boolean | null {
  if (connection?.saveData || connection?.type === 'cellular') return true
  return connection?.type && !['unknown', 'other', 'none'].includes(connection.type) ? false : null
}

/** What the officer said. */
export const saidMetered = (): boolean => {
  try {
    return localStorage.getItem('metered') === 'yes'
  } catch {
    return false
  }
}

export function sayMetered(metered: boolean): void {
  try {
    localStorage.setItem('metered', metered ? 'yes' : 'no')
  } catch {
    // Without storage it is asked again with the next page.
  }
  tell()
}

function tell(): void {
  void bridge.call('line', { metered: knownLine() ?? saidMetered() }).catch(() => {}) // nobody is signed in
}

/** Tells the worker of the line, now and whenever it changes. */
export function watchLine(): () => void {
  tell()
  connection?.addEventListener('change', tell)
  return () => connection?.removeEventListener('change', tell)
}
