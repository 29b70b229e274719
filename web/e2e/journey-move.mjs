// A household moves to another ward in one action, without a network, while a colleague, offline too, edits one of its
// members: the new ward gets all of them with that edit, its supervisor accepts, and the hub sees the same record ids
// under the new code. What is sent back goes back.
import assert from 'node:assert/strict';
import { signIn } from './harness/api.mjs';
import { journey } from './harness/app.mjs';
import { look } from './harness/look.mjs';

const newUnit = '27676';

await journey(async ({ demo, network, browser }) => {
  const enter = async (name) => {
    const b = await browser();
    const tab = await b.tab();
    await tab.signIn(name, demo.passwords[name]);
    await tab.says(/Đã đồng bộ/);
    return { b, tab, page: tab.page };
  };
  const go = ({ page }, hash) => page.goto(`${page.url().split('#')[0]}#/${hash}`);
  const [a, c] = [await enter('officer.a'), await enter('officer.b')];
  const newWard = await enter('officer.c');

  // An approved household of the first ward, as the hub knows it.
  const before = await atHub(network.url, demo.passwords.hub);
  const households = new Map();
  for (const item of before.values()) {
    if (item.op !== 'upsert' || item.ward_code !== '27169' || !item.data.household_no) continue;
    households.set(item.data.household_no, [...(households.get(item.data.household_no) ?? []), item]);
  }
  const [no, members] = [...households].find(([, list]) => list.length >= 2);
  const ids = members.map(({ record_id }) => record_id);
  await go(a, `household/residents/${no}`);
  await a.page.locator('.member').nth(1).waitFor();
  const size = await a.page.locator('.member').count();
  await c.tab.open('residents', ids[0]);

  await Promise.all([a, c].map(({ b }) => b.context.setOffline(true)));
  await a.page.getByRole('button', { name: 'Chuyển cả hộ' }).click();
  await a.page.locator('#move-to').fill('Thạnh An');
  await a.page.getByRole('option', { name: /Thạnh An/ }).first().click();
  await a.page.locator('.move input[required]').last().fill('Chuyển nhà');
  await look(a.page, 'move-household');
  await a.page.getByRole('button', { name: 'Chuyển', exact: true }).click();
  await a.page.locator('.member', { hasText: 'đang chuyển' }).nth(size - 1).waitFor();
  await look(a.page, 'move-on-its-way');
  await c.tab.type('other_name', 'Sửa khi đang chuyển');
  await c.tab.save();
  await a.b.context.setOffline(false);
  await a.tab.says(/Đã đồng bộ/, 60_000);
  await a.page.locator('.member').first().waitFor({ state: 'detached', timeout: 60_000 });
  await c.b.context.setOffline(false);
  await c.tab.says(/Đã đồng bộ/, 60_000);

  // The new ward has them, with the edit that was pending.
  await newWard.tab.open('residents', ids[0]);
  await newWard.page.getByText('chờ giám sát tiếp nhận').waitFor({ timeout: 60_000 });
  await until(async () => (await newWard.tab.field('other_name').inputValue().catch(() => '')) === 'Sửa khi đang chuyển', 'the pending edit followed');
  await look(newWard.page, 'move-arrived');

  // Its officer is made its supervisor, and accepts; the hub sees the same ids under the new code.
  const admin = await signIn(network.url, 'admin', demo.passwords.admin);
  const { accounts } = await admin('GET', '/api/v1/admin/accounts');
  const { id } = accounts.find(({ name }) => name === 'officer.c');
  await admin('POST', `/api/v1/admin/accounts/${id}/role`, { role: 'supervisor', unit: newUnit, sensitive: true });
  const s = await enter('officer.c');
  await go(s, 'moves');
  await s.page.locator('wb-moves .card').waitFor();
  assert.equal(await s.page.locator('wb-moves .card .line').count(), size, 'all of them, as one');
  assert.doesNotMatch(await s.page.locator('wb-moves .card').innerText(), /chưa có tên/, 'they are named');
  await look(s.page, 'moves');
  await s.page.getByRole('button', { name: `Tiếp nhận ${size} hồ sơ` }).click();
  await s.page.getByText('Không có hồ sơ nào chờ tiếp nhận').waitFor();
  const after = await atHub(network.url, demo.passwords.hub);
  for (const id of ids) {
    const { op, ward_code, moved_from, data } = after.get(id);
    assert.deepEqual([op, ward_code, moved_from], ['upsert', newUnit, '27169'], `${id} at the hub`);
    assert.equal(data.household_no, no);
  }
  assert.deepEqual([a, c, newWard, s].flatMap(({ b }) => b.complaints), []);
});

/** The last that the hub is told of each record. */
async function atHub(url, password) {
  const response = await fetch(`${url}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'hub', password, device_label: 'journey' }) });
  const { access_token } = await response.json();
  const items = new Map();
  for (let cursor = ''; ; ) {
    const page = await fetch(`${url}/hub/v1/datasets/residents/changes?since=${encodeURIComponent(cursor)}&limit=1000`, { headers: { authorization: `Bearer ${access_token}` } });
    assert.equal(page.status, 200);
    const lines = (await page.text()).trim().split('\n').map((line) => JSON.parse(line));
    const { next_cursor, count } = lines.pop();
    // A delete of a record that went on elsewhere may come behind its upsert there.
    for (const item of lines) if (item.record_id && !(item.op === 'delete' && item.moved_to)) items.set(item.record_id, item);
    if (!count) return items;
    cursor = next_cursor;
  }
}

async function until(holds, what, timeout = 60_000) {
  const late = Date.now() + timeout;
  while (!(await holds())) {
    if (Date.now() > late) throw new Error(`not within ${timeout / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
