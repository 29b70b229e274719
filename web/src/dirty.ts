// A tab whose form holds words that are not saved yet holds the lock `dirty`,
// shared with other such tabs. A new version of the app waits until nobody does.

export const DIRTY_LOCK = 'wardbook-dirty'

let release: (() => void) | null = null

/** Says `change` when this tab's form gets its first unsaved word, or has none any more. */
export const typing = new EventTarget()

/** Says whether this tab's form has unsaved words. */
export function setDirty(dirty: boolean): void {
  if (dirty === (release !== null)) return
  if (!dirty) {
    release?.()
    release = null
    announce()
    typing.dispatchEvent(new Event('change'))
    return
  }
  const ended = new Promise<void>((resolve) => (release = resolve))
  void navigator.locks?.request(DIRTY_LOCK, { mode: 'shared' }, () => ended)
  typing.dispatchEvent(new Event('change'))
}

const ALONE_WITHIN = 2000 // ms; a page that was loaded again may still hold what it held before

/** Holds the form that a tab types into, for it alone: a form is saved once, and of two tabs one would lose its words. */
export class Alone {
  private key = ''
  private end: (() => void) | null = null

  /** Holds a form in the place of the one before, or none; false if another tab has it. */
  async hold(key: string): Promise<boolean> {
    if (key === this.key) return true
    this.end?.()
    this.end = null
    this.key = key
    if (!key) return true
    return new Promise((resolve) => {
      const mine = () => {
        resolve(true)
        return this.key === key ? new Promise<void>((end) => (this.end = end)) : undefined
      }
      navigator.locks.request(`wardbook-form-${key}`, { signal: AbortSignal.timeout(ALONE_WITHIN) }, mine).catch(() => resolve(false))
    })
  }
}

export const isDirty = (): boolean => release !== null

const channel = new BroadcastChannel('wardbook-dirty')

/** Tells the tabs that wait for an update that one reason to wait is gone. */
function announce(): void {
  channel.postMessage('clean')
  heard.forEach((listen) => listen())
}

const heard = new Set<() => void>()

export function onClean(listen: () => void): void {
  heard.add(listen)
  channel.addEventListener('message', listen)
}
