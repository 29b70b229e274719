import { html, type TemplateResult } from 'lit'
import { lang, setLang } from '../text'

/** One tap to the other language, named in that language. */
export function langSwitch(): TemplateResult {
  const vi = lang() === 'vi'
  return html`<button class="plain lang" lang=${vi ? 'en' : 'vi'} @click=${() => setLang(vi ? 'en' : 'vi')}>${vi ? 'English' : 'Tiếng Việt'}</button>`
}
