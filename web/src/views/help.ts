import { html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import type { Chapter, Guide } from '../guide/chapter'
import { guideScript, pictureOf } from '../link'
import { icon } from '../parts/icon'
import { Part } from '../parts/part'
import { hrefOf } from '../route'
import { lang, t } from '../text'

/** The user's guide. It is a script of its own, fetched after the app and kept with it. */
@customElement('wb-help')
export class Help extends Part {
  @property() chapter = '' // to begin at
  @state() private guides: { vi: Guide; en: Guide } | null = null
  @state() private missing = false

  protected override connected(): void {
    void this.load()
    this.listen(window, 'online', () => void this.load())
  }

  private async load(): Promise<void> {
    if (this.guides) return
    try {
      this.guides = (await import(`${guideScript}${this.missing ? `?${Date.now()}` : ''}`)) as { vi: Guide; en: Guide } // a module that failed is not tried again under its address
      this.missing = false
    } catch {
      this.missing = true
    }
  }

  protected override updated(): void {
    if (this.chapter) this.querySelector(`#help-${CSS.escape(this.chapter)}`)?.scrollIntoView()
  }

  private contents(chapters: Chapter[]) {
    return html`<ul class="lines">${chapters.map(({ id, title }) => html`<li><a class="line" href=${hrefOf('help', id)}><span>${title}</span>${icon('next')}</a></li>`)}</ul>`
  }

  private one({ id, title, text, steps, after, picture }: Chapter) {
    return html`<section class="help-chapter" id="help-${id}">
      <h2>${title}</h2>
      <div class="help-text">
        ${text.map((words) => html`<p>${words}</p>`)}
        ${steps ? html`<ol class="prose">${steps.map((words) => html`<li>${words}</li>`)}</ol>` : nothing}
        ${after ? html`<p>${after}</p>` : nothing}
      </div>
      ${picture ? html`<img class=${picture.wide ? 'help-wide' : 'help-phone'} src=${pictureOf(picture.name, lang())} alt=${picture.alt} loading="lazy" />` : nothing}
    </section>`
  }

  override render() {
    const guide = this.guides?.[lang()]
    if (!guide) return html`<div class="empty"><p role="status">${this.missing ? t('help.missing') : t('loading')}</p></div>`
    return html`<div class="page help">
      <h1>${t('help')}</h1>
      ${this.contents(guide.everybody)}
      <h2>${t('help.supervisors')}</h2>
      ${this.contents(guide.supervisors)}
      ${[...guide.everybody, ...guide.supervisors].map((chapter) => this.one(chapter))}
      <section class="help-chapter" id="help-troubles"><h2>${t('help.troubles')}</h2>
        <dl class="help-text">${guide.troubles.map(({ when, what }) => html`<dt><strong>${when}</strong></dt><dd>${what}</dd>`)}</dl>
      </section>
    </div>`
  }
}
