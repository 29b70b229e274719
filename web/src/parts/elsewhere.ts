import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Definition, Hit } from '../bridge'
import { bridge } from '../link'
import { hrefOf } from '../route'
import { lang, t } from '../text'
import { number } from '../text/format'
import { icon } from './icon'
import { Part } from './part'
import { sayFailure } from './say'
import { foundIn, rowRest } from './state'

interface Found { id: string; title: string; cells: string[]; why?: Hit[] }
interface Reply { rows: Found[]; total: number; searched: number }

/** The server's search of a register, for as long as not all of it is on this device. Shown only when it was asked for. */
@customElement('wb-elsewhere')
export class Elsewhere extends Part {
  @property({ attribute: false }) definition!: Definition
  @property() search = ''
  @state() private reply: (Reply & { here: Set<string> }) | null = null
  @state() private busy = false
  private asked = 0

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('search') || changed.has('definition')) {
      this.asked++
      this.reply = null
      this.busy = false
    }
  }

  private async look(): Promise<void> {
    const asked = ++this.asked
    this.busy = true
    try {
      const query = new URLSearchParams({ register: this.definition.id, search: this.search, lang: lang() })
      const reply = (await bridge.call('api', { method: 'GET', path: `/api/v1/records?${query}` })) as Reply
      const here = new Set<string>()
      for (const { id } of reply.rows) if (await bridge.call('get', { id }).catch(() => null)) here.add(id)
      if (asked === this.asked) this.reply = { ...reply, here }
    } catch (cause) {
      if (asked === this.asked) sayFailure(cause)
    } finally {
      if (asked === this.asked) this.busy = false
    }
  }

  private row(row: Found) {
    const { id, title } = row
    const words = html`<strong class="data">${title || t('record.untitled')}</strong>${row.why ? html`<span class="sub">${foundIn(this.definition, row.why)}</span>` : nothing}<span class="sub">${rowRest(this.definition, row)}</span>`
    return this.reply!.here.has(id)
      ? html`<li><a class="line" href=${hrefOf('register', this.definition.id, id)}><span>${words}</span>${icon('next')}</a></li>`
      : html`<li class="line"><span>${words}</span><span class="sub">${t('elsewhere.not_here')}</span></li>`
  }

  override render() {
    const { reply } = this
    return html`<div class="elsewhere">
      ${reply
        ? html`<p class="sub" role="status">${reply.rows.length < reply.total ? t('elsewhere.some', { n: number(reply.total), shown: number(reply.rows.length), of: number(reply.searched) }) : t('elsewhere.found', { n: number(reply.total), of: number(reply.searched) })}</p>
            ${reply.rows.length ? html`<ul class="lines" tabindex="0" aria-label=${t('elsewhere.look')}>${reply.rows.map((row) => this.row(row))}</ul>` : nothing}`
        : html`<button class="small" ?disabled=${this.busy} @click=${() => void this.look()}>${icon('search')}${this.busy ? t('elsewhere.looking') : t('elsewhere.look')}</button>`}
    </div>`
  }
}
