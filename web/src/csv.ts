/**
 * A table as office programs here open it with a double click: UTF-8 that says so, semicolons, for the comma is the decimal
 * sign. A cell that a program would take for a formula begins with an apostrophe.
 */
export function csv(rows: (string | number)[][]): Blob {
  const cell = (value: string | number) => {
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value)
    return /[;"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return new Blob(['\uFEFF', rows.map((row) => `${row.map(cell).join(';')}\r\n`).join('')], { type: 'text/csv;charset=utf-8' })
}
