import type { Stage, Told } from './bridge'
import { bridge } from './link'
import { lang } from './text'
import { newestFirst } from './value'

// What the desk's part of the server answers. But for an officer's own tally nothing here works without a network.

export type Kind = 'conflict' | 'edited_and_deleted' | 'submitted' | 'deletion'
export type Group = 'conflict' | 'eyes' | 'clean' | 'returned'
/** Why a record wants a person's look. */
export interface Reason {
  code: string; fields: string[]
  with?: { id: string }[] // records that may be the same
  pattern?: { kind: 'same' | 'pace'; author: string; field: string; count: number; of: number; others: number; of_others: number }
}
export interface Asked { comment: string; fields: string[]; by: string; at: number; answers: { text: string; by: string; at: number }[] }
export interface Item {
  id: string; register: string; title: string; kind: Kind; group: Group; reasons: Reason[]; household: string; waiting_fields: string[]; authors: string[]
  oldest_at: number; newest_at: number; warnings: number; errors: number; digest: string; new: boolean; asked?: Asked
}
/** How much waits; `all` is conflict, eyes and clean together. */
export interface Counts { all: number; conflict: number; eyes: number; clean: number; households: number; returned: number }
export interface Count { code: string; records: number }
export interface Queue { items: Item[]; next_cursor?: string; matches: number; counts: Counts; reasons: Count[]; authors: Count[] }
export interface Filter { group: 'all' | Group; register: string; reason: string; author: string }
export interface Side { dot?: string; value: string; display: string; by: string; at: number; received?: number; source?: string; approved?: boolean; made_by?: string }
export interface ReviewField {
  name: string; label: string; section: string; type: string; high_risk: boolean; class: string; policy: string; masked: boolean
  approved: Side | null; merged: Side | null; siblings: Side[]
  conflict: boolean; waiting: boolean; submitted: boolean; changed_since_seen: boolean; authors?: string[]; own_work?: boolean
  findings: { level: 'E' | 'W' | 'I'; code: string; vi: string; en: string; reason?: string }[]; reason?: string
}
export interface ReviewRecord {
  id: string; register: string; definition: number; unit: string; title: string; digest: string; kind: Kind | 'none'
  life: { state: 'alive' | 'deleted' | 'edited_and_deleted'; approved_state: string; by?: string; at?: number; waiting: boolean }; stage: Stage; revision: number; fields: ReviewField[]
  questions: { id: string; fields: string[]; comment: string; by: string; at: number; answers: { text: string; by: string; at: number }[] }[]
  decisions: { decision: string; by: string; at: number; comment: string; fields: string[] }[]
  may_approve: boolean; reasons: Reason[]
}
export interface Day {
  waiting: Counts; ages: { days: number; records: number }[] // days is 0 for longer than any before
  quarantined: number; approved_today: number; returned_today: number; refused_today: number; records: number; published: number; at_hub: number
  days: { day: string; approved: number; returned: number; refused: number }[] // today last
  devices: { account: string; label: string; last_seen_at: number; unsent: number; oldest_unsent: number }[] // oldest_unsent is 0 for none
}
/** What became of an officer's pieces of a period, today its last day; server/review/README.md, "The officer's tally". Received is the sum of what stands below the line. */
export interface Period {
  name: 'day' | 'week' | 'month'; from: string // its first day in the city
  entered: number; received: number; on_time: number; overdue?: number; approved_first: number; returned: number
  approved: number; waiting: number; drafts: number; refused: number; replaced: number; held: number
}
export interface Tallies { at: number; on_time_hours: number; tallies: { officer: string; periods: Period[] }[] }
export interface Held { id: string; record: string; title: string; register: string; author: string; at: number; received: number; code: string; fields: string[]; records: number; releasable: boolean }

/** How many records one batch may hold. */
export const BATCH = 200

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const texts = `${path}${path.includes('?') ? '&' : '?'}lang=${lang()}`
  return (await bridge.call('api', { method, path: texts, ...(body !== undefined && { body }) })) as T
}

const at = (id: string) => encodeURIComponent(id)

/** A page of the queue: from its beginning at least through a record, or from a cursor. */
export const queue = (filter: Filter, from: { through?: string; cursor?: string }): Promise<Queue> => {
  const query = new URLSearchParams({ limit: '100' })
  for (const [name, value] of Object.entries({ ...filter, ...from })) if (value) query.set(name, value)
  return request('GET', `/api/v1/review/queue?${query}`)
}
/** One record; with the digest of what was on the screen before, what changed since comes first. */
export const record = (id: string, seen = '') => request<ReviewRecord>('GET', `/api/v1/review/records/${at(id)}${seen && `?seen=${at(seen)}`}`).then(inOrder)
const inOrder = (record: ReviewRecord): ReviewRecord => ({ ...record, fields: record.fields.map((field) => ({ ...field, siblings: newestFirst(field.siblings) })) })
export interface Step {
  dot: string; field: string; value: string; display: string; by: string; at: number; received: number; state: string
  device?: string // label of the device that wrote it
  clock?: number // ms by which that device's clock was ahead of the server's when it last came, 0 if unknown
}
/** A record's history, the newest step first; ancestors are what all sides of its conflicts had seen. */
export interface Trail { steps: Step[]; ancestors: Step[]; decisions: { decision: string; by: string; at: number; comment: string; fields: string[] }[]; truncated: boolean }
export const history = (id: string) => request<Trail>('GET', `/api/v1/records/${at(id)}/history`)
export const approve = (id: string, digest: string, fields: string[] | undefined, accept_warnings: boolean) =>
  request<{ id: string; stage: string; approved: string[] }>('POST', '/api/v1/review/approve', { id, digest, ...(fields && { fields }), ...(accept_warnings && { accept_warnings }) })
export const settle = (id: string, digest: string, field: string, choice: { dot?: string; value?: string }) => request<ReviewRecord>('POST', '/api/v1/review/settle', { id, digest, field, ...choice }).then(inOrder)
export const giveBack = (id: string, digest: string, fields: string[], comment: string) => request<unknown>('POST', '/api/v1/review/return', { id, digest, fields, comment })
export const refuse = (id: string, digest: string, fields: string[] | undefined, reason: string) => request<unknown>('POST', '/api/v1/review/refuse', { id, digest, ...(fields && { fields }), reason })
export const withdraw = (id: string, reason: string) => request<unknown>('POST', '/api/v1/review/withdraw', { id, reason })
export const batch = (records: { id: string; digest: string }[]) => request<{ approved: { id: string }[]; left: { id: string; why: string[] }[] }>('POST', '/api/v1/review/batch', { records })
export const reveal = (id: string, field: string, dot = '') => request<{ value: string; display: string }>('POST', `/api/v1/records/${at(id)}/reveal`, { field, ...(dot && { dot, reason: 'other' }) })
export interface Arrival { id: string; register: string; title: string; from: string; by: string; at: number; reason: string; returned: boolean; disputed: boolean }
/** What was sent to the unit and waits to be taken over. */
export const arrivals = () => request<{ items: Arrival[]; more: boolean }>('GET', '/api/v1/moves')
export const accept = (records: string[]) => request<unknown>('POST', '/api/v1/moves/accept', { records })
export const sendBack = (records: string[], reason: string) => request<unknown>('POST', '/api/v1/moves/return', { records, reason })
export const day = () => request<Day>('GET', '/api/v1/unit/day')
/** The unit's officers' tallies; with keep one's own, and without a network as it was told last. */
export const tallies = async (keep: boolean): Promise<{ reply: Tallies; fresh: boolean }> => {
  if (!keep) return { reply: await request('GET', '/api/v1/tallies'), fresh: true }
  return (await bridge.call('api', { method: 'GET', path: '/api/v1/tallies', keep })) as Told & { reply: Tallies }
}
export const held = () => request<{ items: Held[] }>('GET', '/api/v1/quarantine')
export const decideHeld = (id: string, decision: 'release' | 'reject', reason: string) => request<unknown>('POST', `/api/v1/quarantine/${at(id)}/${decision}`, { reason })
