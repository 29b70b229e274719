import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import type { Failure } from '../bridge'
import * as erasure from '../erasure'
import { failureOf } from '../link'
import { t, tCode, tFailure } from '../text'
import { icon } from './icon'
import { Part } from './part'

/** A record that somebody asks to have erased, or the request that somebody else made for it. */
interface Subject { record: string; title: string; request?: erasure.Erasure }

/** Asks for an erasure by law, or confirms one: what it means, why, and who it is that decides. */
@customElement('wb-erase')
export class Erase extends Part {
  @state() private subject: Subject | null = null
  @state() private busy = false
  @state() private failure: Failure | null = null
  private settle: (done: boolean) => void = () => {}

  private get dialog(): HTMLDialogElement {
    return this.querySelector('dialog')!
  }

  /** Whether it was done. */
  async put(subject: Subject): Promise<boolean> {
    this.settle(false)
    this.subject = subject
    this.failure = null
    await this.updateComplete
    this.querySelector('form')!.reset()
    this.dialog.showModal()
    return new Promise((resolve) => (this.settle = resolve))
  }

  private async send(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const { record, request } = this.subject!
    const form = new FormData(event.target as HTMLFormElement)
    const text = (name: string) => String(form.get(name) ?? '')
    this.busy = true
    this.failure = null
    try {
      await (request ? erasure.confirm(request.id, text('password')) : erasure.askFor(record, text('ground'), text('reason'), text('password')))
      this.end(true)
    } catch (cause) {
      this.failure = failureOf(cause)
      await this.updateComplete
      this.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
      this.querySelector('.finding')?.scrollIntoView({ block: 'nearest' })
    } finally {
      this.busy = false
    }
  }

  private end(done: boolean): void {
    this.settle(done)
    this.settle = () => {}
    this.querySelector('form')!.reset() // no password stays in the page
    if (this.dialog.open) this.dialog.close()
  }

  /** Whether the server named this field. */
  private wrong(field: string): boolean {
    return this.failure !== null && (this.failure.field === field || (field === 'password' && this.failure.code === 'bad_credentials'))
  }

  private finding(field: string) {
    return this.wrong(field) ? html`<span class="finding finding-E" id="erase-${field}" role="alert">${icon('warning')}${tFailure(this.failure!)}</span>` : nothing
  }

  private invalid(field: string) {
    return this.wrong(field) ? 'true' : 'false'
  }

  override render() {
    const { subject, failure } = this
    const asks = !subject?.request
    return html`<dialog class="erase" aria-labelledby="erase-title" @close=${() => this.end(false)}>
      <form @submit=${this.send}>
        <h2 id="erase-title">${t(asks ? 'erase.title' : 'erase.confirm.title', { what: subject?.title ?? '' })}</h2>
        <ul class="reasons ask-body">
          <li>${t('erase.means.all')}</li>
          <li><strong>${t('erase.means.final')}</strong></li>
          ${asks ? html`<li>${t('erase.means.second')}</li>` : nothing}
          <li>${t('erase.means.backups')}</li>
          <li>${t('erase.means.others')}</li>
        </ul>
        ${failure && !['ground', 'reason', 'password'].some((field) => this.wrong(field)) ? html`<p class="finding finding-E" role="alert">${icon('warning')}${tFailure(failure)}</p>` : nothing}
        ${asks
          ? html`<label class="field"><span class="label">${t('erase.ground')}</span><select name="ground" required aria-invalid=${this.invalid('ground')}><option value="">${t('erase.ground.choose')}</option>${erasure.grounds.map((ground) => html`<option value=${ground}>${tCode('erase.ground', ground)}</option>`)}</select>${this.finding('ground')}</label>
              <label class="field"><span class="label">${t('review.reason')}</span><textarea name="reason" rows="2" required maxlength="2000" aria-invalid=${this.invalid('reason')}></textarea><span class="sub">${t('erase.reason.hint')}</span>${this.finding('reason')}</label>`
          : nothing}
        <label class="field"><span class="label">${t('signin.password')}</span><input name="password" type="password" autocomplete="current-password" maxlength="200" aria-invalid=${this.invalid('password')} />${this.finding('password')}<span class="sub">${t('erase.password.hint')}</span></label>
        <div class="actions"><button class="danger" ?disabled=${this.busy}>${t(asks ? 'erase.ask' : 'erase.confirm')}</button><button type="button" class="plain" @click=${() => this.end(false)}>${t('cancel')}</button></div>
      </form>
    </dialog>`
  }
}
