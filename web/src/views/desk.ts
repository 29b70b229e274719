import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Session } from '../bridge'
import { inLang, labelOf } from '../definition'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { nameOf } from '../people'
import * as review from '../review'
import type { Group, Item, Queue, Reason } from '../review'
import { go, hrefOf } from '../route'
import { t, tCode, tFailure } from '../text'
import { ago, number, within } from '../text/format'
import { keptLong, silentLong } from './day'
import './review'
import type { Review } from './review'

const groups = ['all', 'conflict', 'eyes', 'clean', 'returned'] as const
const PLACE = 'desk' // where the tab remembers its place in the queue
const DAY = 'day' // stands where a record's id does; no id looks like it
const FEW = 20 // rows before the end at which the next page is fetched

interface Place { group: 'all' | Group; reason: string; register: string; author: string; at: string }

const tones: Record<string, 'red' | 'amber' | 'blue' | 'grey'> = {
  error: 'red', deletion: 'red', edited_and_deleted: 'red', high_risk: 'red', conflict: 'amber', warning: 'amber', duplicate: 'amber', pattern: 'amber', answered: 'blue',
}

/** The supervisor's desk: what waits, judged by the server, in the order in which to look at it, with the open record beside it. */
@customElement('wb-desk')
export class Desk extends Part {
  @property({ attribute: false }) session!: Session
  @property() recordId = ''
  @property({ type: Number }) erasures = 0 // requests to erase by law that wait

  @state() private place: Omit<Place, 'at'> = { group: 'all', reason: '', register: '', author: '' }
  @state() private queue: Queue | null = null
  @state() private items: Item[] = []
  @state() private day: review.Day | null = null
  @state() private failure = ''
  @state() private busy = '' // what is being done
  private loading = 0
  private another: Promise<void> | null = null // a queue that was chosen and is on its way
  private later = 0

  protected override connected(): void {
    try {
      const { at = '', ...place } = JSON.parse(sessionStorage.getItem(PLACE) ?? '{}') as Partial<Place>
      this.place = { ...this.place, ...place }
      if (!this.recordId && at && matchMedia('(min-width: 75rem)').matches) go(hrefOf('desk', at), { replace: true })
    } catch {
      // A place that cannot be read is no place.
    }
    void this.load('another')
    this.listen(document, 'keydown', (event: KeyboardEvent) => this.key(event))
    this.hear('changed', () => this.soon())
  }

  /** Reads the queue again when what goes on has gone on. */
  private soon(): void {
    clearTimeout(this.later)
    this.later = window.setTimeout(() => void this.load(), 1500)
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (!changed.has('recordId') && !changed.has('place')) return
    sessionStorage.setItem(PLACE, JSON.stringify({ ...this.place, at: this.recordId } satisfies Place))
    this.querySelector('.queue [aria-current]')?.scrollIntoView({ block: 'nearest' })
  }

  private get filter(): review.Filter {
    return { ...this.place, reason: this.place.group === 'eyes' ? this.place.reason : '' }
  }

  /** Reads the queue again, as much of it as is on the screen, or its next page, or another queue as far as the open record. */
  private async load(what: 'again' | 'more' | 'another' = 'again'): Promise<void> {
    clearTimeout(this.later)
    const loading = ++this.loading
    try {
      const more = what === 'more' && this.queue?.next_cursor
      const through = what === 'again' ? this.items.at(-1)?.id : this.recordId
      const queue = await review.queue(this.filter, more ? { cursor: more } : { through: through ?? '' })
      if (loading !== this.loading) return
      this.items = more ? [...this.items, ...queue.items.filter((item) => !this.items.some(({ id }) => id === item.id))] : queue.items
      this.queue = queue
      this.failure = ''
      if (!more) {
        const day = await review.day()
        if (loading === this.loading) this.day = day
      }
      await this.updateComplete
      if (what === 'another') this.querySelector('.queue [aria-current]')?.scrollIntoView({ block: 'center' })
    } catch (cause) {
      if (loading === this.loading) this.failure = tFailure(failureOf(cause))
    }
  }

  private choose(place: Partial<Place>): void {
    this.place = { ...this.place, ...place }
    this.another = this.load('another')
  }

  private async step(by: number): Promise<void> {
    await this.another
    const at = this.items.findIndex((item) => item.id === this.recordId)
    const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), this.items.length - 1)
    const next = this.items[to]
    if (next) go(hrefOf('desk', next.id), { replace: this.recordId !== '' })
    if (to + FEW > this.items.length && this.queue?.next_cursor) void this.load('more')
  }

  /** The row that the Tab key comes to: one, not hundreds. From there the arrows go on. */
  private get stop(): Item | undefined {
    return this.items.find((item) => item.id === this.recordId) ?? this.items[0]
  }

  private arrow(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    const rows = [...this.querySelectorAll<HTMLElement>('.queue-row')]
    const at = rows.indexOf(event.target as HTMLElement)
    if (!step || at < 0) return
    event.preventDefault()
    rows[at + step]?.focus()
  }

  private get open(): Review | null {
    return this.querySelector<Review>('wb-review')
  }

  /** What is done with the open record; the queue moves on by itself. */
  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if ((event.target as HTMLElement).closest('input:not([type=checkbox]), textarea, select, dialog')) return
    const act: Record<string, () => void> = {
      j: () => void this.step(1),
      k: () => void this.step(-1),
      a: () => void this.open?.approve(),
      r: () => void this.open?.giveBack(),
      x: () => void this.open?.refuse(),
      h: () => void this.household(this.items.find((item) => item.id === this.recordId)),
      '?': () => this.querySelector<HTMLDialogElement>('.keys')?.showModal(),
    }
    const then = act[event.key] ?? (/^[1-9]$/.test(event.key) ? () => void this.open?.settleAt(Number(event.key)) : undefined)
    if (!then) return
    event.preventDefault()
    then()
  }

  private done({ detail }: CustomEvent<{ id: string }>): void {
    const at = this.items.findIndex((item) => item.id === detail.id)
    this.items = this.items.filter((item) => item.id !== detail.id)
    const next = this.items[at] ?? this.items[at - 1]
    if (detail.id === this.recordId) go(next ? hrefOf('desk', next.id) : hrefOf('desk'), { replace: true })
    if (at + FEW > this.items.length && this.queue?.next_cursor) void this.load('more')
    this.soon()
  }

  // Approving without opening: what the server calls clean, all of it or one household.

  private async batch(): Promise<void> {
    const items: Item[] = []
    this.busy = t('loading')
    try {
      for (let cursor: string | undefined = ''; cursor !== undefined; ) {
        const page: Queue = await review.queue({ ...this.filter, group: 'clean' }, { cursor })
        items.push(...page.items)
        cursor = page.next_cursor || undefined
      }
    } catch (cause) {
      return sayFailure(cause)
    } finally {
      this.busy = ''
    }
    await this.approveAll(items, t('batch.title', { n: number(items.length) }))
  }

  private async household(item: Item | undefined): Promise<void> {
    if (!item?.household || item.group !== 'clean') return
    const members = this.members(item)
    if (members) await this.approveAll(members, t('batch.household', { no: item.household, n: number(members.length) }))
  }

  /** The clean records of the same household, once all of them are on the screen. */
  private members(of: Item): Item[] | null {
    const members = this.items.filter((item) => item.group === 'clean' && item.household === of.household && item.register === of.register)
    return members.at(-1) === this.items.at(-1) && this.queue?.next_cursor ? null : members
  }

  private async approveAll(items: Item[], title: string): Promise<void> {
    if (!items.length || this.busy) return
    const reply = await ask({
      title,
      body: html`<p>${t('batch.body')}</p>
        <div class="batch-what">
          ${this.tally(t('batch.fields'), items.flatMap((item) => item.waiting_fields.map((name) => this.label(item, name))))}
          ${this.tally(t('batch.authors'), items.flatMap((item) => item.authors.map(nameOf)))}
        </div>`,
      choices: [{ value: 'yes', label: t('batch.do', { n: number(items.length) }), tone: 'main' }],
    })
    if (!reply) return
    let approved = 0
    const left: string[][] = []
    try {
      for (let at = 0; at < items.length; at += review.BATCH) {
        this.busy = t('batch.doing', { n: number(at), of: number(items.length) })
        const result = await review.batch(items.slice(at, at + review.BATCH).map(({ id, digest }) => ({ id, digest })))
        approved += result.approved.length
        left.push(...result.left.map((one) => one.why))
      }
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = ''
    }
    if (approved) say(t('batch.done', { n: number(approved) }))
    if (items.some((item) => item.id === this.recordId)) go(hrefOf('desk'), { replace: true })
    await this.load('another')
    if (left.length) {
      await ask({ title: t('batch.left', { n: number(left.length) }), body: this.tally('', left.flat().map((code) => tCode('why', code))), choices: [] })
    }
  }

  /** How often each word stands in a list, the most frequent first. */
  private tally(title: string, words: string[]) {
    const counts = new Map<string, number>()
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
    return html`<div>${title ? html`<h3>${title}</h3>` : nothing}<ul class="reasons">${[...counts].sort((a, b) => b[1] - a[1]).map(([word, n]) => html`<li><span class="figures">${number(n)}</span> ${word}</li>`)}</ul></div>`
  }

  private label(item: Item, name: string): string {
    const definition = this.session.registers.find((register) => register.id === item.register)
    return name === 'life' ? t('review.life') : definition ? labelOf(definition, name) : name
  }

  private reason(item: Item, reason: Reason) {
    const about = ['first', 'draft', 'duplicate'].includes(reason.code) ? [] : reason.fields // where the names say nothing new
    const words = [tCode('eyes', reason.code), about.slice(0, 2).map((name) => within(this.label(item, name))).join(', ') + (about.length > 2 ? ` +${about.length - 2}` : '')].filter(Boolean).join(': ')
    return tag(tones[reason.code] ?? 'grey', words)
  }

  private item(item: Item) {
    const fields = item.waiting_fields.map((name, i) => (i ? within(this.label(item, name)) : this.label(item, name)))
    const asked = item.group === 'returned' ? item.asked : undefined
    return html`<li>
      <a class="row queue-row" href=${hrefOf('desk', item.id)} tabindex=${item === this.stop ? 0 : -1} aria-current=${item.id === this.recordId ? 'true' : nothing}>
        <span class="row-title data">${item.title || t('record.untitled')}</span>
        <span class="sub row-when">${ago(asked?.at ?? item.oldest_at)}</span>
        ${item.reasons.length ? html`<span class="row-why">${item.reasons.map((reason) => this.reason(item, reason))}</span>` : nothing}
        <span class="row-cells">${asked ? html`<span class="data">${asked.comment}</span>` : item.new ? t('desk.new', { n: fields.length }) : `${fields.slice(0, 3).join(', ')}${fields.length > 3 ? ` +${fields.length - 3}` : ''}`}<span class="sub"> · ${item.authors.map(nameOf).join(', ')}</span></span>
      </a>
    </li>`
  }

  /** The rows, those that are clean under their households. */
  private rows() {
    const heads = new Set<string>()
    return this.items.map((item) => {
      const key = `${item.register} ${item.household}`
      if (item.group !== 'clean' || heads.has(key)) return this.item(item)
      heads.add(key)
      const members = item.household ? this.members(item) : null
      return html`<li class="queue-household">
          <span>${item.household ? t('desk.household', { no: item.household }) : t('desk.no_household')}</span>
          ${members && members.length > 1 ? html`<button class="small" tabindex=${this.stop && members.includes(this.stop) ? 0 : -1} ?disabled=${!!this.busy} @click=${() => void this.household(item)}>${t('desk.household.do', { n: number(members.length) })}<span class="away">: ${item.household}</span></button>` : nothing}
        </li>${this.item(item)}`
    })
  }

  /** The day in one line, and the work that has been on a device too long. */
  private today() {
    const { day } = this
    if (!day) return nothing
    const old = day.devices.filter(keptLong).sort((a, b) => a.oldest_unsent - b.oldest_unsent)
    const silent = day.devices.filter((device) => !keptLong(device) && silentLong(device))
    return html`<a class="today" href=${hrefOf('desk', DAY)} aria-current=${this.recordId === DAY ? 'true' : nothing}>
      <span>${t('day.line', { approved: number(day.approved_today), returned: number(day.returned_today), refused: number(day.refused_today) })}</span>
      ${old.length ? html`<span class="today-old">${icon('warning')}${t('day.old', { n: number(old.length), ago: ago(old[0]!.oldest_unsent), who: nameOf(old[0]!.account) })}</span>` : nothing}
      ${silent.length ? html`<span class="today-old">${icon('clock')}${t('day.silent', { n: number(silent.length), who: nameOf(silent[0]!.account) })}</span>` : nothing}
    </a>`
  }

  private filters() {
    const { queue, place } = this
    if (!queue) return nothing
    const { counts } = queue
    const select = (label: string, value: string, options: { value: string; label: string }[], all: string, set: (value: string) => void) =>
      html`<select aria-label=${label} @change=${(event: Event) => set((event.target as HTMLSelectElement).value)}>
        <option value="" ?selected=${!value}>${all}</option>
        ${options.map((option) => html`<option value=${option.value} ?selected=${option.value === value}>${option.label}</option>`)}
      </select>`
    return html`<div class="filters" role="group" aria-label=${t('register.filters')}>
        ${groups.map((group) => html`<button class="filter" aria-pressed=${place.group === group} @click=${() => this.choose({ group, reason: '' })}>${t(`desk.${group}`)} <span class="figures">${number(counts[group])}</span></button>`)}
      </div>
      ${place.group === 'eyes'
        ? html`<div class="filters filters-why" role="group" aria-label=${t('desk.reasons')}>
            ${queue.reasons.map(({ code, records }) => html`<button class="filter" aria-pressed=${place.reason === code} @click=${() => this.choose({ reason: place.reason === code ? '' : code })}>${tCode('eyes', code)} <span class="figures">${number(records)}</span></button>`)}
          </div>`
        : nothing}
      <div class="inline">
        ${select(t('desk.register'), place.register, this.session.registers.map((register) => ({ value: register.id, label: inLang(register.label) })), t('desk.every_register'), (register) => this.choose({ register }))}
        ${select(t('desk.author'), place.author, queue.authors.map(({ code, records }) => ({ value: code, label: `${nameOf(code)} (${number(records)})` })), t('desk.every_author'), (author) => this.choose({ author }))}
      </div>
      ${(place.group === 'all' || place.group === 'clean') && counts.clean
        ? html`<button ?disabled=${!!this.busy} @click=${() => void this.batch()}>${icon('check')}${this.busy || t(counts.households ? 'batch.open' : 'batch.open.plain', { n: number(counts.clean), households: number(counts.households) })}</button>`
        : nothing}`
  }

  override render() {
    const { queue, items, recordId } = this
    const position = items.findIndex((item) => item.id === recordId) + 1
    return html`<div class="split ${recordId ? 'split-open' : ''}">
      <section class="split-list" aria-label=${t('desk.title')}>
        <header class="list-head">
          <div class="list-title">
            <h1>${t('desk.title')}</h1>
            ${position && queue ? html`<span class="sub figures">${t('desk.position', { at: number(position), of: number(queue.matches) })}</span>` : nothing}
            <button class="plain small keys-open" @click=${() => this.querySelector<HTMLDialogElement>('.keys')!.showModal()}>${t('desk.keys')}</button>
          </div>
          ${this.filters()}${this.today()}
          <a class="today" href=${hrefOf('erasures')}><span>${t('erase.screen')} ${this.erasures ? html`<span class="count-badge">${number(this.erasures)}</span>` : nothing}</span></a>
        </header>
        ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure} <button class="small" @click=${() => void this.load()}>${t('again')}</button></span></p>` : nothing}
        ${!queue && !this.failure ? html`<p class="empty sub">${t('loading')}</p>` : nothing}
        ${queue && !items.length ? html`<div class="empty"><p>${t('desk.none')}</p></div>` : nothing}
        <ul class="queue" aria-label=${t('desk.title')} @keydown=${this.arrow}>
          ${this.rows()}
          ${queue?.next_cursor ? html`<li><button class="plain" @click=${() => void this.load('more')}>${t('desk.more')}</button></li>` : nothing}
        </ul>
      </section>
      ${recordId && recordId !== DAY
        ? html`<wb-review class="split-record" .session=${this.session} .recordId=${recordId} @done=${this.done}></wb-review>`
        : html`<wb-day class="split-record ${recordId ? '' : 'split-none'}" .day=${this.day}></wb-day>`}
      <dialog class="keys" aria-labelledby="keys-title">
        <h2 id="keys-title">${t('desk.keys')}</h2>
        <dl class="pairs">
          ${(['j', 'k', 'a', 'r', 'x', 'h', '1', '?'] as const).map((key) => html`<dt><kbd>${key}</kbd></dt><dd>${t(`key.${key}`)}</dd>`)}
        </dl>
        <form method="dialog" class="actions"><button>${t('close')}</button></form>
      </dialog>
    </div>`
  }
}
