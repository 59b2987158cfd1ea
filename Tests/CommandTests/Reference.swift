import Foundation

/// What transformers computed for the default model; Scripts/reference/README.md describes it.
struct Reference: Decodable {
  struct Sequence: Decodable {
    let name: String
    let text: String
    let ids: [Int]
    let positions: [Int]
  }

  struct Greedy: Decodable {
    let prompt: String
    let ids: [Int]
    let firstEndToken: Int?
  }

  let sequences: [Sequence]
  let greedy: [Greedy]

  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "LanguageModelsTests/Fixtures/model")

  static func load() throws -> Reference {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      Reference.self, from: Data(contentsOf: folder.appending(path: "model.json")))
  }
}

/// The fp32 arrays of a safetensors file, read without the code that the command writes them with.
struct Arrays {
  private struct Entry: Decodable {
    let dtype: String
    let shape: [Int]
    let dataOffsets: [Int]

    enum CodingKeys: String, CodingKey {
      case dtype, shape
      case dataOffsets = "data_offsets"
    }
  }

  struct NotFloat32: Error {}

  private let data: Data
  private let entries: [String: Entry]

  init(_ file: URL) throws {
    let bytes = try Data(contentsOf: file)
    let length = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    entries = try JSONDecoder().decode(
      [String: Entry].self, from: Data(bytes[8..<8 + length]))
    data = Data(bytes[(8 + length)...])
  }

  var names: Set<String> { Set(entries.keys) }
  func shape(_ name: String) -> [Int]? { entries[name]?.shape }

  func floats(_ name: String) throws -> [Float] {
    guard let entry = entries[name], entry.dtype == "F32" else { throw NotFloat32() }
    let bytes = [UInt8](data[entry.dataOffsets[0]..<entry.dataOffsets[1]])
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(
        bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << (8 * $1) })
    }
  }
}
