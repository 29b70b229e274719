import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { bridge } from '../link'
import { t } from '../text'
import { number } from '../text/format'
import './combobox'
import type { Option } from './combobox'
import { findUnits } from './field'
import { icon } from './icon'
import { Part } from './part'
import { say, sayFailure } from './say'

/** Sends records to another unit, all or none: one, or the members of a household. Works without a network. */
@customElement('wb-move')
export class Move extends Part {
  @property({ attribute: false }) ids: string[] = []
  @property() unit = '' // code of where they are
  @state() private open = false
  @state() private to: Option | null = null
  @state() private reason = ''
  @state() private busy = false

  private async send(event: Event): Promise<void> {
    event.preventDefault()
    if (!this.to || !this.reason.trim()) return
    this.busy = true
    try {
      await bridge.call('move', { ids: this.ids, unit: this.to.code.split('@')[0]!, reason: this.reason.trim() })
      say(t('move.sent', { n: number(this.ids.length), unit: this.to.label }))
      this.open = false
      this.dispatchEvent(new CustomEvent('moved', { bubbles: true }))
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  override render() {
    const n = number(this.ids.length)
    if (!this.open) {
      return html`<button type="button" class="plain" ?disabled=${!this.ids.length} @click=${() => {
        this.to = null
        this.reason = ''
        this.open = true
        void this.updateComplete.then(() => this.querySelector<HTMLElement>('#move-to')?.focus())
      }}>${icon('move')}${this.ids.length > 1 ? t('move.household', { n }) : t('move.record')}</button>`
    }
    return html`<form class="note note-blue move" @submit=${(event: Event) => void this.send(event)}>
      <div>
        <p><strong>${this.ids.length > 1 ? t('move.household', { n }) : t('move.record')}</strong></p>
        <p>${t('move.how')}</p>
        <label class="label" for="move-to">${t('move.to')}</label>
        <wb-combobox .inputId=${'move-to'} .text=${this.to?.label ?? ''} .search=${async (text: string) => (await findUnits(text)).filter(({ code }) => code !== this.unit)} .required=${true} .hint=${t('field.unit.hint')}
          @pick=${({ detail }: CustomEvent<Option | null>) => (this.to = detail)}></wb-combobox>
        <label class="field"><span class="label">${t('move.reason')}</span><input type="text" maxlength="500" required autocomplete="off" .value=${this.reason} @input=${(event: Event) => (this.reason = (event.target as HTMLInputElement).value)} /></label>
        <div class="actions"><button class="main" ?disabled=${this.busy || !this.to || !this.reason.trim()}>${t('move.send')}</button><button type="button" class="plain" @click=${() => (this.open = false)}>${t('cancel')}</button></div>
      </div>
    </form>`
  }
}

/** Where a record is on its way to, until the unit has taken it over. */
export function onItsWay(home: { unit: string; from: string; reason: string; at: number; returned: boolean; disputed: boolean } | undefined, here: string, names: { unit: string; by: string; at: string }) {
  if (!home) return nothing
  const words = home.disputed ? t('move.disputed') : t(home.unit !== here ? 'move.going' : home.returned ? 'move.returned' : 'move.came', { unit: names.unit })
  return html`<p class="note note-blue" role="status">${icon('move')}<span><strong>${words}</strong> <span class="data">${home.reason}</span> <span class="sub">${names.by} · ${names.at}</span></span></p>`
}
