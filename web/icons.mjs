// The product's mark as icons: an open ledger with a red spine, drawn from rectangles, so that it is sharp at every
// size and needs no drawing program.
import { crc32, deflateSync } from 'node:zlib';

const red = [0xc8, 0x10, 0x2e];
const ink = [0x15, 0x19, 0x1f];
const paper = [0xff, 0xff, 0xff];

/** x, y, width, height on a grid of 32, from back to front. */
const mark = [
  [3, 5, 26, 22, ink],
  [4, 6, 24, 20, paper],
  [3, 5, 5, 22, red],
  [12, 10, 13, 2, ink],
  [12, 15, 13, 2, ink],
  [12, 20, 8, 2, ink],
];

export function svg() {
  const colour = (rgb) => `#${rgb.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
  const rects = mark.map(([x, y, width, height, rgb]) => `<path fill="${colour(rgb)}" d="M${x} ${y}h${width}v${height}h${-width}z"/>`).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${rects}</svg>\n`;
}

/** A square PNG. `inset` is the share of each side left white around the mark, for launchers that cut icons to shapes. */
export function png(size, inset = 0) {
  const pixels = Buffer.alloc(size * size * 3, 0xff);
  const scale = (size * (1 - 2 * inset)) / 32;
  const at = (n) => Math.round(size * inset + n * scale);
  for (const [x, y, width, height, rgb] of mark) {
    for (let row = at(y); row < at(y + height); row++) {
      for (let column = at(x); column < at(x + width); column++) pixels.set(rgb, (row * size + column) * 3);
    }
  }
  const lines = Buffer.alloc(size * (size * 3 + 1)); // each line begins with its filter, 0: none
  for (let row = 0; row < size; row++) pixels.copy(lines, row * (size * 3 + 1) + 1, row * size * 3, (row + 1) * size * 3);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, RGB
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', deflateSync(lines, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}
