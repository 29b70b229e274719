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

/** Calls back on every change of route, after the guard of the screen being left has agreed. What was replaced is still the place where the person is. */
export function onRoute(listen: (to: Route, replaced: boolean) => void): () => void {
  let asking = false
  const changed = async (event: HashChangeEvent) => {
    const replaced = !event.isTrusted
    if (location.hash === settled) return listen(route(), replaced)
    if (asking && event.isTrusted) return history.replaceState(null, '', settled || '#/') // the question stands
    if (asking) { // the form has another address now: what was new is saved
      settled = location.hash
      return listen(route(), replaced)
    }
    if (guard && location.hash === settled.split('?')[0] && route().screen === 'register') { // its row in the list: the form is here
      return history.replaceState(null, '', settled)
    }
    if (guard) {
      asking = true
      const wanted = location.hash
      history.replaceState(null, '', settled || '#/')
      const may = await guard()
      asking = false
      if (!may) return
      guard = null
      if (location.hash === (settled || '#/')) history.pushState(null, '', wanted) // else they went on already, and the event is to come
    }
    settled = location.hash
    listen(route(), replaced)
  }
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}
