// The supervisor's desk: what waits, conflicts first; settle, approve some, approve all, return with a question and its
// answer, refuse, withdraw, and a batch that leaves out and says why; while an edit races, and while a value typed at
// the desk waits for the other supervisor. Then the hub pulls, is cut, resumes and agrees.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { journey } from './harness/app.mjs';

const wardbook = process.env.WARDBOOK ?? fileURLToPath(new URL('../../bin/wardbook', import.meta.url));

await journey(async ({ demo, network, browser }) => {
  const enter = async (name) => {
    const b = await browser();
    const tab = await b.tab();
    await tab.signIn(name, demo.passwords[name]);
    return { b, tab, page: tab.page };
  };
  const officer = await enter('officer.a');
  await officer.tab.says(/Đã đồng bộ/);
  const desk = await enter('supervisor');
  const open = async (who, id) => {
    await who.page.goto(`${who.b.url}/#/desk/${id}`);
    await who.page.locator(`wb-review article[data-record="${id}"][aria-busy=false] .compares`).first().waitFor(); // not the record before
  };
  const row = (who, label) => who.page.locator('wb-review li.compare').filter({ has: who.page.locator('.compare-name', { hasText: label }) }).first();
  const dialog = (who) => who.page.locator('wb-asker dialog[open]');
  const reason = async (who, text) => {
    await dialog(who).locator('textarea').fill(text);
    await dialog(who).locator('button.main, button.danger').first().click();
  };

  // An officer's work is submitted: a record that nobody handed in before.
  await officer.tab.register('residents');
  await officer.page.getByRole('button', { name: 'Chưa trình' }).click();
  await officer.tab.search('tran thi');
  const rows = officer.page.locator('wb-rows .row');
  const plain = await rows.evaluateAll((all) => all.findIndex((one) => !/xung đột/.test(one.innerText)));
  await officer.tab.openRow(plain);
  const id = officer.tab.recordID();
  await officer.tab.type('other_name', 'Cô Tư');
  await submit(officer);

  /** Waits until the record is in the queue, of which the desk shows the longest waiting first. */
  const queued = async (who) => {
    const more = who.page.getByRole('button', { name: 'Xem thêm' });
    const line = who.page.locator(`.queue-row[href$="/${id}"]`);
    await waitFor(async () => {
      if (await more.isVisible()) await more.click({ timeout: 1000 }).catch(() => {}); // the queue was drawn anew
      return !(await more.isVisible()) && (await line.count()) > 0;
    }, 'the record is in the queue');
  };

  // The queue: conflicts first, then what was submitted.
  await desk.page.goto(`${desk.b.url}/#/desk`);
  await queued(desk);
  const kinds = await desk.page.locator('.queue-row').allInnerTexts();
  const lastConflict = kinds.findLastIndex((k) => /xung đột/.test(k));
  const firstSubmitted = kinds.findIndex((k) => !/xung đột/.test(k));
  assert.ok(lastConflict >= 0 && firstSubmitted > lastConflict, `conflicts first: ${kinds.join(' | ')}`);

  // Settling a conflict by choosing an existing value.
  const first = desk.page.locator('.queue-row', { hasText: 'xung đột' }).first();
  await desk.page.locator(`.queue-row[href="${await first.getAttribute('href')}"]`).click();
  const torn = desk.page.locator('wb-review li.compare-torn').first();
  await torn.waitFor();
  await torn.locator('.siblings button').first().click();
  await desk.page.locator('wb-review li.compare-torn').waitFor({ state: 'detached' });

  // Some fields, then the rest; a race in between.
  await open(desk, id);
  await row(desk, 'Tên gọi khác').getByText('Cô Tư').waitFor();
  const boxes = desk.page.locator('wb-review li.compare input[type=checkbox]:checked');
  const all = await boxes.count();
  assert.ok(all > 5, `a new record waits with ${all} fields`);
  await desk.page.locator('wb-review li.compare input[type=checkbox]').first().uncheck();
  const part = desk.page.locator('.said', { hasText: `Đã duyệt ${all - 1} trong ${all} trường` }).waitFor();
  await desk.page.locator('wb-review .record-foot button.main').click();
  await part; // it does not say that the record is approved
  await waitFor(async () => (await desk.page.locator('wb-review li.compare input[type=checkbox]').count()) === 1, 'one field still waits');

  // The officer edits meanwhile; the approval of the older screen comes back with what changed.
  await officer.tab.type('other_name', 'Cô Năm');
  await submit(officer);
  await officer.tab.stands(/đã nhận/);
  await desk.page.locator('wb-review li.compare input[type=checkbox]').first().check();
  await desk.page.locator('wb-review .record-foot button.main').click();
  await desk.page.locator('wb-review [role=alert]').waitFor();
  await row(desk, 'Tên gọi khác').getByText('Cô Năm').waitFor();
  assert.match(await desk.page.locator('wb-review li.compare').first().innerText(), /Tên gọi khác/, 'what changed stands on top');
  await approve(desk);
  await officer.tab.stands(/đã duyệt/, 60_000);

  // Returned with a question, answered, and seen side by side.
  await officer.tab.type('other_name', 'Cô Sáu');
  await submit(officer);
  await officer.tab.stands(/đã nhận/);
  await open(desk, id);
  await row(desk, 'Tên gọi khác').getByText('Cô Sáu').waitFor();
  await desk.page.locator('wb-review .record-foot button', { hasText: 'Trả lại' }).click();
  await reason(desk, 'Tên này ở đâu ra?');
  await officer.page.getByText('Tên này ở đâu ra?').waitFor({ timeout: 60_000 });
  await officer.page.locator('wb-record section textarea').fill('Bà con trong hẻm gọi vậy.');
  await officer.page.locator('wb-record section .actions button').click();
  const qa = desk.page.locator('wb-review .qa').first();
  await waitFor(async () => {
    await desk.page.goto(`${desk.b.url}/#/desk`);
    await open(desk, id);
    return /Bà con trong hẻm gọi vậy\./.test((await qa.count()) ? await qa.innerText() : '');
  }, 'question and answer side by side');
  assert.match(await qa.innerText(), /Tên này ở đâu ra\?/);

  // Refused: the approved value is written back.
  await desk.page.locator('wb-review .record-foot button.danger').click();
  await reason(desk, 'Không có giấy tờ.');
  await waitFor(async () => (await officer.tab.field('other_name').inputValue()) === 'Cô Năm', 'the approved value is back');
  await officer.page.getByText('Không có giấy tờ.').waitFor();

  // Two values, and a third typed at the desk: it needs the other supervisor.
  const colleague = await enter('officer.b');
  await colleague.tab.says(/Đã đồng bộ/);
  await colleague.tab.open('residents', id);
  for (const one of [officer, colleague]) await one.b.offline(true);
  await officer.tab.type('other_name', 'Cô Bảy');
  await submit(officer);
  await colleague.tab.type('other_name', 'Cô Tám');
  await submit(colleague);
  for (const one of [officer, colleague]) await one.b.offline(false);
  for (const one of [officer, colleague]) await one.tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await open(desk, id);
  await row(desk, 'Tên gọi khác').getByText('Nhập giá trị khác').click();
  await dialog(desk).locator('#f-other_name').fill('Cô Chín');
  await dialog(desk).locator('button.main').click();
  await row(desk, 'Tên gọi khác').getByText('Cô Chín').waitFor();
  assert.match(await row(desk, 'Tên gọi khác').innerText(), /Phạm Minh Sơn/, 'the desk is its author');
  assert.equal(await row(desk, 'Tên gọi khác').locator('input[type=checkbox]').isEnabled(), false, 'no one approves their own value');
  const other = await enter('supervisor.b');
  await open(other, id);
  await row(other, 'Tên gọi khác').getByText('Cô Chín').waitFor();
  await approve(other);
  await officer.tab.stands(/đã duyệt/, 60_000);

  // A batch leaves out, and says why.
  await desk.page.goto(`${desk.b.url}/#/desk`);
  await officer.tab.open('residents', id);
  await officer.tab.type('hometown', 'Bến Tre');
  await submit(officer);
  await officer.tab.says(/Đã đồng bộ \d\d:\d\d/, 60_000);
  await desk.page.reload();
  await queued(desk);
  await desk.page.getByRole('button', { name: /^Duyệt [1-9][\d.]* hồ sơ sạch/ }).click({ timeout: 60_000 });
  const said = await dialog(desk).innerText();
  assert.match(said, /\d+\s+Quê quán[\s\S]*Nguyễn Thị An/, 'the batch says which fields it approves, and of whom');
  await dialog(desk).locator('button.main').click();
  await officer.tab.stands(/đã duyệt/, 60_000);

  // The hub pulls, is cut, resumes and agrees.
  const into = await mkdtemp(join(tmpdir(), 'wardbook-hub-'));
  try {
    const pull = (killAfter) =>
      new Promise((resolve) => {
        const child = spawn(wardbook, ['hub', 'pull', '-url', network.url, '-into', into], { env: { ...process.env, WARDBOOK_PASSWORD: demo.passwords.hub } });
        let out = '';
        child.stdout.on('data', (text) => (out += text));
        child.stderr.on('data', (text) => (out += killAfter ? '' : text));
        if (killAfter) setTimeout(() => child.kill('SIGKILL'), killAfter);
        child.on('exit', (code) => resolve({ code, out: out.trim() }));
      });
    for (const ms of [30, 60, 120]) await pull(ms);
    const { code, out } = await pull(0);
    assert.equal(code, 0, out);
    assert.match(out, /168 units agree$/);
    await officer.tab.open('residents', id);
    await officer.tab.stands(/đã lên trục/, 60_000);

    // Withdrawn with a reason: the hub hears of it, and the record waits again.
    await open(other, id);
    await other.page.getByRole('button', { name: 'Rút duyệt' }).click();
    await reason(other, 'Duyệt nhầm.');
    await officer.page.locator('wb-record .way').first().waitFor();
    await waitFor(async () => !/đã duyệt|đã lên trục/.test(await officer.tab.way()), 'no longer approved');
    const again = await pull(0);
    assert.match(again.out, /168 units agree$/);
  } finally {
    await rm(into, { recursive: true, force: true });
  }
  assert.deepEqual([officer, colleague, desk, other].flatMap((one) => one.b.complaints), []);
});

/** Hands the open record in; a warning gets its reason first. */
async function submit({ page, tab }) {
  await page.getByRole('button', { name: 'Lưu và trình duyệt' }).click();
  const done = page.locator('wb-record article[aria-busy=false] .record-foot .main:disabled');
  const why = page.locator('wb-record .why input').first();
  await done.or(why).first().waitFor();
  if (await why.isVisible()) {
    for (const one of await page.locator('wb-record .why input').all()) await one.fill('Đã kiểm tra tại nhà.');
    await page.getByRole('button', { name: 'Lưu và trình duyệt' }).click();
    await done.waitFor();
  }
  await tab.says(/./);
}

/** Approves what is ticked, warnings included: one without a reason is asked about first. */
async function approve({ page }) {
  const said = page.locator('.said', { hasText: 'Đã duyệt' });
  await said.waitFor({ state: 'detached' }); // nothing older is taken for it
  await page.locator('wb-review .record-foot button.main').click();
  const ask = page.locator('wb-asker dialog[open] button.main');
  await ask.or(said).first().waitFor();
  if (await ask.isVisible()) await ask.click();
  await said.waitFor();
}

async function waitFor(holds, what, timeout = 60_000) {
  const until = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`not within ${timeout / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
