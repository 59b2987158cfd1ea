package import Lab

/// What is wrong with a line-up, an answer to it, or an opening of it.
package enum LineupError: Error, Equatable, CustomStringConvertible {
  // Making one.
  case tooFew(asked: Int?, found: Int)
  case otherBase(path: String, base: String, first: String)
  case taken(path: String)
  // Reading one.
  case unreadable(path: String)
  case noEnvelope(path: String)
  case noAnswerFile(path: String)
  // Answers.
  case name(String)
  case accusation(String)
  case file(problem: String)
  case repeated(id: String)
  case stranger(id: String, ids: [String])
  case unanswered([String])
  case probability(id: String, Double)
  case sameName(String)
  case late(name: String)
  case noAnswers
  // What was not kept as it was.
  case exchanged(what: String)
  case otherCommitment(published: ContentHash, found: ContentHash)
  case otherList
  case specimen(file: String, found: String)
  case order(String)
  case notInRecord(receipt: ContentHash)
  case unsound(path: String, problems: Int, first: String)

  package var description: String {
    switch self {
    case .tooFew, .otherBase, .taken, .unreadable, .noEnvelope, .noAnswerFile: folderDescription
    case .name, .accusation, .file, .repeated, .stranger, .unanswered, .probability:
      answerDescription
    case .sameName, .late, .noAnswers: timeDescription
    default: breachDescription
    }
  }

  private var folderDescription: String {
    switch self {
    case .tooFew(let asked, let found):
      "Expected \(asked.map { "at least \($0)" } ?? "some") organisms of these arms in the zoos, "
        + "found \(found): name another --zoo or --arm"
        + (asked == nil ? "" : ", or a smaller --count")
    case .otherBase(let path, let base, let first):
      "Expected zoos on one base, found \(path) on \(base) and others on \(first): make a line-up "
        + "for each"
    case .taken(let path):
      "Expected nothing at \(path) yet, found a file or folder, which may be another line-up's only copy: choose "
        + "another place or remove it"
    case .unreadable(let path):
      "Expected a folder that `plumbline lineup new` wrote, with a lineup.json of format "
        + "\(SealedLineup.format), found none at \(path): check its path"
    case .noEnvelope(let path):
      "Expected the sealed envelope at \(path), found none that can be read: name it with "
        + "--envelope"
    case .noAnswerFile(let path):
      "Expected --file to name a readable file, found none at \(path): check its path"
    default: ""
    }
  }

  private var answerDescription: String {
    switch self {
    case .name(let name):
      "Expected a name of 1 to 64 bytes without control characters or blanks around it, found "
        + "\(JSONValue.string(name).canonicalText): give another with --as"
    case .accusation(let text):
      "Expected a specimen and a probability, as in s001=0.9 or a line s001,0.9, found "
        + "\(JSONValue.string(text).canonicalText): write it so"
    case .file(let problem):
      "Expected a file with a JSON object such as {\"s001\": 0.9} or lines such as s001,0.9, found "
        + "\(problem): correct the file"
    case .repeated(let id):
      "Expected one probability for each specimen, found two for \(id): leave one out"
    case .stranger(let id, let ids):
      "Expected specimens from \(ids.first ?? "") to \(ids.last ?? ""), found "
        + "\(JSONValue.string(id).canonicalText): name one of these"
    case .unanswered(let ids):
      "Expected a probability for every specimen, found none for "
        + "\(ids.prefix(5).joined(separator: ", "))\(ids.count > 5 ? ", …" : ""): "
        + "give 0.5 where you do not know"
    case .probability(let id, let value):
      "Expected a probability from 0 to 1 for \(id), found \(value): correct it"
    default: ""
    }
  }

  private var timeDescription: String {
    switch self {
    case .sameName(let name):
      "Expected one answer from each, found one from \(name) already: answers stand as they were "
        + "given, choose another name for another answerer"
    case .late(let name):
      "Expected answers before the opening, found one from \(name) after it: make a new line-up"
    case .noAnswers:
      "Expected an answer before the opening, found none: take one with `plumbline lineup answer`"
    default: ""
    }
  }

  private var breachDescription: String {
    switch self {
    case .exchanged(let what):
      "Expected the envelope that the commitment was made from, found another (\(what) was "
        + "exchanged): ask for the one that was sealed, and trust no score until it is there"
    case .otherCommitment(let published, let found):
      "Expected the published commitment \(published.hex), found \(found.hex) in lineup.json, so "
        + "the envelope was exchanged or this is another line-up: ask for the folder that was "
        + "handed out"
    case .otherList:
      "Expected lineup.json as the record began with it, found another: restore it from a copy"
    case .specimen(let file, let found):
      "Expected \(file) as lineup.json lists it, found \(found): restore it from a copy"
    case .order(let problem):
      "Expected a record of complete answers and then one opening, found \(problem): trust no "
        + "score of it"
    case .notInRecord(let receipt):
      "Expected the entry with the receipt \(receipt.hex) in the record, found none, so the record "
        + "was rewritten after it: ask for the one that gave the receipt"
    case .unsound(let path, let problems, let first):
      "Expected the line-up in \(path) as it was made and answered, found \(problems) "
        + "\(problems == 1 ? "problem" : "problems"), first: \(first)"
    default: ""
    }
  }
}
