import { html, nothing } from 'lit'
import { customElement, property } from 'lit/decorators.js'
import type { Account, Definition, FieldView, RecordView } from '../bridge'
import { codesOf, type Field, holds, sectionsOf } from '../definition'
import { lang } from '../text'
import { clock, day, upper } from '../text/format'
import { dateOf, paper, placeOf } from '../text/paper'
import { toCodes } from '../value'
import { Part } from './part'

/**
 * One record on A4 in the form of official papers. It is on paper only. What is
 * masked stays masked unless it was revealed in the open form, and what nobody
 * approved says so.
 */
@customElement('wb-paper')
export class Paper extends Part {
  @property({ attribute: false }) definition!: Definition
  @property({ attribute: false }) record!: RecordView
  @property({ attribute: false }) account!: Account
  @property({ attribute: false }) revealed: Record<string, string> = {}
  @property({ type: Boolean }) unsaved = false

  private get values(): Record<string, string> {
    return Object.fromEntries(this.record.fields.map((view) => [view.name, view.value || view.display]))
  }

  /** In Vietnamese also where the page is in English. */
  private shown(field: Field, view: FieldView): string {
    if (view.masked && view.name in this.revealed) return this.revealed[view.name]!
    if (view.masked || lang() === 'vi' || !field.code_list || field.type === 'group') return view.display
    const codes = codesOf(this.definition, field.code_list)
    return toCodes(view.value).map((value) => codes.find(({ code }) => code === value)?.vi ?? value).join('; ')
  }

  private row(field: Field, partly: boolean) {
    const view = this.record.fields.find(({ name }) => name === field.name)
    const torn = view && view.conflict.length > 1
    const said = !view ? '' : torn ? view.conflict.map(({ display }) => display || paper.empty).join(' / ') : this.shown(field, view)
    return html`<tr><th scope="row">${field.label.vi}</th><td>${torn ? html`<em>${paper.torn}</em> ` : nothing}<span class="data">${said || paper.empty}</span>${partly && said && view?.waiting ? ' (*)' : nothing}</td></tr>`
  }

  override render() {
    const { record, account, definition, values } = this
    const now = new Date()
    const approved = record.stage === 'approved'
    const filled = record.fields.filter(({ display }) => display)
    const waiting = filled.some((view) => view.waiting)
    const partly = waiting && filled.some((view) => !view.waiting)
    const masked = filled.filter((view) => view.masked)
    const notes = [
      partly ? paper.waiting : '',
      record.life === 'deleted' ? paper.deleted : record.life === 'alive' ? '' : paper.editedAndDeleted,
      record.place === 'local' ? paper.local : '',
      this.unsaved ? paper.unsaved : '',
      masked.some(({ name }) => !(name in this.revealed)) ? paper.masked : '',
      masked.some(({ name }) => name in this.revealed) ? paper.revealed : '',
    ].filter(Boolean)
    const title = record.fields.find(({ name }) => name === definition.title_field)?.display ?? ''
    return html`<div class="paper" lang="vi">
      <header>
        <div><p>${paper.committee}</p><p class="paper-strong paper-line">${upper(account.unitName)}</p></div>
        <div><p class="paper-strong">${paper.country}</p><p class="paper-strong paper-line">${paper.motto}</p><p class="paper-date">${placeOf(account.unitName)}, ${dateOf(now)}</p></div>
      </header>
      <h1>${paper.title}</h1>
      <p class="paper-about paper-line">${definition.label.vi}</p>
      <p class="paper-name data">${upper(title)}</p>
      <p class="paper-state">${approved ? record.approvedAt ? `${paper.approvedAt} ${clock(record.approvedAt)}, ${day(record.approvedAt)}.` : `${paper.approved}.` : `${paper.notApproved} (${paper.stages[record.stage]}).`}</p>
      ${sectionsOf(definition, values).map((section) => {
        const fields = section.fields.filter((field) => holds(field.applies_when, values) || values[field.name])
        return fields.length ? html`<table><caption>${section.label.vi}</caption><tbody>${fields.map((field) => this.row(field, partly))}</tbody></table>` : nothing
      })}
      ${notes.length ? html`<section class="paper-notes"><p><strong>${paper.notes}:</strong></p><ul>${notes.map((note) => html`<li>${note}</li>`)}</ul></section>` : nothing}
      <div class="paper-signs">
        <div><p class="paper-strong">${paper.checker}</p><p><em>${paper.sign}</em></p></div>
        <div><p class="paper-strong">${paper.printer}</p><p><em>${paper.sign}</em></p><p class="paper-signer">${account.display}</p></div>
      </div>
      <footer>${paper.record}: ${record.id}. ${paper.printed} ${clock(now.getTime())}, ${day(now.getTime())}.</footer>
    </div>`
  }
}
