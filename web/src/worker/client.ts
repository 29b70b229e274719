import type { Bridge, Calls, Failure } from '../bridge'
import type { FromPage, Sealed, ToPage } from './rpc'

/** A call that was refused, with texts for people. */
export class CallError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.en)
  }
}

/** Where the build put what the worker loads, and which version of the shell all of it belongs to. */
export interface Parts { version: string; lang: string; worker: string | TrustedURL; client: string; sqlite: string }
type TrustedURL = { toString(): string }

/** Starts this tab's worker. A page has exactly one. */
export function connect(parts: Parts): Bridge {
  const worker = new Worker(parts.worker as string, { name: 'wardbook' })
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (cause: CallError) => void }>()
  const listeners = new Map<string, Set<(data: never) => void>>()
  let lastID = 0
  let sealed: Sealed | null = null

  const emit = (event: string, data: unknown) => listeners.get(event)?.forEach((listen) => listen(data as never))

  worker.onmessage = ({ data }: MessageEvent<ToPage>) => {
    if ('event' in data) {
      if (data.event === 'session' && data.data === null) sealed = null // before the page is loaded anew
      emit(data.event, data.data)
    } else if ('sealed' in data) {
      sealed = data.sealed
    } else {
      const call = waiting.get(data.id)
      waiting.delete(data.id)
      if ('error' in data.answer) call?.reject(new CallError(data.answer.error))
      else call?.resolve(data.answer.ok as never)
    }
  }
  worker.onerror = () => {
    const failure = { code: 'stopped', vi: 'Không nạp được phần xử lý dữ liệu. Hãy tải lại trang.', en: 'The data engine could not be loaded. Reload the page.' }
    for (const call of waiting.values()) call.reject(new CallError(failure))
    waiting.clear()
    emit('failure', failure)
  }

  const post = (message: FromPage) => worker.postMessage(message)
  const started = takeBack().then((left) => {
    const { version, lang, client, sqlite } = parts
    post({ start: { version, lang, client, sqlite, fresh: !navigator.serviceWorker?.controller, ...(left && { sealed: left }) } })
  })
  addEventListener('pagehide', () => {
    if (sealed) navigator.serviceWorker?.controller?.postMessage({ hold: sealed })
  })
  /** Has the server looked for now and not when the next attempt is due, which is up to a minute away; nobody waits for the answer. */
  const look = () => post({ ask: { id: ++lastID, name: 'syncNow', args: null } })
  addEventListener('online', look) // not every browser tells workers of it
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) look() // a device that was put away may have been without a network since
  })

  return {
    async call<K extends keyof Calls>(name: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
      await started
      const id = ++lastID
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject })
        post({ ask: { id, name, args: args[0] ?? null } })
      })
    },
    on(name, listen) {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set.add(listen as (data: never) => void))
      return () => set.delete(listen as (data: never) => void)
    },
  }
}

/** What this tab left with the service worker if this is a reload, else nothing. */
async function takeBack(): Promise<Sealed | null> {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  const keeper = navigator.serviceWorker?.controller
  if (!keeper || navigation?.type === 'navigate') return null
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    setTimeout(() => resolve(null), 3000) // one that has to be started first, on a busy device, takes its time
    port1.onmessage = ({ data }: MessageEvent<Sealed | null>) => resolve(data)
    keeper.postMessage({ take: true }, [port2])
  })
}
