internal import Foundation
internal import Tensors

/// cos and sin of position · frequency, each `[token, width / 2]`.
struct RotaryAngles {
  let cosine: Tensor
  let sine: Tensor

  init(_ positions: [Int], _ rotary: Rotary) {
    // fp32 throughout, as in the reference implementation: at large positions the rounding of the
    // angle shows.
    let frequencies = rotary.frequencies
    let amplitude = Float(rotary.amplitude)
    var cosines: [Float] = []
    var sines: [Float] = []
    cosines.reserveCapacity(positions.count * frequencies.count)
    sines.reserveCapacity(positions.count * frequencies.count)
    for position in positions {
      for frequency in frequencies {
        let angle = Float(position) * frequency
        cosines.append(cos(angle) * amplitude)
        sines.append(sin(angle) * amplitude)
      }
    }
    cosine = Tensor(cosines, shape: [positions.count, frequencies.count])
    sine = Tensor(sines, shape: [positions.count, frequencies.count])
  }
}

/// What queries of one kind of block see, and how their positions turn them.
@TensorActor
struct AttentionView {
  let visible: [[KeyRanges.Rows]]
  let ranges: KeyRanges
  let keyCount: Int
  let rope: RotaryAngles?

  init(_ visible: [[KeyRanges.Rows]], keyCount: Int, rope: RotaryAngles?) {
    (self.visible, self.keyCount, self.rope) = (visible, keyCount, rope)
    ranges = KeyRanges(visible, keyCount: keyCount)
  }

  /// 0 where a query sees a key, −∞ elsewhere, `[query, key]`.
  var mask: Tensor {
    var values = [Float](repeating: -.infinity, count: visible.count * keyCount)
    for (query, ranges) in visible.enumerated() {
      for rows in ranges {
        for key in stride(from: rows.begin, to: rows.end, by: rows.stride) {
          values[query * keyCount + key] = 0
        }
      }
    }
    return Tensor(values, shape: [visible.count, keyCount])
  }

  /// The last `window` rows of each query's, which are in the order of their positions.
  static func last(_ window: Int, of visible: [[KeyRanges.Rows]]) -> [[KeyRanges.Rows]] {
    visible.map { ranges in
      var surplus = ranges.reduce(0) { $0 + $1.count } - window
      return ranges.compactMap { rows in
        guard surplus > 0 else { return rows }
        let dropped = min(surplus, rows.count)
        surplus -= dropped
        return dropped == rows.count
          ? nil
          : KeyRanges.Rows(rows.begin + dropped * rows.stride, rows.end, stride: rows.stride)
      }
    }
  }
}
