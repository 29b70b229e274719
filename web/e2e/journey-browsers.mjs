// Browsers that cannot run the app, or not wholly, say so on the screen: one that cannot run the page's script, one
// without private files (Firefox with them switched off, as in its private mode), and Safari, which nobody tested.
import assert from 'node:assert/strict';
import { launchOn as chromium } from './harness/chromium.mjs';
import { launchOn as firefox } from './harness/firefox.mjs';
import { journey } from './harness/app.mjs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

await journey(async ({ demo, network }) => {
  const on = async (launch, options, look) => {
    const profile = await mkdtemp(join(tmpdir(), 'wardbook-profile-'));
    const context = await launch(profile, options);
    try {
      context.setDefaultTimeout(20_000);
      await look(context.pages()[0] ?? (await context.newPage()));
    } finally {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    }
  };

  // The script does not come, or is in a language that the browser does not know.
  await on(chromium, {}, async (page) => {
    await page.route('**/page.js', (route) => route.fulfill({ contentType: 'text/javascript', body: 'const app = #{' }));
    await page.goto(network.url);
    await page.getByText('Đang tải Wardbook…').waitFor();
    const advice = page.getByText('Trình duyệt cũ không mở được');
    const [seen, after] = [await advice.isVisible(), await page.evaluate(() => performance.now())];
    assert.ok(!seen || after > 8000, `the advice comes before its time, ${after} ms after the page`); // --patience
    await advice.waitFor();
    await page.locator('[lang=en]', { hasText: 'An old browser cannot open it' }).waitFor();
    await page.unroute('**/page.js');
    await page.reload();
    await page.locator('input[name=name]').waitFor();
    assert.equal(await page.locator('.before').isVisible(), false, 'the app stands under what was there before it');
    assert.equal(await page.getByText('chưa được kiểm tra với Wardbook').count(), 0, 'Chromium is taken for Safari');
  });

  // No private files: nothing can be kept, so nobody gets in.
  await on(firefox, { firefoxUserPrefs: { 'dom.fs.enabled': false } }, async (page) => {
    await page.goto(network.url);
    await page.getByText('Không lưu được trên trình duyệt này.').waitFor();
    await page.getByText('ngoài chế độ ẩn danh').waitFor();
    await page.locator('input[name=name]').fill('officer.a');
    await page.locator('input[name=password]').fill(demo.passwords['officer.a']);
    await page.getByRole('button', { name: 'Đăng nhập', exact: true }).click();
    await page.getByRole('alert').getByText('không cho lưu dữ liệu trên máy').waitFor();
  });

  // Safari, as far as its name goes.
  const userAgent = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';
  await on(chromium, { userAgent }, async (page) => {
    await page.goto(network.url);
    await page.getByText('chưa được kiểm tra với Wardbook').waitFor();
  });
});
