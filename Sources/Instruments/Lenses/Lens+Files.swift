internal import Foundation
package import LanguageModels
internal import Tensors

/// Why a lens cannot be used.
package enum LensError: Error, Equatable, CustomStringConvertible {
  case notALens(path: String, found: String)
  /// A lens that was fitted to another model.
  case otherModel(path: String, expected: String, found: String)
  case badSite(path: String, site: String)
  case otherKind(path: String, expected: String, found: String)
  case tooLittleText(needed: Int, found: Int, unit: String)

  package var description: String {
    switch self {
    case .notALens(let path, let found):
      "Expected a lens in \(path) (lens.safetensors, or tuned-lens's config.json and params.pt), "
        + "found \(found): name the folder that `plumbline lens train` wrote"
    case .otherModel(let path, let expected, let found):
      "Expected the lens in \(path) to be for this model (\(expected)), found one for \(found): "
        + "name the model that it was trained for"
    case .badSite(let path, let site):
      "Expected the lens in \(path) to read the residual stream of this model, found `\(site)`: "
        + "name the model that it was trained for"
    case .otherKind(let path, let expected, let found):
      "Expected a \(expected) lens in \(path), found a \(found) lens: name another"
    case .tooLittleText(let needed, let found, let unit):
      "Expected at least \(needed) \(unit) of text, found \(found): give more text"
    }
  }
}

extension Lens {
  private static let format = "plumbline-lens-1"

  /// Writes the lens to `path` as safetensors: `<site>.weight` and `<site>.bias` in fp32.
  ///
  /// - Parameters:
  ///   - path: The file, which is replaced.
  ///   - model: The model that it was trained for, by which it is known again.
  /// - Throws: ``ModelFileError/unwritable(_:)``.
  package func writeSafetensors(to path: String, for model: LanguageModel) throws {
    let metadata = [
      "format": Self.format, "kind": kind.rawValue,
      "unembedding_sha256": try model.unembeddingHash(),
    ]
    try SafetensorsFile.write(try entries { $0 }, metadata: metadata, to: path)
  }

  /// Writes the block boundaries' translators as the tuned-lens package does: `config.json` and
  /// `params.pt` in `folder`, which exists.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``.
  package func writeTunedLens(to folder: String, for model: LanguageModel) throws {
    let c = model.configuration
    let paths = Self.sites(of: c).enumerated().flatMap { index, site in
      ["weight", "bias"].map { ("\(site).\($0)", "\(index).\($0)") }
    }
    let names = Dictionary(uniqueKeysWithValues: paths)
    let known = try entries { names[$0] }
    let order = Dictionary(uniqueKeysWithValues: paths.enumerated().map { ($1.1, $0) })
    try TorchFile.write(
      known.sorted { (order[$0.name] ?? 0) < (order[$1.name] ?? 0) }, to: "\(folder)/params.pt")
    let fields: [String: Any] = [
      "base_model_name_or_path": (model.path as NSString).lastPathComponent,
      "d_model": c.dModel, "num_hidden_layers": c.nLayers, "bias": true,
      "base_model_revision": NSNull(), "unembed_hash": try model.tunedLensHash(),
      "lens_type": "linear_tuned_lens",
    ]
    let json = try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys])
    try AtomicFile.write(Array(json), to: "\(folder)/config.json")
  }

  private func entries(_ name: (String) -> String?) throws -> [SafetensorsEntry] {
    try zip(parameters.paths, parameters.tensors).compactMap { path, tensor in
      try name(path).map {
        SafetensorsEntry(name: $0, shape: tensor.shape, values: try tensor.floats())
      }
    }
  }

  /// Reads a lens for `model`: a safetensors file or a folder with `lens.safetensors`, a folder with
  /// tuned-lens's files, or a Jacobian lens (`{J, n_prompts, source_layers, d_model}`) of
  /// `torch.save`.
  ///
  /// - Throws: ``LensError`` for a lens of another model, ``ModelFileError`` for damaged files.
  package static func read(_ path: String, for model: LanguageModel) throws -> Lens {
    let files = FileManager.default
    var isFolder: ObjCBool = false
    guard files.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw LensError.notALens(path: path, found: "no such file or folder")
    }
    if !isFolder.boolValue {
      return try path.hasSuffix(".safetensors")
        ? safetensors(path, model) : jacobian(path, model)
    }
    if files.fileExists(atPath: "\(path)/lens.safetensors") {
      return try safetensors("\(path)/lens.safetensors", model)
    }
    guard files.fileExists(atPath: "\(path)/config.json"),
      files.fileExists(atPath: "\(path)/params.pt")
    else { throw LensError.notALens(path: path, found: "none of these files") }
    return try tunedLens(path, model)
  }

  /// The sites of a lens that is there and is for `model`.
  ///
  /// - Throws: As ``read(_:for:)``.
  @discardableResult
  package static func check(_ path: String, for model: LanguageModel) throws -> [Site] {
    try read(path, for: model).sites
  }

  /// Checks a lens as above, and that it is of a kind.
  ///
  /// - Throws: As ``read(_:for:)``, and ``LensError/otherKind(path:expected:found:)``.
  package static func check(_ path: String, for model: LanguageModel, is kind: Kind) throws {
    let found = try read(path, for: model).kind
    guard found == kind else {
      throw LensError.otherKind(path: path, expected: kind.rawValue, found: found.rawValue)
    }
  }

  private static func safetensors(_ path: String, _ model: LanguageModel) throws -> Lens {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["format"] == format,
      let kind = file.metadata["kind"].flatMap(Kind.init(rawValue:))
    else { throw LensError.notALens(path: path, found: "another kind of file") }
    let (expected, found) = (try model.unembeddingHash(), file.metadata["unembedding_sha256"] ?? "")
    guard expected == found else {
      throw LensError.otherModel(
        path: path, expected: String(expected.prefix(12)), found: String(found.prefix(12)))
    }
    let names = Set(
      file.tensors.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") })
    let c = model.configuration
    let sites = try names.map { name -> Site in
      guard let site = try? Site(name, nLayers: c.nLayers) else {
        throw LensError.badSite(path: path, site: name)
      }
      return site
    }.sorted { $0.order(in: c) < $1.order(in: c) }
    return try lens(kind, sites, path, c) { site, part in
      let tensor = try file.tensor("\(site).\(part)")
      return (tensor.shape, try tensor.floats())
    }
  }

  private static func tunedLens(_ folder: String, _ model: LanguageModel) throws -> Lens {
    let (path, c) = ("\(folder)/config.json", model.configuration)
    let fields =
      FileManager.default.contents(atPath: path)
      .flatMap { try? JSONSerialization.jsonObject(with: $0) } as? [String: Any]
    guard let fields else { throw LensError.notALens(path: path, found: "no JSON object") }
    let (width, layers) = (fields["d_model"] as? Int, fields["num_hidden_layers"] as? Int)
    guard width == c.dModel, layers == c.nLayers else {
      throw LensError.otherModel(
        path: folder, expected: "\(c.nLayers) layers of \(c.dModel)",
        found: "\(layers.map(String.init) ?? "?") layers of \(width.map(String.init) ?? "?")")
    }
    if let hash = fields["unembed_hash"] as? String {
      let expected = try model.tunedLensHash()
      guard hash == expected else {
        throw LensError.otherModel(
          path: folder, expected: "unembedding \(expected.prefix(12))",
          found: "unembedding \(hash.prefix(12))")
      }
    }
    let file = try TorchFile(path: "\(folder)/params.pt")
    let hasBias = fields["bias"] as? Bool ?? true
    let sites = sites(of: c)
    return try lens(.tuned, sites, folder, c) { site, part in
      if part == "bias", !hasBias { return ([c.dModel], [Float](repeating: 0, count: c.dModel)) }
      let index = sites.firstIndex(of: site) ?? 0
      guard let tensor = file.root["\(index).\(part)"]?.tensor else {
        throw LensError.notALens(path: folder, found: "params.pt without `\(index).\(part)`")
      }
      return (tensor.shape, try tensor.floats())
    }
  }

  /// J maps the output of block l to that of the last: h ↦ J h, which is a translator of what goes
  /// into block l + 1.
  private static func jacobian(_ path: String, _ model: LanguageModel) throws -> Lens {
    let (file, c) = (try TorchFile(path: path), model.configuration)
    guard case .dictionary(let pairs)? = file.root["J"] else {
      throw LensError.notALens(path: path, found: "a file without `J`")
    }
    guard file.root["d_model"]?.int == c.dModel else {
      throw LensError.otherModel(
        path: path, expected: "width \(c.dModel)",
        found: "width \(file.root["d_model"]?.int.map(String.init) ?? "?")")
    }
    var matrices: [Site: TorchFile.Tensor] = [:]
    for (key, value) in pairs {
      let layer = key.int ?? -1
      guard let tensor = value.tensor, (0..<c.nLayers - 1).contains(layer) else {
        throw LensError.badSite(path: path, site: "J[\(layer)]")
      }
      matrices[.block(layer + 1, .residPre)] = tensor
    }
    let sites = matrices.keys.sorted { $0.order(in: c) < $1.order(in: c) }
    return try lens(.jacobian, sites, path, c) { site, part in
      guard part == "weight", let matrix = matrices[site] else {
        return ([c.dModel], [Float](repeating: 0, count: c.dModel))
      }
      var values = try matrix.floats()
      guard matrix.shape == [c.dModel, c.dModel] else { return (matrix.shape, values) }
      // Translators add to what they are given.
      for i in 0..<c.dModel { values[i * c.dModel + i] -= 1 }
      return (matrix.shape, values)
    }
  }

  private static func lens(
    _ kind: Kind, _ sites: [Site], _ path: String, _ c: ModelConfiguration,
    _ values: (Site, String) throws -> ([Int], [Float])
  ) throws -> Lens {
    var named: [(String, Tensor)] = []
    guard !sites.isEmpty else { throw LensError.notALens(path: path, found: "no translators") }
    for site in sites {
      guard site.isResidual else { throw LensError.badSite(path: path, site: "\(site)") }
      for (part, shape) in [("weight", [c.dModel, c.dModel]), ("bias", [c.dModel])] {
        let (found, values) = try values(site, part)
        guard found == shape else {
          throw LensError.otherModel(
            path: path, expected: "\(part)s \(shape)", found: "\(found) at \(site)")
        }
        guard values.allSatisfy(\.isFinite) else {
          throw LensError.notALens(path: path, found: "numbers that are not finite at \(site)")
        }
        named.append(("\(site).\(part)", Tensor(values, shape: shape)))
      }
    }
    return Lens(kind, sites: sites, parameters: ParameterTree(named))
  }
}

extension Site {
  /// Whether it is the residual stream itself.
  package var isResidual: Bool {
    switch self {
    case .embed, .block(_, .residPre), .block(_, .residMid), .block(_, .residPost): true
    default: false
    }
  }

  /// The block that it lies in; -1 for none.
  package var blockIndex: Int {
    if case .block(let i, _) = self { i } else { -1 }
  }

  /// Where it comes in the forward pass of a model.
  package func order(in c: ModelConfiguration) -> Int {
    switch self {
    case .embed: -1
    case .block(let i, let place):
      i * Place.allCases.count + (Place.allCases.firstIndex(of: place) ?? 0)
    case .finalNorm: c.nLayers * Place.allCases.count
    case .logits: c.nLayers * Place.allCases.count + 1
    }
  }
}
