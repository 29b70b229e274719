import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import * as admin from '../admin'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { lang, t } from '../text'
import { ago, day, when } from '../text/format'

/** Every device that may speak to the server, the latest first, and how to shut one out. */
@customElement('wb-devices')
export class Devices extends Part {
  @state() private devices: admin.AdminDevice[] | null = null
  @state() private failure = ''

  protected override connected(): void {
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      const { devices } = await admin.devices()
      this.devices = devices.sort((a, b) => admin.msOf(b.last_seen_at) - admin.msOf(a.last_seen_at))
      this.failure = ''
    } catch (cause) {
      this.failure = failureOf(cause)[lang()]
    }
  }

  private async revoke(device: admin.AdminDevice): Promise<void> {
    const reply = await ask({
      title: t('devices.revoke.title', { who: device.account }),
      body: t('devices.revoke.body'),
      reason: { label: t('review.reason'), required: true },
      choices: [
        { value: 'revoke', label: t('devices.revoke'), tone: 'danger' },
        { value: 'lost', label: t('devices.lost'), tone: 'danger' },
      ],
    })
    if (!reply) return
    try {
      await admin.revoke(device.id, reply.reason, reply.value === 'lost')
      say(t('done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  override render() {
    return html`<div class="page page-wide">
      <h1>${t('devices.title')}</h1>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t('devices.title')}>
        <table class="stack">
          <thead><tr><th scope="col">${t('devices.account')}</th><th scope="col">${t('devices.enrolled')}</th><th scope="col">${t('devices.seen')}</th><th scope="col"><span class="away">${t('accounts.actions')}</span></th></tr></thead>
          <tbody>
            ${(this.devices ?? []).map((device) => {
              const revoked = admin.msOf(device.revoked_at) > 0
              const seen = admin.msOf(device.last_seen_at)
              return html`<tr class=${revoked ? 'off' : ''}>
                <th scope="row"><strong>${device.account}</strong><span class="sub">${device.label || device.id.slice(0, 8)}</span></th>
                <td>${day(admin.msOf(device.enrolled_at))}</td>
                <td>${seen > 0 ? html`${ago(seen)}<span class="sub">${when(seen)}</span>` : t('devices.never')}</td>
                <td class="table-actions">${revoked ? tag('grey', device.lost ? t('devices.was_lost') : t('devices.revoked')) : html`<button class="small danger" @click=${() => void this.revoke(device)}>${t('devices.revoke')}<span class="away">: ${device.account} ${device.label}</span></button>`}</td>
              </tr>`
            })}
          </tbody>
        </table>
      </div>
      ${this.devices || this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}
