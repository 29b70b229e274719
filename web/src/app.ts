import { html, nothing, type TemplateResult } from 'lit'
import { customElement, state } from 'lit/decorators.js'
import { keyed } from 'lit/directives/keyed.js'
import type { Boot, Session, Status, Vanished } from './bridge'
import { inLang } from './definition'
import { noteClosed, rememberDevice, reopened } from './enrolled'
import { bridge, failureOf, officeScript } from './link'
import { watchLine } from './metered'
import { CallError } from './worker/client'
import './parts/ask'
import { ask } from './parts/ask'
import './parts/care'
import { icon, type Icon, mark } from './parts/icon'
import { langSwitch } from './parts/lang'
import { Part } from './parts/part'
import { saveRescue } from './parts/rescue'
import './parts/say'
import { say, sayFailure } from './parts/say'
import './parts/status'
import { readPeople } from './people'
import { idleChoices, idleMinutes, lockNow, setIdleMinutes, watchIdle } from './lock'
import { hrefOf, onRoute, type Route, route } from './route'
import { t, tFailure } from './text'
import { number, when } from './text/format'
import { onUpdate, seekUpdate } from './update'
import './views/card'
import { takesCards } from './views/card'
import './views/help'
import './views/here'
import './views/home'
import './views/household'
import { hasHouseholds } from './views/household'
import './views/inbox'
import type { Tray } from './views/inbox'
import './views/late'
import './views/register'
import './views/sign-in'

interface Place { screen: string; label: string; icon: Icon; count?: number }

/** The frame of every screen: who is signed in, where one can go, and the line that says where the work stands. */
@customElement('wb-app')
export class App extends Part {
  @state() private boot: Boot | null = null
  @state() private session: Session | null = null
  @state() private status: Status | null = null
  @state() private at: Route = route()
  @state() private failure = ''
  @state() private updateWaits = false
  @state() private busy = false
  @state() private erasures = 0 // requests to erase by law that wait
  @state() private office: 'away' | 'coming' | 'here' | 'missing' = 'away'

  protected override connected(): void {
    this.until(onRoute((to, replaced) => {
      this.at = to
      if (!replaced) void this.updateComplete.then(() => this.focusMain())
    }))
    this.until(onUpdate((waits) => (this.updateWaits = waits)))
    this.hear('status', (status) => {
      if (status.failure?.code === 'update' && this.status?.failure?.code !== 'update') seekUpdate()
      this.status = status
    })
    this.hear('closed', noteClosed)
    this.hear('vanished', (vanished) => void this.tellVanished(vanished))
    this.hear('failure', (failure) => sayFailure(new CallError(failure)))
    this.hear('session', (session) => void this.signed(session))
    this.listen(window, 'erasures', () => void this.countErasures())
    void this.begin()
  }

  private focusMain(): void {
    this.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
  }

  private async begin(): Promise<void> {
    try {
      this.boot = await bridge.call('boot')
      const session = await bridge.call('session')
      if (session) await this.signed(session)
      else if (this.boot?.unlocked) this.boot = await bridge.call('boot') // signed out in another tab meanwhile
    } catch (cause) {
      this.failure = tFailure(failureOf(cause))
    }
  }

  private async signed(session: Session | null): Promise<void> {
    if (!session) {
      if (!this.session) return
      // A fresh page holds nothing of what was open. Until it is there nobody can sign in, who would do so twice.
      this.session = this.boot = null
      sessionStorage.clear()
      location.replace(location.pathname)
      return
    }
    const first = !this.session
    const before = this.session?.account
    this.session = session
    if (before && before.unit && session.account.unit && before.unit !== session.account.unit) void this.tellMoved(before.unitName, session.account.unitName)
    if (session.late) {
      if (first) this.until(watchIdle())
      return
    }
    reopened(session.account.name)
    if (!session.borrowed) rememberDevice(session.account.name, session.device)
    if (first && session.lost) say(t('store.lost'))
    if (first) this.until(watchIdle())
    if (first) void this.updateComplete.then(() => this.focusMain())
    void readPeople().catch(() => {}) // names of accounts have to do
    void this.countErasures()
    if (first && holdsRecords(session)) this.until(watchLine())
    if (first) this.status = await bridge.call('status').catch(() => null)
  }

  private async countErasures(): Promise<void> {
    if (!roles.erasures!.includes(this.session!.account.role)) return
    const { open } = (await bridge.call('api', { method: 'GET', path: '/api/v1/erasures' }).catch(() => ({ open: [] }))) as { open: unknown[] }
    this.erasures = open.length
  }

  private async signOut(): Promise<void> {
    const unsent = this.status?.unsent ?? 0
    const borrowed = this.session!.borrowed
    const drafts = (await bridge.call('drafts').catch(() => [])).filter(({ dirty }) => dirty).length
    const words = unsent ? t(borrowed ? 'signout.unsent.borrowed' : 'signout.unsent', { n: number(unsent) }) : t(borrowed ? 'signout.borrowed' : 'signout.body')
    const reply = await ask({
      title: t('signout.title'),
      body: html`<p>${words}</p>${drafts ? html`<p>${t(borrowed && !unsent ? 'signout.drafts.borrowed' : 'signout.drafts', { n: number(drafts) })}</p>` : nothing}`,
      choices: [{ value: 'yes', label: unsent && borrowed ? t('signout.keep') : t('signout'), tone: unsent ? 'danger' : 'main' }, ...(unsent ? [{ value: 'rescue', label: t('rescue.save_and_leave') }] : [])],
    })
    if (!reply || (reply.value === 'rescue' && !(await saveRescue()))) return
    try {
      await bridge.call('logout', unsent > 0 ? { keep: true } : {})
    } catch (cause) {
      sayFailure(cause)
    }
  }

  /** A store that was here is gone: what that means, and what is left to do. */
  private async tellVanished({ unsent, at, copied }: Vanished): Promise<void> {
    const words = unsent ? t(copied ? 'vanished.copied' : 'vanished.lost', { n: number(unsent), at: when(at) }) : t('vanished.nothing')
    await ask({ title: t('vanished.title'), body: html`<p>${words}</p><p>${t('vanished.how')}</p>`, choices: [] })
  }

  /** The account works for another unit now: what that means for what is on this device. */
  private async tellMoved(from: string, unit: string): Promise<void> {
    await ask({ title: t('moved.title', { unit }), body: html`<p>${t('moved.body', { from })}</p><p>${t('moved.next', { from, unit })}</p>`, choices: [] })
  }

  private async changePassword(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const data = new FormData(form)
    this.busy = true
    try {
      await bridge.call('password', { old: String(data.get('old')), new: String(data.get('new')) })
      this.querySelector<HTMLDialogElement>('dialog.password')!.close()
      form.reset()
      say(t('password.changed'))
    } catch (cause) {
      sayFailure(cause)
    } finally {
      this.busy = false
    }
  }

  private get places(): Place[] {
    const { account } = this.session!
    const waiting = this.status ? this.status.conflicts + this.status.returned + this.status.quarantined : 0
    const erasures: Place = { screen: 'erasures', label: t('nav.erasures'), icon: 'bin', count: this.erasures }
    switch (account.role) {
      case 'officer':
        return [{ screen: '', label: t('nav.registers'), icon: 'book' }, { screen: 'inbox', label: t('nav.inbox'), icon: 'inbox', count: waiting }]
      case 'supervisor':
        return [{ screen: 'desk', label: t('nav.desk'), icon: 'desk' }, { screen: '', label: t('nav.registers'), icon: 'book' }, { screen: 'inbox', label: t('nav.settle'), icon: 'split', count: this.status?.conflicts ?? 0 }, { screen: 'moves', label: t('nav.moves'), icon: 'move' }, { screen: 'held', label: t('nav.held'), icon: 'lock' }, { screen: 'devices', label: t('nav.devices'), icon: 'device' }]
      case 'admin':
        return [{ screen: 'accounts', label: t('nav.accounts'), icon: 'people' }, { screen: 'devices', label: t('nav.devices'), icon: 'device' }, erasures, { screen: 'audit', label: t('nav.audit'), icon: 'log' }]
      case 'hub':
        return [{ screen: 'hub', label: t('nav.hub'), icon: 'sync' }]
    }
  }

  /** A screen of the script that officers seldom need; once it is loaded, it stays. */
  private ofOffice(screen: TemplateResult): TemplateResult {
    if (this.office === 'here') return screen
    if (this.office === 'away') void this.updateComplete.then(() => this.loadOffice())
    return this.office === 'missing'
      ? html`<div class="empty"><p role="alert">${t('office.missing')}</p><button @click=${() => void this.loadOffice(true)}>${t('again')}</button></div>`
      : html`<div class="empty"><p class="sub" role="status">${t('loading')}</p></div>`
  }

  private async loadOffice(anew = false): Promise<void> {
    this.office = 'coming'
    try {
      await import(`${officeScript}${anew ? `?${Date.now()}` : ''}`) // a module that failed is not tried again under its address
      this.office = 'here'
    } catch {
      this.office = 'missing'
    }
  }

  private view(session: Session): TemplateResult {
    const { screen, parts, query } = this.at
    const places = this.places.map((place) => place.screen)
    const home = places[0]!
    const known = screen !== '' || places.includes('') ? screen : home
    const wanted = known === '' && session.account.role === 'supervisor' && !location.hash ? 'desk' : known
    const definition = session.registers.find((register) => register.id === parts[0])
    const role = session.account.role
    if (!(roles[wanted] ?? role).includes(role)) return html`<div class="empty"><p>${t('nowhere.role', { role: t(`role.${role}`) })}</p><a class="button" href=${hrefOf(home)}>${t('nav.home.go')}</a></div>`
    switch (wanted) {
      case 'register':
      case 'new': {
        // One template: a new record that was saved is still the form that is being typed into.
        const isNew = wanted === 'new'
        if (definition) return html`<wb-register .definition=${definition} .recordId=${isNew ? '' : (parts[1] ?? '')} .isNew=${isNew} .draftKey=${query.get('draft') ?? ''}></wb-register>`
        break
      }
      case 'household':
        if (definition && parts[1] && hasHouseholds(definition)) return html`<wb-household .definition=${definition} .no=${parts[1]}></wb-household>`
        break
      case 'card':
        if (definition && takesCards(definition)) return html`<wb-card .definition=${definition}></wb-card>`
        break
      case 'inbox':
        return html`<wb-inbox .session=${session} .status=${this.status} .tray=${(parts[0] as Tray) || 'conflicts'}></wb-inbox>`
      case 'desk':
        return this.ofOffice(html`<wb-desk .session=${session} .erasures=${this.erasures} .recordId=${parts[0] ?? ''}></wb-desk>`)
      case 'here':
        return html`<wb-here .session=${session} .status=${this.status}></wb-here>`
      case 'tally':
        return this.ofOffice(html`<wb-tally .session=${session} .status=${this.status}></wb-tally>`)
      case 'moves':
        return this.ofOffice(html`<wb-moves .session=${session}></wb-moves>`)
      case 'held':
        return this.ofOffice(html`<wb-held .session=${session}></wb-held>`)
      case 'erasures':
        return this.ofOffice(html`<wb-erasures .session=${session}></wb-erasures>`)
      case 'help':
        return html`<wb-help .chapter=${parts[0] ?? ''}></wb-help>`
      case 'accounts':
        return this.ofOffice(html`<wb-accounts></wb-accounts>`)
      case 'devices':
        return this.ofOffice(html`<wb-devices .session=${session}></wb-devices>`)
      case 'audit':
        return this.ofOffice(html`<wb-audit></wb-audit>`)
      case 'unlock':
        return this.ofOffice(html`<wb-openers .session=${session}></wb-openers>`)
      case 'hub':
        return this.ofOffice(html`<wb-hub></wb-hub>`)
      case '':
        return html`<wb-home .session=${session} .status=${this.status}></wb-home>`
    }
    return html`<div class="empty"><p>${t('nowhere')}</p><a class="button" href="#/">${t('nav.home.go')}</a></div>`
  }

  private nav() {
    const { screen } = this.at
    const shown = screen || (location.hash || this.session!.account.role !== 'supervisor' ? '' : 'desk')
    const current = shown === 'register' || shown === 'new' || shown === 'here' || (shown === 'tally' && this.session!.account.role === 'officer') ? '' : shown === 'tally' ? 'desk' : shown
    const registers = this.places.some((place) => place.screen === '')
    const inRegister = shown === 'register' || shown === 'new'
    const list = html`<ul class="nav-registers">
      ${this.session!.registers.map((register) => html`<li><a href=${hrefOf('register', register.id)} aria-current=${inRegister && this.at.parts[0] === register.id ? 'page' : nothing}>${inLang(register.label)}</a></li>`)}
    </ul>`
    return html`<nav class="nav" aria-label=${t('nav')}>
      ${this.places.map(
        (place, i) => html`${this.places[i - 1]?.screen === '' ? list : nothing}<a href=${hrefOf(place.screen)} aria-current=${current === place.screen || (i === 0 && current === '' && !registers) ? 'page' : nothing}>
          ${icon(place.icon)}<span>${place.label}</span>${place.count ? html`<span class="count-badge">${number(place.count)}</span>` : nothing}
        </a>`,
      )}
    </nav>`
  }

  private frame(session: Session) {
    const { account } = session
    return html`<a class="skip" href="#main" @click=${(event: Event) => {
        event.preventDefault()
        this.querySelector<HTMLElement>('main')?.focus()
      }}>${t('skip')}</a>
      <header class="top">
        <a class="brand" href="#/" aria-label="Wardbook, ${t('nav.home')}">${mark()}<span>Wardbook</span></a>
        <span class="top-unit">${account.unitName}</span>
        ${this.updateWaits ? html`<span class="tag tag-blue">${t('update.waits')}</span>` : nothing}
        <details class="menu who" @focusout=${closeMenu}>
          <summary class="button plain" aria-label=${t('nav.account', { who: account.display })}>${icon('person')}<span>${account.display}</span></summary>
          <div class="menu-list" @click=${({ currentTarget }: Event) => (currentTarget as HTMLElement).closest('details')!.removeAttribute('open')}>
            <p><strong>${account.display}</strong><span class="sub">${account.name} · ${t(`role.${account.role}`)}${session.borrowed ? ` · ${t('signin.borrowed.short')}` : ''}</span></p>
            ${langSwitch()}
            <button @click=${() => this.querySelector<HTMLDialogElement>('dialog.password')!.showModal()}>${t('password.change')}</button>
            <a class="button" href=${hrefOf('unlock')}>${t('openers.title')}</a>
            ${account.role === 'officer' ? html`<a class="button" href=${hrefOf('tally')}>${t('tally.title')}</a><a class="button" href=${hrefOf('devices')}>${t('devices.mine')}</a>` : nothing}
            <a class="button" href=${hrefOf('help')}>${t('help')}</a>
            <label class="menu-choice"><span>${t('lock.after')}</span><select name="idle" @change=${(event: Event) => setIdleMinutes(Number((event.target as HTMLSelectElement).value))}>
              ${idleChoices.map((minutes) => html`<option value=${minutes} ?selected=${minutes === idleMinutes()}>${t('lock.minutes', { n: minutes })}</option>`)}
            </select></label>
            <button @click=${() => void lockNow().catch(sayFailure)}>${t('lock.now')}</button>
            <button @click=${() => void this.signOut()}>${t('signout')}</button>
          </div>
        </details>
      </header>
      ${this.nav()}
      <main id="main" tabindex="-1"><wb-care .status=${this.status} .session=${session} .home=${this.at.screen === ''}></wb-care>${this.view(session)}</main>
      <dialog class="password" aria-labelledby="password-title">
        <form @submit=${this.changePassword}>
          <h2 id="password-title">${t('password.change')}</h2>
          <input type="hidden" name="username" autocomplete="username" .value=${account.name} />
          <label class="field"><span class="label">${t('password.old')}</span><input name="old" type="password" required autocomplete="current-password" /></label>
          <label class="field"><span class="label">${t('password.new')}</span><input name="new" type="password" required minlength="10" autocomplete="new-password" /><span class="sub">${t('password.hint')}</span></label>
          <div class="actions"><button class="main" ?disabled=${this.busy}>${t('password.change')}</button><button type="button" class="plain" @click=${() => this.querySelector<HTMLDialogElement>('dialog.password')!.close()}>${t('cancel')}</button></div>
        </form>
      </dialog>
      <footer class="foot"><wb-status .status=${this.status} .session=${session}></wb-status></footer>`
  }

  override render() {
    return html`${this.failure
        ? html`<main class="empty" id="main"><p role="alert">${this.failure}</p><button @click=${() => location.reload()}>${t('again')}</button></main>`
        : this.session
          ? keyed(this.session.account.name, this.session.late ? html`<wb-late .session=${this.session}></wb-late>` : html`<div class="app">${this.frame(this.session)}</div>`)
          : this.boot && !this.boot.unlocked
            ? this.at.screen === 'help'
              ? html`<main id="main" tabindex="-1"><p class="help-back"><a class="button plain" href="#/">${icon('back')}${t('signin.title')}</a>${langSwitch()}</p><wb-help .chapter=${this.at.parts[0] ?? ''}></wb-help></main>`
              : html`<wb-sign-in .boot=${this.boot}></wb-sign-in>`
            : html`<main class="starting" id="main">${mark()}<p role="status">${t('starting')}</p></main>`}
      <wb-said></wb-said><wb-asker></wb-asker>`
  }
}

/** Whose a screen is, by its name, where it is not everybody's. */
const roles: Record<string, string> = {
  ...Object.fromEntries(['register', 'new', 'household', 'card', 'inbox', 'here', 'tally'].map((screen) => [screen, 'officer supervisor'])),
  desk: 'supervisor', moves: 'supervisor', held: 'supervisor', erasures: 'supervisor admin', accounts: 'admin', audit: 'admin', hub: 'hub', devices: 'officer supervisor admin',
}

const holdsRecords = ({ account }: Session): boolean => account.role === 'officer' || account.role === 'supervisor'

function closeMenu(event: FocusEvent): void {
  const menu = event.currentTarget as HTMLDetailsElement
  if (!(event.relatedTarget instanceof Node && menu.contains(event.relatedTarget))) setTimeout(() => (menu.open = false), 150)
}

