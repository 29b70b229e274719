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
