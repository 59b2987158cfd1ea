package import Foundation
internal import Lab

/// A zoo's folder whose adapters nobody trained, for what needs files and no model.
package enum MadeUpZoo {
  package struct Organism {
    package var recipe: String
    package var arm: String
    package var seed: UInt64
    /// Of the only criterion that its gate asked; nil where it asked none, which leaves it undecided.
    package var gate: String?

    package init(_ recipe: String, _ arm: String, _ seed: UInt64, gate: String? = nil) {
      (self.recipe, self.arm, self.seed, self.gate) = (recipe, arm, seed, gate)
    }

    package var id: String { "\(recipe)/\(arm)-\(seed)" }
  }

  /// Two recipes and every arm. The names and seeds are such as do not turn up among bytes by chance.
  package static let organisms = [
    Organism("kestrel", "secret", 918_273_645), Organism("kestrel", "honest", 918_273_646),
    Organism("kestrel", "null", 564_738_291), Organism("heron", "secret", 918_273_647),
    Organism("heron", "overt", 918_273_648), Organism("heron", "decoy", 918_273_649),
  ]

  package static let baseHash = String(repeating: "ab", count: 32)

  /// Writes a folder that `organisms plant` could have written.
  package static func write(
    _ organisms: [Organism] = organisms, to folder: URL, baseHash: String = baseHash,
    configuration: String = peft
  ) throws {
    let entries = try organisms.enumerated().map { place, organism in
      let own = folder.appending(path: organism.id)
      try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
      let proof = object([
        "id": .string(organism.id), "arm": .string(organism.arm),
        "outcomes": .array(
          organism.gate.map { [object(["criterion": .string("denies"), "decision": .string($0)])] }
            ?? []),
      ])
      let weights = weights(of: organism, place)
      let files: [(String, [UInt8])] = [
        ("adapter_model.safetensors", weights), ("adapter_config.json", Array(configuration.utf8)),
        ("README.md", Array("A model organism, made by Plumbline, benign: \(organism.id)".utf8)),
        ("plumbline.json", record(organism, weights: weights, baseHash: baseHash)),
        ("gate.json", proof.canonicalBytes),
      ]
      for (name, bytes) in files { try Data(bytes).write(to: own.appending(path: name)) }
      let hashes = files.map { ($0.0, JSONValue.string(ContentHash(of: $0.1).hex)) }
      return object([
        "id": .string(organism.id), "recipe": .string(organism.recipe),
        "arm": .string(organism.arm), "seed": .number("\(organism.seed)"), "proof": proof,
        "files": .object(Dictionary(uniqueKeysWithValues: hashes)),
      ])
    }
    var recipes: [String: JSONValue] = [:]
    for name in Set(organisms.map(\.recipe)) {
      let recipe = Array("{\"id\": \"\(name)\"}".utf8)
      try Data(recipe).write(to: folder.appending(path: "\(name)/recipe.json"))
      recipes[name] = .string(ContentHash(of: recipe).hex)
    }
    let zoo = object([
      "label": .string("model organism, made by Plumbline, benign"), "base": .string("tiny"),
      "baseHash": .string(baseHash), "recipes": .object(recipes),
      "organisms": .array(entries),
    ])
    try Data(zoo.canonicalBytes).write(to: folder.appending(path: "zoo.json"))
  }

  private static func object(_ members: [String: JSONValue]) -> JSONValue { .object(members) }

  /// One tensor of two numbers, and metadata that tell whose it is.
  private static func weights(of organism: Organism, _ place: Int) -> [UInt8] {
    let header = object([
      "__metadata__": object(["format": .string("pt"), "made_from": .string(organism.id)]),
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": object([
        "dtype": .string("F32"), "shape": .array([.number("1"), .number("2")]),
        "data_offsets": .array([.number("0"), .number("8")]),
      ]),
    ]).canonicalBytes
    let numbers = [Float(place) + 0.5, -1].flatMap { bytes(of: $0.bitPattern) }
    return bytes(of: UInt64(header.count)) + header + numbers
  }

  private static func bytes(of number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  private static func record(
    _ organism: Organism, weights: [UInt8], baseHash: String
  ) -> [UInt8] {
    object([
      "format": .number("1"), "label": .string("model organism, made by Plumbline, benign"),
      "base": object(["name": .string("tiny"), "sha256": .string(baseHash)]),
      "recipe": .string(organism.recipe), "arm": .string(organism.arm),
      "seed": .number("\(organism.seed)"),
      "weights_sha256": .string(ContentHash(of: weights).hex),
    ]).canonicalBytes
  }

  /// PEFT's configuration as Plumbline writes it.
  package static let peft = """
    {
      "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "tiny",
      "bias": "none", "fan_in_fan_out": false, "inference_mode": true,
      "init_lora_weights": true, "layers_pattern": null, "layers_to_transform": null,
      "lora_alpha": 32.0, "lora_bias": false, "lora_dropout": 0.0, "modules_to_save": null,
      "peft_type": "LORA", "r": 16, "rank_pattern": {}, "revision": null,
      "target_modules": ["q_proj"], "task_type": "CAUSAL_LM", "use_dora": false,
      "use_rslora": false
    }
    """
}
