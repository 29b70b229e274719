import { html } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Series } from '../chart/chart'
import { chartScript } from '../link'
import { OLD } from '../parts/care'
import { device as deviceLine } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { tag } from '../parts/state'
import { nameOf } from '../people'
import type { Day as Figures } from '../review'
import { hrefOf } from '../route'
import { t } from '../text'
import { ago, number } from '../text/format'

type Device = Figures['devices'][number]
const SILENT = 3 * OLD // ms without a word, after which nobody knows what a device holds

/** Whether a device has kept work to itself for too long. */
export const keptLong = (device: Device): boolean => device.unsent > 0 && device.oldest_unsent > 0 && Date.now() - device.oldest_unsent > OLD
export const silentLong = (device: Device): boolean => device.last_seen_at > 0 && Date.now() - device.last_seen_at > SILENT

/** The ward's day: a few numbers, two small charts with their figures beside them, and the work that is still on devices. */
@customElement('wb-day')
export class Day extends Part {
  @property({ attribute: false }) day: Figures | null = null

  private decisions(day: Figures) {
    const dayOf = (text: string) => text.split('-').slice(1).reverse().join('/')
    const sum = (name: 'approved' | 'returned' | 'refused') => day.days.reduce((sum, one) => sum + one[name], 0)
    const names = ['approved', 'returned', 'refused'] as const
    const colors = { approved: '--green', returned: '--amber', refused: '--red' }
    return html`<figure class="chart">
      <figcaption><h2>${t('day.decisions')}</h2><p class="sub">${t('day.decisions.says', { approved: number(sum('approved')), returned: number(sum('returned')), refused: number(sum('refused')) })}</p></figcaption>
      <wb-bars .labels=${day.days.map((one) => dayOf(one.day))} .series=${names.map((name) => ({ label: t(`day.${name}`), color: colors[name], values: day.days.map((one) => one[name]) }))}></wb-bars>
      <ul class="legend">${names.map((name) => html`<li class="legend-${name}">${t(`day.${name}`)}</li>`)}</ul>
      <details class="quiet"><summary>${t('day.figures')}</summary>
        <table><thead><tr><th scope="col">${t('day.date')}</th>${names.map((name) => html`<th scope="col" class="figures">${t(`day.${name}`)}</th>`)}</tr></thead>
          <tbody>${[...day.days].reverse().map((one) => html`<tr><th scope="row" class="figures">${dayOf(one.day)}</th>${names.map((name) => html`<td class="figures">${number(one[name])}</td>`)}</tr>`)}</tbody></table>
      </details>
    </figure>`
  }

  private ages(day: Figures) {
    const words = day.ages.map(({ days }) => (days === 0 ? t('day.age.more') : days === 1 ? t('day.age.first') : t('day.age', { days })))
    const long = day.ages.filter(({ days }) => days === 0 || days > 3).reduce((sum, age) => sum + age.records, 0)
    return html`<figure class="chart">
      <figcaption><h2>${t('day.ages')}</h2><p class="sub">${t('day.ages.says', { n: number(long) })}</p></figcaption>
      <wb-bars .labels=${words} .series=${[{ label: t('day.records'), color: '--blue', values: day.ages.map((age) => age.records) }]}></wb-bars>
      <details class="quiet"><summary>${t('day.figures')}</summary>
        <table><thead><tr><th scope="col">${t('day.ages')}</th><th scope="col" class="figures">${t('day.records')}</th></tr></thead>
          <tbody>${day.ages.map((age, i) => html`<tr><th scope="row">${words[i]}</th><td class="figures">${number(age.records)}</td></tr>`)}</tbody></table>
      </details>
    </figure>`
  }

  private devices(day: Figures) {
    const since = (device: Device) => (device.unsent > 0 && device.oldest_unsent) || Infinity
    const holding = day.devices.filter((device) => device.unsent > 0 || silentLong(device)).sort((a, b) => since(a) - since(b) || a.last_seen_at - b.last_seen_at)
    return html`<section aria-labelledby="day-devices">
      <h2 id="day-devices">${t('day.devices')}</h2>
      ${holding.length
        ? html`<div class="table-wrap" tabindex="0" role="region" aria-labelledby="day-devices"><table><thead><tr><th scope="col">${t('day.device')}</th><th scope="col" class="figures">${t('day.unsent')}</th><th scope="col">${t('day.oldest')}</th><th scope="col">${t('day.seen')}</th></tr></thead>
            <tbody>${holding.map((device) => {
              const oldest = device.unsent > 0 && device.oldest_unsent ? ago(device.oldest_unsent) : ''
              return html`<tr><th scope="row">${nameOf(device.account)} ${deviceLine(device.label)}</th><td class="figures">${number(device.unsent)}</td><td>${keptLong(device) ? tag('amber', oldest, 'warning') : oldest}</td><td>${silentLong(device) ? tag('amber', ago(device.last_seen_at), 'clock') : ago(device.last_seen_at)}</td></tr>`
            })}</tbody></table></div>`
        : html`<p class="sub">${t('day.all_sent')}</p>`}
      <p><a href=${hrefOf('devices')}>${t('devices.title')}</a> · <a href=${hrefOf('tally')}>${t('tally.unit')}</a></p>
    </section>`
  }

  override render() {
    const { day } = this
    if (!day) return html`<p class="empty sub">${t('loading')}</p>`
    const { waiting } = day
    const figure = (name: string, n: number, more: string) => html`<div><dt>${name}</dt><dd><strong class="figures">${number(n)}</strong><span class="sub">${more}</span></dd></div>`
    return html`<div class="page day">
      <header class="day-head"><a class="button plain back" href=${hrefOf('desk')}>${icon('back')}<span>${t('desk.title')}</span></a><h1>${t('day.title')}</h1></header>
      <dl class="figures-row">
        ${figure(t('day.waiting'), waiting.all, t('day.waiting.split', { conflict: number(waiting.conflict), eyes: number(waiting.eyes), clean: number(waiting.clean) }))}
        ${figure(t('day.approved'), day.approved_today, t('day.today'))}
        ${figure(t('day.returned'), day.returned_today, `${t('day.today')} · ${t('day.out', { n: number(waiting.returned) })}`)}
        ${figure(t('day.refused'), day.refused_today, t('day.today'))}
        ${figure(t('day.hub'), day.at_hub, t('day.hub.of', { n: number(day.published) }))}
      </dl>
      ${this.devices(day)}
      <div class="charts">${this.decisions(day)}${this.ages(day)}</div>
    </div>`
  }
}

/** Bars, drawn by a script that is loaded when the first of them is shown. Screen readers have the table beside it. */
@customElement('wb-bars')
export class Bars extends Part {
  @property({ attribute: false }) labels: string[] = []
  @property({ attribute: false }) series: Series[] = [] // colours are names of tokens
  @state() private failed = false
  private clear: (() => void) | null = null
  private drawn = ''

  protected override connected(): void {
    this.until(() => this.clear?.())
  }

  protected override updated(): void {
    const wanted = JSON.stringify([this.labels, this.series])
    if (wanted !== this.drawn && !this.failed) void this.draw(wanted)
  }

  private async draw(wanted: string): Promise<void> {
    this.drawn = wanted
    try {
      const { bars } = (await import(chartScript)) as typeof import('../chart/chart')
      if (this.drawn !== wanted || !this.isConnected) return
      const style = getComputedStyle(this)
      const token = (name: string) => style.getPropertyValue(name).trim()
      this.clear?.()
      this.clear = bars(this.querySelector<HTMLElement>('.bars')!, this.labels, this.series.map((one) => ({ ...one, color: token(one.color) })), { ink: token('--ink-2'), rule: token('--rule'), font: `12px ${style.fontFamily}`, height: 180, number })
    } catch {
      this.failed = true // a version of the app that is gone from the server, or no network
    }
  }

  override render() {
    return this.failed ? html`<p class="sub">${t('day.no_chart')}</p>` : html`<div class="bars" aria-hidden="true"></div>`
  }
}
