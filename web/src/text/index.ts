import type { Failure, Lang } from '../bridge'
import { en } from './en'
import { vi } from './vi'

export type Texts = Record<keyof typeof vi, string>
type OfficeTexts = Record<keyof typeof import('./office').vi, string>
export type Key = keyof Texts | keyof OfficeTexts

// Those of the office come with its script: nothing else shows them.
const catalogues = { vi, en } as unknown as Record<Lang, Texts & OfficeTexts>

/** Adds the texts of the office. */
export function add(vi: OfficeTexts, en: OfficeTexts): void {
  Object.assign(catalogues.vi, vi)
  Object.assign(catalogues.en, en)
}
const changed = new EventTarget()
let current: Lang = 'vi'

try {
  if (localStorage.getItem('lang') === 'en') current = 'en'
} catch {
  // Without storage the page begins in Vietnamese each time.
}

export const lang = (): Lang => current

export function setLang(to: Lang): void {
  current = to
  document.documentElement.lang = to
  try {
    localStorage.setItem('lang', to)
  } catch {
    // as above
  }
  changed.dispatchEvent(new Event('lang'))
}

export function onLang(listen: () => void): () => void {
  changed.addEventListener('lang', listen)
  return () => changed.removeEventListener('lang', listen)
}

/** The text of a key, with its {places} filled. */
export function t(key: Key, places: Record<string, string | number> = {}): string {
  return catalogues[current][key].replace(/\{(\w+)\}/g, (_, name: string) => String(places[name] ?? ''))
}

/** The text of a key made from a code that comes from outside; the code itself if we have no text for it. */
export function tCode(family: string, code: string): string {
  const key = `${family}.${code}` as Key
  return catalogues[current][key] ?? code
}

/** What the device's module or the server says of something, as a sentence: whoever wrote it may have written it to stand behind a colon. */
export const tFailure = ({ code, ...texts }: Pick<Failure, 'code' | Lang>): string => sentence(texts[current] || texts.en || code)

export const sentence = (text: string): string => text && text[0]!.toLocaleUpperCase(current) + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.')
