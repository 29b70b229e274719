import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { repeat } from 'lit/directives/repeat.js'
import { Part } from './part'

const PAGE = 60 // rows asked for at a time
const KEPT = 12 // pages remembered
const BEYOND = 6 // rows drawn above and below what is seen

export interface Rows<T> { rows: T[]; total: number }

/**
 * A list of any length of which only what is seen is drawn. Rows have one
 * height, in rem, so that they grow with the text. Pages come from `load` and
 * far ones are forgotten.
 */
@customElement('wb-rows')
export class RowList<T extends { id: string }> extends Part {
  @property({ attribute: false }) load!: (offset: number, limit: number) => Promise<Rows<T>>
  @property({ attribute: false }) draw!: (row: T, index: number) => TemplateResult
  @property({ attribute: false }) key: unknown // a change begins again from the top
  @property({ type: Number }) rem = 4
  @property() label = ''
  @property({ attribute: false }) empty: TemplateResult | typeof nothing = nothing

  @state() private total = -1
  @state() private waits = false // for the first page of what the key asks for; until then the former rows stay
  @state() private first = 0
  @state() private seen = 20
  private pages = new Map<number, T[] | 'coming'>()
  private generation = 0
  private focused = -1
  private coming = false // the focus waits for a row that is not drawn yet

  protected override connected(): void {
    const watch = new ResizeObserver(() => this.measure())
    watch.observe(this)
    this.until(() => watch.disconnect())
    this.listen(this, 'scroll', () => this.measure(), { passive: true })
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has('key')) {
      this.generation++
      this.focused = -1
      if (this.scrollTop) this.scrollTop = 0
      this.first = 0
      this.waits = true
      void this.fetch(0)
    }
  }

  /** How many there are in all, once that is known. */
  counted(total: number): void {
    if (this.waits) return // it was of what was there before
    this.total = total
    this.need()
  }

  /** Asks again for what is seen, without moving. */
  async refresh(): Promise<void> {
    this.generation++
    if (this.waits) return this.fetch(0)
    const kept = this.pages
    const seen = Math.floor(this.first / PAGE)
    this.pages = new Map()
    const fresh = Promise.all([this.fetch(seen), this.fetch(seen + 1)])
    for (const [page, rows] of kept) if (Math.abs(page - seen) <= 1 && rows !== 'coming') this.pages.set(page, rows)
    await fresh
    this.need()
  }

  private get height(): number {
    return this.rem * parseFloat(getComputedStyle(document.documentElement).fontSize)
  }

  private measure(): void {
    this.first = Math.max(0, Math.floor(this.scrollTop / this.height))
    this.seen = Math.ceil(this.clientHeight / this.height) || 20
    this.need()
  }

  private need(): void {
    if (this.waits) return
    const from = Math.max(0, this.first - BEYOND)
    const to = this.first + this.seen + BEYOND
    for (let page = Math.floor(from / PAGE); page <= Math.floor(to / PAGE); page++) {
      if (page * PAGE < this.total || this.total < 0 && page === 0) if (!this.pages.has(page)) void this.fetch(page)
    }
  }

  private async fetch(page: number): Promise<void> {
    const generation = this.generation
    if (!this.waits && !this.pages.has(page)) this.pages.set(page, 'coming')
    try {
      const { rows, total } = await this.load(page * PAGE, PAGE)
      if (generation !== this.generation) return
      if (this.waits) this.pages.clear()
      const began = this.waits
      this.waits = false
      this.pages.delete(page)
      this.pages.set(page, rows)
      this.total = total
      if (began) this.dispatchEvent(new Event('begun'))
      this.forget()
      this.requestUpdate()
    } catch (cause) {
      if (generation !== this.generation) return
      if (!this.waits) this.pages.delete(page)
      this.dispatchEvent(new CustomEvent('failed', { detail: cause }))
    }
  }

  /** Keeps the pages nearest to what is seen; the oldest may be on the screen again. */
  private forget(): void {
    const seen = (this.first + this.seen / 2) / PAGE - 0.5
    const far = [...this.pages.keys()].sort((a, b) => Math.abs(b - seen) - Math.abs(a - seen))
    for (const page of far.slice(0, Math.max(0, far.length - KEPT))) this.pages.delete(page)
  }

  private rowAt(index: number): T | null {
    const page = this.pages.get(Math.floor(index / PAGE))
    return page && page !== 'coming' ? (page[index % PAGE] ?? null) : null
  }

  private move(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: this.seen, PageUp: -this.seen }[event.key]
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? this.total - 1 : step ? this.focused + step : -1
    if (!step && event.key !== 'Home' && event.key !== 'End') return
    event.preventDefault()
    this.focused = Math.min(Math.max(to, 0), this.total - 1)
    const top = this.focused * this.height
    if (top < this.scrollTop) this.scrollTop = top
    else if (top + this.height > this.scrollTop + this.clientHeight) this.scrollTop = top + this.height - this.clientHeight
    this.measure()
    this.requestUpdate()
    this.coming = true
    this.querySelector<HTMLElement>('ul')?.focus({ preventScroll: true }) // keeps the keys until the row has come
  }

  /** Puts the focus on the row that the Tab key would come to. */
  enter(): void {
    this.querySelector<HTMLElement>('[data-row] a[tabindex="0"]')?.focus()
  }

  private entered(event: FocusEvent): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>('[data-row]')
    if (row) this.focused = Number(row.dataset['row'])
  }

  /** Exactly one row is in the order of the Tab key. */
  protected override updated(): void {
    const rows = this.querySelectorAll<HTMLElement>('[data-row]')
    const wanted = [...rows].find((row) => Number(row.dataset['row']) === this.focused) ?? rows[0]
    if (this.coming && wanted && Number(wanted.dataset['row']) === this.focused) {
      const link = wanted.querySelector<HTMLElement>('a')
      link?.focus({ preventScroll: true })
      this.coming = !link
    }
    for (const row of rows) for (const link of row.querySelectorAll<HTMLElement>('a')) link.tabIndex = row === wanted ? 0 : -1
  }

  override render() {
    this.setAttribute('aria-busy', String(this.waits))
    if (this.total === 0) return this.empty
    const from = Math.max(0, this.first - BEYOND)
    const to = Math.min(this.total < 0 ? this.seen : this.total, this.first + this.seen + BEYOND)
    const indexes = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
    return html`<ul class="rows" tabindex="-1" aria-label=${this.label} .style=${`block-size:${Math.max(this.total, 0) * this.rem}rem`} @keydown=${this.move} @focusin=${this.entered}>
      ${repeat(
        indexes,
        (index) => this.rowAt(index)?.id ?? index,
        (index) => {
          const row = this.rowAt(index)
          return html`<li data-row=${index} aria-setsize=${this.total} aria-posinset=${index + 1} .style=${`inset-block-start:${index * this.rem}rem;block-size:${this.rem}rem`}>
            ${row ? this.draw(row, index) : html`<span class="row-coming"></span>`}
          </li>`
        },
      )}
    </ul>`
  }
}
