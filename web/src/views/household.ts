import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Definition, RecordView } from '../bridge'
import { fieldOf, inLang, labelOf } from '../definition'
import { bridge, failureOf } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { sayFailure } from '../parts/say'
import '../parts/move'
import { stage, tag, way } from '../parts/state'
import { go, hrefOf } from '../route'
import { t, tFailure } from '../text'
import { number } from '../text/format'

/** What members of a household have in common, and a new one begins with. */
const SHARED = ['household_no', 'residence_type', 'permanent_address', 'permanent_address_old', 'current_address', 'neighbourhood']
const MOST = 200 // records under one number that are looked at
const HEAD = '01' // of relation_to_head

export const hasHouseholds = (definition: Definition): boolean => !!fieldOf(definition, 'household_no') && !!fieldOf(definition, 'relation_to_head')

const shown = (record: RecordView, name: string): string => record.fields.find((field) => field.name === name)?.display ?? ''
const held = (record: RecordView, name: string): string => record.fields.find((field) => field.name === name)?.value ?? ''

/** Opens a new form for somebody of the same household. */
export async function addMember(definition: Definition, like: RecordView): Promise<void> {
  const form = await bridge.call('open', { register: definition.id })
  const shared = SHARED.map((name) => [name, held(like, name)] as const).filter(([name, value]) => value && fieldOf(definition, name))
  await bridge.call('draft', { key: form.key, values: { ...form.values, ...Object.fromEntries(shared) } })
  go(`${hrefOf('new', definition.id)}?draft=${encodeURIComponent(form.key)}`)
}

/** A household as its members: who they are to its head, and where each record stands. */
@customElement('wb-household')
export class Household extends Part {
  @property({ attribute: false }) definition!: Definition
  @property() no = ''
  @state() private members: RecordView[] | null = null
  @state() private complete = true
  @state() private failure = ''
  private asked = 0

  protected override connected(): void {
    this.hear('changed', ({ registers }) => {
      if (registers.includes(this.definition.id)) void this.look()
    })
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('no') || changed.has('definition')) void this.look()
  }

  private async look(): Promise<void> {
    const asked = ++this.asked
    try {
      const reply = await bridge.call('list', { register: this.definition.id, search: this.no, limit: MOST, turn: `household ${this.no}` })
      const members: RecordView[] = []
      for (const { id } of reply.rows) {
        const record = await bridge.call('get', { id }).catch(() => null)
        if (record && held(record, 'household_no') === this.no) members.push(record)
      }
      if (asked !== this.asked) return
      members.sort((a, b) => held(a, 'relation_to_head').localeCompare(held(b, 'relation_to_head')) || held(a, 'dob').localeCompare(held(b, 'dob')))
      this.members = members
      this.complete = reply.complete
      this.failure = ''
    } catch (cause) {
      if (asked === this.asked && failureOf(cause).code !== 'superseded') this.failure = tFailure(failureOf(cause))
    }
  }

  private async add(): Promise<void> {
    try {
      await addMember(this.definition, this.members!.find((member) => held(member, 'relation_to_head') === HEAD) ?? this.members![0]!)
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private member(record: RecordView) {
    return html`<li><a class="line member" href=${hrefOf('register', this.definition.id, record.id)}>
      <span><strong class="data">${shown(record, this.definition.title_field ?? '') || t('record.untitled')}</strong><span class="sub">${[shown(record, 'relation_to_head'), shown(record, 'sex'), shown(record, 'dob')].filter(Boolean).join(' · ')}</span></span>
      <span class="member-state">${record.home ? tag('blue', t('move.moving'), 'move') : nothing}${record.stage === 'approved' ? nothing : stage(record.stage)}${way(record.place, record.receivedAt)}</span>${icon('next')}
    </a></li>`
  }

  override render() {
    const { members, definition } = this
    const address = members?.map((member) => shown(member, 'current_address') || shown(member, 'permanent_address')).find(Boolean)
    const place = members?.map((member) => shown(member, 'neighbourhood')).find(Boolean)
    return html`<div class="page household">
      <a class="button plain back" href=${hrefOf('register', definition.id)}>${icon('back')}<span>${inLang(definition.label)}</span></a>
      <h1>${t('household.title', { no: this.no })}</h1>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      ${members
        ? html`<p class="sub">${[address, place].filter(Boolean).join(' · ')}</p>
            <h2>${t('household.members', { n: number(members.length) })}</h2>
            ${this.complete ? nothing : html`<p class="note note-amber">${icon('warning')}<span>${t('household.partial')}</span></p>`}
            ${members.length ? html`<ul class="lines" aria-label=${labelOf(definition, 'household_no')}>${members.map((member) => this.member(member))}</ul>` : html`<p>${t('household.none')}</p>`}
            <div class="actions page-acts"><button class="main" ?disabled=${!members.length} @click=${() => void this.add()}>${icon('add')}${t('household.add')}</button>
              ${members.length && members.every(({ home }) => !home) ? html`<wb-move .ids=${members.map(({ id }) => id)} .unit=${members[0]!.unit} @moved=${() => void this.look()}></wb-move>` : nothing}</div>`
        : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}
