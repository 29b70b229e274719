import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import * as admin from '../admin'
import { failureOf } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { lang, t } from '../text'
import { number, when } from '../text/format'

/** The newest lines of the audit log. */
@customElement('wb-audit')
export class Audit extends Part {
  @state() private entries: admin.AuditEntry[] | null = null
  @state() private failure = ''
  private names = new Map<string, string>()

  protected override connected(): void {
    void this.load()
    const timer = setInterval(() => void this.load(), 15_000)
    this.until(() => clearInterval(timer))
  }

  private async load(): Promise<void> {
    try {
      if (!this.names.size) this.names = new Map((await admin.accounts()).map((account) => [account.id, account.name]))
      this.entries = (await admin.audit()).entries
      this.failure = ''
    } catch (cause) {
      this.failure = failureOf(cause)[lang()]
    }
  }

  override render() {
    return html`<div class="page page-wide">
      <h1>${t('audit.title')}</h1>
      <p class="sub">${t('audit.why')}</p>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t('audit.title')}>
        <table class="log">
          <thead><tr><th scope="col" class="figures">${t('audit.seq')}</th><th scope="col">${t('audit.at')}</th><th scope="col">${t('audit.actor')}</th><th scope="col">${t('audit.action')}</th><th scope="col">${t('audit.subject')}</th></tr></thead>
          <tbody>
            ${(this.entries ?? []).map((entry) => html`<tr><td class="figures">${number(entry.seq)}</td><td class="figures">${when(Date.parse(entry.at))}</td><td>${entry.actor ? (this.names.get(entry.actor) ?? entry.actor) : t('audit.server')}</td><td><code>${entry.action}</code></td><td class="data"><code>${this.names.get(entry.subject) ?? entry.subject}</code>${entry.unit ? html`<span class="sub">${entry.unit}</span>` : nothing}</td></tr>`)}
          </tbody>
        </table>
      </div>
      ${this.entries || this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}
