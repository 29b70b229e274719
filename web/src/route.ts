// Where in the app a tab is: the part of the address behind '#'. It needs no
// server, so every screen opens offline and survives a reload.

export interface Route { screen: string; parts: string[]; query: URLSearchParams }

export function route(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
  const [screen = '', ...parts] = path.split('/').map(decodeURIComponent)
  return { screen, parts, query: new URLSearchParams(query) }
}

export const hrefOf = (screen: string, ...parts: string[]): string => `#/${[screen, ...parts].map(encodeURIComponent).join('/')}`

export function go(href: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, '', href)
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else {
    location.hash = href
  }
}

let settled = location.hash // where the tab is, once it was agreed to

/** Notes in the address which form is being typed into, or that none is: a reload comes back to it. Nobody goes anywhere. */
export function noteForm(key: string): void {
  if (location.hash !== settled) return // somebody is on the way to another place
  const { query } = route()
  if (key) query.set('draft', key)
  else query.delete('draft')
  const path = settled.split('?')[0]!
  history.replaceState(null, '', query.size ? `${path}?${query}` : path)
  settled = location.hash
}

/** A form asks to be asked before the tab moves on; it answers whether it may. */
type Guard = () => Promise<boolean>
let guard: Guard | null = null

export function setGuard(next: Guard | null): void {
  guard = next
}

/**
 * Calls back on every change of route, after the guard of the screen being left has agreed. Until it has, the place is
 * held; then the tab goes where the person, once they had answered, asked for last: what they answered may take a while.
 * What was replaced is still the place where the person is.
 */
export function onRoute(listen: (to: Route, replaced: boolean) => void): () => void {
  let wanted = '' // while the guard is asked: where to
  const moved = () => {
    if (wanted && !document.querySelector('dialog[open]')) wanted = location.hash || '#/' // a question that stands holds the place
  }
  const changed = async (event: HashChangeEvent) => {
    const replaced = !event.isTrusted
    if (location.hash === settled) return listen(route(), replaced)
    if (wanted && event.isTrusted) return history.replaceState(null, '', settled || '#/')
    if (wanted) { // the form has another address now: what was new is saved
      settled = location.hash
      return listen(route(), replaced)
    }
    if (guard && location.hash === settled.split('?')[0] && route().screen === 'register') { // its row in the list: the form is here
      return history.replaceState(null, '', settled)
    }
    if (guard) {
      wanted = location.hash || '#/'
      history.replaceState(null, '', settled || '#/')
      const may = await guard()
      const to = wanted
      wanted = ''
      if (!may || to.split('?')[0] === (settled || '#/').split('?')[0]) return // they stay, or came back
      guard = null
      if (location.hash !== to) history.pushState(null, '', to) // else the event is to come
    }
    settled = location.hash
    listen(route(), replaced)
  }
  addEventListener('popstate', moved) // comes at once, and for the place where one is as well
  addEventListener('hashchange', changed)
  return () => {
    removeEventListener('popstate', moved)
    removeEventListener('hashchange', changed)
  }
}
