// A screen as two people see it, on a phone and at a PC: what axe-core finds, and whether anything is wider than the
// screen. Each look is photographed into web/e2e/out.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const out = fileURLToPath(new URL('../out/', import.meta.url));
const widths = [360, 1280];

/**
 * What axe-core finds serious or critical. Through the debugger: the page's own policy lets no foreign script in. A
 * page with a virtual authenticator lends its session, for the end of another one takes the authenticator along.
 */
export async function findings(page, lent) {
  const session = lent ?? (await page.context().newCDPSession(page));
  try {
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression: `${axe};axe.run().then(({ passes, violations }) => JSON.stringify(passes.length < 10 ? ['axe-core did not look'] : violations.filter(({ impact }) => /serious|critical/.test(impact)).map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target).join('; '))))`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return JSON.parse(result.value);
  } finally {
    if (!lent) await session.detach();
  }
}

/** Looks at the page at both widths, and leaves it at the wider. */
export async function look(page, name, lent) {
  await mkdir(out, { recursive: true });
  for (const width of widths) {
    await page.setViewportSize({ width, height: width < 500 ? 740 : 800 });
    await page.waitForTimeout(200);
    await page.screenshot({ path: `${out}${name}-${width}.png`, fullPage: true });
    assert.deepEqual(await findings(page, lent), [], `axe-core at ${name}, ${width} px`);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(over, 0, `${name} is ${over} px too wide at ${width} px`);
  }
}
