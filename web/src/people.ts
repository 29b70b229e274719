import type { Person } from './bridge'
import { bridge } from './link'

// What people are called. Records name accounts; the directory that the device
// keeps says who that is. This is the only place where the one becomes the other.

let known = new Map<string, Person>()
let shared = new Set<string>() // display names that two accounts have
const asked = new Set<string>() // unknown names that the device was told of
const listeners = new Set<() => void>()

/** What to call an account: its display name, with the account's own beside it when two share one; unknown, the account's name. */
export function nameOf(account: string): string {
  const person = known.get(account)
  if (person) return shared.has(person.display) ? `${person.display} (${account})` : person.display
  if (account && !asked.has(account)) {
    asked.add(account)
    void bridge.call('people', { unknown: account }).catch(() => asked.delete(account))
  }
  return account
}

/** Calls back when names have changed. */
export function onPeople(listen: () => void): () => void {
  listeners.add(listen)
  return () => listeners.delete(listen)
}

/** Reads the directory of whoever has just signed in. */
export async function readPeople(): Promise<void> {
  take(await bridge.call('people', {}))
}

function take(people: Person[]): void {
  known = new Map(people.map((person) => [person.name, person]))
  const displays = people.map((person) => person.display)
  shared = new Set(displays.filter((display, i) => displays.indexOf(display) !== i))
  for (const listen of listeners) listen()
}

bridge.on('people', take)
