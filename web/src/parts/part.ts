import { LitElement } from 'lit'
import type { Events } from '../bridge'
import { bridge } from '../link'
import { onPeople } from '../people'
import { onLang } from '../text'

/**
 * The base of every component: rendered into the page itself, so that one style
 * sheet, labels and form controls work across components, and rendered again
 * when the language, or what people are called, changes.
 */
export class Part extends LitElement {
  private ends: (() => void)[] = []

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.until(onLang(() => this.requestUpdate()))
    this.until(onPeople(() => this.requestUpdate()))
    this.connected()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const end of this.ends.splice(0)) end()
  }

  /** Where a component subscribes; what it subscribes to with until() and hear() ends by itself. */
  protected connected(): void {}

  protected until(end: () => void): void {
    this.ends.push(end)
  }

  protected hear<K extends keyof Events>(name: K, listen: (event: Events[K]) => void): void {
    this.until(bridge.on(name, listen))
  }

  protected listen(target: EventTarget, type: string, listener: (event: never) => void, options?: AddEventListenerOptions): void {
    target.addEventListener(type, listener as EventListener, options)
    this.until(() => target.removeEventListener(type, listener as EventListener, options))
  }
}
