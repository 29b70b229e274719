// A tab whose form holds words that are not saved yet holds the lock `dirty`,
// shared with other such tabs. A new version of the app waits until nobody does.

export const DIRTY_LOCK = 'wardbook-dirty'

let release: (() => void) | null = null

/** Says whether this tab's form has unsaved words. */
export function setDirty(dirty: boolean): void {
  if (dirty === (release !== null)) return
  if (!dirty) {
    release?.()
    release = null
    announce()
    return
  }
  const ended = new Promise<void>((resolve) => (release = resolve))
  void navigator.locks?.request(DIRTY_LOCK, { mode: 'shared' }, () => ended)
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
