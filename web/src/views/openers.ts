import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Opener, Session } from '../bridge'
import { bridge, failureOf } from '../link'
import { makePasskey, NoPasskey, passkeysWork } from '../passkey'
import { ask } from '../parts/ask'
import { deviceName } from '../parts/device'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { t, tFailure } from '../text'
import { ago, day } from '../text/format'

/** What opens this account on this device, and what each protects from: the password always, a PIN and passkeys beside it. */
@customElement('wb-openers')
export class Openers extends Part {
  @property({ attribute: false }) session!: Session
  @state() private openers: Opener[] | null = null
  @state() private passkeys = false // this browser can make them
  @state() private adding: Opener['kind'] = 'pin'
  @state() private busy = false
  @state() private failure = ''

  protected override connected(): void {
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      this.passkeys = await passkeysWork()
      this.openers = await bridge.call('openers')
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private begin(kind: Opener['kind']): void {
    this.adding = kind
    this.failure = ''
    void this.updateComplete.then(() => {
      this.querySelector('form')!.reset()
      this.querySelector<HTMLDialogElement>('dialog')!.showModal()
    })
  }

  private async add(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = new FormData(event.target as HTMLFormElement)
    const text = (name: string) => String(form.get(name) ?? '')
    if (this.adding === 'pin' && text('pin') !== text('again')) {
      this.failure = t('openers.pin.differ')
      return
    }
    this.busy = true
    this.failure = ''
    try {
      const { account } = this.session
      const passkey = this.adding === 'passkey' ? { ...(await makePasskey(account)), label: deviceName(navigator.userAgent) } : undefined
      this.openers = await bridge.call('addOpener', { password: text('password'), ...(passkey ? { passkey } : { pin: text('pin') }) })
      this.querySelector<HTMLDialogElement>('dialog')!.close()
      say(t(passkey ? 'openers.passkey.added' : 'openers.pin.set'))
    } catch (cause) {
      this.failure = cause instanceof NoPasskey ? t(`openers.passkey.${cause.why}`) : tFailure(failureOf(cause))
    } finally {
      this.busy = false
    }
  }

  private async drop(opener: Opener): Promise<void> {
    const reply = await ask({ title: t(`openers.${opener.kind}.remove.title`), body: t(`openers.${opener.kind}.remove.body`), choices: [{ value: 'yes', label: t('openers.remove'), tone: 'danger' }] })
    if (!reply) return
    try {
      this.openers = await bridge.call('removeOpener', { id: opener.id })
      say(t('done'))
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private one(opener: Opener) {
    const used = opener.used ? t('openers.used', { ago: ago(opener.used) }) : t('openers.unused')
    return html`<p class="opener-since"><span>${opener.kind === 'passkey' && opener.label ? html`<strong>${opener.label}</strong> · ` : nothing}${t('openers.since', { day: day(opener.made) })} · ${used}</span>
      <button class="small danger" @click=${() => void this.drop(opener)}>${t('openers.remove')}<span class="away">: ${t(`openers.${opener.kind}`)} ${opener.label}</span></button></p>`
  }

  private kind(kind: Opener['kind'], openers: Opener[]) {
    const mine = openers.filter((opener) => opener.kind === kind)
    const offered = kind === 'pin' || this.passkeys
    return html`<li class="opener">
      ${icon(kind === 'pin' ? 'keypad' : 'key')}
      <div>
        <h2>${t(`openers.${kind}`)}</h2>
        <p>${t(`openers.${kind}.does`)}</p>
        ${mine.map((opener) => this.one(opener))}
        ${offered
          ? html`<button @click=${() => this.begin(kind)}>${t(kind === 'passkey' ? 'openers.passkey.add' : mine.length ? 'openers.pin.change' : 'openers.pin.add')}</button>`
          : html`<p class="note note-blue">${icon('warning')}<span>${t('openers.passkey.none')}</span></p>`}
        <p class="sub">${t(`openers.${kind}.does_not`)}</p>
      </div>
    </li>`
  }

  private dialog() {
    const pin = this.adding === 'pin'
    const digits = { pattern: '[0-9]{6,12}', title: t('openers.pin.hint') }
    return html`<dialog class="password" aria-labelledby="opener-title">
      <form @submit=${this.add}>
        <h2 id="opener-title">${t(pin ? 'openers.pin.add' : 'openers.passkey.add')}</h2>
        ${pin ? nothing : html`<p>${t('openers.passkey.next')}</p>`}
        ${this.failure ? html`<p class="finding finding-E" role="alert">${icon('warning')}${this.failure}</p>` : nothing}
        <input type="hidden" name="username" autocomplete="username" .value=${this.session.account.name} />
        ${pin
          ? html`<label class="field"><span class="label">${t('openers.pin.new')}</span><input name="pin" type="password" inputmode="numeric" autocomplete="off" required minlength="6" maxlength="12" pattern=${digits.pattern} title=${digits.title} class="figures" /><span class="sub">${t('openers.pin.hint')}</span></label>
              <label class="field"><span class="label">${t('openers.pin.again')}</span><input name="again" type="password" inputmode="numeric" autocomplete="off" required minlength="6" maxlength="12" pattern=${digits.pattern} title=${digits.title} class="figures" /></label>`
          : nothing}
        <label class="field"><span class="label">${t('signin.password')}</span><input name="password" type="password" required autocomplete="current-password" /><span class="sub">${t('openers.password.why')}</span></label>
        <div class="actions"><button class="main" ?disabled=${this.busy}>${this.busy ? t('signin.busy') : t(pin ? 'openers.pin.add' : 'openers.passkey.add')}</button><button type="button" class="plain" @click=${() => this.querySelector<HTMLDialogElement>('dialog')!.close()}>${t('cancel')}</button></div>
      </form>
    </dialog>`
  }

  override render() {
    const { openers } = this
    return html`<div class="page">
        <h1>${t('openers.title')}</h1>
        <p class="sub">${t('openers.why')}</p>
        ${openers
          ? html`<ul class="lines">
              <li class="opener">${icon('lock')}<div><h2>${t('signin.password')}</h2><p>${t('openers.password.does')}</p><p class="sub">${t('openers.password.does_not')}</p></div></li>
              ${this.kind('pin', openers)} ${this.kind('passkey', openers)}
            </ul>`
          : html`<p class="sub">${t('loading')}</p>`}
      </div>
      ${this.dialog()}`
  }
}
