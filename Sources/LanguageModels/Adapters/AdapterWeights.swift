internal import Foundation
package import Tensors

/// What a LoRA adapter is, apart from its numbers.
package struct LoRAConfiguration: Codable, Sendable, Equatable {
  package var rank: Int
  package var alpha: Double
  package var modules: [LinearModule]

  package init(
    rank: Int = 16, alpha: Double = 32, modules: [LinearModule] = LinearModule.separate
  ) {
    self.rank = rank
    self.alpha = alpha
    self.modules = modules
  }

  /// α / rank: what B A is multiplied with.
  package var scale: Float { Float(alpha / Double(rank)) }
}

/// Low-rank updates of a model's linear layers (Hu et al. 2021, arXiv 2106.09685).
@TensorActor
package struct AdapterWeights {
  package let configuration: LoRAConfiguration
  /// A `[rank, in]` and B `[out, rank]` of every adapted layer, under PEFT's names.
  package var parameters: ParameterTree
  private let index: [String: Int]

  /// An adapter over `parameters`, whose paths are those of ``path(block:_:_:)``.
  package init(_ configuration: LoRAConfiguration, parameters: ParameterTree) {
    self.configuration = configuration
    self.parameters = parameters
    index = Dictionary(
      uniqueKeysWithValues: parameters.paths.enumerated().map { ($0.element, $0.offset) })
  }

  /// The name of one factor, `A` or `B`, as in PEFT's files without their prefix and suffix.
  package nonisolated static func path(
    block: Int, _ module: LinearModule, _ factor: String, of family: String = "llama"
  ) -> String {
    "\(module.path(block: block, of: family)).lora_\(factor)"
  }

  /// The same adapter over other numbers.
  package func replacing(_ parameters: ParameterTree) -> AdapterWeights {
    AdapterWeights(configuration, parameters: parameters)
  }

  func lowRank(block: Int, _ module: LinearModule, of family: String) -> LowRank? {
    guard let a = index[Self.path(block: block, module, "A", of: family)],
      let b = index[Self.path(block: block, module, "B", of: family)]
    else { return nil }
    return LowRank(
      a: parameters.tensors[a], b: parameters.tensors[b], scale: configuration.scale)
  }
}
