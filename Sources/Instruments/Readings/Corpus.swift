internal import Foundation
package import LanguageModels
internal import Statistics

/// Documents of text files, cut into windows of tokens.
///
/// A document is a line of a `.jsonl` file (its `text`), an article of a file in WikiText's form (a
/// heading ` = Title = ` begins one), or else a passage of about 4,000 characters that ends at a blank
/// line. Windows never reach from one document into the next, so documents can be resampled.
package struct Corpus: Sendable {
  /// What ``documents`` are, in the singular, for reports.
  package let unit: String
  package let documents: [String]

  /// A window of a document's tokens, what its model puts before a text included.
  package struct Window: Sendable, Equatable {
    package let ids: [Int]
    /// The document that it comes from.
    package let document: Int
    /// UTF-8 bytes that its tokens after the first stand for.
    package let bytes: Int
  }

  /// Reads files, each in its form.
  ///
  /// - Throws: ``ModelFileError`` for a file that cannot be read, is empty or is no JSON lines.
  package init(files: [String]) throws {
    var (all, units): ([String], Set<String>) = ([], [])
    for path in files {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw ModelFileError.unreadable(
          .init(
            path: path, expected: "a readable text file", found: "none",
            remedy: "check the path's spelling"))
      }
      let (documents, unit) = try Self.documents(of: String(decoding: data, as: UTF8.self), path)
      guard !documents.isEmpty else {
        throw ModelFileError.malformed(
          .init(path: path, expected: "some text", found: "none", remedy: "name another file"))
      }
      all += documents
      units.insert(unit)
    }
    documents = all
    unit = units.count == 1 ? units.first ?? "document" : "document"
  }

  private static func documents(
    of text: String, _ path: String
  ) throws -> (documents: [String], unit: String) {
    if path.hasSuffix(".jsonl") { return (try jsonLines(text, path), "document") }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.contains(where: isTitle) {
      return (pieces(lines) { isTitle($1) && !$0.isEmpty }, "article")
    }
    return (
      pieces(lines) { piece, line in
        line.allSatisfy(\.isWhitespace) && piece.reduce(0) { $0 + $1.utf8.count } >= 4000
      }, "passage"
    )
  }

  private static func jsonLines(_ text: String, _ path: String) throws -> [String] {
    try text.split(separator: "\n").enumerated().map { index, line in
      let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
      guard let text = (object as? [String: Any])?["text"] as? String else {
        throw ModelFileError.malformed(
          .init(
            path: path, expected: "{\"text\": …} in line \(index + 1)", found: "something else",
            remedy: "write one such object a line"))
      }
      return text
    }.filter { !$0.isEmpty }
  }

  /// ` = Title = `, and not ` = = Section = = `.
  private static func isTitle(_ line: Substring) -> Bool {
    line.hasPrefix(" = ") && line.hasSuffix(" = ") && !line.hasPrefix(" = = ")
  }

  /// Lines joined until `ends` says that the next begins a new piece; blank pieces are left out.
  private static func pieces(
    _ lines: [Substring], ends: (_ piece: [Substring], _ next: Substring) -> Bool
  ) -> [String] {
    var (pieces, piece): ([String], [Substring]) = ([], [])
    for line in lines {
      if ends(piece, line) {
        pieces.append(piece.joined(separator: "\n"))
        piece = []
      }
      piece.append(line)
    }
    pieces.append(piece.joined(separator: "\n"))
    return pieces.filter { !$0.allSatisfy(\.isWhitespace) }
  }

  /// Windows of at most `length` tokens from documents in an order that `seed` draws, until there are
  /// `tokens` of them; all of them where it is nil. Ends of fewer than 16 tokens are left out.
  package func windows(
    _ tokenizer: Tokenizer, length: Int, tokens: Int?, seed: UInt64
  ) -> [Window] {
    var generator = SeededGenerator(seed: seed, stream: "corpus")
    let opening = tokenizer.encode("", addSpecial: true)
    let room = length - opening.count
    var (windows, count): ([Window], Int) = ([], 0)
    for document in generator.shuffled(documents.indices) {
      let ids = tokenizer.encode(documents[document])
      for start in stride(from: 0, to: ids.count, by: room) {
        if let tokens, count >= tokens { return windows }
        var part = Array(ids[start..<min(start + room, ids.count)])
        // The last window is cut to what was asked for.
        if let tokens { part = Array(part.prefix(max(tokens - count - opening.count, 16))) }
        guard part.count >= 16 else { continue }
        let read = opening.isEmpty ? part.dropFirst() : part[...]
        windows.append(
          Window(
            ids: opening + part, document: document,
            bytes: read.reduce(0) { $0 + tokenizer.bytes($1).count }))
        count += opening.count + part.count
      }
    }
    return windows
  }
}
