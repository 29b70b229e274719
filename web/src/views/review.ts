import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Definition, Session } from '../bridge'
import { fieldOf, inLang } from '../definition'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import '../parts/field'
import type { FieldPart } from '../parts/field'
import '../parts/erase'
import type { Erase } from '../parts/erase'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { stage, tag } from '../parts/state'
import { nameOf } from '../people'
import * as review from '../review'
import type { Reason, ReviewField, ReviewRecord, Side } from '../review'
import { hrefOf } from '../route'
import { t, tCode, tFailure } from '../text'
import { number, when, within } from '../text/format'

/** One record before its supervisor: per field what was approved and what stands now, and where that came from. */
@customElement('wb-review')
export class Review extends Part {
  @property({ attribute: false }) session!: Session
  @property() recordId = ''
  @state() private record: ReviewRecord | null = null
  @state() private chosen = new Set<string>() // waiting fields that are ticked
  private touched = false // the supervisor has changed the ticks
  @state() private failure = ''
  @state() private changed = false // the record moved on since it was on the screen
  @state() private busy = false
  @state() private rest = false
  @state() private shown: Record<string, string> = {} // revealed values
  private loading = 0

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('recordId')) void this.load()
  }

  private async load(seen = ''): Promise<void> {
    const loading = ++this.loading
    this.failure = ''
    this.changed = this.rest = false
    this.shown = {}
    try {
      const record = await review.record(this.recordId, seen)
      if (loading !== this.loading) return
      this.take(record)
      await this.updateComplete
      if (document.activeElement?.matches('body, main')) this.querySelector<HTMLElement>('.record-head h1')?.focus({ preventScroll: true })
    } catch (cause) {
      if (loading !== this.loading) return
      this.record = null
      this.failure = tFailure(failureOf(cause))
    }
  }

  private take(record: ReviewRecord): void {
    this.record = record
    this.touched = false
    this.chosen = new Set(record.fields.filter((field) => field.waiting && !this.kept(field)).map((field) => field.name))
    this.querySelector('.review-body')?.scrollTo?.(0, 0)
  }

  /** What cannot be approved as it stands. */
  private kept(field: ReviewField): boolean {
    return field.conflict || !field.submitted || field.own_work === true || field.findings.some((finding) => finding.level === 'E')
  }

  private get definition(): Definition | undefined {
    return this.session.registers.find((register) => register.id === this.record?.register)
  }

  /** As they stand in a sentence. */
  private labels(names: Iterable<string>): string {
    const known = new Map(this.record!.fields.map((field) => [field.name, within(field.label)]))
    return [...names].map((name) => known.get(name) ?? (name === 'life' ? t('review.life') : name)).join(', ')
  }

  /** Carries out one decision. If the record has moved on, what changed comes back on top and nothing was decided. */
  private async decide(make: () => Promise<unknown>, said: string): Promise<boolean> {
    if (this.busy) return false
    this.busy = true
    try {
      await make()
      say(said)
      return true
    } catch (cause) {
      if (failureOf(cause).code === 'changed' && this.open) {
        await this.load(this.open.digest)
        this.changed = true
      } else {
        sayFailure(cause)
      }
      return false
    } finally {
      this.busy = false
    }
  }

  private gone(id: string): void {
    this.dispatchEvent(new CustomEvent('done', { detail: { id } }))
  }

  /** What may be decided: the record that is on the screen, unless another one is on its way. */
  private get open(): ReviewRecord | null {
    return this.record?.id === this.recordId ? this.record : null
  }

  private get waiting(): ReviewField[] {
    return this.record?.fields.filter((field) => field.waiting || field.conflict) ?? []
  }

  /** What waits in the order in which to look at it. */
  private get sorted(): ReviewField[] {
    const order = (field: ReviewField) => (field.changed_since_seen ? 0 : field.conflict ? 1 : field.high_risk && field.waiting ? 2 : field.waiting ? 3 : 4)
    return this.waiting.sort((a, b) => order(a) - order(b))
  }

  async approve(): Promise<void> {
    const { open: record, chosen } = this
    if (!record) return
    const { waiting: waits } = record.life
    if (!chosen.size && !waits) return say(t('review.choose_fields'), true)
    const erases = waits && record.life.state === 'deleted'
    if (erases) {
      const reply = await ask({ title: t('review.erase.title', { what: record.title }), body: t('review.erase.body'), choices: [{ value: 'yes', label: t('review.erase'), tone: 'danger' }] })
      if (!reply) return
    }
    const all = waits || this.waiting.every((field) => chosen.has(field.name))
    const doubts = this.waiting.filter((field) => chosen.has(field.name) && field.findings.some((finding) => finding.level === 'W' && !finding.reason))
    if (doubts.length) {
      const reply = await ask({ title: t('review.warnings.title'), body: t('review.warnings.body', { fields: this.labels(doubts.map((field) => field.name)) }), choices: [{ value: 'yes', label: t('review.approve'), tone: 'main' }] })
      if (!reply) return
    }
    if (await this.decide(() => review.approve(record.id, record.digest, all ? undefined : [...chosen], doubts.length > 0), erases ? t('review.erased', { what: record.title }) : all ? t('review.approved', { what: record.title }) : t('review.approved.part', { n: number(chosen.size), of: number(this.waiting.length), what: record.title }))) {
      if (all) this.gone(record.id)
      else await this.load()
    }
  }

  /** The fields that a decision may name. Before the supervisor has ticked any, a refusal offers all and a question none, or the only one. */
  private offered(all: boolean) {
    const { waiting } = this
    const fields = waiting.map(({ name, label }) => ({ value: name, label, on: this.touched ? this.chosen.has(name) : all || waiting.length === 1 }))
    return this.record!.life.waiting ? [{ value: 'life', label: t('review.life'), on: true }, ...fields] : fields
  }

  async giveBack(): Promise<void> {
    const { open: record } = this
    if (!record) return
    const reply = await ask({
      title: t('review.return.title'),
      body: t('review.return.body'),
      ticks: this.offered(false),
      reason: { label: t('review.comment'), required: true },
      choices: [{ value: 'yes', label: t('review.return'), tone: 'main' }],
    })
    if (reply && (await this.decide(() => review.giveBack(record.id, record.digest, reply.ticks, reply.reason), t('review.returned')))) this.gone(record.id)
  }

  async refuse(): Promise<void> {
    const { open: record } = this
    if (!record) return
    const { waiting } = record.life
    const reply = await ask({
      title: t('review.refuse.title'),
      body: waiting ? t('review.refuse.life') : t('review.refuse.body'),
      ...(!waiting && { ticks: this.offered(true) }),
      reason: { label: t('review.reason'), required: true },
      choices: [{ value: 'yes', label: t('review.refuse'), tone: 'danger' }],
    })
    if (!reply) return
    const all = waiting || reply.ticks.length === this.waiting.length
    if (await this.decide(() => review.refuse(record.id, record.digest, all ? undefined : reply.ticks, reply.reason), all ? t('review.refused', { what: record.title }) : t('review.refused.part', { n: number(reply.ticks.length), of: number(this.waiting.length), what: record.title }))) {
      if (all) this.gone(record.id)
      else await this.load()
    }
  }

  private async withdraw(): Promise<void> {
    const { open: record } = this
    if (!record) return
    const reply = await ask({
      title: t('review.withdraw.title'),
      body: t('review.withdraw.body'),
      reason: { label: t('review.reason'), required: true },
      choices: [{ value: 'yes', label: t('review.withdraw'), tone: 'danger' }],
    })
    if (reply && (await this.decide(() => review.withdraw(record.id, reply.reason), t('review.withdrawn')))) await this.load()
  }

  private async eraseByLaw(): Promise<void> {
    const { open: record } = this
    if (!record || !(await this.querySelector<Erase>('wb-erase')!.put({ record: record.id, title: record.title || t('record.untitled') }))) return
    say(t('erase.asked'))
    dispatchEvent(new Event('erasures'))
  }

  private async settle(field: string, choice: { dot?: string; value?: string }): Promise<void> {
    const { open: record } = this
    if (!record) return
    await this.decide(async () => {
      const settled = await review.settle(record.id, record.digest, field, choice)
      if (this.open?.id === settled.id) this.take(settled)
    }, t('conflict.settled'))
  }

  private async third(field: ReviewField): Promise<void> {
    const definition = this.definition
    const defined = definition && fieldOf(definition, field.name)
    if (!defined) return
    let value = ''
    const edit = ({ detail, target }: CustomEvent<{ name: string; value: string }>) => {
      value = detail.value
      ;(target as unknown as FieldPart).values = { [detail.name]: value }
    }
    const reply = await ask({
      title: t('conflict.third'),
      body: html`<p>${t('review.third.body')}</p><wb-field .definition=${definition} .field=${defined} .values=${{}} @edit=${edit}></wb-field>`,
      choices: [{ value: 'yes', label: t('conflict.take_third'), tone: 'main' }],
    })
    if (reply && value) await this.settle(field.name, { value })
  }

  private async reveal(name: string): Promise<void> {
    try {
      const { display } = await review.reveal(this.record!.id, name)
      this.shown = { ...this.shown, [name]: display }
    } catch (cause) {
      sayFailure(cause)
    }
  }

  /** Settles the first field that has several values, by the place of a value in it; for the keyboard. */
  async settleAt(place: number): Promise<void> {
    const torn = this.sorted.find((field) => field.conflict)
    const dot = torn?.siblings[place - 1]?.dot
    if (torn && dot) await this.settle(torn.name, { dot })
  }

  /** Why this record is not approved unseen, each reason in one line. */
  private reasons(record: ReviewRecord) {
    const lines = record.reasons.filter((reason) => !['conflict', 'edited_and_deleted', 'deletion', 'nothing_waiting'].includes(reason.code)) // these have places of their own
    if (!lines.length) return nothing
    return html`<section class="note note-amber" aria-labelledby="why">${icon('eye')}
      <div><h2 id="why" class="note-title">${t(record.may_approve ? 'review.why' : 'review.may_not')}</h2><ul class="why-list">${lines.map((reason) => html`<li>${this.reason(reason)}</li>`)}</ul></div>
    </section>`
  }

  private reason({ code, fields, pattern, with: twins }: Reason) {
    const about = fields.length && code !== 'draft' ? html`: ${this.labels(fields)}` : nothing
    if (pattern) {
      const { kind, author, count, of, others, of_others } = pattern
      const places = { who: nameOf(author), field: this.labels(fields), n: number(count), of: number(of), others: number(others), of_others: number(of_others) }
      return html`<strong>${tCode('why', code)}</strong>: ${t(kind === 'pace' ? (of_others ? 'pattern.pace' : 'pattern.pace.alone') : of_others ? 'pattern.same' : 'pattern.same.alone', places)} <span class="sub">${t('pattern.may_be')}</span>`
    }
    if (twins) return html`<strong>${tCode('why', code)}</strong>${about}. ${twins.map((twin, i) => html` <a href=${hrefOf('desk', twin.id)}>${t('review.twin', { n: i + 1 })}</a>`)}`
    return html`<strong>${tCode('why', code)}</strong>${about}`
  }

  private toggle(name: string, on: boolean): void {
    const chosen = new Set(this.chosen)
    if (on) chosen.add(name)
    else chosen.delete(name)
    this.chosen = chosen
    this.touched = true
  }

  private side(side: Side | null, name: string, current: boolean) {
    if (!side) return html`<span class="sub">${t('value.none_yet')}</span>`
    return html`<span class="data value">${(current && this.shown[name]) || side.display || t('value.empty')}</span>
      <span class="sub">${nameOf(side.by)}${side.source ? ` · ${tCode('source', side.source)}` : ''} · ${t('time.device', { at: when(side.at) })}${side.received ? ` · ${t('time.server', { at: when(side.received) })}` : ''}</span>`
  }

  private field(field: ReviewField) {
    const masked = field.masked && !!field.merged?.display && !this.shown[field.name]
    const fresh = !field.approved && !field.conflict
    const first = field.conflict && this.sorted.find((one) => one.conflict)?.name === field.name // the digits choose in it
    return html`<li class="compare ${fresh ? 'compare-fresh' : ''} ${field.conflict ? 'compare-torn' : ''} ${field.changed_since_seen ? 'compare-new' : ''}">
      <div class="compare-name">
        ${field.waiting
          ? html`<label class="check"><input type="checkbox" .checked=${this.chosen.has(field.name)} ?disabled=${this.kept(field)} @change=${(event: Event) => this.toggle(field.name, (event.target as HTMLInputElement).checked)} /><span>${field.label}</span></label>`
          : html`<span>${field.label}</span>`}
        ${field.high_risk && field.waiting && !fresh ? tag('red', t('field.high_risk'), 'flag') : nothing} ${field.changed_since_seen ? tag('green', t('review.since_seen')) : nothing}
        ${field.waiting && !field.submitted ? tag('grey', t('stage.draft')) : nothing}${field.own_work ? tag('grey', t('review.own')) : nothing}
        ${masked ? html`<button class="small plain" @click=${() => void this.reveal(field.name)}>${icon('eye')}${t('field.reveal')}</button>` : nothing}
      </div>
      <div class="compare-side" ?hidden=${fresh}><span class="compare-head">${t('review.approved.side')}</span>${this.side(field.approved, field.name, false)}
        ${field.conflict && field.approved?.dot ? html`<button class="small" @click=${() => void this.settle(field.name, { dot: field.approved!.dot! })}>${t('review.keep_approved')}</button>` : nothing}</div>
      <div class="compare-side">
        ${fresh ? nothing : html`<span class="compare-head">${t('review.merged.side')}</span>`}
        ${field.conflict
          ? html`<ul class="siblings">
                ${field.siblings.map((sibling, i) => html`<li>${this.side(sibling, field.name, false)}<button class="small" @click=${() => void this.settle(field.name, { dot: sibling.dot! })}>${t('conflict.take')}<span class="away">: ${sibling.display || t('value.empty')}</span>${first && i < 9 ? html`<kbd>${i + 1}</kbd>` : nothing}</button></li>`)}
              </ul>
              <button class="small plain" @click=${() => void this.third(field)}>${t('conflict.third')}</button>`
          : this.side(field.merged, field.name, true)}
        ${field.findings.map((finding) => html`<p class="finding finding-${finding.level}">${icon('warning')}<span>${tFailure(finding)}${finding.reason ? html` <span class="sub">${t('review.their_reason', { reason: finding.reason })}</span>` : nothing}</span></p>`)}
      </div>
    </li>`
  }

  private life(record: ReviewRecord) {
    const { life } = record
    const torn = record.kind === 'edited_and_deleted'
    if (!torn && !record.life.waiting) return nothing
    return html`<div class="note note-red">
      ${icon(torn ? 'warning' : 'bin')}<span
        ><strong>${torn ? t('state.edited_and_deleted') : life.state === 'deleted' ? t('kind.deletion') : t('review.restoring')}.</strong> ${torn ? t('record.life.why') : life.state === 'deleted' ? t('review.deletion') : ''} ${life.by ? html`<span class="sub">${nameOf(life.by)} · ${life.at ? when(life.at) : ''}</span>` : nothing}
        ${torn ? html`<span class="actions"><button class="small" @click=${() => void this.settle('life', { value: 'alive' })}>${t('record.life.keep')}</button><button class="small danger" @click=${() => void this.settle('life', { value: 'deleted' })}>${t('record.life.delete')}</button></span>` : nothing}</span
      >
    </div>`
  }

  override render() {
    const { record } = this
    if (this.failure) return html`<div class="empty"><p role="alert">${this.failure}</p><button @click=${() => void this.load()}>${t('again')}</button></div>`
    if (!record) return html`<div class="empty"><p class="sub">${t('loading')}</p></div>`
    const waiting = this.sorted
    const again = record.fields.some((field) => field.approved)
    const settled = record.fields.filter((field) => !field.waiting && !field.conflict && (field.approved || field.merged))
    const torn = waiting.some((field) => field.conflict)
    const shut = this.busy || !this.open
    return html`<article class="record review" data-record=${record.id} aria-busy=${shut}>
      <header class="record-head">
        <a class="button plain back" href=${hrefOf('desk')}>${icon('back')}<span>${t('desk.title')}</span></a>
        <h1 class="data" tabindex="-1">${record.title || t('record.untitled')}</h1>
        <div class="record-state"><span class="sub">${this.definition ? inLang(this.definition.label) : record.register}</span>${stage(record.stage)}</div>
      </header>
      <div class="review-body">
        ${this.changed ? html`<p class="note note-blue" role="alert">${icon('sync')}<span>${t('review.changed')}</span></p>` : nothing} ${this.life(record)}
        ${record.questions.map(
          (question) => html`<section class="note note-amber" aria-label=${t('review.question')}>
            ${icon('undo')}
            <div class="qa">
              <div><p class="sub">${t('review.asked', { by: nameOf(question.by), at: when(question.at) })} · ${this.labels(question.fields)}</p><blockquote class="data">${question.comment}</blockquote></div>
              <div>
                ${question.answers.length
                  ? question.answers.map((answer) => html`<p class="sub">${t('review.answered', { by: nameOf(answer.by), at: when(answer.at) })}</p><blockquote class="data">${answer.text}</blockquote>`)
                  : html`<p class="sub">${t('review.no_answer')}</p>`}
              </div>
            </div>
          </section>`,
        )}
        ${this.reasons(record)}
        <section aria-labelledby="waiting">
          <h2 id="waiting">${t(again ? 'review.reopened' : 'review.waiting', { n: waiting.length })}</h2>
          ${torn ? html`<p class="sub">${t('review.settle_first')}</p>` : waiting.length && waiting.every((field) => !field.approved) ? html`<p class="sub">${t('review.first')}</p>` : nothing}
          <ul class="compares">${waiting.map((field) => this.field(field))}</ul>
        </section>
        ${settled.length
          ? html`<details class="quiet" ?open=${this.rest} @toggle=${(event: Event) => (this.rest = (event.target as HTMLDetailsElement).open)}>
              <summary>${t('review.rest', { n: settled.length })}</summary>
              <ul class="compares">${settled.map((field) => this.field(field))}</ul>
            </details>`
          : nothing}
        ${record.decisions.length
          ? html`<details class="quiet">
              <summary>${t('review.decisions', { n: record.decisions.length })}</summary>
              <ol class="decisions">${record.decisions.map((one) => html`<li><span class="figures">${when(one.at)}</span> <strong>${tCode('decision', one.decision)}</strong> ${nameOf(one.by)} <span class="sub">${one.fields?.length ? this.labels(one.fields) : ''}</span>${one.comment ? html`<blockquote class="data">${one.comment}</blockquote>` : nothing}</li>`)}</ol>
            </details>`
          : nothing}
        ${record.fields.some((field) => field.approved) ? html`<p class="record-end"><button class="plain danger-text" ?disabled=${shut} @click=${() => void this.withdraw()}>${icon('undo')}${t('review.withdraw')}</button></p>` : nothing}
        <p class="record-end"><button class="plain danger-text" ?disabled=${this.busy} @click=${() => void this.eraseByLaw()}>${icon('bin')}${t('erase.begin')}</button></p>
        <wb-erase></wb-erase>
      </div>
      <footer class="record-foot">
        <button class="main" ?disabled=${shut || (!this.chosen.size && !record.life.waiting)} aria-keyshortcuts="a" @click=${() => void this.approve()}>${icon('check')}${this.chosen.size && this.chosen.size < waiting.length ? t('review.approve_some', { n: this.chosen.size }) : t('review.approve')}<kbd>a</kbd></button>
        <button ?disabled=${shut} aria-keyshortcuts="r" @click=${() => void this.giveBack()}>${icon('undo')}${t('review.return')}<kbd>r</kbd></button>
        <button class="danger" ?disabled=${shut} aria-keyshortcuts="x" @click=${() => void this.refuse()}>${t('review.refuse')}<kbd>x</kbd></button>
      </footer>
    </article>`
  }
}
