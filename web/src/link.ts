import { connect } from './worker/client'
import type { Failure } from './bridge'
import { CallError } from './worker/client'
import { lang, onLang } from './text'
import { scriptURL } from './trusted'

// The build puts everything of one version into one folder beside the page's script.
const here = new URL('.', import.meta.url)

export const version = here.pathname.split('/').at(-2) ?? ''

/** This tab's one end of the bridge. */
export const bridge = connect({
  version,
  lang: lang(),
  worker: scriptURL(new URL('worker.js', here)),
  client: new URL('client.wasm', here).href,
  sqlite: new URL('mc-wa-sqlite.wasm', here).href,
})

/** Where the reader of QR codes is, for who needs it. */
export const qrScript = new URL('qr.js', here).href

/** The screens of whoever is no officer, and those that an officer seldom opens. */
export const officeScript = new URL('office.js', here).href

/** The user's guide, and its pictures. */
export const guideScript = new URL('guide.js', here).href
export const pictureOf = (name: string, language: string): string => new URL(`guide-${name}-${language}.webp`, here).href
/** What draws charts, for who needs it; kept on no device. */
export const chartScript = new URL('chart.js', here).href

onLang(() => void bridge.call('lang', { lang: lang() }).catch(() => {})) // who is not signed in has nothing to translate

/** What went wrong, in a form that can be shown. */
export function failureOf(cause: unknown): Failure {
  if (cause instanceof CallError) return cause.failure
  const said = cause instanceof Error ? cause.message : String(cause)
  return { code: 'internal', vi: `Lỗi của trang: ${said}`, en: `A fault of the page: ${said}` }
}
