import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Session } from '../bridge'
import { inLang, labelOf } from '../definition'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { device as deviceLine } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { nameOf } from '../people'
import * as review from '../review'
import type { Item, Kind, Queue } from '../review'
import { go, hrefOf } from '../route'
import { lang, t, tCode } from '../text'
import { ago, number } from '../text/format'
import './review'
import type { Review } from './review'

const kinds = ['all', 'conflict', 'submitted'] as const
const PLACE = 'desk' // where the tab remembers its place in the queue

interface Place { kind: (typeof kinds)[number]; register: string; at: string }

/** The supervisor's desk: what waits, in the order in which to look at it, with the open record beside it. */
@customElement('wb-desk')
export class Desk extends Part {
  @property({ attribute: false }) session!: Session
  @property() recordId = ''

  @state() private kind: Place['kind'] = 'all'
  @state() private register = ''
  @state() private queue: Queue | null = null
  @state() private items: Item[] = []
  @state() private day: review.Day | null = null
  @state() private failure = ''
  @state() private busy = false
  private loading = 0
  private later = 0

  protected override connected(): void {
    try {
      const place = JSON.parse(sessionStorage.getItem(PLACE) ?? '{}') as Partial<Place>
      this.kind = place.kind ?? 'all'
      this.register = place.register ?? ''
      if (!this.recordId && place.at) go(hrefOf('desk', place.at), { replace: true })
    } catch {
      // A place that cannot be read is no place.
    }
    void this.load()
    this.listen(document, 'keydown', (event: KeyboardEvent) => this.key(event))
    this.hear('changed', () => {
      clearTimeout(this.later)
      this.later = window.setTimeout(() => void this.load(), 1500)
    })
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has('recordId') || changed.has('kind') || changed.has('register')) {
      sessionStorage.setItem(PLACE, JSON.stringify({ kind: this.kind, register: this.register, at: this.recordId } satisfies Place))
      this.querySelector('.queue [aria-current]')?.scrollIntoView({ block: 'nearest' })
    }
  }

  /** Reads the queue again, as much of it as is on the screen, or its next page, or another queue. */
  private async load(what: 'again' | 'more' | 'another' = 'again'): Promise<void> {
    const loading = ++this.loading
    const more = what === 'more'
    const least = what === 'again' ? this.items.length : 0
    try {
      let items = more ? this.items : []
      let queue: Queue | null = more ? this.queue : null
      do {
        queue = await review.queue(this.kind, this.register, queue?.next_cursor)
        if (loading !== this.loading) return
        items = [...items, ...queue.items]
      } while (queue.next_cursor && items.length < least)
      this.queue = queue
      this.items = items
      this.failure = ''
      if (!more) this.day = await review.day().catch(() => null)
    } catch (cause) {
      if (loading === this.loading) this.failure = failureOf(cause)[lang()]
    }
  }

  private choose(kind: Place['kind'], register = this.register): void {
    this.kind = kind
    this.register = register
    void this.load('another')
  }

  private step(by: number): void {
    const at = this.items.findIndex((item) => item.id === this.recordId)
    const next = this.items[at < 0 ? 0 : Math.min(Math.max(at + by, 0), this.items.length - 1)]
    if (next) go(hrefOf('desk', next.id), { replace: this.recordId !== '' })
  }

  private get open(): Review | null {
    return this.querySelector<Review>('wb-review')
  }

  /** What is done with the open record; the queue moves on by itself. */
  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if ((event.target as HTMLElement).closest('input, textarea, select, dialog')) return
    const act: Record<string, () => void> = {
      j: () => this.step(1),
      k: () => this.step(-1),
      a: () => void this.open?.approve(),
      r: () => void this.open?.giveBack(),
      x: () => void this.open?.refuse(),
      '?': () => this.querySelector<HTMLDialogElement>('.keys')?.showModal(),
    }
    if (act[event.key]) {
      event.preventDefault()
      act[event.key]!()
    }
  }

  private done({ detail }: CustomEvent<{ id: string }>): void {
    const at = this.items.findIndex((item) => item.id === detail.id)
    this.items = this.items.filter((item) => item.id !== detail.id)
    const next = this.items[at] ?? this.items[at - 1]
    go(next ? hrefOf('desk', next.id) : hrefOf('desk'), { replace: true })
    void this.load()
  }

  private async batch(): Promise<void> {
    const ready = this.items.filter((item) => item.batchable).slice(0, review.BATCH)
    const left = this.items.filter((item) => !item.batchable)
    const reply = await ask({
      title: t('batch.title', { n: number(ready.length) }),
      body: html`<p>${t('batch.body')}</p>
        ${left.length ? html`<p><strong>${t('batch.left', { n: number(left.length) })}</strong></p>${this.reasons(left.map((item) => item.why_not))}` : nothing}`,
      choices: ready.length ? [{ value: 'yes', label: t('batch.do', { n: number(ready.length) }), tone: 'main' }] : [],
    })
    if (!reply) return
    this.busy = true
    try {
      const result = await review.batch(ready.map(({ id, digest }) => ({ id, digest })))
      say(t('batch.done', { n: number(result.approved.length) }))
      await this.load()
      if (result.left.length) {
        await ask({ title: t('batch.left', { n: number(result.left.length) }), body: this.reasons(result.left.map((one) => one.why)), choices: [] })
      }
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  /** Why records were left out, and how often for each reason. */
  private reasons(all: string[][]) {
    const counts = new Map<string, number>()
    for (const why of all) for (const code of why) counts.set(code, (counts.get(code) ?? 0) + 1)
    return html`<ul class="reasons">${[...counts].sort((a, b) => b[1] - a[1]).map(([code, n]) => html`<li><span class="figures">${number(n)}</span> ${tCode('why', code)}</li>`)}</ul>`
  }

  private tagOf(kind: Kind) {
    if (kind === 'conflict') return tag('amber', t('state.conflict'), 'split')
    if (kind === 'edited_and_deleted') return tag('red', t('state.edited_and_deleted'), 'warning')
    if (kind === 'deletion') return tag('red', t('kind.deletion'), 'bin')
    return tag('blue', t('stage.submitted'))
  }

  private item(item: Item) {
    const definition = this.session.registers.find((register) => register.id === item.register)
    const fields = item.waiting_fields.map((name) => (name === 'life' ? t('review.life') : definition ? labelOf(definition, name) : name))
    return html`<li>
      <a class="row queue-row" href=${hrefOf('desk', item.id)} aria-current=${item.id === this.recordId ? 'true' : nothing}>
        <span class="row-title data">${item.title || t('record.untitled')}</span>
        <span class="row-tags">${this.tagOf(item.kind)}</span>
        <span class="row-cells">${fields.slice(0, 4).join(', ')}${fields.length > 4 ? ` +${fields.length - 4}` : ''}</span>
        <span class="sub row-when"><span title=${item.authors.map(nameOf).join(', ')}>${ago(item.oldest_at)} · ${item.authors.map(nameOf).join(', ')}</span>${item.warnings ? tag('amber', t('desk.warnings', { n: item.warnings })) : nothing}${item.high_risk ? tag('red', t('field.high_risk')) : nothing}${item.new ? tag('green', t('desk.new')) : nothing}</span>
      </a>
    </li>`
  }

  private summary() {
    const { day } = this
    if (!day) return nothing
    const silent = day.devices.filter((device) => device.unsent > 0).sort((a, b) => (a.oldest_unsent ?? 0) - (b.oldest_unsent ?? 0))
    return html`<details class="quiet day">
      <summary>${t('day.line', { waiting: number(day.waiting), approved: number(day.approved_today), hub: number(day.at_hub) })}</summary>
      ${silent.length
        ? html`<table><thead><tr><th scope="col">${t('day.device')}</th><th scope="col" class="figures">${t('day.unsent')}</th><th scope="col">${t('day.oldest')}</th><th scope="col">${t('day.seen')}</th></tr></thead>
          <tbody>${silent.map((device) => html`<tr><th scope="row">${nameOf(device.account)} ${deviceLine(device.label)}</th><td class="figures">${number(device.unsent)}</td><td>${device.oldest_unsent ? ago(device.oldest_unsent) : ''}</td><td>${ago(device.last_seen_at)}</td></tr>`)}</tbody></table>`
        : html`<p class="sub">${t('day.all_sent')}</p>`}
    </details>`
  }

  override render() {
    const { queue, items } = this
    const ready = Math.min(items.filter((item) => item.batchable).length, review.BATCH)
    const count = (kind: Place['kind']) => (queue ? (kind === 'all' ? queue.counts.conflict + queue.counts.submitted + queue.counts.deletion : queue.counts[kind]) : 0)
    return html`<div class="split ${this.recordId ? 'split-open' : ''}">
      <section class="split-list" aria-label=${t('desk.title')}>
        <header class="list-head">
          <div class="list-title">
            <h1>${t('desk.title')}</h1>
            <button class="plain small keys-open" @click=${() => this.querySelector<HTMLDialogElement>('.keys')!.showModal()}>${t('desk.keys')}</button>
          </div>
          <div class="filters" role="group" aria-label=${t('register.filters')}>
            ${kinds.map((kind) => html`<button class="filter" aria-pressed=${this.kind === kind} @click=${() => this.choose(kind)}>${t(`desk.${kind}`)} <span class="figures">${number(count(kind))}</span></button>`)}
          </div>
          <div class="inline">
            <select aria-label=${t('desk.register')} @change=${(event: Event) => this.choose(this.kind, (event.target as HTMLSelectElement).value)}>
              <option value="" ?selected=${!this.register}>${t('desk.every_register')}</option>
              ${this.session.registers.map((register) => html`<option value=${register.id} ?selected=${register.id === this.register}>${inLang(register.label)}</option>`)}
            </select>
            <button ?disabled=${!ready || this.busy} @click=${() => void this.batch()}>${t('batch.open', { n: number(ready) })}</button>
          </div>
          ${this.summary()}
        </header>
        ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure} <button class="small" @click=${() => void this.load()}>${t('again')}</button></span></p>` : nothing}
        ${!queue && !this.failure ? html`<p class="empty sub">${t('loading')}</p>` : nothing}
        ${queue && !items.length ? html`<div class="empty"><p>${t('desk.none')}</p></div>` : nothing}
        <ul class="queue" aria-label=${t('desk.title')}>
          ${items.map((item) => this.item(item))}
          ${queue?.next_cursor ? html`<li><button class="plain" @click=${() => void this.load('more')}>${t('desk.more')}</button></li>` : nothing}
        </ul>
      </section>
      ${this.recordId
        ? html`<wb-review class="split-record" .session=${this.session} .recordId=${this.recordId} @done=${this.done}></wb-review>`
        : html`<div class="split-record split-none"><p class="sub">${items.length ? t('desk.choose') : ''}</p></div>`}
      <dialog class="keys" aria-labelledby="keys-title">
        <h2 id="keys-title">${t('desk.keys')}</h2>
        <dl class="pairs">
          ${(['j', 'k', 'a', 'r', 'x', '?'] as const).map((key) => html`<dt><kbd>${key}</kbd></dt><dd>${t(`key.${key}`)}</dd>`)}
        </dl>
        <form method="dialog" class="actions"><button>${t('close')}</button></form>
      </dialog>
    </div>`
  }
}

