// What lies readable in a browser's profile.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Looks for names in every file that a closed browser has written, in the encodings that browsers write; `known` is there for certain. */
export async function inClear(profile, names, known) {
  const found = [];
  let seen = false;
  for (const entry of await readdir(profile, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    seen ||= bytes.includes(Buffer.from(known, 'utf16le'));
    for (const name of names) {
      for (const part of [name, name.normalize('NFD'), name.slice(-5), name.toLowerCase()]) {
        for (const encoding of ['utf8', 'utf16le']) if (bytes.includes(Buffer.from(part, encoding))) found.push(`${path.slice(profile.length)}: ${part} in ${encoding}`);
      }
    }
  }
  return { found, seen };
}
