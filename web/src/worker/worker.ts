import type { Boot, Calls, Events, Failure, Opener, SaveReply, Session, Status, Vanished } from '../bridge'
import { runGo } from './go'
import { base64, copyOf, dropRescue, fromBase64, handIn, handInLate, handInWaiting, keepLate, keepRescue, waitingRescues } from './rescues'
import * as keys from './keys'
import * as openers from './openers'
import { elect, someoneLeads, writerLock } from './leader'
import { fetchParts } from './parts'
import { type Answer, type Ask, type Between, failed, type FromPage, InFlight, refuse, Refusal, type Start, type ToPage } from './rpc'
import { install } from './sqlite'

// One dedicated worker per tab. Of the workers that have the same account open,
// one writes: it runs SQLite and the Go module. The others pass calls on to it
// and take over when it goes. See leader.ts for the election.

/** What the Go module offers once it runs; see client-wasm/bridge. */
/** `at` hears the answer while the module is still at work on what follows from it: the promise waits until that is done. */
interface Go { call(name: string, jsonArgs: string, at?: (json: string) => void): Promise<string> }

declare global {
  var __wardbook: Go | undefined
  var __wardbookEvent: ((name: string, json: string) => void) | undefined
}

declare const self: DedicatedWorkerGlobalScope

const tab = crypto.randomUUID()
let start: Start
let began: Promise<void> | undefined
let member: Member | null = null
let go: Promise<Go> | undefined
let fetched: Promise<void> | undefined // the parts that `go` is made of, on a first visit

const tell = (message: ToPage) => self.postMessage(message)

self.onmessage = ({ data }: MessageEvent<FromPage>) => {
  if ('start' in data) {
    start = data.start
    began = begin()
    return
  }
  if (data.ask.name === 'lang') start.lang = (data.ask.args as { lang: string }).lang // should this tab have to lead
  let told = false
  const reply = (answer: Answer) => {
    if (!told) tell({ id: data.ask.id, answer })
    told = true
  }
  void answer(data.ask, reply).then(reply)
}

/** Opens what another tab, or this tab before it was reloaded, had open. */
async function begin(): Promise<void> {
  shareKeys()
  if (start.fresh) fetchFirst()
  self.addEventListener('online', () => void handInWhatWaits())
  setInterval(() => void handInWhatWaits(), HAND_IN_EVERY)
  void handInWhatWaits()
  const opened = (start.sealed && (await keys.unseal(start.sealed))) || (await fromAnotherTab())
  if (!opened) return
  try {
    await join(opened, null)
    announce(opened) // when all tabs reload at once, one gets the key back and the others may look too early
  } catch (cause) {
    await leave()
    const answer = failed(cause)
    if ('error' in answer) tell({ event: 'failure', data: answer.error })
  }
}

const HAND_IN_EVERY = 60_000 // ms

/** Hands in the rescue files that wait here, in one tab at a time. */
async function handInWhatWaits(): Promise<void> {
  await began
  await navigator.locks
    .request('wardbook-rescues', { ifAvailable: true }, async (mine) => {
      if (!mine) return
      await handInWaiting(member?.opened.name, forgotten, (account) => keys.noteUnsent(account, 0))
      if (member) await handInLate(member.opened.name, (file) => member!.vouch(file))
    })
    .catch(() => {}) // the files are where they were
}

/** Whether an account has no store here any more: the server has closed the device. */
const forgotten = async (account: string) => (await keys.storeOf(account)) === undefined

/** Answers a call; `reply` hears what is an answer already, and is to be given what this returns as well. */
async function answer(ask: Ask, reply: (answer: Answer) => void): Promise<Answer> {
  await began
  try {
    switch (ask.name) {
      case 'boot':
        return { ok: await boot() }
      case 'login':
      case 'unlock':
        return { ok: await signIn(ask) }
      case 'session':
        return { ok: member ? await member.session() : null } // nothing that was written late is come back to
      case 'password':
        return { ok: await changePassword(ask.args as { old: string; new: string }) }
      case 'openers':
      case 'addOpener':
      case 'removeOpener':
        return { ok: await changeOpeners(ask) }
      case 'handIn':
        return await takeIn((ask.args as { file: string }).file)
      case 'late':
        return { ok: await beginLate((ask.args as { name: string }).name) }
      default:
        if (late !== null) return await answerLate(ask)
        if (!member) throw refuse('signed_out', 'Bạn chưa đăng nhập.', 'You are not signed in.')
        return await member.ask(ask, reply)
    }
  } catch (cause) {
    return failed(cause)
  }
}

/** Hands in a file that somebody brought; without a network it is kept until there is one. */
async function takeIn(text: string): Promise<Answer> {
  const file = fromBase64(text)
  const answer = await handIn(file)
  if (answer) return answer
  await keepRescue(file, 0)
  return { ok: { kept: true } }
}

async function boot(): Promise<Boot> {
  const why = await obstacle()
  if (!why) await keys.endLeases()
  return {
    accounts: why ? [] : await keys.keptAccounts(),
    persisted: (await navigator.storage?.persisted?.()) ?? null,
    offlineReady: !why,
    rescues: why ? [] : await waitingRescues(),
    ...(why && { why }),
    ...(member && { unlocked: member.opened.name }),
  }
}

/** Why this browser cannot keep an encrypted store; null if it can. */
async function obstacle(): Promise<Boot['why'] | null> {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return { code: 'insecure', vi: 'Trang phải được mở qua https.', en: 'The page has to be opened over https.' }
  }
  try {
    if (!('createSyncAccessHandle' in FileSystemFileHandle.prototype)) throw new Error('no access handles')
    await navigator.storage.getDirectory()
    return null
  } catch {
    return {
      code: 'no-opfs',
      vi: 'Trình duyệt này, hoặc chế độ riêng tư của nó, không cho lưu dữ liệu trên máy.',
      en: 'This browser, or its private mode, does not let us keep data on the device.',
    }
  }
}

/** Refusals of a sign-in before the server knew this device: nothing here is worth keeping. */
const refusedAtTheDoor = ['bad_credentials', 'account_disabled', 'enrolment_required', 'enrolment_code_invalid', 'too_many_devices', 'too_many_attempts']

async function signIn(ask: Ask): Promise<Session> {
  const { name, password = '', pin, passkey, former, new: next, anew } = ask.args as { name: string; password?: string; pin?: string; passkey?: { opener: string; secret: string }; former?: string; new?: string; anew?: boolean }
  if (member || late !== null) throw refuse('signed_in', 'Một tài khoản khác đang mở trên trình duyệt này.', 'Another account is open in this browser.')
  const why = await obstacle()
  if (why) throw refuse(why.code, why.vi, why.en)
  const online = ask.name === 'login'
  const account = name.trim().normalize('NFC').toLowerCase()
  let opened = online
    ? await keys.openOrMake(account, password, former, removeStore, unseal)
    : pin !== undefined
      ? await openers.openByPin(account, pin, (device, handle, proof) => askHalf(account, device, handle, proof))
      : passkey
        ? await openers.openByPasskey(account, passkey)
        : await keys.open(account, password)
  // Before an empty store notes that it holds nothing, and the copy before the number: both go when the copy is taken.
  const copy = await copyOf(opened.name)
  const noted = await keys.lastNoted(opened.name)
  if (anew && online && !opened.isNew) {
    await removeStore(opened)
    opened = { ...(await keys.openOrMake(account, password, undefined, removeStore, unseal)), isNew: false } // to the person it is the account's store, made again
  }
  try {
    const session = await join(opened, online ? (ask.args as object) : null)
    if (session.fresh && noted) {
      if (copy) await keepRescue(copy.file, copy.count) // as nobody's: the empty store's copy takes the place of the account's
      if (!anew) tell({ event: 'vanished', data: { ...noted, copied: copy !== null } satisfies Vanished })
      void handInWhatWaits()
    }
    if (next) await keys.relock(opened, next)
    announce(opened)
    return session
  } catch (cause) {
    await (member as Member | null)?.settled()
    await leave()
    if (cause instanceof Refusal && cause.failure.code === 'no_store') throw await noStore(opened.name)
    if (cause instanceof Refusal && cause.failure.code === 'corrupted') await damaged(opened.name)
    if (opened.isNew && cause instanceof Refusal && refusedAtTheDoor.includes(cause.failure.code)) {
      await removeStore(opened).catch(() => {}) // what was thrown first says more
    }
    throw cause
  }
}

/** Has the server open the sealed key of a store. */
async function unseal(name: string, password: string, device: string, sealed: string): Promise<Uint8Array> {
  return fromBase64(await askKey(name, '/api/v1/auth/open', { name, password, device_id: device, sealed }, 'key'))
}

/** Asks the server for its half of what the PIN opens. */
async function askHalf(name: string, device: string, handle: Uint8Array, proof: Uint8Array): Promise<Uint8Array> {
  return fromBase64(await askKey(name, '/api/v1/auth/pin/open', { device_id: device, handle: base64(handle), proof: base64(proof) }, 'half'))
}

/** Asks the server for what it may withhold, while nobody is signed in. */
async function askKey(name: string, path: string, body: object, member: string): Promise<string> {
  let reply: Response
  try {
    reply = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
  } catch {
    throw refuse('offline', 'Không có kết nối tới máy chủ.', 'There is no connection to the server.')
  }
  const answer = (await reply.json().catch(() => ({}))) as Record<string, string> & { error?: { code: string; message_vi: string; message_en: string } }
  if (answer[member]) return answer[member]
  if (!answer.error) throw refuse('busy', 'Máy chủ đang bận. Hãy thử lại sau.', 'The server is busy. Try again later.')
  if (answer.error.code === 'device_revoked') await wipe(name)
  if (answer.error.code === 'account_disabled') await keys.endLease(name)
  throw refuse(answer.error.code, answer.error.message_vi, answer.error.message_en)
}

/** Removes the store of a device that the server has shut out; its unsent work waits as a rescue file. */
async function wipe(name: string): Promise<void> {
  const store = await keys.storeOf(name)
  if (store) await removeStore({ name, store })
  void handInWhatWaits()
}

/** The account that writes after its lease in this tab. Its records never leave the module but sealed. */
let late: string | null = null

/** Calls that a form of a new record makes. */
const ofNewRecords = ['open', 'draft', 'drafts', 'discard', 'check', 'units', 'suggestUnits', 'lang', 'status', 'device', 'people']

/** Begins a new record, in a store in memory that holds nothing else. */
async function beginLate(name: string): Promise<Session> {
  if (member) throw refuse('signed_in', 'Một tài khoản khác đang mở trên trình duyệt này.', 'Another account is open in this browser.')
  const known = await keys.been(name)
  if (known.wrapped || !known.late) throw refuse('not_late', 'Tài khoản này mở được như thường.', 'This account can be opened as usual.')
  const session = okOf<Session>(await callModule('late', known.late))
  if (late === null) tell({ event: 'session', data: session })
  late = name
  return session
}

async function answerLate(ask: Ask): Promise<Answer> {
  if (ask.name === 'lateSave') {
    const answer = await callModule('lateSave', ask.args)
    if ('error' in answer) return answer
    const { reply, sealed } = answer.ok as { reply: SaveReply; sealed: { file: string; count: number } }
    await keepLate(fromBase64(sealed.file), sealed.count, late!) // durable before it is called saved
    return { ok: reply }
  }
  if (ask.name === 'logout') {
    late = null
    const answer = await callModule('logout', { lock: true })
    tell({ event: 'session', data: null })
    return answer
  }
  if (!ofNewRecords.includes(ask.name)) throw refuse('late', 'Máy đang khóa: chỉ viết được hồ sơ mới.', 'The device is locked: only new records can be written.')
  return callModule(ask.name, ask.args)
}

async function callModule(name: string, args: unknown): Promise<Answer> {
  return JSON.parse(await (await running()).call(name, JSON.stringify(args ?? null))) as Answer
}

/** Why an account that has been here cannot be unlocked: its store is gone. */
async function noStore(name: string): Promise<Refusal> {
  const unsent = (await keys.lastNoted(name))?.unsent ?? 0
  void handInWhatWaits()
  return refuse('vanished', `Dữ liệu của tài khoản này trên máy đã bị xóa (lúc trước có ${unsent} thay đổi chưa gửi). Hãy đăng nhập qua mạng để nhận lại những gì máy chủ có.`,
    `This account's data on this device is gone (it last held ${unsent} unsent changes). Sign in over the network to receive again what the server has.`)
}

/** Notes that a store is damaged; the sealed copy of its unsent work goes as soon as it can. */
async function damaged(name: string): Promise<void> {
  await keys.noteDamage(name)
  void handInWhatWaits()
}

/** Changes the password at the server first: if that fails, the old one still opens everything. */
async function changePassword(change: { old: string; new: string }): Promise<null> {
  if (!member) throw refuse('signed_out', 'Bạn chưa đăng nhập.', 'You are not signed in.')
  const { opened } = member
  if (!(await keys.opens(opened.name, change.old))) throw refuse('password', 'Mật khẩu không đúng.', 'The password is not right.')
  const body = { old_password: change.old, new_password: change.new }
  okOf(await member.ask({ id: ownID(), name: 'api', args: { method: 'POST', path: '/api/v1/auth/password', body } }))
  await keys.relock(opened, change.new)
  return null
}

/** Lists or changes what opens this account's store besides the password, which adding asks for once more. */
async function changeOpeners({ name, args }: Ask): Promise<Opener[]> {
  if (!member) throw refuse('signed_out', 'Bạn chưa đăng nhập.', 'You are not signed in.')
  const { opened } = member
  const post = async (path: string, body: object) => okOf<{ half: string }>(await member!.ask({ id: ownID(), name: 'api', args: { method: 'POST', path, body } }))
  if (name === 'addOpener') {
    const { password, pin, passkey } = args as { password: string; pin?: string; passkey?: openers.MadePasskey }
    if (!(await keys.opens(opened.name, password))) throw refuse('password', 'Mật khẩu không đúng.', 'The password is not right.')
    if (passkey) await openers.addPasskey(opened, passkey)
    else await openers.addPin(opened, pin ?? '', async (handle, proof) => fromBase64((await post('/api/v1/auth/pin', { handle: base64(handle), proof: base64(proof) })).half))
  } else if (name === 'removeOpener') {
    // Here first: what the server keeps of a PIN opens nothing by itself, and another PIN takes its place.
    const kind = await openers.remove(opened.name, (args as { id: string }).id)
    if (kind === 'pin') await post('/api/v1/auth/pin/forget', {}).catch(() => {})
  }
  return openers.openersOf(opened.name)
}

/** Joins the tabs that have the account open, as their writer if there is none. */
async function join(opened: keys.Opened, login: object | null): Promise<Session> {
  const joining = new Member(opened)
  member = joining
  const session = await joining.open(login)
  const { account, borrowed } = session
  if (!login) {
    await keys.noteAccount(opened.name, account)
  } else {
    await keys.keep(opened.name, { display: account.display, unitName: account.unitName, borrowed }) // before anybody can write into the store
  }
  tell({ sealed: await keys.seal(opened) })
  if (!opened.isNew) delete session.lost // what that means is told beside, with what is left of it
  tell({ event: 'session', data: session })
  return session
}

async function leave(): Promise<void> {
  member?.close()
  member = null
  tell({ sealed: null })
}

const COPY_AFTER = 10_000 // ms after a change of what is unsent, and for each that is
const COPY_EACH = 30
const LEASE_EVERY = 60_000

/** This tab's part in an account that is open. */
class Member {
  private readonly channel: BroadcastChannel
  private readonly ended = new AbortController()
  private readonly inFlight: InFlight
  private readonly running = new Map<string, true>() // asks of followers being answered, against hearing them twice
  private writes: Promise<Go> | null = null // set while this tab is the writer
  private opening: Promise<Session> | null = null // what the sign-in in this tab gets
  private noted = -1
  private copied = -1 // unsent changes in the second copy
  private handInAfter = 0 // when the next rescue file may be handed in because the disk is full
  private copying: ReturnType<typeof setTimeout> | undefined
  private ending: Promise<void> = Promise.resolve()

  constructor(readonly opened: keys.Opened) {
    this.channel = new BroadcastChannel(`wardbook-${start.version}-${opened.name}`)
    this.channel.onmessage = ({ data }: MessageEvent<Between>) => this.hear(data)
    this.inFlight = new InFlight((ask) => this.say({ from: tab, ask }))
  }

  /** Opens the store here, or finds the tab that has it open. */
  async open(login: object | null): Promise<Session> {
    let led!: (session: Promise<Session>) => void
    let notLed!: (cause: unknown) => void
    const first = new Promise<Session>((resolve, reject) => ([led, notLed] = [resolve, reject]))
    const lost = elect(writerLock(start.version, this.opened.name), this.ended.signal, async () => {
      this.opening = this.lead(login)
      led(this.opening)
      await this.opening
    })
    let joined = false
    first.then(() => (joined = true), () => {})
    lost.catch((cause: unknown) => {
      notLed(cause) // the sign-in says why; what fails later has nobody who waits for it
      const answer = failed(cause)
      for (const { settle } of this.inFlight.take()) settle(answer)
      if (joined && 'error' in answer) this.deliver('failure', answer.error)
    })
    if (await someoneLeads(start.version, this.opened.name)) {
      const told = this.inFlight.add({ id: ownID(), name: 'session', args: null }).then(okOf<Session>)
      told.catch(() => {}) // it may be this tab that leads: the sign-in hears of that by itself
      led(told)
    }
    return first
  }

  /** Runs SQLite and the Go module here, and opens the account's store in them. */
  private async lead(login: object | null): Promise<Session> {
    const { name, store, key } = this.opened
    this.writes = running()
    const module = await this.writes
    globalThis.__wardbookEvent = (event, json) => this.event(event, JSON.parse(json))
    const text = await module.call(login ? 'login' : 'unlock', JSON.stringify({ ...login, name, store, key }))
    const session = okOf<Session>(JSON.parse(text) as Answer)
    this.watchLease()
    this.say({ writer: tab })
    // What the writer before changed last it may have told nobody.
    this.event('changed', { registers: session.registers.map(({ id }) => id), ids: [] } satisfies Events['changed'])
    for (const { ask, settle } of this.inFlight.take()) void this.carryOut(ask).then(settle)
    return session
  }

  async session(): Promise<Session> {
    return okOf<Session>(await this.ask({ id: ownID(), name: 'session', args: null }))
  }

  ask(ask: Ask, reply?: (answer: Answer) => void): Promise<Answer> {
    return this.writes ? this.carryOut(ask, reply) : this.inFlight.add(ask)
  }

  private async carryOut(ask: Ask, reply?: (answer: Answer) => void): Promise<Answer> {
    await this.opening
    const module = await this.writes!
    if (ask.name === 'logout') await this.copyUnsent().catch(() => {}) // what it would copy stays in the store
    let answer!: Answer
    await module.call(ask.name, JSON.stringify(ask.args ?? null), (json) => {
      answer = JSON.parse(json) as Answer
      if ('ok' in answer && ask.name !== 'logout') reply?.(answer) // of the others something is to be done before
    })
    if ('error' in answer && answer.error.code === 'corrupted') await keys.noteDamage(this.opened.name)
    if (ask.name === 'logout' && 'ok' in answer) await this.signedOut(answer.ok as ReturnType<Calls['logout']>)
    return answer
  }

  private async signedOut({ removed, unsent }: ReturnType<Calls['logout']>): Promise<void> {
    if (removed) await removeStore(this.opened)
    else if (unsent !== undefined) { // what was received last, no status may have told
      await keys.noteUnsent(this.opened.name, unsent)
      if (!unsent) await dropRescue(this.opened.name)
    }
    await keys.forgetReload() // what lies sealed for a reload is worth nothing from here on
    this.event('session', null)
  }

  private hear(message: Between): void {
    if ('writer' in message) {
      if (!this.writes) this.inFlight.again()
    } else if ('ask' in message) {
      const { from, ask } = message
      const which = `${from} ${ask.id}`
      if (!this.writes || this.running.has(which)) return
      this.running.set(which, true)
      const reply = (answer: Answer) => {
        if (this.running.delete(which)) this.say({ to: from, id: ask.id, answer })
      }
      void this.carryOut(ask, reply).catch(failed).then(reply)
    } else if ('to' in message) {
      if (message.to === tab) this.inFlight.answer(message.id, message.answer)
    } else {
      this.deliver(message.event, message.data)
    }
  }

  /** Passes an event of the Go module to the pages of all tabs, but for those that are the worker's own. */
  private event(event: string, data: unknown): void {
    switch (event) {
      case 'lease':
        void keys.renewLease(this.opened, data as Events['lease'])
        void handInWhatWaits()
        return
      case 'ended':
        this.ending = this.end(data as Events['ended'])
        return
      case 'status':
        this.note((data as Status).unsent)
        if ((data as Status).failure?.code === 'quota') void this.sendWithoutRoom().catch(() => {})
        if ((data as Status).failure?.code === 'corrupted') void keys.noteDamage(this.opened.name)
        break
      case 'session': // the account was moved, or it or its unit has another name
        if (data) void keys.noteAccount(this.opened.name, (data as Session).account)
    }
    const pass = () => {
      this.say({ event, data })
      this.deliver(event, data)
    }
    // The pages load anew when the session ends, and this worker ends with them.
    if (event === 'session' && data === null) void this.settled().then(pass)
    else pass()
  }

  /** Resolves when nothing of an ending is left to do. */
  async settled(): Promise<void> {
    await this.ending.catch(() => {})
  }

  /** What the server's closing of the device or the account leaves to do: its unsent work is kept sealed, then the way to the rest is thrown away. */
  private async end({ code, file, count, sealed, drafts }: Events['ended']): Promise<void> {
    clearTimeout(this.copying)
    if (file) await keepRescue(fromBase64(file), count, this.opened.name)
    const gone = code === 'device_revoked' && sealed
    if (gone) await removeStore(this.opened)
    else await keys.endLease(this.opened.name)
    await keys.forgetReload()
    const closed: Events['closed'] = { account: this.opened.name, code, drafts: gone ? drafts : 0 }
    this.say({ event: 'closed', data: closed })
    this.deliver('closed', closed)
    await handInWaiting(undefined, async (account) => account === this.opened.name, (account) => keys.noteUnsent(account, 0)).catch(() => {}) // it waits here
  }

  /** Hands in what was written after the lease, as this account; returns why it was refused. */
  async vouch(file: string): Promise<Failure | null> {
    const answer = await this.ask({ id: ownID(), name: 'api', args: { method: 'POST', path: '/api/v1/rescue/late', body: { file } } })
    return 'error' in answer ? answer.error : null
  }

  /** Keeps a second copy of what is unsent, sealed, in another place of this browser. */
  private async copyUnsent(): Promise<void> {
    clearTimeout(this.copying)
    this.copying = undefined
    const module = await this.writes!
    const answer = JSON.parse(await module.call('rescue', 'null')) as Answer
    if ('error' in answer) return
    const { file, count } = answer.ok as { file: string; count: number }
    if (count) await keepRescue(fromBase64(file), count, this.opened.name)
    else await dropRescue(this.opened.name)
    this.copied = count
  }

  /** On a full disk no session can begin, for each writes before it speaks. A rescue file is only read, and handed in. */
  private async sendWithoutRoom(): Promise<void> {
    if (performance.now() < this.handInAfter) return
    this.handInAfter = performance.now() + HAND_IN_EVERY
    const module = await this.writes!
    const answer = JSON.parse(await module.call('rescue', 'null')) as Answer
    if ('error' in answer) return
    const { file, count } = answer.ok as { file: string; count: number }
    if (count) await handIn(fromBase64(file))
  }

  /** Locks this account when it has not heard from the server for longer than its lease. */
  private watchLease(): void {
    let last = performance.now()
    const timer = setInterval(() => {
      if (this.ended.signal.aborted) return clearInterval(timer)
      const now = performance.now()
      void keys.passTime(this.opened.name, now - last).then(async (left) => {
        if (left > 0) return
        clearInterval(timer)
        await this.ask({ id: ownID(), name: 'logout', args: { lock: true } })
        await keys.endLease(this.opened.name)
      })
      last = now
    }, LEASE_EVERY)
  }

  private deliver(event: string, data: unknown): void {
    tell({ event, data })
    if (event === 'session' && data === null) void leave()
  }

  private note(unsent: number): void {
    if (unsent === this.noted) return
    this.noted = unsent
    void keys.noteUnsent(this.opened.name, unsent)
    if (unsent === 0) void dropRescue(this.opened.name)
    if (unsent === 0 || unsent === this.copied || this.copying !== undefined) return
    // A copy is made of all of it, so a long outbox is copied seldom.
    this.copying = setTimeout(() => void this.copyUnsent().catch(() => {}), COPY_AFTER + unsent * COPY_EACH)
  }

  private say(message: Between): void {
    if (!this.ended.signal.aborted) this.channel.postMessage(message)
  }

  close(): void {
    clearTimeout(this.copying)
    this.ended.abort()
    this.channel.close()
  }
}

/** Numbers for calls of the worker's own, apart from those of its page. */
let lastOwn = 0
const ownID = () => --lastOwn

function okOf<T>(answer: Answer): T {
  if ('error' in answer) throw new Refusal(answer.error)
  return answer.ok as T
}

const FETCH_AGAIN = 5000 // ms after a try that failed

/** Begins to fetch the parts, and says how far that is. Who waits for a try that fails is refused; another is made soon. */
function fetchFirst(): void {
  const say = (have: number, of: number) => tell({ event: 'loading', data: { have, of } })
  const fetching = fetchParts(start, say)
  fetched = fetching
  fetching.catch(() => {
    say(0, 0)
    setTimeout(() => fetched === fetching && fetchFirst(), FETCH_AGAIN)
  })
}

const START_WITHIN = 60_000 // ms, once everything is here; a cheap phone takes some seconds to compile it

/** Starts SQLite and the Go module once per worker. */
function running(): Promise<Go> {
  go ??= startGo().catch((cause) => {
    go = undefined
    throw cause
  })
  return go
}

async function startGo(): Promise<Go> {
  await fetched?.catch(() => {
    throw refuse('offline', 'Chưa tải hết chương trình vì mất mạng. Hãy thử lại khi có mạng.', 'The program has not been loaded wholly, because the network failed. Try again when there is one.')
  })
  await install(start.sqlite)
  let ended = false
  void runGo(start.client, [start.version, start.lang]).then((code) => `(${code})`, (cause: unknown) => String(cause)).then((why) => {
    ended = true
    globalThis.__wardbook = undefined
    tell({ event: 'failure', data: { code: 'stopped', vi: `Bộ xử lý dữ liệu đã dừng ${why}. Hãy tải lại trang.`, en: `The data engine stopped ${why}. Reload the page.` } })
  })
  for (let waited = 0; waited < START_WITHIN && !ended; waited += 5) {
    if (globalThis.__wardbook) return globalThis.__wardbook
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw refuse('stopped', 'Bộ xử lý dữ liệu không khởi động được.', 'The data engine does not start.')
}

async function removeStore(opened: Pick<keys.Opened, 'name' | 'store'>): Promise<void> {
  await running() // SQLite removes its own files
  await keys.drop(opened.name) // first: without its key, what may remain of the store is noise
  await globalThis.__sq!.remove(opened.store)
}

// An unlocked tab answers a new tab of the same version. Both are ours: a
// channel is open to this origin only.
type Keyring = { need: string } | { for: string; opened: keys.Opened } | { joined: keys.Opened }

let ring: BroadcastChannel
let received: ((opened: keys.Opened) => void) | undefined

function shareKeys(): void {
  ring = new BroadcastChannel(`wardbook-keys-${start.version}`)
  ring.onmessage = ({ data }: MessageEvent<Keyring>) => {
    if ('need' in data) {
      if (member) ring.postMessage({ for: data.need, opened: member.opened } satisfies Keyring)
    } else if ('for' in data) {
      if (data.for !== tab) return
      if (received) received(data.opened)
      else joinAfter(data.opened) // the other tab was busy, and answers late
    } else {
      joinAfter(data.joined)
    }
  }
}

/** Joins as soon as this tab has done with looking by itself: it would join twice. */
function joinAfter(opened: keys.Opened): void {
  void began?.then(() => (member || late !== null ? undefined : join(opened, null))).catch(leave)
}

/** Whoever has an account open opens it in the tabs that wait at the sign-in page. */
function announce(opened: keys.Opened): void {
  ring.postMessage({ joined: opened } satisfies Keyring)
}

async function fromAnotherTab(): Promise<keys.Opened | null> {
  if (!(await someoneLeads(start.version))) return null
  return new Promise((resolve) => {
    const end = (opened: keys.Opened | null) => {
      clearTimeout(giveUp)
      clearInterval(look)
      received = undefined
      resolve(opened)
    }
    const giveUp = setTimeout(() => end(null), 3000)
    // A tab that has just signed out holds its lock until it is gone, and answers nobody.
    const look = setInterval(() => void someoneLeads(start.version).then((leads) => leads || end(null)), 100)
    received = end
    ring.postMessage({ need: tab } satisfies Keyring)
  })
}
