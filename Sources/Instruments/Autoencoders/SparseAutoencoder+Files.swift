internal import Foundation
package import LanguageModels
internal import Tensors

/// Why a sparse autoencoder cannot be used.
package enum AutoencoderError: Error, Equatable, CustomStringConvertible {
  case notAnAutoencoder(path: String, found: String)
  case unsupported(path: String, field: String, expected: String, found: String)
  case otherModel(path: String, expected: String, found: String)
  case badSite(name: String)
  /// Activations that are all the same, of which there is nothing to learn.
  case constant(site: String)

  package var description: String {
    switch self {
    case .notAnAutoencoder(let path, let found):
      "Expected a sparse autoencoder in \(path) (cfg.json and sae_weights.safetensors), found \(found): "
        + "name the folder that `plumbline sae train` or SAELens wrote"
    case .unsupported(let path, let field, let expected, let found):
      "Expected \(field) of \(expected) in \(path)/cfg.json, found \(found): name another"
    case .otherModel(let path, let expected, let found):
      "Expected the autoencoder in \(path) to be for this model (\(expected)), found one for \(found): "
        + "name the model that it was trained for"
    case .constant(let site):
      "Expected activations that vary at \(site), found none that do: leave the site out"
    case .badSite(let name):
      "Expected a site where each token has a vector, found `\(name)`: name one such as "
        + "`blocks.15.resid_post` or `blocks.3.mlp.out`"
    }
  }
}

extension SparseAutoencoder {
  private static let weights = "sae_weights.safetensors"
  private static let identity = "unembedding_sha256"

  /// Writes it as SAELens lays it out: `cfg.json` and `sae_weights.safetensors` in `folder`, which exists.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``.
  package func write(to folder: String, for model: LanguageModel) throws {
    let entries = try zip(parameters.paths, parameters.tensors).map {
      SafetensorsEntry(name: $0, shape: $1.shape, values: try $1.floats())
    }
    try SafetensorsFile.write(entries, metadata: [:], to: "\(folder)/\(Self.weights)")
    var metadata: [String: Any] = [
      "model_name": (model.path as NSString).lastPathComponent, "plumbline_site": "\(site)",
      "hook_name": site.hookName ?? "\(site)",
      "prepend_bos": !Corpus.specialTokens(model.tokenizer).before.isEmpty,
    ]
    if model.configuration.hasHead { metadata[Self.identity] = try model.unembeddingHash() }
    var fields: [String: Any] = [
      "d_in": width, "d_sae": featureCount, "dtype": "float32", "device": "cpu",
      "apply_b_dec_to_input": subtractsBias, "normalize_activations": "none",
      "reshape_activations": site.isByHead ? "hook_z" : "none", "metadata": metadata,
    ]
    switch architecture {
    case .topK(let k):
      (fields["architecture"], fields["k"]) = ("topk", k)
      fields["rescale_acts_by_decoder_norm"] = false
    case .jumpReLU: fields["architecture"] = "jumprelu"
    }
    let json = try JSONSerialization.data(
      withJSONObject: fields, options: [.sortedKeys, .prettyPrinted])
    try AtomicFile.write(Array(json), to: "\(folder)/cfg.json")
  }

  /// Reads one that `sae train` or SAELens wrote: TopK, JumpReLU, and ReLU, which is JumpReLU with thresholds
  /// of 0.
  ///
  /// - Throws: ``AutoencoderError``, and ``ModelFileError`` for damaged files.
  package static func read(
    _ folder: String, for model: LanguageModel
  ) throws -> SparseAutoencoder {
    let fields =
      FileManager.default.contents(atPath: "\(folder)/cfg.json")
      .flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any]
    guard let fields else {
      throw AutoencoderError.notAnAutoencoder(path: folder, found: "no cfg.json with a JSON object")
    }
    let metadata = fields["metadata"] as? [String: Any] ?? [:]
    try check(fields, folder)
    if let hash = metadata[identity] as? String {
      let expected = try model.unembeddingHash()
      guard hash == expected else {
        throw AutoencoderError.otherModel(
          path: folder, expected: "unembedding \(expected.prefix(12))",
          found: "unembedding \(hash.prefix(12))")
      }
    }
    let name =
      ["plumbline_site", "hook_name"].compactMap { (metadata[$0] ?? fields[$0]) as? String }.first
    guard let name, let site = Site(hookName: name, nLayers: model.configuration.nLayers),
      site.isPerToken
    else { throw AutoencoderError.badSite(name: name ?? "none") }
    let architecture = try architecture(fields, folder)
    let file = try SafetensorsFile(path: "\(folder)/\(weights)")
    let parameters = try parameters(file, architecture, site.width(in: model.configuration), folder)
    let (subtracts, k) = (
      fields["apply_b_dec_to_input"] as? Bool ?? true, parameters["b_enc"].count
    )
    if case .topK(let own) = architecture, !(1...k).contains(own) {
      throw AutoencoderError.unsupported(
        path: folder, field: "`k`", expected: "1 to \(k)", found: "\(own)")
    }
    let autoencoder = SparseAutoencoder(
      architecture, site: site, parameters: parameters, subtractsBias: subtracts)
    return fields["rescale_acts_by_decoder_norm"] as? Bool == true
      ? autoencoder.foldingDecoderNorms() : autoencoder
  }

  /// What would change the numbers and is not computed here.
  private static func check(_ fields: [String: Any], _ folder: String) throws {
    let metadata = fields["metadata"] as? [String: Any] ?? fields
    let loading = metadata["model_from_pretrained_kwargs"] as? [String: Any]
    if loading?["center_writing_weights"] as? Bool == true {
      throw AutoencoderError.unsupported(
        path: folder, field: "`center_writing_weights`", expected: "false", found: "true")
    }
    // A factor that was averaged over training is in the weights by the time they are written.
    let known = [
      "normalize_activations": ["none", "expected_average_only_in"],
      "reshape_activations": ["none", "hook_z"],
    ]
    for (field, allowed) in known.sorted(by: { $0.key < $1.key }) {
      guard let found = fields[field] as? String, !allowed.contains(found) else { continue }
      throw AutoencoderError.unsupported(
        path: folder, field: "`\(field)`", expected: allowed.joined(separator: " or "), found: found
      )
    }
  }

  private static func architecture(
    _ fields: [String: Any], _ folder: String
  ) throws -> Architecture {
    // Before its version 6, SAELens called TopK a standard one with another activation.
    let arguments = fields["activation_fn_kwargs"] as? [String: Any]
    let isOldTopK = (fields["activation_fn_str"] ?? fields["activation_fn"]) as? String == "topk"
    let name = isOldTopK ? "topk" : fields["architecture"] as? String ?? "standard"
    switch name {
    case "topk":
      guard let k = (fields["k"] ?? arguments?["k"]) as? Int else {
        throw AutoencoderError.unsupported(
          path: folder, field: "`k`", expected: "a number", found: "none")
      }
      return .topK(k)
    case "jumprelu", "standard": return .jumpReLU
    default:
      throw AutoencoderError.unsupported(
        path: folder, field: "`architecture`", expected: "topk, jumprelu or standard", found: name)
    }
  }

  private static func parameters(
    _ file: SafetensorsFile, _ architecture: Architecture, _ width: Int, _ folder: String
  ) throws -> ParameterTree {
    let known = Set(file.tensors.map(\.name))
    guard let count = file.tensors.first(where: { $0.name == "b_enc" })?.shape.first else {
      throw AutoencoderError.notAnAutoencoder(path: folder, found: "no `b_enc` in \(weights)")
    }
    var shapes = [
      ("W_enc", [width, count]), ("b_enc", [count]), ("W_dec", [count, width]), ("b_dec", [width]),
    ]
    if architecture == .jumpReLU { shapes.append(("threshold", [count])) }
    return ParameterTree(
      try shapes.map { name, shape in
        if name == "threshold", !known.contains(name) { return (name, Tensor.zeros(shape)) }
        let tensor = try file.tensor(name)
        let values = try tensor.floats()
        guard tensor.shape == shape else {
          throw AutoencoderError.otherModel(
            path: folder, expected: "`\(name)` of \(shape)", found: "\(tensor.shape)")
        }
        guard values.allSatisfy(\.isFinite) else {
          throw AutoencoderError.notAnAutoencoder(
            path: folder, found: "numbers that are not finite in `\(name)`")
        }
        return (name, Tensor(values, shape: shape))
      })
  }

  /// The same function where features were chosen by their size in the output: with a decoder of unit rows.
  private func foldingDecoderNorms() -> SparseAutoencoder {
    let norms = parameters["W_dec"].square().sum(axes: [1]).sqrt()
    return SparseAutoencoder(
      architecture, site: site,
      parameters: ParameterTree(
        zip(parameters.paths, parameters.tensors).map { path, tensor in
          switch path {
          case "W_enc", "b_enc", "threshold": (path, tensor * norms)
          case "W_dec": (path, tensor / norms.expandDims(1))
          default: (path, tensor)
          }
        }), subtractsBias: subtractsBias)
  }
}

extension Site {
  /// Whether activations here are `[token, head, …]`.
  var isByHead: Bool {
    switch self {
    case .block(_, .q), .block(_, .k), .block(_, .v), .block(_, .rotQ), .block(_, .rotK),
      .block(_, .z):
      true
    default: false
    }
  }

  /// Numbers of one token here.
  package func width(in c: ModelConfiguration) -> Int {
    switch self {
    case .block(_, .gate), .block(_, .up), .block(_, .post): c.dMLP
    case .block(_, .q), .block(_, .rotQ), .block(_, .z): c.nHeads * c.dHead
    case .block(_, .k), .block(_, .rotK), .block(_, .v): c.nKVHeads * c.dHead
    case .logits: c.dVocab
    default: c.dModel
    }
  }
}
