import type { Status } from './bridge'

const LOOK_BACK = 30_000 // ms of receiving that the pace is taken from
const LEAST = 4_000 // ms before anything is said of it

/** How fast records come, from those that came in the last half minute. */
export class Pace {
  private seen: { at: number; have: number }[] = []

  /** Takes note of a status. */
  see(status: Status, now = Date.now()): void {
    const have = status.streams.reduce((sum, stream) => sum + stream.have, 0)
    const last = this.seen.at(-1)
    if (status.paused || status.link !== 'online' || (last && have < last.have)) this.seen = []
    this.seen.push({ at: now, have })
    while (this.seen.length > 2 && this.seen[1]!.at < now - LOOK_BACK) this.seen.shift()
  }

  /** ms until everything is here at the pace of late; null while that cannot be told. */
  left(status: Status, now = Date.now()): number | null {
    const missing = status.streams.filter((stream) => !stream.complete).reduce((sum, stream) => sum + Math.max(0, stream.of - stream.have), 0)
    const first = this.seen[0]
    const last = this.seen.at(-1)
    if (!missing || !first || !last || now - first.at < LEAST || last.have <= first.have) return null
    return (missing * (now - first.at)) / (last.have - first.have)
  }
}
