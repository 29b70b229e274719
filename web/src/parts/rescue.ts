import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import type { HandedIn } from '../bridge'
import { bridge, failureOf } from '../link'
import { save } from '../save'
import { t, tFailure } from '../text'
import { number } from '../text/format'
import { icon } from './icon'
import { Part } from './part'
import { say, sayFailure } from './say'

/** Saves everything unsent into a rescue file, which the browser downloads. */
export async function saveRescue(): Promise<boolean> {
  try {
    const account = (await bridge.call('session'))?.account.name ?? ''
    const { file, count } = await bridge.call('rescue')
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0))
    const at = new Date()
    const two = (n: number) => String(n).padStart(2, '0')
    save(new Blob([bytes], { type: 'application/octet-stream' }), `wardbook-${account}-${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}-${two(at.getHours())}${two(at.getMinutes())}.wbrescue`)
    say(t('rescue.saved', { n: number(count) }))
    return true
  } catch (cause) {
    sayFailure(cause)
    return false
  }
}

/** What the server did with a file, in words. */
function outcome(reply: HandedIn | { kept: true }): string {
  if ('kept' in reply) return t('rescue.kept')
  const { applied, quarantined, repeated } = reply
  return t('rescue.taken', { applied: number(applied), quarantined: number(quarantined), repeated: number(repeated) })
}

/** Takes in a rescue file that somebody brings; nobody need be signed in. */
@customElement('wb-rescue-in')
export class RescueIn extends Part {
  @state() private busy = false
  @state() private said = ''
  @state() private failure = ''

  private async take(event: Event): Promise<void> {
    const input = event.target as HTMLInputElement
    const [file] = input.files ?? []
    if (!file) return
    this.busy = true
    this.said = this.failure = ''
    try {
      const bytes = new Uint8Array(await file.arrayBuffer())
      let text = ''
      for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
      this.said = outcome(await bridge.call('handIn', { file: btoa(text) }))
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    } finally {
      this.busy = false
      input.value = ''
    }
  }

  override render() {
    return html`<p class="sub">${t('rescue.in.why')}</p>
      <label class="field"><span class="label">${t('rescue.in.file')}</span><input type="file" name="rescue" accept=".wbrescue,application/octet-stream" ?disabled=${this.busy} @change=${this.take} /></label>
      <div role="status" aria-live="polite">
        ${this.busy ? html`<p class="sub">${t('rescue.in.busy')}</p>` : nothing}
        ${this.said ? html`<p class="note note-green rescue-said">${icon('check')}<span>${this.said}</span></p>` : nothing}
        ${this.failure ? html`<p class="note note-red rescue-said">${icon('warning')}<span>${this.failure}</span></p>` : nothing}
      </div>`
  }
}
