import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { RecordView, Row, Session } from '../bridge'
import { fieldsOf, inLang } from '../definition'
import { bridge, failureOf } from '../link'
import '../parts/field'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { rowTags, way } from '../parts/state'
import { hrefOf } from '../route'
import { lang, t } from '../text'

export type Tray = 'conflicts' | 'returned' | 'quarantined'
const trays: Tray[] = ['conflicts', 'returned', 'quarantined']

/** What an officer has to look at: conflicts, which can be settled right here, returned work and refused changes. */
@customElement('wb-inbox')
export class Inbox extends Part {
  @property({ attribute: false }) session!: Session
  @property() tray: Tray = 'conflicts'
  @state() private rows: Row[] | null = null
  @state() private open: Record<string, RecordView> = {}
  @state() private settled: Row[] = [] // on this visit: their choice can be undone right here
  @state() private failure = ''

  protected override connected(): void {
    this.hear('changed', () => void this.load())
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('tray')) {
      this.rows = null
      this.settled = []
      void this.load()
    }
  }

  private async load(): Promise<void> {
    const tray = this.tray
    try {
      const rows = tray === 'conflicts' ? await bridge.call('conflicts') : await this.listed(tray)
      if (tray !== this.tray) return
      const gone = tray === 'conflicts' ? this.settled.filter((row) => !rows.some(({ id }) => id === row.id)) : []
      this.rows = [...rows, ...gone]
      this.failure = ''
      if (tray === 'conflicts') for (const row of [...rows.slice(0, 50), ...gone]) void this.fetch(row.id)
    } catch (cause) {
      this.failure = failureOf(cause)[lang()]
    }
  }

  private async listed(tray: 'returned' | 'quarantined'): Promise<Row[]> {
    const lists = await Promise.all(
      this.session.registers.map((register) => bridge.call('list', { register: register.id, filter: tray === 'returned' ? 'returned' : 'mine', limit: 200 })),
    )
    const rows = lists.flatMap((list) => list.rows)
    return tray === 'returned' ? rows : rows.filter((row) => row.stage === 'quarantined')
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
        ${trays.map((tray) => html`<a href=${hrefOf('inbox', tray)} aria-current=${tray === this.tray ? 'page' : nothing}>${t(`inbox.${tray}`)}</a>`)}
      </nav>
      ${this.failure ? html`<p class="note note-red" role="alert">${this.failure}</p>` : nothing}
      ${!rows
        ? html`<p class="sub">${t('loading')}</p>`
        : rows.length === 0
          ? html`<div class="empty"><p>${t(`inbox.none.${this.tray}`)}</p></div>`
          : html`<ul class="cards">
              ${rows.map(
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
