// The first use over a line of 400 kbit/s: the page is there at once and says what is being loaded and how long it
// takes; a network that fails is waited for; who has signed in meanwhile is let in when it is there, and sees the first people's records before all have
// come; nothing is fetched twice.
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { until } from './harness/api.mjs';
import { journey } from './harness/app.mjs';

const KBITS = 400;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const made = (await readdir(dist)).find((name) => /^[0-9a-f]{12}$/.test(name));
const sizes = {};
for (const name of await readdir(dist + made)) if (name.endsWith('.br')) sizes[name.replace('.br', '')] = (await stat(`${dist}${made}/${name}`)).size;
const seconds = (bytes) => (bytes * 8) / KBITS / 1000;
const program = sizes['client.wasm'] + sizes['mc-wa-sqlite.wasm'];
const shell = sizes['page.js'] + sizes['page.css'];

await journey(async ({ demo, network, browser }) => {
  network.kbits = KBITS;
  const officer = await browser();
  let began = Date.now();
  const since = () => (Date.now() - began) / 1000;
  const tab = await officer.tab();
  const { page } = tab;
  await page.locator('input[name=name]').waitFor();
  const page_ = since();
  assert.ok(page_ < seconds(shell) + 5, `the page took ${page_.toFixed(1)} s; its ${shell} bytes take ${seconds(shell).toFixed(1)} s`);

  // What is loaded is said, and goes up.
  const loading = page.locator('.loading');
  await loading.getByText('Đang tải chương trình').waitFor();
  const part = () => loading.locator('progress').evaluate((element) => element.value / element.max).catch(() => 1);
  const first = await part();
  await until(part, (now) => now > first + 0.02 && now < 1, 'the progress goes up');
  await loading.getByText(/còn khoảng \d+ (giây|phút)/).waitFor();
  // The network goes, and comes back: it begins again by itself.
  network.cut();
  await page.getByText('Mất mạng khi đang tải chương trình').waitFor();
  network.mend();
  const before = network.down;
  began = Date.now();
  await loading.waitFor();
  await loading.getByText(/còn khoảng/).waitFor();
  await page.screenshot({ path: fileURLToPath(new URL('./out/slow.png', import.meta.url)) });

  // Signing in does not wait for the person to wait.
  page.setDefaultTimeout(120_000);
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  const entered = since();
  const least = seconds(program + shell + sizes['worker.js']);
  assert.ok(entered < least + 25, `signed in after ${entered.toFixed(1)} s; what that needs takes the line ${least.toFixed(1)} s`);
  assert.equal(await loading.count(), 0);

  // The first people are there before all are, and soon.
  await tab.register('residents');
  await page.locator('wb-rows .row-title').first().waitFor();
  const people = since();
  assert.ok(people < entered + 25, `the first records took ${(people - entered).toFixed(1)} s more`);

  // The service worker keeps what has come already.
  await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active.state));
  const all = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  assert.ok(network.down - before < all * 1.05 + 400_000, `${network.down - before} bytes came; the app has ${all}`);
  const from = network.down - before;
  network.kbits = 0;
  await tab.says(/Đã đồng bộ/, 120_000);
  console.log(`${KBITS} kbit/s: page ${page_.toFixed(1)} s, signed in ${entered.toFixed(1)} s (${Math.round((program + shell + sizes['worker.js']) / 1000)} KB), first records ${people.toFixed(1)} s; ${Math.round(from / 1000)} KB until it works offline`);

  // And it does work offline.
  await officer.offline(true);
  await page.reload();
  await tab.entered();
  await page.locator('wb-rows .row-title').first().waitFor();
  assert.deepEqual(officer.complaints, []);
});
