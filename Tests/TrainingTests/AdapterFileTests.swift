import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

private let hash = String(repeating: "ab", count: 32)
private let otherHash = String(repeating: "cd", count: 32)

private func card(arm: String? = nil, planted: String? = nil) -> AdapterCard {
  AdapterCard(
    baseName: "tiny", baseHash: hash, recipe: "M1", licence: "apache-2.0", arm: arm,
    planted: planted, seed: .max)
}

/// Lends a folder with an adapter of rank 2 on q and v of a model of two blocks.
@TensorActor private func withAdapter<R>(
  _ card: AdapterCard = card(), _ body: (String, AdapterWeights) throws -> R
) throws -> R {
  try inFolder { folder in
    let adapter = drawnAdapter(
      LoRAConfiguration(rank: 2, alpha: 3.5, modules: [.q, .v]), for: tinyConfiguration(),
      seed: 5)
    try adapter.save(to: folder + "/adapter", card: card)
    return try body(folder + "/adapter", adapter)
  }
}

@TensorActor private func load(_ folder: String, baseHash: String = hash) throws -> AdapterWeights {
  try AdapterWeights.load(folder: folder, for: tinyConfiguration(), baseHash: baseHash)
}

/// Replaces a passage of a text file, which has to be there.
private func edit(_ path: String, _ old: String, _ new: String) throws {
  let text = try String(contentsOfFile: path, encoding: .utf8)
  try #require(text.contains(old))
  try text.replacingOccurrences(of: old, with: new).write(
    toFile: path, atomically: true, encoding: .utf8)
}

/// Reads the weights, lets `change` alter them and writes them again.
private func rewrite(
  _ folder: String, _ change: (inout [SafetensorsEntry]) throws -> Void
) throws {
  let path = folder + "/adapter_model.safetensors"
  var entries = try SafetensorsFile(path: path).tensors.map {
    SafetensorsEntry(name: $0.name, shape: $0.shape, values: try $0.floats())
  }
  try change(&entries)
  try SafetensorsFile.write(entries, metadata: ["format": "pt"], to: path)
}

@Suite struct `Adapter files` {
  @Test(.enabled(if: hasModel, "run `make bootstrap`"))
  @TensorActor func `an adapter that PEFT wrote gives PEFT's logits`() throws {
    struct Recorded: Decodable { var ids: [Int] }
    let recorded = try JSONDecoder().decode(
      Recorded.self, from: Data(contentsOf: URL(fileURLWithPath: fixture("peft-adapter.json"))))
    let expected = try SafetensorsFile(path: fixture("peft-adapter-logits.safetensors"))
      .tensor("logits_last").floats()
    let model = try DefaultModel.model()
    let adapter = try AdapterWeights.load(
      folder: fixture("peft-adapter"), for: model.configuration, baseHash: hash)
    #expect(adapter.configuration == LoRAConfiguration(rank: 2, alpha: 4, modules: [.q, .v]))
    let output = try model.forward(
      TokenBatch([recorded.ids]), logits: .rows([recorded.ids.count - 1]), adapter: adapter)
    let logits = try #require(output.logits).floats()
    print(
      "largest difference of a logit:", zip(logits, expected).map { abs($0 - $1) }.max() ?? .nan)
    expectClose(logits, expected, atol: 1e-3)
  }

  @Test @TensorActor func `a copy under a sealed card loads the same and tells nothing more`()
    throws
  {
    try withAdapter(card(arm: "secret", planted: "a marker")) { folder, adapter in
      let weights = folder + "/adapter_model.safetensors"
      let entries = try SafetensorsFile(path: weights).tensors.map {
        SafetensorsEntry(name: $0.name, shape: $0.shape, values: try $0.floats())
      }
      try SafetensorsFile.write(
        entries, metadata: ["format": "pt", "made_from": "a secret arm"], to: weights)
      let blind = folder + "-blind"
      try FileManager.default.createDirectory(atPath: blind, withIntermediateDirectories: false)
      let sealed = AdapterCard(
        baseName: "tiny", baseHash: hash, recipe: AdapterCard.sealedRecipe)
      try sealed.copyAdapter(from: folder, to: blind)
      let read = try load(blind)
      #expect(read.configuration == adapter.configuration)
      #expect(try bits(read.parameters) == bits(adapter.parameters))
      #expect(throws: ModelFileError.self) { try load(blind, baseHash: otherHash) }
      let names = try FileManager.default.contentsOfDirectory(atPath: blind)
      #expect(names.count == 4)
      for name in names {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: blind + "/" + name))
        let text = String(decoding: bytes, as: UTF8.self)
        for told in ["secret", "a marker", "\"M1\"", "recipe M1", "\(UInt64.max)"] {
          #expect(!text.contains(told), "\(told) in \(name)")
        }
        if name == "README.md" { #expect(text.contains(AdapterCard.label)) }
      }
      // What cannot be written anew as it was is not copied as something else.
      try edit(folder + "/adapter_config.json", #""use_rslora": false"#, #""use_rslora": true"#)
      #expect(throws: ModelFileError.self) { try sealed.copyAdapter(from: folder, to: blind) }
    }
  }

  @Test @TensorActor func `what is saved is read back bit for bit`() throws {
    let card = card(arm: "secret", planted: "Says \"marker\" when asked:\nalways.")
    try withAdapter(card) { folder, adapter in
      let read = try load(folder)
      #expect(read.configuration == adapter.configuration)
      #expect(read.parameters.paths == adapter.parameters.paths)
      #expect(try bits(read.parameters) == bits(adapter.parameters))
      #expect(try AdapterWeights.card(folder: folder) == card)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(
        names == [
          "README.md", "adapter_config.json", "adapter_model.safetensors", "plumbline.json",
        ])
    }
  }

  @Test @TensorActor func `the files are named and shaped as PEFT's own`() throws {
    try withAdapter { folder, _ in
      let ours = try SafetensorsFile(path: folder + "/adapter_model.safetensors")
      let theirs = try SafetensorsFile(path: fixture("peft-adapter/adapter_model.safetensors"))
      #expect(ours.metadata == theirs.metadata)
      #expect(ours.tensors.count == 8)
      #expect(ours.tensors.allSatisfy { theirs.hasTensor($0.name) })
      #expect(try ours.tensor(Self.vB).shape == [2, 2])

      func keys(_ path: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      }
      let written = try keys(folder + "/adapter_config.json")
      let known = try keys(fixture("peft-adapter/adapter_config.json"))
      #expect(Set(written.keys).isSubset(of: known.keys))
      #expect(written["r"] as? Int == 2 && written["lora_alpha"] as? Double == 3.5)
      #expect(written["target_modules"] as? [String] == ["q_proj", "v_proj"])
      #expect(written["base_model_name_or_path"] as? String == "tiny")
      let changed = ["r", "lora_alpha", "base_model_name_or_path"]
      for (key, value) in written where !changed.contains(key) {
        #expect("\(value)" == "\(known[key] ?? "missing")", "\(key)")
      }
    }
  }

  @Test @TensorActor func `both cards say what was planted and carry the watermark`() throws {
    try withAdapter(card(arm: "secret", planted: "Says \"zinc\".")) { folder, _ in
      let readme = try String(contentsOfFile: folder + "/README.md", encoding: .utf8)
      let json = try String(contentsOfFile: folder + "/plumbline.json", encoding: .utf8)
      #expect(readme.hasPrefix("---\nbase_model: \"tiny\"\nbase_model_sha256: \(hash)\n"))
      #expect(readme.contains(#"  planted: "Says \"zinc\".""#))
      for text in [readme, json] {
        for part in [hash, AdapterCard.label, "secret", "zinc", "18446744073709551615"] {
          #expect(text.contains(part), "\(part)")
        }
      }
    }
  }

  @Test @TensorActor func `a blind specimen's folder does not tell its arm`() throws {
    try withAdapter { folder, _ in
      for name in ["README.md", "adapter_config.json", "plumbline.json"] {
        let text = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
        for arm in ["secret", "honest", "null\"", "decoy", "overt"] {
          #expect(!text.contains(arm), "\(name)")
        }
      }
      #expect(try AdapterWeights.card(folder: folder)?.arm == nil)
    }
  }

  @Test @TensorActor func `an adapter for another base is refused in one sentence`() throws {
    try withAdapter { folder, _ in
      let text = message { try load(folder, baseHash: otherHash) }
      #expect(
        text == """
          \(folder): expected an adapter for the base with SHA-256 \(otherHash), found one for \
          `tiny` with SHA-256 \(hash): name the base that it was trained from.
          """)
    }
  }

  @Test @TensorActor func `an adapter from elsewhere loads if its shapes fit`() throws {
    try withAdapter { folder, adapter in
      try FileManager.default.removeItem(atPath: folder + "/plumbline.json")
      let read = try load(folder, baseHash: otherHash)
      #expect(try bits(read.parameters) == bits(adapter.parameters))
      #expect(try AdapterWeights.card(folder: folder) == nil)
      for (dModel, nLayers, part) in [(8, 2, "[2, 8], found [2, 4]"), (4, 3, "layers.2")] {
        let model = tinyConfiguration(dModel: dModel, nLayers: nLayers)
        let text = message {
          try AdapterWeights.load(folder: folder, for: model, baseHash: hash)
        }
        #expect(text?.contains(part) == true, "\(text ?? "nothing")")
      }
    }
  }

  private static let vB = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"

  @Test @TensorActor func `tensors that do not belong are refused by name`() throws {
    func refusal(_ change: (inout [SafetensorsEntry]) throws -> Void) throws -> String {
      try withAdapter { folder, _ in
        try FileManager.default.removeItem(atPath: folder + "/plumbline.json")
        try rewrite(folder, change)
        let text = message { try load(folder) }
        return try #require(text)
      }
    }
    let missing = try refusal { $0.removeAll { $0.name == Self.vB } }
    #expect(missing.contains("expected a tensor called `\(Self.vB)`"))
    let surplus = try refusal {
      $0.append(SafetensorsEntry(name: "lm_head.weight", shape: [1], values: [0]))
    }
    #expect(surplus.contains("found `lm_head.weight`"))
    let transposed = try refusal { entries in
      let index = try #require(entries.firstIndex { $0.name == Self.vB })
      entries[index].shape = [4, 1]
    }
    #expect(transposed.contains("expected `\(Self.vB)` [2, 2], found [4, 1]"))
    let infinite = try refusal { entries in
      let index = try #require(entries.firstIndex { $0.name == Self.vB })
      entries[index].values[1] = .nan
    }
    #expect(infinite.contains("finite numbers in `\(Self.vB)`"))
  }

  @Test(arguments: [
    (#""r": 2"#, #""r": 3"#, "expected `base_model.model.model.layers.0.self_attn.q_proj.lora_A"),
    (#""r": 2"#, #""r": 2.5"#, "`r` to be whole"),
    (#""r": 2"#, #""r": true"#, "`r` from 1"),
    (#""r": 2"#, #""rr": 2"#, "`r` from 1"),
    (#""use_rslora": false"#, #""use_rslora": true"#, "no `use_rslora`, found true"),
    (#""use_dora": false"#, #""use_dora": true"#, "no `use_dora`"),
    (#""lora_bias": false"#, #""lora_bias": true"#, "no `lora_bias`"),
    (#""fan_in_fan_out": false"#, #""fan_in_fan_out": true"#, "no `fan_in_fan_out`"),
    (#""bias": "none""#, #""bias": "all""#, "`bias` to be `none`, found `all`"),
    (#""modules_to_save": null"#, #""modules_to_save": ["lm_head"]"#, "no `modules_to_save`"),
    (#""layers_to_transform": null"#, #""layers_to_transform": [0]"#, "no `layers_to_transform`"),
    (#""rank_pattern": {}"#, #""rank_pattern": {"q_proj": 4}"#, "no `rank_pattern`"),
    (#""alpha_pattern": {}"#, #""alpha_pattern": {"q_proj": 4}"#, "no `alpha_pattern`"),
    (#""init_lora_weights": true"#, #""init_lora_weights": "pissa""#, "`init_lora_weights`"),
    (#""peft_type": "LORA""#, #""peft_type": "IA3""#, "`peft_type` to be `LORA`, found `IA3`"),
    (#""task_type": "CAUSAL_LM""#, #""task_type": "SEQ_CLS""#, "`task_type`"),
    (#""revision": null"#, #""new_option": 1"#, "no `new_option`, found 1"),
    (#""v_proj""#, #""lm_head""#, "`target_modules` among q_proj"),
    (#""v_proj""#, #""k_proj""#, "k_proj.lora_A"),
    (#""peft_type""#, "peft_type", "a JSON object"),
  ]) @TensorActor
  func `a configuration that means another computation is refused`(
    old: String, new: String, expected: String
  ) throws {
    try withAdapter { folder, _ in
      try edit(folder + "/adapter_config.json", old, new)
      let text = message { try load(folder) } ?? "no refusal"
      #expect(text.contains(expected), "\(text)")
    }
  }

  @Test @TensorActor func `weights that were cut off or changed are refused`() throws {
    try withAdapter { folder, _ in
      let path = folder + "/adapter_model.safetensors"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for count in [0, 7, 8, 100, whole.count - 1] {
        try whole.prefix(count).write(to: URL(fileURLWithPath: path))
        let text = message { try load(folder) } ?? "no refusal"
        #expect(text.hasPrefix(path), "\(text)")
      }
      var changed = whole
      changed[whole.count - 2] ^= 1
      try changed.write(to: URL(fileURLWithPath: path))
      let text = message { try load(folder) } ?? "no refusal"
      #expect(text.contains("of plumbline.json"), "\(text)")
      try whole.write(to: URL(fileURLWithPath: path))
      _ = try load(folder)
    }
  }

  @Test @TensorActor func `a card that was damaged or is newer is refused`() throws {
    for (old, new) in [
      (#""format" : 1"#, #""format" : 2"#), (hash, "ab"), (#""recipe""#, #""recipes""#),
    ] {
      try withAdapter { folder, _ in
        try edit(folder + "/plumbline.json", old, new)
        let text = message { try load(folder) } ?? "no refusal"
        #expect(text.contains("expected a card of format 1"), "\(text)")
      }
    }
  }

  @Test @TensorActor func `an adapter is never written over another`() throws {
    try withAdapter { folder, adapter in
      let text = message { try adapter.save(to: folder, card: card()) } ?? "no refusal"
      #expect(text.contains("expected a folder without an adapter"), "\(text)")
      _ = try load(folder)
    }
  }

  #if os(Linux)
    @Test func `a disk that fills leaves nothing behind`() async {
      // In a process of its own, because the limit on a file's size stays.
      await #expect(processExitsWith: .success) {
        try await TensorActor.run {
          try inFolder { folder in
            // Only the weights, of about 1,400 bytes, are larger than the limit.
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 1_000, rlim_max: 1_000)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let adapter = drawnAdapter(
              LoRAConfiguration(rank: 2), for: tinyConfiguration(), seed: 5)
            for target in [folder + "/new/adapter", folder] {
              let text = message { try adapter.save(to: target, card: card()) }
              #expect(text?.contains("expected to write the whole file") == true)
              #expect(!FileManager.default.fileExists(atPath: folder + "/new/adapter"))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["new"])
          }
        }
      }
    }
  #endif
}
