// What a worker needs before it can open a store: the Go module and SQLite. A first visit fetches them at once, while
// the person types, and says how far that is; they come from the browser's own cache when they are started, and when
// the service worker keeps them. Without that, both would be asked for twice over one slow line.

/** Bytes of each part before compression; the build knows them. */
declare const SIZES: { client: number; sqlite: number }

const TELL_EVERY = 200 // ms

/** Fetches both parts into the browser's cache. `told` hears how many bytes of how many have come. */
export async function fetchParts(parts: { client: string; sqlite: string }, told: (have: number, of: number) => void): Promise<void> {
  const of = SIZES.client + SIZES.sqlite
  let have = 0
  let last = 0
  const one = async (address: string): Promise<void> => {
    const response = await fetch(address)
    if (!response.ok || !response.body) throw new Error(`${address}: ${response.status}`)
    const reader = response.body.getReader()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      have += piece.value.length
      if (performance.now() - last < TELL_EVERY) continue
      last = performance.now()
      told(have, of)
    }
  }
  told(0, of)
  await Promise.all([one(parts.sqlite), one(parts.client)])
  told(of, of)
}
