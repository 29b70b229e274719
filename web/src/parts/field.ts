import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Definition, FieldView, Finding, Followed, Sibling } from '../bridge'
import { type Code, codesOf, type Field, inLang, type Part as GroupPart } from '../definition'
import { bridge } from '../link'
import { nameOf } from '../people'
import { history, type Trail } from '../review'
import { hrefOf } from '../route'
import { lang, t, tFailure } from '../text'
import { when } from '../text/format'
import { fromCodes, fromParts, newestFirst, toCodes, toParts, toStored, toTyped } from '../value'
import './combobox'
import { find, type Option } from './combobox'
import { deviceName } from './device'
import { icon } from './icon'
import { Part } from './part'
import { say, sayFailure } from './say'

const LONG_LIST = 12 // more codes than this are found by typing
const COLUMNS = 60 // what fits one line of the form

export const labelOfCode = (code: Code): string => (lang() === 'en' ? code.en : code.vi) || code.code

let units: Promise<{ code: string; name: string }[]> | undefined

/** The city's units by a part of their name or their code. */
export async function findUnits(text: string): Promise<Option[]> {
  const found = await bridge.call('units', { search: text })
  return found.slice(0, 30).map(({ code, name }) => ({ code, label: name }))
}

/** The name of a unit code such as 27169@2025-07-01. */
export async function unitName(value: string): Promise<string> {
  const [code] = value.split('@')
  units ??= bridge.call('units', { search: '' })
  return (await units).find((unit) => unit.code === code)?.name ?? value
}

const UNIT_LIST = '2025-07-01'
const unitValue = (option: Option | null): string => (option ? (option.code.includes('@') ? option.code : `${option.code}@${UNIT_LIST}`) : '')

/**
 * One field of a form: its label, the control for its type, what is to say about
 * it and, when a person has to choose, the values to choose from. Emits `edit`
 * with the stored value whenever it changes, `left` when the control is left,
 * `reason` with why a warning is right, `settle` with a choice, and `reveal` with what a masked field says.
 */
@customElement('wb-field')
export class FieldPart extends Part {
  @property({ attribute: false }) definition!: Definition
  @property({ attribute: false }) field!: Field
  @property({ attribute: false }) values: Record<string, string> = {}
  @property({ attribute: false }) view: FieldView | undefined
  @property({ attribute: false }) findings: Finding[] = []
  @property({ type: Boolean }) asked = false // the supervisor asked about this field
  @property({ type: Boolean }) readonly = false
  @property({ type: Boolean }) required = false
  @property({ type: Boolean }) settling = false // shown to be settled, not to be typed into
  @property() recordId = ''
  @property() reason = ''

  @state() private revealed = false
  @state() private unit = ''
  @state() private leads: Followed | null = null // of a reference: the record that it leads to
  @state() private candidates: { code: string; name: string }[] | null = null
  @state() private split = false
  @state() private locating = false
  @state() private unmasked: Record<string, string> = {} // by dot, what reveals of values in conflict answered
  @state() private told: Trail | null = null // by the server, of the values in conflict
  @state() private asking = false
  private shown = '' // what a reveal answered; it stands in no other place of the page
  private typed: string | null = null // what stands in the control while it is edited
  private sent: string | null = null // the value that we emitted last

  private get value(): string {
    return this.values[this.field.name] ?? (this.revealed ? this.shown : '')
  }

  private get domId(): string {
    return `f-${this.field.name}`
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if ((changed.has('field') && changed.get('field')?.name !== this.field.name) || changed.has('recordId')) {
      this.revealed = false
      this.shown = ''
      this.candidates = null
      this.unmasked = {}
      this.told = null
    }
    if (changed.has('values') || changed.has('field')) {
      if (this.value !== this.sent) this.typed = this.sent = null // changed from outside
      const code = this.field.type === 'address' ? toParts(this.value)['unit'] : this.field.type.startsWith('unit') ? this.value : ''
      if (!code) this.unit = ''
      else if (/^\d{5}/.test(code)) void unitName(code).then((name) => (this.unit = name))
      else this.unit = code
      if (this.field.type === 'ref') void this.follow()
      else this.leads = null
    }
  }

  /** Looks where a reference leads; one to a record that is not on this device leads nowhere here. */
  private async follow(): Promise<void> {
    const id = this.value
    const leads = id ? await bridge.call('follow', { id }).catch(() => null) : null
    if (id === this.value) this.leads = leads
  }

  /** The record behind a reference, and that it is not the one that is named, if that was given up for it. */
  private reference(): TemplateResult {
    const { id, register, title } = this.leads!
    return html`<p class="sub"><a href=${hrefOf('register', register, id)}>${title || t('record.untitled')}</a>${id === this.value ? nothing : ` · ${t('field.ref.same')}`}</p>`
  }

  private emit(value: string): void {
    this.sent = value
    this.dispatchEvent(new CustomEvent('edit', { detail: { name: this.field.name, value }, bubbles: true }))
  }

  private left(): void {
    this.dispatchEvent(new CustomEvent('left', { detail: { name: this.field.name }, bubbles: true }))
  }

  private onInput(event: Event): void {
    this.typed = (event.target as HTMLInputElement).value
    this.emit(toStored(this.field.type, this.typed))
  }

  /** Once the person has finished, the control shows what we understood. */
  private onChange(): void {
    this.typed = null
    this.requestUpdate()
    this.left()
  }

  private async reveal(): Promise<void> {
    try {
      const { display } = await bridge.call('reveal', { id: this.recordId, field: this.field.name })
      this.shown = display
      this.revealed = true
      this.dispatchEvent(new CustomEvent('reveal', { detail: { name: this.field.name, shown: display }, bubbles: true }))
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private locate(): void {
    this.locating = true
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        this.locating = false
        this.emit(`{"accuracy_m":${Math.round(coords.accuracy)},"lat":${+coords.latitude.toFixed(6)},"lon":${+coords.longitude.toFixed(6)}}`)
        this.left()
      },
      (cause) => {
        this.locating = false
        say(cause.code === cause.PERMISSION_DENIED ? t('field.geo.refused') : cause.code === cause.TIMEOUT ? t('field.geo.late') : t('field.geo.failed'), true)
      },
      { enableHighAccuracy: true, timeout: 20_000 },
    )
  }

  private async suggest(old: string): Promise<void> {
    try {
      const { candidates, split } = await bridge.call('suggestUnits', { old })
      this.candidates = candidates
      this.split = split
    } catch (cause) {
      sayFailure(cause)
    }
  }

  // Controls by type.

  private input(attributes: { mode?: string; type?: string; hint?: string; words?: boolean }): TemplateResult {
    const { field } = this
    const shown = this.typed ?? toTyped(field.type, this.value)
    return html`<input
      id=${this.domId}
      name=${field.name}
      type=${attributes.type ?? 'text'}
      inputmode=${attributes.mode ?? nothing}
      autocomplete="off"
      spellcheck="false"
      autocapitalize=${attributes.words ? 'words' : 'off'}
      placeholder=${attributes.hint ?? nothing}
      class=${attributes.mode && attributes.mode !== 'text' ? 'figures' : ''}
      .value=${shown}
      ?readonly=${this.readonly}
      aria-required=${this.required || nothing}
      aria-invalid=${this.bad}
      aria-describedby=${this.described}
      @input=${this.onInput}
      @change=${this.onChange}
      @blur=${this.left}
    />`
  }

  private get bad(): boolean {
    return this.findings.some((finding) => finding.level === 'E')
  }

  private get described(): string | typeof nothing {
    return this.findings.length || this.field.help ? `${this.domId}-said` : nothing
  }

  private select(codes: Code[], value: string, pick: (code: string) => void, id = this.domId): TemplateResult {
    const offered = codes.filter((code) => !code.retired || code.code === value)
    const unknown = value && !offered.some((code) => code.code === value)
    return html`<select id=${id} ?disabled=${this.readonly} aria-required=${this.required || nothing} aria-invalid=${this.bad} aria-describedby=${this.described}
      @change=${(event: Event) => {
        pick((event.target as HTMLSelectElement).value)
        this.left()
      }}>
      <option value="" ?selected=${!value}>${t('field.none')}</option>
      ${unknown ? html`<option value=${value} selected>${value}</option>` : nothing}
      ${offered.map((code) => html`<option value=${code.code} ?selected=${code.code === value}>${labelOfCode(code)}</option>`)}
    </select>`
  }

  private codeControl(list: string | undefined, value: string, pick: (code: string) => void, id = this.domId): TemplateResult {
    const codes = codesOf(this.definition, list)
    if (codes.length <= LONG_LIST) return this.select(codes, value, pick, id)
    const options = codes.filter((code) => !code.retired).map((code) => ({ code: code.code, label: labelOfCode(code) }))
    const present = codes.find((code) => code.code === value)
    return html`<wb-combobox
      .inputId=${id}
      .text=${present ? labelOfCode(present) : value}
      .search=${(text: string) => find(options, present && text === labelOfCode(present) ? '' : text)}
      .disabled=${this.readonly}
      .required=${this.required}
      .bad=${this.bad}
      .describedBy=${this.described === nothing ? '' : (this.described as string)}
      @pick=${({ detail }: CustomEvent<Option | null>) => {
        pick(detail?.code ?? '')
        this.left()
      }}
    ></wb-combobox>`
  }

  private unitControl(value: string, pick: (value: string) => void, free: boolean, id = this.domId): TemplateResult {
    return html`<wb-combobox
      .inputId=${id}
      .text=${value ? this.unit : ''}
      .search=${findUnits}
      .free=${free}
      .disabled=${this.readonly}
      .bad=${this.bad}
      .hint=${t('field.unit.hint')}
      @pick=${({ detail }: CustomEvent<Option | null>) => {
        pick(unitValue(detail))
        this.left()
      }}
      @text=${({ detail }: CustomEvent<string>) => {
        pick(detail)
        this.left()
      }}
    ></wb-combobox>`
  }

  private address(): TemplateResult {
    const parts = toParts(this.value)
    const set = (more: Record<string, string>) => {
      const next: Record<string, string> = { ...parts, ...more }
      if (next['unit']) [next['unit'], next['list']] = [next['unit'].split('@')[0]!, next['unit'].split('@')[1] ?? next['list'] ?? UNIT_LIST]
      else delete next['list']
      this.emit(fromParts({ detail: next['detail'] ?? '', list: next['list'] ?? '', unit: next['unit'] ?? '' }))
    }
    const old = this.values[`${this.field.name}_old`] ?? ''
    return html`<div class="two">
        <label for="${this.domId}"><span class="sub">${t('field.address.detail')}</span></label>
        <input id=${this.domId} type="text" autocomplete="off" spellcheck="false" ?readonly=${this.readonly} placeholder=${t('field.address.hint')} aria-invalid=${this.bad}
          .value=${this.typed ?? parts['detail'] ?? ''}
          @input=${(event: Event) => {
            this.typed = (event.target as HTMLInputElement).value
            set({ detail: this.typed.normalize('NFC') })
          }}
          @change=${this.onChange} />
        <label for="${this.domId}-unit"><span class="sub">${t('field.address.unit')}</span></label>
        ${this.unitControl(parts['unit'] ?? '', (unit) => set({ unit }), false, `${this.domId}-unit`)}
      </div>
      ${old && !this.readonly
        ? html`<p class="beside"><span class="sub">${t('field.address.old')}</span> ${old} <button type="button" class="small" @click=${() => this.suggest(old)}>${t('field.address.suggest')}</button></p>`
        : nothing}
      ${this.candidates
        ? html`<div class="beside" role="group" aria-label=${t('field.address.suggest')}>
            ${this.split ? html`<p>${t('field.address.split')}</p>` : nothing}
            ${this.candidates.length
              ? this.candidates.map((unit) => html`<button type="button" class="small" @click=${() => {
                  set({ unit: `${unit.code}@${UNIT_LIST}` })
                  this.candidates = null
                  this.left()
                }}>${unit.name}</button>`)
              : html`<p>${t('field.address.unknown')}</p>`}
          </div>`
        : nothing}`
  }

  private point(): TemplateResult {
    const parts = toParts(this.value)
    const here = parts['lat'] ? `${parts['lat'].replace('.', ',')}; ${parts['lon']?.replace('.', ',')}` : ''
    return html`<div class="inline">
      <output id=${this.domId} class="figures">${here ? html`${here} <span class="sub">± ${parts['accuracy_m']} m</span>` : html`<span class="sub">${t('field.geo.none')}</span>`}</output>
      <button type="button" class="small" ?disabled=${this.readonly || this.locating} @click=${this.locate}>${icon('pin')}${this.locating ? t('field.geo.locating') : t('field.geo.locate')}</button>
      ${here && !this.readonly ? html`<button type="button" class="small plain" @click=${() => this.emit('')}>${t('field.clear')}</button>` : nothing}
    </div>`
  }

  private checks(): TemplateResult {
    const chosen = new Set(toCodes(this.value))
    const codes = codesOf(this.definition, this.field.code_list).filter((code) => !code.retired || chosen.has(code.code))
    return html`<div class=${codes.length > LONG_LIST ? 'checks checks-long' : 'checks'}>
      ${codes.map(
        (code) => html`<label class="check"><input type="checkbox" .checked=${chosen.has(code.code)} ?disabled=${this.readonly} @change=${(event: Event) => {
          if ((event.target as HTMLInputElement).checked) chosen.add(code.code)
          else chosen.delete(code.code)
          this.emit(fromCodes(chosen))
          this.left()
        }} />${labelOfCode(code)}</label>`,
      )}
    </div>`
  }

  private group(): TemplateResult {
    const parts = toParts(this.value)
    const set = (part: GroupPart, text: string) => this.emit(fromParts({ ...parts, [part.name]: text }))
    return html`<div class="two">
      ${(this.field.parts ?? []).map((part) => {
        const id = `${this.domId}-${part.name}`
        const value = parts[part.name] ?? ''
        return html`<label for=${id}><span class="sub">${inLang(part.label)}</span></label>
          ${part.type === 'enum'
            ? this.codeControl(part.code_list, value, (code) => set(part, code), id)
            : part.type === 'boolean'
              ? this.select(yesNo(), value, (code) => set(part, code), id)
              : html`<input id=${id} type="text" autocomplete="off" spellcheck="false" ?readonly=${this.readonly} inputmode=${numeric[part.type] ?? nothing}
                  .value=${toTyped(part.type, value)}
                  @change=${(event: Event) => {
                    set(part, toStored(part.type, (event.target as HTMLInputElement).value))
                    this.left()
                  }} />`}`
      })}
    </div>`
  }

  private control(): TemplateResult {
    const { field } = this
    if (this.view?.masked && !this.revealed && this.view.display) {
      return html`<div class="inline">
        <output id=${this.domId} class="figures masked">${this.view.display}</output>
        <button type="button" class="small" @click=${this.reveal}>${icon('eye')}${t('field.reveal')}</button>
      </div>`
    }
    switch (field.type) {
      case 'text_long':
        return html`<textarea id=${this.domId} rows="3" ?readonly=${this.readonly} aria-invalid=${this.bad} aria-describedby=${this.described} .value=${this.typed ?? this.value} @input=${this.onInput} @change=${this.onChange} @blur=${this.left}></textarea>`
      case 'name_vi':
        return this.input({ words: true })
      case 'date':
      case 'month':
        return this.input({ mode: 'numeric', hint: field.type === 'month' ? t('field.month.hint') : t('field.date.hint') })
      case 'date_partial':
        return this.input({ mode: 'numeric', hint: t('field.date_partial.hint') })
      case 'phone_vn':
        return this.input({ type: 'tel', mode: 'tel' })
      case 'personal_id':
      case 'cmnd9':
      case 'integer':
      case 'money':
      case 'decimal':
        return this.input({ mode: numeric[field.type] ?? 'numeric' })
      case 'tax_code':
        return this.input({ mode: 'text' })
      case 'enum':
        return this.codeControl(field.code_list, this.value, (code) => this.emit(code))
      case 'multi_enum':
        return this.checks()
      case 'boolean':
        return this.select(yesNo(), this.value, (code) => this.emit(code))
      case 'unit_code':
      case 'unit_code_hist':
        return this.unitControl(this.value, (value) => this.emit(value), false)
      case 'unit_or_text':
        return this.unitControl(this.value, (value) => this.emit(value), true)
      case 'address':
        return this.address()
      case 'geo_point':
        return this.point()
      case 'group':
        return this.group()
      default:
        return this.input({})
    }
  }

  /** Where a value comes from: who, by which clock, when it was received, and from which device. */
  private origin(sibling: Sibling) {
    const more = this.told?.steps.find((step) => step.dot === sibling.dot)
    const off = Math.round((more?.clock || sibling.clock || 0) / 60_000)
    const from = sibling.here ? t('conflict.here') : more?.device ? t('conflict.device', { device: deviceName(more.device) }) : ''
    return html`<span class="sub">${sibling.mine ? t('conflict.you', { by: nameOf(sibling.by) }) : nameOf(sibling.by)}${from ? ` · ${from}` : nothing}</span>
      <span class="sub">${t('time.device', { at: when(sibling.at) })} · ${sibling.received ? t('time.server', { at: when(sibling.received) }) : t('conflict.unsent')}</span>
      ${off ? html`<span class="sub clock-off">${icon('warning')}${t(off > 0 ? 'conflict.clock.ahead' : 'conflict.clock.behind', { n: Math.abs(off) })}</span>` : nothing}`
  }

  /** A value of several, which may be masked. */
  private one(sibling: Sibling): TemplateResult {
    const seen = this.unmasked[sibling.dot]
    return html`<strong class="data">${seen ?? (sibling.display || t('value.empty'))}</strong>
      ${this.view?.masked && sibling.display && seen === undefined
        ? html`<button type="button" class="small plain" @click=${() => void this.unmask(sibling.dot)}>${icon('eye')}${t('field.reveal')}<span class="away">: ${sibling.display}</span></button>`
        : nothing}`
  }

  private async unmask(dot: string): Promise<void> {
    try {
      const { display } = await bridge.call('reveal', { id: this.recordId, field: this.field.name, dot })
      this.unmasked = { ...this.unmasked, [dot]: display }
    } catch (cause) {
      sayFailure(cause)
    }
  }

  /** What the server's history adds: the devices, and what all sides had seen where this device did not write any of them. */
  private async askServer(): Promise<void> {
    this.asking = true
    try {
      this.told = await history(this.recordId)
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.asking = false
    }
  }

  /** Two values that nobody has chosen between yet. */
  private conflict(view: FieldView): TemplateResult {
    const settle = (detail: { dot?: string; value?: string }) => this.dispatchEvent(new CustomEvent('settle', { detail: { field: this.field.name, ...detail, ...(view.seen && { seen: view.seen }) }, bubbles: true }))
    const before = view.ancestor ?? this.told?.ancestors?.find((step) => step.field === this.field.name)
    return html`<div class="conflict">
      <p class="conflict-head">${icon('split')}${t(view.conflict.length > 2 ? 'conflict.choose.many' : 'conflict.choose')}</p>
      ${before ? html`<p class="sub">${t('conflict.before', { value: before.display || t('value.empty') })}</p>` : this.told ? html`<p class="sub">${t('conflict.before.none')}</p>` : nothing}
      <ul>
        ${newestFirst(view.conflict).map((sibling) => {
          const advised = view.advice?.dot === sibling.dot ? view.advice : null
          return html`<li class=${advised ? 'advised' : ''}>
            <div>${this.one(sibling)}${this.origin(sibling)}${advised ? html`<span class="advice">${t('conflict.advice', { why: t(`advice.${advised.why}`) })}</span>` : nothing}</div>
            ${this.readonly ? nothing : html`<button type="button" class="small ${advised ? 'main' : ''}" @click=${() => settle({ dot: sibling.dot })}>${t('conflict.take')}<span class="away">: ${sibling.display || t('value.empty')}</span></button>`}
          </li>`
        })}
      </ul>
      ${this.told ? nothing : html`<button type="button" class="small plain" ?disabled=${this.asking} @click=${() => void this.askServer()}>${icon('clock')}${t(this.asking ? 'loading' : 'conflict.more')}</button>`}
      ${this.readonly
        ? nothing
        : html`<details>
            <summary>${t('conflict.third')}</summary>
            ${this.control()}
            <button type="button" class="small" @click=${() => settle({ value: this.value })}>${t('conflict.take_third')}</button>
          </details>`}
    </div>`
  }

  /** A choice that was made on this device, and the way back. */
  private undo(view: FieldView): TemplateResult {
    const { dot, others } = view.settled!
    return html`<p class="undo">${icon('check')}<span>${t('conflict.chosen', { others: others.map((text) => text || t('value.empty')).join('; ') })}</span>
      <button type="button" class="small plain" @click=${() => this.dispatchEvent(new CustomEvent('undo', { detail: { field: this.field.name, dot }, bubbles: true }))}>${icon('undo')}${t('undo')}<span class="away">: ${inLang(this.field.label)}</span></button></p>`
  }

  override render() {
    const { field, view } = this
    const { required } = this
    const warned = this.findings.some((finding) => finding.level === 'W')
    const inConflict = (view?.conflict.length ?? 0) > 1
    const many = ['address', 'group', 'multi_enum'].includes(field.type) || inConflict
    const label = html`${inLang(field.label)}${required ? html`<span class="required" aria-hidden="true">*</span><span class="away"> ${t('field.required')}</span>` : nothing}`
    const marks = html`${view?.local ? html`<span class="hint-mark">${t('field.local')}</span>` : nothing}`
    const long = field.type === 'text_long' || field.type === 'multi_enum' || (field.max_length ?? 0) > COLUMNS * 4
    return html`<div class="field ${this.bad ? 'field-bad' : ''} ${this.asked ? 'field-asked' : ''} ${long ? 'field-long' : ''}" role=${many ? 'group' : nothing} aria-labelledby=${many ? `${this.domId}-label` : nothing}>
      ${many ? html`<span class="label" id="${this.domId}-label">${label}${marks}</span>` : html`<label class="label" for=${this.domId}>${label}${marks}</label>`}
      <div class="control">
        ${inConflict ? this.conflict(view!) : this.settling ? html`<output id=${this.domId} class="data">${view?.display || t('value.empty')}</output>` : this.control()}
        ${view?.settled && !inConflict && !this.readonly ? this.undo(view) : nothing}
        <div class="findings" id="${this.domId}-said">
          ${field.help ? html`<p class="sub">${inLang(field.help)}</p>` : nothing}
          ${this.leads ? this.reference() : nothing}
          ${this.findings.map((finding) => html`<p class="finding finding-${finding.level}">${finding.level === 'I' ? nothing : icon('warning')}${tFailure(finding)}</p>`)}
        </div>
        ${warned && !this.readonly
          ? html`<label class="why"><span class="sub">${t('field.reason')}</span><input type="text" maxlength="300" autocomplete="off" .value=${this.reason} @change=${(event: Event) =>
              this.dispatchEvent(new CustomEvent('reason', { detail: { name: field.name, reason: (event.target as HTMLInputElement).value.trim() }, bubbles: true }))} /></label>`
          : nothing}
      </div>
    </div>`
  }
}

const numeric: Record<string, string> = { personal_id: 'numeric', cmnd9: 'numeric', integer: 'numeric', money: 'numeric', decimal: 'decimal' }

const yesNo = (): Code[] => [
  { code: 'true', vi: t('yes'), en: t('yes') },
  { code: 'false', vi: t('no'), en: t('no') },
]
