/// The covariance of a sample shrunk towards a multiple of the identity (Ledoit & Wolf 2004, "A
/// well-conditioned estimator for large-dimensional covariance matrices").
///
/// Σ = (1 − δ) S + δ (tr S / p) I with the δ that minimises the expected squared error; as scikit-learn's
/// `ledoit_wolf`.
package struct LedoitWolf: Sendable {
  /// `[p, p]`, row-major.
  package let covariance: [Double]
  /// δ, from 0 to 1.
  package let shrinkage: Double

  /// From rows `[rows, p]` whose columns have mean zero.
  package init(_ x: [Double], rows n: Int) {
    let p = x.count / n
    var (products, squares) = (
      [Double](repeating: 0, count: p * p), [Double](repeating: 0, count: p * p)
    )
    for row in 0..<n {
      for i in 0..<p {
        let a = x[row * p + i]
        for j in 0..<p {
          let product = a * x[row * p + j]
          products[i * p + j] += product
          squares[i * p + j] += product * product
        }
      }
    }
    let (count, width) = (Double(n), Double(p))
    let sample = products.map { $0 / count }
    let mean = (0..<p).reduce(0) { $0 + sample[$1 * p + $1] } / width
    let length = sample.reduce(0) { $0 + $1 * $1 }
    // How far S is from the target, and how far it can be expected to be from the truth.
    let dispersion = (length - width * mean * mean) / width
    let noise = (squares.reduce(0, +) / count - length) / (width * count)
    shrinkage = dispersion > 0 ? max(0, min(1, noise / dispersion)) : 1
    let delta = shrinkage
    covariance = sample.indices.map { place in
      (1 - delta) * sample[place] + (place / p == place % p ? delta * mean : 0)
    }
  }
}
