internal import Foundation
package import LanguageModels
package import Tensors

/// One number a token that can be explained: a neuron, a direction, or a feature of a sparse autoencoder.
@TensorActor
package struct NeuronUnit {
  /// How the number is taken from a site's activations.
  package enum Reading {
    /// One of the numbers themselves.
    case index(Int)
    /// The dot product with a direction, `[width]`: of the residual stream, or a probe's.
    case direction(Tensor, bias: Float)
    /// A feature.
    case feature(SparseAutoencoder, Int)
  }

  /// What people call it: `blocks.12.mlp.post.17`.
  package nonisolated let name: String
  package nonisolated let site: Site
  package let reading: Reading

  package init(_ name: String, site: Site, _ reading: Reading) {
    (self.name, self.site, self.reading) = (name, site, reading)
  }

  /// Its numbers, `[token]`, of the site's activations `[token, …]`; `features` are the autoencoder's
  /// `[token, feature]` where they are known already.
  package func activations(_ captured: Tensor, features: Tensor? = nil) -> Tensor {
    let x = captured.reshape([captured.shape[0], -1])
    switch reading {
    case .index(let index): return x.slice(index..<index + 1, axis: 1).squeeze(1)
    case .direction(let direction, let bias):
      return x.matmul(direction.expandDims(1)).squeeze(1) + bias
    case .feature(let autoencoder, let index):
      return (features ?? autoencoder.encode(x)).slice(index..<index + 1, axis: 1).squeeze(1)
    }
  }

  /// The site's activations where the unit's numbers are others, `[token]`; what it does not say stays.
  func replacing(_ captured: Tensor, with values: Tensor) -> Tensor {
    let x = captured.reshape([captured.shape[0], -1])
    let change = (values - activations(captured)).expandDims(1)
    let along: Tensor
    switch reading {
    case .index(let index):
      along = Tensor((0..<x.shape[1]).map { $0 == index ? 1 : 0 } as [Float])
    case .direction(let direction, _): along = direction / direction.square().sum()
    case .feature(let autoencoder, let index):
      along = autoencoder.parameters["W_dec"].slice(index..<index + 1).squeeze(0)
    }
    return (x + change * along).reshape(captured.shape)
  }

  /// What it writes to the residual stream, `[1, dModel]`, and the block after which it lies there; nil for
  /// what does not write there.
  func written(
    _ model: LanguageModel, adapter: AdapterWeights?
  ) throws -> (direction: Tensor, block: Int)? {
    guard model.configuration.normPlacement != .after else { return nil }
    switch (site, reading) {
    case (.block(let block, .post), .index(let index)):
      return (try model.neuronOutputs(block: block, [index], adapter: adapter), block)
    case (.block(let block, .residPost), _), (.block(let block, .mlpOut), _),
      (.block(let block, .residMid), _), (.block(let block, .attnOut), _):
      return (direction(width: model.configuration.dModel), block)
    case (.block(let block, .residPre), _):
      return (direction(width: model.configuration.dModel), block - 1)
    case (.embed, _): return (direction(width: model.configuration.dModel), -1)
    default: return nil
    }
  }

  private func direction(width: Int) -> Tensor {
    switch reading {
    case .index(let index):
      Tensor((0..<width).map { $0 == index ? 1 : 0 } as [Float], shape: [1, width])
    case .direction(let direction, _): direction.expandDims(0)
    case .feature(let autoencoder, let index):
      autoencoder.parameters["W_dec"].slice(index..<index + 1)
    }
  }
}

/// Which units are meant, as commands and runs name them.
package enum NeuronName: Codable, Sendable, Hashable, CustomStringConvertible {
  /// `blocks.12.mlp.post.17`: the site and which of its numbers.
  case neuron(site: String, index: Int)
  /// The tensor `name` of a safetensors file, `[width]`, at a site.
  case direction(site: String, name: String)
  /// A probe that was fitted: its JSON is input `probe`.
  case probe
  /// A feature of the autoencoder that is input `sae`.
  case feature(Int)

  package var description: String {
    switch self {
    case .neuron(let site, let index): "\(site).\(index)"
    case .direction(let site, let name): "\(name) at \(site)"
    case .probe: "probe"
    case .feature(let index): "feature \(index)"
    }
  }

  /// Reads `site.index`.
  ///
  /// - Throws: ``NeuronError/noSuchNeuron(name:expected:)`` or `SiteError`.
  package init(neuron name: String, in c: ModelConfiguration) throws {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 1, let index = parts.last.flatMap({ Int($0) }) else {
      throw NeuronError.noSuchNeuron(
        name: name, expected: "a site and a number, such as blocks.12.mlp.post.17")
    }
    let site = try Site(parts.dropLast().joined(separator: "."), nLayers: c.nLayers)
    guard site.isPerToken else { throw AutoencoderError.badSite(name: "\(site)") }
    guard (0..<site.width(in: c)).contains(index) else {
      throw NeuronError.noSuchNeuron(
        name: name, expected: "one of 0 to \(site.width(in: c) - 1) at \(site)")
    }
    self = .neuron(site: "\(site)", index: index)
  }

  /// The unit, from the files that it lies in.
  ///
  /// - Throws: ``NeuronError``, and what reading these files throws.
  @TensorActor
  package func unit(
    of model: LanguageModel, direction: String? = nil, probe: String? = nil,
    autoencoder: SparseAutoencoder? = nil
  ) throws -> NeuronUnit {
    let c = model.configuration
    switch self {
    case .neuron(let site, let index):
      return NeuronUnit("\(self)", site: try Site(site, nLayers: c.nLayers), .index(index))
    case .direction(let name, let tensor):
      let site = try Site(name, nLayers: c.nLayers)
      let path = direction ?? ""
      let entry = try SafetensorsFile(path: path).tensor(tensor)
      guard entry.shape.reduce(1, *) == site.width(in: c) else {
        throw NeuronError.width(path: path, expected: site.width(in: c), found: entry.shape)
      }
      let values = try entry.floats()
      guard values.allSatisfy(\.isFinite), values.contains(where: { $0 != 0 }) else {
        throw NeuronError.notADirection(path: path, name: tensor)
      }
      return NeuronUnit("\(self)", site: site, .direction(Tensor(values), bias: 0))
    case .probe:
      guard let data = FileManager.default.contents(atPath: probe ?? ""),
        let fitted = try? JSONDecoder().decode(LinearProbe.self, from: data)
      else { throw NeuronError.notAProbe(path: probe ?? "none") }
      let score = fitted.linear
      guard score.direction.count == c.dModel, (0..<c.nLayers).contains(fitted.layer) else {
        throw NeuronError.width(
          path: probe ?? "", expected: c.dModel, found: [score.direction.count])
      }
      let direction = zip(score.direction, score.scale).map { Float($0 / $1) }
      let offset = zip(score.centre, direction).reduce(score.bias) { $0 - $1.0 * Double($1.1) }
      return NeuronUnit(
        "\(fitted.name) probe at \(fitted.site)", site: fitted.site,
        .direction(Tensor(direction), bias: Float(offset)))
    case .feature(let index):
      guard let read = autoencoder else {
        throw NeuronError.noSuchNeuron(name: "\(self)", expected: "a feature and its autoencoder")
      }
      guard (0..<read.featureCount).contains(index) else {
        throw NeuronError.noSuchNeuron(
          name: "feature \(index)", expected: "one of 0 to \(read.featureCount - 1)")
      }
      return NeuronUnit("\(self) at \(read.site)", site: read.site, .feature(read, index))
    }
  }
}

/// Why a unit cannot be explained.
package enum NeuronError: Error, Equatable, CustomStringConvertible {
  case noSuchNeuron(name: String, expected: String)
  case width(path: String, expected: Int, found: [Int])
  case notAProbe(path: String)
  case notADirection(path: String, name: String)
  case notFinite(name: String)
  case noDirections(path: String)

  package var description: String {
    switch self {
    case .noSuchNeuron(let name, let expected):
      "Expected \(expected), found `\(name.prefix(80))`: name one that this model has"
    case .width(let path, let expected, let found):
      "Expected a direction of \(expected) numbers in \(path), found \(found): name one for this model and site"
    case .notADirection(let path, let name):
      "Expected finite numbers, not all of them 0, in `\(name)` of \(path), found others: write it again"
    case .notFinite(let name):
      "Expected finite activations of \(name), found others: its weights or the model's are damaged"
    case .noDirections(let path):
      "Expected at least one tensor in \(path), found none: name a file with directions"
    case .notAProbe(let path):
      "Expected a fitted probe's JSON in \(path), found something else: name the file that an audit wrote"
    }
  }
}
