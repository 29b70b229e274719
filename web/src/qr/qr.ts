import decodeQR from 'qr/decode.js'

// A script of its own, loaded when a camera or a picture is first read where
// the browser has no reader of codes itself.

/** The text of the QR code in an image, or null if there is none to be read. */
export function read(image: ImageData, patience: number): string | null {
  try {
    return decodeQR({ width: image.width, height: image.height, data: image.data }, { timeLimit: patience })
  } catch {
    return null // that is how it says that it found none
  }
}
