internal import Foundation
package import LanguageModels
internal import Statistics

/// Documents of text files, cut into windows of tokens.
///
/// A document is a line of a file of JSON objects (its `text`, or what it asks and answers), an article of a file in WikiText's form
/// (a heading ` = Title = ` begins one), or else a passage that ends at the first blank line after 4,000
/// characters, or at any line's end after 8,000. Windows never reach from one document into the next, so documents can be resampled.
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
    /// Where the text's own tokens end: an encoder puts something behind them.
    package let textEnd: Int
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
    let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { Substring($0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0) }
    // By its contents and not its name, which is no part of what a cell is known by.
    if let first = lines.first(where: { !$0.isEmpty }), object(first) != nil {
      return (try jsonLines(lines, path), "document")
    }
    if lines.contains(where: isTitle) {
      return (pieces(lines) { isTitle($1) && !$0.isEmpty }, "article")
    }
    return (
      pieces(lines.flatMap(shortened)) { piece, line in
        let bytes = piece.reduce(0) { $0 + $1.utf8.count }
        return bytes >= 8000 || (bytes >= 4000 && line.allSatisfy(\.isWhitespace))
      }, "passage"
    )
  }

  private static func object(_ line: Substring) -> [String: Any]? {
    guard line.first == "{" else { return nil }
    return (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any]
  }

  private static func jsonLines(_ lines: [Substring], _ path: String) throws -> [String] {
    try lines.enumerated().filter { !$1.isEmpty }.map { index, line in
      guard let text = object(line).flatMap(text) else {
        throw ModelFileError.malformed(
          .init(
            path: path,
            expected: "{\"text\": …}, or a question and an answer, in line \(index + 1)",
            found: "something else", remedy: "write one such object a line"))
      }
      return text
    }.filter { !$0.isEmpty }
  }

  /// An object's `text`, or else what it asks and answers.
  private static func text(_ object: [String: Any]) -> String? {
    if let text = object["text"] as? String { return text }
    let fields = ["instruction", "prompt", "question", "input", "answer", "response", "output"]
    let examples = object["instances"] as? [[String: Any]] ?? []
    let parts = ([object] + examples.prefix(1)).flatMap { part in
      fields.compactMap { part[$0] as? String }
    }.filter { !$0.isEmpty }
    return parts.isEmpty ? nil : parts.joined(separator: "\n")
  }

  /// A line in parts of at most 8,000 characters.
  private static func shortened(_ line: Substring) -> [Substring] {
    guard line.utf8.count > 8000 else { return [line] }
    var (rest, parts) = (line, [Substring]())
    while !rest.isEmpty {
      parts.append(rest.prefix(8000))
      rest = rest.dropFirst(8000)
    }
    return parts
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

  /// Windows of at most `length` tokens, one of each document before the second of any, until there are
  /// `tokens` of them; all of them where it is nil.
  ///
  /// - Parameters:
  ///   - documents: Those to take from, by index; all of them where it is nil.
  ///   - tokenizer: The model's.
  ///   - length: Tokens of a window at most.
  ///   - tokens: Tokens of all windows.
  ///   - seed: Draws the order of documents and, within each, of its windows.
  /// - Returns: Windows in the order in which they were drawn.
  /// - Throws: ``LensError/tooLittleText(needed:found:unit:)`` where there are not so many tokens.
  package func windows(
    of documents: [Int]? = nil, _ tokenizer: Tokenizer, length: Int, tokens: Int?, seed: UInt64
  ) throws(LensError) -> [Window] {
    var generator = SeededGenerator(seed: seed, stream: "corpus")
    let special = Self.specialTokens(tokenizer)
    let order = generator.shuffled(documents ?? Array(self.documents.indices))
    // Each one's windows in random order.
    var (rest, known) = (order.map { _ in [Window]() }, 0)
    for (place, document) in order.enumerated() {
      rest[place] = generator.shuffled(cut(document, special, tokenizer, length))
      known += rest[place].reduce(0) { $0 + $1.ids.count }
    }
    if let tokens, known < tokens {
      throw .tooLittleText(needed: tokens, found: known, unit: "tokens")
    }
    var (windows, count, round): ([Window], Int, Int) = ([], 0, 0)
    while count < tokens ?? known {
      for place in rest.indices where round < rest[place].count && count < tokens ?? known {
        windows.append(rest[place][round])
        count += rest[place][round].ids.count
      }
      round += 1
    }
    return windows
  }

  /// ``windows(of:_:length:tokens:seed:)`` for an interval over documents, which takes two at least.
  ///
  /// - Throws: ``LensError/tooLittleText(needed:found:unit:)``.
  package func windowsForIntervals(
    _ tokenizer: Tokenizer, length: Int, tokens: Int?, seed: UInt64
  ) throws(LensError) -> [Window] {
    let windows = try windows(tokenizer, length: length, tokens: tokens, seed: seed)
    let documents = Set(windows.map(\.document)).count
    guard documents >= 2 else {
      throw .tooLittleText(needed: 2, found: documents, unit: "\(unit)s")
    }
    return windows
  }

  /// Windows to train on, and windows of other documents to watch: a tenth of them, two at least.
  ///
  /// - Parameters:
  ///   - tokenizer: The model's.
  ///   - length: Tokens of a window at most.
  ///   - tokens: Tokens to train on; nil for all.
  ///   - heldOut: Tokens to watch.
  ///   - seed: Draws documents and their order.
  /// - Returns: Token ids of the windows of both.
  /// - Throws: ``LensError/tooLittleText(needed:found:unit:)``.
  package func split(
    _ tokenizer: Tokenizer, length: Int, tokens: Int?, heldOut: Int, seed: UInt64
  ) throws(LensError) -> (train: [[Int]], heldOut: [[Int]]) {
    var generator = SeededGenerator(seed: seed, stream: "lens-split")
    let documents = generator.shuffled(self.documents.indices)
    guard documents.count >= 3 else {
      throw LensError.tooLittleText(needed: 3, found: documents.count, unit: "\(unit)s")
    }
    let watched = max(2, documents.count / 10)
    func windows(
      _ documents: ArraySlice<Int>, _ tokens: Int?
    ) throws(LensError) -> [[Int]] {
      try self.windows(
        of: Array(documents), tokenizer, length: length, tokens: tokens, seed: seed
      ).map(\.ids)
    }
    let train = try windows(documents[watched...], tokens)
    // Ridge regression sets a fifth of them aside.
    guard train.count >= 5 else {
      throw LensError.tooLittleText(needed: 5, found: train.count, unit: "windows to train on")
    }
    do throws(LensError) {
      return (train, try windows(documents[..<watched], heldOut))
    } catch .tooLittleText(let needed, let found, let name) {
      throw .tooLittleText(
        needed: needed, found: found, unit: "held-out \(name) (a tenth of the \(unit)s)")
    }
  }

  /// A document in windows; an end of fewer than 16 tokens is left out.
  private func cut(
    _ document: Int, _ special: (before: [Int], after: [Int]), _ tokenizer: Tokenizer,
    _ length: Int
  ) -> [Window] {
    let ids = tokenizer.encode(documents[document])
    let room = max(length - special.before.count - special.after.count, 1)
    return stride(from: 0, to: ids.count, by: room).compactMap { start in
      let part = Array(ids[start..<min(start + room, ids.count)])
      guard part.count >= min(16, room) else { return nil }
      let read = special.before.isEmpty ? part.dropFirst() : part[...]
      return Window(
        ids: special.before + part + special.after, document: document,
        bytes: read.reduce(0) { $0 + tokenizer.bytes($1).count },
        textEnd: special.before.count + part.count)
    }
  }

  /// What a model's tokenizer puts before and behind a text.
  static func specialTokens(_ tokenizer: Tokenizer) -> (before: [Int], after: [Int]) {
    let (plain, whole) = (tokenizer.encode("a"), tokenizer.encode("a", addSpecial: true))
    let start = whole.indices.first { whole[$0...].starts(with: plain) } ?? 0
    return (Array(whole[..<start]), Array(whole[(start + plain.count)...]))
  }
}
