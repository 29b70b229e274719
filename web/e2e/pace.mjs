// How long a first sync says that it will take.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { bundle } from '../build.mjs';

const { outputFiles } = await bundle({ entryPoints: [fileURLToPath(new URL('../src/pace.ts', import.meta.url))] });
const { Pace } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);

const status = (have, of, more = {}) => ({ link: 'online', paused: false, streams: [{ have, of, complete: have >= of }], ...more });

/** What is said at the end of a run: `come` tells how many records are there after each second. */
function after(seconds, come, of = 40_000, more = () => ({})) {
  const pace = new Pace();
  let last;
  for (let s = 0; s <= seconds; s++) pace.see((last = status(come(s), of, more(s))), s * 1000);
  return pace.left(last, seconds * 1000);
}

assert.equal(after(3, (s) => s * 100), null, 'nothing is said in the first seconds');
assert.equal(after(10, (s) => s * 100), 390_000, 'the truth at a steady pace');
assert.equal(after(10, () => 500), null, 'nothing is said when nothing comes');
assert.equal(after(400, (s) => s * 100), null, 'nothing is left when everything is there');

// A line that becomes ten times slower: half a minute later only the new pace counts.
const slowing = (s) => (s <= 60 ? s * 100 : 6000 + (s - 60) * 10);
assert.ok(after(62, slowing) < 400_000);
const late = after(95, slowing);
assert.ok(Math.abs(late / 3_365_000 - 1) < 0.1, `said ${late} of 3,365 s`);

// Time in which nothing may come is no pace.
const held = (s) => (s < 20 ? s * 100 : s < 300 ? 2000 : 2000 + (s - 300) * 100);
for (const more of [{ paused: true }, { link: 'offline' }]) {
  assert.equal(after(290, held, 40_000, (s) => (s >= 20 && s < 300 ? more : {})), null);
  const left = after(310, held, 40_000, (s) => (s >= 20 && s < 300 ? more : {}));
  assert.ok(Math.abs(left / 370_000 - 1) < 0.12, `said ${left} of 370 s`);
}
// A register that is given up takes its records along: they did not come backwards.
assert.equal(after(15, (s) => (s < 5 ? 5000 + s : 100 + (s - 5) * 100)), 389_000);

// Several streams: what is complete is not missing, whatever was announced of it.
{
  const pace = new Pace();
  const two = (s) => ({ link: 'online', paused: false, streams: [{ have: 1000, of: 1200, complete: true }, { have: s * 50, of: 1000, complete: false }] });
  for (let s = 0; s <= 10; s++) pace.see(two(s), s * 1000);
  assert.equal(pace.left(two(10), 10_000), 10_000);
}
