// How large the page is, as the hub sends it: compressed once at build, with brotli at its best.
import { brotliCompressSync, constants } from 'node:zlib'

/** All that a browser loads. A slow line of 1 Mbit/s brings it within a second. */
export const MOST_BYTES = 120 * 1024

export function brotli(plain: Buffer): Buffer {
  const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY }
  return brotliCompressSync(plain, { params: quality })
}

export function brotliBytes(plain: Buffer): number {
  return brotli(plain).length
}

export function sizeText(bytes: number): string {
  const kib = (n: number) => (n / 1024).toFixed(1)
  return `${kib(bytes)} KiB with brotli, of ${kib(MOST_BYTES)}`
}
