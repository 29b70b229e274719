import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Calls, Definition } from '../bridge'
import { fieldOf, labelOf } from '../definition'
import { bridge, failureOf } from '../link'
import { deviceName } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { sayFailure } from '../parts/say'
import { nameOf } from '../people'
import * as review from '../review'
import { t, tCode, tFailure } from '../text'
import { soon, when, within } from '../text/format'

type Step = ReturnType<Calls['history']>['steps'][number] & { state?: string; device?: string; clock?: number }
type Decision = review.Trail['decisions'][number]

/**
 * Every step of a record, newest first, save by save, with both clocks: what the device knows at once, and all of the
 * server's as soon as it answers. Emits `back` with a value that is to stand again.
 */
@customElement('wb-history')
export class History extends Part {
  @property({ attribute: false }) definition!: Definition
  @property() recordId = ''
  @property({ type: Boolean }) readonly = false
  @state() private steps: Step[] | null = null
  @state() private decisions: Decision[] = []
  @state() private complete = true
  @state() private fromServer = false
  @state() private unmasked: Record<string, string> = {}
  @state() private failure = ''

  protected override connected(): void {
    this.hear('changed', ({ ids }) => {
      if (!ids.length || ids.includes(this.recordId)) void this.load()
    })
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('recordId')) void this.load()
  }

  private async load(): Promise<void> {
    const id = this.recordId
    try {
      const { steps, complete } = await bridge.call('history', { id: this.recordId })
      if (id !== this.recordId) return
      const local = [...steps].sort((a, b) => b.at - a.at)
      if (!this.fromServer) {
        this.steps = local
        this.complete = complete
      }
      const whole = await review.history(id).catch(() => null) // without a network the part has to do
      if (!whole || id !== this.recordId) return
      // What the server has not received yet stands on top.
      const known = new Set(whole.steps.map((step) => step.dot))
      const unsent = local.filter((step) => !step.received && !known.has(step.dot))
      this.steps = [...unsent, ...whole.steps.map((step) => ({ ...step, current: step.state === 'current' || step.state === 'sibling' }))]
      this.decisions = whole.decisions ?? []
      this.complete = !whole.truncated
      this.fromServer = true
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private isMasked(step: Step): boolean {
    return !!fieldOf(this.definition, step.field)?.masked && !!step.display
  }

  private async unmask(step: Step): Promise<void> {
    try {
      const { display } = await bridge.call('reveal', { id: this.recordId, field: step.field, dot: step.dot }).catch(() => review.reveal(this.recordId, step.field, step.dot))
      this.unmasked = { ...this.unmasked, [step.dot]: display }
    } catch (cause) {
      sayFailure(cause)
    }
  }

  /** A masked value that only the server knows is asked for, which is audited like any reveal. */
  private async back(step: Step): Promise<void> {
    try {
      const value = this.fromServer && this.isMasked(step) ? (await review.reveal(this.recordId, step.field, step.dot)).value : step.value
      const known = !this.isMasked(step) || this.fromServer
      this.dispatchEvent(new CustomEvent('back', { detail: { field: step.field, dot: step.dot, ...(known && { value }) } }))
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private mayComeBack(step: Step): boolean {
    const field = fieldOf(this.definition, step.field)
    return !this.readonly && !!field && field.policy !== 'union' && !step.current && step.state !== 'quarantined'
  }

  private name(step: Step): string {
    return fieldOf(this.definition, step.field) ? labelOf(this.definition, step.field) : tCode('system', step.field)
  }

  /** What a step wrote, in words. */
  private wrote(step: Step): string {
    if (this.unmasked[step.dot] !== undefined) return this.unmasked[step.dot]!
    if (step.field === 'submission') return ''
    if (step.field === 'life') return tCode('life', step.display)
    if (step.field === 'twin') return tCode('twin.said', step.value || 'open')
    return step.display || t('value.empty')
  }

  /** The fields of one save, under who saved it and when. */
  private save(steps: Step[]) {
    const step = steps[0]!
    const minutes = Math.round((step.clock ?? 0) / 60_000)
    const facts = [...(step.device ? [deviceName(step.device)] : []), t('time.device', { at: when(step.at) }), step.received ? t('time.server', { at: when(step.received) }) : t('place.local')]
    return html`<li>
      <span class="history-when figures">${soon(step.at)}</span>
      <div><p><strong>${nameOf(step.by)}</strong> <span class="sub">${facts.join(' · ')}</span>
        ${minutes ? html`<span class="sub clock-off">${icon('warning')}${t(minutes > 0 ? 'conflict.clock.ahead' : 'conflict.clock.behind', { n: Math.abs(minutes) })}</span>` : nothing}</p>
        <ul>${steps.map((step) => this.one(step))}</ul></div>
    </li>`
  }

  private one(step: Step) {
    const state = step.current ? (step.field === 'submission' ? '' : t('history.current')) : step.state ? tCode('history', step.state) : ''
    return html`<li class="history-field ${step.current ? 'now' : ''}">
      <span><span class="history-name">${this.name(step)}</span> <span class="data">${this.wrote(step)}</span>${state ? html` <span class="sub-inline">${state}</span>` : nothing}</span>
      <span class="history-acts">
        ${this.isMasked(step) && this.unmasked[step.dot] === undefined ? html`<button type="button" class="small plain" @click=${() => void this.unmask(step)}>${icon('eye')}${t('field.reveal')}<span class="away">: ${labelOf(this.definition, step.field)}</span></button>` : nothing}
        ${this.mayComeBack(step) ? html`<button type="button" class="small plain" @click=${() => void this.back(step)}>${icon('undo')}${t('history.back')}<span class="away">: ${step.display || t('value.empty')}</span></button>` : nothing}
      </span>
    </li>`
  }

  private decision(made: Decision) {
    return html`<li class="decided">
      <span class="history-when figures">${soon(made.at)}</span>
      <span><strong>${tCode('decision', made.decision)}</strong>${made.comment ? html` <span class="data">${made.comment}</span>` : nothing}
        <span class="sub">${nameOf(made.by)} · ${t('time.server', { at: when(made.at) })}${made.fields?.length ? ` · ${made.fields.map((name) => within(labelOf(this.definition, name))).join(', ')}` : ''}</span></span>
    </li>`
  }

  override render() {
    if (this.failure) return html`<p class="note note-amber" role="alert">${this.failure}</p>`
    if (!this.steps) return html`<p class="sub">${t('loading')}</p>`
    // Saves by when they came to the server, those that did not on top, with the decisions in between.
    const lines = [
      ...saves(this.steps.filter((step) => step.field !== 'review')).map((steps) => ({ at: steps[0]!.received || Infinity, what: this.save(steps) })),
      ...this.decisions.map((made) => ({ at: made.at, what: this.decision(made) })),
    ].sort((a, b) => (a.at === b.at ? 0 : b.at - a.at))
    return html`<section class="history" aria-label=${t('record.history')}>
      ${this.complete ? nothing : html`<p class="note note-amber">${t('history.partial')}</p>`}
      <ol>${lines.map((line) => line.what)}</ol>
    </section>`
  }
}

/** The steps of each save, in the order in which the first of them stand: what one person wrote in one moment. */
function saves(steps: Step[]): Step[][] {
  const of = new Map<string, Step[]>()
  for (const step of steps) {
    const key = [step.by, step.at, step.received, step.device].join()
    const save = of.get(key)
    if (save) save.push(step)
    else of.set(key, [step])
  }
  return [...of.values()]
}
