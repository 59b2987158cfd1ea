package import Tensors

/// What training added to one linear layer: scale · B A.
@TensorActor
package struct WeightChange {
  package let block: Int
  package let module: LinearModule
  /// `[rank, in]`.
  package let a: Tensor
  /// `[out, rank]`.
  package let b: Tensor
  package let scale: Float
}

extension LanguageModel {
  /// Every change that `adapter` makes, block by block.
  package func forEachWeightChange(
    adapter: AdapterWeights?, _ body: (WeightChange) throws -> Void
  ) throws {
    guard let adapter else { return }
    for block in 0..<configuration.nLayers {
      for module in configuration.modules {
        guard
          let change = adapter.lowRank(block: block, module, of: configuration.family)
        else { continue }
        try body(
          WeightChange(block: block, module: module, a: change.a, b: change.b, scale: change.scale))
      }
    }
  }
}
