// How a stored value looks while it is edited, and what is stored of what was
// typed; and in which order values stand. Only spelling is handled here; whether a value makes sense is judged
// by sync/register, which gets anything that is not understood as it was typed.

/** Values that stand beside each other, the last that the server received first and before it what it has not received: on every device and at the desk alike. */
export function newestFirst<V extends { dot?: string; received?: number }>(values: readonly V[]): V[] {
  const received = (value: V) => value.received || Infinity
  return [...values].sort((a, b) => (received(a) === received(b) ? ((a.dot ?? '') < (b.dot ?? '') ? -1 : 1) : received(a) < received(b) ? 1 : -1))
}

/** The text that an input shows for a stored value. */
export function toTyped(type: string, value: string): string {
  switch (type) {
    case 'date':
    case 'date_partial':
    case 'month': {
      const [, year, month, day] = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$/.exec(value) ?? []
      return year ? [day, month, year].filter(Boolean).join('/') : value
    }
    case 'decimal':
      return /^-?\d+\.\d+$/.test(value) ? value.replace('.', ',') : value
    case 'integer':
    case 'money':
      return type === 'money' && /^\d{4,}$/.test(value) ? value.replace(/\B(?=(\d{3})+$)/g, '.') : value
    case 'phone_vn': {
      const [, national] = /^\+84(\d{8,10})$/.exec(value) ?? []
      if (!national) return value
      return `0${national}`.replace(/^(\d{4})(\d{3})(\d{3})$/, '$1 $2 $3')
    }
  }
  return value
}

/** What is stored of a typed text. */
export function toStored(type: string, typed: string): string {
  const text = typed.normalize('NFC').trim()
  switch (type) {
    case 'date':
    case 'date_partial':
    case 'month':
      return toDate(text)
    case 'decimal':
      return /^-?[\d.\s]*,\d+$/.test(text) ? text.replace(/[.\s]/g, '').replace(',', '.') : text
    case 'integer':
      return /^-?\d[\d\s]*$/.test(text) ? text.replace(/\s/g, '') : text
    case 'money':
      return /^\d{1,3}([. ]\d{3})+$/.test(text) ? text.replace(/[. ]/g, '') : text
    case 'personal_id':
    case 'cmnd9':
      return text.replace(/[\s.]/g, '')
    case 'phone_vn':
      return toPhone(text)
  }
  return text
}

function toDate(text: string): string {
  text = text.replace(/^(\d\d)?(\d\d)(\d{4})$/, (_, day: string | undefined, month: string, year: string) => [day, month, year].filter(Boolean).join('/')) // typed as digits only
  const [, year] = /^(?:(?:00|\.{2,})\s*[/.-]\s*)*(\d{4})$/.exec(text) ?? []
  if (year) return year
  const [, month, monthYear] = /^(?:(?:00|\.{2,})\s*[/-]\s*)?(\d{1,2})\s*[/-]\s*(\d{4})$/.exec(text) ?? []
  if (month && +month >= 1 && +month <= 12) return `${monthYear}-${month.padStart(2, '0')}`
  const [, day, dayMonth, dayYear] = /^(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4})$/.exec(text) ?? []
  if (!day || !dayMonth) return text
  const date = new Date(Date.UTC(+dayYear!, +dayMonth - 1, +day))
  const exists = date.getUTCDate() === +day && date.getUTCMonth() === +dayMonth - 1
  return exists ? `${dayYear}-${dayMonth.padStart(2, '0')}-${day.padStart(2, '0')}` : text
}

function toPhone(text: string): string {
  const digits = text.replace(/[\s.()-]/g, '')
  const [, national] = /^(?:\+?84|0)(\d{9,10})$/.exec(digits) ?? []
  return national ? `+84${national}` : text
}

/** An address, a point or a group as its parts; {} for anything else. */
export function toParts(value: string): Record<string, string> {
  try {
    const parts: unknown = JSON.parse(value)
    if (!parts || typeof parts !== 'object' || Array.isArray(parts)) return {}
    return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, String(part)]))
  } catch {
    return {}
  }
}

/** Parts as one value with its names in order, empty when every part is. */
export function fromParts(parts: Record<string, string | number>): string {
  const filled = Object.entries(parts).filter(([, part]) => part !== '')
  if (!filled.length) return ''
  return JSON.stringify(Object.fromEntries(filled.sort(([a], [b]) => (a < b ? -1 : 1))))
}

/** The codes of a multi_enum value. */
export const toCodes = (value: string): string[] => (value ? value.split(',') : [])
export const fromCodes = (codes: Iterable<string>): string => [...new Set(codes)].sort().join(',')
