import Foundation
import LanguageModels
import Testing

@Suite struct `Safetensors checkpoints` {
  @Test func `a checkpoint that transformers sharded reads as the weights that it saved`() throws {
    let checkpoint = try SafetensorsCheckpoint(folder: filesFixture("sharded"))
    let expected = try SafetensorsFile(path: filesFixture("sharded-f32.safetensors"))
    #expect(checkpoint.files.count >= 3)
    #expect(checkpoint.tensors.count == expected.tensors.count)
    #expect(checkpoint.byteCount == expected.tensors.reduce(0) { $0 + $1.byteCount } / 2)
    for reference in expected.tensors {
      let tensor = try checkpoint.tensor(reference.name)
      #expect(tensor.type == .bfloat16 && tensor.shape == reference.shape)
      #expect(try floatBits(tensor.floats()) == floatBits(reference.floats()))
    }
    #expect(checkpoint.hasTensor("lm_head.weight") && !checkpoint.hasTensor("nope"))
    #expect(throws: ModelFileError.self) { try checkpoint.tensor("nope") }
  }

  @Test func `writing shards gives the files that transformers writes`() throws {
    let record = try #require(
      JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: filesFixture("sharded.json"))))
        as? [String: Any])
    let order = try #require(record["order"] as? [String])
    let source = try SafetensorsFile(path: filesFixture("sharded-f32.safetensors"))
    let layouts = try order.map {
      SafetensorsLayout(name: $0, shape: try source.tensor($0).shape, precision: .bfloat16)
    }
    try ScratchFile.inFolder { folder in
      try SafetensorsCheckpoint.write(layouts, to: folder.path, shardByteCount: 2000) {
        (layout) throws(ModelFileError) in try source.tensor(layout.name).floats()
      }
      let recorded = URL(fileURLWithPath: filesFixture("sharded"))
      let names = try FileManager.default.contentsOfDirectory(atPath: recorded.path).sorted()
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == names)
      for name in names {
        let same =
          try Data(contentsOf: folder.appendingPathComponent(name))
          == Data(contentsOf: recorded.appendingPathComponent(name))
        #expect(same, "\(name)")
      }
    }
  }

  @Test func `every float type is written with the bytes that torch and safetensors give`() throws {
    let values = try SafetensorsFile(path: filesFixture("mixed-f32.safetensors")).tensor("a")
      .floats()
    let layouts = [
      SafetensorsLayout(name: "z", shape: [values.count], precision: .float16),
      SafetensorsLayout(name: "a", shape: [values.count], precision: .bfloat16),
      SafetensorsLayout(name: "b", shape: [values.count]),
      SafetensorsLayout(name: "c", shape: [3, 1]),
    ]
    try ScratchFile.inFolder { folder in
      try SafetensorsCheckpoint.write(layouts, to: folder.path) {
        $0.name == "c" ? Array(values[..<3]) : values
      }
      let written = folder.appendingPathComponent("model.safetensors")
      let recorded = URL(fileURLWithPath: filesFixture("mixed.safetensors"))
      #expect(try Data(contentsOf: written) == Data(contentsOf: recorded))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.safetensors"])
    }
  }

  @Test func `NaN stays NaN and a large tensor is converted in parts`() throws {
    let count = 1 << 18 + 3
    let values = [Float](repeating: 1.5, count: count - 1) + [.nan]
    for precision in [SafetensorsLayout.Precision.float16, .bfloat16] {
      try ScratchFile.inFolder { folder in
        let path = folder.appendingPathComponent("x").path
        let layout = SafetensorsLayout(name: "x", shape: [count], precision: precision)
        try SafetensorsFile.write([layout], to: path) { _ in values }
        let back = try SafetensorsFile(path: path).tensor("x").floats()
        #expect(back.last?.isNaN == true && back.dropLast().allSatisfy { $0 == 1.5 })
        #expect(back.count == count)
      }
    }
  }

  @Test func `a failure while writing leaves the folder as it was`() throws {
    let stop = ModelFileError.malformed(.init(path: "p", expected: "e", found: "f", remedy: "r"))
    let layouts = ["a", "b", "c"].map { SafetensorsLayout(name: $0, shape: [4]) }
    try ScratchFile.inFolder { folder in
      #expect(throws: stop) {
        try SafetensorsCheckpoint.write(layouts, to: folder.path, shardByteCount: 16) {
          (layout) throws(ModelFileError) in
          if layout.name == "c" { throw stop }
          return [1, 2, 3, 4]
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
      try SafetensorsCheckpoint.write(layouts, to: folder.path) { _ in [1, 2, 3, 4] }
      #expect {
        try SafetensorsCheckpoint.write(layouts, to: folder.path, shardByteCount: 16) { _ in [] }
      } throws: { "\($0)".contains("a folder without weights, found `model.safetensors`") }
    }
  }

  /// Shards `one` with the tensor `a` and `two` with `b`, and an index of the given text.
  private func checkpoint(
    _ index: String, _ body: (SafetensorsCheckpoint) throws -> Void = { _ in }
  ) throws {
    try ScratchFile.inFolder { folder in
      for (file, tensor) in [("one", "a"), ("two", "b")] {
        try SafetensorsFile.write(
          [.init(name: tensor, shape: [1], values: [1])],
          to: folder.appendingPathComponent("\(file).safetensors").path)
      }
      try Data(index.utf8).write(
        to: folder.appendingPathComponent("model.safetensors.index.json"))
      try body(SafetensorsCheckpoint(folder: folder.path))
    }
  }

  @Test func `what transformers tolerates in an index is tolerated`() throws {
    let index = #"""
      {"metadata": {"total_size": 1.5e3, "x": [true, null, {"y": "z"}, -1]}, "other": [[], {}],
       "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
      """#
    try checkpoint(index) { checkpoint in
      #expect(checkpoint.tensors.map(\.name) == ["a", "b"])
      // A single file goes before an index.
      try SafetensorsFile.write(
        [.init(name: "c", shape: [], values: [1])],
        to: (checkpoint.folder as NSString).appendingPathComponent("model.safetensors"))
      #expect(try SafetensorsCheckpoint(folder: checkpoint.folder).tensors.map(\.name) == ["c"])
    }
  }

  @Test(arguments: [
    (#""a":"one.safetensors""#, #"b"#, ""),
    (#""a":"one.safetensors","b":"one.safetensors""#, "`b` named in `one.safetensors`", ""),
    (#""a":"two.safetensors","b":"two.safetensors""#, "`a` named in `two.safetensors`", ""),
    (
      #""a":"one.safetensors","b":"two.safetensors","c":"two.safetensors""#,
      "`c` named in `two.safetensors`, which lacks it", ""
    ),
    (#""b":"two.safetensors","c":"one.safetensors""#, "`a`, which model.safetensors.index", ""),
    (#""a":"one.safetensors","b":"three.safetensors""#, "no such file", ""),
    (#""a":"one.safetensors","a":"one.safetensors""#, "`a` twice", ""),
    (#""a":"../one.safetensors""#, "found `../one.safetensors`", ""),
    (#""a":"/one.safetensors""#, "found `/one.safetensors`", ""),
    (#""a":"..safetensors""#, "found `..safetensors`", ""),
    (#""a":"x\u0000.safetensors""#, "the plain name of a .safetensors file", ""),
    (#""a":"one.bin""#, "found `one.bin`", ""),
    (#""a":1"#, "found `1}}`", ""),
    ("", "tensors under `weight_map`, found none", ""),
    (#""a":"one.safetensors","b":"two.safetensors""#, "the end at byte", "}"),
    (#""a":"one.safetensors","b":"two.safetensors""#, "`weight_map` once", #","weight_map":{}"#),
    (#""a":"one.safetensors","b":"two.safetensors""#, "nested less deeply", ",\"x\":"),
  ])
  func `an index and shards that disagree are refused`(
    map: String, says: String, more: String
  ) throws {
    let nested = more.hasSuffix(":") ? String(repeating: "[", count: 100_000) : ""
    let end = more == "}" ? "}}" : more + nested + "}"
    guard says != "b" else {
      // A shard that no tensor names is not opened: nothing says that it belongs here.
      return try checkpoint("{\"weight_map\":{\(map)}}") { #expect($0.tensors.count == 1) }
    }
    #expect {
      try checkpoint("{\"weight_map\":{\(map)}\(end)")
    } throws: { error in
      if !"\(error)".contains(says) { Issue.record("\(error)") }
      return error is ModelFileError
    }
  }

  @Test func `a folder without safetensors is refused, a pickle by name`() throws {
    try ScratchFile.inFolder { folder in
      #expect {
        try SafetensorsCheckpoint(folder: folder.path)
      } throws: { error in
        guard case .absent? = error as? ModelFileError else { return false }
        return "\(error)".contains("or model.safetensors.index.json, found neither")
      }
      try Data("x".utf8).write(to: folder.appendingPathComponent("pytorch_model.bin"))
      #expect {
        try SafetensorsCheckpoint(folder: folder.path)
      } throws: { error in
        guard case .unsupported? = error as? ModelFileError else { return false }
        return "\(error)".contains("found only `pytorch_model.bin`: take a revision with")
      }
    }
  }
}
