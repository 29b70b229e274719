// One visual language: style sheets name colours, type, radii and times by the tokens of tokens.css and nothing else;
// each token is used, and stands on the page that explains the language (README.md). What is printed is a form of the
// state's and has type of its own.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../src/style/', import.meta.url));
const read = async (name) => (await readFile(`${folder}${name}`, 'utf8')).replace(/\/\*[\s\S]*?\*\//g, (note) => note.replace(/[^\n]/g, ' '));

const raw = {
  color: /#[0-9a-f]{3,8}\b|\b(?:rgb|rgba|hsl|hsla|lab|lch|oklab|oklch|color|color-mix)\(|(?<![-\w])(?:white|black|red|green|blue|grey|gray|yellow|orange|silver|navy)(?![-\w])/i,
  time: /(?<![-\w.])\d*\.?\d+m?s\b/,
};
const mayBe = { 'font-size': /^(?:var\(--(?:typed|tiny)\)|inherit)$/, font: /^(?:var\(--[a-z]+\)|inherit)$/, 'font-family': /^inherit$/, 'border-radius': /^(?:var\(--(?:radius|round)\)|0|50%)$/ };

/** What of a style sheet is outside the language. */
function strays(css) {
  const found = [];
  for (const [, property, whole] of css.matchAll(/(?<=[{;]\s*)([a-z-]+)\s*:\s*([^;{}]+)(?=[;}])/g)) {
    const value = whole.replace('!important', '').trim();
    const said = `${property}: ${value}`;
    if (raw.color.test(value.replace(/var\([^)]*\)/g, ''))) found.push(said);
    else if (/^(?:transition|animation)/.test(property) && raw.time.test(value.replace(/var\([^)]*\)/g, '').replace(/\blate 1s\b/, ''))) found.push(said); // what appears after its delay takes no time of its own
    else if (mayBe[property] && !mayBe[property].test(value)) found.push(said);
  }
  return found;
}

const tokens = await read('tokens.css');
const sheets = (await readdir(folder)).filter((name) => name.endsWith('.css') && !['tokens.css', 'paper.css'].includes(name));
assert.ok(sheets.length >= 3, 'the style sheets');
for (const name of sheets) assert.deepEqual(strays(await read(name)), [], `${name}: name a token, or make one in tokens.css`);
for (const bad of ['a { color: #fff; }', 'a { border: 1px solid rgb(1 2 3); }', 'a { font: 1rem/1.5 serif; }', 'a { font-size: 12px }', 'a { color: red; }', 'a { border-radius: 5px; }', 'a { transition: opacity 0.2s; }']) {
  assert.equal(strays(bad).length, 1, `the reader sees nothing in ${bad}`);
}

const used = (await Promise.all(['tokens.css', ...sheets, 'paper.css'].map(read))).join('\n') + (await readFile(`${folder}../views/day.ts`, 'utf8')).replaceAll(/'(--[a-z0-9-]+)'/g, 'var($1)');
const named = [...new Set([...tokens.matchAll(/(--[a-z0-9-]+):/g)].map(([, name]) => name))];
const page = await readFile(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');
assert.ok(named.length > 30, 'the tokens');
assert.deepEqual(named.filter((name) => !used.includes(`var(${name})`)), [], 'tokens that nothing uses');
assert.deepEqual(named.filter((name) => !page.includes(`\`${name}\``)), [], 'tokens that README.md does not explain');
const local = ['--columns'];
assert.deepEqual([...new Set([...used.matchAll(/var\((--[a-z0-9-]+)/g)].map(([, name]) => name))].filter((name) => !named.includes(name) && !local.includes(name)), [], 'tokens that do not exist');
