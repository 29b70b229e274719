// The user's guide, walked through as it says: its pictures are taken on the way, in both languages, and those that are
// in the app (src/guide/pictures) must show the same screens. Every button that it names has that name. It comes after
// the app, and can then be read without a network, by somebody who is not signed in too.
//
//   node e2e/journey-guide.mjs -update     takes the pictures that are in the app anew; build afterwards
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundle } from '../build.mjs';
import { until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

const update = process.argv.includes('-update');
const kept = fileURLToPath(new URL('../src/guide/pictures/', import.meta.url));
const out = fileURLToPath(new URL('./out/', import.meta.url));
await mkdir(out, { recursive: true });
await mkdir(kept, { recursive: true });

const load = async (code) => {
  const { outputFiles } = await bundle({ stdin: { contents: code, resolveDir: fileURLToPath(new URL('../src/', import.meta.url)) } });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
};
const guides = await load("export { vi, en } from './guide/guide'");
const catalogues = await load("import './text/office'; export { vi } from './text/vi'; export { en } from './text/en'");

// The same chapters in both languages, and names of buttons as the screens have them.
const chapters = (guide) => [...guide.everybody, ...guide.supervisors];
const shape = (guide) => chapters(guide).map(({ id, text, steps, after, picture }) => [id, text.length, steps?.length, !!after, picture?.name]);
assert.deepEqual(shape(guides.en), shape(guides.vi));
assert.equal(guides.en.troubles.length, guides.vi.troubles.length);
const examples = ['dang thi'];
for (const language of ['vi', 'en']) {
  const said = Object.values(catalogues[language]).map((text) => new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '.+')}$`));
  let names = 0;
  for (const [, name] of JSON.stringify(guides[language]).matchAll(/“([^”]+)”/g)) {
    names++;
    assert.ok(examples.includes(name) || said.some((text) => text.test(name)), `the ${language} guide names “${name}”, which is on no screen`);
  }
  assert.ok(names > 10, `only ${names} names were looked at`);
}

await journey(async ({ demo, browser }) => {
  const taken = new Map(); // picture by NAME-LANGUAGE
  const studio = await browser();
  const studioPage = (await studio.tab()).page;
  /** As WebP, a fifth of what the browser's PNG takes. */
  const webp = async (png) => {
    const data = await studioPage.evaluate(async (from) => {
      const image = await createImageBitmap(await (await fetch(from)).blob());
      const canvas = new OffscreenCanvas(image.width, image.height);
      canvas.getContext('2d').drawImage(image, 0, 0);
      const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 });
      return new Promise((done) => Object.assign(new FileReader(), { onload: ({ target }) => done(target.result) }).readAsDataURL(blob));
    }, `data:image/png;base64,${png.toString('base64')}`);
    return Buffer.from(data.split(',')[1], 'base64');
  };
  await studioPage.goto('about:blank'); // no policy of ours there

  /** Takes a picture in both languages. */
  const take = async (name, page) => {
    for (const language of ['en', 'vi']) {
      const word = { en: 'English', vi: 'Tiếng Việt' }[language];
      await page.evaluate((word) => [...document.querySelectorAll('button.lang')].find((button) => button.textContent.trim() === word)?.click(), word);
      await page.locator(`html[lang=${language}]`).waitFor();
      await page.waitForTimeout(500); // what is drawn again
      const picture = await webp(await page.screenshot());
      taken.set(`${name}-${language}`, picture);
      await writeFile(`${update ? kept : out + 'guide-'}${name}-${language}.webp`, picture);
    }
  };
  const phone = { viewport: { width: 360, height: 680 }, deviceScaleFactor: 1.5, hasTouch: true, isMobile: true };
  const desk = { viewport: { width: 1240, height: 766 } };
  const enter = async (account, options) => {
    const b = await browser();
    await b.stop();
    await b.start(options);
    const tab = await b.tab();
    if (options === phone && account === 'officer.a') {
      await tab.page.locator('wb-sign-in input[name=name]').waitFor();
      await tab.page.evaluate(() => navigator.serviceWorker.ready.then(() => null)); // what is loading is not what the picture is about
      await tab.page.locator('.loading').waitFor({ state: 'detached' });
      await take('sign-in', tab.page);
    }
    await tab.signIn(account, demo.passwords[account]);
    await tab.says(/Đã đồng bộ|Đang/);
    return { b, tab, page: tab.page };
  };

  const a = await enter('officer.a', phone);
  await a.tab.says(/Đã đồng bộ/);
  await a.tab.register('residents');
  await a.tab.search('dang thi');
  await take('find', a.page);
  await a.tab.openRow(0);
  const id = a.tab.recordID();

  const b = await enter('officer.b', phone);
  await b.tab.says(/Đã đồng bộ/);
  await b.tab.open('residents', id);
  for (const one of [a, b]) await one.b.offline(true);
  await a.tab.type('other_name', 'Cô Ba');
  await a.tab.save();
  await a.tab.says(/Chưa gửi: 1 thay đổi$/);
  await a.page.locator('.record-head').evaluate((head) => head.scrollIntoView());
  await a.page.locator('.said p').waitFor({ state: 'detached' });
  await take('edit', a.page);
  await a.page.locator('wb-status button.status').click();
  await a.page.locator('wb-status dialog[open]').waitFor();
  await take('status', a.page);
  await a.page.keyboard.press('Escape');
  await b.tab.type('other_name', 'Bà Ba');
  await b.tab.save();
  await a.b.offline(false);
  await a.tab.stands(/đã nhận/, 60_000);
  await b.b.offline(false); // what is received last stands first
  const field = a.page.locator('wb-field').filter({ hasText: 'Tên gọi khác' });
  await field.getByText('Bà Ba').first().waitFor({ timeout: 60_000 });
  await field.evaluate((element) => element.scrollIntoView({ block: 'center' }));
  await take('conflict', a.page);
  await b.b.stop();

  const s = await enter('supervisor', desk);
  await s.page.goto(`${s.b.url}/#/desk`);
  await s.page.locator('.queue-row').nth(2).click();
  await s.page.locator('wb-review .compares').first().waitFor();
  await take('desk', s.page);
  await s.page.goto(`${s.b.url}/#/devices`);
  await s.page.locator('wb-devices tbody tr').first().waitFor();
  await take('devices', s.page);

  // Each chapter's picture was taken, and those in the app show the same screens.
  const named = chapters(guides.vi).flatMap(({ picture }) => (picture ? [`${picture.name}-vi`, `${picture.name}-en`] : [])).sort();
  assert.deepEqual([...taken.keys()].sort(), named);
  const unlike = (one, other) => studioPage.evaluate(async (both) => {
    const grey = await Promise.all(both.map(async (from) => {
      const image = await createImageBitmap(await (await fetch(`data:image/webp;base64,${from}`)).blob());
      const [width, height] = [60, Math.round((60 * image.height) / image.width)];
      const context = new OffscreenCanvas(width, height).getContext('2d');
      context.imageSmoothingQuality = 'high';
      context.drawImage(image, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      return Array.from({ length: width * height }, (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3);
    }));
    if (grey[0].length !== grey[1].length) return 1;
    return Math.sqrt(grey[0].reduce((sum, value, i) => sum + (value - grey[1][i]) ** 2, 0) / grey[0].length) / 255;
  }, [one.toString('base64'), other.toString('base64')]);
  const LIKE = 0.025; // drawn again one screen differs by some 0.005, and a desk that was laid out anew by 0.04
  const differing = await unlike(taken.get('find-vi'), taken.get('conflict-vi'));
  assert.ok(differing > LIKE, `two different screens differ by only ${differing.toFixed(3)}: the comparison sees nothing`);
  for (const [name, picture] of taken) {
    const difference = await unlike(picture, await readFile(`${kept}${name}.webp`));
    console.log(`${name}: ${(picture.length / 1000).toFixed(0)} KB, differs by ${difference.toFixed(3)}`);
    assert.ok(difference < LIKE, `the guide's picture ${name} no longer shows the screen (${difference.toFixed(3)}): node e2e/journey-guide.mjs -update`);
  }
  if (update) return;

  // Read without a network, once it has come: all words, all pictures, both languages.
  const cached = () => a.page.evaluate(async () => {
    const names = await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)));
    return names.flat().filter((url) => url.includes('/guide')).length;
  });
  await until(cached, (n) => n === named.length + 1, 'the guide is kept');
  await a.b.offline(true);
  await a.page.locator('details.who summary').click();
  await a.page.locator('details.who').getByRole('link', { name: 'Hướng dẫn' }).click();
  const read = async (page, guide) => {
    await page.getByRole('heading', { name: guide.everybody[0].title }).waitFor();
    for (const chapter of chapters(guide)) {
      await page.getByRole('heading', { name: chapter.title, exact: true }).waitFor();
      if (!chapter.picture) continue;
      const picture = page.locator(`#help-${chapter.id} img`);
      await picture.scrollIntoViewIfNeeded();
      await until(() => picture.evaluate((image) => image.complete && image.naturalWidth), (width) => width > 300, `the picture of ${chapter.id}`);
    }
    for (const { when } of guide.troubles) await page.getByText(when, { exact: true }).waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the guide is wider than the screen');
  };
  await read(a.page, guides.vi);
  await a.page.screenshot({ path: `${out}help-phone.png` });
  await a.page.goto(`${a.b.url}/#/help/conflict`);
  await until(() => a.page.locator('#help-conflict').evaluate((element) => element.getBoundingClientRect().top), (top) => top > 0 && top < 200, 'a chapter has an address');
  await a.tab.signOut();
  await a.page.getByRole('link', { name: 'Hướng dẫn' }).click();
  await a.page.getByRole('button', { name: 'English' }).click();
  await read(a.page, guides.en);
  await a.page.getByRole('link', { name: 'Sign in' }).click();
  await a.page.locator('wb-sign-in').waitFor();
  await s.page.goto(`${s.b.url}/#/help`);
  await s.page.getByRole('heading', { name: guides.vi.supervisors[0].title }).waitFor();
  await s.page.screenshot({ path: `${out}help-desk.png`, fullPage: true });
  assert.deepEqual([a, b, s].flatMap((one) => one.b.complaints), []);
});
