import type { Sealed } from '../worker/rpc'

// Keeps one version of the app's shell for use without a network. It is built
// last, with the list of every other file, and never touches what is not on it:
// the API and the sockets go straight to the server.

declare const self: ServiceWorkerGlobalScope
declare const VERSION: string
declare const SHELL: Record<string, string> // the address of every file but the page itself, and a hash of its content
declare const LATER: Record<string, string> // the same for what is fetched after the app: the guide

const CACHE = `wardbook-shell-${VERSION}`
const PAGE = '/'
const HELD = 15_000 // ms for which a sealed key waits for its reload

self.addEventListener('install', (event) => event.waitUntil(install()))
self.addEventListener('activate', (event) => event.waitUntil(activate()))

const HASHES = '/hashes' // where a cache notes which content it holds

/**
 * Everything or nothing: an installation that misses one file is no installation.
 * What has not changed since the version before is copied, not fetched again.
 */
async function install(): Promise<void> {
  const before = await contents()
  const cache = await caches.open(CACHE)
  await Promise.all(
    Object.entries(SHELL).map(async ([address, hash]) => {
      const response = (await before.get(hash)?.()) ?? (await fetch(address))
      if (!response.ok) throw new Error(`${address}: ${response.status}`)
      await cache.put(address, addressless(response))
    }),
  )
  for (const [address, hash] of Object.entries(LATER)) {
    const response = await before.get(hash)?.()
    if (response) await cache.put(address, addressless(response))
  }
  await cache.put(HASHES, Response.json({ ...SHELL, ...LATER }))
  const page = await fetch(PAGE, { cache: 'no-store' })
  const text = await page.clone().text()
  if (!page.ok || !text.includes(`content="${VERSION}"`)) throw new Error('the page belongs to another version')
  await cache.put(PAGE, page)
}

/**
 * The same content without the address that it came from. A script takes its own address from the response: copied
 * from the version before as it is, it would fetch its worker and its modules from there.
 */
const addressless = ({ body, status, headers }: Response): Response => new Response(body, { status, headers })

/** What the caches of other versions hold, by hash. */
async function contents(): Promise<Map<string, () => Promise<Response | undefined>>> {
  const held = new Map<string, () => Promise<Response | undefined>>()
  for (const name of await caches.keys()) {
    if (!name.startsWith('wardbook-shell-') || name === CACHE) continue
    const cache = await caches.open(name)
    const hashes = (await (await cache.match(HASHES))?.json()) as Record<string, string> | undefined
    for (const [address, hash] of Object.entries(hashes ?? {})) held.set(hash, () => cache.match(address))
  }
  return held
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith('wardbook-shell-') && name !== CACHE) await caches.delete(name)
  await self.clients.claim()
}

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (request.mode === 'navigate') {
    if (url.pathname === PAGE) event.respondWith(fromShell(PAGE, request))
  } else if (url.pathname in SHELL || url.pathname in LATER) {
    event.respondWith(fromShell(url.pathname, request))
  }
})

async function fromShell(address: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE)
  return (await cache.match(address)) ?? fetch(request)
}

/** Fetches what comes after the app, one file after the other, until all is kept; what fails is left for the next time. */
async function fetchLater(): Promise<void> {
  const cache = await caches.open(CACHE)
  for (const address of Object.keys(LATER)) {
    if (await cache.match(address)) continue
    const response = await fetch(address).catch(() => null)
    if (!response?.ok) return
    await cache.put(address, response)
  }
}

let held: Sealed | null = null
let timer: ReturnType<typeof setTimeout> | undefined

type Message = { activate: true } | { later: true } | { hold: Sealed } | { take: true }

self.addEventListener('message', (event: ExtendableMessageEvent) => {
  const message = event.data as Message
  if ('activate' in message) {
    void self.skipWaiting()
  } else if ('later' in message) {
    event.waitUntil(fetchLater())
  } else if ('hold' in message) {
    held = message.hold
    clearTimeout(timer)
    event.waitUntil(
      new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          held = null
          resolve()
        }, HELD)
      }),
    )
  } else {
    event.ports[0]?.postMessage(held)
    held = null
  }
})
