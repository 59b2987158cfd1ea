package import LanguageModels
internal import Statistics
internal import Tensors

/// A stretch of a corpus with what a unit says of each of its tokens.
package struct Excerpt: Codable, Sendable, Equatable {
  /// Which corpus it comes from.
  package var corpus: Int
  /// Token ids, without what a model puts around a text.
  package var ids: [Int]
  package var activations: [Float]
  /// Which window of the text it is.
  package var window: Int

  package init(corpus: Int, ids: [Int], activations: [Float], window: Int = 0) {
    (self.corpus, self.ids, self.activations) = (corpus, ids, activations)
    self.window = window
  }

  /// The largest activation; what top excerpts are ordered by.
  package var peak: Float { activations.max() ?? 0 }
}

/// Windows of several corpora. Explanations come from one half of the documents and are scored on the other,
/// so that no scored text was seen, nor its neighbour.
package struct ExcerptText: Sendable {
  /// One window.
  struct Window: Sendable {
    let corpus: Int
    /// As the model reads it.
    let ids: [Int]
    /// The places that count: not what the model puts around a text, and not the first token, whose
    /// activations are like no others'.
    let counted: Range<Int>
    /// Whether it is for scoring.
    let isScored: Bool
  }

  /// What corpora are called.
  package let names: [String]
  let windows: [Window]
  package var tokenCount: Int { windows.reduce(0) { $0 + $1.ids.count } }

  /// Cuts corpora into windows of `length` tokens, about `tokens` of each, so many that there are `excerpts` of
  /// each kind in both halves.
  ///
  /// - Throws: ``LensError/tooLittleText(needed:found:unit:)`` where a corpus has too little.
  package init(
    _ corpora: [(name: String, corpus: Corpus)], tokenizer: Tokenizer, length: Int, tokens: Int,
    excerpts: Int, seed: UInt64
  ) throws(LensError) {
    let (before, _) = Corpus.specialTokens(tokenizer)
    var windows: [Window] = []
    for (index, (name, corpus)) in corpora.enumerated() {
      let found: [Corpus.Window]
      do throws(LensError) {
        found = try corpus.windows(tokenizer, length: length, tokens: tokens, seed: seed)
      } catch .tooLittleText(let needed, let found, let unit) {
        throw .tooLittleText(needed: needed, found: found, unit: "\(unit) in \(name)")
      }
      var generator = SeededGenerator(seed: seed, stream: "halves")
      let documents = generator.shuffled(Set(found.map(\.document)).sorted())
      guard documents.count >= 4 else {
        throw .tooLittleText(needed: 4, found: documents.count, unit: "\(corpus.unit)s in \(name)")
      }
      let scored = Set(documents.suffix(documents.count / 2))
      let half = found.count { scored.contains($0.document) }
      guard min(half, found.count - half) >= 2 * excerpts else {
        throw .tooLittleText(
          needed: 2 * excerpts, found: min(half, found.count - half),
          unit: "windows of \(length) tokens in each half of \(name)")
      }
      windows += found.map { window in
        let first = max(before.count, 1)
        return Window(
          corpus: index, ids: window.ids, counted: first..<max(first, window.textEnd),
          isScored: scored.contains(window.document))
      }
    }
    (names, self.windows) = (corpora.map(\.name), windows)
  }
}

/// What units say of a text.
@TensorActor
struct ExcerptReader {
  let model: LanguageModel
  let adapter: AdapterWeights?
  let text: ExcerptText

  /// Excerpts of each unit, `[unit][window]`, in the windows' order.
  func read(_ units: [NeuronUnit], report: (Int) -> Void) throws -> [[Excerpt]] {
    var excerpts = units.map { _ in [Excerpt]() }
    let sites = Set(units.map(\.site))
    for part in LensTrainer.parts(
      of: text.windows.map(\.ids)[...], tokens: LensTrainer.tokensPerPass)
    {
      let batch = TokenBatch(text.windows[part].map(\.ids), sharingPrefix: false)
      let output = try model.forward(
        batch, logits: .none, adapter: adapter, hooks: Hooks(captures: sites))
      var features: Tensor?
      let values = try units.map { unit in
        guard let captured = output.captured[unit.site] else {
          throw SiteError.neverReached(site: unit.site)
        }
        // All features are one autoencoder's.
        if case .feature(let autoencoder, _) = unit.reading, features == nil {
          features = autoencoder.encode(captured.reshape([captured.shape[0], -1]))
        }
        return unit.activations(captured, features: features)
      }
      try Tensor.evaluate(values)
      for (unit, tensor) in values.enumerated() {
        let numbers = try tensor.floats()
        guard numbers.allSatisfy(\.isFinite) else {
          throw NeuronError.notFinite(name: units[unit].name)
        }
        for (window, span) in zip(text.windows[part], batch.spans) {
          excerpts[unit].append(
            Excerpt(
              corpus: window.corpus, ids: Array(window.ids[window.counted]),
              activations: window.counted.map { numbers[span.lowerBound + $0] },
              window: excerpts[unit].count))
        }
      }
      report(batch.tokens.count)
    }
    return excerpts
  }
}

extension LanguageModel {
  /// What neurons say of a text, `[neuron][window]`.
  package func excerpts(of neurons: [NeuronName], in text: ExcerptText) throws -> [[Excerpt]] {
    try ExcerptReader(model: self, adapter: nil, text: text).read(
      neurons.map { try $0.unit(of: self) }
    ) { _ in }
  }
}

/// A unit's excerpts, shared out: what explanations are made from, and what they are scored on.
package struct ExcerptSplit: Sendable {
  /// Of each corpus, the strongest of the first half.
  package let top: [[Excerpt]]
  /// Of each corpus, others of the first half, drawn.
  package let random: [[Excerpt]]
  /// Of each corpus, the strongest and as many others of the second half.
  package let scoredTop: [[Excerpt]]
  package let scoredRandom: [[Excerpt]]
  /// Above which share of all corpora's activations the peak of each corpus's third strongest excerpt lies.
  package let topPercentiles: [Double]
  /// How far that peak gets, from 0 for the mean of all activations to 1 for the strongest corpus's.
  package let topLevels: [Double]

  /// The corpora in which the unit is strongly active.
  var strong: [Int] { topLevels.indices.filter { topLevels[$0] >= IllusionCheck.strong } }

  /// Everything that rules are fitted on, and scored on, for a corpus.
  package func explaining(_ corpus: Int) -> [Excerpt] { top[corpus] + random[corpus] }
  package func scoring(_ corpus: Int) -> [Excerpt] { scoredTop[corpus] + scoredRandom[corpus] }

  /// - Parameters:
  ///   - excerpts: A unit's, of all windows.
  ///   - text: These windows.
  ///   - count: How many of each kind.
  ///   - seed: Draws the random ones.
  package init(_ excerpts: [Excerpt], of text: ExcerptText, count: Int, seed: UInt64) {
    let pairs = Array(zip(excerpts, text.windows))
    func take(_ corpus: Int, _ isScored: Bool) -> (top: [Excerpt], random: [Excerpt]) {
      let own = pairs.filter { $1.corpus == corpus && $1.isScored == isScored }.map(\.0)
      let order = own.indices.sorted { (own[$0].peak, -$0) > (own[$1].peak, -$1) }
      var generator = SeededGenerator(seed: seed, stream: "random-\(corpus)-\(isScored)")
      return (
        order.prefix(count).map { own[$0] },
        generator.shuffled(order.dropFirst(count)).prefix(count).map { own[$0] }
      )
    }
    let corpora = text.names.indices
    let (first, second) = (corpora.map { take($0, false) }, corpora.map { take($0, true) })
    (top, random) = (first.map(\.top), first.map(\.random))
    (scoredTop, scoredRandom) = (second.map(\.top), second.map(\.random))
    // Three excerpts at least: one or two may be chance.
    let levels = first.map { part in
      part.top.isEmpty ? 0 : part.top[min(2, part.top.count - 1)].peak
    }
    let all = excerpts.flatMap(\.activations)
    topPercentiles = levels.map { level in
      Double(all.count { $0 < level }) / Double(max(all.count, 1))
    }
    let mean = all.reduce(0, +) / Float(max(all.count, 1))
    let most = levels.map { $0 - mean }.max() ?? 0
    topLevels = levels.map { most > 0 ? Double(($0 - mean) / most) : 0 }
  }
}
