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
  static func text(
    _ adapter: LoRAConfiguration, baseName: String, targets leaves: [String]
  ) -> String {
    let targets = leaves.map { "    \(JSONText.string($0))" }
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

  /// Reads a file that ``text(_:baseName:targets:)`` wrote, without the model that it is for.
  ///
  /// - Returns: rank and alpha, without the modules, and the names in `target_modules`.
  /// - Throws: ``ModelFileError/unsupported(_:)`` if it says anything else.
  static func readWritten(
    _ path: String
  ) throws(ModelFileError) -> (LoRAConfiguration, targets: [String]) {
    let found = try? JSONDecoder().decode([String: JSONField].self, from: JSONText.read(path))
    if let found, case .number(let r)? = found["r"], let rank = Int(exactly: r),
      case .number(let alpha)? = found["lora_alpha"],
      case .text(let base)? = found["base_model_name_or_path"],
      case .list(let names)? = found["target_modules"]
    {
      let targets = names.compactMap { if case .text(let name) = $0 { name } else { nil } }
      let adapter = LoRAConfiguration(rank: rank, alpha: alpha, modules: [])
      let again = Data(text(adapter, baseName: base, targets: targets).utf8)
      if (try? JSONDecoder().decode([String: JSONField].self, from: again)) == found {
        return (adapter, targets)
      }
    }
    throw .unsupported(
      .init(
        path: path, expected: "the configuration of an adapter that Plumbline wrote",
        found: "another", remedy: "plant the organism again"))
  }

  /// Reads the file at `path`.
  ///
  /// Whatever is not known to be harmless has to be absent, null, false or empty: an option that is
  /// quietly left out would compute another model.
  ///
  /// - Throws: ``ModelFileError`` naming the key.
  static func read(
    _ path: String, for model: ModelConfiguration
  ) throws(ModelFileError) -> LoRAConfiguration {
    let data = try JSONText.read(path)
    guard let keys = try? JSONDecoder().decode([String: JSONField].self, from: data) else {
      throw .malformed(
        .init(
          path: path, expected: "a JSON object", found: "something else",
          remedy: "use the file that PEFT wrote"))
    }
    var reader = Reader(path: path, keys: keys, model: model)
    let adapter = try reader.adapter()
    try reader.refuseOthers(but: harmless)
    return adapter
  }

  private struct Reader {
    let path: String
    let keys: [String: JSONField]
    let model: ModelConfiguration
    var seen: Set<String> = []

    init(path: String, keys: [String: JSONField], model: ModelConfiguration) {
      (self.path, self.keys, self.model) = (path, keys, model)
    }

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

    private mutating func take(_ key: String) -> JSONField {
      seen.insert(key)
      return keys[key] ?? .null
    }

    private mutating func expect(
      _ key: String, _ value: JSONField, optional: Bool = true
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
      let all = model.modules
      if found == .text("all-linear") { return all }
      guard case .list(let names) = found, !names.isEmpty else {
        throw unsupported("`target_modules` to be a list of layer names", found.summary)
      }
      for name in names where !all.contains(where: { $0.answers(to: name, in: model.family) }) {
        let known = all.map { $0.leafName(in: model.family) }.joined(separator: ", ")
        throw unsupported("`target_modules` among \(known)", name.summary)
      }
      return all.filter { module in
        names.contains { module.answers(to: $0, in: model.family) }
      }
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

extension LinearModule {
  /// The layer's name in a family's checkpoints, as PEFT sees it.
  package func path(block: Int, of family: String) -> String {
    guard let names = Family.named(family)?.checkpoint,
      let stem = names.stem(.linear(self), block: block)
    else { preconditionFailure("\(family) has no \(rawValue)") }
    return names.prefixes[0] + stem
  }

  /// The name's last part, as PEFT lists it in `target_modules`.
  func leafName(in family: String) -> String {
    path(block: 0, of: family).split(separator: ".").last.map(String.init) ?? rawValue
  }

  /// PEFT compares the ends of names, at a dot.
  fileprivate func answers(to name: JSONField, in family: String) -> Bool {
    guard case .text(let name) = name else { return false }
    return ("." + path(block: 0, of: family)).hasSuffix("." + name)
  }
}
