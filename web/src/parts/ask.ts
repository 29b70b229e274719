import { html, nothing, type TemplateResult } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import { t } from '../text'
import { Part } from './part'

export interface Choice { value: string; label: string; tone?: 'main' | 'danger' }
export interface Question {
  title: string
  body?: TemplateResult | string
  choices: Choice[] // cancel is added
  reason?: { label: string; required: boolean; options?: { value: string; label: string }[] } // with options: one of them instead of a text
}
export interface Reply { value: string; reason: string }

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
    this.settle(null)
    this.question = question
    await this.updateComplete
    const dialog = this.querySelector('dialog')!
    this.querySelector('form')!.reset()
    dialog.returnValue = ''
    if (!dialog.open) dialog.showModal()
    return new Promise((resolve) => (this.settle = resolve))
  }

  private closed(): void {
    const dialog = this.querySelector('dialog')!
    const reason = this.querySelector<HTMLTextAreaElement | HTMLSelectElement>('.ask-reason')?.value.trim() ?? ''
    this.settle(dialog.returnValue ? { value: dialog.returnValue, reason } : null)
    this.settle = () => {}
  }

  override render() {
    const question = this.question
    return html`<dialog class="ask" aria-labelledby="ask-title" @close=${this.closed}>
      <form method="dialog">
        <h2 id="ask-title">${question?.title}</h2>
        ${question?.body ? html`<div class="ask-body">${question.body}</div>` : nothing}
        ${question?.reason
          ? html`<label class="field"><span class="label">${question.reason.label}</span>${question.reason.options
              ? html`<select class="ask-reason">${question.reason.options.map((option) => html`<option value=${option.value}>${option.label}</option>`)}</select>`
              : html`<textarea class="ask-reason" rows="3" ?required=${question.reason.required} maxlength="500"></textarea>`}</label>`
          : nothing}
        <div class="actions">
          ${question?.choices.map((choice) => html`<button value=${choice.value} class=${choice.tone ?? ''}>${choice.label}</button>`)}
          <button value="" class="plain" formnovalidate>${t('cancel')}</button>
        </div>
      </form>
    </dialog>`
  }
}
