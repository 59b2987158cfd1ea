internal import Dispatch

/// Ridge regression from sums of products, so that rows need never lie side by side.
///
/// B = argmin ‖Y − 1cᵀ − X B‖² + λ‖B‖², with the intercept c unpenalised (Hoerl & Kennard 1970), solved
/// in double precision: residual streams have directions thousands of times as long as others.
package struct RidgeSums: Sendable {
  /// Widths of a row of X and of Y.
  package let inputs: Int, outputs: Int
  private var count = 0.0
  private var sumX: [Double], sumY: [Double], xx: [Double], xy: [Double]

  /// No rows yet.
  package init(inputs: Int, outputs: Int) {
    (self.inputs, self.outputs) = (inputs, outputs)
    sumX = [Double](repeating: 0, count: inputs)
    sumY = [Double](repeating: 0, count: outputs)
    xx = [Double](repeating: 0, count: inputs * inputs)
    xy = [Double](repeating: 0, count: inputs * outputs)
  }

  /// Adds rows by their sums: XᵀX `[inputs, inputs]` and XᵀY `[inputs, outputs]`, row-major.
  package mutating func add(
    rows: Int, sumX: [Float], sumY: [Float], xx: [Float], xy: [Float]
  ) {
    precondition(
      sumX.count == inputs && sumY.count == outputs && xx.count == inputs * inputs
        && xy.count == inputs * outputs, "RidgeSums: sums of another width")
    count += Double(rows)
    for i in sumX.indices { self.sumX[i] += Double(sumX[i]) }
    for i in sumY.indices { self.sumY[i] += Double(sumY[i]) }
    for i in xx.indices { self.xx[i] += Double(xx[i]) }
    for i in xy.indices { self.xy[i] += Double(xy[i]) }
  }

  /// The standard deviation of each of X's columns.
  package var deviations: [Double] {
    (0..<inputs).map { i in
      let square = xx[i * inputs + i] - sumX[i] * sumX[i] / count
      return (max(square, 0) / max(count, 1)).squareRoot()
    }
  }

  /// B `[inputs, outputs]`, row-major, and c, for a penalty of so many times the mean variance of
  /// X's columns a row.
  ///
  /// `standardized` penalises what X's columns say once each has variance 1: a column whose numbers are a
  /// thousand times as large as others' is then not the only one that is fitted.
  ///
  /// - Throws: ``StatisticsError`` without rows, or where the penalised matrix is still singular.
  package func fit(
    penalty: Double, standardized: Bool = false
  ) throws(StatisticsError) -> (weights: [Double], intercept: [Double]) {
    guard count >= 2 else { throw .tooFew(what: "rows", needed: 2, found: Int(count)) }
    let scales = standardized ? deviations.map { $0 > 0 ? 1 / $0 : 1 } : nil
    var gram = xx
    for i in 0..<inputs {
      for j in 0..<inputs {
        gram[i * inputs + j] -= sumX[i] * sumX[j] / count
        if let scales { gram[i * inputs + j] *= scales[i] * scales[j] }
      }
    }
    let variance = (0..<inputs).reduce(0) { $0 + gram[$1 * inputs + $1] } / Double(inputs)
    for i in 0..<inputs { gram[i * inputs + i] += penalty * variance }
    var weights = xy
    for i in 0..<inputs {
      for j in 0..<outputs {
        weights[i * outputs + j] -= sumX[i] * sumY[j] / count
        if let scales { weights[i * outputs + j] *= scales[i] }
      }
    }
    try Self.factor(&gram, inputs)
    Self.solve(gram, inputs, &weights, outputs)
    if let scales {
      for i in weights.indices { weights[i] *= scales[i / outputs] }
    }
    let intercept = (0..<outputs).map { j in
      (0..<inputs).reduce(sumY[j] / count) { $0 - sumX[$1] / count * weights[$1 * outputs + j] }
    }
    return (weights, intercept)
  }

  /// The lower triangle L of A = L Lᵀ, in place.
  private static func factor(_ a: inout [Double], _ n: Int) throws(StatisticsError) {
    for j in 0..<n {
      var diagonal = a[j * n + j]
      for k in 0..<j { diagonal -= a[j * n + k] * a[j * n + k] }
      guard diagonal > 0 else { throw .undefinedOnData(statistic: "a ridge regression") }
      let root = diagonal.squareRoot()
      a[j * n + j] = root
      a.withUnsafeMutableBufferPointer { a in
        for i in j + 1..<max(n, j + 1) {
          var value = a[i * n + j]
          for k in 0..<j { value -= a[i * n + k] * a[j * n + k] }
          a[i * n + j] = value / root
        }
      }
    }
  }

  /// B ← (L Lᵀ)⁻¹ B, in blocks of columns that stay in a core's cache, each on a thread of its own.
  private static func solve(_ l: [Double], _ n: Int, _ b: inout [Double], _ width: Int) {
    let columns = 64
    l.withUnsafeBufferPointer { l in
      b.withUnsafeMutableBufferPointer { b in
        // Blocks of columns are disjoint.
        nonisolated(unsafe) let (l, b) = (l, b)
        DispatchQueue.concurrentPerform(iterations: (width + columns - 1) / columns) { block in
          let first = block * columns
          solve(l, n, b, width, first..<min(first + columns, width))
        }
      }
    }
  }

  private static func solve(
    _ l: UnsafeBufferPointer<Double>, _ n: Int, _ b: UnsafeMutableBufferPointer<Double>,
    _ width: Int, _ columns: Range<Int>
  ) {
    let own = columns.count
    var block = [Double](repeating: 0, count: n * own)
    for i in 0..<n {
      for c in 0..<own { block[i * own + c] = b[i * width + columns.lowerBound + c] }
    }
    block.withUnsafeMutableBufferPointer { x in
      func subtract(_ factor: Double, _ from: Int, _ to: Int) {
        for c in 0..<own { x[to * own + c] -= factor * x[from * own + c] }
      }
      func divide(_ row: Int) {
        for c in 0..<own { x[row * own + c] /= l[row * n + row] }
      }
      for i in 0..<n {
        for k in 0..<i { subtract(l[i * n + k], k, i) }
        divide(i)
      }
      for i in (0..<n).reversed() {
        for k in i + 1..<max(n, i + 1) { subtract(l[k * n + i], k, i) }
        divide(i)
      }
      for i in 0..<n { for c in 0..<own { b[i * width + columns.lowerBound + c] = x[i * own + c] } }
    }
  }
}
