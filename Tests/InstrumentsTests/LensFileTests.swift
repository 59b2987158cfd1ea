import Foundation
import Instruments
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

@Suite struct LensFileTests {
  @Test @TensorActor
  func `a lens of the tuned-lens package reads here what it reads there`() throws {
    let model = try sharpModel()
    let lens = try Lens.read(fixture("theirs"), for: model)
    #expect(lens.kind == .tuned)
    try expectReads(lens, model, prefix: "read")
  }

  @Test @TensorActor
  func `a Jacobian lens reads here what TransformerLens transports`() throws {
    let model = try sharpModel()
    let lens = try Lens.read(fixture("jacobian.pt"), for: model)
    #expect(lens.kind == .jacobian && lens.sites == [.block(1, .residPre)])
    try expectReads(lens, model, prefix: "jacobian")
  }

  @TensorActor private func expectReads(
    _ lens: Lens, _ model: LanguageModel, prefix: String
  ) throws {
    let recorded = try SafetensorsFile(path: fixture("lens.safetensors"))
    let output = try model.forward(
      TokenBatch([try LensReference.read().ids]), logits: .none,
      hooks: Hooks(captures: Set(lens.sites)))
    for site in lens.sites {
      guard case .block(let i, _) = site else { continue }
      let reading = try model.read(#require(output.captured[site]), at: site, through: lens)
      // Logits of a head times 30 reach 100: 1e-4 is 1e-6 of them.
      expectError(
        largestDifference(
          try model.logits(of: reading).logSoftmax().floats(),
          try recorded.tensor("\(prefix)\(i)").floats()), within: 2e-4, "\(prefix)\(i)")
    }
  }

  @Test(arguments: [true, false]) @TensorActor
  func `what is written is read back bit for bit`(_ asTunedLens: Bool) throws {
    let model = try sharpModel()
    let c = model.configuration
    var key = RandomKey(seed: 8)
    let blank = Lens(.tuned, sites: Lens.sites(of: c, mid: !asTunedLens), dModel: c.dModel)
    let lens = blank.replacing(blank.parameters.mapValues { key.normal($0.shape) })
    try inFolder { folder in
      if asTunedLens {
        try lens.writeTunedLens(to: folder, for: model)
      } else {
        try lens.writeSafetensors(to: "\(folder)/lens.safetensors", for: model)
      }
      let back = try Lens.read(folder, for: model)
      #expect(back.sites == lens.sites && back.kind == .tuned)
      for path in lens.parameters.paths {
        #expect(try back.parameters[path].floats() == lens.parameters[path].floats())
      }
    }
  }

  @Test(arguments: [true, false]) @TensorActor
  func `a lens for another model is refused`(_ asTunedLens: Bool) throws {
    let (model, other) = (try sharpModel(), try tinyModel("llama"))
    let lens = Lens(
      .tuned, sites: Lens.sites(of: model.configuration), dModel: model.configuration.dModel)
    try inFolder { folder in
      if asTunedLens {
        try lens.writeTunedLens(to: folder, for: model)
      } else {
        try lens.writeSafetensors(to: "\(folder)/lens.safetensors", for: model)
      }
      let error = #expect(throws: LensError.self) { try Lens.read(folder, for: other) }
      #expect("\(String(describing: error))".contains("for this model"))
    }
  }

  @Test @TensorActor
  func `the unembedding's hash is that of the tuned-lens package`() throws {
    let config = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: fixture("theirs/config.json"))))
    let recorded = (config as? [String: Any])?["unembed_hash"] as? String
    #expect(try sharpModel().tunedLensHash() == recorded)
  }

  @Test func `NumPy's short print of a matrix is reproduced`() throws {
    for hash in try LensReference.read().hashes {
      #expect(NumPySummary(corners: hash.corners).text == hash.text)
      #expect(FileDigest.sha256(Array(hash.text.utf8)) == hash.sha256)
    }
  }
}

@Suite struct TorchFileTests {
  private static let file = fixture("theirs/params.pt")

  @Test func `a state dictionary is read without executing anything`() throws {
    let file = try TorchFile(path: Self.file)
    let weight = try #require(file.root["0.weight"]?.tensor)
    #expect(weight.shape == [16, 16])
    #expect(try weight.floats().contains { $0 != 0 })
    #expect(file.root["2.weight"] == nil)
  }

  /// Every byte of the pickle and of the archive's tables, changed one at a time, and every length.
  @Test func `damaged files end in a sentence or in the same tensors, and never in a crash`() throws
  {
    let whole = try Array(Data(contentsOf: URL(fileURLWithPath: Self.file)))
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-\(UUID().uuidString).pt").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let root = try TorchFile(path: Self.file).root
    var known: [String: [Float]] = [:]
    for name in ["0.weight", "0.bias", "1.weight", "1.bias"] {
      known[name] = try #require(root[name]?.tensor).floats()
    }
    var refused = 0
    func attempt(_ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        let root = try TorchFile(path: path).root
        for name in ["0.weight", "0.bias", "1.weight", "1.bias"] {
          if let values = try root[name]?.tensor?.floats() { #expect(values == known[name]) }
        }
      } catch {
        refused += 1
      }
    }
    for place in whole.indices {
      var bytes = whole
      bytes[place] = bytes[place] &+ UInt8(1 + place % 255)
      try attempt(bytes)
    }
    let changed = refused
    #expect(changed > 300)
    for length in stride(from: 1, to: whole.count, by: 13) {
      try attempt(Array(whole.prefix(length)))
    }
    #expect(refused - changed == (whole.count + 11) / 13)
  }

  /// What a pickle would do if anybody ran it.
  @Test(arguments: [
    "cos\nsystem\n(S'true'\ntR.", "cbuiltins\neval\n(X\u{1}\u{0}\u{0}\u{0}1tR.",
    "ctorch\nload\n.", "}(KaKbub.", "(((((", "]\u{94}(h\u{0}h\u{0}e.",
  ])
  func `pickles that do anything else are refused`(_ pickle: String) throws {
    let entry = SafetensorsEntry(name: "w", shape: [2], values: [1, 2])
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-\(UUID().uuidString).pt").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try TorchFile.write([entry], to: path)
    var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    let start = try #require(Self.pickleStart(bytes))
    let program = [0x80, 2] + Array(pickle.utf8)
    bytes.replaceSubrange(start..<start + program.count, with: program)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(throws: ModelFileError.self) { try TorchFile(path: path) }
  }

  private static func pickleStart(_ bytes: [UInt8]) -> Int? {
    let opening: [UInt8] = [0x80, 2] + Array("ccollections".utf8)
    return bytes.indices.first { bytes[$0...].starts(with: opening) }
  }
}
