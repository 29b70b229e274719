// What a device says of itself when it signs in, in few words. Labels are what
// strangers sent: whatever is not understood is shown as it is.

/** The program and the system that a label names; without a system the label was not understood. */
export interface Read { app: string; system: string }

// The first that is found: most browsers claim to be several others too.
const apps: [RegExp, string][] = [
  [/\bZalo\b/, 'Zalo'],
  [/\bcoc_coc_browser\//, 'Cốc Cốc'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(Edg|EdgA|EdgiOS)\//, 'Edge'],
  [/\b(OPR|OPT)\//, 'Opera'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(Headless)?(Chrome|CriOS)\//, 'Chrome'],
  [/\bVersion\/[\d.]+.*\bSafari\//, 'Safari'],
]

const systems: [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'], // before Linux, which it names too
  [/\biPhone\b/, 'iPhone'], // before Mac OS X, as which it passes
  [/\biPad\b/, 'iPad'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMac OS X\b/, 'macOS'],
  [/\b(Linux|X11)\b/, 'Linux'],
]

const found = (list: [RegExp, string][], text: string) => list.find(([mark]) => mark.test(text))?.[1] ?? ''

/** Reads a browser's user agent, or the words in which our own client names its machine. */
export function readDevice(label: string): Read {
  const own = /^(wardbook-device) on (\S+)$/.exec(label)
  if (own) return { app: own[1]!, system: own[2]! }
  if (!label.startsWith('Mozilla/')) return { app: label, system: '' }
  const system = found(systems, label)
  return system ? { app: found(apps, label), system } : { app: label, system: '' }
}
