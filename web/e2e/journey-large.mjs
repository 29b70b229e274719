// Text at twice its size on a narrow phone, the phone turned, and touch alone: nothing is wider than the window, and a
// record can be made and saved with the button in sight; the frame leaves the screen to it.
import assert from 'node:assert/strict';
import { journey } from './harness/app.mjs';

await journey(async ({ demo, browser }) => {
  const officer = await browser();
  await officer.stop();
  await officer.start({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const tab = await officer.tab();
  const { page } = tab;
  const large = () => page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  const fits = async (where) => {
    await large();
    await page.waitForTimeout(300); // what is still being drawn
    const wide = await page.evaluate(() => Math.max(...[...document.querySelectorAll('html, main, .split-list, .split-record')].map((part) => part.scrollWidth - part.clientWidth))); // those that scroll hide what is wide
    assert.ok(wide <= 0, `${where}: ${wide} px wider than its place`);
  };
  await page.locator('input[name=name]').waitFor();
  await fits('sign-in');
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  for (const [hash, settled] of [['', 'wb-home h1'], ['register/residents', 'wb-rows .row'], ['inbox/conflicts', '.card, .empty'], ['here', 'wb-here .scope, wb-here h1'], ['help', '.help-chapter']]) {
    await page.goto(`${officer.url}/#/${hash}`);
    await page.locator(settled).first().waitFor();
    await fits(hash || 'home');
  }
  // The longest names of wards stand at the top in two lines, whole.
  const top = await page.evaluate(() => {
    const unit = document.querySelector('.top-unit');
    const text = [...unit.childNodes].find(({ nodeType }) => nodeType === Node.TEXT_NODE);
    const own = text.data;
    const seen = [own, 'Phường Bình Hưng Hòa', 'Phường Tân Sơn Nhất', 'Phường Tăng Nhơn Phú', 'Xã Bình Khánh'].map((name) => {
      text.data = name;
      return { name, lines: Math.round(unit.offsetHeight / parseFloat(getComputedStyle(unit).lineHeight)), over: unit.scrollWidth - unit.clientWidth, height: document.querySelector('.top').offsetHeight };
    });
    text.data = own;
    return seen;
  });
  for (const { name, lines, over, height } of top) assert.ok(lines <= 2 && over <= 0 && height <= 120, `${name}: ${lines} lines, ${over} px too wide, the top is ${height} px high`);
  // The line at the foot and the places to go leave the height to the work, and still say what they are.
  const low = await page.evaluate(() => document.querySelector('.foot').offsetHeight + document.querySelector('.nav').offsetHeight);
  assert.ok(low < 740 / 5, `foot and navigation take ${low} px of 740`);
  for (const name of ['Sổ', 'Cần xử lý']) await page.getByRole('navigation').first().getByRole('link', { name }).waitFor();

  // A record by touch, large and then turned; the button is where a thumb can reach it.
  for (const [how, viewport, name] of [['upright', { width: 360, height: 740 }, 'Đặng Thị Chữ Lớn'], ['turned', { width: 740, height: 360 }, 'Đặng Thị Xoay Ngang']]) {
    await page.setViewportSize(viewport);
    await tab.begin('residents');
    await fits(`new record, ${how}`);
    await tab.field('full_name').tap();
    await page.keyboard.insertText(name);
    const save = page.getByRole('button', { name: 'Lưu', exact: true });
    await save.scrollIntoViewIfNeeded();
    const { height } = await save.boundingBox();
    assert.ok(height >= 40, `the button is ${height} px high`);
    await save.tap();
    await page.waitForURL(/#\/register\/residents\//);
    assert.equal(await page.locator('wb-record h1').innerText(), name);
    await fits(`record, ${how}`);
  }
  assert.deepEqual(officer.complaints, []);
});
