// Where the keys go. Whoever works without a mouse must never be put back at the page's beginning because what had the
// focus was taken away: a button that is shut while its work is under way, a row that was decided, a dialog that closes
// over a button that is gone.

/** What can be reached with the Tab key, and is in sight. */
const reachable = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex="0"]'
const shown = (element: Element): boolean => ('checkVisibility' in element ? element.checkVisibility({ visibilityProperty: true }) : (element as Element).getClientRects().length > 0) // Safari before 17.4 cannot say

function firstIn(place: Element | undefined): HTMLElement | undefined {
  if (!place || !shown(place)) return undefined
  return [place, ...place.querySelectorAll(reachable)].find((element): element is HTMLElement => element instanceof HTMLElement && element.matches(reachable) && element.tabIndex >= 0 && shown(element))
}

/** What had the focus, and its place: each element around it, with which of its children led there. */
interface Held { element: HTMLElement; around: { place: Element; at: number }[]; behind: HTMLElement[]; instead: HTMLElement | null }

function hold(element: HTMLElement): Held {
  const around: Held['around'] = []
  for (let child: Element = element; child.parentElement && child !== document.body; child = child.parentElement) {
    around.push({ place: child.parentElement, at: [...child.parentElement.children].indexOf(child) })
    if (child.parentElement.matches('main, dialog')) break
  }
  // A reason that is not asked for any more lies on the way: the keys go on behind it, not back into its field.
  const all = element.closest('.why') ? [...(element.closest('form')?.querySelectorAll<HTMLElement>(reachable) ?? [])] : []
  return { element, around, behind: all.slice(all.indexOf(element) + 1), instead: null }
}

/** The nearest to what is gone: what stands in its place now, or else whatever is left around it. */
function nearest({ around, behind }: Held): HTMLElement | undefined {
  const next = behind.find(usable)
  if (next) return next
  for (const { place, at } of around) {
    if (!place.isConnected) continue
    const found = firstIn(place.children[Math.min(at, place.children.length - 1)]) ?? firstIn(place)
    if (found) return found
  }
  return document.querySelector<HTMLElement>('dialog[open]') ?? document.querySelector<HTMLElement>('main') ?? undefined
}

const usable = (element: HTMLElement): boolean => element.isConnected && !element.matches(':disabled') && shown(element)

/** Watches over the focus as long as the page is there. */
export function keepFocus(): void {
  let page: Held | null = null
  let dialog: Held | null = null
  document.addEventListener('focusin', ({ target }) => {
    if (!(target instanceof HTMLElement)) return
    const inDialog = target.closest('dialog') !== null
    const held = inDialog ? dialog : page
    if (held?.instead === target) return // it only stands in
    if (inDialog) dialog = hold(target)
    else page = hold(target)
  })
  const look = () => {
    const modal = document.querySelector('dialog[open]:modal') !== null
    const held = modal ? dialog : page
    if (!modal) dialog = null
    if (!held) return
    const { element, instead } = held
    const at = document.activeElement
    if (instead && at === instead && instead !== element && usable(element)) return element.focus({ preventScroll: true }) // its work is done
    if (at && at !== document.body) return
    if (usable(element)) {
      if (instead) element.focus({ preventScroll: true })
      return // a tap beside everything takes the focus away too, and may
    }
    const next = nearest(held)
    held.instead = next ?? null
    next?.focus({ preventScroll: true })
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['disabled', 'hidden', 'open'] })
}
