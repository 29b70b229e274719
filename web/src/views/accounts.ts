import { html, nothing } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import * as admin from '../admin'
import type { AdminAccount, Role } from '../admin'
import { failureOf } from '../link'
import { ask } from '../parts/ask'
import '../parts/combobox'
import type { Option } from '../parts/combobox'
import { findUnits, unitName } from '../parts/field'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { say, sayFailure } from '../parts/say'
import { tag } from '../parts/state'
import { t, tFailure } from '../text'
import { when } from '../text/format'

const roles: Role[] = ['officer', 'supervisor', 'hub', 'admin']

/** Closes the menu of what was chosen before it is done, so that the focus comes back to the menu and not to nothing. */
const chosen = {
  capture: true,
  handleEvent(event: Event) {
    const menu = (event.currentTarget as HTMLElement).closest('details')!
    menu.open = false
    menu.querySelector('summary')!.focus()
  },
}

/** The accounts of the city, and what an administrator does with them. */
@customElement('wb-accounts')
export class Accounts extends Part {
  @state() private accounts: AdminAccount[] | null = null
  @state() private failure = ''
  @state() private search = ''
  @state() private unit = ''
  @state() private units = new Map<string, string>()
  @state() private busy = false

  protected override connected(): void {
    void this.load()
  }

  private async load(): Promise<void> {
    try {
      const accounts = await admin.accounts()
      this.accounts = accounts.sort((a, b) => Number(a.disabled) - Number(b.disabled)) // by name already
      this.units = new Map(await Promise.all([...new Set(accounts.map((account) => account.unit))].filter(Boolean).map(async (unit) => [unit, await unitName(unit)] as const)))
      this.failure = ''
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private async make(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const text = (name: string) => String(new FormData(form).get(name) ?? '').trim()
    const role = text('role') as Role
    this.busy = true
    try {
      const { account, password } = await admin.create({ name: text('name').normalize('NFC').toLowerCase(), display_name: text('display').normalize('NFC'), role, unit: role === 'officer' || role === 'supervisor' ? this.unit : '', sensitive: new FormData(form).has('sensitive') })
      this.querySelector<HTMLDialogElement>('dialog.make')!.close()
      form.reset()
      this.unit = ''
      await this.load()
      await this.secret(t('accounts.made', { name: account.name }), password)
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  /** Shows a secret once. */
  private async secret(title: string, value: string, until?: string): Promise<void> {
    await ask({
      title,
      body: html`<p class="secret figures">${value}</p><p>${t('accounts.once')}${until ? ` ${t('accounts.until', { at: when(Date.parse(until)) })}` : ''}</p>`,
      choices: [],
    })
  }

  private async act(account: AdminAccount, what: 'disable' | 'enable' | 'reset' | 'code'): Promise<void> {
    const reply = await ask({
      title: t(`accounts.${what}.title`, { who: account.display_name }),
      body: t(`accounts.${what}.body`),
      choices: [{ value: 'yes', label: t(`accounts.${what}`), tone: what === 'disable' ? 'danger' : 'main' }],
    })
    if (!reply) return
    try {
      if (what === 'disable') await admin.disable(account.id)
      if (what === 'enable') await admin.enable(account.id)
      if (what === 'reset') {
        const { password } = await admin.resetPassword(account.id)
        await this.secret(t('accounts.reset.done', { who: account.display_name }), password)
      }
      if (what === 'code') {
        const { code, expires_at } = await admin.code(account.id)
        await this.secret(t('accounts.code.done', { who: account.display_name }), code, expires_at)
      }
      say(t('done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private async changeRole(account: AdminAccount): Promise<void> {
    let unit = account.unit
    const inUnit = (role: Role) => role === 'officer' || role === 'supervisor'
    const reply = await ask({
      title: t('accounts.role.title', { who: account.display_name }),
      body: html`<label class="check"><input type="checkbox" name="sensitive" .checked=${account.sensitive} /><span>${t('accounts.sensitive')}</span></label>
        <label class="label" for="role-unit">${t('accounts.unit')}</label><wb-combobox .inputId=${'role-unit'} .text=${this.units.get(account.unit) ?? ''} .search=${findUnits} .hint=${t('field.unit.hint')} @pick=${({ detail }: CustomEvent<Option | null>) => (unit = detail?.code.split('@')[0] ?? '')}></wb-combobox>`,
      reason: { label: t('accounts.role'), required: true, options: [account.role, ...roles.filter((role) => role !== account.role)].map((role) => ({ value: role, label: t(`role.${role}`) })) },
      choices: [{ value: 'yes', label: t('save'), tone: 'main' }],
    })
    if (!reply) return
    const role = reply.reason as Role
    const sensitive = document.querySelector<HTMLInputElement>('wb-asker input[name=sensitive]')?.checked ?? account.sensitive
    try {
      await admin.role(account.id, { role, unit: inUnit(role) ? unit : '', sensitive })
      say(t('done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private async move(account: AdminAccount): Promise<void> {
    let unit: Option | null = null
    const reply = await ask({
      title: t('accounts.move.title', { who: account.display_name }),
      body: html`<p>${t('accounts.move.body')}</p><label class="label" for="move-unit">${t('accounts.unit')}</label><wb-combobox .inputId=${'move-unit'} .search=${findUnits} .hint=${t('field.unit.hint')} @pick=${({ detail }: CustomEvent<Option | null>) => (unit = detail)}></wb-combobox>`,
      choices: [{ value: 'yes', label: t('accounts.move'), tone: 'main' }],
    })
    if (!reply || !unit) return
    try {
      await admin.move(account.id, (unit as Option).code.split('@')[0]!)
      say(t('done'))
      await this.load()
    } catch (cause) {
      sayFailure(cause)
    }
  }

  private line(account: AdminAccount) {
    return html`<tr class=${account.disabled ? 'off' : ''}>
      <th scope="row"><strong>${account.display_name}</strong><span class="sub">${account.name}</span></th>
      <td>${t(`role.${account.role}`)} ${account.disabled ? tag('grey', t('accounts.disabled')) : nothing}</td>
      <td>${this.units.get(account.unit) ?? account.unit}</td>
      <td class="table-actions">
        <details class="menu" name="account-actions">
          <summary class="button small" aria-label="${t('accounts.actions')}: ${account.name}">${t('accounts.actions')}</summary>
          <div class="menu-list" @click=${chosen}>
            <button @click=${() => void this.act(account, 'code')} ?disabled=${account.disabled}>${t('accounts.code')}</button>
            <button @click=${() => void this.act(account, 'reset')}>${t('accounts.reset')}</button>
            <button @click=${() => void this.changeRole(account)}>${t('accounts.role.change')}</button>
            ${account.role === 'officer' || account.role === 'supervisor' ? html`<button @click=${() => void this.move(account)}>${t('accounts.move')}</button>` : nothing}
            ${account.disabled ? html`<button @click=${() => void this.act(account, 'enable')}>${t('accounts.enable')}</button>` : html`<button class="danger-text" @click=${() => void this.act(account, 'disable')}>${t('accounts.disable')}</button>`}
          </div>
        </details>
      </td>
    </tr>`
  }

  override render() {
    const words = this.search.toLowerCase()
    const seen = (this.accounts ?? []).filter((account) => `${account.name} ${account.display_name} ${this.units.get(account.unit) ?? ''} ${account.unit}`.toLowerCase().includes(words))
    return html`<div class="page page-wide">
      <div class="list-title"><h1>${t('accounts.title')}</h1><button class="main" @click=${() => this.querySelector<HTMLDialogElement>('dialog.make')!.showModal()}>${icon('add')}${t('accounts.create')}</button></div>
      ${this.failure ? html`<p class="note note-red" role="alert">${icon('warning')}<span>${this.failure} <button class="small" @click=${() => void this.load()}>${t('again')}</button></span></p>` : nothing}
      <div class="search" role="search">${icon('search')}<input type="search" aria-label=${t('accounts.search')} placeholder=${t('accounts.search')} @input=${(event: Event) => (this.search = (event.target as HTMLInputElement).value)} /></div>
      <div class="table-wrap" tabindex="0" role="region" aria-label=${t('accounts.title')}>
        <table class="stack">
          <thead><tr><th scope="col">${t('accounts.who')}</th><th scope="col">${t('accounts.role')}</th><th scope="col">${t('accounts.unit')}</th><th scope="col"><span class="away">${t('accounts.actions')}</span></th></tr></thead>
          <tbody>${seen.map((account) => this.line(account))}</tbody>
        </table>
      </div>
      ${this.accounts || this.failure ? nothing : html`<p class="sub">${t('loading')}</p>`}
      <dialog class="make" aria-labelledby="make-title">
        <form @submit=${this.make}>
          <h2 id="make-title">${t('accounts.create')}</h2>
          <label class="field"><span class="label">${t('signin.name')}</span><input name="name" required pattern="[a-z0-9][a-z0-9._\\-]{1,39}" autocapitalize="off" autocomplete="off" spellcheck="false" /><span class="sub">${t('accounts.name.hint')}</span></label>
          <label class="field"><span class="label">${t('accounts.display')}</span><input name="display" required maxlength="100" autocomplete="off" /></label>
          <label class="field"><span class="label">${t('accounts.role')}</span><select name="role">${roles.map((role) => html`<option value=${role}>${t(`role.${role}`)}</option>`)}</select></label>
          <div class="field"><label class="label" for="make-unit">${t('accounts.unit')}</label><wb-combobox .inputId=${'make-unit'} .search=${findUnits} .hint=${t('field.unit.hint')} @pick=${({ detail }: CustomEvent<Option | null>) => (this.unit = detail?.code.split('@')[0] ?? '')}></wb-combobox><span class="sub">${t('accounts.unit.hint')}</span></div>
          <label class="check"><input type="checkbox" name="sensitive" /><span>${t('accounts.sensitive')}</span></label>
          <div class="actions"><button class="main" ?disabled=${this.busy}>${t('accounts.create')}</button><button type="button" class="plain" @click=${() => this.querySelector<HTMLDialogElement>('dialog.make')!.close()}>${t('cancel')}</button></div>
        </form>
      </dialog>
    </div>`
  }
}
