import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Definition, Pair, PairSide, Verdict } from '../bridge'
import { labelOf } from '../definition'
import { bridge } from '../link'
import { nameOf } from '../people'
import { hrefOf } from '../route'
import { t } from '../text'
import { when, within } from '../text/format'
import { icon } from './icon'
import { Part } from './part'
import { say, sayFailure } from './say'
import { stage, way } from './state'

/**
 * Two records that look like one thing, field beside field: same, different or linked, with one tap each but for the
 * same, which asks what stays. What was said can be taken back where it is shown. Emits `decided` with the pair.
 */
@customElement('wb-pair')
export class PairPart extends Part {
  @property({ attribute: false }) definition!: Definition
  @property({ attribute: false }) pair!: Pair
  @property() of = '' // the record on whose page the pair is shown, if any
  @state() private joining = false
  @state() private keep = ''
  @state() private take = new Set<string>()
  @state() private busy = false

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get('pair') as Pair | undefined
    if (changed.has('pair') && (before?.a.id !== this.pair.a.id || before?.b.id !== this.pair.b.id)) {
      this.joining = false
      this.stay(this.pair.keep)
    }
  }

  /** Chooses the record that stays; it takes over what it lacks. */
  private stay(id: string): void {
    this.keep = id
    const first = id === this.pair.a.id
    this.take = new Set(this.pair.fields.filter((field) => field.may && !(first ? field.a : field.b)).map(({ name }) => name))
  }

  private async decide(said: Verdict | ''): Promise<void> {
    this.busy = true
    try {
      const { a, b } = this.pair
      const pair = await bridge.call('decidePair', { a: a.id, b: b.id, said, ...(said === 'same' && { keep: this.keep, take: [...this.take] }) })
      this.joining = false
      say(said ? t(`twin.done.${said}`) : t('twin.undone'))
      this.dispatchEvent(new CustomEvent('decided', { detail: pair, bubbles: true }))
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  private side(side: PairSide) {
    return html`<div class="pair-side">
      ${side.id === this.of ? html`<strong class="data">${side.title}</strong> <span class="sub">${t('twin.this')}</span>` : html`<a href=${hrefOf('register', side.register, side.id)}><strong class="data">${side.title}</strong></a>`}
      <span class="sub">${nameOf(side.by)} · ${when(side.at)}</span>
      <span class="pair-state">${side.life === 'deleted' ? html`<span class="tag tag-grey">${icon('bin')}${t('state.deleted')}</span>` : side.stage === 'approved' ? nothing : stage(side.stage)}${way(side.place, side.received)}</span>
      ${this.joining
        ? html`<label class="check"><input type="radio" name="keep-${this.pair.a.id}" .checked=${this.keep === side.id} @change=${() => this.stay(side.id)} />${t('twin.keep')}</label>`
        : nothing}
    </div>`
  }

  private reasons() {
    const words = this.pair.reasons.map(({ kind, field }) => t(`twin.like.${kind}`, { field: within(labelOf(this.definition, field)) }))
    return words.length ? html`<p class="sub">${t('twin.alike', { how: words.join('; ') })}</p>` : nothing
  }

  private said() {
    return this.pair.said.map(
      (one) => html`<p class="sub">${icon('check')}<span><strong>${t(`twin.said.${one.said}`)}</strong> · ${nameOf(one.by)} · ${t('time.device', { at: when(one.at) })}${one.received ? ` · ${t('time.server', { at: when(one.received) })}` : ` · ${t('conflict.unsent')}`}${one.reason ? html` · <span class="data">${one.reason}</span>` : nothing}</span></p>`,
    )
  }

  private rows() {
    const differ = this.pair.fields.filter((field) => !field.same)
    const same = this.pair.fields.filter((field) => field.same)
    const first = this.keep === this.pair.a.id
    const row = ({ name, a, b, may }: Pair['fields'][number]) => {
      const from = first ? b : a
      return html`<div class="pair-row" role="row">
        <span class="sub" role="rowheader">${labelOf(this.definition, name)}</span>
        <span class="data" role="cell">${a || '–'}</span><span class="data" role="cell">${b || '–'}</span>
        ${this.joining && may
          ? html`<label class="check" role="cell"><input type="checkbox" .checked=${this.take.has(name)} @change=${(event: Event) => {
              const take = new Set(this.take)
              if ((event.target as HTMLInputElement).checked) take.add(name)
              else take.delete(name)
              this.take = take
            }} />${from ? t('twin.take', { value: from }) : t('twin.take.empty')}</label>`
          : nothing}
      </div>`
    }
    return html`<div class="pair-rows" role="table" aria-label=${t('twin.compare')}>${differ.map(row)}</div>
      ${same.length ? html`<details><summary>${t('twin.equal', { n: same.length })}</summary><div class="pair-rows" role="table" aria-label=${t('twin.compare')}>${same.map(row)}</div></details>` : nothing}`
  }

  override render() {
    const { pair, busy } = this
    const settled = pair.state !== 'open' && pair.state !== 'disputed' && !(pair.state === 'same' && pair.a.life !== 'deleted' && pair.b.life !== 'deleted')
    return html`<div class="pair" role="group" aria-label=${t('twin.title')} aria-busy=${busy}>
      ${pair.state === 'disputed' ? html`<p class="conflict-head">${icon('split')}${t('twin.disputed')}</p>` : nothing}
      ${this.said()} ${this.reasons()}
      <div class="pair-sides">${this.side(pair.a)}${this.side(pair.b)}</div>
      ${settled
        ? html`<div class="actions"><button class="small plain" ?disabled=${busy} @click=${() => void this.decide('')}>${icon('undo')}${t('undo')}<span class="away">: ${t('twin.title')}</span></button></div>`
        : html`${this.rows()}
            ${this.joining
              ? html`<p class="sub">${t(`twin.why.${pair.why}`)}</p>
                  <div class="actions"><button class="main" ?disabled=${busy} @click=${() => void this.decide('same')}>${t('twin.join')}</button><button class="plain" @click=${() => (this.joining = false)}>${t('cancel')}</button></div>`
              : html`<div class="actions">
                  <button ?disabled=${busy} @click=${() => (this.joining = true)}>${t('twin.same')}</button>
                  <button ?disabled=${busy} @click=${() => void this.decide('different')}>${t('twin.different')}</button>
                  <button ?disabled=${busy} @click=${() => void this.decide('linked')}>${t('twin.linked')}</button>
                </div>`}`}
    </div>`
  }
}
