import LanguageModels
import Testing

@Suite struct `Hostile GGUF files` {
  @Test func `a file cut off at any byte is refused as malformed`() throws {
    let bytes = GGUFBuilder.tiny().build()
    let whole = try ScratchFile.holding(bytes) { try GGUFFile(path: $0) }
    #expect(whole.tensors.count == 4)
    let wrong = try bytes.indices.filter { length in
      try ScratchFile.holding(Array(bytes[..<length])) { path in
        do throws(ModelFileError) {
          _ = try GGUFFile(path: path)
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
      let counts = try readMutations(of: GGUFBuilder.tiny().build()) {
        path throws(ModelFileError) in
        let file = try GGUFFile(path: path)
        for tensor in file.tensors where tensor.type.isReadable {
          let count = try tensor.floats().count
          #expect(count == tensor.elementCount)
        }
      }
      #expect(counts.read > 100 && counts.refused > 1_000)
    }
  }

  /// A way to spoil a small file, and what the message has to say about it.
  struct Lie: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var says: String
    var isUnsupported = false
    var tell: @Sendable (inout GGUFBuilder) -> Void

    init(
      _ description: String, says: String, isUnsupported: Bool = false,
      _ tell: @escaping @Sendable (inout GGUFBuilder) -> Void
    ) {
      testDescription = description
      self.says = says
      self.isUnsupported = isUnsupported
      self.tell = tell
    }
  }

  static let scalar = GGUFBuilder.bytes(UInt32(0))

  static let lies: [Lie] = [
    Lie("magic", says: "the magic bytes `GGUF`, found `PK") {
      $0.magic = Array("PK\u{3}\u{4}".utf8)
    },
    Lie("version 1", says: "found version 1", isUnsupported: true) { $0.version = 1 },
    Lie("version 4", says: "found version 4", isUnsupported: true) { $0.version = 4 },
    Lie("byte order", says: "a big-endian file", isUnsupported: true) { $0.version = 3 << 24 },
    Lie("count of keys", says: "the number of metadata keys to fit") { $0.keyCount = .max },
    Lie("count of tensors", says: "the number of tensors to fit") { $0.tensorCount = 1 << 40 },
    Lie("key twice", says: "`llama.block_count` twice") { $0.key("llama.block_count", 3) },
    Lie("value type", says: "found 13") { $0.key("x", type: 13, [0]) },
    Lie("boolean", says: "found 2") { $0.key("x", type: 7, [2]) },
    Lie("string length", says: "the length of the value of `x`") {
      $0.key("x", type: 8, GGUFBuilder.bytes(UInt64.max))
    },
    Lie("string bytes", says: "the value of `x` in UTF-8") {
      $0.key("x", type: 8, GGUFBuilder.bytes(UInt64(2)) + [0xc3, 0x28])
    },
    Lie("array length", says: "the length of `x`") {
      $0.array("x", type: 0, count: 1 << 62, [1])
    },
    Lie("array of empty strings", says: "the length of `x`") {
      $0.array("x", type: 8, count: 1_000, GGUFBuilder.string(""))
    },
    Lie("array depth", says: "arrays at most 8 deep") {
      let array = GGUFBuilder.bytes(UInt32(9)) + GGUFBuilder.bytes(UInt64(1))
      $0.array("x", type: 9, count: 1, Array(repeating: array, count: 100).flatMap { $0 })
    },
    Lie("alignment of 0", says: "`general.alignment`") {
      $0 = GGUFBuilder()
      $0.key("general.alignment", 0)
    },
    Lie("alignment of 24", says: "`general.alignment`") {
      $0 = GGUFBuilder()
      $0.key("general.alignment", 24)
    },
    Lie("alignment of text", says: "`general.alignment`") {
      $0 = GGUFBuilder()
      $0.key("general.alignment", "32")
    },
    Lie("tensor twice", says: "`f32` twice") { $0.tensor("f32", dimensions: [1], type: 0, scalar) },
    Lie("rank", says: "at most 4 dimensions for `x`") {
      $0.tensor("x", dimensions: [1, 1, 1, 1, 1], type: 0, scalar)
    },
    Lie("dimension of 0", says: "found 0") { $0.tensor("x", dimensions: [0], type: 0, []) },
    Lie("dimension of 2^64 - 1", says: "dimensions of 1 to 2^63 - 1") {
      $0.tensor("x", dimensions: [.max], type: 0, scalar)
    },
    Lie("product of dimensions", says: "`x` to fit the file") {
      $0.tensor("x", dimensions: [1 << 32, 1 << 32], type: 0, scalar)
    },
    Lie("product that wraps to 4", says: "`x` to fit the file") {
      $0.tensor("x", dimensions: [(1 << 62) + 1], type: 0, scalar)
    },
    Lie("row of half a block", says: "a row of 16") {
      $0.tensor("x", dimensions: [16, 2], type: 3, Array(repeating: 0, count: 20))
    },
    Lie("tensor type", says: "type 99", isUnsupported: true) {
      $0.tensor("x", dimensions: [1], type: 99, scalar)
    },
    Lie("offset off alignment", says: "multiple of 32, found 4") {
      $0.tensor("x", dimensions: [1], type: 0, scalar, offset: 4)
    },
    Lie("offset beyond the file", says: "`x` to end within the file") {
      $0.tensor("x", dimensions: [1], type: 0, scalar, offset: 1 << 20)
    },
    Lie("offset that wraps", says: "`x` to end within the file") {
      $0.tensor("x", dimensions: [8], type: 0, [], offset: UInt64(Int.max) - 31)
    },
    Lie("offset of 2^64 - 32", says: "multiple of 32") {
      $0.tensor("x", dimensions: [1], type: 0, scalar, offset: .max - 31)
    },
    Lie("tensor over another", says: "over its neighbour") {
      $0.tensor("x", dimensions: [1], type: 0, scalar, offset: 0)
    },
  ]

  @Test(arguments: lies) func `a lie in the header is refused, and named`(lie: Lie) throws {
    var builder = GGUFBuilder.tiny()
    lie.tell(&builder)
    try ScratchFile.holding(builder.build()) { path in
      #expect {
        try GGUFFile(path: path)
      } throws: { error in
        switch error as? ModelFileError {
        case .malformed: if lie.isUnsupported { return false }
        case .unsupported: if !lie.isUnsupported { return false }
        default: return false
        }
        guard "\(error)".contains(lie.says) else {
          Issue.record("\(error)")
          return false
        }
        return true
      }
    }
  }

  @Test func `a name in a message is escaped and cut`() throws {
    let name = "\u{1b}[31m\n" + String(repeating: "x", count: 10_000)
    var builder = GGUFBuilder()
    builder.key(name, type: 13, [0])
    try ScratchFile.holding(builder.build()) { path in
      #expect {
        try GGUFFile(path: path)
      } throws: { error in
        let text = "\(error)"
        return text.utf8.count < 500 && text.unicodeScalars.allSatisfy { $0.value >= 0x20 }
      }
    }
  }
}
