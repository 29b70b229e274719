import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import * as admin from '../admin'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import { device as deviceLine } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { lang, t } from '../text'
import { ago, day, number, when } from '../text/format'

/** Every device that may speak to the server, the latest first, and how to shut one out. */
@customElement('wb-devices')
export class Devices extends Part {
  @state() private devices: admin.AdminDevice[] | null = null
  @state() private failure = ''
  private owners = new Map<string, admin.AdminAccount>()

  protected override connected(): void {
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      const [devices, accounts] = await Promise.all([admin.devices(), admin.accounts()])
      this.owners = new Map(accounts.map((account) => [account.id, account]))
      this.devices = devices.sort((a, b) => Date.parse(b.last_seen_at) - Date.parse(a.last_seen_at))
      this.failure = ''
    } catch (cause) {
      this.failure = failureOf(cause)[lang()]
    }
  }

  private async revoke(device: admin.AdminDevice): Promise<void> {
    const reply = await ask({
      title: t('devices.revoke.title', { who: this.owners.get(device.account)?.display_name ?? device.account }),
      body: t('devices.revoke.body'),
      reason: { label: t('review.reason'), required: true, options: admin.revocations.map((value) => ({ value, label: t(`devices.because.${value}`) })) },
      choices: [{ value: 'revoke', label: t('devices.revoke'), tone: 'danger' }],
    })
    if (!reply) return
    try {
      await admin.revoke(device.id, reply.reason as (typeof admin.revocations)[number])
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
              const revoked = device.revoked_at !== null
              const seen = Date.parse(device.last_seen_at)
              const owner = this.owners.get(device.account)
              const name = owner?.display_name ?? device.account
              return html`<tr class=${revoked ? 'off' : ''}>
                <th scope="row"><strong>${name}</strong>${owner ? html`<span class="sub">${owner.name}</span>` : nothing}${device.label ? deviceLine(device.label) : html`<span class="sub">${device.id.slice(0, 8)}</span>`}</th>
                <td>${day(Date.parse(device.enrolled_at))}</td>
                <td>${seen > 0 ? html`${ago(seen)}<span class="sub">${when(seen)}</span>` : t('devices.never')}${device.store_vanished_at ? html`<span class="sub">${t('devices.vanished', { when: when(Date.parse(device.store_vanished_at)), n: number(device.store_vanished_unsent) })}</span>` : nothing}</td>
                <td class="table-actions">${revoked ? tag('grey', device.lost ? t('devices.was_lost') : t('devices.revoked')) : html`<button class="small danger" @click=${() => void this.revoke(device)}>${t('devices.revoke')}<span class="away">: ${name}</span></button>`}</td>
              </tr>`
            })}
          </tbody>
        </table>
      </div>
      ${this.devices || this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}
