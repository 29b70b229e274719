import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Boot, Opener } from '../bridge'
import { deviceOf, forgetDevice, lastClosed } from '../enrolled'
import { bridge, failureOf } from '../link'
import { loading, onLoading } from '../loading'
import { NoPasskey, passkeysWork, usePasskey } from '../passkey'
import { icon, mark } from '../parts/icon'
import { langSwitch } from '../parts/lang'
import '../parts/rescue'
import { Part } from '../parts/part'
import { hrefOf } from '../route'
import { collator, number, span, when } from '../text/format'
import { t, tFailure } from '../text'

/** Safari's engine, which is that of every browser on an iPhone: no journey runs in it. */
const untested = /AppleWebKit\/(?!.*(Chrome|Chromium|Edg)\/)/.test(navigator.userAgent)

/** Sign in over the network, or open a store that is already on this device. */
@customElement('wb-sign-in')
export class SignIn extends Part {
  @property({ attribute: false }) boot!: Boot
  @state() private name: string | null = null // null: choosing among the accounts here
  @state() private busy = false
  @state() private failure = ''
  @state() private formerAsked = false
  @state() private newAsked = false
  @state() private codeAsked = false
  @state() private damaged = false // the chosen account's store, as the last try says
  @state() private online = false // a known account signs in over the network too, when its session has ended
  @state() private by: 'password' | Opener['kind'] = 'password' // what a known account is opened with
  @state() private passkeys = false // this browser can use them
  @state() private pinGone = false // since the page began

  private get known(): Boot['accounts'][number] | undefined {
    return this.boot.accounts.find((account) => account.name === this.name)
  }

  /** What opens the chosen account besides the password, the last used first. Only the PIN outlives the lease. */
  private get openers(): Opener[] {
    const usable = (opener: Opener) => (opener.kind === 'pin' ? !this.pinGone : this.passkeys)
    return (this.known?.openers ?? []).filter(usable).sort((a, b) => b.used - a.used)
  }

  override willUpdate(): void {
    if (this.name === null && !this.boot.accounts.length) this.name = ''
  }

  protected override connected(): void {
    this.until(onLoading(() => this.requestUpdate()))
    void passkeysWork().then((work) => (this.passkeys = work))
    if (matchMedia('(pointer: fine)').matches) void this.updateComplete.then(() => this.querySelector<HTMLElement>('.account-list button, [name=name]')?.focus({ preventScroll: true })) // a phone would put its keys over the page
  }

  private choose(name: string): void {
    this.name = name
    this.failure = ''
    this.formerAsked = this.newAsked = this.codeAsked = false
    this.damaged = this.known?.damaged ?? false
    const [last] = this.openers.filter((opener) => opener.used && (opener.kind !== 'pin' || navigator.onLine))
    this.turn(last?.kind ?? 'password', !last && (this.known?.leasedOut ?? false))
  }

  /** Asks for another way in. */
  private turn(by: 'password' | Opener['kind'], online = false): void {
    this.by = by
    this.online = online
    this.failure = ''
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(this.name ? (by === 'passkey' ? 'button.main' : `[name=${by}]`) : '[name=name]')?.focus())
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = new FormData(event.target as HTMLFormElement)
    const text = (name: string) => String(form.get(name) ?? '')
    const name = this.known?.name ?? text('name').trim()
    this.busy = true
    this.failure = ''
    try {
      if (this.known && !this.online) {
        const secret = this.by === 'passkey' ? { passkey: await usePasskey(this.openers) } : this.by === 'pin' ? { pin: text('pin') } : { password: text('password') }
        await bridge.call('unlock', { name, ...secret })
      } else {
        const code = text('code').trim()
        const former = text('former')
        const next = text('new')
        const device = deviceOf(name)
        await bridge.call('login', { name, password: text('password'), borrowed: form.has('borrowed'), ...(device && { device }), ...(code && { code }), ...(former && { former }), ...(next && { new: next }), ...(form.has('anew') && { anew: true }) })
      }
    } catch (cause) {
      const failure = failureOf(cause)
      this.failure = cause instanceof NoPasskey ? t(`openers.passkey.${cause.why}`) : tFailure(failure)
      if (failure.code === 'offline' && this.by === 'pin') this.failure = t('openers.pin.offline')
      if (failure.code === 'pin_gone') {
        this.pinGone = true
        this.by = 'password'
        this.online = this.known?.leasedOut ?? false
      }
      if (failure.code === 'former_password') this.formerAsked = true
      if (failure.code === 'device_revoked') forgetDevice(name)
      if (failure.field === 'code') this.codeAsked = true
      if (failure.code === 'must_change_password' || failure.code.startsWith('password_')) this.newAsked = true
      if (this.known && failure.code === 'corrupted') this.damaged = true
      if (this.known && ['corrupted', 'sign_in', 'signed_out', 'token_reused', 'leased_out', 'vanished'].includes(failure.code)) {
        this.by = 'password'
        this.online = true
        this.boot = await bridge.call('boot').catch(() => this.boot) // what the end of a lease leaves to do
      }
      await this.updateComplete
      this.querySelector<HTMLElement>('[role=alert]')?.focus()
    } finally {
      this.busy = false
    }
  }

  private async writeLate(name: string): Promise<void> {
    try {
      await bridge.call('late', { name })
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private accounts() {
    const accounts = [...this.boot.accounts].sort((a, b) => collator.compare(a.display, b.display))
    return html`<h2>${t('signin.here')}</h2>
      <ul class="account-list">
        ${accounts.map(
          (account) => html`<li>
            <button @click=${() => this.choose(account.name)}>
              ${icon('person')}<span><strong>${account.display}</strong><span class="sub">${account.name}${account.unitName ? ` · ${account.unitName}` : ''}</span></span>
              <span class="account-state">${account.unsent + account.late ? t('signin.unsent', { n: number(account.unsent + account.late) }) : nothing}${account.leasedOut ? html`<span class="sub">${t('signin.leased_out')}</span>` : nothing}${account.borrowed ? html`<span class="sub">${t('signin.borrowed.short')}</span>` : nothing}</span>
              ${icon('next')}
            </button>
          </li>`,
        )}
      </ul>
      <button class="plain" @click=${() => this.choose('')}>${icon('add')}${t('signin.other')}</button>`
  }

  private form() {
    const { known, by } = this
    const online = !known || this.online
    const others = known ? (['password', ...new Set(this.openers.map(({ kind }) => kind))] as const).filter((kind) => (kind !== by || this.online) && !(known.leasedOut && kind !== 'pin')) : []
    return html`<form @submit=${this.submit}>
      ${this.boot.accounts.length ? html`<button type="button" class="plain back" @click=${() => (this.name = null)}>${icon('back')}${t('signin.here')}</button>` : nothing}
      <h2>${known ? t('signin.unlock', { who: known.display }) : t('signin.title')}</h2>
      ${known && !this.online && by !== 'pin' ? html`<p class="sub">${t('signin.unlock.offline')}</p>` : known?.leasedOut ? html`<p class="note note-amber">${icon('lock')}<span>${t('signin.leased_out.why')}</span></p>` : nothing}
      ${this.failure ? html`<p class="finding finding-E" role="alert" tabindex="-1">${icon('warning')}${this.failure}</p>` : nothing}
      ${known
        ? html`<input type="hidden" name="username" autocomplete="username" .value=${known.name} />`
        : html`<label class="field"><span class="label">${t('signin.name')}</span><input name="name" required autocomplete="username" autocapitalize="off" spellcheck="false" /></label>`}
      ${by === 'password' || online
        ? html`<label class="field"><span class="label">${t('signin.password')}</span><input name="password" type="password" required autocomplete="current-password" /></label>`
        : by === 'pin'
          ? html`<label class="field"><span class="label">${t('openers.pin')}</span><input name="pin" type="password" inputmode="numeric" pattern="[0-9]*" maxlength="12" required autocomplete="off" class="figures" /><span class="sub">${t('openers.pin.needs')}</span></label>`
          : html`<p>${t('openers.passkey.use')}</p>`}
      ${this.formerAsked ? html`<label class="field"><span class="label">${t('signin.former')}</span><input name="former" type="password" required autocomplete="off" /><span class="sub">${t('signin.former.why')}</span></label>` : nothing}
      ${this.newAsked ? html`<label class="field"><span class="label">${t('password.new')}</span><input name="new" type="password" required minlength="10" autocomplete="new-password" /><span class="sub">${t('password.hint')}</span></label>` : nothing}
      ${online
        ? html`<details class="quiet" ?open=${this.codeAsked}>
              <summary>${t('signin.code')}</summary>
              <label class="field"><span class="label">${t('signin.code.label')}</span><input name="code" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" class="figures" /><span class="sub">${t('signin.code.why')}</span></label>
            </details>
            ${known && this.damaged ? html`<label class="check"><input type="checkbox" name="anew" /><span>${t('signin.anew')}<span class="sub">${t('signin.anew.why')}</span></span></label>` : nothing}
            <label class="check"><input type="checkbox" name="borrowed" .checked=${known?.borrowed ?? false} /><span>${t('signin.borrowed')}<span class="sub">${t('signin.borrowed.why')}</span></span></label>`
        : nothing}
      <div class="actions">
        <button class="main wide" ?disabled=${this.busy}>${this.busy ? t('signin.busy') : known && !this.online ? t('signin.open') : t('signin.enter')}</button>
        ${others.map((kind) => html`<button type="button" class="plain" @click=${() => this.turn(kind)}>${t(`signin.by.${kind}`)}</button>`)}
        ${known && !this.online ? html`<button type="button" class="plain" @click=${() => this.turn('password', true)}>${t('signin.online')}</button>` : nothing}
      </div>
      ${known?.mayWriteLate
        ? html`<div class="late-door"><p class="sub">${t('late.door')}</p><button type="button" @click=${() => void this.writeLate(known.name)}>${icon('add')}${t('late.begin')}</button></div>`
        : nothing}
    </form>`
  }

  /** How far the first visit's download is. */
  private program() {
    const progress = loading()
    if (!progress) return nothing
    const left = progress.left === null ? '' : t('signin.loading.left', { time: span(progress.left) })
    if (progress.stopped) return html`<p class="note note-amber" role="status">${icon('warning')}<span>${t('signin.loading.stopped')}</span></p>`
    return html`<div class="loading">
      <p class="sub">${t('signin.loading', { percent: Math.floor(progress.part * 100) })}${left}</p>
      <progress max="1" .value=${progress.part} aria-label=${t('signin.loading.label')}></progress>
      <p class="sub">${t('signin.loading.why')}</p>
    </div>`
  }

  /** Sealed work that waits here for a network, or that the server would not have. */
  private waiting() {
    const { rescues } = this.boot
    const refused = rescues.find((one) => one.refused)?.refused
    return html`<p class="note note-amber">${icon('clock')}<span>${t('rescue.waits', { n: number(rescues.length) })} ${refused ? tFailure(refused) : ''}</span></p>`
  }

  /** The server has closed the device or the account while it was open here. */
  private shutOut() {
    const closed = lastClosed()
    if (!closed) return nothing
    return html`<p class="note note-red">${icon('warning')}<span>${t('signin.closed', { account: closed.account, at: when(closed.at) })}${closed.drafts ? ` ${t('signin.closed.drafts', { n: number(closed.drafts) })}` : ''}</span></p>`
  }

  override render() {
    const { why } = this.boot
    return html`<main class="sign-in" id="main">
      <div class="sign-in-head">
        <h1>${mark()}<span>Wardbook<span class="sub">${t('product')}</span></span></h1>
        ${langSwitch()}
      </div>
      <div class="sheet">
        ${why ? html`<p class="note note-amber">${icon('warning')}<span><strong>${t('signin.no_store')}</strong> ${tFailure(why)} ${t('signin.no_store.how')}</span></p>` : nothing}
        ${this.shutOut()}
        ${untested ? html`<p class="note note-amber">${icon('warning')}<span>${t('signin.safari')}</span></p>` : nothing}
        ${this.name === null ? this.accounts() : this.form()}
      </div>
      ${this.program()}
      ${this.boot.rescues.length ? this.waiting() : nothing}
      <details class="quiet protect rescue-in">
        <summary>${icon('inbox')}${t('rescue.in')}</summary>
        <wb-rescue-in></wb-rescue-in>
      </details>
      <details class="quiet protect">
        <summary>${icon('lock')}${t('protect.title')}</summary>
        <p>${t('protect.does')}</p>
        <p>${t('protect.does_not')}</p>
      </details>
      <p><a href=${hrefOf('help')}>${t('help')}</a></p>
    </main>`
  }
}
