/// The K-quants: 256 weights a block, with scales of parts of it that are quantised themselves.
///
/// Names of fields as in ggml's `ggml-common.h`. Each part is one loop of 16 or 32 weights whose
/// shifts and masks are constant within it, so that the compiler vectorises it.
private let blockElementCount = 256

@inline(__always)
private func byte(_ start: UnsafeRawPointer, _ offset: Int) -> UInt8 {
  start.load(fromByteOffset: offset, as: UInt8.self)
}

/// A byte shifted right: as 32 bits, because SSE2 shifts no vector of bytes.
@inline(__always)
private func bits(_ start: UnsafeRawPointer, _ offset: Int, from shift: Int32) -> Int32 {
  Int32(byte(start, offset)) &>> shift
}

/// Two bits of each of 16 bytes from `first`, times `scale`, less `minimum`.
@inline(__always)
private func decodePairs(
  _ start: UnsafeRawPointer, _ first: Int, shift: Int32, scale: Float, minimum: Float,
  _ output: UnsafeMutablePointer<Float>
) {
  for index in 0..<16 {
    output[index] = scale * Float(bits(start, first &+ index, from: shift) & 3) - minimum
  }
}

/// A block: 16 bytes of scale (low half) and minimum (high half) of 16 weights each, 64 bytes of
/// pairs of bits, half scale, half minimum.
func decodeQ2K(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 84 &* block
    let (scale, minimum) = (half(start, 80), half(start, 82))
    let output = target + blockElementCount &* block
    for part in 0..<16 {
      let packed = byte(start, part)
      // Four parts of 32 weights lie in the same 32 bytes, two bits further up each.
      decodePairs(
        start, 16 &+ part / 8 &* 32 &+ part % 2 &* 16, shift: Int32(part % 8 / 2 &* 2),
        scale: scale * Float(Int32(packed & 15)), minimum: minimum * Float(Int32(packed >> 4)),
        output + 16 &* part)
    }
  }
}

/// A block: 32 bytes of third bits, 64 bytes of pairs of bits, 12 bytes of 16 scales of 6 bits,
/// half scale.
func decodeQ3K(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 110 &* block
    let scale = half(start, 108)
    let output = target + blockElementCount &* block
    for part in 0..<16 {
      let low = byte(start, 96 &+ part % 8) &>> UInt8(part / 8 &* 4) & 15
      let high = byte(start, 104 &+ part % 4) &>> UInt8(part / 4 &* 2) & 3
      let partScale = scale * Float(Int32(low | high << 4) &- 32)
      let (pairs, third) = (32 &+ part / 8 &* 32 &+ part % 2 &* 16, part % 2 &* 16)
      let (shift, thirdShift) = (Int32(part % 8 / 2 &* 2), Int32(part / 2))
      let part = output + 16 &* part
      for index in 0..<16 {
        let pair = bits(start, pairs &+ index, from: shift) & 3
        // The offset of 4 is taken where the third bit is not set.
        let isSet = bits(start, third &+ index, from: thirdShift) & 1
        part[index] = partScale * Float(pair &+ (isSet &<< 2) &- 4)
      }
    }
  }
}

/// The scale and the minimum, of 6 bits each, of part 0 to 7 from the 12 bytes at `start`.
@inline(__always)
private func scaleAndMinimum(_ start: UnsafeRawPointer, _ part: Int) -> (Float, Float) {
  if part < 4 {
    return (Float(Int32(byte(start, part) & 63)), Float(Int32(byte(start, part &+ 4) & 63)))
  }
  let low = byte(start, part &+ 4)
  let scale = low & 15 | byte(start, part &- 4) >> 2 & 48
  let minimum = low >> 4 | byte(start, part) >> 2 & 48
  return (Float(Int32(scale)), Float(Int32(minimum)))
}

/// A block: half scale, half minimum, 12 bytes of scales and minima of 32 weights each, 128 bytes
/// of halves: 32 low halves are a part, the 32 high halves the next.
func decodeQ4K(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 144 &* block
    let (scale, minimum) = (half(start, 0), half(start, 2))
    for pair in 0..<4 {
      let (scale1, minimum1) = scaleAndMinimum(start + 4, 2 &* pair)
      let (scale2, minimum2) = scaleAndMinimum(start + 4, 2 &* pair &+ 1)
      let (low, lowMinimum) = (scale * scale1, minimum * minimum1)
      let (high, highMinimum) = (scale * scale2, minimum * minimum2)
      let output = target + blockElementCount &* block + 64 &* pair
      let packed = start + 16 + 32 &* pair
      for index in 0..<32 {
        let halves = byte(packed, index)
        output[index] = low * Float(Int32(halves & 15)) - lowMinimum
        output[index &+ 32] = high * Float(Int32(halves >> 4)) - highMinimum
      }
    }
  }
}

/// A block: as ``decodeQ4K(_:_:_:)``, with 32 bytes of fifth bits before the halves.
func decodeQ5K(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 176 &* block
    let (scale, minimum) = (half(start, 0), half(start, 2))
    for pair in 0..<4 {
      let (scale1, minimum1) = scaleAndMinimum(start + 4, 2 &* pair)
      let (scale2, minimum2) = scaleAndMinimum(start + 4, 2 &* pair &+ 1)
      let (low, lowMinimum) = (scale * scale1, minimum * minimum1)
      let (high, highMinimum) = (scale * scale2, minimum * minimum2)
      let output = target + blockElementCount &* block + 64 &* pair
      let (fifths, packed) = (start + 16, start + 48 + 32 &* pair)
      for index in 0..<32 {
        let halves = Int32(byte(packed, index))
        let fifth = bits(fifths, index, from: Int32(2 &* pair))
        output[index] = low * Float(halves & 15 | (fifth & 1) << 4) - lowMinimum
        output[index &+ 32] = high * Float(halves >> 4 | (fifth & 2) << 3) - highMinimum
      }
    }
  }
}

/// A block: 128 bytes of low halves, 64 bytes of pairs of high bits, 16 signed scales of 16
/// weights each, half scale.
func decodeQ6K(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 210 &* block
    let scale = half(start, 208)
    for part in 0..<16 {
      let partScale = scale * Float(start.load(fromByteOffset: 192 &+ part, as: Int8.self))
      let (side, within) = (part / 8, part % 8)
      // 32 weights of a side of 128: low halves of bytes 0-31 and 32-63, then their high halves.
      let low = start + 64 &* side + within % 4 &* 16
      let high = start + 128 + 32 &* side + within % 2 &* 16
      let (lowShift, highShift) = (Int32(within / 4 &* 4), Int32(within / 2 &* 2))
      let output = target + blockElementCount &* block + 16 &* part
      for index in 0..<16 {
        let lowBits = bits(low, index, from: lowShift) & 15
        let highBits = bits(high, index, from: highShift) & 3
        output[index] = partScale * Float((lowBits | highBits << 4) &- 32)
      }
    }
  }
}
