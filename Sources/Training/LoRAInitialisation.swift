package import LanguageModels
internal import Tensors

extension AdapterWeights {
  /// A fresh adapter: A uniform in ±1/√in (PEFT's Kaiming-uniform with a = √5), B zero, so that it
  /// changes nothing yet.
  package init(
    _ configuration: LoRAConfiguration, for model: ModelConfiguration, seed: UInt64
  ) {
    var key = RandomKey(seed: seed)
    var parameters: [(String, Tensor)] = []
    for block in 0..<model.nLayers {
      for module in configuration.modules(of: model) {
        let shape = module.shape(in: model)
        let bound = 1 / Float(shape[1]).squareRoot()
        let a = (key.uniform([configuration.rank, shape[1]]) * 2 - 1) * bound
        let path = { Self.path(block: block, module, $0, of: model.family) }
        parameters.append((path("A"), a))
        parameters.append((path("B"), .zeros([shape[0], configuration.rank])))
      }
    }
    self.init(configuration, parameters: ParameterTree(parameters))
  }
}
