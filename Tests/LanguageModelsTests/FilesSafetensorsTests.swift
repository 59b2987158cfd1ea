import Foundation
import LanguageModels
import Testing

@Suite struct `Safetensors files` {
  @Test func `every dtype converts to the bits that numpy gives`() throws {
    let file = try SafetensorsFile(path: filesFixture("dtypes.safetensors"))
    let expected = try SafetensorsFile(path: filesFixture("dtypes-f32.safetensors"))
    #expect(file.metadata == ["note": "a \"quoted\"\n\\é\u{1}/"])
    #expect(file.tensors.count == 15 && expected.tensors.count == 15)
    for reference in expected.tensors {
      #expect(reference.type == .float32)
      let tensor = try file.tensor(reference.name)
      #expect(tensor.shape == reference.shape)
      let same = try floatBits(tensor.floats()) == floatBits(reference.floats())
      #expect(same, "\(tensor.name)")
    }
    #expect(try file.tensor("scalar").floats() == [0.1])
    #expect(try file.tensor("empty").floats() == [])
  }

  @Test func `writing gives the bytes that Python's safetensors writes`() throws {
    for name in ["dtypes-f32.safetensors", "types.safetensors"] {
      let path = filesFixture(name)
      let file = try SafetensorsFile(path: path)
      let entries = try file.tensors.map {
        SafetensorsEntry(name: $0.name, shape: $0.shape, values: try $0.floats())
      }
      try ScratchFile.inFolder { folder in
        let copy = folder.appendingPathComponent("copy.safetensors")
        try SafetensorsFile.write(entries.reversed(), metadata: file.metadata, to: copy.path)
        #expect(try Data(contentsOf: copy) == Data(contentsOf: URL(fileURLWithPath: path)))
      }
    }
  }

  @Test func `names and metadata survive whatever they are made of`() throws {
    let name = "a\"b\\c\u{0}\u{1f}\u{7f}\u{2028}é🧪/\n"
    let values: [Float] = [-0.0, .nan, .infinity, .leastNonzeroMagnitude]
    try ScratchFile.inFolder { folder in
      let path = folder.appendingPathComponent("x").path
      try SafetensorsFile.write(
        [SafetensorsEntry(name: name, shape: [2, 2], values: values)],
        metadata: [name: name, "": ""], to: path)
      let file = try SafetensorsFile(path: path)
      #expect(file.metadata == [name: name, "": ""])
      #expect(try floatBits(file.tensor(name).floats()) == floatBits(values))
      #expect(try file.tensor(name).offset % 8 == 0)
    }
  }

  @Test func `a file without tensors can be written and read`() throws {
    try ScratchFile.inFolder { folder in
      let path = folder.appendingPathComponent("x").path
      try SafetensorsFile.write([], to: path)
      let file = try SafetensorsFile(path: path)
      #expect(file.tensors.isEmpty && file.metadata.isEmpty)
    }
  }

  @Test func `escaped names read as JSON means them`() throws {
    let header =
      #"{"\u0041\ud83e\uddEA\/\b\f\r\t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
    try ScratchFile.holding(Self.file(header, [7])) { path in
      let tensor = try SafetensorsFile(path: path).tensor("A🧪/\u{8}\u{c}\r\t")
      #expect(try tensor.floats() == [7])
    }
  }

  @Test func `a file cut off at any byte is refused as malformed`() throws {
    let bytes = Self.file(Self.tiny, Array(0..<20))
    let whole = try ScratchFile.holding(bytes) { try SafetensorsFile(path: $0) }
    #expect(whole.tensors.count == 3)
    let wrong = try bytes.indices.filter { length in
      try ScratchFile.holding(Array(bytes[..<length])) { path in
        do throws(ModelFileError) {
          _ = try SafetensorsFile(path: path)
          return true
        } catch {
          guard case .malformed(let problem) = error else { return true }
          return problem.path != path
        }
      }
    }
    #expect(wrong.isEmpty, "cut after these many bytes")
  }

  @Test func `mutated files neither crash nor allocate beyond their size`() async {
    await #expect(processExitsWith: .success) {
      let bytes = `Safetensors files`.file(`Safetensors files`.tiny, Array(0..<20))
      let counts = try readMutations(of: bytes) { path throws(ModelFileError) in
        for tensor in try SafetensorsFile(path: path).tensors where tensor.type != .float8E4M3 {
          let count = try tensor.floats().count
          #expect(count == tensor.elementCount)
        }
      }
      #expect(counts.read > 10 && counts.refused > 1_000)
    }
  }

  @Test(arguments: [
    (#"[]"#, "`{` at byte 0"),
    (#"{"#, "found its end"),
    (#"{"a":1}"#, "`{` at byte 5"),
    (#"{}x"#, "the end at byte"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}"#, "`\"`"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{}}"#, "`a` twice"),
    (#"{"a":{"dtype":"F32","dtype":"F32"}}"#, "found `dtype`"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, "not all three"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, "found `x`"),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "a natural number"),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, "`]`"),
    (#"{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}"#, "a natural number"),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}"#, "below 2^63"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}"#, "found 4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "found 4 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "a start and an end"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, "a start and an end"),
    (#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}"#, "found offset 1"),
    (#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#, "3 bytes of data, found 4"),
    (#"{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}}"#, "5 bytes of data, found 4"),
    (
      #"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"#
        + #""b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, "`b` at offset 3"
    ),
    (#"{"__metadata__":{"a":"1","a":"2"}}"#, "`a` twice"),
    (#"{"__metadata__":{"a":1}}"#, "`\"`"),
    (#"{"__metadata__":{},"__metadata__":{}}"#, "`__metadata__` once"),
    (#"{"\ud800":{}}"#, "a surrogate pair"),
    (#"{"\ud800\u0041":{}}"#, "a surrogate pair"),
    (#"{"\u00g0":{}}"#, "hexadecimal"),
    (#"{"\x":{}}"#, "an escape that JSON knows"),
    ("{\"a\nb\":{}}", "an escaped control character"),
  ])
  func `a header that lies is refused, and the lie named`(header: String, says: String) throws {
    try ScratchFile.holding(Self.file(header, [0, 0, 0, 0])) { path in
      #expect {
        try SafetensorsFile(path: path)
      } throws: { error in
        guard case .malformed? = error as? ModelFileError, "\(error)".contains(says) else {
          Issue.record("\(error)")
          return false
        }
        return true
      }
    }
  }

  @Test func `a header length beyond the file or the limit is refused`() throws {
    for length in [UInt64.max, 1 << 63, 5, 100_000_001] {
      try ScratchFile.holding(GGUFBuilder.bytes(length) + Array("{}  ".utf8)) { path in
        #expect {
          try SafetensorsFile(path: path)
        } throws: {
          "\($0)".contains("a header of at most 4 bytes, found a header length of \(length)")
        }
      }
    }
  }

  @Test func `a dtype that is unknown or does not convert is refused by name`() throws {
    let header = { (dtype: String) in
      #"{"a":{"dtype":"\#(dtype)","shape":[4],"data_offsets":[0,4]}}"#
    }
    try ScratchFile.holding(Self.file(header("F4"), [0, 0, 0, 0])) { path in
      #expect {
        try SafetensorsFile(path: path)
      } throws: { error in
        guard case .unsupported? = error as? ModelFileError else { return false }
        return "\(error)".contains("`F4`")
      }
    }
    try ScratchFile.holding(Self.file(header("F8_E4M3"), [0, 0, 0, 0])) { path in
      let tensor = try SafetensorsFile(path: path).tensor("a")
      #expect {
        try tensor.floats()
      } throws: { "\($0)".contains("F8_E4M3 in `a`") }
    }
  }

  static let tiny =
    #"{"__metadata__":{"format":"pt"},"#
    + #""a.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"#
    + #""b":{"dtype":"F16","shape":[],"data_offsets":[8,10]},"#
    + #""c":{"dtype":"I16","shape":[5],"data_offsets":[10,20]}}"#

  static func file(_ header: String, _ data: [UInt8]) -> [UInt8] {
    GGUFBuilder.bytes(UInt64(header.utf8.count)) + header.utf8 + data
  }
}
