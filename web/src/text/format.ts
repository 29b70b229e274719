import { lang, t } from './index'

const locale = () => (lang() === 'vi' ? 'vi-VN' : 'en-GB')

/** 1.234,5 in Vietnamese. */
export const number = (n: number): string => n.toLocaleString(locale())

/** A field's label within a sentence: with a small letter at its head, unless an abbreviation or a single letter stands there. */
export const within = (label: string): string => (/^\p{Lu}\p{Ll}[^\p{Lu}\s]*(\s|$)/u.test(label) ? label[0]!.toLocaleLowerCase(locale()) + label.slice(1) : label)

/** 14:32 */
export const clock = (ms: number): string => new Date(ms).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })

/** 14:32 today, else 14:32 05/08/2026. */
export function when(ms: number): string {
  const date = new Date(ms)
  const today = new Date().toDateString() === date.toDateString()
  return today ? clock(ms) : `${clock(ms)} ${day(ms)}`
}

/** 14:32 today, else 05/08: for a row, where space is short. */
export function soon(ms: number): string {
  const date = new Date(ms)
  return new Date().toDateString() === date.toDateString() ? clock(ms) : date.toLocaleDateString('en-GB', { day: '2-digit', month: '2-digit' })
}

/** 05/08/2026 */
export const day = (ms: number): string => new Date(ms).toLocaleDateString('en-GB')

/** How long ago, in the largest unit that is not zero. */
export function ago(ms: number): string {
  const minutes = Math.round((ms - Date.now()) / 60_000)
  if (minutes === 0) return t('time.now')
  const form = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' })
  if (Math.abs(minutes) < 60) return form.format(minutes, 'minute')
  if (Math.abs(minutes) < 60 * 24) return form.format(Math.round(minutes / 60), 'hour')
  return form.format(Math.round(minutes / 60 / 24), 'day')
}

/** A length of time in its largest sensible unit: 40 giây, 3 phút, 2 giờ. */
export function span(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds < 90) return t('span.seconds', { n: number(seconds < 10 ? seconds : Math.round(seconds / 5) * 5) })
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? t('span.minutes', { n: number(minutes) }) : t('span.hours', { n: number(Math.round(minutes / 60)) })
}

/** In capitals, as Vietnamese has them: ế becomes Ế. */
export const upper = (text: string): string => text.normalize('NFC').toLocaleUpperCase('vi')

/** The order of Vietnamese dictionaries. */
export const collator = new Intl.Collator('vi')
