import { html, nothing, type TemplateResult } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Session, Status } from '../bridge'
import { inLang } from '../definition'
import { isDirty, typing } from '../dirty'
import { bridge } from '../link'
import { hrefOf } from '../route'
import { t, tFailure } from '../text'
import { ago, clock, number, when } from '../text/format'
import { ask } from './ask'
import { icon } from './icon'
import { Part } from './part'
import { saveRescue } from './rescue'
import { sayFailure } from './say'

const SKEW = 2 * 60_000 // ms by which a device's clock may be wrong without a word

/** One line that is always true about this device's work; nothing but Status.synced makes it say so. */
export function statusLine(status: Status, holds = true): { tone: 'green' | 'blue' | 'amber' | 'red'; words: string } {
  const { unsent, sending, link, lastReceipt } = status
  if (status.failure) return { tone: 'red', words: tFailure(status.failure) }
  if (!holds) return { tone: link === 'offline' ? 'amber' : 'blue', words: t(`link.${link}`) }
  if (link === 'online' && sending > 0) return { tone: 'blue', words: t('status.sending', { n: number(sending), of: number(unsent) }) }
  if (unsent > 0) return { tone: 'amber', words: t('status.unsent', { n: number(unsent) }) }
  if (status.paused) return { tone: 'blue', words: t('status.paused') }
  if (status.synced) return { tone: 'green', words: lastReceipt ? t('status.synced.at', { at: when(lastReceipt) }) : t('status.synced') }
  if (status.streams.some((stream) => !stream.complete) && link === 'online') return { tone: 'blue', words: t('status.receiving') }
  return { tone: 'blue', words: lastReceipt ? t('status.received', { at: when(lastReceipt) }) : t('status.nothing') }
}

/** The line at the foot of every screen, and the sheet behind it. */
@customElement('wb-status')
export class StatusBar extends Part {
  @property({ attribute: false }) status: Status | null = null
  @property({ attribute: false }) session!: Session
  @state() private persisted: boolean | null = null
  @state() private room: StorageEstimate | null = null
  @state() private most = 0 // unsent when this sending began, for its progress

  /** Administrators and the hub keep no records on the device, so nothing of theirs can be unsent. */
  private get holds(): boolean {
    return ['officer', 'supervisor'].includes(this.session.account.role)
  }

  protected override willUpdate(): void {
    const unsent = this.status?.unsent ?? 0
    this.most = unsent === 0 || !this.status?.sending ? unsent : Math.max(this.most, unsent)
  }

  protected override connected(): void {
    this.listen(typing, 'change', () => this.requestUpdate())
  }

  /** What the words leave out: no link, when the last receipt came, or that what is typed into the open form is no part of them. */
  private aside(status: Status): string {
    if (!this.holds) return ''
    if (status.link !== 'online') return t(`link.${status.link}`)
    if (status.unsent) return status.lastReceipt ? t('status.received', { at: clock(status.lastReceipt) }) : ''
    return status.synced && isDirty() ? t('status.typing') : ''
  }

  private async show(): Promise<void> {
    this.querySelector('dialog')!.showModal()
    this.persisted = (await navigator.storage?.persisted?.()) ?? null
    this.room = (await navigator.storage?.estimate?.()) ?? null
  }

  private async persist(): Promise<void> {
    this.persisted = await navigator.storage.persist()
  }

  private async send(): Promise<void> {
    try {
      await bridge.call('syncNow')
    } catch (cause) {
      sayFailure(cause)
    }
  }

  /** Says which changes are damaged, and lets go of them when somebody has entered them again. */
  private async repair(): Promise<void> {
    try {
      const damaged = await bridge.call('damaged')
      const reply = await ask({
        title: t('damaged.title'),
        body: html`<p>${t('damaged.why')}</p>
          <ul>${damaged.map(({ at, titles }) => html`<li>${when(at)}${titles.length ? `: ${titles.join(', ')}` : ''}</li>`)}</ul>`,
        choices: [{ value: 'drop', label: t('damaged.drop'), tone: 'danger' }],
      })
      if (reply?.value === 'drop') await bridge.call('dropDamaged')
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private pair(term: string, value: TemplateResult | string): TemplateResult {
    return html`<dt>${term}</dt><dd>${value}</dd>`
  }

  /** How much of each register is here. */
  private held(status: Status) {
    return html`<h3>${t('status.streams')}</h3>
      <table class="streams">
        <thead><tr><th scope="col">${t('status.stream')}</th><th scope="col" class="figures">${t('status.stream.have')}</th><th scope="col" class="figures">${t('status.stream.of')}</th><td></td></tr></thead>
        <tbody>
          ${status.streams.map((stream) => {
            const definition = this.session.registers.find((register) => register.id === stream.register)
            return html`<tr><th scope="row">${definition ? inLang(definition.label) : stream.register}</th><td class="figures">${number(stream.have)}</td><td class="figures">${number(stream.of)}</td><td>${stream.complete ? t('status.stream.complete') : t('status.stream.coming')}</td></tr>`
          })}
        </tbody>
      </table>
      <p><a href=${hrefOf('here')} @click=${() => this.querySelector('dialog')!.close()}>${t('here.scopes')}</a></p>`
  }

  private sheet(status: Status) {
    const free = this.room?.quota && this.room.usage !== undefined ? this.room.quota - this.room.usage : null
    return html`<div class="sheet-head"><h2 id="status-title">${t('status.title')}</h2><form method="dialog"><button class="plain" aria-label=${t('close')}>${icon('close')}</button></form></div>
      <dl class="pairs">
        ${this.pair(t('status.link'), t(`link.${status.link}`))} ${this.pair(t('status.unsent.term'), number(status.unsent))}
        ${status.oldest ? this.pair(t('status.oldest'), html`${ago(status.oldest)} <span class="sub">${when(status.oldest)}</span>`) : nothing}
        ${this.pair(t('status.receipt'), status.lastReceipt ? when(status.lastReceipt) : t('status.receipt.none'))}
        ${status.quarantined ? this.pair(t('status.quarantined'), number(status.quarantined)) : nothing}
        ${status.clockOffset !== undefined && Math.abs(status.clockOffset) > SKEW
          ? this.pair(t('status.clock'), t(status.clockOffset > 0 ? 'status.clock.ahead' : 'status.clock.behind', { minutes: Math.round(Math.abs(status.clockOffset) / 60_000) }))
          : nothing}
        ${this.pair(
          t('status.persisted'),
          this.persisted ? t('status.persisted.yes') : html`${t('status.persisted.no')} <button class="small" @click=${this.persist}>${t('status.persist')}</button>`,
        )}
        ${free !== null ? this.pair(t('status.room'), t('status.room.free', { gb: number(Math.round((free / 1e9) * 10) / 10) })) : nothing}
      </dl>
      ${this.holds ? this.held(status) : nothing}
      ${status.unsent && this.holds ? html`<p class="sub">${t('rescue.why')}</p>` : nothing}
      <div class="actions">${status.failure?.code === 'damaged' ? html`<button class="main" @click=${() => void this.repair()}>${t('damaged.look')}</button>` : nothing}<button class="main" @click=${this.send} ?disabled=${status.link === 'connecting'}>${icon('sync')}${t('status.now')}</button>${status.unsent && this.holds ? html`<button @click=${() => void saveRescue()}>${t('rescue.save')}</button>` : nothing}</div>`
  }

  override render() {
    const { status } = this
    const line = status ? statusLine(status, this.holds) : { tone: 'blue' as const, words: t('loading') }
    const progress = status && status.sending > 0 && status.link === 'online' && this.most > 0
    return html`<button class="status status-${line.tone}" @click=${this.show} aria-haspopup="dialog">
        <span class="status-dot" aria-hidden="true"></span><span class="status-words" title=${line.words}>${line.words}</span>
        ${progress ? html`<progress max=${this.most} .value=${this.most - status.unsent} aria-label=${t('status.sending.label')}></progress>` : nothing}
        <span class="status-link">${status ? this.aside(status) : ''}</span>
      </button>
      <span class="away" role="status" aria-live="polite">${line.words}</span>
      <dialog class="drawer" aria-labelledby="status-title">${status ? this.sheet(status) : nothing}</dialog>`
  }
}
