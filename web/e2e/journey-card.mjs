// The QR code of an identity card, read without a network: by the camera it fills a new form; the second time it opens
// that person's record at once; from a picture it shows what differs and writes nothing until somebody takes it over.
// No camera, no permission, and pictures without a code are said.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import encodeQR from 'qr';
import { journey } from './harness/app.mjs';

const card = (changes = {}) => {
  const fields = { id: '079190654321', old: '024987654', name: 'Nguyễn Thị Hoàng Yến', born: '05081990', sex: 'Nữ', address: '12 Lê Lợi, Bến Nghé, Quận 1, TP. Hồ Chí Minh', issued: '01072021', ...changes };
  return Object.values(fields).join('|');
};

/** The code as a grey picture: rows of bytes, with a white edge. */
function picture(text, width, height) {
  const modules = encodeQR(text, 'raw', { ecc: 'medium' });
  const size = Math.floor((Math.min(width, height) * 0.9) / modules.length);
  const [left, top] = [width, height].map((n) => Math.floor((n - size * modules.length) / 2));
  const grey = Buffer.alloc(width * height, 235);
  for (let y = 0; y < size * modules.length; y++) {
    for (let x = 0; x < size * modules.length; x++) if (modules[Math.floor(y / size)][Math.floor(x / size)]) grey[(top + y) * width + left + x] = 16;
  }
  return grey;
}

/** One frame of video, which the camera repeats. */
function film(text, width = 640, height = 480) {
  const grey = picture(text, width, height);
  return Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\nFRAME\n`), grey, Buffer.alloc((width * height) / 2, 128)]);
}

/** The same as a file that a browser opens: BMP, 8 bits a pixel. */
function photo(grey, width, height) {
  const head = Buffer.alloc(54 + 1024);
  head.write('BM');
  head.writeUInt32LE(head.length + grey.length, 2);
  head.writeUInt32LE(head.length, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(width, 18);
  head.writeInt32LE(-height, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(8, 28);
  head.writeUInt32LE(256, 46);
  for (let i = 0; i < 256; i++) head.fill(i, 54 + i * 4, 57 + i * 4);
  return Buffer.concat([head, grey]);
}

await journey(async ({ demo, browser }) => {
  const officer = await browser();
  let tab = await officer.tab();
  await tab.signIn('officer.a', demo.passwords['officer.a']);
  await tab.says(/Đã đồng bộ/);
  await tab.page.waitForFunction(() => navigator.serviceWorker.controller || navigator.serviceWorker.ready.then(() => true)); // everything is kept for later
  await officer.stop();
  const video = join(officer.profile, 'card.y4m');
  await writeFile(video, film(card()));
  await officer.start({ args: ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${video}`], permissions: ['camera'], viewport: { width: 360, height: 780 } });
  await officer.offline(true);
  tab = await officer.tab();
  const { page } = tab;
  await tab.unlock('Nguyễn Thị An', demo.passwords['officer.a']);

  // Nobody on this device: a new form, filled; every field is the officer's to change.
  await tab.register('residents');
  await page.getByRole('link', { name: 'Quét thẻ' }).click();
  await page.waitForURL(/#\/new\/residents\?draft=/);
  await tab.form();
  assert.equal(await tab.field('full_name').inputValue(), 'Nguyễn Thị Hoàng Yến');
  assert.equal(await tab.field('dob').inputValue(), '05/08/1990');
  assert.equal(await tab.field('personal_id').inputValue(), '079190654321');
  assert.equal(await tab.field('sex').inputValue(), '2');
  assert.equal(await tab.field('permanent_address_old').inputValue(), '12 Lê Lợi, Bến Nghé, Quận 1, TP. Hồ Chí Minh');
  await tab.save();
  await page.waitForURL(/#\/register\/residents\//);
  const made = tab.recordID();

  // The same card again: the record, within two seconds of the camera's first picture.
  await tab.register('residents');
  await page.getByRole('link', { name: 'Quét thẻ' }).click();
  await page.locator('.card-view video').waitFor();
  const began = Date.now();
  await page.locator('wb-record .note-green', { hasText: 'Thẻ khớp với hồ sơ' }).waitFor();
  console.log(`from the camera to the record: ${Date.now() - began} ms`);
  assert.equal(tab.recordID(), made);

  // A picture of a card that says otherwise: shown beside the record, and not written.
  await tab.register('residents');
  await page.goto(`${page.url().split('#')[0]}#/card/residents`);
  const choose = async (bytes) => page.locator('input[type=file]').setInputFiles({ name: 'card.bmp', mimeType: 'image/bmp', buffer: bytes });
  await officer.context.clearPermissions();
  await page.reload();
  await page.locator('[role=alert]', { hasText: 'không được phép dùng máy ảnh' }).waitFor();
  await choose(photo(Buffer.alloc(300 * 300, 200), 300, 300));
  await page.locator('[role=alert]', { hasText: 'Không thấy mã QR' }).waitFor();
  await choose(photo(picture('https://wardbook.example', 500, 500), 500, 500));
  await page.locator('[role=alert]', { hasText: 'không phải mã QR của thẻ' }).waitFor();
  await choose(photo(picture(card({ name: 'NGUYỄN THỊ HOÀNG YẾN', born: '06081990' }), 500, 500), 500, 500));
  await page.locator('wb-record .note-amber', { hasText: 'Thẻ khác hồ sơ ở 1 ô' }).waitFor();
  assert.equal(tab.recordID(), made);
  assert.equal(await tab.field('dob').inputValue(), '05/08/1990');
  await page.getByRole('button', { name: 'Lấy từ thẻ' }).click();
  assert.equal(await tab.field('dob').inputValue(), '06/08/1990');
  await tab.save();
  assert.equal(await tab.field('dob').inputValue(), '06/08/1990');
  assert.deepEqual(officer.complaints, []);
});
