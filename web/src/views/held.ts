import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Session } from '../bridge'
import { inLang, labelOf } from '../definition'
import { bridge, failureOf } from '../link'
import { ask } from '../parts/ask'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { nameOf } from '../people'
import * as review from '../review'
import { hrefOf } from '../route'
import { t, tCode, tFailure } from '../text'
import { when, within } from '../text/format'

/** Changes that the server keeps apart: the supervisor lets them in or rejects them, each with a reason. */
@customElement('wb-held')
export class HeldView extends Part {
  @property({ attribute: false }) session!: Session
  @state() private items: review.Held[] | null = null
  @state() private failure = ''
  private here = new Set<string>() // records that this device holds

  protected override connected(): void {
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      const { items } = await review.held()
      const here = await Promise.all(items.map(({ title, record }) => (title ? bridge.call('get', { id: record }).then(() => true, () => false) : false)))
      this.here = new Set(items.filter((_, i) => here[i]).map(({ record }) => record))
      this.items = items
      this.failure = ''
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private async decide(item: review.Held, decision: 'release' | 'reject'): Promise<void> {
    const reply = await ask({
      title: t(`held.${decision}.title`),
      body: t(`held.${decision}.body`),
      reason: { label: t('review.reason'), required: true },
      choices: [{ value: 'yes', label: t(`held.${decision}`), tone: decision === 'release' ? 'main' : 'danger' }],
    })
    if (!reply) return
    try {
      await review.decideHeld(item.id, decision, reply.reason)
      say(t('held.done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  override render() {
    return html`<div class="page">
      <h1>${t('held.title')}</h1>
      <p class="sub">${t('held.why')}</p>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      ${this.items && !this.items.length ? html`<div class="empty"><p>${t('held.none')}</p></div>` : nothing}
      <ul class="cards">
        ${(this.items ?? []).map((item) => {
          const definition = this.session.registers.find((register) => register.id === item.register)
          return html`<li class="card">
            <div class="card-head"><span>${item.title ? html`<a class="data" href=${this.here.has(item.record) ? hrefOf('register', item.register, item.record) : hrefOf('desk', item.record)}>${item.title}</a>` : nothing}
              <span class="sub">${[nameOf(item.author), definition ? inLang(definition.label) : item.register, ...(item.at ? [t('time.device', { at: when(item.at) })] : []), t('time.server', { at: when(item.received) })].join(' · ')}</span></span></div>
            <p>${icon('lock')} ${tCode('held.code', item.code)}</p>
            <p class="sub">${t('held.touches', { n: item.records, fields: item.fields.map((name) => (name === 'life' ? t('review.life') : definition ? within(labelOf(definition, name)) : name)).join(', ') })}</p>
            <div class="actions"><button ?disabled=${!item.releasable} @click=${() => void this.decide(item, 'release')}>${t('held.release')}</button><button class="danger" @click=${() => void this.decide(item, 'reject')}>${t('held.reject')}</button></div>
          </li>`
        })}
        ${this.items || this.failure ? nothing : html`<li class="sub">${t('loading')}</li>`}
      </ul>
    </div>`
  }
}
