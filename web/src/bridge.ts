// The calls that the page may make of the worker, and the events it hears.
// The worker holds the Go module, the local store and the tokens; the page
// holds none of them. client-wasm/bridge answers these calls under the same
// names. Every call is a numbered request and one response; a call that was in
// flight when the writing tab closed is sent again to the next writer, so each
// is idempotent (saves carry a key of their own).

export type Lang = 'vi' | 'en'
export type Place = 'local' | 'received' | 'approved' | 'hub'
export type Stage = 'draft' | 'submitted' | 'returned' | 'refused' | 'approved' | 'quarantined'
export type Level = 'E' | 'W' | 'I'

/** A refusal that the page can show: code is stable, texts are for people. */
export interface Failure { code: string; vi: string; en: string; field?: string }

export interface Account { name: string; display: string; role: 'officer' | 'supervisor' | 'hub' | 'admin'; unit: string; unitName: string }

/** What is known before anybody signs in. */
export interface Boot {
  accounts: { name: string; display: string; unitName: string; borrowed: boolean; unsent: number; leasedOut: boolean; damaged: boolean; openers: Opener[]; mayWriteLate: boolean; late: number }[] // stores on this device; leasedOut: nothing opens it without the server; damaged: something of it could not be read; late: records written since, sealed
  rescues: { count: number; at: number; refused?: Failure }[] // rescue files that wait here to be handed in
  persisted: boolean | null // the browser's answer to our request to keep the store; null: not asked yet
  offlineReady: boolean // encrypted OPFS works in this browser
  why?: Failure // why not
  unlocked?: string // account whose store another tab of this browser has open
}

/** What opens an account's store on this device besides the password. Times are the device's. */
export interface Opener {
  id: string; kind: 'pin' | 'passkey'; label: string; made: number; used: number // used: 0 for never
  salt: string; credential?: string // of a passkey: what to ask it for, and its id, in hexadecimal
}

/** Whom a record names by its account's name. */
export interface Person { name: string; display: string; role: Account['role'] }

export interface Session {
  account: Account; borrowed: boolean; registers: Definition[]; leader: boolean; version: string
  device: string // the server's id of this device, remembered outside the store
  lost?: boolean // this device had a store, which is gone
  fresh?: boolean // the store held nothing when it was opened
  late?: boolean // the lease has ended: new records can be written, and nothing read
}

/** What the server did with a rescue file. */
export interface HandedIn { changesets: number; applied: number; quarantined: number; repeated: number }

/** A store that was here and is gone. */
export interface Vanished { unsent: number; at: number; copied: boolean } // unsent changes last noted in it, when, and whether a sealed copy of them is left

// The JSON form of sync/register's Definition, the part that the page reads.
export interface Text { vi: string; en: string }
export interface Definition {
  id: string; version: number; label: Text; fields: FieldDef[]
  sections?: { id: string; label: Text }[]; code_lists?: Record<string, { code: string; label: Text }[]>
  list_columns?: string[]; title_field?: string
}
export interface FieldDef {
  id: number; name: string; type: string; label: Text; help?: Text; required?: string; code_list?: string
  class?: 'basic' | 'sensitive'; high_risk?: boolean; section?: string; policy?: string
}

export interface Row {
  id: string; register: string; title: string; cells: string[] // display texts of list_columns, masked where the field is
  place: Place; stage: Stage; conflict: boolean; editedAndDeleted: boolean; deleted: boolean
  receivedAt?: number; changedAt?: number
  why?: Hit[] // where else than in its title a search found it
}
/** Where in a field's display text what was searched for stands; all of it where the field is masked. */
export interface Hit { field: string; before?: string; text: string; after?: string }
export interface ListRequest { register: string; search?: string; filter?: 'all' | 'mine' | 'conflicts' | 'drafts' | 'returned' | 'deleted' | 'unchecked'; offset?: number; limit?: number
  first?: boolean // answer once the rows are found, without counting on
  turn?: string // who asks: another search under the same name ends this one, with code "superseded"
}
export interface ListReply { rows: Row[]; total: number; counted: boolean; have: number; of: number; complete: boolean }

export interface Sibling { dot: string; value: string; display: string; by: string; at: number; received: number; mine: boolean
  here: boolean // written on this device
  clock?: number // ms by which the writing device's clock is known to have been ahead of the server's (below 0: behind)
}
/** Why one of several values is proposed; sync/register/suggest.go. */
export type Why = 'same_words' | 'only_change' | 'only_filled' | 'only_valid' | 'fuller' | 'evidence'
export interface FieldView {
  name: string; value: string; display: string; masked: boolean
  conflict: Sibling[] // two or more when a person has to choose; else empty
  ancestor?: { value: string; display: string } // what both sides had seen, if known
  waiting: boolean // holds a write that nobody approved
  local: boolean // holds a write that the server has not received
  by?: string; at?: number; received?: number
  seen?: string // the version vector behind a conflict; given back to settle it binds the choice to what was on the screen
  advice?: { dot: string; why: Why } // which value is proposed, and why; never written by itself
  settled?: { dot: string; others: string[] } // a choice made here that can be undone, and what gave way
}
export interface Finding { field: string; level: Level; code: string; group: number; vi: string; en: string }
export interface RecordView {
  id: string; register: string; unit: string; definition: number
  fields: FieldView[]; findings: Finding[]
  life: 'alive' | 'deleted' | 'edited and deleted'
  place: Place; stage: Stage; receivedAt?: number; approvedAt?: number
  backedUp?: boolean // what stands in it of this device's survives the loss of the server
  review?: { decision: string; by: string; at: number; comment?: string; fields?: string[]; question?: string; answers: { text: string; by: string; at: number }[] }
  quarantine: {
    counter: number; code: string; vi: string; en: string; at: number; fields: { name: string; display: string }[]
    settled?: 'released' | 'rejected'; as?: string // as: the first write that it was released as
  }[]
  mayDelete: boolean
  unchecked?: { searched: number; of: number } // somebody has to look for duplicates
  home?: { unit: string; from: string; reason: string; by: string; at: number; returned: boolean; disputed: boolean } // sent to a unit that has not taken it over
}

/** What people may say of two records that look like one thing. */
export type Verdict = 'same' | 'different' | 'linked'
export type Likely = 'same_value' | 'same_name' | 'like_name' | 'same_date' | 'fits_date' | 'both_one'
export interface PairSide { id: string; register: string; title: string; place: Place; stage: Stage; life: RecordView['life']; by: string; at: number; received: number }
export interface Pair {
  a: PairSide; b: PairSide; score: number; reasons: { kind: Likely; field: string }[]
  state: 'open' | Verdict | 'disputed' // disputed: people said different things at the same time
  said: { said: Verdict; kept?: string; reason?: string; by: string; at: number; received: number }[]
  keep: string; why: 'approved' | 'fuller' | 'older' // which record is proposed to stay, and why
  fields: { name: string; a: string; b: string; same: boolean; may: boolean }[] // display texts; may: the other's value can be taken over
}
/** The record that a reference leads to. */
export interface Followed { id: string; register: string; title: string; life: RecordView['life'] }
export interface PairsReply { pairs: Pair[]; more: boolean }

/** A form: what was on the screen when it was opened, and what was typed since, kept until it is saved or given up. */
export interface Form {
  key: string; record: RecordView; isNew: boolean; openedAt: number; dirty: boolean
  definition: number // the version whose fields it can save
  shown: Record<string, string> // as it was opened, without what is masked; record is how it stands now
  values: Record<string, string> // the same and what was typed
}
export interface SaveRequest { key: string; values: Record<string, string>; submit: boolean; reasons?: Record<string, string>; answer?: string
  unchecked?: { searched: number; of: number } // a new record, begun from a search that found nobody in a part of the register
} // reasons by "FIELD CODE"
export interface SaveReply { id: string; saved: boolean; submitted: boolean; findings: Finding[]; record: RecordView }

export interface StreamStatus { register: string; unit: string; have: number; of: number; complete: boolean }
export interface Status {
  link: 'offline' | 'connecting' | 'online'
  unsent: number; oldest?: number; sending: number // changesets on this device that the server has not acknowledged
  paused: boolean // receiving is held back, by choice or because the day's data is used up; sending never is
  synced: boolean // outbox empty and the receipt covers the last edit and every stream is complete; nothing else may say "synced"
  lastReceipt?: number; streams: StreamStatus[]; conflicts: number; returned: number; quarantined: number
  clockOffset?: number // ms, device minus server
  failure?: Failure // what a person has to do something about
}

/** A change that is not what was saved: when that was, and in which records. */
export interface Damaged { at: number; records: string[]; titles: string[] }

/** What the officer chose to have of one register, and what of it is here. */
export interface ScopeView {
  register: string; off: boolean; neighbourhoods: string[] // none: all of them
  have: number; of: number; complete: boolean
  leaving: boolean // chosen off, and forgotten as soon as everything unsent is received
}
export interface DeviceView {
  paused: boolean; spent: boolean // held back by choice; because the day's data is used up
  budget: number; used: number // MB a day on lines that are paid by the byte, 0 for no limit; bytes received on them today
  metered: boolean; scopes: ScopeView[]
}
export interface ChooseRequest {
  paused?: boolean; first?: string // the register that comes before the others
  register?: { register: string; off: boolean; neighbourhoods: string[] } // replaces what was chosen of this one
  budget?: number
  more?: boolean // go on for today although the budget is spent
}

/** What an identity card says, in the fields of a register, and whether its bearer is on this device. */
export interface CardReply {
  values: Record<string, string>; record?: string; title: string
  others: number // further records under the same number
  differences: { field: string; here: string; card: string; value: string }[]
  complete: boolean // all of the register was looked at
}

/** The reply to a request that had it kept on the device. */
export interface Told { reply: unknown; fresh: boolean } // fresh: the server was asked just now

export interface Calls {
  boot(): Boot
  /** Signs in over the network; opens or creates this account's store. */
  login(a: { name: string; password: string; code?: string; borrowed: boolean; device?: string; former?: string; new?: string; anew?: boolean }): Session // anew: in the place of the store here, which is damaged; its sealed second copy is handed in; device: what is remembered of Session.device; new: the password to set at once, after "must_change_password"; former: the password under which the store here was locked, after "former_password"
  /** Opens the store of an account that has signed in here before, by one of its openers; only the PIN needs the network. */
  unlock(a: { name: string; password?: string; pin?: string; passkey?: { opener: string; secret: string } }): Session
  /** Begins a new record of an account whose lease has ended; what was written before is sealed and cannot be read. */
  late(a: { name: string }): Session
  /** Saves a new record after the lease: it is on the disk, sealed, when this is answered. */
  lateSave(a: { register: string; values: Record<string, string>; submit: boolean; reasons?: Record<string, string> }): SaveReply
  /** What opens the store that is open here, besides the password. Answered by the worker, as the next two. */
  openers(): Opener[]
  /** Adds a passkey, or sets the PIN in the place of the one before, which needs the network. */
  addOpener(a: { password: string; pin?: string; passkey?: { credential: string; salt: string; secret: string; label: string } }): Opener[]
  removeOpener(a: { id: string }): Opener[]
  session(): Session | null
  /** Signs out. With unsent work and borrowed, refuses with code "unsent" unless keep is set. With lock it only closes the store, whoever's device it is. */
  logout(a: { keep?: boolean; lock?: boolean }): { removed: boolean; unsent?: number } // unsent: in the store as it was closed
  /** The changes in the outbox that the disk has damaged: they cannot be sent, and somebody has to enter them again. */
  damaged(): Damaged[]
  /** Lets go of what is damaged, once it was looked at. Everything else stays. */
  dropDamaged(): void
  /** A rescue file of everything that the server has not acknowledged, in base64. It all stays in the outbox. */
  rescue(): { file: string; count: number }
  /** Hands a rescue file in, in base64; whoever is signed in or nobody. Without a network it is kept and handed in later. Answered by the worker. */
  handIn(a: { file: string }): HandedIn | { kept: true }
  /** Changes the password at the server and of the store here; needs the network. Answered by the worker. */
  password(a: { old: string; new: string }): null
  list(a: ListRequest): ListReply
  get(a: { id: string }): RecordView
  history(a: { id: string }): { steps: { dot: string; field: string; value: string; display: string; by: string; at: number; received: number; current: boolean }[]; complete: boolean }
  open(a: { id?: string; register?: string }): Form
  draft(a: { key: string; values: Record<string, string> }): { saved: boolean } // kept on the device, survives everything
  drafts(): Form[]
  discard(a: { key: string }): null
  card(a: { register: string; text: string }): CardReply // changes nothing; the text is kept nowhere
  check(a: { register: string; id?: string; values: Record<string, string> }): Finding[]
  save(a: SaveRequest): SaveReply
  remove(a: { id: string }): RecordView
  restore(a: { id: string }): RecordView
  settle(a: { id: string; field: string; dot?: string; value?: string; seen?: string }): RecordView // field "life": value "alive" or "deleted"
  /** Takes a choice back that was made here: the values that gave way stand beside each other again. */
  undo(a: { id: string; field: string; dot: string }): RecordView
  /** Writes a value again that stood in the field once; value is needed where the device does not know the dot. */
  bringBack(a: { id: string; field: string; dot: string; value?: string }): RecordView
  /** Pairs of records that look like one thing and wait for somebody. */
  pairs(): PairsReply
  /** The pairs that one record is in, decided or not. */
  pairsOf(a: { id: string }): Pair[]
  /** Where a reference leads: to the record that it names or, if that was given up as the same as another, to the one that stays. */
  follow(a: { id: string }): Followed
  /** Says that a pair is one thing, two, or linked, over all that was said; said "" takes it back. Of "same" keep is needed. */
  decidePair(a: { a: string; b: string; said: Verdict | ''; keep?: string; take?: string[]; reason?: string }): Pair
  /** Somebody has looked for duplicates of a record that was marked for it. */
  checked(a: { id: string }): RecordView
  /** The ids of the records of one household, the asked one first. */
  together(a: { id: string }): string[]
  /** Asks that records go to another unit, all or none; also without a network. */
  move(a: { ids: string[]; unit: string; reason: string }): null
  submit(a: { id: string; reasons?: Record<string, string> }): SaveReply
  answer(a: { id: string; question: string; text: string }): RecordView
  reveal(a: { id: string; field: string; dot?: string }): { display: string } // audited
  conflicts(): Row[]
  status(): Status
  /** The directory, as this device knows it; a name that it lacks has it fetched again when there is a network. */
  people(a: { unknown?: string }): Person[]
  syncNow(): null
  /** What of the unit's registers is on this device, and what is wanted here. */
  device(): DeviceView
  /** Changes what is wanted here; what is left out stays as it is. */
  choose(a: ChooseRequest): DeviceView
  /** Says whether the line is paid by the byte, as far as the browser or the officer knows. */
  line(a: { metered: boolean }): null
  lang(a: { lang: Lang }): null // of the display texts from now on, in every tab
  units(a: { search: string }): { code: string; name: string }[]
  suggestUnits(a: { old: string }): { candidates: { code: string; name: string }[]; split: boolean }
  /** A request to the server's API with this session's token; fails with code "offline" when there is no network. */
  api(a: { method: string; path: string; body?: unknown; keep?: boolean }): unknown // keep, of GET alone: answers Told, and without a network the reply that was kept last of this path
}

export interface Events {
  status: Status
  changed: { registers: string[]; ids: string[] } // ids is empty when too many to name
  people: Person[] // the directory is another now
  session: Session | null // signed in, signed out or revoked, in any tab
  update: { version: string; blockedBy: 'form' | null } // a new version of the app waits
  failure: Failure
  vanished: Vanished // from the worker
  loading: { have: number; of: number } // from the worker: bytes of the program that have come, on a first visit; of nothing, when the network failed
  lease: { device: string; sealed: string; seconds: number; late?: object } // for the worker: the server was heard; late: what its call of that name takes
  ended: { code: string; file: string | null; count: number; sealed: boolean; drafts: number } // for the worker: the server has closed device or account
  closed: { account: string; code: string; drafts: number } // from the worker: the same, once the unsent work is kept sealed; drafts: unsaved forms that went with the store
}

/** The page's end of the bridge; see worker/client.ts. */
export interface Bridge {
  call<K extends keyof Calls>(name: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>>
  on<K extends keyof Events>(name: K, listen: (event: Events[K]) => void): () => void
}
