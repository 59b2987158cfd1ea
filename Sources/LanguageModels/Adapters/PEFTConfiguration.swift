internal import Foundation

/// PEFT's `adapter_config.json`, for the adapters that this program computes: LoRA of one rank on
/// whole kinds of linear layers, without dropout, biases or other additions.
enum PEFTConfiguration {
  static let fileName = "adapter_config.json"

  /// Keys that change nothing once an adapter is trained.
  private static let harmless: Set<String> = [
    "auto_mapping", "base_model_name_or_path", "inference_mode", "lora_dropout", "megatron_core",
    "peft_version", "qalora_group_size", "revision", "runtime_config",
  ]

  /// The file's text. `lora_dropout` is 0 and `bias` none: the trainer has neither.
  static func text(_ adapter: LoRAConfiguration, baseName: String) -> String {
    let targets = adapter.modules.map { "    \(JSONText.string($0.leafName))" }
    return """
      {
        "alpha_pattern": {},
        "auto_mapping": null,
        "base_model_name_or_path": \(JSONText.string(baseName)),
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "layers_pattern": null,
        "layers_to_transform": null,
        "lora_alpha": \(adapter.alpha),
        "lora_bias": false,
        "lora_dropout": 0.0,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": \(adapter.rank),
        "rank_pattern": {},
        "revision": null,
        "target_modules": [
      \(targets.joined(separator: ",\n"))
        ],
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false
      }

      """
  }

  /// Reads the file at `path`.
  ///
  /// Whatever is not known to be harmless has to be absent, null, false or empty: an option that is
  /// quietly left out would compute another model.
  ///
  /// - Throws: ``ModelFileError`` naming the key.
  static func read(_ path: String) throws(ModelFileError) -> LoRAConfiguration {
    let data = try JSONText.read(path)
    guard let keys = try? JSONDecoder().decode([String: Value].self, from: data) else {
      throw .malformed(
        .init(
          path: path, expected: "a JSON object", found: "something else",
          remedy: "use the file that PEFT wrote"))
    }
    var reader = Reader(path: path, keys: keys)
    let adapter = try reader.adapter()
    try reader.refuseOthers(but: harmless)
    return adapter
  }

  private struct Reader {
    let path: String
    let keys: [String: Value]
    var seen: Set<String> = []

    init(path: String, keys: [String: Value]) { (self.path, self.keys) = (path, keys) }

    mutating func adapter() throws(ModelFileError) -> LoRAConfiguration {
      try expect("peft_type", .text("LORA"), optional: false)
      try expect("task_type", .text("CAUSAL_LM"))
      try expect("bias", .text("none"))
      try expectOrdinaryStart()
      let rank = try number("r", in: 1...65_536)
      guard rank == rank.rounded() else { throw unsupported("`r` to be whole", "\(rank)") }
      let alpha = try number("lora_alpha", in: -1e6...1e6)
      return LoRAConfiguration(rank: Int(rank), alpha: alpha, modules: try modules())
    }

    private mutating func take(_ key: String) -> Value {
      seen.insert(key)
      return keys[key] ?? .null
    }

    private mutating func expect(
      _ key: String, _ value: Value, optional: Bool = true
    ) throws(ModelFileError) {
      let found = take(key)
      guard found == value || (optional && found == .null) else {
        throw unsupported("`\(key)` to be \(value.summary)", found.summary)
      }
    }

    /// Starts such as `pissa` move part of the base's weights into the adapter.
    private mutating func expectOrdinaryStart() throws(ModelFileError) {
      let found = take("init_lora_weights")
      guard case .text(let start) = found, !["gaussian", "orthogonal", "eva"].contains(start)
      else { return }
      throw unsupported("`init_lora_weights` to leave the base alone", found.summary)
    }

    private mutating func number(
      _ key: String, in range: ClosedRange<Double>
    ) throws(ModelFileError) -> Double {
      let found = take(key)
      guard case .number(let value) = found, range.contains(value) else {
        throw unsupported(
          "`\(key)` from \(range.lowerBound) to \(range.upperBound)", found.summary)
      }
      return value
    }

    private mutating func modules() throws(ModelFileError) -> [LinearModule] {
      let found = take("target_modules")
      if found == .text("all-linear") { return LinearModule.allCases }
      guard case .list(let names) = found, !names.isEmpty else {
        throw unsupported("`target_modules` to be a list of layer names", found.summary)
      }
      for name in names where !LinearModule.allCases.contains(where: { $0.answers(to: name) }) {
        let known = LinearModule.allCases.map(\.leafName).joined(separator: ", ")
        throw unsupported("`target_modules` among \(known)", name.summary)
      }
      return LinearModule.allCases.filter { module in names.contains { module.answers(to: $0) } }
    }

    func refuseOthers(but harmless: Set<String>) throws(ModelFileError) {
      for key in keys.keys.sorted() where !seen.contains(key) && !harmless.contains(key) {
        let value = keys[key] ?? .null
        if !value.isNothing { throw unsupported("no \(quoted(key))", value.summary) }
      }
    }

    private func unsupported(_ expected: String, _ found: String) -> ModelFileError {
      .unsupported(
        .init(
          path: path, expected: expected, found: found,
          remedy: "use a plain LoRA adapter of one rank for a causal language model"))
    }
  }
}

extension PEFTConfiguration {
  /// Any JSON.
  fileprivate enum Value: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([Value])
    case object([String: Value])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let value = try? container.decode(Bool.self) {
        self = .bool(value)
      } else if let value = try? container.decode(Double.self) {
        self = .number(value)
      } else if let value = try? container.decode(String.self) {
        self = .text(value)
      } else if let value = try? container.decode([Value].self) {
        self = .list(value)
      } else {
        self = .object(try container.decode([String: Value].self))
      }
    }

    var isNothing: Bool {
      [.null, .bool(false), .list([]), .object([:])].contains(self)
    }

    var summary: String {
      switch self {
      case .null: "nothing"
      case .bool(let value): "\(value)"
      case .number(let value): "\(value)"
      case .text(let value): quoted(value)
      case .list: "a list"
      case .object: "an object"
      }
    }
  }
}

extension LinearModule {
  /// The name's last part, as PEFT lists it in `target_modules`.
  var leafName: String { rawValue.split(separator: ".").last.map(String.init) ?? rawValue }

  fileprivate func answers(to name: PEFTConfiguration.Value) -> Bool {
    name == .text(leafName) || name == .text(rawValue)
  }
}
