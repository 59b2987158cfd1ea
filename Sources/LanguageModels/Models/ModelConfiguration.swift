internal import Foundation

/// What a transformer is made of: its widths, in TransformerLens's vocabulary, and the choices that
/// tell families apart. A family's file writes one down; ``ForwardPass`` computes it.
package struct ModelConfiguration: Sendable, Equatable, Codable {
  /// The family's name, as `config.json` or a GGUF file spells it.
  package var family: String
  package var nLayers: Int
  package var dModel: Int
  package var nHeads: Int
  /// Heads that share keys and values; ``nHeads`` is a multiple of it.
  package var nKVHeads: Int
  package var dHead: Int
  package var dMLP: Int
  package var dVocab: Int
  /// The longest sequence that the model was trained for, in tokens.
  package var contextLength: Int

  /// ε of every norm.
  package var normEpsilon: Float
  package var norm = Norm.rms
  package var normPlacement = NormPlacement.before
  /// Whether queries and keys of each head are normalised before the rotation.
  package var normalisesQK = false
  package var activation = Activation.silu
  /// Whether the MLP's activation multiplies a second projection.
  package var isGated = true
  /// The linear layers that add a bias.
  package var biases: [LinearModule] = []
  /// Kinds of segments that the embedding tells apart, 0 for none; all tokens count as the first.
  package var tokenTypes = 0
  /// Whether the MLP reads what attention reads, not what attention has added to.
  package var isParallel = false
  /// Whether a token sees itself and what comes before it only.
  package var isCausal = true
  /// Whether the model predicts tokens, and not only encodes them.
  package var hasHead = true

  /// How positions enter attention; nil where they are learned vectors added to the embedding.
  package var rotary: Rotary?
  /// That of the blocks with a window, where it differs.
  package var localRotary: Rotary?
  /// How many tokens each block's queries see, themselves included; nil for all.
  package var windows: [Int?] = []
  /// What scores are multiplied with.
  package var attentionScale: Float
  /// Whether it is divided by the block's number, counted from 1.
  package var scalesByDepth = false
  /// c of c · tanh(score / c), where scores are capped.
  package var attentionSoftCap: Float?
  /// c of c · tanh(logit / c), where logits are capped.
  package var logitSoftCap: Float?
  /// What embeddings are multiplied with.
  package var embeddingScale: Float = 1

  /// The widths, and Llama's choices for everything else, its rotation apart.
  package init(
    family: String, nLayers: Int, dModel: Int, nHeads: Int, nKVHeads: Int, dHead: Int, dMLP: Int,
    dVocab: Int, contextLength: Int, normEpsilon: Float, attentionScale: Float
  ) {
    (self.family, self.nLayers, self.dModel) = (family, nLayers, dModel)
    (self.nHeads, self.nKVHeads, self.dHead) = (nHeads, nKVHeads, dHead)
    (self.dMLP, self.dVocab, self.contextLength) = (dMLP, dVocab, contextLength)
    (self.normEpsilon, self.attentionScale) = (normEpsilon, attentionScale)
  }

  /// Which mean is taken out and what is divided by.
  package enum Norm: String, Sendable, Codable {
    /// Zhang & Sennrich 2019, arXiv 1910.07467.
    case rms
    /// Ba et al. 2016, arXiv 1607.06450, with a bias.
    case layer
  }

  /// Where norms stand, seen from attention and MLP.
  package enum NormPlacement: String, Sendable, Codable {
    /// On what they read.
    case before
    /// On the residual stream after they added to it.
    case after
    /// On what they read and on what they write.
    case around
  }

  /// The MLP's nonlinearity.
  package enum Activation: String, Sendable, Codable {
    case silu
    /// x Φ(x) (Hendrycks & Gimpel 2016, arXiv 1606.08415).
    case gelu
    /// Its approximation by tanh, in the same paper.
    case geluTanh
  }

  /// Numbers in all matrices, the unembedding counted once more.
  package var parameterCount: Int {
    let block = modules.reduce(0) { $0 + $1.shape(in: self).reduce(1, *) }
    return nLayers * block + (hasHead ? 2 : 1) * dVocab * dModel
  }

  /// The linear layers of each block, in the order of computation.
  package var modules: [LinearModule] {
    let attention: [LinearModule] = Family.named(family)?.fusesQKV == true ? [.qkv] : [.q, .k, .v]
    return attention + [.o] + (isGated ? [.gate, .up, .down] : [.up, .down])
  }

  /// The window of block `i`.
  func window(_ i: Int) -> Int? { windows.isEmpty ? nil : windows[i] }

  /// What scores of block `i` are multiplied with.
  func attentionScale(_ i: Int) -> Float { attentionScale / (scalesByDepth ? Float(i + 1) : 1) }

  /// The rotation of block `i`.
  func rotary(_ i: Int) -> Rotary? { window(i) == nil ? rotary : localRotary ?? rotary }
}

/// Rotary position embedding (Su et al. 2021, arXiv 2104.09864).
package struct Rotary: Sendable, Equatable, Codable {
  /// The base of the frequencies.
  package var theta: Double
  /// How many of each head's elements are rotated, from the first.
  package var width: Int
  package var scaling = Scaling.none
  /// What each frequency is divided by; from a GGUF file's `rope_freqs.weight`.
  package var divisors: [Float]?

  /// How frequencies change for sequences longer than those of pre-training.
  package enum Scaling: Sendable, Equatable, Codable {
    case none
    /// All divided by `factor` (Chen et al. 2023, arXiv 2306.15595).
    case linear(factor: Double)
    /// Llama 3.1's: low frequencies divided by `factor`, high ones kept, a ramp between.
    case llama3(factor: Double, low: Double, high: Double, original: Double)
    /// Peng et al. 2023, arXiv 2309.00071, eq. 18–21 and the temperature of eq. 22.
    case yarn(
      factor: Double, fast: Double, slow: Double, original: Double, attention: Double,
      truncates: Bool)
  }

  package init(
    theta: Double, width: Int, scaling: Scaling = .none, divisors: [Float]? = nil
  ) {
    (self.theta, self.width, self.scaling, self.divisors) = (theta, width, scaling, divisors)
  }

  /// Radians a position, for each pair of elements.
  var frequencies: [Float] {
    let plain = (0..<width / 2).map { 1 / pow(theta, Double(2 * $0) / Double(width)) }
    let scaled = plain.enumerated().map { pair, frequency in
      switch scaling {
      case .none: frequency
      case .linear(let factor): frequency / factor
      case .llama3(let factor, let low, let high, let original):
        Self.llama3(frequency, factor, low: low, high: high, original: original)
      case .yarn(let factor, let fast, let slow, let original, _, let truncates):
        frequency
          * (1 + (1 / factor - 1)
            * ramp(pair, fast: fast, slow: slow, original: original, truncates: truncates))
      }
    }
    guard let divisors else { return scaled.map(Float.init) }
    return zip(scaled, divisors).map { Float($0) / $1 }
  }

  /// What cosines and sines are multiplied with.
  var amplitude: Double {
    if case .yarn(_, _, _, _, let attention, _) = scaling { attention } else { 1 }
  }

  private static func llama3(
    _ frequency: Double, _ factor: Double, low: Double, high: Double, original: Double
  ) -> Double {
    let wavelength = 2 * Double.pi / frequency
    if wavelength < original / high { return frequency }
    if wavelength > original / low { return frequency / factor }
    let smooth = (original / wavelength - low) / (high - low)
    return (1 - smooth) * frequency / factor + smooth * frequency
  }

  /// 0 for pairs that turn more than `fast` times within the original length, 1 for fewer than
  /// `slow` times.
  private func ramp(
    _ pair: Int, fast: Double, slow: Double, original: Double, truncates: Bool
  ) -> Double {
    func pairTurning(_ turns: Double) -> Double {
      Double(width) * log(original / (turns * 2 * Double.pi)) / (2 * log(theta))
    }
    var (low, high) = (pairTurning(fast), pairTurning(slow))
    if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    (low, high) = (max(low, 0), min(high, Double(width - 1)))
    if low == high { high += 0.001 }
    return min(max((Double(pair) - low) / (high - low), 0), 1)
  }
}
