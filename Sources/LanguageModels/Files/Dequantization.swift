/// Decodes `blocks` blocks of stored weights at `source`, of any alignment, into `target`.
typealias WeightDecoder = (
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) -> Void

extension GGUFTensorType {
  /// The loop that decodes this type; nil if the type is not readable.
  ///
  /// Each rounds exactly as the reference does (`gguf`'s `dequantize`): scales widened to fp32,
  /// one product, one sum, never fused.
  var decoder: WeightDecoder? {
    switch name {
    case "F32": decodeFloat32
    case "F16": decodeFloat16
    case "BF16": decodeBFloat16
    case "Q8_0": decodeQ80
    case "Q4_0": decodeQ40
    case "Q4_1": decodeQ41
    case "Q5_0": decodeQ50
    case "Q5_1": decodeQ51
    case "Q2_K": decodeQ2K
    case "Q3_K": decodeQ3K
    case "Q4_K": decodeQ4K
    case "Q5_K": decodeQ5K
    case "Q6_K": decodeQ6K
    default: nil
    }
  }
}

/// The value of an IEEE half-precision bit pattern; NaN stays NaN.
///
/// Written with integer and normal-range float operations only, so that it vectorises without
/// F16C and is right even where a library has switched denormals off on the thread.
@inline(__always)
func float(half bits: UInt16) -> Float {
  let sign = UInt32(bits & 0x8000) << 16
  let magnitude = UInt32(bits & 0x7fff) << 13
  let exponent = magnitude & 0x0f80_0000
  // Rebias from 15 to 127; infinities and NaN go on to 255.
  let rebias: UInt32 = exponent == 0x0f80_0000 ? 224 << 23 : 112 << 23
  // A subnormal is read as 2^-14 + value, from which 2^-14 is taken away again.
  let smallestNormal: UInt32 = 113 << 23
  let subnormal =
    Float(bitPattern: magnitude + smallestNormal) - Float(bitPattern: smallestNormal)
  let value = exponent == 0 ? subnormal.bitPattern : magnitude + rebias
  return Float(bitPattern: sign | value)
}

/// The value of a bfloat16 bit pattern.
@inline(__always)
func float(bfloat bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

@inline(__always)
func half(_ source: UnsafeRawPointer, _ offset: Int) -> Float {
  float(half: UInt16(littleEndian: source.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
}

func decodeFloat32(
  _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
  UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: 4 * count)
}

func decodeFloat16(
  _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
  for index in 0..<count { target[index] = half(source, 2 &* index) }
}

func decodeBFloat16(
  _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
  for index in 0..<count {
    let bits = source.loadUnaligned(fromByteOffset: 2 &* index, as: UInt16.self)
    target[index] = float(bfloat: UInt16(littleEndian: bits))
  }
}

/// A block: half scale, 32 signed bytes.
private func decodeQ80(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 34 &* block
    let scale = half(start, 0)
    let output = target + 32 &* block
    for index in 0..<32 {
      let quantised = start.load(fromByteOffset: 2 &+ index, as: Int8.self)
      output[index] = scale * Float(quantised)
    }
  }
}

/// A block: half scale, 16 bytes whose low halves are the first 16 weights, offset by 8.
private func decodeQ40(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 18 &* block
    let scale = half(start, 0)
    let output = target + 32 &* block
    for index in 0..<16 {
      let pair = start.load(fromByteOffset: 2 &+ index, as: UInt8.self)
      output[index] = scale * Float(Int32(pair & 15) &- 8)
      output[index &+ 16] = scale * Float(Int32(pair >> 4) &- 8)
    }
  }
}

/// A block: half scale, half minimum, 16 bytes whose low halves are the first 16 weights.
private func decodeQ41(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 20 &* block
    let scale = half(start, 0)
    let minimum = half(start, 2)
    let output = target + 32 &* block
    for index in 0..<16 {
      let pair = start.load(fromByteOffset: 4 &+ index, as: UInt8.self)
      output[index] = scale * Float(Int32(pair & 15)) + minimum
      output[index &+ 16] = scale * Float(Int32(pair >> 4)) + minimum
    }
  }
}

/// A block: half scale, 32 bits that are the weights' fifth ones, 16 bytes as in Q4_0; offset by 16.
private func decodeQ50(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 22 &* block
    let scale = half(start, 0)
    let output = target + 32 &* block
    decodeFive(start, fifths: 2) { index, quantised in
      output[index] = scale * Float(quantised &- 16)
    }
  }
}

/// A block: half scale, half minimum, 32 bits that are the weights' fifth ones, 16 bytes as in Q4_1.
private func decodeQ51(
  _ source: UnsafeRawPointer, _ blocks: Int, _ target: UnsafeMutablePointer<Float>
) {
  for block in 0..<blocks {
    let start = source + 24 &* block
    let scale = half(start, 0)
    let minimum = half(start, 2)
    let output = target + 32 &* block
    decodeFive(start, fifths: 4) { index, quantised in
      output[index] = scale * Float(quantised) + minimum
    }
  }
}

/// Hands each of 32 numbers of five bits to `write`: fifth bits at `fifths`, the rest behind them.
@inline(__always)
private func decodeFive(
  _ start: UnsafeRawPointer, fifths: Int, _ write: (_ index: Int, _ quantised: Int32) -> Void
) {
  let bits = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: fifths, as: UInt32.self))
  for index in 0..<16 {
    let pair = Int32(start.load(fromByteOffset: fifths &+ 4 &+ index, as: UInt8.self))
    let low = Int32(truncatingIfNeeded: bits &>> UInt32(index) & 1)
    let high = Int32(truncatingIfNeeded: bits &>> UInt32(index &+ 16) & 1)
    write(index, pair & 15 | low &<< 4)
    write(index &+ 16, pair &>> 4 | high &<< 4)
  }
}
