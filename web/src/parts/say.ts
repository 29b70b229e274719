import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import { tFailure } from '../text'
import { failureOf } from '../link'
import { icon } from './icon'
import { Part } from './part'

const words = new EventTarget()

/** Says something in passing, to eye and screen reader. */
export const say = (text: string, bad = false): void => void words.dispatchEvent(new CustomEvent('say', { detail: { text, bad } }))

/** Says why something was not done. It stays until it is closed. */
export const sayFailure = (cause: unknown): void => void words.dispatchEvent(new CustomEvent('say', { detail: { text: tFailure(failureOf(cause)), bad: true } }))

/** The one place where passing words appear. */
@customElement('wb-said')
export class Said extends Part {
  @state() private text = ''
  @state() private bad = false
  private timer = 0

  protected override connected(): void {
    this.listen(words, 'say', ({ detail }: CustomEvent<{ text: string; bad: boolean }>) => {
      clearTimeout(this.timer)
      this.text = detail.text
      this.bad = detail.bad
      if (!detail.bad) this.timer = window.setTimeout(() => (this.text = ''), 3500)
    })
  }

  override render() {
    return html`<div class="said" role="status" aria-live="polite">
      ${this.text
        ? html`<p class=${this.bad ? 'said-bad' : 'said-good'}>
            ${icon(this.bad ? 'warning' : 'check')}<span>${this.text}</span>
            <button class="plain" @click=${() => (this.text = '')} aria-label="×">${icon('close')}</button>
          </p>`
        : nothing}
    </div>`
  }
}
