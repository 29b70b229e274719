// Scripts that this page may load are its own. Under Trusted Types a script's
// address has to say so through a policy that the CSP names.

interface Policy { createScriptURL(url: string): string }
interface Factory { createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy }

const rules = {
  createScriptURL(url: string): string {
    if (new URL(url, location.href).origin !== location.origin) throw new TypeError(`not a script of ours: ${url}`)
    return url
  },
}

const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes
const policy: Policy = factory?.createPolicy('wardbook', rules) ?? rules

export const scriptURL = (url: URL | string): string => policy.createScriptURL(String(url))
