import { html, nothing, type PropertyValues } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { repeat } from 'lit/directives/repeat.js'
import type { Account, Definition, Failure, FieldView, Finding, Form, Pair, RecordView } from '../bridge'
import { holds, inLang, isRequired, labelOf, sectionsOf } from '../definition'
import { Alone, setDirty } from '../dirty'
import { bridge, failureOf } from '../link'
import { ask, type Reply } from '../parts/ask'
import '../parts/field'
import '../parts/paper'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { saveRescue } from '../parts/rescue'
import { say, sayFailure } from '../parts/say'
import { stage, tag, way, waySteps } from '../parts/state'
import { nameOf } from '../people'
import { go, hrefOf, noteForm, route, setGuard } from '../route'
import { t, tFailure } from '../text'
import { number, when, within } from '../text/format'
import { newestFirst } from '../value'
import '../parts/elsewhere'
import '../parts/pair'
import '../parts/move'
import { onItsWay } from '../parts/move'
import { unitName } from '../parts/field'
import { cardOf, forgetCard } from './card'
import { hasHouseholds } from './household'
import './history'

/** What was typed into a form, or what a new one begins with. */
export function typedIn({ shown, values }: Form): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== (shown[name] ?? '')))
}

/** The fields that can be read and say something else by now than when the form was opened. */
const movedOn = ({ shown, record }: Form): string[] => record.fields.filter((field) => !field.masked && (field.value !== (shown[field.name] ?? '') || field.conflict.length > 1)).map(({ name }) => name)

/** What was typed while `sent` was being saved; `before` is the record as it was when that began. */
function typedSince(sent: Record<string, string>, typed: Record<string, string>, before: RecordView): Record<string, string> {
  const since = Object.entries(typed).filter(([name, value]) => value !== sent[name])
  const takenBack = Object.keys(sent).filter((name) => !(name in typed))
  return Object.fromEntries([...since, ...takenBack.map((name) => [name, before.fields.find((field) => field.name === name)?.value ?? ''] as const)])
}

/** What a record says, apart from how far it has come. */
const standsAs = ({ life, fields }: RecordView): string => JSON.stringify([life, fields.map(({ name, value, display, conflict }) => [name, value, display, conflict.length])])

/** What a record says in one field; of one that is hidden, who says it and when. */
function saysIn(record: RecordView, name: string): string {
  const field = record.fields.find((field) => field.name === name)
  return JSON.stringify(field && [field.value, field.conflict.map(({ dot }) => dot), ...(field.masked ? [field.by, field.at] : [])])
}

const DRAFT_PAUSE = 400 // ms without a change before a draft is put away
const LOOK_AGAIN = 2000 // ms before a record is read again that could not be read

/** Failures of the store: what is unsent should be taken to a safer place. */
const storeFailures = ['quota', 'held', 'no-opfs', 'corrupted', 'internal', 'stopped']

/**
 * One record as a form made from its register's definition. What is typed is
 * put away as a draft all the time; a save answers at once; what others change
 * meanwhile is announced and never written over what is being typed.
 */
@customElement('wb-record')
export class RecordForm extends Part {
  @property({ attribute: false }) definition!: Definition
  @property() recordId = '' // empty: a new record
  @property() draftKey = ''
  @property({ type: Boolean }) late = false // a new record after the lease: saved once, and sealed

  @state() private form: Form | null = null
  @state() private edits: Record<string, string> = {} // only what was typed
  @state() private reasons: Record<string, string> = {}
  @state() private findings: Finding[] = []
  @state() private visited = new Set<string>()
  @state() private all = false // show every finding, since submitting was tried
  @state() private busy = false
  @state() private moved = false // the record changed elsewhere while it is being edited
  @state() private failure = ''
  @state() private failed = '' // code of the failure of the last save
  @state() private answer = ''
  @state() private history = false
  @state() private printing: Account | null = null // who prints, while it is being printed
  private revealed: Record<string, string> = {} // masked fields that were shown in this form
  private account: Account | null = null
  @state() private pairs: Pair[] = []
  @state() private off = false // this device does not keep the register
  @state() private sent = false // and has let go of this record
  @state() private homeName = '' // of the unit that the record is on its way to, or came from
  private touched = false // somebody typed into this form, now or before it was put away
  private readonly alone = new Alone()
  private former: string[] = [] // forms whose words stand in this one, until they are on the disk in it
  private pause = 0
  private putting = 0 // drafts on their way to the disk
  private stale = false // the record may have changed since it was read
  private looking = false
  private checking = 0
  private opening = 0
  private saving: { done: Promise<boolean>; submits: boolean } | null = null
  private discarding: Promise<boolean> | null = null
  private givingUp: Promise<Reply | null> | null = null // it is being asked whether to
  private leaving = false
  private gone = '' // the form that was given up last

  protected override connected(): void {
    this.hear('changed', ({ registers, ids }) => {
      if (!registers.includes(this.definition.id)) return
      if (ids.length && !ids.includes(this.recordId) && !ids.includes(this.form?.record.id ?? '')) return
      this.lookAgain()
    })
    this.listen(window, 'beforeprint', () => (this.printing = this.account))
    this.listen(window, 'afterprint', () => (this.printing = null))
    void bridge.call('session').then((session) => (this.account = session?.account ?? null), () => {})
    this.listen(document, 'keydown', (event: KeyboardEvent) => this.key(event))
    this.listen(window, 'pagehide', () => void this.putAway())
    this.listen(document, 'visibilitychange', () => void this.putAway())
    this.listen(window, 'beforeunload', (event: BeforeUnloadEvent) => {
      if (this.pause || this.putting) event.preventDefault() // only while a draft is not put away yet
    })
    this.until(() => {
      void this.putAway()
      forgetCard()
      setGuard(null)
      setDirty(false)
      void this.alone.hold('')
    })
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (this.stale) void this.look()
    if (!changed.has('form')) return
    void this.lookForPairs()
    const { home, unit } = this.form?.record ?? {}
    if (home) void unitName(home.unit === unit ? home.from : home.unit).then((name) => (this.homeName = name))
  }

  private async lookForPairs(): Promise<void> {
    const id = this.form && !this.form.isNew ? this.form.record.id : ''
    const pairs = id ? await bridge.call('pairsOf', { id }).catch(() => []) : []
    if (id === (this.form?.isNew ? '' : this.form?.record.id ?? '') && JSON.stringify(pairs) !== JSON.stringify(this.pairs)) this.pairs = pairs
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('recordId') || changed.has('definition') || changed.has('draftKey')) {
      if (this.stays(changed)) return
      const kept = changed.has('draftKey') && this.draftKey && this.draftKey !== this.form?.key
      const saved = this.form && !kept && !changed.has('definition') && this.form.record.id === this.recordId && this.recordId !== ''
      if (saved) return
      if (this.form && (this.form.isNew || this.form.record.id !== this.recordId)) this.putBy()
      void this.open()
    }
  }

  /** Nothing is typed into the one form, saved or decided in it, while another is on its way. */
  private putBy(): void {
    void this.putAway()
    this.form = null
    this.edits = {}
    forgetCard()
  }

  /** Whether only the session is another one, as when the account was moved or a register changed: the form stays, whatever became of its record. */
  private stays(changed: PropertyValues<this>): boolean {
    const before = changed.get('definition')
    if (!this.form || changed.has('recordId') || changed.has('draftKey') || before?.id !== this.definition.id) return false
    if (before.version !== this.definition.version) void this.renew()
    else if (this.form.isNew && !this.dirty) return false
    else this.lookAgain()
    return true
  }

  /** The register's definition has a new version: what is being typed goes on in a form that can save its new fields. */
  private async renew(): Promise<void> {
    const { key, isNew, record } = this.form!
    const form = await bridge.call('open', isNew ? { register: this.definition.id } : { id: record.id }).catch(() => null) // it saves what it could before
    if (!form || this.form?.key !== key) return
    if (this.dirty) say(t('record.renewed'))
    this.goOnIn(form)
  }

  /** What a new record begins with is nobody's work yet. */
  private get dirty(): boolean {
    return Object.keys(this.edits).length > 0 && (this.touched || !this.form?.isNew)
  }

  /** What the form holds, without the values that are hidden from this page. */
  private get values(): Record<string, string> {
    const fields = (this.form?.record.fields ?? []).filter((field) => !field.masked)
    return { ...Object.fromEntries(fields.map((field) => [field.name, field.value])), ...this.edits }
  }

  /** The same with something in place of what is hidden, for conditions that ask whether a field is filled. */
  private get filled(): Record<string, string> {
    const hidden = (this.form?.record.fields ?? []).filter((field) => field.masked && field.display)
    return { ...Object.fromEntries(hidden.map((field) => [field.name, field.display])), ...this.values }
  }

  private async open(): Promise<void> {
    const opening = ++this.opening
    const { form: before, edits: typed } = this
    this.checking++ // no answer about the form before
    this.failure = ''
    this.sent = false
    void this.askWhetherKept()
    this.revealed = {}
    try {
      const kept = await this.keptForm()
      const fresh = kept && !this.outdated(kept) ? null : await this.fresh().catch((cause) => (kept ? null : Promise.reject(cause)))
      const form = fresh ?? kept!
      if (opening !== this.opening) return
      const since = before && before.record.id === this.form?.record.id ? typedSince(typed, this.edits, before.record) : {}
      this.form = form
      this.edits = { ...typedIn(form), ...(kept && typedIn(kept)), ...since }
      this.touched = form.dirty || kept?.dirty || Object.keys(since).length > 0
      this.reasons = {}
      this.visited = new Set(Object.keys(this.edits))
      this.findings = this.visited.size ? [] : form.record.findings // those are of what is saved
      if (this.visited.size) void this.judge()
      this.all = this.moved = this.history = false
      this.answer = ''
      this.guard()
      if (Object.keys(since).length) this.putAwaySoon()
      if (fresh && kept) void this.carry(kept.key, movedOn(kept).filter((name) => name in this.edits))
      void this.updateComplete.then(() => this.takeFocus())
    } catch (cause) {
      if (opening !== this.opening) return
      this.form = null
      this.failure = tFailure(failureOf(cause))
    }
  }

  private fresh(): Promise<Form> {
    return bridge.call('open', this.recordId ? { id: this.recordId } : { register: this.definition.id })
  }

  /** The form that the address names, which was neither saved nor given up, unless another tab is typing into it. */
  private async keptForm(): Promise<Form | null> {
    if (!this.draftKey) return null
    const kept = (await bridge.call('drafts')).find(({ key, record, isNew }) => key === this.draftKey && record.register === this.definition.id && (isNew ? '' : record.id) === this.recordId)
    const alone = kept && (await this.alone.hold(kept.key))
    if (kept && !alone) say(t('record.elsewhere'))
    if (!alone) noteForm('')
    return alone ? kept : null
  }

  /**
   * Whether a form that was kept has not seen how its record stands now, or could not save every field. Where a value
   * that is hidden was typed over, nobody could be shown what came under it: that form stays, and makes a conflict of it.
   */
  private outdated(kept: Form): boolean {
    const hidden = kept.record.fields.some(({ name, masked }) => masked && name in typedIn(kept))
    return !hidden && (kept.definition !== this.definition.version || (!kept.isNew && movedOn(kept).length > 0))
  }

  /**
   * What was typed into the form `key` goes on in the one that is here now, which has seen how the record stands; the
   * person is shown what came under it. Only when it is on the disk in the new form is the one before given up.
   */
  private async carry(key: string, crossed: string[]): Promise<void> {
    if (key) this.former.push(key)
    await this.showCrossed(crossed)
    this.putAwaySoon()
  }

  private async giveUpFormer(): Promise<void> {
    for (const key of this.former.splice(0)) await bridge.call('discard', { key }).catch(() => {}) // it stays among those that are unfinished
  }

  /** A new form is typed into at once; a record that was opened is read from its name on. Nobody is drawn away from where they are. */
  private takeFocus(): void {
    if (this.form?.isNew) return this.querySelector<HTMLElement>('form input, form select')?.focus()
    if (document.activeElement?.matches('body, main')) this.querySelector<HTMLElement>('.record-head h1')?.focus({ preventScroll: true })
  }

  /** Of a register that was chosen off, a record is here only until the server has it. */
  private async askWhetherKept(): Promise<void> {
    if (this.late) return
    const device = await bridge.call('device').catch(() => null)
    this.off = device?.scopes.find(({ register }) => register === this.definition.id)?.off ?? false
  }

  private lookAgain(): void {
    this.stale = true
    void this.look()
  }

  /**
   * Looks again at a record that changed: one look at a time, or an older answer could take a newer one's place, and
   * after what is under way here. The next update of this form looks again if it has to.
   */
  private async look(): Promise<void> {
    if (this.looking) return
    this.looking = true
    while (this.stale && this.form && !this.form.isNew && !this.busy) {
      this.stale = false
      const record = await bridge.call('get', { id: this.form.record.id }).catch((cause) => {
        const failure = failureOf(cause)
        if (failure.code === 'erased') this.erased(failure)
        else if (failure.code !== 'no_record') setTimeout(() => this.isConnected && this.lookAgain(), LOOK_AGAIN)
        else if (this.off) this.sent = true // the server has it, and this device lets go of it
        else if (!this.dirty) void this.open() // which says so
        return null
      })
      if (!record || record.id !== this.form?.record.id) continue
      if (this.busy) {
        this.stale = true
      } else if (this.dirty) {
        this.moved ||= standsAs(record) !== standsAs(this.form.record) // and not because it was received, or another tab writes now
      } else {
        await this.reopen(record)
      }
    }
    this.looking = false
  }

  /** The record was erased by law: nothing of it stays on the screen, nor what was being typed into it. */
  private erased(failure: Failure): void {
    clearTimeout(this.pause)
    this.pause = 0
    this.putBy()
    this.former = []
    this.reasons = this.revealed = {}
    this.findings = []
    this.answer = ''
    this.moved = false
    this.failure = tFailure(failure)
    noteForm('')
    this.guard()
  }

  /**
   * A form whose record moved on before anything was typed gives way to one that has seen how it stands now. What is on
   * the screen and what the form has seen change at once: whoever types in between has neither, and writes over nothing.
   * After a change of the person's own (`mine`) what is being typed goes on under it.
   */
  private async reopen(record: RecordView, mine = false): Promise<void> {
    const before = this.form!.key
    const form = await bridge.call('open', { id: record.id }).catch(() => ({ ...this.form!, record })) // it is not to be written in any more
    if (this.form?.key !== before || this.form.record.id !== record.id) return
    if (this.dirty && !mine) this.moved ||= standsAs(form.record) !== standsAs(this.form.record)
    else this.goOnIn(form)
  }

  /** Puts another form of the record in the place of the one that is here; what is being typed goes on in it. */
  private goOnIn(form: Form): void {
    const { key, record } = this.form!
    const { dirty } = this
    const crossed = Object.keys(this.edits).filter((name) => saysIn(form.record, name) !== saysIn(record, name))
    this.form = form
    this.edits = { ...typedIn(form), ...this.edits }
    this.moved = false
    if (!dirty) this.findings = form.record.findings
    else void this.judge()
    this.guard()
    if (dirty && form.key !== key) void this.carry(key, crossed)
  }

  private guard(): void {
    setDirty(this.dirty)
    void this.alone.hold(this.dirty ? this.form!.key : '')
    setGuard(this.dirty ? () => this.mayLeave() : null)
  }

  private async mayLeave(): Promise<boolean> {
    this.leaving = true
    return this.askToLeave().finally(() => (this.leaving = false))
  }

  private async askToLeave(): Promise<boolean> {
    if (await this.givingUp) return this.discard()
    if (this.discarding) return this.discarding // it was asked already
    await this.putAway()
    const reply = await ask({
      title: t('leave.title'),
      body: t('leave.body'),
      choices: [
        { value: 'save', label: t('save'), tone: 'main' },
        { value: 'keep', label: t('leave.keep') },
        { value: 'discard', label: t('leave.discard'), tone: 'danger' },
      ],
    })
    if (reply?.value === 'save') return this.save(false)
    if (reply?.value === 'discard') return this.discard().finally(() => setTimeout(() => this.cameBack()))
    return reply?.value === 'keep'
  }

  /** Whoever gave up a form, went elsewhere and at once came back to it reads what it said before. */
  private cameBack(): void {
    if (this.isConnected && this.form && !this.dirty && this.form.key === this.gone) void this.open()
  }

  private edited({ detail }: CustomEvent<{ name: string; value: string }>): void {
    const { name, value } = detail
    if (!this.late && !this.dirty) noteForm(this.form!.key)
    this.touched = true
    const before = this.form!.record.fields.find((field) => field.name === name)
    const edits = { ...this.edits, [name]: value }
    if (value === (before?.value ?? '') && !this.form!.isNew) delete edits[name]
    this.edits = edits
    this.guard()
    this.putAwaySoon()
  }

  private putAwaySoon(): void {
    clearTimeout(this.pause)
    this.pause = window.setTimeout(() => void this.putAway(), DRAFT_PAUSE)
  }

  /** Puts what was typed on the device's disk. */
  private async putAway(): Promise<void> {
    if (!this.pause || !this.form) return
    clearTimeout(this.pause)
    if (this.busy) { // the form that it would belong to is just being saved
      this.putAwaySoon()
      return
    }
    this.pause = 0
    this.putting++
    try {
      const { key } = this.form
      await bridge.call('draft', { key, values: this.edits })
      if (this.form?.key === key && this.former.length) {
        noteForm(this.dirty ? key : '')
        await this.giveUpFormer()
      }
    } catch (cause) {
      sayFailure(cause)
      // What is typed is on the screen alone: leaving warns, and the disk is tried again.
      this.pause ||= window.setTimeout(() => void this.putAway(), 10_000)
    } finally {
      this.putting--
    }
  }

  private async left({ detail }: CustomEvent<{ name: string }>): Promise<void> {
    if (!this.visited.has(detail.name)) this.visited = new Set(this.visited).add(detail.name)
    await this.judge()
  }

  /** What the register's rules say of what stands in the form. */
  private async judge(): Promise<void> {
    if (!this.form) return
    const checking = ++this.checking
    try {
      const findings = await bridge.call('check', { register: this.definition.id, values: this.values, ...(this.form.isNew ? {} : { id: this.form.record.id }) })
      if (checking === this.checking) this.findings = findings
    } catch {
      // The same check is made again by the save, which says why it fails.
    }
  }

  /** Saves, and hands in if asked to. What is asked for in the midst of a save is done behind it. */
  private async save(submit: boolean): Promise<boolean> {
    const { opening } = this
    while (this.saving) {
      const { done, submits } = this.saving
      const saved = await done
      if (opening !== this.opening) return false // another record is here by now
      if (!this.dirty && (submits || !submit)) return saved
    }
    const saving = { done: this.saveNow(submit), submits: submit }
    this.saving = saving
    void saving.done.finally(() => (this.saving = null))
    return saving.done
  }

  private async saveNow(submit: boolean): Promise<boolean> {
    if (!this.form || this.busy) return false
    const { opening } = this
    clearTimeout(this.pause)
    this.pause = 0
    if (this.form.isNew && !this.dirty) { // what fills itself in makes no record
      this.failure = t('record.nothing')
      return false
    }
    this.busy = true
    this.failure = this.failed = ''
    try {
      if (!this.form.key) await this.showCrossed(await this.goOn())
      const { key, record: shown } = this.form
      const sent = this.edits
      if (this.late) {
        await bridge.call('lateSave', { register: this.definition.id, values: sent, submit: false, reasons: this.reasonsByCode() })
        this.edits = {}
        setGuard(null)
        setDirty(false)
        this.dispatchEvent(new CustomEvent('sealed'))
        return true
      }
      const reply = await bridge.call('save', { key, values: sent, submit, reasons: this.reasonsByCode(), ...(await this.unsure()), ...(this.answer && { answer: this.answer }) })
      if (opening !== this.opening || !this.isConnected) { // the person went on meanwhile
        say(reply.submitted ? t('record.submitted') : t('record.saved'))
        return true
      }
      const wasNew = this.form.isNew
      this.findings = reply.findings
      this.all = submit && !reply.submitted
      this.edits = typedSince(sent, this.edits, shown)
      const crossed = Object.keys(this.edits).filter((name) => (name in sent ? reply.record.fields.some((field) => field.name === name && field.conflict.length > 1) : saysIn(reply.record, name) !== saysIn(shown, name)))
      this.answer = ''
      this.moved = false
      this.form = { ...this.form, key: '', record: reply.record, values: {}, isNew: false, dirty: false }
      say(reply.submitted ? t('record.submitted') : t('record.saved'))
      if (submit && !reply.submitted) void this.updateComplete.then(() => this.firstBad()?.focus())
      setGuard(null) // the address that is new is this form's
      if (wasNew) go(hrefOf('register', this.definition.id, reply.id), { replace: true })
      else noteForm('')
      this.guard()
      void this.giveUpFormer()
      try {
        crossed.push(...(await this.goOn()))
      } catch (cause) { // the next save tries again
        if (this.off) this.sent = true
        else sayFailure(cause)
      }
      void this.showCrossed(crossed)
      if (this.dirty) {
        noteForm(this.form.key)
        this.guard()
        this.putAwaySoon()
      }
      return true
    } catch (cause) {
      const failure = failureOf(cause)
      if (failure.code === 'erased') {
        this.erased(failure)
        return false
      }
      this.failure = t('record.not_saved', { why: tFailure(failure) })
      this.failed = failure.code
      this.pause ||= window.setTimeout(() => void this.putAway(), 10_000)
      return false
    } finally {
      this.busy = false
    }
  }

  /**
   * A form can be saved once: what is typed from now on belongs to another one of the same record. Returns the fields
   * that were being typed into while somebody else's value came, which the new form takes for seen.
   */
  private async goOn(): Promise<string[]> {
    const { id } = this.form!.record
    const form = await bridge.call('open', { id })
    if (this.form?.record.id !== id || this.form.key) return []
    const before = this.form.record
    this.moved ||= this.dirty && standsAs(form.record) !== standsAs(before)
    this.form = form
    return Object.keys(this.edits).filter((name) => saysIn(form.record, name) !== saysIn(before, name))
  }

  /** Shows somebody else's value that came under what is being typed: only who has seen it may write over it. */
  private async showCrossed(names: string[]): Promise<void> {
    for (const name of new Set(names)) {
      const view = this.viewOf(name)
      if (!view || !(name in this.edits)) continue
      const theirs = (view.conflict.length > 1 ? newestFirst(view.conflict) : [view]).map(({ display }) => display || t('value.empty')).join('; ')
      const reply = await ask({
        title: t('record.crossed.title', { field: labelOf(this.definition, name) }),
        body: t('record.crossed', { theirs }),
        choices: [{ value: 'mine', label: t('record.crossed.mine'), tone: 'main' }, { value: 'theirs', label: t('record.crossed.theirs') }],
      })
      if (reply?.value !== 'theirs') continue
      this.edits = Object.fromEntries(Object.entries(this.edits).filter(([other]) => other !== name))
      this.guard()
      this.putAwaySoon()
    }
  }

  /** How much of the register could be searched when this new record was begun, if that was not all of it. */
  private async unsure(): Promise<{ unchecked?: { searched: number; of: number } }> {
    if (!this.form!.isNew) return {}
    const { query } = route()
    const [searched, of] = (query.get('unsure') ?? '').split('-').map(Number)
    if (searched !== undefined && of) return { unchecked: { searched, of } }
    if (!query.has('partial')) return {}
    const list = await bridge.call('list', { register: this.definition.id, limit: 1, first: true })
    return list.complete ? {} : { unchecked: { searched: list.have, of: list.of } }
  }

  /** One reason serves every warning of its field; the store keeps it by "FIELD CODE". */
  private reasonsByCode(): Record<string, string> {
    const warnings = this.findings.filter((finding) => finding.level === 'W' && this.reasons[finding.field])
    return Object.fromEntries(warnings.map((finding) => [`${finding.field} ${finding.code}`, this.reasons[finding.field]!]))
  }

  /** The keys of whoever types all day: Ctrl+S saves, Ctrl+Enter submits, Enter and the arrows go from field to field. */
  private key(event: KeyboardEvent): void {
    if (event.isComposing || event.defaultPrevented || event.altKey || !this.form || document.querySelector('dialog[open]')) return
    const command = event.ctrlKey || event.metaKey
    if (command && event.key.toLowerCase() === 's') {
      event.preventDefault()
      this.finish()
      if (this.dirty || this.form.isNew) void this.save(false)
    } else if (command && event.key === 'Enter') {
      event.preventDefault()
      this.finish()
      void this.save(true)
    } else if (!command && event.target instanceof HTMLInputElement && this.contains(event.target) && !['checkbox', 'file'].includes(event.target.type) && event.target.getAttribute('aria-expanded') !== 'true') {
      const step = event.key === 'Enter' ? (event.shiftKey ? -1 : 1) : event.shiftKey ? 0 : { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0
      const plain = event.target.getAttribute('role') !== 'combobox' // there the arrows open the list
      if (!step || (event.key !== 'Enter' && !plain)) return
      event.preventDefault()
      this.step(event.target, step)
    }
  }

  /** What stands in the control that is being typed into counts as typed. */
  private finish(): void {
    const at = document.activeElement
    if (at instanceof HTMLElement && this.contains(at) && at.matches('input, textarea')) {
      at.blur()
      at.focus()
    }
  }

  private step(from: HTMLElement, by: 1 | -1 | number): void {
    const all = [...this.querySelectorAll<HTMLElement>('form input:not([type=hidden]), form select, form textarea')].filter((control) => !control.matches(':disabled, [readonly]') && control.offsetParent !== null)
    const next = all[all.indexOf(from) + by]
    next?.focus()
    if (next instanceof HTMLInputElement && next.type === 'text') next.select()
  }

  private firstBad(): HTMLElement | null {
    const bad = '.field-bad input, .field-bad select, .field-bad textarea'
    return this.querySelector<HTMLElement>(bad) ?? this.querySelector<HTMLElement>('.why input')
  }

  private discard(): Promise<boolean> {
    return (this.discarding ??= this.throwAway().finally(() => (this.discarding = null)))
  }

  private async throwAway(): Promise<boolean> {
    clearTimeout(this.pause)
    this.pause = 0
    try {
      const { key } = this.form!
      await bridge.call('discard', { key })
      this.gone = key
      await this.giveUpFormer()
      noteForm('')
      this.edits = {}
      this.guard()
      return true
    } catch (cause) {
      sayFailure(cause)
      return false
    }
  }

  private async giveUp(): Promise<void> {
    const place = location.hash.split('?')[0]
    this.givingUp = ask({ title: t('record.discard.title'), body: t('record.discard.body'), choices: [{ value: 'yes', label: t('leave.discard'), tone: 'danger' }] })
    const reply = await this.givingUp.finally(() => (this.givingUp = null))
    if (!reply || !(await this.discard()) || this.leaving || location.hash.split('?')[0] !== place) return // the person went on meanwhile
    if (this.form!.isNew) go(hrefOf('register', this.definition.id))
    else void this.open()
  }

  /** Changes the record as it stands; what is being typed into the field `instead` gives way to that. */
  private async change(make: () => Promise<RecordView>, said: string, instead = ''): Promise<void> {
    const { opening } = this
    this.busy = true
    try {
      const record = await make()
      say(said)
      if (opening !== this.opening) return // another record is here by now
      this.edits = Object.fromEntries(Object.entries(this.edits).filter(([name]) => name !== instead))
      this.guard()
      await this.reopen(record, true)
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  private async erase(): Promise<void> {
    const reply = await ask({ title: t('record.delete.title', { what: this.title_ }), body: t('record.delete.body'), choices: [{ value: 'yes', label: t('record.delete'), tone: 'danger' }] })
    if (!reply) return
    if (this.dirty && !(await this.discard())) return
    await this.change(() => bridge.call('remove', { id: this.form!.record.id }), t('record.deleted'))
  }

  private settle({ detail }: CustomEvent<{ field: string; dot?: string; value?: string; seen?: string }>): void {
    void this.change(() => bridge.call('settle', { id: this.form!.record.id, ...detail }), t('conflict.settled'), detail.field)
  }

  private undo({ detail }: CustomEvent<{ field: string; dot: string }>): void {
    void this.change(() => bridge.call('undo', { id: this.form!.record.id, ...detail }), t('conflict.undone'))
  }

  /** A value of the history takes the place of what stands now. */
  private bringBack({ detail }: CustomEvent<{ field: string; dot: string; value?: string }>): void {
    void this.change(() => bridge.call('bringBack', { id: this.form!.record.id, ...detail }), t('history.back.done'), detail.field)
  }

  private get title_(): string {
    const name = this.definition.title_field ?? ''
    return this.edits[name] || this.form?.record.fields.find((field) => field.name === name)?.display || (this.form?.isNew ? t('record.new') : t('record.untitled'))
  }

  private head(record: RecordView) {
    const torn = record.fields.filter(({ conflict }) => conflict.length).length
    return html`<header class="record-head">
      <a class="button plain back" href=${hrefOf('register', this.definition.id)}>${icon('back')}<span>${inLang(this.definition.label)}</span></a>
      <h1 class="data" tabindex="-1">${this.title_}</h1>
      <div class="record-state">
        ${this.form!.isNew ? tag('grey', t('record.new.state')) : html`${way(record.place, record.receivedAt)}${record.backedUp ? tag('grey', t('state.backed_up')) : nothing}${record.stage === 'approved' ? nothing : stage(record.stage)}`}
        ${record.life === 'deleted' ? tag('grey', t('state.deleted'), 'bin') : nothing}
        ${torn ? html`<button class="small plain torn" @click=${() => this.querySelector<HTMLElement>('wb-field .conflict button')?.focus()}>${tag('amber', t('record.torn', { n: number(torn) }), 'split')}</button>` : nothing}
        <span class="record-acts">${this.form!.isNew ? nothing : html`<button class="small plain" aria-expanded=${this.history} @click=${() => (this.history = !this.history)}>${icon('clock')}${t('record.history')}</button><button class="small plain" @click=${() => print()}>${icon('print')}${t('record.print')}</button>`}
        ${!this.form!.isNew && hasHouseholds(this.definition) && this.values['household_no'] ? html`<a class="button small plain" href=${hrefOf('household', this.definition.id, this.values['household_no'])}>${icon('people')}${t('household.title', { no: this.values['household_no'] })}</a>` : nothing}</span>
      </div>
      ${this.form!.isNew ? nothing : waySteps(record)}
    </header>`
  }

  private notes(record: RecordView) {
    const { review } = record
    return html`${onItsWay(record.home, record.unit, { unit: this.homeName, by: nameOf(record.home?.by ?? ''), at: when(record.home?.at ?? 0) })}${this.moved ? html`<p class="note note-blue" role="status">${icon('sync')}<span>${t('record.moved')}</span></p>` : nothing}
      ${record.life === 'edited and deleted'
        ? html`<div class="note note-red">
            ${icon('warning')}<span><strong>${t('state.edited_and_deleted')}.</strong> ${t('record.life.why')}
              <span class="actions"
                ><button class="small" @click=${() => this.settleLife('alive')}>${t('record.life.keep')}</button><button class="small danger" @click=${() => this.settleLife('deleted')}>${t('record.life.delete')}</button></span
              ></span
            >
          </div>`
        : nothing}
      ${record.quarantine.map(
        (entry) => html`<div class="note ${entry.settled === 'released' ? 'note-blue' : 'note-red'}">
          ${icon('lock')}<span
            >${entry.settled ? nothing : html`<strong>${t('quarantine.title')}</strong> `}${tFailure(entry)}
            <span class="sub">${t('time.device', { at: when(entry.at) })}</span>
            <dl class="pairs">${entry.fields.map((field) => html`<dt>${labelOf(this.definition, field.name)}</dt><dd class="data">${field.display || t('value.empty')}</dd>`)}</dl></span
          >
        </div>`,
      )}
      ${review && (record.stage === 'returned' || record.stage === 'refused' || review.answers.length)
        ? html`<section class="note ${record.stage === 'refused' ? 'note-red' : 'note-amber'}" aria-label=${t('review.question')}>
            ${icon('undo')}
            <div>
              <p><strong>${record.stage === 'refused' ? t('review.refused_by', { by: nameOf(review.by) }) : t('review.returned_by', { by: nameOf(review.by) })}</strong> <span class="sub">${when(review.at)}</span></p>
              ${review.comment ? html`<blockquote class="data">${review.comment}</blockquote>` : nothing}
              ${review.fields?.length ? html`<p class="sub">${t('review.fields', { fields: review.fields.map((name) => within(labelOf(this.definition, name))).join(', ') })}</p>` : nothing}
              ${review.answers.map((answer) => html`<p class="answer"><span class="data">${answer.text}</span> <span class="sub">${nameOf(answer.by)} · ${when(answer.at)}</span></p>`)}
              ${record.stage === 'returned' && review.question
                ? html`<label class="field"><span class="label">${t('review.answer')}</span><textarea rows="2" maxlength="1000" .value=${this.answer} @input=${(event: Event) => (this.answer = (event.target as HTMLTextAreaElement).value)}></textarea></label>
                    <div class="actions"><button class="small" ?disabled=${!this.answer.trim() || this.busy} @click=${this.sendAnswer}>${t('review.answer.send')}</button><span class="sub">${t('review.answer.hint')}</span></div>`
                : nothing}
            </div>
          </section>`
        : nothing}`
  }

  /** Where a record stands that this device does not keep. */
  private passing() {
    if (!this.off) return nothing
    return html`<p class="note ${this.sent ? 'note-green' : 'note-amber'}" role="status">${icon(this.sent ? 'check' : 'device')}<span>${t(this.sent ? 'record.off.gone' : 'record.off')} <a href=${hrefOf('here')}>${t('record.off.keep')}</a></span></p>`
  }

  /** What the card said of the bearer whose record this is, or may be. */
  private card(record: RecordView) {
    const said = this.form!.isNew ? null : cardOf(record.id)
    if (said) {
      const left = said.filter(({ field, value }) => this.values[field] !== value)
      return html`<section class="note ${said.length ? 'note-amber' : 'note-green'}" aria-label=${t('card.title')}>
        ${icon('card')}
        <div>
          <p><strong>${said.length ? t('card.differs', { n: said.length }) : t('card.same')}</strong></p>
          <ul class="card-says">${left.map(
            ({ field, here, card, value }) => html`<li><span><strong>${labelOf(this.definition, field)}</strong> <span class="data">${here || t('value.empty')}</span> → <span class="data">${card}</span></span>
              <button type="button" class="small" @click=${() => this.edited(new CustomEvent('edit', { detail: { name: field, value } }))}>${t('card.take')}<span class="away">: ${labelOf(this.definition, field)}</span></button></li>`,
          )}</ul>
        </div>
      </section>`
    }
    const number = this.values['personal_id'] ?? ''
    if (!this.form!.isNew || !number || !route().query.has('partial')) return nothing
    return html`<div class="note note-amber">${icon('warning')}<div><p>${t('card.partial')}</p><wb-elsewhere .definition=${this.definition} .search=${number}></wb-elsewhere></div></div>`
  }

  /** Records that look like this one, and what was said of them. */
  private twins(record: RecordView) {
    if (this.form!.isNew) return nothing
    return html`${record.unchecked
        ? html`<div class="note note-amber">${icon('warning')}<div><p>${t('twin.unchecked.part', { n: number(record.unchecked.searched), of: number(record.unchecked.of) })}</p>
            <div class="actions"><button type="button" class="small" @click=${() => void this.change(() => bridge.call('checked', { id: record.id }), t('twin.checked.done'))}>${icon('check')}${t('twin.checked')}</button></div></div></div>`
        : nothing}
      ${this.pairs.map(
        (pair) => html`<details class="note ${pair.state === 'open' || pair.state === 'disputed' ? 'note-amber' : 'note-blue'} twin" ?open=${pair.state === 'open' || pair.state === 'disputed'}>
          <summary>${icon('people')}<span>${t(pair.state === 'open' ? 'twin.title' : pair.state === 'disputed' ? 'twin.disputed' : `twin.said.${pair.state}`)}: <span class="data">${(pair.a.id === record.id ? pair.b : pair.a).title}</span></span></summary>
          <wb-pair .definition=${this.definition} .pair=${pair} .of=${record.id} @decided=${() => void this.lookForPairs()}></wb-pair>
        </details>`,
      )}`
  }

  private sendAnswer(): void {
    const { record } = this.form!
    const text = this.answer.trim()
    void this.change(() => bridge.call('answer', { id: record.id, question: record.review!.question!, text }), t('review.answer.sent')).then(() => (this.answer = ''))
  }

  private settleLife(value: 'alive' | 'deleted'): void {
    void this.change(() => bridge.call('settle', { id: this.form!.record.id, field: 'life', value }), t('conflict.settled'))
  }

  private viewOf(name: string): FieldView | undefined {
    return this.form!.record.fields.find((field) => field.name === name)
  }

  private summary() {
    if (!this.all) return nothing
    const errors = this.findings.filter((finding) => finding.level === 'E')
    const unreasoned = this.findings.filter((finding) => finding.level === 'W' && !this.reasons[finding.field])
    if (!errors.length && !unreasoned.length) return nothing
    return html`<div class="note note-red" role="alert">
      ${icon('warning')}
      <div>
        <strong>${errors.length ? t('record.blocked', { n: errors.length }) : t('record.reasons', { n: unreasoned.length })}</strong>
        <ul>
          ${[...errors, ...(errors.length ? [] : unreasoned)].map(
            (finding) => html`<li><button type="button" class="link" @click=${() => this.querySelector<HTMLElement>(`#f-${CSS.escape(finding.field)}`)?.focus()}>${labelOf(this.definition, finding.field)}</button>: ${tFailure(finding)}</li>`,
          )}
        </ul>
      </div>
    </div>`
  }

  override render() {
    if (this.failure && !this.form) return html`<div class="empty"><p role="alert">${this.failure}</p>${this.off ? html`<p>${t('record.off.elsewhere')} <a href=${hrefOf('here')}>${t('record.off.keep')}</a></p>` : nothing}<a class="button" href=${hrefOf('register', this.definition.id)}>${icon('back')}${inLang(this.definition.label)}</a></div>`
    if (!this.form) return html`<div class="empty"><p class="sub">${t('loading')}</p></div>`
    const { record } = this.form
    const values = this.values
    const filled = this.filled
    const shut = record.life === 'deleted'
    const asked = record.stage === 'returned' ? (record.review?.fields ?? []) : []
    const sections = sectionsOf(this.definition, filled)
    return html`<article class="record" data-record=${record.id} aria-busy=${this.busy}>
      ${this.head(record)}
      ${this.history ? html`<wb-history .definition=${this.definition} .recordId=${record.id} .readonly=${record.life === 'deleted'} @back=${this.bringBack}></wb-history>` : nothing}
      ${this.passing()} ${this.card(record)} ${this.notes(record)} ${this.twins(record)} ${this.summary()}
      <form novalidate autocomplete="off" @submit=${(event: Event) => event.preventDefault()} @edit=${this.edited} @left=${this.left} @settle=${this.settle} @undo=${this.undo}
        @reveal=${({ detail }: CustomEvent<{ name: string; shown: string }>) => (this.revealed[detail.name] = detail.shown)}
        @reason=${({ detail }: CustomEvent<{ name: string; reason: string }>) => (this.reasons = { ...this.reasons, [detail.name]: detail.reason })}>
        ${repeat(sections, ({ id }) => id, (section) => {
          const fields = section.fields.filter((field) => holds(field.applies_when, filled) || filled[field.name])
          return fields.length
            ? html`<fieldset class="section">
                <legend>${inLang(section.label)}</legend>
                ${repeat(
                  fields,
                  (field) => field.name,
                  (field) => html`<wb-field
                    .definition=${this.definition}
                    .field=${field}
                    .values=${values}
                    .required=${isRequired(field, filled)}
                    .view=${this.viewOf(field.name)}
                    .recordId=${record.id}
                    .reason=${this.reasons[field.name] ?? ''}
                    .asked=${asked.includes(field.name)}
                    .readonly=${shut}
                    .findings=${this.all || this.visited.has(field.name) ? this.findings.filter((finding) => finding.field === field.name) : []}
                  ></wb-field>`,
                )}
              </fieldset>`
            : nothing
        })}
        ${record.mayDelete && !this.form.isNew && !shut ? html`<p class="record-end"><button class="plain danger-text" ?disabled=${this.busy} @click=${() => void this.erase()}>${icon('bin')}${t('record.delete')}</button></p>` : nothing}
      </form>
      ${!this.form.isNew && !shut && !record.home ? html`<div class="record-end"><wb-move .ids=${[record.id]} .unit=${record.unit} @moved=${() => this.lookAgain()}></wb-move></div>` : nothing}
      ${this.failure
        ? html`<div class="note note-red" role="alert">${icon('warning')}<div><p>${this.failure}</p>
            ${storeFailures.includes(this.failed) ? html`<p>${t('record.still_here')}</p><div class="actions"><button class="small" @click=${() => void saveRescue()}>${t('rescue.save')}</button></div>` : nothing}
          </div></div>`
        : nothing}
      <footer class="record-foot">
        ${shut
          ? html`<button @click=${() => this.change(() => bridge.call('restore', { id: record.id }), t('record.restored'))} ?disabled=${this.busy}>${icon('undo')}${t('record.restore')}</button>`
          : html`<button class="main" ?disabled=${this.busy || (!this.dirty && !this.form.isNew)} @click=${() => void this.save(false)}>${t(this.late ? 'late.save' : 'save')}</button>
              ${this.late ? nothing : html`<button ?disabled=${this.busy} @click=${() => void this.save(true)}>${t('record.submit')}</button>`}
              ${this.dirty ? html`<button class="plain" ?disabled=${this.busy} @click=${() => void this.giveUp()}>${t('leave.discard')}</button>` : nothing}
              <details class="menu keys"><summary class="button plain">${t('desk.keys')}</summary><dl class="menu-list pairs">
                <dt><kbd>Enter</kbd> <kbd>↓</kbd></dt><dd>${t('keys.next')}</dd><dt><kbd>Shift+Enter</kbd> <kbd>↑</kbd></dt><dd>${t('keys.before')}</dd>
                <dt><kbd>Ctrl+S</kbd></dt><dd>${t('save')}</dd><dt><kbd>Ctrl+Enter</kbd></dt><dd>${t('record.submit')}</dd>
              </dl></details>`}
      </footer>
      ${this.printing && !this.form.isNew ? html`<wb-paper .definition=${this.definition} .record=${record} .account=${this.printing} .revealed=${this.revealed} ?unsaved=${this.dirty}></wb-paper>` : nothing}
    </article>`
  }
}
