import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import * as admin from '../admin'
import type { Session } from '../bridge'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { OLD, TIGHT } from '../parts/care'
import { device as deviceLine, deviceName } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import '../parts/rescue'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { t, tFailure } from '../text'
import { ago, day, number, when } from '../text/format'

/**
 * The devices that may speak to the server, those that hold unsent work longest first: a silent phone is noticed here.
 * An administrator sees every device and shuts one out; a supervisor sees the unit's and reports one lost; an officer
 * sees their own, and on a new one reads what had not arrived from the one before.
 */
@customElement('wb-devices')
export class Devices extends Part {
  @property({ attribute: false }) session!: Session
  @state() private devices: admin.AdminDevice[] | null = null
  @state() private failure = ''

  private get isAdmin(): boolean {
    return this.session.account.role === 'admin'
  }

  private get isSupervisor(): boolean {
    return this.session.account.role === 'supervisor'
  }

  protected override connected(): void {
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      const devices = await (this.isAdmin ? admin.devices() : this.isSupervisor ? admin.unitDevices() : admin.ownDevices())
      this.devices = devices.sort((a, b) => oldest(a) - oldest(b) || Date.parse(b.last_seen_at) - Date.parse(a.last_seen_at))
      this.failure = ''
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private async revoke(device: admin.AdminDevice): Promise<void> {
    const reply = await ask({
      title: t('devices.revoke.title', { who: device.display_name }),
      body: t('devices.revoke.body'),
      reason: { label: t('review.reason'), required: true, options: admin.revocations.map((value) => ({ value, label: t(`devices.because.${value}`) })) },
      choices: [{ value: 'revoke', label: t('devices.revoke'), tone: 'danger' }],
    })
    if (!reply) return
    await this.done(admin.revoke(device.id, reply.reason as (typeof admin.revocations)[number]))
  }

  private async reportLost(device: admin.AdminDevice): Promise<void> {
    const reply = await ask({
      title: t('devices.lost.title', { who: device.display_name, device: deviceName(device.label) || device.id.slice(0, 8) }),
      body: html`<p>${device.received_at ? t('devices.lost.received', { at: when(Date.parse(device.received_at)) }) : t('devices.lost.received.never')}
          ${device.reported_at ? t('devices.lost.unsent', { n: number(device.unsent), at: when(Date.parse(device.reported_at)) }) : t('devices.lost.unsent.unknown')}</p>
        <p><strong>${t('devices.lost.drafts')}</strong></p>
        <p>${t('devices.lost.body')}</p>`,
      choices: [{ value: 'lost', label: t('devices.lost'), tone: 'danger' }],
    })
    if (reply) await this.done(this.isSupervisor ? admin.lost(device.id) : admin.ownLost(device.id))
  }

  private async done(act: Promise<unknown>): Promise<void> {
    try {
      await act
      say(t('done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private unsent(device: admin.AdminDevice) {
    if (!device.reported_at) return html`<span class="sub">${t('devices.unsent.unknown')}</span>`
    const told = html`<span class="sub">${t('devices.reported', { ago: ago(Date.parse(device.reported_at)) })}</span>`
    if (!device.unsent) return html`${t('devices.unsent.none')}${told}`
    const since = device.oldest_unsent_at ? Date.parse(device.oldest_unsent_at) : 0
    const words = t('devices.unsent', { n: number(device.unsent), ago: since ? ago(since) : '?' })
    return html`${Date.now() - since > OLD ? tag('amber', words) : words}${told}`
  }

  private act(device: admin.AdminDevice) {
    if (device.revoked_at !== null) return tag('grey', device.lost ? t('devices.was_lost') : t('devices.revoked'))
    return this.isAdmin
      ? html`<button class="small danger" @click=${() => void this.revoke(device)}>${t('devices.revoke')}<span class="away">: ${device.display_name}</span></button>`
      : html`<button class="small danger" @click=${() => void this.reportLost(device)}>${t('devices.lost')}<span class="away">: ${device.display_name}</span></button>`
  }

  override render() {
    return html`<div class="page page-wide">
      <h1>${this.isAdmin || this.isSupervisor ? t('devices.title') : t('devices.mine')}</h1>
      <p class="sub">${t('devices.why')}</p>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t('devices.title')}>
        <table class="stack">
          <thead><tr>
            <th scope="col">${t('devices.account')}</th><th scope="col">${t('devices.unsent.term')}</th><th scope="col">${t('devices.received')}</th><th scope="col">${t('devices.seen')}</th><th scope="col">${t('devices.enrolled')}</th>
            <th scope="col"><span class="away">${t('accounts.actions')}</span></th>
          </tr></thead>
          <tbody>
            ${(this.devices ?? []).map((device) => {
              const seen = Date.parse(device.last_seen_at)
              return html`<tr class=${device.revoked_at === null ? '' : 'off'}>
                <th scope="row"><strong>${device.display_name}</strong><span class="sub">${device.account_name}</span>${device.label ? deviceLine(device.label) : html`<span class="sub">${device.id.slice(0, 8)}</span>`}</th>
                <td data-label=${t('devices.unsent.term')}>${this.unsent(device)}${device.store_vanished_at ? tag('amber', t('devices.vanished', { when: when(Date.parse(device.store_vanished_at)), n: number(device.store_vanished_unsent) })) : nothing}${device.headroom && device.headroom < TIGHT ? tag('red', t('devices.tight', { mb: number(Math.round(device.headroom / 1e6)) })) : nothing}</td>
                <td data-label=${t('devices.received')}>${device.received_at ? html`${ago(Date.parse(device.received_at))}<span class="sub">${when(Date.parse(device.received_at))}</span>` : t('devices.never')}</td>
                <td data-label=${t('devices.seen')}>${seen > 0 ? html`${ago(seen)}<span class="sub">${when(seen)}</span>` : t('devices.never')}</td>
                <td data-label=${t('devices.enrolled')}>${day(Date.parse(device.enrolled_at))}</td>
                <td class="table-actions">${this.act(device)}</td>
              </tr>`
            })}
          </tbody>
        </table>
      </div>
      <details class="quiet rescue-in"><summary>${icon('inbox')}${t('rescue.in')}</summary><wb-rescue-in></wb-rescue-in></details>
      ${this.devices || this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}

/** When the oldest work that a device holds unsent was made; those without any come last. */
function oldest(device: admin.AdminDevice): number {
  return device.unsent && device.oldest_unsent_at && device.revoked_at === null ? Date.parse(device.oldest_unsent_at) : Infinity
}
