// A person at a keyboard: what the focus is on, and the way to somewhere else. Nothing here points at anything.
import assert from 'node:assert/strict';

/** What the focus is on: its name as it is read out, and whether it can be seen that the focus is there. Null for nothing. */
const focused = () => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const label = element.getAttribute('aria-label') || (element.labels?.[0] ?? element).innerText || element.getAttribute('placeholder') || element.id;
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const within = { left: Math.max(left, 0), right: Math.min(right, innerWidth), top: Math.max(top, 0), bottom: Math.min(bottom, innerHeight) };
  const over = [0.5, 0.1, 0.9].flatMap((part) => document.elementsFromPoint(within.left + (within.right - within.left) * 0.5, within.top + (within.bottom - within.top) * part).slice(0, 1));
  const ring = [element, ...(element.parentElement ? [element.parentElement] : [])].some((one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  });
  return {
    tag: element.localName,
    label: label.trim().replace(/\s+/g, ' '),
    seen: within.right > within.left && within.bottom > within.top && over.some((one) => element.contains(one) || one.contains(element) || one.closest('label')?.contains(element)),
    ring: element.localName === 'main' || ring, // the whole of a screen is not framed
  };
};

const says = (at) => (at ? `${at.tag} “${at.label.slice(0, 80)}”` : 'nothing');

export class Keys {
  constructor(page) {
    this.page = page;
    this.keyboard = page.keyboard;
  }

  at() {
    return this.page.evaluate(focused);
  }

  /** Waits until the focus is on something whose tag and name match, in sight and marked. */
  async on(pattern, tag = '', timeout = 20_000) {
    const late = Date.now() + timeout;
    for (;;) {
      const at = await this.at();
      if (at && pattern.test(at.label) && (!tag || at.tag === tag) && at.seen && at.ring) return at;
      if (Date.now() > late) throw new Error(`the focus is on ${says(at)}${at && !at.seen ? ', which is out of sight' : ''}${at && !at.ring ? ', which is not marked' : ''}; want ${tag} ${pattern}`);
      await this.page.waitForTimeout(50);
    }
  }

  /** Goes on with Tab until the focus is on what matches. Each stop on the way must be in sight and marked. Returns how many there were. */
  async tab(pattern, { back = false, most = 40, tag = '' } = {}) {
    const way = [];
    for (let stops = 1; stops <= most; stops++) {
      await this.keyboard.press(back ? 'Shift+Tab' : 'Tab');
      let at = await this.at();
      for (let tries = 0; at && !at.seen && tries < 10; tries++) { // it is being scrolled to
        await this.page.waitForTimeout(50);
        at = await this.at();
      }
      way.push(says(at));
      assert.ok(at, `Tab leads to nothing after ${way.join(', ')}`);
      assert.ok(at.seen, `Tab leads out of sight: ${way.join(', ')}`);
      assert.ok(at.ring, `it cannot be seen where the focus is: ${way.join(', ')}`);
      if (pattern.test(at.label) && (!tag || at.tag === tag)) return stops;
    }
    throw new Error(`${pattern} is not reached within ${most} stops: ${way.join(', ')}`);
  }

  press(...keys) {
    return keys.reduce((before, key) => before.then(() => this.keyboard.press(key)), Promise.resolve());
  }

  type(text) {
    return this.keyboard.type(text);
  }
}
