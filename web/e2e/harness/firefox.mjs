// Firefox as the tests use it: Debian's, driven over WebDriver BiDi.
import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where the browser is; FIREFOX names another. */
const executablePath = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/**
 * Playwright sends every new context a command that this Firefox does not know (the colour scheme, which no test
 * sets) and gives up on the answer. Sent so that it may fail, all else works. The text is checked, so that another
 * version of the library asks for another look.
 */
const command = 'send("emulation.setMediaFeaturesOverride"';

function playwright() {
  const folder = dirname(createRequire(import.meta.url).resolve('playwright-core'));
  const path = join(folder, 'lib/coreBundle.js');
  const source = readFileSync(path, 'utf8');
  const parts = source.split(command);
  if (parts.length !== 3) throw new Error(`playwright-core is another than firefox.mjs was written for: ${parts.length - 1} places of 2`);
  const loaded = new Module(path);
  loaded.filename = path;
  loaded.paths = [join(folder, '..')];
  loaded._compile(parts.join(command.replace('send(', 'sendMayFail(')), path);
  return loaded.exports.inprocess.playwright;
}

const { firefox } = playwright();

/** A browser whose profile is in the folder `profile`; returns its only context. */
export function launchOn(profile, options = {}) {
  return firefox.launchPersistentContext(profile, { channel: 'moz-firefox', headless: true, executablePath, ...options });
}
