import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { repeat } from 'lit/directives/repeat.js'
import type { Pair, RecordView, Row, Session, Status } from '../bridge'
import { fieldsOf, inLang } from '../definition'
import { bridge, failureOf } from '../link'
import '../parts/elsewhere'
import '../parts/field'
import '../parts/pair'
import '../parts/rules'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { rowTags, way } from '../parts/state'
import { hrefOf } from '../route'
import { t, tFailure } from '../text'
import { number } from '../text/format'

export type Tray = 'conflicts' | 'pairs' | 'returned' | 'quarantined'
const trays: Tray[] = ['conflicts', 'pairs', 'returned', 'quarantined']
const CALM = 500 // ms between two looks while records keep coming

let couples = '' // how many pairs there were, once they were looked for in this tab

/** What is there now, each where it stood before; what is new stands at the end. */
function inPlace<T extends object>(before: T[], now: T[], is: (a: T, b: T) => boolean): T[] {
  const kept = before.flatMap((old) => now.find((one) => is(one, old)) ?? [])
  return [...kept, ...now.filter((one) => !kept.includes(one))]
}

const same = (a: Pair, b: Pair): boolean => a.a.id === b.a.id && a.b.id === b.b.id

/** What an officer has to look at: conflicts and pairs, which can be settled right here, returned work and refused changes. */
@customElement('wb-inbox')
export class Inbox extends Part {
  @property({ attribute: false }) session!: Session
  @property({ attribute: false }) status: Status | null = null
  @property() tray: Tray = 'conflicts'
  @state() private rows: Row[] | null = null
  @state() private open: Record<string, RecordView> = {}
  @state() private pairs: Pair[] = []
  @state() private more = false // there are more pairs than are listed
  @state() private decided: Pair[] = [] // on this visit: what was said of them can be taken back right here
  private looking = false
  private again = false
  @state() private settled: Row[] = [] // on this visit: their choice can be undone right here
  @state() private failure = ''

  protected override connected(): void {
    this.hear('changed', () => void this.load())
    if (!couples && this.tray !== 'pairs') void this.countPairs()
  }

  /** All records are looked through for them, so not more often than somebody asks. */
  private async countPairs(): Promise<void> {
    const found = await Promise.all([bridge.call('pairs'), this.listed('unchecked')]).catch(() => null)
    if (found) this.counted(found[0].pairs.length + found[1].length, found[0].more)
  }

  private counted(n: number, more: boolean): void {
    couples = `${number(n)}${more ? '+' : ''}`
    this.requestUpdate()
  }

  private count(tray: Tray): string {
    return tray === 'pairs' ? couples : number(this.status?.[tray] ?? 0)
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('tray')) {
      this.rows = null
      this.settled = []
      this.decided = []
      void this.load()
    }
  }

  private async load(): Promise<void> {
    if (this.looking) {
      this.again = true
      return
    }
    this.looking = true
    await this.look()
    if (this.tray === 'pairs') await new Promise((resolve) => setTimeout(resolve, CALM)) // all records are looked through
    this.looking = false
    if (this.again) {
      this.again = false
      if (this.isConnected) void this.load()
    }
  }

  private async look(): Promise<void> {
    const tray = this.tray
    try {
      if (tray === 'pairs') {
        const [{ pairs, more }, rows] = await Promise.all([bridge.call('pairs'), this.listed('unchecked')])
        if (tray !== this.tray) return
        this.counted(pairs.length + rows.length, more)
        const gone = this.decided.filter((one) => !pairs.some((pair) => same(pair, one)))
        this.pairs = inPlace(this.pairs, [...pairs, ...gone], same)
        this.more = more
        this.rows = rows
        this.failure = ''
        return
      }
      const rows = tray === 'conflicts' ? await bridge.call('conflicts') : (await this.listed('returned')).filter(({ stage }) => (stage === 'quarantined') === (tray === 'quarantined'))
      if (tray !== this.tray) return
      const gone = tray === 'conflicts' ? this.settled.filter((row) => !rows.some(({ id }) => id === row.id)) : []
      this.rows = inPlace(this.rows ?? [], [...rows, ...gone], (a, b) => a.id === b.id)
      this.failure = ''
      if (tray === 'conflicts') for (const row of [...rows.slice(0, 50), ...gone]) void this.fetch(row.id)
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  /** Of all registers; those that were returned with those that are held back. */
  private async listed(filter: 'unchecked' | 'returned'): Promise<Row[]> {
    const lists = await Promise.all(this.session.registers.map((register) => bridge.call('list', { register: register.id, filter, limit: 200 })))
    return lists.flatMap((list) => list.rows)
  }

  private said({ detail }: CustomEvent<Pair>): void {
    this.decided = [...this.decided.filter((one) => !same(one, detail)), detail]
    this.pairs = this.pairs.map((one) => (same(one, detail) ? detail : one))
  }

  private async checked(id: string): Promise<void> {
    try {
      await bridge.call('checked', { id })
      say(t('twin.checked.done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private definitionOf(register: string) {
    return this.session.registers.find(({ id }) => id === register)
  }

  /** Pairs, and records that were created when only a part of the register could be searched. */
  private couples(unchecked: Row[]) {
    if (!this.pairs.length && !unchecked.length) return html`<div class="empty"><p>${t('inbox.none.pairs')}</p></div>`
    return html`${this.more ? html`<p class="note note-amber">${icon('warning')}<span>${t('twin.more')}</span></p>` : nothing}
      <ul class="cards">
        ${repeat(this.pairs, (pair) => `${pair.a.id} ${pair.b.id}`, (pair) => {
          const definition = this.definitionOf(pair.a.register)
          return definition ? html`<li class="card"><p class="sub">${inLang(definition.label)}</p><wb-pair .definition=${definition} .pair=${pair} @decided=${this.said}></wb-pair></li>` : nothing
        })}
        ${unchecked.map((row) => {
          const definition = this.definitionOf(row.register)
          return html`<li class="card">
            <a class="card-head" href=${hrefOf('register', row.register, row.id)}><span><strong class="data">${row.title || t('record.untitled')}</strong> <span class="sub">${t('twin.unchecked')}</span></span><span class="card-state">${way(row.place, row.receivedAt)}</span></a>
            ${definition ? html`<wb-elsewhere .definition=${definition} .search=${row.title}></wb-elsewhere>` : nothing}
            <div class="actions"><button class="small" @click=${() => void this.checked(row.id)}>${icon('check')}${t('twin.checked')}<span class="away">: ${row.title}</span></button></div>
          </li>`
        })}
      </ul>`
  }

  private async fetch(id: string): Promise<void> {
    try {
      const record = await bridge.call('get', { id })
      this.open = { ...this.open, [id]: record }
    } catch {
      // The row still leads to the record, which says why it cannot be read.
    }
  }

  private async settle(row: Row, detail: { field: string; dot?: string; value?: string; seen?: string }): Promise<void> {
    try {
      const record = await bridge.call('settle', { id: row.id, ...detail })
      this.open = { ...this.open, [row.id]: record }
      if (!this.settled.some(({ id }) => id === row.id)) this.settled = [...this.settled, row]
      say(t('conflict.settled'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private async undo(row: Row, detail: { field: string; dot: string }): Promise<void> {
    try {
      const record = await bridge.call('undo', { id: row.id, ...detail })
      this.open = { ...this.open, [row.id]: record }
      say(t('conflict.undone'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private conflicts(row: Row) {
    const record = this.open[row.id]
    const definition = this.session.registers.find((register) => register.id === row.register)
    if (!record || !definition) return nothing
    const torn = record.fields.filter((field) => field.conflict.length > 1 || (field.settled && this.settled.some(({ id }) => id === row.id)))
    const values = Object.fromEntries(record.fields.map((field) => [field.name, field.value]))
    return html`${record.life === 'edited and deleted'
        ? html`<div class="conflict">
            <p class="conflict-head">${icon('warning')}${t('record.life.why')}</p>
            <div class="actions"><button class="small" @click=${() => this.settle(row, { field: 'life', value: 'alive' })}>${t('record.life.keep')}</button><button class="small danger" @click=${() => this.settle(row, { field: 'life', value: 'deleted' })}>${t('record.life.delete')}</button></div>
          </div>`
        : nothing}
      ${torn.map((view) => {
        const field = fieldsOf(definition).find((field) => field.name === view.name)
        return field
          ? html`<wb-field .definition=${definition} .field=${field} .values=${values} .view=${view} .recordId=${row.id} .settling=${true} @settle=${({ detail }: CustomEvent<{ field: string; dot?: string; value?: string; seen?: string }>) => this.settle(row, detail)}
              @undo=${({ detail }: CustomEvent<{ field: string; dot: string }>) => this.undo(row, detail)}
              @edit=${({ detail, target }: CustomEvent<{ name: string; value: string }>) => ((target as unknown as { values: object }).values = { ...values, [detail.name]: detail.value })}></wb-field>`
          : nothing
      })}`
  }

  override render() {
    const { rows } = this
    return html`<div class="page">
      <h1>${t('inbox.title')}</h1>
      <nav class="tabs" aria-label=${t('inbox.title')}>
        ${trays.map((tray) => html`<a href=${hrefOf('inbox', tray)} aria-current=${tray === this.tray ? 'page' : nothing}>${t(`inbox.${tray}`)}${['', '0'].includes(this.count(tray)) ? nothing : html` <span class="figures">${this.count(tray)}</span>`}</a>`)}
      </nav>
      ${this.failure ? html`<p class="note note-red" role="alert">${this.failure}</p>` : nothing}
      ${!rows
        ? html`<p class="sub">${t('loading')}</p>`
        : this.tray === 'pairs'
          ? this.couples(rows)
        : rows.length === 0
          ? html`<div class="empty"><p>${t(`inbox.none.${this.tray}`)}</p></div>`
          : html`${this.tray === 'conflicts' && this.session.account.role === 'supervisor' ? html`<wb-rules .session=${this.session} .rows=${rows} @settled=${() => void this.load()}></wb-rules>` : nothing}<ul class="cards">
              ${repeat(
                rows,
                (row) => row.id,
                (row) => html`<li class="card">
                  <a class="card-head" href=${hrefOf('register', row.register, row.id)}
                    ><span><strong class="data">${row.title || t('record.untitled')}</strong> <span class="sub">${inLang(this.session.registers.find((register) => register.id === row.register)?.label ?? { vi: '', en: '' })}</span></span
                    ><span class="card-state">${rowTags(row)}${way(row.place, row.receivedAt)}</span></a
                  >
                  ${this.tray === 'conflicts' ? this.conflicts(row) : nothing}
                </li>`,
              )}
            </ul>`}
    </div>`
  }
}
