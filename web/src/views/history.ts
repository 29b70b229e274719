import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Calls, Definition } from '../bridge'
import { labelOf } from '../definition'
import { bridge, failureOf } from '../link'
import { Part } from '../parts/part'
import { nameOf } from '../people'
import * as review from '../review'
import { lang, t, tCode } from '../text'
import { soon, when } from '../text/format'

type Step = ReturnType<Calls['history']>['steps'][number] & { state?: string }

/** Every step of a record, newest first, by field, with both clocks. */
@customElement('wb-history')
export class History extends Part {
  @property({ attribute: false }) definition!: Definition
  @property() recordId = ''
  @state() private steps: Step[] | null = null
  @state() private complete = true
  @state() private failure = ''

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('recordId')) void this.load()
  }

  private async load(): Promise<void> {
    const id = this.recordId
    try {
      const { steps, complete } = await bridge.call('history', { id: this.recordId })
      this.steps = [...steps].sort((a, b) => b.at - a.at)
      this.complete = complete
      if (complete) return
      const whole = await review.history(id).catch(() => null) // without a network the part has to do
      if (!whole || id !== this.recordId) return
      this.steps = whole.steps.map((step) => ({ ...step, current: step.state === 'current' || step.state === 'sibling' })).sort((a, b) => b.at - a.at)
      this.complete = true
    } catch (cause) {
      this.failure = failureOf(cause)[lang()]
    }
  }

  override render() {
    if (this.failure) return html`<p class="note note-amber" role="alert">${this.failure}</p>`
    if (!this.steps) return html`<p class="sub">${t('loading')}</p>`
    return html`<section class="history" aria-label=${t('record.history')}>
      ${this.complete ? nothing : html`<p class="note note-amber">${t('history.partial')}</p>`}
      <ol>
        ${this.steps.map(
          (step) => html`<li class=${step.current ? 'now' : ''}>
            <span class="history-when figures">${soon(step.at)}</span>
            <span><strong>${labelOf(this.definition, step.field)}</strong> <span class="data">${step.display || t('value.empty')}</span>
              <span class="sub">${nameOf(step.by)} · ${t('time.device', { at: when(step.at) })}${step.received ? ` · ${t('time.server', { at: when(step.received) })}` : ` · ${t('place.local')}`}${step.current ? ` · ${t('history.current')}` : step.state ? ` · ${tCode('history', step.state)}` : ''}</span></span>
          </li>`,
        )}
      </ol>
    </section>`
  }
}
