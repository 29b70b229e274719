import { bridge } from './link'

// The idle lock. Whoever leaves the device leaves it open to others: after some
// minutes without a touch in any tab the store is closed and every tab is loaded
// anew, so that no page or worker holds a key or a record any longer. What was
// typed is on the device's disk by then.

const LOOK_EVERY = 5000 // ms
const TOLD_EVERY = 2000

/** Minutes that one may choose from. */
export const idleChoices = [5, 10, 30]
const DEFAULT = 10

/** After how many minutes the device locks; of this browser, not of an account. */
export function idleMinutes(): number {
  const chosen = Number(localStorage.getItem('idle-minutes'))
  return chosen > 0 && chosen <= 30 ? chosen : DEFAULT
}

export function setIdleMinutes(minutes: number): void {
  localStorage.setItem('idle-minutes', String(minutes))
}

/** Closes the account's store in every tab, without asking and without a network. */
export async function lockNow(): Promise<void> {
  await bridge.call('logout', { lock: true })
}

/** Watches over an open account; returns how to stop. */
export function watchIdle(): () => void {
  const channel = new BroadcastChannel('wardbook-touch')
  let touched = Date.now()
  let told = 0
  const touch = () => {
    touched = Date.now()
    if (touched - told < TOLD_EVERY) return
    told = touched
    channel.postMessage(null)
  }
  channel.onmessage = () => (touched = Date.now())
  const look = () => {
    if (Date.now() - touched > idleMinutes() * 60_000) void lockNow().catch(() => {}) // looked at again soon
  }
  const end = new AbortController()
  const how = { signal: end.signal, passive: true, capture: true }
  for (const name of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) addEventListener(name, touch, how)
  // A device that slept is looked at before it is touched.
  document.addEventListener('visibilitychange', look, how)
  const timer = setInterval(look, LOOK_EVERY)
  return () => {
    end.abort()
    clearInterval(timer)
    channel.close()
  }
}
