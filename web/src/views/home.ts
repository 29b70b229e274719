import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Form, Session, Status } from '../bridge'
import { inLang, labelOf } from '../definition'
import { bridge } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { sayFailure } from '../parts/say'
import { hrefOf } from '../route'
import { typedIn } from './record'
import { t } from '../text'
import { ago, number, within } from '../text/format'

/** The registers of the officer's ward, what waits in each, and unfinished forms. */
@customElement('wb-home')
export class Home extends Part {
  @property({ attribute: false }) session!: Session
  @property({ attribute: false }) status: Status | null = null
  @state() private drafts: Form[] = []

  protected override connected(): void {
    void this.refresh()
    this.hear('changed', () => void this.refresh())
  }

  private async refresh(): Promise<void> {
    try {
      this.drafts = (await bridge.call('drafts')).filter((form) => form.dirty)
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private draft(form: Form) {
    const definition = this.session.registers.find((register) => register.id === form.record.register)
    if (!definition) return nothing
    const title = form.values[definition.title_field ?? ''] || form.record.fields.find((field) => field.name === definition.title_field)?.display || t('record.new')
    const names = Object.keys(typedIn(form)).map((name) => within(labelOf(definition, name)))
    const href = `${form.isNew ? hrefOf('new', definition.id) : hrefOf('register', definition.id, form.record.id)}?draft=${encodeURIComponent(form.key)}`
    return html`<li><a class="line" href=${href}><span><strong class="data">${title}</strong><span class="sub">${inLang(definition.label)} · ${t('home.draft.fields', { fields: names.slice(0, 4).join(', ') })}</span></span><span class="sub">${ago(form.openedAt)}</span>${icon('next')}</a></li>`
  }

  private all({ streams }: Status): { have: string; of: string } {
    return { have: number(streams.reduce((sum, stream) => sum + stream.have, 0)), of: number(streams.reduce((sum, stream) => sum + stream.of, 0)) }
  }

  override render() {
    const { session, status } = this
    const attention = status && status.conflicts + status.returned + status.quarantined > 0
    return html`<div class="page">
      <h1>${t('home.title', { unit: session.account.unitName })}</h1>
      ${attention
        ? html`<ul class="attention">
            ${status.conflicts ? html`<li><a class="line line-amber" href=${hrefOf('inbox')}>${icon('split')}<span>${t('home.conflicts', { n: number(status.conflicts) })}</span>${icon('next')}</a></li>` : nothing}
            ${status.returned ? html`<li><a class="line line-amber" href=${hrefOf('inbox', 'returned')}>${icon('undo')}<span>${t('home.returned', { n: number(status.returned) })}</span>${icon('next')}</a></li>` : nothing}
            ${status.quarantined ? html`<li><a class="line line-red" href=${hrefOf('inbox', 'quarantined')}>${icon('lock')}<span>${t('home.quarantined', { n: number(status.quarantined) })}</span>${icon('next')}</a></li>` : nothing}
          </ul>`
        : nothing}
      ${this.drafts.length
        ? html`<section aria-labelledby="drafts"><h2 id="drafts">${t('home.drafts')}</h2><ul class="lines">${this.drafts.map((form) => this.draft(form))}</ul></section>`
        : nothing}
      <section aria-labelledby="registers">
        <h2 id="registers">${t('home.registers')}</h2>
        <ul class="lines">
          ${session.registers.map((definition) => {
            const stream = status?.streams.find((stream) => stream.register === definition.id)
            return html`<li>
              <a class="line" href=${hrefOf('register', definition.id)}>
                ${icon('book')}<span><strong>${inLang(definition.label)}</strong>
                  <span class="sub"
                    >${!stream || (stream.complete && !stream.have) ? t('home.nothing') : stream.complete ? t('home.have', { n: number(stream.have) }) : t('home.part', { have: number(stream.have), of: number(stream.of) })}</span
                  >
                  ${stream && !stream.complete ? html`<progress max=${stream.of || 1} .value=${stream.have} aria-label=${t('home.receiving')}></progress>` : nothing}</span
                >${icon('next')}
              </a>
            </li>`
          })}
        </ul>
        ${session.account.role === 'officer' ? html`<ul class="lines"><li><a class="line" href=${hrefOf('tally')}>${icon('log')}<span>${t('tally.title')}<span class="sub">${t('home.tally.sub')}</span></span>${icon('next')}</a></li></ul>` : nothing}
        ${status?.streams.length ? html`<ul class="lines"><li><a class="line" href=${hrefOf('here')}>${icon('device')}<span>${t('home.here', this.all(status))}<span class="sub">${status.paused ? t('status.paused') : t('here.scopes')}</span></span>${icon('next')}</a></li></ul>` : nothing}
      </section>
    </div>`
  }
}
