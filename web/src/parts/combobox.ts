import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { t } from '../text'
import { Part } from './part'

export interface Option { code: string; label: string }

/** Letters without diacritics, đ as d: for finding only. */
export const folded = (text: string): string => text.normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase().replaceAll('đ', 'd')

const SHOWN = 30

/** Finds the options that hold every word of the search, those that begin with it first. */
export function find(options: Option[], search: string): Option[] {
  const words = folded(search).split(/\s+/).filter(Boolean)
  const hits = options.filter((option) => {
    const label = folded(`${option.label} ${option.code}`)
    return words.every((word) => label.includes(word))
  })
  const begins = folded(search.trim())
  return hits.sort((a, b) => Number(folded(b.label).startsWith(begins)) - Number(folded(a.label).startsWith(begins))).slice(0, SHOWN)
}

/**
 * One choice out of many by typing a part of it. Emits `pick` with the option,
 * or null when it was cleared. With `free`, text that is no option stays and is
 * emitted as `text` on leaving.
 */
@customElement('wb-combobox')
export class Combobox extends Part {
  @property() inputId = ''
  @property() text = '' // the label of the present choice
  @property({ attribute: false }) search: (text: string) => Option[] | Promise<Option[]> = () => []
  @property({ type: Boolean }) free = false
  @property({ type: Boolean }) disabled = false
  @property({ type: Boolean }) required = false
  @property() describedBy = ''
  @property({ type: Boolean }) bad = false
  @property() hint = ''

  @state() private options: Option[] = []
  @state() private open = false
  @state() private at = -1
  private asked = 0
  private coming: Promise<void> = Promise.resolve() // the answer to what was typed last: keys pressed before it are about it
  private found = '' // the text that the options answer
  private typed = false
  private deciding = false // Enter waits for that answer

  private look(): Promise<void> {
    return (this.coming = this.ask())
  }

  private async ask(): Promise<void> {
    const asked = ++this.asked
    const text = this.input.value
    const options = await this.search(text)
    if (asked !== this.asked) return
    this.found = text
    const chosen = this.open ? this.options[this.at]?.code : undefined // with the arrows, while this was on its way
    this.options = options
    this.at = options.length === 1 ? 0 : options.findIndex(({ code }) => code === chosen)
    this.open = true
  }

  private get input(): HTMLInputElement {
    return this.querySelector('input')!
  }

  private onInput(): void {
    this.typed = true
    void this.look()
  }

  private pick(option: Option | null): void {
    this.asked++
    this.typed = false
    this.open = false
    this.text = option?.label ?? ''
    this.input.value = this.text
    this.dispatchEvent(new CustomEvent('pick', { detail: option }))
  }

  private onKey(event: KeyboardEvent): void {
    if (event.isComposing) return
    if (event.key === 'Escape' && this.open) {
      event.stopPropagation()
      this.open = false
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (!this.open) return void this.look()
      const step = event.key === 'ArrowDown' ? 1 : -1
      void this.coming.then(() => this.step(step))
    } else if (event.key === 'Enter' && this.open) {
      event.preventDefault()
      this.deciding = true
      void this.coming.finally(() => {
        this.deciding = false
        const option = this.options[this.at]
        if (option && this.open) this.pick(option)
        else if (!this.contains(document.activeElement)) this.leave()
      })
    }
  }

  private step(by: 1 | -1): void {
    const n = this.options.length
    this.at = n === 0 ? -1 : this.at < 0 ? (by > 0 ? 0 : n - 1) : (this.at + by + n) % n
  }

  private left(event: FocusEvent): void {
    if (this.deciding || (event.relatedTarget instanceof Node && this.contains(event.relatedTarget))) return
    this.leave()
  }

  private leave(): void {
    this.asked++ // no list opens over the next field
    this.open = false
    if (!this.typed) return
    const text = this.input.value.trim()
    const exact = this.options.find((option) => folded(option.label) === folded(text)) ?? (this.at >= 0 && !this.free && this.found === this.input.value ? this.options[this.at] : undefined)
    if (!text) this.pick(null)
    else if (exact) this.pick(exact)
    else if (this.free) {
      this.typed = false
      this.text = text
      this.dispatchEvent(new CustomEvent('text', { detail: text }))
    } else {
      this.typed = false
      this.input.value = this.text // an unfinished search is no choice
    }
  }

  protected override updated(): void {
    this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }

  override render() {
    const list = `${this.inputId}-list`
    return html`<div class="combobox" @focusout=${this.left}>
      <input
        id=${this.inputId}
        type="text"
        role="combobox"
        autocomplete="off"
        autocapitalize="off"
        spellcheck="false"
        aria-autocomplete="list"
        aria-expanded=${this.open}
        aria-controls=${list}
        aria-activedescendant=${this.open && this.at >= 0 ? `${list}-${this.at}` : nothing}
        aria-describedby=${this.describedBy || nothing}
        aria-invalid=${this.bad}
        aria-required=${this.required || nothing}
        placeholder=${this.hint || t('combobox.hint')}
        .value=${this.text}
        ?disabled=${this.disabled}
        @input=${this.onInput}
        @click=${() => void this.look()}
        @keydown=${this.onKey}
      />
      <ul id=${list} role="listbox" ?hidden=${!this.open} aria-label=${t('combobox.options')}>
        ${this.options.map(
          (option, i) => html`<li id="${list}-${i}" role="option" aria-selected=${i === this.at} @pointerdown=${(event: Event) => event.preventDefault()} @click=${() => this.pick(option)}>${option.label}</li>`,
        )}
        ${this.options.length ? nothing : html`<li role="option" aria-disabled="true" aria-selected="false" class="none">${t('combobox.none')}</li>`}
      </ul>
    </div>`
  }
}
