import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { keyed } from 'lit/directives/keyed.js'
import type { Definition, Session } from '../bridge'
import { inLang } from '../definition'
import { bridge } from '../link'
import { lockNow } from '../lock'
import { icon, mark } from '../parts/icon'
import { langSwitch } from '../parts/lang'
import { Part } from '../parts/part'
import { sayFailure } from '../parts/say'
import { go, onRoute } from '../route'
import { t } from '../text'
import { number } from '../text/format'
import './record'

/** The lease has ended and there is no network: new records are written here, sealed as soon as they are saved, and nothing is read. */
@customElement('wb-late')
export class Late extends Part {
  @property({ attribute: false }) session!: Session
  @state() private definition: Definition | null = null
  @state() private sealed = 0
  @state() private busy = false // no other record is begun before what was written is gone

  protected override connected(): void {
    this.until(onRoute(({ screen }) => {
      if (screen !== 'register') return
      this.definition = null // the form was given up
      go('#/', { replace: true })
    }))
  }

  private async next(): Promise<void> {
    this.sealed++
    this.definition = null
    this.busy = true
    try {
      await bridge.call('late', { name: this.session.account.name }) // what was just written is gone from memory
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  override render() {
    const { session, definition } = this
    return html`<header class="top">
        <span class="brand">${mark()}</span><span class="top-unit">${session.account.unitName}</span>
        ${langSwitch()}
        <button class="plain" @click=${() => void lockNow().catch(sayFailure)}>${icon('lock')}<span>${t('late.end')}</span></button>
      </header>
      <main id="main" tabindex="-1" class="late">
        ${definition
          ? html`<p class="note note-amber">${icon('lock')}<span>${t('late.unsaved')}</span></p>
              ${keyed(this.sealed, html`<wb-record .definition=${definition} .late=${true} @sealed=${() => void this.next()}></wb-record>`)}`
          : html`<div class="page">
              <h1>${t('late.title', { who: session.account.display })}</h1>
              ${this.sealed ? html`<p class="note note-green" role="status">${icon('check')}<span>${t('late.sealed', { n: number(this.sealed) })}</span></p>` : nothing}
              <p class="note note-amber">${icon('lock')}<span>${t('late.what')}</span></p>
              <p class="sub">${t('late.whose')}</p>
              <section aria-labelledby="late-registers"><h2 id="late-registers">${t(this.sealed ? 'late.another' : 'late.choose')}</h2>
                <ul class="lines">${session.registers.map((one) => html`<li><button class="line" ?disabled=${this.busy} @click=${() => (this.definition = one)}>${icon('add')}<span><strong>${inLang(one.label)}</strong></span>${icon('next')}</button></li>`)}</ul>
              </section>
            </div>`}
      </main>`
  }
}
