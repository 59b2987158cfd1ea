internal import Tensors

/// What is left of a weight when it is stored in fewer bits.
package enum WeightRounding: String, Codable, Sendable, CaseIterable {
  /// To the nearest bfloat16, as most checkpoints are stored.
  case bfloat16
  /// GGUF's Q8_0: 32 weights share a scale, each is one of 255 multiples of it.
  case q80
  /// GGUF's Q4_0: 32 weights share a scale, each is one of 16 multiples of it.
  case q40

  /// Weights of a block in GGUF.
  private static let blockSize = 32

  /// The numbers that reading the stored matrix would give; a row that is no whole number of blocks ends in a
  /// short one.
  ///
  /// - Parameters:
  ///   - values: Row by row.
  ///   - width: Numbers of a row.
  /// - Returns: As many numbers.
  package func rounded(_ values: [Float], width: Int) -> [Float] {
    precondition(
      width > 0 && values.count % width == 0, "\(values.count) numbers in rows of \(width)")
    var values = values
    values.withUnsafeMutableBufferPointer { values in
      guard self != .bfloat16 else {
        for i in values.indices { values[i] = float(bfloat: bfloatBits(values[i])) }
        return
      }
      for row in stride(from: 0, to: values.count, by: width) {
        for start in stride(from: row, to: row + width, by: Self.blockSize) {
          let block = start..<min(start + Self.blockSize, row + width)
          round(UnsafeMutableBufferPointer(rebasing: values[block]))
        }
      }
    }
    return values
  }

  /// As `ggml`'s `quantize_row_q8_0_ref` and `quantize_row_q4_0_ref` do, and back.
  private func round(_ block: UnsafeMutableBufferPointer<Float>) {
    let furthest = block.max { abs($0) < abs($1) } ?? 0
    // Of four bits one more multiple lies on the side of the number that is furthest from zero.
    let scale = self == .q80 ? abs(furthest) / 127 : furthest / -8
    let stored = float(half: halfBits(scale))
    let inverse = scale == 0 ? 0 : 1 / scale
    for i in block.indices {
      let multiple =
        self == .q80
        ? (block[i] * inverse).rounded() : min(15, (block[i] * inverse + 8.5).rounded(.down)) - 8
      block[i] = multiple * stored
    }
  }
}

extension LanguageModel {
  /// This model with `adapter` merged into the weights of its blocks, W + scale · B A, and all of these rounded:
  /// what somebody has who was handed a merged copy, without files in between.
  ///
  /// Embeddings, norms, biases and the head are this model's own. Each weight is computed when it is first
  /// used; the model reads those of this one then.
  ///
  /// - Parameters:
  ///   - adapter: An adapter for this model.
  ///   - rounding: What the merged weights are stored in.
  /// - Returns: A model that is used without the adapter.
  package func merging(_ adapter: AdapterWeights, rounding: WeightRounding) -> LanguageModel {
    var merged = weights
    for block in merged.blocks.indices {
      for (module, layer) in merged.blocks[block].linear {
        merged.blocks[block].linear[module] = layer.replacing { [self] in
          let shape = module.shape(in: configuration)
          let whole = try weight(block, module, adapter).floats()
          return Tensor(rounding.rounded(whole, width: shape[1]), shape: shape)
        }
      }
    }
    return LanguageModel(self, weights: merged)
  }
}
