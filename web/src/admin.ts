import type { Account } from './bridge'
import { bridge } from './link'

// The administrator's requests; see server/auth for their bodies.

export type Role = Account['role']
export interface AdminAccount { id: string; name: string; display_name: string; role: Role; unit: string; sensitive: boolean; must_change: boolean; disabled: boolean }
/** A device, and what the server last heard of it. */
export interface AdminDevice {
  id: string; account: string; account_name: string; display_name: string; label: string; enrolled_at: string; last_seen_at: string; revoked_at: string | null; reason: string; lost: boolean
  store_vanished_at: string | null; store_vanished_unsent: number
  app: string; reported_at: string | null; unsent: number; oldest_unsent_at: string | null; headroom: number; received_at: string | null
}
export interface AuditEntry { seq: number; at: string; actor: string; device: string; action: string; unit: string; subject: string; detail: unknown }

/** Why a device is shut out; the words are the server's. */
export const revocations = ['lost', 'replaced', 'left', 'misused', 'other'] as const

const PAGE = 200

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  return (await bridge.call('api', { method, path: `/api/v1/admin/${path}`, ...(body !== undefined && { body }) })) as T
}

const at = (name: string) => encodeURIComponent(name)

/** Every account, by name. */
export async function accounts(): Promise<AdminAccount[]> {
  const all: AdminAccount[] = []
  for (;;) {
    const after = all.at(-1)?.name
    const { accounts } = await request<{ accounts: AdminAccount[] }>('GET', `accounts?limit=${PAGE}${after ? `&after=${at(after)}` : ''}`)
    all.push(...accounts)
    if (accounts.length < PAGE) return all
  }
}

/** Every device. */
export const devices = () => pages<AdminDevice>('/api/v1/admin/devices')

/** The devices of a supervisor's unit, and of one's own account. */
export const unitDevices = () => pages<AdminDevice>('/api/v1/unit/devices')
export const ownDevices = async () => ((await bridge.call('api', { method: 'GET', path: '/api/v1/auth/devices' })) as { devices: AdminDevice[] }).devices

/** Reports a device as lost, of the unit or one's own: it is shut out, and wipes itself when it is next heard. */
export const lost = (id: string) => bridge.call('api', { method: 'POST', path: `/api/v1/unit/devices/${id}/lost`, body: {} })
export const ownLost = (id: string) => bridge.call('api', { method: 'POST', path: `/api/v1/auth/devices/${id}/revoke`, body: { reason: 'lost', lost: true } })

async function pages<T extends { id: string }>(path: string): Promise<T[]> {
  const all: T[] = []
  for (;;) {
    const after = all.at(-1)?.id
    const { devices } = (await bridge.call('api', { method: 'GET', path: `${path}?limit=${PAGE}${after ? `&after=${after}` : ''}` })) as { devices: T[] }
    all.push(...devices)
    if (devices.length < PAGE) return all
  }
}

/** The newest lines of the log, or those before a line. */
export const audit = (before = 0) => request<{ entries: AuditEntry[] }>('GET', `audit?limit=100${before ? `&before=${before}` : ''}`)

export const create = (body: { name: string; display_name: string; role: Role; unit: string; sensitive: boolean }) => request<{ account: AdminAccount; password: string }>('POST', 'accounts', body)
export const move = (id: string, unit: string) => request<unknown>('POST', `accounts/${id}/move`, { unit })
export const role = (id: string, body: { role: Role; unit: string; sensitive: boolean }) => request<unknown>('POST', `accounts/${id}/role`, body)
export const disable = (id: string) => request<unknown>('POST', `accounts/${id}/disable`, {})
export const enable = (id: string) => request<unknown>('POST', `accounts/${id}/enable`, {})
export const resetPassword = (id: string) => request<{ password: string }>('POST', `accounts/${id}/reset-password`, {})
export const code = (id: string) => request<{ code: string; expires_at: string }>('POST', `accounts/${id}/enrolment-code`, {})
export const revoke = (id: string, reason: (typeof revocations)[number]) => request<unknown>('POST', `devices/${id}/revoke`, { reason, lost: reason === 'lost' })
