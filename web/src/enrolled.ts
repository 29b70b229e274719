/**
 * Which device this browser is to the server, by account, kept outside the store: when the store is gone, the next sign-in
 * names the device, so that the server knows which store is missing and no new code is needed. The id is no secret.
 */
const key = (account: string) => `device:${account.trim().toLowerCase()}`

export function rememberDevice(account: string, device: string): void {
  if (device) localStorage.setItem(key(account), device)
}

export const deviceOf = (account: string): string | undefined => localStorage.getItem(key(account)) ?? undefined

/** A revoked device enrols anew, under another id. */
export const forgetDevice = (account: string): void => localStorage.removeItem(key(account))

/** That the server has closed an account's device, or the account, while it was open here: whoever comes back to a page without it must not have to guess why. */
export interface Closed { account: string; code: string; drafts?: number; at: number }

const CLOSED = 'closed'

export function noteClosed(closed: Omit<Closed, 'at'>): void {
  localStorage.setItem(CLOSED, JSON.stringify({ ...closed, at: Date.now() } satisfies Closed))
  if (closed.code === 'device_revoked') forgetDevice(closed.account)
}

export const lastClosed = (): Closed | null => JSON.parse(localStorage.getItem(CLOSED) ?? 'null') as Closed | null

/** A sign-in has ended it. */
export function reopened(account: string): void {
  if (lastClosed()?.account === account) localStorage.removeItem(CLOSED)
}
