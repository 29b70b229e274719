import { bridge } from './link'

// Requests to erase records by law; see server/erasure.

/** The legal grounds, as the server names them. */
export const grounds = ['subject_request', 'consent_withdrawn', 'unlawful', 'order', 'ended'] as const

/** Why a request is declined, as the server names it: codes, for the audit log keeps them for ever and may name no person. */
export const whys = ['must_keep', 'ground', 'identity', 'wrong_record', 'edit', 'talk'] as const

/** A device that still has to let go of an erased record. */
export interface Waiting { account: string; name: string; label: string; stores: number; seen: number }

export interface Erasure {
  id: string; record: string; register: string; unit: string; ground: string
  reason: string // empty once the record is erased, and for administrators
  by: string; at: number; lapses: number
  state: 'open' | 'done' | 'declined' | 'withdrawn' | 'lapsed'
  closed_by: string; closed_at: number; own: boolean
  why: (typeof whys)[number] | '' // it was declined
  waits: Waiting[] // the devices heard last first; there may be more
  told: number; devices: number // of those of the unit, how many have let go of it
  hub: 'never' | 'waiting' | 'acknowledged'; file: 'due' | 'clean'
}

const path = '/api/v1/erasures'
const request = async <T>(method: string, path: string, body?: unknown): Promise<T> => (await bridge.call('api', { method, path, ...(body !== undefined && { body }) })) as T

export const list = () => request<{ open: Erasure[]; closed: Erasure[]; more: boolean }>('GET', path)
/** The password may be empty within 15 minutes of signing in. */
export const askFor = (record: string, ground: string, reason: string, password: string) => request<Erasure>('POST', path, { record, ground, reason, password })
export const confirm = (id: string, password: string) => request<Erasure>('POST', `${path}/${id}/confirm`, { password })
export const decline = (id: string, why: string) => request<Erasure>('POST', `${path}/${id}/decline`, { why })
export const withdraw = (id: string) => request<Erasure>('POST', `${path}/${id}/withdraw`, {})
