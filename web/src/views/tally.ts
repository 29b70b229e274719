import { html, nothing, type TemplateResult } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Failure, Session, Status } from '../bridge'
import { csv } from '../csv'
import { failureOf } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { nameOf } from '../people'
import * as review from '../review'
import { hrefOf } from '../route'
import { save } from '../save'
import { t, tCode, tFailure } from '../text'
import { ago, number, when } from '../text/format'

const AGAIN = 400 // ms after the last news before the server is asked again
const OTHERS = 60_000 // ms after which a supervisor, whom no news of others' work reaches, asks again, and an officer if another day has begun

const ends = ['approved', 'waiting', 'drafts', 'refused', 'replaced', 'held'] as const

/** The first day of a period, as 28/11. */
const short = (day: string) => day.split('-').slice(1).reverse().join('/')
const inCity = (ms: number) => new Date(ms).toLocaleDateString('sv-SE', { timeZone: 'Asia/Ho_Chi_Minh' })

/**
 * What became of an officer's work, as the server counts it: an officer's own, a supervisor's unit's. Without a network
 * the officer sees what was told last, and since when nothing was; what is on this device alone is in no number.
 */
@customElement('wb-tally')
export class Tally extends Part {
  @property({ attribute: false }) session!: Session
  @property({ attribute: false }) status: Status | null = null
  @state() private told: { reply: review.Tallies; fresh: boolean } | null = null
  @state() private failure: Failure | null = null
  private timer = 0
  private turn = 0
  private heard = ''

  private get own(): boolean {
    return this.session.account.role === 'officer'
  }

  /** Whether the numbers are of the day that it is in the city. */
  private get today(): boolean {
    return this.told?.reply.tallies[0]?.periods[0]?.from === inCity(Date.now())
  }

  protected override connected(): void {
    void this.load()
    this.hear('changed', () => this.again())
    const timer = setInterval(() => void (this.own && this.today ? this.requestUpdate() : this.load()), OTHERS)
    this.until(() => {
      clearTimeout(this.timer)
      clearInterval(timer)
    })
  }

  protected override willUpdate(): void {
    const heard = `${this.status?.link} ${this.status?.lastReceipt}`
    if (this.heard && heard !== this.heard) this.again()
    this.heard = heard
  }

  private again(): void {
    clearTimeout(this.timer)
    this.timer = window.setTimeout(() => void this.load(), AGAIN)
  }

  private async load(): Promise<void> {
    const turn = ++this.turn
    try {
      const told = await review.tallies(this.own)
      if (turn !== this.turn) return // a later answer speaks
      this.told = told
      this.failure = null
    } catch (cause) {
      if (turn !== this.turn) return
      this.failure = failureOf(cause)
      if (this.told) this.told = { ...this.told, fresh: false }
    }
  }

  private heading(period: review.Period, today: boolean) {
    const from = period.name === 'month' ? period.from.split('-').slice(0, 2).reverse().join('/') : short(period.from)
    return html`<th scope="col" class="figures">${today ? t(`tally.${period.name}`) : t(`tally.${period.name}.then`)}<span class="sub">${period.name === 'week' ? t('tally.from', { day: from }) : from}</span></th>`
  }

  private table(name: string, periods: review.Period[], hours: number) {
    const row = (label: string, more: string, cell: (period: review.Period) => TemplateResult | string) =>
      html`<tr><th scope="row">${label}${more ? html`<span class="sub">${more}</span>` : nothing}</th>${periods.map((period) => html`<td class="figures">${cell(period)}</td>`)}</tr>`
    const of = (n: number, period: review.Period) => (period.received ? html`${number(n)}<span class="sub">/${number(period.received)}</span>` : number(n))
    return html`<div class="table-wrap tally" tabindex="0" role="region" aria-label=${name}>
      <table>
        <thead><tr><td></td>${periods.map((period) => this.heading(period, this.today))}</tr></thead>
        <tbody>
          ${row(t('tally.entered'), t('tally.entered.how'), (period) => number(period.entered))}
          ${row(t('tally.received'), t('tally.received.how'), (period) => number(period.received))}
        </tbody>
        <tbody>
          <tr class="tally-of"><th scope="rowgroup" colspan=${periods.length + 1}>${t('tally.of')}</th></tr>
          ${row(t('tally.on_time'), t('tally.on_time.how', { hours: number(hours) }), (period) => of(period.on_time, period))}
          ${row(t('tally.overdue'), t('tally.overdue.how'), (period) => of(period.overdue ?? period.received - period.on_time, period)) /* an answer that was kept before there was one */}
          ${row(t('tally.first'), '', (period) => of(period.approved_first, period))}
          ${row(t('tally.returned'), t('tally.returned.how'), (period) => of(period.returned, period))}
        </tbody>
        <tbody>
          <tr class="tally-of"><th scope="rowgroup" colspan=${periods.length + 1}>${t('tally.where')}</th></tr>
          ${ends.filter((end) => end === 'approved' || end === 'waiting' || periods.some((period) => period[end])).map((end) => row(tCode('tally.end', end), '', (period) => number(period[end])))}
        </tbody>
      </table>
    </div>`
  }

  /** A file of what is on the screen, a row for each officer and period. */
  private file({ at, tallies }: review.Tallies): void {
    const day = inCity(at)
    const counted = ['entered', 'received', 'on_time', 'overdue', 'approved_first', 'returned', ...ends] as const
    const labels = [t('tally.entered'), t('tally.received'), t('tally.on_time'), t('tally.overdue'), t('tally.first'), t('tally.returned'), ...ends.map((end) => tCode('tally.end', end))]
    const rows = tallies.flatMap(({ officer, periods }) =>
      periods.map((period) => [nameOf(officer), officer, t(`tally.${period.name}.then`), period.from, day, ...counted.map((name) => period[name] ?? 0)]))
    save(csv([[t('tally.officer'), t('accounts.title'), t('tally.period'), t('tally.first_day'), t('tally.last_day'), ...labels], ...rows]), `wardbook-${this.session.account.unit}-${day}.csv`)
  }

  /** When the numbers were counted, and what is not in them. */
  private notes(status: Status | null) {
    const { told, failure } = this
    const offline = failure?.code === 'offline' || (told && !told.fresh)
    const unsent = this.own && status?.unsent ? html`${t('tally.unsent', { n: number(status.unsent) })} ${status.oldest ? t('tally.unsent.oldest', { ago: ago(status.oldest) }) : ''} ${t('tally.unsent.apart')}` : nothing
    const then = told && offline ? t('tally.then', { at: when(told.reply.at) }) : ''
    return html`${failure && failure.code !== 'offline' ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${tFailure(failure)}</span></p>` : nothing}
      ${then || unsent !== nothing ? html`<p class="note note-amber" role="status">${icon(then ? 'clock' : 'device')}<span>${then} ${unsent}</span></p>` : nothing}
      ${told ? (then ? nothing : html`<p class="sub">${t('tally.at', { at: when(told.reply.at) })}</p>`) : html`<p class="empty sub">${offline ? t('tally.never') : failure ? '' : t('loading')}</p>`}`
  }

  override render() {
    const { told, own } = this
    return html`<div class="page">
      <header class="day-head"><a class="button plain back" href=${own ? '#/' : hrefOf('desk')}>${icon('back')}<span>${own ? t('nav.registers') : t('nav.desk')}</span></a><h1>${own ? t('tally.title') : t('tally.unit')}</h1></header>
      ${this.notes(this.status)}
      ${!own && told?.reply.tallies.length ? html`<p class="tally-file"><button type="button" @click=${() => this.file(told.reply)}>${t('tally.file')}</button></p>` : nothing}
      ${told?.reply.tallies.map(({ officer, periods }) => html`${own ? nothing : html`<h2>${nameOf(officer)}</h2>`}${this.table(own ? t('tally.title') : nameOf(officer), periods, told.reply.on_time_hours)}`)}
      ${told && !told.reply.tallies.length ? html`<p class="empty sub">${t('tally.nobody')}</p>` : nothing}
      <p><a href=${hrefOf('help', 'tally')}>${t('tally.how')}</a></p>
    </div>`
  }
}
