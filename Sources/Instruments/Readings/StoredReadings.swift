package import Foundation
internal import LanguageModels

/// Activations and losses that were read once and are kept in files, for instruments that ask for the same again.
///
/// What an instrument sees does not depend on whether they were kept: rows are fp32, as they were read.
package struct StoredReadings: Sendable {
  private struct Header: Codable {
    var layers: [Int]
    var positions: [ActivationPosition]
    var width: Int
    /// Rows of each item, by position: none or one.
    var present: [[Bool]]
  }

  private let header: Header
  private let place: [Response: Int]
  /// Where each position's part of the file begins, in rows of all layers.
  private let starts: [Int]
  private let numbers: Data
  private let losses: Losses?

  /// What the specimen made of each exchange's response.
  package struct Losses: Codable, Sendable {
    /// −log p of every token in nats.
    package var own: [[Float]]
    /// What a lens makes of the first `tokens` tokens after each of `blocks`, as means in nats.
    package var lens: [[Double]]
    package var blocks: [Int]
    package var tokens: Int

    package init(own: [[Float]], lens: [[Double]], blocks: [Int], tokens: Int) {
      (self.own, self.lens) = (own, lens)
      (self.blocks, self.tokens) = (blocks, tokens)
    }
  }

  /// Reads the files that ``write(_:layers:losses:to:)`` left in `folder`.
  ///
  /// - Parameters:
  ///   - folder: Where they lie.
  ///   - responses: What was read, in the same order.
  /// - Throws: What the file system or the decoder reports.
  package init(folder: URL, of responses: [Response]) throws {
    let header = try JSONDecoder().decode(
      Header.self, from: Data(contentsOf: folder.appending(path: "activations.json")))
    self.header = header
    numbers = try Data(
      contentsOf: folder.appending(path: "activations.f32"), options: .mappedIfSafe)
    let kept = folder.appending(path: "losses.json")
    losses =
      FileManager.default.fileExists(atPath: kept.path)
      ? try JSONDecoder().decode(Losses.self, from: Data(contentsOf: kept)) : nil
    if let losses, losses.own.count != responses.count || losses.lens.count != responses.count {
      throw CocoaError(.fileReadCorruptFile)
    }
    place = Dictionary(
      responses.enumerated().map { ($0.element, $0.offset) },
      uniquingKeysWith: { first, _ in first })
    var starts: [Int] = []
    var next = 0
    for present in header.present {
      starts.append(next)
      next += present.count { $0 } * header.layers.count
    }
    self.starts = starts
    guard numbers.count == next * header.width * MemoryLayout<Float>.size else {
      throw CocoaError(.fileReadCorruptFile)
    }
  }

  /// Writes tables of single rows, one for each position, all of the outputs of `layers`, and what the responses
  /// cost.
  ///
  /// - Throws: What the file system reports.
  package static func write(
    _ tables: [(position: ActivationPosition, table: ActivationTable)], layers: [Int],
    losses: Losses? = nil, to folder: URL
  ) throws {
    let sample = tables.lazy.flatMap { $0.table.values.values }.first ?? []
    let rows = tables.first?.table.rowCount ?? 0
    let header = Header(
      layers: layers, positions: tables.map(\.position), width: rows == 0 ? 0 : sample.count / rows,
      present: tables.map { $0.table.spans.map { !$0.isEmpty } })
    var numbers = Data()
    for (_, table) in tables {
      for layer in layers {
        (table.values[.block(layer, .residPost)] ?? []).withUnsafeBytes {
          numbers.append(contentsOf: $0)
        }
      }
    }
    try JSONEncoder().encode(header).write(to: folder.appending(path: "activations.json"))
    try numbers.write(to: folder.appending(path: "activations.f32"))
    if let losses {
      try JSONEncoder().encode(losses).write(to: folder.appending(path: "losses.json"))
    }
  }

  /// −log p of every token of each response, or nil where something was not kept.
  func losses(of responses: [Response]) -> [[Float]]? {
    guard let losses else { return nil }
    return places(of: responses)?.map { losses.own[$0] }
  }

  /// What a lens makes of responses' first tokens, or nil where just that was not kept.
  func lensLosses(of responses: [Response], blocks: [Int], tokens: Int) -> [[Double]]? {
    guard let losses, losses.blocks == blocks, losses.tokens == tokens else { return nil }
    return places(of: responses)?.map { losses.lens[$0] }
  }

  private func places(of responses: [Response]) -> [Int]? {
    let found = responses.compactMap { place[$0] }
    return found.count == responses.count ? found : nil
  }

  /// The table that reading would give, or nil where something was not kept.
  func table(
    of responses: [Response], at sites: [Site], position: ActivationPosition
  ) throws -> ActivationTable? {
    guard let part = header.positions.firstIndex(of: position) else { return nil }
    let layers = sites.compactMap { site in
      header.layers.firstIndex { Site.block($0, .residPost) == site }
    }
    guard layers.count == sites.count, let places = places(of: responses) else { return nil }
    let present = header.present[part]
    // Row of each item among those that have one.
    var row: [Int] = []
    for isPresent in present { row.append((row.last ?? -1) + (isPresent ? 1 : 0)) }
    let rowsInPart = (row.last ?? -1) + 1
    var spans: [Range<Int>] = []
    for place in places {
      let start = spans.last?.upperBound ?? 0
      spans.append(start..<start + (present[place] ? 1 : 0))
    }
    var values: [Site: [Float]] = [:]
    let bytes = header.width * MemoryLayout<Float>.size
    for (site, layer) in zip(sites, layers) {
      var own: [Float] = []
      own.reserveCapacity((spans.last?.upperBound ?? 0) * header.width)
      for place in places where present[place] {
        let start = (starts[part] + layer * rowsInPart + row[place]) * bytes
        numbers.withUnsafeBytes { raw in
          own += raw[start..<start + bytes].bindMemory(to: Float.self)
        }
      }
      values[site] = own
    }
    return try ActivationTable(spans: spans, values: values)
  }
}
