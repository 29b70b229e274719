import { DIRTY_LOCK, onClean } from './dirty'
import { scriptURL } from './trusted'

// A new version of the app is installed beside the old one and waits. It takes
// over when no form of any tab holds unsaved words; then every tab reloads.

const LATER = 5000 // ms after the page has opened: the person's own work goes first
const RETRY = 20_000
const listeners = new Set<(waits: boolean) => void>()
let seek = (): void => {}
let waiting: ServiceWorker | null = null

/** Calls back with whether a new version waits for somebody to finish a form. */
export function onUpdate(listen: (waits: boolean) => void): () => void {
  listeners.add(listen)
  return () => listeners.delete(listen)
}

/** Looks for a new version now: the server says that this one can no longer synchronise. */
export function seekUpdate(): void {
  seek()
}

/** Has the app kept for use without a network; on a first visit once `first` is there, which has the line for itself. */
export async function register(first: Promise<void>): Promise<void> {
  const { serviceWorker } = navigator
  if (!serviceWorker) return
  let controlled = serviceWorker.controller !== null
  if (!controlled) await first
  serviceWorker.addEventListener('controllerchange', () => {
    if (controlled) location.reload()
    controlled = true // a first installation changes nothing that is on the screen
  })
  void serviceWorker.register(scriptURL('/sw.js'), { updateViaCache: 'none' }).then((registration) => {
    const look = () => {
      if (registration.waiting && registration.active) arrived(registration.waiting)
    }
    look()
    registration.addEventListener('updatefound', () => registration.installing?.addEventListener('statechange', look))
    seek = () => void registration.update().catch(() => {})
    setInterval(seek, 30 * 60_000)
  })
  onClean(() => void attempt())
  const later = () => void serviceWorker.ready.then(({ active }) => active?.postMessage({ later: true }))
  setTimeout(later, LATER)
  addEventListener('online', later)
}

function arrived(worker: ServiceWorker): void {
  if (waiting === worker) return
  waiting = worker
  void attempt()
  setInterval(() => void attempt(), RETRY)
}

/** Lets the new version take over if no tab has a dirty form at this moment. */
async function attempt(): Promise<void> {
  if (!waiting) return
  await navigator.locks.request(DIRTY_LOCK, { ifAvailable: true }, async (lock) => {
    for (const listen of listeners) listen(!lock)
    if (!lock) return
    waiting?.postMessage({ activate: true })
    await new Promise((resolve) => setTimeout(resolve, 2000)) // no form may turn dirty between here and the reload
  })
}
