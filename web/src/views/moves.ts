import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Session } from '../bridge'
import { inLang } from '../definition'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { unitName } from '../parts/field'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { nameOf } from '../people'
import * as review from '../review'
import { hrefOf } from '../route'
import { t, tFailure } from '../text'
import { number, when } from '../text/format'

/** Records that came together: of one sender, moment and reason. */
interface Group { key: string; items: review.Arrival[]; from: string }

/** What was sent to the supervisor's unit and waits to be taken over, or goes back. */
@customElement('wb-moves')
export class Moves extends Part {
  @property({ attribute: false }) session!: Session
  @state() private groups: Group[] | null = null
  @state() private more = false
  @state() private busy = false
  @state() private failure = ''

  protected override connected(): void {
    void this.load()
    this.hear('changed', () => void this.load())
  }

  private async load(): Promise<void> {
    try {
      const { items, more } = await review.arrivals()
      const groups = new Map<string, Group>()
      for (const item of items) {
        const key = `${item.from} ${item.by} ${item.at} ${item.reason} ${item.disputed}`
        const group = groups.get(key) ?? { key, items: [], from: item.from ? await unitName(item.from) : '' }
        group.items.push(item)
        groups.set(key, group)
      }
      this.groups = [...groups.values()]
      this.more = more
      this.failure = ''
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private async answer(make: () => Promise<unknown>, said: string): Promise<void> {
    this.busy = true
    try {
      await make()
      say(said)
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  private async sendBack(group: Group): Promise<void> {
    const reply = await ask({ title: t('moves.back.title', { n: number(group.items.length), unit: group.from }), choices: [{ value: 'yes', label: t('moves.back'), tone: 'danger' }], reason: { label: t('move.reason'), required: true } })
    if (reply) await this.answer(() => review.sendBack(group.items.map(({ id }) => id), reply.reason), t('moves.back.done', { unit: group.from }))
  }

  private group(group: Group) {
    const [first] = group.items
    return html`<li class="card">
      <p><strong>${t(first!.disputed ? 'move.disputed' : first!.returned ? 'moves.returned' : 'moves.from', { unit: group.from })}</strong> <span class="data">${first!.reason}</span></p>
      <p class="sub">${nameOf(first!.by)} · ${when(first!.at)}</p>
      <ul class="lines">${group.items.map((item) => html`<li><a class="line" href=${hrefOf('register', item.register, item.id)}><span><strong class="data">${item.title || t('record.untitled')}</strong><span class="sub">${inLang(this.session.registers.find(({ id }) => id === item.register)?.label ?? { vi: item.register, en: item.register })}</span></span>${icon('next')}</a></li>`)}</ul>
      <div class="actions">
        <button class="main" ?disabled=${this.busy} @click=${() => void this.answer(() => review.accept(group.items.map(({ id }) => id)), t('moves.accepted', { n: number(group.items.length) }))}>${t('moves.accept', { n: number(group.items.length) })}</button>
        ${first!.from ? html`<button ?disabled=${this.busy} @click=${() => void this.sendBack(group)}>${icon('undo')}${t('moves.back')}</button>` : nothing}
      </div>
    </li>`
  }

  override render() {
    const { groups } = this
    return html`<div class="page">
      <h1>${t('moves.title')}</h1>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      ${this.more ? html`<p class="note note-amber">${icon('warning')}<span>${t('moves.more')}</span></p>` : nothing}
      ${!groups ? (this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`) : groups.length ? html`<ul class="cards">${groups.map((group) => this.group(group))}</ul>` : html`<div class="empty"><p>${t('moves.none')}</p></div>`}
    </div>`
  }
}
