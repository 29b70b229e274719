// Chromium as the tests use it.
import { chromium } from 'playwright-core';

/** Where the browser is; CHROMIUM names another. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Without a sandbox (it refuses to run as root) and without calls home. */
const args = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-domain-reliability',
  '--disable-sync',
  '--metrics-recording-only',
  '--no-first-run',
  '--no-pings',
  '--password-store=basic',
];

/** A browser without a profile. */
export function launch(options = {}) {
  return chromium.launch({ headless: true, executablePath, ...options, args: [...args, ...(options.args ?? [])] });
}

/** A browser whose profile is in the folder `profile`; returns its only context. */
export function launchOn(profile, options = {}) {
  return chromium.launchPersistentContext(profile, {
    headless: true, executablePath, ...options, args: [...args, ...(options.args ?? [])],
  });
}
