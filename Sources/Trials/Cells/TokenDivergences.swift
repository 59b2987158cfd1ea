import LanguageModels
import Organisms
import Statistics
import Tensors

/// Per-token Kullback–Leibler divergences of next-token distributions, teacher-forced on one text.
struct TokenDivergences {
  /// KL(secret ‖ twin) of every token of the answers, nats.
  private(set) var toTwin: [Double] = []
  /// KL(twin ‖ null) of the same.
  private(set) var ofNull: [Double] = []
  /// The template of each token's prompt.
  private(set) var templates: [String] = []

  var meanToTwin: Double { mean(toTwin) }
  var meanOfNull: Double { mean(ofNull) }

  private func mean(_ values: [Double]) -> Double {
    values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
  }

  /// Texts a forward pass: few, because each token takes three rows of the whole vocabulary.
  private static let textsPerPass = 8

  /// `organisms` are the secret one, its twin and the null, in this order.
  @TensorActor
  init(
    texts: [OrganismResponse], organisms: [(model: LanguageModel, adapter: AdapterWeights?)],
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
      let logs = try organisms.map { model, adapter in
        guard let logits = try model.forward(batch, logits: .rows(rows), adapter: adapter).logits
        else { preconditionFailure("logits were asked for") }
        return logits.logSoftmax()
      }
      toTwin += try Self.divergence(logs[0], logs[1])
      ofNull += try Self.divergence(logs[1], logs[2])
      templates += pack.flatMap { response in
        response.responseIDs.map { _ in response.source.templateID }
      }
      progress(start + pack.count, batch.tokens.count * organisms.count)
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
      of: zip(toTwin, ofNull).map { $0 - $1 }, clusters: clusters.indices)
    return Estimate(
      value: excess.observed, interval: try excess.interval(), n: toTwin.count, unit: "token",
      method: "cluster bootstrap, percentile", clusters: clusters.count,
      replicates: excess.replicates)
  }
}
