import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import * as admin from '../admin'
import type { Session } from '../bridge'
import { inLang } from '../definition'
import * as erasure from '../erasure'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { deviceName } from '../parts/device'
import '../parts/erase'
import type { Erase } from '../parts/erase'
import { unitName } from '../parts/field'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { nameOf } from '../people'
import * as review from '../review'
import { hrefOf } from '../route'
import { t, tCode, tFailure } from '../text'
import { ago, number, when } from '../text/format'

const AGAIN = 10_000 // ms after which it is asked whether more devices have let go

const tones = { open: 'amber', done: 'green', declined: 'grey', withdrawn: 'grey', lapsed: 'grey' } as const

/** Requests to erase records by law: those that wait for a second person, and what became of the others. */
@customElement('wb-erasures')
export class Erasures extends Part {
  @property({ attribute: false }) session!: Session
  @state() private open: erasure.Erasure[] | null = null
  @state() private closed: erasure.Erasure[] = []
  @state() private more = false
  @state() private busy = false
  @state() private failure = ''
  private titles = new Map<string, string>() // of records that wait; an administrator is told none
  private units = new Map<string, string>()
  private names = new Map<string, string>() // of accounts, for an administrator, whose device keeps no directory

  protected override connected(): void {
    void this.load()
    this.hear('changed', () => void this.load())
    const timer = setInterval(() => void this.load(), AGAIN)
    this.until(() => clearInterval(timer))
  }

  private async load(): Promise<void> {
    try {
      const { open, closed, more } = await erasure.list()
      const titles = new Map<string, string>()
      for (const { record } of this.session.account.role === 'supervisor' ? open : []) {
        const title = this.titles.get(record) ?? (await review.record(record).then(({ title }) => title, () => ''))
        if (title) titles.set(record, title)
      }
      for (const { unit } of [...open, ...closed]) if (!this.units.has(unit)) this.units.set(unit, await unitName(unit))
      if (this.session.account.role === 'admin' && !this.names.size) this.names = new Map((await admin.accounts()).map(({ name, display_name }) => [name, display_name]))
      this.titles = titles
      this.open = open
      this.closed = closed
      this.more = more
      this.failure = ''
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private async confirm(request: erasure.Erasure): Promise<void> {
    const done = await this.querySelector<Erase>('wb-erase')!.put({ record: request.record, title: this.titleOf(request), request })
    if (done) {
      say(t('erase.done'))
      dispatchEvent(new Event('erasures'))
    }
    await this.load()
  }

  private async close(request: erasure.Erasure, how: 'decline' | 'withdraw'): Promise<void> {
    const reply = await ask({
      title: t(`erase.${how}.title`, { what: this.titleOf(request) }),
      body: t(how === 'decline' ? 'erase.decline.body' : 'erase.close.body', { who: this.name(request.by) }),
      ...(how === 'decline' && { reason: { label: t('erase.why.choose'), required: true, options: [{ value: '', label: t('erase.why.none') }, ...erasure.whys.map((value) => ({ value, label: t(`erase.why.${value}`) }))] } }),
      choices: [{ value: 'yes', label: t(`erase.${how}`), tone: 'main' }],
    })
    if (!reply) return
    this.busy = true
    try {
      await (how === 'decline' ? erasure.decline(request.id, reply.reason) : erasure.withdraw(request.id))
      say(t('done'))
      dispatchEvent(new Event('erasures'))
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
    await this.load()
  }

  private name(account: string): string {
    return this.names.get(account) ?? nameOf(account)
  }

  private titleOf({ record }: erasure.Erasure): string {
    return this.titles.get(record) ?? t('erase.record', { id: record })
  }

  private head(request: erasure.Erasure) {
    const register = this.session.registers.find(({ id }) => id === request.register)
    const title = this.titles.get(request.record)
    return html`<div class="card-head"><span>
        ${title ? html`<a class="data" href=${hrefOf('register', request.register, request.record)}>${title}</a>` : html`<strong class="data">${this.titleOf(request)}</strong>`}
        <span class="sub">${[register ? inLang(register.label) : request.register, this.units.get(request.unit) ?? request.unit].filter(Boolean).join(' · ')}</span>
      </span><span>${tag(tones[request.state], tCode('erase.state', request.state))}</span></div>
      <p>${t('erase.ground')}: ${tCode('erase.ground', request.ground)}</p>
      ${request.reason ? html`<blockquote class="data">${request.reason}</blockquote>` : nothing}
      <p class="sub">${t('erase.asked.by', { who: this.name(request.by), at: when(request.at) })}</p>`
  }

  private waiting(request: erasure.Erasure) {
    return html`<li class="card" data-request=${request.id}>
      ${this.head(request)}
      <p class="sub">${t('erase.lapses', { at: when(request.lapses) })}</p>
      ${request.own
        ? html`<p class="note note-blue">${icon('people')}<span>${t('erase.own')}</span></p>
            <div class="actions"><button ?disabled=${this.busy} @click=${() => void this.close(request, 'withdraw')}>${icon('undo')}${t('erase.withdraw')}</button></div>`
        : html`<div class="actions">
            <button class="danger" ?disabled=${this.busy} @click=${() => void this.confirm(request)}>${t('erase.confirm')}…</button>
            <button ?disabled=${this.busy} @click=${() => void this.close(request, 'decline')}>${t('erase.decline')}</button>
          </div>`}
    </li>`
  }

  /** The devices that still hold it, or may, and when they were heard last: who should connect. */
  private waits({ waits, devices, told }: erasure.Erasure) {
    const others = waits.reduce((left, { stores }) => left - stores, devices - told)
    return html`<details class="erase-waits"><summary>${t('erase.waits', { n: number(devices - told) })}</summary>
      <ul>${waits.map(({ account, name, label, seen }) => html`<li><strong>${name || account}</strong> · ${deviceName(label) || t('erase.waits.device')}<span class="sub">${seen > 0 ? t('erase.waits.seen', { ago: ago(seen), at: when(seen) }) : t('devices.never')}</span></li>`)}
        ${others > 0 ? html`<li class="sub">${t('erase.waits.others', { n: number(others) })}</li>` : nothing}</ul>
    </details>`
  }

  private decided(request: erasure.Erasure) {
    const done = request.state === 'done'
    return html`<li class="card" data-request=${request.id}>
      ${this.head(request)}
      <p class="sub">${request.closed_by ? t(done ? 'erase.erased.by' : 'erase.closed.by', { who: this.name(request.closed_by), at: when(request.closed_at) }) : when(request.closed_at)}</p>
      ${request.why ? html`<p>${t('erase.why.said')}: <strong>${t(`erase.why.${request.why}`)}</strong></p>` : nothing}
      ${done
        ? html`<ul class="reasons">
            <li>${t('erase.told', { n: number(request.told), of: number(request.devices) })}${request.waits.length ? this.waits(request) : nothing}</li>
            <li>${t(`erase.hub.${request.hub}`)}</li>
            <li>${t(`erase.file.${request.file}`)}</li>
          </ul>`
        : nothing}
    </li>`
  }

  override render() {
    const { open, closed } = this
    return html`<div class="page">
        <h1>${t('erase.screen')}</h1>
        <p class="sub">${t('erase.why')}</p>
        ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
        ${open
          ? html`<h2>${t('erase.open')}</h2>
              ${open.length ? html`<ul class="cards">${open.map((request) => this.waiting(request))}</ul>` : html`<p class="sub">${t('erase.none')}</p>`}
              ${closed.length ? html`<h2>${t('erase.closed')}</h2><ul class="cards" tabindex="0" aria-label=${t('erase.closed')}>${closed.map((request) => this.decided(request))}</ul>` : nothing}
              ${this.more ? html`<p class="sub">${t('erase.more')}</p>` : nothing}`
          : this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
      </div>
      <wb-erase></wb-erase>`
  }
}
