import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { FieldView, Row, Session, Why } from '../bridge'
import { type Field, fieldOf, labelOf } from '../definition'
import { bridge, failureOf } from '../link'
import { hrefOf } from '../route'
import { t } from '../text'
import { number } from '../text/format'
import { icon } from './icon'
import { Part } from './part'
import { say, sayFailure } from './say'

/** The proposals that many fields may be settled by at once, the surest first. */
const rules: Why[] = ['same_words', 'only_change', 'only_filled', 'only_valid', 'fuller', 'evidence']

/** One field that a rule would settle. */
interface Case { row: Row; field: Field; view: FieldView }

/**
 * Settles all conflicts of the device for which one rule has a proposal, after showing each. Fields of high risk are left
 * to be looked at one by one. Each choice is bound to what the preview showed, and undone like any other. Emits `settled`.
 */
@customElement('wb-rules')
export class Rules extends Part {
  @property({ attribute: false }) session!: Session
  @property({ attribute: false }) rows: Row[] = []
  @state() private rule: Why = 'same_words'
  @state() private cases: Case[] | null = null
  @state() private skipped = new Set<Case>()
  @state() private risky = 0
  @state() private busy = false

  private async preview(): Promise<void> {
    this.busy = true
    const cases: Case[] = []
    let risky = 0
    try {
      for (const row of this.rows) {
        const definition = this.session.registers.find(({ id }) => id === row.register)
        const record = definition && (await bridge.call('get', { id: row.id }).catch(() => null)) // it may have left meanwhile
        for (const view of record?.fields ?? []) {
          const field = fieldOf(definition!, view.name)
          if (!field || view.advice?.why !== this.rule) continue
          if (field.high_risk) risky++
          else cases.push({ row, field, view })
        }
      }
      this.cases = cases
      this.risky = risky
      this.skipped = new Set()
    } finally {
      this.busy = false
    }
  }

  private async settle(): Promise<void> {
    this.busy = true
    let done = 0
    let left = 0
    for (const one of this.cases!.filter((one) => !this.skipped.has(one))) {
      try {
        await bridge.call('settle', { id: one.row.id, field: one.field.name, dot: one.view.advice!.dot, ...(one.view.seen && { seen: one.view.seen }) })
        done++
      } catch (cause) {
        left++ // it changed since the preview, and stays to be looked at
        if (failureOf(cause).code !== 'changed') sayFailure(cause)
      }
    }
    this.busy = false
    this.cases = null
    say(left ? t('rules.done.left', { n: number(done), left: number(left) }) : t('rules.done', { n: number(done) }))
    this.dispatchEvent(new CustomEvent('settled', { detail: done }))
  }

  private one(one: Case) {
    const definition = this.session.registers.find(({ id }) => id === one.row.register)!
    const chosen = one.view.conflict.find(({ dot }) => dot === one.view.advice!.dot)
    const others = one.view.conflict.filter(({ dot }) => dot !== one.view.advice!.dot)
    return html`<li><label class="check"><input type="checkbox" .checked=${!this.skipped.has(one)} @change=${(event: Event) => {
        const skipped = new Set(this.skipped)
        if ((event.target as HTMLInputElement).checked) skipped.delete(one)
        else skipped.add(one)
        this.skipped = skipped
      }} /><span><strong class="data">${chosen?.display || t('value.empty')}</strong> <span class="sub">${t('rules.instead', { others: others.map(({ display }) => display || t('value.empty')).join('; ') })}</span></span></label>
      <a class="sub" href=${hrefOf('register', one.row.register, one.row.id)}>${one.row.title || t('record.untitled')} · ${labelOf(definition, one.field.name)}</a></li>`
  }

  override render() {
    const { cases } = this
    const chosen = (cases?.length ?? 0) - this.skipped.size
    return html`<details class="card rules">
      <summary>${t('rules.title')}</summary>
      <label class="field"><span class="label">${t('rules.rule')}</span>
        <select @change=${(event: Event) => {
          this.rule = (event.target as HTMLSelectElement).value as Why
          this.cases = null
        }}>${rules.map((rule) => html`<option value=${rule} ?selected=${rule === this.rule}>${t(`rules.${rule}`)}</option>`)}</select></label>
      ${cases
        ? html`<p role="status">${t('rules.found', { n: number(cases.length) })}${this.risky ? ` ${t('rules.risky', { n: number(this.risky) })}` : ''}</p>
            ${cases.length ? html`<ul class="rules-cases">${cases.map((one) => this.one(one))}</ul>` : nothing}`
        : nothing}
      <div class="actions">
        <button class="small" ?disabled=${this.busy} @click=${() => void this.preview()}>${icon('eye')}${t('rules.preview')}</button>
        ${chosen > 0 ? html`<button class="small main" ?disabled=${this.busy} @click=${() => void this.settle()}>${t('rules.settle', { n: number(chosen) })}</button>` : nothing}
      </div>
    </details>`
  }
}
