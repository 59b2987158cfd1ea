/// A dense symmetric matrix, of which a Cholesky factor takes the lower half.
struct SymmetricMatrix {
  let size: Int
  private var values: [Double]

  /// From its numbers, `[size, size]`.
  init(size: Int, values: [Double]) { (self.size, self.values) = (size, values) }

  /// Z Zᵀ.
  init(gramOf z: Matrix) {
    size = z.rows
    values = [Double](repeating: 0, count: size * size)
    let (size, width) = (size, z.width)
    z.values.withUnsafeBufferPointer { z in
      for row in 0..<size {
        for column in 0...row {
          let product = dot(z, row * width, z, column * width, width)
          values[row * size + column] = product
          values[column * size + row] = product
        }
      }
    }
  }

  /// The sum of its diagonal.
  var trace: Double { (0..<size).reduce(0) { $0 + values[$1 * size + $1] } }

  /// D A D for a diagonal D.
  func scaled(by diagonal: [Double]) -> SymmetricMatrix {
    var result = self
    for row in 0..<size {
      for column in 0..<size {
        result.values[row * size + column] *= diagonal[row] * diagonal[column]
      }
    }
    return result
  }

  func times(_ x: [Double]) -> [Double] {
    values.withUnsafeBufferPointer { a in
      x.withUnsafeBufferPointer { x in (0..<size).map { dot(a, $0 * size, x, 0, size) } }
    }
  }

  /// Replaces the lower half of A + εI, which must be positive definite, by its Cholesky factor.
  mutating func factor(addingToDiagonal shift: Double) {
    let size = size
    values.withUnsafeMutableBufferPointer { a in
      for row in 0..<size {
        a[row * size + row] += shift
        for column in 0...row {
          let known = UnsafeBufferPointer(a)
          let rest =
            a[row * size + column] - dot(known, row * size, known, column * size, column)
          a[row * size + column] =
            row == column ? rest.squareRoot() : rest / a[column * size + column]
        }
      }
    }
  }

  /// Whether the factor is one of a matrix that can be inverted in double precision.
  var isRegular: Bool {
    let diagonal = (0..<size).map { values[$0 * size + $0] }
    guard diagonal.allSatisfy(\.isFinite), let most = diagonal.max() else { return false }
    // Rounding makes of a zero about 1e-8 of the largest.
    return (diagonal.min() ?? 0) > 1e-6 * most
  }

  /// The solution for a right side, after ``factor(addingToDiagonal:)``.
  func solve(_ right: [Double]) -> [Double] {
    var x = right
    for row in 0..<size {
      for column in 0..<row { x[row] -= values[row * size + column] * x[column] }
      x[row] /= values[row * size + row]
    }
    for row in (0..<size).reversed() {
      x[row] /= values[row * size + row]
      for column in 0..<row { x[column] -= values[row * size + column] * x[row] }
    }
    return x
  }
}

/// Σ a[i + k] b[j + k] over `count` numbers, eight at a time: Swift does not reorder a plain sum.
private func dot(
  _ a: UnsafeBufferPointer<Double>, _ i: Int, _ b: UnsafeBufferPointer<Double>, _ j: Int,
  _ count: Int
) -> Double {
  guard count > 0, let a = a.baseAddress, let b = b.baseAddress else { return 0 }
  let (left, right) = (UnsafeRawPointer(a + i), UnsafeRawPointer(b + j))
  var sums = SIMD8<Double>(repeating: 0)
  let whole = count / 8 * 8
  for k in stride(from: 0, to: whole * 8, by: 64) {
    sums +=
      left.loadUnaligned(fromByteOffset: k, as: SIMD8<Double>.self)
      * right.loadUnaligned(fromByteOffset: k, as: SIMD8<Double>.self)
  }
  return (whole..<count).reduce(sums.sum()) { $0 + a[i + $1] * b[j + $1] }
}
