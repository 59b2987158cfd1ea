internal import CMLX

/// An explicit stream of random numbers: the same seed gives the same numbers, and a key is never
/// used twice because drawing consumes it.
public struct RandomKey {
  private var key: Tensor

  public init(seed: UInt64) { key = Tensor(cmlx_random_key(seed), "RandomKey") }

  private mutating func next() -> Tensor {
    var first: OpaquePointer?
    var second: OpaquePointer?
    guard cmlx_random_split(key.pointer, &first, &second) else {
      fatalError("RandomKey: \(TensorError.lastMessage)")
    }
    key = Tensor(first, "RandomKey")
    return Tensor(second, "RandomKey")
  }

  /// Independent fp32 numbers from [0, 1).
  public mutating func uniform(_ shape: [Int]) -> Tensor {
    Tensor(
      cmlx_random_uniform(shape.map(Int32.init), Int32(shape.count), next().pointer), "uniform")
  }

  /// Independent standard normal fp32 numbers.
  public mutating func normal(_ shape: [Int]) -> Tensor {
    Tensor(
      cmlx_random_normal(shape.map(Int32.init), Int32(shape.count), next().pointer), "normal")
  }

  /// One index a row, drawn with probabilities softmax(logits) along the last axis.
  public mutating func categorical(_ logits: Tensor) -> Tensor {
    Tensor(cmlx_random_categorical(logits.pointer, -1, next().pointer), "categorical", logits)
  }
}
