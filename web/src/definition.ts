import type { Definition, FieldDef, Text } from './bridge'
import { lang } from './text'

// What the page reads of a register's definition beyond the contract's minimum:
// the JSON form of sync/register, whose README explains each part.

export interface Condition { field?: string; op?: 'is' | 'is_not' | 'empty' | 'filled'; values?: string[]; all?: Condition[]; any?: Condition[] }
export interface Part { name: string; type: string; label: Text; code_list?: string; required?: boolean }
export interface Field extends FieldDef {
  required_when?: Condition; applies_when?: Condition; masked?: boolean; off?: boolean; parts?: Part[]
  example?: string; max_length?: number; outside?: boolean; retired?: boolean
}
export interface Code { code: string; vi: string; en: string; retired?: boolean }
export interface Section { id: string; label: Text; fields: Field[] }

/** The text in the page's language. */
export const inLang = (text: Text): string => text[lang()] || text.vi

export const fieldsOf = (definition: Definition): Field[] => definition.fields
export const fieldOf = (definition: Definition, name: string): Field | undefined => fieldsOf(definition).find((field) => field.name === name)
export const labelOf = (definition: Definition, name: string): string => {
  const field = fieldOf(definition, name)
  return field ? inLang(field.label) : name
}

/** The form's sections in order, without fields that nobody is asked for any more. */
export function sectionsOf(definition: Definition, values: Record<string, string>): Section[] {
  const asked = fieldsOf(definition).filter((field) => field.required !== 'S' && !(field.off || field.retired) || values[field.name])
  const named = (definition.sections ?? []).map((section) => ({ ...section, fields: asked.filter((field) => field.section === section.id) }))
  const loose = asked.filter((field) => !definition.sections?.some((section) => section.id === field.section))
  const rest = loose.length ? [{ id: '', label: definition.label, fields: loose }] : []
  return [...named, ...rest].filter((section) => section.fields.length)
}

/** The codes of a list, in its own order. */
export function codesOf(definition: Definition, list = ''): Code[] {
  const lists = definition.code_lists as unknown as Record<string, Code[]> | { id: string; codes: Code[] }[] | undefined
  const codes = Array.isArray(lists) ? lists.find((l) => l.id === list)?.codes : lists?.[list]
  return (codes ?? []).map((code) => ('label' in code ? { ...code, ...(code.label as Text) } : code))
}

/** Whether the values meet the condition. The Go side decides; this only shows and hides. */
export function holds(condition: Condition | undefined, values: Record<string, string>): boolean {
  if (!condition) return true
  if (condition.all?.length) return condition.all.every((c) => holds(c, values))
  if (condition.any?.length) return condition.any.some((c) => holds(c, values))
  const value = values[condition.field ?? ''] ?? ''
  switch (condition.op) {
    case 'is':
      return value !== '' && (condition.values ?? []).includes(value)
    case 'is_not':
      return value !== '' && !(condition.values ?? []).includes(value)
    case 'empty':
      return value === ''
    case 'filled':
      return value !== ''
  }
  return false
}

export function isRequired(field: Field, values: Record<string, string>): boolean {
  return field.required === 'R' || (field.required === 'C' && holds(field.required_when, values))
}
