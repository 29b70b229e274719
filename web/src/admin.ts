import type { Account } from './bridge'
import { bridge } from './link'

// The administrator's requests; see server/auth for their bodies.

export type Role = Account['role']
export interface AdminAccount { name: string; display_name: string; role: Role; unit: string; unit_name?: string; sensitive?: boolean; disabled: boolean; created_at?: string | number }
export interface AdminDevice { id: string; account: string; label: string; enrolled_at: string | number; last_seen_at: string | number; revoked_at?: string | number | null; reason?: string; lost?: boolean }
export interface AuditEntry { seq: number; at: string | number; actor: string; action: string; unit?: string; subject?: string; detail?: unknown }

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  return (await bridge.call('api', { method, path: `/api/v1/admin/${path}`, ...(body !== undefined && { body }) })) as T
}

const at = (name: string) => encodeURIComponent(name)

export const accounts = () => request<{ accounts: AdminAccount[] }>('GET', 'accounts')
export const create = (body: { name: string; display_name: string; role: Role; unit: string; password: string; sensitive: boolean }) => request<AdminAccount>('POST', 'accounts', body)
export const move = (name: string, unit: string) => request<unknown>('POST', `accounts/${at(name)}/move`, { unit })
export const disable = (name: string) => request<unknown>('POST', `accounts/${at(name)}/disable`, {})
export const enable = (name: string) => request<unknown>('POST', `accounts/${at(name)}/enable`, {})
export const resetPassword = (name: string, password: string) => request<unknown>('POST', `accounts/${at(name)}/reset-password`, { password })
export const code = (name: string) => request<{ code: string; expires_at?: string | number }>('POST', `accounts/${at(name)}/code`, {})
export const devices = () => request<{ devices: AdminDevice[] }>('GET', 'devices')
export const revoke = (id: string, reason: string, lost: boolean) => request<unknown>('POST', `devices/${at(id)}/revoke`, { reason, lost })
export const audit = () => request<{ entries: AuditEntry[] }>('GET', 'audit')

/** A time of the server, which may be RFC 3339 or milliseconds. */
export const msOf = (time: string | number | null | undefined): number => (typeof time === 'string' ? Date.parse(time) : (time ?? 0))
