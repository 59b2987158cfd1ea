internal import Tensors

/// How the frozen weights are multiplied.
package enum Precision: String, Sendable, Codable, CaseIterable {
  /// fp32 throughout.
  case float32
  /// Each product with a frozen weight as three in bf16, of both operands' halves, with fp32
  /// accumulation (Henry et al. 2019, arXiv 1904.06376): 16 of fp32's 24 bits, and faster where the
  /// processor has AMX; attention's products of many tokens too. Elsewhere it is fp32.
  case bfloat16x3
  /// Products with frozen weights in bf16 with fp32 accumulation; everything else fp32, but for
  /// attention's products, which are as in ``bfloat16x3``, and the keys and values of generation, kept in half
  /// precision. Processors without products in bf16 take fp32.
  case bfloat16
  /// Weights kept as a GGUF file's integers and scales, where it has such. Products of few tokens, as in
  /// generation, cost the reading of these; activations are rounded to 22 bits for them. All others
  /// as in ``bfloat16``, and keys and values too where more than eight texts are generated together.
  case quantized

  /// Whether no weight stays in plain fp32.
  var isPacked: Bool { parts != nil }

  /// Whether generation of so many sequences keeps keys and values in half precision: where products are in
  /// bf16, which is further off.
  func cachesHalf(sequences: Int) -> Bool {
    switch self {
    case .bfloat16: parts == 1
    case .quantized: sequences > DecodePlan.fewSequences && parts == 1
    case .float32, .bfloat16x3: false
    }
  }

  /// How many numbers in bf16 a weight is the sum of; nil where it stays fp32.
  fileprivate var parts: Int? {
    switch self {
    case .float32: nil
    case .bfloat16x3: Processor.packsInParts ? 2 : nil
    case .bfloat16, .quantized: Processor.packsBFloat16 ? 1 : nil
    }
  }
}

/// A frozen linear layer.
@TensorActor
final class FrozenLinear {
  private let stored: StoredWeight
  private let bias: StoredWeight?
  private let precision: Precision
  private var ready: (weight: Tensor?, packed: PackedWeight?)?

  init(_ stored: StoredWeight, bias: StoredWeight? = nil, precision: Precision) {
    (self.stored, self.bias, self.precision) = (stored, bias, precision)
  }

  /// The same layer with another W, which is computed when it is first used.
  func replacing(_ weight: @escaping () throws -> Tensor) -> FrozenLinear {
    FrozenLinear(
      StoredWeight(shape: stored.shape, computing: weight), bias: bias, precision: precision)
  }

  /// `x Wᵀ + b`, plus an adapter's share.
  func callAsFunction(_ x: Tensor, adapter: LowRank? = nil) throws -> Tensor {
    let (weight, packed) = try operands()
    let y = Fused.linear(x, weight, packed: packed, adapter: adapter)
    return try bias.map { y + (try $0.tensor()) } ?? y
  }

  /// The same as a step of a decoder.
  func decode(
    _ decoder: Decoder, from: Decoder.Register, to: Decoder.Register, adds: Bool,
    adapter: LowRank?
  ) throws {
    let (weight, packed) = try operands()
    try decoder.linear(
      from: from, to: to, packed.map { .packed($0) } ?? .plain(weight ?? stored.tensor()),
      bias: bias?.tensor(), adds: adds)
    guard let low = adapter else { return }
    let between = decoder.register(low.a.shape[0])
    try decoder.linear(from: from, to: between, .plain(low.a))
    try decoder.linear(from: between, to: to, .plain(low.b), scale: low.scale, adds: true)
  }

  /// −log p of each target under the softmax of `x Wᵀ`; see ``Fused/crossEntropy``.
  func crossEntropy(_ x: Tensor, targets: [Int], differentiable: Bool) throws -> Tensor {
    let (weight, packed) = try operands()
    return Fused.crossEntropy(
      x, unembed: weight, packed: packed, targetRows: try stored.rows(targets),
      targets: Tensor(targets.map(Int32.init)), differentiable: differentiable)
  }

  /// The softmax of `x Wᵀ`; see ``Fused/softmax``.
  func softmax(_ x: Tensor, withExpected: Bool) throws -> Fused.Softmax {
    let (weight, packed) = try operands()
    return Fused.softmax(x, unembed: weight, packed: packed, withExpected: withExpected)
  }

  /// b, where there is one.
  func biasVector() throws -> Tensor? { try bias?.tensor() }

  /// The rows of W for some outputs, in fp32.
  func rows(_ outputs: [Int]) throws -> Tensor { try stored.rows(outputs) }

  /// The digest of W in fp32, read a part at a time.
  func sha256() throws -> String {
    let rows = stored.shape[0]
    var digests: [String] = []
    for start in stride(from: 0, to: rows, by: 4096) {
      let part = try stored.rows(Array(start..<min(start + 4096, rows))).floats()
      digests.append(FileDigest.sha256(part.withUnsafeBytes { Array($0) }))
    }
    return FileDigest.sha256(Array("\(stored.shape)\n\(digests.joined(separator: "\n"))".utf8))
  }

  /// The fp32 weight is let go where the packed one does for both directions.
  private func operands() throws -> (weight: Tensor?, packed: PackedWeight?) {
    if let ready { return ready }
    var operands: (weight: Tensor?, packed: PackedWeight?) = (nil, nil)
    if precision == .quantized, Processor.usesOwnKernels {
      operands.packed = try stored.packedBlocks()
    }
    if operands.packed == nil, let parts = precision.parts {
      operands.packed = try stored.packed(parts: parts)
    }
    if operands.packed?.isComplete != true { operands.weight = try stored.tensor() }
    ready = operands
    return operands
  }
}

/// A norm's weight and, in a LayerNorm, its bias.
@TensorActor
struct NormWeights {
  let weight: StoredWeight
  let bias: StoredWeight?

  func callAsFunction(_ x: Tensor, epsilon: Float) throws -> Tensor {
    guard let bias else { return Fused.rmsNorm(x, try weight.tensor(), epsilon: epsilon) }
    return Fused.layerNorm(x, try weight.tensor(), try bias.tensor(), epsilon: epsilon)
  }
}

/// All weights of a model, each read when it is first used.
@TensorActor
struct ModelWeights {
  struct Block {
    var linear: [LinearModule: FrozenLinear]
    let attentionNorm: NormWeights
    let mlpNorm: NormWeights
    let attentionOutNorm: NormWeights?
    let mlpOutNorm: NormWeights?
    let qNorm: NormWeights?
    let kNorm: NormWeights?
  }

  let embed: StoredWeight
  let positions: StoredWeight?
  let tokenTypes: StoredWeight?
  let embedNorm: NormWeights?
  var blocks: [Block]
  let finalNorm: NormWeights?
  let unembed: FrozenLinear?
  /// The embedding as a head, which tells the token that a row was made from: the unembedding where
  /// the two are one.
  let embedding: FrozenLinear

  init(_ tensors: CheckedTensors, precision: Precision) throws {
    let c = tensors.configuration
    func norm(_ role: WeightRole, _ block: Int? = nil) throws -> NormWeights? {
      guard let weight = try tensors.weight(role, block: block) else { return nil }
      return NormWeights(weight: weight, bias: try tensors.bias(role, block: block))
    }
    func needed<T>(_ value: T?) -> T {
      guard let value else { preconditionFailure("\(c.family) has no name for one of its weights") }
      return value
    }
    embed = needed(try tensors.weight(.embed))
    positions = try tensors.weight(.positions)
    tokenTypes = try tensors.weight(.tokenTypes)
    embedNorm = try norm(.embedNorm)
    finalNorm = try norm(.finalNorm)
    let own = c.hasHead ? try tensors.weight(.unembed) : nil
    let tied = FrozenLinear(embed, precision: precision)
    unembed = c.hasHead ? own.map { FrozenLinear($0, precision: precision) } ?? tied : nil
    embedding = tied
    blocks = try (0..<c.nLayers).map { i in
      var linear: [LinearModule: FrozenLinear] = [:]
      for module in c.modules {
        linear[module] = FrozenLinear(
          needed(try tensors.weight(.linear(module), block: i)),
          bias: try tensors.bias(.linear(module), block: i), precision: precision)
      }
      return Block(
        linear: linear, attentionNorm: needed(try norm(.attentionNorm, i)),
        mlpNorm: needed(try norm(.mlpNorm, i)), attentionOutNorm: try norm(.attentionOutNorm, i),
        mlpOutNorm: try norm(.mlpOutNorm, i), qNorm: try norm(.qNorm, i),
        kNorm: try norm(.kNorm, i))
    }
  }
}

/// A file's tensors, held against what a configuration needs: all there, of the right shapes and of
/// a readable type, and nothing else.
struct CheckedTensors: Sendable {
  let configuration: ModelConfiguration
  let source: WeightSource
  private let names: TensorNames
  private let prefix: String

  /// - Throws: ``ModelFileError`` naming the tensor that is missing, of another shape or type, or
  ///   left over: one that is quietly left out would be another model.
  init(
    _ source: WeightSource, _ names: TensorNames, _ configuration: ModelConfiguration,
    tied: Bool?
  ) throws(ModelFileError) {
    (self.source, self.names, self.configuration) = (source, names, configuration)
    let embed = names.stem(.embed) ?? ""
    prefix = names.prefixes.first { source.has($0 + embed + ".weight") } ?? names.prefixes[0]
    let shapes = Dictionary(source.tensors.map { ($0.name, $0.shape) }) { first, _ in first }
    var expected: Set<String> = []
    for (role, block) in roles(hasHead: hasHead(shapes, tied)) {
      let suffixes = ["weight"] + (hasBias(role) ? ["bias"] : [])
      for suffix in suffixes {
        let name = self.name(role, block: block, suffix: suffix) ?? ""
        try check(name, shapes[name], storedShape(role, suffix))
        expected.insert(name)
      }
    }
    try refuseSurplus(besides: expected)
    try requireHead(shapes, tied)
  }

  /// The weight of a role; nil where the model has none.
  @TensorActor func weight(_ role: WeightRole, block: Int? = nil) throws -> StoredWeight? {
    guard isPresent(role), let name = name(role, block: block, suffix: "weight") else {
      return nil
    }
    if role == .unembed, !source.has(name) { return nil }
    return stored(role, name, role.shape(in: configuration))
  }

  /// The bias of a role; nil where the model has none.
  @TensorActor func bias(_ role: WeightRole, block: Int? = nil) throws -> StoredWeight? {
    guard isPresent(role), hasBias(role),
      let name = name(role, block: block, suffix: "bias")
    else { return nil }
    return stored(role, name, Array(role.shape(in: configuration).prefix(1)))
  }

  /// The name of a weight in the file, and whether it lies there `[in, out]`.
  func storedName(_ role: WeightRole, block: Int?) -> (name: String, isTransposed: Bool)? {
    guard isPresent(role), let name = name(role, block: block, suffix: "weight") else {
      return nil
    }
    return (name, names.entries[role]?.layout == .transposed)
  }

  @TensorActor private func stored(
    _ role: WeightRole, _ name: String, _ shape: [Int]
  ) -> StoredWeight {
    let isKey = role == .linear(.k)
    var layout = names.entries[role]?.layout ?? .asUsed
    if layout == .transposed, shape.count == 1 { layout = .asUsed }
    return StoredWeight(
      source, name, shape: shape, layout: layout,
      heads: isKey ? configuration.nKVHeads : configuration.nHeads)
  }
}

extension CheckedTensors {
  /// Whether the configuration has a weight of this role at all.
  private func isPresent(_ role: WeightRole) -> Bool {
    let c = configuration
    guard names.entries[role] != nil else { return false }
    switch role {
    case .qNorm, .kNorm: return c.normalisesQK
    case .attentionOutNorm, .mlpOutNorm: return c.normPlacement == .around
    case .linear(let module): return c.modules.contains(module)
    case .unembed: return c.hasHead
    default: return true
    }
  }

  private func hasBias(_ role: WeightRole) -> Bool {
    switch role {
    case .linear(let module): configuration.biases.contains(module)
    case .embed, .positions, .tokenTypes, .unembed: false
    default: configuration.norm == .layer
    }
  }

  private func roles(hasHead: Bool) -> [(WeightRole, Int?)] {
    let present = names.entries.keys.filter { isPresent($0) && ($0 != .unembed || hasHead) }
    return present.flatMap { role -> [(WeightRole, Int?)] in
      role.isPerBlock ? (0..<configuration.nLayers).map { (role, $0) } : [(role, nil)]
    }
  }

  private func name(_ role: WeightRole, block: Int?, suffix: String) -> String? {
    guard let stem = names.stem(role, block: block) else { return nil }
    guard stem.hasPrefix("/") else { return "\(prefix)\(stem).\(suffix)" }
    let bare = String(stem.dropFirst())
    let alias = names.aliases.first { $0.value == bare && source.has("\($0.key).\(suffix)") }
    return "\(alias?.key ?? bare).\(suffix)"
  }

  private func storedShape(_ role: WeightRole, _ suffix: String) -> [Int] {
    let shape = role.shape(in: configuration)
    if suffix == "bias" { return Array(shape.prefix(1)) }
    return names.entries[role]?.layout == .transposed ? shape.reversed() : shape
  }

  private func hasHead(_ shapes: [String: [Int]], _ tied: Bool?) -> Bool {
    guard let name = name(.unembed, block: nil, suffix: "weight") else { return false }
    return shapes[name] != nil
  }

  /// A model that is not tied needs a head of its own; one that is tied and has another head is of
  /// two minds.
  private func requireHead(_ shapes: [String: [Int]], _ tied: Bool?) throws(ModelFileError) {
    guard configuration.hasHead, let tied,
      let name = name(.unembed, block: nil, suffix: "weight"),
      let embed = self.name(.embed, block: nil, suffix: "weight")
    else { return }
    if !tied, shapes[name] == nil {
      throw refusal("`\(name)`, since `tie_word_embeddings` is false", "no such tensor")
    }
    if tied, shapes[name] != nil, try source.floats(name) != source.floats(embed) {
      throw refusal(
        "`\(name)` to equal `\(embed)`, since `tie_word_embeddings` is true", "another matrix")
    }
  }

  private func check(
    _ name: String, _ found: [Int]?, _ shape: [Int]
  ) throws(ModelFileError) {
    guard let found else {
      throw .absent(
        .init(
          path: source.path, expected: "a tensor called `\(name)`",
          found: "\(source.tensors.count) tensors without it",
          remedy: "use a file of the family that its configuration names"))
    }
    guard found == shape else { throw refusal("`\(name)` \(shape)", "\(found)") }
    try source.checkReadable(name)
  }

  private func refuseSurplus(besides expected: Set<String>) throws(ModelFileError) {
    let surplus = source.tensors.first { tensor in
      !expected.contains(tensor.name)
        && !names.ignored.contains { tensor.name.hasSuffix($0) }
    }
    guard let surplus else { return }
    throw refusal("only the tensors of a \(configuration.family) model", quoted(surplus.name))
  }

  private func refusal(_ expected: String, _ found: String) -> ModelFileError {
    .unsupported(
      .init(
        path: source.path, expected: expected, found: found,
        remedy: "use a model whose configuration belongs to its weights"))
  }
}
