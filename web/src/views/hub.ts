import { html } from 'lit'
import { customElement } from 'lit/decorators.js'
import { Part } from '../parts/part'
import { t } from '../text'

/** The hub's account has no desk: it is a machine's. This page says what it does. */
@customElement('wb-hub')
export class Hub extends Part {
  override render() {
    return html`<div class="page">
      <h1>${t('hub.title')}</h1>
      <p>${t('hub.what')}</p>
      <ol class="prose">
        <li>${t('hub.pull')} <code>GET /hub/v1/datasets/{id}/changes?since=CURSOR</code></li>
        <li>${t('hub.end')}</li>
        <li>${t('hub.ack')} <code>POST /hub/v1/acks</code></li>
        <li>${t('hub.check')} <code>GET /hub/v1/datasets/{id}/counts</code></li>
      </ol>
      <p>${t('hub.tool')} <code>wardbook hub pull -url URL -into DIR</code></p>
    </div>`
  }
}
