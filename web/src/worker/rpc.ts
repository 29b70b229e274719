import type { Failure } from '../bridge'

/** What the Go module answers to a call. */
export type Answer = { ok: unknown } | { error: Failure }

/** One call. `id` is unique in the tab that asks. */
export interface Ask { id: number; name: string; args: unknown }

/** What the worker needs from its page before anything else. */
export interface Start {
  lang: string // of display texts
  version: string // of the shell: workers of different versions never speak to each other
  client: string // address of client.wasm
  sqlite: string // address of mc-wa-sqlite.wasm
  fresh: boolean // no service worker keeps this version yet
  sealed?: Sealed // what a page of this tab left with the service worker when it was reloaded
}

/** An account's store key on its way over a reload, readable only with a key that no script can export. */
export interface Sealed { iv: Uint8Array; bytes: ArrayBuffer }

export type FromPage = { start: Start } | { ask: Ask }
export type ToPage =
  | { id: number; answer: Answer }
  | { event: string; data: unknown }
  | { sealed: Sealed | null } // for the page to leave with the service worker; null: nothing any more

/** Between the workers of one account and version. Every message is heard by all of them. */
export type Between =
  | { writer: string } // this tab writes from now on: send again what is in flight
  | { from: string; ask: Ask } // for the writer
  | { to: string; id: number; answer: Answer }
  | { event: string; data: unknown }

/** A refusal made here rather than in Go. */
export class Refusal extends Error {
  constructor(readonly failure: Failure) {
    super(failure.en)
  }
}

export function refuse(code: string, vi: string, en: string): Refusal {
  return new Refusal({ code, vi, en })
}

/** What was thrown, as an answer. */
export function failed(cause: unknown): Answer {
  if (cause instanceof Refusal) return { error: cause.failure }
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'internal'
  const said = cause instanceof Error ? cause.message : String(cause)
  return { error: { code, vi: `Lỗi trên máy này: ${said}`, en: `A fault on this device: ${said}` } }
}

/**
 * A follower's calls that no writer has answered yet. A new writer gets all of
 * them again: calls are idempotent, so one that the former writer had already
 * carried out does no harm.
 */
export class InFlight {
  private readonly asks = new Map<number, { ask: Ask; settle: (answer: Answer) => void }>()

  constructor(private readonly send: (ask: Ask) => void) {}

  add(ask: Ask): Promise<Answer> {
    return new Promise((settle) => {
      this.asks.set(ask.id, { ask, settle })
      this.send(ask)
    })
  }

  answer(id: number, answer: Answer): void {
    this.asks.get(id)?.settle(answer)
    this.asks.delete(id)
  }

  again(): void {
    for (const { ask } of this.asks.values()) this.send(ask)
  }

  /** Hands over what is in flight, for when this tab itself becomes the writer. */
  take(): { ask: Ask; settle: (answer: Answer) => void }[] {
    const all = [...this.asks.values()]
    this.asks.clear()
    return all
  }
}
