import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { CardReply, Definition } from '../bridge'
import { fieldOf, inLang } from '../definition'
import { bridge, failureOf } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { qrReader } from '../parts/reader'
import { sayFailure } from '../parts/say'
import { go, hrefOf } from '../route'
import { t, tFailure } from '../text'

const EACH = 120 // ms between two looks through the camera
const GLANCE = 60 // ms that one look may take
const STUDY = 1500 // ms that a picture may take

/** What the card says otherwise than the record that was just opened from it. It is in memory only. */
let told: { record: string; differences: CardReply['differences'] } | null = null

/** The differences to show beside a record, until it is left; null if no card led to it. */
export const cardOf = (record: string): CardReply['differences'] | null => (told?.record === record ? told.differences : null)
export const forgetCard = (): void => void (told = null)

/** Whether the register is one of people, whom a card may name. */
export const takesCards = (definition: Definition): boolean => !!fieldOf(definition, 'personal_id') && !!fieldOf(definition, 'full_name')

/** Reads an identity card by the camera or from a picture, then opens its bearer's record, or a new one that is filled. */
@customElement('wb-card')
export class Card extends Part {
  @property({ attribute: false }) definition!: Definition
  @state() private camera: 'asking' | 'on' | 'off' = 'asking'
  @state() private why = ''
  private stream: MediaStream | null = null
  private found = false

  protected override connected(): void {
    void this.open()
    this.until(() => {
      this.found = true
      this.close()
    })
  }

  private close(): void {
    for (const track of this.stream?.getTracks() ?? []) track.stop()
    this.stream = null
  }

  private async open(): Promise<void> {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false })
      if (this.found) return stream.getTracks().forEach((track) => track.stop())
      this.stream = stream
      this.camera = 'on'
      await this.updateComplete
      const video = this.querySelector('video')!
      video.srcObject = stream
      await video.play()
      const read = await qrReader()
      while (!this.found) {
        const text = video.videoWidth ? await read(video, video.videoWidth, video.videoHeight, GLANCE) : null
        if (text !== null && !this.found && (await this.understood(text))) return
        await new Promise((resolve) => setTimeout(resolve, EACH))
      }
    } catch (cause) {
      if (this.found) return
      this.close()
      this.camera = 'off'
      const name = cause instanceof DOMException ? cause.name : ''
      this.why = name === 'NotAllowedError' ? t('card.refused') : name === 'NotFoundError' || !navigator.mediaDevices ? t('card.no_camera') : t('card.camera_failed')
    }
  }

  private async picture(event: Event): Promise<void> {
    const input = event.target as HTMLInputElement
    const [file] = input.files ?? []
    if (!file) return
    try {
      const bitmap = await createImageBitmap(file)
      const read = await qrReader()
      const text = await read(bitmap, bitmap.width, bitmap.height, STUDY)
      bitmap.close()
      if (text === null) this.why = t('card.none')
      else await this.understood(text)
    } catch {
      this.why = t('card.no_picture')
    } finally {
      input.value = '' // the page keeps no picture of a card
    }
  }

  /** Goes to where the card leads; false if it was no card. */
  private async understood(text: string): Promise<boolean> {
    let reply: CardReply
    try {
      reply = await bridge.call('card', { register: this.definition.id, text })
    } catch (cause) {
      this.why = tFailure(failureOf(cause))
      return false
    }
    this.found = true
    this.close()
    try {
      if (reply.record) {
        told = { record: reply.record, differences: reply.differences }
        go(hrefOf('register', this.definition.id, reply.record), { replace: true })
        return true
      }
      const form = await bridge.call('open', { register: this.definition.id })
      await bridge.call('draft', { key: form.key, values: { ...form.values, ...reply.values } })
      go(`${hrefOf('new', this.definition.id)}?draft=${encodeURIComponent(form.key)}${reply.complete ? '' : '&partial=1'}`, { replace: true })
    } catch (cause) {
      sayFailure(cause)
    }
    return true
  }

  override render() {
    return html`<div class="page card-page">
      <a class="button plain back" href=${hrefOf('register', this.definition.id)}>${icon('back')}<span>${inLang(this.definition.label)}</span></a>
      <h1>${t('card.title')}</h1>
      <p class="sub">${t('card.how')}</p>
      ${this.camera === 'off' ? nothing : html`<div class="card-view">${this.camera === 'on' ? html`<video playsinline muted aria-label=${t('card.view')}></video>` : html`<p>${t('card.asking')}</p>`}</div>`}
      ${this.why ? html`<p class="note note-amber" role="alert">${icon('warning')}<span>${this.why}</span></p>` : nothing}
      <div class="actions">
        <label class="button ${this.camera === 'off' ? 'main' : ''}">${icon('card')}<span>${t('card.picture')}</span><input class="away" type="file" accept="image/*" @change=${(event: Event) => void this.picture(event)} /></label>
        <a class="button" href=${hrefOf('new', this.definition.id)}>${t('card.type')}</a>
      </div>
      <p class="sub">${t('card.kept')}</p>
    </div>`
  }
}
