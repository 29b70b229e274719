import { html, svg, type TemplateResult } from 'lit'

// Our own strokes on a 20-unit grid. They never stand alone: each has a text beside it or is named by its control.
const strokes = {
  book: 'M4 3.5h10a2 2 0 0 1 2 2v11H6a2 2 0 0 1-2-2zM4 14.5a2 2 0 0 1 2-2h10M8 7h5',
  inbox: 'M3.5 11.5 6 4.5h8l2.5 7v4h-13zM3.5 11.5h4l1 2h3l1-2h4',
  sync: 'M4 8a6.2 6.2 0 0 1 11-1.5M16 3.5v3.2h-3.2M16 12a6.2 6.2 0 0 1-11 1.5M4 16.5v-3.2h3.2',
  check: 'M4 10.5 8.2 15 16 5.5',
  close: 'M5 5l10 10M15 5 5 15',
  back: 'M12.5 4.5 7 10l5.5 5.5',
  next: 'M7.5 4.5 13 10l-5.5 5.5',
  search: 'M8.8 14.2a5.4 5.4 0 1 0 0-10.8 5.4 5.4 0 0 0 0 10.8zM13 13l4 4',
  add: 'M10 4v12M4 10h12',
  person: 'M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 17c.5-3.6 2.8-5.3 6-5.3s5.5 1.7 6 5.3',
  people: 'M7.5 9a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM2.5 16c.4-3.1 2.2-4.7 5-4.7s4.6 1.6 5 4.7M13 8.8a2.5 2.5 0 0 0 0-4.8M14.5 11.6c1.8.6 2.8 2 3.1 4.4',
  device: 'M6 2.5h8v15H6zM9 15h2',
  log: 'M4 4.5h12M4 8.2h12M4 11.9h12M4 15.6h7',
  warning: 'M10 3.5 17.5 16.5h-15zM10 8v4M10 14.2v.3',
  split: 'M10 17v-6L4.5 5.5M10 11l5.5-5.5M4.5 9V5.5H8M15.5 9V5.5H12',
  lock: 'M5 9h10v8H5zM7 9V6.5a3 3 0 0 1 6 0V9',
  eye: 'M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5zM10 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  clock: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4.3l3 1.8',
  pin: 'M10 17.5s5.5-5.2 5.5-9.5a5.5 5.5 0 0 0-11 0c0 4.3 5.5 9.5 5.5 9.5zM10 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  undo: 'M4.5 8.5h8a4 4 0 0 1 0 8H8M4.5 8.5l3.5-3.5M4.5 8.5 8 12',
  bin: 'M4 5.5h12M8 5.5v-2h4v2M5.5 5.5l.7 11h7.6l.7-11M8.5 8.5v5M11.5 8.5v5',
  card: 'M2.5 4.5h15v11h-15zM5 8h4v4H5zM11.5 8.5H15M11.5 11.5H15',
  desk: 'M3.5 3.5h13v13h-13zM3.5 8h13M8.5 8v8.5',
  key: 'M7 12.5a3.5 3.5 0 1 1 3.1-5.1H17.5v3h-2v2.2h-2.6v-2.2h-2.8A3.5 3.5 0 0 1 7 12.5zM6.5 9v.1',
  keypad: 'M3.5 3.5h13v13h-13zM3.5 7.8h13M3.5 12.2h13M7.8 3.5v13M12.2 3.5v13',
  print: 'M6 7V3.5h8V7M6 14H3.5V7h13v7H14M6 11.5h8v5H6z',
  move: 'M3.5 10h10M10 6.5l3.5 3.5-3.5 3.5M16.5 4.5v11',
  flag: 'M5 17.5V3.5h9.5l-2 3.5 2 3.5H5',
} as const

export type Icon = keyof typeof strokes

export function icon(name: Icon): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">${svg`<path d=${strokes[name]} />`}</svg>`
}

/** The product's mark: an open ledger with a red spine. No emblem of any authority. */
export function mark(): TemplateResult {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path class="mark-page" d="M3 5h26v22H3z" /><path class="mark-spine" d="M3 5h5v22H3z" /><path class="mark-line" d="M12 11h13M12 16h13M12 21h8" />
  </svg>`
}
