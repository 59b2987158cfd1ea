internal import CMLX

/// An explicit stream of random numbers: the same seed gives the same numbers, and a key is never
/// used twice because drawing consumes it.
package struct RandomKey {
  private var key: Tensor

  package init(seed: UInt64) { key = Tensor(cmlx_random_key(seed), "RandomKey") }

  private mutating func next() -> Tensor {
    var first: OpaquePointer?
    var second: OpaquePointer?
    let split = withExtendedLifetime(key) { cmlx_random_split(key.pointer, &first, &second) }
    guard split else {
      fatalError("RandomKey: \(TensorError.lastMessage)")
    }
    key = Tensor(first, "RandomKey")
    return Tensor(second, "RandomKey")
  }

  /// Independent fp32 numbers from [0, 1).
  package mutating func uniform(_ shape: [Int]) -> Tensor {
    let key = next()
    return Tensor(
      cmlx_random_uniform(shape.map(Int32.init), Int32(shape.count), key.pointer), "uniform", key)
  }

  /// Independent standard normal fp32 numbers.
  package mutating func normal(_ shape: [Int]) -> Tensor {
    let key = next()
    return Tensor(
      cmlx_random_normal(shape.map(Int32.init), Int32(shape.count), key.pointer), "normal", key)
  }

  /// One index a row, drawn with probabilities softmax(logits) along the last axis.
  package mutating func categorical(_ logits: Tensor) -> Tensor {
    let key = next()
    return Tensor(
      cmlx_random_categorical(logits.pointer, -1, key.pointer), "categorical", logits, key)
  }
}
