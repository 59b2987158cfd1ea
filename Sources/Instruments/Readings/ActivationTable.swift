package import LanguageModels

/// Where in a response activations are read.
package enum ActivationPosition: Hashable, Codable, Sendable {
  /// The last token of the prompt, before anything is answered: one row an item.
  case lastPromptToken
  /// The mean over the tokens of the answer: one row an item, none where the answer is empty.
  case responseMean
  /// Each of the answer's first tokens: up to so many rows an item.
  case responseStart(Int)
}

/// Activations of several responses: for each site, rows of numbers and whose they are.
package struct ActivationTable: Sendable {
  /// The rows of each item, which are none where its position does not exist.
  package let spans: [Range<Int>]
  /// `[row, width]` of each site.
  package let values: [Site: [Float]]

  /// A table of rows.
  ///
  /// - Throws: ``DetectorError/notFinite(what:item:)`` where a number is NaN or infinite: a score
  ///   computed from it would be a number that means nothing.
  package init(spans: [Range<Int>], values: [Site: [Float]]) throws(DetectorError) {
    let rows = spans.last?.upperBound ?? 0
    for (site, numbers) in values {
      precondition(
        rows == 0 ? numbers.isEmpty : numbers.count % rows == 0,
        "ActivationTable: \(numbers.count) numbers cannot fill \(rows) rows of \(site)")
      guard let bad = numbers.firstIndex(where: { !$0.isFinite }) else { continue }
      let row = bad / (numbers.count / rows)
      throw .notFinite(
        what: "activation at \(site)", item: spans.firstIndex { $0.contains(row) } ?? row)
    }
    (self.spans, self.values) = (spans, values)
  }

  /// Tables of the same sites, one after the other.
  ///
  /// - Throws: As ``init(spans:values:)``.
  package init(joining tables: [ActivationTable]) throws(DetectorError) {
    var spans: [Range<Int>] = []
    var values: [Site: [Float]] = [:]
    for table in tables {
      let start = spans.last?.upperBound ?? 0
      spans += table.spans.map { $0.lowerBound + start..<$0.upperBound + start }
      for (site, own) in table.values { values[site, default: []] += own }
    }
    try self.init(spans: spans, values: values)
  }

  /// Rows of all items.
  package var rowCount: Int { spans.last?.upperBound ?? 0 }

  /// The numbers of one row at `site`, which must be in the table.
  package func row(_ row: Int, at site: Site) -> ArraySlice<Float> {
    guard let numbers = values[site] else {
      preconditionFailure("ActivationTable: \(site) was not read")
    }
    let width = numbers.count / rowCount
    return numbers[row * width..<(row + 1) * width]
  }
}
