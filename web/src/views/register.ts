import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Definition, Hit, ListReply, ListRequest, Row } from '../bridge'
import { fieldOf, inLang, labelOf } from '../definition'
import { bridge, failureOf } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import '../parts/elsewhere'
import '../parts/rows'
import type { RowList, Rows } from '../parts/rows'
import { sayFailure } from '../parts/say'
import { foundIn, rowRest, rowTags, way } from '../parts/state'
import { hrefOf } from '../route'
import { t, tCode } from '../text'
import { number } from '../text/format'
import { takesCards } from './card'
import './record'

type Filter = NonNullable<ListRequest['filter']>
const filters: Filter[] = ['all', 'mine', 'drafts', 'returned', 'conflicts', 'deleted']
/** How much room a column has by the type of what it holds; see screens.css. */
const roomOf = (type = ''): string => (/^date|month|integer/.test(type) ? 'date' : /_id|cmnd|tax|phone|money/.test(type) ? 'number' : /address|long|group/.test(type) ? 'place' : 'some')
const CALM = 500 // ms between two looks at a list that others keep changing
const turn = crypto.randomUUID() // of this tab: what is typed next ends the search before

/** A register's records: search, filters and the list, with the open record beside it where there is room. */
@customElement('wb-register')
export class Register extends Part {
  @property({ attribute: false }) definition!: Definition
  @property() recordId = '' // the open record, or empty
  @property({ type: Boolean }) isNew = false
  @property() draftKey = ''

  @state() private search = ''
  @state() private filter: Filter = 'all'
  @state() private reply: ListReply | null = null
  @state() private wide = false // room for columns, or for a record beside the list
  @state() private tall = false // a row says why it was found
  private looking = false
  private moved = false // something changed since the list was looked at
  private about = '' // the key that this.reply answers
  private counted = '' // the key whose total is known, as of the last change
  private counting = ''

  protected override connected(): void {
    const room = matchMedia('(min-width: 75rem)')
    this.wide = room.matches
    this.listen(room, 'change', () => (this.wide = room.matches))
    this.hear('changed', ({ registers }) => {
      if (registers.includes(this.definition.id)) void this.lookAgain()
    })
  }

  /** The register in hand is received before the others, as long as several are on their way. */
  private async comeFirst(): Promise<void> {
    try {
      const { scopes } = await bridge.call('device')
      const coming = scopes.filter((scope) => !scope.off && !scope.complete).map((scope) => scope.register)
      if (coming.length > 1 && coming.includes(this.definition.id)) await bridge.call('choose', { first: this.definition.id })
    } catch {
      // It comes in its turn.
    }
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('definition')) void this.comeFirst()
    if (changed.has('definition') && changed.get('definition')?.id !== this.definition.id) {
      this.search = ''
      this.filter = 'all'
      this.reply = null
    }
  }

  /** What the list shows; pages of anything else are of no use. */
  private get key(): string {
    return `${this.definition.id} ${this.filter} ${this.search}`
  }

  private get list(): RowList<Row> | null {
    return this.querySelector('wb-rows')
  }

  /** While records stream in, every page of them would redraw the list: one look at a time, and a pause behind it. */
  private async lookAgain(): Promise<void> {
    this.moved = true
    if (this.looking) return
    this.looking = true
    while (this.moved && this.isConnected) {
      this.moved = false
      this.counted = ''
      await this.list?.refresh()
      await new Promise((resolve) => setTimeout(resolve, CALM))
    }
    this.looking = false
  }

  /** The rows first; how many there are in all comes after them. */
  private load = async (offset: number, limit: number): Promise<Rows<Row>> => {
    const wanted = this.key
    const ask: ListRequest = { register: this.definition.id, search: this.search, filter: this.filter, turn }
    try {
      const reply = await bridge.call('list', { ...ask, offset, limit, first: true })
      if (wanted !== this.key) return { rows: [], total: 0 } // nobody waits for it any more
      if (offset === 0) this.tall = reply.rows.some((row) => this.why(row).length > 0)
      if (reply.counted) {
        this.reply = reply
        this.counted = this.about = wanted
        return reply
      }
      const known = this.about === wanted && this.reply?.counted ? this.reply.total : 0
      if (!known) this.reply = reply
      this.about = wanted
      if (!known || this.counted !== wanted) void this.count(wanted, ask)
      return { rows: reply.rows, total: Math.max(reply.total, known) }
    } catch (cause) {
      if (failureOf(cause).code === 'superseded') return { rows: [], total: 0 }
      throw cause
    }
  }

  private async count(wanted: string, ask: ListRequest): Promise<void> {
    if (this.counting === wanted) return
    this.counting = wanted
    try {
      const reply = await bridge.call('list', { ...ask, limit: 1 })
      if (wanted !== this.key) return
      this.reply = reply
      this.counted = this.about = wanted
      this.list?.counted(reply.total)
    } catch (cause) {
      if (failureOf(cause).code !== 'superseded') return sayFailure(cause)
      this.counting = ''
      if (wanted === this.key) await this.count(wanted, ask) // somebody came back to it meanwhile
    } finally {
      if (this.counting === wanted) this.counting = ''
    }
  }

  private typed(event: Event): void {
    this.search = (event.target as HTMLInputElement).value.normalize('NFC').trim()
  }

  /** From what is searched for down to what was found. */
  private toRows(event: KeyboardEvent): void {
    if (event.key !== 'ArrowDown' || event.isComposing) return
    event.preventDefault()
    this.list?.enter()
  }

  /** Names of the columns beside the title, with their places in a row's cells. */
  private get columns(): { name: string; at: number }[] {
    return (this.definition.list_columns ?? []).map((name, at) => ({ name, at })).filter(({ name }) => name !== this.definition.title_field)
  }

  /** The columns have room by what they hold. */
  protected override updated(): void {
    const widths = this.columns.map(({ name }) => `var(--${roomOf(fieldOf(this.definition, name)?.type)})`)
    this.querySelector<HTMLElement>('.split-list')!.style.setProperty('--columns', widths.join(' '))
  }

  private get open(): boolean {
    return this.recordId !== '' || this.isNew
  }

  /** Why a row was found, as far as no column says it. */
  private why({ why = [] }: Row): Hit[] {
    return this.wide && !this.open ? why.filter(({ field }) => !this.definition.list_columns?.includes(field)) : why
  }

  private draw = (row: Row) => {
    const why = this.why(row)
    const found = why.length ? html`<span class="row-cells row-why">${foundIn(this.definition, why)}</span>` : nothing
    if (this.wide && !this.open) {
      return html`<a class="row row-wide ${row.deleted ? 'row-deleted' : ''}" href=${hrefOf('register', this.definition.id, row.id)}>
        <span class="row-title data" title=${row.title}>${row.title || t('record.untitled')}</span>
        ${this.columns.map(({ at }) => html`<span class="row-cell" title=${row.cells[at] ?? ''}>${row.cells[at]}</span>`)}
        <span class="row-tags">${rowTags(row)}</span>${way(row.place, row.receivedAt)}${found}
      </a>`
    }
    return html`<a class="row ${row.id === this.recordId ? 'row-open' : ''} ${row.deleted ? 'row-deleted' : ''}" href=${hrefOf('register', this.definition.id, row.id)} aria-current=${row.id === this.recordId ? 'true' : nothing}>
      <span class="row-line"><span class="row-title data">${row.title || t('record.untitled')}</span><span class="row-tags">${rowTags(row)}</span></span>
      <span class="row-line"><span class="row-cells" title=${rowRest(this.definition, row)}>${rowRest(this.definition, row)}</span>${way(row.place, row.receivedAt)}</span>${found}
    </a>`
  }

  private countLine() {
    const { reply } = this
    if (!reply) return nothing
    const total = { n: number(reply.total) }
    if (!reply.complete && reply.of && !this.search && this.filter === 'all') return html`<strong>${t('home.part', { have: number(reply.have), of: number(reply.of) })}</strong>`
    const found = !reply.counted ? t('register.counting', total) : this.search || this.filter !== 'all' ? t('register.found', total) : t('register.total', total)
    return html`${found}${reply.complete ? nothing : html` · <strong>${reply.of ? t('register.partial', { have: number(reply.have), of: number(reply.of) }) : t('here.off')}</strong>`}`
  }

  private get emptyText() {
    const nothingYet = this.reply && !this.reply.complete && !this.reply.have
    return html`<div class="empty">
      <p>${nothingYet ? t(this.reply!.of ? 'register.coming' : 'here.off') : this.search ? t('register.none_found', { search: this.search }) : this.filter === 'all' ? t('register.none') : tCode('register.none', this.filter)}</p>
      <a class="button" href=${this.addHref}>${icon('add')}${t('register.add')}</a>
    </div>`
  }

  /** A new record that is begun because nobody was found, in a part of the register, is to be looked at for duplicates. */
  private get addHref(): string {
    const { reply } = this
    const unsure = this.search && reply && !reply.complete && reply.total === 0
    return `${hrefOf('new', this.definition.id)}${unsure ? `?unsure=${reply.have}-${reply.of}` : ''}`
  }

  override render() {
    const { definition } = this
    const { open } = this
    const wide = this.wide && !open
    return html`<div class="split ${open ? 'split-open' : ''}">
      <section class="split-list" aria-label=${inLang(definition.label)}>
        <header class="list-head">
          <div class="list-title">
            <h1>${inLang(definition.label)}</h1>
            <span class="list-acts">
              ${takesCards(definition) ? html`<a class="button" href=${hrefOf('card', definition.id)}>${icon('card')}<span>${t('card.scan')}</span></a>` : nothing}
              <a class="button main" href=${this.addHref}>${icon('add')}<span>${t('register.add')}</span></a>
            </span>
          </div>
          <div class="search" role="search">
            ${icon('search')}
            <input type="search" aria-label=${t('register.search')} placeholder=${t('register.search.hint')} autocomplete="off" spellcheck="false" .value=${this.search} @input=${this.typed} @keydown=${this.toRows} />
          </div>
          <div class="filters" role="group" aria-label=${t('register.filters')}>
            ${filters.map((filter) => html`<button class="filter" aria-pressed=${this.filter === filter} @click=${() => (this.filter = filter)}>${tCode('filter', filter)}</button>`)}
          </div>
          <p class="sub count" role="status">${this.countLine()}</p>
          ${this.search && this.reply && !this.reply.complete ? html`<wb-elsewhere .definition=${definition} .search=${this.search}></wb-elsewhere>` : nothing}
        </header>
        ${wide
          ? html`<div class="row row-wide row-names" aria-hidden="true">
              <span>${labelOf(definition, definition.title_field ?? '')}</span>${this.columns.map(({ name }) => html`<span>${labelOf(definition, name)}</span>`)}<span></span><span>${t('register.where')}</span>
            </div>`
          : nothing}
        <wb-rows
          .rem=${(wide ? 2.75 : 4) + (this.tall ? 1.25 : 0)}
          .load=${this.load}
          .draw=${this.draw}
          .key=${`${this.key} ${wide}`}
          .label=${inLang(definition.label)}
          .empty=${this.emptyText}
          @failed=${({ detail }: CustomEvent) => sayFailure(detail)}
        ></wb-rows>
      </section>
      ${open
        ? html`<wb-record class="split-record" .definition=${definition} .recordId=${this.recordId} .draftKey=${this.draftKey}></wb-record>`
        : nothing}
    </div>`
  }
}
