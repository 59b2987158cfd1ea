internal import Foundation

/// A matrix as NumPy prints it in short, by whose SHA-256 the tuned-lens package knows unembeddings:
/// `np.array_str(matrix, precision=1)`, the first and last three of its first and last three rows.
///
/// Numbers have one decimal, unless it is 0; all are in scientific notation where the largest is over 1,000 times the least, or the least below 0.0001
/// (NumPy's `FloatingFormat`, floatmode `maxprec`).
package struct NumPySummary {
  /// Six rows of six.
  let corners: [[Float]]

  package init(corners: [[Float]]) { self.corners = corners }

  package var text: String {
    let numbers = corners.joined().map { abs($0) }.filter { $0 > 0 }
    let (least, most) = (numbers.min() ?? 1, numbers.max() ?? 1)
    let isScientific = most >= 1e8 || least < 0.0001 || most / least > 1000
    let parts = corners.map { $0.map { isScientific ? Self.scientific($0) : Self.fixed($0) } }
    let left = parts.joined().map(\.whole.count).max() ?? 1
    let right = parts.joined().map(\.decimals.count).max() ?? 0
    let rows = parts.map { row in
      let cells = row.map { part in
        let padding = String(repeating: " ", count: left - part.whole.count)
        // Scientific mantissas are filled with zeros, others with blanks.
        let filling = String(
          repeating: isScientific ? "0" : " ", count: right - part.decimals.count)
        return padding + part.whole + "." + part.decimals + filling + part.exponent
      }
      return "[" + (cells.prefix(3) + ["..."] + cells.suffix(3)).joined(separator: " ") + "]"
    }
    return "[" + (rows.prefix(3) + ["..."] + rows.suffix(3)).joined(separator: "\n ") + "]"
  }

  private struct Parts {
    var whole: String
    var decimals: String
    var exponent = ""
  }

  private static func fixed(_ value: Float) -> Parts {
    let parts = String(format: "%.1f", Double(value)).split(separator: ".")
    return Parts(whole: String(parts[0]), decimals: parts[1] == "0" ? "" : String(parts[1]))
  }

  private static func scientific(_ value: Float) -> Parts {
    let text = String(format: "%.1e", Double(value))
    let parts = text.split { $0 == "." || $0 == "e" }
    return Parts(
      whole: String(parts[0]), decimals: parts[1] == "0" ? "" : String(parts[1]),
      exponent: "e" + parts[2])
  }
}

extension LanguageModel {
  /// The hash by which the tuned-lens package knows this model's unembedding.
  package func tunedLensHash() throws -> String {
    let corners = try unembeddingCorners()
    return FileDigest.sha256(Array(NumPySummary(corners: corners).text.utf8))
  }
}
