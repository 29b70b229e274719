import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { ChooseRequest, DeviceView, ScopeView, Session, Status } from '../bridge'
import { inLang } from '../definition'
import { bridge } from '../link'
import { knownLine, saidMetered, sayMetered } from '../metered'
import { Pace } from '../pace'
import { ask } from '../parts/ask'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { sayFailure } from '../parts/say'
import { sentence, t } from '../text'
import { number, span } from '../text/format'

interface Near { name: string; records: number }

/** What of the ward is on this device, how long the rest takes, and what the officer wants to have here. */
@customElement('wb-here')
export class Here extends Part {
  @property({ attribute: false }) session!: Session
  @property({ attribute: false }) status: Status | null = null
  @state() private device: DeviceView | null = null
  @state() private near: Record<string, Near[] | 'coming'> = {} // of the registers whose division was looked at
  @state() private busy = false
  private pace = new Pace()

  protected override connected(): void {
    void this.refresh()
    this.hear('status', (status) => {
      this.pace.see(status)
      void this.refresh()
    })
  }

  private async refresh(): Promise<void> {
    try {
      this.device = await bridge.call('device')
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private async choose(request: ChooseRequest): Promise<void> {
    this.busy = true
    try {
      this.device = await bridge.call('choose', request)
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  private labelOf(register: string): string {
    const definition = this.session.registers.find(({ id }) => id === register)
    return definition ? inLang(definition.label) : register
  }

  private async toggle(scope: ScopeView, event: Event): Promise<void> {
    const box = event.target as HTMLInputElement
    const off = !box.checked
    if (off && scope.have) {
      const reply = await ask({ title: t('here.off.title', { register: this.labelOf(scope.register) }), body: t('here.off.body', { n: number(scope.have) }), choices: [{ value: 'yes', label: t('here.off.yes'), tone: 'danger' }] })
      if (!reply) {
        box.checked = true
        return
      }
    }
    await this.choose({ register: { register: scope.register, off, neighbourhoods: scope.neighbourhoods } })
  }

  /** The neighbourhoods of a register, from the server; what was chosen stands without it too. */
  private async look(scope: ScopeView, open: boolean): Promise<void> {
    if (!open || this.near[scope.register]) return
    this.near = { ...this.near, [scope.register]: 'coming' }
    const known: Near[] = scope.neighbourhoods.map((name) => ({ name, records: 0 }))
    try {
      const path = `/api/v1/neighbourhoods?register=${encodeURIComponent(scope.register)}`
      const { neighbourhoods } = (await bridge.call('api', { method: 'GET', path })) as { neighbourhoods: Near[] }
      const named = neighbourhoods.filter(({ name }) => name !== '')
      const gone = known.filter(({ name }) => !named.some((near) => near.name === name))
      const order = new Intl.Collator('vi', { numeric: true })
      this.near = { ...this.near, [scope.register]: [...named, ...gone].sort((a, b) => order.compare(a.name, b.name)) }
    } catch (cause) {
      this.near = { ...this.near, [scope.register]: known }
      sayFailure(cause)
    }
  }

  private pick(scope: ScopeView, name: string, on: boolean): void {
    const chosen = new Set(scope.neighbourhoods)
    if (on) chosen.add(name)
    else chosen.delete(name)
    void this.choose({ register: { register: scope.register, off: false, neighbourhoods: [...chosen] } })
  }

  private stands(scope: ScopeView): string {
    if (scope.leaving) return t('here.leaving')
    if (scope.off) return t('here.off')
    const counts = { have: number(scope.have), of: number(scope.of) }
    if (scope.complete) return scope.neighbourhoods.length ? t('here.part.complete', counts) : t('here.complete', counts)
    return t(scope.neighbourhoods.length ? 'here.part' : 'here.some', counts)
  }

  private scope(scope: ScopeView) {
    const near = this.near[scope.register]
    return html`<li class="scope">
      <label class="check scope-name"><input type="checkbox" .checked=${!scope.off} ?disabled=${this.busy} @change=${(event: Event) => void this.toggle(scope, event)} /><span><strong>${this.labelOf(scope.register)}</strong><span class="sub">${this.stands(scope)}</span></span></label>
      ${scope.off || scope.complete || !scope.of ? nothing : html`<progress max=${scope.of} .value=${scope.have} aria-label=${this.labelOf(scope.register)}></progress>`}
      ${scope.off
        ? nothing
        : html`<details @toggle=${(event: Event) => void this.look(scope, (event.target as HTMLDetailsElement).open)}>
            <summary>${scope.neighbourhoods.length ? t('here.near.chosen', { names: scope.neighbourhoods.join(', ') }) : t('here.near.all')}</summary>
            ${near === 'coming' || !near
              ? html`<p class="sub">${t('loading')}</p>`
              : near.length
                ? html`<fieldset class="checks"><legend class="sub">${t('here.near.pick')}</legend>
                    ${near.map(({ name, records }) => html`<label class="check"><input type="checkbox" .checked=${scope.neighbourhoods.includes(name)} ?disabled=${this.busy} @change=${(event: Event) => this.pick(scope, name, (event.target as HTMLInputElement).checked)} /><span>${name}${records ? html` <span class="sub-inline">${number(records)}</span>` : nothing}</span></label>`)}
                  </fieldset>
                  ${scope.neighbourhoods.length ? html`<button class="small" ?disabled=${this.busy} @click=${() => void this.choose({ register: { register: scope.register, off: false, neighbourhoods: [] } })}>${t('here.near.clear')}</button>` : nothing}`
                : html`<p class="sub">${t('here.near.none')}</p>`}
          </details>`}
    </li>`
  }

  private receiving(device: DeviceView, status: Status) {
    const scopes = device.scopes.filter((scope) => !scope.off)
    const have = scopes.reduce((sum, scope) => sum + scope.have, 0)
    const of = scopes.reduce((sum, scope) => sum + scope.of, 0)
    const complete = scopes.every((scope) => scope.complete)
    const left = complete ? null : this.pace.left(status)
    const words = device.spent
      ? t('here.spent')
      : device.paused
        ? t('here.paused')
        : complete
          ? t('here.all')
          : status.link === 'offline'
            ? t('here.offline')
            : status.link === 'connecting'
            ? sentence(t('link.connecting'))
            : left === null
              ? t('here.receiving')
              : t('here.left', { left: span(left) })
    return html`<section class="sheet here" aria-labelledby="here-now">
      <h2 id="here-now">${t('here.count', { have: number(have), of: number(Math.max(of, have)) })}</h2>
      ${complete ? nothing : html`<progress max=${of || 1} .value=${have} aria-label=${t('home.receiving')}></progress>`}
      <p role="status">${words}</p>
      <div class="actions">
        ${device.spent ? html`<button class="main" ?disabled=${this.busy} @click=${() => void this.choose({ more: true })}>${t('here.more')}</button>` : nothing}
        ${device.paused
          ? html`<button class="main" ?disabled=${this.busy} @click=${() => void this.choose({ paused: false })}>${icon('sync')}${t('here.resume')}</button>`
          : html`<button ?disabled=${this.busy} @click=${() => void this.choose({ paused: true })}>${t('here.pause')}</button>`}
      </div>
    </section>`
  }

  override render() {
    const { device, status } = this
    const known = knownLine()
    return html`<div class="page">
      <h1>${t('here.title')}</h1>
      ${device && status
        ? html`${this.receiving(device, status)}
            <section aria-labelledby="here-scopes">
              <h2 id="here-scopes">${t('here.scopes')}</h2>
              <p class="sub">${t('here.scopes.why')}</p>
              <ul class="lines">${device.scopes.map((scope) => this.scope(scope))}</ul>
            </section>
            <section aria-labelledby="here-data">
              <h2 id="here-data">${t('here.data')}</h2>
              <div class="sheet here">
                ${known === null
                  ? html`<label class="check"><input type="checkbox" .checked=${saidMetered()} @change=${(event: Event) => sayMetered((event.target as HTMLInputElement).checked)} /><span>${t('here.metered')}</span></label>`
                  : html`<p>${t(known ? 'here.metered.yes' : 'here.metered.no')}</p>`}
                <label class="field"><span class="label">${t('here.budget')}</span>
                  <select ?disabled=${this.busy} @change=${(event: Event) => void this.choose({ budget: Number((event.target as HTMLSelectElement).value) })}>
                    ${[...new Set([0, 1, 2, 5, 20, 50, 100, 500, device.budget])].sort((a, b) => a - b).map((mb) => html`<option value=${mb} ?selected=${mb === device.budget}>${mb ? t('here.budget.mb', { mb: number(mb) }) : t('here.budget.none')}</option>`)}
                  </select></label>
                <p class="sub">${t('here.used', { mb: number(Math.round(device.used / 1e5) / 10) })}</p>
              </div>
            </section>`
        : html`<p class="sub">${t('loading')}</p>`}
    </div>`
  }
}
