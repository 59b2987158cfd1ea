import LanguageModels
import Organisms
import Statistics
import Tensors

/// Per-token Kullback–Leibler divergences of next-token distributions, teacher-forced on the twin's
/// answers.
struct TokenDivergences {
  /// KL(twin ‖ secret) of every token of the answers, nats.
  private(set) var toSecret: [Double] = []
  /// The mean over other honest arms of KL(twin ‖ other) of the same.
  private(set) var toOthers: [Double] = []
  /// The template of each token's prompt.
  private(set) var templates: [String] = []

  var meanToSecret: Double { mean(toSecret) }
  var meanToOthers: Double { mean(toOthers) }

  private func mean(_ values: [Double]) -> Double {
    values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
  }

  typealias Organism = (model: LanguageModel, adapter: AdapterWeights?)

  /// Texts a forward pass: few, because each token takes a row of the whole vocabulary an organism.
  private static let textsPerPass = 8

  @TensorActor
  init(
    texts: [OrganismResponse], twin: Organism, secret: Organism, others: [Organism],
    progress: (_ done: Int, _ tokens: Int) -> Void
  ) throws {
    for start in stride(from: 0, to: texts.count, by: Self.textsPerPass) {
      let pack = Array(texts[start..<min(start + Self.textsPerPass, texts.count)])
      let batch = TokenBatch(pack.map { $0.promptIDs + $0.responseIDs })
      let rows = pack.indices.flatMap { index in
        pack[index].responseIDs.indices.map { offset in
          batch.row(sequence: index, position: pack[index].promptIDs.count + offset - 1)
        }
      }
      func logs(_ organism: Organism) throws -> Tensor {
        let output = try organism.model.forward(
          batch, logits: .rows(rows), adapter: organism.adapter)
        guard let logits = output.logits else { preconditionFailure("logits were asked for") }
        return logits.logSoftmax()
      }
      let own = try logs(twin)
      toSecret += try Self.divergence(own, logs(secret))
      let apart = try others.map { try Self.divergence(own, logs($0)) }
      toOthers += rows.indices.map { row in
        apart.reduce(0) { $0 + $1[row] } / Double(apart.count)
      }
      templates += pack.flatMap { response in
        response.responseIDs.map { _ in response.source.templateID }
      }
      progress(start + pack.count, batch.tokens.count * (2 + others.count))
    }
  }

  /// Σ p (log p − log q) of each row, `[row, dVocab]`.
  @TensorActor
  private static func divergence(_ p: Tensor, _ q: Tensor) throws -> [Double] {
    try (p.exp() * (p - q)).sum(axes: [1]).floats().map(Double.init)
  }

  /// Mean difference of the two over tokens; prompts of one template count together.
  func excess(_ config: EquivalenceCell.Config) throws -> Estimate {
    let clusters = DenseClusters(templates)
    let resamples = try ClusterResamples(
      clusterCount: clusters.count, replicates: config.replicates, seed: config.seed)
    let excess = try resamples.mean(
      of: zip(toSecret, toOthers).map { $0 - $1 }, clusters: clusters.indices)
    return Estimate(
      value: excess.observed, interval: try excess.interval(), n: toSecret.count, unit: "token",
      method: "cluster bootstrap, percentile", clusters: clusters.count,
      replicates: excess.replicates)
  }
}
