import { bridge } from './link'

// On a first visit the program itself has to come first, most of it the Go
// module and SQLite. Over a slow line that takes most of a minute, and people
// are told.

const LEAST = 2000 // ms before the time left can be told
const listeners = new Set<() => void>()
let began = 0
let progress: Progress | null = null

/** How much of the program is here, from 0 to 1, ms until all is if that can be told, and whether the network failed. */
interface Progress { part: number; left: number | null; stopped: boolean }

let done!: () => void
/** Kept once everything is there. */
export const loaded = new Promise<void>((resolve) => (done = resolve))

bridge.on('loading', ({ have, of }) => {
  if (!have) began = performance.now()
  const took = performance.now() - began
  if (!of) progress = { part: 0, left: null, stopped: true }
  else progress = have < of ? { part: have / of, left: took < LEAST ? null : (took * (of - have)) / have, stopped: false } : null
  if (!progress) done()
  for (const listen of listeners) listen()
})

/** How far the program is; null when nothing is being loaded. */
export const loading = (): Progress | null => progress

export function onLoading(listen: () => void): () => void {
  listeners.add(listen)
  return () => listeners.delete(listen)
}
