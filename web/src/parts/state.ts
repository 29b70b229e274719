import { html, nothing, type TemplateResult } from 'lit'
import type { Definition, Hit, Place, RecordView, Row, Stage } from '../bridge'
import { labelOf } from '../definition'
import { t, tCode } from '../text'
import { soon, when } from '../text/format'
import { icon, type Icon } from './icon'

const places: Place[] = ['local', 'received', 'approved', 'hub']

/**
 * How far a record has come on its way to the hub, as four strokes of which
 * those behind it are filled, with the words beside them.
 */
export function way(place: Place, at?: number): TemplateResult {
  const reached = places.indexOf(place)
  const words = place === 'received' && at ? t('place.received.at', { at: soon(at) }) : tCode('place', place)
  return html`<span class="way way-${place}"
    ><span class="way-strokes" aria-hidden="true">${places.map((_, i) => html`<i class=${i <= reached ? 'on' : ''}></i>`)}</span><span class="way-words">${words}</span></span
  >`
}

/** Every step of a record's way, with the moment of each that is behind it as far as this device was told. */
export function waySteps(record: RecordView): TemplateResult {
  const reached = places.indexOf(record.place)
  const written = Math.max(0, ...record.fields.map((field) => field.at ?? 0))
  const moments = [written, record.receivedAt ?? 0, record.approvedAt ?? 0, 0]
  return html`<ol class="way-steps" aria-label=${t('way')}>
    ${places.map((place, i) => {
      const behind = i <= reached
      return html`<li class=${behind ? 'on' : ''}><span>${tCode('place', place)}</span><span class="sub">${behind ? (moments[i] ? when(moments[i]!) : '') : t('way.not_yet')}</span></li>`
    })}
  </ol>`
}

/** A word on a coloured ground; the colour only repeats what the word says. */
export function tag(tone: 'blue' | 'green' | 'amber' | 'red' | 'grey', words: string, sign?: Icon): TemplateResult {
  return html`<span class="tag tag-${tone}">${sign ? icon(sign) : nothing}${words}</span>`
}

const stages: Record<Stage, ['blue' | 'green' | 'amber' | 'red' | 'grey', Icon | undefined]> = {
  draft: ['grey', undefined],
  submitted: ['blue', undefined],
  returned: ['amber', 'undo'],
  refused: ['red', 'close'],
  approved: ['green', 'check'],
  quarantined: ['red', 'lock'],
}

export function stage(of: Stage): TemplateResult {
  const [tone, sign] = stages[of]
  return tag(tone, tCode('stage', of), sign)
}

/** All that is peculiar to a row: its stage, and what a person has to settle. */
export function rowTags(row: Pick<Row, 'stage' | 'conflict' | 'editedAndDeleted' | 'deleted'>): TemplateResult {
  return html`${row.editedAndDeleted ? tag('red', t('state.edited_and_deleted'), 'warning') : row.deleted ? tag('grey', t('state.deleted'), 'bin') : nothing}${row.conflict
    ? tag('amber', t('state.conflict'), 'split')
    : nothing}${row.stage === 'approved' ? nothing : stage(row.stage)}` // "approved" is already said by the way
}

/** Where else than in its title a search found a record: the field, and what was searched for in it. */
export function foundIn(definition: Definition, why: Hit[]): TemplateResult[] {
  return why.map(({ field, before = '', text, after = '' }, i) => html`${i ? ' · ' : ''}${labelOf(definition, field)}: ${before}<mark>${short(text)}</mark>${after}`)
}

/** The columns of a register that neither its title nor what it was found by says already. */
export function rowRest(definition: Definition, { title, cells, why = [] }: Pick<Row, 'title' | 'cells' | 'why'>): string {
  const said = why.map(({ field }) => definition.list_columns?.indexOf(field) ?? -1)
  return cells.filter((cell, at) => cell && cell !== title && !said.includes(at)).map(short).join(' · ')
}

/** How many signs are masked says nothing, and what follows needs the room. */
const short = (text: string): string => text.replace(/•+/, '••')
