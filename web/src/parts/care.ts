import { html, nothing, type TemplateResult } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Session, Status } from '../bridge'
import { bridge } from '../link'
import { t } from '../text'
import { ago, number } from '../text/format'
import { icon } from './icon'
import { Part } from './part'
import { saveRescue } from './rescue'
import { sayFailure } from './say'

const DAY = 24 * 60 * 60_000

/** Age from which unsent work is pointed out, here and on the supervisor's list. */
export const OLD = DAY
/** Bytes of room below which people have to make some: a day's entries and the pages on their way. */
export const TIGHT = 50e6
const LOOK_EVERY = 60_000
const REMIND_AFTER = 7 * DAY // ms after the note about lasting storage was put aside

/**
 * What threatens unsent work on this device, the worst first, and what to do about it: no room, work that nobody has
 * received for long, a browser that has not promised to keep the data. Nothing when all is well.
 */
@customElement('wb-care')
export class Care extends Part {
  @property({ attribute: false }) status: Status | null = null
  @property({ attribute: false }) session!: Session
  @property({ type: Boolean }) home = false // the first screen, where there is room for what is not urgent
  @state() private room: number | null = null
  @state() private persisted: boolean | null = null
  @state() private now = Date.now()

  protected override connected(): void {
    void this.look(true)
    const timer = setInterval(() => void this.look(false), LOOK_EVERY)
    this.until(() => clearInterval(timer))
  }

  private async look(ask: boolean): Promise<void> {
    this.now = Date.now()
    const { storage } = navigator
    if (!storage) return
    const { quota, usage } = (await storage.estimate?.()) ?? {}
    this.room = quota !== undefined && usage !== undefined ? quota - usage : null
    // Asked for once somebody has signed in: from then on there is something to keep.
    this.persisted = (await storage.persisted?.()) || (ask && (await storage.persist?.())) || false
  }

  private async send(): Promise<void> {
    await bridge.call('syncNow').catch(sayFailure)
  }

  private putAside(): void {
    localStorage.setItem('persist-aside', String(Date.now()))
    this.requestUpdate()
  }

  private note(tone: string, words: TemplateResult | string, actions: TemplateResult | typeof nothing = nothing): TemplateResult {
    return html`<aside class="note note-${tone} care" aria-label=${t('care')}>${icon('warning')}<div><p>${words}</p>${actions}</div></aside>`
  }

  override render() {
    const { status, session } = this
    if (!status || !['officer', 'supervisor'].includes(session.account.role)) return nothing
    const rescue = html`<button class="small" @click=${() => void saveRescue()}>${t('rescue.save')}</button>`
    if (this.room !== null && this.room < TIGHT) {
      return this.note('red', t('care.room', { mb: number(Math.max(0, Math.round(this.room / 1e6))) }), status.unsent ? html`<div class="actions">${rescue}</div>` : nothing)
    }
    if (status.unsent && status.oldest && this.now - status.oldest > OLD) {
      return this.note(
        'amber',
        t('care.old', { n: number(status.unsent), ago: ago(status.oldest) }),
        html`<div class="actions"><button class="small main" @click=${() => void this.send()}>${t('status.now')}</button>${rescue}</div>`,
      )
    }
    if (this.home && this.persisted === false && this.now - Number(localStorage.getItem('persist-aside') ?? 0) > REMIND_AFTER) {
      return this.note('blue', t('care.persist'), html`<div class="actions"><button class="small" @click=${() => this.putAside()}>${t('care.aside')}</button></div>`)
    }
    return nothing
  }
}
