import { html, nothing } from 'lit'
import { readDevice } from '../device'
import { t } from '../text'

/** What to call a device: “Chrome on Windows”. */
export function deviceName(label: string): string {
  const { app, system } = readDevice(label)
  return system ? t('device.on', { app: app || t('device.browser'), system }) : app
}

/** A device's name, with what it says of itself one tap away. */
export function device(label: string) {
  const name = deviceName(label)
  if (!name) return nothing
  if (name === label) return html`<span class="sub">${name}</span>`
  return html`<details class="device"><summary class="sub">${name}</summary><code>${label}</code></details>`
}
