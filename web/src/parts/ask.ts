import { html, nothing, type TemplateResult } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import { keyed } from 'lit/directives/keyed.js'
import { t } from '../text'
import { Part } from './part'

export interface Choice { value: string; label: string; tone?: 'main' | 'danger' }
export interface Question {
  title: string
  body?: TemplateResult | string
  choices: Choice[] // cancel is added
  ticks?: { value: string; label: string; on: boolean }[] // at least one has to be ticked
  reason?: { label: string; required: boolean; options?: { value: string; label: string }[] } // with options: one of them instead of a text
}
export interface Reply { value: string; reason: string; ticks: string[] }

let asker: Asker | null = null

/** Asks in a dialog. Null when it was closed without a choice. */
export const ask = (question: Question): Promise<Reply | null> => asker!.put(question)

/** The one dialog for confirmations. */
@customElement('wb-asker')
export class Asker extends Part {
  @state() private question: Question | null = null
  private settle: (reply: Reply | null) => void = () => {}

  protected override connected(): void {
    asker = this
  }

  async put(question: Question): Promise<Reply | null> {
    const dialog = this.querySelector('dialog')!
    if (dialog.open) this.settle(null)
    else this.closed() // what was answered is, though the browser has not told it yet
    this.question = question
    await this.updateComplete
    this.querySelector('form')!.reset()
    this.ticked()
    dialog.returnValue = ''
    if (!dialog.open) dialog.showModal()
    if (!question.ticks || question.ticks.some((tick) => tick.on)) this.querySelector<HTMLElement>('.ask-reason')?.focus()
    return new Promise((resolve) => (this.settle = resolve))
  }

  private closed(): void {
    const dialog = this.querySelector('dialog')!
    if (dialog.open) return // the next question's
    const reason = this.querySelector<HTMLTextAreaElement | HTMLSelectElement>('.ask-reason')?.value.trim() ?? ''
    const ticks = [...this.querySelectorAll<HTMLInputElement>('.ask-ticks input:checked')].map((tick) => tick.value)
    this.settle(dialog.returnValue ? { value: dialog.returnValue, reason, ticks } : null)
    this.settle = () => {}
  }

  /** Ctrl+Enter in a text answers with the first choice. */
  private key(event: KeyboardEvent): void {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.querySelector<HTMLButtonElement>('.actions button')?.click()
  }

  /** The form cannot be sent before one box is ticked; the browser says so at the first. */
  private ticked(): void {
    const boxes = [...this.querySelectorAll<HTMLInputElement>('.ask-ticks input')]
    boxes[0]?.setCustomValidity(boxes.some((box) => box.checked) ? '' : t('review.choose_fields'))
  }

  override render() {
    const question = this.question
    return html`<dialog class="ask" aria-labelledby="ask-title" @close=${this.closed} @keydown=${this.key}>
      <form method="dialog">
        <h2 id="ask-title">${question?.title}</h2>
        ${question?.body ? html`<div class="ask-body">${question.body}</div>` : nothing}
        ${question?.ticks
          ? html`<fieldset class="ask-ticks" @change=${this.ticked}>
              <legend class="away">${question.title}</legend>
              ${keyed(question, question.ticks.map((tick) => html`<label class="check"><input type="checkbox" value=${tick.value} ?checked=${tick.on} /><span>${tick.label}</span></label>`))}
            </fieldset>`
          : nothing}
        ${question?.reason
          ? html`<label class="field"><span class="label">${question.reason.label}</span>${question.reason.options
              ? html`<select class="ask-reason" ?required=${question.reason.required}>${question.reason.options.map((option) => html`<option value=${option.value}>${option.label}</option>`)}</select>`
              : html`<textarea class="ask-reason" rows="3" ?required=${question.reason.required} maxlength="500"></textarea>`}</label>`
          : nothing}
        <div class="actions">
          ${question?.choices.map((choice) => html`<button value=${choice.value} class=${choice.tone ?? ''}>${choice.label}</button>`)}
          <button value="" class="plain" formnovalidate>${question?.choices.length ? t('cancel') : t('close')}</button>
        </div>
      </form>
    </dialog>`
  }
}
