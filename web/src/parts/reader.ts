import { qrScript } from '../link'

// Reads QR codes: with the browser's own reader where there is one, otherwise
// with ours, which is loaded when it is first needed and works offline.

interface Detector { detect(source: ImageBitmapSource): Promise<{ rawValue: string }[]> }
interface DetectorClass { new (options: { formats: string[] }): Detector; getSupportedFormats(): Promise<string[]> }
declare global {
  var BarcodeDetector: DetectorClass | undefined
}

type Read = (picture: ImageBitmap | HTMLVideoElement, width: number, height: number, patience: number) => Promise<string | null>

const MOST = 1600 // px of the longer side that are looked at

async function own(): Promise<Read> {
  const { read } = (await import(qrScript)) as typeof import('../qr/qr')
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d', { willReadFrequently: true })!
  return async (picture, width, height, patience) => {
    const scale = Math.min(1, MOST / Math.max(width, height))
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
    context.drawImage(picture, 0, 0, canvas.width, canvas.height)
    const text = read(context.getImageData(0, 0, canvas.width, canvas.height), patience)
    context.clearRect(0, 0, canvas.width, canvas.height) // a card's picture stays nowhere
    return text
  }
}

async function browsers(): Promise<Read | null> {
  try {
    const Detector = globalThis.BarcodeDetector
    if (!Detector || !(await Detector.getSupportedFormats()).includes('qr_code')) return null
    const detector = new Detector({ formats: ['qr_code'] })
    return async (picture) => (await detector.detect(picture))[0]?.rawValue ?? null
  } catch {
    return null // it is there in name only
  }
}

let reader: Promise<Read> | undefined

/** The reader of this browser. */
export function qrReader(): Promise<Read> {
  reader ??= browsers().then((read) => read ?? own())
  reader.catch(() => (reader = undefined)) // tried again next time
  return reader
}
