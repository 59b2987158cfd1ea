/// A direction in feature space: score = Σ direction · (x − centre) / scale + bias.
package struct LinearScore: Codable, Hashable, Sendable {
  package var centre: [Double]
  package var scale: [Double]
  package var direction: [Double]
  package var bias: Double

  package init(centre: [Double], scale: [Double], direction: [Double], bias: Double) {
    (self.centre, self.scale) = (centre, scale)
    (self.direction, self.bias) = (direction, bias)
  }

  /// The score of one feature vector.
  package func callAsFunction(_ x: some Sequence<some BinaryFloatingPoint>) -> Double {
    var sum = bias
    for (index, value) in x.enumerated() {
      sum += direction[index] * (Double(value) - centre[index]) / scale[index]
    }
    return sum
  }
}

/// Rows of numbers, `[row, width]`.
package struct Matrix: Sendable {
  package let width: Int
  package var values: [Double]

  package init(width: Int, values: [Double]) { (self.width, self.values) = (width, values) }

  package var rows: Int { values.count / width }

  subscript(row: Int) -> ArraySlice<Double> { values[row * width..<(row + 1) * width] }

  func mean(of rows: [Int]) -> [Double] {
    var sum = [Double](repeating: 0, count: width)
    for row in rows {
      for column in 0..<width { sum[column] += values[row * width + column] }
    }
    return sum.map { $0 / Double(rows.count) }
  }

  /// Population standard deviations; 1 for a column that does not vary, which then scores nothing.
  func scale(around mean: [Double]) -> [Double] {
    var sum = [Double](repeating: 0, count: width)
    for row in 0..<rows {
      for column in 0..<width {
        let deviation = values[row * width + column] - mean[column]
        sum[column] += deviation * deviation
      }
    }
    return sum.map { $0 > 0 ? ($0 / Double(rows)).squareRoot() : 1 }
  }

  var transposed: Matrix {
    var result = Matrix(width: rows, values: values)
    for row in 0..<rows {
      for column in 0..<width { result.values[column * rows + row] = values[row * width + column] }
    }
    return result
  }

  func standardised(centre: [Double], scale: [Double]) -> Matrix {
    var result = self
    for index in values.indices {
      let column = index % width
      result.values[index] = (values[index] - centre[column]) / scale[column]
    }
    return result
  }
}

extension LinearScore {
  /// θ = μ⁺ − μ⁻, zero half way between the means (Marks & Tegmark 2023, arXiv 2310.06824, §5.1).
  package static func massMean(_ values: [Double], labels: [Bool]) -> LinearScore {
    let x = Matrix(width: values.count / labels.count, values: values)
    let active = x.mean(of: labels.indices.filter { labels[$0] })
    let other = x.mean(of: labels.indices.filter { !labels[$0] })
    return LinearScore(
      centre: zip(active, other).map { ($0 + $1) / 2 },
      scale: [Double](repeating: 1, count: x.width), direction: zip(active, other).map { $0 - $1 },
      bias: 0)
  }

  /// Fisher's discriminant θ = (Σ_w + λ tr(Σ_w)/d I)⁻¹ (μ⁺ − μ⁻), zero half way between the means; Σ_w is the
  /// covariance within classes.
  ///
  /// With λ = 0 it is scikit-learn's `LinearDiscriminantAnalysis` up to its intercept's prior; a residual
  /// stream of hundreds of columns needs some shrinkage, 0.1 by default.
  ///
  /// - Throws: ``DetectorError/unusableCalibration(expected:found:)`` where Σ_w has no inverse.
  package static func discriminant(
    _ values: [Double], labels: [Bool], shrinkage: Double = 0.1
  ) throws(DetectorError) -> LinearScore {
    let x = Matrix(width: values.count / labels.count, values: values)
    let active = x.mean(of: labels.indices.filter { labels[$0] })
    let other = x.mean(of: labels.indices.filter { !labels[$0] })
    var within = x
    for row in labels.indices {
      let mean = labels[row] ? active : other
      for column in 0..<x.width { within.values[row * x.width + column] -= mean[column] }
    }
    let share = 1 / Double(max(1, labels.count - 2))
    var covariance = SymmetricMatrix(gramOf: within.transposed).scaled(
      by: [Double](repeating: share.squareRoot(), count: x.width))
    let shift = shrinkage * covariance.trace / Double(x.width)
    covariance.factor(addingToDiagonal: shift)
    guard covariance.isRegular else {
      throw .unusableCalibration(
        expected: "features of which none is a sum of others", found: "a singular covariance")
    }
    let direction = covariance.solve(zip(active, other).map { $0 - $1 })
    return LinearScore(
      centre: zip(active, other).map { ($0 + $1) / 2 },
      scale: [Double](repeating: 1, count: x.width),
      direction: direction, bias: 0)
  }

  /// Logistic regression on standardised features, Σ log(1 + e^(−y (wᵀz + b))) + penalty · ‖w‖².
  ///
  /// - Throws: ``DetectorError/notConverged(what:iterations:)``.
  package static func logistic(
    _ values: [Double], labels: [Bool], penalty: Double
  ) throws(DetectorError) -> LinearScore {
    let x = Matrix(width: values.count / labels.count, values: values)
    let centre = x.mean(of: Array(labels.indices))
    let scale = x.scale(around: centre)
    let z = x.standardised(centre: centre, scale: scale)
    let fit = try LogisticRegression(z, labels: labels, penalty: penalty)
    return LinearScore(centre: centre, scale: scale, direction: fit.weights, bias: fit.bias)
  }
}
