import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import * as admin from '../admin'
import { whys } from '../erasure'
import { failureOf } from '../link'
import { deviceName } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { lang, t, tFailure } from '../text'
import { actionIn } from '../text/audit'
import { number, when } from '../text/format'

/** The newest lines of the audit log. */
@customElement('wb-audit')
export class Audit extends Part {
  @state() private entries: admin.AuditEntry[] | null = null
  @state() private failure = ''
  private accounts = new Map<string, admin.AdminAccount>()
  private devices = new Map<string, admin.AdminDevice>()

  protected override connected(): void {
    void this.load()
    const timer = setInterval(() => void this.load(), 15_000)
    this.until(() => clearInterval(timer))
  }

  private async load(): Promise<void> {
    try {
      const { entries } = await admin.audit()
      const strange = entries.some(({ actor, subject }) => [actor, subject].some((id) => /^[a-z2-7]{26}$/.test(id) && !this.accounts.has(id) && !this.devices.has(id)))
      if (strange) {
        const [accounts, devices] = await Promise.all([admin.accounts(), admin.devices()])
        this.accounts = new Map(accounts.map((account) => [account.id, account]))
        this.devices = new Map(devices.map((device) => [device.id, device]))
      }
      this.entries = entries
      this.failure = ''
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  /** An account by its display name, a device by what it is; what else stands in the log as it is. */
  private called(id: string) {
    const account = this.accounts.get(id)
    const device = this.devices.get(id)
    if (account) return html`<span title=${account.name}>${account.display_name}</span>`
    if (device?.label) return html`<span title=${device.label}>${deviceName(device.label)}</span><span class="sub">${this.accounts.get(device.account)?.display_name ?? device.account}</span>`
    return html`<code>${id}</code>`
  }

  override render() {
    return html`<div class="page page-wide">
      <h1>${t('audit.title')}</h1>
      <p class="sub">${t('audit.why')}</p>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t('audit.title')}>
        <table class="log stack">
          <thead><tr><th scope="col" class="figures">${t('audit.seq')}</th><th scope="col">${t('audit.at')}</th><th scope="col">${t('audit.actor')}</th><th scope="col">${t('audit.action')}</th><th scope="col">${t('audit.subject')}</th></tr></thead>
          <tbody>
            ${(this.entries ?? []).map((entry) => html`<tr><td class="figures" data-label=${t('audit.seq')}>${number(entry.seq)}</td><td class="figures" data-label=${t('audit.at')}>${when(Date.parse(entry.at))}</td><td data-label=${t('audit.actor')}>${entry.actor ? this.called(entry.actor) : t('audit.server')}</td><td data-label=${t('audit.action')}>${actionIn(lang(), entry.action)}<span class="sub"><code>${entry.action}</code></span>${whyDeclined(entry)}</td><td class="data" data-label=${t('audit.subject')}>${this.called(entry.subject)}${entry.unit ? html`<span class="sub">${entry.unit}</span>` : nothing}</td></tr>`)}
          </tbody>
        </table>
      </div>
      ${this.entries || this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}

/** Why a request to erase by law was declined: the log holds the reason's name. */
function whyDeclined({ action, detail }: admin.AuditEntry) {
  const why = action === 'erasure.decline' ? whys.find((why) => why === (detail as { why?: string } | null)?.why) : undefined
  return why ? html`<span class="sub">${t(`erase.why.${why}`)}</span>` : nothing
}
